/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fileopen.c - opens, makes, locks and measures what a file disk is on
 *
 * What the kernel wants of an O_DIRECT transfer differs between file systems,
 * and between files of one: the logical block of the disk must be what the
 * file can be read and written in, or clients' requests would fail.
 */
#include "backend/fileopen.h"
#include "backend/filelimit.h"
#include "backend/filemeta.h"
#include "backend/filequeue.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LEAST_BLOCK	512u
#define MOST_BLOCK	4096u
/* the tags' buffers begin at pages, and pages have 4096 bytes at least */
#define BUF_ALIGN	4096u
/* of a file system's block or a device's, as a hint of any use */
#define MOST_HINT	(UINT32_C(1) << 20)
/* that the driver takes, see backend/limits.c */
#define MOST_IO_HINT	(UINT32_C(1) << 28)

/* ---- open --------------------------------------------------------------- */

/*
 * O_NONBLOCK: a FIFO would wait for its other end. O_EXCL of a block device,
 * without O_CREAT, has the kernel refuse one that is mounted.
 */
static int fileopen_open(const char *path, const struct ublkev_file_conf *conf)
{
	int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	struct stat st;
	int fd;

	flags |= conf->flags & UBLKEV_FILE_READ_ONLY ? O_RDONLY : O_RDWR;
	if (!stat(path, &st) && S_ISBLK(st.st_mode))
		flags |= O_EXCL;
	fd = open(path, flags);
	return fd < 0 ? -errno : fd;
}

static int fileopen_make(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY,
		      0600);

	return fd < 0 ? -errno : fd;
}

/*
 * *madep: it was not there before. Somebody else may make it between the two
 * calls; a symbolic link that leads nowhere is there for the second only.
 */
static int fileopen_open_or_make(const char *path,
				 const struct ublkev_file_conf *conf,
				 bool *madep)
{
	int fd = fileopen_open(path, conf);

	if (fd != -ENOENT || !(conf->flags & UBLKEV_FILE_CREATE))
		return fd;
	fd = fileopen_make(path);
	*madep = fd >= 0;
	if (fd != -EEXIST)
		return fd;
	fd = fileopen_open(path, conf);
	return fd == -ENOENT ? -EEXIST : fd;
}

static int fileopen_check_kind(struct ublkev__fileopen *f,
			       const struct stat *st)
{
	if (S_ISDIR(st->st_mode))
		return -EISDIR;
	f->is_block = S_ISBLK(st->st_mode);
	if (!f->is_block && !S_ISREG(st->st_mode))
		return -ENOTBLK;
	return 0;
}

/*
 * Of the open file description: whoever is handed the descriptor has the lock
 * too, and it goes with the last of them, however that ends. The last byte of a
 * file that is handed over with metadata is locked by these.
 */
static int fileopen_lock(const struct ublkev__fileopen *f,
			 const struct ublkev_file_conf *conf)
{
	struct flock lock = {
		.l_type = conf->flags & UBLKEV_FILE_READ_ONLY ? F_RDLCK
							      : F_WRLCK,
		.l_whence = SEEK_SET,
		.l_len = conf->fd >= 0 && conf->metadata_bytes ?
			UBLKEV__FILEMETA_LOCK : 0,
	};

	if (f->is_block || !fcntl(f->fd, F_OFD_SETLK, &lock))
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

/* ---- what it can be read in ----------------------------------------------- */

/*
 * The alignment of O_DIRECT, if the file system tells it; 0: it has none for
 * this file, which is encrypted by the file system, say. *memp: that of memory,
 * which of the tags' buffers is no question.
 */
static bool fileopen_told_block(int fd, uint32_t *blockp, uint32_t *memp)
{
#ifdef STATX_DIOALIGN
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) ||
	    !(sx.stx_mask & STATX_DIOALIGN))
		return false;
	*blockp = sx.stx_dio_mem_align <= BUF_ALIGN ? sx.stx_dio_offset_align
						    : 0;
	*memp = sx.stx_dio_mem_align;
	return true;
