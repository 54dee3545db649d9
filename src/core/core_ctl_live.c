/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stddef.h>

#include "core/core_ctl_priv.h"

static bool is_free(const struct ublkev__ctl *c)
{
	return c->step == UBLKEV_STEP_LIVE && !c->stopping && !c->suspect &&
	       c->pending == UBLKEV__CMD_NONE;
}

static void ask(struct ublkev__ctl *c, uint64_t now_ms)
{
	c->deadline_ms = now_ms + c->conf.cmd_timeout_ms;
	ublkev__ctl_command(c, UBLKEV__CMD_GET_DEV_INFO, 0);
}

/* ---- resize ------------------------------------------------------------- */

/*
 * The state first: some kernels crash on UPDATE_SIZE of a device whose disk
 * somebody else has just taken away (unfixed 6.16 to 6.19).
 */
void ublkev__ctl_resize(struct ublkev__ctl *c, uint64_t sectors,
			uint64_t now_ms)
{
	c->resize_sectors = sectors;
	ask(c, now_ms);
}

int ublkev__ctl_can_resize(const struct ublkev__ctl *c)
{
	if (!is_free(c))
		return -EINVAL;
	return ublkev__ctl_uses(c, UBLKEV__F(UPDATE_SIZE)) ? 0 : -EOPNOTSUPP;
}

static void resized(struct ublkev__ctl *c, int res)
{
	c->resize_sectors = 0;
	ublkev__ctl_tell(c, UBLKEV_RESIZED, res < 0 ? res : 0);
}

static void resize_on(struct ublkev__ctl *c,
		      const struct ublkev__ctl_answer *a, uint64_t now_ms)
{
	if (a->res < 0) {
		resized(c, a->res);
	} else if (c->stopping) {
		resized(c, -ECANCELED);
	} else if (a->info.state != UBLKEV_STATE_LIVE) {
		resized(c, -ENODEV);
	} else {
		c->deadline_ms = now_ms + c->conf.cmd_timeout_ms;
		ublkev__ctl_command(c, UBLKEV__CMD_UPDATE_SIZE,
				    c->resize_sectors);
	}
}

/* ---- stopped or quiesced by somebody else --------------------------------- */

/*
 * Tags that were idle come back when the device is stopped, and when it is
 * quiesced; the state tells which. A quiesced device is left to another
 * server.
 */
void ublkev__ctl_tag_died(struct ublkev__ctl *c, uint64_t now_ms)
{
	bool trying = c->pending == UBLKEV__CMD_TRY_STOP_DEV;

	if ((c->step != UBLKEV_STEP_LIVE && !trying) || c->stopping ||
	    !ublkev__ctl_uses(c, UBLKEV__F(QUIESCE)))
		return;
	c->suspect = true;
	if (c->pending == UBLKEV__CMD_NONE)
		ask(c, now_ms);
}

static void leave(struct ublkev__ctl *c, uint64_t now_ms)
{
	c->stopping = true;
	c->kept = true;
	c->stop_deadline_ms = now_ms + c->conf.stop_timeout_ms;
	ublkev__ctl_enter(c, UBLKEV_STEP_QUIESCE, now_ms,
			  c->stop_deadline_ms);
}

static void find_out(struct ublkev__ctl *c,
		     const struct ublkev__ctl_answer *a, uint64_t now_ms)
{
	c->suspect = false;
	if (c->stopping)
		return;
	if (a->res == -ENODEV)
		ublkev__ctl_fail(c, a->res, now_ms);
	else if (a->res < 0)
		ublkev__ctl_fault(c, a->res, now_ms);
	else if (a->info.state == UBLKEV_STATE_LIVE)
		leave(c, now_ms);
	else if (c->drained)
		ublkev__ctl_fail(c, -ENODEV, now_ms);
}

void ublkev__ctl_drained(struct ublkev__ctl *c, uint64_t now_ms)
{
	c->drained = true;
	if (c->step == UBLKEV_STEP_DRAIN)
		ublkev__ctl_unwind(c, now_ms);
	else if (!c->stopping && !c->suspect &&
		 c->step != UBLKEV_STEP_QUIESCE &&
		 c->pending != UBLKEV__CMD_TRY_STOP_DEV)
		ublkev__ctl_fail(c, -ENODEV, now_ms);	/* by somebody else */
	/* so that no other server can have it either */
	if (c->step == UBLKEV_STEP_START)
		c->kept = false;
}

