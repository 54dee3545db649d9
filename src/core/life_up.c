/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the start to LIVE, of a new device and of one to recover: what each
 * answer means, and whether the way goes on, is tried once more, or turns down.
 */
#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "core/life_priv.h"
#include "core/params.h"

/* The time between two attempts at what udev is still to allow. */
#define UDEV_RETRY_MS 20

/*
 * The time between two attempts at a recovery. It begins small, for where
 * one server replaces another by intent, clients wait for it.
 */
#define MIN_RECOVER_RETRY_MS 1
#define MAX_RECOVER_RETRY_MS 50

void ublkev__life_start(struct ublkev__life *c, enum ublkev__life_mode mode,
			uint64_t now_ms)
{
	assert(c->step == UBLKEV_STEP_IDLE);
	c->mode = mode;
	if (mode != UBLKEV__LIFE_REMOVE) {
		ublkev__life_begin(c, UBLKEV_STEP_FEATURES, now_ms);
		return;
	}
	assert(c->conf.id >= 0);
	if (c->conf.flags & UBLKEV_CONF_UNPRIVILEGED)
		c->info.features = UBLKEV__F(UNPRIVILEGED_DEV);
	c->undo = UBLKEV__UNDO(STOP) | UBLKEV__UNDO(DEL);
	ublkev__life_turn_down(c, now_ms);
	ublkev__life_unwind(c, now_ms);
}

/* ---- answers ------------------------------------------------------------ */

/*
 * What an answer is judged to be, beside an error, and 0, which leads on to the
 * next step: there is more to ask in this one.
 */
#define STAY 1

static int up_on_features(struct ublkev__life *c,
			  const struct ublkev__ctrl_answer *a)
{
	uint64_t features = a->features;
	int err;

	/*
	 * The command came with 6.5, and an older kernel may be new enough for
	 * us. ublk_ctrl_uring_cmd() there looks for the device before it looks
	 * at the command, and finds none: hence -ENODEV.
	 */
	if (a->res == -EOPNOTSUPP || a->res == -ENODEV)
		features = UBLKEV__F(CMD_IOCTL_ENCODE) |
			   UBLKEV__F(URING_CMD_COMP_IN_TASK);
	else if (a->res < 0)
		return a->res;
	c->kernel_features = features;
	if (ublkev__life_recovers(c))
		return 0;
	err = ublkev__features_choose(&c->conf, c->traits, features,
				      &c->info.features);
	if (!err && ublkev__life_uses(c, UBLKEV__F(IO_DESC_SIZE)))
		c->info.desc_bytes = UBLKEV__DESC_LINE_BYTES;
	return err;
}

/*
 * ublk_ctrl_add_dev(): whole words, and no less than what is written there. A
 * size is told only by those that have the feature.
 */
static bool up_descs_are_right(const struct ublkev_cmd_info *info)
{
	if (!(info->features & UBLKEV__F(IO_DESC_SIZE)))
		return !info->desc_bytes;
	return info->desc_bytes >= UBLKEV__DESC_BYTES &&
	       info->desc_bytes <= UBLKEV__MOST_DESC_BYTES &&
	       !(info->desc_bytes % 8);
}

/* The driver may give less than was asked for, but never more or another id. */
static int up_take_added(struct ublkev__life *c,
			 const struct ublkev_cmd_info *got)
{
	const struct ublkev_cmd_info *asked = &c->info;
	uint64_t needed = ublkev__features_needed(&c->conf, c->traits);

	if (got->id < 0 || got->id > UBLKEV__MAX_ID ||
	    (asked->id >= 0 && got->id != asked->id))
		return -EPROTO;
	c->info.id = got->id;
	c->info.features = got->features;
	c->undo = UBLKEV__UNDO(DEL);
	if (!got->queues || got->queues > asked->queues ||
	    got->depth != asked->depth ||
	    got->max_io_bytes < UBLKEV__PAGE ||
	    got->max_io_bytes > asked->max_io_bytes ||
	    got->max_io_bytes % UBLKEV__PAGE || !up_descs_are_right(got))
		return -EPROTO;
	c->info = *got;
	return needed & ~got->features ? -EOPNOTSUPP : 0;
}

