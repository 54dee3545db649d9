/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * broker_fork.h - the broker's process, see <ublkev/broker.h>
 */
#ifndef UBLKEV_URING_BROKER_FORK_H
#define UBLKEV_URING_BROKER_FORK_H

#include <ublkev/broker.h>

/* where channels are sent to */
int ublkev__broker_fd(const struct ublkev_broker *broker);

/*
 * Serves the channels that come through fd; in the broker, until all is done.
 * `sys` is where sysfs is. SIGCHLD is ignored.
 */
void ublkev__broker_run(int fd, const char *sys);

#endif
