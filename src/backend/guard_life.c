/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A backend from its making to its end: opened and closed, started and stopped,
 * resized. guard.c has the calls that are about requests.
 */
#include "backend/guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/limits.h"
#include "util/check.h"

/* ---- life of a backend -------------------------------------------------- */

/* what every version of the struct had */
#define OPS_LEAST_BYTES	(offsetof(struct ublkev_backend_ops, submit) + \
			 sizeof(((struct ublkev_backend_ops *)0)->submit))

static size_t guard_least(size_t a, size_t b)
{
	return a < b ? a : b;
}

int ublkev__guard_new(struct ublkev_backend **backendp,
		      const struct ublkev_backend_ops *ops, void *ctx,
		      void (*ctx_free)(void *ctx))
{
	struct ublkev_backend_ops own = { .size = sizeof(own) };
	struct ublkev_backend *b;
	const char *name;
	size_t name_bytes;

	if (ops->size < OPS_LEAST_BYTES)
		return -EINVAL;
	memcpy(&own, ops, guard_least(ops->size, sizeof(own)));
	own.size = sizeof(own);
	if (!own.open || !(own.submit || own.place))
		return -EINVAL;
	name = own.name ? own.name : "backend";
	name_bytes = strlen(name) + 1;
	b = calloc(1, sizeof(*b) + name_bytes);
	if (!b)
		return -ENOMEM;
	b->ops = own;
	b->ops.name = memcpy(b + 1, name, name_bytes);
	b->ctx = ctx;
	b->ctx_free = ctx_free;
	*backendp = b;
	return 0;
}

int ublkev_backend_new(struct ublkev_backend **backendp,
		       const struct ublkev_backend_ops *ops, void *ctx)
{
	return ublkev__guard_new(backendp, ops, ctx, NULL);
}

static void guard_free(struct ublkev_backend *b)
{
	if (b->ctx_free)
		b->ctx_free(b->ctx);
	free(b);
}

void ublkev_backend_free(struct ublkev_backend *b)
{
	if (!b)
		return;
	ublkev__check(b->phase == UBLKEV__GUARD_CLOSED ||
		      b->phase == UBLKEV__GUARD_LEFT,
		      "a backend to free is not in use");
	/* its ublkev_backend_closed() is still to come */
	b->orphan = b->phase == UBLKEV__GUARD_LEFT;
	if (!b->orphan)
		guard_free(b);
}

void *ublkev_backend_ctx(const struct ublkev_backend *b)
{
	return b->ctx_free ? NULL : b->ctx;
}

const char *ublkev_backend_name(const struct ublkev_backend *b)
{
	return b->ops.name;
}

/* ---- open to close ------------------------------------------------------ */

int ublkev__guard_open(struct ublkev_backend *b, ublkev__guard_done_fn *done,
		       void *owner, const struct ublkev__log *log)
{
	int err;

	if (b->phase != UBLKEV__GUARD_CLOSED)
		return -EBUSY;
	ublkev__limits_default(&b->limits);
	err = b->ops.open(b->ctx, &b->limits);
	if (err)
		return ublkev__guard_legal_errno(b, log, "open()", err);
	ublkev__limits_complete(&b->limits);
	b->phase = UBLKEV__GUARD_OPEN;
	b->owner = owner;
	b->log = log;
	err = ublkev__limits_check(&b->limits, (b->ops.place ?
				   UBLKEV__OPS_PLACE : 0) | (b->ops.append ?
				   UBLKEV__OPS_APPEND : 0) | (b->ops.map ?
				   UBLKEV__OPS_MAP : 0), b->ops.name, log);
	if (err) {
		(void)ublkev__guard_close(b);
		return err;
	}
	b->supported = ublkev__limits_ops(&b->limits);
	b->done = done;
	return 0;
}

int ublkev__guard_start(struct ublkev_backend *b, struct ev_loop *loop)
{
	int err = 0;

	if (b->ops.start)
		err = ublkev__guard_legal_errno(b, b->log, "start()",
					b->ops.start(b->ctx, loop));
	if (!err)
		b->phase = UBLKEV__GUARD_STARTED;
	return err;
}

int ublkev__guard_queue_start(const struct ublkev_backend *b,
			      unsigned int queue, struct ev_loop *loop)
{
	if (!b->ops.queue_start)
		return 0;
	return ublkev__guard_legal_errno(b, b->log, "queue_start()",
				 b->ops.queue_start(b->ctx, queue, loop));
}

void ublkev__guard_queue_stop(const struct ublkev_backend *b,
			      unsigned int queue)
{
	if (b->ops.queue_stop)
		b->ops.queue_stop(b->ctx, queue);
}

