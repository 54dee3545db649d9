/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parent's side of a probe: makes the child that asks, reads what it
 * tells without waiting, and ends it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/probe.h"

/* Closes all descriptors but `keep`, which becomes 0. */
static void probe_close_all(int keep)
{
	int fd, most = (int)sysconf(_SC_OPEN_MAX);

	dup2(keep, 0);
#ifdef SYS_close_range
	if (!syscall(SYS_close_range, 1u, ~0u, 0u))
		return;
#endif
	for (fd = 1; fd < most; fd++)
		close(fd);
}

/* glibc and musl keep malloc(3) and stdio usable in a child of fork(2). */
static void __attribute__((noreturn))
probe_child(int fd, const struct holdev *d, const char *root, pid_t self)
{
	sigset_t all;

	/* a handler of the parent's would act in the parent's name */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	probe_close_all(fd);
	probe_ask(0, d, root, self);
	_exit(0);
}

int probe_start(struct probe *p, const struct holdev *d, const char *root,
		pid_t self)
{
	int fds[2], err;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	p->pid = fork();
	if (!p->pid)
		probe_child(fds[1], d, root, self);
	err = errno;
	close(fds[1]);
	if (p->pid < 0) {
		close(fds[0]);
		p->pid = 0;
		return -err;
	}
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	p->fd = fds[0];
	return 0;
}

int probe_next(struct probe *p, struct probe_answer *a)
{
	/* an answer is written at once: it is below PIPE_BUF */
	ssize_t n = read(p->fd, a, sizeof(*a));

	if (n == (ssize_t)sizeof(*a))
		return 1;
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -ENODATA;
}

void probe_stop(struct probe *p)
{
	if (!p->pid)
		return;
	close(p->fd);
	kill(p->pid, SIGKILL);
	/*
	 * A child that hangs in the kernel ends when the disk does, and is
	 * reaped then by whoever watches children, as libev's default loop;
	 * that may have happened already.
	 */
	waitpid(p->pid, NULL, WNOHANG);
	p->pid = 0;
}
