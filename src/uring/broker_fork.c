/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server's side of the broker's process: makes it, with nothing of the
 * server's in it but one socket, and stops it. What the process then does is
 * broker_run.c's; how a device reaches it, carrier_broker.c's.
 */
#include "uring/broker_fork.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "uring/chan.h"
#include "uring/spawn.h"

/*
 * The broker's socket has this number. It is none of 0 to 2, lest what is
 * printed go to a server.
 */
#define BROKER_FD 3

/*
 * A broker whose channels are all closed ends at once, on a busy machine a bit
 * later. One that still cleans up behind a device is waited for no longer.
 */
#define END_MS 1000

struct ublkev_broker {
	int fd;
	pid_t pid;
};

int ublkev__broker_fd(const struct ublkev_broker *broker)
{
	return broker->fd;
}

/*
 * Each device needs four descriptors here, whatever soft limit the server has
 * chosen for itself.
 */
static void fork_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * Opens /dev/null as that number, which open(2) gives because all lower ones
 * are taken. Where there is no /dev, "/" takes its place, as a file that can be
 * neither read nor written.
 */
static bool fork_open_null(int number)
{
	int fd;

	close(number);
	fd = open("/dev/null", O_RDWR | O_NOCTTY);
	if (fd < 0)
		fd = open("/", O_PATH);
	return fd == number;
}

/*
 * Closes whatever else was inherited: a copy of ublkc or of a client's socket
 * here would outlive the server.
 */
static bool fork_keep_only(int fd)
{
	if (fd != BROKER_FD && dup2(fd, BROKER_FD) < 0)
		return false;
	ublkev__spawn_close_from(BROKER_FD + 1);
	return fork_open_null(0) && fork_open_null(1) && fork_open_null(2);
}

/*
 * The signals that end a server, and that a service manager sends to all of its
 * processes, are not to end the one that cleans up behind it. SIGCHLD is among
 * those ignored, so that the kernel reaps the children of
 * broker_run_drop_scheduler().
 */
static void fork_ignore_signals(void)
{
	static const int ignored[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2,
		SIGCHLD,
	};
	sigset_t none;
	size_t i;

	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

__attribute__((noreturn))
static void fork_be_broker(int fd)
{
	setsid();
	fork_ignore_signals();
	fork_raise_limit();
	prctl(PR_SET_NAME, "ublkev-broker");
	if (fork_keep_only(fd) && !chdir("/"))
		ublkev__broker_run(BROKER_FD, "/sys");
	_exit(0);
}

static int fork_broker(struct ublkev_broker *broker)
{
	int fds[2];
	int err = ublkev__chan_pair(fds);

	if (err)
		return err;
	broker->pid = ublkev__spawn(0);
	if (!broker->pid)
		fork_be_broker(fds[1]);
	err = broker->pid < 0 ? -errno : 0;
	close(fds[1]);
	if (err)
		close(fds[0]);
	broker->fd = fds[0];
	return err;
}

int ublkev_broker_start(struct ublkev_broker **brokerp)
{
	struct ublkev_broker *broker = malloc(sizeof(*broker));
	int err;

	if (!broker)
		return -ENOMEM;
	err = fork_broker(broker);
	if (err)
		free(broker);
	else
		*brokerp = broker;
	return err;
}

void ublkev_broker_stop(struct ublkev_broker *broker)
{
	if (!broker)
		return;
	close(broker->fd);
	ublkev__spawn_reap(broker->pid, END_MS);
	free(broker);
}
