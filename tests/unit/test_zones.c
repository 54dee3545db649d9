/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The states of zones: from each by each operation, what is not allowed, how many
 * may be open and active, the report, and a table that another process began.
 */
#include <errno.h>
#include <linux/blkzoned.h>
#include <stdlib.h>
#include <string.h>

#include "backend/zones.h"
#include "testlib.h"

#define ZONE		UINT64_C(65536)
#define CAPACITY	UINT64_C(49152)
#define NR		8u

static const struct ublkev__zones_conf conf = {
	.dev_bytes = NR * ZONE, .zone_bytes = ZONE, .capacity_bytes = CAPACITY,
	.max_open = 2, .max_active = 3, .conventional = 1,
};

static struct ublkev__zones z;
static _Alignas(8) char table[4096];

static void set_up(void)
{
	memset(table, 0, sizeof(table));
	ck_assert_uint_le(ublkev__zones_table_bytes(&conf), sizeof(table));
	ck_assert_int_eq(ublkev__zones_init(&z, &conf, table), 0);
	ublkev__zones_verify(&z);
}

static int manage(unsigned int op, unsigned int zone)
{
	int err = ublkev__zones_manage(&z, op, zone * ZONE);

	ublkev__zones_verify(&z);
	return err;
}

static int put(unsigned int zone, uint64_t at, uint64_t len)
{
	int err = ublkev__zones_write(&z, zone * ZONE + at, len);

	ublkev__zones_verify(&z);
	return err;
}

static void report(unsigned int first, struct blk_zone *to, unsigned int n)
{
	struct ublkev_req req = {
		.op = UBLKEV_OP_REPORT_ZONES, .offset_bytes = first * ZONE,
		.len_bytes = n * sizeof(*to), .buf = to,
	};

	ublkev__zones_report(&z, &req);
}

static void is(unsigned int zone, uint8_t cond, uint64_t wp)
{
	struct blk_zone got;

	report(zone, &got, 1);
	ck_assert_uint_eq(got.cond, cond);
	ck_assert_uint_eq(got.wp, (zone * ZONE + wp) >> 9);
}

/* ---- from each state by each operation ------------------------------------- */

#define EMPTY	BLK_ZONE_COND_EMPTY
#define IMP	BLK_ZONE_COND_IMP_OPEN
#define EXP	BLK_ZONE_COND_EXP_OPEN
#define CLOSED	BLK_ZONE_COND_CLOSED
#define FULL	BLK_ZONE_COND_FULL
#define NOT_WP	BLK_ZONE_COND_NOT_WP

static void lead(uint8_t to)
{
	if (to == IMP || to == CLOSED || to == EXP)
		ck_assert_int_eq(put(1, 0, 4096), 0);
	if (to == CLOSED)
		ck_assert_int_eq(manage(UBLKEV_OP_ZONE_CLOSE, 1), 0);
	if (to == EXP)
		ck_assert_int_eq(manage(UBLKEV_OP_ZONE_OPEN, 1), 0);
	if (to == FULL)
		ck_assert_int_eq(put(1, 0, CAPACITY), 0);
}

