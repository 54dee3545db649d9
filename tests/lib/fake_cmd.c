/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A libublkev without a driver, for the tool: the devices are lines of the
 * file that FAKE_DEVS names, read again for every command, and written when
 * one of them stops, goes or changes its size:
 *
 *	id state pid features tag bytes queues [CMD=errno]...
 *
 * FAKE_FEATURES=bits	what the driver offers (0x1fffff)
 * FAKE_SUBMIT=errno	no command can be sent
 * FAKE_SILENT=CMD	that command is never answered
 * FAKE_DELETED=shell	what happens when a device has gone
 * FAKE_STOPPED=shell	likewise when one has stopped
 */
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ublkev.h>

#define MAX_DEVS 64
#define TAG UINT64_C(0x75626c6b2d657631)

struct fake_dev {
	int id, pid;
	unsigned int state, queues;
	unsigned long long features, tag, bytes;
	char errors[128];
	int gone;
};

struct ublkev__cmdrun {
	struct ublkev_cmd *shell;
	unsigned int timeout_ms;
	ev_timer timer;
	struct ublkev_cmd_answer answer;
	uint64_t arg;
	int canceled;
};

static const char *const cmd_names[] = {
	"GET_FEATURES", "GET_DEV_INFO", "GET_PARAMS", "GET_QUEUE_AFFINITY",
	"STOP_DEV", "TRY_STOP_DEV", "DEL_DEV", "DEL_DEV_ASYNC", "QUIESCE_DEV",
	"UPDATE_SIZE"
};

static const char *const state_names[] = {
	"DEAD", "LIVE", "QUIESCED", "FAIL_IO"
};

const char *ublkev_cmd_name(unsigned int cmd)
{
	return cmd < UBLKEV_NR_CMDS ? cmd_names[cmd] : "?";
}

const char *ublkev_state_name(unsigned int state)
{
	return state < UBLKEV_NR_STATES ? state_names[state] : "?";
}

static unsigned int read_devs(struct fake_dev *v)
{
	const char *path = getenv("FAKE_DEVS");
	FILE *f = path ? fopen(path, "r") : NULL;
	char line[256], state[16];
	unsigned int n = 0;

	while (f && n < MAX_DEVS && fgets(line, sizeof(line), f)) {
		memset(&v[n], 0, sizeof(*v));
		if (sscanf(line, "%d %15s %d %llx %llx %llu %u %127[^\n]",
			   &v[n].id, state, &v[n].pid, &v[n].features,
			   &v[n].tag, &v[n].bytes, &v[n].queues,
			   v[n].errors) < 7)
			continue;
		while (strcmp(state, state_names[v[n].state]))
			v[n].state++;
		n++;
	}
	if (f)
		fclose(f);
	return n;
}

static void write_devs(const struct fake_dev *v, unsigned int n)
{
	FILE *f = fopen(getenv("FAKE_DEVS"), "w");
	unsigned int i;

	for (i = 0; i < n; i++)
		if (!v[i].gone)
			fprintf(f, "%d %s %d %llx %llx %llu %u %s\n", v[i].id,
				state_names[v[i].state], v[i].pid,
				v[i].features, v[i].tag, v[i].bytes,
				v[i].queues, v[i].errors);
	fclose(f);
}

static int planned(const struct fake_dev *d, unsigned int cmd)
{
	char key[32];
	const char *p;

	snprintf(key, sizeof(key), "%s=", cmd_names[cmd]);
	p = strstr(d->errors, key);
	/* STOP_DEV= is the end of TRY_STOP_DEV=, too */
	if (!p || (p > d->errors && p[-1] != ' '))
		return 0;
	return -atoi(p + strlen(key));
}

static void tell_info(const struct fake_dev *d, struct ublkev_cmd_info *i)
{
	memset(i, 0, sizeof(*i));
	i->id = d->id;
	i->pid = d->pid;
	i->state = d->state;
	i->features = d->features;
	i->signature = d->tag;
	i->queues = d->queues;
	i->depth = 128;
	i->max_io_bytes = 512 << 10;
	i->owner_uid = 1000;
	i->owner_gid = 1001;
}

static void tell_params(const struct fake_dev *d, struct ublkev_cmd_params *p)
{
	memset(p, 0, sizeof(*p));
	p->dev_bytes = d->bytes;
	p->logical_block_bytes = p->physical_block_bytes = 512;
	p->flags = UBLKEV_LIMIT_VOLATILE_CACHE;
}

