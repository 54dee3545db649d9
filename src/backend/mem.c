/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mem.c - a disk in memory, which may have zones, or metadata
 */
#include "backend/diskconf.h"
#include "backend/guard.h"
#include "backend/memmap.h"
#include "backend/metadata.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Both are done in pieces, so they may be as large as a request can be: what
 * the block layer counts in 32 bits of bytes, in whole blocks of any size.
 */
#define MAX_RANGE_BYTES		(UINT32_MAX & ~UINT32_C(4095))
/* So much of a range that is to stay allocated is filled at once. */
#define FILL_BYTES		(UINT64_C(256) << 10)
/* the largest page that the driver's 32 bits can name, and requests hold */
#define MAX_GRANULARITY_BYTES	(UINT32_C(1) << 30)

/* of address space, and the page tables that it had, given up at once */
#define UNMAP_BYTES		(UINT64_C(512) << 20)

struct mem {
	struct ublkev__memmap map;
	struct ublkev_disk_conf conf;
	struct ublkev__zones zones;	/* if conf.zone_bytes; their table is
					   in the map, behind the data */
	uint64_t cut_bytes;		/* while it shrinks: nothing is left
					   from the new end up to here; else 0 */
};

/* ---- zones ----------------------------------------------------------------- */

static bool mem_is_zoned(const struct mem *m)
{
	return m->conf.zone_bytes;
}

/* of the mapping, what is behind the data included */
static uint64_t mem_map_bytes(const struct ublkev_disk_conf *conf)
{
	struct ublkev__zones_conf zones;

	if (!conf->zone_bytes)
		return conf->dev_bytes + conf->dev_bytes /
		       conf->logical_block_bytes * conf->metadata_bytes;
	ublkev__disk_zones(conf, &zones);
	return conf->dev_bytes +
	       ((ublkev__zones_table_bytes(&zones) + 4095) & ~UINT64_C(4095));
}

static int mem_make_zones(struct mem *m)
{
	struct ublkev__zones_conf zones;

	if (!mem_is_zoned(m))
		return 0;
	ublkev__disk_zones(&m->conf, &zones);
	return ublkev__zones_init(&m->zones, &zones,
				  m->map.bytes + m->conf.dev_bytes);
}

/*
 * A piece of what is given back of a zone, or of all of them; their states change
 * with the last one, so that a zone is not empty before it is.
 */
static int mem_reset(struct mem *m, struct ublkev_req *req)
{
	bool all = req->op == UBLKEV_OP_ZONE_RESET_ALL;
	uint64_t from = all ? ublkev__zones_conventional_bytes(&m->zones) :
			req->offset_bytes;
	uint64_t len = all ? m->conf.dev_bytes - from :
		       ublkev__zones_written(&m->zones, from);
	uintptr_t done = (uintptr_t)req->data;
	int err;

	err = all ? 0 : ublkev__zones_may_manage(&m->zones, req->op, from);
	if (err)
		return err;
	if (done < len) {
		done += (uintptr_t)ublkev__memmap_discard_some(&m->map,
						from + done, len - done);
		req->data = (void *)done;
		if (done < len)
			return UBLKEV_AGAIN;
	}
	if (!all)
		return ublkev__zones_manage(&m->zones, req->op, from);
	ublkev__zones_reset_all(&m->zones);
	return UBLKEV_DONE;
}

static int mem_zone(struct mem *m, struct ublkev_req *req)
{
	switch (req->op) {
	case UBLKEV_OP_REPORT_ZONES:
		ublkev__zones_report(&m->zones, req);
		return UBLKEV_DONE;
	case UBLKEV_OP_ZONE_OPEN:
	case UBLKEV_OP_ZONE_CLOSE:
	case UBLKEV_OP_ZONE_FINISH:
		return ublkev__zones_manage(&m->zones, req->op,
					    req->offset_bytes);
	case UBLKEV_OP_ZONE_RESET:
	case UBLKEV_OP_ZONE_RESET_ALL:
		return mem_reset(m, req);
	default:
		return -EOPNOTSUPP;
	}
}

static int64_t mem_append(void *ctx, const struct ublkev_req *req)
{
	struct mem *m = ctx;

	return ublkev__zones_append(&m->zones, req->offset_bytes,
				    req->len_bytes);
}

/* ---- metadata -------------------------------------------------------------- */

