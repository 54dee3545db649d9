/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * thread.h - which thread this is
 */
#ifndef UBLKEV_UTIL_THREAD_H
#define UBLKEV_UTIL_THREAD_H

#include <errno.h>
#include <sched.h>
#include <stdbool.h>

#include <ublkev/cmd.h>

/*
 * An address that is this thread's as long as it lives: that of its errno,
 * which costs no system call.
 */
static inline const void *ublkev__thread_self(void)
{
	return &errno;
}

/*
 * How many CPUs this thread may use: of the machine, or of its cpuset, in which
 * its clients are perhaps, too. The kernel refuses a set that is shorter than
 * its own (EINVAL), which CONFIG_NR_CPUS bounds: UBLKEV_MAX_CPUS.
 */
static inline unsigned int ublkev__thread_nr_cpus(void)
{
	cpu_set_t sets[UBLKEV_MAX_CPUS / CPU_SETSIZE];

	if (sched_getaffinity(0, sizeof(sets), sets))
		return 1;
	return (unsigned int)CPU_COUNT_S(sizeof(sets), sets);
}

static inline bool ublkev__thread_has_one_cpu(void)
{
	return ublkev__thread_nr_cpus() == 1;
}

#endif
