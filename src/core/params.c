/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the driver is told of a device, from a backend's limits and the conf,
 * and what is made of the features that it offers.
 */
#include "core/params.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "core/names.h"

#define SECTOR_SHIFT 9

/*
 * The most that a request may discard, or zero, on any kernel. blk_rq_bytes()
 * has 32 bits, in which 4 GiB are 0; and write zeroes before 6.11 were silently
 * cut to what these bits held.
 */
#define MOST_SECTORS (UINT32_MAX >> SECTOR_SHIFT)

#define F_NEEDED	UBLKEV__F(CMD_IOCTL_ENCODE)
#define F_ZERO		(UBLKEV__F(USER_COPY) | UBLKEV__F(AUTO_BUF_REG))
#define F_BY_HAND	(UBLKEV__F(USER_COPY) | UBLKEV__F(SUPPORT_ZERO_COPY))
#define F_ALWAYS	(F_NEEDED | UBLKEV__F(URING_CMD_COMP_IN_TASK) | \
			 UBLKEV__F(UPDATE_SIZE))

static uint8_t params_shift_of(uint32_t bytes)
{
	return bytes ? (uint8_t)(31 - __builtin_clz(bytes)) : 0;
}

static uint32_t params_sectors_of(uint64_t bytes)
{
	uint64_t sectors = bytes >> SECTOR_SHIFT;

	return sectors > MOST_SECTORS ? MOST_SECTORS : (uint32_t)sectors;
}

static uint32_t params_attrs_of(uint32_t flags)
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

/* Whole granules, so that the block layer splits requests at their borders. */
static uint32_t params_granules(uint64_t bytes, uint32_t granularity)
{
	uint32_t sectors = params_sectors_of(bytes);

	return sectors - sectors % (granularity >> SECTOR_SHIFT);
}

/*
 * The driver takes none of the three as 0: there is a most, or the block layer's
 * own 4 GiB, in its place (ublk_validate_params()).
 */
static void params_make_pages(struct ublkev__params *p,
			      const struct ublkev_limits *limits)
{
	p->dma_align_bytes = limits->dma_align_bytes;
	if (!limits->max_segments && !limits->max_segment_bytes &&
	    !limits->segment_boundary_bytes)
		return;
	p->max_segments = limits->max_segments ?
		(uint16_t)limits->max_segments : UINT16_MAX;
	p->max_segment_bytes = limits->max_segment_bytes ?
		limits->max_segment_bytes : UINT32_MAX;
	p->segment_boundary_mask = limits->segment_boundary_bytes ?
		limits->segment_boundary_bytes - 1 : UINT32_MAX;
}

/*
 * ublk_dev_param_zoned_validate() wants one, and START_DEV that an append fits
 * into a request and a zone.
 */
static void params_make_zones(struct ublkev__params *p,
			      const struct ublkev_limits *limits)
{
	uint32_t most = limits->max_zone_append_bytes >> SECTOR_SHIFT;

	if (!most || most > p->max_sectors)
		most = p->max_sectors;
	if (most > p->chunk_sectors)
		most = p->chunk_sectors;
	p->max_zone_append_sectors = most;
	p->max_open_zones = limits->max_open_zones;
	p->max_active_zones = limits->max_active_zones;
}

void ublkev__params_make(struct ublkev__params *p,
			 const struct ublkev_limits *limits,
			 uint32_t max_io_bytes, bool lent)
{
	uint32_t max_io = limits->max_io_bytes;

	if (!max_io || max_io > max_io_bytes)
		max_io = max_io_bytes;
	p->dev_sectors = limits->dev_bytes >> SECTOR_SHIFT;
	p->attrs = params_attrs_of(limits->flags);
	p->max_sectors = max_io >> SECTOR_SHIFT;
	p->chunk_sectors = limits->chunk_bytes >> SECTOR_SHIFT;
	p->logical_bs_shift = params_shift_of(limits->logical_block_bytes);
	p->physical_bs_shift = params_shift_of(limits->physical_block_bytes);
	p->io_min_shift = params_shift_of(limits->io_min_bytes);
	p->io_opt_shift = params_shift_of(limits->io_opt_bytes);
	p->discard_granularity = limits->discard_granularity_bytes;
	p->max_discard_sectors = params_granules(limits->max_discard_bytes,
						 p->discard_granularity);
	p->max_write_zeroes_sectors =
		params_granules(limits->max_write_zeroes_bytes,
				limits->logical_block_bytes);
	if (limits->metadata_bytes) {
		p->metadata_bytes = (uint8_t)limits->metadata_bytes;
		p->metadata_interval_shift =
			params_shift_of(limits->metadata_interval_bytes);
		p->pi = (uint8_t)limits->pi;
	}
	if (limits->flags & UBLKEV_LIMIT_ZONED)
		params_make_zones(p, limits);
	if (lent)
		params_make_pages(p, limits);
}

