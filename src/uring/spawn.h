/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spawn.h - child processes of the library
 *
 * Made without an exit signal, one's end sends no SIGCHLD, and wait(2) passes
 * over it unless asked for __WCLONE or __WALL: the application does not hear
 * of it. So the library can reap it, and no zombie is left to a process 1 that
 * does not reap.
 */
#ifndef UBLKEV_URING_SPAWN_H
#define UBLKEV_URING_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

/*
 * As fork(2): 0 in the child, -1 and errno when there is none. Its end sends
 * exit_signal; 0: none. The C library is not told, so what another thread had
 * locked stays locked in the child: no malloc(3) and no stdio there.
 */
pid_t ublkev__spawn(int exit_signal);

/* in the child: what is inherited from that number on is not its own */
void ublkev__spawn_close_from(int first);

/*
 * Waits up to ms for the end of a child without exit signal and reaps it. Where it takes longer,
 * or a fork has made it another process' child, it is left as it is.
 */
void ublkev__spawn_reap(pid_t pid, int ms);

/* a ublkev_alloc_fn for such a child: each allocation is a mapping */
void *ublkev__spawn_alloc(void *data, void *ptr, size_t bytes);

#endif
