/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe.h - questions about a block device that may wait for its server
 *
 * The server may not ask them itself. Opening its disk takes the disk's
 * open_mutex, reading /proc/PID/maps the mmap_lock of another process, reading
 * a configfs attribute the lock under which that driver opens a disk; and
 * whoever has one of those may wait for the server's answer. So a child asks,
 * which has closed all that it got from its parent and so keeps no device
 * alive. probe.c is the parent's side, probe_ask.c the child's; holders.c asks.
 */
#ifndef TOOL_PROBE_H
#define TOOL_PROBE_H

#include <sys/types.h>

#include "common/holdev.h"

enum probe_kind {
	PROBE_ALIVE,		/* nothing was found; the child goes on */
	PROBE_EXCLUSIVE,	/* the kernel says that somebody holds it */
	PROBE_STACKED,		/* what: file of zram, of an exported target */
	PROBE_MAPPED		/* pid, comm, what: a mapping of the node, or
				   of a file on the disk */
};

struct probe_answer {
	enum probe_kind kind;
	pid_t pid;
	char comm[32];
	char what[256];
};

struct probe {
	pid_t pid;		/* 0: none */
	int fd;
};

/*
 * Starts the child. `root` is put before /dev, /proc and /sys; the mappings of
 * `self` are left out, for the server knows its own. Errors: those of pipe2(2)
 * and fork(2); there is no child then.
 */
int probe_start(struct probe *p, const struct holdev *d, const char *root,
		pid_t self);

/*
 * Takes the next answer: 1, 0 when there is none yet, -ENODATA when there will
 * be none any more. It does not wait.
 */
int probe_next(struct probe *p, struct probe_answer *a);

/* Kills the child, wherever it is, without waiting; nothing without one. */
void probe_stop(struct probe *p);

/* The child's work, for probe.c alone: answers go to fd. */
void probe_ask(int fd, const struct holdev *d, const char *root, pid_t self);

#endif /* TOOL_PROBE_H */
