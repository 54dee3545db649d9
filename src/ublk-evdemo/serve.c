/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve.c - from the start to the end of the device: its events, who takes it
 * over from whom, and when it is stopped
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <syslog.h>
#include <unistd.h>

#include "common/rundir.h"
#include "ublk-evdemo/app.h"
#include "ublk-evdemo/app_priv.h"
#include "ublk-evdemo/now.h"
#include "ublk-evdemo/command.h"
#include "ublk-evdemo/jsonpath.h"
#include "ublk-evdemo/daemon.h"
#include "ublk-evdemo/json.h"
#include "ublk-evdemo/logger.h"
#include "ublk-evdemo/scribe.h"
#include "ublk-evdemo/statefile.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

/*
 * How long a mere open of the block device puts a stop off. fio or dd under
 * way lose nothing that was answered; a mount would.
 */
#define OPEN_S 2.
#define RECHECK_S .5

void life_log_failure(const struct ublkev_dev *dev, int err)
{
	char line[512];

	app_failure(line, sizeof(line), dev->step, err);
	log_msg(LOG_ERR, "%s", line);
}

static void serve_leave(struct app *app)
{
	ev_break(app->loop, EVBREAK_ALL);
}

/* ---- its end ------------------------------------------------------------ */

static void serve_do_stop(void *data)
{
	struct app *app = data;

	if (!app->live && !app->dev.active) {
		/* the predecessor has not let go of it yet */
		app->failed = 1;
		if (!app->probe.active)
			serve_leave(app);
		return;
	}
	log_msg(LOG_NOTICE, "stopping");
	ublkev_dev_stop(app->loop, &app->dev);
}

static void serve_do_abort(void *data)
{
	struct app *app = data;

	ublkev_dev_abort(app->loop, &app->dev);
}

int life_is_ending(const struct app *app)
{
	return app->ending;
}

static void serve_end_device(struct app *app)
{
	struct shutdown_conf conf = {
		.root = "",
		.id = app->live ? app->dev.id : -1,
		.timeout_s = app->opts.stop_timeout_s,
		.open_s = OPEN_S,
		.recheck_s = RECHECK_S,
		.stop = serve_do_stop,
		.abort = serve_do_abort,
		.data = app,
	};

	shutdown_next(&app->shutdown, &conf);
}

void life_end(struct app *app)
{
	switch (app->handover.state) {
	case HANDOVER_NONE:
		break;
	case HANDOVER_DONE:
		return;
	default:
		/* the device is nobody's now: the successor's, or ours again */
		if (!app->ending) {
			log_msg(LOG_NOTICE, "waiting for the successor (a "
				"second signal leaves /dev/ublkb%d without a "
				"server)", app->dev.id);
		} else if (app->handover.state == HANDOVER_RELEASED) {
			app->failed = 1;
			serve_leave(app);
		}
		app->ending = 1;
		return;
	}
	/* half taken over it could only be left without a server */
	if (!app->live && !app->ending &&
	    (app->opts.take_over || app->opts.recover_id >= 0)) {
		log_msg(LOG_NOTICE, "stopping when it is live (a second signal "
			"gives up)");
		app->ending = 1;
		return;
	}
	app->ending = 1;
	serve_end_device(app);
}

/* ---- it is live --------------------------------------------------------- */

static void serve_announce(struct app *app)
{
	char line[32];
	int err;

	snprintf(line, sizeof(line), "/dev/ublkb%d\n", app->dev.id);
	err = scribe_tell(SCRIBE_OUT, line, strlen(line));
	if (app->ready_fd >= 0) {
		if (err)
			daemon_say_ready(app->ready_fd, line);
		close(app->ready_fd);
		app->ready_fd = -1;
	} else if (err) {
		/* who waited for the line is gone; who uses the disk is not */
		log_msg(LOG_WARNING, "stdout: %s; serving /dev/ublkb%d",
			strerror(-err), app->dev.id);
	}
}

