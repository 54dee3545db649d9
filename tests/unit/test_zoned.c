/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What zones add to each room: requests as the driver describes them, the way of
 * an append through a queue, what a backend may be and may answer, features and
 * parameters.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backend/guard.h"
#include "core/names.h"
#include "guard_kit.h"
#include "queue_kit.h"
#include "testlib.h"
#include "uring/abi.h"
#include "uring/sqe.h"

#define ZONE	65536u

/* ---- decode -------------------------------------------------------------- */

static const struct {
	uint32_t number, sectors;
	uint64_t start;
	enum ublkev_op op;
	int err;
	uint64_t offset, len;
} descs[] = {
	{ 10, 0, 128, UBLKEV_OP_ZONE_OPEN, 0, ZONE, 0 },
	{ 11, 0, 128, UBLKEV_OP_ZONE_CLOSE, 0, ZONE, 0 },
	{ 12, 0, 128, UBLKEV_OP_ZONE_FINISH, 0, ZONE, 0 },
	{ 15, 0, 128, UBLKEV_OP_ZONE_RESET, 0, ZONE, 0 },
	/* whatever it says of sectors, it is the zone that is meant */
	{ 15, 128, 128, UBLKEV_OP_ZONE_RESET, 0, ZONE, 0 },
	{ 15, 0, UINT64_MAX, UBLKEV_OP_ZONE_RESET, -EINVAL, 0, 0 },
	{ 14, 128, 128, UBLKEV_OP_ZONE_RESET_ALL, 0, 0, 0 },
	{ 13, 8, 128, UBLKEV_OP_ZONE_APPEND, 0, ZONE, 4096 },
	{ 13, 0, 128, UBLKEV_OP_ZONE_APPEND, -EINVAL, 0, 0 },
	{ 13, 129, 128, UBLKEV_OP_ZONE_APPEND, -EINVAL, 0, 0 },
	{ 18, 3, 128, UBLKEV_OP_REPORT_ZONES, 0, ZONE, 192 },
	{ 18, 0, 128, UBLKEV_OP_REPORT_ZONES, -EINVAL, 0, 0 },
	{ 18, ZONE / 64, 0, UBLKEV_OP_REPORT_ZONES, 0, 0, ZONE },
	{ 18, ZONE / 64 + 1, 0, UBLKEV_OP_REPORT_ZONES, -EINVAL, 0, 0 },
	{ 18, UINT32_MAX, 0, UBLKEV_OP_REPORT_ZONES, -EINVAL, 0, 0 },
};

START_TEST(decoded)
{
	const struct ublkev__desc desc = {
		.op_flags = descs[_i].number,
		.nr_sectors = descs[_i].sectors,
		.start_sector = descs[_i].start,
	};
	struct ublkev_req req = { .op = 77 };

	ck_assert_int_eq(ublkev__decode(&desc, ZONE, &req), descs[_i].err);
	ck_assert_uint_eq(req.op, descs[_i].op);
	ck_assert_uint_eq(req.offset_bytes, descs[_i].offset);
	ck_assert_uint_eq(req.len_bytes, descs[_i].len);
}
END_TEST

/* ---- a queue ------------------------------------------------------------- */

static void arm_zoned(int zero)
{
	struct ublkev__tag *got;

	ublkev__queue_set_xfer(&qk.q, zero ? UBLKEV__XFER_ZERO :
			       UBLKEV__XFER_USER, false);
	ublkev__queue_set_bufs(&qk.q, NULL, &qk.spare, QK_MAX_IO);
	ublkev__queue_arm(&qk.q);
	while (qk.q.out.nr)
		ublkev__queue_next_out(&qk.q, &got);
}

static void moved(enum ublkev__queue_act act, unsigned int tag, int result)
{
	struct ublkev__tag *got;

	ck_assert_int_eq(ublkev__queue_next_out(&qk.q, &got), act);
	ck_assert_ptr_eq(got, &qk.tags[tag]);
	ck_assert_int_eq(got->state, UBLKEV__TAG_MOVING);
	ck_assert_int_eq(got->result, result);
	qk_verify();
}