#else
	(void)fd;
	(void)blockp;
	(void)memp;
	return false;
#endif
}

/* btrfs and tmpfs do not tell, though they can: try it */
static uint32_t fileopen_probed_block(int fd, uint64_t offset_bytes)
{
	uint32_t block;
	void *buf;

	if (posix_memalign(&buf, BUF_ALIGN, MOST_BLOCK))
		return 0;
	for (block = LEAST_BLOCK; block <= MOST_BLOCK; block *= 8)
		if (pread(fd, buf, block, (off_t)offset_bytes) >= 0)
			break;
	free(buf);
	return block <= MOST_BLOCK ? block : 0;
}

static bool fileopen_set_direct(int fd, bool direct)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return false;
	/* O_NONBLOCK was for opening only */
	flags &= ~(O_NONBLOCK | O_DIRECT);
	return !fcntl(fd, F_SETFL, direct ? flags | O_DIRECT : flags);
}

/*
 * The least block of O_DIRECT, which is on then; 0: not for this disk. A
 * descriptor that another process serves from stays as that has set it.
 * *memp: the alignment of memory, or 0 if it is not known.
 */
static uint32_t fileopen_direct_block(int fd,
				      const struct ublkev_file_conf *conf,
				      uint32_t *memp)
{
	uint32_t block = 0;

	if (conf->fd >= 0 ? !(fcntl(fd, F_GETFL) & O_DIRECT) :
	    !fileopen_set_direct(fd, true))
		return 0;
	if (!fileopen_told_block(fd, &block, memp))
		block = fileopen_probed_block(fd, conf->offset_bytes);
	if (block && block < LEAST_BLOCK)
		block = LEAST_BLOCK;
	return block <= MOST_BLOCK && (!block || conf->offset_bytes % block == 0)
		? block : 0;
}

static uint32_t fileopen_device_block(int fd)
{
	int block = 0;

	if (ioctl(fd, BLKSSZGET, &block) || block < 0)
		return LEAST_BLOCK;
	return (uint32_t)block;
}

/*
 * What clients' own pages are asked for: where nobody tells, what is right for
 * a disk of that block; through the page cache, nothing.
 */
static uint32_t fileopen_dma_align(uint32_t block, uint32_t mem)
{
	if (!block)
		return 0;
	return mem && !(mem & (mem - 1)) ? mem : block;
}

static int fileopen_measure_block(struct ublkev__fileopen *f,
				  const struct ublkev_file_conf *conf)
{
	uint32_t least = LEAST_BLOCK, block = 0, mem = 0;

	if (f->is_block)
		least = fileopen_device_block(f->fd);
	/* metadata need an open file of their own then: see filemeta_lock() */
	if (!(conf->flags & UBLKEV_FILE_BUFFERED) &&
	    !(conf->metadata_bytes && f->is_block))
		block = fileopen_direct_block(f->fd, conf, &mem);
	f->direct = block;
	f->dma_align_bytes = fileopen_dma_align(block, mem);
	if (!f->direct && conf->fd < 0)
		fileopen_set_direct(f->fd, false);
	if (block > least)
		least = block;
	f->logical_block_bytes = conf->logical_block_bytes ?
		conf->logical_block_bytes : least;
	/* a larger one is made of those that the file has */
	if (f->logical_block_bytes < least ||
	    f->logical_block_bytes > MOST_BLOCK ||
	    conf->offset_bytes % f->logical_block_bytes ||
	    conf->dev_bytes % f->logical_block_bytes)
		return -EINVAL;
	return 0;
}

/* ---- how large it is ---------------------------------------------------- */

static int fileopen_size(const struct ublkev__fileopen *f, uint64_t *bytesp)
{
	struct stat st;

	if (f->is_block)
		return ioctl(f->fd, BLKGETSIZE64, bytesp) ? -errno : 0;
	if (fstat(f->fd, &st))
		return -errno;
	*bytesp = (uint64_t)st.st_size;
	return 0;
}

