/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a live device is asked for (a resize, a release, a try_stop), and what
 * it means when the driver takes a tag away: somebody has stopped or quiesced
 * it, which GET_DEV_INFO is asked.
 */
#include <errno.h>
#include <stddef.h>

#include "core/life_priv.h"

static bool live_is_free(const struct ublkev__life *c)
{
	return c->step == UBLKEV_STEP_LIVE && !c->stopping && !c->suspect &&
	       c->pending == UBLKEV__CTRL_NONE;
}

/* 0, or why another change of a live device can't begin now. */
static int live_may_change(const struct ublkev__life *c)
{
	if (ublkev__life_overdue(c) && !c->stopping)
		return -EBUSY;
	return live_is_free(c) ? 0 : -EINVAL;
}

void ublkev__life_live_ask(struct ublkev__life *c, uint64_t now_ms)
{
	ublkev__life_wait(c, now_ms);
	ublkev__life_command(c, UBLKEV__CTRL_GET_DEV_INFO);
}

/* ---- resize ------------------------------------------------------------- */

/*
 * GET_DEV_INFO is sent first, and UPDATE_SIZE only if it says LIVE: 6.16 to
 * 6.19 crash when somebody else has just taken the disk away, for
 * ublk_ctrl_set_size() does not look whether there is one.
 */
void ublkev__life_resize(struct ublkev__life *c, uint64_t sectors,
			 uint64_t now_ms)
{
	c->resize_sectors = sectors;
	ublkev__life_live_ask(c, now_ms);
}

int ublkev__life_can_resize(const struct ublkev__life *c)
{
	int err = live_may_change(c);

	if (err)
		return err;
	return ublkev__life_uses(c, UBLKEV__F(UPDATE_SIZE)) ? 0 : -EOPNOTSUPP;
}

/* A command that ended because its deadline cancelled it has timed out. */
static int live_result(const struct ublkev__life *c, int res)
{
	if (c->rung && (res == -EINTR || res == -ECANCELED))
		return -ETIMEDOUT;
	return res < 0 ? res : 0;
}

/* Of a command that was given up its owner has been told before. */
static void live_resized(struct ublkev__life *c, int res)
{
	c->resize_sectors = 0;
	if (!ublkev__life_overdue(c))
		ublkev__life_tell(c, UBLKEV_RESIZED, live_result(c, res));
}

static void live_resize_on(struct ublkev__life *c,
			   const struct ublkev__ctrl_answer *a, uint64_t now_ms)
{
	if (a->res < 0) {
		live_resized(c, a->res);
	} else if (c->rung) {
		live_resized(c, -ETIMEDOUT);
	} else if (c->stopping) {
		live_resized(c, -ECANCELED);
	} else if (a->info.state != UBLKEV_STATE_LIVE) {
		live_resized(c, -ENODEV);
	} else {
		ublkev__life_wait(c, now_ms);
		ublkev__life_command(c, UBLKEV__CTRL_UPDATE_SIZE);
	}
}

/* ---- shared memory --------------------------------------------------------- */

void ublkev__life_share(struct ublkev__life *c, uint64_t now_ms)
{
	ublkev__life_wait(c, now_ms);
	ublkev__life_command(c, UBLKEV__CTRL_REG_BUF);
}

void ublkev__life_unshare(struct ublkev__life *c, unsigned int number,
			  uint64_t now_ms)
{
	c->unshare = number;
	ublkev__life_wait(c, now_ms);
	ublkev__life_command(c, UBLKEV__CTRL_UNREG_BUF);
}

int ublkev__life_can_share(const struct ublkev__life *c)
{
	int err = live_may_change(c);

	if (err)
		return err;
	return ublkev__life_uses(c, UBLKEV__F(SHMEM_ZC)) ? 0 : -EOPNOTSUPP;
}

/* REG_BUF answers with the memory's number */
static void live_shared(struct ublkev__life *c, int res)
{
	if (!ublkev__life_overdue(c))
		ublkev__life_tell(c, UBLKEV_SHARED,
				  res < 0 ? live_result(c, res) : res);
}

/* ---- stopped or quiesced by somebody else --------------------------------- */

/*
 * The driver gives idle tags back when the device is stopped, and when it is
 * quiesced. GET_DEV_INFO tells which: a device that was quiesced is LIVE there
 * until its server leaves, and is left to another server.
 */
