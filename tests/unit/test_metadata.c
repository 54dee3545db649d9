/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What metadata add to each room: limits, features, parameters, the copy beside a
 * copy, and where the memory disk keeps them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backend/guard.h"
#include "core/names.h"
#include "guard_kit.h"
#include "mem_kit.h"
#include "testlib.h"
#include "uring/abi.h"
#include "uring/sqe.h"

/* ---- limits ----------------------------------------------------------------- */

static const struct {
	uint32_t bytes, interval, pi, flags, block;
	const char *fault;
} limits[] = {
	{ 8, 0, UBLKEV_PI_T10_DIF_TYPE1_CRC, 0, 512, NULL },
	{ 7, 0, UBLKEV_PI_T10_DIF_TYPE1_CRC, 0, 512, "metadata_bytes" },
	{ 0, 0, UBLKEV_PI_T10_DIF_TYPE3_IP, 0, 512, "metadata_bytes" },
	{ 8, 0, UBLKEV_PI_EXT_DIF_TYPE1_CRC64, 0, 512, "metadata_bytes" },
	{ 16, 0, UBLKEV_PI_EXT_DIF_TYPE3_CRC64, 0, 512, NULL },
	{ 64, 0, UBLKEV_PI_NONE, 0, 512, NULL },
	{ 255, 0, UBLKEV_PI_NONE, 0, 512, NULL },
	{ 256, 0, UBLKEV_PI_NONE, 0, 512, "metadata_bytes" },
	{ 8, 0, UBLKEV_NR_PIS, 0, 512, "pi" },
	{ 8, 512, UBLKEV_PI_NONE, 0, 4096, NULL },
	{ 8, 4096, UBLKEV_PI_NONE, 0, 512, "metadata_interval_bytes" },
	{ 8, 256, UBLKEV_PI_NONE, 0, 512, "metadata_interval_bytes" },
	{ 8, 1536, UBLKEV_PI_NONE, 0, 4096, "metadata_interval_bytes" },
	{ 8, 0, UBLKEV_PI_NONE, UBLKEV_LIMIT_NO_DATA, 512, "metadata_bytes" },
};

START_TEST(limits_checked)
{
	const char *fault = limits[_i].fault;
	char member[64];
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_least_ops);
	f.limits.metadata_bytes = limits[_i].bytes;
	f.limits.metadata_interval_bytes = limits[_i].interval;
	f.limits.pi = limits[_i].pi;
	f.limits.flags = limits[_i].flags;
	f.limits.logical_block_bytes = limits[_i].block;
	f.limits.physical_block_bytes = 4096;
	f.limits.io_min_bytes = 4096;
	f.limits.discard_granularity_bytes = 4096;
	ck_assert_int_eq(guard_open_it(&f, &o), fault ? -EINVAL : 0);
	if (fault) {
		snprintf(member, sizeof(member), "limits.%s ", fault);
		ck_assert_ptr_nonnull(strstr(guard_said.line, member));
	} else if (!limits[_i].interval) {
		ck_assert_uint_eq(f.b->limits.metadata_interval_bytes,
				  limits[_i].block);
		ck_assert_int_eq(ublkev__guard_can_resize(f.b, 8 * MIB),
				 -EOPNOTSUPP);
	}
	guard_finish(&f);
}
END_TEST

START_TEST(names_and_sizes)
{
	static const uint32_t bytes[UBLKEV_NR_PIS] = { 0, 8, 8, 8, 8, 16, 16 };
	unsigned int i;

	for (i = 0; i < UBLKEV_NR_PIS; i++)
		ck_assert_uint_eq(ublkev_pi_bytes(i), bytes[i]);
	ck_assert_uint_eq(ublkev_pi_bytes(UBLKEV_NR_PIS), 0);
	ck_assert_str_eq(ublkev_pi_name(UBLKEV_PI_NONE), "nop");
	ck_assert_str_eq(ublkev_pi_name(UBLKEV_PI_T10_DIF_TYPE1_CRC),
			 "T10-DIF-TYPE1-CRC");
	ck_assert_str_eq(ublkev_pi_name(UBLKEV_NR_PIS), "?");
}
END_TEST

/* ---- features, parameters, the copy -------------------------------------------- */

