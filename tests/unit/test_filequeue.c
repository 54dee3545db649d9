/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a block device says of its queue, from a sysfs of our own, and what
 * becomes of it as limits of a disk.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/filequeue.h"
#include "backend/fileopen.h"
#include "testlib.h"

static char dir[] = "/tmp/test_filequeue.XXXXXX";
static char path[128];

static const char *const names[] = {
	"discard_max_bytes", "discard_granularity", "minimum_io_size",
	"optimal_io_size", "max_segments", "max_segment_size",
};

static void set_up(void)
{
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/queue", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/part", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
}

static void tear_down(void)
{
	unsigned int i;

	for (i = 0; i < TEST_COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/queue/%s", dir, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/queue", dir);
	ck_assert_int_eq(rmdir(path), 0);
	snprintf(path, sizeof(path), "%s/part", dir);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void say(const char *name, const char *text)
{
	size_t len = strlen(text);
	int fd;

	snprintf(path, sizeof(path), "%s/queue/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	close(fd);
}

/* 0: of a disk; 1: of its partition */
START_TEST(read_well)
{
	struct ublkev__filequeue q;
	char folder[64];

	say("discard_max_bytes", "2147450880\n");
	say("discard_granularity", "4096\n");
	say("minimum_io_size", "512\n");
	say("optimal_io_size", "131072\n");
	say("max_segments", "127\n");
	say("max_segment_size", "65536\n");
	snprintf(folder, sizeof(folder), _i ? "%s/part" : "%s", dir);
	ublkev__filequeue_read(&q, folder);
	ck_assert_uint_eq(q.discard_max_bytes, 2147450880);
	ck_assert_uint_eq(q.discard_granularity_bytes, 4096);
	ck_assert_uint_eq(q.io_min_bytes, 512);
	ck_assert_uint_eq(q.io_opt_bytes, 131072);
	ck_assert_uint_eq(q.max_segments, 127);
	ck_assert_uint_eq(q.max_segment_bytes, 65536);
}
END_TEST

/* what is not there, or no number, is not known */
START_TEST(read_badly)
{
	const struct ublkev__filequeue none = { 0 };
	struct ublkev__filequeue q;
	char folder[64];

	memset(&q, 0xa5, sizeof(q));
	ublkev__filequeue_read(&q, dir);
	ck_assert_mem_eq(&q, &none, sizeof(q));
	say("discard_max_bytes", "");
	say("max_segments", "-1\n");
	say("optimal_io_size", "none\n");
	memset(&q, 0xa5, sizeof(q));
	ublkev__filequeue_read(&q, dir);
	ck_assert_mem_eq(&q, &none, sizeof(q));
	snprintf(folder, sizeof(folder), "%s/no/such", dir);
	memset(&q, 0xa5, sizeof(q));
	ublkev__filequeue_read(&q, folder);
	ck_assert_mem_eq(&q, &none, sizeof(q));
}
END_TEST

static struct ublkev__fileopen taken(const struct ublkev__filequeue *q)
{
	struct ublkev__fileopen f = { .logical_block_bytes = 4096 };

	ublkev__fileopen_take_queue(&f, q);
	return f;
}

/* nothing that the checks of limits would refuse */
START_TEST(limits)
{
	struct ublkev__filequeue q = {
		.discard_max_bytes = UINT64_C(2147450880),
		.discard_granularity_bytes = 65536,
		.io_min_bytes = 4096, .io_opt_bytes = 1 << 20,
		.max_segments = 65535, .max_segment_bytes = UINT32_MAX,
	};
	struct ublkev__fileopen f = taken(&q);

	ck_assert_uint_eq(f.max_discard_bytes, 1 << 30);
	ck_assert_uint_eq(f.discard_granularity_bytes, 65536);
	ck_assert_uint_eq(f.io_min_bytes, 4096);
	ck_assert_uint_eq(f.io_opt_bytes, 1 << 20);
	ck_assert_uint_eq(f.max_segments, 65535);
	ck_assert_uint_eq(f.max_segment_bytes, UINT32_MAX);

	q.discard_max_bytes = 100000;
	q.discard_granularity_bytes = 12345;
	q.io_min_bytes = 512;		/* less than a block */
	q.io_opt_bytes = UINT64_C(1) << 40;
	q.max_segments = 65536;
	q.max_segment_bytes = 512;
	f = taken(&q);
	ck_assert_uint_eq(f.max_discard_bytes, 98304);
	ck_assert_uint_eq(f.discard_granularity_bytes, 4096);
	ck_assert_uint_eq(f.io_min_bytes, 0);
	ck_assert_uint_eq(f.io_opt_bytes, 0);
	ck_assert_uint_eq(f.max_segments, 0);
	ck_assert_uint_eq(f.max_segment_bytes, 0);

	/* less than one granule: none */
	q.discard_max_bytes = 8192;
	q.discard_granularity_bytes = 65536;
	f = taken(&q);
	ck_assert_uint_eq(f.max_discard_bytes, 0);
	q.discard_max_bytes = 0;
	f = taken(&q);
	ck_assert_uint_eq(f.max_discard_bytes, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("filequeue");
	TCase *tc = tcase_create("filequeue");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, read_well, 0, 2);
	tcase_add_test(tc, read_badly);
	tcase_add_test(tc, limits);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
