/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where in the file metadata are, which requests have to wait for which, and the
 * operations that each is made of.
 */
#include "backend/filemeta.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/filepriv.h"
#include "backend/metadata.h"

#define DEFAULT_BLOCK	4096u
/* runs that are made at once */
#define SLAB_RUNS	64u

/* a request with a range, from its submit() to its end */
struct ublkev__filemeta_run {
	struct ublkev__filemeta_run *prev, *next; /* or the next free one */
	struct ublkev_req *req;
	int err;			/* the first one; <= 0 */
	uint8_t out;			/* operations that are under way */
	bool waits;			/* for one before it: nothing is */
};

struct ublkev__filemeta_slab {
	struct ublkev__filemeta_slab *next;
	struct ublkev__filemeta_run runs[SLAB_RUNS];
};

/* ---- conf, open files --------------------------------------------------- */

int ublkev__filemeta_take_conf(struct ublkev_file_conf *conf)
{
	if (conf->pi >= UBLKEV_NR_PIS || conf->metadata_bytes > 255)
		return -EINVAL;
	if (!conf->metadata_bytes)
		conf->metadata_bytes = ublkev_pi_bytes(conf->pi);
	if (!conf->metadata_bytes)
		return 0;
	/* not what this file happens to allow, for it decides where they are */
	if (!conf->logical_block_bytes)
		conf->logical_block_bytes = DEFAULT_BLOCK;
	return conf->metadata_bytes < ublkev_pi_bytes(conf->pi) ||
	       conf->zone_bytes || !conf->dev_bytes ? -EINVAL : 0;
}

static int filemeta_lock_byte(int fd, short type)
{
	struct flock lock = {
		.l_type = type, .l_whence = SEEK_SET,
		.l_start = UBLKEV__FILEMETA_LOCK, .l_len = 1,
	};

	return fcntl(fd, F_OFD_SETLK, &lock) ? -errno : 0;
}

/*
 * What a killed server has left under way keeps the file locked (see
 * ublkev_file(3)), and the lock is of an open file: so the second one gets a part
 * of it, shared with that of whoever serves the disk after an upgrade. Of a block
 * device only one open file can be exclusive, so it has no second one.
 */
static int filemeta_lock(const struct ublkev__fileopen *f, int fd)
{
	int err = filemeta_lock_byte(f->fd, F_UNLCK);

	return err ? err : filemeta_lock_byte(fd, F_RDLCK);
}

/*
 * O_DIRECT is of the open file, not of the descriptor, so another one is needed;
 * by /proc, for the file may have no name, or have got another.
 */
static int filemeta_open(const struct ublkev__fileopen *f, bool read_only)
{
	char name[64];
	int fd, err;

	if (!f->direct) {
		fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
		return fd < 0 ? -errno : fd;
	}
	snprintf(name, sizeof(name), "/proc/self/fd/%d", f->fd);
	fd = open(name, O_CLOEXEC | O_NOCTTY |
		  (read_only ? O_RDONLY : O_RDWR));
	if (fd < 0)
		return -errno;
	err = filemeta_lock(f, fd);
	if (!err)
		return fd;
	close(fd);
	return err;
}

int ublkev__filemeta_init(struct ublkev__filemeta *m,
			  const struct ublkev__fileopen *f,
			  const struct ublkev_file_conf *conf)
{
	memset(m, 0, sizeof(*m));
	if (!conf->metadata_bytes)
		return 0;
	m->bytes = conf->metadata_bytes;
	m->pi = conf->pi;
	m->block_bytes = f->logical_block_bytes;
	m->at_bytes = ublkev__filemeta_begin(conf, f->dev_bytes);
	m->fd = filemeta_open(f, conf->flags & UBLKEV_FILE_READ_ONLY);
	return m->fd < 0 ? m->fd : 0;
}

void ublkev__filemeta_fini(struct ublkev__filemeta *m)
{
	struct ublkev__filemeta_slab *slab;

	if (m->bytes && m->fd >= 0)
		close(m->fd);
	while ((slab = m->slabs)) {
		m->slabs = slab->next;
		free(slab);
	}
	m->bytes = 0;
}

/* ---- who is under way ---------------------------------------------------- */

static void filemeta_free(struct ublkev__filemeta *m,
			  struct ublkev__filemeta_run *run)
{
	run->req = NULL;
	run->next = m->free;
	m->free = run;
}

static void filemeta_free_slab(struct ublkev__filemeta *m,
			       struct ublkev__filemeta_slab *slab)
{
	unsigned int i;

