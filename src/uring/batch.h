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

struct ublkev__batch {		/* of one queue */
	char *elems;			/* [2 * depth] */
	uint16_t *tags;			/* where FETCH writes, bufs of them */
	struct io_uring_buf_ring *bufs;
	unsigned int nr;		/* elements gathered */
	unsigned int sent;		/* the first of them, to the driver */
	unsigned int pos;		/* tags of a completion taken before */
	uint16_t nr_bufs, queue;
	uint8_t elem_bytes;
	bool prepared;			/* PREP succeeded */
	bool fetching;			/* FETCH is with the driver */
	bool ended;			/* and will not be again */
};

/*
 * `addrs`: elements have an address, for the driver copies data. All zero
 * before. Errors: -ENOMEM, those of io_uring_register(2).
 */
int ublkev__batch_open(struct ublkev__batch *b, const struct ublkev__alloc *mem,
		       struct io_uring *ring, unsigned int queue,
		       unsigned int depth, bool addrs);

/* after the ring is closed; nothing when never opened */
void ublkev__batch_free(struct ublkev__batch *b,
			const struct ublkev__alloc *mem);

/* one more element */
void ublkev__batch_add(struct ublkev__batch *b, unsigned int tag, int result,
		       void *addr);

/* there is a command to be sent */
static inline bool ublkev__batch_has_sqe(const struct ublkev__batch *b)
{
	return (b->nr && !b->sent) ||
	       (b->prepared && !b->fetching && !b->ended);
}

/* fills an SQE with the next; there is one */
void ublkev__batch_sqe(struct ublkev__batch *b, struct io_uring_sqe *sqe);

/*
 * What a completion whose user_data is udata_batch() means for tags, up to
 * `max` (one at least) of them in v; how many. *more: the same completion is
 * to be given again, for the rest.
 */
unsigned int ublkev__batch_reap(struct ublkev__batch *b,
				const struct io_uring_cqe *cqe,
				struct ublkev__cqe *v, unsigned int max,
				bool *more);

#endif
