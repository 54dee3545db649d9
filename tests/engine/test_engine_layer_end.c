/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of a device, or its release, with sub-requests of a layer's under way,
 * and lower backends that close later.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_layer.h"

static struct layer top;
static char data[8 * LAYER_CHUNK];

static int hold_all(const struct ublkev__fileop *op)
{
	(void)op;
	return FAKE_FILE_HOLD;
}

static int one_sub(struct layer *l, struct ublkev_req *req)
{
	int res = ublkev_lower_submit(l->lowers[0], req, req, layer_on_sub,
				      l->lowers);

	l->begun += res == UBLKEV_LATER;
	return res;
}

/*
 * What is beneath, and holds a request of 3 chunks: bit 0: queue threads. Files
 * that are placed, operations of a backend's, and the same beneath another layer.
 */
static void begin(struct stripe_one *one, int i)
{
	static const enum layer_sort sorts[][LAYER_LOWERS] = {
		{ LAYER_FILE }, { LAYER_STRIPE }, { LAYER_OPS },
	};
	static const unsigned int all[] = { 1, 3, 2 };
	unsigned int n = all[i / 2 % 3], tries = 0;

	layer_make(&top, sorts[i / 2 % 3]);
	top.by_hand = true;
	top.hook = one_sub;
	stripe.r.conf.copy = UBLKEV_COPY_PLAIN;
	stripe.r.conf.log = test_log_fn;
	if (i % 2)
		stripe.r.conf.flags |= UBLKEV_CONF_QUEUE_THREADS;
	fake.file = hold_all;
	rig_up(&stripe.r, top.backend);
	fake_submit(0, FAKE_READ, 512, n == 3 ? 2 * LAYER_CHUNK + 512 :
		    LAYER_CHUNK, data, stripe_on_one, one);
	while (fake_file_held(0) != n && tries++ < 5000)
		rig_run_ms(1);
	ck_assert_uint_eq(fake_file_held(0), n);
}

static void end(void)
{
	rig_fini(&stripe.r);
	ublkev_backend_free(top.backend);
}

#define SORTS	6

START_TEST(stopped)
{
	struct stripe_one one = { 0, 0 };

	begin(&one, _i);
	ublkev_dev_stop(rig_loop, &stripe.r.dev);
	rig_run_ms(5);
	ck_assert_uint_eq(one.done, 0);
	fake_file_go(0, 8);
	rig_run();
	rig_check_stopped(&stripe.r, "LS");
	ck_assert_int_eq(one.res, 0);
	ck_assert_uint_eq(top.ended, 1);
	ck_assert_int_eq(top.last_err, 0);
	end();
}
END_TEST

/* answered at once, cancelled to the bottom; the layer is told, and it is no use */
START_TEST(aborted)
{
	struct stripe_one one = { 0, 0 };

	begin(&one, _i);
	ublkev_dev_abort(rig_loop, &stripe.r.dev);
	rig_run();
	rig_check_stopped(&stripe.r, "LS");
	ck_assert_int_eq(stripe.r.dev.err, 0);
	ck_assert_int_eq(one.res, -EIO);
	ck_assert_uint_eq(top.ended, 1);
	ck_assert_int_eq(top.last_err, -ECANCELED);
	ck_assert_uint_eq(fake_counts.left_bufs, 0);
	ck_assert_uint_eq(rig_stats(&stripe.r).stale_answers, 0);
	ck_assert_str_eq(top.calls, "ospc");
	end();
}
END_TEST

/* what the ring never gives back keeps its buffer, and the device ends */
START_TEST(aborted_never_ends)
{
	struct stripe_one one = { 0, 0 };

	stripe.r.conf.grace_ms = 100;
	begin(&one, _i);
	fake.file_stuck = true;
	ublkev_dev_abort(rig_loop, &stripe.r.dev);
	rig_run();
	rig_check_stopped(&stripe.r, "LS");
	ck_assert_int_eq(one.res, -EIO);
	ck_assert_uint_ge(fake_counts.left_bufs, 1);
	ck_assert_uint_eq(top.ended, 0);
	end();
}
END_TEST

