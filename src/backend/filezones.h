/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filezones.h - the zones of a disk in a file, whose states the file itself keeps
 *
 * A zone has been written up to the end of the last data that the file has within
 * it: behind these is a hole (SEEK_DATA, SEEK_HOLE of lseek(2)), which a reset makes
 * of all of it, and a finished zone has data in its last block. So a state is as
 * durable as the data, by the same FLUSH or FUA, and nothing else has to be written;
 * nor can the two differ. What a server did not know to be open is closed, as after
 * a loss of power.
 */
#ifndef UBLKEV_BACKEND_FILEZONES_H
#define UBLKEV_BACKEND_FILEZONES_H

#include <ublkev/file.h>

#include "backend/fileopen.h"
#include "backend/zones.h"

/* what a hole begins at, at the most, and so a logical block */
#define UBLKEV__FILEZONES_BLOCK	4096u

struct ublkev__filezones {
	struct ublkev__zones zones;
	void *table;		/* of these, in private memory */
	int fd;			/* the file's owner's */
	uint64_t offset_bytes;	/* where the disk begins in it */
};

/* What a conf says of zones: 0, or -EINVAL. It gets what it leaves open. */
int ublkev__filezones_take_conf(struct ublkev_file_conf *conf);

/*
 * Looks at the file, which may wait. Errors: -EINVAL (a block device; no whole
 * zones; blocks of the file system that are larger than UBLKEV__FILEZONES_BLOCK),
 * -EOPNOTSUPP (a file system that tells of no holes), -ENOMEM.
 */
int ublkev__filezones_init(struct ublkev__filezones *fz,
			   const struct ublkev__fileopen *f,
			   const struct ublkev_file_conf *conf);
void ublkev__filezones_fini(struct ublkev__filezones *fz);

/* ops->place() of what is not as on any disk, ops->placed() of all. */
int ublkev__filezones_place(struct ublkev__filezones *fz,
			    const struct ublkev_req *req,
			    struct ublkev_extent *extents);
void ublkev__filezones_placed(struct ublkev__filezones *fz,
			      const struct ublkev_req *req, int err);

#endif
