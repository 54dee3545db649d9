/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opens the disk of --file, and says in one line why it could not be.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "common/beneath.h"
#include "ublk-evdemo/disk.h"
#include "ublk-evdemo/filedisk.h"
#include "ublk-evdemo/logger.h"
#include "ublk-evdemo/statefile.h"

static const char *filedisk_remedy(const struct opts *o, int err)
{
	if (o->zone_bytes && err == -EINVAL)
		return "a zoned disk needs a regular file, --size in whole "
		       "zones, the rest in blocks of 4K, and a file system of "
		       "blocks no larger: give others";
	switch (err) {
	case -EOPNOTSUPP:
		return "its file system tells of no holes, which zones are "
		       "made of: give a file on ext4, xfs or btrfs";
	case -ENOENT:
		return o->recover_id >= 0 ? "give the file that it is in" :
		       "give --size, and it is made";
	case -EBUSY:
		return "another server has it, or it is mounted: end that";
	case -EINVAL:
		return "its --offset, --size and --block-size must be in "
		       "blocks that it can be read in: give others, or "
		       "--buffered";
	case -ENODATA:
		return "give a larger file or --sizelimit, or a smaller "
		       "--offset";
	case -EOVERFLOW:
		if (o->integrity)
			return "behind the --size there is to be room for its "
			       "metadata: make it longer (truncate -s)";
		return "give a smaller --size or --offset, or make it longer "
		       "(truncate -s)";
	case -ENOSPC:
		return "make room there, or give a smaller --size, or --thin";
	case -EFBIG:
		return "raise ulimit -f, or give a smaller --size";
	case -EACCES:
	case -EROFS:
		return "give --read-only, or chmod it";
	case -EMFILE:
	case -ENFILE:
		return "raise ulimit -n";
	default:
		return "give a regular file or a block device";
	}
}

static const char *filedisk_cause(int err)
{
	switch (err) {
	case -ENOTBLK:
		return "neither a regular file nor a block device";
	case -ENODATA:
		return "no room in it for one block";
	case -EOVERFLOW:
		return "it is too short";
	case -EBUSY:
		return "in use";
	default:
		return strerror(-err);
	}
}

/*
 * The device that is to be recovered answers nothing before it is served: a
 * server that reads its data from there waits for itself.
 */
static int filedisk_is_on_itself(const struct opts *o)
{
	struct stat st;
	char name[32];

	if (o->recover_id < 0 || stat(o->file, &st))
		return 0;
	snprintf(name, sizeof(name), "ublkb%d", o->recover_id);
	return beneath_file_has(statefile_root(), o->file, &st, name);
}

static void filedisk_conf(struct ublkev_file_conf *conf, const struct opts *o,
			  int fd)
{
	ublkev_file_conf_init(conf, sizeof(*conf));
	conf->offset_bytes = o->offset_bytes;
	conf->limit_bytes = o->limit_bytes;
	/* what was not asked for the file says */
	if (o->size_given || o->take_over)
		conf->dev_bytes = o->size_bytes;
	if (opts_was_given(o, "block-size") || o->take_over)
		conf->logical_block_bytes = o->block_bytes;
	conf->fd = fd;
	conf->zone_bytes = o->zone_bytes;
	conf->zone_capacity_bytes = o->zone_capacity_bytes;
	conf->max_open_zones = o->max_open_zones;
	conf->max_active_zones = o->max_active_zones;
	conf->conventional_zones = o->conventional_zones;
	conf->pi = (uint32_t)o->integrity;
	if (o->read_only)
		conf->flags |= UBLKEV_FILE_READ_ONLY;
	else if (o->size_given && o->recover_id < 0)
		conf->flags |= UBLKEV_FILE_CREATE;
	if (o->thin)
		conf->flags |= UBLKEV_FILE_THIN;
	if (o->buffered)
		conf->flags |= UBLKEV_FILE_BUFFERED;
}

/*
 * Of a block device the system's administrator decides, and what is only read
 * from there is whoever's it is.
 */
static int filedisk_is_trusted(const struct opts *o, const struct stat *st)
{
	struct complaint c = { NULL, NULL };

	if (!S_ISREG(st->st_mode) || o->read_only || !disk_distrust(st, &c))
		return 1;
	log_msg(LOG_ERR, "file %s: %s: %s", o->file, c.cause, c.remedy);
	return 0;
}

/* 0, an error of ublkev_file_new(), or 1: it is not trusted, which was said */
static int filedisk_open(struct ublkev_backend **backendp,
			 const struct opts *o, int fd)
{
	struct ublkev_file_conf conf;
	struct stat st;
	unsigned int tries = 0;
	int err;

	filedisk_conf(&conf, o, fd);
	if (fd >= 0)
		return ublkev_file_new(backendp, NULL, &conf);
	/* before the lock, which who may write to it can hold for ever */
	if (!stat(o->file, &st) && !filedisk_is_trusted(o, &st))
		return 1;
	do {
		err = ublkev_file_new(backendp, o->file, &conf);
	} while (err == -EBUSY && disk_try_again(o, &tries));
	/* it may be another one by now */
	if (err || fstat(ublkev_file_fd(*backendp), &st) ||
	    filedisk_is_trusted(o, &st))
		return err;
	ublkev_backend_free(*backendp);
	*backendp = NULL;
	return 1;
}

static enum disk_made filedisk_made(const struct ublkev_backend *backend)
{
	switch (ublkev_file_was(backend)) {
	case UBLKEV_FILE_WAS_MISSING:
		return DISK_MADE;
	case UBLKEV_FILE_WAS_EMPTY:
		return DISK_FILLED;
	case UBLKEV_FILE_WAS_THERE:
		break;
	}
	return DISK_FOUND;
}

int filedisk_new(struct ublkev_backend **backendp, const struct opts *o,
		 int fd, enum disk_made *made)
{
	int err;

	if (fd < 0 && filedisk_is_on_itself(o)) {
		log_msg(LOG_ERR, "file %s: it is on /dev/ublkb%d, which waits "
			"for it: give the file that the disk is in", o->file,
			o->recover_id);
		return -1;
	}
	*made = DISK_FOUND;
	err = filedisk_open(backendp, o, fd);
	if (!err) {
		*made = filedisk_made(*backendp);
		return 0;
	}
	if (err > 0)
		return -1;
	log_msg(LOG_ERR, "file %s: %s: %s", o->file ? o->file : "taken over",
		filedisk_cause(err), filedisk_remedy(o, err));
	return -1;
}
