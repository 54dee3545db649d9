/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asleep in the ring: when a lane sleeps there and not in its loop, who ends
 * that, and that nobody's call is slept through. What the application's lane
 * does at every point test_engine_wake.c shows, what a worker's does
 * test_engine_doze.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine_sleeper.h"

/* ---- the application's lane -------------------------------------------------- */

/* a request is an enter, and a turn of the loop has several */
START_TEST(pays)
{
	struct ublkev_stats before, after;
	unsigned int turns, slept;

	rig_up(&r, lazy.backend);
	before = rig_stats(&r);
	turns = ev_iteration(rig_loop);
	slept = sleeps();
	client_start(REQS);
	rig_until(client_ready, NULL);
	after = rig_stats(&r);
	ck_assert_uint_eq(client.done, REQS);
	ck_assert_uint_ge(sleeps() - slept, REQS * 9 / 10);
	/* unless the machine took this process' CPU away for long */
	ck_assert_uint_lt(after.wakes - before.wakes, REQS / 10);
	ck_assert_uint_lt(after.enters - before.enters, REQS * 5 / 4);
	ck_assert_uint_lt(ev_iteration(rig_loop) - turns, REQS);
	fake.hook = NULL;
	rig_down(&r);
}
END_TEST

static struct {
	bool any;
	unsigned int submits, turns;
} late;

static void late_and_client(enum fake_point at)
{
	if (at == FAKE_AT_MUTE && late.any) {	/* the next turn begins */
		ck_assert_uint_eq(lazy.submits, late.submits);
		late.any = false;
		late.turns++;
	}
	if (at == FAKE_AT_SLEPT) {
		late.any = true;
		late.submits = lazy.submits;
	}
	client_next(at);
}

/* what comes with the alarm waits for the loop, whose timers are due */
START_TEST(alarm_ends_turn)
{
	rig_up(&r, lazy.backend);
	fake.alarm_rings = true;
	memset(&late, 0, sizeof(late));
	client_start(REQS);
	fake.hook = late_and_client;
	rig_until(client_ready, NULL);
	ck_assert_uint_eq(client.done, REQS);
	ck_assert_uint_ge(late.turns, REQS * 9 / 10);
	fake.hook = NULL;
	fake.alarm_rings = false;
	rig_down(&r);
}
END_TEST

/* timers have waited for the turn's requests, too: that much sooner it rings */
START_TEST(alarm_counts_work)
{
	rig_up(&r, lazy.backend);
	lazy.burn_us = 100;
	client_start(100);
	rig_until(client_ready, NULL);
	ck_assert(sleeps());
	/* a turn without requests, as the last one may be, has the whole time */
	ck_assert_uint_ge(fake_counts.alarm_us, 1);
	ck_assert_uint_le(fake_counts.alarm_us, r.conf.sleep_us - 100);
	fake.hook = NULL;
	rig_down(&r);
}
END_TEST

static struct {
	unsigned int sleeps;	/* that have begun, with nothing to come */
	bool ended;		/* then the loop sleeps */
} rest;

static void client_then_rest(enum fake_point at)
{
	client_next(at);
	if (!client.away || client.left || rest.ended)
		return;
	rest.sleeps += at == FAKE_AT_SLEEP;
	rest.ended = at == FAKE_AT_UNMUTED;
}

static bool rests(void *arg)
{
	FAKE_LOCKED;

	(void)arg;
	return rest.ended;
}

/*
 * Requests have come while it slept: when the alarm ends that, the loop has its
 * turn and does not sleep, for more may come at once, and are waited for in the
 * ring. On a machine that is late now and then one of many shows it.
 */
START_TEST(alarm_ends_no_work)
{
	unsigned int i, most = 0;

	rig_up(&r, lazy.backend);
	for (i = 0; i < 50 && most < 2; i++) {
		memset(&rest, 0, sizeof(rest));
		client_start(10);
		fake.hook = client_then_rest;
		rig_until(rests, NULL);
		if (rest.sleeps > most)
			most = rest.sleeps;
		fake.hook = NULL;
	}
	ck_assert_uint_ge(most, 2);
	rig_down(&r);
}
END_TEST

/* one request after the other is there at each look: the loop has turns, too */
static void client_looked_for(enum fake_point at)
{
	client_next(at == FAKE_AT_LOOK ? FAKE_AT_SLEEP : at);
}

START_TEST(looks_once_a_turn)
{
	unsigned int turns;

	nr_cpus = 2;
	r.conf.budget_us = 0;
	rig_up(&r, lazy.backend);
	turns = ev_iteration(rig_loop);
	client_start(REQS);
	fake.hook = client_looked_for;
	rig_until(client_ready, NULL);
	ck_assert_uint_ge(ev_iteration(rig_loop) - turns, REQS / 4);
	fake.hook = NULL;
	rig_down(&r);
}
END_TEST

/* they have waited long enough: the loop is next, and sleeps by itself */
START_TEST(long_turn_sleeps_not)
{
	rig_up(&r, lazy.backend);
	lazy.burn_us = r.conf.sleep_us;
	client_start(100);
	rig_until(client_ready, NULL);
	ck_assert_uint_eq(client.done, 100);
	ck_assert_uint_eq(sleeps(), 0);
	fake.hook = NULL;
	rig_down(&r);
}
END_TEST

