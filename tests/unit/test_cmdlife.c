/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmdlife: one command to a device of somebody else's, told and read as text
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/cmdlife.h"
#include "testlib.h"

#define CMD_MS		1000
#define GRACE_MS	200
#define ID		5

static struct ublkev__cmdlife l;
static uint64_t now;
static char text[256];

static void say(const char *sign, const char *word)
{
	size_t have = strlen(text);

	ck_assert_uint_lt(have + strlen(word) + 3, sizeof(text));
	snprintf(text + have, sizeof(text) - have, "%s%s ", sign, word);
}

static void pull(void)
{
	enum ublkev__cmdlife_act act;
	char res[32];

	while ((act = ublkev__cmdlife_next(&l)) != UBLKEV__CMDLIFE_NONE) {
		snprintf(res, sizeof(res), "=%d", l.res);
		if (act == UBLKEV__CMDLIFE_SEND)
			say("", ublkev__ctrl_name(l.pending));
		else if (act == UBLKEV__CMDLIFE_CANCEL)
			say("-", ublkev__ctrl_name(l.pending));
		else
			say(act == UBLKEV__CMDLIFE_LOSE ? "lost" : "", res);
	}
}

static int start(enum ublkev_cmd_op cmd, uint64_t arg)
{
	int err;

	memset(&l, 0, sizeof(l));
	l.cmd_timeout_ms = CMD_MS;
	l.grace_ms = GRACE_MS;
	now = 100000;
	text[0] = '\0';
	err = ublkev__cmdlife_start(&l, cmd, ID, arg, now);
	if (!err)
		pull();
	return err;
}

/* of the device, when it is asked */
static unsigned int state = UBLKEV_STATE_LIVE;

static void answer(int res)
{
	struct ublkev__ctrl_answer a = {
		.res = res,
		.info = { .id = ID, .features = 0x42, .pid = 77,
			  .state = state },
	};

	ublkev__cmdlife_done(&l, l.pending, &a, now);
	pull();
}

static void tick(uint64_t ms)
{
	now += ms;
	ublkev__cmdlife_tick(&l, now);
	pull();
}

static void cancel(void)
{
	ublkev__cmdlife_cancel(&l, now);
	pull();
}

/* ---- in order ------------------------------------------------------------- */

static const struct {
	enum ublkev_cmd_op cmd;
	const char *name;
} cmds[] = {
	{ UBLKEV_CMD_GET_PARAMS, "GET_PARAMS" },
	{ UBLKEV_CMD_GET_QUEUE_AFFINITY, "GET_QUEUE_AFFINITY" },
	{ UBLKEV_CMD_STOP_DEV, "STOP_DEV" },
	{ UBLKEV_CMD_TRY_STOP_DEV, "TRY_STOP_DEV" },
	{ UBLKEV_CMD_DEL_DEV, "DEL_DEV" },
	{ UBLKEV_CMD_DEL_DEV_ASYNC, "DEL_DEV_ASYNC" },
	{ UBLKEV_CMD_QUIESCE_DEV, "QUIESCE_DEV" },
	{ UBLKEV_CMD_UPDATE_SIZE, "UPDATE_SIZE" },
};

START_TEST(asked_first)
{
	char expected[128];

	ck_assert_int_eq(start(cmds[_i].cmd, 7), 0);
	ck_assert_str_eq(text, "GET_DEV_INFO2 ");
	ck_assert_int_eq(l.info.id, ID);
	ck_assert_uint_eq(l.deadline_ms, now + CMD_MS);
	now += 10;
	answer(0);
	snprintf(expected, sizeof(expected), "GET_DEV_INFO2 %s ",
		 cmds[_i].name);
	ck_assert_str_eq(text, expected);
	/* what the answer said goes along */
	ck_assert_uint_eq(l.info.features, 0x42);
	ck_assert_uint_eq(l.arg, 7);
	ck_assert_uint_ge(l.deadline_ms, now + CMD_MS);
	ck_assert_int_eq(l.cmd, l.pending);
	answer(0);
	snprintf(expected, sizeof(expected), "GET_DEV_INFO2 %s =0 ",
		 cmds[_i].name);
	ck_assert_str_eq(text, expected);
	ck_assert_int_eq(l.cmd, UBLKEV__CTRL_NONE);
	ck_assert_uint_eq(l.deadline_ms, UINT64_MAX);
}
END_TEST

