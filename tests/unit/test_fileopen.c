/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fileopen: which files a disk can be in, how large it is there, and that a
 * file that it can't be in is as it was before.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/fileopen.h"
#include "testlib.h"

#define MIB	(UINT64_C(1) << 20)

static char dir[] = "/tmp/test_fileopen.XXXXXX";
static char path[64];

static void set_up(void)
{
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/disk", dir);
}

static void tear_down(void)
{
	if (unlink(path))
		rmdir(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void make(uint64_t bytes)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)bytes), 0);
	close(fd);
}

static struct ublkev_file_conf conf_of(uint64_t dev_bytes, uint32_t flags)
{
	struct ublkev_file_conf conf;

	ublkev_file_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = dev_bytes;
	conf.flags = flags;
	return conf;
}

static struct stat stat_of(void)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return st;
}

static int try_conf(const struct ublkev_file_conf *conf)
{
	struct ublkev__fileopen f;
	int err = ublkev__fileopen(&f, path, conf);

	if (err)
		ck_assert_int_lt(f.fd, 0);
	else
		ublkev__fileopen_close(&f);
	return err;
}

static int try_open(uint64_t dev_bytes, uint32_t flags)
{
	struct ublkev_file_conf conf = conf_of(dev_bytes, flags);

	return try_conf(&conf);
}

static void open_well(struct ublkev__fileopen *f,
		      const struct ublkev_file_conf *conf)
{
	ck_assert_int_eq(ublkev__fileopen(f, path, conf), 0);
	ck_assert_int_ge(f->fd, 0);
	ck_assert(fcntl(f->fd, F_GETFD) & FD_CLOEXEC);
	ck_assert(!(fcntl(f->fd, F_GETFL) & O_NONBLOCK));
	ck_assert_int_eq(!!(fcntl(f->fd, F_GETFL) & O_DIRECT), f->direct);
}

/* ---- sizes -------------------------------------------------------------- */

/* ---- what O_DIRECT wants ------------------------------------------------- */

static struct {
	bool on;
	uint32_t offset_align, mem_align;	/* 0: not told */
} told;

int __wrap_statx(int at, const char *name, int flags, unsigned int mask,
		 struct statx *sx);
int __real_statx(int at, const char *name, int flags, unsigned int mask,
		 struct statx *sx);

int __wrap_statx(int at, const char *name, int flags, unsigned int mask,
		 struct statx *sx)
{
	if (!told.on)
		return __real_statx(at, name, flags, mask, sx);
	ck_assert_uint_eq(mask, STATX_DIOALIGN);
	memset(sx, 0, sizeof(*sx));
	if (!told.mem_align)
		return 0;
	sx->stx_mask = STATX_DIOALIGN;
	sx->stx_dio_offset_align = told.offset_align;
	sx->stx_dio_mem_align = told.mem_align;
	return 0;
}

/* of clients' pages as of blocks; what is not told is guessed to be the block */
START_TEST(direct_alignment)
{
	static const struct {
		uint32_t offset, mem, block, dma;
	} cases[] = {
		{ 512, 4, 512, 4 }, { 512, 512, 512, 512 },
		{ 4096, 512, 4096, 512 }, { 1, 1, 512, 1 },
		{ 512, 4096, 512, 4096 }, { 0, 0, 512, 512 },
	};
	struct ublkev_file_conf conf = conf_of(1 << 20, UBLKEV_FILE_CREATE);
	struct ublkev__fileopen f;
	unsigned int i;

	for (i = 0; i < TEST_COUNT(cases); i++) {
		told.on = true;
		told.offset_align = cases[i].offset;
		told.mem_align = cases[i].mem;
		open_well(&f, &conf);
		told.on = false;
		if (f.direct) {
			ck_assert_uint_eq(f.logical_block_bytes,
					  cases[i].block);
			ck_assert_uint_eq(f.dma_align_bytes, cases[i].dma);
		}
		ublkev__fileopen_close(&f);
	}
	conf.flags |= UBLKEV_FILE_BUFFERED;
	open_well(&f, &conf);
	ck_assert_uint_eq(f.dma_align_bytes, 0);
	ublkev__fileopen_close(&f);
}
END_TEST

START_TEST(whole_file)
{
	struct ublkev_file_conf conf = conf_of(0, 0);
	struct ublkev__fileopen f;

	make(3 * MIB + 100);
	open_well(&f, &conf);
	ck_assert_uint_eq(f.dev_bytes, 3 * MIB);
	ck_assert_uint_eq(f.offset_bytes, 0);
	ck_assert(!f.is_block && !f.made);
	ck_assert_uint_ge(f.logical_block_bytes, 512);
	ck_assert_uint_ge(f.physical_block_bytes, f.logical_block_bytes);
	ck_assert_uint_ge(f.discard_granularity_bytes, f.logical_block_bytes);
	ublkev__fileopen_close(&f);
	ck_assert_int_eq(stat_of().st_size, 3 * MIB + 100);
}
END_TEST