uint32_t ublkev__metadata_of(const struct ublkev_limits *limits,
			     uint32_t bytes)
{
	if (!limits->metadata_bytes)
		return 0;
	return bytes / limits->metadata_interval_bytes *
	       limits->metadata_bytes;
}

uint64_t ublkev__xfer_features(const struct ublkev_conf *conf,
			       unsigned int traits, uint64_t offered)
{
	enum ublkev_copy copy = conf->copy;
	bool root = !(conf->flags & UBLKEV_CONF_UNPRIVILEGED);
	/* a request that is not placed, or finds no slot, needs USER_COPY */
	bool lends = root && traits & UBLKEV__CAN_PLACE;
	bool zero = lends && !(F_ZERO & ~offered);
	bool by_hand = lends && !(F_BY_HAND & ~offered);
	bool user = traits & (UBLKEV__ZONED | UBLKEV__METADATA);
	bool batch = conf->features & offered & UBLKEV_F_BATCH_IO;
	bool shares = conf->features & offered & UBLKEV_F_SHMEM_ZC;
	uint64_t features = 0;

	/*
	 * ublk_batch_commit_io() gives the pages of an append back, and with them
	 * ends it, before it takes over where that went (7.3.4): the client would
	 * be told where its zone begins.
	 */
	if (traits & UBLKEV__ZONED && batch)
		zero = false;
	/*
	 * ZERO is less work for a file at 4 KiB as at 128, for pages that are
	 * lent need not be pinned either. DIRECT saves one pass over the data.
	 * A READ pays nothing for it, a WRITE one more round, which only shows
	 * at depth 1 (4 % at 4 KiB). With USER_COPY a READ needs that round,
	 * too. Without map() there is no address to copy to, and DIRECT becomes
	 * PLAIN below.
	 */
	if (copy == UBLKEV_COPY_AUTO)
		copy = zero ? UBLKEV_COPY_ZERO : UBLKEV_COPY_DIRECT;
	/*
	 * With GET_DATA the driver would forget where in shared memory a WRITE's
	 * data are (ublk_get_data()).
	 */
	if (copy == UBLKEV_COPY_DIRECT && shares)
		copy = traits & UBLKEV__CAN_MAP ? UBLKEV_COPY_USER
						: UBLKEV_COPY_PLAIN;
	/* ADD_DEV refuses it for a device of an ordinary user's. */
	if (copy == UBLKEV_COPY_USER && root)
		features = UBLKEV__F(USER_COPY);
	if (copy == UBLKEV_COPY_ZERO && zero)
		features = F_ZERO;
	if (copy == UBLKEV_COPY_ZERO_MANUAL && by_hand)
		features = F_BY_HAND;
	/*
	 * ADD_DEV refuses a device with zones or metadata whose data the driver
	 * copies.
	 */
	if (user && !(features & UBLKEV__F(USER_COPY)))
		features = UBLKEV__F(USER_COPY);
	/* ADD_DEV clears NEED_GET_DATA where BATCH_IO is asked for. */
	if (copy == UBLKEV_COPY_DIRECT && traits & UBLKEV__CAN_MAP &&
	    !user && !batch)
		features = UBLKEV__F(NEED_GET_DATA);
	return features & offered;
}

enum ublkev__xfer ublkev__xfer_of(uint64_t features, unsigned int traits)
{
	if (features & (UBLKEV__F(AUTO_BUF_REG) |
			UBLKEV__F(SUPPORT_ZERO_COPY)) &&
	    traits & UBLKEV__CAN_PLACE)
		return UBLKEV__XFER_ZERO;
	if (features & UBLKEV__F(USER_COPY))
		return UBLKEV__XFER_USER;
	if (features & UBLKEV__F(NEED_GET_DATA))
		return UBLKEV__XFER_DIRECT;
	return UBLKEV__XFER_PLAIN;
}

