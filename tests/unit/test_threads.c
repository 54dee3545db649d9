/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the core wants of the queue threads, act by act, as a line of text; and
 * what each of them makes of it, see lanelife.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/threads.h"
#include "testlib.h"

#define NR	3u

static struct {
	struct ublkev__threads t;
	struct ublkev__thread v[NR];
	unsigned int fails_at;		/* the thread that cannot be made */
	char text[512];
} k;

static void say(const char *what, unsigned int n)
{
	size_t len = strlen(k.text);

	snprintf(k.text + len, sizeof(k.text) - len, "%s%u ", what, n);
}

static void say_wishes(unsigned int n, unsigned int wishes)
{
	static const char *const names[] = {
		"ARM", "ARM_HIDDEN", "LIVE", "ABORT", "RESUME", "HOLD", "IDLE",
		"LOOK", "RECALL", "CLOSE",
	};
	unsigned int i;

	for (i = 0; i < TEST_COUNT(names); i++)
		if (wishes >> i & 1)
			say(names[i], n);
}

static void act(const struct ublkev__threads_action *a)
{
	switch (a->act) {
	case UBLKEV__THREADS_RUN:
		say("run", a->n);
		ublkev__threads_ran(&k.t, a->n, a->n == k.fails_at ?
				    -EAGAIN : 0);
		break;
	case UBLKEV__THREADS_WISH:
		say_wishes(a->n, a->wishes);
		break;
	case UBLKEV__THREADS_JOIN:
		say("join", a->n);
		break;
	case UBLKEV__THREADS_TELL_TAG_DIED:
		strcat(k.text, "died ");
		break;
	case UBLKEV__THREADS_TELL_DRAINED:
		strcat(k.text, "drained ");
		break;
	case UBLKEV__THREADS_TELL_CLOSED:
		strcat(k.text, "closed ");
		break;
	case UBLKEV__THREADS_DONE:
		ck_abort();
	}
	ublkev__threads_verify(&k.t);
}

/* what is to be done by now, and nothing else */
static void assert_acts(const char *text)
{
	struct ublkev__threads_action a;

	k.text[0] = '\0';
	ublkev__threads_verify(&k.t);
	while (ublkev__threads_next(&k.t, &a))
		act(&a);
	ck_assert_int_eq(a.act, UBLKEV__THREADS_DONE);
	ck_assert_str_eq(k.text, text);
}

static void told(unsigned int n, unsigned int facts)
{
	ublkev__threads_told(&k.t, n, facts);
	ublkev__threads_verify(&k.t);
}

static void all_told(unsigned int facts)
{
	unsigned int i;

	for (i = 0; i < NR; i++)
		told(i, facts);
}

static void set_up(void)
{
	k.fails_at = NR;
	ublkev__threads_init(&k.t, k.v, NR);
	ublkev__threads_verify(&k.t);
}

static void run(void)
{
	ublkev__threads_run(&k.t);
	assert_acts("run0 run1 run2 ");
	ublkev__threads_take(&k.t, NR);
	assert_acts("");
}

static void arm(void)
{
	run();
	ublkev__threads_arm(&k.t, false);
	assert_acts("ARM0 ARM1 ARM2 ");
	all_told(UBLKEV__FACT_ARMED);
	ck_assert(ublkev__threads_armed(&k.t));
}

static void live(void)
{
	arm();
	ublkev__threads_live(&k.t);
	assert_acts("LIVE0 LIVE1 LIVE2 ");
}

/* ---- up --------------------------------------------------------------------- */

/* a device without them waits for none */
START_TEST(none)
{
	ublkev__threads_init(&k.t, NULL, 0);
	ublkev__threads_take(&k.t, 4);
	ublkev__threads_live(&k.t);
	ublkev__threads_hold(&k.t);
	ublkev__threads_ask_idle(&k.t);
	ck_assert(ublkev__threads_armed(&k.t));
	ck_assert(ublkev__threads_held(&k.t));
	ck_assert(ublkev__threads_idle(&k.t));
	ublkev__threads_ask_look(&k.t);
	ck_assert(ublkev__threads_looked(&k.t));
	ublkev__threads_forget_look(&k.t);
	ublkev__threads_resume(&k.t);
	ublkev__threads_close(&k.t);
	ck_assert(ublkev__threads_closed(&k.t));
	assert_acts("");
	ublkev__threads_join(&k.t);
	assert_acts("");
}
END_TEST

