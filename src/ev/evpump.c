/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A turn: rounds of enter, reap, serve and commit, until the budget is spent or
 * nothing is left to do; between rounds a lane's other work, a device's life
 * (act.c) or a worker's wishes (evworker.c). evloop.c calls it before the loop
 * sleeps, or the application by ublkev_dev_flush(). HACKING.md, "A request's
 * way", follows one READ through it.
 */
#include "ev/evpump.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "backend/guard.h"
#include "ev/engine.h"
#include "ev/act.h"
#include "ev/evfile.h"
#include "ev/evloop.h"
#include "ev/evoffload.h"
#include "ev/evreqop.h"
#include "ev/evserve.h"
#include "ev/evturn.h"
#include "ev/evworker.h"

#define REAP_BATCH 64

#define unlikely(x)	__builtin_expect(!!(x), 0)

/*
 * What a round hands to the backend: the driver copies as much when it is
 * entered next, and nobody looks at the clock meanwhile.
 */
#define MOST_ROUND_BYTES (512u << 10)

/* ---- the driver's completions ------------------------------------------- */

static bool pump_is_batch(const struct ublkev__lane *l)
{
	return l->e->life.info.features & UBLKEV__F(BATCH_IO);
}

/* the lane's ring can't go on: its device's life is to hear of that */
static void pump_fault(struct ublkev__lane *l, int err)
{
	if (l->worker)
		ublkev__worker_tell(l, UBLKEV__FACT_FAULT, err);
	else
		ublkev__act_fault(l->e, err);
}

static void pump_take_cqe(struct ublkev__lane *l, const struct ublkev__cqe *cqe)
{
	unsigned int n = cqe->queue - l->first_id;
	struct ublkev__queue *q;
	int err = -EPROTO;

	if (n < l->nr_queues) {
		q = &l->queues[n];
		if (cqe->tag == UBLKEV__ALL_TAGS && pump_is_batch(l))
			err = ublkev__queue_all_cqe(q, cqe->res);
		else
			err = ublkev__queue_cqe(q, cqe->tag, cqe->res,
						ublkev__io_desc(l->io,
								cqe->queue,
								cqe->tag));
		if (!err)
			return;
	} else if (unlikely(ublkev__file_cqe(l, cqe))) {
		return;
	}
	ublkev__log(&l->e->log, LOG_ERR,
		    "queue %u tag %u: command completed with %d, which no request explains",
		    cqe->queue, cqe->tag, cqe->res);
	if (err != -EPROTO)
		pump_fault(l, err);
}

static void pump_reap(struct ublkev__lane *l)
{
	struct ublkev__cqe cqes[REAP_BATCH];
	unsigned int i, n;

	do {
		n = ublkev__io_reap(l->io, cqes, REAP_BATCH);
		for (i = 0; i < n; i++)
			pump_take_cqe(l, &cqes[i]);
	} while (n == REAP_BATCH);
}

bool ublkev__pump_drained(const struct ublkev__lane *l)
{
	unsigned int i;

	for (i = 0; i < l->nr_queues; i++)
		if (!ublkev__queue_drained(&l->queues[i]))
			return false;
	return true;
}

/*
 * Stopping or quiescing a device takes back a tag of every queue first: the
 * dead tags of the first queue tell.
 */
static void pump_look_drained(struct ublkev__lane *l)
{
	if (!l->nr_queues || !l->queues[0].nr_dead ||
	    l->life.tags == UBLKEV__TAGS_DRAINED)
		return;
	ublkev__lanelife_tag_died(&l->life);
	/* what an abort has left to the kernel is waited for as well */
	if (!l->nr_flying && !l->subs.due && ublkev__pump_drained(l))
		ublkev__lanelife_drained(&l->life);
	if (l->worker)
		ublkev__worker_tell_news(l);
	else
		ublkev__act_lane_news(l->e);
}

/* ---- requests ----------------------------------------------------------- */

static void pump_map(struct ublkev__lane *l, struct ublkev__queue *q,
		     struct ublkev__tag *t)
{
	int err = ublkev__guard_check(l->e->backend, &t->req);

	if (err)
		ublkev__queue_refused(q, t, err);
	else
		ublkev__queue_mapped(q, ublkev__guard_map(l->e->backend,
							  &t->req));
}

static void pump_place(struct ublkev__lane *l, struct ublkev__queue *q,
		       struct ublkev__tag *t)
{
	int err = ublkev__engine_need_bufs(l);

	if (err)
		ublkev__queue_refused(q, t, err);
}

/* the request is not ours to look at once submitted: hence the cookie */
static bool pump_submit(struct ublkev__lane *l, struct ublkev__queue *q,
			struct ublkev__tag *t)
{
	uint64_t cookie = t->req.cookie;
	bool rejected;
	int res;

