/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device passes from one engine to the next, whether the first was killed
 * or has let it go. Clients check what they read all the time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/names.h"
#include "engine_client.h"
#include "engine_rig.h"

#define ID		7
#define CLIENTS		12
#define K612		0x1feu
#define K73		0x1fffffu

static struct lazy disk, next_disk;
static struct rig_dev first, next;
static struct test_rng rng;
static struct client *clients;

/* two backends of the same bytes: two processes with one memfd */
static void setup(void)
{
	rig_setup();
	test_rng_init(&rng, test_seed("engine_recover"));
	lazy_init(&disk, LAZY_MIX, test_rng_next(&rng));
	lazy_init(&next_disk, LAZY_MIX, test_rng_next(&rng));
	free(next_disk.bytes);
	next_disk.bytes = disk.bytes;
	clients = NULL;
}

static void teardown(void)
{
	ck_assert(fake_clean());
	next_disk.bytes = NULL;
	lazy_fini(&next_disk);
	lazy_fini(&disk);
	free(clients);
	rig_teardown();
}

static void conf(struct rig_dev *r, enum ublkev_recovery recovery)
{
	rig_conf(r);
	r->conf.id = ID;
	r->conf.recovery = recovery;
	r->conf.recover_timeout_ms = 300;
}

static void up(uint64_t kernel, enum ublkev_recovery recovery)
{
	fake.features = kernel;
	conf(&first, recovery);
	first.conf.queues = 2;
	rig_up(&first, disk.backend);
}

/* whatever the successor's conf says, the shape is the device's */
static void recover(void)
{
	conf(&next, UBLKEV_RECOVERY_NONE);
	next.conf.depth = 3;
	rig_recover(&next, next_disk.backend);
}

static void recovered(void)
{
	rig_until(rig_is_live, &next);
	ck_assert_str_eq(next.events, "L");
	ck_assert_int_eq(fake_state(ID), UBLKEV_STATE_LIVE);
	ck_assert_int_eq(next.dev.id, ID);
}

static void failed(struct rig_dev *r, enum ublkev_step step, int err,
		   enum ublkev_step last)
{
	rig_until(rig_is_over, r);
	rig_check_stopped(r, "ES");
	ck_assert_int_eq(r->err_step, step);
	ck_assert_int_eq(r->dev.err, err);
	ck_assert_int_eq(r->dev.step, last);
	rig_fini(r);
}

static void released(struct rig_dev *r)
{
	rig_until(rig_is_over, r);
	rig_check_stopped(r, "LS");
	ck_assert_int_eq(r->dev.err, 0);
	ck_assert_int_eq(r->dev.step, UBLKEV_STEP_RELEASED);
	rig_fini(r);
}

/* ---- under load ------------------------------------------------------------ */

static void load(unsigned int reqs)
{
	clients = clients_new(CLIENTS, ID, &rng, reqs);
	clients_go(clients, CLIENTS);
}

static bool some_done(void *arg)
{
	unsigned int i, n = 0, *least = arg;

	for (i = 0; i < CLIENTS; i++)
		n += clients[i].done;
	return n >= *least;
}

static bool all_done(void *arg)
{
	(void)arg;
	return clients_done(clients, CLIENTS);
}

static void load_ends(void)
{
	rig_until(all_done, NULL);
	ck_assert_uint_eq(clients_errors(clients, CLIENTS), 0);
	ck_assert_uint_eq(fake_unanswered(), 0);
}

/* every mode of copying; nothing is lost, and nothing fails */
START_TEST(killed)
{
	unsigned int least = 100 + (unsigned int)test_rng_below(&rng, 400);

	fake.features = _i / RIG_MODES ? K73 : K612;
	conf(&first, UBLKEV_RECOVERY_REISSUE);
	rig_mode(&first, (unsigned int)_i % RIG_MODES);
	first.conf.queues = 3;
	rig_up(&first, disk.backend);
	load(100);
	rig_until(some_done, &least);
	fake_kill(ID);
	rig_bury(&first);
	ck_assert_int_eq(fake_state(ID), UBLKEV_STATE_QUIESCED);
	rig_run_ms(5);
	recover();
	recovered();
	/* what an administrator chose meanwhile is kept */
	ck_assert_uint_eq(fake_counts.no_schedulers, 1);
	load_ends();
	rig_down(&next);
}
END_TEST

