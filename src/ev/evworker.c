/* SPDX-License-Identifier: BSD-2-Clause */
#include "ev/evworker.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "backend/guard.h"
#include "ev/act.h"
#include "ev/evloop.h"
#include "ev/evpump.h"

#define LINE_BYTES 256

struct ublkev__worker {
	struct ublkev__lane lane;
	/* the application's thread's */
	pthread_t thread;
	bool runs;			/* is to be joined */
	bool pins;
	struct ublkev_cpus cpus;
	unsigned int told;		/* all facts so far */
	/* both threads', atomic */
	unsigned int wishes;
	unsigned int facts;
	int err;			/* of FAULT: the first */
	pthread_t self;			/* the thread's own, once it runs */
	bool line_full;			/* whose the line is now */
	int priority;
	char line[LINE_BYTES];
	/* its own */
	bool serves;			/* the backend's queue_start() was */
};

/* ---- from thread to thread ----------------------------------------------- */

static void worker_wish(struct ublkev__worker *w, unsigned int what)
{
	__atomic_fetch_or(&w->wishes, what, __ATOMIC_RELEASE);
	ublkev__io_wake(w->lane.io);
}

void ublkev__workers_wish(struct ublkev__engine *e, unsigned int what)
{
	bool all = what & UBLKEV__WISH_CLOSE;
	unsigned int i, n = all ? e->nr_workers : e->nr_queues;

	for (i = 0; i < n; i++)
		if (e->workers[i].runs)
			worker_wish(&e->workers[i], what);
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

bool ublkev__worker_has_work(const struct ublkev__lane *l)
{
	return __atomic_load_n(&l->worker->wishes, __ATOMIC_RELAXED) ||
	       (l->tells_idle && ublkev__pump_idle(l));
}

bool ublkev__workers_have_facts(const struct ublkev__engine *e)
{
	unsigned int i;

	for (i = 0; i < e->nr_workers; i++)
		if (__atomic_load_n(&e->workers[i].facts, __ATOMIC_RELAXED))
			return true;
	return false;
}

bool ublkev__workers_told(const struct ublkev__engine *e, unsigned int facts)
{
	bool all = facts == UBLKEV__FACT_CLOSED;
	unsigned int i, n = all ? e->nr_workers : e->nr_queues;

	for (i = 0; i < n; i++)
		if (e->workers[i].runs && !(e->workers[i].told & facts))
			return false;
	return true;
}

void ublkev__workers_resume(struct ublkev__engine *e)
{
	unsigned int i;

	for (i = 0; i < e->nr_workers; i++)
		e->workers[i].told &= ~UBLKEV__FACT_HELD;
	ublkev__workers_wish(e, UBLKEV__WISH_RESUME);
}

static void worker_put_line(struct ublkev__engine *e, struct ublkev__worker *w)
{
	if (!__atomic_load_n(&w->line_full, __ATOMIC_ACQUIRE))
		return;
	if (e->conf.log)
		e->conf.log(e->conf.log_data, w->priority, w->line);
	__atomic_store_n(&w->line_full, false, __ATOMIC_RELEASE);
}

static void worker_take(struct ublkev__engine *e, struct ublkev__worker *w)
{
	unsigned int facts;

	if (!__atomic_load_n(&w->facts, __ATOMIC_RELAXED))
		return;
	facts = __atomic_exchange_n(&w->facts, 0, __ATOMIC_ACQUIRE);
	w->told |= facts;
	if (facts & UBLKEV__FACT_LINE)
		worker_put_line(e, w);
	if (facts & UBLKEV__FACT_FAULT)
		ublkev__act_fault(e, __atomic_load_n(&w->err,
						     __ATOMIC_RELAXED));
	if (facts & UBLKEV__FACT_TAG_DIED)
		ublkev__act_tag_died(e);
}

void ublkev__workers_take(struct ublkev__engine *e)
{
	unsigned int i;

	for (i = 0; i < e->nr_workers; i++)
		worker_take(e, &e->workers[i]);
	if (e->nr_queues && !e->drained &&
	    ublkev__workers_told(e, UBLKEV__FACT_DRAINED))
		ublkev__act_drained(e);
	if (e->closing && !e->closed &&
	    ublkev__workers_told(e, UBLKEV__FACT_CLOSED))
		ublkev__act_closed(e);
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

/* ---- a worker -------------------------------------------------------------- */

static unsigned int worker_number(const struct ublkev__worker *w)
{
	return (unsigned int)(w - w->lane.e->workers);
}

/* those of the queue that the application left us, or the errno */
static int worker_choose(const struct ublkev__worker *w, cpu_set_t *set,
			 size_t bytes)
{
	int err = pthread_getaffinity_np(pthread_self(), bytes, set);
	unsigned int i;

	if (err)
		return err;
	for (i = 0; i < UBLKEV_MAX_CPUS; i++)
		if (!(w->cpus.bits[i / 64] >> i % 64 & 1))
			CPU_CLR_S(i, bytes, set);
	return CPU_COUNT_S(bytes, set) ? 0 : ENODEV;
}

/* memory that is touched from now on is that of the node */
static void worker_pin(struct ublkev__worker *w)
{
	cpu_set_t *set = CPU_ALLOC(UBLKEV_MAX_CPUS);
	size_t bytes = CPU_ALLOC_SIZE(UBLKEV_MAX_CPUS);
	int err = set ? worker_choose(w, set, bytes) : ENOMEM;

	if (!err)
		err = pthread_setaffinity_np(pthread_self(), bytes, set);
	if (set)
		CPU_FREE(set);
	if (err == ENODEV)
		ublkev__log(&w->lane.e->log, LOG_WARNING,
			    "queue %u: this process may use none of its CPUs",
			    worker_number(w));
	else if (err)
		ublkev__log(&w->lane.e->log, LOG_WARNING,
			    "queue %u is not bound to its CPUs: %d",
			    worker_number(w), -err);
}

/* the queue's clients are there, too, and would wait for our wait */
static bool worker_has_one_cpu(void)
{
	cpu_set_t set;

	return !pthread_getaffinity_np(pthread_self(), sizeof(set), &set) &&
	       CPU_COUNT(&set) == 1;
}

static void worker_begin(struct ublkev__worker *w, bool hidden)
{
	struct ublkev__lane *l = &w->lane;
	int err;

	if (w->pins)
		worker_pin(w);
	if (worker_has_one_cpu())
		ublkev__wait_init(&l->wait, 0);
	err = ublkev__io_enable(l->io);
	if (!err)
		err = ublkev__guard_queue_start(l->e->backend, worker_number(w),
						l->loop);
	w->serves = !err;
	if (err) {
		l->drained = true;	/* the driver has none of its tags */
		ublkev__worker_tell(l, UBLKEV__FACT_FAULT |
				       UBLKEV__FACT_DRAINED, err);
		return;
	}
	l->held = false;
	l->nr_queues = 1;
	ublkev__pump_set_bufs(l);
	ublkev__act_arm(l, hidden);
	ublkev__worker_tell(l, UBLKEV__FACT_ARMED, 0);
}

static void worker_hold(struct ublkev__lane *l)
{
	ublkev__pump_settle(l);
	ublkev__evloop_forget_ring(l);
	l->held = true;
	ublkev__worker_tell(l, UBLKEV__FACT_HELD, 0);
}

/* the ring is to be gone before its thread is, or its work goes nowhere */
static void worker_end(struct ublkev__worker *w)
{
	struct ublkev__lane *l = &w->lane;

	ublkev__act_close(l);
	if (w->serves)
		ublkev__guard_queue_stop(l->e->backend, worker_number(w));
	ublkev__evloop_stop(l);
	ev_break(l->loop, EVBREAK_ALL);
}

/* false: that was the last one */
static bool worker_grant(struct ublkev__worker *w, unsigned int wishes)
{
	struct ublkev__lane *l = &w->lane;

	if (wishes & (UBLKEV__WISH_ARM | UBLKEV__WISH_ARM_HIDDEN))
		worker_begin(w, wishes & UBLKEV__WISH_ARM_HIDDEN);
	if (wishes & UBLKEV__WISH_LIVE)
		l->live = true;
	if (wishes & UBLKEV__WISH_ABORT)
		ublkev__act_abort(l);
	if (wishes & UBLKEV__WISH_RESUME)
		l->held = false;
	if (wishes & UBLKEV__WISH_HOLD)
		worker_hold(l);
	if (wishes & UBLKEV__WISH_IDLE)
		l->tells_idle = true;
	if (wishes & UBLKEV__WISH_CLOSE)
		worker_end(w);
	return !(wishes & UBLKEV__WISH_CLOSE);
}

bool ublkev__worker_act(struct ublkev__lane *l)
{
	struct ublkev__worker *w = l->worker;

	if (__atomic_load_n(&w->wishes, __ATOMIC_RELAXED) &&
	    !worker_grant(w,
			  __atomic_exchange_n(&w->wishes, 0, __ATOMIC_ACQUIRE)))
		return false;
	if (l->tells_idle && ublkev__pump_idle(l)) {
		l->tells_idle = false;
		ublkev__worker_tell(l, UBLKEV__FACT_IDLE, 0);
	}
	return true;
}

static void *worker_run(void *arg)
{
	struct ublkev__worker *w = arg;
	char name[16];

	snprintf(name, sizeof(name), "ublkev-q%u", worker_number(w));
	pthread_setname_np(pthread_self(), name);
	__atomic_store_n(&w->self, pthread_self(), __ATOMIC_RELAXED);
	ublkev__evloop_start(&w->lane);
	ev_run(w->lane.loop, 0);
	ublkev__worker_tell(&w->lane, UBLKEV__FACT_CLOSED, 0);
	return NULL;
}

/* ---- making, releasing ---------------------------------------------------- */

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

static int worker_spawn(struct ublkev__worker *w)
{
	sigset_t was;
	int err;

	worker_block(&was);
	err = pthread_create(&w->thread, NULL, worker_run, w);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	w->runs = !err;
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
	l->held = true;		/* its io is not its thread's yet */
	l->first_id = worker_number(w);
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

	e->workers = ublkev__alloc_zalloc(&e->mem, n, sizeof(*e->workers));
	if (!e->workers)
		return -ENOMEM;
	e->nr_workers = n;
	for (i = 0; i < n && !err; i++)
		err = worker_make(e, &e->workers[i], depth, max_io_bytes);
	return err;
}

int ublkev__workers_run(struct ublkev__engine *e)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < e->nr_workers && !err; i++)
		err = worker_spawn(&e->workers[i]);
	return err;
}

