/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations that a backend begins for its requests, on files and in threads:
 * their data, their errors, and when the request is answered.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "engine_ops.h"

/* ---- data --------------------------------------------------------------------- */

static void same_copies(void)
{
	static char a[STRIPE_DISK_BYTES], b[STRIPE_DISK_BYTES];

	ck_assert_int_eq(pread(stripe.fds[0], a, STRIPE_DISK_BYTES, 0), STRIPE_DISK_BYTES);
	ck_assert_int_eq(pread(stripe.fds[1], b, STRIPE_DISK_BYTES, 0), STRIPE_DISK_BYTES);
	ops_crypt(a, a, STRIPE_DISK_BYTES);
	ck_assert_mem_eq(a, b, STRIPE_DISK_BYTES);
}

/* bit 0: queue threads; then the room for files, and the ways of copying */
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
	ops.in_4 = i / 2 % 3;
	stripe.r.conf.queues = STRIPE_QUEUES;
	stripe_up();
	stripe_serve();
	ck_assert_uint_gt(ops.begun, 0);
	ck_assert_uint_eq(ops.begun, ops.ended);
	ck_assert(!ops.in_4 == !ops.works);
	ck_assert_uint_le(ops.most_inside, 4);
	ck_assert_uint_eq(rig_stats(&stripe.r).stale_answers, 0);
	ck_assert_uint_eq(rig_stats(&stripe.r).inflight, 0);
	rig_down(&stripe.r);
	same_copies();
	ck_assert_uint_eq(fake_counts.left_bufs, 0);
	ck_assert_uint_eq(ops.closes, 1);
}
END_TEST

/* ---- one request ----------------------------------------------------------------- */

static int held_fd;
static int held_res;

static int hold_one(const struct ublkev__fileop *op)
{
	return op->fd == held_fd ? held_res : FAKE_FILE_DO;
}

static char data[3 * STRIPE_CHUNK];

static int all_errors(struct ublkev_req *req)
{
	struct ublkev_backend *b = stripe.backend;
	struct ublkev_req other = *req;
	const uint64_t far = UINT64_C(1) << 63;
	int fd = stripe.fds[0], i;

	ck_assert_int_eq(ublkev_req_pread(b, req, -1, data, 1, 0, NULL), -EINVAL);
	ck_assert_int_eq(ublkev_req_pread(b, req, fd, data, 0, 0, NULL), -EINVAL);
	ck_assert_int_eq(ublkev_req_pread(b, req, fd, data,
					  (size_t)INT32_MAX + 1, 0, NULL),
			 -EINVAL);
	ck_assert_int_eq(ublkev_req_pwrite(b, req, fd, data, 1, far, NULL), -EINVAL);
	ck_assert_int_eq(ublkev_req_pwrite(b, req, fd, data, 1, far - 1, NULL),
			 -EINVAL);
	ck_assert_int_eq(ublkev_req_fallocate(b, req, fd, 0, 0, 0, NULL), -EINVAL);
	ck_assert_int_eq(ublkev_req_fallocate(b, req, fd, 0, 1, far, NULL), -EINVAL);
	ck_assert_int_eq(ublkev_req_fsync(b, req, -1, NULL), -EINVAL);
	/* no request of the driver's, or none that the backend has */
	ck_assert_int_eq(ublkev_req_fsync(b, &other, fd, NULL), -EINVAL);
	ck_assert_int_eq(ublkev_req_fsync(b, req + 1, fd, NULL), -EINVAL);
	other.queue = 7;
	ck_assert_int_eq(ublkev_req_fsync(b, &other, fd, NULL), -EINVAL);
	ck_assert_int_eq(ublkev_offload(b, &other, ops_work, NULL), -EINVAL);
	for (i = 0; i < UBLKEV_MAX_REQ_OPS; i++)
		ck_assert_int_eq(ublkev_req_fsync(b, req, fd, NULL), 0);
	ck_assert_int_eq(ublkev_req_fsync(b, req, fd, NULL), -EBUSY);
	ck_assert_int_eq(ublkev_offload(b, req, ops_work, ops_on_done), 0);
	ck_assert_int_eq(ublkev_offload(b, req, ops_work, ops_on_done), -EBUSY);
	/* as long as there are some it is LATER */
	return UBLKEV_AGAIN;
}

