/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A placed request becomes operations on files: which are asked of the kernel,
 * and what becomes of the request by what it answers. test_placed_walk.c has
 * them done.
 */
#include <errno.h>
#include <string.h>

#include "core/placed.h"
#include "testlib.h"

#define FILE_BYTES	4096u

static struct ublkev__placed p;
static struct ublkev_req req;
/* what is known of the files: that they take no DISCARD */
static bool punches = true;
static struct ublkev__fileop op;
static char buf[FILE_BYTES];

static void start(unsigned int nr, const struct ublkev_extent *x)
{
	p.punches = punches;
	ublkev__placed_started(&p, &req, x, nr, UBLKEV__WAY_BUF, buf);
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

/* a zone has no length of its own: what is done to it has its extents' */
START_TEST(zones)
{
	const struct ublkev_extent x[] = {
		{ .fd = 3, .offset_bytes = 8192, .len_bytes = UINT64_C(1) << 33 },
		{ .fd = 4, .offset_bytes = 512, .len_bytes = 4096 },
	};
	static const char zeroes[4096];

	req.len_bytes = 0;
	start_op(UBLKEV_OP_ZONE_RESET, 0, 1, x);
	want(UBLKEV__FILEOP_PUNCH, 0, 3, 8192, UINT64_C(1) << 33, NULL);
	cqe(0, 0);
	want_over(0);
	start_op(UBLKEV_OP_ZONE_FINISH, 0, 1, x + 1);
	ck_assert(ublkev__placed_next(&p, &op));
	ck_assert_uint_eq(op.kind, UBLKEV__FILEOP_WRITE);
	ck_assert_uint_eq(op.offset_bytes, 512);
	ck_assert_uint_eq(op.len_bytes, 4096);
	ck_assert_mem_eq(op.addr, zeroes, 4096);
	ck_assert_uint_eq((uintptr_t)op.addr % 4096, 0);
	cqe(0, 4096);
	want_over(0);
	/* half a mark is none */
	start_op(UBLKEV_OP_ZONE_FINISH, 0, 1, x + 1);
	ck_assert(ublkev__placed_next(&p, &op));
	cqe(0, 512);
	want_over(-EIO);
}
END_TEST

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
	{ UBLKEV_OP_ZONE_APPEND, 0, UBLKEV__FILEOP_WRITE, false },
	{ UBLKEV_OP_ZONE_APPEND, UBLKEV_REQ_FUA, UBLKEV__FILEOP_WRITE_SYNC,
	  false },
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
	bool data = kinds[_i].op <= UBLKEV_OP_WRITE ||
		    kinds[_i].op == UBLKEV_OP_ZONE_APPEND;
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
	/* what has no data has no buffer, or another's: it stays as it is */
	memset(buf, 0x5a, sizeof(buf));
	start_op(UBLKEV_OP_DISCARD, 0, 1, x);
	want_over(0);
	ck_assert_int_eq(buf[0], 0x5a);
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

/* a WRITE_ZEROES that may free is filled where a file cannot */
START_TEST(zeroes_that_fill)
{
	const struct ublkev_extent x[] = { { 5, 0, 512 }, { 6, 512, 1024 } };

	start_op(UBLKEV_OP_WRITE_ZEROES, 0, 2, x);
	want(UBLKEV__FILEOP_PUNCH, 0, 5, 0, 512, NULL);
	want(UBLKEV__FILEOP_PUNCH, 1, 6, 512, 1024, NULL);
	cqe(0, -EOPNOTSUPP);
	want(UBLKEV__FILEOP_ZERO, 0, 5, 0, 512, NULL);
	cqe(1, -EOPNOTSUPP);
	want(UBLKEV__FILEOP_ZERO, 1, 6, 512, 1024, NULL);
	cqe(0, 0);
	cqe(1, -EOPNOTSUPP);
	want_over(-EOPNOTSUPP);
}
END_TEST

/* a block device is asked to discard; what does not know that, for holes */
START_TEST(discards)
{
	static const int unknown[] = { -EOPNOTSUPP, -EINVAL, -ENOTTY };
	const struct ublkev_extent x[] = { { 5, 0, 512 }, { 6, 512, 1024 } };

	punches = false;
	start_op(UBLKEV_OP_DISCARD, 0, 2, x);
	want(UBLKEV__FILEOP_DISCARD, 0, 5, 0, 512, NULL);
	want(UBLKEV__FILEOP_DISCARD, 1, 6, 512, 1024, NULL);
	cqe(1, 0);
	cqe(0, -EAGAIN);
	want(UBLKEV__FILEOP_DISCARD, 0, 5, 0, 512, NULL);
	cqe(0, 0);
	want_over(0);
	ck_assert(!p.punches);
	/* each piece that was refused, whatever the other said */
	start_op(UBLKEV_OP_DISCARD, 0, 2, x);
	want(UBLKEV__FILEOP_DISCARD, 0, 5, 0, 512, NULL);
	want(UBLKEV__FILEOP_DISCARD, 1, 6, 512, 1024, NULL);
	cqe(0, unknown[_i]);
	ck_assert(p.punches);
	want(UBLKEV__FILEOP_PUNCH, 0, 5, 0, 512, NULL);
	cqe(1, unknown[_i]);
	want(UBLKEV__FILEOP_PUNCH, 1, 6, 512, 1024, NULL);
	cqe(1, 0);
	/* a hole that is refused is an error */
	cqe(0, unknown[_i]);
	want_over(unknown[_i]);
	/* nor is anything begun after an error, or an abort */
	start_op(UBLKEV_OP_DISCARD, 0, 2, x);
	want(UBLKEV__FILEOP_DISCARD, 0, 5, 0, 512, NULL);
	want(UBLKEV__FILEOP_DISCARD, 1, 6, 512, 1024, NULL);
	cqe(0, -EIO);
	cqe(1, unknown[_i]);
	want_over(-EIO);
	start_op(UBLKEV_OP_DISCARD, 0, 1, x);
	want(UBLKEV__FILEOP_DISCARD, 0, 5, 0, 512, NULL);
	ublkev__placed_abort(&p);
	want(UBLKEV__FILEOP_CANCEL, 0, 0, 0, 0, NULL);
	cqe(0, unknown[_i]);
	want_over(unknown[_i]);
	punches = true;
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
	cqe(0, -EIO);
	want_over(-EIO);
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

/* likewise, but that a request that ends by itself is answered, and no other */
START_TEST(recalled)
{
	static const struct {
		int res;
		bool withdrawn;
	} ends[] = {
		{ 512, false }, { -EIO, false }, { -ENOSPC, false },
		{ -ECANCELED, true }, { -EINTR, true }, { -EAGAIN, true },
		{ 100, true },
	};
	const struct ublkev_extent x[] = { { 5, 0, 512 }, { 6, 0, 512 } };

	start_op(UBLKEV_OP_WRITE, 0, 1, x);
	want(UBLKEV__FILEOP_WRITE, 0, 5, 0, 512, buf);
	ublkev__placed_recall(&p);
	want(UBLKEV__FILEOP_CANCEL, 0, 0, 0, 0, NULL);
	/* once is enough */
	ublkev__placed_recall(&p);
	want_none();
	cqe(0, ends[_i].res);
	ck_assert(ublkev__placed_over(&p));
	ck_assert(ublkev__placed_withdrawn(&p) == ends[_i].withdrawn);
	/* what was not begun is not done */
	start_op(UBLKEV_OP_WRITE, 0, 2, x);
	want(UBLKEV__FILEOP_WRITE, 0, 5, 0, 512, buf);
	ublkev__placed_recall(&p);
	cqe(0, 512);
	want_over(-ECANCELED);
	ck_assert(ublkev__placed_withdrawn(&p));
	/* nor made durable */
	start_op(UBLKEV_OP_WRITE_ZEROES, UBLKEV_REQ_FUA, 1, x);
	want(UBLKEV__FILEOP_PUNCH, 0, 5, 0, 512, NULL);
	ublkev__placed_recall(&p);
	cqe(0, 0);
	want_over(-ECANCELED);
	ck_assert(ublkev__placed_withdrawn(&p));
	/* the device was aborted meanwhile: there is an answer */
	start_op(UBLKEV_OP_READ, 0, 1, x);
	want(UBLKEV__FILEOP_READ, 0, 5, 0, 512, buf);
	ublkev__placed_recall(&p);
	ublkev__placed_abort(&p);
	cqe(0, -ECANCELED);
	ck_assert(!ublkev__placed_withdrawn(&p));
}
END_TEST

/* ---- the driver's pages -------------------------------------------------- */

static void start_lent(uint8_t what, unsigned int nr,
		       const struct ublkev_extent *x)
{
	req.op = what;
	req.flags = 0;
	req.len_bytes = 0;
	for (unsigned int i = 0; i < nr; i++)
		req.len_bytes += x[i].len_bytes;
	ublkev__placed_started(&p, &req, x, nr, UBLKEV__WAY_LENT, NULL);
	ublkev__placed_verify(&p);
}

static void want_lent(uint8_t kind, unsigned int piece, int fd,
		      uint64_t offset, uint64_t len, uint32_t at)
{
	want(kind, piece, fd, offset, len, NULL);
	ck_assert_uint_eq(op.at_bytes, at);
	ck_assert(op.lent == (kind != UBLKEV__FILEOP_CLEAR));
}

/* what is read of no file the driver is given as zeroes */
START_TEST(lent)
{
	const struct ublkev_extent x[] = {
		{ 5, 1000, 2048 }, { -1, 0, 512 }, { 6, 0, 512 },
	};

	start_lent(UBLKEV_OP_READ, 3, x);
	want_lent(UBLKEV__FILEOP_READ, 0, 5, 1000, 2048, 0);
	want_lent(UBLKEV__FILEOP_CLEAR, 1, -1, 0, 512, 2048);
	want_lent(UBLKEV__FILEOP_READ, 2, 6, 0, 512, 2560);
	cqe(0, 48);
	want_lent(UBLKEV__FILEOP_READ, 0, 5, 1048, 2000, 48);
	cqe(1, 512);
	cqe(2, 512);
	cqe(0, 2000);
	want_over(0);
	ck_assert(!ublkev__placed_wants_copy(&p));
	/* there is no more in the file, and nobody's bytes are answered */
	start_lent(UBLKEV_OP_READ, 1, x);
	want_lent(UBLKEV__FILEOP_READ, 0, 5, 1000, 2048, 0);
	cqe(0, 48);
	want_lent(UBLKEV__FILEOP_READ, 0, 5, 1048, 2000, 48);
	cqe(0, 0);
	want_over(-EIO);
	ck_assert(!ublkev__placed_wants_copy(&p));
}
END_TEST

static void want_copy(uint8_t kind, uint64_t len)
{
	want(kind, 0, -1, 0, len, buf);
	ck_assert_uint_eq(op.at_bytes, 0);
	ck_assert(!op.lent);
}

/* all of it begins anew, what was done as well, once nothing is under way */
START_TEST(pages_refused)
{
	const struct ublkev_extent x[] = { { 5, 1000, 1024 }, { 6, 0, 512 } };
	uint8_t kind = _i == UBLKEV_OP_READ ? UBLKEV__FILEOP_READ
					    : UBLKEV__FILEOP_WRITE;

	start_lent((uint8_t)_i, 2, x);
	want_lent(kind, 0, 5, 1000, 1024, 0);
	want_lent(kind, 1, 6, 0, 512, 1024);
	cqe(0, 512);
	cqe(1, -EINVAL);
	/* what is left of the first is not begun any more */
	want_none();
	ck_assert(ublkev__placed_over(&p) && ublkev__placed_wants_copy(&p));
	ublkev__placed_by_copy(&p, buf);
	ublkev__placed_verify(&p);
	ck_assert(!ublkev__placed_over(&p));
	if (_i == UBLKEV_OP_WRITE) {
		want_copy(UBLKEV__FILEOP_FETCH, 1536);
		want_none();
		cqe(0, 1536);
	}
	want(kind, 0, 5, 1000, 1024, buf);
	want(kind, 1, 6, 0, 512, buf + 1024);
	cqe(1, 512);
	cqe(0, 1024);
	if (_i == UBLKEV_OP_READ) {
		want_copy(UBLKEV__FILEOP_STORE, 1536);
		cqe(0, 1536);
	}
	want_over(0);
	/* then it is an answer */
	start_lent((uint8_t)_i, 1, x);
	ublkev__placed_unlent(&p);
	want_none();
	ck_assert(ublkev__placed_over(&p) && ublkev__placed_wants_copy(&p));
	ublkev__placed_by_copy(&p, buf);
	if (_i == UBLKEV_OP_WRITE) {
		want_copy(UBLKEV__FILEOP_FETCH, 1024);
		cqe(0, 1024);
	}
	want(kind, 0, 5, 1000, 1024, buf);
	cqe(0, -EINVAL);
	want_over(-EINVAL);
	ck_assert(!ublkev__placed_wants_copy(&p));
}
END_TEST

/* where all is zeroes, it needs no more than to be given to the driver */
START_TEST(copied_of_no_file)
{
	const struct ublkev_extent x[] = { { -1, 0, 512 } };

	memset(buf, 0x5a, sizeof(buf));
	start_lent(UBLKEV_OP_READ, 1, x);
	ublkev__placed_unlent(&p);
	ublkev__placed_by_copy(&p, buf);
	ck_assert(!buf[0] && !memcmp(buf, buf + 1, 511));
	want_copy(UBLKEV__FILEOP_STORE, 512);
	/* it is the client's request that is copied, so all or nothing */
	cqe(0, 511);
	want_over(-EIO);
}
END_TEST

/* no round is begun, and none that is missing is passed over in silence */
START_TEST(aborted_copies)
{
	const struct ublkev_extent x[] = { { 5, 0, 512 } };

	start_lent(UBLKEV_OP_WRITE, 1, x);
	ublkev__placed_unlent(&p);
	ublkev__placed_by_copy(&p, buf);
	want_copy(UBLKEV__FILEOP_FETCH, 512);
	ublkev__placed_abort(&p);
	cqe(0, 512);
	want_over(-ECANCELED);
	start_lent(UBLKEV_OP_READ, 1, x);
	want_lent(UBLKEV__FILEOP_READ, 0, 5, 0, 512, 0);
	ublkev__placed_abort(&p);
	want(UBLKEV__FILEOP_CANCEL, 0, 0, 0, 0, NULL);
	cqe(0, -EINVAL);
	want_over(-EINVAL);
	ck_assert(!ublkev__placed_wants_copy(&p));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("placed");
	TCase *tc = tcase_create("placed");

	tcase_add_test(tc, zones);
	tcase_add_loop_test(tc, every_kind, 0, TEST_COUNT(kinds));
	tcase_add_test(tc, flush);
	tcase_add_test(tc, of_no_file);
	tcase_add_loop_test(tc, discards, 0, 3);
	tcase_add_test(tc, zeroes_that_fill);
	tcase_add_loop_test(tc, cut_short, UBLKEV_OP_READ, UBLKEV_OP_WRITE + 1);
	tcase_add_test(tc, tried_again);
	tcase_add_test(tc, errors);
	tcase_add_test(tc, no_such_piece);
	tcase_add_test(tc, aborted);
	tcase_add_loop_test(tc, recalled, 0, 7);
	tcase_add_test(tc, lent);
	tcase_add_loop_test(tc, pages_refused, UBLKEV_OP_READ,
			    UBLKEV_OP_WRITE + 1);
	tcase_add_test(tc, copied_of_no_file);
	tcase_add_test(tc, aborted_copies);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
