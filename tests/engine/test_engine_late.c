/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our own thread is late: it is stopped, frozen or starved, or its machine is
 * paused. The engine's clock is the test's, and the device is driven by hand, so
 * each turn comes as late as is wished.
 */
#include <errno.h>
#include <semaphore.h>
#include <string.h>

#include "core/names.h"
#include "ev/clock.h"
#include "engine_rig.h"

#define ID	7
#define LATE_MS	600000u
#define TURNS	1000

static uint64_t clock_ms;
static struct ublkev_backend *disk;
static uint64_t disk_bytes;
static struct lazy slow;
static struct rig_dev r;

uint64_t __wrap_ublkev__clock_us(void);

uint64_t __wrap_ublkev__clock_us(void)
{
	return 1000 * __atomic_load_n(&clock_ms, __ATOMIC_RELAXED);
}

/* ---- a disk that can be resized --------------------------------------------- */

static int disk_open(void *ctx, struct ublkev_limits *limits)
{
	(void)ctx;
	limits->dev_bytes = disk_bytes;
	return 0;
}

static int disk_submit(void *ctx, struct ublkev_req *req)
{
	(void)ctx;
	(void)req;
	return UBLKEV_DONE;
}

static int disk_resize(void *ctx, uint64_t dev_bytes)
{
	(void)ctx;
	disk_bytes = dev_bytes;
	return 0;
}

/* ---- a device, driven by hand ------------------------------------------------ */

static void conf(void)
{
	rig_conf(&r);
	r.conf.id = ID;
	r.conf.cmd_timeout_ms = 200;
	r.conf.start_timeout_ms = 200;
	r.conf.stop_timeout_ms = 200;
	r.conf.recover_timeout_ms = 200;
	r.conf.grace_ms = 100;
	r.conf.wait_us = 0;
	r.conf.recovery = UBLKEV_RECOVERY_REISSUE;
}

static void setup(void)
{
	static const struct ublkev_backend_ops ops = {
		.size = sizeof(ops), .name = "sized", .open = disk_open,
		.submit = disk_submit, .resize = disk_resize,
	};

	clock_ms = 1000;
	disk_bytes = LAZY_BYTES;
	rig_setup();
	fake.features = 0x1fffff;
	ck_assert_int_eq(ublkev_backend_new(&disk, &ops, NULL), 0);
	conf();
}

static void teardown(void)
{
	ck_assert(fake_clean());
	ublkev_backend_free(disk);
	rig_teardown();
}

static void turn_now(void)
{
	ublkev_dev_service(&r.dev);
	ublkev_dev_flush(&r.dev);
	if (r.dev.active)	/* says when it wants the next */
		(void)ublkev_dev_timeout_ms(&r.dev);
}

/* a turn that comes so late after it was wanted */
static void turn(unsigned int late_ms)
{
	int ms = ublkev_dev_timeout_ms(&r.dev);

	clock_ms += late_ms + (ms > 0 ? (unsigned int)ms : 0);
	turn_now();
}

static void until(bool (*so)(void *arg), unsigned int late_ms)
{
	int i;

	for (i = 0; !so(&r); i++) {
		ck_assert_int_lt(i, TURNS);
		ck_assert_msg(r.dev.active, "it ended: %s, %d in %s", r.events,
			      r.dev.err, ublkev_step_name(r.err_step));
		turn(late_ms);
	}
}

static void start(struct ublkev_backend *backend)
{
	rig_init(&r, backend);
	r.events[0] = '\0';
	r.starts++;
	ck_assert_int_eq(ublkev_dev_start(NULL, &r.dev), 0);
}

static void recover(void)
{
	rig_fini(&r);
	conf();
	rig_init(&r, disk);
	r.starts++;
	ck_assert_int_eq(ublkev_dev_recover(NULL, &r.dev), 0);
}

static bool has_resized(void *arg)
{
	(void)arg;
	return strchr(r.events, 'R');
}

static bool has_refused(void *arg)
{
	(void)arg;
	return strchr(r.events, 'N');
}

/* ---- the answers are there ------------------------------------------------- */

/* every command is answered at once, every look comes ten minutes late */
START_TEST(always_late)
{
	fake.scan_reads = 3;
	start(disk);
	until(rig_is_live, LATE_MS);
	ck_assert_int_eq(ublkev_dev_resize(NULL, &r.dev, 2 * LAZY_BYTES, 0), 0);
	until(has_resized, LATE_MS);
	ck_assert_int_eq(r.dev.res, 0);
	fake_hold(ID, 1);
	ck_assert_int_eq(ublkev_dev_try_stop(NULL, &r.dev), 0);
	until(has_refused, LATE_MS);
	ck_assert_int_eq(r.dev.res, -EBUSY);
	fake_hold(ID, -1);
	ck_assert_int_eq(ublkev_dev_release(NULL, &r.dev), 0);
	until(rig_is_over, LATE_MS);
	rig_check_stopped(&r, "LRNS");
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_RELEASED);
	recover();
	until(rig_is_live, LATE_MS);
	ublkev_dev_stop(NULL, &r.dev);
	until(rig_is_over, LATE_MS);
	rig_check_stopped(&r, "LS");
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_GONE);
	rig_fini(&r);
}
END_TEST

