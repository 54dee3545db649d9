/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * holdev.h - a block device with its partitions, as /sys tells of it
 *
 * For holders.c, which looks through /proc for them, and for the child of
 * probe.c. Only files of /proc and /sys are opened here, never the disk, so the
 * disk's own server may call all of it.
 */
#ifndef COMMON_HOLDEV_H
#define COMMON_HOLDEV_H

#define HOLDEV_PATH 4096
/* The disk and its partitions, of which the kernel makes 255 at the most. */
#define HOLDEV_MAX 256

struct holdev {
	char sys[HOLDEV_PATH];		/* /sys/class/block */
	char name[16];			/* ublkbN */
	/*
	 * For want of a descriptor, or of memory, something was not looked at:
	 * a negative errno, which whoever looks asks for
	 */
	int err;
	unsigned int nr;
	struct {
		unsigned int major, minor;
	} v[HOLDEV_MAX];
};

/* Is told what was found, such as the name of a block device built upon it. */
typedef void holdev_cb(void *data, const char *name);

/*
 * Reads what /sys has of ublkb<id>, with `root` before it, and calls stacked()
 * for each block device (dm, md, bcache, loop) that is built upon it. It cannot
 * fail: a device without a directory has no numbers.
 */
void holdev_init(struct holdev *d, const char *root, int id,
		 holdev_cb *stacked, void *data);

/*
 * Calls found() for each filesystem that lives, in any mount namespace or in
 * none any more, and has the disk or a partition as a member or as a journal:
 * "btrfs UUID", "ext4 on ublkb3p1", "journal ublkb3". mountinfo names one
 * member of a btrfs only, and no journal.
 */
void holdev_filesystems(struct holdev *d, const char *root,
			holdev_cb *found, void *data);

/* Whether the device number is the disk's or a partition's. */
int holdev_has(const struct holdev *d, unsigned int major, unsigned int minor);

/* The same of a text such as "259:3". */
int holdev_has_text(const struct holdev *d, const char *text);

/* Whether a name such as "ublkb3" or "ublkb3p1" is the disk's or a partition's. */
int holdev_is_name(const struct holdev *d, const char *name);

/* The same of a path such as "/dev/ublkb3p1". */
int holdev_is_node(const struct holdev *d, const char *path);

/*
 * To be called when an open(2) of the look has failed: what is not there, or is
 * others' secret, holds nothing that could be told; what cannot be opened for
 * want of descriptors or memory may.
 */
void holdev_not_opened(struct holdev *d);

/* Reads the first line of a file, without its end; 0 when there is none. */
int holdev_read_line(const char *path, char *buf, int size);

/*
 * Whether a file of that name may be a node of such a device: it lies in /dev,
 * or is called ublkb*. Only such a file is safe to stat: any other may lie on
 * the disk, whose server would wait for itself.
 */
int holdev_may_be(const char *path);

/* Whether a file is a node of the disk or of a partition. */
int holdev_has_file(const struct holdev *d, int dirfd, const char *name);

/* As snprintf(3) into HOLDEV_PATH bytes; 0 when it did not fit. */
int holdev_path(char path[HOLDEV_PATH], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* COMMON_HOLDEV_H */
