/* SPDX-License-Identifier: BSD-2-Clause */
/* Everything at once, at random, with all that may go wrong. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_client.h"
#include "engine_rig.h"

#define DEVS	4
#define CLIENTS	12u
#define STEPS	1500

struct walker {
	struct rig_dev r;
	struct lazy disk;
	struct client *clients;
};

static struct walker *walkers;
static struct test_rng rng;
static bool over;

static uint64_t below(uint64_t n)
{
	return test_rng_below(&rng, n);
}

static struct walker *walker_of(struct rig_dev *r)
{
	return (struct walker *)r;
}

/* the same disk is served again: what its clients know stays true */
static void use(struct walker *w)
{
	unsigned int i;

	for (i = 0; i < CLIENTS; i++) {
		w->clients[i].id = w->r.dev.id;
		w->clients[i].left = 1 + (unsigned int)below(40);
	}
	clients_go(w->clients, CLIENTS);
}

static void on_event(struct rig_dev *r, int revents)
{
	struct walker *w = walker_of(r);

	if (revents == UBLKEV_LIVE)
		use(w);
	if (!below(6))
		ublkev_dev_stop(rig_loop, &r->dev);
	if (!below(12))
		ublkev_dev_abort(rig_loop, &r->dev);
	if (revents == UBLKEV_STOPPED && !over && below(2))
		rig_start(r);
}

static void misfortune(void)
{
	static const int errs[] = {
		-EINVAL, -EPERM, -ENOMEM, -EBUSY, -EIO, -EINTR, -ENODEV,
	};
	enum fake_what what = (enum fake_what)below(FAKE_IO_NEW);
	enum ublkev__ctrl_cmd cmd = UBLKEV__CTRL_NONE;
	int err = errs[below(TEST_COUNT(errs))];

	fake_no_rules();
	if (what <= FAKE_HANG_TICKS)
		cmd = (enum ublkev__ctrl_cmd)(1 +
					      below(UBLKEV__NR_CTRL_CMDS - 1));
	if (what == FAKE_HANG_TICKS)
		err = 1 + (int)below(40);
	fake_rule(what, cmd, 1 + (unsigned int)below(20), 1, err);
}

static void from_outside(struct walker *w)
{
	int id = w->r.dev.id;

	switch (below(4)) {
	case 0:
		fake_outside(UBLKEV__CTRL_STOP_DEV, id);
		break;
	case 1:
		fake_outside(UBLKEV__CTRL_DEL_DEV, id);
		break;
	default:
		fake_spurious(id, (unsigned int)below(4) + 8,
			      (unsigned int)below(100), -ENODEV);
	}
}

static void step(struct walker *w)
{
	switch (below(12)) {
	case 0:
		ublkev_dev_stop(rig_loop, &w->r.dev);
		break;
	case 1:
		if (!below(3))
			ublkev_dev_abort(rig_loop, &w->r.dev);
		break;
	case 2:
		misfortune();
		break;
	case 3:
		if (!below(4))
			from_outside(w);
		break;
	case 4:
		w->disk.mode = (enum lazy_mode)below(LAZY_MIX + 1);
		break;
	case 5:
		lazy_answer(&w->disk, (unsigned int)below(20));
		break;
	case 6:
	case 7:
		if (!w->r.dev.active)
			rig_start(&w->r);
		break;
	case 8:
		fake_release();
		if (rig_is_live(&w->r))
			use(w);
		break;
	default:
		break;
	}
	if (!below(50))
		rig_run_ms(5);
	else
		ev_run(rig_loop, EVRUN_NOWAIT);
}

static void make(struct walker *w)
{
	unsigned int i;

	rig_conf(&w->r);
	/* nobody else's: a client does not notice that an id is another's */
	w->r.conf.id = (int)(w - walkers);
	w->r.conf.queues = 1 + (unsigned int)below(4);
	w->r.conf.depth = 1 + (unsigned int)below(16);
	w->r.conf.budget_reqs = (unsigned int)below(20);
	w->r.conf.flags = below(2) ? UBLKEV_CONF_LATENCY : 0;
	rig_mode(&w->r, (unsigned int)below(RIG_MODES));
	w->r.conf.cmd_timeout_ms = 20;
	w->r.conf.start_timeout_ms = 20;
	w->r.conf.stop_timeout_ms = 20;
	w->r.conf.grace_ms = 8;
	w->r.on_event = on_event;
	lazy_init(&w->disk, LAZY_MIX, test_rng_next(&rng));
	w->disk.map_in_4 = (unsigned int)below(5);
	rig_init(&w->r, w->disk.backend);
	w->clients = clients_new(CLIENTS, 0, &rng, 0);
	for (i = 0; i < CLIENTS; i++)
		w->clients[i].errors_allowed = true;
}

static void end(struct walker *w)
{
	/* a client that was given an error makes no more requests */
	ck_assert_uint_eq(w->r.starts, w->r.stops);
	ublkev_dev_fini(&w->r.dev);
	lazy_fini(&w->disk);
	free(w->clients);
}

START_TEST(walk)
{
	int i, alive = 0;

	rig_setup();
	test_rng_init(&rng, test_seed("engine_walk") + (uint64_t)_i);
	walkers = calloc(DEVS, sizeof(*walkers));
	fake.delay = (unsigned int)below(3);
	fake.scan_reads = (unsigned int)below(4);
	fake.writeback = (unsigned int)below(20);
	fake.work_cap = below(2) ? 20 : 0;
	fake.cpus = 3;
	rig_ticks();
	for (i = 0; i < DEVS; i++)
		make(&walkers[i]);
	for (i = 0; i < STEPS; i++)
		step(&walkers[below(DEVS)]);
	over = true;
	fake_no_rules();
	for (i = 0; i < DEVS; i++)
		ublkev_dev_stop(rig_loop, &walkers[i].r.dev);
	rig_run();
	fake_release();
	for (i = 0; i < DEVS; i++)
		alive += walkers[i].r.alloc.live;
	/* each device's engine, and what was lent to lost commands */
	ck_assert_int_eq(alive, DEVS + (int)fake_counts.leaks);
	ck_assert_uint_eq(fake_counts.ios, 0);
	ck_assert_uint_eq(fake_counts.controls, 0);
	ck_assert_uint_eq(fake_unanswered(), 0);
	for (i = 0; i < DEVS; i++)
		end(&walkers[i]);
	rig_teardown();
	free(walkers);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_walk");
	TCase *tc = tcase_create("walk");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, walk, 0, 6);
	suite_add_tcase(s, tc);
	return test_main(s);
}
