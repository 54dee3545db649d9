/* SPDX-License-Identifier: BSD-2-Clause */
#include "uring/ring.h"

#include <errno.h>
#include <string.h>

int ublkev__ring_open(struct ublkev__ring *r, unsigned int entries,
		      unsigned int flags, int evfd)
{
	struct io_uring_params params;
	int err;

	memset(&params, 0, sizeof(params));
	params.flags = flags;
	err = io_uring_queue_init_params(entries, &r->u, &params);
	if (err)
		return err;
	r->open = true;
	if (evfd >= 0)
		err = io_uring_register_eventfd(&r->u, evfd);
	/* a forked child's copy of the mapping would keep the ring alive */
	if (!err)
		err = io_uring_ring_dontfork(&r->u);
	if (err)
		ublkev__ring_close(r);
	return err;
}

/* liburing 2.3 declares io_uring_enable_rings(), and has none to link with */
int ublkev__ring_enable(struct ublkev__ring *r)
{
	return io_uring_register((unsigned int)r->u.ring_fd,
				 IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

void ublkev__ring_register_fd(struct ublkev__ring *r)
{
	(void)io_uring_register_ring_fd(&r->u);
}

void ublkev__ring_close(struct ublkev__ring *r)
{
	if (!r->open)
		return;
	io_uring_queue_exit(&r->u);
	r->open = false;
}

int ublkev__ring_enter(struct ublkev__ring *r)
{
	int n = io_uring_submit_and_get_events(&r->u);

	if (n >= 0 || n == -EAGAIN || n == -EBUSY || n == -EINTR)
		return 0;
	return n;
}
