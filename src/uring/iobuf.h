/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iobuf.h - a page-aligned buffer for each tag, where the driver copies data
 */
#ifndef UBLKEV_URING_IOBUF_H
#define UBLKEV_URING_IOBUF_H

#include <stdbool.h>
#include <stddef.h>

struct ublkev__iobuf {
	void *base;	/* NULL: none */
	size_t bytes;
};

/*
 * Maps n * each bytes of address space, with n and each above 0; memory comes
 * with the first touch of a page, a huge one if `huge` and there are such. No
 * forked child has them, no core dump shows them. Errors: -ENOMEM.
 */
int ublkev__iobuf_map(struct ublkev__iobuf *b, size_t n, size_t each,
		      bool huge);
void ublkev__iobuf_unmap(struct ublkev__iobuf *b);

#endif
