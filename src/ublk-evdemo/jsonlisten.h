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
 * See jsonsock_new(); may take half a second when two start at once. With
 * `replace` a socket that somebody listens on is replaced, at no moment
 * absent: its owner hands over to this one.
 */
int jsonlisten_open(struct jsonlisten *l, const char *path, int replace,
		    char *err, size_t err_size);
void jsonlisten_close(struct jsonlisten *l);

#endif /* EVDEMO_JSONLISTEN_H */