/* This goes before the line, whose reader may kill this process at once. */
static void serve_keep_state(struct app *app)
{
	char *json, *text = NULL;
	struct ublkev_info info;
	int err = -ENOMEM;

	if (ublkev_dev_info(&app->dev, &info, sizeof(info)) ||
	    json_recovery(&info) == UBLKEV_RECOVERY_NONE)
		return;
	json = json_state(&app->opts);
	if (json && asprintf(&text, "%d %s", app->dev.id, json) < 0)
		text = NULL;
	if (text)
		err = scribe_tell(SCRIBE_STATE, text, strlen(text));
	if (err)
		log_msg(LOG_NOTICE, "no state file: %s: a recovery of "
			"/dev/ublkb%d has to be given the options again",
			strerror(-err), app->dev.id);
	app->has_state = !err;
	free(json);
	free(text);
}

/* the socket that waits for the id, and is worth a line at most */
static void serve_listen_late(struct app *app)
{
	const char *path = app->opts.control;
	char buf[256], line[512];
	unsigned int flags = 0;
	int err = 0;

	if (app->json || app->opts.no_control)
		return;
	if (!path) {
		err = jsonpath_default(buf, sizeof(buf), statefile_root(),
				       geteuid(),
				       getenv("XDG_RUNTIME_DIR"), app->dev.id);
		path = buf;
	}
	if (err) {
		log_msg(LOG_NOTICE, "no control socket: %s: give --control "
			"PATH, or --control none",
			err == -ENOENT && geteuid() ? rundir_error(err) :
			strerror(-err));
		return;
	}
	/* the predecessor has no more use for its own */
	if (app->opts.take_over && !strcmp(path, app->opts.take_over))
		flags = JSONLISTEN_REPLACE;
	if (jsonsock_new(&app->json, app->loop, path, flags, &command_ops,
			 app, line, sizeof(line)))
		log_msg(LOG_NOTICE, "%s", line);
}

static void serve_log_info(struct app *app)
{
	struct ublkev_info i;

	if (ublkev_dev_info(&app->dev, &i, sizeof(i)))
		return;
	log_msg(LOG_INFO, "/dev/ublkb%d: %llu bytes, blocks of %u, %u queues "
		"of %u requests, %u bytes a request at most", app->dev.id,
		(unsigned long long)i.dev_bytes, i.logical_block_bytes,
		i.queues, i.depth, i.max_io_bytes);
}

/* the predecessor has let go of all its files */
static void serve_on_taken(void *data)
{
	struct app *app = data;
	const char *path = app->opts.pidfile;
	char line[512];

	if (path && pidfile_open(&app->pidfile, path, line, sizeof(line)))
		log_msg(LOG_WARNING, "%s", line);
	serve_announce(app);
}

static void serve_on_first_live(struct app *app)
{
	app->live = 1;
	/*
	 * Before 'done': the predecessor's look whether the path is still its
	 * own, and the removal, are two steps.
	 */
	serve_listen_late(app);
	if (app->opts.take_over) {
		app->gap_ms = takeover_done(&app->takeover);
		log_msg(LOG_NOTICE, "took over /dev/ublkb%d in %.1f ms",
			app->dev.id, app->gap_ms);
	}
	serve_keep_state(app);
	if (!app->opts.take_over)
		serve_announce(app);
	serve_log_info(app);
}

static void serve_on_live(struct app *app)
{
	app->then_ns = now_ns();
	if (app->opts.stats_s)
		ev_timer_again(app->loop, &app->timer);
	if (app->live)
		log_msg(LOG_NOTICE, "serving /dev/ublkb%d again",
			app->dev.id);
	else
		serve_on_first_live(app);
	/* told before; one that has begun goes its way */
	if (app->ending && app->shutdown.state == SHUTDOWN_IDLE)
		serve_end_device(app);
}

/* ---- it is gone, or somebody else's ------------------------------------- */

/*
 * A driver without QUIESCE_DEV loses requests when the ring is closed by a
 * thread that lives: one that is dispatched just then belongs to nobody, and
 * whoever wants the device's mutex waits for it. It does well when the process
 * exits, and gives all that was not answered to the next server in REISSUE.
 */
