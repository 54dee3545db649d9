/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * life: a device that a server left, taken over; what is kept of it and
 * what is deleted when that comes to nothing
 */
#include <errno.h>
#include <string.h>

#include "life_kit.h"

static void begin(struct life *l, uint64_t kernel, enum ublkev_step step)
{
	life_make(l, UBLKEV_RECOVERY_REISSUE, kernel);
	life_lead(l, UBLKEV__LIFE_RECOVER, step);
}

static const uint64_t kernels[] = { KERNEL_612, KERNEL_73 };

/* ---- a good life -------------------------------------------------------- */

START_TEST(recovered)
{
	struct life l;

	life_make(&l, UBLKEV_RECOVERY_REQUEUE, kernels[_i]);
	ublkev__life_start(&l.c, UBLKEV__LIFE_RECOVER, l.now);
	life_pull(&l);
	life_answer(&l, 0);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + CMD_MS);
	life_answer(&l, 0);
	life_answer(&l, 0);
	ck_assert_int_eq(l.c.step, UBLKEV_STEP_RECOVER);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + RECOVER_MS);
	life_answer(&l, 0);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + CMD_MS);
	life_opened(&l, 0);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + START_MS);
	life_answer(&l, 0);
	ck_assert_str_eq(l.text,
		"GET_FEATURES GET_DEV_INFO GET_PARAMS START_USER_RECOVERY "
		"OPEN ARM END_USER_RECOVERY !LIVE ");
	ck_assert_int_eq(l.c.step, UBLKEV_STEP_LIVE);
	ck_assert_uint_eq(l.c.info.features, l.features);
	/* from here on it is a device like any other */
	l.text[0] = '\0';
	life_stop(&l);
	life_polite(&l);
	ck_assert_str_eq(l.text, "STOP_DEV CLOSE DEL_DEV !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, 0, UBLKEV_STEP_IDLE);
}
END_TEST

/* the device's shape, whatever the conf says */
START_TEST(shape_is_the_devices)
{
	struct ublkev__ctrl_answer a = {
		.info = {
			.id = 3, .queues = 5, .depth = 64, .pid = 77,
			.max_io_bytes = 1 << 20, .signature = 0x1234,
			.state = UBLKEV_STATE_FAIL_IO,
		},
	};
	struct life l;

	life_make(&l, UBLKEV_RECOVERY_FAIL_IO, KERNEL_73);
	life_lead(&l, UBLKEV__LIFE_RECOVER, UBLKEV_STEP_INFO);
	a.info.features = l.features;
	life_tell(&l, UBLKEV__CTRL_GET_DEV_INFO, &a);
	ck_assert_str_eq(l.text, "GET_PARAMS ");
	ck_assert_uint_eq(l.c.info.queues, 5);
	ck_assert_uint_eq(l.c.info.depth, 64);
	ck_assert_uint_eq(l.c.info.max_io_bytes, 1 << 20);
	ck_assert_uint_eq(l.c.info.signature, 0x1234);
}
END_TEST

/* ---- devices that can't be had ------------------------------------------ */

static const struct {
	struct ublkev_cmd_info info;
	bool no_recovery;
	int err;
} bad_infos[] = {
	{ .info = { .id = 4, .queues = 1, .depth = 1, .max_io_bytes = 4096,
		    .state = 2 }, .err = -EPROTO },
	{ .info = { .id = 3, .queues = 0, .depth = 1, .max_io_bytes = 4096,
		    .state = 2 }, .err = -EPROTO },
	{ .info = { .id = 3, .queues = 4097, .depth = 1, .max_io_bytes = 4096,
		    .state = 2 }, .err = -EPROTO },
	{ .info = { .id = 3, .queues = 1, .depth = 0, .max_io_bytes = 4096,
		    .state = 2 }, .err = -EPROTO },
	{ .info = { .id = 3, .queues = 1, .depth = 4097, .max_io_bytes = 4096,
		    .state = 2 }, .err = -EPROTO },
	{ .info = { .id = 3, .queues = 1, .depth = 1, .max_io_bytes = 4095,
		    .state = 2 }, .err = -EPROTO },
	{ .info = { .id = 3, .queues = 8, .depth = 4096,
		    .max_io_bytes = 4096, .state = 2 }, .err = -EOPNOTSUPP },
	{ .info = { .id = 3, .queues = 1, .depth = 1, .max_io_bytes = 4096,
		    .state = 2 }, .no_recovery = true, .err = -EOPNOTSUPP },
	{ .info = { .id = 3, .queues = 1, .depth = 1, .max_io_bytes = 4096,
		    .state = 0 }, .err = -ENOTCONN },
};

