/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An io of the fake driver from its making to its end, and what that end
 * does to the device.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake_io_priv.h"

static char *map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int ublkev__io_set_up(struct ublkev__io *io, unsigned int queues,
		      unsigned int depth, uint32_t max_io_bytes)
{
	FAKE_LOCKED;
	size_t n = (size_t)queues * depth;
	int err;

	if (io->sqes)
		fake__violates("set up twice");
	if (fake__rule(FAKE_IO_SET_UP, 0, &err))
		return err;
	io->queues = queues;
	io->depth = depth;
	io->max_io_bytes = max_io_bytes;
	io->size = (unsigned int)n * (4 + UBLKEV_MAX_EXTENTS) + 64;
	io->sqes = ublkev__alloc_zalloc(io->mem, io->size, sizeof(*io->sqes));
	io->work = ublkev__alloc_zalloc(io->mem, io->size, sizeof(*io->work));
	io->cqes = ublkev__alloc_zalloc(io->mem, io->size, sizeof(*io->cqes));
	if (!io->sqes || !io->work || !io->cqes)
		return -ENOMEM;
	io->spare = map(max_io_bytes);
	if (!io->spare)
		return -ENOMEM;
	if (io->by_ring)
		io->ring_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (io->by_ring && io->ring_fd < 0)
		return -errno;
	io->open = true;
	return 0;
}

int ublkev__io_set_up_common(struct ublkev__io *io, unsigned int queues)
{
	FAKE_LOCKED;
	int err;

	if (fake__rule(FAKE_IO_SET_UP, 0, &err))
		return err;
	io->queues = queues;
	/* as the descriptors' places */
	io->sqes = ublkev__alloc_zalloc(io->mem, queues, sizeof(*io->sqes));
	return io->sqes ? 0 : -ENOMEM;
}

int ublkev__io_set_up_apart(struct ublkev__io *io, unsigned int queue,
			    unsigned int depth, uint32_t max_io_bytes)
{
	int err = ublkev__io_set_up(io, 1, depth, max_io_bytes);

	io->first = queue;
	io->apart = true;
	io->dormant = true;
	return err;
}

int ublkev__io_join(struct ublkev__io *io, const struct ublkev__io *common,
		    uint64_t features)
{
	FAKE_LOCKED;
	int err;

	if (fake__rule(FAKE_JOIN, 0, &err))
		return err;
	if (!io->dormant || !common->dev ||
	    features != common->dev->info.features)
		fake__violates("joined when or what it may not");
	io->desc_bytes = common->desc_bytes;
	io->dev = common->dev;
	io->dev->joined++;
	return 0;
}

int ublkev__io_move_here(struct ublkev__io *io, const struct ublkev__io *common)
{
	FAKE_LOCKED;
	int err;

	if (!io->dormant || io->dev != common->dev)
		fake__violates("moved when it may not");
	return fake__rule(FAKE_MOVE, 0, &err) ? err : 0;
}

int ublkev__io_enable(struct ublkev__io *io)
{
	FAKE_LOCKED;
	int err;

	if (fake__rule(FAKE_ENABLE, 0, &err))
		return err;
	io->dormant = false;
	io->thread = pthread_self();
	return 0;
}

int ublkev__io_new(struct ublkev__io **iop, const struct ublkev__alloc *mem)
{
	FAKE_LOCKED;
	struct ublkev__io *io;
	int err;

	if (fake__rule(FAKE_IO_NEW, 0, &err))
		return err;
	io = ublkev__alloc_zalloc(mem, 1, sizeof(*io));
	if (!io)
		return -ENOMEM;
	fake_counts.ios++;
	io->mem = mem;
	io->ring_fd = -1;
	io->watch_fd = -1;
	io->alarm_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	io->evfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (io->evfd < 0 || io->alarm_fd < 0) {
		err = -errno;
		ublkev__io_free(io);
		return err;
	}
	*iop = io;
	return 0;
}

void ublkev__io_for_files(struct ublkev__io *io)
{
	io->for_files = true;
}

void ublkev__io_use_huge_pages(struct ublkev__io *io)
{
	io->huge_bufs = true;
}

void ublkev__io_for_pages(struct ublkev__io *io)
{
	io->for_pages = true;
}

void ublkev__io_for_metadata(struct ublkev__io *io, uint32_t interval_bytes,
			     uint32_t bytes)
{
	io->metadata_interval_bytes = interval_bytes;
	io->metadata_bytes = bytes;
}

void ublkev__io_pad_descs(struct ublkev__io *io, unsigned int bytes)
{
	io->desc_bytes = bytes;
}

size_t ublkev__io_leave_bufs(struct ublkev__io *io)
{
	FAKE_LOCKED;
	size_t bytes = io->bufs ? io->buf_bytes : 0;

	io->left_bufs = true;
	fake_counts.left_bufs += !!io->bufs;
	return bytes;
}

void ublkev__io_free(struct ublkev__io *io)
{
	FAKE_LOCKED;
	if (!io)
		return;
	ublkev__io_close(io, false);
	if (io->ops && !io->left_bufs)
		fake__violates("buffers freed which the kernel may write to");
	fake__forget_files(io);
	if (io->bufs && !io->left_bufs)
		munmap(io->bufs, io->buf_bytes);
	if (io->spare)
		munmap(io->spare, io->max_io_bytes);
	if (io->evfd >= 0)
		close(io->evfd);
	if (io->ring_fd >= 0)
		close(io->ring_fd);
	if (io->alarm_fd >= 0)
		close(io->alarm_fd);
	ublkev__alloc_free(io->mem, io->sqes);
	ublkev__alloc_free(io->mem, io->work);
	ublkev__alloc_free(io->mem, io->cqes);
	ublkev__alloc_free(io->mem, io);
	fake_counts.ios--;
}

