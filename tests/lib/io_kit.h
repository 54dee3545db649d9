/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * io_kit.h - an io on this host's io_uring, with an eventfd in place of ublkc
 *
 * For programs linked with io_kit_ldflags (unit.am), which put what is here in
 * front of the opening of ublkc, of the enter, and of what fills SQEs.
 */
#ifndef UBLKEV_TESTS_IO_KIT_H
#define UBLKEV_TESTS_IO_KIT_H

#include "uring/io.h"
#include "util/alloc.h"

#define IO_DEPTH	4u
#define IO_MOST_DESC	256u	/* bytes */

extern struct ublkev__alloc io_mem;
extern struct ublkev__io *io;
extern int io_enter_result;		/* 0: the kernel's own */
extern unsigned int io_submitted;	/* SQEs of the last enter */
extern void *io_addr;			/* of the last tag's SQE */
extern unsigned int io_slot;		/* likewise, with AUTO_BUF_REG */

/* the first two queues' descriptors, of whatever size */
extern char io_descs[2][IO_DEPTH * IO_MOST_DESC];
/* commands about slots, which the kernel has accepted: io_kit answers so */
#define IO_SLOT_CMDS	32u
struct io_slot_cmd {
	unsigned int queue, tag, slot;
	bool fill;
};
extern struct io_slot_cmd io_slot_cmds[IO_SLOT_CMDS];
extern unsigned int io_nr_slot_cmds;
extern bool io_refuses_slots;		/* as an eventfd does in place of ublkc */

/* makes and opens `io`, of queues of IO_DEPTH tags of 4 KiB; and its end */
void io_up(unsigned int queues, uint64_t features);
void io_down(void);

/* what has completed; and that the ring has no more work then */
unsigned int io_reap(struct ublkev__cqe v[16]);

#endif
