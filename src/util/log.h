/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.h - a device's log: the application's function, or silence
 */
#ifndef UBLKEV_UTIL_LOG_H
#define UBLKEV_UTIL_LOG_H

#include <syslog.h>

#include <ublkev/dev.h>

struct ublkev__log {
	ublkev_log_fn *fn;	/* NULL: silence */
	void *data;
	int id;			/* of the device, before the text; -1: none */
};

/*
 * Logs one line without \n, cut off after 255 bytes, at a priority of
 * syslog(3); `log` NULL: silence. It calls the application in the thread that the caller is in: a
 * device with threads has ublkev__worker_log() between (evworker.c).
 */
__attribute__((format(printf, 3, 4)))
void ublkev__log(const struct ublkev__log *log, int priority,
		 const char *format, ...);

#endif
