/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filelimit.h - how long this process may make a file
 */
#ifndef UBLKEV_BACKEND_FILELIMIT_H
#define UBLKEV_BACKEND_FILELIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

/*
 * Beyond RLIMIT_FSIZE the kernel does not only refuse (inode_newsize_ok(),
 * generic_write_checks()), but sends SIGXFSZ, which ends the process and with
 * it every disk in it, even where the file is that long already.
 */
static inline bool ublkev__beyond_file_limit(uint64_t bytes)
{
	struct rlimit most;

	return !getrlimit(RLIMIT_FSIZE, &most) &&
	       most.rlim_cur != RLIM_INFINITY && bytes > most.rlim_cur;
}

#endif
