/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client's connection in the loop: sends a line, and waits with a deadline
 * for the one that answers it. A server whose queue of connections is full
 * is tried again.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/rundir.h"
#include "ublk-evctl/sock.h"

/* an answer has some KiB; who sends more is no server of ours */
#define MAX_ANSWER (1u << 20)
#define LINE_BYTES 128
/* between two tries to get into a server's full queue of connections */
#define AGAIN_S .02

struct sock {
	struct ev_loop *loop;
	struct sockaddr_un addr;
	ev_io io;
	ev_timer timer;
	ev_timer again;
	sock_cb *cb;
	void *data;
	int asked;
	size_t out_len, out_at;
	char out[LINE_BYTES];
	size_t in_len;
	char *in;
};

static void sock_disconnect(struct sock *s)
{
	if (s->io.fd < 0)
		return;
	ev_io_stop(s->loop, &s->io);
	close(s->io.fd);
	ev_io_set(&s->io, -1, 0);
	s->in_len = 0;
}

static void sock_answer(struct sock *s, json_t *json, int err)
{
	ev_timer_stop(s->loop, &s->timer);
	ev_timer_stop(s->loop, &s->again);
	s->asked = 0;
	if (err)
		sock_disconnect(s);
	/* may free s */
	s->cb(s->data, json, err);
	json_decref(json);
}

static void sock_watch(struct sock *s, int events)
{
	ev_io_stop(s->loop, &s->io);
	ev_io_set(&s->io, s->io.fd, events);
	ev_io_start(s->loop, &s->io);
}

/* 0, -EAGAIN, or another negative errno */
static int sock_send_some(struct sock *s)
{
	ssize_t n;

	n = send(s->io.fd, s->out + s->out_at, s->out_len - s->out_at,
		 MSG_NOSIGNAL);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	s->out_at += (size_t)n;
	return s->out_at < s->out_len ? -EAGAIN : 0;
}

/* 1: a line is there; 0: not yet; or a negative errno */
static int sock_receive(struct sock *s)
{
	char *v;
	ssize_t n;

	v = realloc(s->in, s->in_len + 4096);
	if (!v)
		return -ENOMEM;
	s->in = v;
	n = recv(s->io.fd, v + s->in_len, 4096, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	s->in_len += (size_t)n;
	if (memchr(v + s->in_len - n, '\n', (size_t)n))
		return 1;
	return s->in_len > MAX_ANSWER ? -EPROTO : 0;
}

static void sock_take(struct sock *s)
{
	size_t len = (size_t)((char *)memchr(s->in, '\n', s->in_len) - s->in);
	json_t *json = json_loadb(s->in, len, 0, NULL);
	int fits = s->in_len == len + 1 && json_is_object(json);

	/* more than was asked for would be taken for the next answer */
	s->in_len = 0;
	if (!fits) {
		json_decref(json);
		json = NULL;
	}
	sock_answer(s, json, fits ? 0 : -EPROTO);
}

static void sock_on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct sock *s = w->data;
	int ret;

	(void)loop;
	if (!s->asked) {
		/* The server has closed the connection, or talks unasked. */
		sock_disconnect(s);
		return;
	}
	if (revents & EV_WRITE) {
		ret = sock_send_some(s);
		if (!ret)
			sock_watch(s, EV_READ);
		else if (ret != -EAGAIN)
			sock_answer(s, NULL, ret);
		return;
	}
	ret = sock_receive(s);
	if (ret < 0)
		sock_answer(s, NULL, ret);
	else if (ret)
		sock_take(s);
}

/* libev runs timers first; the answer may be there, and only we are late */
static void sock_on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct sock *s = w->data;
	size_t had;
	int ret = 0;

	(void)loop;
	(void)revents;
	if (s->io.fd >= 0 && s->out_at == s->out_len)
		do {
			had = s->in_len;
			ret = sock_receive(s);
		} while (!ret && s->in_len > had);
	if (ret > 0)
		sock_take(s);
	else
		sock_answer(s, NULL, -ETIMEDOUT);
}

static int sock_connect_to(struct sock *s)
{
	int fd, err;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* a Unix socket connects at once, or its queue is full: EAGAIN */
	if (connect(fd, (struct sockaddr *)&s->addr, sizeof(s->addr))) {
		err = -errno;
		close(fd);
		return err;
	}
	ev_io_set(&s->io, fd, 0);
	return 0;
}

static void sock_on_again(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct sock *s = w->data;
	int err = sock_connect_to(s);

	(void)revents;
	if (err == -EAGAIN)
		return;
	ev_timer_stop(loop, w);
	if (err)
		sock_answer(s, NULL, err);
	else
		sock_watch(s, EV_WRITE);
}

int sock_ask(struct sock *s, const char *line, double timeout_s)
{
	int err = 0;

	if (s->asked)
		return -EBUSY;
	if (strlen(line) + 1 >= LINE_BYTES)
		return -ENAMETOOLONG;
	if (s->io.fd < 0) {
		err = sock_connect_to(s);
		if (err && err != -EAGAIN)
			return err;
	}
	s->out_len = (size_t)snprintf(s->out, LINE_BYTES, "%s\n", line);
	s->out_at = 0;
	s->asked = 1;
	ev_now_update(s->loop);
	ev_timer_set(&s->timer, timeout_s, 0.);
	ev_timer_start(s->loop, &s->timer);
	if (err)
		ev_timer_start(s->loop, &s->again);
	else
		sock_watch(s, EV_WRITE);
	return 0;
}

int sock_new(struct sock **sp, struct ev_loop *loop, const char *path,
	     sock_cb *cb, void *data)
{
	struct sock *s;

	if (strlen(path) >= sizeof(s->addr.sun_path))
		return -ENAMETOOLONG;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->loop = loop;
	s->cb = cb;
	s->data = data;
	s->addr.sun_family = AF_UNIX;
	memcpy(s->addr.sun_path, path, strlen(path));
	ev_io_init(&s->io, sock_on_io, -1, 0);
	ev_timer_init(&s->timer, sock_on_timer, 0., 0.);
	ev_timer_init(&s->again, sock_on_again, AGAIN_S, AGAIN_S);
	s->io.data = s;
	s->again.data = s;
	s->timer.data = s;
	*sp = s;
	return 0;
}

void sock_free(struct sock *s)
{
	if (!s)
		return;
	ev_timer_stop(s->loop, &s->timer);
	ev_timer_stop(s->loop, &s->again);
	sock_disconnect(s);
	free(s->in);
	free(s);
}

int sock_path(char *buf, size_t size, const char *root, int id)
{
	char dir[PATH_MAX];
	int err = rundir_own(dir, sizeof(dir), root);

	if (err)
		return err;
	return (size_t)snprintf(buf, size, "%s/ublkb%d.sock", dir, id) < size ?
	       0 : -ENAMETOOLONG;
}