/* they are behind the data, inverted */
static uint64_t mem_metadata_at(const struct mem *m, uint64_t bytes)
{
	return bytes / m->conf.logical_block_bytes * m->conf.metadata_bytes;
}

static void mem_read_metadata(const struct mem *m, const struct ublkev_req *req)
{
	if (req->flags & UBLKEV_REQ_METADATA)
		ublkev__metadata_invert(ublkev_req_metadata(req),
					m->map.bytes + m->conf.dev_bytes +
					mem_metadata_at(m, req->offset_bytes),
					mem_metadata_at(m, req->len_bytes));
}

static void mem_drop_metadata(const struct mem *m, uint64_t offset,
			      uint64_t len)
{
	uint64_t n = mem_metadata_at(m, len);

	if (n)
		ublkev__memmap_discard(&m->map, m->conf.dev_bytes +
				       mem_metadata_at(m, offset), n);
}

static void mem_write_metadata(const struct mem *m,
			       const struct ublkev_req *req)
{
	uint64_t at = m->conf.dev_bytes +
		      mem_metadata_at(m, req->offset_bytes);

	if (!m->conf.metadata_bytes)
		return;
	if (!(req->flags & UBLKEV_REQ_METADATA)) {
		mem_drop_metadata(m, req->offset_bytes, req->len_bytes);
		return;
	}
	ublkev__metadata_invert(m->map.bytes + at, ublkev_req_metadata(req),
				mem_metadata_at(m, req->len_bytes));
}

/* ---- the disk -------------------------------------------------------------- */

static int mem_open(void *ctx, struct ublkev_limits *limits)
{
	struct mem *m = ctx;
	int err;

	/* the former device ended while it shrank */
	m->cut_bytes = 0;
	err = ublkev__memmap_resize(&m->map, mem_map_bytes(&m->conf));
	if (err)
		return err;
	ublkev__disk_limits(&m->conf, limits, MAX_RANGE_BYTES,
			    MAX_RANGE_BYTES);
	if (m->map.page_bytes <= MAX_GRANULARITY_BYTES)
		limits->discard_granularity_bytes =
			(uint32_t)m->map.page_bytes;
	/* threads need no lock: requests for the same bytes race on any disk */
	limits->flags |= UBLKEV_LIMIT_THREADS | UBLKEV_LIMIT_THREADS_PER_QUEUE;
	if (mem_is_zoned(m))
		ublkev__zones_limits(&m->zones, limits);
	limits->metadata_bytes = m->conf.metadata_bytes;
	limits->pi = m->conf.pi;
	return 0;
}

/* Zeroes a piece of the range, which holds up one turn; answers its length. */
static uint64_t mem_zero_some(const struct mem *m, const struct ublkev_req *req,
			      uint64_t offset, uint64_t len)
{
	if (req->op == UBLKEV_OP_DISCARD ||
	    !(req->flags & UBLKEV_REQ_NOUNMAP)) {
		len = ublkev__memmap_discard_some(&m->map, offset, len);
	} else {
		if (len > FILL_BYTES)
			len = FILL_BYTES;
		ublkev__memmap_mark(&m->map, offset, len);
		memset(m->map.bytes + offset, 0, len);
	}
	mem_drop_metadata(m, offset, len);
	return len;
}

__attribute__((noinline))
static int mem_zero(const struct mem *m, struct ublkev_req *req)
{
	uintptr_t done = (uintptr_t)req->data;

	done += (uintptr_t)mem_zero_some(m, req, req->offset_bytes + done,
					 req->len_bytes - done);
	req->data = (void *)done;
	return done < req->len_bytes ? UBLKEV_AGAIN : UBLKEV_DONE;
}

static int mem_submit(void *ctx, struct ublkev_req *req)
{
	const struct mem *m = ctx;
	char *at = m->map.bytes + req->offset_bytes;

	switch (req->op) {
	case UBLKEV_OP_READ:
		memcpy(req->buf, at, req->len_bytes);
		return UBLKEV_DONE;
	case UBLKEV_OP_WRITE:
	case UBLKEV_OP_ZONE_APPEND:
		ublkev__memmap_mark(&m->map, req->offset_bytes, req->len_bytes);
		memcpy(at, req->buf, req->len_bytes);
		return UBLKEV_DONE;
	case UBLKEV_OP_FLUSH:
		return UBLKEV_DONE;
	case UBLKEV_OP_WRITE_ZEROES:
	case UBLKEV_OP_DISCARD:
		return mem_zero(m, req);
	default:
		return -EOPNOTSUPP;
	}
}

