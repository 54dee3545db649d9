/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes the parts of a device at its start, in the order in which they need
 * each other, and releases them at STOPPED. What they then do together is
 * evpump.c's; an answer of the backend's arrives here, from whichever loop of
 * the device gave it.
 */
#include "ev/engine.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backend/guard.h"
#include "ev/evfile.h"
#include "ev/evloop.h"
#include "ev/evoffload.h"
#include "ev/evreqop.h"
#include "ev/evturn.h"
#include "ev/evshare.h"
#include "ev/evworker.h"
#include "util/check.h"
#include "util/thread.h"

#define CACHE_LINE 64u

uint64_t ublkev__clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* of a queue, or the part of one, that cookies name */
static struct ublkev__lane *engine_lane_of(struct ublkev__engine *e,
					   unsigned int queue)
{
	return e->nr_workers ? ublkev__worker_lane(e, queue) : &e->lane;
}

/*
 * The backend's answer to a request that it took, in the thread of its queue:
 * from inside submit(), so from inside the pump, or from any other callback of
 * that thread's loop. An abort may have answered the request meanwhile: then
 * the answer is stale, and the tag may have another request by now. What is to
 * be committed waits for the pump, which is kicked.
 */
static void engine_on_done(void *owner, uint64_t cookie, int err)
{
	struct ublkev__engine *e = owner;
	unsigned int queue = ublkev__cookie_queue(cookie);
	bool known = queue < e->nr_queues && !ublkev__file_has(e, cookie);

	ublkev__check(e->nr_workers || e->thread == ublkev__thread_self(),
		      "requests are answered in the thread of the loop");
	if (known && ublkev__reqop_answer(e, cookie, err))
		return;

	/* the backend may be in any thread, and the counter is one lane's */
	if (!known)
		__atomic_fetch_add(&e->lane.stats.stale_answers, 1,
				   __ATOMIC_RELAXED);
	if (!known || ublkev__queue_done(&e->queues[queue], cookie, err)) {
		ublkev__log(&e->log, LOG_ERR,
			    "backend answered request %#llx, which is not outstanding",
			    (unsigned long long)cookie);
		return;
	}
	ublkev__evloop_kick(engine_lane_of(e, queue));
}

static void *engine_align(void *p)
{
	uintptr_t line = ((uintptr_t)p + CACHE_LINE - 1) / CACHE_LINE;

	return (void *)(line * CACHE_LINE);
}

/* each part of a queue has its own memory: see ublkev__queue_share() */
static void engine_init_queues(struct ublkev__engine *e, unsigned int n,
			       unsigned int depth)
{
	struct ublkev__tag *tags = engine_align(e->tags_mem);
	struct ublkev__lane *l;
	uint64_t *since_us;
	unsigned int i;

	e->queues = engine_align(e->queues_mem);
	for (i = 0; i < n; i++) {
		since_us = e->since_us ? e->since_us + i * depth : NULL;
		l = engine_lane_of(e, i);
		if (!i || l->worker)
			l->queues = &e->queues[i];
		ublkev__queue_init(&e->queues[i], i / e->parts, depth,
				   e->backend->generation, tags + i * depth,
				   since_us, &l->stats);
		if (e->parts > 1)
			ublkev__queue_share(&e->queues[i], i % e->parts,
					    e->parts);
	}
}

