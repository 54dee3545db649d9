/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations on files, done to real files at once, or held until the test
 * lets them go.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_io_priv.h"

static int result(ssize_t n)
{
	return n < 0 ? -errno : (int)n;
}

static int run_here(const struct ublkev__fileop *op, size_t len)
{
	off_t at = (off_t)op->offset_bytes;
	int mode = FALLOC_FL_KEEP_SIZE;

	switch (op->kind) {
	case UBLKEV__FILEOP_READ:
		return result(pread(op->fd, op->addr, len, at));
	case UBLKEV__FILEOP_WRITE:
	case UBLKEV__FILEOP_WRITE_SYNC:
		return result(pwrite(op->fd, op->addr, len, at));
	case UBLKEV__FILEOP_SYNC:
		/* a disk's time, for what no test could see */
		return result(fcntl(op->fd, F_GETFL) < 0 ? -1 : 0);
	case UBLKEV__FILEOP_DISCARD:
		fake_counts.discards++;
		return -EOPNOTSUPP;	/* a regular file */
	case UBLKEV__FILEOP_ALLOCATE:
		return result(fallocate(op->fd, (int)op->mode, at,
					(off_t)op->len_bytes));
	default:
		mode |= op->kind == UBLKEV__FILEOP_ZERO ?
			FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE;
		return result(fallocate(op->fd, mode, at,
					(off_t)op->len_bytes));
	}
}

/* ---- the driver's pages -------------------------------------------------- */

static struct fake_tag *tag_of(const struct ublkev__io *io,
			       const struct fake_fileop *f)
{
	unsigned int queue = f->queue & ((1u << UBLKEV__CQE_PIECE_SHIFT) - 1);

	return &io->dev->queues[queue].tags[f->tag];
}

static bool reads(const struct ublkev__fileop *op)
{
	return op->kind == UBLKEV__FILEOP_READ ||
	       op->kind == UBLKEV__FILEOP_STORE ||
	       op->kind == UBLKEV__FILEOP_CLEAR;
}

/* what io_uring finds in the slot, and the driver in the tag */
static const struct fake_req *pages_of(const struct fake_tag *t,
				       const struct ublkev__fileop *op)
{
	const struct fake_req *req = t->req ? t->req : t->late;
	uint32_t kind = req ? req->op_flags & 0xff : FAKE_FLUSH;

	if (kind != (reads(op) ? FAKE_READ : FAKE_WRITE)) {
		fake__violates("pages of another sort of request");
		return NULL;
	}
	if (op->at_bytes + op->len_bytes > req->len) {
		fake__violates("pages beyond the request");
		return NULL;
	}
	return req;
}

/* of a request of the driver's own, which has none */
static char *data_at(const struct fake_req *req, uint32_t at, char *none)
{
	return req->data ? (char *)req->data + at : none;
}

static int run_lent(struct fake_tag *t, const struct ublkev__fileop *op,
		    size_t len)
{
	struct ublkev__fileop own = *op;
	const struct fake_req *req = pages_of(t, op);
	char *none;
	int res;

	if (!req)
		return -EFAULT;
	none = calloc(1, req->len);
	own.addr = data_at(req, op->at_bytes, none);
	t->copied = true;
	fake_counts.lent_ops++;
	res = run_here(&own, len);
	free(none);
	return res;
}

/* USER_COPY of a part */
static int run_part(struct fake_tag *t, const struct ublkev__fileop *op)
{
	const struct fake_req *req = pages_of(t, op);
	size_t len = (size_t)op->len_bytes;
	char *at;
	int err;

	if (!req || t->state != TAG_OWNED)
		return -EINVAL;
	if (fake__rule(FAKE_COPY, 0, &err))
		return err;
	t->copied = true;
	fake_counts.part_copies++;
	at = data_at(req, op->at_bytes, NULL);
	if (!at)
		return (int)len;
	if (op->kind == UBLKEV__FILEOP_FETCH)
		memcpy(op->addr, at, len);
	else if (op->kind == UBLKEV__FILEOP_STORE)
		memcpy(at, op->addr, len);
	else
		memset(at, 0, len);
	return (int)len;
}

static int run(const struct ublkev__io *io, const struct fake_fileop *f,
	       size_t len)
{
	if (f->op.kind >= UBLKEV__FILEOP_FETCH)
		return run_part(tag_of(io, f), &f->op);
	if (f->op.lent)
		return run_lent(tag_of(io, f), &f->op, len);
	return run_here(&f->op, len);
}

bool fake__late(const struct ublkev__io *io, unsigned int queue,
		unsigned int tag)
{
	unsigned int mask = (1u << UBLKEV__CQE_PIECE_SHIFT) - 1;
	const struct fake_fileop *f;

	for (f = io->ops; f; f = f->next)
		if (f->op.lent && (f->queue & mask) == queue && f->tag == tag)
			return true;
	return false;
}

void fake__end_late(struct fake_dev *d, unsigned int queue, unsigned int tag)
{
	struct fake_tag *t = &d->queues[queue].tags[tag];
	struct fake_req *req = t->late;

	t->late = NULL;
	if (!req)
		return;
	fake__answer(d, req, t->late_res);
	if (t->state == TAG_ARMED)
		fake__feed(d, queue, tag);
}

