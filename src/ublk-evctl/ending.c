/* SPDX-License-Identifier: BSD-2-Clause */
/* stop, del, quiesce, orphans: commands that end something */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "common/settle.h"
#include "ublk-evctl/ask.h"
#include "ublk-evctl/device.h"
#include "ublk-evctl/held.h"
#include "ublk-evctl/procs.h"
#include "ublk-evctl/show.h"

#define FORCE_REMEDY "end that first, or give --force: they see I/O errors"

/* the kernel's patience with requests under way, when time is not short */
#define QUIESCE_MS 5000

static int ending_device_is_there(struct evctl *t, struct ublkev_cmd_info *info)
{
	struct ask a;

	if (ask_one(t, &a, UBLKEV_CMD_GET_DEV_INFO, t->opts->id, 0))
		return ask_fail(t, &a);
	*info = a.answer.u.info;
	out_set(t, "id", json_integer(t->opts->id));
	return ST_OK;
}

/* 0, -EBUSY (the failure is told), or another negative errno, which is not */
static int ending_try_stop(struct evctl *t, struct ask *a, int id)
{
	const struct timespec pause = { 0, 100 * 1000 * 1000 };
	int err;

	/* udev opens what is new or was just written, for a moment */
	do {
		err = ask_one(t, a, UBLKEV_CMD_TRY_STOP_DEV, id, 0);
		if (err != -EBUSY)
			return err;
		if (held_refuse(t, id, "end that first"))
			return err;
		nanosleep(&pause, NULL);
	} while (evctl_left(t) > 1 && !t->interrupted);
	out_fail(t, ST_BUSY, "somebody has /dev/ublkb%d open, and /proc does "
		 "not show who: look at other containers", id);
	return err;
}

static int ending_stop_safely(struct evctl *t, int id)
{
	struct ask a;
	int err = ending_try_stop(t, &a, id);

	if (err == -EOPNOTSUPP)
		return out_fail(t, ST_ABSENT, "TRY_STOP_DEV is not in this "
				"kernel (Linux 7.0 has it): stop without "
				"--safe looks itself who uses the device");
	if (err == -EBUSY)
		return ST_BUSY;
	return err ? ask_fail(t, &a) : ST_OK;
}

/*
 * Where the driver itself looks for those who have it open it does so, without
 * a moment in between; elsewhere the look that was taken has to do.
 */
static int ending_stop(struct evctl *t, int id)
{
	struct ask a;
	int err = -EOPNOTSUPP;

	if (!t->opts->force)
		err = ending_try_stop(t, &a, id);
	/*
	 * Not known to this driver, which is EINVAL for an ordinary user's
	 * device (ublk_ctrl_uring_cmd_permission()), or there is no disk that
	 * somebody could have open.
	 */
	if (err == -EOPNOTSUPP || err == -EINVAL || err == -ENODEV)
		err = ask_one(t, &a, UBLKEV_CMD_STOP_DEV, id, 0);
	else if (err == -EBUSY)
		return ST_BUSY;
	return err ? ask_fail(t, &a) : ST_OK;
}

/* of a server that has just died the ring may be there still */
static void ending_settle(const struct evctl *t,
			  const struct ublkev_cmd_info *info)
{
	if (!procs_alive(t->opts->root, info->pid))
		settle_wait(t->opts->root, info->id);
}

static int ending_may_end(struct evctl *t, struct ublkev_cmd_info *info)
{
	int status = ending_device_is_there(t, info);

	if (!status && !t->opts->force && !t->opts->safe)
		status = held_refuse(t, t->opts->id, FORCE_REMEDY);
	if (!status)
		ending_settle(t, info);
	return status;
}

int cmd_stop(struct evctl *t)
{
	struct ublkev_cmd_info info;
	int status;

	status = ending_may_end(t, &info);
	if (status)
		return status;
	if (info.state == UBLKEV_STATE_DEAD) {
		out_say(t, "device %d: is stopped\n", t->opts->id);
		return ST_OK;
	}
	status = t->opts->safe ? ending_stop_safely(t, t->opts->id) :
				 ending_stop(t, t->opts->id);
	if (!status)
		out_say(t, "device %d: stopped\n", t->opts->id);
	return status;
}

