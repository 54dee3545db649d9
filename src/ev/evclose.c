/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Closes a device's backend, the last but one of what its life asks for
 * (act.c): its threads are joined first, and what the pool still does for it is
 * waited for.
 */
#include "ev/evclose.h"

#include "backend/guard.h"
#include "ev/engine.h"
#include "ev/evloop.h"
#include "ev/evoffload.h"
#include "ev/evworker.h"
#include "util/check.h"
#include "util/thread.h"

static void close_on_end(void *owner)
{
	struct ublkev__engine *e = owner;

	ublkev__check(e->thread == ublkev__thread_self(),
		      "a backend is closed in the thread of the loop");
	ublkev__life_backend_closed(&e->life);
	ublkev__evloop_kick(&e->lane);
}

/*
 * The threads are out of the backend: joining them waits for their exit only.
 */
void ublkev__close_backend(struct ublkev__engine *e)
{
	ublkev__workers_join(e);
	/* its code may be at work in the pool: it is closed when that is back */
	if (ublkev__offload_ended(e) &&
	    ublkev__guard_begin_close(e->backend, close_on_end) !=
	    UBLKEV_LATER) {
		ublkev__life_backend_closed(&e->life);
		return;
	}
	e->closes_backend = e->backend->phase != UBLKEV__GUARD_CLOSING;
	ublkev__life_backend_closing(&e->life, ublkev__engine_now_ms(e));
}

bool ublkev__close_goes_on(const struct ublkev__engine *e)
{
	return e->closes_backend && ublkev__offload_ended(e);
}

void ublkev__close_backend_late(struct ublkev__engine *e)
{
	e->closes_backend = false;
	if (ublkev__guard_begin_close(e->backend, close_on_end) != UBLKEV_LATER)
		ublkev__life_backend_closed(&e->life);
}
