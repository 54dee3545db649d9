/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decides how a turn ends: when its budget is used up, how long it looks at
 * the ring before the loop sleeps, and whether the sleep may be in the ring.
 */
#include "ev/evturn.h"

#include <limits.h>
#include <sched.h>
#include <string.h>

/* what may be submitted between two looks at the clock, at the most */
#define MOST_STEP_BYTES	(128u << 10)

/* ---- the budget --------------------------------------------------------- */

/*
 * How much is submitted between two looks is learnt: after every request
 * where these are slow, seldom where many fit into a small part of the
 * budget.
 */
static void turn_learn_step(struct ublkev__lane *l, uint64_t took_us)
{
	if (took_us > l->e->conf.budget_us / 8)
		l->step_bytes = 0;
	else if (l->step_bytes < MOST_STEP_BYTES &&
		 took_us <= l->e->conf.budget_us / 32)
		l->step_bytes = 2 * l->step_bytes + UBLKEV__REQ_COST_BYTES;
}

void ublkev__turn_begin(const struct ublkev__lane *l, struct ublkev__turn *turn)
{
	unsigned int most = l->e->conf.budget_reqs;

	memset(turn, 0, sizeof(*turn));
	turn->most_reqs = most ? most : UINT_MAX;
}

void ublkev__turn_look_at_clock(struct ublkev__lane *l,
				struct ublkev__turn *turn)
{
	uint64_t now_us;

	if (!l->e->conf.budget_us)
		return;
	now_us = turn->now_us ? turn->now_us : ublkev__clock_us();
	turn->now_us = 0;
	if (!turn->looked_us)
		turn->until_us = now_us + l->e->conf.budget_us;
	else if (turn->reqs != turn->looked_reqs && !turn->slept)
		turn_learn_step(l, now_us - turn->looked_us);
	turn->over |= now_us >= turn->until_us;
	turn->looked_us = now_us;
	turn->looked_reqs = turn->reqs;
	turn->cost_bytes = 0;
	turn->slept = false;
}

/* ---- before the loop sleeps ---------------------------------------------- */

/*
 * A lane whose loop is its own holds up nobody by its sleep in the ring. But who
 * sleeps there while commands are out, as FETCHes always are, counts as one that
 * waits for a disk (io_cqring_wait(), current->in_iowait): 100 %wa of a queue
 * that has nothing to do. So an idle one goes on to sleep in its loop.
 */
#define ALONE_SLEEP_US	100000u

void ublkev__turn_decide(struct ublkev__lane *l, struct ublkev__turn *turn)
{
	turn->planned = true;
	turn->look_us = ublkev__wait_us(&l->wait);
	if (l->alone)
		turn->sleep_us = ALONE_SLEEP_US;
	else if (!turn->look_us)
		turn->sleep_us = ublkev__wait_us(&l->sleep);
}

/*
 * Looks at the ring until something comes or the time is over; wait.h learns.
 */
static bool turn_look_for(struct ublkev__lane *l, struct ublkev__turn *turn,
			  unsigned int limit_us)
{
	uint64_t start_us = ublkev__clock_us();
	uint64_t now_us;
	bool came;

	do {
		came = ublkev__io_look(l->io);
		now_us = ublkev__clock_us();
	} while (!came && now_us - start_us < limit_us);
	ublkev__wait_done(&l->wait, now_us - start_us, came);
	l->stats.waits++;
	l->stats.waits_paid += came;
	turn->now_us = 0;
	if (turn->looked_us)
		turn->looked_us = now_us;
	turn->looked_reqs = turn->reqs;
	return came;
}

/*
 * Looks once a turn, so that nobody in the loop waits for longer than that.
 * Where it pays, the next turn is to come without sleep, and looks again.
 */
bool ublkev__turn_look(struct ublkev__lane *l, struct ublkev__turn *turn)
{
	if (turn->waited) {
		l->stays = true;
		return false;
	}
	turn->waited = turn_look_for(l, turn, turn->look_us);
	if (turn->waited)
		return true;
	turn->look_us = 0;
	return false;
}

/* a sleep in the ring was ended by what the loop has to do */
static bool turn_is_roused(const struct ublkev__lane *l,
			   const struct ublkev__turn *turn)
{
	return turn->sleeps && !ublkev__io_is_watching(l->io);
}

/* timers wait since the turn began, so what it has done counts, too */
static uint64_t turn_spent_us(const struct ublkev__lane *l,
			      const struct ublkev__turn *turn)
{
	if (l->alone || !l->e->conf.budget_us)
		return 0;
	return turn->looked_us - (turn->until_us - l->e->conf.budget_us);
}

bool ublkev__turn_begin_sleep(struct ublkev__lane *l, struct ublkev__turn *turn)
{
	uint64_t spent_us;

	ublkev__turn_look_at_clock(l, turn);
	spent_us = turn_spent_us(l, turn);
	if (spent_us >= turn->sleep_us) {
		turn->sleep_us = 0;
		return false;
	}
	turn->sleep_us -= (unsigned int)spent_us;
	turn->sleeps = true;
	turn->alarm = ublkev__io_alarm(l->io);
	turn->slept_reqs = turn->reqs;
	return true;
}

/* ---- SCHED_BATCH --------------------------------------------------------- */

/* so many wake-ups are judged at a time, by whether so many come with each */
#define BATCH_WAKES	16
#define BATCH_CQES	4

void ublkev__turn_allow_batch(struct ublkev__lane *l, bool allow)
{
	allow = allow && sched_getscheduler(0) == SCHED_OTHER;
	ublkev__wait_init(&l->batch, allow);
	l->is_batch = false;
}

/* of the calling thread; its niceness stays */
static void turn_set_batch(struct ublkev__lane *l, bool batch)
{
	struct sched_param param = { 0 };

	if (sched_setscheduler(0, batch ? SCHED_BATCH : SCHED_OTHER, &param))
		return;
	l->is_batch = batch;
	l->batch_wakes = 0;
	l->batch_cqes = 0;
}

void ublkev__turn_end_batch(struct ublkev__lane *l)
{
	if (l->is_batch)
		turn_set_batch(l, false);
}

void ublkev__turn_judge_batch(struct ublkev__lane *l)
{
	bool paid;

	if (!l->is_batch) {
		turn_set_batch(l, true);
		return;
	}
	l->batch_cqes += ublkev__io_nr_cqes(l->io);
	if (++l->batch_wakes < BATCH_WAKES)
		return;
	paid = l->batch_cqes >= BATCH_WAKES * BATCH_CQES;
	ublkev__wait_done(&l->batch, !paid, paid);
	if (l->batch.rest)
		turn_set_batch(l, false);
	l->batch_wakes = 0;
	l->batch_cqes = 0;
}

/* ---- when it is over ----------------------------------------------------- */

/*
 * The sleep in the ring is over, and brought no more requests. Had it brought
 * some, or has the loop something to do, the next turn comes without the
 * loop's sleep.
 */
void ublkev__turn_slept(struct ublkev__lane *l, struct ublkev__turn *turn)
{
	bool came = turn->reqs != turn->slept_reqs;

	l->stays = came || turn_is_roused(l, turn);
	turn->sleep_us = 0;
	if (!l->alone)
		ublkev__wait_done(&l->sleep, came ? 0 : l->sleep.limit_us, came);
}
