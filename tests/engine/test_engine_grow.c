/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A backend that grows by something that waits: a thread does it, while the
 * device serves on, and the loop waits for nobody.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#include "engine_one.h"

#define OLD	(1u << 20)
#define MORE	(2u << 20)

static struct {
	struct ublkev_backend *backend;
	uint64_t bytes;
	sem_t gate;
	bool gated;			/* atomic: grow() waits for it */
	bool inside;			/* atomic: grow() is being called */
	unsigned int grows, resizes, closes;
	uint64_t grown;
	int answer;
	pthread_t thread;
} disk;

static struct test_log lines;
static unsigned int no_threads;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*fn)(void *), void *arg);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*fn)(void *), void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*fn)(void *), void *arg)
{
	if (!no_threads)
		return __real_pthread_create(thread, attr, fn, arg);
	no_threads--;
	return EAGAIN;
}

static int disk_open(void *ctx, struct ublkev_limits *limits)
{
	(void)ctx;
	limits->dev_bytes = disk.bytes;
	limits->flags = UBLKEV_LIMIT_THREADS;
	return 0;
}

static void disk_close(void *ctx)
{
	(void)ctx;
	ck_assert(!__atomic_load_n(&disk.inside, __ATOMIC_RELAXED));
	disk.closes++;
}

static int disk_submit(void *ctx, struct ublkev_req *req)
{
	(void)ctx;
	(void)req;
	return UBLKEV_DONE;
}

static int disk_grow(void *ctx, uint64_t dev_bytes)
{
	(void)ctx;
	__atomic_store_n(&disk.inside, true, __ATOMIC_RELAXED);
	if (__atomic_load_n(&disk.gated, __ATOMIC_RELAXED))
		while (sem_wait(&disk.gate))
			;
	disk.thread = pthread_self();
	disk.grows++;
	disk.grown = dev_bytes;
	__atomic_store_n(&disk.inside, false, __ATOMIC_RELAXED);
	return disk.answer;
}

/* after it, before the device's own part */
static int disk_resize(void *ctx, uint64_t dev_bytes)
{
	(void)ctx;
	disk.resizes++;
	if (dev_bytes > disk.bytes) {
		ck_assert_uint_eq(disk.grown, dev_bytes);
		ck_assert_uint_eq(fake_sectors(0) << 9, disk.bytes);
	}
	disk.bytes = dev_bytes;
	return 0;
}

static void setup(void)
{
	static const struct ublkev_backend_ops ops = {
		.size = sizeof(ops), .name = "grows", .open = disk_open,
		.submit = disk_submit, .resize = disk_resize,
		.grow = disk_grow, .close = disk_close,
	};

	rig_setup();
	rig_ticks();
	fake.features = 0x1fffff;
	memset(&disk, 0, sizeof(disk));
	memset(&lines, 0, sizeof(lines));
	no_threads = 0;
	disk.bytes = OLD;
	sem_init(&disk.gate, 0, 0);
	ck_assert_int_eq(ublkev_backend_new(&disk.backend, &ops, NULL), 0);
	rig_conf(&r);
	r.conf.log = test_log_fn;
	r.conf.log_data = &lines;
}

static void teardown(void)
{
	ck_assert(fake_clean());
	ublkev_backend_free(disk.backend);
	sem_destroy(&disk.gate);
	rig_teardown();
}

static void up(bool threads)
{
	if (threads)
		r.conf.flags |= UBLKEV_CONF_QUEUE_THREADS;
	rig_up(&r, disk.backend);
}

static int resize(uint64_t bytes, unsigned int flags)
{
	return ublkev_dev_resize(rig_loop, &r.dev, bytes, flags);
}

static bool is_resized(void *arg)
{
	(void)arg;
	return strchr(r.events, 'R');
}

static void resized(uint64_t bytes, unsigned int flags, int res)
{
	ck_assert_int_eq(resize(bytes, flags), 0);
	rig_until(is_resized, NULL);
	ck_assert_int_eq(r.dev.res, res);
	ck_assert_int_eq(r.dev.err, 0);
	strcpy(r.events, "L");
}

static bool is_inside(void *inside)
{
	return __atomic_load_n(&disk.inside, __ATOMIC_RELAXED) ==
	       *(bool *)inside;
}

static void begin(bool threads)
{
	bool inside = true;

	__atomic_store_n(&disk.gated, true, __ATOMIC_RELAXED);
	up(threads);
	ck_assert_int_eq(resize(MORE, 0), 0);
	rig_until(is_inside, &inside);
}

