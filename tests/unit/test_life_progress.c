/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * life while requests are answered, slowly: a deadline is one of silence
 */
#include "life_kit.h"

static const struct {
	enum ublkev_step step;
	const char *text;
	uint64_t timeout_ms;
} busy_steps[] = {
	{ UBLKEV_STEP_START, "!ERROR -START_DEV ", START_MS },
	{ UBLKEV_STEP_QUIESCE, "!ERROR CLOSE ", STOP_MS },
	{ UBLKEV_STEP_STOP, "!ERROR ABORT ", STOP_MS },
	{ UBLKEV_STEP_DRAIN, "!ERROR ABORT ", STOP_MS },
};

/* a deadline is one of silence */
START_TEST(progress)
{
	uint64_t ms = busy_steps[_i].timeout_ms;
	struct life l;
	int n;

	life_begin(&l, busy_steps[_i].step);
	for (n = 0; n < 100; n++) {
		l.now += ms - 10;
		ublkev__life_progress(&l.c, l.now);
		ublkev__life_verify(&l.c);
		ublkev__life_tick(&l.c, l.now);
		life_pull(&l);
		ck_assert_str_eq(l.text, "");
		ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + ms);
	}
	life_climb(&l);
	ck_assert_str_eq(l.text, busy_steps[_i].text);
	/* what is failed now is no progress */
	if (busy_steps[_i].step > UBLKEV_STEP_START) {
		ublkev__life_progress(&l.c, l.now);
		ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c),
				  l.now + GRACE_MS);
	}
}
END_TEST

START_TEST(progress_with_a_limit)
{
	struct life l;
	int n;

	life_init(&l, -1);
	if (_i)
		life_make(&l, UBLKEV_RECOVERY_REISSUE, KERNEL_73);
	l.c.conf.stop_limit_ms = 3 * STOP_MS;
	life_lead(&l, UBLKEV__LIFE_ADD, _i ? UBLKEV_STEP_QUIESCE :
		  UBLKEV_STEP_STOP);
	for (n = 0; n < 5; n++) {
		l.now += STOP_MS / 2;
		ublkev__life_progress(&l.c, l.now);
	}
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.t0 + 3 * STOP_MS);
	life_climb(&l);
	ck_assert_str_eq(l.text, _i ? "!ERROR CLOSE " : "!ERROR ABORT ");
}
END_TEST

/* the rest of a stop that was long in STOP is as patient */
START_TEST(progress_then_drain)
{
	struct life l;

	life_begin(&l, UBLKEV_STEP_STOP);
	l.now += STOP_MS - 1;
	ublkev__life_progress(&l.c, l.now);
	life_answer(&l, 0);
	ck_assert_int_eq(l.c.step, UBLKEV_STEP_DRAIN);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + STOP_MS);
}
END_TEST

/* nor has it a say where no request is waited for, or in an abort */
START_TEST(no_progress)
{
	struct life l;
	uint64_t at_ms;

	life_begin(&l, _i ? UBLKEV_STEP_STOP : UBLKEV_STEP_PARAMS);
	if (_i)
		life_abort(&l);
	at_ms = ublkev__life_deadline_ms(&l.c);
	l.now += 10;
	ublkev__life_progress(&l.c, l.now);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), at_ms);
}
END_TEST

/* our own threads were late: it is never put earlier */
START_TEST(postponed)
{
	struct life l;
	uint64_t at_ms;

	life_begin(&l, busy_steps[_i].step);
	at_ms = ublkev__life_deadline_ms(&l.c);
	ublkev__life_postpone(&l.c, at_ms - 1);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), at_ms);
	ublkev__life_postpone(&l.c, at_ms + GRACE_MS);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), at_ms + GRACE_MS);
	life_climb(&l);
	ck_assert_str_eq(l.text, busy_steps[_i].text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("life_progress");
	TCase *tc = tcase_create("progress");

	tcase_add_loop_test(tc, progress, 0, (int)TEST_COUNT(busy_steps));
	tcase_add_loop_test(tc, progress_with_a_limit, 0, 2);
	tcase_add_test(tc, progress_then_drain);
	tcase_add_loop_test(tc, no_progress, 0, 2);
	tcase_add_loop_test(tc, postponed, 0, (int)TEST_COUNT(busy_steps));
	suite_add_tcase(s, tc);
	return test_main(s);
}
