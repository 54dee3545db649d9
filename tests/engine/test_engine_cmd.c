/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ublkev_cmd on the fake driver: every command's answer, and the ends of those
 * that get none
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/names.h"
#include "core/params.h"
#include "ev/clock.h"
#include "engine_rig.h"

#define ID 3
#define TIMEOUT_MS 30

static struct ublkev_cmd cmd;
static struct ublkev_conf conf;
static struct rig_alloc alloc;
static struct ublkev_cmd_answer got;
static unsigned int answers;
static void (*then)(void);

static struct lazy disk;
static struct rig_dev dev;

/* what the command's clock says, 0: what the machine's does */
static uint64_t clock_us;

uint64_t __real_ublkev__clock_us(void);
uint64_t __wrap_ublkev__clock_us(void);

uint64_t __wrap_ublkev__clock_us(void)
{
	return clock_us ? clock_us : __real_ublkev__clock_us();
}

static void on_answer(struct ev_loop *loop, struct ublkev_cmd *c,
		      const struct ublkev_cmd_answer *a)
{
	ck_assert_ptr_eq(loop, rig_loop);
	ck_assert_ptr_eq(c, &cmd);
	ck_assert(!c->active);
	got = *a;
	answers++;
	if (then)
		then();
}

static void init(void)
{
	ck_assert_int_eq(ublkev_cmd_init(&cmd, on_answer, &conf), 0);
	ck_assert(!cmd.active);
}

static void setup(void)
{
	rig_setup();
	fake.features = 0x1fffff;
	answers = 0;
	clock_us = 0;
	then = NULL;
	memset(&alloc, 0, sizeof(alloc));
	ublkev_conf_init(&conf, sizeof(conf));
	conf.cmd_timeout_ms = TIMEOUT_MS;
	conf.grace_ms = 20;
	conf.alloc = rig_alloc_fn;
	conf.alloc_data = &alloc;
	init();
}

static void teardown(void)
{
	if (cmd.priv)
		ublkev_cmd_fini(&cmd);
	ck_assert_int_eq(alloc.live, 0);
	ck_assert(fake_clean());
	rig_teardown();
}

static int submit(enum ublkev_cmd_op op, int id, uint64_t arg)
{
	return ublkev_cmd_submit(rig_loop, &cmd, op, id, arg);
}

static bool is_answered(void *arg)
{
	return answers > *(unsigned int *)arg;
}

static int answered(void)
{
	static unsigned int before;

	before = answers;
	rig_until(is_answered, &before);
	ck_assert_uint_eq(answers, before + 1);
	return got.res;
}

static int ask(enum ublkev_cmd_op op, int id, uint64_t arg)
{
	ck_assert_int_eq(submit(op, id, arg), 0);
	ck_assert(cmd.active);
	answered();
	ck_assert_int_eq(got.op, op);
	ck_assert_int_eq(got.id, id);
	return got.res;
}

/* a device of another server's in the same loop */
/* conf.flags of the next device */
static unsigned int flags;

static void serve(enum ublkev_recovery recovery)
{
	lazy_init(&disk, LAZY_NOW, 1);
	rig_conf(&dev);
	dev.conf.id = ID;
	dev.conf.queues = 2;
	dev.conf.recovery = recovery;
	dev.conf.flags |= flags;
	rig_up(&dev, disk.backend);
}

static void served(const char *events)
{
	rig_until(rig_is_over, &dev);
	rig_check_stopped(&dev, events);
	rig_fini(&dev);
	lazy_fini(&disk);
}

/* ---- answers -------------------------------------------------------------- */

START_TEST(features)
{
	static const struct ublkev_cmd_answer none;

	ck_assert_int_eq(ask(UBLKEV_CMD_GET_FEATURES, -1, 0), 0);
	ck_assert_uint_eq(got.u.features, 0x1fffff);
	/* and nothing of that in the next answer, which has no data */
	ck_assert_int_eq(ask(UBLKEV_CMD_STOP_DEV, ID, 0), -ENODEV);
	ck_assert_mem_eq(&got.u, &none.u, sizeof(got.u));
}
END_TEST

