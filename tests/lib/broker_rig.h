/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * broker_rig.h - a broker in a thread, on the rings of fake_carrier_ring.h, and
 * those who use it
 */
#ifndef UBLKEV_TESTS_BROKER_RIG_H
#define UBLKEV_TESTS_BROKER_RIG_H

#include "fake_carrier_ring.h"

#define BRIG_ID		7	/* of every device */
#define BRIG_DEVS	100

/* A device's end of its channel, and the eventfd that the broker signals. */
struct brig_dev {
	int fd;
	int evfd;
};

extern struct brig_dev brig_devs[BRIG_DEVS];
extern int brig_main_fd;
/* The broker's /sys, an empty directory. */
extern char brig_sys[];

void brig_setup(void);
/* Closes what the test has left open, whereupon the broker must end. */
void brig_finish(void);

void brig_close_main(void);
bool brig_has_ended(void);

/* Sends the broker the next channel. */
void brig_send_dev(void);
void brig_close_dev(unsigned int nr);
/* Sends a command through channel nr, and does not wait for the answer. */
/* REG_BUF comes without a file: brig_ask_memory() */
void brig_ask(unsigned int nr, enum ublkev__ctrl_cmd cmd);
/* REG_BUF of the second page of that file; -1: it comes without */
void brig_ask_memory(unsigned int nr, int fd, bool read_only);
void brig_ask_marked(unsigned int nr, enum ublkev__ctrl_cmd cmd,
		     bool no_scheduler);
/* Waits for the signal; the answer must be there, with that result. */
struct ublkev__carrier_done brig_answered(unsigned int nr, int res);
/* The broker has closed the channel. */
void brig_closed(unsigned int nr);
void brig_wait_fd(int fd);

/* Sends a command, which the driver answers so, and the device is told. */
void brig_done(unsigned int nr, enum ublkev__ctrl_cmd cmd, int res);
/* Sends a command, which the driver answers with all of *a. */
void brig_told(unsigned int nr, enum ublkev__ctrl_cmd cmd,
	       const struct ublkev__ctrl_answer *a);
/* Sends the next channel, and adds a device through it. */
void brig_added(void);
/* Sends a command, and closes the channel while it is pending. */
void brig_left_alone(unsigned int nr, enum ublkev__ctrl_cmd cmd);
/* Waits for a command that the broker sends by itself, and answers it. */
void brig_own(unsigned int nr, enum ublkev__ctrl_cmd cmd, int res);

#endif
