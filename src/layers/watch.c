/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All that a request is about goes on as it came; what is noted of it is noted when
 * it has ended.
 */
#include "layers/watch.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <ublkev/layers.h>

#include "backend/guard.h"
#include "util/sized.h"

#define ADD(counter, n)	__atomic_fetch_add(&(counter), (n), __ATOMIC_RELAXED)

struct watch {
	struct ublkev_backend *backend;
	struct ublkev_lower *lower;
	bool logs;
	struct ublkev_layer_stats stats;	/* queues' threads add to it */
};

static void watch_log(const struct watch *w, const struct ublkev_req *req,
		      int err)
{
	ublkev__log(w->backend->log, LOG_INFO, "log: %s of %llu at %llu%s: %d",
		    ublkev_op_name(req->op), (unsigned long long)req->len_bytes,
		    (unsigned long long)req->offset_bytes,
		    req->flags & UBLKEV_REQ_FUA ? ", FUA" : "", err);
}

static void watch_note(struct watch *w, const struct ublkev_req *req, int err)
{
	if (w->logs)
		watch_log(w, req, err);
	ADD(w->stats.reqs[req->op], 1);
	ADD(w->stats.bytes[req->op], req->len_bytes);
	if (err)
		ADD(w->stats.errors[req->op], 1);
}

/* ---- the layer's calls --------------------------------------------------------- */

static int watch_open(void *ctx, struct ublkev_limits *limits)
{
	struct watch *w = ctx;
	const struct ublkev_limits *below = ublkev_lower_limits(w->lower);

	if (ublkev_limits_join(limits, below)) {
		ublkev__log(w->backend->log, LOG_ERR, "backend %s: what is beneath it has zones or metadata: give another",
			    w->backend->ops.name);
		return -EOPNOTSUPP;
	}
	limits->dev_bytes = below->dev_bytes;
	limits->chunk_bytes = below->chunk_bytes;
	/* lines are told in the order of their ends, and by one thread */
	if (w->logs)
		limits->flags &= ~(UBLKEV_LIMIT_THREADS |
				   UBLKEV_LIMIT_THREADS_PER_QUEUE);
	return 0;
}

static void *watch_map(void *ctx, const struct ublkev_req *req)
{
	struct watch *w = ctx;
	void *at = ublkev_lower_map(w->lower, req);

	if (!at)
		return NULL;
	ADD(w->stats.mapped, 1);
	watch_note(w, req, 0);
	return at;
}

static int watch_place(void *ctx, const struct ublkev_req *req,
		       struct ublkev_extent *extents)
{
	struct watch *w = ctx;
	int n = ublkev_lower_place(w->lower, req, extents, UBLKEV_MAX_EXTENTS);

	if (n > 0)
		ADD(w->stats.placed, 1);
	if (n < 0)
		watch_note(w, req, n);
	return n;
}

static int watch_placed(void *ctx, const struct ublkev_req *req, int err)
{
	struct watch *w = ctx;

	err = ublkev_lower_placed(w->lower, req, err);
	watch_note(w, req, err);
	return err;
}

static int watch_done(void *ctx, struct ublkev_req *req, void *data, int err)
{
	(void)data;
	watch_note(ctx, req, err);
	return err;
}

static int watch_submit(void *ctx, struct ublkev_req *req)
{
	struct watch *w = ctx;
	int answer = ublkev_lower_submit(w->lower, req, req, watch_done, NULL);

	ADD(w->stats.submitted, 1);
	if (answer != UBLKEV_LATER)
		watch_note(w, req, answer);
	return answer;
}

static int watch_resize(void *ctx, uint64_t dev_bytes)
{
	struct watch *w = ctx;

	return ublkev_lower_resize(w->lower, dev_bytes);
}

static int watch_grow(void *ctx, uint64_t dev_bytes)
{
	struct watch *w = ctx;

	return ublkev_lower_grow(w->lower, dev_bytes);
}

/* ---- making it --------------------------------------------------------------------- */

static void watch_free(void *ctx)
{
	free(ctx);
}

static int watch_new(struct ublkev_backend **backendp,
		     struct ublkev_backend *beneath, const char *name,
		     bool logs)
{
	unsigned int ways = ublkev_backend_ways(beneath);
	const struct ublkev_backend_ops ops = {
		.size = sizeof(ops),
		.name = name,
		.open = watch_open,
		.submit = watch_submit,
		.map = ways & UBLKEV_WAY_MAP ? watch_map : NULL,
		.place = ways & UBLKEV_WAY_PLACE ? watch_place : NULL,
		.placed = ways & UBLKEV_WAY_PLACE ? watch_placed : NULL,
		.resize = ways & UBLKEV_WAY_RESIZE ? watch_resize : NULL,
		.grow = ways & UBLKEV_WAY_GROW ? watch_grow : NULL,
	};
	struct watch *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->logs = logs;
	err = ublkev__guard_new(&w->backend, &ops, w, watch_free);
	if (err) {
		free(w);
		return err;
	}
	err = ublkev_lower_new(&w->lower, w->backend, beneath,
			       UBLKEV_LOWER_OWNED);
	if (err)
		ublkev_backend_free(w->backend);
	else
		*backendp = w->backend;
	return err;
}

int ublkev__stats_layer_new(struct ublkev_backend **backendp,
			    struct ublkev_backend *beneath)
{
	return watch_new(backendp, beneath, "stats", false);
}

int ublkev__log_layer_new(struct ublkev_backend **backendp,
			  struct ublkev_backend *beneath)
{
	return watch_new(backendp, beneath, "log", true);
}

int ublkev_layer_stats(const struct ublkev_backend *backend,
		       struct ublkev_layer_stats *stats, size_t size)
{
	const struct watch *w = backend->ctx;

	if (backend->ctx_free != watch_free || w->logs ||
	    size < sizeof(stats->size))
		return -EINVAL;
	ublkev__sized_fill(stats, size, &w->stats, sizeof(w->stats));
	return 0;
}