/* that needs no device, and asks for none */
START_TEST(features_of_nobody)
{
	ck_assert_int_eq(ask(UBLKEV_CMD_GET_FEATURES, -1, 0), 0);
	ck_assert_uint_eq(fake_counts.cmds[UBLKEV__CTRL_GET_DEV_INFO2], 0);
}
END_TEST

START_TEST(info)
{
	flags = _i ? UBLKEV_CONF_KEEP_SCHEDULER : 0;
	serve(UBLKEV_RECOVERY_NONE);
	flags = 0;
	ck_assert_int_eq(ask(UBLKEV_CMD_GET_DEV_INFO, ID, 0), 0);
	ck_assert_int_eq(got.u.info.id, ID);
	ck_assert_uint_eq(got.u.info.queues, 2);
	ck_assert_uint_eq(got.u.info.depth, dev.conf.depth);
	ck_assert_uint_eq(got.u.info.max_io_bytes, dev.conf.max_io_bytes);
	ck_assert_uint_eq(got.u.info.state, UBLKEV_STATE_LIVE);
	ck_assert(ublkev_signature_is_ours(got.u.info.signature));
	ck_assert_int_eq(ublkev_signature_keeps_scheduler(got.u.info.signature),
			 _i);
	ck_assert(got.u.info.features & UBLKEV__F(CMD_IOCTL_ENCODE));
	ck_assert_int_gt(got.u.info.pid, 0);
	/* no node in /dev */
	fake_rule(FAKE_CMD, UBLKEV__CTRL_GET_DEV_INFO2, 1, 1, -ENOENT);
	ck_assert_int_eq(ask(UBLKEV_CMD_GET_DEV_INFO, ID, 0), 0);
	ck_assert_uint_eq(got.u.info.queues, 2);
	ublkev_dev_stop(rig_loop, &dev.dev);
	served("LS");
}
END_TEST

START_TEST(params)
{
	serve(UBLKEV_RECOVERY_NONE);
	ck_assert_int_eq(ask(UBLKEV_CMD_GET_PARAMS, ID, 0), 0);
	ck_assert_uint_eq(got.u.params.dev_bytes, LAZY_BYTES);
	ck_assert_uint_eq(got.u.params.logical_block_bytes, 512);
	ck_assert_uint_eq(got.u.params.disk_major, 259);
	ck_assert_uint_eq(got.u.params.disk_minor, ID);
	ck_assert_int_eq(ask(UBLKEV_CMD_GET_QUEUE_AFFINITY, ID, 1), 0);
	ck_assert_uint_eq(got.u.cpus.bits[0], 2);
	ck_assert_int_eq(ask(UBLKEV_CMD_GET_QUEUE_AFFINITY, ID, 2), -EINVAL);
	ublkev_dev_stop(rig_loop, &dev.dev);
	served("LS");
}
END_TEST

START_TEST(no_device)
{
	unsigned int op;

	for (op = UBLKEV_CMD_GET_DEV_INFO; op < UBLKEV_NR_CMDS; op++)
		ck_assert_int_eq(ask((enum ublkev_cmd_op)op, 9, 512),
				 -ENODEV);
}
END_TEST

START_TEST(stopped_and_deleted)
{
	serve(UBLKEV_RECOVERY_NONE);
	ck_assert_int_eq(ask(UBLKEV_CMD_STOP_DEV, ID, 0), 0);
	served("LES");
	ck_assert_int_eq(fake_leave(ID), 0);
	ck_assert_int_eq(ask(_i ? UBLKEV_CMD_DEL_DEV :
			     UBLKEV_CMD_DEL_DEV_ASYNC, ID, 0), 0);
	ck_assert(!fake_exists(ID));
}
END_TEST

