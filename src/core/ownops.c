/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which operations of a request are due, which are with the kernel, what a
 * completion means, and when the request may be answered.
 */
#include "core/ownops.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static_assert(UBLKEV_MAX_REQ_OPS <= 8, "the slots are the bits of a byte");

#define ALL_SLOTS	((1u << UBLKEV_MAX_REQ_OPS) - 1)

static uint8_t ownops_bit(unsigned int slot)
{
	return (uint8_t)(1u << slot);
}

/* nothing is begun for it any more */
static bool ownops_ends(const struct ublkev__reqops *o)
{
	return o->aborted || o->recalled;
}

int ublkev__reqops_begin(struct ublkev__reqops *o, struct ublkev_req *req)
{
	if (o->req)
		return ownops_ends(o) ? -ECANCELED : 0;
	o->req = req;
	o->used = o->todo = o->flying = o->cancel = 0;
	o->subs = 0;
	o->works = o->answered = false;
	o->aborted = o->recalled = o->withdrawn = false;
	o->err = 0;
	return 0;
}

int ublkev__reqops_add(struct ublkev__reqops *o,
		       const struct ublkev__fileop *op, ublkev_req_fn *done)
{
	unsigned int slot = (unsigned int)__builtin_ctz(~(unsigned int)o->used);
	struct ublkev__reqop *r;

	if (slot >= UBLKEV_MAX_REQ_OPS)
		return -EBUSY;
	r = &o->v[slot];
	r->op = *op;
	r->op.piece = (uint8_t)slot;
	r->done = done;
	r->all_bytes = op->kind <= UBLKEV__FILEOP_WRITE_SYNC ?
		(uint32_t)op->len_bytes : 0;
	r->moved_bytes = 0;
	r->tries = 0;
	o->used |= ownops_bit(slot);
	o->todo |= ownops_bit(slot);
	return 0;
}

static unsigned int ownops_take(uint8_t *set)
{
	unsigned int slot = (unsigned int)__builtin_ctz(*set);

	*set &= (uint8_t)(*set - 1);
	return slot;
}

bool ublkev__reqops_next(struct ublkev__reqops *o, struct ublkev__fileop *op)
{
	unsigned int slot;

	if (o->cancel) {
		memset(op, 0, sizeof(*op));
		op->kind = UBLKEV__FILEOP_CANCEL;
		op->piece = (uint8_t)ownops_take(&o->cancel);
		return true;
	}
	if (!o->todo)
		return false;
	slot = ownops_take(&o->todo);
	o->flying |= ownops_bit(slot);
	*op = o->v[slot].op;
	return true;
}

/* whether it goes on: a part of it was done */
static bool ownops_moved(struct ublkev__reqop *r, uint32_t bytes)
{
	bool any = bytes && bytes <= r->op.len_bytes;

	if (!any)
		return false;
	r->op.offset_bytes += bytes;
	r->op.len_bytes -= bytes;
	r->op.addr = (char *)r->op.addr + bytes;
	r->moved_bytes += bytes;
	r->tries = 0;
	return r->op.len_bytes;
}

static bool ownops_may_try(struct ublkev__reqop *r, int res)
{
	return (res == -EAGAIN || res == -EINTR) &&
	       ++r->tries <= UBLKEV__PLACED_TRIES;
}

/* EDQUOT: see placed_fail(). A write that ended short has met no end of file. */
static int ownops_result(const struct ublkev__reqop *r, int res)
{
	if (res < 0)
		return res == -EDQUOT ? -ENOSPC : res;
	if (r->op.kind == UBLKEV__FILEOP_READ || r->moved_bytes == r->all_bytes)
		return (int)r->moved_bytes;
	return -EIO;
}

/* without a `done`, a result that is not whole is an error of the request */
static int ownops_default(const struct ublkev__reqop *r, int res)
{
	if (res < 0)
		return res;
	return (uint32_t)res == r->all_bytes ? 0 : -EIO;
}

/* the kernel says so of what was cancelled, or would have been tried again */
static bool ownops_was_cut(int res)
{
	return res == -ECANCELED || res == -EINTR || res == -EAGAIN;
}

static bool ownops_goes_on(struct ublkev__reqop *r, int res)
{
	if (res < 0)
		return ownops_may_try(r, res);
	return r->all_bytes && ownops_moved(r, (uint32_t)res);
}

int ublkev__reqops_cqe(struct ublkev__reqops *o, unsigned int slot, int res,
		       ublkev_req_fn **done, int *resp)
{
	uint8_t bit = slot < UBLKEV_MAX_REQ_OPS ? ownops_bit(slot) : 0;
	struct ublkev__reqop *r;

	if (!(o->flying & bit))
		return -EPROTO;
	r = &o->v[slot];
	o->flying &= (uint8_t)~bit;
	o->cancel &= (uint8_t)~bit;
	if (ownops_goes_on(r, res)) {
		if (!ownops_ends(o)) {
			o->todo |= bit;
			return 0;
		}
		res = -ECANCELED;
	}
	o->withdrawn |= o->recalled && ownops_was_cut(res);
	o->used &= (uint8_t)~bit;
	*done = r->done;
	*resp = ownops_result(r, res);
	if (!*done)
		*resp = ownops_default(r, *resp);
	return 1;
}

void ublkev__reqops_worked(struct ublkev__reqops *o, bool dropped)
{
	o->works = false;
	o->withdrawn |= o->recalled && dropped;
}

void ublkev__reqops_answer(struct ublkev__reqops *o, int err)
{
	if (!o->err)
		o->err = err;
	o->answered = true;
}

bool ublkev__reqops_settle(struct ublkev__reqops *o, bool *answers, int *err)
{
	if (!o->req || ublkev__reqops_out(o))
		return false;
	*answers = o->answered && !o->aborted && !o->withdrawn;
	*err = o->err;
	/* one that was withdrawn stays with the backend, whatever it says */
	if (o->withdrawn && !o->aborted)
		return true;
	o->req = NULL;
	return true;
}

bool ublkev__reqops_settle_sub(struct ublkev__reqops *o, int *err)
{
	if (!o->req || ublkev__reqops_out(o))
		return false;
	o->req = NULL;
	*err = o->err;
	return o->answered;
}

bool ublkev__reqops_drop(struct ublkev__reqops *o, unsigned int *slot)
{
	if (!o->todo)
		return false;
	*slot = ownops_take(&o->todo);
	o->flying |= ownops_bit(*slot);
	return true;
}

void ublkev__reqops_refuse(struct ublkev__reqops *o, struct ublkev_req *req)
{
	(void)ublkev__reqops_begin(o, req);
	o->recalled = o->withdrawn = true;
}

static void ownops_cancel(struct ublkev__reqops *o)
{
	o->cancel = o->flying;
}

void ublkev__reqops_abort(struct ublkev__reqops *o)
{
	ownops_cancel(o);
	o->aborted = true;
}

void ublkev__reqops_recall(struct ublkev__reqops *o)
{
	if (ownops_ends(o))
		return;
	ownops_cancel(o);
	o->recalled = true;
}

void ublkev__reqops_verify(const struct ublkev__reqops *o)
{
	assert(!(o->used & ~ALL_SLOTS));
	assert((o->todo | o->flying) == o->used);
	assert(!(o->todo & o->flying) && !(o->cancel & ~o->flying));
	assert(o->req || !ublkev__reqops_out(o));
	assert(!o->cancel || ownops_ends(o));
	assert(!o->err || o->answered);
	assert(!o->withdrawn || o->recalled);
}
