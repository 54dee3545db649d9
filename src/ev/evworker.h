/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evworker.h - the threads of the queues: makes them, and carries messages
 *
 * With UBLKEV_CONF_QUEUE_THREADS the application's thread has the device's
 * life and none of its queues; each queue has a worker: a thread with a lane,
 * a loop and a ring of its own; or several, with conf.threads_per_queue, of which
 * each has a part of the queue's tags. What they are to do is decided in the core,
 * by threads.h in the application's thread and by lanelife.h in the worker's;
 * this file carries it out.
 *
 * The two sides share two words a worker: its wishes, which the application's
 * thread sets bits of, and its facts, which the worker does. Whoever has set
 * one signals the other's eventfd. The other takes the whole word after it has
 * reset that eventfd, and once more before it sleeps: so no signal is lost
 * that stood for a bit not yet taken. By the time that a word is taken more
 * bits may have come, and the thread that set them gone on.
 *
 * Unless stated, the calls are the application's thread's.
 */
#ifndef UBLKEV_EV_EVWORKER_H
#define UBLKEV_EV_EVWORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <ublkev/cmd.h>

#include "ev/engine.h"

/*
 * Makes that many, each with its loop and its ring, and no thread. Errors:
 * -ENOMEM, of eventfd(2), io_uring_setup(2). What was made is free's to
 * release.
 */
int ublkev__workers_new(struct ublkev__engine *e, unsigned int n,
			unsigned int depth, uint32_t max_io_bytes);

/*
 * pthread_create(3) of any thread of the library's, a worker's or the pool's:
 * with the signals blocked that are the application's, which are all but those
 * of a thread's own faults. 0 or a negative errno. Any thread.
 */
int ublkev__worker_spawn(pthread_t *thread, void *(*run)(void *), void *arg);

/*
 * Starts their threads, which wait for wishes. Their queues are there by now.
 * Errors: -EAGAIN, no more threads; those that were started are join's.
 */
int ublkev__workers_run(struct ublkev__engine *e);

/* has all threads end that have not, and waits for that; may be called twice */
void ublkev__workers_join(struct ublkev__engine *e);
/* their memory; what they counted is added to the application's lane */
void ublkev__workers_free(struct ublkev__engine *e);

/* before they arm: where queue n is to be served */
void ublkev__workers_pin(struct ublkev__engine *e, unsigned int n,
			 const struct ublkev_cpus *cpus);

/*
 * Gives each the ublkc that the engine's io has open, and buffers if the
 * kernel copies; those without a queue end. Errors: those of io_join() and
 * -ENOMEM; all rings are closed then.
 */
int ublkev__workers_open(struct ublkev__engine *e, bool need_bufs);

/*
 * Does what e->threads wants done, until it wants no more: to be called after
 * each wish to it. Facts about all threads are told to act.c from here, and so
 * to the device's life, which may want more by then. Errors: run's.
 */
int ublkev__workers_do(struct ublkev__engine *e);

/* takes the facts that came: to e->threads, log and act.c, as in do */
void ublkev__workers_take(struct ublkev__engine *e);
bool ublkev__workers_have_facts(const struct ublkev__engine *e);

/*
 * Whether one of them that was asked to look, and has not, is in the backend, as
 * far as can be told, and was when this was called last.
 */
bool ublkev__workers_stay_in_backend(struct ublkev__engine *e);

struct ublkev__lane *ublkev__worker_lane(const struct ublkev__engine *e,
					 unsigned int n);

/* evstats.c: adds the counters of all; each is read whole, all at no one time */
void ublkev__workers_stats(const struct ublkev__engine *e,
			   struct ublkev_stats *sum);

/* the requests that they have answered; they may have answered more by now */
uint64_t ublkev__workers_answered(const struct ublkev__engine *e);

/* ---- a worker's own thread ------------------------------------------------- */

/* adds to the facts; err: the errno of FAULT, of which the first is kept */
void ublkev__worker_tell(struct ublkev__lane *l, unsigned int facts, int err);
/* the facts that the lane's life has to tell */
void ublkev__worker_tell_news(struct ublkev__lane *l);
bool ublkev__worker_has_work(const struct ublkev__lane *l);
/* from here on its thread may be in the backend; no more */
void ublkev__worker_enters_backend(struct ublkev__lane *l);
void ublkev__worker_leaves_backend(struct ublkev__lane *l);
/* carries out what was wished for, tells what is so; false: it has ended */
bool ublkev__worker_act(struct ublkev__lane *l);

/*
 * A ublkev_log_fn whose data is the engine, for all threads. The application's
 * log is called by the application's thread only, so a worker's line is kept
 * until that takes it.
 */
void ublkev__worker_log(void *engine, int priority, const char *line);

#endif
