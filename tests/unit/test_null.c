/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The null disk behind the guard: its conf, zeroes for whoever reads, and no
 * memory touched that need not be.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/guard.h"
#include "failalloc.h"
#include "mem_kit.h"
#include "testlib.h"

static struct ublkev_backend *opened(const struct ublkev_disk_conf *conf)
{
	struct ublkev_backend *b = NULL;

	ck_assert_int_eq(ublkev_null_new(&b, conf), 0);
	mem_serve(b);
	return b;
}

static int submit(struct ublkev_backend *b, unsigned int op,
		  uint64_t offset_bytes, uint64_t len_bytes, void *buf)
{
	struct ublkev_req req = {
		.op = (uint8_t)op, .offset_bytes = offset_bytes,
		.len_bytes = len_bytes, .buf = buf,
	};
	bool rejected;

	return ublkev__guard_submit(b, &req, &rejected);
}

static void init(struct ublkev_disk_conf *conf)
{
	memset(conf, 0xa5, sizeof(*conf));
	ublkev_disk_conf_init(conf, sizeof(*conf));
}

START_TEST(conf_defaults)
{
	struct ublkev_disk_conf conf;

	init(&conf);
	ck_assert_uint_eq(conf.size, sizeof(conf));
	ck_assert_uint_eq(conf.dev_bytes, 256 << 20);
	ck_assert_uint_eq(conf.logical_block_bytes, 512);
	ck_assert_uint_eq(conf.flags, 0);
}
END_TEST

START_TEST(conf_of_an_older_caller)
{
	const size_t size = offsetof(struct ublkev_disk_conf,
				     logical_block_bytes);
	struct ublkev_disk_conf conf;
	struct ublkev_backend *b;

	memset(&conf, 0xa5, sizeof(conf));
	ublkev_disk_conf_init(&conf, size);
	ck_assert_uint_eq(conf.size, size);
	ck_assert_uint_eq(conf.dev_bytes, 256 << 20);
	ck_assert_uint_eq(conf.logical_block_bytes, 0xa5a5a5a5);
	ck_assert_uint_eq(conf.flags, 0xa5a5a5a5);
	/* what it did not have is the default, not what lies there */
	b = opened(&conf);
	ck_assert_uint_eq(b->limits.logical_block_bytes, 512);
	mem_finish(b);
}
END_TEST

START_TEST(conf_of_a_newer_caller)
{
	struct {
		struct ublkev_disk_conf conf;
		uint64_t more;
		uint64_t beyond;
	} newer;
	struct ublkev_backend *b;

	memset(&newer, 0xa5, sizeof(newer));
	ublkev_disk_conf_init(&newer.conf,
			      offsetof(typeof(newer), beyond));
	ck_assert_uint_eq(newer.conf.size, offsetof(typeof(newer), beyond));
	ck_assert_uint_eq(newer.more, 0);
	ck_assert_uint_eq(newer.beyond, UINT64_C(0xa5a5a5a5a5a5a5a5));
	b = opened(&newer.conf);
	ck_assert_uint_eq(b->limits.dev_bytes, 256 << 20);
	mem_finish(b);
}
END_TEST

static int try_sizes(uint64_t dev_bytes, uint32_t block)
{
	struct ublkev_disk_conf conf;
	struct ublkev_backend *b = NULL;
	int err;

	init(&conf);
	conf.dev_bytes = dev_bytes;
	conf.logical_block_bytes = block;
	err = ublkev_null_new(&b, &conf);
	if (err) {
		ck_assert_ptr_null(b);
		return err;
	}
	/* what the constructor takes, the guard takes */
	mem_serve(b);
	ck_assert_uint_eq(b->limits.dev_bytes, dev_bytes);
	ck_assert_uint_eq(b->limits.logical_block_bytes, block);
	mem_finish(b);
	return 0;
}

