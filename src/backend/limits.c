/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each limit against what the driver and the block layer take. The first one
 * that is wrong is logged with its member, its value and what would be right.
 */
#include "backend/limits.h"

#include <errno.h>
#include <string.h>

#define IO_UNIT_BYTES	4096u	/* the driver counts max I/O in pages */
#define MAX_HINT_BYTES	(1u << 28)	/* the driver's largest shift */
/* "any" in words that need no case of its own */
#define ANY_IO_BYTES	(UINT32_MAX & ~(IO_UNIT_BYTES - 1))

#define LIMIT_FLAGS	(UBLKEV_LIMIT_READ_ONLY | UBLKEV_LIMIT_ROTATIONAL | \
			 UBLKEV_LIMIT_VOLATILE_CACHE | UBLKEV_LIMIT_FUA | \
			 UBLKEV_LIMIT_NO_DATA | UBLKEV_LIMIT_THREADS | \
			 UBLKEV_LIMIT_REQ_OPS | UBLKEV_LIMIT_ZONED | \
			 UBLKEV_LIMIT_THREADS_PER_QUEUE)

void ublkev__limits_default(struct ublkev_limits *l)
{
	memset(l, 0, sizeof(*l));
	l->size = sizeof(*l);
	l->logical_block_bytes = 512;
}

struct fault {
	const char *member;
	uint64_t value;
	const char *remedy;
};

static bool limits_fault(struct fault *f, const char *member, uint64_t value,
			 const char *remedy)
{
	f->member = member;
	f->value = value;
	f->remedy = remedy;
	return true;
}

static bool limits_power_of_2(uint64_t x)
{
	return x && !(x & (x - 1));
}

void ublkev__limits_complete(struct ublkev_limits *l)
{
	if (!l->physical_block_bytes)
		l->physical_block_bytes = l->logical_block_bytes;
	if (!l->io_min_bytes)
		l->io_min_bytes = l->physical_block_bytes;
	if (!l->max_io_bytes)
		l->max_io_bytes = ANY_IO_BYTES;
	if (!l->discard_granularity_bytes)
		l->discard_granularity_bytes = l->logical_block_bytes;
	if (l->metadata_bytes && !l->metadata_interval_bytes)
		l->metadata_interval_bytes = l->logical_block_bytes;
	if (l->flags & UBLKEV_LIMIT_READ_ONLY) {
		l->max_discard_bytes = 0;
		l->max_write_zeroes_bytes = 0;
	}
}

static bool limits_bad_sizes(const struct ublkev_limits *l, struct fault *f)
{
	uint32_t block = l->logical_block_bytes;

	if (!limits_power_of_2(block) || block < 512 || block > 4096)
		return limits_fault(f, "logical_block_bytes", block,
				    "a power of 2 from 512 to 4096 is needed");
	if (l->dev_bytes < block)
		return limits_fault(f, "dev_bytes", l->dev_bytes,
				    "one logical block is needed at least");
	if (l->dev_bytes & (block - 1))
		return limits_fault(f, "dev_bytes", l->dev_bytes,
				    "round it down to whole logical blocks");
	if (l->dev_bytes > INT64_MAX)
		return limits_fault(f, "dev_bytes", l->dev_bytes,
				    "keep it below 2^63");
	return false;
}

static bool limits_bad_hints(const struct ublkev_limits *l, struct fault *f)
{
	uint32_t phys = l->physical_block_bytes;

	if (!limits_power_of_2(phys) || phys < l->logical_block_bytes ||
	    phys > MAX_HINT_BYTES)
		return limits_fault(f, "physical_block_bytes", phys,
				    "a power of 2 from logical_block_bytes to "
				    "2^28 is needed, or 0");
	if (l->io_min_bytes > MAX_HINT_BYTES)
		return limits_fault(f, "io_min_bytes", l->io_min_bytes,
				    "2^28 is the most");
	if (l->io_opt_bytes > MAX_HINT_BYTES)
		return limits_fault(f, "io_opt_bytes", l->io_opt_bytes,
				    "2^28 is the most");
	return false;
}

static bool limits_bad_io(const struct ublkev_limits *l, struct fault *f)
{
	if (l->max_io_bytes % IO_UNIT_BYTES)
		return limits_fault(f, "max_io_bytes", l->max_io_bytes,
				    "a multiple of 4096 is needed, or 0");
	if (l->chunk_bytes && (!limits_power_of_2(l->chunk_bytes) ||
			       l->chunk_bytes < IO_UNIT_BYTES))
		return limits_fault(f, "chunk_bytes", l->chunk_bytes,
				    "a power of 2, 4096 at least, is needed, "
				    "or 0");
	return false;
}

