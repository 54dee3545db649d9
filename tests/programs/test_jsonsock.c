/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket's clients: lines that come in pieces, answers that do not
 * fit, clients that leave, are slow, or are too many.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ublk-evdemo/jsonsock.h"
#include "json_kit.h"
#include "proctree.h"
#include "testlib.h"

static struct ev_loop *loop;
static struct jsonsock *cs;
static const char *dir;
static char path[512];
static char err[512];
static int answers;
static size_t answer_bytes;

/* who asked for what is answered later, and whose leaving was told */
static struct jsonclient *waiting;
static int gone;

/* libev's clock goes with this one: by so many seconds it is ahead */
static time_t ahead;

int clock_gettime(clockid_t id, struct timespec *ts)
{
	long ret = syscall(SYS_clock_gettime, id, ts);

	ts->tv_sec += ahead;
	return (int)ret;
}

/* likewise: no descriptor is left for a client */
static int no_accept, accepts;

int accept4(int fd, __SOCKADDR_ARG addr, socklen_t *len, int flags)
{
	accepts++;
	if (!no_accept)
		return (int)syscall(SYS_accept4, fd, addr.__sockaddr__, len,
				    flags);
	errno = EMFILE;
	return -1;
}

static void echo(void *data, struct jsonclient *client, const char *line)
{
	char *text = malloc(answer_bytes + strlen(line) + 1);

	ck_assert_ptr_eq(data, &answers);
	memset(text, 'x', answer_bytes);
	strcpy(text + answer_bytes, line);
	answers++;
	if (!strcmp(line, "later")) {
		free(text);
		waiting = client;
	} else if (!strcmp(line, "nothing")) {
		free(text);
		jsonclient_answer(client, NULL, -1);
	} else {
		jsonclient_answer(client, text, -1);
	}
}

static void leave(void *data, struct jsonclient *client)
{
	ck_assert_ptr_eq(data, &answers);
	gone++;
	if (waiting == client)
		waiting = NULL;
}

static const struct jsonsock_ops ops = { .line = echo, .gone = leave };

static void set_up(void)
{
	loop = ev_loop_new(EVFLAG_AUTO);
	dir = proctree_new();
	snprintf(path, sizeof(path), "%s/ctl", dir);
	answers = 0;
	answer_bytes = 0;
	waiting = NULL;
	gone = 0;
	ck_assert_int_eq(jsonsock_new(&cs, loop, path, 0, &ops, &answers, err,
				      sizeof(err)), 0);
}

static void tear_down(void)
{
	jsonsock_free(cs);
	ck_assert_int_eq(access(path, F_OK), -1);
	ev_loop_destroy(loop);
	proctree_remove(dir);
}

static int dial(void)
{
	return json_kit_dial(path);
}

static void turn(int n)
{
	json_kit_turn(loop, n);
}

static const char *hear(int fd)
{
	return json_kit_hear(loop, fd);
}

/* one that cannot be taken now is looked at again in a while, not at once */
START_TEST(no_descriptor)
{
	int fd = dial();

	accepts = 0;
	no_accept = 1;
	turn(5);
	ck_assert_int_eq(accepts, 1);
	no_accept = 0;
	json_kit_say(fd, "x\n");
	ck_assert_str_eq(hear(fd), "");
	ck_assert_int_eq(accepts, 1);
	ahead += 5;
	ck_assert_str_eq(hear(fd), "x\n");
	close(fd);
}
END_TEST

START_TEST(lines)
{
	int a = dial(), b = dial();

	json_kit_say(a, "one\ntwo\r\n\nth");
	json_kit_say(b, "b\n");
	ck_assert_str_eq(hear(a), "one\ntwo\n");
	ck_assert_str_eq(hear(b), "b\n");
	json_kit_say(a, "ree\n");
	ck_assert_str_eq(hear(a), "three\n");
	close(a);
	close(b);
	turn(3);
}
END_TEST

START_TEST(half_closed)
{
	int a = dial();

	json_kit_say(a, "one\nlast");
	shutdown(a, SHUT_WR);
	ck_assert_str_eq(hear(a), "one\nlast\n");
	ck_assert_str_eq(hear(a), "EOF");
	close(a);
}
END_TEST

