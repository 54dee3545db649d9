/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A backend that places requests in files: a stripe over some, which are real.
 * Its kernel cuts short, fails, and takes its time, as it is told to.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine_stripe.h"

/* bit 0: queue threads; then the room for files; then the way of copying */
START_TEST(data_integrity)
{
	static const unsigned int rooms[] = { 1, 4, 64 };
	unsigned int i = (unsigned int)_i;

	if (i % 2)
		stripe.r.conf.flags |= UBLKEV_CONF_QUEUE_THREADS;
	fake.file_room = rooms[i / 2 % 3];
	fake.features |= FAKE_F_NEED_GET_DATA | FAKE_F_USER_COPY;
	rig_mode(&stripe.r, i / 6);
	fake.file = stripe_any_way;
	stripe.submit_in_4 = i / 2 % 3;
	stripe.r.conf.queues = STRIPE_QUEUES;
	stripe_up();
	stripe_serve();
	ck_assert_uint_eq(stripe.places, stripe.placed);
	ck_assert_uint_gt(stripe.places, 0);
	ck_assert(!stripe.submit_in_4 == !stripe.submits);
	ck_assert_uint_eq(rig_stats(&stripe.r).stale_answers, 0);
	ck_assert_uint_eq(rig_stats(&stripe.r).inflight, 0);
	ck_assert_uint_eq(rig_stats(&stripe.r).rejected, 0);
	rig_down(&stripe.r);
	ck_assert_uint_eq(fake_counts.left_bufs, 0);
}
END_TEST

/* ---- one request --------------------------------------------------------- */

static int err_of_file;
static int spoilt_fd;

static int spoil_one(const struct ublkev__fileop *op)
{
	return op->fd == spoilt_fd ? err_of_file : FAKE_FILE_DO;
}

/* the first error is the request's, unless placed() knows better */
START_TEST(errors)
{
	static char data[4 * STRIPE_CHUNK];

	fake.file = spoil_one;
	spoilt_fd = stripe.fds[2];
	rig_up(&stripe.r, stripe.backend);
	err_of_file = -EDQUOT;
	ck_assert_int_eq(stripe_io(FAKE_WRITE, 0, 4 * STRIPE_CHUNK, data), -ENOSPC);
	ck_assert_int_eq(stripe.last_err, -ENOSPC);
	ck_assert_int_eq(stripe_io(FAKE_WRITE, 0, 2 * STRIPE_CHUNK, data), 0);
	err_of_file = -EAGAIN;
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, 4 * STRIPE_CHUNK, data), -EAGAIN);
	err_of_file = -EIO;
	ck_assert_int_eq(stripe_io(FAKE_FLUSH, 0, 0, NULL), -EIO);
	stripe.answer = -ENODATA;
	ck_assert_int_eq(stripe_io(FAKE_FLUSH, 0, 0, NULL), -ENODATA);
	stripe.answer = 0;
	/* the file was cut short */
	fake.file = NULL;
	ck_assert_int_eq(ftruncate(stripe.fds[2], 100), 0);
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, 2 * STRIPE_CHUNK, data), 0);
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, 4 * STRIPE_CHUNK, data), -EIO);
	ck_assert_uint_eq(stripe.places, stripe.placed);
	rig_down(&stripe.r);
}
END_TEST

/* nonsense fails the request, not the device */
START_TEST(refused)
{
	static char data[STRIPE_CHUNK];

	rig_up(&stripe.r, stripe.backend);
	stripe.wrong = true;
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, STRIPE_CHUNK, data), -EIO);
	ck_assert_ptr_nonnull(strstr(stripe.said.line, "stripe: place() answered"));
	stripe.wrong = false;
	stripe.refuse = -ENOMEM;
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, STRIPE_CHUNK, data), -ENOMEM);
	stripe.refuse = 0;
	ck_assert_int_eq(stripe_io(FAKE_READ, STRIPE_DISK_BYTES, STRIPE_CHUNK, data), -EINVAL);
	ck_assert_uint_eq(rig_stats(&stripe.r).rejected, 1);
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, STRIPE_CHUNK, data), 0);
	ck_assert_uint_eq(stripe.placed, 1);
	rig_down(&stripe.r);
}
END_TEST

/* only block devices discard: asked once, a file has holes punched from then on */
START_TEST(discards)
{
	rig_up(&stripe.r, stripe.backend);
	ck_assert_int_eq(stripe_io(FAKE_DISCARD, 0, STRIPE_CHUNK, NULL), 0);
	ck_assert_uint_eq(fake_counts.discards, 1);
	ck_assert_int_eq(stripe_io(FAKE_DISCARD, 0, 4 * STRIPE_CHUNK, NULL), 0);
	ck_assert_uint_eq(fake_counts.discards, 1);
	ck_assert_uint_eq(stripe.placed, 2);
	rig_down(&stripe.r);
}
END_TEST

