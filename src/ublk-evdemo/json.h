/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json.h - the answers of the control socket
 */
#ifndef EVDEMO_JSON_H
#define EVDEMO_JSON_H

#include <stdint.h>

#include <jansson.h>

#include <ublkev.h>

#include "ublk-evdemo/evdemo_opts.h"

/* grows when a member changes its meaning or goes; new ones don't count */
#define JSON_SCHEMA 1

/* what `stats` and `memory` are made of */
struct json_source {
	int id;				/* -1: unknown yet */
	const char *state;		/* ublkev_step_name() */
	const char *backend;
	uint64_t uptime_ms;
	double gap_ms;			/* of an upgrade; -1: there was none */
	int lost_writes;		/* ublkev_file_lost_writes() */
	const struct opts *opts;
	const struct ublkev_info *info;	/* NULL: unknown yet */
	const struct ublkev_stats *stats;	/* NULL: none */
};

/*
 * Whether a server can stay when it has released its device: with QUIESCE_DEV.
 * Without, the ring may only be closed by the exit of the process, and
 * START_USER_RECOVERY warns (WARN_ON) as long as the thread that served lives.
 */
int json_stays(const struct ublkev_info *info);

/* the device's, which one that was recovered was not told */
enum ublkev_recovery json_recovery(const struct ublkev_info *info);

/* Each is one line without \n, to be freed; NULL: no memory. */
char *json_stats(const struct json_source *s);
char *json_memory(const struct json_source *s);	/* with its info */
/* what a recovery has to know, for statefile.h */
char *json_state(const struct opts *o);
/*
 * Makes text of what is the bytes of one in an object "options" that was read
 * from either of these: paths that are no UTF-8. It is not to be written as it
 * is then.
 */
void json_take_kept(json_t *options);
char *json_help(const char *const *names, const char *const *whats,
		unsigned int n);
char *json_resized(uint64_t dev_bytes);
/* {"stopping":true} */
char *json_done(const char *what);
/* {"released":true,"lost_writes":false} */
char *json_released(int lost_writes);
/* of a server whose end is the answer to 'release' */
char *json_leaving(int lost_writes);
char *json_error(const char *text);
/* "release: Device or resource busy", and the errno */
char *json_failure(const char *what, int err);

#endif /* EVDEMO_JSON_H */
