/* SPDX-License-Identifier: BSD-2-Clause */
/* pidfile, daemon and log: what a background process needs */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "ublk-evdemo/daemon.h"
#include "ublk-evdemo/logger.h"
#include "ublk-evdemo/pidfile.h"
#include "ublk-evdemo/scribe.h"
#include "proctree.h"
#include "testlib.h"

#define OUT_BYTES 600

static const char *dir;
static char path[512];
static char err[700];

static void set_up(void)
{
	dir = proctree_new();
	snprintf(path, sizeof(path), "%s/pid", dir);
	log_init(LOG_NOTICE);
}

static void tear_down(void)
{
	proctree_remove(dir);
}

static const char *content(const char *file)
{
	static char buf[256];
	FILE *f = fopen(file, "r");
	size_t n;

	if (!f)
		return "";
	n = fread(buf, 1, sizeof(buf) - 1, f);
	buf[n] = '\0';
	fclose(f);
	return buf;
}

START_TEST(pidfile_life)
{
	struct pidfile p, q;
	char want[32];

	snprintf(want, sizeof(want), "%d\n", (int)getpid());
	ck_assert_int_eq(pidfile_open(&p, path, err, sizeof(err)), 0);
	ck_assert_str_eq(content(path), want);
	ck_assert_int_eq(pidfile_open(&q, path, err, sizeof(err)), -EBUSY);
	want[strlen(want) - 1] = '\0';
	ck_assert_ptr_nonnull(strstr(err, want));
	ck_assert_ptr_nonnull(strstr(err, path));
	pidfile_close(&q);
	ck_assert_int_eq(access(path, F_OK), 0);
	pidfile_close(&p);
	ck_assert_int_eq(access(path, F_OK), -1);
	pidfile_close(&p);
}
END_TEST

/* whoever may read it can lock it: that is no sign of its process' life */
START_TEST(pidfile_locked_by_another)
{
	struct pidfile p;
	char want[64];
	int ready[2], fd;
	pid_t pid;

	proctree_file(dir, "pid", "1\n");
	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		fd = open(path, O_RDONLY);
		if (flock(fd, LOCK_SH) || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(1);
	}
	ck_assert_int_eq(read(ready[0], want, 1), 1);
	ck_assert_int_eq(pidfile_open(&p, path, err, sizeof(err)), -EBUSY);
	snprintf(want, sizeof(want), "process %d has locked it", (int)pid);
	ck_assert_ptr_nonnull(strstr(err, want));
	ck_assert_ptr_null(strstr(err, "lives"));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(pidfile_open(&p, path, err, sizeof(err)), 0);
	pidfile_close(&p);
}
END_TEST

START_TEST(pidfile_stale)
{
	struct pidfile p;
	char want[32];

	/* a crash left it; that the number lives says nothing */
	proctree_file(dir, "pid", "1\n");
	ck_assert_int_eq(pidfile_open(&p, path, err, sizeof(err)), 0);
	pidfile_close(&p);
	/* a longer number leaves nothing behind ours */
	proctree_file(dir, "pid", "1234567890\n");
	ck_assert_int_eq(pidfile_open(&p, path, err, sizeof(err)), 0);
	snprintf(want, sizeof(want), "%d\n", (int)getpid());
	ck_assert_str_eq(content(path), want);
	pidfile_close(&p);
	proctree_file(dir, "pid", "");
	ck_assert_int_eq(pidfile_open(&p, path, err, sizeof(err)), 0);
	pidfile_close(&p);
}
END_TEST

START_TEST(pidfile_not_ours)
{
	static const char *const text[] = {
		"precious\n", "12", "\n", "12\nx", "123456789012\n", "1 2\n",
	};
	struct pidfile p;
	unsigned int i;

	for (i = 0; i < TEST_COUNT(text); i++) {
		proctree_file(dir, "pid", text[i]);
		ck_assert_int_eq(pidfile_open(&p, path, err, sizeof(err)),
				 -EEXIST);
		ck_assert_str_eq(content(path), text[i]);
	}
	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(pidfile_open(&p, path, err, sizeof(err)), -EEXIST);
	unlink(path);
	proctree_link(dir, "pid", "elsewhere");
	ck_assert_int_eq(pidfile_open(&p, path, err, sizeof(err)), -ELOOP);
	ck_assert_int_eq(pidfile_open(&p, dir, err, sizeof(err)), -EISDIR);
	ck_assert_int_eq(pidfile_open(&p, "/nonexistent/p", err, sizeof(err)),
			 -ENOENT);
	ck_assert_ptr_nonnull(strstr(err, "--pidfile"));
}
END_TEST

