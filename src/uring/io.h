/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * io.h - the data plane of one device: eventfd, ring, ublkc, buffers
 *
 * One ring serves all queues of the device, or, where threads of their own
 * serve them, one each: then there is a common io with eventfd and ublkc but no
 * ring, and one apart for each thread, with all but ublkc. An io is its
 * thread's alone: a common one the application's, one apart from enable on that
 * of its queue; but any thread may wake it. tests/lib/fake_io.c, fake_ring.c
 * and their neighbours implement this page without a kernel.
 */
#ifndef UBLKEV_URING_IO_H
#define UBLKEV_URING_IO_H

#include <stdbool.h>
#include <stdint.h>

#include "core/decode.h"
#include "core/placed.h"
#include "util/log.h"
#include "util/alloc.h"

struct ublkev__io;

/*
 * In place of a tag, with BATCH_IO: the completion is about all tags that the
 * driver has, and about those that it is still to get.
 */
#define UBLKEV__ALL_TAGS	0xffffu

/* a completed command of a tag, or an operation on a file for its request */
struct ublkev__cqe {
	uint16_t queue;		/* read with ublkev__cqe_queue() and the others
				   unless it is known to be a tag's own */
	uint16_t tag;		/* or UBLKEV__ALL_TAGS */
	int32_t res;		/* as the command or the operation has it */
};

/*
 * In `queue` of a completion of an operation on a file: this bit, the number of
 * the piece in the 3 bits below it, and that of the queue below those.
 */
#define UBLKEV__CQE_FILE	(1u << 15)
#define UBLKEV__CQE_PIECE_SHIFT	12

static inline bool ublkev__cqe_is_file(const struct ublkev__cqe *cqe)
{
	return cqe->queue & UBLKEV__CQE_FILE;
}

static inline unsigned int ublkev__cqe_piece(const struct ublkev__cqe *cqe)
{
	return cqe->queue >> UBLKEV__CQE_PIECE_SHIFT & 7;
}

static inline unsigned int ublkev__cqe_queue(const struct ublkev__cqe *cqe)
{
	return cqe->queue & ((1u << UBLKEV__CQE_PIECE_SHIFT) - 1);
}

/*
 * Makes an io with its eventfd, and nothing else yet. `mem` stays the caller's.
 * Errors: -ENOMEM, those of eventfd(2).
 */
int ublkev__io_new(struct ublkev__io **iop, const struct ublkev__alloc *mem);

/*
 * Between new and set_up: the ring does not signal the eventfd. Its work runs
 * whenever the thread leaves the kernel, and its own file, see ring_fd, is
 * readable as long as there is something to reap.
 */
void ublkev__io_by_ring(struct ublkev__io *io);

/* Between new and set_up: the ring is to have room for operations on files. */
void ublkev__io_for_files(struct ublkev__io *io);

/* Before the set-up: the buffers are to have huge pages, where there are such. */
void ublkev__io_use_huge_pages(struct ublkev__io *io);

/*
 * Between new and set_up: requests' pages may be put into the ring's table of
 * buffers by a command each, which takes an SQE more for each tag.
 */
void ublkev__io_for_pages(struct ublkev__io *io);

/*
 * Between new and set_up: requests may have so many bytes of metadata for each
 * interval, which move() moves too, from and to where data end in the buffer. The
 * max_io_bytes of set_up include them.
 */
void ublkev__io_for_metadata(struct ublkev__io *io, uint32_t interval_bytes,
			     uint32_t bytes);

/*
 * Between new and open: each of the driver's descriptors has so many bytes
 * (IO_DESC_SIZE), of which the first 24 are what is written; 24, if never told.
 */
void ublkev__io_pad_descs(struct ublkev__io *io, unsigned int bytes);

/*
 * Ring and buffers, once. Queues times depth is at most 32767, so that each
 * tag always finds an SQE. Errors: -ENOMEM, and those of io_uring_setup(2);
 * -EINVAL, a ring has no room for files, or for_pages, beside so many tags.
 */
int ublkev__io_set_up(struct ublkev__io *io, unsigned int queues,
		      unsigned int depth, uint32_t max_io_bytes);

/* Instead of set_up, for the common one. Errors: -ENOMEM. */
int ublkev__io_set_up_common(struct ublkev__io *io, unsigned int queues);

/*
 * Instead of set_up, for an io apart, by whatever thread: the ring and buffers
 * of that queue. Nothing can be submitted before enable. Errors as set_up.
 */
