/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a user's servers have their files, and whether udev gives devices. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/rundir.h"
#include "common/udevrule.h"
#include "proctree.h"
#include "testlib.h"

static const char *dir;

static void set_up(void)
{
	dir = proctree_new();
}

static void tear_down(void)
{
	proctree_remove(dir);
}

START_TEST(paths)
{
	char buf[64];

	ck_assert_int_eq(rundir_path(buf, sizeof(buf), "/r", 0, "/x"), 0);
	ck_assert_str_eq(buf, "/r/run/ublk-ev");
	ck_assert_int_eq(rundir_path(buf, sizeof(buf), "/r", 1, "/x"), 0);
	ck_assert_str_eq(buf, "/x/ublk-ev");
	ck_assert_int_eq(rundir_path(buf, sizeof(buf), "", 1, NULL), -ENOENT);
	ck_assert_int_eq(rundir_path(buf, sizeof(buf), "", 1, "x"), -ENOENT);
	ck_assert_int_eq(rundir_path(buf, 12, "", 0, NULL), -ENAMETOOLONG);
}
END_TEST

START_TEST(errors)
{
	unsetenv("XDG_RUNTIME_DIR");
	ck_assert_str_eq(rundir_error(-ENOENT), "XDG_RUNTIME_DIR is not set");
	setenv("XDG_RUNTIME_DIR", "x", 1);
	ck_assert_str_eq(rundir_error(-ENOENT),
			 "XDG_RUNTIME_DIR is no absolute path");
	ck_assert_str_eq(rundir_error(-ENAMETOOLONG),
			 strerror(ENAMETOOLONG));
}
END_TEST

START_TEST(rules)
{
	static const struct {
		const char *path, *text;
		int missing;
	} files[] = {
		{ "etc/udev/rules.d/50-x.rules", "KERNEL==\"sda\"\n", 1 },
		{ "etc/udev/rules.d/60-x.rules", "x\n # ublkc\n#ublkc\n", 1 },
		{ "lib/udev/rules.d/70-x.off", "KERNEL==\"ublkc*\"\n", 1 },
		{ "lib/udev/rules.d/70-x.rules", "KERNEL==\"ublkb*\"\n", 1 },
		{ "lib/udev/rules.d/80-x.rules", "a\nKERNEL==\"ublkc*\"", 0 },
	};
	unsigned int i;

	/* without udev it is somebody else who gives it, or nobody */
	ck_assert_int_eq(udevrule_is_missing(dir), 0);
	proctree_file(dir, "run/udev/control", "");
	ck_assert_int_eq(udevrule_is_missing(dir), 1);
	for (i = 0; i < TEST_COUNT(files); i++) {
		proctree_file(dir, files[i].path, files[i].text);
		ck_assert_int_eq(udevrule_is_missing(dir), files[i].missing);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rundir");
	TCase *t = tcase_create("rundir");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, paths);
	tcase_add_test(t, errors);
	tcase_add_test(t, rules);
	return test_main(s);
}
