/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a descriptor, which lies in memory that the driver writes, and
 * judges what it says: an operation nobody knows, no bytes, more of them
 * than a tag's buffer has.
 */
#include "core/decode.h"

#include <stdbool.h>

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
	case 10: return UBLKEV_OP_ZONE_OPEN;
	case 11: return UBLKEV_OP_ZONE_CLOSE;
	case 12: return UBLKEV_OP_ZONE_FINISH;
	case 13: return UBLKEV_OP_ZONE_APPEND;
	case 14: return UBLKEV_OP_ZONE_RESET_ALL;
	case 15: return UBLKEV_OP_ZONE_RESET;
	case 18: return UBLKEV_OP_REPORT_ZONES;
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
	if (op_flags & UBLKEV__DESC_INTEGRITY)
		flags |= UBLKEV_REQ_METADATA;
	if (op_flags & UBLKEV__DESC_SHMEM_ZC)
		flags |= UBLKEV_REQ_SHARED;
	if (op_flags & F_FAILFAST)
		flags |= UBLKEV_REQ_FAILFAST;
	return flags;
}

/*
 * ublk_setup_iod_zoned(): a report's nr_sectors are zones, an append's those of
 * its data, and its start that of the zone. What is done to a zone has none, for
 * its bio has no data.
 */
static uint64_t decode_len(const struct ublkev__desc *desc, uint8_t op)
{
	if (op == UBLKEV_OP_REPORT_ZONES)
		return (uint64_t)desc->nr_sectors * UBLKEV_ZONE_BYTES;
	return op >= UBLKEV_OP_ZONE_OPEN ? 0 : (uint64_t)desc->nr_sectors << 9;
}

static bool decode_has_data(uint8_t op)
{
	return op <= UBLKEV_OP_WRITE || op == UBLKEV_OP_REPORT_ZONES ||
	       op == UBLKEV_OP_ZONE_APPEND;
}

int ublkev__decode_rare(const struct ublkev__desc *desc, uint32_t max_io_bytes,
			struct ublkev_req *req)
{
	uint8_t op = (uint8_t)decode_op(desc->op_flags & OP_MASK);
	uint64_t start = desc->start_sector;
	uint64_t len = decode_len(desc, op);

	req->flags = decode_flags(desc->op_flags);
	req->op = op;
	if (op == UBLKEV_NR_OPS)
		return ublkev__decode_no_range(req, -EOPNOTSUPP);
	if (op == UBLKEV_OP_FLUSH || op == UBLKEV_OP_ZONE_RESET_ALL)
		return ublkev__decode_no_range(req, 0);
	if ((!len && op < UBLKEV_OP_ZONE_OPEN) ||
	    (len > max_io_bytes && decode_has_data(op)) ||
	    start > (UINT64_MAX - len) >> 9)
		return ublkev__decode_no_range(req, -EINVAL);
	req->offset_bytes = start << 9;
	req->len_bytes = len;
	return 0;
}
