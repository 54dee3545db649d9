/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tags of one queue, each in one state. Facts move a tag to the list of
 * those the backend is to have (in) or the driver (out); pulling takes it from
 * there. The calls are those of the thread that serves the queue.
 */
#include "core/queue.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

static_assert(sizeof(void *) != 8 || sizeof(struct ublkev__tag) == 64,
	      "a tag is one cache line");

static inline void queue_push(struct ublkev__queue *q,
			      struct ublkev__taglist *list,
			      const struct ublkev__tag *t)
{
	uint16_t i = t->req.tag;

	if (list->nr++)
		q->tags[list->tail].next = i;
	else
		list->head = i;
	list->tail = i;
}

static inline struct ublkev__tag *queue_shift(struct ublkev__queue *q,
					      struct ublkev__taglist *list)
{
	struct ublkev__tag *t = &q->tags[list->head];

	list->head = t->next;	/* stale once nr is 0, and not looked at then */
	list->nr--;
	return t;
}

static void queue_kill_tag(struct ublkev__queue *q, struct ublkev__tag *t)
{
	t->state = UBLKEV__TAG_DEAD;
	q->nr_dead++;
}

static inline void queue_result(struct ublkev__queue *q, struct ublkev__tag *t,
				enum ublkev__tag_state state)
{
	t->state = (uint8_t)state;
	queue_push(q, &q->out, t);
}

/*
 * NEED_GET_DATA: no commit, not even of an error, is taken before the data
 * were. USER_COPY: a request that fails needs none.
 */
static bool queue_must_move(const struct ublkev__queue *q,
			    const struct ublkev__tag *t,
			    const struct ublkev_req *req, int err)
{
	if (q->copy == UBLKEV__XFER_DIRECT)
		return t->how & UBLKEV__HOW_AWAY;
	if (err || req->flags & UBLKEV_REQ_SHARED || t->how & UBLKEV__HOW_LENT)
		return false;
	return t->how & UBLKEV__HOW_AWAY || req->op == UBLKEV_OP_READ ||
	       req->op == UBLKEV_OP_REPORT_ZONES ||
	       req->op == UBLKEV_OP_ZONE_APPEND;
}

/*
 * A report's buffer is the kernel's, of some zones more than it asks for at the
 * end perhaps: as much is answered as it can be at most, for blk_update_request()
 * would have the rest asked for again (6.12; a longer answer is cut there).
 */
__attribute__((cold, noinline))
static int32_t queue_other_result(const struct ublkev__queue *q,
				  const struct ublkev_req *req)
{
	if (req->op == UBLKEV_OP_ZONE_APPEND)
		return (int32_t)req->len_bytes;
	return req->op == UBLKEV_OP_REPORT_ZONES ? (int32_t)q->max_io_bytes : 0;
}

/*
 * A READ or WRITE is answered with its length, always whole: what the driver
 * makes of a short answer depends on the kernel, and is data loss on some.
 */
static inline void queue_set_result(struct ublkev__queue *q,
				    struct ublkev__tag *t,
				    const struct ublkev_req *req, int err)
{
	bool move = q->copy && queue_must_move(q, t, req, err);

	if (err)
		t->result = err;
	else
		t->result = req->op <= UBLKEV_OP_WRITE ?
			(int32_t)req->len_bytes : queue_other_result(q, req);
	queue_result(q, t, move ? UBLKEV__TAG_MOVE : UBLKEV__TAG_RESULT);
	ublkev__stats_answer(q->stats, req, err);
}

void ublkev__queue_arm(struct ublkev__queue *q)
{
	unsigned int i;

	for (i = 0; i < q->depth; i++)
		if (q->tags[i].state == UBLKEV__TAG_IDLE)
			queue_push(q, &q->out, &q->tags[i]);
}

/* with NEED_GET_DATA the completion has told */
static void queue_mark_away(const struct ublkev__queue *q,
			    struct ublkev__tag *t, const struct ublkev_req *req)
{
	if (q->copy >= UBLKEV__XFER_USER &&
	    (req->op == UBLKEV_OP_WRITE || req->op == UBLKEV_OP_ZONE_APPEND))
		t->how |= UBLKEV__HOW_AWAY;
}