START_TEST(refused)
{
	ops_up(all_errors);
	ck_assert_int_eq(stripe_io(FAKE_WRITE, 0, STRIPE_CHUNK, data), 0);
	ck_assert_uint_eq(ops.works, 1);
	rig_down(&stripe.r);
}
END_TEST

static int none(struct ublkev_req *req)
{
	struct ublkev_backend *b = stripe.backend;

	ck_assert_int_eq(ublkev_req_pread(b, req, 0, data, 1, 0, NULL),
			 -EOPNOTSUPP);
	ck_assert_int_eq(ublkev_offload(b, req, ops_work, NULL), -EOPNOTSUPP);
	return -ENOSPC;
}

/* only whose limits say so has room for them; after the end there is none */
START_TEST(not_asked_for)
{
	struct ublkev_req *req;

	ops.no_flags = UBLKEV_LIMIT_REQ_OPS;
	ops_up(none);
	ck_assert_int_eq(stripe_io(FAKE_WRITE, 0, STRIPE_CHUNK, data), -ENOSPC);
	rig_down(&stripe.r);
	ops.no_flags = 0;
	ops_up(all_errors);
	ck_assert_int_eq(stripe_io(FAKE_WRITE, 0, STRIPE_CHUNK, data), 0);
	req = ops.req;
	ublkev_dev_stop(rig_loop, &stripe.r.dev);
	rig_run();
	ck_assert_int_eq(ublkev_req_fsync(stripe.backend, req, 0, NULL),
			 -ECANCELED);
	rig_fini(&stripe.r);
}
END_TEST

static int answer;

static int on_any(void *ctx, struct ublkev_req *req, int res)
{
	(void)ctx;
	(void)req;
	ops_note(res);
	return answer;
}

static ublkev_req_fn *read_done;

static int read_one(struct ublkev_req *req)
{
	int err = ublkev_req_pread(stripe.backend, req, stripe.fds[0],
				   req->buf, req->len_bytes, req->offset_bytes,
				   read_done);

	return err ? err : UBLKEV_LATER;
}

/* what the kernel says, and what the backend makes of it */
START_TEST(results)
{
	fake.file = hold_one;
	held_fd = stripe.fds[0];
	held_res = FAKE_FILE_DO;
	ops_up(read_one);
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, STRIPE_CHUNK, data), 0);
	/* the end of the file: `done` is told, and without one it is an error */
	ck_assert_int_eq(ftruncate(stripe.fds[0], 1000), 0);
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, STRIPE_CHUNK, data), -EIO);
	read_done = on_any;
	answer = 0;
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, STRIPE_CHUNK, data), 0);
	ck_assert_int_eq(ops.last_res, 1000);
	ck_assert_int_eq(stripe_io(FAKE_READ, STRIPE_CHUNK, STRIPE_CHUNK, data), 0);
	ck_assert_int_eq(ops.last_res, 0);
	/* errors */
	read_done = NULL;
	held_res = -EDQUOT;
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, STRIPE_CHUNK, data), -ENOSPC);
	held_res = -EAGAIN;
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, STRIPE_CHUNK, data), -EAGAIN);
	read_done = on_any;
	held_res = -EIO;
	answer = -ENODATA;
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, STRIPE_CHUNK, data), -ENODATA);
	ck_assert_int_eq(ops.last_res, -EIO);
	/* no answer at all */
	answer = 7;
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, STRIPE_CHUNK, data), -EIO);
	ck_assert_ptr_nonnull(strstr(stripe.said.line, "done() answered 7"));
	read_done = NULL;
	rig_down(&stripe.r);
}
END_TEST

static int work_res;

static int plain_work(void *ctx, struct ublkev_req *req)
{
	(void)ctx;
	(void)req;
	return work_res;
}

static int offload_one(struct ublkev_req *req)
{
	int err = ublkev_offload(stripe.backend, req, plain_work, read_done);

	return err ? err : UBLKEV_LATER;
}

