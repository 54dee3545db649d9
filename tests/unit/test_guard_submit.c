/* SPDX-License-Identifier: BSD-2-Clause */
/* requests on their way into a backend, and answers on their way out */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "guard_kit.h"

/* ---- submit ------------------------------------------------------------- */

static const struct {
	uint64_t offset_bytes;
	uint64_t len_bytes;
	uint8_t op;
	int err;
} request_cases[] = {
	/* the range */
	{ 0, 512, UBLKEV_OP_READ, 0 },
	{ 0, 0, UBLKEV_OP_READ, -EINVAL },
	{ 0, 511, UBLKEV_OP_READ, -EINVAL },
	{ 511, 512, UBLKEV_OP_READ, -EINVAL },
	{ 256, 512, UBLKEV_OP_WRITE, -EINVAL },
	{ 512, 768, UBLKEV_OP_WRITE, -EINVAL },
	{ 64 * MIB - 512, 512, UBLKEV_OP_READ, 0 },
	{ 64 * MIB - 512, 1024, UBLKEV_OP_READ, -EINVAL },
	{ 64 * MIB, 512, UBLKEV_OP_READ, -EINVAL },
	{ 64 * MIB + 512, 512, UBLKEV_OP_READ, -EINVAL },
	{ 0 - UINT64_C(512), 512, UBLKEV_OP_WRITE, -EINVAL },
	{ 0 - UINT64_C(512), 1024, UBLKEV_OP_WRITE, -EINVAL },
	{ 512, 0 - UINT64_C(512), UBLKEV_OP_WRITE, -EINVAL },
	/* the longest */
	{ 0, MIB, UBLKEV_OP_READ, 0 },
	{ 0, MIB + 512, UBLKEV_OP_READ, -EINVAL },
	{ 0, MIB, UBLKEV_OP_WRITE, 0 },
	{ 0, MIB + 512, UBLKEV_OP_WRITE, -EINVAL },
	{ 0, 8 * MIB, UBLKEV_OP_DISCARD, 0 },
	{ 0, 8 * MIB + 512, UBLKEV_OP_DISCARD, -EINVAL },
	{ 0, 2 * MIB, UBLKEV_OP_WRITE_ZEROES, 0 },
	{ 0, 2 * MIB + 512, UBLKEV_OP_WRITE_ZEROES, -EINVAL },
	{ 0, 0, UBLKEV_OP_DISCARD, -EINVAL },
	{ 0, 0, UBLKEV_OP_WRITE_ZEROES, -EINVAL },
	{ 60 * MIB, 8 * MIB, UBLKEV_OP_DISCARD, -EINVAL },
	{ 256, 512, UBLKEV_OP_DISCARD, -EINVAL },
	{ 63 * MIB, 2 * MIB, UBLKEV_OP_WRITE_ZEROES, -EINVAL },
	/* chunks of 4 MiB */
	{ 4 * MIB - 512, 512, UBLKEV_OP_READ, 0 },
	{ 4 * MIB - 512, 1024, UBLKEV_OP_READ, -EINVAL },
	{ 4 * MIB, 1024, UBLKEV_OP_WRITE, 0 },
	{ 3 * MIB, MIB, UBLKEV_OP_WRITE, 0 },
	{ 3 * MIB + 512, MIB, UBLKEV_OP_WRITE, -EINVAL },
	{ 8 * MIB - 512, 1024, UBLKEV_OP_WRITE, -EINVAL },
	/* the block layer does not mind them for these */
	{ 3 * MIB, 2 * MIB, UBLKEV_OP_DISCARD, 0 },
	{ 3 * MIB, 2 * MIB, UBLKEV_OP_WRITE_ZEROES, 0 },
	/* a flush has no range */
	{ 0, 0, UBLKEV_OP_FLUSH, 0 },
	{ 0, 512, UBLKEV_OP_FLUSH, -EINVAL },
	{ 512, 0, UBLKEV_OP_FLUSH, -EINVAL },
	/* no op */
	{ 0, 512, UBLKEV_NR_OPS, -EOPNOTSUPP },
	{ 0, 512, 31, -EOPNOTSUPP },
	{ 0, 512, 32, -EOPNOTSUPP },
	{ 0, 512, 255, -EOPNOTSUPP },
};

START_TEST(submit_checked)
{
	int err = request_cases[_i].err;
	struct ublkev_req req = {
		.offset_bytes = request_cases[_i].offset_bytes,
		.len_bytes = request_cases[_i].len_bytes,
		.op = request_cases[_i].op,
	};
	bool rejected = !err;
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	guard_start_it(&f, &o);
	ck_assert_int_eq(ublkev__guard_check(f.b, &req), err);
	ck_assert_str_eq(f.calls, "");
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), err);
	ck_assert_int_eq(rejected, err != 0);
	ck_assert_str_eq(f.calls, err ? "" : "submit ");
	ck_assert_uint_eq(guard_said.lines, 0);
	guard_finish(&f);
}
END_TEST

