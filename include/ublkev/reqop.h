/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reqop.h - what a backend has done for a request that it got by submit()
 *
 * Files are read and written on the queue's own ring, in the same system call
 * as the answers to the kernel; code that blocks runs in a thread of the
 * library's. Where the data are in files as they are, place() is simpler, see
 * backend.h; these are for backends that have to touch them. All of it needs
 * UBLKEV_LIMIT_REQ_OPS in the limits.
 *
 *	static int disk_submit(void *ctx, struct ublkev_req *req)
 *	{
 *		struct disk *d = ctx;
 *		int err = ublkev_req_pread(d->backend, req, d->fd, req->buf,
 *					   req->len_bytes, req->offset_bytes,
 *					   decrypt);
 *
 *		return err ? err : UBLKEV_LATER;
 *	}
 *
 * The rules, of operations on files and of work that is offloaded:
 *
 * They are begun for a request that the backend has, in the thread that called
 * its submit(), from there, from `done` or from a watcher of that loop. None
 * of the calls waits.
 *
 * Each that was begun has its `done` called once, in that same thread, from
 * the loop, not inside the call that begins it. But for those that the kernel
 * or a thread still has when the device gives up waiting for them (at the
 * deadline of a stop): their `done` never comes, and what they read and write
 * must stay where it is for good.
 *
 * The request is answered by `done`. A request stays the backend's until all
 * of its operations have ended, whatever was answered before: a submit() that
 * answers UBLKEV_DONE or an error, a `done` or ublkev_req_done(). Of several
 * answers the first that is an error counts. UBLKEV_AGAIN of a submit() is
 * UBLKEV_LATER as long as there are operations.
 *
 * When requests are failed, as by an abort, operations on files are cancelled,
 * work that has not begun is not begun, and `done` comes with -ECANCELED or
 * with what became of it; the request has its answer, and what `done` says is
 * of no effect. When the device is released to another server, which then gets
 * the request anew, the same is done after conf.stop_timeout_ms.
 */
#ifndef UBLKEV_REQOP_H
#define UBLKEV_REQOP_H

#include <stddef.h>
#include <stdint.h>

#include <ublkev/backend.h>

#ifdef __cplusplus
extern "C" {
#endif

/* operations on files that a request can have at a time */
#define UBLKEV_MAX_REQ_OPS	4

/*
 * An operation has ended. `ctx` is the backend's; `res` is what the call that
 * began it says. What it returns: UBLKEV_DONE or a negative errno, with which
 * the request is answered; or UBLKEV_LATER, not by this one: another operation
 * or a ublkev_req_done() does. Anything else is -EIO, and a line of the log.
 * The request may be failed by now, see above; `req` is valid all the same.
 */
typedef int ublkev_req_fn(void *ctx, struct ublkev_req *req, int res);

/*
 * Begins a read(2) of len_bytes at offset_bytes of `fd` into `buf`, or a
 * write(2) from there; durable when it has ended, if the request has
 * UBLKEV_REQ_FUA (RWF_DSYNC). What the kernel cuts short is continued, EAGAIN
 * and EINTR are tried again, a hundred times. `res` is len_bytes, or less where
 * a read met the end of the file, or a negative errno, EDQUOT being ENOSPC.
 * `done` NULL: the request is answered with success if res is len_bytes, else
 * with the errno, or -EIO.
 *
 * `buf` is req->buf or the backend's own, and stays until `done`. So does `fd`,
 * which is none of the backend's non-blocking pipes or sockets: these it has in
 * its loop.
 *
 * Errors, of these and those below: -EOPNOTSUPP (no UBLKEV_LIMIT_REQ_OPS),
 * -EINVAL (nothing to do, more than INT_MAX bytes, offset beyond INT64_MAX, an
 * fd below 0, no request that the backend has), -EBUSY (UBLKEV_MAX_REQ_OPS are
 * under way for the request), -ECANCELED (the request was failed, or the device
 * is about to be released: nothing is begun any more). `done` does not come
 * then.
 */
int ublkev_req_pread(struct ublkev_backend *backend, struct ublkev_req *req,
		     int fd, void *buf, size_t len_bytes,
		     uint64_t offset_bytes, ublkev_req_fn *done);
int ublkev_req_pwrite(struct ublkev_backend *backend, struct ublkev_req *req,
		      int fd, const void *buf, size_t len_bytes,
		      uint64_t offset_bytes, ublkev_req_fn *done);

/* fdatasync(2) of `fd`; res is 0 or a negative errno. */
int ublkev_req_fsync(struct ublkev_backend *backend, struct ublkev_req *req,
		     int fd, ublkev_req_fn *done);

/* fallocate(2), of that mode; res likewise. len_bytes: below 2^63, too */
int ublkev_req_fallocate(struct ublkev_backend *backend,
			 struct ublkev_req *req, int fd, int mode,
			 uint64_t offset_bytes, uint64_t len_bytes,
			 ublkev_req_fn *done);

/*
 * What is done in a thread of the library's: may wait for whatever it likes,
 * and read and write the request's buffer. It calls nothing of this library;
 * what it shares with others of its kind is the backend's to lock. Returns 0, a
 * negative errno, or anything that `done` wants to know.
 */
typedef int ublkev_work_fn(void *ctx, struct ublkev_req *req);

/*
 * Has `work` run by a thread, one at a time for each request, and then `done`,
 * with what it returned. `done` NULL: the request is answered with that.
 *
 * The threads are the device's: made when there is work that no idle one can
 * take, conf.offload_threads at most, and there until the device ends; in them
 * all signals are blocked but those of a thread's own faults. Work that finds
 * none waits for one, in the order in which it came. What has begun cannot be
 * interrupted: a stop waits for it, as long as for a request, and then the end
 * of the device for another conf.grace_ms. If it is not back by then, the
 * device ends with ERROR in BACKEND_CLOSE, and close() of the backend is not
 * called: `ctx`, the request and its buffer are the thread's as long as it
 * runs, and never freed.
 *
 * Errors: as above; -EBUSY: there is work under way for the request; -EAGAIN:
 * there is no thread, and none could be made.
 */
int ublkev_offload(struct ublkev_backend *backend, struct ublkev_req *req,
		   ublkev_work_fn *work, ublkev_req_fn *done);

#ifdef __cplusplus
}
#endif

#endif /* UBLKEV_REQOP_H */