START_TEST(part_of_file)
{
	struct ublkev_file_conf conf = conf_of(MIB, 0);
	struct ublkev__fileopen f;

	conf.offset_bytes = MIB;
	make(3 * MIB);
	open_well(&f, &conf);
	ck_assert_uint_eq(f.dev_bytes, MIB);
	ck_assert_uint_eq(f.offset_bytes, MIB);
	ublkev__fileopen_close(&f);
	conf.dev_bytes = 0;
	open_well(&f, &conf);
	ck_assert_uint_eq(f.dev_bytes, 2 * MIB);
	ublkev__fileopen_close(&f);
}
END_TEST

START_TEST(too_short)
{
	make(MIB + 511);
	ck_assert_int_eq(try_open(2 * MIB, 0), -EOVERFLOW);
	/* it has something in it: not to be made anew */
	ck_assert_int_eq(try_open(2 * MIB, UBLKEV_FILE_CREATE), -EOVERFLOW);
	ck_assert_int_eq(stat_of().st_size, MIB + 511);
	ck_assert_int_eq(truncate(path, 511), 0);
	ck_assert_int_eq(try_open(0, 0), -ENODATA);
	ck_assert_int_eq(truncate(path, 0), 0);
	ck_assert_int_eq(try_open(0, 0), -ENODATA);
	ck_assert_int_eq(stat_of().st_size, 0);
}
END_TEST

START_TEST(odd_sizes)
{
	struct ublkev_file_conf conf = conf_of(MIB, UBLKEV_FILE_BUFFERED);

	make(3 * MIB);
	conf.logical_block_bytes = 4096;
	ck_assert_int_eq(try_conf(&conf), 0);
	conf.offset_bytes = 512;
	ck_assert_int_eq(try_conf(&conf), -EINVAL);
	conf.offset_bytes = 0;
	conf.dev_bytes = MIB + 512;
	ck_assert_int_eq(try_conf(&conf), -EINVAL);
	conf.logical_block_bytes = 512;
	ck_assert_int_eq(try_conf(&conf), 0);
}
END_TEST

/* O_DIRECT where it can be had, and not when it was not wanted */
START_TEST(ways)
{
	struct ublkev_file_conf conf = conf_of(0, UBLKEV_FILE_BUFFERED);
	struct ublkev__fileopen f;

	make(MIB);
	open_well(&f, &conf);
	ck_assert(!f.direct);
	ck_assert_uint_eq(f.logical_block_bytes, 512);
	ublkev__fileopen_close(&f);
	/* no block of O_DIRECT ends there */
	conf.flags = 0;
	conf.offset_bytes = 100;
	ck_assert_int_eq(try_conf(&conf), -EINVAL);
}
END_TEST

/* ---- made --------------------------------------------------------------- */

static const uint32_t ways_to_make[] = {
	UBLKEV_FILE_CREATE, UBLKEV_FILE_CREATE | UBLKEV_FILE_THIN,
};

START_TEST(made)
{
	struct ublkev_file_conf conf = conf_of(2 * MIB, ways_to_make[_i]);
	struct ublkev__fileopen f;

	open_well(&f, &conf);
	ck_assert(f.made);
	ck_assert_uint_eq(f.dev_bytes, 2 * MIB);
	ublkev__fileopen_close(&f);
	ck_assert_int_eq(stat_of().st_size, 2 * MIB);
	ck_assert_int_eq(stat_of().st_mode & 0777, 0600);
	if (conf.flags & UBLKEV_FILE_THIN)
		ck_assert_int_eq(stat_of().st_blocks, 0);
	else
		ck_assert_int_ge(stat_of().st_blocks, 2 * MIB / 512);
	/* it is there now */
	open_well(&f, &conf);
	ck_assert(!f.made);
	ublkev__fileopen_close(&f);
}
END_TEST

static enum ublkev_file_was backend_was(uint32_t flags)
{
	struct ublkev_file_conf conf = conf_of(MIB, flags);
	enum ublkev_file_was was;
	struct ublkev_backend *b;

	ck_assert_int_eq(ublkev_file_new(&b, path, &conf), 0);
	was = ublkev_file_was(b);
	ublkev_backend_free(b);
	return was;
}

