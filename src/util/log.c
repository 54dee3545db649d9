/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line is put together only where somebody listens, and with the number of
 * its device in front of it.
 */
#include "util/log.h"

#include <stdarg.h>
#include <stdio.h>

void ublkev__log(const struct ublkev__log *log, int priority,
		 const char *format, ...)
{
	char line[256];
	va_list ap;
	int n = 0;

	if (!log || !log->fn)
		return;
	if (log->id >= 0)
		n = snprintf(line, sizeof(line), "ublkb%d: ", log->id);
	va_start(ap, format);
	vsnprintf(line + n, sizeof(line) - (size_t)n, format, ap);
	va_end(ap);
	log->fn(log->data, priority, line);
}
