/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * act.h - carries a device's life: its control commands, events, files
 */
#ifndef UBLKEV_EV_ACT_H
#define UBLKEV_EV_ACT_H

#include <stdbool.h>
#include <stdint.h>

struct ublkev__engine;
struct ublkev__lane;

/* tells the core what control commands were answered */
void ublkev__act_answer(struct ublkev__engine *e);

/*
 * Facts for the device's life: the driver took a tag back; the driver has no
 * tag any more; every ring is closed, and the threads end. Each of these is
 * told once, of the application's lane or of all queue threads together. A ring
 * that fails is told by any of them, as often as it does.
 */
void ublkev__act_tag_died(struct ublkev__engine *e);
void ublkev__act_drained(struct ublkev__engine *e);
void ublkev__act_closed(struct ublkev__engine *e);
void ublkev__act_fault(struct ublkev__engine *e, int err);

/* what the application's own lane has to say of its tags */
void ublkev__act_lane_news(struct ublkev__engine *e);
/*
 * Tells the core that no request is with us, if that is so and it waits for it.
 */
void ublkev__act_look_idle(struct ublkev__engine *e);
/* likewise that no operation on a file is out, after a recall */
void ublkev__act_look_recalled(struct ublkev__engine *e);

/* the time, after the facts: an answer that is there is never late */
void ublkev__act_tick(struct ublkev__engine *e);

/* actions on a lane, by its thread; hidden: see ublkev__life_hides_privilege */
void ublkev__act_arm(struct ublkev__lane *l, bool hidden);
void ublkev__act_abort(struct ublkev__lane *l);
void ublkev__act_recall(struct ublkev__lane *l);
void ublkev__act_close(struct ublkev__lane *l);

/* what the device's life needs of the thread whose it is */
enum ublkev__need {
	/* left alone, as a live device is whatever its requests do */
	UBLKEV__NEED_NOTHING,
	/*
	 * awaits an answer, a thread or a deadline: a look when the pump runs
	 */
	UBLKEV__NEED_LOOK,
	/* can go on by now: the loop is not to sleep before */
	UBLKEV__NEED_RUN,
};

/* of a device that awaits something: LOOK or RUN */
enum ublkev__need ublkev__act_need(const struct ublkev__engine *e);

/* does what the core wants done; false: that was the end, and e is gone */
bool ublkev__act_run(struct ublkev__engine *e);

#endif
