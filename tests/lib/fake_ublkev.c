/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A libublkev without a driver, for the daemon: devices come up, hold one
 * request and go as the environment says.
 *
 * FAKE_ERR=errno	ADD_DEV, or the recovery, fails
 * FAKE_NEVER=1		LIVE never comes
 * FAKE_SLOW=file		LIVE comes when the file is there
 * FAKE_STUCK=1		a stop ends only by an abort
 * FAKE_REFUSE=errno	a release or a resize is refused
 * FAKE_PROBE=errno	GET_DEV_INFO fails
 * FAKE_OLD=1		a kernel without QUIESCE_DEV and UPDATE_SIZE
 * FAKE_RELEASE=text	uname(2)'s release of the kernel
 * FAKE_LOST=n		the disk has lost writes, as of the n-th look at that
 * FAKE_CONF=1		a line of log says what the device was told
 */
#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <syslog.h>
#include <unistd.h>

#include <ublkev.h>

#include "backend/fileopen.h"

struct ublkev__engine {
	struct ublkev_dev *dev;
	struct ublkev_conf conf;
	ev_timer timer;
	int event;
	int recovering;
	int releasing;
	uint64_t new_bytes;
};

struct ublkev_backend {
	int fd;
	uint64_t dev_bytes, offset_bytes;
	bool is_file;
	enum ublkev_file_was file_was;
	bool lost_writes;
	int looks;			/* at that */
	atomic_int grown;		/* GROWS, GROWN, an error */
};

enum { GROWS = 1, GROWN };

static struct ublkev_backend the_backend;

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct ublkev__engine *e = w->data;
	struct ublkev_dev *dev = e->dev;
	const char *slow = getenv("FAKE_SLOW");
	int event = e->event;

	(void)revents;
	if (event == UBLKEV_LIVE && slow && access(slow, F_OK)) {
		ev_timer_set(w, .01, 0.);
		ev_timer_start(loop, w);
		return;
	}
	if (event == UBLKEV_RESIZED) {
		int grown = atomic_load(&the_backend.grown);

		if (grown == GROWS) {
			ev_timer_set(w, .01, 0.);
			ev_timer_start(loop, w);
			return;
		}
		if (grown < 0)
			dev->res = grown;
		atomic_store(&the_backend.grown, 0);
	}
	if (event == UBLKEV_RESIZED || event == UBLKEV_REFUSED) {
		if (event == UBLKEV_RESIZED && !dev->res)
			the_backend.dev_bytes = e->new_bytes;
		e->releasing = 0;
		dev->step = UBLKEV_STEP_LIVE;
	} else if (event == UBLKEV_LIVE) {
		dev->id = e->conf.id < 0 ? 7 : e->conf.id;
		dev->step = UBLKEV_STEP_LIVE;
	} else if (event == UBLKEV_ERROR) {
		dev->step = e->recovering ? UBLKEV_STEP_RECOVER :
			    UBLKEV_STEP_ADD;
		dev->err = -atoi(getenv("FAKE_ERR"));
		e->event = UBLKEV_STOPPED;
		ev_timer_set(w, .01, 0.);
		ev_timer_start(loop, w);
	} else {
		dev->step = e->releasing ? UBLKEV_STEP_RELEASED :
			    UBLKEV_STEP_GONE;
		dev->active = 0;
	}
	dev->cb(loop, dev, event);
}

static void later(struct ev_loop *loop, struct ublkev_dev *dev, int event)
{
	struct ublkev__engine *e = dev->priv;

	ev_timer_stop(loop, &e->timer);
	e->event = event;
	ev_timer_set(&e->timer, .01, 0.);
	ev_timer_start(loop, &e->timer);
}

void ublkev_conf_init(struct ublkev_conf *conf, size_t size)
{
	memset(conf, 0, size);
	conf->size = size;
}

int uname(struct utsname *u)
{
	const char *release = getenv("FAKE_RELEASE");

	memset(u, 0, sizeof(*u));
	snprintf(u->release, sizeof(u->release), "%s",
		 release ? release : "6.12.1");
	return 0;
}

static void log_conf(const struct ublkev_conf *conf)
{
	char line[128];

	snprintf(line, sizeof(line), "conf: flags %#x wait_us %u "
		 "stop_limit_ms %u", conf->flags, conf->wait_us,
		 conf->stop_limit_ms);
	conf->log(conf->log_data, LOG_NOTICE, line);
}

