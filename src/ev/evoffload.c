/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pool of a device's threads. Lanes push jobs, and take those that are done,
 * without a lock; the pool's threads have one among themselves, which the
 * application's thread takes once, when it leaves them to themselves.
 */
#include "ev/evoffload.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <string.h>

#include "ev/engine.h"
#include "ev/evworker.h"

struct ublkev__pool {
	struct ublkev__engine *e;
	sem_t sem;			/* jobs, and words to end */
	struct ublkev__job *in;		/* atomic: the youngest first */
	unsigned int out;		/* atomic: jobs that are not back */
	bool drops;			/* atomic */
	bool ending;			/* atomic: wake the application's lane */
	pthread_mutex_t lock;		/* of the pool's threads */
	struct ublkev__job *fifo;	/* theirs: the oldest first */
	bool left;			/* under the lock: nobody is there */
	pthread_mutex_t making;		/* of the lanes, of these: */
	pthread_t threads[UBLKEV_MAX_OFFLOAD_THREADS];
	unsigned int nr;		/* atomic */
	cpu_set_t *cpus;		/* that the application's thread may use */
	struct ublkev__growth growth;
};

/* ---- lists ---------------------------------------------------------------- */

/* RELEASE, and ACQUIRE where it is taken: the job is seen as it was pushed */
static void offload_push(struct ublkev__job **list, struct ublkev__job *job)
{
	struct ublkev__job *was = __atomic_load_n(list, __ATOMIC_RELAXED);

	do {
		job->next = was;
	} while (!__atomic_compare_exchange_n(list, &was, job, true,
					      __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
}

/* all of it, the oldest first */
static struct ublkev__job *offload_take_all(struct ublkev__job **list)
{
	struct ublkev__job *job = __atomic_exchange_n(list, NULL,
						      __ATOMIC_ACQUIRE);
	struct ublkev__job *next, *first = NULL;

	for (; job; job = next) {
		next = job->next;
		job->next = first;
		first = job;
	}
	return first;
}

/* ---- a thread of the pool -------------------------------------------------- */

/* NULL: the thread is to end */
static struct ublkev__job *offload_next(struct ublkev__pool *o)
{
	struct ublkev__job *job;

	while (sem_wait(&o->sem))
		;		/* EINTR */
	pthread_mutex_lock(&o->lock);
	if (!o->fifo)
		o->fifo = offload_take_all(&o->in);
	job = o->fifo;
	if (job)
		o->fifo = job->next;
	pthread_mutex_unlock(&o->lock);
	return job;
}

/* the last thing is to count it: who sees 0 sees nobody at the lanes */
static void offload_tell(struct ublkev__pool *o, struct ublkev__job *job)
{
	struct ublkev__lane *l = job->lane;

	pthread_mutex_lock(&o->lock);
	if (!o->left) {
		offload_push(&l->jobs_done, job);
		__atomic_sub_fetch(&o->out, 1, __ATOMIC_SEQ_CST);
		ublkev__io_wake(l->io);
		if (__atomic_load_n(&o->ending, __ATOMIC_SEQ_CST))
			ublkev__io_wake(o->e->lane.io);
	}
	pthread_mutex_unlock(&o->lock);
}

static void *offload_run(void *arg)
{
	struct ublkev__pool *o = arg;
	struct ublkev__job *job;

	pthread_setname_np(pthread_self(), "ublkev-off");
	if (o->cpus)
		(void)pthread_setaffinity_np(pthread_self(),
					     CPU_ALLOC_SIZE(UBLKEV_MAX_CPUS),
					     o->cpus);
	while ((job = offload_next(o))) {
		job->dropped = __atomic_load_n(&o->drops, __ATOMIC_RELAXED);
		if (!job->dropped)
			job->run(job);
		offload_tell(o, job);
	}
	return NULL;
}

/* ---- what the lanes call ---------------------------------------------------- */

/*
 * One more thread, if all have a job. The lock is held by another lane only
 * while that makes one. Where no thread more is to be had, one that there is
 * will do.
 */
static int offload_make(struct ublkev__pool *o, unsigned int most)
{
	unsigned int nr;
	int err = 0;

	pthread_mutex_lock(&o->making);
	nr = o->nr;
	if (nr < most && __atomic_load_n(&o->out, __ATOMIC_RELAXED) >= nr) {
		err = ublkev__worker_spawn(&o->threads[nr], offload_run, o);
		if (!err)
			__atomic_store_n(&o->nr, ++nr, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&o->making);
	return nr ? 0 : err;
}

int ublkev__offload_start(struct ublkev__lane *l, struct ublkev__job *job)
{
	struct ublkev__pool *o = l->e->offload;
	unsigned int most = l->e->conf.offload_threads;
	unsigned int nr = __atomic_load_n(&o->nr, __ATOMIC_RELAXED);
	int err;

	if (nr < most && __atomic_load_n(&o->out, __ATOMIC_RELAXED) >= nr) {
		err = offload_make(o, most);
		if (err)
			return err;
	}
	job->lane = l;
	__atomic_add_fetch(&o->out, 1, __ATOMIC_SEQ_CST);
	offload_push(&o->in, job);
	sem_post(&o->sem);
	return 0;
}

void ublkev__offload_drop(struct ublkev__engine *e)
{
	if (e->offload)
		__atomic_store_n(&e->offload->drops, true, __ATOMIC_RELAXED);
}

struct ublkev__job *ublkev__offload_take(struct ublkev__lane *l)
{
	return offload_take_all(&l->jobs_done);
}

bool ublkev__offload_ended(const struct ublkev__engine *e)
{
	struct ublkev__pool *o = e->offload;

	if (!o)
		return true;
	__atomic_store_n(&o->ending, true, __ATOMIC_SEQ_CST);
	return !__atomic_load_n(&o->out, __ATOMIC_SEQ_CST);
}

struct ublkev__growth *ublkev__offload_growth(struct ublkev__engine *e)
{
	return &e->offload->growth;
}

/* ---- making, releasing ------------------------------------------------------- */

/*
 * A queue's thread keeps to its queue's CPUs, and what it makes would, too. A
 * machine of which this can't be found out has threads that do.
 */
static cpu_set_t *offload_find_cpus(void)
{
	cpu_set_t *set = CPU_ALLOC(UBLKEV_MAX_CPUS);

	if (!set || !pthread_getaffinity_np(pthread_self(),
					    CPU_ALLOC_SIZE(UBLKEV_MAX_CPUS),
					    set))
		return set;
	CPU_FREE(set);
	return NULL;
}

int ublkev__offload_new(struct ublkev__engine *e)
{
	struct ublkev__pool *o = ublkev__alloc_zalloc(&e->mem, 1,
							 sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->e = e;
	pthread_mutex_init(&o->lock, NULL);
	pthread_mutex_init(&o->making, NULL);
	sem_init(&o->sem, 0, 0);
	if (e->conf.flags & UBLKEV_CONF_QUEUE_THREADS)
		o->cpus = offload_find_cpus();
	e->offload = o;
	return 0;
}

/* the threads that have no job end now, the others when they are back */
static bool offload_leave(struct ublkev__pool *o)
{
	bool busy;

	pthread_mutex_lock(&o->lock);
	busy = __atomic_load_n(&o->out, __ATOMIC_SEQ_CST);
	o->left = busy;
	pthread_mutex_unlock(&o->lock);
	return busy;
}

static void offload_end_threads(struct ublkev__pool *o, bool busy)
{
	unsigned int i;

	/* without a job in the list that is the word to end */
	for (i = 0; i < o->nr; i++)
		sem_post(&o->sem);
	for (i = 0; i < o->nr; i++)
		if (busy)
			pthread_detach(o->threads[i]);
		else
			pthread_join(o->threads[i], NULL);
}

bool ublkev__offload_free(struct ublkev__engine *e)
{
	struct ublkev__pool *o = e->offload;
	bool busy;

	if (!o)
		return false;
	/* nothing that waits in the list is to be run once nobody is there */
	ublkev__offload_drop(e);
	busy = offload_leave(o);
	offload_end_threads(o, busy);
	e->offload = NULL;
	if (busy)
		return true;
	sem_destroy(&o->sem);
	pthread_mutex_destroy(&o->lock);
	pthread_mutex_destroy(&o->making);
	if (o->cpus)
		CPU_FREE(o->cpus);
	ublkev__alloc_free(&e->mem, o);
	return false;
}