/* what a server that never came to serve has to undo */
START_TEST(was_is_told)
{
	struct ublkev_backend *null;

	ck_assert_int_eq(backend_was(UBLKEV_FILE_CREATE),
			 UBLKEV_FILE_WAS_MISSING);
	ck_assert_int_eq(backend_was(UBLKEV_FILE_CREATE),
			 UBLKEV_FILE_WAS_THERE);
	ck_assert_int_eq(backend_was(0), UBLKEV_FILE_WAS_THERE);
	ck_assert_int_eq(truncate(path, 0), 0);
	ck_assert_int_eq(backend_was(UBLKEV_FILE_CREATE),
			 UBLKEV_FILE_WAS_EMPTY);
	ck_assert_int_eq(ublkev_null_new(&null, NULL), 0);
	ck_assert_int_eq(ublkev_file_was(null), UBLKEV_FILE_WAS_THERE);
	ublkev_backend_free(null);
}
END_TEST

/* it is not there to be opened, and is to be made */
START_TEST(link_to_nowhere)
{
	ck_assert_int_eq(symlink("nowhere", path), 0);
	ck_assert_int_eq(try_open(MIB, UBLKEV_FILE_CREATE), -EEXIST);
	ck_assert_int_eq(try_open(MIB, 0), -ENOENT);
}
END_TEST

/* mktemp(1) made it */
START_TEST(empty_is_made)
{
	make(0);
	ck_assert_int_eq(try_open(MIB, UBLKEV_FILE_CREATE), 0);
	ck_assert_int_eq(stat_of().st_size, MIB);
}
END_TEST

