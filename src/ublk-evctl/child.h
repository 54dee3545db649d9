/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * child.h - another program, run to its end in the loop
 */
#ifndef EVCTL_CHILD_H
#define EVCTL_CHILD_H

#include "ublk-evctl/session.h"

#define CHILD_TEXT 4096

struct child_end {
	int status;		/* of exit(2); -1: a signal ended it */
	int late;		/* its time was up: the child was told to end */
	char out[CHILD_TEXT];	/* the first of its stdout, and stderr */
	char err[CHILD_TEXT];
};

/*
 * Runs argv[0] and waits for it, not for what it leaves behind. When time is
 * up, or after a signal, it gets SIGTERM, and a few seconds later SIGKILL.
 * 0, or a negative errno of starting it.
 */
int child_run(struct evctl *t, char *const argv[], struct child_end *end);

#endif /* EVCTL_CHILD_H */
