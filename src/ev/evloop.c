/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The watchers of a lane, in the loop of the application or of a worker's
 * thread, and of them only what libev wants to know: each callback notes what
 * came, and the prepare watcher runs the pump. A loop that is not libev's has
 * none of them.
 */
#include "ev/evloop.h"

#include "ev/engine.h"
#include "ev/evlook.h"
#include "ev/evpump.h"
#include "util/check.h"

/*
 * So many turns of the loop without a request, and a ring that is watched by
 * its file is not looked at in every one of them any more.
 */
#define MOST_IDLE_TURNS	64u

static void loop_pump(struct ublkev__lane *l);

void ublkev__evloop_woken(struct ublkev__lane *l)
{
	l->stats.wakes++;
	/* a held lane enters only when resumed */
	if (ublkev__lanelife_serves(&l->life))
		ublkev__io_woken(l->io);
	else
		ublkev__io_reset(l->io);
}

/*
 * The application runs its loop inside a call of ours. That is made in a turn of
 * the prepare watcher, which is active then, and comes before whatever the loop
 * polls for. Nothing can be done for the lane before the call returns, so nothing
 * is to keep the loop from sleeping; the lane is one more thing for it to wait
 * for all the same.
 */
static void loop_rest(struct ublkev__lane *l)
{
	ublkev__evloop_forget_ring(l);
	ev_io_stop(l->loop, &l->on_fd);
	ev_prepare_stop(l->loop, &l->on_prepare);
	ev_idle_stop(l->loop, &l->on_backlog);
	if (!l->rests)
		ev_ref(l->loop);
	l->rests = true;
}

static void loop_end_rest(struct ublkev__lane *l)
{
	if (l->rests)
		ev_unref(l->loop);
	l->rests = false;
}

static void loop_fd_cb(struct ev_loop *loop, struct ev_io *w, int revents)
{
	struct ublkev__lane *l = w->data;

	(void)revents;
	/*
	 * Not before: libev tells epoll of new files only when it next polls,
	 * and until it has told it of this one, nothing would end a sleep.
	 */
	if (l->loop_file >= 0)
		ublkev__io_watch(l->io, l->loop_file);
	l->loop_file = -1;
	ublkev__evloop_woken(l);
	ev_prepare_start(loop, &l->on_prepare);
}

static void loop_ring_woke(struct ev_loop *loop, struct ublkev__lane *l)
{
	if (ev_is_active(&l->on_prepare))
		return;
	l->stats.wakes++;
	ev_prepare_start(loop, &l->on_prepare);
}

static void loop_ring_cb(struct ev_loop *loop, struct ev_io *w, int revents)
{
	(void)revents;
	loop_ring_woke(loop, w->data);
}

/*
 * Work that ran when the loop's sleep was interrupted is in the ring by now;
 * its file would tell, but only the next sleep, cut short, would.
 */
static void loop_check_cb(struct ev_loop *loop, struct ev_check *w, int revents)
{
	struct ublkev__lane *l = w->data;

	(void)revents;
	if (ublkev__io_has_work(l->io))
		loop_ring_woke(loop, l);
	else if (++l->idle_turns >= MOST_IDLE_TURNS)
		ev_check_stop(loop, w);
}

static void loop_deadline_cb(struct ev_loop *loop, struct ev_timer *w,
			     int revents)
{
	struct ublkev__engine *e = w->data;

	(void)revents;
	e->timer_ms = UINT64_MAX;
	ev_prepare_start(loop, &e->lane.on_prepare);
}

/*
 * An active idle watcher keeps the loop from sleeping; that is all it is for.
 */
static void loop_backlog_cb(struct ev_loop *loop, struct ev_idle *w,
			    int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
}

static void loop_prepare_cb(struct ev_loop *loop, struct ev_prepare *w,
			    int revents)
{
	struct ublkev__lane *l = w->data;

	(void)loop;
	(void)revents;
	if (l->pumping)
		loop_rest(l);
	else
		loop_pump(l);
}

static void loop_set_deadline(struct ublkev__engine *e)
{
	struct ev_loop *loop = e->lane.loop;
	uint64_t at_ms = ublkev__look_deadline_ms(e);
	uint64_t ms;

	if (at_ms == UINT64_MAX && e->timer_ms == UINT64_MAX)
		return;
	(void)ublkev__engine_now_ms(e);
	ms = ublkev__pace_sleep(&e->pace, at_ms);
	/*
	 * a timer for this deadline is set, be it for a look on the way there
	 */
	if (at_ms == e->timer_ms)
		return;
	e->timer_ms = at_ms;
	ev_timer_stop(loop, &e->on_deadline);
	if (at_ms == UINT64_MAX)
		return;
	/* the timer counts from the loop's idea of now, which may be old */
	ev_now_update(loop);
	ev_timer_set(&e->on_deadline, (double)ms / 1000., 0.);
	ev_timer_start(loop, &e->on_deadline);
}