int ublkev__guard_can_resize(const struct ublkev_backend *b,
			     uint64_t dev_bytes)
{
	if (!dev_bytes || dev_bytes > INT64_MAX ||
	    dev_bytes & (b->limits.logical_block_bytes - 1))
		return -EINVAL;
	/*
	 * The block layer counts a disk's zones once, in START_DEV; metadata
	 * are behind data, as a rule.
	 */
	if (b->limits.flags & UBLKEV_LIMIT_ZONED || b->limits.metadata_bytes)
		return -EOPNOTSUPP;
	return b->ops.resize ? 0 : -EOPNOTSUPP;
}

int ublkev__guard_grow(const struct ublkev_backend *b, uint64_t dev_bytes)
{
	return b->ops.grow(b->ctx, dev_bytes);
}

int ublkev__guard_grown(const struct ublkev_backend *b, int answer)
{
	return ublkev__guard_legal_errno(b, b->log, "grow()", answer);
}

int ublkev__guard_resize(struct ublkev_backend *b, uint64_t dev_bytes)
{
	bool grows = dev_bytes > b->limits.dev_bytes;
	int err;

	if (!grows)
		b->limits.dev_bytes = dev_bytes;
	err = b->ops.resize(b->ctx, dev_bytes);
	if (err == UBLKEV_AGAIN && !grows)
		return err;
	err = ublkev__guard_legal_errno(b, b->log, "resize()", err);
	if (!err)
		b->limits.dev_bytes = dev_bytes;
	return err;
}

void ublkev__guard_stop(struct ublkev_backend *b)
{
	if (b->phase != UBLKEV__GUARD_STARTED)
		return;
	b->phase = UBLKEV__GUARD_OPEN;
	if (b->ops.stop)
		b->ops.stop(b->ctx);
}

/* ---- closing ------------------------------------------------------------ */

static void guard_forget_owner(struct ublkev_backend *b,
			       enum ublkev__guard_phase phase)
{
	b->phase = phase;
	b->supported = 0;
	b->done = NULL;
	b->closed = NULL;
	b->owner = NULL;
	b->log = NULL;
}

static void guard_call_close(struct ublkev_backend *b)
{
	int answer = UBLKEV_DONE;

	if (b->ops.close_begin)
		answer = b->ops.close_begin(b->ctx);
	else if (b->ops.close)
		b->ops.close(b->ctx);
	/* its ublkev_backend_closed() came before it returned */
	if (b->phase == UBLKEV__GUARD_CLOSED || answer == UBLKEV_LATER)
		return;
	if (answer != UBLKEV_DONE)
		ublkev__log(b->log, LOG_ERR, "backend %s: close_begin() "
			    "answered %d, which is neither UBLKEV_DONE nor "
			    "UBLKEV_LATER: taken as closed", b->ops.name,
			    answer);
	guard_forget_owner(b, UBLKEV__GUARD_CLOSED);
}

int ublkev__guard_begin_close(struct ublkev_backend *b,
			      ublkev__guard_closed_fn *closed)
{
	ublkev__guard_stop(b);
	if (b->phase == UBLKEV__GUARD_OPEN) {
		b->phase = UBLKEV__GUARD_CLOSING;
		guard_call_close(b);
	}
	if (b->phase == UBLKEV__GUARD_CLOSED)
		return UBLKEV_DONE;
	b->closed = closed;
	return UBLKEV_LATER;
}

int ublkev__guard_close(struct ublkev_backend *b)
{
	int answer = ublkev__guard_begin_close(b, NULL);

	if (answer == UBLKEV_LATER)
		guard_forget_owner(b, UBLKEV__GUARD_LEFT);
	return answer;
}

void ublkev__guard_leave(struct ublkev_backend *b)
{
	ublkev__guard_stop(b);
	guard_forget_owner(b, UBLKEV__GUARD_LEFT);
}

void ublkev_backend_closed(struct ublkev_backend *b)
{
	enum ublkev__guard_phase was = b->phase;
	ublkev__guard_closed_fn *closed = b->closed;
	void *owner = b->owner;

	if (was == UBLKEV__GUARD_OPEN || was == UBLKEV__GUARD_STARTED)
		ublkev__log(b->log, LOG_ERR, "backend %s: "
			    "ublkev_backend_closed() without a close_begin() "
			    "that it ends", b->ops.name);
	if (was != UBLKEV__GUARD_CLOSING && was != UBLKEV__GUARD_LEFT)
		return;
	guard_forget_owner(b, UBLKEV__GUARD_CLOSED);
	if (closed)
		closed(owner);
	else if (b->orphan)
		guard_free(b);
}
