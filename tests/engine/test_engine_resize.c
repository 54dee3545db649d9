/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A live device gets another size: who is told when, what is undone, and
 * that its users notice nothing
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "core/names.h"
#include "engine_client.h"
#include "engine_rig.h"

#define OLD	(1u << 20)
#define MORE	(2u << 20)
#define LESS	(1u << 19)

/* a backend that notes when it is resized */
static struct {
	struct ublkev_backend *backend;
	uint64_t bytes;
	unsigned int calls, updates;	/* UPDATE_SIZEs seen by the last one */
	unsigned int enters;		/* and calls that enter the ring */
	uint64_t last;
	int err;
} disk;

static struct rig_dev r;
static struct test_log lines;

static int disk_open(void *ctx, struct ublkev_limits *limits)
{
	(void)ctx;
	limits->dev_bytes = disk.bytes;
	return 0;
}

static int disk_submit(void *ctx, struct ublkev_req *req)
{
	(void)ctx;
	return req->offset_bytes + req->len_bytes <= disk.bytes ?
		UBLKEV_DONE : -EIO;
}

static unsigned int enters;

static void count_enters(enum fake_point at)
{
	enters += at == FAKE_AT_ENTER;
}

static int disk_resize(void *ctx, uint64_t dev_bytes)
{
	(void)ctx;
	disk.calls++;
	disk.last = dev_bytes;
	disk.enters = enters;
	disk.updates = fake_counts.cmds[UBLKEV__CTRL_UPDATE_SIZE];
	if (disk.err)
		return disk.err;
	disk.bytes = dev_bytes;
	return 0;
}

static void setup(void)
{
	static const struct ublkev_backend_ops ops = {
		.size = sizeof(ops), .name = "sized", .open = disk_open,
		.submit = disk_submit, .resize = disk_resize,
	};

	rig_setup();
	fake.features = 0x1fffff;
	memset(&disk, 0, sizeof(disk));
	memset(&lines, 0, sizeof(lines));
	disk.bytes = OLD;
	ck_assert_int_eq(ublkev_backend_new(&disk.backend, &ops, NULL), 0);
	rig_conf(&r);
	r.conf.log = test_log_fn;
	r.conf.log_data = &lines;
}

static void teardown(void)
{
	ck_assert(fake_clean());
	ublkev_backend_free(disk.backend);
	rig_teardown();
}

static void down(const char *events)
{
	ublkev_dev_stop(rig_loop, &r.dev);
	rig_run();
	rig_check_stopped(&r, events);
	rig_fini(&r);
}

static int resize(uint64_t bytes, unsigned int flags)
{
	return ublkev_dev_resize(rig_loop, &r.dev, bytes, flags);
}

static bool is_resized(void *arg)
{
	const char *last = strrchr(r.events, 'R');

	(void)arg;
	return last && !last[1];
}

static void resized(uint64_t bytes, unsigned int flags, int res)
{
	ck_assert_int_eq(resize(bytes, flags), 0);
	r.events[0] = '\0';
	rig_until(is_resized, NULL);
	ck_assert_str_eq(r.events, "R");
	ck_assert_int_eq(r.dev.res, res);
	ck_assert_int_eq(r.dev.err, 0);
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_LIVE);
	r.events[0] = 'L';
	r.events[1] = '\0';
}

static bool is_answered(void *arg)
{
	(void)arg;
	return !fake_unanswered();
}

/* one more is read there; how many the engine has rejected by now */
static int rejected_after(uint64_t offset)
{
	fake_submit(r.dev.id, FAKE_READ, offset, 512, NULL, NULL, NULL);
	rig_until(is_answered, NULL);
	return (int)rig_stats(&r).rejected;
}

/* ---- order ----------------------------------------------------------------- */

START_TEST(grown)
{
	rig_up(&r, disk.backend);
	ck_assert_int_eq(rejected_after(MORE - 512), 1);	/* rejected */
	resized(MORE, 0, 0);
	ck_assert_uint_eq(disk.calls, 1);
	ck_assert_uint_eq(disk.updates, 0);		/* before it */
	ck_assert_uint_eq(disk.bytes, MORE);
	ck_assert_uint_eq(fake_sectors(r.dev.id), MORE / 512);
	ck_assert_int_eq(rejected_after(MORE - 512), 1);	/* no more */
	down("LS");
}
END_TEST

