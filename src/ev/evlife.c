/* SPDX-License-Identifier: BSD-2-Clause */
#include "ev/evlife.h"

#include <errno.h>
#include <string.h>

#include "backend/guard.h"
#include "ev/engine.h"
#include "ev/evloop.h"
#include "ev/evpump.h"
#include "ev/evworker.h"

static void own_params(const struct ublkev__engine *e,
		       struct ublkev__params *params)
{
	memset(params, 0, sizeof(*params));
	ublkev__params_make(params, &e->backend->limits,
			    e->ctl.info.max_io_bytes);
}

static void command(struct ublkev__engine *e,
		    const struct ublkev__ctl_action *a)
{
	struct ublkev__control_req req = {
		.cmd = a->cmd,
		.info = e->ctl.info,
		.data = a->data,
	};
	struct ublkev__ctl_answer failed = { 0 };

	if (a->cmd == UBLKEV__CMD_SET_PARAMS)
		own_params(e, &req.params);
	ublkev__log(&e->log, LOG_DEBUG, "%s", ublkev__cmd_name(a->cmd));
	failed.res = ublkev__control_submit(e->control, &req);
	if (failed.res)
		ublkev__ctl_cmd_done(&e->ctl, a->cmd, &failed,
				     ublkev__clock_ms());
}

/* before the core refuses to go on without them */
static void log_missing(struct ublkev__engine *e, uint64_t offered)
{
	uint64_t missing = ublkev__features_needed(&e->conf) & ~offered;
	unsigned int bit;

	for (bit = 0; bit < UBLKEV__NR_FEATURES; bit++)
		if (missing >> bit & 1)
			ublkev__log(&e->log, LOG_ERR,
				    "this kernel's ublk has no %s",
				    ublkev_feature_name(bit));
}

/* a device that is recovered has to be the backend's */
static int check_params(struct ublkev__engine *e,
			const struct ublkev__params *params)
{
	struct ublkev__params own;
	const char *what;

	own_params(e, &own);
	what = ublkev__params_misfit(&own, params);
	if (!what)
		return 0;
	ublkev__log(&e->log, LOG_ERR,
		    "the device was made with another %s than the backend's",
		    what);
	return -EINVAL;
}

static void take_cpus(struct ublkev__engine *e,
		      const struct ublkev__control_done *done)
{
	unsigned int queue = e->ctl.asked_cpus - 1;

	if (done->answer.res < 0)
		ublkev__log(&e->log, LOG_NOTICE,
			    "the CPUs of queue %u are not known: %d", queue,
			    done->answer.res);
	else
		ublkev__workers_pin(e, queue, &done->cpus);
}

static int set_up(struct ublkev__engine *e)
{
	const struct ublkev__devinfo *info = &e->ctl.info;

	return ublkev__engine_set_up(e, info->queues, info->depth,
				     info->max_io_bytes);
}

static void look_at_answer(struct ublkev__engine *e,
			   struct ublkev__control_done *done)
{
	struct ublkev__ctl_answer *a = &done->answer;

	if (done->cmd == UBLKEV__CMD_GET_QUEUE_AFFINITY)
		take_cpus(e, done);
	if (a->res < 0)
		return;
	if (done->cmd == UBLKEV__CMD_ADD_DEV)
		e->log.id = a->info.id;
	else if (done->cmd == UBLKEV__CMD_GET_FEATURES &&
		 e->mode == UBLKEV__CTL_ADD)
		log_missing(e, a->features);
	else if (done->cmd == UBLKEV__CMD_GET_PARAMS)
		a->res = check_params(e, &done->params);
	/* threads are there before it is asked where they are to run */
	if (done->cmd == UBLKEV__CMD_GET_PARAMS && !a->res &&
	    e->conf.flags & UBLKEV_CONF_QUEUE_THREADS)
		a->res = set_up(e);
}

