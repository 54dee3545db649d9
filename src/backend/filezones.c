/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which holes and data in a file are which states of zones, and where in it
 * what is done to a zone is to be done.
 */
#include "backend/filezones.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

/* ---- conf ------------------------------------------------------------------ */

int ublkev__filezones_take_conf(struct ublkev_file_conf *conf)
{
	uint64_t zone = conf->zone_bytes;

	if (!zone)
		return conf->zone_capacity_bytes || conf->max_open_zones ||
		       conf->max_active_zones || conf->conventional_zones ?
			-EINVAL : 0;
	if (!conf->logical_block_bytes)
		conf->logical_block_bytes = UBLKEV__FILEZONES_BLOCK;
	if (!conf->zone_capacity_bytes)
		conf->zone_capacity_bytes = zone;
	if (zone < UBLKEV__FILEZONES_BLOCK || zone > UINT64_C(1) << 31 ||
	    zone & (zone - 1) || conf->dev_bytes % zone ||
	    conf->logical_block_bytes != UBLKEV__FILEZONES_BLOCK ||
	    conf->zone_capacity_bytes > zone ||
	    conf->zone_capacity_bytes % UBLKEV__FILEZONES_BLOCK)
		return -EINVAL;
	/* blocks that are allocated are given back by the first reset */
	conf->flags |= UBLKEV_FILE_THIN;
	return 0;
}

/* ---- the file ---------------------------------------------------------------- */

/* where the last data before `end` end, or `from`: there are none */
static int64_t filezones_last_data(int fd, uint64_t from, uint64_t end)
{
	uint64_t last = from;
	off_t at = (off_t)from;

	for (;;) {
		at = lseek(fd, at, SEEK_DATA);
		if (at < 0 && errno == ENXIO)
			return (int64_t)last;
		if (at < 0)
			return errno == EINVAL ? -EOPNOTSUPP : -errno;
		if ((uint64_t)at >= end)
			return (int64_t)last;
		at = lseek(fd, at, SEEK_HOLE);
		if (at < 0)
			return -errno;
		last = (uint64_t)at < end ? (uint64_t)at : end;
		if (last == end)
			return (int64_t)last;
	}
}

static int filezones_look(struct ublkev__filezones *fz)
{
	const struct ublkev__zones_conf *conf = &fz->zones.conf;
	uint64_t at = ublkev__zones_conventional_bytes(&fz->zones);
	int64_t last;
	uint64_t from;

	for (; at < conf->dev_bytes; at += conf->zone_bytes) {
		from = fz->offset_bytes + at;
		last = filezones_last_data(fz->fd, from,
					   from + conf->capacity_bytes);
		if (last < 0)
			return (int)last;
		ublkev__zones_found(&fz->zones, at, (uint64_t)last - from);
	}
	return 0;
}

/*
 * A file that was just made is a hole; where it is said to be data, all that is
 * not written ever will be.
 */
static int filezones_check_file(const struct ublkev__fileopen *f)
{
	struct statfs fs;

	if (f->is_block)
		return -EINVAL;
	if (fstatfs(f->fd, &fs))
		return -errno;
	if ((uint64_t)fs.f_bsize > UBLKEV__FILEZONES_BLOCK)
		return -EINVAL;
	return f->filled && lseek(f->fd, 0, SEEK_DATA) >= 0 ? -EOPNOTSUPP : 0;
}

static int filezones_check_zones(const struct ublkev__zones_conf *zones)
{
	uint64_t nr = zones->dev_bytes / zones->zone_bytes;

	if (!nr || zones->dev_bytes % zones->zone_bytes ||
	    nr > UINT32_MAX / 2 || zones->conventional > nr ||
	    zones->max_active > nr ||
	    zones->max_open > (zones->max_active ? zones->max_active : nr))
		return -EINVAL;
	return 0;
}

