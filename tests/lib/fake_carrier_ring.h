/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_carrier_ring.h - carrier_ring.h whose kernel is a test
 *
 * For a broker in a thread of the test. Rings are known by a number, 0 being
 * the first since the reset. What is waited for must come in five seconds, or
 * the test fails.
 */
#ifndef UBLKEV_TESTS_FAKE_CRING_H
#define UBLKEV_TESTS_FAKE_CRING_H

#include <stdbool.h>
#include <stdint.h>

#include "uring/carrier_ring.h"

#define FAKE_RINGS 128

struct fake_seen {
	enum ublkev__ctrl_cmd cmd;
	int id;
	uint64_t data, features;
	uint32_t max_io_bytes;
	uint64_t dev_sectors;
};

/* no ring may be alive */
void fake_cring_reset(void);

/* these calls are answered so from now on; 0: as they should be */
void fake_cring_fail_new(int err);
void fake_cring_fail_open(int err);
void fake_cring_fail_submit(unsigned int nr, int err);

/* the next command is only seen once somebody reaps, and nobody is told */
void fake_cring_delay_submit(unsigned int nr);

/* between these the broker stands still at its next look at a ring */
void fake_cring_freeze(void);
void fake_cring_thaw(void);

/* the command that is pending there, which must be `cmd` */
struct fake_seen fake_cring_wait(unsigned int nr, enum ublkev__ctrl_cmd cmd);

/* what is pending is answered; `id` and `features` for who asks for them */
void fake_cring_answer(unsigned int nr, int res, int id, uint64_t features);

/* likewise, in full */
void fake_cring_tell(unsigned int nr, const struct ublkev__ctrl_answer *a);

/* waits until the pending command was asked to end */
void fake_cring_wait_cancel(unsigned int nr);

/* waits until it is freed */
void fake_cring_wait_free(unsigned int nr);

/* how many were made, are alive; commands that a ring was given */
unsigned int fake_cring_made(void);
unsigned int fake_cring_alive(void);
unsigned int fake_cring_submits(unsigned int nr);
unsigned int fake_cring_cancels(unsigned int nr);

/* how often ublk-control was opened; what a ring has of it */
unsigned int fake_cring_opens(void);
int fake_cring_control(unsigned int nr);

#endif
