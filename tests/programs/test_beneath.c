/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * beneath: a disk that others are built upon is found beneath all of them, in a
 * sysfs of our own, and another is not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/beneath.h"
#include "proctree.h"
#include "testlib.h"

#define DEVICES "sys/devices/virtual/block/"

static const char *root;

static void make(const char *name, unsigned int major, unsigned int minor)
{
	char path[128], target[128];

	snprintf(path, sizeof(path), DEVICES "%s/slaves", name);
	proctree_dir(root, path);
	snprintf(path, sizeof(path), "sys/dev/block/%u:%u", major, minor);
	snprintf(target, sizeof(target), "../../devices/virtual/block/%s",
		 name);
	proctree_link(root, path, target);
}

/* a partition has its folder in its disk's, and no slaves/ */
static void make_partition(const char *disk, const char *name,
			   unsigned int major, unsigned int minor)
{
	char path[128], target[128];

	snprintf(path, sizeof(path), DEVICES "%s/%s/partition", disk, name);
	proctree_file(root, path, "1\n");
	snprintf(path, sizeof(path), "sys/dev/block/%u:%u", major, minor);
	snprintf(target, sizeof(target), "../../devices/virtual/block/%s/%s",
		 disk, name);
	proctree_link(root, path, target);
}

static void stack(const char *upper, const char *lower)
{
	const char *base = strrchr(lower, '/');
	char path[128], target[128];

	base = base ? base + 1 : lower;
	snprintf(path, sizeof(path), DEVICES "%s/slaves/%s", upper, base);
	snprintf(target, sizeof(target), "../../%s", lower);
	proctree_link(root, path, target);
}

static void set_up(void)
{
	root = proctree_new();
	make("ublkb3", 259, 3);
	make_partition("ublkb3", "ublkb3p1", 259, 4);
	make("ublkb33", 259, 5);
	make("sda", 8, 0);
}

static void tear_down(void)
{
	proctree_remove(root);
}

static int has(unsigned int major, unsigned int minor)
{
	return beneath_has(root, major, minor, "ublkb3");
}

START_TEST(itself)
{
	ck_assert(has(259, 3));
	ck_assert(has(259, 4));
	ck_assert(!has(259, 5));	/* another one */
	ck_assert(!has(8, 0));
	ck_assert(!has(8, 1));		/* none */
	ck_assert(!has(0, 40));
}
END_TEST

/* a mapping of a partition, an array of that and another disk, and its part */
START_TEST(stacked)
{
	make("dm-0", 253, 0);
	make("md0", 9, 0);
	make_partition("md0", "md0p2", 259, 90);
	make("dm-1", 253, 1);
	stack("dm-0", "ublkb3/ublkb3p1");
	stack("md0", "sda");
	stack("md0", "dm-0");
	stack("dm-1", "sda");
	ck_assert(has(253, 0));
	ck_assert(has(9, 0));
	ck_assert(has(259, 90));
	ck_assert(!has(253, 1));
}
END_TEST

/* a tree that can't be is no loop of ours */
START_TEST(circle)
{
	make("dm-0", 253, 0);
	make("dm-1", 253, 1);
	stack("dm-0", "dm-1");
	stack("dm-1", "dm-0");
	ck_assert(!has(253, 0));
}
END_TEST

/* a file of this host's, whose file system's device we say is a mapping of it */
START_TEST(loop)
{
	char file[] = "/tmp/test_beneath.XXXXXX";
	int fd = mkstemp(file);
	struct stat st;
	char line[64];

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	make("loop5", 7, 5);
	snprintf(line, sizeof(line), "%s\n", file);
	proctree_file(root, DEVICES "loop5/loop/backing_file", line);
	ck_assert(!has(7, 5));
	make("dm-0", major(st.st_dev), minor(st.st_dev));
	stack("dm-0", "ublkb3");
	ck_assert(has(7, 5));
	ck_assert(beneath_file_has(root, file, &st, "ublkb3"));
	ck_assert(!beneath_file_has(root, file, &st, "ublkb4"));
	remove(file);
}
END_TEST

/* a block device's node says which it is, whatever file system it is on */
START_TEST(node)
{
	char path[512], line[520];
	struct stat st;

	snprintf(path, sizeof(path), "%s/node", root);
	if (mknod(path, S_IFBLK | 0600, makedev(259, 4))) {
		printf("node: no right to mknod, left out\n");
		return;
	}
	ck_assert_int_eq(stat(path, &st), 0);
	make("loop6", 7, 6);
	snprintf(line, sizeof(line), "%s\n", path);
	proctree_file(root, DEVICES "loop6/loop/backing_file", line);
	ck_assert(has(7, 6));
	ck_assert(beneath_file_has(root, path, &st, "ublkb3"));
	ck_assert(!beneath_file_has(root, path, &st, "ublkb33"));
}
END_TEST

START_TEST(btrfs)
{
	static const char uuid[] = "01234567-89ab-cdef-0123-456789abcdef";
	char path[128];

	make("dm-0", 253, 0);
	stack("dm-0", "ublkb3");
	snprintf(path, sizeof(path), "sys/fs/btrfs/%s/devices/sda", uuid);
	proctree_link(root, path, "../../../../devices/virtual/block/sda");
	ck_assert(!beneath_btrfs_has(root, uuid, "ublkb3"));
	snprintf(path, sizeof(path), "sys/fs/btrfs/%s/devices/dm-0", uuid);
	proctree_link(root, path, "../../../../devices/virtual/block/dm-0");
	ck_assert(beneath_btrfs_has(root, uuid, "ublkb3"));
	ck_assert(!beneath_btrfs_has(root, uuid, "ublkb33"));
	ck_assert(!beneath_btrfs_has(root, "another", "ublkb3"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("beneath");
	TCase *t = tcase_create("beneath");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, itself);
	tcase_add_test(t, stacked);
	tcase_add_test(t, circle);
	tcase_add_test(t, loop);
	tcase_add_test(t, node);
	tcase_add_test(t, btrfs);
	return test_main(s);
}