START_TEST(features)
{
	struct ublkev_conf conf = { .copy = (enum ublkev_copy)_i };
	const uint64_t more = UBLKEV__F(INTEGRITY) | UBLKEV__F(USER_COPY);
	const uint64_t k612 = 0x1fe, k73 = 0x1fffff;
	unsigned int traits = UBLKEV__METADATA | UBLKEV__CAN_MAP;
	uint64_t got;

	ck_assert_int_eq(ublkev__features_choose(&conf, traits, k73, &got), 0);
	ck_assert_uint_eq(got & (more | UBLKEV__F(NEED_GET_DATA)), more);
	ck_assert_int_eq(ublkev__xfer_of(got, traits), UBLKEV__XFER_USER);
	ck_assert(ublkev__features_servable(got));
	ck_assert(!ublkev__features_servable(UBLKEV__F(INTEGRITY)));
	ck_assert_int_eq(ublkev__features_choose(&conf, traits, k612, &got),
			 -EOPNOTSUPP);
	conf.flags = UBLKEV_CONF_UNPRIVILEGED;
	ck_assert_int_eq(ublkev__features_choose(&conf, traits, k73, &got),
			 -EOPNOTSUPP);
}
END_TEST

/* as LBMD_PI_CSUM_* and LBMD_PI_CAP_* of <linux/fs.h> have them */
static const struct {
	uint8_t csum, flags;
} pis[UBLKEV_NR_PIS] = {
	{ 0, 0 }, { 2, 3 }, { 1, 3 }, { 2, 1 }, { 1, 1 }, { 4, 3 }, { 4, 1 },
};

START_TEST(parameters)
{
	struct ublkev_limits l = {
		.dev_bytes = MIB, .logical_block_bytes = 4096,
		.physical_block_bytes = 4096,
		.discard_granularity_bytes = 4096,
		.metadata_bytes = 24, .metadata_interval_bytes = 512,
		.pi = (uint32_t)_i,
	};
	struct ublkev__params p = { 0 }, back;
	struct abi_params abi;

	ublkev__params_make(&p, &l, 65536, false);
	ublkev__abi_put_params(&abi, &p);
	ck_assert_uint_eq(abi.len, 152);
	ck_assert_uint_eq(abi.types & 64, 64);
	ck_assert_uint_eq(abi.integrity.csum_type, pis[_i].csum);
	ck_assert_uint_eq(abi.integrity.flags, pis[_i].flags);
	ck_assert_uint_eq(abi.integrity.metadata_bytes, 24);
	ck_assert_uint_eq(abi.integrity.interval_shift, 9);
	ck_assert_uint_eq(abi.integrity.pi_offset, 0);
	ublkev__abi_get_params(&abi, &back);
	ck_assert_uint_eq(back.pi, _i);
	ck_assert_ptr_null(ublkev__params_misfit(&p, &back));
	back.metadata_bytes = 8;
	ck_assert_str_eq(ublkev__params_misfit(&p, &back), "kind of metadata");
	ck_assert_uint_eq(ublkev__metadata_of(&l, 65536), 128 * 24);
}
END_TEST

START_TEST(sqe_in_front)
{
	struct io_uring_sqe sqe;
	char buf;

	ublkev__sqe_copy_metadata(&sqe, 3, 5, true, &buf, 64);
	ck_assert_uint_eq(sqe.opcode, IORING_OP_READ);
	ck_assert_uint_eq(sqe.off, UINT64_C(0x80000000) + (UINT64_C(3) << 41) +
			  (UINT64_C(5) << 25) + (UINT64_C(1) << 62));
	ck_assert_uint_eq(sqe.len, 64);
	ck_assert_uint_eq(sqe.flags, IOSQE_FIXED_FILE | IOSQE_IO_LINK |
			  IOSQE_CQE_SKIP_SUCCESS);
	ublkev__sqe_copy_metadata(&sqe, 3, 5, false, &buf, 64);
	ck_assert_uint_eq(sqe.opcode, IORING_OP_WRITE);
}
END_TEST

/* ---- the memory disk --------------------------------------------------------- */

#define BLOCK	4096u
#define META	24u

static struct ublkev_disk_conf conf;
static struct ublkev_backend *disk;

static void disk_up(int fd, bool shared)
{
	ublkev_disk_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = 4 * MIB;
	conf.logical_block_bytes = BLOCK;
	conf.metadata_bytes = META;
	conf.pi = UBLKEV_PI_T10_DIF_TYPE1_CRC;
	conf.flags = shared ? UBLKEV_DISK_SHARED : 0;
	conf.fd = fd;
	ck_assert_int_eq(ublkev_mem_new(&disk, &conf), 0);
	mem_serve(disk);
}

