/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two halves of one connection: takeover_ask() waits for the old server's
 * answer, before there is a loop and a device, and from takeover_release() on
 * nothing waits, since the loop serves by then.
 */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "ublk-evdemo/json.h"
#include "ublk-evdemo/logger.h"
#include "ublk-evdemo/now.h"
#include "ublk-evdemo/takeover.h"

/* seconds for each of the server's answers, but for that to 'release' */
#define PATIENCE_S 5

void takeover_init(struct takeover *t)
{
	memset(t, 0, sizeof(*t));
	t->fd = -1;
	t->memory_fd = -1;
}

/* ---- before the loop ---------------------------------------------------- */

static int takeover_dial(const char *path)
{
	const struct timeval patience = { PATIENCE_S, 0 };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
			sizeof(patience)) &&
	    !connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int takeover_say(const struct takeover *t, const char *text)
{
	size_t len = strlen(text);

	return send(t->fd, text, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 :
	       -EPIPE;
}

static void takeover_keep_fd(struct takeover *t, struct msghdr *m)
{
	struct cmsghdr *h = CMSG_FIRSTHDR(m);
	size_t i, n;
	int fd;

	if (!h || h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
		return;
	/* the padding after one has room for another */
	n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
	for (i = 0; i < n; i++) {
		memcpy(&fd, CMSG_DATA(h) + i * sizeof(fd), sizeof(fd));
		if (t->memory_fd < 0)
			t->memory_fd = fd;
		else
			close(fd);
	}
}

/* some bytes of an answer: their number, or a negative errno */
static ssize_t takeover_hear(struct takeover *t)
{
	struct iovec iov = { t->line + t->len,
			     sizeof(t->line) - 1 - t->len };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} u;
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buf, .msg_controllen = sizeof(u.buf),
	};
	ssize_t n;

	if (!iov.iov_len)
		return -EMSGSIZE;
	n = recvmsg(t->fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	if (!n)
		return -EPIPE;
	takeover_keep_fd(t, &m);
	t->len += (size_t)n;
	t->line[t->len] = '\0';
	return n;
}

/* the object of the line that is there; NULL: not all of it, or none */
static json_t *takeover_parsed(struct takeover *t)
{
	char *end = strchr(t->line, '\n');
	json_t *top;

	if (!end)
		return NULL;
	*end++ = '\0';
	top = json_loads(t->line, 0, NULL);
	t->len -= (size_t)(end - t->line);
	memmove(t->line, end, t->len + 1);
	return top ? top : json_object();
}

static const char *takeover_error_of(const json_t *top)
{
	return json_string_value(json_object_get(top, "error"));
}

/* A recovery after this server has to know what the disk is, too. */
static void takeover_note_disk(struct opts *o)
{
	opts_kept_note(o, "backend");
	opts_kept_note(o, "size");
	opts_kept_note(o, "block-size");
	if (o->read_only)
		opts_kept_note(o, "read-only");
	if (o->huge_pages)
		opts_kept_note(o, "huge-pages");
	if (o->offset_bytes)
		opts_kept_note(o, "offset");
	if (o->buffered)
		opts_kept_note(o, "buffered");
}

/* 0, or what it lacks */
static int takeover_take_disk(struct takeover *t, struct opts *o, json_t *top)
{
	const char *backend, *recovery;
	int read_only, huge_pages, unprivileged, id, buffered = 0;
	json_int_t bytes, block, offset = 0;
	int mode, kind;

	if (json_unpack(top,
			"{s:i, s:s, s:I, s:I, s:b, s:b, s:b, s:b, s:s, s?:I, "
			"s?:b, s?:b}",
			"id", &id, "backend", &backend, "dev_bytes", &bytes,
			"logical_block_bytes", &block, "read_only", &read_only,
			"huge_pages", &huge_pages, "unprivileged",
			&unprivileged, "stays", &t->stays, "recovery",
			&recovery, "offset_bytes", &offset, "buffered",
			&buffered, "lost_writes", &t->lost_writes))
		return -EPROTO;
	mode = opts_recovery(recovery);
	kind = opts_backend(backend);
	if (id < 0 || block < 512 || block > 4096 || block & (block - 1) ||
	    bytes < block || bytes % block || mode < 0 || kind < 0 ||
	    offset < 0 || offset % block)
		return -EPROTO;
	if (mode == UBLKEV_RECOVERY_NONE)
		return -EOPNOTSUPP;
	o->recover_id = id;
	o->backend = (enum opts_backend)kind;
	t->waits = kind == OPTS_FILE;
	o->offset_bytes = (uint64_t)offset;
	o->size_bytes = (uint64_t)bytes;
	o->block_bytes = (uint32_t)block;
	o->read_only = read_only;
	o->huge_pages = huge_pages;
	o->buffered = buffered;
	o->unprivileged = unprivileged;
	o->recovery = (enum ublkev_recovery)mode;
	takeover_note_disk(o);
	return 0;
}

/* 0: there is something to hear; -EAGAIN: not before the deadline */
static int takeover_await(const struct takeover *t, uint64_t deadline_ns)
{
	struct pollfd p = { t->fd, POLLIN, 0 };
	uint64_t now = now_ns();
	int n;

	if (now >= deadline_ns)
		return -EAGAIN;
	n = poll(&p, 1, (int)((deadline_ns - now) / 1000000) + 1);
	if (n < 0 && errno != EINTR)
		return -errno;
	return 0;
}

/* the whole line, however small the pieces in which it comes */
static int takeover_hear_line(struct takeover *t, json_t **topp)
{
	uint64_t deadline_ns = now_ns() + PATIENCE_S * UINT64_C(1000000000);
	ssize_t n;
	int err;

	for (;;) {
		/* what is there was in time, however late we are to hear it */
		n = takeover_hear(t);
		if (n < 0 && n != -EAGAIN && n != -EINTR)
			return (int)n;
		*topp = takeover_parsed(t);
		if (*topp)
			return 0;
		err = takeover_await(t, deadline_ns);
		if (err)
			return err;
	}
}

/* what this version does not know, or like, has its default, and a line */
static void takeover_inherit(struct takeover *t, struct opts *o, json_t *top)
{
	const char *name;
	json_t *value;

	t->options = json_incref(json_object_get(top, "options"));
	json_take_kept(t->options);
	json_object_foreach(t->options, name, value)
		if (opts_inherit(o, OPTS_OF_LIFE, name,
				 json_string_value(value)))
			log_msg(LOG_WARNING, "option --%s of the server that "
				"is taken over: not taken on", name);
}

static int takeover_request(struct takeover *t, struct opts *o, char *why,
			    size_t size)
{
	json_t *top;
	int err;

	t->fd = takeover_dial(o->take_over);
	if (t->fd < 0)
		return t->fd;
	err = takeover_say(t, "memory\n");
	if (!err)
		err = takeover_hear_line(t, &top);
	if (err)
		return err;
	if (takeover_error_of(top)) {
		snprintf(why, size, "%s", takeover_error_of(top));
		err = -ECONNREFUSED;
	} else {
		err = takeover_take_disk(t, o, top);
		takeover_inherit(t, o, top);
	}
	json_decref(top);
	if (!err && o->backend != OPTS_NULL && t->memory_fd < 0)
		err = -EOPNOTSUPP;
	return err;
}

int takeover_ask(struct takeover *t, struct opts *o, char *err_text,
		 size_t err_size)
{
	char why[256] = "";
	int err = takeover_request(t, o, why, sizeof(why));

	if (!err)
		return 0;
	if (!why[0])
		snprintf(why, sizeof(why), "%s", err == -EAGAIN ?
			 "no answer" : strerror(-err));
	switch (err) {
	case -EOPNOTSUPP:
		snprintf(err_text, err_size, "take over %s: its device was "
			 "made without --recovery, and ends with its server",
			 o->take_over);
		break;
	case -EPROTO:
		snprintf(err_text, err_size, "take over %s: its answer makes "
			 "no sense: is that a ublk-evdemo?", o->take_over);
		break;
	default:
		snprintf(err_text, err_size, "take over %s: %s: give the "
			 "control socket of a server whose device is live",
			 o->take_over, why);
	}
	takeover_fini(t);
	return err;
}

/* ---- in the loop -------------------------------------------------------- */

/* nothing more is expected of the server */
static void takeover_hang_up(struct takeover *t)
{
	if (t->loop) {
		ev_io_stop(t->loop, &t->io);
		ev_timer_stop(t->loop, &t->timer);
	}
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

static void takeover_go(struct takeover *t)
{
	t->gone = 1;
	t->ops.go(t->data);
}

static void takeover_end(struct takeover *t)
{
	takeover_hang_up(t);
	t->ops.done(t->data);
}

static void takeover_on_answer(struct takeover *t, const json_t *top)
{
	const char *why = takeover_error_of(top);
	char copy[256];

	t->lost_writes |= json_is_true(json_object_get(top, "lost_writes"));
	if (t->waits && !t->gone &&
	    json_is_true(json_object_get(top, "released")))
		takeover_go(t);
	/* we may be live before we hear that it was released */
	if (json_is_true(json_object_get(top, "done")) ||
	    (why && t->done_said)) {
		takeover_end(t);
	} else if (why) {
		snprintf(copy, sizeof(copy), "%s", why);
		takeover_hang_up(t);
		t->ops.refused(t->data, copy);
	}
}

static void takeover_on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct takeover *t = w->data;
	json_t *top;
	ssize_t n;

	(void)loop;
	(void)revents;
	n = takeover_hear(t);
	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n < 0) {
		/* a server that died is one more that can be recovered */
		if (t->done_said) {
			takeover_end(t);
			return;
		}
		takeover_hang_up(t);
		if (!t->gone)
			takeover_go(t);
		return;
	}
	while (t->fd >= 0 && (top = takeover_parsed(t))) {
		takeover_on_answer(t, top);
		json_decref(top);
	}
}

