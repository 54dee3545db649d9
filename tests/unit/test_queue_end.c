/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of a queue: the driver takes its tags back, an abort answers for the
 * backend, or nobody is waited for any more.
 */
#include <errno.h>

#include "queue_kit.h"

START_TEST(aborted_by_the_driver)
{
	unsigned int i;

	qk_arm();
	for (i = 0; i < QK_DEPTH; i++) {
		ck_assert(!ublkev__queue_drained(&qk.q));
		ck_assert_int_eq(ublkev__queue_cqe(&qk.q, i, -ENODEV, NULL), 0);
		qk_verify();
	}
	ck_assert(ublkev__queue_drained(&qk.q));
	ublkev__queue_arm(&qk.q);	/* never again */
	qk_assert_nothing();
}
END_TEST

START_TEST(command_refused)
{
	static const struct {
		int res, answer;
	} cases[] = {
		{ -EINVAL, -EINVAL }, { -EBUSY, -EBUSY },
		{ -EOPNOTSUPP, -EOPNOTSUPP },
		/* -EPROTO would say that nothing changed */
		{ 1, -EIO }, { -EPROTO, -EIO },
	};

	qk_arm();
	ck_assert_int_eq(ublkev__queue_cqe(&qk.q, 1, cases[_i].res, NULL),
			 cases[_i].answer);
	qk_verify();
	ck_assert_int_eq(qk.tags[1].state, UBLKEV__TAG_DEAD);
}
END_TEST

START_TEST(abort_all)
{
	uint64_t with_backend;

	qk_arm();
	with_backend = qk_pulled(0, 0);
	qk_done(qk_pulled(1, 1), 0, 0);
	qk_cqe(2, 1, 2);
	ck_assert_uint_eq(ublkev__queue_abort(&qk.q), 1);
	qk_verify();
	ck_assert_ptr_null(qk_submitted());
	ck_assert_uint_eq(qk.stats.inflight, 0);
	qk_done(with_backend, 0, -ESTALE);
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 1, 1024);
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 0, -EIO);
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 2, -EIO);
	qk_cqe(3, 0, 2);				/* and what comes */
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 3, -EIO);
	ck_assert_uint_eq(ublkev__queue_abort(&qk.q), 0);
	qk_assert_nothing();
}
END_TEST

/* what was taken from a backend is still lent to it: it stays as it is */
START_TEST(abort_leaves_the_lent)
{
	struct ublkev_req lent;

	qk_arm();
	qk_pulled(1, 2);
	ublkev__queue_abort(&qk.q);
	lent = qk.tags[1].req;
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 1, -EIO);
	qk_cqe(1, 1, 4);
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 1, -EIO);
	ck_assert_mem_eq(&lent, &qk.tags[1].req, sizeof(lent));
	ck_assert_uint_eq(qk.stats.op[UBLKEV_OP_WRITE].errors, 1);
}
END_TEST

START_TEST(aborted_between_pieces)
{
	uint64_t cookie;

	qk_arm();
	cookie = qk_pulled(2, 3);
	ublkev__queue_again(&qk.q, &qk.tags[2]);
	/* it is not the backend's to answer */
	qk_done(cookie, 0, -ESTALE);
	ck_assert_uint_eq(ublkev__queue_abort(&qk.q), 0);
	qk_verify();
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 2, -EIO);
	qk_assert_nothing();
	/* answered inside submit() after all: that was the end of it */
	ublkev__queue_again(&qk.q, &qk.tags[2]);
	qk_verify();
	qk_assert_nothing();
}
END_TEST

START_TEST(abort_before_arm)
{
	ck_assert_uint_eq(ublkev__queue_abort(&qk.q), 0);
	qk_verify();
	qk_arm();
	qk_cqe(0, 2, 0);
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 0, -EIO);
}
END_TEST

START_TEST(killed)
{
	uint64_t cookie;

	qk_arm();
	cookie = qk_pulled(0, 0);
	qk_done(qk_pulled(1, 0), 0, 0);
	qk_cqe(2, 0, 2);
	ublkev__queue_kill(&qk.q);
	qk_verify();
	qk_assert_nothing();
	ck_assert(ublkev__queue_drained(&qk.q));
	ck_assert_uint_eq(qk.stats.inflight, 0);
	qk_done(cookie, 0, -ESTALE);
	ck_assert_int_eq(qk_cqe(3, 0, 2), -EPROTO);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue_end");
	TCase *tc = tcase_create("queue_end");

	tcase_add_checked_fixture(tc, qk_setup, NULL);
	tcase_add_test(tc, aborted_by_the_driver);
	tcase_add_loop_test(tc, command_refused, 0, 5);
	tcase_add_test(tc, abort_all);
	tcase_add_test(tc, abort_leaves_the_lent);
	tcase_add_test(tc, aborted_between_pieces);
	tcase_add_test(tc, abort_before_arm);
	tcase_add_test(tc, killed);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
