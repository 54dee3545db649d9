/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The I/O ring on this host's io_uring, with an eventfd in place of ublkc: what
 * is submitted, and what is kept when the kernel does not take it now. Ours
 * (ld --wrap) are the opening of ublkc, the enter, and what fills SQEs.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "testlib.h"
#include "uring_kit.h"
#include "uring/cdev.h"
#include "uring/io.h"
#include "uring/ring.h"
#include "uring/sqe.h"

#define DEPTH	4u

static struct ublkev__alloc mem;
static struct ublkev__io *io;
static int enter_result;		/* 0: the kernel's own */
static unsigned int submitted;		/* SQEs of the last enter */
static void *addr;			/* of the last SQE */

int __wrap_ublkev__cdev_open(struct ublkev__cdev *c, int id,
			     unsigned int queues, unsigned int depth);
int __wrap_io_uring_enter2(unsigned int fd, unsigned int nr, unsigned int least,
			   unsigned int flags, sigset_t *arg, size_t bytes);
int __real_io_uring_enter2(unsigned int fd, unsigned int nr, unsigned int least,
			   unsigned int flags, sigset_t *arg, size_t bytes);
void __wrap_ublkev__sqe_io(struct io_uring_sqe *sqe, uint32_t cmd_op,
			   unsigned int queue, unsigned int tag, int result,
			   void *buf);
void __real_ublkev__sqe_io(struct io_uring_sqe *sqe, uint32_t cmd_op,
			   unsigned int queue, unsigned int tag, int result,
			   void *buf);

int __wrap_ublkev__cdev_open(struct ublkev__cdev *c, int id,
			     unsigned int queues, unsigned int depth)
{
	(void)id;
	(void)queues;
	c->fd = eventfd(0, EFD_CLOEXEC);
	c->depth = depth;
	return c->fd < 0 ? -errno : 0;
}

int __wrap_io_uring_enter2(unsigned int fd, unsigned int nr, unsigned int least,
			   unsigned int flags, sigset_t *arg, size_t bytes)
{
	submitted = nr;
	if (enter_result)
		return enter_result;
	return __real_io_uring_enter2(fd, nr, least, flags, arg, bytes);
}

void __wrap_ublkev__sqe_io(struct io_uring_sqe *sqe, uint32_t cmd_op,
			   unsigned int queue, unsigned int tag, int result,
			   void *buf)
{
	addr = buf;
	__real_ublkev__sqe_io(sqe, cmd_op, queue, tag, result, buf);
}

static void up(unsigned int queues, uint64_t features)
{
	ublkev__alloc_init(&mem, NULL, NULL);
	enter_result = 0;
	ck_assert_int_eq(ublkev__io_new(&io, &mem), 0);
	ck_assert_int_eq(ublkev__io_set_up(io, queues, DEPTH, 4096), 0);
	ck_assert_int_eq(ublkev__io_open(io, 7, queues, DEPTH, features), 0);
}

static void down(void)
{
	ublkev__io_close(io, true);
	ublkev__io_free(io);
}

static unsigned int reap(struct ublkev__cqe v[16])
{
	unsigned int n = ublkev__io_reap(io, v, 16);

	ck_assert(!ublkev__io_has_work(io));
	return n;
}

/* a tag has an SQE, and the eventfd's read one more, without an enter between */
START_TEST(room_for_all)
{
	unsigned int queue, tag, queues = (unsigned int)_i;
	struct ublkev__cqe v[16];

	up(queues, 0);
	for (queue = 0; queue < queues; queue++)
		for (tag = 0; tag < DEPTH; tag++)
			ublkev__io_fetch(io, queue, tag, NULL);
	ublkev__io_woken(io);
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert_uint_eq(submitted, queues * DEPTH + 1);
	ck_assert_uint_eq(reap(v), queues * DEPTH);
	down();
}
END_TEST

