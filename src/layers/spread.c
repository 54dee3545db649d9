/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests in pieces: those that lie in one piece go as they are, and where all
 * pieces are in files, the ring has them all at once.
 */
#include "layers/spread.h"

#include <errno.h>
#include <stdlib.h>

#include "backend/guard.h"

int ublkev__spread_refuse(const struct ublkev__spread *s, int err,
			  const char *text)
{
	ublkev__log(s->backend->log, LOG_ERR, "backend %s: %s", s->ops->name,
		    text);
	return err;
}

/* ---- pieces ----------------------------------------------------------------- */

static bool spread_is_data(const struct ublkev_req *req)
{
	return req->op <= UBLKEV_OP_WRITE;
}

/* what a lower one takes in one request ends where its chunk does */
static void spread_cut(const struct ublkev__spread *s,
		       const struct ublkev_req *req,
		       struct ublkev__spread_at *x)
{
	uint64_t chunk = ublkev_lower_limits(s->lowers[x->which])->chunk_bytes;
	uint64_t most;

	if (!chunk || !spread_is_data(req))
		return;
	most = chunk - x->offset_bytes % chunk;
	if (x->len_bytes <= most)
		return;
	x->at_bytes -= x->len_bytes - most;
	x->len_bytes = most;
}

/* the next sub-request of a request that has a range */
static bool spread_next(const struct ublkev__spread *s,
			const struct ublkev_req *req,
			struct ublkev__spread_at *x, struct ublkev_req *sub)
{
	uint64_t from = x->at_bytes;

	if (!s->ops->next(s, req->offset_bytes + req->len_bytes,
			  spread_is_data(req), x))
		return false;
	spread_cut(s, req, x);
	*sub = *req;
	sub->offset_bytes = x->offset_bytes;
	sub->len_bytes = x->len_bytes;
	if (req->buf)
		sub->buf = (char *)req->buf + (from - req->offset_bytes);
	return true;
}

/* the next one of any request: of a FLUSH, each of the lower ones has one */
static bool spread_part(const struct ublkev__spread *s,
			const struct ublkev_req *req,
			struct ublkev__spread_at *x, unsigned int n,
			struct ublkev_req *sub)
{
	if (req->op != UBLKEV_OP_FLUSH)
		return spread_next(s, req, x, sub);
	x->which = n;
	*sub = *req;
	return n < s->nr;
}

static struct ublkev__spread_at spread_begin(const struct ublkev_req *req)
{
	return (struct ublkev__spread_at){ .at_bytes = req->offset_bytes };
}

/* most requests there are: nothing is to be split, as of a part */
static inline struct ublkev_req spread_shift(const struct ublkev__spread *s,
					     const struct ublkev_req *req)
{
	struct ublkev_req sub = *req;

	if (req->op != UBLKEV_OP_FLUSH)
		sub.offset_bytes += s->offset_bytes;
	return sub;
}

/* ---- the layer's calls --------------------------------------------------------- */

static int spread_open(void *ctx, struct ublkev_limits *limits)
{
	struct ublkev__spread *s = ctx;
	uint64_t dev_bytes;
	unsigned int i;
	int err = 0;

	for (i = 0; i < s->nr && !err; i++)
		err = ublkev_limits_join(limits,
					 ublkev_lower_limits(s->lowers[i]));
	if (err)
		return ublkev__spread_refuse(s, err, "what is beneath it has zones or metadata: give another");
	err = s->ops->size(s, &dev_bytes);
	if (err)
		return err;
	dev_bytes -= dev_bytes % limits->logical_block_bytes;
	if (!dev_bytes)
		return ublkev__spread_refuse(s, -EINVAL, "what is beneath it has no room for one block: give a larger one");
	s->dev_bytes = dev_bytes;
	s->shifts = s->ops == &ublkev__part_ops &&
		    !ublkev_lower_limits(s->lowers[0])->chunk_bytes;
	limits->dev_bytes = dev_bytes;
	if (s->chunk_bytes && limits->io_min_bytes < s->chunk_bytes)
		limits->io_min_bytes = (uint32_t)s->chunk_bytes;
	return 0;
}

static void *spread_map(void *ctx, const struct ublkev_req *req)
{
	const struct ublkev__spread *s = ctx;
	struct ublkev__spread_at x;
	struct ublkev_req sub;

	if (s->shifts) {
		sub = spread_shift(s, req);
		return ublkev_lower_map(s->lowers[0], &sub);
	}
	x = spread_begin(req);
	if (!spread_next(s, req, &x, &sub) || sub.len_bytes < req->len_bytes)
		return NULL;
	return ublkev_lower_map(s->lowers[x.which], &sub);
}

