/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Metadata through the engine, with and without BATCH_IO, whatever way to copy was
 * asked for: they come and go with the data, and a request without is
 * served as well.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <ublkev/file.h>
#include <unistd.h>

#include "engine_one.h"

#define BLOCK	512u
#define META	8u
#define F_META	UBLKEV__DESC_INTEGRITY

static struct ublkev_backend *disk;

static void disk_make_file(void)
{
	struct ublkev_file_conf conf;
	int fd = memfd_create("metadata", MFD_CLOEXEC);

	ck_assert_int_eq(ftruncate(fd, (1 << 20) + (1 << 20) / BLOCK * META), 0);
	ublkev_file_conf_init(&conf, sizeof(conf));
	conf.fd = fd;
	conf.dev_bytes = 1 << 20;
	conf.logical_block_bytes = BLOCK;
	conf.pi = UBLKEV_PI_T10_DIF_TYPE1_CRC;
	ck_assert_int_eq(ublkev_file_new(&disk, NULL, &conf), 0);
	close(fd);
}

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
	rig_mode(&r, (unsigned int)_i / 2);
	if (_i % 2)
		disk_make_file();
	else
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

static int hold_all(const struct ublkev__fileop *op)
{
	(void)op;
	return FAKE_FILE_HOLD;
}

static bool are_held(void *arg)
{
	(void)arg;
	return fake_file_held(0) == 2;
}

/* two writes of one block: one is under way, and the other waits for it */
static void begin_two(struct one one[2], char *data)
{
	fake.features |= FAKE_F_INTEGRITY | FAKE_F_USER_COPY;
	fake.file = hold_all;
	fake_submit(0, FAKE_WRITE | F_META, 0, BLOCK, data, one_tell, &one[0]);
	fake_submit(0, FAKE_WRITE | F_META, 0, BLOCK, data, one_tell, &one[1]);
	rig_until(are_held, NULL);
}

/* a stop has both done, an abort fails them */
START_TEST(ended)
{
	static char data[BLOCK + META];
	struct one one[2] = { { 0, 0 } };

	fake.features |= FAKE_F_INTEGRITY | FAKE_F_USER_COPY;
	disk_make_file();
	rig_up(&r, disk);
	begin_two(one, data);
	fake.file = NULL;
	if (_i) {
		ublkev_dev_abort(rig_loop, &r.dev);
	} else {
		ublkev_dev_stop(rig_loop, &r.dev);
		fake_file_go(0, 2);
	}
	rig_run();
	rig_check_stopped(&r, "LS");
	ck_assert(one[0].done == 1 && one[1].done == 1);
	ck_assert(_i ? one[0].res && one[1].res : !one[0].res && !one[1].res);
	ck_assert_uint_eq(rig_stats(&r).stale_answers, 0);
	rig_fini(&r);
	ublkev_backend_free(disk);
}
END_TEST

/* released before either was done: the next server does both */
START_TEST(released)
{
	static char data[BLOCK + META] = "released", back[BLOCK + META];
	struct one one[2] = { { 0, 0 } };

	fake.features = 0x1fffff;
	r.conf.id = 0;
	r.conf.recovery = UBLKEV_RECOVERY_REISSUE;
	r.conf.stop_timeout_ms = 100;
	disk_make_file();
	rig_up(&r, disk);
	begin_two(one, data);
	ck_assert_int_eq(ublkev_dev_release(rig_loop, &r.dev), 0);
	rig_run();
	rig_check_stopped(&r, "LES");
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_RELEASED);
	ck_assert_uint_eq(fake_counts.file_left, 0);
	ck_assert_uint_eq(one[0].done + one[1].done, 0);
	rig_fini(&r);
	fake.file = NULL;
	r.conf.stop_timeout_ms = 2000;
	rig_recover(&r, disk);
	rig_until(rig_is_live, &r);
	rig_until(one_done, &one[0]);
	rig_until(one_done, &one[1]);
	ck_assert(!one[0].res && !one[1].res);
	ck_assert_int_eq(one_io(FAKE_READ | F_META, 0, BLOCK, back), 0);
	ck_assert_mem_eq(back, data, sizeof(data));
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
	tcase_add_loop_test(tc, with_the_data, 0, 2 * RIG_MODES);
	tcase_add_loop_test(tc, ended, 0, 2);
	tcase_add_test(tc, released);
	tcase_add_test(tc, copy_fails);
	tcase_add_test(tc, kernel_without);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
