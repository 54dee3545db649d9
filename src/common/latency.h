/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * latency.h - percentiles from a device's latency buckets
 */
#ifndef COMMON_LATENCY_H
#define COMMON_LATENCY_H

#include <stdint.h>

#include <ublkev.h>

/*
 * Latencies in microseconds, each told as the upper edge of its bucket: at most
 * an eighth too high, never too low.
 */
struct latency {
	uint64_t count;
	uint64_t p50_us;
	uint64_t p90_us;
	uint64_t p99_us;
	uint64_t max_us;
};

/*
 * Computes what the requests between two looks took, or with `then` NULL those
 * since the start. Differences are taken modulo 2^32, so a counter may have
 * wrapped once between the looks.
 */
void latency_of(struct latency *l, const uint32_t now[UBLKEV_LATENCY_BUCKETS],
		const uint32_t then[UBLKEV_LATENCY_BUCKETS]);

#endif /* COMMON_LATENCY_H */