/* again and again, once each is half through */
START_TEST(killed_often)
{
	struct rig_dev *rigs[] = { &first, &next };
	struct lazy *disks[] = { &disk, &next_disk };
	unsigned int i, least = 0;

	up(_i ? K73 : K612, UBLKEV_RECOVERY_REISSUE);
	load(400);
	for (i = 1; i <= 10; i++) {
		least += 300;
		rig_until(some_done, &least);
		fake_kill(ID);
		rig_bury(rigs[!(i % 2)]);
		conf(rigs[i % 2], UBLKEV_RECOVERY_NONE);
		rig_recover(rigs[i % 2], disks[i % 2]->backend);
		rig_until(rig_is_live, rigs[i % 2]);
	}
	load_ends();
	rig_down(rigs[(i - 1) % 2]);
}
END_TEST

/* in the modes without BATCH_IO, beside which there is no QUIESCE */
START_TEST(let_go)
{
	unsigned int least = 100 + (unsigned int)test_rng_below(&rng, 400);

	fake.features = K73;
	conf(&first, UBLKEV_RECOVERY_REISSUE);
	rig_mode(&first, (unsigned int)_i);
	first.conf.queues = 2;
	rig_up(&first, disk.backend);
	load(100);
	rig_until(some_done, &least);
	ck_assert_int_eq(ublkev_dev_release(rig_loop, &first.dev), 0);
	ck_assert_int_eq(ublkev_dev_try_stop(rig_loop, &first.dev), -EINVAL);
	released(&first);
	ck_assert_uint_eq(fake_counts.cmds[UBLKEV__CTRL_QUIESCE_DEV], 1);
	ck_assert_uint_eq(fake_counts.cmds[UBLKEV__CTRL_STOP_DEV], 0);
	ck_assert_uint_eq(fake_counts.aborted_reqs, 0);
	ck_assert_int_eq(fake_state(ID), UBLKEV_STATE_QUIESCED);
	recover();
	recovered();
	load_ends();
	ck_assert_uint_eq(fake_counts.aborted_reqs, 0);
	rig_down(&next);
}
END_TEST

START_TEST(quiesced_outside)
{
	unsigned int least = 200;

	up(K73, UBLKEV_RECOVERY_REISSUE);
	load(100);
	if (_i)
		rig_until(some_done, &least);
	else
		load_ends();
	fake_outside(UBLKEV__CTRL_QUIESCE_DEV, ID);
	released(&first);
	recover();
	recovered();
	load_ends();
	rig_down(&next);
}
END_TEST

/* ---- what each mode does to requests ---------------------------------------- */

static unsigned int answers, errors;

static void on_done(void *arg, int res)
{
	int *expected = arg;

	answers++;
	errors += res != 0;
	ck_assert_int_eq(res, expected ? *expected : 0);
}

static void submit(unsigned int n, int *expected)
{
	static char data[512];

	while (n--)
		fake_submit(ID, FAKE_READ, 0, 512, data, on_done, expected);
}

static bool are_held(void *arg)
{
	unsigned int *n = arg;

	return disk.nr_held == *n;
}

static void hold(unsigned int n)
{
	answers = errors = 0;
	disk.mode = LAZY_HOLD;
	next_disk.mode = LAZY_NOW;
	submit(n, NULL);
	rig_until(are_held, &n);
}

static bool are_answered(void *arg)
{
	unsigned int *n = arg;

	return answers == *n;
}

