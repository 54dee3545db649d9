/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A placed request becomes operations on files: what is asked of the kernel is
 * done to files in memory, by a kernel that stops short, fails and asks to be
 * asked again, and what came of it is compared with the request.
 */
#include <errno.h>
#include <string.h>

#include "core/placed.h"
#include "testlib.h"

#define FILES		3
#define FILE_BYTES	4096u

static struct ublkev__placed p;
static struct ublkev_req req;
static struct ublkev__fileop op;
static char buf[FILE_BYTES];
static char files[FILES][FILE_BYTES];

static void start(unsigned int nr, const struct ublkev_extent *x)
{
	req.buf = buf;
	ublkev__placed_started(&p, &req, x, nr);
	ublkev__placed_verify(&p);
}

static void start_op(uint8_t what, uint32_t flags, unsigned int nr,
		     const struct ublkev_extent *x)
{
	req.op = what;
	req.flags = flags;
	start(nr, x);
}

static void want(uint8_t kind, unsigned int piece, int fd, uint64_t offset,
		 uint64_t len, void *addr)
{
	ck_assert(ublkev__placed_next(&p, &op));
	ck_assert_uint_eq(op.kind, kind);
	ck_assert_uint_eq(op.piece, piece);
	ck_assert_int_eq(op.fd, fd);
	ck_assert_uint_eq(op.offset_bytes, offset);
	ck_assert_uint_eq(op.len_bytes, len);
	ck_assert_ptr_eq(op.addr, addr);
	ublkev__placed_verify(&p);
}

static void cqe(unsigned int piece, int res)
{
	ck_assert_int_eq(ublkev__placed_cqe(&p, piece, res), 0);
	ublkev__placed_verify(&p);
}

static void want_none(void)
{
	ck_assert(!ublkev__placed_next(&p, &op));
}

static void want_over(int err)
{
	want_none();
	ck_assert(ublkev__placed_over(&p));
	ck_assert_int_eq(p.err, err);
}

/* ---- directed ----------------------------------------------------------- */

static const struct {
	uint8_t op;
	uint32_t flags;
	uint8_t kind;
	bool syncs;
} kinds[] = {
	{ UBLKEV_OP_READ, 0, UBLKEV__FILEOP_READ, false },
	{ UBLKEV_OP_WRITE, 0, UBLKEV__FILEOP_WRITE, false },
	{ UBLKEV_OP_WRITE, UBLKEV_REQ_FUA, UBLKEV__FILEOP_WRITE_SYNC, false },
	{ UBLKEV_OP_DISCARD, 0, UBLKEV__FILEOP_PUNCH, false },
	{ UBLKEV_OP_WRITE_ZEROES, 0, UBLKEV__FILEOP_PUNCH, false },
	{ UBLKEV_OP_WRITE_ZEROES, UBLKEV_REQ_NOUNMAP, UBLKEV__FILEOP_ZERO,
	  false },
	{ UBLKEV_OP_WRITE_ZEROES, UBLKEV_REQ_FUA, UBLKEV__FILEOP_PUNCH, true },
	{ UBLKEV_OP_WRITE_ZEROES, UBLKEV_REQ_FUA | UBLKEV_REQ_NOUNMAP,
	  UBLKEV__FILEOP_ZERO, true },
};

/* two extents of a file are one file to be synced */
START_TEST(every_kind)
{
	const struct ublkev_extent x[] = {
		{ 5, 512, 1024 }, { 7, 0, 512 }, { 5, 4096, 512 },
	};
	bool data = kinds[_i].op <= UBLKEV_OP_WRITE;
	unsigned int i;
	uint32_t at = 0;

	start_op(kinds[_i].op, kinds[_i].flags, 3, x);
	for (i = 0; i < 3; i++) {
		want(kinds[_i].kind, i, x[i].fd, x[i].offset_bytes,
		     x[i].len_bytes, data ? buf + at : NULL);
		at += (uint32_t)x[i].len_bytes;
	}
	want_none();
	/* in whatever order they end */
	cqe(2, data ? 512 : 0);
	cqe(0, data ? 1024 : 0);
	want_none();
	ck_assert(!ublkev__placed_over(&p));
	cqe(1, data ? 512 : 0);
	if (kinds[_i].syncs) {
		want(UBLKEV__FILEOP_SYNC, 0, 5, 0, 0, NULL);
		want(UBLKEV__FILEOP_SYNC, 1, 7, 0, 0, NULL);
		want_none();
		cqe(0, 0);
		cqe(1, 0);
	}
	want_over(0);
}
END_TEST

