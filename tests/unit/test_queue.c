/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tag's way while all goes well or a request is merely refused: it comes
 * from the driver, is the backend's, and goes back with its result. Data that
 * have to be moved are test_queue_data.c's, aborts and dying tags
 * test_queue_end.c's.
 */
#include <errno.h>

#include "queue_kit.h"

START_TEST(new)
{
	unsigned int i;

	qk_assert_nothing();
	ck_assert(!ublkev__queue_drained(&qk.q));
	for (i = 0; i < QK_DEPTH; i++) {
		ck_assert_int_eq(qk.tags[i].state, UBLKEV__TAG_IDLE);
		ck_assert_int_eq(qk_cqe(i, 0, 8), -EPROTO);
	}
}
END_TEST

/* the driver's number of each op, and the result that is committed for it */
static const struct {
	uint32_t number;
	enum ublkev_op op;
	int result;
} ops[] = {
	{ 0, UBLKEV_OP_READ, 1024 },
	{ 1, UBLKEV_OP_WRITE, 1024 },
	{ 2, UBLKEV_OP_FLUSH, 0 },
	{ 3, UBLKEV_OP_DISCARD, 0 },
	{ 5, UBLKEV_OP_WRITE_ZEROES, 0 },
};

START_TEST(served)
{
	bool data = ops[_i].op <= UBLKEV_OP_WRITE;
	struct ublkev_req *req = &qk.tags[2].req;
	uint64_t cookie;

	qk_arm();
	req->data = &qk;
	cookie = qk_pulled(2, ops[_i].number);
	ck_assert_int_eq(req->op, ops[_i].op);
	ck_assert_uint_eq(req->queue, 3);
	ck_assert_uint_eq(req->tag, 2);
	ck_assert_ptr_null(req->data);
	ck_assert_ptr_eq(req->buf, data ? qk.bufs + 2 * QK_MAX_IO : NULL);
	ck_assert_uint_eq(ublkev__cookie_queue(cookie), 3);
	ck_assert_uint_eq(ublkev__cookie_tag(cookie), 2);
	ck_assert_uint_eq(cookie >> 32, QK_GENERATION + 1);
	ck_assert_uint_eq(qk.stats.inflight, 1);
	qk_done(cookie, 0, 0);
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 2, ops[_i].result);
	qk_assert_nothing();
	ck_assert_uint_eq(qk.stats.inflight, 0);
	ck_assert_uint_eq(qk.stats.op[ops[_i].op].reqs, 1);
	ck_assert_uint_eq(qk.stats.op[ops[_i].op].errors, 0);
	ck_assert_uint_eq(qk.stats.op[ops[_i].op].bytes,
			  ops[_i].op == UBLKEV_OP_FLUSH ? 0 : 1024);
}
END_TEST

/* begun by the backend: pulled again after the others, the same request */
START_TEST(done_in_pieces)
{
	struct ublkev__tag *got;
	uint64_t cookie;

	qk_arm();
	cookie = qk_pulled(2, 3);
	qk.tags[2].req.data = &qk;
	ck_assert_int_eq(qk_cqe(1, 0, 2), 0);
	ublkev__queue_again(&qk.q, &qk.tags[2]);
	qk_verify();
	ck_assert_uint_eq(qk.stats.inflight, 0);
	ck_assert(ublkev__queue_has_work(&qk.q));
	ck_assert(!ublkev__queue_idle(&qk.q));
	ck_assert_int_eq(ublkev__queue_next_in(&qk.q, &got),
			 UBLKEV__QUEUE_SUBMIT);
	ck_assert_ptr_eq(got, &qk.tags[1]);
	ck_assert_int_eq(ublkev__queue_next_in(&qk.q, &got),
			 UBLKEV__QUEUE_GO_ON);
	qk_verify();
	ck_assert_ptr_eq(got, &qk.tags[2]);
	ck_assert_uint_eq(got->req.cookie, cookie);
	ck_assert_ptr_eq(got->req.data, &qk);
	qk_done(cookie, 0, 0);
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 2, 0);
	/* the tag's next request is a new one */
	ck_assert_uint_ne(qk_pulled(2, 3), cookie);
	ck_assert_ptr_null(got->req.data);
	ck_assert_uint_eq(qk.stats.op[UBLKEV_OP_DISCARD].reqs, 1);
}
END_TEST