/* n: who held the device; without its disk, which is gone, none is found */
static int ending_del_failed(struct evctl *t, const struct ask *a,
			     const struct holders *h, int n)
{
	char remedy[96];

	if (a->answer.res != -ETIMEDOUT)
		return ask_fail(t, a);
	snprintf(remedy, sizeof(remedy), "it is stopped, and goes when they "
		 "let go; not waiting is del %d --async", a->id);
	if (n > 0)
		return held_fail(t, ST_TIMEOUT, a->id, h, n, remedy);
	return out_fail(t, ST_TIMEOUT, "device %d: DEL_DEV does not end: its "
			"server has /dev/ublkc%d open still: see info %d",
			a->id, a->id, a->id);
}

/*
 * The number may be another device's by now, as the server of a stopped
 * device deletes it and another gets it; that one lives.
 */
static int ending_del(struct evctl *t, int id, int async,
		      const struct holders *h, int n)
{
	struct ask a;

	ask_one(t, &a, UBLKEV_CMD_GET_DEV_INFO, id, 0);
	if (a.answer.res == -ENODEV)
		return ST_OK;
	if (a.answer.res)
		return ask_fail(t, &a);
	if (a.answer.u.info.state != UBLKEV_STATE_DEAD)
		return ST_OK;
	/* an ordinary user's device knows no DEL_DEV_ASYNC */
	if (a.answer.u.info.features & DEV_F_UNPRIVILEGED)
		async = 0;
	ask_one(t, &a, async ? UBLKEV_CMD_DEL_DEV_ASYNC : UBLKEV_CMD_DEL_DEV,
		id, 0);
	if (a.answer.res && a.answer.res != -ENODEV)
		return ending_del_failed(t, &a, h, n);
	return ST_OK;
}

/* STOP, then DEL: DEL_DEV of a live device holds up the whole driver */
static int ending_stop_and_del(struct evctl *t, int id, int async)
{
	struct holders *h = NULL;
	int n = async ? 0 : held_scan(t, id, &h);
	int status = ending_stop(t, id);

	if (!status)
		status = ending_del(t, id, async, h, n);
	holders_free(h);
	return status;
}

int cmd_del(struct evctl *t)
{
	struct ublkev_cmd_info info;
	int status;

	status = ending_may_end(t, &info);
	if (!status)
		status = ending_stop_and_del(t, t->opts->id, t->opts->async);
	if (!status)
		out_say(t, "device %d: deleted\n", t->opts->id);
	return status;
}

static int ending_quiesce_absent(struct evctl *t,
				 const struct ublkev_cmd_info *i)
{
	if (i->features & DEV_F_BATCH_IO)
		return out_fail(t, ST_ABSENT, "device %d: cannot be quiesced: "
				"its server fetches in batches (--batch), from "
				"which the driver takes none back: end the "
				"server, then recover %d", i->id, i->id);
	if (!(i->features & DEV_F_USER_RECOVERY))
		return out_fail(t, ST_ABSENT, "device %d: cannot be quiesced: "
				"its server made it without recovery: it can "
				"only be stopped", i->id);
	return out_fail(t, ST_ABSENT, "device %d: cannot be quiesced: that "
			"needs Linux 6.16, and a server that asked for it: end "
			"the server, then recover %d", i->id, i->id);
}

/*
 * The driver has marked the queues before it waits, and leaves them so
 * (ublk_ctrl_quiesce_dev()); the server is told nothing.
 */
static int ending_quiesce_half(struct evctl *t, const struct ask *a,
			       const struct ublkev_cmd_info *i)
{
	int err = a->answer.res;
	int late = err == -EBUSY || err == -ETIME || err == -ETIMEDOUT;

	return out_fail(t, late ? ST_BUSY : out_status(err), "device %d: %s, "
			"and keeps requests back all the same: end its server "
			"(pid %d), then recover %d", i->id, late ?
			"the kernel found no moment to quiesce it" :
			out_strerror(err), i->pid, i->id);
}

int cmd_quiesce(struct evctl *t)
{
	double left = evctl_left(t) * 1000 / 2;
	struct ublkev_cmd_info info = { .id = 0 };
	struct ask a;
	int status, err;

	status = ending_device_is_there(t, &info);
	if (status)
		return status;
	err = ask_one(t, &a, UBLKEV_CMD_QUIESCE_DEV, t->opts->id,
		      left < QUIESCE_MS ? (uint64_t)left : QUIESCE_MS);
	if (err == -EOPNOTSUPP)
		return ending_quiesce_absent(t, &info);
	if (err && (a.unsent || err == -ENODEV || err == -EPERM ||
		    err == -EACCES))
		return ask_fail(t, &a);
	if (err)
		return ending_quiesce_half(t, &a, &info);
	out_say(t, "device %d: quiesced; its clients wait for recover %d\n",
		t->opts->id, t->opts->id);
	return ST_OK;
}

