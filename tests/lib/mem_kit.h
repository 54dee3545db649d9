/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mem_kit.h - memory disks, requests to them through the guard, and what
 * /proc/self/smaps tells of their memory
 */
#ifndef UBLKEV_TESTS_MEM_KIT_H
#define UBLKEV_TESTS_MEM_KIT_H

#include <stdbool.h>

#include "backend/guard.h"

/* open and start; stop and close */
void mem_serve(struct ublkev_backend *b);
void mem_unserve(struct ublkev_backend *b);
/* the latter, and it is freed; nothing may have been logged */
void mem_finish(struct ublkev_backend *b);

/* goes on until it is done, in so many pieces */
extern unsigned int mem_pieces;
int mem_submit(struct ublkev_backend *b, unsigned int op, uint32_t flags,
	       uint64_t offset_bytes, uint64_t len_bytes, void *buf);
/* one without data that succeeds */
void mem_do_op(struct ublkev_backend *b, unsigned int op, uint32_t flags,
	       uint64_t offset_bytes, uint64_t len_bytes);
void mem_fill(struct ublkev_backend *b, uint64_t offset_bytes,
	      uint64_t len_bytes, int byte);
bool mem_holds(struct ublkev_backend *b, uint64_t offset_bytes,
	       uint64_t len_bytes, int byte);

#define KIB	(UINT64_C(1) << 10)
#define MIB	(UINT64_C(1) << 20)
#define GIB	(UINT64_C(1) << 30)
#define TIB	(UINT64_C(1) << 40)

/* of the system, once a disk was made */
extern size_t mem_page;
struct ublkev_backend *mem_made(uint64_t dev_bytes, uint32_t block,
				uint32_t flags);
/* a private one of 512 byte blocks, opened and started */
struct ublkev_backend *mem_served(uint64_t dev_bytes);
/* 1 TiB; less under valgrind, which has not that much address space */
uint64_t mem_big_disk(void);

/* the mapping of this size, as /proc/self/smaps tells of it */
struct mem_mapping {
	unsigned long rss_kib;
	char flags[256];	/* VmFlags */
};

bool mem_find_mapping(uint64_t bytes, struct mem_mapping *m);
uint64_t mem_rss_of(uint64_t bytes);

/* does it to every range of eighths of four pages, among bytes of 0xff */
void mem_zeroes_exactly(struct ublkev_backend *b, unsigned int op,
			uint32_t flags);

#endif