static void takeover_on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	takeover_end(w->data);
}

void takeover_release(struct takeover *t, struct ev_loop *loop,
		      const struct takeover_ops *ops, void *data)
{
	t->loop = loop;
	t->ops = *ops;
	t->data = data;
	ev_io_init(&t->io, takeover_on_io, t->fd, EV_READ);
	ev_timer_init(&t->timer, takeover_on_timer, PATIENCE_S, 0.);
	t->io.data = t;
	t->timer.data = t;
	ev_io_start(loop, &t->io);
	t->release_ns = now_ns();
	/* if it cannot be said, the end of the connection is heard */
	(void)takeover_say(t, "release\n");
	/*
	 * A disk in a file may lose writes up to the last request that is
	 * answered there, which is to be known before the first one is here.
	 */
	if (t->stays && !t->waits)
		takeover_go(t);
}

double takeover_done(struct takeover *t)
{
	double ms = (double)(now_ns() - t->release_ns) / 1e6;

	t->done_said = 1;
	ev_timer_start(t->loop, &t->timer);
	if (t->fd >= 0 && !takeover_say(t, "done\n"))
		return ms;
	/* from the loop, as ever */
	ev_feed_event(t->loop, &t->timer, EV_TIMER);
	return ms;
}

void takeover_fini(struct takeover *t)
{
	takeover_hang_up(t);
	if (t->memory_fd >= 0)
		close(t->memory_fd);
	t->memory_fd = -1;
	json_decref(t->options);
	t->options = NULL;
}
