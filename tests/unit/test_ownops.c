/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a backend has begun for a request: parts of it, its ends, and when the
 * request may be answered.
 */
#include <errno.h>
#include <string.h>

#include "core/ownops.h"
#include "testlib.h"

static struct ublkev_req req;
static struct ublkev__reqops o;
static char buf[4096];

static int done(void *ctx, struct ublkev_req *r, int res)
{
	(void)ctx;
	(void)r;
	return res;
}

static void setup(void)
{
	memset(&o, 0, sizeof(o));
	ck_assert_int_eq(ublkev__reqops_begin(&o, &req), 0);
}

static int add(unsigned int kind, uint64_t len, ublkev_req_fn *fn)
{
	const struct ublkev__fileop op = {
		.kind = (uint8_t)kind, .fd = 3, .addr = buf, .len_bytes = len,
		.offset_bytes = 8192,
	};
	int err = ublkev__reqops_add(&o, &op, fn);

	ublkev__reqops_verify(&o);
	return err;
}

static struct ublkev__fileop next(void)
{
	struct ublkev__fileop op;

	ck_assert(ublkev__reqops_next(&o, &op));
	ublkev__reqops_verify(&o);
	return op;
}

static void no_next(void)
{
	struct ublkev__fileop op;

	ck_assert(!ublkev__reqops_next(&o, &op));
}

/* 0: it goes on; 1: its end, with `res` and that `done` */
static int cqe(unsigned int slot, int res, int *resp, ublkev_req_fn **fn)
{
	int n = ublkev__reqops_cqe(&o, slot, res, fn, resp);

	ublkev__reqops_verify(&o);
	return n;
}

static int end(unsigned int slot, int res)
{
	ublkev_req_fn *fn;
	int result;

	ck_assert_int_eq(cqe(slot, res, &result, &fn), 1);
	return result;
}

static void goes_on(unsigned int slot, int res)
{
	ublkev_req_fn *fn;
	int result;

	ck_assert_int_eq(cqe(slot, res, &result, &fn), 0);
}

START_TEST(parts)
{
	struct ublkev__fileop op;

	ck_assert_int_eq(add(UBLKEV__FILEOP_READ, 4096, done), 0);
	op = next();
	ck_assert_uint_eq(op.kind, UBLKEV__FILEOP_READ);
	ck_assert_int_eq(op.fd, 3);
	ck_assert_ptr_eq(op.addr, buf);
	ck_assert_uint_eq(op.len_bytes, 4096);
	no_next();
	goes_on(0, 1000);
	op = next();
	ck_assert_ptr_eq(op.addr, buf + 1000);
	ck_assert_uint_eq(op.len_bytes, 3096);
	ck_assert_uint_eq(op.offset_bytes, 9192);
	goes_on(0, -EAGAIN);
	op = next();
	ck_assert_uint_eq(op.len_bytes, 3096);
	goes_on(0, -EINTR);
	next();
	ck_assert_int_eq(end(0, 3096), 4096);
	ck_assert(!ublkev__reqops_out(&o));
}
END_TEST

/* a file that ends is no error of a read's, but of a write's */
START_TEST(results)
{
	static const struct {
		unsigned int kind;
		uint64_t len;
		int res, with, without;
	} ends[] = {
		{ UBLKEV__FILEOP_READ, 512, 512, 512, 0 },
		{ UBLKEV__FILEOP_READ, 512, 0, 0, -EIO },
		{ UBLKEV__FILEOP_WRITE, 512, 512, 512, 0 },
		{ UBLKEV__FILEOP_WRITE, 512, 0, -EIO, -EIO },
		/* more than was asked for */
		{ UBLKEV__FILEOP_WRITE_SYNC, 512, 513, -EIO, -EIO },
		{ UBLKEV__FILEOP_WRITE, 512, -EDQUOT, -ENOSPC, -ENOSPC },
		{ UBLKEV__FILEOP_SYNC, 0, 0, 0, 0 },
		{ UBLKEV__FILEOP_SYNC, 0, -EIO, -EIO, -EIO },
		{ UBLKEV__FILEOP_ALLOCATE, 1 << 30, 0, 0, 0 },
		{ UBLKEV__FILEOP_ALLOCATE, 1 << 30, -EOPNOTSUPP, -EOPNOTSUPP,
		  -EOPNOTSUPP },
	};

	ck_assert_int_eq(add(ends[_i].kind, ends[_i].len, done), 0);
	next();
	ck_assert_int_eq(end(0, ends[_i].res), ends[_i].with);
	ck_assert_int_eq(add(ends[_i].kind, ends[_i].len, NULL), 0);
	next();
	ck_assert_int_eq(end(0, ends[_i].res), ends[_i].without);
}
END_TEST

