/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory disk in a file, and the sizes that it is given while it serves.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "backend/guard.h"
#include "failalloc.h"
#include "mem_kit.h"
#include "testlib.h"

/* no machine has so much address space */
#define TOO_MUCH	(UINT64_C(1) << 58)

static int new_disk(struct ublkev_backend **bp, uint64_t dev_bytes,
		    uint32_t flags, int fd)
{
	struct ublkev_disk_conf conf;

	ublkev_disk_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = dev_bytes;
	conf.flags = flags;
	conf.fd = fd;
	return ublkev_mem_new(bp, &conf);
}

static struct ublkev_backend *disk(uint64_t dev_bytes, uint32_t flags, int fd)
{
	struct ublkev_backend *b = NULL;

	ck_assert_int_eq(new_disk(&b, dev_bytes, flags, fd), 0);
	mem_serve(b);
	return b;
}

/* kinds of memory that a loop test goes through */
static const uint32_t kinds[] = { 0, UBLKEV_DISK_SHARED };

static struct stat stat_of(const struct ublkev_backend *b)
{
	struct stat st;

	ck_assert_int_eq(fstat(ublkev_mem_fd(b), &st), 0);
	return st;
}

static uint64_t used(const struct ublkev_backend *b)
{
	return (uint64_t)stat_of(b).st_blocks * 512;
}

/* as the library does it: the new limits are seen at the next open */
static int resize(struct ublkev_backend *b, uint64_t dev_bytes)
{
	int err;

	ck_assert_ptr_nonnull(b->ops.resize);
	do
		err = b->ops.resize(b->ctx, dev_bytes);
	while (err == UBLKEV_AGAIN);
	mem_unserve(b);
	mem_serve(b);
	if (!err)
		ck_assert_uint_eq(b->limits.dev_bytes, dev_bytes);
	return err;
}

/* ---- the file ----------------------------------------------------------- */

START_TEST(private_has_no_file)
{
	struct ublkev_backend *b = disk(MIB, 0, -1), *null;

	ck_assert_int_eq(ublkev_mem_fd(b), -1);
	mem_finish(b);
	ck_assert_int_eq(ublkev_null_new(&null, NULL), 0);
	ck_assert_int_eq(ublkev_mem_fd(null), -1);
	ublkev_backend_free(null);
}
END_TEST

