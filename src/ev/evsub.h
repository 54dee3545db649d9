/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evsub.h - what a layer has the backends beneath it do for a request:
 * ublkev_lower_submit() of ublkev/layer.h
 *
 * A sub-request is one of its lower backend as a tag's is one of the device's: it
 * has operations and work of its own (ownops.h), is placed in files (placed.h), and
 * is the parent of others where that backend is a layer. What it wants of the ring
 * goes there under the name of the tag that all is for, in one of a few slots that
 * the tag's sub-requests share. Its cookie tells lane and place, and never comes
 * again.
 *
 *	         submit() answers                  the lower backend answers, all
 *	FREE --------------------> BACKEND, AGAIN ---------------------------> ENDED
 *	                           PLACED          that is out has ended
 *
 * ENDED, the layer is told from the pump, after what was reaped, never inside
 * another call of a backend's; then the parent may be answered, and so on up.
 *
 * All of it belongs to the lane, whose thread is the only one to look at it.
 */
#ifndef UBLKEV_EV_EVSUB_H
#define UBLKEV_EV_EVSUB_H

#include <stdbool.h>
#include <stdint.h>

#include <ublkev/layer.h>

#include "core/ownops.h"
#include "core/placed.h"
#include "ev/evoffload.h"

struct ublkev__cqe;
struct ublkev__engine;
struct ublkev__lane;
struct ublkev__sub;
struct ublkev__turn;

/* what is out of a request, of a tag's or of a sub-request: evreqop.c, evsub.c */
struct ublkev__tagops {
	struct ublkev__reqops o;
	struct ublkev__job job;		/* o.works: out */
	ublkev_work_fn *work;
	ublkev_req_fn *work_done;
	void *ctx;
	struct ublkev_backend *backend;	/* whose operations and work these are */
	struct ublkev__sub *sub;	/* whose it is; NULL: a tag's */
	int work_res;
};

/* pieces of a tag's operations from UBLKEV_MAX_REQ_OPS on are sub-requests' */
#define UBLKEV__SUB_SLOTS	4u

/* of a tag */
struct ublkev__tagsubs {
	struct ublkev__sub *slots[UBLKEV__SUB_SLOTS]; /* whose flies in it; NULL:
							 it is free */
	uint8_t pieces[UBLKEV__SUB_SLOTS];	/* which of that one's */
	struct ublkev__sub *waiting;	/* for a slot: the first */
	struct ublkev__sub *last_waiting;
};

/* of a lane; all zeroes: there are none yet */
struct ublkev__subs {
	struct ublkev__sub *free;
	struct ublkev__sub *ended, *last_ended;
	struct ublkev__sub *again, *last_again;
	struct ublkev__sub *wanting, *last_wanting; /* want SQEs */
	void **chunks;
	unsigned int nr_chunks;
	bool unflushed;			/* one was submitted since the last
					   flush() */
	bool due;			/* something is to be done about one of
					   these: ended, again, unflushed */
};

enum ublkev__sub_state {
	UBLKEV__SUB_FREE,
	UBLKEV__SUB_INSIDE,	/* submit() has not returned */
	UBLKEV__SUB_BACKEND,	/* the lower backend has it */
	UBLKEV__SUB_AGAIN,	/* and is to go on with it */
	UBLKEV__SUB_PLACED,
	UBLKEV__SUB_ENDED,	/* the layer is to be told */
};

struct ublkev__sub {
	union {
		struct ublkev__tagops t;
		struct ublkev__placed p;	/* PLACED */
	};
	struct ublkev_req req;
	struct ublkev__sub *next;	/* free, ended or again */
	struct ublkev__sub *next_wanting; /* listed: or waiting */
	struct ublkev_lower *lower;
	struct ublkev__tagops *parent;
	struct ublkev_req *parent_req;
	ublkev_sub_fn *done;
	void *data;
	uint32_t index;
	int err;			/* answered, ENDED */
	uint8_t state;			/* enum ublkev__sub_state */
	bool listed;
	bool answered;			/* INSIDE: by ublkev_req_done() */
	bool placed;			/* it is p */
	uint8_t slot_of[UBLKEV_MAX_EXTENTS]; /* a flying piece's */
};

/* whether anybody is to be told of an end */
static inline bool ublkev__subs_are_due(const struct ublkev__subs *v)
{
	return v->ended || v->again;
}

/*
 * Goes on with those that are AGAIN, once each and as long as the turn's budget
 * lasts, and tells layers of those that have ended. Whether flush() is owed.
 */
__attribute__((cold))
bool ublkev__subs_run(struct ublkev__lane *l, struct ublkev__turn *turn);

/* The same, if there is anything due: `v` are the lane's. */
static inline bool ublkev__subs_serve(struct ublkev__lane *l,
				      const struct ublkev__subs *v,
				      struct ublkev__turn *turn)
{
	return __builtin_expect(v->due, 0) && ublkev__subs_run(l, turn);
}

/* flush() is about to be called */
static inline void ublkev__subs_flushed(struct ublkev__subs *v)
{
	if (!v->due)
		return;
	v->unflushed = false;
	v->due = ublkev__subs_are_due(v);
}

/* queues SQEs, as long as there is room; l->subs.wanting: want some */
void ublkev__subs_out(struct ublkev__lane *l);
/* it wants SQEs */
void ublkev__sub_list(struct ublkev__lane *l, struct ublkev__sub *s);

/* whether it was an operation of a sub-request's, which is taken */
bool ublkev__sub_cqe(struct ublkev__lane *l, const struct ublkev__cqe *cqe);

/* that the lower backend `b` has; NULL: it has no such request */
struct ublkev__sub *ublkev__sub_of(const struct ublkev__subs *v,
				   const struct ublkev_backend *b,
				   const struct ublkev_req *req);

/* the lower backend has answered, and nothing of it is out */
void ublkev__sub_answered(struct ublkev__lane *l, struct ublkev__sub *s,
			  int err);
/* a ublkev__guard_done_fn, whose owner is a struct ublkev_lower */
void ublkev__sub_done(void *lower, uint64_t cookie, int err);

/* the queues were aborted; nothing is to be begun any more */
void ublkev__subs_abort(struct ublkev__lane *l);
void ublkev__subs_recall(struct ublkev__lane *l);

void ublkev__subs_free(struct ublkev__subs *v);
/* somebody may touch them still: they stay where they are, for good */
void ublkev__subs_leave(struct ublkev__subs *v);

#endif
