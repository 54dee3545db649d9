/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * udata.h - what stands in the user_data of the I/O ring's SQEs
 *
 *	 63        62 .. 32   31 .. 16   15 .. 0
 *	 eventfd   0          queue      tag
 */
#ifndef UBLKEV_URING_UDATA_H
#define UBLKEV_URING_UDATA_H

#include <stdint.h>

#define UDATA_EVENTFD (UINT64_C(1) << 63)

static inline uint64_t udata_tag(unsigned int queue, unsigned int tag)
{
	return (uint64_t)queue << 16 | tag;
}

static inline unsigned int udata_get_queue(uint64_t udata)
{
	return (unsigned int)(udata >> 16) & 0xffff;
}

static inline unsigned int udata_get_tag(uint64_t udata)
{
	return (unsigned int)udata & 0xffff;
}

#endif
