/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wait.h - whether it pays to wait for the next request
 *
 * A server that goes to sleep between two requests of a client that has one
 * at a time pays for it: the sleep, the client's signal, the way back. One
 * that looks at memory a little longer does not, if the request comes. What
 * that is worth is taken to be limit_us, which is also the longest wait, so
 * that waiting in vain costs at most as much again. Waits that paid and those
 * that did not are balanced; when the balance is gone, there are none for a
 * number of sleeps that doubles each time, then a single one for trial.
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

/* limit_us 0: never */
void ublkev__wait_init(struct ublkev__wait *w, unsigned int limit_us);

/* to be asked before each sleep: how long to wait first, 0: not at all */
unsigned int ublkev__wait_us(struct ublkev__wait *w);

/* how that went: a request came after so long, or none did */
void ublkev__wait_done(struct ublkev__wait *w, uint64_t took_us, bool came);

#endif
