/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory disk's data: what is written is read, what is discarded is zeroes
 * and gives its pages back, beside a plain array at random.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/guard.h"
#include "failalloc.h"
#include "mem_kit.h"
#include "testlib.h"

/* found again in smaps by its size, which nothing else has */
#define ODD_BYTES	(37 * MIB + 12 * KIB)

/* ---- data --------------------------------------------------------------- */

START_TEST(reads_zeroes_at_first)
{
	struct ublkev_backend *b = mem_served(ODD_BYTES);

	ck_assert(mem_holds(b, 0, 64 * KIB, 0));
	ck_assert(mem_holds(b, ODD_BYTES - 64 * KIB, 64 * KIB, 0));
	ck_assert_uint_eq(mem_rss_of(ODD_BYTES), 0);
	mem_finish(b);
}
END_TEST

START_TEST(reads_what_was_written)
{
	struct ublkev_backend *b = mem_served(MIB);

	mem_fill(b, 4096 - 512, 1024, 0x11);
	ck_assert(mem_holds(b, 4096 - 512, 1024, 0x11));
	ck_assert(mem_holds(b, 4096 - 1024, 512, 0));
	ck_assert(mem_holds(b, 4096 + 512, 512, 0));
	mem_finish(b);
}
END_TEST

START_TEST(last_sector)
{
	const uint64_t sizes[] = {
		512, 4096, 4096 + 512, MIB + 1024, mem_big_disk() + 512,
	};
	struct ublkev_backend *b;
	size_t i;

	for (i = 0; i < TEST_COUNT(sizes); i++) {
		b = mem_served(sizes[i]);
		mem_fill(b, sizes[i] - 512, 512, 0x77);
		ck_assert(mem_holds(b, sizes[i] - 512, 512, 0x77));
		mem_do_op(b, UBLKEV_OP_DISCARD, 0, sizes[i] - 512, 512);
		ck_assert(mem_holds(b, sizes[i] - 512, 512, 0));
		ck_assert_int_eq(mem_submit(b, UBLKEV_OP_DISCARD, 0, sizes[i],
					    512, NULL), -EINVAL);
		mem_finish(b);
	}
}
END_TEST

START_TEST(block_of_4096)
{
	struct ublkev_backend *b = mem_made(MIB, 4096, 0);
	char buf[512];

	mem_serve(b);
	ck_assert_uint_eq(b->limits.logical_block_bytes, 4096);
	mem_fill(b, 8192, 4096, 3);
	ck_assert(mem_holds(b, 8192, 4096, 3));
	ck_assert_int_eq(mem_submit(b, UBLKEV_OP_READ, 0, 0, 512, buf),
			 -EINVAL);
	mem_finish(b);
}
END_TEST

START_TEST(flush_and_fua_are_free)
{
	struct ublkev_backend *b = mem_served(MIB);
	char buf[512] = { 0 };

	ck_assert_uint_eq(b->limits.flags, UBLKEV_LIMIT_VOLATILE_CACHE |
			  UBLKEV_LIMIT_FUA | UBLKEV_LIMIT_THREADS |
			  UBLKEV_LIMIT_THREADS_PER_QUEUE);
	mem_do_op(b, UBLKEV_OP_FLUSH, 0, 0, 0);
	ck_assert_int_eq(mem_submit(b, UBLKEV_OP_WRITE, UBLKEV_REQ_FUA, 0, 512,
				buf), UBLKEV_DONE);
	mem_finish(b);
}
END_TEST

/* the contents are not the device's */
START_TEST(contents_outlive_the_device)
{
	struct ublkev_backend *b = mem_served(MIB);

	mem_fill(b, 512, 8192, 0x42);
	mem_unserve(b);
	mem_serve(b);
	ck_assert(mem_holds(b, 512, 8192, 0x42));
	ck_assert(mem_holds(b, 0, 512, 0));
	mem_finish(b);
}
END_TEST

