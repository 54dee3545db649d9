/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * beneath.h - what a block device, or a file's file system, is built upon
 *
 * Only /sys is read, no disk is opened: it is asked whether one that answers
 * nothing is among them. `root` goes before /sys.
 */
#ifndef COMMON_BENEATH_H
#define COMMON_BENEATH_H

#include <sys/stat.h>

/*
 * Whether the block device of that number is the disk `name` ("ublkb3") or a
 * partition of it, or is built upon such: by the device mapper, md, bcache or
 * as a loop device, in as many steps as you like. What /sys does not tell of is
 * not.
 */
int beneath_has(const char *root, unsigned int major, unsigned int minor,
		const char *name);

/* The same of the devices of the btrfs that has this UUID, as /sys writes it. */
int beneath_btrfs_has(const char *root, const char *uuid, const char *name);

/*
 * The same of a regular file or block device, whatever its file system: of btrfs,
 * whose files have a device number of no device, the file is opened for reading
 * to ask for the UUID.
 */
int beneath_file_has(const char *root, const char *path,
		     const struct stat *st, const char *name);

#endif /* COMMON_BENEATH_H */