void ublkev__life_tag_died(struct ublkev__life *c, uint64_t now_ms)
{
	bool trying = c->pending == UBLKEV__CTRL_TRY_STOP_DEV;

	if ((c->step != UBLKEV_STEP_LIVE && !trying) || c->stopping ||
	    !ublkev__life_uses(c, UBLKEV__F(QUIESCE)))
		return;
	c->suspect = true;
	if (c->pending == UBLKEV__CTRL_NONE)
		ublkev__life_live_ask(c, now_ms);
}

static void live_leave(struct ublkev__life *c, uint64_t now_ms)
{
	c->stopping = true;
	c->kept = true;
	/* The patience of a release goes on: the answer to QUIESCE_DEV is no
	   progress of any request. */
	if (c->step != UBLKEV_STEP_QUIESCE)
		ublkev__life_begin_stop(c, now_ms);
	ublkev__life_enter(c, UBLKEV_STEP_QUIESCE, now_ms);
	ublkev__life_wait(c, now_ms);
}

/*
 * What is left of the device is served, and the question asked again. When
 * nothing is left, another server may do better.
 */
static void live_not_found_out(struct ublkev__life *c, int res,
			       uint64_t now_ms)
{
	if (!ublkev__life_has_tags(c)) {
		ublkev__life_fault(c, live_result(c, res), now_ms);
		return;
	}
	c->suspect = true;
	c->retry_ms = now_ms + c->conf.cmd_timeout_ms;
}

static void live_find_out(struct ublkev__life *c,
			  const struct ublkev__ctrl_answer *a, uint64_t now_ms)
{
	if (!c->suspect)	/* a resize asked, and its owner was told */
		return;
	c->suspect = false;
	if (c->stopping)
		return;
	if (a->res == -ENODEV)
		ublkev__life_fail(c, a->res, now_ms);
	else if (a->res < 0)
		live_not_found_out(c, a->res, now_ms);
	else if (a->info.state == UBLKEV_STATE_LIVE)
		live_leave(c, now_ms);
	else if (!ublkev__life_has_tags(c))
		ublkev__life_fail(c, -ENODEV, now_ms);
}

/*
 * Nothing is served any more. What was waited for without a deadline gets one,
 * and what had time is done at once.
 */
static void live_ends(struct ublkev__life *c, uint64_t now_ms)
{
	if (ublkev__life_overdue(c))
		c->deadline_ms = now_ms + c->conf.grace_ms;
	else if (c->pending == UBLKEV__CTRL_TRY_STOP_DEV)
		c->deadline_ms = now_ms + c->conf.stop_timeout_ms;
	else if (c->step == UBLKEV_STEP_LIVE && c->retry_ms != UBLKEV__NEVER)
		c->retry_ms = now_ms;
}

void ublkev__life_drained(struct ublkev__life *c, uint64_t now_ms)
{
	bool trying = c->pending == UBLKEV__CTRL_TRY_STOP_DEV;

	c->undo &= ~(UBLKEV__UNDO(STOP) | UBLKEV__UNDO(DRAIN));
	c->files = false;
	if (!c->stopping)
		live_ends(c, now_ms);
	if (c->step == UBLKEV_STEP_DRAIN || c->step == UBLKEV_STEP_RECALL)
		ublkev__life_unwind(c, now_ms);
	else if (!c->stopping && !c->suspect &&
		 c->step != UBLKEV_STEP_QUIESCE && !trying)
		ublkev__life_fail(c, -ENODEV, now_ms);	/* somebody stopped it */
	/* Nor can another server have a device that was stopped. */
	if (c->step == UBLKEV_STEP_START)
		c->kept = false;
}

void ublkev__life_live_done(struct ublkev__life *c, enum ublkev__ctrl_cmd cmd,
			    const struct ublkev__ctrl_answer *a,
			    uint64_t now_ms)
{
	c->deadline_ms = UBLKEV__NEVER;
	if (cmd == UBLKEV__CTRL_UPDATE_SIZE)
		live_resized(c, a->res);
	else if (cmd == UBLKEV__CTRL_REG_BUF || cmd == UBLKEV__CTRL_UNREG_BUF)
		live_shared(c, a->res);
	else if (c->resize_sectors)
		live_resize_on(c, a, now_ms);
	else
		live_find_out(c, a, now_ms);
	if (c->step != UBLKEV_STEP_LIVE || c->pending != UBLKEV__CTRL_NONE)
		return;
	c->rung = UBLKEV__RUNG_CANCEL;
	if (c->stopping)
		ublkev__life_unwind(c, now_ms);
	else if (c->suspect && c->retry_ms == UBLKEV__NEVER)
		ublkev__life_live_ask(c, now_ms);
}

