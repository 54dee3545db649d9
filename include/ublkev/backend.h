/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backend.h - what stands behind a block device
 *
 * A backend answers requests. Write one by filling a struct
 * ublkev_backend_ops, or take a built-in one from the end of this page, or
 * that of file.h.
 *
 * What a call of a backend's answers is checked: an answer that is none of
 * those told here is taken as -EIO, and a line of the device's log says which
 * call gave it.
 */
#ifndef UBLKEV_BACKEND_H
#define UBLKEV_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include <ublkev/req.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ev_loop;
struct ublkev_backend;	/* opaque */

/* limits.flags */
/*
 * The disk is read-only for its users, too: no WRITE, DISCARD or WRITE_ZEROES
 * ever arrives, whatever the limits say of these (UBLK_ATTR_READ_ONLY).
 */
#define UBLKEV_LIMIT_READ_ONLY		(1u << 0)
/*
 * Seeks cost time: a hint for schedulers and file systems, as queue/rotational
 * in /sys (UBLK_ATTR_ROTATIONAL).
 */
#define UBLKEV_LIMIT_ROTATIONAL		(1u << 1)
/*
 * An answered write may be lost at a power cut until a FLUSH was answered.
 * Without this flag no FLUSH ever arrives and every answered write must be
 * as durable as the backend makes anything (block layer, writeback cache
 * control).
 */
#define UBLKEV_LIMIT_VOLATILE_CACHE	(1u << 2)
/*
 * The backend honours UBLKEV_REQ_FUA. Without it the block layer sends a
 * FLUSH after each such write instead. Needs VOLATILE_CACHE.
 */
#define UBLKEV_LIMIT_FUA		(1u << 3)
/*
 * The backend looks at no data and fills in none: so none need be copied,
 * and what a READ yields is what the client's own memory happened to hold,
 * as null_blk's, freed memory of the kernel's perhaps: for measuring only.
 * Without it the data of every READ are the backend's.
 */
#define UBLKEV_LIMIT_NO_DATA		(1u << 4)
/*
 * submit(), map(), flush(), place() and placed() may be called by several
 * threads at once, each for its own queue: see UBLKEV_CONF_QUEUE_THREADS, which
 * needs it.
 */
#define UBLKEV_LIMIT_THREADS		(1u << 5)
/*
 * The backend calls ublkev_req_pread(), ublkev_offload() or others of reqop.h:
 * the device is to have room for what these begin.
 */
#define UBLKEV_LIMIT_REQ_OPS		(1u << 6)
/*
 * A zoned disk (UBLK_F_ZONED, Linux 6.6): zones of chunk_bytes each, which is
 * needed then, as is append() unless the disk is read-only. The capacity is a
 * multiple of it, and stays as it is. The backend keeps the zones' states, and
 * refuses what these do not allow; the block layer sends the writes of a zone
 * in order, one at a time, but appends at the same time. Data are moved as with
 * UBLKEV_COPY_USER or _ZERO, whatever conf.copy says, which is not for
 * UBLKEV_CONF_UNPRIVILEGED.
 */
#define UBLKEV_LIMIT_ZONED		(1u << 7)
/*
 * They may also be called by several threads at once for requests of the same
 * queue, which conf.threads_per_queue above 1 needs, beside LIMIT_THREADS: what
 * the backend keeps for each it keeps by req->thread.
 */
#define UBLKEV_LIMIT_THREADS_PER_QUEUE	(1u << 8)

/*
 * What a backend can do, answered once by its open(). The library sets
 * `size` and the defaults named below before the call. A block is the
 * logical block.
 */
