/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The I/O ring on this host's io_uring: what is submitted, what is kept when the
 * kernel does not take it now, and what a forked child has of it.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io_kit.h"
#include "testlib.h"
#include "uring_kit.h"
#include "core/names.h"
#include "uring/ring.h"

/* a tag has an SQE, and the eventfd's read one more, without an enter between */
START_TEST(room_for_all)
{
	unsigned int queue, tag, queues = (unsigned int)_i;
	struct ublkev__cqe v[16];

	io_up(queues, 0);
	for (queue = 0; queue < queues; queue++)
		for (tag = 0; tag < IO_DEPTH; tag++)
			ublkev__io_fetch(io, queue, tag, NULL);
	ublkev__io_woken(io);
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert_uint_eq(io_submitted, queues * IO_DEPTH + 1);
	ck_assert_uint_eq(io_reap(v), queues * IO_DEPTH);
	io_down();
}
END_TEST

START_TEST(eventfd_read_once)
{
	struct ublkev__cqe v[16];
	int i;

	io_up(1, 0);
	for (i = 0; i < 2; i++) {
		ublkev__io_wake(io);
		ublkev__io_woken(io);
		ublkev__io_woken(io);
		ck_assert_int_eq(ublkev__io_enter(io), 1);
		ck_assert_uint_eq(io_submitted, 1);
		ck_assert_uint_eq(io_reap(v), 0);
	}
	io_down();
}
END_TEST

/* what the kernel does not take now stays queued, the eventfd's read too */
START_TEST(tried_again)
{
	static const int errs[] = { -EAGAIN, -EBUSY, -EINTR };
	struct ublkev__cqe v[16];

	io_up(1, 0);
	ublkev__io_fetch(io, 0, 2, NULL);
	ublkev__io_wake(io);
	ublkev__io_woken(io);
	io_enter_result = errs[_i];
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ublkev__io_woken(io);
	ck_assert(ublkev__io_has_work(io));
	io_enter_result = 0;
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert_uint_eq(io_submitted, 2);
	ck_assert_uint_eq(io_reap(v), 1);
	ck_assert_uint_eq(v[0].tag, 2);
	io_down();
}
END_TEST

START_TEST(enter_fails)
{
	io_up(1, 0);
	ublkev__io_fetch(io, 0, 2, NULL);
	io_enter_result = -EBADR;
	ck_assert_int_eq(ublkev__io_enter(io), -EBADR);
	ck_assert(ublkev__io_has_work(io));
	io_down();
}
END_TEST

/* the driver refuses an address where it copies nothing */
START_TEST(addresses)
{
	char buf[4096];

	io_up(1, _i ? UBLKEV__F(USER_COPY) : 0);
	ublkev__io_fetch(io, 0, 0, buf);
	ck_assert_ptr_eq(io_addr, _i ? NULL : buf);
	io_addr = &io_addr;
	ublkev__io_commit(io, 0, 1, 512, buf);
	ck_assert_ptr_eq(io_addr, _i ? NULL : buf);
	io_addr = NULL;
	ublkev__io_move(io, 0, 2, true, buf, 512);
	ck_assert_ptr_eq(io_addr, _i ? NULL : buf);
	io_down();
}
END_TEST

/* each queue's PREP waits to be sent: the loop must not sleep meanwhile */
START_TEST(batch_is_work)
{
	struct ublkev__cqe v[16];
	unsigned int i;

	io_up(2, UBLKEV__F(BATCH_IO));
	ck_assert(!ublkev__io_has_work(io));
	for (i = 0; i < 2; i++) {
		ublkev__io_fetch(io, i, 3, NULL);
		ck_assert(ublkev__io_has_work(io));
		ck_assert(ublkev__io_look(io));
		ck_assert_int_eq(ublkev__io_enter(io), 1);
		ck_assert_uint_eq(io_submitted, 1);
		ck_assert_uint_eq(io_reap(v), 1);
		ck_assert_uint_eq(v[0].queue, i);
		ck_assert_uint_eq(v[0].tag, 3);
		ck_assert_int_lt(v[0].res, 0);
	}
	io_down();
}
END_TEST

/* ---- a forked child has none of it ---------------------------------------- */

static const unsigned int desc_sizes[] = { 24, 32, 40, 64, 128, 256 };

