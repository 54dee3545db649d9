/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * life when the driver does not answer, answers oddly, or others have a
 * hand in the device.
 */
#include <errno.h>
#include <string.h>

#include "core/names.h"
#include "life_kit.h"

/* ---- silence: the rungs, at their times --------------------------------- */

static const struct {
	enum ublkev_step step;
	const char *text;
	enum ublkev_step end;
} silences[] = {
	{ UBLKEV_STEP_FEATURES,
	  "@1000 !ERROR -GET_FEATURES @1200 !STOPPED ", UBLKEV_STEP_LOST },
	{ UBLKEV_STEP_ADD,
	  "@1000 !ERROR -ADD_DEV @1200 !STOPPED ", UBLKEV_STEP_LOST },
	{ UBLKEV_STEP_PARAMS,
	  "@1000 !ERROR -SET_PARAMS @1200 !STOPPED ", UBLKEV_STEP_LOST },
	{ UBLKEV_STEP_START,
	  "@3000 !ERROR -START_DEV @3200 ABORT @3400 CLOSE @3600 !STOPPED ",
	  UBLKEV_STEP_LOST },
	{ UBLKEV_STEP_STOP,
	  "@5000 !ERROR ABORT @5200 CLOSE @5400 !STOPPED ",
	  UBLKEV_STEP_LOST },
	/* stop was asked for 7 ms before */
	{ UBLKEV_STEP_DRAIN,
	  "@4993 !ERROR ABORT @5193 CLOSE DEL_DEV @6193 -DEL_DEV "
	  "@6393 !STOPPED ", UBLKEV_STEP_LOST },
	/* closed all the same: it is released */
	{ UBLKEV_STEP_RECALL, "@4986 !ERROR CLOSE !STOPPED ",
	  UBLKEV_STEP_RELEASED },
	{ UBLKEV_STEP_DEL,
	  "@1000 !ERROR -DEL_DEV @1200 !STOPPED ", UBLKEV_STEP_LOST },
};

START_TEST(silent)
{
	struct life l;

	life_begin(&l, silences[_i].step);
	life_silent(&l);
	ck_assert_str_eq(l.text, silences[_i].text);
	life_assert_over(&l, silences[_i].end, -ETIMEDOUT, silences[_i].step);
}
END_TEST

static const struct {
	enum ublkev_step step;
	const char *text;
	enum ublkev_step err_step;
} stopped_silences[] = {
	{ UBLKEV_STEP_FEATURES, "@1000 !ERROR -GET_FEATURES @1200 !STOPPED ",
	  UBLKEV_STEP_FEATURES },
	{ UBLKEV_STEP_ADD, "@1000 !ERROR -ADD_DEV @1200 !STOPPED ",
	  UBLKEV_STEP_ADD },
	{ UBLKEV_STEP_PARAMS, "@1000 !ERROR -SET_PARAMS @1200 !STOPPED ",
	  UBLKEV_STEP_PARAMS },
	{ UBLKEV_STEP_START,
	  "-START_DEV @5000 !ERROR ABORT @5200 CLOSE @5400 !STOPPED ",
	  UBLKEV_STEP_START },
	{ UBLKEV_STEP_LIVE,
	  "STOP_DEV @5000 !ERROR ABORT @5200 CLOSE @5400 !STOPPED ",
	  UBLKEV_STEP_STOP },
};

START_TEST(silent_after_stop)
{
	struct life l;

	life_begin(&l, stopped_silences[_i].step);
	life_stop(&l);
	life_silent(&l);
	ck_assert_str_eq(l.text, stopped_silences[_i].text);
	life_assert_over(&l, UBLKEV_STEP_LOST, -ETIMEDOUT,
		    stopped_silences[_i].err_step);
}
END_TEST

