/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * now.h - the time that rates and patience are measured by
 */
#ifndef EVDEMO_NOW_H
#define EVDEMO_NOW_H

#include <stdint.h>
#include <time.h>

/* the monotonic clock */
static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

#endif /* EVDEMO_NOW_H */
