/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evctl.c - control commands to devices of others, in a loop
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <ev.h>
#include <ublkev.h>

#include "core/core_cmd.h"
#include "core/core_params.h"
#include "ev/clock.h"
#include "ev/evdev.h"
#include "uring/control.h"
#include "util/check.h"
#include "util/log.h"
#include "util/mem.h"

struct ublkev__ctlcmd {
	struct ublkev_ctl *ctl;
	struct ublkev__mem mem;
	struct ublkev__log log;
	struct ublkev_broker *broker;
	struct ublkev__cmdlife life;
	/* from the first submit on, but not after a command that was lost */
	struct ublkev__control *control;
	int evfd;
	/* while a command is under way */
	struct ev_loop *loop;
	struct ev_io on_fd;
	struct ev_timer on_deadline;
	enum ublkev_ctl_cmd cmd;
	struct ublkev_ctl_answer answer;
};

/* ---- answers -------------------------------------------------------------- */

static void put_info(struct ublkev_ctl_info *to,
		     const struct ublkev__devinfo *from)
{
	*to = (struct ublkev_ctl_info){
		.features = from->features,
		.tag = from->tag,
		.max_io_bytes = from->max_io_bytes,
		.owner_uid = from->owner_uid,
		.owner_gid = from->owner_gid,
		.id = from->id,
		.pid = from->pid,
		.state = from->state,
		.queues = from->queues,
		.depth = from->depth,
	};
}

static void put_answer(struct ublkev__ctlcmd *c,
		       const struct ublkev__control_done *done)
{
	switch (done->cmd) {
	case UBLKEV__CMD_GET_FEATURES:
		c->answer.u.features = done->answer.features;
		break;
	case UBLKEV__CMD_GET_PARAMS:
		ublkev__params_tell(&done->params, &c->answer.u.params);
		break;
	case UBLKEV__CMD_GET_QUEUE_AFFINITY:
		c->answer.u.cpus = done->cpus;
		break;
	default:
		break;
	}
}

static void let_go(struct ublkev__ctlcmd *c)
{
	if (ublkev__control_free(c->control))
		ublkev__log(&c->log, LOG_WARNING,
			    "%s never returned: its memory is left to the kernel",
			    ublkev_ctl_cmd_name(c->cmd));
	c->control = NULL;
	if (c->evfd >= 0)
		close(c->evfd);
	c->evfd = -1;
}

static void end(struct ublkev__ctlcmd *c, bool lost)
{
	struct ublkev_ctl_answer answer = c->answer;
	struct ublkev_ctl *ctl = c->ctl;
	struct ev_loop *loop = c->loop;

	ev_io_stop(loop, &c->on_fd);
	ev_timer_stop(loop, &c->on_deadline);
	answer.res = c->life.res;
	if (!answer.res && c->cmd == UBLKEV_CTL_GET_DEV_INFO)
		put_info(&answer.u.info, &c->life.info);
	if (lost)
		let_go(c);
	ctl->active = 0;
	ctl->cb(loop, ctl, &answer);
}

/* ---- the life of a command -------------------------------------------------- */

static void submit(struct ublkev__ctlcmd *c)
{
	struct ublkev__control_req req = {
		.cmd = c->life.pending,
		.info = c->life.info,
		.data = c->life.arg,
	};
	struct ublkev__ctl_answer failed = { 0 };

	failed.res = ublkev__control_submit(c->control, &req);
	if (failed.res)
		ublkev__cmd_done(&c->life, req.cmd, &failed,
				 ublkev__clock_ms());
}

static void set_deadline(struct ublkev__ctlcmd *c)
{
	uint64_t now_ms = ublkev__clock_ms();
	uint64_t at_ms = c->life.deadline_ms;

	ev_timer_stop(c->loop, &c->on_deadline);
	ev_now_update(c->loop);
	ev_timer_set(&c->on_deadline,
		     at_ms > now_ms ? (double)(at_ms - now_ms) / 1000. : 0.,
		     0.);
	ev_timer_start(c->loop, &c->on_deadline);
}

/* the callback, which may free c, comes last */
static void go_on(struct ublkev__ctlcmd *c)
{
	enum ublkev__cmd_act act;

	while ((act = ublkev__cmd_next(&c->life)) != UBLKEV__CMD_ACT_NONE) {
		switch (act) {
		case UBLKEV__CMD_ACT_SEND:
			submit(c);
			break;
		case UBLKEV__CMD_ACT_CANCEL:
			ublkev__control_cancel(c->control);
			break;
		default:
			end(c, act == UBLKEV__CMD_ACT_LOSE);
			return;
		}
	}
	set_deadline(c);
}

