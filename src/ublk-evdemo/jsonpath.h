/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jsonpath.h - where the control socket of a device is when nobody says
 */
#ifndef EVDEMO_JSONPATH_H
#define EVDEMO_JSONPATH_H

#include <stddef.h>
#include <sys/types.h>

/*
 * "/run/ublk-ev/ublkb<id>.sock" for root, below `runtime_dir` (the
 * environment's XDG_RUNTIME_DIR) for others; its directory is made, as 0755.
 * `root` is put before /run, "" for the real one. 0; -ENOENT (no
 * runtime_dir), -ENAMETOOLONG, those of mkdir(2).
 */
int jsonpath_default(char *buf, size_t size, const char *root, uid_t uid,
		     const char *runtime_dir, int id);

#endif /* EVDEMO_JSONPATH_H */