static void io(unsigned int op, uint64_t block, unsigned int n, char *buf,
	       bool metadata)
{
	struct ublkev_req req = {
		.op = (uint8_t)op, .offset_bytes = block * BLOCK,
		.len_bytes = n * BLOCK, .buf = buf,
		.flags = metadata ? UBLKEV_REQ_METADATA : 0,
	};
	bool rejected;
	int res = ublkev__guard_submit(disk, &req, &rejected);

	while (res == UBLKEV_AGAIN)
		res = ublkev__guard_go_on(disk, &req, &rejected);
	ck_assert_int_eq(res, 0);
}

static bool all_ones(const char *p)
{
	unsigned int i;

	for (i = 0; i < META && p[i] == (char)0xff; i++)
		;
	return i == META;
}

/* beside a plain array */
START_TEST(kept_in_memory)
{
	static char model[1024 * META], buf[8 * (BLOCK + META)];
	struct test_rng rng;
	unsigned int i, n, steps;
	uint64_t at;

	test_rng_init(&rng, test_seed("kept_in_memory"));
	memset(model, 0xff, sizeof(model));
	disk_up(-1, _i);
	ck_assert_uint_eq(disk->limits.metadata_bytes, META);
	for (steps = 0; steps < 3000; steps++) {
		n = 1 + (unsigned int)test_rng_below(&rng, 8);
		at = test_rng_below(&rng, 1024 - n + 1);
		switch (test_rng_below(&rng, 8)) {
		case 0:
			io(UBLKEV_OP_DISCARD, at, n, NULL, false);
			memset(model + at * META, 0xff, n * META);
			break;
		case 1:		/* from a client that has none */
			io(UBLKEV_OP_WRITE, at, n, buf, false);
			memset(model + at * META, 0xff, n * META);
			break;
		case 2: case 3: case 4:
			test_rng_fill(&rng, buf, n * (BLOCK + META));
			io(UBLKEV_OP_WRITE, at, n, buf, true);
			memcpy(model + at * META, buf + n * BLOCK, n * META);
			break;
		default:
			memset(buf, 0x5a, sizeof(buf));
			io(UBLKEV_OP_READ, at, n, buf, true);
			ck_assert_mem_eq(buf + n * BLOCK, model + at * META,
					 n * META);
		}
		if (_i && !test_rng_below(&rng, 300)) {
			struct ublkev_backend *was = disk;

			mem_unserve(was);
			disk_up(ublkev_mem_fd(was), true);
			ublkev_backend_free(was);
		}
	}
	io(UBLKEV_OP_WRITE_ZEROES, 0, 1024, NULL, false);
	for (i = 0; i < 1024; i++) {
		io(UBLKEV_OP_READ, i, 1, buf, true);
		ck_assert(all_ones(buf + BLOCK));
	}
	mem_finish(disk);
}
END_TEST

START_TEST(bad_confs)
{
	struct ublkev_backend *b;

	ublkev_disk_conf_init(&conf, sizeof(conf));
	conf.pi = UBLKEV_NR_PIS;
	ck_assert_int_eq(ublkev_mem_new(&b, &conf), -EINVAL);
	conf.pi = UBLKEV_PI_EXT_DIF_TYPE1_CRC64;
	conf.metadata_bytes = 8;
	ck_assert_int_eq(ublkev_mem_new(&b, &conf), -EINVAL);
	conf.metadata_bytes = 256;
	ck_assert_int_eq(ublkev_mem_new(&b, &conf), -EINVAL);
	conf.metadata_bytes = 0;
	ck_assert_int_eq(ublkev_null_new(&b, &conf), -EINVAL);
	conf.zone_bytes = 4 * MIB;
	ck_assert_int_eq(ublkev_mem_new(&b, &conf), -EINVAL);
	conf.zone_bytes = 0;
	ck_assert_int_eq(ublkev_mem_new(&b, &conf), 0);
	ublkev_backend_free(b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("metadata");
	TCase *tc = tcase_create("metadata");

	tcase_add_loop_test(tc, limits_checked, 0, TEST_COUNT(limits));
	tcase_add_test(tc, names_and_sizes);
	tcase_add_loop_test(tc, features, 0, UBLKEV_NR_COPIES);
	tcase_add_loop_test(tc, parameters, 0, UBLKEV_NR_PIS);
	tcase_add_test(tc, sqe_in_front);
	tcase_add_loop_test(tc, kept_in_memory, 0, 2);
	tcase_add_test(tc, bad_confs);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
