/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filemeta.h - a disk in a file whose blocks have metadata
 *
 * They are in the same file, behind the data, from the next multiple of 4096 bytes
 * of the file on, one block's after the other's, inverted (metadata.h), so that a
 * file which was just made longer has such that nobody checks.
 *
 * The kernel does the two parts of a request one by one. What makes them one is
 * that no two requests of overlapping ranges are under way, unless both read:
 * else the data of the one might be left with the metadata of the other. So one
 * that overlaps waits, in the order of arrival. A crash can part them: see
 * ublkev_file_new().
 *
 * Metadata go through the page cache, for some bytes a block are nothing that
 * O_DIRECT takes: where the data do not, by an open file of their own. No block of
 * the data is in a page with metadata.
 *
 * Nothing is locked: one thread's.
 */
#ifndef UBLKEV_BACKEND_FILEMETA_H
#define UBLKEV_BACKEND_FILEMETA_H

#include <stdbool.h>
#include <stdint.h>

#include <ublkev/backend.h>
#include <ublkev/file.h>

/* the byte of a file by which the open file of metadata has a part of its lock */
#define UBLKEV__FILEMETA_LOCK	INT64_MAX

/* of the page cache, in whose pages no block of the data is to be */
#define UBLKEV__FILEMETA_PAGE	4096u

struct ublkev__fileopen;
struct ublkev__filemeta_run;
struct ublkev__filemeta_slab;

struct ublkev__filemeta {
	uint32_t bytes;			/* of each block; 0: there are none */
	uint32_t pi;			/* enum ublkev_pi */
	uint32_t block_bytes;
	uint64_t at_bytes;		/* where they begin in the file */
	int fd;				/* theirs */
	struct ublkev_backend *backend;	/* whose requests these are */
	/* of what was submitted and is not answered */
	struct ublkev__filemeta_run *first, *last; /* in order of arrival */
	unsigned int nr_waiting;
	struct ublkev__filemeta_run *free;
	struct ublkev__filemeta_slab *slabs;
};

/* its place() is no use where there are two parts */
extern const struct ublkev_backend_ops ublkev__filemeta_ops;

/*
 * What a conf says of metadata: 0, or -EINVAL (sizes; zoned; dev_bytes is
 * missing, for that says where they are). It gets what it leaves open.
 */
int ublkev__filemeta_take_conf(struct ublkev_file_conf *conf);

/* where in the file metadata of such a (complete) conf and disk begin */
static inline uint64_t ublkev__filemeta_begin(
	const struct ublkev_file_conf *conf, uint64_t dev_bytes)
{
	return (conf->offset_bytes + dev_bytes + UBLKEV__FILEMETA_PAGE - 1) &
	       ~(uint64_t)(UBLKEV__FILEMETA_PAGE - 1);
}

/* and where the disk ends, metadata or not */
static inline uint64_t ublkev__filemeta_end(const struct ublkev_file_conf *conf,
					    uint64_t dev_bytes)
{
	if (!conf->metadata_bytes)
		return conf->offset_bytes + dev_bytes;
	return ublkev__filemeta_begin(conf, dev_bytes) +
	       dev_bytes / conf->logical_block_bytes * conf->metadata_bytes;
}

/* Opens the file once more. Errors: those of open(2), fcntl(2). */
int ublkev__filemeta_init(struct ublkev__filemeta *m,
			  const struct ublkev__fileopen *f,
			  const struct ublkev_file_conf *conf);
void ublkev__filemeta_fini(struct ublkev__filemeta *m);

/* asserts that the above holds of what is under way; for tests */
void ublkev__filemeta_verify(const struct ublkev__filemeta *m);

#endif
