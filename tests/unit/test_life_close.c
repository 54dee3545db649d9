/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of a life whose backend closes later: STOPPED waits for it, in every
 * end and for so long, and nothing else of the life does.
 */
#include <errno.h>
#include <string.h>

#include "core/params.h"
#include "life_kit.h"

static struct life l;

static void begin_later(enum ublkev_step step)
{
	life_begin(&l, step);
	l.c.traits |= UBLKEV__CLOSES_LATER;
}

/* in BACKEND_CLOSE, the backend asked and its answer awaited */
static void until_asked(void)
{
	begin_later(UBLKEV_STEP_DEL);
	life_answer(&l, 0);
	ck_assert_str_eq(l.text, "BACKEND ");
	ck_assert_int_eq(l.c.step, UBLKEV_STEP_BACKEND_CLOSE);
	/* nobody counts before it was called: its threads are to let go */
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), UINT64_MAX);
	/* when it was told to stop */
	l.t0 = l.c.stop_deadline_ms - STOP_MS;
}

static void closing(void)
{
	ublkev__life_backend_closing(&l.c, l.now);
	life_pull(&l);
}

static void closed(void)
{
	ublkev__life_backend_closed(&l.c);
	life_pull(&l);
}

START_TEST(at_once)
{
	until_asked();
	closed();
	ck_assert_str_eq(l.text, "BACKEND !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, 0, UBLKEV_STEP_IDLE);
}
END_TEST

START_TEST(later)
{
	until_asked();
	closing();
	l.now = l.t0 + STOP_MS - 1;
	ublkev__life_tick(&l.c, l.now);
	closed();
	ck_assert_str_eq(l.text, "BACKEND !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, 0, UBLKEV_STEP_IDLE);
	/* a second time is nobody's */
	closed();
	ck_assert_str_eq(l.text, "BACKEND !STOPPED ");
}
END_TEST

START_TEST(never)
{
	until_asked();
	closing();
	life_silent(&l);
	ck_assert_str_eq(l.text, "BACKEND @5000 !ERROR !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, -ETIMEDOUT,
			 UBLKEV_STEP_BACKEND_CLOSE);
	closed();
	ck_assert_str_eq(l.text, "BACKEND @5000 !ERROR !STOPPED ");
}
END_TEST

/* an abort shortens the patience, before the backend was called and after */
START_TEST(hurried)
{
	until_asked();
	l.t0 = l.now;
	if (_i)
		life_abort(&l);
	closing();
	if (!_i) {
		l.now += 7;
		l.t0 = l.now;
		life_abort(&l);
	}
	life_silent(&l);
	ck_assert_str_eq(l.text, "BACKEND @200 !ERROR !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, -ETIMEDOUT,
			 UBLKEV_STEP_BACKEND_CLOSE);
}
END_TEST

/* an abort does not make a deadline that is near a later one */
START_TEST(not_lengthened)
{
	until_asked();
	closing();
	l.now = l.t0 + STOP_MS - 5;
	life_abort(&l);
	life_silent(&l);
	ck_assert_str_eq(l.text, "BACKEND @5000 !ERROR !STOPPED ");
}
END_TEST

/* the first error is what is told, and none is told twice */
START_TEST(after_an_error)
{
	begin_later(UBLKEV_STEP_LIVE);
	life_fault(&l, -EIO);
	life_answer(&l, 0);		/* STOP_DEV */
	life_drained(&l);
	life_answer(&l, 0);		/* DEL_DEV */
	ck_assert_str_eq(l.text, "!ERROR STOP_DEV CLOSE DEL_DEV BACKEND ");
	l.t0 = l.now;
	closing();
	life_silent(&l);
	ck_assert_str_eq(l.text, "!ERROR STOP_DEV CLOSE DEL_DEV BACKEND "
			 "@5000 !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, -EIO, UBLKEV_STEP_LIVE);
}
END_TEST

/* it never answered its requests either: the ladder's grace, not more */
START_TEST(after_the_ladder)
{
	begin_later(UBLKEV_STEP_LIVE);
	life_stop(&l);
	life_answer(&l, 0);
	while (l.c.step != UBLKEV_STEP_DEL)
		life_climb(&l);
	life_answer(&l, 0);
	l.text[0] = '\0';
	l.t0 = l.now;
	closing();
	life_silent(&l);
	ck_assert_str_eq(l.text, "@200 !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, -ETIMEDOUT,
			 UBLKEV_STEP_DRAIN);
}
END_TEST

/* whatever the end is, the backend closes before */
START_TEST(lost)
{
	begin_later(UBLKEV_STEP_DEL);
	life_answer(&l, -EPERM);
	ck_assert_str_eq(l.text, "!ERROR BACKEND ");
	closing();
	closed();
	ck_assert_str_eq(l.text, "!ERROR BACKEND !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_LOST, -EPERM, UBLKEV_STEP_DEL);
}
END_TEST

START_TEST(released)
{
	life_live(&l, UBLKEV_RECOVERY_REISSUE, KERNEL_73);
	l.c.traits |= UBLKEV__CLOSES_LATER;
	ck_assert_int_eq(ublkev__life_release(&l.c, l.now), 0);
	life_pull(&l);
	life_answer(&l, 0);
	life_idle(&l);
	ck_assert_str_eq(l.text, "QUIESCE_DEV CLOSE BACKEND ");
	closing();
	closed();
	life_assert_over(&l, UBLKEV_STEP_RELEASED, 0, UBLKEV_STEP_IDLE);
}
END_TEST

/* a start that fails before there is a device */
START_TEST(never_up)
{
	begin_later(UBLKEV_STEP_FEATURES);
	life_answer(&l, -EPERM);
	ck_assert_str_eq(l.text, "!ERROR BACKEND ");
	closed();
	life_assert_over(&l, UBLKEV_STEP_GONE, -EPERM, UBLKEV_STEP_FEATURES);
}
END_TEST

/* what is told meanwhile has no effect */
START_TEST(deaf)
{
	struct ublkev__ctrl_answer a = { 0 };

	until_asked();
	closing();
	life_stop(&l);
	life_fault(&l, -EIO);
	life_tag_died(&l);
	life_drained(&l);
	ublkev__life_closed(&l.c, l.now);
	ublkev__life_progress(&l.c, l.now + 1);
	ck_assert_int_eq(ublkev__life_cmd_done(&l.c, UBLKEV__CTRL_DEL_DEV, &a,
					       l.now), -EPROTO);
	ck_assert_int_eq(ublkev__life_release(&l.c, l.now), -EINVAL);
	ck_assert_int_eq(ublkev__life_can_resize(&l.c), -EINVAL);
	life_pull(&l);
	ck_assert_str_eq(l.text, "BACKEND ");
	closed();
	life_assert_over(&l, UBLKEV_STEP_GONE, 0, UBLKEV_STEP_IDLE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("life_close");
	TCase *tc = tcase_create("close");

	tcase_add_test(tc, at_once);
	tcase_add_test(tc, later);
	tcase_add_test(tc, never);
	tcase_add_loop_test(tc, hurried, 0, 2);
	tcase_add_test(tc, not_lengthened);
	tcase_add_test(tc, after_an_error);
	tcase_add_test(tc, after_the_ladder);
	tcase_add_test(tc, lost);
	tcase_add_test(tc, released);
	tcase_add_test(tc, never_up);
	tcase_add_test(tc, deaf);
	suite_add_tcase(s, tc);
	return test_main(s);
}
