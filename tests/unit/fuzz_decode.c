/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decoder of descriptors under libFuzzer: the input is descriptors, 24
 * bytes each, after 4 bytes of max_io_bytes. Otherwise see fuzz_main.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int true_)
{
	if (!true_)
		abort();
}

static void check_error(const struct ublkev_req *req, int err)
{
	require(err == -EINVAL || err == -EOPNOTSUPP);
	require(!req->offset_bytes && !req->len_bytes);
	require((req->op == UBLKEV_NR_OPS) == (err == -EOPNOTSUPP));
}

static void check_range(const struct ublkev__desc *d, uint32_t max_io_bytes,
			const struct ublkev_req *req)
{
	require(req->len_bytes && req->len_bytes % 512 == 0);
	require(req->offset_bytes % 512 == 0);
	require(req->offset_bytes <= UINT64_MAX - req->len_bytes);
	require(req->len_bytes / 512 == d->nr_sectors);
	require(req->offset_bytes / 512 == d->start_sector);
	if (req->op == UBLKEV_OP_READ || req->op == UBLKEV_OP_WRITE)
		require(req->len_bytes <= max_io_bytes);
}

/* a zone has no length, a report's is that of what it is to be filled with */
static void check_zone(const struct ublkev__desc *d, uint32_t max_io_bytes,
		       const struct ublkev_req *req)
{
	if (req->op == UBLKEV_OP_ZONE_RESET_ALL) {
		require(!req->offset_bytes && !req->len_bytes);
		return;
	}
	require(req->offset_bytes / 512 == d->start_sector);
	require(req->offset_bytes % 512 == 0);
	require(req->offset_bytes <= UINT64_MAX - req->len_bytes);
	require(req->len_bytes <= max_io_bytes);
	if (req->op == UBLKEV_OP_REPORT_ZONES)
		require(req->len_bytes == d->nr_sectors * UINT64_C(64));
	else if (req->op == UBLKEV_OP_ZONE_APPEND)
		require(req->len_bytes / 512 == d->nr_sectors);
	else
		require(!req->len_bytes);
}

static void one(const struct ublkev__desc *d, uint32_t max_io_bytes)
{
	struct ublkev_req req;
	int err;

	memset(&req, 0xa5, sizeof(req));
	err = ublkev__decode(d, max_io_bytes, &req);
	require(req.op <= UBLKEV_NR_OPS && req.flags < 64);
	require(req.queue == 0xa5a5 && req.tag == 0xa5a5);
	require(!!(req.flags & UBLKEV_REQ_FUA) == !!(d->op_flags & 0x2000));
	if (err)
		check_error(&req, err);
	else if (req.op == UBLKEV_OP_FLUSH)
		require(!req.offset_bytes && !req.len_bytes);
	else if (req.op >= UBLKEV_OP_REPORT_ZONES)
		check_zone(d, max_io_bytes, &req);
	else
		check_range(d, max_io_bytes, &req);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t max_io_bytes = 0;
	struct ublkev__desc d;

	if (size >= sizeof(max_io_bytes)) {
		memcpy(&max_io_bytes, data, sizeof(max_io_bytes));
		data += sizeof(max_io_bytes);
		size -= sizeof(max_io_bytes);
	}
	for (; size >= sizeof(d); size -= sizeof(d), data += sizeof(d)) {
		memcpy(&d, data, sizeof(d));
		one(&d, max_io_bytes);
	}
	return 0;
}
