/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Layers over backends of all sorts: that data arrive by each of the ways, and
 * what becomes of a request that is out in parts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_layer.h"

static struct layer top;

/* ---- data --------------------------------------------------------------------- */

static const enum layer_sort stacks[][LAYER_LOWERS] = {
	{ LAYER_MEM },
	{ LAYER_FILE },
	{ LAYER_MEM, LAYER_FILE },
	{ LAYER_OPS, LAYER_MEM },
	{ LAYER_STRIPE, LAYER_FILE, LAYER_OPS },
	{ LAYER_PASS, LAYER_STRIPE },
	/* none of these for threads */
	{ LAYER_LAZY, LAYER_MEM, LAYER_FILE },
	{ LAYER_BOTH, LAYER_OPS },
	{ LAYER_BOTH, LAYER_PASS, LAYER_LAZY },
};

#define STACKS		TEST_COUNT(stacks)
#define FOR_THREADS	6

static bool has(const enum layer_sort *sorts, enum layer_sort sort)
{
	unsigned int i;

	for (i = 0; i < LAYER_LOWERS; i++)
		if (sorts[i] == sort)
			return true;
	return false;
}

/* requests are split, and some parts of each way */
static void check_ways(const enum layer_sort *sorts)
{
	ck_assert_uint_eq(top.begun, top.ended);
	ck_assert_uint_eq(top.places, top.placed);
	ck_assert(!(has(sorts, LAYER_FILE) && !sorts[1]) || top.places);
	ck_assert(!has(sorts, LAYER_OPS) || top.submits);
	ck_assert_uint_eq(rig_stats(&stripe.r).stale_answers, 0);
	ck_assert_uint_eq(rig_stats(&stripe.r).inflight, 0);
	ck_assert_uint_eq(rig_stats(&stripe.r).rejected, 0);
}

/* the stack; then threads; then the room for files; then the way of copying */
START_TEST(data_integrity)
{
	static const unsigned int rooms[] = { 1, 4, 64 };
	unsigned int i = (unsigned int)_i;
	unsigned int mode = i / (STACKS + FOR_THREADS);
	bool threads = i % (STACKS + FOR_THREADS) >= STACKS;
	const enum layer_sort *sorts;

	i %= STACKS + FOR_THREADS;
	sorts = stacks[threads ? i - STACKS : i];
	if (threads)
		stripe.r.conf.flags |= UBLKEV_CONF_QUEUE_THREADS;
	fake.file_room = rooms[(i + mode) % 3];
	fake.features |= FAKE_F_NEED_GET_DATA | FAKE_F_USER_COPY;
	rig_mode(&stripe.r, mode);
	fake.file = stripe_any_way;
	stripe.submit_in_4 = i % 3;
	stripe.r.conf.queues = STRIPE_QUEUES;
	layer_make(&top, sorts);
	stripe_up_over(top.backend);
	stripe_serve();
	check_ways(sorts);
	rig_down(&stripe.r);
	ck_assert_str_eq(top.calls, "ospc");
	ck_assert_uint_eq(fake_counts.left_bufs, 0);
	ublkev_backend_free(top.backend);
}
END_TEST

/* ---- one request ------------------------------------------------------------------ */

static char data[4 * LAYER_CHUNK];

static void up(enum layer_sort first, enum layer_sort second,
	       int (*hook)(struct layer *l, struct ublkev_req *req))
{
	enum layer_sort sorts[LAYER_LOWERS] = { first, second };

	layer_make(&top, sorts);
	top.by_hand = hook;
	top.hook = hook;
	stripe.r.conf.copy = UBLKEV_COPY_PLAIN;
	stripe.r.conf.log = test_log_fn;
	rig_up(&stripe.r, top.backend);
}

static void down(void)
{
	rig_down(&stripe.r);
	ublkev_backend_free(top.backend);
}

static int io(uint32_t op)
{
	return stripe_io(op, 0, op == FAKE_FLUSH ? 0 : LAYER_CHUNK,
			 op == FAKE_FLUSH ? NULL : data);
}