START_TEST(requeue)
{
	static int eio = -EIO;
	unsigned int n = 5;

	up(_i ? K73 : K612, UBLKEV_RECOVERY_REQUEUE);
	hold(0);
	submit(3, &eio);
	n = 3;
	rig_until(are_held, &n);
	fake_kill(ID);
	/* what it had fails, what comes waits */
	ck_assert_uint_eq(errors, 3);
	submit(2, NULL);
	ck_assert_uint_eq(answers, 3);
	rig_bury(&first);
	recover();
	recovered();
	n = 5;
	rig_until(are_answered, &n);
	ck_assert_uint_eq(errors, 3);
	rig_down(&next);
}
END_TEST

START_TEST(fail_io)
{
	static int eio = -EIO, gone = -EREMOTEIO;
	unsigned int n = 2;

	up(K73, UBLKEV_RECOVERY_FAIL_IO);
	hold(0);
	submit(2, &eio);
	rig_until(are_held, &n);
	fake_kill(ID);
	ck_assert_uint_eq(errors, 2);
	ck_assert_int_eq(fake_state(ID), UBLKEV_STATE_FAIL_IO);
	submit(2, &gone);
	ck_assert_uint_eq(errors, 4);
	rig_bury(&first);
	recover();
	recovered();
	submit(1, NULL);
	n = 5;
	rig_until(are_answered, &n);
	ck_assert_uint_eq(errors, 4);
	rig_down(&next);
}
END_TEST

START_TEST(no_recovery)
{
	up(K612, UBLKEV_RECOVERY_NONE);
	ck_assert_int_eq(ublkev_dev_release(rig_loop, &first.dev),
			 -EOPNOTSUPP);
	fake_kill(ID);
	rig_bury(&first);
	ck_assert_int_eq(fake_state(ID), UBLKEV_STATE_DEAD);
	recover();
	failed(&next, UBLKEV_STEP_INFO, -EOPNOTSUPP, UBLKEV_STEP_RELEASED);
	conf(&next, UBLKEV_RECOVERY_NONE);
	rig_init(&next, NULL);
	ck_assert_int_eq(ublkev_dev_remove(rig_loop, &next.dev), 0);
	rig_until(rig_is_over, &next);
	rig_fini(&next);
}
END_TEST

/* the backend does not come to an end: the driver hands on what it has */
START_TEST(release_times_out)
{
	unsigned int n = 4;

	fake.features = K73;
	conf(&first, UBLKEV_RECOVERY_REISSUE);
	first.conf.stop_timeout_ms = 30;
	rig_up(&first, disk.backend);
	hold(4);
	ck_assert_int_eq(ublkev_dev_release(rig_loop, &first.dev), 0);
	rig_until(rig_is_over, &first);
	rig_check_stopped(&first, "LES");
	ck_assert_int_eq(first.dev.err, -ETIMEDOUT);
	ck_assert_int_eq(first.dev.step, UBLKEV_STEP_RELEASED);
	/* what the backend had is not its any more, and no longer counted */
	ck_assert_uint_eq(rig_stats(&first).inflight, 0);
	rig_fini(&first);
	ck_assert_uint_eq(answers, 0);
	recover();
	recovered();
	rig_until(are_answered, &n);
	ck_assert_uint_eq(errors, 0);
	rig_down(&next);
}
END_TEST

START_TEST(abort_hurries_release)
{
	unsigned int n = 4;

	up(K73, UBLKEV_RECOVERY_REISSUE);
	hold(4);
	ck_assert_int_eq(ublkev_dev_release(rig_loop, &first.dev), 0);
	rig_run_ms(5);
	/* the kernel has agreed: too late for a stop */
	ublkev_dev_stop(rig_loop, &first.dev);
	ck_assert(first.dev.active);
	ublkev_dev_abort(rig_loop, &first.dev);
	released(&first);
	recover();
	recovered();
	rig_until(are_answered, &n);
	ck_assert_uint_eq(errors, 0);
	rig_down(&next);
}
END_TEST

