/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * io_priv.h - what the io's files know of an io
 */
#ifndef UBLKEV_URING_IO_PRIV_H
#define UBLKEV_URING_IO_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <liburing.h>

#include "uring/batch.h"
#include "uring/cdev.h"
#include "uring/iobuf.h"
#include "uring/ring.h"
#include "util/alloc.h"
#include "util/check.h"

struct ublkev__io {
	const struct ublkev__alloc *mem;
	struct ublkev__ring ring;
	struct ublkev__cdev cdev;
	struct ublkev__iobuf bufs;	/* of all tags, once they were needed */
	struct ublkev__iobuf spare;
	size_t nr_bufs;			/* that bufs has, or will have */
	uint32_t max_io_bytes;
	const struct ublkev__desc **descs;	/* desc_bytes from each other */
	size_t desc_bytes;
	uint64_t evfd_count;		/* where the eventfd is read to */
	size_t queue_bytes;		/* of a queue's buffers together */
	int evfd;
	bool by_ring;			/* the ring does not signal evfd */
	bool woken;			/* a read of evfd is queued */
	/* io_sleep.c */
	int watch_fd;			/* the loop's file; -1: no sleep */
	bool watching;			/* a poll of it is queued or with the
					   kernel */
	bool alarmed;			/* likewise a timeout */
	bool unwatching;		/* the end of these is queued */
	struct __kernel_timespec alarm;	/* of that timeout */

	bool files;			/* ublkc and evfd are registered */
	unsigned int ring_entries, ring_flags;	/* that the ring was opened with */
	bool apart;			/* ublkc and descs are another io's */
	bool dormant;			/* the ring is no thread's yet */
	bool user_copy;			/* the device has USER_COPY */
	bool zoned;			/* ZONED, and so USER_COPY */
	uint32_t metadata_bytes;	/* of each interval; 0: none */
	uint32_t metadata_interval_bytes;
	bool lends;			/* it has AUTO_BUF_REG */
	bool for_pages;			/* room for commands about slots */
	bool huge_bufs;			/* buffers have huge pages */
	bool by_hand;			/* there are, since it has not, but
					   SUPPORT_ZERO_COPY */
	bool *filled;			/* by_hand: whether a tag's slot is */
	unsigned int depth;		/* of a queue */
	void *zeroes;			/* of max_io_bytes, to be copied from:
					   where pages are lent, else NULL */
	bool for_files;			/* there may be operations on files */
	unsigned int nr_file_sqes;	/* since the SQ was empty */
	unsigned int most_file_sqes;	/* that no tag's command needs */
	unsigned int first;		/* number of the first queue */
	struct ublkev__batch *batch;	/* [nr_batch], of each queue; or NULL */
	unsigned int nr_batch;
};

/* There is room: the ring was made with an SQE for all that may be queued. */
static inline struct io_uring_sqe *io_get_sqe(struct ublkev__io *io)
{
	struct io_uring_sq *sq = &io->ring.u.sq;

	ublkev__check(sq->sqe_tail - *sq->khead < sq->ring_entries,
		      "a tag has one SQE at a time");
	return &sq->sqes[sq->sqe_tail++ & sq->ring_mask];
}

/*
 * Of the ring's table of buffers, where a tag's pages go. Tags beyond the
 * table's end have a slot that is not there, and so fall back; by_hand there are
 * none.
 */
static inline unsigned int io_slot_of(const struct ublkev__io *io,
				   unsigned int queue, unsigned int tag)
{
	return (queue - io->first) * io->depth + tag;
}

/*
 * The SQEs of batch mode, which carry the commits of all tags: to be called
 * after the copies that these commits follow were queued. What finds no SQE
 * waits for the next submission.
 */
static inline void io_batch_sqes(struct ublkev__io *io)
{
	struct ublkev__batch *b = io->batch;
	unsigned int i;

	for (i = 0; i < io->nr_batch; i++, b++)
		while (ublkev__batch_has_sqe(b) &&
		       io_uring_sq_space_left(&io->ring.u))
			ublkev__batch_sqe(b, io_get_sqe(io));
}

static inline struct ublkev__batch *io_batch_of(struct ublkev__io *io,
						unsigned int queue)
{
	return &io->batch[queue - io->first];
}

/* ---- io_slots.c ------------------------------------------------------- */

/*
 * Makes the table, empty, and what goes with it. Errors: -ENOMEM, those of
 * io_uring_register(2); free_slots undoes it in any case.
 */
int ublkev__io_make_slots(struct ublkev__io *io);
int ublkev__io_register_slots(struct ublkev__io *io);
void ublkev__io_free_slots(struct ublkev__io *io);
/* by_hand: queue the command, unless it was, or nothing is there */
void ublkev__io_fill_slot(struct ublkev__io *io, unsigned int queue,
			  unsigned int tag);
void ublkev__io_empty_slot(struct ublkev__io *io, unsigned int queue,
			   unsigned int tag);
/*
 * One came back with an error; true: the device is at fault, for it was that in
 * front of a tag's commit.
 */
bool ublkev__io_slot_refused(struct ublkev__io *io, uint64_t udata);

/* ---- io_sleep.c ------------------------------------------------------- */

/* a completion of what sleep has queued: its poll, or its alarm */
void ublkev__io_woke(struct ublkev__io *io, const struct io_uring_cqe *cqe);

/* The ring was closed, and what sleep had in it went with it. */
void ublkev__io_forget_sleep(struct ublkev__io *io);

#endif
