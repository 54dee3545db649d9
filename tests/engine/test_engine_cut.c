/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A backend that shrinks in pieces: one in a turn of the loop, requests of this
 * device and of another between them, and RESIZED after the last; a device that
 * is to end does not wait for them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "engine_client.h"
#include "engine_parts.h"

#define ID	7
#define OLD	(1u << 20)
#define MORE	(2u << 20)
#define LESS	(1u << 19)
#define MANY	UINT32_MAX

static struct {
	struct ublkev_backend *backend;
	uint64_t bytes;
	unsigned int pieces;		/* before the last */
	unsigned int calls, reads;
	unsigned int turn;		/* of the last call */
	bool cuts;			/* which was to shrink it */
	unsigned int gaps;		/* calls with a read since the last */
	bool read;
} disk;

static struct rig_dev r;
static struct busy other;
static struct test_log said;

/* turns of the loop: it runs before the devices' watchers */
static struct ev_prepare on_turn;
static unsigned int turns;

static int disk_open(void *ctx, struct ublkev_limits *limits)
{
	(void)ctx;
	limits->dev_bytes = disk.bytes;
	return 0;
}

static int disk_submit(void *ctx, struct ublkev_req *req)
{
	(void)ctx;
	(void)req;
	disk.reads++;
	disk.read = true;
	return UBLKEV_DONE;
}

static int disk_resize(void *ctx, uint64_t dev_bytes)
{
	(void)ctx;
	disk.calls++;
	if (disk.cuts && !r.dev.data)
		ck_assert_uint_ne(disk.turn, turns);
	disk.turn = turns;
	disk.cuts = dev_bytes < disk.bytes;
	disk.gaps += disk.read;
	disk.read = false;
	if (dev_bytes < disk.bytes && disk.pieces) {
		disk.pieces--;
		return UBLKEV_AGAIN;
	}
	disk.bytes = dev_bytes;
	return 0;
}

static void count_turn(struct ev_loop *loop, struct ev_prepare *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	turns++;
}

/* what an administrator would see */
static void warn_fn(void *data, int priority, const char *line)
{
	if (priority <= LOG_WARNING && !strstr(line, "Linux "))
		test_log_fn(data, priority, line);
}

static void setup(void)
{
	static const struct ublkev_backend_ops ops = {
		.size = sizeof(ops), .name = "cut", .open = disk_open,
		.submit = disk_submit, .resize = disk_resize,
	};

	rig_setup();
	fake.features = 0x1fffff;
	busy_up(&other, 1);
	memset(&disk, 0, sizeof(disk));
	memset(&said, 0, sizeof(said));
	disk.bytes = OLD;
	turns = 1;
	ck_assert_int_eq(ublkev_backend_new(&disk.backend, &ops, NULL), 0);
	ev_prepare_init(&on_turn, count_turn);
	ev_set_priority(&on_turn, EV_MAXPRI);
	ev_prepare_start(rig_loop, &on_turn);
	ev_unref(rig_loop);
	rig_conf(&r);
	r.conf.id = ID;
	r.conf.log = warn_fn;
	r.conf.log_data = &said;
}

static void teardown(void)
{
	ev_ref(rig_loop);
	ev_prepare_stop(rig_loop, &on_turn);
	busy_down(&other);
	ublkev_backend_free(disk.backend);
	ck_assert(fake_clean());
	rig_teardown();
}

static int resize(uint64_t bytes)
{
	return ublkev_dev_resize(rig_loop, &r.dev, bytes,
				 UBLKEV_RESIZE_SHRINK);
}

static bool is_resized(void *arg)
{
	(void)arg;
	return strchr(r.events, 'R');
}

static bool has_begun(void *arg)
{
	(void)arg;
	return disk.calls >= 3;
}

static void stop(const char *events)
{
	ublkev_dev_stop(rig_loop, &r.dev);
	rig_until(rig_is_over, &r);
	rig_check_stopped(&r, events);
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_GONE);
	rig_fini(&r);
}

/* a client of this disk, who reads on and on */
static void read_on(void *arg, int res)
{
	static char data[512];
	bool *rests = arg;

	ck_assert_int_eq(res, 0);
	if (!*rests)
		fake_submit(ID, FAKE_READ, 0, sizeof(data), data, read_on,
			    rests);
}

