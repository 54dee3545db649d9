/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * thread.h - which thread this is
 */
#ifndef UBLKEV_UTIL_THREAD_H
#define UBLKEV_UTIL_THREAD_H

#include <errno.h>
#include <sched.h>
#include <stdbool.h>

/*
 * An address that is this thread's as long as it lives: that of its errno,
 * which costs no system call.
 */
static inline const void *ublkev__thread_self(void)
{
	return &errno;
}

/*
 * Whether a single CPU is all that this thread may use: of the machine, or of
 * its cpuset, in which its clients are perhaps, too. A machine with more CPUs
 * than cpu_set_t has bits (EINVAL) has more than one.
 */
static inline bool ublkev__thread_has_one_cpu(void)
{
	cpu_set_t set;

	return !sched_getaffinity(0, sizeof(set), &set) && CPU_COUNT(&set) == 1;
}

#endif
