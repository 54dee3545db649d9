/* SPDX-License-Identifier: BSD-2-Clause */
#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "core/life_priv.h"
#include "core/params.h"

/* between two attempts at what udev is still to allow */
#define UDEV_RETRY_MS 20

/* between two at a recovery: at first an upgrade may be waiting */
#define MIN_RECOVER_RETRY_MS 1
#define MAX_RECOVER_RETRY_MS 50

void ublkev__life_start(struct ublkev__life *c, enum ublkev__life_mode mode,
			uint64_t now_ms)
{
	assert(c->step == UBLKEV_STEP_IDLE);
	c->mode = mode;
	if (mode != UBLKEV__LIFE_REMOVE) {
		ublkev__life_enter(c, UBLKEV_STEP_FEATURES, now_ms,
				   now_ms + c->conf.cmd_timeout_ms);
		ublkev__life_command(c, UBLKEV__CTRL_GET_FEATURES, 0);
		return;
	}
	assert(c->conf.id >= 0);
	if (c->conf.flags & UBLKEV_CONF_UNPRIVILEGED)
		c->info.features = UBLKEV__F(UNPRIVILEGED_DEV);
	c->added = true;
	c->stopping = true;
	ublkev__life_begin_stop(c, now_ms);
	ublkev__life_enter(c, UBLKEV_STEP_STOP, now_ms, c->stop_deadline_ms);
	ublkev__life_command(c, UBLKEV__CTRL_STOP_DEV, 0);
}

static void up_step(struct ublkev__life *c, enum ublkev_step step,
		    enum ublkev__ctrl_cmd cmd, uint64_t now_ms)
{
	ublkev__life_enter(c, step, now_ms, now_ms + c->conf.cmd_timeout_ms);
	ublkev__life_command(c, cmd, 0);
}

static void up_open_ublkc(struct ublkev__life *c, uint64_t now_ms)
{
	ublkev__life_enter(c, UBLKEV_STEP_OPEN, now_ms,
			   now_ms + c->conf.cmd_timeout_ms);
	ublkev__life_do(c, UBLKEV__LIFE_OPEN);
}

/* ---- answers ------------------------------------------------------------ */

static int up_on_features(struct ublkev__life *c,
			  const struct ublkev__ctrl_answer *a, uint64_t now_ms)
{
	uint64_t features = a->features;
	int err;

	/*
	 * The command came with 6.5; an older kernel may be new enough. It
	 * looks for the device first (ublk_ctrl_uring_cmd()), which is none.
	 */
	if (a->res == -EOPNOTSUPP || a->res == -ENODEV)
		features = UBLKEV__F(CMD_IOCTL_ENCODE) |
			   UBLKEV__F(URING_CMD_COMP_IN_TASK);
	else if (a->res < 0)
		return a->res;
	c->kernel_features = features;
	if (c->mode == UBLKEV__LIFE_RECOVER) {
		if (!c->stopping)
			up_step(c, UBLKEV_STEP_INFO, UBLKEV__CTRL_GET_DEV_INFO,
				now_ms);
		return 0;
	}
	err = ublkev__features_choose(&c->conf, c->traits, features,
				      &c->info.features);
	if (!err && !c->stopping)
		up_step(c, UBLKEV_STEP_ADD, UBLKEV__CTRL_ADD_DEV, now_ms);
	return err;
}

/* the driver may give less than was asked for, never more or another id */
static int up_take_added(struct ublkev__life *c,
			 const struct ublkev__devinfo *got)
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

static int up_on_added(struct ublkev__life *c,
		       const struct ublkev__ctrl_answer *a, uint64_t now_ms)
{
	int err = a->res < 0 ? a->res : up_take_added(c, &a->info);

	if (!err && !c->stopping)
		up_step(c, UBLKEV_STEP_PARAMS, UBLKEV__CTRL_SET_PARAMS, now_ms);
	return err;
}

/* true: err may be mended by waiting, and the deadline allows it */
static bool up_try_again(struct ublkev__life *c, uint64_t ms, uint64_t now_ms)
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
static bool up_ask_cpus(struct ublkev__life *c,
			const struct ublkev__ctrl_answer *a, uint64_t now_ms)
{
	if (!(c->conf.flags & UBLKEV_CONF_QUEUE_THREADS) || c->stopping ||
	    a->res < 0 || c->asked_cpus == c->info.queues)
		return false;
	c->deadline_ms = now_ms + c->conf.cmd_timeout_ms;
	ublkev__life_command(c, UBLKEV__CTRL_GET_QUEUE_AFFINITY,
			     c->asked_cpus++);
	return true;
}

/* an ordinary user's commands are refused until udev has given him ublkc */
static int up_on_params(struct ublkev__life *c, enum ublkev__ctrl_cmd cmd,
			const struct ublkev__ctrl_answer *a, uint64_t now_ms)
{
	bool udev = cmd == UBLKEV__CTRL_SET_PARAMS &&
		    ublkev__life_uses(c, UBLKEV__F(UNPRIVILEGED_DEV)) &&
		    (a->res == -EACCES || a->res == -EPERM ||
		     a->res == -ENOENT);

	if (udev && up_try_again(c, UDEV_RETRY_MS, now_ms))
		return 0;
	if (cmd == UBLKEV__CTRL_SET_PARAMS && a->res < 0)
		return a->res;
	if (!up_ask_cpus(c, a, now_ms) && !c->stopping)
		up_open_ublkc(c, now_ms);
	return 0;
}