/* as other data of a zoned disk an append's come, and its place is told */
START_TEST(append_tells_its_place)
{
	struct ublkev__tag *t = &qk.tags[1], *got;

	arm_zoned(_i);
	ck_assert_int_eq(qk_cqe(1, 13, 2), 0);
	qk_assert_in(UBLKEV__QUEUE_PLACE, 1);
	ublkev__queue_set_bufs(&qk.q, qk.bufs, &qk.spare, QK_MAX_IO);
	ck_assert_int_eq(ublkev__queue_next_in(&qk.q, &got),
			 UBLKEV__QUEUE_NONE);
	moved(UBLKEV__QUEUE_MOVE_IN, 1, 0);
	ck_assert_int_eq(ublkev__queue_cqe(&qk.q, 1, 1024, NULL), 0);
	qk_assert_in(UBLKEV__QUEUE_APPEND, 1);
	ck_assert_ptr_eq(t->req.buf, qk.bufs + QK_MAX_IO);
	ck_assert_uint_eq(qk.stats.inflight, 1);
	qk_done(t->req.cookie, 0, 0);
	ck_assert(!ublkev__queue_idle(&qk.q));
	qk_assert_out(UBLKEV__QUEUE_COMMIT_APPEND, 1, 1024);
	ck_assert_int_eq(t->state, UBLKEV__TAG_DRIVER);
	qk_assert_nothing();
	ck_assert_uint_eq(qk.stats.op[UBLKEV_OP_ZONE_APPEND].bytes, 1024);
}
END_TEST

/* what failed is nowhere: its commit is as any other */
START_TEST(append_fails)
{
	struct ublkev__tag *got;

	arm_zoned(_i);
	ublkev__queue_set_bufs(&qk.q, qk.bufs, &qk.spare, QK_MAX_IO);
	ck_assert_int_eq(qk_cqe(1, 13, 2), 0);
	ck_assert_int_eq(ublkev__queue_next_in(&qk.q, &got),
			 UBLKEV__QUEUE_NONE);
	moved(UBLKEV__QUEUE_MOVE_IN, 1, 0);
	ck_assert_int_eq(ublkev__queue_cqe(&qk.q, 1, 512, NULL), 0);
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 1, -EIO);
	ck_assert_int_eq(qk_cqe(1, 13, 2), 0);
	ublkev__queue_next_in(&qk.q, &got);
	moved(UBLKEV__QUEUE_MOVE_IN, 1, 0);
	ck_assert_int_eq(ublkev__queue_cqe(&qk.q, 1, 1024, NULL), 0);
	qk_assert_in(UBLKEV__QUEUE_APPEND, 1);
	qk_done(qk.tags[1].req.cookie, -ENOSPC, 0);
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 1, -ENOSPC);
	ck_assert_uint_eq(qk.stats.op[UBLKEV_OP_ZONE_APPEND].errors, 2);
}
END_TEST

/* answered, and not told yet, when the device is aborted */
START_TEST(append_aborted)
{
	arm_zoned(_i);
	ublkev__queue_set_bufs(&qk.q, qk.bufs, &qk.spare, QK_MAX_IO);
	qk_cqe(2, 13, 2);
	ck_assert_ptr_null(qk_submitted());
	moved(UBLKEV__QUEUE_MOVE_IN, 2, 0);
	ublkev__queue_cqe(&qk.q, 2, 1024, NULL);
	qk_assert_in(UBLKEV__QUEUE_APPEND, 2);
	qk_done(qk.tags[2].req.cookie, 0, 0);
	ck_assert_uint_eq(ublkev__queue_abort(&qk.q), 0);
	qk_assert_out(UBLKEV__QUEUE_COMMIT_APPEND, 2, 1024);
	ck_assert(ublkev__queue_idle(&qk.q));
}
END_TEST

/* as much as a report can be at most, see queue_other_result() */
START_TEST(report_is_moved_out)
{
	arm_zoned(_i);
	qk_cqe(0, 18, 3);
	qk_assert_in(UBLKEV__QUEUE_PLACE, 0);
	ublkev__queue_set_bufs(&qk.q, qk.bufs, &qk.spare, QK_MAX_IO);
	qk_assert_in(UBLKEV__QUEUE_SUBMIT, 0);
	ck_assert_ptr_eq(qk.tags[0].req.buf, qk.bufs);
	ck_assert_uint_eq(qk.tags[0].req.len_bytes, 192);
	qk_done(qk.tags[0].req.cookie, 0, 0);
	moved(UBLKEV__QUEUE_MOVE_OUT, 0, QK_MAX_IO);
	ck_assert_int_eq(ublkev__queue_cqe(&qk.q, 0, 192, NULL), 0);
	qk_assert_out(UBLKEV__QUEUE_COMMIT, 0, QK_MAX_IO);
}
END_TEST

