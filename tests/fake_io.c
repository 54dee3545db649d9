/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake_priv.h"

enum sqe_kind { SQE_FETCH, SQE_COMMIT, SQE_READ, SQE_GET, SQE_COPY };

struct sqe {
	enum sqe_kind kind;
	unsigned int queue, tag;
	int result;
	bool in;
	uint32_t bytes;
	void *buf;
};

struct ublkev__io {
	const struct ublkev__mem *mem;
	bool open;		/* the ring */
	bool muted, taskrun, woken;
	bool unprivileged;	/* what is submitted now */
	bool cut;		/* whoever had it is dead */
	int evfd;
	bool by_ring;
	int ring_fd;		/* readable while there is something to reap */
	unsigned int queues, depth;
	unsigned int first;		/* number of the first queue */
	bool apart, dormant;
	pthread_t thread;		/* whose ring it is */
	uint32_t max_io_bytes;
	size_t buf_bytes;
	char *bufs, *spare;
	struct fake_dev *dev;	/* whose ublkc is open */
	unsigned int nr_sqes, nr_work, nr_cqes, size;
	struct sqe *sqes;
	struct ublkev__cqe *work, *cqes;
};

static bool has(const struct fake_dev *d, uint64_t feature)
{
	return d->info.features & feature;
}

/* the driver copies a WRITE's data before it tells of the request */
static bool moves_itself(const struct fake_dev *d)
{
	return !has(d, FAKE_F_NEED_GET_DATA | FAKE_F_USER_COPY);
}

/* ---- eventfd, work, completions ----------------------------------------- */

void fake__signal(struct ublkev__io *io)
{
	uint64_t one = 1;

	fake_counts.signals++;
	if (write(io->evfd, &one, sizeof(one)) != sizeof(one))
		abort();
}

static void ring_signal(struct ublkev__io *io)
{
	uint64_t one = 1;

	if (io->by_ring && write(io->ring_fd, &one, sizeof(one)) < 0)
		abort();
	if (io->by_ring)
		return;
	if (io->muted)
		fake_counts.muted_signals++;
	else
		fake__signal(io);
}

static void run_one(struct ublkev__io *io, const struct ublkev__cqe *w);

/* io_req_local_work_add(): only the first of a list signals */
void fake__work(struct ublkev__io *io, unsigned int queue, unsigned int tag,
		int res)
{
	if (!io || !io->open)
		return;
	if (io->nr_work == io->size)
		abort();
	io->work[io->nr_work++] = (struct ublkev__cqe){
		(uint16_t)queue, (uint16_t)tag, res,
	};
	if (io->by_ring && fake.runs_work) {
		run_one(io, &io->work[--io->nr_work]);
		ring_signal(io);
		return;
	}
	if (io->taskrun)
		return;
	io->taskrun = true;
	ring_signal(io);
}

static void post(struct ublkev__io *io, unsigned int queue, unsigned int tag,
		 int res)
{
	if (io->nr_cqes == io->size)
		abort();
	io->cqes[io->nr_cqes++] = (struct ublkev__cqe){
		(uint16_t)queue, (uint16_t)tag, res,
	};
}

void fake_spurious(int id, unsigned int queue, unsigned int tag, int res)
{
	FAKE_LOCKED;
	struct fake_dev *d = fake__dev(id);
	struct ublkev__io *io;

	if (!d || !d->io)
		return;
	io = d->queues[queue < d->info.queues ? queue : 0].io;
	if (!io)
		return;
	post(io, queue, tag, res);
	ring_signal(io);
}

/* FETCH_IO_CMDS ends, once, in place of the tags' own */
static void end_fetch(struct fake_dev *d, unsigned int queue)
{
	struct fake_queue *q = &d->queues[queue];

	if (!q->io || q->fetch_ended)
		return;
	q->fetch_ended = true;
	fake__work(q->io, queue, UBLKEV__ALL_TAGS, -ENODEV);
}

void fake__abort_armed(struct fake_dev *d)
{
	bool batch = has(d, FAKE_F_BATCH_IO);
	unsigned int q, i;
	struct fake_tag *t;

	for (q = 0; q < d->info.queues; q++)
		for (i = 0; i < d->info.depth; i++) {
			t = &d->queues[q].tags[i];
			if (t->state != TAG_ARMED)
				continue;
			t->state = TAG_ABORTED;
			if (!batch)
				fake__work(d->queues[q].io, q, i, -ENODEV);
		}
	for (q = 0; q < d->info.queues && batch; q++)
		end_fetch(d, q);
}

