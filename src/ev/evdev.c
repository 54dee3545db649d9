/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The public calls about a device, all from the application's thread. Most tell
 * the core a wish and have the pump run soon (ublkev__evloop_kick()): nothing
 * is done inside the call but a start's making of the parts and a resize that
 * grows.
 */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "backend/guard.h"
#include "ev/engine.h"
#include "ev/evdev.h"
#include "ev/act.h"
#include "ev/evlook.h"
#include "ev/evloop.h"
#include "ev/evpump.h"
#include "ev/evresize.h"
#include "ev/evshare.h"
#include "ev/evworker.h"
#include "util/check.h"
#include "util/sized.h"
#include "util/thread.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#define PR_GET_IO_FLUSHER 58
#endif

void ublkev_conf_init(struct ublkev_conf *conf, size_t size)
{
	static const struct ublkev_conf defaults = {
		.id = -1,
		.queues = 1,
		.depth = 128,
		.max_io_bytes = 512 << 10,
		.cmd_timeout_ms = 10000,
		.start_timeout_ms = 30000,
		.stop_timeout_ms = 30000,
		.grace_ms = 2000,
		.budget_us = 250,
		.budget_reqs = 1024,
		.recover_timeout_ms = 60000,
		.wait_us = 200,
		.sleep_us = 200,
		.offload_threads = 4,
		.threads_per_queue = 1,
	};

	ublkev__sized_fill(conf, size, &defaults, sizeof(defaults));
}

static void dev_log_fault(const struct ublkev_conf *conf,
			  const struct ublkev__conf_fault *f)
{
	struct ublkev__log log = {
		.fn = conf->log, .data = conf->log_data, .id = -1,
	};

	if (f->text)
		ublkev__log(&log, LOG_ERR, "conf.%s is %#llx: %s", f->member,
			    (unsigned long long)f->value, f->text);
	else
		ublkev__log(&log, LOG_ERR,
			    "conf.%s is %lld: its range is %lld to %lld",
			    f->member, (long long)f->value,
			    (long long)f->least, (long long)f->most);
}

int ublkev__conf_take(struct ublkev_conf *full, const struct ublkev_conf *conf)
{
	struct ublkev__conf_fault fault;
	int err = 0;

	/* a caller's may be shorter, from an older header, or longer */
	ublkev_conf_init(full, sizeof(*full));
	if (!conf)
		return 0;
	err = ublkev__conf_check_size(conf->size, &fault);
	if (!err) {
		memcpy(full, conf, conf->size < sizeof(*full) ?
		       conf->size : sizeof(*full));
		err = ublkev__conf_check(full, &fault);
	}
	/* the log is a member of every version, whatever size says */
	if (err)
		dev_log_fault(conf, &fault);
	else
		full->queues = ublkev__conf_queues(full,
						   ublkev__thread_nr_cpus());
	return err;
}

int ublkev_dev_init(struct ublkev_dev *dev, ublkev_dev_cb *cb,
		    const struct ublkev_conf *conf,
		    struct ublkev_backend *backend)
{
	struct ublkev_conf full;
	struct ublkev__engine *e;
	struct ublkev__alloc mem;
	int err;

	err = ublkev__conf_take(&full, conf);
	if (err)
		return err;
	ublkev__alloc_init(&mem, full.alloc, full.alloc_data);
	e = ublkev__alloc_zalloc(&mem, 1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->dev = dev;
	e->backend = backend;
	e->conf = full;
	e->mem = mem;
	e->log.fn = full.log;
	e->log.data = full.log_data;
	e->log.id = full.id;
	e->lane.e = e;
	if (e->conf.flags & UBLKEV_CONF_QUEUE_THREADS) {
		e->log.fn = ublkev__worker_log;
		e->log.data = e;
	}
	ublkev__evloop_init(&e->lane);
	ublkev__evloop_init_deadline(e);
	dev->cb = cb;
	dev->active = 0;
	dev->id = full.id;
	dev->err = 0;
	dev->res = 0;
	dev->step = UBLKEV_STEP_IDLE;
	dev->priv = e;
	return 0;
}

static void dev_warn_of_kernel(const struct ublkev__engine *e)
{
	const char *fault;
	struct utsname u;

	if (uname(&u))
		return;
	fault = ublkev_kernel_fault(u.release);
	if (fault)
		ublkev__log(&e->log, LOG_WARNING, "Linux %s: %s", u.release,
			    fault);
}

/* A kernel may refuse to set it; an old one takes the call and ignores it. */
static int dev_be_io_flusher(void)
{
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0))
		return errno == EPERM ? -EACCES : -errno;
	return prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0) == 1 ? 0 : -EACCES;
}

