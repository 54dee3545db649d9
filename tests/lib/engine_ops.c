/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two copies of a disk in two files, by operations that the backend begins, and
 * by work in threads.
 */
#include "engine_ops.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ops ops;

unsigned int ops_count(const unsigned int *counter)
{
	return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*fn)(void *), void *arg);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*fn)(void *), void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*fn)(void *), void *arg)
{
	__atomic_fetch_add(&ops.thread_calls, 1, __ATOMIC_RELAXED);
	if (ops.thread_fail) {
		ops.thread_fail--;
		return EAGAIN;
	}
	return __real_pthread_create(thread, attr, fn, arg);
}

/* ---- the backend ----------------------------------------------------------- */

void ops_crypt(char *to, const char *from, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		to[i] = from[i] ^ 0x5a;
}

int ops_note(int res)
{
	__atomic_fetch_add(&ops.ended, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&ops.last_res, res, __ATOMIC_RELAXED);
	return res;
}

static void began(int err)
{
	ck_assert_int_eq(err, 0);
	__atomic_fetch_add(&ops.begun, 1, __ATOMIC_RELAXED);
}

int ops_on_done(void *ctx, struct ublkev_req *req, int res)
{
	(void)ctx;
	(void)req;
	ops_note(res);
	return res < 0 ? res : UBLKEV_DONE;
}

static int on_read(void *ctx, struct ublkev_req *req, int res)
{
	(void)ctx;
	ops_note(res);
	if (res < 0)
		return res;
	ck_assert_int_eq(res, (int)req->len_bytes);
	ops_crypt(req->buf, req->buf, req->len_bytes);
	return UBLKEV_DONE;
}

static int on_bounced(void *ctx, struct ublkev_req *req, int res)
{
	(void)ctx;
	ops_note(res);
	free(ops.bounce[req->queue][req->tag]);
	ops.bounce[req->queue][req->tag] = NULL;
	return res < 0 ? res : UBLKEV_DONE;
}

static int do_write(struct ublkev_req *req)
{
	char *bounce = malloc(req->len_bytes);

	ops_crypt(bounce, req->buf, req->len_bytes);
	ops.bounce[req->queue][req->tag] = bounce;
	began(ublkev_req_pwrite(stripe.backend, req, stripe.fds[0], bounce,
				req->len_bytes, req->offset_bytes, on_bounced));
	/* the other copy, of which nobody wants to know but for errors */
	ck_assert_int_eq(ublkev_req_pwrite(stripe.backend, req, stripe.fds[1],
					   req->buf, req->len_bytes,
					   req->offset_bytes, NULL), 0);
	return UBLKEV_LATER;
}

int ops_work(void *ctx, struct ublkev_req *req)
{
	unsigned int n = __atomic_add_fetch(&ops.inside, 1, __ATOMIC_RELAXED);
	unsigned int most = __atomic_load_n(&ops.most_inside,
					    __ATOMIC_RELAXED);
	char *bounce = malloc(req->len_bytes);
	off_t at = (off_t)req->offset_bytes;
	ssize_t did = 0;

	(void)ctx;
	while (n > most && !__atomic_compare_exchange_n(&ops.most_inside,
							&most, n, false,
							__ATOMIC_RELAXED,
							__ATOMIC_RELAXED))
		;
	if (__atomic_load_n(&ops.gated, __ATOMIC_RELAXED))
		while (sem_wait(&ops.gate))
			;
	if (req->op == UBLKEV_OP_READ) {
		did = pread(stripe.fds[0], bounce, req->len_bytes, at);
		ops_crypt(req->buf, bounce, req->len_bytes);
	} else if (req->op == UBLKEV_OP_WRITE) {
		ops_crypt(bounce, req->buf, req->len_bytes);
		did = pwrite(stripe.fds[0], bounce, req->len_bytes, at);
	}
	free(bounce);
	__atomic_fetch_add(&ops.works, 1, __ATOMIC_RELAXED);
	__atomic_sub_fetch(&ops.inside, 1, __ATOMIC_RELEASE);
	return did < 0 ? -errno : 0;
}

