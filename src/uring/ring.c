/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes an io_uring and enters it: one system call submits what is queued and
 * runs what task work waits. A refusal that goes away by itself is no error, and
 * what was refused stays queued.
 */
#include "uring/ring.h"

#include <errno.h>
#include <string.h>

/*
 * The array says which SQE is the n-th to submit, and the n-th it always is
 * here; so the array is written once, and a submission is a store of the tail.
 * A ring without one has no array to write.
 */
static void ring_fill_array(struct io_uring *u)
{
	unsigned int i;

	for (i = 0; u->sq.array && i < u->sq.ring_entries; i++)
		u->sq.array[i] = i;
}

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
	r->registered = false;
	ring_fill_array(&r->u);
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
	r->registered = io_uring_register_ring_fd(&r->u) == 1;
}

void ublkev__ring_close(struct ublkev__ring *r)
{
	if (!r->open)
		return;
	io_uring_queue_exit(&r->u);
	r->open = false;
}

/* Publishes the SQEs that are filled: how many the kernel has not taken yet. */
static unsigned int ring_flush(struct ublkev__ring *r)
{
	struct io_uring_sq *sq = &r->u.sq;

	sq->sqe_head = sq->sqe_tail;
	io_uring_smp_store_release(sq->ktail, sq->sqe_tail);
	return sq->sqe_tail - *sq->khead;
}

static int ring_enter(struct ublkev__ring *r, unsigned int least)
{
	unsigned int flags = IORING_ENTER_GETEVENTS;
	int n;

	if (r->registered)
		flags |= IORING_ENTER_REGISTERED_RING;
	n = io_uring_enter2((unsigned int)r->u.enter_ring_fd, ring_flush(r),
			    least, flags, NULL, 0);
	if (n >= 0 || n == -EAGAIN || n == -EBUSY || n == -EINTR)
		return 0;
	return n;
}

int ublkev__ring_enter(struct ublkev__ring *r)
{
	return ring_enter(r, 0);
}

int ublkev__ring_wait(struct ublkev__ring *r)
{
	return ring_enter(r, 1);
}