struct ublkev_limits {
	size_t size;			/* ro: the library's sizeof; no member
					   beyond it is there to be written */
	uint64_t dev_bytes;		/* capacity: one block at least, a
					   multiple of the block; no default */
	uint32_t logical_block_bytes;	/* 512 (default) .. 4096, power of 2 */
	uint32_t physical_block_bytes;	/* 0 (default): the logical one */
	/* hints, which the driver takes as powers of 2: rounded down to one,
	   2^28 at most */
	uint32_t io_min_bytes;		/* 0 (default): the physical one */
	uint32_t io_opt_bytes;		/* 0 (default): none known */
	uint32_t max_io_bytes;		/* READ, WRITE; 0 (default): any */
	uint32_t chunk_bytes;		/* no READ or WRITE crosses a multiple
					   of this power of 2; 0 (default):
					   none */
	/* whole blocks; a request has less than 4 GiB, however much more is
	   allowed: bi_size of the kernel's struct bio has 32 bits */
	uint64_t max_discard_bytes;	/* 0 (default): DISCARD never arrives;
					   else one granule at least */
	uint32_t discard_granularity_bytes; /* 0 (default): the block */
	uint64_t max_write_zeroes_bytes; /* 0 (default): WRITE_ZEROES never
					   arrives, the block layer writes
					   zeroes instead */
	uint32_t flags;			/* UBLKEV_LIMIT_*; default 0 */
	/*
	 * What the files of place() want of pages that are not the library's
	 * own: with UBLKEV_COPY_ZERO, or UBLKEV_F_SHMEM_ZC, the kernel then
	 * asks it of clients, and splits requests accordingly.
	 */
	uint32_t dma_align_bytes;	/* power of 2, at most 4096; 0 (default):
					   as the kernel's default, 4 */
	uint32_t max_segment_bytes;	/* 4096 at least; 0 (default): any */
	uint32_t segment_boundary_bytes; /* no segment crosses a multiple of
					   this power of 2, 4096 at least; 0
					   (default): any may */
	uint32_t max_segments;		/* at most 65535; 0 (default): any */
	/* UBLKEV_LIMIT_ZONED; else 0 */
	uint32_t max_zone_append_bytes;	/* whole blocks; 0 (default): as a
					   WRITE */
	/* zones that may be open, and open or closed, at the same time: each is
	   at most the number of zones; 0 (default): any number */
	uint32_t max_open_zones;
	uint32_t max_active_zones;	/* max_open_zones at least */
	/*
	 * Metadata that come and go with the data (UBLK_F_INTEGRITY, Linux
	 * 7.0), moved as with UBLKEV_COPY_USER whatever conf.copy says: for
	 * submit() alone, with no map() or place(), for no ordinary user's
	 * device, and neither resized nor zoned.
	 */
	uint32_t metadata_bytes;	/* 0 (default): none; up to 255 for each
					   interval, ublkev_pi_bytes() at
					   least */
	uint32_t metadata_interval_bytes; /* 0 (default): the logical block;
					   else a power of 2 from 512 to that */
	uint32_t pi;			/* enum ublkev_pi: the protection
					   information at their beginning, which
					   the kernel makes and checks */
};

/*
 * What is known of metadata: protection information as T10 and NVMe have it, of
 * the name that /sys/block/ublkbN/integrity/format tells. A guard is a checksum of
 * the interval, by TYPE1 there is a number of the block beside it.
 */
enum ublkev_pi {
	UBLKEV_PI_NONE,			/* "nop": they mean nothing to the
					   kernel */
	UBLKEV_PI_T10_DIF_TYPE1_CRC,	/* CRC-16 */
	UBLKEV_PI_T10_DIF_TYPE1_IP,	/* the checksum of IP */
	UBLKEV_PI_T10_DIF_TYPE3_CRC,
	UBLKEV_PI_T10_DIF_TYPE3_IP,
	UBLKEV_PI_EXT_DIF_TYPE1_CRC64,	/* that of NVMe */
	UBLKEV_PI_EXT_DIF_TYPE3_CRC64,
	UBLKEV_NR_PIS
};

/* of the metadata of each interval: 0, 8 or 16. Any thread. */
uint32_t ublkev_pi_bytes(unsigned int pi);
/* "T10-DIF-TYPE1-CRC", "nop"; "?" for no pi. Static string, any thread. */
const char *ublkev_pi_name(unsigned int pi);

/* what submit() answers when it is not a negative errno */
#define UBLKEV_DONE	0	/* finished, successfully, before the return */
#define UBLKEV_LATER	1	/* exactly one ublkev_req_done() follows */
/*
 * Not finished, and nothing is waited for but the CPU: submit() is called with
 * the same request again, `data` as it was left, once others have had their
 * turn. So what is long is done in pieces that are short beside budget_us.
 */
#define UBLKEV_AGAIN	2

/* a range of a file or block device, see place() */
struct ublkev_extent {
	int fd;			/* -1: of no file; it reads as zeroes */
	uint64_t offset_bytes;
	uint64_t len_bytes;
};

/* the most that place() answers */
#define UBLKEV_MAX_EXTENTS	8
/* and the longest extent of a ZONE_FINISH */
#define UBLKEV_MAX_FINISH_BYTES	4096

