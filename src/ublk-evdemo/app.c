/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process around the device: what it is made of before there is a loop, its
 * signals, and its exit status. The device itself is serve.c's, the words of
 * its clients command.c's.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include <ev.h>
#include <jansson.h>

#include <ublkev.h>

#include "common/settle.h"
#include "ublk-evdemo/app.h"
#include "ublk-evdemo/app_priv.h"
#include "ublk-evdemo/now.h"
#include "ublk-evdemo/command.h"
#include "ublk-evdemo/daemon.h"
#include "ublk-evdemo/disk.h"
#include "ublk-evdemo/jsonpath.h"
#include "ublk-evdemo/logger.h"
#include "ublk-evdemo/rates.h"
#include "ublk-evdemo/scribe.h"
#include "ublk-evdemo/statefile.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

/*
 * The timers of this loop are of half a second and more: they may be late by
 * so much. Its sockets end the device's sleep in any case.
 */
#define SLEEP_US 2000

/* requests in flight that SIGUSR1 lists */
#define MAX_DUMP 64

int app_failure(char *buf, size_t size, unsigned int step, int err)
{
	const char *more = ublkev_explain((enum ublkev_step)step, err);

	return snprintf(buf, size, "%s: %s%s%s", ublkev_step_name(step),
			strerror(-err), more ? ": " : "", more ? more : "");
}

/* ---- what it tells ------------------------------------------------------ */

static void app_on_stats(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct app *app = w->data;
	struct ublkev_stats now;
	uint64_t t = now_ns();
	char line[512];

	(void)loop;
	(void)revents;
	if (ublkev_dev_stats(&app->dev, &now, sizeof(now)))
		return;
	stats_text(line, sizeof(line), &now, &app->then, t - app->then_ns);
	log_msg(LOG_NOTICE, "stats: %s", line);
	app->then = now;
	app->then_ns = t;
}

static void app_dump_inflight(const struct app *app)
{
	static struct ublkev_inflight v[MAX_DUMP];
	unsigned int i, n;
	char line[256];

	n = ublkev_dev_inflight(&app->dev, v, MAX_DUMP);
	for (i = 0; i < n && i < MAX_DUMP; i++) {
		stats_inflight(line, sizeof(line), &v[i]);
		log_msg(LOG_NOTICE, "in flight: %s", line);
	}
	if (n > MAX_DUMP)
		log_msg(LOG_NOTICE, "in flight: and %u more", n - MAX_DUMP);
}

static void app_on_usr1(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct app *app = w->data;
	struct ublkev_stats s;
	char line[1024];

	(void)loop;
	(void)revents;
	if (!app->live || ublkev_dev_stats(&app->dev, &s, sizeof(s))) {
		log_msg(LOG_NOTICE, "%s: nothing served yet",
			ublkev_step_name(app->dev.step));
		return;
	}
	stats_counters(line, sizeof(line), &s);
	log_msg(LOG_NOTICE, "%s: %s", ublkev_step_name(app->dev.step), line);
	app_dump_inflight(app);
}

static void app_on_end(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)loop;
	(void)revents;
	life_end(w->data);
}

/* ---- setting up --------------------------------------------------------- */

static void app_watch_signal(struct app *app, ev_signal *w, int signo,
			     void (*cb)(struct ev_loop *, ev_signal *, int))
{
	ev_signal_init(w, cb, signo);
	w->data = app;
	ev_signal_start(app->loop, w);
}

static void app_watch_signals(struct app *app)
{
	app_watch_signal(app, &app->sig_int, SIGINT, app_on_end);
	app_watch_signal(app, &app->sig_term, SIGTERM, app_on_end);
	app_watch_signal(app, &app->sig_usr1, SIGUSR1, app_on_usr1);
	/*
	 * A terminal that closes ends what was started from it: no daemon, and
	 * nothing that nohup(1) started.
	 */
	if (app->opts.daemon)
		signal(SIGHUP, SIG_IGN);
	else if (!daemon_keeps_ignoring(SIGHUP))
		app_watch_signal(app, &app->sig_hup, SIGHUP, app_on_end);
}

