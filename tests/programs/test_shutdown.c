/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon is asked to stop: it waits while somebody holds its device, as long
 * as it was told to, and a second and a third signal hurry it.
 */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "ublk-evdemo/logger.h"
#include "ublk-evdemo/shutdown.h"
#include "proctree.h"
#include "testlib.h"

#define HELD "30 22 259:7 / /mnt rw - ext4 /dev/ublkb7 rw\n"

static struct ev_loop *loop;
static struct shutdown s;
static struct shutdown_conf conf;
static const char *root;
static int stops, aborts;

/* seconds for which the machine was paused */
static time_t paused;

int clock_gettime(clockid_t id, struct timespec *ts)
{
	long ret = syscall(SYS_clock_gettime, id, ts);

	ts->tv_sec += paused;
	return (int)ret;
}

static void on_stop(void *data)
{
	ck_assert_ptr_eq(data, &stops);
	stops++;
	ev_break(loop, EVBREAK_ALL);
}

static void on_abort(void *data)
{
	ck_assert_ptr_eq(data, &stops);
	aborts++;
}

static void set_up(void)
{
	/* in one process with the others, under valgrind */
	paused = 0;
	loop = ev_loop_new(EVFLAG_AUTO);
	root = proctree_new();
	proctree_ublkb7(root);
	proctree_pid(root, 1, "init", 100, "");
	stops = 0;
	aborts = 0;
	conf = (struct shutdown_conf){
		.root = root, .id = 7, .timeout_s = 60, .open_s = .1,
		.recheck_s = .01, .stop = on_stop, .abort = on_abort,
		.data = &stops,
	};
	log_init(LOG_EMERG);
	shutdown_init(&s, loop);
}

static void tear_down(void)
{
	shutdown_fini(&s);
	ev_loop_destroy(loop);
	proctree_remove(root);
}

static void run_for(double seconds)
{
	ev_tstamp end = ev_time() + seconds;

	while (ev_time() < end && !stops) {
		ev_run(loop, EVRUN_NOWAIT);
		ev_sleep(.001);
	}
}

/* a look takes a process, and that as long as the machine has others */
static void run_until_said(void)
{
	ev_tstamp end = ev_time() + 20;

	while (ev_time() < end && !stops && !s.said)
		run_for(.01);
	ck_assert_int_eq(stops, 0);
	ck_assert_uint_ne(s.said, 0);
}

/* lines of the log, in a file in place of stderr */
static FILE *log_file;
static int own_stderr;

static void log_begins(void)
{
	log_file = tmpfile();
	ck_assert_ptr_nonnull(log_file);
	own_stderr = dup(STDERR_FILENO);
	dup2(fileno(log_file), STDERR_FILENO);
	log_init(LOG_NOTICE);
}

static void log_ends(void)
{
	dup2(own_stderr, STDERR_FILENO);
	close(own_stderr);
	fclose(log_file);
}

static unsigned int logged(const char *what)
{
	char line[1024];
	unsigned int n = 0;
	off_t end = lseek(fileno(log_file), 0, SEEK_CUR);

	rewind(log_file);
	while (fgets(line, sizeof(line), log_file))
		n += strstr(line, what) != NULL;
	lseek(fileno(log_file), end, SEEK_SET);
	return n;
}

/* who has it open only is not waited for longer than for a mount */
START_TEST(open_no_longer)
{
	proctree_pid(root, 9, "dd", 200, "");
	proctree_file(root, "proc/9/maps",
		      "7f30-7f40 rw-s 00000000 00:06 99       /dev/ublkb7\n");
	conf.open_s = 1000;
	conf.timeout_s = .05;
	shutdown_next(&s, &conf);
	run_for(20);
	ck_assert_int_eq(stops, 1);
}
END_TEST

/* nor does it make a mount be waited for less */
START_TEST(open_and_mounted)
{
	proctree_pid(root, 9, "bash", 200, HELD);
	proctree_pid(root, 10, "dd", 200, HELD);
	proctree_file(root, "proc/10/maps",
		      "7f30-7f40 rw-s 00000000 00:06 99       /dev/ublkb7\n");
	conf.open_s = .01;
	shutdown_next(&s, &conf);
	run_until_said();
	run_for(.3);
	ck_assert_int_eq(stops, 0);
}
END_TEST

