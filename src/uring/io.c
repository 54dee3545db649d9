/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The data plane of a device: makes and opens ring, eventfd and buffers, and on
 * the way of every request queues commands and enters the kernel. What has
 * completed is reaped in io_reap.c; what a sleep in the ring adds is in
 * io_sleep.c, and where requests' pages are in io_slots.c.
 */
#include "uring/io.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "uring/abi.h"
#include "uring/batch.h"
#include "uring/cdev.h"
#include "uring/io_priv.h"
#include "uring/iobuf.h"
#include "uring/privilege.h"
#include "uring/ring.h"
#include "uring/sqe.h"
#include "uring/udata.h"
#include "util/check.h"

/*
 * SUBMIT_ALL: one refused command must not hold up those behind it in the
 * same submission.
 */
#define RING_FLAGS (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_TASKRUN_FLAG | \
		    IORING_SETUP_SUBMIT_ALL)

/* how often io_look() looks, for its caller reads the clock in between */
#define LOOKS 16

#define MOST_ENTRIES 32768u	/* IORING_MAX_ENTRIES */

/* SQEs for operations on files, beside those of tags: so many at least */
#define FILE_ENTRIES 64u

int ublkev__io_new(struct ublkev__io **iop, const struct ublkev__alloc *mem)
{
	struct ublkev__io *io = ublkev__alloc_zalloc(mem, 1, sizeof(*io));

	if (!io)
		return -ENOMEM;
	io->mem = mem;
	io->watch_fd = -1;
	io->desc_bytes = sizeof(struct abi_io_desc);
	ublkev__cdev_init(&io->cdev, NULL);
	io->evfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (io->evfd < 0) {
		int err = -errno;

		ublkev__io_free(io);
		return err;
	}
	*iop = io;
	return 0;
}

int ublkev__io_set_up_common(struct ublkev__io *io, unsigned int queues)
{
	ublkev__check(!io->descs, "a device is set up once");
	io->descs = ublkev__alloc_zalloc(io->mem, queues, sizeof(*io->descs));
	if (!io->descs)
		return -ENOMEM;
	ublkev__cdev_init(&io->cdev, io->descs);
	return 0;
}

