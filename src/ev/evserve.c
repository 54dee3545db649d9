/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that are not done with one call of the backend's submit(): whose
 * data are in files, appends to a zone, those that it goes on with. What every
 * request comes by is in evpump.c.
 */
#include "ev/evserve.h"

#include "backend/guard.h"
#include "ev/engine.h"
#include "ev/evfile.h"
#include "ev/evreqop.h"

bool ublkev__serve_files(struct ublkev__lane *l, struct ublkev__queue *q,
			 struct ublkev__tag *t)
{
	uint64_t cookie = t->req.cookie;
	bool rejected;
	int res;

	if (l->e->placed && !ublkev__queue_is_unlent(t) &&
	    ublkev__file_place(l, q, t))
		return false;
	/* it stays the backend's, which is to begin nothing any more */
	if (l->e->tagops && l->life.recall != UBLKEV__RECALL_UNASKED)
		return false;
	res = ublkev__guard_submit(l->e->backend, &t->req, &rejected);
	return ublkev__reqop_keeps_answer(l, cookie, res) ||
	       ublkev__serve_answer(q, t, cookie, res, rejected);
}

bool ublkev__serve_append(struct ublkev__lane *l, struct ublkev__queue *q,
			  struct ublkev__tag *t)
{
	bool rejected;
	int err = ublkev__guard_append(l->e->backend, &t->req, &rejected);

	if (err)
		ublkev__serve_answer(q, t, t->req.cookie, err, rejected);
	return !err;
}

bool ublkev__serve_go_on(struct ublkev__lane *l, struct ublkev__queue *q,
			 struct ublkev__tag *t)
{
	uint64_t cookie = t->req.cookie;
	bool rejected;
	int res = ublkev__guard_go_on(l->e->backend, &t->req, &rejected);

	return ublkev__reqop_keeps_answer(l, cookie, res) ||
	       ublkev__serve_answer(q, t, cookie, res, rejected);
}
