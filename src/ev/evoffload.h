/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evoffload.h - threads for what blocks: takes jobs there and back
 *
 * A lane's thread starts a job and never waits: it puts it into a list with one
 * atomic exchange and counts a semaphore up. A thread of the pool runs it, puts
 * it into the list of those of its lane that are done, and signals that lane's
 * eventfd; the lane takes the list when it has reset that, and looks once more
 * before it sleeps, as with a worker's wishes (evworker.h).
 *
 * The pool's threads are made when there are more jobs than threads, and end
 * with the device. One that does not come back from its job is left with all
 * that it may touch.
 */
#ifndef UBLKEV_EV_EVOFFLOAD_H
#define UBLKEV_EV_EVOFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

struct ublkev__engine;
struct ublkev__lane;
struct ublkev__pool;

/* what is run in a thread: a part of its owner's */
struct ublkev__job {
	struct ublkev__job *next;
	/* in the pool's thread; what it writes the lane's reads later */
	void (*run)(struct ublkev__job *job);
	struct ublkev__lane *lane;	/* that is told */
	bool dropped;			/* it was not run: see drop */
};

/* of the application's: a backend that grows, ops.grow */
struct ublkev__growth {
	struct ublkev__job job;
	struct ublkev_backend *backend;
	uint64_t dev_bytes;
	int res;
};

/* Makes the pool, and no thread. Errors: -ENOMEM. */
int ublkev__offload_new(struct ublkev__engine *e);

/*
 * Ends the threads and waits for their exit, unless jobs are out: then what
 * these may touch has to be left to them, and so is the pool. Whether it is.
 * Any number of times; does nothing when there is no pool.
 */
bool ublkev__offload_free(struct ublkev__engine *e);

/*
 * By the lane's thread. Errors: -EAGAIN, there is no thread, and none could be
 * made. The job is the pool's until the lane has taken it.
 */
int ublkev__offload_start(struct ublkev__lane *l, struct ublkev__job *job);

/* what has not begun is not run any more; any lane's thread */
void ublkev__offload_drop(struct ublkev__engine *e);

/* The lane's jobs that are done, the oldest first. */
struct ublkev__job *ublkev__offload_take(struct ublkev__lane *l);

/*
 * Whether no job is out. If one is, the application's lane is woken from now on
 * whenever one is done, whosever it is, for it waits for all of them.
 */
bool ublkev__offload_ended(const struct ublkev__engine *e);

/* the job for a growth, one at a time */
struct ublkev__growth *ublkev__offload_growth(struct ublkev__engine *e);

#endif
