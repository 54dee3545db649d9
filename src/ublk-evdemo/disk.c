/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes the backend that the options ask for. The file of a memory disk is
 * opened, distrusted, locked and measured here; that of a file disk in
 * filedisk.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "ublk-evdemo/disk.h"
#include "ublk-evdemo/filedisk.h"
#include "ublk-evdemo/logger.h"
#include "ublk-evdemo/stack.h"

#define LOCK_TRIES 250

int disk_try_again(const struct opts *o, unsigned int *tries)
{
	const struct timespec pause = { 0, 20 * 1000 * 1000 };

	if (o->recover_id < 0 || ++*tries == LOCK_TRIES)
		return 0;
	nanosleep(&pause, NULL);
	return 1;
}

static int disk_lock(const struct opts *o, int fd)
{
	unsigned int tries = 0;

	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK)
			return -errno;
		if (!disk_try_again(o, &tries))
			return -EBUSY;
	}
	return 0;
}

int disk_distrust(const struct stat *st, struct complaint *c)
{
	if (st->st_uid != geteuid()) {
		c->cause = "it belongs to another user, who could change the "
			   "disk";
		c->remedy = "chown it, or give another";
	} else if (st->st_mode & (S_IWGRP | S_IWOTH)) {
		c->cause = "others may write to it, and so change the disk";
		c->remedy = "chmod it to 0600";
	}
	return c->cause ? -EPERM : 0;
}

/*
 * Whoever may write to it also ends the server by cutting the file short: its
 * next access is a SIGBUS. No seal helps: a file on tmpfs takes none, only a
 * memfd does.
 */
static int disk_trust(const struct stat *st, struct complaint *c)
{
	if (S_ISREG(st->st_mode))
		return disk_distrust(st, c);
	c->cause = "it is no regular file";
	c->remedy = "give another --memory-file";
	return -EPERM;
}

static void disk_explain(int err, struct complaint *c)
{
	if (c->cause)
		return;
	c->cause = err == -EBUSY ? "in use" : strerror(-err);
	c->remedy = err == -EBUSY ? "another server has it: end that" :
		    err == -ENOENT ? "make its directory" :
		    err == -EMFILE || err == -ENFILE ? "raise ulimit -n" :
		    "give another --memory-file";
}

static int disk_take_size(struct opts *o, const struct stat *st,
			  struct complaint *c)
{
	if (o->size_given || !st->st_size)
		return 0;
	if (o->zone_bytes || o->integrity) {
		c->cause = "behind the data of such a disk there is more in it";
		c->remedy = "give --size";
		return -EINVAL;
	}
	o->size_bytes = (uint64_t)st->st_size;
	if (!(o->size_bytes % o->block_bytes))
		return 0;
	c->cause = "its size is no multiple of the block size";
	c->remedy = "give --size";
	return -EINVAL;
}

static int disk_check_file(struct opts *o, int fd, enum disk_made *made,
			   struct complaint *c)
{
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return -errno;
	/* before the lock, which whoever may open it can hold for ever */
	err = disk_trust(&st, c);
	if (!err)
		err = disk_lock(o, fd);
	/* the server that is recovered from may have resized it until now */
	if (!err && fstat(fd, &st))
		err = -errno;
	if (!err && *made == DISK_FOUND && !st.st_size)
		*made = DISK_FILLED;
	return err ? err : disk_take_size(o, &st, c);
}

