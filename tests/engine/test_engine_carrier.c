/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every step fails, every command never returns; another device of the same
 * loop does not notice.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_rig.h"

static struct lazy lazy;
static struct rig_dev r;
static struct busy other;

static void short_timeouts(struct rig_dev *d)
{
	rig_conf(d);
	d->conf.cmd_timeout_ms = 30;
	d->conf.start_timeout_ms = 40;
	d->conf.stop_timeout_ms = 40;
	d->conf.grace_ms = 20;
}

static void setup(void)
{
	rig_setup();
	busy_up(&other, 0);
	lazy_init(&lazy, LAZY_NOW, 1);
	short_timeouts(&r);
}

static void teardown(void)
{
	fake_release();
	busy_down(&other);
	lazy_fini(&lazy);
	rig_teardown();
}

static void over(const char *events, enum ublkev_step step, int err)
{
	rig_until(rig_is_over, &r);
	rig_check_stopped(&r, events);
	ck_assert_int_eq(r.dev.step, step);
	ck_assert_int_eq(r.dev.err, err);
}

/* up as far as it goes, and down; whether it was live */
static bool whole_life(void)
{
	rig_init(&r, lazy.backend);
	rig_start(&r);
	while (r.dev.active && !rig_is_live(&r))
		ev_run(rig_loop, EVRUN_ONCE);
	if (!r.dev.active)
		return false;
	ublkev_dev_stop(rig_loop, &r.dev);
	return true;
}

static void nothing_left(void)
{
	/* the other device's own */
	ck_assert_uint_eq(fake_counts.devs, 1);
	ck_assert_uint_eq(fake_counts.pending, 0);
	ck_assert_uint_eq(fake_counts.ios, 1);
	ck_assert_uint_eq(fake_counts.leaks, 0);
}

