/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands of BATCH_IO: what they are filled with, what the driver answers,
 * what is left for the next one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "testlib.h"
#include "uring/abi.h"
#include "uring/batch.h"
#include "uring/udata.h"

#define QUEUE	3u
#define DEPTH	6u
#define BUF_TAGS 8u	/* a buffer has room for so many */

static struct ublkev__alloc mem;
static struct io_uring ring;
static struct ublkev__batch b;
static struct io_uring_sqe sqe;
static struct ublkev__cqe v[16];
static bool more;

static void set_up(void)
{
	ublkev__alloc_init(&mem, NULL, NULL);
	ck_assert_int_eq(io_uring_queue_init(8, &ring, 0), 0);
	memset(&b, 0, sizeof(b));
	ck_assert_int_eq(ublkev__batch_open(&b, &mem, &ring, QUEUE, DEPTH,
					    UBLKEV__BATCH_BUF, -1), 0);
}

static void tear_down(void)
{
	io_uring_queue_exit(&ring);
	ublkev__batch_free(&b, &mem);
	ublkev__batch_free(&b, &mem);
}

static struct abi_batch_io cmd(void)
{
	struct abi_batch_io c;

	memcpy(&c, (char *)&sqe + 48, sizeof(c));
	ck_assert_uint_eq(sqe.opcode, 46);
	ck_assert_uint_eq(c.q_id, QUEUE);
	return c;
}

/* the next command is this one, with so many elements */
static void sent(uint32_t cmd_op, unsigned int nr)
{
	ck_assert(ublkev__batch_has_sqe(&b));
	memset(&sqe, 0xa5, sizeof(sqe));
	ublkev__batch_sqe(&b, &sqe);
	ck_assert_uint_eq(sqe.cmd_op, cmd_op);
	ck_assert_uint_eq(cmd().nr_elem, nr);
	ck_assert_uint_eq(sqe.user_data,
			  udata_batch(QUEUE, cmd_op == ABI_IO_FETCH_IO_CMDS));
}

static unsigned int reap(bool fetch, int res, unsigned int flags,
			 unsigned int max)
{
	const struct io_uring_cqe cqe = {
		.user_data = udata_batch(QUEUE, fetch), .res = res,
		.flags = flags,
	};

	return ublkev__batch_reap(&b, &cqe, v, max, &more);
}

static unsigned int elems_done(int res)
{
	return reap(false, res, 0, 16);
}

static void said(unsigned int i, unsigned int tag, int res)
{
	ck_assert_uint_eq(v[i].queue, QUEUE);
	ck_assert_uint_eq(v[i].tag, tag);
	ck_assert_int_eq(v[i].res, res);
}

static void prepare(void)
{
	unsigned int i;

	for (i = 0; i < DEPTH; i++)
		ublkev__batch_add(&b, i, 0, (uintptr_t)&b);
	sent(ABI_IO_PREP_IO_CMDS, DEPTH);
	ck_assert_uint_eq(elems_done(0), 0);
	sent(ABI_IO_FETCH_IO_CMDS, 0);
	ck_assert(!ublkev__batch_has_sqe(&b));
}

/* FETCH comes after PREP, for it is refused before */
START_TEST(begins)
{
	ck_assert(!ublkev__batch_has_sqe(&b));
	ublkev__batch_add(&b, 1, 0, (uintptr_t)&b);
	sent(ABI_IO_PREP_IO_CMDS, 1);
	ck_assert(!ublkev__batch_has_sqe(&b));
	ck_assert_uint_eq(elems_done(0), 0);
	sent(ABI_IO_FETCH_IO_CMDS, 0);
	ck_assert_uint_eq(cmd().elem_bytes, 2);
	ck_assert_uint_eq(cmd().flags, 0);
	ck_assert_uint_eq(sqe.flags, IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT);
	ck_assert_uint_eq(sqe.rw_flags, 2);
	ck_assert_uint_eq(sqe.buf_group, QUEUE);
	ck_assert_uint_eq(sqe.addr, 0);
	ck_assert(!ublkev__batch_has_sqe(&b));
}
END_TEST

START_TEST(prep_refused)
{
	ublkev__batch_add(&b, 4, 0, (uintptr_t)&b);
	sent(ABI_IO_PREP_IO_CMDS, 1);
	ck_assert_uint_eq(elems_done(-EINVAL), 1);
	said(0, 4, -EINVAL);
	ck_assert(!ublkev__batch_has_sqe(&b));
}
END_TEST

