/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stats.h - what is counted; the counters are the public ones
 */
#ifndef UBLKEV_CORE_STATS_H
#define UBLKEV_CORE_STATS_H

#include <stdint.h>

#include <ublkev/dev.h>

/* a request was answered with err */
void ublkev__stats_answer(struct ublkev_stats *s,
			  const struct ublkev_req *req, int err);

/* no, it was not: an answer without error was not the last word */
void ublkev__stats_unanswer(struct ublkev_stats *s,
			    const struct ublkev_req *req);

/* and took this long */
void ublkev__stats_latency(struct ublkev_stats *s, unsigned int op,
			   uint64_t us);

#endif
