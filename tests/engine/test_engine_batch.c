/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SCHED_BATCH: a server that shares its CPU with a client of many requests is
 * woken for each. When its thread is made SCHED_BATCH, when that is taken back,
 * and whose thread never is.
 */
#include <sched.h>
#include <string.h>

#include "engine_rig.h"

#define BURST	16u

static struct lazy lazy;
static struct rig_dev r;
static char data[512];

/* found before the C library's: a thread with one CPU looks at no memory */
int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	(void)pid;
	CPU_ZERO_S(size, set);
	CPU_SET_S(0, size, set);
	return 0;
}

static void setup(void)
{
	rig_setup();
	lazy_init(&lazy, LAZY_NOW, 1);
	rig_conf(&r);
	r.conf.wait_us = 1000;
}

static void teardown(void)
{
	ck_assert(fake_clean());
	lazy_fini(&lazy);
	rig_teardown();
}

static struct {
	unsigned int burst;		/* so many at a time */
	unsigned int bursts;		/* that are still to come */
	unsigned int more;		/* of this one */
	unsigned int under_way;
	unsigned int changes;		/* of the policy */
	int policy;
} crowd;

/* found before the C library's: the policy of the server's thread */
int sched_getscheduler(pid_t pid)
{
	ck_assert_int_eq(pid, 0);
	return crowd.policy;
}

int sched_setscheduler(pid_t pid, int policy, const struct sched_param *param)
{
	ck_assert_int_eq(pid, 0);
	ck_assert_int_eq(param->sched_priority, 0);
	crowd.policy = policy;
	crowd.changes++;
	return 0;
}

static void crowd_done(void *arg, int res)
{
	(void)arg;
	ck_assert_int_eq(res, 0);
	crowd.under_way--;
}

static void crowd_send(void)
{
	crowd.under_way++;
	fake_submit(r.dev.id, FAKE_READ, 0, 512, data, crowd_done, NULL);
}

/* each request wakes the server, which has the CPU then, unless it is a batch */
static void crowd_next(enum fake_point at)
{
	if (at != FAKE_AT_SLEEP && at != FAKE_AT_UNMUTED)
		return;
	if (!crowd.more) {
		if (crowd.under_way || !crowd.bursts)
			return;
		crowd.bursts--;
		crowd.more = crowd.burst;
	}
	do
		crowd_send();
	while (--crowd.more && crowd.policy == SCHED_BATCH);
}

static bool crowd_ready(void *arg)
{
	FAKE_LOCKED;

	(void)arg;
	return !crowd.bursts && !crowd.more && !crowd.under_way;
}

/* so many, a burst after the other, the next when the server sleeps */
static void crowd_come(unsigned int bursts, unsigned int burst)
{
	crowd.burst = burst;
	crowd.bursts = bursts;
	fake_lock();
	fake.hook = crowd_next;
	crowd_send();
	fake_unlock(NULL);
	rig_until(crowd_ready, NULL);
	fake.hook = NULL;
}

static void crowd_up(bool allowed, int policy)
{
	memset(&crowd, 0, sizeof(crowd));
	crowd.policy = policy;
	r.conf.flags = allowed ? UBLKEV_CONF_SCHED_BATCH : 0;
	r.conf.sleep_us = 100000;
	rig_up(&r, lazy.backend);
}

/* the thread has the policy with which a burst is one sleep, and had its own */
START_TEST(batch_pays)
{
	struct ublkev_stats before, after;

	crowd_up(true, SCHED_OTHER);
	crowd_come(4, 1);
	before = rig_stats(&r);
	crowd_come(200, BURST);
	after = rig_stats(&r);
	ck_assert_uint_eq(after.op[UBLKEV_OP_READ].reqs -
			  before.op[UBLKEV_OP_READ].reqs, 200 * BURST + 1);
	ck_assert_int_eq(crowd.policy, SCHED_BATCH);
	ck_assert_uint_eq(crowd.changes, 1);
	ck_assert_uint_lt(after.rounds - before.rounds, 200 * BURST / 3);
	rig_down(&r);
	ck_assert_int_eq(crowd.policy, SCHED_OTHER);
}
END_TEST

/* a client that has one at a time, or several of which each wakes the server */
START_TEST(batch_pays_not)
{
	crowd_up(true, SCHED_OTHER);
	crowd_come(1000, 1);
	ck_assert_int_eq(crowd.policy, SCHED_OTHER);
	ck_assert_uint_ge(crowd.changes, 2);
	ck_assert_uint_le(crowd.changes, 20);
	rig_down(&r);
}
END_TEST

/* nobody has allowed it; the application has a policy of its own */
START_TEST(batch_is_not_ours)
{
	static const int policies[] = { SCHED_OTHER, SCHED_BATCH, SCHED_FIFO };

	crowd_up(_i != 0, policies[_i]);
	crowd_come(1000, 1);
	ck_assert_uint_eq(crowd.changes, 0);
	rig_down(&r);
	ck_assert_uint_eq(crowd.changes, 0);
}
END_TEST

/* a queue's thread has one without being asked, unless the library gives none */
START_TEST(batch_of_worker)
{
	struct ublkev_disk_conf conf;
	struct ublkev_backend *disk;

	ublkev_disk_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = 1 << 20;
	ck_assert_int_eq(ublkev_mem_new(&disk, &conf), 0);
	memset(&crowd, 0, sizeof(crowd));
	r.conf.flags = UBLKEV_CONF_QUEUE_THREADS |
		       (_i ? UBLKEV_CONF_KEEP_POLICY : 0);
	rig_ticks();
	rig_up(&r, disk);
	crowd_come(200, BURST);
	rig_down(&r);
	ck_assert_int_eq(crowd.changes == 0, _i);
	ublkev_backend_free(disk);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_batch");
	TCase *tc = tcase_create("batch");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, batch_pays);
	tcase_add_test(tc, batch_pays_not);
	tcase_add_loop_test(tc, batch_is_not_ours, 0, 3);
	tcase_add_loop_test(tc, batch_of_worker, 0, 2);
	suite_add_tcase(s, tc);
	return test_main(s);
}
