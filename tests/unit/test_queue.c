/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "core/queue.h"
#include "testlib.h"

#define DEPTH	4u
#define MAX_IO	8192u
#define GENERATION	70u

static struct {
	struct ublkev__queue q;
	struct ublkev__tag tags[DEPTH];
	uint64_t since_us[DEPTH];
	struct ublkev_stats stats;
	char bufs[DEPTH * MAX_IO], spare;
} t;

static void verify(void)
{
	ublkev__queue_verify(&t.q);
}

static void set_up(void)
{
	memset(&t.stats, 0, sizeof(t.stats));
	ublkev__queue_init(&t.q, 3, DEPTH, GENERATION, t.tags, t.since_us,
			   &t.stats);
	verify();
	ublkev__queue_set_bufs(&t.q, t.bufs, &t.spare, MAX_IO);
	verify();
}

static void assert_out(enum ublkev__queue_act act, unsigned int tag, int result)
{
	struct ublkev__tag *got = NULL;

	ck_assert_int_eq(ublkev__queue_next_out(&t.q, &got), act);
	ck_assert_ptr_eq(got, &t.tags[tag]);
	ck_assert_int_eq(got->state, UBLKEV__TAG_DRIVER);
	ck_assert_ptr_eq(ublkev__queue_buf(&t.q, got),
			 t.q.failing && got->result < 0 ?
			 &t.spare : t.bufs + tag * MAX_IO);
	if (act == UBLKEV__QUEUE_COMMIT)
		ck_assert_int_eq(got->result, result);
	verify();
}

/* the tag that the backend gets next; NULL: none */
static struct ublkev__tag *submitted(void)
{
	enum ublkev__queue_act act;
	struct ublkev__tag *got;

	act = ublkev__queue_next_in(&t.q, &got);
	if (act == UBLKEV__QUEUE_NONE)
		return NULL;
	ck_assert_int_eq(act, UBLKEV__QUEUE_SUBMIT);
	return got;
}

static void assert_nothing(void)
{
	struct ublkev__tag *got;

	ck_assert_ptr_null(submitted());
	ck_assert_int_eq(ublkev__queue_next_out(&t.q, &got),
			 UBLKEV__QUEUE_NONE);
	ck_assert(!ublkev__queue_has_work(&t.q));
}

static void arm(void)
{
	unsigned int i;

	ublkev__queue_arm(&t.q);
	verify();
	for (i = 0; i < DEPTH; i++)
		assert_out(UBLKEV__QUEUE_ARM, i, 0);
	assert_nothing();
}

static int cqe(unsigned int tag, uint32_t op, uint32_t sectors)
{
	const struct ublkev__desc desc = {
		.op_flags = op, .nr_sectors = sectors, .start_sector = 1,
	};
	int err = ublkev__queue_cqe(&t.q, tag, 0, &desc);

	verify();
	return err;
}

/* a request of the tag, with the backend; its cookie */
static uint64_t pulled(unsigned int tag, uint32_t op)
{
	struct ublkev__tag *got;

	ck_assert_int_eq(cqe(tag, op, 2), 0);
	ck_assert(ublkev__queue_has_work(&t.q));
	got = submitted();
	ck_assert_ptr_eq(got, &t.tags[tag]);
	verify();
	return got->req.cookie;
}

static void done(uint64_t cookie, int err, int answer)
{
	ck_assert_int_eq(ublkev__queue_done(&t.q, cookie, err), answer);
	verify();
}

/* ---- life of a tag ------------------------------------------------------ */

START_TEST(new)
{
	unsigned int i;

	assert_nothing();
	ck_assert(!ublkev__queue_drained(&t.q));
	for (i = 0; i < DEPTH; i++) {
		ck_assert_int_eq(t.tags[i].state, UBLKEV__TAG_IDLE);
		ck_assert_int_eq(cqe(i, 0, 8), -EPROTO);
	}
}
END_TEST

