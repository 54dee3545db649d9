/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scribe's process, which obeys messages from a socket one after the
 * other, and the server's end of that socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "ublk-evdemo/daemon.h"
#include "ublk-evdemo/logger.h"
#include "ublk-evdemo/scribe.h"
#include "ublk-evdemo/statefile.h"

/* the longest message: a server's options, some paths among them */
#define TEXT_BYTES (128 << 10)
#define LINE_BYTES (2 << 10)
#define END_MS 1000
/* of a syslogd that does not read, after the server's end */
#define LOST_MS 30000

/* the server's side; fd -1: there is no scribe */
static struct {
	int fd;
	pid_t pid;
} scribe = { -1, 0 };

/* in that process: who waits for a daemon; -1: nobody */
static int scribe_ready_fd;
static pid_t scribe_server;

/* both sides' memory: the server's lines that were dropped, and not told yet */
static unsigned long *scribe_lost;

/* ---- the process -------------------------------------------------------- */

/*
 * The signals of a terminal or a service manager go to the whole group, and
 * the last lines come after them.
 */
static void scribe_ignore_signals(void)
{
	static const int ignored[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2,
	};
	unsigned int i;

	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
}

/* all of it, however long that takes; nobody is left to hear of an error */
static void scribe_write(int fd, const char *text)
{
	struct pollfd p = { fd, POLLOUT, 0 };
	size_t len = strlen(text);
	ssize_t n;

	while (len) {
		n = write(fd, text, len);
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			/* whoever shares the file has made it non-blocking */
			poll(&p, 1, -1);
		} else if (n < 0 && errno != EINTR) {
			return;
		}
	}
}

/*
 * A pipe that is full because nobody reads stdout must not hold up what is
 * for stderr. The server lives on without it, so it is closed, or a reader
 * would wait for this process, too.
 */
static void scribe_print(char *text)
{
	int err;

	if (scribe_ready_fd >= 0) {
		daemon_say_ready(scribe_ready_fd, text);
		close(scribe_ready_fd);
		daemon_detach();
		log_to_dev_log(scribe_server);
		return;
	}
	err = log_write(STDOUT_FILENO, text);
	if (err)
		log_msg(LOG_WARNING, "stdout: %s; serving %s", strerror(-err),
			strtok(text, "\n"));
	close(STDOUT_FILENO);
}

static void scribe_keep(char *text)
{
	char *json = strchr(text, ' ');

	if (json)
		statefile_write(atoi(text), json + 1);
}

/* the server has escaped it, which is no more for being done twice */
static void scribe_log(int priority, const char *line)
{
	char text[LINE_BYTES];

	if (log_is_syslog())
		log_line(NULL, priority, line);
	else
		scribe_write(STDERR_FILENO, log_text(text, sizeof(text), line));
}

static void scribe_obey(char *message, size_t len)
{
	switch ((enum scribe_sort)message[0]) {
	case SCRIBE_LOG:
		if (len > 2)
			scribe_log(message[1] - '0', message + 2);
		break;
	case SCRIBE_LOST:
		log_lost(strtoul(message + 1, NULL, 10));
		log_tell_lost(log_is_syslog() ? 0 : -1);
		break;
	case SCRIBE_OUT:
		scribe_print(message + 1);
		break;
	case SCRIBE_STATE:
		scribe_keep(message + 1);
		break;
	}
}

/*
 * The server's last lines may be among those that were dropped, and it may have
 * ended where nobody may wait, or been killed.
 */
static void scribe_tell_lost(void)
{
	log_count_at(scribe_lost);
	log_tell_lost(log_is_syslog() ? LOST_MS : -1);
}

__attribute__((noreturn))
static void scribe_run(int fd)
{
	static char message[TEXT_BYTES];
	ssize_t n;

	scribe_ignore_signals();
	prctl(PR_SET_NAME, "ublkev-scribe");
	close(STDIN_FILENO);
	if (chdir("/"))
		log_msg(LOG_WARNING, "chdir /: %s", strerror(errno));
	for (;;) {
		n = recv(fd, message, sizeof(message) - 1, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		message[n] = '\0';
		scribe_obey(message, (size_t)n);
	}
	scribe_tell_lost();
	_exit(0);
}

/* ---- the server --------------------------------------------------------- */

int scribe_start(int ready_fd)
{
	int p[2], err;

	scribe_ready_fd = ready_fd;
	scribe_server = getpid();
	scribe_lost = mmap(NULL, sizeof(*scribe_lost), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (scribe_lost == MAP_FAILED)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p))
		return -errno;
	scribe.pid = fork();
	if (!scribe.pid) {
		close(p[0]);
		scribe_run(p[1]);
	}
	err = scribe.pid < 0 ? -errno : 0;
	close(p[1]);
	if (err) {
		close(p[0]);
		return err;
	}
	scribe.fd = p[0];
	log_count_at(scribe_lost);
	return 0;
}

int scribe_tell(enum scribe_sort sort, const char *text, size_t len)
{
	char head = (char)sort;
	struct iovec v[2] = {
		{ &head, 1 }, { (char *)(uintptr_t)text, len },
	};
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };

	if (scribe.fd < 0)
		return -ENOTCONN;
	if (sendmsg(scribe.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

static void scribe_leave(void)
{
	if (scribe.fd >= 0)
		close(scribe.fd);
	scribe.fd = -1;
}

/* the end of its socket comes before that of the process, and both are near */
void scribe_stop(void)
{
	struct pollfd p = { scribe.fd, POLLIN, 0 };

	if (scribe.fd < 0)
		return;
	shutdown(scribe.fd, SHUT_WR);
	if (poll(&p, 1, END_MS) > 0)
		waitpid(scribe.pid, NULL, 0);
	scribe_leave();
}