static void obey(struct fake_dev *d, struct ublkev__cmdrun *c)
{
	struct ublkev_cmd_answer *a = &c->answer;

	switch (a->op) {
	case UBLKEV_CMD_GET_DEV_INFO:
		tell_info(d, &a->u.info);
		break;
	case UBLKEV_CMD_GET_PARAMS:
		tell_params(d, &a->u.params);
		break;
	case UBLKEV_CMD_GET_QUEUE_AFFINITY:
		memset(&a->u.cpus, 0, sizeof(a->u.cpus));
		a->u.cpus.bits[0] = c->arg ? 0xf0f0 : 0x1;
		break;
	case UBLKEV_CMD_STOP_DEV:
	case UBLKEV_CMD_TRY_STOP_DEV:
		d->state = UBLKEV_STATE_DEAD;
		break;
	case UBLKEV_CMD_QUIESCE_DEV:
		d->state = UBLKEV_STATE_QUIESCED;
		break;
	case UBLKEV_CMD_UPDATE_SIZE:
		d->bytes = c->arg;
		break;
	default:
		d->gone = 1;
	}
}

static void answer(struct ublkev__cmdrun *c)
{
	struct ublkev_cmd_answer *a = &c->answer;
	struct fake_dev v[MAX_DEVS];
	unsigned int i, n = read_devs(v);
	const char *then = NULL;

	if (a->op == UBLKEV_CMD_GET_FEATURES) {
		a->u.features = getenv("FAKE_FEATURES") ?
			strtoull(getenv("FAKE_FEATURES"), NULL, 0) : 0x1fffff;
		return;
	}
	for (i = 0; i < n && v[i].id != a->id; i++)
		;
	a->res = i == n ? -ENODEV : planned(&v[i], a->op);
	if (a->res)
		return;
	obey(&v[i], c);
	if (a->op >= UBLKEV_CMD_STOP_DEV)
		write_devs(v, n);
	if (a->op == UBLKEV_CMD_STOP_DEV || a->op == UBLKEV_CMD_TRY_STOP_DEV)
		then = getenv("FAKE_STOPPED");
	else if (v[i].gone)
		then = getenv("FAKE_DELETED");
	if (then && system(then))
		a->res = -EIO;
}

static int silent(const struct ublkev__cmdrun *c)
{
	const char *which = getenv("FAKE_SILENT");

	return which && !strcmp(which, cmd_names[c->answer.op]);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct ublkev__cmdrun *c = w->data;
	struct ublkev_cmd_answer a;

	(void)revents;
	if (c->canceled)
		c->answer.res = -ECANCELED;
	else if (silent(c))
		c->answer.res = -ETIMEDOUT;
	else
		answer(c);
	a = c->answer;
	c->shell->active = 0;
	c->shell->cb(loop, c->shell, &a);
}

int ublkev_cmd_init(struct ublkev_cmd *cmd, ublkev_cmd_cb *cb,
		    const struct ublkev_conf *conf)
{
	struct ublkev__cmdrun *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->shell = cmd;
	c->timeout_ms = conf->cmd_timeout_ms + conf->grace_ms;
	ev_timer_init(&c->timer, on_timer, 0., 0.);
	c->timer.data = c;
	cmd->cb = cb;
	cmd->active = 0;
	cmd->priv = c;
	return 0;
}

int ublkev_cmd_submit(struct ev_loop *loop, struct ublkev_cmd *cmd,
		      enum ublkev_cmd_op op, int id, uint64_t arg)
{
	struct ublkev__cmdrun *c = cmd->priv;

	if (getenv("FAKE_SUBMIT"))
		return -atoi(getenv("FAKE_SUBMIT"));
	memset(&c->answer, 0, sizeof(c->answer));
	c->answer.op = op;
	c->answer.id = id;
	c->arg = arg;
	c->canceled = 0;
	cmd->active = 1;
	ev_timer_set(&c->timer, silent(c) ? c->timeout_ms / 1e3 : .001, 0.);
	ev_timer_start(loop, &c->timer);
	return 0;
}

void ublkev_cmd_cancel(struct ev_loop *loop, struct ublkev_cmd *cmd)
{
	struct ublkev__cmdrun *c = cmd->priv;

	c->canceled = 1;
	ev_timer_stop(loop, &c->timer);
	ev_timer_set(&c->timer, .01, 0.);
	ev_timer_start(loop, &c->timer);
}

void ublkev_cmd_fini(struct ublkev_cmd *cmd)
{
	free(cmd->priv);
	cmd->priv = NULL;
}

int ublkev_signature_is_ours(uint64_t tag)
{
	return (tag | 1) == TAG;
}

/* of a fake device whose tag is one less */
int ublkev_signature_keeps_scheduler(uint64_t tag)
{
	return tag == TAG - 1;
}

const char *ublkev_kernel_fault(const char *release)
{
	return strcmp(release, "6.18.4") ? NULL : "ADD_DEV crashes it";
}

void ublkev_conf_init(struct ublkev_conf *conf, size_t size)
{
	memset(conf, 0, size);
	conf->size = size;
}

const char *ublkev_feature_name(unsigned int bit)
{
	return bit == 3 ? "USER_RECOVERY" : bit == 7 ? "USER_COPY" : NULL;
}

const char *ublkev_explain(enum ublkev_step step, int err)
{
	return step == UBLKEV_STEP_CONTROL && err == -ENOENT ?
	       "load the module" : step == UBLKEV_STEP_SETUP &&
	       err == -EPERM ? "io_uring is disabled" : NULL;
}
