/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * broker_kit.h - a broker's process, looked at from outside
 *
 * A broker is the child of who started it, and the test's process adopts
 * orphans: so it is the test's child in the end. What is waited for must come
 * in five seconds.
 */
#ifndef UBLKEV_TESTS_BROKER_KIT_H
#define UBLKEV_TESTS_BROKER_KIT_H

#include <stdbool.h>
#include <sys/types.h>

#include "uring/carrier.h"

/* the broker of kit_start(), and its process */
extern struct ublkev_broker *kit_broker;
extern pid_t kit_pid;

/* a checked fixture: this process adopts orphans */
void kit_setup(void);
/* starts the broker, and waits until it holds no more than KIT_FDS */
void kit_start(void);
/* stops it; its process is gone */
void kit_stop(void);

/* Waits until the process has a child, and answers its pid. */
pid_t kit_child(pid_t parent);
/* Waits until the process has ended by itself, with status 0. */
void kit_ended(pid_t pid);
/* Asserts that there is no such process, not even a zombie. */
void kit_gone(pid_t pid);
bool kit_has_ended(pid_t pid);
void kit_kill(pid_t pid);

/* A broker without devices has /dev/null on 0 to 2, its socket, its reserve. */
#define KIT_FDS 6
/* Each device has so many more, besides one ublk-control for all. */
#define KIT_FDS_DEV 4

/* Waits until the process has so many descriptors. */
void kit_wait_fds(pid_t pid, unsigned int n);

/* A device's carrier and its eventfd. */
struct kit_control {
	struct ublkev__carrier *carrier;
	int evfd;
};

/* Answers 0 or the error of ublkev__carrier_new(), with nothing left open. */
int kit_open(struct kit_control *c, struct ublkev_broker *broker);
void kit_close(struct kit_control *c);
int kit_ask(struct kit_control *c);	/* GET_FEATURES */
/* Waits for the signal; the answer must be there, and no other. */
struct ublkev__carrier_done kit_answer(struct kit_control *c);
/* Asks GET_FEATURES; the answer must be that of this host, driver or not. */
void kit_works(struct kit_control *c);

#endif
