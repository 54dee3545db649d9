/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random requests whose data are in files, by a kernel that stops short, fails,
 * refuses the driver's pages and asks to be asked again, with aborts: what came
 * of each in the files, and in the client's memory, is compared with the same
 * done at once.
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

static void cqe(unsigned int piece, int res)
{
	ck_assert_int_eq(ublkev__placed_cqe(&p, piece, res), 0);
	ublkev__placed_verify(&p);
}

static struct test_rng rng;
static char expect[FILES][FILE_BYTES], expect_buf[FILE_BYTES];
static char pages[FILE_BYTES];	/* the client's, and the request's data */
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

	memcpy(expect_buf, pages, sizeof(pages));
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

/* USER_COPY */
static int run_copy(const struct ublkev__fileop *o)
{
	size_t n = (size_t)o->len_bytes;

	ck_assert_uint_le(o->at_bytes + n, req.len_bytes);
	if (!test_rng_below(&rng, 30)) {
		/* zeroes are a piece's, and may come in parts */
		hurt |= o->kind != UBLKEV__FILEOP_CLEAR || n == 1;
		n--;
	}
	if (o->kind == UBLKEV__FILEOP_FETCH)
		memcpy(o->addr, pages + o->at_bytes, n);
	else if (o->kind == UBLKEV__FILEOP_STORE)
		memcpy(pages + o->at_bytes, o->addr, n);
	else
		memset(pages + o->at_bytes, 0, n);
	return (int)n;
}

static int run_op(const struct ublkev__fileop *o)
{
	char *file = files[o->fd] + o->offset_bytes;
	char *at = o->lent ? pages + o->at_bytes : o->addr;
	size_t n = (size_t)o->len_bytes;
	static const int errs[] = { -EAGAIN, -EINTR, -EAGAIN, -EINTR, -EIO };
	int err = 0;

	ck_assert(o->offset_bytes + o->len_bytes <= FILE_BYTES);
	if (o->lent && !test_rng_below(&rng, 10))
		return test_rng_below(&rng, 2) ? -EINVAL : -EFAULT;
	if (o->kind == UBLKEV__FILEOP_DISCARD && test_rng_below(&rng, 2))
		return -EOPNOTSUPP;
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
		memcpy(at, file, n);
	else
		memcpy(file, at, n);
	return (int)n;
}

static void complete_one(void)
{
	unsigned int i = (unsigned int)test_rng_below(&rng, nr_flying);
	struct ublkev__fileop o = flying[i];

	flying[i] = flying[--nr_flying];
	cqe(o.piece, o.kind >= UBLKEV__FILEOP_FETCH ? run_copy(&o)
						     : run_op(&o));
}

static void walk_request(void)
{
	struct ublkev_extent x[UBLKEV_MAX_EXTENTS];
	bool aborts = !test_rng_below(&rng, 10), was_aborted = false;
	bool lends;
	unsigned int nr, i;

	req.op = (uint8_t)test_rng_below(&rng,
					  UBLKEV_OP_WRITE_ZEROES + 1);
	lends = req.op <= UBLKEV_OP_WRITE && test_rng_below(&rng, 2);
	req.flags = (uint32_t)test_rng_below(&rng, 4);
	nr = random_extents(x);
	for (req.len_bytes = i = 0; i < nr; i++)
		req.len_bytes += x[i].len_bytes;
	test_rng_fill(&rng, buf, sizeof(buf));
	test_rng_fill(&rng, pages, sizeof(pages));
	hurt = false;
	synced = 0;
	oracle(x, nr);
	p.punches = test_rng_below(&rng, 2);
	ublkev__placed_started(&p, &req, x, nr, lends ? UBLKEV__WAY_LENT
						      : UBLKEV__WAY_BUF,
			       lends ? NULL : pages);
	ublkev__placed_verify(&p);
	if (lends && !test_rng_below(&rng, 4))
		ublkev__placed_unlent(&p);
	while (!ublkev__placed_over(&p) || ublkev__placed_wants_copy(&p)) {
		if (ublkev__placed_over(&p)) {
			ck_assert_uint_eq(nr_flying, 0);
			ublkev__placed_by_copy(&p, buf);
			ublkev__placed_verify(&p);
			/* whatever failed after that refusal is done anew */
			hurt = false;
		} else if (aborts && !test_rng_below(&rng, 4)) {
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
	ck_assert(!ublkev__placed_next(&p, &op));
	if (!was_aborted)
		ck_assert_int_eq(p.err, hurt ? -EIO : 0);
	if (p.err)
		return;
	ck_assert_mem_eq(files, expect, sizeof(files));
	ck_assert_mem_eq(pages, expect_buf, sizeof(pages));
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
	Suite *suite = suite_create("placed_walk");
	TCase *tc = tcase_create("walk");

	tcase_add_loop_test(tc, walk, 0, 4);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
