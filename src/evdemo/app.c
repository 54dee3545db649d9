/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <syslog.h>
#include <unistd.h>

#include <ev.h>

#include <ublkev.h>

#include "evdemo/app.h"
#include "evdemo/clock.h"
#include "evdemo/ctlsock.h"
#include "evdemo/daemon.h"
#include "evdemo/json.h"
#include "evdemo/log.h"
#include "evdemo/pidfile.h"
#include "evdemo/shutdown.h"
#include "evdemo/stats.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

/* requests in flight that SIGUSR1 lists */
#define MAX_DUMP 64

/*
 * How long a mere open of the block device puts a stop off. fio or dd under
 * way lose nothing that was answered; a mount would.
 */
#define OPEN_S 2.
#define RECHECK_S .5

struct app {
	const struct opts *opts;
	struct ev_loop *loop;
	struct ublkev_dev dev;
	struct ublkev_backend *backend;
	struct ublkev_broker *broker;
	struct pidfile pidfile;
	struct ctlsock *ctl;
	struct shutdown shutdown;
	ev_signal sig_int, sig_term, sig_hup, sig_usr1;
	ev_timer timer;			/* --stats */
	struct ublkev_stats then;	/* at its last line */
	uint64_t then_ns;
	uint64_t start_ns;
	int ready_fd;
	int live;
	int failed;
};

int app_failure(char *buf, size_t size, unsigned int step, int err)
{
	const char *more = ublkev_explain((enum ublkev_step)step, err);

	return snprintf(buf, size, "%s: %s%s%s", ublkev_step_name(step),
			strerror(-err), more ? ": " : "", more ? more : "");
}

static void log_failure(const struct ublkev_dev *dev, int err)
{
	char line[512];

	app_failure(line, sizeof(line), dev->step, err);
	log_msg(LOG_ERR, "%s", line);
}

/* ---- what it tells ------------------------------------------------------ */

static void on_stats(struct ev_loop *loop, ev_timer *w, int revents)
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

static void dump_inflight(const struct app *app)
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

static void on_usr1(struct ev_loop *loop, ev_signal *w, int revents)
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
	dump_inflight(app);
}

static char *answer(void *data, const char *line)
{
	struct app *app = data;
	struct ublkev_info info;
	struct ublkev_stats stats;
	struct json_source s = {
		.id = app->live ? app->dev.id : -1,
		.state = ublkev_step_name(app->dev.step),
		.backend = ublkev_backend_name(app->backend),
		.uptime_ms = (now_ns() - app->start_ns) / 1000000,
	};

	if (!strcmp(line, "help"))
		return json_help();
	if (strcmp(line, "stats"))
		return json_error("unknown command: try help");
	if (app->live && !ublkev_dev_info(&app->dev, &info, sizeof(info)))
		s.info = &info;
	if (app->live && !ublkev_dev_stats(&app->dev, &stats, sizeof(stats)))
		s.stats = &stats;
	return json_stats(&s);
}

/* ---- its life ----------------------------------------------------------- */

static void do_stop(void *data)
{
	struct app *app = data;

	log_msg(LOG_NOTICE, "stopping");
	ublkev_dev_stop(app->loop, &app->dev);
}

static void do_abort(void *data)
{
	struct app *app = data;

	ublkev_dev_abort(app->loop, &app->dev);
}

static void on_end(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct app *app = w->data;
	struct shutdown_conf conf = {
		.root = "",
		.id = app->live ? app->dev.id : -1,
		.timeout_s = app->opts->stop_timeout_s,
		.open_s = OPEN_S,
		.recheck_s = RECHECK_S,
		.stop = do_stop,
		.abort = do_abort,
		.data = app,
	};

	(void)loop;
	(void)revents;
	shutdown_next(&app->shutdown, &conf);
}

static void announce(struct app *app)
{
	char line[32];
	int err;

	snprintf(line, sizeof(line), "/dev/ublkb%d\n", app->dev.id);
	if (app->ready_fd >= 0) {
		daemon_ready(app->ready_fd, line);
		app->ready_fd = -1;
		log_to_syslog("/dev/log");
		return;
	}
	/* whoever waited for the line is gone; who uses the disk is not */
	err = log_write(STDOUT_FILENO, line);
	if (err)
		log_msg(LOG_WARNING, "stdout: %s; serving /dev/ublkb%d",
			strerror(-err), app->dev.id);
}

