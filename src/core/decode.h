/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decode.h - the driver's descriptor of a request -> struct ublkev_req
 */
#ifndef UBLKEV_CORE_DECODE_H
#define UBLKEV_CORE_DECODE_H

#include <stdint.h>

#include <ublkev/req.h>

/* struct ublksrv_io_desc; sectors of 512 bytes, whatever the block */
struct ublkev__desc {
	uint32_t op_flags;
	uint32_t nr_sectors;
	uint64_t start_sector;
	uint64_t addr;
};

/*
 * Sets op, flags, offset_bytes, len_bytes of *req; the rest is left alone.
 * Errors: -EOPNOTSUPP, an op that this library does not serve; -EINVAL, an
 * empty or overflowing range, or data beyond max_io_bytes, the size of a
 * tag's buffer. *req then has the op as far as it is known, and no range.
 */
int ublkev__decode(const struct ublkev__desc *desc, uint32_t max_io_bytes,
		   struct ublkev_req *req);

#endif
