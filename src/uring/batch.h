/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * batch.h - BATCH_IO: commands about many tags of a queue at once
 *
 * Three commands a queue in place of two a tag: PREP arms all tags, once;
 * FETCH stays with the driver and completes again and again, each time with
 * a list of tags that have requests; COMMIT answers, and arms again, any
 * number of them. What is to be prepared or committed is gathered in
 * elements, of which one array at a time is with the driver.
 */
#ifndef UBLKEV_URING_BATCH_H
#define UBLKEV_URING_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include <liburing.h>

#include "uring/io.h"
#include "util/alloc.h"

enum ublkev__batch_addr {
	UBLKEV__BATCH_NO_ADDR,
	UBLKEV__BATCH_BUF,
	UBLKEV__BATCH_ZONE,	/* of a zoned device: where an append went */
};

struct ublkev__batch {		/* of one queue */
	char *elems;			/* [2 * depth]: those that are sent, and
					   those gathered meanwhile */
	uint16_t *tags;			/* FETCH writes here, nr_bufs parts */
	struct io_uring_buf_ring *bufs;
	unsigned int nr;		/* elements gathered */
	unsigned int sent;		/* so many of them the driver has */
	unsigned int pos;		/* tags already taken of a completion of
					   FETCH that is given again */
	uint16_t nr_bufs, queue;
	uint16_t slot;			/* of tag 0: see lends */
	uint8_t elem_bytes;
	uint8_t flags;			/* ABI_BATCH_*, of what elements have */
	bool lends;			/* pages to slots of the ring */
	bool prepared;			/* PREP succeeded */
	bool fetching;			/* FETCH is with the driver */
	bool ended;			/* FETCH was refused: there will be no
					   other one */
};

/*
 * Makes *b, which is all zeroes, ready for a queue and registers its buffers
 * with the ring. `addr` is what each element's has: the address of its tag's
 * buffer, as the driver wants it where it copies, or a sector (BATCH_ADDR_*). With a slot, not -1, each has that of
 * its tag, which is so many further on. Errors: -ENOMEM, those of
 * io_uring_register(2); what was made until then ublkev__batch_free() frees.
 */
int ublkev__batch_open(struct ublkev__batch *b, const struct ublkev__alloc *mem,
		       struct io_uring *ring, unsigned int queue,
		       unsigned int depth, enum ublkev__batch_addr addr,
		       int slot);

/* Called after the ring is closed: the kernel has the buffers until then. */
void ublkev__batch_free(struct ublkev__batch *b,
			const struct ublkev__alloc *mem);

/*
 * Gathers one more element, which tells the driver the result of a tag's
 * request and where the data of the next one go, or those of an append went. A tag has one at a time.
 */
void ublkev__batch_add(struct ublkev__batch *b, unsigned int tag, int result,
		       uint64_t addr);

/*
 * Whether a command is due: elements while none are sent, or a FETCH, which
 * waits for PREP, since the driver refuses it before (-ENODEV, of a device that
 * is recovered).
 */
static inline bool ublkev__batch_has_sqe(const struct ublkev__batch *b)
{
	return (b->nr && !b->sent) ||
	       (b->prepared && !b->fetching && !b->ended);
}

/* Fills an SQE with the command that is due. */
void ublkev__batch_sqe(struct ublkev__batch *b, struct io_uring_sqe *sqe);

/*
 * Translates a completion whose user_data is udata_batch() into completions of
 * tags, up to `max` (one at least) of them in v, and answers how many. When
 * *more is true, the caller has to give the same completion again, for the
 * tags that are left.
 */
unsigned int ublkev__batch_reap(struct ublkev__batch *b,
				const struct io_uring_cqe *cqe,
				struct ublkev__cqe *v, unsigned int max,
				bool *more);

#endif
