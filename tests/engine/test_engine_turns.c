/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a turn of the engine is, and who has the next one: the budget, a
 * request that is done in pieces, queues beside a busy one, the end of a batch.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ev/clock.h"
#include "engine_client.h"
#include "engine_one.h"

#define CLIENTS 48u

static struct test_rng rng;
static struct client *clients;

static bool walk_over(void *arg)
{
	(void)arg;
	return clients_done(clients, CLIENTS);
}

/* a request that takes many turns: others are answered meanwhile */
START_TEST(done_in_pieces)
{
	static char data[64 << 10], back[64 << 10], zeroes[64 << 10];
	struct one longer = { 0, 0 }, other = { 0, 0 };
	struct ublkev_backend *b;
	uint32_t at;

	ck_assert_int_eq(ublkev_mem_new(&b, NULL), 0);
	rig_mode(&r, (unsigned int)_i);
	r.conf.budget_reqs = 1;
	rig_up(&r, b);
	memset(data, 0xee, sizeof(data));
	for (at = 0; at < 8u << 20; at += sizeof(data))
		ck_assert_int_eq(one_io(FAKE_WRITE, at, sizeof(data), data), 0);
	fake_submit(0, FAKE_DISCARD, 512, 8u << 20, NULL, one_tell, &longer);
	fake_submit(0, FAKE_READ, 0, 512, back, one_tell, &other);
	rig_until(one_done, &other);
	ck_assert_uint_eq(longer.done, 0);
	ck_assert_mem_eq(back, data, 512);
	rig_until(one_done, &longer);
	ck_assert_int_eq(longer.res, 0);
	ck_assert_int_eq(one_io(FAKE_READ, 1 << 20, sizeof(back), back), 0);
	ck_assert_mem_eq(back, zeroes, sizeof(back));
	ck_assert_uint_eq(rig_stats(&r).op[UBLKEV_OP_DISCARD].reqs, 1);
	ck_assert_uint_eq(rig_stats(&r).inflight, 0);
	rig_down(&r);
	ublkev_backend_free(b);
}
END_TEST

/* given up in the midst of it */
START_TEST(aborted_between_pieces)
{
	static char data[64 << 10];
	struct one longer = { 0, 0 }, other = { 0, 0 };
	struct ublkev_backend *b;
	uint32_t at;

	ck_assert_int_eq(ublkev_mem_new(&b, NULL), 0);
	r.conf.budget_reqs = 1;
	rig_up(&r, b);
	for (at = 0; at < 8u << 20; at += sizeof(data))
		ck_assert_int_eq(one_io(FAKE_WRITE, at, sizeof(data), data), 0);
	fake_submit(0, FAKE_DISCARD, 0, 8u << 20, NULL, one_tell, &longer);
	fake_submit(0, FAKE_READ, 0, 512, data, one_tell, &other);
	rig_until(one_done, &other);
	ck_assert_uint_eq(longer.done, 0);
	ublkev_dev_abort(rig_loop, &r.dev);
	rig_run();
	rig_check_stopped(&r, "LS");
	ck_assert_uint_eq(longer.done, 1);
	ck_assert_int_eq(longer.res, -EIO);
	rig_fini(&r);
	ublkev_backend_free(b);
}
END_TEST

#define REQS 64
#define SLOW_US 2000

static char data[REQS][512];
static unsigned int answered, most_submits, submits_before;

static void count(void *arg, int res)
{
	(void)arg;
	ck_assert_int_eq(res, 0);
	answered++;
}

static bool all_answered(void *arg)
{
	(void)arg;
	return answered == REQS;
}

/* what one turn of the loop has submitted */
static void on_check(struct ev_loop *loop, struct ev_check *w, int revents)
{
	unsigned int n = lazy.submits - submits_before;

	(void)loop;
	(void)w;
	(void)revents;
	submits_before = lazy.submits;
	if (n > most_submits)
		most_submits = n;
}

/*
 * A request of four times the budget ends its turn alone, whatever its op:
 * counted in requests, so that a slow machine does not fail it.
 */
