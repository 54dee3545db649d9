/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json.h - the answers of the control socket
 */
#ifndef EVDEMO_JSON_H
#define EVDEMO_JSON_H

#include <stdint.h>

#include <ublkev.h>

/* grows when a member changes its meaning or goes; new ones don't count */
#define JSON_SCHEMA 1

/* what `stats` is made of */
struct json_source {
	int id;				/* -1: unknown yet */
	const char *state;		/* ublkev_step_name() */
	const char *backend;
	uint64_t uptime_ms;
	const struct ublkev_info *info;	/* NULL: unknown yet */
	const struct ublkev_stats *stats;	/* NULL: none */
};

/* Each is one line without \n, to be freed; NULL: no memory. */
char *json_stats(const struct json_source *s);
char *json_help(void);
char *json_error(const char *text);

#endif /* EVDEMO_JSON_H */