/* what is decoded is the tag's, whatever lies between, of the queue's thread too */
START_TEST(padded_descs)
{
	unsigned int size = desc_sizes[_i], tag, q;
	struct ublkev__io *apart;
	struct ublkev_req req;

	memset(io_descs, 0xff, sizeof(io_descs));
	for (q = 0; q < 2; q++)
		for (tag = 0; tag < IO_DEPTH; tag++) {
			const struct ublkev__desc desc = {
				.op_flags = 1, .nr_sectors = 8,
				.start_sector = q * 100 + tag,
			};

			memcpy(io_descs[q] + tag * size, &desc, sizeof(desc));
		}
	ublkev__alloc_init(&io_mem, NULL, NULL);
	ck_assert_int_eq(ublkev__io_new(&io, &io_mem), 0);
	ublkev__io_pad_descs(io, size);
	ck_assert_int_eq(ublkev__io_set_up_common(io, 2), 0);
	ck_assert_int_eq(ublkev__io_open(io, 7, 2, IO_DEPTH, 0), 0);
	ck_assert_int_eq(ublkev__io_new(&apart, &io_mem), 0);
	ck_assert_int_eq(ublkev__io_set_up_apart(apart, 1, IO_DEPTH, 4096), 0);
	ck_assert_int_eq(ublkev__io_join(apart, io, 0), 0);
	for (q = 0; q < 2; q++)
		for (tag = 0; tag < IO_DEPTH; tag++) {
			ck_assert_int_eq(ublkev__decode(
				ublkev__io_desc(q ? apart : io, q, tag), 4096,
				&req), 0);
			ck_assert_uint_eq(req.op, UBLKEV_OP_WRITE);
			ck_assert_uint_eq(req.offset_bytes,
					  (q * 100 + tag) * 512);
		}
	ublkev__io_close(apart, true);
	ublkev__io_free(apart);
	io_down();
}
END_TEST

/* a ring that is made anew in its thread serves as before; or the old one does */
START_TEST(moved_ring)
{
	static const uint64_t features[] = {
		0, UBLKEV__F(USER_COPY) | UBLKEV__F(AUTO_BUF_REG),
	};
	struct ublkev__cqe v[16];
	struct ublkev__io *apart;
	struct rlimit was, few;
	unsigned int fds;
	int next;

	io_up(1, 0);
	ck_assert_int_eq(ublkev__io_new(&apart, &io_mem), 0);
	ck_assert_int_eq(ublkev__io_set_up_apart(apart, 1, IO_DEPTH, 4096), 0);
	ck_assert_int_eq(ublkev__io_join(apart, io, features[_i & 1]), 0);
	fds = test_fds(getpid());
	if (_i & 2) {
		getrlimit(RLIMIT_NOFILE, &was);
		few = was;
		next = dup(0);
		few.rlim_cur = (rlim_t)next;
		close(next);
		setrlimit(RLIMIT_NOFILE, &few);
		ck_assert_int_eq(ublkev__io_move_here(apart, io), -EMFILE);
		setrlimit(RLIMIT_NOFILE, &was);
	} else {
		ck_assert_int_eq(ublkev__io_move_here(apart, io), 0);
	}
	ck_assert_uint_eq(test_fds(getpid()), fds);
	ck_assert_int_eq(ublkev__io_enable(apart), 0);
	/* its files are there: the eventfd is read by the ring */
	ublkev__io_wake(apart);
	ublkev__io_woken(apart);
	ublkev__io_fetch(apart, 1, 2, NULL);
	ck_assert_int_eq(ublkev__io_enter(apart), 1);
	ck_assert_uint_eq(ublkev__io_reap(apart, v, 16), 1);
	ck_assert_uint_eq(v[0].queue, 1);
	ck_assert_uint_eq(v[0].tag, 2);
	ck_assert(!ublkev__io_has_work(apart));
	ublkev__io_close(apart, true);
	ublkev__io_free(apart);
	io_down();
}
END_TEST

START_TEST(buffers_not_forked)
{
	io_up(1, 0);
	ck_assert_int_eq(ublkev__io_need_bufs(io), 0);
	ck_assert(test_vm_flag(ublkev__io_bufs(io, 0), "dc"));
	ck_assert(test_vm_flag(ublkev__io_spare_buf(io), "dc"));
	io_down();
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

	io_up(1, 0);
	ck_assert_int_eq(ublkev__io_need_bufs(io), 0);
	bufs = ublkev__io_bufs(io, 0);
	memset(bufs, 1, IO_DEPTH * 4096);
	if (_i)
		ublkev__io_leave_bufs(io);
	io_down();
	ck_assert_int_eq(mincore(bufs, 4096, &there), _i ? 0 : -1);
	if (!_i)
		return;
	memset(bufs, 2, IO_DEPTH * 4096);
	ck_assert_int_eq(munmap(bufs, IO_DEPTH * 4096), 0);
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
	tcase_add_loop_test(tc, padded_descs, 0, TEST_COUNT(desc_sizes));
	tcase_add_loop_test(tc, moved_ring, 0, 4);
	tcase_add_test(tc, buffers_not_forked);
	tcase_add_loop_test(tc, buffers_left, 0, 2);
	tcase_add_test(tc, ring_not_forked);
	suite_add_tcase(suite, tc);
	return test_uring_main(suite);
}
