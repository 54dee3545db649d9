/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_client.h"
#include "engine_rig.h"

#define CLIENTS 48u

static struct lazy lazy;
static struct rig_dev r;
static struct test_rng rng;

static void setup(void)
{
	rig_setup();
	lazy_init(&lazy, LAZY_NOW, 1);
	rig_conf(&r);
}

static void teardown(void)
{
	ck_assert(fake_clean());
	lazy_fini(&lazy);
	rig_teardown();
}

/* one request, and its answer */
struct one {
	unsigned int done;
	int res;
};

static void on_one(void *arg, int res)
{
	struct one *one = arg;

	one->done++;
	one->res = res;
}

static bool one_done(void *arg)
{
	return ((struct one *)arg)->done;
}

static int io(uint32_t op, uint64_t offset, uint32_t len, void *data)
{
	struct one one = { 0, 0 };

	fake_submit(0, op, offset, len, data, on_one, &one);
	rig_until(one_done, &one);
	ck_assert_uint_eq(one.done, 1);
	return one.res;
}

static void all_ops(bool keeps)
{
	static char data[8192], back[8192];

	test_rng_init(&rng, 3);
	test_rng_fill(&rng, data, sizeof(data));
	ck_assert_int_eq(io(FAKE_WRITE, 4096, 8192, data), 0);
	ck_assert_int_eq(io(FAKE_FLUSH, 0, 0, NULL), 0);
	ck_assert_int_eq(io(FAKE_READ, 4096, 8192, back), 0);
	if (keeps)
		ck_assert_mem_eq(data, back, sizeof(data));
	ck_assert_int_eq(io(FAKE_ZEROES | FAKE_F_NOUNMAP, 4096, 4096, NULL),
			 0);
	ck_assert_int_eq(io(FAKE_DISCARD, 8192, 4096, NULL), 0);
	ck_assert_int_eq(io(FAKE_READ, 4096, 4096, back), 0);
	if (keeps)
		ck_assert(!back[0] && !memcmp(back, back + 1, 4095));
	ck_assert_int_eq(io(FAKE_WRITE | FAKE_F_FUA, 0, 512, data), 0);
}

static void check_counters(void)
{
	struct ublkev_stats s = rig_stats(&r);

	ck_assert_uint_eq(s.op[UBLKEV_OP_READ].reqs, 2);
	ck_assert_uint_eq(s.op[UBLKEV_OP_READ].bytes, 8192 + 4096);
	ck_assert_uint_eq(s.op[UBLKEV_OP_WRITE].reqs, 2);
	ck_assert_uint_eq(s.op[UBLKEV_OP_FLUSH].reqs, 1);
	ck_assert_uint_eq(s.op[UBLKEV_OP_DISCARD].reqs, 1);
	ck_assert_uint_eq(s.op[UBLKEV_OP_WRITE_ZEROES].reqs, 1);
	ck_assert_uint_eq(s.fua, 1);
	ck_assert_uint_eq(s.inflight, 0);
	ck_assert_uint_eq(s.rejected, 0);
}

START_TEST(every_op)
{
	struct ublkev_backend *b = lazy.backend;
	struct ublkev_disk_conf null;
	int disk = _i % 3;

	ublkev_disk_conf_init(&null, sizeof(null));
	null.flags = UBLKEV_DISK_NO_DATA;

	lazy.mode = LAZY_MIX;
	lazy.map_in_4 = (unsigned int)_i % 4;
	if (disk == 0)
		ck_assert_int_eq(ublkev_null_new(&b, &null), 0);
	else if (disk == 1)
		ck_assert_int_eq(ublkev_mem_new(&b, NULL), 0);
	fake.no_data = disk == 0;
	r.conf.copy = (enum ublkev_copy)(_i / 3);
	rig_up(&r, b);
	all_ops(disk);
	check_counters();
	ck_assert_uint_eq(lazy.fua, disk == 2);
	rig_down(&r);
	if (b != lazy.backend)
		ublkev_backend_free(b);
}
END_TEST