/* it is not tried for ever, but as long as it gets anywhere */
START_TEST(tries)
{
	unsigned int i, n;

	ck_assert_int_eq(add(UBLKEV__FILEOP_WRITE, 2, done), 0);
	for (n = 0; n < 2; n++) {
		for (i = 0; i < UBLKEV__PLACED_TRIES; i++) {
			next();
			goes_on(0, -EAGAIN);
		}
		next();
		if (!n)
			goes_on(0, 1);
	}
	ck_assert_int_eq(end(0, -EAGAIN), -EAGAIN);
}
END_TEST

START_TEST(slots)
{
	int i;

	for (i = 0; i < UBLKEV_MAX_REQ_OPS; i++)
		ck_assert_int_eq(add(UBLKEV__FILEOP_SYNC, 0, done), 0);
	ck_assert_int_eq(add(UBLKEV__FILEOP_SYNC, 0, done), -EBUSY);
	for (i = 0; i < UBLKEV_MAX_REQ_OPS; i++)
		ck_assert_uint_eq(next().piece, (unsigned int)i);
	/* one that has ended makes room */
	ck_assert_int_eq(end(2, 0), 0);
	ck_assert_int_eq(add(UBLKEV__FILEOP_SYNC, 0, done), 0);
	ck_assert_uint_eq(next().piece, 2);
}
END_TEST

START_TEST(nobodys)
{
	ublkev_req_fn *fn;
	int res;

	ck_assert_int_eq(cqe(0, 0, &res, &fn), -EPROTO);
	ck_assert_int_eq(add(UBLKEV__FILEOP_SYNC, 0, done), 0);
	ck_assert_int_eq(cqe(0, 0, &res, &fn), -EPROTO);
	next();
	ck_assert_int_eq(cqe(1, 0, &res, &fn), -EPROTO);
	ck_assert_int_eq(cqe(UINT32_MAX, 0, &res, &fn), -EPROTO);
	ck_assert_int_eq(end(0, 0), 0);
}
END_TEST

/* answers count when nothing is out, the first error of them */
START_TEST(answers)
{
	bool answered;
	int err;

	ck_assert_int_eq(add(UBLKEV__FILEOP_SYNC, 0, done), 0);
	next();
	ublkev__reqops_answer(&o, 0);
	ublkev__reqops_answer(&o, -ENOSPC);
	ublkev__reqops_answer(&o, -EIO);
	o.works = true;
	ck_assert_int_eq(end(0, 0), 0);
	ck_assert(!ublkev__reqops_settle(&o, &answered, &err));
	ublkev__reqops_worked(&o, false);
	ck_assert(ublkev__reqops_settle(&o, &answered, &err));
	ck_assert(answered);
	ck_assert_int_eq(err, -ENOSPC);
	ck_assert_ptr_null(o.req);
	/* the next one begins with none */
	ck_assert_int_eq(ublkev__reqops_begin(&o, &req), 0);
	ck_assert(ublkev__reqops_settle(&o, &answered, &err));
	ck_assert(!answered);
}
END_TEST

