/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each SQE is written as a whole, whatever stood there, and nothing behind it.
 */
#include <string.h>

#include "testlib.h"
#include "uring/sqe.h"
#include "uring/udata.h"

#define GUARD	64

/* an SQE of 128 bytes, full of rubbish, and what stands behind it */
static union {
	struct io_uring_sqe sqe;
	uint8_t bytes[128 + GUARD];
} s;

static void set_up(void)
{
	memset(&s, 0xa5, sizeof(s));
}

static uint64_t get(size_t offset, size_t bytes)
{
	uint64_t value = 0;

	memcpy(&value, s.bytes + offset, bytes);
	return value;
}

static void assert_all(size_t from, size_t to, uint8_t byte)
{
	size_t i;

	for (i = from; i < to; i++)
		ck_assert_msg(s.bytes[i] == byte, "byte %zu is %#x", i,
			      s.bytes[i]);
}

START_TEST(io)
{
	ublkev__sqe_io(&s.sqe, 0xc0107521, 0x1234, 0x0fed, -5,
		       (void *)(uintptr_t)0x7654321000);
	ck_assert_uint_eq(get(0, 1), 46);	/* URING_CMD */
	ck_assert_uint_eq(get(1, 1), 1);	/* FIXED_FILE */
	ck_assert_uint_eq(get(2, 2), 0);	/* ioprio */
	ck_assert_uint_eq(get(4, 4), 0);	/* file 0 */
	ck_assert_uint_eq(get(8, 4), 0xc0107521);
	assert_all(12, 32, 0);			/* pad .. uring_cmd_flags */
	ck_assert_uint_eq(get(32, 8), 0x12340fed);
	assert_all(40, 48, 0);
	ck_assert_uint_eq(get(48, 2), 0x1234);
	ck_assert_uint_eq(get(50, 2), 0x0fed);
	ck_assert_uint_eq(get(52, 4), 0xfffffffb);
	ck_assert_uint_eq(get(56, 8), 0x7654321000);
	/* it is one of 64 bytes */
	assert_all(64, sizeof(s), 0xa5);
}
END_TEST

START_TEST(copy)
{
	ublkev__sqe_copy(&s.sqe, 0x0123, 0x0fed, _i, (void *)(uintptr_t)0x7000,
			 0x2345);
	ck_assert_uint_eq(get(0, 1), _i ? 22 : 23);	/* READ, WRITE */
	ck_assert_uint_eq(get(1, 1), 1);
	ck_assert_uint_eq(get(4, 4), 0);
	ck_assert_uint_eq(get(8, 8), UINT64_C(0x80000000) +
			  (UINT64_C(0x0123) << 41) + (UINT64_C(0x0fed) << 25));
	ck_assert_uint_eq(get(16, 8), 0x7000);
	ck_assert_uint_eq(get(24, 4), 0x2345);
	assert_all(28, 32, 0);
	ck_assert_uint_eq(get(32, 8), 0x01230fed);
	assert_all(40, 64, 0);
	assert_all(64, sizeof(s), 0xa5);
}
END_TEST

/* the slot of the ring's buffers, and the flag to come without one */
START_TEST(lend)
{
	ublkev__sqe_io(&s.sqe, 0xc0107521, 1, 2, 0, NULL);
	ublkev__sqe_lend(&s.sqe, 0x1234);
	ck_assert_uint_eq(get(16, 8), 0x11234);
	ck_assert_uint_eq(get(12, 4), 0);
	ck_assert_uint_eq(get(56, 8), 0);
	assert_all(64, sizeof(s), 0xa5);
}
END_TEST

