/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The public calls of ublkev/reqop.h, and the way back from the ring and from
 * the pool to the backend's `done`.
 */
#include "ev/evreqop.h"

#include <limits.h>
#include <stddef.h>

#include "backend/guard.h"
#include "ev/engine.h"
#include "ev/evloop.h"
#include "ev/evoffload.h"
#include "ev/evpump.h"
#include "ev/evworker.h"
#include "util/check.h"
#include "util/thread.h"

bool ublkev__reqop_used(const struct ublkev_backend *b)
{
	return b && b->limits.flags & UBLKEV_LIMIT_REQ_OPS;
}

static struct ublkev__tagops *reqop_of(const struct ublkev__engine *e,
				       const struct ublkev__queue *q,
				       unsigned int tag)
{
	return &e->tagops[(size_t)q->id * q->depth + tag];
}

struct ublkev__lane *ublkev__reqop_lane(struct ublkev__engine *e,
					unsigned int queue)
{
	return e->nr_workers ? ublkev__worker_lane(e, queue) : &e->lane;
}

/* ---- answers ---------------------------------------------------------------- */

/* nothing more is to be said of it: the request may have its answer */
void ublkev__reqop_settle(struct ublkev__lane *l, struct ublkev__tagops *t)
{
	struct ublkev_req *req = t->o.req;
	bool answers;
	int err;

	if (t->sub) {
		if (ublkev__reqops_settle_sub(&t->o, &err))
			ublkev__sub_answered(l, t->sub, err);
		return;
	}
	if (ublkev__reqops_settle(&t->o, &answers, &err) && answers)
		ublkev__queue_done(&l->e->queues[req->thread], req->cookie, err);
}

static int reqop_call(struct ublkev__lane *l, struct ublkev__tagops *t,
		      ublkev_req_fn *done, int res)
{
	int answer;

	if (l->worker)
		ublkev__worker_enters_backend(l);
	answer = ublkev__guard_op_done(t->backend, done, t->o.req, res);
	if (l->worker)
		ublkev__worker_leaves_backend(l);
	return answer;
}

/* `done` is called, or answers for it; then the request may be over */
static void reqop_ended(struct ublkev__lane *l, struct ublkev__tagops *t,
			ublkev_req_fn *done, int res)
{
	int answer = done ? reqop_call(l, t, done, res) : res;

	if (answer != UBLKEV_LATER)
		ublkev__reqops_answer(&t->o, answer);
	ublkev__reqop_settle(l, t);
}

static struct ublkev__tagops *reqop_find(const struct ublkev__engine *e,
					 uint64_t cookie)
{
	unsigned int queue = ublkev__cookie_queue(cookie);
	unsigned int tag = ublkev__cookie_tag(cookie);
	struct ublkev__tagops *t;

	if (!e->tagops || queue >= e->nr_queues ||
	    tag >= e->queues[queue].depth)
		return NULL;
	t = reqop_of(e, &e->queues[queue], tag);
	return t->o.req && t->o.req->cookie == cookie ? t : NULL;
}

bool ublkev__reqop_answer(struct ublkev__engine *e, uint64_t cookie, int err)
{
	struct ublkev__tagops *t = reqop_find(e, cookie);

	/* of one that was failed there is nobody who could be answered */
	if (!t || t->o.aborted)
		return false;
	ublkev__reqops_answer(&t->o, err);
	return true;
}

bool ublkev__reqop_keeps_answer(struct ublkev__lane *l, uint64_t cookie,
				int res)
{
	if (!reqop_find(l->e, cookie))
		return false;
	if (res <= UBLKEV_DONE)
		(void)ublkev__reqop_answer(l->e, cookie, res);
	return true;
}

/* ---- to the ring and back ---------------------------------------------------- */

static void reqop_list(struct ublkev__lane *l, struct ublkev__tagops *t)
{
	struct ublkev__reqops *o = &t->o;

	if (o->listed || !ublkev__reqops_want(o))
		return;
	if (t->sub) {
		ublkev__sub_list(l, t->sub);
		return;
	}
	o->listed = true;
	o->next = NULL;
	if (l->wanting_ops)
		l->last_wanting_ops->next = o;
	else
		l->wanting_ops = o;
	l->last_wanting_ops = o;
}

