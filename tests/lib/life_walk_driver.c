/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver in little for random walks of life: it has devices and tags, does
 * what it is asked late or wrongly, and checks that it is never asked what
 * would do harm.
 */
#include "life_walk.h"

#include <errno.h>

#include "core/params.h"

static int refusal(struct life *l)
{
	static const int errs[] = {
		-EINVAL, -EPERM, -EACCES, -EEXIST, -EFAULT, -ENOMEM, -EINTR,
		-EBUSY, -ENODEV, -EOPNOTSUPP, -EAGAIN,
	};

	return one_of(l, errs, TEST_COUNT(errs));
}

/* ---- commands -------------------------------------------------------------- */

/* no command comes where it would do harm */
static void check_cmd(const struct life *l, enum ublkev__ctrl_cmd cmd)
{
	bool recover = l->c.mode == UBLKEV__LIFE_RECOVER;

	switch (cmd) {
	case UBLKEV__CTRL_START_DEV:
	case UBLKEV__CTRL_END_USER_RECOVERY:
		must(recover == (cmd == UBLKEV__CTRL_END_USER_RECOVERY));
		must(l->ublkc && l->armed);
		break;
	case UBLKEV__CTRL_START_USER_RECOVERY:
		must(recover && !l->begun && !l->ublkc);
		break;
	case UBLKEV__CTRL_ADD_DEV:
	case UBLKEV__CTRL_SET_PARAMS:
		must(l->c.mode == UBLKEV__LIFE_ADD);
		break;
	case UBLKEV__CTRL_GET_QUEUE_AFFINITY:
		must(l->c.conf.flags & UBLKEV_CONF_QUEUE_THREADS);
		must(l->mine || !l->begun);
		must(!l->ublkc && l->data == l->cpus);
		must(l->data < l->c.info.queues);
		break;
	case UBLKEV__CTRL_UPDATE_SIZE:
		must(l->resizing && l->live_known && l->lives);
		must(l->data == l->resizing);
		break;
	case UBLKEV__CTRL_QUIESCE_DEV:
		must(l->released);
		must(l->c.info.features & UBLKEV__F(QUIESCE));
		/* 0 would be for ever */
		must(l->data && (l->data <= l->c.conf.stop_timeout_ms ||
				 l->data <= l->c.conf.grace_ms));
		break;
	case UBLKEV__CTRL_TRY_STOP_DEV:
		must(l->tries && l->kernel & UBLKEV__F(SAFE_STOP_DEV));
		break;
	case UBLKEV__CTRL_STOP_DEV:
		must(l->mine);
		break;
	case UBLKEV__CTRL_DEL_DEV_ASYNC:
		must(!(l->c.info.features & UBLKEV__F(UNPRIVILEGED_DEV)));
		/* fall through */
	case UBLKEV__CTRL_DEL_DEV:
		must(!l->ublkc && l->mine);
		break;
	default:
		break;
	}
}

static void plan(struct life *l, enum ublkev__ctrl_cmd cmd)
{
	l->answer = chance(l, l->misfortune) ? refusal(l) : 0;
	if (cmd == UBLKEV__CTRL_TRY_STOP_DEV && chance(l, 40))
		l->answer = -EBUSY;
	if (cmd == UBLKEV__CTRL_START_USER_RECOVERY && l->now < l->busy_until)
		l->answer = -EBUSY;
	l->answer_at = chance(l, l->misfortune / 2) ? NEVER :
		chance(l, 20) ? soon(l, 6000) : soon(l, 100);
}

void drv_cmd(struct life *l, const struct ublkev__life_action *a)
{
	must(l->pending == UBLKEV__CTRL_NONE);
	must(l->stops == 0);
	l->data = a->data;
	check_cmd(l, a->cmd);
	l->cpus += a->cmd == UBLKEV__CTRL_GET_QUEUE_AFFINITY;
	l->pending = a->cmd;
	plan(l, a->cmd);
}

void drv_cancel(struct life *l, enum ublkev__ctrl_cmd cmd)
{
	if (l->pending != cmd || chance(l, 40))
		return;
	l->answer = -EINTR;
	l->answer_at = soon(l, 300);
}

void drv_open(struct life *l)
{
	static const int errs[] = {
		-ENOENT, -ENOENT, -EACCES, -EBUSY, -EBUSY, -EMFILE, -ENXIO,
	};
	int err = chance(l, l->misfortune) ?
		one_of(l, errs, TEST_COUNT(errs)) : 0;

	must(l->mine && !l->ublkc);
	must(l->c.mode != UBLKEV__LIFE_RECOVER || l->begun);
	l->ublkc = !err;
	ublkev__life_opened(&l->c, err, l->now);
}

