/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request in up to UBLKEV_MAX_EXTENTS pieces: which of them is due, which
 * is with the kernel, what its completion means, and what an abort has to
 * cancel.
 */
#include "core/placed.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static_assert(UBLKEV_MAX_EXTENTS <= 8, "the pieces are the bits of a byte");

static uint8_t placed_bit(unsigned int piece)
{
	return (uint8_t)(1u << piece);
}

/* the piece is the first one of its file */
static bool placed_is_first_of_file(const struct ublkev__placed *p,
				    unsigned int piece)
{
	unsigned int i;

	for (i = 0; i < piece; i++)
		if (p->left[i].fd == p->left[piece].fd)
			return false;
	return true;
}

/* a file is synced once, however many extents it has */
static void placed_sync(struct ublkev__placed *p)
{
	unsigned int i;

	for (i = 0; i < p->nr; i++)
		if (p->left[i].fd >= 0 && placed_is_first_of_file(p, i))
			p->todo |= placed_bit(i);
	memset(p->tries, 0, sizeof(p->tries));
	p->round = UBLKEV__ROUND_SYNC;
}

static bool placed_is_data(const struct ublkev__placed *p)
{
	return p->req->op <= UBLKEV_OP_WRITE ||
	       p->req->op == UBLKEV_OP_ZONE_APPEND;
}

/* what a ZONE_FINISH writes, in pieces that the guard knows to be no longer */
static const _Alignas(UBLKEV_MAX_FINISH_BYTES)
char placed_zeroes[UBLKEV_MAX_FINISH_BYTES];

/* nothing is to be done where there is no file, but that a READ is of zeroes */
static void placed_begin(struct ublkev__placed *p, unsigned int piece)
{
	bool zeroes = p->left[piece].fd < 0;

	if (zeroes && p->req->op != UBLKEV_OP_READ)
		return;
	if (zeroes && p->way != UBLKEV__WAY_LENT)
		memset(p->buf + p->at[piece], 0,
		       (size_t)p->left[piece].len_bytes);
	else
		p->todo |= placed_bit(piece);
}

/* the whole request is one piece */
static void placed_move(struct ublkev__placed *p,
			enum ublkev__placed_round round)
{
	p->round = (uint8_t)round;
	p->todo = placed_bit(0);
}

static void placed_begin_pieces(struct ublkev__placed *p)
{
	unsigned int i;

	p->round = UBLKEV__ROUND_PIECES;
	for (i = 0; i < p->nr; i++)
		placed_begin(p, i);
	/* with nothing but zeroes, all is in the buffer already */
	if (!p->todo && p->way == UBLKEV__WAY_COPY &&
	    p->req->op == UBLKEV_OP_READ)
		placed_move(p, UBLKEV__ROUND_STORE);
}

static void placed_first_round(struct ublkev__placed *p)
{
	memset(p->tries, 0, sizeof(p->tries));
	if (p->way == UBLKEV__WAY_COPY && p->req->op == UBLKEV_OP_WRITE)
		placed_move(p, UBLKEV__ROUND_FETCH);
	else if (p->req->op == UBLKEV_OP_FLUSH)
		placed_sync(p);
	else
		placed_begin_pieces(p);
}

void ublkev__placed_started(struct ublkev__placed *p,
			    const struct ublkev_req *req,
			    const struct ublkev_extent *extents,
			    unsigned int nr, enum ublkev__placed_way way,
			    void *buf)
{
	uint32_t at = 0;
	unsigned int i;

	p->req = req;
	p->err = 0;
	p->nr = (uint8_t)nr;
	p->todo = p->flying = p->cancel = p->frees = 0;
	p->fills = false;
	p->way = (uint8_t)way;
	p->buf = buf;
	p->aborted = p->recalled = false;
	memcpy(p->left, extents, nr * sizeof(*extents));
	for (i = 0; i < nr; i++) {
		p->at[i] = at;
		at += (uint32_t)extents[i].len_bytes;
	}
	placed_first_round(p);
}

void ublkev__placed_unlent(struct ublkev__placed *p)
{
	p->todo = 0;
	p->err = -EFAULT;
}

/* whatever was done of a piece was done to its head: so much is put back */
void ublkev__placed_by_copy(struct ublkev__placed *p, void *buf)
{
	struct ublkev_extent *x;
	uint32_t at = 0, did;
	unsigned int i;

	for (i = 0; i < p->nr; i++) {
		x = &p->left[i];
		did = p->at[i] - at;
		x->offset_bytes -= did;
		x->len_bytes += did;
		p->at[i] = at;
		at += (uint32_t)x->len_bytes;
	}
	p->way = UBLKEV__WAY_COPY;
	p->buf = buf;
	p->err = 0;
	placed_first_round(p);
}

