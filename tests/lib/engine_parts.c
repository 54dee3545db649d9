/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk of a part for each thread, whose calls check that they come in the
 * thread that has the request's tag.
 */
#include "engine_parts.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int parts_open(void *ctx, struct ublkev_limits *limits)
{
	struct parts *d = ctx;

	limits->dev_bytes = d->dev_bytes;
	limits->max_discard_bytes = LAZY_BYTES;
	limits->max_write_zeroes_bytes = LAZY_BYTES;
	limits->flags = (UBLKEV_LIMIT_VOLATILE_CACHE | UBLKEV_LIMIT_FUA |
			 UBLKEV_LIMIT_THREADS |
			 UBLKEV_LIMIT_THREADS_PER_QUEUE) & ~d->no_flags;
	return 0;
}

static void carry_out(struct parts *d, const struct ublkev_req *req)
{
	char *at = d->bytes + req->offset_bytes;

	if (req->op == UBLKEV_OP_READ)
		memcpy(req->buf, at, req->len_bytes);
	else if (req->op == UBLKEV_OP_WRITE)
		memcpy(at, req->buf, req->len_bytes);
	else
		memset(at, 0, req->len_bytes);
}

static struct part *own_part(struct parts *d, unsigned int thread)
{
	struct part *p = &d->parts[thread];

	TEST_HOLDS(pthread_equal(p->thread, pthread_self()));
	TEST_HOLDS(p->starts == p->stops + 1);
	return p;
}

/* whose thread it is, is told by its tag */
static struct part *part_of(struct parts *d, const struct ublkev_req *req)
{
	TEST_HOLDS(req->thread == req->queue * d->per_queue +
				  req->tag % d->per_queue);
	return own_part(d, req->thread);
}

static bool holds(const struct parts *d)
{
	return __atomic_load_n(&d->hold, __ATOMIC_RELAXED);
}

static int parts_submit(void *ctx, struct ublkev_req *req)
{
	struct parts *d = ctx;
	struct part *p = part_of(d, req);
	int res = UBLKEV_DONE;

	__atomic_add_fetch(&d->inside, 1, __ATOMIC_ACQ_REL);
	while (req->queue == PARTS - 1 &&
	       __atomic_load_n(&d->stick, __ATOMIC_RELAXED)) {
		__atomic_store_n(&d->stuck, true, __ATOMIC_RELAXED);
		usleep(100);
	}
	p->submits++;
	if (d->slow || holds(d) || p->submits % 3 == 0) {
		p->held[p->nr_held] = req;
		__atomic_add_fetch(&p->nr_held, 1, __ATOMIC_RELAXED);
		ev_async_send(p->loop, &p->async);
		res = UBLKEV_LATER;
	} else {
		carry_out(d, req);
	}
	__atomic_sub_fetch(&d->inside, 1, __ATOMIC_ACQ_REL);
	return res;
}

static void *parts_map(void *ctx, const struct ublkev_req *req)
{
	struct parts *d = ctx;

	part_of(d, req);
	return d->maps && req->tag % 2 ? d->bytes + req->offset_bytes : NULL;
}

static void on_async(struct ev_loop *loop, struct ev_async *w, int revents)
{
	struct part *p = w->data;
	struct ublkev_req *req;

	(void)loop;
	(void)revents;
	while (p->nr_held && !holds(p->disk)) {
		__atomic_sub_fetch(&p->nr_held, 1, __ATOMIC_RELAXED);
		req = p->held[p->nr_held];
		pthread_mutex_lock(&p->disk->moving);
		carry_out(p->disk, req);
		pthread_mutex_unlock(&p->disk->moving);
		ublkev_req_done(p->disk->backend, req->cookie, 0);
	}
}

/* its name tells the queue, and no signal but of its own faults is for it */
static void check_thread(unsigned int thread, unsigned int per_queue)
{
	char name[16], wanted[32];
	sigset_t set;

	pthread_getname_np(pthread_self(), name, sizeof(name));
	snprintf(wanted, sizeof(wanted), "ublkev-q%u", thread / per_queue);
	if (per_queue > 1)
		snprintf(wanted, sizeof(wanted), "ublkev-q%u.%u",
			 thread / per_queue, thread % per_queue);
	ck_assert_str_eq(name, wanted);
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	ck_assert(sigismember(&set, SIGTERM) && sigismember(&set, SIGUSR1) &&
		  sigismember(&set, SIGRTMAX));
	ck_assert(!sigismember(&set, SIGSEGV) && !sigismember(&set, SIGBUS));
}

