/* SPDX-License-Identifier: BSD-2-Clause */
/* each fault that doctor knows, on a machine made of files */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ublk-evctl/doctor.h"
#include "proctree.h"
#include "testlib.h"

#define ALL_CAPS	UINT64_C(0x1ffffffffff)
#define RULE		"60-ublk-ev.rules"

static const char *root;
static struct host h;
static struct report r;
static struct dev v[2];
static struct devs d;

/* a sound machine */
static void set_up(void)
{
	root = proctree_new();
	proctree_dir(root, "sys/module/ublk_drv/parameters");
	proctree_file(root, "sys/module/ublk_drv/parameters/ublks_max",
		      "64\n");
	proctree_file(root, "usr/lib/udev/rules.d/" RULE, "");
	proctree_file(root, "run/udev/control", "");
	proctree_pid(root, 1, "init", 100, "");
	memset(&h, 0, sizeof(h));
	h.root = root;
	snprintf(h.release, sizeof(h.release), "7.3.4");
	h.features = 0x1fffff;
	h.caps = ALL_CAPS;
	h.nofile = 1024;
	h.memlock = UINT64_MAX;
	memset(v, 0, sizeof(v));
	d = (struct devs){ v, 0 };
}

static void tear_down(void)
{
	report_fini(&r);
	memset(&r, 0, sizeof(r));
	proctree_remove(root);
}

static void examine(void)
{
	unsigned int i;

	report_fini(&r);
	memset(&r, 0, sizeof(r));
	host_judge(&r, &h, &d);
	for (i = 0; i < d.nr; i++)
		dev_judge(&r, root, &v[i]);
	ck_assert_int_eq(r.failed, 0);
}

/* whether the check `name` is of that level and names `what` */
static void expect(enum level level, const char *name, const char *what)
{
	const struct check *c;

	examine();
	for (c = r.v; c < r.v + r.nr; c++) {
		if (strcmp(c->name, name))
			continue;
		ck_assert_msg(c->level == level, "%s: %s", level_name(c->level),
			      c->text);
		ck_assert_msg(strstr(c->text, what) ||
			      strstr(c->remedy, what), "%s: '%s: %s' lacks "
			      "'%s'", name, c->text, c->remedy, what);
		ck_assert_int_eq(c->remedy[0] == '\0', level == LEVEL_OK);
		return;
	}
	ck_abort_msg("no check %s", name);
}

/* what is not well is not called well as well */
static void expect_once(const char *name)
{
	unsigned int i, n = 0;

	for (i = 0; i < r.nr; i++)
		n += !strcmp(r.v[i].name, name);
	ck_assert_uint_eq(n, 1);
}

START_TEST(sound)
{
	unsigned int i;

	examine();
	for (i = 0; i < r.nr; i++)
		ck_assert_msg(r.v[i].level == LEVEL_OK, "%s: %s: %s",
			      r.v[i].name, r.v[i].text, r.v[i].remedy);
	ck_assert_int_eq(report_worst(&r), LEVEL_OK);
	ck_assert_uint_ge(r.nr, 10);
}
END_TEST

START_TEST(kernels)
{
	snprintf(h.release, sizeof(h.release), "6.18.4");
	expect(LEVEL_WARNING, "kernel", "6.18.4");
	snprintf(h.release, sizeof(h.release), "6.1.0-30-amd64");
	expect(LEVEL_FAULT, "kernel", "6.4");
	snprintf(h.release, sizeof(h.release), "6.12.117");
	expect(LEVEL_OK, "kernel", "6.12.117");
}
END_TEST

START_TEST(no_module)
{
	tear_down();
	root = proctree_new();
	h.root = root;
	h.control_err = -ENOENT;
	h.features_err = 1;
	expect(LEVEL_FAULT, "module", "comes without");
	expect(LEVEL_FAULT, "control", "load the module");
	proctree_file(root, "lib/modules/7.3.4/modules.dep",
		      "kernel/a.ko: kernel/drivers/block/ublk_drv.ko\n");
	expect(LEVEL_FAULT, "module", "comes without");
	proctree_file(root, "lib/modules/7.3.4/modules.dep",
		      "kernel/a.ko:\nkernel/drivers/block/ublk_drv.ko.xz:\n");
	expect(LEVEL_FAULT, "module", "modprobe ublk_drv");
	proctree_file(root, "lib/modules/7.3.4/modules.dep", "\n");
	proctree_file(root, "lib/modules/7.3.4/modules.builtin",
		      "kernel/drivers/block/ublk_drv.ko\n");
	expect(LEVEL_FAULT, "module", "built in");
	ck_assert_int_eq(report_worst(&r), LEVEL_FAULT);
}
END_TEST

