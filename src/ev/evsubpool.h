/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evsubpool.h - the memory of a lane's sub-requests, and their names
 *
 * It grows as far as there are sub-requests at a time, and stays so: then none is
 * allocated any more. By the C library's allocator, for the application's is for
 * the thread of its loop alone.
 *
 *	 63 .. 32                       31 .. 20   19 .. 0
 *	 a number of the backend's      thread     index
 */
#ifndef UBLKEV_EV_EVSUBPOOL_H
#define UBLKEV_EV_EVSUBPOOL_H

#include <stdint.h>

#include "ev/evsub.h"

static inline uint64_t ublkev__subpool_cookie(uint32_t number,
					      unsigned int thread,
					      uint32_t index)
{
	return (uint64_t)number << 32 | (uint64_t)thread << 20 | index;
}

static inline unsigned int ublkev__subpool_thread(uint64_t cookie)
{
	return (unsigned int)(cookie >> 20) & 0xfff;
}

/* One that is FREE, and its caller's. NULL: there is no memory, or too many. */
struct ublkev__sub *ublkev__subpool_get(struct ublkev__subs *v);
/* it is FREE once more */
void ublkev__subpool_put(struct ublkev__subs *v, struct ublkev__sub *s);

/* of that cookie; NULL: none that is not FREE */
struct ublkev__sub *ublkev__subpool_find(const struct ublkev__subs *v,
					 uint64_t cookie);
/* the i-th, FREE or not; NULL: there are not so many */
struct ublkev__sub *ublkev__subpool_nth(const struct ublkev__subs *v,
					unsigned int i);

#endif
