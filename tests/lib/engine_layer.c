/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Splits requests at chunks, and counts what became of the parts.
 */
#include "engine_layer.h"

#include <errno.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct lazy layer_lazy[2];
unsigned int layer_nr_lazy;

#define COUNT(counter)	__atomic_fetch_add(&(counter), 1, __ATOMIC_RELAXED)

/* ---- the layer ------------------------------------------------------------ */

static void note(struct layer *l, const char *call)
{
	if (strlen(l->calls) + 2 < sizeof(l->calls))
		strcat(l->calls, call);
}

static int layer_open(void *ctx, struct ublkev_limits *limits)
{
	struct layer *l = ctx;
	unsigned int i;

	note(l, "o");
	for (i = 0; i < l->nr; i++)
		if (ublkev_limits_join(limits,
				       ublkev_lower_limits(l->lowers[i])))
			return -EOPNOTSUPP;
	limits->dev_bytes = STRIPE_DISK_BYTES;
	return 0;
}

static void layer_close(void *ctx)
{
	note(ctx, "c");
}

static int layer_start(void *ctx, struct ev_loop *loop)
{
	(void)loop;
	note(ctx, "s");
	return 0;
}

static void layer_stop(void *ctx)
{
	note(ctx, "p");
}

/* the part that begins at offset *at; false: there is none any more */
static bool next_part(const struct layer *l, const struct ublkev_req *req,
		      uint64_t *at, struct ublkev_req *sub, unsigned int *which)
{
	uint64_t end = req->offset_bytes + req->len_bytes;
	uint64_t done = *at - req->offset_bytes;

	if (*at >= end)
		return false;
	*sub = *req;
	*which = (unsigned int)(*at / LAYER_CHUNK % l->nr);
	sub->offset_bytes = *at;
	sub->len_bytes = LAYER_CHUNK - *at % LAYER_CHUNK;
	if (sub->len_bytes > end - *at)
		sub->len_bytes = end - *at;
	sub->buf = req->buf ? (char *)req->buf + done : NULL;
	*at += sub->len_bytes;
	return true;
}

static void *layer_map(void *ctx, const struct ublkev_req *req)
{
	struct layer *l = ctx;
	uint64_t at = req->offset_bytes;
	struct ublkev_req sub;
	unsigned int which;

	COUNT(l->maps);
	if (l->by_hand || !next_part(l, req, &at, &sub, &which) ||
	    sub.len_bytes < req->len_bytes)
		return NULL;
	return ublkev_lower_map(l->lowers[which], &sub);
}

/* what was found for the first n parts is not used */
static void unplace(const struct layer *l, const struct ublkev_req *req,
		    unsigned int n)
{
	uint64_t at = req->offset_bytes;
	struct ublkev_req sub;
	unsigned int which;

	while (n-- && next_part(l, req, &at, &sub, &which))
		(void)ublkev_lower_placed(l->lowers[which], &sub, -ECANCELED);
}

static int place_flush(const struct layer *l, const struct ublkev_req *req,
		       struct ublkev_extent *x)
{
	unsigned int i, j;
	int n = 0, got;

	for (i = 0; i < l->nr; i++) {
		got = ublkev_lower_place(l->lowers[i], req, x + n,
					 UBLKEV_MAX_EXTENTS - n);
		n += got;
		if (got > 0)
			continue;
		for (j = 0; j < i; j++)
			(void)ublkev_lower_placed(l->lowers[j], req,
						  -ECANCELED);
		return got;
	}
	return n;
}

static int layer_place(void *ctx, const struct ublkev_req *req,
		       struct ublkev_extent *x)
{
	struct layer *l = ctx;
	uint64_t at = req->offset_bytes;
	unsigned int which, parts = 0;
	struct ublkev_req sub;
	int n = 0, got;

	if (l->by_hand)
		return 0;
	if (req->op == UBLKEV_OP_FLUSH) {
		n = place_flush(l, req, x);
		if (n > 0)
			COUNT(l->places);
		return n;
	}
	while (next_part(l, req, &at, &sub, &which)) {
		got = ublkev_lower_place(l->lowers[which], &sub, x + n,
					 UBLKEV_MAX_EXTENTS - n);
		if (got <= 0) {
			unplace(l, req, parts);
			return got;
		}
		n += got;
		parts++;
	}
	COUNT(l->places);
	return n;
}

static int layer_placed(void *ctx, const struct ublkev_req *req, int err)
{
	struct layer *l = ctx;
	uint64_t at = req->offset_bytes;
	struct ublkev_req sub;
	unsigned int which;
	int answer;

	COUNT(l->placed);
	for (which = 0; req->op == UBLKEV_OP_FLUSH && which < l->nr; which++) {
		answer = ublkev_lower_placed(l->lowers[which], req, err);
		if (!err)
			err = answer;
	}
	while (next_part(l, req, &at, &sub, &which)) {
		answer = ublkev_lower_placed(l->lowers[which], &sub, err);
		if (!err)
			err = answer;
	}
	return err;
}

