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

/* Notes that the range is about to be written. Any thread. */
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
 * A part of the range reads as zeroes and is given back, from its beginning and
 * so long that it takes a small part of a turn; answers how long it was. What
 * was never written costs nothing, so that it may be long.
 */
uint64_t ublkev__memmap_discard_some(const struct ublkev__memmap *m,
				     uint64_t offset, uint64_t len);

/*
 * Makes it larger or smaller. What is beyond a smaller end is given back, and
 * reads as zeroes when it is larger again. Errors: -ENOMEM, -ENOSPC, those of
 * ftruncate(2); the size is as it was.
 */
int ublkev__memmap_resize(struct ublkev__memmap *m, uint64_t dev_bytes);

#endif
