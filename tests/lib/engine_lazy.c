/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk in memory that answers at once, later, or when the test says so,
 * and looks at what it is asked meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine_rig.h"

static int lazy_open(void *ctx, struct ublkev_limits *limits)
{
	struct lazy *l = ctx;

	limits->dev_bytes = LAZY_BYTES;
	limits->max_discard_bytes = LAZY_BYTES;
	limits->max_write_zeroes_bytes = LAZY_BYTES;
	limits->flags = UBLKEV_LIMIT_VOLATILE_CACHE | UBLKEV_LIMIT_FUA;
	l->opens += !l->open_err;
	return l->open_err;
}

static void lazy_close(void *ctx)
{
	struct lazy *l = ctx;

	l->closes++;
	l->nr_held = 0;
}

static int lazy_start(void *ctx, struct ev_loop *loop)
{
	struct lazy *l = ctx;

	l->loop = loop;
	l->starts += !l->start_err;
	return l->start_err;
}

static void lazy_stop(void *ctx)
{
	struct lazy *l = ctx;

	l->stops++;
	if (l->loop)
		ev_timer_stop(l->loop, &l->timer);
}

static void carry_out(struct lazy *l, const struct ublkev_req *req)
{
	char *at = l->bytes + req->offset_bytes;

	TEST_HOLDS(req->offset_bytes + req->len_bytes <= LAZY_BYTES);
	l->fua += !!(req->flags & UBLKEV_REQ_FUA);
	switch (req->op) {
	case UBLKEV_OP_READ:
		memcpy(req->buf, at, req->len_bytes);
		break;
	case UBLKEV_OP_WRITE:
		memcpy(at, req->buf, req->len_bytes);
		break;
	case UBLKEV_OP_DISCARD:
	case UBLKEV_OP_WRITE_ZEROES:
		memset(at, 0, req->len_bytes);
		break;
	default:
		break;
	}
}

static int hold(struct lazy *l, struct ublkev_req *req)
{
	TEST_HOLDS(l->nr_held < LAZY_HELD);
	l->held[l->nr_held++] = req;
	return UBLKEV_LATER;
}

static void burn(unsigned int us)
{
	struct timespec a, b;

	if (!us)
		return;
	clock_gettime(CLOCK_MONOTONIC, &a);
	do {
		clock_gettime(CLOCK_MONOTONIC, &b);
	} while ((b.tv_sec - a.tv_sec) * 1000000 +
		 (b.tv_nsec - a.tv_nsec) / 1000 < (long)us);
}

/*
 * Most answers come in the next turn of the loop, and some when it has slept:
 * with epoll no timer is shorter than a millisecond.
 */
static void answer_soon(struct lazy *l, struct ev_loop *loop)
{
	ev_timer_set(&l->timer, test_rng_below(&l->rng, 8) ? 0. : .0001, 0.);
	ev_timer_start(loop, &l->timer);
}

static int lazy_submit(void *ctx, struct ublkev_req *req)
{
	struct lazy *l = ctx;
	enum lazy_mode mode = l->mode;

	l->submits++;
	l->unflushed++;
	TEST_HOLDS(!req->data);
	burn(l->burn_us);
	if (mode == LAZY_MIX)
		mode = (enum lazy_mode)test_rng_below(&l->rng, 3);
	switch (mode) {
	case LAZY_FAIL:
		return -ENOSPC;
	case LAZY_NOW:
		carry_out(l, req);
		return UBLKEV_DONE;
	case LAZY_INSIDE:
		carry_out(l, req);
		ublkev_req_done(l->backend, req->cookie, 0);
		return UBLKEV_LATER;
	case LAZY_TIMER:
		if (l->loop && !ev_is_active(&l->timer))
			answer_soon(l, l->loop);
		break;
	default:
		break;
	}
	return hold(l, req);
}

static void *lazy_map(void *ctx, const struct ublkev_req *req)
{
	struct lazy *l = ctx;

	TEST_HOLDS(req->op <= UBLKEV_OP_WRITE);
	TEST_HOLDS(req->offset_bytes + req->len_bytes <= LAZY_BYTES);
	if (test_rng_below(&l->rng, 4) >= l->map_in_4)
		return NULL;
	l->maps++;
	l->fua += !!(req->flags & UBLKEV_REQ_FUA);
	return l->bytes + req->offset_bytes;
}

static void lazy_flush(void *ctx)
{
	struct lazy *l = ctx;

	l->flushes++;
	l->unflushed = 0;
}

void lazy_answer(struct lazy *l, unsigned int n)
{
	struct ublkev_req *req;
	unsigned int i;

	while (n-- && l->nr_held) {
		i = (unsigned int)test_rng_below(&l->rng, l->nr_held);
		req = l->held[i];
		l->held[i] = l->held[--l->nr_held];
		carry_out(l, req);
		ublkev_req_done(l->backend, req->cookie, 0);
	}
}

static void on_timer(struct ev_loop *loop, struct ev_timer *w, int revents)
{
	struct lazy *l = w->data;

	(void)revents;
	lazy_answer(l, 1 + (unsigned int)test_rng_below(&l->rng, 8));
	if (l->nr_held)
		answer_soon(l, loop);
}

static const struct ublkev_backend_ops lazy_ops = {
	.size = sizeof(lazy_ops),
	.name = "lazy",
	.open = lazy_open,
	.close = lazy_close,
	.start = lazy_start,
	.stop = lazy_stop,
	.submit = lazy_submit,
	.flush = lazy_flush,
	.map = lazy_map,
};

void lazy_init(struct lazy *l, enum lazy_mode mode, uint64_t seed)
{
	memset(l, 0, sizeof(*l));
	l->mode = mode;
	test_rng_init(&l->rng, seed);
	ev_init(&l->timer, on_timer);
	l->timer.data = l;
	l->bytes = calloc(1, LAZY_BYTES);
	ck_assert_ptr_nonnull(l->bytes);
	ck_assert_int_eq(ublkev_backend_new(&l->backend, &lazy_ops, l), 0);
}

void lazy_fini(struct lazy *l)
{
	ck_assert_uint_eq(l->opens, l->closes);
	ck_assert_uint_eq(l->starts, l->stops);
	ublkev_backend_free(l->backend);
	free(l->bytes);
}

/* ---- busy ------------------------------------------------------------------ */

static void serve_on(void *arg, int res)
{
	static char data[512];
	struct busy *b = arg;

	ck_assert_int_eq(res, 0);
	b->served++;
	if (!b->rests)
		fake_submit(b->r.dev.id, FAKE_READ, 0, sizeof(data), data,
			    serve_on, b);
}

void busy_up(struct busy *b, int id)
{
	b->served = 0;
	b->rests = false;
	lazy_init(&b->disk, LAZY_TIMER, 2);
	rig_conf(&b->r);
	b->r.conf.id = id;
	rig_up(&b->r, b->disk.backend);
	serve_on(b, 0);
}

void busy_down(struct busy *b)
{
	b->rests = true;
	rig_down(&b->r);
	lazy_fini(&b->disk);
}
