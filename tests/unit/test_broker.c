/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The broker's process, and devices' controls that use it, on this host; the
 * driver is not needed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <liburing.h>
#include <ublkev.h>

#include "broker_kit.h"
#include "failalloc.h"
#include "testlib.h"

static struct ublkev_broker *broker;
static pid_t pid;

static void setup(void)
{
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

static void start(void)
{
	ck_assert_int_eq(ublkev_broker_start(&broker), 0);
	pid = kit_child(getpid());
	kit_wait_fds(pid, KIT_FDS);
}

static void stop(void)
{
	ublkev_broker_stop(broker);
	kit_gone(pid);
}

/* ---- its process ---------------------------------------------------------------- */

START_TEST(started_and_stopped)
{
	unsigned int fds = kit_fds(getpid());
	int i;

	ublkev_broker_stop(NULL);
	for (i = 0; i < 10; i++) {
		start();
		ck_assert_uint_eq(kit_fds(getpid()), fds + 1);
		ck_assert(!kit_has_ended(pid));
		stop();
		ck_assert_uint_eq(kit_fds(getpid()), fds);
	}
}
END_TEST

START_TEST(ends_with_its_starter)
{
	pid_t starter = fork();

	ck_assert_int_ge(starter, 0);
	if (!starter) {
		if (ublkev_broker_start(&broker))
			_exit(1);
		for (;;)
			pause();
	}
	pid = kit_child(starter);
	kit_wait_fds(pid, KIT_FDS);
	kit_kill(starter);
	kit_ended(pid);
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
	start();
	for (i = 0; i < TEST_COUNT(odd); i++)
		close(odd[i]);
	close(fds[1]);
	p = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	ck_assert_int_eq(p.revents, POLLHUP);
	close(fds[0]);
	stop();
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
	start();
	ck_assert_int_eq(kit_open(&c, broker), 0);
	kit_works(&c);
	kit_close(&c);
	stop();
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

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	n = readlink(path, buf, bytes - 1);
	ck_assert_int_ge(n, 0);
	buf[n] = '\0';
}

static bool ignores(int sig)
{
	unsigned long long mask = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
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

	start();
	read_link("cwd", buf, sizeof(buf));
	ck_assert_str_eq(buf, "/");
	ck_assert_int_eq(getsid(pid), pid);
	ck_assert(ignores(SIGCHLD));
	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "fd/%u", i);
		read_link(name, buf, sizeof(buf));
		ck_assert_str_eq(buf, "/dev/null");
	}
	for (i = 0; i < TEST_COUNT(ignored); i++)
		ck_assert_int_eq(kill(pid, ignored[i]), 0);
	ck_assert_int_eq(kit_open(&c, broker), 0);
	kit_works(&c);
	kit_close(&c);
	stop();
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
	start();
	ck_assert(!has_child());
	stop();
	ck_assert(!has_child());
	start();
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert(!has_child());
	stop();
	ck_assert_int_eq(sigchlds, 0);
}
END_TEST

/* a starter that has become a daemon since is not its parent any more */
START_TEST(stopped_by_another)
{
	int status;
	pid_t child;

	start();
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		ublkev_broker_stop(broker);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert(!kit_has_ended(pid));
	stop();
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
	start();
	ck_assert_int_eq(prlimit(pid, RLIMIT_NOFILE, NULL, &limit), 0);
	ck_assert_uint_eq(limit.rlim_cur, was.rlim_max);
	stop();
}
END_TEST

/* ---- what runs out at the start --------------------------------------------------- */

/* in a child; 0: as it should be */
static int start_with_fds_left(unsigned int spare, int expected)
{
	unsigned int fds = kit_fds(getpid());
	struct rlimit was, limit;
	int first = dup(0), err;

	close(first);
	getrlimit(RLIMIT_NOFILE, &was);
	limit = was;
	limit.rlim_cur = (rlim_t)first + spare;
	setrlimit(RLIMIT_NOFILE, &limit);
	err = ublkev_broker_start(&broker);
	setrlimit(RLIMIT_NOFILE, &was);
	if (err != expected)
		return 1;
	if (!err)
		ublkev_broker_stop(broker);
	return kit_fds(getpid()) == fds ? 0 : 2;
}

/* as somebody else, for it does not bind root */
static int start_with_no_process_left(void)
{
	const struct rlimit limit = { 1, 1 };
	unsigned int fds = kit_fds(getpid());
	int err;

	if (geteuid() || setuid(54321) || setrlimit(RLIMIT_NPROC, &limit))
		return 77;
	/* so that /proc/self is this user's */
	prctl(PR_SET_DUMPABLE, 1);
	err = ublkev_broker_start(&broker);
	if (err != -EAGAIN)
		return 1;
	return kit_fds(getpid()) == fds ? 0 : 2;
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
	unsigned int fds = kit_fds(getpid());
	int err, leaked;

	failalloc_arm(1);
	err = ublkev_broker_start(&broker);
	ck_assert(failalloc_disarm(&leaked));
	ck_assert_int_eq(err, -ENOMEM);
	ck_assert_int_eq(leaked, 0);
	ck_assert_uint_eq(kit_fds(getpid()), fds);
}
END_TEST