int ublkev__filezones_init(struct ublkev__filezones *fz,
			   const struct ublkev__fileopen *f,
			   const struct ublkev_file_conf *conf)
{
	const struct ublkev__zones_conf zones = {
		.dev_bytes = f->dev_bytes,
		.zone_bytes = conf->zone_bytes,
		.capacity_bytes = conf->zone_capacity_bytes,
		.max_open = conf->max_open_zones,
		.max_active = conf->max_active_zones,
		.conventional = conf->conventional_zones,
	};
	int err = filezones_check_file(f);

	memset(fz, 0, sizeof(*fz));
	if (!err)
		err = filezones_check_zones(&zones);
	if (err)
		return err;
	fz->fd = f->fd;
	fz->offset_bytes = f->offset_bytes;
	fz->table = calloc(1, ublkev__zones_table_bytes(&zones));
	if (!fz->table)
		return -ENOMEM;
	err = ublkev__zones_init(&fz->zones, &zones, fz->table);
	if (!err)
		err = filezones_look(fz);
	if (err)
		ublkev__filezones_fini(fz);
	return err;
}

void ublkev__filezones_fini(struct ublkev__filezones *fz)
{
	free(fz->table);
	fz->table = NULL;
}

/* ---- requests ------------------------------------------------------------------ */

static void filezones_extent(const struct ublkev__filezones *fz,
			     struct ublkev_extent *x, uint64_t at, uint64_t len)
{
	x->fd = len ? fz->fd : -1;
	x->offset_bytes = len ? fz->offset_bytes + at : 0;
	x->len_bytes = len;
}

/*
 * Of a reset all of the capacity: behind the write pointer may be what a write
 * that failed has left.
 */
static void filezones_place_manage(const struct ublkev__filezones *fz,
				   const struct ublkev_req *req,
				   struct ublkev_extent *x)
{
	uint64_t at = req->offset_bytes, cap = fz->zones.conf.capacity_bytes;
	bool full = ublkev__zones_written(&fz->zones, at) >= cap;

	if (req->op == UBLKEV_OP_ZONE_RESET)
		filezones_extent(fz, x, at, cap);
	else if (req->op == UBLKEV_OP_ZONE_FINISH && !full)
		filezones_extent(fz, x, at + cap - UBLKEV__FILEZONES_BLOCK,
				 UBLKEV__FILEZONES_BLOCK);
	else
		filezones_extent(fz, x, 0, 0);
}

int ublkev__filezones_place(struct ublkev__filezones *fz,
			    const struct ublkev_req *req,
			    struct ublkev_extent *x)
{
	uint64_t at = req->offset_bytes;
	int err;

	switch (req->op) {
	case UBLKEV_OP_REPORT_ZONES:
		return 0;
	case UBLKEV_OP_WRITE:
		err = ublkev__zones_write(&fz->zones, at, req->len_bytes);
		break;
	case UBLKEV_OP_ZONE_RESET_ALL:
		at = ublkev__zones_conventional_bytes(&fz->zones);
		filezones_extent(fz, x, at, fz->zones.conf.dev_bytes - at);
		return 1;
	case UBLKEV_OP_ZONE_OPEN:
	case UBLKEV_OP_ZONE_CLOSE:
	case UBLKEV_OP_ZONE_FINISH:
		filezones_place_manage(fz, req, x);
		err = ublkev__zones_manage(&fz->zones, req->op, at);
		return err ? err : 1;
	case UBLKEV_OP_ZONE_RESET:
		filezones_place_manage(fz, req, x);
		err = ublkev__zones_may_manage(&fz->zones, req->op, at);
		return err ? err : 1;
	default:
		err = 0;
	}
	filezones_extent(fz, x, at, req->len_bytes);
	return err ? err : 1;
}

/* a zone is empty once its data are gone, and no sooner */
void ublkev__filezones_placed(struct ublkev__filezones *fz,
			      const struct ublkev_req *req, int err)
{
	bool writes = req->op == UBLKEV_OP_WRITE ||
		      req->op == UBLKEV_OP_ZONE_APPEND;

	if (err && writes)
		ublkev__zones_unwrite(&fz->zones, req->offset_bytes,
				      req->len_bytes);
	else if (!err && req->op == UBLKEV_OP_ZONE_RESET)
		(void)ublkev__zones_manage(&fz->zones, req->op,
					   req->offset_bytes);
	else if (!err && req->op == UBLKEV_OP_ZONE_RESET_ALL)
		ublkev__zones_reset_all(&fz->zones);
}
