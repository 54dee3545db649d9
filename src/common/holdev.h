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

/* what was found, such as the name of a block device that is made of it */
typedef void holdev_cb(void *data, const char *name);

/*
 * Reads what /sys has of ublkb<id>; stacked() is called for each block
 * device (dm, md, bcache, loop) that is built upon it. Never fails: a device
 * without a directory has no numbers.
 */
void holdev_init(struct holdev *d, const char *root, int id,
		 holdev_cb *stacked, void *data);

/*
 * Calls found() for each filesystem that lives, in any mount namespace or in
 * none any more, and has the disk or a partition as a member or as a journal:
 * "btrfs UUID", "ext4 on ublkb3p1", "journal ublkb3". mountinfo names one
 * member of a btrfs only, and no journal.
 */
void holdev_filesystems(const struct holdev *d, const char *root,
			holdev_cb *found, void *data);

/* whether it is one of its numbers */
int holdev_has(const struct holdev *d, unsigned int major, unsigned int minor);

/* whether "259:3" is one of its numbers */
int holdev_has_text(const struct holdev *d, const char *text);

/* whether "ublkb3" or "ublkb3p1" names it */
int holdev_is_name(const struct holdev *d, const char *name);

/* whether "/dev/ublkb3" or "/dev/ublkb3p1" names it */
int holdev_is_node(const struct holdev *d, const char *path);

/* the first line of a file, without its end; 0 when there is none */
int holdev_read_line(const char *path, char *buf, int size);

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