static void app_unwatch(struct app *app)
{
	ev_signal_stop(app->loop, &app->sig_int);
	ev_signal_stop(app->loop, &app->sig_term);
	ev_signal_stop(app->loop, &app->sig_usr1);
	ev_signal_stop(app->loop, &app->sig_hup);
	ev_timer_stop(app->loop, &app->timer);
}

/*
 * libev tries again for ever when this returns. It comes where the loop gets
 * its first signal watcher, when there is nothing yet to clean up.
 */
static void app_on_libev_error(const char *what)
{
	log_msg(LOG_ERR, "%s: %s: raise ulimit -n", what,
		strerror(errno));
	exit(1);
}

/* before there is a loop, for the broker is a copy of this process */
static int app_new_broker(struct app *app)
{
	int err;

	if (app->opts.no_broker)
		return 0;
	err = ublkev_broker_start(&app->broker);
	if (err)
		log_msg(LOG_ERR, "the broker process: %s: raise ulimit -u or "
			"-n, or give --no-broker", strerror(-err));
	return err;
}

/* The scribe holds nothing open when it is forked before all else. */
static int app_new_scribe(int ready_fd)
{
	int err = scribe_start(ready_fd);

	if (err)
		log_msg(LOG_ERR, "the process for log and files: %s: raise "
			"ulimit -u or -n", strerror(-err));
	return err;
}

static void app_fini(struct app *app)
{
	ublkev_broker_stop(app->broker);
	ev_loop_destroy(app->loop);
}

/*
 * The predecessor's socket becomes ours; where that is not where it is by
 * default, it is what somebody set, and a recovery after this server is told.
 */
static void app_take_socket(struct opts *o)
{
	char path[256];

	o->control = o->take_over;
	if (jsonpath_default(path, sizeof(path), statefile_root(), geteuid(),
			     getenv("XDG_RUNTIME_DIR"), o->recover_id) ||
	    strcmp(path, o->control))
		opts_kept_note(o, "control");
}

/* what the predecessor says of the disk, and the options that it hands on */
static int app_ask_predecessor(struct app *app)
{
	char line[512];

	if (!app->opts.take_over)
		return 0;
	if (takeover_ask(&app->takeover, &app->opts, line, sizeof(line))) {
		log_msg(LOG_ERR, "%s", line);
		return -1;
	}
	if (app->opts.verbose)
		log_init(LOG_DEBUG);
	if (!app->opts.control && !app->opts.no_control)
		app_take_socket(&app->opts);
	return 0;
}

static int app_init(struct app *app, const struct opts *opts, int ready_fd)
{
	memset(app, 0, sizeof(*app));
	app->opts = *opts;
	app->gap_ms = -1;
	app->ready_fd = ready_fd;
	app->pidfile.fd = -1;
	app->start_ns = now_ns();
	app->dev.id = -1;
	app->dev.data = app;
	/* Without a seed jansson opens /dev/urandom in the live loop. */
	json_object_seed(0);
	takeover_init(&app->takeover);
	/* whether there is to be a broker may be handed on, too */
	if (app_ask_predecessor(app) || app_new_broker(app))
		return -1;
	ev_set_syserr_cb(app_on_libev_error);
	app->loop = ev_default_loop(EVFLAG_AUTO);
	if (!app->loop) {
		log_msg(LOG_ERR, "libev: cannot make a loop: %s: "
			"raise ulimit -n, or unset LIBEV_FLAGS",
			strerror(errno));
		return -1;
	}
	ev_timer_init(&app->timer, app_on_stats, 0.,
		      app->opts.stats_s);
	app->timer.data = app;
	life_init(app);
	if (app->opts.io_flusher)
		return 0;
	/*
	 * Memory that this process asks for must not be reclaimed by writing
	 * to its own disk. Needs CAP_SYS_RESOURCE, and is only a precaution.
	 */
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0))
		log_msg(LOG_INFO, "PR_SET_IO_FLUSHER: %s", strerror(errno));
	return 0;
}