static void look_again(int times)
{
	uint64_t was;

	for (; times; times--) {
		was = s.looked_ns;
		while (s.looked_ns == was && !stops)
			run_for(.002);
	}
}

/* who uses what is mounted comes and goes: that is no news */
START_TEST(told_once)
{
	uint32_t was;

	log_begins();
	proctree_pid(root, 9, "bash", 200, HELD);
	proctree_link(root, "proc/9/cwd", "/mnt/one");
	shutdown_next(&s, &conf);
	run_until_said();
	look_again(2);
	proctree_link(root, "proc/9/cwd", "/mnt/two");
	look_again(2);
	ck_assert_int_eq(stops, 0);
	ck_assert_uint_eq(logged("is in use"), 1);
	ck_assert_uint_eq(logged("mounted on /mnt"), 1);
	was = s.said;
	proctree_file(root, "proc/9/mountinfo", HELD
		      "31 22 259:8 / /more rw - ext4 /dev/ublkb7p1 rw\n");
	while (s.said == was)
		run_for(.01);
	ck_assert_uint_eq(logged("is in use"), 2);
	log_ends();
}
END_TEST

/* there may be as many as they like: the log has some, and their number */
START_TEST(many)
{
	static char mounts[8192];
	unsigned int i, n, lines, more = 0;
	size_t len = 0;
	char what[32];

	for (i = 0; i < 60; i++)
		len += (size_t)snprintf(mounts + len, sizeof(mounts) - len,
					"%u 22 259:7 / /mnt%u rw - ext4 /dev/x rw\n",
					30 + i, i);
	log_begins();
	proctree_pid(root, 9, "bash", 200, mounts);
	shutdown_next(&s, &conf);
	run_until_said();
	lines = logged("mounted on /mnt");
	for (n = 1; n < 60; n++) {
		snprintf(what, sizeof(what), ": and %u more", n);
		if (logged(what))
			more = n;
	}
	ck_assert_uint_gt(lines, 0);
	ck_assert_uint_gt(more, 0);
	ck_assert_uint_eq(lines + more, 60);
	log_ends();
}
END_TEST

START_TEST(not_live)
{
	conf.id = -1;
	shutdown_next(&s, &conf);
	ck_assert_int_eq(stops, 1);
}
END_TEST

START_TEST(not_held)
{
	shutdown_next(&s, &conf);
	ck_assert_int_eq(stops, 0);
	ev_run(loop, 0);
	ck_assert_int_eq(stops, 1);
	ck_assert_int_eq(s.state, SHUTDOWN_STOPPING);
	/* nothing is left that would keep the loop */
	ck_assert(!ev_run(loop, EVRUN_NOWAIT));
	shutdown_next(&s, NULL);
	ck_assert_int_eq(aborts, 1);
	shutdown_next(&s, NULL);
	ck_assert_int_eq(aborts, 1);
	ck_assert_int_eq(stops, 1);
}
END_TEST

/* a disk that may well be mounted is not stopped for want of a look */
START_TEST(no_proc)
{
	ev_tstamp began = ev_time();

	conf.root = "/nonexistent";
	conf.timeout_s = .3;
	shutdown_next(&s, &conf);
	ck_assert_int_eq(stops, 0);
	ck_assert_uint_ne(s.said, 0);
	ev_run(loop, 0);
	ck_assert_int_eq(stops, 1);
	ck_assert_double_ge(ev_time() - began, .25);
}
END_TEST

START_TEST(no_proc_no_patience)
{
	conf.root = "/nonexistent";
	conf.timeout_s = 0;
	shutdown_next(&s, &conf);
	ck_assert_int_eq(stops, 1);
}
END_TEST

