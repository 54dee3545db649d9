/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many lives of life against the driver of life_walk.h; what must hold in
 * every life is asserted here.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/params.h"
#include "life_walk.h"

#define LIVES	20000
#define TURNS	1000	/* of one life, at most */
#define LATE_MS	50	/* a loop is at most so late */

struct seen seen;

/* ---- what is told ------------------------------------------------------- */

/* kept for another server: because that was wished for, or is best */
static void on_released(struct life *l)
{
	bool untouched = !l->lives && !l->begun;
	/* its tags died under a TRY_STOP_DEV that was never answered */
	bool unexplained = l->lives && l->c.suspect && l->tries &&
			   l->c.err == -ETIMEDOUT;

	must(l->c.kept);
	must(l->released || l->quiesced || l->faulted || unexplained ||
	     (l->lives && l->c.err_step == UBLKEV_STEP_LIVE) ||
	     (l->c.mode == UBLKEV__LIFE_RECOVER && !l->lives &&
	      (untouched || can_be_kept(l))));
	must(l->pending == UBLKEV__CTRL_NONE);
	seen.released++;
}

static void on_stopped(struct life *l, enum ublkev_step step)
{
	must(++l->stops == 1);
	must(!ublkev__life_has_work(&l->c));
	must(l->c.step == step);
	must(!l->ublkc && !l->armed);
	must(ublkev__life_deadline_ms(&l->c) == NEVER);
	must(l->backend_asked == !!(l->c.traits & UBLKEV__CLOSES_LATER));
	must(!l->backend_asked || l->backend_closed || l->errors);
	seen.closed_later += l->backend_closed;
	seen.left += l->backend_asked && !l->backend_closed;
	must(l->asked || l->errors);
	must(l->errors == (l->c.err ? 1 : 0));
	must(l->resizes == l->resizes_told);
	if (step == UBLKEV_STEP_GONE) {
		/* or END_USER_RECOVERY found none */
		must(!l->mine || (l->c.kept && l->c.err == -ENODEV));
		must(l->pending == UBLKEV__CTRL_NONE);
		seen.gone++;
	} else if (step == UBLKEV_STEP_RELEASED) {
		on_released(l);
	} else {
		must(step == UBLKEV_STEP_LOST);
		must(l->errors == 1);
		seen.lost++;
	}
}

static void on_event(struct life *l, const struct ublkev__life_action *a)
{
	must(l->stops == 0);
	switch (a->revents) {
	case UBLKEV_LIVE:
		must(++l->lives == 1);
		must(l->errors == 0);
		must(l->running && l->ublkc && l->armed);
		seen.live++;
		seen.recovered += l->begun;
		break;
	case UBLKEV_RESIZED:
		must(l->resizing && ++l->resizes_told == l->resizes);
		must(a->res <= 0);
		l->resizing = 0;
		seen.resized += !a->res;
		break;
	case UBLKEV_REFUSED:
		must(a->res < 0 && !l->errors);
		must(a->step == UBLKEV_STEP_LIVE);
		must(l->released || l->tries > l->refusals);
		if (l->tries > l->refusals)
			l->refusals++;
		else
			l->released = false;
		seen.refused++;
		break;
	case UBLKEV_ERROR:
		must(++l->errors == 1);
		must(l->c.err < 0);
		must(a->step == l->c.err_step);
		/* a live disk is served on whatever is not answered */
		must(l->c.err != -ETIMEDOUT || !l->lives || l->ends ||
		     l->drained_told);
		must(a->step != UBLKEV_STEP_BACKEND_CLOSE ||
		     (l->backend_asked && !l->backend_closed));
		seen.error++;
		break;
	default:
		must(a->revents == UBLKEV_STOPPED);
		on_stopped(l, a->step);
	}
}