/* t->req is still the backend's, if the abort took it from there */
__attribute__((cold, noinline))
static void queue_fail_request(struct ublkev__queue *q, struct ublkev__tag *t,
			       const struct ublkev__desc *desc)
{
	struct ublkev_req req;
	int err = ublkev__decode(desc, q->max_io_bytes, &req);

	if (err)
		q->stats->rejected++;
	queue_mark_away(q, t, &req);
	queue_set_result(q, t, &req, err ? err : -EIO);
}

__attribute__((always_inline))
static inline void queue_request(struct ublkev__queue *q, struct ublkev__tag *t,
				 const struct ublkev__desc *desc)
{
	int err;

	if (q->since_us)
		q->since_us[t->req.tag] = q->now_us;
	if (q->failing) {
		queue_fail_request(q, t, desc);
		return;
	}
	err = ublkev__decode(desc, q->max_io_bytes, &t->req);
	queue_mark_away(q, t, &t->req);
	if (err)
		q->stats->rejected++;
	else if (t->how & UBLKEV__HOW_FAULT)
		err = -EIO;
	else if (__builtin_expect(t->req.flags & UBLKEV_REQ_SHARED, 0))
		err = ublkev__queue_find_shared(q, t, desc);
	if (err) {
		queue_set_result(q, t, &t->req, err);
		return;
	}
	t->state = UBLKEV__TAG_READY;
	queue_push(q, &q->in, t);
}

/* -EPROTO of queue_cqe() means that nothing has changed: not so here */
static int queue_fault_of(int res)
{
	return res < 0 && res != -EPROTO ? res : -EIO;
}

static int queue_refused(struct ublkev__queue *q, struct ublkev__tag *t,
			 int res)
{
	queue_kill_tag(q, t);
	return res == -ENODEV ? 0 : queue_fault_of(res); /* UBLK_IO_RES_ABORT */
}

/* the data are where they were to go, and no more with the driver */
static void queue_moved(struct ublkev__queue *q, struct ublkev__tag *t)
{
	t->how &= (uint8_t)~UBLKEV__HOW_AWAY;
	if (!(t->how & UBLKEV__HOW_AGAIN)) {
		queue_result(q, t, UBLKEV__TAG_RESULT);
	} else if (q->failing) {
		queue_set_result(q, t, &t->req, -EIO);
	} else {
		t->state = UBLKEV__TAG_READY;
		queue_push(q, &q->in, t);
	}
}

/*
 * The move was answered already, if it was the last thing to do, and not
 * with an error: that answer was wrong.
 */
static void queue_take_back(struct ublkev__queue *q,
			    const struct ublkev__tag *t)
{
	if (t->result >= 0 && !(t->how & UBLKEV__HOW_AGAIN))
		ublkev__stats_unanswer(q->stats, &t->req);
}

static int queue_moved_user(struct ublkev__queue *q, struct ublkev__tag *t,
			    int res)
{
	if (res >= 0 && (uint64_t)res == t->req.len_bytes) {
		queue_moved(q, t);
		return 0;
	}
	/* the request stays ours, whatever became of its data */
	queue_take_back(q, t);
	t->how = 0;
	queue_set_result(q, t, &t->req, -EIO);
	return 0;
}

/* seldom enough to be another function */
__attribute__((noinline))
static int queue_moving_cqe(struct ublkev__queue *q, struct ublkev__tag *t,
			    int res, const struct ublkev__desc *desc)
{
	bool again;

	if (q->copy >= UBLKEV__XFER_USER)
		return queue_moved_user(q, t, res);
	if (res == 0) {
		queue_moved(q, t);
		return 0;
	}
	queue_take_back(q, t);
	if (res != UBLKEV__RES_NEED_GET_DATA)
		return queue_refused(q, t, res);
	/*
	 * What could not be copied to us is queued anew, and would be so for
	 * ever; unless the tag was given to another request meanwhile.
	 */
	again = desc->start_sector << 9 == t->req.offset_bytes;
	t->how = again ? UBLKEV__HOW_AWAY | UBLKEV__HOW_FAULT
		       : UBLKEV__HOW_AWAY;
	queue_request(q, t, desc);
	return 0;
}

