/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cdev.h - /dev/ublkc<id>, and the request descriptors mapped from it
 *
 * The driver lets a device be deleted only when ublkc is closed and every
 * mapping of it is gone, a forked child's included. It can be opened once
 * (ublk_ch_open()), so the thread of the device's loop does it for all queues.
 */
#ifndef UBLKEV_URING_CDEV_H
#define UBLKEV_URING_CDEV_H

#include <stdbool.h>

#include "core/decode.h"

struct ublkev__cdev {
	int fd;				/* -1: closed */
	unsigned int queues, depth;	/* as mapped */
	unsigned int desc_bytes;	/* of a descriptor: its owner's to set,
					   between init and open */
	const struct ublkev__desc **descs; /* [queues], the caller's array */
};

/* The array `descs` has room for as many queues as will ever be opened. */
void ublkev__cdev_init(struct ublkev__cdev *c,
		       const struct ublkev__desc **descs);

/* Errors: those of open(2) and mmap(2); nothing is then left open. */
int ublkev__cdev_open(struct ublkev__cdev *c, int id, unsigned int queues,
		      unsigned int depth);

/*
 * Whether somebody has /dev/ublkc<id> open, if only a ring that is being closed
 * since its process died (io_ring_exit_work()). Nobody else can open it while
 * the question is asked, so it is for devices that no server will open again.
 */
bool ublkev__cdev_held(int id);

/* Unmaps and closes; does nothing when it is not open. */
void ublkev__cdev_close(struct ublkev__cdev *c);

#endif