/* what one client wrote is not another's to read, whoever copies */
START_TEST(null_reads_zeroes)
{
	static char data[8192], back[8192], zeroes[8192];
	struct ublkev_backend *b;
	int i;

	ck_assert_int_eq(ublkev_null_new(&b, NULL), 0);
	rig_mode(&r, (unsigned int)_i);
	rig_up(&r, b);
	test_rng_init(&rng, 3);
	test_rng_fill(&rng, data, sizeof(data));
	for (i = 0; i < 32; i++) {
		ck_assert_int_eq(io(FAKE_WRITE, 4096, 8192, data), 0);
		memset(back, 0x5a, sizeof(back));
		ck_assert_int_eq(io(FAKE_READ, 4096, 4096 + 512 * (i % 9),
				    back), 0);
		ck_assert_mem_eq(back, zeroes, 4096 + 512 * (i % 9));
	}
	rig_down(&r);
	ublkev_backend_free(b);
}
END_TEST

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
		ck_assert_int_eq(io(FAKE_WRITE, at, sizeof(data), data), 0);
	fake_submit(0, FAKE_DISCARD, 512, 8u << 20, NULL, on_one, &longer);
	fake_submit(0, FAKE_READ, 0, 512, back, on_one, &other);
	rig_until(one_done, &other);
	ck_assert_uint_eq(longer.done, 0);
	ck_assert_mem_eq(back, data, 512);
	rig_until(one_done, &longer);
	ck_assert_int_eq(longer.res, 0);
	ck_assert_int_eq(io(FAKE_READ, 1 << 20, sizeof(back), back), 0);
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
		ck_assert_int_eq(io(FAKE_WRITE, at, sizeof(data), data), 0);
	fake_submit(0, FAKE_DISCARD, 0, 8u << 20, NULL, on_one, &longer);
	fake_submit(0, FAKE_READ, 0, 512, data, on_one, &other);
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

/* what no request may be: answered with an error, and the device goes on */
START_TEST(decode_errors)
{
	static char data[512];

	rig_mode(&r, (unsigned int)_i);
	rig_up(&r, lazy.backend);
	ck_assert_int_eq(io(13, 0, 512, NULL), -EOPNOTSUPP);
	ck_assert_int_eq(io(FAKE_READ, 0, 0, NULL), -EINVAL);
	ck_assert_int_eq(io(FAKE_READ, 0, 128 << 10, NULL), -EINVAL);
	ck_assert_int_eq(io(FAKE_READ, LAZY_BYTES, 512, NULL), -EINVAL);
	ck_assert_int_eq(io(FAKE_WRITE, UINT64_MAX - 511, 512, data), -EINVAL);
	ck_assert_uint_eq(rig_stats(&r).rejected, 5);
	ck_assert_uint_eq(lazy.submits, 0);
	ck_assert_int_eq(io(FAKE_READ, 0, 512, data), 0);
	lazy.mode = LAZY_FAIL;
	ck_assert_int_eq(io(FAKE_WRITE, 0, 512, data), -ENOSPC);
	ck_assert_uint_eq(rig_stats(&r).op[UBLKEV_OP_WRITE].errors, 2);
	rig_down(&r);
}
END_TEST

