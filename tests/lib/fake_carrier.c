/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fake driver's control commands: which are done at once, which wait for
 * something, and the carrier through which the library sends them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_priv.h"

#define LENT_BYTES 152		/* the largest payload of a command */

struct ublkev__carrier {
	const struct ublkev__alloc *mem;
	void *lent;
	int evfd;
	bool opened;
	bool cut;		/* whoever had it is dead */
	struct fake_cmd *pending;
	bool answered;
	struct ublkev__carrier_done done;
};

/* what was lent to commands whose control was closed before they ended */
struct leak {
	struct leak *next;
	struct ublkev__alloc mem;
	void *lent;
};

#define CONTROLS 128

static struct ublkev__carrier *controls[CONTROLS];
static struct fake_cmd *cmds;
static struct leak *leaks;

/* ---- commands that are done with at once -------------------------------- */

static int set_params(struct fake_dev *d, const struct ublkev__params *p)
{
	if (d->disk != DISK_NONE)
		return -EACCES;
	if (p->logical_bs_shift < 9 || p->logical_bs_shift > 12 ||
	    p->physical_bs_shift < p->logical_bs_shift ||
	    p->max_sectors < 8 || p->max_sectors > d->info.max_io_bytes >> 9)
		return -EINVAL;
	if (p->max_discard_sectors && !p->discard_granularity)
		return -EINVAL;
	d->params = *p;
	d->has_params = true;
	return 0;
}

/* ---- commands that wait ------------------------------------------------- */

static void scanned(void *arg, int res)
{
	struct fake_dev *d = arg;

	(void)res;
	d->scan--;
}

static void written_back(void *arg, int res)
{
	struct fake_dev *d = arg;

	(void)res;
	d->writeback--;
}

static int start_dev(struct fake_dev *d, struct fake_cmd *c)
{
	unsigned int i;

	if (c->phase == 0) {
		if (!d->has_params)
			return -EINVAL;
		if (c->cancelled)
			return -EINTR;
		if (d->deleted)
			return -ENODEV;
		if (!fake__all_armed(d))
			return FAKE_WAITS;
		if (d->disk != DISK_NONE)
			return -EEXIST;
		d->disk = DISK_SCAN;
		d->scan = d->no_scan ? 0 : fake.scan_reads;
		for (i = 0; i < d->scan; i++)
			fake__own(d, FAKE_READ, scanned);
		c->phase = 1;
	}
	if (d->scan)
		return FAKE_WAITS;
	if (d->disk == DISK_SCAN)
		d->disk = d->io ? DISK_LIVE : DISK_DEAD;
	return 0;
}

/* STOP_DEV, and the first part of DEL_DEV */
static int stop_part(struct fake_dev *d, struct fake_cmd *c)
{
	unsigned int i;

	if (d->disk == DISK_SCAN)
		return FAKE_WAITS;
	/* nobody would answer them */
	if (d->disk == DISK_QUIESCED || d->disk == DISK_FAIL_IO) {
		fake__fail_waiting(d);
		d->disk = DISK_DEAD;
	}
	if (d->disk == DISK_LIVE && c->phase == 0) {
		d->disk = DISK_STOPPING;
		if (d->quiescing)
			fake__fail_waiting(d);
		/* of a device that can be recovered the cache is lost */
		if (!(d->info.features & UBLKEV__F(USER_RECOVERY)))
			d->writeback = fake.writeback;
		for (i = 0; i < d->writeback; i++)
			fake__own(d, FAKE_WRITE, written_back);
	}
	c->phase = 1;
	if (d->disk == DISK_STOPPING) {
		if (d->inflight)
			return FAKE_WAITS;
		d->disk = DISK_DEAD;
	}
	d->was_stopped = true;
	fake__abort_armed(d);
	return 0;
}

static int del_dev(struct fake_dev *d, struct fake_cmd *c)
{
	int res;

	if (c->phase < 2) {
		res = stop_part(d, c);
		if (res)
			return res;
		c->phase = 2;
		c->generation = d->generation;
		d->deleted = true;
		fake__maybe_free(d);
		if (c->cmd == UBLKEV__CTRL_DEL_DEV_ASYNC)
			return 0;
	}
	if (!d->used || d->generation != c->generation)
		return 0;
	return c->cancelled ? -EINTR : FAKE_WAITS;
}

