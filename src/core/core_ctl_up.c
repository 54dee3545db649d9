/* SPDX-License-Identifier: BSD-2-Clause */
#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "core/core_ctl_priv.h"
#include "core/core_params.h"

/* between two attempts at what udev is still to allow */
#define UDEV_RETRY_MS 20

/* between two at a recovery: at first an upgrade may be waiting */
#define MIN_RECOVER_RETRY_MS 1
#define MAX_RECOVER_RETRY_MS 50

void ublkev__ctl_start(struct ublkev__ctl *c, enum ublkev__ctl_mode mode,
		       uint64_t now_ms)
{
	assert(c->step == UBLKEV_STEP_IDLE);
	c->mode = mode;
	if (mode != UBLKEV__CTL_REMOVE) {
		ublkev__ctl_enter(c, UBLKEV_STEP_FEATURES, now_ms,
				  now_ms + c->conf.cmd_timeout_ms);
		ublkev__ctl_command(c, UBLKEV__CMD_GET_FEATURES, 0);
		return;
	}
	assert(c->conf.id >= 0);
	if (c->conf.flags & UBLKEV_CONF_UNPRIVILEGED)
		c->info.features = UBLKEV__F(UNPRIVILEGED_DEV);
	c->added = true;
	c->stopping = true;
	c->stop_deadline_ms = now_ms + c->conf.stop_timeout_ms;
	ublkev__ctl_enter(c, UBLKEV_STEP_STOP, now_ms, c->stop_deadline_ms);
	ublkev__ctl_command(c, UBLKEV__CMD_STOP_DEV, 0);
}

static void step(struct ublkev__ctl *c, enum ublkev_step step,
		 enum ublkev__cmd cmd, uint64_t now_ms)
{
	ublkev__ctl_enter(c, step, now_ms, now_ms + c->conf.cmd_timeout_ms);
	ublkev__ctl_command(c, cmd, 0);
}

static void open_ublkc(struct ublkev__ctl *c, uint64_t now_ms)
{
	ublkev__ctl_enter(c, UBLKEV_STEP_OPEN, now_ms,
			  now_ms + c->conf.cmd_timeout_ms);
	ublkev__ctl_do(c, UBLKEV__CTL_OPEN);
}

/* ---- answers ------------------------------------------------------------ */

static int on_features(struct ublkev__ctl *c,
		       const struct ublkev__ctl_answer *a, uint64_t now_ms)
{
	uint64_t features = a->features;
	int err;

	/* the command came with 6.5; an older kernel may be new enough */
	if (a->res == -EOPNOTSUPP)
		features = UBLKEV__F(CMD_IOCTL_ENCODE) |
			   UBLKEV__F(URING_CMD_COMP_IN_TASK);
	else if (a->res < 0)
		return a->res;
	c->kernel_features = features;
	if (c->mode == UBLKEV__CTL_RECOVER) {
		if (!c->stopping)
			step(c, UBLKEV_STEP_INFO, UBLKEV__CMD_GET_DEV_INFO,
			     now_ms);
		return 0;
	}
	err = ublkev__features_choose(&c->conf, c->traits, features,
				      &c->info.features);
	if (!err && !c->stopping)
		step(c, UBLKEV_STEP_ADD, UBLKEV__CMD_ADD_DEV, now_ms);
	return err;
}

/* the driver may give less than was asked for, never more or another id */
static int take_added(struct ublkev__ctl *c, const struct ublkev__devinfo *got)
{
	const struct ublkev__devinfo *asked = &c->info;
	uint64_t needed = ublkev__features_needed(&c->conf);

	if (got->id < 0 || got->id > UBLKEV__MAX_ID ||
	    (asked->id >= 0 && got->id != asked->id))
		return -EPROTO;
	c->info.id = got->id;
	c->info.features = got->features;
	c->added = true;
	if (!got->queues || got->queues > asked->queues ||
	    got->depth != asked->depth ||
	    got->max_io_bytes < UBLKEV__PAGE ||
	    got->max_io_bytes > asked->max_io_bytes ||
	    got->max_io_bytes % UBLKEV__PAGE)
		return -EPROTO;
	c->info = *got;
	return needed & ~got->features ? -EOPNOTSUPP : 0;
}

