/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of a device, or its release, with operations of a backend's under way
 * and work in threads.
 */
#include <errno.h>
#include <string.h>

#include "engine_ops.h"

static int held_fd;
static int held_res;

static int hold_one(const struct ublkev__fileop *op)
{
	return op->fd == held_fd ? held_res : FAKE_FILE_DO;
}

static char data[3 * STRIPE_CHUNK];

static bool one_held(void *arg)
{
	return fake_file_held(0) == *(unsigned int *)arg;
}

static bool works_inside(void *arg)
{
	return ops_count(&ops.inside) == *(unsigned int *)arg;
}

/* bit 0: threads; 1: by the ring, or by work */
static void begin(struct stripe_one *one, int i)
{
	unsigned int n = 1;

	if (i % 2)
		stripe.r.conf.flags |= UBLKEV_CONF_QUEUE_THREADS;
	fake.file = hold_one;
	held_fd = stripe.fds[0];
	held_res = FAKE_FILE_HOLD;
	ops.in_4 = i / 2 ? 4 : 0;
	__atomic_store_n(&ops.gated, true, __ATOMIC_RELAXED);
	rig_up(&stripe.r, stripe.backend);
	fake_submit(0, FAKE_READ, 0, STRIPE_CHUNK, data, stripe_on_one, one);
	rig_until(i / 2 ? works_inside : one_held, &n);
}

static void let_go(int i)
{
	if (i / 2)
		sem_post(&ops.gate);
	else
		fake_file_go(0, 1);
}

START_TEST(stopped)
{
	struct stripe_one one = { 0, 0 };

	begin(&one, _i);
	ublkev_dev_stop(rig_loop, &stripe.r.dev);
	rig_run_ms(5);
	ck_assert_uint_eq(one.done, 0);
	let_go(_i);
	rig_run();
	rig_check_stopped(&stripe.r, "LS");
	ck_assert_int_eq(one.res, 0);
	ck_assert_uint_eq(ops.ended, 1);
	ck_assert_uint_eq(ops.closes, 1);
	rig_fini(&stripe.r);
}
END_TEST

/* the request fails at once; what is cancelled, or comes back, `done` is told */
START_TEST(aborted)
{
	struct stripe_one one = { 0, 0 };

	begin(&one, _i);
	ublkev_dev_abort(rig_loop, &stripe.r.dev);
	rig_until(stripe_one_done, &one);
	ck_assert_int_eq(one.res, -EIO);
	/* and nothing more is begun for it */
	ck_assert_int_eq(ublkev_req_fsync(stripe.backend, ops.req,
					  stripe.fds[0], NULL), -ECANCELED);
	if (_i / 2) {
		rig_run_ms(3);
		ck_assert(stripe.r.dev.active);
		ck_assert_uint_eq(ops.ended, 0);
		sem_post(&ops.gate);
	}
	rig_run();
	rig_check_stopped(&stripe.r, "LS");
	ck_assert_int_eq(stripe.r.dev.err, 0);
	ck_assert_uint_eq(ops.ended, 1);
	ck_assert_int_eq(ops.last_res, _i / 2 ? 0 : -ECANCELED);
	ck_assert_uint_eq(fake_counts.left_bufs, 0);
	ck_assert_uint_eq(rig_stats(&stripe.r).stale_answers, 0);
	ck_assert_uint_eq(ops.closes, 1);
	rig_fini(&stripe.r);
}
END_TEST

/* what never comes back keeps its memory, and the device ends all the same */
START_TEST(aborted_never_ends)
{
	unsigned int n = 0;
	struct stripe_one one = { 0, 0 };

	stripe.r.conf.alloc = rig_alloc_keeping_fn;
	stripe.r.conf.grace_ms = 100;
	stripe.r.conf.stop_timeout_ms = 100;
	begin(&one, _i);
	fake.file_stuck = true;
	ublkev_dev_abort(rig_loop, &stripe.r.dev);
	rig_run();
	ck_assert_int_eq(one.res, -EIO);
	ck_assert_uint_eq(ops.ended, 0);
	ck_assert_uint_ge(fake_counts.left_bufs, 1);
	ck_assert_uint_eq(rig_stats(&stripe.r).files_left, 1);
	rig_check_stopped(&stripe.r, _i / 2 ? "LES" : "LS");
	if (_i / 2) {
		ck_assert_int_eq(stripe.r.dev.err, -ETIMEDOUT);
		ck_assert_int_eq(stripe.r.err_step, UBLKEV_STEP_BACKEND_CLOSE);
		/* its code is at work in there */
		ck_assert_uint_eq(ops.closes, 0);
		/* it keeps the pool, tags, and what is begun for them */
		ck_assert_int_eq(stripe.r.alloc.live, 4);
		stripe.r.alloc.live = 1;
		rig_fini(&stripe.r);
		sem_post(&ops.gate);
		while (!works_inside(&n))
			rig_run_ms(1);
		return;
	}
	ck_assert_uint_eq(ops.closes, 1);
	rig_fini(&stripe.r);
}
END_TEST

