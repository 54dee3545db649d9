/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * life: REG_BUF and UNREG_BUF, which wait for the requests of a live device
 */
#include <errno.h>
#include <string.h>

#include "core/params.h"
#include "life_kit.h"

static void up(struct life *l, uint64_t kernel)
{
	struct ublkev_conf conf;

	life_make(l, UBLKEV_RECOVERY_NONE, kernel);
	conf = l->c.conf;
	conf.features = UBLKEV_F_SHMEM_ZC;
	l->c.conf = conf;
	life_lead(l, UBLKEV__LIFE_ADD, UBLKEV_STEP_LIVE);
	l->text[0] = '\0';
}

static void assert_live(const struct life *l)
{
	ck_assert_int_eq(l->c.step, UBLKEV_STEP_LIVE);
	ck_assert_int_eq(l->c.err, 0);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l->c), UINT64_MAX);
	ck_assert_int_eq(ublkev__life_can_share(&l->c), 0);
}

/* 0: REG_BUF, 1: UNREG_BUF of number 5 */
static void begin(struct life *l, int which)
{
	ck_assert_int_eq(ublkev__life_can_share(&l->c), 0);
	if (which)
		ublkev__life_unshare(&l->c, 5, l->now);
	else
		ublkev__life_share(&l->c, l->now);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l->c), l->now + CMD_MS);
	ck_assert_int_eq(ublkev__life_can_share(&l->c), -EINVAL);
	ck_assert_int_eq(ublkev__life_can_resize(&l->c), -EINVAL);
	life_pull(l);
	ck_assert_str_eq(l->text, which ? "UNREG_BUF " : "REG_BUF ");
	l->text[0] = '\0';
}

/* the number that the driver gave is told */
START_TEST(answered)
{
	struct life l;

	up(&l, KERNEL_73);
	begin(&l, _i);
	life_answer(&l, _i ? 0 : 7);
	ck_assert_str_eq(l.text, _i ? "!SHARED=0 " : "!SHARED=7 ");
	assert_live(&l);
	l.text[0] = '\0';
	begin(&l, _i);
	life_answer(&l, -EFAULT);
	ck_assert_str_eq(l.text, "!SHARED=-14 ");
	assert_live(&l);
}
END_TEST

START_TEST(number)
{
	struct ublkev__life_action a;
	struct life l;

	up(&l, KERNEL_73);
	ublkev__life_unshare(&l.c, 5, l.now);
	ck_assert(ublkev__life_next(&l.c, &a));
	ck_assert_int_eq(a.cmd, UBLKEV__CTRL_UNREG_BUF);
	ck_assert_uint_eq(a.data, 5);
}
END_TEST

START_TEST(not_possible)
{
	struct life l;

	life_make(&l, UBLKEV_RECOVERY_NONE, KERNEL_73);
	ck_assert_int_eq(ublkev__life_can_share(&l.c), -EINVAL);
	life_lead(&l, UBLKEV__LIFE_ADD, UBLKEV_STEP_LIVE);
	/* it was not asked for; the kernel has none */
	ck_assert_int_eq(ublkev__life_can_share(&l.c), -EOPNOTSUPP);
	up(&l, KERNEL_612);
	ck_assert_int_eq(ublkev__life_can_share(&l.c), -EOPNOTSUPP);
}
END_TEST

/* the disk is served on, and no other change begins before the answer */
START_TEST(silent)
{
	struct life l;

	up(&l, KERNEL_73);
	begin(&l, _i % 2);
	life_climb(&l);
	ck_assert_str_eq(l.text, _i % 2 ? "-UNREG_BUF " : "-REG_BUF ");
	l.text[0] = '\0';
	life_climb(&l);
	ck_assert_str_eq(l.text, "!SHARED=-110 ");
	l.text[0] = '\0';
	ck_assert_int_eq(l.c.step, UBLKEV_STEP_LIVE);
	ck_assert_int_eq(ublkev__life_can_share(&l.c), -EBUSY);
	/* it comes late: nobody is told a second time */
	life_answer(&l, _i / 2 ? -EINTR : 0);
	ck_assert_str_eq(l.text, "");
	assert_live(&l);
}
END_TEST

/* a command that its deadline has ended */
START_TEST(cancelled)
{
	struct life l;

	up(&l, KERNEL_73);
	begin(&l, _i);
	life_climb(&l);
	l.text[0] = '\0';
	life_answer(&l, -EINTR);
	ck_assert_str_eq(l.text, "!SHARED=-110 ");
	assert_live(&l);
}
END_TEST

/* what it waits for are requests: these are failed, and it ends */
START_TEST(stopped_meanwhile)
{
	struct life l;

	up(&l, KERNEL_73);
	begin(&l, _i);
	life_stop(&l);
	ck_assert_str_eq(l.text, "");
	life_climb(&l);
	life_climb(&l);
	ck_assert_str_eq(l.text, _i ? "!ERROR -UNREG_BUF ABORT "
				    : "!ERROR -REG_BUF ABORT ");
	l.text[0] = '\0';
	life_answer(&l, 0);
	ck_assert_str_eq(l.text, "!SHARED=0 STOP_DEV ");
}
END_TEST

/* at once, if the application wants it so */
START_TEST(aborted_meanwhile)
{
	struct life l;

	up(&l, KERNEL_73);
	begin(&l, _i);
	life_abort(&l);
	ck_assert_str_eq(l.text, "ABORT ");
	life_answer(&l, -EINTR);
	ck_assert_str_eq(l.text, "ABORT !SHARED=-110 STOP_DEV ");
}
END_TEST

/* not even that helps: nobody is told less often than once */
START_TEST(lost_meanwhile)
{
	struct life l;

	up(&l, KERNEL_73);
	begin(&l, _i);
	life_stop(&l);
	life_climb(&l);
	life_climb(&l);
	l.text[0] = '\0';
	life_climb(&l);
	ck_assert_str_eq(l.text, "CLOSE !SHARED=-110 !STOPPED ");
	ck_assert_int_eq(l.c.step, UBLKEV_STEP_LOST);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("life_share");
	TCase *tc = tcase_create("share");

	tcase_add_loop_test(tc, answered, 0, 2);
	tcase_add_test(tc, number);
	tcase_add_test(tc, not_possible);
	tcase_add_loop_test(tc, silent, 0, 4);
	tcase_add_loop_test(tc, cancelled, 0, 2);
	tcase_add_loop_test(tc, stopped_meanwhile, 0, 2);
	tcase_add_loop_test(tc, aborted_meanwhile, 0, 2);
	tcase_add_loop_test(tc, lost_meanwhile, 0, 2);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
