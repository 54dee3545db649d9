/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations on files in the I/O ring, on this host's io_uring and a real file:
 * that the kernel does what each says, how many there is room for beside the
 * tags, and that one which waits for ever can be cancelled.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/names.h"
#include "io_kit.h"
#include "testlib.h"
#include "uring_kit.h"

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
	ublkev__alloc_init(&io_mem, NULL, NULL);
	io_enter_result = 0;
	ck_assert_int_eq(ublkev__io_new(&io, &io_mem), 0);
	ublkev__io_for_files(io);
	ck_assert_int_eq(ublkev__io_set_up(io, 2, IO_DEPTH, 4096), 0);
	ck_assert_int_eq(ublkev__io_need_bufs(io), 0);
	ck_assert_int_eq(ublkev__io_open(io, 7, 2, IO_DEPTH, 0), 0);
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
	/* which only block devices take */
	res = do_file(fd, UBLKEV__FILEOP_DISCARD, 0, 4096);
	ck_assert(res == -EOPNOTSUPP || res == -EINVAL || res == -ENOTTY);
	res = do_file(fd, UBLKEV__FILEOP_ALLOCATE, 8192, 4096);
	ck_assert(!res || res == -EOPNOTSUPP);
	/* the size stays, whether the file system can do it or not */
	res = do_file(fd, UBLKEV__FILEOP_ZERO, 8192, 1 << 20);
	ck_assert(!res || res == -EOPNOTSUPP);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), 12288);
	ck_assert_int_eq(do_file(-1, UBLKEV__FILEOP_READ, 0, 512), -EBADF);
	close(fd);
	io_down();
}
END_TEST

static void io_up_for_pages(void)
{
	ublkev__alloc_init(&io_mem, NULL, NULL);
	io_enter_result = 0;
	ck_assert_int_eq(ublkev__io_new(&io, &io_mem), 0);
	ublkev__io_for_files(io);
	ck_assert_int_eq(ublkev__io_set_up(io, 2, IO_DEPTH, 4096), 0);
	ck_assert_int_eq(ublkev__io_open(io, 7, 2, IO_DEPTH,
					 UBLKEV__F(USER_COPY) |
					 UBLKEV__F(AUTO_BUF_REG)), 0);
}

/* a slot for each tag; what is not there yet can't be read into */
START_TEST(lent)
{
	struct ublkev__fileop op = {
		.kind = UBLKEV__FILEOP_READ, .fd = tmp_file(), .lent = true,
		.len_bytes = 512, .piece = 1,
	};
	unsigned int queue, tag;
	struct ublkev__cqe v[16];

	io_up_for_pages();
	for (queue = 0; queue < 2; queue++)
		for (tag = 0; tag < IO_DEPTH; tag++) {
			ublkev__io_fetch(io, queue, tag, &io);
			ck_assert_uint_eq(io_slot, queue * IO_DEPTH + tag);
			ck_assert_ptr_null(io_addr);
		}
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert_uint_eq(io_reap(v), 2 * IO_DEPTH);
	ublkev__io_file(io, 1, 3, &op);
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert_int_eq(complete(1, 3, 1), -EFAULT);
	ublkev__io_commit(io, 1, 2, 0, &io);
	ck_assert_uint_eq(io_slot, IO_DEPTH + 2);
	close(op.fd);
	io_down();
}
END_TEST

/* an eventfd in place of ublkc adds up what it is written: zeroes, and 7 */
START_TEST(copied_parts)
{
	struct ublkev__fileop op = {
		.kind = UBLKEV__FILEOP_CLEAR, .fd = -1, .len_bytes = 8,
	};
	uint64_t seven = 7, got = 0;

	io_up_for_pages();
	op.addr = &seven;
	ublkev__io_file(io, 0, 1, &op);
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert_int_eq(complete(0, 1, 0), 8);
	op.kind = UBLKEV__FILEOP_STORE;
	ublkev__io_file(io, 0, 1, &op);
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert_int_eq(complete(0, 1, 0), 8);
	op.kind = UBLKEV__FILEOP_FETCH;
	op.addr = &got;
	ublkev__io_file(io, 0, 1, &op);
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert_int_eq(complete(0, 1, 0), 8);
	ck_assert_uint_eq(got, 7);
	io_down();
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
	for (tag = 0; tag < 2 * IO_DEPTH; tag++)
		ublkev__io_fetch(io, tag / IO_DEPTH, tag % IO_DEPTH, NULL);
	ublkev__io_woken(io);
	io_enter_result = -EAGAIN;
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert(!ublkev__io_has_file_room(io));
	io_enter_result = 0;
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert_uint_eq(io_submitted, n + 2 * IO_DEPTH + 1);
	ck_assert(ublkev__io_has_file_room(io));
	while (files < n + 2 * IO_DEPTH) {
		files += ublkev__io_reap(io, v, 16);
		if (files < n + 2 * IO_DEPTH && !ublkev__io_has_cqes(io))
			wait_for_eventfd();
	}
	close(op.fd);
	io_down();
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
	io_down();
}
END_TEST

/* a ring has 32768 SQEs at the most */
START_TEST(file_too_many_tags)
{
	ublkev__alloc_init(&io_mem, NULL, NULL);
	ck_assert_int_eq(ublkev__io_new(&io, &io_mem), 0);
	ublkev__io_for_files(io);
	ck_assert_int_eq(ublkev__io_set_up(io, 8, 4090, 4096), -EINVAL);
	ublkev__io_free(io);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("io_file");
	TCase *tc = tcase_create("io_file");

	tcase_add_test(tc, file_operations);
	tcase_add_test(tc, lent);
	tcase_add_test(tc, copied_parts);
	tcase_add_test(tc, file_room);
	tcase_add_test(tc, file_cancelled);
	tcase_add_test(tc, file_too_many_tags);
	suite_add_tcase(suite, tc);
	return test_uring_main(suite);
}