/* ---- or come when those who give them run again ---------------------------- */

enum way { START, RESIZE, RELEASE, TRY_STOP, RECOVER, STOP };

static const struct {
	enum way way;
	enum ublkev__ctrl_cmd cmd;
	unsigned int nth;
	const char *events;
} frozen_in[] = {
	{ START, UBLKEV__CTRL_GET_FEATURES, 1, "LS" },
	{ START, UBLKEV__CTRL_ADD_DEV, 1, "LS" },
	{ START, UBLKEV__CTRL_SET_PARAMS, 1, "LS" },
	{ START, UBLKEV__CTRL_START_DEV, 1, "LS" },
	{ RESIZE, UBLKEV__CTRL_GET_DEV_INFO, 1, "LRS" },
	{ RESIZE, UBLKEV__CTRL_UPDATE_SIZE, 1, "LRS" },
	{ RELEASE, UBLKEV__CTRL_QUIESCE_DEV, 1, "LS" },
	{ TRY_STOP, UBLKEV__CTRL_TRY_STOP_DEV, 1, "LS" },
	{ RECOVER, UBLKEV__CTRL_GET_FEATURES, 2, "LS" },
	{ RECOVER, UBLKEV__CTRL_GET_DEV_INFO, 1, "LS" },
	{ RECOVER, UBLKEV__CTRL_GET_PARAMS, 1, "LS" },
	{ RECOVER, UBLKEV__CTRL_START_USER_RECOVERY, 1, "LS" },
	{ RECOVER, UBLKEV__CTRL_END_USER_RECOVERY, 1, "LS" },
	{ STOP, UBLKEV__CTRL_STOP_DEV, 1, "LS" },
	{ STOP, UBLKEV__CTRL_DEL_DEV, 1, "LS" },
};

/* the answer comes one turn after the thread, and all the others, woke up */
static void until_over(bool *frozen)
{
	int i;

	for (i = 0; r.dev.active; i++) {
		ck_assert_int_lt(i, TURNS);
		if (r.dev.step == UBLKEV_STEP_LIVE && !fake_counts.pending)
			return;
		if (fake_counts.pending) {
			turn(LATE_MS);
			fake_tick();
			*frozen = true;
		}
		turn(0);
	}
}

static void go(enum way way)
{
	switch (way) {
	case START:
	case STOP:
		ublkev_dev_stop(NULL, &r.dev);
		return;
	case RESIZE:
		ck_assert_int_eq(ublkev_dev_resize(NULL, &r.dev, LAZY_BYTES,
						   0), 0);
		return;
	case TRY_STOP:
		ck_assert_int_eq(ublkev_dev_try_stop(NULL, &r.dev), 0);
		return;
	case RELEASE:
	case RECOVER:
		ck_assert_int_eq(ublkev_dev_release(NULL, &r.dev), 0);
	}
}

START_TEST(frozen)
{
	bool was = false;

	fake_rule(FAKE_HANG_TICKS, frozen_in[_i].cmd, frozen_in[_i].nth, 1, 1);
	start(disk);
	until_over(&was);
	go(frozen_in[_i].way);
	turn(0);
	until_over(&was);
	if (frozen_in[_i].way == RECOVER) {
		recover();
		r.events[0] = '\0';
		until_over(&was);
	}
	if (r.dev.active) {
		ublkev_dev_stop(NULL, &r.dev);
		until(rig_is_over, 0);
	}
	ck_assert(was);
	rig_check_stopped(&r, frozen_in[_i].events);
	ck_assert_int_eq(r.dev.err, 0);
	rig_fini(&r);
	fake_outside(UBLKEV__CTRL_DEL_DEV, ID);
}
END_TEST

/* ---- requests are answered, slowly ------------------------------------------- */

#define WRITES	20

static bool holds_one(void *arg)
{
	(void)arg;
	return slow.nr_held;
}

/*
 * The kernel writes its cache back while it is stopped, through a backend that
 * needs three quarters of the deadline for each, or whose thread is late.
 */
