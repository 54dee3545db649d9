/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evworker.h - lanes with threads of their own, a queue each
 *
 * In conf.flags' QUEUE_THREADS the application's thread has the device's life
 * and none of its queues; each of these has a lane with its own loop and ring.
 * The two sides tell each other single bits: wishes to a worker, facts from
 * it, put into a word each, after which the other's eventfd is signalled.
 * Whoever has bits to take looks for them after it has reset its eventfd, and
 * once more before it sleeps.
 *
 * Unless stated, the calls are the application's thread's.
 */
#ifndef UBLKEV_EV_EVWORKER_H
#define UBLKEV_EV_EVWORKER_H

#include <stdbool.h>
#include <stdint.h>

#include <ublkev/cmd.h>

#include "ev/engine.h"

/* wishes, carried out in this order */
#define UBLKEV__WISH_ARM	(1u << 0)	/* pin, take the ring, FETCH */
#define UBLKEV__WISH_ARM_HIDDEN	(1u << 1)	/* without CAP_SYS_ADMIN */
#define UBLKEV__WISH_LIVE	(1u << 2)	/* waiting for requests pays */
#define UBLKEV__WISH_ABORT	(1u << 3)
#define UBLKEV__WISH_RESUME	(1u << 4)
#define UBLKEV__WISH_HOLD	(1u << 5)	/* no call into the backend, no
						   address with the driver */
#define UBLKEV__WISH_IDLE	(1u << 6)	/* say when no request is there */
#define UBLKEV__WISH_CLOSE	(1u << 7)	/* let go of the ring, end */

/* facts, told in this order */
#define UBLKEV__FACT_LINE	(1u << 0)	/* there is one for the log */
#define UBLKEV__FACT_FAULT	(1u << 1)
#define UBLKEV__FACT_TAG_DIED	(1u << 2)
#define UBLKEV__FACT_DRAINED	(1u << 3)
#define UBLKEV__FACT_IDLE	(1u << 4)
#define UBLKEV__FACT_HELD	(1u << 5)
#define UBLKEV__FACT_CLOSED	(1u << 6)	/* the last one */
#define UBLKEV__FACT_ARMED	(1u << 7)	/* the driver has the FETCHes */

/*
 * Makes that many, and, when there are queues for them, runs their threads,
 * which wait for wishes. Errors: -ENOMEM, of eventfd(2), io_uring_setup(2);
 * -EAGAIN (no more threads). What was made is free's to release.
 */
int ublkev__workers_new(struct ublkev__engine *e, unsigned int n,
			unsigned int depth, uint32_t max_io_bytes);
int ublkev__workers_run(struct ublkev__engine *e);

/* has all of them end, if they have not, and waits for that */
void ublkev__workers_join(struct ublkev__engine *e);
/* their memory; what they counted is added to the application's lane */
void ublkev__workers_free(struct ublkev__engine *e);

/* before ARM: where queue n is to be served; ignored when there are none */
void ublkev__workers_pin(struct ublkev__engine *e, unsigned int n,
			 const struct ublkev_cpus *cpus);

/* ublkc, which the engine's io has open, and buffers if the kernel copies */
int ublkev__workers_open(struct ublkev__engine *e, bool need_bufs);

/* of those that have a queue; CLOSE: of all */
void ublkev__workers_wish(struct ublkev__engine *e, unsigned int wish);

/* facts that came, to act.c */
void ublkev__workers_take(struct ublkev__engine *e);
bool ublkev__workers_have_facts(const struct ublkev__engine *e);

/* whether all with a queue (CLOSED: all) told one of these */
bool ublkev__workers_told(const struct ublkev__engine *e, unsigned int facts);
/* as if HELD had not been told */
void ublkev__workers_resume(struct ublkev__engine *e);

struct ublkev__lane *ublkev__worker_lane(const struct ublkev__engine *e,
					 unsigned int n);

/* adds the counters of all; each is read whole, all of them at no one time */
void ublkev__workers_stats(const struct ublkev__engine *e,
			   struct ublkev_stats *sum);

/* the requests that they have answered, read likewise */
uint64_t ublkev__workers_answered(const struct ublkev__engine *e);

/* ---- a worker's own thread ------------------------------------------------- */

void ublkev__worker_tell(struct ublkev__lane *l, unsigned int facts, int err);
bool ublkev__worker_has_work(const struct ublkev__lane *l);
/* carries out what was wished for, tells what is so; false: it has ended */
bool ublkev__worker_act(struct ublkev__lane *l);

/*
 * A ublkev_log_fn whose data is the engine: the application's log is called
 * by its own thread only, so a worker's line is kept for it.
 */
void ublkev__worker_log(void *engine, int priority, const char *line);

#endif
