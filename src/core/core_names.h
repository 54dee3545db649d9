/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core_names.h - the numbers the core decides by, and their names
 *
 * Features, errors and results with the driver's own numbers; src/uring/abi.c
 * asserts that they are the same.
 */
#ifndef UBLKEV_CORE_NAMES_H
#define UBLKEV_CORE_NAMES_H

#include <stdint.h>

#include <ublkev/ctl.h>
#include <ublkev/dev.h>

/* UBLK_F_*, by bit */
enum ublkev__feature_bit {
	UBLKEV__FB_SUPPORT_ZERO_COPY,
	UBLKEV__FB_URING_CMD_COMP_IN_TASK,
	UBLKEV__FB_NEED_GET_DATA,
	UBLKEV__FB_USER_RECOVERY,
	UBLKEV__FB_USER_RECOVERY_REISSUE,
	UBLKEV__FB_UNPRIVILEGED_DEV,
	UBLKEV__FB_CMD_IOCTL_ENCODE,
	UBLKEV__FB_USER_COPY,
	UBLKEV__FB_ZONED,
	UBLKEV__FB_USER_RECOVERY_FAIL_IO,
	UBLKEV__FB_UPDATE_SIZE,
	UBLKEV__FB_AUTO_BUF_REG,
	UBLKEV__FB_QUIESCE,
	UBLKEV__FB_PER_IO_DAEMON,
	UBLKEV__FB_BUF_REG_OFF_DAEMON,
	UBLKEV__FB_BATCH_IO,
	UBLKEV__FB_INTEGRITY,
	UBLKEV__FB_SAFE_STOP_DEV,
	UBLKEV__FB_NO_AUTO_PART_SCAN,
	UBLKEV__FB_SHMEM_ZC,
	UBLKEV__FB_IO_DESC_SIZE,
	UBLKEV__NR_FEATURES
};

#define UBLKEV__F(name) (UINT64_C(1) << UBLKEV__FB_##name)

/* the driver's control commands */
enum ublkev__cmd {
	UBLKEV__CMD_NONE,
	UBLKEV__CMD_GET_FEATURES,
	UBLKEV__CMD_ADD_DEV,
	UBLKEV__CMD_SET_PARAMS,
	UBLKEV__CMD_GET_DEV_INFO,
	UBLKEV__CMD_GET_DEV_INFO2,
	UBLKEV__CMD_GET_PARAMS,
	UBLKEV__CMD_GET_QUEUE_AFFINITY,
	UBLKEV__CMD_START_USER_RECOVERY,
	UBLKEV__CMD_START_DEV,
	UBLKEV__CMD_END_USER_RECOVERY,
	UBLKEV__CMD_UPDATE_SIZE,
	UBLKEV__CMD_QUIESCE_DEV,
	UBLKEV__CMD_TRY_STOP_DEV,
	UBLKEV__CMD_STOP_DEV,
	UBLKEV__CMD_DEL_DEV,
	UBLKEV__CMD_DEL_DEV_ASYNC,
	UBLKEV__NR_CMDS
};

/* what a command of ctl.h sends; UBLKEV__CMD_NONE for a number that is none */
enum ublkev__cmd ublkev__cmd_of_ctl(unsigned int cmd);

/* "ADD_DEV"; "?" for a number that is no command */
const char *ublkev__cmd_name(unsigned int cmd);

/* "READY"; "?" for a number that is no enum ublkev__tag_state */
const char *ublkev__tag_state_name(unsigned int state);

#endif
