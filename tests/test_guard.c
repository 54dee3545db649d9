/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "backend/guard.h"
#include "failalloc.h"
#include "testlib.h"

#define MIB	(UINT64_C(1) << 20)

/* a backend that does as told and writes down what was asked of it */
struct fake {
	struct ublkev_backend *b;
	char calls[256];
	struct ublkev_limits defaults;	/* as open() found them */
	struct ublkev_limits limits;	/* what open() answers */
	int open_answer;
	int start_answer;
	int submit_answer;
	bool answer_inside;		/* submit() calls ublkev_req_done() */
	bool answer_in_stop;
	struct ev_loop *loop;
	struct ublkev_req *req;
	void *data_at_submit;
};

static struct test_log said;
static const struct ublkev__log log_to_said = {
	.fn = test_log_fn, .data = &said, .id = 3,
};

static void wrote(struct fake *f, const char *call)
{
	strcat(f->calls, call);
	strcat(f->calls, " ");
}

static int fake_open(void *ctx, struct ublkev_limits *limits)
{
	struct fake *f = ctx;

	wrote(f, "open");
	f->defaults = *limits;
	*limits = f->limits;
	return f->open_answer;
}

static void fake_close(void *ctx)
{
	wrote(ctx, "close");
}

static int fake_start(void *ctx, struct ev_loop *loop)
{
	struct fake *f = ctx;

	wrote(f, "start");
	f->loop = loop;
	return f->start_answer;
}

static void fake_stop(void *ctx)
{
	struct fake *f = ctx;

	wrote(f, "stop");
	if (f->answer_in_stop)
		ublkev_req_done(f->b, 77, -EIO);
}

static int fake_submit(void *ctx, struct ublkev_req *req)
{
	struct fake *f = ctx;

	wrote(f, "submit");
	f->req = req;
	f->data_at_submit = req->data;
	if (f->answer_inside)
		ublkev_req_done(f->b, req->cookie, 0);
	return f->submit_answer;
}

static void fake_flush(void *ctx)
{
	wrote(ctx, "flush");
}

static const struct ublkev_backend_ops fake_ops = {
	.size = sizeof(fake_ops),
	.name = "fake",
	.open = fake_open,
	.close = fake_close,
	.start = fake_start,
	.stop = fake_stop,
	.submit = fake_submit,
	.flush = fake_flush,
};

static const struct ublkev_backend_ops least_ops = {
	.size = sizeof(least_ops),
	.open = fake_open,
	.submit = fake_submit,
};

/* where answers arrive */
struct owner {
	unsigned int answers;
	uint64_t cookie;
	int err;
};

static void done(void *owner, uint64_t cookie, int err)
{
	struct owner *o = owner;

	o->answers++;
	o->cookie = cookie;
	o->err = err;
}

static const struct ublkev_limits plain_limits = {
	.dev_bytes = 64 * MIB,
	.logical_block_bytes = 512,
	.max_io_bytes = 1 << 20,
	.chunk_bytes = 4 << 20,
	.max_discard_bytes = 8 * MIB,
	.discard_granularity_bytes = 4096,
	.max_write_zeroes_bytes = 2 * MIB,
	.flags = UBLKEV_LIMIT_VOLATILE_CACHE | UBLKEV_LIMIT_FUA,
};

static void make(struct fake *f, const struct ublkev_backend_ops *ops)
{
	memset(f, 0, sizeof(*f));
	f->limits = plain_limits;
	memset(&said, 0, sizeof(said));
	ck_assert_int_eq(ublkev_backend_new(&f->b, ops, f), 0);
}

static int open_it(struct fake *f, struct owner *o)
{
	memset(o, 0, sizeof(*o));
	return ublkev__guard_open(f->b, done, o, &log_to_said);
}

static void start_it(struct fake *f, struct owner *o)
{
	ck_assert_int_eq(open_it(f, o), 0);
	ck_assert_int_eq(ublkev__guard_start(f->b, NULL), 0);
	f->calls[0] = '\0';
}

static void finish(struct fake *f)
{
	ublkev__guard_stop(f->b);
	ublkev__guard_close(f->b);
	ublkev_backend_free(f->b);
}

/* ---- ublkev_backend_new ------------------------------------------------- */