/* ---- what takes its time -------------------------------------------------- */

static void hold(struct ublkev__io *io, const struct fake_sqe *sqe,
		 unsigned int name)
{
	struct fake_fileop *f = calloc(1, sizeof(*f));
	struct fake_fileop **at = &io->ops;

	f->queue = name;
	f->tag = sqe->tag;
	f->op = sqe->op;
	while (*at)
		at = &(*at)->next;
	*at = f;
}

static void unhold(struct ublkev__io *io, struct fake_fileop **at, int res)
{
	struct fake_fileop *f = *at;

	unsigned int queue = f->queue & ((1u << UBLKEV__CQE_PIECE_SHIFT) - 1);

	*at = f->next;
	fake__work(io, f->queue, f->tag, res);
	if (io->dev && f->op.lent && !fake__late(io, queue, f->tag))
		fake__end_late(io->dev, queue, f->tag);
	free(f);
}

static void cancel(struct ublkev__io *io, unsigned int name, unsigned int tag)
{
	struct fake_fileop **at = &io->ops;

	fake_counts.file_cancels++;
	for (; *at && !fake.file_stuck; at = &(*at)->next)
		if ((*at)->queue == name && (*at)->tag == tag) {
			unhold(io, at, -ECANCELED);
			return;
		}
}

void fake__file(struct ublkev__io *io, const struct fake_sqe *sqe)
{
	const struct ublkev__fileop *op = &sqe->op;
	struct fake_fileop one;
	unsigned int name = UBLKEV__CQE_FILE | sqe->queue |
			    (unsigned int)op->piece << UBLKEV__CQE_PIECE_SHIFT;
	int res;

	if (op->kind == UBLKEV__FILEOP_CANCEL) {
		cancel(io, name, sqe->tag);
		return;
	}
	one = (struct fake_fileop){
		.queue = name, .tag = sqe->tag, .op = *op,
	};
	/* as io_uring finds it; AUTO_BUF_REG has told the server before */
	if (op->lent && !tag_of(io, &one)->slot &&
	    fake__has(io->dev, FAKE_F_ZERO_COPY)) {
		fake__post(io, name, sqe->tag, -EFAULT);
		return;
	}
	if (op->lent && !tag_of(io, &one)->slot) {
		fake__violates("pages that are in no slot");
		return;
	}
	/* done at once, as ublkc is O_NONBLOCK */
	if (op->kind >= UBLKEV__FILEOP_FETCH) {
		fake__post(io, name, sqe->tag, run_part(tag_of(io, &one), op));
		return;
	}
	fake_counts.file_ops++;
	res = fake.file ? fake.file(op) : FAKE_FILE_DO;
	if (res == FAKE_FILE_HOLD) {
		hold(io, sqe, name);
		return;
	}
	if (res == FAKE_FILE_DO)
		res = run(io, &one, (size_t)op->len_bytes);
	else if (res >= FAKE_FILE_SHORT)
		res = run(io, &one, (size_t)(res - FAKE_FILE_SHORT));
	fake__post(io, name, sqe->tag, res);
}

bool fake__file_holds(const struct ublkev__io *io, unsigned int queue,
		      unsigned int tag)
{
	unsigned int mask = (1u << UBLKEV__CQE_PIECE_SHIFT) - 1;
	const struct fake_fileop *f;

	for (f = io->ops; f; f = f->next)
		if ((f->queue & mask) == queue && f->tag == tag)
			return true;
	return false;
}

void fake__forget_files(struct ublkev__io *io)
{
	struct fake_fileop *f;

	while ((f = io->ops)) {
		io->ops = f->next;
		free(f);
	}
}

/* the next ring of the device's, each once in a look; *n: where it goes on */
static struct ublkev__io *next_io(const struct fake_dev *d, unsigned int *n,
				  unsigned int look)
{
	struct ublkev__io *io;

	for (; d && *n < d->info.queues * d->info.depth; ++*n) {
		io = d->queues[*n / d->info.depth].tags[*n % d->info.depth].io;
		if (!io || io->looked == look)
			continue;
		io->looked = look;
		return io;
	}
	return NULL;
}

static unsigned int looks;

unsigned int fake_file_go(int id, unsigned int n)
{
	FAKE_LOCKED;
	struct fake_dev *d = fake__dev(id);
	unsigned int at = 0, done = 0, look = ++looks;
	struct ublkev__io *io;

	while ((io = next_io(d, &at, look)))
		for (; io->ops && done < n; done++)
			unhold(io, &io->ops,
			       run(io, io->ops,
				   (size_t)io->ops->op.len_bytes));
	return done;
}

unsigned int fake_file_held(int id)
{
	FAKE_LOCKED;
	struct fake_dev *d = fake__dev(id);
	unsigned int at = 0, n = 0, look = ++looks;
	const struct fake_fileop *f;
	const struct ublkev__io *io;

	while ((io = next_io(d, &at, look)))
		for (f = io->ops; f; f = f->next)
			n++;
	return n;
}
