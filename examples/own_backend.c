/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A backend of one's own: a small disk that takes 5 ms for everything, like
 * one with a slow bus. It answers LATER, from an ev_timer of the same loop.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ev.h>
#include <ublkev.h>

#define DISK_BYTES	(UINT64_C(16) << 20)
#define DELAY_S		0.005

struct slow {
	struct ublkev_backend *backend;
	struct ev_loop *loop;
	char *bytes;
	/* requests waiting, linked through req->data; oldest first */
	struct ublkev_req *first, *last;
	/* those that wait since the timer was started, then the next ones */
	unsigned int due, waiting;
	struct ev_timer timer;
};

static int slow_open(void *ctx, struct ublkev_limits *limits)
{
	(void)ctx;
	limits->dev_bytes = DISK_BYTES;
	return 0;
}

static int slow_start(void *ctx, struct ev_loop *loop)
{
	struct slow *s = ctx;

	s->loop = loop;
	s->due = s->waiting = 0;
	return 0;
}

static void slow_stop(void *ctx)
{
	struct slow *s = ctx;

	ev_timer_stop(s->loop, &s->timer);
	/* what still waits was given up by the library: forget it */
	s->due = s->waiting = 0;
}

static int slow_submit(void *ctx, struct ublkev_req *req)
{
	struct slow *s = ctx;

	/* req->data is NULL here: the end of the list */
	if (s->waiting++)
		s->last->data = req;
	else
		s->first = req;
	s->last = req;
	return UBLKEV_LATER;
}

/* the batch is whole: one timer for all of it */
static void slow_flush(void *ctx)
{
	struct slow *s = ctx;

	if (s->due || !s->waiting)
		return;		/* one is running; the rest is next */
	s->due = s->waiting;
	ev_timer_set(&s->timer, DELAY_S, 0.);
	ev_timer_start(s->loop, &s->timer);
}

static void answer(struct slow *s, struct ublkev_req *req)
{
	char *at = s->bytes + req->offset_bytes;

	if (req->op == UBLKEV_OP_READ)
		memcpy(req->buf, at, req->len_bytes);
	else
		memcpy(at, req->buf, req->len_bytes);
	ublkev_req_done(s->backend, req->cookie, 0);
}

static void on_timer(struct ev_loop *loop, struct ev_timer *w, int revents)
{
	struct slow *s = w->data;
	struct ublkev_req *req;

	(void)loop;
	(void)revents;
	for (; s->due; s->due--, s->waiting--) {
		req = s->first;
		s->first = req->data;
		answer(s, req);		/* req is not ours any more */
	}
	if (s->waiting)
		slow_flush(s);
}

static const struct ublkev_backend_ops slow_ops = {
	.size = sizeof(slow_ops),
	.name = "slow",
	.open = slow_open,
	.start = slow_start,
	.stop = slow_stop,
	.submit = slow_submit,
	.flush = slow_flush,
};

static void on_dev(struct ev_loop *loop, struct ublkev_dev *dev, int revents)
{
	const char *why = ublkev_explain(dev->step, dev->err);

	if (revents & UBLKEV_LIVE)
		printf("/dev/ublkb%d\n", dev->id);
	if (revents & UBLKEV_ERROR)
		fprintf(stderr, "%s: %s\n", ublkev_step_name(dev->step),
			why ? why : strerror(-dev->err));
	if (revents & UBLKEV_STOPPED)
		ev_break(loop, EVBREAK_ALL);
	fflush(stdout);
}

static void on_signal(struct ev_loop *loop, struct ev_signal *w, int revents)
{
	(void)revents;
	ublkev_dev_stop(loop, w->data);
}

static int serve(struct slow *s)
{
	struct ev_loop *loop = ev_default_loop(0);
	struct ev_signal sigint;
	struct ublkev_dev dev;
	int err;

	err = ublkev_dev_init(&dev, on_dev, NULL, s->backend);
	if (err)
		return err;
	err = ublkev_dev_start(loop, &dev);
	if (!err) {
		ev_signal_init(&sigint, on_signal, SIGINT);
		sigint.data = &dev;
		ev_signal_start(loop, &sigint);
		ev_run(loop, 0);
		err = dev.err;
	}
	ublkev_dev_fini(&dev);
	return err;
}

int main(void)
{
	struct slow s;
	int err;

	memset(&s, 0, sizeof(s));
	ev_init(&s.timer, on_timer);
	s.timer.data = &s;
	s.bytes = calloc(1, DISK_BYTES);
	err = s.bytes ? ublkev_backend_new(&s.backend, &slow_ops, &s)
		      : -ENOMEM;
	if (!err)
		err = serve(&s);
	if (err)
		fprintf(stderr, "own_backend: %s\n", strerror(-err));
	ublkev_backend_free(s.backend);
	free(s.bytes);
	return err ? 1 : 0;
}