START_TEST(new_needs_open_and_submit)
{
	struct ublkev_backend *b = NULL;
	struct ublkev_backend_ops ops = fake_ops;

	ops.open = NULL;
	ck_assert_int_eq(ublkev_backend_new(&b, &ops, NULL), -EINVAL);
	ops = fake_ops;
	ops.submit = NULL;
	ck_assert_int_eq(ublkev_backend_new(&b, &ops, NULL), -EINVAL);
	ck_assert_ptr_null(b);
}
END_TEST

START_TEST(new_of_an_older_caller)
{
	const size_t least = offsetof(struct ublkev_backend_ops, flush);
	struct ublkev_backend_ops ops = fake_ops;
	struct owner o;
	struct fake f;

	ops.size = least - 1;
	ck_assert_int_eq(ublkev_backend_new(&f.b, &ops, &f), -EINVAL);
	ops.size = 0;
	ck_assert_int_eq(ublkev_backend_new(&f.b, &ops, &f), -EINVAL);
	/* the flush that lies behind it is none */
	ops.size = least;
	make(&f, &ops);
	start_it(&f, &o);
	ublkev__guard_flush(f.b);
	ck_assert_str_eq(f.calls, "");
	finish(&f);
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
	newer.ops = fake_ops;
	newer.ops.size = sizeof(newer);
	make(&f, &newer.ops);
	start_it(&f, &o);
	ublkev__guard_flush(f.b);
	ck_assert_str_eq(f.calls, "flush ");
	finish(&f);
}
END_TEST

START_TEST(new_copies)
{
	struct ublkev_backend_ops ops = fake_ops;
	char name[] = "mine";
	struct owner o;
	struct fake f;

	ops.name = name;
	make(&f, &ops);
	memset(&ops, 0, sizeof(ops));
	memset(name, 'x', sizeof(name) - 1);
	ck_assert_str_eq(ublkev_backend_name(f.b), "mine");
	ck_assert_ptr_eq(ublkev_backend_ctx(f.b), &f);
	start_it(&f, &o);
	finish(&f);
	ck_assert_str_eq(f.calls, "stop close ");
}
END_TEST

START_TEST(new_without_name)
{
	struct fake f;

	make(&f, &least_ops);
	ck_assert_str_eq(ublkev_backend_name(f.b), "backend");
	finish(&f);
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
	struct ublkev_backend_ops ops = fake_ops;
	struct fake f = { 0 };

	ctx_frees = 0;
	ops.open = NULL;
	ck_assert_int_eq(ublkev__backend_new(&f.b, &ops, &f, free_ctx),
			 -EINVAL);
	ck_assert_int_eq(ctx_frees, 0);
	ck_assert_int_eq(ublkev__backend_new(&f.b, &fake_ops, &f, free_ctx),
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
		err = ublkev_backend_new(&b, &fake_ops, NULL);
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

	make(&f, &fake_ops);
	ck_assert_int_eq(open_it(&f, &o), 0);
	ck_assert(test_aborts(free_it, &f, "ublkev: "));
	ublkev__guard_close(f.b);
	ck_assert(!test_aborts(free_it, &f, ""));
	finish(&f);
}
END_TEST
#endif

/* ---- open, start, stop, close ------------------------------------------- */

START_TEST(life_in_order)
{
	struct ev_loop *loop = (struct ev_loop *)&said;
	struct ublkev_req req = { .op = UBLKEV_OP_FLUSH };
	bool rejected;
	struct owner o;
	struct fake f;

	make(&f, &fake_ops);
	ck_assert_int_eq(open_it(&f, &o), 0);
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
	ck_assert_uint_eq(said.lines, 0);
	finish(&f);
	ck_assert_str_eq(f.calls, "open start submit flush stop close ");
}
END_TEST

START_TEST(life_twice)
{
	struct owner o;
	struct fake f;

	make(&f, &fake_ops);
	start_it(&f, &o);
	ublkev__guard_stop(f.b);
	ublkev__guard_close(f.b);
	/* the limits are asked anew, and are not those of before */
	f.limits.dev_bytes = 4096;
	f.limits.max_discard_bytes = 0;
	start_it(&f, &o);
	ck_assert_uint_eq(f.defaults.dev_bytes, 0);
	ck_assert_uint_eq(f.defaults.max_discard_bytes, 0);
	ck_assert_uint_eq(f.defaults.chunk_bytes, 0);
	ck_assert_uint_eq(f.defaults.flags, 0);
	ck_assert_uint_eq(f.b->limits.dev_bytes, 4096);
	ck_assert_uint_eq(f.b->supported, 1u << UBLKEV_OP_READ |
			  1u << UBLKEV_OP_WRITE | 1u << UBLKEV_OP_FLUSH |
			  1u << UBLKEV_OP_WRITE_ZEROES);
	finish(&f);
}
END_TEST

START_TEST(close_stops_before)
{
	struct owner o;
	struct fake f;

	make(&f, &fake_ops);
	start_it(&f, &o);
	ublkev__guard_close(f.b);
	ck_assert_str_eq(f.calls, "stop close ");
	finish(&f);
}
END_TEST

START_TEST(absent_calls)
{
	struct ublkev_req req = { .op = UBLKEV_OP_FLUSH };
	bool rejected;
	struct owner o;
	struct fake f;

	make(&f, &least_ops);
	start_it(&f, &o);
	ublkev__guard_flush(f.b);
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), 0);
	ublkev__guard_stop(f.b);
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), -EIO);
	ublkev__guard_close(f.b);
	ck_assert_str_eq(f.calls, "submit ");
	f.limits.dev_bytes = 0;
	ck_assert_int_eq(open_it(&f, &o), -EINVAL);
	finish(&f);
}
END_TEST

