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
	int id;			/* the device's, put before the text; -1: none */
};

/* Logs one line without \n, which is cut off after 255 bytes. */
__attribute__((format(printf, 3, 4)))
void ublkev__log(const struct ublkev__log *log, int priority,
		 const char *format, ...);

#endif
