/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue threads' phases as the application's thread knows them: wishes
 * go to them, facts come back, what is so of all of them is told to the
 * device's life.
 */
#include "core/threads.h"

#include <assert.h>
#include <string.h>

/* phases of one, as sets */
#define IN(name)	(1u << UBLKEV__THREAD_##name)
#define BUSY		(IN(ARMING) | IN(ARMED) | IN(LIVE))
#define RUNNING		(BUSY | IN(WAITS) | IN(FAILED))

static bool thread_is(const struct ublkev__thread *th, unsigned int phases)
{
	return phases >> th->phase & 1;
}

/* whether all of the first n are in one of these */
static bool threads_are(const struct ublkev__threads *t, unsigned int n,
			unsigned int phases)
{
	while (n--)
		if (!thread_is(&t->v[n], phases))
			return false;
	return true;
}

/*
 * Tells those in one of these phases a wish, and their next phase if not NONE.
 */
static void threads_wish(struct ublkev__threads *t, unsigned int phases,
			 unsigned int wish, enum ublkev__thread_phase next)
{
	struct ublkev__thread *th;

	for (th = t->v; th < t->v + t->nr; th++) {
		if (!thread_is(th, phases))
			continue;
		th->wishes |= (uint16_t)wish;
		if (next)
			th->phase = (uint8_t)next;
	}
}

static void threads_tell(struct ublkev__threads *t,
			 enum ublkev__threads_act act)
{
	t->tells |= (uint8_t)(1u << act);
}

/* ---- what is so of all ------------------------------------------------- */

/* where none serves nothing is drained, as nothing was armed */
static void threads_look_tags(struct ublkev__threads *t)
{
	bool all = t->serving, any = false;
	unsigned int i;

	for (i = 0; i < t->serving; i++) {
		all &= t->v[i].tags == UBLKEV__TAGS_DRAINED;
		any |= t->v[i].tags != UBLKEV__TAGS_WHOLE &&
		       t->v[i].phase != UBLKEV__THREAD_FAILED;
	}
	if (any && t->tags == UBLKEV__TAGS_WHOLE) {
		t->tags = UBLKEV__TAGS_DYING;
		threads_tell(t, UBLKEV__THREADS_TELL_TAG_DIED);
	}
	if (all && t->tags != UBLKEV__TAGS_DRAINED) {
		t->tags = UBLKEV__TAGS_DRAINED;
		threads_tell(t, UBLKEV__THREADS_TELL_DRAINED);
	}
}

/* a thread may be in the backend, and have requests, until it has ended */
static void threads_look_hold(struct ublkev__threads *t)
{
	unsigned int i;

	if (t->hold != UBLKEV__HOLD_ASKED)
		return;
	for (i = 0; i < t->serving; i++)
		if (t->v[i].hold != UBLKEV__HOLD_HELD &&
		    thread_is(&t->v[i], BUSY | IN(ENDING)))
			return;
	t->hold = UBLKEV__HOLD_HELD;
}

static void threads_look_idle(struct ublkev__threads *t)
{
	unsigned int i;

	if (t->idle != UBLKEV__IDLE_ASKED)
		return;
	for (i = 0; i < t->serving; i++)
		if (t->v[i].idle != UBLKEV__IDLE_TOLD &&
		    thread_is(&t->v[i], BUSY | IN(ENDING)))
			return;
	t->idle = UBLKEV__IDLE_TOLD;
}

bool ublkev__threads_awaits_look(const struct ublkev__threads *t,
				 unsigned int n)
{
	return t->v[n].look == UBLKEV__LOOK_ASKED &&
	       thread_is(&t->v[n], RUNNING);
}

static void threads_look_look(struct ublkev__threads *t)
{
	unsigned int i;

	if (t->look != UBLKEV__LOOK_ASKED)
		return;
	for (i = 0; i < t->nr; i++)
		if (ublkev__threads_awaits_look(t, i))
			return;
	t->look = UBLKEV__LOOK_TOLD;
}

