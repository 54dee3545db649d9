/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The name of a device's control socket in the directory of its user's
 * servers.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/rundir.h"
#include "ublk-evdemo/jsonpath.h"

int jsonpath_default(char *buf, size_t size, const char *root, uid_t uid,
		     const char *runtime_dir, int id)
{
	char dir[4096];
	int n, err;

	err = rundir_path(dir, sizeof(dir), root, uid, runtime_dir);
	if (err)
		return err;
	n = snprintf(buf, size, "%s/ublkb%d.sock", dir, id);
	if (n < 0 || (size_t)n >= size)
		return -ENAMETOOLONG;
	/* 0755 or less, as the umask has it */
	if (mkdir(dir, 0755) && errno != EEXIST)
		return -errno;
	return 0;
}