static void do_action(struct life *l, const struct ublkev__life_action *a)
{
	switch (a->act) {
	case UBLKEV__LIFE_CMD:
		drv_cmd(l, a);
		break;
	case UBLKEV__LIFE_CANCEL:
		drv_cancel(l, a->cmd);
		break;
	case UBLKEV__LIFE_OPEN:
		drv_open(l);
		break;
	case UBLKEV__LIFE_ARM:
		must(l->ublkc && !l->armed && !l->running);
		l->armed = true;
		break;
	case UBLKEV__LIFE_ABORT_IO:
		must(l->armed && !l->aborted);
		l->aborted = true;
		break;
	case UBLKEV__LIFE_RECALL:
		drv_recall(l);
		break;
	case UBLKEV__LIFE_CLOSE:
		drv_close(l, a->step);
		break;
	case UBLKEV__LIFE_CLOSE_BACKEND:
		drv_close_backend(l);
		break;
	case UBLKEV__LIFE_EVENT:
		on_event(l, a);
		break;
	case UBLKEV__LIFE_NONE:
		ck_abort_msg("nothing is no action");
	}
}

static void pull(struct life *l)
{
	struct ublkev__life_action a;

	while (ublkev__life_next(&l->c, &a)) {
		do_action(l, &a);
		ublkev__life_verify(&l->c);
	}
}

/* ---- a turn ------------------------------------------------------------- */

static bool due(struct life *l, uint64_t *at_ms)
{
	if (*at_ms > l->now)
		return false;
	*at_ms = NEVER;
	return true;
}

static void wish_to_resize(struct life *l)
{
	if (ublkev__life_can_resize(&l->c))
		return;
	must(!l->resizing);
	l->resizing = 1 + test_rng_below(l->rng, 1000);
	l->resizes++;
	ublkev__life_resize(&l->c, l->resizing, l->now);
}

static void wish_to_release(struct life *l)
{
	if (ublkev__life_release(&l->c, l->now))
		return;
	l->asked = l->released = l->ends = true;
}

static void wishes(struct life *l)
{
	if (due(l, &l->outside_at)) {
		/* then it is as if it had been asked for */
		if (l->outsider == QUIESCE && l->lives)
			l->quiesced = l->asked = l->ends = true;
		drv_outside(l);
	}
	if (due(l, &l->resize_at))
		wish_to_resize(l);
	if (due(l, &l->release_at))
		wish_to_release(l);
	if (due(l, &l->try_at) && !ublkev__life_try_stop(&l->c, l->now)) {
		l->asked = true;
		l->tries++;
	}
	if (due(l, &l->stop_at)) {
		l->asked = l->ends = true;
		ublkev__life_stop(&l->c, l->now);
	}
	if (due(l, &l->abort_at)) {
		l->asked = l->ends = true;
		ublkev__life_abort(&l->c, l->now);
	}
}

static void tell_tags(struct life *l)
{
	if (l->armed && due(l, &l->died_at)) {
		l->died_told = true;
		ublkev__life_tag_died(&l->c, l->now);
	}
	ublkev__life_verify(&l->c);
	if (l->armed && due(l, &l->drained_at)) {
		must(l->died_told);
		l->drained_told = true;
		ublkev__life_drained(&l->c, l->now);
	}
	ublkev__life_verify(&l->c);
	/* until it has gone there is nothing that could come */
	if (l->armed && l->idle_at <= l->now &&
	    l->c.step == UBLKEV_STEP_QUIESCE)
		ublkev__life_idle(&l->c, l->now);
}

static void fault(struct life *l)
{
	/* another server may do better */
	l->ends = true;
	if (l->c.step == UBLKEV_STEP_LIVE && !l->c.stopping &&
	    l->c.info.features & UBLKEV__F(USER_RECOVERY))
		l->faulted = true;
	ublkev__life_fault(&l->c, -EIO, l->now);
}

/* the backend answers: patience begins anew, unless it has a limit */
static void progress(struct life *l)
{
	uint64_t at_ms = ublkev__life_deadline_ms(&l->c);

	ublkev__life_progress(&l->c, l->now);
	must(ublkev__life_deadline_ms(&l->c) >= at_ms);
	if (ublkev__life_deadline_ms(&l->c) == at_ms)
		return;
	must(l->c.limit_ms == NEVER || l->c.step == UBLKEV_STEP_START ||
	     ublkev__life_deadline_ms(&l->c) <= l->c.limit_ms);
	if (l->down_ms != NEVER)
		l->down_ms = l->now;
	seen.progress++;
}

