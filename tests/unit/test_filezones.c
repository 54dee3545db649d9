/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Zones that a file keeps: what is made of its data and holes when it is opened,
 * and what it must not be.
 */
#include <errno.h>
#include <linux/blkzoned.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <ublkev/file.h>
#include <unistd.h>

#include "backend/filezones.h"
#include "backend/guard.h"
#include "mem_kit.h"
#include "testlib.h"

#define ZONE	UINT64_C(65536)
#define NR	8u

static struct ublkev_file_conf conf;
static int file;

static void set_up(void)
{
	file = memfd_create("zones", MFD_CLOEXEC);
	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(ftruncate(file, NR * ZONE), 0);
	ublkev_file_conf_init(&conf, sizeof(conf));
	conf.fd = file;
	conf.zone_bytes = ZONE;
}

static void tear_down(void)
{
	close(file);
}

static void data_at(uint64_t at)
{
	static const char block[4096];

	/* zeroes are data as any */
	ck_assert_int_eq(pwrite(file, block, sizeof(block), (off_t)at),
			 (ssize_t)sizeof(block));
}

static struct blk_zone found(unsigned int i)
{
	struct blk_zone z[NR];
	struct ublkev_req req = {
		.op = UBLKEV_OP_REPORT_ZONES, .len_bytes = sizeof(z), .buf = z,
	};
	struct ublkev_backend *b;
	bool rejected;

	ck_assert_int_eq(ublkev_file_new(&b, NULL, &conf), 0);
	mem_serve(b);
	ck_assert_int_eq(ublkev__guard_submit(b, &req, &rejected), 0);
	mem_finish(b);
	return z[i];
}

static const struct {
	uint64_t at[3];		/* where data are, from 1 on; 0: none more */
	uint8_t cond;
	uint64_t wp;
} files[] = {
	{ { 0 }, BLK_ZONE_COND_EMPTY, 0 },
	{ { ZONE }, BLK_ZONE_COND_CLOSED, 4096 },
	{ { ZONE, ZONE + 4096 }, BLK_ZONE_COND_CLOSED, 8192 },
	/* of appends that were under way only some arrived */
	{ { ZONE, ZONE + 12288 }, BLK_ZONE_COND_CLOSED, 16384 },
	{ { ZONE + 8192 }, BLK_ZONE_COND_CLOSED, 12288 },
	{ { 2 * ZONE - 4096 }, BLK_ZONE_COND_FULL, ZONE },
	{ { 2 * ZONE }, BLK_ZONE_COND_EMPTY, 0 },
	{ { ZONE - 4096, 2 * ZONE }, BLK_ZONE_COND_EMPTY, 0 },
};

START_TEST(states_of_holes)
{
	struct blk_zone z;
	int i;

	for (i = 0; i < 3 && files[_i].at[i]; i++)
		data_at(files[_i].at[i]);
	z = found(1);
	ck_assert_uint_eq(z.cond, files[_i].cond);
	ck_assert_uint_eq(z.wp, (ZONE + files[_i].wp) >> 9);
	ck_assert_uint_eq(z.capacity, ZONE >> 9);
}
END_TEST

/* what lies behind the capacity was never written by a zone */
START_TEST(capacity)
{
	conf.zone_capacity_bytes = 3 * ZONE / 4;
	data_at(2 * ZONE - 4096);
	ck_assert_uint_eq(found(1).cond, BLK_ZONE_COND_EMPTY);
	data_at(ZONE + 3 * ZONE / 4 - 4096);
	ck_assert_uint_eq(found(1).cond, BLK_ZONE_COND_FULL);
	conf.conventional_zones = 2;
	ck_assert_uint_eq(found(1).cond, BLK_ZONE_COND_NOT_WP);
}
END_TEST

/* a file system of blocks of any size */
int __real_fstatfs(int fd, struct statfs *fs);
int __wrap_fstatfs(int fd, struct statfs *fs);
int __wrap_fstatfs64(int fd, struct statfs *fs);
static uint32_t fs_block_bytes;

int __wrap_fstatfs(int fd, struct statfs *fs)
{
	int err = __real_fstatfs(fd, fs);

	if (fs_block_bytes)
		fs->f_bsize = (__typeof__(fs->f_bsize))fs_block_bytes;
	return err;
}

int __wrap_fstatfs64(int fd, struct statfs *fs)
{
	return __wrap_fstatfs(fd, fs);
}

static int zones_of(bool is_block, bool filled, uint32_t block)
{
	struct ublkev__fileopen f = {
		.fd = file, .is_block = is_block, .filled = filled,
		.dev_bytes = NR * ZONE,
	};
	struct ublkev__filezones zones;
	int err;

	conf.zone_capacity_bytes = ZONE;
	fs_block_bytes = block;
	err = ublkev__filezones_init(&zones, &f, &conf);
	fs_block_bytes = 0;
	if (!err)
		ublkev__filezones_fini(&zones);
	return err;
}

