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
};

/* conf->fd is duplicated. Errors: those of ublkev_mem_new(). */
int ublkev__memmap_init(struct ublkev__memmap *m,
			const struct ublkev_disk_conf *conf);
void ublkev__memmap_fini(struct ublkev__memmap *m);

/* The range reads as zeroes, and its whole pages are given back. */
void ublkev__memmap_discard(const struct ublkev__memmap *m, uint64_t offset,
			    uint64_t len);

/*
 * Likewise for what is beyond a smaller end. Errors: -ENOMEM, -ENOSPC,
 * those of ftruncate(2); the size is as it was.
 */
int ublkev__memmap_resize(struct ublkev__memmap *m, uint64_t dev_bytes);

#endif