/* another has put its own there: that is not ours to remove */
START_TEST(pidfile_of_a_successor)
{
	struct pidfile p;

	ck_assert_int_eq(pidfile_open(&p, path, err, sizeof(err)), 0);
	unlink(path);
	proctree_file(dir, "pid", "4711\n");
	pidfile_close(&p);
	ck_assert_str_eq(content(path), "4711\n");
}
END_TEST

static bool unheard;

/* what the parent would exit with, its stdout and its stderr */
static int in_background(void (*child)(int ready_fd), char out[OUT_BYTES])
{
	char o[600], e[600];
	int status, fd;
	pid_t pid;

	snprintf(o, sizeof(o), "%s/out", dir);
	snprintf(e, sizeof(e), "%s/err", dir);
	pid = fork();
	if (!pid) {
		dup2(open(o, O_CREAT | O_WRONLY | O_APPEND, 0600), 1);
		dup2(open(e, O_CREAT | O_WRONLY | O_APPEND, 0600), 2);
		if (unheard)
			signal(SIGCHLD, SIG_IGN);
		status = daemon_fork(&fd);
		if (status >= 0)
			_exit(status);
		child(fd);
		_exit(3);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	snprintf(out, OUT_BYTES, "%s|", content(o));
	snprintf(out + strlen(out), OUT_BYTES - strlen(out), "%s",
		 content(e));
	return WEXITSTATUS(status);
}

static void child_ready(int fd)
{
	char cwd[64];

	/* a child that waits is what a script may not wait for */
	if (getsid(0) != getpid() || strcmp(getcwd(cwd, sizeof(cwd)), "/"))
		_exit(4);
	daemon_say_ready(fd, "/dev/ublkb7\n");
	daemon_detach();
	close(fd);
	if (write(1, "x", 1) != 1)
		_exit(4);
	sleep(1);
}

static void child_fails(int fd)
{
	(void)fd;
	log_msg(LOG_ERR, "ADD_DEV: no");
	_exit(1);
}

static void child_ends(int fd)
{
	(void)fd;
	_exit(0);
}

static void child_dies(int fd)
{
	(void)fd;
	raise(SIGKILL);
}

START_TEST(background)
{
	char out[OUT_BYTES];

	ck_assert_int_eq(in_background(child_ready, out), 0);
	ck_assert_str_eq(out, "/dev/ublkb7\n|");
}
END_TEST

START_TEST(background_fails)
{
	char out[OUT_BYTES];

	ck_assert_int_eq(in_background(child_fails, out), 1);
	ck_assert_str_eq(out, "|ublk-evdemo: ADD_DEV: no\n");
}
END_TEST

/* of a caller who ignores that children end */
START_TEST(background_unheard)
{
	char out[OUT_BYTES];

	unheard = true;
	ck_assert_int_eq(in_background(child_fails, out), 1);
	ck_assert_str_eq(out, "|ublk-evdemo: ADD_DEV: no\n");
	unheard = false;
}
END_TEST

START_TEST(background_ends)
{
	char out[OUT_BYTES];

	ck_assert_int_eq(in_background(child_ends, out), 1);
	ck_assert_ptr_nonnull(strstr(out, "told to end"));
}
END_TEST

START_TEST(background_dies)
{
	char out[OUT_BYTES];

	ck_assert_int_eq(in_background(child_dies, out), 1);
	ck_assert_ptr_nonnull(strstr(out, "signal 9"));
}
END_TEST

START_TEST(full_pipe_does_not_wait)
{
	int p[2], i, ret = 0;
	char line[512];

	ck_assert_int_eq(pipe(p), 0);
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	for (i = 0; i < 100000 && !ret; i++)
		ret = log_write(p[1], line);
	ck_assert_int_eq(ret, -EAGAIN);
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(log_write(p[1], line), -EPIPE);
	close(p[1]);
	ck_assert_int_eq(log_write(p[1], line), -EBADF);
}
END_TEST

/* "", or what came without waiting */
static const char *datagram(int fd)
{
	static char buf[2048];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

START_TEST(syslog_lines)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0), i;
	const char *got;

	snprintf(a.sun_path, sizeof(a.sun_path), "%.80s/log", dir);
	log_to_syslog(a.sun_path, 4321);
	log_msg(LOG_ERR, "nobody there");
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	log_msg(LOG_ERR, "it is %s", "late");
	ck_assert_ptr_nonnull(strstr(datagram(fd), "1 lines of log were lost"));
	got = datagram(fd);
	ck_assert_int_eq(strncmp(got, "<27>", 4), 0);
	ck_assert_ptr_nonnull(strstr(got, "ublk-evdemo[4321]: it is late"));
	log_msg(LOG_DEBUG, "not wanted");
	ck_assert_str_eq(datagram(fd), "");
	/* a syslogd that sleeps */
	for (i = 0; i < 10000; i++)
		log_line(NULL, LOG_ERR, "again");
	while (*datagram(fd))
		;
	log_line(NULL, LOG_ERR, "end");
	ck_assert_ptr_nonnull(strstr(datagram(fd), "were lost"));
	ck_assert_ptr_nonnull(strstr(datagram(fd), "end"));
	close(fd);
}
END_TEST

