/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk in a file with metadata: where these are, and that no block ever has those
 * of other data, however its operations are interleaved.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filemeta_kit.h"

/* ---- conf, layout -------------------------------------------------------- */

static void no_size(void) { meta_conf.dev_bytes = 0; meta_conf.flags = 0; }
static void no_such(void) { meta_conf.pi = UBLKEV_NR_PIS; }
static void too_many(void) { meta_conf.metadata_bytes = 256; }
static void too_few(void) { meta_conf.metadata_bytes = 7; }
static void zoned(void) { meta_conf.zone_bytes = 65536; }
static void huge(void) { meta_conf.dev_bytes = INT64_MAX & ~UINT64_C(65535); }
static void half(void) { meta_conf.dev_bytes += 512; }

static void (*const bad[])(void) = {
	no_size, no_such, too_many, too_few, zoned, huge, half,
};

START_TEST(bad_conf)
{
	bad[_i]();
	ck_assert_int_eq(ublkev_file_new(&meta_disk, meta_path, &meta_conf), -EINVAL);
	ck_assert_int_eq(access(meta_path, F_OK), -1);
}
END_TEST

static const struct {
	uint64_t offset, dev;
	uint32_t block, bytes;
	uint64_t end;
} layouts[] = {
	{ 0, 1 << 20, 4096, 8, (1 << 20) + 256 * 8 },
	{ 0, 1 << 20, 512, 16, (1 << 20) + 2048 * 16 },
	{ 4096, 1 << 20, 4096, 255, 4096 + (1 << 20) + 256 * 255 },
	/* no block shares a page with them */
	{ 512, 1 << 20, 512, 8, 4096 + (1 << 20) + 2048 * 8 },
	{ 0, 512 * 9, 512, 8, 8192 + 9 * 8 },
};

START_TEST(layout)
{
	struct stat st;

	meta_conf.offset_bytes = layouts[_i].offset;
	meta_conf.dev_bytes = layouts[_i].dev;
	meta_conf.logical_block_bytes = layouts[_i].block;
	meta_conf.metadata_bytes = layouts[_i].bytes;
	meta_up();
	ck_assert_int_eq(stat(meta_path, &st), 0);
	ck_assert_uint_eq((uint64_t)st.st_size, layouts[_i].end);
	ck_assert_uint_eq(meta_disk->limits.dev_bytes, layouts[_i].dev);
	ck_assert_uint_eq(meta_disk->limits.metadata_bytes, layouts[_i].bytes);
	ck_assert_uint_eq(meta_disk->limits.pi, meta_conf.pi);
	ck_assert_uint_eq(meta_disk->limits.flags, UBLKEV_LIMIT_VOLATILE_CACHE |
			  UBLKEV_LIMIT_FUA | UBLKEV_LIMIT_REQ_OPS);
	ck_assert_int_eq(ublkev__guard_can_resize(meta_disk, 2 * META_DEV), -EOPNOTSUPP);
	meta_down();
}
END_TEST