/* queues and tags begin at a cache line, which an allocator need not */
static int engine_make_queues(struct ublkev__engine *e, unsigned int queues,
			      unsigned int depth)
{
	unsigned int parts = queues * e->parts;
	size_t n = (size_t)queues * depth;

	e->queues_mem = ublkev__alloc_zalloc(&e->mem, 1,
					     parts * sizeof(*e->queues) +
					     CACHE_LINE - 1);
	e->tags_mem = ublkev__alloc_zalloc(&e->mem, 1, n * e->parts *
					   sizeof(struct ublkev__tag) +
					   CACHE_LINE - 1);
	if (e->conf.flags & UBLKEV_CONF_LATENCY)
		e->since_us = ublkev__alloc_zalloc(&e->mem, n * e->parts,
						   sizeof(*e->since_us));
	if (!e->queues_mem || !e->tags_mem ||
	    (!e->since_us && e->conf.flags & UBLKEV_CONF_LATENCY))
		return -ENOMEM;
	if (e->backend->ops.place) {
		e->placed_mem = ublkev__alloc_zalloc(&e->mem, 1,
						     n * sizeof(*e->placed) +
						     CACHE_LINE - 1);
		if (!e->placed_mem)
			return -ENOMEM;
		e->placed = engine_align(e->placed_mem);
	}
	if (ublkev__reqop_used(e->backend)) {
		e->tagops_mem = ublkev__alloc_zalloc(&e->mem, 1,
						     n * sizeof(*e->tagops) +
						     CACHE_LINE - 1);
		if (!e->tagops_mem)
			return -ENOMEM;
		e->tagops = engine_align(e->tagops_mem);
	}
	if (e->backend->lowers) {
		e->tagsubs = ublkev__alloc_zalloc(&e->mem, n,
						  sizeof(*e->tagsubs));
		if (!e->tagsubs)
			return -ENOMEM;
	}
	e->has_files = e->placed || e->tagops;
	engine_init_queues(e, parts, depth);
	return 0;
}

/* whole pages, as the rest of the buffers */
static uint32_t engine_metadata_bytes(const struct ublkev__engine *e,
				      uint32_t max_io_bytes)
{
	uint32_t bytes = e->backend ?
		ublkev__metadata_of(&e->backend->limits, max_io_bytes) : 0;

	return (bytes + UBLKEV__PAGE - 1) & ~(UBLKEV__PAGE - 1);
}

/* of a device to recover its former server has chosen, which INFO tells */
static bool engine_wants_pages(const struct ublkev__engine *e)
{
	if (!e->backend || !e->backend->ops.place)
		return false;
	if (e->mode == UBLKEV__LIFE_RECOVER)
		return e->life.info.features & UBLKEV__F(SUPPORT_ZERO_COPY);
	return e->conf.copy == UBLKEV_COPY_ZERO_MANUAL;
}

int ublkev__engine_set_up(struct ublkev__engine *e, unsigned int queues,
			  unsigned int depth, uint32_t max_io_bytes)
{
	bool threads = e->conf.flags & UBLKEV_CONF_QUEUE_THREADS;
	uint32_t buf_bytes = max_io_bytes +
			     engine_metadata_bytes(e, max_io_bytes);
	int err = 0;

	e->parts = ublkev__conf_threads(&e->conf, queues, depth);
	if (threads)
		err = ublkev__workers_new(e, queues * e->parts, depth,
					  buf_bytes);
	if (!err)
		err = engine_make_queues(e, queues, depth);
	if (err)
		return err;
	if (engine_wants_pages(e))
		ublkev__io_for_pages(e->lane.io);
	if (!threads)
		return ublkev__io_set_up(e->lane.io, queues, depth, buf_bytes);
	err = ublkev__io_set_up_common(e->lane.io, queues);
	return err ? err : ublkev__workers_run(e);
}

int ublkev__engine_new_io(struct ublkev__lane *l)
{
	int err = ublkev__io_new(&l->io, &l->e->mem);

	l->by_ring = l->loop && l->e->conf.flags & UBLKEV_CONF_RING_FD;
	if (!err && l->by_ring)
		ublkev__io_by_ring(l->io);
	if (!err && l->e->backend && (l->e->backend->ops.place ||
				      ublkev__reqop_used(l->e->backend)))
		ublkev__io_for_files(l->io);
	if (!err && engine_wants_pages(l->e))
		ublkev__io_for_pages(l->io);
	if (!err && l->e->conf.flags & UBLKEV_CONF_HUGE_PAGES)
		ublkev__io_use_huge_pages(l->io);
	if (!err && l->e->backend && l->e->backend->limits.metadata_bytes)
		ublkev__io_for_metadata(l->io,
				l->e->backend->limits.metadata_interval_bytes,
				l->e->backend->limits.metadata_bytes);
	return err;
}

