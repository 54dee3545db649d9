/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue.h - the life of a tag
 *
 *              pull ARM           request          pull SUBMIT
 *      IDLE -------------> DRIVER ---------> READY ------------> BACKEND
 *                           ^  |               |                    |
 *               pull COMMIT |  | -ENODEV       | mapped, refused    | done,
 *                           |  v               v                    v refused
 *                           | DEAD           RESULT <---------------+
 *                           +------------------+
 *
 * Where the driver does not bring a WRITE's data, or take a READ's, by itself
 * (NEED_GET_DATA, USER_COPY), it is told to move them, after the backend was
 * asked (pull MAP) whether its own memory is where they are to be moved from
 * or to. A request waits in READY for that answer, and for its buffer (pull
 * PLACE): only SUBMIT gives it to the backend.
 *
 *	READY -> MOVE -> MOVING -> RESULT	mapped: the backend's memory
 *	READY -> MOVE -> MOVING -> READY	a WRITE that submit() is to get
 *	BACKEND -> MOVE -> MOVING -> RESULT	a READ that submit() did
 *
 * Where the driver lends its pages to the ring (AUTO_BUF_REG), a request with
 * data is pulled as LEND first, and is BACKEND then: if its data are in files,
 * these are read into its pages or written from them, and it needs no MOVE.
 * Else it is READY once more, and all is as with USER_COPY.
 *
 * A request whose data are in memory that its client shares with us is as with
 * PLAIN, in whatever way others' are moved: its buffer is there.
 *
 * Where a ZONE_APPEND has put its data is told with its commit, so it is MOVE
 * once more when it is answered, and pulled as COMMIT_APPEND. Of a zoned disk
 * all data are moved as with USER_COPY, or lent.
 *
 * What submit() answers with UBLKEV_AGAIN is READY once more, and then pulled
 * as GO_ON, not SUBMIT: the backend has begun it.
 *
 * Facts are told with the calls named after them; what is to be done about
 * them is pulled: what the backend is to get (READY), and what the driver is
 * to get (IDLE once armed, RESULT). Two lists, so that an owner that has no
 * time left for more requests can still answer those that are done. A tag
 * that the driver aborted is DEAD and never armed again; when all are, the
 * queue is drained.
 */
#ifndef UBLKEV_CORE_QUEUE_H
#define UBLKEV_CORE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ublkev/req.h>

#include "core/decode.h"
#include "core/params.h"
#include "core/stats.h"

/* in a cookie, the one of the next request of the same tag */
#define UBLKEV__GENERATION	(UINT64_C(1) << 32)

enum ublkev__tag_state {
	UBLKEV__TAG_IDLE,	/* never given to the driver */
	UBLKEV__TAG_DRIVER,	/* armed: FETCHed or COMMITted */
	UBLKEV__TAG_READY,	/* has a request */
	UBLKEV__TAG_BACKEND,	/* the backend has it */
	UBLKEV__TAG_RESULT,	/* answered, not yet committed */
	UBLKEV__TAG_MOVE,	/* its data are to be moved; or it is answered,
				   and where it was appended is to be told */
	UBLKEV__TAG_MOVING,	/* the driver moves them */
	UBLKEV__TAG_DEAD,
	UBLKEV__TAG_OTHERS,	/* another part's of the queue, never touched */
	UBLKEV__NR_TAG_STATES
};

/* tag.how */
#define UBLKEV__HOW_AWAY	(1u << 0)	/* WRITE: the driver has the data */
#define UBLKEV__HOW_DIRECT	(1u << 1)	/* req.buf is the backend's memory */
#define UBLKEV__HOW_AGAIN	(1u << 2)	/* READY once the data are here */
#define UBLKEV__HOW_FAULT	(1u << 3)	/* they could not be moved */
#define UBLKEV__HOW_ASKED	(1u << 4)	/* map() has no address for it */
#define UBLKEV__HOW_BEGUN	(1u << 5)	/* READY: the backend is to go on */
#define UBLKEV__HOW_LENT	(1u << 6)	/* its pages are in the ring: whoever
						   has the request moves the data */
#define UBLKEV__HOW_UNLENT	(1u << 7)	/* they were of no use there */

/* one cache line on 64-bit machines */
struct ublkev__tag {
	struct ublkev_req req;
	int32_t result;		/* RESULT, MOVE: for the driver */
	uint16_t next;		/* in the list */
	uint8_t state;
	uint8_t how;		/* UBLKEV__HOW_*, of this request */
};

/* tags, linked through next */
struct ublkev__taglist {
	uint16_t head, tail;
	uint16_t nr;
};

/*
 * A queue, or the part of its tags that one of its threads serves: see
 * ublkev__queue_share(). Aligned, for another thread may serve the one beside it.
 */