/* nothing was done to it: it stays as it was */
START_TEST(bad_info)
{
	struct ublkev__ctrl_answer a = { .info = bad_infos[_i].info };
	struct life l;

	begin(&l, KERNEL_612, UBLKEV_STEP_INFO);
	if (!bad_infos[_i].no_recovery)
		a.info.features = l.features;
	life_tell(&l, UBLKEV__CTRL_GET_DEV_INFO, &a);
	ck_assert_str_eq(l.text, "!ERROR !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, bad_infos[_i].err,
		    UBLKEV_STEP_INFO);
}
END_TEST

/* by another program, in a way that is none of ours */
START_TEST(not_servable)
{
	static const uint64_t features[] = {
		UBLKEV__F(SUPPORT_ZERO_COPY), UBLKEV__F(ZONED),
		UBLKEV__F(AUTO_BUF_REG), UBLKEV__F(SHMEM_ZC), UINT64_C(1) << 63,
	};
	struct ublkev__ctrl_answer a = { 0 };
	struct life l;

	begin(&l, KERNEL_73, UBLKEV_STEP_INFO);
	a.info = (struct ublkev_cmd_info){
		.id = l.c.info.id, .queues = 1, .depth = 1,
		.max_io_bytes = 4096, .state = UBLKEV_STATE_QUIESCED,
		.features = l.features | features[_i],
	};
	life_tell(&l, UBLKEV__CTRL_GET_DEV_INFO, &a);
	ck_assert_str_eq(l.text, "!ERROR !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, -EOPNOTSUPP,
			 UBLKEV_STEP_INFO);
}
END_TEST

/* where its queues have one daemon each, as with BATCH_IO, or are of old */
START_TEST(one_thread_only)
{
	struct ublkev__ctrl_answer a = { 0 };
	struct life l;

	begin(&l, KERNEL_73, UBLKEV_STEP_INFO);
	l.c.conf.flags = UBLKEV_CONF_QUEUE_THREADS;
	l.c.conf.threads_per_queue = 2;
	a.info = (struct ublkev_cmd_info){
		.id = l.c.info.id, .queues = 1, .depth = 1,
		.max_io_bytes = 4096, .state = UBLKEV_STATE_QUIESCED,
		.features = l.features | (_i ? UBLKEV__F(PER_IO_DAEMON) : 0),
	};
	life_tell(&l, UBLKEV__CTRL_GET_DEV_INFO, &a);
	if (_i)
		ck_assert_str_eq(l.text, "GET_PARAMS ");
	else
		life_assert_over(&l, UBLKEV_STEP_RELEASED, -EOPNOTSUPP,
				 UBLKEV_STEP_INFO);
}
END_TEST

/* the pump answers -EINVAL for a backend that does not fit */
START_TEST(refused_in_info)
{
	static const int errs[] = { -ENODEV, -EPERM, -EINVAL, -EFAULT };
	struct life l;
	int params;

	for (params = 0; params < 2; params++) {
		begin(&l, kernels[_i % 2], UBLKEV_STEP_INFO);
		if (params)
			life_answer(&l, 0);
		l.text[0] = '\0';
		life_answer(&l, errs[_i / 2]);
		ck_assert_str_eq(l.text, "!ERROR !STOPPED ");
		life_assert_over(&l, errs[_i / 2] == -ENODEV ?
			    UBLKEV_STEP_GONE : UBLKEV_STEP_RELEASED,
			    errs[_i / 2], UBLKEV_STEP_INFO);
	}
}
END_TEST