/* Whether there is time for another attempt, which then is planned. */
static bool up_try_again(struct ublkev__life *c, uint64_t ms, uint64_t now_ms)
{
	if (c->stopping || now_ms + ms >= c->deadline_ms)
		return false;
	c->retry_ms = now_ms + ms;
	return true;
}

/*
 * Where each queue is best served, if it has a thread. A device does without
 * what the driver does not tell, and asks for no further queue then.
 */
static int up_ask_cpus(struct ublkev__life *c,
		       const struct ublkev__ctrl_answer *a, uint64_t now_ms)
{
	if (!(c->conf.flags & UBLKEV_CONF_QUEUE_THREADS) || c->stopping ||
	    a->res < 0 || c->asked_cpus == c->info.queues)
		return 0;
	ublkev__life_wait(c, now_ms);
	ublkev__life_command(c, UBLKEV__CTRL_GET_QUEUE_AFFINITY);
	c->asked_cpus++;
	return STAY;
}

/*
 * The driver refuses an ordinary user's commands until udev has given ublkc to
 * that user (ublk_ctrl_uring_cmd_permission() looks at the node).
 */
static int up_on_params(struct ublkev__life *c, enum ublkev__ctrl_cmd cmd,
			const struct ublkev__ctrl_answer *a, uint64_t now_ms)
{
	bool udev = cmd == UBLKEV__CTRL_SET_PARAMS &&
		    ublkev__life_uses(c, UBLKEV__F(UNPRIVILEGED_DEV)) &&
		    (a->res == -EACCES || a->res == -EPERM ||
		     a->res == -ENOENT);

	if (udev && up_try_again(c, UDEV_RETRY_MS, now_ms))
		return STAY;
	if (cmd == UBLKEV__CTRL_SET_PARAMS && a->res < 0)
		return a->res;
	return up_ask_cpus(c, a, now_ms);
}

static int up_take_info(struct ublkev__life *c,
			const struct ublkev_cmd_info *got)
{
	if (got->id != c->info.id || !got->queues ||
	    got->queues > UBLKEV__MAX_QUEUES || !got->depth ||
	    got->depth > UBLKEV__MAX_DEPTH ||
	    got->max_io_bytes < UBLKEV__PAGE || !up_descs_are_right(got))
		return -EPROTO;
	if (!(got->features & UBLKEV__F(USER_RECOVERY)) ||
	    (c->conf.threads_per_queue > 1 &&
	     !(got->features & UBLKEV__F(PER_IO_DAEMON))) ||
	    !ublkev__features_servable(got->features) ||
	    got->queues * got->depth > UBLKEV__MAX_TAGS)
		return -EOPNOTSUPP;
	if (got->state == UBLKEV_STATE_DEAD)
		return -ENOTCONN;
	c->info = *got;
	return 0;
}

static int up_on_info(struct ublkev__life *c, enum ublkev__ctrl_cmd cmd,
		      const struct ublkev__ctrl_answer *a, uint64_t now_ms)
{
	int err;

	if (cmd == UBLKEV__CTRL_GET_QUEUE_AFFINITY)
		return up_ask_cpus(c, a, now_ms);
	if (a->res < 0)
		return a->res;
	if (cmd == UBLKEV__CTRL_GET_PARAMS)
		return up_ask_cpus(c, a, now_ms);
	err = up_take_info(c, &a->info);
	if (err || c->stopping)
		return err;
	ublkev__life_command(c, UBLKEV__CTRL_GET_PARAMS);
	return STAY;
}

/*
 * -EBUSY: the former server is not gone, or the driver has yet to see that it
 * is (ublk_ctrl_start_recovery() wants ublkc released, and the device QUIESCED
 * or FAIL_IO).
 */
