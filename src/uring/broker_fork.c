/* SPDX-License-Identifier: BSD-2-Clause */
#include "uring/broker_fork.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "uring/chan.h"

struct ublkev_broker {
	int fd;
};

int ublkev__broker_fd(const struct ublkev_broker *broker)
{
	return broker->fd;
}

static void fork_close_range_slowly(int first)
{
	struct rlimit limit;
	int fd, end = 65536;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < 65536)
		end = (int)limit.rlim_cur;
	for (fd = first; fd < end; fd++)
		close(fd);
}

/* fd becomes 0, the only one: whatever else is inherited is the server's */
static int fork_close_all_but(int fd)
{
	if (dup2(fd, 0) < 0)
		return -1;
#ifdef SYS_close_range
	if (!syscall(SYS_close_range, 1u, ~0u, 0u))
		return 0;
#endif
	fork_close_range_slowly(1);
	return 0;
}

/* what ends the server is not to end who cleans up behind it */
static void fork_ignore_signals(void)
{
	static const int ignored[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2,
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
	pid_t pid;

	setsid();
	pid = fork();		/* nobody's child, so nobody's to wait for */
	if (pid)
		_exit(pid < 0 ? errno : 0);
	fork_ignore_signals();
	prctl(PR_SET_NAME, "ublkev-broker");
	if (!fork_close_all_but(fd) && !chdir("/"))
		ublkev__broker_run(0);
	_exit(0);
}

static int fork_wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 0;	/* somebody else has waited for it */
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EAGAIN;
}

/* *fd: our end of its socket */
static int fork_broker(int *fd)
{
	int fds[2];
	pid_t pid;
	int err = ublkev__chan_pair(fds);

	if (err)
		return err;
	pid = fork();
	if (!pid)
		fork_be_broker(fds[1]);
	err = pid < 0 ? -errno : fork_wait_for(pid);
	close(fds[1]);
	if (err)
		close(fds[0]);
	*fd = fds[0];
	return err;
}

int ublkev_broker_start(struct ublkev_broker **brokerp)
{
	struct ublkev_broker *broker = malloc(sizeof(*broker));
	int err;

	if (!broker)
		return -ENOMEM;
	err = fork_broker(&broker->fd);
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
	free(broker);
}
