/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table, a row a step: what a step begins with, waits for, does when its
 * deadline passes, and which step comes next on the way up.
 */
#include "core/life_steps.h"

#include "core/life.h"
#include "core/names.h"

#define TIMEOUT(member) offsetof(struct ublkev_conf, member)
#define CMD(name) (1u << UBLKEV__CTRL_##name)

/* the ladder of a command that waits for no request */
#define PLAIN (UBLKEV__RUNG(CANCEL) | UBLKEV__RUNG(LOSE))

#define DEVICE UBLKEV__UNDO(DEL)
#define OPENED (DEVICE | UBLKEV__UNDO(CLOSE))
#define ARMED (OPENED | UBLKEV__UNDO(DRAIN))
#define SERVED (ARMED | UBLKEV__UNDO(STOP))

#define STILL_OUT "requests were still unanswered at the deadline and "

const struct ublkev__life_step ublkev__life_steps[UBLKEV_NR_STEPS] = {
	[UBLKEV_STEP_IDLE] = { .name = "IDLE" },
	/* these three are the engine's, before life begins */
	[UBLKEV_STEP_BACKEND] = { .name = "BACKEND" },
	[UBLKEV_STEP_SETUP] = { .name = "SETUP" },
	[UBLKEV_STEP_CONTROL] = { .name = "CONTROL" },
	[UBLKEV_STEP_FEATURES] = {
		.name = "GET_FEATURES",
		.timeout = TIMEOUT(cmd_timeout_ms),
		.ladder = PLAIN,
		.cmds = CMD(GET_FEATURES),
		.cmd = UBLKEV__CTRL_GET_FEATURES,
		.next = UBLKEV_STEP_ADD,
		.next_recover = UBLKEV_STEP_INFO,
	},
	[UBLKEV_STEP_ADD] = {
		.name = "ADD_DEV",
		.timeout = TIMEOUT(cmd_timeout_ms),
		.ladder = PLAIN,
		.cmds = CMD(ADD_DEV),
		.cmd = UBLKEV__CTRL_ADD_DEV,
		.next = UBLKEV_STEP_PARAMS,
	},
	[UBLKEV_STEP_PARAMS] = {
		.name = "SET_PARAMS",
		.timeout = TIMEOUT(cmd_timeout_ms),
		.ladder = PLAIN,
		.undo = DEVICE,
		.cmds = CMD(SET_PARAMS) | CMD(GET_QUEUE_AFFINITY),
		.cmd = UBLKEV__CTRL_SET_PARAMS,
		.next = UBLKEV_STEP_OPEN,
	},
	[UBLKEV_STEP_INFO] = {
		.name = "GET_DEV_INFO",
		.timeout = TIMEOUT(cmd_timeout_ms),
		.ladder = PLAIN,
		.cmds = CMD(GET_DEV_INFO) | CMD(GET_PARAMS) |
			CMD(GET_QUEUE_AFFINITY),
		.cmd = UBLKEV__CTRL_GET_DEV_INFO,
		.next = UBLKEV_STEP_RECOVER,
	},
	[UBLKEV_STEP_RECOVER] = {
		.name = "START_USER_RECOVERY",
		.timeout = TIMEOUT(recover_timeout_ms),
		.ladder = PLAIN,
		.cmds = CMD(START_USER_RECOVERY),
		.cmd = UBLKEV__CTRL_START_USER_RECOVERY,
		.next = UBLKEV_STEP_OPEN,
	},
	/* the deadline is that of the attempts: none of them takes time */
	[UBLKEV_STEP_OPEN] = {
		.name = "OPEN",
		.timeout = TIMEOUT(cmd_timeout_ms),
		.undo = DEVICE,
		.act = UBLKEV__LIFE_OPEN,
		.next = UBLKEV_STEP_START,
	},
	[UBLKEV_STEP_START] = {
		.name = "START_DEV",
		.silence = "the disk did not come up in time: does the backend answer the reads of the partition scan?",
		.timeout = TIMEOUT(start_timeout_ms),
		.ladder = PLAIN | UBLKEV__RUNG(ABORT) | UBLKEV__RUNG(CLOSE),
		.undo = SERVED,
		.cmds = CMD(START_DEV) | CMD(END_USER_RECOVERY),
		.act = UBLKEV__LIFE_ARM,
		.cmd = UBLKEV__CTRL_START_DEV,
		.cmd_recover = UBLKEV__CTRL_END_USER_RECOVERY,
		.next = UBLKEV_STEP_LIVE,
	},
	/* the deadline is that of a command; a device without one has none */
	[UBLKEV_STEP_LIVE] = {
		.name = "LIVE",
		.timeout = TIMEOUT(cmd_timeout_ms),
		.ladder = PLAIN | UBLKEV__RUNG(ABORT),
		.undo = SERVED,
		.cmds = CMD(NONE) | CMD(GET_DEV_INFO) | CMD(UPDATE_SIZE) |
			CMD(REG_BUF) | CMD(UNREG_BUF),
	},
	/*
	 * none is pending once the device is quiesced, and when others did it
	 */
	[UBLKEV_STEP_QUIESCE] = {
		.name = "QUIESCE_DEV",
		.silence = STILL_OUT "are left to the next server: is the backend stuck?",
		.timeout = TIMEOUT(stop_timeout_ms),
		.ladder = UBLKEV__RUNG(RECALL) | UBLKEV__RUNG(CLOSE) |
			  UBLKEV__RUNG(LOSE),
		.undo = SERVED,
		.cmds = CMD(NONE) | CMD(QUIESCE_DEV),
		.cmd = UBLKEV__CTRL_QUIESCE_DEV,
	},
	/* STOP_DEV is not cancelled: it ends when the requests do */
	[UBLKEV_STEP_STOP] = {
		.name = "STOP_DEV",
		.silence = STILL_OUT "have been failed: is the backend stuck?",
		.timeout = TIMEOUT(stop_timeout_ms),
		.ladder = UBLKEV__RUNG(ABORT) | UBLKEV__RUNG(CLOSE) |
			  UBLKEV__RUNG(LOSE),
		.undo = SERVED,
		.cmds = CMD(STOP_DEV) | CMD(TRY_STOP_DEV),
		.cmd = UBLKEV__CTRL_STOP_DEV,
	},
	[UBLKEV_STEP_DRAIN] = {
		.name = "DRAIN",
		.silence = STILL_OUT "have been failed: is the backend stuck?",
		.timeout = TIMEOUT(stop_timeout_ms),
		.ladder = UBLKEV__RUNG(ABORT) | UBLKEV__RUNG(CLOSE),
		.undo = ARMED,
	},
	/*
	 * Of a device that is kept: what is not drained may yet be written to,
	 * and the next server must not be overtaken by it.
	 */
	[UBLKEV_STEP_RECALL] = {
		.name = "RECALL",
		.silence = "operations on files have not ended, though they were cancelled: is what the file lies on stuck?",
		.timeout = TIMEOUT(stop_timeout_ms),
		.ladder = UBLKEV__RUNG(CLOSE),
		.undo = OPENED,
		.act = UBLKEV__LIFE_RECALL,
	},
	/* closing takes what it takes: rings and files that the kernel ends */
	[UBLKEV_STEP_CLOSE] = {
		.name = "CLOSE",
		.undo = OPENED,
		.act = UBLKEV__LIFE_CLOSE,
	},
	[UBLKEV_STEP_DEL] = {
		.name = "DEL_DEV",
		.silence = "somebody holds the device; it is stopped, and will vanish when they let go (mounts, open files, device-mapper)",
		.timeout = TIMEOUT(cmd_timeout_ms),
		.ladder = PLAIN,
		.undo = DEVICE,
		.cmds = CMD(DEL_DEV) | CMD(DEL_DEV_ASYNC),
		.cmd = UBLKEV__CTRL_DEL_DEV,
	},
	/* the deadline runs from the call of the backend's close_begin() */
	[UBLKEV_STEP_BACKEND_CLOSE] = {
		.name = "BACKEND_CLOSE",
		.silence = "the backend has not closed in time, the device has ended without it: what its threads may still touch is never freed",
		.timeout = TIMEOUT(stop_timeout_ms),
		.undo = DEVICE,
		.act = UBLKEV__LIFE_CLOSE_BACKEND,
	},
	[UBLKEV_STEP_GONE] = { .name = "GONE" },
	[UBLKEV_STEP_RELEASED] = { .name = "RELEASED", .undo = DEVICE },
	[UBLKEV_STEP_LOST] = { .name = "LOST", .undo = DEVICE },
};
