/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lower.h - a layer's handles of the backends beneath it
 *
 * The guard calls what is here around the calls of a layer, so that none of
 * these has to: each lower backend goes through its own life, with its own guard,
 * beside the layer's. Requests are in evsub.h.
 */
#ifndef UBLKEV_LAYER_LOWER_H
#define UBLKEV_LAYER_LOWER_H

#include <stdbool.h>

#include <ublkev/layer.h>

#include "backend/guard.h"

struct ublkev_lower {
	struct ublkev_backend *layer;
	struct ublkev_backend *beneath;
	struct ublkev_lower *next;	/* of the layer's */
	bool owned;
	bool closing;			/* it is CLOSING, for the layer */
	unsigned int subs;		/* atomic: requests that are out */
};

/* All or none, in their order. Errors: the first one's. */
int ublkev__lowers_open(struct ublkev_backend *layer);
int ublkev__lowers_start(struct ublkev_backend *layer, struct ev_loop *loop);
int ublkev__lowers_queue_start(const struct ublkev_backend *layer,
			       unsigned int queue, struct ev_loop *loop);

/* of all of them */
void ublkev__lowers_queue_stop(const struct ublkev_backend *layer,
			       unsigned int queue);
void ublkev__lowers_stop(struct ublkev_backend *layer);

/* Whether ublkev__guard_below_closed() is to follow: some close later. */
bool ublkev__lowers_begin_close(struct ublkev_backend *layer);
/* of a layer that did not open: those that close later are left to themselves */
void ublkev__lowers_close(struct ublkev_backend *layer);

/* the layer's device has ended before the layer closed, or will close never */
void ublkev__lowers_orphan(struct ublkev_backend *layer);
void ublkev__lowers_leave(struct ublkev_backend *layer);

/* the layer is freed */
void ublkev__lowers_free(struct ublkev_backend *layer);

/* without a cache whatever is answered is durable: see layer.h */
static inline bool ublkev__lower_needs_no_fua(const struct ublkev_backend *b,
					      const struct ublkev_req *sub)
{
	return sub->flags & UBLKEV_REQ_FUA &&
	       !(b->limits.flags & UBLKEV_LIMIT_VOLATILE_CACHE);
}

/* a FLUSH that has nothing to do there */
static inline bool ublkev__lower_needs_no_flush(const struct ublkev_backend *b,
						const struct ublkev_req *sub)
{
	return sub->op == UBLKEV_OP_FLUSH &&
	       b->phase == UBLKEV__GUARD_STARTED &&
	       !(b->limits.flags & UBLKEV_LIMIT_VOLATILE_CACHE);
}

#endif