int ublkev__queue_cqe(struct ublkev__queue *q, unsigned int tag, int res,
		      const struct ublkev__desc *desc)
{
	struct ublkev__tag *t;

	if (tag >= q->depth)
		return -EPROTO;
	t = &q->tags[tag];
	if (t->state == UBLKEV__TAG_MOVING)
		return queue_moving_cqe(q, t, res, desc);
	if (t->state != UBLKEV__TAG_DRIVER)
		return -EPROTO;
	if (res == 0 || (res == UBLKEV__RES_NEED_GET_DATA &&
			 q->copy == UBLKEV__XFER_DIRECT)) {
		t->how = res ? UBLKEV__HOW_AWAY : 0;
		queue_request(q, t, desc);
		return 0;
	}
	return queue_refused(q, t, res);
}

int ublkev__queue_all_cqe(struct ublkev__queue *q, int res)
{
	unsigned int i;

	if (q->gone || res >= 0)
		return -EPROTO;
	q->gone = true;
	for (i = 0; i < q->depth; i++)
		if (q->tags[i].state == UBLKEV__TAG_DRIVER)
			queue_kill_tag(q, &q->tags[i]);
	return res == -ENODEV ? 0 : queue_fault_of(res);
}

static struct ublkev__tag *queue_outstanding(struct ublkev__queue *q,
					     uint64_t cookie)
{
	unsigned int tag = ublkev__cookie_tag(cookie);

	if (tag >= q->depth || q->tags[tag].req.cookie != cookie ||
	    q->tags[tag].state != UBLKEV__TAG_BACKEND)
		return NULL;
	return &q->tags[tag];
}

int ublkev__queue_done(struct ublkev__queue *q, uint64_t cookie, int err)
{
	struct ublkev__tag *t = queue_outstanding(q, cookie);

	if (!t) {
		q->stats->stale_answers++;
		return -ESTALE;
	}
	q->nr_backend--;
	q->stats->inflight--;
	queue_set_result(q, t, &t->req, err);
	return 0;
}

void ublkev__queue_mapped(struct ublkev__queue *q, void *addr)
{
	struct ublkev__tag *t = &q->tags[q->in.head];

	if (!addr) {
		t->how |= UBLKEV__HOW_ASKED;
		return;
	}
	queue_shift(q, &q->in);
	t->how |= UBLKEV__HOW_DIRECT;
	t->req.buf = addr;
	queue_set_result(q, t, &t->req, 0);
}

void ublkev__queue_again(struct ublkev__queue *q, struct ublkev__tag *t)
{
	/* an answer given inside submit() is the end of the request */
	if (t->state != UBLKEV__TAG_BACKEND)
		return;
	q->nr_backend--;
	q->stats->inflight--;
	t->how |= UBLKEV__HOW_BEGUN;
	t->state = UBLKEV__TAG_READY;
	queue_push(q, &q->in, t);
}

void ublkev__queue_refused(struct ublkev__queue *q, struct ublkev__tag *t,
			   int err)
{
	q->stats->rejected++;
	if (t->state == UBLKEV__TAG_BACKEND) {
		q->nr_backend--;
		q->stats->inflight--;
	} else {
		queue_shift(q, &q->in);
	}
	queue_set_result(q, t, &t->req, err);
}

void ublkev__queue_unlent(struct ublkev__queue *q, struct ublkev__tag *t)
{
	q->nr_backend--;
	q->stats->inflight--;
	t->how = UBLKEV__HOW_UNLENT;
	queue_mark_away(q, t, &t->req);
	t->state = UBLKEV__TAG_READY;
	queue_push(q, &q->in, t);
}

