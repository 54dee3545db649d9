/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sub-requests: given to the lower backend, carried to the ring and back, ended,
 * and the layer told. subpool.c keeps their memory.
 */
#include "ev/evsub.h"

#include <errno.h>
#include <string.h>

#include "backend/guard.h"
#include "ev/engine.h"
#include "ev/evloop.h"
#include "ev/evreqop.h"
#include "ev/evsubpool.h"
#include "ev/evturn.h"
#include "ev/evworker.h"
#include "layer/lower.h"
#include "util/check.h"
#include "util/thread.h"

static struct ublkev__tagsubs *sub_slots(const struct ublkev__lane *l,
					 const struct ublkev__sub *s)
{
	const struct ublkev__queue *q = &l->e->queues[s->req.thread];

	return &l->e->tagsubs[(size_t)q->id * q->depth + s->req.tag];
}

/* ---- ends -------------------------------------------------------------------- */

static void sub_push(struct ublkev__sub **first, struct ublkev__sub **last,
		     struct ublkev__sub *s)
{
	s->next = NULL;
	if (*first)
		(*last)->next = s;
	else
		*first = s;
	*last = s;
}

static void sub_push_due(struct ublkev__lane *l, struct ublkev__sub **first,
			 struct ublkev__sub **last, struct ublkev__sub *s)
{
	sub_push(first, last, s);
	l->subs.due = true;
	ublkev__evloop_kick(l);
}

void ublkev__sub_answered(struct ublkev__lane *l, struct ublkev__sub *s,
			  int err)
{
	s->state = UBLKEV__SUB_ENDED;
	s->err = err;
	sub_push_due(l, &l->subs.ended, &l->subs.last_ended, s);
}

/* of a sub-request that the lower backend still has: what there is to note */
static bool sub_take_answer(struct ublkev__lane *l, struct ublkev__sub *s,
			    int err)
{
	bool inside = s->state == UBLKEV__SUB_INSIDE;

	if (!inside && s->state != UBLKEV__SUB_BACKEND)
		return false;
	if (s->t.o.req) {
		ublkev__reqops_answer(&s->t.o, err);
	} else if (!inside) {
		ublkev__sub_answered(l, s, err);
	} else {
		if (s->answered)
			return false;
		s->answered = true;
		s->err = err;
	}
	return true;
}

void ublkev__sub_done(void *owner, uint64_t cookie, int err)
{
	const struct ublkev_lower *w = owner;
	struct ublkev__engine *e = w->layer->device;
	unsigned int thread = ublkev__subpool_thread(cookie);
	struct ublkev__lane *l;
	struct ublkev__sub *s = NULL;

	ublkev__check(e->nr_workers || e->thread == ublkev__thread_self(),
		      "requests are answered in the thread of the loop");
	if (thread < e->nr_queues) {
		l = ublkev__reqop_lane(e, thread);
		s = ublkev__subpool_find(&l->subs, cookie);
	}
	if (s && s->lower == w && sub_take_answer(l, s, err))
		return;
	__atomic_fetch_add(&e->lane.stats.stale_answers, 1, __ATOMIC_RELAXED);
	ublkev__log(&e->log, LOG_ERR,
		    "backend %s answered request %#llx, which is not outstanding",
		    w->beneath->ops.name, (unsigned long long)cookie);
}

/* one that a list still has goes when it is taken from there */
static void sub_free(struct ublkev__lane *l, struct ublkev__sub *s)
{
	s->state = UBLKEV__SUB_FREE;
	if (!s->listed)
		ublkev__subpool_put(&l->subs, s);
}

/* the layer is told, and its request may be over with that */
static void sub_finish(struct ublkev__lane *l, struct ublkev__sub *s)
{
	struct ublkev__tagops *parent = s->parent;
	struct ublkev_lower *w = s->lower;
	int answer = s->err;

	if (s->done)
		answer = ublkev__guard_sub_done(w->layer, s->done,
						s->parent_req, s->data, s->err);
	sub_free(l, s);
	__atomic_sub_fetch(&w->subs, 1, __ATOMIC_RELAXED);
	if (answer != UBLKEV_LATER)
		ublkev__reqops_answer(&parent->o, answer);
	parent->o.subs--;
	ublkev__reqop_settle(l, parent);
}

/* ---- to the lower backend ------------------------------------------------------- */

static void sub_list_again(struct ublkev__lane *l, struct ublkev__sub *s)
{
	s->state = UBLKEV__SUB_AGAIN;
	sub_push_due(l, &l->subs.again, &l->subs.last_again, s);
}

/*
 * What the lower submit() has just answered, or UBLKEV_LATER. As long as something
 * is out an answer waits for it, as a tag's does.
 */
