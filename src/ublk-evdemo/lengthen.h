/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lengthen.h - makes the file of a live disk longer
 *
 * ftruncate(2) waits for the file's lock, which a discard that the kernel is at
 * may have, and for the file system. Whoever serves the disk must not, so a
 * child does it, which has nothing else open. Afterwards the library's own
 * resize finds the file as long as it has to be.
 */
#ifndef EVDEMO_LENGTHEN_H
#define EVDEMO_LENGTHEN_H

#include <stdint.h>

#include <ev.h>

/* 0, or a negative errno of fstat(2) or ftruncate(2); -EIO: the child died */
typedef void lengthen_fn(void *data, int err);

struct lengthen {
	ev_io answer;		/* of the child */
	lengthen_fn *fn;
	void *data;
};

void lengthen_init(struct lengthen *l, lengthen_fn *fn, void *data);

/*
 * Has the regular file that fd is open on made so long, unless it is; any other
 * file is left alone. fn is called from the loop, the default one, which reaps
 * the child. Errors, and fn is not called: those of pipe2(2) and fork(2).
 */
int lengthen_start(struct lengthen *l, struct ev_loop *loop, int fd,
		   uint64_t bytes);

/* whether fn is still to be called */
int lengthen_is_active(const struct lengthen *l);

/* fn is not called any more; the child goes on */
void lengthen_stop(struct lengthen *l, struct ev_loop *loop);

#endif /* EVDEMO_LENGTHEN_H */