static int run_on(struct fake_dev *d, struct fake_cmd *c)
{
	int res;

	switch (c->cmd) {
	case UBLKEV__CTRL_SET_PARAMS:
		return set_params(d, &c->params);
	case UBLKEV__CTRL_START_DEV:
		return start_dev(d, c);
	case UBLKEV__CTRL_STOP_DEV:
		return stop_part(d, c);
	case UBLKEV__CTRL_TRY_STOP_DEV:
		res = c->phase ? 0 : fake__try_stop(d);
		return res ? res : stop_part(d, c);
	case UBLKEV__CTRL_START_USER_RECOVERY:
		return fake__start_recovery(d);
	case UBLKEV__CTRL_END_USER_RECOVERY:
		return fake__end_recovery(d, c);
	case UBLKEV__CTRL_QUIESCE_DEV:
		return fake__quiesce(d, c);
	case UBLKEV__CTRL_UPDATE_SIZE:
		return fake__update_size(d, c);
	case UBLKEV__CTRL_REG_BUF:
		return fake__reg_buf(d, c);
	case UBLKEV__CTRL_UNREG_BUF:
		return fake__unreg_buf(d, c);
	case UBLKEV__CTRL_DEL_DEV:
	case UBLKEV__CTRL_DEL_DEV_ASYNC:
		return del_dev(d, c);
	default:
		return d->deleted ? -ENODEV : fake__look(d, c);
	}
}

static int run(struct fake_cmd *c)
{
	struct fake_dev *d;

	if (c->delay)
		return FAKE_WAITS;
	if (c->hangs)
		return c->cancelled && !c->hard ? -EINTR : FAKE_WAITS;
	if (c->fail)
		return c->fail;
	if (c->cmd == UBLKEV__CTRL_GET_FEATURES) {
		c->features = fake.features;
		return 0;
	}
	if (c->cmd == UBLKEV__CTRL_ADD_DEV)
		return fake__add(&c->info);
	d = fake__dev(c->info.id);
	if (d)
		return run_on(d, c);
	/* the id became free while it was waited for */
	return c->phase == 2 ? 0 : -ENODEV;
}

/* ---- their answers ------------------------------------------------------ */

static void finish(struct fake_cmd *c, int res)
{
	struct ublkev__carrier *carrier = c->carrier;
	uint64_t one = 1;

	fake_counts.pending--;
	if (!carrier)
		return;
	memset(&carrier->done, 0, sizeof(carrier->done));
	carrier->done.cmd = c->cmd;
	carrier->done.answer.res = res;
	carrier->done.answer.features = c->features;
	if (!res) {
		carrier->done.answer.info = c->info;
		carrier->done.params = c->params;
		carrier->done.cpus = c->cpus;
	}
	carrier->pending = NULL;
	carrier->answered = true;
	fake_counts.signals++;
	if (write(carrier->evfd, &one, sizeof(one)) != sizeof(one))
		abort();
}

static bool step(void)
{
	struct fake_cmd **cp, *c;
	int res;

	for (cp = &cmds; *cp; cp = &(*cp)->next) {
		c = *cp;
		res = run(c);
		if (res == FAKE_WAITS)
			continue;
		/* others may have been added behind by now, none removed */
		for (cp = &cmds; *cp != c;)
			cp = &(*cp)->next;
		*cp = c->next;
		finish(c, res);
		free(c);
		return true;
	}
	return false;
}

void fake__progress(void)
{
	static bool busy;

	if (busy)
		return;
	busy = true;
	while (step())
		;
	busy = false;
}

void fake_tick(void)
{
	FAKE_LOCKED;
	struct fake_cmd *c;

	for (c = cmds; c; c = c->next)
		if (c->delay)
			c->delay--;
	fake__progress();
}

void fake_release(void)
{
	FAKE_LOCKED;
	struct fake_cmd *c;

	for (c = cmds; c; c = c->next)
		c->hangs = false;
	fake__progress();
}

/* ---- asking ------------------------------------------------------------- */

static struct fake_cmd *ask(struct ublkev__carrier *carrier,
			    const struct ublkev__carrier_req *req)
{
	struct fake_cmd **end, *c = calloc(1, sizeof(*c));

	c->carrier = carrier;
	c->cmd = req->cmd;
	c->info = req->info;
	c->params = req->params;
	c->data = req->data;
	c->memory = req->memory;
	if (c->cmd == UBLKEV__CTRL_START_DEV ||
	    c->cmd == UBLKEV__CTRL_END_USER_RECOVERY)
		c->data = (uint64_t)getpid();
	for (end = &cmds; *end;)
		end = &(*end)->next;
	*end = c;
	fake_counts.pending++;
	return c;
}

static void plan(struct fake_cmd *c)
{
	int err = 0;

	c->delay = fake.delay;
	fake__rule(FAKE_CMD, c->cmd, &c->fail);
	c->hard = fake__rule(FAKE_HANG_HARD, c->cmd, &err);
	c->hangs = fake__rule(FAKE_HANG, c->cmd, &err) || c->hard;
	if (fake__rule(FAKE_HANG_TICKS, c->cmd, &err))
		c->delay += (unsigned int)err;
}

