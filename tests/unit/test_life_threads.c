/* SPDX-License-Identifier: BSD-2-Clause */
/* What a device with a thread for each queue asks the driver beside the rest. */
#include <errno.h>
#include <string.h>

#include "life_kit.h"

#define CPUS "GET_QUEUE_AFFINITY "

/* of as many queues, at the first question */
static void asked(struct life *l, enum ublkev__life_mode mode,
		  unsigned int queues)
{
	enum ublkev_step step = mode == UBLKEV__LIFE_RECOVER ?
		UBLKEV_STEP_INFO : UBLKEV_STEP_PARAMS;

	life_make(l, mode == UBLKEV__LIFE_RECOVER ? UBLKEV_RECOVERY_REISSUE :
		  UBLKEV_RECOVERY_NONE, KERNEL_73);
	l->c.conf.flags |= UBLKEV_CONF_QUEUE_THREADS;
	l->c.info.queues = queues;
	life_lead(l, mode, step);
	while (l->c.pending != UBLKEV__CTRL_GET_QUEUE_AFFINITY)
		life_answer(l, 0);
	l->text[0] = '\0';
	l->t0 = l->now;
}

START_TEST(every_queue)
{
	enum ublkev__life_mode mode = _i ? UBLKEV__LIFE_RECOVER :
		UBLKEV__LIFE_ADD;
	struct ublkev__life_action a;
	unsigned int i;
	struct life l;

	asked(&l, mode, 3);
	for (i = 1; i < 3; i++) {
		l.now += CMD_MS / 2;
		ublkev__life_cmd_done(&l.c, l.c.pending,
				     &(struct ublkev__ctrl_answer){ 0 }, l.now);
		ck_assert(ublkev__life_next(&l.c, &a));
		ck_assert_int_eq(a.cmd, UBLKEV__CTRL_GET_QUEUE_AFFINITY);
		ck_assert_uint_eq(a.data, i);
		/* each has a deadline of its own */
		ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c),
				  l.now + CMD_MS);
	}
	life_answer(&l, 0);
	ck_assert_str_eq(l.text, _i ? "START_USER_RECOVERY " : "OPEN ");
}
END_TEST

/* nothing depends on it */
START_TEST(refused)
{
	enum ublkev__life_mode mode = _i ? UBLKEV__LIFE_RECOVER :
		UBLKEV__LIFE_ADD;
	struct life l;

	asked(&l, mode, 3);
	life_answer(&l, 0);
	life_answer(&l, -EPERM);
	ck_assert_str_eq(l.text, _i ? CPUS "START_USER_RECOVERY " :
			 CPUS "OPEN ");
	ck_assert_int_eq(l.c.err, 0);
}
END_TEST

START_TEST(stopped_meanwhile)
{
	enum ublkev__life_mode mode = _i & 1 ? UBLKEV__LIFE_RECOVER :
		UBLKEV__LIFE_ADD;
	struct life l;

	asked(&l, mode, 3);
	if (_i & 2)
		life_abort(&l);
	else
		life_stop(&l);
	ck_assert_str_eq(l.text, "");
	life_answer(&l, _i & 4 ? -EPERM : 0);
	life_polite(&l);
	ck_assert_str_eq(l.text, _i & 1 ? "!STOPPED " : "DEL_DEV !STOPPED ");
	ck_assert_int_eq(l.c.step, _i & 1 ? UBLKEV_STEP_RELEASED :
			 UBLKEV_STEP_GONE);
}
END_TEST

START_TEST(never_answered)
{
	struct life l;

	asked(&l, UBLKEV__LIFE_ADD, 3);
	life_silent(&l);
	ck_assert_str_eq(l.text, "@1000 !ERROR -" CPUS "@1200 !STOPPED ");
	ck_assert_int_eq(l.c.step, UBLKEV_STEP_LOST);
	asked(&l, UBLKEV__LIFE_ADD, 3);
	l.now += CMD_MS;
	ublkev__life_tick(&l.c, l.now);
	life_pull(&l);
	life_answer(&l, -EINTR);
	life_polite(&l);
	ck_assert_str_eq(l.text, "!ERROR -" CPUS "DEL_DEV !STOPPED ");
	ck_assert_int_eq(l.c.err, -ETIMEDOUT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("life_threads");
	TCase *tc = tcase_create("cpus");

	tcase_add_loop_test(tc, every_queue, 0, 2);
	tcase_add_loop_test(tc, refused, 0, 2);
	tcase_add_loop_test(tc, stopped_meanwhile, 0, 8);
	tcase_add_test(tc, never_answered);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