START_TEST(failed)
{
	qk_arm();
	qk_done(qk_pulled(0, ops[_i].number), -ENOSPC, 0);
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 0, -ENOSPC);
	ck_assert_uint_eq(qk.stats.op[ops[_i].op].reqs, 1);
	ck_assert_uint_eq(qk.stats.op[ops[_i].op].errors, 1);
	ck_assert_uint_eq(qk.stats.op[ops[_i].op].bytes, 0);
}
END_TEST

START_TEST(undecodable)
{
	qk_arm();
	ck_assert_int_eq(qk_cqe(1, 4, 8), 0);
	ck_assert_ptr_null(qk_submitted());
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 1, -EOPNOTSUPP);
	ck_assert_int_eq(qk_cqe(1, 0, QK_MAX_IO / 512 + 1), 0);
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 1, -EINVAL);
	ck_assert_uint_eq(qk.stats.rejected, 2);
	/* the first has no op to be counted under */
	ck_assert_uint_eq(qk.stats.op[UBLKEV_OP_READ].reqs, 1);
	ck_assert_uint_eq(qk.stats.op[UBLKEV_OP_READ].errors, 1);
	qk_assert_nothing();
}
END_TEST

START_TEST(refused)
{
	qk_arm();
	qk_pulled(1, 1);
	ublkev__queue_refused(&qk.q, &qk.tags[1], -EROFS);
	qk_verify();
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 1, -EROFS);
	ck_assert_uint_eq(qk.stats.rejected, 1);
	ck_assert_uint_eq(qk.stats.inflight, 0);
}
END_TEST

/* BATCH_IO: one completion for all that the driver has */
START_TEST(all_at_once)
{
	uint64_t cookie;

	qk_arm();
	cookie = qk_pulled(1, 1);
	ck_assert_int_eq(qk_cqe(0, 0, 2), 0);
	ck_assert_int_eq(ublkev__queue_all_cqe(&qk.q, 0), -EPROTO);
	ck_assert_int_eq(ublkev__queue_all_cqe(&qk.q, _i ? -EINVAL : -ENODEV),
			 _i ? -EINVAL : 0);
	qk_verify();
	ck_assert_int_eq(ublkev__queue_all_cqe(&qk.q, -ENODEV), -EPROTO);
	ck_assert_uint_eq(qk.q.nr_dead, QK_DEPTH - 2);
	qk_done(cookie, 0, 0);
	ublkev__queue_abort(&qk.q);
	qk_verify();
	while (ublkev__queue_has_work(&qk.q)) {
		struct ublkev__tag *got;

		ck_assert_int_eq(ublkev__queue_next_out(&qk.q, &got),
				 UBLKEV__QUEUE_COMMIT);
		ck_assert_int_eq(got->state, UBLKEV__TAG_DEAD);
		qk_verify();
	}
	ck_assert(ublkev__queue_drained(&qk.q));
}
END_TEST