static int resize_answer;

static int resize(void *ctx, uint64_t dev_bytes)
{
	(void)ctx;
	(void)dev_bytes;
	return resize_answer;
}

/*
 * A device that shrinks has done so before the backend is told; what the
 * backend answers does not bring the rest back. One that grows has not.
 */
START_TEST(submit_after_a_resize)
{
	static const struct {
		uint64_t dev_bytes;
		int answer, err_beyond_32_mib, err_beyond_64_mib;
	} cases[] = {
		{ 32 * MIB, 0, -EINVAL, -EINVAL },
		{ 32 * MIB, -EIO, -EINVAL, -EINVAL },
		{ 128 * MIB, 0, 0, 0 },
		{ 128 * MIB, -ENOSPC, 0, -EINVAL },
	};
	struct ublkev_req req = { .len_bytes = 512, .op = UBLKEV_OP_READ };
	struct ublkev_backend_ops ops = guard_fake_ops;
	struct owner o;
	struct fake f;

	ops.resize = resize;
	resize_answer = cases[_i].answer;
	guard_make(&f, &ops);
	guard_start_it(&f, &o);
	ck_assert_int_eq(ublkev__guard_resize(f.b, cases[_i].dev_bytes),
			 cases[_i].answer);
	ck_assert_int_eq(ublkev__guard_check(f.b, &req), 0);
	req.offset_bytes = 32 * MIB;
	ck_assert_int_eq(ublkev__guard_check(f.b, &req),
			 cases[_i].err_beyond_32_mib);
	req.offset_bytes = 64 * MIB;
	ck_assert_int_eq(ublkev__guard_check(f.b, &req),
			 cases[_i].err_beyond_64_mib);
	guard_finish(&f);
}
END_TEST

/* where a backend has it in its own memory; the least one has no map() */
START_TEST(map)
{
	struct ublkev_req req = { .len_bytes = 512, .op = UBLKEV_OP_WRITE };
	struct owner o;
	struct fake f;

	guard_make(&f, _i ? &guard_fake_ops : &guard_least_ops);
	guard_start_it(&f, &o);
	ck_assert_ptr_eq(ublkev__guard_map(f.b, &req), _i ? &f : NULL);
	ck_assert_str_eq(f.calls, _i ? "map " : "");
	guard_finish(&f);
}
END_TEST

/* those that come to disks without zones, too */
#define PLAIN_OPS (UBLKEV_OP_WRITE_ZEROES + 1)

/* what each op gets when these limits hold */
static void ops_answer(uint64_t max_discard, uint64_t max_write_zeroes,
		       uint32_t flags, const int want[PLAIN_OPS])
{
	struct ublkev_req req = { 0 };
	bool rejected;
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	f.limits.max_discard_bytes = max_discard;
	f.limits.max_write_zeroes_bytes = max_write_zeroes;
	f.limits.flags = flags;
	guard_start_it(&f, &o);
	for (req.op = 0; req.op < PLAIN_OPS; req.op++) {
		req.len_bytes = req.op == UBLKEV_OP_FLUSH ? 0 : 512;
		f.calls[0] = '\0';
		ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected),
				 want[req.op]);
		ck_assert_int_eq(rejected, want[req.op] != 0);
		ck_assert_str_eq(f.calls, want[req.op] ? "" : "submit ");
	}
	guard_finish(&f);
}

START_TEST(submit_ops_in_the_limits)
{
	const int no = -EOPNOTSUPP, ro = -EROFS;
	const uint32_t vc = UBLKEV_LIMIT_VOLATILE_CACHE;
	const uint32_t read_only = UBLKEV_LIMIT_READ_ONLY;
	/* READ, WRITE, FLUSH, DISCARD, WRITE_ZEROES */
	const int none[] = { 0, 0, no, no, no };
	const int discard[] = { 0, 0, no, 0, no };
	const int zeroes[] = { 0, 0, no, no, 0 };
	const int cache[] = { 0, 0, 0, no, no };
	const int all[] = { 0, 0, 0, 0, 0 };
	const int reads[] = { 0, ro, no, ro, ro };
	const int reads_cache[] = { 0, ro, 0, ro, ro };

	ops_answer(0, 0, 0, none);
	ops_answer(MIB, 0, 0, discard);
	ops_answer(0, MIB, 0, zeroes);
	ops_answer(0, 0, vc, cache);
	ops_answer(MIB, MIB, vc, all);
	ops_answer(MIB, MIB, read_only, reads);
	ops_answer(0, 0, read_only | vc, reads_cache);
}
END_TEST