/* those before it are told to end, all of them, before one is waited for */
START_TEST(cannot_be_made)
{
	static const char *const made[] = { "run0 ", "run0 run1 ",
					    "run0 run1 run2 " };
	static const char *const ended[] = { "", "CLOSE0 join0 ",
					     "CLOSE0 CLOSE1 join0 join1 " };

	k.fails_at = (unsigned int)_i;
	ublkev__threads_run(&k.t);
	assert_acts(made[_i]);
	ublkev__threads_join(&k.t);
	assert_acts(ended[_i]);
	ublkev__threads_join(&k.t);
	assert_acts("");
}
END_TEST

START_TEST(never_made)
{
	ublkev__threads_join(&k.t);
	assert_acts("");
	ck_assert(ublkev__threads_closed(&k.t));
}
END_TEST

/* a line for the log: nothing was armed yet, so nothing is drained */
START_TEST(told_before_queues)
{
	ublkev__threads_run(&k.t);
	assert_acts("run0 run1 run2 ");
	told(1, UBLKEV__FACT_LINE);
	assert_acts("");
	ublkev__threads_join(&k.t);
	assert_acts("CLOSE0 CLOSE1 CLOSE2 join0 join1 join2 ");
}
END_TEST

START_TEST(fewer_queues)
{
	ublkev__threads_run(&k.t);
	assert_acts("run0 run1 run2 ");
	ublkev__threads_take(&k.t, 1);
	assert_acts("CLOSE1 CLOSE2 ");
	told(2, UBLKEV__FACT_CLOSED);
	ublkev__threads_arm(&k.t, true);
	assert_acts("ARM_HIDDEN0 ");
	ck_assert(!ublkev__threads_armed(&k.t));
	told(0, UBLKEV__FACT_ARMED);
	ck_assert(ublkev__threads_armed(&k.t));
	ublkev__threads_close(&k.t);
	assert_acts("CLOSE0 ");
	told(0, UBLKEV__FACT_CLOSED);
	assert_acts("");
	/* the one without a queue is waited for as well */
	told(1, UBLKEV__FACT_CLOSED);
	assert_acts("closed ");
}
END_TEST

/* one has its FETCHes with the driver, another could not: both have said so */
START_TEST(one_fails)
{
	run();
	ublkev__threads_arm(&k.t, false);
	assert_acts("ARM0 ARM1 ARM2 ");
	told(0, UBLKEV__FACT_ARMED);
	told(1, UBLKEV__FACT_FAULT);
	told(1, UBLKEV__FACT_DRAINED);
	ck_assert(!ublkev__threads_armed(&k.t));
	told(2, UBLKEV__FACT_ARMED);
	ck_assert(ublkev__threads_armed(&k.t));
	/* that it has no tag does not say that one died */
	assert_acts("");
	told(0, UBLKEV__FACT_TAG_DIED | UBLKEV__FACT_DRAINED);
	assert_acts("died ");
	told(2, UBLKEV__FACT_TAG_DIED);
	assert_acts("");
	told(2, UBLKEV__FACT_DRAINED);
	assert_acts("drained ");
	/* it has no requests to be failed */
	ublkev__threads_abort(&k.t);
	assert_acts("ABORT0 ABORT2 ");
}
END_TEST

START_TEST(all_fail)
{
	run();
	ublkev__threads_arm(&k.t, false);
	assert_acts("ARM0 ARM1 ARM2 ");
	all_told(UBLKEV__FACT_FAULT | UBLKEV__FACT_DRAINED);
	assert_acts("drained ");
	ck_assert(ublkev__threads_armed(&k.t));
}
END_TEST

/* ---- live ------------------------------------------------------------------- */

START_TEST(held)
{
	live();
	ublkev__threads_hold(&k.t);
	ublkev__threads_hold(&k.t);
	assert_acts("HOLD0 HOLD1 HOLD2 ");
	told(0, UBLKEV__FACT_HELD);
	told(2, UBLKEV__FACT_HELD);
	ck_assert(!ublkev__threads_held(&k.t));
	/* not before all are */
	ublkev__threads_resume(&k.t);
	assert_acts("");
	told(1, UBLKEV__FACT_HELD);
	ck_assert(ublkev__threads_held(&k.t));
	ublkev__threads_resume(&k.t);
	assert_acts("RESUME0 RESUME1 RESUME2 ");
	ck_assert(!ublkev__threads_held(&k.t));
	/* the next time is a new one; a word may have both wishes */
	ublkev__threads_hold(&k.t);
	all_told(UBLKEV__FACT_HELD);
	assert_acts("HOLD0 HOLD1 HOLD2 ");
	ublkev__threads_resume(&k.t);
	ublkev__threads_hold(&k.t);
	assert_acts("RESUME0 HOLD0 RESUME1 HOLD1 RESUME2 HOLD2 ");
}
END_TEST

