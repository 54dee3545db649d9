/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state machine of zones, on a table that another process may have begun.
 */
#include "backend/zones.h"

#include <assert.h>
#include <errno.h>
#include <linux/blkzoned.h>
#include <string.h>

static_assert(sizeof(struct blk_zone) == UBLKEV_ZONE_BYTES,
	      "as the header says");

#define SECTOR_SHIFT 9

/* ---- the table ------------------------------------------------------------ */

/* "ublkevz1", in the order of the machine's bytes: it never leaves that */
#define TABLE_MAGIC UINT64_C(0x75626c6b65767a31)

struct table {
	uint64_t magic;
	uint64_t dev_bytes;
	uint64_t zone_bytes;
	uint64_t capacity_bytes;
	uint32_t conventional;
	uint32_t reserved;
	struct ublkev__zone zone[];
};

static uint32_t zones_count(const struct ublkev__zones_conf *conf)
{
	return (uint32_t)(conf->dev_bytes / conf->zone_bytes);
}

size_t ublkev__zones_table_bytes(const struct ublkev__zones_conf *conf)
{
	return sizeof(struct table) +
	       zones_count(conf) * sizeof(struct ublkev__zone);
}

static bool zone_is_open(const struct ublkev__zone *zone)
{
	return zone->cond == BLK_ZONE_COND_IMP_OPEN ||
	       zone->cond == BLK_ZONE_COND_EXP_OPEN;
}

static bool zone_is_active(const struct ublkev__zone *zone)
{
	return zone_is_open(zone) || zone->cond == BLK_ZONE_COND_CLOSED;
}

/* what a table may say of a zone, whoever wrote it */
static bool zone_is_sound(const struct ublkev__zones_conf *conf,
			  const struct ublkev__zone *zone, uint32_t i)
{
	if (i < conf->conventional)
		return zone->cond == BLK_ZONE_COND_NOT_WP;
	if (zone->cond == BLK_ZONE_COND_EMPTY)
		return !zone->wp_bytes;
	if (zone->cond == BLK_ZONE_COND_FULL)
		return zone->wp_bytes == conf->zone_bytes;
	return zone_is_active(zone) && zone->wp_bytes < conf->capacity_bytes &&
	       (zone->wp_bytes || zone->cond != BLK_ZONE_COND_CLOSED) &&
	       !(zone->wp_bytes & 511);
}

static bool zones_table_fits(const struct table *t,
			     const struct ublkev__zones_conf *conf)
{
	uint32_t i;

	if (t->magic != TABLE_MAGIC || t->dev_bytes != conf->dev_bytes ||
	    t->zone_bytes != conf->zone_bytes ||
	    t->capacity_bytes != conf->capacity_bytes ||
	    t->conventional != conf->conventional)
		return false;
	for (i = 0; i < zones_count(conf); i++)
		if (!zone_is_sound(conf, &t->zone[i], i))
			return false;
	return true;
}

static void zones_make_table(struct table *t,
			     const struct ublkev__zones_conf *conf)
{
	uint32_t i;

	t->dev_bytes = conf->dev_bytes;
	t->zone_bytes = conf->zone_bytes;
	t->capacity_bytes = conf->capacity_bytes;
	t->conventional = conf->conventional;
	for (i = 0; i < zones_count(conf); i++) {
		t->zone[i].wp_bytes = 0;
		t->zone[i].cond = i < conf->conventional ?
			BLK_ZONE_COND_NOT_WP : BLK_ZONE_COND_EMPTY;
	}
	/* last: a table that was begun only is made anew */
	__atomic_store_n(&t->magic, TABLE_MAGIC, __ATOMIC_RELEASE);
}

int ublkev__zones_init(struct ublkev__zones *z,
		       const struct ublkev__zones_conf *conf, void *table)
{
	struct table *t = table;
	const struct ublkev__zone *zone;

	if (!t->magic)
		zones_make_table(t, conf);
	else if (!zones_table_fits(t, conf))
		return -EINVAL;
	memset(z, 0, sizeof(*z));
	z->conf = *conf;
	z->zone = t->zone;
	z->nr = zones_count(conf);
	for (zone = z->zone; zone < z->zone + z->nr; zone++) {
		z->nr_open += zone_is_open(zone);
		z->nr_implicit += zone->cond == BLK_ZONE_COND_IMP_OPEN;
		z->nr_active += zone_is_active(zone);
	}
	return 0;
}

void ublkev__zones_limits(const struct ublkev__zones *z,
			  struct ublkev_limits *limits)
{
	limits->chunk_bytes = (uint32_t)z->conf.zone_bytes;
	limits->max_open_zones = z->conf.max_open;
	limits->max_active_zones = z->conf.max_active;
	limits->max_discard_bytes = 0;
	limits->max_write_zeroes_bytes = 0;
	limits->flags |= UBLKEV_LIMIT_ZONED;
	limits->flags &= ~(UBLKEV_LIMIT_THREADS |
			   UBLKEV_LIMIT_THREADS_PER_QUEUE);
}

