/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * privilege.h - takes CAP_SYS_ADMIN of the calling thread out of effect
 *
 * The driver looks at the capability of whoever sends a FETCH and leaves out
 * the partition scan without it: see ublkev__life_hides_privilege().
 */
#ifndef UBLKEV_URING_PRIVILEGE_H
#define UBLKEV_URING_PRIVILEGE_H

#include <stdint.h>

struct ublkev__privilege {
	uint32_t effective;	/* the first word of the set, as it was */
	int changed;
};

/*
 * drop takes only what restore gives back, and does nothing in a thread that
 * has no such capability.
 */
void ublkev__privilege_drop(struct ublkev__privilege *was);
void ublkev__privilege_restore(const struct ublkev__privilege *was);

#endif