int ublkev__io_set_up_apart(struct ublkev__io *io, unsigned int queue,
			    unsigned int depth, uint32_t max_io_bytes);

/* closes what is open; NULL is allowed */
void ublkev__io_free(struct ublkev__io *io);

/* the eventfd, signalled when there is something to reap */
int ublkev__io_fd(const struct ublkev__io *io);
/* Gives the eventfd to the caller, who closes it; only free may follow. */
int ublkev__io_take_fd(struct ublkev__io *io);

/* the ring's, from set_up or enable until close; -1 unless by_ring */
int ublkev__io_ring_fd(const struct ublkev__io *io);

/*
 * Reserves the address space of the tags' buffers; nothing when done
 * already. Errors: -ENOMEM.
 */
int ublkev__io_need_bufs(struct ublkev__io *io);

/*
 * The first of a queue's buffers, max_io_bytes apart from one another; NULL
 * as long as they were not needed.
 */
void *ublkev__io_bufs(const struct ublkev__io *io, unsigned int queue);

/* one more of that size, for commits of requests whose own is still lent */
void *ublkev__io_spare_buf(const struct ublkev__io *io);

/*
 * The queues' buffers, if there are any, are never unmapped: the kernel, or a
 * thread of the backend's, may still touch them. How many bytes that are.
 */
size_t ublkev__io_leave_bufs(struct ublkev__io *io);

/*
 * Opens /dev/ublkc<id> and maps its descriptors; `features` are those that
 * the device has (UBLKEV__F()). With AUTO_BUF_REG the ring gets a table of
 * buffers, where each request with data has its pages from its completion to
 * its commit, unless its descriptor has UBLKEV__DESC_NEED_REG_BUF. With
 * SUPPORT_ZERO_COPY in its place, for_pages, it has them there from the first
 * operation on that is `lent` (ublkev__io_file()). Errors:
 * those of open(2), mmap(2), io_uring_register(2).
 */
int ublkev__io_open(struct ublkev__io *io, int id, unsigned int queues,
		    unsigned int depth, uint64_t features);

/*
 * To an io apart, before it is enabled, the ublkc and descriptors that the
 * common one has open, until it is closed. Errors: -ENOMEM, those of
 * io_uring_register(2).
 */
int ublkev__io_join(struct ublkev__io *io, const struct ublkev__io *common,
		    uint64_t features);

/*
 * By the thread that is to enable an io apart, after that: its ring is made anew,
 * of memory of the thread's NUMA node, which is what the kernel gives. Errors:
 * those of io_uring_setup(2) and _register(2); the ring is the one that it was
 * then, and as good. Not when the ring is watched by its file.
 */
int ublkev__io_move_here(struct ublkev__io *io,
			 const struct ublkev__io *common);

/* The ring is the calling thread's from now on, which alone may use it. */
int ublkev__io_enable(struct ublkev__io *io);

/* has the eventfd signal; any thread, between new and free */
void ublkev__io_wake(const struct ublkev__io *io);

/*
 * Lets go of ublkc and the ring, for good. One apart by its own thread, once
 * enabled, and before the common one. `drained`: no command is with the
 * driver, so that the fixed file can be unregistered without waiting.
 */
void ublkev__io_close(struct ublkev__io *io, bool drained);

/*
 * Between open and close, also the following: what the driver has written of
 * the tag's request, which it changes when the tag is its again.
 */
const struct ublkev__desc *ublkev__io_desc(const struct ublkev__io *io,
					   unsigned int queue,
					   unsigned int tag);
/*
 * Queue a tag's FETCH_REQ, or the COMMIT_AND_FETCH_REQ of `result`, a length or
 * a negative errno: `buf` is where the data of the tag's next WRITE go, and for
 * a commit where a READ's are (see ublkev__queue_buf()).
 */
void ublkev__io_fetch(struct ublkev__io *io, unsigned int queue,
		      unsigned int tag, void *buf);
void ublkev__io_commit(struct ublkev__io *io, unsigned int queue,
		       unsigned int tag, int result, void *buf);
/* Of a zoned device, in place of commit: where a ZONE_APPEND has gone. */
void ublkev__io_commit_append(struct ublkev__io *io, unsigned int queue,
			      unsigned int tag, int result, uint64_t sector);
/*
 * Queues the move of a request's data to buf (`in`, a WRITE's) or from it:
 * GET_DATA, or with USER_COPY a read or write of ublkc. The tag's next
 * completion has the command's own result.
 */
void ublkev__io_move(struct ublkev__io *io, unsigned int queue,
		     unsigned int tag, bool in, void *buf, uint32_t bytes);

