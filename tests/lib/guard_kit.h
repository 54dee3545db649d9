/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard_kit.h - a backend that does as told, behind the guard
 */
#ifndef UBLKEV_TESTS_GUARD_KIT_H
#define UBLKEV_TESTS_GUARD_KIT_H

#include "backend/guard.h"
#include "testlib.h"

#define MIB	(UINT64_C(1) << 20)

/* a backend that does as told and writes down what was asked of it */
struct fake {
	struct ublkev_backend *b;
	char calls[256];
	struct ublkev_limits defaults;	/* as open() found them */
	struct ublkev_limits limits;	/* what open() answers */
	int open_answer;
	int start_answer;
	int submit_answer;
	bool answer_inside;		/* submit() calls ublkev_req_done() */
	bool answer_in_stop;
	struct ev_loop *loop;
	struct ublkev_req *req;
	void *data_at_submit;
};

/* where answers arrive */
struct owner {
	unsigned int answers;
	uint64_t cookie;
	int err;
};

extern struct test_log guard_said;
extern const struct ublkev__log guard_log;	/* to guard_said */

/* all calls; open and submit alone */
extern const struct ublkev_backend_ops guard_fake_ops, guard_least_ops;
extern const struct ublkev_limits guard_plain_limits;

/* the ublkev__guard_done_fn of a struct owner */
void guard_done(void *owner, uint64_t cookie, int err);

/* a backend of these calls that answers guard_plain_limits */
void guard_make(struct fake *f, const struct ublkev_backend_ops *ops);
int guard_open_it(struct fake *f, struct owner *o);
/* opened and started, and its calls forgotten */
void guard_start_it(struct fake *f, struct owner *o);
/* stop, close, free */
void guard_finish(struct fake *f);

#endif
