/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/core_ctl.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "core/core_params.h"

#define NEVER UINT64_MAX

/* between two attempts to open ublkc: udev may be changing its owner */
#define OPEN_RETRY_MS 20

static void act(struct ublkev__ctl *c, enum ublkev__ctl_act what,
		enum ublkev__cmd cmd, int revents, enum ublkev_step step)
{
	struct ublkev__ctl_action *a;

	assert(c->nr < UBLKEV__CTL_ACTIONS);
	a = &c->actions[(c->first + c->nr++) % UBLKEV__CTL_ACTIONS];
	a->act = what;
	a->cmd = cmd;
	a->revents = revents;
	a->step = step;
}

static void event(struct ublkev__ctl *c, int revents, enum ublkev_step step)
{
	act(c, UBLKEV__CTL_EVENT, UBLKEV__CMD_NONE, revents, step);
}

static void simple(struct ublkev__ctl *c, enum ublkev__ctl_act what)
{
	act(c, what, UBLKEV__CMD_NONE, 0, c->step);
}

static void command(struct ublkev__ctl *c, enum ublkev__cmd cmd)
{
	assert(c->pending == UBLKEV__CMD_NONE);
	c->pending = cmd;
	act(c, UBLKEV__CTL_CMD, cmd, 0, c->step);
}

static void enter(struct ublkev__ctl *c, enum ublkev_step step,
		  uint64_t deadline_ms)
{
	c->step = step;
	c->rung = 0;
	c->retry_ms = NEVER;
	c->deadline_ms = deadline_ms;
}

static void finish(struct ublkev__ctl *c, enum ublkev_step step)
{
	enter(c, step, NEVER);
	event(c, UBLKEV_STOPPED, step);
}

void ublkev__ctl_init(struct ublkev__ctl *c, const struct ublkev_conf *conf)
{
	memset(c, 0, sizeof(*c));
	c->conf = *conf;
	c->info.id = conf->id;
	c->info.queues = conf->queues;
	c->info.depth = conf->depth;
	c->info.max_io_bytes = conf->max_io_bytes;
	c->deadline_ms = NEVER;
	c->retry_ms = NEVER;
}

/* ---- down --------------------------------------------------------------- */

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* go on with whatever is to be undone next; no command is pending */
static void unwind(struct ublkev__ctl *c, uint64_t now_ms)
{
	uint64_t patience_ms = later(c->stop_deadline_ms,
				     now_ms + c->conf.grace_ms);

	assert(c->stopping && c->pending == UBLKEV__CMD_NONE);
	if (c->armed && !c->stopped && !c->drained) {
		enter(c, UBLKEV_STEP_STOP, patience_ms);
		command(c, UBLKEV__CMD_STOP_DEV);
	} else if (c->armed && !c->drained) {
		enter(c, UBLKEV_STEP_DRAIN, patience_ms);
	} else if (c->opened) {
		enter(c, UBLKEV_STEP_CLOSE, NEVER);
		simple(c, UBLKEV__CTL_CLOSE);
	} else if (c->added) {
		enter(c, UBLKEV_STEP_DEL, now_ms + c->conf.cmd_timeout_ms);
		command(c, UBLKEV__CMD_DEL_DEV);
	} else {
		finish(c, UBLKEV_STEP_GONE);
	}
}

static void cancel(struct ublkev__ctl *c)
{
	act(c, UBLKEV__CTL_CANCEL, c->pending, 0, c->step);
}

/*
 * From now on down. What is pending is waited for; only START_DEV would
 * perhaps wait for ever, since it waits for what will not come any more.
 */
static void go_down(struct ublkev__ctl *c, uint64_t now_ms)
{
	if (c->stopping)
		return;
	c->stopping = true;
	c->stop_deadline_ms = now_ms + c->conf.stop_timeout_ms;
	if (c->step == UBLKEV_STEP_START &&
	    c->pending == UBLKEV__CMD_START_DEV) {
		cancel(c);
		c->rung = 1;
		c->deadline_ms = c->stop_deadline_ms;
	} else if (c->step != UBLKEV_STEP_OPEN ? !c->pending
					       : c->retry_ms != NEVER) {
		unwind(c, now_ms);
	}
}

static void note_error(struct ublkev__ctl *c, int err)
{
	if (c->err)
		return;
	c->err = err;
	c->err_step = c->step;
	event(c, UBLKEV_ERROR, c->step);
}

static void fail(struct ublkev__ctl *c, int err, uint64_t now_ms)
{
	note_error(c, err);
	go_down(c, now_ms);
}

void ublkev__ctl_stop(struct ublkev__ctl *c, uint64_t now_ms)
{
	if (c->step != UBLKEV_STEP_IDLE && c->step < UBLKEV_STEP_GONE)
		go_down(c, now_ms);
}