static const struct {
	uint8_t from;
	unsigned int op;
	int err;
	uint8_t to;
	uint64_t wp;
} steps[] = {
	{ EMPTY, UBLKEV_OP_ZONE_OPEN, 0, EXP, 0 },
	{ EMPTY, UBLKEV_OP_ZONE_CLOSE, -EIO, EMPTY, 0 },
	{ EMPTY, UBLKEV_OP_ZONE_FINISH, 0, FULL, ZONE },
	{ EMPTY, UBLKEV_OP_ZONE_RESET, 0, EMPTY, 0 },
	{ EMPTY, UBLKEV_OP_WRITE, 0, IMP, 4096 },
	{ EMPTY, UBLKEV_OP_ZONE_APPEND, 0, IMP, 4096 },
	{ IMP, UBLKEV_OP_ZONE_OPEN, 0, EXP, 4096 },
	{ IMP, UBLKEV_OP_ZONE_CLOSE, 0, CLOSED, 4096 },
	{ IMP, UBLKEV_OP_ZONE_FINISH, 0, FULL, ZONE },
	{ IMP, UBLKEV_OP_ZONE_RESET, 0, EMPTY, 0 },
	{ IMP, UBLKEV_OP_WRITE, 0, IMP, 8192 },
	{ IMP, UBLKEV_OP_ZONE_APPEND, 0, IMP, 8192 },
	{ EXP, UBLKEV_OP_ZONE_OPEN, 0, EXP, 4096 },
	{ EXP, UBLKEV_OP_ZONE_CLOSE, 0, CLOSED, 4096 },
	{ EXP, UBLKEV_OP_ZONE_FINISH, 0, FULL, ZONE },
	{ EXP, UBLKEV_OP_ZONE_RESET, 0, EMPTY, 0 },
	{ EXP, UBLKEV_OP_WRITE, 0, EXP, 8192 },
	{ EXP, UBLKEV_OP_ZONE_APPEND, 0, EXP, 8192 },
	{ CLOSED, UBLKEV_OP_ZONE_OPEN, 0, EXP, 4096 },
	{ CLOSED, UBLKEV_OP_ZONE_CLOSE, 0, CLOSED, 4096 },
	{ CLOSED, UBLKEV_OP_ZONE_FINISH, 0, FULL, ZONE },
	{ CLOSED, UBLKEV_OP_ZONE_RESET, 0, EMPTY, 0 },
	{ CLOSED, UBLKEV_OP_WRITE, 0, IMP, 8192 },
	{ CLOSED, UBLKEV_OP_ZONE_APPEND, 0, IMP, 8192 },
	{ FULL, UBLKEV_OP_ZONE_OPEN, -EIO, FULL, ZONE },
	{ FULL, UBLKEV_OP_ZONE_CLOSE, -EIO, FULL, ZONE },
	{ FULL, UBLKEV_OP_ZONE_FINISH, 0, FULL, ZONE },
	{ FULL, UBLKEV_OP_ZONE_RESET, 0, EMPTY, 0 },
	{ FULL, UBLKEV_OP_WRITE, -EIO, FULL, ZONE },
	{ FULL, UBLKEV_OP_ZONE_APPEND, -EIO, FULL, ZONE },
};

START_TEST(step)
{
	uint64_t wp;
	int64_t at;
	int err;

	lead(steps[_i].from);
	is(1, steps[_i].from, ublkev__zones_written(&z, ZONE));
	wp = ublkev__zones_written(&z, ZONE);
	if (steps[_i].op == UBLKEV_OP_WRITE) {
		err = ublkev__zones_write(&z, ZONE + (wp < ZONE ? wp : 0),
					  4096);
	} else if (steps[_i].op == UBLKEV_OP_ZONE_APPEND) {
		at = ublkev__zones_append(&z, ZONE, 4096);
		err = at < 0 ? (int)at : 0;
		if (!err)
			ck_assert_int_eq(at, (int64_t)(ZONE + wp));
	} else {
		ck_assert_int_eq(ublkev__zones_may_manage(&z, steps[_i].op,
							  ZONE),
				 steps[_i].err);
		err = manage(steps[_i].op, 1);
	}
	ublkev__zones_verify(&z);
	ck_assert_int_eq(err, steps[_i].err);
	is(1, steps[_i].to, steps[_i].wp);
}
END_TEST

/* ---- writes ----------------------------------------------------------------- */

START_TEST(only_at_the_write_pointer)
{
	ck_assert_int_eq(put(2, 512, 512), -EIO);
	is(2, EMPTY, 0);
	ck_assert_int_eq(put(2, 0, 1024), 0);
	ck_assert_int_eq(put(2, 0, 512), -EIO);
	ck_assert_int_eq(put(2, 2048, 512), -EIO);
	is(2, IMP, 1024);
	ck_assert_int_eq(put(2, 1024, CAPACITY - 1024 + 512), -EIO);
	is(2, IMP, 1024);
	ck_assert_int_eq(put(2, 1024, CAPACITY - 1024), 0);
	is(2, FULL, ZONE);
	ck_assert_int_eq(ublkev__zones_append(&z, 2 * ZONE, 512), -EIO);
	/* behind what can be written */
	ck_assert_int_eq(put(3, CAPACITY, 512), -EIO);
}
END_TEST

START_TEST(conventional)
{
	unsigned int op;

	ck_assert_int_eq(put(0, 8192, 4096), 0);
	ck_assert_int_eq(put(0, 0, ZONE), 0);
	is(0, NOT_WP, ZONE);
	ck_assert_int_eq(ublkev__zones_append(&z, 0, 512), -EIO);
	for (op = UBLKEV_OP_ZONE_OPEN; op <= UBLKEV_OP_ZONE_RESET; op++)
		ck_assert_int_eq(manage(op, 0), -EIO);
	ublkev__zones_unwrite(&z, 0, 4096);
	ublkev__zones_found(&z, 0, 4096);
	ublkev__zones_reset_all(&z);
	ublkev__zones_verify(&z);
	is(0, NOT_WP, ZONE);
}
END_TEST