static int sub_judge(struct ublkev__lane *l, struct ublkev__sub *s, int answer)
{
	struct ublkev__reqops *o = &s->t.o;

	if (!l->subs.unflushed)
		ublkev__evloop_kick(l);
	l->subs.unflushed = l->subs.due = true;
	if (s->answered && answer >= UBLKEV_DONE)
		answer = s->err;
	if (o->req) {
		s->state = UBLKEV__SUB_BACKEND;
		if (answer <= UBLKEV_DONE)
			ublkev__reqops_answer(o, answer);
		return UBLKEV_LATER;
	}
	if (answer == UBLKEV_AGAIN) {
		sub_list_again(l, s);
		return UBLKEV_LATER;
	}
	s->state = UBLKEV__SUB_BACKEND;
	return answer;
}

static int sub_submit(struct ublkev__lane *l, struct ublkev__sub *s)
{
	bool rejected;

	s->placed = false;
	s->t.sub = s;
	s->t.backend = s->lower->beneath;
	s->t.o.req = NULL;
	s->t.o.listed = false;
	s->answered = false;
	s->state = UBLKEV__SUB_INSIDE;
	return sub_judge(l, s, ublkev__guard_submit(s->lower->beneath, &s->req,
						    &rejected));
}

static void sub_go_on(struct ublkev__lane *l, struct ublkev__sub *s)
{
	bool rejected;
	int answer;

	s->state = UBLKEV__SUB_INSIDE;
	answer = sub_judge(l, s, ublkev__guard_go_on(s->lower->beneath, &s->req,
						     &rejected));
	if (answer != UBLKEV_LATER)
		ublkev__sub_answered(l, s, answer);
}

/* ---- files ---------------------------------------------------------------------- */

static bool sub_wants(const struct ublkev__sub *s)
{
	return s->placed ? ublkev__placed_wants(&s->p)
			 : ublkev__reqops_want(&s->t.o);
}

/* what it wants first is to be cancelled, for which it needs no slot */
static bool sub_wants_slot(const struct ublkev__sub *s)
{
	return !(s->placed ? s->p.cancel : s->t.o.cancel);
}

void ublkev__sub_list(struct ublkev__lane *l, struct ublkev__sub *s)
{
	struct ublkev__subs *v = &l->subs;

	if (s->listed)
		return;
	s->listed = true;
	s->next_wanting = NULL;
	if (v->wanting)
		v->last_wanting->next_wanting = s;
	else
		v->wanting = s;
	v->last_wanting = s;
}

static void sub_wait(struct ublkev__tagsubs *slots, struct ublkev__sub *s)
{
	s->listed = true;
	s->next_wanting = NULL;
	if (slots->waiting)
		slots->last_waiting->next_wanting = s;
	else
		slots->waiting = s;
	slots->last_waiting = s;
}

/* those that wait for a slot of the tag's are looked at again */
static void sub_unwait(struct ublkev__lane *l, struct ublkev__tagsubs *slots)
{
	struct ublkev__sub *s = slots->waiting, *next;

	slots->waiting = NULL;
	for (; s; s = next) {
		next = s->next_wanting;
		s->listed = false;
		if (s->state == UBLKEV__SUB_FREE)
			ublkev__subpool_put(&l->subs, s);
		else
			ublkev__sub_list(l, s);
	}
}

static unsigned int sub_free_slot(const struct ublkev__tagsubs *slots)
{
	unsigned int i = 0;

	while (i < UBLKEV__SUB_SLOTS && slots->slots[i])
		i++;
	return i;
}

static bool sub_next(struct ublkev__sub *s, struct ublkev__fileop *op)
{
	return s->placed ? ublkev__placed_next(&s->p, op)
			 : ublkev__reqops_next(&s->t.o, op);
}

/* the name of the operation in the ring is the slot's */
static void sub_name(struct ublkev__tagsubs *slots, struct ublkev__sub *s,
		     struct ublkev__fileop *op)
{
	unsigned int i;

	if (op->kind != UBLKEV__FILEOP_CANCEL) {
		i = sub_free_slot(slots);
		slots->slots[i] = s;
		slots->pieces[i] = op->piece;
		s->slot_of[op->piece] = (uint8_t)i;
	}
	op->piece = (uint8_t)(UBLKEV_MAX_REQ_OPS + s->slot_of[op->piece]);
}

