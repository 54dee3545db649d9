/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a device with a thread for each queue, or two: ends, faults, sizes
 * and servers, all under load, while its threads are anywhere
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/names.h"
#include "engine_client.h"
#include "engine_parts.h"
#include "ev/engine.h"

#define ID		7
#define CLIENTS		12u
#define K612		0x1feu
#define K73		0x1fffffu

static struct parts disk, next_disk;
static struct rig_dev r, next;
static struct client *clients;
static struct test_rng rng;
static unsigned int per_queue = 1;	/* threads */

/* several threads for a queue need a driver that can, and no BATCH_IO */
static void kernel(uint64_t features)
{
	fake.features = features;
	if (per_queue > 1)
		fake.features |= FAKE_F_PER_IO_DAEMON;
}

static void set_mode(unsigned int mode)
{
	rig_mode(&r, mode);
	if (per_queue > 1)
		r.conf.features = 0;
}

static void setup(void)
{
	rig_setup();
	/* what is waited for may come to pass in a thread */
	rig_ticks();
	parts_init(&disk);
	parts_init(&next_disk);
	test_rng_init(&rng, test_seed("lanes"));
	clients = NULL;
	parts_conf(&r);
	r.conf.id = ID;
	if (per_queue == 1)
		return;
	parts_share(&disk, &r, per_queue);
	next_disk.per_queue = per_queue;
}

static void setup_two(void)
{
	per_queue = 2;
	setup();
}

static void teardown(void)
{
	ck_assert(fake_clean());
	parts_fini(&disk);
	parts_fini(&next_disk);
	free(clients);
	rig_teardown();
	per_queue = 1;
}

static void go(unsigned int reqs, bool errors_allowed)
{
	unsigned int i;

	FAKE_LOCKED;

	free(clients);
	memset(disk.bytes, 0, LAZY_BYTES);
	clients = clients_new(CLIENTS, ID, &rng, reqs);
	for (i = 0; i < CLIENTS; i++)
		clients[i].errors_allowed = errors_allowed;
	clients_go(clients, CLIENTS);
}

/* the clients draw from it, too */
static unsigned int below(unsigned int n)
{
	FAKE_LOCKED;

	return (unsigned int)test_rng_below(&rng, n);
}

static bool all_done(void *arg)
{
	(void)arg;
	return clients_done(clients, CLIENTS);
}

static bool some_done(void *arg)
{
	unsigned int i, n = 0, *least = arg;

	for (i = 0; i < CLIENTS; i++)
		n += clients[i].done;
	return n >= *least;
}

static void load_ends(void)
{
	rig_until(all_done, NULL);
	fake_lock();
	ck_assert_uint_eq(clients_errors(clients, CLIENTS), 0);
	fake_unlock(NULL);
	ck_assert_uint_eq(fake_unanswered(), 0);
}

/* ---- ends ------------------------------------------------------------------ */

/* stop, abort and so on race with what the threads do */
START_TEST(ends_under_load)
{
	unsigned int i;

	disk.hold = _i & 1;
	r.conf.stop_timeout_ms = _i & 2 ? 20 : 2000;
	r.conf.grace_ms = _i & 2 ? 50 : 500;
	rig_init(&r, disk.backend);
	for (i = 0; i < 10; i++) {
		rig_start(&r);
		rig_until(rig_is_live, &r);
		go(1000, true);
		rig_run_ms(i % 3);
		if (_i & 4)
			ublkev_dev_abort(rig_loop, &r.dev);
		else
			ublkev_dev_stop(rig_loop, &r.dev);
		if (!(_i & 2))
			parts_let_go(&disk);
		rig_run();
		ck_assert(!r.dev.active);
		ck_assert_int_eq(r.dev.step, UBLKEV_STEP_GONE);
		ck_assert_uint_eq(fake_unanswered(), 0);
		disk.hold = _i & 1;
	}
	rig_fini(&r);
}
END_TEST

static bool all_answered(void *arg)
{
	FAKE_LOCKED;

	(void)arg;
	return !fake_unanswered();
}

/* beyond the disk's end: each queue's thread counts its own */
START_TEST(rejected_in_all)
{
	unsigned int i;

	rig_up(&r, disk.backend);
	for (i = 0; i < 2; i++)
		fake_submit_on(r.dev.id, i, FAKE_READ, UINT64_C(1) << 50, 512,
			       NULL, NULL, NULL);
	rig_until(all_answered, NULL);
	ck_assert_uint_eq(rig_stats(&r).rejected, 2);
	ublkev_dev_stop(rig_loop, &r.dev);
	rig_run();
	rig_fini(&r);
}
END_TEST

