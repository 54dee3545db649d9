/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * holdev.h - a block device with its partitions, as /sys tells of it
 */
#ifndef COMMON_HOLDEV_H
#define COMMON_HOLDEV_H

#define HOLDEV_PATH 4096
/* the disk and its partitions; the kernel makes at most 255 of them */
#define HOLDEV_MAX 256

struct holdev {
	char sys[HOLDEV_PATH];		/* /sys/class/block */
	char name[16];			/* ublkbN */
	unsigned int nr;
	struct {
		unsigned int major, minor;
	} v[HOLDEV_MAX];
};

/*
 * Reads what /sys has of ublkb<id>; stacked() is called for each block
 * device (dm, md, loop) that is built upon it. Never fails: a device
 * without a directory has no numbers.
 */
void holdev_init(struct holdev *d, const char *root, int id,
		 void (*stacked)(void *data, const char *name), void *data);

/* whether "259:3" is one of its numbers */
int holdev_has_text(const struct holdev *d, const char *text);

/* whether "/dev/ublkb3" or "/dev/ublkb3p1" names it */
int holdev_is_node(const struct holdev *d, const char *path);

/*
 * Whether a file of that name could be a block device's node and is safe
 * to stat.
 */
int holdev_may_be(const char *path);

/* whether a file is a block device's node with one of its numbers */
int holdev_has_file(const struct holdev *d, int dirfd, const char *name);

/* snprintf into HOLDEV_PATH bytes; 0 when it did not fit */
int holdev_path(char path[HOLDEV_PATH], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* COMMON_HOLDEV_H */
