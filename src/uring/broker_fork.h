/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * broker_fork.h - the broker's process, see <ublkev/broker.h>
 */
#ifndef UBLKEV_URING_BROKER_FORK_H
#define UBLKEV_URING_BROKER_FORK_H

#include <ublkev/broker.h>

/*
 * The socket that takes channels (ublkev__chan_send_fds()); it stays the
 * broker's. Called in the server, by carrier_broker.c.
 */
int ublkev__broker_fd(const struct ublkev_broker *broker);

/*
 * Serves the channels that come through fd, until that and all channels are
 * closed and nothing is left to be cleaned up. Called in the broker's process,
 * which ignores SIGCHLD and may not use malloc(3). `sys` is where sysfs is,
 * which tests have elsewhere.
 */
void ublkev__broker_run(int fd, const char *sys);

#endif