/* ---- an end with operations under way ------------------------------------ */

/* it is not the backend's to answer */
START_TEST(answered_by_another)
{
	static char data[3 * STRIPE_CHUNK];
	struct stripe_one one = { 0, 0 };

	stripe_begin(&one, FAKE_WRITE, _i, data);
	ublkev_req_done(stripe.backend, stripe.cookie, 0);
	ck_assert_uint_eq(rig_stats(&stripe.r).stale_answers, 1);
	ck_assert_uint_eq(one.done, 0);
	fake_file_go(0, 2);
	rig_run_ms(1);
	ck_assert_uint_eq(one.done, 0);
	fake_file_go(0, 1);
	rig_until(stripe_one_done, &one);
	ck_assert_int_eq(one.res, 0);
	ck_assert_uint_eq(stripe.placed, 1);
	rig_down(&stripe.r);
}
END_TEST

/* a stop waits for them, as it does for all requests */
START_TEST(stopped)
{
	static char data[3 * STRIPE_CHUNK];
	struct stripe_one one = { 0, 0 };

	stripe_begin(&one, FAKE_READ, _i, data);
	ublkev_dev_stop(rig_loop, &stripe.r.dev);
	rig_run_ms(5);
	ck_assert_uint_eq(one.done, 0);
	fake_file_go(0, 3);
	rig_run();
	rig_check_stopped(&stripe.r, "LS");
	ck_assert_int_eq(stripe.r.dev.err, 0);
	ck_assert_int_eq(one.res, 0);
	ck_assert_uint_eq(stripe.placed, 1);
	ck_assert_uint_eq(fake_counts.file_cancels, 0);
	rig_fini(&stripe.r);
}
END_TEST

/* an abort answers at once, cancels, and waits for what it has cancelled */
START_TEST(aborted)
{
	static char data[3 * STRIPE_CHUNK];
	struct stripe_one one = { 0, 0 };

	stripe_begin(&one, FAKE_READ, _i, data);
	fake.file_room = 1;
	ublkev_dev_abort(rig_loop, &stripe.r.dev);
	rig_run();
	rig_check_stopped(&stripe.r, "LS");
	ck_assert_int_eq(stripe.r.dev.err, 0);
	ck_assert_int_eq(one.res, -EIO);
	ck_assert_uint_eq(fake_counts.file_cancels, 3);
	ck_assert_uint_eq(stripe.placed, 1);
	ck_assert_int_eq(stripe.last_err, -ECANCELED);
	ck_assert_uint_eq(fake_counts.left_bufs, 0);
	rig_fini(&stripe.r);
}
END_TEST

/* what can't be cancelled is waited for; then it has come in time */
START_TEST(aborted_ends_late)
{
	static char data[3 * STRIPE_CHUNK];
	struct stripe_one one = { 0, 0 };

	stripe_begin(&one, FAKE_READ, _i, data);
	fake.file_stuck = true;
	ublkev_dev_abort(rig_loop, &stripe.r.dev);
	rig_until(stripe_one_done, &one);
	ck_assert_int_eq(one.res, -EIO);
	ck_assert(stripe.r.dev.active);
	ck_assert_uint_eq(stripe.placed, 0);
	fake_file_go(0, 3);
	rig_run();
	rig_check_stopped(&stripe.r, "LS");
	ck_assert_uint_eq(stripe.placed, 1);
	ck_assert_int_eq(stripe.last_err, 0);
	ck_assert_uint_eq(fake_counts.left_bufs, 0);
	rig_fini(&stripe.r);
}
END_TEST

/* or its buffer is left to it */
START_TEST(aborted_never_ends)
{
	static char data[3 * STRIPE_CHUNK];
	struct stripe_one one = { 0, 0 };

	stripe.r.conf.grace_ms = 100;
	stripe_begin(&one, FAKE_READ, _i, data);
	fake.file_stuck = true;
	ublkev_dev_abort(rig_loop, &stripe.r.dev);
	rig_run();
	rig_check_stopped(&stripe.r, "LS");
	ck_assert_int_eq(one.res, -EIO);
	ck_assert_uint_eq(fake_counts.file_cancels, 3);
	ck_assert_uint_eq(fake_counts.left_bufs, 1);
	ck_assert_uint_eq(stripe.placed, 0);
	ck_assert_ptr_nonnull(strstr(stripe.said.line,
				     "3 operations on files have not ended"));
	rig_fini(&stripe.r);
}
END_TEST

