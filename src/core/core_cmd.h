/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core_cmd.h - one control command to a device that somebody else serves
 *
 *	ASK -> SEND -> IDLE
 *
 * ASK: GET_DEV_INFO2 tells whether it is an ordinary user's, whose commands
 * the driver wants in another form. A command that is not answered in time is
 * cancelled, and given up a grace period later. As in core_ctl.h, facts are
 * told and actions pulled, here one at a time.
 */
#ifndef UBLKEV_CORE_CMD_H
#define UBLKEV_CORE_CMD_H

#include <stdbool.h>
#include <stdint.h>

#include <ublkev/ctl.h>

#include "core/core_ctl.h"

enum ublkev__cmd_act {
	UBLKEV__CMD_ACT_NONE,
	UBLKEV__CMD_ACT_SEND,	/* `pending`, with `info` and `arg` */
	UBLKEV__CMD_ACT_CANCEL,	/* it */
	UBLKEV__CMD_ACT_END,	/* tell `res`; nothing is pending */
	UBLKEV__CMD_ACT_LOSE,	/* likewise, and what is pending stays so */
};

struct ublkev__cmdlife {
	unsigned int cmd_timeout_ms, grace_ms;
	enum ublkev__cmd cmd;		/* what was asked for; NONE: idle */
	enum ublkev__cmd pending;
	struct ublkev__devinfo info;
	uint64_t arg;
	uint64_t deadline_ms;		/* UINT64_MAX: none */
	int res;
	bool cancelled;			/* it is to end, by wish or by time */
	bool timed_out;
	enum ublkev__cmd_act act;
};

/*
 * `arg` in the driver's unit. 0, or -EBUSY (it is not idle) or -EINVAL (no such
 * command of ctl.h, or id, or a patience of more than 32 bits).
 */
int ublkev__cmd_start(struct ublkev__cmdlife *l, enum ublkev_ctl_cmd cmd,
		      int id, uint64_t arg, uint64_t now_ms);
void ublkev__cmd_cancel(struct ublkev__cmdlife *l, uint64_t now_ms);
/* fact: `cmd` was answered, or could not be sent; others are no answer */
void ublkev__cmd_done(struct ublkev__cmdlife *l, enum ublkev__cmd cmd,
		      const struct ublkev__ctl_answer *a, uint64_t now_ms);
void ublkev__cmd_tick(struct ublkev__cmdlife *l, uint64_t now_ms);
/* after END and LOSE it is idle */
enum ublkev__cmd_act ublkev__cmd_next(struct ublkev__cmdlife *l);

#endif
