/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A rule is looked at when a request comes; then it waits, if it is to, fails, or is
 * done beneath. What no rule is about is mapped and placed as if this layer were not
 * there.
 */
#include "layers/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/guard.h"
#include "util/sized.h"

static const struct ublkev_fault_rule fault_defaults = {
	.size = sizeof(fault_defaults),
	.ops = UINT32_MAX,
	.chance_percent = 100,
	.to_bytes = UINT64_MAX,
};

/* splitmix64: the same for the same seed, on any machine */
uint64_t ublkev__fault_below(struct ublkev__fault *f, uint64_t n)
{
	uint64_t x = f->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return ((x ^ x >> 31) >> 11) % n;
}

static uint64_t fault_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* ---- the rule ------------------------------------------------------------------ */

static bool fault_rule_waits(const struct ublkev_fault_rule *r)
{
	return r->delay_us || r->jitter_us || r->tail_percent || r->iops;
}

static bool fault_rule_does(const struct ublkev_fault_rule *r)
{
	return r->err || r->stall || fault_rule_waits(r);
}

static bool fault_is_about(const struct ublkev__fault *f,
			   const struct ublkev_req *req)
{
	const struct ublkev_fault_rule *r = &f->rule;

	if (!fault_rule_does(r) || !(r->ops >> req->op & 1))
		return false;
	return req->op == UBLKEV_OP_FLUSH ||
	       (req->offset_bytes < r->to_bytes &&
		req->offset_bytes + req->len_bytes > r->from_bytes);
}

/* nothing is to be done about it but what is beneath does */
static bool fault_passes(const struct ublkev__fault *f,
			 const struct ublkev_req *req)
{
	return !f->off && !f->cut_after && !fault_is_about(f, req);
}

static uint64_t fault_wait_us(struct ublkev__fault *f)
{
	const struct ublkev_fault_rule *r = &f->rule;
	uint64_t us = r->delay_us;

	if (r->jitter_us)
		us += ublkev__fault_below(f, r->jitter_us + 1);
	if (r->tail_percent && ublkev__fault_below(f, 100) < r->tail_percent)
		us += r->tail_us;
	return us;
}

/* so many a second: each has a place in time, one after another */
static uint64_t fault_due_us(struct ublkev__fault *f, uint64_t now_us)
{
	uint64_t due_us = now_us + fault_wait_us(f);

	if (!f->rule.iops)
		return due_us;
	if (due_us < f->next_us)
		due_us = f->next_us;
	f->next_us = due_us + 1000000 / f->rule.iops;
	return due_us;
}

/* ---- what is done --------------------------------------------------------------- */

static int fault_done_torn(void *ctx, struct ublkev_req *req, void *data,
			   int err)
{
	const struct ublkev__fault *f = ctx;

	(void)req;
	(void)data;
	return err ? err : f->rule.err ? f->rule.err : -EIO;
}

/* some of its blocks are stored, and not all of them */
static int fault_tear(struct ublkev__fault *f, struct ublkev_req *req)
{
	uint64_t block = ublkev_lower_limits(f->lower)->logical_block_bytes;
	struct ublkev_req sub = *req;
	int answer;

	sub.len_bytes = block * ublkev__fault_below(f, req->len_bytes / block);
	if (!sub.len_bytes)
		return f->rule.err;
	answer = ublkev_lower_submit(f->lower, req, &sub, fault_done_torn,
				     NULL);
	return answer == UBLKEV_DONE ? f->rule.err : answer;
}

static int fault_do(struct ublkev__fault *f, struct ublkev_req *req,
		    bool fails)
{
	if (f->off)
		return -EIO;
	if (fails && f->rule.torn && req->op == UBLKEV_OP_WRITE &&
	    !f->cache_bytes)
		return fault_tear(f, req);
	if (fails && f->rule.err)
		return f->rule.err;
	if (f->cache_bytes)
		return ublkev__fault_cache_submit(f, req);
	return ublkev_lower_submit(f->lower, req, req, NULL, NULL);
}