int ublkev__io_fd(const struct ublkev__io *io)
{
	return io->evfd;
}

int ublkev__io_take_fd(struct ublkev__io *io)
{
	int fd = io->evfd;

	io->evfd = -1;
	return fd;
}

void ublkev__io_by_ring(struct ublkev__io *io)
{
	io->by_ring = true;
}

int ublkev__io_ring_fd(const struct ublkev__io *io)
{
	return io->open && !io->dormant ? io->ring_fd : -1;
}

int ublkev__io_need_bufs(struct ublkev__io *io)
{
	FAKE_LOCKED;
	size_t n = (size_t)io->queues * io->depth;
	int err;

	if (io->bufs)
		return 0;
	if (fake__rule(FAKE_NEED_BUFS, 0, &err))
		return err;
	io->buf_bytes = n * io->max_io_bytes;
	io->bufs = map(io->buf_bytes);
	return io->bufs ? 0 : -ENOMEM;
}

void *ublkev__io_bufs(const struct ublkev__io *io, unsigned int queue)
{
	if (!io->bufs)
		return NULL;
	return io->bufs + (size_t)queue * io->depth * io->max_io_bytes;
}

void *ublkev__io_spare_buf(const struct ublkev__io *io)
{
	return io->spare;
}

int ublkev__io_open(struct ublkev__io *io, int id, unsigned int queues,
		    unsigned int depth, uint64_t features)
{
	FAKE_LOCKED;
	struct fake_dev *d = fake__dev(id);
	int err;

	if (fake__rule(FAKE_OPEN, 0, &err))
		return err;
	if (!d || d->deleted)
		return -ENOENT;
	if (d->io)
		return -EBUSY;
	if (queues != d->info.queues || depth != d->info.depth)
		fake__violates("mapped with the wrong queues or depth");
	if (features != d->info.features)
		fake__violates("opened with features that it has not");
	if (io->desc_bytes != d->info.desc_bytes)
		fake__violates("descriptors of another size");
	d->io = io;
	io->dev = d;
	return 0;
}

/* the driver's tags forget the ring: what they had is failed */
static void release(struct fake_dev *d)
{
	unsigned int q, i;
	struct fake_tag *t;

	for (q = 0; q < d->info.queues; q++)
		for (i = 0; i < d->info.depth; i++) {
			t = &d->queues[q].tags[i];
			t->state = TAG_ABORTED;
			fake__end_late(d, q, i);
			if (!t->req)
				continue;
			fake_counts.aborted_reqs++;
			fake__answer(d, t->req, -EIO);
			t->req = NULL;
		}
}

/* what comes to its queues waits for who fetches next, or ublkc's release */
static void forget(struct fake_dev *d, const struct ublkev__io *io)
{
	unsigned int q, i;

	for (q = 0; q < d->info.queues; q++) {
		if (d->queues[q].io == io)
			d->queues[q].io = NULL;
		for (i = 0; i < d->info.depth; i++)
			if (d->queues[q].tags[i].io == io)
				d->queues[q].tags[i].io = NULL;
	}
}

static bool any_with_driver(const struct fake_dev *d,
			    const struct ublkev__io *io)
{
	unsigned int q, i;

	for (q = 0; q < d->info.queues; q++)
		for (i = 0; i < d->info.depth; i++)
			if (d->queues[q].tags[i].io == io &&
			    d->queues[q].tags[i].state == TAG_ARMED)
				return true;
	return false;
}

static void server_gone(struct fake_dev *d)
{
	d->io = NULL;
	if (fake__stays(d)) {
		fake__leave(d);
	} else {
		if (d->disk == DISK_LIVE)
			d->disk = DISK_DEAD;
		release(d);
		fake__fail_waiting(d);
	}
	fake__maybe_free(d);
	fake__progress();
}

static void shut(struct ublkev__io *io)
{
	io->open = false;
	io->dev = NULL;
	io->nr_sqes = io->nr_work = io->nr_cqes = 0;
	io->taskrun = false;
	io->watching = io->alarmed = io->unwatching = false;
	io->watch_fd = -1;
}

void ublkev__io_close(struct ublkev__io *io, bool drained)
{
	FAKE_LOCKED;
	struct fake_dev *d = io->dev;
	const struct fake_fileop *f;

	for (f = io->open ? io->ops : NULL; f; f = f->next)
		fake_counts.file_left++;
	shut(io);
	if (!d)
		return;
	if (drained && any_with_driver(d, io))
		fake__violates("closed as drained with tags armed");
	forget(d, io);
	if (io->apart) {
		if (!io->dormant && io->thread != pthread_self())
			fake__violates("a ring closed by another thread");
		d->joined--;
		return;
	}
	if (d->joined)
		fake__violates("ublkc closed before a ring that has it");
	server_gone(d);
}

static void cut(struct ublkev__io *io)
{
	shut(io);
	io->cut = true;
}

int fake__cut(struct ublkev__io *io)
{
	struct fake_dev *d = io->dev;
	struct ublkev__io *its;
	unsigned int q, i;

	for (q = 0; q < d->info.queues; q++)
		for (i = 0; i < d->info.depth; i++) {
			its = d->queues[q].tags[i].io;
			if (its && its != io)
				cut(its);
			if (its)
				forget(d, its);
		}
	d->joined = 0;
	cut(io);
	server_gone(d);
	return io->evfd;
}
