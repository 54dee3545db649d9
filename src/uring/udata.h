/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * udata.h - packs into an SQE's user_data what its completion is about
 *
 *	 63        62       61 .. 32   31 .. 16   15 .. 0
 *	 eventfd   batch    0          queue      tag, or 1: FETCH
 *
 * sqe.c packs it, io.c and batch.c unpack it.
 */
#ifndef UBLKEV_URING_UDATA_H
#define UBLKEV_URING_UDATA_H

#include <stdbool.h>
#include <stdint.h>

#define UDATA_EVENTFD (UINT64_C(1) << 63)

#define UDATA_BATCH (UINT64_C(1) << 62)

static inline uint64_t udata_batch(unsigned int queue, bool fetch)
{
	return UDATA_BATCH | (uint64_t)queue << 16 | fetch;
}

static inline bool udata_is_fetch(uint64_t udata)
{
	return udata & 1;
}

static inline uint64_t udata_tag(unsigned int queue, unsigned int tag)
{
	return (uint64_t)queue << 16 | tag;
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