START_TEST(conf_sizes)
{
	const uint64_t most = (UINT64_C(1) << 63) - 4096;

	ck_assert_int_eq(try_sizes(512, 512), 0);
	ck_assert_int_eq(try_sizes(4096, 4096), 0);
	ck_assert_int_eq(try_sizes(2048, 1024), 0);
	ck_assert_int_eq(try_sizes(most, 4096), 0);
	ck_assert_int_eq(try_sizes((UINT64_C(1) << 63) - 512, 512), 0);
	ck_assert_int_eq(try_sizes(0, 512), -EINVAL);
	ck_assert_int_eq(try_sizes(511, 512), -EINVAL);
	ck_assert_int_eq(try_sizes(513, 512), -EINVAL);
	ck_assert_int_eq(try_sizes(2048, 4096), -EINVAL);
	ck_assert_int_eq(try_sizes(4096 + 512, 4096), -EINVAL);
	ck_assert_int_eq(try_sizes(1 << 20, 0), -EINVAL);
	ck_assert_int_eq(try_sizes(1 << 20, 256), -EINVAL);
	ck_assert_int_eq(try_sizes(1 << 20, 513), -EINVAL);
	ck_assert_int_eq(try_sizes(3 << 20, 1536), -EINVAL);
	ck_assert_int_eq(try_sizes(1 << 20, 8192), -EINVAL);
	ck_assert_int_eq(try_sizes(most + 4096, 4096), -EINVAL);
	ck_assert_int_eq(try_sizes(UINT64_MAX - 511, 512), -EINVAL);
}
END_TEST

START_TEST(conf_flags)
{
	struct ublkev_disk_conf conf;
	struct ublkev_backend *b = NULL;

	init(&conf);
	conf.flags = UBLKEV_DISK_HUGE_PAGES | UBLKEV_DISK_SHARED;
	mem_finish(opened(&conf));
	conf.flags = 1u << 16;
	ck_assert_int_eq(ublkev_null_new(&b, &conf), -EINVAL);
	conf.flags = 1u << 31;
	ck_assert_int_eq(ublkev_null_new(&b, &conf), -EINVAL);
	init(&conf);
	conf.size = 0;
	ck_assert_int_eq(ublkev_null_new(&b, &conf), -EINVAL);
	ck_assert_ptr_null(b);
}
END_TEST

START_TEST(conf_null_is_defaults)
{
	struct ublkev_backend *b = opened(NULL);

	ck_assert_uint_eq(b->limits.dev_bytes, 256 << 20);
	mem_finish(b);
}
END_TEST

START_TEST(conf_is_copied)
{
	struct ublkev_disk_conf conf;
	struct ublkev_backend *b;

	init(&conf);
	ck_assert_int_eq(ublkev_null_new(&b, &conf), 0);
	memset(&conf, 0xa5, sizeof(conf));
	mem_serve(b);
	ck_assert_uint_eq(b->limits.dev_bytes, 256 << 20);
	mem_finish(b);
}
END_TEST

START_TEST(only_reads_touch_data)
{
	struct ublkev_backend *b = opened(NULL);
	const uint64_t end = b->limits.dev_bytes;
	char buf[4096], before[4096];

	memset(buf, 0x5a, sizeof(buf));
	memcpy(before, buf, sizeof(buf));
	ck_assert_int_eq(submit(b, UBLKEV_OP_WRITE, 0, 4096, buf),
			 UBLKEV_DONE);
	ck_assert_int_eq(submit(b, UBLKEV_OP_FLUSH, 0, 0, NULL), UBLKEV_DONE);
	ck_assert_int_eq(submit(b, UBLKEV_OP_DISCARD, 0, end, NULL),
			 UBLKEV_DONE);
	ck_assert_int_eq(submit(b, UBLKEV_OP_WRITE_ZEROES, 0, end, NULL),
			 UBLKEV_DONE);
	ck_assert_mem_eq(buf, before, sizeof(buf));
	mem_finish(b);
}
END_TEST

static bool is_zero(const unsigned char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n && !p[i]; i++)
		;
	return i == n;
}

