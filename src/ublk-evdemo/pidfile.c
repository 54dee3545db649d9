/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes the file, by its lock, and writes the process id into it; or says
 * who has it.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
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
		/* The file's owner removed it in between: make another. */
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

/* the process that /proc/locks says has locked the file; 0: not to be seen */
static int pidfile_locker(const struct stat *st)
{
	FILE *f = fopen("/proc/locks", "re");
	unsigned int maj, min;
	unsigned long long ino;
	char line[256];
	int pid, found = 0;

	while (f && !found && fgets(line, sizeof(line), f))
		/* "1: FLOCK ADVISORY WRITE 4711 08:01:1234 0 EOF" */
		if (sscanf(line, "%*d: FLOCK %*s %*s %d %x:%x:%llu", &pid,
			   &maj, &min, &ino) == 4 && pid > 0 &&
		    ino == st->st_ino && makedev(maj, min) == st->st_dev)
			found = pid;
	if (f)
		fclose(f);
	return found;
}

/*
 * Whoever may read the file may lock it (flock(2) asks for no more), so the
 * lock alone does not tell that the process in it lives.
 */
static void pidfile_explain_lock(char *buf, size_t size, const char *path,
				 const char *pid)
{
	struct stat st;
	int locker = stat(path, &st) ? 0 : pidfile_locker(&st);

	if (!locker)
		snprintf(buf, size, "pidfile %s: somebody has locked it: end "
			 "that process, or give another --pidfile", path);
	else if (locker == atoi(pid))
		snprintf(buf, size, "pidfile %s: process %d has it and lives: "
			 "end that, or give another --pidfile", path, locker);
	else
		snprintf(buf, size, "pidfile %s: process %d has locked it, "
			 "and is not the one that it names: end that, or give "
			 "another --pidfile", path, locker);
}

static void pidfile_explain(char *buf, size_t size, const char *path, int err,
			    const char *pid)
{
	if (err == -EBUSY)
		pidfile_explain_lock(buf, size, path, pid);
	else if (err == -EEXIST)
		snprintf(buf, size, "pidfile %s: there is a file that is no "
			 "pidfile: give another --pidfile", path);
	else
		snprintf(buf, size, "pidfile %s: %s: %s", path, strerror(-err),
			 err == -EMFILE || err == -ENFILE ? "raise ulimit -n" :
			 "give another --pidfile");
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
	return err;
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
