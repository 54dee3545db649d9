/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spawn.h - a child process that the application does not hear of
 *
 * It is made without an exit signal: its end sends no SIGCHLD, and wait(2)
 * passes over it unless asked for __WCLONE or __WALL. So the library can reap
 * it, and no zombie is left to a process 1 that does not reap.
 */
#ifndef UBLKEV_URING_SPAWN_H
#define UBLKEV_URING_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

/*
 * As fork(2): 0 in the child, -1 and errno when there is none. The C library
 * is not told, so what another thread had locked stays locked in the child:
 * no malloc(3) and no stdio there.
 */
pid_t ublkev__spawn(void);

/*
 * Waits up to ms for the end of a child and reaps it. Where it takes longer,
 * or a fork has made it another process' child, it is left as it is.
 */
void ublkev__spawn_reap(pid_t pid, int ms);

/* a ublkev_alloc_fn for such a child: each allocation is a mapping */
void *ublkev__spawn_alloc(void *data, void *ptr, size_t bytes);

#endif