/* ---- life --------------------------------------------------------------- */

static char *map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int ublkev__io_set_up(struct ublkev__io *io, unsigned int queues,
		      unsigned int depth, uint32_t max_io_bytes)
{
	FAKE_LOCKED;
	size_t n = (size_t)queues * depth;
	int err;

	if (io->sqes)
		fake__violates("set up twice");
	if (fake__rule(FAKE_IO_SET_UP, 0, &err))
		return err;
	io->queues = queues;
	io->depth = depth;
	io->max_io_bytes = max_io_bytes;
	io->size = (unsigned int)n * 4 + 64;
	io->sqes = ublkev__mem_zalloc(io->mem, io->size, sizeof(*io->sqes));
	io->work = ublkev__mem_zalloc(io->mem, io->size, sizeof(*io->work));
	io->cqes = ublkev__mem_zalloc(io->mem, io->size, sizeof(*io->cqes));
	if (!io->sqes || !io->work || !io->cqes)
		return -ENOMEM;
	io->spare = map(max_io_bytes);
	if (!io->spare)
		return -ENOMEM;
	if (io->by_ring)
		io->ring_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (io->by_ring && io->ring_fd < 0)
		return -errno;
	io->open = true;
	return 0;
}

int ublkev__io_set_up_common(struct ublkev__io *io, unsigned int queues)
{
	FAKE_LOCKED;
	int err;

	if (fake__rule(FAKE_IO_SET_UP, 0, &err))
		return err;
	io->queues = queues;
	/* as the descriptors' places */
	io->sqes = ublkev__mem_zalloc(io->mem, queues, sizeof(*io->sqes));
	return io->sqes ? 0 : -ENOMEM;
}

int ublkev__io_set_up_apart(struct ublkev__io *io, unsigned int queue,
			    unsigned int depth, uint32_t max_io_bytes)
{
	int err = ublkev__io_set_up(io, 1, depth, max_io_bytes);

	io->first = queue;
	io->apart = true;
	io->dormant = true;
	return err;
}

int ublkev__io_join(struct ublkev__io *io, const struct ublkev__io *common,
		    uint64_t features)
{
	FAKE_LOCKED;
	int err;

	if (fake__rule(FAKE_JOIN, 0, &err))
		return err;
	if (!io->dormant || !common->dev ||
	    features != common->dev->info.features)
		fake__violates("joined when or what it may not");
	io->dev = common->dev;
	io->dev->joined++;
	return 0;
}

int ublkev__io_enable(struct ublkev__io *io)
{
	FAKE_LOCKED;
	int err;

	if (fake__rule(FAKE_ENABLE, 0, &err))
		return err;
	io->dormant = false;
	io->thread = pthread_self();
	return 0;
}

void ublkev__io_wake(const struct ublkev__io *io)
{
	uint64_t one = 1;

	if (write(io->evfd, &one, sizeof(one)) != sizeof(one))
		abort();
}

int ublkev__io_new(struct ublkev__io **iop, const struct ublkev__mem *mem)
{
	FAKE_LOCKED;
	struct ublkev__io *io;
	int err;

	if (fake__rule(FAKE_IO_NEW, 0, &err))
		return err;
	io = ublkev__mem_zalloc(mem, 1, sizeof(*io));
	if (!io)
		return -ENOMEM;
	fake_counts.ios++;
	io->mem = mem;
	io->ring_fd = -1;
	io->evfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (io->evfd < 0) {
		err = -errno;
		ublkev__io_free(io);
		return err;
	}
	*iop = io;
	return 0;
}

void ublkev__io_free(struct ublkev__io *io)
{
	FAKE_LOCKED;
	if (!io)
		return;
	ublkev__io_close(io, false);
	if (io->bufs)
		munmap(io->bufs, io->buf_bytes);
	if (io->spare)
		munmap(io->spare, io->max_io_bytes);
	if (io->evfd >= 0)
		close(io->evfd);
	if (io->ring_fd >= 0)
		close(io->ring_fd);
	ublkev__mem_free(io->mem, io->sqes);
	ublkev__mem_free(io->mem, io->work);
	ublkev__mem_free(io->mem, io->cqes);
	ublkev__mem_free(io->mem, io);
	fake_counts.ios--;
}

int ublkev__io_fd(const struct ublkev__io *io)
{
	return io->evfd;
}

void ublkev__io_by_ring(struct ublkev__io *io)
{
	io->by_ring = true;
}

