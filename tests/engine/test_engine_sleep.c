/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asleep in the ring: when a lane sleeps there and not in its loop, who ends
 * that, and that nobody's call is slept through. What the application's lane
 * does at every point test_engine_wake.c shows.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine_rig.h"
#include "engine_stripe.h"
#include "ev/evworker.h"

#define REQS	1000u

static struct lazy lazy;
static struct rig_dev r;
static pthread_t main_thread;

static int nr_cpus;

/* found before the C library's: a thread with one CPU looks at no memory */
int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	int i;

	(void)pid;
	CPU_ZERO_S(size, set);
	for (i = 0; i < nr_cpus; i++)
		CPU_SET_S(i, size, set);
	return 0;
}

static void setup(void)
{
	rig_setup();
	lazy_init(&lazy, LAZY_NOW, 1);
	rig_conf(&r);
	nr_cpus = 1;
	r.conf.wait_us = 1000;
	main_thread = pthread_self();
}

static void teardown(void)
{
	ck_assert(fake_clean());
	lazy_fini(&lazy);
	rig_teardown();
}

/* ---- a client that has its next request when the server sleeps ------------- */

/* be it in the ring or in the loop */

static struct {
	unsigned int left, done;
	bool away;
} client;

static char data[512];

static void client_done(void *arg, int res)
{
	(void)arg;
	ck_assert_int_eq(res, 0);
	client.done++;
	client.away = true;
}

static void client_next(enum fake_point at)
{
	if (!client.away || !client.left)
		return;
	if (at != FAKE_AT_SLEEP && at != FAKE_AT_UNMUTED)
		return;
	client.left--;
	client.away = false;
	fake_submit(r.dev.id, FAKE_READ, 0, 512, data, client_done, NULL);
}

static void client_start(unsigned int reqs)
{
	FAKE_LOCKED;

	memset(&client, 0, sizeof(client));
	client.left = reqs - 1;
	fake.hook = client_next;
	fake_submit(r.dev.id, FAKE_READ, 0, 512, data, client_done, NULL);
}

static bool client_ready(void *arg)
{
	FAKE_LOCKED;

	(void)arg;
	return client.away && !client.left;
}

static unsigned int sleeps(void)
{
	FAKE_LOCKED;

	return fake_counts.sleeps;
}

/* ---- the application's lane -------------------------------------------------- */

/* a request is an enter, and a turn of the loop has several */
START_TEST(pays)
{
	struct ublkev_stats before, after;
	unsigned int turns, slept;

	rig_up(&r, lazy.backend);
	before = rig_stats(&r);
	turns = ev_iteration(rig_loop);
	slept = sleeps();
	client_start(REQS);
	rig_until(client_ready, NULL);
	after = rig_stats(&r);
	ck_assert_uint_eq(client.done, REQS);
	ck_assert_uint_ge(sleeps() - slept, REQS * 9 / 10);
	/* unless the machine took this process' CPU away for long */
	ck_assert_uint_lt(after.wakes - before.wakes, REQS / 10);
	ck_assert_uint_lt(after.enters - before.enters, REQS * 5 / 4);
	ck_assert_uint_lt(ev_iteration(rig_loop) - turns, REQS);
	fake.hook = NULL;
	rig_down(&r);
}
END_TEST

static struct {
	bool any;
	unsigned int submits, turns;
} late;

static void late_and_client(enum fake_point at)
{
	if (at == FAKE_AT_MUTE && late.any) {	/* the next turn begins */
		ck_assert_uint_eq(lazy.submits, late.submits);
		late.any = false;
		late.turns++;
	}
	if (at == FAKE_AT_SLEPT) {
		late.any = true;
		late.submits = lazy.submits;
	}
	client_next(at);
}

/* what comes with the alarm waits for the loop, whose timers are due */
START_TEST(alarm_ends_turn)
{
	rig_up(&r, lazy.backend);
	fake.alarm_rings = true;
	memset(&late, 0, sizeof(late));
	client_start(REQS);
	fake.hook = late_and_client;
	rig_until(client_ready, NULL);
	ck_assert_uint_eq(client.done, REQS);
	ck_assert_uint_ge(late.turns, REQS * 9 / 10);
	fake.hook = NULL;
	fake.alarm_rings = false;
	rig_down(&r);
}
END_TEST

/* timers have waited for the turn's requests, too: that much sooner it rings */
START_TEST(alarm_counts_work)
{
	rig_up(&r, lazy.backend);
	lazy.burn_us = 100;
	client_start(100);
	rig_until(client_ready, NULL);
	ck_assert(sleeps());
	ck_assert_uint_ge(fake_counts.alarm_us, 1);
	ck_assert_uint_le(fake_counts.alarm_us, r.conf.sleep_us - 100);
	fake.hook = NULL;
	rig_down(&r);
}
END_TEST