/* with the driver's number of each op, and what is committed */
static const struct {
	uint32_t number;
	enum ublkev_op op;
	int result;
} ops[] = {
	{ 0, UBLKEV_OP_READ, 1024 },
	{ 1, UBLKEV_OP_WRITE, 1024 },
	{ 2, UBLKEV_OP_FLUSH, 0 },
	{ 3, UBLKEV_OP_DISCARD, 0 },
	{ 5, UBLKEV_OP_WRITE_ZEROES, 0 },
};

START_TEST(served)
{
	bool data = ops[_i].op <= UBLKEV_OP_WRITE;
	struct ublkev_req *req = &t.tags[2].req;
	uint64_t cookie;

	arm();
	req->data = &t;
	cookie = pulled(2, ops[_i].number);
	ck_assert_int_eq(req->op, ops[_i].op);
	ck_assert_uint_eq(req->queue, 3);
	ck_assert_uint_eq(req->tag, 2);
	ck_assert_ptr_null(req->data);
	ck_assert_ptr_eq(req->buf, data ? t.bufs + 2 * MAX_IO : NULL);
	ck_assert_uint_eq(ublkev__cookie_queue(cookie), 3);
	ck_assert_uint_eq(ublkev__cookie_tag(cookie), 2);
	ck_assert_uint_eq(cookie >> 32, GENERATION + 1);
	ck_assert_uint_eq(t.stats.inflight, 1);
	done(cookie, 0, 0);
	assert_out(UBLKEV__QUEUE_COMMIT, 2, ops[_i].result);
	assert_nothing();
	ck_assert_uint_eq(t.stats.inflight, 0);
	ck_assert_uint_eq(t.stats.op[ops[_i].op].reqs, 1);
	ck_assert_uint_eq(t.stats.op[ops[_i].op].errors, 0);
	ck_assert_uint_eq(t.stats.op[ops[_i].op].bytes,
			  ops[_i].op == UBLKEV_OP_FLUSH ? 0 : 1024);
}
END_TEST

/* begun by the backend: pulled again after the others, the same request */
START_TEST(done_in_pieces)
{
	struct ublkev__tag *got;
	uint64_t cookie;

	arm();
	cookie = pulled(2, 3);
	t.tags[2].req.data = &t;
	ck_assert_int_eq(cqe(1, 0, 2), 0);
	ublkev__queue_again(&t.q, &t.tags[2]);
	verify();
	ck_assert_uint_eq(t.stats.inflight, 0);
	ck_assert(ublkev__queue_has_work(&t.q));
	ck_assert(!ublkev__queue_idle(&t.q));
	ck_assert_int_eq(ublkev__queue_next_in(&t.q, &got),
			 UBLKEV__QUEUE_SUBMIT);
	ck_assert_ptr_eq(got, &t.tags[1]);
	ck_assert_int_eq(ublkev__queue_next_in(&t.q, &got),
			 UBLKEV__QUEUE_SUBMIT);
	verify();
	ck_assert_ptr_eq(got, &t.tags[2]);
	ck_assert_uint_eq(got->req.cookie, cookie);
	ck_assert_ptr_eq(got->req.data, &t);
	done(cookie, 0, 0);
	assert_out(UBLKEV__QUEUE_COMMIT, 2, 0);
	/* the tag's next request is a new one */
	ck_assert_uint_ne(pulled(2, 3), cookie);
	ck_assert_ptr_null(got->req.data);
	ck_assert_uint_eq(t.stats.op[UBLKEV_OP_DISCARD].reqs, 1);
}
END_TEST

START_TEST(aborted_between_pieces)
{
	uint64_t cookie;

	arm();
	cookie = pulled(2, 3);
	ublkev__queue_again(&t.q, &t.tags[2]);
	/* it is not the backend's to answer */
	done(cookie, 0, -ESTALE);
	ck_assert_uint_eq(ublkev__queue_abort(&t.q), 0);
	verify();
	assert_out(UBLKEV__QUEUE_COMMIT, 2, -EIO);
	assert_nothing();
	/* answered inside submit() after all: that was the end of it */
	ublkev__queue_again(&t.q, &t.tags[2]);
	verify();
	assert_nothing();
}
END_TEST