START_TEST(results_of_work)
{
	ops_up(offload_one);
	/* no thread before there is ops_work, and none more for one after another */
	ck_assert_uint_eq(ops.thread_calls, 0);
	read_done = NULL;
	work_res = 0;
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, STRIPE_CHUNK, data), 0);
	work_res = -EDOM;
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, STRIPE_CHUNK, data), -EDOM);
	work_res = 7;
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, STRIPE_CHUNK, data), -EIO);
	ck_assert_ptr_nonnull(strstr(stripe.said.line, "work() answered 7"));
	read_done = on_any;
	answer = -EXDEV;
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, STRIPE_CHUNK, data), -EXDEV);
	ck_assert_int_eq(ops.last_res, 7);
	read_done = NULL;
	ck_assert_uint_eq(ops.thread_calls, 1);
	rig_down(&stripe.r);
}
END_TEST

/* none to be had: the first is refused; later those that there are will do */
START_TEST(no_threads)
{
	ops_up(offload_one);
	work_res = 0;
	ops.thread_fail = 1;
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, STRIPE_CHUNK, data), -EAGAIN);
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, STRIPE_CHUNK, data), 0);
	ops.thread_fail = 1000;
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, STRIPE_CHUNK, data), 0);
	rig_down(&stripe.r);
}
END_TEST

/* ---- an answer counts when all has ended ----------------------------------------- */

static int two_reads(struct ublkev_req *req)
{
	ck_assert_int_eq(ublkev_req_pread(stripe.backend, req, stripe.fds[0],
					  data, 512, 0, on_any), 0);
	ck_assert_int_eq(ublkev_req_pread(stripe.backend, req, stripe.fds[1],
					  data + 512, 512, 0, on_any), 0);
	return answer;
}

static bool one_held(void *arg)
{
	return fake_file_held(0) == *(unsigned int *)arg;
}

/* 0: by submit(); 1: an error there; 2: by ublkev_req_done(); 3: with an error */
START_TEST(answered_early)
{
	static const int res[] = { 0, -ENODATA, 0, -EILSEQ };
	struct stripe_one one = { 0, 0 };
	unsigned int n = 1;

	fake.file = hold_one;
	held_fd = stripe.fds[1];
	held_res = FAKE_FILE_HOLD;
	answer = _i < 2 ? res[_i] : UBLKEV_LATER;
	ops_up(two_reads);
	fake_submit(0, FAKE_READ, 0, STRIPE_CHUNK, data, stripe_on_one, &one);
	rig_until(one_held, &n);
	answer = UBLKEV_LATER;
	if (_i >= 2)
		ublkev_req_done(stripe.backend, ops.req->cookie, res[_i]);
	if (_i >= 2)
		ublkev_req_done(stripe.backend, ops.req->cookie, -EDOM * (_i - 2));
	rig_run_ms(3);
	ck_assert_uint_eq(one.done, 0);
	ck_assert_uint_eq(rig_stats(&stripe.r).stale_answers, 0);
	fake_file_go(0, 1);
	rig_until(stripe_one_done, &one);
	ck_assert_int_eq(one.res, res[_i]);
	ck_assert_uint_eq(ops.ended, 2);
	rig_down(&stripe.r);
}
END_TEST

START_TEST(no_memory)
{
	unsigned int n;

	rig_init(&stripe.r, stripe.backend);
	for (n = 1;; n++) {
		stripe.r.alloc.calls = 0;
		stripe.r.alloc.fail_at = n;
		if (!ublkev_dev_start(rig_loop, &stripe.r.dev))
			break;
		ck_assert_int_eq(stripe.r.dev.err, -ENOMEM);
	}
	stripe.r.alloc.fail_at = 0;
	rig_until(rig_is_live, &stripe.r);
	stripe.r.starts = 1;
	/* queues, tags, the pool, what is begun for tags */
	ck_assert_uint_gt(n, 4);
	rig_down(&stripe.r);
}
END_TEST

