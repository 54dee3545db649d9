/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_rig.h - devices on the fake driver in a loop, for test_engine_*.c
 */
#ifndef UBLKEV_TESTS_ENGINE_RIG_H
#define UBLKEV_TESTS_ENGINE_RIG_H

#include <ev.h>
#include <ublkev.h>

#include "fake_driver.h"
#include "testlib.h"

/* ---- the loop ----------------------------------------------------------- */

extern struct ev_loop *rig_loop;

/* a checked fixture */
void rig_setup(void);
void rig_teardown(void);
/* fake_tick() every millisecond; the loop does not stay for it */
void rig_ticks(void);
/* Runs the loop until so(arg); fails when nothing happens for seconds. */
void rig_until(bool (*so)(void *arg), void *arg);
/* Runs the loop until it ends by itself; fails when it does not for seconds. */
void rig_run(void);
/* Runs the loop for so long. */
void rig_run_ms(unsigned int ms);

/* ---- a device ----------------------------------------------------------- */

struct rig_alloc {
	int live;
	unsigned int calls;
	unsigned int fail_at;		/* 0: none */
};

void *rig_alloc_fn(void *data, void *ptr, size_t bytes);
/*
 * The same for what is left to threads that never come back: it stays reachable,
 * and so no leak for a tool that looks for some.
 */
void *rig_alloc_keeping_fn(void *data, void *ptr, size_t bytes);

struct rig_dev {
	struct ublkev_dev dev;
	struct ublkev_conf conf;
	struct rig_alloc alloc;
	char events[16];		/* "LES": since the last start; R for
					   RESIZED, N for REFUSED, H for SHARED */
	enum ublkev_step err_step, last_step;
	void (*on_event)(struct rig_dev *r, int revents);
	unsigned int starts, stops;
	struct rig_dev *next;		/* the rig's: each turn it is verified */
};

/* a conf with small numbers; to be changed before rig_init() */
void rig_conf(struct rig_dev *r);
void rig_init(struct rig_dev *r, struct ublkev_backend *backend);
void rig_start(struct rig_dev *r);
/* init with the conf as it is, start, wait for LIVE */
void rig_up(struct rig_dev *r, struct ublkev_backend *backend);
/* init with the conf as it is, and start to recover conf.id. */
void rig_recover(struct rig_dev *r, struct ublkev_backend *backend);
/*
 * A device of that id, served and released, waits to be recovered; r->conf is
 * set. Recovers it: 0 when it is live, else the error of the call or the end.
 */
void rig_leave(struct rig_dev *r, struct ublkev_backend *backend, int id);
int rig_take(struct rig_dev *r);
/*
 * Recovers it with the n-th allocation from now failing: false when there are
 * fewer, and it is live; else nothing was kept, and it waits on.
 */
bool rig_take_starved(struct rig_dev *r, unsigned int n);
/* what is left of a device after fake_kill() */
void rig_bury(struct rig_dev *r);
/* stop, wait until the loop ends; fini; nothing is left */
void rig_down(struct rig_dev *r);
/*
 * Drives a device by hand, turn by turn, until so(r): what is waited for, the
 * threads tell of when they come to it, each time within patience_ms.
 */
void rig_until_told(struct rig_dev *r, bool (*so)(void *arg),
		    void (*turn)(void), int patience_ms);
/* STOPPED came, exactly once and last */
void rig_check_stopped(const struct rig_dev *r, const char *events);
void rig_fini(struct rig_dev *r);

/*
 * The ways of copying that there are beside AUTO, with and without BATCH_IO:
 * for loops over them.
 */
#define RIG_MODES	6
void rig_mode(struct rig_dev *r, unsigned int mode);
bool rig_is_live(void *rig_dev);
bool rig_is_over(void *rig_dev);
struct ublkev_stats rig_stats(const struct rig_dev *r);
/* requests of all ops */
uint64_t rig_count_reqs(const struct ublkev_stats *s);

/* ---- a backend that takes its time -------------------------------------- */

#define LAZY_BYTES	(1u << 20)
#define LAZY_HELD	4096

enum lazy_mode {
	LAZY_NOW,	/* DONE */
	LAZY_INSIDE,	/* LATER, answered inside submit */
	LAZY_TIMER,	/* answered from a timer, in random order */
	LAZY_HOLD,	/* answered by lazy_answer() */
	LAZY_MIX,	/* one of the first three, each time */
	LAZY_FAIL,	/* -ENOSPC */
};

struct lazy {
	struct ublkev_backend *backend;
	enum lazy_mode mode;
	struct test_rng rng;
	struct ev_loop *loop;
	struct ev_timer timer;
	char *bytes;
	struct ublkev_req *held[LAZY_HELD];
	unsigned int nr_held;
	unsigned int opens, closes, starts, stops, submits, flushes;
	unsigned int fua, unflushed;
	unsigned int map_in_4;		/* of four requests, mapped ones */
	unsigned int maps;
	unsigned int burn_us;		/* each submit takes so long */
	int open_err, start_err;
};

void lazy_init(struct lazy *l, enum lazy_mode mode, uint64_t seed);
/* answers up to n of those held, in random order */
void lazy_answer(struct lazy *l, unsigned int n);
void lazy_fini(struct lazy *l);

/* ---- a device that is busy all the time, in the loop of another one ------ */

struct busy {
	struct lazy disk;
	struct rig_dev r;
	unsigned int served;
	bool rests;
};

void busy_up(struct busy *b, int id);
void busy_down(struct busy *b);

#endif