START_TEST(flush)
{
	const struct ublkev_extent x[] = {
		{ 5, 0, 0 }, { -1, 0, 0 }, { 5, 0, 0 }, { 6, 0, 0 },
	};

	start_op(UBLKEV_OP_FLUSH, 0, 4, x);
	want(UBLKEV__FILEOP_SYNC, 0, 5, 0, 0, NULL);
	want(UBLKEV__FILEOP_SYNC, 3, 6, 0, 0, NULL);
	cqe(0, -EIO);
	want_none();
	ck_assert(!ublkev__placed_over(&p));
	cqe(3, 0);
	want_over(-EIO);
}
END_TEST

/* where there is no file */
START_TEST(of_no_file)
{
	const struct ublkev_extent x[] = {
		{ -1, 0, 512 }, { 5, 0, 512 }, { -1, 0, 512 },
	};

	memset(buf, 0x5a, sizeof(buf));
	start_op(UBLKEV_OP_READ, 0, 3, x);
	ck_assert(!buf[0] && !memcmp(buf, buf + 1, 511));
	ck_assert_int_eq(buf[512], 0x5a);
	ck_assert_int_eq(buf[1023], 0x5a);
	ck_assert(!memcmp(buf, buf + 1024, 512));
	ck_assert_int_eq(buf[1536], 0x5a);
	want(UBLKEV__FILEOP_READ, 1, 5, 0, 512, buf + 512);
	cqe(1, 512);
	want_over(0);
	start_op(UBLKEV_OP_READ, 0, 1, x);
	want_over(0);
	start_op(UBLKEV_OP_DISCARD, 0, 1, x);
	want_over(0);
	start_op(UBLKEV_OP_FLUSH, 0, 1, x);
	want_over(0);
	start_op(UBLKEV_OP_WRITE_ZEROES, UBLKEV_REQ_FUA, 2, x);
	want(UBLKEV__FILEOP_PUNCH, 1, 5, 0, 512, NULL);
	cqe(1, 0);
	want(UBLKEV__FILEOP_SYNC, 1, 5, 0, 0, NULL);
	cqe(1, 0);
	want_over(0);
}
END_TEST

START_TEST(cut_short)
{
	const struct ublkev_extent x[] = { { 5, 1000, 2048 }, { 6, 0, 512 } };

	start_op((uint8_t)_i, 0, 2, x);
	want((uint8_t)_i, 0, 5, 1000, 2048, buf);
	cqe(0, 1);
	want((uint8_t)_i, 0, 5, 1001, 2047, buf + 1);
	want((uint8_t)_i, 1, 6, 0, 512, buf + 2048);
	cqe(0, 2046);
	want((uint8_t)_i, 0, 5, 3047, 1, buf + 2047);
	cqe(1, 512);
	cqe(0, 1);
	want_over(0);
	/* the file ends there, or the disk takes no more */
	start(2, x);
	want((uint8_t)_i, 0, 5, 1000, 2048, buf);
	cqe(0, 512);
	want((uint8_t)_i, 0, 5, 1512, 1536, buf + 512);
	cqe(0, 0);
	want_over(-EIO);
	/* more than there was is no answer */
	start(2, x);
	want((uint8_t)_i, 0, 5, 1000, 2048, buf);
	cqe(0, 2049);
	want_over(-EIO);
}
END_TEST

START_TEST(tried_again)
{
	const struct ublkev_extent x[] = { { 5, 0, 512 } };
	unsigned int i;

	start_op(UBLKEV_OP_WRITE, 0, 1, x);
	for (i = 0; i < UBLKEV__PLACED_TRIES; i++) {
		want(UBLKEV__FILEOP_WRITE, 0, 5, 0, 512, buf);
		cqe(0, i & 1 ? -EINTR : -EAGAIN);
	}
	/* where it gets on, it may be as often again */
	want(UBLKEV__FILEOP_WRITE, 0, 5, 0, 512, buf);
	cqe(0, 256);
	for (i = 0; i < UBLKEV__PLACED_TRIES; i++) {
		want(UBLKEV__FILEOP_WRITE, 0, 5, 256, 256, buf + 256);
		cqe(0, -EAGAIN);
	}
	want(UBLKEV__FILEOP_WRITE, 0, 5, 256, 256, buf + 256);
	cqe(0, -EINTR);
	want_over(-EINTR);
}
END_TEST

