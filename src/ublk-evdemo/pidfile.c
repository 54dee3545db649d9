/* SPDX-License-Identifier: BSD-2-Clause */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ublk-evdemo/pidfile.h"

/*
 * What is in the file, in text: "" for nothing, "123" for a process id,
 * else -EEXIST: it is not ours to overwrite.
 */
static int pidfile_content(int fd, char text[16])
{
	struct stat st;
	ssize_t n, i;

	text[0] = '\0';
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EEXIST;
	n = pread(fd, text, 15, 0);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	for (i = 0; i < n && isdigit((unsigned char)text[i]); i++)
		;
	if (n && (i == 0 || i > 10 || text[i] != '\n' || text[i + 1]))
		return -EEXIST;
	text[i] = '\0';
	return 0;
}

/* whether path still names what fd is open on */
static int pidfile_same(int fd, const char *path)
{
	struct stat a, b;

	return !fstat(fd, &a) && !lstat(path, &b) && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* an open, locked fd of the file; a negative errno, and text if known */
static int pidfile_lock(const char *path, char text[16])
{
	int fd, err;

	for (;;) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
			  O_NONBLOCK | O_NOCTTY, 0644);
		if (fd < 0)
			return -errno;
		err = pidfile_content(fd, text);
		if (!err && flock(fd, LOCK_EX | LOCK_NB))
			err = errno == EWOULDBLOCK ? -EBUSY : -errno;
		if (!err && pidfile_same(fd, path))
			return fd;
		close(fd);
		if (err)
			return err;
		/* its owner removed it in between: make another */
	}
}

static int pidfile_fill(int fd)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	ssize_t n;

	if (ftruncate(fd, 0))
		return -errno;
	n = pwrite(fd, text, (size_t)len, 0);
	if (n < 0)
		return -errno;
	return n == len ? 0 : -ENOSPC;
}

static void pidfile_explain(char *buf, size_t size, const char *path, int err,
			    const char *pid)
{
	if (err == -EBUSY)
		snprintf(buf, size, "pidfile %s: process %s has it and lives: "
			 "end that, or give another --pidfile", path,
			 *pid ? pid : "?");
	else if (err == -EEXIST)
		snprintf(buf, size, "pidfile %s: there is a file that is no "
			 "pidfile: give another --pidfile", path);
	else
		snprintf(buf, size, "pidfile %s: %s: give another --pidfile",
			 path, strerror(-err));
}

int pidfile_open(struct pidfile *p, const char *path, char *err_text,
		 size_t err_size)
{
	char pid[16] = "";
	int err = 0;

	p->fd = -1;
	p->path = strdup(path);
	if (!p->path)
		err = -ENOMEM;
	if (!err) {
		p->fd = pidfile_lock(path, pid);
		err = p->fd < 0 ? p->fd : pidfile_fill(p->fd);
	}
	if (!err)
		return 0;
	pidfile_explain(err_text, err_size, path, err, pid);
	pidfile_close(p);
	return err == -EBUSY ? -EEXIST : err;
}

void pidfile_close(struct pidfile *p)
{
	/* removed before it is unlocked, or the next owner's would go */
	if (p->fd >= 0) {
		if (pidfile_same(p->fd, p->path))
			unlink(p->path);
		close(p->fd);
	}
	p->fd = -1;
	free(p->path);
	p->path = NULL;
}
