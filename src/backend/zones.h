/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zones.h - the zones of a disk: what their states allow, and what follows
 *
 *	            open, write            close
 *	   EMPTY ----------------> OPEN <---------> CLOSED
 *	     ^                      |  open, write   |
 *	     | reset                v finish, full   v finish
 *	     +-------------------- FULL <------------+
 *
 * Open a zone is implicitly (by a write) or explicitly. Where only so many may be
 * open, one that is implicitly so is closed for another; where only so many may
 * be active, open or closed, an empty one stays so. As the standards have it (ZBC,
 * ZNS): only at its write pointer a zone is written. Conventional zones, which are
 * the first ones, know none of this.
 *
 * Nothing is locked: one thread's.
 */
#ifndef UBLKEV_BACKEND_ZONES_H
#define UBLKEV_BACKEND_ZONES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ublkev/backend.h>

/* of one zone; kept in the disk's own memory, if that outlives the process */
struct ublkev__zone {
	uint64_t wp_bytes;	/* within the zone; FULL: its size */
	uint8_t cond;		/* BLK_ZONE_COND_* */
	uint8_t reserved[7];
};

struct ublkev__zones_conf {
	uint64_t dev_bytes;		/* whole zones */
	uint64_t zone_bytes;		/* power of 2 */
	uint64_t capacity_bytes;	/* of what can be written of a zone */
	uint32_t max_open, max_active;	/* 0: any number */
	uint32_t conventional;
};

struct ublkev__zones {
	struct ublkev__zones_conf conf;
	struct ublkev__zone *zone;	/* [nr] */
	uint32_t nr;
	uint32_t nr_open;		/* explicitly or implicitly */
	uint32_t nr_implicit;		/* of those */
	uint32_t nr_active;		/* open or closed */
	uint32_t victim;		/* where to look for one to close */
};

/* what the states are kept in, if that is to be understood by others later */
size_t ublkev__zones_table_bytes(const struct ublkev__zones_conf *conf);

/*
 * `conf` was checked, and `table` has room for the above, aligned to 8 bytes, and
 * stays the caller's: all zeroes, it becomes a table of empty zones; or it is that
 * of another process, whose zones are as they were. Error: -EINVAL, it is of other
 * zones, or none at all; it is left alone then.
 */
int ublkev__zones_init(struct ublkev__zones *z,
		       const struct ublkev__zones_conf *conf, void *table);

/* the limits of a disk that has these zones */
void ublkev__zones_limits(const struct ublkev__zones *z,
			  struct ublkev_limits *limits);

/* After init, of a zone that was found: so much of it has been written. */
void ublkev__zones_found(struct ublkev__zones *z, uint64_t offset_bytes,
			 uint64_t wp_bytes);

/*
 * A WRITE of this range, which is in one zone, and opens it if need be. Errors:
 * -EIO (not at the write pointer, or beyond the capacity), -ETOOMANYREFS (no
 * more zones may be open), -EOVERFLOW (or active), which the block layer knows.
 */
int ublkev__zones_write(struct ublkev__zones *z, uint64_t offset_bytes,
			uint64_t len_bytes);
/* Where in the disk so much goes that is appended to the zone; errors as above. */
int64_t ublkev__zones_append(struct ublkev__zones *z, uint64_t offset_bytes,
			     uint64_t len_bytes);
/*
 * The write of that range has failed: the write pointer goes back where nothing
 * was written behind it, nor the zone filled; else what is there is undefined.
 */
void ublkev__zones_unwrite(struct ublkev__zones *z, uint64_t offset_bytes,
			   uint64_t len_bytes);

/*
 * OPEN, CLOSE, FINISH, RESET of the zone that begins there. may_manage answers
 * whether it is possible, and changes nothing. Errors: -EIO (its state does not
 * allow it, or it is conventional), as those of write.
 */
int ublkev__zones_may_manage(const struct ublkev__zones *z, unsigned int op,
			     uint64_t offset_bytes);
int ublkev__zones_manage(struct ublkev__zones *z, unsigned int op,
			 uint64_t offset_bytes);

/* all but conventional ones are empty */
void ublkev__zones_reset_all(struct ublkev__zones *z);

/* Fills the buffer of a REPORT_ZONES. */
void ublkev__zones_report(const struct ublkev__zones *z,
			  const struct ublkev_req *req);

static inline uint64_t ublkev__zones_conventional_bytes(
	const struct ublkev__zones *z)
{
	return z->conf.conventional * z->conf.zone_bytes;
}

/* so much of the zone may have been written */
uint64_t ublkev__zones_written(const struct ublkev__zones *z,
			       uint64_t offset_bytes);

/* asserts that all of the above holds; for tests */
void ublkev__zones_verify(const struct ublkev__zones *z);

#endif
