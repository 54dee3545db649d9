/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A backend that closes later, since a thread of its own is still in a read:
 * the loop serves another device meanwhile, and what the thread may touch stays
 * where it is, however long that takes.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "engine_rig.h"

#define ID	7
#define BYTES	4096

enum way {
	NOW,		/* DONE */
	INSIDE,		/* LATER, and closed before that */
	WORKER,		/* LATER, and closed when the worker has woken */
	DONE_TWICE,	/* DONE, and closed before that */
	NONSENSE,	/* an answer that there is not */
};

/* a backend with a worker, which is asleep with what it was given */
static struct {
	struct ublkev_backend *backend;
	enum way way;
	struct ev_loop *loop;
	struct ev_async woke;
	struct ublkev_req *req;		/* atomic */
	pthread_t worker;
	sem_t wake;
	unsigned int opens, stops, begun, closed, closes;
} disk;

static struct rig_dev r;
static struct busy other;
static struct test_log said;

/* what an administrator would see */
static void warn_fn(void *data, int priority, const char *line)
{
	if (priority <= LOG_WARNING && !strstr(line, "Linux "))
		test_log_fn(data, priority, line);
}

/* what is never freed has to be found again, or each leak looks the same */
static void *lent[64];

static void *alloc_fn(void *data, void *ptr, size_t bytes)
{
	void *p = rig_alloc_fn(data, ptr, bytes);
	size_t i = 0;

	ck_assert(!ptr || !bytes);
	while (i < TEST_COUNT(lent) && lent[i] != ptr)
		i++;
	ck_assert_uint_lt(i, TEST_COUNT(lent));
	lent[i] = p;
	return p;
}

/* ---- the backend ---------------------------------------------------------- */

static int slow_open(void *ctx, struct ublkev_limits *limits)
{
	(void)ctx;
	limits->dev_bytes = LAZY_BYTES;
	limits->flags = UBLKEV_LIMIT_THREADS;
	disk.opens++;
	return 0;
}

static void on_woke(struct ev_loop *loop, struct ev_async *w, int revents)
{
	(void)revents;
	ev_async_stop(loop, w);
	pthread_join(disk.worker, NULL);
	disk.closed++;
	ublkev_backend_closed(disk.backend);
}

static int slow_start(void *ctx, struct ev_loop *loop)
{
	(void)ctx;
	disk.loop = loop;
	return 0;
}

static void slow_stop(void *ctx)
{
	(void)ctx;
	disk.stops++;
}

static int slow_submit(void *ctx, struct ublkev_req *req)
{
	(void)ctx;
	__atomic_store_n(&disk.req, req, __ATOMIC_RELEASE);
	return UBLKEV_LATER;
}

static void slow_close(void *ctx)
{
	(void)ctx;
	disk.closes++;
}

/* the read that it was in returns: nobody has taken its memory away */
static void *work(void *arg)
{
	struct ublkev_req *req = disk.req;

	(void)arg;
	while (sem_wait(&disk.wake))
		ck_assert_int_eq(errno, EINTR);
	if (req) {
		ck_assert_uint_eq(req->len_bytes, BYTES);
		memset(req->buf, 0x5a, req->len_bytes);
		req->data = NULL;
	}
	if (disk.loop)
		ev_async_send(disk.loop, &disk.woke);
	return NULL;
}

static int slow_close_begin(void *ctx)
{
	(void)ctx;
	disk.begun++;
	switch (disk.way) {
	case NOW:
		return UBLKEV_DONE;
	case NONSENSE:
		return -EBUSY;
	case INSIDE:
	case DONE_TWICE:
		ublkev_backend_closed(disk.backend);
		return disk.way == INSIDE ? UBLKEV_LATER : UBLKEV_DONE;
	default:
		break;
	}
	if (disk.loop)
		ev_async_start(disk.loop, &disk.woke);
	ck_assert_int_eq(pthread_create(&disk.worker, NULL, work, NULL), 0);
	return UBLKEV_LATER;
}

static const struct ublkev_backend_ops slow_ops = {
	.size = sizeof(slow_ops),
	.name = "slow",
	.open = slow_open,
	.close = slow_close,
	.start = slow_start,
	.stop = slow_stop,
	.submit = slow_submit,
	.close_begin = slow_close_begin,
};

