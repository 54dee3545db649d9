/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample.h - a device's counters at a time, and rates between two of them
 */
#ifndef EVCTL_SAMPLE_H
#define EVCTL_SAMPLE_H

#include <stdint.h>

#include <jansson.h>

#include <ublkev.h>

#include "common/latency.h"

struct sample {
	double at_s;
	uint64_t rd_reqs, rd_bytes;
	uint64_t wr_reqs, wr_bytes;
	/* what the kernel counts, whoever tells the rest: from a client's
	   request to its end */
	int has_ticks;
	uint64_t rd_done, rd_ms;
	uint64_t wr_done, wr_ms;
	unsigned int inflight;
	unsigned int capacity;		/* queues * depth; 0: unknown */
	int has_latency;		/* the server measures it */
	uint32_t rd_latency[UBLKEV_LATENCY_BUCKETS];
	uint32_t wr_latency[UBLKEV_LATENCY_BUCKETS];	/* and the rest */
};

/* a server's answer to stats; 0, or -EPROTO: not that of device `id` */
int sample_server(struct sample *s, const json_t *stats, int id);

/*
 * What /sys knows of it, for those without a server that tells: 0, or
 * -ENOENT when there is no such disk. `root` goes before /sys.
 */
int sample_kernel(struct sample *s, const char *root, int id);

/* adds the kernel's ticks to what a server has told; none is no error */
void sample_ticks(struct sample *s, const char *root, int id);

/* of so many requests that took so long together; -1: of none */
double sample_average_us(uint64_t ms, uint64_t reqs);

struct rates {
	double rd_iops, rd_mib_s;
	double wr_iops, wr_mib_s;
	struct latency rd, wr;		/* count 0: not known */
	double rd_disk_us, wr_disk_us;	/* the kernel's averages; -1: unknown,
					   or no request */
	double occupancy;		/* of the queues now, 0 to 1; -1:
					   unknown */
};

/*
 * From `then` to `now`. Counters that fell, since the server began anew,
 * count from zero.
 */
void sample_rates(struct rates *r, const struct sample *now,
		  const struct sample *then);

#endif /* EVCTL_SAMPLE_H */