/*
 * The memory may move, of which the driver may have addresses: the first enter
 * submits the copies, the second runs the task work that they have made.
 */
START_TEST(settled_before)
{
	rig_up(&r, disk.backend);
	fake.hook = count_enters;
	enters = 0;
	ck_assert_int_eq(resize(MORE, 0), 0);
	ck_assert_uint_eq(disk.calls, 1);
	ck_assert_uint_eq(disk.enters, 2);
	fake.hook = NULL;
	down("LRS");
}
END_TEST

START_TEST(shrunk)
{
	rig_up(&r, disk.backend);
	ck_assert_int_eq(resize(LESS, 0), -EINVAL);
	resized(LESS, UBLKEV_RESIZE_SHRINK, 0);
	ck_assert_uint_eq(disk.calls, 1);
	ck_assert_uint_eq(disk.updates, 1);		/* after it */
	ck_assert_uint_eq(fake_sectors(r.dev.id), LESS / 512);
	ck_assert_int_eq(rejected_after(LESS - 512), 0);
	ck_assert_int_eq(rejected_after(LESS), 1);
	down("LS");
}
END_TEST

START_TEST(same_size)
{
	rig_up(&r, disk.backend);
	resized(OLD, 0, 0);
	ck_assert_uint_eq(disk.bytes, OLD);
	down("LS");
}
END_TEST

/* ---- failures -------------------------------------------------------------- */

START_TEST(growth_undone)
{
	static const enum ublkev__ctrl_cmd cmds[] = {
		UBLKEV__CTRL_GET_DEV_INFO, UBLKEV__CTRL_UPDATE_SIZE,
	};

	rig_up(&r, disk.backend);
	fake_rule(FAKE_CMD, cmds[_i], 1, 1, -EPERM);
	resized(MORE, 0, -EPERM);
	ck_assert_uint_eq(disk.calls, 2);
	ck_assert_uint_eq(disk.bytes, OLD);
	ck_assert_uint_eq(fake_sectors(r.dev.id), OLD / 512);
	ck_assert_int_eq(rejected_after(OLD), 1);
	resized(MORE, 0, 0);
	ck_assert_uint_eq(disk.bytes, MORE);
	down("LS");
}
END_TEST

START_TEST(shrinking_not_begun)
{
	rig_up(&r, disk.backend);
	fake_rule(FAKE_CMD, UBLKEV__CTRL_UPDATE_SIZE, 1, 1, -EPERM);
	resized(LESS, UBLKEV_RESIZE_SHRINK, -EPERM);
	ck_assert_uint_eq(disk.calls, 0);
	ck_assert_int_eq(rejected_after(OLD - 512), 0);
	down("LS");
}
END_TEST

/* at once, and nothing has begun */
START_TEST(backend_refuses_to_grow)
{
	rig_up(&r, disk.backend);
	disk.err = -ENOSPC;
	ck_assert_int_eq(resize(MORE, 0), -ENOSPC);
	rig_run_ms(10);
	ck_assert_str_eq(r.events, "L");
	ck_assert_uint_eq(fake_counts.cmds[UBLKEV__CTRL_GET_DEV_INFO], 0);
	disk.err = 0;
	resized(MORE, 0, 0);
	down("LS");
}
END_TEST

/* at once, and what the backend grew by is given back */
START_TEST(ring_fails_at_growth)
{
	int err;

	rig_up(&r, disk.backend);
	fake_rule(FAKE_ENTER, 0, 1, 1, -EIO);
	fake_submit(r.dev.id, FAKE_READ, 0, 512, NULL, NULL, NULL);
	err = resize(MORE, 0);
	ck_assert_int_lt(err, 0);
	ck_assert_uint_eq(disk.calls, 2);
	ck_assert_uint_eq(disk.bytes, OLD);
	rig_run();
	rig_check_stopped(&r, "LES");
	ck_assert_int_eq(r.dev.err, -EIO);
	ck_assert_uint_eq(fake_counts.cmds[UBLKEV__CTRL_UPDATE_SIZE], 0);
	rig_fini(&r);
}
END_TEST