START_TEST(not_made)
{
	struct ublkev_file_conf conf = conf_of(MIB, UBLKEV_FILE_CREATE);
	struct stat st;

	ck_assert_int_eq(try_open(MIB, 0), -ENOENT);
	conf.offset_bytes = 100;
	ck_assert_int_eq(try_conf(&conf), -EINVAL);
	/* no file system has so much */
	conf.offset_bytes = 0;
	conf.dev_bytes = UINT64_C(1) << 60;
	ck_assert_int_lt(try_conf(&conf), 0);
	ck_assert_int_eq(stat(path, &st), -1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* what was empty is so again, even if it was filled before that was known */
START_TEST(not_filled)
{
	struct ublkev_file_conf conf = conf_of(MIB, UBLKEV_FILE_CREATE);

	make(0);
	conf.offset_bytes = 100;
	ck_assert_int_eq(try_conf(&conf), -EINVAL);
	ck_assert_int_eq(stat_of().st_size, 0);
	ck_assert_int_eq(stat_of().st_blocks, 0);
}
END_TEST

/* ---- files that are none ------------------------------------------------- */

START_TEST(no_disk)
{
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(try_open(0, 0), -ENOTBLK);
	ck_assert_int_eq(try_open(0, UBLKEV_FILE_READ_ONLY), -ENOTBLK);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(try_open(0, 0), -EISDIR);
	ck_assert_int_eq(try_open(0, UBLKEV_FILE_READ_ONLY), -EISDIR);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(symlink("/dev/null", path), 0);
	ck_assert_int_eq(try_open(0, 0), -ENOTBLK);
}
END_TEST

START_TEST(fd_of_reader)
{
	struct ublkev_file_conf conf = conf_of(0, 0);

	make(MIB);
	conf.fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(try_conf(&conf), -EACCES);
	conf.flags = UBLKEV_FILE_READ_ONLY;
	ck_assert_int_eq(try_conf(&conf), 0);
	close(conf.fd);
	ck_assert_int_eq(try_conf(&conf), -EBADF);
}
END_TEST

/* ---- the lock ------------------------------------------------------------- */

START_TEST(locked)
{
	struct ublkev_file_conf conf = conf_of(0, 0);
	struct ublkev__fileopen f;

	make(MIB);
	open_well(&f, &conf);
	ck_assert_int_eq(try_open(0, 0), -EBUSY);
	ck_assert_int_eq(try_open(0, UBLKEV_FILE_READ_ONLY), -EBUSY);
	/* whoever is handed the descriptor has the lock too */
	conf.fd = f.fd;
	ck_assert_int_eq(try_conf(&conf), 0);
	ck_assert_int_eq(try_open(0, 0), -EBUSY);
	ublkev__fileopen_close(&f);
	ck_assert_int_eq(try_open(0, 0), 0);
}
END_TEST

START_TEST(readers)
{
	struct ublkev_file_conf conf = conf_of(0, UBLKEV_FILE_READ_ONLY);
	struct ublkev__fileopen f;

	make(MIB);
	ck_assert_int_eq(chmod(path, 0400), 0);
	open_well(&f, &conf);
	ck_assert_int_eq(fcntl(f.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	ck_assert_int_eq(try_open(0, UBLKEV_FILE_READ_ONLY), 0);
	ck_assert_int_eq(chmod(path, 0600), 0);
	ck_assert_int_eq(try_open(0, 0), -EBUSY);
	ublkev__fileopen_close(&f);
}
END_TEST

/* what another process serves from is not set otherwise under it */
START_TEST(handed_on)
{
	struct ublkev_file_conf conf = conf_of(0, UBLKEV_FILE_BUFFERED);
	struct ublkev__fileopen f, next;

	make(MIB);
	open_well(&f, &conf);
	conf.fd = f.fd;
	conf.flags = 0;
	open_well(&next, &conf);
	ck_assert(!next.direct);
	ck_assert(!(fcntl(f.fd, F_GETFL) & O_DIRECT));
	ublkev__fileopen_close(&next);
	ublkev__fileopen_close(&f);
}
END_TEST

/* ---- longer ------------------------------------------------------------- */

START_TEST(lengthened)
{
	struct ublkev_file_conf conf = conf_of(MIB, 0);
	struct ublkev__fileopen f;

	conf.offset_bytes = MIB;
	make(2 * MIB);
	open_well(&f, &conf);
	ck_assert_int_eq(ublkev__fileopen_lengthen(&f, 2 * MIB), 0);
	ck_assert_int_eq(stat_of().st_size, 3 * MIB);
	ck_assert_int_eq(ublkev__fileopen_lengthen(&f, MIB), 0);
	ck_assert_int_eq(stat_of().st_size, 3 * MIB);
	ublkev__fileopen_close(&f);
}
END_TEST

/* no more of the file than that, in whole blocks, and no growth beyond it */
START_TEST(limited_part)
{
	struct ublkev_file_conf conf = conf_of(0, 0);
	struct ublkev__fileopen f;

	make(4 * MIB);
	conf.offset_bytes = MIB;
	conf.limit_bytes = 2 * MIB + 5000;
	conf.logical_block_bytes = 4096;
	open_well(&f, &conf);
	ck_assert_uint_eq(f.dev_bytes, 2 * MIB + 4096);
	ck_assert_int_eq(ublkev__fileopen_lengthen(&f, 2 * MIB + 4096), 0);
	ck_assert_int_eq(ublkev__fileopen_lengthen(&f, 2 * MIB + 8192),
			 -ENOSPC);
	ck_assert_int_eq(stat_of().st_size, 4 * MIB);
	ublkev__fileopen_close(&f);
	/* of a shorter one all that there is */
	conf.limit_bytes = 8 * MIB;
	open_well(&f, &conf);
	ck_assert_uint_eq(f.dev_bytes, 3 * MIB);
	ck_assert_int_eq(ublkev__fileopen_lengthen(&f, 8 * MIB), 0);
	ck_assert_int_eq(stat_of().st_size, 9 * MIB);
	ublkev__fileopen_close(&f);
	/* less than a block is no disk */
	conf.limit_bytes = 4095;
	ck_assert_int_eq(try_conf(&conf), -ENODATA);
}
END_TEST

/* in a process of its own, whose end would be a signal */
static int beyond_limit(void)
{
	const struct rlimit limit = { 2 * MIB, 2 * MIB };
	struct ublkev_file_conf conf = conf_of(MIB, 0);
	struct ublkev__fileopen f;

	if (setrlimit(RLIMIT_FSIZE, &limit) ||
	    ublkev__fileopen(&f, path, &conf))
		return 1;
	if (ublkev__fileopen_lengthen(&f, 2 * MIB + 512) != -EFBIG)
		return 2;
	ublkev__fileopen_close(&f);
	/* every write to its end would end us */
	if (try_open(3 * MIB, 0) != -EFBIG)
		return 3;
	if (try_open(3 * MIB, UBLKEV_FILE_READ_ONLY))
		return 4;
	if (unlink(path) || try_open(3 * MIB, UBLKEV_FILE_CREATE) != -EFBIG)
		return 5;
	return 0;
}

START_TEST(limited)
{
	int status;
	pid_t pid;

	make(3 * MIB);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		_exit(beyond_limit());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	make(0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fileopen");
	TCase *tc = tcase_create("fileopen");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, direct_alignment);
	tcase_add_test(tc, whole_file);
	tcase_add_test(tc, part_of_file);
	tcase_add_test(tc, too_short);
	tcase_add_test(tc, odd_sizes);
	tcase_add_test(tc, ways);
	tcase_add_loop_test(tc, made, 0, TEST_COUNT(ways_to_make));
	tcase_add_test(tc, was_is_told);
	tcase_add_test(tc, link_to_nowhere);
	tcase_add_test(tc, empty_is_made);
	tcase_add_test(tc, not_made);
	tcase_add_test(tc, not_filled);
	tcase_add_test(tc, no_disk);
	tcase_add_test(tc, fd_of_reader);
	tcase_add_test(tc, locked);
	tcase_add_test(tc, readers);
	tcase_add_test(tc, handed_on);
	tcase_add_test(tc, lengthened);
	tcase_add_test(tc, limited_part);
	tcase_add_test(tc, limited);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
