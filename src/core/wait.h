/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wait.h - whether it pays to wait for the next request
 *
 * A server that goes to sleep between two requests of a client that has one
 * at a time pays for it: the sleep, the client's signal, the way back. A server
 * that looks at memory a little longer does not, if the request comes. That
 * saving is taken to be limit_us, which is also the longest wait, so that a
 * wait in vain costs at most as much again. Waits that paid and waits that did
 * not are balanced. When the balance is used up, the server sleeps without a
 * wait, a number of times that doubles each time, then waits once for trial.
 */
#ifndef UBLKEV_CORE_WAIT_H
#define UBLKEV_CORE_WAIT_H

#include <stdbool.h>
#include <stdint.h>

struct ublkev__wait {
	unsigned int limit_us;
	unsigned int balance_us;
	unsigned int rest;		/* sleeps until the next trial */
	unsigned int next_rest;
};

/* With a limit_us of 0 there is never a wait. */
void ublkev__wait_init(struct ublkev__wait *w, unsigned int limit_us);

/* How long to wait first, to be asked before each sleep; 0: not at all. */
static inline unsigned int ublkev__wait_us(struct ublkev__wait *w)
{
	if (w->rest) {
		w->rest--;
		return 0;
	}
	return w->limit_us;
}

/* What a wait has come to: it took so long, and whether a request came. */
void ublkev__wait_done(struct ublkev__wait *w, uint64_t took_us, bool came);

#endif
