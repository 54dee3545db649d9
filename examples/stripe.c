/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stripe FILE...: one disk of up to eight files or block devices, 64 KiB of each
 * in turn. The backend does no I/O: it says where a request's data are, and the
 * library reads and writes there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ev.h>
#include <ublkev.h>

#define CHUNK		(UINT64_C(64) << 10)

struct stripe {
	unsigned int nr;
	int fds[UBLKEV_MAX_EXTENTS];
	uint64_t file_bytes;		/* of the shortest, whole chunks */
};

static int stripe_open(void *ctx, struct ublkev_limits *limits)
{
	/* begun in the midst of a chunk, a request touches one more */
	const uint64_t most = (UBLKEV_MAX_EXTENTS - 1) * CHUNK;
	struct stripe *s = ctx;

	limits->dev_bytes = s->nr * s->file_bytes;
	limits->max_io_bytes = (uint32_t)most;
	limits->io_min_bytes = (uint32_t)CHUNK;
	limits->max_discard_bytes = most;
	limits->discard_granularity_bytes = 4096;
	limits->max_write_zeroes_bytes = most;
	limits->flags = UBLKEV_LIMIT_VOLATILE_CACHE | UBLKEV_LIMIT_FUA |
			UBLKEV_LIMIT_THREADS;
	return 0;
}

static int stripe_place(void *ctx, const struct ublkev_req *req,
			struct ublkev_extent *x)
{
	uint64_t at = req->offset_bytes, end = at + req->len_bytes, chunk;
	const struct stripe *s = ctx;
	int n = 0;

	if (req->op == UBLKEV_OP_FLUSH) {
		for (; n < (int)s->nr; n++)
			x[n] = (struct ublkev_extent){ .fd = s->fds[n] };
		return n;
	}
	for (; at < end; at += x[n++].len_bytes) {
		chunk = at / CHUNK;
		x[n].fd = s->fds[chunk % s->nr];
		x[n].offset_bytes = chunk / s->nr * CHUNK + at % CHUNK;
		x[n].len_bytes = CHUNK - at % CHUNK;
		if (x[n].len_bytes > end - at)
			x[n].len_bytes = end - at;
	}
	return n;
}

static const struct ublkev_backend_ops stripe_ops = {
	.size = sizeof(stripe_ops),
	.name = "stripe",
	.open = stripe_open,
	.place = stripe_place,
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

static int open_file(struct stripe *s, const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	off_t bytes = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	if (bytes < 0)
		return -errno;
	if (!s->nr || (uint64_t)bytes / CHUNK * CHUNK < s->file_bytes)
		s->file_bytes = (uint64_t)bytes / CHUNK * CHUNK;
	s->fds[s->nr++] = fd;
	return s->file_bytes ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
	struct ublkev_backend *backend;
	struct stripe s = { 0 };
	int i, err = 0;

	if (argc < 2 || argc > UBLKEV_MAX_EXTENTS + 1) {
		fprintf(stderr, "usage: stripe FILE... (8 at most, of 64 KiB at least)\n");
		return 2;
	}
	for (i = 1; i < argc && !err; i++) {
		err = open_file(&s, argv[i]);
		if (err)
			fprintf(stderr, "stripe: %s: %s\n", argv[i],
				strerror(-err));
	}
	if (!err)
		err = ublkev_backend_new(&backend, &stripe_ops, &s);
	if (err)
		return 1;
	err = serve(backend);
	ublkev_backend_free(backend);
	return err ? 1 : 0;
}
