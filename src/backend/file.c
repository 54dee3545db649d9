/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file.c - a disk in a file: arithmetic only, for the library moves the data; one
 * with zones asks filezones.c beside it, one with metadata is filemeta.c's
 */
#include "backend/diskconf.h"
#include "backend/filemeta.h"
#include "backend/filepriv.h"
#include "util/sized.h"

#include <errno.h>
#include <stdlib.h>

#define FILE_FLAGS	(UBLKEV_FILE_READ_ONLY | UBLKEV_FILE_BUFFERED | \
			 UBLKEV_FILE_CREATE | UBLKEV_FILE_THIN)

/* ---- conf --------------------------------------------------------------- */

static const struct ublkev_file_conf file_defaults = {
	.size = sizeof(file_defaults),
	.fd = -1,
};

void ublkev_file_conf_init(struct ublkev_file_conf *conf, size_t size)
{
	ublkev__sized_fill(conf, size, &file_defaults, sizeof(file_defaults));
}

static int file_check_conf(const struct ublkev_file_conf *conf)
{
	uint32_t block = conf->logical_block_bytes;

	if (conf->flags & ~FILE_FLAGS)
		return -EINVAL;
	if (block && !ublkev__is_block(block))
		return -EINVAL;
	if (conf->offset_bytes > INT64_MAX ||
	    conf->dev_bytes > INT64_MAX - conf->offset_bytes)
		return -EINVAL;
	if (ublkev__filemeta_end(conf, conf->dev_bytes) > INT64_MAX)
		return -EINVAL;
	if (conf->limit_bytes && conf->dev_bytes > conf->limit_bytes)
		return -EINVAL;
	/* how long should it become? */
	if (conf->flags & UBLKEV_FILE_CREATE &&
	    (!conf->dev_bytes || conf->flags & UBLKEV_FILE_READ_ONLY))
		return -EINVAL;
	return 0;
}

static int file_take_conf(struct ublkev_file_conf *own,
			  const struct ublkev_file_conf *conf)
{
	int err = ublkev__sized_take(own, &file_defaults, sizeof(*own), conf);

	if (!err)
		err = ublkev__filezones_take_conf(own);
	if (!err)
		err = ublkev__filemeta_take_conf(own);
	return err ? err : file_check_conf(own);
}

/* ---- the disk ------------------------------------------------------------- */

/*
 * A block device is asked to discard only if it can, for what the library does
 * where the kernel has no command for that means zeroes, which not every device
 * that discards can promise.
 */
int ublkev__file_open(void *ctx, struct ublkev_limits *limits)
{
	struct ublkev__filedisk *f = ctx;

	limits->dev_bytes = f->f.dev_bytes;
	limits->logical_block_bytes = f->f.logical_block_bytes;
	limits->physical_block_bytes = f->f.physical_block_bytes;
	limits->dma_align_bytes = f->f.dma_align_bytes;
	limits->io_min_bytes = f->f.io_min_bytes;
	limits->io_opt_bytes = f->f.io_opt_bytes;
	limits->max_segments = f->f.max_segments;
	limits->max_segment_bytes = f->f.max_segment_bytes;
	limits->flags = UBLKEV_LIMIT_VOLATILE_CACHE | UBLKEV_LIMIT_FUA |
			UBLKEV_LIMIT_THREADS | UBLKEV_LIMIT_THREADS_PER_QUEUE;
	if (f->zoned)
		ublkev__zones_limits(&f->zones.zones, limits);
	if (f->read_only) {
		limits->flags |= UBLKEV_LIMIT_READ_ONLY;
		return 0;
	}
	if (f->zoned)
		return 0;
	limits->max_write_zeroes_bytes = MOST_PUNCH_BYTES;
	limits->max_discard_bytes = f->f.max_discard_bytes;
	limits->discard_granularity_bytes = f->f.discard_granularity_bytes;
	return 0;
}

bool ublkev__file_refuses(struct ublkev__filedisk *f,
			  const struct ublkev_req *req)
{
	return req->op == UBLKEV_OP_FLUSH && atomic_load(&f->lost_writes);
}

static int file_place(void *ctx, const struct ublkev_req *req,
		      struct ublkev_extent *extents)
{
	struct ublkev__filedisk *f = ctx;

	if (ublkev__file_refuses(f, req))
		return -EIO;
	extents->fd = f->f.fd;
	extents->len_bytes = req->len_bytes;
	/* a FLUSH is of all of the file */
	extents->offset_bytes = req->len_bytes ?
		f->f.offset_bytes + req->offset_bytes : 0;
	return 1;
}

/*
 * fdatasync(2), and RWF_DSYNC, tell of an error in the write-back once for
 * each open file, and the pages count as clean: the next one would be a lie.
 * Of a FUA only EIO may be such an error; ENOSPC and others are of its own
 * data, and its client hears of them. What was cancelled has told of nothing.
 */
int ublkev__file_answer(struct ublkev__filedisk *f,
			const struct ublkev_req *req, int err)
{
	if ((req->op == UBLKEV_OP_FLUSH && err && err != -ECANCELED &&
	     err != -EINTR) ||
	    (req->flags & UBLKEV_REQ_FUA && err == -EIO))
		atomic_store(&f->lost_writes, true);
	return err;
}

