/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * carrier_broker.h - carries control commands to the broker; the device's
 * side of a channel
 */
#ifndef UBLKEV_URING_CARRIER_BROKER_H
#define UBLKEV_URING_CARRIER_BROKER_H

#include "uring/carrier.h"

struct ublkev__cbroker;

/* carrier.h says of each what it does. */
int ublkev__cbroker_new(struct ublkev__cbroker **bp,
			const struct ublkev__alloc *mem, int evfd,
			struct ublkev_broker *broker);
int ublkev__cbroker_open(struct ublkev__cbroker *b);
/* The broker sees to a pending command, and to a device that is left. */
void ublkev__cbroker_free(struct ublkev__cbroker *b);
int ublkev__cbroker_submit(struct ublkev__cbroker *b,
			   const struct ublkev__carrier_req *req);
void ublkev__cbroker_cancel(struct ublkev__cbroker *b);
bool ublkev__cbroker_has_work(const struct ublkev__cbroker *b);
bool ublkev__cbroker_reap(struct ublkev__cbroker *b,
			  struct ublkev__carrier_done *done);

#endif