int ublkev__io_ring_fd(const struct ublkev__io *io)
{
	return io->open && !io->dormant ? io->ring_fd : -1;
}

int ublkev__io_need_bufs(struct ublkev__io *io)
{
	FAKE_LOCKED;
	size_t n = (size_t)io->queues * io->depth;
	int err;

	if (io->bufs)
		return 0;
	if (fake__rule(FAKE_NEED_BUFS, 0, &err))
		return err;
	io->buf_bytes = n * io->max_io_bytes;
	io->bufs = map(io->buf_bytes);
	return io->bufs ? 0 : -ENOMEM;
}

void *ublkev__io_bufs(const struct ublkev__io *io, unsigned int queue)
{
	if (!io->bufs)
		return NULL;
	return io->bufs + (size_t)queue * io->depth * io->max_io_bytes;
}

void *ublkev__io_spare_buf(const struct ublkev__io *io)
{
	return io->spare;
}

int ublkev__io_open(struct ublkev__io *io, int id, unsigned int queues,
		    unsigned int depth, uint64_t features)
{
	FAKE_LOCKED;
	struct fake_dev *d = fake__dev(id);
	int err;

	if (fake__rule(FAKE_OPEN, 0, &err))
		return err;
	if (!d || d->deleted)
		return -ENOENT;
	if (d->io)
		return -EBUSY;
	if (queues != d->info.queues || depth != d->info.depth)
		fake__violates("mapped with the wrong queues or depth");
	if (features != d->info.features)
		fake__violates("opened with features that it has not");
	d->io = io;
	io->dev = d;
	return 0;
}

/* the driver's tags forget the ring: what they had is failed */
static void release(struct fake_dev *d)
{
	unsigned int q, i;
	struct fake_tag *t;

	for (q = 0; q < d->info.queues; q++)
		for (i = 0; i < d->info.depth; i++) {
			t = &d->queues[q].tags[i];
			t->state = TAG_ABORTED;
			if (!t->req)
				continue;
			fake_counts.aborted_reqs++;
			fake__answer(d, t->req, -EIO);
			t->req = NULL;
		}
}

/* what comes to its queues waits for who fetches next, or ublkc's release */
static void forget(struct fake_dev *d, const struct ublkev__io *io)
{
	unsigned int q;

	for (q = 0; q < d->info.queues; q++)
		if (d->queues[q].io == io)
			d->queues[q].io = NULL;
}

static bool any_with_driver(const struct fake_dev *d,
			    const struct ublkev__io *io)
{
	unsigned int q, i;

	for (q = 0; q < d->info.queues; q++)
		for (i = 0; i < d->info.depth && d->queues[q].io == io; i++)
			if (d->queues[q].tags[i].state == TAG_ARMED)
				return true;
	return false;
}

static void server_gone(struct fake_dev *d)
{
	d->io = NULL;
	if (fake__stays(d)) {
		fake__leave(d);
	} else {
		if (d->disk == DISK_LIVE)
			d->disk = DISK_DEAD;
		release(d);
		fake__fail_waiting(d);
	}
	fake__maybe_free(d);
	fake__progress();
}

static void shut(struct ublkev__io *io)
{
	io->open = false;
	io->dev = NULL;
	io->nr_sqes = io->nr_work = io->nr_cqes = 0;
	io->taskrun = false;
}

void ublkev__io_close(struct ublkev__io *io, bool drained)
{
	FAKE_LOCKED;
	struct fake_dev *d = io->dev;

	shut(io);
	if (!d)
		return;
	if (drained && any_with_driver(d, io))
		fake__violates("closed as drained with tags armed");
	forget(d, io);
	if (io->apart) {
		if (!io->dormant && io->thread != pthread_self())
			fake__violates("a ring closed by another thread");
		d->joined--;
		return;
	}
	if (d->joined)
		fake__violates("ublkc closed before a ring that has it");
	server_gone(d);
}

static void cut(struct ublkev__io *io)
{
	shut(io);
	io->cut = true;
}

int fake__cut(struct ublkev__io *io)
{
	struct fake_dev *d = io->dev;
	struct fake_queue *q = d->queues;

	for (; q < d->queues + d->info.queues; q++) {
		if (q->io && q->io != io)
			cut(q->io);
		q->io = NULL;
	}
	d->joined = 0;
	cut(io);
	server_gone(d);
	return io->evfd;
}

/* ---- commands ----------------------------------------------------------- */

