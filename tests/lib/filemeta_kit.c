/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk with metadata behind the guard, and the calls of reqop.h, which end when a
 * test says so, on a file of this machine's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filemeta_kit.h"

struct ublkev_file_conf meta_conf;
static char dir[] = "/tmp/test_filemeta.XXXXXX";
char meta_path[64];
struct ublkev_backend *meta_disk;
static struct test_log said;
const struct ublkev__log meta_log = {
	.fn = test_log_fn, .data = &said, .id = -1,
};

/* ---- operations, which are done when and as a test likes ----------------- */

struct meta_op meta_ops[META_OPS];
unsigned int meta_nr_ops, meta_begun, meta_syncs;
int meta_refuse;		/* what begins no operation */
unsigned int meta_refuse_after;

static int begin(const struct meta_op *op)
{
	if (meta_refuse && !meta_refuse_after--)
		return meta_refuse;
	ck_assert_uint_lt(meta_nr_ops, TEST_COUNT(meta_ops));
	meta_ops[meta_nr_ops++] = *op;
	meta_begun++;
	return 0;
}

static int fake_pread(struct ublkev_backend *b, struct ublkev_req *req, int fd,
		      void *buf, size_t len, uint64_t offset,
		      ublkev_req_fn *done)
{
	ck_assert_ptr_eq(b, meta_disk);
	return begin(&(struct meta_op){ .req = req, .kind = PREAD, .fd = fd,
					.buf = buf, .len = len, .offset = offset,
					.done = done });
}

static int fake_pwrite(struct ublkev_backend *b, struct ublkev_req *req, int fd,
		       const void *buf, size_t len, uint64_t offset,
		       ublkev_req_fn *done)
{
	ck_assert_ptr_eq(b, meta_disk);
	return begin(&(struct meta_op){ .req = req, .kind = PWRITE, .fd = fd,
					.buf = (void *)(uintptr_t)buf, .len = len,
				   .offset = offset, .done = done });
}

static int fake_fsync(struct ublkev_backend *b, struct ublkev_req *req, int fd,
		      ublkev_req_fn *done)
{
	ck_assert_ptr_eq(b, meta_disk);
	return begin(&(struct meta_op){ .req = req, .kind = FSYNC, .fd = fd,
					.done = done });
}

static int fake_fallocate(struct ublkev_backend *b, struct ublkev_req *req,
			  int fd, int mode, uint64_t offset, uint64_t len,
			  ublkev_req_fn *done)
{
	ck_assert_ptr_eq(b, meta_disk);
	return begin(&(struct meta_op){ .req = req, .kind = FALLOCATE, .fd = fd,
					.mode = mode, .len = len, .offset = offset,
					.done = done });
}

static const struct ublkev__reqop_calls calls = {
	.pread = fake_pread, .pwrite = fake_pwrite, .fsync = fake_fsync,
	.fallocate = fake_fallocate,
};

static int run(const struct meta_op *op)
{
	off_t at = (off_t)op->offset;
	ssize_t n = 0;

	switch (op->kind) {
	case PREAD:
		n = pread(op->fd, op->buf, op->len, at);
		break;
	case PWRITE:
		n = pwrite(op->fd, op->buf, op->len, at);
		break;
	case FSYNC:
		meta_syncs++;
		n = fdatasync(op->fd);
		break;
	case FALLOCATE:
		n = fallocate(op->fd, op->mode, at, (off_t)op->len);
	}
	return n < 0 ? -errno : (int)n;
}

/* ---- requests ------------------------------------------------------------ */

struct meta_request meta_requests[META_REQUESTS];

static struct meta_request *request_of(uint64_t cookie)
{
	ck_assert_uint_lt(cookie, TEST_COUNT(meta_requests));
	return &meta_requests[cookie];
}

static void answered(uint64_t cookie, int res)
{
	struct meta_request *r = request_of(cookie);

	ck_assert(r->busy && r->res == 1);
	r->res = res;
	r->busy = false;
}

void meta_on_done(void *owner, uint64_t cookie, int err)
{
	(void)owner;
	answered(cookie, err);
}