START_TEST(failed)
{
	arm();
	done(pulled(0, ops[_i].number), -ENOSPC, 0);
	assert_out(UBLKEV__QUEUE_COMMIT, 0, -ENOSPC);
	ck_assert_uint_eq(t.stats.op[ops[_i].op].reqs, 1);
	ck_assert_uint_eq(t.stats.op[ops[_i].op].errors, 1);
	ck_assert_uint_eq(t.stats.op[ops[_i].op].bytes, 0);
}
END_TEST

START_TEST(undecodable)
{
	arm();
	ck_assert_int_eq(cqe(1, 4, 8), 0);
	ck_assert_ptr_null(submitted());
	assert_out(UBLKEV__QUEUE_COMMIT, 1, -EOPNOTSUPP);
	ck_assert_int_eq(cqe(1, 0, MAX_IO / 512 + 1), 0);
	assert_out(UBLKEV__QUEUE_COMMIT, 1, -EINVAL);
	ck_assert_uint_eq(t.stats.rejected, 2);
	/* the first has no op to be counted under */
	ck_assert_uint_eq(t.stats.op[UBLKEV_OP_READ].reqs, 1);
	ck_assert_uint_eq(t.stats.op[UBLKEV_OP_READ].errors, 1);
	assert_nothing();
}
END_TEST

START_TEST(refused)
{
	arm();
	pulled(1, 1);
	ublkev__queue_refused(&t.q, &t.tags[1], -EROFS);
	verify();
	assert_out(UBLKEV__QUEUE_COMMIT, 1, -EROFS);
	ck_assert_uint_eq(t.stats.rejected, 1);
	ck_assert_uint_eq(t.stats.inflight, 0);
}
END_TEST

/* BATCH_IO: one completion for all that the driver has */
START_TEST(all_at_once)
{
	uint64_t cookie;

	arm();
	cookie = pulled(1, 1);
	ck_assert_int_eq(cqe(0, 0, 2), 0);
	ck_assert_int_eq(ublkev__queue_all_cqe(&t.q, 0), -EPROTO);
	ck_assert_int_eq(ublkev__queue_all_cqe(&t.q, _i ? -EINVAL : -ENODEV),
			 _i ? -EINVAL : 0);
	verify();
	ck_assert_int_eq(ublkev__queue_all_cqe(&t.q, -ENODEV), -EPROTO);
	ck_assert_uint_eq(t.q.nr_dead, DEPTH - 2);
	done(cookie, 0, 0);
	ublkev__queue_abort(&t.q);
	verify();
	while (ublkev__queue_has_work(&t.q)) {
		struct ublkev__tag *got;

		ck_assert_int_eq(ublkev__queue_next_out(&t.q, &got),
				 UBLKEV__QUEUE_COMMIT);
		ck_assert_int_eq(got->state, UBLKEV__TAG_DEAD);
		verify();
	}
	ck_assert(ublkev__queue_drained(&t.q));
}
END_TEST

START_TEST(in_order)
{
	unsigned int i;

	arm();
	for (i = 0; i < DEPTH; i++)
		ck_assert_int_eq(cqe((i + 2) % DEPTH, 2, 0), 0);
	for (i = 0; i < DEPTH; i++)
		ck_assert_ptr_eq(submitted(),
				 &t.tags[(i + 2) % DEPTH]);
	ck_assert_uint_eq(t.stats.inflight_max, DEPTH);
	for (i = DEPTH; i--;)
		done(t.tags[i].req.cookie, 0, 0);
	for (i = DEPTH; i--;)
		assert_out(UBLKEV__QUEUE_COMMIT, i, 0);
	ck_assert_uint_eq(t.stats.inflight_max, DEPTH);
}
END_TEST

START_TEST(fua_counted)
{
	arm();
	done(pulled(0, 1u | 1u << 13), 0, 0);
	ck_assert_uint_eq(t.stats.fua, 1);
}
END_TEST

/* ---- data that somebody has to move -------------------------------------- */

static void assert_in(enum ublkev__queue_act act, unsigned int tag)
{
	struct ublkev__tag *got = NULL;

	ck_assert_int_eq(ublkev__queue_next_in(&t.q, &got), act);
	ck_assert_ptr_eq(got, &t.tags[tag]);
	verify();
}