static int dev_come_up(struct ublkev__engine *e, enum ublkev_step *step)
{
	int err;

	*step = UBLKEV_STEP_SETUP;
	if (e->conf.flags & UBLKEV_CONF_IO_FLUSHER) {
		err = dev_be_io_flusher();
		if (err)
			return err;
	}
	return ublkev__engine_up(e, step);
}

static unsigned int dev_traits_of(const struct ublkev__engine *e)
{
	const struct ublkev_backend *b = e->backend;
	unsigned int traits = 0;

	if (b->ops.map)
		traits |= UBLKEV__CAN_MAP;
	if (b->ops.place)
		traits |= UBLKEV__CAN_PLACE;
	if (b->limits.flags & UBLKEV_LIMIT_NO_DATA)
		traits |= UBLKEV__NO_DATA;
	if (b->limits.flags & UBLKEV_LIMIT_READ_ONLY)
		traits |= UBLKEV__READ_ONLY;
	if (b->limits.flags & UBLKEV_LIMIT_REQ_OPS)
		traits |= UBLKEV__HAS_OPS;
	if (b->limits.flags & UBLKEV_LIMIT_ZONED)
		traits |= UBLKEV__ZONED;
	if (b->limits.metadata_bytes)
		traits |= UBLKEV__METADATA;
	if (b->ops.close_begin || ublkev__engine_offloads(e))
		traits |= UBLKEV__CLOSES_LATER;
	return traits;
}

static int dev_start(struct ev_loop *loop, struct ublkev_dev *dev,
		     enum ublkev__life_mode mode)
{
	struct ublkev__engine *e = dev->priv;
	int err;

	if (dev->active)
		return 0;
	ublkev__check(dev->cb, "a device to start has a callback");
	e->thread = ublkev__thread_self();
	e->pid = getpid();
	e->lane.loop = loop;
	e->mode = mode;
	e->log.id = e->conf.id;
	dev->id = e->conf.id;
	dev->err = 0;
	err = dev_come_up(e, &dev->step);
	if (err) {
		dev->err = err;
		return err;
	}
	dev_warn_of_kernel(e);
	ublkev__life_init(&e->life, &e->conf);
	e->life.info.signature = UBLKEV__SIGNATURE;
	if (e->conf.flags & UBLKEV_CONF_KEEP_SCHEDULER)
		e->life.info.signature |= UBLKEV__SIGNED_KEEP_SCHEDULER;
	if (mode != UBLKEV__LIFE_REMOVE)
		e->life.traits = dev_traits_of(e);
	ublkev__pace_init(&e->pace, ublkev__clock_ms());
	ublkev__life_start(&e->life, mode, ublkev__engine_now_ms(e));
	dev->step = e->life.step;
	dev->active = 1;
	ublkev__evloop_start(&e->lane);
	return 0;
}

/* what was copied shares with the original what each takes for its own */
static void dev_check_place(const struct ublkev_dev *dev)
{
	ublkev__check(!dev->priv || dev->priv->dev == dev,
		      "a device stays where it was initialised");
}

static void dev_check_init(const struct ublkev_dev *dev)
{
	ublkev__check(dev->priv, "a device to start was initialised");
	dev_check_place(dev);
}

int ublkev_dev_start(struct ev_loop *loop, struct ublkev_dev *dev)
{
	dev_check_init(dev);
	ublkev__check(dev->priv->backend, "a device to start has a backend");
	return dev_start(loop, dev, UBLKEV__LIFE_ADD);
}

int ublkev_dev_recover(struct ev_loop *loop, struct ublkev_dev *dev)
{
	dev_check_init(dev);
	ublkev__check(dev->priv->backend,
		      "a device to recover has a backend");
	if (dev->priv->conf.id < 0)
		return -EINVAL;
	return dev_start(loop, dev, UBLKEV__LIFE_RECOVER);
}

int ublkev_dev_remove(struct ev_loop *loop, struct ublkev_dev *dev)
{
	dev_check_init(dev);
	if (dev->priv->conf.id < 0)
		return -EINVAL;
	return dev_start(loop, dev, UBLKEV__LIFE_REMOVE);
}

static struct ublkev__engine *dev_active(struct ev_loop *loop,
					 struct ublkev_dev *dev)
{
	if (!dev->active)
		return NULL;
	dev_check_place(dev);
	ublkev__check(dev->priv->thread == ublkev__thread_self(),
		      "the thread is that of the start");
	/* a forked child has neither rings nor buffers */
	ublkev__check(dev->priv->pid == getpid(),
		      "the process is that of the start");
	ublkev__check(dev->priv->lane.loop == loop,
		      "the loop is that of the start");
	return dev->priv;
}

