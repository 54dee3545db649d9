/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sleep in the I/O ring, on this host's io_uring: what ends it, when it must not
 * begin, and that no trace of it is left in the ring that would keep a request
 * from waking the loop.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "uring/io_priv.h"

#include "io_kit.h"
#include "testlib.h"
#include "uring_kit.h"

static int file = -1;		/* that ends it */

static void up_to_sleep(void)
{
	file = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ck_assert_int_ge(file, 0);
	io_up(1, 0);
	ck_assert(!ublkev__io_can_sleep(io));
	ublkev__io_watch(io, file);
	ck_assert(ublkev__io_can_sleep(io));
	ublkev__io_mute(io);
}

static void down_from_sleep(void)
{
	io_down();
	close(file);
}

static void touch_file(void)
{
	uint64_t n = 1;

	ck_assert_int_eq(write(file, &n, sizeof(n)), sizeof(n));
}

static void reset_file(void)
{
	uint64_t n;

	ck_assert_int_eq(read(file, &n, sizeof(n)), sizeof(n));
}

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* what is submitted and the sleep are one enter; the poll stays for the next */
START_TEST(sleep_ends_by_completion)
{
	struct ublkev__cqe v[16];
	unsigned int i;

	up_to_sleep();
	for (i = 0; i < 3; i++) {
		ublkev__io_fetch(io, 0, 2, NULL);
		ck_assert_int_eq(ublkev__io_sleep(io, UINT_MAX), 1);
		ck_assert_uint_eq(io_submitted, i ? 1 : 2);
		ck_assert_uint_eq(io_reap(v), 1);
		ck_assert_uint_eq(v[0].tag, 2);
		ck_assert(ublkev__io_is_watching(io));
	}
	down_from_sleep();
}
END_TEST

/*
 * Before it, or while it lasts; by another process, as under valgrind no other
 * thread runs meanwhile: it does not know that io_uring_enter(2) may wait.
 */
START_TEST(sleep_ends_by_file)
{
	struct ublkev__cqe v[16];
	unsigned int i;
	pid_t child;

	up_to_sleep();
	for (i = 0; i < 100; i++) {
		ck_assert(!ublkev__io_is_watching(io));
		child = fork();
		ck_assert_int_ge(child, 0);
		if (!child) {
			touch_file();
			_exit(0);
		}
		ck_assert_int_eq(ublkev__io_sleep(io, UINT_MAX), 1);
		ck_assert_uint_eq(io_reap(v), 0);
		ck_assert(!ublkev__io_is_watching(io));
		ck_assert_int_eq(waitpid(child, NULL, 0), child);
		reset_file();
	}
	down_from_sleep();
}
END_TEST

/* the alarm is set once, and for the sleeps that follow, too */
START_TEST(sleep_ends_by_alarm)
{
	struct ublkev__cqe v[16];
	uint64_t since_us;
	unsigned int i;

	up_to_sleep();
	for (i = 0; i < 3; i++) {
		since_us = now_us();
		ublkev__io_fetch(io, 0, 2, NULL);
		ck_assert_int_eq(ublkev__io_sleep(io, 2000), 1);
		ck_assert_uint_eq(io_submitted, i ? 2 : 3);
		ck_assert_uint_eq(ublkev__io_reap(io, v, 16), 1);
		while (ublkev__io_is_alarmed(io)) {
			ck_assert_int_eq(ublkev__io_sleep(io, 2000), 1);
			ck_assert_uint_eq(io_submitted, 0);
			ck_assert_uint_eq(io_reap(v), 0);
		}
		ck_assert_uint_ge(now_us() - since_us, 2000);
	}
	ck_assert(ublkev__io_is_watching(io));
	down_from_sleep();
}
END_TEST

static void on_signal(int signo)
{
	(void)signo;
}

START_TEST(sleep_ends_by_signal)
{
	struct itimerval soon = { { 0, 1000 }, { 0, 1000 } }, never = { 0 };
	struct sigaction act = { .sa_handler = on_signal }, was;
	struct ublkev__cqe v[16];

	up_to_sleep();
	sigaction(SIGALRM, &act, &was);
	setitimer(ITIMER_REAL, &soon, NULL);
	ck_assert_int_eq(ublkev__io_sleep(io, UINT_MAX), 0);
	ck_assert_int_eq(ublkev__io_sleep(io, UINT_MAX), 0);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &was, NULL);
	ck_assert_uint_eq(io_reap(v), 0);
	down_from_sleep();
}
END_TEST

