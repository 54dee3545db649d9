/* SPDX-License-Identifier: BSD-2-Clause */
/* a backend from new to free: its life, and the limits that it answers */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "failalloc.h"
#include "guard_kit.h"

/* ---- ublkev_backend_new ------------------------------------------------- */

START_TEST(new_needs_open_and_requests)
{
	struct ublkev_backend *b = NULL;
	struct ublkev_backend_ops ops = guard_fake_ops;

	ops.open = NULL;
	ck_assert_int_eq(ublkev_backend_new(&b, &ops, NULL), -EINVAL);
	ops = guard_fake_ops;
	ops.submit = NULL;
	ck_assert_int_eq(ublkev_backend_new(&b, &ops, NULL), -EINVAL);
	ck_assert_ptr_null(b);
}
END_TEST

START_TEST(new_of_an_older_caller)
{
	const size_t least = offsetof(struct ublkev_backend_ops, flush);
	struct ublkev_backend_ops ops = guard_fake_ops;
	struct owner o;
	struct fake f;

	ops.size = least - 1;
	ck_assert_int_eq(ublkev_backend_new(&f.b, &ops, &f), -EINVAL);
	ops.size = 0;
	ck_assert_int_eq(ublkev_backend_new(&f.b, &ops, &f), -EINVAL);
	/* the flush that lies behind it is none */
	ops.size = least;
	guard_make(&f, &ops);
	guard_start_it(&f, &o);
	ublkev__guard_flush(f.b);
	ck_assert_str_eq(f.calls, "");
	guard_finish(&f);
	ck_assert_str_eq(f.calls, "stop close ");
}
END_TEST

START_TEST(new_of_a_newer_caller)
{
	struct {
		struct ublkev_backend_ops ops;
		void (*more[128])(void);
	} newer;
	struct owner o;
	struct fake f;

	memset(&newer, 0xa5, sizeof(newer));
	newer.ops = guard_fake_ops;
	newer.ops.size = sizeof(newer);
	guard_make(&f, &newer.ops);
	guard_start_it(&f, &o);
	ublkev__guard_flush(f.b);
	ck_assert_str_eq(f.calls, "flush ");
	guard_finish(&f);
}
END_TEST

START_TEST(new_copies)
{
	struct ublkev_backend_ops ops = guard_fake_ops;
	char name[] = "mine";
	struct owner o;
	struct fake f;

	ops.name = name;
	guard_make(&f, &ops);
	memset(&ops, 0, sizeof(ops));
	memset(name, 'x', sizeof(name) - 1);
	ck_assert_str_eq(ublkev_backend_name(f.b), "mine");
	ck_assert_ptr_eq(ublkev_backend_ctx(f.b), &f);
	guard_start_it(&f, &o);
	guard_finish(&f);
	ck_assert_str_eq(f.calls, "stop close ");
}
END_TEST

START_TEST(new_without_name)
{
	struct fake f;

	guard_make(&f, &guard_least_ops);
	ck_assert_str_eq(ublkev_backend_name(f.b), "backend");
	guard_finish(&f);
}
END_TEST

static int ctx_frees;

static void free_ctx(void *ctx)
{
	ctx_frees++;
	((struct fake *)ctx)->calls[0] = '!';
}

START_TEST(new_built_in)
{
	struct ublkev_backend_ops ops = guard_fake_ops;
	struct fake f = { 0 };

	ctx_frees = 0;
	ops.open = NULL;
	ck_assert_int_eq(ublkev__guard_new(&f.b, &ops, &f, free_ctx),
			 -EINVAL);
	ck_assert_int_eq(ctx_frees, 0);
	ck_assert_int_eq(ublkev__guard_new(&f.b, &guard_fake_ops, &f, free_ctx),
			 0);
	ck_assert_ptr_null(ublkev_backend_ctx(f.b));
	ublkev_backend_free(f.b);
	ck_assert_int_eq(ctx_frees, 1);
	ck_assert_str_eq(f.calls, "!");
	ublkev_backend_free(NULL);
}
END_TEST

START_TEST(new_no_memory)
{
	struct ublkev_backend *b;
	bool failed = true;
	int err, leaked;
	unsigned int n;

	for (n = 1; failed; n++) {
		b = NULL;
		failalloc_arm(n);
		err = ublkev_backend_new(&b, &guard_fake_ops, NULL);
		ublkev_backend_free(b);
		failed = failalloc_disarm(&leaked);
		ck_assert_int_eq(err, failed ? -ENOMEM : 0);
		ck_assert_int_eq(leaked, 0);
	}
	ck_assert_uint_eq(n, 3);
}
END_TEST