START_TEST(try_stop)
{
	serve(UBLKEV_RECOVERY_NONE);
	fake_hold(ID, 1);
	ck_assert_int_eq(ask(UBLKEV_CMD_TRY_STOP_DEV, ID, 0), -EBUSY);
	ck_assert(fake_live(ID));
	fake_hold(ID, -1);
	ck_assert_int_eq(ask(UBLKEV_CMD_TRY_STOP_DEV, ID, 0), 0);
	served("LES");
}
END_TEST

START_TEST(quiesced)
{
	serve(UBLKEV_RECOVERY_REISSUE);
	ck_assert_int_eq(ask(UBLKEV_CMD_QUIESCE_DEV, ID, 1000), 0);
	served("LS");
	ck_assert_int_eq(ask(UBLKEV_CMD_GET_DEV_INFO, ID, 0), 0);
	ck_assert_uint_eq(got.u.info.state, UBLKEV_STATE_QUIESCED);
	ck_assert_int_eq(got.u.info.pid, -1);
	ck_assert_int_eq(ask(UBLKEV_CMD_DEL_DEV, ID, 0), 0);
}
END_TEST

START_TEST(resized)
{
	serve(UBLKEV_RECOVERY_NONE);
	ck_assert_int_eq(ask(UBLKEV_CMD_UPDATE_SIZE, ID, 1 << 19), 0);
	ck_assert_uint_eq(fake_sectors(ID), 1 << 10);
	ck_assert_int_eq(submit(UBLKEV_CMD_UPDATE_SIZE, ID, 511), -EINVAL);
	ck_assert_int_eq(submit(UBLKEV_CMD_UPDATE_SIZE, ID, 0), -EINVAL);
	ublkev_dev_stop(rig_loop, &dev.dev);
	served("LS");
}
END_TEST

/* ---- not submitted ---------------------------------------------------------- */

static struct ublkev_cmd bad;

static void submit_bad(void *loop)
{
	(void)ublkev_cmd_submit(loop, &bad, UBLKEV_CMD_GET_FEATURES, 0, 0);
}

static void *cancel_it(void *loop)
{
	ublkev_cmd_cancel(loop, &cmd);
	return NULL;
}

static void cancel_in_loop(void *loop)
{
	cancel_it(loop);
}

static void cancel_in_thread(void *loop)
{
	pthread_t thread;

	if (!pthread_create(&thread, NULL, cancel_it, loop))
		pthread_join(thread, NULL);
}

static void fini_bad(void *unused)
{
	(void)unused;
	ublkev_cmd_fini(&bad);
}

static void destroy_loop(void *loop)
{
	ev_loop_destroy(loop);
}

/* a caller's bugs say whose they are */
START_TEST(bugs)
{
	struct ev_loop *loop = ev_loop_new(0);

	memset(&bad, 0, sizeof(bad));
	ck_assert(test_aborts(submit_bad, rig_loop, "ublkev: a ublkev_cmd to"));
	ublkev_cmd_cancel(rig_loop, &bad);
	ublkev_cmd_fini(&bad);
	bad = cmd;
	ck_assert(test_aborts(submit_bad, rig_loop, "ublkev: a ublkev_cmd st"));
	ck_assert(test_aborts(fini_bad, NULL, "ublkev: a ublkev_cmd stays"));
	ck_assert_int_eq(ublkev_cmd_init(&bad, NULL, &conf), 0);
	ck_assert(test_aborts(submit_bad, rig_loop, "ublkev: a command has"));
	ublkev_cmd_fini(&bad);
	ck_assert(test_aborts(submit_bad, rig_loop, "ublkev: a ublkev_cmd to"));
	ck_assert_int_eq(ublkev_cmd_init(&bad, on_answer, &conf), 0);
	ck_assert(test_aborts(submit_bad, NULL, "ublkev: a command has"));
	ublkev_cmd_fini(&bad);

	ck_assert_int_eq(submit(UBLKEV_CMD_GET_FEATURES, 0, 0), 0);
	ck_assert(test_aborts(cancel_in_thread, rig_loop, "ublkev: thread and"));
	ck_assert(test_aborts(cancel_in_loop, loop, "ublkev: thread and loop"));
	ck_assert(test_aborts(destroy_loop, rig_loop, "ublkev: a loop to destr"));
	ck_assert_int_eq(answered(), 0);
	ev_loop_destroy(loop);
}
END_TEST

