/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What may be said of a disk that hands its requests on to several others.
 */
#include <ublkev/layer.h>

#include <errno.h>
#include <stdbool.h>

#define MOST_HINT_BYTES	(UINT64_C(1) << 28)	/* as the driver takes them */

/* 0 stands for any, as before the library has completed them */
static uint32_t join_least(uint32_t a, uint32_t b)
{
	if (!a || !b)
		return a | b;
	return a < b ? a : b;
}

static uint32_t join_most(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint64_t join_least_range(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* powers of 2, but for granularities, which need not divide each other */
static uint32_t join_multiple(uint32_t a, uint32_t b)
{
	uint64_t x = a, y = b, rest;

	if (!a || !b)
		return a | b;
	while (y) {
		rest = x % y;
		x = y;
		y = rest;
	}
	x = a / x * b;
	return x > MOST_HINT_BYTES ? join_most(a, b) : (uint32_t)x;
}

static uint32_t join_flags(const struct ublkev_limits *all,
			   const struct ublkev_limits *one)
{
	const uint32_t either = UBLKEV_LIMIT_READ_ONLY |
				UBLKEV_LIMIT_ROTATIONAL |
				UBLKEV_LIMIT_VOLATILE_CACHE;
	uint32_t flags = (all->flags | one->flags) & either;
	bool a = !(all->flags & UBLKEV_LIMIT_VOLATILE_CACHE) ||
		 all->flags & UBLKEV_LIMIT_FUA;
	bool b = !(one->flags & UBLKEV_LIMIT_VOLATILE_CACHE) ||
		 one->flags & UBLKEV_LIMIT_FUA;

	if (flags & UBLKEV_LIMIT_VOLATILE_CACHE && a && b)
		flags |= UBLKEV_LIMIT_FUA;
	return flags | (all->flags & one->flags &
			(UBLKEV_LIMIT_THREADS |
			 UBLKEV_LIMIT_THREADS_PER_QUEUE));
}

static void join_pages(struct ublkev_limits *all,
		       const struct ublkev_limits *one)
{
	all->dma_align_bytes = join_most(all->dma_align_bytes,
					 one->dma_align_bytes);
	all->max_segment_bytes = join_least(all->max_segment_bytes,
					    one->max_segment_bytes);
	all->segment_boundary_bytes = join_least(all->segment_boundary_bytes,
						 one->segment_boundary_bytes);
	all->max_segments = join_least(all->max_segments, one->max_segments);
}

/* a maximum of the smaller blocks need not be one of the larger */
static void join_whole_blocks(struct ublkev_limits *all)
{
	uint64_t block = all->logical_block_bytes;

	all->max_write_zeroes_bytes &= ~(block - 1);
	all->max_discard_bytes &= ~(block - 1);
	if (all->max_discard_bytes < all->discard_granularity_bytes)
		all->max_discard_bytes = 0;
}

/* open() finds no capacity: nothing was joined yet, and nothing is what it says */
static bool join_is_first(const struct ublkev_limits *all)
{
	return !all->physical_block_bytes;
}

static void join_first(struct ublkev_limits *all,
		       const struct ublkev_limits *one)
{
	all->flags = UBLKEV_LIMIT_THREADS | UBLKEV_LIMIT_THREADS_PER_QUEUE;
	all->max_discard_bytes = UINT64_MAX;
	all->max_write_zeroes_bytes = UINT64_MAX;
	all->logical_block_bytes = one->logical_block_bytes;
}

int ublkev_limits_join(struct ublkev_limits *all,
		       const struct ublkev_limits *one)
{
	if (one->flags & UBLKEV_LIMIT_ZONED || one->metadata_bytes)
		return -EOPNOTSUPP;
	if (join_is_first(all))
		join_first(all, one);
	all->flags = join_flags(all, one);
	all->logical_block_bytes = join_most(all->logical_block_bytes,
					     one->logical_block_bytes);
	all->physical_block_bytes = join_most(all->physical_block_bytes,
					      one->physical_block_bytes);
	all->io_min_bytes = join_multiple(all->io_min_bytes,
					  one->io_min_bytes);
	all->io_opt_bytes = join_multiple(all->io_opt_bytes,
					  one->io_opt_bytes);
	all->max_io_bytes = join_least(all->max_io_bytes, one->max_io_bytes);
	all->discard_granularity_bytes =
		join_multiple(all->discard_granularity_bytes,
			      one->discard_granularity_bytes);
	all->max_discard_bytes = join_least_range(all->max_discard_bytes,
						  one->max_discard_bytes);
	all->max_write_zeroes_bytes =
		join_least_range(all->max_write_zeroes_bytes,
				 one->max_write_zeroes_bytes);
	join_pages(all, one);
	join_whole_blocks(all);
	return 0;
}