#ifndef NDEBUG
static void free_it(void *arg)
{
	ublkev_backend_free(((struct fake *)arg)->b);
}

START_TEST(free_asserts_not_in_use)
{
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	ck_assert_int_eq(guard_open_it(&f, &o), 0);
	ck_assert(test_aborts(free_it, &f, "ublkev: "));
	ublkev__guard_close(f.b);
	ck_assert(!test_aborts(free_it, &f, ""));
	guard_finish(&f);
}
END_TEST
#endif

/* ---- open, start, stop, close ------------------------------------------- */

START_TEST(life_in_order)
{
	struct ev_loop *loop = (struct ev_loop *)&guard_said;
	struct ublkev_req req = { .op = UBLKEV_OP_FLUSH };
	bool rejected;
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	ck_assert_int_eq(guard_open_it(&f, &o), 0);
	ck_assert_int_eq(ublkev__guard_start(f.b, loop), 0);
	ck_assert_ptr_eq(f.loop, loop);
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), 0);
	ublkev__guard_flush(f.b);
	ublkev__guard_stop(f.b);
	ublkev__guard_stop(f.b);
	ublkev__guard_close(f.b);
	ublkev__guard_close(f.b);
	ublkev__guard_stop(f.b);
	ck_assert_str_eq(f.calls, "open start submit flush stop close ");
	ck_assert_uint_eq(guard_said.lines, 0);
	guard_finish(&f);
	ck_assert_str_eq(f.calls, "open start submit flush stop close ");
}
END_TEST

START_TEST(life_twice)
{
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	guard_start_it(&f, &o);
	ublkev__guard_stop(f.b);
	ublkev__guard_close(f.b);
	/* the limits are asked anew, and are not those of before */
	f.limits.dev_bytes = 4096;
	f.limits.max_discard_bytes = 0;
	guard_start_it(&f, &o);
	ck_assert_uint_eq(f.defaults.dev_bytes, 0);
	ck_assert_uint_eq(f.defaults.max_discard_bytes, 0);
	ck_assert_uint_eq(f.defaults.chunk_bytes, 0);
	ck_assert_uint_eq(f.defaults.flags, 0);
	ck_assert_uint_eq(f.b->limits.dev_bytes, 4096);
	ck_assert_uint_eq(f.b->supported, 1u << UBLKEV_OP_READ |
			  1u << UBLKEV_OP_WRITE | 1u << UBLKEV_OP_FLUSH |
			  1u << UBLKEV_OP_WRITE_ZEROES);
	guard_finish(&f);
}
END_TEST

START_TEST(close_stops_before)
{
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	guard_start_it(&f, &o);
	ublkev__guard_close(f.b);
	ck_assert_str_eq(f.calls, "stop close ");
	guard_finish(&f);
}
END_TEST

START_TEST(absent_calls)
{
	struct ublkev_req req = { .op = UBLKEV_OP_FLUSH };
	bool rejected;
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_least_ops);
	guard_start_it(&f, &o);
	ublkev__guard_flush(f.b);
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), 0);
	ublkev__guard_stop(f.b);
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), -EIO);
	ublkev__guard_close(f.b);
	ck_assert_str_eq(f.calls, "submit ");
	f.limits.dev_bytes = 0;
	ck_assert_int_eq(guard_open_it(&f, &o), -EINVAL);
	guard_finish(&f);
}
END_TEST

START_TEST(one_device_at_a_time)
{
	struct owner o, other;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	guard_start_it(&f, &o);
	ck_assert_int_eq(guard_open_it(&f, &other), -EBUSY);
	ck_assert_str_eq(f.calls, "");
	ublkev_req_done(f.b, 5, 0);
	ck_assert_uint_eq(o.answers, 1);
	ck_assert_uint_eq(other.answers, 0);
	ublkev__guard_close(f.b);
	ck_assert_int_eq(guard_open_it(&f, &other), 0);
	ublkev_req_done(f.b, 6, 0);
	ck_assert_uint_eq(other.answers, 1);
	guard_finish(&f);
}
END_TEST

