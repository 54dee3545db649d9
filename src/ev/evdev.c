/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "backend/guard.h"
#include "ev/engine.h"
#include "ev/evloop.h"
#include "ev/evpump.h"
#include "util/check.h"

void ublkev_conf_init(struct ublkev_conf *conf, size_t size)
{
	struct ublkev_conf defaults = {
		.size = size,
		.id = -1,
		.queues = 1,
		.depth = 128,
		.max_io_bytes = 512 << 10,
		.cmd_timeout_ms = 10000,
		.start_timeout_ms = 30000,
		.stop_timeout_ms = 30000,
		.grace_ms = 2000,
		.budget_us = 500,
		.budget_reqs = 1024,
		.wait_us = 50,
	};

	memset(conf, 0, size);
	memcpy(conf, &defaults,
	       size < sizeof(defaults) ? size : sizeof(defaults));
}

int ublkev_dev_init(struct ublkev_dev *dev, ublkev_dev_cb *cb,
		    const struct ublkev_conf *conf,
		    struct ublkev_backend *backend)
{
	struct ublkev_conf full;
	struct ublkev__engine *e;
	struct ublkev__mem mem;
	int err;

	/* a caller's conf may be shorter, from an older header, or longer */
	ublkev_conf_init(&full, sizeof(full));
	if (conf && conf->size)
		memcpy(&full, conf, conf->size < sizeof(full) ? conf->size
							      : sizeof(full));
	else if (conf)
		return -EINVAL;
	err = ublkev__conf_check(&full);
	if (err)
		return err;
	ublkev__mem_init(&mem, full.alloc, full.alloc_data);
	e = ublkev__mem_zalloc(&mem, 1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->dev = dev;
	e->backend = backend;
	e->conf = full;
	e->mem = mem;
	e->log.fn = full.log;
	e->log.data = full.log_data;
	e->log.id = full.id;
	ublkev__evloop_init(e);
	dev->cb = cb;
	dev->active = 0;
	dev->id = full.id;
	dev->err = 0;
	dev->step = UBLKEV_STEP_IDLE;
	dev->priv = e;
	return 0;
}

static unsigned int traits_of(const struct ublkev_backend *b)
{
	unsigned int traits = 0;

	if (b->ops.map)
		traits |= UBLKEV__CAN_MAP;
	if (b->limits.flags & UBLKEV_LIMIT_NO_DATA)
		traits |= UBLKEV__NO_DATA;
	if (b->limits.flags & UBLKEV_LIMIT_READ_ONLY)
		traits |= UBLKEV__READ_ONLY;
	return traits;
}

static int start(struct ev_loop *loop, struct ublkev_dev *dev, bool remove)
{
	struct ublkev__engine *e = dev->priv;
	int err;

	if (dev->active)
		return 0;
	e->loop = loop;
	e->remove = remove;
	e->log.id = e->conf.id;
	dev->id = e->conf.id;
	dev->err = 0;
	err = ublkev__engine_up(e, &dev->step);
	if (err) {
		dev->err = err;
		return err;
	}
	ublkev__ctl_init(&e->ctl, &e->conf);
	if (!remove)
		e->ctl.traits = traits_of(e->backend);
	if (remove)
		ublkev__ctl_remove(&e->ctl, ublkev__clock_ms());
	else
		ublkev__ctl_start(&e->ctl, ublkev__clock_ms());
	dev->step = e->ctl.step;
	dev->active = 1;
	ublkev__evloop_start(e);
	return 0;
}

int ublkev_dev_start(struct ev_loop *loop, struct ublkev_dev *dev)
{
	ublkev__check(dev->priv->backend, "a device to start has a backend");
	return start(loop, dev, false);
}

int ublkev_dev_remove(struct ev_loop *loop, struct ublkev_dev *dev)
{
	if (dev->priv->conf.id < 0)
		return -EINVAL;
	return start(loop, dev, true);
}

static struct ublkev__engine *active(struct ev_loop *loop,
				     struct ublkev_dev *dev)
{
	if (!dev->active)
		return NULL;
	ublkev__check(dev->priv->loop == loop, "the loop is that of the start");
	return dev->priv;
}

void ublkev_dev_stop(struct ev_loop *loop, struct ublkev_dev *dev)
{
	struct ublkev__engine *e = active(loop, dev);

	if (!e)
		return;
	ublkev__ctl_stop(&e->ctl, ublkev__clock_ms());
	ublkev__evloop_kick(e);
}

void ublkev_dev_abort(struct ev_loop *loop, struct ublkev_dev *dev)
{
	struct ublkev__engine *e = active(loop, dev);

	if (!e)
		return;
	ublkev__ctl_abort(&e->ctl, ublkev__clock_ms());
	ublkev__evloop_kick(e);
}

void ublkev_dev_fini(struct ublkev_dev *dev)
{
	struct ublkev__engine *e = dev->priv;
	struct ublkev__mem mem;

	ublkev__check(!dev->active, "a device to fini is not active");
	if (!e)
		return;
	mem = e->mem;
	ublkev__mem_free(&mem, e);
	dev->priv = NULL;
}

/* ---- for loops other than libev ----------------------------------------- */

static struct ublkev__engine *by_hand(const struct ublkev_dev *dev)
{
	ublkev__check(dev->active && !dev->priv->loop,
		      "the device is active and driven by hand");
	return dev->priv;
}

int ublkev_dev_fd(const struct ublkev_dev *dev)
{
	return ublkev__io_fd(by_hand(dev)->io);
}

void ublkev_dev_flush(struct ublkev_dev *dev)
{
	ublkev__check(!by_hand(dev)->pumping,
		      "flush is not called from inside a callback");
	ublkev__pump(by_hand(dev));
}

void ublkev_dev_service(struct ublkev_dev *dev)
{
	ublkev__evloop_woken(by_hand(dev));
}

int ublkev_dev_timeout_ms(const struct ublkev_dev *dev)
{
	struct ublkev__engine *e = by_hand(dev);
	uint64_t at_ms = ublkev__ctl_deadline_ms(&e->ctl);
	uint64_t now_ms;

	if (ublkev__pump_has_work(e))
		return 0;
	if (at_ms == UINT64_MAX)
		return -1;
	now_ms = ublkev__clock_ms();
	if (at_ms <= now_ms)
		return 0;
	return at_ms - now_ms < INT_MAX ? (int)(at_ms - now_ms) : INT_MAX;
}
