/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * life_kit.h - a device's life for tests of life, told and read as text
 */
#ifndef UBLKEV_TESTS_LIFE_KIT_H
#define UBLKEV_TESTS_LIFE_KIT_H

#include "core/life.h"
#include "testlib.h"

/* deadlines of life_begin()'s conf */
#define CMD_MS		1000
#define START_MS	3000
#define STOP_MS		5000
#define GRACE_MS	200
#define RECOVER_MS	9000

struct life {
	struct ublkev__life c;
	uint64_t t0, now;
	/* what the driver answers */
	uint64_t kernel;	/* features: 6.12's */
	uint64_t features;	/* of the device to recover */
	unsigned int state;	/* of it: QUIESCED */
	bool files_stay;	/* RECALL is done when it is told so */
	char text[1024];	/* actions pulled, see life_pull() */
};

/* with these ids; not started */
void life_init(struct life *l, int id);

/* the features that kernels tell of */
#define KERNEL_612	0x1feu
#define KERNEL_73	0x1fffffu

/* a device that can be recovered, where the kernel has it; not started */
void life_make(struct life *l, enum ublkev_recovery recovery, uint64_t kernel);

/*
 * Started, and led to `step`, which that mode has: what it waits for is asked
 * for and not answered. The text is empty, and t0 is now.
 */
void life_lead(struct life *l, enum ublkev__life_mode mode,
	       enum ublkev_step step);

/*
 * Led to any step from FEATURES to BACKEND_CLOSE as by life_lead(), in a mode,
 * on a kernel and with a backend that have it. In RECALL the files stay.
 */
void life_begin(struct life *l, enum ublkev_step step);

/*
 * Pulls all actions into the text, each followed by a blank: "ADD_DEV" for a
 * command, "-ADD_DEV" for its cancelling, OPEN, ARM, ABORT, RECALL, CLOSE, BACKEND,
 * !LIVE, !ERROR, !STOPPED, and with what they tell !RESIZED=0, !REFUSED=-16.
 * A CLOSE is done at once, a RECALL unless files_stay.
 */
void life_pull(struct life *l);

/* Answers that command, which is pending, with *a; pulls. */
void life_tell(struct life *l, enum ublkev__ctrl_cmd cmd,
	       const struct ublkev__ctrl_answer *a);

/* Answers what is pending with res, and else as a healthy driver; pulls. */
void life_answer(struct life *l, int res);

/* told, verified, pulled */
void life_stop(struct life *l);
void life_abort(struct life *l);
void life_fault(struct life *l, int err);
void life_drained(struct life *l);
void life_recalled(struct life *l);
void life_opened(struct life *l, int err);

/* no request is with us; pulls */
void life_idle(struct life *l);

/* the driver took a tag back; pulls */
void life_tag_died(struct life *l);

/* to the next deadline, whose tick is pulled */
void life_climb(struct life *l);

/* made, and LIVE */
void life_live(struct life *l, enum ublkev_recovery recovery, uint64_t kernel);

/* the last was STOPPED in this step, with this error from that step */
void life_assert_over(const struct life *l, enum ublkev_step step, int err,
		      enum ublkev_step err_step);
void life_assert_live(const struct life *l);

/* answers everything well until it is over */
void life_polite(struct life *l);

/* answers nothing: "@ms " since t0 before what each deadline brings */
void life_silent(struct life *l);

#endif
