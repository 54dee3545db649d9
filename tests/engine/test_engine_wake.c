/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * No wake-up is lost: a request is injected at every point of every call into
 * the ring, and must be served without any other event.
 */
#include <sched.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine_one.h"

/* of each kind of point, the first so many of a pump's calls */
#define NTHS 4

static unsigned int cpus;

/* found before the C library's: the thread may use as many CPUs as a test likes */
int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	unsigned int i;

	(void)pid;
	CPU_ZERO_S(size, set);
	for (i = 0; i < cpus; i++)
		CPU_SET_S(i, size, set);
	return 0;
}

static void setup(void)
{
	cpus = 2;
	one_setup();
}

static struct {
	enum fake_point at;
	unsigned int nth, reqs;
	bool armed, injected;
	unsigned int done;
} shot;

static char data[2][512];

static void on_done(void *arg, int res)
{
	(void)arg;
	ck_assert_int_eq(res, 0);
	shot.done++;
}

static void hook(enum fake_point at)
{
	unsigned int i;

	if (!shot.armed || at != shot.at || --shot.nth)
		return;
	shot.armed = false;
	shot.injected = true;
	for (i = 0; i < shot.reqs; i++)
		fake_submit(0, FAKE_READ, 0, 512, data[i], on_done, NULL);
}

static bool first_done(void *arg)
{
	(void)arg;
	return shot.done >= 1;
}

static bool all_done(void *arg)
{
	(void)arg;
	return shot.done == 1 + (shot.injected ? shot.reqs : 0);
}

/*
 * The watchdog of rig_until() is the only other event, and fails. What it
 * would take to serve: one second, not ten.
 */
static void shoot(enum fake_point at, unsigned int nth)
{
	memset(&shot, 0, sizeof(shot));
	shot.at = at;
	shot.nth = nth;
	shot.reqs = 1 + nth % 2;
	shot.armed = true;
	fake_submit(0, FAKE_WRITE, 512, 512, data[0], on_done, NULL);
	rig_until(first_done, NULL);
	rig_until(all_done, NULL);
	/* at the point that this pump never came to, a later one may be */
	shot.armed = false;
}

START_TEST(every_point)
{
	enum fake_point at = (enum fake_point)(_i % FAKE_POINTS);
	unsigned int nth;

	fake.hook = hook;
	fake.work_cap = _i / FAKE_POINTS % 2;
	r.conf.budget_reqs = _i / FAKE_POINTS / 2 % 2;
	lazy.mode = _i / FAKE_POINTS / 4 % 2 ? LAZY_TIMER : LAZY_NOW;
	switch (_i / FAKE_POINTS / 8) {
	case 1:
		r.conf.flags = UBLKEV_CONF_RING_FD;
		break;
	case 2:
		r.conf.flags = UBLKEV_CONF_RING_FD;
		fake.runs_work = true;
		break;
	case 3:		/* asleep in the ring */
		cpus = 1;
		break;
	}
	rig_up(&r, lazy.backend);
	for (nth = 1; nth <= NTHS; nth++)
		shoot(at, nth);
	fake.hook = NULL;
	rig_down(&r);
}
END_TEST

/* likewise for what a control command waits for: STOP_DEV from outside */
static void hook_stop(enum fake_point at)
{
	if (!shot.armed || at != shot.at || --shot.nth)
		return;
	shot.armed = false;
	fake_outside(UBLKEV__CTRL_STOP_DEV, 0);
}

START_TEST(stop_at_every_point)
{
	unsigned int nth;

	cpus = 1 + _i / FAKE_POINTS;
	for (nth = 1; nth <= NTHS; nth++) {
		rig_conf(&r);
		rig_up(&r, lazy.backend);
		memset(&shot, 0, sizeof(shot));
		shot.at = (enum fake_point)(_i % FAKE_POINTS);
		shot.nth = nth;
		shot.armed = true;
		fake.hook = hook_stop;
		fake_submit(0, FAKE_WRITE, 512, 512, data[0], on_done, NULL);
		rig_until(first_done, NULL);
		if (shot.armed) {
			shot.armed = false;
			ublkev_dev_stop(rig_loop, &r.dev);
		}
		rig_until(rig_is_over, &r);
		fake.hook = NULL;
		rig_run();
		rig_fini(&r);
	}
}
END_TEST

