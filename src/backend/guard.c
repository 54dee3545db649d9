/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls into a backend that are about requests, with the checks before and
 * after each; guard_life.c has the others. An answer that is no errno is logged
 * with its number; a request beyond the limits is refused here and never gets to
 * the backend.
 */
#include "backend/guard.h"

#include <errno.h>
#include <limits.h>

#include "layer/lower.h"

#define MAX_ERRNO	4095

#define unlikely(x)	__builtin_expect(!!(x), 0)

int ublkev__guard_legal_errno(const struct ublkev_backend *b,
			      const struct ublkev__log *log, const char *call,
			      int answer)
{
	if (answer <= 0 && answer >= -MAX_ERRNO)
		return answer;
	ublkev__log(log, LOG_ERR, "backend %s: %s answered %d, which is no "
		    "negative errno: taken as -EIO", b->ops.name, call, answer);
	return -EIO;
}

/* ---- requests ----------------------------------------------------------- */

__attribute__((always_inline))
static inline bool guard_legal_data(const struct ublkev_limits *l,
			     const struct ublkev_req *req)
{
	uint64_t last = req->offset_bytes + req->len_bytes - 1;

	if (req->len_bytes > l->max_io_bytes)
		return false;
	/* the kernel keeps READ and WRITE off chunk borders, not the rest */
	return !l->chunk_bytes ||
		(req->offset_bytes ^ last) < l->chunk_bytes;
}

__attribute__((always_inline))
static inline bool guard_in_blocks(const struct ublkev_limits *l,
			    const struct ublkev_req *req)
{
	uint64_t offset = req->offset_bytes, len = req->len_bytes;

	return len && !((offset | len) & (l->logical_block_bytes - 1)) &&
	       len <= l->dev_bytes && offset <= l->dev_bytes - len;
}

/* the range of all but appends is of whole zones */
__attribute__((cold, noinline))
static bool guard_legal_zone(const struct ublkev_limits *l,
			     const struct ublkev_req *req)
{
	uint64_t offset = req->offset_bytes, len = req->len_bytes;

	if (req->op == UBLKEV_OP_ZONE_RESET_ALL)
		return !(offset | len);
	if (req->op == UBLKEV_OP_ZONE_APPEND)
		return guard_in_blocks(l, req) && guard_legal_data(l, req);
	if (offset >= l->dev_bytes || offset & (l->chunk_bytes - 1))
		return false;
	if (req->op == UBLKEV_OP_REPORT_ZONES)
		return len && !(len % UBLKEV_ZONE_BYTES);
	return !len;
}

/* of all but READ and WRITE */
__attribute__((cold, noinline))
static bool guard_legal_other(const struct ublkev_limits *l,
			      const struct ublkev_req *req)
{
	if (req->op == UBLKEV_OP_FLUSH)
		return !(req->offset_bytes | req->len_bytes);
	if (req->op >= UBLKEV_OP_REPORT_ZONES)
		return guard_legal_zone(l, req);
	return guard_in_blocks(l, req) &&
	       req->len_bytes <= (req->op == UBLKEV_OP_DISCARD ?
				  l->max_discard_bytes :
				  l->max_write_zeroes_bytes);
}

static inline bool guard_legal_range(const struct ublkev_limits *l,
				     const struct ublkev_req *req)
{
	if (unlikely(req->op > UBLKEV_OP_WRITE))
		return guard_legal_other(l, req);
	return guard_in_blocks(l, req) && guard_legal_data(l, req);
}

static bool guard_legal_op(const struct ublkev_backend *b,
			   const struct ublkev_req *req)
{
	return req->op < UBLKEV_NR_OPS && (b->supported >> req->op & 1) &&
		(!(req->flags & UBLKEV_REQ_FUA) ||
		 (b->limits.flags & UBLKEV_LIMIT_FUA));
}

