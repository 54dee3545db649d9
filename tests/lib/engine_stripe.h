/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_stripe.h - a backend that places requests in files, for engine tests
 *
 * A stripe over some files, which are real. Its kernel cuts short, fails, and
 * takes its time, as fake.file says.
 */
#ifndef UBLKEV_TESTS_ENGINE_STRIPE_H
#define UBLKEV_TESTS_ENGINE_STRIPE_H

#include "engine_client.h"
#include "engine_rig.h"

#define STRIPE_FILES		4u
#define STRIPE_CHUNK		4096u
#define STRIPE_DISK_BYTES	(1u << 20)
#define STRIPE_CLIENTS		16u
#define STRIPE_QUEUES		3u

struct stripe {
	struct ublkev_backend *backend;
	int fds[STRIPE_FILES];
	unsigned int places, placed, submits;	/* atomic */
	unsigned int submit_in_4;	/* so many of four are not placed */
	int last_err;			/* of placed() */
	int answer;			/* 0: placed() answers err */
	uint64_t cookie;		/* of the last that was placed */
	bool wrong;			/* place() answers nonsense */
	unsigned int hole;		/* extent of no file; 0: none */
	int refuse;			/* or this */

	struct rig_dev r;
	struct test_rng rng;
	struct client *clients;
	struct test_log said;		/* lines about files only */
	struct ev_timer kernel;		/* does what is held, by and by */
};

extern struct stripe stripe;
extern const struct ublkev_backend_ops stripe_ops;

/* the files and the backend alone */
void stripe_make(void);
void stripe_free(void);
/* makes the files and the backend, and a conf for it; and that all is gone */
void stripe_setup(void);
void stripe_teardown(void);

/* for fake.file: all that a file may do but fail */
int stripe_any_way(const struct ublkev__fileop *op);
/* for rig_until(): stripe.clients are done */
bool stripe_all_done(void *arg);
/* serves the device's clients until all are done, without an error */
void stripe_serve(void);

/* its clients are busy for so long, and would be for longer: then it is aborted */
void stripe_abort_busy(unsigned int ms);

/* a request, and what became of it */
struct stripe_one {
	unsigned int done;
	int res;
};

void stripe_on_one(void *arg, int res);
bool stripe_one_done(void *arg);
/* makes one and waits for its answer */
int stripe_io(uint32_t op, uint64_t offset, uint32_t len, void *data);
/*
 * brings the device up; where its queues have threads, with one to three each,
 * unless it has BATCH_IO
 */
void stripe_up(void);
/* the same of a layer over it, or another disk */
void stripe_up_over(struct ublkev_backend *backend);
/* brings the device up, and has the three files of a request hold it */
void stripe_begin(struct stripe_one *one, uint32_t op, bool threads,
		  char *data);

#endif