static void fd_cb(struct ev_loop *loop, struct ev_io *w, int revents)
{
	struct ublkev__ctlcmd *c = w->data;
	struct ublkev__control_done done;
	uint64_t count;

	(void)loop;
	(void)revents;
	if (read(c->evfd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	while (ublkev__control_reap(c->control, &done)) {
		if (done.answer.res >= 0)
			put_answer(c, &done);
		ublkev__cmd_done(&c->life, done.cmd, &done.answer,
				 ublkev__clock_ms());
	}
	go_on(c);
}

static void deadline_cb(struct ev_loop *loop, struct ev_timer *w, int revents)
{
	struct ublkev__ctlcmd *c = w->data;

	(void)loop;
	(void)revents;
	ublkev__cmd_tick(&c->life, ublkev__clock_ms());
	go_on(c);
}

/* ---- public ----------------------------------------------------------------- */

int ublkev_ctl_init(struct ublkev_ctl *ctl, ublkev_ctl_cb *cb,
		    const struct ublkev_conf *conf)
{
	struct ublkev_conf full;
	struct ublkev__ctlcmd *c;
	struct ublkev__mem mem;
	int err;

	err = ublkev__conf_take(&full, conf);
	if (err)
		return err;
	ublkev__mem_init(&mem, full.alloc, full.alloc_data);
	c = ublkev__mem_zalloc(&mem, 1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->ctl = ctl;
	c->mem = mem;
	c->log.fn = full.log;
	c->log.data = full.log_data;
	c->broker = full.broker;
	c->life.cmd_timeout_ms = full.cmd_timeout_ms;
	c->life.grace_ms = full.grace_ms;
	c->evfd = -1;
	ev_init(&c->on_fd, fd_cb);
	ev_init(&c->on_deadline, deadline_cb);
	c->on_fd.data = c;
	c->on_deadline.data = c;
	ctl->cb = cb;
	ctl->active = 0;
	ctl->priv = c;
	return 0;
}

static int connect_to(struct ublkev__ctlcmd *c)
{
	int err;

	if (c->control)
		return 0;
	c->evfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->evfd < 0)
		return -errno;
	err = ublkev__control_new(&c->control, &c->mem, c->evfd, c->broker);
	if (!err)
		err = ublkev__control_open(c->control);
	if (err)
		let_go(c);
	return err;
}

int ublkev_ctl_submit(struct ev_loop *loop, struct ublkev_ctl *ctl,
		      enum ublkev_ctl_cmd cmd, int id, uint64_t arg)
{
	struct ublkev__ctlcmd *c = ctl->priv;
	int err;

	if (ctl->active)
		return -EBUSY;
	if (cmd == UBLKEV_CTL_UPDATE_SIZE) {
		if (!arg || arg % 512)
			return -EINVAL;
		arg /= 512;
	}
	if (cmd == UBLKEV_CTL_QUIESCE_DEV && !arg)
		return -EINVAL;
	err = connect_to(c);
	if (!err)
		err = ublkev__cmd_start(&c->life, cmd, id, arg,
					ublkev__clock_ms());
	if (err)
		return err;
	c->loop = loop;
	c->cmd = cmd;
	c->log.id = id;
	memset(&c->answer, 0, sizeof(c->answer));
	c->answer.cmd = cmd;
	c->answer.id = id;
	ctl->active = 1;
	ev_io_set(&c->on_fd, c->evfd, EV_READ);
	ev_io_start(loop, &c->on_fd);
	/* sent from the loop: whatever happens, it calls back from there */
	ev_feed_event(loop, &c->on_fd, EV_CUSTOM);
	return 0;
}

void ublkev_ctl_cancel(struct ev_loop *loop, struct ublkev_ctl *ctl)
{
	struct ublkev__ctlcmd *c = ctl->priv;

	if (!ctl->active)
		return;
	ublkev__cmd_cancel(&c->life, ublkev__clock_ms());
	ev_feed_event(loop, &c->on_fd, EV_CUSTOM);
}

void ublkev_ctl_fini(struct ublkev_ctl *ctl)
{
	struct ublkev__ctlcmd *c = ctl->priv;
	struct ublkev__mem mem;

	ublkev__check(!ctl->active, "no command of a ctl to fini is under way");
	if (!c)
		return;
	let_go(c);
	mem = c->mem;
	ublkev__mem_free(&mem, c);
	ctl->priv = NULL;
}