__attribute__((cold, noinline))
static int guard_refusal(const struct ublkev_backend *b,
			 const struct ublkev_req *req)
{
	if (b->phase != UBLKEV__GUARD_STARTED)
		return -EIO;
	if (guard_legal_op(b, req))
		return -EINVAL;
	if ((b->limits.flags & UBLKEV_LIMIT_READ_ONLY) &&
	    (req->op == UBLKEV_OP_WRITE || req->op == UBLKEV_OP_DISCARD ||
	     req->op == UBLKEV_OP_WRITE_ZEROES ||
	     (b->limits.flags & UBLKEV_LIMIT_ZONED &&
	      req->op > UBLKEV_OP_REPORT_ZONES)))
		return -EROFS;
	return -EOPNOTSUPP;
}

static inline int guard_check(const struct ublkev_backend *b,
			      const struct ublkev_req *req)
{
	if (unlikely(b->phase != UBLKEV__GUARD_STARTED ||
		     !guard_legal_op(b, req) ||
		     !guard_legal_range(&b->limits, req)))
		return guard_refusal(b, req);
	return 0;
}

int ublkev__guard_check(const struct ublkev_backend *b,
			const struct ublkev_req *req)
{
	return guard_check(b, req);
}

static inline int guard_submit(struct ublkev_backend *b, struct ublkev_req *req,
			       bool *rejected)
{
	int answer = guard_check(b, req);

	*rejected = unlikely(answer);
	if (*rejected)
		return answer;
	answer = b->ops.submit(b->ctx, req);
	if (answer >= UBLKEV_DONE && answer <= UBLKEV_AGAIN)
		return answer;
	return ublkev__guard_legal_errno(b, b->log, "submit()", answer);
}

int ublkev__guard_submit(struct ublkev_backend *b, struct ublkev_req *req,
			 bool *rejected)
{
	req->data = NULL;
	return guard_submit(b, req, rejected);
}

__attribute__((cold))
int ublkev__guard_go_on(struct ublkev_backend *b, struct ublkev_req *req,
			bool *rejected)
{
	return guard_submit(b, req, rejected);
}

/* ---- requests whose data are in files ----------------------------------- */

static bool guard_legal_zone_extent(const struct ublkev_req *req,
				    const struct ublkev_extent *x)
{
	if (x->fd < 0)
		return true;
	if (req->op == UBLKEV_OP_ZONE_OPEN || req->op == UBLKEV_OP_ZONE_CLOSE)
		return false;
	return x->len_bytes && (req->op != UBLKEV_OP_ZONE_FINISH ||
				x->len_bytes <= UBLKEV_MAX_FINISH_BYTES);
}

static bool guard_legal_extent(const struct ublkev_req *req,
			       const struct ublkev_extent *x)
{
	bool of_data = req->op == UBLKEV_OP_WRITE ||
		       req->op == UBLKEV_OP_ZONE_APPEND;

	if (req->op == UBLKEV_OP_FLUSH)
		return x->fd >= -1 && !(x->offset_bytes | x->len_bytes);
	if (x->fd < (of_data ? 0 : -1) ||
	    x->offset_bytes > INT64_MAX ||
	    x->len_bytes > INT64_MAX - x->offset_bytes)
		return false;
	if (req->op >= UBLKEV_OP_ZONE_OPEN)
		return guard_legal_zone_extent(req, x);
	return x->len_bytes && x->len_bytes <= req->len_bytes;
}

/* NULL, or what is wrong with them */
static const char *guard_bad_extents(const struct ublkev_req *req,
				     const struct ublkev_extent *extents,
				     int n)
{
	uint64_t left = req->len_bytes;
	int i;

	if (!n)
		return "0, which leaves it to a submit() that there is not";
	if (n > UBLKEV_MAX_EXTENTS)
		return "more than UBLKEV_MAX_EXTENTS";
	for (i = 0; i < n; i++) {
		if (!guard_legal_extent(req, &extents[i]))
			return "an extent that has no such file, offset or length";
		/* what is done to a zone has no range */
		if (req->op >= UBLKEV_OP_ZONE_OPEN)
			continue;
		if (extents[i].len_bytes > left)
			return "extents longer than the request";
		left -= extents[i].len_bytes;
	}
	return left ? "extents shorter than the request" : NULL;
}

int ublkev__guard_place(const struct ublkev_backend *b,
			const struct ublkev_req *req,
			struct ublkev_extent *extents, bool *rejected)
{
	int answer = ublkev__guard_check(b, req);
	const char *bad;