/* from a timer, or a call of the application's */
static void fault_go_on(struct ublkev__fault *f,
			struct ublkev__fault_held *held)
{
	struct ublkev_req *req = held->req;
	uint64_t cookie = req->cookie;
	int answer = fault_do(f, req, held->fails);

	free(held);
	if (answer != UBLKEV_LATER)
		ublkev_req_done(f->backend, cookie, answer);
}

/* ---- what waits ------------------------------------------------------------------ */

static void fault_set_timer(struct ublkev__fault *f)
{
	uint64_t now_us = fault_now_us(), us = 0;

	/* stopped: what waits is given up */
	if (!f->loop)
		return;
	ev_timer_stop(f->loop, &f->timer);
	if (!f->delayed)
		return;
	if (f->delayed->due_us > now_us)
		us = f->delayed->due_us - now_us;
	/* the timer counts from the loop's idea of now, which may be old */
	ev_now_update(f->loop);
	ev_timer_set(&f->timer, (double)us / 1e6, 0.);
	ev_timer_start(f->loop, &f->timer);
}

static void fault_timer_cb(struct ev_loop *loop, struct ev_timer *w,
			   int revents)
{
	struct ublkev__fault *f = w->data;
	uint64_t now_us = fault_now_us();
	struct ublkev__fault_held *held;

	(void)loop;
	(void)revents;
	while ((held = f->delayed) && held->due_us <= now_us) {
		f->delayed = held->next;
		fault_go_on(f, held);
	}
	fault_set_timer(f);
}

static void fault_delay(struct ublkev__fault *f,
			struct ublkev__fault_held *held)
{
	struct ublkev__fault_held **at = &f->delayed;

	while (*at && (*at)->due_us <= held->due_us)
		at = &(*at)->next;
	held->next = *at;
	*at = held;
	if (f->delayed == held)
		fault_set_timer(f);
}

static void fault_stall(struct ublkev__fault *f,
			struct ublkev__fault_held *held)
{
	held->next = NULL;
	*f->last_stalled = held;
	f->last_stalled = &held->next;
}

static int fault_hold(struct ublkev__fault *f, struct ublkev_req *req,
		      bool fails)
{
	struct ublkev__fault_held *held = malloc(sizeof(*held));

	if (!held)
		return -ENOMEM;
	held->req = req;
	held->fails = fails;
	if (f->rule.stall) {
		fault_stall(f, held);
	} else {
		held->due_us = fault_due_us(f, fault_now_us());
		fault_delay(f, held);
	}
	return UBLKEV_LATER;
}

/* all that waits, taken: nothing does any more */
static struct ublkev__fault_held *fault_take_all(struct ublkev__fault *f)
{
	struct ublkev__fault_held *all = f->delayed, **at = &all;

	while (*at)
		at = &(*at)->next;
	*at = f->stalled;
	f->delayed = NULL;
	f->stalled = NULL;
	f->last_stalled = &f->stalled;
	return all;
}

/* ---- the layer's calls --------------------------------------------------------------- */

static bool fault_is_cut_now(struct ublkev__fault *f,
			     const struct ublkev_req *req)
{
	if (!f->cut_after || f->off || req->op != UBLKEV_OP_WRITE)
		return false;
	return ++f->writes > f->cut_after;
}

static int fault_submit(void *ctx, struct ublkev_req *req)
{
	struct ublkev__fault *f = ctx;
	bool about = fault_is_about(f, req);

	if (fault_is_cut_now(f, req))
		(void)ublkev_fault_cut(f->backend, f->cut_keep_percent);
	if (f->off)
		return -EIO;
	if (about && f->rule.chance_percent < 100 &&
	    ublkev__fault_below(f, 100) >= f->rule.chance_percent)
		about = false;
	if (about && (f->rule.stall || fault_rule_waits(&f->rule)))
		return fault_hold(f, req, true);
	return fault_do(f, req, about);
}

static void *fault_map(void *ctx, const struct ublkev_req *req)
{
	const struct ublkev__fault *f = ctx;

	return fault_passes(f, req) ? ublkev_lower_map(f->lower, req) : NULL;
}

