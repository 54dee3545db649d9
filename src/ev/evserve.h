/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evserve.h - a request with the backend, where a call of submit() is not all
 *
 * Parts of a round (evpump.c), by the lane's thread.
 */
#ifndef UBLKEV_EV_EVSERVE_H
#define UBLKEV_EV_EVSERVE_H

#include <stdbool.h>
#include <stdint.h>

#include <ublkev/backend.h>

#include "core/queue.h"

struct ublkev__lane;

/* the backend's answer, or the guard's; whether the backend got it */
static inline bool ublkev__serve_answer(struct ublkev__queue *q,
					struct ublkev__tag *t, uint64_t cookie,
					int res, bool rejected)
{
	if (rejected)
		ublkev__queue_refused(q, t, res);
	else if (res <= UBLKEV_DONE)
		ublkev__queue_done(q, cookie, res);
	else if (res == UBLKEV_AGAIN)
		ublkev__queue_again(q, t);
	return !rejected;
}

/*
 * Hands a request to the backend where the library has files to read and write
 * for it. Whether the backend got it.
 */
bool ublkev__serve_files(struct ublkev__lane *l, struct ublkev__queue *q,
			 struct ublkev__tag *t);

/*
 * Asks the backend where a ZONE_APPEND goes, and answers it if that fails.
 * Whether the backend has said it, and is to have the request now.
 */
__attribute__((cold))
bool ublkev__serve_append(struct ublkev__lane *l, struct ublkev__queue *q,
			  struct ublkev__tag *t);

/* Has it go on with a request that it answered AGAIN. Whether it got it. */
__attribute__((cold))
bool ublkev__serve_go_on(struct ublkev__lane *l, struct ublkev__queue *q,
			 struct ublkev__tag *t);

#endif