/* what was counted before goes with it */
START_TEST(counted_elsewhere)
{
	char nowhere[600];
	unsigned long lost = 3;

	snprintf(nowhere, sizeof(nowhere), "%.80s/nowhere", dir);
	log_to_syslog(nowhere, 4321);
	log_msg(LOG_ERR, "one");
	log_msg(LOG_ERR, "two");
	log_count_at(&lost);
	ck_assert_uint_eq(lost, 5);
	log_msg(LOG_ERR, "three");
	ck_assert_uint_eq(lost, 6);
	log_tell_lost(0);
	ck_assert_uint_eq(lost, 6);
}
END_TEST

/* a text of another user's is one line, and moves no cursor */
START_TEST(no_forged_line)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%.80s/log", dir);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	log_to_syslog(a.sun_path, 4321);
	log_msg(LOG_ERR, "mounted at %s", "/a\n\x1b[2J\xff");
	ck_assert_ptr_nonnull(strstr(datagram(fd),
				     "mounted at /a\\x0a\\x1b[2J\\xff"));
	close(fd);
}
END_TEST

#define LINES 1000

/* how a server ends whose last lines were dropped */
enum end { END_STOPS, END_LEAVES, END_IS_KILLED, NR_ENDS };

/* log_tell_lost() where nothing may wait, as a server that hands its disk on */
static void end_as(enum end end)
{
	switch (end) {
	case END_STOPS:
		scribe_stop();
		log_to_scribe(0);
		log_tell_lost(0);
		break;
	case END_LEAVES:
		log_tell_lost(0);
		break;
	default:
		raise(SIGKILL);
	}
	_exit(0);
}

/*
 * In a child: stderr is a pipe that is full, as is the scribe's socket, when the
 * last lines are logged. Then says so to the parent, which begins to read: at
 * once, or when this process has ended.
 */
static void lose_lines(int stderr_fd, int parent, enum end end)
{
	struct pollfd p = { stderr_fd, POLLOUT, 0 };
	int i;

	dup2(stderr_fd, STDERR_FILENO);
	if (scribe_start(-1))
		_exit(2);
	log_to_scribe(1);
	do
		while (!scribe_tell(SCRIBE_LOG, "5kept", 5))
			;
	while (poll(&p, 1, 0));
	for (i = 0; i < LINES; i++)
		log_msg(LOG_NOTICE, "line %d", i);
	if (write(parent, "", 1) != 1)
		_exit(2);
	end_as(end);
}

