/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a descriptor, which lies in memory that the driver writes, and
 * judges what it says: an operation nobody knows, no bytes, more of them
 * than a tag's buffer has.
 */
#include "core/decode.h"

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

static int decode_op(uint32_t op)
{
	switch (op) {
	case 0: return UBLKEV_OP_READ;
	case 1: return UBLKEV_OP_WRITE;
	case 2: return UBLKEV_OP_FLUSH;
	case 3: return UBLKEV_OP_DISCARD;
	case 5: return UBLKEV_OP_WRITE_ZEROES;
	}
	return UBLKEV_NR_OPS;
}

static uint32_t decode_flags(uint32_t op_flags)
{
	uint32_t flags = 0;

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

void ublkev__decode_rare(uint32_t op_flags, struct ublkev_req *req)
{
	req->flags = decode_flags(op_flags);
	req->op = (uint8_t)decode_op(op_flags & OP_MASK);
}