START_TEST(memfd)
{
	struct ublkev_backend *b = disk(MIB + 512, UBLKEV_DISK_SHARED, -1);
	int fd = ublkev_mem_fd(b);
	char buf[512];

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(stat_of(b).st_size, MIB + 512);
	ck_assert(mem_holds(b, 0, 4096, 0));
	mem_fill(b, MIB, 512, 0x5a);
	ck_assert_int_eq(pread(fd, buf, 512, MIB), 512);
	ck_assert_int_eq(buf[511], 0x5a);
	mem_finish(b);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

/* what a successor does with the file it was handed */
START_TEST(handed_on)
{
	struct ublkev_backend *a = disk(MIB, UBLKEV_DISK_SHARED, -1), *b;
	int fd = dup(ublkev_mem_fd(a));

	mem_fill(a, 8192, 4096, 7);
	mem_finish(a);
	b = disk(MIB, 0, fd);
	ck_assert_int_eq(close(fd), 0);
	ck_assert_int_ge(ublkev_mem_fd(b), 0);
	ck_assert_int_eq(fcntl(ublkev_mem_fd(b), F_GETFD), FD_CLOEXEC);
	ck_assert(mem_holds(b, 8192, 4096, 7));
	ck_assert(mem_holds(b, 0, 8192, 0));
	mem_finish(b);
}
END_TEST

START_TEST(only_made_longer)
{
	struct ublkev_backend *b;
	int fd = memfd_create("test", 0);

	ck_assert_int_eq(ftruncate(fd, 4096), 0);
	ck_assert_int_eq(pwrite(fd, "x", 1, 4095), 1);
	b = disk(MIB, 0, fd);
	ck_assert_int_eq(stat_of(b).st_size, MIB);
	ck_assert(mem_holds(b, 4096, 4096, 0));
	mem_finish(b);
	b = disk(512, 0, fd);
	ck_assert_int_eq(stat_of(b).st_size, MIB);
	mem_finish(b);
	close(fd);
}
END_TEST

START_TEST(no_such_file)
{
	struct ublkev_backend *b;
	char path[] = "test_mem_shared.XXXXXX", proc[64];
	int fd = memfd_create("test", 0), p[2];

	ck_assert_int_eq(new_disk(&b, MIB, 0, 12345), -EINVAL);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	close(fd);
	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(new_disk(&b, MIB, 0, p[1]), -EINVAL);
	close(p[0]);
	close(p[1]);
	fd = memfd_create("test", 0);
	p[0] = open(proc, O_RDONLY);
	ck_assert_int_eq(new_disk(&b, MIB, 0, p[0]), -EINVAL);
	close(p[0]);
	close(fd);
	/* the build directory may be on tmpfs, and then does well */
	fd = mkstemp(path);
	p[0] = new_disk(&b, MIB, 0, fd);
	if (!p[0])
		ublkev_backend_free(b);
	else
		ck_assert_int_eq(p[0], -EINVAL);
	close(fd);
	unlink(path);
}
END_TEST

/* a file that may not grow */
START_TEST(sealed)
{
	struct ublkev_backend *b;
	int fd = memfd_create("test", MFD_ALLOW_SEALING);

	ck_assert_int_eq(ftruncate(fd, MIB), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	ck_assert_int_eq(new_disk(&b, 2 * MIB, 0, fd), -EPERM);
	b = disk(MIB, 0, fd);
	close(fd);
	mem_fill(b, 0, 4096, 1);
	ck_assert_int_eq(resize(b, 2 * MIB), -EPERM);
	ck_assert_uint_eq(b->limits.dev_bytes, MIB);
	ck_assert(mem_holds(b, 0, 4096, 1));
	mem_finish(b);
}
END_TEST

/* else the first write beyond the room would be a SIGBUS */
START_TEST(full_tmpfs)
{
	char path[] = "/dev/shm/test_mem_shared.XXXXXX";
	struct ublkev_backend *b;
	struct statvfs fs;
	uint64_t room;
	int fd = mkstemp(path);

	if (fd < 0 || fstatvfs(fd, &fs) || !fs.f_blocks) {
		printf("full_tmpfs: no bounded tmpfs here, left out\n");
		return;
	}
	unlink(path);
	room = (uint64_t)fs.f_blocks * fs.f_frsize;
	ck_assert_int_eq(new_disk(&b, room + MIB, 0, fd), -ENOSPC);
	b = disk(64 * KIB, 0, fd);
	close(fd);
	ck_assert_int_eq(resize(b, room + MIB), -ENOSPC);
	ck_assert_uint_eq(b->limits.dev_bytes, 64 * KIB);
	ck_assert_int_eq(stat_of(b).st_size, 64 * KIB);
	mem_finish(b);
}
END_TEST

/* refused, with the signal's default action in force: it would kill */
START_TEST(beyond_the_limit_of_files)
{
	struct rlimit was, little = { .rlim_cur = 4 * MIB };
	struct ublkev_backend *b;
	int fd = memfd_create("test", 0);

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &was), 0);
	little.rlim_max = was.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &little), 0);
	ck_assert_int_eq(new_disk(&b, 4 * MIB + 512, UBLKEV_DISK_SHARED, -1),
			 -EFBIG);
	ck_assert_int_eq(new_disk(&b, 4 * MIB + 512, 0, fd), -EFBIG);
	b = disk(4 * MIB, 0, fd);
	ck_assert_int_eq(resize(b, 4 * MIB + 512), -EFBIG);
	ck_assert_uint_eq(b->limits.dev_bytes, 4 * MIB);
	mem_fill(b, 4 * MIB - 4096, 4096, 5);
	ck_assert_int_eq(resize(b, MIB), 0);
	ck_assert_int_eq(resize(b, 4 * MIB), 0);
	mem_finish(b);
	/* a private one is no file */
	b = disk(8 * MIB, 0, -1);
	mem_finish(b);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
	close(fd);
}
END_TEST

/* pages that no machine of ours has set aside: the file says it is of such */
int __real_fstatfs(int fd, struct statfs *fs);
int __wrap_fstatfs(int fd, struct statfs *fs);
int __wrap_fstatfs64(int fd, struct statfs *fs);
static uint64_t fake_page_bytes;

int __wrap_fstatfs(int fd, struct statfs *fs)
{
	int err = __real_fstatfs(fd, fs);

	if (fake_page_bytes) {
		fs->f_type = HUGETLBFS_MAGIC;
		fs->f_bsize = (__typeof__(fs->f_bsize))fake_page_bytes;
	}
	return err;
}

int __wrap_fstatfs64(int fd, struct statfs *fs)
{
	return __wrap_fstatfs(fd, fs);
}

START_TEST(pages_of_any_size)
{
	const uint64_t sizes[] = { 2 * MIB, 512 * MIB, 1024 * MIB };
	struct ublkev_backend *b;

	fake_page_bytes = sizes[_i];
	b = disk(2 * MIB, UBLKEV_DISK_SHARED, -1);
	ck_assert_uint_eq(b->limits.discard_granularity_bytes, sizes[_i]);
	ck_assert_uint_ge(b->limits.max_discard_bytes, sizes[_i]);
	mem_fill(b, 0, 2 * MIB, 3);
	mem_do_op(b, UBLKEV_OP_DISCARD, 0, 0, MIB);
	ck_assert(mem_holds(b, 0, MIB, 0));
	ck_assert(mem_holds(b, MIB, MIB, 3));
	mem_finish(b);
	fake_page_bytes = 0;
}
END_TEST

