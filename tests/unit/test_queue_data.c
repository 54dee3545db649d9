/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Data that somebody has to move between the driver and the backend: who is
 * asked for an address, when a request becomes the backend's, when it is
 * counted as in flight, and what becomes of it when they were not moved.
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

/* ---- moves that fail ------------------------------------------------------ */

static struct ublkev__tag *next_out(enum ublkev__queue_act act)
{
	struct ublkev__tag *got = NULL;

	ck_assert_int_eq(ublkev__queue_next_out(&qk.q, &got), act);
	ck_assert_ptr_eq(got, &qk.tags[1]);
	qk_verify();
	return got;
}

static void moved(int res, const struct ublkev__desc *desc)
{
	ck_assert_int_eq(ublkev__queue_cqe(&qk.q, 1, res, desc), 0);
	qk_verify();
}

static void assert_counted(unsigned int op, unsigned int errors,
			   unsigned int bytes)
{
	ck_assert_uint_eq(qk.stats.op[op].reqs, 1);
	ck_assert_uint_eq(qk.stats.op[op].errors, errors);
	ck_assert_uint_eq(qk.stats.op[op].bytes, bytes);
}

/* what pread() and pwrite() of the data answer, unless they move all of them */
static const int not_all[] = { 1023, 512, 1, 0, -EFAULT };

/* the backend has answered it well, which is taken back */
START_TEST(read_moved_in_part)
{
	arm_for(UBLKEV__XFER_USER, qk.bufs);
	qk_cqe(1, 0, 2);
	qk_assert_in(UBLKEV__QUEUE_MAP, 1);
	ublkev__queue_mapped(&qk.q, NULL);
	qk_assert_in(UBLKEV__QUEUE_SUBMIT, 1);
	qk_done(qk.tags[1].req.cookie, 0, 0);
	assert_counted(UBLKEV_OP_READ, 0, 1024);
	next_out(UBLKEV__QUEUE_MOVE_OUT);
	moved(not_all[_i], NULL);
	ck_assert_int_eq(next_out(UBLKEV__QUEUE_COMMIT)->result, -EIO);
	assert_counted(UBLKEV_OP_READ, 1, 0);
}
END_TEST

/* the backend was not asked yet: there is no answer to take back */
START_TEST(write_moved_in_part)
{
	arm_for(UBLKEV__XFER_USER, qk.bufs);
	qk_cqe(1, 1, 2);
	qk_assert_in(UBLKEV__QUEUE_MAP, 1);
	ublkev__queue_mapped(&qk.q, NULL);
	ck_assert_ptr_null(qk_submitted());
	next_out(UBLKEV__QUEUE_MOVE_IN);
	moved(not_all[_i], NULL);
	ck_assert_int_eq(next_out(UBLKEV__QUEUE_COMMIT)->result, -EIO);
	assert_counted(UBLKEV_OP_WRITE, 1, 0);
	qk_assert_nothing();
}
END_TEST

static struct ublkev__desc write_at(uint64_t sector)
{
	return (struct ublkev__desc){
		.op_flags = 1, .nr_sectors = 2, .start_sector = sector,
	};
}

/* a WRITE whose data were asked for, into the backend's memory */
static void ask_for_data(void *ram)
{
	const struct ublkev__desc desc = write_at(1);

	arm_for(UBLKEV__XFER_DIRECT, NULL);
	moved(UBLKEV__RES_NEED_GET_DATA, &desc);
	qk_assert_in(UBLKEV__QUEUE_MAP, 1);
	ublkev__queue_mapped(&qk.q, ram);
	next_out(UBLKEV__QUEUE_MOVE_IN);
}

/* The driver would queue it anew for ever, so it is failed. */
START_TEST(not_moved)
{
	const struct ublkev__desc desc = write_at(1);
	char ram;

	ask_for_data(&ram);
	moved(UBLKEV__RES_NEED_GET_DATA, &desc);
	ck_assert_ptr_null(qk_submitted());
	next_out(UBLKEV__QUEUE_MOVE_IN);	/* no error is taken before */
	moved(0, NULL);
	ck_assert_int_eq(next_out(UBLKEV__QUEUE_COMMIT)->result, -EIO);
	assert_counted(UBLKEV_OP_WRITE, 1, 0);
}
END_TEST

