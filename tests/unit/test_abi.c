/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver's binary interface: numbers and layouts as they are in memory, and
 * what is put there and got from there.
 */
#include <string.h>

#include "core/names.h"
#include "testlib.h"
#include "uring/abi.h"

START_TEST(desc_offsets)
{
	unsigned int q;

	for (q = 0; q < 5; q++) {
		ck_assert_uint_eq(ublkev__abi_desc_offset(q, 24, 4096), q * 98304);
		ck_assert_uint_eq(ublkev__abi_desc_offset(q, 24, 65536),
				  q * 131072);
		ck_assert_uint_eq(ublkev__abi_desc_offset(q, 24, 16384), q * 98304);
	}
	ck_assert_uint_eq(ublkev__abi_desc_offset(4095, 24, 65536),
			  UINT64_C(4095) * 131072);
}
END_TEST

/* IO_DESC_SIZE: the driver's round_up(4096 * size, PAGE_SIZE), and of the depth */
START_TEST(desc_padded)
{
	ck_assert_uint_eq(ublkev__abi_desc_offset(3, 32, 4096), 3 * 131072);
	ck_assert_uint_eq(ublkev__abi_desc_offset(3, 40, 65536), 3 * 196608);
	ck_assert_uint_eq(ublkev__abi_desc_offset(3, 64, 4096), 3 * 262144);
	ck_assert_uint_eq(ublkev__abi_desc_offset(4095, 256, 4096),
			  UINT64_C(4095) << 20);
	ck_assert_uint_eq(ublkev__abi_desc_bytes(64, 64, 4096), 4096);
	ck_assert_uint_eq(ublkev__abi_desc_bytes(65, 64, 4096), 8192);
	ck_assert_uint_eq(ublkev__abi_desc_bytes(4096, 256, 4096), 1 << 20);
	ck_assert_uint_eq(ublkev__abi_desc_bytes(1, 256, 65536), 65536);
}
END_TEST

START_TEST(desc_bytes)
{
	ck_assert_uint_eq(ublkev__abi_desc_bytes(1, 24, 4096), 4096);
	ck_assert_uint_eq(ublkev__abi_desc_bytes(170, 24, 4096), 4096);
	ck_assert_uint_eq(ublkev__abi_desc_bytes(171, 24, 4096), 8192);
	ck_assert_uint_eq(ublkev__abi_desc_bytes(4096, 24, 4096), 98304);
	ck_assert_uint_eq(ublkev__abi_desc_bytes(4096, 24, 65536), 131072);
	ck_assert_uint_eq(ublkev__abi_desc_bytes(1, 24, 65536), 65536);
}
END_TEST

/* the table of the contract, A.2 and B.2 */
START_TEST(numbers)
{
	static const uint32_t ops[UBLKEV__NR_CTRL_CMDS] = {
		[UBLKEV__CTRL_NONE] = 0,
		[UBLKEV__CTRL_GET_FEATURES] = 0x80207513,
		[UBLKEV__CTRL_ADD_DEV] = 0xc0207504,
		[UBLKEV__CTRL_SET_PARAMS] = 0xc0207508,
		[UBLKEV__CTRL_GET_DEV_INFO] = 0x80207502,
		[UBLKEV__CTRL_GET_DEV_INFO2] = 0x80207512,
		[UBLKEV__CTRL_GET_PARAMS] = 0x80207509,
		[UBLKEV__CTRL_GET_QUEUE_AFFINITY] = 0x80207501,
		[UBLKEV__CTRL_START_USER_RECOVERY] = 0xc0207510,
		[UBLKEV__CTRL_START_DEV] = 0xc0207506,
		[UBLKEV__CTRL_END_USER_RECOVERY] = 0xc0207511,
		[UBLKEV__CTRL_UPDATE_SIZE] = 0xc0207515,
		[UBLKEV__CTRL_QUIESCE_DEV] = 0xc0207516,
		[UBLKEV__CTRL_TRY_STOP_DEV] = 0xc0207517,
		[UBLKEV__CTRL_REG_BUF] = 0xc0207518,
		[UBLKEV__CTRL_UNREG_BUF] = 0xc0207519,
		[UBLKEV__CTRL_STOP_DEV] = 0xc0207507,
		[UBLKEV__CTRL_DEL_DEV] = 0xc0207505,
		[UBLKEV__CTRL_DEL_DEV_ASYNC] = 0x80207514,
	};
	unsigned int i;

	for (i = 0; i < UBLKEV__NR_CTRL_CMDS; i++)
		ck_assert_uint_eq(ublkev__abi_cmd_op((enum ublkev__ctrl_cmd)i),
				  ops[i]);
	ck_assert_uint_eq(ABI_IO_FETCH_REQ, 0xc0107520);
	ck_assert_uint_eq(ABI_IO_COMMIT_AND_FETCH_REQ, 0xc0107521);
}
END_TEST

