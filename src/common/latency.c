/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Percentiles, counted up in the buckets from the shortest one. A value is
 * told as the longest time of its bucket, so it is never too small, and at
 * most an eighth too large.
 */
#include "common/latency.h"

/* The longest time that is counted in bucket b. */
static uint64_t latency_upper_us(unsigned int b)
{
	/* the last bucket has no upper edge: its lower one is told */
	if (b + 1 >= UBLKEV_LATENCY_BUCKETS)
		return ublkev_latency_bucket_us(UBLKEV_LATENCY_BUCKETS - 1);
	return ublkev_latency_bucket_us(b + 1) - 1;
}

/*
 * Of n sorted values, the number of the one that has `percent` of them at or
 * below it, rounded up.
 */
static uint64_t latency_rank(uint64_t n, unsigned int percent)
{
	return n - n * (100 - percent) / 100;
}

void latency_of(struct latency *l, const uint32_t now[UBLKEV_LATENCY_BUCKETS],
		const uint32_t then[UBLKEV_LATENCY_BUCKETS])
{
	uint32_t d[UBLKEV_LATENCY_BUCKETS];
	uint64_t seen = 0;
	unsigned int b;

	*l = (struct latency){ 0 };
	for (b = 0; b < UBLKEV_LATENCY_BUCKETS; b++) {
		d[b] = now[b] - (then ? then[b] : 0);
		l->count += d[b];
	}
	/* a rank beyond those seen is in this bucket, or in a later one */
	for (b = 0; b < UBLKEV_LATENCY_BUCKETS; b++) {
		if (!d[b])
			continue;
		if (seen < latency_rank(l->count, 50))
			l->p50_us = latency_upper_us(b);
		if (seen < latency_rank(l->count, 90))
			l->p90_us = latency_upper_us(b);
		if (seen < latency_rank(l->count, 99))
			l->p99_us = latency_upper_us(b);
		l->max_us = latency_upper_us(b);
		seen += d[b];
	}
}