/*
 * Queues an operation on a file, for a request of the tag, which has one at a
 * time of each piece. Only where there is room: some SQEs that no tag's command
 * needs, as long as they were not used since the last enter that submitted all.
 */
bool ublkev__io_has_file_room(const struct ublkev__io *io);
void ublkev__io_file(struct ublkev__io *io, unsigned int queue,
		     unsigned int tag, const struct ublkev__fileop *op);

/*
 * Between new and close, also the following, which do nothing after it: the
 * eventfd was readable, and the next enter is to reset it.
 */
void ublkev__io_woken(struct ublkev__io *io);
/* Resets the eventfd at once, for who will not enter soon. */
void ublkev__io_reset(struct ublkev__io *io);
/* The eventfd is not signalled any more; is signalled again: see ring.h. */
void ublkev__io_mute(struct ublkev__io *io);
void ublkev__io_unmute(struct ublkev__io *io);
/*
 * Looks at the ring some times, for less than a microsecond, without a system
 * call: whether has_work is true by now.
 */
bool ublkev__io_look(const struct ublkev__io *io);
/* Whether there is something to submit, to run or to reap. */
bool ublkev__io_has_work(const struct ublkev__io *io);
/* How many completions there are to reap, and whether there are any. */
unsigned int ublkev__io_nr_cqes(const struct ublkev__io *io);
static inline bool ublkev__io_has_cqes(const struct ublkev__io *io)
{
	return ublkev__io_nr_cqes(io) != 0;
}

/*
 * Enters the kernel if that would do anything: submits what is queued and runs
 * the task work that waits. 1 when it did, 0 when there was no need. Errors,
 * which will not go away: those of io_uring_enter(2) but EAGAIN, EBUSY, EINTR.
 */
int ublkev__io_enter(struct ublkev__io *io);
/*
 * As enter, with CAP_SYS_ADMIN out of effect: ublkev__life_hides_privilege().
 */
int ublkev__io_enter_unprivileged(struct ublkev__io *io);

/*
 * ---- sleep: the commit and the wait for the next request are one enter
 *
 * Between new and close: the file, readable when the loop has something to do,
 * that ends a sleep; -1, which it is at first: none, there is no sleep then.
 * It stays the caller's, who keeps it open until close.
 */
void ublkev__io_watch(struct ublkev__io *io, int fd);
/*
 * What there is to know before and after a sleep, in one call since that comes
 * with every request: the bits of what the three functions below ask.
 */
unsigned int ublkev__io_sleep_state(const struct ublkev__io *io);

#define UBLKEV__IO_CAN_SLEEP	(1u << 0)
#define UBLKEV__IO_WATCHING	(1u << 1)
#define UBLKEV__IO_ALARMED	(1u << 2)

/* Whether sleep may be called now; not while the eventfd's read is queued. */
static inline bool ublkev__io_can_sleep(const struct ublkev__io *io)
{
	return ublkev__io_sleep_state(io) & UBLKEV__IO_CAN_SLEEP;
}

/*
 * As enter, then asleep until there is something to reap, the watched file is
 * readable, a signal was delivered, or the alarm rings, which is set for so
 * many us from now unless it is set; UINT_MAX: no alarm. Mutes. 1 when there is
 * something to reap, else 0, or an error that will not go away.
 */
int ublkev__io_sleep(struct ublkev__io *io, unsigned int us);
/*
 * Whether the ring watches the file, and whether the alarm is set: from a sleep
 * on, until a reap after the file was readable, or the alarm rang; or after
 * unwatch, an enter and a reap. It must not be unmuted to sleep elsewhere while
 * either is.
 */
static inline bool ublkev__io_is_watching(const struct ublkev__io *io)
{
	return ublkev__io_sleep_state(io) & UBLKEV__IO_WATCHING;
}

static inline bool ublkev__io_is_alarmed(const struct ublkev__io *io)
{
	return ublkev__io_sleep_state(io) & UBLKEV__IO_ALARMED;
}

/* Where the second is told, for who looks at it each round. */
const bool *ublkev__io_alarm(const struct ublkev__io *io);

/* Queues the end of both, for the loop is to sleep by itself. */
void ublkev__io_unwatch(struct ublkev__io *io);

/*
 * Takes up to `max` completions, in their order, of tags and of operations on
 * files: how many. Those of the io's own are not told.
 */
unsigned int ublkev__io_reap(struct ublkev__io *io, struct ublkev__cqe *v,
			     unsigned int max);

#endif
