/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jsonlisten.h - a listening Unix socket in the file system
 */
#ifndef EVDEMO_JSONLISTEN_H
#define EVDEMO_JSONLISTEN_H

#include <stddef.h>
#include <sys/types.h>

struct jsonlisten {
	int fd;
	char *path;
	dev_t dev;	/* the file, to know it again */
	ino_t ino;
};

/*
 * Replace a socket that somebody listens on, with no moment when there is
 * none: its owner hands over to this one.
 */
#define JSONLISTEN_REPLACE	(1u << 0)
/*
 * Wait for another that starts at the same time, half a second at most.
 * Without this flag no call waits.
 */
#define JSONLISTEN_WAIT		(1u << 1)

/* see jsonsock_new() */
int jsonlisten_open(struct jsonlisten *l, const char *path, unsigned int flags,
		    char *err, size_t err_size);
void jsonlisten_close(struct jsonlisten *l);

#endif /* EVDEMO_JSONLISTEN_H */