START_TEST(refused_in_features)
{
	struct life l;

	begin(&l, KERNEL_612, UBLKEV_STEP_FEATURES);
	life_answer(&l, -EPERM);
	ck_assert_str_eq(l.text, "!ERROR !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, -EPERM,
			 UBLKEV_STEP_FEATURES);
}
END_TEST

/* -EINVAL: somebody failed at it on 6.12 before */
START_TEST(refused_in_recover)
{
	static const int errs[] = { -EINVAL, -EPERM, -EINTR };
	struct life l;

	begin(&l, kernels[_i % 2], UBLKEV_STEP_RECOVER);
	life_answer(&l, errs[_i / 2]);
	ck_assert_str_eq(l.text, "!ERROR !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, errs[_i / 2],
		    UBLKEV_STEP_RECOVER);
}
END_TEST

/* ---- busy ---------------------------------------------------------------- */

START_TEST(busy_then_had)
{
	struct life l;

	begin(&l, kernels[_i], UBLKEV_STEP_RECOVER);
	life_answer(&l, -EBUSY);
	ck_assert_str_eq(l.text, "");
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c), l.now + 1);
	ublkev__life_tick(&l.c, l.now);
	ck_assert(!ublkev__life_has_work(&l.c));
	ublkev__life_tick(&l.c, ++l.now);
	life_pull(&l);
	ck_assert_str_eq(l.text, "START_USER_RECOVERY ");
	life_answer(&l, 0);
	ck_assert_str_eq(l.text, "START_USER_RECOVERY OPEN ");
}
END_TEST

/* soon at first, an eighth of what has passed, at most 50 ms */
START_TEST(busy_backs_off)
{
	static const unsigned int steps[][2] = {
		{ 0, 1 }, { 7, 1 }, { 16, 2 }, { 100, 12 }, { 399, 49 },
		{ 400, 50 }, { 5000, 50 },
	};
	struct life l;

	begin(&l, KERNEL_612, UBLKEV_STEP_RECOVER);
	l.now += steps[_i][0];
	life_answer(&l, -EBUSY);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l.c),
			  l.now + steps[_i][1]);
}
END_TEST

static unsigned int keep_busy(struct life *l, unsigned int late)
{
	unsigned int tries = 1;

	life_answer(l, -EBUSY);
	while (l->c.step == UBLKEV_STEP_RECOVER) {
		l->now = ublkev__life_deadline_ms(&l->c) + late;
		ublkev__life_tick(&l->c, l->now);
		life_pull(l);
		l->text[0] = '\0';
		life_answer(l, -EBUSY);
		tries++;
	}
	return tries;
}

