/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * params: features by recovery mode, a device's parameters as told, and
 * whether a backend fits them
 */
#include <errno.h>
#include <string.h>

#include "core/names.h"
#include "core/params.h"
#include "testlib.h"

/* ---- features ----------------------------------------------------------- */

#define K612		0x1feu
#define K73		0x1fffffu
#define RECOVERY	(1u << 3)
#define REISSUE		(1u << 4)
#define UNPRIVILEGED	(1u << 5)
#define FAIL_IO		(1u << 9)
#define QUIESCE		(1u << 12)
#define BASE		0x42u		/* on both */
#define SIZE		(1u << 10)

static const struct {
	enum ublkev_recovery recovery;
	unsigned int flags;
	uint64_t offered, chosen;
	uint64_t needed;
	int err;
} choices[] = {
	{ UBLKEV_RECOVERY_REQUEUE, 0, K612, BASE | RECOVERY,
	  0x40 | RECOVERY, 0 },
	{ UBLKEV_RECOVERY_REISSUE, 0, K612, BASE | RECOVERY | REISSUE,
	  0x40 | RECOVERY | REISSUE, 0 },
	{ UBLKEV_RECOVERY_FAIL_IO, 0, K612, 0,
	  0x40 | RECOVERY | FAIL_IO, -EOPNOTSUPP },
	{ UBLKEV_RECOVERY_REQUEUE, 0, K73, BASE | SIZE | RECOVERY | QUIESCE,
	  0x40 | RECOVERY, 0 },
	{ UBLKEV_RECOVERY_REISSUE, 0, K73,
	  BASE | SIZE | RECOVERY | REISSUE | QUIESCE,
	  0x40 | RECOVERY | REISSUE, 0 },
	{ UBLKEV_RECOVERY_FAIL_IO, 0, K73,
	  BASE | SIZE | RECOVERY | FAIL_IO | QUIESCE,
	  0x40 | RECOVERY | FAIL_IO, 0 },
	/* 6.13 has it, and no quiescing yet */
	{ UBLKEV_RECOVERY_FAIL_IO, 0, K612 | FAIL_IO,
	  BASE | RECOVERY | FAIL_IO, 0x40 | RECOVERY | FAIL_IO, 0 },
	{ UBLKEV_RECOVERY_REISSUE, 0, K612 & ~(uint64_t)REISSUE, 0,
	  0x40 | RECOVERY | REISSUE, -EOPNOTSUPP },
	{ UBLKEV_RECOVERY_NONE, UBLKEV_CONF_UNPRIVILEGED, K612,
	  BASE | UNPRIVILEGED, 0x40, 0 },
	{ UBLKEV_RECOVERY_NONE, UBLKEV_CONF_UNPRIVILEGED, K73,
	  BASE | SIZE | UNPRIVILEGED, 0x40, 0 },
	{ UBLKEV_RECOVERY_NONE, UBLKEV_CONF_UNPRIVILEGED,
	  K612 & ~(uint64_t)UNPRIVILEGED, 0, 0x40, -EOPNOTSUPP },
};

START_TEST(chosen)
{
	const struct ublkev_conf conf = {
		.recovery = choices[_i].recovery,
		.flags = choices[_i].flags,
	};
	uint64_t got = 0;

	ck_assert_int_eq(ublkev__features_choose(&conf, 0, choices[_i].offered,
						 &got), choices[_i].err);
	ck_assert_uint_eq(got, choices[_i].chosen);
	ck_assert_uint_eq(ublkev__features_needed(&conf, 0), choices[_i].needed);
}
END_TEST

/* QUIESCE_DEV would end a batch queue for good: only one of both */
START_TEST(no_quiesce_beside_batch)
{
	const struct ublkev_conf conf = {
		.recovery = UBLKEV_RECOVERY_REQUEUE,
		.features = UBLKEV_F_BATCH_IO,
	};
	uint64_t got = 0;

	ck_assert_int_eq(ublkev__features_choose(&conf, 0, K73, &got), 0);
	ck_assert_uint_eq(got, BASE | SIZE | RECOVERY | UBLKEV_F_BATCH_IO);
	/* a driver without BATCH_IO can quiesce it */
	ck_assert_int_eq(ublkev__features_choose(&conf, 0,
			 K73 & ~UBLKEV_F_BATCH_IO, &got), 0);
	ck_assert_uint_eq(got, BASE | SIZE | RECOVERY | QUIESCE);
}
END_TEST

