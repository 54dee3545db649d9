/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way down, from any step: what there is to undo is undone in one order
 * (ublkev__life_unwind()), and what does not come in time is done without, rung
 * by rung of the step's ladder.
 */
#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "core/life_priv.h"

static uint64_t down_later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/*
 * Whether a device that is half recovered may be left to the next server.
 * Before 7.3, which is known by its newest feature, the driver refuses another
 * START_USER_RECOVERY for good, or crashes: ublk_queue_reinit() takes it for
 * granted that the queue had a daemon.
 */
static bool down_restartable(const struct ublkev__life *c)
{
	return c->kernel_features & UBLKEV__F(IO_DESC_SIZE);
}

static uint64_t down_earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void ublkev__life_begin_stop(struct ublkev__life *c, uint64_t now_ms)
{
	if (c->conf.stop_limit_ms && c->limit_ms == UBLKEV__NEVER)
		c->limit_ms = now_ms + c->conf.stop_limit_ms;
	c->stop_deadline_ms = down_earlier(now_ms + c->conf.stop_timeout_ms,
					   c->limit_ms);
}

void ublkev__life_turn_down(struct ublkev__life *c, uint64_t now_ms)
{
	ublkev__life_begin_stop(c, now_ms);
	c->stopping = true;
	if (ublkev__life_recovers(c) && c->step < UBLKEV_STEP_LIVE)
		c->kept = !c->undo || down_restartable(c);
}

/* The ladder of a step that waits for requests ends them by leaving ublkc. */
static bool down_waits_for_requests(const struct ublkev__life *c)
{
	return ublkev__life_row(c)->ladder & UBLKEV__RUNG(CLOSE);
}

/*
 * An answer shows that the backend goes on, and its patience begins anew; but
 * not once requests have been failed, for these are answers too. A START_DEV
 * that was cancelled says nothing of that sort: any stop cancels it.
 */
void ublkev__life_progress(struct ublkev__life *c, uint64_t now_ms)
{
	if (!down_waits_for_requests(c) || c->aborted ||
	    c->deadline_ms == UBLKEV__NEVER || c->rung > UBLKEV__RUNG_ABORT)
		return;
	if (c->step == UBLKEV_STEP_START && !c->stopping) {
		ublkev__life_wait(c, now_ms);
		return;
	}
	ublkev__life_begin_stop(c, now_ms);
	c->deadline_ms = down_later(c->deadline_ms, c->stop_deadline_ms);
}

/* ---- from step to step ------------------------------------------------- */

/* Nothing is left to be done. What has become of the device? */
static enum ublkev_step down_end(struct ublkev__life *c)
{
	if (c->kept && c->err != -ENODEV)
		return UBLKEV_STEP_RELEASED;
	c->undo = 0;	/* somebody deleted what was kept */
	return UBLKEV_STEP_GONE;
}

/*
 * What undoes the first of `todo`. The next server, be it of the device or of
 * the file, is not to meet a write of ours that is still under way.
 */
static enum ublkev_step down_first(const struct ublkev__life *c,
				   unsigned int todo)
{
	enum ublkev_step step = (enum ublkev_step)__builtin_ctz(todo);

	if (step == UBLKEV_STEP_CLOSE && c->files)
		return UBLKEV_STEP_RECALL;
	return step;
}

void ublkev__life_unwind(struct ublkev__life *c, uint64_t now_ms)
{
	unsigned int todo;

	assert(c->stopping && c->pending == UBLKEV__CTRL_NONE);
	/* The attempt at a recovery that was under way has succeeded. */
	if (c->kept && c->undo && c->step == UBLKEV_STEP_RECOVER)
		c->kept = down_restartable(c);
	/* Another server is to find the device as it is, and ublkc free. */
	if (c->kept)
		c->undo &= ~(UBLKEV__UNDO(STOP) | UBLKEV__UNDO(DRAIN));
	todo = c->kept ? c->undo & UBLKEV__UNDO(CLOSE) : c->undo;
	if (todo)
		ublkev__life_begin(c, down_first(c, todo), now_ms);
	else
		ublkev__life_finish(c, down_end(c));
}

/*
 * From now on the life goes down. A pending command is waited for, but those
 * are cancelled that may wait for ever: START_DEV waits for the FETCHes of all
 * tags and for the partition scan, QUIESCE_DEV for an idle tag.
 */
void ublkev__life_go_down(struct ublkev__life *c, uint64_t now_ms)
{
	bool waits = c->pending != UBLKEV__CTRL_NONE;

	if (c->stopping)
		return;
	ublkev__life_turn_down(c, now_ms);
	if (c->step == UBLKEV_STEP_START && waits) {
		ublkev__life_cancel(c);
		c->rung = UBLKEV__RUNG_ABORT;
		c->deadline_ms = c->stop_deadline_ms;
	} else if (c->step == UBLKEV_STEP_QUIESCE && waits) {
		ublkev__life_cancel(c);
	} else if (ublkev__life_overdue(c) ? waits :
		   c->pending == UBLKEV__CTRL_TRY_STOP_DEV) {
		/* While the device was served there was no deadline. */
		c->deadline_ms = c->stop_deadline_ms;
	} else if (c->step == UBLKEV_STEP_OPEN ?
		   c->retry_ms != UBLKEV__NEVER : !waits) {
		ublkev__life_unwind(c, now_ms);
	}
}

