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

/* the queues were aborted; nothing is to be begun any more */
void ublkev__reqop_abort(struct ublkev__lane *l);
void ublkev__reqop_recall(struct ublkev__lane *l);

#endif
