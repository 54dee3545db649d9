/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Data that somebody has to move between the driver and the backend: who is
 * asked for an address, when a request becomes the backend's, and when it is
 * counted as in flight.
 */
#include <errno.h>

#include "queue_kit.h"

static void assert_with_backend(unsigned int n, unsigned int most)
{
	ck_assert_uint_eq(qk.q.nr_backend, n);
	ck_assert_uint_eq(qk.stats.inflight, n);
	ck_assert_uint_eq(qk.stats.inflight_max, most);
}

static void arm_for(enum ublkev__xfer copy, char *bufs)
{
	ublkev__queue_set_xfer(&qk.q, copy, false);
	ublkev__queue_set_bufs(&qk.q, bufs, &qk.spare, QK_MAX_IO);
	ublkev__queue_arm(&qk.q);
	while (qk.q.out.nr) {
		struct ublkev__tag *got;

		ublkev__queue_next_out(&qk.q, &got);
	}
}

/* whom the backend's memory serves was never with the backend */

/* whom the backend's memory serves was never with the backend */
START_TEST(mapped)
{
	struct ublkev__tag *got;
	char ram;

	arm_for(_i ? UBLKEV__XFER_USER : UBLKEV__XFER_DIRECT, NULL);
	qk_cqe(1, 0, 2);
	qk_assert_in(UBLKEV__QUEUE_MAP, 1);
	qk_assert_in(UBLKEV__QUEUE_MAP, 1);	/* until it is answered */
	ublkev__queue_mapped(&qk.q, &ram);
	qk_verify();
	if (_i) {
		ck_assert_int_eq(ublkev__queue_next_out(&qk.q, &got),
				 UBLKEV__QUEUE_MOVE_OUT);
		ck_assert_int_eq(ublkev__queue_cqe(&qk.q, 1, 1024, NULL), 0);
	}
	ck_assert_int_eq(ublkev__queue_next_out(&qk.q, &got),
			 UBLKEV__QUEUE_COMMIT);
	ck_assert_ptr_eq(ublkev__queue_buf(&qk.q, got), &ram);
	ck_assert_int_eq(got->result, 1024);
	assert_with_backend(0, 0);
}
END_TEST

START_TEST(not_mapped)
{
	uint64_t former;

	arm_for(UBLKEV__XFER_DIRECT, NULL);
	former = qk.tags[1].req.cookie;
	qk_cqe(1, 0, 2);
	qk_assert_in(UBLKEV__QUEUE_MAP, 1);
	ublkev__queue_mapped(&qk.q, NULL);
	qk_assert_in(UBLKEV__QUEUE_PLACE, 1);
	qk_done(former, 0, -ESTALE);
	assert_with_backend(0, 0);
	ublkev__queue_set_bufs(&qk.q, qk.bufs, &qk.spare, QK_MAX_IO);
	qk_assert_in(UBLKEV__QUEUE_SUBMIT, 1);
	ck_assert_ptr_eq(qk.tags[1].req.buf, qk.bufs + QK_MAX_IO);
	assert_with_backend(1, 1);
	qk_done(qk.tags[1].req.cookie, 0, 0);
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 1, 1024);
}
END_TEST

/* a WRITE is the backend's no sooner than its data are here */
START_TEST(data_come_first)
{
	struct ublkev__tag *got;

	arm_for(UBLKEV__XFER_USER, qk.bufs);
	qk_cqe(1, 1, 2);
	qk_assert_in(UBLKEV__QUEUE_MAP, 1);
	ublkev__queue_mapped(&qk.q, NULL);
	ck_assert_int_eq(ublkev__queue_next_in(&qk.q, &got),
			 UBLKEV__QUEUE_NONE);
	qk_verify();
	ck_assert_int_eq(ublkev__queue_next_out(&qk.q, &got),
			 UBLKEV__QUEUE_MOVE_IN);
	qk_verify();
	assert_with_backend(0, 0);
	ck_assert_int_eq(ublkev__queue_cqe(&qk.q, 1, 1024, NULL), 0);
	qk_assert_in(UBLKEV__QUEUE_SUBMIT, 1);
	assert_with_backend(1, 1);
	qk_done(qk.tags[1].req.cookie, 0, 0);
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 1, 1024);
}
END_TEST

/* by the checks, or for want of a buffer */
START_TEST(refused_before)
{
	arm_for(UBLKEV__XFER_DIRECT, NULL);
	qk_cqe(1, 0, 2);
	qk_cqe(2, 0, 2);
	qk_assert_in(UBLKEV__QUEUE_MAP, 1);
	if (_i) {
		ublkev__queue_mapped(&qk.q, NULL);
		qk_assert_in(UBLKEV__QUEUE_PLACE, 1);
	}
	ublkev__queue_refused(&qk.q, &qk.tags[1], -ENOMEM);
	qk_verify();
	assert_with_backend(0, 0);
	ck_assert_uint_eq(qk.stats.rejected, 1);
	qk_assert_in(UBLKEV__QUEUE_MAP, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue_data");
	TCase *tc = tcase_create("queue_data");

	tcase_add_checked_fixture(tc, qk_setup, NULL);
	tcase_add_loop_test(tc, mapped, 0, 2);
	tcase_add_test(tc, not_mapped);
	tcase_add_test(tc, data_come_first);
	tcase_add_loop_test(tc, refused_before, 0, 2);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