/* no data: the backend has them at once, and their answer is 0 */
START_TEST(zones_without_data)
{
	static const uint32_t numbers[] = { 10, 11, 12, 14, 15 };
	size_t i;

	arm_zoned(_i);
	ublkev__queue_set_bufs(&qk.q, qk.bufs, &qk.spare, QK_MAX_IO);
	for (i = 0; i < TEST_COUNT(numbers); i++) {
		qk_cqe(3, numbers[i], 0);
		qk_assert_in(UBLKEV__QUEUE_SUBMIT, 3);
		ck_assert_ptr_null(qk.tags[3].req.buf);
		qk_done(qk.tags[3].req.cookie, 0, 0);
		qk_assert_out(UBLKEV__QUEUE_COMMIT, 3, 0);
	}
}
END_TEST

/* ---- guard --------------------------------------------------------------- */

static int64_t append_answer;

static int64_t fake_append(void *ctx, const struct ublkev_req *req)
{
	struct fake *f = ctx;

	(void)req;
	strcat(f->calls, "append ");
	return append_answer;
}

static int zoned_open(void *ctx, struct ublkev_limits *limits)
{
	struct fake *f = ctx;

	*limits = f->limits;
	return 0;
}

static int zoned_submit(void *ctx, struct ublkev_req *req)
{
	struct fake *f = ctx;

	f->req = req;
	strcat(f->calls, "submit ");
	return UBLKEV_DONE;
}

static const struct ublkev_backend_ops zoned_ops = {
	.size = sizeof(zoned_ops),
	.name = "zoned",
	.open = zoned_open,
	.submit = zoned_submit,
	.append = fake_append,
};

static void zoned_make(struct fake *f, const struct ublkev_backend_ops *ops)
{
	guard_make(f, ops);
	f->limits.dev_bytes = 8 * ZONE;
	f->limits.chunk_bytes = ZONE;
	f->limits.flags = UBLKEV_LIMIT_ZONED;
	f->limits.max_discard_bytes = 0;
	f->limits.max_write_zeroes_bytes = 0;
}

static void zoned_start(struct fake *f, struct owner *o)
{
	zoned_make(f, &zoned_ops);
	guard_start_it(f, o);
}

static const struct {
	uint8_t op;
	uint64_t offset, len;
	int want;
} zone_reqs[] = {
	{ UBLKEV_OP_ZONE_RESET, ZONE, 0, 0 },
	{ UBLKEV_OP_ZONE_RESET, 7 * ZONE, 0, 0 },
	{ UBLKEV_OP_ZONE_RESET, 8 * ZONE, 0, -EINVAL },
	{ UBLKEV_OP_ZONE_RESET, ZONE + 512, 0, -EINVAL },
	{ UBLKEV_OP_ZONE_RESET, ZONE, 512, -EINVAL },
	{ UBLKEV_OP_ZONE_OPEN, ZONE, 0, 0 },
	{ UBLKEV_OP_ZONE_CLOSE, ZONE, 0, 0 },
	{ UBLKEV_OP_ZONE_FINISH, ZONE, 0, 0 },
	{ UBLKEV_OP_ZONE_FINISH, 9 * ZONE, 0, -EINVAL },
	{ UBLKEV_OP_ZONE_RESET_ALL, 0, 0, 0 },
	{ UBLKEV_OP_ZONE_RESET_ALL, ZONE, 0, -EINVAL },
	{ UBLKEV_OP_REPORT_ZONES, 0, 64, 0 },
	{ UBLKEV_OP_REPORT_ZONES, 7 * ZONE, 6400, 0 },
	{ UBLKEV_OP_REPORT_ZONES, 8 * ZONE, 64, -EINVAL },
	{ UBLKEV_OP_REPORT_ZONES, 512, 64, -EINVAL },
	{ UBLKEV_OP_REPORT_ZONES, 0, 65, -EINVAL },
	{ UBLKEV_OP_REPORT_ZONES, 0, 0, -EINVAL },
	/* no data cross from one zone to the next */
	{ UBLKEV_OP_READ, ZONE - 512, 1024, -EINVAL },
	{ UBLKEV_OP_WRITE, ZONE - 512, 1024, -EINVAL },
	{ UBLKEV_OP_ZONE_APPEND, ZONE - 512, 1024, -EINVAL },
	{ UBLKEV_OP_ZONE_APPEND, ZONE - 512, 512, 0 },
	{ UBLKEV_OP_ZONE_APPEND, ZONE, 100, -EINVAL },
	{ UBLKEV_OP_ZONE_APPEND, 8 * ZONE, 512, -EINVAL },
};