static int up_on_recover(struct ublkev__life *c,
			 const struct ublkev__ctrl_answer *a, uint64_t now_ms)
{
	uint64_t ms = (now_ms - c->since_ms) / 8;

	if (ms < MIN_RECOVER_RETRY_MS)
		ms = MIN_RECOVER_RETRY_MS;
	if (ms > MAX_RECOVER_RETRY_MS)
		ms = MAX_RECOVER_RETRY_MS;
	if (a->res == -EBUSY && up_try_again(c, ms, now_ms))
		return STAY;
	if (a->res < 0)
		return a->res;
	c->undo = UBLKEV__UNDO(DEL);
	return 0;
}

static int up_judge(struct ublkev__life *c, enum ublkev__ctrl_cmd cmd,
		    const struct ublkev__ctrl_answer *a, uint64_t now_ms)
{
	switch (c->step) {
	case UBLKEV_STEP_FEATURES:
		return up_on_features(c, a);
	case UBLKEV_STEP_ADD:
		return a->res < 0 ? a->res : up_take_added(c, &a->info);
	case UBLKEV_STEP_PARAMS:
		return up_on_params(c, cmd, a, now_ms);
	case UBLKEV_STEP_INFO:
		return up_on_info(c, cmd, a, now_ms);
	case UBLKEV_STEP_RECOVER:
		return up_on_recover(c, a, now_ms);
	default:
		return a->res < 0 ? a->res : 0;
	}
}

static void up_go_on(struct ublkev__life *c, uint64_t now_ms)
{
	const struct ublkev__life_step *row = ublkev__life_row(c);
	bool other = row->next_recover && ublkev__life_recovers(c);
	unsigned int next = other ? row->next_recover : row->next;

	if (next != UBLKEV_STEP_LIVE) {
		ublkev__life_begin(c, (enum ublkev_step)next, now_ms);
		return;
	}
	ublkev__life_enter(c, UBLKEV_STEP_LIVE, now_ms);
	ublkev__life_tell(c, UBLKEV_LIVE, 0);
}

void ublkev__life_up_done(struct ublkev__life *c, enum ublkev__ctrl_cmd cmd,
			  const struct ublkev__ctrl_answer *a, uint64_t now_ms)
{
	int err = up_judge(c, cmd, a, now_ms);

	if (c->stopping)
		ublkev__life_unwind(c, now_ms);
	else if (err < 0)
		ublkev__life_fail(c, err, now_ms);
	else if (err != STAY)
		up_go_on(c, now_ms);
}

/* What is tried once more is what the step began with. */
void ublkev__life_retry(struct ublkev__life *c, uint64_t now_ms)
{
	c->retry_ms = UBLKEV__NEVER;
	if (c->step == UBLKEV_STEP_LIVE)
		ublkev__life_live_ask(c, now_ms);
	else
		ublkev__life_ask(c);
}

/* ---- ublkc -------------------------------------------------------------- */

void ublkev__life_opened(struct ublkev__life *c, int err, uint64_t now_ms)
{
	assert(c->step == UBLKEV_STEP_OPEN);
	c->retry_ms = now_ms;	/* whoever turns down sees: no attempt is out */
	if (c->stopping) {
		c->undo |= err ? 0 : UBLKEV__UNDO(CLOSE);
		ublkev__life_unwind(c, now_ms);
	} else if (!err) {
		c->undo |= UBLKEV__UNDO_UBLKC;	/* START arms all tags */
		c->files = c->traits & (UBLKEV__CAN_PLACE | UBLKEV__HAS_OPS);
		up_go_on(c, now_ms);
	} else if ((err != -ENOENT && err != -EACCES && err != -EBUSY) ||
		   !up_try_again(c, UDEV_RETRY_MS, now_ms)) {
		/* By now udev would have finished, and a former holder have
		   closed it. */
		ublkev__life_fail(c, err, now_ms);
	}
}

bool ublkev__life_hides_privilege(const struct ublkev__life *c)
{
	return c->mode == UBLKEV__LIFE_ADD &&
	       ublkev__life_uses(c, UBLKEV__F(USER_RECOVERY)) &&
	       !(c->kernel_features & UBLKEV__F(NO_AUTO_PART_SCAN));
}