static void reqop_pull(struct ublkev__lane *l, struct ublkev__reqops *o)
{
	struct ublkev__fileop op;

	while (ublkev__io_has_file_room(l->io) && ublkev__reqops_next(o, &op)) {
		ublkev__io_file(l->io, o->req->queue, o->req->tag, &op);
		l->nr_flying += op.kind != UBLKEV__FILEOP_CANCEL;
	}
}

void ublkev__reqop_out(struct ublkev__lane *l)
{
	struct ublkev__reqops *o;

	while ((o = l->wanting_ops)) {
		/* one that is over was to be cancelled, and needs that no more */
		if (o->req)
			reqop_pull(l, o);
		if (o->req && ublkev__reqops_want(o))
			return;
		l->wanting_ops = o->next;
		o->listed = false;
	}
}

/*
 * Of a sub-request that a recall has cut short the device's request is another
 * server's, too.
 */
static void reqop_tell_withdrawn(struct ublkev__lane *l,
				 const struct ublkev__tagops *t)
{
	if (t->sub && t->o.withdrawn)
		ublkev__reqop_withdraw(l, &t->sub->req);
}

void ublkev__reqop_withdraw(struct ublkev__lane *l, const struct ublkev_req *req)
{
	struct ublkev__queue *q = &l->e->queues[req->thread];

	ublkev__reqops_refuse(&reqop_of(l->e, q, req->tag)->o,
			      &q->tags[req->tag].req);
}

bool ublkev__reqop_complete(struct ublkev__lane *l, struct ublkev__tagops *t,
			    unsigned int slot, int res)
{
	ublkev_req_fn *done;
	int n = ublkev__reqops_cqe(&t->o, slot, res, &done, &res);

	if (n < 0)
		return false;
	if (!n) {
		reqop_list(l, t);
		return true;
	}
	if (!t->o.used)
		l->nr_placed--;
	reqop_tell_withdrawn(l, t);
	reqop_ended(l, t, done, res);
	return true;
}

bool ublkev__reqop_cqe(struct ublkev__lane *l, const struct ublkev__cqe *cqe)
{
	unsigned int n = ublkev__cqe_queue(cqe) - l->first_id;
	struct ublkev__tagops *t = reqop_of(l->e, &l->queues[n], cqe->tag);

	/* counted before `done` may begin another */
	if (!(t->o.flying >> ublkev__cqe_piece(cqe) & 1))
		return false;
	l->nr_flying--;
	return ublkev__reqop_complete(l, t, ublkev__cqe_piece(cqe), cqe->res);
}

/* ---- to a thread and back ------------------------------------------------------ */

static struct ublkev__tagops *reqop_of_job(struct ublkev__job *job)
{
	return (struct ublkev__tagops *)
		((char *)job - offsetof(struct ublkev__tagops, job));
}

static void reqop_run(struct ublkev__job *job)
{
	struct ublkev__tagops *t = reqop_of_job(job);

	t->work_res = t->work(t->ctx, t->o.req);
}

/* what it returned is an answer if there is no `done` to judge it */
static void reqop_worked(struct ublkev__lane *l, struct ublkev__job *job)
{
	struct ublkev__tagops *t = reqop_of_job(job);
	int res = job->dropped ? -ECANCELED : t->work_res;

	l->nr_flying--;
	ublkev__reqops_worked(&t->o, job->dropped);
	reqop_tell_withdrawn(l, t);
	if (!t->work_done)
		res = ublkev__guard_work_answer(t->backend, res);
	reqop_ended(l, t, t->work_done, res);
}

void ublkev__reqop_take(struct ublkev__lane *l)
{
	struct ublkev__job *job = ublkev__offload_take(l), *next;

	for (; job; job = next) {
		next = job->next;
		if (job == &ublkev__offload_growth(l->e)->job)
			l->e->grown = true;
		else
			reqop_worked(l, job);
	}
}

