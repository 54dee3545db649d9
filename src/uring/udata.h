/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * udata.h - packs into an SQE's user_data what its completion is about
 *
 *	 63     62       61 .. 32    31 .. 16            15 .. 0
 *	 none   batch    0           queue               tag, or 1, 2: see below
 *	 none   0        slot, fill  queue               tag
 *	 0      0        0           file, piece, queue  tag
 *
 * Where it is an operation on a file, its bit and its piece are the upper four
 * bits of what is a queue's number otherwise, as in struct ublkev__cqe: so what
 * the driver completes is told from it by nobody who has not to.
 *
 * sqe.c packs it, io.c and batch.c unpack it.
 */
#ifndef UBLKEV_URING_UDATA_H
#define UBLKEV_URING_UDATA_H

#include <stdbool.h>
#include <stdint.h>

#include "uring/io.h"

/* nobody waits for it: the read of the eventfd, a cancel */
#define UDATA_NONE (UINT64_C(1) << 63)

/* of the poll and of the timeout that end a sleep */
#define UDATA_WATCH (UDATA_NONE | 1)
#define UDATA_ALARM (UDATA_NONE | 2)

/* a command that fills a slot of the ring's buffers, or empties it: refused */
#define UDATA_SLOT (UDATA_NONE | UINT64_C(1) << 61)
#define UDATA_FILL (UINT64_C(1) << 60)

#define UDATA_BATCH (UINT64_C(1) << 62)

static inline uint64_t udata_batch(unsigned int queue, bool fetch)
{
	return UDATA_BATCH | (uint64_t)queue << 16 | fetch;
}

/* it is about a request, and nothing else */
static inline bool udata_is_tag(uint64_t udata)
{
	return !(udata >> 62);
}

static inline bool udata_is_slot(uint64_t udata)
{
	return (udata & UDATA_SLOT) == UDATA_SLOT;
}

static inline bool udata_is_fill(uint64_t udata)
{
	return udata & UDATA_FILL;
}

static inline bool udata_is_fetch(uint64_t udata)
{
	return udata & 1;
}

static inline uint64_t udata_tag(unsigned int queue, unsigned int tag)
{
	return (uint64_t)queue << 16 | tag;
}

static inline uint64_t udata_slot(unsigned int queue, unsigned int tag,
				  bool fill)
{
	return UDATA_SLOT | (fill ? UDATA_FILL : 0) | udata_tag(queue, tag);
}

static inline uint64_t udata_file(unsigned int queue, unsigned int tag,
				  unsigned int piece)
{
	return udata_tag(UBLKEV__CQE_FILE | piece << UBLKEV__CQE_PIECE_SHIFT |
			 queue, tag);
}

static inline unsigned int udata_get_queue(uint64_t udata)
{
	return (unsigned int)(udata >> 16) & 0xffff;
}

static inline unsigned int udata_get_tag(uint64_t udata)
{
	return (unsigned int)udata & 0xffff;
}

#endif
