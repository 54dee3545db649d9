/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Log, allocator and checks of a device, and the generator of the tests' random
 * numbers.
 */
#include <stdlib.h>
#include <string.h>

#include "testlib.h"
#include "util/check.h"
#include "util/log.h"
#include "util/alloc.h"

START_TEST(log_names_the_device)
{
	struct test_log got = { 0 };
	struct ublkev__log log = { .fn = test_log_fn, .data = &got, .id = 7 };

	ublkev__log(&log, LOG_WARNING, "%s %d", "took", 3);
	ck_assert_uint_eq(got.lines, 1);
	ck_assert_int_eq(got.priority, LOG_WARNING);
	ck_assert_str_eq(got.line, "ublkb7: took 3");
	log.id = 0;
	ublkev__log(&log, LOG_ERR, "x");
	ck_assert_str_eq(got.line, "ublkb0: x");
	ck_assert_int_eq(got.priority, LOG_ERR);
}
END_TEST

START_TEST(log_without_device)
{
	struct test_log got = { 0 };
	struct ublkev__log log = { .fn = test_log_fn, .data = &got, .id = -1 };

	ublkev__log(&log, LOG_ERR, "%s", "100%");
	ck_assert_str_eq(got.line, "100%");
}
END_TEST

START_TEST(log_silent)
{
	struct ublkev__log log = { .id = 1 };

	ublkev__log(&log, LOG_ERR, "nobody hears %d", 1);
}
END_TEST

START_TEST(log_cuts_long_lines)
{
	struct test_log got = { 0 };
	struct ublkev__log log = { .fn = test_log_fn, .data = &got, .id = -1 };
	char text[400];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ublkev__log(&log, LOG_ERR, "%s", text);
	ck_assert_uint_eq(strlen(got.line), 255);
	log.id = 1048575;
	ublkev__log(&log, LOG_ERR, "%s", text);
	ck_assert_uint_eq(strlen(got.line), 255);
	ck_assert_int_eq(strncmp(got.line, "ublkb1048575: aaa", 17), 0);
	/* exactly what fits */
	text[255] = '\0';
	log.id = -1;
	ublkev__log(&log, LOG_ERR, "%s", text);
	ck_assert_str_eq(got.line, text);
}
END_TEST

/* an application's allocator: counts, and gives dirty memory */
struct arena {
	int allocs;
	int frees;
	size_t last_bytes;
	int budget;
};

static void *arena_alloc(void *data, void *ptr, size_t bytes)
{
	struct arena *a = data;

	if (!bytes) {
		a->frees++;
		free(ptr);
		return NULL;
	}
	ck_assert_ptr_null(ptr);
	if (a->allocs == a->budget)
		return NULL;
	a->allocs++;
	a->last_bytes = bytes;
	ptr = malloc(bytes);
	ck_assert_ptr_nonnull(ptr);
	return memset(ptr, 0xa5, bytes);
}

static void zeroed(const struct ublkev__alloc *m)
{
	static const char zeroes[1000];
	char *p = ublkev__alloc_zalloc(m, 10, 100);

	ck_assert_ptr_nonnull(p);
	ck_assert_mem_eq(p, zeroes, sizeof(zeroes));
	memset(p, 0xff, sizeof(zeroes));
	ublkev__alloc_free(m, p);
}

START_TEST(mem_of_the_system)
{
	struct ublkev__alloc m;

	ublkev__alloc_init(&m, NULL, NULL);
	zeroed(&m);
	zeroed(&m);
	ublkev__alloc_free(&m, NULL);
}
END_TEST

START_TEST(mem_of_the_application)
{
	struct arena a = { .budget = 2 };
	struct ublkev__alloc m;

	ublkev__alloc_init(&m, arena_alloc, &a);
	zeroed(&m);
	ck_assert_uint_eq(a.last_bytes, 1000);
	zeroed(&m);
	ck_assert_int_eq(a.allocs, 2);
	ck_assert_int_eq(a.frees, 2);
	ck_assert_ptr_null(ublkev__alloc_zalloc(&m, 1, 1));
	ublkev__alloc_free(&m, NULL);
	ck_assert_int_eq(a.frees, 2);
}
END_TEST

START_TEST(mem_no_such_product)
{
	struct arena a = { .budget = 100 };
	struct ublkev__alloc m;

	ublkev__alloc_init(&m, arena_alloc, &a);
	ck_assert_ptr_null(ublkev__alloc_zalloc(&m, 0, 8));
	ck_assert_ptr_null(ublkev__alloc_zalloc(&m, 8, 0));
	ck_assert_ptr_null(ublkev__alloc_zalloc(&m, SIZE_MAX / 2 + 1, 2));
	ck_assert_ptr_null(ublkev__alloc_zalloc(&m, 2, SIZE_MAX / 2 + 1));
	ck_assert_ptr_null(ublkev__alloc_zalloc(&m, SIZE_MAX, SIZE_MAX));
	ck_assert_int_eq(a.allocs, 0);
	ck_assert_int_eq(a.frees, 0);
}
END_TEST

#ifndef NDEBUG
static void do_wrong(void *arg)
{
	ublkev__check(arg, "something is given");
}

START_TEST(check_says_who_and_what)
{
	int something;

	ck_assert(test_aborts(do_wrong, NULL, "ublkev: "));
	ck_assert(test_aborts(do_wrong, NULL, "something is given"));
	ck_assert(!test_aborts(do_wrong, &something, ""));
}
END_TEST
#endif

START_TEST(rng_is_repeatable)
{
	struct test_rng a, b;
	uint64_t seen = 0;
	int i;

	test_rng_init(&a, 0);
	/* the first of splitmix64's published sequence for seed 0 */
	ck_assert_uint_eq(test_rng_next(&a), UINT64_C(0xe220a8397b1dcdaf));
	test_rng_init(&b, 0);
	test_rng_next(&b);
	for (i = 0; i < 1000; i++) {
		ck_assert_uint_eq(test_rng_next(&a), test_rng_next(&b));
		seen |= UINT64_C(1) << test_rng_below(&a, 8);
		test_rng_below(&b, 8);
	}
	ck_assert_uint_eq(seen, 0xff);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("util");
	TCase *tc = tcase_create("util");

	tcase_add_test(tc, log_names_the_device);
	tcase_add_test(tc, log_without_device);
	tcase_add_test(tc, log_silent);
	tcase_add_test(tc, log_cuts_long_lines);
	tcase_add_test(tc, mem_of_the_system);
	tcase_add_test(tc, mem_of_the_application);
	tcase_add_test(tc, mem_no_such_product);
#ifndef NDEBUG
	tcase_add_test(tc, check_says_who_and_what);
#endif
	tcase_add_test(tc, rng_is_repeatable);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