static bool limits_bad_ranges(const struct ublkev_limits *l, struct fault *f)
{
	uint64_t mask = l->logical_block_bytes - 1;

	if (l->discard_granularity_bytes & mask)
		return limits_fault(f, "discard_granularity_bytes",
				    l->discard_granularity_bytes,
				    "a multiple of logical_block_bytes is "
				    "needed, or 0");
	if (l->max_discard_bytes & mask)
		return limits_fault(f, "max_discard_bytes",
				    l->max_discard_bytes,
				    "round it down to whole logical blocks");
	/* the block layer splits no discard then, however long */
	if (l->max_discard_bytes &&
	    l->max_discard_bytes < l->discard_granularity_bytes)
		return limits_fault(f, "max_discard_bytes",
				    l->max_discard_bytes,
				    "discard_granularity_bytes is the least, "
				    "or 0");
	if (l->max_write_zeroes_bytes & mask)
		return limits_fault(f, "max_write_zeroes_bytes",
				    l->max_write_zeroes_bytes,
				    "round it down to whole logical blocks");
	return false;
}

static bool limits_bad_pages(const struct ublkev_limits *l, struct fault *f)
{
	uint32_t align = l->dma_align_bytes;

	/* as ublk_validate_params() has them */
	if (align && (!limits_power_of_2(align) || align > IO_UNIT_BYTES))
		return limits_fault(f, "dma_align_bytes", align,
				    "a power of 2 up to 4096 is needed, or 0");
	if (l->max_segment_bytes && l->max_segment_bytes < IO_UNIT_BYTES)
		return limits_fault(f, "max_segment_bytes",
				    l->max_segment_bytes,
				    "4096 is the least, or 0");
	if (l->segment_boundary_bytes &&
	    (!limits_power_of_2(l->segment_boundary_bytes) ||
	     l->segment_boundary_bytes < IO_UNIT_BYTES))
		return limits_fault(f, "segment_boundary_bytes",
				    l->segment_boundary_bytes,
				    "a power of 2, 4096 at least, is needed, "
				    "or 0");
	if (l->max_segments > UINT16_MAX)
		return limits_fault(f, "max_segments", l->max_segments,
				    "65535 is the most");
	return false;
}

static bool limits_bad_flags(const struct ublkev_limits *l, struct fault *f)
{
	if (l->flags & ~LIMIT_FLAGS)
		return limits_fault(f, "flags", l->flags,
				    "a bit is unknown to this version");
	if ((l->flags & UBLKEV_LIMIT_FUA) &&
	    !(l->flags & UBLKEV_LIMIT_VOLATILE_CACHE))
		return limits_fault(f, "flags", l->flags,
				    "FUA needs VOLATILE_CACHE beside it");
	return false;
}

/* a file is read into a buffer, which there is none of without data */
static bool limits_bad_place(const struct ublkev_limits *l, struct fault *f)
{
	if (l->flags & UBLKEV_LIMIT_NO_DATA)
		return limits_fault(f, "flags", l->flags,
				    "NO_DATA is not for a backend with "
				    "place()");
	return false;
}

/*
 * As ublk_dev_param_zoned_validate() and blk_validate_zoned_limits() have them;
 * and ublk_get_nr_zones() leaves out what is no whole zone.
 */
static bool limits_bad_zones(const struct ublkev_limits *l, struct fault *f)
{
	uint64_t zones = l->dev_bytes / l->chunk_bytes;

	if (l->dev_bytes % l->chunk_bytes)
		return limits_fault(f, "dev_bytes", l->dev_bytes,
				    "round it down to whole zones "
				    "(chunk_bytes)");
	if (l->max_zone_append_bytes & (l->logical_block_bytes - 1))
		return limits_fault(f, "max_zone_append_bytes",
				    l->max_zone_append_bytes,
				    "round it down to whole logical blocks");
	if (l->max_active_zones > zones)
		return limits_fault(f, "max_active_zones", l->max_active_zones,
				    "there are not so many zones");
	if (l->max_open_zones > (l->max_active_zones ? l->max_active_zones :
						       zones))
		return limits_fault(f, "max_open_zones", l->max_open_zones,
				    "max_active_zones, and the number of "
				    "zones, are the most");
	return false;
}

