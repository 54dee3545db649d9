/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests' pages that commands put into the ring and take out, on this host's
 * io_uring: which commands, how often and in what order, and what becomes of
 * those that the kernel refuses. An eventfd in place of ublkc knows none.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/names.h"
#include "io_kit.h"
#include "testlib.h"
#include "uring_kit.h"

#define BY_HAND	(UBLKEV__F(USER_COPY) | UBLKEV__F(SUPPORT_ZERO_COPY))

static struct ublkev__fileop op;

static void up(uint64_t features)
{
	char path[] = "/tmp/test_io.XXXXXX";

	ublkev__alloc_init(&io_mem, NULL, NULL);
	io_enter_result = 0;
	io_nr_slot_cmds = 0;
	io_refuses_slots = false;
	ck_assert_int_eq(ublkev__io_new(&io, &io_mem), 0);
	ublkev__io_for_files(io);
	ublkev__io_for_pages(io);
	ck_assert_int_eq(ublkev__io_set_up(io, 2, IO_DEPTH, 4096), 0);
	ck_assert_int_eq(ublkev__io_open(io, 7, 2, IO_DEPTH, features), 0);
	op = (struct ublkev__fileop){
		.kind = UBLKEV__FILEOP_READ, .fd = mkstemp(path),
		.lent = true, .len_bytes = 512,
	};
	ck_assert_int_ge(op.fd, 0);
	unlink(path);
}

static void down(void)
{
	close(op.fd);
	io_down();
}

static void file(unsigned int queue, unsigned int tag, uint8_t piece)
{
	op.piece = piece;
	ublkev__io_file(io, queue, tag, &op);
}

/* submits all, of which all completes at once */
static unsigned int done(struct ublkev__cqe v[16])
{
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	return io_reap(v);
}

/* the same, of `n` that threads of the kernel's may do */
static void done_late(unsigned int n)
{
	struct pollfd p = { .fd = ublkev__io_fd(io), .events = POLLIN };
	struct ublkev__cqe v[16];

	ck_assert_int_ge(ublkev__io_enter(io), 0);
	while ((n -= ublkev__io_reap(io, v, 16))) {
		ck_assert_int_ge(poll(&p, 1, 1000), 0);
		ublkev__io_reset(io);
		ck_assert_int_ge(ublkev__io_enter(io), 0);
	}
}

static void assert_cmd(unsigned int i, unsigned int queue, unsigned int tag,
		       bool fill)
{
	ck_assert_uint_lt(i, io_nr_slot_cmds);
	ck_assert_uint_eq(io_slot_cmds[i].queue, queue);
	ck_assert_uint_eq(io_slot_cmds[i].tag, tag);
	ck_assert_uint_eq(io_slot_cmds[i].slot, queue * IO_DEPTH + tag);
	ck_assert(io_slot_cmds[i].fill == fill);
}

/* once for all pieces, whenever they are begun, and once before the commit */
START_TEST(once)
{
	struct ublkev__cqe v[16];
	unsigned int round;

	up(BY_HAND);
	for (round = 0; round < 2; round++) {
		io_nr_slot_cmds = 0;
		file(1, 2, 0);
		file(1, 2, 1);
		ck_assert_uint_eq(done(v), 2);
		ck_assert_uint_eq(io_submitted, 3);
		file(1, 2, 0);
		ck_assert_uint_eq(done(v), 1);
		ck_assert_uint_eq(io_submitted, 1);
		ck_assert_uint_eq(io_nr_slot_cmds, 1);
		assert_cmd(0, 1, 2, true);
		/* nothing of it is heard of: 2 SQEs, 1 CQE */
		ublkev__io_commit(io, 1, 2, 512, NULL);
		ck_assert_uint_eq(done(v), 1);
		ck_assert_uint_eq(io_submitted, 2);
		ck_assert_uint_eq(io_nr_slot_cmds, 2);
		assert_cmd(1, 1, 2, false);
	}
	down();
}
END_TEST

/* others' slots are theirs; what touches no pages needs none */
START_TEST(only_lent)
{
	struct ublkev__cqe v[16];
	uint64_t seven = 7;

	up(BY_HAND);
	file(0, 3, 0);
	op.lent = false;
	op.addr = &seven;
	op.len_bytes = 8;
	op.kind = UBLKEV__FILEOP_STORE;
	file(1, 3, 0);
	op.kind = UBLKEV__FILEOP_CLEAR;
	file(0, 2, 0);
	done_late(3);
	ck_assert_uint_eq(io_nr_slot_cmds, 1);
	assert_cmd(0, 0, 3, true);
	ublkev__io_commit(io, 1, 3, 0, NULL);
	ublkev__io_commit(io, 0, 2, 0, NULL);
	ck_assert_uint_eq(done(v), 2);
	ck_assert_uint_eq(io_nr_slot_cmds, 1);
	down();
}
END_TEST

