/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands of BATCH_IO of one queue (Linux 7.0). io.c adds an element where
 * it would write an SQE of a tag's own, asks for the SQEs that are due at each
 * enter, and gives the completions to ublkev__batch_reap(): the engine sees the
 * same completions of tags with and without BATCH_IO. All of it runs in the
 * thread that owns the ring.
 */
#include "uring/batch.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "uring/abi.h"
#include "uring/sqe.h"
#include "uring/udata.h"

/* The driver puts no more tags into a completion of FETCH. */
#define MOST_TAGS 128u

static unsigned int batch_power_of_2(unsigned int n)
{
	unsigned int p = 1;

	while (p < n)
		p *= 2;
	return p;
}

static unsigned int batch_buf_tags(unsigned int nr_bufs)
{
	return nr_bufs < MOST_TAGS ? nr_bufs : MOST_TAGS;
}

static void batch_give_buf(struct ublkev__batch *b, unsigned int i, int at)
{
	unsigned int n = batch_buf_tags(b->nr_bufs);

	io_uring_buf_ring_add(b->bufs, b->tags + i * n,
			      n * (unsigned int)sizeof(*b->tags),
			      (unsigned short)i,
			      io_uring_buf_ring_mask(b->nr_bufs), at);
}

static size_t batch_bufs_bytes(const struct ublkev__batch *b)
{
	return b->nr_bufs * sizeof(struct io_uring_buf);
}

/*
 * io_register_pbuf_ring() pins the list of buffers and wants it at a page. A
 * forked child has no use for it.
 */
