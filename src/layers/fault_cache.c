/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The volatile cache of a disk that loses power: what is written stays here until a
 * FLUSH, or FUA, has it written out. That is done by one request at a time, so that
 * no older copy of a block overtakes a newer one.
 */
#include <errno.h>

#include "layers/fault.h"

static void cache_queue(struct ublkev__fault *f, struct ublkev_req *req)
{
	req->data = NULL;
	if (f->queue)
		f->last_queue->data = req;
	else
		f->queue = req;
	f->last_queue = req;
}

/* ---- reads -------------------------------------------------------------------- */

static void cache_end_read(struct ublkev__fault *f,
			   const struct ublkev_req *req, int err)
{
	if (!err)
		ublkev__dirty_overlay(&f->dirty, req->offset_bytes, req->buf,
				      req->len_bytes);
	/* nobody has read of the disk what was stored meanwhile */
	if (!--f->reads && !f->run.req)
		ublkev__dirty_purge(&f->dirty);
}

static int cache_on_read(void *ctx, struct ublkev_req *req, void *data, int err)
{
	(void)data;
	cache_end_read(ctx, req, err);
	return err;
}

static int cache_read(struct ublkev__fault *f, struct ublkev_req *req)
{
	int answer;

	f->reads++;
	answer = ublkev_lower_submit(f->lower, req, req, cache_on_read, NULL);
	if (answer != UBLKEV_LATER)
		cache_end_read(f, req, answer);
	return answer;
}

/* ---- writing out ------------------------------------------------------------------ */

static int cache_go_on(struct ublkev__fault *f);

static void cache_end_block(struct ublkev__fault *f,
			    struct ublkev__dirty_block *b, int err)
{
	ublkev__dirty_end(&f->dirty, b, !err);
	if (!f->run.err)
		f->run.err = err;
}

static int cache_on_block(void *ctx, struct ublkev_req *req, void *data,
			  int err)
{
	struct ublkev__fault *f = ctx;

	(void)req;
	f->run.out--;
	cache_end_block(f, data, err);
	return cache_go_on(f);
}

static int cache_on_flushed(void *ctx, struct ublkev_req *req, void *data,
			    int err)
{
	struct ublkev__fault *f = ctx;

	(void)req;
	(void)data;
	f->run.out--;
	if (!f->run.err)
		f->run.err = err;
	return cache_go_on(f);
}

static void cache_begin_block(struct ublkev__fault *f,
			      struct ublkev__dirty_block *b)
{
	const struct ublkev_req sub = {
		.op = UBLKEV_OP_WRITE,
		.offset_bytes = b->offset_bytes,
		.len_bytes = f->dirty.block_bytes,
		.buf = b->bytes,
	};
	int answer = ublkev_lower_submit(f->lower, f->run.req, &sub,
					 cache_on_block, b);

	if (answer == UBLKEV_LATER)
		f->run.out++;
	else
		cache_end_block(f, b, answer);
}

static void cache_begin_flush(struct ublkev__fault *f)
{
	const struct ublkev_req sub = { .op = UBLKEV_OP_FLUSH };
	int answer = ublkev_lower_submit(f->lower, f->run.req, &sub,
					 cache_on_flushed, NULL);

	if (answer == UBLKEV_LATER)
		f->run.out++;
	else if (!f->run.err)
		f->run.err = answer;
}

static bool cache_wants_flush(const struct ublkev_req *req)
{
	return req->op == UBLKEV_OP_FLUSH || req->flags & UBLKEV_REQ_FUA;
}

static void cache_begin_run(struct ublkev__fault *f, struct ublkev_req *req)
{
	bool all = req->op == UBLKEV_OP_FLUSH || !(req->flags & UBLKEV_REQ_FUA);

	f->run = (struct ublkev__fault_run){ .req = req };
	f->run.todo = ublkev__dirty_begin(&f->dirty, all ? 0 : req->offset_bytes,
					  all ? UINT64_MAX : req->len_bytes);
}

