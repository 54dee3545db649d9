/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Facts that cannot be: completions of tags that are not the driver's, answers
 * to requests that are not the backend's any more. They change nothing. And
 * verify finds a queue that contradicts itself.
 */
#include <errno.h>

#include "queue_kit.h"

START_TEST(cqe_of_none)
{
	qk_arm();
	ck_assert_int_eq(qk_cqe(QK_DEPTH, 0, 8), -EPROTO);
	ck_assert_int_eq(qk_cqe(65535, 0, 8), -EPROTO);
	qk_assert_nothing();
}
END_TEST

/* whatever lies behind the tags of a queue, it is none of them */
START_TEST(beyond)
{
	uint64_t cookie = UINT64_C(7) << 32 | QK_QUEUE << 16 | (QK_DEPTH - 1);
	struct ublkev__tag *last = &qk.tags[QK_DEPTH - 1];

	ublkev__queue_init(&qk.q, QK_QUEUE, QK_DEPTH - 1, QK_GENERATION,
			   qk.tags, NULL, &qk.stats);
	last->state = UBLKEV__TAG_DRIVER;
	ck_assert_int_eq(qk_cqe(QK_DEPTH - 1, 0, 8), -EPROTO);
	last->state = UBLKEV__TAG_BACKEND;
	last->req.cookie = cookie;
	qk_done(cookie, 0, -ESTALE);
	qk_assert_nothing();
}
END_TEST

START_TEST(cqe_not_the_drivers)
{
	struct ublkev__tag *got;
	uint64_t cookie;

	qk_arm();
	qk_cqe(0, 0, 2);
	ck_assert_int_eq(qk_cqe(0, 1, 4), -EPROTO);	/* READY */
	got = qk_submitted();
	ck_assert_int_eq(qk_cqe(0, 1, 4), -EPROTO);	/* BACKEND */
	ck_assert_int_eq(got->req.op, UBLKEV_OP_READ);
	cookie = got->req.cookie;
	qk_done(cookie, 0, 0);
	ck_assert_int_eq(qk_cqe(0, 1, 4), -EPROTO);	/* RESULT */
	ck_assert_int_eq(ublkev__queue_cqe(&qk.q, 0, -ENODEV, NULL), -EPROTO);
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 0, 1024);
	ck_assert_int_eq(ublkev__queue_cqe(&qk.q, 0, -ENODEV, NULL), 0);
	ck_assert_int_eq(qk_cqe(0, 1, 4), -EPROTO);	/* DEAD */
	ck_assert_uint_eq(qk.q.nr_dead, 1);
}
END_TEST

START_TEST(stale)
{
	uint64_t first, second;

	qk_arm();
	first = qk_pulled(1, 0);
	qk_done(first, 0, 0);
	qk_done(first, -EIO, -ESTALE);		/* twice */
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 1, 1024);
	qk_done(first, -EIO, -ESTALE);		/* committed */
	qk_cqe(1, 0, 2);
	qk_done(qk.tags[1].req.cookie, 0, -ESTALE);	/* not yet pulled */
	second = qk_submitted()->req.cookie;
	ck_assert_uint_eq(second - first, UINT64_C(1) << 32);
	qk_done(first, -EIO, -ESTALE);		/* the former */
	qk_done(second + QK_DEPTH, 0, -ESTALE);	/* no tag */
	qk_done(second ^ 1u << 16, 0, -ESTALE);	/* another queue's */
	qk_done(second, 0, 0);
	ck_assert_uint_eq(qk.stats.stale_answers, 6);
	ck_assert_uint_eq(qk.stats.op[0].reqs, 2);
}
END_TEST

START_TEST(generation_wraps)
{
	uint64_t cookie;

	qk_arm();
	qk.tags[3].req.cookie |= UINT64_C(0xffffffff) << 32;
	cookie = qk_pulled(3, 0);
	ck_assert_uint_eq(cookie, 3u << 16 | 3);
	qk_done(cookie, 0, 0);
}
END_TEST

START_TEST(generation_of_the_next)
{
	uint64_t cookie;

	ck_assert_uint_eq(ublkev__queue_generation(&qk.q), QK_GENERATION + 1);
	qk_arm();
	qk_done(qk_pulled(1, 0), 0, 0);
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 1, 1024);
	cookie = qk_pulled(1, 0);
	ck_assert_uint_eq(ublkev__queue_generation(&qk.q),
			  (cookie >> 32) + 1);
}
END_TEST

static void lose_a_tag(void *arg)
{
	struct ublkev__queue *q = arg;

	q->in.nr = 0;
	ublkev__queue_verify(q);
}

static void change_cookie(void *arg)
{
	struct ublkev__queue *q = arg;

	q->tags[0].req.cookie ^= 1;
	ublkev__queue_verify(q);
}

/* a tag of the backend's whose data the driver keeps */
static void leave_data(void *arg)
{
	struct ublkev__queue *q = arg;

	q->tags[1].how |= UBLKEV__HOW_AWAY;
	ublkev__queue_verify(q);
}

static void move_unasked(void *arg)
{
	struct ublkev__queue *q = arg;

	q->copy = UBLKEV__XFER_DIRECT;
	ublkev__queue_verify(q);
}

START_TEST(verify_bites)
{
	qk_arm();
	qk_pulled(1, 1);
	ck_assert(test_aborts(leave_data, &qk.q, "queue_legal_how"));
	/* a WRITE is not the backend's before its data were moved */
	ck_assert(test_aborts(move_unasked, &qk.q, "ASKED"));
	qk_cqe(0, 0, 2);
	ck_assert(test_aborts(lose_a_tag, &qk.q, "q->in.nr"));
	ck_assert(test_aborts(change_cookie, &qk.q, "cookie"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue_trust");
	TCase *tc = tcase_create("queue_trust");

	tcase_add_checked_fixture(tc, qk_setup, NULL);
	tcase_add_test(tc, cqe_of_none);
	tcase_add_test(tc, beyond);
	tcase_add_test(tc, cqe_not_the_drivers);
	tcase_add_test(tc, stale);
	tcase_add_test(tc, generation_wraps);
	tcase_add_test(tc, generation_of_the_next);
	tcase_add_test(tc, verify_bites);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
