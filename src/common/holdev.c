/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Directories and files of /sys, read by name: nothing here needs libudev or
 * libblkid, which would open the disk.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/holdev.h"
#include "common/statx.h"

int holdev_path(char path[HOLDEV_PATH], const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(path, HOLDEV_PATH, fmt, ap);
	va_end(ap);
	return n >= 0 && n < HOLDEV_PATH;
}

int holdev_read_line(const char *path, char *buf, int size)
{
	FILE *f = fopen(path, "re");
	int ok;

	if (!f)
		return 0;
	ok = fgets(buf, size, f) != NULL;
	fclose(f);
	if (ok)
		buf[strcspn(buf, "\n")] = '\0';
	return ok;
}

void holdev_not_opened(struct holdev *d)
{
	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
		d->err = -errno;
}

static DIR *holdev_open_dir(struct holdev *d, const char *path)
{
	DIR *v = opendir(path);

	if (!v)
		holdev_not_opened(d);
	return v;
}

/* as holdev_read_line() */
static int holdev_look_at_line(struct holdev *d, const char *path, char *buf,
			       int size)
{
	int ok;

	errno = 0;
	ok = holdev_read_line(path, buf, size);
	if (!ok)
		holdev_not_opened(d);
	return ok;
}

static void holdev_read_number(struct holdev *d, const char *dir)
{
	char path[HOLDEV_PATH], buf[32];
	unsigned int major, minor;

	if (d->nr == HOLDEV_MAX || !holdev_path(path, "%s/dev", dir) ||
	    !holdev_look_at_line(d, path, buf, sizeof(buf)) ||
	    sscanf(buf, "%u:%u", &major, &minor) != 2)
		return;
	d->v[d->nr].major = major;
	d->v[d->nr++].minor = minor;
}

static void holdev_read_holders(struct holdev *d, const char *dir,
				holdev_cb *stacked, void *data)
{
	char path[HOLDEV_PATH];
	struct dirent *e;
	DIR *h;

	h = holdev_path(path, "%s/holders", dir) ? holdev_open_dir(d, path) :
						   NULL;
	if (!h)
		return;
	while ((e = readdir(h)))
		if (e->d_name[0] != '.')
			stacked(data, e->d_name);
	closedir(h);
}

/* A loop device has no entry in holders/, but names its file. */
static void holdev_read_loops(struct holdev *d,
			      holdev_cb *stacked, void *data)
{
	char path[HOLDEV_PATH], file[HOLDEV_PATH];
	struct dirent *e;
	DIR *all = holdev_open_dir(d, d->sys);

	if (!all)
		return;
	while ((e = readdir(all)))
		if (!strncmp(e->d_name, "loop", 4) &&
		    holdev_path(path, "%s/%s/loop/backing_file", d->sys,
				e->d_name) &&
		    holdev_look_at_line(d, path, file, sizeof(file)) &&
		    holdev_is_node(d, file))
			stacked(data, e->d_name);
	closedir(all);
}

void holdev_init(struct holdev *d, const char *root, int id,
		 holdev_cb *stacked, void *data)
{
	char dir[HOLDEV_PATH], part[HOLDEV_PATH];
	struct dirent *e;
	DIR *disk;

	d->nr = 0;
	d->err = 0;
	snprintf(d->name, sizeof(d->name), "ublkb%d", id);
	disk = NULL;
	if (holdev_path(d->sys, "%s/sys/class/block", root) &&
	    holdev_path(dir, "%s/%s", d->sys, d->name))
		disk = holdev_open_dir(d, dir);
	if (!disk)
		return;
	holdev_read_number(d, dir);
	holdev_read_holders(d, dir, stacked, data);
	while ((e = readdir(disk))) {
		if (strncmp(e->d_name, d->name, strlen(d->name)) ||
		    !holdev_path(part, "%s/%s", dir, e->d_name))
			continue;
		holdev_read_number(d, part);
		holdev_read_holders(d, part, stacked, data);
	}
	closedir(disk);
	holdev_read_loops(d, stacked, data);
}

int holdev_has(const struct holdev *d, unsigned int major, unsigned int minor)
{
	unsigned int i;

	for (i = 0; i < d->nr; i++)
		if (d->v[i].major == major && d->v[i].minor == minor)
			return 1;
	return 0;
}

