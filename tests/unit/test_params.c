/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a conf may say, and the parameters and features that the driver is told
 * because of it.
 */
#include <errno.h>
#include <string.h>

#include "core/names.h"
#include "core/params.h"
#include "testlib.h"

static const struct ublkev_conf good = {
	.size = sizeof(good),
	.id = -1,
	.queues = 1,
	.depth = 128,
	.max_io_bytes = 524288,
	.cmd_timeout_ms = 1,
	.start_timeout_ms = 1,
	.stop_timeout_ms = 1,
	.grace_ms = 1,
	.recover_timeout_ms = 1,
	.offload_threads = 4,
	.threads_per_queue = 1,
};

static struct ublkev__conf_fault fault;

#define CHECK(member, value, err) \
	do { \
		struct ublkev_conf c = good; \
		c.member = (value); \
		ck_assert_int_eq(ublkev__conf_check(&c, &fault), (err)); \
	} while (0)

START_TEST(conf_ranges)
{
	ck_assert_int_eq(ublkev__conf_check(&good, &fault), 0);
	CHECK(id, -2, -EINVAL);
	CHECK(id, 0, 0);
	CHECK(id, (1 << 20) - 1, 0);
	CHECK(id, 1 << 20, -EINVAL);
	CHECK(queues, 0, 0);
	CHECK(queues, 4097, -EINVAL);
	CHECK(queues, 255, 0);
	CHECK(queues, 256, -EINVAL);	/* times depth: 32768 */
	CHECK(depth, 0, -EINVAL);
	CHECK(depth, 1, 0);
	CHECK(depth, 4096, 0);
	CHECK(depth, 4097, -EINVAL);
	CHECK(max_io_bytes, 0, -EINVAL);
	CHECK(max_io_bytes, 4095, -EINVAL);
	CHECK(max_io_bytes, 4096, 0);
	CHECK(max_io_bytes, 4608, -EINVAL);
	CHECK(max_io_bytes, 32u << 20, 0);
	CHECK(max_io_bytes, (32u << 20) + 4096, -EINVAL);
	CHECK(max_io_bytes, UINT32_MAX, -EINVAL);
}
END_TEST

START_TEST(conf_tags)
{
	struct ublkev_conf c = good;

	c.depth = 1;
	c.queues = 4096;
	ck_assert_int_eq(ublkev__conf_check(&c, &fault), 0);
	c.queues = 4097;
	ck_assert_int_eq(ublkev__conf_check(&c, &fault), -EINVAL);
	c.queues = 7;
	c.depth = 4096;
	ck_assert_int_eq(ublkev__conf_check(&c, &fault), 0);
	c.queues = 8;
	ck_assert_int_eq(ublkev__conf_check(&c, &fault), -EINVAL);
	c.queues = 4096;
	ck_assert_int_eq(ublkev__conf_check(&c, &fault), -EINVAL);
	c.queues = 1u << 31;		/* the product is 0 in 32 bits */
	c.depth = 2;
	ck_assert_int_eq(ublkev__conf_check(&c, &fault), -EINVAL);
}
END_TEST

static unsigned int auto_queues(unsigned int depth, unsigned int flags,
				unsigned int nr_cpus)
{
	struct ublkev_conf c = good;

	c.queues = 0;
	c.depth = depth;
	c.flags = flags;
	ck_assert_int_eq(ublkev__conf_check(&c, &fault), 0);
	return ublkev__conf_queues(&c, nr_cpus);
}

START_TEST(conf_auto_queues)
{
	const unsigned int threads = UBLKEV_CONF_QUEUE_THREADS;

	ck_assert_uint_eq(ublkev__conf_queues(&good, 64), good.queues);
	ck_assert_uint_eq(auto_queues(128, 0, 1), 1);
	ck_assert_uint_eq(auto_queues(128, 0, 3), 3);
	ck_assert_uint_eq(auto_queues(128, 0, 4), 4);
	ck_assert_uint_eq(auto_queues(128, 0, 5), 4);
	ck_assert_uint_eq(auto_queues(128, threads, 1), 1);
	ck_assert_uint_eq(auto_queues(128, threads, 5), 5);
	/* what goes with the depth: 32767 in all, 4096 at most */
	ck_assert_uint_eq(auto_queues(128, threads, 256), 255);
	ck_assert_uint_eq(auto_queues(4096, threads, 256), 7);
	ck_assert_uint_eq(auto_queues(4096, 0, 256), 4);
	ck_assert_uint_eq(auto_queues(1, threads, 8192), 4096);
}
END_TEST