int ublkev_dev_init(struct ublkev_dev *dev, ublkev_dev_cb *cb,
		    const struct ublkev_conf *conf,
		    struct ublkev_backend *backend)
{
	struct ublkev__engine *e = calloc(1, sizeof(*e));

	(void)backend;
	if (!e)
		return -ENOMEM;
	if (getenv("FAKE_CONF"))
		log_conf(conf);
	e->dev = dev;
	e->conf = *conf;
	ev_timer_init(&e->timer, on_timer, 0., 0.);
	e->timer.data = e;
	dev->cb = cb;
	dev->priv = e;
	dev->active = 0;
	dev->id = conf->id;
	dev->err = 0;
	dev->step = UBLKEV_STEP_IDLE;
	return 0;
}

int ublkev_dev_start(struct ev_loop *loop, struct ublkev_dev *dev)
{
	dev->active = 1;
	dev->step = UBLKEV_STEP_ADD;
	if (!getenv("FAKE_NEVER"))
		later(loop, dev, getenv("FAKE_ERR") ? UBLKEV_ERROR :
		      UBLKEV_LIVE);
	return 0;
}

int ublkev_dev_recover(struct ev_loop *loop, struct ublkev_dev *dev)
{
	if (dev->priv->conf.id < 0)
		return -EINVAL;
	dev->priv->recovering = 1;
	dev->step = UBLKEV_STEP_RECOVER;
	return ublkev_dev_start(loop, dev);
}

struct ublkev__cmdrun {
	struct ublkev_cmd *shell;
	ev_timer timer;
};

static void on_cmd_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct ublkev__cmdrun *c = w->data;
	const char *err = getenv("FAKE_PROBE");
	struct ublkev_cmd_answer a = { .op = UBLKEV_CMD_GET_DEV_INFO };

	(void)revents;
	a.res = err ? -atoi(err) : 0;
	c->shell->active = 0;
	c->shell->cb(loop, c->shell, &a);
}

int ublkev_cmd_init(struct ublkev_cmd *cmd, ublkev_cmd_cb *cb,
		    const struct ublkev_conf *conf)
{
	struct ublkev__cmdrun *c = calloc(1, sizeof(*c));

	(void)conf;
	if (!c)
		return -ENOMEM;
	c->shell = cmd;
	ev_timer_init(&c->timer, on_cmd_timer, .01, 0.);
	c->timer.data = c;
	cmd->cb = cb;
	cmd->active = 0;
	cmd->priv = c;
	return 0;
}

int ublkev_cmd_submit(struct ev_loop *loop, struct ublkev_cmd *cmd,
		      enum ublkev_cmd_op op, int id, uint64_t arg)
{
	if (op != UBLKEV_CMD_GET_DEV_INFO || id != 7 || arg)
		return -EINVAL;
	cmd->active = 1;
	ev_timer_start(loop, &cmd->priv->timer);
	return 0;
}

void ublkev_cmd_fini(struct ublkev_cmd *cmd)
{
	free(cmd->priv);
	cmd->priv = NULL;
}

const char *ublkev_cmd_name(unsigned int cmd)
{
	return cmd == UBLKEV_CMD_GET_DEV_INFO ? "GET_DEV_INFO" : "?";
}

/* 0: none */
static int refusal(void)
{
	const char *err = getenv("FAKE_REFUSE");

	return err ? -atoi(err) : 0;
}

int ublkev_dev_release(struct ev_loop *loop, struct ublkev_dev *dev)
{
	if (dev->step != UBLKEV_STEP_LIVE)
		return -EINVAL;
	if (!dev->priv->recovering &&
	    dev->priv->conf.recovery == UBLKEV_RECOVERY_NONE)
		return -EOPNOTSUPP;
	dev->step = UBLKEV_STEP_QUIESCE;
	dev->priv->releasing = 1;
	dev->res = refusal();
	later(loop, dev, dev->res ? UBLKEV_REFUSED : UBLKEV_STOPPED);
	return 0;
}

/* as the library: a thread makes a file longer, and the loop goes on */
static void *grow(void *dev_bytes)
{
	const struct ublkev__fileopen f = {
		.fd = the_backend.fd,
		.offset_bytes = the_backend.offset_bytes,
	};
	int err = ublkev__fileopen_lengthen(&f, *(uint64_t *)dev_bytes);

	atomic_store(&the_backend.grown, err ? err : GROWN);
	return NULL;
}