/* what a thread has written the other copy gets by the ring */
static int on_worked(void *ctx, struct ublkev_req *req, int res)
{
	int err;

	(void)ctx;
	ops_note(res);
	if (res || req->op != UBLKEV_OP_WRITE)
		return res;
	err = ublkev_req_pwrite(stripe.backend, req, stripe.fds[1], req->buf,
				req->len_bytes, req->offset_bytes, ops_on_done);
	if (!err)
		__atomic_fetch_add(&ops.begun, 1, __ATOMIC_RELAXED);
	return err ? err : UBLKEV_LATER;
}

/* what was encrypted knows no holes */
static int do_zeroes(struct ublkev_req *req)
{
	char *bounce = calloc(1, req->len_bytes);

	ops_crypt(bounce, bounce, req->len_bytes);
	ops.bounce[req->queue][req->tag] = bounce;
	began(ublkev_req_pwrite(stripe.backend, req, stripe.fds[0], bounce,
				req->len_bytes, req->offset_bytes, on_bounced));
	began(ublkev_req_fallocate(stripe.backend, req, stripe.fds[1],
				   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   req->offset_bytes, req->len_bytes,
				   ops_on_done));
	return UBLKEV_LATER;
}

static int op_submit(void *ctx, struct ublkev_req *req)
{
	(void)ctx;
	__atomic_store_n(&ops.req, req, __ATOMIC_RELAXED);
	if (ops.by_hand)
		return ops.hook(req);
	if (req->op <= UBLKEV_OP_WRITE && req->tag % 4 < ops.in_4) {
		began(ublkev_offload(stripe.backend, req, ops_work, on_worked));
		return UBLKEV_LATER;
	}
	switch (req->op) {
	case UBLKEV_OP_READ:
		began(ublkev_req_pread(stripe.backend, req, stripe.fds[0],
				       req->buf, req->len_bytes,
				       req->offset_bytes, on_read));
		return UBLKEV_LATER;
	case UBLKEV_OP_WRITE:
		return do_write(req);
	case UBLKEV_OP_FLUSH:
		ck_assert_int_eq(ublkev_req_fsync(stripe.backend, req,
						  stripe.fds[0], NULL), 0);
		began(ublkev_req_fsync(stripe.backend, req, stripe.fds[1],
				       ops_on_done));
		/* an answer that is early counts when both have ended */
		return UBLKEV_DONE;
	default:
		return do_zeroes(req);
	}
}

static int op_open(void *ctx, struct ublkev_limits *limits)
{
	(void)ctx;
	limits->dev_bytes = STRIPE_DISK_BYTES;
	limits->max_discard_bytes = STRIPE_BYTES;
	limits->max_write_zeroes_bytes = STRIPE_BYTES;
	limits->flags = UBLKEV_LIMIT_VOLATILE_CACHE | UBLKEV_LIMIT_FUA |
			UBLKEV_LIMIT_THREADS | UBLKEV_LIMIT_THREADS_PER_QUEUE |
			UBLKEV_LIMIT_REQ_OPS;
	limits->flags &= ~ops.no_flags;
	return 0;
}

static void op_close(void *ctx)
{
	(void)ctx;
	ops.closes++;
}

void ops_setup(void)
{
	static const struct ublkev_backend_ops calls = {
		.size = sizeof(calls), .name = "ops", .open = op_open,
		.submit = op_submit, .close = op_close,
	};
	unsigned int i;

	stripe_setup();
	memset(&ops, 0, sizeof(ops));
	sem_init(&ops.gate, 0, 0);
	ublkev_backend_free(stripe.backend);
	ck_assert_int_eq(ublkev_backend_new(&stripe.backend, &calls, NULL), 0);
	for (i = 0; i < 2; i++)
		ck_assert_int_eq(ftruncate(stripe.fds[i], STRIPE_DISK_BYTES), 0);
	/* a disk of zeroes */
	{
		static char zeroes[STRIPE_DISK_BYTES], code[STRIPE_DISK_BYTES];

		ops_crypt(code, zeroes, STRIPE_DISK_BYTES);
		ck_assert_int_eq(pwrite(stripe.fds[0], code, STRIPE_DISK_BYTES, 0), STRIPE_DISK_BYTES);
	}
	stripe.r.conf.log = test_log_fn;
	stripe.r.conf.grace_ms = 2000;
}

void ops_teardown(void)
{
	stripe_teardown();
	sem_destroy(&ops.gate);
}

void ops_up(int (*hook)(struct ublkev_req *req))
{
	ops.by_hand = true;
	ops.hook = hook;
	rig_up(&stripe.r, stripe.backend);
}