static uint32_t params_flags_of(uint32_t attrs)
{
	uint32_t flags = 0;

	if (attrs & UBLKEV__ATTR_READ_ONLY)
		flags |= UBLKEV_LIMIT_READ_ONLY;
	if (attrs & UBLKEV__ATTR_ROTATIONAL)
		flags |= UBLKEV_LIMIT_ROTATIONAL;
	if (attrs & UBLKEV__ATTR_VOLATILE_CACHE)
		flags |= UBLKEV_LIMIT_VOLATILE_CACHE;
	if (attrs & UBLKEV__ATTR_FUA)
		flags |= UBLKEV_LIMIT_FUA;
	return flags;
}

static uint64_t params_bytes_of(uint64_t sectors)
{
	return sectors << SECTOR_SHIFT;
}

/* Other servers' parameters are told, too, however little sense they make. */
static uint32_t params_size_of(uint8_t shift)
{
	return shift && shift < 32 ? UINT32_C(1) << shift : 0;
}

void ublkev__params_tell(const struct ublkev__params *p,
			 struct ublkev_cmd_params *to)
{
	*to = (struct ublkev_cmd_params){
		.dev_bytes = params_bytes_of(p->dev_sectors),
		.max_discard_bytes = params_bytes_of(p->max_discard_sectors),
		.max_write_zeroes_bytes =
			params_bytes_of(p->max_write_zeroes_sectors),
		.logical_block_bytes = params_size_of(p->logical_bs_shift),
		.physical_block_bytes = params_size_of(p->physical_bs_shift),
		.io_min_bytes = params_size_of(p->io_min_shift),
		.io_opt_bytes = params_size_of(p->io_opt_shift),
		.max_io_bytes = (uint32_t)params_bytes_of(p->max_sectors),
		.chunk_bytes = (uint32_t)params_bytes_of(p->chunk_sectors),
		.discard_granularity_bytes = p->discard_granularity,
		.flags = params_flags_of(p->attrs),
		.char_major = p->char_major,
		.char_minor = p->char_minor,
		.disk_major = p->disk_major,
		.disk_minor = p->disk_minor,
	};
}

uint64_t ublkev__features_needed(const struct ublkev_conf *conf,
				 unsigned int traits)
{
	static const uint64_t recovery[] = {
		[UBLKEV_RECOVERY_NONE] = 0,
		[UBLKEV_RECOVERY_REQUEUE] = UBLKEV__F(USER_RECOVERY),
		[UBLKEV_RECOVERY_REISSUE] = UBLKEV__F(USER_RECOVERY) |
					    UBLKEV__F(USER_RECOVERY_REISSUE),
		[UBLKEV_RECOVERY_FAIL_IO] = UBLKEV__F(USER_RECOVERY) |
					    UBLKEV__F(USER_RECOVERY_FAIL_IO),
	};

	uint64_t more = 0;

	if (traits & UBLKEV__ZONED)
		more |= UBLKEV__F(ZONED) | UBLKEV__F(USER_COPY);
	if (traits & UBLKEV__METADATA)
		more |= UBLKEV__F(INTEGRITY) | UBLKEV__F(USER_COPY);
	if (conf->threads_per_queue > 1)
		more |= UBLKEV__F(PER_IO_DAEMON);

	static_assert(sizeof(recovery) / sizeof(recovery[0]) ==
		      UBLKEV_NR_RECOVERIES, "every mode has its bits");
	return F_NEEDED | recovery[conf->recovery] | more;
}

int ublkev__features_choose(const struct ublkev_conf *conf,
			    unsigned int traits, uint64_t offered,
			    uint64_t *chosen)
{
	uint64_t needed = ublkev__features_needed(conf, traits);
	uint64_t wanted = needed | conf->features | F_ALWAYS |
			  ublkev__xfer_features(conf, traits, offered);

	/* It is needed of the kernel, but not of ADD_DEV's answer: the driver
	   takes it away from a device that root makes. */
	if (conf->flags & UBLKEV_CONF_UNPRIVILEGED)
		needed |= UBLKEV__F(UNPRIVILEGED_DEV);
	/* ADD_DEV refuses USER_COPY, which these need, for such a device */
	if (conf->flags & UBLKEV_CONF_UNPRIVILEGED &&
	    traits & (UBLKEV__ZONED | UBLKEV__METADATA))
		return -EOPNOTSUPP;
	/*
	 * QUIESCE and BATCH_IO together would fail requests: QUIESCE_DEV ends a
	 * batch queue for good (ublk_batch_cancel_queue() sets force_abort).
	 */
	if (conf->recovery && !(wanted & offered & UBLKEV__F(BATCH_IO)))
		wanted |= UBLKEV__F(QUIESCE);
	if (conf->threads_per_queue > 1)
		wanted |= UBLKEV__F(IO_DESC_SIZE);
	if (needed & ~offered)
		return -EOPNOTSUPP;
	*chosen = (wanted | needed) & offered;
	return 0;
}