static bool limits_bad_zoned(const struct ublkev_limits *l, unsigned int ops,
			     struct fault *f)
{
	if (!(l->flags & UBLKEV_LIMIT_ZONED)) {
		if (l->max_zone_append_bytes || l->max_open_zones ||
		    l->max_active_zones)
			return limits_fault(f, "flags", l->flags,
					    "limits of zones need "
					    "UBLKEV_LIMIT_ZONED");
		return false;
	}
	if (!l->chunk_bytes)
		return limits_fault(f, "chunk_bytes", 0,
				    "the size of its zones is needed");
	if (l->flags & UBLKEV_LIMIT_NO_DATA)
		return limits_fault(f, "flags", l->flags,
				    "NO_DATA is not for zoned disks");
	if (!(ops & UBLKEV__OPS_APPEND) &&
	    !(l->flags & UBLKEV_LIMIT_READ_ONLY))
		return limits_fault(f, "flags", l->flags,
				    "ZONED needs append()");
	return limits_bad_zones(l, f);
}

/* as ublk_validate_params() has them */
static bool limits_bad_metadata(const struct ublkev_limits *l, unsigned int ops,
				struct fault *f)
{
	uint32_t interval = l->metadata_interval_bytes;

	if (l->pi >= UBLKEV_NR_PIS)
		return limits_fault(f, "pi", l->pi, "one of enum ublkev_pi is "
				    "needed");
	if (l->metadata_bytes > 255 ||
	    l->metadata_bytes < ublkev_pi_bytes(l->pi))
		return limits_fault(f, "metadata_bytes", l->metadata_bytes,
				    "ublkev_pi_bytes() is the least, 255 the "
				    "most");
	if (!l->metadata_bytes)
		return false;
	if (!limits_power_of_2(interval) || interval < 512 ||
	    interval > l->logical_block_bytes)
		return limits_fault(f, "metadata_interval_bytes", interval,
				    "a power of 2 from 512 to "
				    "logical_block_bytes is needed, or 0");
	if (l->flags & (UBLKEV_LIMIT_ZONED | UBLKEV_LIMIT_NO_DATA) ||
	    ops & (UBLKEV__OPS_PLACE | UBLKEV__OPS_MAP))
		return limits_fault(f, "metadata_bytes", l->metadata_bytes,
				    "it goes with neither zones, nor NO_DATA, "
				    "nor place() or map()");
	return false;
}

int ublkev__limits_check(const struct ublkev_limits *l, unsigned int ops,
			 const char *name, const struct ublkev__log *log)
{
	struct fault f;

	if (!limits_bad_sizes(l, &f) && !limits_bad_hints(l, &f) &&
	    !limits_bad_io(l, &f) && !limits_bad_ranges(l, &f) &&
	    !limits_bad_pages(l, &f) &&
	    !limits_bad_flags(l, &f) && !limits_bad_zoned(l, ops, &f) &&
	    !limits_bad_metadata(l, ops, &f) &&
	    !(ops & UBLKEV__OPS_PLACE && limits_bad_place(l, &f)))
		return 0;
	ublkev__log(log, LOG_ERR, "backend %s: open() answered limits.%s %llu: "
		    "%s", name, f.member, (unsigned long long)f.value,
		    f.remedy);
	return -EINVAL;
}

unsigned int ublkev__limits_ops(const struct ublkev_limits *l)
{
	unsigned int ops = 1u << UBLKEV_OP_READ;

	if (l->flags & UBLKEV_LIMIT_VOLATILE_CACHE)
		ops |= 1u << UBLKEV_OP_FLUSH;
	if (!(l->flags & UBLKEV_LIMIT_READ_ONLY))
		ops |= 1u << UBLKEV_OP_WRITE;
	if (l->max_discard_bytes)
		ops |= 1u << UBLKEV_OP_DISCARD;
	if (l->max_write_zeroes_bytes)
		ops |= 1u << UBLKEV_OP_WRITE_ZEROES;
	if (l->flags & UBLKEV_LIMIT_ZONED)
		ops |= 1u << UBLKEV_OP_REPORT_ZONES;
	if (l->flags & UBLKEV_LIMIT_ZONED && ops & 1u << UBLKEV_OP_WRITE)
		ops |= ~0u << UBLKEV_OP_ZONE_APPEND &
		       ((1u << UBLKEV_NR_OPS) - 1);
	return ops;
}
