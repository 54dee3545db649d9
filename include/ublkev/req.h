/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * req.h - one block request, as a backend sees it
 */
#ifndef UBLKEV_REQ_H
#define UBLKEV_REQ_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What a request asks for. The numbers are this library's own and dense;
 * the driver's are UBLK_IO_OP_* of <linux/ublk_cmd.h>.
 */
enum ublkev_op {
	/* fill buf with len_bytes from offset_bytes, every byte of it */
	UBLKEV_OP_READ,
	/* store len_bytes of buf at offset_bytes */
	UBLKEV_OP_WRITE,
	/* make all writes that were answered before it durable; no range */
	UBLKEV_OP_FLUSH,
	/* the range is not needed; what it reads as afterwards is open */
	UBLKEV_OP_DISCARD,
	/* the range reads as zeroes afterwards */
	UBLKEV_OP_WRITE_ZEROES,
	/*
	 * ---- the following come to a zoned disk only, see UBLKEV_LIMIT_ZONED
	 *
	 * fill buf with the zones from the one at offset_bytes on, each a
	 * struct blk_zone of <linux/blkzoned.h> (UBLKEV_ZONE_BYTES); one whose
	 * len is 0 ends them
	 */
	UBLKEV_OP_REPORT_ZONES,
	/* store len_bytes of buf at offset_bytes, which append() has answered */
	UBLKEV_OP_ZONE_APPEND,
	/*
	 * the zone that begins at offset_bytes: open it explicitly, close it,
	 * have it be full, have it be empty; no len_bytes
	 */
	UBLKEV_OP_ZONE_OPEN,
	UBLKEV_OP_ZONE_CLOSE,
	UBLKEV_OP_ZONE_FINISH,
	UBLKEV_OP_ZONE_RESET,
	/* all zones but conventional ones are to be empty; no range */
	UBLKEV_OP_ZONE_RESET_ALL,
	UBLKEV_NR_OPS
};

/* of a zone in the buffer of a REPORT_ZONES: sizeof(struct blk_zone) */
#define UBLKEV_ZONE_BYTES	64u

/* WRITE, WRITE_ZEROES, ZONE_APPEND: durable before it is answered (UBLK_IO_F_FUA) */
#define UBLKEV_REQ_FUA		(1u << 0)
/* WRITE_ZEROES: keep the range allocated (UBLK_IO_F_NOUNMAP) */
#define UBLKEV_REQ_NOUNMAP	(1u << 1)
/* filesystem metadata, a hint for statistics or priority (UBLK_IO_F_META) */
#define UBLKEV_REQ_META		(1u << 2)
/* fail rather than retry: any of UBLK_IO_F_FAILFAST_DEV/TRANSPORT/DRIVER */
#define UBLKEV_REQ_FAILFAST	(1u << 3)
/*
 * READ, WRITE of a disk with metadata: those of the range are in the buffer as
 * well, behind the data, see ublkev_req_metadata() (UBLK_IO_F_INTEGRITY)
 */
#define UBLKEV_REQ_METADATA	(1u << 4)

/*
 * READ, WRITE: buf is not a buffer of the library's, but in memory that the client
 * shares with the server, see ublkev_dev_share() (UBLK_IO_F_SHMEM_ZC). The client
 * may change it meanwhile.
 */
#define UBLKEV_REQ_SHARED	(1u << 5)

/*
 * A request and its buffer are lent to the backend from the call of its
 * submit() until it is answered; the pointer stays valid and the members
 * stay as they are for that time, so a request may be linked into a list of
 * the backend's through `data`. Members marked ro are read only for the
 * backend, rw are its own. One that map() or place() is called with is lent for
 * that call; what was placed, until its placed().
 */
struct ublkev_req {
	uint64_t cookie;	/* ro: names this request to
				   ublkev_req_done(), never used twice in
				   a device's life until 2^32 requests of
				   its tag later */
	uint64_t offset_bytes;	/* ro: multiple of the logical block */
	uint64_t len_bytes;	/* ro: multiple of the logical block, not 0;
				   0 where the op has no range. At most
				   max_io_bytes where there is a buf */
	void *buf;		/* ro: page-aligned data of READ, WRITE,
				   REPORT_ZONES, ZONE_APPEND; with
				   UBLKEV_REQ_SHARED aligned to
				   limits.dma_align_bytes, or 4; NULL for the
				   rest, and not set for map() */
	void *data;		/* rw: NULL at the first submit() */
	uint32_t flags;		/* ro: UBLKEV_REQ_* */
	uint16_t queue;		/* ro: blk-mq hardware queue */
	uint16_t tag;		/* ro: blk-mq tag in that queue */
	uint8_t op;		/* ro: enum ublkev_op */
	uint16_t thread;	/* ro: of UBLKEV_CONF_QUEUE_THREADS, the one that
				   serves the tag, as queue_start() was told its
				   number; else the queue's */
};

/*
 * Where the metadata of a request with UBLKEV_REQ_METADATA are: limits.
 * metadata_bytes for each interval of the range, to be filled in by a READ and
 * kept by a WRITE. A WRITE without comes from a client that has none: what is
 * kept then is no business of its server's but to say so (PI: all bits set, which
 * nobody checks).
 */
static inline void *ublkev_req_metadata(const struct ublkev_req *req)
{
	return (char *)req->buf + req->len_bytes;
}

/*
 * "READ", "FLUSH" and so on; "?" for a number that is no op. Static string,
 * any thread.
 */
const char *ublkev_op_name(unsigned int op);

#ifdef __cplusplus
}
#endif

#endif /* UBLKEV_REQ_H */