void meta_end_op(unsigned int i, int res)
{
	struct meta_op op = meta_ops[i];
	uint64_t cookie = op.req->cookie;
	const struct ublkev__filedisk *f;
	int answer;

	meta_ops[i] = meta_ops[--meta_nr_ops];
	answer = op.done(meta_disk->ctx, op.req, res == 1 ? run(&op) : res);
	if (answer != UBLKEV_LATER)
		answered(cookie, answer);
	f = meta_disk->ctx;
	ublkev__filemeta_verify(&f->meta);
}

void meta_end_all(void)
{
	while (meta_nr_ops)
		meta_end_op(0, 1);
}

struct meta_request *meta_submit(unsigned int op, unsigned int block,
				 unsigned int n, uint32_t flags)
{
	struct meta_request *r = meta_requests;
	bool rejected;
	int res;

	while (r->busy)
		r++;
	r->busy = true;
	r->res = 1;
	r->req = (struct ublkev_req){
		.cookie = (uint64_t)(r - meta_requests), .op = (uint8_t)op,
		.offset_bytes = (uint64_t)block * META_BLOCK,
		.len_bytes = (uint64_t)n * META_BLOCK, .buf = r->buf,
		.flags = flags,
	};
	res = ublkev__guard_submit(meta_disk, &r->req, &rejected);
	ck_assert(!rejected);
	if (res != UBLKEV_LATER)
		answered(r->req.cookie, res);
	return r;
}

static void fill(struct meta_request *r, unsigned int n, uint8_t id)
{
	r->id = id;
	memset(r->buf, id, (size_t)n * (META_BLOCK + META));
}

struct meta_request *meta_write(unsigned int block, unsigned int n, uint8_t id,
				uint32_t flags)
{
	struct meta_request *r = meta_requests;

	while (r->busy)
		r++;
	fill(r, n, id);
	return meta_submit(UBLKEV_OP_WRITE, block, n, flags);
}

void meta_check(const struct meta_request *r)
{
	unsigned int i, n = (unsigned int)(r->req.len_bytes / META_BLOCK), j;
	const uint8_t *data = (const uint8_t *)r->buf;
	const uint8_t *meta = data + n * META_BLOCK, *block;

	for (i = 0; i < n; i++) {
		block = data + i * META_BLOCK;
		for (j = 0; j < META_BLOCK; j++)
			TEST_HOLDS(block[j] == *block);
		for (j = 0; j < META; j++)
			TEST_HOLDS(meta[i * META + j] == *block ||
				   meta[i * META + j] == 0xff);
	}
}

/* ---- up and down --------------------------------------------------------- */

void meta_up(void)
{
	ck_assert_int_eq(ublkev_file_new(&meta_disk, meta_path, &meta_conf), 0);
	meta_disk->calls = &calls;
	ck_assert_int_eq(ublkev__guard_open(meta_disk, meta_on_done, NULL,
					    &meta_log), 0);
	ck_assert_int_eq(ublkev__guard_start(meta_disk, NULL), 0);
}

void meta_down(void)
{
	ublkev__guard_stop(meta_disk);
	ublkev__guard_close(meta_disk);
	ublkev_backend_free(meta_disk);
	meta_disk = NULL;
	ck_assert_uint_eq(said.lines, 0);
}

void meta_set_up(void)
{
	unsigned int i;

	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(meta_path, sizeof(meta_path), "%s/disk", dir);
	ublkev_file_conf_init(&meta_conf, sizeof(meta_conf));
	meta_conf.dev_bytes = META_DEV;
	meta_conf.offset_bytes = META_OFFSET;
	meta_conf.pi = UBLKEV_PI_T10_DIF_TYPE1_CRC;
	meta_conf.flags = UBLKEV_FILE_CREATE;
	meta_nr_ops = meta_begun = meta_syncs = 0;
	meta_refuse = 0;
	memset(&said, 0, sizeof(said));
	memset(meta_requests, 0, sizeof(meta_requests));
	for (i = 0; i < TEST_COUNT(meta_requests); i++)
		ck_assert_int_eq(posix_memalign((void **)&meta_requests[i].buf,
				 4096, META_MOST * (size_t)(META_BLOCK + META)),
				 0);
}

void meta_tear_down(void)
{
	unsigned int i;

	unlink(meta_path);
	ck_assert_int_eq(rmdir(dir), 0);
	for (i = 0; i < TEST_COUNT(meta_requests); i++)
		free(meta_requests[i].buf);
}
