/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scan: /proc process by process, then the filesystems of /sys, then the
 * child of probe.c. It is cut into steps because the daemon does it in the loop
 * that serves the disk.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/holders.h"
#include "common/holdev.h"
#include "common/probe.h"

/* What looking at a process costs of the budget, without its descriptors. */
#define PID_COST 8
/* The pause between two looks at what the child has to say. */
#define PROBE_PAUSE_S .002

struct holders {
	const char *root;
	char proc[HOLDEV_PATH];
	struct holdev dev;
	pid_t self;
	DIR *pids;
	DIR *fds;		/* of `pid`; NULL: the next pid is due */
	pid_t pid;
	char comm[32];
	unsigned long ns;	/* mount namespace of `pid`, 0: unknown */
	unsigned long own_ns;	/* of `self`, 0: that of process 1 */
	unsigned long *seen_ns;
	unsigned int nr_ns;
	unsigned long *mount_ns;	/* in which holder i was seen */
	struct holder *v;
	unsigned int nr;
	struct probe probe;
	int seen_fs;
	int to_probe;		/* the child is still to be started */
	double heard_s;		/* when it last said something */
	int err;
};

static void holders_add(struct holders *h, enum holder_kind kind, pid_t pid,
			const char *comm, const char *what)
{
	unsigned long *ns;
	struct holder *v;

	v = realloc(h->v, (h->nr + 1) * sizeof(*v));
	if (v)
		h->v = v;
	ns = realloc(h->mount_ns, (h->nr + 1) * sizeof(*ns));
	if (ns)
		h->mount_ns = ns;
	if (!v || !ns) {
		h->err = -ENOMEM;
		return;
	}
	v = &h->v[h->nr];
	v->kind = kind;
	v->pid = pid;
	snprintf(v->comm, sizeof(v->comm), "%s", comm);
	v->what = strdup(what);
	if (!v->what) {
		h->err = -ENOMEM;
		return;
	}
	ns[h->nr++] = h->ns;
}

static void holders_add_stacked(void *data, const char *name)
{
	holders_add(data, HOLDER_STACKED, 0, "", name);
}

static void holders_add_fs(void *data, const char *name)
{
	holders_add(data, HOLDER_FS, 0, "", name);
}

/* The mounts of a namespace are read once, however many processes it has. */
static int holders_first_seen(struct holders *h)
{
	unsigned long *v;
	unsigned int i;

	for (i = 0; i < h->nr_ns; i++)
		if (h->seen_ns[i] == h->ns)
			return 0;
	v = realloc(h->seen_ns, (h->nr_ns + 1) * sizeof(*v));
	if (!v) {
		h->err = -ENOMEM;
		return 0;
	}
	h->seen_ns = v;
	v[h->nr_ns++] = h->ns;
	return 1;
}

/*
 * Undoes what mangle_path() of the kernel does with characters that would break
 * the line: it writes them as a backslash and three octal digits.
 */
