/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evresize.h - a resize of a live device: the backend's part and the order
 *
 * A backend grows before its device, and shrinks after it, so that at no moment
 * the device is the larger one. Where queue threads call the backend, they are
 * held meanwhile. All of this is the application's thread's.
 */
#ifndef UBLKEV_EV_EVRESIZE_H
#define UBLKEV_EV_EVRESIZE_H

#include <stdbool.h>
#include <stdint.h>

struct ublkev__engine;
struct ublkev__lane;

/*
 * Begins one to dev_bytes, which guard and life were asked about; none is under
 * way. The backend grows here, or with threads as soon as all of them are held.
 * Errors: the backend's, when it does not grow; all is as it was then.
 */
int ublkev__resize_begin(struct ublkev__engine *e, uint64_t dev_bytes);

/*
 * Whether a RESIZE_GROWS has something to go on with, be it that the thread is
 * back, or that the device ends.
 */
bool ublkev__resize_grows_on(const struct ublkev__engine *e);

/*
 * In RESIZE_GROWS, when that is so, and in RESIZE_HOLDS: goes on if all threads are held by now. 0, or why that was
 * the resize's end, which RESIZED is to tell.
 */
int ublkev__resize_grow(struct ublkev__engine *e);

/*
 * The device's part has ended with `res`: does a piece of what is left for the
 * backend. true: nothing is, and RESIZED can be told; else to be called again.
 */
bool ublkev__resize_end(struct ublkev__engine *e, int res);

/*
 * No address that a request of the lane had is on its way to the driver any
 * more: to be called before the backend's memory moves, by the lane's thread.
 */
void ublkev__resize_settle(struct ublkev__lane *l);

/* RESIZED is told now: another one may begin, and threads go on. */
void ublkev__resize_told(struct ublkev__engine *e);

#endif