/* ---- states --------------------------------------------------------------- */

static struct ublkev__zone *zones_at(const struct ublkev__zones *z,
				     uint64_t offset)
{
	return &z->zone[offset / z->conf.zone_bytes];
}

static void zones_set(struct ublkev__zones *z, struct ublkev__zone *zone,
		      uint8_t cond)
{
	z->nr_open -= zone_is_open(zone);
	z->nr_implicit -= zone->cond == BLK_ZONE_COND_IMP_OPEN;
	z->nr_active -= zone_is_active(zone);
	zone->cond = cond;
	if (cond == BLK_ZONE_COND_EMPTY)
		zone->wp_bytes = 0;
	if (cond == BLK_ZONE_COND_FULL)
		zone->wp_bytes = z->conf.zone_bytes;
	z->nr_open += zone_is_open(zone);
	z->nr_implicit += zone->cond == BLK_ZONE_COND_IMP_OPEN;
	z->nr_active += zone_is_active(zone);
}

/* an open zone that has no data is empty again when it is closed */
static void zones_close(struct ublkev__zones *z, struct ublkev__zone *zone)
{
	zones_set(z, zone, zone->wp_bytes ? BLK_ZONE_COND_CLOSED
					  : BLK_ZONE_COND_EMPTY);
}

static bool zones_may_open_more(const struct ublkev__zones *z)
{
	return !z->conf.max_open || z->nr_open < z->conf.max_open;
}

/* 0, or why the zone, which is empty or closed, can't be opened */
static int zones_may_open(const struct ublkev__zones *z,
			  const struct ublkev__zone *zone)
{
	if (!zone_is_active(zone) && z->conf.max_active &&
	    z->nr_active >= z->conf.max_active)
		return -EOVERFLOW;
	return zones_may_open_more(z) || z->nr_implicit ? 0 : -ETOOMANYREFS;
}

/* one after the other, so that nobody's is closed again and again */
static void zones_close_a_victim(struct ublkev__zones *z)
{
	struct ublkev__zone *zone;

	do {
		zone = &z->zone[z->victim];
		z->victim = z->victim + 1 < z->nr ? z->victim + 1 : 0;
	} while (zone->cond != BLK_ZONE_COND_IMP_OPEN);
	zones_close(z, zone);
}

static int zones_open(struct ublkev__zones *z, struct ublkev__zone *zone,
		      uint8_t cond)
{
	int err = zone_is_open(zone) ? 0 : zones_may_open(z, zone);

	if (err)
		return err;
	if (!zone_is_open(zone) && !zones_may_open_more(z))
		zones_close_a_victim(z);
	zones_set(z, zone, cond);
	return 0;
}

void ublkev__zones_found(struct ublkev__zones *z, uint64_t offset,
			 uint64_t wp_bytes)
{
	struct ublkev__zone *zone = zones_at(z, offset);

	if (zone->cond == BLK_ZONE_COND_NOT_WP || !wp_bytes)
		return;
	if (wp_bytes >= z->conf.capacity_bytes) {
		zones_set(z, zone, BLK_ZONE_COND_FULL);
		return;
	}
	zones_set(z, zone, BLK_ZONE_COND_CLOSED);
	zone->wp_bytes = wp_bytes;
}

/* ---- writes --------------------------------------------------------------- */

static int zones_advance(struct ublkev__zones *z, struct ublkev__zone *zone,
			 uint64_t len)
{
	int err;

	if (zone->cond == BLK_ZONE_COND_FULL ||
	    len > z->conf.capacity_bytes - zone->wp_bytes)
		return -EIO;
	if (!zone_is_open(zone)) {
		err = zones_open(z, zone, BLK_ZONE_COND_IMP_OPEN);
		if (err)
			return err;
	}
	zone->wp_bytes += len;
	if (zone->wp_bytes == z->conf.capacity_bytes)
		zones_set(z, zone, BLK_ZONE_COND_FULL);
	return 0;
}

int ublkev__zones_write(struct ublkev__zones *z, uint64_t offset, uint64_t len)
{
	struct ublkev__zone *zone = zones_at(z, offset);

	if (zone->cond == BLK_ZONE_COND_NOT_WP)
		return 0;
	if ((offset & (z->conf.zone_bytes - 1)) != zone->wp_bytes)
		return -EIO;
	return zones_advance(z, zone, len);
}

int64_t ublkev__zones_append(struct ublkev__zones *z, uint64_t offset,
			     uint64_t len)
{
	struct ublkev__zone *zone = zones_at(z, offset);
	uint64_t at = zone->wp_bytes;
	int err;

	if (zone->cond == BLK_ZONE_COND_NOT_WP)
		return -EIO;
	err = zones_advance(z, zone, len);
	return err ? err : (int64_t)(offset + at);
}

