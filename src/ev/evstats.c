/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "backend/guard.h"
#include "ev/engine.h"

static void copy_out(void *to, size_t size, const void *from, size_t have)
{
	memset(to, 0, size);
	memcpy(to, from, size < have ? size : have);
}

int ublkev_dev_info(const struct ublkev_dev *dev, struct ublkev_info *info,
		    size_t size)
{
	const struct ublkev__engine *e = dev->priv;
	const struct ublkev__ctl *ctl = &e->ctl;
	struct ublkev_info full;

	if (!dev->active || e->mode == UBLKEV__CTL_REMOVE || !ctl->added)
		return -EAGAIN;
	full = (struct ublkev_info){
		.dev_bytes = e->backend->limits.dev_bytes,
		.features = ctl->info.features,
		.kernel_features = ctl->kernel_features,
		.max_io_bytes = ctl->info.max_io_bytes,
		.logical_block_bytes = e->backend->limits.logical_block_bytes,
		.queues = ctl->info.queues,
		.depth = ctl->info.depth,
	};
	copy_out(info, size, &full, sizeof(full));
	return 0;
}

int ublkev_dev_stats(const struct ublkev_dev *dev, struct ublkev_stats *stats,
		     size_t size)
{
	const struct ublkev__engine *e = dev->priv;

	if (e->ctl.step == UBLKEV_STEP_IDLE)
		return -EINVAL;
	copy_out(stats, size, &e->lane.stats, sizeof(e->lane.stats));
	return 0;
}

static void list(struct ublkev_inflight *v, const struct ublkev_req *req,
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

static unsigned int list_queue(const struct ublkev__queue *q,
			       struct ublkev_inflight *v, unsigned int max,
			       uint64_t now_us)
{
	unsigned int i, n = 0;

	for (i = 0; i < q->depth && n < max; i++)
		if (q->tags[i].state == UBLKEV__TAG_BACKEND)
			list(&v[n++], &q->tags[i].req,
			     q->since_us ? now_us - q->since_us[i] : 0);
	return n;
}

unsigned int ublkev_dev_inflight(const struct ublkev_dev *dev,
				 struct ublkev_inflight *v, unsigned int max)
{
	const struct ublkev__engine *e = dev->priv;
	uint64_t now_us = ublkev__clock_us();
	unsigned int i, listed = 0, total = 0;

	for (i = 0; i < e->nr_queues; i++) {
		listed += list_queue(&e->queues[i], v + listed, max - listed,
				     now_us);
		total += e->queues[i].nr_backend;
	}
	return total;
}