START_TEST(open_fails)
{
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	f.open_answer = -ENOENT;
	ck_assert_int_eq(guard_open_it(&f, &o), -ENOENT);
	ck_assert_uint_eq(guard_said.lines, 0);
	f.open_answer = -4095;
	ck_assert_int_eq(guard_open_it(&f, &o), -4095);
	ck_assert_uint_eq(guard_said.lines, 0);
	/* no close is owed, and it is free for the next */
	ublkev__guard_close(f.b);
	ck_assert_str_eq(f.calls, "open open ");
	f.open_answer = 0;
	ck_assert_int_eq(guard_open_it(&f, &o), 0);
	guard_finish(&f);
}
END_TEST

START_TEST(open_answers_nonsense)
{
	const int nonsense[] = { 1, 5, INT_MAX, -4096, INT_MIN };
	struct owner o;
	struct fake f;
	size_t i;

	guard_make(&f, &guard_fake_ops);
	for (i = 0; i < TEST_COUNT(nonsense); i++) {
		f.open_answer = nonsense[i];
		ck_assert_int_eq(guard_open_it(&f, &o), -EIO);
		ck_assert_uint_eq(guard_said.lines, i + 1);
		ck_assert_int_eq(guard_said.priority, LOG_ERR);
		ck_assert_ptr_nonnull(strstr(guard_said.line, "fake: open()"));
	}
	guard_finish(&f);
}
END_TEST

START_TEST(start_fails)
{
	struct ublkev_req req = { .op = UBLKEV_OP_FLUSH };
	bool rejected = false;
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	f.start_answer = -ECONNREFUSED;
	ck_assert_int_eq(guard_open_it(&f, &o), 0);
	ck_assert_int_eq(ublkev__guard_start(f.b, NULL), -ECONNREFUSED);
	ck_assert_uint_eq(guard_said.lines, 0);
	f.start_answer = 1;
	ck_assert_int_eq(ublkev__guard_start(f.b, NULL), -EIO);
	ck_assert_uint_eq(guard_said.lines, 1);
	ck_assert_ptr_nonnull(strstr(guard_said.line, "fake: start()"));
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), -EIO);
	ck_assert(rejected);
	guard_finish(&f);
	ck_assert_str_eq(f.calls, "open start start close ");
}
END_TEST

/* ---- limits ------------------------------------------------------------- */

START_TEST(limits_defaults)
{
	struct ublkev_limits none = { 0 };
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	none.size = sizeof(none);
	none.logical_block_bytes = 512;
	ck_assert_int_eq(guard_open_it(&f, &o), 0);
	ck_assert_mem_eq(&f.defaults, &none, sizeof(none));
	guard_finish(&f);
}
END_TEST

START_TEST(limits_completed)
{
	const struct ublkev_limits *l;
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	memset(&f.limits, 0, sizeof(f.limits));
	f.limits.dev_bytes = MIB;
	f.limits.logical_block_bytes = 1024;
	guard_start_it(&f, &o);
	l = &f.b->limits;
	ck_assert_uint_eq(l->dev_bytes, MIB);
	ck_assert_uint_eq(l->logical_block_bytes, 1024);
	ck_assert_uint_eq(l->physical_block_bytes, 1024);
	ck_assert_uint_eq(l->io_min_bytes, 1024);
	ck_assert_uint_eq(l->io_opt_bytes, 0);
	ck_assert_uint_eq(l->max_io_bytes, UINT32_MAX - 4095);
	ck_assert_uint_eq(l->chunk_bytes, 0);
	ck_assert_uint_eq(l->max_discard_bytes, 0);
	ck_assert_uint_eq(l->discard_granularity_bytes, 1024);
	ck_assert_uint_eq(l->max_write_zeroes_bytes, 0);
	ck_assert_uint_eq(l->flags, 0);
	ck_assert_uint_eq(f.b->supported, 1u << UBLKEV_OP_READ |
			  1u << UBLKEV_OP_WRITE);
	guard_finish(&f);
	guard_make(&f, &guard_fake_ops);
	f.limits.physical_block_bytes = 4096;
	guard_start_it(&f, &o);
	ck_assert_uint_eq(f.b->limits.io_min_bytes, 4096);
	guard_finish(&f);
}
END_TEST

START_TEST(limits_kept)
{
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	f.limits.size = sizeof(f.limits);
	f.limits.physical_block_bytes = 4096;
	f.limits.io_min_bytes = 8192;
	f.limits.io_opt_bytes = 3 << 16;
	f.limits.flags |= UBLKEV_LIMIT_ROTATIONAL;
	guard_start_it(&f, &o);
	ck_assert_mem_eq(&f.b->limits, &f.limits, sizeof(f.limits));
	ck_assert_uint_eq(f.b->supported, (1u << UBLKEV_OP_REPORT_ZONES) - 1);
	guard_finish(&f);
}
END_TEST

