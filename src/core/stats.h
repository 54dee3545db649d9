/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stats.h - counts what became of requests, in the public struct ublkev_stats
 *
 * Only the thread that serves the queue writes its counters, so that they are
 * plain words; evstats.c reads them from others.
 */
#ifndef UBLKEV_CORE_STATS_H
#define UBLKEV_CORE_STATS_H

#include <stdint.h>

#include <ublkev/dev.h>

/* The request was answered with `err`: 0, or a negative errno. */
static inline void ublkev__stats_answer(struct ublkev_stats *s,
					const struct ublkev_req *req, int err)
{
	struct ublkev_op_stats *op;

	if (req->op >= UBLKEV_NR_OPS)
		return;
	op = &s->op[req->op];
	op->reqs++;
	if (err)
		op->errors++;
	else
		op->bytes += req->len_bytes;
	if (req->flags & UBLKEV_REQ_FUA)
		s->fua++;
}

/*
 * Takes an answer without error back: the data of the request could not be
 * moved to the client after all (GET_DATA or USER_COPY failed), so that an
 * error will be counted in its place.
 */
void ublkev__stats_unanswer(struct ublkev_stats *s,
			    const struct ublkev_req *req);

/* The request spent `us` microseconds with the server, op's UBLKEV_OP_*. */
void ublkev__stats_latency(struct ublkev_stats *s, unsigned int op,
			   uint64_t us);

#endif
