/* SPDX-License-Identifier: BSD-2-Clause */
#include "ev/evlife.h"

#include <errno.h>
#include <string.h>

#include "backend/guard.h"
#include "ev/engine.h"
#include "ev/evloop.h"
#include "ev/evpump.h"

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

static void look_at_answer(struct ublkev__engine *e,
			   struct ublkev__control_done *done)
{
	struct ublkev__ctl_answer *a = &done->answer;

	if (a->res < 0)
		return;
	if (done->cmd == UBLKEV__CMD_ADD_DEV)
		e->log.id = a->info.id;
	else if (done->cmd == UBLKEV__CMD_GET_FEATURES &&
		 e->mode == UBLKEV__CTL_ADD)
		log_missing(e, a->features);
	else if (done->cmd == UBLKEV__CMD_GET_PARAMS)
		a->res = check_params(e, &done->params);
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

/* ---- actions ------------------------------------------------------------- */

static void open_ublkc(struct ublkev__engine *e)
{
	const struct ublkev__devinfo *info = &e->ctl.info;
	enum ublkev__copy copy = ublkev__copy_of(info->features);
	bool no_data = e->ctl.traits & UBLKEV__NO_DATA;
	unsigned int i;
	int err = 0;

	if (!e->queues)
		err = ublkev__engine_set_up(e, info->queues, info->depth,
					    info->max_io_bytes);
	if (!err && copy == UBLKEV__COPY_PLAIN)
		err = ublkev__io_need_bufs(e->lane.io);
	if (!err)
		err = ublkev__io_open(e->lane.io, info->id, info->queues,
				      info->depth, info->features);
	if (!err) {
		e->nr_queues = info->queues;
		e->lane.nr_queues = info->queues;
		ublkev__pump_set_bufs(&e->lane);
		for (i = 0; i < e->nr_queues; i++)
			ublkev__queue_set_copy(&e->queues[i], copy, no_data);
	}
	ublkev__ctl_opened(&e->ctl, err, ublkev__clock_ms());
}

static void arm(struct ublkev__lane *l, bool unprivileged)
{
	unsigned int i;

	for (i = 0; i < l->nr_queues; i++) {
		ublkev__queue_arm(&l->queues[i]);
		ublkev__pump_out(l, &l->queues[i]);
	}
	if (unprivileged)
		ublkev__pump_enter(l, ublkev__io_enter_unprivileged);
}

static void abort_io(struct ublkev__lane *l)
{
	unsigned int i, n = 0;

	for (i = 0; i < l->nr_queues; i++)
		n += ublkev__queue_abort(&l->queues[i]);
	ublkev__log(&l->e->log, LOG_WARNING,
		    "requests are failed from now on, %u of them taken from the backend",
		    n);
}

static void close_io(struct ublkev__engine *e)
{
	unsigned int i;

	if (!e->drained)
		ublkev__log(&e->log, LOG_WARNING,
			    "the device is closed with requests in it");
	for (i = 0; i < e->nr_queues; i++)
		ublkev__queue_kill(&e->queues[i]);
	ublkev__io_close(e->lane.io, e->drained);
	e->lane.tag_died = e->tag_died = true;
	e->lane.drained = e->drained = true;
	ublkev__ctl_closed(&e->ctl, ublkev__clock_ms());
}

/*
 * A resize may move the backend's memory, of which the driver may have
 * addresses: for copies that it does when the command is submitted, or, in
 * older kernels, when the task work is run that the command has made.
 */
int ublkev__life_resize(struct ublkev__engine *e, uint64_t dev_bytes)
{
	ublkev__pump_enter(&e->lane, ublkev__io_enter);
	ublkev__pump_enter(&e->lane, ublkev__io_enter);
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
	if (a->revents == UBLKEV_RESIZED)
		end_resize(e, a->res);
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
		arm(&e->lane, ublkev__ctl_hides_privilege(&e->ctl));
		break;
	case UBLKEV__CTL_ABORT_IO:
		abort_io(&e->lane);
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

bool ublkev__life_act(struct ublkev__engine *e)
{
	struct ublkev__ctl_action a;

	while (ublkev__ctl_next(&e->ctl, &a))
		if (act(e, &a))
			return false;
	return true;
}
