/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A command from its beginning to its end: the loop, the deadline, signals, and
 * the broker for those commands that may wait for a server.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ublk-evctl/session.h"

double evctl_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

double evctl_left(const struct evctl *t)
{
	double left = t->deadline - evctl_now();

	return left > 0 ? left : 0;
}

static void session_on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ONE);
}

void evctl_wait(struct evctl *t)
{
	ev_timer deadline;

	ev_now_update(t->loop);
	ev_timer_init(&deadline, session_on_deadline, evctl_left(t), 0.);
	ev_timer_start(t->loop, &deadline);
	ev_run(t->loop, 0);
	ev_timer_stop(t->loop, &deadline);
}

static void session_on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct evctl *t = w->data;

	(void)revents;
	t->interrupted = 1;
	ev_break(loop, EVBREAK_ONE);
}

static void session_watch(struct evctl *t, ev_signal *w, int signo)
{
	ev_signal_init(w, session_on_signal, signo);
	w->data = t;
	ev_signal_start(t->loop, w);
	ev_unref(t->loop);
}

static void session_unwatch(struct evctl *t, ev_signal *w)
{
	ev_ref(t->loop);
	ev_signal_stop(t->loop, w);
}

/*
 * Some commands wait in the kernel for the device's server. One that is not
 * this process' lets this process end all the same. udev's rule is for ever
 * asking for the owner, which waits for nobody.
 */
static int session_wants_broker(enum opts_cmd cmd)
{
	return cmd != CMD_OWNER && cmd != CMD_SCHEDULER &&
	       cmd != CMD_FEATURES && cmd != CMD_STATS &&
	       cmd != CMD_TOP;
}

/* libev would abort(); nothing but few descriptors or memory brings it here */
static void session_on_syserr(const char *msg)
{
	fprintf(stderr, "ublk-evctl: libev: %s: %s: raise ulimit -n\n", msg,
		strerror(errno));
	_exit(ST_FAILED);
}

static int session_init(struct evctl *t, const struct opts *opts)
{
	int err;

	memset(t, 0, sizeof(*t));
	t->opts = opts;
	if (opts->json)
		t->top = json_pack("{s:i, s:s}", "schema", JSON_SCHEMA,
				   "command", opts_cmd_name(opts->cmd));
	/* before there is a loop: the broker is a copy of this process */
	err = session_wants_broker(opts->cmd) ?
		      ublkev_broker_start(&t->broker) :
		      0;
	if (err)
		return out_fail(t, ST_FAILED, "the broker process: %s: raise "
				"ulimit -u or -n", strerror(-err));
	ev_set_syserr_cb(session_on_syserr);
	t->loop = ev_default_loop(EVFLAG_AUTO);
	if (!t->loop)
		return out_fail(t, ST_FAILED, "libev: cannot make a loop: "
				"raise ulimit -n, or unset LIBEV_FLAGS");
	t->deadline = evctl_now() + opts->timeout_s;
	session_watch(t, &t->sig_int, SIGINT);
	session_watch(t, &t->sig_term, SIGTERM);
	return ST_OK;
}

static void session_fini(struct evctl *t)
{
	if (t->loop) {
		session_unwatch(t, &t->sig_int);
		session_unwatch(t, &t->sig_term);
		ev_loop_destroy(t->loop);
	}
	ublkev_broker_stop(t->broker);
	json_decref(t->top);
}

static int session_run(struct evctl *t, const char *program)
{
	static cmd_fn *const cmds[NR_CMDS] = {
		[CMD_LIST] = cmd_list,
		[CMD_INFO] = cmd_info,
		[CMD_FEATURES] = cmd_features,
		[CMD_STOP] = cmd_stop,
		[CMD_DEL] = cmd_del,
		[CMD_QUIESCE] = cmd_quiesce,
		[CMD_RESIZE] = cmd_resize,
		[CMD_AFFINITY] = cmd_affinity,
		[CMD_ORPHANS] = cmd_orphans,
		[CMD_STATS] = cmd_stats,
		[CMD_TOP] = cmd_top,
		[CMD_DOCTOR] = cmd_doctor,
		[CMD_OWNER] = cmd_owner,
		[CMD_SCHEDULER] = cmd_scheduler,
	};

	if (t->opts->cmd == CMD_RECOVER)
		return cmd_recover(t, program);
	if (t->opts->cmd == CMD_UPGRADE)
		return cmd_upgrade(t, program);
	return cmds[t->opts->cmd](t);
}

static int session_print(struct evctl *t, int status)
{
	if (t->top && t->opts->cmd != CMD_TOP) {
		out_set(t, "status", json_integer(status));
		json_dumpf(t->top, stdout, JSON_COMPACT | JSON_ENSURE_ASCII |
			   JSON_REAL_PRECISION(15));
		putchar('\n');
	}
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	fprintf(stderr, "ublk-evctl: stdout: %s\n", strerror(errno));
	return status ? status : ST_FAILED;
}

int evctl_run(const struct opts *opts, const char *program)
{
	struct evctl t;
	int status;

	status = session_init(&t, opts);
	if (!status)
		status = session_run(&t, program);
	status = session_print(&t, status);
	session_fini(&t);
	return status;
}
