/* SPDX-License-Identifier: BSD-2-Clause */
/* What a successor makes of a server that does not behave. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ublk-evdemo/takeover.h"
#include "proctree.h"
#include "testlib.h"

static const char *dir;
static char path[100];
static char err[512];
static pthread_t server;
static int listener;
/* what it says, and how: in pieces of so many bytes, again and again */
static const char *words;
static size_t piece;
static int forever;

/* each look at the clock is a tenth of a second, so that nobody waits */
static long looks;
/* we are stopped at our first look, until the server has said all, and longer */
static int stopped;
static int said;

int clock_gettime(clockid_t id, struct timespec *ts)
{
	long ret = syscall(SYS_clock_gettime, id, ts);

	if (stopped == 2)
		ts->tv_sec += 1000;
	if (stopped == 1) {
		while (!__atomic_load_n(&said, __ATOMIC_ACQUIRE))
			sched_yield();
		stopped = 2;
	}
	ts->tv_sec += __atomic_add_fetch(&looks, 1, __ATOMIC_RELAXED) / 10;
	return (int)ret;
}

static void *serve(void *unused)
{
	const struct timespec ms = { 0, 1000000 };
	int fd = accept(listener, NULL, NULL);
	size_t at, n, len = strlen(words);
	char asked[64];

	(void)unused;
	if (recv(fd, asked, sizeof(asked), 0) <= 0)
		goto out;
	do {
		for (at = 0; at < len; at += n) {
			n = len - at < piece ? len - at : piece;
			if (send(fd, words + at, n, MSG_NOSIGNAL) < 0)
				goto out;
			if (forever || piece < len)
				nanosleep(&ms, NULL);
		}
	} while (forever);
	__atomic_store_n(&said, 1, __ATOMIC_RELEASE);
out:
	close(fd);
	return NULL;
}

static void set_up(void)
{
	dir = proctree_new();
	snprintf(path, sizeof(path), "%.80s/ctl", dir);
	piece = 4096;
	forever = 0;
	looks = 0;
	stopped = said = 0;
}

static void tear_down(void)
{
	proctree_remove(dir);
}

/* takeover_ask() of a server that says so */
static int ask(const char *text)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct opts o = { .take_over = path };
	struct takeover t;
	int ret;

	words = text;
	memcpy(a.sun_path, path, sizeof(path));
	unlink(path);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(pthread_create(&server, NULL, serve, NULL), 0);
	takeover_init(&t);
	err[0] = '\0';
	ret = takeover_ask(&t, &o, err, sizeof(err));
	takeover_fini(&t);
	pthread_join(server, NULL);
	close(listener);
	return ret;
}

/* a byte now and then: it is the whole answer that has a deadline */
START_TEST(drips)
{
	piece = 1;
	forever = 1;
	ck_assert_int_eq(ask("x"), -EAGAIN);
	ck_assert_ptr_nonnull(strstr(err, "no answer"));
	ck_assert_int_lt(looks, 100);
}
END_TEST

/* an answer that is there is none that did not come */
START_TEST(late_ourselves)
{
	stopped = 1;
	ck_assert_int_eq(ask("{\"error\":\"no\"}\n"), -ECONNREFUSED);
	ck_assert_int_eq(stopped, 2);
}
END_TEST

START_TEST(in_pieces)
{
	piece = 3;
	ck_assert_int_eq(ask("{\"error\":\"no\"}\n"), -ECONNREFUSED);
	ck_assert_ptr_nonnull(strstr(err, ": no: give"));
}
END_TEST

START_TEST(nonsense)
{
	ck_assert_int_eq(ask("hello\n"), -EPROTO);
	ck_assert_int_eq(ask("[1]\n"), -EPROTO);
	ck_assert_ptr_nonnull(strstr(err, "makes no sense"));
	ck_assert_int_eq(ask("{\"id\":0"), -EPIPE);
}
END_TEST

/* an answer has an end, and a socket's name has one */
START_TEST(too_long)
{
	static char answer[70000], name[200];
	struct opts o = { .take_over = name };
	struct takeover t;

	memset(answer, 'x', sizeof(answer) - 1);
	ck_assert_int_eq(ask(answer), -EMSGSIZE);
	memset(name, '/', sizeof(name) - 1);
	takeover_init(&t);
	ck_assert_int_eq(takeover_ask(&t, &o, err, sizeof(err)), -ENAMETOOLONG);
	ck_assert_ptr_nonnull(strstr(err, "too long"));
	takeover_fini(&t);
}
END_TEST

/* a disk that no server can have is not tried, and blamed on no option */
START_TEST(bad_disk)
{
	static const struct {
		long long bytes, block;
	} bad[] = {
		{ 0, 512 }, { -512, 512 }, { 1000, 512 }, { 4096, 0 },
		{ 6000, 1000 }, { 8192, 8192 }, { 512, 4096 },
	};
	char text[512];
	unsigned int i;

	for (i = 0; i < TEST_COUNT(bad); i++) {
		snprintf(text, sizeof(text), "{\"id\":0,\"backend\":\"null\","
			 "\"dev_bytes\":%lld,\"logical_block_bytes\":%lld,"
			 "\"read_only\":false,\"huge_pages\":false,"
			 "\"unprivileged\":false,\"stays\":true,"
			 "\"recovery\":\"reissue\"}\n", bad[i].bytes,
			 bad[i].block);
		ck_assert_int_eq(ask(text), -EPROTO);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("takeover");
	TCase *t = tcase_create("takeover");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, drips);
	tcase_add_test(t, late_ourselves);
	tcase_add_test(t, in_pieces);
	tcase_add_test(t, nonsense);
	tcase_add_test(t, too_long);
	tcase_add_test(t, bad_disk);
	return test_main(s);
}
