/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread for each queue, on a fake driver that all of them share. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine_client.h"
#include "engine_parts.h"

#define CLIENTS	12u

static struct parts disk;
static struct rig_dev r;
static struct client *clients;
static struct test_rng rng;

/* this thread's, which some tests take away, of those in one process, too */
static cpu_set_t cpus_before;

static void setup(void)
{
	sched_getaffinity(0, sizeof(cpus_before), &cpus_before);
	rig_setup();
	/* what is waited for may come to pass in a thread */
	rig_ticks();
	parts_init(&disk);
	test_rng_init(&rng, test_seed("threads"));
	clients = NULL;
	parts_conf(&r);
}

static void teardown(void)
{
	sched_setaffinity(0, sizeof(cpus_before), &cpus_before);
	ck_assert(fake_clean());
	parts_fini(&disk);
	free(clients);
	rig_teardown();
}

static void go(unsigned int reqs)
{
	FAKE_LOCKED;

	free(clients);
	memset(disk.bytes, 0, LAZY_BYTES);
	clients = clients_new(CLIENTS, r.dev.id, &rng, reqs);
	clients_go(clients, CLIENTS);
}

static bool all_done(void *arg)
{
	struct ublkev_inflight v[CLIENTS];
	unsigned int i, n = 0;

	(void)arg;
	/* others write what is read here */
	if (r.dev.active)
		n = ublkev_dev_inflight(&r.dev, v, CLIENTS);
	TEST_HOLDS(n <= CLIENTS);
	for (i = 0; i < n; i++)
		TEST_HOLDS(v[i].offset_bytes + v[i].len_bytes <= LAZY_BYTES);
	return clients_done(clients, CLIENTS);
}

static void check_clients(void)
{
	FAKE_LOCKED;

	ck_assert_uint_eq(clients_errors(clients, CLIENTS), 0);
}

START_TEST(serves)
{
	struct ublkev_stats s;
	unsigned int i;

	rig_mode(&r, (unsigned int)_i % RIG_MODES);
	fake.features |= FAKE_F_NEED_GET_DATA | FAKE_F_USER_COPY;
	r.conf.wait_us = _i / RIG_MODES ? 200 : 0;
	r.conf.flags |= UBLKEV_CONF_LATENCY;
	disk.maps = true;
	rig_up(&r, disk.backend);
	go(200);
	rig_until(all_done, NULL);
	check_clients();
	s = rig_stats(&r);
	ck_assert_uint_eq(ublkev_dev_inflight(&r.dev, NULL, 0), 0);
	ck_assert_uint_eq(rig_count_reqs(&s), CLIENTS * 200);
	for (i = 0; i < PARTS; i++)
		ck_assert_uint_eq(disk.parts[i].starts, 1);
	ublkev_dev_stop(rig_loop, &r.dev);
	rig_run();
	rig_check_stopped(&r, "LS");
	/* kept, when the threads are gone */
	s = rig_stats(&r);
	ck_assert_uint_eq(rig_count_reqs(&s), CLIENTS * 200);
	ck_assert_uint_eq(s.inflight, 0);
	ck_assert_uint_eq(s.stale_answers, 0);
	ck_assert(r.conf.wait_us || !s.waits);
	rig_fini(&r);
}
END_TEST

/* requests, one at a time, with a sleep of the thread between: none hangs */
START_TEST(wakes)
{
	unsigned int i;

	rig_up(&r, disk.backend);
	for (i = 0; i < 300; i++) {
		go(1 + i % 2);
		rig_until(all_done, NULL);
		check_clients();
		if (i % 64 == 0)
			rig_run_ms(2);
	}
	rig_down(&r);
}
END_TEST

/* what each thread has a budget of its own for */
START_TEST(little_budget)
{
	r.conf.budget_reqs = 1;
	r.conf.budget_us = 1;
	rig_up(&r, disk.backend);
	go(100);
	rig_until(all_done, NULL);
	check_clients();
	ck_assert_uint_gt(rig_stats(&r).over_budget, 100);
	rig_down(&r);
}
END_TEST

/* the application has a loop of another kind; the threads have libev's */
static void turn_by_hand(void)
{
	struct pollfd fd = { .fd = ublkev_dev_fd(&r.dev), .events = POLLIN };

	if (poll(&fd, 1, ublkev_dev_timeout_ms(&r.dev) ? 1 : 0))
		ublkev_dev_service(&r.dev);
	ublkev_dev_flush(&r.dev);
}

static bool poll_done(void)
{
	FAKE_LOCKED;

	return clients_done(clients, CLIENTS);
}

START_TEST(by_hand)
{
	rig_init(&r, disk.backend);
	r.starts++;
	ck_assert_int_eq(ublkev_dev_start(NULL, &r.dev), 0);
	while (r.dev.active && !rig_is_live(&r))
		turn_by_hand();
	go(100);
	while (!poll_done())
		turn_by_hand();
	check_clients();
	ublkev_dev_stop(NULL, &r.dev);
	while (r.dev.active)
		turn_by_hand();
	rig_check_stopped(&r, "LS");
	rig_fini(&r);
}
END_TEST

