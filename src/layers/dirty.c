/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table of blocks by their number. One that is OUT and was written anew is in no
 * bucket any more: whoever writes it out has the only pointer to it.
 */
#include "layers/dirty.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BUCKETS	(1u << 16)

enum { DIRTY_NEW, DIRTY_OUT, DIRTY_CLEAN };

int ublkev__dirty_init(struct ublkev__dirty *d, uint32_t block_bytes,
		       uint64_t most_bytes)
{
	uint32_t n = 64;

	while (n < MOST_BUCKETS && n < most_bytes / block_bytes)
		n *= 2;
	memset(d, 0, sizeof(*d));
	d->block_bytes = block_bytes;
	d->nr_buckets = n;
	d->buckets = calloc(n, sizeof(struct ublkev__dirty_block *));
	return d->buckets ? 0 : -ENOMEM;
}

static struct ublkev__dirty_block **dirty_bucket(const struct ublkev__dirty *d,
						 uint64_t offset)
{
	uint64_t no = offset / d->block_bytes;

	return &d->buckets[(no * UINT64_C(0x9e3779b97f4a7c15) >> 40) &
			   (d->nr_buckets - 1)];
}

/* where in its list it is, or where the list ends */
static struct ublkev__dirty_block **dirty_find(const struct ublkev__dirty *d,
					       uint64_t offset)
{
	struct ublkev__dirty_block **at = dirty_bucket(d, offset);

	while (*at && (*at)->offset_bytes != offset)
		at = &(*at)->next;
	return at;
}

static void dirty_free(struct ublkev__dirty_block *b)
{
	free(b->under);
	free(b);
}

static void dirty_unlink(struct ublkev__dirty_block **at)
{
	struct ublkev__dirty_block *b = *at;

	*at = b->next;
	if (b->state == DIRTY_OUT)
		b->stale = true;
	else
		dirty_free(b);
}

/* what is there stays as it is: somebody writes it, or it would be lost with this */
static bool dirty_wants_copy(const struct ublkev__dirty_block *b)
{
	return !b || b->state == DIRTY_OUT || (b->state == DIRTY_NEW && b->kept);
}

static int dirty_copy(struct ublkev__dirty *d, struct ublkev__dirty_block **at,
		      uint64_t offset)
{
	struct ublkev__dirty_block *b = malloc(sizeof(*b) + d->block_bytes);
	struct ublkev__dirty_block *old = *at;

	if (!b)
		return -ENOMEM;
	b->under = NULL;
	b->offset_bytes = offset;
	b->stale = b->kept = false;
	b->state = DIRTY_CLEAN;
	if (old && old->state == DIRTY_NEW) {
		*at = old->next;
		b->under = old;
		d->nr_dirty--;
	} else if (old) {
		dirty_unlink(at);
	}
	b->next = *at;
	*at = b;
	return 0;
}

static int dirty_put_one(struct ublkev__dirty *d, uint64_t offset,
			 const void *bytes)
{
	struct ublkev__dirty_block **at = dirty_find(d, offset), *b;
	int err = dirty_wants_copy(*at) ? dirty_copy(d, at, offset) : 0;

	if (err)
		return err;
	b = *at;
	d->nr_dirty += b->state != DIRTY_NEW;
	b->state = DIRTY_NEW;
	if (bytes)
		memcpy(b->bytes, bytes, d->block_bytes);
	else
		memset(b->bytes, 0, d->block_bytes);
	return 0;
}

int ublkev__dirty_put(struct ublkev__dirty *d, uint64_t offset,
		      const void *buf, uint64_t len)
{
	const char *from = buf;
	uint64_t done;
	int err = 0;

	for (done = 0; done < len && !err; done += d->block_bytes)
		err = dirty_put_one(d, offset + done,
				    from ? from + done : NULL);
	return err;
}

void ublkev__dirty_overlay(const struct ublkev__dirty *d, uint64_t offset,
			   void *buf, uint64_t len)
{
	const struct ublkev__dirty_block *b;
	uint64_t done;
	char *to = buf;

	for (done = 0; done < len; done += d->block_bytes) {
		b = *dirty_find(d, offset + done);
		if (b)
			memcpy(to + done, b->bytes, d->block_bytes);
	}
}

struct ublkev__dirty_block *ublkev__dirty_begin(struct ublkev__dirty *d,
						uint64_t offset, uint64_t len)
{
	struct ublkev__dirty_block *b, *list = NULL;
	uint32_t i;

	for (i = 0; i < d->nr_buckets; i++)
		for (b = d->buckets[i]; b; b = b->next) {
			if (b->state != DIRTY_NEW || b->offset_bytes < offset ||
			    b->offset_bytes - offset >= len)
				continue;
			b->state = DIRTY_OUT;
			d->nr_dirty--;
			b->next_out = list;
			list = b;
		}
	return list;
}

void ublkev__dirty_end(struct ublkev__dirty *d, struct ublkev__dirty_block *b,
		       bool stored)
{
	if (b->stale) {
		dirty_free(b);
		return;
	}
	b->state = stored ? DIRTY_CLEAN : DIRTY_NEW;
	d->nr_dirty += !stored;
	if (!stored)
		return;
	b->kept = false;
	free(b->under);
	b->under = NULL;
}

static void dirty_forget(struct ublkev__dirty *d, int state)
{
	struct ublkev__dirty_block **at;
	uint32_t i;

	for (i = 0; i < d->nr_buckets; i++)
		for (at = &d->buckets[i]; *at;)
			if ((*at)->state == state)
				dirty_unlink(at);
			else
				at = &(*at)->next;
}

void ublkev__dirty_purge(struct ublkev__dirty *d)
{
	dirty_forget(d, DIRTY_CLEAN);
}

void ublkev__dirty_leave(struct ublkev__dirty *d)
{
	dirty_forget(d, DIRTY_OUT);
}

/* what is under it takes its place */
static void dirty_lose_one(struct ublkev__dirty *d,
			   struct ublkev__dirty_block **at)
{
	struct ublkev__dirty_block *b = *at, *under = b->under;

	if (!under) {
		d->nr_dirty--;
		dirty_unlink(at);
		return;
	}
	under->next = b->next;
	*at = under;
	free(b);
}

static void dirty_keep(struct ublkev__dirty_block *b)
{
	b->kept = true;
	free(b->under);
	b->under = NULL;
}

void ublkev__dirty_lose(struct ublkev__dirty *d, bool (*keeps)(void *data),
			void *data)
{
	struct ublkev__dirty_block **at;
	bool loses;
	uint32_t i;

	for (i = 0; i < d->nr_buckets; i++)
		for (at = &d->buckets[i]; *at;) {
			loses = (*at)->state == DIRTY_NEW && !(*at)->kept &&
				!keeps(data);
			if (loses) {
				dirty_lose_one(d, at);
				/* once more, if something was under it: kept */
				continue;
			}
			if ((*at)->state == DIRTY_NEW)
				dirty_keep(*at);
			at = &(*at)->next;
		}
}

/* what is OUT nobody writes any more */
void ublkev__dirty_fini(struct ublkev__dirty *d)
{
	struct ublkev__dirty_block *b;
	uint32_t i;

	for (i = 0; d->buckets && i < d->nr_buckets; i++)
		while ((b = d->buckets[i])) {
			d->buckets[i] = b->next;
			dirty_free(b);
		}
	free(d->buckets);
	d->buckets = NULL;
}
