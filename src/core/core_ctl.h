/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core_ctl.h - the life of a device
 *
 *	FEATURES -> ADD -> PARAMS -> OPEN -> START -> LIVE
 *	                                               |
 *	GONE <- DEL <- CLOSE <- DRAIN <- STOP <--------+
 *
 * A failure anywhere, and a stop, go to the first step of the lower row that
 * has something to undo; a pending command is waited for first. Every step
 * has a deadline, and a ladder of what is done when it passes, a rung each
 * grace period; the last rung is LOST, where nothing is waited for.
 *
 *	step            rungs
 *	FEATURES .. PARAMS  cancel the command; lose
 *	OPEN            give up opening
 *	START           cancel; fail the I/O; close; lose
 *	STOP            fail the I/O; close; lose
 *	DRAIN           fail the I/O; close
 *	DEL             cancel, then DEL_DEV_ASYNC; lose
 *
 * Facts are told, actions pulled until NONE, time is an argument: any clock
 * in milliseconds that does not go backwards.
 */
#ifndef UBLKEV_CORE_CTL_H
#define UBLKEV_CORE_CTL_H

#include <stdbool.h>
#include <stdint.h>

#include <ublkev/dev.h>

#include "core/core_names.h"

/* what ADD_DEV takes and gives back */
struct ublkev__devinfo {
	uint64_t features;
	uint32_t max_io_bytes;
	int id;			/* -1: the driver picks */
	unsigned int queues;
	unsigned int depth;
};

enum ublkev__ctl_act {
	UBLKEV__CTL_NONE,
	UBLKEV__CTL_CMD,	/* submit `cmd`, from info where it needs */
	UBLKEV__CTL_CANCEL,	/* cancel `cmd`, which is pending */
	UBLKEV__CTL_OPEN,	/* open ublkc; ublkev__ctl_opened() follows */
	UBLKEV__CTL_ARM,	/* arm all tags of all queues */
	UBLKEV__CTL_ABORT_IO,	/* fail requests, those to come also */
	UBLKEV__CTL_CLOSE,	/* release it all; ublkev__ctl_closed()
				   follows */
	UBLKEV__CTL_EVENT,	/* tell the application `revents` */
};

struct ublkev__ctl_action {
	enum ublkev__ctl_act act;
	enum ublkev__cmd cmd;	/* CMD, CANCEL */
	int revents;		/* EVENT: UBLKEV_LIVE, _ERROR, _STOPPED */
	enum ublkev_step step;	/* EVENT: for dev->step */
};

#define UBLKEV__CTL_ACTIONS 8u

struct ublkev__ctl {
	/* told at init */
	struct ublkev_conf conf;
	/* as asked for, then as ADD_DEV answered */
	struct ublkev__devinfo info;
	uint64_t kernel_features;
	unsigned int traits;		/* of the backend: core_params.h */
	/* where it is */
	enum ublkev_step step;
	enum ublkev_step err_step;	/* where err came up */
	enum ublkev__cmd pending;
	unsigned int rung;		/* of the step's ladder */
	uint64_t deadline_ms;		/* UINT64_MAX: none */
	uint64_t stop_deadline_ms;
	uint64_t retry_ms;		/* OPEN: when to try again */
	int err;			/* the first */
	bool stopping;			/* on the way down */
	bool added, opened, armed;	/* what is to be undone */
	bool stopped;			/* STOP_DEV was answered */
	bool drained;			/* all tags are dead */
	bool aborted;			/* ABORT_IO was pulled or is to be */
	/* to be pulled */
	struct ublkev__ctl_action actions[UBLKEV__CTL_ACTIONS];
	unsigned int first, nr;
};

/* a conf that ublkev__conf_check() accepts */
void ublkev__ctl_init(struct ublkev__ctl *c, const struct ublkev_conf *conf);

/* wishes: in step IDLE start or remove, later stop and abort */
void ublkev__ctl_start(struct ublkev__ctl *c, uint64_t now_ms);
void ublkev__ctl_remove(struct ublkev__ctl *c, uint64_t now_ms);
void ublkev__ctl_stop(struct ublkev__ctl *c, uint64_t now_ms);
void ublkev__ctl_abort(struct ublkev__ctl *c, uint64_t now_ms);

/*
 * Facts. `cmd` was answered with `res`; `features` is GET_FEATURES' answer,
 * `info` ADD_DEV's (else 0, NULL). A command that is not pending: -EPROTO,
 * and nothing changes.
 */
int ublkev__ctl_cmd_done(struct ublkev__ctl *c, enum ublkev__cmd cmd, int res,
			 uint64_t features, const struct ublkev__devinfo *info,
			 uint64_t now_ms);
void ublkev__ctl_opened(struct ublkev__ctl *c, int err, uint64_t now_ms);
void ublkev__ctl_closed(struct ublkev__ctl *c, uint64_t now_ms);
/* all tags are dead; told once */
void ublkev__ctl_drained(struct ublkev__ctl *c, uint64_t now_ms);
/* the I/O side can't go on: a refused command, a ring that fails */
void ublkev__ctl_fault(struct ublkev__ctl *c, int err, uint64_t now_ms);
/* the time is now_ms */
void ublkev__ctl_tick(struct ublkev__ctl *c, uint64_t now_ms);

/* when to call ublkev__ctl_tick(); UINT64_MAX: no need */
uint64_t ublkev__ctl_deadline_ms(const struct ublkev__ctl *c);

/* false: nothing to be done */
bool ublkev__ctl_next(struct ublkev__ctl *c, struct ublkev__ctl_action *a);

static inline bool ublkev__ctl_has_work(const struct ublkev__ctl *c)
{
	return c->nr;
}

/* asserts that all of the above holds */
void ublkev__ctl_verify(const struct ublkev__ctl *c);

#endif
