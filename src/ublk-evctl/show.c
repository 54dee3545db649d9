/* SPDX-License-Identifier: BSD-2-Clause */
/* list, info, features, affinity, owner, scheduler: what the driver knows */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ublk-evctl/ask.h"
#include "ublk-evctl/device.h"
#include "ublk-evctl/show.h"
#include "ublk-evctl/text.h"
#include "common/escape.h"

#define SERVER_TEXT 160

static const char *show_server_text(char buf[SERVER_TEXT],
				    const struct dev *d)
{
	char comm[ESCAPE_SIZE(sizeof(d->comm))];

	switch (d->server) {
	case DEV_SERVER_ALIVE:
		snprintf(buf, SERVER_TEXT, "%d %s", d->pid,
			 escape_text(comm, sizeof(comm), d->comm));
		break;
	case DEV_SERVER_DEAD:
		snprintf(buf, SERVER_TEXT, "%d (dead)", d->info.pid);
		break;
	case DEV_SERVER_NONE:
		return "none";
	default:
		return "?";
	}
	return buf;
}

static const char *show_owner_text(char buf[64], const struct dev *d)
{
	struct passwd *pw;

	if (!(d->info.features & DEV_F_UNPRIVILEGED))
		return "root";
	pw = getpwuid(d->info.owner_uid);
	if (pw)
		snprintf(buf, 64, "%.63s", pw->pw_name);
	else
		snprintf(buf, 64, "%" PRIu32, d->info.owner_uid);
	return buf;
}

static const char *show_held_text(const struct dev *d)
{
	return d->held < 0 ? "?" : d->held ? "yes" : "no";
}

static void show_row(struct table *tab, const struct dev *d)
{
	char buf[SERVER_TEXT], size[16];

	table_cell(tab, "%d", d->id);
	table_cell(tab, "%s", ublkev_state_name(d->info.state));
	table_cell(tab, "%s", d->params_err ? "?" :
		   text_bytes(size, d->params.dev_bytes));
	table_cell(tab, "%ux%u", d->info.queues, d->info.depth);
	table_cell(tab, "%s", show_server_text(buf, d));
	table_cell(tab, "%s", show_owner_text(buf, d));
	table_cell(tab, "%s", dev_recovery_name(d->info.features));
	table_cell(tab, "%s", show_held_text(d));
}

static void show_bad_row(struct table *tab, const struct dev *d)
{
	int i;

	table_cell(tab, "%d", d->id);
	table_cell(tab, "?");
	table_cell(tab, "?");
	table_cell(tab, "?");
	table_cell(tab, "(%s)", out_strerror(d->err));
	for (i = 0; i < 3; i++)
		table_cell(tab, "?");
}

void show_table(struct evctl *t, const struct devs *d,
		int (*wanted)(const struct evctl *t, const struct dev *d))
{
	static const char *const heads[] = {
		"ID", "STATE", "SIZE", "QUEUES", "SERVER", "OWNER",
		"RECOVERY", "HELD"
	};
	json_t *list = json_array();
	const struct dev *v;
	struct table tab;
	unsigned int i;

	table_init(&tab, 8);
	for (i = 0; i < 8; i++)
		table_cell(&tab, "%s", heads[i]);
	for (v = d->v; v < d->v + d->nr; v++) {
		if (!wanted(t, v))
			continue;
		json_array_append_new(list, dev_json(v));
		if (v->err)
			show_bad_row(&tab, v);
		else
			show_row(&tab, v);
	}
	out_set(t, "devices", list);
	if (!t->top && tab.nr > 8 && !tab.failed)
		table_print(&tab, stdout);
	table_fini(&tab);
}

/* a device that went while we looked is not there */
static int show_is_there(const struct evctl *t, const struct dev *d)
{
	(void)t;
	return d->err != -ENODEV;
}

int cmd_list(struct evctl *t)
{
	int status = ST_OK, err;
	unsigned int i;
	struct devs d;

	err = devs_find(&d, t->opts->root, -1);
	if (err)
		return devs_find_fail(t, err);
	devs_load(t, &d, 1);
	show_table(t, &d, show_is_there);
	status = devs_driver(t, &d);
	for (i = 0; i < d.nr && !status; i++)
		if (d.v[i].err && show_is_there(t, &d.v[i]))
			status = dev_fail(t, &d.v[i]);
	devs_free(&d);
	return status;
}

static void show_say_features(struct evctl *t, const char *head, uint64_t bits)
{
	const char *name;
	unsigned int b;

	out_say(t, "%s", head);
	for (b = 0; b < 64; b++) {
		if (!(bits >> b & 1))
			continue;
		name = ublkev_feature_name(b);
		if (name)
			out_say(t, " %s", name);
		else
			out_say(t, " BIT_%u", b);
	}
	out_say(t, "\n");
}

static void show_say_params(struct evctl *t, const struct ublkev_cmd_params *p)
{
	out_say(t, "size:      %" PRIu64 " bytes\n", p->dev_bytes);
	out_say(t, "block:     %" PRIu32 " bytes, physical %" PRIu32
		", I/O min %" PRIu32 ", opt %" PRIu32 ", max %" PRIu32 "\n",
		p->logical_block_bytes, p->physical_block_bytes,
		p->io_min_bytes, p->io_opt_bytes, p->max_io_bytes);
	out_say(t, "discard:   %" PRIu64 " bytes at most, granularity %" PRIu32
		"; write zeroes: %" PRIu64 "\n", p->max_discard_bytes,
		p->discard_granularity_bytes, p->max_write_zeroes_bytes);
	out_say(t, "kind:      %s%s%s%s\n",
		p->flags & UBLKEV_LIMIT_READ_ONLY ? "read-only" : "writable",
		p->flags & UBLKEV_LIMIT_ROTATIONAL ? ", rotational" : "",
		p->flags & UBLKEV_LIMIT_VOLATILE_CACHE ? ", cached" : "",
		p->flags & UBLKEV_LIMIT_FUA ? ", FUA" : "");
}