static void up_in_mode(unsigned int mode)
{
	set_mode(mode);
	fake.features |= FAKE_F_NEED_GET_DATA | FAKE_F_USER_COPY;
	rig_up(&r, disk.backend);
}

/* in the modes of copying: what idle tags tell, all at once with BATCH_IO */
START_TEST(ends_idle)
{
	up_in_mode((unsigned int)_i);
	rig_down(&r);
}
END_TEST

/* from outside, while nobody has anything to do */
START_TEST(stopped_by_others)
{
	up_in_mode((unsigned int)_i);
	fake_outside(UBLKEV__CTRL_STOP_DEV, ID);
	rig_run();
	rig_check_stopped(&r, "LES");
	ck_assert_int_eq(r.dev.err, -ENODEV);
	rig_fini(&r);
}
END_TEST

/* at any time on the way up */
START_TEST(stopped_on_the_way)
{
	unsigned int i, n;

	fake.delay = (unsigned int)_i;
	rig_init(&r, disk.backend);
	for (n = 0; n < 30; n++) {
		rig_start(&r);
		for (i = 0; i < n && r.dev.step != UBLKEV_STEP_LIVE; i++)
			ev_run(rig_loop, EVRUN_NOWAIT);
		if (n & 1)
			ublkev_dev_abort(rig_loop, &r.dev);
		else
			ublkev_dev_stop(rig_loop, &r.dev);
		rig_run();
		ck_assert_int_eq(r.dev.step, UBLKEV_STEP_GONE);
	}
	rig_fini(&r);
}
END_TEST

/* one thread's ring fails: all goes down */
START_TEST(fault)
{
	/* a thread whose commits fail has requests that nobody answers */
	r.conf.stop_timeout_ms = 200;
	r.conf.grace_ms = 100;
	rig_up(&r, disk.backend);
	go(100, true);
	fake_rule(_i ? FAKE_COMMIT : FAKE_ENTER, 0, 20, 1, -EIO);
	rig_until(rig_is_over, &r);
	ck_assert_int_eq(r.dev.err, -EIO);
	rig_run();
	rig_check_stopped(&r, "LES");
	rig_fini(&r);
}
END_TEST

/* ---- stop if nobody uses it ------------------------------------------------ */

static bool is_refused(void *arg)
{
	(void)arg;
	return strchr(r.events, 'N');
}

START_TEST(try_stop)
{
	kernel(K73);
	rig_up(&r, disk.backend);
	fake_hold(ID, 1);
	go(200, false);
	ck_assert_int_eq(ublkev_dev_try_stop(rig_loop, &r.dev), 0);
	rig_until(is_refused, NULL);
	ck_assert_int_eq(r.dev.res, -EBUSY);
	load_ends();
	fake_hold(ID, -1);
	ck_assert_int_eq(ublkev_dev_try_stop(rig_loop, &r.dev), 0);
	rig_run();
	rig_check_stopped(&r, "LNS");
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_GONE);
	rig_fini(&r);
}
END_TEST

/* ---- resize ---------------------------------------------------------------- */

static bool is_resized(void *arg)
{
	(void)arg;
	return strchr(r.events, 'R');
}

static int resize(uint64_t bytes)
{
	return ublkev_dev_resize(rig_loop, &r.dev, bytes,
				 UBLKEV_RESIZE_SHRINK);
}

START_TEST(resizes_under_load)
{
	uint64_t bytes = LAZY_BYTES;
	unsigned int i;

	kernel(K73);
	set_mode((unsigned int)_i);
	disk.maps = true;
	rig_up(&r, disk.backend);
	go(1000, false);
	for (i = 0; i < 20; i++) {
		bytes = bytes == LAZY_BYTES ? 2 * LAZY_BYTES : LAZY_BYTES;
		disk.resize_err = i % 5 == 4 ? -ENOSPC : 0;
		strcpy(r.events, "L");
		ck_assert_int_eq(resize(bytes), 0);
		ck_assert_int_eq(resize(bytes), -EINVAL);
		rig_until(is_resized, NULL);
		if (disk.resize_err && bytes > LAZY_BYTES) {
			ck_assert_int_eq(r.dev.res, -ENOSPC);
			bytes = LAZY_BYTES;
		}
		rig_run_ms(1);
	}
	ck_assert_uint_ge(disk.resizes, 10);
	load_ends();
	strcpy(r.events, "L");
	rig_down(&r);
}
END_TEST

static bool one_stuck(void *arg)
{
	(void)arg;
	return __atomic_load_n(&disk.stuck, __ATOMIC_RELAXED);
}

static bool others_held(void *arg)
{
	const struct ublkev__threads *t = &r.dev.priv->threads;
	unsigned int i;

	(void)arg;
	for (i = 0; i < (PARTS - 1) * per_queue; i++)
		if (t->v[i].hold != UBLKEV__HOLD_HELD)
			return false;
	return true;
}

