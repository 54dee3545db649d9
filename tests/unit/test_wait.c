/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long it pays to look at a ring before one sleeps, learnt from the gaps
 * between requests.
 */
#include "core/wait.h"
#include "testlib.h"

#define LIMIT	50
#define MOST_TRIAL_GAP	4096

static struct ublkev__wait w;

static void setup(void)
{
	ublkev__wait_init(&w, LIMIT);
}

/* sleeps that are let pass before the next wait; `most` of them at most */
static unsigned int rests(unsigned int most)
{
	unsigned int n;

	for (n = 0; n < most; n++)
		if (ublkev__wait_us(&w))
			break;
	return n;
}

/* waits in vain until it is given up */
static unsigned int fail_until_rest(void)
{
	unsigned int n = 0;

	do {
		ublkev__wait_done(&w, LIMIT, false);
		ck_assert_uint_lt(++n, 1000);
	} while (!w.rest);
	return n;
}

START_TEST(never)
{
	unsigned int i;

	ublkev__wait_init(&w, 0);
	for (i = 0; i < 10000; i++)
		ck_assert_uint_eq(ublkev__wait_us(&w), 0);
}
END_TEST

START_TEST(as_long_as_it_pays)
{
	unsigned int i;

	for (i = 0; i < 10000; i++) {
		ck_assert_uint_eq(ublkev__wait_us(&w), LIMIT);
		ublkev__wait_done(&w, i % LIMIT, true);
	}
	/* a client that pauses now and then does not end it */
	for (i = 0; i < 10000; i++) {
		ck_assert_uint_eq(ublkev__wait_us(&w), LIMIT);
		ublkev__wait_done(&w, i % 4 ? 10 : LIMIT, i % 4);
	}
}
END_TEST

START_TEST(given_up)
{
	unsigned int gap;

	ck_assert_uint_eq(fail_until_rest(), 4);
	for (gap = 16; gap <= MOST_TRIAL_GAP; gap *= 2) {
		ck_assert_uint_eq(rests(100000), gap);
		/* a single trial */
		ck_assert_uint_eq(fail_until_rest(), 1);
	}
	ck_assert_uint_eq(rests(100000), MOST_TRIAL_GAP);
}
END_TEST

START_TEST(taken_up_again)
{
	unsigned int i;

	fail_until_rest();
	for (i = 0; i < 20; i++) {
		rests(100000);
		fail_until_rest();
	}
	rests(100000);
	for (i = 0; i < 4; i++) {
		ck_assert_uint_eq(ublkev__wait_us(&w), LIMIT);
		ublkev__wait_done(&w, 1, true);
	}
	/* it is as it was in the beginning */
	ck_assert_uint_eq(fail_until_rest(), 4);
	ck_assert_uint_eq(rests(100000), 16);
}
END_TEST

/* whoever had the CPU meanwhile, the client perhaps, can have it at once */
START_TEST(too_long_is_in_vain)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		ck_assert_uint_eq(ublkev__wait_us(&w), LIMIT);
		ublkev__wait_done(&w, LIMIT + 3950u * (i % 2), true);
	}
	ck_assert_uint_eq(ublkev__wait_us(&w), 0);
}
END_TEST

/*
 * Whatever comes, it costs no more than it gained, the stakes, the trials, and
 * for each giving up a wait that was not covered.
 */
START_TEST(bounded_loss)
{
	unsigned int took, i, chance, since = 0;
	uint64_t lost = 0, won = 0, trials = 0;
	struct test_rng rng;
	bool came;

	test_rng_init(&rng, test_seed("wait"));
	for (i = 0; i < 200000; i++) {
		chance = i / 5000 % 11;
		if (!ublkev__wait_us(&w)) {
			since++;
			continue;
		}
		trials += since > 0;
		since = 0;
		came = test_rng_below(&rng, 10) < chance;
		took = (unsigned int)test_rng_below(&rng, LIMIT);
		if (came)
			won += LIMIT - took;
		else
			lost += LIMIT;
		ublkev__wait_done(&w, came ? took : LIMIT, came);
		ck_assert_uint_le(lost, won + (5 + 2 * trials) * LIMIT);
	}
	ck_assert_uint_gt(trials, 10);
	ck_assert_uint_gt(won, 100000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("wait");
	TCase *tc = tcase_create("wait");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, never);
	tcase_add_test(tc, as_long_as_it_pays);
	tcase_add_test(tc, given_up);
	tcase_add_test(tc, taken_up_again);
	tcase_add_test(tc, too_long_is_in_vain);
	tcase_add_test(tc, bounded_loss);
	suite_add_tcase(s, tc);
	return test_main(s);
}
