/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device goes up and down: at any turn, from within its own callbacks, in a
 * loop that runs inside another, stopped from outside; and what a start refuses.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_one.h"
#include "ev/engine.h"

START_TEST(up_and_down)
{
	struct ublkev_info info;

	rig_init(&r, lazy.backend);
	ck_assert_int_eq(ublkev_dev_info(&r.dev, &info, sizeof(info)), -EAGAIN);
	rig_start(&r);
	ck_assert_int_eq(r.dev.active, 1);
	ck_assert_str_eq(r.events, "");
	rig_until(rig_is_live, &r);
	ck_assert_int_eq(r.dev.id, 0);
	ck_assert(fake_live(0));
	ck_assert_int_eq(ublkev_dev_info(&r.dev, &info, sizeof(info)), 0);
	ck_assert_uint_eq(info.dev_bytes, LAZY_BYTES);
	ck_assert_uint_eq(info.depth, 8);
	rig_down(&r);
	ck_assert_int_eq(r.dev.err, 0);
}
END_TEST

START_TEST(slow_driver)
{
	fake.delay = 3;
	fake.scan_reads = 5;
	fake.writeback = 20;
	rig_ticks();
	rig_up(&r, lazy.backend);
	rig_down(&r);
	ck_assert_uint_eq(lazy.submits, 25);
}
END_TEST

START_TEST(idempotent)
{
	rig_init(&r, lazy.backend);
	ublkev_dev_stop(rig_loop, &r.dev);
	ublkev_dev_abort(rig_loop, &r.dev);
	rig_start(&r);
	ck_assert_int_eq(ublkev_dev_start(rig_loop, &r.dev), 0);
	rig_until(rig_is_live, &r);
	ck_assert_int_eq(ublkev_dev_start(rig_loop, &r.dev), 0);
	ublkev_dev_stop(rig_loop, &r.dev);
	ublkev_dev_stop(rig_loop, &r.dev);
	ublkev_dev_abort(rig_loop, &r.dev);
	ublkev_dev_abort(rig_loop, &r.dev);
	rig_run();
	rig_check_stopped(&r, "LS");
	ublkev_dev_stop(rig_loop, &r.dev);
	rig_fini(&r);
}
END_TEST

static void restart_five_times(struct rig_dev *d, int revents)
{
	if (revents == UBLKEV_LIVE)
		ublkev_dev_stop(rig_loop, &d->dev);
	if (revents == UBLKEV_STOPPED && d->starts < 5)
		rig_start(d);
}

START_TEST(restart_in_callback)
{
	r.on_event = restart_five_times;
	rig_init(&r, lazy.backend);
	rig_start(&r);
	rig_run();
	ck_assert_uint_eq(r.stops, 5);
	rig_check_stopped(&r, "LS");
	ck_assert_uint_eq(lazy.opens, 5);
	rig_fini(&r);
}
END_TEST

static int live_at_end = -1;

static void fini_in_callback(struct rig_dev *d, int revents)
{
	if (revents == UBLKEV_LIVE)
		ublkev_dev_stop(rig_loop, &d->dev);
	if (revents != UBLKEV_STOPPED)
		return;
	ublkev_dev_fini(&d->dev);
	live_at_end = d->alloc.live;
	free(d);
}

/* a use of it afterwards is what the sanitizers look for */
START_TEST(free_in_callback)
{
	struct rig_dev *d = malloc(sizeof(*d));

	rig_conf(d);
	d->on_event = fini_in_callback;
	rig_init(d, lazy.backend);
	rig_start(d);
	rig_run();
	ck_assert_int_eq(live_at_end, 0);
}
END_TEST

static void stop_always(struct rig_dev *d, int revents)
{
	(void)revents;
	ublkev_dev_stop(rig_loop, &d->dev);
}

static void abort_always(struct rig_dev *d, int revents)
{
	(void)revents;
	ublkev_dev_abort(rig_loop, &d->dev);
}