/* of our lines, those that came and those that were said to be lost */
static unsigned long accounted(const char *seen)
{
	unsigned long n = 0;
	const char *at;

	for (at = seen; (at = strstr(at, ": line ")); at++)
		n++;
	for (at = seen; (at = strstr(at, " lines of log were lost")); at++) {
		while (at[-1] != ' ')
			at--;
		n += strtoul(at, NULL, 10);
		at = strstr(at, "lines of log");
	}
	return n;
}

/* until all who write have closed it */
static void read_all(int fd, char *seen, size_t size)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, seen + len, size - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	ck_assert_int_eq(n, 0);
	seen[len] = '\0';
}

/* however it ends: what was lost last is told as well */
START_TEST(lost_at_the_end)
{
	static char seen[1 << 20];
	int p[2], pair[2], status;
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pid = fork();
	if (!pid) {
		close(pair[0]);
		close(p[0]);
		lose_lines(p[1], pair[1], (enum end)_i);
	}
	close(p[1]);
	close(pair[1]);
	ck_assert_int_eq(read(pair[0], &c, 1), 1);
	if (_i != END_STOPS)
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	read_all(p[0], seen, sizeof(seen));
	ck_assert_uint_eq(accounted(seen), LINES);
	if (_i == END_STOPS)
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, _i == END_IS_KILLED ? SIGKILL : 0);
	close(pair[0]);
	close(p[0]);
}
END_TEST

/* in a child: a daemon whose syslogd, the parent, sleeps */
static void lose_datagrams(const char *name, int parent)
{
	char c;
	int i;

	log_to_syslog(name, 4321);
	if (scribe_start(-1))
		_exit(2);
	log_to_scribe(1);
	for (i = 0; i < LINES; i++)
		log_msg(LOG_NOTICE, "line %d", i);
	if (write(parent, "", 1) != 1 || read(parent, &c, 1) != 1)
		_exit(2);
	_exit(0);
}

/* a daemon's scribe drops lines as well; `parent` is closed when it has ended */
START_TEST(lost_by_the_scribe)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0), pair[2];
	struct pollfd either[2];
	unsigned long n = 0;
	const char *got;
	pid_t pid;
	char c;

	snprintf(a.sun_path, sizeof(a.sun_path), "%.80s/log", dir);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pid = fork();
	if (!pid) {
		close(fd);
		close(pair[0]);
		lose_datagrams(a.sun_path, pair[1]);
	}
	close(pair[1]);
	ck_assert_int_eq(read(pair[0], &c, 1), 1);
	ck_assert_int_eq(write(pair[0], "", 1), 1);
	either[0] = (struct pollfd){ fd, POLLIN, 0 };
	either[1] = (struct pollfd){ pair[0], POLLIN, 0 };
	do {
		ck_assert_int_gt(poll(either, 2, -1), 0);
		while (*(got = datagram(fd)))
			n += accounted(got);
	} while (!either[1].revents);
	ck_assert_uint_eq(n, LINES);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	close(pair[0]);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("daemon");
	TCase *t = tcase_create("daemon");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, pidfile_life);
	tcase_add_test(t, pidfile_locked_by_another);
	tcase_add_test(t, pidfile_stale);
	tcase_add_test(t, pidfile_not_ours);
	tcase_add_test(t, pidfile_of_a_successor);
	tcase_add_test(t, background);
	tcase_add_test(t, background_fails);
	tcase_add_test(t, background_unheard);
	tcase_add_test(t, background_ends);
	tcase_add_test(t, background_dies);
	tcase_add_test(t, full_pipe_does_not_wait);
	tcase_add_loop_test(t, lost_at_the_end, 0, NR_ENDS);
	/* which lines find no room is the scheduler's to say */
	tcase_add_loop_test(t, lost_by_the_scribe, 0, 4);
	tcase_add_test(t, syslog_lines);
	tcase_add_test(t, no_forged_line);
	tcase_add_test(t, counted_elsewhere);
	return test_main(s);
}