/* too late to undo: the device is smaller, the backend may be larger */
START_TEST(backend_refuses_to_shrink)
{
	unsigned int before;

	rig_up(&r, disk.backend);
	disk.err = -EIO;
	before = lines.lines;
	resized(LESS, UBLKEV_RESIZE_SHRINK, 0);
	ck_assert_uint_gt(lines.lines, before);
	ck_assert_uint_eq(fake_sectors(r.dev.id), LESS / 512);
	ck_assert_int_eq(rejected_after(LESS), 1);
	down("LS");
}
END_TEST

START_TEST(wrong)
{
	rig_init(&r, disk.backend);
	ck_assert_int_eq(resize(MORE, 0), -EINVAL);	/* not active */
	rig_start(&r);
	ck_assert_int_eq(resize(MORE, 0), -EINVAL);	/* not live */
	rig_until(rig_is_live, &r);
	ck_assert_int_eq(resize(0, UBLKEV_RESIZE_SHRINK), -EINVAL);
	ck_assert_int_eq(resize(MORE + 1, 0), -EINVAL);
	ck_assert_int_eq(resize(UINT64_MAX - 511, 0), -EINVAL);
	ck_assert_int_eq(resize(MORE, 0), 0);
	ck_assert_int_eq(resize(2 * MORE, 0), -EINVAL);	/* one at a time */
	ck_assert_int_eq(ublkev_dev_try_stop(rig_loop, &r.dev), -EINVAL);
	rig_until(is_resized, NULL);
	ublkev_dev_stop(rig_loop, &r.dev);
	ck_assert_int_eq(resize(MORE, 0), -EINVAL);
	rig_run();
	rig_fini(&r);
	ck_assert_uint_eq(disk.calls, 1);
}
END_TEST

START_TEST(impossible)
{
	struct lazy lazy;

	lazy_init(&lazy, LAZY_NOW, 1);
	rig_up(&r, lazy.backend);
	ck_assert_int_eq(resize(MORE, 0), -EOPNOTSUPP);
	down("LS");
	lazy_fini(&lazy);
	fake.features = 0x1fe;
	rig_conf(&r);
	rig_up(&r, disk.backend);
	ck_assert_int_eq(resize(MORE, 0), -EOPNOTSUPP);
	ck_assert_uint_eq(disk.calls, 0);
	down("LS");
}
END_TEST

/* ---- others ----------------------------------------------------------------- */

/* its end is told before the device's */
START_TEST(stopped_meanwhile)
{
	rig_ticks();
	rig_up(&r, disk.backend);
	fake_rule(FAKE_HANG_TICKS, _i ? UBLKEV__CTRL_UPDATE_SIZE :
		  UBLKEV__CTRL_GET_DEV_INFO, 1, 1, 20);
	ck_assert_int_eq(resize(MORE, 0), 0);
	rig_run_ms(5);
	down("LRS");
	ck_assert_int_eq(r.dev.res, _i ? 0 : -ECANCELED);
	ck_assert_uint_eq(disk.bytes, _i ? MORE : OLD);
}
END_TEST

/* never: the device is stopped, and nobody waits longer */
static void hang_up(enum fake_what how, enum ublkev__ctrl_cmd cmd)
{
	r.conf.cmd_timeout_ms = 30;
	r.conf.stop_timeout_ms = 50;
	r.conf.grace_ms = 20;
	rig_up(&r, disk.backend);
	fake_rule(how, cmd, 1, 1, 0);
}

/*
 * The disk is served on, its backend large enough for either answer; none is
 * waited for, but no other command goes out before it.
 */
