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
	const char *memory;	/* of REG_BUF */
};

/* Forgets all rings and failures; no ring may be alive. */
void fake_cring_reset(void);

/* From now on the call fails with err; with 0 it succeeds again. */
void fake_cring_fail_new(int err);
void fake_cring_fail_open(int err);
void fake_cring_fail_submit(unsigned int nr, int err);

/*
 * The ring's next command is not taken at once, as by io_uring that answers
 * -EAGAIN: it goes out when somebody reaps, and no signal says that it waits.
 */
void fake_cring_delay_submit(unsigned int nr);

/* From freeze to thaw the broker stands still at its next look at a ring. */
void fake_cring_freeze(void);
void fake_cring_thaw(void);

/* Waits for the ring's next command, which must be `cmd`. */
struct fake_seen fake_cring_wait(unsigned int nr, enum ublkev__ctrl_cmd cmd);

/* Answers the pending command; `id` and `features` are for those that ask. */
void fake_cring_answer(unsigned int nr, int res, int id, uint64_t features);

/* Answers the pending command with all of *a. */
void fake_cring_tell(unsigned int nr, const struct ublkev__ctrl_answer *a);

/* Waits until the pending command was cancelled. */
void fake_cring_wait_cancel(unsigned int nr);

/* Waits until the ring is freed. */
void fake_cring_wait_free(unsigned int nr);

/* Rings that were made, and that are alive; commands and cancels of one. */
unsigned int fake_cring_made(void);
unsigned int fake_cring_alive(void);
unsigned int fake_cring_submits(unsigned int nr);
unsigned int fake_cring_cancels(unsigned int nr);

/* How often ublk-control was opened; the descriptor of it that a ring has. */
unsigned int fake_cring_opens(void);
int fake_cring_control(unsigned int nr);

#endif