	for (i = 0; i < SLAB_RUNS; i++)
		filemeta_free(m, &slab->runs[i]);
}

/* what a former device left under way is nobody's any more */
static void filemeta_forget(struct ublkev__filemeta *m)
{
	struct ublkev__filemeta_slab *slab;

	m->first = m->last = m->free = NULL;
	m->nr_waiting = 0;
	for (slab = m->slabs; slab; slab = slab->next)
		filemeta_free_slab(m, slab);
}

static struct ublkev__filemeta_run *filemeta_new(struct ublkev__filemeta *m,
						 struct ublkev_req *req)
{
	struct ublkev__filemeta_slab *slab;
	struct ublkev__filemeta_run *run;

	if (!m->free) {
		slab = calloc(1, sizeof(*slab));
		if (!slab)
			return NULL;
		slab->next = m->slabs;
		m->slabs = slab;
		filemeta_free_slab(m, slab);
	}
	run = m->free;
	m->free = run->next;
	*run = (struct ublkev__filemeta_run){ .req = req, .prev = m->last };
	*(m->last ? &m->last->next : &m->first) = run;
	m->last = run;
	return run;
}

static void filemeta_drop(struct ublkev__filemeta *m,
			  struct ublkev__filemeta_run *run)
{
	*(run->prev ? &run->prev->next : &m->first) = run->next;
	*(run->next ? &run->next->prev : &m->last) = run->prev;
	filemeta_free(m, run);
}

static bool filemeta_apart(const struct ublkev_req *a,
			   const struct ublkev_req *b)
{
	return (a->op == UBLKEV_OP_READ && b->op == UBLKEV_OP_READ) ||
	       a->offset_bytes >= b->offset_bytes + b->len_bytes ||
	       b->offset_bytes >= a->offset_bytes + a->len_bytes;
}

/*
 * One that waits itself is waited for, too: else a client that keeps reading
 * would hold up a write for ever.
 */
static bool filemeta_must_wait(const struct ublkev__filemeta_run *run)
{
	const struct ublkev__filemeta_run *r;

	for (r = run->prev; r; r = r->prev)
		if (!filemeta_apart(r->req, run->req))
			return true;
	return false;
}

/* ---- operations ---------------------------------------------------------- */

static uint64_t filemeta_of(const struct ublkev__filemeta *m, uint64_t bytes)
{
	return bytes / m->block_bytes * m->bytes;
}

static uint64_t filemeta_at(const struct ublkev__filemeta *m,
			    const struct ublkev_req *req)
{
	return m->at_bytes + filemeta_of(m, req->offset_bytes);
}

static uint64_t filemeta_data_at(const struct ublkev__filedisk *f,
				 const struct ublkev_req *req)
{
	return f->f.offset_bytes + req->offset_bytes;
}

static int filemeta_start(struct ublkev__filedisk *f,
			  struct ublkev__filemeta_run *run);

/*
 * Whoever waited for the one that has ended. ECANCELED: nothing is begun any more,
 * for the request was failed, or is another server's: nobody is to be answered.
 */
static void filemeta_wake(struct ublkev__filedisk *f)
{
	struct ublkev__filemeta *m = &f->meta;
	struct ublkev__filemeta_run *run, *next;
	uint64_t cookie;
	int err;

	for (run = m->first; m->nr_waiting && run; run = next) {
		next = run->next;
		if (!run->waits || filemeta_must_wait(run))
			continue;
		run->waits = false;
		m->nr_waiting--;
		cookie = run->req->cookie;
		err = filemeta_start(f, run);
		if (!err)
			continue;
		filemeta_drop(m, run);
		if (err != -ECANCELED)
			ublkev_req_done(m->backend, cookie, err);
	}
}

/* it is over: what it is answered with */
static int filemeta_end(struct ublkev__filedisk *f,
			struct ublkev__filemeta_run *run)
{
	struct ublkev_req *req = run->req;
	int err = run->err;

	if (!err && req->op == UBLKEV_OP_READ &&
	    req->flags & UBLKEV_REQ_METADATA)
		ublkev__metadata_invert(ublkev_req_metadata(req),
					ublkev_req_metadata(req),
					filemeta_of(&f->meta, req->len_bytes));
	filemeta_drop(&f->meta, run);
	filemeta_wake(f);
	return ublkev__file_answer(f, req, err);
}

