/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Leads a device's life to a step, and writes what it wants done as text
 * that a test compares.
 */
#include "life_kit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/params.h"

static const struct ublkev_conf conf = {
	.size = sizeof(conf),
	.id = -1,
	.queues = 2,
	.depth = 8,
	.max_io_bytes = 65536,
	.cmd_timeout_ms = CMD_MS,
	.start_timeout_ms = START_MS,
	.stop_timeout_ms = STOP_MS,
	.grace_ms = GRACE_MS,
	.recover_timeout_ms = RECOVER_MS,
	.threads_per_queue = 1,
};

static void init(struct life *l, const struct ublkev_conf *mine)
{
	memset(l, 0, sizeof(*l));
	l->t0 = l->now = 100000;
	l->kernel = KERNEL_612;
	ublkev__life_init(&l->c, mine);
	ublkev__life_verify(&l->c);
}

void life_init(struct life *l, int id)
{
	struct ublkev_conf mine = conf;

	mine.id = id;
	init(l, &mine);
}

void life_make(struct life *l, enum ublkev_recovery recovery, uint64_t kernel)
{
	struct ublkev_conf mine = conf;

	mine.id = 3;
	mine.recovery = recovery;
	init(l, &mine);
	l->kernel = kernel;
	l->state = UBLKEV_STATE_QUIESCED;
	if (recovery)
		ublkev__features_choose(&mine, 0, kernel, &l->features);
}

static const char *event_name(int revents)
{
	switch (revents) {
	case UBLKEV_LIVE: return "!LIVE";
	case UBLKEV_ERROR: return "!ERROR";
	case UBLKEV_STOPPED: return "!STOPPED";
	case UBLKEV_RESIZED: return "!RESIZED";
	case UBLKEV_REFUSED: return "!REFUSED";
	case UBLKEV_SHARED: return "!SHARED";
	}
	return "!?";
}

static const char *action_name(const struct ublkev__life_action *a)
{
	switch (a->act) {
	case UBLKEV__LIFE_CMD:
	case UBLKEV__LIFE_CANCEL: return ublkev__ctrl_name(a->cmd);
	case UBLKEV__LIFE_OPEN: return "OPEN";
	case UBLKEV__LIFE_ARM: return "ARM";
	case UBLKEV__LIFE_ABORT_IO: return "ABORT";
	case UBLKEV__LIFE_RECALL: return "RECALL";
	case UBLKEV__LIFE_CLOSE: return "CLOSE";
	case UBLKEV__LIFE_CLOSE_BACKEND: return "BACKEND";
	case UBLKEV__LIFE_EVENT: break;
	case UBLKEV__LIFE_NONE: break;
	}
	return "?";
}

static void event(const struct ublkev__life_action *a, char *word, size_t bytes)
{
	const char *name = event_name(a->revents);

	if (a->revents & (UBLKEV_RESIZED | UBLKEV_REFUSED | UBLKEV_SHARED))
		snprintf(word, bytes, "%s=%d", name, a->res);
	else
		snprintf(word, bytes, "%s", name);
}

static void say(struct life *l, const char *sign, const char *word)
{
	size_t have = strlen(l->text);

	ck_assert_uint_lt(have + strlen(word) + 3, sizeof(l->text));
	snprintf(l->text + have, sizeof(l->text) - have, "%s%s ", sign, word);
}

void life_pull(struct life *l)
{
	struct ublkev__life_action a;
	char word[32];

	ublkev__life_verify(&l->c);
	while (ublkev__life_next(&l->c, &a)) {
		if (a.act == UBLKEV__LIFE_EVENT) {
			event(&a, word, sizeof(word));
			say(l, "", word);
			continue;
		}
		say(l, a.act == UBLKEV__LIFE_CANCEL ? "-" : "",
		    action_name(&a));
		if (a.act == UBLKEV__LIFE_RECALL && !l->files_stay)
			ublkev__life_recalled(&l->c, l->now);
		if (a.act == UBLKEV__LIFE_CLOSE)
			ublkev__life_closed(&l->c, l->now);
		ublkev__life_verify(&l->c);
	}
	ck_assert(!ublkev__life_has_work(&l->c));
}

void life_tell(struct life *l, enum ublkev__ctrl_cmd cmd,
	       const struct ublkev__ctrl_answer *a)
{
	ck_assert_int_eq(ublkev__life_cmd_done(&l->c, cmd, a, l->now), 0);
	life_pull(l);
}

void life_answer(struct life *l, int res)
{
	struct ublkev__ctrl_answer a = {
		.res = res,
		.features = l->kernel,
		.info = l->c.info,
	};

	if (a.info.id < 0)
		a.info.id = 3;
	if (l->c.pending == UBLKEV__CTRL_GET_DEV_INFO) {
		a.info.features = l->features;
		a.info.state = l->state;
	}
	life_tell(l, l->c.pending, &a);
}

void life_stop(struct life *l)
{
	ublkev__life_stop(&l->c, l->now);
	life_pull(l);
}

void life_abort(struct life *l)
{
	ublkev__life_abort(&l->c, l->now);
	life_pull(l);
}