START_TEST(limits_of_a_read_only_disk)
{
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	f.limits.flags |= UBLKEV_LIMIT_READ_ONLY;
	guard_start_it(&f, &o);
	ck_assert_uint_eq(f.b->limits.max_discard_bytes, 0);
	ck_assert_uint_eq(f.b->limits.max_write_zeroes_bytes, 0);
	ck_assert_uint_eq(f.b->supported, 1u << UBLKEV_OP_READ |
			  1u << UBLKEV_OP_FLUSH);
	guard_finish(&f);
}
END_TEST

/* one member of guard_plain_limits changed; `fault` names it, NULL: legal */
#define LIMIT(m, v, fault) \
	{ offsetof(struct ublkev_limits, m), \
	  sizeof(((struct ublkev_limits *)0)->m), v, fault }

static const struct {
	size_t offset;
	size_t bytes;
	uint64_t value;
	const char *fault;
} limit_cases[] = {
	LIMIT(dev_bytes, 0, "dev_bytes"),
	LIMIT(dev_bytes, 511, "dev_bytes"),
	LIMIT(dev_bytes, 512, NULL),
	LIMIT(dev_bytes, 513, "dev_bytes"),
	LIMIT(dev_bytes, (UINT64_C(1) << 63) - 512, NULL),
	LIMIT(dev_bytes, UINT64_C(1) << 63, "dev_bytes"),
	LIMIT(logical_block_bytes, 0, "logical_block_bytes"),
	LIMIT(logical_block_bytes, 256, "logical_block_bytes"),
	LIMIT(logical_block_bytes, 1536, "logical_block_bytes"),
	LIMIT(logical_block_bytes, 4096, NULL),
	LIMIT(logical_block_bytes, 8192, "logical_block_bytes"),
	LIMIT(physical_block_bytes, 256, "physical_block_bytes"),
	LIMIT(physical_block_bytes, 512, NULL),
	LIMIT(physical_block_bytes, 1536, "physical_block_bytes"),
	LIMIT(physical_block_bytes, 1 << 28, NULL),
	LIMIT(physical_block_bytes, 1 << 29, "physical_block_bytes"),
	LIMIT(io_min_bytes, 1 << 28, NULL),
	LIMIT(io_min_bytes, (1 << 28) + 1, "io_min_bytes"),
	LIMIT(io_opt_bytes, 1 << 28, NULL),
	LIMIT(io_opt_bytes, (1 << 28) + 1, "io_opt_bytes"),
	LIMIT(max_io_bytes, 0, NULL),
	LIMIT(max_io_bytes, 512, "max_io_bytes"),
	LIMIT(max_io_bytes, 4095, "max_io_bytes"),
	LIMIT(max_io_bytes, 4096, NULL),
	LIMIT(max_io_bytes, 4096 + 512, "max_io_bytes"),
	LIMIT(max_io_bytes, 12288, NULL),
	LIMIT(max_io_bytes, UINT32_MAX, "max_io_bytes"),
	LIMIT(chunk_bytes, 0, NULL),
	LIMIT(chunk_bytes, 2048, "chunk_bytes"),
	LIMIT(chunk_bytes, 4096, NULL),
	LIMIT(chunk_bytes, 12288, "chunk_bytes"),
	LIMIT(chunk_bytes, 1u << 31, NULL),
	LIMIT(max_discard_bytes, 0, NULL),
	LIMIT(max_discard_bytes, 4095, "max_discard_bytes"),
	LIMIT(max_discard_bytes, 3584, "max_discard_bytes"),
	LIMIT(max_discard_bytes, 4096, NULL),
	LIMIT(max_discard_bytes, 4097, "max_discard_bytes"),
	LIMIT(discard_granularity_bytes, 0, NULL),
	LIMIT(discard_granularity_bytes, 256, "discard_granularity_bytes"),
	LIMIT(discard_granularity_bytes, 512, NULL),
	LIMIT(discard_granularity_bytes, 1536, NULL),
	LIMIT(discard_granularity_bytes, 1600, "discard_granularity_bytes"),
	LIMIT(discard_granularity_bytes, 8 << 20, NULL),
	LIMIT(discard_granularity_bytes, 16 << 20, "max_discard_bytes"),
	LIMIT(max_write_zeroes_bytes, 100, "max_write_zeroes_bytes"),
	LIMIT(max_write_zeroes_bytes, 512, NULL),
	LIMIT(dma_align_bytes, 1, NULL),
	LIMIT(dma_align_bytes, 3, "dma_align_bytes"),
	LIMIT(dma_align_bytes, 4096, NULL),
	LIMIT(dma_align_bytes, 8192, "dma_align_bytes"),
	LIMIT(max_segment_bytes, 4095, "max_segment_bytes"),
	LIMIT(max_segment_bytes, 4096, NULL),
	LIMIT(max_segment_bytes, 4097, NULL),
	LIMIT(segment_boundary_bytes, 2048, "segment_boundary_bytes"),
	LIMIT(segment_boundary_bytes, 4096, NULL),
	LIMIT(segment_boundary_bytes, 12288, "segment_boundary_bytes"),
	LIMIT(max_segments, 1, NULL),
	LIMIT(max_segments, 65535, NULL),
	LIMIT(max_segments, 65536, "max_segments"),
	LIMIT(flags, 0, NULL),
	LIMIT(flags, UBLKEV_LIMIT_VOLATILE_CACHE, NULL),
	LIMIT(flags, UBLKEV_LIMIT_FUA, "flags"),
	LIMIT(flags, UBLKEV_LIMIT_ROTATIONAL, NULL),
	LIMIT(flags, UBLKEV_LIMIT_READ_ONLY, NULL),
	LIMIT(flags, UBLKEV_LIMIT_NO_DATA, NULL),
	LIMIT(flags, UBLKEV_LIMIT_THREADS, NULL),
	LIMIT(flags, UBLKEV_LIMIT_REQ_OPS, NULL),
	LIMIT(flags, 1u << 9, "flags"),
	LIMIT(flags, 1u << 31, "flags"),
};