START_TEST(no_recovery_for_users)
{
	struct ublkev_conf conf = {
		.id = -1, .queues = 1, .depth = 1, .max_io_bytes = 4096,
		.cmd_timeout_ms = 1, .start_timeout_ms = 1,
		.stop_timeout_ms = 1, .grace_ms = 1, .recover_timeout_ms = 1,
		.offload_threads = 4, .threads_per_queue = 1,
		.flags = UBLKEV_CONF_UNPRIVILEGED,
	};
	struct ublkev__conf_fault fault;

	ck_assert_int_eq(ublkev__conf_check(&conf, &fault), 0);
	conf.recovery = UBLKEV_RECOVERY_REQUEUE;
	ck_assert_int_eq(ublkev__conf_check(&conf, &fault), -EINVAL);
	ck_assert_str_eq(fault.member, "recovery");
	conf.flags = 0;
	ck_assert_int_eq(ublkev__conf_check(&conf, &fault), 0);
}
END_TEST

/* ---- told ---------------------------------------------------------------- */

static const struct ublkev__params sample = {
	.dev_sectors = UINT64_C(1) << 33, .attrs = 0xc, .max_sectors = 1024,
	.chunk_sectors = 2048, .max_discard_sectors = UINT32_MAX,
	.max_write_zeroes_sectors = 16, .discard_granularity = 4096,
	.logical_bs_shift = 9, .physical_bs_shift = 12, .io_min_shift = 13,
	.io_opt_shift = 16, .char_major = 240, .char_minor = 3,
	.disk_major = 259, .disk_minor = 7,
};

START_TEST(told)
{
	struct ublkev_cmd_params p;

	memset(&p, 0xff, sizeof(p));
	ublkev__params_tell(&sample, &p);
	ck_assert_uint_eq(p.dev_bytes, UINT64_C(1) << 42);
	ck_assert_uint_eq(p.max_discard_bytes, (uint64_t)UINT32_MAX << 9);
	ck_assert_uint_eq(p.max_write_zeroes_bytes, 8192);
	ck_assert_uint_eq(p.logical_block_bytes, 512);
	ck_assert_uint_eq(p.physical_block_bytes, 4096);
	ck_assert_uint_eq(p.io_min_bytes, 8192);
	ck_assert_uint_eq(p.io_opt_bytes, 65536);
	ck_assert_uint_eq(p.max_io_bytes, 524288);
	ck_assert_uint_eq(p.chunk_bytes, 1048576);
	ck_assert_uint_eq(p.discard_granularity_bytes, 4096);
	ck_assert_uint_eq(p.flags, UBLKEV_LIMIT_VOLATILE_CACHE |
			  UBLKEV_LIMIT_FUA);
	ck_assert_uint_eq(p.char_major, 240);
	ck_assert_uint_eq(p.char_minor, 3);
	ck_assert_uint_eq(p.disk_major, 259);
	ck_assert_uint_eq(p.disk_minor, 7);
}
END_TEST

START_TEST(told_flags)
{
	static const uint32_t flags[] = {
		UBLKEV_LIMIT_READ_ONLY, UBLKEV_LIMIT_ROTATIONAL,
		UBLKEV_LIMIT_VOLATILE_CACHE, UBLKEV_LIMIT_FUA,
	};
	struct ublkev__params p = sample;
	struct ublkev_cmd_params to;

	p.attrs = 1u << _i;
	ublkev__params_tell(&p, &to);
	ck_assert_uint_eq(to.flags, flags[_i]);
	p.attrs = 1u << (_i + 4);	/* none that is known */
	ublkev__params_tell(&p, &to);
	ck_assert_uint_eq(to.flags, 0);
}
END_TEST

/* shifts that another server may have written there */
START_TEST(told_nonsense)
{
	struct ublkev__params p = sample;
	struct ublkev_cmd_params to;

	p.io_opt_shift = 0;
	p.io_min_shift = 32;
	p.logical_bs_shift = 255;
	p.physical_bs_shift = 31;
	ublkev__params_tell(&p, &to);
	ck_assert_uint_eq(to.io_opt_bytes, 0);
	ck_assert_uint_eq(to.io_min_bytes, 0);
	ck_assert_uint_eq(to.logical_block_bytes, 0);
	ck_assert_uint_eq(to.physical_block_bytes, 1u << 31);
}
END_TEST

/* ---- misfits ------------------------------------------------------------- */

#define MISFIT(member, change, what) \
	do { \
		struct ublkev__params own = sample; \
		own.member = (__typeof__(own.member))(own.member change); \
		ck_assert_pstr_eq(ublkev__params_misfit(&own, &sample), \
				  (what)); \
	} while (0)

/* GET_PARAMS has no granularity then, whatever SET_PARAMS had */
START_TEST(without_discard)
{
	struct ublkev__params own = sample, dev = sample;

	own.max_discard_sectors = 0;
	dev.max_discard_sectors = 0;
	dev.discard_granularity = 0;
	ck_assert_ptr_null(ublkev__params_misfit(&own, &dev));
}
END_TEST