void ublkev__workers_join(struct ublkev__engine *e)
{
	struct ublkev__worker *w;

	for (w = e->workers; w < e->workers + e->nr_workers; w++) {
		if (!w->runs)
			continue;
		if (!(w->told & UBLKEV__FACT_CLOSED))
			worker_wish(w, UBLKEV__WISH_CLOSE);
		pthread_join(w->thread, NULL);
		w->runs = false;
		worker_put_line(e, w);
	}
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
	ublkev__alloc_free(&e->mem, e->workers);
	e->workers = NULL;
}

void ublkev__workers_pin(struct ublkev__engine *e, unsigned int n,
			 const struct ublkev_cpus *cpus)
{
	e->workers[n].cpus = *cpus;
	e->workers[n].pins = true;
}

int ublkev__workers_open(struct ublkev__engine *e, bool need_bufs)
{
	struct ublkev__worker *w;
	int err = 0;

	for (w = e->workers; w < e->workers + e->life.info.queues && !err;
	     w++) {
		if (need_bufs)
			err = ublkev__io_need_bufs(w->lane.io);
		if (!err)
			err = ublkev__io_join(w->lane.io, e->lane.io,
					      e->life.info.features);
	}
	if (!err) {
		/* the driver may have taken fewer queues than were asked for */
		for (; w < e->workers + e->nr_workers; w++)
			worker_wish(w, UBLKEV__WISH_CLOSE);
		return 0;
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

/* ---- counters ---------------------------------------------------------------- */

#define ADD(member) (sum->member += __atomic_load_n(&s->member, \
						    __ATOMIC_RELAXED))