int cmd_info(struct evctl *t)
{
	const struct dev *v;
	char buf[SERVER_TEXT];
	struct devs d;
	int status;

	status = devs_load_one(t, &d, 1);
	if (status)
		return status;
	v = d.v;
	out_set(t, "device", dev_json(v));
	out_say(t, "device:    /dev/ublkb%d\nstate:     %s%s\n", v->id,
		ublkev_state_name(v->info.state),
		dev_is_orphan(v) ? ", without a server" : "");
	out_say(t, "server:    %s%s\n", show_server_text(buf, v),
		ublkev_signature_is_ours(v->info.signature) ?
		", made by ublk-ev" :
		"");
	out_say(t, "owner:     %s\n", show_owner_text(buf, v));
	out_say(t, "queues:    %u of %u requests\n", v->info.queues,
		v->info.depth);
	if (!v->params_err)
		show_say_params(t, &v->params);
	out_say(t, "recovery:  %s\nheld:      %s\n",
		dev_recovery_name(v->info.features), show_held_text(v));
	if (v->scheduler[0])
		out_say(t, "scheduler: %s%s\n", v->scheduler,
			strcmp(v->scheduler, "none") ? " (none is faster)" :
			"");
	show_say_features(t, "features: ", v->info.features);
	devs_free(&d);
	return ST_OK;
}

int cmd_features(struct evctl *t)
{
	unsigned int b;
	struct ask a;
	uint64_t bits;

	if (ask_one(t, &a, UBLKEV_CMD_GET_FEATURES, 0, 0))
		return ask_fail(t, &a);
	bits = a.answer.u.features;
	out_set(t, "bits", json_integer((json_int_t)(bits & INT64_MAX)));
	out_set(t, "features", dev_features_json(bits));
	for (b = 0; b < 64; b++) {
		if (ublkev_feature_name(b))
			out_say(t, "%-22s %s\n", ublkev_feature_name(b),
				bits >> b & 1 ? "yes" : "no");
		else if (bits >> b & 1)
			out_say(t, "BIT_%-18u yes\n", b);
	}
	return ST_OK;
}

static int show_ask_queues(struct evctl *t, int id, unsigned int queues)
{
	struct ask *v = calloc(queues + 1, sizeof(*v));
	json_t *list = json_array();
	unsigned int q;
	char cpus[4096];
	int status = v ? ST_OK : out_fail(t, ST_FAILED, "no memory");

	for (q = 0; v && q < queues; q++) {
		v[q].cmd = UBLKEV_CMD_GET_QUEUE_AFFINITY;
		v[q].id = id;
		v[q].arg = q;
	}
	if (v)
		ask_all(t, v, queues);
	for (q = 0; !status && q < queues; q++) {
		if (v[q].answer.res) {
			status = ask_fail(t, &v[q]);
			break;
		}
		text_cpus(cpus, sizeof(cpus), &v[q].answer.u.cpus);
		out_say(t, "%u: %s\n", q, cpus);
		json_array_append_new(list, json_pack("{s:i, s:s}", "queue",
						      q, "cpus", cpus));
	}
	out_set(t, "queues", list);
	free(v);
	return status;
}

int cmd_affinity(struct evctl *t)
{
	struct ask a;

	if (ask_one(t, &a, UBLKEV_CMD_GET_DEV_INFO, t->opts->id, 0))
		return ask_fail(t, &a);
	out_set(t, "id", json_integer(t->opts->id));
	return show_ask_queues(t, t->opts->id, a.answer.u.info.queues);
}

int cmd_owner(struct evctl *t)
{
	const struct ublkev_cmd_info *i;
	struct ask a;

	if (ask_one(t, &a, UBLKEV_CMD_GET_DEV_INFO, t->opts->id, 0))
		return ask_fail(t, &a);
	i = &a.answer.u.info;
	if (!(i->features & DEV_F_UNPRIVILEGED))
		return out_fail(t, ST_FAILED, "device %d is root's, and no "
				"ordinary user's: nobody is to be given it",
				t->opts->id);
	out_set(t, "uid", json_integer(i->owner_uid));
	out_set(t, "gid", json_integer(i->owner_gid));
	out_say(t, "%" PRIu32 " %" PRIu32 "\n", i->owner_uid, i->owner_gid);
	return ST_OK;
}

/* a word, and no status, which would say as much of a device that is gone */
int cmd_scheduler(struct evctl *t)
{
	struct ask a;
	int kept;

	if (ask_one(t, &a, UBLKEV_CMD_GET_DEV_INFO, t->opts->id, 0))
		return ask_fail(t, &a);
	kept = ublkev_signature_keeps_scheduler(a.answer.u.info.signature);
	out_set(t, "kept", json_boolean(kept));
	out_say(t, "%s\n", kept ? "kept" : "none");
	return ST_OK;
}