static void assert_u32(const void *at, size_t offset, uint32_t value)
{
	uint32_t got;

	memcpy(&got, (const char *)at + offset, sizeof(got));
	ck_assert_msg(got == value, "at %zu: %#x, not %#x", offset, got, value);
}

static void assert_u64(const void *at, size_t offset, uint64_t value)
{
	assert_u32(at, offset, (uint32_t)value);
	assert_u32(at, offset + 4, (uint32_t)(value >> 32));
}

START_TEST(info_put)
{
	const struct ublkev_cmd_info info = {
		.features = UINT64_C(0x123456789abc), .max_io_bytes = 0x80000,
		.id = 77, .queues = 4, .depth = 0x200,
		.signature = UINT64_C(0x75626c6b65760001), .desc_bytes = 64,
		/* the driver's to say */
		.state = 2, .pid = 99, .owner_uid = 1, .owner_gid = 1,
	};
	struct abi_dev_info abi;

	memset(&abi, 0xff, sizeof(abi));
	ublkev__abi_put_info(&abi, &info);
	assert_u32(&abi, 0, 4 | 0x200 << 16);	/* queues, depth */
	assert_u32(&abi, 4, 64u << 16);	/* state is the driver's; io_desc_size */
	assert_u32(&abi, 8, 0x80000);
	assert_u32(&abi, 12, 77);
	assert_u64(&abi, 16, 0);		/* pid, pad */
	assert_u64(&abi, 24, UINT64_C(0x123456789abc));
	assert_u64(&abi, 32, UINT64_C(0x75626c6b65760001));
	assert_u64(&abi, 40, 0);
	assert_u64(&abi, 48, 0);
	assert_u64(&abi, 56, 0);
}
END_TEST

/* the bytes that the driver writes (contract A.2) */
START_TEST(info_got)
{
	static const uint32_t words[16] = {
		4 | 0x200 << 16, 3 | 24 << 16, 0x80000, 77, 4711, 0,
		0x56789abc, 0x1234, 0x65760001, 0x75626c6b, 1000, 1001,
	};
	struct ublkev_cmd_info info;
	struct abi_dev_info abi;

	memcpy(&abi, words, sizeof(abi));
	ublkev__abi_get_info(&abi, &info);
	ck_assert_uint_eq(info.queues, 4);
	ck_assert_uint_eq(info.depth, 0x200);
	ck_assert_uint_eq(info.state, UBLKEV_STATE_FAIL_IO);
	ck_assert_uint_eq(info.max_io_bytes, 0x80000);
	ck_assert_int_eq(info.id, 77);
	ck_assert_int_eq(info.pid, 4711);
	ck_assert_uint_eq(info.features, UINT64_C(0x123456789abc));
	ck_assert_uint_eq(info.signature, UINT64_C(0x75626c6b65760001));
	ck_assert_uint_eq(info.owner_uid, 1000);
	ck_assert_uint_eq(info.owner_gid, 1001);
	ck_assert_uint_eq(info.desc_bytes, 24);
	/* without the feature it is what was asked for, which means nothing */
	abi.flags &= ~UBLKEV__F(IO_DESC_SIZE);
	ublkev__abi_get_info(&abi, &info);
	ck_assert_uint_eq(info.desc_bytes, 0);
	abi.ublksrv_pid = -1;	/* a dead one, from 7.0 on */
	ublkev__abi_get_info(&abi, &info);
	ck_assert_int_eq(info.pid, -1);
}
END_TEST