unsigned int ublkev__queue_abort(struct ublkev__queue *q)
{
	unsigned int taken = q->nr_backend;
	struct ublkev__tag *t;
	unsigned int i;

	q->failing = true;
	for (i = 0; i < q->depth; i++) {
		t = &q->tags[i];
		if (t->state == UBLKEV__TAG_READY ||
		    t->state == UBLKEV__TAG_BACKEND)
			queue_set_result(q, t, &t->req, -EIO);
	}
	q->in.nr = 0;
	q->nr_backend = 0;
	q->stats->inflight -= taken;
	return taken;
}

bool ublkev__queue_idle(const struct ublkev__queue *q)
{
	unsigned int i;

	for (i = 0; i < q->depth; i++)
		if (q->tags[i].state > UBLKEV__TAG_DRIVER &&
		    q->tags[i].state < UBLKEV__TAG_DEAD)
			return false;
	return true;
}

void ublkev__queue_kill(struct ublkev__queue *q)
{
	unsigned int i;

	for (i = 0; i < q->depth; i++)
		if (q->tags[i].state != UBLKEV__TAG_OTHERS)
			q->tags[i].state = UBLKEV__TAG_DEAD;
	q->nr_dead = q->nr_tags;
	q->stats->inflight -= q->nr_backend;
	q->nr_backend = 0;
	q->in.nr = 0;
	q->out.nr = 0;
}

/* of all but a READ or WRITE, whether it has a buffer */
static bool queue_has_buf(const struct ublkev_req *req)
{
	return req->op == UBLKEV_OP_REPORT_ZONES ||
	       req->op == UBLKEV_OP_ZONE_APPEND;
}

__attribute__((cold, noinline))
static enum ublkev__queue_act queue_prepare_other(const struct ublkev__queue *q,
						  const struct ublkev__tag *t)
{
	if (!queue_has_buf(&t->req))
		return UBLKEV__QUEUE_SUBMIT;
	if (!q->bufs)
		return UBLKEV__QUEUE_PLACE;
	if (t->req.op == UBLKEV_OP_REPORT_ZONES)
		return UBLKEV__QUEUE_SUBMIT;
	return t->how & UBLKEV__HOW_AWAY ? UBLKEV__QUEUE_MOVE_IN
					 : UBLKEV__QUEUE_APPEND;
}

/*
 * What a request with data needs where the driver does not copy them by
 * itself, before the backend gets it.
 */
static enum ublkev__queue_act queue_prepare(const struct ublkev__queue *q,
					    const struct ublkev__tag *t)
{
	if (t->req.op > UBLKEV_OP_WRITE)
		return queue_prepare_other(q, t);
	if (t->req.flags & UBLKEV_REQ_SHARED)
		return UBLKEV__QUEUE_SUBMIT;
	if (q->copy == UBLKEV__XFER_ZERO && !(t->how & UBLKEV__HOW_UNLENT))
		return UBLKEV__QUEUE_LEND;
	if (!(t->how & UBLKEV__HOW_ASKED))
		return UBLKEV__QUEUE_MAP;
	if (!q->bufs)
		return UBLKEV__QUEUE_PLACE;
	return t->how & UBLKEV__HOW_AWAY ? UBLKEV__QUEUE_MOVE_IN
					 : UBLKEV__QUEUE_SUBMIT;
}

static void queue_fetch_data(struct ublkev__queue *q, struct ublkev__tag *t)
{
	queue_shift(q, &q->in);
	t->how |= UBLKEV__HOW_AGAIN;
	t->result = 0;
	queue_result(q, t, UBLKEV__TAG_MOVE);
}

static inline void queue_give(struct ublkev__queue *q, struct ublkev__tag *t)
{
	queue_shift(q, &q->in);
	/* RELEASE: see queue_give_anew() */
	__atomic_store_n(&t->state, UBLKEV__TAG_BACKEND, __ATOMIC_RELEASE);
	q->nr_backend++;
	if (++q->stats->inflight > q->stats->inflight_max)
		q->stats->inflight_max = q->stats->inflight;
}