static int check_threads(unsigned int queues, unsigned int per_queue,
			 unsigned int flags, uint64_t features)
{
	struct ublkev_conf c = good;

	c.queues = queues;
	c.depth = 1;
	c.threads_per_queue = per_queue;
	c.flags = flags;
	c.features = features;
	fault.text = NULL;
	return ublkev__conf_check(&c, &fault);
}

START_TEST(conf_threads_per_queue)
{
	const unsigned int threads = UBLKEV_CONF_QUEUE_THREADS;

	ck_assert_int_eq(check_threads(1, 0, threads, 0), -EINVAL);
	ck_assert_int_eq(check_threads(1, 64, threads, 0), 0);
	ck_assert_int_eq(check_threads(1, 65, threads, 0), -EINVAL);
	ck_assert_str_eq(fault.member, "threads_per_queue");
	ck_assert_int_eq(fault.most, UBLKEV_MAX_THREADS_PER_QUEUE);
	/* all of a device's are no more than the most queues */
	ck_assert_int_eq(check_threads(2048, 2, threads, 0), 0);
	ck_assert_int_eq(check_threads(2049, 2, threads, 0), -EINVAL);
	ck_assert_int_eq(fault.value, 4098);
	ck_assert_int_eq(fault.most, 4096);
	ck_assert_int_eq(check_threads(4096, 64, threads, 0), -EINVAL);
	ck_assert_int_eq(check_threads(1, 1, 0, UBLKEV_F_BATCH_IO), 0);
	ck_assert_int_eq(check_threads(1, 2, 0, 0), -EINVAL);
	ck_assert_ptr_nonnull(strstr(fault.text, "QUEUE_THREADS"));
	ck_assert_int_eq(check_threads(1, 2, threads, UBLKEV_F_BATCH_IO),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(fault.text, "BATCH_IO"));
}
END_TEST

/* of a device that may be another server's: each has a tag */
START_TEST(threads_of_a_device)
{
	struct ublkev_conf c = good;

	c.threads_per_queue = 64;
	ck_assert_uint_eq(ublkev__conf_threads(&c, 1, 128), 1);
	c.flags = UBLKEV_CONF_QUEUE_THREADS;
	ck_assert_uint_eq(ublkev__conf_threads(&c, 1, 128), 64);
	ck_assert_uint_eq(ublkev__conf_threads(&c, 1, 63), 63);
	ck_assert_uint_eq(ublkev__conf_threads(&c, 64, 128), 64);
	ck_assert_uint_eq(ublkev__conf_threads(&c, 65, 128), 63);
	ck_assert_uint_eq(ublkev__conf_threads(&c, 4096, 1), 1);
	c.threads_per_queue = 1;
	ck_assert_uint_eq(ublkev__conf_threads(&c, 4096, 8), 1);
	/* as many queues as there are CPUs for, or threads */
	c.queues = 0;
	c.depth = 1;
	c.threads_per_queue = 64;
	ck_assert_uint_eq(ublkev__conf_queues(&c, 16), 16);
	ck_assert_uint_eq(ublkev__conf_queues(&c, 128), 64);
	c.depth = 128;
	ck_assert_uint_eq(ublkev__conf_queues(&c, 128), 64);
}
END_TEST

START_TEST(several_threads_need_it)
{
	const uint64_t daemon = UBLKEV__F(PER_IO_DAEMON);
	const uint64_t padded = UBLKEV__F(IO_DESC_SIZE);
	const uint64_t all = (UINT64_C(1) << UBLKEV__NR_FEATURES) - 1;
	struct ublkev_conf c = good;
	uint64_t chosen;

	c.flags = UBLKEV_CONF_QUEUE_THREADS;
	ck_assert_int_eq(ublkev__features_choose(&c, 0, all, &chosen), 0);
	ck_assert(!(chosen & padded));
	c.threads_per_queue = 2;
	ck_assert(ublkev__features_needed(&c, 0) & daemon);
	ck_assert_int_eq(ublkev__features_choose(&c, 0, all, &chosen), 0);
	ck_assert(chosen & daemon && chosen & padded);
	ck_assert(ublkev__features_servable(chosen));
	ck_assert_int_eq(ublkev__features_choose(&c, 0, all & ~padded,
						 &chosen), 0);
	ck_assert(chosen & daemon && !(chosen & padded));
	ck_assert_int_eq(ublkev__features_choose(&c, 0, all & ~daemon,
						 &chosen), -EOPNOTSUPP);
}
END_TEST