static bool fileopen_beyond_limit(const struct ublkev__fileopen *f,
				  uint64_t end_bytes)
{
	return !f->is_block && ublkev__beyond_file_limit(end_bytes);
}

static int fileopen_fill(const struct ublkev__fileopen *f,
			 const struct ublkev_file_conf *conf)
{
	off_t bytes = (off_t)ublkev__filemeta_end(conf, conf->dev_bytes);

	if (fileopen_beyond_limit(f, (uint64_t)bytes))
		return -EFBIG;
	if (!(conf->flags & UBLKEV_FILE_THIN)) {
		if (!fallocate(f->fd, 0, 0, bytes))
			return 0;
		if (errno != EOPNOTSUPP)
			return -errno;
	}
	return ftruncate(f->fd, bytes) ? -errno : 0;
}

/* whether there is nothing in it, and it is to be made */
static int fileopen_make_room(struct ublkev__fileopen *f,
			      const struct ublkev_file_conf *conf)
{
	uint64_t bytes = 0;
	int err;

	if (f->is_block || conf->fd >= 0 ||
	    !(conf->flags & UBLKEV_FILE_CREATE))
		return 0;
	err = fileopen_size(f, &bytes);
	if (err || bytes)
		return err;
	f->filled = true;
	return fileopen_fill(f, conf);
}

static int fileopen_measure_disk(struct ublkev__fileopen *f,
				 const struct ublkev_file_conf *conf)
{
	uint64_t bytes = 0, room;
	int err = fileopen_size(f, &bytes);

	if (err)
		return err;
	f->offset_bytes = conf->offset_bytes;
	f->limit_bytes = conf->limit_bytes;
	room = bytes > conf->offset_bytes ? bytes - conf->offset_bytes : 0;
	if (f->limit_bytes && room > f->limit_bytes)
		room = f->limit_bytes;
	if (conf->dev_bytes && ublkev__filemeta_end(conf, conf->dev_bytes) -
			       conf->offset_bytes > room)
		return -EOVERFLOW;
	f->dev_bytes = conf->dev_bytes ? conf->dev_bytes : room;
	f->dev_bytes -= f->dev_bytes % f->logical_block_bytes;
	if (!f->dev_bytes)
		return -ENODATA;
	return !(conf->flags & UBLKEV_FILE_READ_ONLY) &&
	       fileopen_beyond_limit(f, ublkev__filemeta_end(conf, f->dev_bytes))
		? -EFBIG : 0;
}

/* ---- hints -------------------------------------------------------------- */

static uint32_t fileopen_hint(uint64_t bytes, uint32_t least)
{
	if (bytes < least || bytes > MOST_HINT || bytes & (bytes - 1))
		return least;
	return (uint32_t)bytes;
}

/* as ublkev__limits_check() wants them */
static uint32_t fileopen_limit(uint64_t value, uint32_t least, uint32_t most)
{
	return value >= least && value <= most ? (uint32_t)value : 0;
}

void ublkev__fileopen_take_queue(struct ublkev__fileopen *f,
				 const struct ublkev__filequeue *q)
{
	uint32_t block = f->logical_block_bytes;
	uint64_t most = q->discard_max_bytes;

	f->discard_granularity_bytes =
		fileopen_hint(q->discard_granularity_bytes, block);
	if (most > MOST_PUNCH_BYTES)
		most = MOST_PUNCH_BYTES;
	most -= most % block;
	f->max_discard_bytes = most < f->discard_granularity_bytes ? 0 : most;
	f->io_min_bytes = fileopen_limit(q->io_min_bytes, block, MOST_IO_HINT);
	f->io_opt_bytes = fileopen_limit(q->io_opt_bytes, block, MOST_IO_HINT);
	f->max_segments = fileopen_limit(q->max_segments, 1, UINT16_MAX);
	f->max_segment_bytes = fileopen_limit(q->max_segment_bytes, 4096,
					      UINT32_MAX);
}