/* tags with a buffer each, into which writes of clients are put */
START_TEST(reads_are_zeroes)
{
	static unsigned char bufs[3][300][8192];
	struct ublkev_backend *b = opened(NULL);
	struct ublkev_req req = { 0 };
	struct test_rng rng;
	bool rejected;
	int i;

	test_rng_init(&rng, test_seed("null"));
	test_rng_fill(&rng, (unsigned char *)bufs, sizeof(bufs));
	for (i = 0; i < 20000; i++) {
		req.queue = (uint16_t)test_rng_below(&rng, 3) * 2047;
		req.thread = req.queue;
		req.tag = (uint16_t)test_rng_below(&rng, 300);
		req.buf = bufs[req.queue / 2047][req.tag];
		req.len_bytes = (1 + test_rng_below(&rng, 16)) * 512;
		req.op = (uint8_t)test_rng_below(&rng, UBLKEV_OP_WRITE + 1);
		if (req.op == UBLKEV_OP_WRITE)
			test_rng_fill(&rng, req.buf, req.len_bytes);
		ck_assert_int_eq(ublkev__guard_submit(b, &req, &rejected), 0);
		if (req.op == UBLKEV_OP_READ)
			ck_assert(is_zero(req.buf, req.len_bytes));
	}
	mem_finish(b);
}
END_TEST

/* who reads only has each buffer zeroed once: what lies there later stays */
START_TEST(zeroes_once)
{
	struct ublkev_backend *b = opened(NULL);
	unsigned char buf[4096] = { 1 };

	ck_assert_int_eq(submit(b, UBLKEV_OP_READ, 0, 4096, buf), 0);
	ck_assert(is_zero(buf, sizeof(buf)));
	buf[100] = 7;
	ck_assert_int_eq(submit(b, UBLKEV_OP_READ, 0, 4096, buf), 0);
	ck_assert_uint_eq(buf[100], 7);
	ck_assert_int_eq(submit(b, UBLKEV_OP_WRITE, 0, 512, buf), 0);
	ck_assert_int_eq(submit(b, UBLKEV_OP_READ, 0, 4096, buf), 0);
	ck_assert(is_zero(buf, sizeof(buf)));
	mem_finish(b);
}
END_TEST

/* a resize or a release may give the tag another buffer */
START_TEST(zeroes_of_each_buffer)
{
	struct ublkev_backend *b = opened(NULL);
	unsigned char first[4096] = { 1 }, other[4096] = { 1 };

	ck_assert_int_eq(submit(b, UBLKEV_OP_READ, 0, 4096, first), 0);
	ck_assert_int_eq(submit(b, UBLKEV_OP_READ, 0, 4096, other), 0);
	ck_assert(is_zero(other, sizeof(other)));
	mem_finish(b);
}
END_TEST

/*
 * Of a tag that was never seen nothing is known, whatever lay in the memory
 * of its entry before: here what says that its buffer is zeroes already.
 */
START_TEST(zeroes_of_a_new_tag)
{
	struct ublkev_backend *b = opened(NULL);
	unsigned char buf[4096] = { 1 };
	struct ublkev_req req = { .tag = 5, .buf = buf, .len_bytes = 4096 };
	uintptr_t *was = malloc(2048);
	/* or nobody would write what is freed at once */
	volatile uintptr_t *written = was;
	bool rejected;
	size_t i;

	ck_assert_ptr_nonnull(was);
	for (i = 0; i < 2048 / sizeof(*was); i++)
		written[i] = (uintptr_t)buf;
	free(was);
	ck_assert_int_eq(ublkev__guard_submit(b, &req, &rejected), 0);
	ck_assert(is_zero(buf, sizeof(buf)));
	mem_finish(b);
}
END_TEST

START_TEST(zeroes_without_memory_to_know)
{
	struct ublkev_backend *b = opened(NULL);
	unsigned char buf[4096] = { 1 };
	int i, leaked;

	for (i = 0; i < 2; i++) {
		buf[100] = 7;
		failalloc_arm(1);
		ck_assert_int_eq(submit(b, UBLKEV_OP_READ, 0, 4096, buf), 0);
		ck_assert(failalloc_disarm(&leaked));
		ck_assert(is_zero(buf, sizeof(buf)));
	}
	mem_finish(b);
}
END_TEST