START_TEST(huge_pages_of_hugetlbfs)
{
	struct ublkev_backend *b = NULL;
	uint64_t huge;
	int fd, err;

	fd = memfd_create("test", MFD_HUGETLB);
	if (fd < 0) {
		printf("huge_pages: no hugetlbfs here, left out\n");
		return;
	}
	err = new_disk(&b, MIB, 0, fd);
	close(fd);
	if (err) {
		/* reserved now, or the first write would be a SIGBUS */
		ck_assert_int_eq(err, -ENOMEM);
		printf("huge_pages: none reserved (vm.nr_hugepages), so "
		       "refused\n");
		return;
	}
	mem_serve(b);
	huge = b->limits.discard_granularity_bytes;
	ck_assert_uint_gt(huge, 64 * KIB);
	ck_assert_int_eq(stat_of(b).st_size, huge);
	mem_fill(b, 0, MIB, 3);
	ck_assert_int_eq(resize(b, huge + 4096), 0);
	ck_assert(mem_holds(b, 0, MIB, 3));
	ck_assert(mem_holds(b, MIB, huge - MIB + 4096, 0));
	mem_fill(b, huge, 4096, 4);
	mem_do_op(b, UBLKEV_OP_DISCARD, 0, 4096, MIB);
	ck_assert(mem_holds(b, 0, 4096, 3));
	ck_assert(mem_holds(b, 4096, MIB, 0));
	ck_assert_int_eq(resize(b, 8192), 0);
	ck_assert_int_eq(stat_of(b).st_size, huge);
	ck_assert_int_eq(resize(b, huge + 4096), 0);
	ck_assert(mem_holds(b, 0, 4096, 3));
	ck_assert(mem_holds(b, 4096, huge, 0));
	mem_finish(b);
}
END_TEST

/* ---- giving back -------------------------------------------------------- */

START_TEST(gives_back)
{
	struct ublkev_backend *b = disk(MIB, UBLKEV_DISK_SHARED, -1);
	uint64_t all, hole;

	ck_assert_uint_eq(used(b), 0);
	mem_fill(b, 0, MIB, 0xff);
	all = used(b);
	ck_assert_uint_ge(all, MIB);
	mem_do_op(b, UBLKEV_OP_DISCARD, 0, 64 * KIB - 512, 128 * KIB + 1024);
	hole = used(b);
	ck_assert_uint_le(hole, all - 128 * KIB);
	ck_assert(mem_holds(b, 0, 64 * KIB - 512, 0xff));
	ck_assert(mem_holds(b, 64 * KIB - 512, 128 * KIB + 1024, 0));
	ck_assert(mem_holds(b, 192 * KIB + 512, 512 * KIB, 0xff));
	mem_fill(b, 0, MIB, 0xff);
	mem_do_op(b, UBLKEV_OP_WRITE_ZEROES, UBLKEV_REQ_NOUNMAP, 0,
		  512 * KIB);
	ck_assert_uint_eq(used(b), all);
	mem_do_op(b, UBLKEV_OP_WRITE_ZEROES, 0, 0, MIB);
	ck_assert_uint_eq(used(b), 0);
	mem_finish(b);
}
END_TEST

/* ---- sizes -------------------------------------------------------------- */

START_TEST(grows)
{
	struct ublkev_backend *b = disk(MIB + 512, kinds[_i], -1);
	uint64_t bytes;

	mem_fill(b, 0, MIB + 512, 9);
	for (bytes = 2 * MIB; bytes <= 256 * MIB; bytes *= 2) {
		ck_assert_int_eq(resize(b, bytes + 512), 0);
		ck_assert(mem_holds(b, 0, MIB + 512, 9));
		ck_assert(mem_holds(b, MIB + 512, MIB - 512, 0));
		ck_assert(mem_holds(b, bytes, 512, 0));
		mem_fill(b, bytes, 512, 8);
		mem_do_op(b, UBLKEV_OP_DISCARD, 0, bytes, 512);
	}
	mem_finish(b);
}
END_TEST