const struct ublkev__desc *ublkev__io_desc(const struct ublkev__io *io,
					   unsigned int queue,
					   unsigned int tag)
{
	FAKE_LOCKED;
	static const struct ublkev__desc none;

	if (!io->dev || queue >= io->dev->info.queues ||
	    tag >= io->dev->info.depth)
		return &none;
	return &io->dev->queues[queue].tags[tag].desc;
}

static struct sqe *get_sqe(struct ublkev__io *io, enum sqe_kind kind)
{
	struct sqe *sqe;

	if (io->cut)
		io->nr_sqes = 0;
	sqe = &io->sqes[io->nr_sqes++];
	if (io->nr_sqes > io->queues * io->depth + 1)
		fake__violates("more SQEs than tags");
	sqe->kind = kind;
	return sqe;
}

static void io_sqe(struct ublkev__io *io, enum sqe_kind kind,
		   unsigned int queue, unsigned int tag, int result, void *buf)
{
	struct sqe *sqe = get_sqe(io, kind);

	sqe->queue = queue;
	sqe->tag = tag;
	sqe->result = result;
	sqe->buf = buf;
	if (!io->dev && !io->cut)
		fake__violates("a command without ublkc");
}

void ublkev__io_fetch(struct ublkev__io *io, unsigned int queue,
		      unsigned int tag, void *buf)
{
	FAKE_LOCKED;
	io_sqe(io, SQE_FETCH, queue, tag, 0, buf);
}

void ublkev__io_commit(struct ublkev__io *io, unsigned int queue,
		       unsigned int tag, int result, void *buf)
{
	FAKE_LOCKED;
	io_sqe(io, SQE_COMMIT, queue, tag, result, buf);
}

void ublkev__io_move(struct ublkev__io *io, unsigned int queue,
		     unsigned int tag, bool in, void *buf, uint32_t bytes)
{
	FAKE_LOCKED;
	bool user = io->dev && has(io->dev, FAKE_F_USER_COPY);

	if (io->dev && !user && !has(io->dev, FAKE_F_NEED_GET_DATA))
		fake__violates("a move without a feature for it");
	io_sqe(io, user ? SQE_COPY : SQE_GET, queue, tag, 0, buf);
	io->sqes[io->nr_sqes - 1].in = in;
	io->sqes[io->nr_sqes - 1].bytes = bytes;
}

/*
 * PLAIN: only the tag's own buffer, since the driver will put the next WRITE
 * there. NEED_GET_DATA: a READ's may come from anywhere.
 */
static void check_buf(const struct ublkev__io *io, const struct sqe *sqe)
{
	unsigned int nth = sqe->queue - io->first;
	size_t n = (size_t)nth * io->depth + sqe->tag;
	char *queue = ublkev__io_bufs(io, nth);
	char *own = queue + (size_t)sqe->tag * io->dev->info.max_io_bytes;

	if (!moves_itself(io->dev))
		return;
	if (sqe->result < 0 && sqe->buf == ublkev__io_spare_buf(io))
		return;
	if (n >= (size_t)io->queues * io->depth || sqe->buf != own)
		fake__violates("not the tag's buffer");
}

static void do_fetch(struct ublkev__io *io, const struct sqe *sqe)
{
	struct fake_tag *t = &io->dev->queues[sqe->queue].tags[sqe->tag];
	int err;

	check_buf(io, sqe);
	if (fake__rule(FAKE_FETCH, 0, &err)) {
		post(io, sqe->queue, sqe->tag, err);
		return;
	}
	if (t->state != TAG_NONE)
		fake__violates("FETCH of a tag that was fetched");
	io->dev->queues[sqe->queue].io = io;
	t->buf = sqe->buf;
	t->state = TAG_ARMED;
	io->dev->no_scan |= io->unprivileged;
	if (!io->dev->was_stopped)
		return;
	t->state = TAG_ABORTED;
	if (!has(io->dev, FAKE_F_BATCH_IO))
		post(io, sqe->queue, sqe->tag, -ENODEV);
	else
		end_fetch(io->dev, sqe->queue);
}

static int answer_of(const struct fake_dev *d, const struct fake_req *req,
		     const struct sqe *sqe)
{
	uint32_t op = req->op_flags & 0xff;
	bool data = op == FAKE_READ || op == FAKE_WRITE;

	if (sqe->result < 0)
		return sqe->result;
	if ((uint32_t)sqe->result != (data ? req->len : 0))
		fake__violates("a result that is neither whole nor an error");
	if (op == FAKE_READ && req->data && !has(d, FAKE_F_USER_COPY))
		memcpy(req->data, sqe->buf, (size_t)sqe->result);
	return 0;
}