START_TEST(conf_rest)
{
	CHECK(cmd_timeout_ms, 0, -EINVAL);
	CHECK(start_timeout_ms, 0, -EINVAL);
	CHECK(stop_timeout_ms, 0, -EINVAL);
	CHECK(grace_ms, 0, -EINVAL);
	CHECK(grace_ms, INT32_MAX, 0);
	CHECK(offload_threads, 0, -EINVAL);
	CHECK(offload_threads, UBLKEV_MAX_OFFLOAD_THREADS, 0);
	CHECK(offload_threads, UBLKEV_MAX_OFFLOAD_THREADS + 1, -EINVAL);
	CHECK(grace_ms, UINT32_MAX, -EINVAL);
	CHECK(cmd_timeout_ms, UINT32_C(1) << 31, -EINVAL);
	CHECK(start_timeout_ms, UINT32_C(1) << 31, -EINVAL);
	CHECK(stop_timeout_ms, UINT32_MAX, -EINVAL);
	CHECK(recover_timeout_ms, UINT32_C(1) << 31, -EINVAL);
	CHECK(sleep_us, 0, 0);
	CHECK(sleep_us, 100000, 0);
	CHECK(sleep_us, 100001, -EINVAL);
	CHECK(stop_limit_ms, 0, 0);
	CHECK(stop_limit_ms, INT32_MAX, 0);
	CHECK(stop_limit_ms, UINT32_MAX, -EINVAL);
	CHECK(budget_us, 0, 0);
	CHECK(budget_us, 1000000, 0);
	CHECK(budget_us, 1000001, -EINVAL);
	CHECK(budget_us, UINT32_C(1) << 31, -EINVAL);
	CHECK(budget_reqs, INT32_MAX, 0);
	CHECK(budget_reqs, UINT32_C(1) << 31, -EINVAL);
	CHECK(wait_us, 0, 0);
	CHECK(wait_us, 1000, 0);
	CHECK(wait_us, 1001, -EINVAL);
	CHECK(copy, UBLKEV_COPY_USER, 0);
	CHECK(copy, UBLKEV_COPY_ZERO, 0);
	CHECK(copy, UBLKEV_COPY_ZERO_MANUAL, 0);
	CHECK(copy, UBLKEV_NR_COPIES, -EINVAL);
	CHECK(copy, (enum ublkev_copy)-1, -EINVAL);
	CHECK(recover_timeout_ms, 0, -EINVAL);
	CHECK(recovery, UBLKEV_RECOVERY_FAIL_IO, 0);
	CHECK(recovery, UBLKEV_NR_RECOVERIES, -EINVAL);
	CHECK(features, UBLKEV_F_NO_AUTO_PART_SCAN, 0);
	CHECK(features, UBLKEV__F(USER_COPY), -EOPNOTSUPP);
	CHECK(features, UINT64_C(1) << 63, -EOPNOTSUPP);
	CHECK(flags, UBLKEV_CONF_LATENCY, 0);
	CHECK(flags, UBLKEV_CONF_UNPRIVILEGED, 0);
	CHECK(flags, UBLKEV_CONF_IO_FLUSHER, 0);
	CHECK(flags, UBLKEV_CONF_QUEUE_THREADS, 0);
	CHECK(flags, UBLKEV_CONF_KEEP_SCHEDULER, 0);
	CHECK(flags, UBLKEV_CONF_SCHED_BATCH, 0);
	CHECK(flags, UBLKEV_CONF_KEEP_POLICY, 0);
	CHECK(flags, UBLKEV_CONF_HUGE_PAGES, 0);
	CHECK(flags, UBLKEV_CONF_SCHED_BATCH | UBLKEV_CONF_KEEP_POLICY, -EINVAL);
	CHECK(flags, 1u << 31, -EOPNOTSUPP);
}
END_TEST

