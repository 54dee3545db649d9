/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a suite, seeds and draws random numbers, and reads from /proc what a
 * test wants to know of its own process.
 */
#include "testlib.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

int test_main(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

uint64_t test_seed(const char *who)
{
	const char *given = getenv("UBLKEV_SEED");
	struct timespec now;
	uint64_t seed;

	if (given) {
		seed = strtoull(given, NULL, 0);
	} else {
		clock_gettime(CLOCK_REALTIME, &now);
		seed = (uint64_t)now.tv_sec * 1000000007u ^
			(uint64_t)now.tv_nsec << 20 ^ (uint64_t)getpid();
	}
	printf("%s: UBLKEV_SEED=%#llx\n", who, (unsigned long long)seed);
	fflush(stdout);
	return seed;
}

void test_rng_init(struct test_rng *rng, uint64_t seed)
{
	rng->state = seed;
}

uint64_t test_rng_next(struct test_rng *rng)
{
	uint64_t z = rng->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t test_rng_below(struct test_rng *rng, uint64_t n)
{
	return test_rng_next(rng) % n;
}

void test_rng_fill(struct test_rng *rng, void *buf, size_t bytes)
{
	uint64_t word;
	size_t n;

	for (; bytes; bytes -= n) {
		word = test_rng_next(rng);
		n = bytes < sizeof(word) ? bytes : sizeof(word);
		memcpy(buf, &word, n);
		buf = (char *)buf + n;
	}
}

bool test_under_valgrind(void)
{
	const char *libraries = getenv("LD_PRELOAD");

	return libraries && strstr(libraries, "vgpreload");
}

size_t test_rss_bytes(void)
{
	unsigned long size, resident;
	FILE *f = fopen("/proc/self/statm", "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%lu %lu", &size, &resident), 2);
	fclose(f);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

__attribute__((noreturn))
static void run_and_exit(void (*fn)(void *arg), void *arg, int err_fd)
{
	const struct rlimit no_core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &no_core);
	signal(SIGABRT, SIG_DFL);
	dup2(err_fd, STDERR_FILENO);
	fn(arg);
	_exit(0);
}

int test_args(char *argv[TEST_ARGS + 1], const char *program, const char *line)
{
	static char copy[512];
	char *save = NULL, *a;
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s %s", program, line);
	for (a = strtok_r(copy, " ", &save); a && argc < TEST_ARGS;
	     a = strtok_r(NULL, " ", &save))
		argv[argc++] = strcmp(a, "''") ? a : a + 2;
	argv[argc] = NULL;
	return argc;
}

unsigned int test_fds(pid_t pid)
{
	struct dirent *e;
	unsigned int n = 0;
	char path[64];
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

bool test_vm_flag(const void *p, const char *flag)
{
	unsigned long start, end, at = (unsigned long)(uintptr_t)p;
	FILE *f = fopen("/proc/self/smaps", "r");
	bool here = false, found = false;
	char line[512], word[8];

	snprintf(word, sizeof(word), " %s ", flag);
	ck_assert_ptr_nonnull(f);
	while (!found && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start <= at && at < end;
		else if (here && !strncmp(line, "VmFlags:", 8))
			found = true;
	}
	fclose(f);
	return found && strstr(line, word);
}

bool test_aborts(void (*fn)(void *arg), void *arg, const char *text)
{
	char said[4096];
	size_t have = 0;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		run_and_exit(fn, arg, fds[1]);
	close(fds[1]);
	do {
		n = read(fds[0], said + have, sizeof(said) - 1 - have);
		have += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	said[have] = '\0';
	close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
		strstr(said, text);
}

void test_log_fn(void *log_data, int priority, const char *line)
{
	struct test_log *log = log_data;

	log->lines++;
	log->errors += priority <= LOG_ERR;
	log->priority = priority;
	snprintf(log->line, sizeof(log->line), "%s", line);
}
