/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_io_priv.h - the fake driver's io, for its life and its ring
 */
#ifndef UBLKEV_TESTS_FAKE_IO_PRIV_H
#define UBLKEV_TESTS_FAKE_IO_PRIV_H

#include <pthread.h>

#include "fake_priv.h"

enum fake_sqe_kind { SQE_FETCH, SQE_COMMIT, SQE_READ, SQE_GET, SQE_COPY,
		     SQE_FILE, SQE_UNWATCH, SQE_FILL, SQE_EMPTY };

struct fake_sqe {
	enum fake_sqe_kind kind;
	unsigned int queue, tag;
	int result;
	bool in;
	uint32_t bytes;
	uint64_t sector;	/* of a ZONE_APPEND */
	void *buf;
	struct ublkev__fileop op;
};

/* an operation on a file that the kernel has not done yet */
struct fake_fileop {
	struct fake_fileop *next;
	unsigned int queue, tag;	/* queue: as in a completion */
	struct ublkev__fileop op;
};

struct ublkev__io {
	const struct ublkev__alloc *mem;
	bool open;		/* the ring */
	bool muted, taskrun, woken;
	int watch_fd;		/* what ends a sleep */
	bool watching, alarmed, unwatching;
	bool asleep;
	int alarm_fd;		/* work was added meanwhile */
	bool unprivileged;	/* what is submitted now */
	bool cut;		/* whoever had it is dead */
	int evfd;
	bool by_ring;
	int ring_fd;		/* readable while there is something to reap */
	unsigned int queues, depth;
	unsigned int first;		/* number of the first queue */
	bool apart, dormant;
	pthread_t thread;		/* whose ring it is */
	uint32_t max_io_bytes;
	size_t buf_bytes;
	char *bufs, *spare;
	struct fake_dev *dev;	/* whose ublkc is open */
	bool for_files, for_pages, huge_bufs;
	unsigned int desc_bytes;	/* 0: as the driver's own */
	uint32_t metadata_bytes, metadata_interval_bytes;
	bool left_bufs;			/* to whoever may touch them */
	unsigned int nr_file_sqes;
	struct fake_fileop *ops;
	unsigned int looked;		/* fake_file.c */
	unsigned int nr_sqes, nr_work, nr_cqes, size;
	struct fake_sqe *sqes;
	struct ublkev__cqe *work, *cqes;
};

#endif
