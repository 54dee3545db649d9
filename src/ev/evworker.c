/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The threads of queues: what one does in its own loop ("a worker"), and what
 * the application's thread calls. (Those for what blocks are evoffload.c's.)
 * struct ublkev__worker says of each member which of the two threads it
 * belongs to.
 */
#include "ev/evworker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "backend/guard.h"
#include "ev/act.h"
#include "ev/evfile.h"
#include "ev/evloop.h"
#include "ev/evnode.h"
#include "ev/evpump.h"
#include "ev/evresize.h"
#include "ev/evturn.h"
#include "util/thread.h"

#define LINE_BYTES 256

struct ublkev__worker {
	struct ublkev__lane lane;
	/* the application's thread's, until the thread is told to ARM */
	pthread_t thread;
	bool pins;
	struct ublkev_cpus cpus;
	bool was_in_backend;		/* the application's thread's */
	/* both threads', atomic: see evworker.h */
	unsigned int wishes;
	unsigned int facts;
	int err;			/* of FAULT: the first */
	pthread_t self;			/* the thread's own, once it runs */
	/*
	 * A line for the log is the worker's to write while line_full is not
	 * set, and the application's thread's to read while it is.
	 */
	bool line_full;
	/* around the callbacks of a loop that the backend has watchers in */
	struct ev_check on_woke;
	struct ev_prepare on_sleep;
	int priority;
	char line[LINE_BYTES];
};

/* ---- from thread to thread ----------------------------------------------- */

/*
 * RELEASE, and ACQUIRE where the word is taken: what was written before the
 * bit is seen by whoever has taken it.
 */
static void worker_wish(struct ublkev__worker *w, unsigned int what)
{
	__atomic_fetch_or(&w->wishes, what, __ATOMIC_RELEASE);
	ublkev__io_wake(w->lane.io);
}

