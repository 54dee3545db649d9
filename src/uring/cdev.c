/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opens and maps ublkc for io.c, which gives its descriptor to the rings. Who
 * wrote a descriptor is the driver; here it is mapped for reading only.
 */
#include "uring/cdev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "uring/abi.h"

static size_t cdev_page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

void ublkev__cdev_init(struct ublkev__cdev *c,
		       const struct ublkev__desc **descs)
{
	c->fd = -1;
	c->queues = 0;
	c->depth = 0;
	c->desc_bytes = sizeof(struct abi_io_desc);
	c->descs = descs;
}

/*
 * The mapping is populated, so that no request waits for a page fault, and it
 * is not inherited by a forked child, whose copy would make DEL_DEV wait.
 */
static int cdev_map_queue(struct ublkev__cdev *c, unsigned int queue)
{
	size_t page = cdev_page_bytes();
	size_t bytes = ublkev__abi_desc_bytes(c->depth, c->desc_bytes, page);
	void *p = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_POPULATE,
		       c->fd, (off_t)ublkev__abi_desc_offset(queue,
							     c->desc_bytes,
							     page));

	if (p == MAP_FAILED)
		return -errno;
	c->descs[queue] = p;
	c->queues = queue + 1;
	return madvise(p, bytes, MADV_DONTFORK) ? -errno : 0;
}

/*
 * Without O_NONBLOCK io_uring hands the copies of USER_COPY to a thread
 * (io_file_supports_nowait()), and the commit overtakes them.
 */
static int cdev_open_path(int id)
{
	char path[sizeof(ABI_CHAR_PATH) + 16];
	int fd;

	snprintf(path, sizeof(path), ABI_CHAR_PATH, id);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

bool ublkev__cdev_held(int id)
{
	int fd = cdev_open_path(id);

	if (fd >= 0)
		close(fd);
	return fd == -EBUSY;
}

int ublkev__cdev_open(struct ublkev__cdev *c, int id, unsigned int queues,
		      unsigned int depth)
{
	int fd = cdev_open_path(id);
	unsigned int i;
	int err = 0;

	if (fd < 0)
		return fd;
	c->fd = fd;
	c->depth = depth;
	for (i = 0; i < queues && !err; i++)
		err = cdev_map_queue(c, i);
	if (err)
		ublkev__cdev_close(c);
	return err;
}

void ublkev__cdev_close(struct ublkev__cdev *c)
{
	size_t bytes = ublkev__abi_desc_bytes(c->depth, c->desc_bytes,
					      cdev_page_bytes());

	while (c->queues)
		munmap((void *)(uintptr_t)c->descs[--c->queues], bytes);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}