static void assert_with_backend(unsigned int n, unsigned int most)
{
	ck_assert_uint_eq(t.q.nr_backend, n);
	ck_assert_uint_eq(t.stats.inflight, n);
	ck_assert_uint_eq(t.stats.inflight_max, most);
}

static void arm_for(enum ublkev__xfer copy, char *bufs)
{
	ublkev__queue_set_xfer(&t.q, copy, false);
	ublkev__queue_set_bufs(&t.q, bufs, &t.spare, MAX_IO);
	ublkev__queue_arm(&t.q);
	while (t.q.out.nr) {
		struct ublkev__tag *got;

		ublkev__queue_next_out(&t.q, &got);
	}
}

/* whom the backend's memory serves was never with the backend */
START_TEST(mapped)
{
	struct ublkev__tag *got;
	char ram;

	arm_for(_i ? UBLKEV__XFER_USER : UBLKEV__XFER_DIRECT, NULL);
	cqe(1, 0, 2);
	assert_in(UBLKEV__QUEUE_MAP, 1);
	assert_in(UBLKEV__QUEUE_MAP, 1);	/* until it is answered */
	ublkev__queue_mapped(&t.q, &ram);
	verify();
	if (_i) {
		ck_assert_int_eq(ublkev__queue_next_out(&t.q, &got),
				 UBLKEV__QUEUE_MOVE_OUT);
		ck_assert_int_eq(ublkev__queue_cqe(&t.q, 1, 1024, NULL), 0);
	}
	ck_assert_int_eq(ublkev__queue_next_out(&t.q, &got),
			 UBLKEV__QUEUE_COMMIT);
	ck_assert_ptr_eq(ublkev__queue_buf(&t.q, got), &ram);
	ck_assert_int_eq(got->result, 1024);
	assert_with_backend(0, 0);
}
END_TEST

START_TEST(not_mapped)
{
	uint64_t former;

	arm_for(UBLKEV__XFER_DIRECT, NULL);
	former = t.tags[1].req.cookie;
	cqe(1, 0, 2);
	assert_in(UBLKEV__QUEUE_MAP, 1);
	ublkev__queue_mapped(&t.q, NULL);
	assert_in(UBLKEV__QUEUE_PLACE, 1);
	done(former, 0, -ESTALE);
	assert_with_backend(0, 0);
	ublkev__queue_set_bufs(&t.q, t.bufs, &t.spare, MAX_IO);
	assert_in(UBLKEV__QUEUE_SUBMIT, 1);
	ck_assert_ptr_eq(t.tags[1].req.buf, t.bufs + MAX_IO);
	assert_with_backend(1, 1);
	done(t.tags[1].req.cookie, 0, 0);
	assert_out(UBLKEV__QUEUE_COMMIT, 1, 1024);
}
END_TEST

/* a WRITE is the backend's no sooner than its data are here */
START_TEST(data_come_first)
{
	struct ublkev__tag *got;

	arm_for(UBLKEV__XFER_USER, t.bufs);
	cqe(1, 1, 2);
	assert_in(UBLKEV__QUEUE_MAP, 1);
	ublkev__queue_mapped(&t.q, NULL);
	ck_assert_int_eq(ublkev__queue_next_in(&t.q, &got),
			 UBLKEV__QUEUE_NONE);
	verify();
	ck_assert_int_eq(ublkev__queue_next_out(&t.q, &got),
			 UBLKEV__QUEUE_MOVE_IN);
	verify();
	assert_with_backend(0, 0);
	ck_assert_int_eq(ublkev__queue_cqe(&t.q, 1, 1024, NULL), 0);
	assert_in(UBLKEV__QUEUE_SUBMIT, 1);
	assert_with_backend(1, 1);
	done(t.tags[1].req.cookie, 0, 0);
	assert_out(UBLKEV__QUEUE_COMMIT, 1, 1024);
}
END_TEST

