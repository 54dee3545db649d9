/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is said of a queue before it has a request: its tags, or the part of them
 * that is one thread's, their buffers, how data are moved.
 */
#include "core/queue.h"

#include <string.h>

void ublkev__queue_init(struct ublkev__queue *q, unsigned int id,
			unsigned int depth, uint32_t generation,
			struct ublkev__tag *tags, uint64_t *since_us,
			struct ublkev_stats *stats)
{
	unsigned int i;

	memset(q, 0, sizeof(*q));
	q->tags = tags;
	q->stats = stats;
	q->since_us = since_us;
	q->id = (uint16_t)id;
	q->number = (uint16_t)id;
	q->depth = (uint16_t)depth;
	q->nr_tags = (uint16_t)depth;
	memset(tags, 0, depth * sizeof(*tags));
	for (i = 0; i < depth; i++) {
		tags[i].req.queue = (uint16_t)id;
		tags[i].req.thread = (uint16_t)id;
		tags[i].req.tag = (uint16_t)i;
		tags[i].req.cookie = generation * UBLKEV__GENERATION |
				     id << 16 | i;
	}
}

void ublkev__queue_share(struct ublkev__queue *q, unsigned int part,
			 unsigned int of)
{
	struct ublkev__tag *t;
	unsigned int i;

	q->nr_tags = 0;
	q->number = (uint16_t)(q->id * of + part);
	for (i = 0; i < q->depth; i++) {
		t = &q->tags[i];
		if (i % of != part) {
			t->state = UBLKEV__TAG_OTHERS;
			continue;
		}
		q->nr_tags++;
		t->req.cookie &= ~((uint64_t)UINT16_MAX << 16);
		t->req.cookie |= (uint64_t)q->number << 16;
		t->req.thread = q->number;
	}
}

uint32_t ublkev__queue_generation(const struct ublkev__queue *q)
{
	uint64_t youngest = 0;
	unsigned int i;

	for (i = 0; i < q->depth; i++)
		if (q->tags[i].req.cookie > youngest)
			youngest = q->tags[i].req.cookie;
	return (uint32_t)(youngest / UBLKEV__GENERATION) + 1;
}

void ublkev__queue_set_xfer(struct ublkev__queue *q, enum ublkev__xfer copy,
			    bool no_data)
{
	if (no_data && copy == UBLKEV__XFER_USER)
		copy = UBLKEV__XFER_PLAIN;
	q->copy = (uint8_t)copy;
}

void ublkev__queue_set_bufs(struct ublkev__queue *q, void *buf, void *spare,
			    uint32_t max_io_bytes)
{
	q->bufs = buf;
	q->spare = spare;
	q->max_io_bytes = max_io_bytes;
	q->stride_bytes = max_io_bytes;
}
