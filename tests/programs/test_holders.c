/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who holds a device open, mounts it or stands on it, told from a tree of /proc
 * and /sys that the test makes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "holders_kit.h"


/*
 * However few files it may open, it finds who holds the disk, or says that it
 * could not look: it never says that nobody does.
 */
START_TEST(few_files)
{
	struct rlimit few, all;
	unsigned int seen = 0, n;
	int ret, first;

	proctree_pid(hk_root, 10, "bash", 200,
		     "30 22 259:7 / /mnt rw - ext4 /dev/x rw\n");
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &all), 0);
	first = dup(0);
	ck_assert_int_ge(first, 0);
	close(first);
	for (n = 0; n < 8; n++) {
		few = all;
		few.rlim_cur = (rlim_t)first + n;
		holders_free(hk_holders);
		hk_holders = NULL;
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
		ret = holders_new(&hk_holders, hk_root, 7, SELF);
		while (!ret && (ret = holders_step(hk_holders, 3)) == 1)
			ret = 0;
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &all), 0);
		if (!ret)
			seen++;
		else
			ck_assert_int_eq(ret, -EMFILE);
		ck_assert(ret || holders_count(hk_holders));
	}
	ck_assert_uint_gt(seen, 0);
	ck_assert_uint_lt(seen, n);
}
END_TEST

START_TEST(nobody)
{
	hk_scan(1);
	ck_assert_uint_eq(holders_count(hk_holders), 0);
}
END_TEST

START_TEST(no_device)
{
	holders_free(hk_holders);
	proctree_remove(hk_root);
	hk_root = proctree_new();
	proctree_pid(hk_root, 1, "init", 100,
		     "30 22 259:7 / /mnt rw - ext4 /dev/other rw\n");
	hk_scan(100);
	ck_assert_uint_eq(holders_count(hk_holders), 0);
}
END_TEST

START_TEST(no_proc)
{
	ck_assert_int_eq(holders_new(&hk_holders, "/nonexistent", 7, SELF), -ENOENT);
}
END_TEST

START_TEST(mounts)
{
	char line[256];

	proctree_pid(hk_root, 10, "bash", 200, ROOTFS
		     "30 22 259:7 / /mnt\\040x rw shared:1 - ext4 /dev/x rw\n"
		     "31 22 259:8 / /part rw - xfs /dev/y rw\n"
		     "32 22 0:44 / /btr rw a:1 b:2 - btrfs /dev/ublkb7p1 rw\n"
		     "33 22 259:70 / /no rw - ext4 /dev/ublkb70 rw\n"
		     "34 22 0:45 / /no2 rw - ext4 /dev/ublkb7px rw\n"
		     "broken\n\n35 - \n");
	/* the same namespace is read once */
	proctree_pid(hk_root, 11, "sh", 200, "30 22 259:7 / /again rw - e e\n");
	/* this process sees mounts too */
	proctree_pid(hk_root, SELF, "self", 300,
		     "40 22 259:7 / /mine rw - ext4 /dev/x rw\n");
	hk_scan(3);
	/* either pid of the namespace may come first in the directory */
	if (holders_count(hk_holders) == 2) {
		ck_assert_uint_eq(hk_count(HOLDER_MOUNT, 11, "/again"), 1);
	} else {
		ck_assert_uint_eq(holders_count(hk_holders), 4);
		ck_assert_uint_eq(hk_count(HOLDER_MOUNT, 10, "/mnt x"), 1);
		ck_assert_uint_eq(hk_count(HOLDER_MOUNT, 10, "/part"), 1);
		ck_assert_uint_eq(hk_count(HOLDER_MOUNT, 10, "/btr"), 1);
	}
	ck_assert_uint_eq(hk_count(HOLDER_OWN_MOUNT, SELF, "/mine"), 1);
	holder_text(line, sizeof(line), holders_at(hk_holders, 0));
	ck_assert_ptr_nonnull(strstr(line, "mounted on /"));
}
END_TEST

