/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations on files, done to real files at once, or held until the test
 * lets them go.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_io_priv.h"

static int result(ssize_t n)
{
	return n < 0 ? -errno : (int)n;
}

static int run(const struct ublkev__fileop *op, size_t len)
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
		return result(fdatasync(op->fd));
	default:
		mode |= op->kind == UBLKEV__FILEOP_ZERO ?
			FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE;
		return result(fallocate(op->fd, mode, at,
					(off_t)op->len_bytes));
	}
}

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

	*at = f->next;
	fake__work(io, f->queue, f->tag, res);
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
	unsigned int name = UBLKEV__CQE_FILE | sqe->queue |
			    (unsigned int)op->piece << UBLKEV__CQE_PIECE_SHIFT;
	int res;

	if (op->kind == UBLKEV__FILEOP_CANCEL) {
		cancel(io, name, sqe->tag);
		return;
	}
	fake_counts.file_ops++;
	res = fake.file ? fake.file(op) : FAKE_FILE_DO;
	if (res == FAKE_FILE_HOLD) {
		hold(io, sqe, name);
		return;
	}
	if (res == FAKE_FILE_DO)
		res = run(op, (size_t)op->len_bytes);
	else if (res >= FAKE_FILE_SHORT)
		res = run(op, (size_t)(res - FAKE_FILE_SHORT));
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

unsigned int fake_file_go(int id, unsigned int n)
{
	FAKE_LOCKED;
	struct fake_dev *d = fake__dev(id);
	struct ublkev__io *io;
	unsigned int q, done = 0;

	for (q = 0; d && q < d->info.queues; q++) {
		io = d->queues[q].io;
		for (; io && io->ops && done < n; done++)
			unhold(io, &io->ops,
			       run(&io->ops->op,
				   (size_t)io->ops->op.len_bytes));
	}
	return done;
}

unsigned int fake_file_held(int id)
{
	FAKE_LOCKED;
	struct fake_dev *d = fake__dev(id);
	struct ublkev__io *last = NULL;
	const struct fake_fileop *f;
	unsigned int q, n = 0;

	for (q = 0; d && q < d->info.queues; q++) {
		if (!d->queues[q].io || d->queues[q].io == last)
			continue;
		last = d->queues[q].io;
		for (f = last->ops; f; f = f->next)
			n++;
	}
	return n;
}