/*
 * While one of them stays in submit(), the others are held, and do not run
 * round and round for requests that they may not take yet.
 */
START_TEST(held_is_quiet)
{
	uint64_t wakes;

	kernel(K73);
	r.conf.flags |= _i ? UBLKEV_CONF_RING_FD : 0;
	disk.stick = true;
	rig_up(&r, disk.backend);
	go(100, false);
	rig_until(one_stuck, NULL);
	ck_assert_int_eq(resize(2 * LAZY_BYTES), 0);
	rig_until(others_held, NULL);
	wakes = rig_stats(&r).wakes;
	rig_run_ms(50);
	ck_assert_uint_le(rig_stats(&r).wakes, wakes + CLIENTS);
	ck_assert_ptr_null(strchr(r.events, 'R'));
	__atomic_store_n(&disk.stick, false, __ATOMIC_RELAXED);
	rig_until(is_resized, NULL);
	load_ends();
	strcpy(r.events, "L");
	rig_down(&r);
}
END_TEST

/* stopped while the threads are to be held, or are */
START_TEST(stop_while_resizing)
{
	unsigned int i;

	kernel(K73);
	rig_init(&r, disk.backend);
	for (i = 0; i < 20; i++) {
		rig_start(&r);
		rig_until(rig_is_live, &r);
		go(50, true);
		ck_assert_int_eq(resize(disk.dev_bytes == LAZY_BYTES ?
					2 * LAZY_BYTES : LAZY_BYTES), 0);
		if (i % 3)
			ev_run(rig_loop, EVRUN_NOWAIT);
		if (i & 1)
			ublkev_dev_abort(rig_loop, &r.dev);
		else
			ublkev_dev_stop(rig_loop, &r.dev);
		rig_run();
		ck_assert(!r.dev.active);
		ck_assert_int_eq(r.events[strlen(r.events) - 1], 'S');
		ck_assert_ptr_nonnull(strchr(r.events, 'R'));
	}
	rig_fini(&r);
}
END_TEST

/* ---- from server to server ------------------------------------------------- */

/* two processes with one memfd */
static void share_bytes(void)
{
	free(next_disk.bytes);
	next_disk.bytes = disk.bytes;
}

static void part_them(void)
{
	next_disk.bytes = NULL;
}

/* whatever its conf says of depth and copying, they are the device's */
static void recover(struct rig_dev *n, struct parts *d)
{
	unsigned int budget_us = r.conf.budget_us;

	parts_conf(n);
	n->conf.budget_us = budget_us;
	n->conf.threads_per_queue = d->per_queue;
	n->conf.id = ID;
	n->conf.depth = 3;
	n->conf.recover_timeout_ms = 2000;
	rig_recover(n, d->backend);
	rig_until(rig_is_live, n);
	ck_assert_str_eq(n->events, "L");
	ck_assert_int_eq(fake_state(ID), UBLKEV_STATE_LIVE);
}

static void up(uint64_t features, unsigned int mode)
{
	share_bytes();
	kernel(features);
	r.conf.recovery = UBLKEV_RECOVERY_REISSUE;
	set_mode(mode);
	rig_up(&r, disk.backend);
}

START_TEST(killed)
{
	unsigned int least = 100 + below(400);

	up(_i < RIG_MODES ? K612 : K73, (unsigned int)_i % RIG_MODES);
	go(100, false);
	rig_until(some_done, &least);
	fake_kill(ID);
	rig_bury(&r);
	ck_assert_int_eq(fake_state(ID), UBLKEV_STATE_QUIESCED);
	recover(&next, &next_disk);
	load_ends();
	rig_down(&next);
	part_them();
}
END_TEST

START_TEST(killed_often)
{
	struct rig_dev *rigs[] = { &r, &next };
	struct parts *disks[] = { &disk, &next_disk };
	unsigned int i, least = 0;

	up(_i ? K73 : K612, 0);
	go(400, false);
	for (i = 1; i <= 10; i++) {
		least += 300;
		rig_until(some_done, &least);
		fake_kill(ID);
		rig_bury(rigs[!(i % 2)]);
		recover(rigs[i % 2], disks[i % 2]);
	}
	load_ends();
	rig_down(rigs[(i - 1) % 2]);
	part_them();
}
END_TEST

/*
 * No request is lost that a thread got just before the driver kept them back,
 * nor one that its backend still has.
 */
