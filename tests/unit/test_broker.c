/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The broker's process on this host: what it begins with, what it holds, when
 * it ends, and what its starter hears of it. The driver is not needed. What
 * devices get through it is test_broker_channels.c's.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ublkev.h>

#include "broker_kit.h"
#include "failalloc.h"
#include "testlib.h"
#include "uring_kit.h"

/* ---- its process ---------------------------------------------------------------- */

START_TEST(started_and_stopped)
{
	unsigned int fds = test_fds(getpid());
	int i;

	ublkev_broker_stop(NULL);
	for (i = 0; i < 10; i++) {
		kit_start();
		ck_assert_uint_eq(test_fds(getpid()), fds + 1);
		ck_assert(!kit_has_ended(kit_pid));
		kit_stop();
		ck_assert_uint_eq(test_fds(getpid()), fds);
	}
}
END_TEST

START_TEST(ends_with_its_starter)
{
	pid_t starter = fork();

	ck_assert_int_ge(starter, 0);
	if (!starter) {
		if (ublkev_broker_start(&kit_broker))
			_exit(1);
		for (;;)
			pause();
	}
	kit_pid = kit_child(starter);
	kit_wait_fds(kit_pid, KIT_FDS);
	kit_kill(starter);
	kit_ended(kit_pid);
}
END_TEST

START_TEST(holds_nothing)
{
	int fds[2], odd[] = { 5, 200, 777 };
	struct pollfd p;
	unsigned int i;

	ck_assert_int_eq(pipe(fds), 0);
	for (i = 0; i < TEST_COUNT(odd); i++)
		ck_assert_int_eq(dup2(fds[1], odd[i]), odd[i]);
	kit_start();
	for (i = 0; i < TEST_COUNT(odd); i++)
		close(odd[i]);
	close(fds[1]);
	p = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	ck_assert_int_eq(p.revents, POLLHUP);
	close(fds[0]);
	kit_stop();
}
END_TEST

/*
 * A daemon may have closed some of 0 to 2, so that the socket gets their
 * numbers; what the broker might print is never to go to a channel.
 */
START_TEST(without_std_fds)
{
	struct kit_control c;
	int was[3], i;

	for (i = 0; i < 3; i++) {
		was[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
		ck_assert_int_ge(was[i], 0);
	}
	for (i = 0; i < 3; i++)
		if (_i >> i & 1)
			close(i);
	kit_start();
	ck_assert_int_eq(kit_open(&c, kit_broker), 0);
	kit_works(&c);
	kit_close(&c);
	kit_stop();
	for (i = 0; i < 3; i++) {
		dup2(was[i], i);
		close(was[i]);
	}
}
END_TEST

static void read_link(const char *name, char *buf, size_t bytes)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)kit_pid, name);
	n = readlink(path, buf, bytes - 1);
	ck_assert_int_ge(n, 0);
	buf[n] = '\0';
}

static bool ignores(int sig)
{
	unsigned long long mask = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)kit_pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "SigIgn: %llx", &mask) == 1)
			break;
	fclose(f);
	return mask >> (sig - 1) & 1;
}

START_TEST(stands_alone)
{
	static const int ignored[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2,
	};
	struct kit_control c;
	char name[16], buf[256];
	unsigned int i;

	kit_start();
	read_link("cwd", buf, sizeof(buf));
	ck_assert_str_eq(buf, "/");
	ck_assert_int_eq(getsid(kit_pid), kit_pid);
	ck_assert(ignores(SIGCHLD));
	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "fd/%u", i);
		read_link(name, buf, sizeof(buf));
		ck_assert_str_eq(buf, "/dev/null");
	}
	for (i = 0; i < TEST_COUNT(ignored); i++)
		ck_assert_int_eq(kill(kit_pid, ignored[i]), 0);
	ck_assert_int_eq(kit_open(&c, kit_broker), 0);
	kit_works(&c);
	kit_close(&c);
	kit_stop();
}
END_TEST

static volatile sig_atomic_t sigchlds;

static void on_sigchld(int sig)
{
	(void)sig;
	sigchlds++;
}

static bool has_child(void)
{
	return waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD;
}

/*
 * Its starter never hears of it, while it lives, when it was stopped, and when
 * it was killed; and it is reaped although nobody else would.
 */