int layer_on_sub(void *ctx, struct ublkev_req *req, void *data, int err)
{
	struct layer *l = ctx;

	TEST_HOLDS(data == l->lowers);
	TEST_HOLDS(req->op < UBLKEV_NR_OPS);
	COUNT(l->ended);
	__atomic_store_n(&l->last_err, err, __ATOMIC_RELAXED);
	return l->later ? UBLKEV_LATER : err;
}

/* every other part has somebody who is told */
static int submit_part(struct layer *l, struct ublkev_req *req,
		       const struct ublkev_req *sub, unsigned int which)
{
	bool tells = sub->offset_bytes / LAYER_CHUNK % 2;
	int res = ublkev_lower_submit(l->lowers[which], req, sub,
				      tells ? layer_on_sub : NULL, l->lowers);

	if (tells && res == UBLKEV_LATER)
		COUNT(l->begun);
	return res;
}

static int layer_submit(void *ctx, struct ublkev_req *req)
{
	struct layer *l = ctx;
	uint64_t at = req->offset_bytes;
	int answer = UBLKEV_DONE, res;
	struct ublkev_req sub;
	unsigned int which;

	COUNT(l->submits);
	l->req = req;
	if (l->by_hand)
		return l->hook(l, req);
	for (which = 0; req->op == UBLKEV_OP_FLUSH && which < l->nr; which++) {
		res = submit_part(l, req, req, which);
		if (res < 0)
			return res;
		answer |= res;
	}
	while (next_part(l, req, &at, &sub, &which)) {
		res = submit_part(l, req, &sub, which);
		if (res < 0)
			return res;
		answer |= res;
	}
	return answer;
}

static const struct ublkev_backend_ops layer_ops = {
	.size = sizeof(layer_ops), .name = "layer", .open = layer_open,
	.close = layer_close, .start = layer_start, .stop = layer_stop,
	.submit = layer_submit, .map = layer_map, .place = layer_place,
	.placed = layer_placed,
};

/* ---- what is beneath --------------------------------------------------------- */

static int ops_open(void *ctx, struct ublkev_limits *limits)
{
	(void)ctx;
	limits->dev_bytes = STRIPE_DISK_BYTES;
	limits->max_discard_bytes = STRIPE_BYTES;
	limits->max_write_zeroes_bytes = STRIPE_BYTES;
	limits->flags = UBLKEV_LIMIT_VOLATILE_CACHE | UBLKEV_LIMIT_FUA |
			UBLKEV_LIMIT_THREADS |
			UBLKEV_LIMIT_THREADS_PER_QUEUE | UBLKEV_LIMIT_REQ_OPS;
	return 0;
}

static int ops_work(void *ctx, struct ublkev_req *req)
{
	int fd = *(int *)ctx;
	off_t at = (off_t)req->offset_bytes;
	ssize_t did = req->op == UBLKEV_OP_READ ?
		pread(fd, req->buf, req->len_bytes, at) :
		pwrite(fd, req->buf, req->len_bytes, at);

	return did == (ssize_t)req->len_bytes ? 0 : -EIO;
}

struct ops_below {
	int fd;			/* first: what ops_work() looks at */
	struct ublkev_backend *backend;
};

static int ops_on_half(void *ctx, struct ublkev_req *req, int res)
{
	(void)ctx;
	(void)req;
	return res < 0 ? res : UBLKEV_DONE;
}

/* in two operations, of which the first answers early */
static int ops_read(struct ops_below *o, struct ublkev_req *req)
{
	size_t half = (size_t)req->len_bytes / 2;

	if (ublkev_req_pread(o->backend, req, o->fd, req->buf, half,
			     req->offset_bytes, ops_on_half) ||
	    ublkev_req_pread(o->backend, req, o->fd, (char *)req->buf + half,
			     half, req->offset_bytes + half, NULL))
		return -EIO;
	return UBLKEV_LATER;
}

static int ops_submit(void *ctx, struct ublkev_req *req)
{
	struct ops_below *o = ctx;
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, err;

	if (req->op <= UBLKEV_OP_WRITE && req->offset_bytes / 512 % 3 == 0)
		err = ublkev_offload(o->backend, req, ops_work, NULL);
	else if (req->op == UBLKEV_OP_READ)
		return ops_read(o, req);
	else if (req->op == UBLKEV_OP_WRITE)
		err = ublkev_req_pwrite(o->backend, req, o->fd, req->buf,
					req->len_bytes, req->offset_bytes,
					NULL);
	else if (req->op == UBLKEV_OP_FLUSH)
		err = ublkev_req_fsync(o->backend, req, o->fd, ops_on_half);
	else
		err = ublkev_req_fallocate(o->backend, req, o->fd, mode,
					   req->offset_bytes, req->len_bytes,
					   NULL);
	/* AGAIN is LATER as long as something is out */
	return err ? err : UBLKEV_AGAIN;
}