/* the package that has the module, where that is not the kernel's own */
START_TEST(packages)
{
	static const struct {
		const char *os, *release, *remedy;
	} t[] = {
		{ "NAME=x\nID_LIKE=debian\nID=ubuntu\n", "6.8.0-60-generic",
		  "linux-modules-extra-6.8.0-60-generic" },
		{ "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "6.8.0-1-x",
		  "linux-modules-extra-6.8.0-1-x" },
		{ "ID=fedora\n", "6.15.3-200.fc42.x86_64",
		  "kernel-modules-extra-6.15.3-200.fc42.x86_64" },
		{ "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n",
		  "6.12.0-55.el10.x86_64", "kernel-modules-extra-6.12" },
		{ "ID=debian\n", "6.12.9+deb13-cloud-amd64", "without -cloud" },
		{ "ID=debian\n", "6.12.9+deb13-amd64", "further modules" },
		{ "VARIANT_ID=ubuntu\nID=arch\n", "7.3.4", "further modules" },
	};
	size_t i;

	tear_down();
	root = proctree_new();
	h.root = root;
	expect(LEVEL_FAULT, "module", "CONFIG_BLK_DEV_UBLK");
	for (i = 0; i < TEST_COUNT(t); i++) {
		proctree_file(root, "etc/os-release", t[i].os);
		snprintf(h.release, sizeof(h.release), "%s", t[i].release);
		expect(LEVEL_FAULT, "module", t[i].remedy);
	}
}
END_TEST

START_TEST(no_permission)
{
	h.control_err = -EACCES;
	h.caps = 0;
	h.memlock = 64 << 10;
	expect(LEVEL_FAULT, "control", "group ublk");
	expect(LEVEL_WARNING, "privilege", "CAP_SYS_ADMIN");
	expect(LEVEL_WARNING, "IO_FLUSHER", "CAP_SYS_RESOURCE");
	expect(LEVEL_WARNING, "locked memory", "64 KiB");
	h.control_err = -ENOENT;
	expect(LEVEL_FAULT, "control", "devtmpfs");
	h.control_err = -EMFILE;
	expect(LEVEL_FAULT, "control", "Too many open files");
}
END_TEST

START_TEST(no_io_uring)
{
	h.uring_err = -EPERM;
	expect(LEVEL_FAULT, "io_uring", "security module");
	h.seccomp = 2;
	expect(LEVEL_FAULT, "io_uring", "seccomp");
	proctree_file(root, "proc/sys/kernel/io_uring_disabled", "1\n");
	proctree_file(root, "proc/sys/kernel/io_uring_group", "77\n");
	expect(LEVEL_FAULT, "io_uring", "group 77");
	proctree_file(root, "proc/sys/kernel/io_uring_disabled", "2\n");
	expect(LEVEL_FAULT, "io_uring", "io_uring_disabled=0");
	h.uring_err = -ENOSYS;
	expect(LEVEL_FAULT, "io_uring", "seccomp");
	h.seccomp = 0;
	expect(LEVEL_FAULT, "io_uring", "CONFIG_IO_URING");
	h.uring_err = -EINVAL;
	expect(LEVEL_FAULT, "io_uring", "6.4");
	h.uring_err = -ENOMEM;
	expect(LEVEL_FAULT, "io_uring", "ulimit");
}
END_TEST

START_TEST(few_features)
{
	h.features = 0x1fe;
	expect(LEVEL_WARNING, "features", "fail-io (6.13), resize (6.16), "
	       "quiesce (6.16), stop --safe (7.0)");
	h.features = 0;
	expect(LEVEL_WARNING, "features", "ordinary users");
	h.features_err = -EOPNOTSUPP;
	expect(LEVEL_FAULT, "features", "6.5");
	h.features_err = -ENODEV;
	expect(LEVEL_FAULT, "features", "6.5");
	h.features_err = -ETIMEDOUT;
	expect(LEVEL_FAULT, "features", "dmesg");
}
END_TEST

START_TEST(limits)
{
	h.nofile = 36;
	expect(LEVEL_WARNING, "files", "4 devices");
	h.nofile = 10;
	expect(LEVEL_FAULT, "files", "0 devices");
	h.nofile = UINT64_MAX;
	expect(LEVEL_OK, "files", "no limit");
	/* before 6.15 the module's limit is for all devices */
	d.nr = 2;
	v[0].err = v[1].err = -EPERM;
	proctree_file(root, "sys/module/ublk_drv/parameters/ublks_max", "2\n");
	expect(LEVEL_OK, "ublks_max", "0 devices of ordinary users");
	snprintf(h.release, sizeof(h.release), "6.14.9");
	expect(LEVEL_WARNING, "ublks_max", "2 devices,");
	snprintf(h.release, sizeof(h.release), "6.15.0");
	v[0].info.features = v[1].info.features = DEV_F_UNPRIVILEGED;
	expect(LEVEL_WARNING, "ublks_max", "2 devices of ordinary users");
}
END_TEST

START_TEST(udev_rules)
{
	tear_down();
	root = proctree_new();
	h.root = root;
	expect(LEVEL_WARNING, "udev", RULE);
	proctree_file(root, "etc/udev/rules.d/" RULE, "");
	expect(LEVEL_WARNING, "udev", "udevd");
	proctree_file(root, "run/udev/control", "");
	expect(LEVEL_OK, "udev", "/etc/udev");
}
END_TEST

