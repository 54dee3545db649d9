/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tells facts to a queue of four tags, and asserts what is pulled from it.
 */
#include <string.h>

#include "queue_kit.h"

struct queue_kit qk;

void qk_verify(void)
{
	ublkev__queue_verify(&qk.q);
}

void qk_setup(void)
{
	memset(&qk.stats, 0, sizeof(qk.stats));
	ublkev__queue_init(&qk.q, QK_QUEUE, QK_DEPTH, QK_GENERATION, qk.tags,
			   qk.since_us, &qk.stats);
	qk_verify();
	ublkev__queue_set_bufs(&qk.q, qk.bufs, &qk.spare, QK_MAX_IO);
	qk_verify();
}

void qk_assert_out(enum ublkev__queue_act act, unsigned int tag,
		   int result)
{
	struct ublkev__tag *got = NULL;

	ck_assert_int_eq(ublkev__queue_next_out(&qk.q, &got), act);
	ck_assert_ptr_eq(got, &qk.tags[tag]);
	ck_assert_int_eq(got->state, UBLKEV__TAG_DRIVER);
	ck_assert_ptr_eq(ublkev__queue_buf(&qk.q, got),
			 qk.q.failing && got->result < 0 ?
			 &qk.spare : qk.bufs + tag * QK_MAX_IO);
	if (act == UBLKEV__QUEUE_COMMIT)
		ck_assert_int_eq(got->result, result);
	qk_verify();
}

struct ublkev__tag *qk_submitted(void)
{
	enum ublkev__queue_act act;
	struct ublkev__tag *got;

	act = ublkev__queue_next_in(&qk.q, &got);
	qk_verify();
	if (act == UBLKEV__QUEUE_NONE)
		return NULL;
	ck_assert_int_eq(act, UBLKEV__QUEUE_SUBMIT);
	return got;
}

void qk_assert_nothing(void)
{
	struct ublkev__tag *got;

	ck_assert_ptr_null(qk_submitted());
	ck_assert_int_eq(ublkev__queue_next_out(&qk.q, &got),
			 UBLKEV__QUEUE_NONE);
	ck_assert(!ublkev__queue_has_work(&qk.q));
}

void qk_arm(void)
{
	unsigned int i;

	ublkev__queue_arm(&qk.q);
	qk_verify();
	for (i = 0; i < QK_DEPTH; i++)
		qk_assert_out(UBLKEV__QUEUE_ARM, i, 0);
	qk_assert_nothing();
}

int qk_cqe(unsigned int tag, uint32_t op, uint32_t sectors)
{
	const struct ublkev__desc desc = {
		.op_flags = op, .nr_sectors = sectors, .start_sector = 1,
	};
	int err = ublkev__queue_cqe(&qk.q, tag, 0, &desc);

	qk_verify();
	return err;
}

uint64_t qk_pulled(unsigned int tag, uint32_t op)
{
	struct ublkev__tag *got;

	ck_assert_int_eq(qk_cqe(tag, op, 2), 0);
	ck_assert(ublkev__queue_has_work(&qk.q));
	got = qk_submitted();
	ck_assert_ptr_eq(got, &qk.tags[tag]);
	return got->req.cookie;
}

void qk_done(uint64_t cookie, int err, int answer)
{
	ck_assert_int_eq(ublkev__queue_done(&qk.q, cookie, err), answer);
	qk_verify();
}

void qk_assert_in(enum ublkev__queue_act act, unsigned int tag)
{
	struct ublkev__tag *got = NULL;

	ck_assert_int_eq(ublkev__queue_next_in(&qk.q, &got), act);
	ck_assert_ptr_eq(got, &qk.tags[tag]);
	qk_verify();
}