/* where other commands have an address, and heard of only when refused */
START_TEST(slot)
{
	ublkev__sqe_slot(&s.sqe, 0x0123, 0x0fed, 0x2345, !_i);
	ck_assert_uint_eq(get(0, 1), 46);
	ck_assert_uint_eq(get(1, 1), 1 | 1 << 6);	/* CQE_SKIP_SUCCESS */
	ck_assert_uint_eq(get(8, 4), _i ? 0xc0107524 : 0xc0107523);
	assert_all(12, 32, 0);
	ck_assert_uint_eq(get(48, 2), 0x0123);
	ck_assert_uint_eq(get(50, 2), 0x0fed);
	ck_assert_uint_eq(get(56, 8), 0x2345);
	ck_assert(!udata_is_tag(get(32, 8)));
	ck_assert(!(get(32, 8) & UDATA_BATCH));
	ck_assert(udata_is_slot(get(32, 8)));
	ck_assert_int_eq(udata_is_fill(get(32, 8)), !_i);
	ck_assert_uint_eq(udata_get_queue(get(32, 8)), 0x0123);
	ck_assert_uint_eq(udata_get_tag(get(32, 8)), 0x0fed);
	ck_assert(!udata_is_slot(UDATA_WATCH) && !udata_is_slot(UDATA_ALARM));
	assert_all(64, sizeof(s), 0xa5);
}
END_TEST

/* in the driver's pages an address is an offset; those are in a slot */
START_TEST(file_lent)
{
	struct ublkev__fileop op = {
		.kind = UBLKEV__FILEOP_READ, .fd = 5, .at_bytes = 0x3000,
		.offset_bytes = 0x123456789, .len_bytes = 4096, .lent = true,
	};

	ublkev__sqe_file(&s.sqe, &op, 0x2345, 77);
	ck_assert_uint_eq(get(0, 1), 4);	/* READ_FIXED */
	ck_assert_uint_eq(get(1, 1), 0);
	ck_assert_uint_eq(get(4, 4), 5);
	ck_assert_uint_eq(get(8, 8), 0x123456789);
	ck_assert_uint_eq(get(16, 8), 0x3000);
	ck_assert_uint_eq(get(24, 4), 4096);
	ck_assert_uint_eq(get(28, 4), 0);
	ck_assert_uint_eq(get(32, 8), 77);
	ck_assert_uint_eq(get(40, 2), 0x2345);
	op.kind = UBLKEV__FILEOP_WRITE_SYNC;
	ublkev__sqe_file(&s.sqe, &op, 1, 77);
	ck_assert_uint_eq(get(0, 1), 5);	/* WRITE_FIXED */
	ck_assert_uint_eq(get(28, 4), 2);	/* RWF_DSYNC */
	op.lent = false;
	op.addr = &op;
	ublkev__sqe_file(&s.sqe, &op, 1, 77);
	ck_assert_uint_eq(get(0, 1), 23);	/* WRITE */
	ck_assert_uint_eq(get(16, 8), (uintptr_t)&op);
	ck_assert_uint_eq(get(40, 2), 0);
	assert_all(64, sizeof(s), 0xa5);
}
END_TEST

/* blkdev_uring_cmd() refuses an SQE in which there is anything else */
START_TEST(discard)
{
	const struct ublkev__fileop op = {
		.kind = UBLKEV__FILEOP_DISCARD, .fd = 5,
		.offset_bytes = 0x1234567000, .len_bytes = 0x40000000,
	};

	ublkev__sqe_file(&s.sqe, &op, 0, 0x80005);
	ck_assert_uint_eq(get(0, 1), 46);	/* URING_CMD */
	assert_all(1, 4, 0);			/* flags, ioprio */
	ck_assert_uint_eq(get(4, 4), 5);
	ck_assert_uint_eq(get(8, 4), 0x1200);	/* _IO(0x12, 0) */
	assert_all(12, 16, 0);
	ck_assert_uint_eq(get(16, 8), 0x1234567000);
	assert_all(24, 32, 0);			/* len, uring_cmd_flags */
	ck_assert_uint_eq(get(32, 8), 0x80005);
	assert_all(40, 48, 0);			/* file_index */
	ck_assert_uint_eq(get(48, 8), 0x40000000);	/* addr3 */
	assert_all(56, 64, 0);
	assert_all(64, sizeof(s), 0xa5);
}
END_TEST

