/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * layer.h - a backend over other backends
 *
 * A layer is a backend whose data are in others, the lower ones, which may be
 * layers in turn. It has one handle for each of them, and hands a request on in
 * the way in which it got it: map() asks for memory, place() for files, submit()
 * has it done. The first two are arithmetic, and copy nothing.
 *
 *	static void *part_map(void *ctx, const struct ublkev_req *req)
 *	{
 *		struct part *p = ctx;
 *		struct ublkev_req sub = *req;
 *
 *		sub.offset_bytes += p->offset_bytes;
 *		return ublkev_lower_map(p->lower, &sub);
 *	}
 *
 *	static int part_submit(void *ctx, struct ublkev_req *req)
 *	{
 *		struct part *p = ctx;
 *		struct ublkev_req sub = *req;
 *
 *		if (req->len_bytes)
 *			sub.offset_bytes += p->offset_bytes;
 *		return ublkev_lower_submit(p->lower, req, &sub, NULL, NULL);
 *	}
 *
 * What a layer has not to do, for the library does it around the layer's own
 * calls: a lower backend is opened before the layer's open(), started before its
 * start(), queue_start() likewise; its flush() comes after the layer's, whenever
 * that is called for, its queue_stop() and stop() after the layer's, and it is
 * closed when the layer has closed, be it later (close_begin()). So a layer needs
 * none of these unless it has something of its own to open or to stop. Between
 * the layer and each lower backend are the checks that are between a device and
 * its backend.
 *
 * A sub-request is a struct ublkev_req of the layer's, on the stack as a rule: a
 * copy of the request with another offset_bytes, len_bytes, buf, op or flags. What
 * it says has to be inside the lower limits, see ublkev_lower_limits(); cookie,
 * queue, thread, tag and data of it are of no account. A buf begins at a multiple of the
 * lower logical block within the request's, or is the layer's own, aligned to
 * 4096 bytes. A FLUSH has no range. Without UBLKEV_LIMIT_VOLATILE_CACHE in the lower
 * limits what was answered is durable: a FLUSH is done then, and UBLKEV_REQ_FUA is
 * taken away.
 *
 * All calls that have a handle come from the calls of the layer to whose queue the
 * request belongs, as those of reqop.h; none of them waits.
 */
#ifndef UBLKEV_LAYER_H
#define UBLKEV_LAYER_H

#include <stdint.h>

#include <ublkev/backend.h>
#include <ublkev/reqop.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ublkev_lower;	/* a layer's handle of a backend beneath it: opaque */

/* the layer's end, or that of its handle, frees the lower backend, too */
#define UBLKEV_LOWER_OWNED	(1u << 0)

/*
 * Puts `beneath` beneath `layer`, for as long as either lives; flags are
 * UBLKEV_LOWER_*. A backend is beneath one layer at a time, or is one device's.
 * *lowerp belongs to the layer: ublkev_backend_free() of that frees it, after the
 * layer's ctx.
 *
 * A layer that a device uses may be given one more, by a call of its own but not
 * from a thread of a queue's, nor as long as such may be in it (backend.h): it is
 * opened and started at once, and its limits change nothing of the layer's.
 *
 * Errors: -EINVAL (flags unknown, or `beneath` is the layer itself), -EBUSY (it is
 * beneath a layer, or a device's), -ENOMEM; of a layer in use also those of the
 * lower open() and start(), and -EOPNOTSUPP (it has queue_start()). When this fails
 * `beneath` is the caller's still. Any thread, before the layer is in use.
 */
int ublkev_lower_new(struct ublkev_lower **lowerp,
		     struct ublkev_backend *layer,
		     struct ublkev_backend *beneath, unsigned int flags);

/*
 * Takes the lower backend away, closes it, and frees it if it is owned: of a layer
 * that is in use by the calls that ublkev_lower_new() says, and when no sub-request
 * of it is out, which is an assertion. NULL is allowed.
 */
void ublkev_lower_free(struct ublkev_lower *lower);

/* the `beneath` of ublkev_lower_new(). Any thread. */
struct ublkev_backend *ublkev_lower_backend(const struct ublkev_lower *lower);

/*
 * The lower limits, 0 replaced by what it stands for: from the layer's open() to
 * its close(). dev_bytes is as of the last resize.
 */
const struct ublkev_limits *
ublkev_lower_limits(const struct ublkev_lower *lower);

/*
 * In a layer's open(), for each of the lower backends: `all` becomes what may be
 * said of a disk that hands requests on to that one as well: the larger block, the
 * least maximum, READ_ONLY and VOLATILE_CACHE of either, FUA if each has it that
 * has a cache, THREADS and THREADS_PER_QUEUE if both have. dev_bytes and chunk_bytes stay as they are.
 * The first call is with `all` as open() found it, which takes `one` over but for
 * these two.
 * Errors: -EOPNOTSUPP (zones or metadata, of which a range is no whole).
 */
