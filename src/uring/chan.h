/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chan.h - what a device and its broker say to each other
 *
 * Each device has a channel, one end of a socketpair of datagrams in order;
 * the other end goes to the broker through the broker's own socket, with the
 * device's eventfd. Both sides are the same program: the messages are plain
 * structs.
 */
#ifndef UBLKEV_URING_CHAN_H
#define UBLKEV_URING_CHAN_H

#include <stdbool.h>

#include "uring/carrier.h"

/*
 * Device to broker; answered with a struct ublkev__carrier_done. One whose
 * command is NONE comes unasked: the broker cannot serve the channel, its
 * result says why, and the channel is closed behind it.
 */
struct ublkev__chan_cmd {
	bool cancel;			/* the pending one; nothing else counts */
	struct ublkev__carrier_req req;
};

/* two connected ends, close-on-exec. Errors: those of socketpair(2). */
int ublkev__chan_pair(int fds[2]);

/*
 * Errors: -EPIPE, the other end is closed; -EAGAIN, not now; others of
 * send(2).
 */
int ublkev__chan_send(int fd, const void *msg, size_t bytes);

/*
 * One message of exactly `bytes`. 1: received; 0: none there now; -EPIPE:
 * the other end is closed, or sends something else.
 */
int ublkev__chan_recv(int fd, void *msg, size_t bytes);

/* a message is there, or the other end is closed */
bool ublkev__chan_has_work(int fd);

/* a channel's end and an eventfd, for the broker; they stay the caller's */
int ublkev__chan_send_fds(int fd, const int fds[2]);

/* likewise 1, 0 or -EPIPE; they are the caller's then */
int ublkev__chan_recv_fds(int fd, int fds[2]);

#endif
