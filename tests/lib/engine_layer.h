/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_layer.h - a layer over backends of several sorts, for engine tests
 *
 * It gives each chunk of a request to the next of its lower backends, at the same
 * offset there, in the way in which it got the request.
 */
#ifndef UBLKEV_TESTS_ENGINE_LAYER_H
#define UBLKEV_TESTS_ENGINE_LAYER_H

#include "engine_stripe.h"

#define LAYER_LOWERS	3u
#define LAYER_CHUNK	4096u

enum layer_sort {
	LAYER_NONE,
	LAYER_MEM,
	LAYER_FILE,	/* on the disk's own place() */
	LAYER_OPS,	/* submit() alone: operations, and work in threads */
	LAYER_LAZY,	/* answers when it likes; not for threads */
	LAYER_STRIPE,	/* the rig's: in files, or by itself (submit_in_4) */
	LAYER_PASS,	/* a layer over one of memory */
	LAYER_BOTH,	/* a layer over one of files and one that is lazy */
	LAYER_SORTS
};

struct layer {
	struct ublkev_backend *backend;
	struct ublkev_lower *lowers[LAYER_LOWERS];
	unsigned int nr;
	char calls[64];			/* of its own: o(pen) s(tart) ... */
	unsigned int begun, ended;	/* atomic: sub-requests with a `done` */
	int last_err;			/* atomic: of these */
	unsigned int maps, places, submits, placed; /* atomic */
	bool by_hand;			/* submit() is `hook`, and gets them all */
	int (*hook)(struct layer *l, struct ublkev_req *req);
	struct ublkev_req *req;		/* the last one */
	bool later;			/* `done` leaves the answer to layer_sub */
};

/* the lazy ones that were made, the first first */
extern struct lazy layer_lazy[2];
extern unsigned int layer_nr_lazy;

/* `sorts` are LAYER_LOWERS, those that are LAYER_NONE left out. All are owned. */
void layer_make(struct layer *l, const enum layer_sort *sorts);
/* one of these: l->lowers[0] is over what is not owned */
void layer_make_over(struct layer *l, struct ublkev_backend *beneath,
		     unsigned int flags);
struct ublkev_backend *layer_below(enum layer_sort sort);

/* a ublkev_sub_fn that counts */
int layer_on_sub(void *ctx, struct ublkev_req *req, void *data, int err);

/* as stripe_setup(), and the layers of a test are gone */
void layer_setup(void);
void layer_teardown(void);

#endif
