/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The backend's part of a resize, before the device's life is asked for its own
 * (UPDATE_SIZE) or after that has ended.
 */
#include "ev/evresize.h"

#include <errno.h>

#include "backend/guard.h"
#include "ev/engine.h"
#include "ev/evloop.h"
#include "ev/evpump.h"
#include "ev/evworker.h"
#include "uring/io.h"

/*
 * A resize may move the backend's memory, of which the driver may have
 * addresses: for copies that it does when the command is submitted, or, in
 * older kernels, when the task work is run that the command has made.
 */
void ublkev__resize_settle(struct ublkev__lane *l)
{
	ublkev__pump_enter(l, ublkev__io_enter);
	ublkev__pump_enter(l, ublkev__io_enter);
}

/* whether no thread is in the backend, which they are asked for */
static bool resize_hold(struct ublkev__engine *e)
{
	ublkev__threads_hold(&e->threads);
	ublkev__workers_do(e);
	return ublkev__threads_held(&e->threads);
}

static void resize_resume(struct ublkev__engine *e)
{
	ublkev__threads_resume(&e->threads);
	ublkev__workers_do(e);
}

/*
 * Commits that are queued may name addresses in the backend's memory, which
 * moves: they are with the driver, and copied, before that.
 */
static int resize_backend(struct ublkev__engine *e, uint64_t dev_bytes)
{
	ublkev__resize_settle(&e->lane);
	return ublkev__guard_resize(e->backend, dev_bytes);
}

/* in the pump's enter a fault may have shown: then life allows none any more */
static int resize_grow_now(struct ublkev__engine *e, uint64_t dev_bytes)
{
	uint64_t was_bytes = e->backend->limits.dev_bytes;
	int err = resize_backend(e, dev_bytes);

	ublkev__evloop_kick(&e->lane);
	if (err)
		return err;
	err = ublkev__life_can_resize(&e->life);
	/* what has just grown is empty, so there is little to be done */
	while (err && ublkev__guard_resize(e->backend, was_bytes) ==
		      UBLKEV_AGAIN)
		;
	return err;
}

static void resize_ask_life(struct ublkev__engine *e)
{
	e->resize = UBLKEV__RESIZE_ASKED;
	ublkev__life_resize(&e->life, e->resize_bytes >> 9,
			    ublkev__engine_now_ms(e));
}

static void resize_run_growth(struct ublkev__job *job)
{
	struct ublkev__growth *g = (struct ublkev__growth *)job;

	g->res = ublkev__guard_grow(g->backend, g->dev_bytes);
}

static int resize_start_growth(struct ublkev__engine *e, uint64_t dev_bytes)
{
	struct ublkev__growth *g = ublkev__offload_growth(e);
	int err;

	g->job.run = resize_run_growth;
	g->backend = e->backend;
	g->dev_bytes = dev_bytes;
	e->grown = false;
	err = ublkev__offload_start(&e->lane, &g->job);
	if (!err)
		e->resize = UBLKEV__RESIZE_GROWS;
	return err;
}

int ublkev__resize_begin(struct ublkev__engine *e, uint64_t dev_bytes)
{
	uint64_t now_bytes = e->backend->limits.dev_bytes;
	bool grows = dev_bytes > now_bytes;
	int err = 0;

	if (grows && e->backend->ops.grow)
		err = resize_start_growth(e, dev_bytes);
	else if (grows && !e->nr_workers)
		err = resize_grow_now(e, dev_bytes);
	if (err)
		return err;
	e->resize_bytes = dev_bytes;
	e->old_bytes = now_bytes;
	if (e->resize == UBLKEV__RESIZE_GROWS)
		return 0;
	if (grows && e->nr_workers) {
		e->resize = UBLKEV__RESIZE_HOLDS;
		(void)resize_hold(e);
	} else {
		resize_ask_life(e);
	}
	ublkev__evloop_kick(&e->lane);
	return 0;
}

bool ublkev__resize_grows_on(const struct ublkev__engine *e)
{
	return e->resize == UBLKEV__RESIZE_GROWS &&
	       (e->grown || ublkev__life_can_resize(&e->life));
}

/* of a thread that is still at it, when the device ends, nothing is asked */
static int resize_take_growth(struct ublkev__engine *e)
{
	const struct ublkev__growth *g = ublkev__offload_growth(e);
	int err = -ECANCELED;

	if (e->grown)
		err = g->job.dropped ? -ECANCELED :
		      ublkev__guard_grown(e->backend, g->res);
	if (!err)
		e->resize = UBLKEV__RESIZE_HOLDS;
	return err;
}

int ublkev__resize_grow(struct ublkev__engine *e)
{
	int err;

	if (e->resize == UBLKEV__RESIZE_GROWS) {
		err = resize_take_growth(e);
		if (err)
			return err;
	}
	if (!resize_hold(e))
		return 0;
	/* while threads were waited for, the device may have begun to end */
	if (ublkev__life_can_resize(&e->life))
		return -ECANCELED;
	err = resize_backend(e, e->resize_bytes);
	if (err)
		return err;
	resize_resume(e);
	resize_ask_life(e);
	return 0;
}

/*
 * To what size the backend has to come before RESIZED is told; 0: it has it.
 * Where the driver has not answered, it may still do either: the backend keeps
 * the larger size.
 */
static uint64_t resize_bytes_after(const struct ublkev__engine *e, int res)
{
	if (e->resize_bytes > e->old_bytes)
		return res && res != -ETIMEDOUT ? e->old_bytes : 0;
	return res ? 0 : e->resize_bytes;
}

/*
 * Between two pieces the threads go on. What the device is to do next does not
 * wait for the rest.
 */
bool ublkev__resize_end(struct ublkev__engine *e, int res)
{
	uint64_t dev_bytes = resize_bytes_after(e, res);
	int err;

	e->resize = UBLKEV__RESIZE_ASKED;
	if (!dev_bytes || !resize_hold(e))
		return !dev_bytes;
	err = resize_backend(e, dev_bytes);
	if (err == UBLKEV_AGAIN && !ublkev__life_has_work(&e->life)) {
		e->resize = UBLKEV__RESIZE_CUTS;
		resize_resume(e);
		return false;
	}
	if (err)
		ublkev__log(&e->log, LOG_WARNING,
			    "the backend did not shrink: %d",
			    err == UBLKEV_AGAIN ? -ECANCELED : err);
	return true;
}

void ublkev__resize_told(struct ublkev__engine *e)
{
	e->resize = UBLKEV__RESIZE_NONE;
	resize_resume(e);
}
