/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The counters of answered requests, and the buckets of their latencies.
 */
#include "core/stats.h"

void ublkev__stats_unanswer(struct ublkev_stats *s,
			    const struct ublkev_req *req)
{
	s->op[req->op].reqs--;
	s->op[req->op].bytes -= req->len_bytes;
	if (req->flags & UBLKEV_REQ_FUA)
		s->fua--;
}

static unsigned int stats_bucket_of(uint64_t us)
{
	unsigned int e;

	if (us < 8)
		return (unsigned int)us;
	e = 63 - 3 - (unsigned int)__builtin_clzll(us);
	/*
	 * Each power of two has eight buckets: e names the power, and us >> e,
	 * which is 8 .. 15, the eighth of it.
	 */
	return 8 * e + (unsigned int)(us >> e);
}

void ublkev__stats_latency(struct ublkev_stats *s, unsigned int op,
			   uint64_t us)
{
	unsigned int b = stats_bucket_of(us);

	if (b >= UBLKEV_LATENCY_BUCKETS)
		b = UBLKEV_LATENCY_BUCKETS - 1;
	if (op == UBLKEV_OP_READ)
		s->read_latency[b]++;
	else
		s->other_latency[b]++;
}

uint64_t ublkev_latency_bucket_us(unsigned int b)
{
	if (b < 8)
		return b;
	if (b >= UBLKEV_LATENCY_BUCKETS)
		b = UBLKEV_LATENCY_BUCKETS - 1;
	return (uint64_t)(8 + b % 8) << (b / 8 - 1);
}