/* released, the next server gets what was cut short, whatever layers say of it */
START_TEST(released)
{
	struct stripe_one one = { 0, 0 };

	fake.features = 0x1fffff;
	stripe.r.conf.id = 0;
	stripe.r.conf.recovery = UBLKEV_RECOVERY_REISSUE;
	stripe.r.conf.stop_timeout_ms = 100;
	begin(&one, _i);
	ck_assert_int_eq(ublkev_dev_release(rig_loop, &stripe.r.dev), 0);
	rig_run();
	rig_check_stopped(&stripe.r, "LES");
	ck_assert_int_eq(stripe.r.dev.step, UBLKEV_STEP_RELEASED);
	ck_assert_uint_eq(one.done, 0);
	ck_assert_uint_eq(top.ended, 1);
	ck_assert_uint_eq(fake_counts.file_left, 0);
	rig_fini(&stripe.r);
	fake.file = NULL;
	stripe.r.conf.stop_timeout_ms = 2000;
	rig_recover(&stripe.r, top.backend);
	rig_until(rig_is_live, &stripe.r);
	rig_until(stripe_one_done, &one);
	ck_assert_int_eq(one.res, 0);
	rig_down(&stripe.r);
	ublkev_backend_free(top.backend);
}
END_TEST

/* ---- with the lower backend, nothing in the ring ----------------------------------- */

static bool lazy_holds(void *arg)
{
	return layer_lazy[0].nr_held == *(unsigned int *)arg;
}

/* given up with the device; what it says later is of no effect */
START_TEST(given_up)
{
	enum layer_sort sorts[LAYER_LOWERS] = { LAYER_LAZY };
	struct stripe_one one = { 0, 0 };
	unsigned int n = 1;
	uint64_t cookie;

	layer_make(&top, sorts);
	top.by_hand = true;
	top.hook = one_sub;
	layer_lazy[0].mode = LAZY_HOLD;
	stripe.r.conf.log = test_log_fn;
	rig_up(&stripe.r, top.backend);
	fake_submit(0, FAKE_READ, 0, LAYER_CHUNK, data, stripe_on_one, &one);
	rig_until(lazy_holds, &n);
	cookie = layer_lazy[0].held[0]->cookie;
	ublkev_dev_abort(rig_loop, &stripe.r.dev);
	if (_i) {
		/* the layer is told as long as the device is there */
		rig_until(stripe_one_done, &one);
		lazy_answer(&layer_lazy[0], 1);
	}
	rig_run();
	rig_check_stopped(&stripe.r, "LS");
	ck_assert_int_eq(one.res, -EIO);
	ck_assert_uint_le(top.ended, (unsigned int)_i);
	ck_assert_uint_eq(layer_lazy[0].closes, 1);
	ublkev_req_done(layer_lazy[0].backend, cookie, 0);
	ck_assert_uint_eq(rig_stats(&stripe.r).stale_answers, 0);
	rig_fini(&stripe.r);
	/* a cookie of a former device's is none of the next one's */
	layer_lazy[0].mode = LAZY_HOLD;
	one = (struct stripe_one){ 0, 0 };
	rig_up(&stripe.r, top.backend);
	fake_submit(0, FAKE_READ, 0, LAYER_CHUNK, data, stripe_on_one, &one);
	rig_until(lazy_holds, &n);
	ublkev_req_done(layer_lazy[0].backend, cookie, 0);
	ck_assert_uint_eq(rig_stats(&stripe.r).stale_answers, 1);
	lazy_answer(&layer_lazy[0], 1);
	rig_until(stripe_one_done, &one);
	rig_down(&stripe.r);
	ublkev_backend_free(top.backend);
}
END_TEST

/* busy clients at the time of an abort, over a stack; bit 0: threads */
START_TEST(aborted_busy)
{
	static const enum layer_sort sorts[][LAYER_LOWERS] = {
		{ LAYER_BOTH, LAYER_OPS, LAYER_STRIPE },
		{ LAYER_PASS, LAYER_STRIPE, LAYER_OPS },
	};
	unsigned int ms = (unsigned int)test_rng_below(&stripe.rng, 5);

	if (_i % 2)
		stripe.r.conf.flags |= UBLKEV_CONF_QUEUE_THREADS;
	fake.file = stripe_any_way;
	stripe.submit_in_4 = 2;
	stripe.r.conf.queues = STRIPE_QUEUES;
	layer_make(&top, sorts[_i % 2]);
	stripe_up_over(top.backend);
	stripe_abort_busy(ms);
	ck_assert_uint_eq(rig_stats(&stripe.r).inflight, 0);
	ck_assert_uint_eq(top.places, top.placed);
	ck_assert_str_eq(top.calls, "ospc");
	end();
}
END_TEST

