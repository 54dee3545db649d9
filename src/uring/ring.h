/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.h - an io_uring: set-up, SQEs, entering, reaping
 *
 * The I/O ring is DEFER_TASKRUN | SINGLE_ISSUER | TASKRUN_FLAG: requests reach
 * it only inside io_uring_enter(GETEVENTS) of the thread that made or enabled
 * it, which the eventfd, or SQ_TASKRUN while awake, asks for. Of all modes with
 * an eventfd this costs the least instructions per request. Without one it is
 * COOP_TASKRUN: requests reach it when the thread next leaves the kernel, and
 * that makes the ring's own file readable.
 */
#ifndef UBLKEV_URING_RING_H
#define UBLKEV_URING_RING_H

#include <stdbool.h>
#include <stdint.h>

#include <liburing.h>

struct ublkev__ring {
	struct io_uring u;
	bool open;
	bool registered;	/* u.enter_ring_fd is an index of the task's */
};

/*
 * `flags` are IORING_SETUP_*; the ring signals `evfd`, unless that is -1, for
 * every completion and, with DEFER_TASKRUN, for work that waits to become one.
 * No forked child has its mappings. Errors: those of io_uring_setup(2) and
 * io_uring_register(2).
 */
int ublkev__ring_open(struct ublkev__ring *r, unsigned int entries,
		      unsigned int flags, int evfd);

/*
 * A ring that was opened with R_DISABLED is the calling thread's from now on.
 * Errors: those of io_uring_register(2).
 */
int ublkev__ring_enable(struct ublkev__ring *r);

/*
 * For a ring that is entered often: saves the kernel a look-up each time. A
 * task has 16 places for such rings; without one it works as well.
 */
void ublkev__ring_register_fd(struct ublkev__ring *r);

/* Closes and unmaps; a ring that is not open is left alone. */
void ublkev__ring_close(struct ublkev__ring *r);

/*
 * Submits what is queued and runs the task work that waits. 0, also when some
 * of it could not be submitted now (EAGAIN, EBUSY, EINTR) and stays queued.
 * Errors: the others of io_uring_enter(2), which will not go away by
 * themselves.
 */
int ublkev__ring_enter(struct ublkev__ring *r);

/* As enter, and then asleep until there is a completion, or a signal. */
int ublkev__ring_wait(struct ublkev__ring *r);

/* whether entering the kernel now would do anything */
static inline bool ublkev__ring_needs_enter(const struct ublkev__ring *r)
{
	return io_uring_sq_ready(&r->u) ||
	       (IO_URING_READ_ONCE(*r->u.sq.kflags) &
		(IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW));
}

/* SQEs to submit, CQEs to reap, or task work to run */
static inline bool ublkev__ring_has_work(const struct ublkev__ring *r)
{
	return io_uring_cq_ready(&r->u) || ublkev__ring_needs_enter(r);
}

/*
 * The eventfd gets no signals; those that would have come are not made up for.
 */
static inline void ublkev__ring_mute(struct ublkev__ring *r)
{
	IO_URING_WRITE_ONCE(*r->u.cq.kflags, IORING_CQ_EVENTFD_DISABLED);
}

/*
 * Signals again. The caller looks at ublkev__ring_has_work() afterwards: on
 * x86 the kernel sets SQ_TASKRUN before it reads the flag (its atomic_or is a
 * full barrier), we clear the flag before we read SQ_TASKRUN, so one of the
 * two sides always sees the other.
 */
static inline void ublkev__ring_unmute(struct ublkev__ring *r)
{
	IO_URING_WRITE_ONCE(*r->u.cq.kflags, 0);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
