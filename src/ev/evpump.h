/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evpump.h - the one loop that moves facts and actions
 */
#ifndef UBLKEV_EV_EVPUMP_H
#define UBLKEV_EV_EVPUMP_H

#include <stdbool.h>

struct ublkev__engine;
struct ublkev__io;
struct ublkev__queue;

/*
 * Moves all there is, as long as the budget of a turn lasts. true: the
 * engine is still there; false: STOPPED was told, and *e may be anything.
 */
bool ublkev__pump(struct ublkev__engine *e);

/* tells the driver what it has to be told about the queue's tags */
void ublkev__pump_out(struct ublkev__engine *e, struct ublkev__queue *q);

/* tells the queues where their tags' buffers are */
void ublkev__pump_set_bufs(struct ublkev__engine *e);

/* io_enter, or its like, with what it counts and what it finds */
void ublkev__pump_enter(struct ublkev__engine *e,
			int (*how)(struct ublkev__io *io));

/* the loop must not sleep: there is more to move */
bool ublkev__pump_has_work(const struct ublkev__engine *e);

#endif