static void loop_watch_ring(struct ublkev__lane *l)
{
	int fd = ublkev__io_ring_fd(l->io);

	if (fd < 0)
		return;
	l->idle_turns = 0;
	ev_check_start(l->loop, &l->on_check);
	if (ev_is_active(&l->on_ring))
		return;
	ev_io_set(&l->on_ring, fd, EV_READ);
	ev_io_start(l->loop, &l->on_ring);
}

void ublkev__evloop_forget_ring(struct ublkev__lane *l)
{
	if (!l->by_ring)
		return;
	ev_io_stop(l->loop, &l->on_ring);
	ev_check_stop(l->loop, &l->on_check);
}

static void loop_pump(struct ublkev__lane *l)
{
	if (!ublkev__pump(l))
		return;
	if (l->rests) {
		loop_end_rest(l);
		/* whatever was signalled meanwhile still is */
		ev_io_start(l->loop, &l->on_fd);
	}
	/* a lane that does not serve has no ring yet, or must not enter it */
	if (l->by_ring && ublkev__lanelife_serves(&l->life))
		loop_watch_ring(l);
	if (!l->worker)
		loop_set_deadline(l->e);
	if (ublkev__pump_has_work(l)) {
		ev_prepare_start(l->loop, &l->on_prepare);
		ev_idle_start(l->loop, &l->on_backlog);
		return;
	}
	ev_idle_stop(l->loop, &l->on_backlog);
	ev_prepare_stop(l->loop, &l->on_prepare);
}

void ublkev__evloop_init(struct ublkev__lane *l)
{
	ev_init(&l->on_ring, loop_ring_cb);
	ev_check_init(&l->on_check, loop_check_cb);
	ev_init(&l->on_fd, loop_fd_cb);
	ev_prepare_init(&l->on_prepare, loop_prepare_cb);
	ev_set_priority(&l->on_prepare, EV_MINPRI);
	ev_idle_init(&l->on_backlog, loop_backlog_cb);
	/* The watcher does nothing, and is not to starve those that do. */
	ev_set_priority(&l->on_backlog, EV_MINPRI);
	l->on_ring.data = l;
	l->on_check.data = l;
	l->on_fd.data = l;
	l->on_prepare.data = l;
	l->on_backlog.data = l;
}

static void loop_destroy_cb(struct ev_loop *loop, struct ev_cleanup *w,
			    int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	ublkev__check(false, "a loop to destroy has no active device");
}

void ublkev__evloop_init_deadline(struct ublkev__engine *e)
{
	ev_cleanup_init(&e->on_destroy, loop_destroy_cb);
	ev_init(&e->on_deadline, loop_deadline_cb);
	e->on_deadline.data = e;
	e->timer_ms = UINT64_MAX;
}

/*
 * The file of libev's epoll, -1 if that is not what it sleeps in. The only one
 * who tells is the watcher that embeds a loop in another.
 */
static int loop_find_file(struct ev_loop *loop)
{
	int fd = -1;
#if EV_EMBED_ENABLE
	struct ev_embed embed;
	struct ev_loop *other;

	if (ev_backend(loop) != EVBACKEND_EPOLL ||
	    !(ev_embeddable_backends() & EVBACKEND_EPOLL))
		return -1;
	other = ev_loop_new(EVBACKEND_POLL | EVBACKEND_SELECT | EVFLAG_NOENV);
	if (!other)
		return -1;
	ev_embed_init(&embed, NULL, loop);
	ev_embed_start(other, &embed);
	fd = embed.io.fd;
	ev_embed_stop(other, &embed);
	ev_loop_destroy(other);
#endif
	return fd;
}

void ublkev__evloop_start(struct ublkev__lane *l)
{
	if (!l->loop)
		return;
	l->loop_file = loop_find_file(l->loop);
	ev_io_set(&l->on_fd, ublkev__io_fd(l->io), EV_READ);
	ev_io_start(l->loop, &l->on_fd);
	if (!l->worker)
		ev_cleanup_start(l->loop, &l->e->on_destroy);
	ublkev__evloop_kick(l);
}

void ublkev__evloop_stop(struct ublkev__lane *l)
{
	if (!l->loop)
		return;
	ublkev__evloop_forget_ring(l);
	ev_io_stop(l->loop, &l->on_fd);
	ev_prepare_stop(l->loop, &l->on_prepare);
	ev_idle_stop(l->loop, &l->on_backlog);
	loop_end_rest(l);
	if (l->worker)
		return;
	ev_cleanup_stop(l->loop, &l->e->on_destroy);
	ev_timer_stop(l->loop, &l->e->on_deadline);
	l->e->timer_ms = UINT64_MAX;
}

/*
 * The prepare watcher alone would not do: started by another prepare
 * watcher it runs only in the next turn, before which the loop may sleep.
 */
void ublkev__evloop_kick(struct ublkev__lane *l)
{
	if (!l->loop || l->pumping)
		return;
	ev_prepare_start(l->loop, &l->on_prepare);
	ev_idle_start(l->loop, &l->on_backlog);
}