START_TEST(submit_fua_in_the_limits)
{
	struct ublkev_req req = {
		.op = UBLKEV_OP_WRITE, .len_bytes = 512,
		.flags = UBLKEV_REQ_FUA | UBLKEV_REQ_META,
	};
	bool rejected = false;
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	f.limits.flags = UBLKEV_LIMIT_VOLATILE_CACHE;
	guard_start_it(&f, &o);
	/* a backend that would not honour it never learns of it */
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected),
			 -EOPNOTSUPP);
	ck_assert(rejected);
	req.flags = UBLKEV_REQ_META | UBLKEV_REQ_FAILFAST | UBLKEV_REQ_NOUNMAP;
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), 0);
	ck_assert(!rejected);
	guard_finish(&f);
}
END_TEST

START_TEST(submit_without_bounds)
{
	struct ublkev_req req = { .op = UBLKEV_OP_READ };
	bool rejected;
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	f.limits.dev_bytes = UINT64_C(1) << 40;
	f.limits.max_io_bytes = 0;
	f.limits.chunk_bytes = 0;
	guard_start_it(&f, &o);
	req.offset_bytes = 4 * MIB - 512;
	req.len_bytes = 32 * MIB;
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), 0);
	guard_finish(&f);
}
END_TEST

START_TEST(submit_longer_than_the_disk)
{
	struct ublkev_req req = { .op = UBLKEV_OP_READ, .len_bytes = 4096 };
	bool rejected;
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	f.limits.dev_bytes = 4096;
	guard_start_it(&f, &o);
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), 0);
	req.len_bytes = 4096 + 512;
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), -EINVAL);
	req.op = UBLKEV_OP_DISCARD;
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), -EINVAL);
	guard_finish(&f);
}
END_TEST

START_TEST(submit_block_of_4096)
{
	struct ublkev_req req = { .op = UBLKEV_OP_READ, .len_bytes = 4096 };
	bool rejected;
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	f.limits.logical_block_bytes = 4096;
	guard_start_it(&f, &o);
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), 0);
	req.offset_bytes = 2048;
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), -EINVAL);
	req.offset_bytes = 0;
	req.len_bytes = 6144;
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), -EINVAL);
	guard_finish(&f);
}
END_TEST

START_TEST(submit_only_between_start_and_stop)
{
	struct ublkev_req req = { .op = UBLKEV_OP_READ, .len_bytes = 512 };
	bool rejected = false;
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), -EIO);
	ck_assert(rejected);
	ck_assert_int_eq(guard_open_it(&f, &o), 0);
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), -EIO);
	ck_assert_int_eq(ublkev__guard_start(f.b, NULL), 0);
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), 0);
	ublkev__guard_stop(f.b);
	rejected = false;
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), -EIO);
	ck_assert(rejected);
	ck_assert_str_eq(f.calls, "open start submit stop ");
	guard_finish(&f);
}
END_TEST

START_TEST(submit_lends_the_request)
{
	struct ublkev_req req = {
		.op = UBLKEV_OP_WRITE, .len_bytes = 512, .cookie = 9,
		.data = &req, .buf = &req, .queue = 1, .tag = 2,
	};
	bool rejected;
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	guard_start_it(&f, &o);
	f.submit_answer = UBLKEV_LATER;
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected),
			 UBLKEV_LATER);
	ck_assert_ptr_eq(f.req, &req);
	ck_assert_ptr_null(f.data_at_submit);
	ck_assert_uint_eq(req.cookie, 9);
	ck_assert_ptr_eq(req.buf, &req);
	guard_finish(&f);
}
END_TEST

static const struct {
	int answer;
	int err;
} answer_cases[] = {
	{ UBLKEV_DONE, UBLKEV_DONE }, { UBLKEV_LATER, UBLKEV_LATER },
	{ -1, -1 }, { -EIO, -EIO }, { -ENOSPC, -ENOSPC }, { -4095, -4095 },
	{ UBLKEV_AGAIN, UBLKEV_AGAIN }, { 3, -EIO }, { 512, -EIO }, { INT_MAX, -EIO },
	{ -4096, -EIO }, { INT_MIN, -EIO },
};