static bool is_op(const struct fake_req *req, uint32_t op)
{
	return (req->op_flags & 0xff) == op;
}

static void do_commit(struct ublkev__io *io, const struct sqe *sqe)
{
	struct fake_dev *d = io->dev;
	struct fake_tag *t = &d->queues[sqe->queue].tags[sqe->tag];
	struct fake_req *req = t->req;
	int err;

	check_buf(io, sqe);
	if (d->queues[sqe->queue].io != io)
		fake__violates("COMMIT by another than who fetched");
	if (t->state != TAG_OWNED) {
		fake__violates(t->state == TAG_NEED_DATA ?
			       "COMMIT of a WRITE whose data were not taken" :
			       "COMMIT of a tag that is not owned");
		return;
	}
	if (has(d, FAKE_F_NEED_GET_DATA) && is_op(req, FAKE_READ) && !sqe->buf)
		fake__violates("COMMIT of a READ without an address");
	if (has(d, FAKE_F_USER_COPY) && sqe->result > 0 && !fake.no_data &&
	    !t->copied)
		fake__violates("COMMIT before the data were copied");
	if (fake__rule(FAKE_COMMIT, 0, &err)) {
		post(io, sqe->queue, sqe->tag, err);
		return;
	}
	t->req = NULL;
	t->buf = sqe->buf;
	/* no command is with the driver any more that could bring another */
	t->state = d->queues[sqe->queue].fetch_ended ? TAG_ABORTED : TAG_ARMED;
	fake__answer(d, req, answer_of(d, req, sqe));
	/* the client may have ended all of this */
	if (t->state == TAG_ARMED)
		fake__feed(d, sqe->queue, sqe->tag);
}

/* NEED_GET_DATA, as on 6.12: done by task work, with a result of its own */
static void do_get(struct ublkev__io *io, const struct sqe *sqe)
{
	struct fake_tag *t = &io->dev->queues[sqe->queue].tags[sqe->tag];

	if (t->state != TAG_NEED_DATA) {
		fake__violates("GET_DATA of a tag that needs none");
		return;
	}
	if (!sqe->buf)
		fake__violates("GET_DATA without an address");
	t->buf = sqe->buf;
	t->state = TAG_GETTING;
	fake__work(io, sqe->queue, sqe->tag, 0);
}

/* USER_COPY: ublkc is O_NONBLOCK, so done at once */
static void do_copy(struct ublkev__io *io, const struct sqe *sqe)
{
	struct fake_tag *t = &io->dev->queues[sqe->queue].tags[sqe->tag];
	int err;

	if (t->state != TAG_OWNED ||
	    !is_op(t->req, sqe->in ? FAKE_WRITE : FAKE_READ)) {
		fake__violates("a copy for which there is no request");
		return;
	}
	if (sqe->bytes != t->req->len)
		fake__violates("a copy that is not the whole request");
	if (fake__rule(FAKE_COPY, 0, &err)) {
		post(io, sqe->queue, sqe->tag, err);
		return;
	}
	t->copied = true;
	if (t->req->data && sqe->in)
		memcpy(sqe->buf, t->req->data, sqe->bytes);
	else if (t->req->data)
		memcpy(t->req->data, sqe->buf, sqe->bytes);
	post(io, sqe->queue, sqe->tag, (int)sqe->bytes);
}

/* ---- the seam ----------------------------------------------------------- */

void ublkev__io_woken(struct ublkev__io *io)
{
	FAKE_LOCKED;
	uint64_t count;

	if (!io->open || io->dormant) {
		if (read(io->evfd, &count, sizeof(count)) < 0)
			return;
		return;
	}
	if (io->woken)
		return;
	io->woken = true;
	get_sqe(io, SQE_READ);
}

void ublkev__io_mute(struct ublkev__io *io)
{
	FAKE_LOCKED;
	fake__point(FAKE_AT_MUTE);
	if (io->open)
		io->muted = true;
	fake__point(FAKE_AT_MUTED);
}

void ublkev__io_unmute(struct ublkev__io *io)
{
	FAKE_LOCKED;
	fake__point(FAKE_AT_UNMUTE);
	io->muted = false;
	fake__point(FAKE_AT_UNMUTED);
}

static bool has_work(const struct ublkev__io *io)
{
	return io->open && (io->nr_cqes || io->nr_sqes || io->taskrun);
}

bool ublkev__io_look(const struct ublkev__io *io)
{
	FAKE_LOCKED;
	bool work;

	fake__point(FAKE_AT_LOOK);
	work = has_work(io);
	fake__point(FAKE_AT_LOOKED);
	return work;
}

