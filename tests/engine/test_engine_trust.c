/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What holds however late or misused the application's side is: answers that
 * come twice or too late, buffers that are lent, calls that are not allowed.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine_one.h"

/* ---- late answers ------------------------------------------------------- */

static bool one_held(void *arg)
{
	(void)arg;
	return lazy.nr_held;
}

START_TEST(late_and_double_answers)
{
	struct one one = { 0, 0 };
	uint64_t cookie;
	char data[512];

	lazy.mode = LAZY_HOLD;
	rig_up(&r, lazy.backend);
	fake_submit(0, FAKE_READ, 0, 512, data, one_tell, &one);
	rig_until(one_held, NULL);
	ck_assert_uint_eq(ublkev_dev_inflight(&r.dev, NULL, 0), 1);
	cookie = lazy.held[0]->cookie;
	lazy_answer(&lazy, 1);
	ublkev_req_done(lazy.backend, cookie, 0);
	ublkev_req_done(lazy.backend, cookie ^ UINT64_C(1) << 32, 0);
	ublkev_req_done(lazy.backend, UINT64_MAX, 0);
	rig_until(one_done, &one);
	ublkev_req_done(lazy.backend, cookie, -EIO);
	ck_assert_int_eq(one.res, 0);
	/* the next request of the tag is another one */
	fake_submit(0, FAKE_READ, 0, 512, data, one_tell, &one);
	rig_until(one_held, NULL);
	ublkev_req_done(lazy.backend, cookie, -EIO);
	ck_assert_uint_eq(rig_stats(&r).stale_answers, 5);
	lazy_answer(&lazy, 1);
	rig_down(&r);
	ck_assert_uint_eq(one.done, 2);
	ublkev_req_done(lazy.backend, cookie, 0);
}
END_TEST

/* the answers to requests that an abort gave up come too late */
START_TEST(answers_after_abort)
{
	struct ublkev_req *held;
	struct one one = { 0, 0 };
	char data[512];

	lazy.mode = LAZY_HOLD;
	rig_up(&r, lazy.backend);
	fake_submit(0, FAKE_READ, 0, 512, data, one_tell, &one);
	rig_until(one_held, NULL);
	held = lazy.held[0];
	ublkev_dev_abort(rig_loop, &r.dev);
	rig_until(one_done, &one);
	ck_assert_int_eq(one.res, -EIO);
	if (r.dev.active) {
		ublkev_req_done(lazy.backend, held->cookie, 0);
		ck_assert_uint_eq(rig_stats(&r).stale_answers, 1);
	}
	rig_run();
	rig_check_stopped(&r, "LS");
	ck_assert_int_eq(r.dev.err, 0);
	rig_fini(&r);
}
END_TEST

static char data[2][512];
static int failure;

static void note(void *arg, int res)
{
	*(int *)arg = res;
}

/*
 * A request that was given up is answered after the device has ended and
 * another device, or the same again, has the backend.
 */
START_TEST(answer_to_a_former_device)
{
	uint64_t former;
	int res = 1;

	lazy.mode = LAZY_HOLD;
	rig_up(&r, lazy.backend);
	fake_submit(0, FAKE_READ, 0, 512, data[0], note, &failure);
	rig_until(one_held, NULL);
	former = lazy.held[0]->cookie;
	ublkev_dev_abort(rig_loop, &r.dev);
	rig_run();
	if (_i) {
		rig_fini(&r);
		rig_conf(&r);
		rig_init(&r, lazy.backend);
	}
	rig_start(&r);
	rig_until(rig_is_live, &r);
	fake_submit(0, FAKE_READ, 0, 512, data[1], note, &res);
	rig_until(one_held, NULL);
	ck_assert_uint_ne(lazy.held[0]->cookie, former);
	ublkev_req_done(lazy.backend, former, 0);
	rig_run_ms(5);
	ck_assert_int_eq(res, 1);
	ck_assert_uint_eq(rig_stats(&r).stale_answers, 1);
	lazy_answer(&lazy, 1);
	rig_down(&r);
	ck_assert_int_eq(res, 0);
}
END_TEST

/* ---- buffers that are lent ---------------------------------------------- */

/* the tag's next WRITE must not land in the buffer of the one given up */
START_TEST(lent_buffer_after_abort)
{
	static char first[512], next[512];
	struct ublkev_req *held;
	int res = 1, res_next = 1;

	memset(first, 'a', sizeof(first));
	memset(next, 'b', sizeof(next));
	lazy.mode = LAZY_HOLD;
	r.conf.depth = 1;
	rig_up(&r, lazy.backend);
	fake_submit(0, FAKE_WRITE, 0, 512, first, note, &res);
	rig_until(one_held, NULL);
	held = lazy.held[0];
	fake_submit(0, FAKE_WRITE, 4096, 512, next, note, &res_next);
	ublkev_dev_abort(rig_loop, &r.dev);
	while (res == 1 || res_next == 1) {
		ck_assert_uint_eq(lazy.closes, 0);
		ev_run(rig_loop, EVRUN_ONCE);
		if (!lazy.closes)
			ck_assert_mem_eq(held->buf, first, sizeof(first));
	}
	ck_assert_int_lt(res, 0);
	ck_assert_int_lt(res_next, 0);
	rig_down(&r);
}
END_TEST

/* ---- misuse ------------------------------------------------------------- */

static void flush_inside(struct rig_dev *d, int revents)
{
	if (revents & UBLKEV_LIVE)
		ublkev_dev_flush(&d->dev);
}

/* by hand, until it is over */
static void drive(void)
{
	while (r.dev.active) {
		ublkev_dev_flush(&r.dev);
		if (r.dev.active)
			ublkev_dev_service(&r.dev);
		fake_tick();
	}
}