START_TEST(stop_in_every_callback)
{
	fake.scan_reads = _i & 1;
	r.on_event = _i & 2 ? abort_always : stop_always;
	if (_i & 4)
		fake_rule(FAKE_CMD, UBLKEV__CTRL_START_DEV, 1, 1, -EINVAL);
	rig_init(&r, lazy.backend);
	rig_start(&r);
	rig_run();
	rig_check_stopped(&r, _i & 4 ? "ES" : "LS");
	rig_fini(&r);
}
END_TEST

/* a stop, or an abort, so many turns of the loop after the start */
START_TEST(stop_at_every_turn)
{
	int turn;

	fake.delay = 1;
	fake.scan_reads = 2;
	rig_ticks();
	rig_init(&r, lazy.backend);
	rig_start(&r);
	for (turn = 0; turn < _i / 2; turn++)
		ev_run(rig_loop, EVRUN_ONCE);
	if (_i & 1)
		ublkev_dev_abort(rig_loop, &r.dev);
	else
		ublkev_dev_stop(rig_loop, &r.dev);
	rig_run();
	rig_check_stopped(&r, r.events[0] == 'L' ? "LS" : "S");
	ck_assert_int_eq(r.dev.err, 0);
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_GONE);
	rig_fini(&r);
}
END_TEST

START_TEST(remove_device)
{
	rig_conf(&r);
	rig_init(&r, NULL);
	ck_assert_int_eq(ublkev_dev_remove(rig_loop, &r.dev), -EINVAL);
	rig_fini(&r);

	rig_conf(&r);
	r.conf.id = 7;
	ck_assert_int_eq(fake_leave(7), 0);
	rig_init(&r, NULL);
	r.starts++;
	ck_assert_int_eq(ublkev_dev_remove(rig_loop, &r.dev), 0);
	rig_run();
	rig_check_stopped(&r, "S");
	ck_assert(!fake_exists(7));
	/* and once more: there is none */
	r.events[0] = '\0';
	r.starts++;
	ck_assert_int_eq(ublkev_dev_remove(rig_loop, &r.dev), 0);
	rig_run();
	rig_check_stopped(&r, "ES");
	ck_assert_int_eq(r.dev.err, -ENODEV);
	rig_fini(&r);
}
END_TEST

/* one whose server is alive */
START_TEST(remove_under_a_server)
{
	struct rig_dev other;

	rig_up(&r, lazy.backend);
	rig_conf(&other);
	other.conf.id = r.dev.id;
	rig_init(&other, NULL);
	other.starts++;
	ck_assert_int_eq(ublkev_dev_remove(rig_loop, &other.dev), 0);
	rig_run();
	rig_check_stopped(&other, "S");
	rig_check_stopped(&r, "LES");
	ck_assert_int_eq(r.dev.err, -ENODEV);
	ck_assert_int_eq(r.err_step, UBLKEV_STEP_LIVE);
	rig_fini(&other);
	rig_fini(&r);
}
END_TEST

/* an id of one's own; one that is taken */
START_TEST(ids)
{
	struct rig_dev other;
	struct lazy disk;

	lazy_init(&disk, LAZY_NOW, 2);
	r.conf.id = 9;
	rig_up(&r, lazy.backend);
	ck_assert_int_eq(r.dev.id, 9);
	rig_conf(&other);
	other.conf.id = 9;
	rig_init(&other, disk.backend);
	rig_start(&other);
	rig_until(rig_is_over, &other);
	rig_check_stopped(&other, "ES");
	ck_assert_int_eq(other.dev.err, -EEXIST);
	ck_assert_int_eq(other.err_step, UBLKEV_STEP_ADD);
	ck_assert(fake_live(9));
	rig_fini(&other);
	rig_down(&r);
	lazy_fini(&disk);
}
END_TEST