struct ublkev__queue {
	_Alignas(64) struct ublkev__tag *tags;	/* [depth] */
	struct ublkev_stats *stats;
	uint64_t *since_us;		/* [depth], or NULL: no latencies */
	uint64_t now_us;		/* set by the owner, for since_us */
	const struct ublkev__shared *shared;	/* or NULL: there is none */
	char *bufs;
	void *spare;
	uint32_t max_io_bytes;
	uint32_t stride_bytes;		/* from one tag's buffer to the next's */
	uint16_t id;
	uint16_t depth;
	struct ublkev__taglist in;	/* READY */
	struct ublkev__taglist out;	/* RESULT, MOVE, IDLE once armed */
	bool failing;			/* answer -EIO, ask no backend */
	bool gone;			/* no tag comes back from the driver */
	uint8_t copy;			/* enum ublkev__xfer */
	uint16_t nr_dead;
	uint16_t nr_backend;
	uint16_t nr_tags;		/* its own, of `depth` */
	uint16_t number;		/* in cookies */
};

/* UBLK_IO_RES_NEED_GET_DATA: a WRITE, whose data the driver keeps */
#define UBLKEV__RES_NEED_GET_DATA	1

enum ublkev__queue_act {
	UBLKEV__QUEUE_NONE,
	/* pulled with next_in */
	UBLKEV__QUEUE_MAP,	/* check it, ask the backend for its memory */
	UBLKEV__QUEUE_PLACE,	/* the queue needs buffers */
	UBLKEV__QUEUE_LEND,	/* ask where in files its data are: the backend
				   has it now, and nobody moves the data */
	UBLKEV__QUEUE_SUBMIT,	/* give it to the backend, which has it now */
	UBLKEV__QUEUE_GO_ON,	/* have the backend go on with it */
	UBLKEV__QUEUE_APPEND,	/* ask it where it goes, then as SUBMIT */
	/* pulled with next_out */
	UBLKEV__QUEUE_ARM,	/* FETCH the tag */
	UBLKEV__QUEUE_COMMIT,	/* COMMIT its `result` */
	UBLKEV__QUEUE_MOVE_IN,	/* move a WRITE's data to its buffer */
	UBLKEV__QUEUE_MOVE_OUT,	/* move a READ's data from its buffer */
	UBLKEV__QUEUE_COMMIT_APPEND, /* as COMMIT, with its offset */
};

/*
 * `tags` (and `since_us`, which may be NULL) have room for depth, 1 .. 4096;
 * they stay the caller's. Cookies begin with `generation`: a backend may
 * answer late, with a cookie from before a restart.
 */
void ublkev__queue_init(struct ublkev__queue *q, unsigned int id,
			unsigned int depth, uint32_t generation,
			struct ublkev__tag *tags, uint64_t *since_us,
			struct ublkev_stats *stats);

/*
 * After init: of the queue's tags every of-th from `part` on are this one's, and
 * the others those of other parts, which other threads serve. Each part has an
 * array for all tags, so that a tag's place in it is its number, and what is
 * another thread's to write is nowhere near. In cookies a part has a number of its
 * own in place of the queue's, as if the parts of all queues were queues.
 *
 * Every of-th, and no range: the block layer gives a CPU's requests the lowest
 * free tags of one word of its bitmap (sbitmap_find_bit()), which are to be
 * several threads'.
 */
void ublkev__queue_share(struct ublkev__queue *q, unsigned int part,
			 unsigned int of);

/* the generation that is younger than all that the queue's cookies had */
uint32_t ublkev__queue_generation(const struct ublkev__queue *q);

/*
 * Before the first ARM is pulled; PLAIN, if never told. USER for a backend
 * that wants no data is as PLAIN: nothing is to be moved.
 */
void ublkev__queue_set_xfer(struct ublkev__queue *q, enum ublkev__xfer copy,
			    bool no_data);

/* Before the first ARM is pulled: where addresses of shared memory are. */
static inline void ublkev__queue_set_shared(struct ublkev__queue *q,
					    const struct ublkev__shared *shared)
{
	q->shared = shared;
}

/*
 * Before the first ARM is pulled: a tag's buffer is that of max_io_bytes at
 * buf + tag * max_io_bytes; `spare` is another, for ublkev__queue_buf(). Not
 * PLAIN: buf may be NULL, until a request needs one.
 */
void ublkev__queue_set_bufs(struct ublkev__queue *q, void *buf, void *spare,
			    uint32_t max_io_bytes);

/*
 * After each set_bufs: there are so many bytes of metadata behind the data in each
 * buffer, and from one to the next.
 */
static inline void ublkev__queue_set_metadata(struct ublkev__queue *q,
					      uint32_t bytes)
{
	q->stride_bytes = q->max_io_bytes + bytes;
}

/* Wish: every IDLE tag is to be armed. */
void ublkev__queue_arm(struct ublkev__queue *q);

/*
 * Fact: the driver completed the tag's command with `res`; `desc` is the tag's
 * descriptor, looked at when `res` says that there is a request. Answers 0, or
 * what went wrong with the device: -EPROTO, a completion for a tag that is none
 * or not the driver's (nothing changes); any other, the command was refused
 * with it (the tag is DEAD). A request that can't be decoded is no such case:
 * the request fails.
 */
