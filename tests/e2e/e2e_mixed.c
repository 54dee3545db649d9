/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * e2e_mixed serve FILE BYTES [manual] - a disk in FILE, with zero copy, that
 *	mixes all ways: one of four blocks of 4 KiB is submit()'s, one of four is
 *	in no file until it is written, requests are cut at the blocks. Prints the
 *	device, and at SIGTERM how many requests nobody copied. manual: the
 *	library lends the pages, and not the kernel. On a real driver.
 * e2e_mixed unaligned DEV - reads and writes DEV with O_DIRECT from memory that
 *	begins 4 bytes behind a page, and compares: pages that a file with
 *	O_DIRECT on a disk of blocks of 512 does not take.
 *
 * Exit status 0; 1, and a line on stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ev.h>
#include <ublkev.h>

#define BLOCK	4096u
#define MOST_IO	(UBLKEV_MAX_EXTENTS * BLOCK)

static int file, direct;	/* the same one; direct: O_DIRECT */
static uint64_t dev_bytes;
static char *written;		/* [block]: it is in the file */
static int failed;

/* ---- the disk --------------------------------------------------------------- */

static int mixed_open(void *ctx, struct ublkev_limits *limits)
{
	(void)ctx;
	limits->dev_bytes = dev_bytes;
	limits->max_io_bytes = MOST_IO - BLOCK;
	return 0;
}

static int mixed_place(void *ctx, const struct ublkev_req *req,
		       struct ublkev_extent *x)
{
	uint64_t at = req->offset_bytes, end = at + req->len_bytes, block;
	int n = 0;

	(void)ctx;
	if (req->offset_bytes / BLOCK % 4 == 1)
		return 0;
	for (; at < end; at += x[n++].len_bytes) {
		block = at / BLOCK;
		x[n].len_bytes = (block + 1) * BLOCK - at;
		if (x[n].len_bytes > end - at)
			x[n].len_bytes = end - at;
		x[n].offset_bytes = at;
		if (req->op == UBLKEV_OP_WRITE)
			written[block] = 1;
		x[n].fd = written[block] || block % 4 != 2 ? direct : -1;
	}
	return n;
}

/* through the page cache, which O_DIRECT's writes and reads keep true */
static int mixed_submit(void *ctx, struct ublkev_req *req)
{
	uint64_t block = req->offset_bytes / BLOCK;
	ssize_t n;

	(void)ctx;
	if (req->op == UBLKEV_OP_WRITE)
		n = pwrite(file, req->buf, (size_t)req->len_bytes,
			   (off_t)req->offset_bytes);
	else
		n = pread(file, req->buf, (size_t)req->len_bytes,
			  (off_t)req->offset_bytes);
	for (; block * BLOCK < req->offset_bytes + req->len_bytes; block++)
		written[block] |= req->op == UBLKEV_OP_WRITE;
	return n == (ssize_t)req->len_bytes ? UBLKEV_DONE : -EIO;
}

static const struct ublkev_backend_ops mixed_ops = {
	.size = sizeof(mixed_ops),
	.name = "mixed",
	.open = mixed_open,
	.submit = mixed_submit,
	.place = mixed_place,
};

/* ---- its device -------------------------------------------------------------- */

static struct ublkev_dev dev;
static struct ev_signal sigterm;

static void say(void *data, int priority, const char *line)
{
	(void)data;
	if (priority < 7)
		fprintf(stderr, "%s\n", line);
}

static void on_dev(struct ev_loop *loop, struct ublkev_dev *d, int revents)
{
	if (revents & UBLKEV_LIVE) {
		printf("/dev/ublkb%d\n", d->id);
		fflush(stdout);
	}
	failed |= revents & UBLKEV_ERROR;
	if (revents & UBLKEV_STOPPED)
		ev_signal_stop(loop, &sigterm);
}

static void on_signal(struct ev_loop *loop, struct ev_signal *w, int revents)
{
	(void)w;
	(void)revents;
	ublkev_dev_stop(loop, &dev);
}

static int open_files(const char *path)
{
	file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (file < 0 || ftruncate(file, (off_t)dev_bytes))
		return -errno;
	direct = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	written = calloc(dev_bytes / BLOCK + 1, 1);
	return direct < 0 || !written ? -errno : 0;
}

static int serve(const char *path, enum ublkev_copy copy)
{
	struct ev_loop *loop = ev_default_loop(0);
	struct ublkev_backend *backend;
	struct ublkev_stats stats;
	struct ublkev_conf conf;
	int err = open_files(path);

	if (err)
		return err;
	ublkev_conf_init(&conf, sizeof(conf));
	conf.copy = copy;
	conf.log = say;
	ev_signal_init(&sigterm, on_signal, SIGTERM);
	ev_signal_start(loop, &sigterm);
	err = ublkev_backend_new(&backend, &mixed_ops, NULL);
	if (!err)
		err = ublkev_dev_init(&dev, on_dev, &conf, backend);
	if (!err)
		err = ublkev_dev_start(loop, &dev);
	if (err)
		return err;
	ev_run(loop, 0);
	ublkev_dev_stats(&dev, &stats, sizeof(stats));
	printf("lent %llu of %llu\n", (unsigned long long)stats.lent,
	       (unsigned long long)(stats.op[UBLKEV_OP_READ].reqs +
				    stats.op[UBLKEV_OP_WRITE].reqs));
	ublkev_dev_fini(&dev);
	ublkev_backend_free(backend);
	return failed ? -EIO : 0;
}

/* ---- its client --------------------------------------------------------------- */

static int unaligned(const char *path)
{
	const size_t len = 16 * BLOCK;
	char *page, *at;
	int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	size_t i;

	if (fd < 0 || posix_memalign((void **)&page, BLOCK, 2 * len + BLOCK))
		return -errno;
	at = page + 4;
	for (i = 0; i < len; i++)
		at[i] = (char)(i * 7 + i / 251);
	if (pwrite(fd, at, len, 3 * BLOCK) != (ssize_t)len)
		return -errno;
	if (pread(fd, at + len, len, 3 * BLOCK) != (ssize_t)len)
		return -errno;
	return memcmp(at, at + len, len) ? -EBADMSG : 0;
}

int main(int argc, char **argv)
{
	int err = -EINVAL;

	if ((argc == 4 || (argc == 5 && !strcmp(argv[4], "manual"))) &&
	    !strcmp(argv[1], "serve")) {
		dev_bytes = strtoull(argv[3], NULL, 0);
		err = serve(argv[2], argc == 5 ? UBLKEV_COPY_ZERO_MANUAL
					       : UBLKEV_COPY_ZERO);
	} else if (argc == 3 && !strcmp(argv[1], "unaligned")) {
		err = unaligned(argv[2]);
	}
	if (err)
		fprintf(stderr, "e2e_mixed: %s\n", strerror(-err));
	return !!err;
}