static int fault_place(void *ctx, const struct ublkev_req *req,
		       struct ublkev_extent *extents)
{
	const struct ublkev__fault *f = ctx;

	return fault_passes(f, req) ?
		ublkev_lower_place(f->lower, req, extents, UBLKEV_MAX_EXTENTS) :
		0;
}

static int fault_placed(void *ctx, const struct ublkev_req *req, int err)
{
	const struct ublkev__fault *f = ctx;

	return ublkev_lower_placed(f->lower, req, err);
}

/* zeroes are data as others, and may be lost */
static void fault_cache_limits(const struct ublkev__fault *f,
			       struct ublkev_limits *limits)
{
	uint64_t most = f->cache_bytes & ~(limits->logical_block_bytes -
					   UINT64_C(1));

	limits->flags |= UBLKEV_LIMIT_VOLATILE_CACHE | UBLKEV_LIMIT_FUA;
	if (limits->flags & UBLKEV_LIMIT_READ_ONLY)
		return;
	limits->max_write_zeroes_bytes = most;
	limits->max_discard_bytes = most;
	limits->discard_granularity_bytes = limits->logical_block_bytes;
}

static int fault_open(void *ctx, struct ublkev_limits *limits)
{
	struct ublkev__fault *f = ctx;
	const struct ublkev_limits *below = ublkev_lower_limits(f->lower);

	if (ublkev_limits_join(limits, below)) {
		ublkev__log(f->backend->log, LOG_ERR, "backend fault: what is beneath it has zones or metadata: give another");
		return -EOPNOTSUPP;
	}
	limits->dev_bytes = below->dev_bytes;
	limits->chunk_bytes = below->chunk_bytes;
	limits->flags &= ~(UBLKEV_LIMIT_THREADS |
			   UBLKEV_LIMIT_THREADS_PER_QUEUE);
	f->writes = 0;
	if (!f->cache_bytes)
		return 0;
	fault_cache_limits(f, limits);
	limits->chunk_bytes = 0;
	return ublkev__fault_cache_open(f, limits->logical_block_bytes);
}

static void fault_close(void *ctx)
{
	struct ublkev__fault *f = ctx;
	struct ublkev__fault_held *held = fault_take_all(f), *next;

	for (; held; held = next) {
		next = held->next;
		free(held);
	}
	if (f->cache_bytes)
		ublkev__fault_cache_close(f);
}

static int fault_start(void *ctx, struct ev_loop *loop)
{
	struct ublkev__fault *f = ctx;

	f->loop = loop;
	if (loop || !fault_rule_waits(&f->rule))
		return 0;
	ublkev__log(f->backend->log, LOG_ERR, "backend fault: without a libev loop nothing is delayed: leave the delay out");
	return -EOPNOTSUPP;
}

static void fault_stop(void *ctx)
{
	struct ublkev__fault *f = ctx;

	if (f->loop)
		ev_timer_stop(f->loop, &f->timer);
	f->loop = NULL;
}

/* ---- what the application says ------------------------------------------------------- */

static void fault_free(void *ctx)
{
	struct ublkev__fault *f = ctx;

	if (f->has_dirty)
		ublkev__dirty_fini(&f->dirty);
	free(f);
}

/* NULL: it is another backend */
static struct ublkev__fault *fault_of(struct ublkev_backend *backend)
{
	return backend->ctx_free == fault_free ? backend->ctx : NULL;
}

void ublkev_fault_rule_init(struct ublkev_fault_rule *rule, size_t size)
{
	ublkev__sized_fill(rule, size, &fault_defaults, sizeof(fault_defaults));
}

static int fault_take_rule(struct ublkev_fault_rule *own,
			   const struct ublkev_fault_rule *rule)
{
	int err = ublkev__sized_take(own, &fault_defaults, sizeof(*own), rule);

	if (err)
		return err;
	if (own->chance_percent > 100 || own->tail_percent > 100 ||
	    own->err > 0 || own->err < -4095 ||
	    own->from_bytes >= own->to_bytes || own->iops > 1000000 ||
	    own->delay_us > UINT32_MAX || own->jitter_us > UINT32_MAX ||
	    own->tail_us > UINT32_MAX || (own->torn && !own->err))
		return -EINVAL;
	return 0;
}