/* the tag was given to another request, which is not to blame */
START_TEST(not_moved_then_another)
{
	const struct ublkev__desc other = write_at(9);
	char ram;

	ask_for_data(&ram);
	moved(UBLKEV__RES_NEED_GET_DATA, &other);
	qk_assert_in(UBLKEV__QUEUE_MAP, 1);
	ck_assert_uint_eq(qk.tags[1].req.offset_bytes, 9 * 512);
	ublkev__queue_mapped(&qk.q, &ram);
	next_out(UBLKEV__QUEUE_MOVE_IN);
	moved(0, NULL);
	ck_assert_int_eq(next_out(UBLKEV__QUEUE_COMMIT)->result, 1024);
	assert_counted(UBLKEV_OP_WRITE, 0, 1024);
}
END_TEST

/* with LEND it is the backend's, and no data are anybody's to move */
START_TEST(lent)
{
	arm_for(UBLKEV__XFER_ZERO, NULL);
	qk_cqe(1, (uint32_t)_i, 2);
	qk_assert_in(UBLKEV__QUEUE_LEND, 1);
	ck_assert_ptr_null(qk.tags[1].req.buf);
	assert_with_backend(1, 1);
	qk_done(qk.tags[1].req.cookie, 0, 0);
	ck_assert_int_eq(next_out(UBLKEV__QUEUE_COMMIT)->result, 1024);
	assert_counted((uint8_t)_i, 0, 1024);
	/* nor is anything moved of what an abort takes */
	qk_cqe(1, (uint32_t)_i, 2);
	qk_assert_in(UBLKEV__QUEUE_LEND, 1);
	ck_assert_uint_eq(ublkev__queue_abort(&qk.q), 1);
	qk_verify();
	ck_assert_int_eq(next_out(UBLKEV__QUEUE_COMMIT)->result, -EIO);
}
END_TEST

/* what is in no file goes on as with USER_COPY, under a cookie of its own */
START_TEST(unlent)
{
	uint64_t cookie;

	arm_for(UBLKEV__XFER_ZERO, qk.bufs);
	qk_cqe(1, 1, 2);
	qk_assert_in(UBLKEV__QUEUE_LEND, 1);
	cookie = qk.tags[1].req.cookie;
	ublkev__queue_unlent(&qk.q, &qk.tags[1]);
	qk_verify();
	assert_with_backend(0, 1);
	qk_done(cookie, 0, -ESTALE);
	qk_assert_in(UBLKEV__QUEUE_MAP, 1);
	ublkev__queue_mapped(&qk.q, NULL);
	ck_assert_ptr_null(qk_submitted());
	next_out(UBLKEV__QUEUE_MOVE_IN);
	moved(1024, NULL);
	qk_assert_in(UBLKEV__QUEUE_SUBMIT, 1);
	ck_assert(ublkev__queue_is_unlent(&qk.tags[1]));
	qk_done(qk.tags[1].req.cookie, 0, 0);
	ck_assert_int_eq(next_out(UBLKEV__QUEUE_COMMIT)->result, 1024);
	/* the tag's next one is asked for again; what has no data never is */
	qk_cqe(1, 0, 2);
	qk_assert_in(UBLKEV__QUEUE_LEND, 1);
	qk_cqe(2, 2, 0);
	qk_assert_in(UBLKEV__QUEUE_SUBMIT, 2);
}
END_TEST

/* ---- memory that clients share ------------------------------------------------ */

static char memory[4096];
static const struct ublkev__shared shared[UBLKEV__MAX_SHARED] = {
	[5] = { memory, sizeof(memory) },
};

static void share_cqe(unsigned int tag, uint32_t op_flags, uint64_t addr)
{
	struct ublkev__desc desc = {
		.op_flags = op_flags | UBLKEV__DESC_SHMEM_ZC,
		.nr_sectors = 2, .start_sector = 1, .addr = addr,
	};

	ck_assert_int_eq(ublkev__queue_cqe(&qk.q, tag, 0, &desc), 0);
	qk_verify();
}

static const enum ublkev__xfer ways[] = {
	UBLKEV__XFER_PLAIN, UBLKEV__XFER_USER, UBLKEV__XFER_ZERO,
};