/* requests are answered meanwhile, and one resize is enough */
START_TEST(grown)
{
	begin(_i);
	ck_assert_int_eq(one_io(FAKE_WRITE, 0, 4096, NULL), 0);
	ck_assert_int_eq(resize(2 * MORE, 0), -EINVAL);
	ck_assert_uint_eq(disk.resizes, 0);
	sem_post(&disk.gate);
	rig_until(is_resized, NULL);
	ck_assert_int_eq(r.dev.res, 0);
	ck_assert_uint_eq(disk.bytes, MORE);
	ck_assert_uint_eq(fake_sectors(0) << 9, MORE);
	ck_assert(!pthread_equal(disk.thread, pthread_self()));
	ck_assert_int_eq(one_io(FAKE_WRITE, MORE - 4096, 4096, NULL), 0);
	/* and again; a smaller one waits for nothing */
	strcpy(r.events, "L");
	sem_post(&disk.gate);
	resized(2 * MORE, 0, 0);
	resized(OLD, UBLKEV_RESIZE_SHRINK, 0);
	ck_assert_uint_eq(disk.grows, 2);
	ck_assert_uint_eq(disk.resizes, 3);
	rig_down(&r);
}
END_TEST

START_TEST(fails)
{
	up(_i);
	disk.answer = -ENOSPC;
	resized(MORE, 0, -ENOSPC);
	disk.answer = 7;
	resized(MORE, 0, -EIO);
	ck_assert_ptr_nonnull(strstr(lines.line, "grow() answered 7"));
	ck_assert_uint_eq(disk.resizes, 0);
	ck_assert_uint_eq(fake_sectors(0) << 9, OLD);
	disk.answer = 0;
	resized(MORE, 0, 0);
	ck_assert_uint_eq(disk.bytes, MORE);
	/* what the device refuses after it */
	fake_rule(FAKE_CMD, UBLKEV__CTRL_UPDATE_SIZE, 1, 1, -EPERM);
	resized(2 * MORE, 0, -EPERM);
	ck_assert_uint_eq(disk.bytes, MORE);
	rig_down(&r);
}
END_TEST

START_TEST(no_thread)
{
	up(false);
	no_threads = 1;
	ck_assert_int_eq(resize(MORE, 0), -EAGAIN);
	ck_assert_uint_eq(disk.grows, 0);
	resized(MORE, 0, 0);
	rig_down(&r);
}
END_TEST

/* the resize ends at once, the device when the thread is back */
START_TEST(stopped_meanwhile)
{
	begin(_i % 2);
	(_i / 2 ? ublkev_dev_abort : ublkev_dev_stop)(rig_loop, &r.dev);
	rig_until(is_resized, NULL);
	ck_assert_int_eq(r.dev.res, -ECANCELED);
	rig_run_ms(20);
	ck_assert_str_eq(r.events, "LR");
	ck_assert_uint_eq(disk.closes, 0);
	sem_post(&disk.gate);
	rig_run();
	rig_check_stopped(&r, "LRS");
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_GONE);
	ck_assert_uint_eq(disk.closes, 1);
	ck_assert_uint_eq(disk.resizes, 0);
	rig_fini(&r);
}
END_TEST

/* which is waited for as long as for a backend that closes later */
START_TEST(never_comes_back)
{
	bool inside = false;

	r.conf.alloc = rig_alloc_keeping_fn;
	r.conf.stop_timeout_ms = 50;
	r.conf.grace_ms = 20;
	begin(_i);
	ublkev_dev_stop(rig_loop, &r.dev);
	rig_run();
	rig_check_stopped(&r, "LRES");
	ck_assert_int_eq(r.err_step, UBLKEV_STEP_BACKEND_CLOSE);
	ck_assert_int_eq(r.dev.err, -ETIMEDOUT);
	ck_assert_uint_eq(disk.closes, 0);
	/* the pool, and what it may touch, is the thread's */
	ck_assert_int_gt(r.alloc.live, 1);
	r.alloc.live = 1;
	rig_fini(&r);
	sem_post(&disk.gate);
	while (!is_inside(&inside))
		rig_run_ms(1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_grow");
	TCase *tc = tcase_create("grow");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, grown, 0, 2);
	tcase_add_loop_test(tc, fails, 0, 2);
	tcase_add_test(tc, no_thread);
	tcase_add_loop_test(tc, stopped_meanwhile, 0, 4);
	tcase_add_loop_test(tc, never_comes_back, 0, 2);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