START_TEST(read_only)
{
	struct ublkev_backend *b = mem_made(MIB, 512, UBLKEV_DISK_READ_ONLY);
	char buf[512];

	mem_serve(b);
	ck_assert(b->limits.flags & UBLKEV_LIMIT_READ_ONLY);
	ck_assert_uint_eq(b->limits.max_discard_bytes, 0);
	ck_assert_uint_eq(b->limits.max_write_zeroes_bytes, 0);
	ck_assert(mem_holds(b, 0, 4096, 0));
	ck_assert_int_eq(mem_submit(b, UBLKEV_OP_WRITE, 0, 0, 512, buf),
			 -EROFS);
	ck_assert_int_eq(mem_submit(b, UBLKEV_OP_DISCARD, 0, 0, 512, NULL),
			 -EROFS);
	ck_assert_int_eq(mem_submit(b, UBLKEV_OP_WRITE_ZEROES, 0, 0, 512, NULL),
			 -EROFS);
	mem_finish(b);
}
END_TEST

START_TEST(limits)
{
	struct ublkev_backend *b = mem_served(GIB);

	/* what a request can be at most, see ublkev__params_make() */
	ck_assert_uint_eq(b->limits.max_discard_bytes, 4 * GIB - 4096);
	ck_assert_uint_eq(b->limits.max_write_zeroes_bytes, 4 * GIB - 4096);
	ck_assert_uint_eq(b->limits.discard_granularity_bytes, mem_page);
	ck_assert_str_eq(ublkev_backend_name(b), "mem");
	ck_assert_ptr_null(ublkev_backend_ctx(b));
	mem_finish(b);
}
END_TEST

/* ---- DISCARD, WRITE_ZEROES ---------------------------------------------- */

START_TEST(zeroes_with_edges)
{
	struct ublkev_backend *b = mem_served(MIB);

	mem_zeroes_exactly(b, UBLKEV_OP_DISCARD, 0);
	mem_zeroes_exactly(b, UBLKEV_OP_WRITE_ZEROES, 0);
	mem_zeroes_exactly(b, UBLKEV_OP_WRITE_ZEROES, UBLKEV_REQ_NOUNMAP);
	mem_finish(b);
}
END_TEST

/* memory that the application locked cannot be given back */
START_TEST(zeroes_where_madvise_fails)
{
	struct ublkev_backend *b = mem_served(MIB);

	failalloc_madvise(MADV_DONTNEED);
	mem_zeroes_exactly(b, UBLKEV_OP_DISCARD, 0);
	mem_zeroes_exactly(b, UBLKEV_OP_WRITE_ZEROES, 0);
	failalloc_madvise(-1);
	mem_finish(b);
}
END_TEST

/* an edge of one byte that is not zero, at each end of it */
START_TEST(zeroes_sparse_edges)
{
	const size_t at[] = { 0, 1, 255, 510, 511 };
	struct ublkev_backend *b = mem_served(MIB);
	char buf[512];
	size_t i;

	for (i = 0; i < TEST_COUNT(at); i++) {
		memset(buf, 0, sizeof(buf));
		buf[at[i]] = 1;
		ck_assert_int_eq(mem_submit(b, UBLKEV_OP_WRITE, 0, 1024, 512,
					    buf),
				 UBLKEV_DONE);
		mem_do_op(b, UBLKEV_OP_WRITE_ZEROES, 0, 1024, 512);
		ck_assert(mem_holds(b, 1024, 512, 0));
	}
	mem_finish(b);
}
END_TEST

static uint64_t rss_after(unsigned int op, uint32_t flags, uint64_t offset,
			  uint64_t len)
{
	struct ublkev_backend *b = mem_served(ODD_BYTES);
	uint64_t rss;

	mem_fill(b, 0, 2 * MIB, 0xee);
	ck_assert_uint_eq(mem_rss_of(ODD_BYTES), 2 * MIB);
	mem_do_op(b, op, flags, offset, len);
	rss = mem_rss_of(ODD_BYTES);
	mem_finish(b);
	return rss;
}