static int serve_do_release(void *data)
{
	struct app *app = data;
	struct ublkev_info info;

	if (app->dev.step != UBLKEV_STEP_LIVE ||
	    ublkev_dev_info(&app->dev, &info, sizeof(info)))
		return -EINVAL;
	if (json_stays(&info))
		return ublkev_dev_release(app->loop, &app->dev);
	return json_recovery(&info) == UBLKEV_RECOVERY_REISSUE ? 1 :
	       -EOPNOTSUPP;
}

static int serve_lost_writes(void *data)
{
	const struct app *app = data;

	return ublkev_file_lost_writes(app->backend);
}

/* after STOPPED; for good if that fails */
static void serve_recover_again(void *data)
{
	struct app *app = data;
	int id = app->dev.id;
	int err;

	ublkev_dev_fini(&app->dev);
	app->has_dev = 0;
	err = app_new_dev(app, id);
	if (!err) {
		err = ublkev_dev_recover(app->loop, &app->dev);
		if (err)
			life_log_failure(&app->dev, err);
	}
	if (!err)
		return;
	app->failed = 1;
	serve_leave(app);
}

static void serve_on_done(void *data)
{
	struct app *app = data;

	log_msg(LOG_NOTICE, "/dev/ublkb%d has another server", app->dev.id);
	pidfile_close(&app->pidfile);
	serve_leave(app);
}

/*
 * Somebody else has quiesced it (ublk-evctl quiesce). What is in a file can be
 * served by whoever comes; what is in this process' memory only by this one.
 */
static void serve_on_released(struct app *app)
{
	if (app->ending) {
		log_msg(LOG_ERR, "/dev/ublkb%d was quiesced, and is left "
			"without a server; later: ublk-evdemo --delete %d",
			app->dev.id, app->dev.id);
		app->failed = 1;
		serve_leave(app);
		return;
	}
	if (!app->opts.disk &&
	    (app->opts.memory_file || app->opts.backend != OPTS_MEM)) {
		log_msg(LOG_NOTICE, "/dev/ublkb%d was quiesced, and waits for "
			"another server", app->dev.id);
		serve_leave(app);
		return;
	}
	log_msg(LOG_WARNING, "/dev/ublkb%d was quiesced, but its data are "
		"here: serving on", app->dev.id);
	serve_recover_again(app);
}

/*
 * A successor has the file's lock with its descriptor, and would write beside
 * what the kernel still does for us. Whoever opens the file anew waits for it.
 */
static int serve_leaves_files(const struct app *app)
{
	struct ublkev_stats s;

	if (ublkev_dev_stats(&app->dev, &s, sizeof(s)) || !s.files_left)
		return 0;
	log_msg(LOG_ERR, "writes to %s may be under way: it is not handed on, "
		"and locked until they have ended", app->opts.file ?
		app->opts.file : "the file that was taken over");
	return 1;
}

static void serve_on_stopped(struct app *app)
{
	struct ublkev_dev *dev = &app->dev;
	int released = dev->step == UBLKEV_STEP_RELEASED;

	ev_timer_stop(app->loop, &app->timer);
	if (released && serve_leaves_files(app))
		app->failed = 1;
	if (released && !app->failed) {
		if (!handover_released(&app->handover, 0))
			serve_on_released(app);
		return;
	}
	/* stopped or lost in the midst of it: the answer is due all the same */
	handover_released(&app->handover,
			  !released ? -ENODEV : dev->err ? dev->err : -EIO);
	/* a refusal was told, with what would help */
	app->failed |= dev->step == UBLKEV_STEP_LOST;
	if (dev->step == UBLKEV_STEP_LOST && dev->err != -EPERM &&
	    dev->err != -EACCES)
		log_msg(LOG_ERR, "the kernel did not let go of device %d: "
			"look in dmesg; later: ublk-evdemo --delete %d",
			dev->id, dev->id);
	serve_leave(app);
}

