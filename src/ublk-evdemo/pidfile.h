/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pidfile.h - a file with the process id, locked as long as it is true
 *
 * The lock (flock(2)) tells whether the process lives, so one that a crash
 * left behind is replaced, and no id of an unrelated process is believed.
 */
#ifndef EVDEMO_PIDFILE_H
#define EVDEMO_PIDFILE_H

#include <stddef.h>

struct pidfile {
	int fd;			/* -1: none */
	char *path;
};

/*
 * Takes `path` for this process. 0, or a negative errno and one line in
 * err: -EBUSY (a process has locked it), -EEXIST (it is some other file),
 * those of open(2) and write(2).
 */
int pidfile_open(struct pidfile *p, const char *path, char *err,
		 size_t err_size);

/* Removes it. */
void pidfile_close(struct pidfile *p);

#endif /* EVDEMO_PIDFILE_H */
