/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A server's counters become what people read: rates between two looks,
 * latencies as percentiles, requests with the backend, a JSON object.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "ublk-evdemo/json.h"
#include "ublk-evdemo/rates.h"
#include "common/latency.h"
#include "testlib.h"

START_TEST(no_latencies)
{
	uint32_t now[UBLKEV_LATENCY_BUCKETS] = { 0 };
	struct latency l;

	latency_of(&l, now, NULL);
	ck_assert_uint_eq(l.count, 0);
	ck_assert_uint_eq(l.max_us, 0);
}
END_TEST

START_TEST(percentiles)
{
	uint32_t now[UBLKEV_LATENCY_BUCKETS] = { 0 };
	struct latency l;

	now[3] = 1;
	latency_of(&l, now, NULL);
	ck_assert_uint_eq(l.p50_us, 3);
	ck_assert_uint_eq(l.max_us, 3);
	/* 90 of 3 us, 9 of 5 us, one of 16 and 17 us */
	now[3] = 90;
	now[5] = 9;
	now[16] = 1;
	latency_of(&l, now, NULL);
	ck_assert_uint_eq(l.count, 100);
	ck_assert_uint_eq(l.p50_us, 3);
	ck_assert_uint_eq(l.p90_us, 3);
	ck_assert_uint_eq(l.p99_us, 5);
	ck_assert_uint_eq(l.max_us, 17);
	now[175] = 1;
	latency_of(&l, now, NULL);
	ck_assert_uint_eq(l.p90_us, 5);
	ck_assert_uint_eq(l.p99_us, 17);
	ck_assert_uint_eq(l.max_us, ublkev_latency_bucket_us(175));
}
END_TEST

/* against the definition: the least value with p % at or below it */
START_TEST(percentiles_random)
{
	uint32_t now[UBLKEV_LATENCY_BUCKETS] = { 0 };
	struct latency l;
	struct test_rng rng;
	uint64_t sum = 0;
	unsigned int b;
	int i;

	test_rng_init(&rng, test_seed("percentiles_random"));
	for (i = 0; i < 1000; i++) {
		now[test_rng_below(&rng, 170)] +=
			(uint32_t)test_rng_below(&rng, 9);
		latency_of(&l, now, NULL);
		sum = 0;
		for (b = 0; b < 170; b++) {
			sum += now[b];
			if (sum && sum * 100 >= l.count * 99)
				break;
		}
		if (l.count)
			ck_assert_uint_eq(l.p99_us,
					  ublkev_latency_bucket_us(b + 1) - 1);
		ck_assert(l.p50_us <= l.p90_us && l.p90_us <= l.p99_us &&
			  l.p99_us <= l.max_us);
	}
}
END_TEST

START_TEST(counters_wrap)
{
	uint32_t now[UBLKEV_LATENCY_BUCKETS] = { 0 };
	uint32_t then[UBLKEV_LATENCY_BUCKETS] = { 0 };
	struct latency l;

	then[4] = UINT32_MAX;
	now[4] = 2;
	latency_of(&l, now, then);
	ck_assert_uint_eq(l.count, 3);
}
END_TEST

static void fill(struct ublkev_stats *now, struct ublkev_stats *then)
{
	memset(now, 0, sizeof(*now));
	memset(then, 0, sizeof(*then));
	then->op[UBLKEV_OP_READ].reqs = 100;
	now->op[UBLKEV_OP_READ].reqs = 1100;
	now->op[UBLKEV_OP_READ].bytes = 4 << 20;
	now->op[UBLKEV_OP_WRITE].reqs = 10;
	now->op[UBLKEV_OP_FLUSH].reqs = 2;
	now->op[UBLKEV_OP_DISCARD].reqs = 2;
	now->op[UBLKEV_OP_DISCARD].errors = 1;
	now->read_latency[4] = 1000;
	now->inflight = 7;
	now->inflight_max = 9;
	now->fua = 3;
}

