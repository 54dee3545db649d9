/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /run/ublk-ev for root, $XDG_RUNTIME_DIR/ublk-ev for everybody else.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/rundir.h"

int rundir_path(char *buf, size_t size, const char *root, uid_t uid,
		const char *runtime_dir)
{
	int n;

	if (uid && (!runtime_dir || runtime_dir[0] != '/'))
		return -ENOENT;
	if (uid)
		n = snprintf(buf, size, "%s/ublk-ev", runtime_dir);
	else
		n = snprintf(buf, size, "%s/run/ublk-ev", root);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int rundir_own(char *buf, size_t size, const char *root)
{
	return rundir_path(buf, size, root, geteuid(),
			   getenv("XDG_RUNTIME_DIR"));
}

const char *rundir_error(int err)
{
	if (err != -ENOENT)
		return strerror(-err);
	return getenv("XDG_RUNTIME_DIR") ?
	       "XDG_RUNTIME_DIR is no absolute path" :
	       "XDG_RUNTIME_DIR is not set";
}
