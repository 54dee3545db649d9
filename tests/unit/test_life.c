/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a device, told and read as text: up, down, and refused or faulty
 * on the way, where stop and open are asked for and answered.
 */
#include <errno.h>
#include <string.h>

#include "life_kit.h"

static void assert_gone(const struct life *l)
{
	life_assert_over(l, UBLKEV_STEP_GONE, 0, UBLKEV_STEP_IDLE);
}

/* ---- a good life -------------------------------------------------------- */

START_TEST(happy)
{
	struct life l;

	life_init(&l, -1);
	ck_assert_int_eq(l.c.step, UBLKEV_STEP_IDLE);
	ublkev__life_start(&l.c, UBLKEV__LIFE_ADD, l.now);
	life_pull(&l);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + CMD_MS);
	life_answer(&l, 0);
	life_answer(&l, 0);
	ck_assert_int_eq(l.c.info.id, 3);
	life_answer(&l, 0);
	life_opened(&l, 0);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + START_MS);
	ck_assert_str_eq(l.text, "GET_FEATURES ADD_DEV SET_PARAMS OPEN ARM "
			 "START_DEV ");
	life_answer(&l, 0);
	ck_assert_int_eq(l.c.step, UBLKEV_STEP_LIVE);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), UINT64_MAX);
	l.text[0] = '\0';
	ublkev__life_tick(&l.c, UINT64_MAX - 1);
	life_pull(&l);
	ck_assert_str_eq(l.text, "");
	life_stop(&l);
	life_stop(&l);
	life_answer(&l, 0);
	ck_assert_int_eq(l.c.step, UBLKEV_STEP_DRAIN);
	life_drained(&l);
	life_answer(&l, 0);
	ck_assert_str_eq(l.text, "STOP_DEV CLOSE DEL_DEV !STOPPED ");
	assert_gone(&l);
}
END_TEST

START_TEST(drained_before_stop_answers)
{
	struct life l;

	life_begin(&l, UBLKEV_STEP_STOP);
	life_drained(&l);
	ck_assert_str_eq(l.text, "");
	life_polite(&l);
	ck_assert_str_eq(l.text, "CLOSE DEL_DEV !STOPPED ");
	assert_gone(&l);
}
END_TEST

START_TEST(idle_and_over)
{
	struct life l;

	life_init(&l, -1);
	life_stop(&l);
	life_abort(&l);
	life_fault(&l, -EIO);
	ublkev__life_tick(&l.c, l.now);
	ck_assert_int_eq(l.c.step, UBLKEV_STEP_IDLE);
	life_begin(&l, UBLKEV_STEP_DEL);
	life_polite(&l);
	l.text[0] = '\0';
	life_stop(&l);
	life_abort(&l);
	life_fault(&l, -EIO);
	ublkev__life_tick(&l.c, l.now + 1000000);
	life_pull(&l);
	ck_assert_str_eq(l.text, "");
	assert_gone(&l);
}
END_TEST

/* ---- what is undone ----------------------------------------------------- */

static const struct {
	enum ublkev_step step;
	const char *stop, *abort, *fault;
} undo[] = {
	{ UBLKEV_STEP_FEATURES, "!STOPPED ", "!STOPPED ",
	  "!ERROR !STOPPED " },
	{ UBLKEV_STEP_ADD, "DEL_DEV !STOPPED ", "DEL_DEV !STOPPED ",
	  "!ERROR DEL_DEV !STOPPED " },
	{ UBLKEV_STEP_PARAMS, "DEL_DEV !STOPPED ", "DEL_DEV !STOPPED ",
	  "!ERROR DEL_DEV !STOPPED " },
	{ UBLKEV_STEP_OPEN, "CLOSE DEL_DEV !STOPPED ",
	  "CLOSE DEL_DEV !STOPPED ", "!ERROR CLOSE DEL_DEV !STOPPED " },
	{ UBLKEV_STEP_START,
	  "-START_DEV STOP_DEV CLOSE DEL_DEV !STOPPED ",
	  "-START_DEV ABORT STOP_DEV CLOSE DEL_DEV !STOPPED ",
	  "!ERROR -START_DEV STOP_DEV CLOSE DEL_DEV !STOPPED " },
	{ UBLKEV_STEP_LIVE, "STOP_DEV CLOSE DEL_DEV !STOPPED ",
	  "STOP_DEV ABORT CLOSE DEL_DEV !STOPPED ",
	  "!ERROR STOP_DEV CLOSE DEL_DEV !STOPPED " },
	{ UBLKEV_STEP_STOP, "CLOSE DEL_DEV !STOPPED ",
	  "ABORT CLOSE DEL_DEV !STOPPED ",
	  "!ERROR CLOSE DEL_DEV !STOPPED " },
	{ UBLKEV_STEP_DRAIN, "CLOSE DEL_DEV !STOPPED ",
	  "ABORT CLOSE DEL_DEV !STOPPED ",
	  "!ERROR CLOSE DEL_DEV !STOPPED " },
	{ UBLKEV_STEP_CLOSE, "CLOSE DEL_DEV !STOPPED ",
	  "CLOSE DEL_DEV !STOPPED ", "CLOSE !ERROR DEL_DEV !STOPPED " },
	{ UBLKEV_STEP_DEL, "!STOPPED ", "!STOPPED ", "!ERROR !STOPPED " },
};