START_TEST(one_device_at_a_time)
{
	struct owner o, other;
	struct fake f;

	make(&f, &fake_ops);
	start_it(&f, &o);
	ck_assert_int_eq(open_it(&f, &other), -EBUSY);
	ck_assert_str_eq(f.calls, "");
	ublkev_req_done(f.b, 5, 0);
	ck_assert_uint_eq(o.answers, 1);
	ck_assert_uint_eq(other.answers, 0);
	ublkev__guard_close(f.b);
	ck_assert_int_eq(open_it(&f, &other), 0);
	ublkev_req_done(f.b, 6, 0);
	ck_assert_uint_eq(other.answers, 1);
	finish(&f);
}
END_TEST

START_TEST(open_fails)
{
	struct owner o;
	struct fake f;

	make(&f, &fake_ops);
	f.open_answer = -ENOENT;
	ck_assert_int_eq(open_it(&f, &o), -ENOENT);
	ck_assert_uint_eq(said.lines, 0);
	f.open_answer = -4095;
	ck_assert_int_eq(open_it(&f, &o), -4095);
	ck_assert_uint_eq(said.lines, 0);
	/* no close is owed, and it is free for the next */
	ublkev__guard_close(f.b);
	ck_assert_str_eq(f.calls, "open open ");
	f.open_answer = 0;
	ck_assert_int_eq(open_it(&f, &o), 0);
	finish(&f);
}
END_TEST

START_TEST(open_answers_nonsense)
{
	const int nonsense[] = { 1, 5, INT_MAX, -4096, INT_MIN };
	struct owner o;
	struct fake f;
	size_t i;

	make(&f, &fake_ops);
	for (i = 0; i < TEST_COUNT(nonsense); i++) {
		f.open_answer = nonsense[i];
		ck_assert_int_eq(open_it(&f, &o), -EIO);
		ck_assert_uint_eq(said.lines, i + 1);
		ck_assert_int_eq(said.priority, LOG_ERR);
		ck_assert_ptr_nonnull(strstr(said.line, "fake: open()"));
	}
	finish(&f);
}
END_TEST

START_TEST(start_fails)
{
	struct ublkev_req req = { .op = UBLKEV_OP_FLUSH };
	bool rejected = false;
	struct owner o;
	struct fake f;

	make(&f, &fake_ops);
	f.start_answer = -ECONNREFUSED;
	ck_assert_int_eq(open_it(&f, &o), 0);
	ck_assert_int_eq(ublkev__guard_start(f.b, NULL), -ECONNREFUSED);
	ck_assert_uint_eq(said.lines, 0);
	f.start_answer = 1;
	ck_assert_int_eq(ublkev__guard_start(f.b, NULL), -EIO);
	ck_assert_uint_eq(said.lines, 1);
	ck_assert_ptr_nonnull(strstr(said.line, "fake: start()"));
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), -EIO);
	ck_assert(rejected);
	finish(&f);
	ck_assert_str_eq(f.calls, "open start start close ");
}
END_TEST