/* one that is to end has them until it has */
static void threads_look_recall(struct ublkev__threads *t)
{
	unsigned int i;

	if (t->recall != UBLKEV__RECALL_ASKED)
		return;
	for (i = 0; i < t->serving; i++)
		if (t->v[i].recall != UBLKEV__RECALL_TOLD &&
		    thread_is(&t->v[i], BUSY | IN(ENDING)))
			return;
	t->recall = UBLKEV__RECALL_TOLD;
}

static void threads_look_phase(struct ublkev__threads *t)
{
	if (t->phase == UBLKEV__THREADS_ARMING &&
	    threads_are(t, t->serving, ~IN(ARMING)))
		t->phase = UBLKEV__THREADS_ARMED;
	if (t->phase == UBLKEV__THREADS_CLOSING &&
	    threads_are(t, t->nr, IN(NONE) | IN(ENDED) | IN(JOINED))) {
		t->phase = UBLKEV__THREADS_CLOSED;
		threads_tell(t, UBLKEV__THREADS_TELL_CLOSED);
	}
}

static void threads_look(struct ublkev__threads *t)
{
	/* once they are told to close their rings, tags are no news */
	if (t->phase < UBLKEV__THREADS_CLOSING)
		threads_look_tags(t);
	threads_look_hold(t);
	threads_look_idle(t);
	threads_look_look(t);
	threads_look_recall(t);
	threads_look_phase(t);
}

/* ---- wishes ------------------------------------------------------------ */

void ublkev__threads_init(struct ublkev__threads *t, struct ublkev__thread *v,
			  unsigned int nr)
{
	memset(t, 0, sizeof(*t));
	t->v = v;
	t->nr = nr;
	if (!nr)
		return;
	memset(v, 0, nr * sizeof(*v));
	t->phase = UBLKEV__THREADS_WAITING;
}

void ublkev__threads_run(struct ublkev__threads *t)
{
	t->runs = t->nr;
}

void ublkev__threads_take(struct ublkev__threads *t, unsigned int serving)
{
	struct ublkev__thread *th;

	if (!t->nr)
		return;
	t->serving = serving;
	for (th = t->v + serving; th < t->v + t->nr; th++) {
		th->wishes |= UBLKEV__WISH_CLOSE;
		th->phase = UBLKEV__THREAD_ENDING;
	}
}

void ublkev__threads_arm(struct ublkev__threads *t, bool hidden)
{
	threads_wish(t, IN(WAITS),
		     hidden ? UBLKEV__WISH_ARM_HIDDEN : UBLKEV__WISH_ARM,
		     UBLKEV__THREAD_ARMING);
	if (t->phase == UBLKEV__THREADS_WAITING)
		t->phase = UBLKEV__THREADS_ARMING;
}

void ublkev__threads_live(struct ublkev__threads *t)
{
	threads_wish(t, IN(ARMED), UBLKEV__WISH_LIVE, UBLKEV__THREAD_LIVE);
	if (t->phase == UBLKEV__THREADS_ARMED)
		t->phase = UBLKEV__THREADS_LIVE;
}

void ublkev__threads_abort(struct ublkev__threads *t)
{
	threads_wish(t, BUSY, UBLKEV__WISH_ABORT, UBLKEV__THREAD_NONE);
}

void ublkev__threads_hold(struct ublkev__threads *t)
{
	unsigned int i;

	if (!t->nr || t->hold != UBLKEV__HOLD_FREE)
		return;
	t->hold = UBLKEV__HOLD_ASKED;
	threads_wish(t, IN(LIVE), UBLKEV__WISH_HOLD, UBLKEV__THREAD_NONE);
	for (i = 0; i < t->nr; i++)
		if (thread_is(&t->v[i], IN(LIVE)))
			t->v[i].hold = UBLKEV__HOLD_ASKED;
	threads_look(t);
}

/* threads that were told to end meanwhile are not told to resume */
void ublkev__threads_resume(struct ublkev__threads *t)
{
	unsigned int i;

	if (t->hold != UBLKEV__HOLD_HELD)
		return;
	t->hold = UBLKEV__HOLD_FREE;
	threads_wish(t, IN(LIVE), UBLKEV__WISH_RESUME, UBLKEV__THREAD_NONE);
	for (i = 0; i < t->nr; i++)
		t->v[i].hold = UBLKEV__HOLD_FREE;
}