static struct {
	unsigned int sleeps;	/* that have begun, with nothing to come */
	bool ended;		/* then the loop sleeps */
} rest;

static void client_then_rest(enum fake_point at)
{
	client_next(at);
	if (!client.away || client.left || rest.ended)
		return;
	rest.sleeps += at == FAKE_AT_SLEEP;
	rest.ended = at == FAKE_AT_UNMUTED;
}

static bool rests(void *arg)
{
	FAKE_LOCKED;

	(void)arg;
	return rest.ended;
}

/*
 * Requests have come while it slept: when the alarm ends that, the loop has its
 * turn and does not sleep, for more may come at once, and are waited for in the
 * ring. On a machine that is late now and then one of many shows it.
 */
START_TEST(alarm_ends_no_work)
{
	unsigned int i, most = 0;

	rig_up(&r, lazy.backend);
	for (i = 0; i < 50 && most < 2; i++) {
		memset(&rest, 0, sizeof(rest));
		client_start(10);
		fake.hook = client_then_rest;
		rig_until(rests, NULL);
		if (rest.sleeps > most)
			most = rest.sleeps;
		fake.hook = NULL;
	}
	ck_assert_uint_ge(most, 2);
	rig_down(&r);
}
END_TEST

/* one request after the other is there at each look: the loop has turns, too */
static void client_looked_for(enum fake_point at)
{
	client_next(at == FAKE_AT_LOOK ? FAKE_AT_SLEEP : at);
}

START_TEST(looks_once_a_turn)
{
	unsigned int turns;

	nr_cpus = 2;
	r.conf.budget_us = 0;
	rig_up(&r, lazy.backend);
	turns = ev_iteration(rig_loop);
	client_start(REQS);
	fake.hook = client_looked_for;
	rig_until(client_ready, NULL);
	ck_assert_uint_ge(ev_iteration(rig_loop) - turns, REQS / 4);
	fake.hook = NULL;
	rig_down(&r);
}
END_TEST

/* they have waited long enough: the loop is next, and sleeps by itself */
START_TEST(long_turn_sleeps_not)
{
	rig_up(&r, lazy.backend);
	lazy.burn_us = r.conf.sleep_us;
	client_start(100);
	rig_until(client_ready, NULL);
	ck_assert_uint_eq(client.done, 100);
	ck_assert_uint_eq(sleeps(), 0);
	fake.hook = NULL;
	rig_down(&r);
}
END_TEST

/* what the kernel holds of files it does when the server sleeps */
static void kernel_next(enum fake_point at)
{
	if (at != FAKE_AT_SLEEP && at != FAKE_AT_UNMUTED)
		return;
	if (!fake_file_go(r.dev.id, 8))
		client_next(at);
}

static int hold_all(const struct ublkev__fileop *op)
{
	(void)op;
	return FAKE_FILE_HOLD;
}

/*
 * With operations on files out it sleeps there, too: one enter begins the
 * operation and waits for its end, one answers and waits for the next request.
 */
START_TEST(pays_with_files)
{
	struct ublkev_stats before, after;
	unsigned int slept;

	fake.file = hold_all;
	stripe_make();
	rig_up(&r, stripe.backend);
	before = rig_stats(&r);
	slept = sleeps();
	client_start(REQS);
	fake.hook = kernel_next;
	rig_until(client_ready, NULL);
	after = rig_stats(&r);
	ck_assert_uint_eq(client.done, REQS);
	ck_assert_uint_eq(stripe.placed, REQS);
	ck_assert_uint_ge(sleeps() - slept, 2 * REQS * 9 / 10);
	ck_assert_uint_lt(after.wakes - before.wakes, REQS / 10);
	ck_assert_uint_lt(after.enters - before.enters, REQS * 5 / 2);
	fake.hook = NULL;
	fake.file = NULL;
	rig_down(&r);
	stripe_free();
}
END_TEST

/* nobody comes: it is given up, and the loop sleeps as ever */
START_TEST(gives_up)
{
	unsigned int i, slept;

	rig_up(&r, lazy.backend);
	for (i = 0; i < 50; i++) {
		client_start(1);
		rig_until(client_ready, NULL);
		rig_run_ms(1);
	}
	slept = sleeps();
	for (i = 0; i < 8; i++) {
		client_start(1);
		rig_until(client_ready, NULL);
		rig_run_ms(1);
	}
	/* a trial, perhaps */
	ck_assert_uint_le(sleeps() - slept, 1);
	fake.hook = NULL;
	rig_down(&r);
}
END_TEST

