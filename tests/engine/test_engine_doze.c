/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asleep in the ring: a worker whose loop is its own, which always sleeps there
 * while there is work, at each point of its calls.
 */
#include "engine_sleeper.h"

#include "ev/evworker.h"

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
	Suite *s = suite_create("engine_doze");
	TCase *tc = tcase_create("doze");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
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
