/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The child's side of a probe: asks what may wait for the disk's server, and
 * tells each answer as soon as it is there. Between two questions it tells
 * that it is alive, so that a parent knows a slow answer from one that never
 * comes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/probe.h"

/*
 * Others who ask as we do claim the disk for a moment: only a claim that lasts
 * is told.
 */
#define EXCL_TRIES	10
#define EXCL_PAUSE_NS	(20 * 1000 * 1000)

static void probe_tell(int fd, enum probe_kind kind, pid_t pid,
		       const char *comm, const char *what)
{
	struct probe_answer a;

	memset(&a, 0, sizeof(a));
	a.kind = kind;
	a.pid = pid;
	snprintf(a.comm, sizeof(a.comm), "%s", comm);
	snprintf(a.what, sizeof(a.what), "%s", what);
	/* the parent has closed the pipe: nobody wants to know any more */
	if (write(fd, &a, sizeof(a)) != (ssize_t)sizeof(a))
		_exit(1);
}

/*
 * An exclusive open fails while any other holder has claimed the disk or a
 * partition (bd_may_claim()): a filesystem, swap, dm, md, zram, a journal.
 * Read-only, so that udev, which waits for a writer's close, is not called.
 */
static void probe_exclusive(int out, const struct holdev *d, const char *root)
{
	const struct timespec pause = { 0, EXCL_PAUSE_NS };
	char path[HOLDEV_PATH];
	int i, fd;

	if (!holdev_path(path, "%s/dev/%s", root, d->name) ||
	    !holdev_has_file(d, AT_FDCWD, path))
		return;
	for (i = 0; i < EXCL_TRIES; i++) {
		fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0)
			close(fd);
		if (fd >= 0 || errno != EBUSY)
			return;
		nanosleep(&pause, NULL);
	}
	probe_tell(out, PROBE_EXCLUSIVE, 0, "", path + strlen(root));
}

/*
 * Drivers that name the disk they use in a file of their own, and leave no link
 * in the disk's holders/.
 */
static void probe_backed_by(int out, const struct holdev *d, size_t skip,
			    const char *file)
{
	char line[HOLDEV_PATH];

	if (holdev_read_line(file, line, sizeof(line)) &&
	    holdev_is_node(d, line))
		probe_tell(out, PROBE_STACKED, 0, "", file + skip);
}

static void probe_backed(int out, const struct holdev *d, const char *root)
{
	static const char *const patterns[] = {
		"sys/class/block/zram*/backing_dev",
		"sys/kernel/config/nvmet/subsystems/*/namespaces/*/device_path",
		"sys/kernel/config/target/core/*/*/udev_path",
		"sys/kernel/config/usb_gadget/*/functions/*/lun.*/file",
	};
	char path[HOLDEV_PATH];
	size_t i, k;
	glob_t g;

	for (i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		if (!holdev_path(path, "%s/%s", root, patterns[i]) ||
		    glob(path, GLOB_NOSORT, NULL, &g))
			continue;
		for (k = 0; k < g.gl_pathc; k++)
			probe_backed_by(out, d, strlen(root), g.gl_pathv[k]);
		globfree(&g);
	}
}

/*
 * "7f00-7f10 rw-s 00000000 103:07 42    /mnt/file": the device is that of the
 * file's filesystem, in hexadecimal; the disk's own node lies in another one.
 */
static const char *probe_mapped(const struct holdev *d, char *line)
{
	unsigned int major, minor;
	int at = 0;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%*s %*s %*s %x:%x %*u %n", &major, &minor, &at) !=
		    2 || !at || line[at] != '/')
		return NULL;
	if (holdev_is_node(d, line + at) || holdev_has(d, major, minor))
		return line + at;
	return NULL;
}

static void probe_pid(int out, const struct holdev *d, const char *root,
		      pid_t pid)
{
	char path[HOLDEV_PATH], comm[32] = "", *line = NULL;
	const char *what = NULL;
	size_t size = 0;
	FILE *f;

	f = holdev_path(path, "%s/proc/%d/maps", root, (int)pid) ?
		    fopen(path, "re") : NULL;
	while (f && !what && getline(&line, &size, f) > 0)
		what = probe_mapped(d, line);
	if (what && holdev_path(path, "%s/proc/%d/comm", root, (int)pid))
		holdev_read_line(path, comm, sizeof(comm));
	if (what)
		probe_tell(out, PROBE_MAPPED, pid, comm, what);
	free(line);
	if (f)
		fclose(f);
}

static void probe_pids(int out, const struct holdev *d, const char *root,
		       pid_t self)
{
	char path[HOLDEV_PATH], *end;
	struct dirent *e;
	DIR *pids;
	long pid;

	pids = holdev_path(path, "%s/proc", root) ? opendir(path) : NULL;
	while (pids && (e = readdir(pids))) {
		pid = strtol(e->d_name, &end, 10);
		if (*end || pid <= 0 || pid > INT_MAX || pid == self)
			continue;
		probe_tell(out, PROBE_ALIVE, 0, "", "");
		probe_pid(out, d, root, (pid_t)pid);
	}
	if (pids)
		closedir(pids);
}

void probe_ask(int fd, const struct holdev *d, const char *root, pid_t self)
{
	/* names first: a claim is told only when nobody was named */
	probe_backed(fd, d, root);
	probe_tell(fd, PROBE_ALIVE, 0, "", "");
	probe_exclusive(fd, d, root);
	probe_tell(fd, PROBE_ALIVE, 0, "", "");
	probe_pids(fd, d, root, self);
}
