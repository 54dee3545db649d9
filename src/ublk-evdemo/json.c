/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes each answer of the control socket. The manual page lists their
 * members.
 */
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ublk-evdemo/json.h"
#include "common/escape.h"
#include "common/latency.h"

/* as many as a double has for sure: 228.9 stays 228.9 */
#define REAL_DIGITS 15

/* jansson's integers are signed; a counter needs centuries to get there */
static json_int_t json_n(uint64_t v)
{
	return (json_int_t)(v & INT64_MAX);
}

static json_t *json_features(uint64_t bits)
{
	json_t *list = json_array();
	const char *name;
	char buf[16];
	unsigned int b;

	for (b = 0; b < 64; b++) {
		if (!(bits >> b & 1))
			continue;
		name = ublkev_feature_name(b);
		if (!name) {
			snprintf(buf, sizeof(buf), "BIT_%u", b);
			name = buf;
		}
		json_array_append_new(list, json_string(name));
	}
	return list;
}

/* [[least_us, count], ...] of those that are not empty */
static json_t *json_bucket_list(const uint32_t buckets[UBLKEV_LATENCY_BUCKETS])
{
	json_t *list = json_array();
	unsigned int b;

	for (b = 0; b < UBLKEV_LATENCY_BUCKETS; b++)
		if (buckets[b])
			json_array_append_new(list, json_pack("[I, I]",
				json_n(ublkev_latency_bucket_us(b)),
				json_n(buckets[b])));
	return list;
}

static json_t *json_latency(const uint32_t buckets[UBLKEV_LATENCY_BUCKETS])
{
	struct latency l;

	latency_of(&l, buckets, NULL);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}",
			 "count", json_n(l.count),
			 "p50", json_n(l.p50_us), "p90", json_n(l.p90_us),
			 "p99", json_n(l.p99_us), "max", json_n(l.max_us),
			 "buckets", json_bucket_list(buckets));
}

static json_t *json_ops(const struct ublkev_stats *s)
{
	json_t *all = json_object();
	unsigned int op;

	for (op = 0; op < UBLKEV_NR_OPS; op++)
		json_object_set_new(all, ublkev_op_name(op),
				    json_pack("{s:I, s:I, s:I}", "reqs",
					      json_n(s->op[op].reqs), "bytes",
					      json_n(s->op[op].bytes), "errors",
					      json_n(s->op[op].errors)));
	return all;
}

static void json_add_stats(json_t *top, const struct ublkev_stats *s)
{
	json_object_set_new(top, "ops", json_ops(s));
	json_object_set_new(top, "latency_us",
			    json_pack("{s:o, s:o}",
				      "read", json_latency(s->read_latency),
				      "other", json_latency(s->other_latency)));
	json_object_set_new(top, "inflight", json_integer(s->inflight));
	json_object_set_new(top, "inflight_max",
			    json_integer(s->inflight_max));
	json_object_set_new(top, "fua", json_integer(json_n(s->fua)));
	json_object_set_new(top, "rejected", json_integer(json_n(s->rejected)));
	json_object_set_new(top, "lent", json_integer(json_n(s->lent)));
	json_object_set_new(top, "stale_answers",
			    json_integer(json_n(s->stale_answers)));
	json_object_set_new(top, "loop",
			    json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}",
				      "wakes", json_n(s->wakes),
				      "waits", json_n(s->waits),
				      "waits_paid", json_n(s->waits_paid),
				      "rounds", json_n(s->rounds),
				      "enters", json_n(s->enters),
				      "over_budget", json_n(s->over_budget)));
}

static void json_add_info(json_t *top, const struct ublkev_info *i)
{
	json_t *o;

	o = json_pack("{s:I, s:I, s:I, s:I, s:I}",
		      "dev_bytes", json_n(i->dev_bytes),
		      "logical_block_bytes", json_n(i->logical_block_bytes),
		      "max_io_bytes", json_n(i->max_io_bytes),
		      "queues", json_n(i->queues), "depth", json_n(i->depth));
	if (!o)
		return;
	json_object_set_new(o, "features", json_features(i->features));
	json_object_set_new(o, "kernel_features",
			    json_features(i->kernel_features));
	json_object_set_new(top, "info", o);
}

/* the driver's numbers */
#define F_USER_RECOVERY		(UINT64_C(1) << 3)
#define F_USER_RECOVERY_REISSUE	(UINT64_C(1) << 4)
#define F_USER_RECOVERY_FAIL_IO	(UINT64_C(1) << 9)
#define F_QUIESCE		(UINT64_C(1) << 12)

int json_stays(const struct ublkev_info *info)
{
	return (info->kernel_features & F_QUIESCE) != 0;
}

enum ublkev_recovery json_recovery(const struct ublkev_info *info)
{
	if (info->features & F_USER_RECOVERY_REISSUE)
		return UBLKEV_RECOVERY_REISSUE;
	if (info->features & F_USER_RECOVERY_FAIL_IO)
		return UBLKEV_RECOVERY_FAIL_IO;
	return info->features & F_USER_RECOVERY ? UBLKEV_RECOVERY_REQUEUE :
	       UBLKEV_RECOVERY_NONE;
}

static const char *json_recovery_name(const struct ublkev_info *info)
{
	return opts_recovery_name(json_recovery(info));
}

static char *json_dump(json_t *top)
{
	char *text = NULL;

	if (top)
		text = json_dumps(top, JSON_COMPACT | JSON_ENSURE_ASCII |
				  JSON_REAL_PRECISION(REAL_DIGITS));
	json_decref(top);
	return text;
}