/* ---- the ladder --------------------------------------------------------- */

static void abort_io(struct ublkev__ctl *c)
{
	if (c->aborted || !c->armed || c->step == UBLKEV_STEP_CLOSE)
		return;
	c->aborted = true;
	simple(c, UBLKEV__CTL_ABORT_IO);
}

/*
 * Release ring and ublkc while a command still waits: the driver then fails
 * what it had given us, and the command ends.
 */
static void close_early(struct ublkev__ctl *c)
{
	if (c->opened)
		simple(c, UBLKEV__CTL_CLOSE);
	c->opened = false;
	c->armed = false;
	c->drained = true;
}

static void lose(struct ublkev__ctl *c)
{
	close_early(c);
	c->pending = UBLKEV__CMD_NONE;
	finish(c, UBLKEV_STEP_LOST);
}

enum rung { CANCEL, ABORT, CLOSE, LOSE };

static enum rung rung_of(const struct ublkev__ctl *c)
{
	static const enum rung plain[] = { CANCEL, LOSE };
	static const enum rung start[] = { CANCEL, ABORT, CLOSE, LOSE };
	unsigned int r = c->rung;

	switch (c->step) {
	case UBLKEV_STEP_START:
		return start[r < 3 ? r : 3];
	case UBLKEV_STEP_STOP:
	case UBLKEV_STEP_DRAIN:
		return start[r < 2 ? r + 1 : 3];
	default:
		return plain[r < 1 ? r : 1];
	}
}

static void climb(struct ublkev__ctl *c, uint64_t now_ms)
{
	enum rung rung = rung_of(c);

	c->rung++;
	c->deadline_ms = now_ms + c->conf.grace_ms;
	switch (rung) {
	case CANCEL:
		cancel(c);
		break;
	case ABORT:
		abort_io(c);
		break;
	case CLOSE:
		close_early(c);
		if (c->pending == UBLKEV__CMD_NONE)
			unwind(c, now_ms);
		break;
	case LOSE:
		note_error(c, -ETIMEDOUT);
		lose(c);
		break;
	}
}

static void expire(struct ublkev__ctl *c, uint64_t now_ms)
{
	/* an abort wished for is no error, nor is what follows from it */
	if (!c->aborted || c->step == UBLKEV_STEP_DEL)
		note_error(c, -ETIMEDOUT);
	if (c->step == UBLKEV_STEP_START && !c->stopping) {
		go_down(c, now_ms);	/* its first rung: cancels */
		c->deadline_ms = now_ms + c->conf.grace_ms;
		return;
	}
	if (!c->stopping) {
		c->stopping = true;
		c->stop_deadline_ms = now_ms;
	}
	if (c->step == UBLKEV_STEP_OPEN)
		c->deadline_ms = NEVER;	/* ublkev__ctl_opened() follows */
	else
		climb(c, now_ms);
}

void ublkev__ctl_tick(struct ublkev__ctl *c, uint64_t now_ms)
{
	/* an attempt first: should it be the last, its errno tells more */
	if (now_ms >= c->retry_ms) {
		c->retry_ms = NEVER;
		simple(c, UBLKEV__CTL_OPEN);
	} else if (now_ms >= c->deadline_ms) {
		expire(c, now_ms);
	}
}

void ublkev__ctl_abort(struct ublkev__ctl *c, uint64_t now_ms)
{
	ublkev__ctl_stop(c, now_ms);
	if (c->step >= UBLKEV_STEP_GONE || c->step == UBLKEV_STEP_IDLE)
		return;
	c->stop_deadline_ms = now_ms;
	abort_io(c);
	if (c->step == UBLKEV_STEP_START && c->rung < 2)
		c->rung = 2;
	else if ((c->step == UBLKEV_STEP_STOP ||
		  c->step == UBLKEV_STEP_DRAIN) && c->rung < 1)
		c->rung = 1;
	else
		return;
	c->deadline_ms = now_ms + c->conf.grace_ms;
}

uint64_t ublkev__ctl_deadline_ms(const struct ublkev__ctl *c)
{
	return c->deadline_ms < c->retry_ms ? c->deadline_ms : c->retry_ms;
}

/* ---- up ----------------------------------------------------------------- */

void ublkev__ctl_start(struct ublkev__ctl *c, uint64_t now_ms)
{
	assert(c->step == UBLKEV_STEP_IDLE);
	enter(c, UBLKEV_STEP_FEATURES, now_ms + c->conf.cmd_timeout_ms);
	command(c, UBLKEV__CMD_GET_FEATURES);
}

