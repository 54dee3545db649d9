/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dirty.h - blocks that a disk with a volatile cache has been given, and has not
 * stored yet
 *
 *	           put              begin             end
 *	absent ----------> DIRTY ------------> OUT --------> CLEAN -----> absent
 *	                     ^                  |              |  purge
 *	                     +------------------+--------------+
 *	                       put: of another copy; end with an error
 *
 * What is OUT is being written from this memory, so that a later put() makes
 * another copy. What is CLEAN is stored; it stays for whoever had begun to read
 * before it was.
 */
#ifndef UBLKEV_LAYERS_DIRTY_H
#define UBLKEV_LAYERS_DIRTY_H

#include <stdbool.h>
#include <stdint.h>

struct ublkev__dirty_block {
	struct ublkev__dirty_block *next;	/* in the bucket */
	struct ublkev__dirty_block *next_out;	/* of the caller's */
	struct ublkev__dirty_block *under;	/* kept: what this one is lost to */
	uint64_t offset_bytes;
	uint8_t state;
	bool stale;			/* OUT, and there is a later copy */
	bool kept;			/* it has outlived a loss, and will another */
	_Alignas(16) char bytes[];
};

struct ublkev__dirty {
	uint32_t block_bytes;
	uint64_t nr_dirty;
	struct ublkev__dirty_block **buckets;
	uint32_t nr_buckets;		/* power of 2 */
};

/* Errors: -ENOMEM. */
int ublkev__dirty_init(struct ublkev__dirty *d, uint32_t block_bytes,
		       uint64_t most_bytes);
void ublkev__dirty_fini(struct ublkev__dirty *d);

/*
 * Whole blocks of new data, of zeroes if buf is NULL: all of them, or with -ENOMEM none but perhaps the
 * first ones.
 */
int ublkev__dirty_put(struct ublkev__dirty *d, uint64_t offset_bytes,
		      const void *buf, uint64_t len_bytes);

/* What was read of the disk beneath gets what is newer here. */
void ublkev__dirty_overlay(const struct ublkev__dirty *d,
			   uint64_t offset_bytes, void *buf,
			   uint64_t len_bytes);

/*
 * All that is DIRTY in the range is OUT from now on: a list through next_out, in no
 * order.
 */
struct ublkev__dirty_block *ublkev__dirty_begin(struct ublkev__dirty *d,
						uint64_t offset_bytes,
						uint64_t len_bytes);
/* One that was OUT is stored, or is not. It may be gone then. */
void ublkev__dirty_end(struct ublkev__dirty *d, struct ublkev__dirty_block *b,
		       bool stored);

/* forgets what is CLEAN */
void ublkev__dirty_purge(struct ublkev__dirty *d);

/* forgets what is OUT, which is never freed: somebody may read it for good */
void ublkev__dirty_leave(struct ublkev__dirty *d);

/*
 * Each DIRTY block is lost, to what it was after the last loss, unless keeps() says
 * so: then it is as good as stored.
 */
void ublkev__dirty_lose(struct ublkev__dirty *d, bool (*keeps)(void *data),
			void *data);

#endif
