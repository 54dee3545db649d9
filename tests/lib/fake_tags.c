/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the fake driver does with the commands of tags, and holds a server to:
 * who may fetch and commit a tag, with which buffer, after which copy; and with
 * a tag of the server's when the device ends.
 */
#include <errno.h>
#include <string.h>

#include "fake_io_priv.h"

/* the driver copies a WRITE's data before it tells of the request */
static bool moves_itself(const struct fake_dev *d)
{
	return !fake__has(d, FAKE_F_NEED_GET_DATA | FAKE_F_USER_COPY);
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
	bool batch = fake__has(d, FAKE_F_BATCH_IO);
	unsigned int q, i;
	struct fake_tag *t;

	for (q = 0; q < d->info.queues; q++)
		for (i = 0; i < d->info.depth; i++) {
			t = &d->queues[q].tags[i];
			if (t->state != TAG_ARMED)
				continue;
			t->state = TAG_ABORTED;
			if (!batch)
				fake__work(t->io, q, i, -ENODEV);
		}
	for (q = 0; q < d->info.queues && batch; q++)
		end_fetch(d, q);
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
	struct fake_queue *q = &io->dev->queues[sqe->queue];
	struct fake_tag *t = &q->tags[sqe->tag];
	int err;

	check_buf(io, sqe);
	if (fake__rule(FAKE_FETCH, 0, &err)) {
		fake__post(io, sqe->queue, sqe->tag, err);
		return;
	}
	if (t->state != TAG_NONE)
		fake__violates("FETCH of a tag that was fetched");
	if (q->io && q->io != io && !fake__has(io->dev, FAKE_F_PER_IO_DAEMON))
		fake__violates("FETCH by another than the queue's daemon");
	q->io = io;
	t->io = io;
	t->buf = sqe->buf;
	t->slot = t->wants_slot = false;	/* it is another ring's */
	t->state = TAG_ARMED;
	io->dev->no_scan |= io->unprivileged;
	if (!io->dev->was_stopped)
		return;
	t->state = TAG_ABORTED;
	if (!fake__has(io->dev, FAKE_F_BATCH_IO))
		fake__post(io, sqe->queue, sqe->tag, -ENODEV);
	else
		end_fetch(io->dev, sqe->queue);
}

uint64_t fake_appended;

/*
 * ublk_batch_commit_io() gives pages back that were lent, and with them ends the
 * request, before it takes over where its data were appended (7.3.4): the bio is
 * told of the sector that it was sent with.
 */
static uint64_t append_told(const struct fake_dev *d,
			    const struct fake_req *req, bool lent,
			    uint64_t sector)
{
	return lent && fake__has(d, FAKE_F_BATCH_IO) ? req->offset >> 9
						     : sector;
}

/* ---- memory that clients share with the server ----------------------------- */

void fake__match(const struct fake_dev *d, struct fake_tag *t)
{
	const struct fake_memory *m = d->memory;
	const char *data = t->req->data;
	uint64_t at, i;

	t->shared = false;
	t->desc.addr = 0;
	if (!data || !fake.client_base || data < fake.client_base ||
	    data + t->req->len > fake.client_base + fake.client_bytes)
		return;
	at = (uint64_t)(data - fake.client_base);
	for (i = 0; i < UBLKEV__MAX_SHARED; i++, m++) {
		if (at < m->offset || at + t->req->len > m->offset + m->bytes ||
		    (m->read_only && (t->req->op_flags & 0xff) != FAKE_WRITE))
			continue;
		t->shared = true;
		t->desc.op_flags |= UBLKEV__DESC_SHMEM_ZC;
		t->desc.addr = i << 32 | (at - m->offset);
		return;
	}
}

/* blk_mq_freeze_queue(): nothing is begun until all that was has ended */
static bool freeze(struct fake_dev *d)
{
	unsigned int q, i;

	d->frozen = true;
	for (q = 0; q < d->info.queues; q++)
		for (i = 0; i < d->info.depth; i++)
			if (d->queues[q].tags[i].req ||
			    d->queues[q].tags[i].late)
				return false;
	return true;
}

static void thaw(struct fake_dev *d)
{
	unsigned int q, i;

	d->frozen = false;
	for (q = 0; q < d->info.queues; q++)
		for (i = 0; i < d->info.depth; i++)
			fake__feed(d, q, i);
}

