/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evshare.h - memory that clients share with the server
 *
 * The application's thread maps a file that it was given, has the driver register
 * that memory (REG_BUF), and keeps it mapped until the driver has let go of it
 * (UNREG_BUF), or the device has ended. The table of what is mapped is read by all
 * lanes: an entry is written before the command that lets requests name it, and
 * cleared when the driver has answered that none does any more, which it waits
 * for (ublk_lock_buf_tree() freezes the disk).
 */
#ifndef UBLKEV_EV_EVSHARE_H
#define UBLKEV_EV_EVSHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/names.h"

struct ublkev__carrier_req;
struct ublkev__engine;

/* The device's features are known: makes the table if it is to have one. */
int ublkev__share_init(struct ublkev__engine *e);

/* see ublkev_dev_share() and unshare(): what comes before the command */
int ublkev__share_begin(struct ublkev__engine *e, int fd, uint64_t offset_bytes,
			uint64_t bytes, unsigned int flags);
int ublkev__share_end(struct ublkev__engine *e, unsigned int index);

/* what the command says of that memory, before it is submitted */
void ublkev__share_fill(const struct ublkev__engine *e,
			struct ublkev__carrier_req *req);

/* Fact: it was submitted, or could not be; the file is of no use any more. */
void ublkev__share_sent(struct ublkev__engine *e);

/*
 * Fact: a command is answered with `res`; what life is to be told, which is the
 * same of all but REG_BUF and UNREG_BUF.
 */
int ublkev__share_answered(struct ublkev__engine *e, enum ublkev__ctrl_cmd cmd,
			   int res);

/*
 * Unmaps all, once nobody calls the backend any more; `left`: it, or the kernel,
 * may still touch what requests were lent, so that stays mapped.
 */
void ublkev__share_free(struct ublkev__engine *e, bool left);

#endif