START_TEST(eventfd_read_once)
{
	struct ublkev__cqe v[16];
	int i;

	up(1, 0);
	for (i = 0; i < 2; i++) {
		ublkev__io_wake(io);
		ublkev__io_woken(io);
		ublkev__io_woken(io);
		ck_assert_int_eq(ublkev__io_enter(io), 1);
		ck_assert_uint_eq(submitted, 1);
		ck_assert_uint_eq(reap(v), 0);
	}
	down();
}
END_TEST

/* what the kernel does not take now stays queued, the eventfd's read too */
START_TEST(tried_again)
{
	static const int errs[] = { -EAGAIN, -EBUSY, -EINTR };
	struct ublkev__cqe v[16];

	up(1, 0);
	ublkev__io_fetch(io, 0, 2, NULL);
	ublkev__io_wake(io);
	ublkev__io_woken(io);
	enter_result = errs[_i];
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ublkev__io_woken(io);
	ck_assert(ublkev__io_has_work(io));
	enter_result = 0;
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert_uint_eq(submitted, 2);
	ck_assert_uint_eq(reap(v), 1);
	ck_assert_uint_eq(v[0].tag, 2);
	down();
}
END_TEST

START_TEST(enter_fails)
{
	up(1, 0);
	ublkev__io_fetch(io, 0, 2, NULL);
	enter_result = -EBADR;
	ck_assert_int_eq(ublkev__io_enter(io), -EBADR);
	ck_assert(ublkev__io_has_work(io));
	down();
}
END_TEST

/* the driver refuses an address where it copies nothing */
START_TEST(addresses)
{
	char buf[4096];

	up(1, _i ? UBLKEV__F(USER_COPY) : 0);
	ublkev__io_fetch(io, 0, 0, buf);
	ck_assert_ptr_eq(addr, _i ? NULL : buf);
	addr = &addr;
	ublkev__io_commit(io, 0, 1, 512, buf);
	ck_assert_ptr_eq(addr, _i ? NULL : buf);
	addr = NULL;
	ublkev__io_move(io, 0, 2, true, buf, 512);
	ck_assert_ptr_eq(addr, _i ? NULL : buf);
	down();
}
END_TEST

/* each queue's PREP waits to be sent: the loop must not sleep meanwhile */
START_TEST(batch_is_work)
{
	struct ublkev__cqe v[16];
	unsigned int i;

	up(2, UBLKEV__F(BATCH_IO));
	ck_assert(!ublkev__io_has_work(io));
	for (i = 0; i < 2; i++) {
		ublkev__io_fetch(io, i, 3, NULL);
		ck_assert(ublkev__io_has_work(io));
		ck_assert(ublkev__io_look(io));
		ck_assert_int_eq(ublkev__io_enter(io), 1);
		ck_assert_uint_eq(submitted, 1);
		ck_assert_uint_eq(reap(v), 1);
		ck_assert_uint_eq(v[0].queue, i);
		ck_assert_uint_eq(v[0].tag, 3);
		ck_assert_int_lt(v[0].res, 0);
	}
	down();
}
END_TEST

/* ---- sleep -------------------------------------------------------------- */

static int file = -1;		/* that ends it */

static void up_to_sleep(void)
{
	file = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ck_assert_int_ge(file, 0);
	up(1, 0);
	ck_assert(!ublkev__io_can_sleep(io));
	ublkev__io_watch(io, file);
	ck_assert(ublkev__io_can_sleep(io));
	ublkev__io_mute(io);
}

static void down_from_sleep(void)
{
	down();
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
		ck_assert_uint_eq(submitted, i ? 1 : 2);
		ck_assert_uint_eq(reap(v), 1);
		ck_assert_uint_eq(v[0].tag, 2);
		ck_assert(ublkev__io_is_watching(io));
	}
	down_from_sleep();
}
END_TEST

static void *toucher(void *arg)
{
	(void)arg;
	touch_file();
	return NULL;
}