void ublkev__threads_ask_idle(struct ublkev__threads *t)
{
	unsigned int i;

	if (!t->nr || t->idle != UBLKEV__IDLE_UNASKED)
		return;
	t->idle = UBLKEV__IDLE_ASKED;
	threads_wish(t, IN(LIVE), UBLKEV__WISH_IDLE, UBLKEV__THREAD_NONE);
	for (i = 0; i < t->nr; i++)
		if (thread_is(&t->v[i], IN(LIVE)))
			t->v[i].idle = UBLKEV__IDLE_ASKED;
	threads_look(t);
}

void ublkev__threads_ask_look(struct ublkev__threads *t)
{
	struct ublkev__thread *th;

	if (!t->nr || t->look != UBLKEV__LOOK_UNASKED)
		return;
	t->look = UBLKEV__LOOK_ASKED;
	for (th = t->v; th < t->v + t->nr; th++) {
		if (!thread_is(th, RUNNING) || th->look == UBLKEV__LOOK_ASKED)
			continue;
		th->look = UBLKEV__LOOK_ASKED;
		th->wishes |= UBLKEV__WISH_LOOK;
	}
	threads_look(t);
}

void ublkev__threads_forget_look(struct ublkev__threads *t)
{
	t->look = UBLKEV__LOOK_UNASKED;
}

void ublkev__threads_recall(struct ublkev__threads *t)
{
	unsigned int i;

	if (!t->nr || t->recall != UBLKEV__RECALL_UNASKED)
		return;
	t->recall = UBLKEV__RECALL_ASKED;
	threads_wish(t, BUSY, UBLKEV__WISH_RECALL, UBLKEV__THREAD_NONE);
	for (i = 0; i < t->nr; i++)
		if (thread_is(&t->v[i], BUSY))
			t->v[i].recall = UBLKEV__RECALL_ASKED;
	threads_look(t);
}

void ublkev__threads_close(struct ublkev__threads *t)
{
	if (!t->nr || t->phase >= UBLKEV__THREADS_CLOSING)
		return;
	threads_wish(t, RUNNING, UBLKEV__WISH_CLOSE, UBLKEV__THREAD_ENDING);
	t->runs = t->made;
	t->phase = UBLKEV__THREADS_CLOSING;
	t->tells = 0;
	threads_look(t);
}

void ublkev__threads_join(struct ublkev__threads *t)
{
	ublkev__threads_close(t);
	t->joining = true;
	t->tells = 0;
}

/* ---- facts ------------------------------------------------------------- */

void ublkev__threads_ran(struct ublkev__threads *t, unsigned int n, int err)
{
	t->made++;
	if (err)
		t->runs = t->made;
	else
		t->v[n].phase = UBLKEV__THREAD_WAITS;
}

static void thread_told(struct ublkev__thread *th, unsigned int facts)
{
	if (facts & UBLKEV__FACT_ARMED && thread_is(th, IN(ARMING)))
		th->phase = UBLKEV__THREAD_ARMED;
	if (facts & UBLKEV__FACT_TAG_DIED)
		th->tags = UBLKEV__TAGS_DYING;
	if (facts & UBLKEV__FACT_DRAINED)
		th->tags = UBLKEV__TAGS_DRAINED;
	/* DRAINED without ARMED before it: the thread has never had a tag */
	if (facts & UBLKEV__FACT_DRAINED && thread_is(th, IN(ARMING))) {
		th->phase = UBLKEV__THREAD_FAILED;
		th->recall = UBLKEV__RECALL_TOLD; /* it has none */
	}
	if (facts & UBLKEV__FACT_IDLE)
		th->idle = UBLKEV__IDLE_TOLD;
	if (facts & UBLKEV__FACT_RECALLED)
		th->recall = UBLKEV__RECALL_TOLD;
	if (facts & UBLKEV__FACT_HELD)
		th->hold = UBLKEV__HOLD_HELD;
	if (facts & UBLKEV__FACT_LOOKED)
		th->look = UBLKEV__LOOK_TOLD;
	if (facts & UBLKEV__FACT_CLOSED)
		th->phase = UBLKEV__THREAD_ENDED;
}