/* ---- limits ------------------------------------------------------------- */

START_TEST(limits_defaults)
{
	struct ublkev_limits none = { 0 };
	struct owner o;
	struct fake f;

	make(&f, &fake_ops);
	none.size = sizeof(none);
	none.logical_block_bytes = 512;
	ck_assert_int_eq(open_it(&f, &o), 0);
	ck_assert_mem_eq(&f.defaults, &none, sizeof(none));
	finish(&f);
}
END_TEST

START_TEST(limits_completed)
{
	const struct ublkev_limits *l;
	struct owner o;
	struct fake f;

	make(&f, &fake_ops);
	memset(&f.limits, 0, sizeof(f.limits));
	f.limits.dev_bytes = MIB;
	f.limits.logical_block_bytes = 1024;
	start_it(&f, &o);
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
	finish(&f);
	make(&f, &fake_ops);
	f.limits.physical_block_bytes = 4096;
	start_it(&f, &o);
	ck_assert_uint_eq(f.b->limits.io_min_bytes, 4096);
	finish(&f);
}
END_TEST

START_TEST(limits_kept)
{
	struct owner o;
	struct fake f;

	make(&f, &fake_ops);
	f.limits.size = sizeof(f.limits);
	f.limits.physical_block_bytes = 4096;
	f.limits.io_min_bytes = 8192;
	f.limits.io_opt_bytes = 3 << 16;
	f.limits.flags |= UBLKEV_LIMIT_ROTATIONAL;
	start_it(&f, &o);
	ck_assert_mem_eq(&f.b->limits, &f.limits, sizeof(f.limits));
	ck_assert_uint_eq(f.b->supported, (1u << UBLKEV_NR_OPS) - 1);
	finish(&f);
}
END_TEST

START_TEST(limits_of_a_read_only_disk)
{
	struct owner o;
	struct fake f;

	make(&f, &fake_ops);
	f.limits.flags |= UBLKEV_LIMIT_READ_ONLY;
	start_it(&f, &o);
	ck_assert_uint_eq(f.b->limits.max_discard_bytes, 0);
	ck_assert_uint_eq(f.b->limits.max_write_zeroes_bytes, 0);
	ck_assert_uint_eq(f.b->supported, 1u << UBLKEV_OP_READ |
			  1u << UBLKEV_OP_FLUSH);
	finish(&f);
}
END_TEST

/* one member of plain_limits changed; `fault` names it, NULL: legal */
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
	LIMIT(flags, 0, NULL),
	LIMIT(flags, UBLKEV_LIMIT_VOLATILE_CACHE, NULL),
	LIMIT(flags, UBLKEV_LIMIT_FUA, "flags"),
	LIMIT(flags, UBLKEV_LIMIT_ROTATIONAL, NULL),
	LIMIT(flags, UBLKEV_LIMIT_READ_ONLY, NULL),
	LIMIT(flags, 1u << 4, "flags"),
	LIMIT(flags, 1u << 31, "flags"),
};

START_TEST(limits_checked)
{
	const char *fault = limit_cases[_i].fault;
	char member[64];
	struct owner o;
	struct fake f;

	make(&f, &fake_ops);
	/* little or big endian: the members are 32 or 64 bits wide */
	if (limit_cases[_i].bytes == 4)
		*(uint32_t *)((char *)&f.limits + limit_cases[_i].offset) =
			(uint32_t)limit_cases[_i].value;
	else
		*(uint64_t *)((char *)&f.limits + limit_cases[_i].offset) =
			limit_cases[_i].value;
	ck_assert_int_eq(open_it(&f, &o), fault ? -EINVAL : 0);
	ck_assert_uint_eq(said.lines, fault ? 1 : 0);
	if (fault) {
		snprintf(member, sizeof(member), "limits.%s ", fault);
		ck_assert_int_eq(said.priority, LOG_ERR);
		ck_assert_ptr_nonnull(strstr(said.line, member));
		ck_assert_ptr_nonnull(strstr(said.line, "backend fake: "));
		/* its open() succeeded, so it is closed; and free again */
		ck_assert_str_eq(f.calls, "open close ");
		f.limits = plain_limits;
		ck_assert_int_eq(open_it(&f, &o), 0);
	}
	finish(&f);
}
END_TEST

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

	make(&f, &fake_ops);
	start_it(&f, &o);
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), err);
	ck_assert_int_eq(rejected, err != 0);
	ck_assert_str_eq(f.calls, err ? "" : "submit ");
	ck_assert_uint_eq(said.lines, 0);
	finish(&f);
}
END_TEST