START_TEST(failed_writes)
{
	ck_assert_int_eq(put(1, 0, 4096), 0);
	ublkev__zones_unwrite(&z, ZONE, 4096);
	ublkev__zones_verify(&z);
	is(1, IMP, 0);
	/* one of two appends, the one in front */
	ck_assert_int_eq(ublkev__zones_append(&z, ZONE, 512), ZONE);
	ck_assert_int_eq(ublkev__zones_append(&z, ZONE, 512), ZONE + 512);
	ublkev__zones_unwrite(&z, ZONE, 512);
	is(1, IMP, 1024);
	ublkev__zones_unwrite(&z, ZONE + 512, 512);
	is(1, IMP, 512);
	/* a zone that was closed meanwhile is empty, if it has no data */
	ublkev__zones_unwrite(&z, ZONE, 512);
	ck_assert_int_eq(put(1, 0, 512), 0);
	ck_assert_int_eq(manage(UBLKEV_OP_ZONE_CLOSE, 1), 0);
	ublkev__zones_unwrite(&z, ZONE, 512);
	ublkev__zones_verify(&z);
	is(1, EMPTY, 0);
	/* full is full */
	ck_assert_int_eq(put(1, 0, CAPACITY), 0);
	ublkev__zones_unwrite(&z, ZONE, CAPACITY);
	ublkev__zones_verify(&z);
	is(1, FULL, ZONE);
}
END_TEST

/* ---- how many may be open, and active ---------------------------------------- */

START_TEST(implicit_gives_way)
{
	ck_assert_int_eq(put(1, 0, 512), 0);
	ck_assert_int_eq(put(2, 0, 512), 0);
	ck_assert_int_eq(put(3, 0, 512), 0);
	ck_assert_uint_eq(z.nr_open, 2);
	ck_assert_uint_eq(z.nr_active, 3);
	is(1, CLOSED, 512);
	/* all three are active: an empty one can't be */
	ck_assert_int_eq(put(4, 0, 512), -EOVERFLOW);
	ck_assert_int_eq(ublkev__zones_append(&z, 4 * ZONE, 512), -EOVERFLOW);
	ck_assert_int_eq(manage(UBLKEV_OP_ZONE_OPEN, 4), -EOVERFLOW);
	is(4, EMPTY, 0);
	/* but a closed one again */
	ck_assert_int_eq(put(1, 512, 512), 0);
	ck_assert_int_eq(manage(UBLKEV_OP_ZONE_FINISH, 2), 0);
	ck_assert_int_eq(put(4, 0, 512), 0);
}
END_TEST

START_TEST(explicit_stays)
{
	ck_assert_int_eq(manage(UBLKEV_OP_ZONE_OPEN, 1), 0);
	ck_assert_int_eq(manage(UBLKEV_OP_ZONE_OPEN, 2), 0);
	ck_assert_int_eq(put(3, 0, 512), -ETOOMANYREFS);
	ck_assert_int_eq(manage(UBLKEV_OP_ZONE_OPEN, 3), -ETOOMANYREFS);
	ck_assert_int_eq(ublkev__zones_append(&z, 3 * ZONE, 512),
			 -ETOOMANYREFS);
	is(3, EMPTY, 0);
	/* without data closed is empty */
	ck_assert_int_eq(manage(UBLKEV_OP_ZONE_CLOSE, 1), 0);
	is(1, EMPTY, 0);
	ck_assert_int_eq(put(3, 0, 512), 0);
	ck_assert_int_eq(manage(UBLKEV_OP_ZONE_OPEN, 4), 0);
	is(3, CLOSED, 512);
}
END_TEST

START_TEST(no_bounds)
{
	struct ublkev__zones_conf any = conf;
	unsigned int i;

	any.max_open = any.max_active = 0;
	memset(table, 0, sizeof(table));
	ck_assert_int_eq(ublkev__zones_init(&z, &any, table), 0);
	for (i = 1; i < NR; i++)
		ck_assert_int_eq(put(i, 0, 512), 0);
	ck_assert_uint_eq(z.nr_open, NR - 1);
}
END_TEST

/* ---- the report, and the table ------------------------------------------------ */

