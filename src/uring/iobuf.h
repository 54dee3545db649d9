/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iobuf.h - a page-aligned buffer for each tag
 */
#ifndef UBLKEV_URING_IOBUF_H
#define UBLKEV_URING_IOBUF_H

#include <stddef.h>

struct ublkev__iobuf {
	void *base;	/* NULL: none */
	size_t bytes;
};

/*
 * n * each bytes of address space; memory comes with the first touch of a
 * page. Errors: -ENOMEM.
 */
int ublkev__iobuf_map(struct ublkev__iobuf *b, size_t n, size_t each);
void ublkev__iobuf_unmap(struct ublkev__iobuf *b);

#endif
