/* SPDX-License-Identifier: BSD-2-Clause */
/* recover and upgrade: another ublk-evdemo serves the device on */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ublk-evctl/ask.h"
#include "ublk-evctl/child.h"
#include "ublk-evctl/device.h"
#include "ublk-evctl/server.h"

/* what the new server is told of the device, as "--size=4096"; "": nothing */
struct shape {
	char size[40];
	char block[40];
};

/* program, what to do, of what, --daemon, the shape, the rest, NULL */
static char **succeed_arguments(struct evctl *t, const char *program,
				const char *what, const char *of,
				struct shape *shape)
{
	char *const *rest = t->opts->rest;
	size_t n = 0, at = 4;
	char **v;

	while (rest[n])
		n++;
	v = calloc(n + 7, sizeof(*v));
	if (!v)
		return NULL;
	v[0] = (char *)(uintptr_t)(t->opts->program ? t->opts->program :
				   program);
	v[1] = (char *)(uintptr_t)what;
	v[2] = (char *)(uintptr_t)of;
	v[3] = (char *)(uintptr_t)"--daemon";
	/* before the rest: of an option given twice the last one counts */
	if (shape->size[0])
		v[at++] = shape->size;
	if (shape->block[0])
		v[at++] = shape->block;
	memcpy(v + at, rest, n * sizeof(*v));
	return v;
}

/* the last line is what it ended with; without its own name and the \n */
static const char *succeed_last_line(char *text)
{
	static const char name[] = "ublk-evdemo: ";
	char *end = text + strlen(text), *line;

	while (end > text && end[-1] == '\n')
		*--end = '\0';
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	return strncmp(line, name, sizeof(name) - 1) ? line :
	       line + sizeof(name) - 1;
}

static int succeed_report(struct evctl *t, const char *program,
			  struct child_end *end)
{
	const char *line;

	if (end->status == 0 && end->out[0])
		return ST_OK;
	line = succeed_last_line(end->err);
	if (end->late)
		return out_fail(t, ST_TIMEOUT, "device %d: %s did not make it "
				"in %u s, and was told to end: %s",
				t->opts->id, program, t->opts->timeout_s,
				*line ? line : "it did not say why");
	return out_fail(t, end->status == 127 ? ST_NOT_FOUND : ST_FAILED,
			"device %d: %s", t->opts->id, *line ? line :
			"ublk-evdemo ended without a word");
}

static int succeed_run(struct evctl *t, const char *program, const char *what,
		       const char *of, struct shape *shape,
		       struct child_end *end)
{
	char **argv = succeed_arguments(t, program, what, of, shape);
	int err, status;

	if (!argv)
		return out_fail(t, ST_FAILED, "no memory");
	err = child_run(t, argv, end);
	status = err ? out_fail(t, ST_FAILED, "%s: %s", argv[0],
				strerror(-err)) :
		       succeed_report(t, argv[0], end);
	free(argv);
	return status;
}

static int succeed_can_recover(struct evctl *t, const struct dev *d)
{
	if (!(d->info.features & DEV_F_USER_RECOVERY))
		return out_fail(t, ST_ABSENT, "device %d was made without "
				"recovery: it can only be deleted", d->id);
	if (d->info.state == UBLKEV_STATE_DEAD)
		return out_fail(t, ST_FAILED, "device %d is stopped: it can "
				"only be deleted", d->id);
	if (d->server == DEV_SERVER_ALIVE && !dev_is_recoverable(d))
		return out_fail(t, ST_BUSY, "device %d has a server, pid %d: "
				"upgrade %d replaces it", d->id, d->pid,
				d->id);
	return ST_OK;
}

/*
 * A disk that keeps nothing cannot tell its size: the driver can. That of a
 * file of data is the file's.
 */
static void succeed_shape(struct shape *shape, char *const *rest,
			  const struct dev *d)
{
	int null = 0;

	for (; *rest; rest++)
		null |= !strcmp(*rest, "--backend=null") ||
			(!strcmp(*rest, "--backend") && rest[1] &&
			 !strcmp(rest[1], "null"));
	if (!null || d->params_err)
		return;
	snprintf(shape->size, sizeof(shape->size), "--size=%llu",
		 (unsigned long long)d->params.dev_bytes);
	snprintf(shape->block, sizeof(shape->block), "--block-size=%u",
		 d->params.logical_block_bytes);
}

int cmd_recover(struct evctl *t, const char *program)
{
	struct shape shape = { "", "" };
	struct child_end end;
	struct devs d;
	char id[16];
	int status;

	status = devs_load_one(t, &d, 0);
	if (status)
		return status;
	status = succeed_can_recover(t, d.v);
	succeed_shape(&shape, t->opts->rest, d.v);
	devs_free(&d);
	snprintf(id, sizeof(id), "%d", t->opts->id);
	if (!status)
		status = succeed_run(t, program, "--recover", id, &shape, &end);
	if (status)
		return status;
	out_set(t, "id", json_integer(t->opts->id));
	out_say(t, "device %d: served again\n", t->opts->id);
	return ST_OK;
}

/* "... 12.3 ms ..."; -1: it says none */
static double succeed_gap_ms(const char *text)
{
	const char *p = strstr(text, " ms");
	double ms;

	while (p && p > text && strchr("0123456789.", p[-1]))
		p--;
	return p && sscanf(p, "%lf", &ms) == 1 ? ms : -1;
}

int cmd_upgrade(struct evctl *t, const char *program)
{
	struct shape none = { "", "" };
	struct child_end end;
	char path[PATH_MAX];
	int status;
	double ms;

	status = server_path(t, path, sizeof(path));
	if (status)
		return server_nowhere(t, status);
	status = server_check(t, "upgrade takes over from a ublk-evdemo that "
			      "listens");
	if (status)
		return status;
	status = succeed_run(t, program, "--take-over", path, &none, &end);
	if (status)
		return status;
	ms = succeed_gap_ms(end.err);
	out_set(t, "id", json_integer(t->opts->id));
	out_set(t, "gap_ms", ms < 0 ? json_null() : json_real(ms));
	if (ms < 0)
		out_say(t, "device %d: taken over\n", t->opts->id);
	else
		out_say(t, "device %d: taken over, its clients waited %.1f "
			"ms\n", t->opts->id, ms);
	return ST_OK;
}