START_TEST(wrong)
{
	ck_assert_int_eq(submit(UBLKEV_NR_CMDS, 1, 0), -EINVAL);
	ck_assert_int_eq(submit(UBLKEV_CMD_STOP_DEV, -1, 0), -EINVAL);
	ck_assert_int_eq(submit(UBLKEV_CMD_STOP_DEV, 1 << 20, 0), -EINVAL);
	/* a patience of 0 would be for ever */
	ck_assert_int_eq(submit(UBLKEV_CMD_QUIESCE_DEV, ID, 0), -EINVAL);
	ck_assert_int_eq(submit(UBLKEV_CMD_QUIESCE_DEV, 1,
				UINT64_C(1) << 32), -EINVAL);
	ck_assert(!cmd.active);
	ck_assert_int_eq(submit(UBLKEV_CMD_GET_FEATURES, 0, 0), 0);
	ck_assert_int_eq(submit(UBLKEV_CMD_GET_FEATURES, 0, 0), -EBUSY);
	ck_assert_int_eq(answered(), 0);
	/* nothing to cancel */
	ublkev_cmd_cancel(rig_loop, &cmd);
	rig_run_ms(5);
	ck_assert_uint_eq(answers, 1);
}
END_TEST

START_TEST(no_driver)
{
	fake_rule(_i ? FAKE_CONTROL_OPEN : FAKE_CONTROL_NEW, 0, 1, 1, -ENOENT);
	ck_assert_int_eq(submit(UBLKEV_CMD_GET_FEATURES, 0, 0), -ENOENT);
	ck_assert(!cmd.active);
	ck_assert_uint_eq(fake_counts.controls, 0);
	ck_assert_int_eq(ask(UBLKEV_CMD_GET_FEATURES, 0, 0), 0);
}
END_TEST

START_TEST(bad_conf)
{
	struct test_log said = { 0 };
	struct ublkev_cmd other;

	conf.log = test_log_fn;
	conf.log_data = &said;
	conf.grace_ms = 0;
	ck_assert_int_eq(ublkev_cmd_init(&other, on_answer, &conf), -EINVAL);
	ck_assert_uint_eq(said.lines, 1);
	ck_assert_str_eq(said.line,
			 "conf.grace_ms is 0: its range is 1 to 2147483647");
	conf.grace_ms = 1;
	conf.flags = 1u << 31;
	ck_assert_int_eq(ublkev_cmd_init(&other, on_answer, &conf),
			 -EOPNOTSUPP);
	ck_assert_uint_eq(said.lines, 2);
	ck_assert_str_eq(said.line, "conf.flags is 0x80000000: "
			 "a bit is unknown to this version");
	conf.size = 8;
	ck_assert_int_eq(ublkev_cmd_init(&other, on_answer, &conf), -EINVAL);
	ck_assert_uint_eq(said.lines, 3);
	ck_assert_ptr_nonnull(strstr(said.line, "conf.size is 8: "));
	ck_assert_int_eq(ublkev_cmd_init(&other, on_answer, NULL), 0);
	ublkev_cmd_fini(&other);
}
END_TEST

