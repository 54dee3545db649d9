/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients in the loop: each has its lines read, its answers sent, and is
 * dropped when it does not read them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ublk-evdemo/jsonsock.h"
#include "ublk-evdemo/json.h"

/* seconds that a client may leave its answer unread */
#define STALL_S 10.
/*
 * Bytes of answers that the kernel keeps for a client; the kernel makes it
 * some more. So little that who asks on and on without reading is stuck at its
 * second or third answer, where it can be seen not to read.
 */
#define UNREAD_BYTES 4096
/* seconds without accept() after it found no descriptor */
#define PAUSE_S 1.

struct jsonclient {
	struct jsonsock *cs;
	struct jsonclient *next, **prevp;
	ev_io io;
	ev_timer stall;
	int eof;
	int overlong;		/* skip up to the next \n */
	int asked;		/* a line that is not answered yet */
	int lost;		/* the line's answer could not be had */
	int stepping;		/* inside ops.line() */
	int kept;		/* not to be dropped for another */
	ev_tstamp active;	/* it was heard, or read */
	size_t in_len;
	char in[CTLSOCK_LINE_BYTES];
	char *out;		/* NULL: nothing to send */
	size_t out_len, out_at;
	int out_fd;		/* goes with the first byte; -1: none */
};

struct jsonsock {
	struct ev_loop *loop;
	struct jsonlisten listener;
	ev_io accept;
	ev_timer pause;
	struct jsonsock_ops ops;
	void *data;
	struct jsonclient *clients;
	unsigned int nr_clients;
};

static void jsonsock_client_free(struct jsonclient *c)
{
	ev_io_stop(c->cs->loop, &c->io);
	ev_timer_stop(c->cs->loop, &c->stall);
	close(c->io.fd);
	if (c->out_fd >= 0)
		close(c->out_fd);
	*c->prevp = c->next;
	if (c->next)
		c->next->prevp = c->prevp;
	c->cs->nr_clients--;
	free(c->out);
	free(c);
}

/* 0: not at all */
static void jsonsock_client_watch(struct jsonclient *c, int events)
{
	if (ev_is_active(&c->io) &&
	    (c->io.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(c->cs->loop, &c->io);
	ev_io_set(&c->io, c->io.fd, events);
	if (events)
		ev_io_start(c->cs->loop, &c->io);
}

/* takes `text` over; 0 or -ENOMEM */
static int jsonsock_client_say(struct jsonclient *c, char *text)
{
	char *line;

	if (!text)
		return -ENOMEM;
	c->out_len = strlen(text) + 1;
	line = realloc(text, c->out_len + 1);
	if (!line) {
		free(text);
		return -ENOMEM;
	}
	line[c->out_len - 1] = '\n';
	c->out = line;
	c->out_at = 0;
	return 0;
}

void jsonclient_answer(struct jsonclient *c, char *text, int fd)
{
	c->asked = 0;
	c->lost = jsonsock_client_say(c, text) != 0;
	if (fd >= 0) {
		c->out_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		c->lost |= c->out_fd < 0;
	}
	if (!c->stepping)
		jsonsock_client_watch(c, EV_WRITE);
}

void jsonclient_keep(struct jsonclient *c, int kept)
{
	c->kept = kept;
}

void jsonclient_linger(const struct jsonclient *c)
{
	/* a duplicate that nobody closes */
	(void)fcntl(c->io.fd, F_DUPFD_CLOEXEC, 3);
}

/* what is to go out next, with the descriptor if it has not gone yet */
static ssize_t jsonsock_client_send_some(const struct jsonclient *c)
{
	struct iovec iov = { c->out + c->out_at, c->out_len - c->out_at };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} u;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *h;

	if (c->out_fd >= 0) {
		memset(&u, 0, sizeof(u));
		m.msg_control = u.buf;
		m.msg_controllen = sizeof(u.buf);
		h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(h), &c->out_fd, sizeof(int));
	}
	return sendmsg(c->io.fd, &m, MSG_NOSIGNAL);
}

