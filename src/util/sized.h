/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sized.h - structs of the application's that begin with their size
 *
 * A program may have been compiled with an older header than this library's,
 * or a newer one: what both know is what counts.
 */
#ifndef UBLKEV_UTIL_SIZED_H
#define UBLKEV_UTIL_SIZED_H

#include <errno.h>
#include <stddef.h>
#include <string.h>

/*
 * The caller's `size` bytes get the defaults of the `known` bytes that this
 * library has, and zeroes where a later version may have more.
 */
static inline void ublkev__sized_fill(void *to, size_t size,
				      const void *defaults, size_t known)
{
	memset(to, 0, size);
	memcpy(to, defaults, size < known ? size : known);
	if (size >= sizeof(size))
		memcpy(to, &size, sizeof(size));
}

/*
 * `own` of `known` bytes gets the defaults, and what the caller's says, unless
 * that is NULL. Errors: -EINVAL (it has not even a size).
 */
static inline int ublkev__sized_take(void *own, const void *defaults,
				     size_t known, const void *from)
{
	size_t size;

	memcpy(own, defaults, known);
	if (!from)
		return 0;
	memcpy(&size, from, sizeof(size));
	if (size < sizeof(size))
		return -EINVAL;
	memcpy(own, from, size < known ? size : known);
	memcpy(own, &known, sizeof(known));
	return 0;
}

#endif