void ublkev__engine_set_bufs(struct ublkev__lane *l)
{
	uint32_t max_io_bytes = l->e->life.info.max_io_bytes;
	unsigned int i;

	for (i = 0; i < l->nr_queues; i++) {
		ublkev__queue_set_bufs(&l->queues[i],
				       ublkev__io_bufs(l->io, i),
				       ublkev__io_spare_buf(l->io),
				       max_io_bytes);
		ublkev__queue_set_metadata(&l->queues[i],
				engine_metadata_bytes(l->e, max_io_bytes));
	}
}

int ublkev__engine_need_bufs(struct ublkev__lane *l)
{
	int err = ublkev__io_need_bufs(l->io);

	if (!err)
		ublkev__engine_set_bufs(l);
	return err;
}

/* a device that is to be removed needs only the eventfd */
static int engine_make_io(struct ublkev__engine *e)
{
	int err = ublkev__engine_new_io(&e->lane);

	if (err || e->mode != UBLKEV__LIFE_ADD)
		return err;
	return ublkev__engine_set_up(e, e->conf.queues, e->conf.depth,
				     e->conf.max_io_bytes);
}

/* what conf asks for that the backend can't; NULL: nothing */
static const char *engine_misfit(const struct ublkev__engine *e)
{
	if (e->conf.flags & UBLKEV_CONF_QUEUE_THREADS &&
	    !(e->backend->limits.flags & UBLKEV_LIMIT_THREADS))
		return "its limits have no UBLKEV_LIMIT_THREADS";
	if (e->conf.threads_per_queue > 1 &&
	    !(e->backend->limits.flags & UBLKEV_LIMIT_THREADS_PER_QUEUE))
		return "its limits have no UBLKEV_LIMIT_THREADS_PER_QUEUE: leave conf.threads_per_queue at 1";
	if (e->mode == UBLKEV__LIFE_ADD && e->conf.copy >= UBLKEV_COPY_ZERO &&
	    !e->backend->ops.place)
		return "it has no place(), which UBLKEV_COPY_ZERO and ZERO_MANUAL need: use another copy mode";
	return NULL;
}

static int engine_open_backend(struct ublkev__engine *e)
{
	const struct ublkev__guard_user user = {
		.owner = e, .done = engine_on_done, .device = e,
		.sub_done = ublkev__sub_done, .calls = &ublkev__reqop_calls,
		.log = &e->log,
	};
	int err = ublkev__guard_open_for(e->backend, &user);
	const char *misfit = err ? NULL : engine_misfit(e);

	if (!misfit)
		return err;
	ublkev__log(&e->log, LOG_ERR, "backend %s: %s",
		    ublkev_backend_name(e->backend), misfit);
	return -EOPNOTSUPP;
}

bool ublkev__engine_offloads(const struct ublkev__engine *e)
{
	return e->mode != UBLKEV__LIFE_REMOVE &&
	       (e->backend->ops.grow || ublkev__reqop_used(e->backend));
}

static int engine_make(struct ublkev__engine *e, enum ublkev_step *step)
{
	int err = 0;

	*step = UBLKEV_STEP_BACKEND;
	if (e->mode != UBLKEV__LIFE_REMOVE) {
		err = engine_open_backend(e);
		if (err)
			return err;
	}
	*step = UBLKEV_STEP_SETUP;
	if (ublkev__engine_offloads(e))
		err = ublkev__offload_new(e);
	if (!err)
		err = engine_make_io(e);
	if (!err)
		err = ublkev__carrier_new(&e->carrier, &e->mem,
					  ublkev__io_fd(e->lane.io),
					  e->conf.broker);
	if (err)
		return err;
	*step = UBLKEV_STEP_CONTROL;
	err = ublkev__carrier_open(e->carrier);
	if (err || e->mode == UBLKEV__LIFE_REMOVE)
		return err;
	*step = UBLKEV_STEP_BACKEND;
	return ublkev__guard_start(e->backend, e->lane.loop);
}

/*
 * The budget bounds a look as well, but no sleep, which whatever else is due in
 * the loop ends, but for its timers. With one CPU, of the machine or of the
 * container that the client is in, too, it has none while we look at memory; the
 * sleep in the ring leaves it that.
 */
void ublkev__engine_init_lane(struct ublkev__engine *e,
			      struct ublkev__lane *l)
{
	unsigned int us = e->conf.wait_us;