/* 0: all is out; -EAGAIN: later; else the client is lost */
static int jsonsock_client_send(struct jsonclient *c)
{
	ssize_t n;

	while (c->out_at < c->out_len) {
		n = jsonsock_client_send_some(c);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		c->out_at += (size_t)n;
		/* from here on it has the time to read that */
		ev_timer_again(c->cs->loop, &c->stall);
		if (c->out_fd >= 0)
			close(c->out_fd);
		c->out_fd = -1;
	}
	free(c->out);
	c->out = NULL;
	c->out_len = 0;
	return 0;
}

/* bytes of the first line with its end, 0 when there is none yet */
static size_t jsonsock_client_line(const struct jsonclient *c)
{
	const char *nl = memchr(c->in, '\n', c->in_len);

	if (nl)
		return (size_t)(nl - c->in) + 1;
	return c->eof ? c->in_len : 0;
}

static void jsonsock_client_take(struct jsonclient *c, size_t len)
{
	memmove(c->in, c->in + len, c->in_len - len);
	c->in_len -= len;
}

/* 1: one line was dealt with; 0: there is none; or a negative errno */
static int jsonsock_client_step(struct jsonclient *c)
{
	char line[CTLSOCK_LINE_BYTES + 1];
	size_t len = jsonsock_client_line(c);

	if (!len && c->in_len < sizeof(c->in))
		return 0;
	if (!len) {
		c->in_len = 0;
		if (c->overlong)
			return 0;
		c->overlong = 1;
		return jsonsock_client_say(c, json_error("line too long")) ?: 1;
	}
	memcpy(line, c->in, len);
	jsonsock_client_take(c, len);
	if (c->overlong) {
		c->overlong = 0;
		return 1;
	}
	while (len && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	line[len] = '\0';
	if (!len)
		return 1;
	c->asked = 1;
	c->stepping = 1;
	c->cs->ops.line(c->cs->data, c, line);
	c->stepping = 0;
	return 1;
}

static int jsonsock_client_read(struct jsonclient *c)
{
	ssize_t n;

	if (c->eof || c->in_len == sizeof(c->in))
		return 0;
	n = recv(c->io.fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		c->eof = 1;
	c->in_len += (size_t)n;
	c->active = ev_now(c->cs->loop);
	return 0;
}

/* one line a turn, however many the client has sent */
static int jsonsock_client_turn(struct jsonclient *c, int revents)
{
	int ret = 0;

	if (revents & EV_READ)
		ret = jsonsock_client_read(c);
	if (!ret && !c->out && !c->asked) {
		ret = jsonsock_client_step(c);
		if (ret < 0)
			return ret;
		ret = 0;
	}
	if (c->lost)
		return -ENOMEM;
	if (c->out)
		ret = jsonsock_client_send(c);
	if (ret && ret != -EAGAIN)
		return ret;
	if (c->out && !ev_is_active(&c->stall))
		ev_timer_again(c->cs->loop, &c->stall);
	/* more to do: writable wakes at once, or when there is room */
	if (c->asked)
		jsonsock_client_watch(c, 0);
	else if (c->out || jsonsock_client_line(c))
		jsonsock_client_watch(c, EV_WRITE);
	else if (c->eof)
		return -ESHUTDOWN;
	else
		jsonsock_client_watch(c, EV_READ);
	return 0;
}

static void jsonsock_client_lose(struct jsonclient *c)
{
	struct jsonsock *cs = c->cs;

	if (cs->ops.gone)
		cs->ops.gone(cs->data, c);
	jsonsock_client_free(c);
}

static void jsonsock_on_client(struct ev_loop *loop, ev_io *w, int revents)
{
	struct jsonclient *c = w->data;

	(void)loop;
	if (jsonsock_client_turn(c, revents))
		jsonsock_client_lose(c);
}

/* bytes, about, of answers that wait in the kernel */
static int jsonsock_client_unread(const struct jsonclient *c)
{
	int bytes = 0;

	return ioctl(c->io.fd, SIOCOUTQ, &bytes) ? 0 : bytes;
}

static void jsonsock_on_stall(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct jsonclient *c = w->data;
	size_t at = c->out_at;

	(void)revents;
	if (!c->out) {
		if (jsonsock_client_unread(c))
			jsonsock_client_lose(c);
		else
			ev_timer_stop(loop, w);
		return;
	}
	/* a loop that is late has not seen yet that there is room again */
	if (jsonsock_client_send(c) && c->out_at == at)
		jsonsock_client_lose(c);
}

/* the one that has nothing to wait for and was quiet longest; NULL: none */
static struct jsonclient *jsonsock_idlest(const struct jsonsock *cs)
{
	struct jsonclient *c, *most = NULL;

	for (c = cs->clients; c; c = c->next)
		if (!c->asked && !c->kept &&
		    (!most || c->active <= most->active))
			most = c;
	return most;
}

static void jsonsock_client_new(struct jsonsock *cs, int fd)
{
	static const char full[] =
		"{\"schema\":1,\"error\":\"too many clients\"}\n";
	const int bytes = UNREAD_BYTES;
	struct jsonclient *c = NULL;

	if (cs->nr_clients == CTLSOCK_MAX_CLIENTS && jsonsock_idlest(cs))
		jsonsock_client_lose(jsonsock_idlest(cs));
	if (cs->nr_clients < CTLSOCK_MAX_CLIENTS)
		c = calloc(1, sizeof(*c));
	if (!c) {
		(void)!send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL);
		close(fd);
		return;
	}
	/* it can only be larger without, so all the worse for the client */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	c->cs = cs;
	c->active = ev_now(cs->loop);
	c->out_fd = -1;
	c->next = cs->clients;
	c->prevp = &cs->clients;
	if (c->next)
		c->next->prevp = &c->next;
	cs->clients = c;
	cs->nr_clients++;
	ev_io_init(&c->io, jsonsock_on_client, fd, EV_READ);
	ev_timer_init(&c->stall, jsonsock_on_stall, 0., STALL_S);
	c->io.data = c;
	c->stall.data = c;
	ev_io_start(cs->loop, &c->io);
}

static void jsonsock_on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	struct jsonsock *cs = w->data;
	int fd;

	(void)revents;
	fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		jsonsock_client_new(cs, fd);
		return;
	}
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	/* no descriptor: the socket stays readable, so look away a while */
	ev_io_stop(loop, w);
	ev_timer_again(loop, &cs->pause);
}

