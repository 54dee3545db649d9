/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the loop until something has come about, verifies the engine after
 * every turn of it, and remembers the events of each device.
 */
#include "engine_rig.h"
#include "ev/engine.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_S 10.		/* times what libcheck's are, as under valgrind */

struct ev_loop *rig_loop;
static struct ev_timer watchdog, ticker;
static unsigned int fds_before;
static struct rig_dev *devs;		/* made and not freed */

/* ---- the loop ----------------------------------------------------------- */

static void on_watchdog(struct ev_loop *loop, struct ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	ck_abort_msg("nothing more happens");
}

static void on_tick(struct ev_loop *loop, struct ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	fake_tick();
}

static double patience_s(void)
{
	const char *times = getenv("CK_TIMEOUT_MULTIPLIER");

	return PATIENCE_S * (times ? strtod(times, NULL) : 1.);
}

static void patience(bool on)
{
	if (on == !!ev_is_active(&watchdog))
		return;
	if (on) {
		ev_now_update(rig_loop);
		ev_timer_set(&watchdog, patience_s(), 0.);
		ev_timer_start(rig_loop, &watchdog);
		ev_unref(rig_loop);
	} else {
		ev_ref(rig_loop);
		ev_timer_stop(rig_loop, &watchdog);
	}
}

/* what the engines believe fits together, whenever none is in its pump */
static void verify(void)
{
	struct rig_dev *r;

	for (r = devs; r; r = r->next)
		if (r->dev.active && !r->dev.priv->lane.pumping)
			ublkev__engine_verify(r->dev.priv);
}

static void invoke(struct ev_loop *loop)
{
	verify();
	ev_invoke_pending(loop);
	verify();
}

void rig_setup(void)
{
	devs = NULL;
	fake_reset();
	fds_before = test_fds(getpid());
	rig_loop = ev_loop_new(0);
	ev_set_invoke_pending_cb(rig_loop, invoke);
	ev_init(&watchdog, on_watchdog);
	ev_timer_init(&ticker, on_tick, .001, .001);
}

void rig_teardown(void)
{
	if (ev_is_active(&ticker)) {
		ev_ref(rig_loop);
		ev_timer_stop(rig_loop, &ticker);
	}
	patience(false);
	ev_loop_destroy(rig_loop);
	ck_assert_ptr_null(fake_violation());
	fake_reset();
	ck_assert_uint_eq(test_fds(getpid()), fds_before);
}

void rig_ticks(void)
{
	if (ev_is_active(&ticker))
		return;
	ev_timer_start(rig_loop, &ticker);
	ev_unref(rig_loop);
}

static bool (*until)(void *arg);
static void *until_arg;

/* what other threads' commits have done() change, too */
static bool is_so(bool (*so)(void *arg), void *arg)
{
	FAKE_LOCKED;

	return so(arg);
}

static void invoke_and_look(struct ev_loop *loop)
{
	invoke(loop);
	if (is_so(until, until_arg))
		ev_break(loop, EVBREAK_ALL);
}

/* no watcher of our own: it might wake the loop when nothing else would */
void rig_until(bool (*so)(void *arg), void *arg)
{
	if (is_so(so, arg))
		return;
	patience(true);
	until = so;
	until_arg = arg;
	ev_set_invoke_pending_cb(rig_loop, invoke_and_look);
	ev_run(rig_loop, 0);
	ev_set_invoke_pending_cb(rig_loop, invoke);
	patience(false);
	ck_assert_msg(is_so(so, arg), "the loop ended before");
}

void rig_run(void)
{
	patience(true);
	ev_run(rig_loop, 0);
	patience(false);
}

static void on_time(struct ev_loop *loop, struct ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ONE);
}

void rig_run_ms(unsigned int ms)
{
	struct ev_timer timer;

	ev_now_update(rig_loop);
	ev_timer_init(&timer, on_time, ms / 1000., 0.);
	ev_timer_start(rig_loop, &timer);
	ev_run(rig_loop, 0);
	ev_timer_stop(rig_loop, &timer);
}

/* ---- a device ----------------------------------------------------------- */