/* the first error is the request's, and nothing is begun after it */
START_TEST(errors)
{
	const struct ublkev_extent x[] = {
		{ 5, 0, 512 }, { 6, 0, 512 }, { 7, 0, 512 },
	};

	start_op(UBLKEV_OP_WRITE, 0, 3, x);
	want(UBLKEV__FILEOP_WRITE, 0, 5, 0, 512, buf);
	want(UBLKEV__FILEOP_WRITE, 1, 6, 0, 512, buf + 512);
	cqe(1, -EDQUOT);
	want_none();
	cqe(0, -EAGAIN);
	want_over(-ENOSPC);
	start(3, x);
	want(UBLKEV__FILEOP_WRITE, 0, 5, 0, 512, buf);
	want(UBLKEV__FILEOP_WRITE, 1, 6, 0, 512, buf + 512);
	cqe(1, -ENOSPC);
	cqe(0, 100);
	want_over(-ENOSPC);
	/* no sync of what has failed */
	start_op(UBLKEV_OP_WRITE_ZEROES, UBLKEV_REQ_FUA, 1, x);
	want(UBLKEV__FILEOP_PUNCH, 0, 5, 0, 512, NULL);
	cqe(0, -EOPNOTSUPP);
	want_over(-EOPNOTSUPP);
}
END_TEST

START_TEST(no_such_piece)
{
	const struct ublkev_extent x[] = { { 5, 0, 512 } };

	start_op(UBLKEV_OP_READ, 0, 1, x);
	ck_assert_int_eq(ublkev__placed_cqe(&p, 0, 512), -EPROTO);
	want(UBLKEV__FILEOP_READ, 0, 5, 0, 512, buf);
	ck_assert_int_eq(ublkev__placed_cqe(&p, 1, 512), -EPROTO);
	ck_assert_int_eq(ublkev__placed_cqe(&p, 8, 512), -EPROTO);
	ck_assert_int_eq(ublkev__placed_cqe(&p, UINT32_MAX, 512), -EPROTO);
	cqe(0, 512);
	ck_assert_int_eq(ublkev__placed_cqe(&p, 0, 512), -EPROTO);
	want_over(0);
}
END_TEST

/* what is with the kernel is cancelled, once, and waited for */
START_TEST(aborted)
{
	const struct ublkev_extent x[] = {
		{ 5, 0, 512 }, { 6, 0, 512 }, { 7, 0, 512 },
	};

	start_op(UBLKEV_OP_WRITE, 0, 3, x);
	want(UBLKEV__FILEOP_WRITE, 0, 5, 0, 512, buf);
	want(UBLKEV__FILEOP_WRITE, 1, 6, 0, 512, buf + 512);
	ublkev__placed_abort(&p);
	want(UBLKEV__FILEOP_CANCEL, 0, 0, 0, 0, NULL);
	cqe(1, 512);
	/* which has ended, and needs no cancelling */
	want_none();
	ck_assert(!ublkev__placed_over(&p));
	cqe(0, 100);
	want_over(-ECANCELED);
	/* no syncs, no second try */
	start_op(UBLKEV_OP_WRITE_ZEROES, UBLKEV_REQ_FUA, 1, x);
	want(UBLKEV__FILEOP_PUNCH, 0, 5, 0, 512, NULL);
	ublkev__placed_abort(&p);
	want(UBLKEV__FILEOP_CANCEL, 0, 0, 0, 0, NULL);
	cqe(0, -EINTR);
	want_over(-EINTR);
	/* done in time */
	start_op(UBLKEV_OP_READ, 0, 1, x);
	want(UBLKEV__FILEOP_READ, 0, 5, 0, 512, buf);
	ublkev__placed_abort(&p);
	cqe(0, 512);
	want_over(0);
}
END_TEST

/* ---- at random ---------------------------------------------------------- */

static struct test_rng rng;
static char expect[FILES][FILE_BYTES], expect_buf[FILE_BYTES];
static unsigned int synced, must_sync;
static bool hurt;		/* the kernel has failed something */

static struct ublkev__fileop flying[UBLKEV_MAX_EXTENTS];
static unsigned int nr_flying;

/* extents that do not overlap: each in its own part of a file */
static unsigned int random_extents(struct ublkev_extent *x)
{
	unsigned int nr = 1 + (unsigned int)test_rng_below(&rng, 8);
	bool may_lack = req.op != UBLKEV_OP_WRITE;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		x[i].fd = (int)test_rng_below(&rng, FILES);
		if (may_lack && !test_rng_below(&rng, 5))
			x[i].fd = -1;
		x[i].offset_bytes = x[i].len_bytes = 0;
		if (req.op == UBLKEV_OP_FLUSH)
			continue;
		x[i].offset_bytes = 512 * i + test_rng_below(&rng, 200);
		x[i].len_bytes = 1 + test_rng_below(&rng, 300);
	}
	return nr;
}