START_TEST(stop_anywhere)
{
	struct life l;

	life_begin(&l, undo[_i].step);
	life_stop(&l);
	life_polite(&l);
	ck_assert_str_eq(l.text, undo[_i].stop);
	assert_gone(&l);
}
END_TEST

START_TEST(abort_anywhere)
{
	struct life l;

	life_begin(&l, undo[_i].step);
	life_abort(&l);
	life_abort(&l);
	life_polite(&l);
	ck_assert_str_eq(l.text, undo[_i].abort);
	assert_gone(&l);
}
END_TEST

START_TEST(fault_anywhere)
{
	struct life l;

	life_begin(&l, undo[_i].step);
	ublkev__life_fault(&l.c, -EXDEV, l.now);
	life_fault(&l, -EIO);
	life_polite(&l);
	ck_assert_str_eq(l.text, undo[_i].fault);
	life_assert_over(&l, UBLKEV_STEP_GONE, -EXDEV, undo[_i].step);
}
END_TEST

/* ---- commands that fail (contract A.6) ---------------------------------- */

static const struct {
	enum ublkev_step step, end;
	const char *text;
	int errs[9];
} refusals[] = {
	{ UBLKEV_STEP_FEATURES, UBLKEV_STEP_GONE, "!ERROR !STOPPED ",
	  { -EPERM, -EINVAL, -EFAULT, -EIO } },
	{ UBLKEV_STEP_ADD, UBLKEV_STEP_GONE, "!ERROR !STOPPED ",
	  { -EINVAL, -EPERM, -EACCES, -EEXIST, -EFAULT, -ENOMEM, -EINTR,
	    -EOPNOTSUPP } },
	{ UBLKEV_STEP_PARAMS, UBLKEV_STEP_GONE, "!ERROR DEL_DEV !STOPPED ",
	  { -EACCES, -EINVAL, -EFAULT, -ENODEV, -EPERM, -EOPNOTSUPP } },
	{ UBLKEV_STEP_START, UBLKEV_STEP_GONE,
	  "!ERROR STOP_DEV CLOSE DEL_DEV !STOPPED ",
	  { -EINVAL, -EINTR, -EEXIST, -EBUSY, -EPERM, -ENODEV, -ENOMEM } },
	{ UBLKEV_STEP_STOP, UBLKEV_STEP_GONE,
	  "!ERROR CLOSE DEL_DEV !STOPPED ",
	  { -EPERM, -EINTR, -EOPNOTSUPP, -EAGAIN } },
	{ UBLKEV_STEP_DEL, UBLKEV_STEP_LOST, "!ERROR !STOPPED ",
	  { -EPERM, -EINVAL, -EOPNOTSUPP } },
};

START_TEST(refused)
{
	const int *err;
	struct life l;

	for (err = refusals[_i].errs; *err; err++) {
		life_begin(&l, refusals[_i].step);
		life_answer(&l, *err);
		life_polite(&l);
		ck_assert_str_eq(l.text, refusals[_i].text);
		life_assert_over(&l, refusals[_i].end, *err, refusals[_i].step);
	}
}
END_TEST

/* no error that nobody is interested in any more */
START_TEST(refused_while_stopping)
{
	static const enum ublkev_step steps[] = {
		UBLKEV_STEP_FEATURES, UBLKEV_STEP_ADD, UBLKEV_STEP_PARAMS,
		UBLKEV_STEP_START,
	};
	struct life l;

	life_begin(&l, steps[_i]);
	life_stop(&l);
	life_answer(&l, -EINTR);
	life_polite(&l);
	assert_gone(&l);
}
END_TEST

