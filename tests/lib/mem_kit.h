/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mem_kit.h - requests to a memory disk through the guard
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

#endif
