/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chunks of sub-requests, which stay where they are: a backend has pointers to
 * them.
 */
#include "ev/evsubpool.h"

#include <stdlib.h>

#define CACHE_LINE	64u
#define CHUNK_SUBS	16u
#define MOST_SUBS	(1u << 20)	/* as many as the cookie can tell apart */

static struct ublkev__sub *subpool_chunk(const struct ublkev__subs *v,
					 unsigned int i)
{
	uintptr_t at = (uintptr_t)v->chunks[i];

	/* which an allocator need not begin at a line */
	return (void *)((at + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
}

struct ublkev__sub *ublkev__subpool_nth(const struct ublkev__subs *v,
					unsigned int i)
{
	if (i / CHUNK_SUBS >= v->nr_chunks)
		return NULL;
	return subpool_chunk(v, i / CHUNK_SUBS) + i % CHUNK_SUBS;
}

/* room for the names of twice as many chunks, when there is none left */
static bool subpool_grow_list(struct ublkev__subs *v)
{
	unsigned int n = v->nr_chunks;
	void **chunks;

	if (n & (n - 1))
		return true;
	chunks = realloc(v->chunks, (n ? 2 * n : 1) * sizeof(*chunks));
	if (!chunks)
		return false;
	v->chunks = chunks;
	return true;
}

static bool subpool_grow(struct ublkev__subs *v)
{
	uint32_t first = v->nr_chunks * CHUNK_SUBS;
	struct ublkev__sub *s;
	void *chunk;
	unsigned int i;

	if (first >= MOST_SUBS || !subpool_grow_list(v))
		return false;
	chunk = calloc(1, CHUNK_SUBS * sizeof(*s) + CACHE_LINE - 1);
	if (!chunk)
		return false;
	v->chunks[v->nr_chunks] = chunk;
	s = subpool_chunk(v, v->nr_chunks++);
	for (i = CHUNK_SUBS; i-- > 0;) {
		s[i].index = first + i;
		s[i].next = v->free;
		v->free = &s[i];
	}
	return true;
}

struct ublkev__sub *ublkev__subpool_get(struct ublkev__subs *v)
{
	struct ublkev__sub *s;

	if (!v->free && !subpool_grow(v))
		return NULL;
	s = v->free;
	v->free = s->next;
	return s;
}

void ublkev__subpool_put(struct ublkev__subs *v, struct ublkev__sub *s)
{
	s->state = UBLKEV__SUB_FREE;
	s->next = v->free;
	v->free = s;
}

struct ublkev__sub *ublkev__subpool_find(const struct ublkev__subs *v,
					 uint64_t cookie)
{
	struct ublkev__sub *s = ublkev__subpool_nth(v, cookie & (MOST_SUBS - 1));

	return s && s->req.cookie == cookie && s->state != UBLKEV__SUB_FREE ?
		s : NULL;
}

void ublkev__subs_free(struct ublkev__subs *v)
{
	unsigned int i;

	for (i = 0; i < v->nr_chunks; i++)
		free(v->chunks[i]);
	free(v->chunks);
	ublkev__subs_leave(v);
}

void ublkev__subs_leave(struct ublkev__subs *v)
{
	*v = (struct ublkev__subs){ NULL };
}