/* a file that has data gets metadata by being made longer; one byte less will not do */
START_TEST(room_behind)
{
	int fd = open(meta_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	meta_conf.flags = 0;
	ck_assert_int_eq(ftruncate(fd, (off_t)META_AT + META_NR * META - 1), 0);
	ck_assert_int_eq(ublkev_file_new(&meta_disk, meta_path, &meta_conf), -EOVERFLOW);
	ck_assert_int_eq(ftruncate(fd, (off_t)META_AT + META_NR * META), 0);
	meta_conf.limit_bytes = META_DEV + META_NR * META - 1;
	ck_assert_int_eq(ublkev_file_new(&meta_disk, meta_path, &meta_conf), -EOVERFLOW);
	meta_conf.limit_bytes++;
	meta_up();
	meta_down();
	close(fd);
}
END_TEST

START_TEST(kept_in_the_file)
{
	char got[2 * META], want[2 * META];
	int fd;

	meta_up();
	meta_write(5, 2, 0x5a, UBLKEV_REQ_METADATA);
	meta_end_all();
	fd = open(meta_path, O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(pread(fd, got, sizeof(got), (off_t)META_AT + 5 * META),
			 sizeof(got));
	memset(want, ~0x5a, sizeof(want));
	ck_assert_mem_eq(got, want, sizeof(want));
	ck_assert_int_eq(pread(fd, got, 1, META_OFFSET + 5 * META_BLOCK), 1);
	ck_assert_int_eq(got[0], 0x5a);
	meta_down();
	/* another server reads them there */
	meta_up();
	meta_submit(UBLKEV_OP_READ, 4, 4, UBLKEV_REQ_METADATA);
	meta_end_all();
	ck_assert_int_eq(meta_requests[0].res, 0);
	meta_check(&meta_requests[0]);
	ck_assert_int_eq(meta_requests[0].buf[4 * META_BLOCK + META], 0x5a);
	ck_assert_int_eq(meta_requests[0].buf[4 * META_BLOCK], (char)0xff);
	meta_down();
	close(fd);
}
END_TEST

/* its own open file, which is no way around the lock, and goes with an upgrade */
START_TEST(open_files)
{
	struct ublkev_backend *other;
	struct ublkev__filedisk *f;
	int fd;

	meta_up();
	f = meta_disk->ctx;
	if (f->f.direct) {
		ck_assert(!(fcntl(f->meta.fd, F_GETFL) & O_DIRECT));
		ck_assert(fcntl(f->f.fd, F_GETFL) & O_DIRECT);
	}
	ck_assert_int_eq(ublkev_file_new(&other, meta_path, &meta_conf), -EBUSY);
	/* as an operation keeps it that outlives the server */
	fd = fcntl(f->meta.fd, F_DUPFD_CLOEXEC, 0);
	meta_conf.fd = f->f.fd;
	ck_assert_int_eq(ublkev_file_new(&other, NULL, &meta_conf), 0);
	meta_conf.fd = -1;
	meta_down();
	ublkev_backend_free(other);
	ck_assert_int_eq(ublkev_file_new(&other, meta_path, &meta_conf), -EBUSY);
	close(fd);
	meta_up();
	meta_down();
}
END_TEST

/* ---- data and metadata --------------------------------------------------- */

static void any_request(struct test_rng *rng, uint8_t id)
{
	unsigned int n = 1 + (unsigned int)test_rng_below(rng, META_MOST);
	unsigned int at = (unsigned int)test_rng_below(rng, META_NR / 4 - n + 1);
	uint32_t more = test_rng_below(rng, 4) ? UBLKEV_REQ_METADATA : 0;

	switch (test_rng_below(rng, 8)) {
	case 0:
		meta_submit(UBLKEV_OP_DISCARD, at, n, 0);
		break;
	case 1:
		meta_submit(UBLKEV_OP_WRITE_ZEROES, at, n, UBLKEV_REQ_NOUNMAP);
		break;
	case 2: case 3: case 4:
		meta_write(at, n, id, more);
		break;
	default:
		meta_submit(UBLKEV_OP_READ, at, n, UBLKEV_REQ_METADATA);
	}
}

static bool any_free(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < TEST_COUNT(meta_requests); i++)
		n += meta_requests[i].busy;
	return n < 20;
}

/* overlapping meta_requests, whose operations end in any order */
START_TEST(never_apart)
{
	struct test_rng rng;
	unsigned int step, i;

	test_rng_init(&rng, test_seed("never_apart"));
	meta_up();
	for (step = 0; step < 6000; step++) {
		if (any_free() && test_rng_below(&rng, 2))
			any_request(&rng, (uint8_t)(1 + step % 250));
		else if (meta_nr_ops)
			meta_end_op((unsigned int)test_rng_below(&rng, meta_nr_ops), 1);
		for (i = 0; i < TEST_COUNT(meta_requests); i++) {
			if (meta_requests[i].busy || meta_requests[i].res == 1)
				continue;
			ck_assert_int_eq(meta_requests[i].res, 0);
			if (meta_requests[i].req.op == UBLKEV_OP_READ &&
			    meta_requests[i].req.buf)
				meta_check(&meta_requests[i]);
			meta_requests[i].res = 1;
		}
	}
	meta_end_all();
	meta_submit(UBLKEV_OP_READ, 0, META_MOST, UBLKEV_REQ_METADATA);
	meta_end_all();
	meta_check(&meta_requests[0]);
	meta_down();
}
END_TEST

/* reads go beside each other, what overlaps in the order in which it came */
START_TEST(who_waits)
{
	struct meta_request *a, *b, *c, *d, *e;

	meta_up();
	a = meta_submit(UBLKEV_OP_READ, 1, 3, UBLKEV_REQ_METADATA);
	meta_submit(UBLKEV_OP_READ, 2, 4, UBLKEV_REQ_METADATA);
	ck_assert_uint_eq(meta_begun, 4);
	b = meta_write(5, 2, 7, UBLKEV_REQ_METADATA);	/* for the second */
	c = meta_submit(UBLKEV_OP_READ, 6, 1, UBLKEV_REQ_METADATA);	/* for b */
	d = meta_write(7, 1, 8, UBLKEV_REQ_METADATA);	/* for nobody */
	e = meta_write(0, 1, 8, UBLKEV_REQ_METADATA);
	ck_assert_uint_eq(meta_begun, 8);
	meta_end_op(7, 1);
	meta_end_op(6, 1);
	meta_end_op(5, 1);
	meta_end_op(4, 1);
	ck_assert_int_eq(d->res, 0);
	ck_assert_int_eq(e->res, 0);
	meta_end_op(0, 1);
	ck_assert_int_eq(a->res, 1);
	meta_end_all();
	ck_assert_int_eq(a->res, 0);
	ck_assert_int_eq(b->res, 0);
	ck_assert_int_eq(c->res, 0);
	ck_assert_int_eq(c->buf[0], 7);
	ck_assert_int_eq(c->buf[META_BLOCK], 7);
	meta_down();
}
END_TEST

START_TEST(zeroed)
{
	meta_up();
	meta_write(0, 4, 9, UBLKEV_REQ_METADATA);
	meta_end_all();
	meta_begun = 0;
	meta_submit(_i ? UBLKEV_OP_WRITE_ZEROES : UBLKEV_OP_DISCARD, 1, 2,
	       _i == 2 ? UBLKEV_REQ_FUA : 0);
	/* one step after the other, metadata first */
	ck_assert_uint_eq(meta_nr_ops, 1);
	ck_assert_uint_eq(meta_ops[0].offset, META_AT + META);
	ck_assert_uint_eq(meta_ops[0].len, 2 * META);
	meta_end_op(0, 1);
	ck_assert_uint_eq(meta_ops[0].offset, META_OFFSET + META_BLOCK);
	meta_end_op(0, 1);
	ck_assert_int_eq(meta_requests[0].busy, _i == 2);
	meta_end_all();
	ck_assert_uint_eq(meta_syncs, _i == 2);
	ck_assert_int_eq(meta_requests[0].res, 0);
	meta_submit(UBLKEV_OP_READ, 0, 4, UBLKEV_REQ_METADATA);
	meta_end_all();
	meta_check(&meta_requests[0]);
	ck_assert_int_eq(meta_requests[0].buf[META_BLOCK], 0);
	ck_assert_int_eq(meta_requests[0].buf[4 * META_BLOCK + META], (char)0xff);
	ck_assert_int_eq(meta_requests[0].buf[3 * META_BLOCK], 9);
	ck_assert_int_eq(meta_requests[0].buf[4 * META_BLOCK + 3 * META], 9);
	meta_down();
}
END_TEST

/* a client that has none: whoever was there before is not blamed */
START_TEST(written_without)
{
	meta_up();
	meta_write(3, 1, 9, UBLKEV_REQ_METADATA);
	meta_end_all();
	meta_write(3, 1, 10, 0);
	meta_end_all();
	meta_submit(UBLKEV_OP_READ, 3, 1, 0);
	ck_assert_uint_eq(meta_nr_ops, 1);
	meta_end_all();
	meta_submit(UBLKEV_OP_READ, 3, 1, UBLKEV_REQ_METADATA);
	meta_end_all();
	ck_assert_int_eq(meta_requests[0].buf[0], 10);
	ck_assert_int_eq(meta_requests[0].buf[META_BLOCK], (char)0xff);
	meta_down();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("filemeta");
	TCase *tc = tcase_create("filemeta");

	tcase_add_checked_fixture(tc, meta_set_up, meta_tear_down);
	tcase_add_loop_test(tc, bad_conf, 0, TEST_COUNT(bad));
	tcase_add_loop_test(tc, layout, 0, TEST_COUNT(layouts));
	tcase_add_test(tc, room_behind);
	tcase_add_test(tc, kept_in_the_file);
	tcase_add_test(tc, open_files);
	tcase_add_test(tc, never_apart);
	tcase_add_test(tc, who_waits);
	tcase_add_loop_test(tc, zeroed, 0, 3);
	tcase_add_test(tc, written_without);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