/*
 * The calls into a backend. All come from the loop's thread, none from inside
 * another, and none about a request from inside ublkev_req_done(). Needed are
 * `open`, and `submit` or `place`; others may be NULL.
 * With UBLKEV_CONF_QUEUE_THREADS submit(), map(), flush(), place() and placed()
 * come from the queue's thread, and so do its queue_start() before and its
 * queue_stop() after all of them; no thread is in any of them during the other
 * calls. The backend's own watchers in the threads' loops go on during these,
 * resize() too: what they touch of the backend's is the backend's to lock.
 */
struct ublkev_backend_ops {
	size_t size;		/* sizeof(struct ublkev_backend_ops) */
	const char *name;	/* for logs; one word */

	/*
	 * Make ready and say the limits. Called by ublkev_dev_start() or
	 * _recover(), which returns its error, and may wait. After success one
	 * close() follows, also where the limits are then refused.
	 */
	int (*open)(void *ctx, struct ublkev_limits *limits);
	/*
	 * No request is outstanding, or those that are were given up: after
	 * this call the backend touches no request and no buffer. A backend
	 * that would have to wait for that has close_begin() as well.
	 */
	void (*close)(void *ctx);
	/*
	 * Requests follow. `loop` is the loop for the backend's own watchers;
	 * NULL when the application drives the device by hand. Still in
	 * ublkev_dev_start(), so it may wait. Error: the device does not come
	 * up and ublkev_dev_start() returns it.
	 */
	int (*start)(void *ctx, struct ev_loop *loop);
	/*
	 * No further request comes, and no answer is waited for: the last
	 * one was given, or the stop's deadline is over. Stop what start()
	 * began. After a start() that succeeded.
	 */
	void (*stop)(void *ctx);
	/*
	 * Do one request, or begin to. Answers UBLKEV_DONE, UBLKEV_LATER,
	 * UBLKEV_AGAIN or a negative errno, which is the request's; the client
	 * sees EIO but for those that errno_to_blk_status() of the kernel
	 * knows, as ENOSPC, ETIMEDOUT and ENOMEM. Must not block: what it
	 * waits for, everybody in the loop waits for. The request was checked
	 * before: op and range are inside the limits. NULL: place() takes them
	 * all.
	 */
	int (*submit)(void *ctx, struct ublkev_req *req);
	/*
	 * The batch of submit() calls ends here for now; send what was
	 * gathered. Once a round, if submit() was called in it.
	 */
	void (*flush)(void *ctx);
	/*
	 * Change the capacity to dev_bytes, a multiple of the logical block.
	 * 0, UBLKEV_AGAIN or a negative errno, which the resize ends with.
	 * Growing comes before the device grows, shrinking after it has
	 * shrunk: requests beyond the new end may still be outstanding then.
	 * NULL: the size is fixed, as that of a zoned disk is. On an error the
	 * capacity is as it was.
	 *
	 * What takes long, when it shrinks, is done in pieces that are short
	 * beside budget_us: UBLKEV_AGAIN has it called with the same size
	 * again, once others, this device's requests too, have had their turn.
	 * RESIZED comes after the last piece. When the device ends before
	 * that, no further call comes, the capacity is as it was at the next
	 * open(), and what was beyond the new end may be lost.
	 */
	int (*resize)(void *ctx, uint64_t dev_bytes);
	/*
	 * For backends whose data are in memory: where the whole range of
	 * this READ or WRITE is, for the kernel to copy from or to it, once,
	 * with no buffer between. Such a request is done with the copy and
	 * never submitted. NULL: not this one; submit() gets it, with a
	 * buffer. Checked before as for submit(). Called where the device
	 * works so (see UBLKEV_COPY_DIRECT), so submit() does them all too.
	 *
	 * The address is used until the request is answered, at the latest
	 * close(): a READ's within this turn of the loop, a WRITE's until a
	 * later one. Memory must stay mapped, readable (READ) or writable
	 * (WRITE) so long, and is best not file-backed, nor swapped: a page
	 * fault stalls the loop. Memory mapped from a device can't be used.
	 * Where the copy fails the request does, with EIO.
	 *
	 * Nobody tells the backend when a WRITE's data have arrived; a
	 * FLUSH, and an answer to FUA, never precede those they are about:
	 * the kernel is answered after the copy. So a backend that has to do
	 * something for durability answers NULL to FUA or does it in FLUSH.
	 */
	void *(*map)(void *ctx, const struct ublkev_req *req);
	/*
	 * In a queue's own thread, and only where there are such: requests
	 * of that queue follow, and go on until queue_stop(). `queue` is its
	 * number; with several threads a queue (UBLKEV_LIMIT_THREADS_PER_QUEUE)
	 * this is called in each, with that thread's number, which its requests
	 * have as req->thread. `loop` is the
	 * thread's, for watchers of the backend's in which these are
	 * answered; queue_stop() stops them. Error: the device does not come
	 * up, ERROR in START. queue_stop() comes after a queue_start() that
	 * succeeded, when the queue's requests were answered or given up.
	 */
	int (*queue_start)(void *ctx, unsigned int queue,
			   struct ev_loop *loop);
	void (*queue_stop)(void *ctx, unsigned int queue);
	/*
	 * For backends whose data are in files or on block devices: where
	 * this request's range is. The library then reads, writes, syncs and
	 * punches holes there, on the queue's own ring, and submit() does not
	 * get the request. Fills in `extents`, which has room for
	 * UBLKEV_MAX_EXTENTS, in the order of the range, none of them empty,
	 * together len_bytes long; for a FLUSH, which has no range, a file to
	 * be synced each, of offset and length 0. Answers how many; 0: submit()
	 * gets the request, which fails with EIO where there is none; or a
	 * negative errno, which is the request's.
	 * Checked before as for submit(), which it must be as quick as.
	 *
	 *	READ		read(2); of fd -1: zeroes
	 *	WRITE, ZONE_APPEND
	 *			write(2), with UBLKEV_REQ_FUA RWF_DSYNC; fd -1
	 *			is not allowed
	 *	FLUSH		fdatasync(2)
	 *	DISCARD		BLOCK_URING_CMD_DISCARD, where the kernel has that
	 *			(Linux 6.12) and it is a block device that can;
	 *			else fallocate(2), PUNCH_HOLE
	 *	WRITE_ZEROES	PUNCH_HOLE, or where the file cannot do that, and
	 *			with UBLKEV_REQ_NOUNMAP, ZERO_RANGE;
	 *			with UBLKEV_REQ_FUA fdatasync(2) of each file
	 *			after it
	 *	ZONE_RESET, ZONE_RESET_ALL
	 *			fallocate(2), PUNCH_HOLE, of extents of any
	 *			length
	 *	ZONE_FINISH	write(2) of zeroes, at most
	 *			UBLKEV_MAX_FINISH_BYTES an extent; fd -1:
	 *			nothing
	 *	ZONE_OPEN, ZONE_CLOSE
	 *			nothing, of one extent of fd -1
	 *
	 * all of which leave the file's size as it is, but for a WRITE beyond
	 * its end, and with fd -1 do nothing but what is said here. The ranges
	 * of a request are worked on at the same time, and so are requests. A
	 * READ or WRITE that the kernel cuts short is continued; where nothing
	 * is left to read, because the file is too short, the request fails
	 * with EIO. EAGAIN and EINTR are tried again, a hundred times. EDQUOT
	 * becomes ENOSPC; other errors are the request's as they are. What
	 * O_DIRECT wants of offsets and lengths is between the file and the
	 * limits; buffers are page-aligned, and what it wants of clients' own
	 * pages (UBLKEV_COPY_ZERO) is too: req->buf is NULL then.
	 *
	 * A file stays open until the request's placed(), or close(). What an
	 * abort has taken from the backend is cancelled, and may go on for
	 * some time: close() waits for it as long as the stop's deadline.
	 */
	int (*place)(void *ctx, const struct ublkev_req *req,
		     struct ublkev_extent *extents);
	/*
	 * What became of a request that was placed: 0, or the negative errno
	 * that is its first failure. Answers what the request is answered
	 * with, 0 or a negative errno; NULL: err. Once for each request that
	 * place() gave extents for, but not for those that were given up at
	 * close(). After an abort the answer has no effect.
	 */
	int (*placed)(void *ctx, const struct ublkev_req *req, int err);
	/*
	 * Called instead of close(), for a backend whose threads may still be
	 * at work on requests that were given up, and cannot be interrupted.
	 * Answers UBLKEV_DONE: it is closed, as after close(); or
	 * UBLKEV_LATER: exactly one ublkev_backend_closed() follows, until
	 * which requests and buffers stay where they are. STOPPED waits for
	 * it, the loop does not: for what is left of conf.stop_timeout_ms (an
	 * abort, or requests that were failed, leave nothing), and
	 * conf.grace_ms at least. Then ERROR -ETIMEDOUT in BACKEND_CLOSE is
	 * told, if no error was before, and STOPPED; that memory is never
	 * freed, and a line of the log says so. Called by a ublkev_dev_start()
	 * that fails, it is not waited for: no request has been made.
	 * `ctx` is in use until the backend has closed, whatever was told.
	 */
	int (*close_begin)(void *ctx);
	/*
	 * What a resize() to a larger capacity would have to wait for, as a
	 * file system that makes a file longer: called before it, in a thread
	 * of the library's, while requests go on. 0 or a negative errno, which
	 * the resize ends with; no resize() follows then. None need follow
	 * after 0 either: the device may have begun to end. NULL: nothing.
	 */
	int (*grow)(void *ctx, uint64_t dev_bytes);
	/*
	 * Of a zoned disk: where the data of this ZONE_APPEND, to the zone that
	 * begins at its offset_bytes, are to be stored: in that zone, its write
	 * pointer, which is now behind them. Answers that offset in the disk,
	 * or a negative errno, which is the request's. Once for each; then
	 * submit() or place() gets it, with this offset_bytes, which the client
	 * is told when it is answered. In a queue's own thread where there are
	 * such, as submit().
	 */
	int64_t (*append)(void *ctx, const struct ublkev_req *req);
};