static int parts_queue_start(void *ctx, unsigned int thread,
			     struct ev_loop *loop)
{
	struct parts *d = ctx;
	struct part *p = &d->parts[thread];

	ck_assert_uint_lt(thread, PARTS * d->per_queue);
	if (d->queue_start_err)
		return d->queue_start_err;
	p->disk = d;
	p->thread = pthread_self();
	p->loop = loop;
	p->starts++;
	__atomic_store_n(&p->nr_held, 0, __ATOMIC_RELAXED);
	ev_async_init(&p->async, on_async);
	p->async.data = p;
	ev_async_start(loop, &p->async);
	check_thread(thread, d->per_queue);
	return 0;
}

static void parts_queue_stop(void *ctx, unsigned int thread)
{
	struct part *p = own_part(ctx, thread);

	ev_async_stop(p->loop, &p->async);
	p->stops++;
}

static int parts_resize(void *ctx, uint64_t dev_bytes)
{
	struct parts *d = ctx;
	char *bytes;

	ck_assert_uint_eq(__atomic_load_n(&d->inside, __ATOMIC_ACQUIRE), 0);
	d->resizes++;
	if (dev_bytes < d->dev_bytes && d->piece < d->pieces) {
		d->piece++;
		return UBLKEV_AGAIN;
	}
	d->piece = 0;
	if (d->resize_err)
		return d->resize_err;
	/* somewhere else, and what was there is gone */
	pthread_mutex_lock(&d->moving);
	bytes = calloc(1, dev_bytes);
	memcpy(bytes, d->bytes, dev_bytes < d->dev_bytes ? dev_bytes
							 : d->dev_bytes);
	memset(d->bytes, 0xee, d->dev_bytes);
	free(d->bytes);
	d->bytes = bytes;
	d->dev_bytes = dev_bytes;
	pthread_mutex_unlock(&d->moving);
	return 0;
}

void parts_init(struct parts *d)
{
	static const struct ublkev_backend_ops ops = {
		.size = sizeof(ops),
		.name = "parts",
		.open = parts_open,
		.submit = parts_submit,
		.map = parts_map,
		.resize = parts_resize,
		.queue_start = parts_queue_start,
		.queue_stop = parts_queue_stop,
	};

	memset(d, 0, sizeof(*d));
	pthread_mutex_init(&d->moving, NULL);
	d->bytes = calloc(1, LAZY_BYTES);
	d->dev_bytes = LAZY_BYTES;
	d->per_queue = 1;
	ck_assert_int_eq(ublkev_backend_new(&d->backend, &ops, d), 0);
}

void parts_fini(struct parts *d)
{
	unsigned int i;

	for (i = 0; i < MOST_PARTS; i++)
		ck_assert_uint_eq(d->parts[i].starts, d->parts[i].stops);
	ublkev_backend_free(d->backend);
	free(d->bytes);
	pthread_mutex_destroy(&d->moving);
}

unsigned int parts_held(struct parts *d)
{
	unsigned int i, n = 0;

	for (i = 0; i < MOST_PARTS; i++)
		n += __atomic_load_n(&d->parts[i].nr_held, __ATOMIC_RELAXED);
	return n;
}

void parts_let_go(struct parts *d)
{
	struct part *p;

	__atomic_store_n(&d->hold, false, __ATOMIC_RELAXED);
	for (p = d->parts; p < d->parts + MOST_PARTS; p++)
		if (p->starts > p->stops)
			ev_async_send(p->loop, &p->async);
}

void parts_conf(struct rig_dev *r)
{
	rig_conf(r);
	r->conf.queues = PARTS;
	r->conf.flags = UBLKEV_CONF_QUEUE_THREADS;
}

void parts_share(struct parts *d, struct rig_dev *r, unsigned int per_queue)
{
	d->per_queue = per_queue;
	r->conf.threads_per_queue = per_queue;
	fake.features |= FAKE_F_PER_IO_DAEMON;
}
