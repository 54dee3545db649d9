/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names for what the driver counts, for logs and tools.
 */
#include "core/names.h"

#include <assert.h>
#include <stddef.h>

#include "core/life_steps.h"
#include "core/queue.h"

#define NELEM(v) (sizeof(v) / sizeof((v)[0]))
#define COMPLETE(v, n) \
	static_assert(NELEM(v) == (n), #v " names every number")

static const char *const op_names[] = {
	[UBLKEV_OP_READ] = "READ",
	[UBLKEV_OP_WRITE] = "WRITE",
	[UBLKEV_OP_FLUSH] = "FLUSH",
	[UBLKEV_OP_DISCARD] = "DISCARD",
	[UBLKEV_OP_WRITE_ZEROES] = "WRITE_ZEROES",
	[UBLKEV_OP_REPORT_ZONES] = "REPORT_ZONES",
	[UBLKEV_OP_ZONE_APPEND] = "ZONE_APPEND",
	[UBLKEV_OP_ZONE_OPEN] = "ZONE_OPEN",
	[UBLKEV_OP_ZONE_CLOSE] = "ZONE_CLOSE",
	[UBLKEV_OP_ZONE_FINISH] = "ZONE_FINISH",
	[UBLKEV_OP_ZONE_RESET] = "ZONE_RESET",
	[UBLKEV_OP_ZONE_RESET_ALL] = "ZONE_RESET_ALL",
};
COMPLETE(op_names, UBLKEV_NR_OPS);

static const char *const pi_names[] = {
	[UBLKEV_PI_NONE] = "nop",
	[UBLKEV_PI_T10_DIF_TYPE1_CRC] = "T10-DIF-TYPE1-CRC",
	[UBLKEV_PI_T10_DIF_TYPE1_IP] = "T10-DIF-TYPE1-IP",
	[UBLKEV_PI_T10_DIF_TYPE3_CRC] = "T10-DIF-TYPE3-CRC",
	[UBLKEV_PI_T10_DIF_TYPE3_IP] = "T10-DIF-TYPE3-IP",
	[UBLKEV_PI_EXT_DIF_TYPE1_CRC64] = "EXT-DIF-TYPE1-CRC64",
	[UBLKEV_PI_EXT_DIF_TYPE3_CRC64] = "EXT-DIF-TYPE3-CRC64",
};
COMPLETE(pi_names, UBLKEV_NR_PIS);

static const char *const feature_names[] = {
	[UBLKEV__FB_SUPPORT_ZERO_COPY] = "SUPPORT_ZERO_COPY",
	[UBLKEV__FB_URING_CMD_COMP_IN_TASK] = "URING_CMD_COMP_IN_TASK",
	[UBLKEV__FB_NEED_GET_DATA] = "NEED_GET_DATA",
	[UBLKEV__FB_USER_RECOVERY] = "USER_RECOVERY",
	[UBLKEV__FB_USER_RECOVERY_REISSUE] = "USER_RECOVERY_REISSUE",
	[UBLKEV__FB_UNPRIVILEGED_DEV] = "UNPRIVILEGED_DEV",
	[UBLKEV__FB_CMD_IOCTL_ENCODE] = "CMD_IOCTL_ENCODE",
	[UBLKEV__FB_USER_COPY] = "USER_COPY",
	[UBLKEV__FB_ZONED] = "ZONED",
	[UBLKEV__FB_USER_RECOVERY_FAIL_IO] = "USER_RECOVERY_FAIL_IO",
	[UBLKEV__FB_UPDATE_SIZE] = "UPDATE_SIZE",
	[UBLKEV__FB_AUTO_BUF_REG] = "AUTO_BUF_REG",
	[UBLKEV__FB_QUIESCE] = "QUIESCE",
	[UBLKEV__FB_PER_IO_DAEMON] = "PER_IO_DAEMON",
	[UBLKEV__FB_BUF_REG_OFF_DAEMON] = "BUF_REG_OFF_DAEMON",
	[UBLKEV__FB_BATCH_IO] = "BATCH_IO",
	[UBLKEV__FB_INTEGRITY] = "INTEGRITY",
	[UBLKEV__FB_SAFE_STOP_DEV] = "SAFE_STOP_DEV",
	[UBLKEV__FB_NO_AUTO_PART_SCAN] = "NO_AUTO_PART_SCAN",
	[UBLKEV__FB_SHMEM_ZC] = "SHMEM_ZC",
	[UBLKEV__FB_IO_DESC_SIZE] = "IO_DESC_SIZE",
};
COMPLETE(feature_names, UBLKEV__NR_FEATURES);

static const char *const state_names[] = {
	[UBLKEV_STATE_DEAD] = "DEAD",
	[UBLKEV_STATE_LIVE] = "LIVE",
	[UBLKEV_STATE_QUIESCED] = "QUIESCED",
	[UBLKEV_STATE_FAIL_IO] = "FAIL_IO",
};
COMPLETE(state_names, UBLKEV_NR_STATES);

static const enum ublkev__ctrl_cmd ctl_cmds[] = {
	[UBLKEV_CMD_GET_FEATURES] = UBLKEV__CTRL_GET_FEATURES,
	[UBLKEV_CMD_GET_DEV_INFO] = UBLKEV__CTRL_GET_DEV_INFO,
	[UBLKEV_CMD_GET_PARAMS] = UBLKEV__CTRL_GET_PARAMS,
	[UBLKEV_CMD_GET_QUEUE_AFFINITY] = UBLKEV__CTRL_GET_QUEUE_AFFINITY,
	[UBLKEV_CMD_STOP_DEV] = UBLKEV__CTRL_STOP_DEV,
	[UBLKEV_CMD_TRY_STOP_DEV] = UBLKEV__CTRL_TRY_STOP_DEV,
	[UBLKEV_CMD_DEL_DEV] = UBLKEV__CTRL_DEL_DEV,
	[UBLKEV_CMD_DEL_DEV_ASYNC] = UBLKEV__CTRL_DEL_DEV_ASYNC,
	[UBLKEV_CMD_QUIESCE_DEV] = UBLKEV__CTRL_QUIESCE_DEV,
	[UBLKEV_CMD_UPDATE_SIZE] = UBLKEV__CTRL_UPDATE_SIZE,
};
COMPLETE(ctl_cmds, UBLKEV_NR_CMDS);

static const char *const cmd_names[] = {
	[UBLKEV__CTRL_NONE] = "none",
	[UBLKEV__CTRL_GET_FEATURES] = "GET_FEATURES",
	[UBLKEV__CTRL_ADD_DEV] = "ADD_DEV",
	[UBLKEV__CTRL_SET_PARAMS] = "SET_PARAMS",
	[UBLKEV__CTRL_GET_DEV_INFO] = "GET_DEV_INFO",
	[UBLKEV__CTRL_GET_DEV_INFO2] = "GET_DEV_INFO2",
	[UBLKEV__CTRL_GET_PARAMS] = "GET_PARAMS",
	[UBLKEV__CTRL_GET_QUEUE_AFFINITY] = "GET_QUEUE_AFFINITY",
	[UBLKEV__CTRL_START_USER_RECOVERY] = "START_USER_RECOVERY",
	[UBLKEV__CTRL_START_DEV] = "START_DEV",
	[UBLKEV__CTRL_END_USER_RECOVERY] = "END_USER_RECOVERY",
	[UBLKEV__CTRL_UPDATE_SIZE] = "UPDATE_SIZE",
	[UBLKEV__CTRL_QUIESCE_DEV] = "QUIESCE_DEV",
	[UBLKEV__CTRL_REG_BUF] = "REG_BUF",
	[UBLKEV__CTRL_UNREG_BUF] = "UNREG_BUF",
	[UBLKEV__CTRL_TRY_STOP_DEV] = "TRY_STOP_DEV",
	[UBLKEV__CTRL_STOP_DEV] = "STOP_DEV",
	[UBLKEV__CTRL_DEL_DEV] = "DEL_DEV",
	[UBLKEV__CTRL_DEL_DEV_ASYNC] = "DEL_DEV_ASYNC",
};
COMPLETE(cmd_names, UBLKEV__NR_CTRL_CMDS);

static const char *const tag_state_names[] = {
	[UBLKEV__TAG_IDLE] = "IDLE",
	[UBLKEV__TAG_DRIVER] = "DRIVER",
	[UBLKEV__TAG_READY] = "READY",
	[UBLKEV__TAG_BACKEND] = "BACKEND",
	[UBLKEV__TAG_RESULT] = "RESULT",
	[UBLKEV__TAG_MOVE] = "MOVE",
	[UBLKEV__TAG_MOVING] = "MOVING",
	[UBLKEV__TAG_DEAD] = "DEAD",
	[UBLKEV__TAG_OTHERS] = "OTHERS",
};
COMPLETE(tag_state_names, UBLKEV__NR_TAG_STATES);

static const char *name(const char *const *names, size_t n, unsigned int i)
{
	return i < n ? names[i] : "?";
}

const char *ublkev_op_name(unsigned int op)
{
	return name(op_names, NELEM(op_names), op);
}

const char *ublkev_pi_name(unsigned int pi)
{
	return name(pi_names, NELEM(pi_names), pi);
}

uint32_t ublkev_pi_bytes(unsigned int pi)
{
	if (pi == UBLKEV_PI_NONE || pi >= UBLKEV_NR_PIS)
		return 0;
	return pi >= UBLKEV_PI_EXT_DIF_TYPE1_CRC64 ? 16 : 8;
}

const char *ublkev_step_name(unsigned int step)
{
	return step < UBLKEV_NR_STEPS ? ublkev__life_steps[step].name : "?";
}

const char *ublkev_feature_name(unsigned int bit)
{
	return bit < NELEM(feature_names) ? feature_names[bit] : NULL;
}

const char *ublkev_state_name(unsigned int state)
{
	return name(state_names, NELEM(state_names), state);
}

enum ublkev__ctrl_cmd ublkev__ctrl_of_cmd(unsigned int cmd)
{
	return cmd < NELEM(ctl_cmds) ? ctl_cmds[cmd] : UBLKEV__CTRL_NONE;
}

const char *ublkev_cmd_name(unsigned int cmd)
{
	return cmd < NELEM(ctl_cmds) ? ublkev__ctrl_name(ctl_cmds[cmd]) : "?";
}

const char *ublkev__ctrl_name(unsigned int cmd)
{
	return name(cmd_names, NELEM(cmd_names), cmd);
}

const char *ublkev__tag_state_name(unsigned int state)
{
	return name(tag_state_names, NELEM(tag_state_names), state);
}