/* by the checks, or for want of a buffer */
START_TEST(refused_before)
{
	arm_for(UBLKEV__XFER_DIRECT, NULL);
	cqe(1, 0, 2);
	cqe(2, 0, 2);
	assert_in(UBLKEV__QUEUE_MAP, 1);
	if (_i) {
		ublkev__queue_mapped(&t.q, NULL);
		assert_in(UBLKEV__QUEUE_PLACE, 1);
	}
	ublkev__queue_refused(&t.q, &t.tags[1], -ENOMEM);
	verify();
	assert_with_backend(0, 0);
	ck_assert_uint_eq(t.stats.rejected, 1);
	assert_in(UBLKEV__QUEUE_MAP, 2);
}
END_TEST

/* ---- facts that are none ------------------------------------------------ */

START_TEST(cqe_of_none)
{
	arm();
	ck_assert_int_eq(cqe(DEPTH, 0, 8), -EPROTO);
	ck_assert_int_eq(cqe(65535, 0, 8), -EPROTO);
	assert_nothing();
}
END_TEST

START_TEST(cqe_not_the_drivers)
{
	struct ublkev__tag *got;
	uint64_t cookie;

	arm();
	cqe(0, 0, 2);
	ck_assert_int_eq(cqe(0, 1, 4), -EPROTO);	/* READY */
	got = submitted();
	ck_assert_int_eq(cqe(0, 1, 4), -EPROTO);	/* BACKEND */
	ck_assert_int_eq(got->req.op, UBLKEV_OP_READ);
	cookie = got->req.cookie;
	done(cookie, 0, 0);
	ck_assert_int_eq(cqe(0, 1, 4), -EPROTO);	/* RESULT */
	ck_assert_int_eq(ublkev__queue_cqe(&t.q, 0, -ENODEV, NULL), -EPROTO);
	assert_out(UBLKEV__QUEUE_COMMIT, 0, 1024);
	ck_assert_int_eq(ublkev__queue_cqe(&t.q, 0, -ENODEV, NULL), 0);
	ck_assert_int_eq(cqe(0, 1, 4), -EPROTO);	/* DEAD */
	ck_assert_uint_eq(t.q.nr_dead, 1);
}
END_TEST

START_TEST(stale)
{
	uint64_t first, second;

	arm();
	first = pulled(1, 0);
	done(first, 0, 0);
	done(first, -EIO, -ESTALE);		/* twice */
	assert_out(UBLKEV__QUEUE_COMMIT, 1, 1024);
	done(first, -EIO, -ESTALE);		/* committed */
	cqe(1, 0, 2);
	done(t.tags[1].req.cookie, 0, -ESTALE);	/* not yet pulled */
	second = submitted()->req.cookie;
	ck_assert_uint_eq(second - first, UINT64_C(1) << 32);
	done(first, -EIO, -ESTALE);		/* the former */
	done(second + DEPTH, 0, -ESTALE);	/* no tag */
	done(second ^ 1u << 16, 0, -ESTALE);	/* another queue's */
	done(second, 0, 0);
	ck_assert_uint_eq(t.stats.stale_answers, 6);
	ck_assert_uint_eq(t.stats.op[0].reqs, 2);
}
END_TEST

START_TEST(generation_wraps)
{
	uint64_t cookie;

	arm();
	t.tags[3].req.cookie |= UINT64_C(0xffffffff) << 32;
	cookie = pulled(3, 0);
	ck_assert_uint_eq(cookie, 3u << 16 | 3);
	done(cookie, 0, 0);
}
END_TEST

START_TEST(generation_of_the_next)
{
	uint64_t cookie;

	ck_assert_uint_eq(ublkev__queue_generation(&t.q), GENERATION + 1);
	arm();
	done(pulled(1, 0), 0, 0);
	assert_out(UBLKEV__QUEUE_COMMIT, 1, 1024);
	cookie = pulled(1, 0);
	ck_assert_uint_eq(ublkev__queue_generation(&t.q),
			  (cookie >> 32) + 1);
}
END_TEST

/* ---- the end ------------------------------------------------------------ */

START_TEST(aborted_by_the_driver)
{
	unsigned int i;

	arm();
	for (i = 0; i < DEPTH; i++) {
		ck_assert(!ublkev__queue_drained(&t.q));
		ck_assert_int_eq(ublkev__queue_cqe(&t.q, i, -ENODEV, NULL), 0);
		verify();
	}
	ck_assert(ublkev__queue_drained(&t.q));
	ublkev__queue_arm(&t.q);	/* never again */
	assert_nothing();
}
END_TEST

