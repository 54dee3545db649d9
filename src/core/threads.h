/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threads.h - the queue threads of a device, as the application's thread
 * knows them
 *
 *	WAITING -> ARMING -> ARMED -> LIVE -> CLOSING -> CLOSED
 *
 * in which CLOSING may come at any time. A device without queue threads has
 * none here: phase NONE, and every question below is answered with true.
 *
 * Each thread is the application's thread's idea of a lane (lanelife.h), which
 * it learns from what the thread told, and so is behind what the thread is.
 * Wishes are asked for with the calls named after them; what is to be done is
 * pulled until NONE: threads to make, wishes to tell them, threads to wait
 * for, and facts about all of them for the device's life.
 */
#ifndef UBLKEV_CORE_THREADS_H
#define UBLKEV_CORE_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/lanelife.h"

enum ublkev__thread_phase {
	UBLKEV__THREAD_NONE,	/* not made, or could not be */
	UBLKEV__THREAD_WAITS,	/* runs; has no ring */
	UBLKEV__THREAD_ARMING,	/* was told to take it and send FETCH */
	UBLKEV__THREAD_FAILED,	/* could not; has no tag */
	UBLKEV__THREAD_ARMED,
	UBLKEV__THREAD_LIVE,
	UBLKEV__THREAD_ENDING,	/* was told to */
	UBLKEV__THREAD_ENDED,	/* said so: only its exit is to be awaited */
	UBLKEV__THREAD_JOINED,	/* is no more */
};

enum ublkev__threads_phase {
	UBLKEV__THREADS_NONE,
	UBLKEV__THREADS_WAITING,
	UBLKEV__THREADS_ARMING,	/* some have not armed or failed */
	UBLKEV__THREADS_ARMED,
	UBLKEV__THREADS_LIVE,
	UBLKEV__THREADS_CLOSING,	/* some have not ended */
	UBLKEV__THREADS_CLOSED,
};

/* of one, and of all: HELD when all are, or have no call into the backend */
enum ublkev__threads_hold {
	UBLKEV__HOLD_FREE,
	UBLKEV__HOLD_ASKED,
	UBLKEV__HOLD_HELD,
};

/* of one, and of all: TOLD when all have, or are past it */
enum ublkev__threads_look {
	UBLKEV__LOOK_UNASKED,
	UBLKEV__LOOK_ASKED,
	UBLKEV__LOOK_TOLD,
};

struct ublkev__thread {
	uint8_t phase;		/* enum ublkev__thread_phase */
	uint8_t hold;		/* enum ublkev__threads_hold */
	uint8_t tags;		/* enum ublkev__lane_tags */
	uint8_t idle;		/* enum ublkev__lane_idle */
	uint8_t look;		/* enum ublkev__threads_look */
	uint8_t recall;		/* enum ublkev__lane_recall */
	uint16_t wishes;	/* to be pulled */
};

enum ublkev__threads_act {
	UBLKEV__THREADS_DONE,	/* nothing is to be done */
	UBLKEV__THREADS_RUN,	/* make thread n; ublkev__threads_ran() */
	UBLKEV__THREADS_WISH,	/* tell thread n `wishes` */
	UBLKEV__THREADS_JOIN,	/* wait for thread n's exit */
	UBLKEV__THREADS_TELL_TAG_DIED,	/* the device's life, each once */
	UBLKEV__THREADS_TELL_DRAINED,
	UBLKEV__THREADS_TELL_CLOSED,
};

struct ublkev__threads_action {
	enum ublkev__threads_act act;
	unsigned int n;
	unsigned int wishes;
};

struct ublkev__threads {
	struct ublkev__thread *v;	/* [nr] */
	unsigned int nr;
	unsigned int serving;	/* the first so many have tags: the others' queues
				   the driver did not take */
	unsigned int runs;	/* so many are to be made */
	unsigned int made;	/* so many were, or one could not */
	uint8_t phase;		/* enum ublkev__threads_phase */
	uint8_t hold;		/* enum ublkev__threads_hold */
	uint8_t tags;		/* enum ublkev__lane_tags, of all that serve */
	uint8_t idle;		/* enum ublkev__lane_idle: TOLD by all */
	uint8_t look;		/* enum ublkev__threads_look */
	uint8_t recall;		/* enum ublkev__lane_recall, likewise */
	bool joining;
	uint8_t tells;		/* bits of acts: TELL_* to be pulled */
};