static uint8_t placed_kind(const struct ublkev__placed *p, unsigned int piece)
{
	uint32_t flags = p->req->flags;

	if (p->round == UBLKEV__ROUND_SYNC)
		return UBLKEV__FILEOP_SYNC;
	if (p->round == UBLKEV__ROUND_FETCH)
		return UBLKEV__FILEOP_FETCH;
	if (p->round == UBLKEV__ROUND_STORE)
		return UBLKEV__FILEOP_STORE;
	switch (p->req->op) {
	case UBLKEV_OP_READ:
		return p->left[piece].fd < 0 ? UBLKEV__FILEOP_CLEAR
					     : UBLKEV__FILEOP_READ;
	case UBLKEV_OP_WRITE:
	case UBLKEV_OP_ZONE_APPEND:
		return flags & UBLKEV_REQ_FUA ? UBLKEV__FILEOP_WRITE_SYNC
					      : UBLKEV__FILEOP_WRITE;
	case UBLKEV_OP_ZONE_FINISH:
		return UBLKEV__FILEOP_WRITE;
	/* a hole is what an empty zone is, and nothing else will do */
	case UBLKEV_OP_ZONE_RESET:
	case UBLKEV_OP_ZONE_RESET_ALL:
		return UBLKEV__FILEOP_PUNCH;
	case UBLKEV_OP_WRITE_ZEROES:
		return flags & UBLKEV_REQ_NOUNMAP || p->fills ?
			UBLKEV__FILEOP_ZERO : UBLKEV__FILEOP_PUNCH;
	default:
		return p->punches ? UBLKEV__FILEOP_PUNCH
				  : UBLKEV__FILEOP_DISCARD;
	}
}

static unsigned int placed_take(uint8_t *set)
{
	unsigned int piece = (unsigned int)__builtin_ctz(*set);

	*set &= (uint8_t)(*set - 1);
	return piece;
}

static void placed_fill(const struct ublkev__placed *p, unsigned int i,
			struct ublkev__fileop *op)
{
	if (p->round != UBLKEV__ROUND_PIECES) {
		op->len_bytes = p->req->len_bytes;
		op->addr = p->buf;
		return;
	}
	op->offset_bytes = p->left[i].offset_bytes;
	op->len_bytes = p->left[i].len_bytes;
	if (p->req->op == UBLKEV_OP_ZONE_FINISH)
		op->addr = (void *)(uintptr_t)placed_zeroes;
	if (!placed_is_data(p))
		return;
	op->at_bytes = p->at[i];
	op->lent = p->way == UBLKEV__WAY_LENT &&
		   op->kind != UBLKEV__FILEOP_CLEAR;
	if (p->buf)
		op->addr = p->buf + p->at[i];
}

bool ublkev__placed_next(struct ublkev__placed *p, struct ublkev__fileop *op)
{
	unsigned int i;

	memset(op, 0, sizeof(*op));
	if (p->cancel) {
		op->kind = UBLKEV__FILEOP_CANCEL;
		op->piece = (uint8_t)placed_take(&p->cancel);
		return true;
	}
	if (!p->todo)
		return false;
	i = placed_take(&p->todo);
	p->flying |= placed_bit(i);
	op->kind = placed_kind(p, i);
	op->piece = (uint8_t)i;
	if (op->kind == UBLKEV__FILEOP_DISCARD ||
	    (op->kind == UBLKEV__FILEOP_PUNCH &&
	     p->req->op == UBLKEV_OP_WRITE_ZEROES))
		p->frees |= placed_bit(i);
	op->fd = p->left[i].fd;
	if (op->kind >= UBLKEV__FILEOP_FETCH)
		op->fd = -1;
	if (op->kind != UBLKEV__FILEOP_SYNC)
		placed_fill(p, i, op);
	return true;
}

/*
 * EDQUOT: the driver hands errors on to the block layer, which knows ENOSPC
 * and would make EIO of this one (errno_to_blk_status()).
 */
static void placed_fail(struct ublkev__placed *p, int err)
{
	if (!p->err)
		p->err = err == -EDQUOT ? -ENOSPC : err;
	p->todo = 0;
}

static bool placed_may_try(struct ublkev__placed *p, unsigned int piece,
			   int err)
{
	return (err == -EAGAIN || err == -EINTR) && !p->err && !ublkev__placed_ends(p) &&
	       ++p->tries[piece] <= UBLKEV__PLACED_TRIES;
}

/*
 * io_uring_cmd() answers EOPNOTSUPP for a file that has no such commands, and so
 * does blkdev_uring_cmd() for a disk that can't discard; a file that has others
 * answers EINVAL, or ENOTTY.
 */
static bool placed_is_no_discard(int err)
{
	return err == -EOPNOTSUPP || err == -EINVAL || err == -ENOTTY;
}

/*
 * Whether the piece is to be done in another way: a DISCARD by a hole, a
 * WRITE_ZEROES that may free by filling. A block device that cannot free answers
 * EOPNOTSUPP to a hole (BLKDEV_ZERO_NOFALLBACK in blkdev_fallocate()).
 */
