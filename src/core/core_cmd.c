/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/core_cmd.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "core/core_params.h"

#define NEVER UINT64_MAX

static void send(struct ublkev__cmdlife *l, enum ublkev__cmd cmd,
		 uint64_t now_ms)
{
	l->pending = cmd;
	l->act = UBLKEV__CMD_ACT_SEND;
	l->deadline_ms = now_ms + l->cmd_timeout_ms;
	/* the kernel's own patience is the argument */
	if (cmd == UBLKEV__CMD_QUIESCE_DEV)
		l->deadline_ms += l->arg;
}

static void end(struct ublkev__cmdlife *l, enum ublkev__cmd_act act, int res)
{
	l->act = act;
	l->res = res;
	l->deadline_ms = NEVER;
}

int ublkev__cmd_start(struct ublkev__cmdlife *l, enum ublkev_ctl_cmd cmd,
		      int id, uint64_t arg, uint64_t now_ms)
{
	enum ublkev__cmd which = ublkev__cmd_of_ctl(cmd);
	bool ask = which != UBLKEV__CMD_GET_FEATURES;

	if (l->cmd != UBLKEV__CMD_NONE)
		return -EBUSY;
	if (which == UBLKEV__CMD_NONE ||
	    (ask && (id < 0 || id > UBLKEV__MAX_ID)))
		return -EINVAL;
	/* the driver knows 32 bits of milliseconds */
	if (which == UBLKEV__CMD_QUIESCE_DEV && arg > UINT32_MAX)
		return -EINVAL;
	l->cmd = which;
	memset(&l->info, 0, sizeof(l->info));
	l->info.id = id;
	l->arg = arg;
	l->res = 0;
	l->cancelled = l->timed_out = false;
	l->deadline_ms = NEVER;
	send(l, ask ? UBLKEV__CMD_GET_DEV_INFO2 : which, now_ms);
	return 0;
}

static int why(const struct ublkev__cmdlife *l)
{
	return l->timed_out ? -ETIMEDOUT : -ECANCELED;
}

static void cancel(struct ublkev__cmdlife *l, uint64_t now_ms)
{
	l->cancelled = true;
	if (l->act == UBLKEV__CMD_ACT_SEND) {	/* it was not sent yet */
		l->pending = UBLKEV__CMD_NONE;
		end(l, UBLKEV__CMD_ACT_END, why(l));
		return;
	}
	l->deadline_ms = now_ms + l->grace_ms;
	l->act = UBLKEV__CMD_ACT_CANCEL;
}

void ublkev__cmd_cancel(struct ublkev__cmdlife *l, uint64_t now_ms)
{
	if (l->pending == UBLKEV__CMD_NONE || l->cancelled)
		return;
	cancel(l, now_ms);
}

static void asked(struct ublkev__cmdlife *l, enum ublkev__cmd cmd,
		  const struct ublkev__ctl_answer *a, uint64_t now_ms)
{
	if (a->res >= 0)
		l->info = a->info;
	if (a->res == -ENOENT && cmd == UBLKEV__CMD_GET_DEV_INFO2)
		/* the node is not in /dev: it can't be asked that way */
		send(l, UBLKEV__CMD_GET_DEV_INFO, now_ms);
	else if (a->res < 0 || l->cmd == UBLKEV__CMD_GET_DEV_INFO)
		end(l, UBLKEV__CMD_ACT_END, a->res);
	else if (l->cmd == UBLKEV__CMD_UPDATE_SIZE &&
		 a->info.state != UBLKEV_STATE_LIVE)
		/* without a disk it crashes some kernels (6.16 to 6.19) */
		end(l, UBLKEV__CMD_ACT_END, -ENODEV);
	else
		send(l, l->cmd, now_ms);
}

void ublkev__cmd_done(struct ublkev__cmdlife *l, enum ublkev__cmd cmd,
		      const struct ublkev__ctl_answer *a, uint64_t now_ms)
{
	bool last = cmd == l->cmd && cmd != UBLKEV__CMD_GET_DEV_INFO;

	if (cmd == UBLKEV__CMD_NONE || cmd != l->pending)
		return;
	l->pending = UBLKEV__CMD_NONE;
	/* an answer that came all the same is one */
	if (l->cancelled && (!last || a->res == -EINTR ||
			     a->res == -ECANCELED))
		end(l, UBLKEV__CMD_ACT_END, why(l));
	else if (last)
		end(l, UBLKEV__CMD_ACT_END, a->res < 0 ? a->res : 0);
	else
		asked(l, cmd, a, now_ms);
}

void ublkev__cmd_tick(struct ublkev__cmdlife *l, uint64_t now_ms)
{
	if (l->pending == UBLKEV__CMD_NONE || now_ms < l->deadline_ms)
		return;
	if (l->cancelled) {
		l->pending = UBLKEV__CMD_NONE;
		end(l, UBLKEV__CMD_ACT_LOSE, -ETIMEDOUT);
		return;
	}
	l->timed_out = true;
	cancel(l, now_ms);
}

enum ublkev__cmd_act ublkev__cmd_next(struct ublkev__cmdlife *l)
{
	enum ublkev__cmd_act act = l->act;

	l->act = UBLKEV__CMD_ACT_NONE;
	if (act == UBLKEV__CMD_ACT_END || act == UBLKEV__CMD_ACT_LOSE)
		l->cmd = UBLKEV__CMD_NONE;
	return act;
}