START_TEST(gives_pages_back)
{
	ck_assert_uint_eq(rss_after(UBLKEV_OP_DISCARD, 0, 0, 2 * MIB), 0);
	ck_assert_uint_eq(rss_after(UBLKEV_OP_DISCARD, 0, 0, 32 * MIB), 0);
	ck_assert_uint_eq(rss_after(UBLKEV_OP_WRITE_ZEROES, 0, 0, 4 * MIB), 0);
	/* the two pages that are in it in part stay */
	ck_assert_uint_eq(rss_after(UBLKEV_OP_DISCARD, 0, 512,
				    2 * MIB - 1024), 2 * mem_page);
	ck_assert_uint_eq(rss_after(UBLKEV_OP_WRITE_ZEROES, 0, 512,
				    2 * MIB - 1024), 2 * mem_page);
	/* allocated stays allocated, and becomes so */
	ck_assert_uint_eq(rss_after(UBLKEV_OP_WRITE_ZEROES,
				    UBLKEV_REQ_NOUNMAP, 0, 2 * MIB), 2 * MIB);
	ck_assert_uint_eq(rss_after(UBLKEV_OP_WRITE_ZEROES,
				    UBLKEV_REQ_NOUNMAP, MIB, 2 * MIB),
			  3 * MIB);
}
END_TEST

/* what zeroes were allocated for is given back as any other */
START_TEST(gives_zeroes_back)
{
	struct ublkev_backend *b = mem_served(ODD_BYTES);

	mem_do_op(b, UBLKEV_OP_WRITE_ZEROES, UBLKEV_REQ_NOUNMAP, 0, 2 * MIB);
	ck_assert_uint_eq(mem_rss_of(ODD_BYTES), 2 * MIB);
	mem_do_op(b, UBLKEV_OP_DISCARD, 0, 0, 32 * MIB);
	ck_assert_uint_eq(mem_rss_of(ODD_BYTES), 0);
	mem_finish(b);
}
END_TEST

/* so that none of the turns is long */
START_TEST(in_pieces)
{
	const uint32_t how[] = { 0, UBLKEV_REQ_NOUNMAP };
	struct ublkev_backend *b = mem_made(ODD_BYTES, 512,
					_i % 2 ? UBLKEV_DISK_SHARED : 0);
	unsigned int op = _i < 2 ? UBLKEV_OP_DISCARD : UBLKEV_OP_WRITE_ZEROES;

	mem_serve(b);
	mem_fill(b, 0, 16 * MIB, 0xee);
	mem_do_op(b, op, how[_i / 4], 512, 8 * MIB);
	ck_assert_uint_ge(mem_pieces, 32);
	ck_assert(mem_holds(b, 512, 8 * MIB, 0));
	ck_assert(mem_holds(b, 0, 512, 0xee));
	ck_assert(mem_holds(b, 8 * MIB + 512, 8 * MIB - 512, 0xee));
	mem_finish(b);
}
END_TEST

/* one request for as much as there may be, over what nobody ever wrote */
START_TEST(a_hole_is_one_piece)
{
	const uint64_t bytes = mem_big_disk(), most = 4 * GIB - 4096;
	struct ublkev_backend *b = mem_made(bytes, 512,
					_i ? UBLKEV_DISK_SHARED : 0);

	mem_serve(b);
	mem_do_op(b, UBLKEV_OP_DISCARD, 0, bytes / 2, most);
	ck_assert_uint_eq(mem_pieces, 1);
	mem_fill(b, bytes / 2 + 3 * GIB, 4096, 0xee);
	mem_do_op(b, UBLKEV_OP_DISCARD, 0, bytes / 2, most);
	ck_assert_uint_le(mem_pieces, 16);
	ck_assert(mem_holds(b, bytes / 2 + 3 * GIB, 4096, 0));
	mem_finish(b);
}
END_TEST

/* through map() it is the kernel that writes, later */
START_TEST(what_is_mapped_is_written)
{
	struct ublkev_backend *b = mem_served(ODD_BYTES);
	struct ublkev_req req = {
		.op = UBLKEV_OP_WRITE, .offset_bytes = 4 * MIB - 512,
		.len_bytes = 1024,
	};
	char *at = ublkev__guard_map(b, &req);

	memset(at, 0xee, 1024);
	mem_do_op(b, UBLKEV_OP_DISCARD, 0, 0, 32 * MIB);
	ck_assert(mem_holds(b, 0, 32 * MIB, 0));
	mem_finish(b);
}
END_TEST

