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
 * A WRITE_ZEROES that is to be durable has a second round of pieces, the syncs
 * of its files, when the first is done. After the first error, and after an
 * abort, nothing that is DUE is begun any more; an abort has what is FLYING
 * cancelled as well, each piece once.
 */
#ifndef UBLKEV_CORE_PLACED_H
#define UBLKEV_CORE_PLACED_H

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
	UBLKEV__FILEOP_CANCEL,		/* what is FLYING of the piece */
};

/* what the kernel is to do */
struct ublkev__fileop {
	uint64_t offset_bytes;
	uint64_t len_bytes;	/* 0: SYNC, CANCEL */
	void *addr;		/* READ, WRITE, WRITE_SYNC */
	int fd;
	uint8_t kind;		/* enum ublkev__fileop_kind */
	uint8_t piece;		/* below UBLKEV_MAX_EXTENTS */
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
	bool syncs;			/* it is the second round */
	bool aborted;
	uint8_t tries[UBLKEV_MAX_EXTENTS];
	uint32_t at[UBLKEV_MAX_EXTENTS];	/* READ, WRITE: in req->buf */
	struct ublkev_extent left[UBLKEV_MAX_EXTENTS]; /* to be done */
};

/*
 * Fact: the backend's place() gave these nr extents, which the guard found
 * right, for `req`; that stays as it is until the request is over. What is read
 * of no file is zeroed here.
 */
void ublkev__placed_started(struct ublkev__placed *p,
			    const struct ublkev_req *req,
			    const struct ublkev_extent *extents,
			    unsigned int nr);

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