/* false: there is no room for more, in the ring */
static bool sub_pull(struct ublkev__lane *l, struct ublkev__sub *s)
{
	struct ublkev__tagsubs *slots = sub_slots(l, s);
	struct ublkev__fileop op;

	while (s->state != UBLKEV__SUB_FREE && sub_wants(s)) {
		if (sub_wants_slot(s) &&
		    sub_free_slot(slots) == UBLKEV__SUB_SLOTS)
			return true;
		if (!ublkev__io_has_file_room(l->io))
			return false;
		if (!sub_next(s, &op))
			return true;
		sub_name(slots, s, &op);
		ublkev__io_file(l->io, s->req.queue, s->req.tag, &op);
		l->nr_flying += op.kind != UBLKEV__FILEOP_CANCEL;
	}
	return true;
}

void ublkev__subs_out(struct ublkev__lane *l)
{
	struct ublkev__sub *s;

	while ((s = l->subs.wanting)) {
		if (!sub_pull(l, s))
			return;
		l->subs.wanting = s->next_wanting;
		s->listed = false;
		if (s->state == UBLKEV__SUB_FREE)
			ublkev__subpool_put(&l->subs, s);
		else if (sub_wants(s))
			sub_wait(sub_slots(l, s), s);
	}
}

/* ---- placed ----------------------------------------------------------------------- */

static int sub_end_placed(struct ublkev__lane *l, struct ublkev__sub *s)
{
	bool withdrawn = ublkev__placed_withdrawn(&s->p);

	l->punches |= s->p.punches;
	if (withdrawn)
		ublkev__reqop_withdraw(l, &s->req);
	return ublkev__guard_placed(s->lower->beneath, &s->req, s->p.err);
}

static void sub_go_on_placed(struct ublkev__lane *l, struct ublkev__sub *s)
{
	if (!ublkev__placed_over(&s->p)) {
		if (ublkev__placed_wants(&s->p))
			ublkev__sub_list(l, s);
		return;
	}
	l->nr_placed--;
	ublkev__sub_answered(l, s, sub_end_placed(l, s));
}

static int sub_place(struct ublkev__lane *l, struct ublkev__sub *s,
		     const struct ublkev_extent *extents, unsigned int nr)
{
	s->placed = true;
	s->state = UBLKEV__SUB_PLACED;
	s->p.punches = l->punches;
	ublkev__placed_started(&s->p, &s->req, extents, nr, UBLKEV__WAY_BUF,
			       s->req.buf);
	/* of no file, there was nothing to do */
	if (ublkev__placed_over(&s->p))
		return sub_end_placed(l, s);
	l->nr_placed++;
	ublkev__sub_list(l, s);
	ublkev__evloop_kick(l);
	return UBLKEV_LATER;
}

static int sub_begin(struct ublkev__lane *l, struct ublkev__sub *s)
{
	const struct ublkev_backend *b = s->lower->beneath;
	struct ublkev_extent extents[UBLKEV_MAX_EXTENTS];
	bool rejected;
	int n;

	if (!b->ops.place)
		return sub_submit(l, s);
	n = ublkev__guard_place(b, &s->req, extents, &rejected);
	if (n > 0)
		return sub_place(l, s, extents, (unsigned int)n);
	return n ? n : sub_submit(l, s);
}

/* ---- the call ------------------------------------------------------------------------ */

static void sub_fill(struct ublkev__sub *s, struct ublkev_lower *w,
		     const struct ublkev_req *req, const struct ublkev_req *sub)
{
	uint32_t name = __atomic_fetch_add(&w->beneath->generation, 1,
					   __ATOMIC_RELAXED);

	s->req = *sub;
	s->req.cookie = ublkev__subpool_cookie(name, req->thread, s->index);
	s->req.thread = req->thread;
	s->req.queue = req->queue;
	s->req.tag = req->tag;
	s->req.data = NULL;
	if (ublkev__lower_needs_no_fua(w->beneath, sub))
		s->req.flags &= ~UBLKEV_REQ_FUA;
	s->lower = w;
}

int ublkev_lower_submit(struct ublkev_lower *w, struct ublkev_req *req,
			const struct ublkev_req *sub, ublkev_sub_fn *done,
			void *data)
{
	struct ublkev__tagops *parent;
	struct ublkev__lane *l;
	struct ublkev__sub *s;
	int answer;

	answer = ublkev__reqop_resolve(w->layer, req, &l, &parent);
	if (answer)
		return answer;
	if (ublkev__lower_needs_no_flush(w->beneath, sub))
		return UBLKEV_DONE;
	s = ublkev__subpool_get(&l->subs);
	if (!s)
		return -ENOMEM;
	sub_fill(s, w, req, sub);
	s->parent = parent;
	s->parent_req = req;
	s->done = done;
	s->data = data;
	answer = sub_begin(l, s);
	if (answer != UBLKEV_LATER) {
		ublkev__subpool_put(&l->subs, s);
		return answer;
	}
	(void)ublkev__reqops_begin(&parent->o, req);
	parent->o.subs++;
	__atomic_add_fetch(&w->subs, 1, __ATOMIC_RELAXED);
	return UBLKEV_LATER;
}

