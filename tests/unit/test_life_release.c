/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * life: a live device that is released to the next server
 */
#include <errno.h>

#include "core/params.h"
#include "life_kit.h"

static void release(struct life *l)
{
	ck_assert_int_eq(ublkev__life_release(&l->c, l->now), 0);
	life_pull(l);
}

static void begin_quiesce(struct life *l)
{
	life_live(l, UBLKEV_RECOVERY_REQUEUE, KERNEL_73);
	release(l);
	ck_assert_str_eq(l->text, "QUIESCE_DEV ");
	l->t0 = l->now;
	l->text[0] = '\0';
}

/* quiesced, and the backend still has requests */
static void begin_finishing(struct life *l)
{
	begin_quiesce(l);
	life_answer(l, 0);
	ck_assert_str_eq(l->text, "");
}

START_TEST(released_by_quiesce)
{
	struct ublkev__life_action a;
	struct life l;

	life_live(&l, UBLKEV_RECOVERY_REQUEUE, KERNEL_73);
	ck_assert_int_eq(ublkev__life_release(&l.c, l.now), 0);
	ck_assert(ublkev__life_next(&l.c, &a));
	ck_assert_int_eq(a.cmd, UBLKEV__CTRL_QUIESCE_DEV);
	/* the kernel gives up before we do */
	ck_assert_uint_eq(a.data, STOP_MS - GRACE_MS);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + STOP_MS);
	life_idle(&l);		/* not yet: requests may still come */
	life_tag_died(&l);
	life_drained(&l);
	ck_assert_str_eq(l.text, "");
	life_answer(&l, 0);
	ck_assert_int_eq(l.c.step, UBLKEV_STEP_QUIESCE);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + STOP_MS);
	life_idle(&l);
	ck_assert_str_eq(l.text, "CLOSE !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, 0, UBLKEV_STEP_IDLE);
	life_idle(&l);
	ck_assert_str_eq(l.text, "CLOSE !STOPPED ");
}
END_TEST

/* ---- with operations on files ------------------------------------------------ */

static void begin_with_files(struct life *l)
{
	begin_quiesce(l);
	l->c.traits |= UBLKEV__CAN_PLACE;
	l->c.files = true;
	l->files_stay = true;
}

