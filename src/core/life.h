/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * life.h - the life of a device
 *
 *	new        FEATURES -> ADD -> PARAMS -> OPEN -> START -> LIVE
 *	recovered  FEATURES -> INFO -> RECOVER -> OPEN -> START -> LIVE
 *	stopped    STOP -> DRAIN -> CLOSE -> DEL -> BACKEND_CLOSE -> GONE
 *	released   QUIESCE -> RECALL -> CLOSE -> BACKEND_CLOSE -> RELEASED
 *
 * A failure anywhere, and a stop, turn down: the life goes on with the first
 * of STOP, DRAIN, CLOSE and DEL that has something to undo. A pending command
 * is waited for first. A device that is to be kept for another server is only
 * closed, and RELEASED. RECALL comes before CLOSE where the backend places requests
 * in files and these were not drained; BACKEND_CLOSE is there where the backend
 * closes later.
 *
 * A step's deadline counts from when it was entered, or from the last request
 * that was answered, where the step waits for requests. When it passes, the
 * first rung of the step's ladder is climbed, and another one after each grace
 * period: the command is cancelled, the requests are aborted, operations on files
 * are cancelled, ublkc is closed early, and at last the device is lost, which means
 * that nothing is waited for any more.
 *
 *	step          deadline            when it passes              down to
 *	FEATURES      cmd_timeout_ms      cancel, lose                GONE
 *	ADD           cmd_timeout_ms      cancel, lose                GONE
 *	PARAMS        cmd_timeout_ms      cancel, lose                DEL
 *	INFO          cmd_timeout_ms      cancel, lose                GONE
 *	RECOVER       recover_timeout_ms  cancel, lose                GONE
 *	OPEN          cmd_timeout_ms      give up                     DEL
 *	START         start_timeout_ms    cancel, abort, close, lose  STOP
 *	LIVE          cmd_timeout_ms      cancel, abort, lose         STOP
 *	QUIESCE       stop_timeout_ms     recall, close, lose         STOP
 *	STOP          stop_timeout_ms     abort, close, lose          DRAIN
 *	DRAIN         stop_timeout_ms     abort, close                CLOSE
 *	RECALL        stop_timeout_ms     close                       CLOSE
 *	CLOSE         none                                            DEL
 *	DEL           cmd_timeout_ms      cancel, lose                GONE
 *	BACKEND_CLOSE stop_timeout_ms     give up                     any end
 *
 * "down to" is where a device that is well goes on when it turns down. What the
 * table does not say:
 *
 *	LIVE	has the deadline while it waits for a command; it is served on
 *		without that answer, and lost only on the way down, or with all
 *		its tags dead; there requests are aborted for REG_BUF and
 *		UNREG_BUF only, which wait for them
 *	STOP	has none while TRY_STOP_DEV is out and the device is served
 *	DEL	sends DEL_DEV_ASYNC when DEL_DEV was cancelled
 *
 * Facts are told, actions pulled until NONE, time is an argument: any clock
 * in milliseconds that does not go backwards.
 *
 *	life_steps.c	the facts about each step
 *	life.c	facts and wishes that come in any step
 *	life_up.c	from nothing to LIVE
 *	life_live.c	what a live device is asked for
 *	life_down.c	from anywhere to the end
 *	life_verify.c	which states are legal
 */
#ifndef UBLKEV_CORE_LIFE_H
#define UBLKEV_CORE_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include <ublkev/cmd.h>
#include <ublkev/dev.h>

#include "core/names.h"

/* what a command was answered, each field by its command */
struct ublkev__ctrl_answer {
	int res;
	uint64_t features;
	struct ublkev_cmd_info info;
};