/* a mount that the end of this process would have to undo */
START_TEST(own_mount)
{
	char line[256];
	unsigned int i;

	proctree_pid(hk_root, SELF, "self", 300,
		     "40 22 259:7 / /mine rw - ext4 /dev/x rw\n");
	proctree_pid(hk_root, 10, "bash", 200,
		     "40 22 259:7 / /theirs rw - ext4 /dev/x rw\n");
	proctree_pid(hk_root, 11, "vi", 300,
		     "40 22 259:7 / /mine rw - ext4 /dev/x rw\n");
	proctree_link(hk_root, "proc/11/cwd", "/mine/dir");
	hk_scan(3);
	/* either of the two that see it may have told of it */
	ck_assert_uint_eq(hk_count(HOLDER_OWN_MOUNT, SELF, "/mine") +
			  hk_count(HOLDER_OWN_MOUNT, 11, "/mine"), 1);
	ck_assert_uint_eq(hk_count(HOLDER_MOUNT, 10, "/theirs"), 1);
	for (i = 0; i < holders_count(hk_holders); i++) {
		if (holders_at(hk_holders, i)->kind != HOLDER_OWN_MOUNT)
			continue;
		holder_text(line, sizeof(line), holders_at(hk_holders, i));
		ck_assert_ptr_nonnull(strstr(line, "waits for itself"));
		ck_assert_ptr_nonnull(strstr(line, "umount /mine"));
	}
}
END_TEST

/* the namespace of process 1 outlives us; so it does if we may not know it */
START_TEST(not_own_mount)
{
	const char *mount = "40 22 259:7 / /mine rw - ext4 /dev/x rw\n";
	unsigned int i;

	proctree_pid(hk_root, SELF, "self", _i ? 300 : 100, mount);
	if (_i)
		proctree_link(hk_root, "proc/1/ns/mnt", "none");
	proctree_file(hk_root, "proc/1/mountinfo", mount);
	hk_scan(3);
	ck_assert_uint_eq(holders_count(hk_holders), _i ? 2 : 1);
	for (i = 0; i < holders_count(hk_holders); i++)
		ck_assert_int_eq(holders_at(hk_holders, i)->kind, HOLDER_MOUNT);
}
END_TEST

/* processes that have nothing to do with it, in whatever order all are listed */
static void crowd(int first_pid, int ns, const char *mountinfo,
		  const char *file)
{
	char path[64];
	int pid;

	for (pid = first_pid; pid < first_pid + 4; pid++) {
		proctree_pid(hk_root, pid, "crowd", ns, mountinfo ? mountinfo : "");
		snprintf(path, sizeof(path), "proc/%d/fd/3", pid);
		if (file)
			proctree_link(hk_root, path, file);
		snprintf(path, sizeof(path), "%s/proc/%d/mountinfo", hk_root, pid);
		if (!mountinfo)
			ck_assert_int_eq(unlink(path), 0);
	}
}

/* whose mounts can't be read any more: another of the namespace has them, too */
START_TEST(mounts_of_the_dead)
{
	crowd(30, 200, NULL, NULL);
	proctree_pid(hk_root, 10, "vi", 200,
		     "30 22 259:7 / /mnt rw - ext4 /dev/x rw\n");
	crowd(40, 200, NULL, NULL);
	hk_scan(3);
	ck_assert_uint_eq(holders_count(hk_holders), 1);
	ck_assert_uint_eq(hk_count(HOLDER_MOUNT, 10, "/mnt"), 1);
}
END_TEST

START_TEST(users)
{
	crowd(30, 201, ROOTFS, "/mnt/file");
	proctree_pid(hk_root, 10, "vi", 200,
		     "30 22 259:7 / /mnt rw - ext4 /dev/x rw\n");
	proctree_link(hk_root, "proc/10/cwd", "/mnt/dir");
	proctree_link(hk_root, "proc/10/fd/3", "/mnt/file");
	/* another namespace's /mnt, and only a name that begins so */
	proctree_pid(hk_root, 11, "cat", 201, ROOTFS);
	proctree_link(hk_root, "proc/11/fd/3", "/mnt/file");
	proctree_pid(hk_root, 12, "cat", 200,
		     "30 22 259:7 / /mnt rw - ext4 /dev/x rw\n");
	proctree_link(hk_root, "proc/12/fd/3", "/mnt2/file");
	proctree_link(hk_root, "proc/12/fd/4", "socket:[1]");
	crowd(40, 201, ROOTFS, "/mnt/file");
	hk_scan(2);
	ck_assert_uint_eq(hk_count(HOLDER_USER, 10, "/mnt/dir"), 1);
	ck_assert_uint_eq(holders_count(hk_holders), 2);
}
END_TEST