/* ---- controls that use it ------------------------------------------------------------ */

START_TEST(carries)
{
	struct ublkev__carrier_done done;
	struct kit_control c;
	int i;

	start();
	ck_assert_int_eq(kit_open(&c, broker), 0);
	for (i = 0; i < 20; i++) {
		ublkev__carrier_cancel(c.carrier);	/* nothing pending */
		ck_assert(!ublkev__carrier_has_work(c.carrier));
		ck_assert(!ublkev__carrier_reap(c.carrier, &done));
		kit_works(&c);
	}
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	ck_assert_int_eq(kit_ask(&c), 0);
	ck_assert_int_eq(kit_ask(&c), -EBUSY);
	ublkev__carrier_cancel(c.carrier);
	ck_assert_int_eq(kill(pid, SIGCONT), 0);
	kit_answer(&c);
	kit_close(&c);
	kit_wait_fds(pid, KIT_FDS);
	stop();
}
END_TEST

START_TEST(opens)
{
	struct kit_control c;
	int err;

	start();
	ck_assert_int_eq(kit_open(&c, broker), 0);
	err = ublkev__carrier_open(c.carrier);
	if (access("/dev/ublk-control", F_OK))
		ck_assert_int_eq(err, -ENOENT);
	else
		ck_assert_int_eq(err, 0);
	kit_close(&c);
	stop();
}
END_TEST

/* the starter has stopped it, but what is there is served until its end */
START_TEST(outlives_the_stop)
{
	struct kit_control c;

	start();
	ck_assert_int_eq(kit_open(&c, broker), 0);
	ublkev_broker_stop(broker);
	kit_works(&c);
	ck_assert(!kit_has_ended(pid));
	kit_close(&c);
	kit_ended(pid);
}
END_TEST

#define MANY 100

/* the broker stands still meanwhile: all of them wait for it in its socket */
START_TEST(many)
{
	static struct kit_control c[MANY];
	unsigned int i;

	start();
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	for (i = 0; i < MANY; i++) {
		ck_assert_int_eq(kit_open(&c[i], broker), 0);
		ck_assert_int_eq(kit_ask(&c[i]), 0);
	}
	ck_assert_int_eq(kill(pid, SIGCONT), 0);
	for (i = 0; i < MANY; i++)
		ck_assert_int_eq(kit_answer(&c[i]).cmd,
				 UBLKEV__CTRL_GET_FEATURES);
	/* ublk-control once, where there is one */
	ck_assert_uint_ge(kit_fds(pid), KIT_FDS + KIT_FDS_DEV * MANY);
	ck_assert_uint_le(kit_fds(pid), KIT_FDS + KIT_FDS_DEV * MANY + 1);
	for (i = 0; i < MANY; i += 2)
		kit_close(&c[i]);
	for (i = 1; i < MANY; i += 2)
		kit_works(&c[i]);
	for (i = 1; i < MANY; i += 2)
		kit_close(&c[i]);
	kit_wait_fds(pid, KIT_FDS);
	stop();
}
END_TEST

START_TEST(control_without_memory)
{
	struct kit_control c = { .evfd = eventfd(0, EFD_CLOEXEC) };
	struct ublkev__alloc mem;
	bool failed = true;
	unsigned int fds, n;
	int err, leaked;

	ublkev__alloc_init(&mem, NULL, NULL);
	start();
	fds = kit_fds(getpid());
	for (n = 1; failed; n++) {
		failalloc_arm(n);
		err = ublkev__carrier_new(&c.carrier, &mem, c.evfd, broker);
		if (!err)
			ublkev__carrier_free(c.carrier);
		failed = failalloc_disarm(&leaked);
		ck_assert_int_eq(leaked, 0);
		ck_assert_int_eq(err, failed ? -ENOMEM : 0);
		ck_assert_uint_eq(kit_fds(getpid()), fds);
	}
	ck_assert_uint_gt(n, 2);
	close(c.evfd);
	stop();
}
END_TEST

/* ---- a broker that is killed ------------------------------------------------------------ */

START_TEST(killed)
{
	struct ublkev__carrier_done done;
	struct kit_control c, none;
	unsigned int fds;

	start();
	ck_assert_int_eq(kit_open(&c, broker), 0);
	kit_works(&c);
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	ck_assert_int_eq(kit_ask(&c), 0);
	ck_assert(!ublkev__carrier_has_work(c.carrier));
	kit_kill(pid);
	ck_assert(ublkev__carrier_has_work(c.carrier));
	ublkev__carrier_cancel(c.carrier);
	ck_assert(ublkev__carrier_reap(c.carrier, &done));
	ck_assert_int_eq(done.cmd, UBLKEV__CTRL_GET_FEATURES);
	ck_assert_int_eq(done.answer.res, -EPIPE);
	ck_assert(!ublkev__carrier_has_work(c.carrier));
	ck_assert(!ublkev__carrier_reap(c.carrier, &done));
	ck_assert_int_eq(kit_ask(&c), -EPIPE);
	kit_close(&c);
	fds = kit_fds(getpid());
	ck_assert_int_eq(kit_open(&none, broker), -EPIPE);
	ck_assert_uint_eq(kit_fds(getpid()), fds);
	ublkev_broker_stop(broker);
}
END_TEST