static const struct {
	enum fake_what what;
	int err;
	enum ublkev_step step;
} start_errors[] = {
	{ FAKE_IO_NEW, -EMFILE, UBLKEV_STEP_SETUP },
	{ FAKE_IO_NEW, -EPERM, UBLKEV_STEP_SETUP },
	{ FAKE_CONTROL_NEW, -ENOMEM, UBLKEV_STEP_SETUP },
	{ FAKE_CONTROL_NEW, -EMFILE, UBLKEV_STEP_SETUP },
	{ FAKE_CONTROL_OPEN, -ENOENT, UBLKEV_STEP_CONTROL },
	{ FAKE_CONTROL_OPEN, -EACCES, UBLKEV_STEP_CONTROL },
};

static void start_fails(int err, enum ublkev_step step)
{
	int live = r.alloc.live;

	r.events[0] = '\0';
	ck_assert_int_eq(ublkev_dev_start(rig_loop, &r.dev), err);
	ck_assert_int_eq(r.dev.err, err);
	ck_assert_int_eq(r.dev.step, step);
	ck_assert_int_eq(r.dev.active, 0);
	ck_assert_int_eq(r.alloc.live, live);
	ck_assert(fake_clean());
	/* nothing is watched, no event comes */
	rig_run();
	ck_assert_str_eq(r.events, "");
}

START_TEST(start_errors_leave_nothing)
{
	size_t i;

	rig_init(&r, lazy.backend);
	for (i = 0; i < TEST_COUNT(start_errors); i++) {
		fake_rule(start_errors[i].what, 0, 1, 1, start_errors[i].err);
		start_fails(start_errors[i].err, start_errors[i].step);
	}
	lazy.open_err = -ENOTCONN;
	start_fails(-ENOTCONN, UBLKEV_STEP_BACKEND);
	lazy.open_err = 0;
	lazy.start_err = -ENETDOWN;
	start_fails(-ENETDOWN, UBLKEV_STEP_BACKEND);
	lazy.start_err = 0;
	rig_start(&r);
	rig_until(rig_is_live, &r);
	rig_down(&r);
}
END_TEST

START_TEST(backend_serves_one)
{
	struct rig_dev other;

	rig_up(&r, lazy.backend);
	rig_conf(&other);
	rig_init(&other, lazy.backend);
	ck_assert_int_eq(ublkev_dev_start(rig_loop, &other.dev), -EBUSY);
	ck_assert_int_eq(other.dev.step, UBLKEV_STEP_BACKEND);
	rig_fini(&other);
	ck_assert(fake_live(0));
	rig_down(&r);
}
END_TEST

static struct one nested;

/* its own device waits until the callback is over */
static void nested_run(struct rig_dev *d, int revents)
{
	static char data[512];
	int i;

	if (revents == UBLKEV_LIVE)
		fake_submit(d->dev.id, FAKE_READ, 0, sizeof(data), data,
			    one_tell, &nested);
	for (i = 0; i < 10; i++)
		ev_run(rig_loop, EVRUN_NOWAIT);
	if (revents == UBLKEV_LIVE)
		ck_assert_uint_eq(lazy.submits, 0);
}

/* an application that runs the loop inside a callback */
static void end_nested(struct ev_loop *loop, struct ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	*(bool *)w->data = true;
}

/* a loop that is run in a callback sleeps, whatever waits for its end */
static void nested_sleep(struct rig_dev *d, int revents)
{
	static char data[512];
	struct ev_timer timer;
	bool over = false;
	unsigned int before;
	uint64_t wakes = rig_stats(d).wakes;

	if (revents != UBLKEV_LIVE)
		return;
	fake_submit(d->dev.id, FAKE_READ, 0, sizeof(data), data, one_tell,
		    &nested);
	before = ev_iteration(rig_loop);
	ev_timer_init(&timer, end_nested, .05, 0.);
	timer.data = &over;
	ev_timer_start(rig_loop, &timer);
	/* somebody, be it another thread, has something to tell */
	ublkev__io_wake(d->dev.priv->lane.io);
	while (!over)
		ev_run(rig_loop, EVRUN_ONCE);
	ck_assert_uint_le(ev_iteration(rig_loop) - before, 10);
	ck_assert_uint_eq(lazy.submits, 0);
	/* what was signalled is not taken: it is for the turn that follows */
	ck_assert_uint_eq(rig_stats(d).wakes, wakes);
}

