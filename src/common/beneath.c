/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a device to what is in its slaves/, in sysfs, and on from each of those.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/btrfs.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/beneath.h"
#include "common/holdev.h"
#include "common/statx.h"

/* more than anybody builds; /sys has no circles, but for what it is told */
#define MOST_STEPS 16

static int beneath_dir_has(const char *root, const char *dir, const char *name,
			   int steps);

static int beneath_number_has(const char *root, unsigned int major,
			      unsigned int minor, const char *name, int steps)
{
	char path[HOLDEV_PATH];

	return holdev_path(path, "%s/sys/dev/block/%u:%u", root, major,
			   minor) &&
	       beneath_dir_has(root, path, name, steps);
}

/* each entry of a directory is a link to a device */
static int beneath_any_has(const char *root, const char *dir, const char *name,
			   int steps)
{
	char path[HOLDEV_PATH];
	struct dirent *e;
	int found = 0;
	DIR *v = opendir(dir);

	if (!v)
		return 0;
	while (!found && (e = readdir(v)))
		if (e->d_name[0] != '.' &&
		    holdev_path(path, "%s/%s", dir, e->d_name))
			found = beneath_dir_has(root, path, name, steps);
	closedir(v);
	return found;
}

/* a loop device has no slaves/, but names its file */
static int beneath_loop_has(const char *root, const char *dir,
			    const char *name, int steps)
{
	char path[HOLDEV_PATH], file[HOLDEV_PATH];
	struct statx st;

	if (!holdev_path(path, "%s/loop/backing_file", dir) ||
	    !holdev_read_line(path, file, sizeof(file)))
		return 0;
	/* of what the kernel has in memory: no file system is asked */
	if (statx(AT_FDCWD, file, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		  STATX_TYPE, &st))
		return 0;
	if (S_ISBLK(st.stx_mode))
		return beneath_number_has(root, st.stx_rdev_major,
					  st.stx_rdev_minor, name, steps);
	return beneath_number_has(root, st.stx_dev_major, st.stx_dev_minor,
				  name, steps);
}

/* "ublkb3" or "ublkb3p1" is ublkb3 */
static int beneath_is(const char *base, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(base, name, len) &&
	       (!base[len] || (base[len] == 'p' && base[len + 1]));
}

/* `dir` may be a link; a partition's folder is in its disk's, which has slaves */
static int beneath_dir_has(const char *root, const char *dir, const char *name,
			   int steps)
{
	char real[PATH_MAX], path[HOLDEV_PATH];
	char *base;

	if (!steps || !realpath(dir, real))
		return 0;
	base = strrchr(real, '/');
	if (beneath_is(base + 1, name))
		return 1;
	if (holdev_path(path, "%s/partition", real) && !access(path, F_OK))
		*base = '\0';
	if (holdev_path(path, "%s/slaves", real) &&
	    beneath_any_has(root, path, name, steps - 1))
		return 1;
	return beneath_loop_has(root, real, name, steps - 1);
}

int beneath_has(const char *root, unsigned int major, unsigned int minor,
		const char *name)
{
	return beneath_number_has(root, major, minor, name, MOST_STEPS);
}

int beneath_btrfs_has(const char *root, const char *uuid, const char *name)
{
	char path[HOLDEV_PATH];

	return holdev_path(path, "%s/sys/fs/btrfs/%s/devices", root, uuid) &&
	       beneath_any_has(root, path, name, MOST_STEPS);
}

static void beneath_uuid_text(char text[40], const unsigned char *u)
{
	snprintf(text, 40, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
		 "%02x%02x%02x%02x%02x%02x", u[0], u[1], u[2], u[3], u[4],
		 u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13],
		 u[14], u[15]);
}

/* 0: it is on no btrfs, or that does not tell */
static int beneath_ask_btrfs(const char *path, char text[40])
{
	struct btrfs_ioctl_fs_info_args info;
	struct statfs fs;
	int fd, ok;

	if (statfs(path, &fs) || (uint32_t)fs.f_type != BTRFS_SUPER_MAGIC)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return 0;
	memset(&info, 0, sizeof(info));
	ok = !ioctl(fd, BTRFS_IOC_FS_INFO, &info);
	close(fd);
	if (ok)
		beneath_uuid_text(text, info.fsid);
	return ok;
}

int beneath_file_has(const char *root, const char *path,
		     const struct stat *st, const char *name)
{
	dev_t dev = S_ISBLK(st->st_mode) ? st->st_rdev : st->st_dev;
	char uuid[40];

	if (beneath_has(root, major(dev), minor(dev), name))
		return 1;
	return S_ISREG(st->st_mode) && beneath_ask_btrfs(path, uuid) &&
	       beneath_btrfs_has(root, uuid, name);
}