/* what was found for the first n pieces is not used */
static void spread_unplace(const struct ublkev__spread *s,
			   const struct ublkev_req *req, unsigned int n)
{
	struct ublkev__spread_at x = spread_begin(req);
	struct ublkev_req sub;
	unsigned int i;

	for (i = 0; i < n && spread_part(s, req, &x, i, &sub); i++)
		(void)ublkev_lower_placed(s->lowers[x.which], &sub,
					  -ECANCELED);
}

static int spread_place(void *ctx, const struct ublkev_req *req,
			struct ublkev_extent *extents)
{
	const struct ublkev__spread *s = ctx;
	struct ublkev__spread_at x;
	struct ublkev_req sub;
	unsigned int i;
	int n = 0, got;

	if (s->shifts) {
		sub = spread_shift(s, req);
		return ublkev_lower_place(s->lowers[0], &sub, extents,
					  UBLKEV_MAX_EXTENTS);
	}
	x = spread_begin(req);
	for (i = 0; spread_part(s, req, &x, i, &sub); i++) {
		got = ublkev_lower_place(s->lowers[x.which], &sub, extents + n,
					 UBLKEV_MAX_EXTENTS - n);
		if (got <= 0) {
			spread_unplace(s, req, i);
			return got;
		}
		n += got;
	}
	return n;
}

/* each hears of it, and the first to make an error of it is right */
static int spread_placed(void *ctx, const struct ublkev_req *req, int err)
{
	const struct ublkev__spread *s = ctx;
	struct ublkev__spread_at x;
	int answer = err, one;
	struct ublkev_req sub;
	unsigned int i;

	if (s->shifts) {
		sub = spread_shift(s, req);
		return ublkev_lower_placed(s->lowers[0], &sub, err);
	}
	x = spread_begin(req);
	for (i = 0; spread_part(s, req, &x, i, &sub); i++) {
		one = ublkev_lower_placed(s->lowers[x.which], &sub, err);
		if (!answer)
			answer = one;
	}
	return answer;
}

static int spread_submit(void *ctx, struct ublkev_req *req)
{
	struct ublkev__spread *s = ctx;
	struct ublkev__spread_at x;
	int answer = UBLKEV_DONE, one;
	struct ublkev_req sub;
	unsigned int i;

	if (s->shifts) {
		sub = spread_shift(s, req);
		return ublkev_lower_submit(s->lowers[0], req, &sub, NULL, NULL);
	}
	x = spread_begin(req);
	for (i = 0; spread_part(s, req, &x, i, &sub); i++) {
		one = ublkev_lower_submit(s->lowers[x.which], req, &sub, NULL,
					  NULL);
		if (one < 0)
			return one;
		if (one)
			answer = one;
	}
	return answer;
}

/* ---- making it -------------------------------------------------------------------- */

static void spread_free(void *ctx)
{
	struct ublkev__spread *s = ctx;

	free(s->lowers);
	free(s->ends);
	free(s);
}

static int spread_new_backend(struct ublkev__spread *s,
			      struct ublkev_backend *const *below)
{
	struct ublkev_backend_ops ops = {
		.size = sizeof(ops),
		.name = s->ops->name,
		.open = spread_open,
		.submit = spread_submit,
	};
	unsigned int i, ways = 0;

	for (i = 0; i < s->nr; i++)
		ways |= ublkev_backend_ways(below[i]);
	if (ways & UBLKEV_WAY_MAP)
		ops.map = spread_map;
	if (ways & UBLKEV_WAY_PLACE) {
		ops.place = spread_place;
		ops.placed = spread_placed;
	}
	return ublkev__guard_new(&s->backend, &ops, s, spread_free);
}

/* they are its own only when all of them are */
static int spread_put(struct ublkev__spread *s,
		      struct ublkev_backend *const *below)
{
	unsigned int i;
	int err;

	for (i = 0; i < s->nr; i++) {
		err = ublkev_lower_new(&s->lowers[i], s->backend, below[i], 0);
		if (err)
			return err;
	}
	for (i = 0; i < s->nr; i++)
		ublkev_backend_free(below[i]);
	return 0;
}

int ublkev__spread_new(struct ublkev_backend **backendp,
		       const struct ublkev__spread *conf,
		       struct ublkev_backend *const *below, unsigned int nr)
{
	struct ublkev__spread *s = calloc(1, sizeof(*s));
	int err = -ENOMEM;

	if (!s)
		return -ENOMEM;
	*s = *conf;
	s->nr = nr;
	s->lowers = calloc(nr, sizeof(*s->lowers));
	s->ends = calloc(nr, sizeof(*s->ends));
	if (s->lowers && s->ends)
		err = spread_new_backend(s, below);
	if (err) {
		spread_free(s);
		return err;
	}
	err = spread_put(s, below);
	if (err)
		ublkev_backend_free(s->backend);
	else
		*backendp = s->backend;
	return err;
}