void ublkev__zones_unwrite(struct ublkev__zones *z, uint64_t offset,
			   uint64_t len)
{
	struct ublkev__zone *zone = zones_at(z, offset);
	uint64_t at = offset & (z->conf.zone_bytes - 1), end = at + len;

	/* one that was filled stays full: its place may be another's by now */
	if (!zone_is_active(zone) || zone->wp_bytes != end)
		return;
	zone->wp_bytes = at;
	if (!at && zone->cond == BLK_ZONE_COND_CLOSED)
		zones_set(z, zone, BLK_ZONE_COND_EMPTY);
}

/* ---- management ------------------------------------------------------------ */

int ublkev__zones_may_manage(const struct ublkev__zones *z, unsigned int op,
			     uint64_t offset)
{
	const struct ublkev__zone *zone = zones_at(z, offset);
	uint8_t cond = zone->cond;

	if (cond == BLK_ZONE_COND_NOT_WP)
		return -EIO;
	if (op == UBLKEV_OP_ZONE_OPEN && cond == BLK_ZONE_COND_FULL)
		return -EIO;
	if (op == UBLKEV_OP_ZONE_OPEN && !zone_is_open(zone))
		return zones_may_open(z, zone);
	if (op == UBLKEV_OP_ZONE_CLOSE && !zone_is_active(zone))
		return -EIO;
	return 0;
}

int ublkev__zones_manage(struct ublkev__zones *z, unsigned int op,
			 uint64_t offset)
{
	struct ublkev__zone *zone = zones_at(z, offset);
	int err = ublkev__zones_may_manage(z, op, offset);

	if (err)
		return err;
	switch (op) {
	case UBLKEV_OP_ZONE_OPEN:
		return zones_open(z, zone, BLK_ZONE_COND_EXP_OPEN);
	case UBLKEV_OP_ZONE_CLOSE:
		zones_close(z, zone);
		return 0;
	case UBLKEV_OP_ZONE_FINISH:
		zones_set(z, zone, BLK_ZONE_COND_FULL);
		return 0;
	default:
		zones_set(z, zone, BLK_ZONE_COND_EMPTY);
		return 0;
	}
}

void ublkev__zones_reset_all(struct ublkev__zones *z)
{
	uint32_t i;

	for (i = z->conf.conventional; i < z->nr; i++)
		zones_set(z, &z->zone[i], BLK_ZONE_COND_EMPTY);
}

uint64_t ublkev__zones_written(const struct ublkev__zones *z, uint64_t offset)
{
	return zones_at(z, offset)->wp_bytes;
}

/* ---- report ---------------------------------------------------------------- */

static void zones_tell(const struct ublkev__zones *z, uint32_t i,
		       struct blk_zone *to)
{
	const struct ublkev__zone *zone = &z->zone[i];
	bool conventional = zone->cond == BLK_ZONE_COND_NOT_WP;

	memset(to, 0, sizeof(*to));
	to->start = i * (z->conf.zone_bytes >> SECTOR_SHIFT);
	to->len = z->conf.zone_bytes >> SECTOR_SHIFT;
	/* that of a conventional one is its size (blk_revalidate_conv_zone()) */
	to->capacity = conventional ? to->len :
		       z->conf.capacity_bytes >> SECTOR_SHIFT;
	to->wp = to->start + (conventional ? to->len :
			      zone->wp_bytes >> SECTOR_SHIFT);
	to->type = conventional ? BLK_ZONE_TYPE_CONVENTIONAL
				: BLK_ZONE_TYPE_SEQWRITE_REQ;
	to->cond = zone->cond;
}

void ublkev__zones_report(const struct ublkev__zones *z,
			  const struct ublkev_req *req)
{
	uint64_t i = req->offset_bytes / z->conf.zone_bytes;
	uint64_t n = req->len_bytes / sizeof(struct blk_zone);
	struct blk_zone *to = req->buf;

	for (; n; n--, i++, to++)
		if (i < z->nr)
			zones_tell(z, (uint32_t)i, to);
		else
			memset(to, 0, sizeof(*to));
}

/* ---- for tests -------------------------------------------------------------- */

void ublkev__zones_verify(const struct ublkev__zones *z)
{
	uint32_t open = 0, implicit = 0, active = 0, i;

	for (i = 0; i < z->nr; i++) {
		assert(zone_is_sound(&z->conf, &z->zone[i], i));
		open += zone_is_open(&z->zone[i]);
		implicit += z->zone[i].cond == BLK_ZONE_COND_IMP_OPEN;
		active += zone_is_active(&z->zone[i]);
	}
	assert(open == z->nr_open && implicit == z->nr_implicit &&
	       active == z->nr_active);
	assert(!z->conf.max_open || open <= z->conf.max_open);
	assert(!z->conf.max_active || active <= z->conf.max_active);
}