START_TEST(release_refused)
{
	static const int errs[] = { -EPERM, -EOPNOTSUPP, -EINVAL };
	unsigned int least = 100;

	up(K73, UBLKEV_RECOVERY_REISSUE);
	fake_rule(FAKE_CMD, UBLKEV__CTRL_QUIESCE_DEV, 1, 1, errs[_i]);
	load(50);
	rig_until(some_done, &least);
	ck_assert_int_eq(ublkev_dev_release(rig_loop, &first.dev), 0);
	load_ends();
	ck_assert_str_eq(first.events, "LN");
	ck_assert_int_eq(first.dev.res, errs[_i]);
	ck_assert_int_eq(first.dev.err, 0);
	ublkev_dev_stop(rig_loop, &first.dev);
	rig_run();
	rig_check_stopped(&first, "LNS");
	rig_fini(&first);
}
END_TEST

/* ---- devices that can't be had ------------------------------------------- */

START_TEST(still_served)
{
	up(K73, UBLKEV_RECOVERY_REISSUE);
	recover();
	failed(&next, UBLKEV_STEP_RECOVER, -EBUSY, UBLKEV_STEP_RELEASED);
	ck_assert_uint_gt(fake_counts.cmds[UBLKEV__CTRL_START_USER_RECOVERY],
			  5);
	ck_assert(fake_live(ID));
	/* the second attempt waits until the first one lets go */
	recover();
	rig_run_ms(50);
	ck_assert_int_eq(ublkev_dev_release(rig_loop, &first.dev), 0);
	released(&first);
	recovered();
	rig_down(&next);
}
END_TEST

START_TEST(none_there)
{
	fake.features = K612;
	recover();
	failed(&next, UBLKEV_STEP_INFO, -ENODEV, UBLKEV_STEP_GONE);
	conf(&next, UBLKEV_RECOVERY_NONE);
	next.conf.id = -1;
	rig_init(&next, next_disk.backend);
	ck_assert_int_eq(ublkev_dev_recover(rig_loop, &next.dev), -EINVAL);
	rig_fini(&next);
}
END_TEST

/* takes what a server left away, for a clean end */
static void take_away(void)
{
	fake_outside(UBLKEV__CTRL_DEL_DEV, ID);
	ck_assert(!fake_exists(ID));
}

START_TEST(stopped_meanwhile)
{
	up(K73, UBLKEV_RECOVERY_REISSUE);
	fake_kill(ID);
	rig_bury(&first);
	fake_outside(UBLKEV__CTRL_STOP_DEV, ID);
	recover();
	failed(&next, UBLKEV_STEP_INFO, -ENOTCONN, UBLKEV_STEP_RELEASED);
	take_away();
}
END_TEST

static int other_open(void *ctx, struct ublkev_limits *limits)
{
	(void)ctx;
	limits->dev_bytes = LAZY_BYTES / 2;
	return 0;
}

static int other_submit(void *ctx, struct ublkev_req *req)
{
	(void)ctx;
	(void)req;
	return UBLKEV_DONE;
}

/* another disk: the log says once in what, the device waits on */
START_TEST(another_disk)
{
	static const struct ublkev_backend_ops ops = {
		.size = sizeof(ops), .name = "other", .open = other_open,
		.submit = other_submit,
	};
	struct ublkev_backend *other;
	struct test_log log = { 0 };

	ck_assert_int_eq(ublkev_backend_new(&other, &ops, NULL), 0);
	up(K612, UBLKEV_RECOVERY_REISSUE);
	fake_kill(ID);
	rig_bury(&first);
	conf(&next, UBLKEV_RECOVERY_NONE);
	next.conf.log = test_log_fn;
	next.conf.log_data = &log;
	rig_recover(&next, other);
	failed(&next, UBLKEV_STEP_INFO, -EINVAL, UBLKEV_STEP_RELEASED);
	ck_assert_uint_eq(log.errors, 1);
	ck_assert_int_eq(fake_state(ID), UBLKEV_STATE_QUIESCED);
	recover();
	recovered();
	rig_down(&next);
	ublkev_backend_free(other);
}
END_TEST

