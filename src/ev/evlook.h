/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evlook.h - a deadline that queue threads have a part in
 *
 * What was there in time may lie in the ring of a queue thread that was starved
 * meanwhile, while the application's thread, whose clock it is, was not. So a
 * deadline that has passed is judged when the threads have looked: facts come
 * before the clock. Of one that does not come to it, it matters where it is:
 * our code takes no time of its own, so there it is starved, and waited for; if
 * it does not come back from the backend for a grace period, that is what the
 * deadline is for.
 */
#ifndef UBLKEV_EV_EVLOOK_H
#define UBLKEV_EV_EVLOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "ev/engine.h"

/*
 * Whether the life may be told what time it is; else the threads were asked to
 * look, and nothing is told until they have. Life's deadline may be a later one
 * after that: a thread that was late gets a grace period for what it found.
 */
bool ublkev__look_may_judge(struct ublkev__engine *e, uint64_t now_ms);

/* there is no deadline any more */
void ublkev__look_end(struct ublkev__engine *e);

/* when the engine is to look at its clock; UINT64_MAX: no need */
static inline uint64_t ublkev__look_deadline_ms(const struct ublkev__engine *e)
{
	return e->look_until_ms != UINT64_MAX ?
	       e->look_until_ms : ublkev__life_deadline_ms(&e->life);
}

#endif
