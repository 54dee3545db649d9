/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBLKEV_EV_EVDEV_H
#define UBLKEV_EV_EVDEV_H

#include <ublkev/dev.h>

/* the defaults, what `conf` (or NULL) says instead, and ublkev__conf_check() */
int ublkev__conf_take(struct ublkev_conf *full, const struct ublkev_conf *conf);

#endif