/* what is stalled is looked at as if it came now */
static void fault_resume(struct ublkev__fault *f)
{
	struct ublkev__fault_held *held = f->stalled, *next;
	struct ublkev_req *req;
	uint64_t cookie;
	int answer;

	f->stalled = NULL;
	f->last_stalled = &f->stalled;
	for (; held; held = next) {
		next = held->next;
		req = held->req;
		cookie = req->cookie;
		free(held);
		answer = fault_submit(f, req);
		if (answer != UBLKEV_LATER)
			ublkev_req_done(f->backend, cookie, answer);
	}
}

int ublkev_fault_set(struct ublkev_backend *backend,
		     const struct ublkev_fault_rule *rule)
{
	struct ublkev__fault *f = fault_of(backend);
	struct ublkev_fault_rule own;
	int err = f ? fault_take_rule(&own, rule) : -EINVAL;

	if (err)
		return err;
	if (backend->phase == UBLKEV__GUARD_STARTED && !f->loop &&
	    fault_rule_waits(&own))
		return -EINVAL;
	f->rule = own;
	f->next_us = 0;
	fault_resume(f);
	return 0;
}

int ublkev_fault_cut(struct ublkev_backend *backend, unsigned int keep_percent)
{
	struct ublkev__fault *f = fault_of(backend);
	struct ublkev__fault_held *held, *next;

	if (!f || keep_percent > 100)
		return -EINVAL;
	f->off = true;
	if (f->has_dirty)
		ublkev__fault_cache_cut(f, keep_percent);
	held = fault_take_all(f);
	for (; held; held = next) {
		next = held->next;
		fault_go_on(f, held);
	}
	return 0;
}

int ublkev_fault_power(struct ublkev_backend *backend)
{
	struct ublkev__fault *f = fault_of(backend);

	if (!f)
		return -EINVAL;
	f->off = false;
	f->writes = 0;
	return 0;
}

/* ---- making it ------------------------------------------------------------------------- */

static int fault_new_backend(struct ublkev__fault *f,
			     struct ublkev_backend *beneath)
{
	unsigned int ways = f->cache_bytes ? 0 : ublkev_backend_ways(beneath);
	const struct ublkev_backend_ops ops = {
		.size = sizeof(ops),
		.name = "fault",
		.open = fault_open,
		.close = fault_close,
		.start = fault_start,
		.stop = fault_stop,
		.submit = fault_submit,
		.map = ways & UBLKEV_WAY_MAP ? fault_map : NULL,
		.place = ways & UBLKEV_WAY_PLACE ? fault_place : NULL,
		.placed = ways & UBLKEV_WAY_PLACE ? fault_placed : NULL,
	};
	int err = ublkev__guard_new(&f->backend, &ops, f, fault_free);

	if (err)
		return err;
	err = ublkev_lower_new(&f->lower, f->backend, beneath,
			       UBLKEV_LOWER_OWNED);
	if (!err)
		return 0;
	/* the caller's, who frees it */
	f->backend->ctx_free = NULL;
	ublkev_backend_free(f->backend);
	return err;
}

int ublkev__fault_new(struct ublkev_backend **backendp,
		      const struct ublkev__fault_conf *conf,
		      struct ublkev_backend *beneath)
{
	struct ublkev__fault *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	err = fault_take_rule(&f->rule, &conf->rule);
	f->random = conf->seed;
	f->cache_bytes = conf->cache_bytes;
	f->cut_after = conf->cut_after;
	f->cut_keep_percent = conf->cut_keep_percent;
	f->last_stalled = &f->stalled;
	ev_init(&f->timer, fault_timer_cb);
	f->timer.data = f;
	if (!err)
		err = fault_new_backend(f, beneath);
	if (err)
		free(f);
	else
		*backendp = f->backend;
	return err;
}