START_TEST(swap_and_stacked)
{
	char line[256];

	proctree_file(hk_root, "proc/swaps", "Filename\tType\n"
		      "/dev/vda2 partition 1 0 -2\n"
		      "/dev/ublkb7p1   partition\t5 0 -3\n");
	proctree_link(hk_root, "sys/class/block/ublkb7/holders/dm-0", "x");
	proctree_link(hk_root, "sys/class/block/ublkb7/ublkb7p1/holders/md1",
		      "x");
	proctree_file(hk_root, "sys/class/block/loop3/loop/backing_file",
		      "/dev/ublkb7\n");
	proctree_file(hk_root, "sys/class/block/loop4/loop/backing_file",
		      "/tmp/file\n");
	hk_scan(100);
	ck_assert_uint_eq(holders_count(hk_holders), 4);
	ck_assert_uint_eq(hk_count(HOLDER_SWAP, 0, "/dev/ublkb7p1"), 1);
	ck_assert_uint_eq(hk_count(HOLDER_STACKED, 0, "dm-0"), 1);
	ck_assert_uint_eq(hk_count(HOLDER_STACKED, 0, "md1"), 1);
	ck_assert_uint_eq(hk_count(HOLDER_STACKED, 0, "loop3"), 1);
	holder_text(line, sizeof(line), holders_at(hk_holders, 0));
	ck_assert_ptr_nonnull(strstr(line, "/dev/ublkb7") ?:
			      strstr(line, "dm-0"));
}
END_TEST

static void open_node(int pid, const char *comm, const char *node)
{
	char path[64];

	proctree_pid(hk_root, pid, comm, 100, "");
	snprintf(path, sizeof(path), "proc/%d/fd/5", pid);
	proctree_link(hk_root, path, node);
	snprintf(path, sizeof(path), "proc/%d/fd/6", pid);
	proctree_link(hk_root, path, node);
}

START_TEST(open_nodes)
{
	char node[512], other[512], chars[512], line[700];

	snprintf(node, sizeof(node), "%s/ublkb7p1", hk_root);
	snprintf(other, sizeof(other), "%s/ublkb8", hk_root);
	snprintf(chars, sizeof(chars), "%s/ublkb9", hk_root);
	if (mknod(node, S_IFBLK | 0600, makedev(259, 8)) ||
	    mknod(other, S_IFBLK | 0600, makedev(259, 99)) ||
	    mknod(chars, S_IFCHR | 0600, makedev(259, 8))) {
		printf("open_nodes: no right to mknod, left out\n");
		return;
	}
	open_node(20, "fio", node);
	open_node(21, "(udev-worker)", node);
	open_node(22, "dd", other);
	open_node(23, "chars", chars);
	open_node(SELF, "self", node);
	hk_scan(1);
	ck_assert_uint_eq(holders_count(hk_holders), 2);
	ck_assert_uint_eq(hk_count(HOLDER_OPEN, 20, node), 1);
	ck_assert_uint_eq(hk_count(HOLDER_UDEV, 21, node), 1);
	holder_text(line, sizeof(line), holders_at(hk_holders, 0));
	ck_assert_ptr_nonnull(strstr(line, "ublkb7p1 open"));
}
END_TEST

/* mountinfo names the first device of a btrfs only, and no journal */
START_TEST(filesystems)
{
	proctree_link(hk_root, "sys/fs/btrfs/1-2-3/devices/vdb", "x");
	proctree_link(hk_root, "sys/fs/btrfs/1-2-3/devices/ublkb7p1", "x");
	proctree_link(hk_root, "sys/fs/btrfs/4-5-6/devices/ublkb70", "x");
	proctree_dir(hk_root, "sys/fs/btrfs/features");
	proctree_dir(hk_root, "proc/fs/jbd2/ublkb7");
	proctree_dir(hk_root, "proc/fs/jbd2/ublkb7p1-8");
	proctree_dir(hk_root, "proc/fs/jbd2/ublkb70-8");
	proctree_dir(hk_root, "sys/fs/ext4/ublkb70");
	hk_scan(100);
	ck_assert_uint_eq(holders_count(hk_holders), 3);
	ck_assert_uint_eq(hk_count(HOLDER_FS, 0, "journal ublkb7p1"), 1);
	ck_assert_uint_eq(hk_count(HOLDER_FS, 0, "btrfs 1-2-3"), 1);
	ck_assert_uint_eq(hk_count(HOLDER_FS, 0, "journal ublkb7"), 1);
	/* one that was unmounted lazily, while a file keeps it */
	proctree_dir(hk_root, "sys/fs/xfs/ublkb7p1");
	hk_scan(100);
	ck_assert_uint_eq(hk_count(HOLDER_FS, 0, "xfs on ublkb7p1"), 1);
	/* and one that has a mount, which says more */
	proctree_file(hk_root, "proc/1/mountinfo",
		      "30 22 259:7 / /mnt rw - ext4 /dev/x rw\n");
	hk_scan(100);
	ck_assert_uint_eq(holders_count(hk_holders), 1);
	ck_assert_uint_eq(hk_count(HOLDER_MOUNT, 1, "/mnt"), 1);
}
END_TEST

