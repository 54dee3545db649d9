/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A balance of waits that paid and waits that did not, and rests that double
 * while it stays used up.
 */
#include "core/wait.h"

/* How many waits in vain, one after the other, use the balance up. */
#define STAKES		4

/* How many sleeps there are between two trials. */
#define LEAST_REST	16
#define MOST_REST	4096

void ublkev__wait_init(struct ublkev__wait *w, unsigned int limit_us)
{
	w->limit_us = limit_us;
	w->balance_us = STAKES * limit_us;
	w->rest = 0;
	w->next_rest = LEAST_REST;
}

static void wait_won(struct ublkev__wait *w, unsigned int us)
{
	w->balance_us += us;
	if (w->balance_us < STAKES * w->limit_us)
		return;
	w->balance_us = STAKES * w->limit_us;
	w->next_rest = LEAST_REST;
}

static void wait_lost(struct ublkev__wait *w, unsigned int us)
{
	if (us < w->balance_us) {
		w->balance_us -= us;
		return;
	}
	w->balance_us = w->limit_us;
	w->rest = w->next_rest;
	if (w->next_rest < MOST_REST)
		w->next_rest *= 2;
}

/*
 * A wait that took longer than its limit does not pay, even if a request came:
 * somebody else had the CPU meanwhile, perhaps the client itself.
 */
void ublkev__wait_done(struct ublkev__wait *w, uint64_t took_us, bool came)
{
	if (took_us >= w->limit_us)
		wait_lost(w, w->limit_us);
	else if (came)
		wait_won(w, w->limit_us - (unsigned int)took_us);
	else
		wait_lost(w, (unsigned int)took_us);
}
