/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held.h - whether somebody uses a device, and who
 */
#ifndef EVCTL_HELD_H
#define EVCTL_HELD_H

#include "evctl/evctl.h"
#include "tool/holders.h"

/*
 * Looks who holds /dev/ublkb<id>; udev, which lets go by itself, is waited
 * for a while. Returns how many there are that count (not udev, and not the
 * users of a mounted filesystem beside the mount), or a negative errno:
 * -ETIMEDOUT, -ENOMEM, of opening /proc. *hp: the list, to be freed, NULL on
 * errors.
 */
int held_scan(struct evctl *t, int id, struct holders **hp);

/* the same, once, and only whether: 1, 0, or -1 for unknown */
int held_now(struct evctl *t, int id);

/*
 * Fails the command when somebody holds it: one line on stderr with the
 * first, the list in JSON, or on stdout. `remedy` ends the line. 0: nobody
 * does, or it could not be seen.
 */
int held_refuse(struct evctl *t, int id, const char *remedy);

#endif /* EVCTL_HELD_H */