	if (unlikely(l->e->has_files))
		return ublkev__serve_files(l, q, t);
	res = ublkev__guard_submit(l->e->backend, &t->req, &rejected);
	return ublkev__serve_answer(q, t, cookie, res, rejected);
}

static bool pump_round_is_full(const struct ublkev__turn *turn)
{
	return turn->over || turn->round_bytes >= MOST_ROUND_BYTES;
}

/* whether the backend got a request */
static bool pump_serve(struct ublkev__lane *l, struct ublkev__queue *q,
		       struct ublkev__tag *t, enum ublkev__queue_act act)
{
	switch (act) {
	case UBLKEV__QUEUE_APPEND:
		if (!ublkev__serve_append(l, q, t))
			return false;
		/* fall through */
	case UBLKEV__QUEUE_SUBMIT:
		return pump_submit(l, q, t);
	case UBLKEV__QUEUE_MAP:
		pump_map(l, q, t);
		return false;
	case UBLKEV__QUEUE_GO_ON:
		return ublkev__serve_go_on(l, q, t);
	case UBLKEV__QUEUE_LEND:
		ublkev__file_lend(l, q, t);
		return false;
	default:
		return false;
	}
}

static bool pump_pull_queue(struct ublkev__lane *l, struct ublkev__queue *q,
			    struct ublkev__turn *turn)
{
	enum ublkev__queue_act act;
	struct ublkev__tag *t;
	bool any = false;

	while (q->in.nr && !pump_round_is_full(turn) &&
	       ublkev__turn_goes_on(l, turn)) {
		act = ublkev__queue_next_in(q, &t);
		if (act == UBLKEV__QUEUE_NONE)
			break;
		/* of all acts the only one that costs the turn nothing */
		if (act == UBLKEV__QUEUE_PLACE) {
			pump_place(l, q, t);
			continue;
		}
		if (!turn->reqs)
			ublkev__turn_look_at_clock(l, turn);
		turn->now_us = 0;	/* from here on time passes */
		ublkev__turn_charge(turn, t->req.len_bytes);
		any |= pump_serve(l, q, t, act);
	}
	return any;
}

/* the queue that used up a round is the last one in the next */
static bool pump_pull_in(struct ublkev__lane *l, struct ublkev__turn *turn)
{
	unsigned int i, n, first = l->first_queue;
	bool any = false;

	for (i = 0; i < l->nr_queues && !pump_round_is_full(turn); i++) {
		n = first + i;
		if (n >= l->nr_queues)
			n -= l->nr_queues;
		any |= pump_pull_queue(l, &l->queues[n], turn);
		if (pump_round_is_full(turn))
			l->first_queue = n + 1 < l->nr_queues ? n + 1 : 0;
	}
	return any;
}

static void pump_move(struct ublkev__lane *l, struct ublkev__queue *q,
		      struct ublkev__tag *t, bool in)
{
	ublkev__io_move(l->io, q->id, t->req.tag, in, ublkev__queue_buf(q, t),
			(uint32_t)t->req.len_bytes);
}

void ublkev__pump_out(struct ublkev__lane *l, struct ublkev__queue *q)
{
	enum ublkev__queue_act act;
	struct ublkev__tag *t;

	while (q->out.nr) {
		act = ublkev__queue_next_out(q, &t);
		if (act == UBLKEV__QUEUE_COMMIT)
			ublkev__io_commit(l->io, q->id, t->req.tag, t->result,
					  ublkev__queue_buf(q, t));
		else if (act == UBLKEV__QUEUE_ARM)
			ublkev__io_fetch(l->io, q->id, t->req.tag,
					 ublkev__queue_buf(q, t));
		else if (act == UBLKEV__QUEUE_COMMIT_APPEND)
			ublkev__io_commit_append(l->io, q->id, t->req.tag,
						 t->result,
						 t->req.offset_bytes >> 9);
		else
			pump_move(l, q, t, act == UBLKEV__QUEUE_MOVE_IN);
	}
}

static void pump_stamp(struct ublkev__lane *l, struct ublkev__turn *turn)
{
	unsigned int i;

	if (!l->e->since_us)
		return;
	turn->now_us = ublkev__clock_us();
	for (i = 0; i < l->nr_queues; i++)
		l->queues[i].now_us = turn->now_us;
}

static void pump_pull_queues(struct ublkev__lane *l, struct ublkev__turn *turn)
{
	bool any;
	unsigned int i;

	if (l->worker)
		ublkev__worker_enters_backend(l);
	any = ublkev__subs_serve(l, &l->subs, turn);
	if (pump_pull_in(l, turn) || any) {
		ublkev__subs_flushed(&l->subs);
		ublkev__guard_flush(l->e->backend);
		pump_stamp(l, turn);
	}
	if (l->worker)
		ublkev__worker_leaves_backend(l);
	if (unlikely(l->wanting || l->wanting_ops || l->subs.wanting))
		ublkev__file_submit(l);
	for (i = 0; i < l->nr_queues; i++)
		ublkev__pump_out(l, &l->queues[i]);
}