START_TEST(served_meanwhile)
{
	unsigned int before;
	bool rests = false;

	rig_up(&r, disk.backend);
	read_on(&rests, 0);
	disk.pieces = 200;
	before = other.served;
	ck_assert_int_eq(resize(LESS), 0);
	rig_until(is_resized, NULL);
	rests = true;
	ck_assert_str_eq(r.events, "LR");
	ck_assert_int_eq(r.dev.res, 0);
	ck_assert_uint_eq(disk.calls, 201);
	ck_assert_uint_eq(disk.bytes, LESS);
	ck_assert_uint_eq(fake_sectors(ID), LESS / 512);
	/* how many others had their turn depends on the machine */
	ck_assert_uint_gt(disk.gaps, 100);
	ck_assert_uint_gt(other.served, before + 1);
	ck_assert_uint_eq(said.lines, 0);
	stop("LRS");
}
END_TEST

/* nobody sleeps between two pieces, whatever else there is to do */
START_TEST(never_asleep)
{
	unsigned int most;

	busy_down(&other);
	rig_up(&r, disk.backend);
	disk.pieces = 500;
	ck_assert_int_eq(resize(LESS), 0);
	most = turns + 600;
	/* else the watchdog would end this: no timer of ours is in the loop */
	rig_until(is_resized, NULL);
	ck_assert_uint_le(turns, most);
	ck_assert_uint_eq(disk.calls, 501);
	stop("LRS");
	busy_up(&other, 1);
}
END_TEST

START_TEST(busy_meanwhile)
{
	rig_up(&r, disk.backend);
	disk.pieces = 50;
	ck_assert_int_eq(resize(LESS), 0);
	rig_until(has_begun, NULL);
	ck_assert_int_eq(resize(OLD), -EINVAL);
	ck_assert_int_eq(ublkev_dev_release(rig_loop, &r.dev), -EINVAL);
	ck_assert_int_eq(ublkev_dev_try_stop(rig_loop, &r.dev), -EINVAL);
	rig_until(is_resized, NULL);
	ck_assert_uint_eq(disk.calls, 51);
	stop("LRS");
}
END_TEST

/* the rest is left; the device is as small as it was told to be */
START_TEST(ends_meanwhile)
{
	rig_up(&r, disk.backend);
	disk.pieces = MANY;
	ck_assert_int_eq(resize(LESS), 0);
	rig_until(has_begun, NULL);
	ck_assert_str_eq(r.events, "L");
	if (_i == 1)
		ublkev_dev_abort(rig_loop, &r.dev);
	if (_i == 2)
		fake_outside(UBLKEV__CTRL_STOP_DEV, ID);
	if (_i < 2)
		ublkev_dev_stop(rig_loop, &r.dev);
	rig_until(rig_is_over, &r);
	rig_check_stopped(&r, _i == 2 ? "LRES" : "LRS");
	ck_assert_int_eq(r.dev.res, 0);
	ck_assert_uint_ge(said.lines, 1);
	ck_assert_uint_eq(disk.bytes, OLD);
	rig_fini(&r);
	/* and served again */
	disk.pieces = 5;
	rig_conf(&r);
	r.conf.id = ID;
	rig_up(&r, disk.backend);
	ck_assert_int_eq(resize(LESS), 0);
	rig_until(is_resized, NULL);
	ck_assert_uint_eq(disk.bytes, LESS);
	stop("LRS");
}
END_TEST

START_TEST(says_what_was_left)
{
	rig_up(&r, disk.backend);
	disk.pieces = MANY;
	ck_assert_int_eq(resize(LESS), 0);
	rig_until(has_begun, NULL);
	stop("LRS");
	ck_assert_uint_eq(said.lines, 1);
	ck_assert_ptr_nonnull(strstr(said.line, "did not shrink: -125"));
}
END_TEST

/* a growth that the driver refuses is undone the same way */
START_TEST(growth_undone)
{
	rig_up(&r, disk.backend);
	disk.pieces = 20;
	fake_rule(FAKE_CMD, UBLKEV__CTRL_UPDATE_SIZE, 1, 1, -EPERM);
	ck_assert_int_eq(resize(MORE), 0);
	rig_until(is_resized, NULL);
	ck_assert_int_eq(r.dev.res, -EPERM);
	ck_assert_uint_eq(disk.calls, 1 + 21);
	ck_assert_uint_eq(disk.bytes, OLD);
	stop("LRS");
}
END_TEST

