/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h - what the commands of ublk-evctl share
 *
 * A command is a function that answers the exit status. It goes from step to
 * step; where it has to wait it runs the loop until what it waits for is
 * there or its time is up.
 */
#ifndef EVCTL_SESSION_H
#define EVCTL_SESSION_H

#include <stdint.h>

#include <ev.h>
#include <jansson.h>

#include <ublkev.h>

#include "ublk-evctl/evctl_opts.h"

/* exit statuses; ublk-evctl(1) promises them */
enum status {
	ST_OK,
	ST_FAILED,
	ST_USAGE,
	ST_NOT_FOUND,	/* no such device, server, or driver */
	ST_BUSY,	/* somebody uses it */
	ST_ABSENT,	/* this kernel or device cannot do that */
	ST_TIMEOUT,
	ST_PERMISSION
};

/* grows when a member goes or changes its meaning; new ones don't count */
#define JSON_SCHEMA 1

struct evctl {
	const struct opts *opts;
	struct ev_loop *loop;
	struct ublkev_broker *broker;	/* NULL: none */
	double deadline;		/* of the command, by evctl_now() */
	json_t *top;			/* what --json prints; NULL: not
					   wanted */
	int interrupted;		/* by a signal */
	ev_signal sig_int, sig_term;
};

/* ---- session.c: one command from its beginning to its end */

/* `program`: the ublk-evdemo of recover and upgrade, unless opts tell */
int evctl_run(const struct opts *opts, const char *program);

/* seconds of a clock that nobody sets */
double evctl_now(void);
/* seconds until the deadline; never below 0 */
double evctl_left(const struct evctl *t);

/* the loop, until ev_break(EVBREAK_ONE), a signal or the deadline */
void evctl_wait(struct evctl *t);

/* ---- out.c: what it says */

/*
 * One line on stderr, "cause: remedy", escaped, and in JSON the member error.
 * Returns status.
 */
int out_fail(struct evctl *t, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * To stdout, for people: nothing with --json. What others wrote has to be
 * escaped by the caller.
 */
void out_say(struct evctl *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* a member of the JSON object; takes value over */
void out_set(struct evctl *t, const char *key, json_t *value);

/*
 * A string for JSON of what others wrote: as it is when it is UTF-8, escaped
 * otherwise, so that no member is lost. NULL: no memory.
 */
json_t *out_json_text(const char *text);

/* the exit status that goes with a negative errno */
int out_status(int err);

/* what a negative errno means; better than strerror() where it fits */
const char *out_strerror(int err);

/* ---- the commands, one or some a file */

typedef int cmd_fn(struct evctl *t);

cmd_fn cmd_list, cmd_info, cmd_features, cmd_affinity, cmd_owner;
cmd_fn cmd_scheduler;
cmd_fn cmd_stop, cmd_del, cmd_quiesce, cmd_orphans;
cmd_fn cmd_resize, cmd_stats, cmd_top, cmd_doctor;
int cmd_recover(struct evctl *t, const char *program);
int cmd_upgrade(struct evctl *t, const char *program);

#endif /* EVCTL_SESSION_H */
