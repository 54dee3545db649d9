/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a device is and does, copied out for the application. Nothing is changed
 * here. With queue threads their words are read while they write them.
 */
#include <errno.h>
#include <string.h>

#include "backend/guard.h"
#include "ev/engine.h"
#include "ev/evworker.h"

static void stats_copy_out(void *to, size_t size, const void *from, size_t have)
{
	memset(to, 0, size);
	memcpy(to, from, size < have ? size : have);
}

/* ---- counters of queue threads ------------------------------------------ */

static const struct ublkev_stats *
stats_of_worker(const struct ublkev__engine *e, unsigned int n)
{
	return &ublkev__worker_lane(e, n)->stats;
}

#define ADD(member) (sum->member += __atomic_load_n(&s->member, \
						    __ATOMIC_RELAXED))

/*
 * Counters are plain words of the worker's, which alone writes them: counting
 * is to cost nothing. Here another thread reads them, each word whole, as a
 * machine of that word size does; TSan is told that this is meant.
 */
__attribute__((no_sanitize("thread")))
static void stats_add_worker(struct ublkev_stats *sum,
			     const struct ublkev_stats *s)
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
	ADD(lent);
	ADD(inflight);
	ADD(inflight_max);
	for (i = 0; i < UBLKEV_LATENCY_BUCKETS; i++) {
		ADD(read_latency[i]);
		ADD(other_latency[i]);
	}
	ADD(waits);
	ADD(waits_paid);
	ADD(files_left);
	ADD(shared);
}

/* as stats_add_worker() reads them */
__attribute__((no_sanitize("thread")))
uint64_t ublkev__workers_answered(const struct ublkev__engine *e)
{
	uint64_t n = 0;
	unsigned int i, op;

	for (i = 0; i < e->nr_workers; i++)
		for (op = 0; op < UBLKEV_NR_OPS; op++)
			n += __atomic_load_n(
				&stats_of_worker(e, i)->op[op].reqs,
				__ATOMIC_RELAXED);
	return n;
}

void ublkev__workers_stats(const struct ublkev__engine *e,
			   struct ublkev_stats *sum)
{
	unsigned int i;

	for (i = 0; i < e->nr_workers; i++)
		stats_add_worker(sum, stats_of_worker(e, i));
}

/* ---- public ------------------------------------------------------------- */

int ublkev_dev_info(const struct ublkev_dev *dev, struct ublkev_info *info,
		    size_t size)
{
	const struct ublkev__engine *e = dev->priv;
	const struct ublkev__life *life;
	struct ublkev_info full;

	if (!dev->active || e->mode == UBLKEV__LIFE_REMOVE ||
	    !ublkev__life_has_device(&e->life))
		return -EAGAIN;
	life = &e->life;
	full = (struct ublkev_info){
		.dev_bytes = e->backend->limits.dev_bytes,
		.features = life->info.features,
		.kernel_features = life->kernel_features,
		.max_io_bytes = life->info.max_io_bytes,
		.logical_block_bytes = e->backend->limits.logical_block_bytes,
		.queues = life->info.queues,
		.depth = life->info.depth,
	};
	stats_copy_out(info, size, &full, sizeof(full));
	return 0;
}

int ublkev_dev_stats(const struct ublkev_dev *dev, struct ublkev_stats *stats,
		     size_t size)
{
	const struct ublkev__engine *e = dev->priv;
	struct ublkev_stats sum;

	if (!e || e->life.step == UBLKEV_STEP_IDLE)
		return -EINVAL;
	sum = e->lane.stats;
	ublkev__workers_stats(e, &sum);
	stats_copy_out(stats, size, &sum, sizeof(sum));
	return 0;
}

static void stats_list(struct ublkev_inflight *v, const struct ublkev_req *req,
		       uint64_t age_us)
{
	v->offset_bytes = req->offset_bytes;
	v->len_bytes = req->len_bytes;
	v->age_us = age_us;
	v->flags = req->flags;
	v->queue = req->queue;
	v->tag = req->tag;
	v->op = req->op;
}

/*
 * Another thread may serve the queue: a request that is not the same before
 * and after it was copied was not there, or is no more.
 */
__attribute__((no_sanitize("thread")))
static bool stats_copy_req(const struct ublkev__tag *t, struct ublkev_req *req)
{
	uint64_t cookie = __atomic_load_n(&t->req.cookie, __ATOMIC_ACQUIRE);

	if (__atomic_load_n(&t->state, __ATOMIC_ACQUIRE) !=
	    UBLKEV__TAG_BACKEND)
		return false;
	req->offset_bytes = t->req.offset_bytes;
	req->len_bytes = t->req.len_bytes;
	req->flags = t->req.flags;
	req->queue = t->req.queue;
	req->tag = t->req.tag;
	req->op = t->req.op;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&t->state, __ATOMIC_ACQUIRE) ==
		UBLKEV__TAG_BACKEND &&
		__atomic_load_n(&t->req.cookie, __ATOMIC_RELAXED) == cookie;
}

__attribute__((no_sanitize("thread")))
static uint64_t stats_age_us(const struct ublkev__queue *q, unsigned int tag,
			     uint64_t now_us)
{
	uint64_t since_us;

	if (!q->since_us)
		return 0;
	since_us = __atomic_load_n(&q->since_us[tag], __ATOMIC_RELAXED);
	return now_us > since_us ? now_us - since_us : 0;
}

static unsigned int stats_list_queue(const struct ublkev__queue *q,
			       struct ublkev_inflight *v, unsigned int max,
				     unsigned int *total, uint64_t now_us)
{
	unsigned int i, n = 0;
	struct ublkev_req req;

	for (i = 0; i < q->depth; i++) {
		if (!stats_copy_req(&q->tags[i], &req))
			continue;
		++*total;
		if (n < max)
			stats_list(&v[n++], &req, stats_age_us(q, i, now_us));
	}
	return n;
}

unsigned int ublkev_dev_inflight(const struct ublkev_dev *dev,
				 struct ublkev_inflight *v, unsigned int max)
{
	const struct ublkev__engine *e = dev->priv;
	uint64_t now_us = ublkev__clock_us();
	unsigned int i, listed = 0, total = 0;

	for (i = 0; e && i < e->nr_queues; i++)
		listed += stats_list_queue(&e->queues[i], v ? v + listed : v,
					   max - listed, &total, now_us);
	return total;
}