START_TEST(copy_part)
{
	struct ublkev__fileop op = {
		.kind = UBLKEV__FILEOP_FETCH, .fd = -1, .at_bytes = 512,
		.len_bytes = 1024, .addr = &s,
	};

	ublkev__sqe_copy_part(&s.sqe, 3, 5, &op, 77);
	ck_assert_uint_eq(get(0, 1), 22);	/* READ */
	ck_assert_uint_eq(get(1, 1), 1);	/* FIXED_FILE */
	ck_assert_uint_eq(get(4, 4), 0);
	ck_assert_uint_eq(get(8, 8), UINT64_C(0x80000000) +
			  (UINT64_C(3) << 41) + (5u << 25) + 512);
	ck_assert_uint_eq(get(16, 8), (uintptr_t)&s);
	ck_assert_uint_eq(get(24, 4), 1024);
	ck_assert_uint_eq(get(32, 8), 77);
	op.kind = UBLKEV__FILEOP_STORE;
	ublkev__sqe_copy_part(&s.sqe, 3, 5, &op, 77);
	ck_assert_uint_eq(get(0, 1), 23);	/* WRITE */
	assert_all(64, sizeof(s), 0xa5);
}
END_TEST

START_TEST(ctrl)
{
	const struct abi_ctrl_cmd cmd = {
		.dev_id = 0x11223344, .queue_id = 0xffff, .len = 64,
		.addr = UINT64_C(0x1020304050607080),
		.data = UINT64_C(0x90a0b0c0d0e0f000), .dev_path_len = 0x55,
	};

	ublkev__sqe_ctrl(&s.sqe, 9, 0xc0207504, &cmd, UINT64_C(0xabcdef01234));
	ck_assert_uint_eq(get(0, 1), 46);
	ck_assert_uint_eq(get(1, 1), 0);
	ck_assert_uint_eq(get(2, 2), 0);
	ck_assert_uint_eq(get(4, 4), 9);
	ck_assert_uint_eq(get(8, 4), 0xc0207504);
	assert_all(12, 32, 0);
	ck_assert_uint_eq(get(32, 8), UINT64_C(0xabcdef01234));
	assert_all(40, 48, 0);
	ck_assert_uint_eq(get(48, 4), 0x11223344);
	ck_assert_uint_eq(get(52, 2), 0xffff);
	ck_assert_uint_eq(get(54, 2), 64);
	ck_assert_uint_eq(get(56, 8), UINT64_C(0x1020304050607080));
	ck_assert_uint_eq(get(64, 8), UINT64_C(0x90a0b0c0d0e0f000));
	ck_assert_uint_eq(get(72, 2), 0x55);
	assert_all(74, 128, 0);
	assert_all(128, sizeof(s), 0xa5);
}
END_TEST

START_TEST(udata)
{
	static const unsigned int n[] = { 0, 1, 4095, 65535 };
	uint64_t u;
	size_t i, j;

	for (i = 0; i < TEST_COUNT(n); i++)
		for (j = 0; j < TEST_COUNT(n); j++) {
			u = udata_tag(n[i], n[j]);
			ck_assert_uint_eq(udata_get_queue(u), n[i]);
			ck_assert_uint_eq(udata_get_tag(u), n[j]);
			ck_assert(!(u & UDATA_NONE));
		}
}
END_TEST

/* told from all else, and apart */
START_TEST(udata_of_files)
{
	struct ublkev__cqe cqe = { 0 };
	unsigned int piece;
	uint64_t u;

	for (piece = 0; piece < UBLKEV_MAX_EXTENTS; piece++) {
		u = udata_file(4095, 4095, piece);
		ck_assert(!(u & (UDATA_NONE | UDATA_BATCH)));
		cqe.queue = (uint16_t)udata_get_queue(u);
		ck_assert(ublkev__cqe_is_file(&cqe));
		ck_assert_uint_eq(ublkev__cqe_queue(&cqe), 4095);
		ck_assert_uint_eq(ublkev__cqe_piece(&cqe), piece);
		ck_assert_uint_eq(udata_get_tag(u), 4095);
	}
	cqe.queue = 4095;
	ck_assert(!ublkev__cqe_is_file(&cqe));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sqe");
	TCase *tc = tcase_create("sqe");

	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_add_test(tc, io);
	tcase_add_loop_test(tc, copy, 0, 2);
	tcase_add_test(tc, lend);
	tcase_add_loop_test(tc, slot, 0, 2);
	tcase_add_test(tc, file_lent);
	tcase_add_test(tc, discard);
	tcase_add_test(tc, copy_part);
	tcase_add_test(tc, ctrl);
	tcase_add_test(tc, udata);
	tcase_add_test(tc, udata_of_files);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
