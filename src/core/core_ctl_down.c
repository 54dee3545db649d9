/* SPDX-License-Identifier: BSD-2-Clause */
#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "core/core_ctl_priv.h"

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/*
 * Whether a device, half recovered, may be left to the next server: before
 * 7.3 (known by its newest feature) the driver refuses that for good, or
 * crashes (ublk_queue_reinit() without a daemon).
 */
static bool restartable(const struct ublkev__ctl *c)
{
	return c->kernel_features & UBLKEV__F(IO_DESC_SIZE);
}

static void turn_down(struct ublkev__ctl *c, uint64_t deadline_ms)
{
	c->stopping = true;
	c->stop_deadline_ms = deadline_ms;
	if (c->mode == UBLKEV__CTL_RECOVER && c->step < UBLKEV_STEP_LIVE)
		c->kept = !c->added || restartable(c);
}

/* ---- from step to step ---------------------------------------------------- */

static void close_ublkc(struct ublkev__ctl *c, uint64_t now_ms)
{
	ublkev__ctl_enter(c, UBLKEV_STEP_CLOSE, now_ms, UBLKEV__NEVER);
	ublkev__ctl_do(c, UBLKEV__CTL_CLOSE);
}

static void unwind_kept(struct ublkev__ctl *c, uint64_t now_ms)
{
	if (c->opened) {
		close_ublkc(c, now_ms);
	} else if (c->err == -ENODEV) {
		c->added = false;
		ublkev__ctl_finish(c, UBLKEV_STEP_GONE);
	} else {
		ublkev__ctl_finish(c, UBLKEV_STEP_RELEASED);
	}
}

void ublkev__ctl_unwind(struct ublkev__ctl *c, uint64_t now_ms)
{
	uint64_t patience_ms = later(c->stop_deadline_ms,
				     now_ms + c->conf.grace_ms);

	assert(c->stopping && c->pending == UBLKEV__CMD_NONE);
	/* an attempt at a recovery that was under way has come off after all */
	if (c->kept && c->added && c->step == UBLKEV_STEP_RECOVER)
		c->kept = restartable(c);
	if (c->kept) {
		unwind_kept(c, now_ms);
	} else if (c->armed && !c->stopped && !c->drained) {
		ublkev__ctl_enter(c, UBLKEV_STEP_STOP, now_ms, patience_ms);
		ublkev__ctl_command(c, UBLKEV__CMD_STOP_DEV, 0);
	} else if (c->armed && !c->drained) {
		ublkev__ctl_enter(c, UBLKEV_STEP_DRAIN, now_ms, patience_ms);
	} else if (c->opened) {
		close_ublkc(c, now_ms);
	} else if (c->added) {
		ublkev__ctl_enter(c, UBLKEV_STEP_DEL, now_ms,
				  now_ms + c->conf.cmd_timeout_ms);
		ublkev__ctl_command(c, UBLKEV__CMD_DEL_DEV, 0);
	} else {
		ublkev__ctl_finish(c, UBLKEV_STEP_GONE);
	}
}

/*
 * From now on down. What is pending is waited for, but for what perhaps waits
 * for ever: START_DEV, for FETCHes that will not come any more, and so on.
 */
void ublkev__ctl_go_down(struct ublkev__ctl *c, uint64_t now_ms)
{
	bool waits = c->pending != UBLKEV__CMD_NONE;

	if (c->stopping)
		return;
	turn_down(c, now_ms + c->conf.stop_timeout_ms);
	if (c->step == UBLKEV_STEP_START && waits) {
		ublkev__ctl_cancel(c);
		c->rung = 1;
		c->deadline_ms = c->stop_deadline_ms;
	} else if (c->step == UBLKEV_STEP_QUIESCE && waits) {
		ublkev__ctl_cancel(c);
	} else if (c->step == UBLKEV_STEP_OPEN ?
		   c->retry_ms != UBLKEV__NEVER : !waits) {
		ublkev__ctl_unwind(c, now_ms);
	}
}

void ublkev__ctl_stop(struct ublkev__ctl *c, uint64_t now_ms)
{
	if (c->step != UBLKEV_STEP_IDLE && c->step < UBLKEV_STEP_GONE)
		ublkev__ctl_go_down(c, now_ms);
}

/* ---- the ladder --------------------------------------------------------- */

static void abort_io(struct ublkev__ctl *c)
{
	if (c->aborted || !c->armed || c->step == UBLKEV_STEP_CLOSE)
		return;
	c->aborted = true;
	ublkev__ctl_do(c, UBLKEV__CTL_ABORT_IO);
}

/*
 * Release ring and ublkc while a command still waits: the driver then fails
 * what it had given us, and the command ends.
 */
static void close_early(struct ublkev__ctl *c)
{
	if (c->opened)
		ublkev__ctl_do(c, UBLKEV__CTL_CLOSE);
	c->opened = false;
	c->armed = false;
	c->drained = true;
}