	if (e->conf.budget_us && us > e->conf.budget_us)
		us = e->conf.budget_us;
	ublkev__wait_init(&l->sleep, us ? e->conf.sleep_us : 0);
	ublkev__turn_allow_batch(l, e->conf.flags & UBLKEV_CONF_SCHED_BATCH);
	if (ublkev__thread_has_one_cpu())
		us = 0;
	ublkev__wait_init(&l->wait, us);
	memset(&l->stats, 0, sizeof(l->stats));
	l->e = e;
	l->nr_queues = 0;
	l->first_id = 0;
	l->first_queue = 0;
	l->stays = false;
	ublkev__lanelife_init(&l->life, UBLKEV__LANE_ARMED);
	l->wanting = NULL;
	l->wanting_ops = NULL;
	l->jobs_done = NULL;
	memset(&l->subs, 0, sizeof(l->subs));
	l->nr_placed = 0;
	l->nr_flying = 0;
	l->refused_pages = false;
	l->punches = false;
}

static void engine_close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

int ublkev__engine_up(struct ublkev__engine *e, enum ublkev_step *step)
{
	int err;

	ublkev__engine_init_lane(e, &e->lane);
	e->nr_queues = 0;
	e->resize = UBLKEV__RESIZE_NONE;
	e->share_fd = -1;
	e->blocked = false;
	e->grown = false;
	e->closes_backend = false;
	e->look_until_ms = UINT64_MAX;
	e->look_given_ms = 0;
	ublkev__threads_init(&e->threads, NULL, 0);
	err = engine_make(e, step);
	if (err)
		engine_close_fd(ublkev__engine_down(e));
	return err;
}

/*
 * A backend that has not closed may still touch the requests and buffers that
 * were lent to it: nobody frees them, for nobody knows when they may be.
 */
static void engine_leave_to_backend(struct ublkev__engine *e)
{
	unsigned int i;

	if (!e->nr_queues)	/* no request has ever been there */
		return;
	ublkev__log(&e->log, LOG_WARNING,
		    "backend %s has not closed: the requests and buffers lent to it are left to it, and never freed",
		    ublkev_backend_name(e->backend));
	e->tags_mem = NULL;
	e->tagops_mem = NULL;
	ublkev__io_leave_bufs(e->lane.io);
	ublkev__subs_leave(&e->lane.subs);
	for (i = 0; i < e->nr_workers; i++) {
		ublkev__io_leave_bufs(ublkev__worker_lane(e, i)->io);
		ublkev__subs_leave(&ublkev__worker_lane(e, i)->subs);
	}
}

static void engine_free_subs(struct ublkev__engine *e)
{
	unsigned int i;

	ublkev__subs_free(&e->lane.subs);
	for (i = 0; i < e->nr_workers; i++)
		ublkev__subs_free(&ublkev__worker_lane(e, i)->subs);
}

static void engine_free_queues(struct ublkev__engine *e)
{
	uint32_t generation;
	unsigned int i;

	for (i = 0; i < e->nr_queues; i++) {
		generation = ublkev__queue_generation(&e->queues[i]);
		if (generation > e->backend->generation)
			e->backend->generation = generation;
	}
	e->nr_queues = 0;
	e->lane.nr_queues = 0;
	ublkev__alloc_free(&e->mem, e->queues_mem);
	ublkev__alloc_free(&e->mem, e->tags_mem);
	ublkev__alloc_free(&e->mem, e->since_us);
	ublkev__alloc_free(&e->mem, e->placed_mem);
	ublkev__alloc_free(&e->mem, e->tagops_mem);
	ublkev__alloc_free(&e->mem, e->tagsubs);
	e->tagsubs = NULL;
	e->tagops_mem = NULL;
	e->tagops = NULL;
	e->placed_mem = NULL;
	e->placed = NULL;
	e->queues_mem = NULL;
	e->queues = NULL;
	e->tags_mem = NULL;
	e->since_us = NULL;
}

/* operations on files that the kernel still has, perhaps with shared memory */
static bool engine_left_files(const struct ublkev__engine *e)
{
	uint64_t n = e->lane.stats.files_left;
	unsigned int i;

	for (i = 0; i < e->nr_workers; i++)
		n += ublkev__worker_lane(e, i)->stats.files_left;
	return n;
}

