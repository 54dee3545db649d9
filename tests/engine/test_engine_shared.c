/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several threads for each queue (UBLK_F_PER_IO_DAEMON), each with a part of its
 * tags, on a fake driver that takes a tag's commit from who fetched it alone.
 * What they do under ends and faults test_engine_lanes.c shows.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/names.h"
#include "engine_client.h"
#include "engine_parts.h"

#define ID	7
#define CLIENTS	12u
#define K612	0x1feu
#define K616	0x3fffu
#define K73	0x1fffffu

static struct parts disk;
static struct rig_dev r;
static struct client *clients;
static struct test_rng rng;
static char last_line[256];

static void on_line(void *data, int priority, const char *line)
{
	(void)data;
	if (priority <= LOG_NOTICE)
		snprintf(last_line, sizeof(last_line), "%s", line);
}

static void setup(void)
{
	rig_setup();
	/* what is waited for may come to pass in a thread */
	rig_ticks();
	parts_init(&disk);
	test_rng_init(&rng, test_seed("shared"));
	clients = NULL;
	last_line[0] = '\0';
	parts_conf(&r);
	r.conf.id = ID;
	r.conf.log = on_line;
	fake.features = K73;
}

static void teardown(void)
{
	ck_assert(fake_clean());
	parts_fini(&disk);
	free(clients);
	rig_teardown();
}

static bool all_done(void *arg)
{
	(void)arg;
	return clients_done(clients, CLIENTS);
}

static void load(unsigned int reqs)
{
	fake_lock();
	free(clients);
	memset(disk.bytes, 0, LAZY_BYTES);
	clients = clients_new(CLIENTS, r.dev.id, &rng, reqs);
	clients_go(clients, CLIENTS);
	fake_unlock(NULL);
	rig_until(all_done, NULL);
	fake_lock();
	ck_assert_uint_eq(clients_errors(clients, CLIENTS), 0);
	fake_unlock(NULL);
}

static void assert_all_serve(unsigned int threads)
{
	unsigned int i;

	for (i = 0; i < threads; i++) {
		ck_assert_uint_eq(disk.parts[i].starts, 1);
		ck_assert_uint_gt(disk.parts[i].submits, 0);
	}
	for (; i < MOST_PARTS; i++)
		ck_assert_uint_eq(disk.parts[i].starts, 0);
}

/* in each way of copying, with descriptors of the driver's size or padded */
START_TEST(serves)
{
	static const unsigned int modes[] = { 0, 1, 2, 5 };
	unsigned int n = 2 + (unsigned int)_i / 8;
	struct ublkev_stats s;
	struct ublkev_info info;

	fake.features = _i & 4 ? K73 : K616;
	rig_mode(&r, modes[_i % 4]);
	disk.maps = true;
	parts_share(&disk, &r, n);
	rig_up(&r, disk.backend);
	ublkev_dev_info(&r.dev, &info, sizeof(info));
	ck_assert(info.features & UBLKEV__F(PER_IO_DAEMON));
	ck_assert(!(info.features & UBLKEV__F(IO_DESC_SIZE)) == !(_i & 4));
	load(300);
	ck_assert_uint_eq(ublkev_dev_inflight(&r.dev, NULL, 0), 0);
	s = rig_stats(&r);
	ck_assert_uint_eq(rig_count_reqs(&s), CLIENTS * 300);
	ck_assert_uint_eq(s.stale_answers, 0);
	rig_down(&r);
	assert_all_serve(PARTS * n);
}
END_TEST

/* one thread a queue needs no padding, and no feature */
START_TEST(one_thread)
{
	struct ublkev_info info;

	fake.features = _i ? K73 : K612;
	rig_up(&r, disk.backend);
	ublkev_dev_info(&r.dev, &info, sizeof(info));
	ck_assert(!(info.features & UBLKEV__F(IO_DESC_SIZE)));
	load(50);
	rig_down(&r);
	assert_all_serve(PARTS);
}
END_TEST

/* a thread has one tag at least */
START_TEST(few_tags)
{
	r.conf.queues = 1;
	r.conf.depth = 3;
	parts_share(&disk, &r, UBLKEV_MAX_THREADS_PER_QUEUE);
	disk.per_queue = 3;
	rig_up(&r, disk.backend);
	load(100);
	rig_down(&r);
	assert_all_serve(3);
}
END_TEST

/* those of a queue that the driver did not take go */
START_TEST(fewer_queues)
{
	fake.cpus = PARTS - 1;
	parts_share(&disk, &r, 3);
	rig_up(&r, disk.backend);
	load(100);
	rig_down(&r);
	assert_all_serve((PARTS - 1) * 3);
}
END_TEST

/* the driver says that queue n belongs on CPU n: so do all its threads */
START_TEST(pins)
{
	cpu_set_t allowed, is;
	unsigned int i;

	sched_getaffinity(0, sizeof(allowed), &allowed);
	parts_share(&disk, &r, 3);
	rig_up(&r, disk.backend);
	for (i = 0; i < PARTS * 3; i++) {
		pthread_getaffinity_np(disk.parts[i].thread, sizeof(is), &is);
		if (CPU_ISSET(i / 3, &allowed))
			ck_assert(CPU_COUNT(&is) == 1 && CPU_ISSET(i / 3, &is));
		else
			ck_assert(CPU_EQUAL(&is, &allowed));
	}
	rig_down(&r);
}
END_TEST