/* before it, or while it lasts: by whatever thread */
START_TEST(sleep_ends_by_file)
{
	struct ublkev__cqe v[16];
	pthread_t thread;
	unsigned int i;

	up_to_sleep();
	for (i = 0; i < 100; i++) {
		ck_assert(!ublkev__io_is_watching(io));
		ck_assert_int_eq(pthread_create(&thread, NULL, toucher, NULL),
				 0);
		ck_assert_int_eq(ublkev__io_sleep(io, UINT_MAX), 1);
		ck_assert_uint_eq(reap(v), 0);
		ck_assert(!ublkev__io_is_watching(io));
		pthread_join(thread, NULL);
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
		ck_assert_uint_eq(submitted, i ? 2 : 3);
		ck_assert_uint_eq(ublkev__io_reap(io, v, 16), 1);
		while (ublkev__io_is_alarmed(io)) {
			ck_assert_int_eq(ublkev__io_sleep(io, 2000), 1);
			ck_assert_uint_eq(submitted, 0);
			ck_assert_uint_eq(reap(v), 0);
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
	ck_assert_int_eq(ublkev__io_sleep(io, UINT_MAX), 1);
	ck_assert_int_eq(ublkev__io_sleep(io, UINT_MAX), 1);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &was, NULL);
	ck_assert_uint_eq(reap(v), 0);
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
	ck_assert_uint_eq(reap(v), 1);
	ck_assert_int_eq(ublkev__io_is_alarmed(io), !!(_i & 2));
	if (_i & 1)	/* the poll ends by itself, just before */
		touch_file();
	ublkev__io_unwatch(io);
	ublkev__io_unwatch(io);
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert_uint_eq(submitted, _i & 2 ? 2 : 1);
	ck_assert_uint_eq(reap(v), 0);
	ck_assert(!ublkev__io_is_watching(io));
	ck_assert(!ublkev__io_is_alarmed(io));
	ublkev__io_unmute(io);
	touch_file();
	ck_assert(!ublkev__io_has_work(io));
	/* and it can be begun again */
	ublkev__io_mute(io);
	ck_assert_int_eq(ublkev__io_sleep(io, UINT_MAX), 1);
	ck_assert_uint_eq(reap(v), 0);
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
	enter_result = -EAGAIN;
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert(!ublkev__io_can_sleep(io));
	enter_result = 0;
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert(ublkev__io_can_sleep(io));
	ck_assert_uint_eq(reap(v), 0);
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
	ck_assert_uint_eq(reap(v), 0);
	ck_assert(!ublkev__io_is_watching(io));
	ck_assert(!ublkev__io_can_sleep(io));
	down_from_sleep();
}
END_TEST

/* ---- a forked child has none of it ---------------------------------------- */

START_TEST(buffers_not_forked)
{
	up(1, 0);
	ck_assert_int_eq(ublkev__io_need_bufs(io), 0);
	ck_assert(test_vm_flag(ublkev__io_bufs(io, 0), "dc"));
	ck_assert(test_vm_flag(ublkev__io_spare_buf(io), "dc"));
	down();
}
END_TEST

START_TEST(ring_not_forked)
{
	struct ublkev__ring ring;

	memset(&ring, 0, sizeof(ring));
	ck_assert_int_eq(ublkev__ring_open(&ring, 8, 0, -1), 0);
	ck_assert(test_vm_flag(ring.u.sq.ring_ptr, "dc"));
	ck_assert(test_vm_flag(ring.u.sq.sqes, "dc"));
	ublkev__ring_close(&ring);
}
END_TEST

/* a backend that has not closed may fill them yet; else they go with the io */
START_TEST(buffers_left)
{
	unsigned char there;
	char *bufs;

	up(1, 0);
	ck_assert_int_eq(ublkev__io_need_bufs(io), 0);
	bufs = ublkev__io_bufs(io, 0);
	memset(bufs, 1, DEPTH * 4096);
	if (_i)
		ublkev__io_leave_bufs(io);
	down();
	ck_assert_int_eq(mincore(bufs, 4096, &there), _i ? 0 : -1);
	if (!_i)
		return;
	memset(bufs, 2, DEPTH * 4096);
	ck_assert_int_eq(munmap(bufs, DEPTH * 4096), 0);
}
END_TEST

/* ---- files ---------------------------------------------------------------- */

static int tmp_file(void)
{
	char path[] = "/tmp/test_io.XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	unlink(path);
	return fd;
}

static void up_for_files(void)
{
	ublkev__alloc_init(&mem, NULL, NULL);
	enter_result = 0;
	ck_assert_int_eq(ublkev__io_new(&io, &mem), 0);
	ublkev__io_for_files(io);
	ck_assert_int_eq(ublkev__io_set_up(io, 2, DEPTH, 4096), 0);
	ck_assert_int_eq(ublkev__io_need_bufs(io), 0);
	ck_assert_int_eq(ublkev__io_open(io, 7, 2, DEPTH, 0), 0);
}

/* a thread of the kernel's has something to tell, or a second is over */
static void wait_for_eventfd(void)
{
	struct pollfd p = { .fd = ublkev__io_fd(io), .events = POLLIN };

	ck_assert_int_ge(poll(&p, 1, 1000), 0);
	ublkev__io_reset(io);
	ck_assert_int_ge(ublkev__io_enter(io), 0);
}

static int complete(unsigned int queue, unsigned int tag, unsigned int piece)
{
	struct ublkev__cqe v;

	while (!ublkev__io_reap(io, &v, 1))
		wait_for_eventfd();
	ck_assert(ublkev__cqe_is_file(&v));
	ck_assert_uint_eq(ublkev__cqe_queue(&v), queue);
	ck_assert_uint_eq(v.tag, tag);
	ck_assert_uint_eq(ublkev__cqe_piece(&v), piece);
	return v.res;
}

static int do_file(int fd, uint8_t kind, uint64_t offset, uint64_t len)
{
	struct ublkev__fileop op = {
		.fd = fd, .kind = kind, .offset_bytes = offset,
		.len_bytes = len, .piece = 5,
		.addr = ublkev__io_bufs(io, 1),
	};

	ck_assert(ublkev__io_has_file_room(io));
	ublkev__io_file(io, 1, 3, &op);
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	return complete(1, 3, 5);
}

/* the kernel does to a real file what the operations say */
START_TEST(file_operations)
{
	char *buf, back[4096], zeroes[4096] = { 0 };
	int fd = tmp_file();
	int res;

	up_for_files();
	buf = ublkev__io_bufs(io, 1);
	memset(buf, 0x5a, 4096);
	ck_assert_int_eq(do_file(fd, UBLKEV__FILEOP_WRITE, 8192, 4096), 4096);
	ck_assert_int_eq(do_file(fd, UBLKEV__FILEOP_WRITE_SYNC, 4096, 4096),
			 4096);
	ck_assert_int_eq(pread(fd, back, 4096, 4096), 4096);
	ck_assert_mem_eq(back, buf, 4096);
	ck_assert_int_eq(do_file(fd, UBLKEV__FILEOP_SYNC, 0, 0), 0);
	memset(buf, 0, 4096);
	/* 512 bytes before its end */
	ck_assert_int_eq(do_file(fd, UBLKEV__FILEOP_READ, 12288 - 512, 4096),
			 512);
	ck_assert_mem_eq(buf, back, 512);
	ck_assert_int_eq(do_file(fd, UBLKEV__FILEOP_READ, 12288, 4096), 0);
	res = do_file(fd, UBLKEV__FILEOP_PUNCH, 4096, 8192);
	ck_assert(!res || res == -EOPNOTSUPP);
	if (!res) {
		ck_assert_int_eq(pread(fd, back, 4096, 4096), 4096);
		ck_assert_mem_eq(back, zeroes, 4096);
	}
	/* the size stays, whether the file system can do it or not */
	res = do_file(fd, UBLKEV__FILEOP_ZERO, 8192, 1 << 20);
	ck_assert(!res || res == -EOPNOTSUPP);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), 12288);
	ck_assert_int_eq(do_file(-1, UBLKEV__FILEOP_READ, 0, 512), -EBADF);
	close(fd);
	down();
}
END_TEST