void ublkev__threads_told(struct ublkev__threads *t, unsigned int n,
			  unsigned int facts)
{
	thread_told(&t->v[n], facts);
	threads_look(t);
}

/* ---- acts -------------------------------------------------------------- */

static bool threads_next_wish(struct ublkev__threads *t,
			      struct ublkev__threads_action *a)
{
	unsigned int i;

	for (i = 0; i < t->nr; i++) {
		if (!t->v[i].wishes)
			continue;
		a->act = UBLKEV__THREADS_WISH;
		a->n = i;
		a->wishes = t->v[i].wishes;
		t->v[i].wishes = 0;
		return true;
	}
	return false;
}

static bool threads_next_join(struct ublkev__threads *t,
			      struct ublkev__threads_action *a)
{
	unsigned int i;

	for (i = 0; i < t->nr && t->joining; i++) {
		if (!thread_is(&t->v[i], IN(ENDING) | IN(ENDED)))
			continue;
		a->act = UBLKEV__THREADS_JOIN;
		a->n = i;
		t->v[i].phase = UBLKEV__THREAD_JOINED;
		return true;
	}
	return false;
}

static bool threads_next_tell(struct ublkev__threads *t,
			      struct ublkev__threads_action *a)
{
	if (!t->tells)
		return false;
	a->act = (enum ublkev__threads_act)__builtin_ctz(t->tells);
	t->tells &= (uint8_t)(t->tells - 1);
	return true;
}

/* a thread is told to end before it is waited for, and all are told first */
bool ublkev__threads_next(struct ublkev__threads *t,
			  struct ublkev__threads_action *a)
{
	a->act = UBLKEV__THREADS_DONE;
	if (t->made < t->runs) {
		a->act = UBLKEV__THREADS_RUN;
		a->n = t->made;
		return true;
	}
	return threads_next_wish(t, a) || threads_next_tell(t, a) ||
	       threads_next_join(t, a);
}

/* ---- what there may be ------------------------------------------------- */

#define TAGS(name)	(1u << UBLKEV__TAGS_##name)
#define IDLE(name)	(1u << UBLKEV__IDLE_##name)
#define RECALL(name)	(1u << UBLKEV__RECALL_##name)
#define HOLD(name)	(1u << UBLKEV__HOLD_##name)
#define ANY		~0u

static void thread_verify(const struct ublkev__thread *th)
{
	static const struct {
		unsigned int hold, tags, idle, recall, wishes;
	} legal[] = {
		[UBLKEV__THREAD_NONE] = { HOLD(FREE), TAGS(WHOLE),
					  IDLE(UNASKED), RECALL(UNASKED), 0 },
		[UBLKEV__THREAD_WAITS] = { HOLD(FREE), TAGS(WHOLE),
					   IDLE(UNASKED), RECALL(UNASKED),
					   UBLKEV__WISH_LOOK },
		[UBLKEV__THREAD_ARMING] = { HOLD(FREE), TAGS(WHOLE),
					    IDLE(UNASKED), ANY,
					    UBLKEV__WISH_ARM |
					    UBLKEV__WISH_ARM_HIDDEN |
					    UBLKEV__WISH_ABORT |
					    UBLKEV__WISH_RECALL |
					    UBLKEV__WISH_LOOK },
		[UBLKEV__THREAD_FAILED] = { HOLD(FREE), TAGS(DRAINED),
					    IDLE(UNASKED), ANY,
					    UBLKEV__WISH_ABORT |
					    UBLKEV__WISH_RECALL |
					    UBLKEV__WISH_LOOK },
		[UBLKEV__THREAD_ARMED] = { HOLD(FREE), ANY, IDLE(UNASKED), ANY,
					   UBLKEV__WISH_ABORT |
					   UBLKEV__WISH_RECALL |
					   UBLKEV__WISH_LOOK },
		[UBLKEV__THREAD_LIVE] = { ANY, ANY, ANY, ANY,
					  UBLKEV__WISH_LIVE |
					  UBLKEV__WISH_ABORT |
					  UBLKEV__WISH_RESUME |
					  UBLKEV__WISH_HOLD |
					  UBLKEV__WISH_IDLE |
					  UBLKEV__WISH_RECALL |
					  UBLKEV__WISH_LOOK },
		[UBLKEV__THREAD_ENDING] = { ANY, ANY, ANY, ANY, ANY },
		[UBLKEV__THREAD_ENDED] = { ANY, ANY, ANY, ANY, 0 },
		[UBLKEV__THREAD_JOINED] = { ANY, ANY, ANY, ANY, 0 },
	};

	assert(th->phase <= UBLKEV__THREAD_JOINED);
	assert(legal[th->phase].hold >> th->hold & 1);
	assert(legal[th->phase].tags >> th->tags & 1);
	assert(legal[th->phase].idle >> th->idle & 1);
	assert(legal[th->phase].recall >> th->recall & 1);
	assert(!(th->wishes & ~legal[th->phase].wishes));
}