START_TEST(no_memory)
{
	struct ublkev_cmd other;
	unsigned int i, failures = 0, fds = test_fds(getpid());
	int err, live = alloc.live;

	alloc.fail_at = alloc.calls + 1;
	ck_assert_int_eq(ublkev_cmd_init(&other, on_answer, &conf), -ENOMEM);
	for (i = 1; ; i++) {
		alloc.fail_at = alloc.calls + i;
		err = submit(UBLKEV_CMD_GET_FEATURES, 0, 0);
		if (!err)
			break;
		failures++;
		ck_assert_int_eq(err, -ENOMEM);
		ck_assert_int_eq(alloc.live, live);
		ck_assert_uint_eq(test_fds(getpid()), fds);
	}
	ck_assert_uint_ge(failures, 1);
	alloc.fail_at = 0;
	ck_assert_int_eq(answered(), 0);
}
END_TEST

/* ---- no answer --------------------------------------------------------------- */

/* a cancel ends it */
START_TEST(times_out)
{
	ck_assert_int_eq(fake_leave(ID), 0);
	fake_rule(FAKE_HANG, _i ? UBLKEV__CTRL_STOP_DEV :
		  UBLKEV__CTRL_GET_DEV_INFO2, 1, 1, 0);
	ck_assert_int_eq(ask(UBLKEV_CMD_STOP_DEV, ID, 0), -ETIMEDOUT);
	ck_assert_uint_eq(fake_counts.cancels, 1);
	ck_assert_uint_eq(fake_counts.leaks, 0);
	ck_assert_uint_eq(fake_counts.controls, 1);
	ck_assert_int_eq(ask(UBLKEV_CMD_DEL_DEV, ID, 0), 0);
}
END_TEST

static void be_late(struct ev_loop *loop, struct ev_timer *w, int revents)
{
	struct timespec late = { 0, 2 * TIMEOUT_MS * 1000000 };

	(void)revents;
	if (!fake_counts.pending)
		return;
	fake_tick();
	nanosleep(&late, NULL);
	/* it is passed, but not so late that a part of it is not counted */
	if (clock_us)
		clock_us += TIMEOUT_MS * 1000;
	ev_timer_stop(loop, w);
}

/*
 * The loop hears of the deadline first, but the answer was there before it:
 * whether the thread was late, or the two came together.
 */
START_TEST(late_ourselves)
{
	struct ev_timer blocks;

	clock_us = _i & 2 ? 1000000 : 0;
	ck_assert_int_eq(fake_leave(ID), 0);
	fake_rule(FAKE_HANG_TICKS, _i & 1 ? UBLKEV__CTRL_STOP_DEV :
		  UBLKEV__CTRL_GET_DEV_INFO2, 1, 1, 1);
	ev_timer_init(&blocks, be_late, .001, .001);
	ev_timer_start(rig_loop, &blocks);
	ck_assert_int_eq(ask(UBLKEV_CMD_STOP_DEV, ID, 0), 0);
	ck_assert_uint_eq(fake_counts.cancels, 0);
	ck_assert(!ev_is_active(&blocks));
	ck_assert_int_eq(ask(UBLKEV_CMD_DEL_DEV, ID, 0), 0);
}
END_TEST

/* nothing does: its memory is left, and the cmd can be used again */
START_TEST(lost)
{
	unsigned int fds = test_fds(getpid());
	int live = alloc.live;

	ck_assert_int_eq(fake_leave(ID), 0);
	fake_rule(FAKE_HANG_HARD, UBLKEV__CTRL_STOP_DEV, 1, 1, 0);
	ck_assert_int_eq(ask(UBLKEV_CMD_STOP_DEV, ID, 0), -ETIMEDOUT);
	ck_assert_uint_eq(fake_counts.leaks, 1);
	ck_assert_uint_eq(fake_counts.controls, 0);
	ck_assert_uint_eq(test_fds(getpid()), fds);
	ck_assert_int_eq(alloc.live, live + 1);
	ck_assert_int_eq(ask(UBLKEV_CMD_GET_FEATURES, 0, 0), 0);
	ck_assert_int_eq(ask(UBLKEV_CMD_GET_DEV_INFO, ID, 0), 0);
	fake_release();
	ck_assert_int_eq(ask(UBLKEV_CMD_DEL_DEV, ID, 0), 0);
	ublkev_cmd_fini(&cmd);
	ck_assert_int_eq(alloc.live, 1);
	alloc.live = 0;
}
END_TEST

