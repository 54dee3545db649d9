/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands of release, recovery and so on stall in turn; the deadline ends
 * them, and another device of the same loop is served all the while
 * (test_engine_carrier.c does the same to those of start and stop). And what
 * a start does besides: IO_FLUSHER.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "core/names.h"
#include "engine_rig.h"

#ifndef PR_GET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#define PR_GET_IO_FLUSHER 58
#endif

#define ID 7

static struct lazy disk;
static struct rig_dev r;
static struct busy other;

static void conf(void)
{
	rig_conf(&r);
	r.conf.id = ID;
	r.conf.cmd_timeout_ms = 100;
	r.conf.start_timeout_ms = 150;
	r.conf.stop_timeout_ms = 150;
	r.conf.grace_ms = 70;
	r.conf.recover_timeout_ms = 100;
	r.conf.recovery = UBLKEV_RECOVERY_REISSUE;
}

static void setup(void)
{
	rig_setup();
	fake.features = 0x1fffff;
	busy_up(&other, 1);
	lazy_init(&disk, LAZY_NOW, 1);
	conf();
}

static void teardown(void)
{
	fake_outside(UBLKEV__CTRL_DEL_DEV, ID);
	fake_release();
	busy_down(&other);
	lazy_fini(&disk);
	ck_assert(fake_clean());
	rig_teardown();
}

/* ---- each command ---------------------------------------------------------- */

enum way { RELEASE, QUIESCED, RECOVER };

static const struct {
	enum way way;
	enum ublkev__ctrl_cmd cmd;
	enum ublkev_step step;
	/* where it ends when a cancel helps, and when nothing does */
	enum ublkev_step cancelled, lost;
} stalls[] = {
	{ RELEASE, UBLKEV__CTRL_QUIESCE_DEV, UBLKEV_STEP_QUIESCE,
	  UBLKEV_STEP_LOST, UBLKEV_STEP_LOST },
	{ QUIESCED, UBLKEV__CTRL_GET_DEV_INFO, UBLKEV_STEP_LIVE,
	  UBLKEV_STEP_RELEASED, UBLKEV_STEP_LOST },
	{ RECOVER, UBLKEV__CTRL_GET_FEATURES, UBLKEV_STEP_FEATURES,
	  UBLKEV_STEP_RELEASED, UBLKEV_STEP_LOST },
	{ RECOVER, UBLKEV__CTRL_GET_DEV_INFO, UBLKEV_STEP_INFO,
	  UBLKEV_STEP_RELEASED, UBLKEV_STEP_LOST },
	{ RECOVER, UBLKEV__CTRL_GET_PARAMS, UBLKEV_STEP_INFO,
	  UBLKEV_STEP_RELEASED, UBLKEV_STEP_LOST },
	{ RECOVER, UBLKEV__CTRL_START_USER_RECOVERY, UBLKEV_STEP_RECOVER,
	  UBLKEV_STEP_RELEASED, UBLKEV_STEP_LOST },
	{ RECOVER, UBLKEV__CTRL_END_USER_RECOVERY, UBLKEV_STEP_START,
	  UBLKEV_STEP_RELEASED, UBLKEV_STEP_LOST },
};

/* a device that is as it has to be for that, where the command comes next */
static void go(enum way way)
{
	rig_up(&r, disk.backend);
	switch (way) {
	case RELEASE:
		ck_assert_int_eq(ublkev_dev_release(rig_loop, &r.dev), 0);
		return;
	case QUIESCED:
		fake_outside(UBLKEV__CTRL_QUIESCE_DEV, ID);
		return;
	default:
		ck_assert_int_eq(ublkev_dev_release(rig_loop, &r.dev), 0);
	}
	rig_until(rig_is_over, &r);
	rig_check_stopped(&r, "LS");
	rig_fini(&r);
	conf();
	rig_recover(&r, disk.backend);
}

START_TEST(stalled)
{
	bool hard = _i % 2;
	unsigned int before, nth, i = (unsigned int)_i / 2;

	/* the first life of a device to recover asks for features, too */
	nth = stalls[i].way == RECOVER &&
	      stalls[i].cmd == UBLKEV__CTRL_GET_FEATURES ? 2 : 1;
	fake_rule(hard ? FAKE_HANG_HARD : FAKE_HANG, stalls[i].cmd, nth, 1, 0);
	go(stalls[i].way);
	before = other.served;
	rig_until(rig_is_over, &r);
	ck_assert_int_eq(r.dev.err, -ETIMEDOUT);
	ck_assert_int_eq(r.err_step, stalls[i].step);
	ck_assert_int_eq(r.dev.step, hard ? stalls[i].lost :
			 stalls[i].cancelled);
	/* how many depends on the machine, and what else it does */
	ck_assert_uint_gt(other.served, before + 1);
	/* what was lent to it stays so */
	r.alloc.live -= (int)fake_counts.leaks;
	rig_fini(&r);
}
END_TEST

