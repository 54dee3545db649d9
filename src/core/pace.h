/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pace.h - a clock that counts the time in which its owner ran
 *
 * A deadline bounds the patience with others. While the owner's thread is
 * stopped, frozen or starved, or its machine is paused, nobody takes the
 * answers, and those who give them may have been stopped with it: that time is
 * not theirs. So whoever waits says when it will look again, soon in any case,
 * and of a look that comes much later only a part of the time is counted that
 * was planned for: a single delay, however long, ends no patience, and a
 * loop that is always late comes to its deadlines all the same.
 */
#ifndef UBLKEV_CORE_PACE_H
#define UBLKEV_CORE_PACE_H

#include <stdint.h>

/* the longest sleep on the way to a deadline */
#define UBLKEV__PACE_BEAT_MS	500u
/* a thread that runs is at most so late: timers, turns of the loop */
#define UBLKEV__PACE_LATE_MS	20u

struct ublkev__pace {
	uint64_t real_ms;	/* the clock of the machine, at the last look */
	uint64_t own_ms;	/* what was counted by then */
	uint64_t next_ms;	/* when the next is due, in own time: not before
				   own_ms, and that without a sleep */
};

void ublkev__pace_init(struct ublkev__pace *p, uint64_t real_ms);

/* the owner runs: what its own clock says when the machine's says real_ms */
uint64_t ublkev__pace_look(struct ublkev__pace *p, uint64_t real_ms);

/*
 * The owner sleeps next, and has a deadline, in its own time: how long it may
 * sleep, from the last look on. UINT64_MAX: there is none, as long as it likes.
 */
uint64_t ublkev__pace_sleep(struct ublkev__pace *p, uint64_t deadline_ms);

#endif
