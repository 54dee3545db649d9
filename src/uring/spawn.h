/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spawn.h - child processes of the library
 *
 * A child that was made without an exit signal sends no SIGCHLD when it ends,
 * and wait(2) passes over it unless asked for __WCLONE or __WALL: the
 * application does not hear of it, and the library can reap it. A child that
 * nobody reaps would stay a zombie where process 1 does not reap either.
 */
#ifndef UBLKEV_URING_SPAWN_H
#define UBLKEV_URING_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Makes a child as fork(2) does: 0 in the child, its pid in the parent, -1 and
 * errno when none can be made. When it ends, the parent gets exit_signal, or
 * none if that is 0. The C library does not hear of the child, so whatever
 * another thread had locked stays locked there: it may call neither malloc(3)
 * nor stdio.
 */
pid_t ublkev__spawn(int exit_signal);

/* Closes all descriptors from that number on; called in the child. */
void ublkev__spawn_close_from(int first);

/*
 * Waits up to ms milliseconds for the end of a child without exit signal, and
 * reaps it. A child that takes longer is left as it is, and so is one that is
 * not this process' own, as after the application's fork(2).
 */
void ublkev__spawn_reap(pid_t pid, int ms);

/*
 * A ublkev_alloc_fn for such a child: each allocation is a mapping of its own,
 * so that no lock is needed. Its data are ignored.
 */
void *ublkev__spawn_alloc(void *data, void *ptr, size_t bytes);

#endif