/* for good, and of the queues' threads, which inherit it, too */
static void app_be_batch(void)
{
	const struct sched_param param = { 0 };

	if (sched_setscheduler(0, SCHED_BATCH, &param))
		log_msg(LOG_WARNING, "--sched-batch yes: %s: it stays as it is",
			strerror(errno));
}

int app_new_dev(struct app *app, int id)
{
	const struct opts *o = &app->opts;
	struct ublkev_conf conf;
	int err;

	ublkev_conf_init(&conf, sizeof(conf));
	conf.id = id;
	conf.queues = o->queues;
	conf.depth = o->depth;
	conf.max_io_bytes = o->max_io_bytes;
	conf.wait_us = o->wait_us;
	conf.sleep_us = SLEEP_US;
	conf.stop_limit_ms = o->stop_limit_s * 1000;
	conf.copy = o->copy;
	conf.features = (o->batch ? UBLKEV_F_BATCH_IO : 0) |
			(o->no_part_scan ? UBLKEV_F_NO_AUTO_PART_SCAN : 0);
	conf.log = log_line;
	conf.broker = app->broker;
	conf.recovery = o->recovery;
	/* whoever asks for them does so when clients wait, not at the start */
	conf.flags |= UBLKEV_CONF_LATENCY;
	conf.flags |= o->sched_batch == OPTS_BATCH_AUTO ?
		      UBLKEV_CONF_SCHED_BATCH : UBLKEV_CONF_KEEP_POLICY;
	if (o->unprivileged)
		conf.flags |= UBLKEV_CONF_UNPRIVILEGED;
	if (o->io_flusher)
		conf.flags |= UBLKEV_CONF_IO_FLUSHER;
	if (o->keep_scheduler)
		conf.flags |= UBLKEV_CONF_KEEP_SCHEDULER;
	if (o->huge_pages)
		conf.flags |= UBLKEV_CONF_HUGE_PAGES;
	if (o->threads || o->threads_per_queue)
		conf.flags |= UBLKEV_CONF_QUEUE_THREADS;
	if (o->threads_per_queue)
		conf.threads_per_queue = o->threads_per_queue;
	if (o->ring_fd)
		conf.flags |= UBLKEV_CONF_RING_FD;
	if (o->sched_batch == OPTS_BATCH_YES)
		app_be_batch();
	err = ublkev_dev_init(&app->dev, life_on_dev, &conf, app->backend);
	app->has_dev = !err;
	if (err)
		log_msg(LOG_ERR, "device settings: %s: "
			"give less --queues, --depth or --max-io",
			strerror(-err));
	return err;
}

/*
 * A server that was killed, and is recovered from, has the pidfile and the
 * socket until the kernel has taken it down: disk_try_again().
 */
static int app_new_pidfile(struct app *app)
{
	const struct opts *o = &app->opts;
	unsigned int tries = 0;
	char line[512];
	int err;

	do {
		err = pidfile_open(&app->pidfile, o->pidfile, line,
				   sizeof(line));
	} while (err == -EBUSY && disk_try_again(o, &tries));
	if (err)
		log_msg(LOG_ERR, "%s", line);
	return err;
}

static int app_new_socket(struct app *app)
{
	const struct opts *o = &app->opts;
	unsigned int tries = 0;
	char line[512];
	int err;

	do {
		err = jsonsock_new(&app->json, app->loop, o->control,
				   JSONLISTEN_WAIT, &command_ops, app, line,
				   sizeof(line));
	} while (err == -EADDRINUSE && disk_try_again(o, &tries));
	if (err)
		log_msg(LOG_ERR, "%s", line);
	return err;
}