/* what follows from an abort that was wished for is no error, until LOST */
static const struct {
	enum ublkev_step step;
	const char *text;
	enum ublkev_step err_step;
} aborted_silences[] = {
	{ UBLKEV_STEP_START,
	  "-START_DEV ABORT @200 CLOSE @400 !ERROR !STOPPED ",
	  UBLKEV_STEP_START },
	{ UBLKEV_STEP_LIVE,
	  "STOP_DEV ABORT @200 CLOSE @400 !ERROR !STOPPED ",
	  UBLKEV_STEP_STOP },
	{ UBLKEV_STEP_STOP, "ABORT @200 CLOSE @400 !ERROR !STOPPED ",
	  UBLKEV_STEP_STOP },
	{ UBLKEV_STEP_DRAIN,
	  "ABORT @200 CLOSE DEL_DEV @1200 !ERROR -DEL_DEV @1400 !STOPPED ",
	  UBLKEV_STEP_DEL },
};

START_TEST(silent_after_abort)
{
	struct life l;

	life_begin(&l, aborted_silences[_i].step);
	life_abort(&l);
	life_silent(&l);
	ck_assert_str_eq(l.text, aborted_silences[_i].text);
	life_assert_over(&l, UBLKEV_STEP_LOST, -ETIMEDOUT,
		    aborted_silences[_i].err_step);
}
END_TEST

/* an abort does not lengthen what is left of a ladder */
START_TEST(abort_on_the_ladder)
{
	struct life l;

	life_begin(&l, UBLKEV_STEP_STOP);
	l.now += STOP_MS;
	ublkev__life_tick(&l.c, l.now);
	l.now += 50;
	life_abort(&l);
	ck_assert_str_eq(l.text, "!ERROR ABORT ");
	life_silent(&l);
	ck_assert_str_eq(l.text,
			 "!ERROR ABORT @5200 CLOSE @5400 !STOPPED ");
}
END_TEST

/* ---- silence that ends -------------------------------------------------- */

START_TEST(cancel_helps)
{
	static const struct {
		enum ublkev_step step;
		const char *text;
	} cases[] = {
		{ UBLKEV_STEP_FEATURES, "!ERROR -GET_FEATURES !STOPPED " },
		{ UBLKEV_STEP_ADD, "!ERROR -ADD_DEV !STOPPED " },
		{ UBLKEV_STEP_PARAMS,
		  "!ERROR -SET_PARAMS DEL_DEV !STOPPED " },
		{ UBLKEV_STEP_START, "!ERROR -START_DEV STOP_DEV CLOSE "
		  "DEL_DEV !STOPPED " },
		{ UBLKEV_STEP_DEL,
		  "!ERROR -DEL_DEV DEL_DEV_ASYNC !STOPPED " },
	};
	struct life l;

	life_begin(&l, cases[_i].step);
	life_climb(&l);
	life_answer(&l, -EINTR);
	life_polite(&l);
	ck_assert_str_eq(l.text, cases[_i].text);
	life_assert_over(&l, UBLKEV_STEP_GONE, -ETIMEDOUT, cases[_i].step);
}
END_TEST

/* the answer was under way when its cancelling was decided */
START_TEST(success_after_cancel)
{
	static const struct {
		enum ublkev_step step;
		const char *text;
	} cases[] = {
		{ UBLKEV_STEP_FEATURES, "!ERROR -GET_FEATURES !STOPPED " },
		{ UBLKEV_STEP_ADD, "!ERROR -ADD_DEV DEL_DEV !STOPPED " },
		{ UBLKEV_STEP_PARAMS,
		  "!ERROR -SET_PARAMS DEL_DEV !STOPPED " },
		{ UBLKEV_STEP_START, "!ERROR -START_DEV STOP_DEV CLOSE "
		  "DEL_DEV !STOPPED " },
		{ UBLKEV_STEP_DEL, "!ERROR -DEL_DEV !STOPPED " },
	};
	struct life l;

	life_begin(&l, cases[_i].step);
	life_climb(&l);
	life_polite(&l);
	ck_assert_str_eq(l.text, cases[_i].text);
	life_assert_over(&l, UBLKEV_STEP_GONE, -ETIMEDOUT, cases[_i].step);
}
END_TEST