void ublkev__life_stop(struct ublkev__life *c, uint64_t now_ms)
{
	if (c->step != UBLKEV_STEP_IDLE && c->step < UBLKEV_STEP_GONE)
		ublkev__life_go_down(c, now_ms);
}

/* ---- the ladder --------------------------------------------------------- */

static void down_abort_io(struct ublkev__life *c)
{
	if (c->aborted || !(c->undo & UBLKEV__UNDO(CLOSE)) ||
	    c->step == UBLKEV_STEP_CLOSE)
		return;
	c->aborted = true;
	ublkev__life_do(c, UBLKEV__LIFE_ABORT_IO);
}

/*
 * Ring and ublkc are released while a command still waits: then the driver
 * fails the requests that it had given us, Linux 6.12 when the ring goes, 7.3
 * with the last reference to ublkc; and the command, which waits for them,
 * ends.
 */
static void down_close_early(struct ublkev__life *c)
{
	if (c->undo & UBLKEV__UNDO(CLOSE))
		ublkev__life_do(c, UBLKEV__LIFE_CLOSE);
	c->undo &= ~UBLKEV__UNDO_UBLKC;
}

static void down_lose(struct ublkev__life *c)
{
	bool shares = ublkev__life_shares(c) && !ublkev__life_overdue(c);

	down_close_early(c);
	c->pending = UBLKEV__CTRL_NONE;
	if (shares)
		ublkev__life_tell(c, UBLKEV_SHARED, -ETIMEDOUT);
	if (c->resize_sectors && !ublkev__life_overdue(c))
		ublkev__life_tell(c, UBLKEV_RESIZED, -ETIMEDOUT);
	c->resize_sectors = 0;
	ublkev__life_finish(c, UBLKEV_STEP_LOST);
}

static enum ublkev__rung down_next_rung(const struct ublkev__life *c)
{
	unsigned int left = (unsigned int)ublkev__life_row(c)->ladder >>
			    c->rung << c->rung;

	if (!c->files)
		left &= ~UBLKEV__RUNG(RECALL);
	if (c->step == UBLKEV_STEP_LIVE && !ublkev__life_shares(c))
		left &= ~UBLKEV__RUNG(ABORT);
	assert(left);
	return (enum ublkev__rung)__builtin_ctz(left);
}

static void down_climb(struct ublkev__life *c, uint64_t now_ms)
{
	enum ublkev__rung rung = down_next_rung(c);

	if (rung != UBLKEV__RUNG_LOSE)	/* after which there is none */
		c->rung = rung + 1u;
	c->deadline_ms = now_ms + c->conf.grace_ms;
	switch (rung) {
	case UBLKEV__RUNG_CANCEL:
		ublkev__life_cancel(c);
		break;
	case UBLKEV__RUNG_ABORT:
		down_abort_io(c);
		break;
	/* where no command is pending it is a step of its own */
	case UBLKEV__RUNG_RECALL:
		if (c->pending == UBLKEV__CTRL_NONE)
			ublkev__life_unwind(c, now_ms);
		else
			ublkev__life_do(c, UBLKEV__LIFE_RECALL);
		break;
	case UBLKEV__RUNG_CLOSE:
		down_close_early(c);
		if (c->pending == UBLKEV__CTRL_NONE)
			ublkev__life_unwind(c, now_ms);
		break;
	case UBLKEV__RUNG_LOSE:
		ublkev__life_note_error(c, -ETIMEDOUT);
		down_lose(c);
		break;
	}
}

/* An abort explains why requests end, but not that the backend does not. */
static void down_end_without_backend(struct ublkev__life *c)
{
	ublkev__life_note_error(c, -ETIMEDOUT);
	ublkev__life_end(c, c->end);
}

void ublkev__life_expire(struct ublkev__life *c, uint64_t now_ms)
{
	if (c->step == UBLKEV_STEP_BACKEND_CLOSE) {
		down_end_without_backend(c);
		return;
	}
	if (c->step == UBLKEV_STEP_LIVE && !c->stopping &&
	    (!c->rung || ublkev__life_has_tags(c))) {
		ublkev__life_live_expire(c, now_ms);
		return;
	}
	/* An abort that was wished for is no error, nor is what follows. */
	if (!c->aborted || c->step == UBLKEV_STEP_DEL)
		ublkev__life_note_error(c, -ETIMEDOUT);
	if (c->step == UBLKEV_STEP_START && !c->stopping) {
		/* Turning down is its first rung, for it cancels. */
		ublkev__life_go_down(c, now_ms);
		c->deadline_ms = now_ms + c->conf.grace_ms;
		return;
	}
	if (c->step == UBLKEV_STEP_QUIESCE && !c->stopping)
		c->kept = true;		/* it is quiesced, or will be */
	/* All its tags are dead, and it may be that somebody quiesced it. */
	if (c->suspect && !c->stopping)
		c->kept = ublkev__life_uses(c, UBLKEV__F(USER_RECOVERY));
	if (!c->stopping) {
		ublkev__life_turn_down(c, now_ms);
		c->stop_deadline_ms = now_ms;	/* its patience is over */
	}
	if (c->step == UBLKEV_STEP_OPEN) /* ublkev__life_opened() follows */
		c->deadline_ms = UBLKEV__NEVER;
	else
		down_climb(c, now_ms);
}

