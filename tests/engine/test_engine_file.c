/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A backend that places requests in files: a stripe over some, which are real.
 * Its kernel cuts short, fails, and takes its time, as it is told to.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine_client.h"
#include "engine_rig.h"

#define FILES		4u
#define CHUNK		4096u
#define DISK_BYTES	(1u << 20)
#define CLIENTS		16u
#define QUEUES		3u

struct stripe {
	struct ublkev_backend *backend;
	int fds[FILES];
	unsigned int places, placed, submits;	/* atomic */
	unsigned int submit_in_4;	/* so many of four are not placed */
	int last_err;			/* of placed() */
	int answer;			/* 0: placed() answers err */
	uint64_t cookie;		/* of the last that was placed */
	bool wrong;			/* place() answers nonsense */
	int refuse;			/* or this */
};

static struct stripe disk;
static struct rig_dev r;
static struct test_rng rng;
static struct client *clients;
static struct test_log said;
static struct ev_timer kernel;

/* ---- the disk ------------------------------------------------------------ */

static int stripe_open(void *ctx, struct ublkev_limits *limits)
{
	(void)ctx;
	limits->dev_bytes = DISK_BYTES;
	limits->max_discard_bytes = STRIPE_BYTES;
	limits->max_write_zeroes_bytes = STRIPE_BYTES;
	limits->flags = UBLKEV_LIMIT_VOLATILE_CACHE | UBLKEV_LIMIT_FUA |
			UBLKEV_LIMIT_THREADS;
	return 0;
}

static int split(const struct stripe *s, const struct ublkev_req *req,
		 struct ublkev_extent *x)
{
	uint64_t at = req->offset_bytes, end = at + req->len_bytes, chunk;
	int n = 0;

	for (; req->op == UBLKEV_OP_FLUSH && n < (int)FILES; n++)
		x[n] = (struct ublkev_extent){ .fd = s->fds[n] };
	for (; at < end; at += x[n++].len_bytes) {
		chunk = at / CHUNK;
		x[n].fd = s->fds[chunk % FILES];
		x[n].offset_bytes = chunk / FILES * CHUNK + at % CHUNK;
		x[n].len_bytes = CHUNK - at % CHUNK;
		if (x[n].len_bytes > end - at)
			x[n].len_bytes = end - at;
	}
	return n;
}

static int stripe_place(void *ctx, const struct ublkev_req *req,
			struct ublkev_extent *x)
{
	struct stripe *s = ctx;
	int n = split(s, req, x);

	if (s->refuse)
		return s->refuse;
	if (req->tag % 4 < s->submit_in_4 && req->op <= UBLKEV_OP_WRITE)
		return 0;
	__atomic_fetch_add(&s->places, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&s->cookie, req->cookie, __ATOMIC_RELAXED);
	x[0].len_bytes += s->wrong;
	return n;
}

static int stripe_placed(void *ctx, const struct ublkev_req *req, int err)
{
	struct stripe *s = ctx;

	ck_assert_uint_lt(req->op, UBLKEV_NR_OPS);
	__atomic_fetch_add(&s->placed, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&s->last_err, err, __ATOMIC_RELAXED);
	return s->answer ? s->answer : err;
}

/* the same, by hand */
static int stripe_submit(void *ctx, struct ublkev_req *req)
{
	struct ublkev_extent x[UBLKEV_MAX_EXTENTS];
	struct stripe *s = ctx;
	int i, n = split(s, req, x);
	char *at = req->buf;
	ssize_t did;

	__atomic_fetch_add(&s->submits, 1, __ATOMIC_RELAXED);
	for (i = 0; i < n; at += x[i++].len_bytes) {
		did = req->op == UBLKEV_OP_READ ?
			pread(x[i].fd, at, (size_t)x[i].len_bytes,
			      (off_t)x[i].offset_bytes) :
			pwrite(x[i].fd, at, (size_t)x[i].len_bytes,
			       (off_t)x[i].offset_bytes);
		ck_assert_int_eq(did, (int)x[i].len_bytes);
	}
	return UBLKEV_DONE;
}

static const struct ublkev_backend_ops stripe_ops = {
	.size = sizeof(stripe_ops),
	.name = "stripe",
	.open = stripe_open,
	.submit = stripe_submit,
	.place = stripe_place,
	.placed = stripe_placed,
};

static void make_disk(void)
{
	unsigned int i;

	memset(&disk, 0, sizeof(disk));
	for (i = 0; i < FILES; i++) {
		char path[] = "/tmp/test_engine_file.XXXXXX";

		disk.fds[i] = mkstemp(path);
		ck_assert_int_ge(disk.fds[i], 0);
		unlink(path);
		ck_assert_int_eq(ftruncate(disk.fds[i], DISK_BYTES / FILES),
				 0);
	}
	ck_assert_int_eq(ublkev_backend_new(&disk.backend, &stripe_ops, &disk),
			 0);
}