int ublkev_limits_join(struct ublkev_limits *all,
		       const struct ublkev_limits *one);

/* ublkev_backend_ways() */
#define UBLKEV_WAY_MAP		(1u << 0)
#define UBLKEV_WAY_PLACE	(1u << 1)
#define UBLKEV_WAY_SUBMIT	(1u << 2)
#define UBLKEV_WAY_RESIZE	(1u << 3)
#define UBLKEV_WAY_GROW		(1u << 4)

/*
 * Which calls a backend has: UBLKEV_WAY_*. How a device copies follows from whether
 * there are map() and place(), and a device with place() has memory for it, so a
 * layer is best made with those calls only that some lower backend has. Any thread.
 */
unsigned int ublkev_backend_ways(const struct ublkev_backend *backend);

/*
 * In map(): where the sub-request's data are. NULL: nowhere in one piece, or it
 * would be refused; submit() gets the request.
 */
void *ublkev_lower_map(const struct ublkev_lower *lower,
		       const struct ublkev_req *sub);

/*
 * In place(): where the sub-request's data are in files. Fills in as many of
 * `extents`, of which there is room for `room`, as it answers. 0: in none, or in
 * more than there is room for; or a negative errno, which is the request's. Of a
 * FLUSH without a cache one extent of no file.
 *
 * For each that gave extents ublkev_lower_placed() is owed, of a sub-request that
 * says the same: in placed(); or at once, with -ECANCELED, where the layer answers
 * its own place() with 0 or an errno for another one's sake.
 */
int ublkev_lower_place(const struct ublkev_lower *lower,
		       const struct ublkev_req *sub,
		       struct ublkev_extent *extents, int room);

/*
 * What became of it: 0 or the errno that placed() was told. Answers what the lower
 * backend makes of that, 0 or a negative errno.
 */
int ublkev_lower_placed(const struct ublkev_lower *lower,
			const struct ublkev_req *sub, int err);

/*
 * A sub-request has ended, with err, 0 or a negative errno; `req` is what it was
 * made for. Returns what a ublkev_req_fn does: UBLKEV_DONE or a negative errno, with
 * which `req` is answered, or UBLKEV_LATER, not by this one.
 */
typedef int ublkev_sub_fn(void *ctx, struct ublkev_req *req, void *data,
			  int err);

/*
 * Has the sub-request done for `req`, which the layer has by its submit(): from
 * there, from the `done` of another, or from a watcher of that loop. UBLKEV_DONE or
 * a negative errno: it has ended, `done` is not called. UBLKEV_LATER: `done` is,
 * once, with the layer's ctx, in the same thread, from the loop, not inside this
 * call, nor inside one of the lower backend's. `done` NULL: `req` is answered with
 * err. So for a request that goes to some lower backends at once, submit() answers
 * UBLKEV_LATER if any of these calls did, or the first error.
 *
 * The rules are those of reqop.h: `req` stays the layer's until all of its
 * sub-requests and operations have ended, whatever was answered before; of several
 * answers the first error counts. When requests are failed, what the ring has of
 * them is cancelled, and `done` comes, with no effect; of a sub-request that the
 * lower backend has still when it is closed it never does.
 *
 * Where the lower backend's data are in files (its place()), they are read and
 * written on the device's own ring, with sub->buf. What it answers with UBLKEV_AGAIN
 * is gone on with by the library. Its own ublkev_req_pread(), ublkev_offload() and
 * the like are for the request that it got, and have the limits told there; on the
 * ring some are under way at a time for one request of the device's, the rest wait.
 *
 * Errors, beside the lower backend's and those of the checks (-EINVAL range,
 * -EOPNOTSUPP op, -EROFS, -EIO): -ENOMEM, -ECANCELED (`req` was failed, or the device
 * is about to be released), -EINVAL (no request that the layer has).
 * sub is copied. It is allowed that sub == req.
 */
int ublkev_lower_submit(struct ublkev_lower *lower, struct ublkev_req *req,
			const struct ublkev_req *sub, ublkev_sub_fn *done,
			void *data);

/*
 * In the layer's resize() and grow(): those of the lower backend, which answer as
 * those do. Errors also: -EOPNOTSUPP (it has no resize()), -EINVAL (no multiple of
 * its logical block). grow() without one: 0.
 */
int ublkev_lower_resize(struct ublkev_lower *lower, uint64_t dev_bytes);
int ublkev_lower_grow(const struct ublkev_lower *lower, uint64_t dev_bytes);

#ifdef __cplusplus
}
#endif

#endif /* UBLKEV_LAYER_H */
