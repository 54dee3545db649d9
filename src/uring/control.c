/* SPDX-License-Identifier: BSD-2-Clause */
#include "uring/control.h"

#include <errno.h>
#include <unistd.h>

#include "uring/control_broker.h"
#include "uring/control_ring.h"

/* one of the two is there */
struct ublkev__control {
	const struct ublkev__mem *mem;
	struct ublkev__cring *ring;
	struct ublkev__cbroker *broker;
};

int ublkev__control_new(struct ublkev__control **ctlp,
			const struct ublkev__mem *mem, int evfd,
			struct ublkev_broker *broker)
{
	struct ublkev__control *ctl = ublkev__mem_zalloc(mem, 1, sizeof(*ctl));
	int err;

	if (!ctl)
		return -ENOMEM;
	ctl->mem = mem;
	if (broker)
		err = ublkev__cbroker_new(&ctl->broker, mem, evfd, broker);
	else
		err = ublkev__cring_new(&ctl->ring, mem, evfd);
	if (err)
		ublkev__mem_free(mem, ctl);
	else
		*ctlp = ctl;
	return err;
}

int ublkev__control_open(struct ublkev__control *ctl)
{
	return ctl->broker ? ublkev__cbroker_open(ctl->broker)
			   : ublkev__cring_open(ctl->ring);
}

bool ublkev__control_free(struct ublkev__control *ctl)
{
	bool left;

	if (!ctl)
		return false;
	left = ublkev__cring_free(ctl->ring);
	ublkev__cbroker_free(ctl->broker);
	ublkev__mem_free(ctl->mem, ctl);
	return left;
}

int ublkev__control_submit(struct ublkev__control *ctl,
			   const struct ublkev__control_req *req)
{
	struct ublkev__control_req own = *req;

	if (req->cmd == UBLKEV__CMD_START_DEV ||
	    req->cmd == UBLKEV__CMD_END_USER_RECOVERY)
		own.data = (uint64_t)getpid();
	return ctl->broker ? ublkev__cbroker_submit(ctl->broker, &own)
			   : ublkev__cring_submit(ctl->ring, &own);
}

void ublkev__control_cancel(struct ublkev__control *ctl)
{
	if (ctl->broker)
		ublkev__cbroker_cancel(ctl->broker);
	else
		ublkev__cring_cancel(ctl->ring);
}

bool ublkev__control_has_work(const struct ublkev__control *ctl)
{
	return ctl->broker ? ublkev__cbroker_has_work(ctl->broker)
			   : ublkev__cring_has_work(ctl->ring);
}

bool ublkev__control_reap(struct ublkev__control *ctl,
			  struct ublkev__control_done *done)
{
	return ctl->broker ? ublkev__cbroker_reap(ctl->broker, done)
			   : ublkev__cring_reap(ctl->ring, done);
}