/* lines about files only: others follow them */
static void on_log(void *data, int priority, const char *line)
{
	if (strstr(line, "on files") || strstr(line, "place()"))
		test_log_fn(data, priority, line);
}

/* what the kernel holds it does by and by */
static void on_kernel(struct ev_loop *loop, struct ev_timer *w, int revents)
{
	FAKE_LOCKED;

	(void)loop;
	(void)w;
	(void)revents;
	fake_file_go(0, 1 + (unsigned int)test_rng_below(&rng, 8));
}

static void setup(void)
{
	rig_setup();
	rig_ticks();
	make_disk();
	memset(&said, 0, sizeof(said));
	test_rng_init(&rng, test_seed("file"));
	ev_timer_init(&kernel, on_kernel, 0.001, 0.001);
	clients = NULL;
	rig_conf(&r);
	r.conf.log = on_log;
	r.conf.log_data = &said;
}

static void teardown(void)
{
	unsigned int i;

	ck_assert(fake_clean());
	ublkev_backend_free(disk.backend);
	for (i = 0; i < FILES; i++)
		close(disk.fds[i]);
	free(clients);
	rig_teardown();
}

/* ---- data ---------------------------------------------------------------- */

static int any_way(const struct ublkev__fileop *op)
{
	switch (test_rng_below(&rng, 12)) {
	case 0:
		return -EAGAIN;
	case 1:
		return -EINTR;
	case 2:
	case 3:
		return FAKE_FILE_HOLD;
	case 4:
	case 5:
		if (op->kind > UBLKEV__FILEOP_WRITE_SYNC)
			return FAKE_FILE_DO;
		return FAKE_FILE_SHORT + 1 +
			(int)test_rng_below(&rng, op->len_bytes);
	default:
		return FAKE_FILE_DO;
	}
}

static bool all_done(void *arg)
{
	FAKE_LOCKED;

	(void)arg;
	return clients_done(clients, CLIENTS);
}

/* bit 0: queue threads; then the room for files; then the way of copying */
START_TEST(data_integrity)
{
	static const unsigned int rooms[] = { 1, 4, 64 };
	unsigned int i = (unsigned int)_i;

	if (i % 2)
		r.conf.flags |= UBLKEV_CONF_QUEUE_THREADS;
	fake.file_room = rooms[i / 2 % 3];
	fake.features |= FAKE_F_NEED_GET_DATA | FAKE_F_USER_COPY;
	rig_mode(&r, i / 6);
	fake.file = any_way;
	disk.submit_in_4 = i / 2 % 3;
	r.conf.queues = QUEUES;
	rig_up(&r, disk.backend);
	ev_timer_start(rig_loop, &kernel);
	{
		FAKE_LOCKED;

		clients = clients_new(CLIENTS, r.dev.id, &rng, 60);
		clients_go(clients, CLIENTS);
	}
	rig_until(all_done, NULL);
	ev_timer_stop(rig_loop, &kernel);
	ck_assert_uint_eq(clients_errors(clients, CLIENTS), 0);
	ck_assert_uint_eq(disk.places, disk.placed);
	ck_assert_uint_gt(disk.places, 0);
	ck_assert(!disk.submit_in_4 == !disk.submits);
	ck_assert_uint_eq(rig_stats(&r).stale_answers, 0);
	ck_assert_uint_eq(rig_stats(&r).inflight, 0);
	ck_assert_uint_eq(rig_stats(&r).rejected, 0);
	rig_down(&r);
	ck_assert_uint_eq(fake_counts.left_bufs, 0);
}
END_TEST

/* ---- one request --------------------------------------------------------- */

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
	FAKE_LOCKED;

	return ((struct one *)arg)->done;
}

static int io(uint32_t op, uint64_t offset, uint32_t len, void *data)
{
	struct one one = { 0, 0 };

	fake_submit(0, op, offset, len, data, on_one, &one);
	rig_until(one_done, &one);
	return one.res;
}

static int err_of_file;
static int spoilt_fd;

static int spoil_one(const struct ublkev__fileop *op)
{
	return op->fd == spoilt_fd ? err_of_file : FAKE_FILE_DO;
}

