/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory disk's memory: what it costs, how it is mapped, who else is given
 * it, and that there may be none.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/guard.h"
#include "failalloc.h"
#include "mem_kit.h"
#include "testlib.h"
#include "uring/iobuf.h"

/* found again in smaps by its size, which nothing else has */
#define ODD_BYTES	(37 * MIB + 12 * KIB)

START_TEST(costs_what_was_written)
{
	const uint64_t bytes = mem_big_disk(), step = bytes / 1024;
	struct ublkev_backend *b = mem_served(bytes);
	size_t before = test_rss_bytes();
	uint64_t i;

	for (i = 0; i < 1024; i++)
		mem_fill(b, i * step + i * 512, 512, 1);
	ck_assert_uint_eq(mem_rss_of(bytes), 1024 * mem_page);
	for (i = 0; i < 1024; i++)
		ck_assert(mem_holds(b, i * step + step / 2, 512, 0));
	ck_assert_uint_eq(mem_rss_of(bytes), 1024 * mem_page);
	/* the process as a whole, whose allocator and tools have their own */
	ck_assert_uint_lt(test_rss_bytes(), before + 1024 * mem_page + 64 * MIB);
	for (i = 0; i < 1024; i++)
		mem_do_op(b, UBLKEV_OP_DISCARD, 0, i * step, MIB);
	ck_assert_uint_eq(mem_rss_of(bytes), 0);
	mem_finish(b);
}
END_TEST

START_TEST(whole_pages_are_mapped_and_unmapped)
{
	struct ublkev_backend *b = mem_served(ODD_BYTES - 512);
	struct mem_mapping m;

	ck_assert(mem_find_mapping(ODD_BYTES, &m));
	mem_finish(b);
	ck_assert(!mem_find_mapping(ODD_BYTES, &m));
}
END_TEST

START_TEST(no_child_has_it)
{
	struct ublkev_backend *b = mem_served(ODD_BYTES);
	struct mem_mapping m;
	int status;
	pid_t pid;

	mem_fill(b, 0, 4096, 1);
	ck_assert(mem_find_mapping(ODD_BYTES, &m));
	ck_assert_msg(strstr(m.flags, " dc"), "VmFlags:%s", m.flags);
	ck_assert_msg(strstr(m.flags, " nr"), "VmFlags:%s", m.flags);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		_exit(mem_find_mapping(ODD_BYTES, &m) ? 1 : 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	ck_assert(mem_holds(b, 0, 4096, 1));
	mem_finish(b);
}
END_TEST

/* also after the mapping was moved, and one of a file */
START_TEST(no_core_dump_has_it)
{
	struct ublkev_backend *b = mem_made(ODD_BYTES, 512,
					_i ? UBLKEV_DISK_SHARED : 0);
	struct mem_mapping m;

	ck_assert(mem_find_mapping(ODD_BYTES, &m));
	ck_assert_msg(strstr(m.flags, " dd"), "VmFlags:%s", m.flags);
	ck_assert_int_eq(b->ops.resize(b->ctx, 3 * ODD_BYTES), 0);
	ck_assert(mem_find_mapping(3 * ODD_BYTES, &m));
	ck_assert_msg(strstr(m.flags, " dd"), "VmFlags:%s", m.flags);
	ublkev_backend_free(b);
}
END_TEST

/* what clients read and write passes through these */
START_TEST(no_core_dump_has_the_buffers)
{
	struct ublkev__iobuf bufs;
	struct mem_mapping m;

	ck_assert_int_eq(ublkev__iobuf_map(&bufs, 1, ODD_BYTES, _i), 0);
	ck_assert(mem_find_mapping(ODD_BYTES, &m));
	ck_assert_msg(strstr(m.flags, " dd"), "VmFlags:%s", m.flags);
	ck_assert_msg(strstr(m.flags, " dc"), "VmFlags:%s", m.flags);
	/* whatever the system's policy, unless there are no huge pages */
	if (!access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK))
		ck_assert_msg(strstr(m.flags, _i ? " hg" : " nh"),
			      "VmFlags:%s", m.flags);
	ublkev__iobuf_unmap(&bufs);
}
END_TEST