/* ---- a test ---------------------------------------------------------------- */

static void make(void)
{
	memset(&disk, 0, sizeof(disk));
	disk.way = WORKER;
	sem_init(&disk.wake, 0, 0);
	ev_async_init(&disk.woke, on_woke);
	ck_assert_int_eq(ublkev_backend_new(&disk.backend, &slow_ops, NULL), 0);
}

static void setup(void)
{
	rig_setup();
	rig_ticks();
	busy_up(&other, 1);
	make();
	memset(lent, 0, sizeof(lent));
	memset(&said, 0, sizeof(said));
	rig_conf(&r);
	r.conf.id = ID;
	r.conf.alloc = alloc_fn;
	r.conf.log = warn_fn;
	r.conf.log_data = &said;
	/* nothing is to end by its deadline that need not */
	r.conf.stop_timeout_ms = 60000;
	r.conf.grace_ms = 60000;
}

static void teardown(void)
{
	size_t i;

	busy_down(&other);
	ck_assert(fake_clean());
	rig_teardown();
	for (i = 0; i < TEST_COUNT(lent); i++)
		free(lent[i]);
	sem_destroy(&disk.wake);
}

static void on_read(void *arg, int res)
{
	*(int *)arg = res;
}

static bool is_held(void *arg)
{
	(void)arg;
	return __atomic_load_n(&disk.req, __ATOMIC_ACQUIRE);
}

/* the backend has a request, which is never answered */
static int *hold(void)
{
	static char data[BYTES];
	static int res;

	res = 1;
	fake_submit(r.dev.id, FAKE_READ, 0, BYTES, data, on_read, &res);
	rig_until(is_held, NULL);
	return &res;
}

static bool is_closing(void *arg)
{
	(void)arg;
	return disk.begun && r.dev.step == UBLKEV_STEP_BACKEND_CLOSE;
}

static bool other_has_served(void *n)
{
	return other.served >= *(unsigned int *)n;
}

/* the other one goes on, and r waits */
static void serve_other(void)
{
	unsigned int n = other.served + 300;

	rig_until(other_has_served, &n);
	ck_assert(r.dev.active);
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_BACKEND_CLOSE);
}

static void wake_up(void)
{
	sem_post(&disk.wake);
}

static bool is_closed(void *arg)
{
	(void)arg;
	return disk.closed;
}

START_TEST(later)
{
	int *res = NULL;

	if (_i & 1)
		r.conf.flags = UBLKEV_CONF_QUEUE_THREADS;
	rig_up(&r, disk.backend);
	if (_i & 2) {
		res = hold();
		ublkev_dev_abort(rig_loop, &r.dev);
	} else {
		ublkev_dev_stop(rig_loop, &r.dev);
	}
	rig_until(is_closing, NULL);
	if (res)
		ck_assert_int_eq(*res, -EIO);
	serve_other();
	ck_assert_str_eq(r.events, "L");
	/* an answer that comes so late is counted, as any */
	if (res && !(_i & 1)) {
		ublkev_req_done(disk.backend, disk.req->cookie, 0);
		ck_assert_uint_eq(rig_stats(&r).stale_answers, 1);
	}
	wake_up();
	rig_until(rig_is_over, &r);
	rig_check_stopped(&r, "LS");
	ck_assert_int_eq(r.dev.err, 0);
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_GONE);
	ck_assert_uint_eq(disk.closed, 1);
	ck_assert_uint_eq(disk.closes, 0);
	ck_assert_uint_eq(disk.stops, 1);
	ck_assert_uint_eq(fake_counts.left_bufs, 0);
	rig_fini(&r);
	ublkev_backend_free(disk.backend);
}
END_TEST