int ublkev__engine_down(struct ublkev__engine *e)
{
	bool left = false;
	int fd = -1;

	if (ublkev__carrier_free(e->carrier))
		ublkev__log(&e->log, LOG_WARNING,
			    "a control command never returned: its memory is left to the kernel");
	e->carrier = NULL;
	ublkev__workers_join(e);
	/* the backend lets go of requests and buffers before they vanish */
	if (ublkev__offload_free(e)) {
		ublkev__guard_leave(e->backend);
		left = true;
	} else if (e->mode != UBLKEV__LIFE_REMOVE && e->backend->owner == e) {
		left = ublkev__guard_close(e->backend) == UBLKEV_LATER;
	}
	if (left)
		engine_leave_to_backend(e);
	ublkev__share_free(e, left || engine_left_files(e));
	engine_free_subs(e);
	ublkev__workers_free(e);
	if (e->lane.io)
		fd = ublkev__io_take_fd(e->lane.io);
	ublkev__io_free(e->lane.io);
	e->lane.io = NULL;
	engine_free_queues(e);
	return fd;
}

/* ---- what there may be ------------------------------------------------- */

#define THREADS(name)	(1u << UBLKEV__THREADS_##name)

/*
 * Phases of the queue threads, if there are any, by the step of the device.
 * In a step whose ladder has the rung "close" they may be told to close.
 */
static unsigned int engine_threads_in(enum ublkev_step step)
{
	unsigned int closing = THREADS(CLOSING) | THREADS(CLOSED);

	switch (step) {
	case UBLKEV_STEP_START:
		return THREADS(ARMING) | THREADS(ARMED) | closing;
	case UBLKEV_STEP_LIVE:
		return THREADS(LIVE);
	case UBLKEV_STEP_QUIESCE:
		return THREADS(LIVE) | closing;
	case UBLKEV_STEP_STOP:
	case UBLKEV_STEP_DRAIN:
		return THREADS(WAITING) | THREADS(ARMING) | THREADS(ARMED) |
		       THREADS(LIVE) | closing;
	/* a recovery may turn down before it is live */
	case UBLKEV_STEP_RECALL:
		return THREADS(ARMED) | THREADS(LIVE) | closing;
	case UBLKEV_STEP_CLOSE:
		return closing;
	case UBLKEV_STEP_DEL:
	case UBLKEV_STEP_BACKEND_CLOSE:
	case UBLKEV_STEP_GONE:
	case UBLKEV_STEP_RELEASED:
		return THREADS(WAITING) | closing;
	case UBLKEV_STEP_LOST:
		return ~0u;
	default:
		return THREADS(WAITING);
	}
}

static void engine_verify_threads(const struct ublkev__engine *e)
{
	const struct ublkev__threads *t = &e->threads;

	ublkev__threads_verify(t);
	assert(t->nr == e->nr_workers);
	/* as long as there are actions to pull, they are behind the device */
	if (t->nr && !e->blocked && !ublkev__life_has_work(&e->life))
		assert(engine_threads_in(e->life.step) >> t->phase & 1);
	/* nobody is held for anything but a resize */
	assert(t->hold == UBLKEV__HOLD_FREE ||
	       e->resize != UBLKEV__RESIZE_NONE);
	assert(e->resize != UBLKEV__RESIZE_HOLDS || !t->nr ||
	       t->hold != UBLKEV__HOLD_FREE);
	assert(!e->blocked || t->nr || e->resize == UBLKEV__RESIZE_CUTS);
}

void ublkev__engine_verify(const struct ublkev__engine *e)
{
	ublkev__life_verify(&e->life);
	ublkev__lanelife_verify(&e->lane.life);
	engine_verify_threads(e);
	/* the application's lane gets no wishes: it is ARMED all its life */
	assert(e->lane.life.phase == UBLKEV__LANE_ARMED);
	assert(!e->lane.life.facts && !e->lane.pumping);
	assert(e->resize == UBLKEV__RESIZE_NONE ||
	       e->life.step >= UBLKEV_STEP_LIVE);
}
