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
#include "layer/lower.h"
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
	ublkev__lowers_free(b);
	free(b);
}

void ublkev_backend_free(struct ublkev_backend *b)
{
	if (!b)
		return;
	ublkev__check(b->above || b->phase == UBLKEV__GUARD_CLOSED ||
		      b->phase == UBLKEV__GUARD_LEFT,
		      "a backend to free is not in use");
	/* a layer has it, or its ublkev_backend_closed() is still to come */
	b->orphan = b->above || b->phase == UBLKEV__GUARD_LEFT;
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

static void guard_forget_owner(struct ublkev_backend *b,
			       enum ublkev__guard_phase phase)
{
	b->phase = phase;
	b->supported = 0;
	b->done = NULL;
	b->closed = NULL;
	b->owner = NULL;
	b->log = NULL;
	b->device = NULL;
	b->sub_done = NULL;
	b->loop = NULL;
}

static void guard_take_user(struct ublkev_backend *b,
			    const struct ublkev__guard_user *user)
{
	b->owner = user->owner;
	b->log = user->log;
	b->device = user->device;
	b->sub_done = user->sub_done;
	if (user->calls)
		b->calls = user->calls;
}

static int guard_call_open(struct ublkev_backend *b)
{
	int err;

	ublkev__limits_default(&b->limits);
	err = b->ops.open(b->ctx, &b->limits);
	if (!err) {
		ublkev__limits_complete(&b->limits);
		/* sub-requests are counted, and their files are the ring's */
		if (b->lowers)
			b->limits.flags |= UBLKEV_LIMIT_REQ_OPS;
		return 0;
	}
	err = ublkev__guard_legal_errno(b, b->log, "open()", err);
	ublkev__lowers_close(b);
	guard_forget_owner(b, UBLKEV__GUARD_CLOSED);
	return err;
}

static unsigned int guard_ops_of(const struct ublkev_backend *b)
{
	return (b->ops.place ? UBLKEV__OPS_PLACE : 0) |
	       (b->ops.append ? UBLKEV__OPS_APPEND : 0) |
	       (b->ops.map ? UBLKEV__OPS_MAP : 0);
}

int ublkev__guard_open_for(struct ublkev_backend *b,
			   const struct ublkev__guard_user *user)
{
	int err;

	if (b->phase != UBLKEV__GUARD_CLOSED)
		return -EBUSY;
	guard_take_user(b, user);
	err = ublkev__lowers_open(b);
	if (err) {
		guard_forget_owner(b, UBLKEV__GUARD_CLOSED);
		return err;
	}
	err = guard_call_open(b);
	if (err)
		return err;
	b->phase = UBLKEV__GUARD_OPEN;
	err = ublkev__limits_check(&b->limits, guard_ops_of(b), b->ops.name,
				   b->log);
	if (err) {
		(void)ublkev__guard_close(b);
		return err;
	}
	b->supported = ublkev__limits_ops(&b->limits);
	b->done = user->done;
	return 0;
}

int ublkev__guard_open(struct ublkev_backend *b, ublkev__guard_done_fn *done,
		       void *owner, const struct ublkev__log *log)
{
	const struct ublkev__guard_user user = {
		.owner = owner, .done = done, .device = owner, .log = log,
	};

	return ublkev__guard_open_for(b, &user);
}

int ublkev__guard_start(struct ublkev_backend *b, struct ev_loop *loop)
{
	int err = ublkev__lowers_start(b, loop);

	if (err)
		return err;
	if (b->ops.start)
		err = ublkev__guard_legal_errno(b, b->log, "start()",
						b->ops.start(b->ctx, loop));
	if (err) {
		ublkev__lowers_stop(b);
		return err;
	}
	b->phase = UBLKEV__GUARD_STARTED;
	b->loop = loop;
	return 0;
}

int ublkev__guard_queue_start(const struct ublkev_backend *b,
			      unsigned int queue, struct ev_loop *loop)
{
	int err = ublkev__lowers_queue_start(b, queue, loop);

	if (err || !b->ops.queue_start)
		return err;
	err = ublkev__guard_legal_errno(b, b->log, "queue_start()",
				b->ops.queue_start(b->ctx, queue, loop));
	if (err)
		ublkev__lowers_queue_stop(b, queue);
	return err;
}

void ublkev__guard_queue_stop(const struct ublkev_backend *b,
			      unsigned int queue)
{
	if (b->ops.queue_stop)
		b->ops.queue_stop(b->ctx, queue);
	ublkev__lowers_queue_stop(b, queue);
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
	ublkev__lowers_stop(b);
}

/* ---- closing ------------------------------------------------------------ */

/*
 * It has closed, and so have its lower ones. Whether nobody has it any more, so that
 * it is to be freed: only of one whose owner has ended.
 */
static bool guard_closed(struct ublkev_backend *b)
{
	ublkev__guard_closed_fn *closed = b->closed;
	bool nobodys = !closed && b->orphan && !b->above;
	void *owner = b->owner;

	b->below = false;
	guard_forget_owner(b, UBLKEV__GUARD_CLOSED);
	if (closed)
		closed(owner);
	return nobodys;
}

void ublkev__guard_below_closed(struct ublkev_backend *b)
{
	if (b->below && guard_closed(b))
		guard_free(b);
}

/* it has closed itself: what it may have touched is nobody's now */
static bool guard_closed_itself(struct ublkev_backend *b)
{
	/* it is told of each that closes meanwhile, and none is the last yet */
	bool later = ublkev__lowers_begin_close(b);

	b->below = true;
	return !later && guard_closed(b);
}

static void guard_call_close(struct ublkev_backend *b)
{
	int answer = UBLKEV_DONE;

	if (b->ops.close_begin)
		answer = b->ops.close_begin(b->ctx);
	else if (b->ops.close)
		b->ops.close(b->ctx);
	/* its ublkev_backend_closed() came before it returned */
	if (b->phase == UBLKEV__GUARD_CLOSED || b->below ||
	    answer == UBLKEV_LATER)
		return;
	if (answer != UBLKEV_DONE)
		ublkev__log(b->log, LOG_ERR, "backend %s: close_begin() "
			    "answered %d, which is neither UBLKEV_DONE nor "
			    "UBLKEV_LATER: taken as closed", b->ops.name,
			    answer);
	(void)guard_closed_itself(b);
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

	if (answer == UBLKEV_LATER) {
		guard_forget_owner(b, UBLKEV__GUARD_LEFT);
		ublkev__lowers_orphan(b);
	}
	return answer;
}

void ublkev__guard_orphan(struct ublkev_backend *b)
{
	b->done = NULL;
	b->log = NULL;
	b->device = NULL;
	ublkev__lowers_orphan(b);
}

void ublkev__guard_leave(struct ublkev_backend *b)
{
	ublkev__guard_stop(b);
	guard_forget_owner(b, UBLKEV__GUARD_LEFT);
	ublkev__lowers_leave(b);
}

void ublkev_backend_closed(struct ublkev_backend *b)
{
	if (b->phase == UBLKEV__GUARD_OPEN || b->phase == UBLKEV__GUARD_STARTED)
		ublkev__log(b->log, LOG_ERR, "backend %s: "
			    "ublkev_backend_closed() without a close_begin() "
			    "that it ends", b->ops.name);
	if (b->below || (b->phase != UBLKEV__GUARD_CLOSING &&
			 b->phase != UBLKEV__GUARD_LEFT))
		return;
	if (guard_closed_itself(b))
		guard_free(b);
}