/* ---- orphans ------------------------------------------------------------ */

static int ending_is_listed(const struct evctl *t, const struct dev *d)
{
	return dev_is_orphan(d) &&
	       (t->opts->all || ublkev_signature_is_ours(d->info.signature));
}

static int ending_load(struct evctl *t, struct devs *d)
{
	int err = devs_find(d, t->opts->root, -1);

	if (err)
		return devs_find_fail(t, err);
	devs_load(t, d, 1);
	return ST_OK;
}

/* what may be an orphan, and this user can't know: the first is the failure */
static int ending_unknown(struct evctl *t, const struct devs *d)
{
	const struct dev *v;

	for (v = d->v; v < d->v + d->nr; v++) {
		if (v->err == -ENODEV)
			continue;
		if (v->err)
			return dev_fail(t, v);
		if (v->server == DEV_SERVER_UNKNOWN &&
		    (t->opts->all ||
		     ublkev_signature_is_ours(v->info.signature)))
			return out_fail(t, ST_PERMISSION, "device %d: whether "
					"its server lives cannot be seen: be "
					"root, outside of a container", v->id);
	}
	return devs_driver(t, d);
}

static int ending_skip(struct evctl *t, int id, const char *why)
{
	out_say(t, "device %d: left alone, %s\n", id, why);
	return ST_OK;
}

/* d->held is a look only; before its end the kernel is asked, too */
static int ending_is_held(struct evctl *t, int id)
{
	struct holders *h;
	int n;

	n = held_scan(t, id, &h);
	holders_free(h);
	return n != 0;
}

/* `first`: what it was when it was listed, `d`: what it is now */
static int ending_clean_one(struct evctl *t, const struct dev *first,
			    const struct dev *d, json_t *done)
{
	char why[40];
	int status;

	if (d->err == -ENODEV)
		return ending_skip(t, d->id, "it is gone");
	if (d->err)
		return dev_fail(t, d);
	if (!ending_is_listed(t, d) ||
	    d->info.signature != first->info.signature)
		return ending_skip(t, d->id, "it is no orphan any more");
	if (dev_is_recoverable(d) && !t->opts->force) {
		snprintf(why, sizeof(why), "it waits for recover %d", d->id);
		return ending_skip(t, d->id, why);
	}
	if (!t->opts->force && (d->held || ending_is_held(t, d->id)))
		return out_fail(t, ST_BUSY, "device %d: left alone, somebody "
				"uses it: end that first, or give --force",
				d->id);
	ending_settle(t, &d->info);
	/* who holds it would keep DEL_DEV waiting */
	status = ending_stop_and_del(t, d->id, d->held != 0);
	if (status)
		return status;
	out_say(t, "device %d: deleted\n", d->id);
	json_array_append_new(done, json_integer(d->id));
	return ST_OK;
}

/*
 * A device that is just being made has no server that the driver knows of,
 * either: what is an orphan is one at a second look, too. That is taken just
 * before its end, as those before it may have taken long.
 */
static int ending_clean(struct evctl *t, const struct devs *first)
{
	const struct timespec pause = { 0, 500 * 1000 * 1000 };
	json_t *done = json_array();
	int status = ST_OK, one;
	const struct dev *v;
	struct devs now;

	nanosleep(&pause, NULL);
	for (v = first->v; v < first->v + first->nr; v++) {
		if (!ending_is_listed(t, v))
			continue;
		if (devs_find(&now, t->opts->root, v->id)) {
			one = out_fail(t, ST_FAILED, "no memory");
		} else {
			devs_load(t, &now, 1);
			one = ending_clean_one(t, v, now.v, done);
			devs_free(&now);
		}
		/* the others' end does not depend on this one's */
		status = status ? status : one;
	}
	out_set(t, "cleaned", done);
	return status;
}

int cmd_orphans(struct evctl *t)
{
	int status, cleaned = ST_OK;
	struct devs d;

	status = ending_load(t, &d);
	if (status)
		return status;
	show_table(t, &d, ending_is_listed);
	status = ending_unknown(t, &d);
	if (t->opts->clean)
		cleaned = ending_clean(t, &d);
	devs_free(&d);
	return status ? status : cleaned;
}