static const struct {
	enum ublkev__ctrl_cmd cmd;
	int err;
	enum ublkev_step step;
	const char *events;
	enum ublkev_step last;
} refusals[] = {
#define UP(cmd, err, step) \
	{ UBLKEV__CTRL_##cmd, err, UBLKEV_STEP_##step, "ES", UBLKEV_STEP_GONE }
#define DOWN(cmd, err, step, last) \
	{ UBLKEV__CTRL_##cmd, err, UBLKEV_STEP_##step, "LES", \
	  UBLKEV_STEP_##last }
	UP(GET_FEATURES, -EPERM, FEATURES),
	UP(GET_FEATURES, -EINVAL, FEATURES),
	UP(GET_FEATURES, -EFAULT, FEATURES),
	UP(ADD_DEV, -EINVAL, ADD), UP(ADD_DEV, -EPERM, ADD),
	UP(ADD_DEV, -EACCES, ADD), UP(ADD_DEV, -EEXIST, ADD),
	UP(ADD_DEV, -EFAULT, ADD), UP(ADD_DEV, -ENOMEM, ADD),
	UP(ADD_DEV, -EOPNOTSUPP, ADD),
	UP(SET_PARAMS, -EINVAL, PARAMS), UP(SET_PARAMS, -EACCES, PARAMS),
	UP(SET_PARAMS, -EFAULT, PARAMS), UP(SET_PARAMS, -ENODEV, PARAMS),
	UP(START_DEV, -EINVAL, START), UP(START_DEV, -EINTR, START),
	UP(START_DEV, -EEXIST, START), UP(START_DEV, -EBUSY, START),
	UP(START_DEV, -ENOMEM, START), UP(START_DEV, -ENODEV, START),
	DOWN(STOP_DEV, -EPERM, STOP, GONE),
	DOWN(DEL_DEV, -EPERM, DEL, LOST),
};

START_TEST(every_step_refused)
{
	fake_rule(FAKE_CMD, refusals[_i].cmd, 1, 1, refusals[_i].err);
	whole_life();
	over(refusals[_i].events, refusals[_i].last, refusals[_i].err);
	ck_assert_int_eq(r.err_step, refusals[_i].step);
	if (refusals[_i].last == UBLKEV_STEP_GONE)
		nothing_left();
	rig_fini(&r);
	/* and a next device comes up */
	short_timeouts(&r);
	ck_assert(whole_life());
	over("LS", UBLKEV_STEP_GONE, 0);
	rig_fini(&r);
	fake_outside(UBLKEV__CTRL_DEL_DEV, 1);
}
END_TEST

START_TEST(no_get_features)
{
	fake_rule(FAKE_CMD, UBLKEV__CTRL_GET_FEATURES, 1, 1, -EOPNOTSUPP);
	ck_assert(whole_life());
	over("LS", UBLKEV_STEP_GONE, 0);
	rig_fini(&r);
}
END_TEST

/* somebody else's signal: DEL_DEV_ASYNC does it then */
START_TEST(del_interrupted)
{
	fake_rule(FAKE_CMD, UBLKEV__CTRL_DEL_DEV, 1, 1, -EINTR);
	ck_assert(whole_life());
	over("LS", UBLKEV_STEP_GONE, 0);
	ck_assert_uint_eq(fake_counts.cmds[UBLKEV__CTRL_DEL_DEV_ASYNC], 1);
	nothing_left();
	rig_fini(&r);
}
END_TEST

static const struct {
	enum fake_what what;
	enum ublkev__ctrl_cmd cmd;
	enum ublkev_step step, last;
	const char *events;
} hangs[] = {
#define HANG(what, cmd, step, last, events) \
	{ what, UBLKEV__CTRL_##cmd, UBLKEV_STEP_##step, UBLKEV_STEP_##last, \
	  events }
	HANG(FAKE_HANG, GET_FEATURES, FEATURES, GONE, "ES"),
	HANG(FAKE_HANG, ADD_DEV, ADD, GONE, "ES"),
	HANG(FAKE_HANG, SET_PARAMS, PARAMS, GONE, "ES"),
	HANG(FAKE_HANG, START_DEV, START, GONE, "ES"),
	HANG(FAKE_HANG, STOP_DEV, STOP, LOST, "LES"),
	HANG(FAKE_HANG, DEL_DEV, DEL, GONE, "LES"),
	HANG(FAKE_HANG_HARD, GET_FEATURES, FEATURES, LOST, "ES"),
	HANG(FAKE_HANG_HARD, ADD_DEV, ADD, LOST, "ES"),
	HANG(FAKE_HANG_HARD, SET_PARAMS, PARAMS, LOST, "ES"),
	HANG(FAKE_HANG_HARD, START_DEV, START, LOST, "ES"),
	HANG(FAKE_HANG_HARD, STOP_DEV, STOP, LOST, "LES"),
	HANG(FAKE_HANG_HARD, DEL_DEV, DEL, LOST, "LES"),
};

START_TEST(every_command_hangs)
{
	unsigned int before = other.served;
	int lost = hangs[_i].last == UBLKEV_STEP_LOST;

	fake_rule(hangs[_i].what, hangs[_i].cmd, 1, 1, 0);
	whole_life();
	over(hangs[_i].events, hangs[_i].last, -ETIMEDOUT);
	ck_assert_int_eq(r.err_step, hangs[_i].step);
	/* one in a ms when the machine has time for us */
	ck_assert_uint_ge(other.served - before, 1);
	ck_assert_uint_eq(fake_counts.leaks, lost);
	ublkev_dev_fini(&r.dev);
	ck_assert_int_eq(r.alloc.live, lost);
	if (!lost)
		nothing_left();
	/* what was given up goes on after all */
	fake_release();
	fake_outside(UBLKEV__CTRL_DEL_DEV, 1);
	ck_assert_uint_eq(fake_counts.pending, 0);
	ck_assert_uint_eq(fake_counts.ios, 1);
}
END_TEST

/* the kernel answers after the deadline, and what it did is undone */
START_TEST(late_answers)
{
	r.conf.grace_ms = 500;
	fake_rule(FAKE_HANG_TICKS, hangs[_i].cmd, 1, 1, 35);
	rig_ticks();
	whole_life();
	rig_until(rig_is_over, &r);
	rig_check_stopped(&r, r.events);
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_GONE);
	nothing_left();
	rig_fini(&r);
}
END_TEST

/* the partition scan, or the write-back, of a backend that never answers */
START_TEST(backend_hangs)
{
	lazy.mode = LAZY_HOLD;
	if (_i)
		fake.writeback = 20;
	else
		fake.scan_reads = 2;
	ck_assert_int_eq(whole_life(), _i);
	over(_i ? "LES" : "ES", UBLKEV_STEP_GONE, -ETIMEDOUT);
	ck_assert_int_eq(r.err_step, _i ? UBLKEV_STEP_STOP
					: UBLKEV_STEP_START);
	nothing_left();
	rig_fini(&r);
	fake.writeback = 0;
}
END_TEST

START_TEST(opening)
{
	static const int errs[] = { -ENOENT, -EACCES, -EBUSY, -EMFILE };

	/* the first three may pass */
	if (_i < 3) {
		r.conf.cmd_timeout_ms = 200;
		fake_rule(FAKE_OPEN, 0, 1, 2, errs[_i]);
		ck_assert(whole_life());
		over("LS", UBLKEV_STEP_GONE, 0);
		rig_fini(&r);
		short_timeouts(&r);
	}
	fake_rule(FAKE_OPEN, 0, 1, FAKE_NEVER, errs[_i]);
	ck_assert(!whole_life());
	over("ES", UBLKEV_STEP_GONE, errs[_i]);
	ck_assert_int_eq(r.err_step, UBLKEV_STEP_OPEN);
	nothing_left();
	rig_fini(&r);
}
END_TEST

START_TEST(stop_while_opening)
{
	fake_rule(FAKE_OPEN, 0, 1, FAKE_NEVER, -EBUSY);
	r.conf.cmd_timeout_ms = 2000;
	rig_init(&r, lazy.backend);
	rig_start(&r);
	rig_run_ms(10);
	ublkev_dev_stop(rig_loop, &r.dev);
	over("S", UBLKEV_STEP_GONE, 0);
	nothing_left();
	rig_fini(&r);
}
END_TEST

START_TEST(fetch_refused)
{
	fake_rule(FAKE_FETCH, 0, 1 + (unsigned int)_i % 3,
		  _i < 3 ? 1 : FAKE_NEVER, _i & 1 ? -EBUSY : -EINVAL);
	ck_assert(!whole_life());
	over("ES", UBLKEV_STEP_GONE, _i & 1 ? -EBUSY : -EINVAL);
	ck_assert_int_eq(r.err_step, UBLKEV_STEP_START);
	nothing_left();
	rig_fini(&r);
}
END_TEST

static unsigned int answers;

static void on_answer(void *arg, int res)
{
	(void)arg;
	(void)res;
	answers++;
}

static void ask(unsigned int n)
{
	static char data[8][512];
	unsigned int i;

	answers = 0;
	for (i = 0; i < n; i++)
		fake_submit(r.dev.id, FAKE_READ, 0, 512, data[i], on_answer,
			    NULL);
}

START_TEST(commit_refused)
{
	/* only the device's own commits: the other one rests */
	other.rests = true;
	rig_run_ms(5);
	rig_up(&r, lazy.backend);
	fake_rule(FAKE_COMMIT, 0, 2, 1, -EINVAL);
	ask(4);
	over("LES", UBLKEV_STEP_GONE, -EINVAL);
	ck_assert_uint_eq(answers, 4);
	nothing_left();
	rig_fini(&r);
}
END_TEST

START_TEST(enter_fails)
{
	other.rests = true;
	rig_run_ms(5);
	r.conf.budget_us = _i & 2 ? 0 : 500;
	r.conf.budget_reqs = _i & 2 ? 0 : 1024;
	rig_up(&r, lazy.backend);
	fake_rule(FAKE_ENTER, 0, 1, _i & 1 ? FAKE_NEVER : 1, -EBADF);
	ask(4);
	over("LES", UBLKEV_STEP_GONE, -EBADF);
	ck_assert_uint_eq(answers, 4);
	nothing_left();
	rig_fini(&r);
	fake_no_rules();
}
END_TEST

START_TEST(spurious_completions)
{
	struct test_log log = { 0 };

	r.conf.log = test_log_fn;
	r.conf.log_data = &log;
	rig_up(&r, lazy.backend);
	log.lines = 0;
	fake_spurious(1, 9, 0, 0);
	fake_spurious(1, 0, 100, 0);
	fake_spurious(1, 0, 65535, -ENODEV);
	fake_spurious(1, 65535, 65535, -EIO);
	rig_run_ms(5);
	ck_assert_uint_eq(log.lines, 4);
	ask(8);
	rig_run_ms(5);
	ck_assert_uint_eq(answers, 8);
	ublkev_dev_stop(rig_loop, &r.dev);
	over("LS", UBLKEV_STEP_GONE, 0);
	rig_fini(&r);
}
END_TEST

/* somebody holds the device: it goes when they let go */
START_TEST(held)
{
	if (_i)		/* before 6.10 there is no other way */
		fake_rule(FAKE_CMD, UBLKEV__CTRL_DEL_DEV_ASYNC, 1, 1,
			  -EOPNOTSUPP);
	rig_up(&r, lazy.backend);
	fake_hold(1, 1);
	ublkev_dev_stop(rig_loop, &r.dev);
	over("LES", UBLKEV_STEP_GONE, -ETIMEDOUT);
	ck_assert_int_eq(r.err_step, UBLKEV_STEP_DEL);
	ck_assert(fake_exists(1));
	fake_hold(1, -1);
	ck_assert(!fake_exists(1));
	nothing_left();
	rig_fini(&r);
}
END_TEST

/* 6.4 and before know no GET_FEATURES; which error tells so depends */
START_TEST(old_kernel)
{
	fake_rule(FAKE_CMD, UBLKEV__CTRL_GET_FEATURES, 1, 1,
		  _i ? -ENODEV : -EOPNOTSUPP);
	ck_assert(whole_life());
	over("LS", UBLKEV_STEP_GONE, 0);
	nothing_left();
	rig_fini(&r);
}
END_TEST

/* a stop deadline with requests outstanding, and an abort that hurries */
START_TEST(stop_deadline)
{
	lazy.mode = LAZY_HOLD;
	r.conf.stop_timeout_ms = _i ? 100000 : 40;
	rig_up(&r, lazy.backend);
	ask(5);
	rig_run_ms(5);
	ublkev_dev_stop(rig_loop, &r.dev);
	rig_run_ms(5);
	ck_assert_uint_eq(answers, 0);
	if (_i)
		ublkev_dev_abort(rig_loop, &r.dev);
	over(_i ? "LS" : "LES", UBLKEV_STEP_GONE, _i ? 0 : -ETIMEDOUT);
	ck_assert_uint_eq(answers, 5);
	nothing_left();
	rig_fini(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_control");
	TCase *tc = tcase_create("control");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, every_step_refused, 0, TEST_COUNT(refusals));
	tcase_add_test(tc, no_get_features);
	tcase_add_test(tc, del_interrupted);
	tcase_add_loop_test(tc, every_command_hangs, 0, TEST_COUNT(hangs));
	tcase_add_loop_test(tc, late_answers, 0, 6);
	tcase_add_loop_test(tc, backend_hangs, 0, 2);
	tcase_add_loop_test(tc, opening, 0, 4);
	tcase_add_test(tc, stop_while_opening);
	tcase_add_loop_test(tc, fetch_refused, 0, 6);
	tcase_add_test(tc, commit_refused);
	tcase_add_loop_test(tc, enter_fails, 0, 4);
	tcase_add_test(tc, spurious_completions);
	tcase_add_loop_test(tc, held, 0, 2);
	tcase_add_loop_test(tc, old_kernel, 0, 2);
	tcase_add_loop_test(tc, stop_deadline, 0, 2);
	suite_add_tcase(s, tc);
	return test_main(s);
}
