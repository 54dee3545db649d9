/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads /proc: which processes have a ublk character device open, who they
 * are, and whether there may be others that /proc does not show.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/statx.h"
#include "ublk-evctl/procs.h"

/* PROC_PID_INIT_INO of include/linux/proc_ns.h (uapi: PID_NS_INIT_INO) */
#define INIT_PID_NS "pid:[4026531836]"

int procs_line(char *buf, size_t size, const char *root, const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;
	size_t at;
	FILE *f;
	int err;

	at = (size_t)snprintf(path, sizeof(path), "%s/", root);
	if (at >= sizeof(path))
		return -ENAMETOOLONG;
	va_start(ap, fmt);
	vsnprintf(path + at, sizeof(path) - at, fmt, ap);
	va_end(ap);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	err = fgets(buf, (int)size, f) ? 0 : ferror(f) ? -EIO : -ENODATA;
	fclose(f);
	if (err)
		buf[0] = '\0';
	else
		buf[strcspn(buf, "\n")] = '\0';
	return err;
}

int procs_stat(const char *root, int pid, char *state, unsigned int *flags)
{
	char line[1024], *p;

	if (pid <= 0 || procs_line(line, sizeof(line), root, "proc/%d/stat",
				   pid))
		return -ENOENT;
	/* the name may hold anything, ")" too */
	p = strrchr(line, ')');
	if (!p || sscanf(p + 1, " %c %*d %*d %*d %*d %*d %u", state,
			 flags) != 2)
		return -ENOENT;
	return 0;
}

int procs_alive(const char *root, int pid)
{
	unsigned int flags;
	char state;

	return !procs_stat(root, pid, &state, &flags) && state != 'Z' &&
	       state != 'X';
}

void procs_comm(const char *root, int pid, char *buf, size_t size)
{
	if (procs_line(buf, size, root, "proc/%d/comm", pid))
		buf[0] = '\0';
}

static int procs_target(char *buf, size_t size, const char *path)
{
	ssize_t n = readlink(path, buf, size - 1);

	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return 0;
}

/* the N of prefixN, -1: it is something else */
static int procs_number_of(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);
	int id, end = 0;

	if (strncmp(text, prefix, len) ||
	    sscanf(text + len, "%d%n", &id, &end) != 1 || text[len + end] ||
	    id < 0)
		return -1;
	return id;
}

/*
 * The N of the ublkcN that an open file is, -1: it is something else. A
 * server in a chroot or container may have it under any name, so that the
 * name counts only where there is no file, or no /sys, to ask.
 */
static int procs_char_id(const char *root, const char *path, const char *name)
{
	char sys[PATH_MAX], to[PATH_MAX];
	struct statx st;
	int n;

	/* what the inode in memory knows: no filesystem is asked */
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		  STATX_TYPE, &st))
		return procs_number_of(name, "/dev/ublkc");
	if (!S_ISCHR(st.stx_mode))
		return -1;
	n = snprintf(sys, sizeof(sys), "%s/sys/dev/char/%u:%u", root,
		     st.stx_rdev_major, st.stx_rdev_minor);
	if (n >= (int)sizeof(sys) || procs_target(to, sizeof(to), sys))
		return procs_number_of(name, "/dev/ublkc");
	return strrchr(to, '/') ? procs_number_of(strrchr(to, '/'), "/ublkc") :
				  -1;
}

/* 0, or 1 when the process did not let us look */
static int procs_look_into(const char *root, int pid,
		     void (*found)(void *data, int id, int pid), void *data)
{
	char path[PATH_MAX], to[64];
	struct dirent *e;
	size_t at;
	DIR *fds;
	int id;

	at = (size_t)snprintf(path, sizeof(path), "%s/proc/%d/fd", root, pid);
	if (at >= sizeof(path) - sizeof(e->d_name) - 2)
		return 1;
	fds = opendir(path);
	if (!fds)
		return errno != ENOENT && errno != ESRCH;
	while ((e = readdir(fds))) {
		snprintf(path + at, sizeof(path) - at, "/%s", e->d_name);
		if (procs_target(to, sizeof(to), path))
			continue;
		/* a pipe, a socket, a ring */
		if (to[0] != '/')
			continue;
		id = procs_char_id(root, path, to);
		if (id >= 0)
			found(data, id, pid);
	}
	closedir(fds);
	return 0;
}

/* in a pid namespace of its own, /proc does not show all there are */
static int procs_sees_all(const char *root)
{
	char path[PATH_MAX], to[64];

	snprintf(path, sizeof(path), "%s/proc/self/ns/pid", root);
	return procs_target(to, sizeof(to), path) || !strcmp(to, INIT_PID_NS);
}

int procs_servers(const char *root,
		  void (*found)(void *data, int id, int pid), void *data)
{
	char path[PATH_MAX];
	struct dirent *e;
	char *end;
	int blind;
	DIR *pids;
	long pid;

	snprintf(path, sizeof(path), "%s/proc", root);
	pids = opendir(path);
	if (!pids)
		return 1;
	blind = !procs_sees_all(root);
	while ((e = readdir(pids))) {
		pid = strtol(e->d_name, &end, 10);
		if (*end || pid <= 0 || pid > INT_MAX)
			continue;
		blind |= procs_look_into(root, (int)pid, found, data);
	}
	closedir(pids);
	return blind;
}
