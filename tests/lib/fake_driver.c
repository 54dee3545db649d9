/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fake driver's devices, the requests of their users, and what is to go
 * wrong.
 */
#include "fake_driver.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_priv.h"

struct rule {
	enum fake_what what;
	enum ublkev__ctrl_cmd cmd;
	unsigned int nth, times;
	int err;
};

struct fake_conf fake;
struct fake_counts fake_counts;

static struct fake_dev devs[FAKE_DEVS];
static struct rule rules[FAKE_RULES];
static unsigned int nr_rules;
static unsigned int generations;
static unsigned int unanswered;
static const char *violation;
static bool in_hook;

/* ---- the lock ------------------------------------------------------------ */

static pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

int fake_lock(void)
{
	return pthread_mutex_lock(&mutex);
}

void fake_unlock(const int *unused)
{
	(void)unused;
	pthread_mutex_unlock(&mutex);
}

/* ---- misfortune --------------------------------------------------------- */

void fake_rule(enum fake_what what, enum ublkev__ctrl_cmd cmd, unsigned int nth,
	       unsigned int times, int err)
{
	FAKE_LOCKED;
	if (nr_rules == FAKE_RULES)
		abort();
	rules[nr_rules++] = (struct rule){ what, cmd, nth, times, err };
}

void fake_no_rules(void)
{
	FAKE_LOCKED;
	nr_rules = 0;
}

bool fake__rule(enum fake_what what, enum ublkev__ctrl_cmd cmd, int *err)
{
	bool applies = false;
	struct rule *r;

	for (r = rules; r < rules + nr_rules; r++) {
		if (r->what != what || r->cmd != cmd || !r->times)
			continue;
		if (r->nth > 1) {
			r->nth--;
			continue;
		}
		if (r->times != FAKE_NEVER)
			r->times--;
		*err = r->err;
		applies = true;
	}
	return applies;
}

void fake__violates(const char *what)
{
	if (violation)
		return;
	violation = what;
	fprintf(stderr, "fake driver: %s\n", what);
}

const char *fake_violation(void)
{
	FAKE_LOCKED;
	return violation;
}

void fake__point(enum fake_point at)
{
	if (!fake.hook || in_hook)
		return;
	in_hook = true;
	fake.hook(at);
	in_hook = false;
}

/* ---- devices ------------------------------------------------------------ */

struct fake_dev *fake__dev(int id)
{
	if (id < 0 || id >= FAKE_DEVS || !devs[id].used)
		return NULL;
	return &devs[id];
}

static void free_queues(struct fake_dev *d)
{
	unsigned int q;

	for (q = 0; d->queues && q < d->info.queues; q++)
		free(d->queues[q].tags);
	free(d->queues);
	d->queues = NULL;
}

static int make_queues(struct fake_dev *d)
{
	unsigned int q;

	d->queues = calloc(d->info.queues, sizeof(*d->queues));
	for (q = 0; q < d->info.queues; q++) {
		d->queues[q].tags = calloc(d->info.depth,
					   sizeof(struct fake_tag));
		d->queues[q].tail = &d->queues[q].first;
	}
	return 0;
}

static int pick_id(int wanted)
{
	int id;

	if (wanted >= FAKE_DEVS)
		return -EINVAL;
	if (wanted >= 0)
		return devs[wanted].used ? -EEXIST : wanted;
	for (id = 0; id < FAKE_DEVS; id++)
		if (!devs[id].used)
			return id;
	return -EACCES;
}

int fake__add(struct ublkev_cmd_info *info)
{
	struct fake_dev *d;
	int id;

	if (!info->depth || info->depth > 4096 || !info->queues ||
	    info->queues > 4096)
		return -EINVAL;
	id = pick_id(info->id);
	if (id < 0)
		return id;
	d = &devs[id];
	memset(d, 0, sizeof(*d));
	info->id = id;
	if (info->queues > fake.cpus)
		info->queues = fake.cpus;
	info->max_io_bytes &= ~4095u;
	info->features &= fake.features;
	if (info->features & FAKE_F_BATCH_IO)
		info->features &= ~FAKE_F_PER_IO_DAEMON;
	else
		info->features |= fake.features & FAKE_F_PER_IO_DAEMON;
	if (info->features & FAKE_F_IO_DESC_SIZE &&
	    (info->desc_bytes < 24 || info->desc_bytes > 256 ||
	     info->desc_bytes % 8))
		return -EINVAL;
	if (!(info->features & FAKE_F_IO_DESC_SIZE))
		info->desc_bytes = 0;
	if (info->features & (FAKE_F_USER_COPY | FAKE_F_BATCH_IO))
		info->features &= ~FAKE_F_NEED_GET_DATA;
	d->info = *info;
	d->id = id;
	d->used = true;
	d->generation = ++generations;
	fake_counts.devs++;
	return make_queues(d);
}

bool fake__all_armed(const struct fake_dev *d)
{
	unsigned int q, i;

	for (q = 0; q < d->info.queues; q++)
		for (i = 0; i < d->info.depth; i++)
			if (d->queues[q].tags[i].state != TAG_ARMED)
				return false;
	return true;
}

void fake__maybe_free(struct fake_dev *d)
{
	if (!d->deleted || d->io || d->holders)
		return;
	free_queues(d);
	d->used = false;
	fake_counts.devs--;
}

int fake_leave(int id)
{
	FAKE_LOCKED;
	struct ublkev_cmd_info info = {
		.id = id, .queues = 1, .depth = 1, .max_io_bytes = 4096,
	};

	return fake__add(&info);
}