void ublkev__ctl_live_done(struct ublkev__ctl *c, enum ublkev__cmd cmd,
			   const struct ublkev__ctl_answer *a,
			   uint64_t now_ms)
{
	c->deadline_ms = UBLKEV__NEVER;
	if (cmd == UBLKEV__CMD_UPDATE_SIZE)
		resized(c, a->res);
	else if (c->resize_sectors)
		resize_on(c, a, now_ms);
	else
		find_out(c, a, now_ms);
	if (c->step != UBLKEV_STEP_LIVE || c->pending != UBLKEV__CMD_NONE)
		return;
	if (c->stopping)
		ublkev__ctl_unwind(c, now_ms);
	else if (c->suspect)
		ask(c, now_ms);
}

/* ---- stop if nobody uses it ------------------------------------------------- */

int ublkev__ctl_try_stop(struct ublkev__ctl *c, uint64_t now_ms)
{
	if (!is_free(c))
		return -EINVAL;
	if (!(c->kernel_features & UBLKEV__F(SAFE_STOP_DEV)))
		return -EOPNOTSUPP;
	c->stop_deadline_ms = now_ms + c->conf.stop_timeout_ms;
	ublkev__ctl_enter(c, UBLKEV_STEP_STOP, now_ms, c->stop_deadline_ms);
	ublkev__ctl_command(c, UBLKEV__CMD_TRY_STOP_DEV, 0);
	return 0;
}

void ublkev__ctl_try_refused(struct ublkev__ctl *c, int res, uint64_t now_ms)
{
	ublkev__ctl_enter(c, UBLKEV_STEP_LIVE, now_ms, UBLKEV__NEVER);
	if (c->drained && !c->suspect) {
		ublkev__ctl_fail(c, -ENODEV, now_ms);	/* by somebody else */
		return;
	}
	ublkev__ctl_tell(c, UBLKEV_REFUSED, res);
	if (c->suspect)
		ask(c, now_ms);
}

/* ---- release -------------------------------------------------------------- */

/*
 * QUIESCE_DEV has the driver keep back what comes, and give back the idle
 * tags; what it gave us already is answered as ever.
 */
int ublkev__ctl_release(struct ublkev__ctl *c, uint64_t now_ms)
{
	if (c->kept || (c->step == UBLKEV_STEP_QUIESCE && !c->stopping))
		return 0;
	if (!is_free(c))
		return -EINVAL;
	if (!ublkev__ctl_uses(c, UBLKEV__F(QUIESCE)))
		return -EOPNOTSUPP;
	c->stop_deadline_ms = now_ms + c->conf.stop_timeout_ms;
	ublkev__ctl_enter(c, UBLKEV_STEP_QUIESCE, now_ms, c->stop_deadline_ms);
	ublkev__ctl_command(c, UBLKEV__CMD_QUIESCE_DEV,
			    c->conf.stop_timeout_ms);
	return 0;
}

/*
 * When the driver found no idle tag in time, or was interrupted, it keeps
 * requests back all the same, for good (ublk_ctrl_quiesce_dev() marks the
 * device first): there is no way back then.
 */
void ublkev__ctl_quiesced(struct ublkev__ctl *c, int res, uint64_t now_ms)
{
	bool refused = res == -EOPNOTSUPP || res == -ENODEV ||
		       res == -EPERM || res == -EPIPE || res == -EINVAL;

	if (c->stopping && (!c->kept || !c->opened)) {
		ublkev__ctl_unwind(c, now_ms);
	} else if (refused && !c->drained) {
		ublkev__ctl_enter(c, UBLKEV_STEP_LIVE, now_ms, UBLKEV__NEVER);
		ublkev__ctl_tell(c, UBLKEV_REFUSED, res);
	} else if (refused) {
		ublkev__ctl_fail(c, -ENODEV, now_ms);
	} else {
		leave(c, now_ms);
	}
}

void ublkev__ctl_idle(struct ublkev__ctl *c, uint64_t now_ms)
{
	if (c->step == UBLKEV_STEP_QUIESCE && c->kept &&
	    c->pending == UBLKEV__CMD_NONE)
		ublkev__ctl_unwind(c, now_ms);
}