static int submit_sub(struct layer *l, struct ublkev_req *req,
		      const struct ublkev_req *sub)
{
	return ublkev_lower_submit(l->lowers[0], req, sub, layer_on_sub,
				   l->lowers);
}

static int wrong_subs(struct layer *l, struct ublkev_req *req)
{
	struct ublkev_req other = *req, sub = *req;

	/* none that the layer has */
	ck_assert_int_eq(submit_sub(l, &other, req), -EINVAL);
	other.queue = 77;
	ck_assert_int_eq(submit_sub(l, &other, req), -EINVAL);
	/* none that the lower backend takes */
	sub.offset_bytes = STRIPE_DISK_BYTES;
	ck_assert_int_eq(submit_sub(l, req, &sub), -EINVAL);
	ck_assert_ptr_null(ublkev_lower_map(l->lowers[0], &sub));
	sub.offset_bytes = 1;
	ck_assert_int_eq(submit_sub(l, req, &sub), -EINVAL);
	sub.op = UBLKEV_NR_OPS;
	ck_assert_int_eq(submit_sub(l, req, &sub), -EOPNOTSUPP);
	ck_assert_uint_eq(l->ended, 0);
	return submit_sub(l, req, req);
}

START_TEST(refused)
{
	up(LAYER_MEM, LAYER_NONE, wrong_subs);
	ck_assert_int_eq(io(FAKE_READ), 0);
	ck_assert_int_eq(io(FAKE_WRITE), 0);
	ck_assert_uint_eq(rig_stats(&stripe.r).stale_answers, 0);
	down();
}
END_TEST

static int no_res;

static int spoil(const struct ublkev__fileop *op)
{
	(void)op;
	return no_res ? no_res : FAKE_FILE_DO;
}

static int one_sub(struct layer *l, struct ublkev_req *req)
{
	return submit_sub(l, req, req);
}

/* what the ring says is the request's, and `done` is told */
START_TEST(errors)
{
	fake.file = spoil;
	up(_i ? LAYER_OPS : LAYER_FILE, LAYER_NONE, one_sub);
	no_res = 0;
	top.later = false;
	ck_assert_int_eq(stripe_io(FAKE_WRITE, 512, LAYER_CHUNK, data), 0);
	no_res = -ENODATA;
	ck_assert_int_eq(stripe_io(FAKE_WRITE, 512, LAYER_CHUNK, data), -ENODATA);
	no_res = -EDQUOT;
	ck_assert_int_eq(stripe_io(FAKE_READ, 512, LAYER_CHUNK, data), -ENOSPC);
	no_res = 0;
	ck_assert_int_eq(stripe_io(FAKE_READ, 512, LAYER_CHUNK, data), 0);
	down();
}
END_TEST

static int two_subs(struct layer *l, struct ublkev_req *req)
{
	int first = ublkev_lower_submit(l->lowers[0], req, req, NULL, NULL);
	int second = ublkev_lower_submit(l->lowers[1], req, req, NULL, NULL);

	ck_assert_int_eq(first, UBLKEV_LATER);
	ck_assert_int_eq(second, UBLKEV_LATER);
	return UBLKEV_LATER;
}

static bool lazy_holds(void *arg)
{
	return layer_lazy[0].nr_held + layer_lazy[1].nr_held ==
	       *(unsigned int *)arg;
}

static void hold_both(struct stripe_one *one,
		      int (*hook)(struct layer *l, struct ublkev_req *req))
{
	unsigned int n = 2;

	up(LAYER_LAZY, LAYER_LAZY, hook);
	layer_lazy[0].mode = layer_lazy[1].mode = LAZY_HOLD;
	fake_submit(0, FAKE_READ, 0, LAYER_CHUNK, data, stripe_on_one, one);
	rig_until(lazy_holds, &n);
}