/* one of its operations has ended with err */
static int filemeta_ended(struct ublkev__filedisk *f, struct ublkev_req *req,
			  int err)
{
	struct ublkev__filemeta_run *run = req->data;

	if (!run->err)
		run->err = err;
	return --run->out ? UBLKEV_LATER : filemeta_end(f, run);
}

/* of a read that met the end of the file: somebody has cut that short */
static int filemeta_whole(int res, uint64_t bytes)
{
	return res < 0 ? res : (uint64_t)res == bytes ? 0 : -EIO;
}

static int filemeta_on_data(void *ctx, struct ublkev_req *req, int res)
{
	return filemeta_ended(ctx, req, filemeta_whole(res, req->len_bytes));
}

static int filemeta_on_metadata(void *ctx, struct ublkev_req *req, int res)
{
	struct ublkev__filedisk *f = ctx;

	uint64_t n = filemeta_of(&f->meta, req->len_bytes);

	return filemeta_ended(f, req, filemeta_whole(res, n));
}

/* ---- READ, WRITE --------------------------------------------------------- */

/* how what is begun is counted: the second part may fail to be, after the first */
static int filemeta_begun(struct ublkev__filemeta_run *run, int err)
{
	if (!err)
		run->out++;
	else if (run->out)
		run->err = err;
	return run->out ? 0 : err;
}

static int filemeta_read(struct ublkev__filedisk *f,
			 struct ublkev__filemeta_run *run)
{
	const struct ublkev__filemeta *m = &f->meta;
	const struct ublkev__reqop_calls *c = m->backend->calls;
	struct ublkev_req *req = run->req;
	int err;

	err = filemeta_begun(run, c->pread(m->backend, req, f->f.fd, req->buf,
					   (size_t)req->len_bytes,
					   filemeta_data_at(f, req),
					   filemeta_on_data));
	if (err || !(req->flags & UBLKEV_REQ_METADATA))
		return err;
	return filemeta_begun(run, c->pread(m->backend, req, m->fd,
					    ublkev_req_metadata(req),
					    (size_t)filemeta_of(m, req->len_bytes),
					    filemeta_at(m, req),
					    filemeta_on_metadata));
}

/* behind the data there is room for them in any case */
static int filemeta_write(struct ublkev__filedisk *f,
			  struct ublkev__filemeta_run *run)
{
	const struct ublkev__filemeta *m = &f->meta;
	const struct ublkev__reqop_calls *c = m->backend->calls;
	struct ublkev_req *req = run->req;
	char *metadata = ublkev_req_metadata(req);
	size_t n = (size_t)filemeta_of(m, req->len_bytes);
	int err;

	if (req->flags & UBLKEV_REQ_METADATA)
		ublkev__metadata_invert(metadata, metadata, n);
	else
		memset(metadata, 0, n);
	err = filemeta_begun(run, c->pwrite(m->backend, req, m->fd, metadata, n,
					    filemeta_at(m, req),
					    filemeta_on_metadata));
	if (err)
		return err;
	return filemeta_begun(run, c->pwrite(m->backend, req, f->f.fd, req->buf,
					     (size_t)req->len_bytes,
					     filemeta_data_at(f, req),
					     filemeta_on_data));
}

/* ---- DISCARD, WRITE_ZEROES ----------------------------------------------- */

static int filemeta_on_last(void *ctx, struct ublkev_req *req, int res)
{
	return filemeta_ended(ctx, req, res);
}

static int filemeta_mode(const struct ublkev_req *req)
{
	return FALLOC_FL_KEEP_SIZE |
	       (req->op == UBLKEV_OP_WRITE_ZEROES &&
		req->flags & UBLKEV_REQ_NOUNMAP ? FALLOC_FL_ZERO_RANGE
						: FALLOC_FL_PUNCH_HOLE);
}

/* one step follows another, in whose place it is the one that is under way */
static int filemeta_stepped(struct ublkev__filedisk *f, struct ublkev_req *req,
			    int err)
{
	return err ? filemeta_ended(f, req, err) : UBLKEV_LATER;
}

static int filemeta_on_data_gone(void *ctx, struct ublkev_req *req, int res)
{
	struct ublkev__filedisk *f = ctx;
	const struct ublkev__filemeta *m = &f->meta;
	const struct ublkev__reqop_calls *c = m->backend->calls;

	if (res || !(req->flags & UBLKEV_REQ_FUA))
		return filemeta_ended(f, req, res);
	return filemeta_stepped(f, req, c->fsync(m->backend, req, m->fd,
						 filemeta_on_last));
}