void ublkev__life_answer(struct ublkev__engine *e)
{
	struct ublkev__control_done done;

	while (ublkev__control_reap(e->control, &done)) {
		ublkev__log(&e->log, LOG_DEBUG, "%s: %d",
			    ublkev__cmd_name(done.cmd), done.answer.res);
		look_at_answer(e, &done);
		if (ublkev__ctl_cmd_done(&e->ctl, done.cmd, &done.answer,
					 ublkev__clock_ms()))
			ublkev__log(&e->log, LOG_ERR,
				    "%s was answered with %d, but not asked",
				    ublkev__cmd_name(done.cmd),
				    done.answer.res);
	}
}

/* ---- facts --------------------------------------------------------------- */

void ublkev__life_tag_died(struct ublkev__engine *e)
{
	if (!e->tag_died)
		ublkev__ctl_tag_died(&e->ctl, ublkev__clock_ms());
	e->tag_died = true;
}

void ublkev__life_drained(struct ublkev__engine *e)
{
	e->drained = true;
	ublkev__ctl_drained(&e->ctl, ublkev__clock_ms());
}

void ublkev__life_fault(struct ublkev__engine *e, int err)
{
	ublkev__ctl_fault(&e->ctl, err, ublkev__clock_ms());
}

/* requests may still come to a lane that has none, unless that is over */
static bool waits_for_idle(const struct ublkev__ctl *c)
{
	return c->step == UBLKEV_STEP_QUIESCE && c->kept &&
	       c->pending == UBLKEV__CMD_NONE;
}

bool ublkev__life_is_idle(const struct ublkev__engine *e)
{
	if (!waits_for_idle(&e->ctl))
		return false;
	return e->nr_workers ? ublkev__workers_told(e, UBLKEV__FACT_IDLE)
			     : ublkev__pump_idle(&e->lane);
}

void ublkev__life_look_idle(struct ublkev__engine *e)
{
	if (e->nr_workers && !e->asked_idle && waits_for_idle(&e->ctl)) {
		e->asked_idle = true;
		ublkev__workers_wish(e, UBLKEV__WISH_IDLE);
	}
	if (ublkev__life_is_idle(e))
		ublkev__ctl_idle(&e->ctl, ublkev__clock_ms());
}

/* ---- actions ------------------------------------------------------------- */

static void open_ublkc(struct ublkev__engine *e)
{
	const struct ublkev__devinfo *info = &e->ctl.info;
	enum ublkev__copy copy = ublkev__copy_of(info->features);
	bool no_data = e->ctl.traits & UBLKEV__NO_DATA;
	unsigned int i;
	int err = 0;

	if (!e->queues)
		err = set_up(e);
	if (!err && copy == UBLKEV__COPY_PLAIN && !e->nr_workers)
		err = ublkev__io_need_bufs(e->lane.io);
	if (!err)
		err = ublkev__io_open(e->lane.io, info->id, info->queues,
				      info->depth, info->features);
	if (!err && e->nr_workers)
		err = ublkev__workers_open(e, copy == UBLKEV__COPY_PLAIN);
	if (!err) {
		e->nr_queues = info->queues;
		if (!e->nr_workers)
			e->lane.nr_queues = info->queues;
		ublkev__pump_set_bufs(&e->lane);
		for (i = 0; i < e->nr_queues; i++)
			ublkev__queue_set_copy(&e->queues[i], copy, no_data);
	}
	ublkev__ctl_opened(&e->ctl, err, ublkev__clock_ms());
}

/*
 * The FETCHes are with the driver before any other command is sent. Linux
 * 6.12 loses a read of the partition scan if the server's last FETCH and its
 * death come between START_DEV's wait for that FETCH and the disk: then
 * START_DEV never ends, whoever sent it. And it takes FETCHes that come after
 * STOP_DEV, which nothing would end.
 */
void ublkev__life_arm(struct ublkev__lane *l, bool unprivileged)
{
	unsigned int i;

	for (i = 0; i < l->nr_queues; i++) {
		ublkev__queue_arm(&l->queues[i]);
		ublkev__pump_out(l, &l->queues[i]);
	}
	ublkev__pump_enter(l, unprivileged ? ublkev__io_enter_unprivileged
					   : ublkev__io_enter);
}