START_TEST(nested_loop_sleeps)
{
	nested.done = 0;
	rig_mode(&r, _i);
	r.on_event = nested_sleep;
	rig_init(&r, lazy.backend);
	rig_start(&r);
	rig_until(one_done, &nested);
	ck_assert_int_eq(nested.res, 0);
	rig_down(&r);
}
END_TEST

/* what is asked for in a callback the turn under way does, and no other */
static void stop_in_turn(struct rig_dev *d, int revents)
{
	struct ublkev__lane *l = &d->dev.priv->lane;

	if (revents != UBLKEV_LIVE)
		return;
	ev_idle_stop(rig_loop, &l->on_backlog);
	ublkev_dev_stop(rig_loop, &d->dev);
	ck_assert(!ev_is_active(&l->on_backlog));
}

START_TEST(asked_in_turn)
{
	r.on_event = stop_in_turn;
	rig_init(&r, lazy.backend);
	rig_start(&r);
	rig_run();
	rig_check_stopped(&r, "LS");
	rig_fini(&r);
}
END_TEST

START_TEST(nested_loop)
{
	nested.done = 0;
	r.on_event = nested_run;
	rig_up(&r, lazy.backend);
	rig_until(one_done, &nested);
	ck_assert_int_eq(nested.res, 0);
	rig_down(&r);
}
END_TEST

START_TEST(fewer_queues)
{
	struct ublkev_info info;

	fake.cpus = 2;
	r.conf.queues = 8;
	rig_up(&r, lazy.backend);
	ck_assert_int_eq(ublkev_dev_info(&r.dev, &info, sizeof(info)), 0);
	ck_assert_uint_eq(info.queues, 2);
	rig_down(&r);
}
END_TEST

/* the broker is asked for no scheduler, of a device that is added, once */
START_TEST(scheduler)
{
	r.conf.flags |= _i ? UBLKEV_CONF_KEEP_SCHEDULER : 0;
	rig_up(&r, lazy.backend);
	rig_down(&r);
	ck_assert_uint_eq(fake_counts.cmds[UBLKEV__CTRL_START_DEV], 1);
	ck_assert_uint_eq(fake_counts.no_schedulers, !_i);
}
END_TEST

START_TEST(stopped_from_outside)
{
	rig_up(&r, lazy.backend);
	fake_outside(_i ? UBLKEV__CTRL_DEL_DEV : UBLKEV__CTRL_STOP_DEV, 0);
	rig_run();
	rig_check_stopped(&r, "LES");
	ck_assert_int_eq(r.dev.err, -ENODEV);
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_GONE);
	rig_fini(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_life");
	TCase *tc = tcase_create("life");

	tcase_add_checked_fixture(tc, one_setup, one_teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, up_and_down);
	tcase_add_test(tc, slow_driver);
	tcase_add_test(tc, idempotent);
	tcase_add_test(tc, restart_in_callback);
	tcase_add_test(tc, free_in_callback);
	tcase_add_loop_test(tc, stop_in_every_callback, 0, 8);
	tcase_add_loop_test(tc, stop_at_every_turn, 0, 60);
	tcase_add_test(tc, remove_device);
	tcase_add_test(tc, remove_under_a_server);
	tcase_add_test(tc, ids);
	tcase_add_test(tc, start_errors_leave_nothing);
	tcase_add_test(tc, backend_serves_one);
	tcase_add_test(tc, nested_loop);
	tcase_add_test(tc, asked_in_turn);
	tcase_add_loop_test(tc, nested_loop_sleeps, 0, RIG_MODES);
	tcase_add_test(tc, fewer_queues);
	tcase_add_loop_test(tc, scheduler, 0, 2);
	tcase_add_loop_test(tc, stopped_from_outside, 0, 2);
	suite_add_tcase(s, tc);
	return test_main(s);
}