/*
 * A backend from its calls. `ops` and its name (NULL: "backend") are copied,
 * `ctx` is handed to every call and stays the caller's.
 * The backend serves one device at a time: the start of a second one fails
 * with -EBUSY.
 * Errors: -EINVAL (no open, neither submit nor place, size too small), -ENOMEM.
 * Owner: the caller, who frees it after STOPPED. Any thread.
 */
int ublkev_backend_new(struct ublkev_backend **backendp,
		       const struct ublkev_backend_ops *ops, void *ctx);

/*
 * Asserts that no device uses it. NULL is allowed. For a built-in backend
 * this also frees what its constructor made. One that has not closed by the
 * time its device ended (close_begin()) is freed when it has. Any thread, and
 * of such a one that in which it tells.
 */
void ublkev_backend_free(struct ublkev_backend *backend);

/* the ctx given to ublkev_backend_new(); NULL for a built-in one */
void *ublkev_backend_ctx(const struct ublkev_backend *backend);

/* ops->name, or "null", "mem", "file"; valid as long as the backend */
const char *ublkev_backend_name(const struct ublkev_backend *backend);

/*
 * Answer a request for which submit() said UBLKEV_LATER; also allowed while
 * that submit() still runs. `err` is 0 or a negative errno. From the loop's
 * thread only, or with UBLKEV_CONF_QUEUE_THREADS the one whose submit() it
 * was: from elsewhere, wake that loop (ev_async) and answer there.
 * A cookie that is not outstanding, because it was answered already or
 * given up by a stop, is logged, counted in stats.stale_answers and has no
 * other effect; once the backend is closed it has no effect at all.
 */