/* given up: what the worker may touch is, when it wakes at last, still there */
START_TEST(never)
{
	int left;

	if (_i & 1)
		r.conf.flags = UBLKEV_CONF_QUEUE_THREADS;
	r.conf.stop_timeout_ms = r.conf.grace_ms = 80;
	rig_up(&r, disk.backend);
	hold();
	ublkev_dev_abort(rig_loop, &r.dev);
	rig_until(rig_is_over, &r);
	rig_check_stopped(&r, "LES");
	ck_assert_int_eq(r.dev.err, -ETIMEDOUT);
	ck_assert_int_eq(r.err_step, UBLKEV_STEP_BACKEND_CLOSE);
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_GONE);
	ck_assert_ptr_nonnull(strstr(said.line, "backend slow has not closed"));
	ck_assert_int_eq(said.priority, LOG_WARNING);
	ck_assert_uint_eq(fake_counts.left_bufs, 1);
	ublkev_dev_fini(&r.dev);
	left = r.alloc.live;
	ck_assert_int_eq(left, 1);	/* the requests */
	/* freed before it has closed, or after */
	if (_i & 2)
		ublkev_backend_free(disk.backend);
	wake_up();
	rig_until(is_closed, NULL);
	if (!(_i & 2))
		ublkev_backend_free(disk.backend);
	ck_assert_int_eq(r.alloc.live, left);
}
END_TEST

/* until it has closed no other device can have it, then each can */
START_TEST(again)
{
	struct rig_dev next;

	r.conf.stop_timeout_ms = r.conf.grace_ms = 80;
	rig_up(&r, disk.backend);
	ublkev_dev_stop(rig_loop, &r.dev);
	rig_until(rig_is_over, &r);
	rig_check_stopped(&r, "LES");
	/* nothing was with it, but it is not asked about that */
	ck_assert_uint_eq(fake_counts.left_bufs, 1);
	ublkev_dev_fini(&r.dev);
	rig_conf(&next);
	next.conf.id = ID;
	rig_init(&next, disk.backend);
	ck_assert_int_eq(ublkev_dev_start(rig_loop, &next.dev), -EBUSY);
	ck_assert_int_eq(next.dev.step, UBLKEV_STEP_BACKEND);
	wake_up();
	rig_until(is_closed, NULL);
	disk.way = NOW;
	rig_start(&next);
	rig_until(rig_is_live, &next);
	ublkev_dev_stop(rig_loop, &next.dev);
	rig_until(rig_is_over, &next);
	rig_check_stopped(&next, "LS");
	rig_fini(&next);
	ck_assert_uint_eq(disk.opens, 2);
	ublkev_backend_free(disk.backend);
}
END_TEST

START_TEST(at_once)
{
	static const enum way ways[] = { NOW, INSIDE, DONE_TWICE, NONSENSE };

	disk.way = ways[_i / 2];
	if (_i % 2)
		r.conf.flags = UBLKEV_CONF_QUEUE_THREADS;
	rig_up(&r, disk.backend);
	ublkev_dev_stop(rig_loop, &r.dev);
	rig_until(rig_is_over, &r);
	rig_check_stopped(&r, "LS");
	ck_assert_int_eq(r.dev.err, 0);
	ck_assert_uint_eq(disk.begun, 1);
	ck_assert_uint_eq(said.lines, disk.way == NONSENSE);
	ck_assert_uint_eq(fake_counts.left_bufs, 0);
	/* once more, by a backend whose device has ended: nobody is told */
	ublkev_backend_closed(disk.backend);
	rig_fini(&r);
	ublkev_backend_free(disk.backend);
}
END_TEST

/* it is nobody's call while the backend is in use, and ends nothing */
START_TEST(too_early)
{
	rig_up(&r, disk.backend);
	ublkev_backend_closed(disk.backend);
	ck_assert_ptr_nonnull(strstr(said.line, "without a close_begin()"));
	ck_assert_int_eq(r.dev.step, UBLKEV_STEP_LIVE);
	disk.way = NOW;
	ublkev_dev_stop(rig_loop, &r.dev);
	rig_until(rig_is_over, &r);
	rig_check_stopped(&r, "LS");
	rig_fini(&r);
	ublkev_backend_free(disk.backend);
}
END_TEST

