/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * takeover.h - the successor's side of an upgrade
 *
 * A connection to the control socket of the server that has the device:
 * 'memory' tells of the disk and hands over its data, 'release' makes the
 * server let go, 'done' lets it end. A server that hears no 'done' before the
 * connection closes takes the device back. One on a kernel that wants to see
 * it exit before another may serve does not wait for it.
 */
#ifndef EVDEMO_TAKEOVER_H
#define EVDEMO_TAKEOVER_H

#include <stddef.h>
#include <stdint.h>

#include <ev.h>

#include "ublk-evdemo/evdemo_opts.h"

/* what the library needs is up to the successor */
struct takeover_ops {
	/* recover the device now; may fail the process, not return so */
	void (*go)(void *data);
	/* the server said no; `why` is a line without \n */
	void (*refused)(void *data, const char *why);
	/* the server has heard 'done', is gone, or did not answer in 5 s */
	void (*done)(void *data);
};

struct takeover {
	struct ev_loop *loop;
	ev_io io;
	ev_timer timer;
	struct takeover_ops ops;
	void *data;
	int fd;				/* -1: none */
	int memory_fd;			/* -1: none */
	uint64_t release_ns;
	int stays;			/* see json_stays() */
	int lost_writes;		/* of a file disk; final at go() */
	int waits;			/* go() comes after 'released' */
	int gone;			/* go() was called */
	int done_said;
	size_t len;
	/* some paths are in it, and JSON writes six bytes for one at worst */
	char line[64 << 10];
	struct json_t *options;		/* what o inherited points into it */
};

void takeover_init(struct takeover *t);

/*
 * Asks the server at o->take_over, and sets what o says of the disk (size,
 * block, backend, ...), o->recover_id and t->memory_fd. Waits for the whole
 * answer, five seconds at most. Options that were not given in o are inherited. 0, or a negative errno and one line in err.
 */
int takeover_ask(struct takeover *t, struct opts *o, char *err,
		 size_t err_size);

/* 'release', from here on in the loop; go() comes at once, or later */
void takeover_release(struct takeover *t, struct ev_loop *loop,
		      const struct takeover_ops *ops, void *data);

/* the device is live: 'done'; answers the milliseconds since 'release' */
double takeover_done(struct takeover *t);

/* closes the connection and the memory; any state */
void takeover_fini(struct takeover *t);

#endif /* EVDEMO_TAKEOVER_H */
