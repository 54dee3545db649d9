/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * e2e_faulty FILE BYTES FAULT - a disk in FILE whose server has a fault that the
 *	oracle of the crash cases must find: "flush" syncs nothing, "misplace"
 *	writes one block of 64 where its neighbour belongs, "tear" leaves out one
 *	sector of a block of 64. Prints the device; on a real driver, until it
 *	is killed.
 *
 * Exit status 1, and a line on stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <ev.h>
#include <ublkev.h>

#define BLOCK		4096u
#define SECTOR		512u
#define ONE_OF		64u

static int file, nowhere;	/* nowhere: what goes there is lost */
static uint64_t dev_bytes;
static const char *fault;
static unsigned int writes;

static int faulty_open(void *ctx, struct ublkev_limits *limits)
{
	(void)ctx;
	limits->dev_bytes = dev_bytes;
	limits->physical_block_bytes = BLOCK;
	limits->flags = UBLKEV_LIMIT_VOLATILE_CACHE;
	return 0;
}

static int faulty_write(const struct ublkev_req *req, struct ublkev_extent *x)
{
	if (req->len_bytes != BLOCK || writes++ % ONE_OF)
		return 1;
	if (!strcmp(fault, "misplace"))
		x[0].offset_bytes ^= BLOCK;
	if (strcmp(fault, "tear"))
		return 1;
	x[0].len_bytes -= SECTOR;
	x[1] = (struct ublkev_extent){ nowhere, 0, SECTOR };
	return 2;
}

static int faulty_place(void *ctx, const struct ublkev_req *req,
			struct ublkev_extent *x)
{
	(void)ctx;
	x[0] = (struct ublkev_extent){ file, req->offset_bytes,
				       req->len_bytes };
	if (req->op == UBLKEV_OP_FLUSH && !strcmp(fault, "flush"))
		x[0].fd = nowhere;
	return req->op == UBLKEV_OP_WRITE ? faulty_write(req, x) : 1;
}

static const struct ublkev_backend_ops faulty_ops = {
	.size = sizeof(faulty_ops),
	.name = "faulty",
	.open = faulty_open,
	.place = faulty_place,
};

static void on_dev(struct ev_loop *loop, struct ublkev_dev *d, int revents)
{
	if (revents & UBLKEV_LIVE) {
		printf("/dev/ublkb%d\n", d->id);
		fflush(stdout);
	}
	if (revents & UBLKEV_STOPPED)
		ev_break(loop, EVBREAK_ALL);
}

static int open_files(const char *path)
{
	file = open(path, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
	/* allocated, as ublk-evdemo has it: unwritten space */
	if (file < 0)
		return -errno;
	if (lseek(file, 0, SEEK_END) == 0 &&
	    fallocate(file, 0, 0, (off_t)dev_bytes))
		return -errno;
	nowhere = memfd_create("nowhere", MFD_CLOEXEC);
	return nowhere < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
	struct ev_loop *loop = ev_default_loop(0);
	struct ublkev_backend *backend;
	struct ublkev_dev dev;
	int err = -EINVAL;

	if (argc == 4) {
		dev_bytes = strtoull(argv[2], NULL, 0);
		fault = argv[3];
		err = open_files(argv[1]);
	}
	if (!err)
		err = ublkev_backend_new(&backend, &faulty_ops, NULL);
	if (!err)
		err = ublkev_dev_init(&dev, on_dev, NULL, backend);
	if (!err)
		err = ublkev_dev_start(loop, &dev);
	if (!err) {
		ev_run(loop, 0);
		err = dev.err ? dev.err : -ECANCELED;
	}
	fprintf(stderr, "e2e_faulty: %s\n", strerror(-err));
	return 1;
}
