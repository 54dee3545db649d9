/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looks who holds the disk, a piece of /proc a turn of the loop, and decides
 * when the device is stopped.
 */
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "ublk-evdemo/now.h"
#include "ublk-evdemo/logger.h"
#include "ublk-evdemo/shutdown.h"

/*
 * Directory entries a turn of the loop: 3 to 10 us each as measured by
 * test_holders, so well below the half millisecond of the default budget_us.
 */
#define SLICE 32
/* lines about holders at a time */
#define MAX_LINES 16
/* seconds from look to look; more, and this process did not run */
#define MOST_LOOK_S 10.
/* what was said last, in place of a hash */
#define BLIND 1u

static void shutdown_later(struct shutdown *s, double seconds)
{
	ev_timer_stop(s->loop, &s->timer);
	ev_timer_set(&s->timer, seconds, 0.);
	ev_timer_start(s->loop, &s->timer);
}

static void shutdown_end_scan(struct shutdown *s)
{
	ev_timer_stop(s->loop, &s->timer);
	holders_free(s->scan);
	s->scan = NULL;
}

static void shutdown_stop(struct shutdown *s)
{
	shutdown_end_scan(s);
	s->state = SHUTDOWN_STOPPING;
	s->conf.stop(s->conf.data);
}

/*
 * Seconds since the first look, in which others could let go of the disk: a
 * machine that was paused, or this process alone, is not patience.
 */
static double shutdown_waited(struct shutdown *s)
{
	uint64_t now = now_ns();
	double since = (double)(now - s->looked_ns) / 1e9;

	s->waited_s += since < MOST_LOOK_S ? since : s->conf.recheck_s;
	s->looked_ns = now;
	return s->waited_s;
}

/* and look again */
static void shutdown_wait(struct shutdown *s)
{
	shutdown_end_scan(s);
	s->state = SHUTDOWN_HELD;
	shutdown_later(s, s->conf.recheck_s);
}

/*
 * Without /proc, or a descriptor to read it with, the disk may be a mounted
 * one: it is served on as that would be.
 */
static void shutdown_blind(struct shutdown *s, int err)
{
	if (s->said != BLIND)
		log_msg(LOG_WARNING, "cannot see who holds /dev/ublkb%d: %s; "
			"waiting up to %.0f s (a second signal stops it now)",
			s->conf.id, strerror(-err), s->conf.timeout_s);
	s->said = BLIND;
	if (shutdown_waited(s) < s->conf.timeout_s)
		shutdown_wait(s);
	else
		shutdown_stop(s);
}

static void shutdown_look(struct shutdown *s)
{
	int err;

	s->state = SHUTDOWN_LOOKING;
	err = holders_new(&s->scan, s->conf.root, s->conf.id, getpid());
	if (err)
		shutdown_blind(s, err);
	else
		shutdown_later(s, 0.);
}

/* how long to wait for those who hold it; 0: nobody does */
static double shutdown_patience(const struct shutdown *s, int *held)
{
	double open_s = s->conf.open_s;
	double most = 0;
	unsigned int i;

	*held = 0;
	if (open_s > s->conf.timeout_s)
		open_s = s->conf.timeout_s;
	for (i = 0; i < holders_count(s->scan); i++) {
		switch (holders_at(s->scan, i)->kind) {
		case HOLDER_UDEV:
		case HOLDER_USER:
			break;
		case HOLDER_OPEN:
		case HOLDER_MAPPED:
			*held = 1;
			if (most < open_s)
				most = open_s;
			break;
		default:
			*held = 1;
			most = s->conf.timeout_s;
		}
	}
	return most;
}

/* users of a mounted filesystem come and go; the rest tells a change */
static uint32_t shutdown_hash(const struct holders *h)
{
	char line[512];
	uint32_t v = 2166136261u;
	unsigned int i;
	const char *p;

	for (i = 0; i < holders_count(h); i++) {
		if (holders_at(h, i)->kind == HOLDER_USER)
			continue;
		holder_text(line, sizeof(line), holders_at(h, i));
		for (p = line; *p; p++)
			v = (v ^ (unsigned char)*p) * 16777619u;
	}
	return v;
}

static void shutdown_say(struct shutdown *s, double wait_s)
{
	unsigned int i, n = holders_count(s->scan);
	uint32_t v = shutdown_hash(s->scan);
	char line[512];

	if (v == s->said)
		return;
	s->said = v;
	log_msg(LOG_NOTICE, "/dev/ublkb%d is in use; waiting up to %.0f s "
		"(a second signal stops it now)", s->conf.id, wait_s);
	for (i = 0; i < n && i < MAX_LINES; i++) {
		holder_text(line, sizeof(line), holders_at(s->scan, i));
		log_msg(LOG_NOTICE, "/dev/ublkb%d: %s", s->conf.id, line);
	}
	if (n > MAX_LINES)
		log_msg(LOG_NOTICE, "/dev/ublkb%d: and %u more", s->conf.id,
			n - MAX_LINES);
}

static void shutdown_warn_held(const struct shutdown *s)
{
	log_msg(LOG_WARNING, "stopping /dev/ublkb%d although it is in use: "
		"the kernel writes what it still has; I/O after that fails",
		s->conf.id);
}

static void shutdown_judge(struct shutdown *s)
{
	double wait_s;
	int held;

	wait_s = shutdown_patience(s, &held);
	if (held)
		shutdown_say(s, wait_s);
	if (held && shutdown_waited(s) < wait_s) {
		shutdown_wait(s);
		return;
	}
	if (held)
		shutdown_warn_held(s);
	else if (s->said)
		log_msg(LOG_NOTICE, "/dev/ublkb%d is free now", s->conf.id);
	shutdown_stop(s);
}

static void shutdown_on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct shutdown *s = w->data;
	int ret;

	(void)loop;
	(void)revents;
	if (s->state == SHUTDOWN_HELD) {
		shutdown_look(s);
		return;
	}
	ret = holders_step(s->scan, SLICE);
	if (ret < 0) {
		shutdown_blind(s, ret);
	} else if (ret) {
		shutdown_later(s, holders_pause(s->scan));
	} else {
		shutdown_judge(s);
	}
}

void shutdown_init(struct shutdown *s, struct ev_loop *loop)
{
	memset(s, 0, sizeof(*s));
	s->loop = loop;
	ev_timer_init(&s->timer, shutdown_on_timer, 0., 0.);
	s->timer.data = s;
}

void shutdown_next(struct shutdown *s, const struct shutdown_conf *conf)
{
	switch (s->state) {
	case SHUTDOWN_IDLE:
		s->conf = *conf;
		s->looked_ns = now_ns();
		s->waited_s = 0;
		if (s->conf.id < 0)
			shutdown_stop(s);
		else
			shutdown_look(s);
		break;
	case SHUTDOWN_LOOKING:
	case SHUTDOWN_HELD:
		if (s->said)
			shutdown_warn_held(s);
		shutdown_stop(s);
		break;
	case SHUTDOWN_STOPPING:
		log_msg(LOG_WARNING, "giving up the requests in flight");
		s->state = SHUTDOWN_ABORTING;
		s->conf.abort(s->conf.data);
		break;
	case SHUTDOWN_ABORTING:
		break;
	}
}

void shutdown_fini(struct shutdown *s)
{
	shutdown_end_scan(s);
}
