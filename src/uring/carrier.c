/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gives each call to the carrier's ring or to its broker, whichever it was made
 * with. All that they have in common is here: the pid of START_DEV.
 */
#include "uring/carrier.h"

#include <errno.h>
#include <unistd.h>

#include "uring/carrier_broker.h"
#include "uring/carrier_ring.h"

/* Either ring or broker is there, and the other NULL. */
struct ublkev__carrier {
	const struct ublkev__alloc *mem;
	struct ublkev__cring *ring;
	struct ublkev__cbroker *broker;
};

int ublkev__carrier_new(struct ublkev__carrier **carrierp,
			const struct ublkev__alloc *mem, int evfd,
			struct ublkev_broker *broker)
{
	struct ublkev__carrier *carrier;
	int err;

	carrier = ublkev__alloc_zalloc(mem, 1, sizeof(*carrier));
	if (!carrier)
		return -ENOMEM;
	carrier->mem = mem;
	if (broker)
		err = ublkev__cbroker_new(&carrier->broker, mem, evfd, broker);
	else
		err = ublkev__cring_new(&carrier->ring, mem, evfd);
	if (err)
		ublkev__alloc_free(mem, carrier);
	else
		*carrierp = carrier;
	return err;
}

int ublkev__carrier_open(struct ublkev__carrier *carrier)
{
	return carrier->broker ? ublkev__cbroker_open(carrier->broker)
			   : ublkev__cring_open(carrier->ring);
}

bool ublkev__carrier_free(struct ublkev__carrier *carrier)
{
	bool left;

	if (!carrier)
		return false;
	left = ublkev__cring_free(carrier->ring);
	ublkev__cbroker_free(carrier->broker);
	ublkev__alloc_free(carrier->mem, carrier);
	return left;
}

int ublkev__carrier_submit(struct ublkev__carrier *carrier,
			   const struct ublkev__carrier_req *req)
{
	struct ublkev__carrier_req own = *req;

	/*
	 * The pid is the server's, whoever sends the command: Linux 7.3
	 * compares it with that of the process that opened ublkc
	 * (ublk_ctrl_start_dev()).
	 */
	if (req->cmd == UBLKEV__CTRL_START_DEV ||
	    req->cmd == UBLKEV__CTRL_END_USER_RECOVERY)
		own.data = (uint64_t)getpid();
	return carrier->broker ? ublkev__cbroker_submit(carrier->broker, &own)
			   : ublkev__cring_submit(carrier->ring, &own);
}

void ublkev__carrier_cancel(struct ublkev__carrier *carrier)
{
	if (carrier->broker)
		ublkev__cbroker_cancel(carrier->broker);
	else
		ublkev__cring_cancel(carrier->ring);
}

bool ublkev__carrier_has_work(const struct ublkev__carrier *carrier)
{
	return carrier->broker ? ublkev__cbroker_has_work(carrier->broker)
			   : ublkev__cring_has_work(carrier->ring);
}

bool ublkev__carrier_reap(struct ublkev__carrier *carrier,
			  struct ublkev__carrier_done *done)
{
	return carrier->broker ? ublkev__cbroker_reap(carrier->broker, done)
			   : ublkev__cring_reap(carrier->ring, done);
}