/* what a full cache had wait has room now */
static int cache_end_run(struct ublkev__fault *f)
{
	struct ublkev_req *req = f->run.req;
	int err = f->run.err;

	f->run.req = NULL;
	if (!f->reads)
		ublkev__dirty_purge(&f->dirty);
	if (err || cache_wants_flush(req))
		return err;
	return ublkev__dirty_put(&f->dirty, req->offset_bytes, req->buf,
				 req->len_bytes);
}

/* as far as the run goes by itself: LATER, or how it has ended */
static int cache_run(struct ublkev__fault *f)
{
	struct ublkev__dirty_block *b;

	while ((b = f->run.todo)) {
		f->run.todo = b->next_out;
		cache_begin_block(f, b);
	}
	if (f->run.out)
		return UBLKEV_LATER;
	if (!f->run.err && !f->run.flushes && cache_wants_flush(f->run.req)) {
		f->run.flushes = true;
		cache_begin_flush(f);
	}
	return f->run.out ? UBLKEV_LATER : cache_end_run(f);
}

/* one after another; of those that end at once nobody else would tell */
static void cache_next_runs(struct ublkev__fault *f)
{
	struct ublkev_req *req;
	uint64_t cookie;
	int answer;

	while (!f->run.req && (req = f->queue)) {
		f->queue = req->data;
		cookie = req->cookie;
		cache_begin_run(f, req);
		answer = cache_run(f);
		if (answer != UBLKEV_LATER)
			ublkev_req_done(f->backend, cookie, answer);
	}
}

/* of a `done`: the run's own request is answered by what it returns */
static int cache_go_on(struct ublkev__fault *f)
{
	int answer = cache_run(f);

	if (answer != UBLKEV_LATER)
		cache_next_runs(f);
	return answer;
}

static int cache_start(struct ublkev__fault *f, struct ublkev_req *req)
{
	if (f->run.req) {
		cache_queue(f, req);
		return UBLKEV_LATER;
	}
	cache_begin_run(f, req);
	return cache_run(f);
}

/* ---- the calls --------------------------------------------------------------------- */

static int cache_write(struct ublkev__fault *f, struct ublkev_req *req)
{
	uint64_t has = f->dirty.nr_dirty * f->dirty.block_bytes;
	int err;

	if (!(req->flags & UBLKEV_REQ_FUA) && has &&
	    has + req->len_bytes > f->cache_bytes)
		return cache_start(f, req);
	err = ublkev__dirty_put(&f->dirty, req->offset_bytes, req->buf,
				req->len_bytes);
	if (err || !(req->flags & UBLKEV_REQ_FUA))
		return err;
	return cache_start(f, req);
}

int ublkev__fault_cache_submit(struct ublkev__fault *f, struct ublkev_req *req)
{
	if (req->op == UBLKEV_OP_READ)
		return cache_read(f, req);
	if (req->op == UBLKEV_OP_FLUSH)
		return cache_start(f, req);
	/* of what has no buffer the blocks are zeroes */
	return cache_write(f, req);
}

struct cut {
	struct ublkev__fault *f;
	unsigned int keep_percent;
};

static bool cache_keeps(void *data)
{
	const struct cut *cut = data;

	return ublkev__fault_below(cut->f, 100) < cut->keep_percent;
}

void ublkev__fault_cache_cut(struct ublkev__fault *f, unsigned int keep_percent)
{
	struct cut cut = { f, keep_percent };

	ublkev__dirty_lose(&f->dirty, cache_keeps, &cut);
}

int ublkev__fault_cache_open(struct ublkev__fault *f, uint32_t block_bytes)
{
	int err = 0;

	f->run.req = NULL;
	f->reads = 0;
	f->queue = NULL;
	if (f->has_dirty && f->dirty.block_bytes == block_bytes)
		return 0;
	if (f->has_dirty)
		ublkev__dirty_fini(&f->dirty);
	err = ublkev__dirty_init(&f->dirty, block_bytes, f->cache_bytes);
	f->has_dirty = !err;
	return err;
}

/* what was given up the ring may write still */
void ublkev__fault_cache_close(struct ublkev__fault *f)
{
	if (f->run.req)
		ublkev__dirty_leave(&f->dirty);
	f->run.req = NULL;
}