/* some are ended by no cancel */
void drv_recall(struct life *l)
{
	must(l->ublkc && l->armed);
	must(l->c.traits & UBLKEV__CAN_PLACE);
	l->recalled = true;
	l->recalled_at = chance(l, 20) ? NEVER : soon(l, 300);
}

/* where another server is to come, none may be out that could have ended */
static void close_files(struct life *l, enum ublkev_step step)
{
	if (!l->files || !l->armed || l->drained_told)
		return;
	seen.files_left++;
	must(l->recalled || l->aborted || l->c.step == UBLKEV_STEP_LOST ||
	     (l->c.step == UBLKEV_STEP_BACKEND_CLOSE &&
	      l->c.end == UBLKEV_STEP_LOST));
	must(step != UBLKEV_STEP_CLOSE);
	/* the driver kept its word, and they did not end */
	l->files = false;
}

/*
 * Before the last tag is back only where the ladder has failed the I/O,
 * STOP_DEV was refused, it is, or was to be, left to somebody else, or a
 * command to a live device never returned.
 */
void drv_close(struct life *l, enum ublkev_step step)
{
	must(l->ublkc);
	close_files(l, step);
	if (l->armed && !l->drained_told) {
		must(l->aborted || l->refused || l->c.kept ||
		     step == UBLKEV_STEP_QUIESCE ||
		     l->c.step == UBLKEV_STEP_LOST ||
		     (l->c.step == UBLKEV_STEP_BACKEND_CLOSE &&
		      l->c.end == UBLKEV_STEP_LOST));
		seen.forced++;
	}
	l->ublkc = false;
	l->armed = false;
	l->drained_at = l->died_at = l->idle_at = l->recalled_at = NEVER;
	/* each thread closes its ring when it comes to it */
	if (l->c.conf.flags & UBLKEV_CONF_QUEUE_THREADS)
		l->closed_at = soon(l, 100);
	else
		ublkev__life_closed(&l->c, l->now);
}

void drv_close_backend(struct life *l)
{
	must(!l->ublkc && !l->armed && !l->backend_asked);
	l->backend_asked = true;
	if (chance(l, 30)) {
		l->backend_closed = true;
		ublkev__life_backend_closed(&l->c);
		return;
	}
	ublkev__life_backend_closing(&l->c, l->now);
	must(ublkev__life_deadline_ms(&l->c) != NEVER);
	l->backend_at = chance(l, 20) ? NEVER : soon(l, 5000);
}

/* ---- their effects --------------------------------------------------------- */

static void added(struct life *l, struct ublkev_cmd_info *info)
{
	l->exists = l->mine = true;
	info->id = info->id < 0 ? 4 : info->id;
	info->features |= 1u << 13;
	if (chance(l, 30))
		info->queues = 1;
	if (!chance(l, l->misfortune / 2))
		return;
	switch (test_rng_below(l->rng, 5)) {
	case 0:
		info->queues = 99;
		break;
	case 1:
		info->depth++;
		break;
	case 2:
		info->max_io_bytes *= 2;
		break;
	case 3:
		info->features &= ~UBLKEV__F(USER_RECOVERY);
		break;
	default:	/* whose it is cannot be known */
		info->id = -1;
		l->mine = false;
	}
}

/* tags come back: one, then all of them */
static void drain(struct life *l)
{
	if (!l->armed || l->drained_at != NEVER)
		return;
	l->drained_at = chance(l, l->misfortune / 2) ? NEVER : soon(l, 50);
	if (l->drained_at != NEVER && !l->died_told)
		l->died_at = chance(l, 50) ? l->drained_at : l->now;
}

/* what is idle comes back, the rest is finished by the backend */
static void quiesce(struct life *l)
{
	if (!l->armed)	/* the command was given up, and ublkc closed */
		return;
	if (!l->died_told && l->died_at == NEVER)
		l->died_at = soon(l, 30);
	l->idle_at = chance(l, l->misfortune / 2) ? NEVER : soon(l, 300);
	if (chance(l, 30))
		drain(l);
}

