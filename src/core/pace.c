/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time, of which only that part is counted in which whoever waits could have
 * looked.
 */
#include "core/pace.h"

void ublkev__pace_init(struct ublkev__pace *p, uint64_t real_ms)
{
	p->real_ms = real_ms;
	p->own_ms = real_ms;
	p->next_ms = real_ms;
}

uint64_t ublkev__pace_look(struct ublkev__pace *p, uint64_t real_ms)
{
	uint64_t ms = real_ms - p->real_ms;
	uint64_t planned_ms = p->next_ms - p->own_ms;

	/* The owner did not run, and nobody knows since when: half of what was
	   planned is taken for it. */
	if (ms > planned_ms + UBLKEV__PACE_LATE_MS)
		ms = planned_ms / 2 ? planned_ms / 2 : 1;
	p->real_ms = real_ms;
	p->own_ms += ms;
	p->next_ms = p->own_ms;
	return p->own_ms;
}

uint64_t ublkev__pace_sleep(struct ublkev__pace *p, uint64_t deadline_ms)
{
	uint64_t ms = UBLKEV__PACE_BEAT_MS;

	if (deadline_ms == UINT64_MAX)
		return UINT64_MAX;
	if (deadline_ms < p->own_ms + ms)
		ms = deadline_ms > p->own_ms ? deadline_ms - p->own_ms : 0;
	p->next_ms = p->own_ms + ms;
	return ms;
}
