/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmdlife.h - one control command to a device that somebody else serves
 *
 *	ASK -> SEND -> IDLE
 *
 * ASK: GET_DEV_INFO2 tells whether the device is an ordinary user's, for whose
 * commands the driver wants another form. A command that is not answered in
 * time is cancelled, and given up a grace period later. As in life.h, facts are
 * told and actions pulled, here one at a time.
 */
#ifndef UBLKEV_CORE_CMDLIFE_H
#define UBLKEV_CORE_CMDLIFE_H

#include <stdbool.h>
#include <stdint.h>

#include <ublkev/cmd.h>

#include "core/life.h"

enum ublkev__cmdlife_act {
	UBLKEV__CMDLIFE_NONE,
	UBLKEV__CMDLIFE_SEND,	/* `pending`, with `info` and `arg` */
	UBLKEV__CMDLIFE_CANCEL,	/* cancel `pending` */
	UBLKEV__CMDLIFE_END,	/* tell `res`; nothing is pending */
	UBLKEV__CMDLIFE_LOSE,	/* tell `res`; what is pending stays so */
};

struct ublkev__cmdlife {
	unsigned int cmd_timeout_ms, grace_ms;
	enum ublkev__ctrl_cmd cmd; /* what was asked for; NONE: idle */
	enum ublkev__ctrl_cmd pending;
	struct ublkev_cmd_info info;
	uint64_t arg;
	uint64_t deadline_ms;		/* UINT64_MAX: none */
	int res;
	bool cancelled;			/* it is to end, by wish or by time */
	bool timed_out;
	enum ublkev__cmdlife_act act;
};

/*
 * `arg` in the driver's unit. 0, or -EBUSY (it is not idle) or -EINVAL (no such
 * command of cmd.h, or id, or a patience of more than 32 bits).
 */
int ublkev__cmdlife_start(struct ublkev__cmdlife *l, enum ublkev_cmd_op cmd,
			  int id, uint64_t arg, uint64_t now_ms);
void ublkev__cmdlife_cancel(struct ublkev__cmdlife *l, uint64_t now_ms);
/* Fact: `cmd` was answered, or could not be sent. If it is not what is pending,
   nothing changes. */
void ublkev__cmdlife_done(struct ublkev__cmdlife *l, enum ublkev__ctrl_cmd cmd,
			  const struct ublkev__ctrl_answer *a, uint64_t now_ms);
void ublkev__cmdlife_tick(struct ublkev__cmdlife *l, uint64_t now_ms);
/* What is to be done now. After END and LOSE the command's life is idle. */
enum ublkev__cmdlife_act ublkev__cmdlife_next(struct ublkev__cmdlife *l);

#endif