START_TEST(zone_requests_checked)
{
	struct ublkev_req req = {
		.op = zone_reqs[_i].op,
		.offset_bytes = zone_reqs[_i].offset,
		.len_bytes = zone_reqs[_i].len,
	};
	bool rejected;
	struct owner o;
	struct fake f;

	zoned_start(&f, &o);
	ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected),
			 zone_reqs[_i].want);
	ck_assert_int_eq(rejected, zone_reqs[_i].want != 0);
	ck_assert_str_eq(f.calls, rejected ? "" : "submit ");
	guard_finish(&f);
}
END_TEST

/* neither a disk without zones nor a read-only one is asked for them */
START_TEST(zones_of_no_zoned_disk)
{
	bool ro = _i, rejected;
	struct ublkev_req req = { 0 };
	struct owner o;
	struct fake f;
	int want;

	zoned_make(&f, &zoned_ops);
	f.limits.flags = ro ? UBLKEV_LIMIT_ZONED | UBLKEV_LIMIT_READ_ONLY : 0;
	guard_start_it(&f, &o);
	for (req.op = UBLKEV_OP_REPORT_ZONES; req.op < UBLKEV_NR_OPS;
	     req.op++) {
		req.len_bytes = req.op == UBLKEV_OP_REPORT_ZONES ? 64 : 0;
		want = !ro ? -EOPNOTSUPP :
		       req.op == UBLKEV_OP_REPORT_ZONES ? 0 : -EROFS;
		ck_assert_int_eq(ublkev__guard_submit(f.b, &req, &rejected),
				 want);
	}
	guard_finish(&f);
}
END_TEST

static const struct {
	uint64_t offset, len;
	int64_t answer;
	int want;
	bool rejected, logged;
} appends[] = {
	{ ZONE, 4096, ZONE + 512, 0, false, false },
	{ ZONE, 4096, 2 * ZONE - 4096, 0, false, false },
	{ ZONE, 4096, 2 * ZONE - 3584, -EIO, false, true },
	{ ZONE, 4096, ZONE - 512, -EIO, false, true },
	{ ZONE, 4096, ZONE + 100, -EIO, false, true },
	{ ZONE, 4096, INT64_MAX, -EIO, false, true },
	{ ZONE, 4096, -ENOSPC, -ENOSPC, false, false },
	{ ZONE, 4096, INT64_MIN, -EIO, false, true },
	{ ZONE + 512, 4096, ZONE, -EINVAL, true, false },
	{ ZONE, 0, ZONE, -EINVAL, true, false },
};

START_TEST(append_checked)
{
	struct ublkev_req req = {
		.op = UBLKEV_OP_ZONE_APPEND,
		.offset_bytes = appends[_i].offset,
		.len_bytes = appends[_i].len,
	};
	bool rejected;
	struct owner o;
	struct fake f;

	zoned_start(&f, &o);
	append_answer = appends[_i].answer;
	ck_assert_int_eq(ublkev__guard_append(f.b, &req, &rejected),
			 appends[_i].want);
	ck_assert_int_eq(rejected, appends[_i].rejected);
	ck_assert_str_eq(f.calls, rejected ? "" : "append ");
	ck_assert_uint_eq(guard_said.lines, appends[_i].logged);
	ck_assert_uint_eq(req.offset_bytes, appends[_i].want ?
			  appends[_i].offset : (uint64_t)appends[_i].answer);
	guard_finish(&f);
}
END_TEST

START_TEST(zones_stay_as_many)
{
	struct owner o;
	struct fake f;

	zoned_start(&f, &o);
	ck_assert_int_eq(ublkev__guard_can_resize(f.b, 9 * ZONE), -EOPNOTSUPP);
	guard_finish(&f);
}
END_TEST

/* ---- limits --------------------------------------------------------------- */