static int start_growth(struct ublkev__engine *e)
{
	pthread_t thread;
	int err;

	atomic_store(&the_backend.grown, GROWS);
	err = pthread_create(&thread, NULL, grow, &e->new_bytes);
	if (!err)
		pthread_detach(thread);
	return -err;
}

int ublkev_dev_resize(struct ev_loop *loop, struct ublkev_dev *dev,
		      uint64_t dev_bytes, unsigned int flags)
{
	if (dev->step != UBLKEV_STEP_LIVE || dev_bytes % 512 ||
	    (dev_bytes < the_backend.dev_bytes &&
	     !(flags & UBLKEV_RESIZE_SHRINK)))
		return -EINVAL;
	dev->priv->new_bytes = dev_bytes;
	dev->res = getenv("FAKE_OLD") ? -EOPNOTSUPP : refusal();
	if (dev->res)
		return dev->res;
	if (the_backend.is_file && dev_bytes > the_backend.dev_bytes)
		dev->res = start_growth(dev->priv);
	else if (the_backend.fd >= 0 && !the_backend.is_file &&
		 ftruncate(the_backend.fd, (off_t)dev_bytes))
		dev->res = -errno;
	later(loop, dev, UBLKEV_RESIZED);
	return 0;
}

int ublkev_dev_remove(struct ev_loop *loop, struct ublkev_dev *dev)
{
	dev->active = 1;
	dev->step = UBLKEV_STEP_DEL;
	later(loop, dev, getenv("FAKE_ERR") ? UBLKEV_ERROR : UBLKEV_STOPPED);
	return 0;
}

void ublkev_dev_stop(struct ev_loop *loop, struct ublkev_dev *dev)
{
	dev->step = UBLKEV_STEP_STOP;
	if (!getenv("FAKE_STUCK"))
		later(loop, dev, UBLKEV_STOPPED);
}

void ublkev_dev_abort(struct ev_loop *loop, struct ublkev_dev *dev)
{
	later(loop, dev, UBLKEV_STOPPED);
}

void ublkev_dev_fini(struct ublkev_dev *dev)
{
	free(dev->priv);
	dev->priv = NULL;
}

int ublkev_dev_info(const struct ublkev_dev *dev, struct ublkev_info *info,
		    size_t size)
{
	memset(info, 0, size);
	info->dev_bytes = the_backend.dev_bytes;
	info->logical_block_bytes = 512;
	/* UBLK_F_UPDATE_SIZE, UBLK_F_QUIESCE */
	info->kernel_features = getenv("FAKE_OLD") ? 0 : 1 << 10 | 1 << 12;
	/* UBLK_F_USER_RECOVERY and _REISSUE */
	if (dev->priv->recovering ||
	    dev->priv->conf.recovery == UBLKEV_RECOVERY_REISSUE)
		info->features = 3 << 3;
	info->queues = dev->priv->conf.queues;
	return 0;
}

int ublkev_dev_stats(const struct ublkev_dev *dev, struct ublkev_stats *stats,
		     size_t size)
{
	memset(stats, 0, size);
	stats->op[UBLKEV_OP_READ].reqs = 5;
	stats->inflight = 1;
	if (dev->priv->conf.flags & UBLKEV_CONF_LATENCY)
		stats->read_latency[9] = 5;
	return 0;
}

unsigned int ublkev_dev_inflight(const struct ublkev_dev *dev,
				 struct ublkev_inflight *v, unsigned int max)
{
	(void)dev;
	if (max)
		v[0] = (struct ublkev_inflight){ .offset_bytes = 4096,
			.len_bytes = 512, .tag = 3 };
	return 1;
}

static int new_backend(struct ublkev_backend **backendp,
		       const struct ublkev_disk_conf *conf)
{
	the_backend.dev_bytes = conf->dev_bytes;
	if (the_backend.fd >= 0 &&
	    ftruncate(the_backend.fd, (off_t)conf->dev_bytes))
		return -errno;
	if (!conf->dev_bytes)
		return -EINVAL;
	/* as the library: after an error there is no backend */
	*backendp = &the_backend;
	return 0;
}

