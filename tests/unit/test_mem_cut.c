/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory disk shrinks: in pieces, each of which gives little back, so that
 * none takes long; what is below the new end is served between them, and what
 * was beyond it never comes back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "failalloc.h"
#include "mem_kit.h"
#include "testlib.h"

/* kinds of memory that a loop test goes through */
static const uint32_t kinds[] = { 0, UBLKEV_DISK_SHARED };
#define KINDS	((int)TEST_COUNT(kinds))

static struct ublkev_backend *disk(uint64_t dev_bytes, uint32_t flags, int fd)
{
	struct ublkev_backend *b = NULL;
	struct ublkev_disk_conf conf;

	ublkev_disk_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = dev_bytes;
	conf.flags = flags;
	conf.fd = fd;
	ck_assert_int_eq(ublkev_mem_new(&b, &conf), 0);
	mem_serve(b);
	return b;
}

/* how many pieces it took */
static unsigned int cut(struct ublkev_backend *b, uint64_t dev_bytes)
{
	unsigned int n = 1;
	int err;

	while ((err = ublkev__guard_resize(b, dev_bytes)) == UBLKEV_AGAIN)
		n++;
	ck_assert_int_eq(err, 0);
	ck_assert_uint_eq(b->limits.dev_bytes, dev_bytes);
	return n;
}

static void grow(struct ublkev_backend *b, uint64_t dev_bytes)
{
	ck_assert_int_eq(ublkev__guard_resize(b, dev_bytes), 0);
	ck_assert_uint_eq(b->limits.dev_bytes, dev_bytes);
}

/* whole pages of [from, to) that are in memory, where it is mapped */
static size_t resident(struct ublkev_backend *b, uint64_t from, uint64_t to)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), i, n = 0;
	struct ublkev_req req = { .op = UBLKEV_OP_READ, .len_bytes = 512 };
	char *base = ublkev__guard_map(b, &req);
	unsigned char in;

	for (i = from; i < to; i += page)
		if (!mincore(base + i, page, &in))
			n += in & 1;
	return n * page;
}

START_TEST(in_pieces)
{
	const uint64_t all = 16 * MIB, less = MIB + 512;
	struct ublkev_backend *b = disk(all, kinds[_i], -1);
	size_t had, has;
	int err;

	mem_fill(b, 0, all, 0x5a);
	has = resident(b, 2 * MIB, all);
	ck_assert_uint_eq(has, 14 * MIB);
	do {
		had = has;
		err = ublkev__guard_resize(b, less);
		has = resident(b, 2 * MIB, all);
		ck_assert_uint_le(had - has, 256 * KIB);
		/* served all the while, and no further than the new end */
		ck_assert(mem_holds(b, less - 512, 512, 0x5a));
		ck_assert_int_eq(mem_submit(b, UBLKEV_OP_DISCARD, 0, less, 512,
					    NULL), -EINVAL);
	} while (err == UBLKEV_AGAIN);
	ck_assert_int_eq(err, 0);
	ck_assert_uint_eq(has, 0);
	ck_assert(mem_holds(b, 0, less, 0x5a));
	grow(b, all);
	ck_assert(mem_holds(b, 0, less, 0x5a));
	ck_assert(mem_holds(b, less, all - less, 0));
	mem_finish(b);
}
END_TEST

/* what was never written is no work, and unmapped in few pieces */
START_TEST(sparse)
{
	const uint64_t all = 16 * GIB;
	struct ublkev_backend *b = disk(all, kinds[_i], -1);

	ck_assert_uint_le(cut(b, MIB), 40);
	grow(b, all);
	mem_fill(b, 5 * GIB, 4096, 1);
	ck_assert_uint_le(cut(b, MIB), 60);
	grow(b, all);
	ck_assert(mem_holds(b, 5 * GIB, 4096, 0));
	mem_finish(b);
}
END_TEST