/* ADD_DEV would refuse it */
START_TEST(conf_zero_copy_for_root)
{
	struct ublkev_conf c = good;

	c.copy = _i ? UBLKEV_COPY_ZERO_MANUAL : UBLKEV_COPY_ZERO;
	c.flags = UBLKEV_CONF_UNPRIVILEGED;
	ck_assert_int_eq(ublkev__conf_check(&c, &fault), -EINVAL);
	ck_assert_str_eq(fault.member, "copy");
	ck_assert_ptr_nonnull(strstr(fault.text, "UNPRIVILEGED"));
	c.copy = UBLKEV_COPY_AUTO;
	ck_assert_int_eq(ublkev__conf_check(&c, &fault), 0);
}
END_TEST

START_TEST(conf_fault_names_it)
{
	CHECK(depth, 5000, -EINVAL);
	ck_assert_str_eq(fault.member, "depth");
	ck_assert_int_eq(fault.value, 5000);
	ck_assert_int_eq(fault.least, 1);
	ck_assert_int_eq(fault.most, 4096);
	ck_assert_ptr_null(fault.text);
	CHECK(id, -2, -EINVAL);
	ck_assert_str_eq(fault.member, "id");
	ck_assert_int_eq(fault.value, -2);
	CHECK(flags, 1u << 31, -EOPNOTSUPP);
	ck_assert_str_eq(fault.member, "flags");
	ck_assert_int_eq(fault.value, INT64_C(1) << 31);
	ck_assert_ptr_nonnull(fault.text);
}
END_TEST

START_TEST(conf_sizes)
{
	const size_t least = offsetof(struct ublkev_conf, broker);

	ck_assert_int_eq(ublkev__conf_check_size(0, &fault), -EINVAL);
	ck_assert_int_eq(ublkev__conf_check_size(8, &fault), -EINVAL);
	ck_assert_str_eq(fault.member, "size");
	ck_assert_int_eq(fault.value, 8);
	ck_assert_int_eq(ublkev__conf_check_size(least - 1, &fault), -EINVAL);
	ck_assert_int_eq(ublkev__conf_check_size(least, &fault), 0);
	ck_assert_int_eq(ublkev__conf_check_size(sizeof(good), &fault), 0);
	ck_assert_int_eq(ublkev__conf_check_size(4096, &fault), 0);
	ck_assert_int_eq(ublkev__conf_check_size(4097, &fault), -EINVAL);
	ck_assert_int_eq(ublkev__conf_check_size(1 << 20, &fault), -EINVAL);
	ck_assert_int_eq(ublkev__conf_check_size(SIZE_MAX, &fault), -EINVAL);
}
END_TEST

/* ---- limits -> parameters ----------------------------------------------- */

static const struct ublkev_limits disk = {
	.size = sizeof(disk),
	.dev_bytes = UINT64_C(1) << 30,
	.logical_block_bytes = 512,
	.physical_block_bytes = 4096,
	.io_min_bytes = 8192,
	.io_opt_bytes = 65536,
	.max_io_bytes = 0,
	.chunk_bytes = 1u << 20,
	.max_discard_bytes = 1u << 30,
	.discard_granularity_bytes = 4096,
	.max_write_zeroes_bytes = 1u << 20,
	.flags = 0,
};

START_TEST(made)
{
	struct ublkev__params p;

	ublkev__params_make(&p, &disk, 524288, false);
	ck_assert_uint_eq(p.dev_sectors, 1u << 21);
	ck_assert_uint_eq(p.attrs, 0);
	ck_assert_uint_eq(p.max_sectors, 1024);
	ck_assert_uint_eq(p.chunk_sectors, 2048);
	ck_assert_uint_eq(p.max_discard_sectors, 1u << 21);
	ck_assert_uint_eq(p.max_write_zeroes_sectors, 2048);
	ck_assert_uint_eq(p.discard_granularity, 4096);
	ck_assert_uint_eq(p.logical_bs_shift, 9);
	ck_assert_uint_eq(p.physical_bs_shift, 12);
	ck_assert_uint_eq(p.io_min_shift, 13);
	ck_assert_uint_eq(p.io_opt_shift, 16);
}
END_TEST