static void on_live(struct app *app)
{
	struct ublkev_info i;

	app->live = 1;
	announce(app);
	app->then_ns = now_ns();
	if (app->opts->stats_s)
		ev_timer_again(app->loop, &app->timer);
	if (ublkev_dev_info(&app->dev, &i, sizeof(i)))
		return;
	log_msg(LOG_INFO, "/dev/ublkb%d: %llu bytes, blocks of %u, %u queues "
		"of %u requests, %u bytes a request at most", app->dev.id,
		(unsigned long long)i.dev_bytes, i.logical_block_bytes,
		i.queues, i.depth, i.max_io_bytes);
}

static void on_dev(struct ev_loop *loop, struct ublkev_dev *dev, int revents)
{
	struct app *app = dev->data;

	if (revents & UBLKEV_LIVE)
		on_live(app);
	if (revents & UBLKEV_ERROR) {
		app->failed = 1;
		log_failure(dev, dev->err);
	}
	if (!(revents & UBLKEV_STOPPED))
		return;
	if (dev->step == UBLKEV_STEP_LOST) {
		app->failed = 1;
		log_msg(LOG_ERR, "the kernel did not let go of device %d: "
			"look in dmesg; later: ublk-evdemo --delete %d",
			dev->id, dev->id);
	}
	ev_break(loop, EVBREAK_ALL);
}

/* ---- setting up --------------------------------------------------------- */

static void watch_signal(struct app *app, ev_signal *w, int signo,
			 void (*cb)(struct ev_loop *, ev_signal *, int))
{
	ev_signal_init(w, cb, signo);
	w->data = app;
	ev_signal_start(app->loop, w);
}

static void watch_signals(struct app *app)
{
	watch_signal(app, &app->sig_int, SIGINT, on_end);
	watch_signal(app, &app->sig_term, SIGTERM, on_end);
	watch_signal(app, &app->sig_usr1, SIGUSR1, on_usr1);
	/* a terminal that closes ends what was started from it, no daemon */
	if (app->opts->daemon)
		signal(SIGHUP, SIG_IGN);
	else
		watch_signal(app, &app->sig_hup, SIGHUP, on_end);
}

static void unwatch(struct app *app)
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
static void on_libev_error(const char *what)
{
	log_msg(LOG_ERR, "%s: %s: raise ulimit -n", what,
		strerror(errno));
	exit(1);
}

/* before there is a loop, for the broker is a copy of this process */
static int new_broker(struct app *app)
{
	int err;

	if (app->opts->no_broker)
		return 0;
	err = ublkev_broker_start(&app->broker);
	if (err)
		log_msg(LOG_ERR, "the broker process: %s: raise ulimit -u or "
			"-n, or give --no-broker", strerror(-err));
	return err;
}

static void app_fini(struct app *app)
{
	ublkev_broker_stop(app->broker);
	ev_loop_destroy(app->loop);
}

static int app_init(struct app *app, const struct opts *opts, int ready_fd)
{
	memset(app, 0, sizeof(*app));
	app->opts = opts;
	app->ready_fd = ready_fd;
	app->pidfile.fd = -1;
	app->start_ns = now_ns();
	app->dev.id = -1;
	app->dev.data = app;
	if (new_broker(app))
		return -1;
	ev_set_syserr_cb(on_libev_error);
	app->loop = ev_default_loop(EVFLAG_AUTO);
	if (!app->loop) {
		log_msg(LOG_ERR, "libev: cannot make a loop: %s: "
			"raise ulimit -n, or unset LIBEV_FLAGS",
			strerror(errno));
		return -1;
	}
	ev_timer_init(&app->timer, on_stats, 0., opts->stats_s);
	app->timer.data = app;
	shutdown_init(&app->shutdown, app->loop);
	/*
	 * Memory that this process asks for must not be reclaimed by writing
	 * to its own disk. Needs CAP_SYS_RESOURCE, and is only a precaution.
	 */
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0))
		log_msg(LOG_INFO, "PR_SET_IO_FLUSHER: %s", strerror(errno));
	return 0;
}