START_TEST(overlong)
{
	char text[4 * CTLSOCK_LINE_BYTES];
	int a = dial();

	memset(text, 'y', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	json_kit_say(a, text);
	ck_assert_str_eq(hear(a), "{\"schema\":1,\"error\":\"line too long\"}"
			 "\n");
	json_kit_say(a, text);
	ck_assert_str_eq(hear(a), "");
	json_kit_say(a, "\nok\n");
	ck_assert_str_eq(hear(a), "ok\n");
	ck_assert_int_eq(answers, 1);
	/* as long as may be */
	text[CTLSOCK_LINE_BYTES - 1] = '\0';
	json_kit_say(a, text);
	ck_assert_str_eq(hear(a), "");
	json_kit_say(a, "\n");
	ck_assert_uint_eq(strlen(hear(a)), CTLSOCK_LINE_BYTES);
	close(a);
}
END_TEST

START_TEST(one_line_a_turn)
{
	int a = dial(), i;

	json_kit_say(a, "1\n2\n3\n4\n5\n6\n");
	turn(2);
	ck_assert_int_le(answers, 2);
	/* some wait until those before them have been read */
	for (i = 0; i < 6 && answers < 6; i++)
		hear(a);
	ck_assert_int_eq(answers, 6);
	close(a);
}
END_TEST

/* reads nothing: no more answers are made than fit and one */
START_TEST(slow_client)
{
	int a = dial(), i, was;
	long got = 0;
	ssize_t n;
	char buf[4096];

	answer_bytes = 100000;
	for (i = 0; i < 100; i++) {
		json_kit_say(a, "more\n");
		turn(3);
	}
	was = answers;
	ck_assert_int_lt(was, 50);
	turn(10);
	ck_assert_int_eq(answers, was);
	for (i = 0; i < 100000 && got < 100 * 100005l; i++) {
		n = recv(a, buf, sizeof(buf), 0);
		got += n > 0 ? n : 0;
		turn(1);
	}
	ck_assert_int_eq(got, 100 * 100005l);
	ck_assert_int_eq(answers, 100);
	close(a);
}
END_TEST

START_TEST(gone_client)
{
	int a = dial();

	answer_bytes = 1000000;
	json_kit_say(a, "x\n");
	close(a);
	turn(10);
	ck_assert_str_eq(hear(a = dial()), "");
	close(a);
}
END_TEST

/* time passes for the loop, not for us */
static void pass(int seconds)
{
	ahead += seconds;
	turn(3);
}

static int open_at_other_end(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* has answers, in part in the kernel, and reads none of them */
START_TEST(reads_nothing)
{
	int a = dial(), quiet = dial();

	answer_bytes = 1000;
	/* until its lines have no more room either */
	while (send(a, "more\n", 5, MSG_NOSIGNAL) == 5)
		turn(2);
	/* the kernel holds no more of them than a few */
	ck_assert_int_lt(answers, 10);
	ck_assert_int_eq(gone, 0);
	pass(11);
	ck_assert_int_eq(gone, 1);
	/* nothing is due to it */
	ck_assert(open_at_other_end(quiet));
	close(a);
	close(quiet);
}
END_TEST

/* nothing waits to be sent: the one answer is in the kernel, unread */
START_TEST(reads_not_the_last)
{
	int a = dial(), b = dial();

	json_kit_say(a, "a\n");
	json_kit_say(b, "b\n");
	turn(5);
	ck_assert_int_eq(answers, 2);
	ck_assert_str_eq(hear(b), "b\n");
	pass(11);
	ck_assert_int_eq(gone, 1);
	json_kit_say(b, "on\n");
	ck_assert_str_eq(hear(b), "on\n");
	close(a);
	close(b);
}
END_TEST

/* slow it is, but it reads; that the loop is late is not its fault */
START_TEST(reads_slowly)
{
	char buf[16000];
	int a = dial();
	long got = 0;
	ssize_t n;

	answer_bytes = 100000;
	json_kit_say(a, "x\n");
	turn(3);
	while (got < 100002) {
		n = recv(a, buf, sizeof(buf), 0);
		ck_assert_int_gt(n, 0);
		got += n;
		pass(got < 80000 ? 11 : 0);
	}
	ck_assert_int_eq(gone, 0);
	close(a);
}
END_TEST

/* the one that was quiet longest makes room, not one that waits */
START_TEST(too_many)
{
	int fd[CTLSOCK_MAX_CLIENTS + 1], i;

	for (i = 0; i < CTLSOCK_MAX_CLIENTS; i++) {
		fd[i] = dial();
		pass(1);
	}
	json_kit_say(fd[0], "later\n");
	turn(3);
	json_kit_say(fd[1], "hi\n");
	ck_assert_str_eq(hear(fd[1]), "hi\n");
	fd[i] = dial();
	turn(3);
	json_kit_say(fd[i], "new\n");
	ck_assert_str_eq(hear(fd[i]), "new\n");
	ck_assert_int_eq(gone, 1);
	ck_assert_str_eq(hear(fd[2]), "EOF");
	jsonclient_answer(waiting, strdup("now"), -1);
	ck_assert_str_eq(hear(fd[0]), "now\n");
	for (i = 0; i <= CTLSOCK_MAX_CLIENTS; i++)
		close(fd[i]);
	turn(5);
}
END_TEST

/* each waits for an answer: there is nobody to drop */
START_TEST(too_many_wait)
{
	int fd[CTLSOCK_MAX_CLIENTS + 1], i;

	for (i = 0; i < CTLSOCK_MAX_CLIENTS; i++) {
		fd[i] = dial();
		json_kit_say(fd[i], "later\n");
		turn(4);
		if (i % 2)
			continue;
		/* or is a successor, and silent until it serves */
		jsonclient_keep(waiting, 1);
		jsonclient_answer(waiting, strdup("now"), -1);
		ck_assert_str_eq(hear(fd[i]), "now\n");
	}
	fd[i] = dial();
	ck_assert_ptr_nonnull(strstr(hear(fd[i]), "too many"));
	ck_assert_int_eq(gone, 0);
	for (i = 0; i <= CTLSOCK_MAX_CLIENTS; i++)
		close(fd[i]);
}
END_TEST

START_TEST(later)
{
	int a = dial(), b = dial();

	json_kit_say(a, "later\nnext\n");
	ck_assert_str_eq(hear(a), "");
	ck_assert_ptr_nonnull(waiting);
	/* its further lines wait, those of others do not */
	ck_assert_int_eq(answers, 1);
	json_kit_say(b, "b\n");
	ck_assert_str_eq(hear(b), "b\n");
	jsonclient_answer(waiting, strdup("now"), -1);
	ck_assert_str_eq(hear(a), "now\nnext\n");
	close(a);
	turn(3);
	ck_assert_int_eq(gone, 1);
	ck_assert_ptr_null(waiting);
	close(b);
}
END_TEST

/* one that leaves is told of when it has had its answer */
START_TEST(later_and_gone)
{
	int a = dial(), b = dial();

	json_kit_say(a, "later\n");
	turn(3);
	close(a);
	turn(10);
	ck_assert_int_eq(gone, 0);
	jsonclient_answer(waiting, strdup("now"), -1);
	turn(3);
	ck_assert_int_eq(gone, 1);
	/* half closed is not gone */
	json_kit_say(b, "later\n");
	shutdown(b, SHUT_WR);
	turn(3);
	jsonclient_answer(waiting, strdup("now"), -1);
	ck_assert_str_eq(hear(b), "now\n");
	ck_assert_int_eq(gone, 2);
	close(b);
}
END_TEST

START_TEST(no_memory)
{
	int a = dial();

	json_kit_say(a, "nothing\n");
	ck_assert_str_eq(hear(a), "EOF");
	ck_assert_int_eq(gone, 1);
	close(a);
	a = dial();
	json_kit_say(a, "later\n");
	turn(3);
	jsonclient_answer(waiting, NULL, -1);
	ck_assert_str_eq(hear(a), "EOF");
	ck_assert_int_eq(gone, 2);
	close(a);
}
END_TEST

/* a line of `a`, with its descriptor; -1: there was none */
static int hear_fd(int a, char *buf, size_t size)
{
	struct iovec iov = { buf, size - 1 };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} u;
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buf, .msg_controllen = sizeof(u.buf),
	};
	ssize_t n;
	int fd = -1;

	turn(5);
	n = recvmsg(a, &m, 0);
	ck_assert_int_gt(n, 0);
	buf[n] = '\0';
	if (CMSG_FIRSTHDR(&m))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

START_TEST(descriptor)
{
	int a = dial(), p[2], fd;
	char buf[64];

	ck_assert_int_eq(pipe(p), 0);
	json_kit_say(a, "later\n");
	turn(3);
	jsonclient_answer(waiting, strdup("here"), p[1]);
	/* a duplicate was taken */
	close(p[1]);
	fd = hear_fd(a, buf, sizeof(buf));
	ck_assert_str_eq(buf, "here\n");
	ck_assert_int_eq(write(fd, "x", 1), 1);
	ck_assert_int_eq(read(p[0], buf, sizeof(buf)), 1);
	close(fd);
	/* and given back: the pipe has no writer any more */
	ck_assert_int_eq(read(p[0], buf, sizeof(buf)), 0);
	json_kit_say(a, "plain\n");
	ck_assert_int_eq(hear_fd(a, buf, sizeof(buf)), -1);
	/* one that never read it */
	json_kit_say(a, "later\n");
	turn(3);
	jsonclient_answer(waiting, strdup("never"), p[0]);
	close(a);
	turn(3);
	ck_assert_int_eq(gone, 1);
	json_kit_say(dial(), "later\n");
	turn(3);
	jsonclient_answer(waiting, strdup("bad"), 12345);
	turn(3);
	ck_assert_int_eq(gone, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("jsonsock");
	TCase *t = tcase_create("jsonsock");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, no_descriptor);
	tcase_add_test(t, lines);
	tcase_add_test(t, half_closed);
	tcase_add_test(t, overlong);
	tcase_add_test(t, one_line_a_turn);
	tcase_add_test(t, slow_client);
	tcase_add_test(t, gone_client);
	tcase_add_test(t, reads_nothing);
	tcase_add_test(t, reads_not_the_last);
	tcase_add_test(t, reads_slowly);
	tcase_add_test(t, too_many);
	tcase_add_test(t, too_many_wait);
	tcase_add_test(t, later);
	tcase_add_test(t, later_and_gone);
	tcase_add_test(t, no_memory);
	tcase_add_test(t, descriptor);
	return test_main(s);
}
