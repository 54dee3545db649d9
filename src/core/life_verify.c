/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * life_verify.c - which states of a life are legal
 */
#include <assert.h>
#include <stddef.h>

#include "core/life_priv.h"
#include "core/params.h"

static bool verify_pending_fits(const struct ublkev__life *c)
{
	unsigned int may = ublkev__life_row(c)->cmds;

	/* Between two attempts no command is pending. */
	if (!may || c->retry_ms != UBLKEV__NEVER)
		return c->pending == UBLKEV__CTRL_NONE;
	return may >> c->pending & 1;
}

static bool verify_is(const struct ublkev__life *c, unsigned int steps)
{
	return steps >> c->step & 1;
}

#define STEP(name) (1u << UBLKEV_STEP_##name)
#define OVER (STEP(GONE) | STEP(RELEASED) | STEP(LOST))
/* The kernel's side has ended; in the first of them the backend has not. */
#define ENDED (STEP(BACKEND_CLOSE) | OVER)

/* What is there, and nothing that lacks what it stands on. */
static void verify_undo(const struct ublkev__life *c)
{
	unsigned int most = ublkev__life_row(c)->undo;
	bool remove = c->mode == UBLKEV__LIFE_REMOVE;
	bool disk = c->undo & UBLKEV__UNDO(STOP);
	bool tags = c->undo & UBLKEV__UNDO(DRAIN);
	bool ublkc = c->undo & UBLKEV__UNDO(CLOSE);

	assert(!(c->undo & ~most));
	/* A disk has tags, until STOP_DEV takes it away, but for a stranger's. */
	assert(disk == tags || (remove ? disk : c->step == UBLKEV_STEP_DRAIN));
	assert(!tags || ublkc);
	assert(!ublkc || !remove);
	/* STOP_DEV may find that somebody has deleted the device. */
	assert(!(most & UBLKEV__UNDO(DEL)) || ublkev__life_has_device(c) ||
	       verify_is(c, STEP(DRAIN) | STEP(RECALL) | STEP(CLOSE) |
			    ENDED));
	/* These are there to undo it. */
	assert(!verify_is(c, STEP(DRAIN) | STEP(CLOSE) | STEP(DEL)) ||
	       verify_is(c, c->undo));
	assert(c->step != UBLKEV_STEP_RECALL || ublkc);
}

/* Until a device turns down, all is there but for tags that others took. */
static void verify_served(const struct ublkev__life *c)
{
	unsigned int most = ublkev__life_row(c)->undo;

	if (c->stopping || c->undo == most)
		return;
	assert(c->undo == (UBLKEV__UNDO(CLOSE) | UBLKEV__UNDO(DEL)));
	assert(verify_is(c, STEP(LIVE) | STEP(QUIESCE) | STEP(STOP)));
	assert(c->step != UBLKEV_STEP_LIVE || c->suspect);
}

static void verify_deadline(const struct ublkev__life *c)
{
	bool waits = c->pending != UBLKEV__CTRL_NONE ||
		     verify_is(c, STEP(DRAIN) | STEP(QUIESCE) | STEP(RECALL));
	/* Such a device is served all the while, and needs no deadline. */
	bool serves = !c->stopping && ublkev__life_has_tags(c) &&
		      (ublkev__life_overdue(c) ||
		       c->pending == UBLKEV__CTRL_TRY_STOP_DEV);

	/* Whatever is waited for has a deadline. */
	assert(!waits || serves || c->deadline_ms != UBLKEV__NEVER);
	assert(c->deadline_ms == UBLKEV__NEVER ||
	       ublkev__life_row(c)->timeout);
	/* A live device that waits for nothing has none. */
	assert(c->step != UBLKEV_STEP_LIVE || waits ||
	       c->deadline_ms == UBLKEV__NEVER);
	/* Attempts end with the way up. */
	assert(c->retry_ms == UBLKEV__NEVER || !c->stopping);
	assert(c->retry_ms == UBLKEV__NEVER || c->step == UBLKEV_STEP_LIVE ||
	       c->deadline_ms != UBLKEV__NEVER);
	assert(c->limit_ms == UBLKEV__NEVER || c->conf.stop_limit_ms);
}

/* The last rung that was climbed is one of the step's. */
static void verify_rung(const struct ublkev__life *c)
{
	unsigned int ladder = ublkev__life_row(c)->ladder;

	assert(!c->rung || ladder >> (c->rung - 1) & 1 ||
	       ublkev__life_overdue(c));
	assert(!ublkev__life_overdue(c) || c->pending != UBLKEV__CTRL_NONE);
	/* After the last one the step is left. */
	assert(!c->rung || ladder >> c->rung);
}

/* Which way it goes, and what belongs to that way only. */
static void verify_way(const struct ublkev__life *c)
{
	bool ended = verify_is(c, ENDED);

	assert(c->stopping || c->step <= UBLKEV_STEP_STOP);
	assert(!c->stopping || c->step != UBLKEV_STEP_IDLE);
	/* Who turns down leaves LIVE and STOP, unless a command is pending. */
	assert(!c->stopping || !verify_is(c, STEP(LIVE) | STEP(STOP)) ||
	       c->pending != UBLKEV__CTRL_NONE);
	assert(!c->kept || c->stopping);
	/* What is kept is neither drained nor deleted. */
	assert(!c->kept || !verify_is(c, STEP(DRAIN) | STEP(DEL)));
	assert(c->kept || c->step != UBLKEV_STEP_RELEASED);
	/* A device that has been quiesced is kept. */
	assert(c->kept || c->step != UBLKEV_STEP_QUIESCE ||
	       c->pending != UBLKEV__CTRL_NONE);
	assert(!c->aborted || c->stopping);
	assert(!c->doomed || verify_is(c, STEP(DEL) | ENDED));
	assert(!c->suspect || c->step >= UBLKEV_STEP_LIVE);
	assert(!c->resize_sectors || c->step == UBLKEV_STEP_LIVE);
	assert(!ended || c->pending == UBLKEV__CTRL_NONE);
	assert(!ended || c->stopping);
	assert(!c->err || c->stopping);
	assert((c->err == 0) == (c->err_step == UBLKEV_STEP_IDLE));
	assert(c->step != UBLKEV_STEP_LOST || c->err);
}

/* Who has operations on files ends them before another server may come. */
static void verify_files(const struct ublkev__life *c)
{
	assert(!c->files || c->traits & (UBLKEV__CAN_PLACE | UBLKEV__HAS_OPS));
	assert(!c->files || c->step >= UBLKEV_STEP_START);
	assert(c->step != UBLKEV_STEP_RECALL || c->files);
	assert(c->step != UBLKEV_STEP_CLOSE || !c->files);
}

/* The end is decided before the backend is asked to close. */
static void verify_end(const struct ublkev__life *c)
{
	if (c->step != UBLKEV_STEP_BACKEND_CLOSE)
		return;
	assert(c->traits & UBLKEV__CLOSES_LATER);
	assert(OVER >> c->end & 1);
	assert(!(c->undo & ~ublkev__life_steps[c->end].undo));
}

void ublkev__life_verify(const struct ublkev__life *c)
{
	assert(c->step < UBLKEV_NR_STEPS);
	assert(c->nr <= UBLKEV__LIFE_ACTIONS);
	assert(verify_pending_fits(c));
	verify_deadline(c);
	verify_undo(c);
	verify_served(c);
	verify_rung(c);
	verify_way(c);
	verify_files(c);
	verify_end(c);
}
