/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What completes in a lane's ring: of tags and of operations on files, which go
 * to whoever reaps, of batch commands, which stand for several tags, and of what
 * a sleep has queued.
 */
#include "uring/io.h"

#include "uring/io_priv.h"
#include "uring/udata.h"

static unsigned int io_reap_batch(struct ublkev__io *io,
				  const struct io_uring_cqe *cqe,
				  struct ublkev__cqe *v, unsigned int max,
				  bool *more)
{
	unsigned int queue = udata_get_queue(cqe->user_data);

	return ublkev__batch_reap(io_batch_of(io, queue), cqe, v, max, more);
}

static inline void io_reap_tag(struct ublkev__cqe *v,
			       const struct io_uring_cqe *cqe)
{
	v->queue = (uint16_t)udata_get_queue(cqe->user_data);
	v->tag = (uint16_t)udata_get_tag(cqe->user_data);
	v->res = cqe->res;
}

/*
 * A completion of no tag: of a batch command; of what a sleep has queued; of a
 * command about a slot that was refused, which stands for the tag's commit if it
 * was in front of that; or of the eventfd's read, which is heard of only when it failed with EAGAIN, for it
 * was reset already.
 */
static unsigned int io_reap_other(struct ublkev__io *io,
				  const struct io_uring_cqe *cqe,
				  struct ublkev__cqe *v, unsigned int max,
				  bool *more)
{
	if (cqe->user_data & UDATA_BATCH)
		return io_reap_batch(io, cqe, v, max, more);
	if (udata_is_slot(cqe->user_data)) {
		if (!ublkev__io_slot_refused(io, cqe->user_data))
			return 0;
		io_reap_tag(v, cqe);
		return 1;
	}
	ublkev__io_woke(io, cqe);
	return 0;
}

/* goes on at head with v[n], where a completion may be of whatever sort */
__attribute__((noinline))
static unsigned int io_reap_mixed(struct ublkev__io *io, unsigned int head,
				  struct ublkev__cqe *v, unsigned int n,
				  unsigned int max)
{
	const struct io_uring_cq *cq = &io->ring.u.cq;
	unsigned int tail = io_uring_smp_load_acquire(cq->ktail);
	const struct io_uring_cqe *cqe;
	bool more = false;

	for (; head != tail && n < max; head++) {
		cqe = &cq->cqes[head & cq->ring_mask];
		if (udata_is_tag(cqe->user_data))
			io_reap_tag(&v[n++], cqe);
		else
			n += io_reap_other(io, cqe, v + n, max - n, &more);
		if (more)
			break;
	}
	io_uring_smp_store_release(cq->khead, head);
	return n;
}

/* nearly always there is nothing but tags: that way needs no stack */
unsigned int ublkev__io_reap(struct ublkev__io *io, struct ublkev__cqe *v,
			     unsigned int max)
{
	const struct io_uring_cq *cq = &io->ring.u.cq;
	const struct io_uring_cqe *cqe, *cqes = cq->cqes;
	unsigned int mask = cq->ring_mask;
	unsigned int head, tail, n;

	if (!io->ring.open)
		return 0;
	head = *cq->khead;
	tail = io_uring_smp_load_acquire(cq->ktail);
	for (n = 0; head != tail && n < max; head++, n++) {
		cqe = &cqes[head & mask];
		if (!udata_is_tag(cqe->user_data))
			return io_reap_mixed(io, head, v, n, max);
		io_reap_tag(&v[n], cqe);
	}
	io_uring_smp_store_release(cq->khead, head);
	return n;
}
