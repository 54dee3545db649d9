/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests whose data are in memory that their clients share with us: where in
 * it, as the driver says.
 */
#include <errno.h>

#include "core/queue.h"

/*
 * With metadata, which are elsewhere, and of what is no READ or WRITE, the data
 * are moved as others' are, by USER_COPY, which disks with these have.
 */
__attribute__((cold))
int ublkev__queue_find_shared(struct ublkev__queue *q, struct ublkev__tag *t,
			      const struct ublkev__desc *desc)
{
	struct ublkev_req *req = &t->req;

	if (req->op > UBLKEV_OP_WRITE || req->flags & UBLKEV_REQ_METADATA) {
		req->flags &= ~UBLKEV_REQ_SHARED;
		return 0;
	}
	req->buf = ublkev__shared_find(q->shared, desc->addr, req->len_bytes);
	if (!req->buf) {
		q->stats->rejected++;
		return -EIO;
	}
	t->how &= (uint8_t)~UBLKEV__HOW_AWAY;
	q->stats->shared++;
	return 0;
}