/* no trace of the poll is left, so that the eventfd tells of requests again */
START_TEST(unwatched)
{
	struct ublkev__cqe v[16];

	up_to_sleep();
	ublkev__io_unwatch(io);
	ck_assert(!ublkev__io_has_work(io));
	ublkev__io_fetch(io, 0, 2, NULL);
	ck_assert_int_eq(ublkev__io_sleep(io, _i & 2 ? 1000000 : UINT_MAX), 1);
	ck_assert_uint_eq(io_reap(v), 1);
	ck_assert_int_eq(ublkev__io_is_alarmed(io), !!(_i & 2));
	if (_i & 1)	/* the poll ends by itself, just before */
		touch_file();
	ublkev__io_unwatch(io);
	ublkev__io_unwatch(io);
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert_uint_eq(io_submitted, _i & 2 ? 2 : 1);
	ck_assert_uint_eq(io_reap(v), 0);
	ck_assert(!ublkev__io_is_watching(io));
	ck_assert(!ublkev__io_is_alarmed(io));
	ublkev__io_unmute(io);
	touch_file();
	ck_assert(!ublkev__io_has_work(io));
	/* and it can be begun again, and ended as before */
	ck_assert(ublkev__io_can_sleep(io));
	ublkev__io_mute(io);
	ck_assert_int_eq(ublkev__io_sleep(io, UINT_MAX), 1);
	ck_assert_uint_eq(io_reap(v), 0);
	reset_file();
	ublkev__io_fetch(io, 0, 2, NULL);
	ck_assert_int_eq(ublkev__io_sleep(io, UINT_MAX), 1);
	ck_assert_uint_eq(io_reap(v), 1);
	ck_assert(ublkev__io_is_watching(io));
	ublkev__io_unwatch(io);
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert_uint_eq(io_reap(v), 0);
	ck_assert(!ublkev__io_is_watching(io));
	down_from_sleep();
}
END_TEST

/* who is woken by the ring needs no signal of the same besides */
START_TEST(sleep_mutes)
{
	struct pollfd p = { .fd = -1, .events = POLLIN };
	struct ublkev__cqe v[16];

	up_to_sleep();
	p.fd = ublkev__io_fd(io);
	ublkev__io_unmute(io);
	touch_file();
	ck_assert_int_eq(ublkev__io_sleep(io, UINT_MAX), 1);
	ck_assert_uint_eq(io_reap(v), 0);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	down_from_sleep();
}
END_TEST

/* what ends a sleep stands among the tags' completions, of which none is lost */
START_TEST(sleep_among_tags)
{
	struct ublkev__cqe v[16] = { { 0 } };

	up_to_sleep();
	ublkev__io_fetch(io, 0, 3, NULL);
	ck_assert_int_eq(ublkev__io_sleep(io, UINT_MAX), 1);
	ck_assert_uint_eq(io_reap(v), 1);
	ublkev__io_fetch(io, 0, 0, NULL);
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	touch_file();
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ublkev__io_fetch(io, 0, 1, NULL);
	ublkev__io_fetch(io, 0, 2, NULL);
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert_uint_eq(ublkev__io_reap(io, v, 2), 2);
	ck_assert_uint_eq(v[0].tag, 0);
	ck_assert_uint_eq(v[1].tag, 1);
	ck_assert(!ublkev__io_is_watching(io));
	ck_assert_uint_eq(io_reap(v), 1);
	ck_assert_uint_eq(v[0].tag, 2);
	down_from_sleep();
}
END_TEST

/* a ring that is watched by its file, or that its thread has not got yet */
START_TEST(no_sleep_in_others)
{
	up_to_sleep();
	ck_assert(ublkev__io_can_sleep(io));
	io->by_ring = true;
	ck_assert(!ublkev__io_can_sleep(io));
	io->by_ring = false;
	io->dormant = true;
	ck_assert(!ublkev__io_can_sleep(io));
	io->dormant = false;
	down_from_sleep();
}
END_TEST

/* a sleep does not swallow the signal that is to end it */
START_TEST(no_sleep_while_woken)
{
	struct ublkev__cqe v[16];

	up_to_sleep();
	ublkev__io_wake(io);
	ublkev__io_woken(io);
	ck_assert(!ublkev__io_can_sleep(io));
	io_enter_result = -EAGAIN;
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert(!ublkev__io_can_sleep(io));
	io_enter_result = 0;
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert(ublkev__io_can_sleep(io));
	ck_assert_uint_eq(io_reap(v), 0);
	ublkev__io_close(io, true);
	ck_assert(!ublkev__io_can_sleep(io));
	ublkev__io_free(io);
	close(file);
}
END_TEST

/* a file that can't be polled ends no sleep */
START_TEST(no_sleep_without_file)
{
	struct ublkev__cqe v[16];

	up_to_sleep();
	ublkev__io_watch(io, 1 << 20);
	ck_assert_int_eq(ublkev__io_sleep(io, UINT_MAX), 1);
	ck_assert_uint_eq(io_reap(v), 0);
	ck_assert(!ublkev__io_is_watching(io));
	ck_assert(!ublkev__io_can_sleep(io));
	down_from_sleep();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("io_sleep");
	TCase *tc = tcase_create("io_sleep");

	tcase_add_test(tc, sleep_ends_by_completion);
	tcase_add_test(tc, sleep_ends_by_file);
	tcase_add_test(tc, sleep_ends_by_alarm);
	/* for the same reason it keeps signals back */
	if (!test_under_valgrind())
		tcase_add_test(tc, sleep_ends_by_signal);
	tcase_add_loop_test(tc, unwatched, 0, 4);
	tcase_add_test(tc, no_sleep_while_woken);
	tcase_add_test(tc, no_sleep_without_file);
	tcase_add_test(tc, no_sleep_in_others);
	tcase_add_test(tc, sleep_mutes);
	tcase_add_test(tc, sleep_among_tags);
	suite_add_tcase(suite, tc);
	return test_uring_main(suite);
}