/* one that is to end may be in the backend until it has ended */
START_TEST(held_while_closing)
{
	live();
	if (_i)
		ublkev__threads_hold(&k.t);
	ublkev__threads_close(&k.t);
	if (!_i)
		ublkev__threads_hold(&k.t);
	assert_acts(_i ? "HOLD0 CLOSE0 HOLD1 CLOSE1 HOLD2 CLOSE2 "
		       : "CLOSE0 CLOSE1 CLOSE2 ");
	if (_i)
		told(0, UBLKEV__FACT_HELD);
	else
		told(0, UBLKEV__FACT_CLOSED);
	told(1, UBLKEV__FACT_CLOSED);
	ck_assert(!ublkev__threads_held(&k.t));
	told(2, UBLKEV__FACT_CLOSED);
	ck_assert(ublkev__threads_held(&k.t));
	/* nobody is there to be resumed */
	ublkev__threads_resume(&k.t);
	assert_acts(_i ? "" : "closed ");
}
END_TEST

START_TEST(idle)
{
	live();
	ublkev__threads_ask_idle(&k.t);
	ublkev__threads_ask_idle(&k.t);
	assert_acts("IDLE0 IDLE1 IDLE2 ");
	told(0, UBLKEV__FACT_IDLE);
	told(1, UBLKEV__FACT_IDLE);
	ck_assert(!ublkev__threads_idle(&k.t));
	told(2, UBLKEV__FACT_IDLE);
	ck_assert(ublkev__threads_idle(&k.t));
}
END_TEST

START_TEST(looked)
{
	live();
	ck_assert(!ublkev__threads_looked(&k.t));
	ublkev__threads_ask_look(&k.t);
	ublkev__threads_ask_look(&k.t);
	assert_acts("LOOK0 LOOK1 LOOK2 ");
	told(0, UBLKEV__FACT_LOOKED);
	told(2, UBLKEV__FACT_LOOKED);
	ck_assert(!ublkev__threads_looked(&k.t));
	ck_assert(!ublkev__threads_awaits_look(&k.t, 0));
	ck_assert(ublkev__threads_awaits_look(&k.t, 1));
	/* given up: one that is asked still is not asked again */
	ublkev__threads_forget_look(&k.t);
	ublkev__threads_ask_look(&k.t);
	assert_acts("LOOK0 LOOK2 ");
	told(1, UBLKEV__FACT_LOOKED);
	told(0, UBLKEV__FACT_LOOKED);
	ck_assert(!ublkev__threads_looked(&k.t));
	told(2, UBLKEV__FACT_LOOKED);
	ck_assert(ublkev__threads_looked(&k.t));
	ublkev__threads_forget_look(&k.t);
	ck_assert(!ublkev__threads_looked(&k.t));
}
END_TEST

/* before they have a ring, and when they are told to let go of it */
START_TEST(looked_early_and_late)
{
	run();
	ublkev__threads_ask_look(&k.t);
	assert_acts("LOOK0 LOOK1 LOOK2 ");
	all_told(UBLKEV__FACT_LOOKED);
	ck_assert(ublkev__threads_looked(&k.t));
	ublkev__threads_forget_look(&k.t);
	ublkev__threads_ask_look(&k.t);
	ublkev__threads_close(&k.t);
	assert_acts("LOOK0 CLOSE0 LOOK1 CLOSE1 LOOK2 CLOSE2 ");
	ck_assert(ublkev__threads_looked(&k.t));
	ublkev__threads_forget_look(&k.t);
	ublkev__threads_ask_look(&k.t);
	assert_acts("");
	ck_assert(ublkev__threads_looked(&k.t));
}
END_TEST

/* likewise, from when they may have armed */
START_TEST(recall)
{
	live();
	ublkev__threads_recall(&k.t);
	ublkev__threads_recall(&k.t);
	assert_acts("RECALL0 RECALL1 RECALL2 ");
	told(0, UBLKEV__FACT_RECALLED);
	told(2, UBLKEV__FACT_RECALLED);
	ck_assert(!ublkev__threads_recalled(&k.t));
	/* one that is told to end has said nothing so far */
	ublkev__threads_close(&k.t);
	assert_acts("CLOSE0 CLOSE1 CLOSE2 ");
	ck_assert(!ublkev__threads_recalled(&k.t));
	told(1, UBLKEV__FACT_CLOSED);
	ck_assert(ublkev__threads_recalled(&k.t));
}
END_TEST

