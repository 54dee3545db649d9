/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * app_priv.h - what app.c, life.c and command.c share
 */
#ifndef EVDEMO_APP_PRIV_H
#define EVDEMO_APP_PRIV_H

#include <stdint.h>

#include <ev.h>
#include <ublkev.h>

#include "ublk-evdemo/disk.h"
#include "ublk-evdemo/jsonsock.h"
#include "ublk-evdemo/handover.h"
#include "ublk-evdemo/evdemo_opts.h"
#include "ublk-evdemo/pidfile.h"
#include "ublk-evdemo/shutdown.h"
#include "ublk-evdemo/takeover.h"

struct app {
	struct opts opts;		/* as given, completed by the server
					   that is taken over */
	struct ev_loop *loop;
	struct ublkev_dev dev;
	int has_dev;			/* dev has to be fini'd */
	struct ublkev_backend *backend;
	enum disk_made made_file;
	struct ublkev_broker *broker;
	struct pidfile pidfile;
	struct jsonsock *json;
	/* of a resize that the control socket asked for */
	struct jsonclient *resizer;	/* waits for RESIZED */
	struct handover handover;	/* to a successor */
	struct takeover takeover;	/* from a predecessor */
	struct ublkev_cmd probe;	/* before that is told to exit */
	double gap_ms;			/* of that; -1: none */
	struct shutdown shutdown;
	ev_signal sig_int, sig_term, sig_hup, sig_usr1;
	ev_timer timer;			/* --stats */
	struct ublkev_stats then;	/* at its last line */
	uint64_t then_ns;
	uint64_t start_ns;
	int ready_fd;
	int has_state;			/* a state file has the options */
	int live;			/* dev was once, and its id is known */
	int ending;			/* told to end */
	int failed;
};

/* ---- app.c */
/* the device of this id (-1: a new one), as the options have it; logs */
int app_new_dev(struct app *app, int id);

/* ---- life.c */
void life_init(struct app *app);
ublkev_dev_cb life_on_dev;
void life_log_failure(const struct ublkev_dev *dev, int err);
/* told to end, once more: SIGTERM, 'stop' */
void life_end(struct app *app);
/*
 * Begin to serve: a new device, one to recover, one to take over. What fails
 * at once has been logged, sets `failed`, and breaks the loop.
 */
void life_start(struct app *app);
/* whether an end has been asked for */
int life_is_ending(const struct app *app);

#endif /* EVDEMO_APP_PRIV_H */