static int batch_map_bufs(struct ublkev__batch *b)
{
	void *p = mmap(NULL, batch_bufs_bytes(b), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -ENOMEM;
	b->bufs = p;
	return madvise(p, batch_bufs_bytes(b), MADV_DONTFORK) ? -errno : 0;
}

/*
 * There are as many buffers as tags: as many completions, of one tag each, may
 * wait in the ring at once, and FETCH ends with -ENOBUFS when it finds none.
 */
static int batch_register_bufs(struct ublkev__batch *b, struct io_uring *ring)
{
	struct io_uring_buf_reg reg = {
		.ring_addr = (uintptr_t)b->bufs,
		.ring_entries = b->nr_bufs,
		.bgid = b->queue,
	};
	unsigned int i;
	int err = io_uring_register_buf_ring(ring, &reg, 0);

	if (err)
		return err;
	for (i = 0; i < b->nr_bufs; i++)
		batch_give_buf(b, i, (int)i);
	io_uring_buf_ring_advance(b->bufs, b->nr_bufs);
	return 0;
}

int ublkev__batch_open(struct ublkev__batch *b, const struct ublkev__alloc *mem,
		       struct io_uring *ring, unsigned int queue,
		       unsigned int depth, enum ublkev__batch_addr addr,
		       int slot)
{
	static const uint8_t flags[] = {
		[UBLKEV__BATCH_BUF] = ABI_BATCH_HAS_BUF_ADDR,
		[UBLKEV__BATCH_ZONE] = ABI_BATCH_HAS_ZONE_LBA,
	};
	int err;

	b->queue = (uint16_t)queue;
	b->lends = slot >= 0;
	b->slot = b->lends ? (uint16_t)slot : 0;
	b->nr_bufs = (uint16_t)batch_power_of_2(depth);
	b->elem_bytes = addr ? sizeof(struct abi_batch_elem)
			     : offsetof(struct abi_batch_elem, addr);
	b->flags = flags[addr];
	if (b->lends)
		b->flags |= ABI_BATCH_AUTO_BUF_FALLBACK;
	b->elems = ublkev__alloc_zalloc(mem, 2 * (size_t)depth, b->elem_bytes);
	b->tags = ublkev__alloc_zalloc(mem, (size_t)b->nr_bufs *
					    batch_buf_tags(b->nr_bufs),
				       sizeof(*b->tags));
	if (!b->elems || !b->tags)
		return -ENOMEM;
	err = batch_map_bufs(b);
	return err ? err : batch_register_bufs(b, ring);
}

void ublkev__batch_free(struct ublkev__batch *b,
			const struct ublkev__alloc *mem)
{
	if (b->bufs)
		munmap(b->bufs, batch_bufs_bytes(b));
	ublkev__alloc_free(mem, b->elems);
	ublkev__alloc_free(mem, b->tags);
	memset(b, 0, sizeof(*b));
}

void ublkev__batch_add(struct ublkev__batch *b, unsigned int tag, int result,
		       uint64_t addr)
{
	struct abi_batch_elem elem = {
		.tag = (uint16_t)tag, .result = result,
		.buf_index = b->lends ? (uint16_t)(b->slot + tag) : 0,
		.addr = addr,
	};

	memcpy(b->elems + (size_t)b->nr++ * b->elem_bytes, &elem,
	       b->elem_bytes);
}

void ublkev__batch_sqe(struct ublkev__batch *b, struct io_uring_sqe *sqe)
{
	/* answers before FETCH: clients wait for them */
	if (!b->nr || b->sent) {
		b->fetching = true;
		ublkev__sqe_batch_fetch(sqe, b->queue);
		return;
	}
	b->sent = b->nr;
	ublkev__sqe_batch(sqe, b->prepared ? ABI_IO_COMMIT_IO_CMDS
					   : ABI_IO_PREP_IO_CMDS,
			  b->queue, b->elems, b->nr, b->elem_bytes, b->flags);
}

static unsigned int batch_say(const struct ublkev__batch *b,
			      struct ublkev__cqe *v, unsigned int tag, int res)
{
	v->queue = b->queue;
	v->tag = (uint16_t)tag;
	v->res = res;
	return 1;
}

static void batch_drop(struct ublkev__batch *b, unsigned int n)
{
	b->nr -= n;
	if (b->nr)
		memmove(b->elems, b->elems + (size_t)n * b->elem_bytes,
			(size_t)b->nr * b->elem_bytes);
	b->sent = 0;
}

static unsigned int batch_nr_done(const struct ublkev__batch *b, int res)
{
	if (res < 0)
		return 0;
	/* PREP arms all tags or none, and answers 0 for all of them */
	return b->prepared ? (unsigned int)res / b->elem_bytes : b->sent;
}

/*
 * The driver takes elements in order, and its result says in bytes how far it
 * came. The next element is the one that it refused: its tag is told so, with
 * the errno if there is one. Those behind it were not looked at, and are sent
 * once more.
 */
static unsigned int batch_reap_elems(struct ublkev__batch *b, int res,
				     struct ublkev__cqe *v)
{
	unsigned int done = batch_nr_done(b, res);
	uint16_t tag;

	if (done >= b->sent) {
		b->prepared = true;
		batch_drop(b, b->sent);
		return 0;
	}
	memcpy(&tag, b->elems + (size_t)done * b->elem_bytes, sizeof(tag));
	batch_drop(b, done + 1);
	return batch_say(b, v, tag, res < 0 ? res : -EIO);
}

static unsigned int batch_reap_tags(struct ublkev__batch *b,
				    const struct io_uring_cqe *cqe,
				    struct ublkev__cqe *v, unsigned int max,
				    bool *more)
{
	unsigned int buf = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	unsigned int all = (unsigned int)cqe->res / sizeof(*b->tags);
	const uint16_t *tags = b->tags + buf * batch_buf_tags(b->nr_bufs);
	unsigned int n = 0;

	while (b->pos < all && n < max)
		n += batch_say(b, &v[n], tags[b->pos++], 0);
	*more = b->pos < all;
	if (*more)
		return n;
	b->pos = 0;
	batch_give_buf(b, buf, 0);
	io_uring_buf_ring_advance(b->bufs, 1);
	return n;
}

unsigned int ublkev__batch_reap(struct ublkev__batch *b,
				const struct io_uring_cqe *cqe,
				struct ublkev__cqe *v, unsigned int max,
				bool *more)
{
	unsigned int n = 0;

	*more = false;
	if (!udata_is_fetch(cqe->user_data))
		return batch_reap_elems(b, cqe->res, v);
	if (cqe->res >= 0 && cqe->flags & IORING_CQE_F_BUFFER)
		n = batch_reap_tags(b, cqe, v, max, more);
	if (*more || cqe->flags & IORING_CQE_F_MORE)
		return n;
	/*
	 * Without MORE the FETCH has ended. After a result, or -ENOBUFS, the
	 * next enter sends another; any other error is for all tags,
	 * as -ENODEV when the device is stopped.
	 */
	b->fetching = false;
	if (cqe->res >= 0 || cqe->res == -ENOBUFS)
		return n;
	b->ended = true;
	return batch_say(b, v, UBLKEV__ALL_TAGS, cqe->res);
}