START_TEST(interval_text)
{
	struct ublkev_stats now, then;
	char buf[512];

	fill(&now, &then);
	stats_text(buf, sizeof(buf), &now, &then, 2000000000);
	ck_assert_str_eq(buf, "read 500 IOPS 2.0 MiB/s, write 5 IOPS 0.0 "
			 "MiB/s, other 2 IOPS, errors 1; read p50 4 p99 4 "
			 "max 4 us; in flight 7");
	/* a clock that stood still */
	stats_text(buf, sizeof(buf), &now, &now, 0);
	ck_assert_ptr_nonnull(strstr(buf, "read 0 IOPS"));
	/* and no errors since */
	ck_assert_ptr_nonnull(strstr(buf, "errors 0"));
	stats_counters(buf, sizeof(buf), &now);
	ck_assert_ptr_nonnull(strstr(buf, "DISCARD 2 (0 bytes, 1 errors)"));
	ck_assert_ptr_nonnull(strstr(buf, "in flight 7 (max 9)"));
	ck_assert_ptr_null(strstr(buf, "ZONE"));
	ck_assert_ptr_null(strstr(buf, "zones"));
	now.op[UBLKEV_OP_ZONE_APPEND].reqs = 3;
	now.op[UBLKEV_OP_ZONE_RESET].reqs = 4;
	now.op[UBLKEV_OP_REPORT_ZONES].reqs = 1;
	now.op[UBLKEV_OP_ZONE_OPEN].errors = 2;
	stats_counters(buf, sizeof(buf), &now);
	ck_assert_ptr_nonnull(strstr(buf, "ZONE_APPEND 3 (0 bytes, 0 errors)"));
	ck_assert_ptr_nonnull(strstr(buf, "zones 5 (2 errors), FUA"));
}
END_TEST

START_TEST(longest_counters)
{
	struct ublkev_stats s;
	char buf[1024];

	memset(&s, 0xff, sizeof(s));
	ck_assert_int_lt(stats_counters(buf, sizeof(buf), &s), sizeof(buf));
}
END_TEST

START_TEST(inflight_text)
{
	struct ublkev_inflight r = {
		.op = UBLKEV_OP_WRITE, .queue = 1, .tag = 5,
		.offset_bytes = 4096, .len_bytes = 512, .age_us = 9,
		.flags = UBLKEV_REQ_FUA,
	};
	char buf[256];

	stats_inflight(buf, sizeof(buf), &r);
	ck_assert_str_eq(buf, "queue 1 tag 5 WRITE offset 4096 length 512 "
			 "age 9 us FUA");
}
END_TEST

static json_t *load(char *text)
{
	json_error_t e;
	json_t *j;

	ck_assert_ptr_nonnull(text);
	ck_assert_ptr_null(strchr(text, '\n'));
	j = json_loads(text, 0, &e);
	ck_assert_msg(j != NULL, "%s: %s", e.text, text);
	ck_assert_int_eq(json_integer_value(json_object_get(j, "schema")),
			 JSON_SCHEMA);
	free(text);
	return j;
}

static json_int_t at(json_t *j, const char *a, const char *b, const char *c)
{
	j = json_object_get(j, a);
	if (b)
		j = json_object_get(j, b);
	if (c)
		j = json_object_get(j, c);
	ck_assert(json_is_integer(j));
	return json_integer_value(j);
}

START_TEST(json_of_live)
{
	struct ublkev_stats now, then;
	struct ublkev_info info = {
		.dev_bytes = UINT64_C(1) << 40, .queues = 2, .depth = 64,
		.features = 1 << 7, .kernel_features = UINT64_C(1) << 63,
	};
	struct json_source s = { .id = 3, .state = "LIVE", .backend = "mem",
		.uptime_ms = 12, .gap_ms = -1, .info = &info, .stats = &now };
	json_t *j;

	fill(&now, &then);
	j = load(json_stats(&s));
	ck_assert_str_eq(json_string_value(json_object_get(j, "device")),
			 "/dev/ublkb3");
	ck_assert_int_eq(at(j, "info", "dev_bytes", NULL), 1ll << 40);
	ck_assert_int_eq(at(j, "ops", "READ", "reqs"), 1100);
	ck_assert_int_eq(at(j, "ops", "DISCARD", "errors"), 1);
	ck_assert_int_eq(at(j, "latency_us", "read", "p99"), 4);
	ck_assert_int_eq(at(j, "latency_us", "other", "count"), 0);
	ck_assert_int_eq(at(j, "inflight", NULL, NULL), 7);
	ck_assert_int_eq(at(j, "loop", "wakes", NULL), 0);
	ck_assert_int_eq(json_array_size(json_object_get(
		json_object_get(j, "info"), "features")), 1);
	ck_assert_str_eq(json_string_value(json_object_get(j, "recovery")),
			 "none");
	ck_assert_ptr_null(json_object_get(j, "gap_ms"));
	json_decref(j);
	s.gap_ms = 12.5;
	j = load(json_stats(&s));
	ck_assert_double_eq(json_real_value(json_object_get(j, "gap_ms")),
			    12.5);
	json_decref(j);
}
END_TEST

