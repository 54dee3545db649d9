/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * null.c - a disk that keeps nothing: it answers everything, reads are zeroes
 *
 * The driver copies a READ's data from the tag's buffer, into which it has
 * put the tag's earlier WRITEs, which are other clients' perhaps. So for each
 * tag it is known how much of its buffer, from the beginning, is zeroes. Where
 * only reads or only writes come, nothing is ever done about it but once.
 */
#include "backend/diskconf.h"
#include "backend/guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* no work in either: as large as one request may well be */
#define MAX_DISCARD_BYTES	(UINT32_C(1) << 30)
#define MAX_WRITE_ZEROES_BYTES	(UINT32_C(1) << 30)

#define MOST_THREADS	4096u	/* that a device has; or queues */
#define LEAST_TAGS	128u

struct null_buf {
	const void *buf;	/* NULL: never seen */
	uint64_t zero_bytes;	/* from its beginning */
};

/* touched by that thread of the device's only */
struct null_thread {
	struct null_buf *tags;
	uint32_t nr_tags;
};

struct null {
	struct ublkev_disk_conf conf;
	struct ublkev_backend *backend;
	struct null_thread *threads;	/* [MOST_THREADS] */
};

static int null_open(void *ctx, struct ublkev_limits *limits)
{
	const struct null *n = ctx;

	ublkev__disk_limits(&n->conf, limits, MAX_DISCARD_BYTES,
			    MAX_WRITE_ZEROES_BYTES);
	limits->flags |= UBLKEV_LIMIT_THREADS |
			 UBLKEV_LIMIT_THREADS_PER_QUEUE;
	if (n->conf.flags & UBLKEV_DISK_NO_DATA)
		limits->flags |= UBLKEV_LIMIT_NO_DATA;
	return 0;
}

__attribute__((cold, noinline))
static bool null_make_room(struct null_thread *q, unsigned int tag)
{
	struct null_buf *tags;
	uint32_t nr = LEAST_TAGS;

	while (nr <= tag)
		nr *= 2;
	tags = realloc(q->tags, nr * sizeof(*tags));
	if (!tags)
		return false;
	memset(tags + q->nr_tags, 0, (nr - q->nr_tags) * sizeof(*tags));
	q->tags = tags;
	q->nr_tags = nr;
	return true;
}

/* what is to be read is in the buffer already, as nearly always */
static inline bool null_has_zeroes(const struct null *n,
				   const struct ublkev_req *req)
{
	const struct null_thread *q = &n->threads[req->thread];

	/* what else a layer fills its buffer with is not known here */
	return !n->backend->above && req->tag < q->nr_tags && q->tags[req->tag].buf == req->buf &&
	       q->tags[req->tag].zero_bytes >= req->len_bytes;
}

/* NULL: there is no memory to know it */
static struct null_buf *null_buf_of(const struct null *n,
				    const struct ublkev_req *req)
{
	struct null_thread *q = &n->threads[req->thread];

	if (req->tag >= q->nr_tags && !null_make_room(q, req->tag))
		return NULL;
	return &q->tags[req->tag];
}

__attribute__((noinline))
static void null_read(const struct null *n, const struct ublkev_req *req)
{
	struct null_buf *b = null_buf_of(n, req);
	uint64_t zero_bytes = b && b->buf == req->buf ? b->zero_bytes : 0;

	memset((char *)req->buf + zero_bytes, 0, req->len_bytes - zero_bytes);
	if (!b)
		return;
	b->buf = req->buf;
	b->zero_bytes = req->len_bytes;
}

static void null_write(const struct null *n, const struct ublkev_req *req)
{
	struct null_thread *q = &n->threads[req->thread];

	/* a tag that there is no entry for has no zeroes known */
	if (req->tag < q->nr_tags)
		q->tags[req->tag].zero_bytes = 0;
}

static int null_submit(void *ctx, struct ublkev_req *req)
{
	/* without a buffer nothing is copied: UBLKEV_DISK_NO_DATA */
	if (req->op == UBLKEV_OP_READ) {
		if (req->buf && !null_has_zeroes(ctx, req))
			null_read(ctx, req);
	} else if (req->op == UBLKEV_OP_WRITE) {
		null_write(ctx, req);
	}
	return UBLKEV_DONE;
}

static const struct ublkev_backend_ops null_ops = {
	.size = sizeof(null_ops),
	.name = "null",
	.open = null_open,
	.submit = null_submit,
};

static void null_free(void *ctx)
{
	struct null *n = ctx;
	unsigned int i;

	for (i = 0; i < MOST_THREADS; i++)
		free(n->threads[i].tags);
	free(n->threads);
	free(n);
}

int ublkev_null_new(struct ublkev_backend **backendp,
		    const struct ublkev_disk_conf *conf)
{
	struct ublkev_disk_conf own;
	struct null *n;
	int err;

	err = ublkev__disk_take(&own, conf);
	if (!err && (own.zone_bytes || own.metadata_bytes))
		err = -EINVAL;	/* it keeps nothing */
	if (err)
		return err;
	n = malloc(sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->conf = own;
	n->threads = calloc(MOST_THREADS, sizeof(*n->threads));
	if (!n->threads) {
		free(n);
		return -ENOMEM;
	}
	err = ublkev__guard_new(&n->backend, &null_ops, n, null_free);
	if (err)
		null_free(n);
	else
		*backendp = n->backend;
	return err;
}
