/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a child of its own finds out about a disk's holders: who names it in a
 * file of a driver's, has it mapped, or has claimed it. open() and the clock are
 * ours (ld --wrap).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "holders_kit.h"

/* what the clock says too much */
static double later_s;

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int ret = __real_clock_gettime(id, ts);

	ts->tv_sec += (time_t)later_s;
	return ret;
}

/* what leaves no link in holders/ */
START_TEST(backed)
{
	static const char ns[] = "/sys/kernel/config/nvmet/subsystems/a/"
		"namespaces/1/device_path";

	proctree_file(hk_root, "sys/class/block/zram0/backing_dev", "none\n");
	proctree_file(hk_root, "sys/class/block/zram1/backing_dev",
		      "/dev/ublkb7\n");
	proctree_file(hk_root, ns + 1, "/dev/ublkb7p1\n");
	hk_scan(100);
	ck_assert_uint_eq(holders_count(hk_holders), 2);
	ck_assert_uint_eq(hk_count(HOLDER_STACKED, 0,
				"/sys/class/block/zram1/backing_dev"), 1);
	ck_assert_uint_eq(hk_count(HOLDER_STACKED, 0, ns), 1);
	ck_assert(hk_says("zram1/backing_dev is made of it"));
}
END_TEST

START_TEST(mapped)
{
	proctree_pid(hk_root, 10, "mapper", 100, ROOTFS);
	proctree_file(hk_root, "proc/10/maps",
		      "7f00-7f10 r--p 00000000 fe:00 42       /lib/libc.so\n"
		      "7f20-7f30 rw-p 00000000 00:00 0 \n"
		      "7f30-7f40 rw-s 00000000 00:06 99       /dev/ublkb7\n");
	/* of a file on it: 259:8 */
	proctree_pid(hk_root, 11, "keeper", 100, ROOTFS);
	proctree_file(hk_root, "proc/11/maps",
		      "7f00-7f10 rw-s 00000000 103:08 42      /gone (deleted)\n");
	proctree_pid(hk_root, 12, "other", 100, ROOTFS);
	proctree_file(hk_root, "proc/12/maps",
		      "7f00-7f10 rw-s 00000000 00:06 42       /dev/ublkb70\n");
	proctree_file(hk_root, "proc/5/maps",
		      "7f30-7f40 rw-s 00000000 00:06 99       /dev/ublkb7\n");
	hk_scan(100);
	ck_assert_uint_eq(holders_count(hk_holders), 2);
	ck_assert_uint_eq(hk_count(HOLDER_MAPPED, 10, "/dev/ublkb7"), 1);
	ck_assert_uint_eq(hk_count(HOLDER_MAPPED, 11, "/gone (deleted)"), 1);
	ck_assert(hk_says("pid 10 (mapper) has /dev/ublkb7 mapped"));
}
END_TEST

/* who was named as its user is not named once more */
START_TEST(mapped_by_a_user)
{
	proctree_pid(hk_root, 10, "vi", 200,
		     "30 22 259:7 / /mnt rw - ext4 /dev/x rw\n");
	proctree_link(hk_root, "proc/10/cwd", "/mnt/dir");
	proctree_file(hk_root, "proc/10/maps",
		      "7f00-7f10 rw-s 00000000 103:07 42      /mnt/file\n");
	hk_scan(100);
	ck_assert_uint_eq(holders_count(hk_holders), 2);
	ck_assert_uint_eq(hk_count(HOLDER_USER, 10, "/mnt/dir"), 1);
}
END_TEST

/* what the kernel answers to an exclusive open of the node */
static int excl_errno;
static int excl_hangs;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	if (!(flags & O_EXCL))
		return __real_open(path, flags);
	while (excl_hangs)
		pause();
	errno = excl_errno;
	return excl_errno ? -1 : __real_open("/dev/null", O_RDONLY);
}

/* as _FILE_OFFSET_BITS=64 calls it */
int __wrap_open64(const char *path, int flags, ...)
	__attribute__((alias("__wrap_open")));

static int make_node(void)
{
	char node[512];

	proctree_dir(hk_root, "dev");
	snprintf(node, sizeof(node), "%s/dev/ublkb7", hk_root);
	if (!mknod(node, S_IFBLK | 0600, makedev(259, 7)))
		return 1;
	printf("no right to mknod, left out\n");
	return 0;
}

