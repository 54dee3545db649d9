/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Carries the operations that core/placed.h wants done to the ring and their
 * completions back. What found no room waits in a list of its lane, in its
 * order.
 */
#include "ev/evfile.h"

#include "backend/guard.h"
#include "ev/engine.h"
#include "ev/evpump.h"
#include "ev/evreqop.h"

static struct ublkev__placed *file_of(const struct ublkev__engine *e,
				      const struct ublkev__queue *q,
				      unsigned int tag)
{
	return &e->placed[(size_t)q->id * q->depth + tag];
}

static struct ublkev__queue *file_queue(const struct ublkev__lane *l,
					const struct ublkev_req *req)
{
	return &l->queues[req->queue - l->first_id];
}

static void file_list(struct ublkev__lane *l, struct ublkev__placed *p)
{
	if (p->listed || !ublkev__placed_wants(p))
		return;
	p->listed = true;
	p->next = NULL;
	if (l->wanting)
		l->last_wanting->next = p;
	else
		l->wanting = p;
	l->last_wanting = p;
}

/*
 * The request is over. Of one that was aborted the answer was given before. One
 * that was recalled has none: for the driver it is still with us, and given to
 * the next server, or failed, when ublkc is closed.
 */
static void file_end(struct ublkev__lane *l, struct ublkev__placed *p)
{
	const struct ublkev_req *req = p->req;
	bool withdrawn = ublkev__placed_withdrawn(p);
	int err;

	p->req = NULL;
	l->nr_placed--;
	l->punches |= p->punches;
	l->stats.lent += p->way == UBLKEV__WAY_LENT && !p->err;
	err = ublkev__guard_placed(l->e->backend, req, p->err);
	if (!p->aborted && !withdrawn)
		ublkev__queue_done(file_queue(l, req), req->cookie, err);
}

/* the tag's own, NULL: there is no memory for any */
static void *file_buf(struct ublkev__lane *l, const struct ublkev_req *req)
{
	const struct ublkev__queue *q = file_queue(l, req);

	if (!q->bufs && ublkev__engine_need_bufs(l))
		return NULL;
	return ublkev__queue_own_buf(q, &q->tags[req->tag]);
}

/* once a lane, be it of a file or for want of a slot: stats.lent tells how many */
static void file_log_refusal(struct ublkev__lane *l, int err)
{
	if (l->refused_pages)
		return;
	l->refused_pages = true;
	ublkev__log(&l->e->log, LOG_NOTICE,
		    "a request's own pages can't be used (%d): such requests are copied",
		    err);
}

/* files have refused its pages; it is over if there is no buffer either */
static void file_copy(struct ublkev__lane *l, struct ublkev__placed *p)
{
	void *buf = file_buf(l, p->req);

	file_log_refusal(l, p->err);
	if (buf)
		ublkev__placed_by_copy(p, buf);
	else
		p->err = -ENOMEM;
}

static void file_go_on(struct ublkev__lane *l, struct ublkev__placed *p)
{
	if (ublkev__placed_over(p) && ublkev__placed_wants_copy(p))
		file_copy(l, p);
	if (ublkev__placed_over(p))
		file_end(l, p);
	else
		file_list(l, p);
}

/*
 * How many extents it has, as the guard says; 0: submit() is to get it; below:
 * it is answered.
 */
static int file_ask(struct ublkev__lane *l, struct ublkev__queue *q,
		    struct ublkev__tag *t, struct ublkev_extent *extents)
{
	bool rejected;
	int n = ublkev__guard_place(l->e->backend, &t->req, extents, &rejected);

	if (rejected)
		ublkev__queue_refused(q, t, n);
	else if (n < 0)
		ublkev__queue_done(q, t->req.cookie, n);
	return n;
}

bool ublkev__file_place(struct ublkev__lane *l, struct ublkev__queue *q,
			struct ublkev__tag *t)
{
	struct ublkev_extent extents[UBLKEV_MAX_EXTENTS];
	struct ublkev__placed *p = file_of(l->e, q, t->req.tag);
	int n;

	/* it stays the backend's, which is never asked for it */
	if (l->life.recall != UBLKEV__RECALL_UNASKED)
		return true;
	n = file_ask(l, q, t, extents);
	if (n <= 0)
		return n;
	l->nr_placed++;
	p->punches = l->punches;
	ublkev__placed_started(p, &t->req, extents, (unsigned int)n,
			       UBLKEV__WAY_BUF, t->req.buf);
	file_go_on(l, p);
	return true;
}

/*
 * Without a slot (UBLK_IO_F_NEED_REG_BUF: ublk_auto_buf_reg() found it in use,
 * or had no memory) it is as if a file had refused the pages. So it is where the
 * io puts them there by a command, and that was refused: the file finds none.
 */
void ublkev__file_lend(struct ublkev__lane *l, struct ublkev__queue *q,
		       struct ublkev__tag *t)
{
	const struct ublkev__desc *desc = ublkev__io_desc(l->io, q->id,
							  t->req.tag);
	struct ublkev_extent extents[UBLKEV_MAX_EXTENTS];
	struct ublkev__placed *p = file_of(l->e, q, t->req.tag);
	int n;