/* the first error is the request's, unless placed() knows better */
START_TEST(errors)
{
	static char data[4 * CHUNK];

	fake.file = spoil_one;
	spoilt_fd = disk.fds[2];
	rig_up(&r, disk.backend);
	err_of_file = -EDQUOT;
	ck_assert_int_eq(io(FAKE_WRITE, 0, 4 * CHUNK, data), -ENOSPC);
	ck_assert_int_eq(disk.last_err, -ENOSPC);
	ck_assert_int_eq(io(FAKE_WRITE, 0, 2 * CHUNK, data), 0);
	err_of_file = -EAGAIN;
	ck_assert_int_eq(io(FAKE_READ, 0, 4 * CHUNK, data), -EAGAIN);
	err_of_file = -EIO;
	ck_assert_int_eq(io(FAKE_FLUSH, 0, 0, NULL), -EIO);
	disk.answer = -ENODATA;
	ck_assert_int_eq(io(FAKE_FLUSH, 0, 0, NULL), -ENODATA);
	disk.answer = 0;
	/* the file was cut short */
	fake.file = NULL;
	ck_assert_int_eq(ftruncate(disk.fds[2], 100), 0);
	ck_assert_int_eq(io(FAKE_READ, 0, 2 * CHUNK, data), 0);
	ck_assert_int_eq(io(FAKE_READ, 0, 4 * CHUNK, data), -EIO);
	ck_assert_uint_eq(disk.places, disk.placed);
	rig_down(&r);
}
END_TEST

/* nonsense fails the request, not the device */
START_TEST(refused)
{
	static char data[CHUNK];

	rig_up(&r, disk.backend);
	disk.wrong = true;
	ck_assert_int_eq(io(FAKE_READ, 0, CHUNK, data), -EIO);
	ck_assert_ptr_nonnull(strstr(said.line, "stripe: place() answered"));
	disk.wrong = false;
	disk.refuse = -ENOMEM;
	ck_assert_int_eq(io(FAKE_READ, 0, CHUNK, data), -ENOMEM);
	disk.refuse = 0;
	ck_assert_int_eq(io(FAKE_READ, DISK_BYTES, CHUNK, data), -EINVAL);
	ck_assert_uint_eq(rig_stats(&r).rejected, 1);
	ck_assert_int_eq(io(FAKE_READ, 0, CHUNK, data), 0);
	ck_assert_uint_eq(disk.placed, 1);
	rig_down(&r);
}
END_TEST

/* ---- an end with operations under way ------------------------------------ */

static int hold_all(const struct ublkev__fileop *op)
{
	(void)op;
	return FAKE_FILE_HOLD;
}

static bool all_held(void *arg)
{
	return fake_file_held(0) == *(unsigned int *)arg;
}

static void begin(struct one *one, uint32_t op, bool threads, char *data)
{
	unsigned int held = 3;

	fake.file = hold_all;
	if (threads)
		r.conf.flags |= UBLKEV_CONF_QUEUE_THREADS;
	r.conf.grace_ms = 100;
	rig_up(&r, disk.backend);
	fake_submit(0, op, 0, 3 * CHUNK, data, on_one, one);
	rig_until(all_held, &held);
	ck_assert_uint_eq(ublkev_dev_inflight(&r.dev, NULL, 0), 1);
}

/* it is not the backend's to answer */
START_TEST(answered_by_another)
{
	static char data[3 * CHUNK];
	struct one one = { 0, 0 };

	begin(&one, FAKE_WRITE, _i, data);
	ublkev_req_done(disk.backend, disk.cookie, 0);
	ck_assert_uint_eq(rig_stats(&r).stale_answers, 1);
	ck_assert_uint_eq(one.done, 0);
	fake_file_go(0, 2);
	rig_run_ms(1);
	ck_assert_uint_eq(one.done, 0);
	fake_file_go(0, 1);
	rig_until(one_done, &one);
	ck_assert_int_eq(one.res, 0);
	ck_assert_uint_eq(disk.placed, 1);
	rig_down(&r);
}
END_TEST

/* a stop waits for them, as it does for all requests */
START_TEST(stopped)
{
	static char data[3 * CHUNK];
	struct one one = { 0, 0 };

	begin(&one, FAKE_READ, _i, data);
	ublkev_dev_stop(rig_loop, &r.dev);
	rig_run_ms(5);
	ck_assert_uint_eq(one.done, 0);
	fake_file_go(0, 3);
	rig_run();
	rig_check_stopped(&r, "LS");
	ck_assert_int_eq(r.dev.err, 0);
	ck_assert_int_eq(one.res, 0);
	ck_assert_uint_eq(disk.placed, 1);
	ck_assert_uint_eq(fake_counts.file_cancels, 0);
	rig_fini(&r);
}
END_TEST

/* an abort answers at once, cancels, and waits for what it has cancelled */
START_TEST(aborted)
{
	static char data[3 * CHUNK];
	struct one one = { 0, 0 };

	begin(&one, FAKE_READ, _i, data);
	fake.file_room = 1;
	ublkev_dev_abort(rig_loop, &r.dev);
	rig_run();
	rig_check_stopped(&r, "LS");
	ck_assert_int_eq(r.dev.err, 0);
	ck_assert_int_eq(one.res, -EIO);
	ck_assert_uint_eq(fake_counts.file_cancels, 3);
	ck_assert_uint_eq(disk.placed, 1);
	ck_assert_int_eq(disk.last_err, -ECANCELED);
	ck_assert_uint_eq(fake_counts.left_bufs, 0);
	rig_fini(&r);
}
END_TEST

