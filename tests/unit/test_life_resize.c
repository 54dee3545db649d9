/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * life: UPDATE_SIZE, and the question for the state before it
 */
#include <errno.h>
#include <string.h>

#include "life_kit.h"

static void assert_live(const struct life *l)
{
	ck_assert_int_eq(l->c.step, UBLKEV_STEP_LIVE);
	ck_assert_int_eq(l->c.err, 0);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l->c), UINT64_MAX);
	ck_assert_int_eq(ublkev__life_can_resize(&l->c), 0);
}

#define SECTORS 4096u

/* GET_DEV_INFO is asked */
static void begin(struct life *l)
{
	life_make(l, UBLKEV_RECOVERY_REISSUE, KERNEL_73);
	life_lead(l, UBLKEV__LIFE_ADD, UBLKEV_STEP_LIVE);
	l->state = UBLKEV_STATE_LIVE;
	l->features = l->c.info.features;
	ck_assert_int_eq(ublkev__life_can_resize(&l->c), 0);
	ublkev__life_resize(&l->c, SECTORS, l->now);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l->c), l->now + CMD_MS);
	life_pull(l);
	ck_assert_str_eq(l->text, "GET_DEV_INFO ");
	ck_assert_int_eq(ublkev__life_can_resize(&l->c), -EINVAL);
	l->text[0] = '\0';
}

/* UPDATE_SIZE is asked */
static void begin_update(struct life *l)
{
	begin(l);
	l->now += 30;
	life_answer(l, 0);
	ck_assert_str_eq(l->text, "UPDATE_SIZE ");
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l->c), l->now + CMD_MS);
	l->text[0] = '\0';
}

START_TEST(resized)
{
	struct ublkev__ctrl_answer info = { .res = 0 };
	struct ublkev__life_action a;
	struct life l;

	begin(&l);
	info.info = l.c.info;
	info.info.state = UBLKEV_STATE_LIVE;
	ck_assert_int_eq(ublkev__life_cmd_done(&l.c, UBLKEV__CTRL_GET_DEV_INFO,
					       &info, l.now), 0);
	ck_assert(ublkev__life_next(&l.c, &a));
	ck_assert_int_eq(a.act, UBLKEV__LIFE_CMD);
	ck_assert_int_eq(a.cmd, UBLKEV__CTRL_UPDATE_SIZE);
	ck_assert_uint_eq(a.data, SECTORS);
	life_answer(&l, 0);
	ck_assert_str_eq(l.text, "!RESIZED=0 ");
	assert_live(&l);
	/* and again */
	ublkev__life_resize(&l.c, 2 * SECTORS, l.now);
	life_pull(&l);
	life_answer(&l, 0);
	life_answer(&l, 0);
	ck_assert_str_eq(l.text, "!RESIZED=0 GET_DEV_INFO UPDATE_SIZE "
			 "!RESIZED=0 ");
	assert_live(&l);
}
END_TEST

START_TEST(not_possible)
{
	struct life l;

	life_make(&l, UBLKEV_RECOVERY_NONE, KERNEL_612);
	ck_assert_int_eq(ublkev__life_can_resize(&l.c), -EINVAL);
	life_lead(&l, UBLKEV__LIFE_ADD, UBLKEV_STEP_LIVE);
	ck_assert_int_eq(ublkev__life_can_resize(&l.c), -EOPNOTSUPP);
}
END_TEST

START_TEST(refused)
{
	static const struct {
		int err;
		const char *text;
	} cases[] = {
		{ -EPERM, "!RESIZED=-1 " }, { -EINVAL, "!RESIZED=-22 " },
		{ -ENODEV, "!RESIZED=-19 " },
	};
	struct life l;

	begin(&l);
	life_answer(&l, cases[_i].err);
	ck_assert_str_eq(l.text, cases[_i].text);
	assert_live(&l);
	begin_update(&l);
	life_answer(&l, cases[_i].err);
	ck_assert_str_eq(l.text, cases[_i].text);
	assert_live(&l);
}
END_TEST

/* some kernels would crash: not sent */
START_TEST(not_live)
{
	struct life l;

	begin(&l);
	l.state = (unsigned int)_i;
	life_answer(&l, 0);
	ck_assert_str_eq(l.text, "!RESIZED=-19 ");
	assert_live(&l);
}
END_TEST

