/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a request was the backend's: measured where that is wished for, and
 * counted in the bucket whose bounds hold it.
 */
#include <errno.h>

#include "queue_kit.h"

START_TEST(latency_taken)
{
	uint64_t cookie;

	qk_arm();
	qk.q.now_us = 1000;
	cookie = qk_pulled(0, 0);
	qk.q.now_us = 1005;
	qk_done(cookie, 0, 0);
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 0, 1024);
	ck_assert_uint_eq(qk.stats.read_latency[5], 1);
	cookie = qk_pulled(0, 1);
	qk.q.now_us = 1012;
	qk_done(cookie, -EIO, 0);
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 0, -EIO);
	ck_assert_uint_eq(qk.stats.other_latency[7], 1);
}
END_TEST

START_TEST(latency_not_taken)
{
	qk.q.since_us = NULL;
	qk_arm();
	qk_done(qk_pulled(0, 0), 0, 0);
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 0, 1024);
	ck_assert_uint_eq(qk.stats.read_latency[0], 0);
}
END_TEST

static void assert_bucket(unsigned int b, uint64_t us)
{
	ublkev__stats_latency(&qk.stats, UBLKEV_OP_READ, us);
	ck_assert_msg(qk.stats.read_latency[b] == 1, "%llu us not in %u",
		      (unsigned long long)us, b);
	qk.stats.read_latency[b] = 0;
}

/* each bucket counts from its bound to the next one's */

/* each bucket counts from its bound to the next one's */
START_TEST(latency_bounds)
{
	uint64_t us, next;
	unsigned int b;

	for (b = 0; b < UBLKEV_LATENCY_BUCKETS - 1; b++) {
		us = ublkev_latency_bucket_us(b);
		next = ublkev_latency_bucket_us(b + 1);
		ck_assert_uint_lt(us, next);
		assert_bucket(b, us);
		assert_bucket(b, us + (next - us) / 2);
		assert_bucket(b, next - 1);
	}
	assert_bucket(b, ublkev_latency_bucket_us(b));
	assert_bucket(b, UINT64_MAX);
	ck_assert_uint_eq(ublkev_latency_bucket_us(b + 1),
			  ublkev_latency_bucket_us(b));
	ck_assert_uint_eq(ublkev_latency_bucket_us(0), 0);
	ck_assert_uint_eq(ublkev_latency_bucket_us(8 * 3 + 5), 13 << 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue_latency");
	TCase *tc = tcase_create("queue_latency");

	tcase_add_checked_fixture(tc, qk_setup, NULL);
	tcase_add_test(tc, latency_taken);
	tcase_add_test(tc, latency_not_taken);
	tcase_add_test(tc, latency_bounds);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