/* a completion of a tag that another thread has is nobody's */
START_TEST(astray)
{
	parts_share(&disk, &r, 2);
	rig_up(&r, disk.backend);
	load(20);
	fake_astray(ID, 1, 2, 0);
	while (!strstr(last_line, "tag 2"))
		rig_run_ms(1);
	ck_assert_ptr_nonnull(strstr(last_line, "which no request explains"));
	load(20);
	rig_down(&r);
}
END_TEST

/* ---- what is refused -------------------------------------------------------- */

START_TEST(kernel_lacks_it)
{
	parts_share(&disk, &r, 2);
	fake.features = K612;
	rig_init(&r, disk.backend);
	rig_start(&r);
	rig_run();
	rig_check_stopped(&r, "ES");
	ck_assert_int_eq(r.dev.err, -EOPNOTSUPP);
	ck_assert_int_eq(r.err_step, UBLKEV_STEP_FEATURES);
	ck_assert_ptr_nonnull(strstr(last_line, "PER_IO_DAEMON"));
	ck_assert_ptr_nonnull(strstr(last_line, "6.16"));
	rig_fini(&r);
}
END_TEST

START_TEST(backend_must_allow)
{
	parts_share(&disk, &r, 2);
	disk.no_flags = UBLKEV_LIMIT_THREADS_PER_QUEUE;
	rig_init(&r, disk.backend);
	ck_assert_int_eq(ublkev_dev_start(rig_loop, &r.dev), -EOPNOTSUPP);
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_BACKEND);
	ck_assert_ptr_nonnull(strstr(last_line, "THREADS_PER_QUEUE"));
	rig_fini(&r);
}
END_TEST

/* with BATCH_IO the driver gives any tag to any thread */
START_TEST(batch_device)
{
	r.conf.features = UBLKEV_F_BATCH_IO;
	r.conf.recovery = UBLKEV_RECOVERY_REISSUE;
	rig_up(&r, disk.backend);
	fake_kill(ID);
	rig_bury(&r);
	parts_conf(&r);
	r.conf.id = ID;
	r.conf.log = on_line;
	r.conf.threads_per_queue = 2;
	rig_recover(&r, disk.backend);
	rig_run();
	rig_check_stopped(&r, "ES");
	ck_assert_int_eq(r.dev.err, -EOPNOTSUPP);
	ck_assert_int_eq(r.err_step, UBLKEV_STEP_INFO);
	ck_assert_ptr_nonnull(strstr(last_line, "threads_per_queue"));
	rig_fini(&r);
	ck_assert_int_eq(fake_state(ID), UBLKEV_STATE_QUIESCED);
	parts_conf(&r);
	r.conf.id = ID;
	rig_recover(&r, disk.backend);
	rig_until(rig_is_live, &r);
	rig_down(&r);
}
END_TEST

/* in the second of a queue's threads */
START_TEST(refused)
{
	static const enum fake_what what[] = {
		FAKE_JOIN, FAKE_ENABLE, FAKE_FETCH,
	};
	static const enum ublkev_step steps[] = {
		UBLKEV_STEP_OPEN, UBLKEV_STEP_START, UBLKEV_STEP_START,
	};

	parts_share(&disk, &r, 2);
	fake_rule(what[_i], 0, 2, 1, -EMFILE);
	rig_init(&r, disk.backend);
	rig_start(&r);
	rig_run();
	rig_check_stopped(&r, "ES");
	ck_assert_int_eq(r.dev.err, -EMFILE);
	ck_assert_int_eq(r.err_step, steps[_i]);
	rig_start(&r);
	rig_until(rig_is_live, &r);
	rig_down(&r);
}
END_TEST

START_TEST(every_allocation)
{
	unsigned int i, failures = 0;
	int live, err;

	parts_share(&disk, &r, 3);
	rig_init(&r, disk.backend);
	live = r.alloc.live;
	for (i = 1; ; i++) {
		r.alloc.fail_at = r.alloc.calls + i;
		err = ublkev_dev_start(rig_loop, &r.dev);
		if (!err)
			break;
		failures++;
		ck_assert_int_eq(err, -ENOMEM);
		ck_assert_int_eq(r.alloc.live, live);
		ck_assert(fake_clean());
	}
	ck_assert_uint_ge(failures, 6 + 3 * PARTS);
	r.starts++;
	rig_until(rig_is_live, &r);
	rig_down(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_shared");
	TCase *tc = tcase_create("shared");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, serves, 0, 24);
	tcase_add_loop_test(tc, one_thread, 0, 2);
	tcase_add_test(tc, few_tags);
	tcase_add_test(tc, fewer_queues);
	tcase_add_test(tc, pins);
	tcase_add_test(tc, astray);
	tcase_add_test(tc, kernel_lacks_it);
	tcase_add_test(tc, backend_must_allow);
	tcase_add_test(tc, batch_device);
	tcase_add_loop_test(tc, refused, 0, 3);
	tcase_add_test(tc, every_allocation);
	suite_add_tcase(s, tc);
	return test_main(s);
}