static int new_backend(struct app *app)
{
	const struct opts *o = app->opts;
	struct ublkev_disk_conf conf;
	int err;

	ublkev_disk_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = o->size_bytes;
	conf.logical_block_bytes = o->block_bytes;
	if (o->read_only)
		conf.flags |= UBLKEV_DISK_READ_ONLY;
	if (o->huge_pages)
		conf.flags |= UBLKEV_DISK_HUGE_PAGES;
	err = o->backend == OPTS_NULL ? ublkev_null_new(&app->backend, &conf) :
	      ublkev_mem_new(&app->backend, &conf);
	if (err)
		log_msg(LOG_ERR, "a disk of %llu bytes: %s: "
			"give a smaller --size%s",
			(unsigned long long)o->size_bytes, strerror(-err),
			err == -ENOMEM ? ", or raise ulimit -v or set "
			"vm.overcommit_memory to 0" : "");
	return err;
}

static int new_dev(struct app *app, int id)
{
	const struct opts *o = app->opts;
	struct ublkev_conf conf;
	int err;

	ublkev_conf_init(&conf, sizeof(conf));
	conf.id = id;
	conf.queues = o->queues;
	conf.depth = o->depth;
	conf.max_io_bytes = o->max_io_bytes;
	conf.wait_us = o->wait_us;
	conf.copy = o->copy;
	conf.features = o->batch ? UBLKEV_F_BATCH_IO : 0;
	conf.log = log_line;
	conf.broker = app->broker;
	if (o->stats_s || o->control)
		conf.flags |= UBLKEV_CONF_LATENCY;
	err = ublkev_dev_init(&app->dev, on_dev, &conf, app->backend);
	if (err)
		log_msg(LOG_ERR, "device settings: %s: "
			"give less --queues, --depth or --max-io",
			strerror(-err));
	return err;
}

static int new_files(struct app *app)
{
	const struct opts *o = app->opts;
	char line[512];

	if (o->pidfile && pidfile_open(&app->pidfile, o->pidfile, line,
				       sizeof(line))) {
		log_msg(LOG_ERR, "%s", line);
		return -1;
	}
	if (o->control && ctlsock_new(&app->ctl, app->loop, o->control,
				      answer, app, line, sizeof(line))) {
		log_msg(LOG_ERR, "%s", line);
		return -1;
	}
	return 0;
}

static int run(struct app *app, int (*start)(struct ev_loop *loop,
					     struct ublkev_dev *dev))
{
	int err = start(app->loop, &app->dev);

	if (err) {
		log_failure(&app->dev, err);
		return -1;
	}
	ev_run(app->loop, 0);
	return 0;
}

int app_serve(const struct opts *opts, int ready_fd)
{
	struct app app;
	int ok = 0;

	if (app_init(&app, opts, ready_fd))
		return 1;
	watch_signals(&app);
	if (!new_backend(&app) && !new_files(&app) &&
	    !new_dev(&app, opts->id)) {
		ok = !run(&app, ublkev_dev_start) && !app.failed;
		ublkev_dev_fini(&app.dev);
	}
	shutdown_fini(&app.shutdown);
	ctlsock_free(app.ctl);
	unwatch(&app);
	ublkev_backend_free(app.backend);
	/* last: who waits for its removal finds nothing else left */
	pidfile_close(&app.pidfile);
	app_fini(&app);
	return ok ? 0 : 1;
}

static void on_give_up(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct app *app = w->data;

	(void)revents;
	ublkev_dev_abort(loop, &app->dev);
}

int app_delete(const struct opts *opts)
{
	struct app app;
	int ok = 0;

	if (app_init(&app, opts, -1))
		return 1;
	watch_signal(&app, &app.sig_int, SIGINT, on_give_up);
	watch_signal(&app, &app.sig_term, SIGTERM, on_give_up);
	if (!new_dev(&app, opts->delete_id)) {
		ok = !run(&app, ublkev_dev_remove) && !app.failed;
		ublkev_dev_fini(&app.dev);
	}
	unwatch(&app);
	app_fini(&app);
	return ok ? 0 : 1;
}
