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

/* a device's end of its channel */
struct brig_dev {
	int fd;
	int evfd;
};

extern struct brig_dev brig_devs[BRIG_DEVS];
extern int brig_main_fd;
/* the broker's /sys, an empty directory */
extern char brig_sys[];

void brig_setup(void);
/* whatever the test has left open is closed; the broker must end then */
void brig_finish(void);

void brig_close_main(void);
bool brig_has_ended(void);

/* the next channel */
void brig_send_dev(void);
void brig_close_dev(unsigned int nr);
void brig_ask(unsigned int nr, enum ublkev__ctrl_cmd cmd);
void brig_ask_marked(unsigned int nr, enum ublkev__ctrl_cmd cmd,
		     bool no_scheduler);
/* the answer, whose signal comes with it */
struct ublkev__carrier_done brig_answered(unsigned int nr, int res);
/* the broker closes it */
void brig_closed(unsigned int nr);
void brig_wait_fd(int fd);

/* asked, carried, answered */
void brig_done(unsigned int nr, enum ublkev__ctrl_cmd cmd, int res);
/* likewise, answered well and with that */
void brig_told(unsigned int nr, enum ublkev__ctrl_cmd cmd,
	       const struct ublkev__ctrl_answer *a);
/* the next channel, with a device */
void brig_added(void);
/* asked, then closed while it is pending */
void brig_left_alone(unsigned int nr, enum ublkev__ctrl_cmd cmd);
/* a command of the broker's own */
void brig_own(unsigned int nr, enum ublkev__ctrl_cmd cmd, int res);

#endif