static void tell_info(struct life *l, struct ublkev_cmd_info *info)
{
	uint64_t recovery = UBLKEV__F(USER_RECOVERY) |
			    UBLKEV__F(USER_RECOVERY_REISSUE);

	if (l->lives) {
		info->state = l->stopped ? UBLKEV_STATE_DEAD :
			UBLKEV_STATE_LIVE;
		l->live_known = !l->stopped;
		return;
	}
	info->state = UBLKEV_STATE_QUIESCED;
	if (l->kernel & UBLKEV__F(QUIESCE))
		recovery |= UBLKEV__F(QUIESCE) | UBLKEV__F(UPDATE_SIZE);
	info->features = recovery;
	if (!chance(l, l->misfortune / 2))
		return;
	if (chance(l, 50))
		info->state = UBLKEV_STATE_DEAD;
	else
		info->features = 0;
}

static void succeeds(struct life *l, struct ublkev_cmd_info *info)
{
	switch (l->pending) {
	case UBLKEV__CTRL_ADD_DEV:
		added(l, info);
		break;
	case UBLKEV__CTRL_GET_DEV_INFO:
		tell_info(l, info);
		break;
	case UBLKEV__CTRL_START_USER_RECOVERY:
		l->begun = l->mine = true;
		break;
	case UBLKEV__CTRL_START_DEV:
	case UBLKEV__CTRL_END_USER_RECOVERY:
		l->running = true;
		break;
	case UBLKEV__CTRL_QUIESCE_DEV:
		quiesce(l);
		break;
	case UBLKEV__CTRL_TRY_STOP_DEV:
	case UBLKEV__CTRL_STOP_DEV:
		l->stopped = l->ends = true;
		drain(l);
		break;
	case UBLKEV__CTRL_DEL_DEV:
	case UBLKEV__CTRL_DEL_DEV_ASYNC:
		l->exists = l->mine = false;
		break;
	default:
		break;
	}
}

/* answers that say that it is gone, or will be */
static void vanishes(struct life *l, int res)
{
	bool users = l->c.info.features & UBLKEV__F(UNPRIVILEGED_DEV);
	enum ublkev__ctrl_cmd cmd = l->pending;

	if (res == -ENODEV && cmd >= UBLKEV__CTRL_STOP_DEV)
		l->mine = l->exists = false;
	if (res == -EINTR && cmd == UBLKEV__CTRL_DEL_DEV && users)
		l->mine = l->exists = false;
	if (res == -EINTR && cmd == UBLKEV__CTRL_DEL_DEV)
		l->doomed = true;
	/* an old kernel, or a user's device: it goes with its last user */
	if ((res == -EOPNOTSUPP || res == -EINVAL) &&
	    cmd == UBLKEV__CTRL_DEL_DEV_ASYNC && l->doomed)
		l->mine = l->exists = false;
}

/* what the command does when it succeeds, or what it is answered instead */
static int effect(struct life *l, struct ublkev_cmd_info *info)
{
	bool gone = !l->exists && l->pending != UBLKEV__CTRL_GET_FEATURES &&
		l->pending != UBLKEV__CTRL_ADD_DEV;

	if (gone && !l->answer)
		l->answer = -ENODEV;
	l->live_known = false;
	vanishes(l, l->answer);
	if (!l->answer)
		succeeds(l, info);
	/* when it gives up waiting it keeps requests back all the same */
	if (l->pending == UBLKEV__CTRL_QUIESCE_DEV &&
	    (l->answer == -EBUSY || l->answer == -EINTR))
		quiesce(l);
	return l->answer;
}

void drv_answer(struct life *l)
{
	struct ublkev__ctrl_answer a = {
		.features = l->kernel,
		.info = l->c.info,
	};
	enum ublkev__ctrl_cmd cmd = l->pending;
	/* given up, but its owner has not heard of it */
	bool late = l->c.step == UBLKEV_STEP_LOST ||
		    (l->c.step == UBLKEV_STEP_BACKEND_CLOSE &&
		     l->c.end == UBLKEV_STEP_LOST);

	a.res = effect(l, &a.info);
	l->pending = UBLKEV__CTRL_NONE;
	l->answer_at = NEVER;
	if (cmd == UBLKEV__CTRL_STOP_DEV && a.res < 0)
		l->refused = true;
	must(ublkev__life_cmd_done(&l->c, cmd, &a, l->now) ==
	     (late ? -EPROTO : 0));
}

void drv_outside(struct life *l)
{
	if (!l->exists)
		return;
	if (l->outsider == QUIESCE) {
		if (!l->lives || !l->armed || l->stopped ||
		    !(l->c.info.features & UBLKEV__F(QUIESCE)))
			return;
		quiesce(l);
		return;
	}
	if (l->outsider == DELETE)
		l->exists = false;
	l->stopped = true;
	drain(l);
}