/* every control command answered at every point of the pump */
START_TEST(commands_at_every_point)
{
	fake.delay = 1 + (unsigned int)_i;
	rig_init(&r, lazy.backend);
	rig_start(&r);
	rig_ticks();
	rig_until(rig_is_live, &r);
	rig_down(&r);
}
END_TEST

static void hook_tick(enum fake_point at)
{
	if (at == shot.at)
		fake_tick();
}

START_TEST(answers_inside_the_pump)
{
	shot.at = (enum fake_point)_i;
	fake.hook = hook_tick;
	fake.delay = 2;
	rig_ticks();
	rig_up(&r, lazy.backend);
	rig_down(&r);
}
END_TEST

/* an enter that could do nothing leaves the eventfd's read for later */
START_TEST(enter_again)
{
	unsigned int nth;

	rig_up(&r, lazy.backend);
	for (nth = 1; nth < 12; nth++) {
		memset(&shot, 0, sizeof(shot));
		fake_rule(FAKE_ENTER_AGAIN, 0, 1 + nth % 3, nth, 0);
		fake_submit(0, FAKE_READ, 0, 512, data[0], on_done, NULL);
		rig_until(first_done, NULL);
	}
	rig_down(&r);
}
END_TEST

START_TEST(enter_again_at_stop)
{
	fake_rule(FAKE_ENTER_AGAIN, 0, 1 + (unsigned int)_i % 8,
		  1 + (unsigned int)_i / 8, 0);
	r.conf.budget_us = _i & 1;
	rig_up(&r, lazy.backend);
	rig_down(&r);
}
END_TEST

static unsigned int checks;

static void on_check(struct ev_loop *loop, struct ev_check *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	checks++;
}

static unsigned int calls;

static void count_calls(enum fake_point at)
{
	(void)at;
	calls++;
}

START_TEST(idle_costs_nothing)
{
	struct ublkev_stats before, after;
	struct ev_check check;
	int i, turn;

	r.conf.flags = _i == 1 ? UBLKEV_CONF_RING_FD : 0;
	cpus = _i == 2 ? 1 : 2;
	rig_up(&r, lazy.backend);
	for (i = 0; i < 3; i++) {
		memset(&shot, 0, sizeof(shot));
		fake_submit(0, FAKE_READ, 0, 512, data[0], on_done, NULL);
		rig_until(first_done, NULL);
		for (turn = 0; turn < 100; turn++)	/* what is left to do */
			ev_run(rig_loop, EVRUN_NOWAIT);
		ev_check_init(&check, on_check);
		ev_check_start(rig_loop, &check);
		before = rig_stats(&r);
		fake.hook = count_calls;
		calls = checks = 0;
		rig_run_ms(30);
		fake.hook = NULL;
		after = rig_stats(&r);
		ev_check_stop(rig_loop, &check);
		/* the loop woke for its own timer, nobody called the ring */
		ck_assert_uint_le(checks, 2);
		ck_assert_uint_eq(calls, 0);
		ck_assert_uint_eq(before.rounds, after.rounds);
		ck_assert_uint_eq(before.enters, after.enters);
		ck_assert_uint_eq(before.wakes, after.wakes);
	}
	rig_down(&r);
}
END_TEST

static bool one_held(void *arg)
{
	(void)arg;
	return lazy.nr_held;
}

static void on_timer(struct ev_loop *loop, struct ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	lazy_answer(&lazy, 1);
}

static void on_prepare(struct ev_loop *loop, struct ev_prepare *w, int revents)
{
	(void)revents;
	ev_prepare_stop(loop, w);
	lazy_answer(&lazy, 1);
}

