/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A dead server's ublkc is waited for: open() is ours, and so is nanosleep()
 * (ld --wrap).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "common/settle.h"
#include "testlib.h"

static unsigned int held_looks;		/* so many opens are refused */
static int then_err;			/* what the next ones meet; 0: nothing */
static unsigned int looks;
static long slept_ms;
static int given_fd;
static char open_path[64];

int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_nanosleep(const struct timespec *t, struct timespec *left);

int __wrap_open(const char *path, int flags, ...)
{
	snprintf(open_path, sizeof(open_path), "%s", path);
	ck_assert_int_eq(flags & (O_ACCMODE | O_CLOEXEC),
			 O_RDWR | O_CLOEXEC);
	errno = looks++ < held_looks ? EBUSY : then_err;
	if (errno)
		return -1;
	given_fd = dup(STDIN_FILENO);
	return given_fd;
}

int __wrap_open64(const char *path, int flags, ...)
{
	return __wrap_open(path, flags);
}

int __wrap_nanosleep(const struct timespec *t, struct timespec *left)
{
	(void)left;
	slept_ms += t->tv_sec * 1000 + t->tv_nsec / 1000000;
	return 0;
}

static void look(unsigned int held, int err)
{
	held_looks = held;
	then_err = err;
	looks = 0;
	slept_ms = 0;
	given_fd = -1;
	settle_wait("/root", 17);
}

START_TEST(free_at_once)
{
	look(0, 0);
	ck_assert_str_eq(open_path, "/root/dev/ublkc17");
	ck_assert_uint_eq(looks, 1);
	ck_assert_int_eq(slept_ms, 0);
	/* it is a look: the next server is to open it */
	ck_assert_int_eq(fcntl(given_fd, F_GETFD), -1);
}
END_TEST

START_TEST(until_it_is_free)
{
	look(7, 0);
	ck_assert_uint_eq(looks, 8);
	ck_assert_int_eq(slept_ms, 70);
	ck_assert_int_eq(fcntl(given_fd, F_GETFD), -1);
}
END_TEST

START_TEST(not_for_ever)
{
	look(1000000, 0);
	ck_assert_int_eq(slept_ms, 1000);
}
END_TEST

/* the node is gone, or not for us: nothing that waiting would change */
START_TEST(no_business_of_ours)
{
	static const int errs[] = { ENOENT, ENODEV, EACCES, EMFILE };
	size_t i;

	for (i = 0; i < TEST_COUNT(errs); i++) {
		look(0, errs[i]);
		ck_assert_uint_eq(looks, 1);
		ck_assert_int_eq(slept_ms, 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("settle");
	TCase *tc = tcase_create("settle");

	tcase_add_test(tc, free_at_once);
	tcase_add_test(tc, until_it_is_free);
	tcase_add_test(tc, not_for_ever);
	tcase_add_test(tc, no_business_of_ours);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