/* what each op gets when these limits hold */
static void ops_answer(uint64_t max_discard, uint64_t max_write_zeroes,
		       uint32_t flags, const int want[UBLKEV_NR_OPS])
{
	struct ublkev_req req = { 0 };
	bool rejected;
	struct owner o;
	struct fake f;

	make(&f, &fake_ops);
	f.limits.max_discard_bytes = max_discard;
	f.limits.max_write_zeroes_bytes = max_write_zeroes;
	f.limits.flags = flags;
	start_it(&f, &o);
	for (req.op = 0; req.op < UBLKEV_NR_OPS; req.op++) {
		req.len_bytes = req.op == UBLKEV_OP_FLUSH ? 0 : 512;
		f.calls[0] = '\0';
		ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected),
				 want[req.op]);
		ck_assert_int_eq(rejected, want[req.op] != 0);
		ck_assert_str_eq(f.calls, want[req.op] ? "" : "submit ");
	}
	finish(&f);
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

	make(&f, &fake_ops);
	f.limits.flags = UBLKEV_LIMIT_VOLATILE_CACHE;
	start_it(&f, &o);
	/* a backend that would not honour it never learns of it */
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected),
			 -EOPNOTSUPP);
	ck_assert(rejected);
	req.flags = UBLKEV_REQ_META | UBLKEV_REQ_FAILFAST | UBLKEV_REQ_NOUNMAP;
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), 0);
	ck_assert(!rejected);
	finish(&f);
}
END_TEST

START_TEST(submit_without_bounds)
{
	struct ublkev_req req = { .op = UBLKEV_OP_READ };
	bool rejected;
	struct owner o;
	struct fake f;

	make(&f, &fake_ops);
	f.limits.dev_bytes = UINT64_C(1) << 40;
	f.limits.max_io_bytes = 0;
	f.limits.chunk_bytes = 0;
	start_it(&f, &o);
	req.offset_bytes = 4 * MIB - 512;
	req.len_bytes = 32 * MIB;
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), 0);
	finish(&f);
}
END_TEST

START_TEST(submit_longer_than_the_disk)
{
	struct ublkev_req req = { .op = UBLKEV_OP_READ, .len_bytes = 4096 };
	bool rejected;
	struct owner o;
	struct fake f;

	make(&f, &fake_ops);
	f.limits.dev_bytes = 4096;
	start_it(&f, &o);
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), 0);
	req.len_bytes = 4096 + 512;
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), -EINVAL);
	req.op = UBLKEV_OP_DISCARD;
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), -EINVAL);
	finish(&f);
}
END_TEST

START_TEST(submit_block_of_4096)
{
	struct ublkev_req req = { .op = UBLKEV_OP_READ, .len_bytes = 4096 };
	bool rejected;
	struct owner o;
	struct fake f;

	make(&f, &fake_ops);
	f.limits.logical_block_bytes = 4096;
	start_it(&f, &o);
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), 0);
	req.offset_bytes = 2048;
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), -EINVAL);
	req.offset_bytes = 0;
	req.len_bytes = 6144;
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), -EINVAL);
	finish(&f);
}
END_TEST

START_TEST(submit_only_between_start_and_stop)
{
	struct ublkev_req req = { .op = UBLKEV_OP_READ, .len_bytes = 512 };
	bool rejected = false;
	struct owner o;
	struct fake f;

	make(&f, &fake_ops);
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), -EIO);
	ck_assert(rejected);
	ck_assert_int_eq(open_it(&f, &o), 0);
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), -EIO);
	ck_assert_int_eq(ublkev__guard_start(f.b, NULL), 0);
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), 0);
	ublkev__guard_stop(f.b);
	rejected = false;
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected), -EIO);
	ck_assert(rejected);
	ck_assert_str_eq(f.calls, "open start submit stop ");
	finish(&f);
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

	make(&f, &fake_ops);
	start_it(&f, &o);
	f.submit_answer = UBLKEV_LATER;
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected),
			 UBLKEV_LATER);
	ck_assert_ptr_eq(f.req, &req);
	ck_assert_ptr_null(f.data_at_submit);
	ck_assert_uint_eq(req.cookie, 9);
	ck_assert_ptr_eq(req.buf, &req);
	finish(&f);
}
END_TEST