START_TEST(limits_checked)
{
	const char *fault = limit_cases[_i].fault;
	char member[64];
	struct owner o;
	struct fake f;

	guard_make(&f, &guard_fake_ops);
	/* little or big endian: the members are 32 or 64 bits wide */
	if (limit_cases[_i].bytes == 4)
		*(uint32_t *)((char *)&f.limits + limit_cases[_i].offset) =
			(uint32_t)limit_cases[_i].value;
	else
		*(uint64_t *)((char *)&f.limits + limit_cases[_i].offset) =
			limit_cases[_i].value;
	ck_assert_int_eq(guard_open_it(&f, &o), fault ? -EINVAL : 0);
	ck_assert_uint_eq(guard_said.lines, fault ? 1 : 0);
	if (fault) {
		snprintf(member, sizeof(member), "limits.%s ", fault);
		ck_assert_int_eq(guard_said.priority, LOG_ERR);
		ck_assert_ptr_nonnull(strstr(guard_said.line, member));
		ck_assert_ptr_nonnull(strstr(guard_said.line, "backend fake: "));
		/* its open() succeeded, so it is closed; and free again */
		ck_assert_str_eq(f.calls, "open close ");
		f.limits = guard_plain_limits;
		ck_assert_int_eq(guard_open_it(&f, &o), 0);
	}
	guard_finish(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guard");
	TCase *tc = tcase_create("new");

	tcase_add_test(tc, new_needs_open_and_requests);
	tcase_add_test(tc, new_of_an_older_caller);
	tcase_add_test(tc, new_of_a_newer_caller);
	tcase_add_test(tc, new_copies);
	tcase_add_test(tc, new_without_name);
	tcase_add_test(tc, new_built_in);
	tcase_add_test(tc, new_no_memory);
#ifndef NDEBUG
	tcase_add_test(tc, free_asserts_not_in_use);
#endif
	suite_add_tcase(suite, tc);
	tc = tcase_create("life");
	tcase_add_test(tc, life_in_order);
	tcase_add_test(tc, life_twice);
	tcase_add_test(tc, close_stops_before);
	tcase_add_test(tc, absent_calls);
	tcase_add_test(tc, one_device_at_a_time);
	tcase_add_test(tc, open_fails);
	tcase_add_test(tc, open_answers_nonsense);
	tcase_add_test(tc, start_fails);
	suite_add_tcase(suite, tc);
	tc = tcase_create("limits");
	tcase_add_test(tc, limits_defaults);
	tcase_add_test(tc, limits_completed);
	tcase_add_test(tc, limits_kept);
	tcase_add_test(tc, limits_of_a_read_only_disk);
	tcase_add_loop_test(tc, limits_checked, 0, TEST_COUNT(limit_cases));
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
