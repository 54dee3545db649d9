/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evcmd.c - control commands to devices of others, in a loop
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <ev.h>
#include <ublkev.h>

#include "core/cmdlife.h"
#include "core/pace.h"
#include "core/params.h"
#include "ev/clock.h"
#include "ev/evdev.h"
#include "uring/carrier.h"
#include "util/check.h"
#include "util/thread.h"
#include "util/log.h"
#include "util/alloc.h"

struct ublkev__cmdrun {
	struct ublkev_cmd *shell;
	struct ublkev__alloc mem;
	struct ublkev__log log;
	struct ublkev_broker *broker;
	struct ublkev__cmdlife life;
	struct ublkev__pace pace;	/* the clock of its deadlines */
	/* from the first submit on, but not after a command that was lost */
	struct ublkev__carrier *carrier;
	int evfd;
	/* while a command is under way */
	struct ev_loop *loop;
	const void *thread;		/* the caller of submit */
	struct ev_io on_fd;
	struct ev_timer on_deadline;
	struct ev_cleanup on_destroy;
	enum ublkev_cmd_op op;
	struct ublkev_cmd_answer answer;
};

/* ---- answers -------------------------------------------------------------- */

static void cmd_put_answer(struct ublkev__cmdrun *c,
			   const struct ublkev__carrier_done *done)
{
	switch (done->cmd) {
	case UBLKEV__CTRL_GET_FEATURES:
		c->answer.u.features = done->answer.features;
		break;
	case UBLKEV__CTRL_GET_PARAMS:
		ublkev__params_tell(&done->params, &c->answer.u.params);
		break;
	case UBLKEV__CTRL_GET_QUEUE_AFFINITY:
		c->answer.u.cpus = done->cpus;
		break;
	default:
		break;
	}
}

static void cmd_let_go(struct ublkev__cmdrun *c)
{
	if (ublkev__carrier_free(c->carrier))
		ublkev__log(&c->log, LOG_WARNING,
			    "%s never returned: its memory is left to the kernel",
			    ublkev_cmd_name(c->op));
	c->carrier = NULL;
	if (c->evfd >= 0)
		close(c->evfd);
	c->evfd = -1;
}

static void cmd_end(struct ublkev__cmdrun *c, bool lost)
{
	struct ublkev_cmd_answer answer = c->answer;
	struct ublkev_cmd *cmd = c->shell;
	struct ev_loop *loop = c->loop;

	ev_io_stop(loop, &c->on_fd);
	ev_timer_stop(loop, &c->on_deadline);
	ev_cleanup_stop(loop, &c->on_destroy);
	answer.res = c->life.res;
	if (!answer.res && c->op == UBLKEV_CMD_GET_DEV_INFO)
		answer.u.info = c->life.info;
	if (lost)
		cmd_let_go(c);
	cmd->active = 0;
	cmd->cb(loop, cmd, &answer);
}

/* ---- the life of a command -------------------------------------------------- */

static uint64_t cmd_now_ms(struct ublkev__cmdrun *c)
{
	return ublkev__pace_look(&c->pace, ublkev__clock_ms());
}

static void cmd_submit(struct ublkev__cmdrun *c)
{
	struct ublkev__carrier_req req = {
		.cmd = c->life.pending,
		.info = c->life.info,
		.data = c->life.arg,
	};
	struct ublkev__ctrl_answer failed = { 0 };

	failed.res = ublkev__carrier_submit(c->carrier, &req);
	if (failed.res)
		ublkev__cmdlife_done(&c->life, req.cmd, &failed, cmd_now_ms(c));
}

static void cmd_set_deadline(struct ublkev__cmdrun *c)
{
	uint64_t ms;

	(void)cmd_now_ms(c);
	ms = ublkev__pace_sleep(&c->pace, c->life.deadline_ms);
	ev_timer_stop(c->loop, &c->on_deadline);
	ev_now_update(c->loop);
	ev_timer_set(&c->on_deadline, (double)ms / 1000., 0.);
	ev_timer_start(c->loop, &c->on_deadline);
}

/* the callback, which may free c, comes last */
static void cmd_go_on(struct ublkev__cmdrun *c)
{
	enum ublkev__cmdlife_act act;

	while ((act = ublkev__cmdlife_next(&c->life)) != UBLKEV__CMDLIFE_NONE) {
		switch (act) {
		case UBLKEV__CMDLIFE_SEND:
			cmd_submit(c);
			break;
		case UBLKEV__CMDLIFE_CANCEL:
			ublkev__carrier_cancel(c->carrier);
			break;
		default:
			cmd_end(c, act == UBLKEV__CMDLIFE_LOSE);
			return;
		}
	}
	cmd_set_deadline(c);
}

