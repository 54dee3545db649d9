/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rates.h - rates and latencies from the counters of a device
 */
#ifndef EVDEMO_RATES_H
#define EVDEMO_RATES_H

#include <stddef.h>
#include <stdint.h>

#include <ublkev.h>

/*
 * One line about the time from `then` to `now`, elapsed_ns apart. Returns
 * as snprintf.
 */
int stats_text(char *buf, size_t size, const struct ublkev_stats *now,
	       const struct ublkev_stats *then, uint64_t elapsed_ns);

/* one line of counters since start */
int stats_counters(char *buf, size_t size, const struct ublkev_stats *s);

/* one line about a request in flight */
int stats_inflight(char *buf, size_t size, const struct ublkev_inflight *r);

#endif /* EVDEMO_RATES_H */