static int on_added(struct ublkev__ctl *c, const struct ublkev__ctl_answer *a,
		    uint64_t now_ms)
{
	int err = a->res < 0 ? a->res : take_added(c, &a->info);

	if (!err && !c->stopping)
		step(c, UBLKEV_STEP_PARAMS, UBLKEV__CMD_SET_PARAMS, now_ms);
	return err;
}

/* true: err may be mended by waiting, and the deadline allows it */
static bool try_again(struct ublkev__ctl *c, uint64_t ms, uint64_t now_ms)
{
	if (c->stopping || now_ms + ms >= c->deadline_ms)
		return false;
	c->retry_ms = now_ms + ms;
	return true;
}

/*
 * Where each queue is best served, if it has a thread. What can't be had is
 * done without, and no further queue asked for.
 */
static bool ask_cpus(struct ublkev__ctl *c, const struct ublkev__ctl_answer *a,
		     uint64_t now_ms)
{
	if (!(c->conf.flags & UBLKEV_CONF_QUEUE_THREADS) || c->stopping ||
	    a->res < 0 || c->asked_cpus == c->info.queues)
		return false;
	c->deadline_ms = now_ms + c->conf.cmd_timeout_ms;
	ublkev__ctl_command(c, UBLKEV__CMD_GET_QUEUE_AFFINITY,
			    c->asked_cpus++);
	return true;
}

/* an ordinary user's commands are refused until udev has given him ublkc */
static int on_params(struct ublkev__ctl *c, enum ublkev__cmd cmd,
		     const struct ublkev__ctl_answer *a, uint64_t now_ms)
{
	bool udev = cmd == UBLKEV__CMD_SET_PARAMS &&
		    ublkev__ctl_uses(c, UBLKEV__F(UNPRIVILEGED_DEV)) &&
		    (a->res == -EACCES || a->res == -EPERM ||
		     a->res == -ENOENT);

	if (udev && try_again(c, UDEV_RETRY_MS, now_ms))
		return 0;
	if (cmd == UBLKEV__CMD_SET_PARAMS && a->res < 0)
		return a->res;
	if (!ask_cpus(c, a, now_ms) && !c->stopping)
		open_ublkc(c, now_ms);
	return 0;
}

static int take_info(struct ublkev__ctl *c, const struct ublkev__devinfo *got)
{
	if (got->id != c->info.id || !got->queues ||
	    got->queues > UBLKEV__MAX_QUEUES || !got->depth ||
	    got->depth > UBLKEV__MAX_DEPTH ||
	    got->max_io_bytes < UBLKEV__PAGE)
		return -EPROTO;
	if (!(got->features & UBLKEV__F(USER_RECOVERY)) ||
	    !ublkev__features_servable(got->features) ||
	    got->queues * got->depth > UBLKEV__MAX_TAGS)
		return -EOPNOTSUPP;
	if (got->state == UBLKEV_STATE_DEAD)
		return -ENOTCONN;
	c->info = *got;
	return 0;
}

static int on_info(struct ublkev__ctl *c, enum ublkev__cmd cmd,
		   const struct ublkev__ctl_answer *a, uint64_t now_ms)
{
	bool cpus = cmd == UBLKEV__CMD_GET_QUEUE_AFFINITY;
	int err = a->res < 0 && !cpus ? a->res : 0;

	if (cmd == UBLKEV__CMD_GET_DEV_INFO && !err)
		err = take_info(c, &a->info);
	if (err || c->stopping)
		return err;
	if (cmd == UBLKEV__CMD_GET_DEV_INFO) {
		ublkev__ctl_command(c, UBLKEV__CMD_GET_PARAMS, 0);
		return 0;
	}
	if (ask_cpus(c, a, now_ms))
		return 0;
	ublkev__ctl_enter(c, UBLKEV_STEP_RECOVER, now_ms,
			  now_ms + c->conf.recover_timeout_ms);
	ublkev__ctl_command(c, UBLKEV__CMD_START_USER_RECOVERY, 0);
	return 0;
}

