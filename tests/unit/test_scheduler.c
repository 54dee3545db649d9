/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The I/O scheduler "none": when it is written, in a directory in place of
 * /sys; and when the broker has it written, in a process of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker_rig.h"
#include "proctree.h"
#include "testlib.h"
#include "uring/scheduler.h"

#define FILE_NAME "block/ublkb7/queue/scheduler"

static void read_text(char text[256])
{
	char path[1200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/" FILE_NAME, brig_sys);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	text[fread(text, 1, 255, f)] = '\0';
	fclose(f);
}

static void check_text(const char *expected)
{
	char text[256];

	read_text(text);
	ck_assert_str_eq(text, expected);
}

/* ---- what is written ------------------------------------------------------ */

static const struct {
	const char *before, *after;
} cases[] = {
	{ "[mq-deadline] none\n", "none" },
	{ "[mq-deadline] kyber bfq none\n", "none" },
	{ "none kyber [bfq]\n", "none" },
	{ "[none] mq-deadline kyber\n", "[none] mq-deadline kyber\n" },
	/* nothing to choose from */
	{ "none\n", "none\n" },
	{ "[mq-deadline]\n", "[mq-deadline]\n" },
	{ "[mq-deadline] none2\n", "[mq-deadline] none2\n" },
	{ "", "" },
};

START_TEST(written)
{
	proctree_file(brig_sys, FILE_NAME, cases[_i].before);
	ck_assert_int_eq(ublkev__scheduler_set_none(brig_sys, 7), 0);
	check_text(cases[_i].after);
	ck_assert_int_eq(ublkev__scheduler_set_none(brig_sys, 8), -ENOENT);
	brig_finish();
}
END_TEST

START_TEST(no_such_path)
{
	char path[300];

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(ublkev__scheduler_set_none(path, 7), -ENAMETOOLONG);
	brig_finish();
}
END_TEST

/* ---- the broker ----------------------------------------------------------- */

static void no_child_left(void)
{
	int i;

	for (i = 0; i < 5000; i++) {
		if (waitpid(-1, NULL, WNOHANG | __WALL) < 0)
			break;
		usleep(1000);
	}
	ck_assert_int_eq(errno, ECHILD);
}

static void answered(enum ublkev__ctrl_cmd cmd, bool marked, int res)
{
	brig_ask_marked(0, cmd, marked);
	fake_cring_wait(0, cmd);
	fake_cring_answer(0, res, BRIG_ID, 0);
	brig_answered(0, res);
}

/* the broker has looked at what was answered before this is */
static void settled(void)
{
	brig_done(0, UBLKEV__CTRL_GET_FEATURES, 0);
	no_child_left();
}

START_TEST(when_live)
{
	proctree_file(brig_sys, FILE_NAME, "[mq-deadline] none\n");
	brig_added();
	settled();
	check_text("[mq-deadline] none\n");
	answered(UBLKEV__CTRL_START_DEV, true, 0);
	settled();
	check_text("none");
	brig_done(0, UBLKEV__CTRL_DEL_DEV, 0);
	brig_finish();
}
END_TEST

static const struct {
	enum ublkev__ctrl_cmd cmd;
	bool marked;
	int res;
} others[] = {
	{ UBLKEV__CTRL_START_DEV, false, 0 },
	{ UBLKEV__CTRL_START_DEV, true, -EINVAL },
	{ UBLKEV__CTRL_END_USER_RECOVERY, true, 0 },
	{ UBLKEV__CTRL_SET_PARAMS, true, 0 },
};

START_TEST(kept)
{
	proctree_file(brig_sys, FILE_NAME, "[mq-deadline] none\n");
	brig_added();
	answered(others[_i].cmd, others[_i].marked, others[_i].res);
	settled();
	check_text("[mq-deadline] none\n");
	brig_done(0, UBLKEV__CTRL_DEL_DEV, 0);
	brig_finish();
}
END_TEST

/*
 * The kernel answers the write when the disk's requests are answered, here
 * when the test opens the other end of a pipe. Nobody waits with it, and it
 * holds nobody's channel.
 */
START_TEST(waits_for_nobody)
{
	char path[1200];
	int fd;

	proctree_dir(brig_sys, "block/ublkb7/queue");
	snprintf(path, sizeof(path), "%s/" FILE_NAME, brig_sys);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	brig_added();
	brig_send_dev();
	answered(UBLKEV__CTRL_START_DEV, true, 0);
	brig_done(0, UBLKEV__CTRL_GET_FEATURES, 0);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG | __WALL), 0);
	brig_done(1, UBLKEV__CTRL_GET_FEATURES, 0);
	brig_done(0, UBLKEV__CTRL_STOP_DEV, 0);
	brig_done(0, UBLKEV__CTRL_DEL_DEV, 0);
	brig_close_dev(0);
	fake_cring_wait_free(0);
	fd = open(path, O_WRONLY);
	ck_assert_int_ge(fd, 0);
	close(fd);
	no_child_left();
	brig_finish();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scheduler");
	TCase *tc = tcase_create("scheduler");

	tcase_add_checked_fixture(tc, brig_setup, NULL);
	tcase_add_loop_test(tc, written, 0, TEST_COUNT(cases));
	tcase_add_test(tc, no_such_path);
	tcase_add_test(tc, when_live);
	tcase_add_loop_test(tc, kept, 0, TEST_COUNT(others));
	tcase_add_test(tc, waits_for_nobody);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