/* some kernels would crash */
START_TEST(no_size_without_disk)
{
	state = UBLKEV_STATE_DEAD;
	ck_assert_int_eq(start(UBLKEV_CMD_UPDATE_SIZE, 7), 0);
	answer(0);
	ck_assert_str_eq(text, "GET_DEV_INFO2 =-19 ");
	state = UBLKEV_STATE_LIVE;
}
END_TEST

START_TEST(info)
{
	ck_assert_int_eq(start(UBLKEV_CMD_GET_DEV_INFO, 0), 0);
	answer(0);
	ck_assert_str_eq(text, "GET_DEV_INFO2 =0 ");
	ck_assert_int_eq(l.info.pid, 77);
	/* no node in /dev */
	start(UBLKEV_CMD_GET_DEV_INFO, 0);
	answer(-ENOENT);
	ck_assert_str_eq(text, "GET_DEV_INFO2 GET_DEV_INFO ");
	answer(0);
	ck_assert_str_eq(text, "GET_DEV_INFO2 GET_DEV_INFO =0 ");
	ck_assert_int_eq(l.info.pid, 77);
	start(UBLKEV_CMD_GET_DEV_INFO, 0);
	answer(-ENOENT);
	answer(-EPERM);
	ck_assert_str_eq(text, "GET_DEV_INFO2 GET_DEV_INFO =-1 ");
}
END_TEST

START_TEST(info_by_the_other_way)
{
	start(UBLKEV_CMD_STOP_DEV, 0);
	answer(-ENOENT);
	answer(0);
	answer(0);
	ck_assert_str_eq(text, "GET_DEV_INFO2 GET_DEV_INFO STOP_DEV =0 ");
	start(UBLKEV_CMD_STOP_DEV, 0);
	answer(-ENOENT);
	answer(-ENOENT);	/* not a second time round */
	ck_assert_str_eq(text, "GET_DEV_INFO2 GET_DEV_INFO =-2 ");
}
END_TEST

START_TEST(features)
{
	ck_assert_int_eq(start(UBLKEV_CMD_GET_FEATURES, 0), 0);
	ck_assert_str_eq(text, "GET_FEATURES ");
	answer(0);
	ck_assert_str_eq(text, "GET_FEATURES =0 ");
	/* any number of a device will do */
	ck_assert_int_eq(ublkev__cmdlife_start(&l, UBLKEV_CMD_GET_FEATURES, -1,
					       0, now),
			 0);
}
END_TEST

START_TEST(refused)
{
	start(UBLKEV_CMD_STOP_DEV, 0);
	answer(-ENODEV);
	ck_assert_str_eq(text, "GET_DEV_INFO2 =-19 ");
	start(UBLKEV_CMD_TRY_STOP_DEV, 0);
	answer(0);
	answer(-EBUSY);
	ck_assert_str_eq(text, "GET_DEV_INFO2 TRY_STOP_DEV =-16 ");
	/* EINTR that nobody wished for is the driver's own */
	start(UBLKEV_CMD_DEL_DEV, 0);
	answer(0);
	answer(-EINTR);
	ck_assert_str_eq(text, "GET_DEV_INFO2 DEL_DEV =-4 ");
	/* a positive one is no error */
	start(UBLKEV_CMD_STOP_DEV, 0);
	answer(0);
	answer(3);
	ck_assert_str_eq(text, "GET_DEV_INFO2 STOP_DEV =0 ");
}
END_TEST

START_TEST(not_started)
{
	ck_assert_int_eq(start(UBLKEV_NR_CMDS, 0), -EINVAL);
	ck_assert_int_eq(start((enum ublkev_cmd_op)1000, 0), -EINVAL);
	ck_assert_int_eq(ublkev__cmdlife_start(&l, UBLKEV_CMD_STOP_DEV, -1, 0,
					       now), -EINVAL);
	ck_assert_int_eq(ublkev__cmdlife_start(&l, UBLKEV_CMD_STOP_DEV, 1 << 20,
					       0, now), -EINVAL);
	ck_assert_int_eq(ublkev__cmdlife_next(&l), UBLKEV__CMDLIFE_NONE);
	ck_assert_int_eq(start(UBLKEV_CMD_STOP_DEV, 0), 0);
	ck_assert_int_eq(ublkev__cmdlife_start(&l, UBLKEV_CMD_STOP_DEV, ID, 0,
					       now), -EBUSY);
	/* until its end was pulled */
	ublkev__cmdlife_tick(&l, now + CMD_MS);
	pull();
	answer(-EINTR);
	ck_assert_int_eq(ublkev__cmdlife_start(&l, UBLKEV_CMD_STOP_DEV, ID, 0,
					       now), 0);
}
END_TEST