/* the driver has yet to see that the former server is gone, or it is not */
static int on_recover(struct ublkev__ctl *c,
		      const struct ublkev__ctl_answer *a, uint64_t now_ms)
{
	uint64_t ms = (now_ms - c->since_ms) / 8;

	if (ms < MIN_RECOVER_RETRY_MS)
		ms = MIN_RECOVER_RETRY_MS;
	if (ms > MAX_RECOVER_RETRY_MS)
		ms = MAX_RECOVER_RETRY_MS;
	if (a->res == -EBUSY && try_again(c, ms, now_ms))
		return 0;
	if (a->res < 0)
		return a->res;
	c->added = true;
	if (!c->stopping)
		open_ublkc(c, now_ms);
	return 0;
}

static int on_started(struct ublkev__ctl *c,
		      const struct ublkev__ctl_answer *a, uint64_t now_ms)
{
	if (a->res >= 0 && !c->stopping) {
		ublkev__ctl_enter(c, UBLKEV_STEP_LIVE, now_ms, UBLKEV__NEVER);
		ublkev__ctl_tell(c, UBLKEV_LIVE, 0);
	}
	return a->res < 0 ? a->res : 0;
}

int ublkev__ctl_up(struct ublkev__ctl *c, enum ublkev__cmd cmd,
		   const struct ublkev__ctl_answer *a, uint64_t now_ms)
{
	switch (c->step) {
	case UBLKEV_STEP_FEATURES:
		return on_features(c, a, now_ms);
	case UBLKEV_STEP_ADD:
		return on_added(c, a, now_ms);
	case UBLKEV_STEP_PARAMS:
		return on_params(c, cmd, a, now_ms);
	case UBLKEV_STEP_INFO:
		return on_info(c, cmd, a, now_ms);
	case UBLKEV_STEP_RECOVER:
		return on_recover(c, a, now_ms);
	default:
		return on_started(c, a, now_ms);
	}
}

void ublkev__ctl_retry(struct ublkev__ctl *c, uint64_t now_ms)
{
	(void)now_ms;
	c->retry_ms = UBLKEV__NEVER;
	if (c->step == UBLKEV_STEP_OPEN)
		ublkev__ctl_do(c, UBLKEV__CTL_OPEN);
	else if (c->step == UBLKEV_STEP_PARAMS)
		ublkev__ctl_command(c, UBLKEV__CMD_SET_PARAMS, 0);
	else
		ublkev__ctl_command(c, UBLKEV__CMD_START_USER_RECOVERY, 0);
}

/* ---- ublkc -------------------------------------------------------------- */

static void start(struct ublkev__ctl *c, uint64_t now_ms)
{
	c->opened = true;
	c->armed = true;
	ublkev__ctl_enter(c, UBLKEV_STEP_START, now_ms,
			  now_ms + c->conf.start_timeout_ms);
	ublkev__ctl_do(c, UBLKEV__CTL_ARM);
	ublkev__ctl_command(c, c->mode == UBLKEV__CTL_RECOVER ?
			    UBLKEV__CMD_END_USER_RECOVERY :
			    UBLKEV__CMD_START_DEV, 0);
}

void ublkev__ctl_opened(struct ublkev__ctl *c, int err, uint64_t now_ms)
{
	assert(c->step == UBLKEV_STEP_OPEN);
	c->retry_ms = now_ms;	/* no attempt is out, should it go down now */
	if (c->stopping) {
		c->opened = !err;
		ublkev__ctl_unwind(c, now_ms);
	} else if (!err) {
		start(c, now_ms);
	} else if ((err != -ENOENT && err != -EACCES && err != -EBUSY) ||
		   !try_again(c, UDEV_RETRY_MS, now_ms)) {
		/* udev has finished, and any former holder let go by now */
		ublkev__ctl_fail(c, err, now_ms);
	}
}

bool ublkev__ctl_hides_privilege(const struct ublkev__ctl *c)
{
	return c->mode == UBLKEV__CTL_ADD &&
	       ublkev__ctl_uses(c, UBLKEV__F(USER_RECOVERY)) &&
	       !(c->kernel_features & UBLKEV__F(NO_AUTO_PART_SCAN));
}
