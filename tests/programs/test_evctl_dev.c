/* SPDX-License-Identifier: BSD-2-Clause */
/* who serves a device, and which are orphans, from /proc and /sys */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ublk-evctl/device.h"
#include "ublk-evctl/procs.h"
#include "proctree.h"
#include "testlib.h"

static const char *root;
static struct devs d;

static void set_up(void)
{
	root = proctree_new();
	proctree_pid(root, 1, "init", 100, "");
	proctree_file(root, "proc/1/stat", "1 (init) S 0 1 1 0 -1 256 1 2\n");
}

static void tear_down(void)
{
	devs_free(&d);
	proctree_remove(root);
}

static void process(int pid, const char *stat, const char *opened)
{
	char path[64];

	proctree_pid(root, pid, "server", 100, "");
	snprintf(path, sizeof(path), "proc/%d/stat", pid);
	proctree_file(root, path, stat);
	snprintf(path, sizeof(path), "proc/%d/fd/9", pid);
	if (opened)
		proctree_link(root, path, opened);
}

/* device 3 as the driver tells of it, and as we judge then */
static const struct dev *judged(enum ublkev_dev_state state, int pid)
{
	devs_free(&d);
	ck_assert_int_eq(devs_find(&d, root, 3), 0);
	ck_assert_uint_eq(d.nr, 1);
	d.v->info.state = state;
	d.v->info.pid = pid;
	devs_servers(&d, root);
	return d.v;
}

START_TEST(find_sorted)
{
	ck_assert_int_eq(devs_find(&d, root, -1), 0);
	ck_assert_uint_eq(d.nr, 0);
	devs_free(&d);
	/* without the class, the nodes */
	proctree_file(root, "dev/ublkc5", "");
	proctree_file(root, "dev/ublkc5x", "");
	proctree_file(root, "dev/ublkb6", "");
	ck_assert_int_eq(devs_find(&d, root, -1), 0);
	ck_assert_uint_eq(d.nr, 1);
	devs_free(&d);
	proctree_dir(root, "sys/class/ublk-char/ublkc10");
	proctree_dir(root, "sys/class/ublk-char/ublkc9");
	proctree_dir(root, "sys/class/ublk-char/ublkc0");
	ck_assert_int_eq(devs_find(&d, root, -1), 0);
	ck_assert_uint_eq(d.nr, 3);
	ck_assert_int_eq(d.v[0].id, 0);
	ck_assert_int_eq(d.v[1].id, 9);
	ck_assert_int_eq(d.v[2].id, 10);
}
END_TEST

START_TEST(served)
{
	const struct dev *v;

	process(50, "50 (a) b (c) R 1 1 1 0 -1 1572864 1 2\n", "/dev/ublkc3");
	v = judged(UBLKEV_STATE_LIVE, 50);
	ck_assert_int_eq(v->server, DEV_SERVER_ALIVE);
	ck_assert_int_eq(v->pid, 50);
	ck_assert_str_eq(v->comm, "server");
	ck_assert(!dev_is_orphan(v));
	/* being brought up: the driver does not know of it yet */
	v = judged(UBLKEV_STATE_DEAD, -1);
	ck_assert_int_eq(v->server, DEV_SERVER_ALIVE);
	/* being recovered */
	v = judged(UBLKEV_STATE_QUIESCED, -1);
	ck_assert(!dev_is_orphan(v));
	/* its descriptor may be only in its ring */
	process(50, "50 (server) S 1 1 1 0 -1 1572864 1 2\n", "/dev/null");
	v = judged(UBLKEV_STATE_LIVE, 50);
	ck_assert_int_eq(v->server, DEV_SERVER_ALIVE);
}
END_TEST

/* of which the driver tells nothing, whoever has it open */
START_TEST(not_told)
{
	process(50, "50 (server) S 1 1 1 0 -1 1572864 1 2\n", "/dev/ublkc3");
	ck_assert_int_eq(devs_find(&d, root, 3), 0);
	d.v->err = -EACCES;
	devs_servers(&d, root);
	ck_assert_str_eq(d.v->comm, "");
	ck_assert(!dev_is_orphan(d.v));
}
END_TEST

