/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evclose.h - closes a device's backend, which may end later
 *
 * By the application's thread, when all threads of queues have closed. The
 * device's life is told that it is closed, or that it is being closed: then it
 * waits for it, with a deadline.
 */
#ifndef UBLKEV_EV_EVCLOSE_H
#define UBLKEV_EV_EVCLOSE_H

#include <stdbool.h>

struct ublkev__engine;

/* Begins it, at once or when the pool has no job of the backend's any more. */
void ublkev__close_backend(struct ublkev__engine *e);

/* Whether that has waited for the pool, which has no job any more. */
bool ublkev__close_goes_on(const struct ublkev__engine *e);

/* Begins it then. */
void ublkev__close_backend_late(struct ublkev__engine *e);

#endif