static const struct {
	int answer;
	int err;
} answer_cases[] = {
	{ UBLKEV_DONE, UBLKEV_DONE }, { UBLKEV_LATER, UBLKEV_LATER },
	{ -1, -1 }, { -EIO, -EIO }, { -ENOSPC, -ENOSPC }, { -4095, -4095 },
	{ 2, -EIO }, { 512, -EIO }, { INT_MAX, -EIO },
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

	make(&f, &fake_ops);
	start_it(&f, &o);
	f.submit_answer = answer;
	for (times = 1; times <= 2; times++) {
		ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected),
				 err);
		ck_assert(!rejected);
		ck_assert_uint_eq(said.lines, answer == err ? 0 : times);
	}
	if (answer != err) {
		ck_assert_int_eq(said.priority, LOG_ERR);
		ck_assert_ptr_nonnull(strstr(said.line, "fake: submit()"));
	}
	ck_assert_uint_eq(o.answers, 0);
	finish(&f);
}
END_TEST

/* ---- ublkev_req_done ---------------------------------------------------- */

START_TEST(done_reaches_the_owner)
{
	struct owner o;
	struct fake f;

	make(&f, &fake_ops);
	start_it(&f, &o);
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
	ck_assert_uint_eq(said.lines, 0);
	finish(&f);
}
END_TEST

START_TEST(done_with_nonsense)
{
	const int nonsense[] = { 1, EIO, 4096, INT_MAX, -4096, INT_MIN };
	struct owner o;
	struct fake f;
	size_t i;

	make(&f, &fake_ops);
	start_it(&f, &o);
	for (i = 0; i < TEST_COUNT(nonsense); i++) {
		ublkev_req_done(f.b, i, nonsense[i]);
		ck_assert_uint_eq(o.answers, i + 1);
		ck_assert_uint_eq(o.cookie, i);
		ck_assert_int_eq(o.err, -EIO);
		ck_assert_uint_eq(said.lines, i + 1);
		ck_assert_int_eq(said.priority, LOG_ERR);
		ck_assert_ptr_nonnull(strstr(said.line, "ublkev_req_done()"));
	}
	finish(&f);
}
END_TEST

START_TEST(done_inside_submit)
{
	struct ublkev_req req = { .op = UBLKEV_OP_FLUSH, .cookie = 42 };
	bool rejected;
	struct owner o;
	struct fake f;

	make(&f, &fake_ops);
	start_it(&f, &o);
	f.answer_inside = true;
	f.submit_answer = UBLKEV_LATER;
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected),
			 UBLKEV_LATER);
	ck_assert_uint_eq(o.answers, 1);
	ck_assert_uint_eq(o.cookie, 42);
	finish(&f);
}
END_TEST

START_TEST(done_until_close)
{
	struct owner o;
	struct fake f;

	make(&f, &fake_ops);
	ublkev_req_done(f.b, 1, 0);
	start_it(&f, &o);
	f.answer_in_stop = true;
	ublkev__guard_stop(f.b);
	ck_assert_uint_eq(o.answers, 1);
	ck_assert_uint_eq(o.cookie, 77);
	ublkev_req_done(f.b, 78, 0);
	ck_assert_uint_eq(o.answers, 2);
	ublkev__guard_close(f.b);
	ublkev_req_done(f.b, 79, 1);
	ck_assert_uint_eq(o.answers, 2);
	ck_assert_uint_eq(said.lines, 0);
	finish(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guard");
	TCase *tc = tcase_create("new");

	tcase_add_test(tc, new_needs_open_and_submit);
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
	tc = tcase_create("submit");
	tcase_add_loop_test(tc, submit_checked, 0, TEST_COUNT(request_cases));
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