int ublkev__queue_cqe(struct ublkev__queue *q, unsigned int tag, int res,
		      const struct ublkev__desc *desc);

/*
 * Fact: the driver has let go of all tags that it has (BATCH_IO), and of
 * those that it is still to be told about, as with ublkev__queue_cqe().
 */
int ublkev__queue_all_cqe(struct ublkev__queue *q, int res);

/*
 * Fact: the backend answered, 0 or a negative errno. Answers -ESTALE when no
 * such request is outstanding (and nothing changes), else 0.
 */
int ublkev__queue_done(struct ublkev__queue *q, uint64_t cookie, int err);

/*
 * Fact, of what MAP was last pulled for: the backend has its data at `addr`,
 * and moving them there or from there is all that is to be done; NULL: it has
 * no such address.
 */
void ublkev__queue_mapped(struct ublkev__queue *q, void *addr);

/*
 * Fact, of what was last pulled with next_in: `err` is why the backend does
 * not get it, be it the checks before the backend or the lack of a buffer.
 */
void ublkev__queue_refused(struct ublkev__queue *q, struct ublkev__tag *t,
			   int err);

/*
 * Fact: what was pulled for the backend was begun there, which is to go on
 * with it. GO_ON will be pulled for it, after what is READY by now.
 */
void ublkev__queue_again(struct ublkev__queue *q, struct ublkev__tag *t);

/*
 * Fact, of what LEND was last pulled for: its data are not in files. It goes on
 * as with USER_COPY.
 */
void ublkev__queue_unlent(struct ublkev__queue *q, struct ublkev__tag *t);

/* that was told of it: no use in asking once more */
static inline bool ublkev__queue_is_unlent(const struct ublkev__tag *t)
{
	return t->how & UBLKEV__HOW_UNLENT;
}

/*
 * Answer -EIO to what is READY or BACKEND, and to all that comes. Answers
 * how many requests were taken from the backend.
 */
unsigned int ublkev__queue_abort(struct ublkev__queue *q);

/* fact: the ring is gone, no tag will be heard of again */
void ublkev__queue_kill(struct ublkev__queue *q);

/*
 * What to do next about *tagp's request. MAP and PLACE are pulled again until
 * they are answered: with mapped, with set_bufs, or with refused.
 */
enum ublkev__queue_act ublkev__queue_next_in(struct ublkev__queue *q,
					     struct ublkev__tag **tagp);

/* the next thing to tell the driver, about *tagp, which the driver has now */
enum ublkev__queue_act ublkev__queue_next_out(struct ublkev__queue *q,
					      struct ublkev__tag **tagp);

static inline void *ublkev__queue_own_buf(const struct ublkev__queue *q,
					  const struct ublkev__tag *t)
{
	return q->bufs ? q->bufs + (size_t)t->req.tag * q->stride_bytes : NULL;
}

/*
 * Finds the data of t's request, which has UBLKEV_REQ_SHARED and is still to be
 * READY: for queue.c. Errors: -EIO, they are in nothing that is known here.
 */
int ublkev__queue_find_shared(struct ublkev__queue *q, struct ublkev__tag *t,
			      const struct ublkev__desc *desc);

/*
 * The buffer that the driver is told of with ARM, COMMIT and MOVE. PLAIN: it
 * is also where it puts the tag's next WRITE, so the tag's own, but for a
 * disk that is never written. For requests that fail before the backend had
 * them, or are failed by an abort, this is the spare one: the tag's own may
 * still be lent to the backend.
 */
static inline void *ublkev__queue_buf(const struct ublkev__queue *q,
				      const struct ublkev__tag *t)
{
	if (t->how & UBLKEV__HOW_DIRECT)
		return t->result < 0 ? q->spare : t->req.buf;
	if (t->result < 0 && (q->failing || t->how & UBLKEV__HOW_AWAY))
		return q->spare;
	return q->bufs ? ublkev__queue_own_buf(q, t) : q->spare;
}

/* the tag is another part's */
static inline bool ublkev__queue_has_no(const struct ublkev__queue *q,
					unsigned int tag)
{
	return q->tags[tag].state == UBLKEV__TAG_OTHERS;
}

static inline bool ublkev__queue_has_work(const struct ublkev__queue *q)
{
	return q->in.nr || q->out.nr;
}

/* no request is with us; looks at every tag */
bool ublkev__queue_idle(const struct ublkev__queue *q);

static inline bool ublkev__queue_drained(const struct ublkev__queue *q)
{
	return q->nr_dead == q->nr_tags;
}

/* cookie = generation << 32 | queue << 16 | tag, or a part in place of a queue */
static inline unsigned int ublkev__cookie_queue(uint64_t cookie)
{
	return (unsigned int)(cookie >> 16) & 0xffff;
}

static inline unsigned int ublkev__cookie_tag(uint64_t cookie)
{
	return (unsigned int)cookie & 0xffff;
}

/* asserts that all of the above holds; for tests, and slow */
void ublkev__queue_verify(const struct ublkev__queue *q);

#endif