START_TEST(info_roundtrip)
{
	static const int ids[] = { -1, 0, 5, (1 << 20) - 1 };
	struct ublkev_cmd_info info = {
		.features = 0x42, .max_io_bytes = 32u << 20, .id = ids[_i],
		.queues = 4096, .depth = 4096,
		.signature = UINT64_C(0xfedcba9876543210),
	}, got;
	struct abi_dev_info abi;

	ublkev__abi_put_info(&abi, &info);
	ublkev__abi_get_info(&abi, &got);
	ck_assert_uint_eq(got.signature, info.signature);
	ck_assert_int_eq(got.id, info.id);
	ck_assert_uint_eq(got.queues, 4096);
	ck_assert_uint_eq(got.depth, 4096);
	ck_assert_uint_eq(got.max_io_bytes, 32u << 20);
	ck_assert_uint_eq(got.features, 0x42);
	if (ids[_i] < 0)
		assert_u32(&abi, 12, 0xffffffff);
}
END_TEST

static const struct ublkev__params sample = {
	.dev_sectors = UINT64_C(0x1122334455), .attrs = 0xc,
	.max_sectors = 1024, .chunk_sectors = 2048,
	.max_discard_sectors = 0x10000, .max_write_zeroes_sectors = 0x20000,
	.discard_granularity = 4096, .logical_bs_shift = 9,
	.physical_bs_shift = 12, .io_min_shift = 13, .io_opt_shift = 16,
};

START_TEST(params_bytes)
{
	struct abi_params abi;
	size_t i;

	memset(&abi, 0xff, sizeof(abi));
	ublkev__abi_put_params(&abi, &sample);
	assert_u32(&abi, 0, 152);
	assert_u32(&abi, 4, 3);
	assert_u32(&abi, 8, 0xc);
	/* logical, physical, io_opt, io_min */
	assert_u32(&abi, 12, 9 | 12 << 8 | 16 << 16 | 13 << 24);
	assert_u32(&abi, 16, 1024);
	assert_u32(&abi, 20, 2048);
	assert_u64(&abi, 24, UINT64_C(0x1122334455));
	assert_u64(&abi, 32, 0);
	assert_u32(&abi, 40, 0);
	assert_u32(&abi, 44, 4096);
	assert_u32(&abi, 48, 0x10000);
	assert_u32(&abi, 52, 0x20000);
	assert_u32(&abi, 56, 1);
	/* where the driver tells of device numbers */
	for (i = 60; i < 136; i += 4)
		assert_u32(&abi, i, 0);
}
END_TEST

START_TEST(params_without_discard)
{
	struct ublkev__params p = sample;
	struct abi_params abi;
	size_t i;

	p.max_discard_sectors = 0;
	ublkev__abi_put_params(&abi, &p);
	assert_u32(&abi, 4, 3);
	assert_u32(&abi, 44, 4096);
	assert_u32(&abi, 48, 0);
	p.max_write_zeroes_sectors = 0;
	ublkev__abi_put_params(&abi, &p);
	assert_u32(&abi, 4, 1);
	for (i = 40; i < 136; i += 4)
		assert_u32(&abi, i, 0);
	p.max_discard_sectors = 1;
	ublkev__abi_put_params(&abi, &p);
	assert_u32(&abi, 4, 3);
}
END_TEST