static int file_placed(void *ctx, const struct ublkev_req *req, int err)
{
	return ublkev__file_answer(ctx, req, err);
}

/* in a thread of its own, for a file system may have to be waited for */
static int file_grow(void *ctx, uint64_t dev_bytes)
{
	const struct ublkev__filedisk *f = ctx;

	return ublkev__fileopen_lengthen(&f->f, dev_bytes);
}

/* the file has room for it by now; one that is too long keeps its length */
static int file_resize(void *ctx, uint64_t dev_bytes)
{
	struct ublkev__filedisk *f = ctx;

	f->f.dev_bytes = dev_bytes;
	return 0;
}

/* ---- zones ----------------------------------------------------------------- */

static int file_place_zoned(void *ctx, const struct ublkev_req *req,
			    struct ublkev_extent *extents)
{
	struct ublkev__filedisk *f = ctx;

	if (req->op == UBLKEV_OP_FLUSH)
		return file_place(ctx, req, extents);
	return ublkev__filezones_place(&f->zones, req, extents);
}

static int file_placed_zoned(void *ctx, const struct ublkev_req *req, int err)
{
	struct ublkev__filedisk *f = ctx;

	ublkev__filezones_placed(&f->zones, req, err);
	return file_placed(ctx, req, err);
}

/* what place() leaves: a report */
static int file_submit_zoned(void *ctx, struct ublkev_req *req)
{
	struct ublkev__filedisk *f = ctx;

	if (req->op != UBLKEV_OP_REPORT_ZONES)
		return -EIO;
	ublkev__zones_report(&f->zones.zones, req);
	return UBLKEV_DONE;
}

static int64_t file_append(void *ctx, const struct ublkev_req *req)
{
	struct ublkev__filedisk *f = ctx;

	return ublkev__zones_append(&f->zones.zones, req->offset_bytes,
				    req->len_bytes);
}

static const struct ublkev_backend_ops file_zoned_ops = {
	.size = sizeof(file_zoned_ops),
	.name = "file",
	.open = ublkev__file_open,
	.submit = file_submit_zoned,
	.place = file_place_zoned,
	.placed = file_placed_zoned,
	.append = file_append,
};

static const struct ublkev_backend_ops file_ops = {
	.size = sizeof(file_ops),
	.name = "file",
	.open = ublkev__file_open,
	.place = file_place,
	.placed = file_placed,
	.resize = file_resize,
	.grow = file_grow,
};

static void file_free(void *ctx)
{
	struct ublkev__filedisk *f = ctx;

	ublkev__filezones_fini(&f->zones);
	ublkev__filemeta_fini(&f->meta);
	ublkev__fileopen_close(&f->f);
	free(f);
}

static int file_init_more(struct ublkev__filedisk *f,
			  const struct ublkev_file_conf *conf)
{
	f->zoned = conf->zone_bytes;
	if (f->zoned)
		return ublkev__filezones_init(&f->zones, &f->f, conf);
	return ublkev__filemeta_init(&f->meta, &f->f, conf);
}

static const struct ublkev_backend_ops *
file_ops_of(const struct ublkev__filedisk *f)
{
	if (f->zoned)
		return &file_zoned_ops;
	return f->meta.bytes ? &ublkev__filemeta_ops : &file_ops;
}

int ublkev_file_new(struct ublkev_backend **backendp, const char *path,
		    const struct ublkev_file_conf *conf)
{
	struct ublkev_file_conf own;
	struct ublkev__filedisk *f;
	int err;

	err = file_take_conf(&own, conf);
	if (err)
		return err;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->read_only = own.flags & UBLKEV_FILE_READ_ONLY;
	err = ublkev__fileopen(&f->f, path, &own);
	if (err) {
		free(f);
		return err;
	}
	err = file_init_more(f, &own);
	if (!err)
		err = ublkev__guard_new(backendp, file_ops_of(f), f,
					file_free);
	if (err) {
		ublkev__filezones_fini(&f->zones);
		ublkev__filemeta_fini(&f->meta);
		ublkev__fileopen_undo(&f->f, path);
		free(f);
		return err;
	}
	f->meta.backend = *backendp;
	return 0;
}

int ublkev_file_fd(const struct ublkev_backend *backend)
{
	const struct ublkev__filedisk *f = backend->ctx;

	return backend->ctx_free == file_free ? f->f.fd : -1;
}

enum ublkev_file_was ublkev_file_was(const struct ublkev_backend *backend)
{
	const struct ublkev__filedisk *f = backend->ctx;

	if (backend->ctx_free != file_free || !f->f.filled)
		return UBLKEV_FILE_WAS_THERE;
	return f->f.made ? UBLKEV_FILE_WAS_MISSING : UBLKEV_FILE_WAS_EMPTY;
}

int ublkev_file_lost_writes(const struct ublkev_backend *backend)
{
	const struct ublkev__filedisk *f = backend->ctx;

	return backend->ctx_free == file_free && atomic_load(&f->lost_writes);
}

void ublkev_file_set_lost_writes(struct ublkev_backend *backend)
{
	struct ublkev__filedisk *f = backend->ctx;

	if (backend->ctx_free == file_free)
		atomic_store(&f->lost_writes, true);
}
