/* SPDX-License-Identifier: BSD-2-Clause */
/* the client of a control socket, and what a server may do to it */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ublk-evctl/sock.h"
#include "proctree.h"
#include "testlib.h"

static struct ev_loop *loop;
static const char *root;
static char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
static int listener, conn;
static struct sock *s;
static json_t *got;
static int got_err, answers, free_inside;

static void on_answer(void *data, json_t *answer, int err)
{
	ck_assert_ptr_eq(data, &answers);
	json_decref(got);
	got = json_incref(answer);
	got_err = err;
	answers++;
	if (free_inside) {
		sock_free(s);
		s = NULL;
	}
	ev_break(loop, EVBREAK_ONE);
}

static void set_up(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	loop = ev_loop_new(EVFLAG_AUTO);
	root = proctree_new();
	ck_assert_int_lt(snprintf(path, sizeof(path), "%s/s", root),
			 sizeof(path));
	memcpy(addr.sun_path, path, sizeof(path));
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&addr,
			      sizeof(addr)), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	conn = -1;
	got = NULL;
	answers = free_inside = 0;
	ck_assert_int_eq(sock_new(&s, loop, path, on_answer, &answers), 0);
}

static void tear_down(void)
{
	sock_free(s);
	json_decref(got);
	if (conn >= 0)
		close(conn);
	if (listener >= 0)
		close(listener);
	proctree_remove(root);
	ev_loop_destroy(loop);
}

/* the server reads the question and says text */
static void serve(const char *question, const char *text)
{
	char buf[256];
	size_t len = strlen(question);

	if (conn < 0)
		conn = accept(listener, NULL, NULL);
	ev_run(loop, EVRUN_NOWAIT);
	ev_run(loop, EVRUN_NOWAIT);
	ck_assert_int_eq(recv(conn, buf, sizeof(buf), 0), len);
	ck_assert_int_eq(memcmp(buf, question, len), 0);
	ck_assert_int_eq(send(conn, text, strlen(text), MSG_NOSIGNAL),
			 strlen(text));
}

START_TEST(question_and_answer)
{
	int i;

	for (i = 1; i <= 3; i++) {
		ck_assert_int_eq(sock_ask(s, "stats", 5), 0);
		ck_assert_int_eq(sock_ask(s, "stats", 5), -EBUSY);
		serve("stats\n", "{\"a\":");
		ev_run(loop, EVRUN_NOWAIT);
		ck_assert_int_eq(answers, i - 1);
		ck_assert_int_eq(send(conn, "7}\n", 3, 0), 3);
		ev_run(loop, 0);
		ck_assert_int_eq(answers, i);
		ck_assert_int_eq(got_err, 0);
		ck_assert_int_eq(json_integer_value(json_object_get(got,
								    "a")), 7);
	}
}
END_TEST

/* its queue of connections is full: it is asked when there is room */
START_TEST(crowded)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int others[8], n = 0, fd;

	memcpy(addr.sun_path, path, sizeof(path));
	do {
		ck_assert_int_lt(n, (int)TEST_COUNT(others));
		others[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	} while (!connect(others[n++], (struct sockaddr *)&addr,
			  sizeof(addr)));
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(sock_ask(s, "stats", 60), 0);
	ck_assert_int_eq(sock_ask(s, "stats", 60), -EBUSY);
	/* two tries without room */
	ev_run(loop, EVRUN_ONCE);
	ev_run(loop, EVRUN_ONCE);
	ck_assert_int_eq(answers, 0);
	while (n-- > 1)
		close(accept(listener, NULL, NULL));
	fcntl(listener, F_SETFL, O_NONBLOCK);
	while ((fd = accept(listener, NULL, NULL)) < 0)
		ev_run(loop, EVRUN_ONCE);
	conn = fd;
	serve("stats\n", "{\"a\":7}\n");
	ev_run(loop, 0);
	ck_assert_int_eq(answers, 1);
	ck_assert_int_eq(got_err, 0);
}
END_TEST

START_TEST(long_answer)
{
	char *text = malloc(200002);

	memset(text, ' ', 200000);
	text[0] = '{';
	memcpy(text + 199999, "}\n", 3);
	ck_assert_int_eq(sock_ask(s, "stats", 5), 0);
	/* a buffer of the kernel's at a time */
	conn = accept(listener, NULL, NULL);
	if (!fork()) {
		(void)!write(conn, text, 200001);
		_exit(0);
	}
	ev_run(loop, 0);
	ck_assert_int_eq(got_err, 0);
	ck_assert(json_is_object(got));
	free(text);
}
END_TEST

