/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_ops.h - a backend that has to touch its data, for engine tests
 *
 * It keeps two copies of the disk, one of them encrypted, in the first two files
 * of the stripe's rig, by operations that it begins itself (ublkev/reqop.h) and
 * by threads for what blocks. Needs -Wl,--wrap=pthread_create.
 */
#ifndef UBLKEV_TESTS_ENGINE_OPS_H
#define UBLKEV_TESTS_ENGINE_OPS_H

#include <semaphore.h>

#include "engine_stripe.h"

struct ops {
	unsigned int begun, ended;	/* atomic: operations and work */
	unsigned int works;		/* atomic: that have run */
	unsigned int inside, most_inside; /* atomic: threads in ops_work() */
	unsigned int in_4;		/* of four requests, those offloaded */
	int last_res;			/* atomic */
	bool by_hand;			/* submit() is `hook` */
	int (*hook)(struct ublkev_req *req);
	struct ublkev_req *req;		/* atomic: the last one */
	char *bounce[STRIPE_QUEUES][4096];	/* of each tag */
	sem_t gate;			/* ops_work() waits for it, if told to */
	bool gated;			/* atomic */
	unsigned int thread_calls;	/* of pthread_create(), atomic */
	unsigned int thread_fail;	/* so many fail from now on */
	uint32_t no_flags;		/* limits that it does not have */
	unsigned int closes;
};

extern struct ops ops;

/* a checked fixture, with stripe.backend and the conf of stripe.r */
void ops_setup(void);
void ops_teardown(void);
/* brings the device up; `hook` is the submit() */
void ops_up(int (*hook)(struct ublkev_req *req));
void ops_crypt(char *to, const char *from, size_t n);
/* an atomic counter of another thread's */
unsigned int ops_count(const unsigned int *counter);
/* counts an end, and answers `res` */
int ops_note(int res);
/* a `done`: success, unless res is an error */
int ops_on_done(void *ctx, struct ublkev_req *req, int res);
/* what is offloaded: the encrypted copy, when the gate lets it */
int ops_work(void *ctx, struct ublkev_req *req);

#endif
