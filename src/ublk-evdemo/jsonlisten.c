/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Binds the socket where nobody listens any more. One that is to replace
 * another's gets a name of its own and is renamed over it, so that there is
 * no moment without a socket; a lock keeps two servers from replacing each
 * other's.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ublk-evdemo/jsonlisten.h"

/* of 10 ms each */
#define LOCK_TRIES 50

/*
 * Between the look at an old socket and the bind of the new one the
 * directory is locked, or two that start at once would each replace the
 * other's. Best effort: a directory that cannot be locked is no reason to
 * go without a socket. Whoever may read it may lock it, so the loop of a live
 * device tries once only.
 */
static int jsonlisten_lock_dir(const char *path, int max_tries)
{
	const struct timespec pause = { 0, 10 * 1000 * 1000 };
	char *copy = strdup(path);
	int fd = -1, tries;

	if (!copy)
		return -1;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	for (tries = 0; fd >= 0 && tries < max_tries; tries++) {
		if (tries)
			nanosleep(&pause, NULL);
		if (!flock(fd, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK)
			break;
	}
	return fd;
}

static int jsonlisten_new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			0);

	return fd < 0 ? -errno : fd;
}

/* 0: the path is free, or was made so, or may be replaced */
static int jsonlisten_clear_path(const struct sockaddr_un *addr,
				 unsigned int replace)
{
	struct stat st;
	int fd, err;

	if (lstat(addr->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	if (replace)
		return 0;
	fd = jsonlisten_new_socket();
	if (fd < 0)
		return fd;
	err = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) ?
	      -errno : 0;
	close(fd);
	if (err == -ECONNREFUSED)
		return unlink(addr->sun_path) ? -errno : 0;
	/* -EAGAIN: its backlog is full; -EPROTOTYPE: not a stream */
	return !err || err == -EAGAIN || err == -EPROTOTYPE ? -EADDRINUSE :
	       err;
}

static int jsonlisten_bind_listen(int fd, const struct sockaddr_un *addr)
{
	mode_t old;
	int err;

	/* never more than 0600, not even until a chmod */
	old = umask(0177);
	err = bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) ?
	      -errno : 0;
	umask(old);
	if (err)
		return err;
	if (!listen(fd, 16))
		return 0;
	err = -errno;
	unlink(addr->sun_path);
	return err;
}

/* under a name of its own beside it, which then becomes the path's */
static int jsonlisten_bind_over(int fd, const struct sockaddr_un *addr)
{
	struct sockaddr_un own = { .sun_family = AF_UNIX };
	int n, err;

	n = snprintf(own.sun_path, sizeof(own.sun_path), "%.*s.%d",
		     (int)sizeof(addr->sun_path) - 1, addr->sun_path,
		     (int)getpid());
	if (n < 0 || (size_t)n >= sizeof(own.sun_path))
		return -ENAMETOOLONG;
	err = jsonlisten_bind_listen(fd, &own);
	if (err || !rename(own.sun_path, addr->sun_path))
		return err;
	err = -errno;
	unlink(own.sun_path);
	return err;
}

static int jsonlisten_open_at(struct jsonlisten *l,
			      const struct sockaddr_un *addr,
			      unsigned int replace)
{
	struct stat st;
	int err;

	err = jsonlisten_clear_path(addr, replace);
	if (err)
		return err;
	l->fd = jsonlisten_new_socket();
	if (l->fd < 0)
		return l->fd;
	err = replace ? jsonlisten_bind_over(l->fd, addr) :
			jsonlisten_bind_listen(l->fd, addr);
	if (!err && lstat(addr->sun_path, &st))
		err = -errno;
	if (err) {
		close(l->fd);
		return err;
	}
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return 0;
}

static const char *jsonlisten_remedy(int err)
{
	switch (err) {
	case -EADDRINUSE:
		return "somebody listens there; give another path";
	case -EEXIST:
		return "it is there and no socket; give another path";
	case -ENOENT:
		return "its directory is missing; make it";
	case -EACCES:
	case -EPERM:
		return "its directory is not writable; give another path";
	case -EMFILE:
	case -ENFILE:
		return "raise ulimit -n";
	default:
		return "give another path";
	}
}

int jsonlisten_open(struct jsonlisten *l, const char *path, unsigned int flags,
		    char *err_text, size_t err_size)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int err = 0, dir;

	l->fd = -1;
	l->path = strdup(path);
	if (!l->path)
		err = -ENOMEM;
	else if (strlen(path) >= sizeof(addr.sun_path))
		err = -ENAMETOOLONG;
	if (!err) {
		memcpy(addr.sun_path, path, strlen(path) + 1);
		dir = jsonlisten_lock_dir(path, flags & JSONLISTEN_WAIT ?
					  LOCK_TRIES : 1);
		err = jsonlisten_open_at(l, &addr, flags & JSONLISTEN_REPLACE);
		if (dir >= 0)
			close(dir);
	}
	if (!err)
		return 0;
	l->fd = -1;
	free(l->path);
	l->path = NULL;
	snprintf(err_text, err_size, "control socket %s: %s: %s", path,
		 strerror(-err), jsonlisten_remedy(err));
	return err;
}

void jsonlisten_close(struct jsonlisten *l)
{
	struct stat st;

	if (l->fd < 0)
		return;
	if (!lstat(l->path, &st) && st.st_dev == l->dev &&
	    st.st_ino == l->ino)
		unlink(l->path);
	close(l->fd);
	l->fd = -1;
	free(l->path);
	l->path = NULL;
}
