/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every enumeration whose names people see has them all, what is none of it has
 * no name, and errors have explanations and remedies.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "core/names.h"
#include "core/queue.h"
#include "testlib.h"

typedef const char *name_fn(unsigned int i);

static const struct {
	name_fn *name;
	unsigned int n;
	const char *unknown;
} tables[] = {
	{ ublkev_op_name, UBLKEV_NR_OPS, "?" },
	{ ublkev_step_name, UBLKEV_NR_STEPS, "?" },
	{ ublkev_feature_name, UBLKEV__NR_FEATURES, NULL },
	{ ublkev__ctrl_name, UBLKEV__NR_CTRL_CMDS, "?" },
	{ ublkev__tag_state_name, UBLKEV__NR_TAG_STATES, "?" },
	{ ublkev_cmd_name, UBLKEV_NR_CMDS, "?" },
	{ ublkev_state_name, UBLKEV_NR_STATES, "?" },
};

START_TEST(complete)
{
	unsigned int i, j, n = tables[_i].n;
	name_fn *name = tables[_i].name;

	for (i = 0; i < n; i++) {
		ck_assert_ptr_nonnull(name(i));
		ck_assert_uint_ge(strlen(name(i)), 3);
		ck_assert_uint_le(strlen(name(i)), 24);
		for (j = 0; j < i; j++)
			ck_assert_str_ne(name(i), name(j));
	}
}
END_TEST

START_TEST(unknown)
{
	static const unsigned int beyond[] = { 0, 1, 1000, INT_MAX, UINT_MAX };
	unsigned int n;
	size_t i;

	for (i = 0; i < TEST_COUNT(beyond); i++) {
		n = beyond[i] < 2 ? tables[_i].n + beyond[i] : beyond[i];
		ck_assert_pstr_eq(tables[_i].name(n), tables[_i].unknown);
	}
}
END_TEST

START_TEST(samples)
{
	ck_assert_str_eq(ublkev_op_name(UBLKEV_OP_WRITE_ZEROES),
			 "WRITE_ZEROES");
	ck_assert_str_eq(ublkev_step_name(UBLKEV_STEP_ADD), "ADD_DEV");
	ck_assert_str_eq(ublkev__ctrl_name(UBLKEV__CTRL_DEL_DEV_ASYNC),
			 "DEL_DEV_ASYNC");
	ck_assert_str_eq(ublkev__tag_state_name(UBLKEV__TAG_DEAD), "DEAD");
}
END_TEST

/* a command of the public page is the driver's of that name */
START_TEST(json_commands)
{
	unsigned int i;

	for (i = 0; i < UBLKEV_NR_CMDS; i++)
		ck_assert_str_eq(ublkev_cmd_name(i),
				 ublkev__ctrl_name(ublkev__ctrl_of_cmd(i)));
	ck_assert_int_eq(ublkev__ctrl_of_cmd(UBLKEV_NR_CMDS),
			 UBLKEV__CTRL_NONE);
	ck_assert_int_eq(ublkev__ctrl_of_cmd(UINT_MAX), UBLKEV__CTRL_NONE);
	ck_assert_int_eq(ublkev__ctrl_of_cmd(UBLKEV_CMD_QUIESCE_DEV),
			 UBLKEV__CTRL_QUIESCE_DEV);
	ck_assert_str_eq(ublkev_state_name(UBLKEV_STATE_FAIL_IO), "FAIL_IO");
	ck_assert_int_eq(UBLKEV_STATE_DEAD, 0);
	ck_assert_int_eq(UBLKEV_STATE_QUIESCED, 2);
}
END_TEST

/* the driver's bits (contract A.8) */
START_TEST(feature_bits)
{
	ck_assert_str_eq(ublkev_feature_name(0), "SUPPORT_ZERO_COPY");
	ck_assert_str_eq(ublkev_feature_name(2), "NEED_GET_DATA");
	ck_assert_str_eq(ublkev_feature_name(7), "USER_COPY");
	ck_assert_str_eq(ublkev_feature_name(8), "ZONED");
	ck_assert_str_eq(ublkev_feature_name(13), "PER_IO_DAEMON");
	ck_assert_str_eq(ublkev_feature_name(20), "IO_DESC_SIZE");
	ck_assert_uint_eq(UBLKEV__NR_FEATURES, 21);
	ck_assert_uint_eq(UBLKEV__F(CMD_IOCTL_ENCODE), 0x40);
	ck_assert_str_eq(ublkev_feature_name((unsigned int)
			 __builtin_ctzll(UBLKEV_F_NO_AUTO_PART_SCAN)),
			 "NO_AUTO_PART_SCAN");
}
END_TEST

/* ---- explanations ------------------------------------------------------- */

static void check_text(const char *text)
{
	ck_assert_uint_ge(strlen(text), 20);
	ck_assert_uint_le(strlen(text), 160);
	ck_assert_ptr_null(strpbrk(text, "\n\t%"));
	ck_assert_int_ne(text[strlen(text) - 1], '.');
	ck_assert_int_ne(text[strlen(text) - 1], ' ');
}

START_TEST(explained)
{
	unsigned int step, n = 0;
	const char *text;
	int err;

	for (step = 0; step < UBLKEV_NR_STEPS; step++)
		for (err = -200; err < 200; err++) {
			text = ublkev_explain((enum ublkev_step)step, err);
			ck_assert(!text || err < 0);
			if (!text)
				continue;
			check_text(text);
			n += err != -ETIMEDOUT;
		}
	/* every entry is reached: grow this with the table */
	ck_assert_uint_ge(n, 34);
}
END_TEST

static void assert_says(enum ublkev_step step, int err, const char *what)
{
	const char *text = ublkev_explain(step, err);

	ck_assert_ptr_nonnull(text);
	ck_assert_msg(strstr(text, what), "\"%s\" has no %s", text, what);
}

START_TEST(remedies)
{
	unsigned int step;

	assert_says(UBLKEV_STEP_CONTROL, -ENOENT, "modprobe ublk_drv");
	assert_says(UBLKEV_STEP_CONTROL, -EACCES, "root");
	assert_says(UBLKEV_STEP_SETUP, -EPERM, "io_uring_disabled");
	assert_says(UBLKEV_STEP_SETUP, -EMFILE, "ulimit -n");
	assert_says(UBLKEV_STEP_SETUP, -ENOMEM, "depth");
	assert_says(UBLKEV_STEP_ADD, -EEXIST, "another id");
	assert_says(UBLKEV_STEP_OPEN, -EBUSY, "another process");
	assert_says(UBLKEV_STEP_DEL, -ETIMEDOUT, "holds the device");
	for (step = 0; step < UBLKEV_NR_STEPS; step++) {
		ck_assert_ptr_nonnull(ublkev_explain((enum ublkev_step)step,
						     -ETIMEDOUT));
		assert_says((enum ublkev_step)step, -EPIPE, "broker");
	}
	ck_assert_ptr_null(ublkev_explain(UBLKEV_STEP_IDLE, -EIO));
	ck_assert_ptr_null(ublkev_explain(UBLKEV_STEP_LIVE, 0));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("names");
	TCase *tc = tcase_create("names");
	int n = (int)TEST_COUNT(tables);

	tcase_add_loop_test(tc, complete, 0, n);
	tcase_add_loop_test(tc, unknown, 0, n);
	tcase_add_test(tc, samples);
	tcase_add_test(tc, json_commands);
	tcase_add_test(tc, feature_bits);
	tcase_add_test(tc, explained);
	tcase_add_test(tc, remedies);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