START_TEST(json_of_memory)
{
	static const struct {
		uint64_t bits;
		const char *name;
	} modes[] = {
		{ 0, "none" }, { 1 << 3, "requeue" }, { 3 << 3, "reissue" },
		{ 1 << 3 | 1 << 9, "fail-io" },
	};
	struct ublkev_info info = {
		.dev_bytes = 1 << 20, .logical_block_bytes = 4096,
	};
	struct opts o = { .read_only = 1 };
	struct json_source s = { .id = 3, .state = "LIVE", .backend = "mem",
		.gap_ms = -1, .info = &info, .opts = &o };
	unsigned int i;
	json_t *j;

	for (i = 0; i < TEST_COUNT(modes); i++) {
		info.features = modes[i].bits;
		j = load(json_memory(&s));
		ck_assert_str_eq(json_string_value(json_object_get(j,
					"recovery")), modes[i].name);
		ck_assert_int_eq(at(j, "id", NULL, NULL), 3);
		ck_assert_int_eq(at(j, "dev_bytes", NULL, NULL), 1 << 20);
		ck_assert_int_eq(at(j, "logical_block_bytes", NULL, NULL),
				 4096);
		ck_assert(json_is_true(json_object_get(j, "read_only")));
		ck_assert(json_is_false(json_object_get(j, "huge_pages")));
		ck_assert(json_is_boolean(json_object_get(j, "stays")));
		json_decref(j);
	}
}
END_TEST

START_TEST(json_of_answers)
{
	static const char *const names[] = { "a", "b" };
	static const char *const whats[] = { "one", "two" };
	json_t *j = load(json_resized(4096));

	ck_assert(json_is_true(json_object_get(j, "resized")));
	ck_assert_int_eq(at(j, "dev_bytes", NULL, NULL), 4096);
	json_decref(j);
	j = load(json_done("stopping"));
	ck_assert(json_is_true(json_object_get(j, "stopping")));
	json_decref(j);
	j = load(json_failure("resize", -ENOSPC));
	ck_assert_str_eq(json_string_value(json_object_get(j, "error")),
			 "resize: No space left on device");
	ck_assert_int_eq(at(j, "errno", NULL, NULL), ENOSPC);
	json_decref(j);
	j = load(json_help(names, whats, 2));
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(j,
				"commands"), "b")), "two");
	json_decref(j);
}
END_TEST

START_TEST(json_before_live)
{
	struct json_source s = { .id = -1, .state = "ADD_DEV",
		.backend = "null", .gap_ms = -1 };
	json_t *j = load(json_stats(&s));

	ck_assert(json_is_null(json_object_get(j, "device")));
	ck_assert_ptr_null(json_object_get(j, "ops"));
	json_decref(j);
	j = load(json_error("no \"such\"\n"));
	ck_assert_str_eq(json_string_value(json_object_get(j, "error")),
			 "no \"such\"\n");
	json_decref(j);
	/* not UTF-8: what can be said of it is, instead of no answer */
	j = load(json_error("no \xff\n"));
	ck_assert_str_eq(json_string_value(json_object_get(j, "error")),
			 "no \\xff\\x0a");
	json_decref(j);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("evstats");
	TCase *t = tcase_create("evstats");

	suite_add_tcase(s, t);
	tcase_add_test(t, no_latencies);
	tcase_add_test(t, percentiles);
	tcase_add_test(t, percentiles_random);
	tcase_add_test(t, counters_wrap);
	tcase_add_test(t, interval_text);
	tcase_add_test(t, longest_counters);
	tcase_add_test(t, inflight_text);
	tcase_add_test(t, json_of_live);
	tcase_add_test(t, json_of_memory);
	tcase_add_test(t, json_of_answers);
	tcase_add_test(t, json_before_live);
	return test_main(s);
}
