/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The child, which calls only what may be called in a child of a program with
 * threads, and the pipe through which its answer comes.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ublk-evdemo/daemon.h"
#include "ublk-evdemo/lengthen.h"

static int lengthen_file(int fd, off_t bytes)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size >= bytes)
		return 0;
	return ftruncate(fd, bytes) ? -errno : 0;
}

/*
 * A copy of ublkc here would make DEL_DEV wait for this child, so everything but
 * pipe and file is closed. With its signal blocked RLIMIT_FSIZE is an error.
 */
static void __attribute__((noreturn))
lengthen_child(int pipe, int fd, off_t bytes)
{
	sigset_t all;
	int err;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	dup2(pipe, 0);
	dup2(fd, 1);
	daemon_close_inherited();
	err = lengthen_file(1, bytes);
	/* nobody else could be told */
	_exit(write(0, &err, sizeof(err)) != sizeof(err));
}

static void lengthen_on_answer(struct ev_loop *loop, ev_io *w, int revents)
{
	struct lengthen *l = w->data;
	int err = -EIO;
	ssize_t n = read(w->fd, &err, sizeof(err));

	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof(err))
		err = -EIO;
	lengthen_stop(l, loop);
	l->fn(l->data, err);
}

void lengthen_init(struct lengthen *l, lengthen_fn *fn, void *data)
{
	l->fn = fn;
	l->data = data;
	ev_init(&l->answer, lengthen_on_answer);
	l->answer.data = l;
}

int lengthen_start(struct lengthen *l, struct ev_loop *loop, int fd,
		   uint64_t bytes)
{
	int p[2], err;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	pid = fork();
	if (!pid)
		lengthen_child(p[1], fd, (off_t)bytes);
	err = pid < 0 ? -errno : 0;
	close(p[1]);
	if (err) {
		close(p[0]);
		return err;
	}
	ev_io_set(&l->answer, p[0], EV_READ);
	ev_io_start(loop, &l->answer);
	return 0;
}

int lengthen_is_active(const struct lengthen *l)
{
	return ev_is_active(&l->answer);
}

void lengthen_stop(struct lengthen *l, struct ev_loop *loop)
{
	if (!ev_is_active(&l->answer))
		return;
	ev_io_stop(loop, &l->answer);
	close(l->answer.fd);
}