START_TEST(stop_of_one_deleted)
{
	struct life l;

	life_begin(&l, UBLKEV_STEP_STOP);
	life_answer(&l, -ENODEV);
	life_polite(&l);
	/* its id may be another's by now: no DEL_DEV */
	ck_assert_str_eq(l.text, "!ERROR CLOSE !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, -ENODEV, UBLKEV_STEP_STOP);
}
END_TEST

START_TEST(del_of_one_deleted)
{
	struct life l;

	life_begin(&l, UBLKEV_STEP_DEL);
	life_answer(&l, -ENODEV);
	ck_assert_str_eq(l.text, "!STOPPED ");
	assert_gone(&l);
	life_begin(&l, UBLKEV_STEP_DEL);
	life_answer(&l, 1);
	assert_gone(&l);
}
END_TEST

START_TEST(del_interrupted)
{
	struct life l;

	life_begin(&l, UBLKEV_STEP_DEL);
	life_answer(&l, -EINTR);
	life_answer(&l, 0);
	ck_assert_str_eq(l.text, "DEL_DEV_ASYNC !STOPPED ");
	assert_gone(&l);
}
END_TEST

START_TEST(del_async_refused)
{
	struct life l;

	life_begin(&l, UBLKEV_STEP_DEL);
	life_answer(&l, -EINTR);
	life_answer(&l, -EPERM);
	ck_assert_str_eq(l.text, "DEL_DEV_ASYNC !ERROR !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_LOST, -EPERM, UBLKEV_STEP_DEL);
}
END_TEST

/*
 * An old kernel has none, nor has any for an ordinary user's device; DEL_DEV has
 * done its part, unless it never ran.
 */
START_TEST(no_del_async)
{
	static const int answers[] = { -EOPNOTSUPP, -EINVAL };
	int way = _i % 3;
	struct life l;

	life_begin(&l, UBLKEV_STEP_DEL);
	if (way) {
		l.now = ublkev__life_deadline_ms(&l.c);
		ublkev__life_tick(&l.c, l.now);
		life_pull(&l);
	}
	life_answer(&l, way == 2 ? -ECANCELED : -EINTR);
	life_answer(&l, answers[_i / 3]);
	ck_assert_str_eq(l.text, way ? "!ERROR -DEL_DEV DEL_DEV_ASYNC !STOPPED "
			 : "DEL_DEV_ASYNC !STOPPED ");
	life_assert_over(&l, way == 2 ? UBLKEV_STEP_LOST : UBLKEV_STEP_GONE,
		    way ? -ETIMEDOUT : 0,
		    way ? UBLKEV_STEP_DEL : UBLKEV_STEP_IDLE);
}
END_TEST

/* ---- open --------------------------------------------------------------- */

START_TEST(open_refused)
{
	static const int errs[] = { -ENXIO, -EMFILE, -EPERM, -ENOMEM, -EINVAL };
	struct life l;

	life_begin(&l, UBLKEV_STEP_OPEN);
	life_opened(&l, errs[_i]);
	life_polite(&l);
	ck_assert_str_eq(l.text, "!ERROR DEL_DEV !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, errs[_i], UBLKEV_STEP_OPEN);
}
END_TEST

static const int passing[] = { -ENOENT, -EACCES, -EBUSY };

START_TEST(open_retried)
{
	struct life l;

	life_begin(&l, UBLKEV_STEP_OPEN);
	life_opened(&l, passing[_i]);
	ck_assert_str_eq(l.text, "");
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + 20);
	ublkev__life_tick(&l.c, l.now + 19);
	ck_assert(!ublkev__life_has_work(&l.c));
	l.now += 20;
	ublkev__life_tick(&l.c, l.now);
	life_pull(&l);
	ublkev__life_tick(&l.c, l.now + 20);
	life_pull(&l);
	ck_assert_str_eq(l.text, "OPEN ");
	life_opened(&l, 0);
	ck_assert_str_eq(l.text, "OPEN ARM START_DEV ");
}
END_TEST

static unsigned int refuse_to_open(struct life *l, int err, unsigned int late)
{
	unsigned int tries = 1;

	life_opened(l, err);
	while (l->c.step == UBLKEV_STEP_OPEN) {
		l->now = ublkev__life_deadline_ms(&l->c) + late;
		ublkev__life_tick(&l->c, l->now);
		ck_assert(ublkev__life_has_work(&l->c));
		life_pull(l);
		life_opened(l, err);
		tries++;
	}
	return tries;
}

START_TEST(open_never)
{
	struct life l;

	life_begin(&l, UBLKEV_STEP_OPEN);
	ck_assert_uint_eq(refuse_to_open(&l, passing[_i], 0), CMD_MS / 20);
	ck_assert_uint_le(l.now, l.t0 + CMD_MS);
	life_polite(&l);
	life_assert_over(&l, UBLKEV_STEP_GONE, passing[_i], UBLKEV_STEP_OPEN);
}
END_TEST

/* a loop that was busy beyond the deadline: still the errno of open(2) */
START_TEST(open_never_late)
{
	struct life l;

	life_begin(&l, UBLKEV_STEP_OPEN);
	ck_assert_uint_eq(refuse_to_open(&l, passing[_i], 5 * CMD_MS), 2);
	life_polite(&l);
	life_assert_over(&l, UBLKEV_STEP_GONE, passing[_i], UBLKEV_STEP_OPEN);
}
END_TEST

START_TEST(open_stopped_between)
{
	struct life l;

	life_begin(&l, UBLKEV_STEP_OPEN);
	life_opened(&l, -ENOENT);
	life_stop(&l);
	life_polite(&l);
	ck_assert_str_eq(l.text, "DEL_DEV !STOPPED ");
	assert_gone(&l);
}
END_TEST

START_TEST(open_fails_while_stopping)
{
	struct life l;

	life_begin(&l, UBLKEV_STEP_OPEN);
	life_stop(&l);
	life_opened(&l, -ENOENT);
	life_polite(&l);
	ck_assert_str_eq(l.text, "DEL_DEV !STOPPED ");
	assert_gone(&l);
}
END_TEST

/* the deadline passes between the asking and the telling */
START_TEST(open_answers_late)
{
	struct life l;

	life_begin(&l, UBLKEV_STEP_OPEN);
	l.now += CMD_MS;
	ublkev__life_tick(&l.c, l.now);
	ublkev__life_tick(&l.c, l.now + CMD_MS);
	life_pull(&l);
	life_opened(&l, 0);
	life_polite(&l);
	ck_assert_str_eq(l.text, "!ERROR CLOSE DEL_DEV !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, -ETIMEDOUT, UBLKEV_STEP_OPEN);
}
END_TEST

static void add_down(TCase *tc)
{
	int n = (int)TEST_COUNT(undo);

	tcase_add_loop_test(tc, stop_anywhere, 0, n);
	tcase_add_loop_test(tc, abort_anywhere, 0, n);
	tcase_add_loop_test(tc, fault_anywhere, 0, n);
	tcase_add_loop_test(tc, refused, 0, (int)TEST_COUNT(refusals));
	tcase_add_loop_test(tc, refused_while_stopping, 0, 4);
	tcase_add_test(tc, stop_of_one_deleted);
	tcase_add_test(tc, del_of_one_deleted);
	tcase_add_test(tc, del_interrupted);
	tcase_add_test(tc, del_async_refused);
	tcase_add_loop_test(tc, no_del_async, 0, 6);
}

static void add_open(TCase *tc)
{
	int n = (int)TEST_COUNT(passing);

	tcase_add_loop_test(tc, open_refused, 0, 5);
	tcase_add_loop_test(tc, open_retried, 0, n);
	tcase_add_loop_test(tc, open_never, 0, n);
	tcase_add_loop_test(tc, open_never_late, 0, n);
	tcase_add_test(tc, open_stopped_between);
	tcase_add_test(tc, open_fails_while_stopping);
	tcase_add_test(tc, open_answers_late);
}

/* the driver takes no tag back then: leaving ublkc is what ends the requests */
START_TEST(stop_refused)
{
	struct life l;

	life_begin(&l, UBLKEV_STEP_LIVE);
	life_stop(&l);
	life_answer(&l, -EPERM);
	ck_assert_str_eq(l.text, "STOP_DEV !ERROR CLOSE DEL_DEV ");
	ck_assert_int_eq(l.c.err, -EPERM);
	ck_assert_int_eq(l.c.err_step, UBLKEV_STEP_STOP);
	life_polite(&l);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("life");
	TCase *tc = tcase_create("life");

	tcase_add_test(tc, happy);
	tcase_add_test(tc, drained_before_stop_answers);
	tcase_add_test(tc, idle_and_over);
	add_down(tc);
	add_open(tc);
	tcase_add_test(tc, stop_refused);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