/* ---- closing later ---------------------------------------------------------------- */

#define SLOW	2u

static struct slow {
	struct ublkev_backend *backend;
	unsigned int begun;
} slow[SLOW];

static int slow_open(void *ctx, struct ublkev_limits *limits)
{
	(void)ctx;
	limits->dev_bytes = STRIPE_DISK_BYTES;
	return 0;
}

static int slow_submit(void *ctx, struct ublkev_req *req)
{
	(void)ctx;
	(void)req;
	return UBLKEV_DONE;
}

static int slow_close_begin(void *ctx)
{
	((struct slow *)ctx)->begun++;
	return UBLKEV_LATER;
}

static void make_slow(void)
{
	static const struct ublkev_backend_ops calls = {
		.size = sizeof(calls), .name = "slow", .open = slow_open,
		.submit = slow_submit, .close_begin = slow_close_begin,
	};
	struct ublkev_lower *more;
	unsigned int i;

	memset(slow, 0, sizeof(slow));
	for (i = 0; i < SLOW; i++)
		ck_assert_int_eq(ublkev_backend_new(&slow[i].backend, &calls,
						    &slow[i]), 0);
	layer_make_over(&top, slow[0].backend, UBLKEV_LOWER_OWNED);
	ck_assert_int_eq(ublkev_lower_new(&more, top.backend, slow[1].backend,
					  UBLKEV_LOWER_OWNED), 0);
	top.lowers[top.nr++] = more;
}

static bool slow_begun(void *arg)
{
	(void)arg;
	return slow[0].begun && slow[1].begun;
}

/* STOPPED waits for all of them, behind the layer's own close() */
START_TEST(closes_later)
{
	make_slow();
	rig_up(&stripe.r, top.backend);
	ublkev_dev_stop(rig_loop, &stripe.r.dev);
	rig_until(slow_begun, NULL);
	ck_assert_str_eq(top.calls, "ospc");
	ublkev_backend_closed(slow[_i].backend);
	rig_run_ms(5);
	ck_assert(stripe.r.dev.active);
	ublkev_backend_closed(slow[!_i].backend);
	rig_run();
	rig_check_stopped(&stripe.r, "LS");
	ck_assert_int_eq(stripe.r.dev.err, 0);
	ck_assert_uint_eq(slow[0].begun + slow[1].begun, 2);
	/* and all of it is closed, so that it can be served again */
	rig_start(&stripe.r);
	rig_until(rig_is_live, &stripe.r);
	ublkev_dev_stop(rig_loop, &stripe.r.dev);
	slow[0].begun = slow[1].begun = 0;
	rig_until(slow_begun, NULL);
	ublkev_backend_closed(slow[0].backend);
	ublkev_backend_closed(slow[1].backend);
	rig_run();
	rig_fini(&stripe.r);
	ublkev_backend_free(top.backend);
}
END_TEST

/* one that does not close in time has its layer wait for it, alone */
START_TEST(closes_too_late)
{
	make_slow();
	stripe.r.conf.stop_timeout_ms = 50;
	stripe.r.conf.grace_ms = 50;
	stripe.r.conf.alloc = rig_alloc_keeping_fn;
	rig_up(&stripe.r, top.backend);
	ublkev_dev_stop(rig_loop, &stripe.r.dev);
	rig_until(slow_begun, NULL);
	ublkev_backend_closed(slow[1].backend);
	rig_run();
	rig_check_stopped(&stripe.r, "LES");
	ck_assert_int_eq(stripe.r.dev.err, -ETIMEDOUT);
	/* the tags and what is begun for them stay, for it may touch them */
	stripe.r.alloc.live = 1;
	rig_fini(&stripe.r);
	/* freed, it stays until the last of it has closed */
	ublkev_backend_free(top.backend);
	ublkev_backend_closed(slow[0].backend);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_layer_end");
	TCase *tc = tcase_create("end");

	tcase_add_checked_fixture(tc, layer_setup, layer_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, stopped, 0, SORTS);
	tcase_add_loop_test(tc, aborted, 0, SORTS);
	tcase_add_loop_test(tc, aborted_never_ends, 0, SORTS);
	tcase_add_loop_test(tc, released, 0, SORTS);
	tcase_add_loop_test(tc, given_up, 0, 2);
	tcase_add_loop_test(tc, aborted_busy, 0, 8);
	tcase_add_loop_test(tc, closes_later, 0, 2);
	tcase_add_test(tc, closes_too_late);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