static void stop_slowly(unsigned int ms)
{
	fake.writeback = WRITES;
	r.conf.recovery = UBLKEV_RECOVERY_NONE;
	lazy_init(&slow, LAZY_HOLD, 1);
	start(slow.backend);
	until(rig_is_live, 0);
	ublkev_dev_stop(NULL, &r.dev);
	until(holds_one, 0);
	while (slow.nr_held && r.dev.active) {
		lazy_answer(&slow, 1);
		clock_ms += ms;
		turn_now();
	}
	until(rig_is_over, 0);
}

static uint64_t write_errors(void)
{
	return rig_stats(&r).op[UBLKEV_OP_WRITE].errors;
}

START_TEST(slow_stop)
{
	stop_slowly(_i ? LATE_MS : r.conf.stop_timeout_ms * 3 / 4);
	rig_check_stopped(&r, "LS");
	ck_assert_uint_eq(slow.submits, WRITES);
	ck_assert_uint_eq(write_errors(), 0);
	lazy_fini(&slow);
	rig_fini(&r);
}
END_TEST

START_TEST(limited_stop)
{
	r.conf.stop_limit_ms = 5 * r.conf.stop_timeout_ms;
	stop_slowly(r.conf.stop_timeout_ms * 3 / 4);
	rig_check_stopped(&r, "LES");
	ck_assert_int_eq(r.dev.err, -ETIMEDOUT);
	ck_assert_uint_gt(write_errors(), 0);
	ck_assert_uint_lt(write_errors(), WRITES);
	lazy_fini(&slow);
	rig_fini(&r);
}
END_TEST

/* a disk whose thread answers a WRITE when it gets a ticket */
static sem_t tickets, served;

static int slow_open(void *ctx, struct ublkev_limits *limits)
{
	limits->flags = UBLKEV_LIMIT_THREADS;
	return disk_open(ctx, limits);
}

static int slow_submit(void *ctx, struct ublkev_req *req)
{
	(void)ctx;
	if (req->op == UBLKEV_OP_WRITE) {
		while (sem_wait(&tickets))
			;
		sem_post(&served);
	}
	return UBLKEV_DONE;
}

static void until_told(bool (*so)(void *arg))
{
	rig_until_told(&r, so, turn_now, 10000);
}

START_TEST(slow_stop_of_threads)
{
	static const struct ublkev_backend_ops ops = {
		.size = sizeof(ops), .name = "slow", .open = slow_open,
		.submit = slow_submit,
	};
	struct ublkev_backend *backend;
	int i;

	sem_init(&tickets, 0, 0);
	sem_init(&served, 0, 0);
	ck_assert_int_eq(ublkev_backend_new(&backend, &ops, NULL), 0);
	fake.writeback = WRITES;
	r.conf.recovery = UBLKEV_RECOVERY_NONE;
	r.conf.flags = UBLKEV_CONF_QUEUE_THREADS;
	r.conf.stop_timeout_ms = 1000;
	start(backend);
	until_told(rig_is_live);
	ublkev_dev_stop(NULL, &r.dev);
	turn_now();
	for (i = 0; i < WRITES; i++) {
		sem_post(&tickets);
		while (sem_wait(&served))
			;
		__atomic_fetch_add(&clock_ms, 300, __ATOMIC_RELAXED);
		turn_now();
	}
	until_told(rig_is_over);
	rig_check_stopped(&r, "LS");
	ck_assert_uint_eq(rig_stats(&r).op[UBLKEV_OP_WRITE].reqs, WRITES);
	ck_assert_uint_eq(write_errors(), 0);
	rig_fini(&r);
	ublkev_backend_free(backend);
	sem_destroy(&tickets);
	sem_destroy(&served);
}
END_TEST

/* ---- nobody ever answers ---------------------------------------------------- */

/* then a thread that is always late comes to an end as well */
START_TEST(silent)
{
	fake_rule(FAKE_HANG_HARD, UBLKEV__CTRL_STOP_DEV, 1, 1, 0);
	start(disk);
	until(rig_is_live, 0);
	ublkev_dev_stop(NULL, &r.dev);
	until(rig_is_over, LATE_MS);
	rig_check_stopped(&r, "LES");
	ck_assert_int_eq(r.dev.err, -ETIMEDOUT);
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_LOST);
	fake_release();
	fake_outside(UBLKEV__CTRL_DEL_DEV, ID);
	r.alloc.live -= (int)fake_counts.leaks;
	rig_fini(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_late");
	TCase *tc = tcase_create("late");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, always_late);
	tcase_add_loop_test(tc, frozen, 0, (int)TEST_COUNT(frozen_in));
	tcase_add_loop_test(tc, slow_stop, 0, 2);
	tcase_add_test(tc, limited_stop);
	tcase_add_test(tc, slow_stop_of_threads);
	tcase_add_test(tc, silent);
	suite_add_tcase(s, tc);
	return test_main(s);
}