void ublkev__worker_tell(struct ublkev__lane *l, unsigned int facts, int err)
{
	struct ublkev__worker *w = l->worker;
	int none = 0;

	if (err)
		__atomic_compare_exchange_n(&w->err, &none, err, false,
					    __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
	__atomic_fetch_or(&w->facts, facts, __ATOMIC_RELEASE);
	ublkev__io_wake(l->e->lane.io);
}

void ublkev__worker_tell_news(struct ublkev__lane *l)
{
	unsigned int facts = ublkev__lanelife_facts(&l->life);

	if (facts)
		ublkev__worker_tell(l, facts, 0);
}

static bool worker_may_tell_idle(const struct ublkev__lane *l)
{
	return l->life.idle == UBLKEV__IDLE_ASKED && ublkev__pump_idle(l);
}

bool ublkev__worker_has_work(const struct ublkev__lane *l)
{
	return __atomic_load_n(&l->worker->wishes, __ATOMIC_RELAXED) ||
	       l->life.looks || worker_may_tell_idle(l) ||
	       ublkev__file_is_recalled(l);
}

void ublkev__worker_enters_backend(struct ublkev__lane *l)
{
	__atomic_store_n(&l->in_backend, true, __ATOMIC_RELAXED);
}

void ublkev__worker_leaves_backend(struct ublkev__lane *l)
{
	__atomic_store_n(&l->in_backend, false, __ATOMIC_RELAXED);
}

bool ublkev__workers_stay_in_backend(struct ublkev__engine *e)
{
	struct ublkev__worker *w;
	bool any = false, was;
	unsigned int i;

	for (i = 0; i < e->nr_workers; i++) {
		w = &e->workers[i];
		was = w->was_in_backend;
		w->was_in_backend =
			ublkev__threads_awaits_look(&e->threads, i) &&
			__atomic_load_n(&w->lane.in_backend, __ATOMIC_RELAXED);
		any |= was && w->was_in_backend;
	}
	return any;
}

bool ublkev__workers_have_facts(const struct ublkev__engine *e)
{
	unsigned int i;

	for (i = 0; i < e->nr_workers; i++)
		if (__atomic_load_n(&e->workers[i].facts, __ATOMIC_RELAXED))
			return true;
	return false;
}

static void worker_put_line(struct ublkev__engine *e, struct ublkev__worker *w)
{
	if (!__atomic_load_n(&w->line_full, __ATOMIC_ACQUIRE))
		return;
	if (e->conf.log)
		e->conf.log(e->conf.log_data, w->priority, w->line);
	__atomic_store_n(&w->line_full, false, __ATOMIC_RELEASE);
}

/* the line, and why the ring failed, come before what follows from them */
static void worker_take(struct ublkev__engine *e, struct ublkev__worker *w)
{
	unsigned int facts;

	if (!__atomic_load_n(&w->facts, __ATOMIC_RELAXED))
		return;
	facts = __atomic_exchange_n(&w->facts, 0, __ATOMIC_ACQUIRE);
	if (facts & UBLKEV__FACT_LINE)
		worker_put_line(e, w);
	if (facts & UBLKEV__FACT_FAULT)
		ublkev__act_fault(e, __atomic_load_n(&w->err,
						     __ATOMIC_RELAXED));
	ublkev__threads_told(&e->threads, (unsigned int)(w - e->workers),
			     facts);
}

void ublkev__workers_take(struct ublkev__engine *e)
{
	unsigned int i;

	for (i = 0; i < e->nr_workers; i++)
		worker_take(e, &e->workers[i]);
	ublkev__workers_do(e);
}

/* one of a burst of lines is enough: the others are about the same */
void ublkev__worker_log(void *engine, int priority, const char *line)
{
	struct ublkev__engine *e = engine;
	pthread_t self = pthread_self();
	struct ublkev__worker *w = e->workers;
	struct ublkev__worker *end = w + e->nr_workers;

	while (w < end && __atomic_load_n(&w->self, __ATOMIC_RELAXED) != self)
		w++;
	if (w == end) {
		if (e->conf.log)
			e->conf.log(e->conf.log_data, priority, line);
		return;
	}
	if (__atomic_load_n(&w->line_full, __ATOMIC_ACQUIRE))
		return;
	w->priority = priority;
	snprintf(w->line, sizeof(w->line), "%s", line);
	__atomic_store_n(&w->line_full, true, __ATOMIC_RELEASE);
	ublkev__worker_tell(&w->lane, UBLKEV__FACT_LINE, 0);
}

/* ---- a worker ---------------------------------------------------------- */

static void worker_woke_cb(struct ev_loop *loop, struct ev_check *w,
			   int revents)
{
	(void)loop;
	(void)revents;
	ublkev__worker_enters_backend(w->data);
}

static void worker_sleep_cb(struct ev_loop *loop, struct ev_prepare *w,
			    int revents)
{
	(void)loop;
	(void)revents;
	ublkev__worker_leaves_backend(w->data);
}

/* first of all, after the loop's sleep and before it */
static void worker_init_watchers(struct ublkev__worker *w)
{
	ev_check_init(&w->on_woke, worker_woke_cb);
	ev_prepare_init(&w->on_sleep, worker_sleep_cb);
	ev_set_priority(&w->on_woke, EV_MAXPRI);
	ev_set_priority(&w->on_sleep, EV_MAXPRI);
	w->on_woke.data = &w->lane;
	w->on_sleep.data = &w->lane;
}

/* of the device's, as req.thread: that of its queue if it has that alone */
static unsigned int worker_number(const struct ublkev__worker *w)
{
	return (unsigned int)(w - w->lane.e->workers);
}

static unsigned int worker_queue(const struct ublkev__worker *w)
{
	return worker_number(w) / w->lane.e->parts;
}

/* Memory that the thread touches from now on is that of its CPUs' node. */
static void worker_pin(struct ublkev__worker *w)
{
	int err = ublkev__node_pin(&w->cpus);

	if (err == -ENODEV)
		ublkev__log(&w->lane.e->log, LOG_WARNING,
			    "queue %u: this process may use none of its CPUs",
			    worker_queue(w));
	else if (err)
		ublkev__log(&w->lane.e->log, LOG_WARNING,
			    "queue %u is not bound to its CPUs: %d",
			    worker_queue(w), err);
}

/*
 * What the thread works on from now on, and was made when its CPUs were not
 * known: the ring, and the queue with its tags. A ring that can't be had anew is
 * one on another node, no more.
 */
static void worker_bring(struct ublkev__worker *w)
{
	struct ublkev__lane *l = &w->lane;
	struct ublkev__engine *e = l->e;
	struct ublkev__queue *q = &e->queues[worker_number(w)];
	unsigned int depth = e->life.info.depth;

	if (!l->by_ring)
		(void)ublkev__io_move_here(l->io, e->lane.io);
	ublkev__node_bring(q, sizeof(*q));
	ublkev__node_bring(q->tags, depth * sizeof(*q->tags));
	if (q->since_us)
		ublkev__node_bring(q->since_us, depth * sizeof(*q->since_us));
	ublkev__node_bring(w, sizeof(*w));
}

static bool worker_may_be_batch(const struct ublkev__lane *l)
{
	unsigned int flags = l->e->conf.flags;

	return flags & UBLKEV_CONF_SCHED_BATCH ||
	       (l->alone && !(flags & UBLKEV_CONF_KEEP_POLICY));
}

/*
 * From here on the ring is this thread's: whoever enables it is its only
 * submitter, and whoever sends FETCH is for the driver the daemon of the queue,
 * or from Linux 6.16 on of the tags.
 */
static int worker_take_ring(struct ublkev__worker *w)
{
	struct ublkev__lane *l = &w->lane;
	int err;

	if (w->pins)
		worker_pin(w);
	if (w->pins && ublkev__node_is_one_of_many())
		worker_bring(w);
	if (ublkev__thread_has_one_cpu())
		ublkev__wait_init(&l->wait, 0);
	ublkev__turn_allow_batch(l, worker_may_be_batch(l));
	err = ublkev__io_enable(l->io);
	if (err)
		return err;
	ublkev__worker_enters_backend(l);
	err = ublkev__guard_queue_start(l->e->backend, worker_number(w),
					l->loop);
	ublkev__worker_leaves_backend(l);
	return err;
}

static void worker_arm(struct ublkev__worker *w, bool hidden)
{
	struct ublkev__lane *l = &w->lane;
	int err = worker_take_ring(w);

	if (err) {
		ublkev__worker_tell(l, UBLKEV__FACT_FAULT, err);
	} else {
		l->nr_queues = 1;
		ublkev__engine_set_bufs(l);
		ublkev__act_arm(l, hidden);
	}
	ublkev__lanelife_armed(&l->life, err);
}

/*
 * Once HELD is told the application's thread moves the backend's memory. The
 * eventfd stays muted meanwhile: only a wish, which signals it directly,
 * wakes this thread.
 */
static void worker_hold(struct ublkev__lane *l)
{
	ublkev__resize_settle(l);
	ublkev__evloop_forget_ring(l);
	ublkev__lanelife_held(&l->life);
}

/* the ring is to be gone before its thread is, or its work goes nowhere */
static void worker_close(struct ublkev__worker *w)
{
	struct ublkev__lane *l = &w->lane;

	ublkev__act_close(l);
	if (ublkev__lanelife_began(&l->life))
		ublkev__guard_queue_stop(l->e->backend, worker_number(w));
	ublkev__evloop_stop(l);
	ev_check_stop(l->loop, &w->on_woke);
	ev_prepare_stop(l->loop, &w->on_sleep);
	ev_break(l->loop, EVBREAK_ALL);
	ublkev__lanelife_ended(&l->life);
}

static void worker_do(struct ublkev__worker *w, enum ublkev__lane_act act)
{
	switch (act) {
	case UBLKEV__LANE_ARM:
		worker_arm(w, false);
		break;
	case UBLKEV__LANE_ARM_HIDDEN:
		worker_arm(w, true);
		break;
	case UBLKEV__LANE_ABORT:
		ublkev__act_abort(&w->lane);
		break;
	case UBLKEV__LANE_HOLD:
		worker_hold(&w->lane);
		break;
	case UBLKEV__LANE_RECALL:
		ublkev__act_recall(&w->lane);
		break;
	case UBLKEV__LANE_CLOSE:
		worker_close(w);
		break;
	case UBLKEV__LANE_NONE:
		break;
	}
}

/* evpump.c calls it between two rounds: no request is half handed out */
bool ublkev__worker_act(struct ublkev__lane *l)
{
	struct ublkev__worker *w = l->worker;
	enum ublkev__lane_act act;

	ublkev__lanelife_looked(&l->life);
	if (__atomic_load_n(&w->wishes, __ATOMIC_RELAXED))
		ublkev__lanelife_wish(&l->life,
				      __atomic_exchange_n(&w->wishes, 0,
							  __ATOMIC_ACQUIRE));
	while ((act = ublkev__lanelife_next(&l->life)) != UBLKEV__LANE_NONE)
		worker_do(w, act);
	/* CLOSED is told when the loop is left: see worker_run() */
	if (l->life.phase == UBLKEV__LANE_ENDED)
		return false;
	if (worker_may_tell_idle(l))
		ublkev__lanelife_idle(&l->life);
	if (ublkev__file_is_recalled(l))
		ublkev__lanelife_recalled(&l->life);
	ublkev__worker_tell_news(l);
	return true;
}

/* "ublkev-q3", or where there are several for that queue "ublkev-q3.1" */
static void worker_name_itself(const struct ublkev__worker *w)
{
	unsigned int parts = w->lane.e->parts;
	unsigned int part = worker_number(w) % parts % 100;
	char name[16];

	if (parts > 1)
		snprintf(name, sizeof(name), "ublkev-q%u.%u",
			 worker_queue(w) % 10000, part);
	else
		snprintf(name, sizeof(name), "ublkev-q%u", worker_queue(w));
	pthread_setname_np(pthread_self(), name);
}

/* What a thread does: run its loop, whose watchers run the pump. */
static void *worker_run(void *arg)
{
	struct ublkev__worker *w = arg;

	worker_name_itself(w);
	__atomic_store_n(&w->self, pthread_self(), __ATOMIC_RELAXED);
	ublkev__evloop_start(&w->lane);
	if (!w->lane.alone) {
		ev_check_start(w->lane.loop, &w->on_woke);
		ev_prepare_start(w->lane.loop, &w->on_sleep);
	}
	ev_run(w->lane.loop, 0);
	/* the application's thread may be joining from now on */
	ublkev__worker_tell_news(&w->lane);
	return NULL;
}

/* ---- making, releasing ------------------------------------------------- */

/*
 * Signals are the application's: its threads' masks say which gets them. But
 * for those of a thread's own faults, which blocked would kill unseen.
 */
static void worker_block(sigset_t *was)
{
	static const int faults[] = {
		SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT,
	};
	sigset_t all;
	unsigned int i;

	sigfillset(&all);
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(&all, faults[i]);
	pthread_sigmask(SIG_SETMASK, &all, was);
}

int ublkev__worker_spawn(pthread_t *thread, void *(*run)(void *), void *arg)
{
	sigset_t was;
	int err;

	worker_block(&was);
	err = pthread_create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return -err;
}

static int worker_make(struct ublkev__engine *e, struct ublkev__worker *w,
		       unsigned int depth, uint32_t max_io_bytes)
{
	struct ublkev__lane *l = &w->lane;
	int err;

	ublkev__engine_init_lane(e, l);
	ublkev__evloop_init(l);
	l->worker = w;
	worker_init_watchers(w);
	ublkev__lanelife_init(&l->life, UBLKEV__LANE_WAITS);
	l->alone = !e->backend->ops.queue_start;
	l->first_id = worker_queue(w);
	l->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (!l->loop)
		return -ENOMEM;
	err = ublkev__engine_new_io(l);
	return err ? err : ublkev__io_set_up_apart(l->io, l->first_id, depth,
						   max_io_bytes);
}

int ublkev__workers_new(struct ublkev__engine *e, unsigned int n,
			unsigned int depth, uint32_t max_io_bytes)
{
	unsigned int i;
	int err = 0;

	e->workers = ublkev__alloc_zalloc(&e->mem, n, sizeof(*e->workers) +
					  sizeof(*e->threads.v));
	if (!e->workers)
		return -ENOMEM;
	e->nr_workers = n;
	ublkev__threads_init(&e->threads,
			     (struct ublkev__thread *)(e->workers + n), n);
	for (i = 0; i < n && !err; i++)
		err = worker_make(e, &e->workers[i], depth, max_io_bytes);
	return err;
}

int ublkev__workers_run(struct ublkev__engine *e)
{
	ublkev__threads_run(&e->threads);
	return ublkev__workers_do(e);
}

int ublkev__workers_do(struct ublkev__engine *e)
{
	struct ublkev__threads_action a;
	int err = 0;

	while (ublkev__threads_next(&e->threads, &a))
		switch (a.act) {
		case UBLKEV__THREADS_RUN:
			err = ublkev__worker_spawn(&e->workers[a.n].thread,
						   worker_run,
						   &e->workers[a.n]);
			ublkev__threads_ran(&e->threads, a.n, err);
			break;
		case UBLKEV__THREADS_WISH:
			worker_wish(&e->workers[a.n], a.wishes);
			break;
		case UBLKEV__THREADS_JOIN:
			pthread_join(e->workers[a.n].thread, NULL);
			break;
		case UBLKEV__THREADS_TELL_TAG_DIED:
			ublkev__act_tag_died(e);
			break;
		case UBLKEV__THREADS_TELL_DRAINED:
			ublkev__act_drained(e);
			break;
		case UBLKEV__THREADS_TELL_CLOSED:
			ublkev__act_closed(e);
			break;
		case UBLKEV__THREADS_DONE:
			break;
		}
	return err;
}

void ublkev__workers_join(struct ublkev__engine *e)
{
	ublkev__threads_join(&e->threads);
	(void)ublkev__workers_do(e);
}

void ublkev__workers_free(struct ublkev__engine *e)
{
	struct ublkev__worker *w;

	ublkev__workers_stats(e, &e->lane.stats);
	for (w = e->workers; w < e->workers + e->nr_workers; w++) {
		ublkev__io_free(w->lane.io);
		if (w->lane.loop)
			ev_loop_destroy(w->lane.loop);
	}
	e->nr_workers = 0;
	ublkev__threads_init(&e->threads, NULL, 0);
	ublkev__alloc_free(&e->mem, e->workers);
	e->workers = NULL;
}

void ublkev__workers_pin(struct ublkev__engine *e, unsigned int n,
			 const struct ublkev_cpus *cpus)
{
	struct ublkev__worker *w = &e->workers[n * e->parts];
	struct ublkev__worker *end = w + e->parts;

	for (; w < end; w++) {
		w->cpus = *cpus;
		w->pins = true;
	}
}

int ublkev__workers_open(struct ublkev__engine *e, bool need_bufs)
{
	unsigned int serving = e->life.info.queues * e->parts;
	struct ublkev__worker *w;
	int err = 0;

	for (w = e->workers; w < e->workers + serving && !err; w++) {
		if (need_bufs)
			err = ublkev__io_need_bufs(w->lane.io);
		if (!err)
			err = ublkev__io_join(w->lane.io, e->lane.io,
					      e->life.info.features);
	}
	if (!err) {
		/* the driver may have taken fewer than were asked for */
		ublkev__threads_take(&e->threads, serving);
		return ublkev__workers_do(e);
	}
	/* no thread has its ring yet, so they may be closed here */
	for (w = e->workers; w < e->workers + e->nr_workers; w++)
		ublkev__io_close(w->lane.io, true);
	ublkev__io_close(e->lane.io, true);
	return err;
}

struct ublkev__lane *ublkev__worker_lane(const struct ublkev__engine *e,
					 unsigned int n)
{
	return &e->workers[n].lane;
}
