/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evlife.h - carries a device's life: its control commands, events, files
 */
#ifndef UBLKEV_EV_EVLIFE_H
#define UBLKEV_EV_EVLIFE_H

#include <stdbool.h>
#include <stdint.h>

struct ublkev__engine;

/* tells the core what control commands were answered */
void ublkev__life_answer(struct ublkev__engine *e);

/* the guard's, at a moment when that may be */
int ublkev__life_resize(struct ublkev__engine *e, uint64_t dev_bytes);

/*
 * Facts from the queues: the driver took a tag back; all tags of a lane are
 * dead, told once; the I/O side can't go on.
 */
void ublkev__life_tag_died(struct ublkev__engine *e);
void ublkev__life_drained(struct ublkev__engine *e);
void ublkev__life_fault(struct ublkev__engine *e, int err);

/* does what the core wants done; false: that was the end, and e is gone */
bool ublkev__life_act(struct ublkev__engine *e);

#endif
