/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory disks through the guard, and their memory as smaps shows it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mem_kit.h"
#include "testlib.h"

unsigned int mem_pieces;
size_t mem_page;

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

/* ---- disks ---------------------------------------------------------------- */

struct ublkev_backend *mem_made(uint64_t dev_bytes, uint32_t block,
				   uint32_t flags)
{
	struct ublkev_backend *b = NULL;
	struct ublkev_disk_conf conf;

	mem_page = (size_t)sysconf(_SC_PAGESIZE);
	ublkev_disk_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = dev_bytes;
	conf.logical_block_bytes = block;
	conf.flags = flags;
	ck_assert_int_eq(ublkev_mem_new(&b, &conf), 0);
	return b;
}

struct ublkev_backend *mem_served(uint64_t dev_bytes)
{
	struct ublkev_backend *b = mem_made(dev_bytes, 512, 0);

	mem_serve(b);
	return b;
}

bool mem_find_mapping(uint64_t bytes, struct mem_mapping *m)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long long from, to;
	bool here = false, found = false;
	char line[512];

	ck_assert_ptr_nonnull(f);
	while (!found && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%llx-%llx ", &from, &to) == 2)
			here = to - from == bytes;
		else if (here && !strncmp(line, "VmFlags:", 8))
			found = snprintf(m->flags, sizeof(m->flags), "%s",
					 line + 8) > 0;
		else if (here)
			sscanf(line, "Rss: %lu kB", &m->rss_kib);
	}
	fclose(f);
	return found;
}

uint64_t mem_big_disk(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload") ? 16 * GIB : TIB;
}

uint64_t mem_rss_of(uint64_t bytes)
{
	struct mem_mapping m = { 0 };

	ck_assert(mem_find_mapping(bytes, &m));
	return m.rss_kib * KIB;
}

void mem_zeroes_exactly(struct ublkev_backend *b, unsigned int op,
			   uint32_t flags)
{
	const uint64_t all = 4 * mem_page, step = mem_page / 8;
	uint64_t from, to;

	for (from = 0; from < all; from += step)
		for (to = from + step; to <= all; to += step) {
			mem_fill(b, 0, all, 0xff);
			mem_do_op(b, op, flags, from, to - from);
			ck_assert(mem_holds(b, from, to - from, 0));
			ck_assert(!from || mem_holds(b, 0, from, 0xff));
			ck_assert(to == all ||
				  mem_holds(b, to, all - to, 0xff));
		}
}
