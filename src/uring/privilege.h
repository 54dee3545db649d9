/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * privilege.h - CAP_SYS_ADMIN of the calling thread, out of effect for a while
 */
#ifndef UBLKEV_URING_PRIVILEGE_H
#define UBLKEV_URING_PRIVILEGE_H

#include <stdint.h>

struct ublkev__privilege {
	uint32_t effective;	/* the first word of the set, as it was */
	int changed;
};

/* takes nothing that restore does not give back; does nothing without it */
void ublkev__privilege_drop(struct ublkev__privilege *was);
void ublkev__privilege_restore(const struct ublkev__privilege *was);

#endif
