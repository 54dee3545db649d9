/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filequeue.h - what the block device beneath a disk says of its queue
 */
#ifndef UBLKEV_BACKEND_FILEQUEUE_H
#define UBLKEV_BACKEND_FILEQUEUE_H

#include <stdint.h>

/* what is not known, or not limited, is 0 */
struct ublkev__filequeue {
	uint64_t discard_max_bytes;	/* 0: it does not discard, too */
	uint64_t discard_granularity_bytes;
	uint64_t io_min_bytes, io_opt_bytes;
	uint64_t max_segments;
	uint64_t max_segment_bytes;
};

/*
 * Reads the attributes of the device whose folder in sysfs that is, or of the
 * disk that it is a partition of. Waits for nothing but memory of the kernel's.
 */
void ublkev__filequeue_read(struct ublkev__filequeue *q, const char *folder);

#endif