/*
 * A successor that dies, or fails, half-way: on 7.3 the next one has it, on
 * 6.12 nobody could, so that it is deleted.
 */
START_TEST(half_recovered)
{
	up(_i ? K73 : K612, UBLKEV_RECOVERY_REISSUE);
	fake_kill(ID);
	rig_bury(&first);
	fake_rule(FAKE_OPEN, 0, 1, 1, -EMFILE);
	recover();
	failed(&next, UBLKEV_STEP_OPEN, -EMFILE,
	       _i ? UBLKEV_STEP_RELEASED : UBLKEV_STEP_GONE);
	ck_assert_int_eq(fake_exists(ID), _i);
	if (!_i)
		return;
	fake_rule(FAKE_CMD, UBLKEV__CTRL_END_USER_RECOVERY, 1, 1, -EPERM);
	recover();
	failed(&next, UBLKEV_STEP_START, -EPERM, UBLKEV_STEP_RELEASED);
	recover();
	recovered();
	rig_down(&next);
}
END_TEST

/* killed between the two commands, and on 6.12 found by the next one */
START_TEST(killed_half_way)
{
	up(_i ? K73 : K612, UBLKEV_RECOVERY_REISSUE);
	fake_kill(ID);
	rig_bury(&first);
	fake_rule(FAKE_HANG_HARD, UBLKEV__CTRL_END_USER_RECOVERY, 1, 1, 0);
	recover();
	while (next.dev.step != UBLKEV_STEP_START)
		ev_run(rig_loop, EVRUN_ONCE);
	fake_kill(ID);
	fake_release();
	rig_bury(&next);
	recover();
	if (!_i) {
		failed(&next, UBLKEV_STEP_RECOVER, -EINVAL,
		       UBLKEV_STEP_RELEASED);
		take_away();
		return;
	}
	recovered();
	rig_down(&next);
}
END_TEST

/* ---- the partition scan ------------------------------------------------------ */

/* not for a device whose server's death would make it a deadlock (6.12) */
START_TEST(scan)
{
	static const struct {
		uint64_t kernel;
		enum ublkev_recovery recovery;
		unsigned int reads;
	} cases[] = {
		{ K612, UBLKEV_RECOVERY_NONE, 2 },
		{ K612, UBLKEV_RECOVERY_REISSUE, 0 },
		{ K73, UBLKEV_RECOVERY_REISSUE, 2 },
	};

	fake.scan_reads = 2;
	up(cases[_i].kernel, cases[_i].recovery);
	ck_assert_uint_eq(disk.submits, cases[_i].reads);
	rig_down(&first);
}
END_TEST

static void add_refusals(TCase *tc)
{
	tcase_add_loop_test(tc, release_refused, 0, 3);
	tcase_add_test(tc, still_served);
	tcase_add_test(tc, none_there);
	tcase_add_test(tc, stopped_meanwhile);
	tcase_add_test(tc, another_disk);
	tcase_add_loop_test(tc, half_recovered, 0, 2);
	tcase_add_loop_test(tc, killed_half_way, 0, 2);
	tcase_add_loop_test(tc, scan, 0, 3);
}

int main(void)
{
	Suite *s = suite_create("engine_recover");
	TCase *tc = tcase_create("recover");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, killed, 0, 2 * RIG_MODES);
	tcase_add_loop_test(tc, killed_often, 0, 2);
	tcase_add_loop_test(tc, let_go, 0, 3);
	tcase_add_loop_test(tc, quiesced_outside, 0, 2);
	tcase_add_loop_test(tc, requeue, 0, 2);
	tcase_add_test(tc, fail_io);
	tcase_add_test(tc, no_recovery);
	tcase_add_test(tc, release_times_out);
	tcase_add_test(tc, abort_hurries_release);
	add_refusals(tc);
	suite_add_tcase(s, tc);
	return test_main(s);
}
