/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held.h - whether somebody uses a device, and who
 */
#ifndef EVCTL_HELD_H
#define EVCTL_HELD_H

#include "ublk-evctl/session.h"
#include "common/holders.h"

/*
 * Looks who holds /dev/ublkb<id>; udev, which lets go by itself, is waited
 * for a while. Returns how many there are that count (not udev, and not the
 * users of a mounted filesystem beside the mount), or a negative errno:
 * -ETIMEDOUT, -ENOMEM, of opening /proc. *hp: the list, to be freed, NULL on
 * errors.
 */
int held_scan(struct evctl *t, int id, struct holders **hp);

/*
 * The same, once, without asking the kernel for the disk (holders_look_only())
 * and only whether: 1, 0, or -1 for unknown.
 */
int held_now(struct evctl *t, int id);

/*
 * Fails the command because of what held_scan() found, n of them: one line on
 * stderr with the first, the list in JSON, or on stdout. `remedy` ends the
 * line.
 */
int held_fail(struct evctl *t, int status, int id, const struct holders *h,
	      int n, const char *remedy);

/*
 * Both, with ST_BUSY, when somebody holds it. What could not be seen fails the
 * command, too: ST_TIMEOUT when time was up, ST_BUSY otherwise. 0: nobody
 * holds it.
 */
int held_refuse(struct evctl *t, int id, const char *remedy);

#endif /* EVCTL_HELD_H */
