/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alloc.h - a device's allocator: the application's, or realloc and free
 *
 * All of a device's memory comes from here between init and LIVE, none while a
 * request is served. What is mapped does not: buffers, rings, descriptors. All
 * calls come from the thread of the device's loop.
 */
#ifndef UBLKEV_UTIL_ALLOC_H
#define UBLKEV_UTIL_ALLOC_H

#include <stddef.h>

#include <ublkev/dev.h>

struct ublkev__alloc {
	ublkev_alloc_fn *alloc;	/* of 0 bytes: frees */
	void *data;
};

/* With `alloc` NULL it is realloc(3) and free(3). */
void ublkev__alloc_init(struct ublkev__alloc *m, ublkev_alloc_fn *alloc,
			void *data);

/*
 * n * bytes of zeroes. NULL when there is no memory, when the product does not
 * fit into a size_t, and when it is 0.
 */
void *ublkev__alloc_zalloc(const struct ublkev__alloc *m, size_t n,
			   size_t bytes);

/* Frees what zalloc gave; NULL is nothing. */
void ublkev__alloc_free(const struct ublkev__alloc *m, void *ptr);

#endif
