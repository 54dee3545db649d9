/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_io_priv.h"

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
	uint64_t one = 1;

	if (!io || !io->open)
		return;
	if (io->nr_work == io->size)
		abort();
	if (io->asleep && write(io->alarm_fd, &one, sizeof(one)) < 0)
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

void fake__post(struct ublkev__io *io, unsigned int queue, unsigned int tag,
		int res)
{
	post(io, queue, tag, res);
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

static struct fake_sqe *get_sqe(struct ublkev__io *io, enum fake_sqe_kind kind)
{
	struct fake_sqe *sqe;

	if (io->cut)
		io->nr_sqes = 0;
	sqe = &io->sqes[io->nr_sqes++];
	if (io->nr_sqes > io->queues * io->depth + 3 + io->nr_file_sqes)
		fake__violates("more SQEs than tags");
	sqe->kind = kind;
	return sqe;
}

static void io_sqe(struct ublkev__io *io, enum fake_sqe_kind kind,
		   unsigned int queue, unsigned int tag, int result, void *buf)
{
	struct fake_sqe *sqe = get_sqe(io, kind);

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

bool ublkev__io_has_file_room(const struct ublkev__io *io)
{
	return io->nr_file_sqes < fake.file_room;
}

void ublkev__io_file(struct ublkev__io *io, unsigned int queue,
		     unsigned int tag, const struct ublkev__fileop *op)
{
	FAKE_LOCKED;

	if (!io->for_files || io->nr_file_sqes >= fake.file_room)
		fake__violates("no room for an operation on a file");
	io->nr_file_sqes++;
	io_sqe(io, SQE_FILE, queue, tag, 0, NULL);
	io->sqes[io->nr_sqes - 1].op = *op;
}

/*
 * PLAIN: only the tag's own buffer, since the driver will put the next WRITE
 * there. NEED_GET_DATA: a READ's may come from anywhere.
 */
static void check_buf(const struct ublkev__io *io, const struct fake_sqe *sqe)
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
	if (fake__file_holds(io, sqe->queue, sqe->tag))
		fake__violates("a buffer that an operation on a file still uses");
}

static void do_fetch(struct ublkev__io *io, const struct fake_sqe *sqe)
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
		     const struct fake_sqe *sqe)
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

static void do_commit(struct ublkev__io *io, const struct fake_sqe *sqe)
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
static void do_get(struct ublkev__io *io, const struct fake_sqe *sqe)
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
static void do_copy(struct ublkev__io *io, const struct fake_sqe *sqe)
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

void ublkev__io_wake(const struct ublkev__io *io)
{
	uint64_t one = 1;

	if (write(io->evfd, &one, sizeof(one)) != sizeof(one))
		abort();
}

void ublkev__io_reset(struct ublkev__io *io)
{
	uint64_t count;

	if (read(io->evfd, &count, sizeof(count)) < 0)
		return;
}

