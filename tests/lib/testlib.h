/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * testlib.h - small things that the tests share
 */
#ifndef UBLKEV_TESTS_TESTLIB_H
#define UBLKEV_TESTS_TESTLIB_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TEST_COUNT(array)	(sizeof(array) / sizeof((array)[0]))

/*
 * ck_assert() for what is looked at thousands of times: libcheck makes a system
 * call of each that holds.
 */
#define TEST_HOLDS(condition) do { \
		if (!(condition)) \
			ck_abort_msg("%s:%d: not so: %s", __FILE__, __LINE__, \
				     #condition); \
	} while (0)

/* runs the suite as CK_* in the environment say; main()'s answer */
int test_main(Suite *suite);

/*
 * A number for test_rng_init(), printed so that a failure can be had again:
 * that of the environment's UBLKEV_SEED, or a new one.
 */
uint64_t test_seed(const char *who);

/* splitmix64 */
struct test_rng {
	uint64_t state;
};

void test_rng_init(struct test_rng *rng, uint64_t seed);
uint64_t test_rng_next(struct test_rng *rng);
/* 0 .. n - 1 */
uint64_t test_rng_below(struct test_rng *rng, uint64_t n);
void test_rng_fill(struct test_rng *rng, void *buf, size_t bytes);

/*
 * Cuts a command line at blanks into argv, with the program's name before it,
 * and answers argc; "''" is an empty argument. The words last until the next
 * call.
 */
#define TEST_ARGS	24
int test_args(char *argv[TEST_ARGS + 1], const char *program, const char *line);

/* its own library is loaded before all others, and the environment says so */
bool test_under_valgrind(void);

/* resident memory of this process, to a few hundred KiB */
size_t test_rss_bytes(void);

/* open descriptors of the process; of this one, also the one that counts */
unsigned int test_fds(pid_t pid);

/*
 * Whether something is mapped at p, and the kernel has marked it with that flag
 * of smaps' VmFlags: "dc" is what madvise(MADV_DONTFORK) sets.
 */
bool test_vm_flag(const void *p, const char *flag);

/*
 * Whether fn(arg), run in a forked child, ends in abort(3) with `text` among
 * what it wrote to stderr.
 */
bool test_aborts(void (*fn)(void *arg), void *arg, const char *text);

/* a ublkev_log_fn whose log_data is one of these: counts, keeps the last */
struct test_log {
	unsigned int lines;
	unsigned int errors;		/* LOG_ERR, or worse */
	int priority;
	char line[512];
};

void test_log_fn(void *log_data, int priority, const char *line);

#endif
