/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_driver.h - the driver of bench_core
 *
 * src/uring is the library's own, its ring this host's io_uring; what stands in
 * for the driver begins where the kernel is entered. A tag's command becomes a
 * NOP without a completion there, and the tag's next request a MSG_RING of
 * another ring: to a ring with DEFER_TASKRUN that is work added from outside,
 * which signals and wakes as the driver's does. Control commands are answered
 * at once.
 */
#ifndef UBLKEV_TESTS_BENCH_DRIVER_H
#define UBLKEV_TESTS_BENCH_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

/* how many requests were committed; may ask for more */
typedef void bench_answered_fn(unsigned int n);

struct bench_hooks {
	bench_answered_fn *answered;
	/*
	 * The kernel is about to be entered, to sleep there if there is nothing
	 * to do; was entered.
	 */
	void (*enter)(bool sleeps);
	void (*entered)(void);
	/* a timeout is set, and left to who has this */
	void (*alarm)(uint64_t us);
};

extern struct bench_hooks bench_hooks;

/*
 * Makes a client's request, in a tag that the driver has; there are as many
 * as the device's depth. All of them reach the ring at bench_send().
 */
void bench_ask(uint32_t op_flags, uint64_t offset, uint32_t bytes);
void bench_send(void);
/* the timeout is over */
void bench_ring_alarm(void);

#endif