/* 0: aborted; 1: recalled, which leaves the request to another server */
START_TEST(ended)
{
	bool answered;
	unsigned int slot;
	int err;

	ck_assert_int_eq(add(UBLKEV__FILEOP_SYNC, 0, done), 0);
	ck_assert_int_eq(add(UBLKEV__FILEOP_READ, 4096, done), 0);
	next();
	(_i ? ublkev__reqops_recall : ublkev__reqops_abort)(&o);
	ublkev__reqops_verify(&o);
	ck_assert_int_eq(ublkev__reqops_begin(&o, &req), -ECANCELED);
	/* what the kernel has is cancelled, once; what it has not is not begun */
	ck_assert_uint_eq(next().kind, UBLKEV__FILEOP_CANCEL);
	ck_assert(ublkev__reqops_drop(&o, &slot));
	ck_assert_uint_eq(slot, 1);
	ck_assert(!ublkev__reqops_drop(&o, &slot));
	no_next();
	ck_assert_int_eq(end(1, -ECANCELED), -ECANCELED);
	ublkev__reqops_answer(&o, -ECANCELED);
	/* done after all, and no news to the request's answer */
	ck_assert_int_eq(end(0, 0), 0);
	ck_assert(ublkev__reqops_settle(&o, &answered, &err));
	ck_assert(!answered);
	ck_assert(!o.req == !_i);
}
END_TEST

/* a part of it is no end that the backend could have meant */
START_TEST(ended_in_part)
{
	ck_assert_int_eq(add(UBLKEV__FILEOP_READ, 4096, done), 0);
	next();
	ublkev__reqops_abort(&o);
	ck_assert_int_eq(end(0, 1000), -ECANCELED);
}
END_TEST

/* recalled, what had done all that it was to do is answered by who did it */
START_TEST(recalled_in_time)
{
	bool answered;
	int err;

	ck_assert_int_eq(add(UBLKEV__FILEOP_READ, 4096, done), 0);
	next();
	ublkev__reqops_recall(&o);
	ck_assert_int_eq(end(0, 4096), 4096);
	ublkev__reqops_answer(&o, 0);
	ck_assert(ublkev__reqops_settle(&o, &answered, &err));
	ck_assert(answered);
	/* work that was not begun is as good as cancelled */
	ck_assert_int_eq(ublkev__reqops_begin(&o, &req), 0);
	o.works = true;
	ublkev__reqops_recall(&o);
	ublkev__reqops_worked(&o, true);
	ublkev__reqops_answer(&o, -EIO);
	ck_assert(ublkev__reqops_settle(&o, &answered, &err));
	ck_assert(!answered);
	/* and so is what was refused */
	memset(&o, 0, sizeof(o));
	ublkev__reqops_refuse(&o, &req);
	ublkev__reqops_answer(&o, -EIO);
	ck_assert(ublkev__reqops_settle(&o, &answered, &err));
	ck_assert(!answered);
}
END_TEST

/* recalled at last, what was tried in vain is left to the next server, too */
START_TEST(recalled_in_vain)
{
	static const int errors[] = { -EAGAIN, -EINTR };
	bool answered;
	unsigned int i;
	int err;

	ck_assert_int_eq(add(UBLKEV__FILEOP_READ, 4096, done), 0);
	next();
	for (i = 0; i < UBLKEV__PLACED_TRIES; i++) {
		goes_on(0, errors[_i]);
		next();
	}
	ublkev__reqops_recall(&o);
	ck_assert_int_eq(end(0, errors[_i]), errors[_i]);
	ublkev__reqops_answer(&o, errors[_i]);
	ck_assert(ublkev__reqops_settle(&o, &answered, &err));
	ck_assert(!answered);
	ck_assert_ptr_eq(o.req, &req);
}
END_TEST

/* work that was not begun for an abort leaves nothing to another server */
START_TEST(aborted_work)
{
	bool answered;
	int err;

	o.works = true;
	ublkev__reqops_abort(&o);
	ublkev__reqops_worked(&o, true);
	ublkev__reqops_verify(&o);
	ck_assert(ublkev__reqops_settle(&o, &answered, &err));
	ck_assert(!answered);
	ck_assert_ptr_null(o.req);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ownops");
	TCase *tc = tcase_create("reqop");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, parts);
	tcase_add_loop_test(tc, results, 0, 10);
	tcase_add_test(tc, tries);
	tcase_add_test(tc, slots);
	tcase_add_test(tc, nobodys);
	tcase_add_test(tc, answers);
	tcase_add_loop_test(tc, ended, 0, 2);
	tcase_add_test(tc, ended_in_part);
	tcase_add_test(tc, recalled_in_time);
	tcase_add_loop_test(tc, recalled_in_vain, 0, 2);
	tcase_add_test(tc, aborted_work);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
