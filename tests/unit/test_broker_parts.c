/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the broker and its channels are made of, without a process: its memory,
 * one message, one opening of the driver's door. open() is ours (ld --wrap).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "testlib.h"
#include "uring/carrier_broker.h"
#include "uring/chan.h"
#include "uring/spawn.h"

static int open_err;

int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
	(void)path;
	(void)flags;
	errno = open_err;
	return open_err ? -1 : dup(0);
}

int __wrap_open64(const char *path, int flags, ...)
{
	return __wrap_open(path, flags);
}

/* the broker may have rights that this process has given up */
START_TEST(door)
{
	static const struct {
		int err, ret;
	} v[] = {
		{ 0, 0 }, { EACCES, 0 }, { EPERM, 0 }, { ENOENT, -ENOENT },
		{ ENODEV, -ENODEV }, { EMFILE, -EMFILE },
	};
	unsigned int i, fds = test_fds(getpid());

	for (i = 0; i < TEST_COUNT(v); i++) {
		open_err = v[i].err;
		ck_assert_int_eq(ublkev__cbroker_open(NULL), v[i].ret);
	}
	ck_assert_uint_eq(test_fds(getpid()), fds);
}
END_TEST

static size_t page(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static void *page_of(const void *p)
{
	return (void *)((uintptr_t)p & ~(uintptr_t)(page() - 1));
}

static bool is_mapped(const void *p)
{
	unsigned char v;

	return !mincore(page_of(p), 1, &v) || errno != ENOMEM;
}

static char *grown(char *p, size_t bytes)
{
	p = ublkev__spawn_alloc(NULL, p, bytes);
	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq((uintptr_t)p % _Alignof(max_align_t), 0);
	return p;
}

/* it grows where something else lies behind it, and is given back */
START_TEST(memory)
{
	size_t few = 100, many = 4 * page();
	char *p = grown(NULL, few), *q, *behind;
	size_t i;

	memset(p, 7, few);
	/* whatever is there already does as well */
	behind = mmap((char *)page_of(p) + page(), page(), PROT_READ,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	q = grown(p, many);
	for (i = 0; i < few; i++)
		ck_assert_int_eq(q[i], 7);
	memset(q, 8, many);
	ck_assert_ptr_null(ublkev__spawn_alloc(NULL, q, SIZE_MAX / 4));
	ck_assert_int_eq(q[many - 1], 8);
	ck_assert_ptr_null(ublkev__spawn_alloc(NULL, q, 0));
	ck_assert(!is_mapped(q));
	ck_assert(!is_mapped(q + many - page()));
	ck_assert_ptr_null(ublkev__spawn_alloc(NULL, NULL, 0));
	if (behind != MAP_FAILED)
		munmap(behind, page());
}
END_TEST

/* the other side is this program, or it is not served */
START_TEST(messages)
{
	struct ublkev__carrier_done done, longer[2];
	int fds[2];

	ck_assert_int_eq(ublkev__chan_pair(fds), 0);
	ck_assert_int_eq(ublkev__chan_recv(fds[0], &done, sizeof(done)), 0);
	ck_assert(!ublkev__chan_has_work(fds[0]));
	memset(longer, 1, sizeof(longer));
	ck_assert_int_eq(ublkev__chan_send(fds[1], longer, sizeof(done)), 0);
	ck_assert(ublkev__chan_has_work(fds[0]));
	ck_assert_int_eq(ublkev__chan_recv(fds[0], &done, sizeof(done)), 1);
	ck_assert_mem_eq(&done, longer, sizeof(done));
	ck_assert_int_eq(ublkev__chan_send(fds[1], longer, 3), 0);
	ck_assert_int_eq(ublkev__chan_recv(fds[0], &done, sizeof(done)),
			 -EPIPE);
	ck_assert_int_eq(ublkev__chan_send(fds[1], longer, sizeof(longer)), 0);
	ck_assert_int_eq(ublkev__chan_recv(fds[0], &done, sizeof(done)),
			 -EPIPE);
	close(fds[1]);
	ck_assert_int_eq(ublkev__chan_recv(fds[0], &done, sizeof(done)),
			 -EPIPE);
	ck_assert(ublkev__chan_has_work(fds[0]));
	close(fds[0]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("broker_parts");
	TCase *t = tcase_create("broker_parts");

	suite_add_tcase(s, t);
	tcase_add_test(t, door);
	tcase_add_test(t, memory);
	tcase_add_test(t, messages);
	return test_main(s);
}