int fake__reg_buf(struct fake_dev *d, const struct fake_cmd *c)
{
	unsigned int i = fake.first_number;

	if (!fake__has(d, FAKE_F_SHMEM_ZC))
		return -EOPNOTSUPP;
	if (!c->memory.base || !c->memory.bytes || c->memory.fd < 0)
		fake__violates("REG_BUF without memory");
	if (!freeze(d))
		return FAKE_WAITS;
	while (i < UBLKEV__MAX_SHARED && d->memory[i].bytes)
		i++;
	if (i < UBLKEV__MAX_SHARED)
		d->memory[i] = (struct fake_memory){
			.offset = c->memory.offset_bytes,
			.bytes = c->memory.bytes,
			.read_only = c->memory.read_only,
		};
	thaw(d);
	return (int)i;
}

int fake__unreg_buf(struct fake_dev *d, const struct fake_cmd *c)
{
	bool known = c->data < UBLKEV__MAX_SHARED && d->memory[c->data].bytes;

	if (!freeze(d))
		return FAKE_WAITS;
	if (known)
		memset(&d->memory[c->data], 0, sizeof(d->memory[0]));
	thaw(d);
	return known ? 0 : -ENOENT;
}

/* ---- commands of tags ------------------------------------------------------- */

static int answer_of(const struct fake_dev *d, const struct fake_tag *t,
		     const struct fake_req *req, bool lent,
		     const struct fake_sqe *sqe)
{
	uint32_t op = req->op_flags & 0xff;
	bool data = op == FAKE_READ || op == FAKE_WRITE ||
		    op == FAKE_ZONE_APPEND;

	if (sqe->result < 0)
		return sqe->result;
	if (op == FAKE_REPORT_ZONES ? (uint32_t)sqe->result < req->len :
	    (uint32_t)sqe->result != (data ? req->len : 0))
		fake__violates("a result that is neither whole nor an error");
	/* bi_sector of the bio, where its owner finds it */
	if (op == FAKE_ZONE_APPEND)
		fake_appended = append_told(d, req, lent, sqe->sector);
	if (op == FAKE_READ && req->data && !t->shared &&
	    !fake__has(d, FAKE_F_USER_COPY))
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
	bool lent = t->slot, late;
	int err;

	check_buf(io, sqe);
	if (t->io != io)
		fake__violates("COMMIT by another than who fetched");
	if (t->state != TAG_OWNED) {
		fake__violates(t->state == TAG_NEED_DATA ?
			       "COMMIT of a WRITE whose data were not taken" :
			       "COMMIT of a tag that is not owned");
		return;
	}
	if (fake__has(d, FAKE_F_NEED_GET_DATA) && is_op(req, FAKE_READ) && !sqe->buf)
		fake__violates("COMMIT of a READ without an address");
	if (fake__has(d, FAKE_F_USER_COPY) && sqe->result > 0 && !fake.no_data &&
	    !t->copied)
		fake__violates("COMMIT before the data were copied");
	if (fake__rule(FAKE_COMMIT, 0, &err)) {
		fake__post(io, sqe->queue, sqe->tag, err);
		return;
	}
	t->req = NULL;
	late = fake__late(io, sqe->queue, sqe->tag);
	if (fake__has(d, FAKE_F_AUTO_BUF_REG))
		t->slot = false;
	t->buf = sqe->buf;
	/* no command is with the driver any more that could bring another */
	t->state = d->queues[sqe->queue].fetch_ended ? TAG_ABORTED : TAG_ARMED;
	if (late && sqe->result >= 0)
		fake__violates("answered before its files were");
	/* as long as somebody has its pages, be it the ring's table */
	if (late || t->slot) {
		t->late = req;
		t->late_res = sqe->result;
		return;
	}
	fake__answer(d, req, answer_of(d, t, req, lent, sqe));
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

/* ublk_check_ubuf_dir() */
static bool may_copy(const struct fake_req *req, bool in)
{
	return in ? is_op(req, FAKE_WRITE) || is_op(req, FAKE_ZONE_APPEND)
		  : is_op(req, FAKE_READ) || is_op(req, FAKE_REPORT_ZONES);
}

/* a client's are behind its data, as they are in the server's buffer */
static void copy_metadata(const struct ublkev__io *io,
			  const struct fake_req *req, const struct fake_sqe *sqe)
{
	char *ours = (char *)req->data + sqe->bytes;
	char *theirs = (char *)sqe->buf + sqe->bytes;
	size_t n;

	if (!req->data || !(req->op_flags & UBLKEV__DESC_INTEGRITY))
		return;
	if (!io->metadata_bytes) {
		fake__violates("a copy without the metadata");
		return;
	}
	n = sqe->bytes / io->metadata_interval_bytes * io->metadata_bytes;
	memcpy(sqe->in ? theirs : ours, sqe->in ? ours : theirs, n);
}

/* USER_COPY: ublkc is O_NONBLOCK, so done at once */
static void do_copy(struct ublkev__io *io, const struct fake_sqe *sqe)
{
	struct fake_tag *t = &io->dev->queues[sqe->queue].tags[sqe->tag];
	int err;

	if (t->state != TAG_OWNED || !may_copy(t->req, sqe->in)) {
		fake__violates("a copy for which there is no request");
		return;
	}
	if (sqe->bytes != t->req->len)
		fake__violates("a copy that is not the whole request");
	if (fake__rule(FAKE_COPY, 0, &err)) {
		fake__post(io, sqe->queue, sqe->tag, err);
		return;
	}
	if (t->shared)
		fake__violates("a copy of data that are shared");
	t->copied = true;
	copy_metadata(io, t->req, sqe);
	if (t->req->data && sqe->in)
		memcpy(sqe->buf, t->req->data, sqe->bytes);
	else if (t->req->data)
		memcpy(t->req->data, sqe->buf, sqe->bytes);
	fake__post(io, sqe->queue, sqe->tag, (int)sqe->bytes);
}

/*
 * AUTO_BUF_REG: the pages of a request that has data (ublk_rq_has_data()) get the
 * slot that its tag asked for
 */
static void lend(const struct fake_dev *d, struct fake_tag *t)
{
	int err;

	if (!fake__has(d, FAKE_F_AUTO_BUF_REG))
		return;
	t->slot = is_op(t->req, FAKE_READ) || is_op(t->req, FAKE_WRITE) ||
		  is_op(t->req, FAKE_ZONE_APPEND);
	if (!t->slot || !fake__rule(FAKE_LEND, 0, &err))
		return;
	t->slot = false;
	t->desc.op_flags |= UBLKEV__DESC_NEED_REG_BUF;
}

/* SUPPORT_ZERO_COPY: nobody hears of it but when it is refused */
static void do_slot(struct ublkev__io *io, const struct fake_sqe *sqe)
{
	struct fake_tag *t = &io->dev->queues[sqe->queue].tags[sqe->tag];
	bool fill = sqe->kind == SQE_FILL;
	int err = 0;

	if (t->state != TAG_OWNED)
		fake__violates("a slot for a tag that is not owned");
	else if (fill && !is_op(t->req, FAKE_READ) &&
		 !is_op(t->req, FAKE_WRITE))
		fake__violates("a slot for a request without data");
	if (fill && t->slot)
		fake__violates("pages put where others are");
	fake_counts.registers += fill;
	fake_counts.unregisters += !fill;
	if (fake__rule(fill ? FAKE_LEND : FAKE_UNLEND, 0, &err)) {
		/* the io takes the former, the latter is the tag's */
		if (fill)
			t->wants_slot = false;
		else
			fake__post(io, sqe->queue, sqe->tag, err);
		return;
	}
	if (!fill && !t->slot)
		fake__violates("pages taken from where none are");
	t->slot = fill;
}

/* ublk's task work: WRITE data goes to the server, then the completion */
void fake__run_one(struct ublkev__io *io, const struct ublkev__cqe *w)
{
	struct fake_tag *t;
	bool write;
	int res = w->res;
	int err;

	if (ublkev__cqe_is_file(w)) {
		fake__post(io, w->queue, w->tag, res);
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
			   fake__has(io->dev, FAKE_F_NEED_GET_DATA)) {
			t->state = TAG_NEED_DATA;
			res = 1;
		} else {
			t->state = TAG_OWNED;
			t->copied = t->shared;
			lend(io->dev, t);
			if (write && t->req->data && !t->shared &&
			    !fake__has(io->dev, FAKE_F_USER_COPY))
				memcpy(t->buf, t->req->data, t->req->len);
		}
	}
	fake__post(io, w->queue, w->tag, res);
}

void fake__io_cmd(struct ublkev__io *io, const struct fake_sqe *sqe)
{
	if (sqe->kind == SQE_FETCH)
		do_fetch(io, sqe);
	else if (sqe->kind == SQE_COMMIT)
		do_commit(io, sqe);
	else if (sqe->kind == SQE_GET)
		do_get(io, sqe);
	else if (sqe->kind == SQE_FILL || sqe->kind == SQE_EMPTY)
		do_slot(io, sqe);
	else
		do_copy(io, sqe);
}
