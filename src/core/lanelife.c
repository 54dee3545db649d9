/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a lane makes of the wishes of the application's thread, and what it
 * tells of itself, each fact once.
 */
#include "core/lanelife.h"

#include <assert.h>
#include <string.h>

void ublkev__lanelife_init(struct ublkev__lanelife *ll,
			   enum ublkev__lane_phase phase)
{
	memset(ll, 0, sizeof(*ll));
	ll->phase = (uint8_t)phase;
}

void ublkev__lanelife_wish(struct ublkev__lanelife *ll, unsigned int wishes)
{
	ll->wishes |= (uint16_t)wishes;
}

static enum ublkev__lane_act lanelife_grant(struct ublkev__lanelife *ll,
					    unsigned int wish)
{
	switch (wish) {
	case UBLKEV__WISH_ARM:
		return UBLKEV__LANE_ARM;
	case UBLKEV__WISH_ARM_HIDDEN:
		return UBLKEV__LANE_ARM_HIDDEN;
	case UBLKEV__WISH_LIVE:
	case UBLKEV__WISH_RESUME:
		ll->phase = UBLKEV__LANE_LIVE;
		return UBLKEV__LANE_NONE;
	case UBLKEV__WISH_ABORT:
		return UBLKEV__LANE_ABORT;
	case UBLKEV__WISH_HOLD:
		return UBLKEV__LANE_HOLD;
	case UBLKEV__WISH_IDLE:
		ll->idle = UBLKEV__IDLE_ASKED;
		return UBLKEV__LANE_NONE;
	case UBLKEV__WISH_LOOK:
		ll->looks = true;
		return UBLKEV__LANE_NONE;
	/* what never armed has none */
	case UBLKEV__WISH_RECALL:
		return ll->phase == UBLKEV__LANE_FAILED ? UBLKEV__LANE_NONE
							: UBLKEV__LANE_RECALL;
	default:
		return UBLKEV__LANE_CLOSE;
	}
}

enum ublkev__lane_act ublkev__lanelife_next(struct ublkev__lanelife *ll)
{
	enum ublkev__lane_act act = UBLKEV__LANE_NONE;
	unsigned int wish;

	while (ll->wishes && act == UBLKEV__LANE_NONE) {
		wish = ll->wishes & -(unsigned int)ll->wishes;
		ll->wishes &= (uint16_t)~wish;
		act = lanelife_grant(ll, wish);
	}
	return act;
}

void ublkev__lanelife_armed(struct ublkev__lanelife *ll, int err)
{
	if (!err) {
		ll->phase = UBLKEV__LANE_ARMED;
		ll->facts |= UBLKEV__FACT_ARMED;
		return;
	}
	/* the driver has none of its tags, and gets none */
	ll->phase = UBLKEV__LANE_FAILED;
	ll->tags = UBLKEV__TAGS_DRAINED;
	ll->facts |= UBLKEV__FACT_DRAINED;
}

void ublkev__lanelife_held(struct ublkev__lanelife *ll)
{
	ll->phase = UBLKEV__LANE_HELD;
	ll->facts |= UBLKEV__FACT_HELD;
}

void ublkev__lanelife_ended(struct ublkev__lanelife *ll)
{
	ublkev__lanelife_let_go(ll);
	ll->phase = UBLKEV__LANE_ENDED;
	ll->facts |= UBLKEV__FACT_CLOSED;
}

void ublkev__lanelife_recall(struct ublkev__lanelife *ll)
{
	if (ll->recall == UBLKEV__RECALL_UNASKED)
		ll->recall = UBLKEV__RECALL_ASKED;
}

void ublkev__lanelife_recalled(struct ublkev__lanelife *ll)
{
	if (ll->recall != UBLKEV__RECALL_ASKED)
		return;
	ll->recall = UBLKEV__RECALL_TOLD;
	ll->facts |= UBLKEV__FACT_RECALLED;
}

void ublkev__lanelife_tag_died(struct ublkev__lanelife *ll)
{
	if (ll->tags != UBLKEV__TAGS_WHOLE)
		return;
	ll->tags = UBLKEV__TAGS_DYING;
	ll->facts |= UBLKEV__FACT_TAG_DIED;
}

void ublkev__lanelife_drained(struct ublkev__lanelife *ll)
{
	if (ll->tags == UBLKEV__TAGS_DRAINED)
		return;
	ll->tags = UBLKEV__TAGS_DRAINED;
	ll->facts |= UBLKEV__FACT_DRAINED;
}

void ublkev__lanelife_let_go(struct ublkev__lanelife *ll)
{
	ll->tags = UBLKEV__TAGS_DRAINED;
}

void ublkev__lanelife_idle(struct ublkev__lanelife *ll)
{
	if (ll->idle != UBLKEV__IDLE_ASKED)
		return;
	ll->idle = UBLKEV__IDLE_TOLD;
	ll->facts |= UBLKEV__FACT_IDLE;
}

void ublkev__lanelife_looked(struct ublkev__lanelife *ll)
{
	if (!ll->looks)
		return;
	ll->looks = false;
	ll->facts |= UBLKEV__FACT_LOOKED;
}

unsigned int ublkev__lanelife_facts(struct ublkev__lanelife *ll)
{
	unsigned int facts = ll->facts;

	ll->facts = 0;
	return facts;
}

#define TAGS(name)	(1u << UBLKEV__TAGS_##name)
#define IDLE(name)	(1u << UBLKEV__IDLE_##name)
#define RECALL(name)	(1u << UBLKEV__RECALL_##name)

void ublkev__lanelife_verify(const struct ublkev__lanelife *ll)
{
	static const struct {
		unsigned int tags, idle, recall;
	} legal[] = {
		[UBLKEV__LANE_WAITS] = { TAGS(WHOLE) | TAGS(DRAINED),
					 IDLE(UNASKED), RECALL(UNASKED) },
		[UBLKEV__LANE_FAILED] = { TAGS(DRAINED), IDLE(UNASKED),
					  RECALL(UNASKED) },
		[UBLKEV__LANE_ARMED] = { ~0u, IDLE(UNASKED), ~0u },
		[UBLKEV__LANE_LIVE] = { ~0u, ~0u, ~0u },
		[UBLKEV__LANE_HELD] = { ~0u, ~0u, ~0u },
		[UBLKEV__LANE_ENDED] = { TAGS(DRAINED), ~0u, ~0u },
	};

	assert(ll->phase <= UBLKEV__LANE_ENDED);
	assert(legal[ll->phase].tags >> ll->tags & 1);
	assert(legal[ll->phase].idle >> ll->idle & 1);
	assert(legal[ll->phase].recall >> ll->recall & 1);
	assert(ll->phase != UBLKEV__LANE_ENDED || !ll->wishes);
	/* a fact that waits to be told is true */
	if (ll->facts & UBLKEV__FACT_TAG_DIED)
		assert(ll->tags != UBLKEV__TAGS_WHOLE);
	if (ll->facts & UBLKEV__FACT_DRAINED)
		assert(ll->tags == UBLKEV__TAGS_DRAINED);
	if (ll->facts & UBLKEV__FACT_IDLE)
		assert(ll->idle == UBLKEV__IDLE_TOLD);
	if (ll->facts & UBLKEV__FACT_RECALLED)
		assert(ll->recall == UBLKEV__RECALL_TOLD);
	if (ll->facts & UBLKEV__FACT_CLOSED)
		assert(ll->phase == UBLKEV__LANE_ENDED);
}