void ublkev__ctl_remove(struct ublkev__ctl *c, uint64_t now_ms)
{
	assert(c->step == UBLKEV_STEP_IDLE && c->conf.id >= 0);
	c->added = true;
	c->stopping = true;
	c->stop_deadline_ms = now_ms + c->conf.stop_timeout_ms;
	enter(c, UBLKEV_STEP_STOP, c->stop_deadline_ms);
	command(c, UBLKEV__CMD_STOP_DEV);
}

static void open_ublkc(struct ublkev__ctl *c, uint64_t now_ms)
{
	enter(c, UBLKEV_STEP_OPEN, now_ms + c->conf.cmd_timeout_ms);
	simple(c, UBLKEV__CTL_OPEN);
}

static int on_features(struct ublkev__ctl *c, int res, uint64_t features)
{
	/* the command came with 6.5; an older kernel may be new enough */
	if (res == -EOPNOTSUPP)
		features = UBLKEV__F(CMD_IOCTL_ENCODE) |
			   UBLKEV__F(URING_CMD_COMP_IN_TASK);
	else if (res < 0)
		return res;
	c->kernel_features = features;
	return ublkev__features_choose(c->conf.features |
				       ublkev__copy_features(&c->conf,
							     c->traits,
							     features),
				       features, &c->info.features);
}

/* the driver may give less than was asked for, never more or another id */
static int on_added(struct ublkev__ctl *c, const struct ublkev__devinfo *got)
{
	const struct ublkev__devinfo *asked = &c->info;

	if (!got || got->id < 0 || got->id > UBLKEV__MAX_ID ||
	    (asked->id >= 0 && got->id != asked->id))
		return -EPROTO;
	c->info.id = got->id;
	c->added = true;
	if (!got->queues || got->queues > asked->queues ||
	    got->depth != asked->depth ||
	    got->max_io_bytes < UBLKEV__PAGE ||
	    got->max_io_bytes > asked->max_io_bytes ||
	    got->max_io_bytes % UBLKEV__PAGE)
		return -EPROTO;
	c->info = *got;
	return 0;
}

static int up(struct ublkev__ctl *c, int res, uint64_t features,
	      const struct ublkev__devinfo *info, uint64_t now_ms)
{
	uint64_t deadline_ms = now_ms + c->conf.cmd_timeout_ms;
	int err = res < 0 ? res : 0;

	if (c->step == UBLKEV_STEP_FEATURES)
		err = on_features(c, res, features);
	else if (c->step == UBLKEV_STEP_ADD && !err)
		err = on_added(c, info);
	if (err || c->stopping)
		return err;

	switch (c->step) {
	case UBLKEV_STEP_FEATURES:
		enter(c, UBLKEV_STEP_ADD, deadline_ms);
		command(c, UBLKEV__CMD_ADD_DEV);
		break;
	case UBLKEV_STEP_ADD:
		enter(c, UBLKEV_STEP_PARAMS, deadline_ms);
		command(c, UBLKEV__CMD_SET_PARAMS);
		break;
	case UBLKEV_STEP_PARAMS:
		open_ublkc(c, now_ms);
		break;
	default:
		enter(c, UBLKEV_STEP_LIVE, NEVER);
		event(c, UBLKEV_LIVE, UBLKEV_STEP_LIVE);
	}
	return 0;
}

void ublkev__ctl_opened(struct ublkev__ctl *c, int err, uint64_t now_ms)
{
	assert(c->step == UBLKEV_STEP_OPEN);
	c->retry_ms = now_ms;	/* no attempt is out, should it go down now */
	if (!err)
		c->opened = true;
	if (c->stopping) {
		unwind(c, now_ms);
	} else if (err == -ENOENT || err == -EACCES || err == -EBUSY) {
		/* udev has not finished, or a former holder not yet let go */
		if (now_ms + OPEN_RETRY_MS < c->deadline_ms)
			c->retry_ms = now_ms + OPEN_RETRY_MS;
		else
			fail(c, err, now_ms);
	} else if (err) {
		fail(c, err, now_ms);
	} else {
		enter(c, UBLKEV_STEP_START,
		      now_ms + c->conf.start_timeout_ms);
		c->armed = true;
		simple(c, UBLKEV__CTL_ARM);
		command(c, UBLKEV__CMD_START_DEV);
	}
}

/* ---- facts on the way down ---------------------------------------------- */

static void on_stop(struct ublkev__ctl *c, int res, uint64_t now_ms)
{
	c->stopped = true;
	if (res < 0)
		note_error(c, res);
	if (res == -ENODEV)	/* somebody else deleted it */
		c->added = false;
	else if (res < 0)	/* refused: then by leaving */
		close_early(c);
	unwind(c, now_ms);
}

