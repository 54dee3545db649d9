/* SPDX-License-Identifier: BSD-2-Clause */
/* Which states of a queue, and of its tags, there may be. */
#include "core/queue.h"

#include <assert.h>

/* HOW() is the set of one value of tag.how; sets are ORed. */
#define AWAY	UBLKEV__HOW_AWAY
#define DIRECT	UBLKEV__HOW_DIRECT
#define AGAIN	UBLKEV__HOW_AGAIN
#define FAULT	UBLKEV__HOW_FAULT
#define ASKED	UBLKEV__HOW_ASKED
#define BEGUN	UBLKEV__HOW_BEGUN
#define HOW(bits)	(UINT64_C(1) << (bits))

/*
 * map() had no address: of a READ, and of a WRITE whose data came to a buffer.
 */
#define HOW_TO_BUFFER	(HOW(ASKED) | HOW(ASKED | BEGUN))
#define HOW_FROM_BUFFER	(HOW(ASKED | AGAIN) | HOW(ASKED | AGAIN | BEGUN))
/* The request has no data, or the backend was not asked for its memory yet. */
#define HOW_PLAIN	(HOW(0) | HOW(BEGUN))

/*
 * PLAIN: the driver brings and takes the data, and how tells nothing of them.
 */
static const uint64_t queue_how_plain[UBLKEV__NR_TAG_STATES] = {
	[UBLKEV__TAG_IDLE] = HOW(0),
	[UBLKEV__TAG_DRIVER] = HOW_PLAIN,
	[UBLKEV__TAG_READY] = HOW_PLAIN,
	[UBLKEV__TAG_BACKEND] = HOW_PLAIN,
	[UBLKEV__TAG_RESULT] = HOW_PLAIN,
	[UBLKEV__TAG_DEAD] = HOW_PLAIN,
};

/* The driver is told to move data; DRIVER and DEAD have what a request left. */
static const uint64_t queue_how_moved[UBLKEV__NR_TAG_STATES] = {
	[UBLKEV__TAG_IDLE] = HOW(0),
	[UBLKEV__TAG_DRIVER] = ~UINT64_C(0),
	[UBLKEV__TAG_READY] = HOW_PLAIN | HOW(AWAY) | HOW(ASKED | AWAY) |
			      HOW_TO_BUFFER | HOW_FROM_BUFFER,
	[UBLKEV__TAG_BACKEND] = HOW_PLAIN | HOW_TO_BUFFER | HOW_FROM_BUFFER,
	[UBLKEV__TAG_RESULT] = HOW_PLAIN | HOW_TO_BUFFER | HOW_FROM_BUFFER |
			       HOW(DIRECT),
	[UBLKEV__TAG_DEAD] = ~UINT64_C(0),
};

/* A WRITE in MOVE, MOVING: to the backend's memory, a buffer, or for nobody. */
#define HOW_IN	(HOW(AWAY | DIRECT) | HOW(AWAY | ASKED | AGAIN) | HOW(AWAY) | \
		 HOW(AWAY | ASKED) | HOW(AWAY | FAULT))

static uint64_t queue_legal_how(const struct ublkev__queue *q,
				const struct ublkev__tag *t)
{
	bool user = q->copy >= UBLKEV__XFER_USER;
	bool moves = t->state == UBLKEV__TAG_MOVE ||
		     t->state == UBLKEV__TAG_MOVING;

	if (!q->copy)
		return queue_how_plain[t->state];
	if (moves && user)
		return HOW(AWAY | DIRECT) | HOW(AWAY | ASKED | AGAIN) |
		       HOW(DIRECT) | HOW_TO_BUFFER;
	if (moves)
		return HOW_IN;
	if (t->state != UBLKEV__TAG_RESULT)
		return queue_how_moved[t->state];
	/* a request that fails leaves its data with the driver: USER_COPY */
	return queue_how_moved[t->state] |
	       (user && t->result < 0 ? HOW(AWAY) | HOW(AWAY | ASKED) :
		user ? 0 : HOW(FAULT));
}

/*
 * Nobody is asked for the memory of these. A report has no data at first; an
 * append's are AWAY until they are in its buffer (AGAIN).
 */
static void queue_verify_zoned(const struct ublkev__queue *q,
			       const struct ublkev__tag *t)
{
	uint64_t how = t->req.op == UBLKEV_OP_REPORT_ZONES ? HOW(0) :
		       HOW(AWAY) | HOW(AGAIN) | HOW(AWAY | AGAIN);

	if (t->state == UBLKEV__TAG_IDLE || t->state == UBLKEV__TAG_DRIVER ||
	    t->state == UBLKEV__TAG_DEAD)
		return;
	if (t->req.op == UBLKEV_OP_ZONE_APPEND &&
	    t->state == UBLKEV__TAG_BACKEND)
		how = HOW(AGAIN);
	/* how it fails before it is known as one: without a range */
	if (t->state == UBLKEV__TAG_RESULT && t->result < 0)
		how |= HOW(0);
	assert(q->copy < UBLKEV__XFER_USER ||
	       how >> (t->how & ~UBLKEV__HOW_BEGUN) & 1);
}