	if (l->life.recall != UBLKEV__RECALL_UNASKED)
		return;
	n = file_ask(l, q, t, extents);
	if (!n)
		ublkev__queue_unlent(q, t);
	if (n <= 0)
		return;
	l->nr_placed++;
	p->punches = l->punches;
	ublkev__placed_started(p, &t->req, extents, (unsigned int)n,
			       UBLKEV__WAY_LENT, NULL);
	if (desc->op_flags & UBLKEV__DESC_NEED_REG_BUF)
		ublkev__placed_unlent(p);
	file_go_on(l, p);
}

static void file_pull(struct ublkev__lane *l, struct ublkev__placed *p)
{
	struct ublkev__fileop op;

	while (ublkev__io_has_file_room(l->io) && ublkev__placed_next(p, &op)) {
		ublkev__io_file(l->io, p->req->queue, p->req->tag, &op);
		l->nr_flying += op.kind != UBLKEV__FILEOP_CANCEL;
	}
}

void ublkev__file_out(struct ublkev__lane *l)
{
	struct ublkev__placed *p;

	while ((p = l->wanting)) {
		/*
		 * one that is over was to be cancelled, and needs that no more
		 */
		if (p->req)
			file_pull(l, p);
		if (p->req && ublkev__placed_wants(p))
			return;
		l->wanting = p->next;
		p->listed = false;
	}
}

static void file_all_out(struct ublkev__lane *l)
{
	ublkev__file_out(l);
	ublkev__reqop_out(l);
	ublkev__subs_out(l);
}

/*
 * What still wants an SQE after this is behind a full SQ, which is work: so the
 * lane goes on, and comes by here again.
 */
void ublkev__file_submit(struct ublkev__lane *l)
{
	file_all_out(l);
	while (l->wanting || l->wanting_ops || l->subs.wanting) {
		ublkev__pump_enter(l, ublkev__io_enter);
		if (!ublkev__io_has_file_room(l->io))
			return;
		file_all_out(l);
	}
}

bool ublkev__file_cqe(struct ublkev__lane *l, const struct ublkev__cqe *cqe)
{
	unsigned int n = ublkev__cqe_queue(cqe) - l->first_id;
	struct ublkev__placed *p;

	if (!ublkev__cqe_is_file(cqe) || n >= l->nr_queues ||
	    cqe->tag >= l->queues[n].depth)
		return false;
	if (l->e->tagops && ublkev__reqop_cqe(l, cqe))
		return true;
	if (l->e->tagsubs && ublkev__sub_cqe(l, cqe))
		return true;
	if (!l->e->placed)
		return false;
	p = file_of(l->e, &l->queues[n], cqe->tag);
	if (!p->req || ublkev__placed_cqe(p, ublkev__cqe_piece(cqe), cqe->res))
		return false;
	l->nr_flying--;
	file_go_on(l, p);
	return true;
}

bool ublkev__file_has(const struct ublkev__engine *e, uint64_t cookie)
{
	unsigned int queue = ublkev__cookie_queue(cookie);
	unsigned int tag = ublkev__cookie_tag(cookie);

	return e->placed && queue < e->nr_queues &&
	       tag < e->queues[queue].depth &&
	       file_of(e, &e->queues[queue], tag)->req;
}

static void file_end_queue(struct ublkev__lane *l,
			   const struct ublkev__queue *q,
			   void (*how)(struct ublkev__placed *p))
{
	struct ublkev__placed *p;
	unsigned int tag;

	for (tag = 0; tag < q->depth; tag++) {
		p = file_of(l->e, q, tag);
		if (ublkev__queue_has_no(q, tag) || !p->req)
			continue;
		how(p);
		file_go_on(l, p);
	}
}

static void file_end_all(struct ublkev__lane *l,
			 void (*how)(struct ublkev__placed *p))
{
	unsigned int i;

	for (i = 0; i < l->nr_queues && l->e->placed; i++)
		file_end_queue(l, &l->queues[i], how);
	ublkev__file_out(l);
}

void ublkev__file_abort(struct ublkev__lane *l)
{
	file_end_all(l, ublkev__placed_abort);
	ublkev__reqop_abort(l);
}

void ublkev__file_recall(struct ublkev__lane *l)
{
	file_end_all(l, ublkev__placed_recall);
	ublkev__reqop_recall(l);
}

bool ublkev__file_is_recalled(const struct ublkev__lane *l)
{
	return l->life.recall == UBLKEV__RECALL_ASKED && !l->nr_flying &&
	       !l->subs.due;
}

void ublkev__file_close(struct ublkev__lane *l)
{
	size_t bytes;

	l->wanting = NULL;
	l->wanting_ops = NULL;
	l->subs.wanting = NULL;
	if (!l->nr_flying)
		return;
	bytes = ublkev__io_leave_bufs(l->io);
	ublkev__log(&l->e->log, LOG_WARNING,
		    "%u operations on files have not ended: %zu bytes of buffers are left to the kernel",
		    l->nr_flying, bytes);
	l->stats.files_left += l->nr_flying;
	l->nr_flying = 0;
}
