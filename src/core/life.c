/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all steps of a life have in common: the queue of actions, errors, the
 * answer to a command, the tick, and verify. life_up.c, life_live.c and
 * life_down.c decide what an answer or a deadline means in the steps that are
 * theirs.
 */
#include "core/life.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "core/life_priv.h"
#include "core/params.h"

/* ---- actions ------------------------------------------------------------ */

static struct ublkev__life_action *life_act(struct ublkev__life *c,
					    enum ublkev__life_act what)
{
	struct ublkev__life_action *a;

	assert(c->nr < UBLKEV__LIFE_ACTIONS);
	a = &c->actions[(c->first + c->nr++) % UBLKEV__LIFE_ACTIONS];
	memset(a, 0, sizeof(*a));
	a->act = what;
	a->step = c->step;
	return a;
}

void ublkev__life_do(struct ublkev__life *c, enum ublkev__life_act what)
{
	life_act(c, what);
}

/*
 * The driver gives up (-EBUSY) before our deadline, and not about when that
 * passes: else milliseconds would decide which of the two is noticed. 0 would
 * be for ever.
 */
static uint64_t life_quiesce_ms(const struct ublkev__life *c)
{
	uint64_t ms = c->deadline_ms - c->since_ms;
	uint64_t slack_ms = c->conf.grace_ms;

	return ms - (slack_ms < ms / 2 ? slack_ms : ms / 2);
}

static uint64_t life_data(const struct ublkev__life *c,
			  enum ublkev__ctrl_cmd cmd)
{
	switch (cmd) {
	case UBLKEV__CTRL_GET_QUEUE_AFFINITY:
		return c->asked_cpus;
	case UBLKEV__CTRL_UPDATE_SIZE:
		return c->resize_sectors;
	case UBLKEV__CTRL_UNREG_BUF:
		return c->unshare;
	case UBLKEV__CTRL_QUIESCE_DEV:
		return life_quiesce_ms(c);
	default:
		return 0;
	}
}

void ublkev__life_command(struct ublkev__life *c, enum ublkev__ctrl_cmd cmd)
{
	struct ublkev__life_action *a = life_act(c, UBLKEV__LIFE_CMD);

	assert(c->pending == UBLKEV__CTRL_NONE);
	c->pending = cmd;
	a->cmd = cmd;
	a->data = life_data(c, cmd);
}

void ublkev__life_cancel(struct ublkev__life *c)
{
	life_act(c, UBLKEV__LIFE_CANCEL)->cmd = c->pending;
}

void ublkev__life_tell(struct ublkev__life *c, int revents, int res)
{
	struct ublkev__life_action *a = life_act(c, UBLKEV__LIFE_EVENT);

	a->revents = revents;
	a->res = res;
}

/* ---- from step to step ---------------------------------------------------- */

void ublkev__life_enter(struct ublkev__life *c, enum ublkev_step step,
			uint64_t now_ms)
{
	c->step = step;
	c->rung = UBLKEV__RUNG_CANCEL;
	c->since_ms = now_ms;
	c->retry_ms = UBLKEV__NEVER;
	c->deadline_ms = UBLKEV__NEVER;
}

static uint64_t life_timeout_ms(const struct ublkev__life *c)
{
	uint32_t ms;

	memcpy(&ms, (const char *)&c->conf + ublkev__life_row(c)->timeout,
	       sizeof(ms));
	return ms;
}

/*
 * A stop's patience is that of all its steps together; whatever was left of it
 * by those before, each has a grace period at least.
 */
void ublkev__life_wait(struct ublkev__life *c, uint64_t now_ms)
{
	uint64_t least_ms = now_ms + c->conf.grace_ms;

	if (!ublkev__life_row(c)->timeout)
		return;
	if (ublkev__life_row(c)->timeout !=
	    offsetof(struct ublkev_conf, stop_timeout_ms))
		c->deadline_ms = now_ms + life_timeout_ms(c);
	else
		c->deadline_ms = c->stop_deadline_ms > least_ms ?
				 c->stop_deadline_ms : least_ms;
}

void ublkev__life_ask(struct ublkev__life *c)
{
	const struct ublkev__life_step *row = ublkev__life_row(c);
	bool other = row->cmd_recover && ublkev__life_recovers(c);
	unsigned int cmd = other ? row->cmd_recover : row->cmd;

	if (row->act)
		ublkev__life_do(c, (enum ublkev__life_act)row->act);
	if (cmd)
		ublkev__life_command(c, (enum ublkev__ctrl_cmd)cmd);
}

void ublkev__life_begin(struct ublkev__life *c, enum ublkev_step step,
			uint64_t now_ms)
{
	ublkev__life_enter(c, step, now_ms);
	ublkev__life_wait(c, now_ms);
	ublkev__life_ask(c);
}

void ublkev__life_end(struct ublkev__life *c, enum ublkev_step step)
{
	ublkev__life_enter(c, step, 0);
	ublkev__life_tell(c, UBLKEV_STOPPED, 0);
}