START_TEST(made_max_io)
{
	struct ublkev_limits l = disk;
	struct ublkev__params p;

	l.max_io_bytes = 65536;
	ublkev__params_make(&p, &l, 524288, false);
	ck_assert_uint_eq(p.max_sectors, 128);
	l.max_io_bytes = 524289;
	ublkev__params_make(&p, &l, 524288, false);
	ck_assert_uint_eq(p.max_sectors, 1024);
	l.max_io_bytes = 524288;
	ublkev__params_make(&p, &l, 524288, false);
	ck_assert_uint_eq(p.max_sectors, 1024);
}
END_TEST

START_TEST(made_clamped)
{
	struct ublkev_limits l = disk;
	struct ublkev__params p;

	l.max_discard_bytes = UINT64_MAX;
	l.max_write_zeroes_bytes = UINT64_MAX;
	l.logical_block_bytes = 4096;
	ublkev__params_make(&p, &l, 524288, false);
	/* the most that is whole granules */
	ck_assert_uint_eq(p.max_discard_sectors, (UINT32_MAX >> 9) - 7);
	ck_assert_uint_eq(p.max_write_zeroes_sectors, (UINT32_MAX >> 9) - 7);
	l.max_discard_bytes = UINT64_C(1) << 42;	/* 2^33 sectors */
	ublkev__params_make(&p, &l, 524288, false);
	ck_assert_uint_eq(p.max_discard_sectors, (UINT32_MAX >> 9) - 7);
	l.max_discard_bytes = 4096 + 512;
	l.max_write_zeroes_bytes = 4095;
	ublkev__params_make(&p, &l, 524288, false);
	ck_assert_uint_eq(p.max_discard_sectors, 8);
	ck_assert_uint_eq(p.max_write_zeroes_sectors, 0);
	l.dev_bytes = UINT64_MAX;
	l.io_opt_bytes = 0;
	ublkev__params_make(&p, &l, 524288, false);
	ck_assert_uint_eq(p.dev_sectors, UINT64_MAX >> 9);
	ck_assert_uint_eq(p.io_opt_shift, 0);
}
END_TEST

/* only where clients' pages are lent; what is not said is not there */
START_TEST(made_pages)
{
	struct ublkev_limits l = disk;
	struct ublkev__params p = { 0 };

	ublkev__params_make(&p, &l, 524288, true);
	ck_assert_uint_eq(p.dma_align_bytes, 0);
	ck_assert_uint_eq(p.max_segment_bytes, 0);
	l.dma_align_bytes = 512;
	ublkev__params_make(&p, &l, 524288, true);
	ck_assert_uint_eq(p.dma_align_bytes, 512);
	ck_assert_uint_eq(p.max_segment_bytes, 0);
	l.max_segments = 7;
	ublkev__params_make(&p, &l, 524288, true);
	ck_assert_uint_eq(p.max_segments, 7);
	ck_assert_uint_eq(p.max_segment_bytes, UINT32_MAX);
	ck_assert_uint_eq(p.segment_boundary_mask, UINT32_MAX);
	l.max_segments = 0;
	l.max_segment_bytes = 65536;
	l.segment_boundary_bytes = 4096;
	ublkev__params_make(&p, &l, 524288, true);
	ck_assert_uint_eq(p.max_segments, 65535);
	ck_assert_uint_eq(p.max_segment_bytes, 65536);
	ck_assert_uint_eq(p.segment_boundary_mask, 4095);
	memset(&p, 0, sizeof(p));
	ublkev__params_make(&p, &l, 524288, false);
	ck_assert_uint_eq(p.dma_align_bytes, 0);
	ck_assert_uint_eq(p.max_segment_bytes, 0);
	ck_assert_uint_eq(p.max_segments, 0);
}
END_TEST

START_TEST(made_attrs)
{
	static const struct {
		uint32_t flag, attr;
	} pairs[] = {
		{ UBLKEV_LIMIT_READ_ONLY, 1 }, { UBLKEV_LIMIT_ROTATIONAL, 2 },
		{ UBLKEV_LIMIT_VOLATILE_CACHE, 4 }, { UBLKEV_LIMIT_FUA, 8 },
	};
	struct ublkev_limits l = disk;
	struct ublkev__params p;

	l.flags = pairs[_i].flag;
	ublkev__params_make(&p, &l, 524288, false);
	ck_assert_uint_eq(p.attrs, pairs[_i].attr);
}
END_TEST

