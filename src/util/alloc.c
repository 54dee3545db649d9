/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The application's allocation function, or the C library's with one meaning
 * for "no bytes".
 */
#include "util/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* realloc(ptr, 0) frees in some C libraries and not in others. */
static void *alloc_system(void *data, void *ptr, size_t bytes)
{
	(void)data;
	if (bytes)
		return realloc(ptr, bytes);
	free(ptr);
	return NULL;
}

void ublkev__alloc_init(struct ublkev__alloc *m, ublkev_alloc_fn *alloc,
			void *data)
{
	m->alloc = alloc ? alloc : alloc_system;
	m->data = data;
}

void *ublkev__alloc_zalloc(const struct ublkev__alloc *m, size_t n,
			   size_t bytes)
{
	void *ptr;

	if (!n || !bytes || n > SIZE_MAX / bytes)
		return NULL;
	ptr = m->alloc(m->data, NULL, n * bytes);
	if (ptr)
		memset(ptr, 0, n * bytes);
	return ptr;
}

void ublkev__alloc_free(const struct ublkev__alloc *m, void *ptr)
{
	if (ptr)
		m->alloc(m->data, ptr, 0);
}