START_TEST(busy_for_ever)
{
	struct life l;
	unsigned int tries;

	begin(&l, kernels[_i], UBLKEV_STEP_RECOVER);
	tries = keep_busy(&l, 0);
	ck_assert_uint_gt(tries, RECOVER_MS / 50);
	ck_assert_uint_lt(tries, RECOVER_MS / 20);
	ck_assert_uint_le(l.now, l.t0 + RECOVER_MS);
	ck_assert_uint_ge(l.now + 50, l.t0 + RECOVER_MS);
	ck_assert_str_eq(l.text, "!ERROR !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, -EBUSY, UBLKEV_STEP_RECOVER);
	/* a loop that was late: one last attempt */
	begin(&l, kernels[_i], UBLKEV_STEP_RECOVER);
	ck_assert_uint_eq(keep_busy(&l, 2 * RECOVER_MS), 2);
	life_assert_over(&l, UBLKEV_STEP_RELEASED, -EBUSY, UBLKEV_STEP_RECOVER);
}
END_TEST

START_TEST(stopped_between_attempts)
{
	struct life l;

	begin(&l, kernels[_i], UBLKEV_STEP_RECOVER);
	life_answer(&l, -EBUSY);
	life_stop(&l);
	ck_assert_str_eq(l.text, "!STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, 0, UBLKEV_STEP_IDLE);
	begin(&l, kernels[_i], UBLKEV_STEP_RECOVER);
	life_stop(&l);
	life_answer(&l, -EBUSY);
	ck_assert_str_eq(l.text, "!STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, 0, UBLKEV_STEP_IDLE);
}
END_TEST

/* ---- what is kept, what is undone ----------------------------------------- */

/*
 * By kernel: before 7.3 nobody else can have a device whose recovery was
 * begun, so that it is deleted.
 */
static const struct {
	enum ublkev_step step;
	uint64_t kernel;
	enum ublkev_step end;
	const char *stop, *abort, *fault;
} undo[] = {
	{ UBLKEV_STEP_FEATURES, KERNEL_612, UBLKEV_STEP_RELEASED,
	  "!STOPPED ", "!STOPPED ", "!ERROR !STOPPED " },
	{ UBLKEV_STEP_FEATURES, KERNEL_73, UBLKEV_STEP_RELEASED,
	  "!STOPPED ", "!STOPPED ", "!ERROR !STOPPED " },
	{ UBLKEV_STEP_INFO, KERNEL_612, UBLKEV_STEP_RELEASED,
	  "!STOPPED ", "!STOPPED ", "!ERROR !STOPPED " },
	{ UBLKEV_STEP_INFO, KERNEL_73, UBLKEV_STEP_RELEASED,
	  "!STOPPED ", "!STOPPED ", "!ERROR !STOPPED " },
	/* the attempt under way comes off */
	{ UBLKEV_STEP_RECOVER, KERNEL_612, UBLKEV_STEP_GONE,
	  "DEL_DEV !STOPPED ", "DEL_DEV !STOPPED ",
	  "!ERROR DEL_DEV !STOPPED " },
	{ UBLKEV_STEP_RECOVER, KERNEL_73, UBLKEV_STEP_RELEASED,
	  "!STOPPED ", "!STOPPED ", "!ERROR !STOPPED " },
	{ UBLKEV_STEP_OPEN, KERNEL_612, UBLKEV_STEP_GONE,
	  "CLOSE DEL_DEV !STOPPED ", "CLOSE DEL_DEV !STOPPED ",
	  "!ERROR CLOSE DEL_DEV !STOPPED " },
	{ UBLKEV_STEP_OPEN, KERNEL_73, UBLKEV_STEP_RELEASED,
	  "CLOSE !STOPPED ", "CLOSE !STOPPED ", "!ERROR CLOSE !STOPPED " },
	{ UBLKEV_STEP_START, KERNEL_612, UBLKEV_STEP_GONE,
	  "-END_USER_RECOVERY STOP_DEV CLOSE DEL_DEV !STOPPED ",
	  "-END_USER_RECOVERY ABORT STOP_DEV CLOSE DEL_DEV !STOPPED ",
	  "!ERROR -END_USER_RECOVERY STOP_DEV CLOSE DEL_DEV !STOPPED " },
	{ UBLKEV_STEP_START, KERNEL_73, UBLKEV_STEP_RELEASED,
	  "-END_USER_RECOVERY CLOSE !STOPPED ",
	  "-END_USER_RECOVERY ABORT CLOSE !STOPPED ",
	  "!ERROR -END_USER_RECOVERY CLOSE !STOPPED " },
	/* it is ours: a stop is a stop, and a fault leaves it to another */
	{ UBLKEV_STEP_LIVE, KERNEL_73, UBLKEV_STEP_GONE,
	  "STOP_DEV CLOSE DEL_DEV !STOPPED ",
	  "STOP_DEV ABORT CLOSE DEL_DEV !STOPPED ",
	  "!ERROR CLOSE !STOPPED " },
};

START_TEST(stop_anywhere)
{
	struct life l;

	begin(&l, undo[_i].kernel, undo[_i].step);
	life_stop(&l);
	life_polite(&l);
	ck_assert_str_eq(l.text, undo[_i].stop);
	life_assert_over(&l, undo[_i].end, 0, UBLKEV_STEP_IDLE);
}
END_TEST

START_TEST(abort_anywhere)
{
	struct life l;

	begin(&l, undo[_i].kernel, undo[_i].step);
	life_abort(&l);
	life_polite(&l);
	ck_assert_str_eq(l.text, undo[_i].abort);
	life_assert_over(&l, undo[_i].end, 0, UBLKEV_STEP_IDLE);
}
END_TEST

START_TEST(fault_anywhere)
{
	bool live = undo[_i].step == UBLKEV_STEP_LIVE;
	struct life l;

	begin(&l, undo[_i].kernel, undo[_i].step);
	life_fault(&l, -EIO);
	life_polite(&l);
	ck_assert_str_eq(l.text, undo[_i].fault);
	life_assert_over(&l, live ? UBLKEV_STEP_RELEASED : undo[_i].end, -EIO,
			 undo[_i].step);
}
END_TEST

START_TEST(open_refused)
{
	struct life l;

	begin(&l, KERNEL_612, UBLKEV_STEP_OPEN);
	life_opened(&l, -ENOMEM);
	life_polite(&l);
	ck_assert_str_eq(l.text, "!ERROR DEL_DEV !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, -ENOMEM, UBLKEV_STEP_OPEN);
	begin(&l, KERNEL_73, UBLKEV_STEP_OPEN);
	life_opened(&l, -ENOMEM);
	ck_assert_str_eq(l.text, "!ERROR !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, -ENOMEM, UBLKEV_STEP_OPEN);
}
END_TEST

/* the former holder is on its way out */
START_TEST(open_retried)
{
	struct life l;

	begin(&l, KERNEL_73, UBLKEV_STEP_OPEN);
	life_opened(&l, -EBUSY);
	l.now = ublkev__life_deadline_ms(&l.c);
	ublkev__life_tick(&l.c, l.now);
	life_pull(&l);
	life_opened(&l, 0);
	ck_assert_str_eq(l.text, "OPEN ARM END_USER_RECOVERY ");
}
END_TEST

START_TEST(end_refused)
{
	static const int errs[] = { -EINVAL, -EBUSY, -EINTR, -EPERM };
	struct life l;

	begin(&l, KERNEL_612, UBLKEV_STEP_START);
	life_answer(&l, errs[_i]);
	life_polite(&l);
	ck_assert_str_eq(l.text, "!ERROR STOP_DEV CLOSE DEL_DEV !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, errs[_i], UBLKEV_STEP_START);
	begin(&l, KERNEL_73, UBLKEV_STEP_START);
	life_answer(&l, errs[_i]);
	life_polite(&l);
	ck_assert_str_eq(l.text, "!ERROR CLOSE !STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_RELEASED, errs[_i], UBLKEV_STEP_START);
}
END_TEST

/* stopped by somebody else: of no use to any server, on no kernel */
START_TEST(drained_from_outside)
{
	struct life l;

	begin(&l, kernels[_i], UBLKEV_STEP_START);
	life_drained(&l);
	life_polite(&l);
	ck_assert_str_eq(l.text, "!ERROR -END_USER_RECOVERY CLOSE DEL_DEV "
			 "!STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, -ENODEV, UBLKEV_STEP_START);
	begin(&l, kernels[_i], UBLKEV_STEP_START);
	life_stop(&l);
	life_drained(&l);
	life_polite(&l);
	ck_assert_str_eq(l.text, "-END_USER_RECOVERY CLOSE DEL_DEV "
			 "!STOPPED ");
	life_assert_over(&l, UBLKEV_STEP_GONE, 0, UBLKEV_STEP_IDLE);
}
END_TEST

/* ---- silence ------------------------------------------------------------ */

static const struct {
	enum ublkev_step step;
	uint64_t kernel;
	const char *text;
} silences[] = {
	{ UBLKEV_STEP_INFO, KERNEL_612,
	  "@1000 !ERROR -GET_DEV_INFO @1200 !STOPPED " },
	{ UBLKEV_STEP_RECOVER, KERNEL_612,
	  "@9000 !ERROR -START_USER_RECOVERY @9200 !STOPPED " },
	{ UBLKEV_STEP_RECOVER, KERNEL_73,
	  "@9000 !ERROR -START_USER_RECOVERY @9200 !STOPPED " },
	{ UBLKEV_STEP_START, KERNEL_612,
	  "@3000 !ERROR -END_USER_RECOVERY @3200 ABORT @3400 CLOSE "
	  "@3600 !STOPPED " },
	{ UBLKEV_STEP_START, KERNEL_73,
	  "@3000 !ERROR -END_USER_RECOVERY @3200 ABORT @3400 CLOSE "
	  "@3600 !STOPPED " },
};

START_TEST(silent)
{
	struct life l;

	begin(&l, silences[_i].kernel, silences[_i].step);
	life_silent(&l);
	ck_assert_str_eq(l.text, silences[_i].text);
	life_assert_over(&l, UBLKEV_STEP_LOST, -ETIMEDOUT, silences[_i].step);
}
END_TEST

/* the second command of INFO has its own name, and what is left of the time */
START_TEST(silent_params)
{
	struct life l;

	begin(&l, KERNEL_612, UBLKEV_STEP_INFO);
	l.now += 300;
	life_answer(&l, 0);
	life_silent(&l);
	ck_assert_str_eq(l.text, "GET_PARAMS @1000 !ERROR -GET_PARAMS "
			 "@1200 !STOPPED ");
}
END_TEST

START_TEST(cancel_helps)
{
	static const struct {
		enum ublkev_step step;
		const char *text;
	} cases[] = {
		{ UBLKEV_STEP_INFO, "!ERROR -GET_DEV_INFO !STOPPED " },
		{ UBLKEV_STEP_RECOVER,
		  "!ERROR -START_USER_RECOVERY !STOPPED " },
		{ UBLKEV_STEP_START,
		  "!ERROR -END_USER_RECOVERY CLOSE !STOPPED " },
	};
	struct life l;

	begin(&l, KERNEL_73, cases[_i].step);
	l.now = ublkev__life_deadline_ms(&l.c);
	ublkev__life_tick(&l.c, l.now);
	life_pull(&l);
	life_answer(&l, -EINTR);
	life_polite(&l);
	ck_assert_str_eq(l.text, cases[_i].text);
	life_assert_over(&l, UBLKEV_STEP_RELEASED, -ETIMEDOUT, cases[_i].step);
}
END_TEST

static void add_recovery(TCase *tc)
{
	int n = (int)TEST_COUNT(undo);

	tcase_add_loop_test(tc, recovered, 0, 2);
	tcase_add_test(tc, shape_is_the_devices);
	tcase_add_loop_test(tc, bad_info, 0, (int)TEST_COUNT(bad_infos));
	tcase_add_loop_test(tc, not_servable, 0, 5);
	tcase_add_loop_test(tc, one_thread_only, 0, 2);
	tcase_add_loop_test(tc, refused_in_info, 0, 8);
	tcase_add_test(tc, refused_in_features);
	tcase_add_loop_test(tc, refused_in_recover, 0, 6);
	tcase_add_loop_test(tc, busy_then_had, 0, 2);
	tcase_add_loop_test(tc, busy_backs_off, 0, 7);
	tcase_add_loop_test(tc, busy_for_ever, 0, 2);
	tcase_add_loop_test(tc, stopped_between_attempts, 0, 2);
	tcase_add_loop_test(tc, stop_anywhere, 0, n);
	tcase_add_loop_test(tc, abort_anywhere, 0, n);
	tcase_add_loop_test(tc, fault_anywhere, 0, n);
	tcase_add_test(tc, open_refused);
	tcase_add_test(tc, open_retried);
	tcase_add_loop_test(tc, end_refused, 0, 4);
	tcase_add_loop_test(tc, drained_from_outside, 0, 2);
	tcase_add_loop_test(tc, silent, 0, (int)TEST_COUNT(silences));
	tcase_add_test(tc, silent_params);
	tcase_add_loop_test(tc, cancel_helps, 0, 3);
}

int main(void)
{
	Suite *suite = suite_create("life_recover");
	TCase *tc = tcase_create("recover");

	add_recovery(tc);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