void *rig_alloc_fn(void *data, void *ptr, size_t bytes)
{
	struct rig_alloc *a = data;

	if (!bytes) {
		a->live -= !!ptr;
		free(ptr);
		return NULL;
	}
	if (++a->calls == a->fail_at)
		return NULL;
	a->live += !ptr;
	return realloc(ptr, bytes);
}

void *rig_alloc_keeping_fn(void *data, void *ptr, size_t bytes)
{
	/* volatile: nobody reads it but valgrind */
	static void *volatile kept[4096];
	static unsigned int nr;
	void *p = rig_alloc_fn(data, ptr, bytes);

	if (p && nr < TEST_COUNT(kept))
		kept[nr++] = p;
	return p;
}

static char letter(int revents)
{
	switch (revents) {
	case UBLKEV_LIVE: return 'L';
	case UBLKEV_ERROR: return 'E';
	case UBLKEV_STOPPED: return 'S';
	case UBLKEV_RESIZED: return 'R';
	case UBLKEV_REFUSED: return 'N';
	case UBLKEV_SHARED: return 'H';
	default: return '?';
	}
}

static void forget(struct rig_dev *r)
{
	struct rig_dev **p = &devs;

	while (*p && *p != r)
		p = &(*p)->next;
	if (*p)
		*p = r->next;
}

static void remember(struct rig_dev *r)
{
	forget(r);
	r->next = devs;
	devs = r;
}

static void on_event(struct ev_loop *loop, struct ublkev_dev *dev, int revents)
{
	struct rig_dev *r = (struct rig_dev *)dev;
	size_t n = strlen(r->events);

	ck_assert(!loop || loop == rig_loop);
	ck_assert_uint_lt(n + 1, sizeof(r->events));
	r->events[n] = letter(revents);
	r->events[n + 1] = '\0';
	r->last_step = dev->step;
	if (revents == UBLKEV_ERROR) {
		r->err_step = dev->step;
		ck_assert_int_lt(dev->err, 0);
	}
	if (revents == UBLKEV_STOPPED)
		r->stops++;
	ck_assert_int_eq(dev->active, revents != UBLKEV_STOPPED);
	/* the test may free it, or start it anew */
	if (revents == UBLKEV_STOPPED)
		forget(r);
	if (r->on_event)
		r->on_event(r, revents);
}

void rig_conf(struct rig_dev *r)
{
	memset(r, 0, sizeof(*r));
	ublkev_conf_init(&r->conf, sizeof(r->conf));
	r->conf.depth = 8;
	r->conf.max_io_bytes = 64 << 10;
	r->conf.cmd_timeout_ms = 2000;
	r->conf.start_timeout_ms = 2000;
	r->conf.stop_timeout_ms = 2000;
	r->conf.grace_ms = 500;
	r->conf.copy = UBLKEV_COPY_PLAIN;
	r->conf.alloc = rig_alloc_fn;
	r->conf.alloc_data = &r->alloc;
}

void rig_mode(struct rig_dev *r, unsigned int mode)
{
	static const enum ublkev_copy copies[RIG_MODES] = {
		UBLKEV_COPY_PLAIN, UBLKEV_COPY_DIRECT, UBLKEV_COPY_USER,
		UBLKEV_COPY_PLAIN, UBLKEV_COPY_USER, UBLKEV_COPY_DIRECT,
	};

	r->conf.copy = copies[mode];
	r->conf.features = mode == 3 || mode == 4 ? UBLKEV_F_BATCH_IO : 0;
	if (mode == 5)
		r->conf.flags |= UBLKEV_CONF_RING_FD;
	fake.features |= UBLKEV_F_BATCH_IO;
}

void rig_init(struct rig_dev *r, struct ublkev_backend *backend)
{
	ck_assert_int_eq(ublkev_dev_init(&r->dev, on_event, &r->conf,
					 backend), 0);
	remember(r);
}

void rig_start(struct rig_dev *r)
{
	remember(r);
	r->events[0] = '\0';
	r->starts++;
	ck_assert_int_eq(ublkev_dev_start(rig_loop, &r->dev), 0);
}

