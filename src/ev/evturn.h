/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evturn.h - a turn of a lane: its budget, and what is done before the loop
 * sleeps
 *
 * When there is nothing left to do, the lane looks at the ring's memory a
 * while, if that pays: it spares the client the wake-up. Where it does not
 * pay, or the client has no other CPU, the lane sleeps in the ring if that
 * pays: what is submitted and the sleep for what comes next are one enter.
 * Files of the loop end that sleep at once; nothing else there is held up for
 * longer than conf.sleep_us. Where it does not pay either, the loop sleeps.
 *
 * The driver wakes a sleeper for each request that a client sends, and where
 * both have one CPU the client then has to wait with its others, for the
 * scheduler lets whoever has slept go first. A thread that is SCHED_BATCH it does
 * not, so that a client sends all that it has; one that has a request at a time
 * is served later by that. So a thread that may be is SCHED_BATCH as long as
 * several requests come with each wake-up.
 * wait.h decides what pays.
 */
#ifndef UBLKEV_EV_EVTURN_H
#define UBLKEV_EV_EVTURN_H

#include <stdbool.h>
#include <stdint.h>

#include "ev/engine.h"

/*
 * Each request is charged its length, and this for what it costs without data.
 */
#define UBLKEV__REQ_COST_BYTES	4096u

/*
 * No turn has more rounds, whatever the budget: a ring of which the kernel
 * takes nothing always has work.
 */
#define UBLKEV__MOST_ROUNDS 4096u

/* what a turn of the loop has spent of its budget */
struct ublkev__turn {
	uint64_t now_us;	/* as it was read for another purpose just now;
				   0: a look is to read it */
	uint64_t looked_us;	/* when the clock was read last; 0: never */
	uint64_t until_us;	/* when budget_us is up */
	uint64_t cost_bytes;	/* charged since the clock was read */
	uint64_t round_bytes;	/* of the requests of this round */
	unsigned int reqs;	/* handed to the backend */
	unsigned int looked_reqs; /* of them before the clock was read */
	unsigned int most_reqs;	/* of a turn: conf.budget_reqs */
	unsigned int rounds;
	bool planned;		/* the next two are set: ublkev__turn_plan() */
	unsigned int look_us;	/* to look at the ring before the loop sleeps */
	unsigned int sleep_us;	/* to sleep in the ring before the loop does */
	bool sleeps;		/* a sleep in the ring has begun */
	const bool *alarm;	/* then, whether its alarm is set still */
	unsigned int slept_reqs; /* reqs when it began */
	bool slept;		/* in the ring, since the clock was read */
	bool waited;		/* for a request, and it came */
	bool over;		/* the budget is spent */
};

/* Reads the clock: whether budget_us is up, and how seldom it need be read. */
void ublkev__turn_look_at_clock(struct ublkev__lane *l,
				struct ublkev__turn *turn);

/* a turn that has spent nothing yet */
void ublkev__turn_begin(const struct ublkev__lane *l,
			struct ublkev__turn *turn);

/* Whether the budget allows another request. */
static inline bool ublkev__turn_goes_on(struct ublkev__lane *l,
					struct ublkev__turn *turn)
{
	if (turn->cost_bytes > l->step_bytes)
		ublkev__turn_look_at_clock(l, turn);
	if (turn->reqs >= turn->most_reqs)
		turn->over = true;
	return !turn->over;
}

/* of a request that the backend is to have now */
static inline void ublkev__turn_charge(struct ublkev__turn *turn,
				       uint64_t bytes)
{
	turn->reqs++;
	turn->cost_bytes += UBLKEV__REQ_COST_BYTES + bytes;
	turn->round_bytes += bytes;
}

/*
 * Whether it allows another round, which is charged as a request without data.
 */
static inline bool ublkev__turn_has_round(struct ublkev__lane *l,
					  struct ublkev__turn *turn)
{
	turn->cost_bytes += UBLKEV__REQ_COST_BYTES;
	if (turn->rounds >= UBLKEV__MOST_ROUNDS)
		turn->over = true;
	return ublkev__turn_goes_on(l, turn);
}

/* ublkev__turn_plan()'s, and nobody else's */
void ublkev__turn_decide(struct ublkev__lane *l, struct ublkev__turn *turn);

/* Sets look_us and sleep_us, once a turn, when there is nothing left to do. */
static inline void ublkev__turn_plan(struct ublkev__lane *l,
				     struct ublkev__turn *turn)
{
	if (!turn->planned)
		ublkev__turn_decide(l, turn);
}

/* Looks at the ring, once a turn: whether something came. May set stays. */
bool ublkev__turn_look(struct ublkev__lane *l, struct ublkev__turn *turn);

/*
 * A sleep was planned, the loop has not ended it, and it may last longer;
 * `state` is ublkev__io_sleep_state().
 */
static inline bool ublkev__turn_may_sleep(const struct ublkev__turn *turn,
					  unsigned int state)
{
	if (!turn->sleep_us || turn->look_us)
		return false;
	return !turn->sleeps || (state & UBLKEV__IO_WATCHING &&
				 state & UBLKEV__IO_ALARMED);
}

/* A turn that has slept: the alarm has rung, so timers of the loop are due. */
static inline bool ublkev__turn_is_late(const struct ublkev__turn *turn)
{
	return turn->alarm && !*turn->alarm && turn->sleep_us;
}

/* ublkev__turn_sleep()'s, and nobody else's */
bool ublkev__turn_begin_sleep(struct ublkev__lane *l,
			      struct ublkev__turn *turn);

/*
 * ublkev__io_sleep(), or where the turn has lasted as long as its sleeps may,
 * ublkev__io_enter(), and the loop is next. What is due in the loop ends a sleep,
 * so the budget begins anew: only the alarm says how long the turn may be.
 */
static inline int ublkev__turn_sleep(struct ublkev__lane *l,
				     struct ublkev__turn *turn)
{
	int res;

	if (!turn->sleeps && !ublkev__turn_begin_sleep(l, turn)) {
		res = ublkev__io_enter(l->io);
		return res < 0 ? res : 0;
	}
	turn->looked_us = 0;
	turn->cost_bytes = 0;
	turn->slept = true;
	return ublkev__io_sleep(l->io, turn->sleep_us);
}

/*
 * Whether the thread may be made SCHED_BATCH and SCHED_OTHER again, by itself;
 * one that is neither never is. What may be is so as long as it pays.
 */
void ublkev__turn_allow_batch(struct ublkev__lane *l, bool allow);
/* the lane's thread is as it was; by that */
void ublkev__turn_end_batch(struct ublkev__lane *l);

/* ublkev__turn_woke()'s, and nobody else's */
void ublkev__turn_judge_batch(struct ublkev__lane *l);

/* a sleep was ended by something to reap */
static inline void ublkev__turn_woke(struct ublkev__lane *l)
{
	if (l->batch.limit_us &&
	    (l->is_batch || ublkev__wait_us(&l->batch)))
		ublkev__turn_judge_batch(l);
}

/* The sleep is over, and brought no more requests. May set stays. */
void ublkev__turn_slept(struct ublkev__lane *l, struct ublkev__turn *turn);

#endif