static int filemeta_on_metadata_gone(void *ctx, struct ublkev_req *req, int res)
{
	struct ublkev__filedisk *f = ctx;
	const struct ublkev__filemeta *m = &f->meta;
	const struct ublkev__reqop_calls *c = m->backend->calls;

	if (res)
		return filemeta_ended(f, req, res);
	return filemeta_stepped(f, req, c->fallocate(m->backend, req, f->f.fd,
						     filemeta_mode(req),
						     filemeta_data_at(f, req),
						     req->len_bytes,
						     filemeta_on_data_gone));
}

/* metadata first: where it ends after that, the data are such that nobody checks */
static int filemeta_zero(struct ublkev__filedisk *f,
			 struct ublkev__filemeta_run *run)
{
	const struct ublkev__filemeta *m = &f->meta;
	const struct ublkev__reqop_calls *c = m->backend->calls;
	struct ublkev_req *req = run->req;

	return filemeta_begun(run, c->fallocate(m->backend, req, m->fd,
						filemeta_mode(req),
						filemeta_at(m, req),
						filemeta_of(m, req->len_bytes),
						filemeta_on_metadata_gone));
}

/* ---- the disk ------------------------------------------------------------ */

/* 0, or why nothing of it is under way */
static int filemeta_start(struct ublkev__filedisk *f,
			  struct ublkev__filemeta_run *run)
{
	switch (run->req->op) {
	case UBLKEV_OP_READ:
		return filemeta_read(f, run);
	case UBLKEV_OP_WRITE:
		return filemeta_write(f, run);
	default:
		return filemeta_zero(f, run);
	}
}

static int filemeta_on_flush(void *ctx, struct ublkev_req *req, int res)
{
	return ublkev__file_answer(ctx, req, res);
}

/* of all of the file: the data's open file has no pages in the cache to write */
static int filemeta_flush(struct ublkev__filedisk *f, struct ublkev_req *req)
{
	const struct ublkev__filemeta *m = &f->meta;
	int err;

	if (ublkev__file_refuses(f, req))
		return -EIO;
	err = m->backend->calls->fsync(m->backend, req, m->fd, filemeta_on_flush);
	return err ? err : UBLKEV_LATER;
}

static int filemeta_submit(void *ctx, struct ublkev_req *req)
{
	struct ublkev__filedisk *f = ctx;
	struct ublkev__filemeta *m = &f->meta;
	struct ublkev__filemeta_run *run;
	int err;

	if (req->op == UBLKEV_OP_FLUSH)
		return filemeta_flush(f, req);
	run = filemeta_new(m, req);
	if (!run)
		return -ENOMEM;
	req->data = run;
	run->waits = filemeta_must_wait(run);
	if (run->waits) {
		m->nr_waiting++;
		return UBLKEV_LATER;
	}
	err = filemeta_start(f, run);
	if (!err)
		return UBLKEV_LATER;
	filemeta_drop(m, run);
	return err;
}

/*
 * A block device: the kernel's way to zero part of one wants whole blocks, which
 * some blocks' metadata are not. The block layer writes zeroes itself then.
 */
static int filemeta_open_disk(void *ctx, struct ublkev_limits *limits)
{
	struct ublkev__filedisk *f = ctx;
	int err = ublkev__file_open(f, limits);

	filemeta_forget(&f->meta);
	limits->metadata_bytes = f->meta.bytes;
	limits->pi = f->meta.pi;
	limits->flags |= UBLKEV_LIMIT_REQ_OPS;
	limits->flags &= ~(UBLKEV_LIMIT_THREADS |
			   UBLKEV_LIMIT_THREADS_PER_QUEUE);
	if (f->f.is_block)
		limits->max_discard_bytes = limits->max_write_zeroes_bytes = 0;
	return err;
}

const struct ublkev_backend_ops ublkev__filemeta_ops = {
	.size = sizeof(ublkev__filemeta_ops),
	.name = "file",
	.open = filemeta_open_disk,
	.submit = filemeta_submit,
};

/* ---- for tests ----------------------------------------------------------- */

void ublkev__filemeta_verify(const struct ublkev__filemeta *m)
{
	const struct ublkev__filemeta_run *run, *prev = NULL;
	unsigned int waiting = 0;

	for (run = m->first; run; prev = run, run = run->next) {
		assert(run->prev == prev && run->req && run->req->data == run);
		assert(run->waits ? !run->out && filemeta_must_wait(run)
				  : run->out);
		waiting += run->waits;
	}
	assert(prev == m->last && waiting == m->nr_waiting);
}