static void fileopen_look_at_queue(struct ublkev__fileopen *f,
				   const struct stat *st)
{
	struct ublkev__filequeue q;
	char folder[64];

	snprintf(folder, sizeof(folder), "/sys/dev/block/%u:%u",
		 major(st->st_rdev), minor(st->st_rdev));
	ublkev__filequeue_read(&q, folder);
	ublkev__fileopen_take_queue(f, &q);
}

/* NFS says a megabyte for st_blksize: a hint at most, never a block */
static void fileopen_take_hints(struct ublkev__fileopen *f,
				const struct stat *st)
{
	uint32_t block = f->logical_block_bytes;
	unsigned int phys = 0;

	f->discard_granularity_bytes =
		fileopen_hint((uint64_t)st->st_blksize, block);
	if (!f->is_block)
		phys = (unsigned int)st->st_blksize;
	else if (ioctl(f->fd, BLKPBSZGET, &phys))
		phys = 0;
	f->physical_block_bytes = fileopen_hint(phys, block);
	f->max_discard_bytes = MOST_PUNCH_BYTES;
	if (f->is_block)
		fileopen_look_at_queue(f, st);
}

/* ---- all of it ---------------------------------------------------------- */

static int fileopen_take(struct ublkev__fileopen *f,
			 const struct ublkev_file_conf *conf)
{
	struct stat st;
	int err;

	if (fstat(f->fd, &st))
		return -errno;
	if (!(conf->flags & UBLKEV_FILE_READ_ONLY) &&
	    (fcntl(f->fd, F_GETFL) & O_ACCMODE) != O_RDWR)
		return -EACCES;
	err = fileopen_check_kind(f, &st);
	if (!err)
		err = fileopen_lock(f, conf);
	/* only whoever has the lock may change anything */
	if (!err)
		err = fileopen_make_room(f, conf);
	if (!err)
		err = fileopen_measure_block(f, conf);
	if (!err)
		err = fileopen_measure_disk(f, conf);
	if (!err)
		fileopen_take_hints(f, &st);
	return err;
}

int ublkev__fileopen(struct ublkev__fileopen *f, const char *path,
		     const struct ublkev_file_conf *conf)
{
	int err;

	memset(f, 0, sizeof(*f));
	if (conf->fd >= 0)
		f->fd = fcntl(conf->fd, F_DUPFD_CLOEXEC, 0);
	else
		f->fd = fileopen_open_or_make(path, conf, &f->made);
	if (f->fd < 0)
		return conf->fd >= 0 ? -errno : f->fd;
	err = fileopen_take(f, conf);
	if (!err)
		return 0;
	ublkev__fileopen_undo(f, path);
	return err;
}

int ublkev__fileopen_lengthen(const struct ublkev__fileopen *f,
			      uint64_t dev_bytes)
{
	uint64_t end_bytes = f->offset_bytes + dev_bytes, bytes = 0;
	int err = fileopen_size(f, &bytes);

	if (err)
		return err;
	if (f->limit_bytes && dev_bytes > f->limit_bytes)
		return -ENOSPC;
	if (end_bytes > bytes && f->is_block)
		return -ENOSPC;
	if (fileopen_beyond_limit(f, end_bytes))
		return -EFBIG;
	if (end_bytes > bytes && ftruncate(f->fd, (off_t)end_bytes))
		return -errno;
	return 0;
}

void ublkev__fileopen_undo(struct ublkev__fileopen *f, const char *path)
{
	if (f->made)
		unlink(path);
	/* an fallocate(2) without room may have come part of the way */
	else if (f->filled)
		(void)!ftruncate(f->fd, 0);
	ublkev__fileopen_close(f);
}

void ublkev__fileopen_close(struct ublkev__fileopen *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}
