/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * show.h - the table of devices, for the commands that end with one
 */
#ifndef EVCTL_SHOW_H
#define EVCTL_SHOW_H

#include "ublk-evctl/device.h"

/* the table of list, of those that are wanted; with --json "devices" */
void show_table(struct evctl *t, const struct devs *d,
		int (*wanted)(const struct evctl *t, const struct dev *d));

#endif /* EVCTL_SHOW_H */