/* each tag has its SQE, however many there are for files */
START_TEST(file_room)
{
	struct ublkev__fileop op = {
		.kind = UBLKEV__FILEOP_SYNC, .fd = tmp_file(),
	};
	struct ublkev__cqe v[16];
	unsigned int tag, n, files = 0;

	up_for_files();
	for (n = 0; ublkev__io_has_file_room(io); n++)
		ublkev__io_file(io, 0, 1, &op);
	ck_assert_uint_ge(n, 64);
	for (tag = 0; tag < 2 * DEPTH; tag++)
		ublkev__io_fetch(io, tag / DEPTH, tag % DEPTH, NULL);
	ublkev__io_woken(io);
	enter_result = -EAGAIN;
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert(!ublkev__io_has_file_room(io));
	enter_result = 0;
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert_uint_eq(submitted, n + 2 * DEPTH + 1);
	ck_assert(ublkev__io_has_file_room(io));
	while (files < n + 2 * DEPTH) {
		files += ublkev__io_reap(io, v, 16);
		if (files < n + 2 * DEPTH && !ublkev__io_has_cqes(io))
			wait_for_eventfd();
	}
	close(op.fd);
	down();
}
END_TEST

/* what waits for ever is cancelled; the cancel itself is not heard of */
START_TEST(file_cancelled)
{
	struct ublkev__fileop op = {
		.kind = UBLKEV__FILEOP_READ, .len_bytes = 512, .piece = 7,
	};
	int ends[2], i;

	up_for_files();
	ck_assert_int_eq(pipe(ends), 0);
	op.fd = ends[0];
	op.addr = ublkev__io_bufs(io, 0);
	/* the second has nothing to cancel */
	for (i = 0; i < 2; i++) {
		op.kind = UBLKEV__FILEOP_READ;
		if (!i)
			ublkev__io_file(io, 1, 2, &op);
		ck_assert_int_ge(ublkev__io_enter(io), 0);
		op.kind = UBLKEV__FILEOP_CANCEL;
		ublkev__io_file(io, 1, 2, &op);
		ck_assert_int_eq(ublkev__io_enter(io), 1);
		if (!i)
			ck_assert_int_eq(complete(1, 2, 7), -ECANCELED);
	}
	op.kind = UBLKEV__FILEOP_READ;
	ublkev__io_file(io, 0, 0, &op);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert_int_eq(complete(0, 0, 7), 1);
	close(ends[0]);
	close(ends[1]);
	down();
}
END_TEST