START_TEST(let_go)
{
	struct rig_dev *rigs[] = { &r, &next };
	struct parts *disks[] = { &disk, &next_disk };
	unsigned int i, least = 0;

	r.conf.budget_us = _i < 3 ? 500 : 1;
	up(K73, (unsigned int)_i % 3);
	disk.slow = next_disk.slow = true;
	go(200, false);
	for (i = 1; i <= 10; i++) {
		least += 100 + below(100);
		rig_until(some_done, &least);
		ck_assert_int_eq(ublkev_dev_release(rig_loop,
						    &rigs[!(i % 2)]->dev), 0);
		rig_until(rig_is_over, rigs[!(i % 2)]);
		rig_check_stopped(rigs[!(i % 2)], "LS");
		ck_assert_int_eq(rigs[!(i % 2)]->dev.step,
				 UBLKEV_STEP_RELEASED);
		rig_fini(rigs[!(i % 2)]);
		recover(rigs[i % 2], disks[i % 2]);
	}
	load_ends();
	rig_down(rigs[(i - 1) % 2]);
	part_them();
}
END_TEST

static bool any_held(void *arg)
{
	(void)arg;
	return parts_held(&disk) >= CLIENTS;
}

/* the server goes only once its backend has answered */
START_TEST(let_go_waits)
{
	up(K73, 0);
	disk.hold = true;
	go(10, false);
	rig_until(any_held, NULL);
	ck_assert_int_eq(ublkev_dev_release(rig_loop, &r.dev), 0);
	rig_run_ms(20);
	ck_assert(r.dev.active);
	parts_let_go(&disk);
	rig_until(rig_is_over, &r);
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_RELEASED);
	rig_fini(&r);
	recover(&next, &next_disk);
	load_ends();
	rig_down(&next);
	part_them();
}
END_TEST

/* quiesced by somebody else, it is left to another server */
START_TEST(quiesced_by_others)
{
	up(K73, 0);
	go(100, false);
	fake_outside(UBLKEV__CTRL_QUIESCE_DEV, ID);
	rig_until(rig_is_over, &r);
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_RELEASED);
	rig_fini(&r);
	recover(&next, &next_disk);
	load_ends();
	rig_down(&next);
	part_them();
}
END_TEST

/* what a fault leaves, another can have */
START_TEST(fault_leaves_it)
{
	up(K73, 0);
	go(100, false);
	fake_rule(FAKE_ENTER, 0, 20, 1, -EIO);
	rig_until(rig_is_over, &r);
	ck_assert_int_eq(r.dev.err, -EIO);
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_RELEASED);
	rig_fini(&r);
	recover(&next, &next_disk);
	load_ends();
	rig_down(&next);
	part_them();
}
END_TEST

/* with another number of threads than the server before had */
START_TEST(other_number)
{
	struct rig_dev *rigs[] = { &r, &next };
	struct parts *disks[] = { &disk, &next_disk };
	unsigned int i, least = 0;

	up(K73, (unsigned int)_i);
	go(200, false);
	for (i = 1; i <= 8; i++) {
		least += 150;
		rig_until(some_done, &least);
		fake_kill(ID);
		rig_bury(rigs[!(i % 2)]);
		disks[i % 2]->per_queue = 1 + below(MOST_PER_QUEUE);
		recover(rigs[i % 2], disks[i % 2]);
	}
	load_ends();
	rig_down(rigs[(i - 1) % 2]);
	part_them();
}
END_TEST

static void add(Suite *s, const char *name, void (*set_up)(void))
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, set_up, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, rejected_in_all);
	tcase_add_loop_test(tc, ends_under_load, 0, 8);
	tcase_add_loop_test(tc, ends_idle, 0, RIG_MODES);
	tcase_add_loop_test(tc, stopped_by_others, 0, RIG_MODES);
	tcase_add_loop_test(tc, stopped_on_the_way, 0, 2);
	tcase_add_loop_test(tc, fault, 0, 2);
	tcase_add_test(tc, try_stop);
	tcase_add_loop_test(tc, resizes_under_load, 0, RIG_MODES);
	tcase_add_loop_test(tc, held_is_quiet, 0, 2);
	tcase_add_test(tc, stop_while_resizing);
	tcase_add_loop_test(tc, killed, 0, 2 * RIG_MODES);
	tcase_add_loop_test(tc, killed_often, 0, 2);
	tcase_add_loop_test(tc, let_go, 0, 6);
	tcase_add_test(tc, let_go_waits);
	tcase_add_test(tc, quiesced_by_others);
	tcase_add_test(tc, fault_leaves_it);
	if (set_up == setup_two)
		tcase_add_loop_test(tc, other_number, 0, 3);
	suite_add_tcase(s, tc);
}

int main(void)
{
	Suite *s = suite_create("engine_lanes");

	add(s, "lanes", setup);
	add(s, "two", setup_two);
	return test_main(s);
}