START_TEST(command_refused)
{
	static const struct {
		int res, answer;
	} cases[] = {
		{ -EINVAL, -EINVAL }, { -EBUSY, -EBUSY },
		{ -EOPNOTSUPP, -EOPNOTSUPP },
		/* -EPROTO would say that nothing changed */
		{ 1, -EIO }, { -EPROTO, -EIO },
	};

	arm();
	ck_assert_int_eq(ublkev__queue_cqe(&t.q, 1, cases[_i].res, NULL),
			 cases[_i].answer);
	verify();
	ck_assert_int_eq(t.tags[1].state, UBLKEV__TAG_DEAD);
}
END_TEST

START_TEST(abort_all)
{
	uint64_t with_backend;

	arm();
	with_backend = pulled(0, 0);
	done(pulled(1, 1), 0, 0);
	cqe(2, 1, 2);
	ck_assert_uint_eq(ublkev__queue_abort(&t.q), 1);
	verify();
	ck_assert_ptr_null(submitted());
	ck_assert_uint_eq(t.stats.inflight, 0);
	done(with_backend, 0, -ESTALE);
	assert_out(UBLKEV__QUEUE_COMMIT, 1, 1024);
	assert_out(UBLKEV__QUEUE_COMMIT, 0, -EIO);
	assert_out(UBLKEV__QUEUE_COMMIT, 2, -EIO);
	cqe(3, 0, 2);				/* and what comes */
	assert_out(UBLKEV__QUEUE_COMMIT, 3, -EIO);
	ck_assert_uint_eq(ublkev__queue_abort(&t.q), 0);
	assert_nothing();
}
END_TEST

/* what was taken from a backend is still lent to it: it stays as it is */
START_TEST(abort_leaves_the_lent)
{
	struct ublkev_req lent;

	arm();
	pulled(1, 2);
	ublkev__queue_abort(&t.q);
	lent = t.tags[1].req;
	assert_out(UBLKEV__QUEUE_COMMIT, 1, -EIO);
	cqe(1, 1, 4);
	assert_out(UBLKEV__QUEUE_COMMIT, 1, -EIO);
	ck_assert_mem_eq(&lent, &t.tags[1].req, sizeof(lent));
	ck_assert_uint_eq(t.stats.op[UBLKEV_OP_WRITE].errors, 1);
}
END_TEST

START_TEST(abort_before_arm)
{
	ck_assert_uint_eq(ublkev__queue_abort(&t.q), 0);
	verify();
	arm();
	cqe(0, 2, 0);
	assert_out(UBLKEV__QUEUE_COMMIT, 0, -EIO);
}
END_TEST

START_TEST(killed)
{
	uint64_t cookie;

	arm();
	cookie = pulled(0, 0);
	done(pulled(1, 0), 0, 0);
	cqe(2, 0, 2);
	ublkev__queue_kill(&t.q);
	verify();
	assert_nothing();
	ck_assert(ublkev__queue_drained(&t.q));
	ck_assert_uint_eq(t.stats.inflight, 0);
	done(cookie, 0, -ESTALE);
	ck_assert_int_eq(cqe(3, 0, 2), -EPROTO);
}
END_TEST

/* ---- latencies ---------------------------------------------------------- */

START_TEST(latency_taken)
{
	uint64_t cookie;

	arm();
	t.q.now_us = 1000;
	cookie = pulled(0, 0);
	t.q.now_us = 1005;
	done(cookie, 0, 0);
	assert_out(UBLKEV__QUEUE_COMMIT, 0, 1024);
	ck_assert_uint_eq(t.stats.read_latency[5], 1);
	cookie = pulled(0, 1);
	t.q.now_us = 1012;
	done(cookie, -EIO, 0);
	assert_out(UBLKEV__QUEUE_COMMIT, 0, -EIO);
	ck_assert_uint_eq(t.stats.other_latency[7], 1);
}
END_TEST