START_TEST(submit_answers)
{
	const int answer = answer_cases[_i].answer;
	const int err = answer_cases[_i].err;
	struct ublkev_req req = { .op = UBLKEV_OP_FLUSH };
	bool rejected = true;
	struct owner o;
	struct fake f;
	int times;

	guard_make(&f, &guard_fake_ops);
	guard_start_it(&f, &o);
	f.submit_answer = answer;
	for (times = 1; times <= 2; times++) {
		ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected),
				 err);
		ck_assert(!rejected);
		ck_assert_uint_eq(guard_said.lines, answer == err ? 0 : times);
	}
	if (answer != err) {
		ck_assert_int_eq(guard_said.priority, LOG_ERR);
		ck_assert_ptr_nonnull(strstr(guard_said.line, "fake: submit()"));
	}
	ck_assert_uint_eq(o.answers, 0);
	guard_finish(&f);
}
END_TEST

/* ---- ublkev_req_done ---------------------------------------------------- */

START_TEST(done_reaches_the_owner)
{
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	guard_start_it(&f, &o);
	ublkev_req_done(f.b, UINT64_MAX, 0);
	ck_assert_uint_eq(o.answers, 1);
	ck_assert_uint_eq(o.cookie, UINT64_MAX);
	ck_assert_int_eq(o.err, 0);
	ublkev_req_done(f.b, 1, -ENOSPC);
	ck_assert_uint_eq(o.answers, 2);
	ck_assert_uint_eq(o.cookie, 1);
	ck_assert_int_eq(o.err, -ENOSPC);
	ublkev_req_done(f.b, 1, -4095);
	ck_assert_int_eq(o.err, -4095);
	ck_assert_uint_eq(guard_said.lines, 0);
	guard_finish(&f);
}
END_TEST

START_TEST(done_with_nonsense)
{
	const int nonsense[] = { 1, EIO, 4096, INT_MAX, -4096, INT_MIN };
	struct owner o;
	struct fake f;
	size_t i;

	guard_make(&f, &guard_fake_ops);
	guard_start_it(&f, &o);
	for (i = 0; i < TEST_COUNT(nonsense); i++) {
		ublkev_req_done(f.b, i, nonsense[i]);
		ck_assert_uint_eq(o.answers, i + 1);
		ck_assert_uint_eq(o.cookie, i);
		ck_assert_int_eq(o.err, -EIO);
		ck_assert_uint_eq(guard_said.lines, i + 1);
		ck_assert_int_eq(guard_said.priority, LOG_ERR);
		ck_assert_ptr_nonnull(strstr(guard_said.line, "ublkev_req_done()"));
	}
	guard_finish(&f);
}
END_TEST

START_TEST(done_inside_submit)
{
	struct ublkev_req req = { .op = UBLKEV_OP_FLUSH, .cookie = 42 };
	bool rejected;
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	guard_start_it(&f, &o);
	f.answer_inside = true;
	f.submit_answer = UBLKEV_LATER;
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected),
			 UBLKEV_LATER);
	ck_assert_uint_eq(o.answers, 1);
	ck_assert_uint_eq(o.cookie, 42);
	guard_finish(&f);
}
END_TEST

START_TEST(done_until_close)
{
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	ublkev_req_done(f.b, 1, 0);
	guard_start_it(&f, &o);
	f.answer_in_stop = true;
	ublkev__guard_stop(f.b);
	ck_assert_uint_eq(o.answers, 1);
	ck_assert_uint_eq(o.cookie, 77);
	ublkev_req_done(f.b, 78, 0);
	ck_assert_uint_eq(o.answers, 2);
	ublkev__guard_close(f.b);
	ublkev_req_done(f.b, 79, 1);
	ck_assert_uint_eq(o.answers, 2);
	ck_assert_uint_eq(guard_said.lines, 0);
	guard_finish(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guard_submit");
	TCase *tc = tcase_create("submit");

	tcase_add_loop_test(tc, map, 0, 2);
	tcase_add_loop_test(tc, submit_checked, 0, TEST_COUNT(request_cases));
	tcase_add_loop_test(tc, submit_after_a_resize, 0, 4);
	tcase_add_test(tc, submit_ops_in_the_limits);
	tcase_add_test(tc, submit_fua_in_the_limits);
	tcase_add_test(tc, submit_without_bounds);
	tcase_add_test(tc, submit_longer_than_the_disk);
	tcase_add_test(tc, submit_block_of_4096);
	tcase_add_test(tc, submit_only_between_start_and_stop);
	tcase_add_test(tc, submit_lends_the_request);
	tcase_add_loop_test(tc, submit_answers, 0, TEST_COUNT(answer_cases));
	suite_add_tcase(suite, tc);
	tc = tcase_create("done");
	tcase_add_test(tc, done_reaches_the_owner);
	tcase_add_test(tc, done_with_nonsense);
	tcase_add_test(tc, done_inside_submit);
	tcase_add_test(tc, done_until_close);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
