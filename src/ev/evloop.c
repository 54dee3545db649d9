/* SPDX-License-Identifier: BSD-2-Clause */
#include "ev/evloop.h"

#include "ev/engine.h"
#include "ev/evpump.h"

static void pump(struct ublkev__engine *e);

void ublkev__evloop_woken(struct ublkev__engine *e)
{
	e->stats.wakes++;
	ublkev__io_woken(e->io);
}

static void fd_cb(struct ev_loop *loop, struct ev_io *w, int revents)
{
	struct ublkev__engine *e = w->data;

	(void)revents;
	ublkev__evloop_woken(e);
	ev_prepare_start(loop, &e->on_prepare);
}

static void deadline_cb(struct ev_loop *loop, struct ev_timer *w, int revents)
{
	struct ublkev__engine *e = w->data;

	(void)revents;
	e->timer_ms = UINT64_MAX;
	ev_prepare_start(loop, &e->on_prepare);
}

/* active, it keeps the loop from sleeping; the prepare watcher does the rest */
static void backlog_cb(struct ev_loop *loop, struct ev_idle *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
}

static void prepare_cb(struct ev_loop *loop, struct ev_prepare *w,
		       int revents)
{
	struct ublkev__engine *e = w->data;

	(void)loop;
	(void)revents;
	/* else the application runs its loop inside a call of ours */
	if (!e->pumping)
		pump(e);
}

static void set_deadline(struct ublkev__engine *e)
{
	uint64_t at_ms = ublkev__ctl_deadline_ms(&e->ctl);
	uint64_t now_ms;

	if (at_ms == e->timer_ms)
		return;
	e->timer_ms = at_ms;
	ev_timer_stop(e->loop, &e->on_deadline);
	if (at_ms == UINT64_MAX)
		return;
	/* the timer counts from the loop's idea of now, which may be old */
	ev_now_update(e->loop);
	now_ms = ublkev__clock_ms();
	ev_timer_set(&e->on_deadline,
		     at_ms > now_ms ? (double)(at_ms - now_ms) / 1000. : 0.,
		     0.);
	ev_timer_start(e->loop, &e->on_deadline);
}

static void pump(struct ublkev__engine *e)
{
	if (!ublkev__pump(e))
		return;
	set_deadline(e);
	if (ublkev__pump_has_work(e)) {
		ev_idle_start(e->loop, &e->on_backlog);
		return;
	}
	ev_idle_stop(e->loop, &e->on_backlog);
	ev_prepare_stop(e->loop, &e->on_prepare);
}

void ublkev__evloop_init(struct ublkev__engine *e)
{
	ev_init(&e->on_fd, fd_cb);
	ev_prepare_init(&e->on_prepare, prepare_cb);
	ev_set_priority(&e->on_prepare, EV_MINPRI);
	ev_idle_init(&e->on_backlog, backlog_cb);
	/* it has nothing to do, and is not to starve who has */
	ev_set_priority(&e->on_backlog, EV_MINPRI);
	ev_init(&e->on_deadline, deadline_cb);
	e->on_fd.data = e;
	e->on_prepare.data = e;
	e->on_backlog.data = e;
	e->on_deadline.data = e;
	e->timer_ms = UINT64_MAX;
}

void ublkev__evloop_start(struct ublkev__engine *e)
{
	if (!e->loop)
		return;
	ev_io_set(&e->on_fd, ublkev__io_fd(e->io), EV_READ);
	ev_io_start(e->loop, &e->on_fd);
	ublkev__evloop_kick(e);
}

void ublkev__evloop_stop(struct ublkev__engine *e)
{
	if (!e->loop)
		return;
	ev_io_stop(e->loop, &e->on_fd);
	ev_prepare_stop(e->loop, &e->on_prepare);
	ev_idle_stop(e->loop, &e->on_backlog);
	ev_timer_stop(e->loop, &e->on_deadline);
	e->timer_ms = UINT64_MAX;
}

/*
 * The prepare watcher alone would not do: started by another prepare
 * watcher it runs only in the next turn, before which the loop may sleep.
 */
void ublkev__evloop_kick(struct ublkev__engine *e)
{
	if (!e->loop || e->pumping)
		return;
	ev_prepare_start(e->loop, &e->on_prepare);
	ev_idle_start(e->loop, &e->on_backlog);
}
