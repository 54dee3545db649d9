/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evloop.h - when the pump runs
 *
 * An idle device costs its loop nothing: only its eventfd is watched. When
 * that turns readable, or somebody has work for the pump, the prepare
 * watcher is started, and the pump runs once all other watchers of the turn
 * have had theirs, just before the loop would sleep.
 */
#ifndef UBLKEV_EV_EVLOOP_H
#define UBLKEV_EV_EVLOOP_H

struct ublkev__engine;
struct ublkev__lane;

void ublkev__evloop_init(struct ublkev__lane *l);
void ublkev__evloop_init_deadline(struct ublkev__engine *e);

/* watch; stop watching. Nothing for a device driven by hand. */
void ublkev__evloop_start(struct ublkev__lane *l);
void ublkev__evloop_stop(struct ublkev__lane *l);

/* there is work, from outside the pump: run it in this turn or the next */
void ublkev__evloop_kick(struct ublkev__lane *l);

/* the ring is about to be closed */
void ublkev__evloop_forget_ring(struct ublkev__lane *l);

/* the eventfd is readable */
void ublkev__evloop_woken(struct ublkev__lane *l);

#endif