/* the two are apart: either may be there alone */
START_TEST(params_of_pages)
{
	struct ublkev__params p = sample, got;
	struct abi_params abi;

	p.dma_align_bytes = 512;
	memset(&abi, 0xff, sizeof(abi));
	ublkev__abi_put_params(&abi, &p);
	assert_u32(&abi, 4, 0x13);
	assert_u32(&abi, 108, 511);
	assert_u32(&abi, 112, 0);
	assert_u64(&abi, 120, 0);
	p.max_segment_bytes = 0x10000;
	p.max_segments = 0x7654;
	p.segment_boundary_mask = UINT64_C(0x1ffffffff);
	ublkev__abi_put_params(&abi, &p);
	assert_u32(&abi, 4, 0x33);
	assert_u64(&abi, 120, UINT64_C(0x1ffffffff));
	assert_u32(&abi, 128, 0x10000);
	assert_u32(&abi, 132, 0x7654);
	ublkev__abi_get_params(&abi, &got);
	ck_assert_uint_eq(got.dma_align_bytes, 512);
	ck_assert_uint_eq(got.max_segment_bytes, 0x10000);
	ck_assert_uint_eq(got.max_segments, 0x7654);
	ck_assert_uint_eq(got.segment_boundary_mask, UINT64_C(0x1ffffffff));
	abi.types = 1;
	ublkev__abi_get_params(&abi, &got);
	ck_assert_uint_eq(got.dma_align_bytes, 0);
	ck_assert_uint_eq(got.max_segment_bytes, 0);
}
END_TEST

static const struct ublkev__params none;

START_TEST(params_got)
{
	struct ublkev__params p = sample, got;
	struct abi_params abi;

	ublkev__abi_put_params(&abi, &p);
	memset(&got, 0xff, sizeof(got));
	ublkev__abi_get_params(&abi, &got);
	ck_assert_mem_eq(&got, &p, sizeof(p));
	/* with the device numbers, where the driver tells them */
	abi.devt.char_major = 240;
	abi.devt.char_minor = 5;
	abi.devt.disk_major = 259;
	abi.devt.disk_minor = 6;
	ublkev__abi_get_params(&abi, &got);
	ck_assert_mem_eq(&got, &p, sizeof(p));
	abi.types |= 4;
	ublkev__abi_get_params(&abi, &got);
	ck_assert_uint_eq(got.char_major, 240);
	ck_assert_uint_eq(got.char_minor, 5);
	ck_assert_uint_eq(got.disk_major, 259);
	ck_assert_uint_eq(got.disk_minor, 6);
	/* and nothing of a slot that is not said to be there */
	abi.types = 1;
	ublkev__abi_get_params(&abi, &got);
	ck_assert_uint_eq(got.max_discard_sectors, 0);
	ck_assert_uint_eq(got.discard_granularity, 0);
	ck_assert_uint_eq(got.max_write_zeroes_sectors, 0);
	ck_assert_uint_eq(got.disk_major, 0);
	ck_assert_uint_eq(got.dev_sectors, p.dev_sectors);
	memset(&abi, 0, sizeof(abi));
	ublkev__abi_get_params(&abi, &got);
	ck_assert_mem_eq(&got, &none, sizeof(got));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("abi");
	TCase *tc = tcase_create("abi");

	tcase_add_test(tc, params_of_pages);
	tcase_add_test(tc, desc_offsets);
	tcase_add_test(tc, desc_padded);
	tcase_add_test(tc, desc_bytes);
	tcase_add_test(tc, numbers);
	tcase_add_test(tc, info_put);
	tcase_add_loop_test(tc, info_roundtrip, 0, 4);
	tcase_add_test(tc, info_got);
	tcase_add_test(tc, params_got);
	tcase_add_test(tc, params_bytes);
	tcase_add_test(tc, params_without_discard);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