	*rejected = unlikely(answer);
	if (*rejected)
		return answer;
	answer = b->ops.place(b->ctx, req, extents);
	if (answer < 0 || (!answer && b->ops.submit))
		return ublkev__guard_legal_errno(b, b->log, "place()", answer);
	bad = guard_bad_extents(req, extents, answer);
	if (!bad)
		return answer;
	ublkev__log(b->log, LOG_ERR, "backend %s: place() answered a %s of %llu bytes at %llu with %s: taken as -EIO",
		    b->ops.name, ublkev_op_name(req->op),
		    (unsigned long long)req->len_bytes,
		    (unsigned long long)req->offset_bytes, bad);
	return -EIO;
}

int ublkev__guard_placed(const struct ublkev_backend *b,
			 const struct ublkev_req *req, int err)
{
	if (!b->ops.placed)
		return err;
	return ublkev__guard_legal_errno(b, b->log, "placed()",
				 b->ops.placed(b->ctx, req, err));
}

int ublkev__guard_op_done(const struct ublkev_backend *b, ublkev_req_fn *done,
			  struct ublkev_req *req, int res)
{
	int answer = done(b->ctx, req, res);

	if (answer == UBLKEV_LATER)
		return answer;
	return ublkev__guard_legal_errno(b, b->log, "done()", answer);
}

int ublkev__guard_sub_done(const struct ublkev_backend *b, ublkev_sub_fn *done,
			   struct ublkev_req *req, void *data, int err)
{
	int answer = done(b->ctx, req, data, err);

	if (answer == UBLKEV_LATER)
		return answer;
	return ublkev__guard_legal_errno(b, b->log, "done()", answer);
}

int ublkev__guard_work_answer(const struct ublkev_backend *b, int res)
{
	return ublkev__guard_legal_errno(b, b->log, "work()", res);
}

/* ---- appends to zones ---------------------------------------------------- */

/* within the zone, whole blocks, all of the data */
static bool guard_legal_append(const struct ublkev_limits *l,
			       const struct ublkev_req *req, int64_t at)
{
	uint64_t offset = (uint64_t)at, zone = req->offset_bytes;

	return !(offset & (l->logical_block_bytes - 1)) && offset >= zone &&
	       offset - zone <= l->chunk_bytes - req->len_bytes;
}

int ublkev__guard_append(const struct ublkev_backend *b, struct ublkev_req *req,
			 bool *rejected)
{
	int err = ublkev__guard_check(b, req);
	int64_t at;

	/* until it is told where, its offset is that of a zone */
	if (!err && req->offset_bytes & (b->limits.chunk_bytes - 1))
		err = -EINVAL;
	*rejected = err;
	if (err)
		return err;
	at = b->ops.append(b->ctx, req);
	if (at < 0)
		return ublkev__guard_legal_errno(b, b->log, "append()",
					 at < -MAX_ERRNO ? INT_MIN : (int)at);
	if (guard_legal_append(&b->limits, req, at)) {
		req->offset_bytes = (uint64_t)at;
		return 0;
	}
	ublkev__log(b->log, LOG_ERR, "backend %s: append() answered %lld for %llu bytes to the zone at %llu, which is not in it: taken as -EIO",
		    b->ops.name, (long long)at,
		    (unsigned long long)req->len_bytes,
		    (unsigned long long)req->offset_bytes);
	return -EIO;
}

__attribute__((noinline))
static void guard_flush_lowers(const struct ublkev_backend *b)
{
	const struct ublkev_lower *w;

	for (w = b->lowers; w; w = w->next)
		ublkev__guard_flush(w->beneath);
}

void ublkev__guard_flush(struct ublkev_backend *b)
{
	if (b->ops.flush)
		b->ops.flush(b->ctx);
	if (unlikely(b->lowers))
		guard_flush_lowers(b);
}

void ublkev_req_done(struct ublkev_backend *b, uint64_t cookie, int err)
{
	/* closed: there is no device that could count a stale answer */
	if (!b->done)
		return;
	if (unlikely(err))
		err = ublkev__guard_legal_errno(b, b->log, "ublkev_req_done()", err);
	b->done(b->owner, cookie, err);
}
