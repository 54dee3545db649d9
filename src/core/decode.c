/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a descriptor, which lies in memory that the driver writes, and
 * judges what it says: an operation nobody knows, no bytes, more of them
 * than a tag's buffer has.
 */
#include "core/decode.h"

#include <errno.h>

/*
 * UBLK_IO_OP_* are the low 8 bits; UBLK_IO_F_* are bits of the whole word,
 * not of the word shifted right by 8: shifting first is why some servers
 * never see a FUA.
 */
#define OP_MASK		0xffu
#define F_FAILFAST	(7u << 8)
#define F_META		(1u << 11)
#define F_FUA		(1u << 13)
#define F_NOUNMAP	(1u << 15)

#define SECTOR_SHIFT	9

static int decode_op(uint32_t op)
{
	switch (op) {
	case 0: return UBLKEV_OP_READ;
	case 1: return UBLKEV_OP_WRITE;
	case 2: return UBLKEV_OP_FLUSH;
	case 3: return UBLKEV_OP_DISCARD;
	case 5: return UBLKEV_OP_WRITE_ZEROES;
	}
	return -EOPNOTSUPP;
}

static uint32_t decode_flags(uint32_t op_flags)
{
	uint32_t flags = 0;

	if (!(op_flags & ~OP_MASK))
		return 0;
	if (op_flags & F_FUA)
		flags |= UBLKEV_REQ_FUA;
	if (op_flags & F_NOUNMAP)
		flags |= UBLKEV_REQ_NOUNMAP;
	if (op_flags & F_META)
		flags |= UBLKEV_REQ_META;
	if (op_flags & F_FAILFAST)
		flags |= UBLKEV_REQ_FAILFAST;
	return flags;
}

int ublkev__decode(const struct ublkev__desc *desc, uint32_t max_io_bytes,
		   struct ublkev_req *req)
{
	uint64_t len = (uint64_t)desc->nr_sectors << SECTOR_SHIFT;
	int op = decode_op(desc->op_flags & OP_MASK);

	req->offset_bytes = 0;
	req->len_bytes = 0;
	req->flags = decode_flags(desc->op_flags);
	req->op = UBLKEV_NR_OPS;
	if (op < 0)
		return op;
	req->op = (uint8_t)op;
	if (op == UBLKEV_OP_FLUSH)
		return 0;
	if (!len || desc->start_sector > (UINT64_MAX - len) >> SECTOR_SHIFT)
		return -EINVAL;
	if (op <= UBLKEV_OP_WRITE && len > max_io_bytes)
		return -EINVAL;
	req->offset_bytes = desc->start_sector << SECTOR_SHIFT;
	req->len_bytes = len;
	return 0;
}
