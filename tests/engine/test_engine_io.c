/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests of every op through the engine, whoever copies their data: what was
 * written is read again, what may not be is an error, and each is counted once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_client.h"
#include "engine_one.h"

#define CLIENTS 48u

static struct test_rng rng;

static void all_ops(bool keeps)
{
	static char data[8192], back[8192];

	test_rng_init(&rng, 3);
	test_rng_fill(&rng, data, sizeof(data));
	ck_assert_int_eq(one_io(FAKE_WRITE, 4096, 8192, data), 0);
	ck_assert_int_eq(one_io(FAKE_FLUSH, 0, 0, NULL), 0);
	ck_assert_int_eq(one_io(FAKE_READ, 4096, 8192, back), 0);
	if (keeps)
		ck_assert_mem_eq(data, back, sizeof(data));
	ck_assert_int_eq(one_io(FAKE_ZEROES | FAKE_F_NOUNMAP, 4096, 4096, NULL),
			 0);
	ck_assert_int_eq(one_io(FAKE_DISCARD, 8192, 4096, NULL), 0);
	ck_assert_int_eq(one_io(FAKE_READ, 4096, 4096, back), 0);
	if (keeps)
		ck_assert(!back[0] && !memcmp(back, back + 1, 4095));
	ck_assert_int_eq(one_io(FAKE_WRITE | FAKE_F_FUA, 0, 512, data), 0);
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
		ck_assert_int_eq(one_io(FAKE_WRITE, 4096, 8192, data), 0);
		memset(back, 0x5a, sizeof(back));
		ck_assert_int_eq(one_io(FAKE_READ, 4096, 4096 + 512 * (i % 9),
				    back), 0);
		ck_assert_mem_eq(back, zeroes, 4096 + 512 * (i % 9));
	}
	rig_down(&r);
	ublkev_backend_free(b);
}
END_TEST

/* what no request may be: answered with an error, and the device goes on */
START_TEST(decode_errors)
{
	static char data[512];

	rig_mode(&r, (unsigned int)_i);
	rig_up(&r, lazy.backend);
	ck_assert_int_eq(one_io(13, 0, 512, NULL), -EOPNOTSUPP);
	ck_assert_int_eq(one_io(FAKE_READ, 0, 0, NULL), -EINVAL);
	ck_assert_int_eq(one_io(FAKE_READ, 0, 128 << 10, NULL), -EINVAL);
	ck_assert_int_eq(one_io(FAKE_READ, LAZY_BYTES, 512, NULL), -EINVAL);
	ck_assert_int_eq(one_io(FAKE_WRITE, UINT64_MAX - 511, 512, data), -EINVAL);
	ck_assert_uint_eq(rig_stats(&r).rejected, 5);
	ck_assert_uint_eq(lazy.submits, 0);
	ck_assert_int_eq(one_io(FAKE_READ, 0, 512, data), 0);
	lazy.mode = LAZY_FAIL;
	ck_assert_int_eq(one_io(FAKE_WRITE, 0, 512, data), -ENOSPC);
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
		ck_assert_int_eq(one_io(FAKE_WRITE, 0, 4096, data), -EIO);
		fake_no_rules();
		ck_assert_int_eq(one_io(FAKE_WRITE, 8192, 4096, data), 0);
		ck_assert_int_eq(one_io(FAKE_READ, 8192, 4096, back), 0);
		ck_assert_mem_eq(data, back, sizeof(data));
		if (!_i)
			continue;
		fake_rule(FAKE_COPY, 0, 1, 1, 512);
		ck_assert_int_eq(one_io(FAKE_READ, 8192, 4096, back), -EIO);
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
	ck_assert_int_eq(one_io(FAKE_WRITE, 0, 512, data), -ENOMEM);
	ck_assert_int_eq(one_io(FAKE_READ, 0, 512, data), -ENOMEM);
	lazy.map_in_4 = 4;
	ck_assert_int_eq(one_io(FAKE_WRITE, 0, 512, data), 0);
	ck_assert_int_eq(one_io(FAKE_READ, 0, 512, data), 0);
	lazy.map_in_4 = 0;
	ck_assert_int_eq(one_io(FAKE_WRITE, 0, 512, data), 0);
	ck_assert_int_eq(one_io(FAKE_READ, 0, 512, data), 0);
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
		ck_assert_int_eq(one_io(FAKE_WRITE, 0, 512, data), 0);
		ck_assert_int_eq(one_io(FAKE_READ, 0, 512, data), 0);
		ck_assert_int_eq(one_io(FAKE_FLUSH, 0, 0, NULL), 0);
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

int main(void)
{
	Suite *s = suite_create("engine_io");
	TCase *tc = tcase_create("io");

	tcase_add_checked_fixture(tc, one_setup, one_teardown);
	tcase_set_timeout(tc, 30);
	/* ZERO is for backends with place(): test_engine_zero */
	tcase_add_loop_test(tc, every_op, 0, 3 * UBLKEV_COPY_ZERO);
	tcase_add_loop_test(tc, null_reads_zeroes, 0, RIG_MODES);
	tcase_add_loop_test(tc, decode_errors, 0, RIG_MODES);
	tcase_add_loop_test(tc, copies_that_fail, 0, 2);
	tcase_add_test(tc, no_memory_for_buffers);
	tcase_add_loop_test(tc, mapped_is_not_submitted, 0, RIG_MODES);
	tcase_add_loop_test(tc, data_integrity, 0,
			    TEST_COUNT(walks) * RIG_MODES);
	tcase_add_test(tc, many_devices);
	suite_add_tcase(s, tc);
	return test_main(s);
}