void ublkev__io_by_ring(struct ublkev__io *io)
{
	io->by_ring = true;
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

static int io_open_ring(struct ublkev__io *io, unsigned int queues,
			unsigned int depth, uint32_t max_io_bytes,
			unsigned int flags)
{
	unsigned int entries;
	int err;

	flags |= RING_FLAGS | (io->by_ring ? IORING_SETUP_COOP_TASKRUN
					   : IORING_SETUP_DEFER_TASKRUN);
	io->depth = depth;
	io->queue_bytes = (size_t)depth * max_io_bytes;
	io->nr_bufs = (size_t)queues * depth;
	io->max_io_bytes = max_io_bytes;
	err = ublkev__iobuf_map(&io->spare, 1, max_io_bytes, false);
	if (err)
		return err;
	/*
	 * An SQE for each tag, one for the eventfd's read, four for what ends a
	 * sleep and for the end of that, and what a queue has of its own in
	 * batch mode: PREP, FETCH, COMMIT.
	 */
	entries = queues * (depth + 3) + 5;
	if (io->metadata_bytes)	/* a copy of a tag's is two */
		entries += queues * depth;
	if (io->for_pages)	/* a commit is two */
		entries += queues * depth;
	if (entries > MOST_ENTRIES && (io->metadata_bytes || io->for_pages))
		return -EINVAL;
	if (io->for_files && entries + FILE_ENTRIES > MOST_ENTRIES)
		return -EINVAL;
	if (io->for_files)
		entries += FILE_ENTRIES;
	io->ring_entries = entries < MOST_ENTRIES ? entries : MOST_ENTRIES;
	io->ring_flags = flags;
	err = ublkev__ring_open(&io->ring, io->ring_entries, flags,
				io->by_ring ? -1 : io->evfd);
	if (!err && io->for_files)	/* a ring's size is a power of 2 */
		io->most_file_sqes = io->ring.u.sq.ring_entries - entries +
				     FILE_ENTRIES;
	return err;
}

int ublkev__io_set_up(struct ublkev__io *io, unsigned int queues,
		      unsigned int depth, uint32_t max_io_bytes)
{
	int err = ublkev__io_set_up_common(io, queues);

	if (!err)
		err = io_open_ring(io, queues, depth, max_io_bytes, 0);
	if (!err)
		ublkev__ring_register_fd(&io->ring);
	return err;
}

int ublkev__io_set_up_apart(struct ublkev__io *io, unsigned int queue,
			    unsigned int depth, uint32_t max_io_bytes)
{
	io->apart = true;
	io->dormant = true;
	io->first = queue;
	return io_open_ring(io, 1, depth, max_io_bytes,
			    IORING_SETUP_R_DISABLED);
}

static void io_free_batch(struct ublkev__io *io)
{
	while (io->nr_batch)
		ublkev__batch_free(&io->batch[--io->nr_batch], io->mem);
	ublkev__alloc_free(io->mem, io->batch);
	io->batch = NULL;
}

static enum ublkev__batch_addr io_elem_addr(const struct ublkev__io *io)
{
	if (!io->user_copy)
		return UBLKEV__BATCH_BUF;
	return io->zoned ? UBLKEV__BATCH_ZONE : UBLKEV__BATCH_NO_ADDR;
}

static int io_make_batch(struct ublkev__io *io, unsigned int queues,
			 unsigned int depth)
{
	unsigned int i;
	int err = 0;

	io->batch = ublkev__alloc_zalloc(io->mem, queues, sizeof(*io->batch));
	if (!io->batch)
		return -ENOMEM;
	while (io->nr_batch < queues && !err) {
		i = io->nr_batch++;
		err = ublkev__batch_open(&io->batch[i], io->mem, &io->ring.u,
					 io->first + i, depth, io_elem_addr(io),
					 io->lends ? (int)(i * depth) : -1);
	}
	return err;
}

void ublkev__io_free(struct ublkev__io *io)
{
	if (!io)
		return;
	ublkev__io_close(io, false);
	io_free_batch(io);
	ublkev__iobuf_unmap(&io->bufs);
	ublkev__iobuf_unmap(&io->spare);
	ublkev__io_free_slots(io);
	if (io->evfd >= 0)
		close(io->evfd);
	if (!io->apart)
		ublkev__alloc_free(io->mem, io->descs);
	ublkev__alloc_free(io->mem, io);
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

int ublkev__io_ring_fd(const struct ublkev__io *io)
{
	bool watched = io->by_ring && io->ring.open && !io->dormant;

	return watched ? io->ring.u.ring_fd : -1;
}

int ublkev__io_need_bufs(struct ublkev__io *io)
{
	if (io->bufs.base)
		return 0;
	return ublkev__iobuf_map(&io->bufs, io->nr_bufs, io->max_io_bytes,
				 io->huge_bufs);
}

void *ublkev__io_bufs(const struct ublkev__io *io, unsigned int queue)
{
	if (!io->bufs.base)
		return NULL;
	return (char *)io->bufs.base + queue * io->queue_bytes;
}

void *ublkev__io_spare_buf(const struct ublkev__io *io)
{
	return io->spare.base;
}

size_t ublkev__io_leave_bufs(struct ublkev__io *io)
{
	size_t bytes = io->bufs.base ? io->bufs.bytes : 0;

	io->bufs.base = NULL;
	return bytes;
}

static void io_let_go(struct ublkev__io *io, bool drained)
{
	if (drained && io->files)
		io_uring_unregister_files(&io->ring.u);
	io->files = false;
	ublkev__cdev_close(&io->cdev);
}

/* Registers ublkc and the eventfd, which SQEs then name by their index. */
static int io_register_files(struct ublkev__io *io, int ublkc)
{
	int files[2];

	files[FILE_UBLKC] = ublkc;
	files[FILE_EVENTFD] = io->evfd;
	return io_uring_register_files(&io->ring.u, files, 2);
}

static int io_take(struct ublkev__io *io, int ublkc, unsigned int queues,
		   unsigned int depth, uint64_t features)
{
	int err;

	io->user_copy = features & UBLKEV__F(USER_COPY);
	io->zoned = features & UBLKEV__F(ZONED);
	io->lends = features & UBLKEV__F(AUTO_BUF_REG);
	io->by_hand = io->for_pages && !io->lends &&
		      features & UBLKEV__F(SUPPORT_ZERO_COPY);
	err = io_register_files(io, ublkc);
	io->files = !err;
	if (!err && (io->lends || io->by_hand))
		err = ublkev__io_make_slots(io);
	if (!err && features & UBLKEV__F(BATCH_IO))
		err = io_make_batch(io, queues, depth);
	return err;
}

int ublkev__io_open(struct ublkev__io *io, int id, unsigned int queues,
		    unsigned int depth, uint64_t features)
{
	int err;

	io->cdev.desc_bytes = (unsigned int)io->desc_bytes;
	err = ublkev__cdev_open(&io->cdev, id, queues, depth);
	if (err || !io->ring.open)
		return err;
	err = io_take(io, io->cdev.fd, queues, depth, features);
	if (err)
		io_let_go(io, true);
	return err;
}

int ublkev__io_join(struct ublkev__io *io, const struct ublkev__io *common,
		    uint64_t features)
{
	io->descs = common->descs;
	io->desc_bytes = common->desc_bytes;
	return io_take(io, common->cdev.fd, 1, common->cdev.depth, features);
}

/* The ring that there was has let go of ublkc when it is closed, not later. */
int ublkev__io_move_here(struct ublkev__io *io, const struct ublkev__io *common)
{
	struct ublkev__ring was = io->ring;
	int err;

	ublkev__check(io->dormant && io->files && !io->by_ring,
		      "a ring moves before its thread has it");
	io->ring.open = false;
	err = ublkev__ring_open(&io->ring, io->ring_entries, io->ring_flags,
				io->evfd);
	if (!err)
		err = io_register_files(io, common->cdev.fd);
	if (!err && (io->lends || io->by_hand))
		err = ublkev__io_register_slots(io);
	if (err) {
		ublkev__ring_close(&io->ring);
		io->ring = was;
		return err;
	}
	(void)io_uring_unregister_files(&was.u);
	ublkev__ring_close(&was);
	return 0;
}

int ublkev__io_enable(struct ublkev__io *io)
{
	int err = ublkev__ring_enable(&io->ring);

	if (err)
		return err;
	io->dormant = false;
	ublkev__ring_register_fd(&io->ring);
	return 0;
}

void ublkev__io_wake(const struct ublkev__io *io)
{
	uint64_t one = 1;

	if (write(io->evfd, &one, sizeof(one)) < 0)
		return;		/* EAGAIN: 2^64 - 2 signals wait already */
}

/*
 * The order matters: whatever still refers to ublkc, be it a slot of the
 * ring, a mapping or the ring itself, makes DEL_DEV wait.
 */
void ublkev__io_close(struct ublkev__io *io, bool drained)
{
	io_let_go(io, drained);
	ublkev__ring_close(&io->ring);
	ublkev__io_forget_sleep(io);
}

const struct ublkev__desc *ublkev__io_desc(const struct ublkev__io *io,
					   unsigned int queue,
					   unsigned int tag)
{
	return (const void *)((const char *)io->descs[queue] +
			      tag * io->desc_bytes);
}

/* the driver wants no address where it copies nothing */
static void *io_addr(const struct ublkev__io *io, void *buf)
{
	return io->user_copy ? NULL : buf;
}

/* every request's: in place */
__attribute__((always_inline))
static inline void io_command(struct ublkev__io *io, uint32_t cmd_op,
		       unsigned int queue, unsigned int tag, int result,
		       void *buf)
{
	struct io_uring_sqe *sqe = io_get_sqe(io);

	ublkev__sqe_io(sqe, cmd_op, queue, tag, result, io_addr(io, buf));
	if (__builtin_expect(io->lends, 0))
		ublkev__sqe_lend(sqe, io_slot_of(io, queue, tag));
}

void ublkev__io_fetch(struct ublkev__io *io, unsigned int queue,
		      unsigned int tag, void *buf)
{
	if (io->batch) {
		ublkev__batch_add(io_batch_of(io, queue), tag, 0,
				  (uintptr_t)io_addr(io, buf));
		return;
	}
	io_command(io, ABI_IO_FETCH_REQ, queue, tag, 0, buf);
}

void ublkev__io_commit(struct ublkev__io *io, unsigned int queue,
		       unsigned int tag, int result, void *buf)
{
	if (__builtin_expect(io->by_hand, 0))
		ublkev__io_empty_slot(io, queue, tag);
	if (io->batch) {
		ublkev__batch_add(io_batch_of(io, queue), tag, result,
				  (uintptr_t)io_addr(io, buf));
		return;
	}
	io_command(io, ABI_IO_COMMIT_AND_FETCH_REQ, queue, tag, result, buf);
}

void ublkev__io_commit_append(struct ublkev__io *io, unsigned int queue,
			      unsigned int tag, int result, uint64_t sector)
{
	struct io_uring_sqe *sqe;

	if (io->batch) {
		ublkev__batch_add(io_batch_of(io, queue), tag, result, sector);
		return;
	}
	sqe = io_get_sqe(io);
	ublkev__sqe_io(sqe, ABI_IO_COMMIT_AND_FETCH_REQ, queue, tag, result,
		       NULL);
	ublkev__sqe_append(sqe, sector);
	if (io->lends)
		ublkev__sqe_lend(sqe, io_slot_of(io, queue, tag));
}

void ublkev__io_move(struct ublkev__io *io, unsigned int queue,
		     unsigned int tag, bool in, void *buf, uint32_t bytes)
{
	struct io_uring_sqe *sqe;

	if (io->metadata_bytes &&
	    ublkev__io_desc(io, queue, tag)->op_flags & UBLKEV__DESC_INTEGRITY)
		ublkev__sqe_copy_metadata(io_get_sqe(io), queue, tag, in,
					  (char *)buf + bytes,
					  bytes / io->metadata_interval_bytes *
					  io->metadata_bytes);
	sqe = io_get_sqe(io);
	if (io->user_copy)
		ublkev__sqe_copy(sqe, queue, tag, in, buf, bytes);
	else
		ublkev__sqe_io(sqe, ABI_IO_NEED_GET_DATA, queue, tag, 0, buf);
}

/* what is lent may need one more, which puts the pages into their slot */
bool ublkev__io_has_file_room(const struct ublkev__io *io)
{
	return io->nr_file_sqes + io->by_hand < io->most_file_sqes;
}

void ublkev__io_file(struct ublkev__io *io, unsigned int queue,
		     unsigned int tag, const struct ublkev__fileop *op)
{
	uint64_t udata = udata_file(queue, tag, op->piece);
	struct ublkev__fileop clear;
	struct io_uring_sqe *sqe;

	if (op->lent && io->by_hand)
		ublkev__io_fill_slot(io, queue, tag);
	sqe = io_get_sqe(io);
	io->nr_file_sqes++;
	if (op->kind < UBLKEV__FILEOP_FETCH) {
		ublkev__sqe_file(sqe, op, io_slot_of(io, queue, tag), udata);
		return;
	}
	clear = *op;
	if (op->kind == UBLKEV__FILEOP_CLEAR)
		clear.addr = io->zeroes;
	ublkev__sqe_copy_part(sqe, queue, tag, &clear, udata);
}

void ublkev__io_reset(struct ublkev__io *io)
{
	uint64_t count;

	if (read(io->evfd, &count, sizeof(count)) < 0)
		return;		/* nothing to reset */
}

/*
 * The read of the eventfd rides in the next submission instead of being a
 * system call. It executes before the task work of the same enter, so that
 * a signal it swallows stands for work which that enter runs.
 */
void ublkev__io_woken(struct ublkev__io *io)
{
	struct io_uring_sqe *sqe;

	if (!io->ring.open || io->dormant) {
		ublkev__io_reset(io);
		return;
	}
	if (io->woken)
		return;
	sqe = io_get_sqe(io);
	io_uring_prep_read(sqe, io->evfd, &io->evfd_count,
			   sizeof(io->evfd_count), 0);
	sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
	if (io->files) {
		sqe->fd = FILE_EVENTFD;
		sqe->flags |= IOSQE_FIXED_FILE;
	}
	sqe->user_data = UDATA_NONE;
	io->woken = true;
}

void ublkev__io_mute(struct ublkev__io *io)
{
	if (io->ring.open && !io->by_ring)
		ublkev__ring_mute(&io->ring);
}

void ublkev__io_unmute(struct ublkev__io *io)
{
	if (!io->ring.open || io->by_ring)
		return;
	ublkev__ring_unmute(&io->ring);
#if !defined(__x86_64__) && !defined(__i386__)
	/*
	 * Elsewhere the kernel's look at the flag may pass its setting of
	 * SQ_TASKRUN, so that neither side sees the other: run what waits.
	 */
	(void)ublkev__ring_enter(&io->ring);
#endif
}

static bool io_batch_has_sqe(const struct ublkev__io *io)
{
	unsigned int i;

	for (i = 0; i < io->nr_batch; i++)
		if (ublkev__batch_has_sqe(&io->batch[i]))
			return true;
	return false;
}

unsigned int ublkev__io_nr_cqes(const struct ublkev__io *io)
{
	return io->ring.open ? io_uring_cq_ready(&io->ring.u) : 0;
}

bool ublkev__io_has_work(const struct ublkev__io *io)
{
	return io->ring.open &&
	       (ublkev__ring_has_work(&io->ring) || io_batch_has_sqe(io));
}

/* A pause on x86 leaves the core to its other thread, perhaps the client's. */
static inline void io_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

bool ublkev__io_look(const struct ublkev__io *io)
{
	unsigned int i;

	for (i = 0; i < LOOKS; i++) {
		if (ublkev__io_has_work(io))
			return true;
		io_relax();
	}
	return false;
}

int ublkev__io_enter(struct ublkev__io *io)
{
	int err;

	if (!io->ring.open)
		return 0;
	io_batch_sqes(io);
	if (!ublkev__ring_needs_enter(&io->ring))
		return 0;
	err = ublkev__ring_enter(&io->ring);
	if (!io_uring_sq_ready(&io->ring.u)) {
		io->woken = false;
		io->nr_file_sqes = 0;
	}
	return err ? err : 1;
}

int ublkev__io_enter_unprivileged(struct ublkev__io *io)
{
	struct ublkev__privilege was;
	int res;

	ublkev__privilege_drop(&was);
	res = ublkev__io_enter(io);
	ublkev__privilege_restore(&was);
	return res;
}