/* what the kernel holds of files it does when the server sleeps */
static void kernel_next(enum fake_point at)
{
	if (at != FAKE_AT_SLEEP && at != FAKE_AT_UNMUTED)
		return;
	if (!fake_file_go(r.dev.id, 8))
		client_next(at);
}

static int hold_all(const struct ublkev__fileop *op)
{
	(void)op;
	return FAKE_FILE_HOLD;
}

/*
 * With operations on files out it sleeps there, too: one enter begins the
 * operation and waits for its end, one answers and waits for the next request.
 */
START_TEST(pays_with_files)
{
	struct ublkev_stats before, after;
	unsigned int slept;

	fake.file = hold_all;
	stripe_make();
	rig_up(&r, stripe.backend);
	before = rig_stats(&r);
	slept = sleeps();
	client_start(REQS);
	fake.hook = kernel_next;
	rig_until(client_ready, NULL);
	after = rig_stats(&r);
	ck_assert_uint_eq(client.done, REQS);
	ck_assert_uint_eq(stripe.placed, REQS);
	ck_assert_uint_ge(sleeps() - slept, 2 * REQS * 9 / 10);
	ck_assert_uint_lt(after.wakes - before.wakes, REQS / 10);
	ck_assert_uint_lt(after.enters - before.enters, REQS * 5 / 2);
	fake.hook = NULL;
	fake.file = NULL;
	rig_down(&r);
	stripe_free();
}
END_TEST

/* nobody comes: it is given up, and the loop sleeps as ever */
START_TEST(gives_up)
{
	unsigned int i, slept;

	rig_up(&r, lazy.backend);
	for (i = 0; i < 50; i++) {
		client_start(1);
		rig_until(client_ready, NULL);
		rig_run_ms(1);
	}
	slept = sleeps();
	for (i = 0; i < 8; i++) {
		client_start(1);
		rig_until(client_ready, NULL);
		rig_run_ms(1);
	}
	/* a trial, perhaps */
	ck_assert_uint_le(sleeps() - slept, 1);
	fake.hook = NULL;
	rig_down(&r);
}
END_TEST

static void not_with_backend(enum fake_point at)
{
	if (at == FAKE_AT_TO_SLEEP)
		ck_assert_uint_eq(lazy.nr_held, 0);
}

START_TEST(not_asked_for)
{
	if (_i == 0)
		r.conf.wait_us = 0;
	if (_i == 1)
		r.conf.flags = UBLKEV_CONF_RING_FD;
	if (_i == 2)
		lazy.mode = LAZY_TIMER;
	rig_up(&r, lazy.backend);
	client_start(1);
	if (_i == 2)
		fake.hook = not_with_backend;
	rig_until(client_ready, NULL);
	rig_run_ms(2);
	ck_assert(_i == 2 || !sleeps());
	fake.hook = NULL;
	rig_down(&r);
}
END_TEST

/* ---- others in the loop ------------------------------------------------------ */

static struct {
	struct ev_io io;
	unsigned int nth, sleeps, calls;
} other;

static void other_touch(enum fake_point at)
{
	uint64_t one = 1;

	if (at != FAKE_AT_SLEEP || !other.nth || --other.nth)
		return;
	other.sleeps = fake_counts.sleeps + 1;	/* this one */
	ck_assert_int_eq(write(other.io.fd, &one, sizeof(one)), sizeof(one));
}

static void other_and_client(enum fake_point at)
{
	other_touch(at);
	client_next(at);
}

static void other_cb(struct ev_loop *loop, struct ev_io *w, int revents)
{
	uint64_t count;

	(void)loop;
	(void)revents;
	ck_assert_int_eq(read(w->fd, &count, sizeof(count)), sizeof(count));
	other.calls++;
	/* nobody has slept since */
	ck_assert_uint_eq(fake_counts.sleeps, other.sleeps);
}

/* a file of the loop that turns readable ends the sleep, and is served next */
START_TEST(others_are_served)
{
	unsigned int nth;

	ev_io_init(&other.io, other_cb, eventfd(0, EFD_CLOEXEC), EV_READ);
	ev_io_start(rig_loop, &other.io);
	rig_up(&r, lazy.backend);
	for (nth = 1; nth <= 40; nth++) {
		other.nth = nth;
		other.calls = 0;
		client_start(nth + 1);
		fake.hook = other_and_client;
		rig_until(client_ready, NULL);
		while (!other.calls)
			ev_run(rig_loop, EVRUN_ONCE);
	}
	fake.hook = NULL;
	ev_io_stop(rig_loop, &other.io);
	close(other.io.fd);
	rig_down(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_sleep");
	TCase *tc = tcase_create("sleep");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, pays);
	tcase_add_test(tc, alarm_ends_turn);
	tcase_add_test(tc, alarm_counts_work);
	tcase_add_test(tc, alarm_ends_no_work);
	tcase_add_test(tc, looks_once_a_turn);
	tcase_add_test(tc, long_turn_sleeps_not);
	tcase_add_test(tc, pays_with_files);
	tcase_add_test(tc, gives_up);
	tcase_add_loop_test(tc, not_asked_for, 0, 3);
	tcase_add_test(tc, others_are_served);
	suite_add_tcase(s, tc);
	return test_main(s);
}
