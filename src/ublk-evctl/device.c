/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds devices in /sys and asks the driver about each; who serves one is
 * read from /proc, what its disk is like from /sys.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ublk-evctl/ask.h"
#include "ublk-evctl/device.h"
#include "ublk-evctl/held.h"
#include "ublk-evctl/procs.h"

static int device_add(struct devs *d, int id)
{
	struct dev *v = realloc(d->v, (d->nr + 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	d->v = v;
	memset(&v[d->nr], 0, sizeof(*v));
	v[d->nr].held = -1;
	v[d->nr++].id = id;
	return 0;
}

static int device_by_id(const void *a, const void *b)
{
	return ((const struct dev *)a)->id - ((const struct dev *)b)->id;
}

/* ublkcN of a directory; -ENOENT: there is none */
static int device_read_dir(struct devs *d, const char *root, const char *name)
{
	char path[PATH_MAX];
	struct dirent *e;
	int id, end, err = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!err && (e = readdir(dir))) {
		end = 0;
		if (sscanf(e->d_name, "ublkc%d%n", &id, &end) == 1 &&
		    !e->d_name[end] && id >= 0)
			err = device_add(d, id);
	}
	closedir(dir);
	return err;
}

int devs_find(struct devs *d, const char *root, int id)
{
	int err;

	memset(d, 0, sizeof(*d));
	if (id >= 0)
		return device_add(d, id);
	err = device_read_dir(d, root, "sys/class/ublk-char");
	/* a container may have no such class to show */
	if (err == -ENOENT)
		err = device_read_dir(d, root, "dev");
	if (err == -ENOENT)
		err = 0;
	if (d->nr)
		qsort(d->v, d->nr, sizeof(*d->v), device_by_id);
	return err;
}

int devs_find_fail(struct evctl *t, int err)
{
	return out_fail(t, out_status(err), "the list of devices: %s: %s",
			out_strerror(err), err == -EMFILE ?
			"raise ulimit -n" : err == -ENFILE ?
			"raise fs.file-max" : "see /sys/class/ublk-char");
}

int devs_driver(struct evctl *t, const struct devs *d)
{
	struct ask a;

	if (d->nr || !ask_one(t, &a, UBLKEV_CMD_GET_FEATURES, 0, 0) ||
	    !ask_has_no_driver(&a))
		return ST_OK;
	return ask_fail(t, &a);
}

void devs_free(struct devs *d)
{
	free(d->v);
	memset(d, 0, sizeof(*d));
}

static void device_has_opened(void *data, int id, int pid)
{
	struct devs *d = data;
	unsigned int i;

	for (i = 0; i < d->nr; i++)
		if (d->v[i].id == id)
			d->v[i].pid = pid;
}

/*
 * A server has /dev/ublkcN open: also while it brings the device up, when the
 * driver knows of none, and not when the pid that the driver remembers is
 * somebody else's by now. Who may not look has to believe the driver.
 */
static enum dev_server device_server(const struct dev *d, const char *root,
				     int blind)
{
	int live = d->info.state == UBLKEV_STATE_LIVE;

	if (d->pid || (live && procs_alive(root, d->info.pid)))
		return DEV_SERVER_ALIVE;
	if (blind)
		return DEV_SERVER_UNKNOWN;
	return live ? DEV_SERVER_DEAD : DEV_SERVER_NONE;
}

void devs_servers(struct devs *d, const char *root)
{
	struct dev *v;
	int blind;

	blind = procs_servers(root, device_has_opened, d);
	for (v = d->v; v < d->v + d->nr; v++) {
		if (v->err)
			continue;
		v->server = device_server(v, root, blind);
		if (!v->pid && v->server == DEV_SERVER_ALIVE)
			v->pid = v->info.pid;
		if (v->pid)
			procs_comm(root, v->pid, v->comm, sizeof(v->comm));
	}
}

/* the same command about each; to be freed, NULL: no memory */
static struct ask *device_ask_each(struct evctl *t, const struct devs *d,
				   enum ublkev_cmd_op cmd)
{
	struct ask *v = calloc(d->nr + 1, sizeof(*v));
	unsigned int i;

	for (i = 0; v && i < d->nr; i++) {
		v[i].cmd = cmd;
		v[i].id = d->v[i].id;
	}
	if (v)
		ask_all(t, v, d->nr);
	return v;
}

static void device_load_info(struct evctl *t, struct devs *d)
{
	struct ask *v = device_ask_each(t, d, UBLKEV_CMD_GET_DEV_INFO);
	unsigned int i;

	for (i = 0; i < d->nr; i++) {
		d->v[i].err = v ? v[i].answer.res : -ENOMEM;
		if (d->v[i].err)
			d->v[i].unsent = v && v[i].unsent;
		else
			d->v[i].info = v[i].answer.u.info;
	}
	free(v);
}

/*
 * GET_PARAMS waits for a device that is being stopped, as long as that
 * takes: no reason to tell nothing of it.
 */
static void device_load_params(struct evctl *t, struct devs *d)
{
	double deadline = t->deadline;
	unsigned int i;
	struct ask *v;

	t->deadline = evctl_now() + evctl_left(t) / 4;
	v = device_ask_each(t, d, UBLKEV_CMD_GET_PARAMS);
	t->deadline = deadline;
	for (i = 0; i < d->nr; i++) {
		d->v[i].params_err = v ? v[i].answer.res : -ENOMEM;
		if (!d->v[i].params_err)
			d->v[i].params = v[i].answer.u.params;
	}
	free(v);
}

/* "[mq-deadline] none", or without a choice "none" (elv_iosched_show()) */
void dev_read_scheduler(struct dev *d, const char *root)
{
	char line[256], *name, *end;

	d->scheduler[0] = '\0';
	if (procs_line(line, sizeof(line), root,
		       "sys/block/ublkb%d/queue/scheduler", d->id))
		return;
	name = strchr(line, '[');
	name = name ? name + 1 : line;
	end = name + strcspn(name, "] ");
	*end = '\0';
	snprintf(d->scheduler, sizeof(d->scheduler), "%.23s", name);
}

void devs_load(struct evctl *t, struct devs *d, int held)
{
	struct dev *v;

	device_load_info(t, d);
	device_load_params(t, d);
	devs_servers(d, t->opts->root);
	for (v = d->v; v < d->v + d->nr; v++)
		dev_read_scheduler(v, t->opts->root);
	for (v = d->v; held && v < d->v + d->nr; v++)
		if (!v->err)
			v->held = held_now(t, v->id);
}

int dev_fail(struct evctl *t, const struct dev *d)
{
	struct ask a = {
		.cmd = UBLKEV_CMD_GET_DEV_INFO,
		.id = d->id,
		.answer.res = d->err,
		.unsent = d->unsent,
	};

	return ask_fail(t, &a);
}

int devs_load_one(struct evctl *t, struct devs *d, int held)
{
	int status;

	if (devs_find(d, t->opts->root, t->opts->id))
		return out_fail(t, ST_FAILED, "no memory");
	devs_load(t, d, held);
	if (!d->v->err)
		return ST_OK;
	status = dev_fail(t, d->v);
	devs_free(d);
	return status;
}

int dev_is_orphan(const struct dev *d)
{
	return !d->err && (d->server == DEV_SERVER_NONE ||
			   d->server == DEV_SERVER_DEAD);
}

int dev_is_recoverable(const struct dev *d)
{
	return d->info.state == UBLKEV_STATE_QUIESCED ||
	       d->info.state == UBLKEV_STATE_FAIL_IO;
}

const char *dev_recovery_name(uint64_t features)
{
	if (!(features & DEV_F_USER_RECOVERY))
		return "none";
	if (features & DEV_F_USER_RECOVERY_FAIL_IO)
		return "fail-io";
	return features & DEV_F_USER_RECOVERY_REISSUE ? "reissue" : "requeue";
}