/* ---- a turn ------------------------------------------------------------- */

void ublkev__pump_enter(struct ublkev__lane *l,
			int (*how)(struct ublkev__io *io))
{
	int res = how(l->io);

	if (res > 0)
		l->stats.enters++;
	else if (res < 0)
		pump_fault(l, res);
}

static bool pump_queues_have_work(const struct ublkev__lane *l)
{
	unsigned int i;

	for (i = 0; i < l->nr_queues; i++)
		if (ublkev__queue_has_work(&l->queues[i]))
			return true;
	return false;
}

/*
 * A request is with us, or with the backend, which may answer it in a moment. Of
 * those whose data are in files the ring will tell.
 */
static bool pump_queues_are_busy(const struct ublkev__lane *l)
{
	unsigned int i, nr_backend = 0;

	for (i = 0; i < l->nr_queues; i++) {
		if (ublkev__queue_has_work(&l->queues[i]))
			return true;
		nr_backend += l->queues[i].nr_backend;
	}
	return nr_backend > l->nr_placed || l->subs.due;
}

/* watchers that are due in this turn of the loop */
static bool pump_loop_waits(const struct ublkev__lane *l)
{
	return l->loop && ev_pending_count(l->loop);
}

/* held, there is nothing that a lane may do */
static bool pump_lane_has_work(const struct ublkev__lane *l)
{
	return ublkev__lanelife_serves(&l->life) && (l->stays || ublkev__io_has_work(l->io) ||
			    ublkev__lane_has_jobs(l) || l->subs.due || pump_queues_have_work(l));
}

/*
 * Every round of every request comes by here, so the rest is another function.
 * Whatever a device waits for has a deadline, to be idle included, but for the
 * commands of a live one.
 */
static bool pump_life_awaits(const struct ublkev__engine *e)
{
	return e->life.nr || e->life.pending || e->nr_workers ||
	       e->resize != UBLKEV__RESIZE_NONE ||
	       ublkev__life_deadline_ms(&e->life) != UINT64_MAX;
}

/* what there may be for a lane's thread to do beside rounds, in pump_others() */
static enum ublkev__need pump_need(const struct ublkev__lane *l)
{
	if (!l->worker)
		return pump_life_awaits(l->e) ? ublkev__act_need(l->e)
					      : UBLKEV__NEED_NOTHING;
	return ublkev__worker_has_work(l) ? UBLKEV__NEED_RUN
					  : UBLKEV__NEED_NOTHING;
}

static bool pump_has_work(const struct ublkev__lane *l)
{
	return pump_lane_has_work(l) || pump_need(l) == UBLKEV__NEED_RUN;
}

/* the loop is not to sleep by itself, see ublkev__io_unwatch() */
static bool pump_ring_is_armed(const struct ublkev__lane *l)
{
	return ublkev__io_is_watching(l->io) || ublkev__io_is_alarmed(l->io);
}

bool ublkev__pump_has_work(const struct ublkev__lane *l)
{
	return pump_has_work(l) || (ublkev__lanelife_serves(&l->life) &&
				    pump_ring_is_armed(l));
}

bool ublkev__pump_idle(const struct ublkev__lane *l)
{
	unsigned int i;

	if (ublkev__io_has_work(l->io) || l->nr_flying)
		return false;
	for (i = 0; i < l->nr_queues; i++)
		if (!ublkev__queue_idle(&l->queues[i]))
			return false;
	return true;
}

/* ---- what is done before the loop sleeps --------------------------------- */

static bool pump_is_live(const struct ublkev__lane *l)
{
	if (l->worker)
		return l->life.phase == UBLKEV__LANE_LIVE;
	return l->nr_queues && l->e->life.step == UBLKEV_STEP_LIVE;
}

/*
 * What is submitted and the sleep for what comes next are one enter, if there
 * is nothing that anybody could do before, or has to say once it is submitted.
 */
static bool pump_sleeps(struct ublkev__lane *l, struct ublkev__turn *turn)
{
	unsigned int state;

	if (turn->planned && !turn->sleep_us)
		return false;
	if (!pump_is_live(l) || pump_queues_are_busy(l) ||
	    pump_need(l) != UBLKEV__NEED_NOTHING ||
	    l->life.idle == UBLKEV__IDLE_ASKED || pump_loop_waits(l))
		return false;
	state = ublkev__io_sleep_state(l->io);
	if (!(state & UBLKEV__IO_CAN_SLEEP))
		return false;
	ublkev__turn_plan(l, turn);
	return ublkev__turn_may_sleep(turn, state);
}