static char *holders_unmangle(char *text)
{
	char *from = text, *to = text;

	while (*from) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' &&
		    from[2] >= '0' && from[2] <= '7' && from[3] >= '0' &&
		    from[3] <= '7') {
			*to++ = (char)((from[1] - '0') << 6 |
				       (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
	return text;
}

/* Whether the disk is the value of an option, as of xfs' logdev= and rtdev=. */
static int holders_in_options(const struct holders *h, char *options)
{
	char *save = NULL, *o, *value;

	for (o = strtok_r(options, ",\n", &save); o;
	     o = strtok_r(NULL, ",\n", &save)) {
		value = strchr(o, '=');
		if (value && holdev_is_node(&h->dev, value + 1))
			return 1;
	}
	return 0;
}

/* "36 35 98:0 /root /mnt opt - type source opts", fields between blanks */
static void holders_mount_line(struct holders *h, char *line)
{
	char *f[5], *save = NULL, *sep, *source = NULL, *options = NULL;
	unsigned int i;

	sep = strstr(line, " - ");
	if (!sep)
		return;
	*sep = '\0';
	for (i = 0; i < 5; i++) {
		f[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!f[i])
			return;
	}
	/* btrfs and others have numbers of their own: look at the source */
	if (strtok_r(sep + 3, " \n", &save))
		source = strtok_r(NULL, " \n", &save);
	if (source)
		options = strtok_r(NULL, " \n", &save);
	if (holdev_has_text(&h->dev, f[2]) ||
	    (source && holdev_is_node(&h->dev, source)) ||
	    (options && holders_in_options(h, options)))
		holders_add(h,
			    h->own_ns && h->ns == h->own_ns ? HOLDER_OWN_MOUNT :
			    HOLDER_MOUNT,
			    h->pid, h->comm, holders_unmangle(f[4]));
}

static FILE *holders_open_file(struct holders *h, const char *dir,
			       const char *name)
{
	char path[HOLDEV_PATH];
	FILE *f;

	if (!holdev_path(path, "%s/%s", dir, name))
		return NULL;
	f = fopen(path, "re");
	if (!f)
		holdev_not_opened(&h->dev);
	return f;
}

static void holders_read_mounts(struct holders *h, const char *dir)
{
	FILE *f = holders_open_file(h, dir, "mountinfo");
	char *line = NULL;
	size_t size = 0;

	/* of a process that ends: the next one of the namespace will do */
	if (!f && h->ns)
		h->nr_ns--;
	if (!f)
		return;
	while (getline(&line, &size, f) > 0)
		holders_mount_line(h, line);
	free(line);
	fclose(f);
}

static void holders_read_swaps(struct holders *h)
{
	FILE *f = holders_open_file(h, h->proc, "swaps");
	char *line = NULL, *save;
	size_t size = 0;

	if (!f)
		return;
	while (getline(&line, &size, f) > 0) {
		save = NULL;
		if (strtok_r(line, " \t\n", &save) &&
		    holdev_is_node(&h->dev, line))
			holders_add(h, HOLDER_SWAP, 0, "", line);
	}
	free(line);
	fclose(f);
}

static void holders_read_comm(struct holders *h, const char *dir)
{
	FILE *f = holders_open_file(h, dir, "comm");
	size_t n;

	h->comm[0] = '\0';
	if (!f)
		return;
	/* a name may hold newlines; only the last one is the kernel's */
	n = fread(h->comm, 1, sizeof(h->comm) - 1, f);
	h->comm[n && h->comm[n - 1] == '\n' ? n - 1 : n] = '\0';
	fclose(f);
}

static int holders_read_link(int dirfd, const char *name,
			     char target[HOLDEV_PATH])
{
	ssize_t n = readlinkat(dirfd, name, target, HOLDEV_PATH - 1);

	if (n < 0)
		return 0;
	target[n] = '\0';
	return 1;
}

/* The inode number of the mount namespace; 0 when it is not known. */
static unsigned long holders_ns_of(const struct holders *h, pid_t pid)
{
	char path[HOLDEV_PATH], target[HOLDEV_PATH];
	unsigned long ns;

	if (!holdev_path(path, "%s/%d/ns/mnt", h->proc, (int)pid) ||
	    !holders_read_link(AT_FDCWD, path, target) ||
	    sscanf(target, "mnt:[%lu]", &ns) != 1)
		return 0;
	return ns;
}

/* Whether a path of the process lies below a mount that was found. */
static int holders_on_mount(const struct holders *h, const char *path)
{
	unsigned int i;
	size_t len;

	for (i = 0; i < h->nr && h->ns; i++) {
		if (h->v[i].kind > HOLDER_OWN_MOUNT ||
		    h->mount_ns[i] != h->ns)
			continue;
		len = strlen(h->v[i].what);
		if (!strncmp(path, h->v[i].what, len) &&
		    (path[len] == '/' || !path[len]))
			return 1;
	}
	return 0;
}

static int holders_pid_has(const struct holders *h, enum holder_kind kind)
{
	unsigned int i = h->nr;

	/* what was found through this pid comes last, mounts among it */
	while (i && h->v[i - 1].pid == h->pid)
		if (h->v[--i].kind == kind)
			return 1;
	return 0;
}

static enum holder_kind holders_open_kind(const struct holders *h)
{
	static const char *const udev[] = {
		"(udev-worker)", "systemd-udevd", "udevd"
	};
	unsigned int i;

	for (i = 0; i < sizeof(udev) / sizeof(udev[0]); i++)
		if (!strcmp(h->comm, udev[i]))
			return HOLDER_UDEV;
	return HOLDER_OPEN;
}

/* A process is told once for each kind: that is enough to find it. */
static void holders_look_at(struct holders *h, int dirfd, const char *name)
{
	char target[HOLDEV_PATH];
	enum holder_kind kind = HOLDER_USER;

	if (!holders_read_link(dirfd, name, target) || target[0] != '/')
		return;
	if (holdev_may_be(target) && holdev_has_file(&h->dev, dirfd, name))
		kind = holders_open_kind(h);
	else if (!holders_on_mount(h, target))
		return;
	if (!holders_pid_has(h, kind))
		holders_add(h, kind, h->pid, h->comm, target);
}

static void holders_begin_pid(struct holders *h)
{
	char dir[HOLDEV_PATH];
	int fd;

	snprintf(dir, sizeof(dir), "%.*s/%d", HOLDEV_PATH / 2, h->proc,
		 (int)h->pid);
	holders_read_comm(h, dir);
	h->ns = holders_ns_of(h, h->pid);
	if (!h->ns || holders_first_seen(h))
		holders_read_mounts(h, dir);
	if (h->pid == h->self)
		return;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		holdev_not_opened(&h->dev);
		return;
	}
	holders_look_at(h, fd, "cwd");
	holders_look_at(h, fd, "root");
	holders_look_at(h, fd, "exe");
	close(fd);
	if (!holdev_path(dir, "%s/%d/fd", h->proc, (int)h->pid))
		return;
	h->fds = opendir(dir);
	if (!h->fds)
		holdev_not_opened(&h->dev);
}

static int holders_next_pid(struct holders *h)
{
	struct dirent *e;
	char *end;
	long pid;

	while ((e = readdir(h->pids))) {
		pid = strtol(e->d_name, &end, 10);
		if (*end || pid <= 0 || pid > INT_MAX)
			continue;
		h->pid = (pid_t)pid;
		holders_begin_pid(h);
		return 1;
	}
	return 0;
}

static void holders_next_fd(struct holders *h)
{
	struct dirent *e = readdir(h->fds);

	if (!e) {
		closedir(h->fds);
		h->fds = NULL;
	} else if (e->d_name[0] != '.') {
		holders_look_at(h, dirfd(h->fds), e->d_name);
	}
}

/* ---- what the child says ------------------------------------------------ */

static double holders_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/*
 * Whether a holder was named that claims the disk for itself
 * (bd_prepare_to_claim()): then the child's failed exclusive open is explained.
 */
static int holders_is_claimed(const struct holders *h)
{
	unsigned int i;

	for (i = 0; i < h->nr; i++)
		if (h->v[i].kind <= HOLDER_FS)
			return 1;
	return 0;
}

static int holders_has_pid(const struct holders *h, pid_t pid)
{
	unsigned int i;

	for (i = 0; i < h->nr; i++)
		if (h->v[i].pid == pid && h->v[i].kind > HOLDER_FS)
			return 1;
	return 0;
}

/*
 * Each superblock has a directory in /sys, also one whose mount was found
 * already. So filesystems are told only when no mount was found.
 */
static void holders_filesystems(struct holders *h)
{
	unsigned int i;

	h->seen_fs = 1;
	for (i = 0; i < h->nr && h->v[i].kind > HOLDER_OWN_MOUNT; i++)
		;
	if (i == h->nr)
		holdev_filesystems(&h->dev, h->root, holders_add_fs, h);
}

static void holders_start_child(struct holders *h)
{
	int err = probe_start(&h->probe, &h->dev, h->root, h->self);

	h->to_probe = 0;
	/* without the child nobody knows whether the disk is claimed */
	if (err && !holders_is_claimed(h))
		h->err = err;
	h->heard_s = holders_now();
}

static void holders_hear(struct holders *h, const struct probe_answer *a)
{
	switch (a->kind) {
	case PROBE_ALIVE:
		break;
	case PROBE_EXCLUSIVE:
		if (!holders_is_claimed(h))
			holders_add(h, HOLDER_UNNAMED, 0, "", a->what);
		break;
	case PROBE_STACKED:
		holders_add(h, HOLDER_STACKED, 0, "", a->what);
		break;
	case PROBE_MAPPED:
		if (!holders_has_pid(h, a->pid))
			holders_add(h, HOLDER_MAPPED, a->pid, a->comm,
				    a->what);
	}
}

static void holders_ask_child(struct holders *h)
{
	struct probe_answer a;
	int ret;

	while ((ret = probe_next(&h->probe, &a)) > 0) {
		holders_hear(h, &a);
		h->heard_s = holders_now();
	}
	if (!ret && holders_now() - h->heard_s < HOLDERS_SILENCE_S)
		return;
	probe_stop(&h->probe);
	if (!ret && !holders_is_claimed(h))
		holders_add(h, HOLDER_UNNAMED, 0, "", h->dev.name);
}

int holders_step(struct holders *h, unsigned int budget)
{
	unsigned int cost, used = 0;

	while (h->pids && !h->err && used < budget) {
		cost = h->fds ? 1 : PID_COST;
		if (h->fds) {
			holders_next_fd(h);
		} else if (!holders_next_pid(h)) {
			closedir(h->pids);
			h->pids = NULL;
		}
		used += cost;
	}
	if (!h->pids && !h->seen_fs)
		holders_filesystems(h);
	if (!h->err)
		h->err = h->dev.err;
	if (h->err)
		return h->err;
	if (!h->pids && h->to_probe)
		holders_start_child(h);
	else if (h->probe.pid)
		holders_ask_child(h);
	return h->err ? h->err : h->pids || h->probe.pid;
}

double holders_pause(const struct holders *h)
{
	return h->probe.pid ? PROBE_PAUSE_S : 0;
}

void holders_look_only(struct holders *h)
{
	h->to_probe = 0;
}

int holders_new(struct holders **hp, const char *root, int id, pid_t self)
{
	struct holders *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	h->self = self;
	h->root = root;
	h->to_probe = 1;
	snprintf(h->proc, sizeof(h->proc), "%s/proc", root);
	h->pids = opendir(h->proc);
	if (!h->pids) {
		err = -errno;
		free(h);
		return err;
	}
	h->own_ns = holders_ns_of(h, self);
	/* a namespace that may not be read (EACCES) is taken for the same */
	if (!holders_ns_of(h, 1) || holders_ns_of(h, 1) == h->own_ns)
		h->own_ns = 0;
	holdev_init(&h->dev, root, id, holders_add_stacked, h);
	holders_read_swaps(h);
	err = h->err ? h->err : h->dev.err;
	if (err) {
		holders_free(h);
		return err;
	}
	*hp = h;
	return 0;
}

void holders_free(struct holders *h)
{
	unsigned int i;

	if (!h)
		return;
	if (h->fds)
		closedir(h->fds);
	if (h->pids)
		closedir(h->pids);
	probe_stop(&h->probe);
	for (i = 0; i < h->nr; i++)
		free(h->v[i].what);
	free(h->v);
	free(h->mount_ns);
	free(h->seen_ns);
	free(h);
}

unsigned int holders_count(const struct holders *h)
{
	return h->nr;
}

const struct holder *holders_at(const struct holders *h, unsigned int i)
{
	return &h->v[i];
}
