/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters of a device from its server, or from /sys where no server tells
 * them, in one form, so that top shows both in one table.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ublk-evctl/procs.h"
#include "ublk-evctl/sample.h"

#define SECTOR 512

static uint64_t sample_number(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v < 0 ? 0 : (uint64_t)v;
}

/* the bucket that begins there; -1: none does */
static int sample_bucket_of(uint64_t us)
{
	unsigned int b;

	for (b = 0; b < UBLKEV_LATENCY_BUCKETS; b++)
		if (ublkev_latency_bucket_us(b) == us)
			return (int)b;
	return -1;
}

static int sample_take_latency(uint32_t to[UBLKEV_LATENCY_BUCKETS],
			       const json_t *latency)
{
	const json_t *list = json_object_get(latency, "buckets"), *pair;
	size_t i;
	int b;

	if (!json_is_array(list))
		return 0;
	json_array_foreach(list, i, pair) {
		b = sample_bucket_of((uint64_t)json_integer_value(
			      json_array_get(pair, 0)));
		if (b >= 0)
			to[b] = (uint32_t)json_integer_value(
				json_array_get(pair, 1));
	}
	return 1;
}

int sample_server(struct sample *s, const json_t *stats, int id)
{
	const json_t *ops = json_object_get(stats, "ops");
	const json_t *info = json_object_get(stats, "info");
	const json_t *latency = json_object_get(stats, "latency_us");
	const char *device;
	char name[32];

	memset(s, 0, sizeof(*s));
	snprintf(name, sizeof(name), "/dev/ublkb%d", id);
	device = json_string_value(json_object_get(stats, "device"));
	if (!device || strcmp(device, name) || !json_is_object(ops))
		return -EPROTO;
	s->rd_reqs = sample_number(json_object_get(ops, "READ"), "reqs");
	s->rd_bytes = sample_number(json_object_get(ops, "READ"), "bytes");
	s->wr_reqs = sample_number(json_object_get(ops, "WRITE"), "reqs");
	s->wr_bytes = sample_number(json_object_get(ops, "WRITE"), "bytes");
	s->inflight = (unsigned int)sample_number(stats, "inflight");
	s->capacity = (unsigned int)(sample_number(info, "queues") *
				     sample_number(info, "depth"));
	s->has_latency = sample_take_latency(s->rd_latency,
					     json_object_get(latency, "read")) &
			 sample_take_latency(s->wr_latency,
					     json_object_get(latency, "other"));
	return 0;
}

static unsigned int sample_tags(const char *root, int id)
{
	char path[PATH_MAX], line[32];
	unsigned int sum = 0;
	struct dirent *e;
	DIR *mq;

	snprintf(path, sizeof(path), "%s/sys/block/ublkb%d/mq", root, id);
	mq = opendir(path);
	if (!mq)
		return 0;
	while ((e = readdir(mq)))
		if (e->d_name[0] != '.' &&
		    !procs_line(line, sizeof(line), root,
				"sys/block/ublkb%d/mq/%s/nr_tags", id,
				e->d_name))
			sum += (unsigned int)strtoul(line, NULL, 10);
	closedir(mq);
	return sum;
}

/*
 * Documentation/block/stat.rst: requests, merged, sectors, ms; each way. The
 * time is that of a request from its beginning in the block layer, so it has in
 * it what waits there, and the way to the server and back.
 */
int sample_kernel(struct sample *s, const char *root, int id)
{
	uint64_t rd_sectors, wr_sectors;
	char line[256];

	memset(s, 0, sizeof(*s));
	if (procs_line(line, sizeof(line), root, "sys/block/ublkb%d/stat",
		       id) ||
	    sscanf(line, "%" SCNu64 " %*s %" SCNu64 " %" SCNu64 " %" SCNu64
		   " %*s %" SCNu64 " %" SCNu64 " %u", &s->rd_reqs,
		   &rd_sectors, &s->rd_ms, &s->wr_reqs, &wr_sectors, &s->wr_ms,
		   &s->inflight) != 7)
		return -ENOENT;
	s->rd_bytes = rd_sectors * SECTOR;
	s->wr_bytes = wr_sectors * SECTOR;
	s->rd_done = s->rd_reqs;
	s->wr_done = s->wr_reqs;
	s->has_ticks = 1;
	s->capacity = sample_tags(root, id);
	return 0;
}

void sample_ticks(struct sample *s, const char *root, int id)
{
	struct sample k;

	if (sample_kernel(&k, root, id))
		return;
	s->has_ticks = 1;
	s->rd_done = k.rd_done;
	s->rd_ms = k.rd_ms;
	s->wr_done = k.wr_done;
	s->wr_ms = k.wr_ms;
}

double sample_average_us(uint64_t ms, uint64_t reqs)
{
	return reqs ? (double)ms * 1000 / (double)reqs : -1;
}

static void sample_disk_times(struct rates *r, const struct sample *now,
			      const struct sample *then)
{
	r->rd_disk_us = -1;
	r->wr_disk_us = -1;
	/* Another disk of the same number counts from zero. */
	if (!now->has_ticks || !then->has_ticks ||
	    now->rd_done < then->rd_done || now->rd_ms < then->rd_ms ||
	    now->wr_done < then->wr_done || now->wr_ms < then->wr_ms)
		return;
	r->rd_disk_us = sample_average_us(now->rd_ms - then->rd_ms,
					  now->rd_done - then->rd_done);
	r->wr_disk_us = sample_average_us(now->wr_ms - then->wr_ms,
					  now->wr_done - then->wr_done);
}

static double sample_per_second(uint64_t now, uint64_t then, double seconds)
{
	return (double)(now < then ? now : now - then) / seconds;
}

static int sample_fell(const struct sample *now, const struct sample *then)
{
	return now->rd_reqs < then->rd_reqs || now->wr_reqs < then->wr_reqs;
}

void sample_rates(struct rates *r, const struct sample *now,
		  const struct sample *then)
{
	double s = now->at_s - then->at_s;
	int anew = sample_fell(now, then) || !then->has_latency;

	memset(r, 0, sizeof(*r));
	r->occupancy = now->capacity ? (double)now->inflight /
				       (double)now->capacity : -1;
	sample_disk_times(r, now, then);
	if (s <= 0)
		return;
	r->rd_iops = sample_per_second(now->rd_reqs, then->rd_reqs, s);
	r->wr_iops = sample_per_second(now->wr_reqs, then->wr_reqs, s);
	r->rd_mib_s = sample_per_second(now->rd_bytes, then->rd_bytes, s) /
		      1048576;
	r->wr_mib_s = sample_per_second(now->wr_bytes, then->wr_bytes, s) /
		      1048576;
	if (!now->has_latency)
		return;
	latency_of(&r->rd, now->rd_latency, anew ? NULL : then->rd_latency);
	latency_of(&r->wr, now->wr_latency, anew ? NULL : then->wr_latency);
}
