/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * procs.h - what /proc knows of servers; `root` is put before it
 */
#ifndef EVCTL_PROCS_H
#define EVCTL_PROCS_H

#include <stddef.h>

/* from /proc/PID/stat: the state's letter, and PF_* flags; 0, or -ENOENT */
int procs_stat(const char *root, int pid, char *state, unsigned int *flags);

/* whether it runs; a zombie does not */
int procs_alive(const char *root, int pid);

/* the name as the process chose it, not for a terminal; "": it has none */
void procs_comm(const char *root, int pid, char *buf, size_t size);

/*
 * Calls back for each process that has a ublkcN open, whatever its name is
 * where that process lives. Answers 0, or not
 * when there are processes that could not be looked into.
 */
int procs_servers(const char *root,
		  void (*found)(void *data, int id, int pid), void *data);

/*
 * The first line of the file at root/fmt..., without its end; 0, or a
 * negative errno.
 */
int procs_line(char *buf, size_t size, const char *root, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif /* EVCTL_PROCS_H */
