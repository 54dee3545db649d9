/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a command ends: its line for people, or its object for --json, and its
 * exit status.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ublk-evctl/session.h"
#include "common/escape.h"

json_t *out_json_text(const char *text)
{
	json_t *v = json_string(text);
	char *buf;

	if (v)
		return v;
	buf = malloc(ESCAPE_SIZE(strlen(text)));
	if (!buf)
		return NULL;
	v = json_string(escape_text(buf, ESCAPE_SIZE(strlen(text)), text));
	free(buf);
	return v;
}

int out_fail(struct evctl *t, int status, const char *fmt, ...)
{
	char text[1024], line[ESCAPE_SIZE(sizeof(text))];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	escape_text(line, sizeof(line), text);
	fprintf(stderr, "ublk-evctl: %s\n", line);
	/* the first failure is the cause of the others */
	if (t->top && !json_object_get(t->top, "error"))
		out_set(t, "error", json_pack("{s:i, s:s}", "status", status,
					      "text", line));
	return status;
}

void out_say(struct evctl *t, const char *fmt, ...)
{
	va_list ap;

	if (t->top)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

void out_set(struct evctl *t, const char *key, json_t *value)
{
	if (t->top)
		json_object_set_new(t->top, key, value);
	else
		json_decref(value);
}

int out_status(int err)
{
	switch (err) {
	case 0:
		return ST_OK;
	case -ENODEV:
	case -ENOENT:
	case -ENXIO:
	case -ECONNREFUSED:
		return ST_NOT_FOUND;
	case -EBUSY:
		return ST_BUSY;
	case -EOPNOTSUPP:
		return ST_ABSENT;
	case -ETIMEDOUT:
	case -ETIME:
		return ST_TIMEOUT;
	case -EPERM:
	case -EACCES:
		return ST_PERMISSION;
	default:
		return ST_FAILED;
	}
}

const char *out_strerror(int err)
{
	switch (err) {
	case -ENODEV:
		return "no such device";
	case -ECANCELED:
		return "interrupted";
	case -ETIMEDOUT:
		return "no answer in time";
	case -EOPNOTSUPP:
		return "this kernel or device does not have it";
	default:
		return strerror(-err);
	}
}
