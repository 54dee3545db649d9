/* SPDX-License-Identifier: BSD-2-Clause */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/holders.h"
#include "common/holdev.h"

/* budget of looking at a process, without its descriptors */
#define PID_COST 8

struct holders {
	char proc[HOLDEV_PATH];
	struct holdev dev;
	pid_t self;
	DIR *pids;
	DIR *fds;		/* of `pid`; NULL: go to the next one */
	pid_t pid;
	char comm[32];
	unsigned long ns;	/* mount namespace of `pid`, 0: unknown */
	unsigned long own_ns;	/* of `self`, 0: that of process 1 */
	unsigned long *seen_ns;
	unsigned int nr_ns;
	unsigned long *mount_ns;	/* of holder i, when it is a mount */
	struct holder *v;
	unsigned int nr;
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

/* "36 35 98:0 /root /mnt opt - type source opts", fields between blanks */
static void holders_mount_line(struct holders *h, char *line)
{
	char *f[5], *save = NULL, *sep, *source = NULL;
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
	/* btrfs and others have device numbers of their own */
	if (strtok_r(sep + 3, " \n", &save))
		source = strtok_r(NULL, " \n", &save);
	if (holdev_has_text(&h->dev, f[2]) ||
	    (source && holdev_is_node(&h->dev, source)))
		holders_add(h,
			    h->own_ns && h->ns == h->own_ns ? HOLDER_OWN_MOUNT :
			    HOLDER_MOUNT,
			    h->pid, h->comm, f[4]);
}

static FILE *holders_open_file(const char *dir, const char *name)
{
	char path[HOLDEV_PATH];

	if (!holdev_path(path, "%s/%s", dir, name))
		return NULL;
	return fopen(path, "re");
}

static void holders_read_mounts(struct holders *h, const char *dir)
{
	FILE *f = holders_open_file(dir, "mountinfo");
	char *line = NULL;
	size_t size = 0;

	if (!f)
		return;
	while (getline(&line, &size, f) > 0)
		holders_mount_line(h, line);
	free(line);
	fclose(f);
}

static void holders_read_swaps(struct holders *h)
{
	FILE *f = holders_open_file(h->proc, "swaps");
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
	FILE *f = holders_open_file(dir, "comm");
	char *p;

	h->comm[0] = '\0';
	if (!f)
		return;
	if (!fgets(h->comm, sizeof(h->comm), f))
		h->comm[0] = '\0';
	fclose(f);
	for (p = h->comm; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = *p == '\n' ? '\0' : '?';
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

/* 0: unknown */
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

/* a path below a mount point that this process sees */
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

	/* a mount that was found through this pid may follow */
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

/* one line a process and kind is enough to find it */
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
	if (fd < 0)
		return;
	holders_look_at(h, fd, "cwd");
	holders_look_at(h, fd, "root");
	holders_look_at(h, fd, "exe");
	close(fd);
	if (holdev_path(dir, "%s/%d/fd", h->proc, (int)h->pid))
		h->fds = opendir(dir);
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
	return h->err ? h->err : h->pids != NULL;
}

int holders_new(struct holders **hp, const char *root, int id, pid_t self)
{
	struct holders *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	h->self = self;
	snprintf(h->proc, sizeof(h->proc), "%s/proc", root);
	h->pids = opendir(h->proc);
	if (!h->pids) {
		err = -errno;
		free(h);
		return err;
	}
	h->own_ns = holders_ns_of(h, self);
	/* one that may not be known (EACCES) is taken for the same */
	if (!holders_ns_of(h, 1) || holders_ns_of(h, 1) == h->own_ns)
		h->own_ns = 0;
	holdev_init(&h->dev, root, id, holders_add_stacked, h);
	holders_read_swaps(h);
	if (h->err) {
		holders_free(h);
		return -ENOMEM;
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

static const char *const kind_names[] = {
	[HOLDER_MOUNT] = "mount",
	[HOLDER_OWN_MOUNT] = "mount",
	[HOLDER_SWAP] = "swap",
	[HOLDER_STACKED] = "stacked",
	[HOLDER_USER] = "user",
	[HOLDER_OPEN] = "open",
	[HOLDER_UDEV] = "udev",
};
static_assert(sizeof(kind_names) / sizeof(kind_names[0]) == HOLDER_NR_KINDS,
	      "each kind has a name");

const char *holder_kind_name(enum holder_kind kind)
{
	return kind_names[kind];
}

int holder_text(char *buf, size_t size, const struct holder *h)
{
	switch (h->kind) {
	case HOLDER_MOUNT:
		return snprintf(buf, size, "mounted on %s, seen by pid %d "
				"(%s): umount it", h->what, (int)h->pid,
				h->comm);
	case HOLDER_OWN_MOUNT:
		return snprintf(buf, size, "mounted on %s in the mount "
				"namespace of this server, which waits for "
				"itself if it ends so: nsenter -m -t %d "
				"umount %s", h->what, (int)h->pid, h->what);
	case HOLDER_SWAP:
		return snprintf(buf, size, "swap on %s: swapoff it", h->what);
	case HOLDER_STACKED:
		return snprintf(buf, size, "block device %s is made of it: "
				"take that down", h->what);
	case HOLDER_USER:
		return snprintf(buf, size, "pid %d (%s) uses %s",
				(int)h->pid, h->comm, h->what);
	default:
		return snprintf(buf, size, "pid %d (%s) has %s open",
				(int)h->pid, h->comm, h->what);
	}
}