START_TEST(no_child_of_the_starter)
{
	struct sigaction sa = { .sa_handler = on_sigchld };

	ck_assert_int_eq(sigaction(SIGCHLD, &sa, NULL), 0);
	kit_start();
	ck_assert(!has_child());
	kit_stop();
	ck_assert(!has_child());
	kit_start();
	ck_assert_int_eq(kill(kit_pid, SIGKILL), 0);
	ck_assert(!has_child());
	kit_stop();
	ck_assert_int_eq(sigchlds, 0);
}
END_TEST

/* a starter that has become a daemon since is not its parent any more */
START_TEST(stopped_by_another)
{
	int status;
	pid_t child;

	kit_start();
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		ublkev_broker_stop(kit_broker);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert(!kit_has_ended(kit_pid));
	kit_stop();
}
END_TEST

/* a device needs four descriptors: the server's own soft limit is no measure */
START_TEST(raises_the_limit)
{
	struct rlimit was, limit;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	limit = was;
	limit.rlim_cur = 64;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	kit_start();
	ck_assert_int_eq(prlimit(kit_pid, RLIMIT_NOFILE, NULL, &limit), 0);
	ck_assert_uint_eq(limit.rlim_cur, was.rlim_max);
	kit_stop();
}
END_TEST

/* ---- what runs out at the start --------------------------------------------------- */

/* in a child; 0: as it should be */
static int start_with_fds_left(unsigned int spare, int expected)
{
	unsigned int fds = test_fds(getpid());
	struct rlimit was, limit;
	int first = dup(0), err;

	close(first);
	getrlimit(RLIMIT_NOFILE, &was);
	limit = was;
	limit.rlim_cur = (rlim_t)first + spare;
	setrlimit(RLIMIT_NOFILE, &limit);
	err = ublkev_broker_start(&kit_broker);
	setrlimit(RLIMIT_NOFILE, &was);
	if (err != expected)
		return 1;
	if (!err)
		ublkev_broker_stop(kit_broker);
	return test_fds(getpid()) == fds ? 0 : 2;
}

/* as somebody else, for it does not bind root */
static int start_with_no_process_left(void)
{
	const struct rlimit limit = { 1, 1 };
	unsigned int fds = test_fds(getpid());
	int err;

	if (geteuid() || setuid(54321) || setrlimit(RLIMIT_NPROC, &limit))
		return 77;
	/* so that /proc/self is this user's */
	prctl(PR_SET_DUMPABLE, 1);
	err = ublkev_broker_start(&kit_broker);
	if (err != -EAGAIN)
		return 1;
	return test_fds(getpid()) == fds ? 0 : 2;
}

static int run_in_child(int n)
{
	int status;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (!child)
		_exit(n < 3 ? start_with_fds_left((unsigned int)n,
						  n < 2 ? -EMFILE : 0)
			    : start_with_no_process_left());
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(start_errors)
{
	int status = run_in_child(_i);

	if (status == 77)
		printf("test_broker: not root: RLIMIT_NPROC not tested\n");
	else
		ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(start_without_memory)
{
	unsigned int fds = test_fds(getpid());
	int err, leaked;

	failalloc_arm(1);
	err = ublkev_broker_start(&kit_broker);
	ck_assert(failalloc_disarm(&leaked));
	ck_assert_int_eq(err, -ENOMEM);
	ck_assert_int_eq(leaked, 0);
	ck_assert_uint_eq(test_fds(getpid()), fds);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("broker");
	TCase *tc = tcase_create("broker");

	tcase_add_checked_fixture(tc, kit_setup, NULL);
	tcase_add_test(tc, started_and_stopped);
	tcase_add_test(tc, ends_with_its_starter);
	tcase_add_test(tc, holds_nothing);
	tcase_add_loop_test(tc, without_std_fds, 1, 8);
	tcase_add_test(tc, stands_alone);
	tcase_add_test(tc, no_child_of_the_starter);
	tcase_add_test(tc, stopped_by_another);
	tcase_add_test(tc, raises_the_limit);
	tcase_add_loop_test(tc, start_errors, 0, 4);
	tcase_add_test(tc, start_without_memory);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return test_uring_main(suite);
}