/* the request fails, is counted once, and the next one goes well */
START_TEST(copies_that_fail)
{
	static char data[4096], back[4096];
	struct ublkev_stats s;
	unsigned int i;

	test_rng_init(&rng, 7);
	test_rng_fill(&rng, data, sizeof(data));
	r.conf.copy = _i ? UBLKEV_COPY_USER : UBLKEV_COPY_DIRECT;
	rig_up(&r, lazy.backend);
	for (i = 0; i < 2; i++) {
		lazy.map_in_4 = i ? 4 : 0;
		fake_rule(FAKE_COPY, 0, 1, 1, -EFAULT);
		ck_assert_int_eq(io(FAKE_WRITE, 0, 4096, data), -EIO);
		fake_no_rules();
		ck_assert_int_eq(io(FAKE_WRITE, 8192, 4096, data), 0);
		ck_assert_int_eq(io(FAKE_READ, 8192, 4096, back), 0);
		ck_assert_mem_eq(data, back, sizeof(data));
		if (!_i)
			continue;
		fake_rule(FAKE_COPY, 0, 1, 1, 512);
		ck_assert_int_eq(io(FAKE_READ, 8192, 4096, back), -EIO);
		fake_no_rules();
	}
	s = rig_stats(&r);
	ck_assert_uint_eq(s.op[UBLKEV_OP_WRITE].reqs, 4);
	ck_assert_uint_eq(s.op[UBLKEV_OP_WRITE].errors, 2);
	ck_assert_uint_eq(s.op[UBLKEV_OP_WRITE].bytes, 2 * 4096);
	ck_assert_uint_eq(s.op[UBLKEV_OP_READ].reqs, _i ? 4 : 2);
	ck_assert_uint_eq(s.op[UBLKEV_OP_READ].errors, _i ? 2 : 0);
	ck_assert_uint_eq(s.op[UBLKEV_OP_READ].bytes, 2 * 4096);
	rig_down(&r);
}
END_TEST

/* only a request that needs a buffer suffers */
START_TEST(no_memory_for_buffers)
{
	static char data[512];

	r.conf.copy = UBLKEV_COPY_DIRECT;
	rig_up(&r, lazy.backend);
	fake_rule(FAKE_NEED_BUFS, 0, 1, 2, -ENOMEM);
	ck_assert_int_eq(io(FAKE_WRITE, 0, 512, data), -ENOMEM);
	ck_assert_int_eq(io(FAKE_READ, 0, 512, data), -ENOMEM);
	lazy.map_in_4 = 4;
	ck_assert_int_eq(io(FAKE_WRITE, 0, 512, data), 0);
	ck_assert_int_eq(io(FAKE_READ, 0, 512, data), 0);
	lazy.map_in_4 = 0;
	ck_assert_int_eq(io(FAKE_WRITE, 0, 512, data), 0);
	ck_assert_int_eq(io(FAKE_READ, 0, 512, data), 0);
	rig_down(&r);
}
END_TEST

/* and where the kernel lacks what is wished, all is as in PLAIN */
START_TEST(mapped_is_not_submitted)
{
	static char data[512];
	struct ublkev_info info;
	bool plain = _i % 3 == 0;
	unsigned int n;

	for (n = 0; n < 2; n++) {
		rig_conf(&r);
		rig_mode(&r, (unsigned int)_i);
		lazy.map_in_4 = 4;
		lazy.maps = lazy.submits = 0;
		rig_up(&r, lazy.backend);
		ck_assert_int_eq(ublkev_dev_info(&r.dev, &info, sizeof(info)),
				 0);
		ck_assert_int_eq(!(info.features & (FAKE_F_NEED_GET_DATA |
						    FAKE_F_USER_COPY)),
				 plain);
		ck_assert_int_eq(io(FAKE_WRITE, 0, 512, data), 0);
		ck_assert_int_eq(io(FAKE_READ, 0, 512, data), 0);
		ck_assert_int_eq(io(FAKE_FLUSH, 0, 0, NULL), 0);
		ck_assert_uint_eq(lazy.maps, plain ? 0 : 2);
		ck_assert_uint_eq(lazy.submits, plain ? 3 : 1);
		ck_assert_uint_eq(rig_stats(&r).inflight, 0);
		rig_down(&r);
		fake.features &= ~(FAKE_F_NEED_GET_DATA | FAKE_F_USER_COPY |
				   FAKE_F_BATCH_IO);
		plain = true;
	}
}
END_TEST

static struct client *clients;

static bool walk_over(void *arg)
{
	(void)arg;
	return clients_done(clients, CLIENTS);
}

