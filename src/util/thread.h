/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * thread.h - which thread this is
 */
#ifndef UBLKEV_UTIL_THREAD_H
#define UBLKEV_UTIL_THREAD_H

#include <errno.h>

/*
 * An address that is this thread's as long as it lives: that of its errno,
 * which costs no system call.
 */
static inline const void *ublkev__thread_self(void)
{
	return &errno;
}

#endif