/* idle, none is out: that is asked once more, and answered at once */
START_TEST(released_with_files)
{
	struct life l;

	begin_with_files(&l);
	life_answer(&l, 0);
	life_idle(&l);
	ck_assert_str_eq(l.text, "RECALL ");
	ck_assert_int_eq(l.c.step, UBLKEV_STEP_RECALL);
	life_recalled(&l);
	ck_assert_str_eq(l.text, "RECALL CLOSE !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, 0, UBLKEV_STEP_IDLE);
}
END_TEST

/* silence: they are cancelled, and a grace period later left to the kernel */
START_TEST(files_that_stay)
{
	struct life l;

	begin_with_files(&l);
	life_answer(&l, 0);
	life_silent(&l);
	ck_assert_str_eq(l.text,
			 "@5000 !ERROR RECALL @5200 CLOSE !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, -ETIMEDOUT,
			 UBLKEV_STEP_QUIESCE);
}
END_TEST

/* QUIESCE_DEV itself is never answered */
START_TEST(files_under_a_command)
{
	struct life l;

	begin_with_files(&l);
	life_silent(&l);
	ck_assert_str_eq(l.text, "@5000 !ERROR RECALL @5200 CLOSE "
			 "@5400 !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_LOST, -ETIMEDOUT,
			 UBLKEV_STEP_QUIESCE);
	/* answered when they are back: what is left is waited for */
	begin_with_files(&l);
	life_climb(&l);
	life_recalled(&l);
	life_answer(&l, 0);
	ck_assert_str_eq(l.text, "!ERROR RECALL CLOSE !STOPPED ");
	/* answered before they are back */
	begin_with_files(&l);
	life_climb(&l);
	life_answer(&l, 0);
	ck_assert_int_eq(l.c.step, UBLKEV_STEP_RECALL);
	life_recalled(&l);
	ck_assert_str_eq(l.text, "!ERROR RECALL RECALL CLOSE !STOPPED ");
}
END_TEST

/* an abort gives them a grace period, and no more once they are recalled */
START_TEST(files_and_an_abort)
{
	struct life l;

	begin_with_files(&l);
	life_answer(&l, 0);
	l.now += 100;
	life_idle(&l);
	l.t0 = l.now;
	life_abort(&l);
	life_silent(&l);
	ck_assert_str_eq(l.text, "RECALL @200 !ERROR CLOSE !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, -ETIMEDOUT,
			 UBLKEV_STEP_RECALL);
}
END_TEST

/* all tags are back: then none is out either */
START_TEST(files_drained)
{
	struct life l;

	begin_with_files(&l);
	life_answer(&l, 0);
	life_idle(&l);
	life_tag_died(&l);
	life_drained(&l);
	ck_assert_str_eq(l.text, "RECALL CLOSE !STOPPED ");
	begin_with_files(&l);
	life_answer(&l, 0);
	life_tag_died(&l);
	life_drained(&l);
	life_idle(&l);
	ck_assert_str_eq(l.text, "CLOSE !STOPPED ");
}
END_TEST

START_TEST(release_goes_on)
{
	struct life l;

	begin_finishing(&l);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + STOP_MS);
	/* under way, and under way it stays */
	release(&l);
	life_stop(&l);
	ck_assert_str_eq(l.text, "");
	life_idle(&l);
	ck_assert_str_eq(l.text, "CLOSE !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, 0, UBLKEV_STEP_IDLE);
}
END_TEST

START_TEST(release_impossible)
{
	static const struct {
		enum ublkev_recovery recovery;
		uint64_t kernel;
		int err;
	} cases[] = {
		{ UBLKEV_RECOVERY_NONE, KERNEL_73, -EOPNOTSUPP },
		{ UBLKEV_RECOVERY_NONE, KERNEL_612, -EOPNOTSUPP },
		{ UBLKEV_RECOVERY_REQUEUE, KERNEL_612, -EOPNOTSUPP },
		/* 6.13: fails, but can't quiesce yet */
		{ UBLKEV_RECOVERY_FAIL_IO, KERNEL_612 | 1u << 9, -EOPNOTSUPP },
		{ UBLKEV_RECOVERY_REISSUE, KERNEL_612, -EOPNOTSUPP },
		{ UBLKEV_RECOVERY_REQUEUE, KERNEL_73, 0 },
		{ UBLKEV_RECOVERY_REISSUE, KERNEL_73, 0 },
		{ UBLKEV_RECOVERY_FAIL_IO, KERNEL_73, 0 },
	};
	struct life l;

	life_live(&l, cases[_i].recovery, cases[_i].kernel);
	ck_assert_int_eq(ublkev__life_release(&l.c, l.now), cases[_i].err);
	life_pull(&l);
	if (cases[_i].err)
		ck_assert_str_eq(l.text, "");
	if (cases[_i].err)
		life_assert_live(&l);
}
END_TEST

/* as if nothing had been, and another attempt is possible */
START_TEST(quiesce_refused)
{
	static const struct {
		int err;
		const char *text;
	} cases[] = {
		{ -EOPNOTSUPP, "!REFUSED=-95 " }, { -ENODEV, "!REFUSED=-19 " },
		{ -EPERM, "!REFUSED=-1 " }, { -EPIPE, "!REFUSED=-32 " },
		{ -EINVAL, "!REFUSED=-22 " },
	};
	struct life l;

	begin_quiesce(&l);
	life_answer(&l, cases[_i].err);
	ck_assert_str_eq(l.text, cases[_i].text);
	life_assert_live(&l);
	release(&l);
	life_answer(&l, 0);
	life_idle(&l);
	life_assert_over(&l, UBLKEV_STEP_RELEASED, 0, UBLKEV_STEP_IDLE);
}
END_TEST

/* a stop that follows has the whole of its own limit */
START_TEST(refused_then_stopped)
{
	struct life l;

	life_init(&l, -1);
	life_make(&l, UBLKEV_RECOVERY_REQUEUE, KERNEL_73);
	l.c.conf.stop_limit_ms = 2 * STOP_MS;
	life_lead(&l, UBLKEV__LIFE_ADD, UBLKEV_STEP_QUIESCE);
	life_answer(&l, -EPERM);
	l.now += 3 * STOP_MS;
	life_stop(&l);
	ck_assert_int_eq(l.c.step, UBLKEV_STEP_STOP);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + STOP_MS);
}
END_TEST