void ublkev__io_woken(struct ublkev__io *io)
{
	FAKE_LOCKED;

	if (!io->open || io->dormant) {
		ublkev__io_reset(io);
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
	/* what the poll adds would keep a request from signalling */
	if (io->watching || io->alarmed)
		fake__violates("unmuted with the loop watched from the ring");
	io->muted = false;
	fake__point(FAKE_AT_UNMUTED);
}

static bool look(const struct ublkev__io *io, enum fake_point before,
		 enum fake_point after)
{
	FAKE_LOCKED;
	bool work;

	fake__point(before);
	work = io->open && (io->nr_cqes || io->nr_sqes || io->taskrun);
	fake__point(after);
	return work;
}

bool ublkev__io_look(const struct ublkev__io *io)
{
	return look(io, FAKE_AT_LOOK, FAKE_AT_LOOKED);
}

bool ublkev__io_has_cqes(const struct ublkev__io *io)
{
	FAKE_LOCKED;

	return io->open && io->nr_cqes;
}

bool ublkev__io_has_work(const struct ublkev__io *io)
{
	return look(io, FAKE_AT_HAS_WORK, FAKE_AT_HAD_WORK);
}

static void submit_all(struct ublkev__io *io)
{
	unsigned int i, n = io->nr_sqes;
	uint64_t count;

	io->nr_sqes = 0;
	io->nr_file_sqes = 0;
	for (i = 0; i < n; i++) {
		if (io->sqes[i].kind == SQE_FETCH)
			do_fetch(io, &io->sqes[i]);
		else if (io->sqes[i].kind == SQE_COMMIT)
			do_commit(io, &io->sqes[i]);
		else if (io->sqes[i].kind == SQE_GET)
			do_get(io, &io->sqes[i]);
		else if (io->sqes[i].kind == SQE_COPY)
			do_copy(io, &io->sqes[i]);
		else if (io->sqes[i].kind == SQE_FILE)
			fake__file(io, &io->sqes[i]);
		else if (io->sqes[i].kind == SQE_UNWATCH)
			io->watching = io->alarmed = io->unwatching = false;
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

	if (ublkev__cqe_is_file(w)) {
		post(io, w->queue, w->tag, res);
		return;
	}
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

/* ---- sleep ---------------------------------------------------------------- */

void ublkev__io_watch(struct ublkev__io *io, int fd)
{
	io->watch_fd = fd;
}

bool ublkev__io_can_sleep(const struct ublkev__io *io)
{
	return io->watch_fd >= 0 && io->open && !io->dormant && !io->by_ring &&
	       !io->woken;
}

bool ublkev__io_is_watching(const struct ublkev__io *io)
{
	return io->watching;
}

bool ublkev__io_is_alarmed(const struct ublkev__io *io)
{
	return io->alarmed;
}

void ublkev__io_unwatch(struct ublkev__io *io)
{
	FAKE_LOCKED;

	if (!(io->watching || io->alarmed) || io->unwatching)
		return;
	io->unwatching = true;
	get_sqe(io, SQE_UNWATCH);
}

/*
 * Without the lock: whoever is to wake us needs it. The alarm rings when
 * nothing else comes for a millisecond.
 */
static void doze(struct ublkev__io *io)
{
	int ms = io->alarmed ? 1 : -1, n;
	struct pollfd fds[2] = {
		{ .fd = io->watch_fd, .events = POLLIN },
		{ .fd = io->alarm_fd, .events = POLLIN },
	};
	uint64_t count;

	fake_counts.dozes++;
	io->asleep = true;
	fake_unlock(NULL);
	n = poll(fds, 2, ms);
	if (n < 0 && errno != EINTR)
		abort();
	fake_lock();
	if (!n)
		io->alarmed = false;
	io->asleep = false;
	if (read(io->alarm_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		abort();
}

static bool watched_is_ready(const struct ublkev__io *io)
{
	struct pollfd p = { .fd = io->watch_fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void run_more(struct ublkev__io *io)
{
	if (!io->taskrun)
		return;
	run_work(io);
	fake__progress();
}

static int sleep_now(struct ublkev__io *io, unsigned int us)
{
	/* what is cancelled completes, and ends the sleep */
	bool cancels = io->unwatching;
	int res;

	fake__point(FAKE_AT_TO_SLEEP);
	if (io->cut)	/* since it was asked whether it may */
		return 0;
	if (!ublkev__io_can_sleep(io) || (io->watching && !io->muted))
		fake__violates("asleep in the ring when it may not be");
	io->muted = true;
	fake_counts.sleeps++;
	io->watching = true;
	io->alarmed |= !cancels && us != UINT_MAX;
	res = ublkev__io_enter(io);
	fake__point(FAKE_AT_SLEEP);
	run_more(io);
	/* a submission that was cut short is not followed by a sleep */
	if (res >= 0 && !cancels && !io->nr_sqes && !io->nr_cqes &&
	    !watched_is_ready(io))
		doze(io);
	run_more(io);
	if (watched_is_ready(io))
		io->watching = false;
	fake__point(FAKE_AT_SLEPT);
	return res < 0 ? res : 1;
}

int ublkev__io_sleep(struct ublkev__io *io, unsigned int us)
{
	int res;

	fake_lock();
	res = sleep_now(io, us);
	fake_unlock(NULL);
	return res;
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
