/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a program, and takes its output and its end from the loop, so that a
 * deadline holds meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ublk-evctl/child.h"

/* seconds for ending after SIGTERM */
#define GRACE_S 5.

struct pipe_end {
	ev_io io;
	char *buf;
	size_t len;
};

struct child {
	struct evctl *t;
	struct child_end *end;
	ev_child watcher;
	ev_timer timer;
	struct pipe_end out, err;
	int ended;
	int told;
};

/* what does not fit is read and forgotten: nobody shall wait for us */
static int child_drain(struct pipe_end *p)
{
	char rest[CHILD_TEXT];
	ssize_t n;

	while ((n = read(p->io.fd, rest, sizeof(rest))) > 0) {
		if ((size_t)n > CHILD_TEXT - 1 - p->len)
			n = (ssize_t)(CHILD_TEXT - 1 - p->len);
		memcpy(p->buf + p->len, rest, (size_t)n);
		p->len += (size_t)n;
		p->buf[p->len] = '\0';
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void child_on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)revents;
	if (!child_drain(w->data))
		ev_io_stop(loop, w);
}

static void child_on_child(struct ev_loop *loop, ev_child *w, int revents)
{
	struct child *c = w->data;

	(void)revents;
	c->end->status = WIFEXITED(w->rstatus) ? WEXITSTATUS(w->rstatus) : -1;
	c->ended = 1;
	ev_child_stop(loop, w);
	ev_break(loop, EVBREAK_ONE);
}

/*
 * In time, if that is so, and this process is late to see it: its watcher is
 * about to be called.
 */
static int child_has_ended(const struct child *c)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_PID, (id_t)c->watcher.pid, &info,
		      WEXITED | WNOHANG | WNOWAIT) || info.si_pid;
}

static void child_on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct child *c = w->data;

	(void)revents;
	if (child_has_ended(c))
		return;
	kill(c->watcher.pid, c->told ? SIGKILL : SIGTERM);
	c->told = 1;
	c->end->late = 1;
	ev_timer_set(w, GRACE_S, 0.);
	ev_timer_start(loop, w);
}

static void child_open_end(struct child *c, struct pipe_end *p, int fd,
			   char *buf)
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
	p->buf = buf;
	buf[0] = '\0';
	ev_io_init(&p->io, child_on_io, fd, EV_READ);
	p->io.data = p;
	ev_io_start(c->t->loop, &p->io);
}

static void child_close_end(struct child *c, struct pipe_end *p)
{
	child_drain(p);
	ev_io_stop(c->t->loop, &p->io);
	close(p->io.fd);
}

static void __attribute__((noreturn))
child_become(char *const argv[], const int out[2], const int err[2])
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(out[1], STDOUT_FILENO);
	dup2(err[1], STDERR_FILENO);
	execv(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void child_wait_for(struct child *c)
{
	struct ev_loop *loop = c->t->loop;

	ev_now_update(loop);
	ev_timer_init(&c->timer, child_on_timer, evctl_left(c->t), 0.);
	c->timer.data = c;
	ev_timer_start(loop, &c->timer);
	while (!c->ended) {
		ev_run(loop, 0);
		if (!c->t->interrupted || c->ended)
			continue;
		c->t->interrupted = 0;
		ev_feed_event(loop, &c->timer, EV_TIMER);
	}
	ev_timer_stop(loop, &c->timer);
}

int child_run(struct evctl *t, char *const argv[], struct child_end *end)
{
	struct child c = { .t = t, .end = end };
	int out[2], err[2];
	pid_t pid;

	memset(end, 0, sizeof(*end));
	if (pipe2(out, O_CLOEXEC))
		return -errno;
	if (pipe2(err, O_CLOEXEC)) {
		close(out[0]);
		close(out[1]);
		return -errno;
	}
	pid = fork();
	if (!pid)
		child_become(argv, out, err);
	close(out[1]);
	close(err[1]);
	if (pid < 0) {
		close(out[0]);
		close(err[0]);
		return -EAGAIN;
	}
	child_open_end(&c, &c.out, out[0], end->out);
	child_open_end(&c, &c.err, err[0], end->err);
	ev_child_init(&c.watcher, child_on_child, pid, 0);
	c.watcher.data = &c;
	ev_child_start(t->loop, &c.watcher);
	child_wait_for(&c);
	child_close_end(&c, &c.out);
	child_close_end(&c, &c.err);
	return 0;
}