/* the driver keeps requests back for good then: released all the same */
START_TEST(quiesce_half_done)
{
	static const int errs[] = { -EBUSY, -EINTR };
	struct life l;

	begin_quiesce(&l);
	life_answer(&l, errs[_i]);
	ck_assert_str_eq(l.text, "");
	life_idle(&l);
	ck_assert_str_eq(l.text, "CLOSE !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, 0, UBLKEV_STEP_IDLE);
}
END_TEST

/* stopped by somebody else in between */
START_TEST(quiesce_refused_and_drained)
{
	struct life l;

	begin_quiesce(&l);
	life_drained(&l);
	life_answer(&l, -ENODEV);
	life_polite(&l);
	ck_assert_str_eq(l.text, "!ERROR CLOSE DEL_DEV !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, -ENODEV, UBLKEV_STEP_QUIESCE);
}
END_TEST

/* the backend never finishes: what it has is the driver's to hand on */
START_TEST(release_times_out)
{
	struct life l;

	begin_quiesce(&l);
	life_answer(&l, 0);
	life_silent(&l);
	ck_assert_str_eq(l.text, "@5000 !ERROR CLOSE !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, -ETIMEDOUT,
			 UBLKEV_STEP_QUIESCE);
}
END_TEST

/* busy all the while: the driver has given up, and then so do we */
START_TEST(quiesce_in_vain)
{
	struct life l;

	begin_quiesce(&l);
	l.now += STOP_MS - GRACE_MS + 5;
	life_answer(&l, -EBUSY);
	ck_assert_str_eq(l.text, "");
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + GRACE_MS);
	life_silent(&l);
	ck_assert_str_eq(l.text, "@5005 !ERROR CLOSE !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, -ETIMEDOUT,
			 UBLKEV_STEP_QUIESCE);
}
END_TEST

/* what is left of a device's patience is never 0, which the driver takes for
   ever, and never more than our own */
START_TEST(quiesce_patience)
{
	static const struct {
		uint32_t stop_ms, grace_ms, limit_ms;
		uint64_t data;
	} cases[] = {
		{ 30000, 2000, 0, 28000 }, { 1, 2000, 0, 1000 },
		{ 1, 1, 0, 1 }, { 3000, 2000, 0, 1500 },
		{ 30000, 2000, 10000, 8000 }, { UINT32_MAX / 2, 1, 0,
						UINT32_MAX / 2 - 1 },
	};
	struct ublkev__life_action a;
	struct life l;

	life_live(&l, UBLKEV_RECOVERY_REQUEUE, KERNEL_73);
	l.c.conf.stop_timeout_ms = cases[_i].stop_ms;
	l.c.conf.grace_ms = cases[_i].grace_ms;
	l.c.conf.stop_limit_ms = cases[_i].limit_ms;
	ck_assert_int_eq(ublkev__life_release(&l.c, l.now), 0);
	ck_assert(ublkev__life_next(&l.c, &a));
	ck_assert_uint_eq(a.data, cases[_i].data);
	ck_assert_uint_gt(ublkev__life_deadline_ms(&l.c), l.now);
}
END_TEST

START_TEST(quiesce_silent)
{
	struct life l;

	begin_quiesce(&l);
	life_silent(&l);
	ck_assert_str_eq(l.text, "@5000 !ERROR CLOSE @5200 !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_LOST, -ETIMEDOUT, UBLKEV_STEP_QUIESCE);
	/* closing helped */
	begin_quiesce(&l);
	life_climb(&l);
	life_answer(&l, -EINTR);
	ck_assert_str_eq(l.text, "!ERROR CLOSE !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, -ETIMEDOUT,
			 UBLKEV_STEP_QUIESCE);
}
END_TEST

/* not waiting for the backend, which is no error */
START_TEST(abort_while_finishing)
{
	struct life l;

	begin_finishing(&l);
	life_abort(&l);
	ck_assert_str_eq(l.text, "");
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now);
	/* nor for what it still answers */
	ublkev__life_progress(&l.c, l.now);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now);
	ublkev__life_tick(&l.c, l.now);
	life_pull(&l);
	ck_assert_str_eq(l.text, "CLOSE !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, 0, UBLKEV_STEP_IDLE);
}
END_TEST

START_TEST(fault_while_finishing)
{
	struct life l;

	begin_finishing(&l);
	life_fault(&l, -EIO);
	ck_assert_str_eq(l.text, "!ERROR ");
	life_idle(&l);
	ck_assert_str_eq(l.text, "!ERROR CLOSE !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, -EIO, UBLKEV_STEP_QUIESCE);
}
END_TEST

/* while QUIESCE_DEV waits the device is still ours to stop */
START_TEST(stop_while_quiescing)
{
	struct life l;

	begin_quiesce(&l);
	life_stop(&l);
	ck_assert_str_eq(l.text, "-QUIESCE_DEV ");
	life_idle(&l);
	life_answer(&l, -EINTR);
	life_polite(&l);
	ck_assert_str_eq(l.text, "-QUIESCE_DEV STOP_DEV CLOSE DEL_DEV "
			 "!STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, 0, UBLKEV_STEP_IDLE);
}
END_TEST

/* aborted when the driver refuses what was to be waited for */
START_TEST(abort_while_quiescing)
{
	struct life l;

	begin_quiesce(&l);
	life_abort(&l);
	ck_assert_str_eq(l.text, "-QUIESCE_DEV ");
	life_answer(&l, _i ? -ENODEV : -EINVAL);
	if (_i) {
		ck_assert_str_eq(l.text, "-QUIESCE_DEV !ERROR CLOSE !STOPPED ");
		life_assert_over(&l, UBLKEV_STEP_GONE, -ENODEV,
				 UBLKEV_STEP_QUIESCE);
	} else {
		ck_assert_str_eq(l.text, "-QUIESCE_DEV CLOSE !STOPPED ");
		life_assert_over(&l, UBLKEV_STEP_RELEASED, 0,
				 UBLKEV_STEP_IDLE);
	}
}
END_TEST

/* what a stop began is aborted: its requests fail as in any other step */
START_TEST(abort_of_stop_while_quiescing)
{
	struct life l;

	begin_quiesce(&l);
	life_stop(&l);
	life_abort(&l);
	ck_assert_str_eq(l.text, "-QUIESCE_DEV ABORT ");
	life_silent(&l);
	ck_assert_str_eq(l.text, "-QUIESCE_DEV ABORT @200 CLOSE @400 !ERROR "
			 "!STOPPED ");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("life_release");
	TCase *tc = tcase_create("release");

	tcase_add_test(tc, released_by_quiesce);
	tcase_add_test(tc, released_with_files);
	tcase_add_test(tc, files_that_stay);
	tcase_add_test(tc, files_under_a_command);
	tcase_add_test(tc, files_and_an_abort);
	tcase_add_test(tc, files_drained);
	tcase_add_test(tc, release_goes_on);
	tcase_add_loop_test(tc, release_impossible, 0, 8);
	tcase_add_loop_test(tc, quiesce_refused, 0, 5);
	tcase_add_loop_test(tc, quiesce_half_done, 0, 2);
	tcase_add_test(tc, quiesce_refused_and_drained);
	tcase_add_test(tc, release_times_out);
	tcase_add_test(tc, refused_then_stopped);
	tcase_add_test(tc, quiesce_in_vain);
	tcase_add_loop_test(tc, quiesce_patience, 0, 6);
	tcase_add_test(tc, quiesce_silent);
	tcase_add_test(tc, abort_while_finishing);
	tcase_add_test(tc, fault_while_finishing);
	tcase_add_test(tc, stop_while_quiescing);
	tcase_add_loop_test(tc, abort_while_quiescing, 0, 2);
	tcase_add_test(tc, abort_of_stop_while_quiescing);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