void ublkev_req_done(struct ublkev_backend *backend, uint64_t cookie, int err);

/*
 * The backend whose close_begin() said UBLKEV_LATER is closed now, and touches
 * no request and no buffer any more; also allowed while that close_begin()
 * still runs. From the loop's thread only: from elsewhere, wake that loop
 * (ev_async) and tell there. The application may be told STOPPED, and free the
 * backend, once this has returned. Without a close_begin() before, or a second
 * time, it has no effect but a line in the log of the device that uses the
 * backend.
 */
void ublkev_backend_closed(struct ublkev_backend *backend);

/* ---- built-in backends ------------------------------------------------ */

/*
 * Options of the built-in backends; fill with ublkev_disk_conf_init(),
 * which sets the defaults. NULL in place of one: all defaults.
 */
struct ublkev_disk_conf {
	size_t size;			/* ro: set by the init call */
	uint64_t dev_bytes;		/* 256 MiB; whole logical blocks, below
					   2^63 */
	uint32_t logical_block_bytes;	/* 512; .. 4096, power of 2 */
	uint32_t flags;			/* UBLKEV_DISK_*; 0 */
	int fd;				/* mem: -1; see ublkev_mem_new() */
	/* mem: a zoned disk, see UBLKEV_LIMIT_ZONED */
	uint32_t max_open_zones;	/* 0 (default): any number */
	uint32_t max_active_zones;	/* likewise; max_open_zones at least */
	uint32_t conventional_zones;	/* 0; so many at the beginning can be
					   written anywhere */
	uint64_t zone_bytes;		/* 0 (default): it is not zoned; power
					   of 2 from 4096 to 2^31, of which
					   dev_bytes is a multiple */
	uint64_t zone_capacity_bytes;	/* what can be written of a zone, whole
					   blocks; 0 (default): all of it */
	/* mem, not zoned: metadata for each logical block, see the limits */
	uint32_t metadata_bytes;	/* 0 (default): as pi needs */
	uint32_t pi;			/* UBLKEV_PI_NONE */
};