static const struct {
	enum lazy_mode mode;
	unsigned int queues, depth, reqs, work_cap;
	bool mem;
} walks[] = {
	{ LAZY_NOW, 1, 8, 0, 0, false },
	{ LAZY_INSIDE, 1, 8, 0, 0, false },
	{ LAZY_TIMER, 1, 8, 0, 0, false },
	{ LAZY_MIX, 1, 1, 0, 0, false },
	{ LAZY_MIX, 4, 4, 0, 20, false },
	{ LAZY_MIX, 4, 16, 1, 0, false },
	{ LAZY_TIMER, 2, 32, 3, 1, false },
	{ LAZY_NOW, 4, 16, 1024, 20, true },
};

START_TEST(data_integrity)
{
	struct ublkev_backend *b = lazy.backend;
	struct ublkev_stats s;

	test_rng_init(&rng, test_seed("data_integrity"));
	rig_mode(&r, (unsigned int)_i % RIG_MODES);
	_i /= RIG_MODES;
	lazy.mode = walks[_i].mode;
	lazy.map_in_4 = (unsigned int)test_rng_below(&rng, 5);
	lazy.rng.state = test_rng_next(&rng);
	r.conf.queues = walks[_i].queues;
	r.conf.depth = walks[_i].depth;
	r.conf.budget_reqs = walks[_i].reqs;
	r.conf.flags = UBLKEV_CONF_LATENCY;
	fake.work_cap = walks[_i].work_cap;
	if (walks[_i].mem)
		ck_assert_int_eq(ublkev_mem_new(&b, NULL), 0);
	rig_up(&r, b);
	clients = clients_new(CLIENTS, 0, &rng, 60);
	clients_go(clients, CLIENTS);
	rig_until(walk_over, NULL);
	s = rig_stats(&r);
	ck_assert_uint_eq(s.inflight, 0);
	ck_assert_uint_eq(s.stale_answers, 0);
	ck_assert_uint_le(s.inflight_max, r.conf.queues * r.conf.depth);
	ck_assert_uint_eq(s.rejected, 0);
	if (r.conf.copy == UBLKEV_COPY_PLAIN)
		ck_assert_uint_eq(lazy.maps, 0);
	rig_down(&r);
	free(clients);
	if (walks[_i].mem)
		ublkev_backend_free(b);
}
END_TEST

#define MANY 16

static struct client *many_clients[MANY];
static unsigned int left_live;

static void on_many(struct rig_dev *d, int revents)
{
	(void)d;
	left_live -= revents == UBLKEV_LIVE;
}

static bool many_live(void *arg)
{
	(void)arg;
	return !left_live;
}

static bool many_over(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < MANY; i++)
		if (!clients_done(many_clients[i], 8))
			return false;
	return true;
}

START_TEST(many_devices)
{
	static struct rig_dev d[MANY];
	static struct lazy disk[MANY];
	int i;

	test_rng_init(&rng, test_seed("many_devices"));
	left_live = MANY;
	for (i = 0; i < MANY; i++) {
		lazy_init(&disk[i], LAZY_MIX, test_rng_next(&rng));
		rig_conf(&d[i]);
		d[i].on_event = on_many;
		rig_init(&d[i], disk[i].backend);
		rig_start(&d[i]);
	}
	rig_until(many_live, NULL);
	for (i = 0; i < MANY; i++) {
		many_clients[i] = clients_new(8, d[i].dev.id, &rng, 50);
		clients_go(many_clients[i], 8);
	}
	rig_until(many_over, NULL);
	for (i = 0; i < MANY; i++)
		ublkev_dev_stop(rig_loop, &d[i].dev);
	rig_run();
	for (i = 0; i < MANY; i++) {
		rig_check_stopped(&d[i], "LS");
		rig_fini(&d[i]);
		lazy_fini(&disk[i]);
		free(many_clients[i]);
	}
}
END_TEST

static bool one_held(void *arg)
{
	(void)arg;
	return lazy.nr_held;
}