int holdev_has_text(const struct holdev *d, const char *text)
{
	unsigned int major, minor;

	return sscanf(text, "%u:%u", &major, &minor) == 2 &&
	       holdev_has(d, major, minor);
}

int holdev_is_name(const struct holdev *d, const char *name)
{
	size_t len = strlen(d->name);

	if (strncmp(name, d->name, len))
		return 0;
	name += len;
	if (*name == 'p' && isdigit((unsigned char)name[1]))
		for (name++; isdigit((unsigned char)*name); name++)
			;
	return !*name;
}

int holdev_is_node(const struct holdev *d, const char *path)
{
	return !strncmp(path, "/dev/", 5) && holdev_is_name(d, path + 5);
}

/* Whether a directory has an entry that is named as the disk or a partition. */
static int holdev_is_in(struct holdev *d, const char *dir)
{
	struct dirent *e;
	int found = 0;
	DIR *v;

	v = holdev_open_dir(d, dir);
	if (!v)
		return 0;
	while (!found && (e = readdir(v)))
		found = holdev_is_name(d, e->d_name);
	closedir(v);
	return found;
}

/*
 * btrfs has a directory for each filesystem that is open (btrfs_sysfs_add_fsid,
 * called by open_ctree()), with a link for each of its devices.
 */
static void holdev_read_btrfs(struct holdev *d, const char *root,
			      holdev_cb *found, void *data)
{
	char path[HOLDEV_PATH], what[64];
	struct dirent *e;
	DIR *all;

	all = holdev_path(path, "%s/sys/fs/btrfs", root) ?
		holdev_open_dir(d, path) : NULL;
	if (!all)
		return;
	while ((e = readdir(all))) {
		if (e->d_name[0] == '.' ||
		    !holdev_path(path, "%s/sys/fs/btrfs/%s/devices", root,
				 e->d_name) ||
		    !holdev_is_in(d, path))
			continue;
		snprintf(what, sizeof(what), "btrfs %.48s", e->d_name);
		found(data, what);
	}
	closedir(all);
}

/*
 * A directory such as /sys/fs/ext4 has an entry for each superblock, named as
 * its device. That of jbd2 is named as the device of the journal, and behind
 * a "-" the inode of one that is no device of its own (jbd2_journal_init_dev()
 * and _inode()).
 */
static void holdev_read_named(struct holdev *d, const char *dir,
			      const char *kind, holdev_cb *found, void *data)
{
	char name[256], what[280];
	struct dirent *e;
	DIR *all;

	all = holdev_open_dir(d, dir);
	if (!all)
		return;
	while ((e = readdir(all))) {
		snprintf(name, sizeof(name), "%s", e->d_name);
		name[strcspn(name, "-")] = '\0';
		if (!holdev_is_name(d, name))
			continue;
		snprintf(what, sizeof(what), "%s %s", kind, name);
		found(data, what);
	}
	closedir(all);
}

void holdev_filesystems(struct holdev *d, const char *root,
			holdev_cb *found, void *data)
{
	static const char *const dirs[][2] = {
		{ "sys/fs/ext4", "ext4 on" },
		{ "sys/fs/xfs", "xfs on" },
		{ "sys/fs/f2fs", "f2fs on" },
		{ "proc/fs/jbd2", "journal" },
	};
	char path[HOLDEV_PATH];
	unsigned int i;

	holdev_read_btrfs(d, root, found, data);
	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (holdev_path(path, "%s/%s", root, dirs[i][0]))
			holdev_read_named(d, path, dirs[i][1], found, data);
}

int holdev_may_be(const char *path)
{
	const char *base = strrchr(path, '/');

	return !strncmp(path, "/dev/", 5) ||
	       (base && !strncmp(base + 1, "ublkb", 5));
}

int holdev_has_file(const struct holdev *d, int dirfd, const char *name)
{
	struct statx st;

	/* of what the kernel has in memory: no filesystem is asked */
	if (statx(dirfd, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		  STATX_TYPE, &st) || !S_ISBLK(st.stx_mode))
		return 0;
	return holdev_has(d, st.stx_rdev_major, st.stx_rdev_minor);
}
