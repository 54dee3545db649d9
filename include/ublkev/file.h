/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file.h - a disk in a file or on a block device
 */
#ifndef UBLKEV_FILE_H
#define UBLKEV_FILE_H

#include <stddef.h>
#include <stdint.h>

#include <ublkev/backend.h>

#ifdef __cplusplus
extern "C" {
#endif

/* the disk refuses writes, and the file is opened for reading only */
#define UBLKEV_FILE_READ_ONLY	(1u << 0)
/* through the page cache even where O_DIRECT is to be had */
#define UBLKEV_FILE_BUFFERED	(1u << 1)
/* a file that is not there, or is empty, is made dev_bytes long */
#define UBLKEV_FILE_CREATE	(1u << 2)
/*
 * What CREATE makes is sparse. Without it the blocks are allocated
 * (fallocate(2)): a write to a hole is done by a thread of the kernel's, one
 * after the other, where one to allocated blocks is begun at once.
 */
#define UBLKEV_FILE_THIN	(1u << 3)

/*
 * Fill with ublkev_file_conf_init(), which sets the defaults. Copied, so it may
 * be one of the stack's; fd stays the caller's.
 */
struct ublkev_file_conf {
	size_t size;			/* ro: set by the init call */
	uint64_t offset_bytes;		/* where the disk begins in the file; 0.
					   A multiple of the logical block */
	uint64_t dev_bytes;		/* of the disk; 0 (default): what the
					   file has behind offset_bytes, in
					   whole logical blocks */
	uint32_t logical_block_bytes;	/* 512 .. 4096; 0 (default): the least
					   that the file can be read in */
	uint32_t flags;			/* UBLKEV_FILE_*; 0 */
	int fd;				/* -1; else used in place of the path:
					   see ublkev_file_new() */
	uint64_t limit_bytes;		/* 0: none; the disk has no more than
					   this of the file, whole blocks of
					   it, however it is resized */
	/* a zoned disk, see UBLKEV_LIMIT_ZONED and ublkev_file_new() */
	uint32_t max_open_zones;	/* 0 (default): any number */
	uint32_t max_active_zones;	/* likewise; max_open_zones at least */
	uint32_t conventional_zones;	/* 0; so many at the beginning can be
					   written anywhere */
	uint64_t zone_bytes;		/* 0 (default): it is not zoned; power
					   of 2 from 4096 to 2^31, of which the
					   disk's size is a multiple */
	uint64_t zone_capacity_bytes;	/* what can be written of a zone, in
					   blocks of 4096 bytes; 0 (default):
					   all of it */
	/* not zoned: metadata for each logical block, see the limits and
	   ublkev_file_new(); dev_bytes is needed then */
	uint32_t metadata_bytes;	/* 0 (default): as pi needs */
	uint32_t pi;			/* enum ublkev_pi; UBLKEV_PI_NONE */
};

/*
 * `size` is sizeof(*conf). The members that this library knows get their
 * defaults, those of a newer header zeroes.
 */
void ublkev_file_conf_init(struct ublkev_file_conf *conf, size_t size);

/*
 * A disk in the regular file or on the block device `path`. `conf` NULL: all
 * defaults. Its requests go to the file on the queue's own ring (see place()
 * of struct ublkev_backend_ops), past the page cache where that can be had
 * (O_DIRECT). FLUSH is fdatasync(2), FUA RWF_DSYNC, DISCARD punches holes or
 * discards what is on a block device that can,
 * WRITE_ZEROES too, or keeps the blocks with UBLKEV_REQ_NOUNMAP. When an
 * fdatasync(2) has failed, every later FLUSH does, for the kernel tells of
 * lost writes once only: EIO until the file is opened anew.
 *
 * A regular file is locked as a whole (F_OFD_SETLK; for reading, if the disk
 * is read-only) until the backend is freed; a block device is opened O_EXCL,
 * which fails while it is mounted. A file on tmpfs is better served by
 * ublkev_mem_new().
 *
 * With conf.zone_bytes it is zoned: of logical blocks of 4096 bytes, in a regular
 * file that is sparse (THIN) on a file system of blocks no larger, without DISCARD,
 * WRITE_ZEROES and threads, and of a fixed size. The file itself keeps the zones'
 * states, durable with the data: a zone has been written up to where the file's
 * last data within it end (lseek(2), SEEK_DATA), a reset punches a hole, and a
 * finished zone has a block of zeroes at its end. So the next server finds them
 * there, is to be told the same zones, and finds those closed that were open; and
 * whoever copies the file has to copy its holes as holes, and zeroes as zeroes.
 *
 * With conf.metadata_bytes or conf.pi its blocks, of 4096 bytes unless conf says
 * otherwise, have metadata, for 7.0 and later. They are in the same file, behind
 * conf.dev_bytes of data, from the next multiple of 4096 bytes of the file on, block
 * by block, with all bits inverted: zeroes, as a hole is or what a file was
 * lengthened by, are such that nobody checks. So the next server needs the path and
 * the same conf, and a file with data gets metadata by being made longer. Such a
 * disk keeps its size, and has no threads. It opens a file that it reads with
 * O_DIRECT once more, by /proc/self/fd, for its metadata go through the page cache;
 * on a block device the data do, too, and there is neither DISCARD nor
 * WRITE_ZEROES. Requests that overlap, unless all of them read, are done one after
 * the other.
 *
 * Data and metadata are two writes: what is durable after a FLUSH, or of a FUA, is
 * both. When the power is cut, or a server killed that nobody recovers, a block
 * that was written since may be left with the metadata of what it had before:
 * reading it is an error (EILSEQ, where they are protection information) until it is
 * written again, or its metadata in the file are zeroed. There is no journal of
 * theirs.
 *
 * conf.fd, unless -1, is such a file that is open already, from another
 * process perhaps, whose lock it then shares: it is duplicated, and `path` is
 * not opened (NULL is allowed). CREATE is of no effect then. What the process
 * before says of ublkev_file_lost_writes() is to be told here, too.
 *
 * The disk can be resized: a file that is too short is lengthened, by a thread
 * of the library's (grow() in backend.h), since that may wait for its file
 * system. One that is too long keeps its length. Beyond conf.limit_bytes a
 * resize ends with -ENOSPC.
 *
 * Opens, makes and perhaps allocates the file, and waits for that: to be
 * called before there is anything in the loop that is not to wait.
 *
 * Errors, beside those of open(2), fallocate(2), ftruncate(2), fcntl(2):
 * -EINVAL (conf: sizes, flags, dev_bytes beyond limit_bytes; a block that the
 * file can't be read in; and if it is to be zoned: zones, a block device, blocks
 * that are too large; metadata: sizes, zones, no dev_bytes),
 * -EISDIR, -ENOTBLK (neither a regular file nor a block device),
 * -EOPNOTSUPP (zoned, and the file system tells of no holes),
 * -EBUSY (locked, mounted or open exclusively by others),
 * -ENODATA (no whole logical block behind offset_bytes),
 * -EFBIG (beyond RLIMIT_FSIZE, where a write would end the process),
 * -EACCES (conf.fd is open for reading only),
 * -EOVERFLOW (the file ends before offset_bytes + dev_bytes, or before the end
 * of the metadata), -ENOMEM.
 * A file that was made is removed again when this fails, one that was empty is
 * so again. *backendp is the caller's, `path` and `conf` are needed no longer.
 * Any thread.
 */
int ublkev_file_new(struct ublkev_backend **backendp, const char *path,
		    const struct ublkev_file_conf *conf);

/*
 * The descriptor that a backend of ublkev_file_new() works on, to be sent to
 * another process (SCM_RIGHTS), together with its lock; -1: it is none of
 * these. It stays the backend's.
 */
int ublkev_file_fd(const struct ublkev_backend *backend);

/* what there was before ublkev_file_new() */
enum ublkev_file_was {
	/* the file, with what is in it; also of conf.fd, and another backend */
	UBLKEV_FILE_WAS_THERE,
	UBLKEV_FILE_WAS_MISSING,	/* no file: CREATE made it */
	UBLKEV_FILE_WAS_EMPTY,		/* an empty one: CREATE lengthened it */
};

/*
 * So that whoever does not come to serve the disk can undo it, by removing or
 * emptying the file. What ublkev_file_new() itself has done before it failed it
 * has undone. Any thread.
 */
enum ublkev_file_was ublkev_file_was(const struct ublkev_backend *backend);

/*
 * Whether an fdatasync(2) of a backend of ublkev_file_new() has failed, so that
 * every FLUSH fails: 1, else 0, also of another backend. Any thread.
 *
 * The kernel tells of lost writes once for each open of a file, and whoever is
 * handed the descriptor has no open of its own: it would be told of success.
 * So this is handed over with the descriptor, after the last request that is
 * answered here, STOPPED at the latest, and before the first that is there.
 */
int ublkev_file_lost_writes(const struct ublkev_backend *backend);

/*
 * Whoever served from this descriptor before has lost writes: every FLUSH is to
 * fail. Of no effect on another backend. Any thread.
 */
void ublkev_file_set_lost_writes(struct ublkev_backend *backend);

#ifdef __cplusplus
}
#endif

#endif /* UBLKEV_FILE_H */
