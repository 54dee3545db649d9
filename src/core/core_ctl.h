/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core_ctl.h - the life of a device
 *
 *	FEATURES -> ADD -> PARAMS ----+
 *	    |                         v
 *	    +-> INFO -> RECOVER -> OPEN -> START -> LIVE
 *	                                             |
 *	       +------------------ QUIESCE <---------+
 *	       v                                     v
 *	GONE, RELEASED <- DEL <- CLOSE <- DRAIN <- STOP
 *
 * A failure anywhere, and a stop, go to the first step of the lower row that
 * has something to undo; a pending command is waited for first. A device that
 * is to be kept for another server goes from QUIESCE to CLOSE, and ends there.
 * Every step has a deadline, and a ladder of what is done when it passes, a
 * rung each grace period; the last rung is LOST, where nothing is waited for.
 *
 *	step            rungs
 *	FEATURES .. RECOVER, LIVE  cancel the command; lose
 *	OPEN            give up opening
 *	START           cancel; fail the I/O; close; lose
 *	QUIESCE         close; lose
 *	STOP            fail the I/O; close; lose
 *	DRAIN           fail the I/O; close
 *	DEL             cancel, then DEL_DEV_ASYNC; lose
 *
 * Facts are told, actions pulled until NONE, time is an argument: any clock
 * in milliseconds that does not go backwards.
 *
 *	core_ctl.c	facts and wishes that come in any step
 *	core_ctl_up.c	from nothing to LIVE
 *	core_ctl_live.c	what a live device is asked for
 *	core_ctl_down.c	from anywhere to the end
 */
#ifndef UBLKEV_CORE_CTL_H
#define UBLKEV_CORE_CTL_H

#include <stdbool.h>
#include <stdint.h>

#include <ublkev/dev.h>

#include "core/core_names.h"

/* what ADD_DEV takes and gives back, and GET_DEV_INFO tells */
struct ublkev__devinfo {
	uint64_t features;
	uint64_t tag;		/* ublksrv_flags */
	uint32_t max_io_bytes;
	uint32_t owner_uid, owner_gid;
	int id;			/* -1: the driver picks */
	int pid;
	unsigned int state;	/* enum ublkev_dev_state */
	unsigned int queues;
	unsigned int depth;
};

/* what a command was answered, each field by its command */
struct ublkev__ctl_answer {
	int res;
	uint64_t features;
	struct ublkev__devinfo info;
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
	uint64_t data;		/* CMD: QUIESCE_DEV's ms, UPDATE_SIZE's
				   sectors, GET_QUEUE_AFFINITY's queue */
	int revents;		/* EVENT: one of UBLKEV_LIVE and so on */
	int res;		/* EVENT: of RESIZED, REFUSED */
	enum ublkev_step step;	/* EVENT: for dev->step */
};

#define UBLKEV__CTL_ACTIONS 8u

enum ublkev__ctl_mode {
	UBLKEV__CTL_ADD,
	UBLKEV__CTL_RECOVER,
	UBLKEV__CTL_REMOVE,
};

struct ublkev__ctl {
	/* told at init */
	struct ublkev_conf conf;
	enum ublkev__ctl_mode mode;
	/* as asked for, then as the driver answered */
	struct ublkev__devinfo info;
	uint64_t kernel_features;
	unsigned int traits;		/* of the backend: core_params.h */
	/* where it is */
	enum ublkev_step step;
	enum ublkev_step err_step;	/* where err came up */
	enum ublkev__cmd pending;
	unsigned int rung;		/* of the step's ladder */
	uint64_t since_ms;		/* in the step */
	uint64_t deadline_ms;		/* UINT64_MAX: none */
	uint64_t stop_deadline_ms;
	uint64_t retry_ms;		/* when to try again: to open, to set
					   params, to recover */
	unsigned int asked_cpus;	/* queues whose CPUs were asked for */
	uint64_t resize_sectors;	/* 0: no resize is under way */
	int err;			/* the first */
	bool stopping;			/* on the way down */
	bool added, opened, armed;	/* what is to be undone */
	bool stopped;			/* STOP_DEV was answered */
	bool drained;			/* all tags are dead */
	bool aborted;			/* ABORT_IO was pulled or is to be */
	bool kept;			/* down, but not to be deleted */
	bool suspect;			/* a tag died, and why is not known */
	/* to be pulled */
	struct ublkev__ctl_action actions[UBLKEV__CTL_ACTIONS];
	unsigned int first, nr;
};

/* a conf that ublkev__conf_check() accepts */
void ublkev__ctl_init(struct ublkev__ctl *c, const struct ublkev_conf *conf);

/* wishes: in step IDLE start or remove, later stop and abort */
void ublkev__ctl_start(struct ublkev__ctl *c, enum ublkev__ctl_mode mode,
		       uint64_t now_ms);
void ublkev__ctl_stop(struct ublkev__ctl *c, uint64_t now_ms);
void ublkev__ctl_abort(struct ublkev__ctl *c, uint64_t now_ms);
/* see dev.h; 0, or an error and nothing changes */
int ublkev__ctl_try_stop(struct ublkev__ctl *c, uint64_t now_ms);
int ublkev__ctl_release(struct ublkev__ctl *c, uint64_t now_ms);
/* when can_resize says 0 */
void ublkev__ctl_resize(struct ublkev__ctl *c, uint64_t sectors,
			uint64_t now_ms);
int ublkev__ctl_can_resize(const struct ublkev__ctl *c);

/*
 * Facts. `cmd` was answered. A command that is not pending: -EPROTO, and
 * nothing changes.
 */
int ublkev__ctl_cmd_done(struct ublkev__ctl *c, enum ublkev__cmd cmd,
			 const struct ublkev__ctl_answer *answer,
			 uint64_t now_ms);
void ublkev__ctl_opened(struct ublkev__ctl *c, int err, uint64_t now_ms);
void ublkev__ctl_closed(struct ublkev__ctl *c, uint64_t now_ms);
/* the driver took a tag back; told once, before drained */
void ublkev__ctl_tag_died(struct ublkev__ctl *c, uint64_t now_ms);
/* all tags are dead; told once */
void ublkev__ctl_drained(struct ublkev__ctl *c, uint64_t now_ms);
/* in QUIESCE: no request is with us; may be told often */
void ublkev__ctl_idle(struct ublkev__ctl *c, uint64_t now_ms);
/* the I/O side can't go on: a refused command, a ring that fails */
void ublkev__ctl_fault(struct ublkev__ctl *c, int err, uint64_t now_ms);
/* the time is now_ms */
void ublkev__ctl_tick(struct ublkev__ctl *c, uint64_t now_ms);

/* when to call ublkev__ctl_tick(); UINT64_MAX: no need */
uint64_t ublkev__ctl_deadline_ms(const struct ublkev__ctl *c);

/* false: nothing to be done */
bool ublkev__ctl_next(struct ublkev__ctl *c, struct ublkev__ctl_action *a);

/*
 * FETCH without CAP_SYS_ADMIN: the driver then leaves out the partition scan,
 * which it would wait for inside START_DEV. If the server died meanwhile, the
 * scan's read would wait for the next one, and whatever could bring that for
 * START_DEV (ublk_mark_io_ready() and GD_SUPPRESS_PART_SCAN, Linux 6.12).
 */
bool ublkev__ctl_hides_privilege(const struct ublkev__ctl *c);

static inline bool ublkev__ctl_has_work(const struct ublkev__ctl *c)
{
	return c->nr;
}

/* asserts that all of the above holds */
void ublkev__ctl_verify(const struct ublkev__ctl *c);

#endif
