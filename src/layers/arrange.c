/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How bytes are spread: a part of one disk, several behind one another, several in
 * turn.
 */
#include <errno.h>

#include "layers/spread.h"

static uint64_t arrange_size_of(const struct ublkev__spread *s, unsigned int i)
{
	return ublkev_lower_limits(s->lowers[i])->dev_bytes;
}

static uint64_t arrange_least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- part --------------------------------------------------------------------- */

static int arrange_size_part(struct ublkev__spread *s, uint64_t *dev_bytes)
{
	uint32_t block = ublkev_lower_limits(s->lowers[0])->logical_block_bytes;
	uint64_t all = arrange_size_of(s, 0);

	if (s->offset_bytes % block || s->size_bytes % block)
		return ublkev__spread_refuse(s, -EINVAL, "offset and size are no multiple of the block of what is beneath it: round them");
	if (s->offset_bytes >= all || s->size_bytes > all - s->offset_bytes)
		return ublkev__spread_refuse(s, -EOVERFLOW, "it ends behind what is beneath it: give a smaller offset or size");
	*dev_bytes = s->size_bytes ? s->size_bytes : all - s->offset_bytes;
	return 0;
}

static bool arrange_next_part(const struct ublkev__spread *s, uint64_t end,
			      bool data, struct ublkev__spread_at *x)
{
	(void)data;
	x->offset_bytes = s->offset_bytes + x->at_bytes;
	x->len_bytes = end - x->at_bytes;
	x->which = 0;
	x->at_bytes = end;
	return x->len_bytes;
}

const struct ublkev__spread_ops ublkev__part_ops = {
	.name = "part",
	.size = arrange_size_part,
	.next = arrange_next_part,
};

/* ---- concat ------------------------------------------------------------------- */

static uint32_t arrange_block(const struct ublkev__spread *s)
{
	uint32_t most = 0, block;
	unsigned int i;

	for (i = 0; i < s->nr; i++) {
		block = ublkev_lower_limits(s->lowers[i])->logical_block_bytes;
		if (block > most)
			most = block;
	}
	return most;
}

/* each has whole blocks of the largest size there is: what is over is not used */
static int arrange_size_concat(struct ublkev__spread *s, uint64_t *dev_bytes)
{
	uint64_t block = arrange_block(s), all = 0, one;
	unsigned int i;

	for (i = 0; i < s->nr; i++) {
		one = arrange_size_of(s, i) & ~(block - 1);
		if (one > INT64_MAX - all)
			return ublkev__spread_refuse(s, -EFBIG, "what is beneath it is more than 8 EiB: leave some out");
		all += one;
		s->ends[i] = all;
	}
	*dev_bytes = all;
	return 0;
}

/* the first that ends behind it */
static unsigned int arrange_find(const struct ublkev__spread *s, uint64_t at)
{
	unsigned int from = 0, to = s->nr - 1, mid;

	while (from < to) {
		mid = (from + to) / 2;
		if (s->ends[mid] > at)
			to = mid;
		else
			from = mid + 1;
	}
	return from;
}

static bool arrange_next_concat(const struct ublkev__spread *s, uint64_t end,
				bool data, struct ublkev__spread_at *x)
{
	unsigned int i;

	(void)data;
	if (x->at_bytes >= end)
		return false;
	i = arrange_find(s, x->at_bytes);
	x->which = i;
	x->offset_bytes = x->at_bytes - (i ? s->ends[i - 1] : 0);
	x->len_bytes = arrange_least(end, s->ends[i]) - x->at_bytes;
	x->at_bytes += x->len_bytes;
	return true;
}

const struct ublkev__spread_ops ublkev__concat_ops = {
	.name = "concat",
	.size = arrange_size_concat,
	.next = arrange_next_concat,
};

/* ---- stripe --------------------------------------------------------------------- */

static int arrange_size_stripe(struct ublkev__spread *s, uint64_t *dev_bytes)
{
	uint64_t least = UINT64_MAX;
	unsigned int i;

	if (s->chunk_bytes % arrange_block(s))
		return ublkev__spread_refuse(s, -EINVAL, "its chunk is no multiple of the block of what is beneath it: give a larger one");
	for (i = 0; i < s->nr; i++)
		least = arrange_least(least, arrange_size_of(s, i));
	least &= ~(s->chunk_bytes - 1);
	if (least > INT64_MAX / s->nr)
		return ublkev__spread_refuse(s, -EFBIG, "what is beneath it is more than 8 EiB: leave some out");
	*dev_bytes = least * s->nr;
	return 0;
}

/* where what lies before `at` ends, of the i-th one */
static uint64_t arrange_row_end(const struct ublkev__spread *s, unsigned int i,
				uint64_t at)
{
	uint64_t row = s->chunk_bytes * s->nr, in_row = at % row;
	uint64_t first = s->chunk_bytes * i;

	at = at / row * s->chunk_bytes;
	if (in_row <= first)
		return at;
	return at + arrange_least(in_row - first, s->chunk_bytes);
}

/*
 * Without data the order is no matter, and each lower one has one piece, however
 * long the range is. Those that are done are behind x->len_bytes != 0.
 */
static bool arrange_next_whole(const struct ublkev__spread *s, uint64_t end,
			       struct ublkev__spread_at *x)
{
	unsigned int i = x->len_bytes ? x->which + 1 : 0;
	uint64_t from;

	for (; i < s->nr; i++) {
		from = arrange_row_end(s, i, x->at_bytes);
		x->len_bytes = arrange_row_end(s, i, end) - from;
		if (!x->len_bytes)
			continue;
		x->which = i;
		x->offset_bytes = from;
		return true;
	}
	return false;
}

static bool arrange_next_stripe(const struct ublkev__spread *s, uint64_t end,
				bool data, struct ublkev__spread_at *x)
{
	uint64_t chunk, in_chunk;

	if (!data)
		return arrange_next_whole(s, end, x);
	if (x->at_bytes >= end)
		return false;
	chunk = x->at_bytes / s->chunk_bytes;
	in_chunk = x->at_bytes & (s->chunk_bytes - 1);
	x->which = (unsigned int)(chunk % s->nr);
	x->offset_bytes = chunk / s->nr * s->chunk_bytes + in_chunk;
	x->len_bytes = arrange_least(s->chunk_bytes - in_chunk,
				     end - x->at_bytes);
	x->at_bytes += x->len_bytes;
	return true;
}

const struct ublkev__spread_ops ublkev__stripe_ops = {
	.name = "stripe",
	.size = arrange_size_stripe,
	.next = arrange_next_stripe,
};