static void no_chunk(struct ublkev_limits *l) { l->chunk_bytes = 0; }
static void part_zone(struct ublkev_limits *l) { l->dev_bytes += 512; }
static void no_data(struct ublkev_limits *l) { l->flags |= UBLKEV_LIMIT_NO_DATA; }
static void part_block(struct ublkev_limits *l) { l->max_zone_append_bytes = 700; }
static void all_open(struct ublkev_limits *l) { l->max_open_zones = 8; }
static void more_open(struct ublkev_limits *l) { l->max_open_zones = 9; }
static void all_active(struct ublkev_limits *l) { l->max_active_zones = 8; }
static void more_active(struct ublkev_limits *l) { l->max_active_zones = 9; }
static void read_only(struct ublkev_limits *l) { l->flags |= UBLKEV_LIMIT_READ_ONLY; }

static void less_active(struct ublkev_limits *l)
{
	l->max_open_zones = 3;
	l->max_active_zones = 2;
}

static void no_zones(struct ublkev_limits *l)
{
	l->flags = 0;
	l->max_open_zones = 1;
}

static const struct {
	void (*change)(struct ublkev_limits *l);
	bool no_append;
	const char *fault;
} zone_limits[] = {
	{ no_chunk, false, "chunk_bytes" },
	{ part_zone, false, "dev_bytes" },
	{ no_data, false, "flags" },
	{ part_block, false, "max_zone_append_bytes" },
	{ all_open, false, NULL },
	{ more_open, false, "max_open_zones" },
	{ all_active, false, NULL },
	{ more_active, false, "max_active_zones" },
	{ less_active, false, "max_open_zones" },
	{ no_zones, false, "flags" },
	{ all_open, true, "flags" },
	{ read_only, true, NULL },
};

START_TEST(zone_limits_checked)
{
	const char *fault = zone_limits[_i].fault;
	struct ublkev_backend_ops ops = zoned_ops;
	char member[64];
	struct owner o;
	struct fake f;

	if (zone_limits[_i].no_append)
		ops.append = NULL;
	zoned_make(&f, &ops);
	zone_limits[_i].change(&f.limits);
	ck_assert_int_eq(guard_open_it(&f, &o), fault ? -EINVAL : 0);
	ck_assert_uint_eq(guard_said.lines, fault != NULL);
	if (fault) {
		snprintf(member, sizeof(member), "limits.%s ", fault);
		ck_assert_ptr_nonnull(strstr(guard_said.line, member));
	}
	guard_finish(&f);
}
END_TEST

/* ---- features and parameters ---------------------------------------------- */

START_TEST(features)
{
	struct ublkev_conf conf = { .copy = (enum ublkev_copy)_i };
	const uint64_t zoned = UBLKEV__F(ZONED) | UBLKEV__F(USER_COPY);
	const uint64_t k612 = 0x1fe, k73 = 0x1fffff;
	unsigned int traits = UBLKEV__ZONED | UBLKEV__CAN_MAP;
	uint64_t got;

	/* whatever way to copy was asked for */
	ck_assert_int_eq(ublkev__features_choose(&conf, traits, k612, &got), 0);
	ck_assert_uint_eq(got & (zoned | UBLKEV__F(NEED_GET_DATA)), zoned);
	ck_assert_int_eq(ublkev__xfer_of(got, traits), UBLKEV__XFER_USER);
	ck_assert(ublkev__features_servable(got));
	traits |= UBLKEV__CAN_PLACE;
	ck_assert_int_eq(ublkev__features_choose(&conf, traits, k73, &got), 0);
	ck_assert_uint_eq(got & (zoned | UBLKEV__F(NEED_GET_DATA)), zoned);
	ck_assert_int_eq(!!(got & UBLKEV__F(AUTO_BUF_REG)),
			 conf.copy == UBLKEV_COPY_ZERO ||
			 conf.copy == UBLKEV_COPY_AUTO);
	/* an append would be told of the wrong place */
	conf.features = UBLKEV_F_BATCH_IO;
	ck_assert_int_eq(ublkev__features_choose(&conf, traits, k73, &got), 0);
	ck_assert_uint_eq(got & (zoned | UBLKEV__F(BATCH_IO) |
				 UBLKEV__F(AUTO_BUF_REG)),
			  zoned | UBLKEV__F(BATCH_IO));
	conf.features = 0;
	/* where the kernel has no zones, or the device is an ordinary user's */
	ck_assert_int_eq(ublkev__features_choose(&conf, traits, k73 &
			 ~UBLKEV__F(ZONED), &got), -EOPNOTSUPP);
	conf.flags = UBLKEV_CONF_UNPRIVILEGED;
	ck_assert_int_eq(ublkev__features_choose(&conf, traits, k73, &got),
			 -EOPNOTSUPP);
	ck_assert(!ublkev__features_servable(UBLKEV__F(ZONED)));
}
END_TEST