void ublkev__life_abort(struct ublkev__life *c, uint64_t now_ms)
{
	if (c->step == UBLKEV_STEP_QUIESCE && !c->stopping)
		c->kept = true;
	ublkev__life_stop(c, now_ms);
	if (c->step >= UBLKEV_STEP_GONE || c->step == UBLKEV_STEP_IDLE)
		return;
	c->stop_deadline_ms = now_ms;
	/* in these two no request is left that could be failed */
	if (c->step == UBLKEV_STEP_BACKEND_CLOSE ||
	    c->step == UBLKEV_STEP_RECALL) {
		if (c->deadline_ms != UBLKEV__NEVER)
			c->deadline_ms = down_earlier(c->deadline_ms, now_ms +
						      c->conf.grace_ms);
		return;
	}
	if (c->step == UBLKEV_STEP_QUIESCE && c->kept) {
		/* Closing hands all that is outstanding on to the next server;
		   nothing is to be failed. */
		c->aborted = true;
		c->deadline_ms = now_ms;
		return;
	}
	down_abort_io(c);
	if (ublkev__life_row(c)->ladder & UBLKEV__RUNG(ABORT) &&
	    (c->step != UBLKEV_STEP_LIVE || ublkev__life_shares(c)) &&
	    c->rung <= UBLKEV__RUNG_ABORT)
		c->rung = UBLKEV__RUNG_ABORT + 1u;
	else if (!ublkev__life_overdue(c) && c->step != UBLKEV_STEP_QUIESCE)
		return;
	c->deadline_ms = now_ms + c->conf.grace_ms;
}

/* ---- answers on the way down ------------------------------------------- */

static void down_stopped(struct ublkev__life *c, int res, uint64_t now_ms)
{
	c->undo &= ~UBLKEV__UNDO(STOP);
	if (res < 0)
		ublkev__life_note_error(c, res);
	if (res == -ENODEV)	/* somebody else deleted it */
		c->undo &= ~UBLKEV__UNDO(DEL);
	else if (res < 0)	/* refused: then by leaving */
		c->undo &= ~UBLKEV__UNDO(DRAIN);
	ublkev__life_unwind(c, now_ms);
}

void ublkev__life_stop_done(struct ublkev__life *c, enum ublkev__ctrl_cmd cmd,
			    int res, uint64_t now_ms)
{
	if (cmd == UBLKEV__CTRL_STOP_DEV || res >= 0) {
		if (!c->stopping)
			ublkev__life_turn_down(c, now_ms);
		down_stopped(c, res, now_ms);
	} else if (c->stopping) {
		ublkev__life_unwind(c, now_ms);
	} else {
		ublkev__life_try_refused(c, res, now_ms);
	}
}

void ublkev__life_del_done(struct ublkev__life *c, enum ublkev__ctrl_cmd cmd,
			   int res, uint64_t now_ms)
{
	bool cancelled = cmd == UBLKEV__CTRL_DEL_DEV &&
			 (c->rung || res == -EINTR);
	/*
	 * DEL_DEV was interrupted when it only waited for the last user, with
	 * whom the device goes (ublk_ctrl_del_dev()). An ordinary user's needs
	 * no DEL_DEV_ASYNC then, and the driver would refuse it.
	 */
	bool goes = cancelled &&
		    ublkev__life_uses(c, UBLKEV__F(UNPRIVILEGED_DEV));

	if (cmd == UBLKEV__CTRL_DEL_DEV && res == -EINTR)
		c->doomed = true;
	/*
	 * Linux before 6.7 has no DEL_DEV_ASYNC, and no release has it for an
	 * ordinary user's device, which this may be, for who removes a device
	 * does not know whose it is; what DEL_DEV began goes on.
	 */
	if (c->doomed && cmd == UBLKEV__CTRL_DEL_DEV_ASYNC &&
	    (res == -EOPNOTSUPP || res == -EINVAL))
		res = 0;
	if (res >= 0 || res == -ENODEV || (goes && res == -EINTR)) {
		c->undo = 0;
		ublkev__life_finish(c, UBLKEV_STEP_GONE);
	} else if (cancelled && !goes) {
		c->rung = UBLKEV__RUNG_CANCEL + 1u;
		c->deadline_ms = now_ms + c->conf.grace_ms;
		ublkev__life_command(c, UBLKEV__CTRL_DEL_DEV_ASYNC);
	} else {
		ublkev__life_note_error(c, res);
		down_lose(c);
	}
}