/* what the request does, done at once */
static void oracle(const struct ublkev_extent *x, unsigned int nr)
{
	char *at = expect_buf;
	unsigned int i;

	memcpy(expect_buf, buf, sizeof(buf));
	memcpy(expect, files, sizeof(files));
	must_sync = 0;
	for (i = 0; i < nr; at += x[i++].len_bytes) {
		size_t n = (size_t)x[i].len_bytes;
		char *file = x[i].fd < 0 ? NULL :
			expect[x[i].fd] + x[i].offset_bytes;

		if (file && (req.op == UBLKEV_OP_FLUSH ||
			     (req.op == UBLKEV_OP_WRITE_ZEROES &&
			      req.flags & UBLKEV_REQ_FUA)))
			must_sync |= 1u << x[i].fd;
		if (req.op == UBLKEV_OP_READ && file)
			memcpy(at, file, n);
		else if (req.op == UBLKEV_OP_READ)
			memset(at, 0, n);
		else if (req.op == UBLKEV_OP_WRITE)
			memcpy(file, at, n);
		else if (file)
			memset(file, 0, n);
	}
}

static int run_op(const struct ublkev__fileop *o)
{
	char *file = files[o->fd] + o->offset_bytes;
	size_t n = (size_t)o->len_bytes;
	static const int errs[] = { -EAGAIN, -EINTR, -EAGAIN, -EINTR, -EIO };
	int err = 0;

	ck_assert(o->offset_bytes + o->len_bytes <= FILE_BYTES);
	if (!test_rng_below(&rng, 6))
		err = errs[test_rng_below(&rng, 5)];
	if (err) {
		hurt |= err == -EIO;
		return err;
	}
	if (o->kind == UBLKEV__FILEOP_SYNC) {
		/* once, and after all else */
		ck_assert(!(synced & 1u << o->fd));
		ck_assert_mem_eq(files[o->fd], expect[o->fd], FILE_BYTES);
		synced |= 1u << o->fd;
		return 0;
	}
	if (o->kind >= UBLKEV__FILEOP_PUNCH) {
		memset(file, 0, n);
		return 0;
	}
	if (!test_rng_below(&rng, 3))
		n = 1 + (size_t)test_rng_below(&rng, n);
	if (!test_rng_below(&rng, 100)) {
		hurt = true;
		return 0;
	}
	if (o->kind == UBLKEV__FILEOP_READ)
		memcpy(o->addr, file, n);
	else
		memcpy(file, o->addr, n);
	return (int)n;
}

static void complete_one(void)
{
	unsigned int i = (unsigned int)test_rng_below(&rng, nr_flying);
	struct ublkev__fileop o = flying[i];

	flying[i] = flying[--nr_flying];
	cqe(o.piece, run_op(&o));
}

static void walk_request(void)
{
	struct ublkev_extent x[UBLKEV_MAX_EXTENTS];
	bool aborts = !test_rng_below(&rng, 10), was_aborted = false;
	unsigned int nr;

	req.op = (uint8_t)test_rng_below(&rng, UBLKEV_NR_OPS);
	req.flags = (uint32_t)test_rng_below(&rng, 4);
	nr = random_extents(x);
	test_rng_fill(&rng, buf, sizeof(buf));
	hurt = false;
	synced = 0;
	oracle(x, nr);
	start(nr, x);
	while (!ublkev__placed_over(&p)) {
		if (aborts && !test_rng_below(&rng, 4)) {
			ublkev__placed_abort(&p);
			ublkev__placed_verify(&p);
			was_aborted = true;
			aborts = false;
		} else if (test_rng_below(&rng, 2) && nr_flying) {
			complete_one();
		} else if (ublkev__placed_next(&p, &op) &&
			   op.kind != UBLKEV__FILEOP_CANCEL) {
			ck_assert(!was_aborted);
			flying[nr_flying++] = op;
		}
	}
	ck_assert_uint_eq(nr_flying, 0);
	want_none();
	if (!was_aborted)
		ck_assert_int_eq(p.err, hurt ? -EIO : 0);
	if (p.err)
		return;
	ck_assert_mem_eq(files, expect, sizeof(files));
	ck_assert_mem_eq(buf, expect_buf, sizeof(buf));
	if (!was_aborted)
		ck_assert_uint_eq(synced, must_sync);
}

START_TEST(walk)
{
	unsigned int i;

	test_rng_init(&rng, test_seed("placed") + (uint64_t)_i);
	test_rng_fill(&rng, files, sizeof(files));
	for (i = 0; i < 2000; i++)
		walk_request();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("placed");
	TCase *tc = tcase_create("placed");

	tcase_add_loop_test(tc, every_kind, 0, TEST_COUNT(kinds));
	tcase_add_test(tc, flush);
	tcase_add_test(tc, of_no_file);
	tcase_add_loop_test(tc, cut_short, UBLKEV_OP_READ, UBLKEV_OP_WRITE + 1);
	tcase_add_test(tc, tried_again);
	tcase_add_test(tc, errors);
	tcase_add_test(tc, no_such_piece);
	tcase_add_test(tc, aborted);
	tcase_add_loop_test(tc, walk, 0, 4);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