static void facts(struct life *l)
{
	if (l->armed && chance(l, 10))
		progress(l);
	ublkev__life_verify(&l->c);
	if (due(l, &l->fault_at))
		fault(l);
	tell_tags(l);
	ublkev__life_verify(&l->c);
	if (due(l, &l->recalled_at)) {
		l->files = false;
		seen.recalled++;
		ublkev__life_recalled(&l->c, l->now);
	}
	ublkev__life_verify(&l->c);
	if (due(l, &l->closed_at))
		ublkev__life_closed(&l->c, l->now);
	ublkev__life_verify(&l->c);
	if (due(l, &l->backend_at)) {
		/* it may be too late, whatever was told by then */
		l->backend_closed = l->c.step == UBLKEV_STEP_BACKEND_CLOSE;
		ublkev__life_backend_closed(&l->c);
	}
	ublkev__life_verify(&l->c);
	if (l->pending != UBLKEV__CTRL_NONE && l->answer_at <= l->now)
		drv_answer(l);
}

/* it is waited for that nothing is with us any more */
static bool finishes(const struct life *l)
{
	return l->c.step == UBLKEV_STEP_QUIESCE &&
	       l->c.pending == UBLKEV__CTRL_NONE;
}

static uint64_t earliest(const struct life *l)
{
	const uint64_t at[] = {
		ublkev__life_deadline_ms(&l->c), l->answer_at, l->drained_at,
		l->stop_at, l->abort_at, l->fault_at, l->outside_at,
		l->died_at, l->release_at, l->try_at, l->resize_at,
		l->closed_at, l->backend_at, l->recalled_at,
		finishes(l) ? l->idle_at : NEVER,
	};
	uint64_t min = NEVER;
	size_t i;

	for (i = 0; i < TEST_COUNT(at); i++)
		min = at[i] < min ? at[i] : min;
	return min;
}

static void pass_time(struct life *l)
{
	uint64_t next = earliest(l);

	if (ublkev__life_has_work(&l->c))
		next = l->now;	/* nobody sleeps then */
	must(next != NEVER);
	if (next > l->now)
		l->now = chance(l, 20) ? l->now + (next - l->now) / 2 : next;
	if (chance(l, 20))
		l->now = soon(l, LATE_MS);
}

static void turn(struct life *l)
{
	pass_time(l);
	wishes(l);
	ublkev__life_verify(&l->c);
	facts(l);
	ublkev__life_verify(&l->c);
	if (!chance(l, 5))
		ublkev__life_tick(&l->c, l->now);
	ublkev__life_verify(&l->c);
	if (!chance(l, 10))
		pull(l);
	if (l->c.stopping && l->down_ms == NEVER)
		l->down_ms = l->now;
	/* FEATURES to START, QUIESCE, the ladder of STOP, DRAIN, RECALL, DEL,
	   and the backend */
	if (l->down_ms != NEVER && !l->stops)
		must(l->now <= l->down_ms +
				  l->c.conf.start_timeout_ms +
				  l->c.conf.recover_timeout_ms +
				  4 * l->c.conf.stop_timeout_ms +
				  2 * l->c.conf.cmd_timeout_ms +
				  14 * (l->c.conf.grace_ms + LATE_MS));
}

static unsigned int some_ms(struct life *l, unsigned int most)
{
	return 1 + (unsigned int)test_rng_below(l->rng, most);
}

static void make_conf(struct life *l, struct ublkev_conf *conf)
{
	memset(conf, 0, sizeof(*conf));
	conf->id = chance(l, 50) ? -1 : 7;
	conf->queues = 2;
	conf->depth = 8;
	conf->max_io_bytes = 65536;
	conf->cmd_timeout_ms = some_ms(l, 2000);
	conf->start_timeout_ms = some_ms(l, 4000);
	conf->stop_timeout_ms = some_ms(l, 6000);
	conf->grace_ms = some_ms(l, 500);
	conf->recover_timeout_ms = some_ms(l, 4000);
	conf->stop_limit_ms = chance(l, 30) ? some_ms(l, 9000) : 0;
	conf->recovery = (enum ublkev_recovery)
		test_rng_below(l->rng, UBLKEV_NR_RECOVERIES);
	if (!conf->recovery && chance(l, 30))
		conf->flags = UBLKEV_CONF_UNPRIVILEGED;
	if (chance(l, 30))
		conf->flags |= UBLKEV_CONF_QUEUE_THREADS;
}

