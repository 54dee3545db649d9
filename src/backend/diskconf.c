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

static int diskconf_check(const struct ublkev_disk_conf *conf)
{
	uint32_t block = conf->logical_block_bytes;

	if (!ublkev__is_block(block))
		return -EINVAL;
	if (conf->dev_bytes < block || (conf->dev_bytes & (block - 1)) ||
	    conf->dev_bytes > INT64_MAX)
		return -EINVAL;
	return conf->flags & ~DISK_FLAGS ? -EINVAL : 0;
}

int ublkev__disk_take(struct ublkev_disk_conf *own,
		      const struct ublkev_disk_conf *conf)
{
	int err = ublkev__sized_take(own, &defaults, sizeof(*own), conf);

	return err ? err : diskconf_check(own);
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