void ublkev_dev_stop(struct ev_loop *loop, struct ublkev_dev *dev)
{
	struct ublkev__engine *e = dev_active(loop, dev);

	if (!e)
		return;
	ublkev__life_stop(&e->life, ublkev__engine_now_ms(e));
	ublkev__evloop_kick(&e->lane);
}

int ublkev_dev_release(struct ev_loop *loop, struct ublkev_dev *dev)
{
	struct ublkev__engine *e = dev_active(loop, dev);
	int err = -EINVAL;

	if (e && e->resize == UBLKEV__RESIZE_NONE)
		err = ublkev__life_release(&e->life, ublkev__engine_now_ms(e));
	if (e && !err)
		ublkev__evloop_kick(&e->lane);
	return err;
}

int ublkev_dev_try_stop(struct ev_loop *loop, struct ublkev_dev *dev)
{
	struct ublkev__engine *e = dev_active(loop, dev);
	int err = -EINVAL;

	if (e && e->resize == UBLKEV__RESIZE_NONE)
		err = ublkev__life_try_stop(&e->life, ublkev__engine_now_ms(e));
	if (e && !err)
		ublkev__evloop_kick(&e->lane);
	return err;
}

int ublkev_dev_resize(struct ev_loop *loop, struct ublkev_dev *dev,
		      uint64_t dev_bytes, unsigned int flags)
{
	struct ublkev__engine *e = dev_active(loop, dev);
	uint64_t now_bytes;
	int err;

	if (!e || e->mode == UBLKEV__LIFE_REMOVE)
		return -EINVAL;
	now_bytes = e->backend->limits.dev_bytes;
	if (dev_bytes < now_bytes && !(flags & UBLKEV_RESIZE_SHRINK))
		return -EINVAL;
	err = ublkev__guard_can_resize(e->backend, dev_bytes);
	if (!err)
		err = ublkev__life_can_resize(&e->life);
	if (!err && e->resize != UBLKEV__RESIZE_NONE)
		err = -EINVAL;
	if (!err)
		err = ublkev__resize_begin(e, dev_bytes);
	return err;
}

int ublkev_dev_share(struct ev_loop *loop, struct ublkev_dev *dev, int fd,
		     uint64_t offset_bytes, uint64_t bytes, unsigned int flags)
{
	struct ublkev__engine *e = dev_active(loop, dev);

	if (!e)
		return -EINVAL;
	return ublkev__share_begin(e, fd, offset_bytes, bytes, flags);
}

int ublkev_dev_unshare(struct ev_loop *loop, struct ublkev_dev *dev,
		       unsigned int number)
{
	struct ublkev__engine *e = dev_active(loop, dev);

	return e ? ublkev__share_end(e, number) : -EINVAL;
}

void ublkev_dev_abort(struct ev_loop *loop, struct ublkev_dev *dev)
{
	struct ublkev__engine *e = dev_active(loop, dev);

	if (!e)
		return;
	ublkev__life_abort(&e->life, ublkev__engine_now_ms(e));
	ublkev__evloop_kick(&e->lane);
}

void ublkev_dev_fini(struct ublkev_dev *dev)
{
	struct ublkev__engine *e = dev->priv;
	struct ublkev__alloc mem;

	ublkev__check(!dev->active, "a device to fini is not active");
	dev_check_place(dev);
	if (!e)
		return;
	mem = e->mem;
	ublkev__alloc_free(&mem, e);
	dev->priv = NULL;
}

/* ---- for loops other than libev ----------------------------------------- */

static struct ublkev__engine *dev_by_hand(const struct ublkev_dev *dev)
{
	ublkev__check(dev->active && !dev->priv->lane.loop,
		      "the device is active and driven by hand");
	dev_check_place(dev);
	ublkev__check(dev->priv->thread == ublkev__thread_self(),
		      "the thread is that of the start");
	return dev->priv;
}

int ublkev_dev_fd(const struct ublkev_dev *dev)
{
	return ublkev__io_fd(dev_by_hand(dev)->lane.io);
}

void ublkev_dev_flush(struct ublkev_dev *dev)
{
	ublkev__check(!dev_by_hand(dev)->lane.pumping,
		      "flush is not called from inside a callback");
	ublkev__pump(&dev_by_hand(dev)->lane);
}

void ublkev_dev_service(struct ublkev_dev *dev)
{
	ublkev__evloop_woken(&dev_by_hand(dev)->lane);
}

int ublkev_dev_timeout_ms(const struct ublkev_dev *dev)
{
	struct ublkev__engine *e = dev_by_hand(dev);
	uint64_t ms;

	if (ublkev__pump_has_work(&e->lane))
		return 0;
	(void)ublkev__engine_now_ms(e);
	ms = ublkev__pace_sleep(&e->pace, ublkev__look_deadline_ms(e));
	return ms == UINT64_MAX ? -1 : (int)ms;
}
