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
 * longer than conf.wait_us. Where it does not pay either, the loop sleeps.
 * wait.h decides what pays.
 */
#ifndef UBLKEV_EV_EVTURN_H
#define UBLKEV_EV_EVTURN_H

#include <stdbool.h>
#include <stdint.h>

#include "ev/engine.h"

/* a request costs its bytes, and as much as so many bytes more */
#define UBLKEV__REQ_COST_BYTES	4096u

/* of a turn, whatever the budget: a ring that takes nothing always has work */
#define UBLKEV__MOST_ROUNDS 4096u

/* what a turn of the loop has spent of its budget */
struct ublkev__turn {
	uint64_t looked_us;	/* 0: the clock was not read yet */
	uint64_t until_us;
	uint64_t cost_bytes;	/* since it was */
	uint64_t round_bytes;
	unsigned int reqs, looked_reqs;
	unsigned int rounds;
	bool planned;		/* what to do before the loop sleeps: */
	unsigned int look_us;	/* to look at the ring, for so long */
	unsigned int sleep_us;	/* to sleep in the ring, for so long */
	bool sleeps;		/* that has begun */
	unsigned int slept_reqs;	/* before it did */
	bool slept;		/* since the clock was looked at */
	bool waited;		/* for a request, and it came */
	bool over;
};

void ublkev__turn_look_at_clock(struct ublkev__lane *l,
				struct ublkev__turn *turn);

/* the budget is not spent */
static inline bool ublkev__turn_goes_on(struct ublkev__lane *l,
					struct ublkev__turn *turn)
{
	if (turn->cost_bytes > l->step_bytes)
		ublkev__turn_look_at_clock(l, turn);
	if (l->e->conf.budget_reqs && turn->reqs >= l->e->conf.budget_reqs)
		turn->over = true;
	if (turn->rounds >= UBLKEV__MOST_ROUNDS)
		turn->over = true;
	return !turn->over;
}

/* the same for a round, which costs as much as a request, whatever it does */
static inline bool ublkev__turn_has_round(struct ublkev__lane *l,
					  struct ublkev__turn *turn)
{
	turn->cost_bytes += UBLKEV__REQ_COST_BYTES;
	return ublkev__turn_goes_on(l, turn);
}

/* decides, once there is nothing to do: look_us and sleep_us are set then */
void ublkev__turn_plan(struct ublkev__lane *l, struct ublkev__turn *turn);

/* Looks at the ring, once a turn: whether something came. May set stays. */
bool ublkev__turn_look(struct ublkev__lane *l, struct ublkev__turn *turn);

/* it was planned, has not been ended by the loop, and may last longer */
bool ublkev__turn_may_sleep(const struct ublkev__lane *l,
			    const struct ublkev__turn *turn);
/* ublkev__io_sleep() */
int ublkev__turn_sleep(struct ublkev__lane *l, struct ublkev__turn *turn);
/* That is over, and brought no more requests. May set stays. */
void ublkev__turn_slept(struct ublkev__lane *l, struct ublkev__turn *turn);

#endif