void fake_outside(enum ublkev__ctrl_cmd cmd, int id)
{
	FAKE_LOCKED;
	const struct ublkev__carrier_req req = { .cmd = cmd, .info.id = id };

	ask(NULL, &req);
	fake__progress();
}

/* ---- the seam ----------------------------------------------------------- */

static struct ublkev__carrier **slot_of(const struct ublkev__carrier *carrier)
{
	unsigned int i;

	for (i = 0; i < CONTROLS; i++)
		if (controls[i] == carrier)
			return &controls[i];
	abort();
}

void fake__cut_control(int evfd)
{
	struct ublkev__carrier *carrier;
	unsigned int i;

	for (i = 0; i < CONTROLS; i++) {
		carrier = controls[i];
		if (!carrier || carrier->evfd != evfd)
			continue;
		if (carrier->pending)
			carrier->pending->carrier = NULL;
		carrier->pending = NULL;
		carrier->cut = true;
	}
}

int ublkev__carrier_new(struct ublkev__carrier **carrierp,
			const struct ublkev__alloc *mem, int evfd,
			struct ublkev_broker *broker)
{
	FAKE_LOCKED;
	struct ublkev__carrier *carrier;
	int err;

	(void)broker;
	if (fake__rule(FAKE_CONTROL_NEW, 0, &err))
		return err;
	carrier = ublkev__alloc_zalloc(mem, 1, sizeof(*carrier));
	if (!carrier)
		return -ENOMEM;
	carrier->mem = mem;
	carrier->evfd = evfd;
	carrier->lent = ublkev__alloc_zalloc(mem, 1, LENT_BYTES);
	if (!carrier->lent) {
		ublkev__alloc_free(mem, carrier);
		return -ENOMEM;
	}
	fake_counts.controls++;
	*slot_of(NULL) = carrier;
	*carrierp = carrier;
	return 0;
}

int ublkev__carrier_open(struct ublkev__carrier *carrier)
{
	FAKE_LOCKED;
	int err;

	if (fake__rule(FAKE_CONTROL_OPEN, 0, &err))
		return err;
	carrier->opened = true;
	return 0;
}

static void leak(struct ublkev__carrier *carrier)
{
	struct leak *l = malloc(sizeof(*l));

	l->next = leaks;
	l->mem = *carrier->mem;
	l->lent = carrier->lent;
	leaks = l;
	fake_counts.leaks++;
}

bool ublkev__carrier_free(struct ublkev__carrier *carrier)
{
	FAKE_LOCKED;
	bool left;

	if (!carrier)
		return false;
	*slot_of(carrier) = NULL;
	left = carrier->pending || carrier->answered;
	if (carrier->pending)
		carrier->pending->carrier = NULL;
	if (left)
		leak(carrier);
	else
		ublkev__alloc_free(carrier->mem, carrier->lent);
	ublkev__alloc_free(carrier->mem, carrier);
	fake_counts.controls--;
	return left;
}

int ublkev__carrier_submit(struct ublkev__carrier *carrier,
			   const struct ublkev__carrier_req *req)
{
	FAKE_LOCKED;
	if (!carrier->opened)
		fake__violates("a command before control was opened");
	if (carrier->pending || carrier->answered)
		return -EBUSY;
	if (carrier->cut)
		return -ENODEV;
	fake_counts.cmds[req->cmd]++;
	fake_counts.no_schedulers += req->no_scheduler;
	carrier->pending = ask(carrier, req);
	plan(carrier->pending);
	fake__progress();
	return 0;
}

void ublkev__carrier_cancel(struct ublkev__carrier *carrier)
{
	FAKE_LOCKED;
	fake_counts.cancels++;
	if (!carrier->pending)
		return;
	carrier->pending->cancelled = true;
	fake__progress();
}

bool ublkev__carrier_has_work(const struct ublkev__carrier *carrier)
{
	FAKE_LOCKED;
	return carrier->answered;
}

bool ublkev__carrier_reap(struct ublkev__carrier *carrier,
			  struct ublkev__carrier_done *done)
{
	FAKE_LOCKED;
	if (!carrier->answered)
		return false;
	carrier->answered = false;
	*done = carrier->done;
	return true;
}

void fake__drop_cmds(void)
{
	struct fake_cmd *c;
	struct leak *l;

	while ((c = cmds)) {
		cmds = c->next;
		free(c);
	}
	while ((l = leaks)) {
		leaks = l->next;
		ublkev__alloc_free(&l->mem, l->lent);
		free(l);
	}
}
