/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard.h - the checks before and after every call into a backend
 *
 * The only way from the library into a backend. A backend sees legal
 * requests only, and the library legal answers only.
 *
 *	open -> start -> (submit | flush)* -> stop -> close
 *
 * A layer's lower ones come first in open and start, after it in all others.
 *
 * A backend that closes later is CLOSING meanwhile, and its owner's; when that
 * cannot wait any longer, it is LEFT to itself.
 *
 * Nothing is emulated here: a backend without WRITE_ZEROES or FUA says so
 * in its limits, and the block layer then writes zeroes and flushes itself.
 */
#ifndef UBLKEV_BACKEND_GUARD_H
#define UBLKEV_BACKEND_GUARD_H

#include <stdbool.h>

#include <ublkev/backend.h>
#include <ublkev/layer.h>
#include <ublkev/reqop.h>

#include "util/log.h"

/* where an answer given with ublkev_req_done() goes; err <= 0 */
typedef void ublkev__guard_done_fn(void *owner, uint64_t cookie, int err);
/* where ublkev_backend_closed() is told, after which owner is forgotten */
typedef void ublkev__guard_closed_fn(void *owner);

enum ublkev__guard_phase {
	UBLKEV__GUARD_CLOSED,	/* no device uses it */
	UBLKEV__GUARD_OPEN,
	UBLKEV__GUARD_STARTED,	/* may be given requests */
	UBLKEV__GUARD_CLOSING,	/* will say when it has closed */
	UBLKEV__GUARD_LEFT,	/* so it will, but its device has ended */
};

/*
 * The calls of ublkev/reqop.h, for the backends of this room, which does not know
 * that of whoever carries them out
 */
struct ublkev__reqop_calls {
	int (*pread)(struct ublkev_backend *b, struct ublkev_req *req, int fd,
		     void *buf, size_t len_bytes, uint64_t offset_bytes,
		     ublkev_req_fn *done);
	int (*pwrite)(struct ublkev_backend *b, struct ublkev_req *req, int fd,
		      const void *buf, size_t len_bytes, uint64_t offset_bytes,
		      ublkev_req_fn *done);
	int (*fsync)(struct ublkev_backend *b, struct ublkev_req *req, int fd,
		     ublkev_req_fn *done);
	int (*fallocate)(struct ublkev_backend *b, struct ublkev_req *req,
			 int fd, int mode, uint64_t offset_bytes,
			 uint64_t len_bytes, ublkev_req_fn *done);
};

struct ublkev_backend {
	struct ublkev_backend_ops ops;	/* whole, absent calls NULL */
	void *ctx;
	void (*ctx_free)(void *ctx);	/* of a built-in backend, or NULL */
	struct ublkev_limits limits;	/* cached at open */
	unsigned int supported;		/* bit per enum ublkev_op */
	uint32_t generation;		/* where a device's cookies begin, so
					   that no answer to a former one
					   fits a request of the next */
	enum ublkev__guard_phase phase;
	bool orphan;			/* freed by its owner: goes when it has
					   closed, and is beneath no layer */
	bool below;			/* CLOSING, LEFT: it has closed, and its
					   lower ones have not */
	/* of the device that uses it, or the layer, from open to its having
	   closed */
	ublkev__guard_done_fn *done;
	ublkev__guard_closed_fn *closed; /* CLOSING: who waits; else NULL */
	const struct ublkev__reqop_calls *calls; /* set by the owner */
	void *owner;			/* a device, or struct ublkev_lower */
	const struct ublkev__log *log;
	void *device;			/* that all of this is for */
	ublkev__guard_done_fn *sub_done; /* `done` of lower ones */
	struct ev_loop *loop;		/* STARTED: of the start */
	/* layer/lower.h */
	struct ublkev_lower *lowers;	/* a layer's: the first */
	struct ublkev_lower *above;	/* whose it is; NULL: no layer's */
};

/* who opens a backend, and is told; see the members above */
struct ublkev__guard_user {
	void *owner;
	ublkev__guard_done_fn *done;
	void *device;
	ublkev__guard_done_fn *sub_done;
	const struct ublkev__reqop_calls *calls;
	const struct ublkev__log *log;
};

/*
 * The backend's open(), after that of its lower ones; its limits completed (0
 * replaced by what it means) and checked for what no kernel takes (one line to
 * the log says which).
 * Errors: open()'s; -EINVAL, limits (after which the backend was closed);
 * -EBUSY, another device uses it. A positive answer of open() is -EIO.
 */
int ublkev__guard_open_for(struct ublkev_backend *b,
			   const struct ublkev__guard_user *user);
/* The same for a device, of a backend without lower ones. */
int ublkev__guard_open(struct ublkev_backend *b, ublkev__guard_done_fn *done,
		       void *owner, const struct ublkev__log *log);

/*
 * Calls the backend's start(), after that of its lower ones; after an error close()
 * is still owed.
 */
int ublkev__guard_start(struct ublkev_backend *b, struct ev_loop *loop);

/* of a queue with a thread, in that; stop only after a start that succeeded */
int ublkev__guard_queue_start(const struct ublkev_backend *b,
			      unsigned int queue, struct ev_loop *loop);
void ublkev__guard_queue_stop(const struct ublkev_backend *b,
			      unsigned int queue);

/* 0, or why the request is not to reach the backend: see guard_submit */
int ublkev__guard_check(const struct ublkev_backend *b,
			const struct ublkev_req *req);