/* who it is cannot be seen for a while, and then that it is nobody */
START_TEST(blind_then_free)
{
	conf.root = "/nonexistent";
	shutdown_next(&s, &conf);
	run_for(.1);
	ck_assert_int_eq(stops, 0);
	s.conf.root = root;
	run_for(20);
	ck_assert_int_eq(stops, 1);
}
END_TEST

START_TEST(held_then_free)
{
	proctree_pid(root, 9, "bash", 200, HELD);
	shutdown_next(&s, &conf);
	run_until_said();
	run_for(.1);
	ck_assert_int_eq(stops, 0);
	proctree_file(root, "proc/9/mountinfo", "");
	run_for(20);
	ck_assert_int_eq(stops, 1);
}
END_TEST

START_TEST(held_too_long)
{
	ev_tstamp began = ev_time();

	proctree_pid(root, 9, "bash", 200, HELD);
	conf.timeout_s = .3;
	shutdown_next(&s, &conf);
	ev_run(loop, 0);
	ck_assert_int_eq(stops, 1);
	ck_assert_double_ge(ev_time() - began, .25);
}
END_TEST

/* time in which nobody could umount it is no patience with those who did not */
START_TEST(paused_meanwhile)
{
	proctree_pid(root, 9, "bash", 200, HELD);
	shutdown_next(&s, &conf);
	run_until_said();
	paused = 100000;
	run_for(.1);
	ck_assert_int_eq(stops, 0);
	proctree_file(root, "proc/9/mountinfo", "");
	run_for(20);
	ck_assert_int_eq(stops, 1);
}
END_TEST

/* whatever may be done about the others, its own mount is waited for */
START_TEST(own_mount)
{
	proctree_pid(root, getpid(), "self", 300, HELD);
	conf.open_s = 0;
	shutdown_next(&s, &conf);
	run_until_said();
	run_for(.1);
	ck_assert_int_eq(stops, 0);
}
END_TEST

START_TEST(no_patience)
{
	proctree_pid(root, 9, "bash", 200, HELD);
	conf.timeout_s = 0;
	conf.recheck_s = 1000;
	shutdown_next(&s, &conf);
	ev_run(loop, 0);
	ck_assert_int_eq(stops, 1);
}
END_TEST

START_TEST(second_and_third_signal)
{
	proctree_pid(root, 9, "bash", 200, HELD);
	shutdown_next(&s, &conf);
	run_for(.1);
	ck_assert_int_eq(stops, 0);
	shutdown_next(&s, NULL);
	ck_assert_int_eq(stops, 1);
	shutdown_next(&s, NULL);
	ck_assert_int_eq(aborts, 1);
}
END_TEST

START_TEST(second_while_looking)
{
	shutdown_next(&s, &conf);
	ck_assert_int_eq(s.state, SHUTDOWN_LOOKING);
	shutdown_next(&s, NULL);
	ck_assert_int_eq(stops, 1);
	run_for(.05);
	ck_assert_int_eq(stops, 1);
}
END_TEST

START_TEST(fini_in_any_state)
{
	proctree_pid(root, 9, "bash", 200, HELD);
	shutdown_next(&s, &conf);
	if (_i)
		run_for(.1);
	shutdown_fini(&s);
	ck_assert(!ev_run(loop, EVRUN_NOWAIT));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("shutdown");
	TCase *t = tcase_create("shutdown");

	suite_add_tcase(suite, t);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, open_no_longer);
	tcase_add_test(t, open_and_mounted);
	tcase_add_test(t, told_once);
	tcase_add_test(t, many);
	tcase_add_test(t, not_live);
	tcase_add_test(t, not_held);
	tcase_add_test(t, no_proc);
	tcase_add_test(t, no_proc_no_patience);
	tcase_add_test(t, blind_then_free);
	tcase_add_test(t, held_then_free);
	tcase_add_test(t, held_too_long);
	tcase_add_test(t, paused_meanwhile);
	tcase_add_test(t, own_mount);
	tcase_add_test(t, no_patience);
	tcase_add_test(t, second_and_third_signal);
	tcase_add_test(t, second_while_looking);
	tcase_add_loop_test(t, fini_in_any_state, 0, 2);
	return test_main(suite);
}