void life_on_dev(struct ev_loop *loop, struct ublkev_dev *dev, int revents)
{
	struct app *app = dev->data;

	(void)loop;
	if (revents & UBLKEV_LIVE)
		serve_on_live(app);
	if (revents & UBLKEV_RESIZED)
		command_resized(app, dev->res);
	if (revents & UBLKEV_REFUSED)
		handover_released(&app->handover, dev->res);
	if (revents & UBLKEV_ERROR) {
		app->failed = 1;
		life_log_failure(dev, dev->err);
	}
	if (revents & UBLKEV_STOPPED)
		serve_on_stopped(app);
}

/* ---- its beginning ------------------------------------------------------ */

/* the predecessor serves on: there is nothing to take over */
static void serve_on_refused(void *data, const char *why)
{
	struct app *app = data;

	log_msg(LOG_ERR, "take over %s: %s", app->opts.take_over, why);
	app->failed = 1;
	if (app->dev.active)
		ublkev_dev_stop(app->loop, &app->dev);
	else
		serve_leave(app);
}

void life_init(struct app *app)
{
	static const struct handover_ops ops = {
		.release = serve_do_release,
		.readopt = serve_recover_again,
		.end = serve_on_done,
		.lost_writes = serve_lost_writes,
	};

	handover_init(&app->handover, &ops, app);
	shutdown_init(&app->shutdown, app->loop);
}

static int serve_start(struct app *app)
{
	int err = app->opts.recover_id < 0 ?
		  ublkev_dev_start(app->loop, &app->dev) :
		  ublkev_dev_recover(app->loop, &app->dev);

	if (err)
		life_log_failure(&app->dev, err);
	return err;
}

static void serve_on_go(void *data)
{
	struct app *app = data;

	if (app->takeover.lost_writes) {
		log_msg(LOG_WARNING, "the server before has lost writes: "
			"every FLUSH fails, until the disk is stopped and its "
			"file opened anew");
		ublkev_file_set_lost_writes(app->backend);
	}
	if (!serve_start(app))
		return;
	app->failed = 1;
	serve_leave(app);
}

static void serve_release(struct app *app)
{
	static const struct takeover_ops ops = {
		.go = serve_on_go,
		.refused = serve_on_refused,
		.done = serve_on_taken,
	};

	takeover_release(&app->takeover, app->loop, &ops, app);
}

static void serve_give_up(struct app *app, const char *what, int err)
{
	char why[256];

	snprintf(why, sizeof(why), "%s: %s: it serves on", what,
		 strerror(-err));
	serve_on_refused(app, why);
}

static void serve_on_probe(struct ev_loop *loop, struct ublkev_cmd *cmd,
			   const struct ublkev_cmd_answer *answer)
{
	struct app *app = cmd->data;
	int err = answer->res;

	(void)loop;
	ublkev_cmd_fini(cmd);
	if (app->ending)
		err = -ECANCELED;
	if (err)
		serve_give_up(app, ublkev_cmd_name(UBLKEV_CMD_GET_DEV_INFO),
			      err);
	else
		serve_release(app);
}

/*
 * A predecessor that exits at our word takes nothing back: what would keep us
 * from serving has to be known before.
 */
static void serve_probe(struct app *app)
{
	struct ublkev_conf conf;
	int err;

	if (app->opts.io_flusher && prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0)) {
		serve_give_up(app, "--io-flusher", -errno);
		return;
	}
	ublkev_conf_init(&conf, sizeof(conf));
	conf.log = log_line;
	conf.broker = app->broker;
	err = ublkev_cmd_init(&app->probe, serve_on_probe, &conf);
	if (!err) {
		app->probe.data = app;
		err = ublkev_cmd_submit(app->loop, &app->probe,
					UBLKEV_CMD_GET_DEV_INFO,
					app->opts.recover_id, 0);
		if (err)
			ublkev_cmd_fini(&app->probe);
	}
	if (err)
		serve_give_up(app, "/dev/ublk-control", err);
}

void life_start(struct app *app)
{
	if (!app->opts.take_over)
		serve_on_go(app);
	else if (app->takeover.stays)
		serve_release(app);
	else
		serve_probe(app);
}
