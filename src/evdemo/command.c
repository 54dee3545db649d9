/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "evdemo/app_priv.h"
#include "evdemo/clock.h"
#include "evdemo/command.h"
#include "evdemo/json.h"
#include "tool/number.h"

static void source(const struct app *app, struct json_source *s,
		   struct ublkev_info *info, struct ublkev_stats *stats)
{
	*s = (struct json_source){
		.id = app->live ? app->dev.id : -1,
		.state = ublkev_step_name(app->dev.step),
		.backend = ublkev_backend_name(app->backend),
		.uptime_ms = (now_ns() - app->start_ns) / 1000000,
		.gap_ms = app->gap_ms,
		.opts = &app->opts,
	};
	if (!app->live)
		return;
	if (!ublkev_dev_info(&app->dev, info, sizeof(*info)))
		s->info = info;
	if (!ublkev_dev_stats(&app->dev, stats, sizeof(*stats)))
		s->stats = stats;
}

static void do_stats(struct app *app, struct ctlclient *c, const char *args)
{
	struct ublkev_info info;
	struct ublkev_stats stats;
	struct json_source s;

	(void)args;
	source(app, &s, &info, &stats);
	ctlclient_answer(c, json_stats(&s), -1);
}

static int is_live(const struct app *app)
{
	return app->live && app->dev.step == UBLKEV_STEP_LIVE;
}

static void do_memory(struct app *app, struct ctlclient *c, const char *args)
{
	struct ublkev_info info;
	struct ublkev_stats stats;
	struct json_source s;

	(void)args;
	source(app, &s, &info, &stats);
	if (!is_live(app) || !s.info) {
		ctlclient_answer(c, json_error("the device is not live"), -1);
		return;
	}
	ctlclient_answer(c, json_memory(&s), ublkev_mem_fd(app->backend));
}

static void do_resize(struct app *app, struct ctlclient *c, const char *args)
{
	char size[32];
	const char *flag = args + strcspn(args, " ");
	uint64_t bytes;
	int err;

	if ((size_t)(flag - args) < sizeof(size)) {
		memcpy(size, args, (size_t)(flag - args));
		size[flag - args] = '\0';
	} else {
		size[0] = '\0';
	}
	flag += strspn(flag, " ");
	if (number_size(size, &bytes) || (*flag && strcmp(flag, "shrink"))) {
		ctlclient_answer(c, json_error("say: resize SIZE [shrink]"),
				 -1);
		return;
	}
	err = app->resizer ? -EBUSY :
	      ublkev_dev_resize(app->loop, &app->dev, bytes,
				*flag ? UBLKEV_RESIZE_SHRINK : 0);
	if (err)
		ctlclient_answer(c, json_failure("resize", err), -1);
	else
		app->resizer = c;
}

void command_resized(struct app *app, int err)
{
	struct ublkev_info info;
	struct ublkev_stats stats;
	struct json_source s;
	struct ctlclient *c = app->resizer;

	app->resizer = NULL;
	source(app, &s, &info, &stats);
	if (c)
		ctlclient_answer(c, err || !s.info ?
				 json_failure("resize", err) :
				 json_resized(s.info->dev_bytes), -1);
}

static void do_release(struct app *app, struct ctlclient *c, const char *args)
{
	(void)args;
	if (life_is_ending(app))
		ctlclient_answer(c, json_error("it is about to stop"), -1);
	else
		handover_release(&app->handover, c);
}

static void do_done(struct app *app, struct ctlclient *c, const char *args)
{
	(void)args;
	handover_done(&app->handover, c);
}

/* once, however often it is said: the steps further are a signal's */
static void do_stop(struct app *app, struct ctlclient *c, const char *args)
{
	(void)args;
	ctlclient_answer(c, json_done("stopping"), -1);
	if (!life_is_ending(app))
		life_end(app);
}

static void do_help(struct app *app, struct ctlclient *c, const char *args);

static const struct word {
	const char *name;
	const char *what;
	void (*fn)(struct app *app, struct ctlclient *c, const char *args);
	int has_args;
} words[] = {
	{ "stats", "state, counters, latencies", do_stats, 0 },
	{ "resize", "SIZE [shrink]: give the device another size", do_resize,
	  1 },
	{ "memory", "what a successor must know, and the data's descriptor",
	  do_memory, 0 },
	{ "release", "leave the device to a successor, until 'done'",
	  do_release, 0 },
	{ "done", "the successor serves: end", do_done, 0 },
	{ "stop", "end, as SIGTERM does", do_stop, 0 },
	{ "help", "this", do_help, 0 },
};

#define NR_WORDS (sizeof(words) / sizeof(words[0]))

static void do_help(struct app *app, struct ctlclient *c, const char *args)
{
	const char *names[NR_WORDS], *whats[NR_WORDS];
	unsigned int i;

	(void)app;
	(void)args;
	for (i = 0; i < NR_WORDS; i++) {
		names[i] = words[i].name;
		whats[i] = words[i].what;
	}
	ctlclient_answer(c, json_help(names, whats, NR_WORDS), -1);
}

static void on_line(void *data, struct ctlclient *c, const char *line)
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
	ctlclient_answer(c, json_error("unknown command: try help"), -1);
}

static void on_gone(void *data, struct ctlclient *c)
{
	struct app *app = data;

	if (app->resizer == c)
		app->resizer = NULL;
	handover_gone(&app->handover, c);
}

const struct ctlsock_ops command_ops = {
	.line = on_line,
	.gone = on_gone,
};