bool ublkev__io_has_work(const struct ublkev__io *io)
{
	FAKE_LOCKED;
	bool work;

	fake__point(FAKE_AT_HAS_WORK);
	work = has_work(io);
	fake__point(FAKE_AT_HAD_WORK);
	return work;
}

static void submit_all(struct ublkev__io *io)
{
	unsigned int i, n = io->nr_sqes;
	uint64_t count;

	io->nr_sqes = 0;
	for (i = 0; i < n; i++) {
		if (io->sqes[i].kind == SQE_FETCH)
			do_fetch(io, &io->sqes[i]);
		else if (io->sqes[i].kind == SQE_COMMIT)
			do_commit(io, &io->sqes[i]);
		else if (io->sqes[i].kind == SQE_GET)
			do_get(io, &io->sqes[i]);
		else if (io->sqes[i].kind == SQE_COPY)
			do_copy(io, &io->sqes[i]);
		else if (read(io->evfd, &count, sizeof(count)) < 0)
			continue;
	}
	io->woken = false;
}

/* ublk's task work: WRITE data goes to the server, then the completion */
static void run_one(struct ublkev__io *io, const struct ublkev__cqe *w)
{
	struct fake_tag *t;
	bool write;
	int res = w->res;
	int err;

	if (res == 0) {
		t = &io->dev->queues[w->queue].tags[w->tag];
		write = is_op(t->req, FAKE_WRITE);
		if (t->state == TAG_GETTING &&
		    fake__rule(FAKE_COPY, 0, &err)) {
			/* queued anew, and here it is again */
			t->state = TAG_NEED_DATA;
			res = 1;
		} else if (t->state != TAG_GETTING && write &&
			   has(io->dev, FAKE_F_NEED_GET_DATA)) {
			t->state = TAG_NEED_DATA;
			res = 1;
		} else {
			t->state = TAG_OWNED;
			t->copied = false;
			if (write && t->req->data &&
			    !has(io->dev, FAKE_F_USER_COPY))
				memcpy(t->buf, t->req->data, t->req->len);
		}
	}
	post(io, w->queue, w->tag, res);
}

static void run_work(struct ublkev__io *io)
{
	unsigned int n = io->nr_work;
	unsigned int i;

	if (fake.work_cap && n > fake.work_cap)
		n = fake.work_cap;
	io->taskrun = false;
	for (i = 0; i < n; i++)
		run_one(io, &io->work[i]);
	io->nr_work -= n;
	memmove(io->work, io->work + n, io->nr_work * sizeof(*io->work));
	io->taskrun = io->nr_work;
}

int ublkev__io_enter(struct ublkev__io *io)
{
	FAKE_LOCKED;
	unsigned int had;
	int err;

	fake__point(FAKE_AT_ENTER);
	if (io->apart && !io->dormant && io->thread != pthread_self())
		fake__violates("a ring entered by another thread");
	if (!io->open || !(io->nr_sqes || io->taskrun))
		return 0;
	fake_counts.enters++;
	if (fake__rule(FAKE_ENTER, 0, &err))
		return err;
	if (fake__rule(FAKE_ENTER_AGAIN, 0, &err))
		return 1;
	had = io->nr_cqes;
	submit_all(io);
	run_work(io);
	if (io->nr_cqes > had)
		ring_signal(io);
	fake__progress();
	fake__point(FAKE_AT_ENTERED);
	return 1;
}

int ublkev__io_enter_unprivileged(struct ublkev__io *io)
{
	FAKE_LOCKED;
	int res;

	io->unprivileged = true;
	res = ublkev__io_enter(io);
	io->unprivileged = false;
	return res;
}

unsigned int ublkev__io_reap(struct ublkev__io *io, struct ublkev__cqe *v,
			     unsigned int max)
{
	FAKE_LOCKED;
	uint64_t count;
	unsigned int n;

	fake__point(FAKE_AT_REAP);
	n = io->nr_cqes < max ? io->nr_cqes : max;
	if (n) {	/* else it may not be set up yet */
		memcpy(v, io->cqes, n * sizeof(*v));
		io->nr_cqes -= n;
		memmove(io->cqes, io->cqes + n, io->nr_cqes * sizeof(*v));
	}
	if (io->by_ring && io->open && !io->nr_cqes && !io->taskrun &&
	    read(io->ring_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		abort();
	fake__point(FAKE_AT_REAPED);
	return n;
}