static void make(struct ublkev__params *p, uint32_t append, uint32_t max_io)
{
	struct ublkev_limits l = {
		.dev_bytes = 8 * ZONE, .chunk_bytes = ZONE,
		.logical_block_bytes = 512, .physical_block_bytes = 512,
		.discard_granularity_bytes = 512,
		.flags = UBLKEV_LIMIT_ZONED, .max_zone_append_bytes = append,
		.max_open_zones = 3, .max_active_zones = 4,
	};

	memset(p, 0, sizeof(*p));
	ublkev__params_make(p, &l, max_io, false);
}

START_TEST(parameters)
{
	struct ublkev__params p, back;
	struct abi_params abi;

	make(&p, 0, 2 * ZONE);
	ck_assert_uint_eq(p.max_zone_append_sectors, ZONE >> 9);
	make(&p, 0, ZONE / 2);
	ck_assert_uint_eq(p.max_zone_append_sectors, ZONE >> 10);
	make(&p, 4096, ZONE);
	ck_assert_uint_eq(p.max_zone_append_sectors, 8);
	ublkev__abi_put_params(&abi, &p);
	ck_assert_uint_eq(abi.types & 8, 8);
	ck_assert_uint_eq(abi.zoned.max_open_zones, 3);
	ck_assert_uint_eq(abi.zoned.max_active_zones, 4);
	ublkev__abi_get_params(&abi, &back);
	back.discard_granularity = p.discard_granularity; /* of no use */
	ck_assert_mem_eq(&p, &back, sizeof(p));
	ck_assert_ptr_null(ublkev__params_misfit(&p, &back));
	back.max_open_zones = 2;
	ck_assert_str_eq(ublkev__params_misfit(&p, &back),
			 "kind of zones or their limits");
	back = p;
	back.max_zone_append_sectors = 0;
	ck_assert_ptr_nonnull(ublkev__params_misfit(&p, &back));
	back = p;
	back.chunk_sectors *= 2;
	ck_assert_str_eq(ublkev__params_misfit(&p, &back), "chunk size");
}
END_TEST

START_TEST(sqe_has_the_sector)
{
	union {
		struct io_uring_sqe sqe;
		uint64_t words[8];
	} s;

	memset(&s, 0xa5, sizeof(s));
	ublkev__sqe_io(&s.sqe, ABI_IO_COMMIT_AND_FETCH_REQ, 1, 2, 4096, NULL);
	ublkev__sqe_append(&s.sqe, UINT64_C(0x123456789a));
	ck_assert_uint_eq(s.words[7], UINT64_C(0x123456789a));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zoned");
	TCase *tc = tcase_create("queue");

	tcase_add_checked_fixture(tc, qk_setup, NULL);
	tcase_add_loop_test(tc, append_tells_its_place, 0, 2);
	tcase_add_loop_test(tc, append_fails, 0, 2);
	tcase_add_loop_test(tc, append_aborted, 0, 2);
	tcase_add_loop_test(tc, report_is_moved_out, 0, 2);
	tcase_add_loop_test(tc, zones_without_data, 0, 2);
	suite_add_tcase(suite, tc);
	tc = tcase_create("guard");
	tcase_add_loop_test(tc, zone_requests_checked, 0,
			    TEST_COUNT(zone_reqs));
	tcase_add_loop_test(tc, zones_of_no_zoned_disk, 0, 2);
	tcase_add_loop_test(tc, append_checked, 0, TEST_COUNT(appends));
	tcase_add_test(tc, zones_stay_as_many);
	tcase_add_loop_test(tc, zone_limits_checked, 0,
			    TEST_COUNT(zone_limits));
	suite_add_tcase(suite, tc);
	tc = tcase_create("driver");
	tcase_add_loop_test(tc, decoded, 0, TEST_COUNT(descs));
	tcase_add_loop_test(tc, features, 0, UBLKEV_NR_COPIES);
	tcase_add_test(tc, parameters);
	tcase_add_test(tc, sqe_has_the_sector);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