START_TEST(misfits)
{
	ck_assert_ptr_null(ublkev__params_misfit(&sample, &sample));
	MISFIT(dev_sectors, - 1, "capacity");
	MISFIT(dev_sectors, + 1, NULL);		/* it is to grow */
	MISFIT(logical_bs_shift, + 1, "logical block");
	MISFIT(attrs, | 1, "read-only, cache or rotational attribute");
	MISFIT(attrs, & 4, "read-only, cache or rotational attribute");
	MISFIT(max_sectors, - 8, "max I/O size");
	MISFIT(max_sectors, + 8, NULL);		/* it takes more */
	MISFIT(chunk_sectors, * 2, "chunk size");
	MISFIT(chunk_sectors, * 0, "chunk size");
	MISFIT(max_discard_sectors, / 1024, "discard limits");
	/* made without a bound, before there was one */
	MISFIT(max_discard_sectors, / 512 / 8 * 8, NULL);
	MISFIT(discard_granularity, * 2, "discard limits");
	MISFIT(discard_granularity, / 2, NULL);
	MISFIT(max_write_zeroes_sectors, - 1, "write-zeroes limit");
	MISFIT(max_write_zeroes_sectors, + 1, NULL);
	/* advice, and what the driver alone knows */
	MISFIT(physical_bs_shift, + 1, NULL);
	MISFIT(io_min_shift, + 1, NULL);
	MISFIT(io_opt_shift, + 1, NULL);
	MISFIT(char_major, + 1, NULL);
	MISFIT(disk_minor, + 1, NULL);
}
END_TEST

START_TEST(tags)
{
	ck_assert(ublkev_signature_is_ours(UBLKEV__SIGNATURE));
	ck_assert(ublkev_signature_is_ours(UBLKEV__SIGNATURE | 0xffff));
	ck_assert(!ublkev_signature_is_ours(UBLKEV__SIGNATURE + 0x10000));
	ck_assert(!ublkev_signature_is_ours(0));
	ck_assert(!ublkev_signature_keeps_scheduler(UBLKEV__SIGNATURE));
	ck_assert(ublkev_signature_keeps_scheduler(
		UBLKEV__SIGNATURE | UBLKEV__SIGNED_KEEP_SCHEDULER));
	ck_assert(!ublkev_signature_keeps_scheduler(UINT64_MAX));
	ck_assert(!ublkev_signature_is_ours(UINT64_MAX));
}
END_TEST

/* ---- memory that clients share ------------------------------------------------ */

/*
 * What was registered would outlive its server, so there is no recovery; and
 * NEED_GET_DATA forgets where data are
 */
START_TEST(shared)
{
	struct ublkev__conf_fault fault;
	struct ublkev_conf conf;
	bool direct = _i;

	ublkev_conf_init(&conf, sizeof(conf));
	conf.features = UBLKEV_F_SHMEM_ZC;
	conf.copy = direct ? UBLKEV_COPY_DIRECT : UBLKEV_COPY_AUTO;
	ck_assert_uint_eq(ublkev__xfer_features(&conf, UBLKEV__CAN_MAP, K73),
			  UBLKEV__F(USER_COPY));
	ck_assert_uint_eq(ublkev__xfer_features(&conf, 0, K73), 0);
	ck_assert_uint_eq(ublkev__xfer_features(&conf, UBLKEV__CAN_MAP, K612),
			  UBLKEV__F(NEED_GET_DATA));
	conf.flags = UBLKEV_CONF_UNPRIVILEGED;
	ck_assert_uint_eq(ublkev__xfer_features(&conf, UBLKEV__CAN_MAP, K73),
			  0);
	ck_assert_int_eq(ublkev__conf_check(&conf, &fault), 0);
	conf.flags = 0;
	conf.recovery = UBLKEV_RECOVERY_REQUEUE;
	ck_assert_int_eq(ublkev__conf_check(&conf, &fault), -EINVAL);
	ck_assert_str_eq(fault.member, "features");
	ck_assert(!ublkev__features_servable(BASE | UBLKEV_F_SHMEM_ZC));
	ck_assert(ublkev__features_servable(BASE));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("params_recover");
	TCase *tc = tcase_create("params");

	tcase_add_loop_test(tc, chosen, 0, (int)TEST_COUNT(choices));
	tcase_add_test(tc, no_quiesce_beside_batch);
	tcase_add_test(tc, no_recovery_for_users);
	tcase_add_test(tc, told);
	tcase_add_loop_test(tc, told_flags, 0, 4);
	tcase_add_test(tc, told_nonsense);
	tcase_add_test(tc, misfits);
	tcase_add_test(tc, without_discard);
	tcase_add_test(tc, tags);
	tcase_add_loop_test(tc, shared, 0, 2);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
