/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What another thread sees of a queue at any time: ublkev_dev_inflight() lists
 * the requests that the backend has while the queue's own thread goes on, and
 * knows a request by its cookie. Here the queue's owner is a child that is
 * traced step by step, an instruction each, and its tag is in shared memory:
 * whenever that is BACKEND, cookie, place and length are one request's. (The
 * order of stores between CPUs is not shown by that, only the program's.)
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/queue.h"
#include "testlib.h"

#define REQS		6u
#define GENERATION	40u
#define NOT_PERMITTED	77

struct shared {
	struct ublkev__queue q;
	struct ublkev__tag tag;
	struct ublkev_stats stats;
	char buf[8192], spare;
};

static struct shared *s;

/* ---- the owner -------------------------------------------------------------- */

/* request n is at sector 100 n, of n + 1 sectors */
static void came(unsigned int n)
{
	const struct ublkev__desc desc = {
		.op_flags = n % 2 ? 3 : 0,	/* DISCARD, READ */
		.nr_sectors = n + 1,
		.start_sector = n * UINT64_C(100),
	};

	if (ublkev__queue_cqe(&s->q, 0, 0, &desc))
		abort();
}

static void pull(enum ublkev__queue_act act)
{
	struct ublkev__tag *t;

	if (ublkev__queue_next_in(&s->q, &t) != act)
		abort();
}

static void serve(unsigned int n)
{
	struct ublkev__tag *t;

	came(n);
	pull(UBLKEV__QUEUE_SUBMIT);
	if (n % 3 == 1) {
		ublkev__queue_again(&s->q, &s->tag);
		pull(UBLKEV__QUEUE_GO_ON);
	}
	if (n % 3 == 2)
		ublkev__queue_refused(&s->q, &s->tag, -EIO);
	else
		ublkev__queue_done(&s->q, s->tag.req.cookie, 0);
	ublkev__queue_next_out(&s->q, &t);
}

static void own(void)
{
	struct ublkev__tag *t;
	unsigned int n;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(NOT_PERMITTED);
	ublkev__queue_init(&s->q, 0, 1, GENERATION, &s->tag, NULL, &s->stats);
	ublkev__queue_set_bufs(&s->q, s->buf, &s->spare, sizeof(s->buf));
	ublkev__queue_arm(&s->q);
	ublkev__queue_next_out(&s->q, &t);
	raise(SIGSTOP);
	for (n = 0; n < REQS; n++)
		serve(n);
	_exit(0);
}

/* ---- the other -------------------------------------------------------------- */

/* the request that the backend has, if it has one */
static void look(unsigned int *seen)
{
	const struct ublkev_req *req = &s->tag.req;
	unsigned int n;

	if (s->tag.state != UBLKEV__TAG_BACKEND)
		return;
	n = (unsigned int)(req->cookie >> 32) - GENERATION - 1;
	ck_assert_msg(n < REQS, "BACKEND with a cookie of no request: %#llx",
		      (unsigned long long)req->cookie);
	ck_assert_msg(req->offset_bytes == n * UINT64_C(100) * 512 &&
		      req->len_bytes == (n + 1) * UINT64_C(512),
		      "BACKEND with the cookie of request %u and the place %llu, length %llu of another",
		      n, (unsigned long long)req->offset_bytes,
		      (unsigned long long)req->len_bytes);
	seen[n]++;
}

/* false: it has ended */
static bool step(pid_t pid, int *status)
{
	if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL))
		return false;
	ck_assert_int_eq(waitpid(pid, status, 0), pid);
	return !WIFEXITED(*status) && !WIFSIGNALED(*status);
}

START_TEST(one_request_at_any_time)
{
	unsigned int i, seen[REQS] = { 0 };
	unsigned long steps = 0;
	int status;
	pid_t pid;

	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(s != MAP_FAILED);
	pid = fork();
	if (!pid)
		own();
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_PERMITTED) {
		printf("queue_seen: tracing is not permitted here\n");
		return;
	}
	ck_assert(WIFSTOPPED(status));
	for (; step(pid, &status); steps++)
		look(seen);
	ck_assert_msg(WIFEXITED(status) && !WEXITSTATUS(status),
		      "status %#x after %lu steps", (unsigned int)status,
		      steps);
	/* and it was looked at while each of them was there */
	for (i = 0; i < REQS; i++)
		ck_assert_uint_gt(seen[i], 0);
	munmap(s, sizeof(*s));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue_seen");
	TCase *tc = tcase_create("queue_seen");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, one_request_at_any_time);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
