/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rundir.h - where a user's servers keep their sockets and what they are told
 */
#ifndef COMMON_RUNDIR_H
#define COMMON_RUNDIR_H

#include <stddef.h>
#include <sys/types.h>

/*
 * "/run/ublk-ev" for root, below `runtime_dir` (the environment's
 * XDG_RUNTIME_DIR) for others. `root` goes before /run, "" for the real one.
 * 0; -ENOENT (no runtime_dir, or a relative one), -ENAMETOOLONG.
 */
int rundir_path(char *buf, size_t size, const char *root, uid_t uid,
		const char *runtime_dir);

/* of the calling user, by the environment */
int rundir_own(char *buf, size_t size, const char *root);

/* why rundir_own() failed, and what to do, for a line: "XDG_... is not set" */
const char *rundir_error(int err);

#endif /* COMMON_RUNDIR_H */