/* see UBLKEV_LIMIT_READ_ONLY */
#define UBLKEV_DISK_READ_ONLY	(1u << 0)
/* mem: ask for transparent huge pages (madvise MADV_HUGEPAGE) */
#define UBLKEV_DISK_HUGE_PAGES	(1u << 1)
/* mem: in a memfd (memfd_create(2)), which another process can be handed */
#define UBLKEV_DISK_SHARED	(1u << 2)
/*
 * null: with UBLKEV_COPY_USER have nothing copied at all, for measuring. What
 * a READ yields then is what the pages of the client's happened to hold,
 * memory that the kernel had freed among it, unless that was booted with
 * init_on_alloc=1. For nobody's machine but one's own.
 */
#define UBLKEV_DISK_NO_DATA	(1u << 3)

/*
 * `size` is sizeof(*conf). The members that this library knows get their
 * defaults, those of a newer header zeroes.
 */
void ublkev_disk_conf_init(struct ublkev_disk_conf *conf, size_t size);

/*
 * Answers everything at once and keeps nothing, for measuring the road to it:
 * a READ yields zeroes (but see UBLKEV_DISK_NO_DATA). A buffer is zeroed when
 * it is first read from, and after a WRITE was in it. Every op is supported,
 * and threads (UBLKEV_LIMIT_THREADS); the size is fixed. *backendp is the
 * caller's, `conf` is copied.
 * Errors: -EINVAL (sizes, flags, zones), -ENOMEM. Any thread.
 */
int ublkev_null_new(struct ublkev_backend **backendp,
		    const struct ublkev_disk_conf *conf);

/*
 * A disk in memory, gone with the backend; contents outlive the device, so
 * that a backend can be stopped and served again. Sparse: only pages that
 * were written count, small ones unless UBLKEV_DISK_HUGE_PAGES. DISCARD and
 * WRITE_ZEROES without NOUNMAP give their pages back. Not copied into a forked
 * child (MADV_DONTFORK), nor into a core dump (MADV_DONTDUMP). It has map(),
 * can be resized, and serves threads (UBLKEV_LIMIT_THREADS). *backendp is the
 * caller's, `conf` is copied.
 *
 * conf.fd, when not -1, is a memfd or a file on tmpfs or hugetlbfs, open for
 * reading and writing, in which the data are and stay: a process that comes
 * after this one can serve them on. It is duplicated, and made dev_bytes long
 * if it is shorter. Of such a disk, and of one with UBLKEV_DISK_SHARED, pages
 * that were read count too. A tmpfs must have room for all of it; who fills
 * that up later ends the process (SIGBUS at a write to a new page).
 *
 * With conf.zone_bytes it is zoned: no DISCARD, no WRITE_ZEROES, no map(), no
 * threads, no resize. Its zones' states are kept behind its data, in the same
 * memory: where that is a file's, a process that comes after this one finds them
 * as they were, and is to be told the same sizes.
 *
 * With conf.metadata_bytes or conf.pi it has metadata, for 7.0 and later, likewise
 * behind its data: no map(), no resize. What was never written, or discarded, has
 * such that nobody checks.
 * Errors: -EINVAL (sizes, or no such file, or one of other zones), -ENOMEM (no address space, or
 * vm.overcommit_memory is 2 and dev_bytes beyond the limit), -ENOSPC (tmpfs),
 * and with fd or UBLKEV_DISK_SHARED -EFBIG (dev_bytes beyond RLIMIT_FSIZE, also
 * of a resize) and those of memfd_create(2), ftruncate(2), mmap(2). Any thread.
 */
int ublkev_mem_new(struct ublkev_backend **backendp,
		   const struct ublkev_disk_conf *conf);

/*
 * The memfd or file of a disk of ublkev_mem_new(), to be sent to another
 * process (SCM_RIGHTS); -1: it has none. It stays the backend's. A memfd is
 * not sealed, so that the next server can resize it, and can't be: whoever has
 * it can shorten it, which ends a server that uses it (SIGBUS).
 */
int ublkev_mem_fd(const struct ublkev_backend *backend);

#ifdef __cplusplus
}
#endif

#endif /* UBLKEV_BACKEND_H */
