/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clone(2) without an exit signal, what a child has to close, and memory
 * that a broker's process takes from mmap(2), for malloc(3) may be locked in
 * a child.
 */
#include "uring/spawn.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434	/* the same everywhere; Linux 5.3 */
#endif

/*
 * Stands before each allocation and holds its size; as long as keeps what
 * follows aligned for anything.
 */
#define HEAD_BYTES 64

pid_t ublkev__spawn(int exit_signal)
{
#ifdef __s390__		/* clone(2) has the stack first there */
	return (pid_t)syscall(SYS_clone, 0L, (long)exit_signal, 0L, 0L, 0L);
#else
	return (pid_t)syscall(SYS_clone, (long)exit_signal, 0L, 0L, 0L, 0L);
#endif
}

/*
 * Linux before 5.9 has no close_range(2). A limit may be in the millions, and
 * nothing here opens as many.
 */
static void spawn_close_range_slowly(int first)
{
	struct rlimit limit;
	int fd, end = 65536;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < 65536)
		end = (int)limit.rlim_cur;
	for (fd = first; fd < end; fd++)
		close(fd);
}

void ublkev__spawn_close_from(int first)
{
#ifdef SYS_close_range
	if (!syscall(SYS_close_range, (unsigned int)first, ~0u, 0u))
		return;
#endif
	spawn_close_range_slowly(first);
}

/* True when it is our child and lives. A child that has ended is reaped. */
static bool spawn_try_reap(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	return !waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | __WCLONE) &&
	       !info.si_pid;
}

void ublkev__spawn_reap(pid_t pid, int ms)
{
	struct pollfd p = { .events = POLLIN };

	/*
	 * The number may be another process' by now, unless our child lives or
	 * waits to be reaped: the pidfd is that of a child only after this.
	 */
	if (!spawn_try_reap(pid))
		return;
	p.fd = (int)syscall(SYS_pidfd_open, pid, 0u);
	if (p.fd < 0)
		return;
	while (poll(&p, 1, ms) < 0 && errno == EINTR)
		;
	close(p.fd);
	(void)spawn_try_reap(pid);
}

static void *spawn_map(size_t bytes)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

void *ublkev__spawn_alloc(void *data, void *ptr, size_t bytes)
{
	char *head = ptr ? (char *)ptr - HEAD_BYTES : NULL;
	size_t was = head ? *(size_t *)(void *)head : 0;

	(void)data;
	if (!bytes) {
		if (head)
			munmap(head, was);
		return NULL;
	}
	bytes += HEAD_BYTES;
	head = head ? mremap(head, was, bytes, MREMAP_MAYMOVE)
		    : spawn_map(bytes);
	if (head == MAP_FAILED)
		return NULL;
	*(size_t *)(void *)head = bytes;
	return head + HEAD_BYTES;
}
