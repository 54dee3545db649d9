/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * life: what a kernel has to offer, and devices of ordinary users
 */
#include <errno.h>
#include <string.h>

#include "life_kit.h"

/* ---- ordinary users' ------------------------------------------------------ */

static void begin_user(struct life *l, enum ublkev_step step)
{
	life_make(l, UBLKEV_RECOVERY_NONE, KERNEL_612);
	l->c.conf.flags |= UBLKEV_CONF_UNPRIVILEGED;
	life_lead(l, UBLKEV__LIFE_ADD, step);
	if (step > UBLKEV_STEP_ADD)
		ck_assert(l->c.info.features & UBLKEV__F(UNPRIVILEGED_DEV));
}

static const int not_yet[] = { -EACCES, -EPERM, -ENOENT };

START_TEST(user_waits_for_udev)
{
	struct life l;

	begin_user(&l, UBLKEV_STEP_PARAMS);
	life_answer(&l, not_yet[_i]);
	ck_assert_str_eq(l.text, "");
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + 20);
	l.now += 20;
	ublkev__life_tick(&l.c, l.now);
	life_pull(&l);
	life_answer(&l, 0);
	ck_assert_str_eq(l.text, "SET_PARAMS OPEN ");
}
END_TEST

START_TEST(user_waits_in_vain)
{
	unsigned int tries = 0;
	struct life l;

	begin_user(&l, UBLKEV_STEP_PARAMS);
	while (l.c.step == UBLKEV_STEP_PARAMS) {
		l.text[0] = '\0';
		life_answer(&l, not_yet[_i]);
		tries++;
		if (l.c.step != UBLKEV_STEP_PARAMS)
			break;
		l.now = ublkev__life_deadline_ms(&l.c);
		ublkev__life_tick(&l.c, l.now);
		life_pull(&l);
	}
	ck_assert_uint_eq(tries, CMD_MS / 20);
	life_polite(&l);
	ck_assert_str_eq(l.text, "!ERROR DEL_DEV !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, not_yet[_i], UBLKEV_STEP_PARAMS);
}
END_TEST

START_TEST(user_stops_while_waiting)
{
	struct life l;

	begin_user(&l, UBLKEV_STEP_PARAMS);
	life_answer(&l, -EACCES);
	life_stop(&l);
	life_polite(&l);
	ck_assert_str_eq(l.text, "DEL_DEV !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, 0, UBLKEV_STEP_IDLE);
}
END_TEST

/* no such patience with root's, nor with what waiting does not mend */
START_TEST(no_udev_to_wait_for)
{
	struct life l;

	life_begin(&l, UBLKEV_STEP_PARAMS);
	life_answer(&l, -EACCES);
	ck_assert_str_eq(l.text, "!ERROR DEL_DEV ");
	begin_user(&l, UBLKEV_STEP_PARAMS);
	life_answer(&l, -EINVAL);
	ck_assert_str_eq(l.text, "!ERROR DEL_DEV ");
}
END_TEST

/* there is no DEL_DEV_ASYNC: interrupted, it goes when its users do */
START_TEST(user_del_cancelled)
{
	struct life l;

	begin_user(&l, UBLKEV_STEP_DEL);
	l.now = ublkev__life_deadline_ms(&l.c);
	ublkev__life_tick(&l.c, l.now);
	life_pull(&l);
	life_answer(&l, -EINTR);
	ck_assert_str_eq(l.text, "!ERROR -DEL_DEV !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, -ETIMEDOUT, UBLKEV_STEP_DEL);
	begin_user(&l, UBLKEV_STEP_DEL);
	life_answer(&l, -EACCES);
	ck_assert_str_eq(l.text, "!ERROR !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_LOST, -EACCES, UBLKEV_STEP_DEL);
}
END_TEST

START_TEST(user_remove)
{
	struct life l;

	life_make(&l, UBLKEV_RECOVERY_NONE, KERNEL_612);
	l.c.conf.flags |= UBLKEV_CONF_UNPRIVILEGED;
	ublkev__life_start(&l.c, UBLKEV__LIFE_REMOVE, l.now);
	life_pull(&l);
	ck_assert_uint_eq(l.c.info.features, UBLKEV__F(UNPRIVILEGED_DEV));
	life_polite(&l);
	ck_assert_str_eq(l.text, "STOP_DEV DEL_DEV !STOPPED ");
}
END_TEST

/* ---- features ------------------------------------------------------------ */

START_TEST(needed_features)
{
	struct life l;

	life_make(&l, UBLKEV_RECOVERY_FAIL_IO, KERNEL_612);
	ublkev__life_start(&l.c, UBLKEV__LIFE_ADD, l.now);
	life_pull(&l);
	l.text[0] = '\0';
	life_answer(&l, 0);
	ck_assert_str_eq(l.text, "!ERROR !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, -EOPNOTSUPP,
			 UBLKEV_STEP_FEATURES);
}
END_TEST

/* it says it has them, and clears them in ADD_DEV: not what was asked for */
START_TEST(cleared_features)
{
	struct ublkev__ctrl_answer a = { .res = 0 };
	struct life l;

	life_make(&l, UBLKEV_RECOVERY_REISSUE, KERNEL_612);
	life_lead(&l, UBLKEV__LIFE_ADD, UBLKEV_STEP_ADD);
	a.info = l.c.info;
	a.info.features &= ~UBLKEV__F(USER_RECOVERY_REISSUE);
	life_tell(&l, UBLKEV__CTRL_ADD_DEV, &a);
	life_polite(&l);
	ck_assert_str_eq(l.text, "!ERROR DEL_DEV !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, -EOPNOTSUPP, UBLKEV_STEP_ADD);
}
END_TEST

/* who would make START_DEV wait for a scan that may outlive its server */
START_TEST(hides_privilege)
{
	static const struct {
		enum ublkev_recovery recovery;
		uint64_t kernel;
		enum ublkev__life_mode mode;
		bool hides;
	} cases[] = {
		{ UBLKEV_RECOVERY_NONE, KERNEL_612, UBLKEV__LIFE_ADD, false },
		{ UBLKEV_RECOVERY_REQUEUE, KERNEL_612, UBLKEV__LIFE_ADD, true },
		{ UBLKEV_RECOVERY_REISSUE, KERNEL_612, UBLKEV__LIFE_ADD, true },
		{ UBLKEV_RECOVERY_REISSUE, KERNEL_612, UBLKEV__LIFE_RECOVER,
		  false },
		{ UBLKEV_RECOVERY_REISSUE, KERNEL_73, UBLKEV__LIFE_ADD, false },
		{ UBLKEV_RECOVERY_FAIL_IO, KERNEL_73, UBLKEV__LIFE_ADD, false },
	};
	struct life l;

	life_make(&l, cases[_i].recovery, cases[_i].kernel);
	life_lead(&l, cases[_i].mode, UBLKEV_STEP_START);
	ck_assert_int_eq(ublkev__life_hides_privilege(&l.c), cases[_i].hides);
}
END_TEST

static void add_rights(TCase *tc)
{
	tcase_add_loop_test(tc, user_waits_for_udev, 0, 3);
	tcase_add_loop_test(tc, user_waits_in_vain, 0, 3);
	tcase_add_test(tc, user_stops_while_waiting);
	tcase_add_test(tc, no_udev_to_wait_for);
	tcase_add_test(tc, user_del_cancelled);
	tcase_add_test(tc, user_remove);
	tcase_add_test(tc, needed_features);
	tcase_add_test(tc, cleared_features);
	tcase_add_loop_test(tc, hides_privilege, 0, 6);
}

int main(void)
{
	Suite *suite = suite_create("life_rights");
	TCase *tc = tcase_create("rights");

	add_rights(tc);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