int ublkev_mem_new(struct ublkev_backend **backendp,
		   const struct ublkev_disk_conf *conf)
{
	the_backend.fd = conf->fd >= 0 ? dup(conf->fd) :
			 conf->flags & UBLKEV_DISK_SHARED ?
			 memfd_create("fake", MFD_CLOEXEC) : -1;
	return new_backend(backendp, conf);
}

int ublkev_mem_fd(const struct ublkev_backend *backend)
{
	return backend->fd;
}

/* the real files, with the real complaints */
int ublkev_file_new(struct ublkev_backend **backendp, const char *path,
		    const struct ublkev_file_conf *conf)
{
	struct ublkev__fileopen f;
	int err = ublkev__fileopen(&f, path, conf);

	if (err)
		return err;
	the_backend.fd = f.fd;
	the_backend.dev_bytes = f.dev_bytes;
	the_backend.offset_bytes = f.offset_bytes;
	the_backend.is_file = true;
	if (f.filled)
		the_backend.file_was = f.made ? UBLKEV_FILE_WAS_MISSING :
						UBLKEV_FILE_WAS_EMPTY;
	*backendp = &the_backend;
	return 0;
}

/* a line is "file:PATH", of 1 MiB that it may be made with, or "mem" */
int ublkev_disk_new(struct ublkev_backend **backendp, const char *spec,
		    const struct ublkev_disk_type *own,
		    struct ublkev_disk_error *why)
{
	struct ublkev_disk_conf mem = { .dev_bytes = 1 << 20, .fd = -1 };
	struct ublkev_file_conf conf;

	(void)own;
	if (!strcmp(spec, "mem"))
		return ublkev_mem_new(backendp, &mem);
	if (strncmp(spec, "file:", 5)) {
		why->at = strcspn(spec, ":");
		strcpy(why->text, "there is no such disk: give another");
		return -EINVAL;
	}
	ublkev_file_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = 1 << 20;
	conf.flags = UBLKEV_FILE_CREATE;
	return ublkev_file_new(backendp, spec + 5, &conf);
}

struct ublkev_backend *ublkev_disk_find(struct ublkev_backend *top,
					const char *name, unsigned int nth)
{
	return top->is_file && !strcmp(name, "file") && !nth ? top : NULL;
}

void ublkev_disk_discard(struct ublkev_backend *top)
{
	if (top && top->file_was == UBLKEV_FILE_WAS_EMPTY)
		(void)!ftruncate(top->fd, 0);
	ublkev_backend_free(top);
}

int ublkev_file_fd(const struct ublkev_backend *backend)
{
	return backend->is_file ? backend->fd : -1;
}

enum ublkev_file_was ublkev_file_was(const struct ublkev_backend *backend)
{
	return backend->file_was;
}

int ublkev_file_lost_writes(const struct ublkev_backend *backend)
{
	const char *lost = getenv("FAKE_LOST");

	return backend->lost_writes ||
	       (lost && ++the_backend.looks >= atoi(lost));
}

void ublkev_file_set_lost_writes(struct ublkev_backend *backend)
{
	backend->lost_writes = true;
}

void ublkev_file_conf_init(struct ublkev_file_conf *conf, size_t size)
{
	memset(conf, 0, size);
	conf->fd = -1;
}

int ublkev_null_new(struct ublkev_backend **backendp,
		    const struct ublkev_disk_conf *conf)
{
	the_backend.fd = -1;
	return new_backend(backendp, conf);
}

void ublkev_disk_conf_init(struct ublkev_disk_conf *conf, size_t size)
{
	memset(conf, 0, size);
	conf->fd = -1;
}

void ublkev_backend_free(struct ublkev_backend *backend)
{
	(void)backend;
}

const char *ublkev_backend_name(const struct ublkev_backend *backend)
{
	return backend->is_file ? "file" : backend->fd < 0 ? "null" : "mem";
}

const char *ublkev_step_name(unsigned int step)
{
	return step == UBLKEV_STEP_ADD ? "ADD_DEV" :
	       step == UBLKEV_STEP_RECOVER ? "RECOVER" :
	       step == UBLKEV_STEP_LIVE ? "LIVE" : "OTHER";
}

const char *ublkev_feature_name(unsigned int bit)
{
	(void)bit;
	return NULL;
}

const char *ublkev_explain(enum ublkev_step step, int err)
{
	return step == UBLKEV_STEP_ADD && err == -EEXIST ? "it is taken" :
	       NULL;
}
