/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the memory disk and the null disk are told, judged once for both, and
 * the limits that follow from it.
 */
#include "backend/diskconf.h"

#include <errno.h>

#include "util/sized.h"

#define DISK_FLAGS	(UBLKEV_DISK_READ_ONLY | UBLKEV_DISK_HUGE_PAGES | \
			 UBLKEV_DISK_SHARED | UBLKEV_DISK_NO_DATA)

static const struct ublkev_disk_conf defaults = {
	.size = sizeof(defaults),
	.dev_bytes = UINT64_C(256) << 20,
	.logical_block_bytes = 512,
	.fd = -1,
};

void ublkev_disk_conf_init(struct ublkev_disk_conf *conf, size_t size)
{
	ublkev__sized_fill(conf, size, &defaults, sizeof(defaults));
}

static bool diskconf_bad_zones(const struct ublkev_disk_conf *conf)
{
	uint64_t zone = conf->zone_bytes, zones;

	if (!zone)
		return conf->zone_capacity_bytes || conf->max_open_zones ||
		       conf->max_active_zones || conf->conventional_zones;
	if (zone < 4096 || zone > UINT64_C(1) << 31 || zone & (zone - 1) ||
	    conf->dev_bytes % zone)
		return true;
	if (conf->zone_capacity_bytes > zone ||
	    conf->zone_capacity_bytes % conf->logical_block_bytes)
		return true;
	zones = conf->dev_bytes / zone;
	return zones > UINT32_MAX / 2 || conf->conventional_zones > zones ||
	       conf->max_active_zones > zones ||
	       conf->max_open_zones > (conf->max_active_zones ?
				       conf->max_active_zones : zones);
}

static int diskconf_check(const struct ublkev_disk_conf *conf)
{
	uint32_t block = conf->logical_block_bytes;

	if (!ublkev__is_block(block))
		return -EINVAL;
	if (conf->dev_bytes < block || (conf->dev_bytes & (block - 1)) ||
	    conf->dev_bytes > INT64_MAX)
		return -EINVAL;
	if (diskconf_bad_zones(conf))
		return -EINVAL;
	if (conf->pi >= UBLKEV_NR_PIS || conf->metadata_bytes > 255 ||
	    conf->metadata_bytes < ublkev_pi_bytes(conf->pi) ||
	    (conf->metadata_bytes && conf->zone_bytes))
		return -EINVAL;
	return conf->flags & ~DISK_FLAGS ? -EINVAL : 0;
}

int ublkev__disk_take(struct ublkev_disk_conf *own,
		      const struct ublkev_disk_conf *conf)
{
	int err = ublkev__sized_take(own, &defaults, sizeof(*own), conf);

	if (!err && !own->metadata_bytes)
		own->metadata_bytes = ublkev_pi_bytes(own->pi);
	return err ? err : diskconf_check(own);
}

void ublkev__disk_zones(const struct ublkev_disk_conf *conf,
			struct ublkev__zones_conf *zones)
{
	*zones = (struct ublkev__zones_conf){
		.dev_bytes = conf->dev_bytes,
		.zone_bytes = conf->zone_bytes,
		.capacity_bytes = conf->zone_capacity_bytes ?
			conf->zone_capacity_bytes : conf->zone_bytes,
		.max_open = conf->max_open_zones,
		.max_active = conf->max_active_zones,
		.conventional = conf->conventional_zones,
	};
}

/*
 * A cache is claimed although nothing is volatile or everything is: FLUSH
 * and FUA, free here, then arrive and are counted.
 */
void ublkev__disk_limits(const struct ublkev_disk_conf *conf,
			 struct ublkev_limits *limits,
			 uint32_t max_discard_bytes,
			 uint32_t max_write_zeroes_bytes)
{
	limits->dev_bytes = conf->dev_bytes;
	limits->logical_block_bytes = conf->logical_block_bytes;
	limits->flags = UBLKEV_LIMIT_VOLATILE_CACHE | UBLKEV_LIMIT_FUA;
	if (conf->flags & UBLKEV_DISK_READ_ONLY) {
		limits->flags |= UBLKEV_LIMIT_READ_ONLY;
		return;
	}
	limits->max_discard_bytes = max_discard_bytes;
	limits->max_write_zeroes_bytes = max_write_zeroes_bytes;
}