static void make_wishes(struct life *l)
{
	l->stop_at = soon(l, 10000);
	l->abort_at = chance(l, 25) ? soon(l, 12000) : NEVER;
	l->release_at = chance(l, 30) ? soon(l, 5000) : NEVER;
	l->try_at = chance(l, 40) ? soon(l, 4000) : NEVER;
	l->resize_at = chance(l, 40) ? soon(l, 4000) : NEVER;
	l->fault_at = chance(l, 10) ? soon(l, 5000) : NEVER;
	l->outside_at = chance(l, 20) ? soon(l, 5000) : NEVER;
	l->outsider = test_rng_below(l->rng, 3);
	l->busy_until = chance(l, 30) ? soon(l, 5000) : 0;
}

static enum ublkev__life_mode pick_mode(struct life *l)
{
	if (l->c.conf.id < 0 || chance(l, 30))
		return UBLKEV__LIFE_ADD;
	return chance(l, 30) ? UBLKEV__LIFE_REMOVE : UBLKEV__LIFE_RECOVER;
}

static void begin(struct life *l, struct test_rng *rng)
{
	struct ublkev_conf conf;
	enum ublkev__life_mode mode;

	memset(l, 0, sizeof(*l));
	l->rng = rng;
	l->misfortune = chance(l, 60) ? 3 : 25;
	l->now = 1 + test_rng_below(rng, 1000000);
	l->kernel = chance(l, 50) ? 0x1fe : 0x1fffff;
	l->down_ms = l->answer_at = NEVER;
	l->died_at = l->drained_at = l->idle_at = l->closed_at = NEVER;
	l->backend_at = l->recalled_at = NEVER;
	make_wishes(l);
	make_conf(l, &conf);
	ublkev__life_init(&l->c, &conf);
	mode = pick_mode(l);
	if (mode != UBLKEV__LIFE_ADD)
		l->exists = chance(l, 90);
	if (mode == UBLKEV__LIFE_REMOVE)
		l->mine = l->asked = true;
	else if (chance(l, 50))
		l->c.traits |= UBLKEV__CLOSES_LATER;
	l->files = chance(l, 50);
	if (l->files)
		l->c.traits |= UBLKEV__CAN_PLACE;
	ublkev__life_start(&l->c, mode, l->now);
}

START_TEST(walk)
{
	struct test_rng rng;
	struct life l;
	int i, turns;

	test_rng_init(&rng, test_seed("test_life_walk"));
	for (i = 0; i < LIVES; i++) {
		begin(&l, &rng);
		for (turns = 0; !l.stops; turns++) {
			must(turns < TURNS);
			turn(&l);
		}
		seen.turns += (unsigned int)turns;
		/* nothing comes after the end */
		ublkev__life_stop(&l.c, l.now);
		ublkev__life_abort(&l.c, l.now);
		ublkev__life_tick(&l.c, l.now + 1000000);
		must(!ublkev__life_has_work(&l.c));
	}
	printf("test_life_walk: %d lives, %u turns: %u live, %u of them recovered; %u resized, %u refused; %u errors, %u gone, %u released, %u lost, %u closed by force; %u backends closed later, %u did not; files recalled %u times, left %u\n",
	       LIVES, seen.turns, seen.live, seen.recovered, seen.resized,
	       seen.refused, seen.error, seen.gone, seen.released, seen.lost,
	       seen.forced, seen.closed_later, seen.left, seen.recalled,
	       seen.files_left);
	must(seen.live > LIVES / 10);
	must(seen.gone > LIVES / 10);
	must(seen.recovered > LIVES / 50);
	must(seen.released > LIVES / 50);
	must(seen.resized > LIVES / 400);
	must(seen.progress > LIVES / 400);
	must(seen.refused > LIVES / 1000);
	must(seen.lost > LIVES / 200);
	must(seen.forced > LIVES / 200);
	must(seen.closed_later > LIVES / 10);
	must(seen.left > LIVES / 100);
	must(seen.recalled > LIVES / 400);
	must(seen.files_left > LIVES / 200);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("life_walk");
	TCase *tc = tcase_create("walk");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, walk);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
