/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decode.h - the driver's descriptor of a request -> struct ublkev_req
 */
#ifndef UBLKEV_CORE_DECODE_H
#define UBLKEV_CORE_DECODE_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include <ublkev/req.h>

/*
 * struct ublksrv_io_desc, which the driver writes into memory that the server
 * has mapped. Sectors are of 512 bytes, whatever the disk's logical block is.
 */
struct ublkev__desc {
	uint32_t op_flags;
	uint32_t nr_sectors;
	uint64_t start_sector;
	uint64_t addr;
};

/*
 * UBLK_IO_F_NEED_REG_BUF in op_flags, of AUTO_BUF_REG: the request's pages did
 * not get their slot in the ring's table of buffers.
 */
#define UBLKEV__DESC_NEED_REG_BUF	(1u << 17)
/*
 * UBLK_IO_F_SHMEM_ZC: the data are in registered memory, and addr says in which
 * and where, see ublkev__shared_find()
 */
#define UBLKEV__DESC_SHMEM_ZC		(1u << 19)
/* UBLK_IO_F_INTEGRITY: there are metadata beside the data */
#define UBLKEV__DESC_INTEGRITY		(1u << 18)

/* registered memory, by the driver's number of it */
struct ublkev__shared {
	char *base;		/* NULL: there is none of that number */
	uint64_t bytes;
};

#define UBLKEV__MAX_SHARED	64u

/*
 * Where the `len_bytes` of data are that a descriptor's addr names; NULL: not in
 * what is registered. `v` has MAX_SHARED, or is NULL.
 */
static inline void *ublkev__shared_find(const struct ublkev__shared *v,
					uint64_t addr, uint64_t len_bytes)
{
	uint64_t offset = addr & UINT32_MAX;
	uint64_t number = addr >> 32;

	if (!v || number >= UBLKEV__MAX_SHARED || !v[number].base ||
	    offset + len_bytes > v[number].bytes)
		return NULL;
	return v[number].base + offset;
}

static inline int ublkev__decode_no_range(struct ublkev_req *req, int err)
{
	req->offset_bytes = 0;
	req->len_bytes = 0;
	return err;
}

/* ublkev__decode() of all but a READ or WRITE without flags, which most are. */
int ublkev__decode_rare(const struct ublkev__desc *desc, uint32_t max_io_bytes,
			struct ublkev_req *req);

/*
 * Sets op, flags, offset_bytes and len_bytes of *req and leaves its other
 * members alone: cookie, tag and buffer are the queue's. Errors: -EOPNOTSUPP,
 * an op that this library does not serve (*req has UBLKEV_NR_OPS); -EINVAL, an
 * empty or overflowing range, or data beyond max_io_bytes, the size of a tag's
 * buffer. After an error *req has the op as far as it is known, and no range:
 * nothing that the driver wrote is used as an address or a length before it was
 * checked.
 */
static inline int ublkev__decode(const struct ublkev__desc *desc,
				 uint32_t max_io_bytes, struct ublkev_req *req)
{
	uint64_t len = (uint64_t)desc->nr_sectors << 9;
	uint64_t start = desc->start_sector;

	if (__builtin_expect(desc->op_flags > UBLKEV_OP_WRITE, 0))
		return ublkev__decode_rare(desc, max_io_bytes, req);
	/* a READ's or WRITE's number is that of ours */
	req->flags = 0;
	req->op = (uint8_t)desc->op_flags;
	if (!len || len > max_io_bytes || start > (UINT64_MAX - len) >> 9)
		return ublkev__decode_no_range(req, -EINVAL);
	req->offset_bytes = start << 9;
	req->len_bytes = len;
	return 0;
}

#endif
