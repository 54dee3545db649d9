/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core_queue whose requests are left to another server
 */
#include <errno.h>
#include <string.h>

#include "core/core_queue.h"
#include "testlib.h"

#define DEPTH	4u
#define MAX_IO	8192u

static struct {
	struct ublkev__queue q;
	struct ublkev__tag tags[DEPTH];
	struct ublkev_stats stats;
	char bufs[DEPTH * MAX_IO], spare;
} t;

static void verify(void)
{
	ublkev__queue_verify(&t.q);
}

/* all armed */
static void set_up(void)
{
	struct ublkev__tag *tag;

	memset(&t.stats, 0, sizeof(t.stats));
	ublkev__queue_init(&t.q, 0, DEPTH, 1, t.tags, NULL, &t.stats);
	ublkev__queue_set_bufs(&t.q, t.bufs, &t.spare, MAX_IO);
	ublkev__queue_arm(&t.q);
	while (ublkev__queue_next_out(&t.q, &tag) != UBLKEV__QUEUE_NONE)
		verify();
}

static int write_request(unsigned int tag)
{
	const struct ublkev__desc desc = { .op_flags = 1, .nr_sectors = 2 };
	int err = ublkev__queue_cqe(&t.q, tag, 0, &desc);

	verify();
	return err;
}

static uint64_t to_backend(unsigned int tag)
{
	struct ublkev__tag *got;

	ck_assert_int_eq(write_request(tag), 0);
	got = ublkev__queue_next_in(&t.q);
	ck_assert_ptr_eq(got, &t.tags[tag]);
	return got->req.cookie;
}

static void committed(unsigned int tag, int result)
{
	struct ublkev__tag *got = NULL;

	ck_assert_int_eq(ublkev__queue_next_out(&t.q, &got),
			 UBLKEV__QUEUE_COMMIT);
	ck_assert_ptr_eq(got, &t.tags[tag]);
	ck_assert_int_eq(got->result, result);
	verify();
}

START_TEST(idle)
{
	uint64_t cookie;

	ck_assert(ublkev__queue_idle(&t.q));
	write_request(0);
	ck_assert(!ublkev__queue_idle(&t.q));	/* READY */
	cookie = ublkev__queue_next_in(&t.q)->req.cookie;
	ck_assert(!ublkev__queue_has_work(&t.q));
	ck_assert(!ublkev__queue_idle(&t.q));	/* BACKEND */
	ck_assert_int_eq(ublkev__queue_done(&t.q, cookie, 0), 0);
	ck_assert(!ublkev__queue_idle(&t.q));	/* RESULT */
	committed(0, 1024);
	ck_assert(ublkev__queue_idle(&t.q));
}
END_TEST

/* what the backend has not seen is another server's */
START_TEST(drops_what_is_ready)
{
	uint64_t cookie = to_backend(2);

	write_request(0);
	write_request(1);
	ublkev__queue_freeze(&t.q);
	verify();
	ck_assert_ptr_null(ublkev__queue_next_in(&t.q));
	ck_assert_int_eq(t.tags[0].state, UBLKEV__TAG_DEAD);
	ck_assert_int_eq(t.tags[1].state, UBLKEV__TAG_DEAD);
	ck_assert_int_eq(t.tags[2].state, UBLKEV__TAG_BACKEND);
	ck_assert_int_eq(t.tags[3].state, UBLKEV__TAG_DRIVER);
	ck_assert(!ublkev__queue_idle(&t.q));
	/* and what it has seen is answered as ever */
	ck_assert_int_eq(ublkev__queue_done(&t.q, cookie, 0), 0);
	committed(2, 1024);
	ck_assert(ublkev__queue_idle(&t.q));
	ck_assert(!ublkev__queue_drained(&t.q));
	ck_assert_uint_eq(t.stats.op[UBLKEV_OP_WRITE].reqs, 1);
	ck_assert_uint_eq(t.stats.inflight, 0);
}
END_TEST

START_TEST(drops_what_comes)
{
	unsigned int i;

	ublkev__queue_freeze(&t.q);
	ublkev__queue_freeze(&t.q);
	for (i = 0; i < DEPTH - 1; i++) {
		ck_assert_int_eq(write_request(i), 0);
		ck_assert_int_eq(t.tags[i].state, UBLKEV__TAG_DEAD);
		ck_assert_int_eq(write_request(i), -EPROTO);
	}
	ck_assert(!ublkev__queue_has_work(&t.q));
	ck_assert(!ublkev__queue_drained(&t.q));
	ck_assert_int_eq(ublkev__queue_cqe(&t.q, i, -ENODEV, NULL), 0);
	ck_assert(ublkev__queue_drained(&t.q));
	ck_assert_uint_eq(t.stats.op[UBLKEV_OP_WRITE].reqs, 0);
	verify();
}
END_TEST

/* a refused command is none of what is dropped */
START_TEST(still_tells_errors)
{
	ublkev__queue_freeze(&t.q);
	ck_assert_int_eq(ublkev__queue_cqe(&t.q, 1, -EINVAL, NULL), -EINVAL);
	ck_assert_int_eq(t.tags[1].state, UBLKEV__TAG_DEAD);
	verify();
}
END_TEST

/* given up by the backend's device in the middle of it */
START_TEST(aborted)
{
	uint64_t cookie = to_backend(3);

	ublkev__queue_freeze(&t.q);
	ck_assert_uint_eq(ublkev__queue_abort(&t.q), 1);
	verify();
	committed(3, -EIO);
	ck_assert_int_eq(write_request(3), 0);
	ck_assert_int_eq(t.tags[3].state, UBLKEV__TAG_DEAD);
	ck_assert_int_eq(ublkev__queue_done(&t.q, cookie, 0), -ESTALE);
	verify();
}
END_TEST

START_TEST(killed)
{
	to_backend(0);
	ublkev__queue_freeze(&t.q);
	ublkev__queue_kill(&t.q);
	verify();
	ck_assert(ublkev__queue_idle(&t.q));
	ck_assert(ublkev__queue_drained(&t.q));
	ck_assert_uint_eq(t.stats.inflight, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue_freeze");
	TCase *tc = tcase_create("freeze");

	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_add_test(tc, idle);
	tcase_add_test(tc, drops_what_is_ready);
	tcase_add_test(tc, drops_what_comes);
	tcase_add_test(tc, still_tells_errors);
	tcase_add_test(tc, aborted);
	tcase_add_test(tc, killed);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