START_TEST(answered_late)
{
	enum ublkev__ctrl_cmd cmd = _i % 2 ? UBLKEV__CTRL_UPDATE_SIZE :
				    UBLKEV__CTRL_GET_DEV_INFO;
	bool shrinks = _i / 2;

	hang_up(FAKE_HANG_HARD, cmd);
	resized(shrinks ? LESS : MORE, shrinks ? UBLKEV_RESIZE_SHRINK : 0,
		-ETIMEDOUT);
	ck_assert_int_eq(rejected_after(0), 0);
	ck_assert_uint_eq(disk.bytes, shrinks ? OLD : MORE);
	ck_assert_int_eq(resize(MORE, 0), -EBUSY);
	ck_assert_int_eq(ublkev_dev_try_stop(rig_loop, &r.dev), -EBUSY);
	ck_assert_uint_eq(disk.bytes, shrinks ? OLD : MORE);
	fake_release();
	ck_assert_int_eq(rejected_after(0), 0);	/* a turn */
	ck_assert_str_eq(r.events, "L");
	ck_assert_uint_eq(disk.bytes, shrinks ? OLD : MORE);
	/* asked for again, it comes to its end */
	resized(shrinks ? LESS : MORE, shrinks ? UBLKEV_RESIZE_SHRINK : 0, 0);
	ck_assert_uint_eq(disk.bytes, shrinks ? LESS : MORE);
	ck_assert_uint_eq(fake_sectors(r.dev.id) << 9, disk.bytes);
	down("LS");
}
END_TEST

/* then there is nothing pending */
START_TEST(cancelled)
{
	hang_up(FAKE_HANG, _i ? UBLKEV__CTRL_UPDATE_SIZE :
			   UBLKEV__CTRL_GET_DEV_INFO);
	resized(MORE, 0, -ETIMEDOUT);
	resized(MORE, 0, 0);
	down("LS");
}
END_TEST

/* only a stop may find that it can't go on without the answer */
START_TEST(never_answered)
{
	hang_up(FAKE_HANG_HARD, UBLKEV__CTRL_UPDATE_SIZE);
	resized(MORE, 0, -ETIMEDOUT);
	ck_assert_int_eq(rejected_after(0), 0);
	ublkev_dev_stop(rig_loop, &r.dev);
	rig_until(rig_is_over, &r);
	rig_check_stopped(&r, "LES");
	ck_assert_int_eq(r.dev.err, -ETIMEDOUT);
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_LOST);
	ck_assert_uint_eq(fake_counts.leaks, 1);
	fake_outside(UBLKEV__CTRL_DEL_DEV, r.dev.id);
	fake_release();
	r.alloc.live--;		/* left to the driver */
	rig_fini(&r);
}
END_TEST

/* the last line that a person would see */
static void keep_line(void *log, int priority, const char *line)
{
	if (priority < LOG_DEBUG)
		test_log_fn(log, priority, line);
}

static void left(uint64_t bytes)
{
	r.conf.log = keep_line;
	rig_leave(&r, disk.backend, 3);
	disk.bytes = bytes;
}

/* the former server died between the backend's growth and the device's */
START_TEST(recovered_larger)
{
	left(MORE);
	ck_assert_int_eq(rig_take(&r), 0);
	ck_assert_ptr_nonnull(strstr(lines.line,
				     "has 1048576 bytes, the backend 2097152"));
	ck_assert_uint_eq(fake_sectors(3) << 9, OLD);
	ck_assert_int_eq(rejected_after(OLD - 512), 0);
	if (_i)
		resized(OLD, UBLKEV_RESIZE_SHRINK, 0);
	else
		resized(MORE, 0, 0);
	ck_assert_uint_eq(disk.bytes, _i ? OLD : MORE);
	ck_assert_uint_eq(fake_sectors(3) << 9, disk.bytes);
	down("LS");
}
END_TEST

START_TEST(recovered_smaller)
{
	left(LESS);
	ck_assert_int_eq(rig_take(&r), -EINVAL);
	ck_assert_ptr_nonnull(strstr(lines.line,
				     "has 1048576 bytes, the backend 524288"));
	rig_fini(&r);
	ck_assert_int_eq(fake_state(3), UBLKEV_STATE_QUIESCED);
	fake_outside(UBLKEV__CTRL_DEL_DEV, 3);
}
END_TEST

/* somebody stopped it: UPDATE_SIZE would crash some kernels */
START_TEST(stopped_by_others)
{
	rig_ticks();
	rig_up(&r, disk.backend);
	fake_rule(FAKE_HANG_TICKS, UBLKEV__CTRL_GET_DEV_INFO, 1, 1, 20);
	ck_assert_int_eq(resize(MORE, 0), 0);
	rig_run_ms(5);
	fake_outside(UBLKEV__CTRL_STOP_DEV, r.dev.id);
	rig_until(rig_is_over, &r);
	rig_check_stopped(&r, "LERS");
	ck_assert_int_lt(r.dev.res, 0);
	ck_assert_uint_eq(fake_counts.cmds[UBLKEV__CTRL_UPDATE_SIZE], 0);
	ck_assert_uint_eq(disk.bytes, OLD);
	rig_fini(&r);
}
END_TEST