static int up_take_info(struct ublkev__life *c,
			const struct ublkev__devinfo *got)
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

static int up_on_info(struct ublkev__life *c, enum ublkev__ctrl_cmd cmd,
		      const struct ublkev__ctrl_answer *a, uint64_t now_ms)
{
	bool cpus = cmd == UBLKEV__CTRL_GET_QUEUE_AFFINITY;
	int err = a->res < 0 && !cpus ? a->res : 0;

	if (cmd == UBLKEV__CTRL_GET_DEV_INFO && !err)
		err = up_take_info(c, &a->info);
	if (err || c->stopping)
		return err;
	if (cmd == UBLKEV__CTRL_GET_DEV_INFO) {
		ublkev__life_command(c, UBLKEV__CTRL_GET_PARAMS, 0);
		return 0;
	}
	if (up_ask_cpus(c, a, now_ms))
		return 0;
	ublkev__life_enter(c, UBLKEV_STEP_RECOVER, now_ms,
			   now_ms + c->conf.recover_timeout_ms);
	ublkev__life_command(c, UBLKEV__CTRL_START_USER_RECOVERY, 0);
	return 0;
}

/* the driver has yet to see that the former server is gone, or it is not */
static int up_on_recover(struct ublkev__life *c,
			 const struct ublkev__ctrl_answer *a, uint64_t now_ms)
{
	uint64_t ms = (now_ms - c->since_ms) / 8;

	if (ms < MIN_RECOVER_RETRY_MS)
		ms = MIN_RECOVER_RETRY_MS;
	if (ms > MAX_RECOVER_RETRY_MS)
		ms = MAX_RECOVER_RETRY_MS;
	if (a->res == -EBUSY && up_try_again(c, ms, now_ms))
		return 0;
	if (a->res < 0)
		return a->res;
	c->added = true;
	if (!c->stopping)
		up_open_ublkc(c, now_ms);
	return 0;
}

static int up_on_started(struct ublkev__life *c,
			 const struct ublkev__ctrl_answer *a, uint64_t now_ms)
{
	if (a->res >= 0 && !c->stopping) {
		ublkev__life_enter(c, UBLKEV_STEP_LIVE, now_ms, UBLKEV__NEVER);
		ublkev__life_tell(c, UBLKEV_LIVE, 0);
	}
	return a->res < 0 ? a->res : 0;
}

int ublkev__life_up(struct ublkev__life *c, enum ublkev__ctrl_cmd cmd,
		    const struct ublkev__ctrl_answer *a, uint64_t now_ms)
{
	switch (c->step) {
	case UBLKEV_STEP_FEATURES:
		return up_on_features(c, a, now_ms);
	case UBLKEV_STEP_ADD:
		return up_on_added(c, a, now_ms);
	case UBLKEV_STEP_PARAMS:
		return up_on_params(c, cmd, a, now_ms);
	case UBLKEV_STEP_INFO:
		return up_on_info(c, cmd, a, now_ms);
	case UBLKEV_STEP_RECOVER:
		return up_on_recover(c, a, now_ms);
	default:
		return up_on_started(c, a, now_ms);
	}
}

void ublkev__life_retry(struct ublkev__life *c, uint64_t now_ms)
{
	c->retry_ms = UBLKEV__NEVER;
	if (c->step == UBLKEV_STEP_LIVE)
		ublkev__life_live_ask(c, now_ms);
	else if (c->step == UBLKEV_STEP_OPEN)
		ublkev__life_do(c, UBLKEV__LIFE_OPEN);
	else if (c->step == UBLKEV_STEP_PARAMS)
		ublkev__life_command(c, UBLKEV__CTRL_SET_PARAMS, 0);
	else
		ublkev__life_command(c, UBLKEV__CTRL_START_USER_RECOVERY, 0);
}

/* ---- ublkc -------------------------------------------------------------- */

static void up_start(struct ublkev__life *c, uint64_t now_ms)
{
	c->opened = true;
	c->armed = true;
	ublkev__life_enter(c, UBLKEV_STEP_START, now_ms,
			   now_ms + c->conf.start_timeout_ms);
	ublkev__life_do(c, UBLKEV__LIFE_ARM);
	ublkev__life_command(c, c->mode == UBLKEV__LIFE_RECOVER ?
			     UBLKEV__CTRL_END_USER_RECOVERY :
			     UBLKEV__CTRL_START_DEV, 0);
}

void ublkev__life_opened(struct ublkev__life *c, int err, uint64_t now_ms)
{
	assert(c->step == UBLKEV_STEP_OPEN);
	c->retry_ms = now_ms;	/* no attempt is out, should it go down now */
	if (c->stopping) {
		c->opened = !err;
		ublkev__life_unwind(c, now_ms);
	} else if (!err) {
		up_start(c, now_ms);
	} else if ((err != -ENOENT && err != -EACCES && err != -EBUSY) ||
		   !up_try_again(c, UDEV_RETRY_MS, now_ms)) {
		/* udev has finished, and any former holder let go by now */
		ublkev__life_fail(c, err, now_ms);
	}
}

bool ublkev__life_hides_privilege(const struct ublkev__life *c)
{
	return c->mode == UBLKEV__LIFE_ADD &&
	       ublkev__life_uses(c, UBLKEV__F(USER_RECOVERY)) &&
	       !(c->kernel_features & UBLKEV__F(NO_AUTO_PART_SCAN));
}
