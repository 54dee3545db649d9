/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sends each line where the log is, without waiting: what finds no room is
 * counted and told later.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "common/escape.h"
#include "ublk-evdemo/logger.h"
#include "ublk-evdemo/scribe.h"
#include "ublk-evdemo/statefile.h"

#define LINE_BYTES 1024

static unsigned long logger_lost;

static struct {
	int level;
	int use_syslog;
	int use_scribe;
	int fd;			/* syslog's, -1: not connected */
	struct sockaddr_un addr;
	pid_t pid;		/* whose lines they are, for syslog */
	unsigned long *lost;	/* maybe shared, so only ever changed atomically */
} state = { .level = LOG_NOTICE, .fd = -1, .lost = &logger_lost };

void log_init(int level)
{
	state.level = level;
	tzset();	/* now, not when the disk is in use */
}

void log_to_syslog(const char *path, pid_t pid)
{
	state.use_syslog = 1;
	state.pid = pid;
	state.addr.sun_family = AF_UNIX;
	snprintf(state.addr.sun_path, sizeof(state.addr.sun_path), "%s", path);
	if (state.fd >= 0)
		close(state.fd);
	state.fd = -1;
}

void log_to_dev_log(pid_t pid)
{
	char path[sizeof(state.addr.sun_path)];

	snprintf(path, sizeof(path), "%s/dev/log", statefile_root());
	log_to_syslog(path, pid);
}

void log_to_scribe(int on)
{
	state.use_scribe = on;
}

const char *log_text(char *buf, size_t size, const char *line)
{
	snprintf(buf, size, "ublk-evdemo: %s\n", line);
	return buf;
}

int log_is_syslog(void)
{
	return state.use_syslog;
}

int log_write(int fd, const char *text)
{
	struct pollfd p = { fd, POLLOUT, 0 };
	size_t len = strlen(text);
	ssize_t n;

	/* a pipe that polls writable takes PIPE_BUF bytes without waiting */
	if (poll(&p, 1, 0) == 0)
		return -EAGAIN;
	do
		n = write(fd, text, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

static int logger_syslog_connect(void)
{
	state.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			  0);
	if (state.fd < 0)
		return -errno;
	if (!connect(state.fd, (struct sockaddr *)&state.addr,
		     sizeof(state.addr)))
		return 0;
	close(state.fd);
	state.fd = -1;
	return -ECONNREFUSED;
}

/* syslog(3) would wait for a busy syslogd */
static int logger_syslog_send(int priority, const char *line)
{
	char buf[LINE_BYTES + 128], when[32];
	time_t now = time(NULL);
	struct tm tm;
	int len;

	if (state.fd < 0 && logger_syslog_connect())
		return -ECONNREFUSED;
	localtime_r(&now, &tm);
	strftime(when, sizeof(when), "%b %e %H:%M:%S", &tm);
	len = snprintf(buf, sizeof(buf), "<%d>%s ublk-evdemo[%d]: %s",
		       LOG_DAEMON | priority, when, (int)state.pid, line);
	if (send(state.fd, buf, (size_t)len, MSG_NOSIGNAL) >= 0)
		return 0;
	if (errno == EAGAIN)
		return -EAGAIN;
	/* syslogd was restarted: connect anew next time */
	close(state.fd);
	state.fd = -1;
	return -ECONNREFUSED;
}

static int logger_scribe_tell(int priority, const char *line)
{
	char buf[LINE_BYTES + 1];

	snprintf(buf, sizeof(buf), "%c%s", '0' + priority, line);
	return scribe_tell(SCRIBE_LOG, buf, strlen(buf));
}

static int logger_emit(int priority, const char *line)
{
	char buf[LINE_BYTES + 32];
	int err;

	if (state.use_scribe) {
		err = logger_scribe_tell(priority, line);
		if (!err || err == -EAGAIN || !state.use_syslog)
			return err;
		/* somebody has killed it, and a daemon has no stderr */
		state.use_scribe = 0;
	}
	if (state.use_syslog)
		return logger_syslog_send(priority, line);
	log_text(buf, sizeof(buf), line);
	return log_write(STDERR_FILENO, buf);
}

static void logger_lose(unsigned long lines)
{
	__atomic_add_fetch(state.lost, lines, __ATOMIC_RELAXED);
}

static int logger_has_lost(void)
{
	return __atomic_load_n(state.lost, __ATOMIC_RELAXED) != 0;
}

/* a line that says so could be dropped by the scribe, and the number with it */
static int logger_emit_lost(unsigned long lines)
{
	char buf[64];
	int err;

	snprintf(buf, sizeof(buf), "%lu lines of log were lost", lines);
	if (state.use_scribe) {
		err = scribe_tell(SCRIBE_LOST, buf, strcspn(buf, " "));
		if (!err || err == -EAGAIN)
			return err;
	}
	return logger_emit(LOG_WARNING, buf);
}

/* of two processes that have the count, who takes it tells it */
static int logger_tell_lost(void)
{
	unsigned long lines;
	int err = 0;

	if (!logger_has_lost())
		return 0;
	lines = __atomic_exchange_n(state.lost, 0, __ATOMIC_RELAXED);
	if (lines)
		err = logger_emit_lost(lines);
	if (err)
		logger_lose(lines);
	return err;
}

void log_count_at(unsigned long *lost)
{
	unsigned long lines;

	lines = __atomic_exchange_n(state.lost, 0, __ATOMIC_RELAXED);
	state.lost = lost;
	logger_lose(lines);
}

void log_lost(unsigned long lines)
{
	logger_lose(lines);
}

void log_tell_lost(int wait_ms)
{
	struct pollfd p = { STDERR_FILENO, POLLOUT, 0 };

	/* what others have written may have taken the room */
	while (logger_tell_lost() == -EAGAIN && wait_ms) {
		if (state.use_syslog)
			p.fd = state.fd;
		if (poll(&p, 1, wait_ms) <= 0)
			break;
	}
}

void log_line(void *unused, int priority, const char *line)
{
	char buf[LINE_BYTES];

	(void)unused;
	if (priority > state.level)
		return;
	(void)logger_tell_lost();
	/*
	 * Names, mount points and a server's texts come from other users. A
	 * newline among them would forge a line, an escape sequence would
	 * reach root's terminal.
	 */
	escape_text(buf, sizeof(buf), line);
	if (logger_emit(priority, buf))
		logger_lose(1);
}

void log_msg(int priority, const char *fmt, ...)
{
	char buf[LINE_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	log_line(NULL, priority, buf);
}