START_TEST(external_log)
{
	proctree_file(hk_root, "proc/1/mountinfo", "30 22 254:3 / /x rw - xfs "
		      "/dev/vdc rw,attr2,logdev=/dev/ublkb7p1,noquota\n"
		      "31 22 254:4 / /y rw - xfs /dev/vdd "
		      "rw,logdev=/dev/ublkb70\n");
	hk_scan(100);
	ck_assert_uint_eq(holders_count(hk_holders), 1);
	ck_assert_uint_eq(hk_count(HOLDER_MOUNT, 1, "/x"), 1);
}
END_TEST

/* names that others chose, on their way to hk_root's terminal */
START_TEST(hostile_names)
{
	proctree_pid(hk_root, 10, "a\033[2J\nb", 200,
		     "30 22 259:7 / /m\\033]0;x\\012ublkb0:\\134\xff rw - ext4 /dev/x "
		     "rw\n");
	proctree_link(hk_root, "proc/10/cwd", "/m\033]0;x\nublkb0:\\\xff/d");
	hk_scan(3);
	ck_assert_uint_eq(hk_count(HOLDER_MOUNT, 10, "/m\033]0;x\nublkb0:\\\xff"),
			  1);
	/* the path below it is the same without octal digits */
	ck_assert_uint_eq(hk_count(HOLDER_USER, 10,
				"/m\033]0;x\nublkb0:\\\xff/d"), 1);
	ck_assert(hk_says("mounted on /m\\x1b]0;x\\x0aublkb0:\\\\xff, seen by pid "
		       "10 (a\\x1b[2J\\x0ab)"));
	ck_assert(!hk_says("\033") && !hk_says("\n"));
}
END_TEST

START_TEST(freed_half_way)
{
	proctree_pid(hk_root, 10, "vi", 200, ROOTFS);
	proctree_link(hk_root, "proc/10/fd/3", "/mnt/file");
	proctree_link(hk_root, "proc/10/fd/4", "/mnt/file");
	ck_assert_int_eq(holders_new(&hk_holders, hk_root, 7, SELF), 0);
	ck_assert_int_eq(holders_step(hk_holders, 1), 1);
	ck_assert_int_eq(holders_step(hk_holders, 9), 1);
}
END_TEST

/* the real thing; says what a slice takes */
START_TEST(this_machine)
{
	struct timespec a, b;
	double us, worst = 0, all = 0;
	int ret, slices = 0;

	ck_assert_int_eq(holders_new(&hk_holders, "", (1 << 20) - 1, getpid()), 0);
	do {
		clock_gettime(CLOCK_MONOTONIC, &a);
		ret = holders_step(hk_holders, 32);
		clock_gettime(CLOCK_MONOTONIC, &b);
		us = (double)(b.tv_sec - a.tv_sec) * 1e6 +
		     (double)(b.tv_nsec - a.tv_nsec) / 1e3;
		worst = us > worst ? us : worst;
		all += us;
		slices++;
		usleep((useconds_t)(holders_pause(hk_holders) * 1e6));
	} while (ret == 1);
	ck_assert_int_eq(ret, 0);
	ck_assert_uint_eq(holders_count(hk_holders), 0);
	printf("this_machine: %d slices, %.0f us each, %.0f us at worst\n",
	       slices, all / slices, worst);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("holders");
	TCase *t = tcase_create("holders");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, hk_set_up, hk_tear_down);
	tcase_add_test(t, nobody);
	tcase_add_test(t, few_files);
	tcase_add_test(t, no_device);
	tcase_add_test(t, no_proc);
	tcase_add_test(t, mounts);
	tcase_add_test(t, own_mount);
	tcase_add_loop_test(t, not_own_mount, 0, 2);
	tcase_add_test(t, mounts_of_the_dead);
	tcase_add_test(t, users);
	tcase_add_test(t, swap_and_stacked);
	tcase_add_test(t, open_nodes);
	tcase_add_test(t, filesystems);
	tcase_add_test(t, external_log);
	tcase_add_test(t, hostile_names);
	tcase_add_test(t, freed_half_way);
	tcase_add_test(t, this_machine);
	return test_main(s);
}