/* ---- the calls ------------------------------------------------------------------ */

/* a request of the device's, as its queue has it */
static int reqop_check_tag(const struct ublkev__engine *e,
			   const struct ublkev_req *req)
{
	const struct ublkev__queue *q = &e->queues[req->thread];

	if (&q->tags[req->tag].req != req)
		return -EINVAL;
	if (q->failing)
		return -ECANCELED;
	return q->tags[req->tag].state == UBLKEV__TAG_BACKEND ? 0 : -EINVAL;
}

static int reqop_find_of(struct ublkev_backend *b, struct ublkev_req *req,
			 struct ublkev__tagops **tp)
{
	struct ublkev__engine *e = b->device;
	struct ublkev__sub *s;

	if (req->thread >= e->nr_queues ||
	    req->tag >= e->queues[req->thread].depth)
		return -EINVAL;
	if (!b->above) {
		*tp = reqop_of(e, &e->queues[req->thread], req->tag);
		return reqop_check_tag(e, req);
	}
	s = ublkev__sub_of(&ublkev__reqop_lane(e, req->thread)->subs, b, req);
	if (!s)
		return -EINVAL;
	*tp = &s->t;
	return e->queues[req->thread].failing ? -ECANCELED : 0;
}

int ublkev__reqop_resolve(struct ublkev_backend *b, struct ublkev_req *req,
			  struct ublkev__lane **lp, struct ublkev__tagops **tp)
{
	struct ublkev__engine *e = b->device;
	int err;

	if (!ublkev__reqop_used(b))
		return -EOPNOTSUPP;
	if (!e || !e->tagops)
		return -ECANCELED;
	err = reqop_find_of(b, req, tp);
	if (err)
		return err;
	ublkev__check(e->nr_workers || e->thread == ublkev__thread_self(),
		      "operations are begun in the thread of the loop");
	*lp = ublkev__reqop_lane(e, req->thread);
	if ((*lp)->life.recall == UBLKEV__RECALL_UNASKED)
		return 0;
	ublkev__reqop_withdraw(*lp, req);
	return -ECANCELED;
}

/* 0, and where the request's are; or why nothing can be begun */
static int reqop_begin(struct ublkev_backend *b, struct ublkev_req *req,
		       struct ublkev__lane **lp, struct ublkev__tagops **tp)
{
	int err = ublkev__reqop_resolve(b, req, lp, tp);

	if (!err)
		err = ublkev__reqops_begin(&(*tp)->o, req);
	if (!err)
		(*tp)->backend = b;
	return err;
}

static int reqop_file(struct ublkev_backend *b, struct ublkev_req *req,
		      const struct ublkev__fileop *op, ublkev_req_fn *done)
{
	struct ublkev__tagops *t;
	struct ublkev__lane *l;
	bool first;
	int err;

	if (op->fd < 0 || op->offset_bytes > INT64_MAX ||
	    op->len_bytes > INT64_MAX - op->offset_bytes)
		return -EINVAL;
	err = reqop_begin(b, req, &l, &t);
	if (err)
		return err;
	first = !t->o.used;
	err = ublkev__reqops_add(&t->o, op, done);
	if (err)
		return err;
	l->nr_placed += first;
	reqop_list(l, t);
	ublkev__evloop_kick(l);
	return 0;
}

static int reqop_rw(struct ublkev_backend *b, struct ublkev_req *req,
		    struct ublkev__fileop *op, ublkev_req_fn *done)
{
	if (!op->len_bytes || op->len_bytes > INT_MAX)
		return -EINVAL;
	return reqop_file(b, req, op, done);
}

int ublkev_req_pread(struct ublkev_backend *b, struct ublkev_req *req, int fd,
		     void *buf, size_t len_bytes, uint64_t offset_bytes,
		     ublkev_req_fn *done)
{
	struct ublkev__fileop op = {
		.kind = UBLKEV__FILEOP_READ, .fd = fd, .addr = buf,
		.len_bytes = len_bytes, .offset_bytes = offset_bytes,
	};

	return reqop_rw(b, req, &op, done);
}