/* a file that would never have a hole, or none where a block begins */
START_TEST(bad_files)
{
	ck_assert_int_eq(zones_of(false, true, 4096), 0);
	ck_assert_int_eq(zones_of(true, false, 4096), -EINVAL);
	ck_assert_int_eq(zones_of(false, false, 8192), -EINVAL);
	data_at(0);
	ck_assert_int_eq(zones_of(false, false, 512), 0);
	ck_assert_int_eq(zones_of(false, true, 4096), -EOPNOTSUPP);
}
END_TEST

static void half_block(void) { conf.logical_block_bytes = 512; }
static void no_power(void) { conf.zone_bytes = 3 * ZONE; }
static void too_small(void) { conf.zone_bytes = 2048; }
static void too_large(void) { conf.zone_bytes = UINT64_C(1) << 32; }
static void part(void) { conf.dev_bytes = ZONE + 4096; }
static void part_of_file(void) { conf.offset_bytes = 4096; }
static void half_capacity(void) { conf.zone_capacity_bytes = 512; }
static void more_capacity(void) { conf.zone_capacity_bytes = ZONE + 4096; }
static void more_open(void) { conf.max_open_zones = NR + 1; }
static void more_active(void) { conf.max_active_zones = NR + 1; }
static void conventional(void) { conf.conventional_zones = NR + 1; }

static void less_active(void)
{
	conf.max_open_zones = 3;
	conf.max_active_zones = 2;
}

static void no_zones(void)
{
	conf.zone_bytes = 0;
	conf.max_open_zones = 1;
}

static void (*const bad[])(void) = {
	half_block, no_power, too_small, too_large, part, part_of_file,
	half_capacity, more_capacity, more_open, more_active, conventional,
	less_active, no_zones,
};

START_TEST(bad_conf)
{
	struct ublkev_backend *b;

	bad[_i]();
	ck_assert_int_eq(ublkev_file_new(&b, NULL, &conf), -EINVAL);
}
END_TEST

START_TEST(limits)
{
	struct ublkev_backend *b;

	conf.max_open_zones = 3;
	conf.max_active_zones = 4;
	ck_assert_int_eq(ublkev_file_new(&b, NULL, &conf), 0);
	mem_serve(b);
	ck_assert_uint_eq(b->limits.logical_block_bytes, 4096);
	ck_assert_uint_eq(b->limits.chunk_bytes, ZONE);
	ck_assert_uint_eq(b->limits.max_open_zones, 3);
	ck_assert_uint_eq(b->limits.max_active_zones, 4);
	ck_assert_uint_eq(b->limits.max_discard_bytes, 0);
	ck_assert_uint_eq(b->limits.max_write_zeroes_bytes, 0);
	ck_assert_uint_eq(b->limits.flags, UBLKEV_LIMIT_VOLATILE_CACHE |
			  UBLKEV_LIMIT_FUA | UBLKEV_LIMIT_ZONED);
	ck_assert_int_eq(ublkev__guard_can_resize(b, 2 * NR * ZONE),
			 -EOPNOTSUPP);
	mem_finish(b);
}
END_TEST

static struct ublkev_extent placed_at(struct ublkev_backend *b, unsigned int op,
				      uint64_t at, uint64_t len, int want)
{
	struct ublkev_req req = {
		.op = (uint8_t)op, .offset_bytes = at, .len_bytes = len,
	};
	struct ublkev_extent x[UBLKEV_MAX_EXTENTS] = { { 0 } };
	bool rejected;

	ck_assert_int_eq(ublkev__guard_place(b, &req, x, &rejected), want);
	if (want == 1)
		ublkev__guard_placed(b, &req, 0);
	return x[0];
}