/* LENT, there is nothing more to it; UNLENT, all that there is with USER */
static void queue_verify_how(const struct ublkev__queue *q,
			     const struct ublkev__tag *t)
{
	const unsigned int lent = UBLKEV__HOW_LENT | UBLKEV__HOW_UNLENT;

	assert(!(t->how & lent) || q->copy == UBLKEV__XFER_ZERO);
	if (t->how & UBLKEV__HOW_LENT) {
		assert(t->how == UBLKEV__HOW_LENT);
		assert(t->req.op <= UBLKEV_OP_WRITE);
		assert(t->state != UBLKEV__TAG_IDLE &&
		       t->state != UBLKEV__TAG_READY &&
		       t->state != UBLKEV__TAG_MOVE &&
		       t->state != UBLKEV__TAG_MOVING);
		return;
	}
	if (t->req.op == UBLKEV_OP_REPORT_ZONES ||
	    t->req.op == UBLKEV_OP_ZONE_APPEND)
		queue_verify_zoned(q, t);
	else
		assert(queue_legal_how(q, t) >> (t->how & ~lent) & 1);
}

static void queue_verify_tag(const struct ublkev__queue *q,
			     const struct ublkev__tag *t, unsigned int i)
{
	bool data = t->req.op <= UBLKEV_OP_WRITE;
	bool zoned = t->req.op >= UBLKEV_OP_REPORT_ZONES;

	assert(t->req.queue == q->id && t->req.tag == i);
	assert(ublkev__cookie_tag(t->req.cookie) == i);
	assert(ublkev__cookie_queue(t->req.cookie) == q->number);
	assert(t->req.thread == q->number);
	queue_verify_how(q, t);
	switch (t->state) {
	case UBLKEV__TAG_READY:
		assert(!q->failing);
		break;
	case UBLKEV__TAG_BACKEND:
		assert(!q->failing);
		if (t->req.flags & UBLKEV_REQ_SHARED)
			assert(data && t->req.buf && !(t->how & ~BEGUN));
		if (!q->copy || zoned || t->how & UBLKEV__HOW_LENT ||
		    t->req.flags & UBLKEV_REQ_SHARED)
			break;
		/* a request with data has a buffer; a WRITE's data are in it */
		assert(data == !!(t->how & ASKED) && (!data || q->bufs));
		assert(!(t->how & AGAIN) == (t->req.op != UBLKEV_OP_WRITE));
		break;
	case UBLKEV__TAG_MOVE:
	case UBLKEV__TAG_MOVING:
		assert(!(t->how & AGAIN) || !t->result || zoned);
		break;
	default:
		break;
	}
}

static void queue_verify_list(const struct ublkev__queue *q,
			const struct ublkev__taglist *list, unsigned int states)
{
	unsigned int i = list->head;
	unsigned int n;

	for (n = list->nr; n; n--) {
		assert(i < q->depth && states & 1u << q->tags[i].state);
		assert((n == 1) == (i == list->tail));
		i = q->tags[i].next;
	}
}

void ublkev__queue_verify(const struct ublkev__queue *q)
{
	unsigned int nr[UBLKEV__NR_TAG_STATES] = { 0 };
	unsigned int i;

	for (i = 0; i < q->depth; i++) {
		assert(q->tags[i].state < UBLKEV__NR_TAG_STATES);
		nr[q->tags[i].state]++;
		if (q->tags[i].state != UBLKEV__TAG_OTHERS)
			queue_verify_tag(q, &q->tags[i], i);
	}
	assert(nr[UBLKEV__TAG_OTHERS] + q->nr_tags == q->depth);
	/* once BATCH_IO's driver has let go of all, it has none */
	assert(!q->gone || !nr[UBLKEV__TAG_DRIVER]);
	assert(nr[UBLKEV__TAG_DEAD] == q->nr_dead);
	assert(nr[UBLKEV__TAG_BACKEND] == q->nr_backend);
	assert(q->in.nr == nr[UBLKEV__TAG_READY]);
	nr[UBLKEV__TAG_RESULT] += nr[UBLKEV__TAG_MOVE];
	assert(q->out.nr >= nr[UBLKEV__TAG_RESULT]);
	assert(q->out.nr <= nr[UBLKEV__TAG_RESULT] + nr[UBLKEV__TAG_IDLE]);
	queue_verify_list(q, &q->in, 1u << UBLKEV__TAG_READY);
	queue_verify_list(q, &q->out,
			  1u << UBLKEV__TAG_RESULT | 1u << UBLKEV__TAG_MOVE |
			  1u << UBLKEV__TAG_IDLE);
}
