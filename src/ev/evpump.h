/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evpump.h - the one loop that moves facts and actions
 */
#ifndef UBLKEV_EV_EVPUMP_H
#define UBLKEV_EV_EVPUMP_H

#include <stdbool.h>

struct ublkev__engine;

/*
 * Moves all there is, as long as the budget of a turn lasts. true: the
 * engine is still there; false: STOPPED was told, and *e may be anything.
 */
bool ublkev__pump(struct ublkev__engine *e);

/* the loop must not sleep: there is more to move */
bool ublkev__pump_has_work(const struct ublkev__engine *e);

#endif