/* where what is done to zones is done in the file */
START_TEST(places)
{
	struct ublkev_backend *b;
	struct ublkev_extent x;

	ck_assert_int_eq(ftruncate(file, (NR + 1) * ZONE), 0);
	conf.offset_bytes = ZONE;
	conf.conventional_zones = 1;
	conf.zone_capacity_bytes = ZONE / 2;
	ck_assert_int_eq(ublkev_file_new(&b, NULL, &conf), 0);
	mem_serve(b);
	x = placed_at(b, UBLKEV_OP_WRITE, 2 * ZONE, 4096, 1);
	ck_assert_uint_eq(x.offset_bytes, 3 * ZONE);
	placed_at(b, UBLKEV_OP_WRITE, 2 * ZONE, 4096, -EIO);
	placed_at(b, UBLKEV_OP_ZONE_OPEN, 0, 0, -EIO);
	x = placed_at(b, UBLKEV_OP_ZONE_OPEN, 2 * ZONE, 0, 1);
	ck_assert_int_eq(x.fd, -1);
	x = placed_at(b, UBLKEV_OP_ZONE_FINISH, 2 * ZONE, 0, 1);
	ck_assert_uint_eq(x.offset_bytes, 3 * ZONE + ZONE / 2 - 4096);
	ck_assert_uint_eq(x.len_bytes, 4096);
	/* there is a mark already */
	x = placed_at(b, UBLKEV_OP_ZONE_FINISH, 2 * ZONE, 0, 1);
	ck_assert_int_eq(x.fd, -1);
	x = placed_at(b, UBLKEV_OP_ZONE_RESET, 2 * ZONE, 0, 1);
	ck_assert_uint_eq(x.offset_bytes, 3 * ZONE);
	ck_assert_uint_eq(x.len_bytes, ZONE / 2);
	placed_at(b, UBLKEV_OP_ZONE_CLOSE, 2 * ZONE, 0, -EIO);
	x = placed_at(b, UBLKEV_OP_ZONE_RESET_ALL, 0, 0, 1);
	ck_assert_uint_eq(x.offset_bytes, 2 * ZONE);
	ck_assert_uint_eq(x.len_bytes, (NR - 1) * ZONE);
	mem_finish(b);
}
END_TEST

static void written(struct ublkev_backend *b, unsigned int i)
{
	placed_at(b, UBLKEV_OP_WRITE, i * ZONE, 4096, 1);
}

static uint8_t cond_of(struct ublkev_backend *b, unsigned int i)
{
	struct blk_zone z[NR];

	ck_assert_int_eq(mem_submit(b, UBLKEV_OP_REPORT_ZONES, 0, 0, sizeof(z),
				    z), 0);
	return z[i].cond;
}

/* a zone is empty once its hole was made, and only then */
START_TEST(reset_once_it_is_done)
{
	struct ublkev_req req = {
		.op = _i ? UBLKEV_OP_ZONE_RESET_ALL : UBLKEV_OP_ZONE_RESET,
		.offset_bytes = _i ? 0 : ZONE,
	};
	struct ublkev_extent x[UBLKEV_MAX_EXTENTS];
	struct ublkev_backend *b;
	bool rejected;

	ck_assert_int_eq(ublkev_file_new(&b, NULL, &conf), 0);
	mem_serve(b);
	written(b, 1);
	written(b, 2);
	ck_assert_int_eq(ublkev__guard_place(b, &req, x, &rejected), 1);
	ck_assert_int_eq(ublkev__guard_placed(b, &req, -EIO), -EIO);
	ck_assert_uint_eq(cond_of(b, 1), BLK_ZONE_COND_IMP_OPEN);
	ck_assert_int_eq(ublkev__guard_place(b, &req, x, &rejected), 1);
	ck_assert_int_eq(ublkev__guard_placed(b, &req, 0), 0);
	ck_assert_uint_eq(cond_of(b, 1), BLK_ZONE_COND_EMPTY);
	ck_assert_uint_eq(cond_of(b, 2), _i ? BLK_ZONE_COND_EMPTY
					    : BLK_ZONE_COND_IMP_OPEN);
	mem_finish(b);
}
END_TEST

/* a write that failed: the next one comes to the same place */
START_TEST(failed_write)
{
	struct ublkev_req req = {
		.op = UBLKEV_OP_WRITE, .offset_bytes = ZONE, .len_bytes = 4096,
	};
	struct ublkev_extent x[UBLKEV_MAX_EXTENTS];
	struct ublkev_backend *b;
	bool rejected;

	ck_assert_int_eq(ublkev_file_new(&b, NULL, &conf), 0);
	mem_serve(b);
	ck_assert_int_eq(ublkev__guard_place(b, &req, x, &rejected), 1);
	ck_assert_int_eq(ublkev__guard_placed(b, &req, -ENOSPC), -ENOSPC);
	ck_assert_int_eq(ublkev__guard_place(b, &req, x, &rejected), 1);
	ck_assert_int_eq(ublkev__guard_placed(b, &req, 0), 0);
	mem_finish(b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("filezones");
	TCase *tc = tcase_create("filezones");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, states_of_holes, 0, TEST_COUNT(files));
	tcase_add_test(tc, capacity);
	tcase_add_test(tc, bad_files);
	tcase_add_loop_test(tc, bad_conf, 0, TEST_COUNT(bad));
	tcase_add_test(tc, limits);
	tcase_add_test(tc, places);
	tcase_add_loop_test(tc, reset_once_it_is_done, 0, 2);
	tcase_add_test(tc, failed_write);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