void ublkev__life_finish(struct ublkev__life *c, enum ublkev_step step)
{
	if (!(c->traits & UBLKEV__CLOSES_LATER)) {
		ublkev__life_end(c, step);
		return;
	}
	/* The backend is called when our threads have left it, for which there
	   is no deadline: so far it is not the backend that is waited for. */
	c->end = step;
	ublkev__life_enter(c, UBLKEV_STEP_BACKEND_CLOSE, 0);
	ublkev__life_ask(c);
}

bool ublkev__life_next(struct ublkev__life *c, struct ublkev__life_action *a)
{
	if (!c->nr)
		return false;
	*a = c->actions[c->first];
	c->first = (c->first + 1) % UBLKEV__LIFE_ACTIONS;
	c->nr--;
	return true;
}

/* ---- errors ------------------------------------------------------------- */

void ublkev__life_note_error(struct ublkev__life *c, int err)
{
	if (c->err)
		return;
	c->err = err;
	c->err_step = c->step;
	ublkev__life_tell(c, UBLKEV_ERROR, 0);
}

void ublkev__life_fail(struct ublkev__life *c, int err, uint64_t now_ms)
{
	ublkev__life_note_error(c, err);
	ublkev__life_go_down(c, now_ms);
}

void ublkev__life_fault(struct ublkev__life *c, int err, uint64_t now_ms)
{
	if (c->step == UBLKEV_STEP_IDLE ||
	    c->step >= UBLKEV_STEP_BACKEND_CLOSE)
		return;
	/* Another server may do better with a ring of its own. */
	if (c->step == UBLKEV_STEP_LIVE && !c->stopping)
		c->kept = ublkev__life_uses(c, UBLKEV__F(USER_RECOVERY));
	ublkev__life_fail(c, err, now_ms);
}

/* ---- facts -------------------------------------------------------------- */

void ublkev__life_init(struct ublkev__life *c, const struct ublkev_conf *conf)
{
	memset(c, 0, sizeof(*c));
	c->conf = *conf;
	c->info.id = conf->id;
	c->info.queues = conf->queues;
	c->info.depth = conf->depth;
	c->info.max_io_bytes = conf->max_io_bytes;
	c->deadline_ms = UBLKEV__NEVER;
	c->limit_ms = UBLKEV__NEVER;
	c->retry_ms = UBLKEV__NEVER;
}

int ublkev__life_cmd_done(struct ublkev__life *c, enum ublkev__ctrl_cmd cmd,
			  const struct ublkev__ctrl_answer *answer,
			  uint64_t now_ms)
{
	if (cmd == UBLKEV__CTRL_NONE || cmd != c->pending)
		return -EPROTO;
	c->pending = UBLKEV__CTRL_NONE;
	if (c->step == UBLKEV_STEP_LIVE)
		ublkev__life_live_done(c, cmd, answer, now_ms);
	else if (c->step == UBLKEV_STEP_QUIESCE)
		ublkev__life_quiesced(c, answer->res, now_ms);
	else if (c->step == UBLKEV_STEP_STOP)
		ublkev__life_stop_done(c, cmd, answer->res, now_ms);
	else if (c->step == UBLKEV_STEP_DEL)
		ublkev__life_del_done(c, cmd, answer->res, now_ms);
	else
		ublkev__life_up_done(c, cmd, answer, now_ms);
	return 0;
}

void ublkev__life_closed(struct ublkev__life *c, uint64_t now_ms)
{
	if (c->step != UBLKEV_STEP_CLOSE)
		return;		/* the ladder asked for it, and is past it */
	c->undo &= ~UBLKEV__UNDO_UBLKC;
	ublkev__life_unwind(c, now_ms);
}

void ublkev__life_recalled(struct ublkev__life *c, uint64_t now_ms)
{
	c->files = false;
	if (c->step == UBLKEV_STEP_RECALL)
		ublkev__life_unwind(c, now_ms);
}

void ublkev__life_backend_closing(struct ublkev__life *c, uint64_t now_ms)
{
	assert(c->step == UBLKEV_STEP_BACKEND_CLOSE);
	c->since_ms = now_ms;
	ublkev__life_wait(c, now_ms);
}

void ublkev__life_backend_closed(struct ublkev__life *c)
{
	if (c->step == UBLKEV_STEP_BACKEND_CLOSE)
		ublkev__life_end(c, c->end);
}

void ublkev__life_postpone(struct ublkev__life *c, uint64_t deadline_ms)
{
	if (c->deadline_ms < deadline_ms)
		c->deadline_ms = deadline_ms;
}

void ublkev__life_tick(struct ublkev__life *c, uint64_t now_ms)
{
	/* An attempt comes before the deadline: if it is the last one, its
	   errno tells more than -ETIMEDOUT. */
	if (now_ms >= c->retry_ms)
		ublkev__life_retry(c, now_ms);
	else if (now_ms >= c->deadline_ms)
		ublkev__life_expire(c, now_ms);
}