START_TEST(huge_pages_when_asked)
{
	struct ublkev_backend *b = mem_served(ODD_BYTES);
	struct mem_mapping m;

	ck_assert(mem_find_mapping(ODD_BYTES, &m));
	ck_assert_msg(!strstr(m.flags, " hg"), "VmFlags:%s", m.flags);
	/* whatever the system's policy, unless there are no huge pages */
	if (!access("/sys/kernel/mm/transparent_hugepage", F_OK))
		ck_assert_msg(strstr(m.flags, " nh"), "VmFlags:%s", m.flags);
	mem_finish(b);
	b = mem_made(ODD_BYTES, 512, UBLKEV_DISK_HUGE_PAGES);
	mem_serve(b);
	ck_assert(mem_find_mapping(ODD_BYTES, &m));
	if (!access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK))
		ck_assert_msg(strstr(m.flags, " hg"), "VmFlags:%s", m.flags);
	mem_zeroes_exactly(b, UBLKEV_OP_DISCARD, 0);
	mem_finish(b);
	/* a kernel that has none */
	failalloc_madvise(MADV_HUGEPAGE);
	b = mem_made(ODD_BYTES, 512, UBLKEV_DISK_HUGE_PAGES);
	failalloc_madvise(-1);
	ublkev_backend_free(b);
}
END_TEST

static int new_of(uint64_t dev_bytes, uint32_t block, uint32_t flags)
{
	struct ublkev_backend *b = NULL;
	struct ublkev_disk_conf conf;
	int err;

	ublkev_disk_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = dev_bytes;
	conf.logical_block_bytes = block;
	conf.flags = flags;
	err = ublkev_mem_new(&b, &conf);
	ck_assert_int_eq(!err, !!b);
	ublkev_backend_free(b);
	return err;
}

START_TEST(sizes)
{
	ck_assert_int_eq(new_of(512, 512, 0), 0);
	ck_assert_int_eq(new_of(0, 512, 0), -EINVAL);
	ck_assert_int_eq(new_of(1000, 512, 0), -EINVAL);
	ck_assert_int_eq(new_of(MIB, 8192, 0), -EINVAL);
	ck_assert_int_eq(new_of(MIB, 512, 1u << 5), -EINVAL);
	ck_assert_int_eq(new_of(UINT64_MAX - 511, 512, 0), -EINVAL);
	/* legal, but there is no such address space */
	ck_assert_int_eq(new_of((UINT64_C(1) << 63) - 512, 512, 0), -ENOMEM);
	ck_assert_int_eq(new_of(UINT64_C(1) << 60, 512, 0), -ENOMEM);
}
END_TEST

START_TEST(no_memory)
{
	struct ublkev_backend *b;
	int err, leaked;

	/* its own, the mapping, the backend */
	ck_assert_uint_ge(failalloc_disk(ublkev_mem_new), 3);
	/* without its promise to children there is no disk */
	b = NULL;
	failalloc_madvise(MADV_DONTFORK);
	failalloc_arm(0);
	err = ublkev_mem_new(&b, NULL);
	failalloc_disarm(&leaked);
	failalloc_madvise(-1);
	ck_assert_int_eq(err, -ENOMEM);
	ck_assert_int_eq(leaked, 0);
	ck_assert_ptr_null(b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mem_pages");
	TCase *tc = tcase_create("memory");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, costs_what_was_written);
	tcase_add_test(tc, whole_pages_are_mapped_and_unmapped);
	tcase_add_test(tc, no_child_has_it);
	tcase_add_loop_test(tc, no_core_dump_has_it, 0, 2);
	tcase_add_loop_test(tc, no_core_dump_has_the_buffers, 0, 2);
	tcase_add_test(tc, huge_pages_when_asked);
	tcase_add_test(tc, sizes);
	tcase_add_test(tc, no_memory);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
