/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "mem_kit.h"
#include "testlib.h"

unsigned int mem_pieces;

static struct test_log said;
static const struct ublkev__log log_to_said = {
	.fn = test_log_fn, .data = &said, .id = -1,
};

static void never_done(void *owner, uint64_t cookie, int err)
{
	(void)owner;
	ck_abort_msg("answered twice: %llu %d", (unsigned long long)cookie,
		     err);
}

void mem_serve(struct ublkev_backend *b)
{
	ck_assert_int_eq(ublkev__guard_open(b, never_done, NULL, &log_to_said),
			 0);
	ck_assert_int_eq(ublkev__guard_start(b, NULL), 0);
}

void mem_unserve(struct ublkev_backend *b)
{
	ublkev__guard_stop(b);
	ublkev__guard_close(b);
}

void mem_finish(struct ublkev_backend *b)
{
	mem_unserve(b);
	ublkev_backend_free(b);
	ck_assert_uint_eq(said.lines, 0);
}

int mem_submit(struct ublkev_backend *b, unsigned int op, uint32_t flags,
	       uint64_t offset_bytes, uint64_t len_bytes, void *buf)
{
	struct ublkev_req req = {
		.op = (uint8_t)op, .flags = flags,
		.offset_bytes = offset_bytes, .len_bytes = len_bytes,
		.buf = buf,
	};
	bool rejected;
	int res = ublkev__guard_submit(b, &req, &rejected);

	for (mem_pieces = 1; res == UBLKEV_AGAIN; mem_pieces++)
		res = ublkev__guard_go_on(b, &req, &rejected);
	return res;
}

void mem_do_op(struct ublkev_backend *b, unsigned int op, uint32_t flags,
	       uint64_t offset_bytes, uint64_t len_bytes)
{
	ck_assert_int_eq(mem_submit(b, op, flags, offset_bytes, len_bytes,
				    NULL), UBLKEV_DONE);
}

void mem_fill(struct ublkev_backend *b, uint64_t offset_bytes,
	      uint64_t len_bytes, int byte)
{
	char *buf = malloc(len_bytes);

	ck_assert_ptr_nonnull(buf);
	memset(buf, byte, len_bytes);
	ck_assert_int_eq(mem_submit(b, UBLKEV_OP_WRITE, 0, offset_bytes,
				    len_bytes, buf), UBLKEV_DONE);
	free(buf);
}

bool mem_holds(struct ublkev_backend *b, uint64_t offset_bytes,
	       uint64_t len_bytes, int byte)
{
	char *buf = malloc(len_bytes);
	bool same = true;
	uint64_t i;

	ck_assert_ptr_nonnull(buf);
	memset(buf, ~byte, len_bytes);
	ck_assert_int_eq(mem_submit(b, UBLKEV_OP_READ, 0, offset_bytes,
				    len_bytes, buf), UBLKEV_DONE);
	for (i = 0; i < len_bytes; i++)
		same &= buf[i] == (char)byte;
	free(buf);
	return same;
}