void ublkev__life_abort(struct ublkev__lane *l)
{
	unsigned int i, n = 0;

	for (i = 0; i < l->nr_queues; i++)
		n += ublkev__queue_abort(&l->queues[i]);
	ublkev__log(&l->e->log, LOG_WARNING,
		    "requests are failed from now on, %u of them taken from the backend",
		    n);
}

void ublkev__life_close(struct ublkev__lane *l)
{
	unsigned int i;

	if (l->nr_queues && !l->drained)
		ublkev__log(&l->e->log, LOG_WARNING,
			    "the device is closed with requests in it");
	for (i = 0; i < l->nr_queues; i++)
		ublkev__queue_kill(&l->queues[i]);
	ublkev__evloop_forget_ring(l);
	ublkev__io_close(l->io, l->drained);
	l->tag_died = true;
	l->drained = true;
}

void ublkev__life_closed(struct ublkev__engine *e)
{
	e->closed = true;
	ublkev__life_close(&e->lane);
	ublkev__ctl_closed(&e->ctl, ublkev__clock_ms());
}

/* rings first, each by its thread, then ublkc: one holds up the other's end */
static void close_io(struct ublkev__engine *e)
{
	e->tag_died = true;
	e->drained = true;
	e->closing = true;
	if (e->nr_workers)
		ublkev__workers_wish(e, UBLKEV__WISH_CLOSE);
	else
		ublkev__life_closed(e);
}

static void arm(struct ublkev__engine *e)
{
	bool hidden = ublkev__ctl_hides_privilege(&e->ctl);

	e->arming = e->nr_workers;
	if (e->nr_workers)
		ublkev__workers_wish(e, hidden ? UBLKEV__WISH_ARM_HIDDEN
					       : UBLKEV__WISH_ARM);
	else
		ublkev__life_arm(&e->lane, hidden);
}

static void abort_io(struct ublkev__engine *e)
{
	if (e->nr_workers)
		ublkev__workers_wish(e, UBLKEV__WISH_ABORT);
	else
		ublkev__life_abort(&e->lane);
}

static bool all_held(struct ublkev__engine *e)
{
	if (!e->nr_workers)
		return true;
	if (!e->holding)
		ublkev__workers_wish(e, UBLKEV__WISH_HOLD);
	e->holding = true;
	return ublkev__workers_told(e, UBLKEV__FACT_HELD |
				       UBLKEV__FACT_CLOSED);
}

static void resume(struct ublkev__engine *e)
{
	if (e->holding)
		ublkev__workers_resume(e);
	e->holding = false;
}

int ublkev__life_resize(struct ublkev__engine *e, uint64_t dev_bytes)
{
	ublkev__pump_settle(&e->lane);
	return ublkev__guard_resize(e->backend, dev_bytes);
}

/* a backend grew before its device, and shrinks after it */
static void end_resize(struct ublkev__engine *e, int res)
{
	bool grew = e->resize_bytes > e->old_bytes;
	int err = 0;

	if (res && grew)
		err = ublkev__life_resize(e, e->old_bytes);
	else if (!res && !grew)
		err = ublkev__life_resize(e, e->resize_bytes);
	if (err)
		ublkev__log(&e->log, LOG_WARNING,
			    "the backend did not shrink: %d", err);
	e->resize_bytes = 0;
}

/* commands wait for the threads to have sent their FETCHes, or failed */
static bool may_command(struct ublkev__engine *e)
{
	if (e->arming && ublkev__workers_told(e, UBLKEV__FACT_ARMED |
						 UBLKEV__FACT_DRAINED))
		e->arming = false;
	return !e->arming;
}