static void lose(struct ublkev__ctl *c)
{
	close_early(c);
	c->pending = UBLKEV__CMD_NONE;
	if (c->resize_sectors)
		ublkev__ctl_tell(c, UBLKEV_RESIZED, -ETIMEDOUT);
	c->resize_sectors = 0;
	ublkev__ctl_finish(c, UBLKEV_STEP_LOST);
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
	case UBLKEV_STEP_QUIESCE:
		return start[r < 1 ? r + 2 : 3];
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
		ublkev__ctl_cancel(c);
		break;
	case ABORT:
		abort_io(c);
		break;
	case CLOSE:
		close_early(c);
		if (c->pending == UBLKEV__CMD_NONE)
			ublkev__ctl_unwind(c, now_ms);
		break;
	case LOSE:
		ublkev__ctl_note_error(c, -ETIMEDOUT);
		lose(c);
		break;
	}
}

void ublkev__ctl_expire(struct ublkev__ctl *c, uint64_t now_ms)
{
	/* an abort wished for is no error, nor is what follows from it */
	if (!c->aborted || c->step == UBLKEV_STEP_DEL)
		ublkev__ctl_note_error(c, -ETIMEDOUT);
	if (c->step == UBLKEV_STEP_START && !c->stopping) {
		/* its first rung: cancels */
		ublkev__ctl_go_down(c, now_ms);
		c->deadline_ms = now_ms + c->conf.grace_ms;
		return;
	}
	if (c->step == UBLKEV_STEP_QUIESCE && !c->stopping)
		c->kept = true;		/* it is quiesced, or will be */
	if (c->step == UBLKEV_STEP_LIVE && !c->stopping)
		c->kept = ublkev__ctl_uses(c, UBLKEV__F(USER_RECOVERY));
	if (!c->stopping)
		turn_down(c, now_ms);
	if (c->step == UBLKEV_STEP_OPEN)	/* ublkev__ctl_opened() follows */
		c->deadline_ms = UBLKEV__NEVER;
	else
		climb(c, now_ms);
}

void ublkev__ctl_abort(struct ublkev__ctl *c, uint64_t now_ms)
{
	if (c->step == UBLKEV_STEP_QUIESCE && !c->stopping)
		c->kept = true;
	ublkev__ctl_stop(c, now_ms);
	if (c->step >= UBLKEV_STEP_GONE || c->step == UBLKEV_STEP_IDLE)
		return;
	c->stop_deadline_ms = now_ms;
	if (c->step == UBLKEV_STEP_QUIESCE) {
		/* closing fails, or hands on, whatever is outstanding */
		c->aborted = true;
		c->deadline_ms = now_ms;
		return;
	}
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

/* ---- answers on the way down ---------------------------------------------- */

static void stopped(struct ublkev__ctl *c, int res, uint64_t now_ms)
{
	c->stopped = true;
	if (res < 0)
		ublkev__ctl_note_error(c, res);
	if (res == -ENODEV)	/* somebody else deleted it */
		c->added = false;
	else if (res < 0)	/* refused: then by leaving */
		close_early(c);
	ublkev__ctl_unwind(c, now_ms);
}

void ublkev__ctl_stop_done(struct ublkev__ctl *c, enum ublkev__cmd cmd,
			   int res, uint64_t now_ms)
{
	if (cmd == UBLKEV__CMD_STOP_DEV) {
		stopped(c, res, now_ms);
	} else if (res >= 0) {
		c->stopping = true;
		stopped(c, res, now_ms);
	} else if (c->stopping) {
		ublkev__ctl_unwind(c, now_ms);
	} else {
		ublkev__ctl_try_refused(c, res, now_ms);
	}
}

void ublkev__ctl_del_done(struct ublkev__ctl *c, enum ublkev__cmd cmd,
			  int res, uint64_t now_ms)
{
	bool cancelled = cmd == UBLKEV__CMD_DEL_DEV &&
			 (c->rung || res == -EINTR);
	/* cancelled: the device goes when its last user lets go; there is no
	   DEL_DEV_ASYNC for an ordinary user's, and no need of it */
	bool goes = cancelled &&
		    ublkev__ctl_uses(c, UBLKEV__F(UNPRIVILEGED_DEV));

	if (res >= 0 || res == -ENODEV || (goes && res == -EINTR)) {
		c->added = false;
		ublkev__ctl_finish(c, UBLKEV_STEP_GONE);
	} else if (cancelled && !goes) {
		c->rung = 1;
		c->deadline_ms = now_ms + c->conf.grace_ms;
		ublkev__ctl_command(c, UBLKEV__CMD_DEL_DEV_ASYNC, 0);
	} else {
		ublkev__ctl_note_error(c, res);
		lose(c);
	}
}