/* ---- the way up ----------------------------------------------------------- */

/* refused, in the one thread or the other */
START_TEST(refused)
{
	static const enum fake_what what[] = {
		FAKE_JOIN, FAKE_ENABLE, FAKE_FETCH,
	};
	enum ublkev_step step = UBLKEV_STEP_START;

	if (_i < 3)
		fake_rule(what[_i], 0, 2, 1, -EMFILE);
	else
		disk.queue_start_err = -EMFILE;
	if (_i == 0)
		step = UBLKEV_STEP_OPEN;
	rig_init(&r, disk.backend);
	rig_start(&r);
	rig_run();
	rig_check_stopped(&r, "ES");
	ck_assert_int_eq(r.dev.err, -EMFILE);
	ck_assert_int_eq(r.err_step, step);
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_GONE);
	disk.queue_start_err = 0;
	rig_start(&r);
	rig_until(rig_is_live, &r);
	rig_down(&r);
}
END_TEST

static unsigned int lines;

static void on_line(void *data, int priority, const char *line)
{
	/* by the application's thread, whoever has something to say */
	ck_assert(pthread_equal(*(pthread_t *)data, pthread_self()));
	lines += priority <= LOG_NOTICE && (strstr(line, "CPUs") ||
					    strstr(line, "LIMIT_THREADS"));
}

static pthread_t self;

static void listen_to_log(void)
{
	self = pthread_self();
	lines = 0;
	r.conf.log = on_line;
	r.conf.log_data = &self;
}

START_TEST(backend_must_allow)
{
	listen_to_log();
	rig_init(&r, disk.backend);
	disk.no_flags = UBLKEV_LIMIT_THREADS;
	ck_assert_int_eq(ublkev_dev_start(rig_loop, &r.dev), -EOPNOTSUPP);
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_BACKEND);
	ck_assert_uint_eq(lines, 1);
	ev_run(rig_loop, 0);
	rig_fini(&r);
}
END_TEST

/* ours; a sanitizer may have one of its own */
static unsigned int threads(void)
{
	char path[64], name[16];
	DIR *dir = opendir("/proc/self/task");
	unsigned int n = 0;
	struct dirent *d;
	FILE *f;

	ck_assert_ptr_nonnull(dir);
	while ((d = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/self/task/%.16s/comm",
			 d->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		n += fgets(name, sizeof(name), f) &&
		     !strncmp(name, "ublkev-q", 8);
		fclose(f);
	}
	closedir(dir);
	return n;
}

/* a thread for a queue that the driver did not take goes again */
START_TEST(fewer_queues)
{
	fake.cpus = PARTS - 1;
	rig_up(&r, disk.backend);
	ck_assert_uint_eq(disk.parts[PARTS - 1].starts, 0);
	while (threads() != PARTS - 1)
		rig_run_ms(1);
	go(50);
	rig_until(all_done, NULL);
	check_clients();
	rig_down(&r);
	ck_assert_uint_eq(threads(), 0);
}
END_TEST

/* ---- CPUs ---------------------------------------------------------------- */

/* those of the process: all that it has, or one */
static unsigned int some_cpus(cpu_set_t *set, bool one)
{
	unsigned int i = 0;

	sched_getaffinity(0, sizeof(*set), set);
	while (!CPU_ISSET(i, set))
		i++;
	if (one) {
		CPU_ZERO(set);
		CPU_SET(i, set);
		sched_setaffinity(0, sizeof(*set), set);
	}
	return i;
}

/*
 * The driver says that queue n belongs on CPU n. A process that has not that
 * one is left where it is.
 */
START_TEST(pins)
{
	unsigned int i, elsewhere = 0;
	cpu_set_t allowed, wanted, is;

	some_cpus(&allowed, _i == 1);
	listen_to_log();
	rig_up(&r, disk.backend);
	for (i = 0; i < PARTS; i++) {
		CPU_ZERO(&wanted);
		CPU_SET(i, &wanted);
		if (!CPU_ISSET(i, &allowed)) {
			wanted = allowed;
			elsewhere++;
		}
		pthread_getaffinity_np(disk.parts[i].thread, sizeof(is), &is);
		ck_assert(CPU_EQUAL(&is, &wanted));
	}
	ck_assert_uint_eq(fake_counts.cmds[UBLKEV__CTRL_GET_QUEUE_AFFINITY],
			  PARTS);
	rig_down(&r);
	ck_assert_uint_eq(lines, elsewhere);
}
END_TEST

/* as many queues as the thread may use CPUs, which are one or two here */
START_TEST(auto_queues)
{
	struct ublkev_info info;
	cpu_set_t set;
	unsigned int i, n = 0;

	some_cpus(&set, false);
	for (i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set) && n++ > (unsigned int)_i)
			CPU_CLR(i, &set);
	sched_setaffinity(0, sizeof(set), &set);
	r.conf.queues = 0;
	rig_up(&r, disk.backend);
	ublkev_dev_info(&r.dev, &info, sizeof(info));
	ck_assert_uint_eq(info.queues, (unsigned int)CPU_COUNT(&set));
	ck_assert_uint_eq(threads(), info.queues);
	go(50);
	rig_until(all_done, NULL);
	check_clients();
	rig_down(&r);
}
END_TEST

