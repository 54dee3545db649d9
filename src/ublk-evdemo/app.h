/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * app.h - one device in one loop, with its signals, timers and clients
 */
#ifndef EVDEMO_APP_H
#define EVDEMO_APP_H

#include <stddef.h>

#include "ublk-evdemo/evdemo_opts.h"

/*
 * Serves until told to end, or removes a device that was left behind.
 * Answers the exit status, and has logged why. ready_fd: see daemon.h, -1
 * in the foreground.
 */
int app_serve(const struct opts *opts, int ready_fd);
int app_delete(const struct opts *opts);

/*
 * "ADD_DEV: File exists: what to do about it" of a step that failed; as
 * snprintf.
 */
int app_failure(char *buf, size_t size, unsigned int step, int err);

#endif /* EVDEMO_APP_H */
