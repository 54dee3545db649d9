/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reserves the buffers' addresses. The kernel gives memory page by page as
 * the driver touches it.
 */
#include "uring/iobuf.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

int ublkev__iobuf_map(struct ublkev__iobuf *b, size_t n, size_t each, bool huge)
{
	b->base = NULL;
	if (n > SIZE_MAX / each)
		return -ENOMEM;
	b->bytes = n * each;
	b->base = mmap(NULL, b->bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (b->base == MAP_FAILED) {
		b->base = NULL;
		return -ENOMEM;
	}
	/*
	 * A buffer of which 4 KiB are used is not to cost a huge page, unless
	 * that is wanted: for each request the kernel looks up all pages of its
	 * data. One that was built without huge pages refuses the advice, and has
	 * none to give.
	 */
	(void)madvise(b->base, b->bytes,
		      huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	/* neither a child nor a core dump is to have the data of clients */
	if (madvise(b->base, b->bytes, MADV_DONTFORK) ||
	    madvise(b->base, b->bytes, MADV_DONTDUMP)) {
		ublkev__iobuf_unmap(b);
		return -ENOMEM;
	}
	return 0;
}

void ublkev__iobuf_unmap(struct ublkev__iobuf *b)
{
	if (b->base)
		munmap(b->base, b->bytes);
	b->base = NULL;
}