START_TEST(reported)
{
	struct blk_zone got[NR + 2], none = { 0 };
	unsigned int i;

	ck_assert_int_eq(put(1, 0, 512), 0);
	memset(got, 0xff, sizeof(got));
	report(0, got, NR + 2);
	for (i = 0; i < NR; i++) {
		ck_assert_uint_eq(got[i].start, i * ZONE >> 9);
		ck_assert_uint_eq(got[i].len, ZONE >> 9);
		ck_assert_uint_eq(got[i].capacity, (i ? CAPACITY : ZONE) >> 9);
		ck_assert_uint_eq(got[i].type, i ? BLK_ZONE_TYPE_SEQWRITE_REQ :
				  BLK_ZONE_TYPE_CONVENTIONAL);
		ck_assert_uint_eq(got[i].reset | got[i].non_seq, 0);
	}
	ck_assert_uint_eq(got[1].wp, (ZONE + 512) >> 9);
	ck_assert_mem_eq(&got[NR], &none, sizeof(none));
	ck_assert_mem_eq(&got[NR + 1], &none, sizeof(none));
	report(NR - 1, got, 2);
	ck_assert_uint_eq(got[0].start, (NR - 1) * ZONE >> 9);
	ck_assert_uint_eq(got[1].len, 0);
}
END_TEST

START_TEST(table_outlives_its_server)
{
	struct ublkev__zones next;

	ck_assert_int_eq(put(1, 0, CAPACITY), 0);
	ck_assert_int_eq(put(2, 0, 512), 0);
	ck_assert_int_eq(manage(UBLKEV_OP_ZONE_OPEN, 3), 0);
	ck_assert_int_eq(ublkev__zones_init(&next, &conf, table), 0);
	ublkev__zones_verify(&next);
	ck_assert_uint_eq(next.nr_open, 2);
	ck_assert_uint_eq(next.nr_implicit, 1);
	ck_assert_uint_eq(next.nr_active, 2);
	ck_assert_uint_eq(ublkev__zones_written(&next, ZONE), ZONE);
}
END_TEST

/* of other zones, or of somebody's who would have us believe anything */
START_TEST(bad_tables)
{
	struct ublkev__zones_conf other = conf;
	struct ublkev__zones next;
	char was[sizeof(table)];

	other.conventional = 2;
	ck_assert_int_eq(ublkev__zones_init(&next, &other, table), -EINVAL);
	other = conf;
	other.capacity_bytes = ZONE;
	ck_assert_int_eq(ublkev__zones_init(&next, &other, table), -EINVAL);
	other = conf;
	other.zone_bytes = other.capacity_bytes = ZONE / 2;
	ck_assert_int_eq(ublkev__zones_init(&next, &other, table), -EINVAL);
	memcpy(was, table, sizeof(was));
	table[0] ^= 1;
	ck_assert_int_eq(ublkev__zones_init(&next, &conf, table), -EINVAL);
	memcpy(table, was, sizeof(was));
	z.zone[1].wp_bytes = 2 * ZONE;
	ck_assert_int_eq(ublkev__zones_init(&next, &conf, table), -EINVAL);
	z.zone[1].wp_bytes = 0;
	z.zone[1].cond = 0x77;
	ck_assert_int_eq(ublkev__zones_init(&next, &conf, table), -EINVAL);
	z.zone[1].cond = CLOSED;
	ck_assert_int_eq(ublkev__zones_init(&next, &conf, table), -EINVAL);
	z.zone[1].wp_bytes = 100;
	ck_assert_int_eq(ublkev__zones_init(&next, &conf, table), -EINVAL);
	z.zone[1].wp_bytes = CAPACITY;
	ck_assert_int_eq(ublkev__zones_init(&next, &conf, table), -EINVAL);
	z.zone[1].cond = FULL;
	ck_assert_int_eq(ublkev__zones_init(&next, &conf, table), -EINVAL);
	z.zone[1].cond = NOT_WP;
	ck_assert_int_eq(ublkev__zones_init(&next, &conf, table), -EINVAL);
	z.zone[1].cond = EMPTY;
	z.zone[1].wp_bytes = 0;
	ck_assert_int_eq(ublkev__zones_init(&next, &conf, table), 0);
}
END_TEST

START_TEST(found)
{
	ublkev__zones_found(&z, ZONE, 0);
	ublkev__zones_found(&z, 2 * ZONE, 8192);
	ublkev__zones_found(&z, 3 * ZONE, CAPACITY);
	ublkev__zones_verify(&z);
	is(1, EMPTY, 0);
	is(2, CLOSED, 8192);
	is(3, FULL, ZONE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zones");
	TCase *tc = tcase_create("zones");

	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_add_loop_test(tc, step, 0, TEST_COUNT(steps));
	tcase_add_test(tc, only_at_the_write_pointer);
	tcase_add_test(tc, conventional);
	tcase_add_test(tc, failed_writes);
	tcase_add_test(tc, implicit_gives_way);
	tcase_add_test(tc, explicit_stays);
	tcase_add_test(tc, no_bounds);
	tcase_add_test(tc, reported);
	tcase_add_test(tc, table_outlives_its_server);
	tcase_add_test(tc, bad_tables);
	tcase_add_test(tc, found);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
