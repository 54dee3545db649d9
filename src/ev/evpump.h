/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evpump.h - the one loop that moves facts and actions
 */
#ifndef UBLKEV_EV_EVPUMP_H
#define UBLKEV_EV_EVPUMP_H

#include <stdbool.h>

struct ublkev__lane;
struct ublkev__io;
struct ublkev__queue;

/*
 * Moves all there is, as long as the budget of a turn lasts. true: the
 * engine is still there; false: STOPPED was told, and *l may be anything.
 */
bool ublkev__pump(struct ublkev__lane *l);

/* tells the driver what it has to be told about the queue's tags */
void ublkev__pump_out(struct ublkev__lane *l, struct ublkev__queue *q);

/* no request is with us, nor an answer on its way */
bool ublkev__pump_idle(const struct ublkev__lane *l);

/* the driver has given back all tags */
bool ublkev__pump_drained(const struct ublkev__lane *l);

/* io_enter, or its like, with what it counts and what it finds */
void ublkev__pump_enter(struct ublkev__lane *l,
			int (*how)(struct ublkev__io *io));

/* the loop must not sleep: there is more to move */
bool ublkev__pump_has_work(const struct ublkev__lane *l);

#endif
