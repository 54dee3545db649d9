/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spread.h - a layer whose bytes are those of the lower ones, in some order
 *
 * What a request becomes beneath it is arithmetic, by which it is mapped, placed or
 * submitted; part, concat and stripe are such layers.
 */
#ifndef UBLKEV_LAYERS_SPREAD_H
#define UBLKEV_LAYERS_SPREAD_H

#include <stdbool.h>

#include <ublkev/layer.h>

struct ublkev__spread;

/* where a request has come to, and a piece of it beneath */
struct ublkev__spread_at {
	uint64_t at_bytes;	/* in the layer; begins at the request's offset */
	unsigned int which;	/* the lower one of the piece */
	uint64_t offset_bytes;	/* there */
	uint64_t len_bytes;
};

struct ublkev__spread_ops {
	const char *name;
	/* of its open(): the capacity, of lower ones that are open */
	int (*size)(struct ublkev__spread *s, uint64_t *dev_bytes);
	/*
	 * The next piece of a range that ends at `end`; false: there is none any
	 * more. Goes on at x->at_bytes, and moves that. `data`: the pieces are in
	 * the order of the range.
	 */
	bool (*next)(const struct ublkev__spread *s, uint64_t end, bool data,
		     struct ublkev__spread_at *x);
};

struct ublkev__spread {
	const struct ublkev__spread_ops *ops;
	struct ublkev_backend *backend;
	uint64_t offset_bytes;	/* part: where it begins */
	uint64_t size_bytes;	/* part: 0: to the end */
	uint64_t chunk_bytes;	/* stripe: power of 2 */
	uint64_t dev_bytes;	/* OPEN: the capacity */
	bool shifts;		/* part: each request is one piece */
	unsigned int nr;
	struct ublkev_lower **lowers;	/* [nr] */
	uint64_t *ends;			/* [nr], concat: where each ends */
};

/*
 * Makes the layer over `nr` lower ones, at least one, which it owns from then on;
 * when it fails they are the caller's. `conf`: of the struct's members ops, offset,
 * size and chunk. Errors: -ENOMEM, those of ublkev_lower_new().
 */
int ublkev__spread_new(struct ublkev_backend **backendp,
		       const struct ublkev__spread *conf,
		       struct ublkev_backend *const *below, unsigned int nr);

extern const struct ublkev__spread_ops ublkev__part_ops, ublkev__concat_ops,
	ublkev__stripe_ops;

/*
 * Tells the layer's log why it does not open: `text` has the cause and the remedy.
 * Returns err.
 */
int ublkev__spread_refuse(const struct ublkev__spread *s, int err,
			  const char *text);

#endif
