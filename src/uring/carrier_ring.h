/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * carrier_ring.h - carries control commands through a ring of this process
 *
 * It is the carrier of a device that was given no broker, and the broker has
 * one for each channel. A command that may sleep runs in a worker thread of the
 * kernel, which posts the completion itself and signals the eventfd: the ring is
 * a plain one, for with DEFER_TASKRUN somebody would have to enter the kernel.
 */
#ifndef UBLKEV_URING_CARRIER_RING_H
#define UBLKEV_URING_CARRIER_RING_H

#include "uring/carrier.h"

struct ublkev__cring;

/* carrier.h says of each what it does. */
int ublkev__cring_new(struct ublkev__cring **ringp,
		      const struct ublkev__alloc *mem, int evfd);
int ublkev__cring_open(struct ublkev__cring *r);
/*
 * Is called instead of open, by the broker, with /dev/ublk-control as it has it
 * open. The descriptor stays the caller's, who closes it after the ring is
 * freed.
 */
void ublkev__cring_share(struct ublkev__cring *r, int control_fd);
/* Opens /dev/ublk-control for that: a descriptor, or an error of open(2). */
int ublkev__cring_open_control(void);
bool ublkev__cring_free(struct ublkev__cring *r);
int ublkev__cring_submit(struct ublkev__cring *r,
			 const struct ublkev__carrier_req *req);
void ublkev__cring_cancel(struct ublkev__cring *r);
bool ublkev__cring_has_work(const struct ublkev__cring *r);
bool ublkev__cring_reap(struct ublkev__cring *r,
			struct ublkev__carrier_done *done);

#endif
