/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_kit.h - one queue of four tags for tests of core/queue
 *
 * A test tells it facts and pulls acts, one at a time; each call verifies the
 * queue after what it did.
 */
#ifndef UBLKEV_TESTS_QUEUE_KIT_H
#define UBLKEV_TESTS_QUEUE_KIT_H

#include "core/queue.h"
#include "testlib.h"

#define QK_QUEUE	3u		/* the queue's number */
#define QK_DEPTH	4u
#define QK_MAX_IO	8192u
#define QK_GENERATION	70u

struct queue_kit {
	struct ublkev__queue q;
	struct ublkev__tag tags[QK_DEPTH];
	uint64_t since_us[QK_DEPTH];
	struct ublkev_stats stats;
	char bufs[QK_DEPTH * QK_MAX_IO], spare;
};

extern struct queue_kit qk;

/* a checked fixture: qk is a queue that was not armed yet */
void qk_setup(void);
void qk_verify(void);
/* armed: all tags are with the driver */
void qk_arm(void);

/* the driver hands the tag over with a request at sector 1; its answer */
int qk_cqe(unsigned int tag, uint32_t op, uint32_t sectors);
/* the tag that the backend gets next; NULL: none */
struct ublkev__tag *qk_submitted(void);
/* a request of 1 KiB of the tag, led to the backend; its cookie */
uint64_t qk_pulled(unsigned int tag, uint32_t op);
/* the backend answers with err, and is told that answer */
void qk_done(uint64_t cookie, int err, int answer);

/* the next act towards the backend, or the driver, is this, of that tag */
void qk_assert_in(enum ublkev__queue_act act, unsigned int tag);
void qk_assert_out(enum ublkev__queue_act act, unsigned int tag, int result);
/* there is nothing to do in either direction */
void qk_assert_nothing(void);

#endif