START_TEST(zeroing_a_hole_costs_nothing)
{
	struct ublkev_backend *b = mem_served(ODD_BYTES);

	mem_do_op(b, UBLKEV_OP_WRITE_ZEROES, 0, 512, MIB);
	mem_do_op(b, UBLKEV_OP_DISCARD, 0, 8 * MIB + 512, 512);
	ck_assert_uint_eq(mem_rss_of(ODD_BYTES), 0);
	mem_finish(b);
}
END_TEST

/* ---- a random walk beside a plain array --------------------------------- */

#define WALK_BYTES	(256 * KIB + 512)
#define WALK_STEPS	4000

static void walk_step(struct ublkev_backend *b, struct test_rng *rng,
		      unsigned char *model, unsigned char *buf)
{
	const uint64_t sectors = WALK_BYTES / 512;
	uint64_t from = test_rng_below(rng, sectors);
	uint64_t most = sectors - from < 64 ? sectors - from : 64;
	uint64_t len = (1 + test_rng_below(rng, most)) * 512;
	unsigned int op = (unsigned int)test_rng_below(rng,
						      UBLKEV_OP_WRITE_ZEROES + 1);
	uint32_t flags = 0;

	from *= 512;
	if (op == UBLKEV_OP_WRITE_ZEROES && test_rng_below(rng, 2))
		flags = UBLKEV_REQ_NOUNMAP;
	if (op == UBLKEV_OP_FLUSH)
		from = len = 0;
	if (op == UBLKEV_OP_WRITE)
		test_rng_fill(rng, buf, len);
	ck_assert_int_eq(mem_submit(b, op, flags, from, len, buf), UBLKEV_DONE);
	if (op == UBLKEV_OP_READ)
		ck_assert_mem_eq(buf, model + from, len);
	else if (op == UBLKEV_OP_WRITE)
		memcpy(model + from, buf, len);
	else
		memset(model + from, 0, len);
}

START_TEST(random_walk)
{
	unsigned char *model = calloc(1, WALK_BYTES);
	unsigned char *buf = malloc(WALK_BYTES);
	struct ublkev_backend *b = mem_served(WALK_BYTES);
	struct test_rng rng;
	int step;

	ck_assert(model && buf);
	test_rng_init(&rng, test_seed("mem"));
	for (step = 0; step < WALK_STEPS; step++)
		walk_step(b, &rng, model, buf);
	ck_assert_int_eq(mem_submit(b, UBLKEV_OP_READ, 0, 0, WALK_BYTES, buf),
			 UBLKEV_DONE);
	ck_assert_mem_eq(buf, model, WALK_BYTES);
	mem_finish(b);
	free(buf);
	free(model);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mem");
	TCase *tc = tcase_create("data");

	tcase_add_test(tc, reads_zeroes_at_first);
	tcase_add_test(tc, reads_what_was_written);
	tcase_add_test(tc, last_sector);
	tcase_add_test(tc, block_of_4096);
	tcase_add_test(tc, flush_and_fua_are_free);
	tcase_add_test(tc, contents_outlive_the_device);
	tcase_add_test(tc, read_only);
	tcase_add_test(tc, limits);
	suite_add_tcase(suite, tc);
	tc = tcase_create("zeroes");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, zeroes_with_edges);
	tcase_add_test(tc, zeroes_where_madvise_fails);
	tcase_add_test(tc, zeroes_sparse_edges);
	tcase_add_test(tc, gives_pages_back);
	tcase_add_test(tc, gives_zeroes_back);
	tcase_add_loop_test(tc, in_pieces, 0, 6);
	tcase_add_loop_test(tc, a_hole_is_one_piece, 0, 2);
	tcase_add_test(tc, what_is_mapped_is_written);
	tcase_add_test(tc, zeroing_a_hole_costs_nothing);
	suite_add_tcase(suite, tc);
	tc = tcase_create("walk");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, random_walk);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
