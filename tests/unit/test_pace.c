/* SPDX-License-Identifier: BSD-2-Clause */
/* A clock that stands while its owner does not run: one that sleeps as it said. */
#include "core/pace.h"
#include "testlib.h"

#define HOUR	3600000u

static struct ublkev__pace p;
static uint64_t real_ms;

static void setup(void)
{
	real_ms = 12345;
	ublkev__pace_init(&p, real_ms);
}

/* sleeps towards a deadline as long as it may and `late_ms` longer */
static uint64_t sleeps(uint64_t deadline_ms, uint64_t late_ms)
{
	real_ms += ublkev__pace_sleep(&p, deadline_ms) + late_ms;
	return ublkev__pace_look(&p, real_ms);
}

START_TEST(runs_with_the_machine)
{
	uint64_t end_ms = p.own_ms + 10000;

	while (sleeps(end_ms, UBLKEV__PACE_LATE_MS) < end_ms)
		ck_assert_uint_eq(p.own_ms, real_ms);
	ck_assert_uint_lt(p.own_ms, end_ms + UBLKEV__PACE_BEAT_MS);
	/* so do looks without a sleep in between */
	real_ms += 3;
	ck_assert_uint_eq(ublkev__pace_look(&p, real_ms), real_ms);
}
END_TEST

START_TEST(works_long)
{
	real_ms += HOUR;
	ck_assert_uint_eq(ublkev__pace_look(&p, real_ms), 12346);
}
END_TEST

START_TEST(no_deadline)
{
	ck_assert_uint_eq(ublkev__pace_sleep(&p, UINT64_MAX), UINT64_MAX);
	real_ms += HOUR;
	ck_assert_uint_eq(ublkev__pace_look(&p, real_ms), 12346);
}
END_TEST

START_TEST(passed)
{
	ck_assert_uint_eq(ublkev__pace_sleep(&p, p.own_ms), 0);
	ck_assert_uint_eq(ublkev__pace_sleep(&p, p.own_ms - 1), 0);
}
END_TEST

/* wherever on the way it is stopped, and however often in all */
START_TEST(stopped)
{
	uint64_t end_ms = p.own_ms + 10000, left_ms;
	int i;

	for (i = 0; i < _i; i++)
		sleeps(end_ms, 0);
	left_ms = end_ms - p.own_ms;
	ck_assert_uint_lt(sleeps(end_ms, HOUR), end_ms);
	ck_assert_uint_ge(end_ms - p.own_ms, left_ms / 2);
}
END_TEST

START_TEST(always_late)
{
	uint64_t end_ms = p.own_ms + 10000;
	unsigned int n;

	for (n = 0; sleeps(end_ms, HOUR) < end_ms; n++)
		ck_assert_uint_lt(n, 100);
	ck_assert_uint_gt(n, 10000 / UBLKEV__PACE_BEAT_MS);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pace");
	TCase *tc = tcase_create("pace");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, runs_with_the_machine);
	tcase_add_test(tc, works_long);
	tcase_add_test(tc, no_deadline);
	tcase_add_test(tc, passed);
	tcase_add_loop_test(tc, stopped, 0, 20);
	tcase_add_test(tc, always_late);
	suite_add_tcase(s, tc);
	return test_main(s);
}
