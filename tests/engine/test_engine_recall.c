/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device that is left to the next server while operations on files are under
 * way: none of them may land after that server's.
 */
#include <errno.h>
#include <string.h>

#include "engine_stripe.h"

static void setup(void)
{
	stripe_setup();
	/* a release has as long, and what is cancelled again */
	stripe.r.conf.grace_ms = 400;
}

/* a device that another server can have */
static void begin_release(struct stripe_one *one, bool threads, char *data)
{
	fake.features = 0x1fffff;
	stripe.r.conf.id = 0;
	stripe.r.conf.recovery = UBLKEV_RECOVERY_REISSUE;
	stripe_begin(one, FAKE_WRITE, threads, data);
	ck_assert_int_eq(ublkev_dev_release(rig_loop, &stripe.r.dev), 0);
}

/* the next server's writes are as the client wanted them */
static void next_server(struct stripe_one *one, const char *data)
{
	static char back[3 * STRIPE_CHUNK];

	fake.file = NULL;
	stripe.r.conf.stop_timeout_ms = 2000;
	rig_recover(&stripe.r, stripe.backend);
	rig_until(rig_is_live, &stripe.r);
	rig_until(stripe_one_done, one);
	ck_assert_int_eq(one->res, 0);
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, 3 * STRIPE_CHUNK, back), 0);
	ck_assert_mem_eq(back, data, sizeof(back));
	rig_down(&stripe.r);
}

/* what ends while it is waited for is answered by who did it */
START_TEST(released)
{
	static char data[3 * STRIPE_CHUNK] = "released";
	struct stripe_one one = { 0, 0 };

	begin_release(&one, _i, data);
	rig_run_ms(5);
	ck_assert_uint_eq(one.done, 0);
	fake_file_go(0, 3);
	rig_run();
	rig_check_stopped(&stripe.r, "LS");
	ck_assert_int_eq(stripe.r.dev.step, UBLKEV_STEP_RELEASED);
	ck_assert_uint_eq(one.done, 1);
	ck_assert_uint_eq(fake_counts.file_cancels, 0);
	ck_assert_uint_eq(fake_counts.file_left, 0);
	rig_fini(&stripe.r);
	next_server(&one, data);
}
END_TEST

/*
 * What is not ended in time is cancelled before ublkc is closed: it would
 * overtake what the next server writes. 0, 1: patience ends; 2, 3: an abort.
 */
START_TEST(released_too_late)
{
	static char data[3 * STRIPE_CHUNK] = "too late";
	bool hurry = _i / 2;
	struct stripe_one one = { 0, 0 };

	if (!hurry)
		stripe.r.conf.stop_timeout_ms = 100;
	begin_release(&one, _i % 2, data);
	if (hurry)
		ublkev_dev_abort(rig_loop, &stripe.r.dev);
	rig_run();
	rig_check_stopped(&stripe.r, hurry ? "LS" : "LES");
	ck_assert_int_eq(stripe.r.dev.step, UBLKEV_STEP_RELEASED);
	ck_assert_uint_eq(fake_counts.file_left, 0);
	ck_assert_uint_eq(fake_counts.file_cancels, 3);
	ck_assert_uint_eq(fake_counts.left_bufs, 0);
	ck_assert_uint_eq(rig_stats(&stripe.r).files_left, 0);
	ck_assert_uint_eq(stripe.placed, 1);
	ck_assert_uint_eq(one.done, 0);
	rig_fini(&stripe.r);
	next_server(&one, data);
}
END_TEST

/* one that no cancel ends is awaited for all that */
START_TEST(released_ends_late)
{
	static char data[3 * STRIPE_CHUNK] = "ends late";
	struct stripe_one one = { 0, 0 };

	stripe.r.conf.stop_timeout_ms = 100;
	begin_release(&one, _i, data);
	fake.file_stuck = true;
	while (fake_counts.file_cancels < 3)
		rig_run_ms(1);
	ck_assert(stripe.r.dev.active);
	fake_file_go(0, 3);
	rig_run();
	rig_check_stopped(&stripe.r, "LES");
	ck_assert_int_eq(stripe.r.dev.step, UBLKEV_STEP_RELEASED);
	ck_assert_uint_eq(fake_counts.file_left, 0);
	ck_assert_uint_eq(one.done, 1);
	ck_assert_int_eq(one.res, 0);
	rig_fini(&stripe.r);
	next_server(&one, data);
}
END_TEST

/* at the end of the ladder it is told, for whoever would hand the file on */
START_TEST(released_never_ends)
{
	static char data[3 * STRIPE_CHUNK] = "never";
	struct stripe_one one = { 0, 0 };

	stripe.r.conf.grace_ms = 100;
	stripe.r.conf.stop_timeout_ms = 100;
	begin_release(&one, _i, data);
	fake.file_stuck = true;
	rig_run();
	rig_check_stopped(&stripe.r, "LES");
	ck_assert_int_eq(stripe.r.dev.step, UBLKEV_STEP_RELEASED);
	ck_assert_uint_eq(fake_counts.file_left, 3);
	ck_assert_uint_eq(fake_counts.left_bufs, 1);
	ck_assert_uint_eq(rig_stats(&stripe.r).files_left, 3);
	ck_assert_ptr_nonnull(strstr(stripe.said.line,
				     "3 operations on files have not ended"));
	rig_fini(&stripe.r);
	next_server(&one, data);
}
END_TEST

/* a command that is refused leaves the device to another server, likewise */
START_TEST(left_after_a_fault)
{
	static char data[3 * STRIPE_CHUNK] = "fault";
	struct stripe_one one = { 0, 0 };

	fake.features = 0x1fffff;
	stripe.r.conf.id = 0;
	stripe.r.conf.recovery = UBLKEV_RECOVERY_REISSUE;
	stripe_begin(&one, FAKE_WRITE, false, data);
	fake_spurious(0, 0, 7, -EINVAL);
	rig_run();
	rig_check_stopped(&stripe.r, "LES");
	ck_assert_int_eq(stripe.r.dev.step, UBLKEV_STEP_RELEASED);
	ck_assert_uint_eq(fake_counts.file_left, 0);
	rig_fini(&stripe.r);
	next_server(&one, data);
}
END_TEST

/* STOP_DEV is refused: ublkc is left, and its file to others */
START_TEST(stop_refused)
{
	static char data[3 * STRIPE_CHUNK];
	struct stripe_one one = { 0, 0 };

	stripe_begin(&one, FAKE_WRITE, _i, data);
	fake_rule(FAKE_CMD, UBLKEV__CTRL_STOP_DEV, 1, 1, -EPERM);
	ublkev_dev_stop(rig_loop, &stripe.r.dev);
	rig_run();
	rig_check_stopped(&stripe.r, "LES");
	ck_assert_uint_eq(fake_counts.file_left, 0);
	ck_assert_uint_eq(fake_counts.file_cancels, 3);
	rig_fini(&stripe.r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_recall");
	TCase *tc = tcase_create("recall");

	tcase_add_checked_fixture(tc, setup, stripe_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, released, 0, 2);
	tcase_add_loop_test(tc, released_too_late, 0, 4);
	tcase_add_loop_test(tc, released_ends_late, 0, 2);
	tcase_add_loop_test(tc, released_never_ends, 0, 2);
	tcase_add_test(tc, left_after_a_fault);
	tcase_add_loop_test(tc, stop_refused, 0, 2);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
