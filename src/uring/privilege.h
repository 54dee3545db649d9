/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * privilege.h - takes CAP_SYS_ADMIN of the calling thread out of effect
 *
 * The driver leaves out the partition scan when whoever sends the FETCHes of a
 * queue lacks it (ublk_mark_io_ready()); ublkev__life_hides_privilege() says
 * when that is wanted. io.c drops it for one enter and restores it.
 */
#ifndef UBLKEV_URING_PRIVILEGE_H
#define UBLKEV_URING_PRIVILEGE_H

#include <stdint.h>

struct ublkev__privilege {
	uint32_t effective;	/* the first word of the set, as it was */
	int changed;		/* whether there is anything to restore */
};

/*
 * Takes the capability out of effect, and restore puts it back; both in one
 * thread, of which nothing else may change the capabilities between. In a
 * thread that has not got it in effect, both do nothing.
 */
void ublkev__privilege_drop(struct ublkev__privilege *was);
void ublkev__privilege_restore(const struct ublkev__privilege *was);

#endif
