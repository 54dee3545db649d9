/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl_life.h - a device's life for tests of core_ctl, told and read as text
 */
#ifndef UBLKEV_TESTS_CTL_LIFE_H
#define UBLKEV_TESTS_CTL_LIFE_H

#include "core/core_ctl.h"
#include "testlib.h"

/* deadlines of life_begin()'s conf */
#define CMD_MS		1000
#define START_MS	3000
#define STOP_MS		5000
#define GRACE_MS	200

struct life {
	struct ublkev__ctl c;
	uint64_t t0, now;
	char text[1024];	/* actions pulled, see life_pull() */
};

/* with these ids; not started */
void life_init(struct life *l, int id);

/*
 * Started, and led to `step`, FEATURES to DEL: what that step waits for is
 * asked for and not answered. The text is empty, and t0 is now.
 */
void life_begin(struct life *l, enum ublkev_step step);

/*
 * Pulls all actions into the text, each followed by a blank: "ADD_DEV" for a
 * command, "-ADD_DEV" for its cancelling, OPEN, ARM, ABORT, CLOSE, !LIVE,
 * !ERROR, !STOPPED. A CLOSE is done at once.
 */
void life_pull(struct life *l);

/* answers what is pending as a driver would that is well, and pulls */
void life_answer(struct life *l, int res);

/* told, verified, pulled */
void life_stop(struct life *l);
void life_abort(struct life *l);
void life_fault(struct life *l, int err);
void life_drained(struct life *l);
void life_opened(struct life *l, int err);

/* answers everything well until it is over */
void life_polite(struct life *l);

/* answers nothing: "@ms " since t0 before what each deadline brings */
void life_silent(struct life *l);

#endif
