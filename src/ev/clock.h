/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock.h - the monotonic clock
 */
#ifndef UBLKEV_EV_CLOCK_H
#define UBLKEV_EV_CLOCK_H

#include <stdint.h>

uint64_t ublkev__clock_us(void);

static inline uint64_t ublkev__clock_ms(void)
{
	return ublkev__clock_us() / 1000;
}

#endif
