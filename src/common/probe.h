/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe.h - questions about a block device that may wait for its server
 *
 * The server may not ask them itself: to open its disk takes the disk's
 * open_mutex, /proc/PID/maps the mmap_lock of another process, a configfs
 * attribute the lock under which that driver opens a disk, and who has one
 * of those may wait for the server's answer. So a child asks, which has
 * closed all that it got from its parent: it keeps no device alive.
 */
#ifndef TOOL_PROBE_H
#define TOOL_PROBE_H

#include <sys/types.h>

#include "common/holdev.h"

enum probe_kind {
	PROBE_ALIVE,		/* nothing yet, it goes on */
	PROBE_EXCLUSIVE,	/* the kernel says that somebody holds it */
	PROBE_STACKED,		/* what: zram, an exported target */
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
 * Starts the child; `root` is put before /dev, /proc and /sys, the mappings of
 * `self` are left out. Errors: those of pipe2() and fork().
 */
int probe_start(struct probe *p, const struct holdev *d, const char *root,
		pid_t self);

/*
 * The next answer: 1, 0 when there is none yet, -ENODATA when that was all.
 * Does not wait.
 */
int probe_next(struct probe *p, struct probe_answer *a);

/* ends the child, wherever it is; without one it does nothing */
void probe_stop(struct probe *p);

/* the child's work: answers go to fd. For probe.c. */
void probe_ask(int fd, const struct holdev *d, const char *root, pid_t self);

#endif /* TOOL_PROBE_H */