static void jsonsock_on_pause(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct jsonsock *cs = w->data;

	(void)revents;
	ev_timer_stop(loop, w);
	ev_io_start(loop, &cs->accept);
}

int jsonsock_new(struct jsonsock **csp, struct ev_loop *loop, const char *path,
		 unsigned int flags, const struct jsonsock_ops *ops, void *data,
		 char *err_text, size_t err_size)
{
	struct jsonsock *cs = calloc(1, sizeof(*cs));
	int err;

	if (!cs) {
		snprintf(err_text, err_size, "control socket: no memory");
		return -ENOMEM;
	}
	err = jsonlisten_open(&cs->listener, path, flags, err_text,
			      err_size);
	if (err) {
		free(cs);
		return err;
	}
	cs->loop = loop;
	cs->ops = *ops;
	cs->data = data;
	ev_io_init(&cs->accept, jsonsock_on_accept, cs->listener.fd, EV_READ);
	ev_timer_init(&cs->pause, jsonsock_on_pause, 0., PAUSE_S);
	cs->accept.data = cs;
	cs->pause.data = cs;
	ev_io_start(loop, &cs->accept);
	*csp = cs;
	return 0;
}

void jsonsock_free(struct jsonsock *cs)
{
	if (!cs)
		return;
	while (cs->clients)
		jsonsock_client_free(cs->clients);
	ev_io_stop(cs->loop, &cs->accept);
	ev_timer_stop(cs->loop, &cs->pause);
	jsonlisten_close(&cs->listener);
	free(cs);
}