/* ---- down ------------------------------------------------------------------- */

/* what their tags do is no news once they are told to close their rings */
START_TEST(closing)
{
	live();
	told(0, UBLKEV__FACT_TAG_DIED);
	ublkev__threads_close(&k.t);
	ublkev__threads_close(&k.t);
	assert_acts("CLOSE0 CLOSE1 CLOSE2 ");
	all_told(UBLKEV__FACT_DRAINED);
	assert_acts("");
	told(0, UBLKEV__FACT_CLOSED);
	told(2, UBLKEV__FACT_CLOSED);
	ck_assert(!ublkev__threads_closed(&k.t));
	told(1, UBLKEV__FACT_CLOSED);
	ck_assert(ublkev__threads_closed(&k.t));
	assert_acts("closed ");
	ublkev__threads_join(&k.t);
	assert_acts("join0 join1 join2 ");
}
END_TEST

START_TEST(closed_while_arming)
{
	run();
	ublkev__threads_arm(&k.t, false);
	ublkev__threads_close(&k.t);
	/* nobody takes a wish back */
	assert_acts("ARM0 CLOSE0 ARM1 CLOSE1 ARM2 CLOSE2 ");
	all_told(UBLKEV__FACT_ARMED);
	ck_assert(ublkev__threads_armed(&k.t));
	all_told(UBLKEV__FACT_CLOSED);
	assert_acts("closed ");
}
END_TEST

START_TEST(joined_in_the_middle)
{
	live();
	ublkev__threads_abort(&k.t);
	assert_acts("ABORT0 ABORT1 ABORT2 ");
	told(0, UBLKEV__FACT_TAG_DIED);
	ublkev__threads_join(&k.t);
	assert_acts("CLOSE0 CLOSE1 CLOSE2 join0 join1 join2 ");
}
END_TEST

/* ---- a lane ----------------------------------------------------------------- */

static struct ublkev__lanelife ll;

static void lane_acts(unsigned int wishes, enum ublkev__lane_act first)
{
	ublkev__lanelife_wish(&ll, wishes);
	ck_assert_int_eq(ublkev__lanelife_next(&ll), first);
	ublkev__lanelife_verify(&ll);
}

static void lane_facts(unsigned int facts)
{
	ublkev__lanelife_verify(&ll);
	ck_assert_uint_eq(ublkev__lanelife_facts(&ll), facts);
	ck_assert_uint_eq(ublkev__lanelife_facts(&ll), 0);
}

/* all that can be wished in one word */
START_TEST(lane_in_order)
{
	ublkev__lanelife_init(&ll, UBLKEV__LANE_WAITS);
	ck_assert(!ublkev__lanelife_serves(&ll));
	lane_acts(UBLKEV__WISH_CLOSE | UBLKEV__WISH_HOLD | UBLKEV__WISH_LIVE |
		  UBLKEV__WISH_ARM | UBLKEV__WISH_ABORT, UBLKEV__LANE_ARM);
	ublkev__lanelife_armed(&ll, 0);
	ck_assert(ublkev__lanelife_serves(&ll));
	lane_acts(0, UBLKEV__LANE_ABORT);
	ck_assert_int_eq(ll.phase, UBLKEV__LANE_LIVE);
	lane_acts(0, UBLKEV__LANE_HOLD);
	ublkev__lanelife_held(&ll);
	ck_assert(!ublkev__lanelife_serves(&ll));
	lane_acts(0, UBLKEV__LANE_CLOSE);
	ck_assert(ublkev__lanelife_began(&ll));
	ublkev__lanelife_ended(&ll);
	lane_acts(0, UBLKEV__LANE_NONE);
	lane_facts(UBLKEV__FACT_ARMED | UBLKEV__FACT_HELD |
		   UBLKEV__FACT_CLOSED);
}
END_TEST

START_TEST(lane_fails)
{
	ublkev__lanelife_init(&ll, UBLKEV__LANE_WAITS);
	lane_acts(UBLKEV__WISH_ARM_HIDDEN, UBLKEV__LANE_ARM_HIDDEN);
	ublkev__lanelife_armed(&ll, -EMFILE);
	lane_facts(UBLKEV__FACT_DRAINED);
	ck_assert(!ublkev__lanelife_serves(&ll));
	ck_assert(!ublkev__lanelife_began(&ll));
	lane_acts(UBLKEV__WISH_CLOSE, UBLKEV__LANE_CLOSE);
	ublkev__lanelife_ended(&ll);
	lane_facts(UBLKEV__FACT_CLOSED);
}
END_TEST

