/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory runs out at each allocation of a start and of a recovery in turn: the
 * call or STOPPED tells -ENOMEM, and nothing is kept. A live device makes none.
 */
#include <errno.h>
#include <unistd.h>

#include "engine_one.h"

static void no_event(struct ev_loop *loop, struct ublkev_dev *dev, int revents)
{
	(void)loop;
	(void)dev;
	ck_abort_msg("an event: %d", revents);
}

START_TEST(init_fails)
{
	rig_conf(&r);
	r.alloc.fail_at = 1;
	ck_assert_int_eq(ublkev_dev_init(&r.dev, no_event, &r.conf,
					 lazy.backend), -ENOMEM);
	ck_assert_int_eq(r.alloc.live, 0);
	/* that was the only one */
	r.alloc.fail_at = 3;
	rig_init(&r, lazy.backend);
	ck_assert_uint_eq(r.alloc.calls, 2);
	rig_fini(&r);
}
END_TEST

static void prepare(int i)
{
	rig_conf(&r);
	r.conf.queues = 3;
	r.conf.id = i & 2 ? 5 : -1;
	if (i & 1)
		r.conf.flags = UBLKEV_CONF_LATENCY;
	rig_init(&r, lazy.backend);
}

static int start(int i)
{
	return i & 2 ? ublkev_dev_remove(rig_loop, &r.dev)
		     : ublkev_dev_start(rig_loop, &r.dev);
}

START_TEST(every_allocation_of_start)
{
	int i, live, fds, failures = 0, err;

	for (i = 1; ; i++) {
		prepare(_i);
		live = r.alloc.live;
		fds = (int)test_fds(getpid());
		r.alloc.fail_at = r.alloc.calls + (unsigned int)i;
		err = start(_i);
		if (!err)
			break;
		failures++;
		ck_assert_int_eq(err, -ENOMEM);
		ck_assert_int_eq(r.dev.err, -ENOMEM);
		ck_assert_int_eq(r.dev.step, UBLKEV_STEP_SETUP);
		ck_assert_int_eq(r.alloc.live, live);
		ck_assert_int_eq(test_fds(getpid()), fds);
		ck_assert(fake_clean());
		/* nothing is watched; a second start works */
		ev_run(rig_loop, 0);
		r.alloc.fail_at = 0;
		r.starts++;
		ck_assert_int_eq(start(_i), 0);
		if (!(_i & 2))
			rig_until(rig_is_live, &r);
		ublkev_dev_stop(rig_loop, &r.dev);
		rig_run();
		ck_assert(!r.dev.active);
		rig_fini(&r);
	}
	/* engine, rings, queues, tags and so on: it was reached */
	ck_assert_int_ge(failures, _i & 2 ? 3 : 6);
	ublkev_dev_stop(rig_loop, &r.dev);
	rig_run();
	rig_fini(&r);
}
END_TEST

/* its shape is known, and its queues made, when the device has told it */
START_TEST(every_allocation_of_recover)
{
	unsigned int i, late = 0;

	rig_conf(&r);
	rig_leave(&r, lazy.backend, 5);
	for (i = 1; rig_take_starved(&r, i); i++) {
		late += r.dev.step == UBLKEV_STEP_RELEASED;
		if (r.dev.step == UBLKEV_STEP_RELEASED)
			ck_assert_int_eq(r.err_step, UBLKEV_STEP_OPEN);
		else
			ck_assert_int_eq(r.dev.step, UBLKEV_STEP_SETUP);
	}
	ck_assert_uint_ge(i, 6);
	ck_assert_uint_ge(late, 3);
	ublkev_dev_stop(rig_loop, &r.dev);
	rig_run();
	rig_check_stopped(&r, "LS");
	rig_fini(&r);
}
END_TEST

/* none is made per request */
static unsigned int done;

static void on_done(void *arg, int res)
{
	(void)arg;
	(void)res;
	done++;
}

static bool all_done(void *arg)
{
	(void)arg;
	return done == 100;
}

START_TEST(none_after_start)
{
	static char data[512];
	unsigned int calls;
	int i;

	prepare(1);
	rig_start(&r);
	calls = r.alloc.calls;
	r.alloc.fail_at = calls + 1;
	rig_until(rig_is_live, &r);
	for (i = 0; i < 100; i++)
		fake_submit(0, FAKE_WRITE, 0, 512, data, on_done, NULL);
	rig_until(all_done, NULL);
	ublkev_dev_stop(rig_loop, &r.dev);
	rig_run();
	ck_assert_uint_eq(r.alloc.calls, calls);
	rig_fini(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_oom");
	TCase *tc = tcase_create("oom");

	tcase_add_checked_fixture(tc, one_setup, one_teardown);
	tcase_add_test(tc, init_fails);
	tcase_add_loop_test(tc, every_allocation_of_start, 0, 4);
	tcase_add_test(tc, every_allocation_of_recover);
	tcase_add_test(tc, none_after_start);
	suite_add_tcase(s, tc);
	return test_main(s);
}