static void cmd_take_answers(struct ublkev__cmdrun *c)
{
	struct ublkev__carrier_done done;
	uint64_t count;

	if (read(c->evfd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	while (ublkev__carrier_reap(c->carrier, &done)) {
		if (done.answer.res >= 0)
			cmd_put_answer(c, &done);
		ublkev__cmdlife_done(&c->life, done.cmd, &done.answer,
				     cmd_now_ms(c));
	}
}

static void cmd_fd_cb(struct ev_loop *loop, struct ev_io *w, int revents)
{
	struct ublkev__cmdrun *c = w->data;

	(void)loop;
	(void)revents;
	cmd_take_answers(c);
	cmd_go_on(c);
}

static void cmd_deadline_cb(struct ev_loop *loop, struct ev_timer *w,
			    int revents)
{
	struct ublkev__cmdrun *c = w->data;

	(void)loop;
	(void)revents;
	/* first what came in time, however late this is */
	cmd_take_answers(c);
	ublkev__cmdlife_tick(&c->life, cmd_now_ms(c));
	cmd_go_on(c);
}

static void cmd_destroy_cb(struct ev_loop *loop, struct ev_cleanup *w,
			   int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	ublkev__check(false, "a loop to destroy has no command under way");
}

/* ---- public ----------------------------------------------------------------- */

int ublkev_cmd_init(struct ublkev_cmd *cmd, ublkev_cmd_cb *cb,
		    const struct ublkev_conf *conf)
{
	struct ublkev_conf full;
	struct ublkev__cmdrun *c;
	struct ublkev__alloc mem;
	int err;

	err = ublkev__conf_take(&full, conf);
	if (err)
		return err;
	ublkev__alloc_init(&mem, full.alloc, full.alloc_data);
	c = ublkev__alloc_zalloc(&mem, 1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->shell = cmd;
	c->mem = mem;
	c->log.fn = full.log;
	c->log.data = full.log_data;
	c->broker = full.broker;
	c->life.cmd_timeout_ms = full.cmd_timeout_ms;
	c->life.grace_ms = full.grace_ms;
	c->evfd = -1;
	ev_init(&c->on_fd, cmd_fd_cb);
	ev_init(&c->on_deadline, cmd_deadline_cb);
	ev_cleanup_init(&c->on_destroy, cmd_destroy_cb);
	c->on_fd.data = c;
	c->on_deadline.data = c;
	cmd->cb = cb;
	cmd->active = 0;
	cmd->priv = c;
	return 0;
}

static int cmd_connect_to(struct ublkev__cmdrun *c)
{
	int err;

	if (c->carrier)
		return 0;
	c->evfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->evfd < 0)
		return -errno;
	err = ublkev__carrier_new(&c->carrier, &c->mem, c->evfd, c->broker);
	if (!err)
		err = ublkev__carrier_open(c->carrier);
	if (err)
		cmd_let_go(c);
	return err;
}

int ublkev_cmd_submit(struct ev_loop *loop, struct ublkev_cmd *cmd,
		      enum ublkev_cmd_op op, int id, uint64_t arg)
{
	struct ublkev__cmdrun *c = cmd->priv;
	int err;

	ublkev__check(c, "a ublkev_cmd to submit was initialised");
	ublkev__check(c->shell == cmd,
		      "a ublkev_cmd stays where it was initialised");
	if (cmd->active)
		return -EBUSY;
	ublkev__check(cmd->cb && loop, "a command has a callback and a loop");
	if (op == UBLKEV_CMD_UPDATE_SIZE) {
		if (!arg || arg % 512)
			return -EINVAL;
		arg /= 512;
	}
	if (op == UBLKEV_CMD_QUIESCE_DEV && !arg)
		return -EINVAL;
	err = cmd_connect_to(c);
	ublkev__pace_init(&c->pace, ublkev__clock_ms());
	if (!err)
		err = ublkev__cmdlife_start(&c->life, op, id, arg,
					    cmd_now_ms(c));
	if (err)
		return err;
	c->loop = loop;
	c->thread = ublkev__thread_self();
	c->op = op;
	c->log.id = id;
	memset(&c->answer, 0, sizeof(c->answer));
	c->answer.op = op;
	c->answer.id = id;
	cmd->active = 1;
	ev_cleanup_start(loop, &c->on_destroy);
	ev_io_set(&c->on_fd, c->evfd, EV_READ);
	ev_io_start(loop, &c->on_fd);
	/* sent from the loop: whatever happens, it calls back from there */
	ev_feed_event(loop, &c->on_fd, EV_CUSTOM);
	return 0;
}

void ublkev_cmd_cancel(struct ev_loop *loop, struct ublkev_cmd *cmd)
{
	struct ublkev__cmdrun *c = cmd->priv;

	if (!cmd->active)
		return;
	ublkev__check(c->shell == cmd,
		      "a ublkev_cmd stays where it was initialised");
	ublkev__check(c->thread == ublkev__thread_self() && c->loop == loop,
		      "thread and loop are those of the submit");
	ublkev__cmdlife_cancel(&c->life, cmd_now_ms(c));
	ev_feed_event(loop, &c->on_fd, EV_CUSTOM);
}

void ublkev_cmd_fini(struct ublkev_cmd *cmd)
{
	struct ublkev__cmdrun *c = cmd->priv;
	struct ublkev__alloc mem;

	ublkev__check(!cmd->active,
		      "no command of a ublkev_cmd to fini is under way");
	if (!c)
		return;
	ublkev__check(c->shell == cmd,
		      "a ublkev_cmd stays where it was initialised");
	cmd_let_go(c);
	mem = c->mem;
	ublkev__alloc_free(&mem, c);
	cmd->priv = NULL;
}
