/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scheduler.h - the I/O scheduler of a disk, in sysfs
 */
#ifndef UBLKEV_URING_SCHEDULER_H
#define UBLKEV_URING_SCHEDULER_H

/*
 * Sets "none" for /dev/ublkb<id> where the kernel offers it and another is
 * current; `sys` is where sysfs is. The write freezes the queue: it returns
 * when all requests have been answered, so their server must not call this.
 * Errors: those of open(2), read(2) and write(2); nothing is changed then.
 */
int ublkev__scheduler_set_none(const char *sys, int id);

#endif