START_TEST(shrinks)
{
	struct ublkev_backend *b = disk(4 * MIB, kinds[_i], -1);
	size_t rss;

	mem_fill(b, 0, 4 * MIB, 9);
	rss = test_rss_bytes();
	ck_assert_int_eq(resize(b, MIB - 512), 0);
	if (kinds[_i]) {
		ck_assert_uint_le(used(b), MIB);
		ck_assert_int_eq(stat_of(b).st_size, MIB - 512);
	}
	ck_assert_uint_le(test_rss_bytes() + 2 * MIB, rss);
	ck_assert(mem_holds(b, 0, MIB - 512, 9));
	/* what was cut off does not come back */
	ck_assert_int_eq(resize(b, 4 * MIB), 0);
	ck_assert(mem_holds(b, 0, MIB - 512, 9));
	ck_assert(mem_holds(b, MIB - 512, 3 * MIB + 512, 0));
	mem_finish(b);
}
END_TEST

START_TEST(as_it_was)
{
	struct ublkev_backend *b = disk(MIB, kinds[_i], -1);
	const uint64_t sizes[] = { TOO_MUCH, INT64_MAX - 511 };
	size_t i;

	mem_fill(b, 0, MIB, 1);
	for (i = 0; i < TEST_COUNT(sizes); i++) {
		ck_assert_int_lt(resize(b, sizes[i]), 0);
		ck_assert_uint_eq(b->limits.dev_bytes, MIB);
		if (kinds[_i])
			ck_assert_int_eq(stat_of(b).st_size, MIB);
		ck_assert(mem_holds(b, 0, MIB, 1));
	}
	mem_finish(b);
}
END_TEST

/* against a plain array, with sizes that come and go */
START_TEST(random_sizes)
{
	const uint64_t most = 256 * KIB;
	struct ublkev_backend *b = disk(most, kinds[_i], -1);
	unsigned char *model = calloc(1, most), *buf = malloc(most);
	uint64_t bytes = most, from, len;
	struct test_rng rng;
	int i;

	test_rng_init(&rng, test_seed("random_sizes"));
	for (i = 0; i < 2000; i++) {
		from = test_rng_below(&rng, bytes / 512) * 512;
		len = (1 + test_rng_below(&rng, (bytes - from) / 512)) * 512;
		switch (test_rng_below(&rng, 4)) {
		case 0:
			test_rng_fill(&rng, model + from, len);
			ck_assert_int_eq(mem_submit(b, UBLKEV_OP_WRITE, 0,
						    from, len, model + from),
					 UBLKEV_DONE);
			break;
		case 1:
			memset(model + from, 0, len);
			mem_do_op(b, UBLKEV_OP_DISCARD, 0, from, len);
			break;
		case 2:
			ck_assert_int_eq(mem_submit(b, UBLKEV_OP_READ, 0,
						    from, len, buf),
					 UBLKEV_DONE);
			ck_assert_mem_eq(buf, model + from, len);
			break;
		default:
			bytes = (1 + test_rng_below(&rng, most / 512)) * 512;
			ck_assert_int_eq(resize(b, bytes), 0);
			memset(model + bytes, 0, most - bytes);
		}
	}
	free(model);
	free(buf);
	mem_finish(b);
}
END_TEST

/* ---- no memory ---------------------------------------------------------- */

static int open_fds(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

START_TEST(no_memory)
{
	struct ublkev_backend *b;
	int leaked, err, fds = open_fds();
	unsigned int n = 0;
	bool failed;

	do {
		b = NULL;
		failalloc_arm(++n);
		err = new_disk(&b, MIB, UBLKEV_DISK_SHARED, -1);
		ublkev_backend_free(b);
		failed = failalloc_disarm(&leaked);
		ck_assert_int_eq(err, failed ? -ENOMEM : 0);
		ck_assert_int_eq(leaked, 0);
		ck_assert_int_eq(open_fds(), fds);
	} while (failed);
	ck_assert_uint_eq(n, 4);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mem_shared");
	TCase *t = tcase_create("mem_shared");

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, private_has_no_file);
	tcase_add_test(t, memfd);
	tcase_add_test(t, handed_on);
	tcase_add_test(t, only_made_longer);
	tcase_add_test(t, no_such_file);
	tcase_add_test(t, sealed);
	tcase_add_test(t, full_tmpfs);
	tcase_add_test(t, beyond_the_limit_of_files);
	tcase_add_loop_test(t, pages_of_any_size, 0, 3);
	tcase_add_test(t, huge_pages_of_hugetlbfs);
	tcase_add_test(t, gives_back);
	tcase_add_loop_test(t, grows, 0, TEST_COUNT(kinds));
	tcase_add_loop_test(t, shrinks, 0, TEST_COUNT(kinds));
	tcase_add_loop_test(t, as_it_was, 0, TEST_COUNT(kinds));
	tcase_add_loop_test(t, random_sizes, 0, TEST_COUNT(kinds));
	tcase_add_test(t, no_memory);
	return test_main(s);
}