START_TEST(lane_tells_once)
{
	ublkev__lanelife_init(&ll, UBLKEV__LANE_ARMED);
	ublkev__lanelife_tag_died(&ll);
	ublkev__lanelife_tag_died(&ll);
	lane_facts(UBLKEV__FACT_TAG_DIED);
	ublkev__lanelife_tag_died(&ll);
	lane_facts(0);
	ublkev__lanelife_drained(&ll);
	lane_facts(UBLKEV__FACT_DRAINED);
	ublkev__lanelife_drained(&ll);
	lane_facts(0);
	/* and nobody, whose ring is closed by us */
	ublkev__lanelife_init(&ll, UBLKEV__LANE_ARMED);
	ublkev__lanelife_let_go(&ll);
	ublkev__lanelife_tag_died(&ll);
	ublkev__lanelife_drained(&ll);
	lane_facts(0);
}
END_TEST

/* only one that is asked says so, and once */
START_TEST(lane_idle)
{
	ublkev__lanelife_init(&ll, UBLKEV__LANE_ARMED);
	ublkev__lanelife_idle(&ll);
	lane_facts(0);
	lane_acts(UBLKEV__WISH_LIVE | UBLKEV__WISH_IDLE, UBLKEV__LANE_NONE);
	ublkev__lanelife_idle(&ll);
	lane_facts(UBLKEV__FACT_IDLE);
	ublkev__lanelife_idle(&ll);
	lane_facts(0);
}
END_TEST

/* not before it has gone through a round since it heard of the wish; once */
START_TEST(lane_looks)
{
	ublkev__lanelife_init(&ll, UBLKEV__LANE_ARMED);
	ublkev__lanelife_looked(&ll);
	lane_facts(0);
	lane_acts(UBLKEV__WISH_LOOK, UBLKEV__LANE_NONE);
	lane_facts(0);
	ublkev__lanelife_looked(&ll);
	lane_facts(UBLKEV__FACT_LOOKED);
	ublkev__lanelife_looked(&ll);
	lane_facts(0);
}
END_TEST

/* ---- verify itself ---------------------------------------------------------- */

static void hold_one_that_waits(void *arg)
{
	k.v[1].hold = UBLKEV__HOLD_HELD;
	ublkev__threads_verify(arg);
}

static void forget_one(void *arg)
{
	k.v[1].phase = UBLKEV__THREAD_NONE;
	ublkev__threads_verify(arg);
}

static void serve_without_tags(void *arg)
{
	struct ublkev__lanelife *l = arg;

	l->phase = UBLKEV__LANE_FAILED;
	ublkev__lanelife_verify(l);
}

START_TEST(verify_bites)
{
	arm();
	ck_assert(test_aborts(hold_one_that_waits, &k.t, "hold"));
	ck_assert(test_aborts(forget_one, &k.t, "thread_is"));
	ublkev__lanelife_init(&ll, UBLKEV__LANE_ARMED);
	ck_assert(test_aborts(serve_without_tags, &ll, "tags"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("threads");
	TCase *tc = tcase_create("threads");

	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_add_test(tc, none);
	tcase_add_loop_test(tc, cannot_be_made, 0, (int)NR);
	tcase_add_test(tc, never_made);
	tcase_add_test(tc, told_before_queues);
	tcase_add_test(tc, fewer_queues);
	tcase_add_test(tc, one_fails);
	tcase_add_test(tc, all_fail);
	tcase_add_test(tc, held);
	tcase_add_loop_test(tc, held_while_closing, 0, 2);
	tcase_add_test(tc, idle);
	tcase_add_test(tc, looked);
	tcase_add_test(tc, looked_early_and_late);
	tcase_add_test(tc, recall);
	tcase_add_test(tc, closing);
	tcase_add_test(tc, closed_while_arming);
	tcase_add_test(tc, joined_in_the_middle);
	tcase_add_test(tc, lane_in_order);
	tcase_add_test(tc, lane_fails);
	tcase_add_test(tc, lane_tells_once);
	tcase_add_test(tc, lane_idle);
	tcase_add_test(tc, lane_looks);
	tcase_add_test(tc, verify_bites);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