/* an answer to what the tag had before is none to what it has begun now */
static int answers_another(struct ublkev_req *req)
{
	ck_assert_int_eq(ublkev_req_fsync(stripe.backend, req, stripe.fds[0],
					  ops_on_done), 0);
	ublkev_req_done(stripe.backend, req->cookie - (UINT64_C(1) << 32), -EIO);
	return UBLKEV_LATER;
}

START_TEST(answered_another)
{
	ops_up(answers_another);
	ck_assert_int_eq(stripe_io(FAKE_WRITE, 0, STRIPE_CHUNK, data), 0);
	ck_assert_uint_eq(rig_stats(&stripe.r).stale_answers, 1);
	rig_down(&stripe.r);
}
END_TEST

static uint8_t kind_seen;

static int note_kind(const struct ublkev__fileop *op)
{
	kind_seen = op->kind;
	return FAKE_FILE_DO;
}

static int writes(struct ublkev_req *req)
{
	ck_assert_int_eq(ublkev_req_pwrite(stripe.backend, req, stripe.fds[0],
					   req->buf, req->len_bytes,
					   req->offset_bytes, ops_on_done), 0);
	return UBLKEV_LATER;
}

/* what the client wants to be durable is so when it is answered */
START_TEST(durable)
{
	fake.file = note_kind;
	ops_up(writes);
	ck_assert_int_eq(stripe_io(FAKE_WRITE, 0, STRIPE_CHUNK, data), 0);
	ck_assert_uint_eq(kind_seen, UBLKEV__FILEOP_WRITE);
	ck_assert_int_eq(stripe_io(FAKE_WRITE | FAKE_F_FUA, 0, STRIPE_CHUNK,
				   data), 0);
	ck_assert_uint_eq(kind_seen, UBLKEV__FILEOP_WRITE_SYNC);
	/* nor is anything begun for one that was answered */
	ck_assert_int_eq(ublkev_req_fsync(stripe.backend, ops.req,
					  stripe.fds[0], NULL), -EINVAL);
	rig_down(&stripe.r);
}
END_TEST

static int nothing_yet(struct ublkev_req *req)
{
	(void)req;
	return UBLKEV_LATER;
}

static bool has_one(void *unused)
{
	(void)unused;
	return ops.req;
}

/* from elsewhere in the loop, which would sleep on otherwise */
START_TEST(begun_later)
{
	struct stripe_one one = { 0, 0 };

	ops_up(nothing_yet);
	fake_submit(0, FAKE_WRITE, 0, STRIPE_CHUNK, data, stripe_on_one, &one);
	rig_until(has_one, NULL);
	rig_run_ms(3);
	ck_assert_int_eq(ublkev_req_fsync(stripe.backend, ops.req,
					  stripe.fds[0], ops_on_done), 0);
	rig_until(stripe_one_done, &one);
	ck_assert_int_eq(one.res, 0);
	rig_down(&stripe.r);
}
END_TEST

static int on_later(void *ctx, struct ublkev_req *req, int res)
{
	(void)ctx;
	(void)req;
	ops_note(res);
	return UBLKEV_LATER;
}

/* submit()'s own answer is one, when what it has begun is over */
static int answers_itself(struct ublkev_req *req)
{
	ck_assert_int_eq(ublkev_req_fsync(stripe.backend, req, stripe.fds[0],
					  on_later), 0);
	return -ENOSPC;
}

START_TEST(answered_itself)
{
	ops_up(answers_itself);
	ck_assert_int_eq(stripe_io(FAKE_WRITE, 0, STRIPE_CHUNK, data), -ENOSPC);
	ck_assert_uint_eq(ops.ended, 1);
	rig_down(&stripe.r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_reqop");
	TCase *tc = tcase_create("reqop");

	tcase_add_checked_fixture(tc, ops_setup, ops_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, data_integrity, 0, 6 * RIG_MODES);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, not_asked_for);
	tcase_add_test(tc, results);
	tcase_add_test(tc, results_of_work);
	tcase_add_test(tc, no_threads);
	tcase_add_loop_test(tc, answered_early, 0, 4);
	tcase_add_test(tc, answered_another);
	tcase_add_test(tc, answered_itself);
	tcase_add_test(tc, begun_later);
	tcase_add_test(tc, durable);
	tcase_add_test(tc, no_memory);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