static void not_with_backend(enum fake_point at)
{
	if (at == FAKE_AT_TO_SLEEP)
		ck_assert_uint_eq(lazy.nr_held, 0);
}

START_TEST(not_asked_for)
{
	if (_i == 0)
		r.conf.wait_us = 0;
	if (_i == 1)
		r.conf.flags = UBLKEV_CONF_RING_FD;
	if (_i == 2)
		lazy.mode = LAZY_TIMER;
	rig_up(&r, lazy.backend);
	client_start(1);
	if (_i == 2)
		fake.hook = not_with_backend;
	rig_until(client_ready, NULL);
	rig_run_ms(2);
	ck_assert(_i == 2 || !sleeps());
	fake.hook = NULL;
	rig_down(&r);
}
END_TEST

/* ---- others in the loop ------------------------------------------------------ */

static struct {
	struct ev_io io;
	unsigned int nth, sleeps, calls;
} other;

static void other_touch(enum fake_point at)
{
	uint64_t one = 1;

	if (at != FAKE_AT_SLEEP || !other.nth || --other.nth)
		return;
	other.sleeps = fake_counts.sleeps + 1;	/* this one */
	ck_assert_int_eq(write(other.io.fd, &one, sizeof(one)), sizeof(one));
}

static void other_and_client(enum fake_point at)
{
	other_touch(at);
	client_next(at);
}

static void other_cb(struct ev_loop *loop, struct ev_io *w, int revents)
{
	uint64_t count;

	(void)loop;
	(void)revents;
	ck_assert_int_eq(read(w->fd, &count, sizeof(count)), sizeof(count));
	other.calls++;
	/* nobody has slept since */
	ck_assert_uint_eq(fake_counts.sleeps, other.sleeps);
}

/* a file of the loop that turns readable ends the sleep, and is served next */
START_TEST(others_are_served)
{
	unsigned int nth;

	ev_io_init(&other.io, other_cb, eventfd(0, EFD_CLOEXEC), EV_READ);
	ev_io_start(rig_loop, &other.io);
	rig_up(&r, lazy.backend);
	for (nth = 1; nth <= 40; nth++) {
		other.nth = nth;
		other.calls = 0;
		client_start(nth + 1);
		fake.hook = other_and_client;
		rig_until(client_ready, NULL);
		while (!other.calls)
			ev_run(rig_loop, EVRUN_ONCE);
	}
	fake.hook = NULL;
	ev_io_stop(rig_loop, &other.io);
	close(other.io.fd);
	rig_down(&r);
}
END_TEST

/* ---- a worker whose loop is its own ------------------------------------------ */

static struct ublkev_backend *disk;

static void threads_up_with(unsigned int wait_us)
{
	struct ublkev_disk_conf conf;

	ublkev_disk_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = 1 << 20;
	ck_assert_int_eq(ublkev_mem_new(&disk, &conf), 0);
	r.conf.flags = UBLKEV_CONF_QUEUE_THREADS;
	r.conf.wait_us = wait_us;
	rig_ticks();
	rig_up(&r, disk);
}

static void threads_up(void)
{
	threads_up_with(0);
}

static void threads_down(void)
{
	fake_lock();
	fake.hook = NULL;
	fake_unlock(NULL);
	rig_down(&r);
	ublkev_backend_free(disk);
}

/* it sleeps in the ring, whether that paid or not, but for a pause's end */
START_TEST(worker_pays)
{
	struct ublkev_stats before, after;
	unsigned int i;

	threads_up();
	client_start(REQS);
	rig_until(client_ready, NULL);
	before = rig_stats(&r);
	for (i = 0; i < 20; i++) {
		rig_run_ms(1);
		client_start(10);
		rig_until(client_ready, NULL);
	}
	after = rig_stats(&r);
	/* that the device is live the thread may be told late */
	ck_assert_uint_le(after.wakes, before.wakes + 1 + i);
	ck_assert_uint_ge(sleeps(), REQS + 180);
	threads_down();
}
END_TEST

/* with a second CPU it looks first, and if that was in vain sleeps there */
START_TEST(worker_looks_then_sleeps)
{
	unsigned int before;

	nr_cpus = 2;
	threads_up_with(100);
	before = sleeps();
	client_start(3);
	rig_until(client_ready, NULL);
	ck_assert_uint_ge(sleeps(), before + 2);
	threads_down();
}
END_TEST

/* one that has nothing to do does not stay in the ring, as waiting for a disk */
START_TEST(worker_idles)
{
	struct ublkev_stats before, after;

	threads_up();
	client_start(1);
	rig_until(client_ready, NULL);
	before = rig_stats(&r);
	do {
		rig_run_ms(1);
		client_start(1);
		rig_until(client_ready, NULL);
		after = rig_stats(&r);
	} while (after.wakes < before.wakes + 3);
	threads_down();
}
END_TEST