/* the driver does both itself, of all requests */
START_TEST(not_by_hand)
{
	struct ublkev__cqe v[16];

	up(UBLKEV__F(USER_COPY) | UBLKEV__F(AUTO_BUF_REG) |
	   (_i ? UBLKEV__F(SUPPORT_ZERO_COPY) : 0));
	file(1, 2, 0);
	ublkev__io_commit(io, 1, 2, 0, NULL);
	ck_assert_uint_eq(done(v), 2);
	ck_assert_uint_eq(io_nr_slot_cmds, 0);
	down();
}
END_TEST

/* the file finds the slot empty; there is nothing to be taken out, or again */
START_TEST(fill_refused)
{
	struct ublkev__cqe v[16];

	up(BY_HAND);
	io_refuses_slots = true;
	file(1, 2, 6);
	ck_assert_uint_eq(done(v), 1);
	ck_assert(ublkev__cqe_is_file(&v[0]));
	ck_assert_int_eq(v[0].res, -EFAULT);
	ck_assert_uint_eq(ublkev__cqe_piece(&v[0]), 6);
	ublkev__io_commit(io, 1, 2, 0, NULL);
	ck_assert_uint_eq(done(v), 1);
	ck_assert_uint_eq(io_nr_slot_cmds, 1);
	/* the tag's next request begins anew */
	file(1, 2, 0);
	ck_assert_uint_eq(done(v), 1);
	ck_assert_uint_eq(io_nr_slot_cmds, 2);
	assert_cmd(1, 1, 2, true);
	down();
}
END_TEST

/* it is told as the tag's own, in front of what the commit brings */
START_TEST(empty_refused)
{
	struct ublkev__cqe v[16];

	up(BY_HAND);
	file(1, 2, 0);
	ck_assert_uint_eq(done(v), 1);
	io_refuses_slots = true;
	ublkev__io_commit(io, 1, 2, 0, NULL);
	ck_assert_uint_eq(done(v), 2);
	ck_assert(!ublkev__cqe_is_file(&v[0]));
	ck_assert_uint_eq(v[0].queue, 1);
	ck_assert_uint_eq(v[0].tag, 2);
	ck_assert_int_lt(v[0].res, 0);
	down();
}
END_TEST

/* each tag has its two, however many there are for files */
START_TEST(room)
{
	struct ublkev__cqe v[16];
	unsigned int tag, most = 0, n = 0, reaped = 0;

	up(BY_HAND);
	op.kind = UBLKEV__FILEOP_SYNC;
	op.lent = false;
	for (; ublkev__io_has_file_room(io); most++)
		file(0, 0, 1);
	done_late(most);
	op.kind = UBLKEV__FILEOP_READ;
	op.lent = true;
	for (tag = 0; tag < 2 * IO_DEPTH; tag++, n += 2)
		file(tag / IO_DEPTH, tag % IO_DEPTH, 0);
	op.kind = UBLKEV__FILEOP_SYNC;
	op.lent = false;
	for (; ublkev__io_has_file_room(io); n++)
		file(0, 0, 1);
	/* one that fills a slot takes the room of another */
	ck_assert_uint_le(n, most);
	for (tag = 0; tag < 2 * IO_DEPTH; tag++)
		ublkev__io_commit(io, tag / IO_DEPTH, tag % IO_DEPTH, 0, NULL);
	ublkev__io_woken(io);
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	ck_assert_uint_eq(io_submitted, n + 2 * 2 * IO_DEPTH + 1);
	ck_assert_uint_eq(io_nr_slot_cmds, 2 * 2 * IO_DEPTH);
	while (ublkev__io_has_cqes(io))
		reaped += ublkev__io_reap(io, v, 16);
	ck_assert_uint_ge(reaped, 2 * IO_DEPTH);
	down();
}
END_TEST

/* a ring has 32768 SQEs at the most */
START_TEST(too_many_tags)
{
	static const int depths[] = { 4080, 4090 };

	ublkev__alloc_init(&io_mem, NULL, NULL);
	ck_assert_int_eq(ublkev__io_new(&io, &io_mem), 0);
	ublkev__io_for_files(io);
	ublkev__io_for_pages(io);
	ck_assert_int_eq(ublkev__io_set_up(io, 4, (unsigned int)depths[_i],
					   4096), _i ? -EINVAL : 0);
	ublkev__io_free(io);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("io_slots");
	TCase *tc = tcase_create("io_slots");

	tcase_add_test(tc, once);
	tcase_add_test(tc, only_lent);
	tcase_add_loop_test(tc, not_by_hand, 0, 2);
	tcase_add_test(tc, fill_refused);
	tcase_add_test(tc, empty_refused);
	tcase_add_test(tc, room);
	tcase_add_loop_test(tc, too_many_tags, 0, 2);
	suite_add_tcase(suite, tc);
	return test_uring_main(suite);
}
