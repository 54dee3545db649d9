/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fault.h - a layer that fails on command: what fault.c and fault_cache.c share
 */
#ifndef UBLKEV_LAYERS_FAULT_H
#define UBLKEV_LAYERS_FAULT_H

#include <stdbool.h>

#include <ev.h>
#include <ublkev/layer.h>
#include <ublkev/layers.h>

#include "layers/dirty.h"

/* a request that waits, for its time or to be told */
struct ublkev__fault_held {
	struct ublkev__fault_held *next;
	struct ublkev_req *req;
	uint64_t due_us;
	bool fails;
};

/* a FLUSH, FUA or a WRITE that finds the cache full, and writes blocks out */
struct ublkev__fault_run {
	struct ublkev_req *req;		/* NULL: none is at it */
	struct ublkev__dirty_block *todo; /* not begun, through next_out */
	unsigned int out;		/* blocks, and the FLUSH */
	bool flushes;			/* the blocks are stored, or there were none */
	int err;
};

struct ublkev__fault {
	struct ublkev_backend *backend;
	struct ublkev_lower *lower;
	struct ublkev_fault_rule rule;
	uint64_t random;
	uint64_t cut_after;		/* WRITEs; 0: never */
	unsigned int cut_keep_percent;
	uint64_t writes;		/* since the power is on */
	bool off;
	struct ev_loop *loop;
	struct ev_timer timer;
	struct ublkev__fault_held *delayed;	/* by due_us */
	struct ublkev__fault_held *stalled, **last_stalled;
	uint64_t next_us;		/* rule.iops: when the next may be done */

	/* fault_cache.c; cache_bytes 0: none of it */
	uint64_t cache_bytes;
	struct ublkev__dirty dirty;
	bool has_dirty;			/* it was initialised */
	struct ublkev__fault_run run;
	struct ublkev_req *queue, *last_queue;	/* for a run, through data */
	unsigned int reads;		/* that are out */
};

/* what is to be done of a request, now; answers as a submit() */
int ublkev__fault_cache_submit(struct ublkev__fault *f, struct ublkev_req *req);

/* each block is kept by chance, or lost */
void ublkev__fault_cache_cut(struct ublkev__fault *f, unsigned int keep_percent);

/* Errors: -ENOMEM. The dirty blocks outlive the device. */
int ublkev__fault_cache_open(struct ublkev__fault *f, uint32_t block_bytes);
void ublkev__fault_cache_close(struct ublkev__fault *f);

/* below n, which is not 0 */
uint64_t ublkev__fault_below(struct ublkev__fault *f, uint64_t n);

/* what the spec of a disk says */
struct ublkev__fault_conf {
	struct ublkev_fault_rule rule;
	uint64_t seed;
	uint64_t cache_bytes;
	uint64_t cut_after;
	unsigned int cut_keep_percent;
};

/*
 * Over `beneath`, which it owns from then on; when it fails that is the caller's.
 * Errors: -EINVAL (the rule), -ENOMEM, those of ublkev_lower_new().
 */
int ublkev__fault_new(struct ublkev_backend **backendp,
		      const struct ublkev__fault_conf *conf,
		      struct ublkev_backend *beneath);

#endif
