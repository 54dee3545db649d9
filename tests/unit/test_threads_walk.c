/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A random walk over both sides of the queue threads: threads.h in the
 * application's thread, a lanelife.h in each other, and between them the two
 * words that evworker.c has, which are taken at any time. After every step
 * both are verified, and what the application's thread believes is compared
 * with what the lanes are.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/threads.h"
#include "testlib.h"

#define MAX	4u
#define WALKS	3000u
#define STEPS	120u

#define must(cond) \
	do { \
		if (!(cond)) \
			ck_abort_msg("not so: %s", #cond); \
	} while (0)

struct lane {
	struct ublkev__lanelife life;
	unsigned int wishes, facts;	/* the words */
	unsigned int wished;		/* all so far */
	bool made, joined;
};

static struct {
	struct ublkev__threads t;
	struct ublkev__thread v[MAX];
	struct lane lanes[MAX];
	struct test_rng rng;
	bool none_more;			/* the first that could not be made */
	bool taken, armed, lived, closed;
	unsigned int died, drained, ended;	/* times it was told */
} w;

static struct {
	unsigned long holds, idles, looks, recalls, drained, closes, failures;
	unsigned long joins;
} seen;

static unsigned int below(unsigned int n)
{
	return (unsigned int)test_rng_below(&w.rng, n);
}

/* ---- a thread --------------------------------------------------------------- */

static void lane_do(struct lane *l, enum ublkev__lane_act act)
{
	switch (act) {
	case UBLKEV__LANE_ARM:
	case UBLKEV__LANE_ARM_HIDDEN:
		must(l->life.phase == UBLKEV__LANE_WAITS);
		ublkev__lanelife_armed(&l->life, below(12) ? 0 : -EMFILE);
		break;
	case UBLKEV__LANE_ABORT:
		must(l->life.phase != UBLKEV__LANE_WAITS);
		break;
	case UBLKEV__LANE_HOLD:
		must(l->life.phase == UBLKEV__LANE_LIVE);
		ublkev__lanelife_held(&l->life);
		break;
	case UBLKEV__LANE_RECALL:
		must(ublkev__lanelife_began(&l->life));
		ublkev__lanelife_recall(&l->life);
		break;
	case UBLKEV__LANE_CLOSE:
		ublkev__lanelife_ended(&l->life);
		break;
	case UBLKEV__LANE_NONE:
		ck_abort();
	}
	ublkev__lanelife_verify(&l->life);
}

static void lane_acts(struct lane *l)
{
	enum ublkev__lane_act act;

	ublkev__lanelife_looked(&l->life);
	ublkev__lanelife_wish(&l->life, l->wishes);
	l->wishes = 0;
	while ((act = ublkev__lanelife_next(&l->life)) != UBLKEV__LANE_NONE)
		lane_do(l, act);
	ublkev__lanelife_verify(&l->life);
}

static void lane_tells(struct lane *l)
{
	unsigned int facts = ublkev__lanelife_facts(&l->life);

	/* before the words that say that its tags died it says that it armed */
	if (facts & UBLKEV__FACT_TAG_DIED)
		must(l->life.phase != UBLKEV__LANE_FAILED);
	l->facts |= facts;
}

static void lane_step(struct lane *l)
{
	bool serves = ublkev__lanelife_serves(&l->life);

	if (!l->made || l->joined)
		return;
	switch (below(8)) {
	case 0:
		if (serves)
			ublkev__lanelife_tag_died(&l->life);
		break;
	case 1:
		if (serves && l->life.tags == UBLKEV__TAGS_DYING)
			ublkev__lanelife_drained(&l->life);
		break;
	case 2:
		ublkev__lanelife_idle(&l->life);
		if (below(2))
			ublkev__lanelife_recalled(&l->life);
		break;
	case 3:
	case 4:
		lane_tells(l);
		break;
	default:
		lane_acts(l);
	}
}

/* ---- the application's thread ------------------------------------------------ */

static void wish(struct lane *l, unsigned int wishes)
{
	must(l->made && !l->joined);
	must(!(l->wished & UBLKEV__WISH_CLOSE));
	if (wishes & (UBLKEV__WISH_ARM | UBLKEV__WISH_ARM_HIDDEN))
		must(!(l->wished & (UBLKEV__WISH_ARM |
				    UBLKEV__WISH_ARM_HIDDEN)));
	if (wishes & UBLKEV__WISH_RESUME)
		must(l->life.phase == UBLKEV__LANE_HELD &&
		     !(l->wishes & UBLKEV__WISH_HOLD));
	l->wished |= wishes;
	l->wishes |= wishes;
}

/* whoever is waited for has to end with what it was told */
static void join(struct lane *l)
{
	must(l->made && !l->joined);
	must(l->wished & UBLKEV__WISH_CLOSE);
	lane_acts(l);
	must(l->life.phase == UBLKEV__LANE_ENDED);
	l->joined = true;
	seen.joins++;
}

static void tell(enum ublkev__threads_act act)
{
	unsigned int i;

	if (act == UBLKEV__THREADS_TELL_CLOSED) {
		must(!w.ended++ && w.closed);
		seen.closes++;
		return;
	}
	must(!w.closed);
	if (act == UBLKEV__THREADS_TELL_TAG_DIED) {
		must(!w.died++ && !w.drained);
		return;
	}
	must(!w.drained++);
	for (i = 0; i < w.t.serving; i++)
		must(w.lanes[i].life.tags == UBLKEV__TAGS_DRAINED);
	seen.drained++;
}

static void run(unsigned int n)
{
	int err = below(20) ? 0 : -EAGAIN;

	must(!w.lanes[n].made && !w.none_more);
	w.lanes[n].made = !err;
	w.none_more = err;
	seen.failures += w.none_more;
	ublkev__threads_ran(&w.t, n, err);
}

static void pull(void)
{
	struct ublkev__threads_action a;

	while (ublkev__threads_next(&w.t, &a)) {
		switch (a.act) {
		case UBLKEV__THREADS_RUN:
			run(a.n);
			break;
		case UBLKEV__THREADS_WISH:
			wish(&w.lanes[a.n], a.wishes);
			break;
		case UBLKEV__THREADS_JOIN:
			join(&w.lanes[a.n]);
			break;
		default:
			tell(a.act);
		}
		ublkev__threads_verify(&w.t);
	}
}

static void take_facts(unsigned int n)
{
	struct lane *l = &w.lanes[n];
	unsigned int facts = l->facts;

	if (!l->made || l->joined || !facts)
		return;
	l->facts = 0;
	ublkev__threads_told(&w.t, n, facts);
}

static bool all_armed(void)
{
	unsigned int i;

	for (i = 0; i < w.t.serving; i++)
		if (w.v[i].phase != UBLKEV__THREAD_ARMED)
			return false;
	return true;
}

static void go_up(void)
{
	if (!w.taken) {
		ublkev__threads_take(&w.t, 1 + below(w.t.nr));
		w.taken = true;
	} else if (!w.armed) {
		ublkev__threads_arm(&w.t, below(2));
		w.armed = true;
	} else if (!w.lived && all_armed()) {
		ublkev__threads_live(&w.t);
		w.lived = true;
	}
}

static void app_step(void)
{
	switch (below(24)) {
	case 0:
		if (!below(4))
			ublkev__threads_close(&w.t);
		break;
	case 1:
		ublkev__threads_abort(&w.t);
		break;
	case 2:
	case 3:
		if (w.lived)
			ublkev__threads_hold(&w.t);
		break;
	case 4:
	case 5:
		ublkev__threads_resume(&w.t);
		break;
	case 6:
		if (w.lived)
			ublkev__threads_ask_idle(&w.t);
		break;
	case 7:
		ublkev__threads_ask_look(&w.t);
		break;
	case 8:
		ublkev__threads_forget_look(&w.t);
		break;
	case 9:
		if (w.armed && !below(2))
			ublkev__threads_recall(&w.t);
		break;
	default:
		if (w.t.phase < UBLKEV__THREADS_CLOSING)
			go_up();
	}
	w.closed |= w.t.phase >= UBLKEV__THREADS_CLOSING;
}

/* ---- what has to hold -------------------------------------------------------- */

static void compare_lane(const struct lane *l)
{
	if (w.t.phase == UBLKEV__THREADS_ARMED ||
	    w.t.phase == UBLKEV__THREADS_LIVE)
		must(l->life.phase != UBLKEV__LANE_WAITS);
	/* the backend's memory may move now */
	if (w.t.hold == UBLKEV__HOLD_HELD)
		must(!ublkev__lanelife_serves(&l->life));
	if (w.t.idle == UBLKEV__IDLE_TOLD)
		must(l->life.idle == UBLKEV__IDLE_TOLD ||
		     !ublkev__lanelife_serves(&l->life));
	if (w.t.look == UBLKEV__LOOK_TOLD && !w.closed)
		must(!l->life.looks && !(l->wishes & UBLKEV__WISH_LOOK));
	/* ublkc may be closed now */
	if (w.t.recall == UBLKEV__RECALL_TOLD)
		must(l->life.recall == UBLKEV__RECALL_TOLD ||
		     !ublkev__lanelife_began(&l->life));
}

static void compare(void)
{
	unsigned int i;

	ublkev__threads_verify(&w.t);
	for (i = 0; i < w.t.serving; i++)
		compare_lane(&w.lanes[i]);
	for (i = 0; w.t.phase == UBLKEV__THREADS_CLOSED && i < w.t.nr; i++)
		must(!w.lanes[i].made ||
		     w.lanes[i].life.phase == UBLKEV__LANE_ENDED);
}

/* everybody has been told everything: nothing that was asked for is missing */
static void settle(void)
{
	unsigned int i, rounds;

	for (rounds = 0; rounds < 4; rounds++) {
		pull();
		for (i = 0; i < w.t.nr; i++) {
			if (!w.lanes[i].made || w.lanes[i].joined)
				continue;
			lane_acts(&w.lanes[i]);
			ublkev__lanelife_idle(&w.lanes[i].life);
			ublkev__lanelife_recalled(&w.lanes[i].life);
			lane_tells(&w.lanes[i]);
			take_facts(i);
		}
	}
	compare();
	must(ublkev__threads_armed(&w.t));
	must(w.t.hold != UBLKEV__HOLD_ASKED);
	must(w.t.idle != UBLKEV__IDLE_ASKED);
	must(w.t.look != UBLKEV__LOOK_ASKED);
	must(w.t.recall != UBLKEV__RECALL_ASKED);
	must(w.t.phase != UBLKEV__THREADS_CLOSING);
	must(w.ended == (w.t.phase == UBLKEV__THREADS_CLOSED));
	seen.holds += w.t.hold == UBLKEV__HOLD_HELD;
	seen.idles += w.t.idle == UBLKEV__IDLE_TOLD;
	seen.looks += w.t.look == UBLKEV__LOOK_TOLD;
	seen.recalls += w.t.recall == UBLKEV__RECALL_TOLD;
}

static void walk(void)
{
	unsigned int i;

	for (i = 0; i < STEPS; i++) {
		if (below(2))
			lane_step(&w.lanes[below(w.t.nr)]);
		else if (below(2))
			take_facts(below(w.t.nr));
		else
			app_step();
		/* acts are pulled soon, but more may be wished before */
		if (below(4))
			pull();
		compare();
		if (!below(40))
			settle();
	}
}

static void begin(void)
{
	struct test_rng rng = w.rng;
	unsigned int i, nr;

	memset(&w, 0, sizeof(w));
	w.rng = rng;
	nr = 1 + below(MAX);
	ublkev__threads_init(&w.t, w.v, nr);
	for (i = 0; i < nr; i++)
		ublkev__lanelife_init(&w.lanes[i].life, UBLKEV__LANE_WAITS);
	ublkev__threads_run(&w.t);
	pull();
}

static void end(void)
{
	unsigned int i;

	ublkev__threads_join(&w.t);
	w.closed = true;
	pull();
	compare();
	for (i = 0; i < w.t.nr; i++)
		must(w.lanes[i].made == w.lanes[i].joined);
}

START_TEST(walks)
{
	unsigned int i;

	test_rng_init(&w.rng, test_seed("test_threads_walk"));
	for (i = 0; i < WALKS; i++) {
		begin();
		if (!w.none_more)
			walk();
		end();
	}
	printf("test_threads_walk: %lu times held, %lu idle, %lu looked, %lu recalled, %lu drained, %lu closed, %lu not made, %lu joined\n",
	       seen.holds, seen.idles, seen.looks, seen.recalls, seen.drained,
	       seen.closes, seen.failures, seen.joins);
	must(seen.recalls > 100);
	must(seen.holds > 100 && seen.idles > 100 && seen.drained > 20);
	must(seen.looks > 100);
	must(seen.closes > 100 && seen.failures > 100 && seen.joins > 1000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("threads_walk");
	TCase *tc = tcase_create("walk");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, walks);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