/* rungs climbed before START_DEV or STOP_DEV is answered, and the rest */
START_TEST(io_helps)
{
	static const struct {
		enum ublkev_step step;
		int rungs;
		const char *text;
	} cases[] = {
		{ UBLKEV_STEP_START, 2, "!ERROR -START_DEV ABORT STOP_DEV "
		  "CLOSE DEL_DEV !STOPPED " },
		{ UBLKEV_STEP_START, 3, "!ERROR -START_DEV ABORT CLOSE "
		  "DEL_DEV !STOPPED " },
		{ UBLKEV_STEP_STOP, 1,
		  "!ERROR ABORT CLOSE DEL_DEV !STOPPED " },
		{ UBLKEV_STEP_STOP, 2,
		  "!ERROR ABORT CLOSE DEL_DEV !STOPPED " },
	};
	struct life l;
	int i;

	life_begin(&l, cases[_i].step);
	for (i = 0; i < cases[_i].rungs; i++)
		life_climb(&l);
	life_polite(&l);
	ck_assert_str_eq(l.text, cases[_i].text);
	life_assert_over(&l, UBLKEV_STEP_GONE, -ETIMEDOUT, cases[_i].step);
}
END_TEST

START_TEST(drain_after_the_ladder_of_stop)
{
	struct life l;

	life_begin(&l, UBLKEV_STEP_STOP);
	life_climb(&l);
	life_answer(&l, 0);
	ck_assert_int_eq(l.c.step, UBLKEV_STEP_DRAIN);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + GRACE_MS);
	life_climb(&l);
	life_climb(&l);
	ck_assert_str_eq(l.text, "!ERROR ABORT CLOSE DEL_DEV ");
	life_answer(&l, 0);
	life_assert_over(&l, UBLKEV_STEP_GONE, -ETIMEDOUT, UBLKEV_STEP_STOP);
}
END_TEST

/* a tick that comes much too late climbs one rung, not all */
START_TEST(late_tick)
{
	struct life l;

	life_begin(&l, UBLKEV_STEP_STOP);
	l.now += 100 * STOP_MS;
	ublkev__life_tick(&l.c, l.now);
	life_pull(&l);
	ck_assert_str_eq(l.text, "!ERROR ABORT ");
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + GRACE_MS);
}
END_TEST

/* ---- answers to no question --------------------------------------------- */

static void answer_all(struct life *l, bool but_pending)
{
	struct ublkev__life before = l->c;
	const struct ublkev__ctrl_answer a = {
		.features = 0x1fe,
		.info = l->c.info,
	};
	unsigned int cmd;

	for (cmd = 0; cmd < UBLKEV__NR_CTRL_CMDS; cmd++)
		if (!but_pending || cmd != (unsigned int)l->c.pending)
			ck_assert_int_eq(ublkev__life_cmd_done(
				&l->c, (enum ublkev__ctrl_cmd)cmd, &a, l->now),
					 -EPROTO);
	ck_assert_mem_eq(&before, &l->c, sizeof(before));
}

START_TEST(not_asked)
{
	unsigned int step;
	struct life l;

	/* of what follows DEL_DEV test_life_close.c knows */
	for (step = UBLKEV_STEP_FEATURES; step <= UBLKEV_STEP_DEL; step++) {
		life_begin(&l, (enum ublkev_step)step);
		answer_all(&l, l.c.pending != UBLKEV__CTRL_NONE);
	}
}
END_TEST

START_TEST(late_answers)
{
	struct life l;

	life_begin(&l, silences[_i].step);
	life_silent(&l);
	l.text[0] = '\0';
	answer_all(&l, false);
	life_pull(&l);
	ck_assert_str_eq(l.text, "");
}
END_TEST

/* ---- odd answers -------------------------------------------------------- */