/* as open(2) */
static int disk_open_or_make(const struct opts *o, enum disk_made *made)
{
	const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY |
			  O_NONBLOCK;
	int fd;

	for (;;) {
		*made = DISK_FOUND;
		fd = open(o->memory_file, flags);
		if (fd >= 0 || errno != ENOENT || o->recover_id >= 0)
			return fd;
		*made = DISK_MADE;
		fd = open(o->memory_file, flags | O_CREAT | O_EXCL, 0600);
		/* somebody else made it in between */
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
}

/* an fd that keeps the lock, or -1 */
static int disk_open_file(struct opts *o, enum disk_made *made)
{
	struct complaint c = { NULL, NULL };
	int err = 0, fd;

	fd = disk_open_or_make(o, made);
	if (fd < 0)
		err = -errno;
	if (!err)
		err = disk_check_file(o, fd, made, &c);
	if (!err)
		return fd;
	disk_explain(err, &c);
	log_msg(LOG_ERR, "memory file %s: %s: %s", o->memory_file, c.cause,
		c.remedy);
	disk_discard(o, fd, *made);
	if (fd >= 0)
		close(fd);
	*made = DISK_FOUND;
	return -1;
}

static const char *disk_more(const struct opts *o, int fd, int err)
{
	switch (err) {
	case -EINVAL:
		if (o->memory_file)
			return "give a file on tmpfs or hugetlbfs, or ";
		return "";
	case -ENOSPC:
		return "make room there, or ";
	case -EFBIG:
		return "raise ulimit -f, or ";
	case -ENOMEM:
		if (fd < 0)
			return "raise ulimit -v or set vm.overcommit_memory "
			       "to 0, or ";
		return "";
	default:
		return "";
	}
}

/* the size is not always one's own to choose */
static const char *disk_size_remedy(const struct opts *o)
{
	if (o->take_over)
		return "leave it to its server, which serves on";
	if (o->recover_id >= 0)
		return "give the --size of the device";
	return "give a smaller --size";
}

static int disk_new_backend(struct ublkev_backend **backendp,
			    const struct opts *o, int fd)
{
	struct ublkev_disk_conf conf;
	int err;

	ublkev_disk_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = o->size_bytes;
	conf.logical_block_bytes = o->block_bytes;
	conf.fd = fd;
	conf.zone_bytes = o->zone_bytes;
	conf.zone_capacity_bytes = o->zone_capacity_bytes;
	conf.max_open_zones = o->max_open_zones;
	conf.max_active_zones = o->max_active_zones;
	conf.conventional_zones = o->conventional_zones;
	conf.pi = (uint32_t)o->integrity;
	if (o->read_only)
		conf.flags |= UBLKEV_DISK_READ_ONLY;
	if (o->huge_pages)
		conf.flags |= UBLKEV_DISK_HUGE_PAGES;
	if (o->recovery != UBLKEV_RECOVERY_NONE)
		conf.flags |= UBLKEV_DISK_SHARED;
	err = o->backend == OPTS_NULL ? ublkev_null_new(backendp, &conf) :
	      ublkev_mem_new(backendp, &conf);
	if (!err)
		return 0;
	log_msg(LOG_ERR, "a disk of %llu bytes%s%s: %s: %s%s",
		(unsigned long long)o->size_bytes,
		o->memory_file ? " in " : "",
		o->memory_file ? o->memory_file : "", strerror(-err),
		disk_more(o, fd, err), disk_size_remedy(o));
	return -1;
}

void disk_discard(const struct opts *o, int fd, enum disk_made made)
{
	const char *path = o->file ? o->file : o->memory_file;
	struct stat a, b;

	if (made == DISK_FILLED)
		(void)!ftruncate(fd, 0);
	else if (made == DISK_MADE && !fstat(fd, &a) && !lstat(path, &b) &&
		 a.st_dev == b.st_dev && a.st_ino == b.st_ino)
		unlink(path);
}

int disk_fd(const struct ublkev_backend *backend)
{
	int fd = ublkev_file_fd(backend);

	return fd < 0 ? ublkev_mem_fd(backend) : fd;
}

int disk_new(struct ublkev_backend **backendp, struct opts *o, int fd,
	     enum disk_made *made)
{
	int own = -1;
	int err;

	*made = DISK_FOUND;
	if (o->backend == OPTS_STACK)
		return stack_new(backendp, o);
	if (o->backend == OPTS_FILE)
		return filedisk_new(backendp, o, fd, made);
	if (fd < 0 && o->memory_file) {
		own = disk_open_file(o, made);
		if (own < 0)
			return -1;
	}
	err = disk_new_backend(backendp, o, fd < 0 ? own : fd);
	if (err) {
		disk_discard(o, own, *made);
		*made = DISK_FOUND;
	}
	/* the backend's duplicate keeps the lock */
	if (own >= 0)
		close(own);
	return err;
}