/*
 * The backend's own memory with all of a READ's or WRITE's range, or NULL;
 * the request was checked.
 */
static inline void *ublkev__guard_map(const struct ublkev_backend *b,
				      const struct ublkev_req *req)
{
	return b->ops.map ? b->ops.map(b->ctx, req) : NULL;
}

/*
 * UBLKEV_DONE, UBLKEV_LATER, UBLKEV_AGAIN or a negative errno, whatever the
 * backend says. go_on is for a request that was answered with AGAIN.
 * The checks: -EOPNOTSUPP, op or FUA not in the limits; -EROFS, a write to a
 * read-only disk; -EINVAL, range or alignment; -EIO, not between start and
 * stop. *rejected says whether they refused the request, which then did not
 * reach the backend.
 */
int ublkev__guard_submit(struct ublkev_backend *b, struct ublkev_req *req,
			 bool *rejected);
int ublkev__guard_go_on(struct ublkev_backend *b, struct ublkev_req *req,
			bool *rejected);

/*
 * Of a backend that has place(): how many extents the request has, 0 when it is
 * for submit(), which there is then, or a negative errno. The checks are those
 * of guard_submit; an answer that is none, which is told to the log, is -EIO.
 */
int ublkev__guard_place(const struct ublkev_backend *b,
			const struct ublkev_req *req,
			struct ublkev_extent *extents, bool *rejected);

/*
 * Of a ZONE_APPEND, once, before it is submitted or placed: has the backend say
 * where it goes, which is its offset_bytes from then on. 0 or a negative errno;
 * checks and *rejected as those of guard_submit.
 */
int ublkev__guard_append(const struct ublkev_backend *b, struct ublkev_req *req,
			 bool *rejected);

/* what a request is answered with that was placed; err is 0 or negative */
int ublkev__guard_placed(const struct ublkev_backend *b,
			 const struct ublkev_req *req, int err);

/*
 * The backend's `done` of an operation that ended with res: UBLKEV_LATER, 0 or
 * a negative errno, whatever it says.
 */
int ublkev__guard_op_done(const struct ublkev_backend *b, ublkev_req_fn *done,
			  struct ublkev_req *req, int res);
/* The same of a layer's, of a sub-request. */
int ublkev__guard_sub_done(const struct ublkev_backend *b, ublkev_sub_fn *done,
			   struct ublkev_req *req, void *data, int err);
/* what the backend's work returned, as an answer: 0 or a negative errno */
int ublkev__guard_work_answer(const struct ublkev_backend *b, int res);

void ublkev__guard_flush(struct ublkev_backend *b);

/*
 * The backend's grow(), in whatever thread; and its answer made legal, in the
 * loop's: 0 or a negative errno.
 */
int ublkev__guard_grow(const struct ublkev_backend *b, uint64_t dev_bytes);
int ublkev__guard_grown(const struct ublkev_backend *b, int answer);

/*
 * Whether that may be its capacity: 0, -EINVAL (no multiple of the logical
 * block, 0, 2^63 or more), -EOPNOTSUPP (it has no resize).
 */
int ublkev__guard_can_resize(const struct ublkev_backend *b,
			     uint64_t dev_bytes);

/*
 * The backend's resize() to what can_resize allowed, and its limits' new
 * capacity: at once when it shrinks, and when it grows if that succeeds.
 * UBLKEV_AGAIN, when it does not grow: it is to be called once more, to do the
 * next piece. Errors: its own.
 */
int ublkev__guard_resize(struct ublkev_backend *b, uint64_t dev_bytes);

/*
 * A backend's answer to `call`, made legal: one that is neither 0 nor a negative
 * errno is -EIO, and told to `log`.
 */
int ublkev__guard_legal_errno(const struct ublkev_backend *b,
			      const struct ublkev__log *log, const char *call,
			      int answer);

/* does nothing when there was no start */
void ublkev__guard_stop(struct ublkev_backend *b);

/*
 * Stops it if it was started, and has it close if it was opened. UBLKEV_DONE:
 * it is closed. UBLKEV_LATER: it will be, and `closed` is called with the
 * owner.
 */
int ublkev__guard_begin_close(struct ublkev_backend *b,
			      ublkev__guard_closed_fn *closed);

/* Fact: the last of its lower ones has closed, which it has begun to close. */
void ublkev__guard_below_closed(struct ublkev_backend *b);

/*
 * As begin_close, and may follow it, but for an owner that ends. UBLKEV_LATER:
 * the backend has not closed, may still touch what was lent to it, and has no
 * owner any more.
 */
int ublkev__guard_close(struct ublkev_backend *b);

/*
 * Instead of that, for an owner that ends while the backend's own code is at
 * work in a thread: it is stopped, is not told to close, and has no owner any
 * more.
 */
void ublkev__guard_leave(struct ublkev_backend *b);

/*
 * Its device ends before it has closed: nobody is told anything, it neither. Of
 * lower ones.
 */
void ublkev__guard_orphan(struct ublkev_backend *b);

/*
 * ublkev_backend_new() with what frees ctx, for the built-in ones; on
 * failure ctx is not freed.
 */
int ublkev__guard_new(struct ublkev_backend **backendp,
		      const struct ublkev_backend_ops *ops, void *ctx,
		      void (*ctx_free)(void *ctx));

#endif