static struct client *clients;

static bool all_done(void *n)
{
	return clients_done(clients, *(unsigned int *)n);
}

static bool few_done(void *most)
{
	return clients[0].done >= *(unsigned int *)most;
}

/* a disk in memory, whose contents stay, wherever they move */
START_TEST(under_load)
{
	static const uint64_t sizes[] = { MORE, 64u << 20, MORE, OLD };
	unsigned int n = 16, i, least = 0;
	struct ublkev_disk_conf conf;
	struct ublkev_backend *mem;
	struct test_rng rng;

	test_rng_init(&rng, test_seed("engine_resize"));
	ublkev_disk_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = OLD;
	ck_assert_int_eq(ublkev_mem_new(&mem, &conf), 0);
	rig_mode(&r, (unsigned int)_i);
	r.conf.queues = 2;
	rig_up(&r, mem);
	clients = clients_new(n, r.dev.id, &rng, 300);
	clients_go(clients, n);
	for (i = 0; i < TEST_COUNT(sizes); i++) {
		least += 50;
		rig_until(few_done, &least);
		resized(sizes[i], UBLKEV_RESIZE_SHRINK, 0);
		ck_assert_uint_eq(fake_sectors(r.dev.id), sizes[i] / 512);
	}
	rig_until(all_done, &n);
	ck_assert_uint_eq(clients_errors(clients, n), 0);
	down("LS");
	free(clients);
	ublkev_backend_free(mem);
}
END_TEST

/* ---- try_stop ---------------------------------------------------------------- */

static bool is_refused(void *arg)
{
	(void)arg;
	return strchr(r.events, 'N');
}

START_TEST(try_stop)
{
	rig_up(&r, disk.backend);
	fake_hold(r.dev.id, 1);
	ck_assert_int_eq(ublkev_dev_try_stop(rig_loop, &r.dev), 0);
	ck_assert_int_eq(rejected_after(0), 0);	/* it serves on */
	rig_until(is_refused, NULL);
	ck_assert_str_eq(r.events, "LN");
	ck_assert_int_eq(r.dev.res, -EBUSY);
	fake_hold(r.dev.id, -1);
	ck_assert_int_eq(ublkev_dev_try_stop(rig_loop, &r.dev), 0);
	rig_run();
	rig_check_stopped(&r, "LNS");
	ck_assert_int_eq(r.dev.err, 0);
	rig_fini(&r);
	fake.features = 0x1fe;
	rig_conf(&r);
	rig_up(&r, disk.backend);
	ck_assert_int_eq(ublkev_dev_try_stop(rig_loop, &r.dev), -EOPNOTSUPP);
	down("LS");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_resize");
	TCase *tc = tcase_create("resize");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, grown);
	tcase_add_test(tc, settled_before);
	tcase_add_test(tc, shrunk);
	tcase_add_test(tc, same_size);
	tcase_add_loop_test(tc, growth_undone, 0, 2);
	tcase_add_test(tc, shrinking_not_begun);
	tcase_add_test(tc, backend_refuses_to_grow);
	tcase_add_test(tc, ring_fails_at_growth);
	tcase_add_test(tc, backend_refuses_to_shrink);
	tcase_add_test(tc, wrong);
	tcase_add_test(tc, impossible);
	tcase_add_loop_test(tc, stopped_meanwhile, 0, 2);
	tcase_add_loop_test(tc, answered_late, 0, 4);
	tcase_add_loop_test(tc, cancelled, 0, 2);
	tcase_add_test(tc, never_answered);
	tcase_add_loop_test(tc, recovered_larger, 0, 2);
	tcase_add_test(tc, recovered_smaller);
	tcase_add_test(tc, stopped_by_others);
	tcase_add_loop_test(tc, under_load, 0, RIG_MODES);
	tcase_add_test(tc, try_stop);
	suite_add_tcase(s, tc);
	return test_main(s);
}
