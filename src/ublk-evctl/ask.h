/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ask.h - control commands, several at a time
 */
#ifndef EVCTL_ASK_H
#define EVCTL_ASK_H

#include "ublk-evctl/session.h"

struct ask {
	enum ublkev_cmd_op cmd;
	int id;
	uint64_t arg;
	struct ublkev_cmd_answer answer;
	int unsent;		/* answer.res is why it could not be asked */
};

/*
 * Sends them all, some at a time, in no order that counts, and waits for the
 * answers. When time is up the kernel is asked to end them, for up to two
 * seconds more; answer.res is -ETIMEDOUT then. After a signal: -ECANCELED.
 */
void ask_all(struct evctl *t, struct ask *v, unsigned int n);

/* one; returns answer.res */
int ask_one(struct evctl *t, struct ask *a, enum ublkev_cmd_op cmd, int id,
	    uint64_t arg);

/* whether it failed since there is no driver to answer */
int ask_has_no_driver(const struct ask *a);

/* "device 3: STOP_DEV: no such device: what to do" as the command's failure */
int ask_fail(struct evctl *t, const struct ask *a);

#endif /* EVCTL_ASK_H */
