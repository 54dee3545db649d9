/* SPDX-License-Identifier: BSD-2-Clause */
/* what a backend says of the files that a request's data are in, checked */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "guard_kit.h"

/* a backend that answers this, and no more */
static struct ublkev_extent answer[UBLKEV_MAX_EXTENTS + 1];
static int answered, placed_answer, placed_err;
static unsigned int places;

static int open_plain(void *ctx, struct ublkev_limits *limits)
{
	struct fake *f = ctx;

	*limits = f->limits;
	return 0;
}

static int submit_one(void *ctx, struct ublkev_req *req)
{
	(void)ctx;
	(void)req;
	return UBLKEV_LATER;
}

static int place(void *ctx, const struct ublkev_req *req,
		 struct ublkev_extent *extents)
{
	(void)ctx;
	(void)req;
	places++;
	memcpy(extents, answer, sizeof(*extents) * UBLKEV_MAX_EXTENTS);
	return answered;
}

static int placed(void *ctx, const struct ublkev_req *req, int err)
{
	(void)ctx;
	(void)req;
	placed_err = err;
	return placed_answer;
}

static const struct ublkev_backend_ops place_ops = {
	.size = sizeof(place_ops),
	.name = "place",
	.open = open_plain,
	.place = place,
	.placed = placed,
};

static const struct ublkev_backend_ops both_ops = {
	.size = sizeof(both_ops),
	.open = open_plain,
	.submit = submit_one,
	.place = place,
};

static const struct {
	uint8_t op;
	int n;
	struct ublkev_extent x[3];
	int want;
} cases[] = {
	{ UBLKEV_OP_READ, 1, { { 3, 0, 4096 } }, 1 },
	{ UBLKEV_OP_READ, 3, { { 3, 7, 512 }, { 3, 0, 512 }, { -1, 0, 3072 } },
	  3 },
	{ UBLKEV_OP_READ, -ENOMEDIUM, { { 0, 0, 0 } }, -ENOMEDIUM },
	/* no answers; of 0 there is no submit() that could have it */
	{ UBLKEV_OP_READ, 0, { { 0, 0, 0 } }, -EIO },
	{ UBLKEV_OP_READ, INT_MIN, { { 0, 0, 0 } }, -EIO },
	{ UBLKEV_OP_READ, UBLKEV_MAX_EXTENTS + 1, { { 3, 0, 4096 } }, -EIO },
	{ UBLKEV_OP_READ, INT_MAX, { { 3, 0, 4096 } }, -EIO },
	{ UBLKEV_OP_READ, 1, { { -2, 0, 4096 } }, -EIO },
	{ UBLKEV_OP_READ, 1, { { 3, 0, 4095 } }, -EIO },
	{ UBLKEV_OP_READ, 1, { { 3, 0, 4097 } }, -EIO },
	{ UBLKEV_OP_READ, 2, { { 3, 0, 4096 }, { 3, 0, 512 } }, -EIO },
	{ UBLKEV_OP_READ, 2, { { 3, 0, 0 }, { 3, 0, 4096 } }, -EIO },
	{ UBLKEV_OP_READ, 2, { { 3, 0, 512 }, { 3, 0, UINT64_MAX - 511 } },
	  -EIO },
	{ UBLKEV_OP_READ, 1, { { 3, INT64_MAX - 4096, 4096 } }, 1 },
	{ UBLKEV_OP_READ, 1, { { 3, INT64_MAX - 4095, 4096 } }, -EIO },
	{ UBLKEV_OP_READ, 1, { { 3, UINT64_MAX, 4096 } }, -EIO },
	/* what is written goes somewhere */
	{ UBLKEV_OP_WRITE, 1, { { 0, 0, 4096 } }, 1 },
	{ UBLKEV_OP_WRITE, 1, { { -1, 0, 4096 } }, -EIO },
	{ UBLKEV_OP_DISCARD, 1, { { -1, 0, 4096 } }, 1 },
	{ UBLKEV_OP_WRITE_ZEROES, 1, { { -1, 0, 4096 } }, 1 },
	/* no ranges are synced, but files */
	{ UBLKEV_OP_FLUSH, 2, { { 3, 0, 0 }, { 3, 0, 0 } }, 2 },
	{ UBLKEV_OP_FLUSH, 1, { { -1, 0, 0 } }, 1 },
	{ UBLKEV_OP_FLUSH, 1, { { -2, 0, 0 } }, -EIO },
	{ UBLKEV_OP_FLUSH, 1, { { 3, 0, 512 } }, -EIO },
	{ UBLKEV_OP_FLUSH, 1, { { 3, 512, 0 } }, -EIO },
};

