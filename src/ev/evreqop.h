/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evreqop.h - what backends begin for requests of their own: ublkev/reqop.h
 *
 * Operations on files go to the ring and come back as those of evfile.h do, from
 * which their completions are told by the tag: it has either. For core/queue.h
 * the request is the backend's until all is back.
 */
#ifndef UBLKEV_EV_EVREQOP_H
#define UBLKEV_EV_EVREQOP_H

#include <stdbool.h>
#include <stdint.h>

#include <ublkev/reqop.h>

struct ublkev__cqe;
struct ublkev__engine;
struct ublkev__lane;
struct ublkev__tagops;
struct ublkev__reqop_calls;

/* the public calls, for backends of the library's own */
extern const struct ublkev__reqop_calls ublkev__reqop_calls;

/* the backend's limits have UBLKEV_LIMIT_REQ_OPS */
bool ublkev__reqop_used(const struct ublkev_backend *b);

/* queues SQEs, as long as there is room; l->wanting_ops: want some */
void ublkev__reqop_out(struct ublkev__lane *l);

/* whether it was an operation of a backend's, which is taken */
bool ublkev__reqop_cqe(struct ublkev__lane *l, const struct ublkev__cqe *cqe);

/* takes the jobs of the lane that are done */
void ublkev__reqop_take(struct ublkev__lane *l);

/*
 * The backend has answered, be it by submit() or later. true: something of the
 * request is out, after which the answer counts, or the request is another
 * server's.
 */
bool ublkev__reqop_answer(struct ublkev__engine *e, uint64_t cookie, int err);
/* the same of what a submit() has just answered, be it that it is no end */
bool ublkev__reqop_keeps_answer(struct ublkev__lane *l, uint64_t cookie,
				int res);

/*
 * ---- what a request of the device's and a sub-request have in common
 *
 * Where what is out of the request is noted, and the lane of its thread. Errors:
 * those of reqop.h.
 */
int ublkev__reqop_resolve(struct ublkev_backend *b, struct ublkev_req *req,
			  struct ublkev__lane **lp, struct ublkev__tagops **tp);
struct ublkev__lane *ublkev__reqop_lane(struct ublkev__engine *e,
					unsigned int queue);

/* nothing more is to be said of it: the request may have its answer */
void ublkev__reqop_settle(struct ublkev__lane *l, struct ublkev__tagops *t);

/* what was pulled of the slot completed; false: nothing was */
bool ublkev__reqop_complete(struct ublkev__lane *l, struct ublkev__tagops *t,
			    unsigned int slot, int res);

/* after an abort or a recall: what is due is not begun */
void ublkev__reqop_end(struct ublkev__lane *l, struct ublkev__tagops *t);

/* the device's request, which that one is a part of, is another server's */
void ublkev__reqop_withdraw(struct ublkev__lane *l,
			    const struct ublkev_req *req);

/* the queues were aborted; nothing is to be begun any more */
void ublkev__reqop_abort(struct ublkev__lane *l);
void ublkev__reqop_recall(struct ublkev__lane *l);

#endif
