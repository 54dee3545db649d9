/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of a backend behind the guard: at once or later, with an owner that
 * waits and with one that does not.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "guard_kit.h"

static struct {
	struct ublkev_backend *b;
	int answer;
	bool tells_inside;
	unsigned int stops, closes, begun, freed, told;
} it;

static int it_open(void *ctx, struct ublkev_limits *limits)
{
	(void)ctx;
	*limits = guard_plain_limits;
	return 0;
}

static int it_submit(void *ctx, struct ublkev_req *req)
{
	(void)ctx;
	(void)req;
	return UBLKEV_DONE;
}

static void it_stop(void *ctx)
{
	(void)ctx;
	/* first the one, then the other */
	ck_assert_uint_eq(it.begun + it.closes, 0);
	it.stops++;
}

static void it_close(void *ctx)
{
	(void)ctx;
	it.closes++;
}

static int it_close_begin(void *ctx)
{
	(void)ctx;
	it.begun++;
	if (it.tells_inside)
		ublkev_backend_closed(it.b);
	return it.answer;
}

static void it_free(void *ctx)
{
	(void)ctx;
	it.freed++;
}

static const struct ublkev_backend_ops ops = {
	.size = sizeof(ops),
	.name = "it",
	.open = it_open,
	.submit = it_submit,
	.stop = it_stop,
	.close = it_close,
	.close_begin = it_close_begin,
};

static struct owner owner;

static void open_it(void)
{
	ck_assert_int_eq(ublkev__guard_open(it.b, guard_done, &owner,
					    &guard_log), 0);
	ck_assert_int_eq(ublkev__guard_start(it.b, NULL), 0);
}

static void make(const struct ublkev_backend_ops *o)
{
	memset(&it, 0, sizeof(it));
	memset(&owner, 0, sizeof(owner));
	memset(&guard_said, 0, sizeof(guard_said));
	ck_assert_int_eq(ublkev__guard_new(&it.b, o, &it, it_free), 0);
	open_it();
}

static void on_closed(void *who)
{
	ck_assert_ptr_eq(who, &owner);
	it.told++;
}

/* what a program has that was compiled before there was a close_begin */
START_TEST(old_program)
{
	struct ublkev_backend_ops old = ops;

	old.size = offsetof(struct ublkev_backend_ops, close_begin);
	make(&old);
	ck_assert_int_eq(ublkev__guard_begin_close(it.b, on_closed),
			 UBLKEV_DONE);
	ck_assert_uint_eq(it.closes, 1);
	ck_assert_uint_eq(it.begun, 0);
	ck_assert_uint_eq(it.told, 0);
	ublkev_backend_free(it.b);
	ck_assert_uint_eq(it.freed, 1);
}
END_TEST

/* how it answers, whether it tells inside, and what comes of it */
static const struct {
	int answer;
	bool inside;
	int is;
	unsigned int lines;
} answers[] = {
	{ UBLKEV_DONE, false, UBLKEV_DONE, 0 },
	{ UBLKEV_DONE, true, UBLKEV_DONE, 0 },
	{ UBLKEV_LATER, false, UBLKEV_LATER, 0 },
	{ UBLKEV_LATER, true, UBLKEV_DONE, 0 },
	{ UBLKEV_AGAIN, false, UBLKEV_DONE, 1 },
	{ -EBUSY, false, UBLKEV_DONE, 1 },
	{ -EBUSY, true, UBLKEV_DONE, 0 },
};

