/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk in a file with metadata: what an error, or the end, makes of a request of
 * several operations, and of those that wait for it.
 */
#include <errno.h>
#include <string.h>

#include "failalloc.h"
#include "filemeta_kit.h"

/* ---- errors, the end ----------------------------------------------------- */

/* of either part, or a part of one: the request's, when both are back */
START_TEST(errors)
{
	static const int res[] = { -EIO, -ENOSPC, 0, (int)META - 1 };
	unsigned int part = (unsigned int)_i % 2;
	int err = res[_i / 2], want = err < 0 ? err : -EIO;

	meta_up();
	meta_submit(UBLKEV_OP_READ, 0, 1, UBLKEV_REQ_METADATA);
	meta_end_op(part, err);
	ck_assert(meta_requests[0].busy);
	meta_end_op(0, 1);
	ck_assert_int_eq(meta_requests[0].res, want);
	meta_write(0, 1, 3, UBLKEV_REQ_METADATA);
	meta_end_op(part, err);
	meta_end_op(0, 1);
	ck_assert_int_eq(meta_requests[0].res, want);
	/* who waits for one that fails has its turn */
	meta_write(0, 1, 4, UBLKEV_REQ_METADATA);
	meta_write(0, 1, 5, UBLKEV_REQ_METADATA);
	meta_end_op(part, err);
	meta_end_all();
	ck_assert_int_eq(meta_requests[0].res, want);
	ck_assert_int_eq(meta_requests[1].res, 0);
	ck_assert(!ublkev_file_lost_writes(meta_disk));
	meta_down();
}
END_TEST

START_TEST(errors_of_steps)
{
	unsigned int i;

	meta_up();
	meta_submit(UBLKEV_OP_WRITE_ZEROES, 0, 1, UBLKEV_REQ_FUA);
	for (i = 0; i < (unsigned int)_i; i++)
		meta_end_op(0, 1);
	meta_end_op(0, -ENOSPC);
	ck_assert_uint_eq(meta_nr_ops, 0);
	ck_assert_int_eq(meta_requests[0].res, -ENOSPC);
	meta_refuse = -ECANCELED;
	meta_refuse_after = (unsigned int)_i;
	meta_submit(UBLKEV_OP_WRITE_ZEROES, 0, 1, UBLKEV_REQ_FUA);
	meta_end_all();
	ck_assert_int_eq(meta_requests[0].res, -ECANCELED);
	meta_down();
}
END_TEST

START_TEST(flushes)
{
	meta_up();
	meta_submit(UBLKEV_OP_FLUSH, 0, 0, 0);
	meta_end_all();
	ck_assert_int_eq(meta_requests[0].res, 0);
	ck_assert_uint_eq(meta_syncs, 1);
	meta_write(0, 1, 3, UBLKEV_REQ_METADATA | UBLKEV_REQ_FUA);
	meta_end_op(0, _i ? -ENOSPC : -EIO);
	meta_end_all();
	ck_assert_int_eq(ublkev_file_lost_writes(meta_disk), !_i);
	meta_submit(UBLKEV_OP_FLUSH, 0, 0, 0);
	if (_i) {
		meta_end_op(0, -ENOSPC);
		ck_assert_int_eq(meta_requests[0].res, -ENOSPC);
		meta_submit(UBLKEV_OP_FLUSH, 0, 0, 0);
	}
	ck_assert_uint_eq(meta_nr_ops, 0);
	ck_assert_int_eq(meta_requests[0].res, -EIO);
	meta_down();
}
END_TEST

/* what can't be begun: at once, the second part, and of one that waited */
START_TEST(not_begun)
{
	meta_up();
	meta_refuse = -EBUSY;
	meta_refuse_after = 0;
	meta_write(0, 1, 3, UBLKEV_REQ_METADATA);
	ck_assert_int_eq(meta_requests[0].res, -EBUSY);
	meta_refuse_after = 1;
	meta_submit(UBLKEV_OP_READ, 0, 1, UBLKEV_REQ_METADATA);
	ck_assert_uint_eq(meta_nr_ops, 1);
	meta_refuse = 0;
	meta_write(0, 1, 4, UBLKEV_REQ_METADATA);
	meta_write(0, 1, 5, UBLKEV_REQ_METADATA);
	meta_refuse = -EBUSY;
	meta_refuse_after = 0;
	meta_end_op(0, 1);
	ck_assert_int_eq(meta_requests[0].res, -EBUSY);
	ck_assert_int_eq(meta_requests[1].res, -EBUSY);
	meta_refuse = 0;
	meta_end_all();
	ck_assert_int_eq(meta_requests[2].res, 0);
	meta_down();
}
END_TEST

/* once nothing is begun any more, who waits is another server's, or was failed */
START_TEST(left_waiting)
{
	meta_up();
	meta_write(0, 1, 3, UBLKEV_REQ_METADATA);
	meta_write(0, 1, 4, UBLKEV_REQ_METADATA);
	meta_refuse = -ECANCELED;
	meta_refuse_after = 0;
	meta_end_op(0, -ECANCELED);
	meta_end_op(0, 1);
	ck_assert_int_eq(meta_requests[0].res, -ECANCELED);
	ck_assert(meta_requests[1].busy);
	/* one whose operations never come back does not hold up the next device */
	meta_refuse = 0;
	meta_write(1, 1, 4, UBLKEV_REQ_METADATA);
	meta_write(1, 1, 5, UBLKEV_REQ_METADATA);
	meta_nr_ops = 0;
	memset(&meta_requests[0].busy, 0, 1);
	meta_requests[1].busy = meta_requests[2].busy = false;
	ublkev__guard_stop(meta_disk);
	ublkev__guard_close(meta_disk);
	ck_assert_int_eq(ublkev__guard_open(meta_disk, meta_on_done, NULL, &meta_log),
			 0);
	ck_assert_int_eq(ublkev__guard_start(meta_disk, NULL), 0);
	meta_write(0, 4, 6, UBLKEV_REQ_METADATA);
	meta_end_all();
	ck_assert_int_eq(meta_requests[0].res, 0);
	meta_down();
}
END_TEST

START_TEST(out_of_memory)
{
	int leaked;

	meta_up();
	failalloc_arm(1);
	meta_write(0, 1, 3, UBLKEV_REQ_METADATA);
	ck_assert(failalloc_disarm(&leaked));
	ck_assert_int_eq(meta_requests[0].res, -ENOMEM);
	meta_write(0, 1, 3, UBLKEV_REQ_METADATA);
	meta_end_all();
	ck_assert_int_eq(meta_requests[0].res, 0);
	meta_down();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("filemeta_end");
	TCase *tc = tcase_create("end");

	tcase_add_checked_fixture(tc, meta_set_up, meta_tear_down);
	tcase_add_loop_test(tc, errors, 0, 8);
	tcase_add_loop_test(tc, errors_of_steps, 0, 3);
	tcase_add_loop_test(tc, flushes, 0, 2);
	tcase_add_test(tc, not_begun);
	tcase_add_test(tc, left_waiting);
	tcase_add_test(tc, out_of_memory);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