START_TEST(slow_requests_one_a_turn)
{
	struct ev_check check;
	unsigned int i;

	lazy.burn_us = SLOW_US;
	r.conf.depth = REQS;
	r.conf.budget_us = SLOW_US / 4;
	r.conf.budget_reqs = 0;
	rig_up(&r, lazy.backend);
	ev_check_init(&check, on_check);
	ev_check_start(rig_loop, &check);
	answered = most_submits = 0;
	submits_before = lazy.submits;
	for (i = 0; i < REQS; i++)
		fake_submit(0, _i ? FAKE_FLUSH : FAKE_READ, 0, _i ? 0 : 512,
			    _i ? NULL : data[i], count, NULL);
	rig_until(all_answered, NULL);
	ev_check_stop(rig_loop, &check);
	ck_assert_uint_eq(lazy.submits, REQS);
	ck_assert_uint_eq(most_submits, 1);
	rig_down(&r);
}
END_TEST

/* ---- how often the clock is looked at ------------------------------------------ */

#define FAST_DEPTH	512

static bool stands;		/* the clock does */
static unsigned int submits_looked, most_between;

uint64_t __real_ublkev__clock_us(void);
uint64_t __wrap_ublkev__clock_us(void);

uint64_t __wrap_ublkev__clock_us(void)
{
	unsigned int n = lazy.submits - submits_looked;

	if (!stands)
		return __real_ublkev__clock_us();
	submits_looked = lazy.submits;
	if (n > most_between)
		most_between = n;
	return 1000000;
}

static bool all_fast_answered(void *arg)
{
	(void)arg;
	return answered == FAST_DEPTH;
}

/*
 * Requests that cost nothing for a long while: the clock is looked at more and
 * more seldom, but often enough for the first that is slow to be noticed.
 */
START_TEST(looks_seldom_but_looks)
{
	static char buf[512];
	unsigned int i, n;

	r.conf.depth = FAST_DEPTH;
	r.conf.wait_us = 0;
	rig_up(&r, lazy.backend);
	submits_looked = lazy.submits;
	most_between = 0;
	stands = true;
	for (n = 0; n < 20; n++) {
		answered = 0;
		for (i = 0; i < FAST_DEPTH; i++)
			fake_submit(0, FAKE_READ, 0, sizeof(buf), buf, count,
				    NULL);
		rig_until(all_fast_answered, NULL);
	}
	stands = false;
	ck_assert_uint_ge(most_between, 16);
	ck_assert_uint_le(most_between, 64);
	rig_down(&r);
}
END_TEST

/* ---- who has the next turn ------------------------------------------------------ */

#define LARGE	(256u << 10)

/* what the backend gets between two enters, the second of which answers */
static void on_enter(enum fake_point at)
{
	if (at == FAKE_AT_ENTER)
		on_check(NULL, NULL, 0);
}

/*
 * The driver copies the data of all answers in one enter: large ones are
 * parted among several, budget or not, so that the clock is looked at.
 */
START_TEST(large_requests_in_parts)
{
	static char large[LARGE];
	unsigned int i;

	r.conf.depth = REQS;
	r.conf.max_io_bytes = LARGE;
	r.conf.budget_us = r.conf.budget_reqs = 0;
	rig_up(&r, lazy.backend);
	answered = most_submits = 0;
	submits_before = lazy.submits;
	fake.hook = on_enter;
	for (i = 0; i < REQS; i++)
		fake_submit(0, FAKE_READ, 0, LARGE, large, count, NULL);
	rig_until(all_answered, NULL);
	ck_assert_uint_eq(lazy.submits, REQS);
	ck_assert_uint_eq(most_submits, 2);
	fake.hook = NULL;
	rig_down(&r);
}
END_TEST

static unsigned int turns;

static void on_turn(struct ev_loop *loop, struct ev_check *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	turns++;
}