/* what is no answer: an error, and the next question connects anew */
START_TEST(nonsense)
{
	static const char *const v[] = {
		"\n", "nonsense\n", "[1]\n", "{\"a\":1}\n{\"b\":1}\n",
		"{\"a\":1}\nx", "7\n"
	};
	size_t i;

	for (i = 0; i < TEST_COUNT(v); i++) {
		ck_assert_int_eq(sock_ask(s, "stats", 5), 0);
		serve("stats\n", v[i]);
		ev_run(loop, 0);
		ck_assert_msg(got_err == -EPROTO, "%s: %d", v[i], got_err);
		ck_assert_ptr_null(got);
		close(conn);
		conn = -1;
	}
}
END_TEST

/* without an end, it is none before all memory is full of it */
START_TEST(endless)
{
	static char much[64 << 10];
	size_t sent = 0;
	ssize_t n;

	memset(much, 'x', sizeof(much));
	ck_assert_int_eq(sock_ask(s, "stats", 60), 0);
	serve("stats\n", "{");
	while (!answers && sent < 16 << 20) {
		n = send(conn, much, sizeof(much), MSG_DONTWAIT | MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		ev_run(loop, EVRUN_NOWAIT);
	}
	ck_assert_int_eq(answers, 1);
	ck_assert_int_eq(got_err, -EPROTO);
}
END_TEST

START_TEST(goes_away)
{
	ck_assert_int_eq(sock_ask(s, "stats", 5), 0);
	serve("stats\n", "{");
	close(conn);
	conn = -1;
	ev_run(loop, 0);
	ck_assert_int_eq(got_err, -EPIPE);
	/* between two questions: not noticed, and no harm */
	ck_assert_int_eq(sock_ask(s, "stats", 5), 0);
	serve("stats\n", "{}\n");
	ev_run(loop, 0);
	ck_assert_int_eq(got_err, 0);
	close(conn);
	conn = -1;
	ev_run(loop, EVRUN_NOWAIT);
	ck_assert_int_eq(sock_ask(s, "stats", 5), 0);
	serve("stats\n", "{}\n");
	ev_run(loop, 0);
	ck_assert_int_eq(got_err, 0);
	ck_assert_int_eq(answers, 3);
	/* for good */
	close(conn);
	close(listener);
	conn = listener = -1;
	ev_run(loop, EVRUN_NOWAIT);
	ck_assert_int_eq(sock_ask(s, "stats", 5), -ECONNREFUSED);
	unlink(path);
	ck_assert_int_eq(sock_ask(s, "stats", 5), -ENOENT);
}
END_TEST

START_TEST(silence)
{
	ck_assert_int_eq(sock_ask(s, "stats", .02), 0);
	ev_run(loop, 0);
	ck_assert_int_eq(got_err, -ETIMEDOUT);
	free_inside = 1;
	ck_assert_int_eq(sock_ask(s, "stats", .02), 0);
	ev_run(loop, 0);
	ck_assert_int_eq(answers, 2);
	ck_assert_ptr_null(s);
}
END_TEST

/* the answer was there in time, and nobody looked */
START_TEST(late_ourselves)
{
	const struct timespec late = { 0, 30 * 1000 * 1000 };

	ck_assert_int_eq(sock_ask(s, "stats", .02), 0);
	serve("stats\n", "{\"a\":7}\n");
	nanosleep(&late, NULL);
	ev_run(loop, 0);
	ck_assert_int_eq(answers, 1);
	ck_assert_int_eq(got_err, 0);
}
END_TEST

START_TEST(freed_inside)
{
	free_inside = 1;
	ck_assert_int_eq(sock_ask(s, "x", 5), 0);
	serve("x\n", "{}\n");
	ev_run(loop, 0);
	ck_assert_ptr_null(s);
}
END_TEST

START_TEST(paths)
{
	char buf[256], line[200];

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	ck_assert_int_eq(sock_ask(s, line, 1), -ENAMETOOLONG);
	sock_free(s);
	s = NULL;
	ck_assert_int_eq(sock_new(&s, loop, line, on_answer, NULL),
			 -ENAMETOOLONG);
	setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
	ck_assert_int_eq(sock_path(buf, sizeof(buf), "/r", 3), 0);
	ck_assert_str_eq(buf, geteuid() ?
			 "/run/user/1/ublk-ev/ublkb3.sock" :
			 "/r/run/ublk-ev/ublkb3.sock");
	ck_assert_int_eq(sock_path(buf, 10, "", 3), -ENAMETOOLONG);
	unsetenv("XDG_RUNTIME_DIR");
	ck_assert_int_eq(sock_path(buf, sizeof(buf), "", 3),
			 geteuid() ? -ENOENT : 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("evctl_sock");
	TCase *t = tcase_create("evctl_sock");

	suite_add_tcase(suite, t);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, question_and_answer);
	tcase_add_test(t, crowded);
	tcase_add_test(t, long_answer);
	tcase_add_test(t, nonsense);
	tcase_add_test(t, endless);
	tcase_add_test(t, goes_away);
	tcase_add_test(t, silence);
	tcase_add_test(t, late_ourselves);
	tcase_add_test(t, freed_inside);
	tcase_add_test(t, paths);
	return test_main(suite);
}