struct ublkev__sub *ublkev__sub_of(const struct ublkev__subs *v,
				   const struct ublkev_backend *b,
				   const struct ublkev_req *req)
{
	struct ublkev__sub *s = ublkev__subpool_find(v, req->cookie);

	if (!s || &s->req != req || s->lower->beneath != b)
		return NULL;
	return s->state == UBLKEV__SUB_INSIDE ||
	       s->state == UBLKEV__SUB_BACKEND ? s : NULL;
}

/* ---- from the pump ----------------------------------------------------------------------- */

bool ublkev__sub_cqe(struct ublkev__lane *l, const struct ublkev__cqe *cqe)
{
	const struct ublkev__queue *q =
		&l->queues[ublkev__cqe_queue(cqe) - l->first_id];
	unsigned int i = ublkev__cqe_piece(cqe) - UBLKEV_MAX_REQ_OPS, piece;
	struct ublkev__tagsubs *slots;
	struct ublkev__sub *s;

	if (i >= UBLKEV__SUB_SLOTS)
		return false;
	slots = &l->e->tagsubs[(size_t)q->id * q->depth + cqe->tag];
	s = slots->slots[i];
	if (!s)
		return false;
	piece = slots->pieces[i];
	slots->slots[i] = NULL;
	l->nr_flying--;
	if (!s->placed)
		(void)ublkev__reqop_complete(l, &s->t, piece, cqe->res);
	else if (!ublkev__placed_cqe(&s->p, piece, cqe->res))
		sub_go_on_placed(l, s);
	sub_unwait(l, slots);
	return true;
}

static void sub_finish_all(struct ublkev__lane *l)
{
	struct ublkev__sub *s;

	while ((s = l->subs.ended)) {
		l->subs.ended = s->next;
		sub_finish(l, s);
	}
}

/* those that say so once more are behind all others, in the next round */
static void sub_go_on_all(struct ublkev__lane *l, struct ublkev__turn *turn)
{
	struct ublkev__sub *s = l->subs.again, *next;

	l->subs.again = NULL;
	for (; s; s = next) {
		next = s->next;
		if (!ublkev__turn_goes_on(l, turn)) {
			sub_list_again(l, s);
			continue;
		}
		ublkev__turn_charge(turn, s->req.len_bytes);
		sub_go_on(l, s);
	}
}

bool ublkev__subs_run(struct ublkev__lane *l, struct ublkev__turn *turn)
{
	turn->now_us = 0;	/* from here on time passes */
	sub_go_on_all(l, turn);
	sub_finish_all(l);
	l->subs.due = l->subs.unflushed || l->subs.again;
	return l->subs.unflushed;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void sub_cut_placed(struct ublkev__lane *l, struct ublkev__sub *s,
			   bool abort)
{
	if (abort)
		ublkev__placed_abort(&s->p);
	else
		ublkev__placed_recall(&s->p);
	sub_go_on_placed(l, s);
}

static void sub_cut(struct ublkev__lane *l, struct ublkev__sub *s, bool abort)
{
	if (s->state == UBLKEV__SUB_PLACED) {
		sub_cut_placed(l, s, abort);
		return;
	}
	if (s->state != UBLKEV__SUB_BACKEND || !s->t.o.req)
		return;
	if (abort)
		ublkev__reqops_abort(&s->t.o);
	else
		ublkev__reqops_recall(&s->t.o);
	ublkev__reqop_end(l, &s->t);
}

/* what waited for the CPU only waits for nothing more */
static void sub_end_again(struct ublkev__lane *l)
{
	struct ublkev__sub *s;

	while ((s = l->subs.again)) {
		l->subs.again = s->next;
		ublkev__sub_answered(l, s, -ECANCELED);
	}
}

static void sub_cut_all(struct ublkev__lane *l, bool abort)
{
	struct ublkev__sub *s;
	unsigned int i;

	for (i = 0; (s = ublkev__subpool_nth(&l->subs, i)); i++) {
		if (s->state == UBLKEV__SUB_FREE)
			continue;
		sub_unwait(l, sub_slots(l, s));
		sub_cut(l, s, abort);
	}
	if (abort)
		sub_end_again(l);
}

void ublkev__subs_abort(struct ublkev__lane *l)
{
	sub_cut_all(l, true);
}

void ublkev__subs_recall(struct ublkev__lane *l)
{
	sub_cut_all(l, false);
}
