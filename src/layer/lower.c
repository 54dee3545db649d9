/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A layer's handles: their lives beside the layer's, and where a request's data
 * are beneath it. What is submitted there is evsub.c's, for it needs a ring.
 */
#include "layer/lower.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/check.h"

/* ---- open to close -------------------------------------------------------- */

static int lower_open(struct ublkev_lower *w)
{
	const struct ublkev_backend *layer = w->layer;
	const struct ublkev__guard_user user = {
		.owner = w, .done = layer->sub_done, .device = layer->device,
		.sub_done = layer->sub_done, .calls = layer->calls,
		.log = layer->log,
	};
	int err = ublkev__guard_open_for(w->beneath, &user);

	if (err)
		ublkev__log(layer->log, LOG_ERR,
			    "backend %s: %s beneath it does not open: %s",
			    layer->ops.name, w->beneath->ops.name,
			    strerror(-err));
	return err;
}

static void lower_close_until(struct ublkev_backend *layer,
			       const struct ublkev_lower *end)
{
	struct ublkev_lower *w;

	for (w = layer->lowers; w != end; w = w->next)
		(void)ublkev__guard_close(w->beneath);
}

int ublkev__lowers_open(struct ublkev_backend *layer)
{
	struct ublkev_lower *w;
	int err;

	for (w = layer->lowers; w; w = w->next) {
		err = lower_open(w);
		if (err) {
			lower_close_until(layer, w);
			return err;
		}
	}
	return 0;
}

void ublkev__lowers_close(struct ublkev_backend *layer)
{
	lower_close_until(layer, NULL);
}

static void lower_stop_until(struct ublkev_backend *layer,
			      const struct ublkev_lower *end)
{
	struct ublkev_lower *w;

	for (w = layer->lowers; w != end; w = w->next)
		ublkev__guard_stop(w->beneath);
}

int ublkev__lowers_start(struct ublkev_backend *layer, struct ev_loop *loop)
{
	struct ublkev_lower *w;
	int err;

	for (w = layer->lowers; w; w = w->next) {
		err = ublkev__guard_start(w->beneath, loop);
		if (err) {
			lower_stop_until(layer, w);
			return err;
		}
	}
	return 0;
}

void ublkev__lowers_stop(struct ublkev_backend *layer)
{
	lower_stop_until(layer, NULL);
}

static void lower_queue_stop_until(const struct ublkev_backend *layer,
				    unsigned int queue,
				    const struct ublkev_lower *end)
{
	const struct ublkev_lower *w;

	for (w = layer->lowers; w != end; w = w->next)
		ublkev__guard_queue_stop(w->beneath, queue);
}

int ublkev__lowers_queue_start(const struct ublkev_backend *layer,
			       unsigned int queue, struct ev_loop *loop)
{
	const struct ublkev_lower *w;
	int err;

	for (w = layer->lowers; w; w = w->next) {
		err = ublkev__guard_queue_start(w->beneath, queue, loop);
		if (err) {
			lower_queue_stop_until(layer, queue, w);
			return err;
		}
	}
	return 0;
}

void ublkev__lowers_queue_stop(const struct ublkev_backend *layer,
			       unsigned int queue)
{
	lower_queue_stop_until(layer, queue, NULL);
}

static bool lower_any_closing(const struct ublkev_backend *layer)
{
	const struct ublkev_lower *w;

	for (w = layer->lowers; w; w = w->next)
		if (w->closing)
			return true;
	return false;
}

static void lower_closed(void *owner)
{
	struct ublkev_lower *w = owner;

	w->closing = false;
	if (!lower_any_closing(w->layer))
		ublkev__guard_below_closed(w->layer);
}

bool ublkev__lowers_begin_close(struct ublkev_backend *layer)
{
	struct ublkev_lower *w;

	for (w = layer->lowers; w; w = w->next) {
		w->closing = true;
		if (ublkev__guard_begin_close(w->beneath, lower_closed) ==
		    UBLKEV_DONE)
			w->closing = false;
	}
	return lower_any_closing(layer);
}

void ublkev__lowers_orphan(struct ublkev_backend *layer)
{
	struct ublkev_lower *w;

	for (w = layer->lowers; w; w = w->next)
		ublkev__guard_orphan(w->beneath);
}

void ublkev__lowers_leave(struct ublkev_backend *layer)
{
	struct ublkev_lower *w;

	for (w = layer->lowers; w; w = w->next)
		ublkev__guard_leave(w->beneath);
}

/* ---- the handle ------------------------------------------------------------ */

/* beneath a layer that is in use it comes as far as that is */
static int lower_catch_up(struct ublkev_lower *w)
{
	const struct ublkev_backend *layer = w->layer;
	int err;

	if (layer->phase != UBLKEV__GUARD_OPEN &&
	    layer->phase != UBLKEV__GUARD_STARTED)
		return 0;
	/* which would have to be called by each queue's thread */
	if (w->beneath->ops.queue_start)
		return -EOPNOTSUPP;
	err = lower_open(w);
	if (err || layer->phase != UBLKEV__GUARD_STARTED)
		return err;
	err = ublkev__guard_start(w->beneath, layer->loop);
	if (err)
		(void)ublkev__guard_close(w->beneath);
	return err;
}

/* whether it is so far above, which beneath it would be a circle */
static bool lower_is_circle(const struct ublkev_backend *layer,
			    const struct ublkev_backend *beneath)
{
	for (; layer != beneath; layer = layer->above->layer)
		if (!layer->above)
			return false;
	return true;
}

static void lower_link(struct ublkev_lower *w)
{
	struct ublkev_lower **at = &w->layer->lowers;

	while (*at)
		at = &(*at)->next;
	*at = w;
	w->beneath->above = w;
}