/* of four tags every second is another thread's: as if it were not there */
START_TEST(part)
{
	const struct ublkev__desc desc = { .nr_sectors = 2 };
	unsigned int other = !_i;
	uint64_t cookie;

	ublkev__queue_share(&qk.q, (unsigned int)_i, 2);
	qk_verify();
	ublkev__queue_arm(&qk.q);
	qk_verify();
	qk_assert_out(UBLKEV__QUEUE_ARM, (unsigned int)_i, 0);
	qk_assert_out(UBLKEV__QUEUE_ARM, (unsigned int)_i + 2, 0);
	qk_assert_nothing();
	ck_assert_int_eq(ublkev__queue_cqe(&qk.q, other, 0, &desc), -EPROTO);
	qk_verify();
	cookie = qk_pulled((unsigned int)_i, 0);
	ck_assert_uint_eq(ublkev__cookie_queue(cookie), QK_QUEUE * 2 + _i);
	ck_assert_uint_eq(ublkev__cookie_tag(cookie), _i);
	ck_assert_uint_eq(qk.tags[_i].req.queue, QK_QUEUE);
	ck_assert_uint_eq(qk.tags[_i].req.thread, QK_QUEUE * 2 + _i);
	qk_done(cookie - (unsigned int)_i + other, 0, -ESTALE);
	ck_assert_uint_eq(ublkev__queue_abort(&qk.q), 1);
	qk_verify();
	ck_assert(!ublkev__queue_idle(&qk.q));
	qk_assert_out(UBLKEV__QUEUE_COMMIT, (unsigned int)_i, -EIO);
	ck_assert(ublkev__queue_idle(&qk.q));
	ck_assert(!ublkev__queue_drained(&qk.q));
	ck_assert_int_eq(ublkev__queue_cqe(&qk.q, (unsigned int)_i, -ENODEV,
					   NULL), 0);
	ck_assert(!ublkev__queue_drained(&qk.q));
	ublkev__queue_kill(&qk.q);
	qk_verify();
	ck_assert(ublkev__queue_drained(&qk.q));
	ck_assert_int_eq(qk.tags[other].state, UBLKEV__TAG_OTHERS);
	ck_assert_uint_eq(ublkev__queue_generation(&qk.q), QK_GENERATION + 2);
}
END_TEST

/* of three, where the tags can't be divided */
START_TEST(unequal_parts)
{
	ublkev__queue_share(&qk.q, (unsigned int)_i, 3);
	qk_verify();
	ck_assert_uint_eq(qk.q.nr_tags, _i ? 1 : 2);
}
END_TEST

START_TEST(in_order)
{
	unsigned int i;

	qk_arm();
	for (i = 0; i < QK_DEPTH; i++)
		ck_assert_int_eq(qk_cqe((i + 2) % QK_DEPTH, 2, 0), 0);
	for (i = 0; i < QK_DEPTH; i++)
		ck_assert_ptr_eq(qk_submitted(),
				 &qk.tags[(i + 2) % QK_DEPTH]);
	ck_assert_uint_eq(qk.stats.inflight_max, QK_DEPTH);
	for (i = QK_DEPTH; i--;)
		qk_done(qk.tags[i].req.cookie, 0, 0);
	for (i = QK_DEPTH; i--;)
		qk_assert_out(UBLKEV__QUEUE_COMMIT, i, 0);
	/* the most that there ever were */
	qk_done(qk_pulled(0, 0), 0, 0);
	ck_assert_uint_eq(qk.stats.inflight_max, QK_DEPTH);
}
END_TEST

START_TEST(fua_counted)
{
	qk_arm();
	qk_done(qk_pulled(0, 1u | 1u << 13), 0, 0);
	ck_assert_uint_eq(qk.stats.fua, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue");
	TCase *tc = tcase_create("queue");

	tcase_add_checked_fixture(tc, qk_setup, NULL);
	tcase_add_test(tc, new);
	tcase_add_loop_test(tc, served, 0, TEST_COUNT(ops));
	tcase_add_test(tc, done_in_pieces);
	tcase_add_loop_test(tc, failed, 0, TEST_COUNT(ops));
	tcase_add_test(tc, undecodable);
	tcase_add_test(tc, refused);
	tcase_add_loop_test(tc, all_at_once, 0, 2);
	tcase_add_loop_test(tc, part, 0, 2);
	tcase_add_loop_test(tc, unequal_parts, 0, 3);
	tcase_add_test(tc, in_order);
	tcase_add_test(tc, fua_counted);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