enum ublkev__life_act {
	UBLKEV__LIFE_NONE,
	UBLKEV__LIFE_CMD,	/* submit `cmd`, from info where it needs */
	UBLKEV__LIFE_CANCEL,	/* cancel `cmd`, which is pending */
	UBLKEV__LIFE_OPEN,	/* open ublkc; ublkev__life_opened() follows */
	UBLKEV__LIFE_ARM,	/* arm all tags of all queues */
	UBLKEV__LIFE_ABORT_IO,	/* fail requests, those to come also */
	UBLKEV__LIFE_RECALL,	/* begin no operation on a file any more, and
				   cancel those that are out;
				   ublkev__life_recalled() follows */
	UBLKEV__LIFE_CLOSE,	/* release it all; ublkev__life_closed()
				   follows */
	UBLKEV__LIFE_CLOSE_BACKEND, /* when nobody calls it any more;
				   ublkev__life_backend_closed() follows, if
				   later after ublkev__life_backend_closing() */
	UBLKEV__LIFE_EVENT,	/* tell the application `revents` */
};

struct ublkev__life_action {
	enum ublkev__life_act act;
	enum ublkev__ctrl_cmd cmd;	/* CMD, CANCEL */
	uint64_t data;		/* CMD: QUIESCE_DEV's ms, UPDATE_SIZE's
				   sectors, GET_QUEUE_AFFINITY's queue,
				   UNREG_BUF's number */
	int revents;		/* EVENT: one of UBLKEV_LIVE and so on */
	int res;		/* EVENT: of RESIZED, REFUSED, SHARED */
	enum ublkev_step step;	/* EVENT: for dev->step */
};

#define UBLKEV__LIFE_ACTIONS 8u

/*
 * What is there, as the set of the steps that undo it: STOP the disk, DRAIN the
 * tags that the driver has, CLOSE ublkc and the ring, DEL the device. The way
 * down takes those that are set, in this order.
 */
#define UBLKEV__UNDO(name) (1u << UBLKEV_STEP_##name)

enum ublkev__life_mode {
	UBLKEV__LIFE_ADD,
	UBLKEV__LIFE_RECOVER,
	UBLKEV__LIFE_REMOVE,
};

struct ublkev__life {
	/* told at init */
	struct ublkev_conf conf;
	enum ublkev__life_mode mode;
	/* what is asked for, id -1 if the driver is to pick one; then what the
	   driver answered to ADD_DEV or GET_DEV_INFO */
	struct ublkev_cmd_info info;
	uint64_t kernel_features;
	unsigned int traits;		/* of the backend: params.h */
	/* where it is */
	enum ublkev_step step;
	enum ublkev_step end;		/* BACKEND_CLOSE: the step after it */
	enum ublkev_step err_step;	/* in which err came up */
	enum ublkev__ctrl_cmd pending;
	unsigned int rung;		/* enum ublkev__rung: those below it have
					   been climbed */
	uint64_t since_ms;		/* in the step */
	uint64_t deadline_ms;		/* UINT64_MAX: none */
	uint64_t stop_deadline_ms;
	uint64_t limit_ms;		/* of it, however it is moved */
	uint64_t retry_ms;		/* when to try again: to open, to set
					   params, to recover */
	unsigned int asked_cpus;	/* queues whose CPUs were asked for */
	uint64_t resize_sectors;	/* 0: no resize is under way */
	unsigned int unshare;		/* number of UNREG_BUF */
	int err;			/* the first */
	bool stopping;			/* on the way down */
	unsigned int undo;		/* UBLKEV__UNDO(), what is there */
	bool doomed;			/* DEL_DEV did all but wait for users */
	bool aborted;			/* ABORT_IO was pulled or is to be */
	bool kept;			/* down, but not to be deleted */
	bool files;			/* operations on files may be out */
	bool suspect;			/* a tag died, and why is not known */
	/* to be pulled */
	struct ublkev__life_action actions[UBLKEV__LIFE_ACTIONS];
	unsigned int first, nr;
};

/* a conf that ublkev__conf_check() accepts */
void ublkev__life_init(struct ublkev__life *c, const struct ublkev_conf *conf);

/* wishes: in step IDLE start or remove, later stop and abort */
void ublkev__life_start(struct ublkev__life *c, enum ublkev__life_mode mode,
			uint64_t now_ms);
