/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * placed.h - a request whose data are in files, as operations on these
 *
 * The backend has told in which extents of which files a request's range is
 * (ops->place): each of them is a piece, worked on at the same time as the
 * others. Facts are told (started, cqe, abort), operations are pulled (next)
 * until there is none; the request is over when no piece is left to be done and
 * none is with the kernel.
 *
 *	            next             cqe: all of it, an error
 *	    DUE -----------> FLYING ------------------------->
 *	     ^                  |
 *	     +------------------+ cqe: a part of it, EAGAIN, EINTR
 *
 * A DISCARD is asked for as such, which only block devices know, from Linux 6.12
 * on. Whatever does not has a hole punched instead; `punches` says so then, and
 * that the owner need not try it again. A WRITE_ZEROES that may free, and cannot
 * where it goes, fills.
 *
 * What is done to the pieces is one round of some:
 *
 *	FETCH ---> PIECES ---> STORE, SYNC
 *
 * A WRITE_ZEROES that is to be durable has its files synced at last. FETCH and
 * STORE are there where the pieces' data are in a buffer between the driver and
 * the files, which nobody else moves: the driver's own pages were to be used,
 * and could not be (WAY_COPY). After the first error, an abort and a recall
 * nothing that is DUE is begun any more; these two have what is FLYING cancelled
 * as well, each piece once. An abort has answered the request; what was recalled is
 * answered only if it ended as it would have by itself.
 */
#ifndef UBLKEV_CORE_PLACED_H
#define UBLKEV_CORE_PLACED_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <ublkev/backend.h>

/* so often in a row a piece is begun anew that got nowhere */
#define UBLKEV__PLACED_TRIES	100u

enum ublkev__fileop_kind {
	UBLKEV__FILEOP_READ,
	UBLKEV__FILEOP_WRITE,
	UBLKEV__FILEOP_WRITE_SYNC,	/* RWF_DSYNC */
	UBLKEV__FILEOP_SYNC,		/* fdatasync(2) */
	UBLKEV__FILEOP_PUNCH,		/* PUNCH_HOLE, the size is kept */
	UBLKEV__FILEOP_ZERO,		/* ZERO_RANGE, the size is kept */
	UBLKEV__FILEOP_ALLOCATE,	/* fallocate(2), of the mode */
	UBLKEV__FILEOP_DISCARD,		/* of a block device, without a thread */
	UBLKEV__FILEOP_CANCEL,		/* what is FLYING of the piece */
	/* from ublkc, and to it: USER_COPY of at_bytes of the request */
	UBLKEV__FILEOP_FETCH,
	UBLKEV__FILEOP_STORE,
	UBLKEV__FILEOP_CLEAR,		/* STORE of zeroes */
};

/* where the data of a READ or WRITE are */
enum ublkev__placed_way {
	UBLKEV__WAY_BUF,	/* in req->buf, from and to which the owner
				   moves them */
	UBLKEV__WAY_LENT,	/* in the driver's pages, which the ring has */
	UBLKEV__WAY_COPY,	/* there, and a buffer is between: FETCH, STORE */
};

enum ublkev__placed_round {
	UBLKEV__ROUND_FETCH,
	UBLKEV__ROUND_PIECES,
	UBLKEV__ROUND_STORE,
	UBLKEV__ROUND_SYNC,
};

/* what the kernel is to do */
struct ublkev__fileop {
	uint64_t offset_bytes;
	uint64_t len_bytes;	/* 0: SYNC, CANCEL */
	void *addr;		/* READ, WRITE, WRITE_SYNC, FETCH, STORE */
	int fd;
	union {
		uint32_t at_bytes; /* of those, and CLEAR: within the request */
		uint32_t mode;	/* ALLOCATE */
	};
	uint8_t kind;		/* enum ublkev__fileop_kind */
	uint8_t piece;		/* below UBLKEV_MAX_EXTENTS */
	bool lent;		/* not addr, but the tag's pages in the ring */
};

