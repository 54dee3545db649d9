/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Places each chunk in the next of its files, and counts what it was asked and
 * told; makes requests of it and waits for their answers.
 */
#include "engine_stripe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct stripe stripe;

static int stripe_open(void *ctx, struct ublkev_limits *limits)
{
	(void)ctx;
	limits->dev_bytes = STRIPE_DISK_BYTES;
	limits->max_discard_bytes = STRIPE_BYTES;
	limits->max_write_zeroes_bytes = STRIPE_BYTES;
	limits->flags = UBLKEV_LIMIT_VOLATILE_CACHE | UBLKEV_LIMIT_FUA |
			UBLKEV_LIMIT_THREADS |
			UBLKEV_LIMIT_THREADS_PER_QUEUE;
	return 0;
}

static int split(const struct stripe *s, const struct ublkev_req *req,
		 struct ublkev_extent *x)
{
	uint64_t at = req->offset_bytes, end = at + req->len_bytes, chunk;
	int n = 0;

	for (; req->op == UBLKEV_OP_FLUSH && n < (int)STRIPE_FILES; n++)
		x[n] = (struct ublkev_extent){ .fd = s->fds[n] };
	for (; at < end; at += x[n++].len_bytes) {
		chunk = at / STRIPE_CHUNK;
		x[n].fd = s->fds[chunk % STRIPE_FILES];
		x[n].offset_bytes = chunk / STRIPE_FILES * STRIPE_CHUNK +
				    at % STRIPE_CHUNK;
		x[n].len_bytes = STRIPE_CHUNK - at % STRIPE_CHUNK;
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
	if (s->hole)
		x[s->hole].fd = -1;
	return n;
}

static int stripe_placed(void *ctx, const struct ublkev_req *req, int err)
{
	struct stripe *s = ctx;

	TEST_HOLDS(req->op < UBLKEV_NR_OPS);
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
		TEST_HOLDS(did == (ssize_t)x[i].len_bytes);
	}
	return UBLKEV_DONE;
}

const struct ublkev_backend_ops stripe_ops = {
	.size = sizeof(stripe_ops),
	.name = "stripe",
	.open = stripe_open,
	.submit = stripe_submit,
	.place = stripe_place,
	.placed = stripe_placed,
};

void stripe_make(void)
{
	unsigned int i;

	memset(&stripe, 0, sizeof(stripe));
	for (i = 0; i < STRIPE_FILES; i++) {
		char path[] = "/tmp/engine_stripe.XXXXXX";

		stripe.fds[i] = mkstemp(path);
		ck_assert_int_ge(stripe.fds[i], 0);
		unlink(path);
		ck_assert_int_eq(ftruncate(stripe.fds[i], STRIPE_DISK_BYTES /
							  STRIPE_FILES), 0);
	}
	ck_assert_int_eq(ublkev_backend_new(&stripe.backend, &stripe_ops,
					    &stripe), 0);
}

/* lines about files only: others follow them */
static void on_log(void *data, int priority, const char *line)
{
	if (strstr(line, "on files") || strstr(line, "place()") ||
	    strstr(line, "own pages"))
		test_log_fn(data, priority, line);
}

/* what the kernel holds it does by and by */
static void on_kernel(struct ev_loop *loop, struct ev_timer *w, int revents)
{
	FAKE_LOCKED;

	(void)loop;
	(void)w;
	(void)revents;
	fake_file_go(0, 1 + (unsigned int)test_rng_below(&stripe.rng, 8));
}

void stripe_setup(void)
{
	rig_setup();
	rig_ticks();
	stripe_make();
	memset(&stripe.said, 0, sizeof(stripe.said));
	test_rng_init(&stripe.rng, test_seed("file"));
	ev_timer_init(&stripe.kernel, on_kernel, 0.001, 0.001);
	stripe.clients = NULL;
	rig_conf(&stripe.r);
	stripe.r.conf.log = on_log;
	stripe.r.conf.log_data = &stripe.said;
}

