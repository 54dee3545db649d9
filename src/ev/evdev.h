/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evdev.h - what other public calls share with those of a device
 */
#ifndef UBLKEV_EV_EVDEV_H
#define UBLKEV_EV_EVDEV_H

#include <ublkev/dev.h>

/*
 * The defaults, what `conf` (or NULL) says instead, ublkev__conf_check(), and
 * how many queues that means for the calling thread.
 */
int ublkev__conf_take(struct ublkev_conf *full, const struct ublkev_conf *conf);

#endif