static struct ublkev_backend *ops_below(void)
{
	static const struct ublkev_backend_ops calls = {
		.size = sizeof(calls), .name = "ops", .open = ops_open,
		.submit = ops_submit,
	};
	static struct ops_below o;

	o.fd = stripe.fds[0];
	ck_assert_int_eq(ftruncate(o.fd, STRIPE_DISK_BYTES), 0);
	ck_assert_int_eq(ublkev_backend_new(&o.backend, &calls, &o), 0);
	return o.backend;
}

static struct ublkev_backend *file_below(void)
{
	char path[] = "/tmp/engine_layer.XXXXXX";
	struct ublkev_file_conf conf;
	struct ublkev_backend *b;
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ublkev_file_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = STRIPE_DISK_BYTES;
	conf.logical_block_bytes = 512;
	conf.flags = UBLKEV_FILE_CREATE | UBLKEV_FILE_BUFFERED;
	ck_assert_int_eq(ublkev_file_new(&b, path, &conf), 0);
	close(fd);
	unlink(path);
	return b;
}

static struct ublkev_backend *mem_below(void)
{
	struct ublkev_disk_conf conf;
	struct ublkev_backend *b;

	ublkev_disk_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = STRIPE_DISK_BYTES;
	ck_assert_int_eq(ublkev_mem_new(&b, &conf), 0);
	return b;
}

static struct ublkev_backend *layer_beneath(enum layer_sort first,
					    enum layer_sort second)
{
	enum layer_sort sorts[LAYER_LOWERS] = { first, second };
	static struct layer more[2];
	static unsigned int nr;
	struct layer *l = &more[nr++ % 2];

	layer_make(l, sorts);
	return l->backend;
}

struct ublkev_backend *layer_below(enum layer_sort sort)
{
	struct ublkev_backend *b = stripe.backend;
	struct lazy *lazy;

	switch (sort) {
	case LAYER_MEM:
		return mem_below();
	case LAYER_FILE:
		return file_below();
	case LAYER_OPS:
		return ops_below();
	case LAYER_PASS:
		return layer_beneath(LAYER_MEM, LAYER_NONE);
	case LAYER_BOTH:
		return layer_beneath(LAYER_FILE, LAYER_LAZY);
	case LAYER_STRIPE:
		ck_assert_ptr_nonnull(b);
		stripe.backend = NULL;
		return b;
	default:
		lazy = &layer_lazy[layer_nr_lazy++];
		lazy_init(lazy, LAZY_MIX, test_rng_below(&stripe.rng, 1000));
		return lazy->backend;
	}
}

void layer_make_over(struct layer *l, struct ublkev_backend *beneath,
		     unsigned int flags)
{
	memset(l, 0, sizeof(*l));
	ck_assert_int_eq(ublkev_backend_new(&l->backend, &layer_ops, l), 0);
	l->nr = 1;
	ck_assert_int_eq(ublkev_lower_new(&l->lowers[0], l->backend, beneath,
					  flags), 0);
}

void layer_make(struct layer *l, const enum layer_sort *sorts)
{
	struct ublkev_backend_ops calls = layer_ops;
	struct ublkev_backend *below[LAYER_LOWERS];
	unsigned int i, ways = 0, nr = 0;

	memset(l, 0, sizeof(*l));
	for (i = 0; i < LAYER_LOWERS && sorts[i]; i++) {
		below[nr] = layer_below(sorts[i]);
		ways |= ublkev_backend_ways(below[nr++]);
	}
	if (!(ways & UBLKEV_WAY_MAP))
		calls.map = NULL;
	if (!(ways & UBLKEV_WAY_PLACE))
		calls.place = NULL;
	ck_assert_int_eq(ublkev_backend_new(&l->backend, &calls, l), 0);
	for (i = 0; i < nr; i++)
		ck_assert_int_eq(ublkev_lower_new(&l->lowers[l->nr++],
						  l->backend, below[i],
						  UBLKEV_LOWER_OWNED), 0);
}

void layer_setup(void)
{
	stripe_setup();
	layer_nr_lazy = 0;
}

void layer_teardown(void)
{
	unsigned int i;

	for (i = 0; i < layer_nr_lazy; i++)
		free(layer_lazy[i].bytes);
	stripe_teardown();
}
