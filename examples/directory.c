/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * directory DIR: a disk of 1 GiB in a directory, a file for each MiB that was
 * ever written, as one would have it on a network's file system. To open and
 * make files waits for that, so threads of the library's do it; the loop goes
 * on meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ev.h>
#include <ublkev.h>

#define DISK_BYTES	(UINT64_C(1) << 30)
#define PART		(UINT64_C(1) << 20)

struct directory {
	struct ublkev_backend *backend;
	int fd;
};

static int directory_open(void *ctx, struct ublkev_limits *limits)
{
	(void)ctx;
	limits->dev_bytes = DISK_BYTES;
	limits->logical_block_bytes = 4096;
	/* so that each request is of one file */
	limits->chunk_bytes = PART;
	limits->max_io_bytes = (uint32_t)PART;
	limits->max_discard_bytes = PART;
	limits->discard_granularity_bytes = (uint32_t)PART;
	limits->flags = UBLKEV_LIMIT_REQ_OPS | UBLKEV_LIMIT_THREADS;
	return 0;
}

static int write_part(int fd, const struct ublkev_req *req, off_t at)
{
	ssize_t n = pwrite(fd, req->buf, req->len_bytes, at);

	if (n < 0)
		return -errno;
	return n == (ssize_t)req->len_bytes && !fdatasync(fd) ? 0 : -EIO;
}

/* what is behind the end of a file was never written */
static int read_part(int fd, const struct ublkev_req *req, off_t at)
{
	ssize_t n = pread(fd, req->buf, req->len_bytes, at);

	if (n < 0)
		return -errno;
	memset((char *)req->buf + n, 0, req->len_bytes - (size_t)n);
	return 0;
}

/* in a thread of the library's, which may wait */
static int directory_work(void *ctx, struct ublkev_req *req)
{
	const struct directory *d = ctx;
	int writes = req->op == UBLKEV_OP_WRITE;
	off_t at = (off_t)(req->offset_bytes % PART);
	char name[32];
	int fd, err;

	snprintf(name, sizeof(name), "%06llu",
		 (unsigned long long)(req->offset_bytes / PART));
	if (req->op == UBLKEV_OP_DISCARD) {
		/* a part of one stays as it is, which a discard allows */
		if (req->len_bytes == PART)
			(void)unlinkat(d->fd, name, 0);
		return 0;
	}
	fd = openat(d->fd, name, (writes ? O_RDWR | O_CREAT : O_RDONLY) |
		    O_CLOEXEC, 0600);
	if (fd < 0 && errno == ENOENT) {
		memset(req->buf, 0, req->len_bytes);
		return 0;
	}
	if (fd < 0)
		return -errno;
	err = writes ? write_part(fd, req, at) : read_part(fd, req, at);
	close(fd);
	return err;
}

static int directory_submit(void *ctx, struct ublkev_req *req)
{
	struct directory *d = ctx;
	int err = ublkev_offload(d->backend, req, directory_work, NULL);

	return err ? err : UBLKEV_LATER;
}

static const struct ublkev_backend_ops directory_ops = {
	.size = sizeof(directory_ops),
	.name = "directory",
	.open = directory_open,
	.submit = directory_submit,
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
	struct ublkev_conf conf;
	struct ev_signal sigint;
	struct ublkev_dev dev;
	int err;

	ublkev_conf_init(&conf, sizeof(conf));
	conf.offload_threads = 16;
	err = ublkev_dev_init(&dev, on_dev, &conf, backend);
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

int main(int argc, char **argv)
{
	struct directory d = { .fd = -1 };
	int err;

	if (argc != 2) {
		fprintf(stderr, "usage: directory DIR\n");
		return 2;
	}
	d.fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = d.fd < 0 ? -errno : ublkev_backend_new(&d.backend,
						      &directory_ops, &d);
	if (!err) {
		err = serve(d.backend);
		ublkev_backend_free(d.backend);
	}
	if (err)
		fprintf(stderr, "directory: %s: %s\n", argv[1],
			strerror(-err));
	return err ? 1 : 0;
}