static void lower_unlink(struct ublkev_lower *w)
{
	struct ublkev_lower **at = &w->layer->lowers;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	w->beneath->above = NULL;
}

int ublkev_lower_new(struct ublkev_lower **lowerp, struct ublkev_backend *layer,
		     struct ublkev_backend *beneath, unsigned int flags)
{
	struct ublkev_lower *w;
	int err;

	if (flags & ~UBLKEV_LOWER_OWNED || lower_is_circle(layer, beneath))
		return -EINVAL;
	if (beneath->above || beneath->phase != UBLKEV__GUARD_CLOSED)
		return -EBUSY;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->layer = layer;
	w->beneath = beneath;
	err = lower_catch_up(w);
	if (err) {
		free(w);
		return err;
	}
	w->owned = flags & UBLKEV_LOWER_OWNED;
	lower_link(w);
	*lowerp = w;
	return 0;
}

static void lower_free(struct ublkev_lower *w)
{
	struct ublkev_backend *beneath = w->beneath;
	bool ends = w->owned || beneath->orphan;

	lower_unlink(w);
	free(w);
	if (ends)
		ublkev_backend_free(beneath);
}

void ublkev_lower_free(struct ublkev_lower *w)
{
	if (!w)
		return;
	ublkev__check(!__atomic_load_n(&w->subs, __ATOMIC_RELAXED),
		      "of a lower backend to take away no request is out");
	(void)ublkev__guard_close(w->beneath);
	lower_free(w);
}

void ublkev__lowers_free(struct ublkev_backend *layer)
{
	while (layer->lowers)
		lower_free(layer->lowers);
}

struct ublkev_backend *ublkev_lower_backend(const struct ublkev_lower *w)
{
	return w->beneath;
}

const struct ublkev_limits *ublkev_lower_limits(const struct ublkev_lower *w)
{
	return &w->beneath->limits;
}

unsigned int ublkev_backend_ways(const struct ublkev_backend *b)
{
	return (b->ops.map ? UBLKEV_WAY_MAP : 0) |
	       (b->ops.place ? UBLKEV_WAY_PLACE : 0) |
	       (b->ops.submit ? UBLKEV_WAY_SUBMIT : 0) |
	       (b->ops.resize ? UBLKEV_WAY_RESIZE : 0) |
	       (b->ops.grow ? UBLKEV_WAY_GROW : 0);
}

/* ---- where data are -------------------------------------------------------- */

void *ublkev_lower_map(const struct ublkev_lower *w,
		       const struct ublkev_req *sub)
{
	const struct ublkev_backend *b = w->beneath;

	if (!b->ops.map || ublkev__guard_check(b, sub))
		return NULL;
	return ublkev__guard_map(b, sub);
}

/* what was found is not to be used, for there is no room for it */
static int lower_unplace(const struct ublkev_backend *b,
			 const struct ublkev_req *sub)
{
	(void)ublkev__guard_placed(b, sub, -ECANCELED);
	return 0;
}

static int lower_place_some(const struct ublkev_backend *b,
			    const struct ublkev_req *sub,
			    struct ublkev_extent *extents, int room)
{
	struct ublkev_extent all[UBLKEV_MAX_EXTENTS];
	bool rejected;
	int n = ublkev__guard_place(b, sub, all, &rejected);

	if (n > room)
		return lower_unplace(b, sub);
	if (n > 0)
		memcpy(extents, all, (unsigned int)n * sizeof(*extents));
	return n;
}

static int lower_place_durable(const struct ublkev_lower *w,
			       const struct ublkev_req *sub,
			       struct ublkev_extent *extents, int room)
{
	struct ublkev_req own = *sub;

	own.flags &= ~UBLKEV_REQ_FUA;
	return ublkev_lower_place(w, &own, extents, room);
}

int ublkev_lower_place(const struct ublkev_lower *w,
		       const struct ublkev_req *sub,
		       struct ublkev_extent *extents, int room)
{
	const struct ublkev_backend *b = w->beneath;
	bool rejected;

	if (room <= 0)
		return 0;
	if (ublkev__lower_needs_no_flush(b, sub)) {
		*extents = (struct ublkev_extent){ .fd = -1 };
		return 1;
	}
	if (!b->ops.place)
		return 0;
	if (ublkev__lower_needs_no_fua(b, sub))
		return lower_place_durable(w, sub, extents, room);
	if (room >= UBLKEV_MAX_EXTENTS)
		return ublkev__guard_place(b, sub, extents, &rejected);
	return lower_place_some(b, sub, extents, room);
}

int ublkev_lower_placed(const struct ublkev_lower *w,
			const struct ublkev_req *sub, int err)
{
	const struct ublkev_backend *b = w->beneath;
	struct ublkev_req own;

	if (ublkev__lower_needs_no_flush(b, sub))
		return err;
	if (!ublkev__lower_needs_no_fua(b, sub))
		return ublkev__guard_placed(b, sub, err);
	own = *sub;
	own.flags &= ~UBLKEV_REQ_FUA;
	return ublkev__guard_placed(b, &own, err);
}

/* ---- size ------------------------------------------------------------------- */

int ublkev_lower_resize(struct ublkev_lower *w, uint64_t dev_bytes)
{
	int err = ublkev__guard_can_resize(w->beneath, dev_bytes);

	return err ? err : ublkev__guard_resize(w->beneath, dev_bytes);
}

int ublkev_lower_grow(const struct ublkev_lower *w, uint64_t dev_bytes)
{
	int err = ublkev__guard_can_resize(w->beneath, dev_bytes);

	if (err || !w->beneath->ops.grow)
		return err;
	return ublkev__guard_grow(w->beneath, dev_bytes);
}
