/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asks the queue threads to look at what has come to them before a deadline of
 * the device's life is judged, and waits for that; see evlook.h.
 */
#include "ev/evlook.h"

#include "ev/evworker.h"

void ublkev__look_end(struct ublkev__engine *e)
{
	e->look_until_ms = UINT64_MAX;
	ublkev__threads_forget_look(&e->threads);
}

static void look_begin(struct ublkev__engine *e, uint64_t now_ms)
{
	e->look_since_ms = now_ms;
	e->look_until_ms = now_ms + e->conf.grace_ms;
	ublkev__threads_ask_look(&e->threads);
	ublkev__workers_do(e);
	(void)ublkev__workers_stay_in_backend(e);
}

/*
 * One is in vain that is in the backend at the end of a period as at its
 * begin, or had not come back by the last deadline and is there still.
 */
static bool look_is_in_vain(struct ublkev__engine *e, uint64_t now_ms)
{
	if (e->look_until_ms == UINT64_MAX)
		return ublkev__workers_stay_in_backend(e);
	if (now_ms < e->look_until_ms)
		return false;
	e->look_until_ms = now_ms + e->conf.grace_ms;
	return ublkev__workers_stay_in_backend(e);
}

bool ublkev__look_may_judge(struct ublkev__engine *e, uint64_t now_ms)
{
	bool late;

	if (!e->nr_workers)
		return true;
	if (now_ms < e->life.deadline_ms || look_is_in_vain(e, now_ms)) {
		ublkev__look_end(e);
		return true;
	}
	if (e->look_until_ms == UINT64_MAX)
		look_begin(e, now_ms);
	if (!ublkev__threads_looked(&e->threads))
		return false;
	late = now_ms - e->look_since_ms > UBLKEV__PACE_LATE_MS;
	ublkev__look_end(e);
	if (late && e->life.deadline_ms != e->look_given_ms) {
		e->look_given_ms = now_ms + e->conf.grace_ms;
		ublkev__life_postpone(&e->life, e->look_given_ms);
	}
	return true;
}