/* it is answered when all of it has ended, with the first error */
START_TEST(waits_for_all)
{
	struct stripe_one one = { 0, 0 };
	uint64_t cookie;

	hold_both(&one, two_subs);
	cookie = layer_lazy[_i].held[0]->cookie;
	layer_lazy[_i].nr_held = 0;
	ublkev_req_done(layer_lazy[_i].backend, cookie, -ENOSPC);
	rig_run_ms(3);
	ck_assert_uint_eq(one.done, 0);
	/* a second time it is stale, as it is of another backend's */
	ublkev_req_done(layer_lazy[_i].backend, cookie, 0);
	ublkev_req_done(layer_lazy[!_i].backend, cookie, 0);
	ck_assert_uint_eq(rig_stats(&stripe.r).stale_answers, 2);
	ck_assert_ptr_nonnull(strstr(stripe.said.line, "lazy answered request"));
	lazy_answer(&layer_lazy[!_i], 1);
	rig_until(stripe_one_done, &one);
	ck_assert_int_eq(one.res, -ENOSPC);
	ck_assert_uint_eq(layer_lazy[0].unflushed, 0);
	ck_assert_uint_eq(layer_lazy[1].unflushed, 0);
	/* their answers, from now on */
	ublkev_req_done(layer_lazy[!_i].backend, cookie, 0);
	ck_assert_uint_eq(rig_stats(&stripe.r).stale_answers, 3);
	down();
}
END_TEST

static int second_fails(struct layer *l, struct ublkev_req *req)
{
	int first = ublkev_lower_submit(l->lowers[0], req, req, NULL, NULL);

	ck_assert_int_eq(first, UBLKEV_LATER);
	return -ENODATA;
}

/* an error that submit() answers waits as well, for the buffer is in use */
START_TEST(answered_early)
{
	struct stripe_one one = { 0, 0 };
	unsigned int n = 1;

	up(LAYER_LAZY, LAYER_LAZY, second_fails);
	layer_lazy[0].mode = LAZY_HOLD;
	fake_submit(0, FAKE_READ, 0, LAYER_CHUNK, data, stripe_on_one, &one);
	rig_until(lazy_holds, &n);
	rig_run_ms(3);
	ck_assert_uint_eq(one.done, 0);
	lazy_answer(&layer_lazy[0], 1);
	rig_until(stripe_one_done, &one);
	ck_assert_int_eq(one.res, -ENODATA);
	down();
}
END_TEST

static int on_first(void *ctx, struct ublkev_req *req, void *arg, int err)
{
	struct layer *l = ctx;

	ck_assert_int_eq(err, 0);
	ck_assert_ptr_eq(arg, &top);
	l->ended++;
	err = ublkev_lower_submit(l->lowers[1], req, req, layer_on_sub,
				  l->lowers);
	return err;
}

static int one_after_another(struct layer *l, struct ublkev_req *req)
{
	return ublkev_lower_submit(l->lowers[0], req, req, on_first, l);
}

/* `done` begins another; flush() comes after that, too */
START_TEST(one_by_one)
{
	struct stripe_one one = { 0, 0 };
	unsigned int n = 1;

	up(LAYER_LAZY, LAYER_LAZY, one_after_another);
	layer_lazy[0].mode = layer_lazy[1].mode = LAZY_HOLD;
	fake_submit(0, FAKE_WRITE, 0, LAYER_CHUNK, data, stripe_on_one, &one);
	rig_until(lazy_holds, &n);
	lazy_answer(&layer_lazy[0], 1);
	/* not inside the call of the lower backend's */
	ck_assert_uint_eq(top.ended, 0);
	ck_assert_uint_eq(layer_lazy[1].submits, 0);
	rig_until(lazy_holds, &n);
	ck_assert_uint_eq(layer_lazy[1].submits, 1);
	ck_assert_uint_eq(layer_lazy[1].unflushed, 0);
	lazy_answer(&layer_lazy[1], 1);
	rig_until(stripe_one_done, &one);
	ck_assert_int_eq(one.res, 0);
	ck_assert_uint_eq(top.ended, 2);
	down();
}
END_TEST

