/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settle.h - waits until a dead server's ring has let go of its device
 *
 * A process is dead before the kernel has closed its rings, which a worker does
 * (io_ring_exit_work()). Who stops or deletes the device in between cancels the
 * same FETCHes as that worker, and Linux 7.3 warns when the two meet
 * (ublk_uring_cmd_cancel_fn()).
 */
#ifndef COMMON_SETTLE_H
#define COMMON_SETTLE_H

/*
 * Waits until nobody has /dev/ublkc<id> below `root` open, for a second at most:
 * who holds it for longer lives, and is ended by STOP_DEV. It opens the node for
 * a moment, so no next server may be starting. Sleeps: not for a loop's thread.
 */
void settle_wait(const char *root, int id);

#endif /* COMMON_SETTLE_H */
