/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each word of the control socket does. jsonsock.c brings the lines and
 * sends the answers, which json.c makes; serve.c does what takes longer than an
 * answer.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "ublk-evdemo/app_priv.h"
#include "ublk-evdemo/now.h"
#include "ublk-evdemo/command.h"
#include "ublk-evdemo/disk.h"
#include "ublk-evdemo/json.h"
#include "common/number.h"

static void command_source(const struct app *app, struct json_source *s,
			   struct ublkev_info *info, struct ublkev_stats *stats)
{
	*s = (struct json_source){
		.id = app->live ? app->dev.id : -1,
		.state = ublkev_step_name(app->dev.step),
		.backend = ublkev_backend_name(app->backend),
		.uptime_ms = (now_ns() - app->start_ns) / 1000000,
		.gap_ms = app->gap_ms,
		.lost_writes = ublkev_file_lost_writes(app->backend),
		.opts = &app->opts,
	};
	if (!app->live)
		return;
	if (!ublkev_dev_info(&app->dev, info, sizeof(*info)))
		s->info = info;
	if (!ublkev_dev_stats(&app->dev, stats, sizeof(*stats)))
		s->stats = stats;
}

static void command_do_stats(struct app *app, struct jsonclient *c,
			     const char *args)
{
	struct ublkev_info info;
	struct ublkev_stats stats;
	struct json_source s;

	(void)args;
	command_source(app, &s, &info, &stats);
	jsonclient_answer(c, json_stats(&s), -1);
}

static int command_is_live(const struct app *app)
{
	return app->live && app->dev.step == UBLKEV_STEP_LIVE;
}

/* a successor would find nothing of what its layers have in this process */
static bool command_keeps_disk(const struct app *app, struct jsonclient *c)
{
	if (!app->opts.disk)
		return false;
	jsonclient_answer(c, json_error("a disk of --disk is not handed on: "
					"stop it, and start the other server "
					"then"), -1);
	return true;
}

static void command_do_memory(struct app *app, struct jsonclient *c,
			      const char *args)
{
	struct ublkev_info info;
	struct ublkev_stats stats;
	struct json_source s;

	(void)args;
	command_source(app, &s, &info, &stats);
	if (!command_is_live(app) || !s.info) {
		jsonclient_answer(c, json_error("the device is not live"), -1);
		return;
	}
	if (command_keeps_disk(app, c))
		return;
	jsonclient_answer(c, json_memory(&s), disk_fd(app->backend));
}

static void command_resize(struct app *app, uint64_t bytes, unsigned int flags)
{
	int err = ublkev_dev_resize(app->loop, &app->dev, bytes, flags);

	if (err)
		command_resized(app, err);
}

static void command_do_resize(struct app *app, struct jsonclient *c,
			      const char *args)
{
	char size[32];
	const char *flag = args + strcspn(args, " ");
	uint64_t bytes;

	if ((size_t)(flag - args) < sizeof(size)) {
		memcpy(size, args, (size_t)(flag - args));
		size[flag - args] = '\0';
	} else {
		size[0] = '\0';
	}
	flag += strspn(flag, " ");
	if (number_size(size, &bytes) || (*flag && strcmp(flag, "shrink"))) {
		jsonclient_answer(c, json_error("say: resize SIZE [shrink]"),
				  -1);
		return;
	}
	if (app->resizer) {
		jsonclient_answer(c, json_failure("resize", -EBUSY), -1);
		return;
	}
	app->resizer = c;
	command_resize(app, bytes, *flag ? UBLKEV_RESIZE_SHRINK : 0);
}

void command_resized(struct app *app, int err)
{
	struct ublkev_info info;
	struct ublkev_stats stats;
	struct json_source s;
	struct jsonclient *c = app->resizer;

	app->resizer = NULL;
	command_source(app, &s, &info, &stats);
	if (c)
		jsonclient_answer(c, err || !s.info ?
				  json_failure("resize", err) :
				  json_resized(s.info->dev_bytes), -1);
}

static void command_do_release(struct app *app, struct jsonclient *c,
			       const char *args)
{
	(void)args;
	if (life_is_ending(app))
		jsonclient_answer(c, json_error("it is about to stop"), -1);
	else if (!command_keeps_disk(app, c))
		handover_release(&app->handover, c);
}

static void command_do_done(struct app *app, struct jsonclient *c,
			    const char *args)
{
	(void)args;
	handover_done(&app->handover, c);
}

/* once, however often it is said: the steps further are a signal's */
static void command_do_stop(struct app *app, struct jsonclient *c,
			    const char *args)
{
	(void)args;
	jsonclient_answer(c, json_done("stopping"), -1);
	if (!life_is_ending(app))
		life_end(app);
}

static void command_do_help(struct app *app, struct jsonclient *c,
			    const char *args);

static const struct word {
	const char *name;
	const char *what;
	void (*fn)(struct app *app, struct jsonclient *c, const char *args);
	int has_args;
} words[] = {
	{ "stats", "state, counters, latencies", command_do_stats, 0 },
	{ "resize", "SIZE [shrink]: give the device another size",
	  command_do_resize, 1 },
	{ "memory", "what a successor must know, and the data's descriptor",
	  command_do_memory, 0 },
	{ "release", "leave the device to a successor, until 'done'",
	  command_do_release, 0 },
	{ "done", "the successor serves: end", command_do_done, 0 },
	{ "stop", "end, as SIGTERM does", command_do_stop, 0 },
	{ "help", "this", command_do_help, 0 },
};

#define NR_WORDS (sizeof(words) / sizeof(words[0]))

static void command_do_help(struct app *app, struct jsonclient *c,
			    const char *args)
{
	const char *names[NR_WORDS], *whats[NR_WORDS];
	unsigned int i;

	(void)app;
	(void)args;
	for (i = 0; i < NR_WORDS; i++) {
		names[i] = words[i].name;
		whats[i] = words[i].what;
	}
	jsonclient_answer(c, json_help(names, whats, NR_WORDS), -1);
}

static void command_on_line(void *data, struct jsonclient *c, const char *line)
{
	size_t len = strcspn(line, " ");
	const char *args = line + len + strspn(line + len, " ");
	const struct word *w;

	for (w = words; w < words + NR_WORDS; w++)
		if (strlen(w->name) == len && !strncmp(w->name, line, len) &&
		    !*args == !w->has_args) {
			w->fn(data, c, args);
			return;
		}
	jsonclient_answer(c, json_error("unknown command: try help"), -1);
}

static void command_on_gone(void *data, struct jsonclient *c)
{
	struct app *app = data;

	if (app->resizer == c)
		app->resizer = NULL;
	handover_gone(&app->handover, c);
}

const struct jsonsock_ops command_ops = {
	.line = command_on_line,
	.gone = command_on_gone,
};