int ublkev_req_pwrite(struct ublkev_backend *b, struct ublkev_req *req, int fd,
		      const void *buf, size_t len_bytes, uint64_t offset_bytes,
		      ublkev_req_fn *done)
{
	bool durable = req->flags & UBLKEV_REQ_FUA;
	struct ublkev__fileop op = {
		.kind = durable ? UBLKEV__FILEOP_WRITE_SYNC
				: UBLKEV__FILEOP_WRITE,
		.fd = fd, .addr = (void *)(uintptr_t)buf,
		.len_bytes = len_bytes, .offset_bytes = offset_bytes,
	};

	return reqop_rw(b, req, &op, done);
}

int ublkev_req_fsync(struct ublkev_backend *b, struct ublkev_req *req, int fd,
		     ublkev_req_fn *done)
{
	const struct ublkev__fileop op = {
		.kind = UBLKEV__FILEOP_SYNC, .fd = fd,
	};

	return reqop_file(b, req, &op, done);
}

int ublkev_req_fallocate(struct ublkev_backend *b, struct ublkev_req *req,
			 int fd, int mode, uint64_t offset_bytes,
			 uint64_t len_bytes, ublkev_req_fn *done)
{
	const struct ublkev__fileop op = {
		.kind = UBLKEV__FILEOP_ALLOCATE, .fd = fd,
		.mode = (uint32_t)mode,
		.offset_bytes = offset_bytes, .len_bytes = len_bytes,
	};

	return len_bytes ? reqop_file(b, req, &op, done) : -EINVAL;
}

int ublkev_offload(struct ublkev_backend *b, struct ublkev_req *req,
		   ublkev_work_fn *work, ublkev_req_fn *done)
{
	struct ublkev__tagops *t;
	struct ublkev__lane *l;
	int err = reqop_begin(b, req, &l, &t);

	if (err)
		return err;
	if (t->o.works)
		return -EBUSY;
	t->ctx = b->ctx;
	t->work = work;
	t->work_done = done;
	t->job.run = reqop_run;
	t->o.works = true;
	err = ublkev__offload_start(l, &t->job);
	if (err) {
		t->o.works = false;
		ublkev__reqop_settle(l, t);
		return err;
	}
	l->nr_flying++;
	return 0;
}

const struct ublkev__reqop_calls ublkev__reqop_calls = {
	.pread = ublkev_req_pread,
	.pwrite = ublkev_req_pwrite,
	.fsync = ublkev_req_fsync,
	.fallocate = ublkev_req_fallocate,
};

/* ---- the end ----------------------------------------------------------------------- */

void ublkev__reqop_end(struct ublkev__lane *l, struct ublkev__tagops *t)
{
	unsigned int slot;

	while (t->o.req && ublkev__reqops_drop(&t->o, &slot))
		(void)ublkev__reqop_complete(l, t, slot, -ECANCELED);
	if (t->o.req)
		reqop_list(l, t);
}

static void reqop_end_all(struct ublkev__lane *l,
			  void (*how)(struct ublkev__reqops *o))
{
	const struct ublkev__queue *q;
	struct ublkev__tagops *t;
	unsigned int tag;

	if (!l->e->tagops)
		return;
	for (q = l->queues; q < l->queues + l->nr_queues; q++) {
		for (tag = 0; tag < q->depth; tag++) {
			t = reqop_of(l->e, q, tag);
			if (ublkev__queue_has_no(q, tag) || !t->o.req)
				continue;
			how(&t->o);
			ublkev__reqop_end(l, t);
		}
	}
	ublkev__offload_drop(l->e);
	ublkev__reqop_out(l);
	ublkev__subs_out(l);
}

void ublkev__reqop_abort(struct ublkev__lane *l)
{
	ublkev__subs_abort(l);
	reqop_end_all(l, ublkev__reqops_abort);
}

void ublkev__reqop_recall(struct ublkev__lane *l)
{
	ublkev__subs_recall(l);
	reqop_end_all(l, ublkev__reqops_recall);
}