/* ---- features ----------------------------------------------------------- */

START_TEST(features)
{
	static const struct {
		uint64_t wanted, offered, chosen;
	} cases[] = {
		{ 0, 0x1fe, 0x42 },			/* 6.12 */
		{ 0, 0x1fffff, 0x442 },			/* 7.3 */
		{ 1u << 18, 0x1fffff, 0x40442 },
		{ 1u << 18, 0x1fe, 0x42 },		/* not there */
		{ 0, 0x40, 0x40 },
	};
	const struct ublkev_conf conf = { .features = cases[_i].wanted };
	uint64_t chosen = 0;

	ck_assert_int_eq(ublkev__features_choose(&conf, 0, cases[_i].offered,
						 &chosen), 0);
	ck_assert_uint_eq(chosen, cases[_i].chosen);
}
END_TEST

#define K612	UINT64_C(0x1fe)
#define GET	UBLKEV__F(NEED_GET_DATA)
#define USER	UBLKEV__F(USER_COPY)
#define AUTO	UBLKEV__F(AUTO_BUF_REG)
#define HAND	UBLKEV__F(SUPPORT_ZERO_COPY)
#define K615	(K612 | HAND)
#define K616	(K615 | AUTO)

START_TEST(copy_features)
{
	static const struct {
		enum ublkev_copy copy;
		unsigned int traits;
		uint64_t offered, features;
	} cases[] = {
		{ UBLKEV_COPY_PLAIN, UBLKEV__CAN_MAP, K612, 0 },
		{ UBLKEV_COPY_PLAIN, UBLKEV__NO_DATA, K612, 0 },
		{ UBLKEV_COPY_DIRECT, UBLKEV__CAN_MAP, K612, GET },
		{ UBLKEV_COPY_DIRECT, 0, K612, 0 },
		{ UBLKEV_COPY_DIRECT, UBLKEV__CAN_MAP, K612 & ~GET, 0 },
		{ UBLKEV_COPY_USER, UBLKEV__CAN_MAP, K612, USER },
		{ UBLKEV_COPY_USER, 0, K612, USER },
		{ UBLKEV_COPY_USER, UBLKEV__CAN_MAP, K612 & ~USER, 0 },
		{ UBLKEV_COPY_AUTO, UBLKEV__CAN_MAP, K612, GET },
		{ UBLKEV_COPY_AUTO, UBLKEV__CAN_MAP, 0x40, 0 },
		{ UBLKEV_COPY_AUTO, UBLKEV__NO_DATA, K612, 0 },
		{ UBLKEV_COPY_AUTO, UBLKEV__NO_DATA, 0x40, 0 },
		{ UBLKEV_COPY_AUTO, 0, K612, 0 },
		{ UBLKEV_COPY_ZERO, UBLKEV__CAN_PLACE, K616, USER | AUTO },
		{ UBLKEV_COPY_ZERO, UBLKEV__CAN_PLACE, K612, 0 },
		{ UBLKEV_COPY_ZERO, UBLKEV__CAN_PLACE, K615, 0 },
		{ UBLKEV_COPY_ZERO_MANUAL, UBLKEV__CAN_PLACE, K615,
		  USER | HAND },
		{ UBLKEV_COPY_ZERO_MANUAL, UBLKEV__CAN_PLACE, K616,
		  USER | HAND },
		{ UBLKEV_COPY_ZERO_MANUAL, UBLKEV__CAN_PLACE, K612, 0 },
		{ UBLKEV_COPY_ZERO_MANUAL, UBLKEV__CAN_PLACE, K615 & ~USER, 0 },
		{ UBLKEV_COPY_ZERO_MANUAL, UBLKEV__CAN_MAP, K615, 0 },
		{ UBLKEV_COPY_ZERO, UBLKEV__CAN_PLACE, K616 & ~USER, 0 },
		{ UBLKEV_COPY_ZERO, UBLKEV__CAN_MAP, K616, 0 },
		{ UBLKEV_COPY_AUTO, UBLKEV__CAN_PLACE, K616, USER | AUTO },
		{ UBLKEV_COPY_AUTO, UBLKEV__CAN_PLACE, K612, 0 },
		{ UBLKEV_COPY_AUTO, UBLKEV__CAN_MAP, K616, GET },
	};
	struct ublkev_conf conf = good;

	conf.copy = cases[_i].copy;
	ck_assert_uint_eq(ublkev__xfer_features(&conf, cases[_i].traits,
						cases[_i].offered),
			  cases[_i].features);
}
END_TEST