/* of a disk with zones, or metadata: what else is to be done */
static int mem_submit_more(void *ctx, struct ublkev_req *req)
{
	struct mem *m = ctx;
	int err = 0;

	if (req->op >= UBLKEV_OP_REPORT_ZONES &&
	    req->op != UBLKEV_OP_ZONE_APPEND)
		return mem_zone(m, req);
	if (req->op == UBLKEV_OP_WRITE && mem_is_zoned(m))
		err = ublkev__zones_write(&m->zones, req->offset_bytes,
					  req->len_bytes);
	if (err)
		return err;
	if (req->op == UBLKEV_OP_WRITE)
		mem_write_metadata(m, req);
	if (req->op == UBLKEV_OP_READ)
		mem_read_metadata(m, req);
	return mem_submit(ctx, req);
}

/*
 * A page never written reads as zeroes without being allocated, in the
 * kernel's copy also.
 */
static void *mem_map(void *ctx, const struct ublkev_req *req)
{
	const struct mem *m = ctx;

	if (req->op == UBLKEV_OP_WRITE)
		ublkev__memmap_mark(&m->map, req->offset_bytes, req->len_bytes);
	return m->map.bytes + req->offset_bytes;
}

/*
 * A piece of shrinking: first memory is given back, as by a DISCARD; then what
 * is empty is unmapped, from its end. false: more are to follow.
 */
static bool mem_cut_some(struct mem *m, uint64_t dev_bytes)
{
	uint64_t now_bytes = m->map.dev_bytes;

	if (m->cut_bytes < dev_bytes)
		m->cut_bytes = dev_bytes;
	if (m->cut_bytes < now_bytes) {
		m->cut_bytes += ublkev__memmap_discard_some(&m->map,
				m->cut_bytes, now_bytes - m->cut_bytes);
		return false;
	}
	if (now_bytes - dev_bytes <= UNMAP_BYTES)
		return true;
	return ublkev__memmap_resize(&m->map, now_bytes - UNMAP_BYTES);
}

static int mem_resize(void *ctx, uint64_t dev_bytes)
{
	struct mem *m = ctx;
	int err;

	if (dev_bytes < m->map.dev_bytes && !mem_cut_some(m, dev_bytes))
		return UBLKEV_AGAIN;
	err = ublkev__memmap_resize(&m->map, dev_bytes);
	if (err)
		return err;
	m->conf.dev_bytes = dev_bytes;
	m->cut_bytes = 0;
	return 0;
}

static const struct ublkev_backend_ops mem_ops = {
	.size = sizeof(mem_ops),
	.name = "mem",
	.open = mem_open,
	.submit = mem_submit,
	.map = mem_map,
	.resize = mem_resize,
};

/*
 * With zones, or metadata: whether a write is at the write pointer is submit()'s to
 * say, and beside the data there is more to be moved.
 */
static const struct ublkev_backend_ops mem_more_ops = {
	.size = sizeof(mem_more_ops),
	.name = "mem",
	.open = mem_open,
	.submit = mem_submit_more,
	.append = mem_append,
};

static void mem_free(void *ctx)
{
	struct mem *m = ctx;

	ublkev__memmap_fini(&m->map);
	free(m);
}

int ublkev_mem_new(struct ublkev_backend **backendp,
		   const struct ublkev_disk_conf *conf)
{
	struct ublkev_disk_conf own;
	struct mem *m;
	int err;

	err = ublkev__disk_take(&own, conf);
	if (err)
		return err;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->conf = own;
	own.dev_bytes = mem_map_bytes(&own);
	err = ublkev__memmap_init(&m->map, &own);
	if (err) {
		free(m);
		return err;
	}
	err = mem_make_zones(m);
	if (err) {
		mem_free(m);
		return err;
	}
	err = ublkev__guard_new(backendp, mem_is_zoned(m) ||
				m->conf.metadata_bytes ? &mem_more_ops :
				&mem_ops, m, mem_free);
	if (err)
		mem_free(m);
	return err;
}

int ublkev_mem_fd(const struct ublkev_backend *backend)
{
	const struct mem *m = backend->ctx;

	return backend->ctx_free == mem_free ? m->map.fd : -1;
}