/* nothing of it goes on between the turns of a loop that is not libev's */
START_TEST(by_hand)
{
	r.dev.data = &r;
	rig_init(&r, disk.backend);
	r.starts++;
	ck_assert_int_eq(ublkev_dev_start(NULL, &r.dev), 0);
	r.dev.data = &r;	/* its turns are not counted */
	while (!rig_is_live(&r))
		ublkev_dev_flush(&r.dev);
	disk.pieces = 30;
	ck_assert_int_eq(ublkev_dev_resize(NULL, &r.dev, LESS,
					   UBLKEV_RESIZE_SHRINK), 0);
	while (!is_resized(NULL)) {
		unsigned int before = disk.calls;

		ublkev_dev_flush(&r.dev);
		ck_assert_uint_le(disk.calls, before + 1);
		ck_assert(is_resized(NULL) || !disk.calls ||
			  !ublkev_dev_timeout_ms(&r.dev));
	}
	ck_assert_uint_eq(disk.calls, 31);
	ublkev_dev_stop(NULL, &r.dev);
	while (r.dev.active)
		ublkev_dev_flush(&r.dev);
	rig_check_stopped(&r, "LRS");
	rig_fini(&r);
}
END_TEST

/* ---- threads ---------------------------------------------------------------- */

static struct parts parts;
static struct client *clients;

static bool few_done(void *most)
{
	FAKE_LOCKED;

	return clients[0].done >= *(unsigned int *)most;
}

static bool all_done(void *n)
{
	FAKE_LOCKED;

	return clients_done(clients, *(unsigned int *)n);
}

static bool has_cut(void *arg)
{
	(void)arg;
	return parts.piece >= 3;
}

/* they go on between two pieces, and are out of the backend in each */
START_TEST(threads)
{
	unsigned int n = 12, least = 20, i;
	struct test_rng rng;

	test_rng_init(&rng, test_seed("engine_cut"));
	rig_ticks();
	parts_init(&parts);
	parts_conf(&r);
	parts.pieces = 60;
	rig_up(&r, parts.backend);
	clients = clients_new(n, r.dev.id, &rng, 400);
	{
		FAKE_LOCKED;

		clients_go(clients, n);
	}
	for (i = 0; i < 3; i++) {
		rig_until(few_done, &least);
		r.events[1] = '\0';
		ck_assert_int_eq(resize(2 * LAZY_BYTES), 0);
		rig_until(is_resized, NULL);
		ck_assert_int_eq(r.dev.res, 0);
		r.events[1] = '\0';
		ck_assert_int_eq(resize(LAZY_BYTES), 0);
		rig_until(has_cut, NULL);
		ck_assert_int_eq(ublkev_dev_release(rig_loop, &r.dev),
				 -EINVAL);
		/* requests are answered before it has ended */
		least = clients[0].done + 1;
		rig_until(few_done, &least);
		rig_until(is_resized, NULL);
		ck_assert_int_eq(r.dev.res, 0);
		ck_assert_uint_eq(parts.dev_bytes, LAZY_BYTES);
		ck_assert_uint_eq(parts.piece, 0);
		least += 20;
	}
	rig_until(all_done, &n);
	{
		FAKE_LOCKED;

		ck_assert_uint_eq(clients_errors(clients, n), 0);
	}
	r.events[1] = '\0';
	stop("LS");
	free(clients);
	parts_fini(&parts);
}
END_TEST

START_TEST(threads_end_meanwhile)
{
	rig_ticks();
	parts_init(&parts);
	parts_conf(&r);
	parts.pieces = MANY;
	rig_up(&r, parts.backend);
	ck_assert_int_eq(resize(LESS), 0);
	rig_until(has_cut, NULL);
	if (_i)
		ublkev_dev_abort(rig_loop, &r.dev);
	stop("LRS");
	parts_fini(&parts);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_cut");
	TCase *tc = tcase_create("cut");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, served_meanwhile);
	tcase_add_test(tc, never_asleep);
	tcase_add_test(tc, busy_meanwhile);
	tcase_add_loop_test(tc, ends_meanwhile, 0, 3);
	tcase_add_test(tc, says_what_was_left);
	tcase_add_test(tc, growth_undone);
	tcase_add_test(tc, by_hand);
	tcase_add_test(tc, threads);
	tcase_add_loop_test(tc, threads_end_meanwhile, 0, 2);
	suite_add_tcase(s, tc);
	return test_main(s);
}