/* whether it can be told by now; RESIZED comes after the backend's own */
static bool may_tell(struct ublkev__engine *e,
		     const struct ublkev__ctl_action *a)
{
	bool grew = e->resize_bytes > e->old_bytes;

	if (!e->nr_workers)
		return true;
	if (a->revents == UBLKEV_RESIZED && grew == !!a->res)
		return all_held(e);
	if (a->revents != UBLKEV_STOPPED)
		return true;
	if (!e->closing)
		ublkev__workers_wish(e, UBLKEV__WISH_CLOSE);
	e->closing = true;
	return ublkev__workers_told(e, UBLKEV__FACT_CLOSED);
}

/* true: that was the last one, and e is gone */
static bool tell(struct ublkev__engine *e, const struct ublkev__ctl_action *a)
{
	struct ublkev_dev *dev = e->dev;
	struct ev_loop *loop = e->lane.loop;
	bool last = a->revents == UBLKEV_STOPPED;

	dev->step = a->step;
	dev->id = e->ctl.info.id;
	dev->err = e->ctl.err;
	if (a->revents & (UBLKEV_RESIZED | UBLKEV_REFUSED))
		dev->res = a->res;
	if (a->revents == UBLKEV_RESIZED) {
		end_resize(e, a->res);
		resume(e);
	}
	if (a->revents == UBLKEV_LIVE && e->nr_workers)
		ublkev__workers_wish(e, UBLKEV__WISH_LIVE);
	if (last) {
		ublkev__evloop_stop(&e->lane);
		ublkev__engine_down(e);
		e->lane.pumping = false;
		dev->active = 0;
	}
	dev->cb(loop, dev, a->revents);
	return last;
}

static bool act(struct ublkev__engine *e, const struct ublkev__ctl_action *a)
{
	switch (a->act) {
	case UBLKEV__CTL_CMD:
		command(e, a);
		break;
	case UBLKEV__CTL_CANCEL:
		ublkev__log(&e->log, LOG_DEBUG, "cancelling %s",
			    ublkev__cmd_name(a->cmd));
		ublkev__control_cancel(e->control);
		break;
	case UBLKEV__CTL_OPEN:
		open_ublkc(e);
		break;
	case UBLKEV__CTL_ARM:
		arm(e);
		break;
	case UBLKEV__CTL_ABORT_IO:
		abort_io(e);
		break;
	case UBLKEV__CTL_CLOSE:
		close_io(e);
		break;
	case UBLKEV__CTL_EVENT:
		return tell(e, a);
	case UBLKEV__CTL_NONE:
		break;
	}
	return false;
}

void ublkev__life_grow(struct ublkev__engine *e)
{
	e->growing = true;
	(void)all_held(e);
}

/* the threads are out of the backend: a resize begins, if it still may */
static void grow(struct ublkev__engine *e)
{
	struct ublkev__ctl_action a = {
		.act = UBLKEV__CTL_EVENT,
		.revents = UBLKEV_RESIZED,
		.step = e->ctl.step,
	};
	uint64_t sectors = e->resize_bytes >> 9;

	e->growing = false;
	a.res = ublkev__ctl_can_resize(&e->ctl) ? -ECANCELED :
		ublkev__life_resize(e, e->resize_bytes);
	if (!a.res) {
		resume(e);
		ublkev__ctl_resize(&e->ctl, sectors, ublkev__clock_ms());
		return;
	}
	e->resize_bytes = e->old_bytes;
	(void)tell(e, &a);
}

bool ublkev__life_act(struct ublkev__engine *e)
{
	struct ublkev__ctl_action *a = &e->action;

	e->blocked = false;
	if (e->growing && all_held(e))
		grow(e);
	while (e->has_action || ublkev__ctl_next(&e->ctl, a)) {
		e->has_action = true;
		if ((a->act == UBLKEV__CTL_EVENT && !may_tell(e, a)) ||
		    (a->act == UBLKEV__CTL_CMD && !may_command(e))) {
			e->blocked = true;
			return true;
		}
		e->has_action = false;
		if (act(e, a))
			return false;
	}
	return true;
}