/* busy stripe.clients, each queue with much under way, at the time of an abort */
START_TEST(aborted_busy)
{
	fake.file = stripe_any_way;
	stripe.r.conf.queues = STRIPE_QUEUES;
	if (_i % 2)
		stripe.r.conf.flags |= UBLKEV_CONF_QUEUE_THREADS;
	rig_mode(&stripe.r, (unsigned int)_i / 2);
	fake.features |= FAKE_F_NEED_GET_DATA | FAKE_F_USER_COPY;
	stripe_up();
	stripe_abort_busy((unsigned int)test_rng_below(&stripe.rng, 5));
	ck_assert_uint_eq(stripe.places, stripe.placed);
	ck_assert_uint_eq(fake_counts.left_bufs, 0);
	ck_assert_uint_eq(rig_stats(&stripe.r).inflight, 0);
	rig_fini(&stripe.r);
}
END_TEST

/* ---- a disk in a file ---------------------------------------------------- */

static struct ublkev_backend *file_backend(const char *path, int fd)
{
	struct ublkev_backend *backend;
	struct ublkev_file_conf conf;

	ublkev_file_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = STRIPE_DISK_BYTES;
	conf.flags = UBLKEV_FILE_CREATE;
	conf.fd = fd;
	ck_assert_int_eq(ublkev_file_new(&backend, path, &conf), 0);
	return backend;
}

static int sync_err;

static int spoil_sync(const struct ublkev__fileop *op)
{
	return sync_err && op->kind == UBLKEV__FILEOP_SYNC ? sync_err
							    : FAKE_FILE_DO;
}

/* what a FLUSH is answered with by a device of its own */
static int flush_of(struct ublkev_backend *backend, int err)
{
	int res;

	sync_err = err;
	rig_up(&stripe.r, backend);
	res = stripe_io(FAKE_FLUSH, 0, 0, NULL);
	rig_down(&stripe.r);
	return res;
}

/*
 * The kernel tells of them once, of a descriptor that is handed on, too: so
 * whoever is handed it is told, and says so of every FLUSH.
 */
START_TEST(lost_writes)
{
	char path[] = "/tmp/test_engine_file.XXXXXX";
	struct ublkev_backend *first, *second;
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	close(fd);
	fake.file = spoil_sync;
	first = file_backend(path, -1);
	ck_assert_int_eq(flush_of(first, 0), 0);
	/* of a FLUSH that was given up the kernel has told nothing */
	ck_assert_int_eq(flush_of(first, -EINTR), -EINTR);
	ck_assert(!ublkev_file_lost_writes(first));
	ck_assert_int_eq(flush_of(first, -EIO), -EIO);
	ck_assert(ublkev_file_lost_writes(first));
	ck_assert_int_eq(flush_of(first, 0), -EIO);

	second = file_backend(NULL, ublkev_file_fd(first));
	ck_assert(!ublkev_file_lost_writes(second));
	if (ublkev_file_lost_writes(first))
		ublkev_file_set_lost_writes(second);
	ublkev_backend_free(first);
	ck_assert(ublkev_file_lost_writes(second));
	ck_assert_int_eq(flush_of(second, 0), -EIO);
	ublkev_backend_free(second);

	/* opened anew, it has not */
	first = file_backend(path, -1);
	ck_assert(!ublkev_file_lost_writes(first));
	ck_assert_int_eq(flush_of(first, 0), 0);
	ublkev_backend_free(first);
	unlink(path);

	/* nor has another backend, whoever says so */
	ublkev_file_set_lost_writes(stripe.backend);
	ck_assert(!ublkev_file_lost_writes(stripe.backend));
}
END_TEST

START_TEST(no_memory)
{
	enum ublkev_step step = UBLKEV_STEP_SETUP;
	unsigned int n;
	int err;

	rig_init(&stripe.r, stripe.backend);
	for (n = 1;; n++) {
		stripe.r.alloc.calls = 0;
		stripe.r.alloc.fail_at = n;
		err = ublkev_dev_start(rig_loop, &stripe.r.dev);
		if (!err)
			break;
		ck_assert_int_eq(err, -ENOMEM);
		step = stripe.r.dev.step;
	}
	stripe.r.alloc.fail_at = 0;
	rig_until(rig_is_live, &stripe.r);
	stripe.r.starts = 1;
	/* queues, tags, what is placed */
	ck_assert_uint_gt(n, 3);
	ck_assert_int_ge(step, UBLKEV_STEP_SETUP);
	rig_down(&stripe.r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_file");
	TCase *tc = tcase_create("file");

	tcase_add_checked_fixture(tc, stripe_setup, stripe_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, data_integrity, 0, 6 * RIG_MODES);
	tcase_add_test(tc, errors);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, discards);
	tcase_add_loop_test(tc, answered_by_another, 0, 1);
	tcase_add_loop_test(tc, stopped, 0, 2);
	tcase_add_loop_test(tc, aborted, 0, 2);
	tcase_add_loop_test(tc, aborted_ends_late, 0, 2);
	tcase_add_loop_test(tc, aborted_never_ends, 0, 2);
	tcase_add_loop_test(tc, aborted_busy, 0, 2 * RIG_MODES);
	tcase_add_test(tc, lost_writes);
	tcase_add_test(tc, no_memory);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