/* an answer from any kind of callback leaves at once, not at the next event */
START_TEST(answer_wakes)
{
	struct ev_prepare prepare;
	struct ev_timer timer;

	lazy.mode = LAZY_HOLD;
	rig_up(&r, lazy.backend);
	memset(&shot, 0, sizeof(shot));
	fake_submit(0, FAKE_READ, 0, 512, data[0], on_done, NULL);
	rig_until(one_held, NULL);
	ev_timer_init(&timer, on_timer, .002, 0.);
	ev_prepare_init(&prepare, on_prepare);
	ev_set_priority(&prepare, _i == 1 ? EV_MAXPRI : EV_MINPRI);
	if (_i)
		ev_prepare_start(rig_loop, &prepare);
	else
		ev_timer_start(rig_loop, &timer);
	rig_until(first_done, NULL);
	rig_down(&r);
}
END_TEST

/* ---- waiting before the loop sleeps -------------------------------------- */

/* a client that has its next request while the server looks for it */
static struct {
	unsigned int left, done, looks;
	bool away;
} client;

static void client_done(void *arg, int res)
{
	(void)arg;
	ck_assert_int_eq(res, 0);
	client.done++;
	client.away = true;
}

static void client_next(enum fake_point at)
{
	if (at != FAKE_AT_LOOK)
		return;
	client.looks++;
	if (!client.away || !client.left)
		return;
	client.left--;
	client.away = false;
	fake_submit(0, FAKE_READ, 0, 512, data[0], client_done, NULL);
}

static bool client_ready(void *arg)
{
	(void)arg;
	return client.away && !client.left;
}

static void client_start(unsigned int reqs)
{
	memset(&client, 0, sizeof(client));
	client.left = reqs - 1;
	fake.hook = client_next;
	fake_submit(0, FAKE_READ, 0, 512, data[0], client_done, NULL);
}

#define REQS 1000

/*
 * No wake-up but the first, and the loop's others have a turn for each: what
 * comes while we look is answered, and not waited upon in the same turn.
 */
START_TEST(waits_pay)
{
	struct ublkev_stats before, after;
	unsigned int turns;

	r.conf.wait_us = 1000;
	rig_up(&r, lazy.backend);
	rig_run_ms(5);
	before = rig_stats(&r);
	turns = ev_iteration(rig_loop);
	client_start(REQS);
	rig_until(client_ready, NULL);
	after = rig_stats(&r);
	ck_assert_uint_eq(client.done, REQS);
	/* one, unless the machine took this process' CPU away for long */
	ck_assert_uint_lt(after.wakes - before.wakes, REQS / 10);
	ck_assert_uint_gt(after.waits_paid - before.waits_paid, REQS / 2);
	ck_assert_uint_ge(ev_iteration(rig_loop) - turns,
			  after.waits - before.waits);
	/* and asleep again, for no longer than it takes to see that */
	client.looks = 0;
	rig_run_ms(30);
	before = rig_stats(&r);
	client.looks = 0;
	rig_run_ms(30);
	ck_assert_uint_eq(client.looks, 0);
	client_start(1);
	rig_until(client_ready, NULL);
	ck_assert_uint_eq(rig_stats(&r).wakes, before.wakes + 1);
	fake.hook = NULL;
	rig_down(&r);
}
END_TEST

/*
 * Nobody waits while somebody has a request, or when told not to, or with the
 * client's only CPU.
 */
START_TEST(no_wait)
{
	uint64_t waits;

	lazy.mode = _i ? LAZY_NOW : LAZY_HOLD;
	r.conf.wait_us = _i == 1 ? 0 : 1000;
	cpus = _i == 2 ? 1 : 2;
	rig_up(&r, lazy.backend);
	rig_run_ms(5);
	waits = rig_stats(&r).waits;
	client_start(1);
	if (!_i)
		rig_until(one_held, NULL);
	rig_run_ms(5);
	ck_assert_uint_eq(client.looks, 0);
	ck_assert_uint_eq(rig_stats(&r).waits, waits);
	ck_assert(!_i || !waits);
	fake.hook = NULL;
	if (!_i)
		lazy_answer(&lazy, 1);
	rig_until(client_ready, NULL);
	rig_down(&r);
}
END_TEST

