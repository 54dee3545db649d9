/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * statx.h - statx(2), for C libraries that do not have it
 *
 * musl has it from 1.2.5 on. With an older one the system call is made here,
 * and the kernel's header says what it takes.
 */
#ifndef UBLKEV_COMMON_STATX_H
#define UBLKEV_COMMON_STATX_H

#include <fcntl.h>
#include <sys/stat.h>

#ifndef STATX_TYPE
#include <linux/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef AT_STATX_DONT_SYNC
#define AT_STATX_DONT_SYNC	0x4000
#endif

static inline int statx(int dirfd, const char *path, int flags,
			unsigned int mask, struct statx *st)
{
	return (int)syscall(SYS_statx, dirfd, path, flags, mask, st);
}
#endif

#endif