START_TEST(elements)
{
	const struct abi_batch_elem *e;

	prepare();
	ublkev__batch_add(&b, 5, -EIO, (uintptr_t)&ring);
	ublkev__batch_add(&b, 2, 4096, (uintptr_t)&sqe);
	sent(ABI_IO_COMMIT_IO_CMDS, 2);
	ck_assert_uint_eq(cmd().flags, 2);
	ck_assert_uint_eq(cmd().elem_bytes, 16);
	e = (const void *)(uintptr_t)sqe.addr;
	ck_assert_uint_eq(e[0].tag, 5);
	ck_assert_int_eq(e[0].result, -EIO);
	ck_assert_uint_eq(e[0].addr, (uintptr_t)&ring);
	ck_assert_uint_eq(e[0].buf_index, 0);
	ck_assert_uint_eq(e[1].tag, 2);
	ck_assert_int_eq(e[1].result, 4096);
	ck_assert_uint_eq(e[1].addr, (uintptr_t)&sqe);
}
END_TEST

START_TEST(elements_without_address)
{
	const struct {
		uint16_t tag, buf_index;
		int32_t result;
	} *e;

	io_uring_unregister_buf_ring(&ring, QUEUE);
	ublkev__batch_free(&b, &mem);
	ck_assert_int_eq(ublkev__batch_open(&b, &mem, &ring, QUEUE, DEPTH,
					    UBLKEV__BATCH_NO_ADDR, -1), 0);
	ublkev__batch_add(&b, 1, 512, 0);
	ublkev__batch_add(&b, 3, 1024, 0);
	sent(ABI_IO_PREP_IO_CMDS, 2);
	ck_assert_uint_eq(cmd().flags, 0);
	ck_assert_uint_eq(cmd().elem_bytes, 8);
	e = (const void *)(uintptr_t)sqe.addr;
	ck_assert_uint_eq(e[1].tag, 3);
	ck_assert_int_eq(e[1].result, 1024);
	ck_assert_uint_eq(elems_done(0), 0);
}
END_TEST

/* of a zoned device: where appends went, and slots beside them if need be */
START_TEST(elements_with_sectors)
{
	const struct abi_batch_elem *e;

	io_uring_unregister_buf_ring(&ring, QUEUE);
	ublkev__batch_free(&b, &mem);
	ck_assert_int_eq(ublkev__batch_open(&b, &mem, &ring, QUEUE, DEPTH,
					    UBLKEV__BATCH_ZONE,
					    _i ? 1000 : -1), 0);
	ublkev__batch_add(&b, 1, 512, UINT64_C(1) << 40);
	sent(ABI_IO_PREP_IO_CMDS, 1);
	/* HAS_ZONE_LBA, AUTO_BUF_REG_FALLBACK */
	ck_assert_uint_eq(cmd().flags, _i ? 5 : 1);
	ck_assert_uint_eq(cmd().elem_bytes, 16);
	e = (const void *)(uintptr_t)sqe.addr;
	ck_assert_uint_eq(e[0].addr, UINT64_C(1) << 40);
	ck_assert_uint_eq(e[0].buf_index, _i ? 1001 : 0);
	ck_assert_uint_eq(elems_done(0), 0);
}
END_TEST

/* AUTO_BUF_REG: each tag's slot, so many behind that of the queue's first */
START_TEST(elements_with_slots)
{
	const struct {
		uint16_t tag, buf_index;
		int32_t result;
	} *e;

	io_uring_unregister_buf_ring(&ring, QUEUE);
	ublkev__batch_free(&b, &mem);
	ck_assert_int_eq(ublkev__batch_open(&b, &mem, &ring, QUEUE, DEPTH,
					    UBLKEV__BATCH_NO_ADDR, 1000), 0);
	ublkev__batch_add(&b, 1, 512, 0);
	ublkev__batch_add(&b, 3, 1024, 0);
	sent(ABI_IO_PREP_IO_CMDS, 2);
	ck_assert_uint_eq(cmd().flags, 4);	/* AUTO_BUF_REG_FALLBACK */
	ck_assert_uint_eq(cmd().elem_bytes, 8);
	e = (const void *)(uintptr_t)sqe.addr;
	ck_assert_uint_eq(e[0].buf_index, 1001);
	ck_assert_uint_eq(e[1].buf_index, 1003);
}
END_TEST

/* one array at a time; what comes meanwhile goes with the next */
START_TEST(gathered_meanwhile)
{
	prepare();
	ublkev__batch_add(&b, 0, 0, (uintptr_t)&b);
	sent(ABI_IO_COMMIT_IO_CMDS, 1);
	ublkev__batch_add(&b, 1, 1, (uintptr_t)&b);
	ublkev__batch_add(&b, 2, 2, (uintptr_t)&b);
	ck_assert(!ublkev__batch_has_sqe(&b));
	ck_assert_uint_eq(elems_done(16), 0);
	sent(ABI_IO_COMMIT_IO_CMDS, 2);
	ck_assert_uint_eq(*(const uint16_t *)(uintptr_t)sqe.addr, 1);
	ck_assert_uint_eq(elems_done(32), 0);
	ck_assert(!ublkev__batch_has_sqe(&b));
}
END_TEST