/*
 * The disk can be served without what was asked for. A command that the kernel
 * does not even end when it is cancelled stays pending there, and no other is
 * sent before its answer comes.
 */
void ublkev__life_live_expire(struct ublkev__life *c, uint64_t now_ms)
{
	if (c->rung == UBLKEV__RUNG_CANCEL) {
		c->rung = UBLKEV__RUNG_CANCEL + 1u;
		c->deadline_ms = now_ms + c->conf.grace_ms;
		ublkev__life_cancel(c);
		return;
	}
	c->deadline_ms = UBLKEV__NEVER;
	if (c->resize_sectors)
		ublkev__life_tell(c, UBLKEV_RESIZED, -ETIMEDOUT);
	else if (ublkev__life_shares(c))
		ublkev__life_tell(c, UBLKEV_SHARED, -ETIMEDOUT);
	c->rung = UBLKEV__RUNG_LOSE;
}

/* ---- stop if nobody uses it ------------------------------------------------- */

int ublkev__life_try_stop(struct ublkev__life *c, uint64_t now_ms)
{
	int err = live_may_change(c);

	if (err)
		return err;
	if (!(c->kernel_features & UBLKEV__F(SAFE_STOP_DEV)))
		return -EOPNOTSUPP;
	ublkev__life_enter(c, UBLKEV_STEP_STOP, now_ms);
	ublkev__life_command(c, UBLKEV__CTRL_TRY_STOP_DEV);
	return 0;
}

void ublkev__life_try_refused(struct ublkev__life *c, int res, uint64_t now_ms)
{
	ublkev__life_enter(c, UBLKEV_STEP_LIVE, now_ms);
	if (!ublkev__life_has_tags(c) && !c->suspect) {
		/* somebody else has stopped it */
		ublkev__life_fail(c, -ENODEV, now_ms);
		return;
	}
	ublkev__life_tell(c, UBLKEV_REFUSED, res);
	if (c->suspect)
		ublkev__life_live_ask(c, now_ms);
}

/* ---- release -------------------------------------------------------------- */

/*
 * With QUIESCE_DEV the driver keeps back the requests that come, and gives back
 * the idle tags. Requests that it gave us before are answered as ever.
 */
int ublkev__life_release(struct ublkev__life *c, uint64_t now_ms)
{
	int err = live_may_change(c);

	if (c->kept || (c->step == UBLKEV_STEP_QUIESCE && !c->stopping))
		return 0;
	if (err)
		return err;
	if (!ublkev__life_uses(c, UBLKEV__F(QUIESCE)))
		return -EOPNOTSUPP;
	ublkev__life_begin_stop(c, now_ms);
	ublkev__life_begin(c, UBLKEV_STEP_QUIESCE, now_ms);
	return 0;
}

/*
 * An error does not mean that nothing has happened: ublk_ctrl_quiesce_dev()
 * marks the device before it waits for an idle tag, and when it found none in
 * time, or was interrupted, it keeps requests back for good. Only the errors
 * that come before the mark, listed here, leave a way back.
 */
void ublkev__life_quiesced(struct ublkev__life *c, int res, uint64_t now_ms)
{
	bool refused = res == -EOPNOTSUPP || res == -ENODEV ||
		       res == -EPERM || res == -EPIPE || res == -EINVAL;

	/* Once a rung was climbed nothing that was begun is finished. */
	if (c->stopping && (refused || !c->kept || c->rung)) {
		/* What somebody has deleted can't be handed on. */
		if (c->kept && res == -ENODEV)
			ublkev__life_note_error(c, res);
		ublkev__life_unwind(c, now_ms);
	} else if (refused && ublkev__life_has_tags(c)) {
		c->limit_ms = UBLKEV__NEVER;
		ublkev__life_enter(c, UBLKEV_STEP_LIVE, now_ms);
		ublkev__life_tell(c, UBLKEV_REFUSED, res);
	} else if (refused) {
		ublkev__life_fail(c, -ENODEV, now_ms);
	} else {
		live_leave(c, now_ms);
	}
}

void ublkev__life_idle(struct ublkev__life *c, uint64_t now_ms)
{
	if (c->step == UBLKEV_STEP_QUIESCE && c->kept &&
	    c->pending == UBLKEV__CTRL_NONE)
		ublkev__life_unwind(c, now_ms);
}