START_TEST(features_unknown_to_the_kernel)
{
	struct life l;

	life_begin(&l, UBLKEV_STEP_FEATURES);
	life_answer(&l, -EOPNOTSUPP);
	ck_assert_str_eq(l.text, "ADD_DEV ");
	ck_assert_uint_eq(l.c.info.features, UBLKEV__F(CMD_IOCTL_ENCODE) |
			  UBLKEV__F(URING_CMD_COMP_IN_TASK));
	life_answer(&l, 0);
	ck_assert_int_eq(l.c.step, UBLKEV_STEP_PARAMS);
}
END_TEST

START_TEST(features_too_few)
{
	const struct ublkev__ctrl_answer a = { .features = 0x3f };
	struct life l;

	life_begin(&l, UBLKEV_STEP_FEATURES);
	life_tell(&l, UBLKEV__CTRL_GET_FEATURES, &a);
	ck_assert_str_eq(l.text, "!ERROR !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, -EOPNOTSUPP,
			 UBLKEV_STEP_FEATURES);
	ck_assert_uint_eq(l.c.kernel_features, 0x3f);
}
END_TEST

#define DEV(i, q, d, max) \
	{ .id = (i), .queues = (q), .depth = (d), .max_io_bytes = (max), \
	  .features = 0x42 }

static void add_answered(struct life *l, int id,
			 const struct ublkev_cmd_info *info)
{
	const struct ublkev__ctrl_answer a = { .info = *info };

	life_init(l, id);
	ublkev__life_start(&l->c, UBLKEV__LIFE_ADD, l->now);
	life_pull(l);
	life_answer(l, 0);
	l->text[0] = '\0';
	life_tell(l, UBLKEV__CTRL_ADD_DEV, &a);
}

START_TEST(add_less)
{
	static const struct ublkev_cmd_info answers[] = {
		DEV(0, 2, 8, 65536), DEV(0xfffff, 1, 8, 65536),
		DEV(5, 2, 8, 4096), DEV(5, 1, 8, 32768),
	};
	struct life l;

	add_answered(&l, -1, &answers[_i]);
	ck_assert_str_eq(l.text, "SET_PARAMS ");
	ck_assert_int_eq(l.c.info.id, answers[_i].id);
	ck_assert_uint_eq(l.c.info.queues, answers[_i].queues);
	ck_assert_uint_eq(l.c.info.depth, answers[_i].depth);
	ck_assert_uint_eq(l.c.info.max_io_bytes, answers[_i].max_io_bytes);
	ck_assert_uint_eq(l.c.info.features, 0x42);
}
END_TEST

