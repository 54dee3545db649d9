/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * life_priv.h - what the files of life share
 */
#ifndef UBLKEV_CORE_LIFE_PRIV_H
#define UBLKEV_CORE_LIFE_PRIV_H

#include "core/life.h"
#include "core/life_steps.h"

#define UBLKEV__NEVER UINT64_MAX

static inline const struct ublkev__life_step *
ublkev__life_row(const struct ublkev__life *c)
{
	return &ublkev__life_steps[c->step];
}

static inline bool ublkev__life_recovers(const struct ublkev__life *c)
{
	return c->mode == UBLKEV__LIFE_RECOVER;
}

static inline bool ublkev__life_uses(const struct ublkev__life *c, uint64_t f)
{
	return c->info.features & f;
}

/*
 * The pending command of a live device has been given up. Its answer may yet
 * come, and the device is served on until then.
 */
static inline bool ublkev__life_overdue(const struct ublkev__life *c)
{
	return c->step == UBLKEV_STEP_LIVE && c->rung == UBLKEV__RUNG_LOSE;
}

/* The pending command of a live device waits for the requests to be answered. */
static inline bool ublkev__life_shares(const struct ublkev__life *c)
{
	return c->pending == UBLKEV__CTRL_REG_BUF ||
	       c->pending == UBLKEV__CTRL_UNREG_BUF;
}

/* Some tags are with the driver, or will be: not all are dead. */
static inline bool ublkev__life_has_tags(const struct ublkev__life *c)
{
	return c->undo & UBLKEV__UNDO(DRAIN);
}

/* what leaving ublkc takes away with it */
#define UBLKEV__UNDO_UBLKC \
	(UBLKEV__UNDO(STOP) | UBLKEV__UNDO(DRAIN) | UBLKEV__UNDO(CLOSE))

/* ---- life.c: what is to be pulled ------------------------------------- */

void ublkev__life_do(struct ublkev__life *c, enum ublkev__life_act act);
void ublkev__life_command(struct ublkev__life *c, enum ublkev__ctrl_cmd cmd);
/* ask for the pending command's end */
void ublkev__life_cancel(struct ublkev__life *c);
void ublkev__life_tell(struct ublkev__life *c, int revents, int res);
/* The life is in that step, at the foot of its ladder; nothing is asked yet. */
void ublkev__life_enter(struct ublkev__life *c, enum ublkev_step step,
			uint64_t now_ms);
/* The step's patience begins, or begins anew. */
void ublkev__life_wait(struct ublkev__life *c, uint64_t now_ms);
/* Asks for what the step's row says that it begins with. */
void ublkev__life_ask(struct ublkev__life *c);
/* Enters the step, asks, and waits. */
void ublkev__life_begin(struct ublkev__life *c, enum ublkev_step step,
			uint64_t now_ms);
/* the end of all, STOPPED in that step: once the backend has closed, and now */
void ublkev__life_finish(struct ublkev__life *c, enum ublkev_step step);
void ublkev__life_end(struct ublkev__life *c, enum ublkev_step step);
/* Notes what is wrong, if nothing was before. */
void ublkev__life_note_error(struct ublkev__life *c, int err);
/* an error, after which there is only the way down */
void ublkev__life_fail(struct ublkev__life *c, int err, uint64_t now_ms);

/* ---- life_up.c --------------------------------------------------------- */

/* `cmd`, pending in a step on the way up, is answered. */
void ublkev__life_up_done(struct ublkev__life *c, enum ublkev__ctrl_cmd cmd,
			  const struct ublkev__ctrl_answer *a, uint64_t now_ms);
/* it is time for c->retry_ms' attempt */
void ublkev__life_retry(struct ublkev__life *c, uint64_t now_ms);

/* ---- life_live.c ------------------------------------------------------- */

/* `cmd`, pending in LIVE, is answered. */
void ublkev__life_live_done(struct ublkev__life *c, enum ublkev__ctrl_cmd cmd,
			    const struct ublkev__ctrl_answer *a,
			    uint64_t now_ms);
/* The deadline of a command to a live device has passed. */
void ublkev__life_live_expire(struct ublkev__life *c, uint64_t now_ms);
/* why did a tag die? */
void ublkev__life_live_ask(struct ublkev__life *c, uint64_t now_ms);
/* TRY_STOP_DEV was refused */
void ublkev__life_try_refused(struct ublkev__life *c, int res, uint64_t now_ms);
/* QUIESCE_DEV is answered with `res`. */
void ublkev__life_quiesced(struct ublkev__life *c, int res, uint64_t now_ms);

/* ---- life_down.c ------------------------------------------------------- */

void ublkev__life_go_down(struct ublkev__life *c, uint64_t now_ms);
/* A stop, or a release, begins, or goes on: sets its deadline, and the limit of
   all of it. */
void ublkev__life_begin_stop(struct ublkev__life *c, uint64_t now_ms);
/* A stop begins, and there is no way back. */
void ublkev__life_turn_down(struct ublkev__life *c, uint64_t now_ms);
/* go on with whatever is to be undone next; no command is pending */
void ublkev__life_unwind(struct ublkev__life *c, uint64_t now_ms);
void ublkev__life_stop_done(struct ublkev__life *c, enum ublkev__ctrl_cmd cmd,
			    int res, uint64_t now_ms);
void ublkev__life_del_done(struct ublkev__life *c, enum ublkev__ctrl_cmd cmd,
			   int res, uint64_t now_ms);
/* the step's deadline passed */
void ublkev__life_expire(struct ublkev__life *c, uint64_t now_ms);

#endif
