/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A zoned memory disk through the engine, as the driver's user sees it: reports,
 * writes, appends and their sectors, resets; with and without BATCH_IO, whatever
 * way to copy was asked for; and its zones after a recovery.
 */
#include <errno.h>
#include <linux/blkzoned.h>
#include <string.h>
#include <sys/mman.h>
#include <ublkev/file.h>
#include <unistd.h>

#include "engine_one.h"

#define ZONE	(UINT64_C(1) << 16)
#define NR	8u

static struct ublkev_disk_conf disk_conf;
static struct ublkev_backend *disk;

static void disk_make(int fd)
{
	ublkev_disk_conf_init(&disk_conf, sizeof(disk_conf));
	disk_conf.dev_bytes = NR * ZONE;
	disk_conf.zone_bytes = ZONE;
	disk_conf.max_open_zones = 3;
	disk_conf.flags = UBLKEV_DISK_SHARED;
	disk_conf.fd = fd;
	ck_assert_int_eq(ublkev_mem_new(&disk, &disk_conf), 0);
}

static void offer_zones(void)
{
	fake.features |= FAKE_F_ZONED | FAKE_F_USER_COPY;
}

static uint64_t append(unsigned int zone, char *data, uint32_t len, int want)
{
	fake_appended = 0;
	ck_assert_int_eq(one_io(FAKE_ZONE_APPEND, zone * ZONE, len, data),
			 want);
	return fake_appended << 9;
}

static void check_zone(unsigned int i, uint8_t cond, uint64_t wp)
{
	struct blk_zone z[NR];

	memset(z, 0xff, sizeof(z));
	ck_assert_int_eq(one_io(FAKE_REPORT_ZONES, 0, sizeof(z), z), 0);
	ck_assert_uint_eq(z[i].start, i * ZONE >> 9);
	ck_assert_uint_eq(z[i].cond, cond);
	ck_assert_uint_eq(z[i].wp, (i * ZONE + wp) >> 9);
}

START_TEST(all_of_a_zoned_disk)
{
	static char data[8192], back[8192];
	struct test_rng rng;

	offer_zones();
	rig_mode(&r, (unsigned int)_i);
	disk_make(-1);
	rig_up(&r, disk);
	test_rng_init(&rng, 5);
	test_rng_fill(&rng, data, sizeof(data));
	check_zone(7, BLK_ZONE_COND_EMPTY, 0);
	ck_assert_int_eq(one_io(FAKE_WRITE, ZONE, 4096, data), 0);
	/* not at the write pointer */
	ck_assert_int_eq(one_io(FAKE_WRITE, ZONE, 4096, data), -EIO);
	ck_assert_uint_eq(append(1, data + 4096, 4096, 0), ZONE + 4096);
	ck_assert_uint_eq(append(2, data, 512, 0), 2 * ZONE);
	ck_assert_uint_eq(append(2, data, 512, 0), 2 * ZONE + 512);
	ck_assert_int_eq(one_io(FAKE_READ, ZONE, 8192, back), 0);
	ck_assert_mem_eq(back, data, sizeof(data));
	check_zone(1, BLK_ZONE_COND_IMP_OPEN, 8192);
	ck_assert_int_eq(one_io(FAKE_ZONE_OPEN, 2 * ZONE, 0, NULL), 0);
	check_zone(2, BLK_ZONE_COND_EXP_OPEN, 1024);
	ck_assert_int_eq(one_io(FAKE_ZONE_CLOSE, 2 * ZONE, 0, NULL), 0);
	check_zone(2, BLK_ZONE_COND_CLOSED, 1024);
	ck_assert_int_eq(one_io(FAKE_ZONE_FINISH, 2 * ZONE, 0, NULL), 0);
	append(2, data, 512, -EIO);
	ck_assert_int_eq(one_io(FAKE_ZONE_RESET, ZONE, 0, NULL), 0);
	check_zone(1, BLK_ZONE_COND_EMPTY, 0);
	ck_assert_int_eq(one_io(FAKE_ZONE_RESET_ALL, 0, 0, NULL), 0);
	check_zone(2, BLK_ZONE_COND_EMPTY, 0);
	ck_assert_int_eq(one_io(FAKE_DISCARD, 0, 4096, NULL), -EOPNOTSUPP);
	ck_assert_uint_eq(rig_stats(&r).op[UBLKEV_OP_ZONE_APPEND].reqs, 4);
	ck_assert_int_eq(ublkev_dev_resize(rig_loop, &r.dev, 2 * NR * ZONE,
					   0),
			 -EOPNOTSUPP);
	rig_down(&r);
	ublkev_backend_free(disk);
}
END_TEST

