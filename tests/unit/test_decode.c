/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A descriptor of the driver's becomes a request, or the errno for which none
 * was made.
 */
#include <errno.h>

#include "core/decode.h"
#include "testlib.h"

#define MAX_IO	65536u

static int decode(struct ublkev_req *req, uint32_t op_flags,
		  uint32_t nr_sectors, uint64_t start_sector)
{
	const struct ublkev__desc desc = {
		.op_flags = op_flags,
		.nr_sectors = nr_sectors,
		.start_sector = start_sector,
		.addr = 0xdead0000,
	};

	*req = (struct ublkev_req) {
		.cookie = 1, .offset_bytes = 2, .len_bytes = 3,
		.buf = &req->buf, .data = &req->data, .flags = ~0u,
		.queue = 5, .tag = 6, .op = 77,
	};
	return ublkev__decode(&desc, MAX_IO, req);
}

static void assert_rest(const struct ublkev_req *req)
{
	ck_assert_uint_eq(req->cookie, 1);
	ck_assert_ptr_eq(req->buf, &req->buf);
	ck_assert_ptr_eq(req->data, &req->data);
	ck_assert_uint_eq(req->queue, 5);
	ck_assert_uint_eq(req->tag, 6);
}

static void assert_no_range(const struct ublkev_req *req)
{
	ck_assert_uint_eq(req->offset_bytes, 0);
	ck_assert_uint_eq(req->len_bytes, 0);
	assert_rest(req);
}

static const struct {
	uint32_t number;
	enum ublkev_op op;
} ops[] = {
	{ 0, UBLKEV_OP_READ },
	{ 1, UBLKEV_OP_WRITE },
	{ 2, UBLKEV_OP_FLUSH },
	{ 3, UBLKEV_OP_DISCARD },
	{ 5, UBLKEV_OP_WRITE_ZEROES },
};

START_TEST(op)
{
	bool flush = ops[_i].op == UBLKEV_OP_FLUSH;
	struct ublkev_req req;

	ck_assert_int_eq(decode(&req, ops[_i].number, 8, 3), 0);
	ck_assert_int_eq(req.op, ops[_i].op);
	ck_assert_uint_eq(req.offset_bytes, flush ? 0 : 1536);
	ck_assert_uint_eq(req.len_bytes, flush ? 0 : 4096);
	ck_assert_uint_eq(req.flags, 0);
	assert_rest(&req);
}
END_TEST

START_TEST(op_unknown)
{
	struct ublkev_req req;
	uint32_t n = (uint32_t)_i;

	/* those of zones are test_zoned's */
	if (n < 4 || n == 5 || (n >= 10 && n <= 15) || n == 18)
		return;
	ck_assert_int_eq(decode(&req, n, 8, 3), -EOPNOTSUPP);
	ck_assert_int_eq(req.op, UBLKEV_NR_OPS);
	assert_no_range(&req);
	/* the flags are no part of the op */
	ck_assert_int_eq(decode(&req, n | 0xffffff00, 8, 3), -EOPNOTSUPP);
}
END_TEST

START_TEST(empty)
{
	bool flush = ops[_i].op == UBLKEV_OP_FLUSH;
	struct ublkev_req req;

	ck_assert_int_eq(decode(&req, ops[_i].number, 0, 0),
			 flush ? 0 : -EINVAL);
	ck_assert_int_eq(req.op, ops[_i].op);
	assert_no_range(&req);
}
END_TEST

/* bits of the whole word: UBLK_IO_F_* are not shifted by the op's width */
static uint32_t flag_of(unsigned int bit)
{
	switch (bit) {
	case 8: case 9: case 10: return UBLKEV_REQ_FAILFAST;
	case 11: return UBLKEV_REQ_META;
	case 13: return UBLKEV_REQ_FUA;
	case 15: return UBLKEV_REQ_NOUNMAP;
	case 18: return UBLKEV_REQ_METADATA;
	case 19: return UBLKEV_REQ_SHARED;
	}
	return 0;
}

START_TEST(flag)
{
	struct ublkev_req req;
	uint32_t bit = 1u << _i;
	size_t i;

	for (i = 0; i < TEST_COUNT(ops); i++) {
		ck_assert_int_eq(decode(&req, ops[i].number | bit, 8, 3), 0);
		ck_assert_int_eq(req.op, ops[i].op);
		ck_assert_uint_eq(req.flags, flag_of((unsigned int)_i));
	}
}
END_TEST

START_TEST(all_flags)
{
	struct ublkev_req req;

	ck_assert_int_eq(decode(&req, 0xffffff01, 8, 3), 0);
	ck_assert_int_eq(req.op, UBLKEV_OP_WRITE);
	ck_assert_uint_eq(req.flags, UBLKEV_REQ_FUA | UBLKEV_REQ_NOUNMAP |
			  UBLKEV_REQ_META | UBLKEV_REQ_FAILFAST |
			  UBLKEV_REQ_METADATA | UBLKEV_REQ_SHARED);
}
END_TEST

START_TEST(max_io)
{
	bool data = ops[_i].op <= UBLKEV_OP_WRITE;
	bool flush = ops[_i].op == UBLKEV_OP_FLUSH;
	struct ublkev_req req;

	ck_assert_int_eq(decode(&req, ops[_i].number, MAX_IO / 512, 0), 0);
	ck_assert_uint_eq(req.len_bytes, flush ? 0 : MAX_IO);
	ck_assert_int_eq(decode(&req, ops[_i].number, MAX_IO / 512 + 1, 0),
			 data ? -EINVAL : 0);
	if (data)
		assert_no_range(&req);
	/* 4 GiB and a block, which is no block */
	ck_assert_int_eq(decode(&req, ops[_i].number, (1u << 23) + 8, 0),
			 data ? -EINVAL : 0);
	/* 2 TiB less a sector, beyond 32 bits */
	ck_assert_int_eq(decode(&req, ops[_i].number, UINT32_MAX, 0),
			 data ? -EINVAL : 0);
	if (!data && !flush)
		ck_assert_uint_eq(req.len_bytes, (uint64_t)UINT32_MAX * 512);
}
END_TEST

START_TEST(overflow)
{
	static const uint64_t sectors = UINT64_C(1) << 55;
	bool flush = ops[_i].op == UBLKEV_OP_FLUSH;
	struct ublkev_req req;

	/* the end may not be 2^64 itself */
	ck_assert_int_eq(decode(&req, ops[_i].number, 1, sectors - 2), 0);
	ck_assert_uint_eq(req.offset_bytes, flush ? 0 : UINT64_MAX - 1023);
	ck_assert_int_eq(decode(&req, ops[_i].number, 1, sectors - 1),
			 flush ? 0 : -EINVAL);
	ck_assert_int_eq(decode(&req, ops[_i].number, 1, sectors),
			 flush ? 0 : -EINVAL);
	ck_assert_int_eq(decode(&req, ops[_i].number, 8, UINT64_MAX),
			 flush ? 0 : -EINVAL);
	assert_no_range(&req);
	ck_assert_int_eq(req.op, ops[_i].op);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decode");
	TCase *tc = tcase_create("decode");
	int n = (int)TEST_COUNT(ops);

	tcase_add_loop_test(tc, op, 0, n);
	tcase_add_loop_test(tc, op_unknown, 0, 256);
	tcase_add_loop_test(tc, empty, 0, n);
	tcase_add_loop_test(tc, flag, 8, 32);
	tcase_add_test(tc, all_flags);
	tcase_add_loop_test(tc, max_io, 0, n);
	tcase_add_loop_test(tc, overflow, 0, n);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
