/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A successor in its loop, from 'release' to 'done': when it goes, is refused or
 * has it, by what the server says, in one piece or not, or says no more.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ublk-evdemo/takeover.h"
#include "testlib.h"

static struct ev_loop *loop;
static struct takeover t;
static int server;			/* its end; -1: closed */
static int gone, refused, done;
static int lost_at_go;
static char why_not[64];

/* libev's clock goes with this one: by so many seconds it is ahead */
static time_t ahead;

int clock_gettime(clockid_t id, struct timespec *ts)
{
	long ret = syscall(SYS_clock_gettime, id, ts);

	ts->tv_sec += ahead;
	return (int)ret;
}

static void on_go(void *data)
{
	ck_assert_ptr_eq(data, &t);
	lost_at_go = t.lost_writes;
	gone++;
}

static void on_refused(void *data, const char *why)
{
	ck_assert_ptr_eq(data, &t);
	strncpy(why_not, why, sizeof(why_not) - 1);
	refused++;
}

static void on_done(void *data)
{
	ck_assert_ptr_eq(data, &t);
	done++;
}

static void set_up(void)
{
	int fds[2];

	loop = ev_loop_new(EVFLAG_AUTO);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	takeover_init(&t);
	t.fd = fds[0];
	server = fds[1];
	gone = refused = done = lost_at_go = 0;
	ahead = 0;
}

static void tear_down(void)
{
	takeover_fini(&t);
	if (server >= 0)
		close(server);
	ev_loop_destroy(loop);
}

static void hears(const char *word)
{
	char buf[64];
	ssize_t n = recv(server, buf, sizeof(buf), MSG_DONTWAIT);

	ck_assert_int_eq(n, strlen(word));
	ck_assert_mem_eq(buf, word, strlen(word));
}

static void turn(void)
{
	int i;

	for (i = 0; i < 3; i++)
		ev_run(loop, EVRUN_NOWAIT);
}

static void says(const char *text)
{
	ck_assert_int_eq(send(server, text, strlen(text), MSG_NOSIGNAL),
			 strlen(text));
	turn();
}

static void hangs_up(void)
{
	close(server);
	server = -1;
	turn();
}

static void release(int stays, int waits)
{
	static const struct takeover_ops ops = {
		.go = on_go, .refused = on_refused, .done = on_done,
	};

	t.stays = stays;
	t.waits = waits;
	takeover_release(&t, loop, &ops, &t);
	hears("release\n");
}

static void is(int go, int no, int end)
{
	ck_assert_int_eq(gone, go);
	ck_assert_int_eq(refused, no);
	ck_assert_int_eq(done, end);
}

/* nothing that the server may still say is needed */
START_TEST(at_once)
{
	release(1, 0);
	is(1, 0, 0);
	says("{\"released\":true}\n");
	is(1, 0, 0);
	takeover_done(&t);
	hears("done\n");
	is(1, 0, 0);
	says("{\"done\":true}\n");
	is(1, 0, 1);
	ck_assert_int_eq(t.fd, -1);
	/* and no deadline is left behind */
	ahead = 1000;
	turn();
	is(1, 0, 1);
}
END_TEST

/* what may lose writes goes when it has let go, and not before */
START_TEST(waits)
{
	release(1, 1);
	is(0, 0, 0);
	says("{\"released\":false}\n");
	is(0, 0, 0);
	says("{\"released\":tr");
	is(0, 0, 0);
	says("ue,\"lost_writes\":true}\n");
	is(1, 0, 0);
	ck_assert_int_eq(lost_at_go, 1);
	says("{\"released\":true}\n");
	is(1, 0, 0);
}
END_TEST

/* a server that is to exit has let go when it has exited */
START_TEST(exits)
{
	release(0, 0);
	says("{\"released\":true}\n");
	is(0, 0, 0);
	says("{\"leaving\":true,\"lost_writes\":true}\n");
	is(0, 0, 0);
	hangs_up();
	is(1, 0, 0);
	ck_assert_int_eq(lost_at_go, 1);
}
END_TEST

START_TEST(two_at_once)
{
	release(1, 1);
	says("{\"x\":1}\n{\"released\":true}\n{\"y\":");
	is(1, 0, 0);
	says("2}\nnonsense\n{\"error\":\"no\"}\n");
	is(1, 1, 0);
	ck_assert_str_eq(why_not, "no");
}
END_TEST

/* refused, it says no more, and its end is no news */
START_TEST(is_refused)
{
	release(0, 0);
	says("{\"error\":\"busy\"}\n");
	is(0, 1, 0);
	ck_assert_str_eq(why_not, "busy");
	ck_assert_int_eq(t.fd, -1);
	hangs_up();
	is(0, 1, 0);
}
END_TEST

/* one that dies once we have begun, or when it was told of our success */
START_TEST(dies)
{
	release(1, 0);
	if (_i)
		takeover_done(&t);
	hangs_up();
	is(1, 0, _i);
	if (_i)
		return;
	/* there is nobody to be told: it is over at the next turn */
	takeover_done(&t);
	is(1, 0, 0);
	turn();
	is(1, 0, 1);
}
END_TEST

/* live, we are that whatever it says of it */
START_TEST(too_late_to_refuse)
{
	release(1, 0);
	takeover_done(&t);
	says("{\"error\":\"no\"}\n");
	is(1, 0, 1);
}
END_TEST

START_TEST(silent)
{
	release(1, 0);
	takeover_done(&t);
	ahead = 3;
	turn();
	is(1, 0, 0);
	ahead = 30;
	turn();
	is(1, 0, 1);
}
END_TEST

static void says_with_fds(const char *text, const int fds[2])
{
	struct iovec iov = { (char *)(uintptr_t)text, strlen(text) };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(2 * sizeof(int))];
	} u;
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buf, .msg_controllen = sizeof(u.buf),
	};
	struct cmsghdr *h;

	memset(&u, 0, sizeof(u));
	h = CMSG_FIRSTHDR(&m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(h), fds, 2 * sizeof(int));
	ck_assert_int_eq(sendmsg(server, &m, MSG_NOSIGNAL), strlen(text));
	turn();
}

/* one is the memory, and more are not kept open for whoever sends them */
START_TEST(descriptors)
{
	unsigned int before;
	struct stat want, got;
	int p[2], other[2];

	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(pipe(other), 0);
	ck_assert_int_eq(fstat(p[0], &want), 0);
	release(1, 0);
	before = test_fds(getpid());
	says_with_fds("{\"x\":1}\n", (const int[]){ p[0], other[0] });
	ck_assert_int_ge(t.memory_fd, 0);
	ck_assert_int_eq(fstat(t.memory_fd, &got), 0);
	ck_assert_uint_eq(got.st_ino, want.st_ino);
	ck_assert_uint_eq(test_fds(getpid()), before + 1);
	says_with_fds("{\"x\":2}\n", other);
	ck_assert_uint_eq(test_fds(getpid()), before + 1);
	takeover_fini(&t);
	ck_assert_uint_eq(test_fds(getpid()), before - 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("takeover_loop");
	TCase *tc = tcase_create("takeover_loop");

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, at_once);
	tcase_add_test(tc, waits);
	tcase_add_test(tc, exits);
	tcase_add_test(tc, two_at_once);
	tcase_add_test(tc, is_refused);
	tcase_add_loop_test(tc, dies, 0, 2);
	tcase_add_test(tc, too_late_to_refuse);
	tcase_add_test(tc, silent);
	tcase_add_test(tc, descriptors);
	return test_main(s);
}