/* the exception, which has to be asked for */
START_TEST(no_data)
{
	struct ublkev_disk_conf conf;
	struct ublkev_backend *b;

	init(&conf);
	conf.flags = UBLKEV_DISK_NO_DATA;
	b = opened(&conf);
	ck_assert(b->limits.flags & UBLKEV_LIMIT_NO_DATA);
	/* nothing is copied, so there need be no buffer */
	ck_assert_int_eq(submit(b, UBLKEV_OP_READ, 0, 4096, NULL), 0);
	mem_finish(b);
}
END_TEST

START_TEST(fua_is_taken)
{
	struct ublkev_backend *b = opened(NULL);
	struct ublkev_req req = {
		.op = UBLKEV_OP_WRITE, .len_bytes = 512, .buf = &req,
		.flags = UBLKEV_REQ_FUA,
	};
	bool rejected = true;

	ck_assert_int_eq(ublkev__guard_submit(b, &req, &rejected), 0);
	ck_assert(!rejected);
	ck_assert_uint_eq(b->limits.flags, UBLKEV_LIMIT_THREADS_PER_QUEUE |
			  UBLKEV_LIMIT_VOLATILE_CACHE |
			  UBLKEV_LIMIT_FUA | UBLKEV_LIMIT_THREADS);
	mem_finish(b);
}
END_TEST

START_TEST(read_only)
{
	struct ublkev_disk_conf conf;
	struct ublkev_backend *b;
	char buf[512];

	init(&conf);
	conf.flags = UBLKEV_DISK_READ_ONLY;
	b = opened(&conf);
	ck_assert(b->limits.flags & UBLKEV_LIMIT_READ_ONLY);
	ck_assert_uint_eq(b->limits.max_discard_bytes, 0);
	ck_assert_uint_eq(b->limits.max_write_zeroes_bytes, 0);
	ck_assert_int_eq(submit(b, UBLKEV_OP_READ, 0, 512, buf), 0);
	ck_assert_int_eq(submit(b, UBLKEV_OP_FLUSH, 0, 0, NULL), 0);
	ck_assert_int_eq(submit(b, UBLKEV_OP_WRITE, 0, 512, buf), -EROFS);
	ck_assert_int_eq(submit(b, UBLKEV_OP_DISCARD, 0, 512, buf), -EROFS);
	ck_assert_int_eq(submit(b, UBLKEV_OP_WRITE_ZEROES, 0, 512, buf),
			 -EROFS);
	mem_finish(b);
}
END_TEST

START_TEST(name_and_ctx)
{
	struct ublkev_backend *b = opened(NULL);

	ck_assert_str_eq(ublkev_backend_name(b), "null");
	ck_assert_ptr_null(ublkev_backend_ctx(b));
	mem_finish(b);
}
END_TEST

START_TEST(no_memory)
{
	ck_assert_uint_ge(failalloc_disk(ublkev_null_new), 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("null");
	TCase *tc = tcase_create("disk");

	tcase_add_test(tc, conf_defaults);
	tcase_add_test(tc, conf_of_an_older_caller);
	tcase_add_test(tc, conf_of_a_newer_caller);
	tcase_add_test(tc, conf_sizes);
	tcase_add_test(tc, conf_flags);
	tcase_add_test(tc, conf_null_is_defaults);
	tcase_add_test(tc, conf_is_copied);
	suite_add_tcase(suite, tc);
	tc = tcase_create("null");
	tcase_add_test(tc, only_reads_touch_data);
	tcase_add_test(tc, reads_are_zeroes);
	tcase_add_test(tc, zeroes_once);
	tcase_add_test(tc, zeroes_of_each_buffer);
	tcase_add_test(tc, zeroes_of_a_new_tag);
	tcase_add_test(tc, zeroes_without_memory_to_know);
	tcase_add_test(tc, no_data);
	tcase_add_test(tc, fua_is_taken);
	tcase_add_test(tc, read_only);
	tcase_add_test(tc, name_and_ctx);
	tcase_add_test(tc, no_memory);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
