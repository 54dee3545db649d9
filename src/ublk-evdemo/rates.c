/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes a line of rates since the last one, of counters since the start,
 * and of a request in flight.
 */
#include <inttypes.h>
#include <stdio.h>

#include "ublk-evdemo/rates.h"
#include "common/latency.h"

struct rate {
	double iops;
	double mib_s;
};

static struct rate rates_rate(const struct ublkev_op_stats *now,
			const struct ublkev_op_stats *then, double seconds)
{
	struct rate r;

	r.iops = (double)(now->reqs - then->reqs) / seconds;
	r.mib_s = (double)(now->bytes - then->bytes) / seconds / 1048576;
	return r;
}

static uint64_t rates_others(const struct ublkev_stats *s)
{
	uint64_t n = 0;
	int op;

	for (op = UBLKEV_OP_FLUSH; op < UBLKEV_NR_OPS; op++)
		n += s->op[op].reqs;
	return n;
}

static uint64_t rates_errors(const struct ublkev_stats *s)
{
	uint64_t n = 0;
	int op;

	for (op = 0; op < UBLKEV_NR_OPS; op++)
		n += s->op[op].errors;
	return n;
}

static void rates_latency_text(char *buf, size_t size, const char *name,
			       const struct latency *l)
{
	if (l->count)
		snprintf(buf, size, "; %s p50 %" PRIu64 " p99 %" PRIu64
			 " max %" PRIu64 " us", name, l->p50_us, l->p99_us,
			 l->max_us);
	else
		buf[0] = '\0';
}

int stats_text(char *buf, size_t size, const struct ublkev_stats *now,
	       const struct ublkev_stats *then, uint64_t elapsed_ns)
{
	double s = (double)(elapsed_ns ? elapsed_ns : 1) / 1e9;
	struct rate rd, wr;
	struct latency l;
	char rbuf[96], obuf[96];

	rd = rates_rate(&now->op[UBLKEV_OP_READ], &then->op[UBLKEV_OP_READ], s);
	wr = rates_rate(&now->op[UBLKEV_OP_WRITE], &then->op[UBLKEV_OP_WRITE],
			s);
	latency_of(&l, now->read_latency, then->read_latency);
	rates_latency_text(rbuf, sizeof(rbuf), "read", &l);
	latency_of(&l, now->other_latency, then->other_latency);
	rates_latency_text(obuf, sizeof(obuf), "write and other", &l);
	return snprintf(buf, size,
			"read %.0f IOPS %.1f MiB/s, write %.0f IOPS %.1f "
			"MiB/s, other %.0f IOPS, errors %" PRIu64
			"%s%s; in flight %u",
			rd.iops, rd.mib_s, wr.iops, wr.mib_s,
			(double)(rates_others(now) - rates_others(then)) / s,
			rates_errors(now) - rates_errors(then), rbuf, obuf,
			(unsigned int)now->inflight);
}

/* what is done to zones is one entry, for a line has an end */
static void rates_zones(char *buf, size_t size, const struct ublkev_stats *s)
{
	uint64_t reqs = 0, errors = 0;
	int op;

	for (op = UBLKEV_OP_ZONE_APPEND + 1; op < UBLKEV_NR_OPS; op++) {
		reqs += s->op[op].reqs;
		errors += s->op[op].errors;
	}
	reqs += s->op[UBLKEV_OP_REPORT_ZONES].reqs;
	errors += s->op[UBLKEV_OP_REPORT_ZONES].errors;
	buf[0] = '\0';
	if (reqs)
		snprintf(buf, size, "zones %" PRIu64 " (%" PRIu64 " errors), ",
			 reqs, errors);
}

int stats_counters(char *buf, size_t size, const struct ublkev_stats *s)
{
	char ops[UBLKEV_NR_OPS * 96], zones[80];
	size_t at = 0;
	int op;

	for (op = 0; op <= UBLKEV_OP_ZONE_APPEND; op++) {
		if (op == UBLKEV_OP_REPORT_ZONES ||
		    (op == UBLKEV_OP_ZONE_APPEND && !s->op[op].reqs))
			continue;
		at += (size_t)snprintf(ops + at, sizeof(ops) - at,
				       "%s %" PRIu64 " (%" PRIu64 " bytes, %"
				       PRIu64 " errors), ",
				       ublkev_op_name((unsigned int)op),
				       s->op[op].reqs, s->op[op].bytes,
				       s->op[op].errors);
	}
	rates_zones(zones, sizeof(zones), s);
	return snprintf(buf, size,
			"%s%sFUA %" PRIu64 ", rejected %" PRIu64
			", stale answers %" PRIu64 ", in flight %u (max %u), "
			"wakes %" PRIu64 ", waits %" PRIu64 " (%" PRIu64
			" paid), rounds %" PRIu64 ", enters %" PRIu64
			", over budget %" PRIu64, ops, zones, s->fua,
			s->rejected, s->stale_answers,
			(unsigned int)s->inflight,
			(unsigned int)s->inflight_max, s->wakes, s->waits,
			s->waits_paid, s->rounds, s->enters, s->over_budget);
}

int stats_inflight(char *buf, size_t size, const struct ublkev_inflight *r)
{
	return snprintf(buf, size,
			"queue %u tag %u %s offset %" PRIu64 " length %"
			PRIu64 " age %" PRIu64 " us%s%s",
			r->queue, r->tag, ublkev_op_name(r->op),
			r->offset_bytes, r->len_bytes, r->age_us,
			r->flags & UBLKEV_REQ_FUA ? " FUA" : "",
			r->flags & UBLKEV_REQ_NOUNMAP ? " NOUNMAP" : "");
}