void ublkev__life_stop(struct ublkev__life *c, uint64_t now_ms);
void ublkev__life_abort(struct ublkev__life *c, uint64_t now_ms);
/* see dev.h; 0, or an error and nothing changes */
int ublkev__life_try_stop(struct ublkev__life *c, uint64_t now_ms);
int ublkev__life_release(struct ublkev__life *c, uint64_t now_ms);
/* when can_resize says 0 */
void ublkev__life_resize(struct ublkev__life *c, uint64_t sectors,
			 uint64_t now_ms);
int ublkev__life_can_resize(const struct ublkev__life *c);
/* likewise REG_BUF, and UNREG_BUF of that number; SHARED tells of the end */
void ublkev__life_share(struct ublkev__life *c, uint64_t now_ms);
void ublkev__life_unshare(struct ublkev__life *c, unsigned int number,
			  uint64_t now_ms);
int ublkev__life_can_share(const struct ublkev__life *c);

/*
 * Facts. `cmd` was answered. A command that is not pending: -EPROTO, and
 * nothing changes.
 */
int ublkev__life_cmd_done(struct ublkev__life *c, enum ublkev__ctrl_cmd cmd,
			  const struct ublkev__ctrl_answer *answer,
			  uint64_t now_ms);
void ublkev__life_opened(struct ublkev__life *c, int err, uint64_t now_ms);
void ublkev__life_closed(struct ublkev__life *c, uint64_t now_ms);
/* the backend closes, but later: patience with it begins */
void ublkev__life_backend_closing(struct ublkev__life *c, uint64_t now_ms);
void ublkev__life_backend_closed(struct ublkev__life *c);
/* the driver took a tag back; told once, before drained */
void ublkev__life_tag_died(struct ublkev__life *c, uint64_t now_ms);
/* all tags are dead, and no operation on a file is out; told once */
void ublkev__life_drained(struct ublkev__life *c, uint64_t now_ms);
/* after RECALL: no operation on a file is out; may be told often */
void ublkev__life_recalled(struct ublkev__life *c, uint64_t now_ms);
/* in QUIESCE: no request is with us; may be told often */
void ublkev__life_idle(struct ublkev__life *c, uint64_t now_ms);
/*
 * Requests were answered since this was told last: a deadline that waits for
 * requests begins anew.
 */
void ublkev__life_progress(struct ublkev__life *c, uint64_t now_ms);
/* the I/O side can't go on: a refused command, a ring that fails */
void ublkev__life_fault(struct ublkev__life *c, int err, uint64_t now_ms);
/* the time is now_ms */
void ublkev__life_tick(struct ublkev__life *c, uint64_t now_ms);

/*
 * Fact: threads of ours were late, and have found what came in time only now.
 * The deadline of the step is not before that.
 */
void ublkev__life_postpone(struct ublkev__life *c, uint64_t deadline_ms);

/* when to call ublkev__life_tick(); UINT64_MAX: no need */
static inline uint64_t ublkev__life_deadline_ms(const struct ublkev__life *c)
{
	return c->deadline_ms < c->retry_ms ? c->deadline_ms : c->retry_ms;
}

/* false: nothing to be done */
bool ublkev__life_next(struct ublkev__life *c, struct ublkev__life_action *a);

/*
 * FETCH without CAP_SYS_ADMIN: the driver then leaves out the partition scan,
 * which it would wait for inside START_DEV. If the server died meanwhile, the
 * scan's read would wait for the next one, and whatever could bring that for
 * START_DEV (ublk_mark_io_ready() and GD_SUPPRESS_PART_SCAN, Linux 6.12).
 */
bool ublkev__life_hides_privilege(const struct ublkev__life *c);

/* There is a device with an id, which is ours to control. */
static inline bool ublkev__life_has_device(const struct ublkev__life *c)
{
	return c->undo & UBLKEV__UNDO(DEL);
}

static inline bool ublkev__life_has_work(const struct ublkev__life *c)
{
	return c->nr;
}

/* asserts that all of the above holds */
void ublkev__life_verify(const struct ublkev__life *c);

#endif
