/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memmap.h - the memory of a disk: a mapping, and the file behind it if any
 */
#ifndef UBLKEV_BACKEND_MEMMAP_H
#define UBLKEV_BACKEND_MEMMAP_H

#include <stddef.h>
#include <stdint.h>

#include <ublkev/backend.h>

struct ublkev__memmap {
	char *bytes;		/* moves at a resize */
	size_t map_bytes;	/* whole pages */
	size_t page_bytes;	/* power of 2; what can be given back */
	uint64_t dev_bytes;
	int fd;			/* -1: private and anonymous */
	size_t slice_bytes;	/* power of 2; given back at once */
	/*
	 * Of a private mapping: a byte for each of these chunks, not 0 if it
	 * was ever written. A file tells by itself.
	 */
	unsigned char *written;
};

#define UBLKEV__MEMMAP_CHUNK_SHIFT	21

/* before the range is written, by whatever thread */
static inline void ublkev__memmap_mark(const struct ublkev__memmap *m,
				       uint64_t offset, uint64_t len)
{
	uint64_t i = offset >> UBLKEV__MEMMAP_CHUNK_SHIFT;
	uint64_t last = (offset + len - 1) >> UBLKEV__MEMMAP_CHUNK_SHIFT;

	if (!m->written)
		return;
	for (; i <= last; i++)
		if (!__atomic_load_n(&m->written[i], __ATOMIC_RELAXED))
			__atomic_store_n(&m->written[i], 1, __ATOMIC_RELAXED);
}

/* conf->fd is duplicated. Errors: those of ublkev_mem_new(). */
int ublkev__memmap_init(struct ublkev__memmap *m,
			const struct ublkev_disk_conf *conf);
void ublkev__memmap_fini(struct ublkev__memmap *m);

/* The range reads as zeroes, and its whole pages are given back. */
void ublkev__memmap_discard(const struct ublkev__memmap *m, uint64_t offset,
			    uint64_t len);

/*
 * Discards as much of the range's beginning as takes no longer than a part of a
 * turn, and answers how many bytes that was. What was never written costs
 * nothing.
 */
uint64_t ublkev__memmap_discard_some(const struct ublkev__memmap *m,
				     uint64_t offset, uint64_t len);

/*
 * Changes the size, and discards what is beyond a smaller end. Errors, with the
 * size as it was: -ENOMEM, -ENOSPC, those of ftruncate(2).
 */
int ublkev__memmap_resize(struct ublkev__memmap *m, uint64_t dev_bytes);

#endif