/* the device ended in the midst of it: the next finds the disk as it was */
START_TEST(broken_off)
{
	const uint64_t all = 2 * GIB + 512;
	struct ublkev_backend *b = disk(all, kinds[_i % KINDS], -1);
	unsigned int n = (unsigned int)_i / KINDS;

	mem_fill(b, 0, MIB, 7);
	mem_fill(b, GIB, MIB, 7);
	mem_fill(b, all - MIB, MIB, 7);
	while (n--)
		ck_assert_int_eq(ublkev__guard_resize(b, MIB), UBLKEV_AGAIN);
	mem_unserve(b);
	mem_serve(b);
	ck_assert_uint_eq(b->limits.dev_bytes, all);
	ck_assert(mem_holds(b, 0, MIB, 7));
	mem_fill(b, all - MIB, MIB, 8);
	mem_fill(b, GIB + 512, MIB, 8);
	ck_assert(mem_holds(b, all - MIB, MIB, 8));
	/* and begins anew, for what has been written again */
	cut(b, MIB - 512);
	grow(b, all);
	ck_assert(mem_holds(b, 0, MIB - 512, 7));
	ck_assert(mem_holds(b, GIB, 2 * MIB, 0));
	ck_assert(mem_holds(b, all - MIB, MIB, 0));
	mem_finish(b);
}
END_TEST

/* memory that the application locked is not given back before its end */
START_TEST(locked)
{
	struct ublkev_backend *b = disk(8 * MIB, 0, -1);

	mem_fill(b, 0, 8 * MIB, 7);
	failalloc_madvise(MADV_DONTNEED);
	ck_assert_uint_ge(cut(b, MIB), 28);
	failalloc_madvise(-1);
	grow(b, 8 * MIB);
	ck_assert(mem_holds(b, 0, MIB, 7));
	ck_assert(mem_holds(b, MIB, 7 * MIB, 0));
	mem_finish(b);
}
END_TEST

/* ---- seals -------------------------------------------------------------- */

/* a file that its maker lets nobody shorten is as long, and empty */
START_TEST(sealed_by_its_maker)
{
	struct ublkev_backend *b;
	int fd = memfd_create("test", MFD_ALLOW_SEALING);

	ck_assert_int_eq(ftruncate(fd, 4 * MIB), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	b = disk(4 * MIB, 0, fd);
	mem_fill(b, 0, 4 * MIB, 7);
	cut(b, MIB + 512);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), 4 * MIB);
	ck_assert_int_eq(lseek(fd, 2 * MIB, SEEK_DATA), -1);
	grow(b, 4 * MIB);
	ck_assert(mem_holds(b, 0, MIB + 512, 7));
	ck_assert(mem_holds(b, MIB + 512, 3 * MIB - 512, 0));
	mem_finish(b);
	close(fd);
}
END_TEST

/* who is handed ours can resize it, and keep nobody else from that */
START_TEST(ours_is_not_sealed)
{
	struct ublkev_backend *b = disk(4 * MIB, UBLKEV_DISK_SHARED, -1);
	int fd = dup(ublkev_mem_fd(b));

	ck_assert_int_eq(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	ck_assert_int_eq(errno, EPERM);
	mem_fill(b, 0, 4 * MIB, 7);
	mem_finish(b);
	b = disk(4 * MIB, 0, fd);
	cut(b, MIB);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), MIB);
	grow(b, 8 * MIB);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), 8 * MIB);
	ck_assert(mem_holds(b, 0, MIB, 7));
	ck_assert(mem_holds(b, MIB, 7 * MIB, 0));
	mem_finish(b);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mem_cut");
	TCase *tc = tcase_create("cut");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, in_pieces, 0, KINDS);
	tcase_add_loop_test(tc, sparse, 0, KINDS);
	tcase_add_loop_test(tc, broken_off, 0, 13 * KINDS);
	tcase_add_test(tc, locked);
	tcase_add_test(tc, sealed_by_its_maker);
	tcase_add_test(tc, ours_is_not_sealed);
	suite_add_tcase(s, tc);
	return test_main(s);
}