/* what no thread has begun none begins, and what was queued is not submitted */
START_TEST(aborted_before_it_began)
{
	struct stripe_one one[3] = { { 0, 0 } };
	unsigned int i;

	stripe.r.conf.offload_threads = 1;
	begin(&one[0], _i + 2);
	for (i = 1; i < 3; i++)
		fake_submit(0, FAKE_READ, i * STRIPE_CHUNK, STRIPE_CHUNK, NULL,
			    stripe_on_one, &one[i]);
	rig_run_ms(3);
	ck_assert_uint_eq(ops_count(&ops.most_inside), 1);
	ublkev_dev_abort(rig_loop, &stripe.r.dev);
	for (i = 0; i < 3; i++)
		rig_until(stripe_one_done, &one[i]);
	sem_post(&ops.gate);
	rig_run();
	rig_check_stopped(&stripe.r, "LS");
	ck_assert_uint_eq(ops.works, 1);
	ck_assert_uint_eq(ops.ended, 3);
	ck_assert_int_eq(ops.last_res, -ECANCELED);
	rig_fini(&stripe.r);
}
END_TEST

/* so many threads, and no more; in the order of their coming */
START_TEST(bounded)
{
	struct stripe_one one[8] = { { 0, 0 } };
	unsigned int i, n = 3;

	stripe.r.conf.offload_threads = n;
	begin(&one[0], 2);
	for (i = 1; i < 8; i++)
		fake_submit(0, FAKE_READ, i * STRIPE_CHUNK, STRIPE_CHUNK, NULL,
			    stripe_on_one, &one[i]);
	rig_until(works_inside, &n);
	rig_run_ms(3);
	ck_assert_uint_eq(ops_count(&ops.inside), 3);
	ck_assert_uint_eq(ops_count(&ops.thread_calls), 3);
	for (i = 0; i < 8; i++)
		sem_post(&ops.gate);
	for (i = 0; i < 8; i++)
		rig_until(stripe_one_done, &one[i]);
	ck_assert_uint_eq(ops.most_inside, 3);
	rig_down(&stripe.r);
}
END_TEST

/* busy clients, at the time of an abort; bit 0: threads */
START_TEST(aborted_busy)
{
	unsigned int ms = (unsigned int)test_rng_below(&stripe.rng, 5);

	if (_i % 2)
		stripe.r.conf.flags |= UBLKEV_CONF_QUEUE_THREADS;
	fake.file = stripe_any_way;
	ops.in_4 = 2;
	stripe.r.conf.queues = STRIPE_QUEUES;
	stripe_up();
	stripe_abort_busy(ms);
	ck_assert_uint_eq(ops.begun, ops.ended);
	ck_assert_uint_eq(rig_stats(&stripe.r).inflight, 0);
	ck_assert_uint_eq(ops.closes, 1);
	rig_fini(&stripe.r);
}
END_TEST

/*
 * Released, the next server gets what was not ended in time, whatever `done`
 * makes of the cancel. Bits as of begin().
 */
START_TEST(released)
{
	struct stripe_one one = { 0, 0 };
	char back[STRIPE_CHUNK];

	fake.features = 0x1fffff;
	stripe.r.conf.id = 0;
	stripe.r.conf.recovery = UBLKEV_RECOVERY_REISSUE;
	stripe.r.conf.stop_timeout_ms = 100;
	/* what is recalled ends at once, and QUIESCE_DEV with the next rung */
	if (_i / 2 == 0)
		stripe.r.conf.grace_ms = 400;
	begin(&one, _i);
	ck_assert_int_eq(ublkev_dev_release(rig_loop, &stripe.r.dev), 0);
	if (_i / 2) {
		/* what has begun is awaited, and what it did is the answer */
		rig_run_ms(5);
		sem_post(&ops.gate);
	}
	rig_run();
	rig_check_stopped(&stripe.r, _i / 2 ? "LS" : "LES");
	ck_assert_int_eq(stripe.r.dev.step, UBLKEV_STEP_RELEASED);
	ck_assert_uint_eq(one.done, _i / 2);
	ck_assert_uint_eq(ops.ended, 1);
	ck_assert_uint_eq(fake_counts.file_left, 0);
	rig_fini(&stripe.r);

	fake.file = NULL;
	ops.gated = false;
	stripe.r.conf.stop_timeout_ms = 2000;
	rig_recover(&stripe.r, stripe.backend);
	rig_until(rig_is_live, &stripe.r);
	rig_until(stripe_one_done, &one);
	ck_assert_int_eq(one.res, 0);
	ck_assert_uint_eq(one.done, 1);
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, STRIPE_CHUNK, back), 0);
	rig_down(&stripe.r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_reqop_end");
	TCase *tc = tcase_create("end");

	tcase_add_checked_fixture(tc, ops_setup, ops_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, stopped, 0, 4);
	tcase_add_loop_test(tc, aborted, 0, 4);
	tcase_add_loop_test(tc, aborted_never_ends, 0, 4);
	tcase_add_loop_test(tc, aborted_before_it_began, 0, 2);
	tcase_add_test(tc, bounded);
	tcase_add_loop_test(tc, aborted_busy, 0, 8);
	tcase_add_loop_test(tc, released, 0, 4);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
