/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A backend that writes down each call and answers as it was told to.
 */
#include "guard_kit.h"

#include <errno.h>
#include <string.h>

struct test_log guard_said;
const struct ublkev__log guard_log = {
	.fn = test_log_fn, .data = &guard_said, .id = 3,
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

static void *fake_map(void *ctx, const struct ublkev_req *req)
{
	(void)req;
	wrote(ctx, "map");
	return ctx;
}

const struct ublkev_backend_ops guard_fake_ops = {
	.size = sizeof(guard_fake_ops),
	.name = "fake",
	.open = fake_open,
	.close = fake_close,
	.start = fake_start,
	.stop = fake_stop,
	.submit = fake_submit,
	.flush = fake_flush,
	.map = fake_map,
};

const struct ublkev_backend_ops guard_least_ops = {
	.size = sizeof(guard_least_ops),
	.open = fake_open,
	.submit = fake_submit,
};

void guard_done(void *owner, uint64_t cookie, int err)
{
	struct owner *o = owner;

	o->answers++;
	o->cookie = cookie;
	o->err = err;
}

const struct ublkev_limits guard_plain_limits = {
	.dev_bytes = 64 * MIB,
	.logical_block_bytes = 512,
	.max_io_bytes = 1 << 20,
	.chunk_bytes = 4 << 20,
	.max_discard_bytes = 8 * MIB,
	.discard_granularity_bytes = 4096,
	.max_write_zeroes_bytes = 2 * MIB,
	.flags = UBLKEV_LIMIT_VOLATILE_CACHE | UBLKEV_LIMIT_FUA,
};

void guard_make(struct fake *f, const struct ublkev_backend_ops *ops)
{
	memset(f, 0, sizeof(*f));
	f->limits = guard_plain_limits;
	memset(&guard_said, 0, sizeof(guard_said));
	ck_assert_int_eq(ublkev_backend_new(&f->b, ops, f), 0);
}

int guard_open_it(struct fake *f, struct owner *o)
{
	memset(o, 0, sizeof(*o));
	return ublkev__guard_open(f->b, guard_done, o, &guard_log);
}

void guard_start_it(struct fake *f, struct owner *o)
{
	ck_assert_int_eq(guard_open_it(f, o), 0);
	ck_assert_int_eq(ublkev__guard_start(f->b, NULL), 0);
	f->calls[0] = '\0';
}

void guard_finish(struct fake *f)
{
	ublkev__guard_stop(f->b);
	ublkev__guard_close(f->b);
	ublkev_backend_free(f->b);
}