/* STOPPED is told by the loop, not inside the backend's call */
START_TEST(by_hand)
{
	rig_init(&r, disk.backend);
	r.starts++;
	ck_assert_int_eq(ublkev_dev_start(NULL, &r.dev), 0);
	while (!rig_is_live(&r))
		ublkev_dev_flush(&r.dev);
	ublkev_dev_stop(NULL, &r.dev);
	while (!is_closing(NULL))
		ublkev_dev_flush(&r.dev);
	ublkev_dev_flush(&r.dev);
	/* there is a deadline, and nothing to do but wait for it */
	ck_assert_int_gt(ublkev_dev_timeout_ms(&r.dev), 0);
	wake_up();
	pthread_join(disk.worker, NULL);
	ublkev_backend_closed(disk.backend);
	ck_assert(r.dev.active);
	ck_assert_int_eq(ublkev_dev_timeout_ms(&r.dev), 0);
	ublkev_dev_flush(&r.dev);
	rig_check_stopped(&r, "LS");
	rig_fini(&r);
	ublkev_backend_free(disk.backend);
}
END_TEST

/* a start that fails is over at once, and its backend closes when it does */
START_TEST(start_fails)
{
	fake_rule(FAKE_CONTROL_OPEN, UBLKEV__CTRL_NONE, 1, 1, -EACCES);
	rig_init(&r, disk.backend);
	ck_assert_int_eq(ublkev_dev_start(rig_loop, &r.dev), -EACCES);
	ck_assert_uint_eq(disk.begun, 1);
	rig_fini(&r);
	ck_assert_uint_eq(fake_counts.left_bufs, 0);
	ublkev_backend_free(disk.backend);
	wake_up();
	/* no loop was given to it: start() has not been called */
	pthread_join(disk.worker, NULL);
	ublkev_backend_closed(disk.backend);
}
END_TEST

/* each allocation of a start, with a backend that is not closed by then */
START_TEST(starved)
{
	unsigned int n;
	int err;

	for (n = 1; ; n++) {
		rig_init(&r, disk.backend);
		r.alloc.fail_at = r.alloc.calls + n;
		err = ublkev_dev_start(rig_loop, &r.dev);
		r.alloc.fail_at = 0;
		if (!err)
			break;
		ck_assert_int_eq(err, -ENOMEM);
		ck_assert_uint_eq(disk.begun, n);
		rig_fini(&r);
		wake_up();
		pthread_join(disk.worker, NULL);
		ublkev_backend_closed(disk.backend);
	}
	ck_assert_uint_ge(n, 6);
	r.starts++;
	disk.way = NOW;
	rig_until(rig_is_live, &r);
	ublkev_dev_stop(rig_loop, &r.dev);
	rig_until(rig_is_over, &r);
	rig_fini(&r);
	ublkev_backend_free(disk.backend);
}
END_TEST

/* ---- a caller's bugs --------------------------------------------------------- */

static void fini_it(void *arg)
{
	(void)arg;
	ublkev_dev_fini(&r.dev);
}

static void free_it(void *arg)
{
	(void)arg;
	ublkev_backend_free(disk.backend);
}

static void *tell(void *arg)
{
	(void)arg;
	ublkev_backend_closed(disk.backend);
	return NULL;
}

static void tell_from_a_thread(void *arg)
{
	pthread_t t;

	(void)arg;
	pthread_create(&t, NULL, tell, NULL);
	pthread_join(t, NULL);
}

START_TEST(bugs)
{
	rig_up(&r, disk.backend);
	ublkev_dev_stop(rig_loop, &r.dev);
	rig_until(is_closing, NULL);
	ck_assert(test_aborts(fini_it, NULL, "a device to fini is not active"));
	ck_assert(test_aborts(free_it, NULL,
			      "a backend to free is not in use"));
	ck_assert(test_aborts(tell_from_a_thread, NULL,
			      "a backend is closed in the thread"));
	wake_up();
	rig_until(rig_is_over, &r);
	rig_check_stopped(&r, "LS");
	rig_fini(&r);
	ublkev_backend_free(disk.backend);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine_close");
	TCase *tc = tcase_create("close");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, later, 0, 4);
	tcase_add_loop_test(tc, never, 0, 4);
	tcase_add_test(tc, again);
	tcase_add_loop_test(tc, at_once, 0, 8);
	tcase_add_test(tc, too_early);
	tcase_add_test(tc, by_hand);
	tcase_add_test(tc, start_fails);
	tcase_add_test(tc, starved);
	tcase_add_test(tc, bugs);
	suite_add_tcase(s, tc);
	return test_main(s);
}