static struct {
	enum fake_point at;
	unsigned int nth;
	void (*act)(void);
	bool done;
} shot;

/* the points of a worker's calls, in its thread */
static void shoot(enum fake_point at)
{
	if (pthread_equal(pthread_self(), main_thread) || !shot.act ||
	    at != shot.at || --shot.nth)
		return;
	shot.act();
	shot.act = NULL;
}

static void shoot_at(enum fake_point at, unsigned int nth, void (*act)(void))
{
	FAKE_LOCKED;

	shot.at = at;
	shot.nth = nth;
	shot.act = act;
	shot.done = false;
	fake.hook = shoot;
}

static void shot_done(void *arg, int res)
{
	(void)arg;
	ck_assert_int_eq(res, 0);
	shot.done = true;
}

static void shoot_request(void)
{
	fake_submit(r.dev.id, FAKE_READ, 0, 512, data, shot_done, NULL);
}

static bool is_shot(void *arg)
{
	FAKE_LOCKED;

	(void)arg;
	return shot.done || shot.act;
}

static void first_request(void)
{
	FAKE_LOCKED;

	memset(&client, 0, sizeof(client));
	fake_submit(r.dev.id, FAKE_WRITE, 512, 512, data, client_done, NULL);
}

START_TEST(worker_request_at_every_point)
{
	unsigned int nth;

	threads_up();
	for (nth = 1; nth <= 4; nth++) {
		shoot_at((enum fake_point)_i, nth, shoot_request);
		first_request();
		rig_until(client_ready, NULL);
		rig_until(is_shot, NULL);
		shoot_at((enum fake_point)_i, 0, NULL);
	}
	threads_down();
}
END_TEST

/* as the application's thread does it, which stays out of its loop meanwhile */
static void shoot_wish(void)
{
	struct ublkev__engine *e = r.dev.priv;

	ublkev__threads_ask_idle(&e->threads);
	ublkev__workers_do(e);
	shot.done = true;
}

static bool wish_is_granted(void *arg)
{
	const struct ublkev__engine *e = r.dev.priv;

	(void)arg;
	return e->threads.idle == UBLKEV__IDLE_TOLD;
}

START_TEST(worker_wish_at_every_point)
{
	unsigned int i;

	threads_up();
	shoot_at((enum fake_point)(_i / 4), 1 + _i % 4, shoot_wish);
	for (i = 0; i < 3; i++) {
		first_request();
		while (!client_ready(NULL))
			sched_yield();
	}
	fake_lock();
	shot.act = NULL;
	if (!shot.done)		/* this point was not come to as often */
		shoot_wish();
	fake_unlock(NULL);
	rig_until(wish_is_granted, NULL);
	threads_down();
}
END_TEST

static bool is_resized(void *arg)
{
	(void)arg;
	return strlen(r.events) > 1;
}

/* held and resumed in its sleep, with a client that goes on meanwhile */
START_TEST(worker_is_held)
{
	unsigned int i;

	fake.features = 0x1fffff;
	threads_up();
	client_start(REQS);
	for (i = 0; i < 20; i++) {
		strcpy(r.events, "L");
		ck_assert_int_eq(ublkev_dev_resize(rig_loop, &r.dev,
						   (2u + i % 2) << 20,
						   UBLKEV_RESIZE_SHRINK), 0);
		rig_until(is_resized, NULL);
		ck_assert_str_eq(r.events, "LR");
	}
	rig_until(client_ready, NULL);
	strcpy(r.events, "L");
	threads_down();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_sleep");
	TCase *tc = tcase_create("sleep");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, pays);
	tcase_add_test(tc, alarm_ends_turn);
	tcase_add_test(tc, alarm_counts_work);
	tcase_add_test(tc, alarm_ends_no_work);
	tcase_add_test(tc, looks_once_a_turn);
	tcase_add_test(tc, long_turn_sleeps_not);
	tcase_add_test(tc, pays_with_files);
	tcase_add_test(tc, gives_up);
	tcase_add_loop_test(tc, not_asked_for, 0, 3);
	tcase_add_test(tc, others_are_served);
	tcase_add_test(tc, worker_pays);
	tcase_add_test(tc, worker_looks_then_sleeps);
	tcase_add_test(tc, worker_idles);
	tcase_add_loop_test(tc, worker_request_at_every_point, 0, FAKE_POINTS);
	tcase_add_loop_test(tc, worker_wish_at_every_point, 0,
			    4 * FAKE_POINTS);
	tcase_add_test(tc, worker_is_held);
	suite_add_tcase(s, tc);
	return test_main(s);
}