START_TEST(extents)
{
	struct ublkev_req req = {
		.op = cases[_i].op,
		.len_bytes = cases[_i].op == UBLKEV_OP_FLUSH ? 0 : 4096,
	};
	struct ublkev_extent x[UBLKEV_MAX_EXTENTS];
	bool wrong = cases[_i].want == -EIO;
	bool rejected = true;
	struct owner o;
	struct fake f;

	guard_make(&f, &place_ops);
	guard_start_it(&f, &o);
	memcpy(answer, cases[_i].x, sizeof(cases[_i].x));
	answered = cases[_i].n;
	ck_assert_int_eq(ublkev__guard_place(f.b, &req, x, &rejected),
			 cases[_i].want);
	ck_assert(!rejected);
	ck_assert_uint_eq(guard_said.lines, wrong);
	if (wrong)
		ck_assert_ptr_nonnull(strstr(guard_said.line,
					     "place: place() answered"));
	guard_finish(&f);
}
END_TEST

/* what place() leaves is submit()'s, where there is one */
START_TEST(left_to_submit)
{
	struct ublkev_req req = { .op = UBLKEV_OP_READ, .len_bytes = 512 };
	struct ublkev_extent x[UBLKEV_MAX_EXTENTS];
	bool rejected = true;
	struct owner o;
	struct fake f;

	guard_make(&f, &both_ops);
	guard_start_it(&f, &o);
	answered = 0;
	ck_assert_int_eq(ublkev__guard_place(f.b, &req, x, &rejected), 0);
	ck_assert(!rejected);
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected),
			 UBLKEV_LATER);
	ck_assert(!rejected);
	ck_assert_uint_eq(guard_said.lines, 0);
	guard_finish(&f);
}
END_TEST

/* a place() that an older caller's struct does not reach is none */
START_TEST(place_alone)
{
	struct ublkev_backend_ops ops = place_ops;
	struct ublkev_backend *b = NULL;

	ops.size = offsetof(struct ublkev_backend_ops, place);
	ck_assert_int_eq(ublkev_backend_new(&b, &ops, NULL), -EINVAL);
	ck_assert_ptr_null(b);
	ck_assert_int_eq(ublkev_backend_new(&b, &place_ops, NULL), 0);
	ublkev_backend_free(b);
}
END_TEST

START_TEST(checked_before)
{
	struct ublkev_req req = { .op = UBLKEV_OP_READ, .len_bytes = 511 };
	struct ublkev_extent x[UBLKEV_MAX_EXTENTS];
	bool rejected = false;
	struct owner o;
	struct fake f;

	guard_make(&f, &place_ops);
	guard_start_it(&f, &o);
	places = 0;
	ck_assert_int_eq(ublkev__guard_place(f.b, &req, x, &rejected),
			 -EINVAL);
	ck_assert(rejected);
	ck_assert_uint_eq(places, 0);
	guard_finish(&f);
}
END_TEST

START_TEST(placed_answers)
{
	struct ublkev_req req = { .op = UBLKEV_OP_FLUSH };
	struct owner o;
	struct fake f;

	guard_make(&f, &place_ops);
	guard_start_it(&f, &o);
	placed_answer = -EROFS;
	ck_assert_int_eq(ublkev__guard_placed(f.b, &req, -EIO), -EROFS);
	ck_assert_int_eq(placed_err, -EIO);
	placed_answer = 0;
	ck_assert_int_eq(ublkev__guard_placed(f.b, &req, -EIO), 0);
	ck_assert_uint_eq(guard_said.lines, 0);
	placed_answer = 1;
	ck_assert_int_eq(ublkev__guard_placed(f.b, &req, 0), -EIO);
	ck_assert_uint_eq(guard_said.lines, 1);
	guard_finish(&f);
	/* absent, nothing is changed */
	guard_make(&f, &guard_least_ops);
	guard_start_it(&f, &o);
	ck_assert_int_eq(ublkev__guard_placed(f.b, &req, -EDOM), -EDOM);
	ck_assert_int_eq(ublkev__guard_placed(f.b, &req, 0), 0);
	guard_finish(&f);
}
END_TEST

/* there is no buffer to read a file into */
START_TEST(no_data)
{
	struct owner o;
	struct fake f;

	guard_make(&f, &place_ops);
	f.limits.flags |= UBLKEV_LIMIT_NO_DATA;
	ck_assert_int_eq(guard_open_it(&f, &o), -EINVAL);
	ck_assert_ptr_nonnull(strstr(guard_said.line, "NO_DATA"));
	ublkev_backend_free(f.b);
	guard_make(&f, &guard_fake_ops);
	f.limits.flags |= UBLKEV_LIMIT_NO_DATA;
	ck_assert_int_eq(guard_open_it(&f, &o), 0);
	guard_finish(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guard_place");
	TCase *tc = tcase_create("place");

	tcase_add_loop_test(tc, extents, 0, TEST_COUNT(cases));
	tcase_add_test(tc, left_to_submit);
	tcase_add_test(tc, place_alone);
	tcase_add_test(tc, checked_before);
	tcase_add_test(tc, placed_answers);
	tcase_add_test(tc, no_data);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