START_TEST(latency_not_taken)
{
	t.q.since_us = NULL;
	arm();
	done(pulled(0, 0), 0, 0);
	assert_out(UBLKEV__QUEUE_COMMIT, 0, 1024);
	ck_assert_uint_eq(t.stats.read_latency[0], 0);
}
END_TEST

static void assert_bucket(unsigned int b, uint64_t us)
{
	ublkev__stats_latency(&t.stats, UBLKEV_OP_READ, us);
	ck_assert_msg(t.stats.read_latency[b] == 1, "%llu us not in %u",
		      (unsigned long long)us, b);
	t.stats.read_latency[b] = 0;
}

/* each bucket counts from its bound to the next one's */
START_TEST(latency_bounds)
{
	uint64_t us, next;
	unsigned int b;

	for (b = 0; b < UBLKEV_LATENCY_BUCKETS - 1; b++) {
		us = ublkev_latency_bucket_us(b);
		next = ublkev_latency_bucket_us(b + 1);
		ck_assert_uint_lt(us, next);
		assert_bucket(b, us);
		assert_bucket(b, us + (next - us) / 2);
		assert_bucket(b, next - 1);
	}
	assert_bucket(b, ublkev_latency_bucket_us(b));
	assert_bucket(b, UINT64_MAX);
	ck_assert_uint_eq(ublkev_latency_bucket_us(b + 1),
			  ublkev_latency_bucket_us(b));
	ck_assert_uint_eq(ublkev_latency_bucket_us(0), 0);
	ck_assert_uint_eq(ublkev_latency_bucket_us(8 * 3 + 5), 13 << 2);
}
END_TEST

/* ---- verify itself ------------------------------------------------------ */

static void lose_a_tag(void *arg)
{
	struct ublkev__queue *q = arg;

	q->in.nr = 0;
	ublkev__queue_verify(q);
}

static void change_cookie(void *arg)
{
	struct ublkev__queue *q = arg;

	q->tags[0].req.cookie ^= 1;
	ublkev__queue_verify(q);
}

START_TEST(verify_bites)
{
	arm();
	cqe(0, 0, 2);
	ck_assert(test_aborts(lose_a_tag, &t.q, "q->in.nr"));
	ck_assert(test_aborts(change_cookie, &t.q, "cookie"));
}
END_TEST

static void add_life(TCase *tc)
{
	int n = (int)TEST_COUNT(ops);

	tcase_add_test(tc, new);
	tcase_add_loop_test(tc, served, 0, n);
	tcase_add_test(tc, done_in_pieces);
	tcase_add_test(tc, aborted_between_pieces);
	tcase_add_loop_test(tc, failed, 0, n);
	tcase_add_test(tc, undecodable);
	tcase_add_test(tc, refused);
	tcase_add_loop_test(tc, all_at_once, 0, 2);
	tcase_add_test(tc, in_order);
	tcase_add_test(tc, fua_counted);
	tcase_add_loop_test(tc, mapped, 0, 2);
	tcase_add_test(tc, not_mapped);
	tcase_add_test(tc, data_come_first);
	tcase_add_loop_test(tc, refused_before, 0, 2);
	tcase_add_test(tc, cqe_of_none);
	tcase_add_test(tc, cqe_not_the_drivers);
	tcase_add_test(tc, stale);
	tcase_add_test(tc, generation_wraps);
	tcase_add_test(tc, generation_of_the_next);
}

static void add_end(TCase *tc)
{
	tcase_add_test(tc, aborted_by_the_driver);
	tcase_add_loop_test(tc, command_refused, 0, 5);
	tcase_add_test(tc, abort_all);
	tcase_add_test(tc, abort_leaves_the_lent);
	tcase_add_test(tc, abort_before_arm);
	tcase_add_test(tc, killed);
	tcase_add_test(tc, latency_taken);
	tcase_add_test(tc, latency_not_taken);
	tcase_add_test(tc, latency_bounds);
	tcase_add_test(tc, verify_bites);
}

int main(void)
{
	Suite *suite = suite_create("queue");
	TCase *tc = tcase_create("queue");

	tcase_add_checked_fixture(tc, set_up, NULL);
	add_life(tc);
	add_end(tc);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
