/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chan.h - what a device and its broker say to each other
 *
 * Each device has a channel, one end of a socketpair of datagrams in order;
 * the other end goes to the broker through the broker's own socket, with the
 * device's eventfd. Both sides are the same program, the broker being its fork:
 * the messages are plain structs. Nothing here waits; carrier_broker.c has the
 * device's side of a channel, broker_run.c the broker's.
 */
#ifndef UBLKEV_URING_CHAN_H
#define UBLKEV_URING_CHAN_H

#include <stdbool.h>

#include "uring/carrier.h"

/*
 * A message from the device to the broker, which answers it with a struct
 * ublkev__carrier_done. An answer whose command is NONE was not asked for: the
 * broker cannot serve the channel, the result says why, and the channel is
 * closed behind it.
 */
struct ublkev__chan_cmd {
	bool cancel;			/* the pending command, not req */
	struct ublkev__carrier_req req;
};

/*
 * Makes two connected ends, which are the caller's to close, and close-on-exec.
 * Errors: those of socketpair(2).
 */
int ublkev__chan_pair(int fds[2]);

/*
 * Sends one message. Errors: -EPIPE, the other end is closed; -EAGAIN, the
 * socket has no room now; others of send(2).
 */
int ublkev__chan_send(int fd, const void *msg, size_t bytes);

/* The same, with a descriptor, which stays the caller's; -1: without. */
int ublkev__chan_send_with(int fd, const void *msg, size_t bytes, int with);

/*
 * As recv, and *with is the descriptor that came with the message, and is the
 * caller's to close; -1: none came, or this process has no number for it.
 */
int ublkev__chan_recv_with(int fd, void *msg, size_t bytes, int *with);

/*
 * What REG_BUF registers has to be mapped by whoever sends it, as long as the
 * driver looks at it: it keeps the pages then, and no mapping. So the broker maps
 * the file that came with the command (-1: none did, for want of a number), and
 * *memory gets its base. Errors: -EMFILE, those of mmap(2).
 */
struct ublkev__chan_memory {
	void *base;		/* NULL: nothing is mapped */
	size_t bytes;
};

int ublkev__chan_map(struct ublkev__chan_memory *m,
		     struct ublkev__carrier_memory *memory, int fd);
void ublkev__chan_unmap(struct ublkev__chan_memory *m);

/*
 * Receives one message of exactly `bytes`: 1. Answers 0 when none is there, and
 * -EPIPE when the other end is closed or has sent a message of another length.
 */
int ublkev__chan_recv(int fd, void *msg, size_t bytes);

/* Whether ublkev__chan_recv() would answer anything but 0. */
bool ublkev__chan_has_work(int fd);

/*
 * Sends the broker a channel's end and an eventfd, which stay the caller's.
 * Errors: those of ublkev__chan_send().
 */
int ublkev__chan_send_fds(int fd, const int fds[2]);

/*
 * Receives what ublkev__chan_send_fds() sent: 1, and both are the caller's to
 * close. Answers 0 when nothing is there, and when this process had no
 * descriptor left for one of them; -EPIPE when the sender is gone.
 */
int ublkev__chan_recv_fds(int fd, int fds[2]);

#endif