/* in a chroot or container the node may have any name: its number counts */
START_TEST(served_elsewhere)
{
	process(50, "50 (server) S 1 1 1 0 -1 1572864 1 2\n", "/dev/zero");
	ck_assert(dev_is_orphan(judged(UBLKEV_STATE_DEAD, -1)));
	proctree_link(root, "sys/dev/char/1:5",
		      "../../devices/virtual/ublk-char/ublkc33");
	ck_assert(dev_is_orphan(judged(UBLKEV_STATE_DEAD, -1)));
	proctree_link(root, "sys/dev/char/1:5",
		      "../../devices/virtual/ublk-char/ublkc3");
	ck_assert(!dev_is_orphan(judged(UBLKEV_STATE_DEAD, -1)));
	ck_assert_int_eq(d.v->pid, 50);
	proctree_link(root, "sys/dev/char/1:5",
		      "../../devices/virtual/mem/zero");
	ck_assert(dev_is_orphan(judged(UBLKEV_STATE_DEAD, -1)));
}
END_TEST

START_TEST(orphans)
{
	process(50, "50 (server) S 1 1 1 0 -1 1572864 1 2\n", "/dev/ublkc33");
	ck_assert(dev_is_orphan(judged(UBLKEV_STATE_QUIESCED, -1)));
	ck_assert(dev_is_recoverable(d.v));
	ck_assert(dev_is_orphan(judged(UBLKEV_STATE_FAIL_IO, -1)));
	ck_assert(dev_is_recoverable(d.v));
	/* 6.12 remembers the pid, which is somebody else's by now */
	ck_assert(dev_is_orphan(judged(UBLKEV_STATE_DEAD, 50)));
	ck_assert(!dev_is_recoverable(d.v));
	ck_assert(dev_is_orphan(judged(UBLKEV_STATE_LIVE, 51)));
	ck_assert_int_eq(d.v->server, DEV_SERVER_DEAD);
	/* a zombie serves nothing */
	process(51, "51 (server) Z 1 1 1 0 -1 1572864 1 2\n", NULL);
	ck_assert(dev_is_orphan(judged(UBLKEV_STATE_LIVE, 51)));
}
END_TEST

/* who cannot see all processes calls no device an orphan */
START_TEST(blind)
{
	proctree_link(root, "proc/self/ns/pid", "pid:[4026531836]");
	ck_assert(dev_is_orphan(judged(UBLKEV_STATE_LIVE, 51)));
	proctree_link(root, "proc/self/ns/pid", "pid:[4026532000]");
	ck_assert(!dev_is_orphan(judged(UBLKEV_STATE_LIVE, 51)));
	ck_assert_int_eq(d.v->server, DEV_SERVER_UNKNOWN);
	ck_assert(!dev_is_orphan(judged(UBLKEV_STATE_DEAD, -1)));
}
END_TEST

START_TEST(recovery)
{
	ck_assert_str_eq(dev_recovery_name(0x40), "none");
	ck_assert_str_eq(dev_recovery_name(0x48), "requeue");
	ck_assert_str_eq(dev_recovery_name(0x58), "reissue");
	ck_assert_str_eq(dev_recovery_name(0x248), "fail-io");
}
END_TEST

START_TEST(stat_lines)
{
	unsigned int flags;
	char state;

	process(50, "50 (x) R) D 1 1 1 0 -1 4194560 1 2\n", NULL);
	ck_assert_int_eq(procs_stat(root, 50, &state, &flags), 0);
	ck_assert_int_eq(state, 'D');
	ck_assert_uint_eq(flags, 4194560);
	process(50, "50 (x\n", NULL);
	ck_assert_int_eq(procs_stat(root, 50, &state, &flags), -ENOENT);
	ck_assert_int_eq(procs_stat(root, 60, &state, &flags), -ENOENT);
	ck_assert_int_eq(procs_stat(root, -1, &state, &flags), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("evctl_dev");
	TCase *t = tcase_create("evctl_dev");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, find_sorted);
	tcase_add_test(t, served);
	tcase_add_test(t, not_told);
	tcase_add_test(t, served_elsewhere);
	tcase_add_test(t, orphans);
	tcase_add_test(t, blind);
	tcase_add_test(t, recovery);
	tcase_add_test(t, stat_lines);
	return test_main(s);
}
