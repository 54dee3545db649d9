/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Metadata through the engine, with and without BATCH_IO, whatever way to copy was
 * asked for: they come and go with the data, and a request without is
 * served as well.
 */
#include <errno.h>
#include <string.h>

#include "engine_one.h"

#define BLOCK	512u
#define META	8u
#define F_META	UBLKEV__DESC_INTEGRITY

static struct ublkev_backend *disk;

static void disk_make(void)
{
	struct ublkev_disk_conf conf;

	ublkev_disk_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = 1 << 20;
	conf.pi = UBLKEV_PI_T10_DIF_TYPE1_CRC;
	ck_assert_int_eq(ublkev_mem_new(&disk, &conf), 0);
}

START_TEST(with_the_data)
{
	static char data[16 * (BLOCK + META)], back[sizeof(data)];
	const uint32_t n = 16 * BLOCK;
	struct test_rng rng;
	unsigned int i;

	fake.features |= FAKE_F_INTEGRITY | FAKE_F_USER_COPY;
	rig_mode(&r, (unsigned int)_i);
	disk_make();
	rig_up(&r, disk);
	test_rng_init(&rng, 9);
	test_rng_fill(&rng, data, sizeof(data));
	/* as they are where nothing was written: all ones */
	ck_assert_int_eq(one_io(FAKE_READ | F_META, 0, n, back), 0);
	for (i = 0; i < 16 * META; i++)
		ck_assert_int_eq(back[n + i], (char)0xff);
	ck_assert_int_eq(one_io(FAKE_WRITE | F_META, 4096, n, data), 0);
	ck_assert_int_eq(one_io(FAKE_READ | F_META, 4096, n, back), 0);
	ck_assert_mem_eq(back, data, sizeof(data));
	/* who has none is served, too */
	memset(back, 0x5a, sizeof(back));
	ck_assert_int_eq(one_io(FAKE_READ, 4096, n, back), 0);
	ck_assert_mem_eq(back, data, n);
	ck_assert_int_eq(back[n], 0x5a);
	ck_assert_int_eq(one_io(FAKE_WRITE, 4096, BLOCK, data), 0);
	ck_assert_int_eq(one_io(FAKE_READ | F_META, 4096, BLOCK, back), 0);
	for (i = 0; i < META; i++)
		ck_assert_int_eq(back[BLOCK + i], (char)0xff);
	ck_assert_int_eq(one_io(FAKE_DISCARD, 4096, n, NULL), 0);
	ck_assert_int_eq(one_io(FAKE_READ | F_META, 4096 + BLOCK, BLOCK, back),
			 0);
	ck_assert_int_eq(back[BLOCK], (char)0xff);
	rig_down(&r);
	ublkev_backend_free(disk);
}
END_TEST

/* what could not be copied is an error of that request alone */
START_TEST(copy_fails)
{
	static char data[BLOCK + META];

	fake.features |= FAKE_F_INTEGRITY | FAKE_F_USER_COPY;
	disk_make();
	rig_up(&r, disk);
	fake_rule(FAKE_COPY, 0, 1, 1, -ECANCELED);
	ck_assert_int_eq(one_io(FAKE_WRITE | F_META, 0, BLOCK, data), -EIO);
	ck_assert_int_eq(one_io(FAKE_WRITE | F_META, 0, BLOCK, data), 0);
	rig_down(&r);
	ublkev_backend_free(disk);
}
END_TEST

START_TEST(kernel_without)
{
	disk_make();
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
	Suite *suite = suite_create("engine_metadata");
	TCase *tc = tcase_create("metadata");

	tcase_add_checked_fixture(tc, one_setup, one_teardown);
	tcase_add_loop_test(tc, with_the_data, 0, RIG_MODES);
	tcase_add_test(tc, copy_fails);
	tcase_add_test(tc, kernel_without);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
