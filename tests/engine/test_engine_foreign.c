/* SPDX-License-Identifier: BSD-2-Clause */
/* A loop of poll(2) alone: no libev loop is made here. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "engine_client.h"
#include "engine_one.h"

#define CLIENTS 16u

static struct client *clients;
static struct test_rng rng;
static unsigned int sleeps;
static bool asleep;	/* without limit, and nothing had come */

/* a turn; `hold`: this one also answers what the backend holds */
static void turn(unsigned int hold)
{
	struct pollfd fd = { .events = POLLIN };
	int timeout_ms, n;

	ublkev_dev_flush(&r.dev);
	asleep = false;
	if (!r.dev.active)
		return;
	if (hold && lazy.nr_held) {
		lazy_answer(&lazy, hold);
		/* there is something to commit */
		ck_assert_int_eq(ublkev_dev_timeout_ms(&r.dev), 0);
	}
	fd.fd = ublkev_dev_fd(&r.dev);
	timeout_ms = ublkev_dev_timeout_ms(&r.dev);
	sleeps += timeout_ms != 0;
	n = poll(&fd, 1, timeout_ms < 0 ? 0 : timeout_ms);
	asleep = timeout_ms < 0 && !n;
	if (n)
		ublkev_dev_service(&r.dev);
}

static void start(void)
{
	rig_init(&r, lazy.backend);
	r.starts++;
	ck_assert_int_eq(ublkev_dev_start(NULL, &r.dev), 0);
	ck_assert_ptr_null(lazy.loop);
	ck_assert_int_eq(ublkev_dev_timeout_ms(&r.dev), 0);
}

static void up(void)
{
	start();
	while (!rig_is_live(&r))
		turn(0);
	ck_assert_str_eq(r.events, "L");
}

static void down(void)
{
	ublkev_dev_stop(NULL, &r.dev);
	while (r.dev.active) {
		turn(0);
		ck_assert(!asleep);
	}
	rig_check_stopped(&r, "LS");
	rig_fini(&r);
}

START_TEST(life)
{
	up();
	ublkev_dev_flush(&r.dev);
	ck_assert_int_eq(ublkev_dev_timeout_ms(&r.dev), -1);
	down();
}
END_TEST

static int watched;		/* the number that a loop would keep */
static bool restarts;

static void forgets_fd(struct rig_dev *rig, int revents)
{
	if (revents != UBLKEV_STOPPED)
		return;
	/* nobody else's, and still the one that was registered */
	ck_assert_int_ne(fcntl(watched, F_GETFD), -1);
	if (!restarts)
		return;
	restarts = false;
	rig->starts++;
	ck_assert_int_eq(ublkev_dev_start(NULL, &rig->dev), 0);
	ck_assert_int_ne(ublkev_dev_fd(&rig->dev), watched);
}

START_TEST(fd_is_there_until_the_end)
{
	int was;

	r.on_event = forgets_fd;
	start();
	watched = ublkev_dev_fd(&r.dev);
	while (!rig_is_live(&r)) {
		turn(0);
		ck_assert_int_eq(ublkev_dev_fd(&r.dev), watched);
	}
	restarts = _i;
	ublkev_dev_stop(NULL, &r.dev);
	while (r.stops < 1)
		turn(0);
	ck_assert_int_eq(fcntl(watched, F_GETFD), -1);
	if (_i) {
		was = watched;
		watched = ublkev_dev_fd(&r.dev);
		ck_assert_int_ne(watched, was);
		ublkev_dev_abort(NULL, &r.dev);
		while (r.dev.active)
			turn(0);
		ck_assert_int_eq(fcntl(watched, F_GETFD), -1);
	}
	ck_assert_uint_eq(r.starts, r.stops);
	rig_fini(&r);
}
END_TEST

START_TEST(data)
{
	test_rng_init(&rng, test_seed("foreign"));
	lazy.mode = _i ? LAZY_HOLD : LAZY_INSIDE;
	r.conf.budget_reqs = _i == 2;
	fake.scan_reads = _i ? 0 : 3;
	up();
	clients = clients_new(CLIENTS, 0, &rng, 40);
	clients_go(clients, CLIENTS);
	while (!clients_done(clients, CLIENTS)) {
		turn(1 + (unsigned int)test_rng_below(&rng, 5));
		ck_assert(!asleep || lazy.nr_held ||
			  clients_done(clients, CLIENTS));
	}
	down();
	free(clients);
}
END_TEST

START_TEST(stop_deadline)
{
	lazy.mode = LAZY_HOLD;
	r.conf.stop_timeout_ms = 30;
	r.conf.grace_ms = 20;
	test_rng_init(&rng, 1);
	up();
	clients = clients_new(CLIENTS, 0, &rng, 1);
	for (sleeps = 0; sleeps < CLIENTS; sleeps++)
		clients[sleeps].errors_allowed = true;
	clients_go(clients, CLIENTS);
	turn(0);
	ublkev_dev_stop(NULL, &r.dev);
	for (sleeps = 0; r.dev.active;)
		turn(0);
	rig_check_stopped(&r, "LES");
	ck_assert_int_eq(r.dev.err, -ETIMEDOUT);
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_GONE);
	/* it slept until the deadline rather than spin */
	ck_assert_uint_ge(sleeps, 1);
	ck_assert_uint_lt(sleeps, 50);
	ck_assert_uint_eq(clients_errors(clients, CLIENTS), CLIENTS);
	rig_fini(&r);
	free(clients);
}
END_TEST

START_TEST(command_deadline)
{
	r.conf.cmd_timeout_ms = 20;
	fake_rule(FAKE_HANG, UBLKEV__CTRL_ADD_DEV, 1, 1, 0);
	start();
	while (r.dev.active)
		turn(0);
	rig_check_stopped(&r, "ES");
	ck_assert_int_eq(r.dev.err, -ETIMEDOUT);
	rig_fini(&r);
}
END_TEST

START_TEST(restart)
{
	int i;

	up();
	for (i = 0; i < 3; i++) {
		ublkev_dev_abort(NULL, &r.dev);
		while (r.dev.active)
			turn(0);
		rig_check_stopped(&r, "LS");
		r.events[0] = '\0';
		r.starts++;
		ck_assert_int_eq(ublkev_dev_start(NULL, &r.dev), 0);
		while (!rig_is_live(&r))
			turn(0);
	}
	down();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_foreign");
	TCase *tc = tcase_create("foreign");

	tcase_add_checked_fixture(tc, one_setup, one_teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, life);
	tcase_add_loop_test(tc, fd_is_there_until_the_end, 0, 2);
	tcase_add_loop_test(tc, data, 0, 3);
	tcase_add_test(tc, stop_deadline);
	tcase_add_test(tc, command_deadline);
	tcase_add_test(tc, restart);
	suite_add_tcase(s, tc);
	return test_main(s);
}