/* what can't be cancelled is waited for; then it has come in time */
START_TEST(aborted_ends_late)
{
	static char data[3 * CHUNK];
	struct one one = { 0, 0 };

	begin(&one, FAKE_READ, _i, data);
	fake.file_stuck = true;
	ublkev_dev_abort(rig_loop, &r.dev);
	rig_until(one_done, &one);
	ck_assert_int_eq(one.res, -EIO);
	ck_assert(r.dev.active);
	ck_assert_uint_eq(disk.placed, 0);
	fake_file_go(0, 3);
	rig_run();
	rig_check_stopped(&r, "LS");
	ck_assert_uint_eq(disk.placed, 1);
	ck_assert_int_eq(disk.last_err, 0);
	ck_assert_uint_eq(fake_counts.left_bufs, 0);
	rig_fini(&r);
}
END_TEST

/* or its buffer is left to it */
START_TEST(aborted_never_ends)
{
	static char data[3 * CHUNK];
	struct one one = { 0, 0 };

	begin(&one, FAKE_READ, _i, data);
	fake.file_stuck = true;
	ublkev_dev_abort(rig_loop, &r.dev);
	rig_run();
	rig_check_stopped(&r, "LS");
	ck_assert_int_eq(one.res, -EIO);
	ck_assert_uint_eq(fake_counts.file_cancels, 3);
	ck_assert_uint_eq(fake_counts.left_bufs, 1);
	ck_assert_uint_eq(disk.placed, 0);
	ck_assert_ptr_nonnull(strstr(said.line,
				     "3 operations on files have not ended"));
	rig_fini(&r);
}
END_TEST

/* busy clients, each queue with much under way, at the time of an abort */
START_TEST(aborted_busy)
{
	fake.file = any_way;
	r.conf.queues = QUEUES;
	if (_i % 2)
		r.conf.flags |= UBLKEV_CONF_QUEUE_THREADS;
	rig_mode(&r, (unsigned int)_i / 2);
	fake.features |= FAKE_F_NEED_GET_DATA | FAKE_F_USER_COPY;
	rig_up(&r, disk.backend);
	ev_timer_start(rig_loop, &kernel);
	{
		FAKE_LOCKED;
		unsigned int i;

		clients = clients_new(CLIENTS, r.dev.id, &rng, 1000);
		for (i = 0; i < CLIENTS; i++)
			clients[i].errors_allowed = true;
		clients_go(clients, CLIENTS);
	}
	rig_run_ms((unsigned int)test_rng_below(&rng, 5));
	ublkev_dev_abort(rig_loop, &r.dev);
	ev_timer_stop(rig_loop, &kernel);
	rig_run();
	rig_check_stopped(&r, "LS");
	ck_assert_uint_eq(disk.places, disk.placed);
	ck_assert_uint_eq(fake_counts.left_bufs, 0);
	ck_assert_uint_eq(rig_stats(&r).inflight, 0);
	rig_fini(&r);
}
END_TEST

START_TEST(no_memory)
{
	enum ublkev_step step = UBLKEV_STEP_SETUP;
	unsigned int n;
	int err;

	rig_init(&r, disk.backend);
	for (n = 1;; n++) {
		r.alloc.calls = 0;
		r.alloc.fail_at = n;
		err = ublkev_dev_start(rig_loop, &r.dev);
		if (!err)
			break;
		ck_assert_int_eq(err, -ENOMEM);
		step = r.dev.step;
	}
	r.alloc.fail_at = 0;
	rig_until(rig_is_live, &r);
	r.starts = 1;
	/* queues, tags, what is placed */
	ck_assert_uint_gt(n, 3);
	ck_assert_int_ge(step, UBLKEV_STEP_SETUP);
	rig_down(&r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_file");
	TCase *tc = tcase_create("file");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, data_integrity, 0, 6 * RIG_MODES);
	tcase_add_test(tc, errors);
	tcase_add_test(tc, refused);
	tcase_add_loop_test(tc, answered_by_another, 0, 1);
	tcase_add_loop_test(tc, stopped, 0, 2);
	tcase_add_loop_test(tc, aborted, 0, 2);
	tcase_add_loop_test(tc, aborted_ends_late, 0, 2);
	tcase_add_loop_test(tc, aborted_never_ends, 0, 2);
	tcase_add_loop_test(tc, aborted_busy, 0, 2 * RIG_MODES);
	tcase_add_test(tc, no_memory);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
