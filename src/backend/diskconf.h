/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diskconf.h - what the built-in disks share
 */
#ifndef UBLKEV_BACKEND_DISKCONF_H
#define UBLKEV_BACKEND_DISKCONF_H

#include <stdbool.h>

#include <ublkev/backend.h>

#include "backend/zones.h"

/* a logical block as the driver takes it */
static inline bool ublkev__is_block(uint32_t bytes)
{
	return bytes >= 512 && bytes <= 4096 && !(bytes & (bytes - 1));
}

/*
 * `own` is `conf`, from a caller whose struct may be shorter or longer than
 * ours, with the defaults where it says nothing (all, if it is NULL).
 * Errors: -EINVAL (sizes that struct ublkev_limits forbids, flags unknown).
 */
int ublkev__disk_take(struct ublkev_disk_conf *own,
		      const struct ublkev_disk_conf *conf);

/* the zones that a zoned disk is to have */
void ublkev__disk_zones(const struct ublkev_disk_conf *conf,
			struct ublkev__zones_conf *zones);

/*
 * The limits of a disk that does every op, with these bounds; a read-only
 * one neither discards nor writes zeroes.
 */
void ublkev__disk_limits(const struct ublkev_disk_conf *conf,
			 struct ublkev_limits *limits,
			 uint32_t max_discard_bytes,
			 uint32_t max_write_zeroes_bytes);

#endif
