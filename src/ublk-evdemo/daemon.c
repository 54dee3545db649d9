/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Becomes a daemon: forks, and the parent stays until the child says that
 * its disk is there, or why not. Also what every server does about
 * descriptors that it did not open.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "ublk-evdemo/daemon.h"
#include "ublk-evdemo/logger.h"

static volatile sig_atomic_t child_pid;

void daemon_std_fds(void)
{
	int fd;

	/* stdout and stderr so that writing to them still fails */
	for (fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)!open("/dev/null", fd ? O_RDONLY : O_WRONLY);
}

/* where close_range(2) is missing, or a sandbox forbids it */
static void daemon_close_listed(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	int fd;

	while (d && (e = readdir(d))) {
		fd = atoi(e->d_name);
		if (fd > 2 && fd != dirfd(d))
			close(fd);
	}
	if (d)
		closedir(d);
}

void daemon_close_inherited(void)
{
#ifdef SYS_close_range
	if (!syscall(SYS_close_range, 3u, ~0u, 0u))
		return;
#endif
	daemon_close_listed();
}

int daemon_keeps_ignoring(int sig)
{
	struct sigaction sa;

	return !sigaction(sig, NULL, &sa) && sa.sa_handler == SIG_IGN;
}

static void daemon_pass_on(int sig)
{
	int saved = errno;

	kill((pid_t)child_pid, sig);
	errno = saved;
}

static void daemon_catch(void (*handler)(int))
{
	static const int sigs[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa;
	unsigned int i;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = handler;
	sa.sa_flags = SA_RESTART;
	for (i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		if (sigs[i] != SIGHUP || !daemon_keeps_ignoring(SIGHUP))
			sigaction(sigs[i], &sa, NULL);
}

/* the child's line, or "" when it ended without one */
static void daemon_hear(int fd, char *line, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len + 1 < size) {
		n = read(fd, line + len, size - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	line[len] = '\0';
}

static int daemon_wait_for(int fd, pid_t pid)
{
	char line[64];
	int status = 0, err;

	child_pid = (sig_atomic_t)pid;
	daemon_catch(daemon_pass_on);
	daemon_hear(fd, line, sizeof(line));
	if (line[0]) {
		err = log_write(STDOUT_FILENO, line);
		if (err)
			log_msg(LOG_WARNING, "stdout: %s; serving %s",
				strerror(-err), strtok(line, "\n"));
		return 0;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		log_msg(LOG_ERR, "the daemon was killed by signal %d before "
			"the device was live", WTERMSIG(status));
	else if (!WEXITSTATUS(status))
		log_msg(LOG_ERR, "told to end before the device was live");
	/* A child that failed has said why. */
	return 1;
}

int daemon_fork(int *ready_fd)
{
	int p[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p)) {
		log_msg(LOG_ERR, "cannot go to the background: %s",
			strerror(errno));
		return 1;
	}
	/* if whoever started us ignores it, there would be no status to have */
	signal(SIGCHLD, SIG_DFL);
	pid = fork();
	if (pid < 0) {
		log_msg(LOG_ERR, "cannot go to the background: fork: %s",
			strerror(errno));
		return 1;
	}
	if (pid) {
		close(p[1]);
		return daemon_wait_for(p[0], pid);
	}
	close(p[0]);
	setsid();
	/* a directory would keep its filesystem from being unmounted */
	if (chdir("/"))
		log_msg(LOG_WARNING, "chdir /: %s", strerror(errno));
	*ready_fd = p[1];
	return -1;
}

void daemon_say_ready(int ready_fd, const char *line)
{
	/* a parent that is gone is no reason to end */
	if (send(ready_fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		log_msg(LOG_WARNING, "nobody waits for %s", line);
}

void daemon_detach(void)
{
	int fd, i;

	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (i = 0; fd >= 0 && i <= 2; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}
