/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A random walk over queue beside a model that knows of each tag only
 * who has it and what its answer must be: nothing is lost, nothing is
 * answered twice, nothing is answered wrongly.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/queue.h"
#include "testlib.h"

#define STEPS	60000	/* for each depth */
#define MAX	4096u
#define MAX_IO	16384u

#define must(cond) \
	do { \
		if (!(cond)) \
			ck_abort_msg("not so: %s", #cond); \
	} while (0)

enum owner {
	NOBODY, DRIVER, WAITING, BACKEND, ANSWERED, TO_MOVE, MOVING, DEAD,
	ELSEWHERE	/* another part's of the queue */
};

struct model {
	enum owner owner;
	struct ublkev__desc desc;
	bool away;		/* the driver keeps a WRITE's data */
	bool asked;		/* the backend has no address for it */
	bool again;		/* the backend is to get it when they came */
	bool direct;
	bool begun;		/* the backend is to go on with it */
	bool lent;		/* nobody moves its data */
	bool unlent;		/* that was of no use */
	int due;		/* result to be committed */
	int on_success;
	uint64_t cookie, old_cookie;
};

static struct {
	struct ublkev__queue q;
	struct ublkev__tag tags[MAX];
	struct model m[MAX];
	struct ublkev_stats stats;
	struct test_rng rng;
	unsigned int depth;
	unsigned int part, of;	/* of the queue's tags */
	enum ublkev__xfer copy;
	bool failing, stopping, batch, gone;
	unsigned long requests, commits, given, pieces, stale, moves, faults;
	unsigned long lent, unlent;
} w;

static char bufs[MAX * MAX_IO], spare, ram;	/* never touched */

static unsigned int below(unsigned int n)
{
	return (unsigned int)test_rng_below(&w.rng, n);
}

static bool is_op(const struct model *m, uint32_t op)
{
	return (m->desc.op_flags & 0xff) == op;
}

static bool must_move(const struct model *m, int result)
{
	if (w.copy == UBLKEV__XFER_DIRECT)
		return m->away;
	return w.copy && result >= 0 && !m->lent && (m->away || is_op(m, 0));
}

static void answered(struct model *m, int result)
{
	m->owner = must_move(m, result) ? TO_MOVE : ANSWERED;
	m->due = result;
	m->again = false;
}

/* what a request in this shape must end as, done well */
static int outcome(const struct ublkev__desc *d, int *on_success)
{
	uint32_t op = d->op_flags & 0xff;
	bool data = op < 2;

	*on_success = data ? (int)(d->nr_sectors * 512) : 0;
	if (op == 4 || op > 5)
		return -EOPNOTSUPP;
	if (op == 2)
		return 0;
	if (!d->nr_sectors || (data && d->nr_sectors > MAX_IO / 512))
		return -EINVAL;
	return 0;
}

/* a request came; `fault`: that is, it came back */
static void came(struct model *m, bool fault)
{
	int err = outcome(&m->desc, &m->on_success);

	m->away = w.copy && is_op(m, 1);
	m->direct = m->again = m->asked = m->begun = false;
	m->lent = m->unlent = false;
	if (err)
		answered(m, err);
	else if (w.failing || fault)
		answered(m, -EIO);
	else
		m->owner = WAITING;
}

static void deliver(unsigned int tag)
{
	const struct ublkev__desc d = {
		.op_flags = below(7) | below(2) << 13,
		.nr_sectors = below(MAX_IO / 512 + 3),
		.start_sector = below(1000),
	};
	struct model *m = &w.m[tag];
	int res = w.copy == UBLKEV__XFER_DIRECT && (d.op_flags & 0xff) == 1;

	if (m->owner == MOVING)
		return;
	if (m->owner != DRIVER) {
		must(ublkev__queue_cqe(&w.q, tag, res, &d) == -EPROTO);
		return;
	}
	must(ublkev__queue_cqe(&w.q, tag, res, &d) == 0);
	w.requests++;
	m->desc = d;
	came(m, false);
}

static void moved_well(struct model *m)
{
	m->away = false;
	if (!m->again)
		m->owner = ANSWERED;
	else if (w.failing)
		answered(m, -EIO);
	else
		m->owner = WAITING;
	m->again = false;
}

static void moved_badly(struct model *m)
{
	if (w.copy == UBLKEV__XFER_DIRECT) {
		came(m, true);
		return;
	}
	m->away = m->direct = false;
	answered(m, -EIO);
}

static void move_done(unsigned int tag)
{
	struct model *m = &w.m[tag];
	bool direct = w.copy == UBLKEV__XFER_DIRECT;
	bool well = below(8);
	int res;

	if (m->owner != MOVING)
		return;
	if (well)
		res = direct ? 0 : (int)(m->desc.nr_sectors * 512);
	else
		res = direct ? 1 : -EFAULT;
	w.faults += !well;
	must(ublkev__queue_cqe(&w.q, tag, res, &m->desc) == 0);
	if (well)
		moved_well(m);
	else
		moved_badly(m);
}

/* BATCH_IO: of all, once, and then of what is committed */
static void driver_lets_go(void)
{
	unsigned int i;

	must(ublkev__queue_all_cqe(&w.q, -ENODEV) == (w.gone ? -EPROTO : 0));
	w.gone = true;
	for (i = 0; i < w.depth; i++)
		if (w.m[i].owner == DRIVER)
			w.m[i].owner = DEAD;
}

static void driver_aborts(unsigned int tag)
{
	int err;

	if (w.batch) {
		driver_lets_go();
		return;
	}
	if (w.m[tag].owner == MOVING)
		return;
	err = ublkev__queue_cqe(&w.q, tag, -ENODEV, NULL);
	must(err == (w.m[tag].owner == DRIVER ? 0 : -EPROTO));
	if (!err)
		w.m[tag].owner = DEAD;
}

/* the backend is asked for an address, and may have one */
static void map(struct model *m)
{
	must(w.copy && (is_op(m, 0) || is_op(m, 1)) && !m->asked);
	if (!below(16)) {
		ublkev__queue_refused(&w.q, &w.tags[m - w.m], -EINVAL);
		answered(m, -EINVAL);
	} else if (below(2)) {
		ublkev__queue_mapped(&w.q, &ram);
		m->direct = true;
		answered(m, m->on_success);
	} else {
		ublkev__queue_mapped(&w.q, NULL);
		m->asked = true;
	}
}

/* those that were asked for are moved without being pulled */
static void skip_away(void)
{
	struct ublkev__tag *t = &w.tags[w.q.in.head];
	struct model *m;
	unsigned int n;

	for (n = w.q.in.nr; n; n--, t = &w.tags[t->next]) {
		m = &w.m[t->req.tag];
		if (!m->asked || !m->away)
			return;
		m->owner = TO_MOVE;
		m->again = true;
		m->due = 0;
	}
}

static const void *buf_of(const struct ublkev__tag *t, const struct model *m)
{
	if (m->direct)
		return &ram;
	if (t->result < 0 && (w.failing || m->away))
		return &spare;
	return bufs + t->req.tag * MAX_IO;
}

/* the backend has it, and may have no use for the driver's pages */
static void lend(const struct ublkev__tag *t, struct model *m)
{
	must(w.copy == UBLKEV__XFER_ZERO && !m->unlent && !m->asked);
	must(is_op(m, 0) || is_op(m, 1));
	must(!t->req.buf);
	m->owner = BACKEND;
	m->lent = true;
	m->away = false;
	m->old_cookie = m->cookie;
	m->cookie = t->req.cookie;
	w.lent++;
}

static void unlend(unsigned int tag)
{
	struct model *m = &w.m[tag];

	if (m->owner != BACKEND || !m->lent)
		return;
	ublkev__queue_unlent(&w.q, &w.tags[tag]);
	must(ublkev__queue_is_unlent(&w.tags[tag]));
	m->owner = WAITING;
	m->lent = false;
	m->unlent = true;
	m->away = is_op(m, 1);
	w.unlent++;
}

static void pull_in(void)
{
	enum ublkev__queue_act act;
	struct ublkev__tag *t;
	struct model *m;
	unsigned int i;

	skip_away();
	act = ublkev__queue_next_in(&w.q, &t);
	if (act == UBLKEV__QUEUE_NONE) {
		for (i = 0; i < w.depth; i++)
			must(w.m[i].owner != WAITING);
		return;
	}
	m = &w.m[t->req.tag];
	must(m->owner == WAITING);
	if (act == UBLKEV__QUEUE_MAP) {
		map(m);
		return;
	}
	if (m->begun) {
		must(act == UBLKEV__QUEUE_GO_ON && t->req.cookie == m->cookie);
		m->owner = BACKEND;
		w.pieces++;
		return;
	}
	must(t->req.cookie != m->cookie);
	if (act == UBLKEV__QUEUE_LEND) {
		lend(t, m);
		return;
	}
	must(act == UBLKEV__QUEUE_SUBMIT);
	must(m->asked == (w.copy && (is_op(m, 0) || is_op(m, 1))));
	m->owner = BACKEND;
	m->old_cookie = m->cookie;
	m->cookie = t->req.cookie;
	w.given++;
}

static void pull_out(void)
{
	enum ublkev__queue_act act;
	struct ublkev__tag *t;
	struct model *m;

	act = ublkev__queue_next_out(&w.q, &t);
	if (act == UBLKEV__QUEUE_NONE)
		return;
	m = &w.m[t->req.tag];
	must(m->direct && t->result < 0 ? w.copy != UBLKEV__XFER_PLAIN :
	     ublkev__queue_buf(&w.q, t) == buf_of(t, m));
	if (act == UBLKEV__QUEUE_MOVE_IN || act == UBLKEV__QUEUE_MOVE_OUT) {
		must(m->owner == TO_MOVE && t->result == m->due);
		must(m->away == (act == UBLKEV__QUEUE_MOVE_IN));
		m->owner = MOVING;
		w.moves++;
		return;
	}
	if (act == UBLKEV__QUEUE_ARM) {
		must(m->owner == NOBODY);
	} else {
		must(m->owner == ANSWERED && t->result == m->due);
		must(!m->away || w.copy >= UBLKEV__XFER_USER);
		w.commits++;
	}
	m->owner = w.gone ? DEAD : DRIVER;
}

static void finish(unsigned int tag)
{
	static const int errs[] = { 0, 0, 0, -EIO, -ENOSPC };
	int err = errs[below(TEST_COUNT(errs))];
	struct model *m = &w.m[tag];
	bool stale = m->owner != BACKEND || !below(16);
	uint64_t cookie = m->cookie;

	if (m->owner == BACKEND && stale)
		cookie = m->old_cookie;
	if (!cookie)
		return;
	w.stale += stale;
	must(ublkev__queue_done(&w.q, cookie, err) == (stale ? -ESTALE : 0));
	if (!stale)
		answered(m, err ? err : m->on_success);
}

/* the backend has begun, and the rest is to wait for its turn */
static void begin_only(unsigned int tag)
{
	struct model *m = &w.m[tag];

	if (m->owner != BACKEND || m->lent)
		return;
	ublkev__queue_again(&w.q, &w.tags[tag]);
	m->owner = WAITING;
	m->begun = true;
}

static void refuse(unsigned int tag)
{
	if (w.m[tag].owner != BACKEND)
		return;
	ublkev__queue_refused(&w.q, &w.tags[tag], -EROFS);
	answered(&w.m[tag], -EROFS);
}

static void fail_all(void)
{
	unsigned int i, taken = 0;

	for (i = 0; i < w.depth; i++) {
		taken += w.m[i].owner == BACKEND;
		if (w.m[i].owner == BACKEND || w.m[i].owner == WAITING)
			answered(&w.m[i], -EIO);
	}
	must(ublkev__queue_abort(&w.q) == taken);
	w.failing = true;
}

/* mostly one of its own */
static unsigned int any_tag(void)
{
	unsigned int tag = below(w.depth);

	return below(8) ? tag - tag % w.of + w.part : tag;
}

static void step(void)
{
	unsigned int tag = any_tag();
	unsigned int what = below(100);

	if (what < 35 && !w.stopping)
		deliver(tag);
	else if (what < 35 && what % 2)
		driver_aborts(tag);
	else if (what < 35)
		move_done(tag);
	else if (what < 45 && w.copy)
		move_done(tag);
	else if (what < 55)
		pull_in();
	else if (what < 75)
		pull_out();
	else if (what < 80)
		unlend(tag);
	else if (what < 95)
		finish(tag);
	else if (what < 98)
		begin_only(tag);
	else
		refuse(tag);
}

static void compare(void)
{
	unsigned int n[ELSEWHERE + 1] = { 0 };
	unsigned int i;

	for (i = 0; i < w.depth; i++)
		n[w.m[i].owner]++;
	must(w.q.nr_backend == n[BACKEND] && w.stats.inflight == n[BACKEND]);
	must(w.q.in.nr == n[WAITING]);
	must(ublkev__queue_drained(&w.q) ==
	     (n[DEAD] + n[ELSEWHERE] == w.depth));
	must(w.requests == w.commits + n[WAITING] + n[BACKEND] + n[ANSWERED] +
	     n[TO_MOVE] + n[MOVING]);
	must(ublkev__queue_idle(&w.q) ==
	     !(n[WAITING] + n[BACKEND] + n[ANSWERED] + n[TO_MOVE] +
	       n[MOVING]));
	must(w.stats.stale_answers == w.stale);
}

/* whole tags of a part: the deepest of them has no less than the first */
static void share(unsigned int depth, unsigned int of)
{
	w.of = of;
	w.part = of > 1 ? below(of) : 0;
	w.depth = depth - depth % of;
}

static void begin(void)
{
	unsigned int depth = w.depth;
	unsigned int i;

	w.failing = w.stopping = w.gone = false;
	w.requests = w.commits = w.given = w.pieces = 0;
	w.stale = w.moves = w.faults = 0;
	w.lent = w.unlent = 0;
	memset(w.m, 0, sizeof(w.m));
	memset(&w.stats, 0, sizeof(w.stats));
	ublkev__queue_init(&w.q, below(65536 / w.of), depth,
			   (uint32_t)test_rng_next(&w.rng), w.tags, NULL,
			   &w.stats);
	if (w.of > 1)
		ublkev__queue_share(&w.q, w.part, w.of);
	for (i = 0; i < depth; i++)
		if (i % w.of != w.part)
			w.m[i].owner = ELSEWHERE;
	ublkev__queue_set_bufs(&w.q, bufs, &spare, MAX_IO);
	ublkev__queue_set_xfer(&w.q, w.copy, false);
	ublkev__queue_arm(&w.q);
}

static void end(void)
{
	unsigned int i;

	w.stopping = true;
	for (i = 0; !ublkev__queue_drained(&w.q); i++) {
		must(i < 1000000);
		step();
		ublkev__queue_verify(&w.q);
	}
	compare();
	must(w.requests == w.commits);
	must(w.stats.inflight == 0 && !ublkev__queue_has_work(&w.q));
}

START_TEST(walk)
{
	static const unsigned int depths[] = { 1, 2, 7, 64 };
	unsigned int i;

	test_rng_init(&w.rng, test_seed("test_queue_walk") + (uint64_t)_i);
	w.copy = (enum ublkev__xfer)(_i / 8 % 4);
	w.batch = _i / 32 & 1;
	share(depths[_i / 2 % 4], _i < 64 ? 1 : 1 + depths[_i / 2 % 4] / 4);
	_i %= 8;
	begin();
	for (i = 0; i < STEPS; i++) {
		step();
		ublkev__queue_verify(&w.q);
		compare();
		if (_i & 1 && i == STEPS - 1000)
			fail_all();
	}
	end();
	printf("test_queue_walk: depth %u, part of %u: %lu requests, %lu to the backend, %lu times to go on, %lu moves, %lu of them failed, %lu stale answers\n",
	       w.depth, w.of, w.requests, w.given, w.pieces, w.moves, w.faults,
	       w.stale);
	must(w.requests > STEPS / 50 && w.given > STEPS / 200 && w.pieces);
	must(!w.copy == !w.moves && !w.copy == !w.faults);
	must((w.copy == UBLKEV__XFER_ZERO) == !!w.lent);
	must(!w.lent == !w.unlent && w.unlent <= w.lent);
}
END_TEST

/* the deepest queue that there is, all of it in use */
START_TEST(deepest)
{
	unsigned int i, tag;

	test_rng_init(&w.rng, test_seed("test_queue_walk"));
	w.copy = UBLKEV__XFER_PLAIN;
	share(MAX, 1);
	begin();
	for (i = 0; i < MAX; i++)
		pull_out();
	for (i = 0; i < MAX; i++)
		deliver(i);
	for (i = 0; i < MAX; i++)
		pull_in();
	for (i = 0; i < 3 * MAX; i++) {
		tag = below(MAX);
		finish(tag);
	}
	ublkev__queue_verify(&w.q);
	compare();
	fail_all();
	ublkev__queue_verify(&w.q);
	compare();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue_walk");
	TCase *tc = tcase_create("walk");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, walk, 0, 96);
	tcase_add_test(tc, deepest);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