START_TEST(stopped)
{
	struct life l;

	begin(&l);
	life_stop(&l);
	ck_assert_str_eq(l.text, "");
	life_answer(&l, 0);
	life_polite(&l);
	ck_assert_str_eq(l.text, "!RESIZED=-125 STOP_DEV CLOSE DEL_DEV "
			 "!STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, 0, UBLKEV_STEP_IDLE);
	begin_update(&l);
	life_abort(&l);
	life_answer(&l, 0);
	life_polite(&l);
	ck_assert_str_eq(l.text, "ABORT !RESIZED=0 STOP_DEV CLOSE DEL_DEV "
			 "!STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, 0, UBLKEV_STEP_IDLE);
}
END_TEST

static void assert_overdue(struct life *l)
{
	ck_assert_int_eq(l->c.step, UBLKEV_STEP_LIVE);
	ck_assert_int_eq(l->c.err, 0);
	ck_assert_int_eq(ublkev__life_can_resize(&l->c), -EBUSY);
	ck_assert_int_eq(ublkev__life_release(&l->c, l->now), -EBUSY);
	ck_assert_int_eq(ublkev__life_try_stop(&l->c, l->now), -EBUSY);
	l->now += 100000;
}

/* its end is told in time, and the disk is served on */
START_TEST(silent)
{
	struct life l;

	begin(&l);
	l.t0 = l.now;
	life_silent(&l);
	ck_assert_str_eq(l.text, "@1000 -GET_DEV_INFO @1200 !RESIZED=-110 ");
	assert_overdue(&l);
	/* what would have followed does not */
	life_answer(&l, 0);
	ck_assert_str_eq(l.text, "@1000 -GET_DEV_INFO @1200 !RESIZED=-110 ");
	ck_assert_int_eq(ublkev__life_can_resize(&l.c), 0);
	begin_update(&l);
	l.t0 = l.now;
	life_silent(&l);
	ck_assert_str_eq(l.text, "@1000 -UPDATE_SIZE @1200 !RESIZED=-110 ");
	assert_overdue(&l);
	life_answer(&l, _i ? -EINTR : 0);
	ck_assert_str_eq(l.text, "@1000 -UPDATE_SIZE @1200 !RESIZED=-110 ");
	ck_assert_int_eq(ublkev__life_can_resize(&l.c), 0);
}
END_TEST

/* the late answer is of a time before: it tells nothing of the tag */
START_TEST(tag_died_while_overdue)
{
	struct life l;

	begin(&l);
	life_silent(&l);
	l.text[0] = '\0';
	ublkev__life_tag_died(&l.c, l.now);
	life_pull(&l);
	ck_assert_str_eq(l.text, "");
	life_answer(&l, 0);
	ck_assert_str_eq(l.text, "GET_DEV_INFO ");
	life_answer(&l, 0);
	ublkev__life_idle(&l.c, l.now);
	life_pull(&l);
	life_assert_over(&l, UBLKEV_STEP_RELEASED, 0, UBLKEV_STEP_IDLE);
}
END_TEST

START_TEST(cancel_helps)
{
	struct life l;

	begin(&l);
	life_climb(&l);
	life_answer(&l, _i ? 0 : -EINTR);
	ck_assert_str_eq(l.text, "-GET_DEV_INFO !RESIZED=-110 ");
	ck_assert_int_eq(ublkev__life_can_resize(&l.c), 0);
	begin_update(&l);
	life_climb(&l);
	life_answer(&l, _i ? 0 : -EINTR);
	ck_assert_str_eq(l.text, _i ? "-UPDATE_SIZE !RESIZED=0 " :
			 "-UPDATE_SIZE !RESIZED=-110 ");
	ck_assert_int_eq(ublkev__life_can_resize(&l.c), 0);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), UINT64_MAX);
}
END_TEST

/* stopped, quiesced by others meanwhile: the resize ends first */
START_TEST(tag_died)
{
	struct life l;

	begin(&l);
	ublkev__life_tag_died(&l.c, l.now);
	life_pull(&l);
	life_answer(&l, 0);
	life_answer(&l, 0);
	ck_assert_str_eq(l.text, "UPDATE_SIZE !RESIZED=0 GET_DEV_INFO ");
	life_answer(&l, 0);
	ublkev__life_idle(&l.c, l.now);
	life_pull(&l);
	life_assert_over(&l, UBLKEV_STEP_RELEASED, 0, UBLKEV_STEP_IDLE);
	begin(&l);
	ublkev__life_tag_died(&l.c, l.now);
	life_pull(&l);
	life_drained(&l);
	l.state = UBLKEV_STATE_DEAD;
	life_answer(&l, 0);
	ck_assert_str_eq(l.text, "!RESIZED=-19 GET_DEV_INFO ");
	life_answer(&l, 0);
	life_polite(&l);
	life_assert_over(&l, UBLKEV_STEP_GONE, -ENODEV, UBLKEV_STEP_LIVE);
}
END_TEST

START_TEST(fault)
{
	struct life l;

	begin_update(&l);
	life_fault(&l, -EIO);
	ck_assert_str_eq(l.text, "!ERROR ");
	life_answer(&l, 0);
	life_polite(&l);
	ck_assert_str_eq(l.text, "!ERROR !RESIZED=0 CLOSE !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, -EIO, UBLKEV_STEP_LIVE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("life_resize");
	TCase *tc = tcase_create("resize");

	tcase_add_test(tc, resized);
	tcase_add_test(tc, not_possible);
	tcase_add_loop_test(tc, refused, 0, 3);
	tcase_add_test(tc, not_live);	/* DEAD */
	tcase_add_loop_test(tc, not_live, UBLKEV_STATE_QUIESCED,
			    UBLKEV_NR_STATES);
	tcase_add_test(tc, stopped);
	tcase_add_loop_test(tc, silent, 0, 2);
	tcase_add_test(tc, tag_died_while_overdue);
	tcase_add_loop_test(tc, cancel_helps, 0, 2);
	tcase_add_test(tc, tag_died);
	tcase_add_test(tc, fault);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