void life_fault(struct life *l, int err)
{
	ublkev__life_fault(&l->c, err, l->now);
	life_pull(l);
}

void life_drained(struct life *l)
{
	ublkev__life_drained(&l->c, l->now);
	life_pull(l);
}

void life_recalled(struct life *l)
{
	ublkev__life_recalled(&l->c, l->now);
	life_pull(l);
}

void life_opened(struct life *l, int err)
{
	ublkev__life_opened(&l->c, err, l->now);
	life_pull(l);
}

/* the CLOSE is not pulled when that is the step to stand in */
static void step_on(struct life *l, enum ublkev_step step)
{
	switch (l->c.step) {
	case UBLKEV_STEP_OPEN:
		life_opened(l, 0);
		break;
	case UBLKEV_STEP_LIVE:
		if (step == UBLKEV_STEP_QUIESCE ||
		    step == UBLKEV_STEP_RECALL)
			ck_assert_int_eq(ublkev__life_release(&l->c, l->now),
					 0);
		else
			life_stop(l);
		life_pull(l);
		break;
	case UBLKEV_STEP_QUIESCE:
		if (l->c.pending != UBLKEV__CTRL_NONE)
			life_answer(l, 0);
		else
			life_idle(l);
		break;
	case UBLKEV_STEP_DRAIN:
		ublkev__life_drained(&l->c, l->now);
		if (step != UBLKEV_STEP_CLOSE)
			life_pull(l);
		break;
	default:
		life_answer(l, 0);
	}
}

void life_lead(struct life *l, enum ublkev__life_mode mode,
	       enum ublkev_step step)
{
	ublkev__life_start(&l->c, mode, l->now);
	life_pull(l);
	while (l->c.step != step) {
		ck_assert_int_lt(l->c.step, step);
		l->now += 7;
		step_on(l, step);
	}
	l->t0 = l->now;
	l->text[0] = '\0';
}

void life_begin(struct life *l, enum ublkev_step step)
{
	bool recover = step == UBLKEV_STEP_INFO ||
		       step == UBLKEV_STEP_RECOVER;

	life_init(l, -1);
	if (recover || step == UBLKEV_STEP_QUIESCE ||
	    step == UBLKEV_STEP_RECALL)
		life_make(l, UBLKEV_RECOVERY_REISSUE, KERNEL_73);
	if (step == UBLKEV_STEP_RECALL) {
		l->c.traits = UBLKEV__CAN_PLACE;
		l->files_stay = true;
	}
	if (step == UBLKEV_STEP_BACKEND_CLOSE)
		l->c.traits = UBLKEV__CLOSES_LATER;
	life_lead(l, recover ? UBLKEV__LIFE_RECOVER : UBLKEV__LIFE_ADD, step);
}

void life_polite(struct life *l)
{
	life_pull(l);
	while (l->c.step < UBLKEV_STEP_GONE) {
		ck_assert_int_ne(l->c.step, UBLKEV_STEP_LIVE);
		step_on(l, UBLKEV_NR_STEPS);
	}
}

void life_silent(struct life *l)
{
	char at[32];
	uint64_t due;

	while ((due = ublkev__life_deadline_ms(&l->c)) != UINT64_MAX) {
		ck_assert_uint_gt(due, l->now);
		ublkev__life_tick(&l->c, due - 1);
		ck_assert(!ublkev__life_has_work(&l->c));
		ck_assert_uint_eq(ublkev__life_deadline_ms(&l->c), due);
		l->now = due;
		snprintf(at, sizeof(at), "@%u", (unsigned int)(due - l->t0));
		say(l, "", at);
		ublkev__life_tick(&l->c, due);
		life_pull(l);
	}
}

void life_idle(struct life *l)
{
	ublkev__life_idle(&l->c, l->now);
	life_pull(l);
}

void life_tag_died(struct life *l)
{
	ublkev__life_tag_died(&l->c, l->now);
	life_pull(l);
}

void life_climb(struct life *l)
{
	l->now = ublkev__life_deadline_ms(&l->c);
	ublkev__life_tick(&l->c, l->now);
	life_pull(l);
}

void life_live(struct life *l, enum ublkev_recovery recovery, uint64_t kernel)
{
	life_make(l, recovery, kernel);
	life_lead(l, UBLKEV__LIFE_ADD, UBLKEV_STEP_LIVE);
	l->state = UBLKEV_STATE_LIVE;
	l->features = l->c.info.features;
}

void life_assert_over(const struct life *l, enum ublkev_step step, int err,
		      enum ublkev_step err_step)
{
	ck_assert_int_eq(l->c.step, step);
	ck_assert_int_eq(l->c.err, err);
	ck_assert_int_eq(l->c.err_step, err_step);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l->c), UINT64_MAX);
}

void life_assert_live(const struct life *l)
{
	ck_assert_int_eq(l->c.step, UBLKEV_STEP_LIVE);
	ck_assert_int_eq(l->c.err, 0);
	ck_assert_uint_eq(ublkev__life_deadline_ms(&l->c), UINT64_MAX);
}