/* NEED_GET_DATA would be cleared by the driver */
START_TEST(batch_features)
{
	struct ublkev_conf conf = good;

	conf.features = UBLKEV_F_BATCH_IO;
	conf.copy = UBLKEV_COPY_DIRECT;
	ck_assert_uint_eq(ublkev__xfer_features(&conf, UBLKEV__CAN_MAP,
						0x1fffff), 0);
	ck_assert_uint_eq(ublkev__xfer_features(&conf, UBLKEV__CAN_MAP, K612),
			  GET);
	conf.copy = UBLKEV_COPY_USER;
	ck_assert_uint_eq(ublkev__xfer_features(&conf, UBLKEV__CAN_MAP,
						0x1fffff), USER);
}
END_TEST

/* no pages are lent to an ordinary user's device, and AUTO does not ask */
START_TEST(copy_unprivileged)
{
	struct ublkev_conf conf = good;

	conf.flags = UBLKEV_CONF_UNPRIVILEGED;
	ck_assert_uint_eq(ublkev__xfer_features(&conf, UBLKEV__CAN_PLACE,
						K616), 0);
}
END_TEST

START_TEST(copy_of_features)
{
	ck_assert_int_eq(ublkev__xfer_of(0x42, 0), UBLKEV__XFER_PLAIN);
	ck_assert_int_eq(ublkev__xfer_of(0x42 | GET, 0), UBLKEV__XFER_DIRECT);
	ck_assert_int_eq(ublkev__xfer_of(0x42 | USER, 0), UBLKEV__XFER_USER);
	ck_assert_int_eq(ublkev__xfer_of(0x42 | USER | AUTO,
					 UBLKEV__CAN_PLACE),
			 UBLKEV__XFER_ZERO);
	ck_assert_int_eq(ublkev__xfer_of(0x42 | USER | HAND,
					 UBLKEV__CAN_PLACE),
			 UBLKEV__XFER_ZERO);
	ck_assert_int_eq(ublkev__xfer_of(0x42 | USER | HAND, 0),
			 UBLKEV__XFER_USER);
	/* recovered by a backend that has no files */
	ck_assert_int_eq(ublkev__xfer_of(0x42 | USER | AUTO, UBLKEV__CAN_MAP),
			 UBLKEV__XFER_USER);
}
END_TEST

START_TEST(features_too_few)
{
	const struct ublkev_conf conf = { .id = -1 };
	uint64_t chosen = 7;

	ck_assert_int_eq(ublkev__features_choose(&conf, 0, 0x3f, &chosen),
			 -EOPNOTSUPP);
	ck_assert_int_eq(ublkev__features_choose(&conf, 0, 0, &chosen),
			 -EOPNOTSUPP);
	ck_assert_uint_eq(chosen, 7);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("params");
	TCase *tc = tcase_create("params");

	tcase_add_test(tc, conf_ranges);
	tcase_add_test(tc, conf_tags);
	tcase_add_test(tc, conf_auto_queues);
	tcase_add_test(tc, conf_rest);
	tcase_add_test(tc, conf_threads_per_queue);
	tcase_add_test(tc, threads_of_a_device);
	tcase_add_test(tc, several_threads_need_it);
	tcase_add_loop_test(tc, conf_zero_copy_for_root, 0, 2);
	tcase_add_test(tc, conf_fault_names_it);
	tcase_add_test(tc, conf_sizes);
	tcase_add_test(tc, made);
	tcase_add_test(tc, made_max_io);
	tcase_add_test(tc, made_clamped);
	tcase_add_test(tc, made_pages);
	tcase_add_loop_test(tc, made_attrs, 0, 4);
	tcase_add_loop_test(tc, features, 0, 5);
	tcase_add_loop_test(tc, copy_features, 0, 25);
	tcase_add_test(tc, batch_features);
	tcase_add_test(tc, copy_unprivileged);
	tcase_add_test(tc, copy_of_features);
	tcase_add_test(tc, features_too_few);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
