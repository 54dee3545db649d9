/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control commands through ublkev_cmd, a few of which are under way at a time,
 * so that one that waits in the kernel holds up no other. Here the tool waits,
 * in its loop, for all of them or its deadline.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ublk-evctl/ask.h"

/* each has a channel or ring of its own: a few descriptors and pages */
#define PARALLEL 16
/* what the kernel gets for ending a command whose time is up */
#define GRACE_MS 2000

struct slot {
	struct ublkev_cmd cmd;
	struct batch *batch;
	struct ask *ask;	/* under way */
	int init;
};

struct batch {
	struct evctl *t;
	struct ask *v;
	unsigned int n, next, busy;
	struct slot slots[PARALLEL];
};

static int ask_out_of_time(const struct evctl *t)
{
	return t->interrupted ? -ECANCELED : evctl_left(t) > 0 ? 0 :
	       -ETIMEDOUT;
}

/* gives the slot the next command that can be sent */
static void ask_next(struct slot *s)
{
	struct batch *b = s->batch;
	struct ask *a;
	int err;

	while (b->next < b->n) {
		a = &b->v[b->next++];
		err = ask_out_of_time(b->t);
		if (!err) {
			err = ublkev_cmd_submit(b->t->loop, &s->cmd, a->cmd,
						a->id, a->arg);
			a->unsent = err != 0;
		}
		if (!err) {
			s->ask = a;
			b->busy++;
			return;
		}
		a->answer.res = err;
	}
}

static void ask_on_answer(struct ev_loop *loop, struct ublkev_cmd *cmd,
			  const struct ublkev_cmd_answer *answer)
{
	struct slot *s = cmd->data;
	struct batch *b = s->batch;
	int over = ask_out_of_time(b->t);

	s->ask->answer = *answer;
	if (answer->res == -ECANCELED && over)
		s->ask->answer.res = over;
	s->ask = NULL;
	b->busy--;
	ask_next(s);
	if (!b->busy)
		ev_break(loop, EVBREAK_ONE);
}

static int ask_open_slot(struct batch *b, struct slot *s)
{
	struct ublkev_conf conf;
	int err;

	ublkev_conf_init(&conf, sizeof(conf));
	conf.broker = b->t->broker;
	conf.cmd_timeout_ms = (unsigned int)(evctl_left(b->t) * 1000) + 1;
	conf.grace_ms = GRACE_MS;
	err = ublkev_cmd_init(&s->cmd, ask_on_answer, &conf);
	if (err)
		return err;
	s->cmd.data = s;
	s->batch = b;
	s->init = 1;
	return 0;
}

static void ask_cancel(struct batch *b)
{
	unsigned int i;

	for (i = 0; i < PARALLEL; i++)
		if (b->slots[i].ask)
			ublkev_cmd_cancel(b->t->loop, &b->slots[i].cmd);
}

/* until all have answered; they do, a deadline of theirs is above them */
static void ask_wait_for(struct batch *b)
{
	evctl_wait(b->t);
	if (!b->busy)
		return;
	ask_cancel(b);
	while (b->busy)
		ev_run(b->t->loop, 0);
}

void ask_all(struct evctl *t, struct ask *v, unsigned int n)
{
	struct batch b = { .t = t, .v = v, .n = n };
	unsigned int i;
	int err = 0;

	for (i = 0; i < PARALLEL && i < n && !err; i++) {
		err = ask_open_slot(&b, &b.slots[i]);
		if (!err)
			ask_next(&b.slots[i]);
	}
	if (b.busy)
		ask_wait_for(&b);
	/* not even one slot could be made */
	for (; b.next < n; b.next++) {
		v[b.next].answer.res = err;
		v[b.next].unsent = 1;
	}
	for (i = 0; i < PARALLEL; i++)
		if (b.slots[i].init)
			ublkev_cmd_fini(&b.slots[i].cmd);
}

int ask_one(struct evctl *t, struct ask *a, enum ublkev_cmd_op cmd, int id,
	    uint64_t arg)
{
	memset(a, 0, sizeof(*a));
	a->cmd = cmd;
	a->id = id;
	a->arg = arg;
	ask_all(t, a, 1);
	return a->answer.res;
}

/*
 * Whether it is for the door of the driver, which the broker opens, too, and
 * then answers so.
 */
static int ask_is_closed(int err)
{
	return access("/dev/ublk-control", R_OK | W_OK) && err == -errno;
}

int ask_has_no_driver(const struct ask *a)
{
	int err = a->answer.res;

	return (a->unsent || ask_is_closed(err)) &&
	       (err == -ENOENT || err == -ENXIO || err == -ENODEV);
}

static const char *ask_remedy(int err)
{
	switch (err) {
	case -EPERM:
	case -EACCES:
		return geteuid() ? "be root, or its owner" :
		       "ublk-evctl doctor may know";
	case -ETIMEDOUT:
		return "the driver waits for the device's server or its "
		       "users, and goes on when they do";
	default:
		return "ublk-evctl doctor may know";
	}
}

int ask_fail(struct evctl *t, const struct ask *a)
{
	const char *cmd = ublkev_cmd_name(a->cmd), *more;
	int err = a->answer.res;
	int closed = ask_is_closed(err);

	if (a->unsent || closed) {
		more = ublkev_explain(closed ? UBLKEV_STEP_CONTROL :
				      UBLKEV_STEP_SETUP, err);
		return out_fail(t, out_status(err), "%s: %s",
				more ? "no control command can be sent" :
				strerror(-err), more ? more : ask_remedy(err));
	}
	if (err == -ENODEV)
		return out_fail(t, ST_NOT_FOUND, "there is no device %d: "
				"ublk-evctl list shows those that are", a->id);
	if (a->cmd == UBLKEV_CMD_GET_FEATURES)
		return out_fail(t, out_status(err), "%s: %s: %s", cmd,
				out_strerror(err), ask_remedy(err));
	return out_fail(t, out_status(err), "device %d: %s: %s: %s", a->id,
			cmd, out_strerror(err), ask_remedy(err));
}