char *json_stats(const struct json_source *s)
{
	char name[32];
	json_t *top;

	snprintf(name, sizeof(name), "/dev/ublkb%d", s->id);
	top = json_pack("{s:i, s:s, s:i, s:s?, s:s, s:s, s:I}",
			"schema", JSON_SCHEMA,
			"version", ublkev_version(),
			"pid", (int)getpid(),
			"device", s->id < 0 ? NULL : name,
			"state", s->state,
			"backend", s->backend,
			"uptime_ms", json_n(s->uptime_ms));
	if (top && s->gap_ms >= 0)
		json_object_set_new(top, "gap_ms", json_real(
			(double)(long long)(s->gap_ms * 10 + .5) / 10));
	if (top && s->info)
		json_object_set_new(top, "recovery",
				    json_string(json_recovery_name(s->info)));
	if (top && s->info)
		json_add_info(top, s->info);
	if (top && s->stats)
		json_add_stats(top, s->stats);
	return json_dump(top);
}

/* JSON has no text but UTF-8, and a path is any bytes: their numbers */
static json_t *json_bytes(const char *text)
{
	json_t *list = json_array();

	for (; list && *text; text++)
		json_array_append_new(list, json_integer((unsigned char)*text));
	return list;
}

/* "pidfile":"/run/x.pid" */
static void json_add_kept(void *data, const char *name, const char *value)
{
	json_t *v = value ? json_string(value) : json_true();

	json_object_set_new(data, name, v ? v : json_bytes(value));
}

/* NULL: these are no numbers of bytes, or too many */
static json_t *json_text_of(const json_t *bytes)
{
	size_t n = json_array_size(bytes), i;
	char text[PATH_MAX];
	json_int_t c;

	for (i = 0; i < n && n < sizeof(text); i++) {
		c = json_integer_value(json_array_get(bytes, i));
		if (c < 1 || c > 255)
			return NULL;
		text[i] = (char)c;
	}
	if (!n || n >= sizeof(text))
		return NULL;
	return json_stringn_nocheck(text, n);
}

void json_take_kept(json_t *options)
{
	void *at = json_object_iter(options);
	json_t *v;

	for (; at; at = json_object_iter_next(options, at)) {
		v = json_text_of(json_object_iter_value(at));
		if (v)
			json_object_iter_set_new(options, at, v);
	}
}

static json_t *json_kept(const struct opts *o, unsigned int groups)
{
	json_t *all = json_object();

	if (all)
		opts_kept(o, groups, json_add_kept, all);
	return all;
}

char *json_state(const struct opts *o)
{
	return json_dump(json_pack("{s:i, s:s, s:i, s:o}",
				   "schema", JSON_SCHEMA,
				   "version", ublkev_version(),
				   "pid", (int)getpid(), "options",
				   json_kept(o, OPTS_OF_LIFE | OPTS_OF_DISK)));
}

char *json_memory(const struct json_source *s)
{
	const struct opts *o = s->opts;

	return json_dump(json_pack(
		"{s:i, s:i, s:i, s:s, s:I, s:I, s:I, s:b, s:b, s:b, s:b, s:b, "
		"s:b, s:s, s:o}",
		"schema", JSON_SCHEMA, "pid", (int)getpid(), "id", s->id,
		"backend", s->backend, "dev_bytes", json_n(s->info->dev_bytes),
		"logical_block_bytes", json_n(s->info->logical_block_bytes),
		"offset_bytes", json_n(o->offset_bytes),
		"buffered", o->buffered, "read_only", o->read_only,
		"huge_pages", o->huge_pages, "unprivileged", o->unprivileged,
		"stays", json_stays(s->info), "lost_writes", s->lost_writes,
		"recovery", json_recovery_name(s->info),
		"options", json_kept(o, OPTS_OF_LIFE)));
}

char *json_help(const char *const *names, const char *const *whats,
		unsigned int n_words)
{
	json_t *all = json_object();
	unsigned int i;

	for (i = 0; i < n_words; i++)
		json_object_set_new(all, names[i], json_string(whats[i]));
	return json_dump(json_pack("{s:i, s:o}", "schema", JSON_SCHEMA,
				   "commands", all));
}

char *json_resized(uint64_t dev_bytes)
{
	return json_dump(json_pack("{s:i, s:b, s:I}", "schema", JSON_SCHEMA,
			      "resized", 1, "dev_bytes", json_n(dev_bytes)));
}

char *json_done(const char *what)
{
	return json_dump(json_pack("{s:i, s:b}", "schema", JSON_SCHEMA,
				   what, 1));
}

char *json_released(int lost_writes)
{
	return json_dump(json_pack("{s:i, s:b, s:b}", "schema", JSON_SCHEMA,
				   "released", 1, "lost_writes", lost_writes));
}

char *json_leaving(int lost_writes)
{
	return json_dump(json_pack("{s:i, s:b}", "schema", JSON_SCHEMA,
				   "lost_writes", lost_writes));
}

char *json_error(const char *text)
{
	json_t *error = json_string(text);
	char plain[256];

	/* JSON escapes any control character, but takes nothing but UTF-8. */
	if (!error)
		error = json_string(escape_text(plain, sizeof(plain), text));
	return json_dump(json_pack("{s:i, s:o}", "schema", JSON_SCHEMA,
				   "error", error));
}

char *json_failure(const char *what, int err)
{
	char text[128];

	snprintf(text, sizeof(text), "%s: %s", what, strerror(-err));
	return json_dump(json_pack("{s:i, s:s, s:i}", "schema", JSON_SCHEMA,
				   "error", text, "errno", -err));
}
