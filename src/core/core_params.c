/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/core_params.h"

#include <errno.h>

#include "core/core_names.h"

#define SECTOR_SHIFT 9

/* longer than any wake-up takes, and no fair thing to do to a loop */
#define MOST_WAIT_US 1000

/* what conf.features may name */
#define F_WANTABLE	UBLKEV_F_NO_AUTO_PART_SCAN
#define F_NEEDED	UBLKEV__F(CMD_IOCTL_ENCODE)
#define F_ALWAYS	(F_NEEDED | UBLKEV__F(URING_CMD_COMP_IN_TASK))

int ublkev__conf_check(const struct ublkev_conf *conf)
{
	if (conf->id < -1 || conf->id > UBLKEV__MAX_ID)
		return -EINVAL;
	if (!conf->queues || conf->queues > UBLKEV__MAX_QUEUES)
		return -EINVAL;
	if (!conf->depth || conf->depth > UBLKEV__MAX_DEPTH)
		return -EINVAL;
	if (conf->queues * conf->depth > UBLKEV__MAX_TAGS)
		return -EINVAL;
	if (conf->max_io_bytes < UBLKEV__PAGE ||
	    conf->max_io_bytes > 32u << 20 ||
	    conf->max_io_bytes % UBLKEV__PAGE)
		return -EINVAL;
	if (!conf->cmd_timeout_ms || !conf->start_timeout_ms ||
	    !conf->stop_timeout_ms || !conf->grace_ms)
		return -EINVAL;
	if (conf->wait_us > MOST_WAIT_US)
		return -EINVAL;
	if ((unsigned int)conf->copy >= UBLKEV_NR_COPIES)
		return -EINVAL;
	if (conf->features & ~F_WANTABLE)
		return -EOPNOTSUPP;
	if (conf->flags & ~UBLKEV_CONF_LATENCY)
		return -EOPNOTSUPP;
	return 0;
}

static uint8_t shift_of(uint32_t bytes)
{
	return bytes ? (uint8_t)(31 - __builtin_clz(bytes)) : 0;
}

static uint32_t sectors_of(uint64_t bytes)
{
	uint64_t sectors = bytes >> SECTOR_SHIFT;

	return sectors > UINT32_MAX ? UINT32_MAX : (uint32_t)sectors;
}

static uint32_t attrs_of(uint32_t flags)
{
	uint32_t attrs = 0;

	if (flags & UBLKEV_LIMIT_READ_ONLY)
		attrs |= UBLKEV__ATTR_READ_ONLY;
	if (flags & UBLKEV_LIMIT_ROTATIONAL)
		attrs |= UBLKEV__ATTR_ROTATIONAL;
	if (flags & UBLKEV_LIMIT_VOLATILE_CACHE)
		attrs |= UBLKEV__ATTR_VOLATILE_CACHE;
	if (flags & UBLKEV_LIMIT_FUA)
		attrs |= UBLKEV__ATTR_FUA;
	return attrs;
}

/* whole granules, so that the block layer splits at their borders */
static uint32_t granules(uint64_t bytes, uint32_t granularity)
{
	uint32_t sectors = sectors_of(bytes);

	return sectors - sectors % (granularity >> SECTOR_SHIFT);
}

void ublkev__params_make(struct ublkev__params *p,
			 const struct ublkev_limits *limits,
			 uint32_t max_io_bytes)
{
	uint32_t max_io = limits->max_io_bytes;

	if (!max_io || max_io > max_io_bytes)
		max_io = max_io_bytes;
	p->dev_sectors = limits->dev_bytes >> SECTOR_SHIFT;
	p->attrs = attrs_of(limits->flags);
	p->max_sectors = max_io >> SECTOR_SHIFT;
	p->chunk_sectors = limits->chunk_bytes >> SECTOR_SHIFT;
	p->logical_bs_shift = shift_of(limits->logical_block_bytes);
	p->physical_bs_shift = shift_of(limits->physical_block_bytes);
	p->io_min_shift = shift_of(limits->io_min_bytes);
	p->io_opt_shift = shift_of(limits->io_opt_bytes);
	p->discard_granularity = limits->discard_granularity_bytes;
	p->max_discard_sectors = granules(limits->max_discard_bytes,
					  p->discard_granularity);
	p->max_write_zeroes_sectors =
		granules(limits->max_write_zeroes_bytes,
			 limits->logical_block_bytes);
}

static enum ublkev_copy best_copy(unsigned int traits)
{
	if (traits & UBLKEV__NO_DATA)
		return UBLKEV_COPY_USER;
	return UBLKEV_COPY_DIRECT;
}

uint64_t ublkev__copy_features(const struct ublkev_conf *conf,
			       unsigned int traits, uint64_t offered)
{
	enum ublkev_copy copy = conf->copy;
	uint64_t features = 0;

	if (copy == UBLKEV_COPY_AUTO)
		copy = best_copy(traits);
	if (copy == UBLKEV_COPY_USER)
		features = UBLKEV__F(USER_COPY);
	if (copy == UBLKEV_COPY_DIRECT && traits & UBLKEV__CAN_MAP)
		features = UBLKEV__F(NEED_GET_DATA);
	return features & offered;
}

enum ublkev__copy ublkev__copy_of(uint64_t features)
{
	if (features & UBLKEV__F(USER_COPY))
		return UBLKEV__COPY_USER;
	if (features & UBLKEV__F(NEED_GET_DATA))
		return UBLKEV__COPY_DIRECT;
	return UBLKEV__COPY_PLAIN;
}

int ublkev__features_choose(uint64_t wanted, uint64_t offered,
			    uint64_t *chosen)
{
	if (F_NEEDED & ~offered)
		return -EOPNOTSUPP;
	*chosen = (wanted | F_ALWAYS) & offered;
	return 0;
}
