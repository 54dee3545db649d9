/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A queue thread is starved while the application's thread runs and its clock
 * goes on: what lay in that thread's ring in time is not late. One that stays in
 * the backend is another matter. The clock is the test's, and the device is
 * driven by hand.
 */
#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <string.h>

#include "engine_parts.h"
#include "ev/clock.h"
#include "ev/engine.h"

#define ID	7
#define LONG	20u		/* times all that a stop may take */

static uint64_t clock_ms;
static struct parts disk;
static struct rig_dev r;
static pthread_t app;
static int result;

uint64_t __wrap_ublkev__clock_us(void);

uint64_t __wrap_ublkev__clock_us(void)
{
	return 1000 * __atomic_load_n(&clock_ms, __ATOMIC_RELAXED);
}

/* ---- a thread that gets no CPU ----------------------------------------------- */

enum where { NOWHERE, AT_ENABLE, AT_REAP };

static int starves;		/* enum where, atomic: the first that comes there */
static sem_t asleep, awake;

static void come_by(int where)
{
	if (pthread_equal(pthread_self(), app) ||
	    !__atomic_compare_exchange_n(&starves, &where, NOWHERE, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	sem_post(&asleep);
	while (sem_wait(&awake))
		;
}

int __real_ublkev__io_enable(struct ublkev__io *io);
int __wrap_ublkev__io_enable(struct ublkev__io *io);
unsigned int __real_ublkev__io_reap(struct ublkev__io *io,
				    struct ublkev__cqe *v, unsigned int max);
unsigned int __wrap_ublkev__io_reap(struct ublkev__io *io,
				    struct ublkev__cqe *v, unsigned int max);

int __wrap_ublkev__io_enable(struct ublkev__io *io)
{
	come_by(AT_ENABLE);
	return __real_ublkev__io_enable(io);
}

unsigned int __wrap_ublkev__io_reap(struct ublkev__io *io,
				    struct ublkev__cqe *v, unsigned int max)
{
	come_by(AT_REAP);
	return __real_ublkev__io_reap(io, v, max);
}

static void starve(enum where where)
{
	__atomic_store_n(&starves, where, __ATOMIC_SEQ_CST);
}

static void wait_until_starved(void)
{
	while (sem_wait(&asleep))
		;
}

/* ---- a device, driven by hand ------------------------------------------------ */

static void setup(void)
{
	clock_ms = 1000;
	app = pthread_self();
	starve(NOWHERE);
	sem_init(&asleep, 0, 0);
	sem_init(&awake, 0, 0);
	rig_setup();
	parts_init(&disk);
	parts_conf(&r);
	r.conf.id = ID;
	r.conf.cmd_timeout_ms = 200;
	r.conf.start_timeout_ms = 200;
	r.conf.stop_timeout_ms = 200;
	r.conf.grace_ms = 100;
	r.conf.wait_us = 0;
	result = 1;
}

static void teardown(void)
{
	ck_assert(fake_clean());
	parts_fini(&disk);
	rig_teardown();
	sem_destroy(&asleep);
	sem_destroy(&awake);
}

static void turn(void)
{
	ublkev_dev_service(&r.dev);
	ublkev_dev_flush(&r.dev);
}

static void start(void)
{
	rig_init(&r, disk.backend);
	r.events[0] = '\0';
	r.starts++;
	ck_assert_int_eq(ublkev_dev_start(NULL, &r.dev), 0);
}

static void until_told(bool (*so)(void *arg))
{
	rig_until_told(&r, so, turn, 30000);
}

static bool starts(void *arg)
{
	(void)arg;
	return r.dev.step == UBLKEV_STEP_START;
}

static bool has_failed(void *arg)
{
	(void)arg;
	return strchr(r.events, 'E');
}

/* how many threads have not yet seen what they were to look at */
static unsigned int awaited(void)
{
	unsigned int i, n = 0;

	for (i = 0; r.dev.active && i < PARTS; i++)
		n += ublkev__threads_awaits_look(&r.dev.priv->threads, i);
	return n;
}

/*
 * The application's thread is never late, nor are others than `late` threads.
 * How long it was, in all.
 */
static unsigned int let_pass(unsigned int most_ms, unsigned int late)
{
	unsigned int passed_ms = 0;
	int ms;

	while (passed_ms < most_ms && r.dev.active && !has_failed(NULL)) {
		ms = ublkev_dev_timeout_ms(&r.dev);
		ms = ms > 0 ? ms : 1;
		if ((unsigned int)ms > most_ms - passed_ms)
			ms = (int)(most_ms - passed_ms);
		__atomic_fetch_add(&clock_ms, ms, __ATOMIC_RELAXED);
		passed_ms += (unsigned int)ms;
		turn();
		while (awaited() > late) {
			sched_yield();
			turn();
		}
	}
	return passed_ms;
}

static void on_done(void *arg, int res)
{
	(void)arg;
	__atomic_store_n(&result, res, __ATOMIC_RELAXED);
}

static void read_queue(unsigned int queue)
{
	static char data[512];

	fake_submit_on(ID, queue, FAKE_READ, 0, sizeof(data), data, on_done,
		       NULL);
}

/* ---- starved -------------------------------------------------------------------- */

/* its FETCHes are late, and START_DEV with them */
START_TEST(in_start)
{
	starve(AT_ENABLE);
	start();
	until_told(starts);
	wait_until_starved();
	let_pass(LONG * (r.conf.start_timeout_ms + r.conf.grace_ms), 1);
	ck_assert_str_eq(r.events, "");
	/* which is not sent before them */
	ck_assert_uint_eq(fake_counts.cmds[UBLKEV__CTRL_START_DEV], 0);
	sem_post(&awake);
	until_told(rig_is_live);
	ublkev_dev_stop(NULL, &r.dev);
	until_told(rig_is_over);
	rig_check_stopped(&r, "LS");
	ck_assert_int_eq(r.dev.err, 0);
	rig_fini(&r);
}
END_TEST

/*
 * A request that came before the stop; its backend, which gets it so late,
 * answers at once, or has a grace period to do so.
 */
START_TEST(in_stop)
{
	disk.hold = _i;
	start();
	until_told(rig_is_live);
	starve(AT_REAP);
	read_queue(0);
	wait_until_starved();
	ublkev_dev_stop(NULL, &r.dev);
	turn();
	let_pass(LONG * (r.conf.stop_timeout_ms + r.conf.grace_ms), 1);
	ck_assert_str_eq(r.events, "L");
	sem_post(&awake);
	if (_i) {
		while (!parts_held(&disk))
			sched_yield();
		while (awaited()) {
			sched_yield();
			turn();
		}
		let_pass(r.conf.grace_ms / 2, 0);
		ck_assert_str_eq(r.events, "L");
		parts_let_go(&disk);
	}
	until_told(rig_is_over);
	rig_check_stopped(&r, "LS");
	ck_assert_int_eq(r.dev.err, 0);
	ck_assert_int_eq(result, 0);
	rig_fini(&r);
}
END_TEST

/* ---- in the backend ------------------------------------------------------------- */

/* no longer than a grace period more, then it is as without threads */
START_TEST(stuck)
{
	disk.stick = true;
	start();
	until_told(rig_is_live);
	read_queue(PARTS - 1);
	while (!__atomic_load_n(&disk.stuck, __ATOMIC_RELAXED))
		sched_yield();
	ublkev_dev_stop(NULL, &r.dev);
	turn();
	ck_assert_uint_le(let_pass(LONG * r.conf.stop_timeout_ms, 1),
			  r.conf.stop_timeout_ms + 2 * r.conf.grace_ms);
	ck_assert_str_eq(r.events, "LE");
	ck_assert_int_eq(r.dev.err, -ETIMEDOUT);
	__atomic_store_n(&disk.stick, false, __ATOMIC_RELAXED);
	until_told(rig_is_over);
	rig_check_stopped(&r, "LES");
	rig_fini(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_starved");
	TCase *tc = tcase_create("starved");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, in_start);
	tcase_add_loop_test(tc, in_stop, 0, 2);
	tcase_add_test(tc, stuck);
	suite_add_tcase(s, tc);
	return test_main(s);
}