START_TEST(status_file)
{
	proctree_file(root, "proc/self/status", "Name:\tx\n"
		      "CapEff:\t0000000000200000\nSeccomp:\t2\n");
	host_status(&h);
	ck_assert_uint_eq(h.caps, UINT64_C(1) << 21);
	ck_assert_int_eq(h.seccomp, 2);
}
END_TEST

/* ---- devices ------------------------------------------------------------ */

/* device 7 and its server, in a mount namespace */
static void serve(unsigned int flags, int ns, const char *mounts)
{
	char stat[64];

	d.nr = 1;
	v[0].id = 7;
	v[0].info.state = UBLKEV_STATE_LIVE;
	v[0].server = DEV_SERVER_ALIVE;
	v[0].pid = 50;
	snprintf(v[0].comm, sizeof(v[0].comm), "server");
	proctree_ublkb7(root);
	proctree_pid(root, 50, "server", ns, mounts);
	snprintf(stat, sizeof(stat), "50 (server) S 1 1 1 0 -1 %u 1 2", flags);
	proctree_file(root, "proc/50/stat", stat);
}

#define MOUNT "30 22 259:7 / /mnt rw - ext4 /dev/ublkb7 rw\n"

START_TEST(served)
{
	serve(0x180000, 200, "");
	expect(LEVEL_OK, "device 7", "server 50");
	serve(0x80000, 200, "");
	expect(LEVEL_WARNING, "device 7", "IO_FLUSHER");
}
END_TEST

START_TEST(scheduler)
{
	static const struct {
		const char *file, *name;
	} t[] = {
		{ "[mq-deadline] kyber none\n", "mq-deadline" },
		{ "none [bfq]\n", "bfq" },
		{ "none mq-deadline [none]\n", "none" },
		{ "none\n", "none" },
		{ "", "" },
	};
	size_t i;

	serve(0x180000, 200, "");
	for (i = 0; i < TEST_COUNT(t); i++) {
		proctree_file(root, "sys/block/ublkb7/queue/scheduler",
			      t[i].file);
		dev_read_scheduler(&v[0], root);
		ck_assert_str_eq(v[0].scheduler, t[i].name);
	}
	snprintf(v[0].scheduler, sizeof(v[0].scheduler), "bfq");
	expect(LEVEL_WARNING, "scheduler", "device 7 has bfq: none is faster");
	expect(LEVEL_WARNING, "scheduler", "ublkb7/queue/scheduler");
	expect(LEVEL_OK, "device 7", "server 50");
	snprintf(v[0].scheduler, sizeof(v[0].scheduler), "none");
	expect(LEVEL_OK, "scheduler", "device 7 has none");
}
END_TEST

START_TEST(mount_namespace)
{
	/* init's: somebody is left to unmount it */
	serve(0x180000, 100, MOUNT);
	proctree_pid(root, 1, "init", 100, MOUNT);
	expect(LEVEL_OK, "device 7", "server 50");
	serve(0x180000, 200, MOUNT);
	expect(LEVEL_FAULT, "device 7", "mounted on /mnt");
	/* elsewhere, in init's and in somebody's */
	serve(0x180000, 200, "");
	proctree_pid(root, 60, "other", 300, MOUNT);
	expect(LEVEL_OK, "device 7", "server 50");
}
END_TEST

START_TEST(swap)
{
	serve(0x180000, 100, "");
	proctree_file(root, "proc/swaps", "Filename Type\n"
		      "/dev/ublkb7p1 partition 1 0 -2\n");
	expect(LEVEL_WARNING, "device 7", "swap");
	expect_once("device 7");
}
END_TEST

START_TEST(orphans)
{
	d.nr = 1;
	v[0].id = 7;
	v[0].info.state = UBLKEV_STATE_QUIESCED;
	v[0].server = DEV_SERVER_NONE;
	expect(LEVEL_WARNING, "device 7", "recover 7");
	v[0].info.state = UBLKEV_STATE_DEAD;
	expect(LEVEL_WARNING, "device 7", "del 7");
	v[0].err = -EPERM;
	expect(LEVEL_WARNING, "device 7", "root");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("evctl_doctor");
	TCase *t = tcase_create("evctl_doctor");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, sound);
	tcase_add_test(t, kernels);
	tcase_add_test(t, no_module);
	tcase_add_test(t, packages);
	tcase_add_test(t, no_permission);
	tcase_add_test(t, no_io_uring);
	tcase_add_test(t, few_features);
	tcase_add_test(t, limits);
	tcase_add_test(t, udev_rules);
	tcase_add_test(t, status_file);
	tcase_add_test(t, served);
	tcase_add_test(t, scheduler);
	tcase_add_test(t, mount_namespace);
	tcase_add_test(t, swap);
	tcase_add_test(t, orphans);
	return test_main(s);
}