/* ---- cancelled ------------------------------------------------------------ */

START_TEST(cancelled)
{
	start(UBLKEV_CMD_DEL_DEV, 0);
	answer(0);
	text[0] = '\0';
	now += 5;
	cancel();
	ck_assert_str_eq(text, "-DEL_DEV ");
	ck_assert_uint_eq(l.deadline_ms, now + GRACE_MS);
	now += 5;
	cancel();		/* once is enough, and gives no more time */
	ck_assert_str_eq(text, "-DEL_DEV ");
	ck_assert_uint_eq(l.deadline_ms, now - 5 + GRACE_MS);
	answer(_i ? -EINTR : -ECANCELED);
	ck_assert_str_eq(text, "-DEL_DEV =-125 ");
}
END_TEST

/* what it was answered all the same counts */
START_TEST(cancelled_too_late)
{
	start(UBLKEV_CMD_STOP_DEV, 0);
	answer(0);
	cancel();
	answer(_i ? -ENODEV : 0);
	ck_assert_str_eq(text, _i ?
			 "GET_DEV_INFO2 STOP_DEV -STOP_DEV =-19 " :
			 "GET_DEV_INFO2 STOP_DEV -STOP_DEV =0 ");
}
END_TEST

/* while asking: the command itself is not sent any more */
START_TEST(cancelled_early)
{
	start(UBLKEV_CMD_STOP_DEV, 0);
	cancel();
	answer(0);
	ck_assert_str_eq(text, "GET_DEV_INFO2 -GET_DEV_INFO2 =-125 ");
	start(UBLKEV_CMD_GET_DEV_INFO, 0);
	cancel();
	answer(-ENOENT);
	ck_assert_str_eq(text, "GET_DEV_INFO2 -GET_DEV_INFO2 =-125 ");
}
END_TEST

START_TEST(cancelled_before_sending)
{
	struct ublkev__ctrl_answer ok = { .info.id = ID };

	start(UBLKEV_CMD_STOP_DEV, 0);
	ublkev__cmdlife_done(&l, UBLKEV__CTRL_GET_DEV_INFO2, &ok, now);
	ublkev__cmdlife_cancel(&l, now);	/* SEND is not pulled yet */
	pull();
	ck_assert_str_eq(text, "GET_DEV_INFO2 =-125 ");
	ck_assert_int_eq(l.cmd, UBLKEV__CTRL_NONE);
	/* and when nothing is under way, or it is over */
	cancel();
	ck_assert_str_eq(text, "GET_DEV_INFO2 =-125 ");
	start(UBLKEV_CMD_GET_FEATURES, 0);
	ublkev__cmdlife_done(&l, UBLKEV__CTRL_GET_FEATURES, &ok, now);
	ublkev__cmdlife_cancel(&l, now);
	pull();
	ck_assert_str_eq(text, "GET_FEATURES =0 ");
}
END_TEST

/* ---- time ----------------------------------------------------------------- */

START_TEST(times_out)
{
	start(UBLKEV_CMD_STOP_DEV, 0);
	answer(0);
	text[0] = '\0';
	tick(CMD_MS - 1);
	ck_assert_str_eq(text, "");
	tick(1);
	ck_assert_str_eq(text, "-STOP_DEV ");
	tick(GRACE_MS - 1);
	ck_assert_str_eq(text, "-STOP_DEV ");
	tick(1);
	ck_assert_str_eq(text, "-STOP_DEV lost=-110 ");
	ck_assert_uint_eq(l.deadline_ms, UINT64_MAX);
	ck_assert_int_eq(l.pending, UBLKEV__CTRL_NONE);
}
END_TEST

START_TEST(times_out_and_ends)
{
	start(UBLKEV_CMD_STOP_DEV, 0);
	tick(CMD_MS);
	answer(_i ? 0 : -EINTR);
	ck_assert_str_eq(text, "GET_DEV_INFO2 -GET_DEV_INFO2 =-110 ");
	start(UBLKEV_CMD_STOP_DEV, 0);
	answer(0);
	tick(CMD_MS);
	answer(_i ? 0 : -EINTR);
	ck_assert_str_eq(text, _i ?
			 "GET_DEV_INFO2 STOP_DEV -STOP_DEV =0 " :
			 "GET_DEV_INFO2 STOP_DEV -STOP_DEV =-110 ");
}
END_TEST