void rig_recover(struct rig_dev *r, struct ublkev_backend *backend)
{
	rig_init(r, backend);
	r->events[0] = '\0';
	r->starts++;
	ck_assert_int_eq(ublkev_dev_recover(rig_loop, &r->dev), 0);
}

void rig_leave(struct rig_dev *r, struct ublkev_backend *backend, int id)
{
	fake.features = 0x1fffff;
	r->conf.id = id;
	r->conf.recovery = UBLKEV_RECOVERY_REISSUE;
	rig_up(r, backend);
	ck_assert_int_eq(ublkev_dev_release(rig_loop, &r->dev), 0);
	rig_run();
	rig_check_stopped(r, "LS");
}

int rig_take(struct rig_dev *r)
{
	int err;

	r->events[0] = '\0';
	err = ublkev_dev_recover(rig_loop, &r->dev);
	if (err)
		return err;
	r->starts++;
	while (r->dev.active && r->dev.step != UBLKEV_STEP_LIVE)
		ev_run(rig_loop, EVRUN_ONCE);
	return r->dev.err;
}

bool rig_take_starved(struct rig_dev *r, unsigned int n)
{
	int live = r->alloc.live, err;

	r->alloc.fail_at = r->alloc.calls + n;
	err = rig_take(r);
	if (!err)
		return false;
	ck_assert_int_eq(err, -ENOMEM);
	ck_assert(!r->dev.active);
	ck_assert_int_eq(r->alloc.live, live);
	ck_assert_int_eq(fake_state(r->conf.id), UBLKEV_STATE_QUIESCED);
	return true;
}

/*
 * The driver answers no command of the dead, so all of the ladder is climbed:
 * nothing is to be seen on it that waiting would show.
 */
void rig_bury(struct rig_dev *r)
{
	r->dev.priv->life.conf.grace_ms = 1;
	ublkev_dev_abort(rig_loop, &r->dev);
	rig_until(rig_is_over, r);
	rig_fini(r);
}

bool rig_is_live(void *rig_dev)
{
	struct rig_dev *r = rig_dev;

	return r->dev.step == UBLKEV_STEP_LIVE;
}

bool rig_is_over(void *rig_dev)
{
	struct rig_dev *r = rig_dev;

	return !r->dev.active;
}

void rig_up(struct rig_dev *r, struct ublkev_backend *backend)
{
	rig_init(r, backend);
	rig_start(r);
	rig_until(rig_is_live, r);
	ck_assert_str_eq(r->events, "L");
}

void rig_until_told(struct rig_dev *r, bool (*so)(void *arg),
		    void (*turn)(void), int patience_ms)
{
	struct pollfd fd = { .events = POLLIN };

	while (!so(r)) {
		ck_assert_msg(r->dev.active, "it ended: %s", r->events);
		fd.fd = ublkev_dev_fd(&r->dev);
		if (ublkev_dev_timeout_ms(&r->dev))
			ck_assert_int_eq(poll(&fd, 1, patience_ms), 1);
		turn();
	}
}

void rig_check_stopped(const struct rig_dev *r, const char *events)
{
	ck_assert_str_eq(r->events, events);
	ck_assert_uint_eq(r->starts, r->stops);
	ck_assert(!r->dev.active);
}

void rig_fini(struct rig_dev *r)
{
	forget(r);
	ublkev_dev_fini(&r->dev);
	ck_assert_int_eq(r->alloc.live, 0);
}

void rig_down(struct rig_dev *r)
{
	ublkev_dev_stop(rig_loop, &r->dev);
	rig_run();
	rig_check_stopped(r, "LS");
	ck_assert_int_eq(r->dev.step, UBLKEV_STEP_GONE);
	rig_fini(r);
}

struct ublkev_stats rig_stats(const struct rig_dev *r)
{
	struct ublkev_stats s;

	ck_assert_int_eq(ublkev_dev_stats(&r->dev, &s, sizeof(s)), 0);
	return s;
}

uint64_t rig_count_reqs(const struct ublkev_stats *s)
{
	uint64_t reqs = 0;
	unsigned int i;

	for (i = 0; i < UBLKEV_NR_OPS; i++)
		reqs += s->op[i].reqs;
	return reqs;
}
