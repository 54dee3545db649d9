/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * life_walk.h - the driver of test_life_walk.c, a little model of it, which
 * answers late, wrongly or never
 */
#ifndef UBLKEV_TESTS_CTL_WALK_H
#define UBLKEV_TESTS_CTL_WALK_H

#include "core/life.h"
#include "core/names.h"
#include "testlib.h"

#define NEVER	UINT64_MAX

struct life {
	struct ublkev__life c;
	struct test_rng *rng;
	uint64_t now;
	uint64_t down_ms;		/* when it turned down */
	unsigned int misfortune;	/* in 100 */
	uint64_t kernel;		/* features */
	/* wishes and strangers to come */
	uint64_t stop_at, abort_at, release_at, try_at, resize_at;
	uint64_t fault_at, outside_at;
	enum { STOP, DELETE, QUIESCE } outsider;
	/* the driver */
	bool exists, mine, ublkc, armed, running, stopped;
	uint64_t busy_until;		/* a former server is on its way out */
	bool begun;			/* a recovery */
	bool doomed;			/* DEL_DEV did its part */
	bool died_told, drained_told;
	uint64_t died_at, drained_at;	/* one tag, all */
	uint64_t idle_at;		/* nothing is with us */
	uint64_t closed_at;		/* with threads */
	bool files;			/* operations on files may be out */
	bool recalled;			/* was pulled */
	uint64_t recalled_at;		/* they have ended */
	uint64_t backend_at;		/* it has closed */
	bool backend_asked, backend_closed;
	enum ublkev__ctrl_cmd pending;	/* as pulled */
	uint64_t data;
	unsigned int cpus;		/* queues whose CPUs were asked for */
	uint64_t answer_at;
	int answer;
	bool live_known;		/* the last answer said LIVE */
	/* what was seen */
	unsigned int lives, errors, stops;
	bool aborted, asked, refused, released;
	bool quiesced, faulted;
	bool ends;			/* by a wish, but try_stop's, or fault */
	uint64_t resizing;		/* bytes wished for */
	unsigned int resizes, resizes_told, tries, refusals;
};

/* libcheck's own write a note of each one that holds */
#define must(cond) \
	do { \
		if (!(cond)) \
			ck_abort_msg("not so: %s", #cond); \
	} while (0)

/* over all lives, to see that the walk goes everywhere */
struct seen {
	unsigned int live, recovered, error, gone, lost, released, forced;
	unsigned int resized, refused, turns, progress;
	unsigned int closed_later, left;	/* backends */
	unsigned int recalled, files_left;	/* operations on files */
};

extern struct seen seen;

static inline bool chance(struct life *l, unsigned int percent)
{
	return test_rng_below(l->rng, 100) < percent;
}

static inline uint64_t soon(struct life *l, uint64_t ms)
{
	return l->now + test_rng_below(l->rng, ms);
}

static inline int one_of(struct life *l, const int *errs, size_t n)
{
	return errs[test_rng_below(l->rng, n)];
}

/* before 7.3 nobody else can have what was half recovered */
static inline bool can_be_kept(const struct life *l)
{
	return l->kernel & UBLKEV__F(IO_DESC_SIZE);
}

/* what was pulled */
void drv_cmd(struct life *l, const struct ublkev__life_action *a);
void drv_cancel(struct life *l, enum ublkev__ctrl_cmd cmd);
void drv_open(struct life *l);
void drv_recall(struct life *l);
void drv_close(struct life *l, enum ublkev_step step);
void drv_close_backend(struct life *l);
/* what is pending is answered */
void drv_answer(struct life *l);
/* a stranger has his way with the device */
void drv_outside(struct life *l);

#endif