START_TEST(late_and_double_answers)
{
	struct one one = { 0, 0 };
	uint64_t cookie;
	char data[512];

	lazy.mode = LAZY_HOLD;
	rig_up(&r, lazy.backend);
	fake_submit(0, FAKE_READ, 0, 512, data, on_one, &one);
	rig_until(one_held, NULL);
	ck_assert_uint_eq(ublkev_dev_inflight(&r.dev, NULL, 0), 1);
	cookie = lazy.held[0]->cookie;
	lazy_answer(&lazy, 1);
	ublkev_req_done(lazy.backend, cookie, 0);
	ublkev_req_done(lazy.backend, cookie ^ UINT64_C(1) << 32, 0);
	ublkev_req_done(lazy.backend, UINT64_MAX, 0);
	rig_until(one_done, &one);
	ublkev_req_done(lazy.backend, cookie, -EIO);
	ck_assert_int_eq(one.res, 0);
	/* the next request of the tag is another one */
	fake_submit(0, FAKE_READ, 0, 512, data, on_one, &one);
	rig_until(one_held, NULL);
	ublkev_req_done(lazy.backend, cookie, -EIO);
	ck_assert_uint_eq(rig_stats(&r).stale_answers, 5);
	lazy_answer(&lazy, 1);
	rig_down(&r);
	ck_assert_uint_eq(one.done, 2);
	ublkev_req_done(lazy.backend, cookie, 0);
}
END_TEST

/* the answers to requests that an abort gave up come too late */
START_TEST(answers_after_abort)
{
	struct ublkev_req *held;
	struct one one = { 0, 0 };
	char data[512];

	lazy.mode = LAZY_HOLD;
	rig_up(&r, lazy.backend);
	fake_submit(0, FAKE_READ, 0, 512, data, on_one, &one);
	rig_until(one_held, NULL);
	held = lazy.held[0];
	ublkev_dev_abort(rig_loop, &r.dev);
	rig_until(one_done, &one);
	ck_assert_int_eq(one.res, -EIO);
	if (r.dev.active) {
		ublkev_req_done(lazy.backend, held->cookie, 0);
		ck_assert_uint_eq(rig_stats(&r).stale_answers, 1);
	}
	rig_run();
	rig_check_stopped(&r, "LS");
	ck_assert_int_eq(r.dev.err, 0);
	rig_fini(&r);
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
	static char data[9][512];
	unsigned int i;

	r.conf.queues = 4;
	r.conf.budget_reqs = 1;
	rig_up(&r, lazy.backend);
	busy_left = 100;
	for (i = 0; i < 8; i++)
		fake_submit_on(0, 0, FAKE_READ, 0, 512, data[i], keep_busy,
			       data[i]);
	fake_submit_on(0, 3, FAKE_READ, 0, 512, data[8], on_quiet, NULL);
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
	Suite *s = suite_create("engine_io");
	TCase *tc = tcase_create("io");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, every_op, 0, 3 * UBLKEV_NR_COPIES);
	tcase_add_loop_test(tc, null_reads_zeroes, 0, RIG_MODES);
	tcase_add_loop_test(tc, done_in_pieces, 0, RIG_MODES);
	tcase_add_test(tc, aborted_between_pieces);
	tcase_add_loop_test(tc, decode_errors, 0, RIG_MODES);
	tcase_add_loop_test(tc, copies_that_fail, 0, 2);
	tcase_add_test(tc, no_memory_for_buffers);
	tcase_add_loop_test(tc, mapped_is_not_submitted, 0, RIG_MODES);
	tcase_add_loop_test(tc, data_integrity, 0,
			    TEST_COUNT(walks) * RIG_MODES);
	tcase_add_test(tc, many_devices);
	tcase_add_test(tc, late_and_double_answers);
	tcase_add_test(tc, answers_after_abort);
	tcase_add_loop_test(tc, budget, 0, 3);
	tcase_add_test(tc, queues_are_fair);
	tcase_add_test(tc, flush_ends_the_batch);
	suite_add_tcase(s, tc);
	return test_main(s);
}
