/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * names.h - the numbers the core decides by, and their names
 *
 * Features, errors and results with the driver's own numbers; src/uring/abi.c
 * asserts that they are the same.
 */
#ifndef UBLKEV_CORE_NAMES_H
#define UBLKEV_CORE_NAMES_H

#include <stdint.h>

#include <ublkev/cmd.h>
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
enum ublkev__ctrl_cmd {
	UBLKEV__CTRL_NONE,
	UBLKEV__CTRL_GET_FEATURES,
	UBLKEV__CTRL_ADD_DEV,
	UBLKEV__CTRL_SET_PARAMS,
	UBLKEV__CTRL_GET_DEV_INFO,
	UBLKEV__CTRL_GET_DEV_INFO2,
	UBLKEV__CTRL_GET_PARAMS,
	UBLKEV__CTRL_GET_QUEUE_AFFINITY,
	UBLKEV__CTRL_START_USER_RECOVERY,
	UBLKEV__CTRL_START_DEV,
	UBLKEV__CTRL_END_USER_RECOVERY,
	UBLKEV__CTRL_UPDATE_SIZE,
	UBLKEV__CTRL_QUIESCE_DEV,
	UBLKEV__CTRL_REG_BUF,
	UBLKEV__CTRL_UNREG_BUF,
	UBLKEV__CTRL_TRY_STOP_DEV,
	UBLKEV__CTRL_STOP_DEV,
	UBLKEV__CTRL_DEL_DEV,
	UBLKEV__CTRL_DEL_DEV_ASYNC,
	UBLKEV__NR_CTRL_CMDS
};

/* what a command of cmd.h sends; UBLKEV__CTRL_NONE for a number that is none */
enum ublkev__ctrl_cmd ublkev__ctrl_of_cmd(unsigned int cmd);

/* "ADD_DEV"; "?" for a number that is no command */
const char *ublkev__ctrl_name(unsigned int cmd);

/* "READY"; "?" for a number that is no enum ublkev__tag_state */
const char *ublkev__tag_state_name(unsigned int state);

#endif