/*
 * Another thread that lists what the backend has (evstats.c) knows a request
 * by its cookie. So the cookie is stored before the state: whoever sees
 * BACKEND sees the cookie that goes with it.
 */
static void queue_give_anew(struct ublkev__queue *q, struct ublkev__tag *t)
{
	t->req.cookie += UBLKEV__GENERATION;
	queue_give(q, t);
}

/* the data stay where they are, and nobody is to move them */
static void queue_lend(struct ublkev__tag *t)
{
	t->how = UBLKEV__HOW_LENT;
	t->req.buf = NULL;
}

enum ublkev__queue_act ublkev__queue_next_in(struct ublkev__queue *q,
					     struct ublkev__tag **tagp)
{
	enum ublkev__queue_act act;
	struct ublkev__tag *t;

	while (q->in.nr) {
		*tagp = t = &q->tags[q->in.head];
		/* the backend knows its cookie, buffer and data: they stay */
		if (t->how & UBLKEV__HOW_BEGUN) {
			queue_give(q, t);
			return UBLKEV__QUEUE_GO_ON;
		}
		act = q->copy ? queue_prepare(q, t) : UBLKEV__QUEUE_SUBMIT;
		if (act == UBLKEV__QUEUE_MOVE_IN) {
			queue_fetch_data(q, t);
			continue;
		}
		if (!(t->req.flags & UBLKEV_REQ_SHARED))
			t->req.buf = t->req.op <= UBLKEV_OP_WRITE ||
				     queue_has_buf(&t->req) ?
				ublkev__queue_own_buf(q, t) : NULL;
		t->req.data = NULL;
		if (act == UBLKEV__QUEUE_SUBMIT ||
		    act == UBLKEV__QUEUE_APPEND) {
			queue_give_anew(q, t);
		} else if (act == UBLKEV__QUEUE_LEND) {
			queue_lend(t);
			queue_give_anew(q, t);
		}
		return act;
	}
	return UBLKEV__QUEUE_NONE;
}

static inline void queue_commit(struct ublkev__queue *q, struct ublkev__tag *t)
{
	t->state = UBLKEV__TAG_DRIVER;
	if (q->gone)
		queue_kill_tag(q, t);
}

static inline void queue_note_latency(struct ublkev__queue *q,
			       const struct ublkev__tag *t)
{
	if (q->since_us)
		ublkev__stats_latency(q->stats, t->req.op,
				      q->now_us - q->since_us[t->req.tag]);
}

__attribute__((noinline))
static enum ublkev__queue_act queue_move(struct ublkev__queue *q,
					 struct ublkev__tag *t)
{
	if (!(t->how & UBLKEV__HOW_AWAY) &&
	    t->req.op == UBLKEV_OP_ZONE_APPEND) {
		queue_commit(q, t);
		queue_note_latency(q, t);
		return UBLKEV__QUEUE_COMMIT_APPEND;
	}
	t->state = UBLKEV__TAG_MOVING;
	return t->how & UBLKEV__HOW_AWAY ? UBLKEV__QUEUE_MOVE_IN
					 : UBLKEV__QUEUE_MOVE_OUT;
}

enum ublkev__queue_act ublkev__queue_next_out(struct ublkev__queue *q,
					      struct ublkev__tag **tagp)
{
	struct ublkev__tag *t;
	bool answered;

	if (!q->out.nr)
		return UBLKEV__QUEUE_NONE;
	*tagp = t = queue_shift(q, &q->out);
	if (t->state == UBLKEV__TAG_MOVE)
		return queue_move(q, t);
	answered = t->state == UBLKEV__TAG_RESULT;
	queue_commit(q, t);
	/* an IDLE tag has no request yet whose result could be committed */
	if (!answered)
		return UBLKEV__QUEUE_ARM;
	queue_note_latency(q, t);
	return UBLKEV__QUEUE_COMMIT;
}