/* `v` has room for nr and stays the caller's; nr 0: there are none */
void ublkev__threads_init(struct ublkev__threads *t, struct ublkev__thread *v,
			  unsigned int nr);

/* ---- wishes ------------------------------------------------------------ */

/* once: make them all; after one that could not be made, no more are */
void ublkev__threads_run(struct ublkev__threads *t);

/* once, all being made: the driver took the queues of so many; the others go */
void ublkev__threads_take(struct ublkev__threads *t, unsigned int serving);

/* once, after take: send FETCH; hidden: see ublkev__life_hides_privilege() */
void ublkev__threads_arm(struct ublkev__threads *t, bool hidden);

/* once, ARMED; none has failed, or the driver would not have started */
void ublkev__threads_live(struct ublkev__threads *t);

/* any time: those that have requests, or will, fail them */
void ublkev__threads_abort(struct ublkev__threads *t);

/* from LIVE on: none of them is to call the backend, until resumed, HELD */
void ublkev__threads_hold(struct ublkev__threads *t);
void ublkev__threads_resume(struct ublkev__threads *t);

/* from LIVE on: they are to say when they have no request */
void ublkev__threads_ask_idle(struct ublkev__threads *t);

/*
 * Any time: they are to say when they have seen all that had come to them. One
 * that ends is past it. To be forgotten before it is asked for again; what one
 * of them is still asked for then, it tells then.
 */
void ublkev__threads_ask_look(struct ublkev__threads *t);
void ublkev__threads_forget_look(struct ublkev__threads *t);

/*
 * any time, often: those that have operations on files, or will, are to cancel
 * them, begin no other, and say when none is out
 */
void ublkev__threads_recall(struct ublkev__threads *t);

/* any time, often: they are to close their rings and end */
void ublkev__threads_close(struct ublkev__threads *t);

/* any time: as close, and wait for each; nothing is told any more */
void ublkev__threads_join(struct ublkev__threads *t);

/* ---- facts ------------------------------------------------------------- */

/* RUN was done: 0, or the errno */
void ublkev__threads_ran(struct ublkev__threads *t, unsigned int n, int err);

/* thread n told UBLKEV__FACT_*; LINE and FAULT are not looked at */
void ublkev__threads_told(struct ublkev__threads *t, unsigned int n,
			  unsigned int facts);

/* ---- acts -------------------------------------------------------------- */

/* false: DONE */
bool ublkev__threads_next(struct ublkev__threads *t,
			  struct ublkev__threads_action *a);

/* ---- questions --------------------------------------------------------- */

/* every thread has sent its FETCHes, or has failed to */
static inline bool ublkev__threads_armed(const struct ublkev__threads *t)
{
	return t->phase != UBLKEV__THREADS_ARMING;
}

static inline bool ublkev__threads_held(const struct ublkev__threads *t)
{
	return t->phase == UBLKEV__THREADS_NONE ||
	       t->hold == UBLKEV__HOLD_HELD;
}

static inline bool ublkev__threads_idle(const struct ublkev__threads *t)
{
	return t->phase == UBLKEV__THREADS_NONE ||
	       t->idle == UBLKEV__IDLE_TOLD;
}

static inline bool ublkev__threads_looked(const struct ublkev__threads *t)
{
	return t->phase == UBLKEV__THREADS_NONE ||
	       t->look == UBLKEV__LOOK_TOLD;
}

/* thread n was asked to look, may, and has not */
bool ublkev__threads_awaits_look(const struct ublkev__threads *t,
				 unsigned int n);

/* after ublkev__threads_recall() */
static inline bool ublkev__threads_recalled(const struct ublkev__threads *t)
{
	return t->phase == UBLKEV__THREADS_NONE ||
	       t->recall == UBLKEV__RECALL_TOLD;
}

static inline bool ublkev__threads_closed(const struct ublkev__threads *t)
{
	return t->phase == UBLKEV__THREADS_NONE ||
	       t->phase == UBLKEV__THREADS_CLOSED;
}

/* asserts that this is a state that there may be */
void ublkev__threads_verify(const struct ublkev__threads *t);

#endif
