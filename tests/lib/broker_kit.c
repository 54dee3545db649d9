/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starts a broker, finds its process in /proc, and waits for what it does.
 */
#include "broker_kit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testlib.h"

#define TRIES 5000	/* of a millisecond */

struct ublkev_broker *kit_broker;
pid_t kit_pid;

void kit_setup(void)
{
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

void kit_start(void)
{
	ck_assert_int_eq(ublkev_broker_start(&kit_broker), 0);
	kit_pid = kit_child(getpid());
	kit_wait_fds(kit_pid, KIT_FDS);
}

void kit_stop(void)
{
	ublkev_broker_stop(kit_broker);
	kit_gone(kit_pid);
}

static pid_t find_child(pid_t parent)
{
	char path[64];
	pid_t pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent,
		 (int)parent);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	if (fscanf(f, "%d", &pid) != 1)
		pid = 0;
	fclose(f);
	return pid;
}

pid_t kit_child(pid_t parent)
{
	pid_t pid = 0;
	int i;

	for (i = 0; i < TRIES && !pid; i++) {
		pid = find_child(parent);
		usleep(1000);
	}
	ck_assert_int_gt(pid, 0);
	return pid;
}

bool kit_has_ended(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info,
				WEXITED | WNOHANG | WNOWAIT | __WALL), 0);
	return info.si_pid == pid;
}

void kit_ended(pid_t pid)
{
	int i, status;

	for (i = 0; i < TRIES && !kit_has_ended(pid); i++)
		usleep(1000);
	ck_assert_int_eq(waitpid(pid, &status, WNOHANG | __WALL), pid);
	ck_assert_int_eq(status, 0);
}

void kit_gone(pid_t pid)
{
	ck_assert_int_eq(kill(pid, 0), -1);
	ck_assert_int_eq(errno, ESRCH);
}

void kit_kill(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, __WALL), pid);
}

void kit_wait_fds(pid_t pid, unsigned int n)
{
	int i;

	for (i = 0; i < TRIES && test_fds(pid) != n; i++)
		usleep(1000);
	ck_assert_uint_eq(test_fds(pid), n);
}

int kit_open(struct kit_control *c, struct ublkev_broker *broker)
{
	static struct ublkev__alloc mem;
	int err;

	ublkev__alloc_init(&mem, NULL, NULL);
	c->evfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->evfd < 0)
		return -errno;
	err = ublkev__carrier_new(&c->carrier, &mem, c->evfd, broker);
	if (err)
		close(c->evfd);
	return err;
}

void kit_close(struct kit_control *c)
{
	ck_assert(!ublkev__carrier_free(c->carrier));
	close(c->evfd);
}

int kit_ask(struct kit_control *c)
{
	const struct ublkev__carrier_req req = {
		.cmd = UBLKEV__CTRL_GET_FEATURES,
		.info.id = -1,
	};

	return ublkev__carrier_submit(c->carrier, &req);
}

struct ublkev__carrier_done kit_answer(struct kit_control *c)
{
	struct pollfd p = { .fd = c->evfd, .events = POLLIN };
	struct ublkev__carrier_done done;
	uint64_t n;

	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	ck_assert_int_eq(read(c->evfd, &n, sizeof(n)), sizeof(n));
	ck_assert(ublkev__carrier_has_work(c->carrier));
	ck_assert(ublkev__carrier_reap(c->carrier, &done));
	ck_assert(!ublkev__carrier_has_work(c->carrier));
	ck_assert(!ublkev__carrier_reap(c->carrier, &done));
	return done;
}

void kit_works(struct kit_control *c)
{
	struct ublkev__carrier_done done;

	ck_assert_int_eq(kit_ask(c), 0);
	done = kit_answer(c);
	ck_assert_int_eq(done.cmd, UBLKEV__CTRL_GET_FEATURES);
	/* -EOPNOTSUPP: Linux 6.4 */
	if (access("/dev/ublk-control", F_OK))
		ck_assert_int_eq(done.answer.res, -ENOENT);
	else if (!access("/dev/ublk-control", R_OK | W_OK))
		ck_assert(done.answer.res == 0 || done.answer.res == -EOPNOTSUPP);
	else
		ck_assert_int_lt(done.answer.res, 0);
}