/* a full queue and a backend that takes 200 us: everybody else has a turn */
START_TEST(budget)
{
	struct ublkev_stats s;
	struct ev_check check;

	test_rng_init(&rng, 4);
	lazy.burn_us = 200;
	r.conf.depth = 32;
	r.conf.budget_us = _i == 0 ? 100 : _i == 1 ? 0 : 500;
	r.conf.budget_reqs = _i == 1 ? 2 : 0;
	rig_up(&r, lazy.backend);
	clients = clients_new(CLIENTS, 0, &rng, 10);
	clients_go(clients, CLIENTS);
	ev_check_init(&check, on_turn);
	ev_check_start(rig_loop, &check);
	turns = 0;
	rig_until(walk_over, NULL);
	ev_check_stop(rig_loop, &check);
	s = rig_stats(&r);
	/* 480 requests; the clock is looked at twice a round at least */
	ck_assert_uint_ge(turns, 4);
	ck_assert_uint_ge(s.over_budget, 3);
	if (_i == 1)
		ck_assert_uint_ge(turns, 480 / 2);
	rig_down(&r);
	free(clients);
}
END_TEST

#define AGAIN	10000u

/* a ring that takes nothing has work in every round: no budget is spent by it */
START_TEST(ring_that_takes_nothing)
{
	struct one one = { 0, 0 };
	struct ev_check check;

	r.conf.wait_us = r.conf.budget_us = r.conf.budget_reqs = 0;
	rig_up(&r, lazy.backend);
	ev_check_init(&check, on_turn);
	ev_check_start(rig_loop, &check);
	turns = 0;
	fake_rule(FAKE_ENTER_AGAIN, 0, 1, AGAIN, 0);
	fake_submit(0, FAKE_READ, 0, 512, data[0], one_tell, &one);
	rig_until(one_done, &one);
	ev_check_stop(rig_loop, &check);
	ck_assert_int_eq(one.res, 0);
	ck_assert_uint_ge(turns, 2);
	rig_down(&r);
}
END_TEST

/* a queue that is always busy does not starve the others */
static unsigned int busy_left, quiet_done;

static void keep_busy(void *arg, int res)
{
	(void)res;
	if (quiet_done || !busy_left)
		return;
	busy_left--;
	fake_submit_on(0, 0, FAKE_READ, 0, 512, arg, keep_busy, arg);
}

static void on_quiet(void *arg, int res)
{
	(void)arg;
	(void)res;
	quiet_done++;
}

static bool quiet_is_done(void *arg)
{
	(void)arg;
	return quiet_done;
}

START_TEST(queues_are_fair)
{
	static char bufs[9][512];
	unsigned int i;

	r.conf.queues = 4;
	r.conf.budget_reqs = 1;
	rig_up(&r, lazy.backend);
	busy_left = 100;
	for (i = 0; i < 8; i++)
		fake_submit_on(0, 0, FAKE_READ, 0, 512, bufs[i], keep_busy,
			       bufs[i]);
	fake_submit_on(0, 3, FAKE_READ, 0, 512, bufs[8], on_quiet, NULL);
	rig_until(quiet_is_done, NULL);
	ck_assert_uint_ge(busy_left, 90);
	rig_down(&r);
}
END_TEST

/* submit, submit, submit, flush */
START_TEST(flush_ends_the_batch)
{
	test_rng_init(&rng, 5);
	r.conf.depth = 64;
	r.conf.budget_us = 0;	/* however slow the machine */
	rig_up(&r, lazy.backend);
	clients = clients_new(CLIENTS, 0, &rng, 1);
	clients_go(clients, CLIENTS);
	rig_until(walk_over, NULL);
	ck_assert_uint_eq(lazy.submits, CLIENTS);
	ck_assert_uint_eq(lazy.flushes, 1);
	ck_assert_uint_eq(lazy.unflushed, 0);
	rig_down(&r);
	free(clients);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_turns");
	TCase *tc = tcase_create("turns");

	tcase_add_checked_fixture(tc, one_setup, one_teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, done_in_pieces, 0, RIG_MODES);
	tcase_add_test(tc, aborted_between_pieces);
	tcase_add_loop_test(tc, slow_requests_one_a_turn, 0, 2);
	tcase_add_test(tc, looks_seldom_but_looks);
	tcase_add_test(tc, large_requests_in_parts);
	tcase_add_loop_test(tc, budget, 0, 3);
	tcase_add_test(tc, ring_that_takes_nothing);
	tcase_add_test(tc, queues_are_fair);
	tcase_add_test(tc, flush_ends_the_batch);
	suite_add_tcase(s, tc);
	return test_main(s);
}