/* ---- those that a live disk can do without --------------------------------- */

static bool is_done(void *res)
{
	return *(int *)res != 1;
}

static void done(void *arg, int res)
{
	*(int *)arg = res;
}

static int read_disk(int id)
{
	static char data[4096];
	static int res;

	res = 1;
	fake_submit(id, FAKE_READ, 0, sizeof(data), data, done, &res);
	rig_until(is_done, &res);
	return res;
}

static bool has_refused(void *arg)
{
	(void)arg;
	return strchr(r.events, 'N');
}

static void count_ticks(struct ev_loop *loop, struct ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	++*(unsigned int *)w->data;
}

static bool has_ticked(void *ticks)
{
	return *(unsigned int *)ticks;
}

/* the disk and its users outlive any slowness of TRY_STOP_DEV */
START_TEST(try_stop)
{
	unsigned int before, ticks = 0;
	struct ev_timer later;

	fake_rule(FAKE_HANG_HARD, UBLKEV__CTRL_TRY_STOP_DEV, 1, 1, 0);
	if (_i)
		r.conf.recovery = UBLKEV_RECOVERY_NONE;
	rig_up(&r, disk.backend);
	fake_hold(ID, 1);
	ck_assert_int_eq(ublkev_dev_try_stop(rig_loop, &r.dev), 0);
	before = other.served;
	ev_timer_init(&later, count_ticks, (r.conf.stop_timeout_ms +
		      3 * r.conf.grace_ms) / 1000., 0.);
	later.data = &ticks;
	ev_timer_start(rig_loop, &later);
	rig_until(has_ticked, &ticks);
	ck_assert_str_eq(r.events, "L");
	ck_assert_uint_gt(other.served, before);
	ck_assert_int_eq(read_disk(ID), 0);
	fake_release();
	rig_until(has_refused, NULL);
	ck_assert_str_eq(r.events, "LN");
	ck_assert_int_eq(r.dev.res, -EBUSY);
	ck_assert_int_eq(r.dev.err, 0);
	ck_assert(fake_live(ID));
	fake_hold(ID, -1);
	ublkev_dev_stop(rig_loop, &r.dev);
	rig_until(rig_is_over, &r);
	rig_check_stopped(&r, "LNS");
	rig_fini(&r);
}
END_TEST

/* ---- IO_FLUSHER -------------------------------------------------------------- */

START_TEST(io_flusher)
{
	int err;

	r.conf.flags = UBLKEV_CONF_IO_FLUSHER;
	rig_init(&r, disk.backend);
	err = ublkev_dev_start(rig_loop, &r.dev);
	if (err) {
		printf("io_flusher: not permitted here\n");
		ck_assert_int_eq(err, prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) &&
				 errno != EPERM ? -errno : -EACCES);
		ck_assert_int_eq(r.dev.step, UBLKEV_STEP_SETUP);
		ck_assert(!r.dev.active);
		rig_fini(&r);
		return;
	}
	ck_assert_int_eq(prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0), 1);
	r.starts++;
	rig_until(rig_is_live, &r);
	ublkev_dev_stop(rig_loop, &r.dev);
	rig_until(rig_is_over, &r);
	rig_check_stopped(&r, "LS");
	/* for good */
	ck_assert_int_eq(prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0), 1);
	rig_fini(&r);
}
END_TEST

/* nobody is made one who did not ask for it */
START_TEST(no_io_flusher)
{
	int was = prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0);

	rig_up(&r, disk.backend);
	ck_assert_int_eq(prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0), was);
	ublkev_dev_stop(rig_loop, &r.dev);
	rig_until(rig_is_over, &r);
	rig_fini(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_stall");
	TCase *tc = tcase_create("stall");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, stalled, 0, 2 * (int)TEST_COUNT(stalls));
	tcase_add_loop_test(tc, try_stop, 0, 2);
	tcase_add_test(tc, io_flusher);
	tcase_add_test(tc, no_io_flusher);
	suite_add_tcase(s, tc);
	return test_main(s);
}
