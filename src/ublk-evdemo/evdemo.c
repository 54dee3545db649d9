/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main() of ublk-evdemo: which of its modes is meant, and what is to be
 * looked at before a device is made.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <syslog.h>
#include <unistd.h>

#include <ublkev.h>

#include "common/udevrule.h"
#include "ublk-evdemo/app.h"
#include "ublk-evdemo/daemon.h"
#include "ublk-evdemo/logger.h"
#include "ublk-evdemo/statefile.h"
#include "ublk-evdemo/evdemo_opts.h"

static int evdemo_print(const char *text)
{
	int err = log_write(STDOUT_FILENO, text);

	if (!err)
		return 0;
	log_msg(LOG_ERR, "stdout: %s", strerror(-err));
	return 1;
}

static int evdemo_print_version(void)
{
	char line[64];

	snprintf(line, sizeof(line), "ublk-evdemo %s\n", ublkev_version());
	return evdemo_print(line);
}

/* a daemon lives in /, its files stay where they were meant; to be freed */
static char *evdemo_absolute(const char *path)
{
	char *cwd, *abs;

	if (path[0] == '/')
		return strdup(path);
	cwd = getcwd(NULL, 0);
	if (!cwd || asprintf(&abs, "%s/%s", cwd, path) < 0)
		abs = NULL;
	free(cwd);
	return abs;
}

static int evdemo_serve_daemon(struct opts *o)
{
	const char **const paths[] = {
		&o->pidfile, &o->control, &o->memory_file, &o->file,
		&o->take_over,
	};
	char *own[sizeof(paths) / sizeof(paths[0])] = { NULL };
	int ready_fd = -1, status = -1;
	unsigned int i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (!*paths[i])
			continue;
		own[i] = evdemo_absolute(*paths[i]);
		if (!own[i] && status < 0) {
			log_msg(LOG_ERR, "the working directory: %s: "
				"give absolute paths", strerror(errno));
			status = 1;
		}
		*paths[i] = own[i];
	}
	if (status < 0)
		status = daemon_fork(&ready_fd);
	if (status < 0)
		status = app_serve(o, ready_fd);
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		free(own[i]);
	return status;
}

/*
 * Nothing of it is sent to a kernel that ADD_DEV has crashed, where it would
 * also block every later command; a recovery sends no ADD_DEV.
 */
static int evdemo_check_kernel(const struct opts *o)
{
	struct utsname u;

	if (o->force_kernel || o->recover_id >= 0 || o->take_over ||
	    uname(&u) || !ublkev_kernel_crashes(u.release))
		return 0;
	log_msg(LOG_ERR, "Linux %s: %s; --force-kernel makes the device all "
		"the same", u.release, ublkev_kernel_fault(u.release));
	return 3;
}

/*
 * Such a device would be there, and nobody but root could serve or delete it:
 * see UBLKEV_CONF_UNPRIVILEGED.
 */
static int evdemo_check_rule(const struct opts *o)
{
	if (!o->unprivileged || !geteuid() ||
	    !udevrule_is_missing(statefile_root()))
		return 0;
	log_msg(LOG_ERR, "option --unprivileged: no rule of udev gives "
		"/dev/ublkcN to its user: install 60-ublk-ev.rules, or be root");
	return 1;
}

/* where a server has died its options are found, and its disk is known */
static int evdemo_recover_or_serve(struct opts *o)
{
	json_t *state = o->recover_id >= 0 ? statefile_recall(o) : NULL;
	char err[256];
	int status;

	if (o->verbose)
		log_init(LOG_DEBUG);
	if (!o->take_over && opts_check_disk(o, err, sizeof(err))) {
		log_msg(LOG_ERR, "%s", err);
		status = 2;
	} else {
		status = evdemo_check_kernel(o);
	}
	if (!status)
		status = evdemo_check_rule(o);
	if (!status)
		status = o->daemon ? evdemo_serve_daemon(o) :
				     app_serve(o, -1);
	json_decref(state);
	return status;
}

static int evdemo_is_relative(const char *path)
{
	return path && path[0] != '/';
}

/* a server whose files have no names loses them to its successor */
static void evdemo_note_cwd(struct opts *o)
{
	static char cwd[PATH_MAX];

	o->cwd = getcwd(cwd, sizeof(cwd));
	if (!o->cwd && (evdemo_is_relative(o->pidfile) ||
			evdemo_is_relative(o->control) ||
			evdemo_is_relative(o->memory_file) ||
			evdemo_is_relative(o->file)))
		log_msg(LOG_WARNING, "the working directory: %s: an upgrade or "
			"a recovery will not know relative paths: give "
			"absolute ones", strerror(errno));
}

int main(int argc, char **argv)
{
	struct opts o;
	char err[256];

	daemon_std_fds();
	daemon_close_inherited();
	/* a reader of stdout or stderr may go; the disk stays */
	signal(SIGPIPE, SIG_IGN);
	/* a disk that outgrows ulimit -f is told so (EFBIG), and lives */
	signal(SIGXFSZ, SIG_IGN);
	log_init(LOG_NOTICE);
	if (opts_parse(&o, argc, argv, err, sizeof(err))) {
		log_msg(LOG_ERR, "%s", err);
		return 2;
	}
	if (o.verbose)
		log_init(LOG_DEBUG);
	evdemo_note_cwd(&o);
	switch (o.mode) {
	case OPTS_HELP:
		return evdemo_print(opts_help);
	case OPTS_VERSION:
		return evdemo_print_version();
	case OPTS_DELETE:
		return app_delete(&o);
	default:
		return evdemo_recover_or_serve(&o);
	}
}