/* whether something came */
static bool pump_sleep(struct ublkev__lane *l, struct ublkev__turn *turn)
{
	int res = ublkev__turn_sleep(l, turn);

	l->stats.enters++;
	if (res < 0)
		pump_fault(l, res);
	if (res > 0)
		ublkev__turn_woke(l);
	return res > 0;
}

/*
 * The kernel is entered before only if nothing waits to be reaped, and after,
 * so that a lone request is got, served and answered in one round. Entering
 * with the answers brings the requests of the next round. Whether it slept in
 * the ring, and something came, so that there is nothing else to look at: that
 * is `came` in the round that follows.
 */
static bool pump_round_of_io(struct ublkev__lane *l, struct ublkev__turn *turn,
			     bool came)
{
	turn->round_bytes = 0;
	if (!came && !ublkev__io_has_cqes(l->io))
		ublkev__pump_enter(l, ublkev__io_enter);
	pump_stamp(l, turn);
	pump_reap(l);
	if (unlikely(ublkev__lane_has_jobs(l)))
		ublkev__reqop_take(l);
	l->stats.rounds++;
	turn->rounds++;
	pump_look_drained(l);
	/* what came with the alarm is served once the loop had its turn */
	if (unlikely(ublkev__turn_is_late(turn)) && pump_queues_have_work(l))
		turn->over = true;
	pump_pull_queues(l, turn);
	if (pump_sleeps(l, turn))
		return pump_sleep(l, turn);
	ublkev__pump_enter(l, ublkev__io_enter);
	return false;
}

/*
 * Between two rounds: what others have told the lane's thread. The order
 * counts. Facts come first, answers next, the time after them, so that nothing
 * is late that is there; then what the device's life wants done about all of
 * it, which may call the application. It may have called any public call when
 * that returns; with STOPPED the engine is gone. false: that, or the worker
 * ended.
 */
static bool pump_others(struct ublkev__lane *l, struct ublkev__turn *turn)
{
	struct ublkev__engine *e = l->e;

	if (l->worker)
		return ublkev__worker_act(l);
	if (e->nr_workers)
		ublkev__workers_take(e);
	if (e->life.pending)
		ublkev__act_answer(e);
	ublkev__act_look_idle(e);
	ublkev__act_look_recalled(e);
	/* all that came in time is known by now */
	ublkev__act_tick(e);
	if (!ublkev__act_run(e))
		return false;
	/* a piece of a resize is as long as a turn is to be */
	turn->over |= e->resize == UBLKEV__RESIZE_CUTS;
	return true;
}

/*
 * Called when there is nothing to do. true: a round is to follow; false: the
 * turn is over, and the loop may sleep unless the lane stays. The ring may
 * watch the loop only as long as that does not sleep by itself:
 * ublkev__io_unwatch().
 */
static bool pump_wait(struct ublkev__lane *l, struct ublkev__turn *turn)
{
	if (turn->sleeps && turn->sleep_us) {
		ublkev__turn_slept(l, turn);
	} else if (pump_is_live(l) && !pump_queues_are_busy(l) &&
		   !pump_loop_waits(l)) {
		ublkev__turn_plan(l, turn);
		if (turn->look_us && ublkev__turn_look(l, turn))
			return true;
		if (!l->stays && pump_sleeps(l, turn))
			return true;
	}
	if (l->stays || !ublkev__lanelife_serves(&l->life) ||
	    !pump_ring_is_armed(l))
		return false;
	ublkev__io_unwatch(l->io);
	return true;
}

/* false: the engine, or the worker, is gone */
static bool pump_rounds(struct ublkev__lane *l, struct ublkev__turn *turn)
{
	bool others, came = false;

	do {
		came = ublkev__lanelife_serves(&l->life) &&
		       pump_round_of_io(l, turn, came);
		if (came)
			continue;
		others = pump_need(l) != UBLKEV__NEED_NOTHING;
		if (others && !pump_others(l, turn))
			return false;
		if (!pump_lane_has_work(l) &&
		    !(others && pump_need(l) == UBLKEV__NEED_RUN) &&
		    !pump_wait(l, turn))
			return true;
	} while (ublkev__turn_has_round(l, turn));
	l->stats.over_budget++;
	return true;
}

bool ublkev__pump(struct ublkev__lane *l)
{
	struct ublkev__turn turn;

	ublkev__turn_begin(l, &turn);
	l->pumping = true;
	l->stays = false;
	if (ublkev__lanelife_serves(&l->life))
		ublkev__io_mute(l->io);
	if (!pump_rounds(l, &turn))
		return false;
	/* held, it is woken only to be resumed */
	if (!l->stays && ublkev__lanelife_serves(&l->life) &&
	    !pump_ring_is_armed(l))
		ublkev__io_unmute(l->io);
	l->pumping = false;
	if (!l->worker && !l->e->dev->err)
		l->e->dev->step = l->e->life.step;
	return true;
}