/* on its only CPU a thread does not keep the clients from going on */
START_TEST(waits)
{
	cpu_set_t allowed;
	unsigned int i;

	if (some_cpus(&allowed, false) || sysconf(_SC_NPROCESSORS_ONLN) == 1)
		return;		/* queue 0 cannot be pinned, or nobody waits */
	if (_i)
		fake_rule(FAKE_CMD, UBLKEV__CTRL_GET_QUEUE_AFFINITY, 1, 1,
			  -EPERM);
	r.conf.queues = 1;
	r.conf.wait_us = 200;
	rig_up(&r, disk.backend);
	for (i = 0; _i ? !rig_stats(&r).waits : i < 100; i++) {
		go(1);
		rig_until(all_done, NULL);
		check_clients();
	}
	ck_assert(!_i == !rig_stats(&r).waits);
	rig_down(&r);
}
END_TEST

/* where the driver does not tell, they are served all the same */
START_TEST(cpus_not_told)
{
	cpu_set_t allowed, is;
	unsigned int i;

	some_cpus(&allowed, false);
	listen_to_log();
	fake_rule(FAKE_CMD, UBLKEV__CTRL_GET_QUEUE_AFFINITY, 2, 1, -EPERM);
	rig_up(&r, disk.backend);
	ck_assert_uint_eq(fake_counts.cmds[UBLKEV__CTRL_GET_QUEUE_AFFINITY], 2);
	for (i = 1; i < PARTS; i++) {
		pthread_getaffinity_np(disk.parts[i].thread, sizeof(is), &is);
		ck_assert(CPU_EQUAL(&is, &allowed));
	}
	rig_down(&r);
	ck_assert_uint_ge(lines, 1);
}
END_TEST

/* ---- memory and threads run out ------------------------------------------- */

static int threads_left = -1;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*run)(void *), void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*run)(void *), void *arg)
{
	if (!threads_left)
		return EAGAIN;
	threads_left -= threads_left > 0;
	return __real_pthread_create(thread, attr, run, arg);
}

START_TEST(no_thread)
{
	int live, fds;

	rig_init(&r, disk.backend);
	live = r.alloc.live;
	fds = (int)test_fds(getpid());
	threads_left = _i;
	ck_assert_int_eq(ublkev_dev_start(rig_loop, &r.dev), -EAGAIN);
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_SETUP);
	ck_assert_int_eq(r.alloc.live, live);
	ck_assert_int_eq(test_fds(getpid()), fds);
	ck_assert(fake_clean());
	threads_left = -1;
	rig_start(&r);
	rig_until(rig_is_live, &r);
	rig_down(&r);
}
END_TEST

START_TEST(every_allocation)
{
	unsigned int i, failures = 0;
	int live, err;

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
	ck_assert_uint_ge(failures, 6 + PARTS);
	r.starts++;
	rig_until(rig_is_live, &r);
	rig_down(&r);
}
END_TEST

/* a device to recover has its threads made when it has told its queues */
START_TEST(no_thread_to_recover)
{
	int live;

	rig_leave(&r, disk.backend, 5);
	live = r.alloc.live;
	threads_left = _i;
	ck_assert_int_eq(rig_take(&r), -EAGAIN);
	ck_assert(!r.dev.active);
	ck_assert_int_eq(r.alloc.live, live);
	ck_assert_int_eq(fake_state(5), UBLKEV_STATE_QUIESCED);
	threads_left = -1;
	ck_assert_int_eq(rig_take(&r), 0);
	rig_down(&r);
}
END_TEST

START_TEST(every_allocation_of_recover)
{
	unsigned int i = 1;

	rig_leave(&r, disk.backend, 5);
	while (rig_take_starved(&r, i))
		i++;
	ck_assert_uint_ge(i, 6 + PARTS);
	rig_down(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_threads");
	TCase *tc = tcase_create("threads");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, serves, 0, 2 * RIG_MODES);
	tcase_add_test(tc, wakes);
	tcase_add_test(tc, little_budget);
	tcase_add_test(tc, by_hand);
	tcase_add_loop_test(tc, refused, 0, 4);
	tcase_add_test(tc, backend_must_allow);
	tcase_add_test(tc, fewer_queues);
	tcase_add_loop_test(tc, auto_queues, 0, 2);
	tcase_add_loop_test(tc, pins, 0, 2);
	tcase_add_loop_test(tc, waits, 0, 2);
	tcase_add_test(tc, cpus_not_told);
	tcase_add_loop_test(tc, no_thread, 0, PARTS);
	tcase_add_test(tc, every_allocation);
	tcase_add_loop_test(tc, no_thread_to_recover, 0, PARTS);
	tcase_add_test(tc, every_allocation_of_recover);
	suite_add_tcase(s, tc);
	return test_main(s);
}