static unsigned int looks_before_due;

static void on_due(struct ev_loop *loop, struct ev_prepare *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	looks_before_due += client.looks;
	client.looks = 0;
}

/* of the same, lowest priority, before and after ours: each is served first */
START_TEST(no_wait_while_others_are_due)
{
	struct ev_prepare due;

	r.conf.wait_us = 1000;
	rig_up(&r, lazy.backend);
	rig_run_ms(5);
	ev_prepare_init(&due, on_due);
	ev_set_priority(&due, EV_MINPRI);
	ev_prepare_start(rig_loop, &due);
	looks_before_due = 0;
	client_start(1);
	rig_until(client_ready, NULL);
	rig_run_ms(5);
	ck_assert_uint_eq(looks_before_due, 0);
	ev_prepare_stop(rig_loop, &due);
	fake.hook = NULL;
	rig_down(&r);
}
END_TEST

/* told to stop while a turn without sleep is still to come */
START_TEST(stop_while_it_stays)
{
	r.conf.wait_us = 1000;
	rig_up(&r, lazy.backend);
	client_start(2 + (unsigned int)_i);
	rig_until(client_ready, NULL);
	rig_down(&r);
	ck_assert_uint_eq(client.done, 2 + (unsigned int)_i);
}
END_TEST

/* ---- a release ------------------------------------------------------------- */

/*
 * Wherever the last answer leaves, be it in the enter that follows a turn
 * without budget: that nothing is there any more is then noticed.
 */
START_TEST(release_with_little_budget)
{
	unsigned int i;

	memset(&shot, 0, sizeof(shot));
	fake.features = 0x1fffff;
	fake.work_cap = 1;
	r.conf.recovery = UBLKEV_RECOVERY_REISSUE;
	r.conf.budget_us = 1;
	lazy.burn_us = 2;
	rig_up(&r, lazy.backend);
	for (i = 0; i <= (unsigned int)_i; i++)
		fake_submit(0, FAKE_READ, 0, 512, NULL, on_done, NULL);
	ck_assert_int_eq(ublkev_dev_release(rig_loop, &r.dev), 0);
	rig_until(rig_is_over, &r);
	rig_check_stopped(&r, "LS");
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_RELEASED);
	rig_fini(&r);
	rig_conf(&r);
	r.conf.id = 0;
	rig_init(&r, NULL);
	ck_assert_int_eq(ublkev_dev_remove(rig_loop, &r.dev), 0);
	rig_until(rig_is_over, &r);
	rig_fini(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_wake");
	TCase *tc = tcase_create("wake");

	tcase_add_checked_fixture(tc, setup, one_teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, every_point, 0, 32 * FAKE_POINTS);
	tcase_add_loop_test(tc, stop_at_every_point, 0, 2 * FAKE_POINTS);
	tcase_add_loop_test(tc, commands_at_every_point, 0, 3);
	tcase_add_loop_test(tc, answers_inside_the_pump, 0, FAKE_POINTS);
	tcase_add_test(tc, enter_again);
	tcase_add_loop_test(tc, enter_again_at_stop, 0, 40);
	tcase_add_loop_test(tc, idle_costs_nothing, 0, 3);
	tcase_add_loop_test(tc, answer_wakes, 0, 3);
	tcase_add_test(tc, waits_pay);
	tcase_add_loop_test(tc, no_wait, 0, 3);
	tcase_add_test(tc, no_wait_while_others_are_due);
	tcase_add_loop_test(tc, stop_while_it_stays, 0, 3);
	tcase_add_loop_test(tc, release_with_little_budget, 0, 6);
	suite_add_tcase(s, tc);
	return test_main(s);
}