/* the phases that those that serve, and those that do not, may be in */
static void threads_verify_phase(const struct ublkev__threads *t)
{
	static const unsigned int legal[][2] = {
		[UBLKEV__THREADS_WAITING] = {
			IN(NONE) | IN(WAITS),
			IN(NONE) | IN(WAITS) | IN(ENDING) | IN(ENDED) },
		[UBLKEV__THREADS_ARMING] = {
			IN(ARMING) | IN(FAILED) | IN(ARMED),
			IN(ENDING) | IN(ENDED) },
		[UBLKEV__THREADS_ARMED] = {
			IN(FAILED) | IN(ARMED), IN(ENDING) | IN(ENDED) },
		[UBLKEV__THREADS_LIVE] = {
			IN(LIVE), IN(ENDING) | IN(ENDED) },
		[UBLKEV__THREADS_CLOSING] = {
			IN(NONE) | IN(ENDING) | IN(ENDED) | IN(JOINED),
			IN(NONE) | IN(ENDING) | IN(ENDED) | IN(JOINED) },
		[UBLKEV__THREADS_CLOSED] = {
			IN(NONE) | IN(ENDED) | IN(JOINED),
			IN(NONE) | IN(ENDED) | IN(JOINED) },
	};
	unsigned int i;

	for (i = 0; i < t->nr; i++)
		assert(thread_is(&t->v[i], legal[t->phase][i >= t->serving]));
}

void ublkev__threads_verify(const struct ublkev__threads *t)
{
	unsigned int i;

	assert(!t->nr == (t->phase == UBLKEV__THREADS_NONE));
	assert(t->serving <= t->nr && t->runs <= t->nr && t->made <= t->runs);
	assert(t->phase <= UBLKEV__THREADS_CLOSED);
	for (i = 0; i < t->nr; i++)
		thread_verify(&t->v[i]);
	if (t->nr)
		threads_verify_phase(t);
	assert(!t->joining || !t->nr || t->phase >= UBLKEV__THREADS_CLOSING);
	/* what can only be asked of a live device */
	if (t->hold != UBLKEV__HOLD_FREE || t->idle != UBLKEV__IDLE_UNASKED)
		assert(t->phase >= UBLKEV__THREADS_LIVE);
	for (i = 0; i < t->serving; i++) {
		if (t->hold == UBLKEV__HOLD_FREE)
			assert(t->v[i].hold == UBLKEV__HOLD_FREE);
		if (t->hold == UBLKEV__HOLD_HELD)
			assert(t->v[i].hold == UBLKEV__HOLD_HELD ||
			       !thread_is(&t->v[i], BUSY | IN(ENDING)));
		if (t->idle == UBLKEV__IDLE_TOLD)
			assert(t->v[i].idle == UBLKEV__IDLE_TOLD ||
			       !thread_is(&t->v[i], BUSY | IN(ENDING)));
		if (t->recall == UBLKEV__RECALL_TOLD)
			assert(t->v[i].recall == UBLKEV__RECALL_TOLD ||
			       !thread_is(&t->v[i], BUSY | IN(ENDING)));
		if (t->tags == UBLKEV__TAGS_DRAINED)
			assert(t->v[i].tags == UBLKEV__TAGS_DRAINED);
	}
	for (i = 0; i < t->nr && t->look == UBLKEV__LOOK_TOLD; i++)
		assert(!ublkev__threads_awaits_look(t, i));
}
