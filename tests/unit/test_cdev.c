/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The descriptors mapped from ublkc, with a memfd in its place: open() is ours
 * (ld --wrap).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "testlib.h"
#include "uring/abi.h"
#include "uring/cdev.h"

#define QUEUES	3u
#define DEPTH	5u

static int file_fd;			/* -1: open() fails */
static int open_err = EBUSY;		/* with that */
static int open_flags;
static char open_path[64];

int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
	snprintf(open_path, sizeof(open_path), "%s", path);
	open_flags = flags;
	if (file_fd < 0) {
		errno = open_err;
		return -1;
	}
	return fcntl(file_fd, F_DUPFD_CLOEXEC, 0);
}

int __wrap_open64(const char *path, int flags, ...)
{
	return __wrap_open(path, flags);
}

static size_t page(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* each queue's descriptors begin with its number */
static void make_file(unsigned int queues, unsigned int desc_bytes)
{
	uint32_t q;

	file_fd = memfd_create("ublkc", MFD_CLOEXEC);
	ck_assert_int_ge(file_fd, 0);
	for (q = 0; q < queues; q++)
		ck_assert_int_eq(pwrite(file_fd, &q, sizeof(q), (off_t)
					ublkev__abi_desc_offset(q, desc_bytes, page())),
				 sizeof(q));
}

/* as the driver has them, and with IO_DESC_SIZE */
static const unsigned int sizes[] = { 24, 32, 64, 256 };

START_TEST(mapped)
{
	const struct ublkev__desc *descs[QUEUES];
	struct ublkev__cdev c;
	uint32_t q;

	make_file(QUEUES, sizes[_i]);
	ublkev__cdev_init(&c, descs);
	ck_assert_uint_eq(c.desc_bytes, 24);
	c.desc_bytes = sizes[_i];
	ck_assert_int_eq(ublkev__cdev_open(&c, 1048575, QUEUES, DEPTH), 0);
	ck_assert_str_eq(open_path, "/dev/ublkc1048575");
	ck_assert_int_eq(open_flags & (O_ACCMODE | O_CLOEXEC | O_NONBLOCK),
			 O_RDWR | O_CLOEXEC | O_NONBLOCK);
	for (q = 0; q < QUEUES; q++) {
		ck_assert_mem_eq(descs[q], &q, sizeof(q));
		/* a forked child's copy would hold the device */
		ck_assert(test_vm_flag(descs[q], "dc"));
	}
	ublkev__cdev_close(&c);
	for (q = 0; q < QUEUES; q++)
		ck_assert(!test_vm_flag(descs[q], "dc"));
	ck_assert_int_eq(c.fd, -1);
	ublkev__cdev_close(&c);
	close(file_fd);
}
END_TEST

START_TEST(not_opened)
{
	struct ublkev__cdev c;

	file_fd = -1;
	ublkev__cdev_init(&c, NULL);
	ck_assert_int_eq(ublkev__cdev_open(&c, 7, 1, DEPTH), -EBUSY);
	ck_assert_int_eq(c.fd, -1);
}
END_TEST

START_TEST(held)
{
	int next;

	file_fd = -1;
	ck_assert(ublkev__cdev_held(12));
	ck_assert_str_eq(open_path, "/dev/ublkc12");
	open_err = ENOENT;
	ck_assert(!ublkev__cdev_held(12));
	open_err = EBUSY;
	make_file(1, 24);
	next = dup(file_fd);
	close(next);
	ck_assert(!ublkev__cdev_held(12));
	/* the look leaves nothing open */
	ck_assert_int_eq(dup(file_fd), next);
	close(next);
	close(file_fd);
}
END_TEST

/* of what can't be mapped nothing stays open */
START_TEST(not_mapped)
{
	const struct ublkev__desc *descs[QUEUES];
	struct ublkev__cdev c;

	file_fd = eventfd(0, EFD_CLOEXEC);
	ublkev__cdev_init(&c, descs);
	ck_assert_int_eq(ublkev__cdev_open(&c, 7, QUEUES, DEPTH), -ENODEV);
	ck_assert_int_eq(c.fd, -1);
	ck_assert_uint_eq(c.queues, 0);
	close(file_fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cdev");
	TCase *tc = tcase_create("cdev");

	tcase_add_loop_test(tc, mapped, 0, TEST_COUNT(sizes));
	tcase_add_test(tc, not_opened);
	tcase_add_test(tc, not_mapped);
	tcase_add_test(tc, held);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