static bool placed_may_else(struct ublkev__placed *p, unsigned int piece,
			    int err)
{
	bool discard = p->req->op == UBLKEV_OP_DISCARD;

	if (!(p->frees & placed_bit(piece)) ||
	    (discard ? !placed_is_no_discard(err) : err != -EOPNOTSUPP))
		return false;
	p->frees &= (uint8_t)~placed_bit(piece);
	if (discard)
		p->punches = true;
	else
		p->fills = true;
	return !p->err && !ublkev__placed_ends(p);
}

static void placed_moved(struct ublkev__placed *p, unsigned int piece,
			 uint64_t bytes)
{
	struct ublkev_extent *x = &p->left[piece];

	if (!bytes || bytes > x->len_bytes) {
		placed_fail(p, -EIO);
		return;
	}
	p->tries[piece] = 0;
	x->offset_bytes += bytes;
	x->len_bytes -= bytes;
	p->at[piece] += (uint32_t)bytes;
	if (!x->len_bytes)
		return;
	if (ublkev__placed_ends(p))
		placed_fail(p, -ECANCELED);
	else if (!p->err)
		p->todo |= placed_bit(piece);
}

/* the driver copies all, or there is something wrong with the request */
static void placed_copied(struct ublkev__placed *p, uint64_t bytes)
{
	if (p->round != UBLKEV__ROUND_SYNC && bytes != p->req->len_bytes)
		placed_fail(p, -EIO);
}

static enum ublkev__placed_round placed_last_round(const struct ublkev__placed *p)
{
	if (p->req->op == UBLKEV_OP_FLUSH ||
	    (p->req->op == UBLKEV_OP_WRITE_ZEROES &&
	     p->req->flags & UBLKEV_REQ_FUA))
		return UBLKEV__ROUND_SYNC;
	return p->way == UBLKEV__WAY_COPY && p->req->op == UBLKEV_OP_READ ?
		UBLKEV__ROUND_STORE : UBLKEV__ROUND_PIECES;
}

/* the round is done; an abort, or a recall, lets no other one begin */
static void placed_next_round(struct ublkev__placed *p)
{
	enum ublkev__placed_round last = placed_last_round(p);

	if (p->round == last)
		return;
	if (ublkev__placed_ends(p))
		placed_fail(p, -ECANCELED);
	else if (p->round == UBLKEV__ROUND_FETCH)
		placed_begin_pieces(p);
	else if (last == UBLKEV__ROUND_SYNC)
		placed_sync(p);
	else
		placed_move(p, last);
}

int ublkev__placed_cqe(struct ublkev__placed *p, unsigned int piece, int res)
{
	uint8_t bit = piece < UBLKEV_MAX_EXTENTS ? placed_bit(piece) : 0;

	if (!(p->flying & bit))
		return -EPROTO;
	p->flying &= (uint8_t)~bit;
	p->cancel &= (uint8_t)~bit;
	if (res < 0 && (placed_may_try(p, piece, res) ||
			placed_may_else(p, piece, res)))
		p->todo |= bit;
	else if (res < 0)
		placed_fail(p, res);
	else if (p->round == UBLKEV__ROUND_PIECES && placed_is_data(p))
		placed_moved(p, piece, (uint64_t)res);
	else if (p->req->op == UBLKEV_OP_ZONE_FINISH &&
		 (uint64_t)res != p->left[piece].len_bytes)
		placed_fail(p, -EIO);
	else if (p->round != UBLKEV__ROUND_PIECES)
		placed_copied(p, (uint64_t)res);
	if (ublkev__placed_over(p) && !p->err)
		placed_next_round(p);
	return 0;
}

static void placed_end(struct ublkev__placed *p)
{
	if (p->todo)
		placed_fail(p, -ECANCELED);
	p->cancel = p->flying;
}

void ublkev__placed_abort(struct ublkev__placed *p)
{
	placed_end(p);
	p->aborted = true;
}

void ublkev__placed_recall(struct ublkev__placed *p)
{
	if (ublkev__placed_ends(p))
		return;
	placed_end(p);
	p->recalled = true;
}

/*
 * The kernel says ECANCELED of what it has not begun, EINTR of what a thread of
 * its was interrupted in; and neither EAGAIN is tried again, nor with a buffer what
 * files refused the driver's pages of.
 */
bool ublkev__placed_withdrawn(const struct ublkev__placed *p)
{
	bool refused = p->way == UBLKEV__WAY_LENT &&
		       (p->err == -EINVAL || p->err == -EFAULT);

	return p->recalled && !p->aborted &&
	       (refused || p->err == -ECANCELED || p->err == -EINTR ||
		p->err == -EAGAIN);
}

void ublkev__placed_verify(const struct ublkev__placed *p)
{
	uint8_t all = (uint8_t)((1u << p->nr) - 1);

	assert(p->nr <= UBLKEV_MAX_EXTENTS && p->err <= 0);
	assert(!(p->todo & p->flying) && !((p->todo | p->flying) & ~all));
	assert(!(p->cancel & ~p->flying));
	assert(!p->todo || (p->req && !p->err &&
			    !ublkev__placed_ends(p)));
	assert(!p->cancel || ublkev__placed_ends(p));
}