/* a long WRITE_ZEROES of memory is done in pieces, and others have their turn */
START_TEST(again)
{
	const uint32_t len = STRIPE_BYTES;
	unsigned int i;

	up(LAYER_MEM, LAYER_NONE, one_sub);
	memset(data, 1, sizeof(data));
	for (i = 0; i < STRIPE_DISK_BYTES / sizeof(data); i++)
		ck_assert_int_eq(stripe_io(FAKE_WRITE, i * sizeof(data),
					   sizeof(data), data), 0);
	ck_assert_int_eq(stripe_io(FAKE_ZEROES | FAKE_F_NOUNMAP, 0,
				   STRIPE_DISK_BYTES, NULL), 0);
	ck_assert_uint_ge(top.ended, 1);
	ck_assert_int_eq(stripe_io(FAKE_READ, STRIPE_DISK_BYTES - len,
				   sizeof(data), data), 0);
	for (i = 0; i < sizeof(data); i++)
		ck_assert_int_eq(data[i], 0);
	down();
}
END_TEST

/* ---- what is done of a cache --------------------------------------------------- */

static uint32_t plain_flags;
static unsigned int plain_flushes, plain_fua, plain_writes;

static int plain_open(void *ctx, struct ublkev_limits *limits)
{
	(void)ctx;
	limits->dev_bytes = STRIPE_DISK_BYTES;
	limits->flags = plain_flags;
	return 0;
}

static int plain_submit(void *ctx, struct ublkev_req *req)
{
	(void)ctx;
	plain_flushes += req->op == UBLKEV_OP_FLUSH;
	plain_writes += req->op == UBLKEV_OP_WRITE;
	plain_fua += !!(req->flags & UBLKEV_REQ_FUA);
	return UBLKEV_DONE;
}

static struct ublkev_backend *plain(void)
{
	static const struct ublkev_backend_ops calls = {
		.size = sizeof(calls), .name = "plain", .open = plain_open,
		.submit = plain_submit,
	};
	struct ublkev_backend *b;

	ck_assert_int_eq(ublkev_backend_new(&b, &calls, NULL), 0);
	return b;
}

/* beside one that has none, a disk without a cache is told of none */
START_TEST(without_cache)
{
	struct ublkev_backend *below = plain();
	struct ublkev_lower *more;

	plain_flags = 0;
	plain_flushes = plain_fua = plain_writes = 0;
	layer_make_over(&top, below, 0);
	ck_assert_int_eq(ublkev_lower_new(&more, top.backend,
					  layer_below(LAYER_MEM),
					  UBLKEV_LOWER_OWNED), 0);
	top.lowers[top.nr++] = more;
	stripe.r.conf.copy = UBLKEV_COPY_PLAIN;
	rig_up(&stripe.r, top.backend);
	ck_assert_int_eq(io(FAKE_FLUSH), 0);
	ck_assert_int_eq(stripe_io(FAKE_WRITE | FAKE_F_FUA, 0,
				   2 * LAYER_CHUNK, data), 0);
	ck_assert_uint_eq(plain_flushes, 0);
	ck_assert_uint_eq(plain_fua, 0);
	ck_assert_uint_eq(plain_writes, 1);
	rig_down(&stripe.r);
	ublkev_backend_free(top.backend);
	ublkev_backend_free(below);
}
END_TEST

/* ---- the life of what is beneath ------------------------------------------------- */

START_TEST(does_not_open)
{
	layer_make_over(&top, layer_below(LAYER_LAZY), UBLKEV_LOWER_OWNED);
	ck_assert_int_eq(ublkev_lower_new(&top.lowers[1], top.backend,
					  layer_below(LAYER_LAZY),
					  UBLKEV_LOWER_OWNED), 0);
	stripe.r.conf.log = test_log_fn;
	layer_lazy[1].open_err = _i ? 0 : -ENXIO;
	layer_lazy[1].start_err = _i ? -ENXIO : 0;
	rig_init(&stripe.r, top.backend);
	ck_assert_int_eq(ublkev_dev_start(rig_loop, &stripe.r.dev), -ENXIO);
	if (!_i)
		ck_assert_str_eq(stripe.said.line, "backend layer: lazy beneath it does not open: No such device or address");
	ck_assert_str_eq(top.calls, _i ? "oc" : "");
	ck_assert_uint_eq(layer_lazy[0].closes, 1);
	ck_assert_uint_eq(layer_lazy[0].starts, layer_lazy[0].stops);
	ck_assert_uint_eq(layer_lazy[1].opens, layer_lazy[1].closes);
	ck_assert_uint_eq(layer_lazy[1].starts, 0);
	/* the next time it does */
	layer_lazy[1].open_err = layer_lazy[1].start_err = 0;
	rig_start(&stripe.r);
	rig_until(rig_is_live, &stripe.r);
	rig_down(&stripe.r);
	ublkev_backend_free(top.backend);
}
END_TEST