/* cancelled by wish, but it does not end: then it is time that ends it */
START_TEST(cancel_times_out)
{
	start(UBLKEV_CMD_DEL_DEV, 0);
	answer(0);
	cancel();
	text[0] = '\0';
	tick(GRACE_MS);
	ck_assert_str_eq(text, "lost=-110 ");
}
END_TEST

/* each of the two commands has all of it */
START_TEST(times_add_up)
{
	start(UBLKEV_CMD_STOP_DEV, 0);
	tick(CMD_MS - 1);
	answer(0);
	tick(CMD_MS - 1);
	ck_assert_str_eq(text, "GET_DEV_INFO2 STOP_DEV ");
	tick(1);
	ck_assert_str_eq(text, "GET_DEV_INFO2 STOP_DEV -STOP_DEV ");
}
END_TEST

START_TEST(quiesce_has_the_kernels_patience)
{
	start(UBLKEV_CMD_QUIESCE_DEV, 30000);
	ck_assert_uint_eq(l.deadline_ms, now + CMD_MS);
	answer(0);
	ck_assert_uint_eq(l.deadline_ms, now + CMD_MS + 30000);
	/* which is 32 bits of milliseconds */
	ck_assert_int_eq(start(UBLKEV_CMD_QUIESCE_DEV, UINT32_MAX), 0);
	answer(0);
	ck_assert_uint_eq(l.deadline_ms, now + CMD_MS + UINT32_MAX);
	ck_assert_int_eq(start(UBLKEV_CMD_QUIESCE_DEV, UINT64_C(1) << 32),
			 -EINVAL);
	ck_assert_int_eq(start(UBLKEV_CMD_QUIESCE_DEV, UINT64_MAX), -EINVAL);
}
END_TEST

/* ---- answers to no question ----------------------------------------------- */

START_TEST(other_answers)
{
	const struct ublkev__ctrl_answer ok = { .res = 0 };
	struct ublkev__cmdlife before;
	unsigned int cmd;

	start(UBLKEV_CMD_STOP_DEV, 0);
	if (_i)
		answer(0);
	if (_i > 1)
		answer(0);
	if (_i > 2) {
		start(UBLKEV_CMD_STOP_DEV, 0);
		tick(CMD_MS);
		tick(GRACE_MS);
	}
	before = l;
	for (cmd = 0; cmd < UBLKEV__NR_CTRL_CMDS; cmd++)
		if (cmd != (unsigned int)l.pending || _i > 1)
			ublkev__cmdlife_done(&l, (enum ublkev__ctrl_cmd)cmd,
					     &ok, now);
	ck_assert_mem_eq(&before, &l, sizeof(l));
	ck_assert_int_eq(ublkev__cmdlife_next(&l), UBLKEV__CMDLIFE_NONE);
}
END_TEST

/* the next device is asked for by nothing that is known of the former */
START_TEST(asked_anew)
{
	ck_assert_int_eq(start(UBLKEV_CMD_STOP_DEV, 0), 0);
	answer(0);
	answer(0);
	ck_assert_uint_eq(l.info.features, 0x42);
	ck_assert_int_eq(ublkev__cmdlife_start(&l, UBLKEV_CMD_STOP_DEV, ID + 1,
					       0, now), 0);
	ck_assert_int_eq(l.info.id, ID + 1);
	ck_assert_uint_eq(l.info.features, 0);
	ck_assert_int_eq(l.info.pid, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cmd");
	TCase *tc = tcase_create("cmd");

	tcase_add_loop_test(tc, asked_first, 0, (int)TEST_COUNT(cmds));
	tcase_add_test(tc, asked_anew);
	tcase_add_test(tc, no_size_without_disk);
	tcase_add_test(tc, info);
	tcase_add_test(tc, info_by_the_other_way);
	tcase_add_test(tc, features);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, not_started);
	tcase_add_loop_test(tc, cancelled, 0, 2);
	tcase_add_loop_test(tc, cancelled_too_late, 0, 2);
	tcase_add_test(tc, cancelled_early);
	tcase_add_test(tc, cancelled_before_sending);
	tcase_add_test(tc, times_out);
	tcase_add_loop_test(tc, times_out_and_ends, 0, 2);
	tcase_add_test(tc, cancel_times_out);
	tcase_add_test(tc, times_add_up);
	tcase_add_test(tc, quiesce_has_the_kernels_patience);
	tcase_add_loop_test(tc, other_answers, 0, 4);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
