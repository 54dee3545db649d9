/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One command of a tool's, from the question whose device it is to its
 * answer or the end of all patience.
 */
#include "core/cmdlife.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "core/params.h"

#define NEVER UINT64_MAX

static void cmdlife_send(struct ublkev__cmdlife *l, enum ublkev__ctrl_cmd cmd,
			 uint64_t now_ms)
{
	l->pending = cmd;
	l->act = UBLKEV__CMDLIFE_SEND;
	l->deadline_ms = now_ms + l->cmd_timeout_ms;
	/* QUIESCE_DEV's argument is how long the kernel itself waits. */
	if (cmd == UBLKEV__CTRL_QUIESCE_DEV)
		l->deadline_ms += l->arg;
}

static void cmdlife_end(struct ublkev__cmdlife *l, enum ublkev__cmdlife_act act,
			int res)
{
	l->act = act;
	l->res = res;
	l->deadline_ms = NEVER;
}

int ublkev__cmdlife_start(struct ublkev__cmdlife *l, enum ublkev_cmd_op cmd,
			  int id, uint64_t arg, uint64_t now_ms)
{
	enum ublkev__ctrl_cmd which = ublkev__ctrl_of_cmd(cmd);
	bool ask = which != UBLKEV__CTRL_GET_FEATURES;

	if (l->cmd != UBLKEV__CTRL_NONE)
		return -EBUSY;
	if (which == UBLKEV__CTRL_NONE ||
	    (ask && (id < 0 || id > UBLKEV__MAX_ID)))
		return -EINVAL;
	/* The driver takes 32 bits of milliseconds. */
	if (which == UBLKEV__CTRL_QUIESCE_DEV && arg > UINT32_MAX)
		return -EINVAL;
	l->cmd = which;
	memset(&l->info, 0, sizeof(l->info));
	l->info.id = id;
	l->arg = arg;
	l->res = 0;
	l->cancelled = l->timed_out = false;
	l->deadline_ms = NEVER;
	cmdlife_send(l, ask ? UBLKEV__CTRL_GET_DEV_INFO2 : which, now_ms);
	return 0;
}

static int cmdlife_why(const struct ublkev__cmdlife *l)
{
	return l->timed_out ? -ETIMEDOUT : -ECANCELED;
}

static void cmdlife_cancel(struct ublkev__cmdlife *l, uint64_t now_ms)
{
	l->cancelled = true;
	if (l->act == UBLKEV__CMDLIFE_SEND) {	/* it was not sent yet */
		l->pending = UBLKEV__CTRL_NONE;
		cmdlife_end(l, UBLKEV__CMDLIFE_END, cmdlife_why(l));
		return;
	}
	l->deadline_ms = now_ms + l->grace_ms;
	l->act = UBLKEV__CMDLIFE_CANCEL;
}

void ublkev__cmdlife_cancel(struct ublkev__cmdlife *l, uint64_t now_ms)
{
	if (l->pending == UBLKEV__CTRL_NONE || l->cancelled)
		return;
	cmdlife_cancel(l, now_ms);
}

static void cmdlife_asked(struct ublkev__cmdlife *l, enum ublkev__ctrl_cmd cmd,
			  const struct ublkev__ctrl_answer *a, uint64_t now_ms)
{
	if (a->res >= 0)
		l->info = a->info;
	if (a->res == -ENOENT && cmd == UBLKEV__CTRL_GET_DEV_INFO2)
		/* GET_DEV_INFO2 names the device by its node, and that is not
		   in /dev. */
		cmdlife_send(l, UBLKEV__CTRL_GET_DEV_INFO, now_ms);
	else if (a->res < 0 || l->cmd == UBLKEV__CTRL_GET_DEV_INFO)
		cmdlife_end(l, UBLKEV__CMDLIFE_END, a->res);
	else if (l->cmd == UBLKEV__CTRL_UPDATE_SIZE &&
		 a->info.state != UBLKEV_STATE_LIVE)
		/* UPDATE_SIZE of a device without a disk crashes 6.16 to 6.19. */
		cmdlife_end(l, UBLKEV__CMDLIFE_END, -ENODEV);
	else
		cmdlife_send(l, l->cmd, now_ms);
}

void ublkev__cmdlife_done(struct ublkev__cmdlife *l, enum ublkev__ctrl_cmd cmd,
			  const struct ublkev__ctrl_answer *a, uint64_t now_ms)
{
	bool last = cmd == l->cmd && cmd != UBLKEV__CTRL_GET_DEV_INFO;

	if (cmd == UBLKEV__CTRL_NONE || cmd != l->pending)
		return;
	l->pending = UBLKEV__CTRL_NONE;
	/* A command that was answered although it was cancelled was done. */
	if (l->cancelled && (!last || a->res == -EINTR ||
			     a->res == -ECANCELED))
		cmdlife_end(l, UBLKEV__CMDLIFE_END, cmdlife_why(l));
	else if (last)
		cmdlife_end(l, UBLKEV__CMDLIFE_END, a->res < 0 ? a->res : 0);
	else
		cmdlife_asked(l, cmd, a, now_ms);
}

void ublkev__cmdlife_tick(struct ublkev__cmdlife *l, uint64_t now_ms)
{
	if (l->pending == UBLKEV__CTRL_NONE || now_ms < l->deadline_ms)
		return;
	if (l->cancelled) {
		l->pending = UBLKEV__CTRL_NONE;
		cmdlife_end(l, UBLKEV__CMDLIFE_LOSE, -ETIMEDOUT);
		return;
	}
	l->timed_out = true;
	cmdlife_cancel(l, now_ms);
}

enum ublkev__cmdlife_act ublkev__cmdlife_next(struct ublkev__cmdlife *l)
{
	enum ublkev__cmdlife_act act = l->act;

	l->act = UBLKEV__CMDLIFE_NONE;
	if (act == UBLKEV__CMDLIFE_END || act == UBLKEV__CMDLIFE_LOSE)
		l->cmd = UBLKEV__CTRL_NONE;
	return act;
}