/*
 * They are a worker's plain words, for counting is to cost it nothing, and it
 * alone writes them. This reads each of them whole, as a machine with words
 * of that size does, but calls it no race.
 */
__attribute__((no_sanitize("thread")))
static void worker_add(struct ublkev_stats *sum, const struct ublkev_stats *s)
{
	unsigned int i;

	for (i = 0; i < UBLKEV_NR_OPS; i++) {
		ADD(op[i].reqs);
		ADD(op[i].bytes);
		ADD(op[i].errors);
	}
	ADD(fua);
	ADD(rejected);
	ADD(stale_answers);
	ADD(wakes);
	ADD(rounds);
	ADD(enters);
	ADD(over_budget);
	ADD(inflight);
	ADD(inflight_max);
	for (i = 0; i < UBLKEV_LATENCY_BUCKETS; i++) {
		ADD(read_latency[i]);
		ADD(other_latency[i]);
	}
	ADD(waits);
	ADD(waits_paid);
}

/* as above */
__attribute__((no_sanitize("thread")))
uint64_t ublkev__workers_answered(const struct ublkev__engine *e)
{
	uint64_t n = 0;
	unsigned int i, op;

	for (i = 0; i < e->nr_workers; i++)
		for (op = 0; op < UBLKEV_NR_OPS; op++)
			n += __atomic_load_n(&e->workers[i].lane.stats.op[op]
					     .reqs, __ATOMIC_RELAXED);
	return n;
}

void ublkev__workers_stats(const struct ublkev__engine *e,
			   struct ublkev_stats *sum)
{
	unsigned int i;

	for (i = 0; i < e->nr_workers; i++)
		worker_add(sum, &e->workers[i].lane.stats);
}