static void flush_in_live(void *arg)
{
	(void)arg;
	r.on_event = flush_inside;
	rig_init(&r, lazy.backend);
	if (ublkev_dev_start(NULL, &r.dev))
		_Exit(1);
	drive();
}

static void flush_too_late(void *arg)
{
	(void)arg;
	rig_init(&r, lazy.backend);
	if (ublkev_dev_start(NULL, &r.dev))
		_Exit(1);
	ublkev_dev_stop(NULL, &r.dev);
	drive();
	ublkev_dev_flush(&r.dev);
}

START_TEST(flush_in_a_callback)
{
	ck_assert(test_aborts(flush_in_live, NULL, "flush is not called"));
}
END_TEST

START_TEST(flush_after_stopped)
{
	ck_assert(test_aborts(flush_too_late, NULL, "active and driven"));
}
END_TEST

static int (*const starts[])(struct ev_loop *, struct ublkev_dev *) = {
	ublkev_dev_start, ublkev_dev_recover, ublkev_dev_remove,
};

struct start {
	struct ublkev_dev *dev;
	int how;
};

static void start_it(void *arg)
{
	struct start *s = arg;

	starts[s->how](rig_loop, s->dev);
}

START_TEST(start_of_what_is_no_device)
{
	struct ublkev_dev zeroed = { 0 };
	struct start s = { &zeroed, _i };
	struct ublkev_stats stats;

	r.conf.id = 3;
	ck_assert(test_aborts(start_it, &s, "ublkev: "));
	ck_assert_int_eq(ublkev_dev_stats(&zeroed, &stats, sizeof(stats)),
			 -EINVAL);
	ublkev_dev_stop(rig_loop, &zeroed);
	rig_init(&r, lazy.backend);
	s.dev = &r.dev;
	r.dev.cb = NULL;
	ck_assert(test_aborts(start_it, &s, "has a callback"));
	rig_fini(&r);
	ck_assert(test_aborts(start_it, &s, "was initialised"));
}
END_TEST

static void stop_it(void)
{
	ublkev_dev_stop(rig_loop, &r.dev);
}

static void abort_it(void)
{
	ublkev_dev_abort(rig_loop, &r.dev);
}

static void resize_it(void)
{
	(void)ublkev_dev_resize(rig_loop, &r.dev, 2 * LAZY_BYTES, 0);
}

static void release_it(void)
{
	(void)ublkev_dev_release(rig_loop, &r.dev);
}

static void answer_it(void)
{
	ublkev_req_done(lazy.backend, 0, 0);
}

static void (*const calls[])(void) = {
	stop_it, abort_it, resize_it, release_it, answer_it,
};

static void *in_thread(void *arg)
{
	calls[*(int *)arg]();
	return NULL;
}

static void from_a_thread(void *arg)
{
	pthread_t thread;

	if (!pthread_create(&thread, NULL, in_thread, arg))
		pthread_join(thread, NULL);
}

START_TEST(another_thread)
{
	int call = _i;

	rig_up(&r, lazy.backend);
	ck_assert(test_aborts(from_a_thread, &call, "ublkev: "));
	ck_assert(test_aborts(from_a_thread, &call, "thread"));
	rig_down(&r);
	/* one that is not active is nobody's, and its backend's answer too */
	from_a_thread(&call);
}
END_TEST

static void stop_in_process(void *arg)
{
	(void)arg;
	stop_it();
}

/* test_aborts() forks, and the child has the thread's number, so to speak */
START_TEST(another_process)
{
	rig_up(&r, lazy.backend);
	ck_assert(test_aborts(stop_in_process, NULL, "ublkev: the process is"));
	rig_down(&r);
}
END_TEST

static struct ublkev_dev moved;

static void stop_moved(void *arg)
{
	(void)arg;
	ublkev_dev_stop(rig_loop, &moved);
}

static void start_moved(void *arg)
{
	(void)arg;
	(void)ublkev_dev_start(rig_loop, &moved);
}

static void fini_moved(void *arg)
{
	(void)arg;
	ublkev_dev_fini(&moved);
}

/* an array of devices that was made longer, say */
START_TEST(moved_device)
{
	static const char text[] = "ublkev: a device stays where";

	rig_init(&r, lazy.backend);
	moved = r.dev;
	ck_assert(test_aborts(start_moved, NULL, text));
	ck_assert(test_aborts(fini_moved, NULL, text));
	rig_fini(&r);
	rig_up(&r, lazy.backend);
	moved = r.dev;
	ck_assert(test_aborts(stop_moved, NULL, text));
	rig_down(&r);
}
END_TEST

static void destroy_it(void *arg)
{
	(void)arg;
	ev_loop_destroy(rig_loop);
}

START_TEST(loop_destroyed_under_it)
{
	rig_up(&r, lazy.backend);
	ck_assert(test_aborts(destroy_it, NULL, "a loop to destroy has no active"));
	rig_down(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_trust");
	TCase *tc = tcase_create("trust");

	tcase_add_checked_fixture(tc, one_setup, one_teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, late_and_double_answers);
	tcase_add_test(tc, answers_after_abort);
	tcase_add_loop_test(tc, answer_to_a_former_device, 0, 2);
	tcase_add_test(tc, lent_buffer_after_abort);
	tcase_add_test(tc, flush_in_a_callback);
	tcase_add_test(tc, flush_after_stopped);
	tcase_add_loop_test(tc, start_of_what_is_no_device, 0,
			    TEST_COUNT(starts));
	tcase_add_loop_test(tc, another_thread, 0, TEST_COUNT(calls));
	tcase_add_test(tc, another_process);
	tcase_add_test(tc, moved_device);
	tcase_add_test(tc, loop_destroyed_under_it);
	suite_add_tcase(s, tc);
	return test_main(s);
}
