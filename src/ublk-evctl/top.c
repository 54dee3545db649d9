/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A live screen. Each device's server is asked at the same time, over a
 * connection that stays; what is drawn is there when all have answered, or
 * have not in time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ublk-evctl/device.h"
#include "ublk-evctl/screen.h"
#include "ublk-evctl/sock.h"
#include "ublk-evctl/top.h"

/* of the interval, that a server may take to answer */
#define PATIENCE .8

struct top {
	struct evctl *t;
	struct screen screen;
	ev_timer tick;
	struct peer *peers;	/* by number of the device */
	unsigned int waiting;	/* for the answers of so many */
	unsigned int drawn;
	int begun;		/* rates need a second look */
	int err;
};

static void top_peer_free(struct peer *p)
{
	sock_free(p->sock);
	free(p);
}

static void top_finish(struct top *top)
{
	const struct opts *o = top->t->opts;

	if (top->begun || top->screen.tty)
		screen_draw(&top->screen, top->t, top->peers);
	if (ferror(stdout) ||
	    (top->begun && o->count && ++top->drawn >= o->count))
		ev_break(top->t->loop, EVBREAK_ONE);
	top->begun = 1;
}

/* what is told now; NULL: the server tells nothing, the kernel has to */
static void top_tell(struct peer *p, const json_t *stats)
{
	const char *root = p->top->t->opts->root;
	enum peer_source source = PEER_SERVER;
	struct sample s;

	if (!stats || sample_server(&s, stats, p->id)) {
		source = PEER_KERNEL;
		if (sample_kernel(&s, root, p->id))
			source = PEER_NOTHING;
	} else {
		sample_ticks(&s, root, p->id);
	}
	s.at_s = ev_now(p->top->t->loop);
	/* the two do not count alike */
	p->comparable = p->source == source && source != PEER_NOTHING;
	p->source = source;
	p->then = p->now;
	p->now = s;
}

static void top_on_answer(void *data, json_t *answer, int err)
{
	struct peer *p = data;

	(void)err;
	p->asked = 0;
	top_tell(p, answer);
	if (!--p->top->waiting)
		top_finish(p->top);
}

static struct peer *top_peer_new(struct top *top, int id)
{
	struct peer *p = calloc(1, sizeof(*p));
	char path[4096];

	if (!p)
		return NULL;
	p->top = top;
	p->id = id;
	/* without a path, the kernel is asked only */
	if (!sock_path(path, sizeof(path), top->t->opts->root, id) &&
	    sock_new(&p->sock, top->t->loop, path, top_on_answer, p) ==
		    -ENOMEM) {
		free(p);
		return NULL;
	}
	return p;
}

/* both lists are sorted: peers go and come where the devices do */
static int top_follow(struct top *top, const struct devs *d)
{
	struct peer **at = &top->peers, *p;
	unsigned int i = 0;

	while (*at || i < d->nr) {
		p = *at;
		if (p && (i == d->nr || p->id < d->v[i].id)) {
			*at = p->next;
			top->waiting -= (unsigned int)p->asked;
			top_peer_free(p);
			continue;
		}
		if (!p || p->id > d->v[i].id) {
			p = top_peer_new(top, d->v[i].id);
			if (!p)
				return -ENOMEM;
			p->next = *at;
			*at = p;
		}
		at = &p->next;
		i++;
	}
	return 0;
}

static void top_ask(struct top *top, struct peer *p)
{
	double patience = top->t->opts->interval_s * PATIENCE;

	if (p->asked)
		return;
	if (p->sock && !sock_ask(p->sock, "stats", patience)) {
		p->asked = 1;
		top->waiting++;
	} else {
		top_tell(p, NULL);
	}
}

static void top_on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct top *top = w->data;
	struct peer *p;
	struct devs d;

	(void)revents;
	top->err = devs_find(&d, top->t->opts->root, -1);
	if (!top->err)
		top->err = top_follow(top, &d);
	devs_free(&d);
	if (top->err) {
		ev_break(loop, EVBREAK_ONE);
		return;
	}
	for (p = top->peers; p; p = p->next)
		top_ask(top, p);
	if (!top->waiting)
		top_finish(top);
}

int cmd_top(struct evctl *t)
{
	struct top top = { .t = t };
	double every = t->opts->interval_s;
	struct peer *p;

	screen_open(&top.screen, t->top != NULL);
	ev_timer_init(&top.tick, top_on_tick, 0., every);
	top.tick.data = &top;
	ev_timer_start(t->loop, &top.tick);
	ev_run(t->loop, 0);
	ev_timer_stop(t->loop, &top.tick);
	while ((p = top.peers)) {
		top.peers = p->next;
		top_peer_free(p);
	}
	screen_close(&top.screen);
	return top.err ? devs_find_fail(t, top.err) : ST_OK;
}