void fake_hold(int id, int change)
{
	FAKE_LOCKED;
	struct fake_dev *d = fake__dev(id);

	if (!d)
		return;
	d->holders += change;
	fake__maybe_free(d);
	fake__progress();
}

void fake_kill(int id)
{
	FAKE_LOCKED;
	struct fake_dev *d = fake__dev(id);

	if (d && d->io)
		fake__cut_control(fake__cut(d->io));
}

bool fake_exists(int id)
{
	FAKE_LOCKED;
	return fake__dev(id);
}

bool fake_live(int id)
{
	FAKE_LOCKED;
	struct fake_dev *d = fake__dev(id);

	return d && d->disk == DISK_LIVE;
}

/* ---- requests ----------------------------------------------------------- */

void fake__answer(struct fake_dev *d, struct fake_req *req, int res)
{
	fake_done_fn *done = req->done;
	void *arg = req->arg;

	d->inflight--;
	unanswered--;
	free(req);
	if (done)
		done(arg, res);
}

void fake__feed(struct fake_dev *d, unsigned int queue, unsigned int tag)
{
	struct fake_queue *q = &d->queues[queue];
	struct fake_tag *t = &q->tags[tag];
	struct fake_req *req = q->first;

	if (!req || t->state != TAG_ARMED || t->late || d->quiescing ||
	    d->recovering || d->frozen)
		return;
	q->first = req->next;
	if (!q->first)
		q->tail = &q->first;
	t->state = TAG_WORK;
	t->req = req;
	t->desc.op_flags = req->op_flags;
	/* a report's are zones */
	t->desc.nr_sectors = (req->op_flags & 0xff) == FAKE_REPORT_ZONES ?
		req->len / UBLKEV_ZONE_BYTES : req->len >> 9;
	t->desc.start_sector = req->offset >> 9;
	fake__match(d, t);
	fake__work(t->io, queue, tag, 0);
}

void fake__fail_waiting(struct fake_dev *d)
{
	struct fake_req *req;
	unsigned int q;

	for (q = 0; q < d->info.queues; q++) {
		while ((req = d->queues[q].first)) {
			d->queues[q].first = req->next;
			if (!req->next)
				d->queues[q].tail = &d->queues[q].first;
			fake_counts.aborted_reqs++;
			fake__answer(d, req, -EIO);
		}
	}
}

static void enqueue(struct fake_dev *d, unsigned int queue,
		    const struct fake_req *what)
{
	struct fake_queue *q = &d->queues[queue];
	struct fake_req *req = malloc(sizeof(*req));
	unsigned int tag;

	*req = *what;
	req->next = NULL;
	*q->tail = req;
	q->tail = &req->next;
	d->inflight++;
	unanswered++;
	for (tag = 0; tag < d->info.depth; tag++)
		if (q->tags[tag].state == TAG_ARMED && !q->tags[tag].late) {
			fake__feed(d, queue, tag);
			return;
		}
}

void fake__own(struct fake_dev *d, uint32_t op, fake_done_fn *done)
{
	static char zeroes[4096];
	struct fake_req what = {
		.op_flags = op, .len = sizeof(zeroes),
		/* what is read is looked at by nobody */
		.data = op == FAKE_WRITE ? zeroes : NULL,
		.done = done, .arg = d,
	};

	/* as a partition scan, or where no test looks */
	if (op == FAKE_WRITE)
		what.offset = (d->params.dev_sectors << 9) - what.len;
	enqueue(d, 0, &what);
}

void fake_submit_on(int id, unsigned int queue, uint32_t op_flags,
		    uint64_t offset, uint32_t len, void *data,
		    fake_done_fn *done, void *arg)
{
	FAKE_LOCKED;
	struct fake_dev *d = fake__dev(id);
	struct fake_req what = {
		.op_flags = op_flags, .offset = offset, .len = len,
		.data = data, .done = done, .arg = arg,
	};

	if (!d || (d->disk != DISK_LIVE && d->disk != DISK_QUIESCED)) {
		if (done)
			done(arg, d && d->disk == DISK_FAIL_IO ? -EREMOTEIO :
			     -EIO);
		return;
	}
	enqueue(d, queue % d->info.queues, &what);
}

void fake_submit(int id, uint32_t op_flags, uint64_t offset, uint32_t len,
		 void *data, fake_done_fn *done, void *arg)
{
	FAKE_LOCKED;
	struct fake_dev *d = fake__dev(id);

	fake_submit_on(id, d ? d->next_queue++ : 0, op_flags, offset, len,
		       data, done, arg);
}

unsigned int fake_unanswered(void)
{
	FAKE_LOCKED;
	return unanswered;
}

/* ---- all of it ---------------------------------------------------------- */

void fake_reset(void)
{
	int id;

	fake__drop_cmds();
	for (id = 0; id < FAKE_DEVS; id++) {
		if (!devs[id].used)
			continue;
		fake__fail_waiting(&devs[id]);
		free_queues(&devs[id]);
	}
	memset(devs, 0, sizeof(devs));
	memset(&fake_counts, 0, sizeof(fake_counts));
	memset(&fake, 0, sizeof(fake));
	fake.cpus = 64;
	fake.file_room = 4;
	fake.features = 0x1fe;
	nr_rules = 0;
	unanswered = 0;
	violation = NULL;
	in_hook = false;
}

bool fake_clean(void)
{
	FAKE_LOCKED;
	const struct fake_counts *c = &fake_counts;

	if (c->devs || c->ios || c->controls || c->pending || unanswered)
		fprintf(stderr,
			"left: %u devices, %u rings, %u controls, %u commands, %u requests\n",
			c->devs, c->ios, c->controls, c->pending, unanswered);
	return !(c->devs || c->ios || c->controls || c->pending ||
		 unanswered);
}
