/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shutdown.h - when to stop a device that somebody may still use
 *
 * Asked to end, it looks who holds the device. Nobody: stop. Somebody: say
 * who, keep serving, and look again until it is free or the patience is
 * over. Each further shutdown_next() takes one step: stop although it is
 * held, then abort.
 */
#ifndef EVDEMO_SHUTDOWN_H
#define EVDEMO_SHUTDOWN_H

#include <stdint.h>

#include <ev.h>

#include "common/holders.h"

enum shutdown_state {
	SHUTDOWN_IDLE,
	SHUTDOWN_LOOKING,	/* a scan is on its way */
	SHUTDOWN_HELD,		/* until the next scan */
	SHUTDOWN_STOPPING,
	SHUTDOWN_ABORTING
};

struct shutdown_conf {
	const char *root;	/* see holders_new() */
	int id;			/* of the device; -1: not live, stop at once */
	double timeout_s;	/* patience with mounts, swap, stacked devices */
	double open_s;		/* and with a mere open of the node: what the
				   page cache holds of it is not lost by a
				   stop */
	double recheck_s;
	/* both from the loop or from shutdown_next(); abort after stop only */
	void (*stop)(void *data);
	void (*abort)(void *data);
	void *data;
};

struct shutdown {
	struct shutdown_conf conf;
	struct ev_loop *loop;
	enum shutdown_state state;
	ev_timer timer;
	struct holders *scan;
	uint64_t looked_ns;
	double waited_s;	/* until then */
	uint32_t said;		/* hash of the holders last told of */
};

void shutdown_init(struct shutdown *s, struct ev_loop *loop);
/* begin with conf, or go a step further, when conf is not looked at */
void shutdown_next(struct shutdown *s, const struct shutdown_conf *conf);
/* no more calls come; any state */
void shutdown_fini(struct shutdown *s);

#endif /* EVDEMO_SHUTDOWN_H */