/* a successor's files are its predecessor's until that has let go of them */
static int app_new_files(struct app *app)
{
	const struct opts *o = &app->opts;

	if (o->take_over)
		return 0;
	if (o->pidfile && app_new_pidfile(app))
		return -1;
	return o->control ? app_new_socket(app) : 0;
}

static int app_run(struct app *app)
{
	const struct opts *o = &app->opts;

	if (disk_new(&app->backend, &app->opts, app->takeover.memory_fd,
		     &app->made_file) ||
	    app_new_files(app) ||
	    app_new_dev(app, o->recover_id < 0 ? o->id : o->recover_id))
		return -1;
	/*
	 * The scribe has stderr for the errors of a daemon's start, and goes
	 * over to syslog when that is live. The close of a terminal, or of a
	 * file on some file systems, may wait as well, so it is done now.
	 */
	log_to_scribe(1);
	if (o->daemon) {
		daemon_detach();
		log_to_dev_log(getpid());
	}
	life_start(app);
	if (!app->failed)
		ev_run(app->loop, 0);
	return app->failed ? -1 : 0;
}

int app_serve(const struct opts *opts, int ready_fd)
{
	struct app app;
	int err;

	if (app_new_scribe(ready_fd) || app_init(&app, opts, ready_fd))
		return 1;
	app_watch_signals(&app);
	err = app_run(&app);
	/* the successor waits for the exit, and for the kernel's part in it */
	if (app.handover.state == HANDOVER_DONE && app.dev.active) {
		log_tell_lost(0);
		_exit(0);
	}
	if (app.has_dev)
		ublkev_dev_fini(&app.dev);
	takeover_fini(&app.takeover);
	shutdown_fini(&app.shutdown);
	jsonsock_free(app.json);
	app_unwatch(&app);
	/* nobody ever saw what is in it */
	if (!app.live && app.backend)
		disk_discard(&app.opts, disk_fd(app.backend), app.made_file);
	if (!app.live && app.opts.disk)
		ublkev_disk_discard(app.backend);
	else
		ublkev_backend_free(app.backend);
	/* the scribe has it, too, and may wait for a terminal */
	if (app.ready_fd >= 0)
		shutdown(app.ready_fd, SHUT_RDWR);
	scribe_stop();
	log_to_scribe(0);
	/* it has told of lost lines, unless it is stuck, or was killed */
	log_tell_lost(0);
	/* A device that is left without a server keeps its state file. */
	if (app.has_state && (app.dev.step == UBLKEV_STEP_GONE ||
			      app.dev.step == UBLKEV_STEP_LOST))
		statefile_remove(app.dev.id);
	/* last: who waits for its removal finds nothing else left */
	pidfile_close(&app.pidfile);
	app_fini(&app);
	return err ? 1 : 0;
}

static void app_on_give_up(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct app *app = w->data;

	(void)revents;
	ublkev_dev_abort(loop, &app->dev);
}

static int app_remove(struct app *app)
{
	int err;

	if (app_new_dev(app, app->opts.delete_id))
		return -1;
	settle_wait("", app->opts.delete_id);
	err = ublkev_dev_remove(app->loop, &app->dev);
	if (err)
		life_log_failure(&app->dev, err);
	else
		ev_run(app->loop, 0);
	ublkev_dev_fini(&app->dev);
	return err || app->failed ? -1 : 0;
}

int app_delete(const struct opts *opts)
{
	struct app app;
	int err;

	if (app_init(&app, opts, -1))
		return 1;
	app_watch_signal(&app, &app.sig_int, SIGINT, app_on_give_up);
	app_watch_signal(&app, &app.sig_term, SIGTERM, app_on_give_up);
	err = app_remove(&app);
	app_unwatch(&app);
	app_fini(&app);
	if (!err)
		statefile_remove(opts->delete_id);
	return err ? 1 : 0;
}
