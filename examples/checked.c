/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checked FILE: a disk whose blocks of 4 KiB have a checksum each, so that what
 * the file's disk has spoilt is an error and not somebody's data. It is read
 * and written on the device's own ring: the blocks from the file's begin, the
 * sums behind them. A file that is new is made 64 MiB long.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ev.h>
#include <ublkev.h>

#define BLOCK		4096u
#define MAX_IO		(128u << 10)
#define NEW_BYTES	(UINT64_C(64) << 20)

struct checked {
	struct ublkev_backend *backend;
	int fd;
	uint64_t blocks;
	/* of each tag, for the sums of its request */
	uint32_t sums[128][MAX_IO / BLOCK];
};

/* FNV-1a; a block of zeroes has 0, as a file that is new */
static uint32_t sum_of(const unsigned char *block)
{
	uint32_t sum = 2166136261u, any = 0;
	unsigned int i;

	for (i = 0; i < BLOCK; i++) {
		any |= block[i];
		sum = (sum ^ block[i]) * 16777619u;
	}
	return any ? sum | 1 : 0;
}

static uint64_t sums_at(const struct checked *c, const struct ublkev_req *req)
{
	return c->blocks * BLOCK +
	       req->offset_bytes / BLOCK * sizeof(c->sums[0][0]);
}

static size_t sums_bytes(const struct checked *c, const struct ublkev_req *req)
{
	return req->len_bytes / BLOCK * sizeof(c->sums[0][0]);
}

static int checked_open(void *ctx, struct ublkev_limits *limits)
{
	const struct checked *c = ctx;

	limits->dev_bytes = c->blocks * BLOCK;
	limits->logical_block_bytes = BLOCK;
	limits->max_io_bytes = MAX_IO;
	limits->flags = UBLKEV_LIMIT_REQ_OPS | UBLKEV_LIMIT_VOLATILE_CACHE;
	return 0;
}

static int compare_sums(void *ctx, struct ublkev_req *req, int res)
{
	struct checked *c = ctx;
	const unsigned char *data = req->buf;
	unsigned int i;

	if (res < 0)
		return res;
	for (i = 0; i < req->len_bytes / BLOCK; i++)
		if (c->sums[req->tag][i] != sum_of(data + i * BLOCK))
			return -EILSEQ;
	return UBLKEV_DONE;
}

/* the data are here, whole; their sums are next */
static int read_sums(void *ctx, struct ublkev_req *req, int res)
{
	struct checked *c = ctx;
	int err;

	if (res != (int)req->len_bytes)
		return res < 0 ? res : -EIO;
	err = ublkev_req_pread(c->backend, req, c->fd, c->sums[req->tag],
			       sums_bytes(c, req), sums_at(c, req),
			       compare_sums);
	return err ? err : UBLKEV_LATER;
}

/* data and sums at the same time: the request is answered when both are done */
static int write_both(struct checked *c, struct ublkev_req *req)
{
	const unsigned char *data = req->buf;
	unsigned int i;
	int err;

	for (i = 0; i < req->len_bytes / BLOCK; i++)
		c->sums[req->tag][i] = sum_of(data + i * BLOCK);
	err = ublkev_req_pwrite(c->backend, req, c->fd, req->buf,
				req->len_bytes, req->offset_bytes, NULL);
	if (!err)
		err = ublkev_req_pwrite(c->backend, req, c->fd,
					c->sums[req->tag], sums_bytes(c, req),
					sums_at(c, req), NULL);
	return err ? err : UBLKEV_LATER;
}

static int checked_submit(void *ctx, struct ublkev_req *req)
{
	struct checked *c = ctx;
	int err;

	if (req->op == UBLKEV_OP_WRITE)
		return write_both(c, req);
	if (req->op == UBLKEV_OP_FLUSH)
		err = ublkev_req_fsync(c->backend, req, c->fd, NULL);
	else
		err = ublkev_req_pread(c->backend, req, c->fd, req->buf,
				       req->len_bytes, req->offset_bytes,
				       read_sums);
	return err ? err : UBLKEV_LATER;
}

static const struct ublkev_backend_ops checked_ops = {
	.size = sizeof(checked_ops),
	.name = "checked",
	.open = checked_open,
	.submit = checked_submit,
};

static void on_dev(struct ev_loop *loop, struct ublkev_dev *dev, int revents)
{
	const char *why = ublkev_explain(dev->step, dev->err);

	if (revents & UBLKEV_LIVE)
		printf("/dev/ublkb%d\n", dev->id);
	if (revents & UBLKEV_ERROR)
		fprintf(stderr, "%s: %s\n", ublkev_step_name(dev->step),
			why ? why : strerror(-dev->err));
	if (revents & UBLKEV_STOPPED)
		ev_break(loop, EVBREAK_ALL);
	fflush(stdout);
}

static void on_signal(struct ev_loop *loop, struct ev_signal *w, int revents)
{
	(void)revents;
	ublkev_dev_stop(loop, w->data);
}

static int serve(struct ublkev_backend *backend)
{
	struct ev_loop *loop = ev_default_loop(0);
	struct ev_signal sigint;
	struct ublkev_dev dev;
	int err;

	err = ublkev_dev_init(&dev, on_dev, NULL, backend);
	if (err)
		return err;
	err = ublkev_dev_start(loop, &dev);
	if (!err) {
		ev_signal_init(&sigint, on_signal, SIGINT);
		sigint.data = &dev;
		ev_signal_start(loop, &sigint);
		ev_run(loop, 0);
		err = dev.err;
	}
	ublkev_dev_fini(&dev);
	return err;
}

static int open_file(struct checked *c, const char *path)
{
	off_t bytes;

	c->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	bytes = c->fd < 0 ? -1 : lseek(c->fd, 0, SEEK_END);
	if (!bytes && !ftruncate(c->fd, (off_t)NEW_BYTES))
		bytes = (off_t)NEW_BYTES;
	if (bytes < 0)
		return -errno;
	c->blocks = (uint64_t)bytes / (BLOCK + sizeof(c->sums[0][0]));
	return c->blocks ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
	struct checked *c = calloc(1, sizeof(*c));
	int err;

	if (argc != 2 || !c) {
		fprintf(stderr, "usage: checked FILE\n");
		return 2;
	}
	err = open_file(c, argv[1]);
	if (!err)
		err = ublkev_backend_new(&c->backend, &checked_ops, c);
	if (!err)
		err = serve(c->backend);
	if (err)
		fprintf(stderr, "checked: %s: %s\n", argv[1], strerror(-err));
	ublkev_backend_free(c->backend);
	free(c);
	return err ? 1 : 0;
}