START_TEST(exclusive)
{
	if (!make_node())
		return;
	excl_errno = 0;
	hk_scan(100);
	ck_assert_uint_eq(holders_count(hk_holders), 0);
	excl_errno = EACCES;
	hk_scan(100);
	ck_assert_uint_eq(holders_count(hk_holders), 0);
	excl_errno = EBUSY;
	hk_scan(100);
	ck_assert_uint_eq(holders_count(hk_holders), 1);
	ck_assert_uint_eq(hk_count(HOLDER_UNNAMED, 0, "/dev/ublkb7"), 1);
	/* who only has it open does not explain that */
	excl_errno = EBUSY;
	proctree_pid(hk_root, 10, "dd", 100, ROOTFS);
	proctree_file(hk_root, "proc/10/maps",
		      "7f30-7f40 rw-s 00000000 00:06 99       /dev/ublkb7\n");
	hk_scan(100);
	ck_assert_uint_eq(hk_count(HOLDER_UNNAMED, 0, "/dev/ublkb7"), 1);
	/* who claims it does */
	proctree_link(hk_root, "sys/class/block/ublkb7/holders/dm-0", "x");
	hk_scan(100);
	ck_assert_uint_eq(hk_count(HOLDER_UNNAMED, 0, "/dev/ublkb7"), 0);
	ck_assert_uint_eq(hk_count(HOLDER_STACKED, 0, "dm-0"), 1);
}
END_TEST

/* the node of that name is another device's: its holders are not ours */
START_TEST(not_its_node)
{
	char node[512];

	proctree_dir(hk_root, "dev");
	snprintf(node, sizeof(node), "%s/dev/ublkb7", hk_root);
	if (mknod(node, S_IFBLK | 0600, makedev(259, 99)))
		return;
	excl_errno = EBUSY;
	hk_scan(100);
	ck_assert_uint_eq(holders_count(hk_holders), 0);
}
END_TEST

/* the process that asks holds nothing open that others wait for the end of */
static void awaits_eof(const int p[2])
{
	char c;

	ck_assert_int_eq(close(p[1]), 0);
	ck_assert_int_eq(read(p[0], &c, 1), 0);
	close(p[0]);
}

/* nor is it left behind, which this would wait for */
static void awaits_end(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		;
	ck_assert_int_eq(errno, ECHILD);
}

/* who cannot open it waits for somebody who does something with it */
START_TEST(open_hangs)
{
	int p[2], ret;

	if (!make_node())
		return;
	excl_hangs = 1;
	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(holders_new(&hk_holders, hk_root, 7, SELF), 0);
	while (holders_pause(hk_holders) == 0)
		ck_assert_int_eq(holders_step(hk_holders, 100), 1);
	awaits_eof(p);
	/* a second passes with each look */
	while ((ret = holders_step(hk_holders, 100)) == 1) {
		usleep((useconds_t)(holders_pause(hk_holders) * 1e6));
		later_s++;
	}
	ck_assert_int_eq(ret, 0);
	ck_assert_uint_eq(holders_count(hk_holders), 1);
	ck_assert_int_eq(holders_at(hk_holders, 0)->kind, HOLDER_UNNAMED);
	awaits_end();
}
END_TEST

START_TEST(only_look)
{
	if (!make_node())
		return;
	excl_errno = EBUSY;
	ck_assert_int_eq(holders_new(&hk_holders, hk_root, 7, SELF), 0);
	holders_look_only(hk_holders);
	while (holders_step(hk_holders, 1) == 1)
		ck_assert_double_eq(holders_pause(hk_holders), 0);
	ck_assert_uint_eq(holders_count(hk_holders), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("holders_asked");
	TCase *t = tcase_create("holders_asked");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, hk_set_up, hk_tear_down);
	tcase_add_test(t, backed);
	tcase_add_test(t, mapped);
	tcase_add_test(t, mapped_by_a_user);
	tcase_add_test(t, exclusive);
	tcase_add_test(t, not_its_node);
	tcase_add_test(t, open_hangs);
	tcase_add_test(t, only_look);
	return test_main(s);
}