static void on_del(struct ublkev__ctl *c, enum ublkev__cmd cmd, int res,
		   uint64_t now_ms)
{
	if (res >= 0 || res == -ENODEV) {
		c->added = false;
		finish(c, UBLKEV_STEP_GONE);
	} else if (cmd == UBLKEV__CMD_DEL_DEV &&
		   (c->rung || res == -EINTR)) {
		/* cancelled: the device goes when its last user lets go */
		c->rung = 1;
		c->deadline_ms = now_ms + c->conf.grace_ms;
		command(c, UBLKEV__CMD_DEL_DEV_ASYNC);
	} else {
		note_error(c, res);
		lose(c);
	}
}

int ublkev__ctl_cmd_done(struct ublkev__ctl *c, enum ublkev__cmd cmd, int res,
			 uint64_t features, const struct ublkev__devinfo *info,
			 uint64_t now_ms)
{
	int err;

	if (cmd == UBLKEV__CMD_NONE || cmd != c->pending)
		return -EPROTO;
	c->pending = UBLKEV__CMD_NONE;
	switch (c->step) {
	case UBLKEV_STEP_STOP:
		on_stop(c, res, now_ms);
		return 0;
	case UBLKEV_STEP_DEL:
		on_del(c, cmd, res, now_ms);
		return 0;
	default:
		break;
	}
	err = up(c, res, features, info, now_ms);
	if (err && !c->stopping)
		fail(c, err, now_ms);
	else if (c->stopping)
		unwind(c, now_ms);
	return 0;
}

void ublkev__ctl_closed(struct ublkev__ctl *c, uint64_t now_ms)
{
	if (c->step != UBLKEV_STEP_CLOSE)
		return;		/* an early one */
	c->opened = false;
	c->armed = false;
	unwind(c, now_ms);
}

void ublkev__ctl_drained(struct ublkev__ctl *c, uint64_t now_ms)
{
	c->drained = true;
	if (c->step == UBLKEV_STEP_DRAIN)
		unwind(c, now_ms);
	else if (!c->stopping)
		fail(c, -ENODEV, now_ms);	/* stopped by somebody else */
}

void ublkev__ctl_fault(struct ublkev__ctl *c, int err, uint64_t now_ms)
{
	if (c->step == UBLKEV_STEP_IDLE || c->step >= UBLKEV_STEP_GONE)
		return;
	fail(c, err, now_ms);
}

bool ublkev__ctl_next(struct ublkev__ctl *c, struct ublkev__ctl_action *a)
{
	if (!c->nr)
		return false;
	*a = c->actions[c->first];
	c->first = (c->first + 1) % UBLKEV__CTL_ACTIONS;
	c->nr--;
	return true;
}

/* ---- verify ------------------------------------------------------------- */

static bool pending_fits(const struct ublkev__ctl *c)
{
	switch (c->step) {
	case UBLKEV_STEP_FEATURES:
		return c->pending == UBLKEV__CMD_GET_FEATURES;
	case UBLKEV_STEP_ADD:
		return c->pending == UBLKEV__CMD_ADD_DEV;
	case UBLKEV_STEP_PARAMS:
		return c->pending == UBLKEV__CMD_SET_PARAMS;
	case UBLKEV_STEP_START:
		return c->pending == UBLKEV__CMD_START_DEV;
	case UBLKEV_STEP_STOP:
		return c->pending == UBLKEV__CMD_STOP_DEV;
	case UBLKEV_STEP_DEL:
		return c->pending == UBLKEV__CMD_DEL_DEV ||
		       c->pending == UBLKEV__CMD_DEL_DEV_ASYNC;
	default:
		return c->pending == UBLKEV__CMD_NONE;
	}
}

void ublkev__ctl_verify(const struct ublkev__ctl *c)
{
	bool over = c->step >= UBLKEV_STEP_GONE;
	bool waits = c->pending != UBLKEV__CMD_NONE ||
		     c->step == UBLKEV_STEP_DRAIN;

	assert(c->step < UBLKEV_NR_STEPS);
	assert(c->nr <= UBLKEV__CTL_ACTIONS);
	assert(pending_fits(c));
	/* whatever is waited for has a deadline */
	assert(!waits || c->deadline_ms != NEVER);
	assert(c->retry_ms == NEVER || c->deadline_ms != NEVER);
	/* what is undone has been done */
	assert(!c->armed || c->opened);
	assert(!c->opened || c->added || c->stopped);
	assert(c->step != UBLKEV_STEP_LIVE || (c->armed && !c->stopping));
	assert(!over || (!c->opened && !c->armed && c->deadline_ms == NEVER));
	assert(c->step != UBLKEV_STEP_GONE || !c->added);
	assert(!c->err || c->stopping);
	assert((c->err == 0) == (c->err_step == UBLKEV_STEP_IDLE));
}
