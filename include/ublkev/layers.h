/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * layers.h - what the layers that ublkev_disk_new() makes tell, and can be told,
 * while they are in use
 *
 * ublkev_disk_find() finds them in a stack: "stats", "fault".
 */
#ifndef UBLKEV_LAYERS_H
#define UBLKEV_LAYERS_H

#include <stddef.h>
#include <stdint.h>

#include <ublkev/backend.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- stats: counts what goes through it --------------------------------------- */

/* UBLKEV_OP_READ to UBLKEV_OP_WRITE_ZEROES */
#define UBLKEV_LAYER_OPS	5

struct ublkev_layer_stats {
	size_t size;			/* ro: set by the call */
	/* of each op: those that have ended; a mapped one when it is mapped */
	uint64_t reqs[UBLKEV_LAYER_OPS];
	uint64_t bytes[UBLKEV_LAYER_OPS];
	uint64_t errors[UBLKEV_LAYER_OPS];
	/* by what way they went on */
	uint64_t mapped, placed, submitted;
};

/*
 * Fills in `size` bytes, sizeof(*stats). Errors: -EINVAL (no layer "stats"; size).
 * Any thread: of a device with queue threads each number is right, and not all are
 * of the same moment.
 */
int ublkev_layer_stats(const struct ublkev_backend *stats_layer,
		       struct ublkev_layer_stats *stats, size_t size);

/* ---- fault: a disk that fails on command ----------------------------------------- */

/*
 * What becomes of a request that is one of `ops` and touches the range: first it
 * waits, then it fails, or is done. Fill with ublkev_fault_rule_init().
 */
struct ublkev_fault_rule {
	size_t size;			/* ro: set by the init call */
	uint32_t ops;			/* a bit for each of enum ublkev_op; all */
	uint32_t chance_percent;	/* so many fail, or wait; 100 */
	uint64_t from_bytes, to_bytes;	/* 0, UINT64_MAX: all; a FLUSH touches
					   any range */
	int err;			/* 0: none; else a negative errno */
	int torn;			/* a WRITE that fails has stored some of
					   its blocks, from its beginning; 0 */
	uint64_t delay_us;		/* 0 */
	uint64_t jitter_us;		/* 0: and up to so much more, evenly */
	uint32_t tail_percent;		/* 0: so many of these take tail_us more */
	uint32_t iops;			/* 0: any number; else so many a second */
	uint64_t tail_us;		/* 0 */
	int stall;			/* they wait until another rule is set; 0 */
};

/* `size` is sizeof(*rule) */
void ublkev_fault_rule_init(struct ublkev_fault_rule *rule, size_t size);

/*
 * Replaces the rule. What the former one has stalled goes on, under this one; what
 * it delays comes when it was to. Errors, of these and those below: -EINVAL (no layer
 * "fault"; values). In the thread of the device's loop.
 */
int ublkev_fault_set(struct ublkev_backend *fault,
		     const struct ublkev_fault_rule *rule);

/*
 * Cuts the power: each block that was written since the last FLUSH, and was not
 * written with FUA, is lost but for keep_percent of them, as the seed has it: one
 * by one, in no order, as a disk's cache may. Every request fails with -EIO from now
 * on, those that wait included, until ublkev_fault_power(). Without a cache (see
 * ublkev_disk(3)) nothing is lost.
 */
int ublkev_fault_cut(struct ublkev_backend *fault, unsigned int keep_percent);
int ublkev_fault_power(struct ublkev_backend *fault);

#ifdef __cplusplus
}
#endif

#endif /* UBLKEV_LAYERS_H */