/* aligned, for another thread may serve the next queue's */
struct ublkev__placed {
	_Alignas(64) const struct ublkev_req *req; /* NULL: none */
	struct ublkev__placed *next;	/* in a list of the owner's */
	bool listed;			/* there: likewise the owner's */
	int err;			/* the first one; <= 0 */
	uint8_t nr;			/* pieces */
	uint8_t todo, flying;		/* a bit for each */
	uint8_t cancel;			/* is to be cancelled */
	uint8_t frees;			/* pulled as DISCARD, or as PUNCH of a
					   WRITE_ZEROES */
	uint8_t way;			/* enum ublkev__placed_way */
	uint8_t round;			/* enum ublkev__placed_round */
	bool aborted;
	bool recalled;
	bool punches;			/* DISCARD is PUNCH: set by the owner
					   before started, and here */
	bool fills;			/* WRITE_ZEROES is ZERO, though it may
					   free: a file cannot */
	uint8_t tries[UBLKEV_MAX_EXTENTS];
	char *buf;			/* BUF, COPY */
	uint32_t at[UBLKEV_MAX_EXTENTS];	/* READ, WRITE: in the request */
	struct ublkev_extent left[UBLKEV_MAX_EXTENTS]; /* to be done */
};

/*
 * Fact: the backend's place() gave these nr extents, which the guard found
 * right, for `req`; that stays as it is until the request is over. `buf` is
 * where its data go, or NULL, if it is LENT or has none. What is read of no
 * file is zeroed here, if there is a buffer.
 */
void ublkev__placed_started(struct ublkev__placed *p,
			    const struct ublkev_req *req,
			    const struct ublkev_extent *extents,
			    unsigned int nr, enum ublkev__placed_way way,
			    void *buf);

/* nothing is begun for it any more */
static inline bool ublkev__placed_ends(const struct ublkev__placed *p)
{
	return p->aborted || p->recalled;
}

/*
 * Whether a request that is over is to begin anew, with a buffer: a file has
 * refused the driver's pages, be it for their alignment (EINVAL), or because
 * they are not there (EFAULT).
 */
static inline bool ublkev__placed_wants_copy(const struct ublkev__placed *p)
{
	return p->way == UBLKEV__WAY_LENT && !ublkev__placed_ends(p) &&
	       (p->err == -EINVAL || p->err == -EFAULT);
}

/* Fact, before anything was pulled: the pages are not there. */
void ublkev__placed_unlent(struct ublkev__placed *p);

/* Fact: this is the buffer. It is not over any more. */
void ublkev__placed_by_copy(struct ublkev__placed *p, void *buf);

/* what to do next; false: nothing, until one more fact */
bool ublkev__placed_next(struct ublkev__placed *p, struct ublkev__fileop *op);

/*
 * Fact: what was pulled for the piece completed with `res`. A piece that is not
 * FLYING: -EPROTO, and nothing changes; else 0. A CANCEL's own completion is no
 * such fact.
 */
int ublkev__placed_cqe(struct ublkev__placed *p, unsigned int piece, int res);

/* Fact: the request was failed, and only what is FLYING keeps it. */
void ublkev__placed_abort(struct ublkev__placed *p);

/* Fact: nothing is to be with the kernel any more, for the device is closed. */
void ublkev__placed_recall(struct ublkev__placed *p);

/* over, and to be answered by nobody: another server is to do it */
bool ublkev__placed_withdrawn(const struct ublkev__placed *p);

static inline bool ublkev__placed_wants(const struct ublkev__placed *p)
{
	return p->todo | p->cancel;
}

/* the request has ended with p->err, and another may be started */
static inline bool ublkev__placed_over(const struct ublkev__placed *p)
{
	return !(p->todo | p->flying);
}

/* asserts that all of the above holds; for tests */
void ublkev__placed_verify(const struct ublkev__placed *p);

#endif
