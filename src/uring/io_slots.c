/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ring's table of buffers, where requests' pages are. Each tag has a slot of
 * its own. With AUTO_BUF_REG the driver puts the pages there and takes them out.
 * With SUPPORT_ZERO_COPY (by_hand) commands do: REGISTER_IO_BUF in front of the
 * first operation that wants them, UNREGISTER_IO_BUF in front of the commit.
 *
 * Nobody waits for these, for they are done inside the enter that submits them,
 * in their order, and none is linked: only a refusal is heard of. That of a
 * REGISTER comes before what is done to the files, which finds the slot empty
 * (EFAULT). One of an UNREGISTER is a fault of the device: the request keeps its
 * pages and does not end before the ring does. So its tag gets no other one, and
 * nothing is ever read into another request's pages.
 */
#include "uring/io.h"

#include <errno.h>
#include <sys/mman.h>

#include "uring/io_priv.h"
#include "uring/sqe.h"
#include "uring/udata.h"

#define MOST_SLOTS 16384u	/* IORING_MAX_REG_BUFFERS */

static unsigned int slots_nr(const struct ublkev__io *io)
{
	return io->nr_bufs < MOST_SLOTS ? (unsigned int)io->nr_bufs
					: MOST_SLOTS;
}

/* The table is empty (RSRC_REGISTER_SPARSE) until it is filled. */
int ublkev__io_register_slots(struct ublkev__io *io)
{
	struct io_uring_rsrc_register reg = {
		.nr = slots_nr(io),
		.flags = IORING_RSRC_REGISTER_SPARSE,
	};

	return io_uring_register((unsigned int)io->ring.u.ring_fd,
				 IORING_REGISTER_BUFFERS2, &reg, sizeof(reg));
}

/* The zeroes are pages of nothing, for what is read of no file. */
int ublkev__io_make_slots(struct ublkev__io *io)
{
	void *p;

	p = mmap(NULL, io->max_io_bytes, PROT_READ,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -ENOMEM;
	io->zeroes = p;
	if (io->by_hand) {
		io->filled = ublkev__alloc_zalloc(io->mem, slots_nr(io), 1);
		if (!io->filled)
			return -ENOMEM;
	}
	return ublkev__io_register_slots(io);
}

void ublkev__io_free_slots(struct ublkev__io *io)
{
	if (io->zeroes)
		munmap(io->zeroes, io->max_io_bytes);
	ublkev__alloc_free(io->mem, io->filled);
}

void ublkev__io_fill_slot(struct ublkev__io *io, unsigned int queue,
			  unsigned int tag)
{
	unsigned int slot = io_slot_of(io, queue, tag);

	if (io->filled[slot])
		return;
	io->filled[slot] = true;
	io->nr_file_sqes++;
	ublkev__sqe_slot(io_get_sqe(io), queue, tag, slot, true);
}

void ublkev__io_empty_slot(struct ublkev__io *io, unsigned int queue,
			   unsigned int tag)
{
	unsigned int slot = io_slot_of(io, queue, tag);

	if (!io->filled[slot])
		return;
	io->filled[slot] = false;
	ublkev__sqe_slot(io_get_sqe(io), queue, tag, slot, false);
}

bool ublkev__io_slot_refused(struct ublkev__io *io, uint64_t udata)
{
	if (!udata_is_fill(udata))
		return true;
	io->filled[io_slot_of(io, udata_get_queue(udata),
				   udata_get_tag(udata))] = false;
	return false;
}
