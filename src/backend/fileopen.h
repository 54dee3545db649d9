/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fileopen.h - from a path to a descriptor that a disk can be served from
 */
#ifndef UBLKEV_BACKEND_FILEOPEN_H
#define UBLKEV_BACKEND_FILEOPEN_H

#include <stdbool.h>
#include <stdint.h>

#include <ublkev/file.h>

/* a punch, or a discard, holds a thread of the kernel's for as long as it takes */
#define MOST_PUNCH_BYTES	(UINT32_C(1) << 30)

/* a file that is open, locked, and known to be good for its disk */
struct ublkev__fileopen {
	int fd;
	bool is_block;			/* a block device, not a regular file */
	bool direct;			/* O_DIRECT */
	bool made;			/* was not there before */
	bool filled;			/* was empty before, or just made */
	uint64_t offset_bytes;
	uint64_t dev_bytes;
	uint64_t limit_bytes;		/* of that; 0: none */
	uint32_t logical_block_bytes;
	uint32_t dma_align_bytes;	/* of O_DIRECT; 0: any */
	uint32_t physical_block_bytes;
	uint32_t discard_granularity_bytes;
	uint64_t max_discard_bytes;	/* 0: none */
	/* of a block device; 0: none known */
	uint32_t io_min_bytes, io_opt_bytes;
	uint32_t max_segments;
	uint32_t max_segment_bytes;
};

/*
 * What the queue of the block device beneath says, as limits that this library
 * takes: one that it would not, or that is none, is 0. Members of f that say
 * how large blocks are have to be known.
 */
struct ublkev__filequeue;
void ublkev__fileopen_take_queue(struct ublkev__fileopen *f,
				 const struct ublkev__filequeue *q);

/*
 * `conf` is complete. Errors as of ublkev_file_new(), after which nothing is
 * open, no file was made, and one that was empty is.
 */
int ublkev__fileopen(struct ublkev__fileopen *f, const char *path,
		     const struct ublkev_file_conf *conf);

/*
 * The disk is to be dev_bytes large: a file is made longer where that takes it,
 * never shorter, which may wait for its file system. Any thread. Errors: those of fstat(2), ftruncate(2); -EFBIG
 * (RLIMIT_FSIZE); -ENOSPC: a block device is not that large, or it is beyond
 * limit_bytes.
 */
int ublkev__fileopen_lengthen(const struct ublkev__fileopen *f,
			      uint64_t dev_bytes);

/* leaves the file as it was before ublkev__fileopen(), and closes it */
void ublkev__fileopen_undo(struct ublkev__fileopen *f, const char *path);

/* closes it, and so unlocks it */
void ublkev__fileopen_close(struct ublkev__fileopen *f);

#endif