/* a ring has 32768 SQEs at the most */
START_TEST(file_too_many_tags)
{
	ublkev__alloc_init(&mem, NULL, NULL);
	ck_assert_int_eq(ublkev__io_new(&io, &mem), 0);
	ublkev__io_for_files(io);
	ck_assert_int_eq(ublkev__io_set_up(io, 8, 4090, 4096), -EINVAL);
	ublkev__io_free(io);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("io");
	TCase *tc = tcase_create("io");

	tcase_add_loop_test(tc, room_for_all, 1, 4);
	tcase_add_test(tc, eventfd_read_once);
	tcase_add_loop_test(tc, tried_again, 0, 3);
	tcase_add_test(tc, enter_fails);
	tcase_add_loop_test(tc, addresses, 0, 2);
	tcase_add_test(tc, batch_is_work);
	tcase_add_test(tc, sleep_ends_by_completion);
	tcase_add_test(tc, sleep_ends_by_file);
	tcase_add_test(tc, sleep_ends_by_alarm);
	tcase_add_test(tc, sleep_ends_by_signal);
	tcase_add_loop_test(tc, unwatched, 0, 4);
	tcase_add_test(tc, no_sleep_while_woken);
	tcase_add_test(tc, no_sleep_without_file);
	tcase_add_test(tc, buffers_not_forked);
	tcase_add_loop_test(tc, buffers_left, 0, 2);
	tcase_add_test(tc, ring_not_forked);
	tcase_add_test(tc, file_operations);
	tcase_add_test(tc, file_room);
	tcase_add_test(tc, file_cancelled);
	tcase_add_test(tc, file_too_many_tags);
	suite_add_tcase(suite, tc);
	return test_uring_main(suite);
}
