/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * life: what a live device is asked for, and what others do to it
 */
#include <errno.h>
#include <string.h>

#include "core/params.h"
#include "life_kit.h"

/* ---- quiesced or stopped by somebody else --------------------------------- */

START_TEST(quiesced_outside)
{
	struct life l;

	life_live(&l, UBLKEV_RECOVERY_REISSUE, KERNEL_73);
	life_tag_died(&l);
	ck_assert_str_eq(l.text, "GET_DEV_INFO ");
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + CMD_MS);
	if (_i)
		life_drained(&l);
	life_answer(&l, 0);
	ck_assert_int_eq(l.c.step, UBLKEV_STEP_QUIESCE);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + STOP_MS);
	if (!_i)
		life_drained(&l);
	life_idle(&l);
	ck_assert_str_eq(l.text, "GET_DEV_INFO CLOSE !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, 0, UBLKEV_STEP_IDLE);
}
END_TEST

START_TEST(stopped_outside)
{
	struct life l;

	life_live(&l, UBLKEV_RECOVERY_REISSUE, KERNEL_73);
	l.state = UBLKEV_STATE_DEAD;
	life_tag_died(&l);
	if (_i)
		life_drained(&l);
	life_answer(&l, 0);
	if (!_i) {
		life_assert_live(&l);
		life_drained(&l);
	}
	life_polite(&l);
	ck_assert_str_eq(l.text, "GET_DEV_INFO !ERROR CLOSE DEL_DEV "
			 "!STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, -ENODEV, UBLKEV_STEP_LIVE);
}
END_TEST

START_TEST(deleted_outside)
{
	struct life l;

	life_live(&l, UBLKEV_RECOVERY_REISSUE, KERNEL_73);
	life_tag_died(&l);
	life_answer(&l, -ENODEV);
	ck_assert_str_eq(l.text, "GET_DEV_INFO !ERROR STOP_DEV ");
	life_answer(&l, -ENODEV);
	life_polite(&l);
	ck_assert_str_eq(l.text, "GET_DEV_INFO !ERROR STOP_DEV CLOSE "
			 "!STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, -ENODEV, UBLKEV_STEP_LIVE);
}
END_TEST

/* whoever can't be quiesced was stopped: no question */
START_TEST(no_question)
{
	struct life l;

	life_live(&l, UBLKEV_RECOVERY_REISSUE, KERNEL_612);
	life_tag_died(&l);
	ck_assert_str_eq(l.text, "");
	life_drained(&l);
	life_polite(&l);
	ck_assert_str_eq(l.text, "!ERROR CLOSE DEL_DEV !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, -ENODEV, UBLKEV_STEP_LIVE);
}
END_TEST

START_TEST(stop_while_asking)
{
	struct life l;

	life_live(&l, UBLKEV_RECOVERY_REISSUE, KERNEL_73);
	life_tag_died(&l);
	life_stop(&l);
	ck_assert_str_eq(l.text, "GET_DEV_INFO ");
	life_answer(&l, _i ? -ENODEV : 0);
	life_polite(&l);
	ck_assert_str_eq(l.text, "GET_DEV_INFO STOP_DEV CLOSE DEL_DEV "
			 "!STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, 0, UBLKEV_STEP_IDLE);
}
END_TEST

START_TEST(asking_times_out)
{
	struct life l;

	life_live(&l, UBLKEV_RECOVERY_REISSUE, KERNEL_73);
	life_tag_died(&l);
	l.t0 = l.now;
	l.text[0] = '\0';
	life_silent(&l);
	ck_assert_str_eq(l.text, "@1000 -GET_DEV_INFO @1200 ");
	life_assert_live(&l);
	ck_assert_int_eq(ublkev__life_release(&l.c, l.now), -EBUSY);
	ck_assert_int_eq(ublkev__life_try_stop(&l.c, l.now), -EBUSY);
	ck_assert_int_eq(ublkev__life_can_resize(&l.c), -EBUSY);
	/* late, it is an answer all the same */
	l.now += 100000;
	life_answer(&l, 0);
	life_idle(&l);
	life_assert_over(&l, UBLKEV_STEP_RELEASED, 0, UBLKEV_STEP_IDLE);
}
END_TEST

/* then there is nothing to serve on; whoever quiesced it is to have it */
START_TEST(asking_times_out_drained)
{
	struct life l;

	life_live(&l, UBLKEV_RECOVERY_REISSUE, KERNEL_73);
	life_tag_died(&l);
	if (_i)
		life_drained(&l);
	l.t0 = l.now;
	l.text[0] = '\0';
	life_silent(&l);
	if (!_i) {
		l.t0 = l.now;
		l.text[0] = '\0';
		life_drained(&l);
		life_silent(&l);
	}
	ck_assert_str_eq(l.text, _i ?
			 "@1000 -GET_DEV_INFO @1200 !ERROR CLOSE !STOPPED " :
			 "@200 !ERROR CLOSE !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_LOST, -ETIMEDOUT, UBLKEV_STEP_LIVE);
}
END_TEST

/* an error is no reason to end it, but to ask again */
START_TEST(asking_fails)
{
	struct life l;

	life_live(&l, UBLKEV_RECOVERY_REISSUE, KERNEL_73);
	life_tag_died(&l);
	life_answer(&l, -EPERM);
	ck_assert_str_eq(l.text, "GET_DEV_INFO ");
	ublkev__life_verify(&l.c);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + CMD_MS);
	if (_i == 1) {
		life_climb(&l);
	} else if (_i == 2) {
		life_drained(&l);
		ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now);
		life_climb(&l);
		ck_assert_str_eq(l.text, "GET_DEV_INFO GET_DEV_INFO ");
		life_answer(&l, -EPERM);
		life_polite(&l);
		life_assert_over(&l, UBLKEV_STEP_RELEASED, -EPERM,
			    UBLKEV_STEP_LIVE);
		return;
	} else {
		life_stop(&l);
		life_polite(&l);
		life_assert_over(&l, UBLKEV_STEP_GONE, 0, UBLKEV_STEP_IDLE);
		return;
	}
	ck_assert_str_eq(l.text, "GET_DEV_INFO GET_DEV_INFO ");
	life_answer(&l, 0);
	life_idle(&l);
	life_assert_over(&l, UBLKEV_STEP_RELEASED, 0, UBLKEV_STEP_IDLE);
}
END_TEST

/* what never returned is waited for as long as for any stop */
START_TEST(stop_while_overdue)
{
	struct life l;

	life_live(&l, UBLKEV_RECOVERY_REISSUE, KERNEL_73);
	life_tag_died(&l);
	life_silent(&l);
	l.t0 = l.now;
	l.text[0] = '\0';
	if (_i == 2)
		life_abort(&l);
	else
		life_stop(&l);
	if (_i == 1) {
		life_answer(&l, -EINTR);
		life_polite(&l);
		ck_assert_str_eq(l.text, "STOP_DEV CLOSE DEL_DEV !STOPPED ");
		life_assert_over(&l, UBLKEV_STEP_GONE, 0, UBLKEV_STEP_IDLE);
		return;
	}
	life_silent(&l);
	ck_assert_str_eq(l.text, _i ? "ABORT @200 !ERROR CLOSE !STOPPED " :
			 "@5000 !ERROR CLOSE !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_LOST, -ETIMEDOUT, UBLKEV_STEP_LIVE);
}
END_TEST

/* nothing else may begin meanwhile */
START_TEST(busy_while_asking)
{
	struct life l;

	life_live(&l, UBLKEV_RECOVERY_REISSUE, KERNEL_73);
	life_tag_died(&l);
	ck_assert_int_eq(ublkev__life_release(&l.c, l.now), -EINVAL);
	ck_assert_int_eq(ublkev__life_try_stop(&l.c, l.now), -EINVAL);
	ck_assert_int_eq(ublkev__life_can_resize(&l.c), -EINVAL);
	/* nor before LIVE */
	life_begin(&l, UBLKEV_STEP_START);
	ck_assert_int_eq(ublkev__life_release(&l.c, l.now), -EINVAL);
	ck_assert_int_eq(ublkev__life_try_stop(&l.c, l.now), -EINVAL);
	ck_assert_int_eq(ublkev__life_can_resize(&l.c), -EINVAL);
	/* nor on the way down */
	life_begin(&l, UBLKEV_STEP_DRAIN);
	ck_assert_int_eq(ublkev__life_release(&l.c, l.now), -EINVAL);
	ck_assert_int_eq(ublkev__life_try_stop(&l.c, l.now), -EINVAL);
	ck_assert_int_eq(ublkev__life_can_resize(&l.c), -EINVAL);
}
END_TEST

/* ---- try_stop -------------------------------------------------------------- */

static void begin_try(struct life *l)
{
	life_live(l, UBLKEV_RECOVERY_NONE, KERNEL_73);
	ck_assert_int_eq(ublkev__life_try_stop(&l->c, l->now), 0);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l->c), UINT64_MAX);
	life_pull(l);
	ck_assert_str_eq(l->text, "TRY_STOP_DEV ");
	l->t0 = l->now;
	l->text[0] = '\0';
}

START_TEST(try_stopped)
{
	struct life l;

	begin_try(&l);
	if (_i)
		life_drained(&l);
	life_answer(&l, 0);
	if (!_i)	/* a stop like any other */
		ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c),
				  l.now + STOP_MS);
	life_polite(&l);
	ck_assert_str_eq(l.text, "CLOSE DEL_DEV !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, 0, UBLKEV_STEP_IDLE);
}
END_TEST

START_TEST(try_refused)
{
	struct life l;

	begin_try(&l);
	life_answer(&l, -EBUSY);
	ck_assert_str_eq(l.text, "!REFUSED=-16 ");
	life_assert_live(&l);
	ck_assert_int_eq(ublkev__life_try_stop(&l.c, l.now), 0);
	life_pull(&l);
	life_answer(&l, 0);
	life_polite(&l);
	ck_assert_str_eq(l.text, "!REFUSED=-16 TRY_STOP_DEV CLOSE DEL_DEV "
			 "!STOPPED ");
}
END_TEST

START_TEST(try_unknown)
{
	struct life l;

	life_live(&l, UBLKEV_RECOVERY_NONE, KERNEL_612);
	ck_assert_int_eq(ublkev__life_try_stop(&l.c, l.now), -EOPNOTSUPP);
	life_pull(&l);
	ck_assert_str_eq(l.text, "");
	life_assert_live(&l);
}
END_TEST

/* refused, but somebody else has stopped it */
START_TEST(try_refused_and_drained)
{
	struct life l;

	begin_try(&l);
	life_drained(&l);
	ck_assert_str_eq(l.text, "");
	life_answer(&l, -ENODEV);
	life_polite(&l);
	ck_assert_str_eq(l.text, "!ERROR CLOSE DEL_DEV !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, -ENODEV, UBLKEV_STEP_LIVE);
}
END_TEST

/* refused, and quiesced by somebody else meanwhile: perhaps all of it was idle */
START_TEST(quiesced_during_try)
{
	struct life l;

	life_live(&l, UBLKEV_RECOVERY_REISSUE, KERNEL_73);
	ck_assert_int_eq(ublkev__life_try_stop(&l.c, l.now), 0);
	life_tag_died(&l);
	if (_i)
		life_drained(&l);
	ck_assert_str_eq(l.text, "TRY_STOP_DEV ");
	life_answer(&l, -EBUSY);
	ck_assert_str_eq(l.text, "TRY_STOP_DEV !REFUSED=-16 GET_DEV_INFO ");
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + CMD_MS);
	life_answer(&l, 0);
	life_idle(&l);
	life_assert_over(&l, UBLKEV_STEP_RELEASED, 0, UBLKEV_STEP_IDLE);
}
END_TEST

START_TEST(stop_during_try)
{
	struct life l;

	begin_try(&l);
	life_stop(&l);
	ck_assert_str_eq(l.text, "");
	life_answer(&l, _i ? 0 : -EBUSY);
	life_polite(&l);
	ck_assert_str_eq(l.text, _i ? "CLOSE DEL_DEV !STOPPED " :
			 "STOP_DEV CLOSE DEL_DEV !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, 0, UBLKEV_STEP_IDLE);
}
END_TEST

START_TEST(try_silent)
{
	struct life l;

	/* it is served until there is an answer, however late */
	begin_try(&l);
	ublkev__life_tick(&l.c, l.now + 1000 * STOP_MS);
	ck_assert(!ublkev__life_has_work(&l.c));
	l.now += 1000 * STOP_MS;
	life_answer(&l, -EBUSY);
	ck_assert_str_eq(l.text, "!REFUSED=-16 ");
	life_assert_live(&l);
	/* unless a stop is asked for, or nothing is left to serve */
	begin_try(&l);
	if (_i)
		life_drained(&l);
	else
		life_stop(&l);
	life_silent(&l);
	ck_assert_str_eq(l.text,
			 "@5000 !ERROR ABORT @5200 CLOSE @5400 !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_LOST, -ETIMEDOUT, UBLKEV_STEP_STOP);
}
END_TEST

static void add_others(TCase *tc)
{
	tcase_add_loop_test(tc, quiesced_outside, 0, 2);
	tcase_add_loop_test(tc, stopped_outside, 0, 2);
	tcase_add_test(tc, deleted_outside);
	tcase_add_test(tc, no_question);
	tcase_add_loop_test(tc, stop_while_asking, 0, 2);
	tcase_add_test(tc, asking_times_out);
	tcase_add_loop_test(tc, asking_times_out_drained, 0, 2);
	tcase_add_loop_test(tc, asking_fails, 0, 3);
	tcase_add_loop_test(tc, stop_while_overdue, 0, 3);
	tcase_add_test(tc, busy_while_asking);
	tcase_add_loop_test(tc, try_stopped, 0, 2);
	tcase_add_test(tc, try_refused);
	tcase_add_test(tc, try_unknown);
	tcase_add_test(tc, try_refused_and_drained);
	tcase_add_loop_test(tc, quiesced_during_try, 0, 2);
	tcase_add_loop_test(tc, stop_during_try, 0, 2);
	tcase_add_loop_test(tc, try_silent, 0, 2);
}

int main(void)
{
	Suite *suite = suite_create("life_live");
	TCase *tc = tcase_create("live");

	add_others(tc);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
