/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_parts.h - a disk for devices with a thread for each queue
 *
 * It answers some requests at once, some from the loop of the queue's thread,
 * and looks at who calls it. What another thread may change is atomic.
 */
#ifndef UBLKEV_TESTS_ENGINE_PARTS_H
#define UBLKEV_TESTS_ENGINE_PARTS_H

#include <pthread.h>

#include "engine_rig.h"

#define PARTS		3u		/* queues */
#define MOST_PER_QUEUE	4u		/* threads */
#define MOST_PARTS	(PARTS * MOST_PER_QUEUE)
#define PARTS_HELD	64

/* of one thread */
struct part {
	struct parts *disk;
	pthread_t thread;
	struct ev_loop *loop;
	struct ev_async async;
	struct ublkev_req *held[PARTS_HELD];
	unsigned int nr_held;		/* atomic */
	unsigned int starts, stops, submits;
};

struct parts {
	struct ublkev_backend *backend;
	char *bytes;
	uint64_t dev_bytes;
	struct part parts[MOST_PARTS];
	unsigned int per_queue;		/* threads; 1, a test may have more */
	bool hold;			/* atomic: nothing is answered */
	bool stick;			/* atomic: the last queue's submit() */
	bool stuck;			/* atomic: is in it */
	bool maps;			/* half of the tags */
	bool slow;			/* nothing is answered at once */
	pthread_mutex_t moving;		/* bytes, while a loop uses them */
	unsigned int inside;		/* atomic: threads in submit() */
	unsigned int resizes;
	unsigned int pieces;		/* of each shrinking, before the last */
	unsigned int piece;		/* so many are done */
	int queue_start_err, resize_err;
	uint32_t no_flags;		/* limits that it does not have */
};

void parts_init(struct parts *d);
/* with what its threads did last: starts and stops are as many */
void parts_fini(struct parts *d);
/* how many requests are held, by all threads */
unsigned int parts_held(struct parts *d);
/* answer them, and hold no more */
void parts_let_go(struct parts *d);
/* a conf for it: a thread for each queue */
void parts_conf(struct rig_dev *r);
/* then: so many threads for each, and a driver that can */
void parts_share(struct parts *d, struct rig_dev *r, unsigned int per_queue);

#endif
