/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ownops.h - what a backend has begun for a request of one tag
 *
 * Operations on files, each in a slot of its own, and work of a thread's. Facts
 * are told (add, cqe, answer, abort, recall), operations are pulled (next). Of a
 * slot:
 *
 *	       add           next             cqe: the end of it
 *	FREE -------> DUE -----------> FLYING -------------------> FREE
 *	               ^                  |
 *	               +------------------+ cqe: a part, EAGAIN, EINTR
 *
 * The request is the backend's until nothing of it is out, whatever it was
 * answered with before. An abort has answered it; a recall leaves it to another
 * server if it has cut anything short.
 */
#ifndef UBLKEV_CORE_OWNOPS_H
#define UBLKEV_CORE_OWNOPS_H

#include <stdbool.h>
#include <stdint.h>

#include <ublkev/reqop.h>

#include "core/placed.h"

struct ublkev__reqop {
	struct ublkev__fileop op;	/* what is left to be done of it */
	ublkev_req_fn *done;
	uint32_t all_bytes;
	uint32_t moved_bytes;
	uint8_t tries;
};

/* aligned, for another thread may serve the next queue's */
struct ublkev__reqops {
	_Alignas(64) struct ublkev_req *req; /* NULL: nothing is out */
	struct ublkev__reqops *next;	/* in a list of the owner's */
	bool listed;			/* there: likewise the owner's */
	uint8_t used;			/* a bit for each slot */
	uint8_t todo, flying;		/* of those used */
	uint8_t cancel;			/* is to be cancelled */
	bool works;			/* a thread has it, or is to have it */
	unsigned int subs;		/* sub-requests of a layer's that are out */
	bool answered;
	bool aborted;
	bool recalled;
	bool withdrawn;			/* the recall cut something short */
	int err;			/* answered: the first one; <= 0 */
	struct ublkev__reqop v[UBLKEV_MAX_REQ_OPS];
};

/* Whether anything is out, be it due or with the kernel, a thread or a backend. */
static inline bool ublkev__reqops_out(const struct ublkev__reqops *o)
{
	return o->used || o->works || o->subs;
}

static inline bool ublkev__reqops_want(const struct ublkev__reqops *o)
{
	return o->todo | o->cancel;
}

/*
 * Fact: the backend has begun something for `req`, the first or another. Then
 * add or works follows. Errors: -ECANCELED, none is begun any more.
 */
int ublkev__reqops_begin(struct ublkev__reqops *o, struct ublkev_req *req);

/*
 * Fact: that operation is to be done. Errors: -EBUSY. READ and WRITE are of
 * INT32_MAX bytes at most.
 */
int ublkev__reqops_add(struct ublkev__reqops *o,
		       const struct ublkev__fileop *op, ublkev_req_fn *done);

/* what to do next; false: nothing, until one more fact */
bool ublkev__reqops_next(struct ublkev__reqops *o, struct ublkev__fileop *op);

/*
 * Fact: what was pulled of the slot completed with `res`. -EPROTO: nothing was
 * out of it; 0: it goes on; 1: it has ended, the slot is free, *done is to be
 * called with *resp, which for NULL is an answer.
 */
int ublkev__reqops_cqe(struct ublkev__reqops *o, unsigned int slot, int res,
		       ublkev_req_fn **done, int *resp);

/* Fact: the work has come back; `dropped`: it was never begun. */
void ublkev__reqops_worked(struct ublkev__reqops *o, bool dropped);

/* Fact: the request is answered with err, 0 or negative, once all is back. */
void ublkev__reqops_answer(struct ublkev__reqops *o, int err);

/*
 * Fact: whatever was to follow from the last one has. true: nothing is out, the
 * request is not to be known here any more, and is answered with *err if *answers.
 */
bool ublkev__reqops_settle(struct ublkev__reqops *o, bool *answers, int *err);

/*
 * The same of a sub-request, whose layer is told whatever has become of it: true:
 * it has an answer.
 */
bool ublkev__reqops_settle_sub(struct ublkev__reqops *o, int *err);

/*
 * After an abort or a recall: an operation that is due is not begun, and as
 * good as with the kernel, which is to complete it with -ECANCELED. false: there
 * is none.
 */
bool ublkev__reqops_drop(struct ublkev__reqops *o, unsigned int *slot);

/* Fact: something was not begun, for another server is to have the request. */
void ublkev__reqops_refuse(struct ublkev__reqops *o, struct ublkev_req *req);

/* Fact: the request was failed, and only what is out keeps it. */
void ublkev__reqops_abort(struct ublkev__reqops *o);
/* Fact: nothing is to be out any more, for the device is closed. */
void ublkev__reqops_recall(struct ublkev__reqops *o);

/* asserts that all of the above holds; for tests */
void ublkev__reqops_verify(const struct ublkev__reqops *o);

#endif
