/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * carrier_ring.h - carries control commands through a ring of this process
 *
 * The carrier of a device that was given no broker, and the broker's own.
 * The ring is a plain one: a command runs in a worker thread of the kernel,
 * which posts its completion and signals the eventfd.
 */
#ifndef UBLKEV_URING_CARRIER_RING_H
#define UBLKEV_URING_CARRIER_RING_H

#include "uring/carrier.h"

struct ublkev__cring;

/* see carrier.h, which says the same of a device's carrier */
int ublkev__cring_new(struct ublkev__cring **ringp,
		      const struct ublkev__alloc *mem, int evfd);
int ublkev__cring_open(struct ublkev__cring *r);
/*
 * Instead of open: /dev/ublk-control as the caller has it open, whose it stays
 * and who keeps it open until the ring is freed
 */
void ublkev__cring_share(struct ublkev__cring *r, int control_fd);
/* a descriptor of it for that, or an error of open(2) */
int ublkev__cring_open_control(void);
bool ublkev__cring_free(struct ublkev__cring *r);
int ublkev__cring_submit(struct ublkev__cring *r,
			 const struct ublkev__carrier_req *req);
void ublkev__cring_cancel(struct ublkev__cring *r);
bool ublkev__cring_has_work(const struct ublkev__cring *r);
bool ublkev__cring_reap(struct ublkev__cring *r,
			struct ublkev__carrier_done *done);

#endif
