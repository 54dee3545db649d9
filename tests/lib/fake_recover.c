/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver when a server is gone (contract D), and the commands of a live
 * device.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/names.h"
#include "fake_priv.h"

static bool has(const struct fake_dev *d, uint64_t feature)
{
	return d->info.features & feature;
}

/* ---- the server is gone ---------------------------------------------------- */

/* it was, or will be, the next server's to answer */
static void requeue(struct fake_queue *q, struct fake_tag *t)
{
	t->req->next = q->first;
	if (!q->first)
		q->tail = &t->req->next;
	q->first = t->req;
	t->req = NULL;
}

/* what was not delivered yet waits, what was is failed or delivered again */
static void give_up(struct fake_dev *d, struct fake_queue *q,
		    struct fake_tag *t)
{
	bool waits = !has(d, UBLKEV__F(USER_RECOVERY_FAIL_IO)) &&
		     (t->state == TAG_WORK ||
		      has(d, UBLKEV__F(USER_RECOVERY_REISSUE)));
	struct fake_req *req = t->req;

	if (req && waits) {
		requeue(q, t);
		return;
	}
	if (!req)
		return;
	t->req = NULL;
	fake_counts.aborted_reqs++;
	fake__answer(d, req, -EIO);
}

static void give_up_all(struct fake_dev *d)
{
	struct fake_queue *q;
	unsigned int i;

	for (q = d->queues; q < d->queues + d->info.queues; q++)
		for (i = d->info.depth; i--; ) {
			fake__end_late(d, (unsigned int)(q - d->queues), i);
			give_up(d, q, &q->tags[i]);
			q->tags[i].state = TAG_NONE;
		}
}

bool fake__stays(const struct fake_dev *d)
{
	return has(d, UBLKEV__F(USER_RECOVERY)) &&
	       (d->disk == DISK_LIVE || d->disk == DISK_QUIESCED ||
		d->disk == DISK_FAIL_IO);
}

void fake__leave(struct fake_dev *d)
{
	bool fails = has(d, UBLKEV__F(USER_RECOVERY_FAIL_IO));

	/* before 7.3 nobody can finish what this one began */
	if (d->recovering && !(fake.features & UBLKEV__F(IO_DESC_SIZE)))
		d->broken = true;
	d->recovering = false;
	give_up_all(d);
	if (d->disk == DISK_LIVE)
		d->disk = fails ? DISK_FAIL_IO : DISK_QUIESCED;
	if (fails)
		fake__fail_waiting(d);
}

/* ---- and another one comes ------------------------------------------------- */

int fake__start_recovery(struct fake_dev *d)
{
	unsigned int q;

	if (!has(d, UBLKEV__F(USER_RECOVERY)) || d->broken)
		return -EINVAL;
	if (d->io || (d->disk != DISK_QUIESCED && d->disk != DISK_FAIL_IO))
		return -EBUSY;
	d->recovering = true;
	d->quiescing = false;
	for (q = 0; q < d->info.queues; q++)
		d->queues[q].fetch_ended = false;
	return 0;
}

static void feed_all(struct fake_dev *d)
{
	unsigned int q, i;

	for (q = 0; q < d->info.queues; q++)
		for (i = 0; i < d->info.depth; i++)
			fake__feed(d, q, i);
}

int fake__end_recovery(struct fake_dev *d, const struct fake_cmd *c)
{
	if (!d->recovering)
		return -EBUSY;
	if (c->data != (uint64_t)getpid())
		return -EINVAL;
	if (c->cancelled)
		return -EINTR;
	if (!fake__all_armed(d))
		return FAKE_WAITS;
	d->recovering = false;
	d->disk = DISK_LIVE;
	feed_all(d);
	return 0;
}

/* ---- a live device ---------------------------------------------------------- */

static bool any_idle(const struct fake_dev *d, unsigned int q)
{
	unsigned int i;

	for (i = 0; i < d->info.depth; i++)
		if (d->queues[q].tags[i].state == TAG_ARMED)
			return true;
	return false;
}

/* marks it first, whatever comes of the waiting */
int fake__quiesce(struct fake_dev *d, const struct fake_cmd *c)
{
	unsigned int q;

	if (!has(d, UBLKEV__F(QUIESCE)))
		return -EOPNOTSUPP;
	if (d->disk == DISK_QUIESCED || d->disk == DISK_FAIL_IO)
		return 0;
	if (d->disk != DISK_LIVE)
		return -ENODEV;
	d->quiescing = true;
	for (q = 0; q < d->info.queues; q++)
		if (!any_idle(d, q))
			return c->cancelled ? -EINTR : FAKE_WAITS;
	fake__abort_armed(d);
	return 0;
}

int fake__update_size(struct fake_dev *d, const struct fake_cmd *c)
{
	if (d->disk == DISK_NONE || d->disk == DISK_DEAD) {
		fake__violates("UPDATE_SIZE without a disk");
		return -ENODEV;
	}
	d->params.dev_sectors = c->data;
	return 0;
}

int fake__try_stop(const struct fake_dev *d)
{
	if (d->disk == DISK_NONE)
		return -ENODEV;
	return d->holders ? -EBUSY : 0;
}

/* ---- what it is -------------------------------------------------------------- */

unsigned int fake__state(const struct fake_dev *d)
{
	switch (d->disk) {
	case DISK_LIVE:
		return UBLKEV_STATE_LIVE;
	case DISK_QUIESCED:
		return UBLKEV_STATE_QUIESCED;
	case DISK_FAIL_IO:
		return UBLKEV_STATE_FAIL_IO;
	default:
		return UBLKEV_STATE_DEAD;
	}
}

int fake_state(int id)
{
	FAKE_LOCKED;
	struct fake_dev *d = fake__dev(id);

	return d ? (int)fake__state(d) : -ENODEV;
}

uint64_t fake_sectors(int id)
{
	FAKE_LOCKED;
	struct fake_dev *d = fake__dev(id);

	return d ? d->params.dev_sectors : 0;
}

uint32_t fake_dma_align_bytes(int id)
{
	FAKE_LOCKED;
	struct fake_dev *d = fake__dev(id);

	return d ? d->params.dma_align_bytes : 0;
}

int fake__look(const struct fake_dev *d, struct fake_cmd *c)
{
	switch (c->cmd) {
	case UBLKEV__CTRL_GET_PARAMS:
		c->params = d->params;
		c->params.disk_major = 259;
		c->params.disk_minor = (uint32_t)d->id;
		return d->has_params ? 0 : -EINVAL;
	case UBLKEV__CTRL_GET_QUEUE_AFFINITY:
		if (c->data >= d->info.queues)
			return -EINVAL;
		c->cpus.bits[0] = UINT64_C(1) << c->data;
		return 0;
	default:
		c->info = d->info;
		c->info.state = fake__state(d);
		c->info.pid = d->io ? getpid() : -1;
		return 0;
	}
}