START_TEST(partly_done)
{
	unsigned int i;

	prepare();
	for (i = 0; i < 4; i++)
		ublkev__batch_add(&b, i, 0, (uintptr_t)&b);
	sent(ABI_IO_COMMIT_IO_CMDS, 4);
	ublkev__batch_add(&b, 5, 0, (uintptr_t)&b);
	ck_assert_uint_eq(elems_done(2 * 16), 1);
	said(0, 2, -EIO);
	sent(ABI_IO_COMMIT_IO_CMDS, 2);
	ck_assert_uint_eq(*(const uint16_t *)(uintptr_t)sqe.addr, 3);
	ck_assert_uint_eq(elems_done(-EINVAL), 1);
	said(0, 3, -EINVAL);
	sent(ABI_IO_COMMIT_IO_CMDS, 1);
	ck_assert_uint_eq(*(const uint16_t *)(uintptr_t)sqe.addr, 5);
}
END_TEST

#define BUF(i)	((unsigned int)(i) << IORING_CQE_BUFFER_SHIFT | \
		 IORING_CQE_F_BUFFER)

START_TEST(tags)
{
	uint16_t tail;

	prepare();
	tail = b.bufs->tail;
	b.tags[2 * BUF_TAGS] = 4;
	b.tags[2 * BUF_TAGS + 1] = 1;
	b.tags[2 * BUF_TAGS + 2] = 5;
	/* in two parts; the buffer is given back with the second */
	ck_assert_uint_eq(reap(true, 6, BUF(2) | IORING_CQE_F_MORE, 2), 2);
	ck_assert(more);
	said(0, 4, 0);
	said(1, 1, 0);
	ck_assert_uint_eq(b.bufs->tail, tail);
	ck_assert_uint_eq(reap(true, 6, BUF(2) | IORING_CQE_F_MORE, 2), 1);
	ck_assert(!more);
	said(0, 5, 0);
	ck_assert_uint_eq((uint16_t)(b.bufs->tail - tail), 1);
	ck_assert_uint_eq(b.bufs->bufs[tail & 7].bid, 2);
	ck_assert_uint_eq(b.bufs->bufs[tail & 7].addr,
			  (uintptr_t)(b.tags + 2 * BUF_TAGS));
	ck_assert_uint_eq(b.bufs->bufs[tail & 7].len, 2 * BUF_TAGS);
	ck_assert(!ublkev__batch_has_sqe(&b));
	/* the next completion is read from its beginning */
	b.tags[3 * BUF_TAGS] = 0;
	b.tags[3 * BUF_TAGS + 1] = 3;
	ck_assert_uint_eq(reap(true, 4, BUF(3) | IORING_CQE_F_MORE, 16), 2);
	ck_assert(!more);
	said(0, 0, 0);
	said(1, 3, 0);
}
END_TEST

/* without F_MORE it must be sent again, or the queue stands still for ever */
START_TEST(fetch_ends_and_goes_on)
{
	prepare();
	ck_assert_uint_eq(reap(true, -ENOBUFS, 0, 16), 0);
	sent(ABI_IO_FETCH_IO_CMDS, 0);
	b.tags[0] = 2;
	ck_assert_uint_eq(reap(true, 2, BUF(0), 16), 1);
	said(0, 2, 0);
	/* a commit has precedence */
	ublkev__batch_add(&b, 2, 0, (uintptr_t)&b);
	sent(ABI_IO_COMMIT_IO_CMDS, 1);
	sent(ABI_IO_FETCH_IO_CMDS, 0);
	ck_assert(!ublkev__batch_has_sqe(&b));
}
END_TEST

START_TEST(fetch_ends)
{
	static const int ends[] = { -ENODEV, -EINVAL };

	prepare();
	ck_assert_uint_eq(reap(true, ends[_i], 0, 16), 1);
	said(0, UBLKEV__ALL_TAGS, ends[_i]);
	ck_assert(!ublkev__batch_has_sqe(&b));
	/* what was with the backend is answered all the same */
	ublkev__batch_add(&b, 1, 0, (uintptr_t)&b);
	sent(ABI_IO_COMMIT_IO_CMDS, 1);
	ck_assert_uint_eq(elems_done(16), 0);
	ck_assert(!ublkev__batch_has_sqe(&b));
}
END_TEST

START_TEST(bufs_not_forked)
{
	ck_assert(test_vm_flag(b.bufs, "dc"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("batch");
	TCase *tc = tcase_create("batch");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, begins);
	tcase_add_test(tc, prep_refused);
	tcase_add_test(tc, elements);
	tcase_add_test(tc, elements_without_address);
	tcase_add_test(tc, elements_with_slots);
	tcase_add_loop_test(tc, elements_with_sectors, 0, 2);
	tcase_add_test(tc, gathered_meanwhile);
	tcase_add_test(tc, partly_done);
	tcase_add_test(tc, tags);
	tcase_add_test(tc, fetch_ends_and_goes_on);
	tcase_add_loop_test(tc, fetch_ends, 0, 2);
	tcase_add_test(tc, bufs_not_forked);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