static void disk_make_file(void)
{
	struct ublkev_file_conf conf;
	int fd = memfd_create("zones", MFD_CLOEXEC);

	ck_assert_int_eq(ftruncate(fd, NR * ZONE), 0);
	ublkev_file_conf_init(&conf, sizeof(conf));
	conf.fd = fd;
	conf.zone_bytes = ZONE;
	ck_assert_int_eq(ublkev_file_new(&disk, NULL, &conf), 0);
	close(fd);
}

/* bit 0: with BATCH_IO; then AUTO and ZERO, of a kernel that has all of it */
START_TEST(appends_to_a_file)
{
	static char data[8192], back[8192];
	struct test_rng rng;

	fake.features = 0x1fffff;
	r.conf.features = _i % 2 ? UBLKEV_F_BATCH_IO : 0;
	r.conf.copy = _i / 2 ? UBLKEV_COPY_ZERO : UBLKEV_COPY_AUTO;
	disk_make_file();
	rig_up(&r, disk);
	test_rng_init(&rng, 6);
	test_rng_fill(&rng, data, sizeof(data));
	ck_assert_uint_eq(append(1, data, 4096, 0), ZONE);
	ck_assert_uint_eq(append(1, data + 4096, 4096, 0), ZONE + 4096);
	ck_assert_int_eq(one_io(FAKE_READ, ZONE, 8192, back), 0);
	ck_assert_mem_eq(back, data, sizeof(data));
	check_zone(1, BLK_ZONE_COND_IMP_OPEN, 8192);
	rig_down(&r);
	ublkev_backend_free(disk);
}
END_TEST

/* the device, and the zones in the memory's file, outlive their server */
START_TEST(recovered)
{
	static char data[4096];
	struct ublkev_backend *was;

	offer_zones();
	r.conf.recovery = UBLKEV_RECOVERY_REQUEUE;
	r.conf.id = 0;
	disk_make(-1);
	rig_up(&r, disk);
	append(3, data, 4096, 0);
	fake_kill(0);
	rig_bury(&r);
	was = disk;
	disk_make(ublkev_mem_fd(was));
	ublkev_backend_free(was);
	rig_recover(&r, disk);
	rig_until(rig_is_live, &r);
	check_zone(3, BLK_ZONE_COND_IMP_OPEN, 4096);
	ck_assert_uint_eq(append(3, data, 4096, 0), 3 * ZONE + 4096);
	rig_down(&r);
	ublkev_backend_free(disk);
}
END_TEST

/* a kernel without zones, and a device of an ordinary user's */
START_TEST(refused)
{
	if (_i) {
		offer_zones();
		r.conf.flags |= UBLKEV_CONF_UNPRIVILEGED;
	}
	disk_make(-1);
	if (!_i)
		fake.features &= ~FAKE_F_ZONED;
	rig_init(&r, disk);
	rig_start(&r);
	rig_until(rig_is_over, &r);
	ck_assert_int_eq(r.dev.err, -EOPNOTSUPP);
	rig_fini(&r);
	ublkev_backend_free(disk);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_zoned");
	TCase *tc = tcase_create("zoned");

	tcase_add_checked_fixture(tc, one_setup, one_teardown);
	tcase_add_loop_test(tc, all_of_a_zoned_disk, 0, RIG_MODES);
	tcase_add_loop_test(tc, appends_to_a_file, 0, 4);
	tcase_add_test(tc, recovered);
	tcase_add_loop_test(tc, refused, 0, 2);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
