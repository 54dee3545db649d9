/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filemeta_kit.h - a disk in a file with metadata, whose operations end when and as
 * a test likes
 */
#ifndef UBLKEV_TESTS_FILEMETA_KIT_H
#define UBLKEV_TESTS_FILEMETA_KIT_H

#include "backend/filepriv.h"
#include "testlib.h"

#define META		8u
#define META_BLOCK	4096u
#define META_NR		64u	/* blocks of the disk */
#define META_MOST	8u	/* and of a request */
#define META_DEV	((uint64_t)META_NR * META_BLOCK)
#define META_OFFSET	UINT64_C(12288)
#define META_AT		(META_OFFSET + META_DEV)
#define META_OPS	64u
#define META_REQUESTS	24u

/* what the disk is made of; set_up() sets it, and its path */
extern struct ublkev_file_conf meta_conf;
extern char meta_path[64];
extern struct ublkev_backend *meta_disk;

/* an operation that was begun, and has not ended */
struct meta_op {
	struct ublkev_req *req;
	enum { PREAD, PWRITE, FSYNC, FALLOCATE } kind;
	int fd, mode;
	void *buf;
	uint64_t len, offset;
	ublkev_req_fn *done;
};

extern struct meta_op meta_ops[META_OPS];
extern unsigned int meta_nr_ops, meta_begun, meta_syncs;
/* the errno, or 0, that beginning one answers, after so many more */
extern int meta_refuse;
extern unsigned int meta_refuse_after;

struct meta_request {
	struct ublkev_req req;
	uint8_t id;		/* of what it writes; READ: unused */
	bool busy;
	int res;		/* 1: not answered */
	char *buf;
};

extern struct meta_request meta_requests[META_REQUESTS];

/* a checked fixture */
void meta_set_up(void);
void meta_tear_down(void);
/* it is open and started; stopped, closed, freed */
void meta_up(void);
void meta_down(void);
extern const struct ublkev__log meta_log;
/* the ublkev__guard_done_fn */
void meta_on_done(void *owner, uint64_t cookie, int err);

/* the first that is free; its buffer stays until it is used again */
struct meta_request *meta_submit(unsigned int op, unsigned int block,
				 unsigned int n, uint32_t flags);
/* a WRITE, of which each byte is `id` */
struct meta_request *meta_write(unsigned int block, unsigned int n, uint8_t id,
				uint32_t flags);
/* what was begun comes back with `res`, or 1: with what comes of doing it */
void meta_end_op(unsigned int i, int res);
void meta_end_all(void);
/* every block's data are of one write, and its metadata of the same, or nobody's */
void meta_check(const struct meta_request *r);

#endif