/* the backend gets it at once, and nothing is moved, whatever others' way is */
START_TEST(in_memory)
{
	unsigned int op = (unsigned int)_i % 2;

	arm_for(ways[_i / 2], _i / 2 ? NULL : qk.bufs);
	ublkev__queue_set_shared(&qk.q, shared);
	share_cqe(1, op, UINT64_C(5) << 32 | 3072);
	qk_assert_in(UBLKEV__QUEUE_SUBMIT, 1);
	ck_assert_ptr_eq(qk.tags[1].req.buf, memory + 3072);
	ck_assert_uint_eq(qk.tags[1].req.flags, UBLKEV_REQ_SHARED);
	ck_assert_uint_eq(qk.stats.shared, 1);
	/* begun, and gone on with, it is the same */
	ublkev__queue_again(&qk.q, &qk.tags[1]);
	qk_assert_in(UBLKEV__QUEUE_GO_ON, 1);
	ck_assert_ptr_eq(qk.tags[1].req.buf, memory + 3072);
	qk_done(qk.tags[1].req.cookie, 0, 0);
	ck_assert_int_eq(next_out(UBLKEV__QUEUE_COMMIT)->result, 1024);
	assert_counted((uint8_t)op, 0, 1024);
	/* an abort answers it, and moves nothing either */
	share_cqe(1, op, UINT64_C(5) << 32);
	qk_assert_in(UBLKEV__QUEUE_SUBMIT, 1);
	ck_assert_uint_eq(ublkev__queue_abort(&qk.q), 1);
	qk_verify();
	ck_assert_int_eq(next_out(UBLKEV__QUEUE_COMMIT)->result, -EIO);
}
END_TEST

/* beyond its end; no such memory; no such number; no table */
START_TEST(not_in_memory)
{
	static const uint64_t addrs[] = {
		UINT64_C(5) << 32 | 3584, UINT64_C(5) << 32 | UINT32_MAX,
		UINT64_C(4) << 32, UINT64_C(64) << 32, UINT64_MAX,
		UINT64_C(5) << 32,
	};
	bool table = _i < (int)TEST_COUNT(addrs) - 1;

	arm_for(UBLKEV__XFER_USER, NULL);
	ublkev__queue_set_shared(&qk.q, table ? shared : NULL);
	share_cqe(1, UBLKEV_OP_WRITE, addrs[_i]);
	ck_assert_ptr_null(qk_submitted());
	ck_assert_int_eq(next_out(UBLKEV__QUEUE_COMMIT)->result, -EIO);
	ck_assert_uint_eq(qk.stats.rejected, 1);
	ck_assert_uint_eq(qk.stats.shared, 0);
}
END_TEST

/* metadata are elsewhere: all is copied; so is what a zone gets appended */
START_TEST(memory_of_no_use)
{
	struct ublkev__tag *t;

	arm_for(UBLKEV__XFER_USER, qk.bufs);
	ublkev__queue_set_shared(&qk.q, shared);
	share_cqe(1, UBLKEV_OP_READ | UBLKEV__DESC_INTEGRITY,
		  UINT64_C(5) << 32);
	qk_assert_in(UBLKEV__QUEUE_MAP, 1);
	ck_assert_uint_eq(qk.tags[1].req.flags, UBLKEV_REQ_METADATA);
	ublkev__queue_mapped(&qk.q, NULL);
	qk_assert_in(UBLKEV__QUEUE_SUBMIT, 1);
	ck_assert_ptr_ne(qk.tags[1].req.buf, memory);
	share_cqe(2, 13, UINT64_C(5) << 32);
	ck_assert_uint_eq(qk.tags[2].req.op, UBLKEV_OP_ZONE_APPEND);
	ck_assert_uint_eq(qk.tags[2].req.flags, 0);
	ck_assert_ptr_null(qk_submitted());
	ck_assert_int_eq(ublkev__queue_next_out(&qk.q, &t),
			 UBLKEV__QUEUE_MOVE_IN);
	ck_assert_ptr_eq(t, &qk.tags[2]);
	ck_assert_uint_eq(qk.stats.shared, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue_data");
	TCase *tc = tcase_create("queue_data");

	tcase_add_checked_fixture(tc, qk_setup, NULL);
	tcase_add_loop_test(tc, in_memory, 0, 2 * (int)TEST_COUNT(ways));
	tcase_add_loop_test(tc, not_in_memory, 0, 6);
	tcase_add_test(tc, memory_of_no_use);
	tcase_add_loop_test(tc, lent, UBLKEV_OP_READ, UBLKEV_OP_WRITE + 1);
	tcase_add_test(tc, unlent);
	tcase_add_loop_test(tc, mapped, 0, 2);
	tcase_add_test(tc, not_mapped);
	tcase_add_test(tc, data_come_first);
	tcase_add_loop_test(tc, refused_before, 0, 2);
	tcase_add_loop_test(tc, read_moved_in_part, 0, TEST_COUNT(not_all));
	tcase_add_loop_test(tc, write_moved_in_part, 0, TEST_COUNT(not_all));
	tcase_add_test(tc, not_moved);
	tcase_add_test(tc, not_moved_then_another);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
