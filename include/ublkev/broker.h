/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * broker.h - a process of its own for control commands
 *
 * Some control commands wait in the kernel until the device's requests have
 * been answered: STOP_DEV, DEL_DEV, and START_DEV on Linux 6.12. A server
 * that is killed while such a command of its own waits for its own answers
 * can never be reaped: its exit waits for the command, the command for the
 * requests, and the requests for the exit. With a broker the command is
 * another process'; a killed server ends at once, its requests are failed,
 * and the broker stops and deletes the devices that it left.
 */
#ifndef UBLKEV_BROKER_H
#define UBLKEV_BROKER_H

#ifdef __cplusplus
extern "C" {
#endif

struct ublkev_broker;	/* opaque */

/*
 * Forks the broker. Call it early: before there is a loop, a thread, a device
 * or anything else that a child should not share, for the child closes all
 * descriptors but keeps a copy of the memory. It is a child that the caller
 * does not hear of: no SIGCHLD, and wait(2) passes over it unless it is asked
 * for __WCLONE or __WALL. It is in a session of its own, takes no notice of
 * SIGINT, SIGTERM and SIGHUP, and raises its limit of descriptors, of which a
 * device needs four, to the hard limit. It keeps the privileges that the caller
 * has now.
 *
 * It ends when the caller has ended or called ublkev_broker_stop(), after
 * stopping and deleting the devices that were added through it and are
 * still there. A device that can be recovered it leaves to another server,
 * unless that was not live yet, was being stopped, or, before Linux 7.3, was
 * half recovered.
 *
 * *brokerp is the caller's, to be stopped by ublkev_broker_stop(). Errors, with
 * *brokerp as it was: -EAGAIN, -ENOMEM, -EMFILE and others of socketpair(2) and
 * fork(2). Any thread.
 */
int ublkev_broker_start(struct ublkev_broker **brokerp);

/*
 * Lets the broker end, reaps it, and frees *broker; NULL is allowed. No active
 * device may be using it. Waits for its end, which takes milliseconds; after a
 * second, when the kernel still holds a command of a device that was LOST, or
 * in a process forked since the start, the broker is left to process 1 to reap.
 * Any thread, once.
 */
void ublkev_broker_stop(struct ublkev_broker *broker);

#ifdef __cplusplus
}
#endif

#endif /* UBLKEV_BROKER_H */