bool ublkev__features_servable(uint64_t features)
{
	/* what its former server has registered is not known here */
	if (features & UBLKEV__F(SHMEM_ZC))
		return false;
	/* data that no buffer was lent for can be had by USER_COPY alone */
	if (features & (UBLKEV__F(AUTO_BUF_REG) |
			UBLKEV__F(SUPPORT_ZERO_COPY)) &&
	    !(features & UBLKEV__F(USER_COPY)))
		return false;
	if (features & (UBLKEV__F(ZONED) | UBLKEV__F(INTEGRITY)) &&
	    !(features & UBLKEV__F(USER_COPY)))
		return false;
	return !(features & ~(F_ALWAYS | UBLKEV__F_WANTABLE |
			      UBLKEV__F(USER_RECOVERY) |
			      UBLKEV__F(USER_RECOVERY_REISSUE) |
			      UBLKEV__F(USER_RECOVERY_FAIL_IO) |
			      UBLKEV__F(QUIESCE) |
			      UBLKEV__F(NEED_GET_DATA) |
			      UBLKEV__F(USER_COPY) |
			      UBLKEV__F(ZONED) |
			      UBLKEV__F(INTEGRITY) |
			      UBLKEV__F(AUTO_BUF_REG) |
			      UBLKEV__F(SUPPORT_ZERO_COPY) |
			      UBLKEV__F(PER_IO_DAEMON) |
			      UBLKEV__F(BUF_REG_OFF_DAEMON) |
			      UBLKEV__F(SAFE_STOP_DEV) |
			      UBLKEV__F(IO_DESC_SIZE)));
}

/* A device that was made before MOST_SECTORS was bounded may have more. */
static bool params_exceeds(uint32_t own, uint32_t dev, uint32_t granularity)
{
	uint32_t most = MOST_SECTORS;

	if (granularity >> SECTOR_SHIFT)
		most -= most % (granularity >> SECTOR_SHIFT);
	return own < dev && own < most;
}

const char *ublkev__params_misfit(const struct ublkev__params *own,
				  const struct ublkev__params *dev)
{
	/* A backend that is larger was to grow, or has not shrunk yet. */
	if (own->dev_sectors < dev->dev_sectors)
		return "capacity";
	if (own->logical_bs_shift != dev->logical_bs_shift)
		return "logical block";
	if (own->attrs != dev->attrs)
		return "read-only, cache or rotational attribute";
	if (own->max_sectors < dev->max_sectors)
		return "max I/O size";
	if (own->chunk_sectors != dev->chunk_sectors)
		return "chunk size";
	if (own->max_zone_append_sectors < dev->max_zone_append_sectors ||
	    !own->max_zone_append_sectors != !dev->max_zone_append_sectors ||
	    own->max_open_zones != dev->max_open_zones ||
	    own->max_active_zones != dev->max_active_zones)
		return "kind of zones or their limits";
	if (own->metadata_bytes != dev->metadata_bytes || own->pi != dev->pi ||
	    own->metadata_interval_shift != dev->metadata_interval_shift)
		return "kind of metadata";
	/* The driver keeps no granularity where nothing is discarded. */
	if (params_exceeds(own->max_discard_sectors, dev->max_discard_sectors,
			   own->discard_granularity) ||
	    (dev->max_discard_sectors &&
	     own->discard_granularity > dev->discard_granularity))
		return "discard limits";
	if (params_exceeds(own->max_write_zeroes_sectors,
			   dev->max_write_zeroes_sectors,
			   params_size_of(own->logical_bs_shift)))
		return "write-zeroes limit";
	return NULL;
}

int ublkev_signature_is_ours(uint64_t signature)
{
	return (signature & ~UINT64_C(0xffff)) == UBLKEV__SIGNATURE;
}

int ublkev_signature_keeps_scheduler(uint64_t signature)
{
	return ublkev_signature_is_ours(signature) &&
	       (signature & UBLKEV__SIGNED_KEEP_SCHEDULER) != 0;
}