void stripe_free(void)
{
	unsigned int i;

	ublkev_backend_free(stripe.backend);
	for (i = 0; i < STRIPE_FILES; i++)
		close(stripe.fds[i]);
}

void stripe_teardown(void)
{
	ck_assert(fake_clean());
	stripe_free();
	free(stripe.clients);
	rig_teardown();
}

int stripe_any_way(const struct ublkev__fileop *op)
{
	switch (test_rng_below(&stripe.rng, 12)) {
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
			(int)test_rng_below(&stripe.rng, op->len_bytes);
	default:
		return FAKE_FILE_DO;
	}
}

bool stripe_all_done(void *arg)
{
	FAKE_LOCKED;

	(void)arg;
	return clients_done(stripe.clients, STRIPE_CLIENTS);
}

static void stripe_start_clients(unsigned int reqs, bool errors_allowed)
{
	FAKE_LOCKED;
	unsigned int i;

	stripe.clients = clients_new(STRIPE_CLIENTS, stripe.r.dev.id,
				     &stripe.rng, reqs);
	for (i = 0; i < STRIPE_CLIENTS; i++)
		stripe.clients[i].errors_allowed = errors_allowed;
	clients_go(stripe.clients, STRIPE_CLIENTS);
}

void stripe_abort_busy(unsigned int ms)
{
	ev_timer_start(rig_loop, &stripe.kernel);
	stripe_start_clients(1000, true);
	rig_run_ms(ms);
	ublkev_dev_abort(rig_loop, &stripe.r.dev);
	ev_timer_stop(rig_loop, &stripe.kernel);
	rig_run();
	rig_check_stopped(&stripe.r, "LS");
}

void stripe_serve(void)
{
	ev_timer_start(rig_loop, &stripe.kernel);
	stripe_start_clients(60, false);
	rig_until(stripe_all_done, NULL);
	ev_timer_stop(rig_loop, &stripe.kernel);
	ck_assert_uint_eq(clients_errors(stripe.clients, STRIPE_CLIENTS), 0);
}

void stripe_on_one(void *arg, int res)
{
	struct stripe_one *one = arg;

	one->done++;
	one->res = res;
}

bool stripe_one_done(void *arg)
{
	FAKE_LOCKED;

	return ((struct stripe_one *)arg)->done;
}

int stripe_io(uint32_t op, uint64_t offset, uint32_t len, void *data)
{
	struct stripe_one one = { 0, 0 };

	fake_submit(0, op, offset, len, data, stripe_on_one, &one);
	rig_until(stripe_one_done, &one);
	return one.res;
}

static int hold_all(const struct ublkev__fileop *op)
{
	(void)op;
	return FAKE_FILE_HOLD;
}

static bool all_held(void *arg)
{
	return fake_file_held(0) == *(unsigned int *)arg;
}

void stripe_up(void)
{
	stripe_up_over(stripe.backend);
}

void stripe_up_over(struct ublkev_backend *backend)
{
	struct ublkev_conf *conf = &stripe.r.conf;

	if (conf->flags & UBLKEV_CONF_QUEUE_THREADS &&
	    !(conf->features & UBLKEV_F_BATCH_IO)) {
		conf->threads_per_queue =
			1 + (unsigned int)test_rng_below(&stripe.rng, 3);
		fake.features |= FAKE_F_PER_IO_DAEMON;
	}
	rig_up(&stripe.r, backend);
}

void stripe_begin(struct stripe_one *one, uint32_t op, bool threads,
		  char *data)
{
	unsigned int held = 3;

	fake.file = hold_all;
	if (threads)
		stripe.r.conf.flags |= UBLKEV_CONF_QUEUE_THREADS;
	rig_up(&stripe.r, stripe.backend);
	fake_submit(0, op, 0, 3 * STRIPE_CHUNK, data, stripe_on_one, one);
	rig_until(all_held, &held);
	ck_assert_uint_eq(ublkev_dev_inflight(&stripe.r.dev, NULL, 0), 1);
}