START_TEST(add_odd)
{
	static const struct ublkev_cmd_info answers[] = {
		DEV(5, 0, 8, 65536), DEV(5, 3, 8, 65536), DEV(5, 2, 7, 65536),
		DEV(5, 2, 9, 65536), DEV(5, 2, 0, 65536), DEV(5, 2, 8, 0),
		DEV(5, 2, 8, 4095), DEV(5, 2, 8, 65537), DEV(5, 2, 8, 69632),
		DEV(5, 2, 8, 5000),
	};
	struct life l;

	add_answered(&l, -1, &answers[_i]);
	ck_assert_int_eq(l.c.info.id, 5);
	life_polite(&l);
	ck_assert_str_eq(l.text, "!ERROR DEL_DEV !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, -EPROTO, UBLKEV_STEP_ADD);
	add_answered(&l, 5, &answers[_i]);
	life_polite(&l);
	life_assert_over(&l, UBLKEV_STEP_GONE, -EPROTO, UBLKEV_STEP_ADD);
}
END_TEST

/* of descriptors: a size goes with IO_DESC_SIZE, and is one that there may be */
static const struct {
	uint64_t features;
	unsigned int desc_bytes;
	bool odd;
} descs[] = {
	{ UBLKEV__F(IO_DESC_SIZE), 24, false },
	{ UBLKEV__F(IO_DESC_SIZE), 64, false },
	{ UBLKEV__F(IO_DESC_SIZE), 256, false },
	{ UBLKEV__F(IO_DESC_SIZE), 0, true },
	{ UBLKEV__F(IO_DESC_SIZE), 16, true },
	{ UBLKEV__F(IO_DESC_SIZE), 60, true },
	{ UBLKEV__F(IO_DESC_SIZE), 264, true },
	{ 0, 0, false },
	{ 0, 64, true },
};

START_TEST(add_descs)
{
	struct ublkev_cmd_info info = DEV(5, 2, 8, 65536);
	struct life l;

	info.features |= descs[_i].features;
	info.desc_bytes = descs[_i].desc_bytes;
	add_answered(&l, -1, &info);
	ck_assert_str_eq(l.text, descs[_i].odd ? "!ERROR DEL_DEV " :
			 "SET_PARAMS ");
	if (descs[_i].odd)
		ck_assert_int_eq(l.c.err, -EPROTO);
	else
		ck_assert_uint_eq(l.c.info.desc_bytes, descs[_i].desc_bytes);
}
END_TEST

/* several threads a queue: what is asked for, and what the kernel lacks */
START_TEST(several_threads)
{
	struct life l;

	life_init(&l, -1);
	l.c.conf.flags = UBLKEV_CONF_QUEUE_THREADS;
	l.c.conf.threads_per_queue = 2;
	l.kernel = _i == 0 ? KERNEL_73 : _i == 1 ?
		   KERNEL_73 & ~UBLKEV__F(IO_DESC_SIZE) : KERNEL_612;
	ublkev__life_start(&l.c, UBLKEV__LIFE_ADD, l.now);
	life_pull(&l);
	l.text[0] = '\0';
	life_answer(&l, 0);
	if (_i == 2) {
		life_assert_over(&l, UBLKEV_STEP_GONE, -EOPNOTSUPP,
				 UBLKEV_STEP_FEATURES);
		return;
	}
	ck_assert_str_eq(l.text, "ADD_DEV ");
	ck_assert(l.c.info.features & UBLKEV__F(PER_IO_DAEMON));
	ck_assert_uint_eq(l.c.info.desc_bytes, _i ? 0 : 64);
}
END_TEST

/* whose device that is nobody knows: not deleted */
START_TEST(add_odd_id)
{
	static const struct ublkev_cmd_info answers[] = {
		DEV(-1, 2, 8, 65536), DEV(1 << 20, 2, 8, 65536),
		DEV(5, 2, 8, 65536), { 0 },
	};
	struct life l;

	add_answered(&l, _i < 2 ? -1 : 6, &answers[_i]);
	ck_assert_str_eq(l.text, "!ERROR !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, -EPROTO, UBLKEV_STEP_ADD);
}
END_TEST

/* ---- others ------------------------------------------------------------- */

START_TEST(drained_from_outside)
{
	static const struct {
		enum ublkev_step step;
		const char *text;
	} cases[] = {
		{ UBLKEV_STEP_START,
		  "!ERROR -START_DEV CLOSE DEL_DEV !STOPPED " },
		{ UBLKEV_STEP_LIVE, "!ERROR CLOSE DEL_DEV !STOPPED " },
	};
	struct life l;

	life_begin(&l, cases[_i].step);
	life_drained(&l);
	life_polite(&l);
	ck_assert_str_eq(l.text, cases[_i].text);
	life_assert_over(&l, UBLKEV_STEP_GONE, -ENODEV, cases[_i].step);
}
END_TEST

static void begin_remove(struct life *l)
{
	life_init(l, 9);
	ublkev__life_start(&l->c, UBLKEV__LIFE_REMOVE, l->now);
	life_pull(l);
	ck_assert_str_eq(l->text, "STOP_DEV ");
	ck_assert_int_eq(l->c.info.id, 9);
	l->text[0] = '\0';
}

START_TEST(removed)
{
	struct life l;

	begin_remove(&l);
	life_polite(&l);
	ck_assert_str_eq(l.text, "DEL_DEV !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, 0, UBLKEV_STEP_IDLE);
}
END_TEST

START_TEST(removed_none)
{
	struct life l;

	begin_remove(&l);
	life_answer(&l, -ENODEV);
	ck_assert_str_eq(l.text, "!ERROR !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, -ENODEV, UBLKEV_STEP_STOP);
}
END_TEST

START_TEST(removed_not)
{
	struct life l;

	begin_remove(&l);
	life_answer(&l, -EPERM);
	life_answer(&l, -EPERM);
	ck_assert_str_eq(l.text, "!ERROR DEL_DEV !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_LOST, -EPERM, UBLKEV_STEP_STOP);
}
END_TEST

START_TEST(removed_never)
{
	struct life l;

	begin_remove(&l);
	life_stop(&l);
	life_silent(&l);
	ck_assert_str_eq(l.text, "@5000 !ERROR @5200 @5400 !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_LOST, -ETIMEDOUT, UBLKEV_STEP_STOP);
	begin_remove(&l);
	life_abort(&l);
	life_silent(&l);
	ck_assert_str_eq(l.text, "@200 !ERROR @400 !STOPPED ");
}
END_TEST

/* ---- verify itself ------------------------------------------------------ */

static void verify_pending(void *arg)
{
	struct life *l = arg;

	l->c.pending = UBLKEV__CTRL_STOP_DEV;
	ublkev__life_verify(&l->c);
}

static void verify_deadline(void *arg)
{
	struct life *l = arg;

	l->c.deadline_ms = UINT64_MAX;
	ublkev__life_verify(&l->c);
}

static void start_twice(void *arg)
{
	struct life *l = arg;

	ublkev__life_start(&l->c, UBLKEV__LIFE_ADD, l->now);
}

START_TEST(asserts)
{
	struct life l;

	life_begin(&l, UBLKEV_STEP_START);
	ck_assert(test_aborts(verify_pending, &l, "pending_fits"));
	ck_assert(test_aborts(verify_deadline, &l, "NEVER"));
	ck_assert(test_aborts(start_twice, &l, "UBLKEV_STEP_IDLE"));
}
END_TEST

static void add_silence(TCase *tc)
{
	int n = (int)TEST_COUNT(silences);

	tcase_add_loop_test(tc, silent, 0, n);
	tcase_add_loop_test(tc, silent_after_stop, 0,
			    (int)TEST_COUNT(stopped_silences));
	tcase_add_loop_test(tc, silent_after_abort, 0,
			    (int)TEST_COUNT(aborted_silences));
	tcase_add_test(tc, abort_on_the_ladder);
	tcase_add_loop_test(tc, cancel_helps, 0, 5);
	tcase_add_loop_test(tc, success_after_cancel, 0, 5);
	tcase_add_loop_test(tc, io_helps, 0, 4);
	tcase_add_test(tc, drain_after_the_ladder_of_stop);
	tcase_add_test(tc, late_tick);
	tcase_add_test(tc, not_asked);
	tcase_add_loop_test(tc, late_answers, 0, n);
}

static void add_odd_ones(TCase *tc)
{
	tcase_add_test(tc, features_unknown_to_the_kernel);
	tcase_add_test(tc, features_too_few);
	tcase_add_loop_test(tc, add_less, 0, 4);
	tcase_add_loop_test(tc, add_odd, 0, 10);
	tcase_add_loop_test(tc, add_descs, 0, TEST_COUNT(descs));
	tcase_add_loop_test(tc, several_threads, 0, 3);
	tcase_add_loop_test(tc, add_odd_id, 0, 4);
	tcase_add_loop_test(tc, drained_from_outside, 0, 2);
	tcase_add_test(tc, removed);
	tcase_add_test(tc, removed_none);
	tcase_add_test(tc, removed_not);
	tcase_add_test(tc, removed_never);
	tcase_add_test(tc, asserts);
}

int main(void)
{
	Suite *suite = suite_create("life_ladder");
	TCase *tc = tcase_create("silence");

	add_silence(tc);
	suite_add_tcase(suite, tc);
	tc = tcase_create("odd");
	add_odd_ones(tc);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
