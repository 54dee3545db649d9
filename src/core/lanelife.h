/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lanelife.h - the life of a lane, in the thread that serves it
 *
 *	         ARM            LIVE            HOLD
 *	WAITS ---------> ARMED -------> LIVE <---------> HELD
 *	      \-> FAILED                        RESUME
 *
 * and from each of them ENDED, by CLOSE. The lane of the application's thread
 * is ARMED from the beginning: nobody wishes anything of it.
 *
 * Wishes come from the application's thread (threads.h), any number of them
 * at once, ORed. They are carried out in the order of their bits, which is
 * the only order in which they can have come: whoever wishes waits for HELD
 * before RESUME, and wishes nothing after CLOSE. Acts are pulled, facts told;
 * what the application's thread is to hear of that is pulled, too.
 */
#ifndef UBLKEV_CORE_LANELIFE_H
#define UBLKEV_CORE_LANELIFE_H

#include <stdbool.h>
#include <stdint.h>

/* wishes */
#define UBLKEV__WISH_ARM	(1u << 0)	/* take the ring, send FETCH */
#define UBLKEV__WISH_ARM_HIDDEN	(1u << 1)	/* without CAP_SYS_ADMIN */
#define UBLKEV__WISH_LIVE	(1u << 2)	/* waiting for requests pays */
#define UBLKEV__WISH_ABORT	(1u << 3)	/* fail all requests */
#define UBLKEV__WISH_RESUME	(1u << 4)
#define UBLKEV__WISH_HOLD	(1u << 5)	/* no call into the backend, no
						   address with the driver */
#define UBLKEV__WISH_IDLE	(1u << 6)	/* say when no request is there */
#define UBLKEV__WISH_LOOK	(1u << 7)	/* say when all that had come to
						   it by now is seen */
#define UBLKEV__WISH_RECALL	(1u << 8)	/* cancel operations on files,
						   say when none is out */
#define UBLKEV__WISH_CLOSE	(1u << 9)	/* let go of the ring, end */

/* facts */
#define UBLKEV__FACT_LINE	(1u << 0)	/* there is one for the log */
#define UBLKEV__FACT_FAULT	(1u << 1)	/* an errno goes with it */
#define UBLKEV__FACT_ARMED	(1u << 2)	/* the driver has the FETCHes */
#define UBLKEV__FACT_TAG_DIED	(1u << 3)	/* the driver took one back */
#define UBLKEV__FACT_DRAINED	(1u << 4)	/* it has none of the tags */
#define UBLKEV__FACT_IDLE	(1u << 5)	/* no request is there */
#define UBLKEV__FACT_HELD	(1u << 6)	/* as wished; not RESUMEd since */
#define UBLKEV__FACT_LOOKED	(1u << 7)	/* as wished */
#define UBLKEV__FACT_RECALLED	(1u << 8)	/* no operation on a file is out */
#define UBLKEV__FACT_CLOSED	(1u << 9)	/* the last one: it has ended */

enum ublkev__lane_phase {
	UBLKEV__LANE_WAITS,	/* its ring is not its thread's yet */
	UBLKEV__LANE_FAILED,	/* and will not be: ARM met an error */
	UBLKEV__LANE_ARMED,
	UBLKEV__LANE_LIVE,	/* its device is */
	UBLKEV__LANE_HELD,	/* live, but calls nobody until resumed */
	UBLKEV__LANE_ENDED,
};

enum ublkev__lane_tags {
	UBLKEV__TAGS_WHOLE,
	UBLKEV__TAGS_DYING,	/* the driver took one back */
	UBLKEV__TAGS_DRAINED,	/* the driver has none, or will tell no more */
};

enum ublkev__lane_idle {
	UBLKEV__IDLE_UNASKED,
	UBLKEV__IDLE_ASKED,
	UBLKEV__IDLE_TOLD,
};

enum ublkev__lane_recall {
	UBLKEV__RECALL_UNASKED,
	UBLKEV__RECALL_ASKED,	/* no operation on a file is begun any more */
	UBLKEV__RECALL_TOLD,	/* and none is out */
};

enum ublkev__lane_act {
	UBLKEV__LANE_NONE,
	UBLKEV__LANE_ARM,	/* ublkev__lanelife_armed() follows */
	UBLKEV__LANE_ARM_HIDDEN,
	UBLKEV__LANE_ABORT,
	UBLKEV__LANE_HOLD,	/* ublkev__lanelife_held() follows */
	UBLKEV__LANE_RECALL,	/* ublkev__lanelife_recall() follows */
	UBLKEV__LANE_CLOSE,	/* ublkev__lanelife_ended() follows */
};

struct ublkev__lanelife {
	uint8_t phase;		/* enum ublkev__lane_phase */
	uint8_t tags;		/* enum ublkev__lane_tags */
	uint8_t idle;		/* enum ublkev__lane_idle */
	bool looks;		/* LOOK was wished, and not yet looked */
	uint8_t recall;		/* enum ublkev__lane_recall */
	uint16_t wishes;	/* to be carried out */
	uint16_t facts;		/* to be pulled */
};

/* phase: WAITS, of a thread that is to be told; ARMED, without one */
void ublkev__lanelife_init(struct ublkev__lanelife *ll,
			   enum ublkev__lane_phase phase);

void ublkev__lanelife_wish(struct ublkev__lanelife *ll, unsigned int wishes);
/* what to do next about what was wished */
enum ublkev__lane_act ublkev__lanelife_next(struct ublkev__lanelife *ll);

/* facts about acts: ARM was done, or why not; the others were done */
void ublkev__lanelife_armed(struct ublkev__lanelife *ll, int err);
void ublkev__lanelife_held(struct ublkev__lanelife *ll);
void ublkev__lanelife_ended(struct ublkev__lanelife *ll);
/* also of the application's lane, as often as it is wished for */
void ublkev__lanelife_recall(struct ublkev__lanelife *ll);

/* a tag died; all have; both may be told often */
void ublkev__lanelife_tag_died(struct ublkev__lanelife *ll);
void ublkev__lanelife_drained(struct ublkev__lanelife *ll);
/* the ring is closed by us: what becomes of its tags is nobody's business */
void ublkev__lanelife_let_go(struct ublkev__lanelife *ll);
/* no request is there; only when it was asked for, and was not told */
void ublkev__lanelife_idle(struct ublkev__lanelife *ll);

/*
 * Since it was last called, a whole round was gone through, unless it serves
 * none: what LOOK was wished for before that is so.
 */
void ublkev__lanelife_looked(struct ublkev__lanelife *ll);
/* no operation on a file is out; only when it was asked for, and was not told */
void ublkev__lanelife_recalled(struct ublkev__lanelife *ll);

/* UBLKEV__FACT_* for the application's thread, each once */
unsigned int ublkev__lanelife_facts(struct ublkev__lanelife *ll);

/* it goes through rounds: enters the kernel, calls the backend */
static inline bool ublkev__lanelife_serves(const struct ublkev__lanelife *ll)
{
	return ll->phase == UBLKEV__LANE_ARMED ||
	       ll->phase == UBLKEV__LANE_LIVE;
}

/* ARM succeeded, whatever has become of it: there is something to undo */
static inline bool ublkev__lanelife_began(const struct ublkev__lanelife *ll)
{
	return ll->phase >= UBLKEV__LANE_ARMED &&
	       ll->phase <= UBLKEV__LANE_HELD;
}

/* asserts that this is a state that there may be */
void ublkev__lanelife_verify(const struct ublkev__lanelife *ll);

#endif