START_TEST(handles)
{
	struct ublkev_backend *below = layer_below(LAYER_MEM);
	struct ublkev_lower *other;
	struct layer second;

	layer_make_over(&top, below, 0);
	ck_assert_ptr_eq(ublkev_lower_backend(top.lowers[0]), below);
	layer_make_over(&second, top.backend, 0);
	/* of one that is beneath a layer there is none for another */
	ck_assert_int_eq(ublkev_lower_new(&other, second.backend, below, 0),
			 -EBUSY);
	ck_assert_int_eq(ublkev_lower_new(&other, top.backend, second.backend,
					  0), -EINVAL);
	ck_assert_int_eq(ublkev_lower_new(&other, top.backend, top.backend, 0),
			 -EINVAL);
	ck_assert_int_eq(ublkev_lower_new(&other, second.backend, below, 2),
			 -EINVAL);
	ck_assert_uint_eq(ublkev_backend_ways(below), UBLKEV_WAY_MAP |
			  UBLKEV_WAY_SUBMIT | UBLKEV_WAY_RESIZE);
	/* freed by their owner, they stay as long as a layer has them */
	ublkev_backend_free(below);
	ublkev_backend_free(top.backend);
	rig_up(&stripe.r, second.backend);
	ck_assert_int_eq(io(FAKE_WRITE), 0);
	rig_down(&stripe.r);
	ublkev_backend_free(second.backend);
}
END_TEST

/* more come and go while it is in use */
START_TEST(later_ones)
{
	struct ublkev_lower *more;

	up(LAYER_MEM, LAYER_NONE, NULL);
	ck_assert_int_eq(ublkev_lower_new(&more, top.backend,
					  layer_below(LAYER_LAZY),
					  UBLKEV_LOWER_OWNED), 0);
	ck_assert_uint_eq(layer_lazy[0].opens, 1);
	ck_assert_uint_eq(layer_lazy[0].starts, 1);
	ck_assert_uint_eq(ublkev_lower_limits(more)->dev_bytes, LAZY_BYTES);
	top.lowers[top.nr++] = more;
	ck_assert_int_eq(stripe_io(FAKE_WRITE, 0, 2 * LAYER_CHUNK, data), 0);
	ck_assert_uint_eq(layer_lazy[0].submits, 1);
	top.nr--;
	ublkev_lower_free(more);
	ck_assert_uint_eq(layer_lazy[0].closes, 1);
	ck_assert_int_eq(stripe_io(FAKE_WRITE, 0, 2 * LAYER_CHUNK, data), 0);
	down();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_layer");
	TCase *tc = tcase_create("layer");

	tcase_add_checked_fixture(tc, layer_setup, layer_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, data_integrity, 0,
			    (int)(STACKS + FOR_THREADS) * RIG_MODES);
	tcase_add_test(tc, refused);
	tcase_add_loop_test(tc, errors, 0, 2);
	tcase_add_loop_test(tc, waits_for_all, 0, 2);
	tcase_add_test(tc, answered_early);
	tcase_add_test(tc, one_by_one);
	tcase_add_test(tc, again);
	tcase_add_test(tc, without_cache);
	tcase_add_loop_test(tc, does_not_open, 0, 2);
	tcase_add_test(tc, handles);
	tcase_add_test(tc, later_ones);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