static void on_dev(struct ev_loop *loop, struct ublkev_dev *dev, int revents)
{
	(void)loop;
	(void)dev;
	(void)revents;
	ck_abort_msg("an event of a device that was never started");
}

START_TEST(killed_before_a_device)
{
	struct ublkev_disk_conf disk_conf;
	struct ublkev_backend *disk;
	struct ublkev_conf conf;
	struct ublkev_dev dev;
	unsigned int fds;

	ublkev_disk_conf_init(&disk_conf, sizeof(disk_conf));
	disk_conf.dev_bytes = 1 << 20;
	ck_assert_int_eq(ublkev_null_new(&disk, &disk_conf), 0);
	start();
	kit_kill(pid);
	ublkev_conf_init(&conf, sizeof(conf));
	conf.broker = broker;
	ck_assert_int_eq(ublkev_dev_init(&dev, on_dev, &conf, disk), 0);
	fds = kit_fds(getpid());
	ck_assert_int_eq(ublkev_dev_start(NULL, &dev), -EPIPE);
	ck_assert_int_eq(dev.step, UBLKEV_STEP_SETUP);
	ck_assert_uint_eq(kit_fds(getpid()), fds);
	ck_assert_ptr_nonnull(strstr(ublkev_explain(dev.step, -EPIPE),
				     "broker"));
	ublkev_dev_fini(&dev);
	ublkev_backend_free(disk);
	ublkev_broker_stop(broker);
}
END_TEST

/* how the device hears that the broker cannot serve it */
static void refused(struct kit_control *c, bool asks_first)
{
	struct ublkev__carrier_done done;
	struct pollfd p = { .fd = c->evfd, .events = POLLIN };

	if (asks_first)
		ck_assert_int_eq(kit_ask(c), 0);
	ck_assert_int_eq(kill(pid, SIGCONT), 0);
	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	if (asks_first) {
		ck_assert(ublkev__carrier_has_work(c->carrier));
		ck_assert(ublkev__carrier_reap(c->carrier, &done));
		ck_assert_int_eq(done.cmd, UBLKEV__CTRL_GET_FEATURES);
		ck_assert_int_eq(done.answer.res, -EMFILE);
	}
	ck_assert(!ublkev__carrier_reap(c->carrier, &done));
	ck_assert_int_eq(kit_ask(c), -EMFILE);
	ck_assert_int_eq(kit_ask(c), -EMFILE);
}

/*
 * _i / 2 descriptors more than it has; a device that is refused is told at
 * once, whether its command came before the refusal or after
 */
START_TEST(out_of_fds)
{
	struct rlimit limit, was;
	struct kit_control first, second;
	unsigned int fds;

	start();
	ck_assert_int_eq(kit_open(&first, broker), 0);
	kit_works(&first);
	fds = kit_fds(pid);
	ck_assert_int_eq(prlimit(pid, RLIMIT_NOFILE, NULL, &was), 0);
	limit = was;
	limit.rlim_cur = fds + (rlim_t)_i / 2;
	ck_assert_int_eq(prlimit(pid, RLIMIT_NOFILE, &limit, NULL), 0);
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	ck_assert_int_eq(kit_open(&second, broker), 0);
	refused(&second, _i % 2);
	kit_close(&second);
	kit_wait_fds(pid, fds);
	kit_works(&first);
	ck_assert_int_eq(prlimit(pid, RLIMIT_NOFILE, &was, NULL), 0);
	ck_assert_int_eq(kit_open(&second, broker), 0);
	kit_works(&second);
	kit_close(&second);
	kit_close(&first);
	kit_wait_fds(pid, KIT_FDS);
	stop();
}
END_TEST

START_TEST(refusal_explained)
{
	ck_assert_ptr_nonnull(strstr(ublkev_explain(UBLKEV_STEP_FEATURES,
						    -EMFILE), "broker"));
}
END_TEST

static void add_all(TCase *tc)
{
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
	tcase_add_test(tc, carries);
	tcase_add_test(tc, opens);
	tcase_add_test(tc, outlives_the_stop);
	tcase_add_test(tc, many);
	tcase_add_test(tc, control_without_memory);
	tcase_add_test(tc, killed);
	tcase_add_test(tc, killed_before_a_device);
	tcase_add_loop_test(tc, out_of_fds, 0, 2 * KIT_FDS_DEV);
	tcase_add_test(tc, refusal_explained);
}

int main(void)
{
	Suite *suite = suite_create("broker");
	TCase *tc = tcase_create("broker");
	struct io_uring u;
	int err = io_uring_queue_init(1, &u, 0);

	if (err) {
		printf("test_broker: no io_uring here: %s\n", strerror(-err));
		return 77;
	}
	io_uring_queue_exit(&u);
	tcase_add_checked_fixture(tc, setup, NULL);
	add_all(tc);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
