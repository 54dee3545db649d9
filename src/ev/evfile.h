/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evfile.h - requests whose data are in files: from the backend to the ring
 *
 * A backend that has place() is asked by file_place() where a request's data
 * are; what core/placed.h makes of it goes into the ring with file_out(), as
 * far as that has room, and comes back with file_cqe(). For core/queue.h the
 * request is the backend's all the time.
 *
 * An abort takes requests from the backend, while the kernel may still read and
 * write their buffers: a lane is drained only when the kernel has nothing of
 * these any more. No later request can meet a completion of theirs, since after
 * an abort none is given to the backend for as long as the ring lives. Closed
 * before that, their buffers are left to the kernel.
 *
 * A recall takes no request from the backend. It comes before a ring is closed
 * whose device another server is to have: a write that lands later would
 * overtake that server's.
 */
#ifndef UBLKEV_EV_EVFILE_H
#define UBLKEV_EV_EVFILE_H

#include <stdbool.h>
#include <stdint.h>

struct ublkev__cqe;
struct ublkev__engine;
struct ublkev__lane;
struct ublkev__queue;
struct ublkev__tag;

/*
 * What was pulled for the backend is placed, or answered, be it with an error.
 * false: submit() is to get it.
 */
bool ublkev__file_place(struct ublkev__lane *l, struct ublkev__queue *q,
			struct ublkev__tag *t);

/*
 * What was pulled as LEND: the same, but false is told to the queue. What files
 * refuse of the driver's pages, and what has none in the ring, is copied here.
 */
void ublkev__file_lend(struct ublkev__lane *l, struct ublkev__queue *q,
		       struct ublkev__tag *t);

/*
 * Queues SQEs for what is to be done, as long as there is room: what then still
 * wants some, l->wanting, waits for others that are queued to be submitted.
 */
void ublkev__file_out(struct ublkev__lane *l);

/* The same, and enters the kernel for room as long as that makes some. */
__attribute__((cold))
void ublkev__file_submit(struct ublkev__lane *l);

/* whether it was an operation on a file, which is taken */
bool ublkev__file_cqe(struct ublkev__lane *l, const struct ublkev__cqe *cqe);

/* whether that request is placed, and so not the backend's to answer */
bool ublkev__file_has(const struct ublkev__engine *e, uint64_t cookie);

/* the queues were aborted: what is to be cancelled is queued */
void ublkev__file_abort(struct ublkev__lane *l);

/* no operation is to be begun any more: those that are out are cancelled */
void ublkev__file_recall(struct ublkev__lane *l);
/* which was asked for, is not told, and is so */
bool ublkev__file_is_recalled(const struct ublkev__lane *l);

/* the ring is about to be closed, whatever the kernel has */
void ublkev__file_close(struct ublkev__lane *l);

#endif