START_TEST(answer)
{
	int is = answers[_i].is;

	make(&ops);
	it.answer = answers[_i].answer;
	it.tells_inside = answers[_i].inside;
	ck_assert_int_eq(ublkev__guard_begin_close(it.b, on_closed), is);
	ck_assert_uint_eq(it.stops, 1);
	ck_assert_uint_eq(it.begun, 1);
	ck_assert_uint_eq(it.closes, 0);
	ck_assert_uint_eq(guard_said.lines, answers[_i].lines);
	if (is == UBLKEV_LATER) {
		/* in use until then, and asked once */
		ck_assert_int_eq(ublkev__guard_open(it.b, guard_done, &owner,
						    &guard_log), -EBUSY);
		ck_assert_int_eq(ublkev__guard_begin_close(it.b, on_closed),
				 UBLKEV_LATER);
		ublkev_req_done(it.b, 5, 0);
		ck_assert_uint_eq(owner.answers, 1);
		ublkev_backend_closed(it.b);
	}
	ck_assert_uint_eq(it.begun, 1);
	ck_assert_uint_eq(it.told, is == UBLKEV_LATER);
	/* twice is as once, and an answer is nobody's */
	ublkev_backend_closed(it.b);
	ublkev_req_done(it.b, 5, 0);
	ck_assert_uint_eq(owner.answers, is == UBLKEV_LATER);
	ck_assert_uint_eq(it.told, is == UBLKEV_LATER);
	ck_assert_int_eq(ublkev__guard_close(it.b), UBLKEV_DONE);
	/* and open to the next */
	it.begun = it.stops = 0;
	it.tells_inside = false;
	it.answer = UBLKEV_DONE;
	open_it();
	ck_assert_int_eq(ublkev__guard_close(it.b), UBLKEV_DONE);
	ublkev_backend_free(it.b);
	ck_assert_uint_eq(it.freed, 1);
}
END_TEST

/* an owner that ends: at once, or after it has waited; it is never told */
START_TEST(left)
{
	make(&ops);
	it.answer = UBLKEV_LATER;
	if (_i & 1)
		(void)ublkev__guard_begin_close(it.b, on_closed);
	ck_assert_int_eq(ublkev__guard_close(it.b), UBLKEV_LATER);
	ck_assert_uint_eq(it.begun, 1);
	ublkev_req_done(it.b, 5, 0);
	ck_assert_uint_eq(owner.answers, 0);
	if (_i & 2)
		ublkev_backend_free(it.b);
	/* the backend is at work yet */
	ck_assert_uint_eq(it.freed, 0);
	ublkev_backend_closed(it.b);
	ck_assert_uint_eq(it.told, 0);
	if (!(_i & 2))
		ublkev_backend_free(it.b);
	ck_assert_uint_eq(it.freed, 1);
}
END_TEST

/* limits that no kernel takes: what open() began is ended as ever */
static int it_open_badly(void *ctx, struct ublkev_limits *limits)
{
	(void)it_open(ctx, limits);
	limits->dev_bytes = 1;
	return 0;
}

START_TEST(bad_limits)
{
	struct ublkev_backend_ops bad = ops;

	memset(&it, 0, sizeof(it));
	bad.open = it_open_badly;
	it.answer = UBLKEV_LATER;
	ck_assert_int_eq(ublkev__guard_new(&it.b, &bad, &it, it_free), 0);
	ck_assert_int_eq(ublkev__guard_open(it.b, guard_done, &owner,
					    &guard_log), -EINVAL);
	ck_assert_uint_eq(it.begun, 1);
	ck_assert_uint_eq(it.stops, 0);
	ck_assert_int_eq(ublkev__guard_open(it.b, guard_done, &owner,
					    &guard_log), -EBUSY);
	ublkev_backend_closed(it.b);
	ublkev_backend_free(it.b);
	ck_assert_uint_eq(it.freed, 1);
}
END_TEST

START_TEST(too_early)
{
	make(&ops);
	memset(&guard_said, 0, sizeof(guard_said));
	ublkev_backend_closed(it.b);
	ck_assert_uint_eq(guard_said.lines, 1);
	ck_assert_int_eq(ublkev__guard_close(it.b), UBLKEV_DONE);
	ck_assert_uint_eq(it.begun, 1);
	ublkev_backend_free(it.b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("guard_close");
	TCase *tc = tcase_create("close");

	tcase_add_test(tc, old_program);
	tcase_add_loop_test(tc, answer, 0, (int)TEST_COUNT(answers));
	tcase_add_loop_test(tc, left, 0, 4);
	tcase_add_test(tc, bad_limits);
	tcase_add_test(tc, too_early);
	suite_add_tcase(s, tc);
	return test_main(s);
}