START_TEST(cancelled)
{
	ck_assert_int_eq(fake_leave(ID), 0);
	fake_hold(ID, 1);
	/* waits for who has it open */
	ck_assert_int_eq(submit(UBLKEV_CMD_DEL_DEV, ID, 0), 0);
	if (_i)
		rig_run_ms(5);
	ublkev_cmd_cancel(rig_loop, &cmd);
	ublkev_cmd_cancel(rig_loop, &cmd);
	ck_assert_uint_eq(answers, 0);	/* not from inside it */
	ck_assert_int_eq(answered(), -ECANCELED);
	if (!_i)
		ck_assert_int_eq(ask(UBLKEV_CMD_DEL_DEV_ASYNC, ID, 0), 0);
	fake_hold(ID, -1);
	ck_assert(!fake_exists(ID));
}
END_TEST

/* ---- from inside the callback -------------------------------------------------- */

static void free_it(void)
{
	ublkev_cmd_fini(&cmd);
	memset(&cmd, 0xff, sizeof(cmd));
	cmd.priv = NULL;
}

START_TEST(freed_inside)
{
	then = free_it;
	if (_i)
		fake_rule(FAKE_HANG_HARD, UBLKEV__CTRL_GET_FEATURES, 1, 1, 0);
	ck_assert_int_eq(submit(UBLKEV_CMD_GET_FEATURES, 0, 0), 0);
	ck_assert_int_eq(answered(), _i ? -ETIMEDOUT : 0);
	rig_run();
	fake_release();
	alloc.live -= _i;
}
END_TEST

static void ask_again(void)
{
	if (answers < 100)
		ck_assert_int_eq(submit(UBLKEV_CMD_GET_FEATURES, 0, 0), 0);
}

START_TEST(used_inside)
{
	unsigned int fds;

	then = ask_again;
	ck_assert_int_eq(submit(UBLKEV_CMD_GET_FEATURES, 0, 0), 0);
	fds = test_fds(getpid());
	rig_run();	/* and the loop ends when nothing is under way */
	ck_assert_uint_eq(answers, 100);
	ck_assert_uint_eq(test_fds(getpid()), fds);
	ck_assert(!cmd.active);
}
END_TEST

static void add_ends(TCase *tc)
{
	tcase_add_test(tc, wrong);
	tcase_add_test(tc, bugs);
	tcase_add_loop_test(tc, no_driver, 0, 2);
	tcase_add_test(tc, bad_conf);
	tcase_add_test(tc, no_memory);
	tcase_add_loop_test(tc, times_out, 0, 2);
	tcase_add_loop_test(tc, late_ourselves, 0, 4);
	tcase_add_test(tc, lost);
	tcase_add_loop_test(tc, cancelled, 0, 2);
	tcase_add_loop_test(tc, freed_inside, 0, 2);
	tcase_add_test(tc, used_inside);
}

int main(void)
{
	Suite *s = suite_create("engine_ctl");
	TCase *tc = tcase_create("cmd");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, features);
	tcase_add_test(tc, features_of_nobody);
	tcase_add_loop_test(tc, info, 0, 2);
	tcase_add_test(tc, params);
	tcase_add_test(tc, no_device);
	tcase_add_loop_test(tc, stopped_and_deleted, 0, 2);
	tcase_add_test(tc, try_stop);
	tcase_add_test(tc, quiesced);
	tcase_add_test(tc, resized);
	add_ends(tc);
	suite_add_tcase(s, tc);
	return test_main(s);
}
