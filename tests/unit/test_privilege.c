/* SPDX-License-Identifier: BSD-2-Clause */
/* CAP_SYS_ADMIN is out of effect for one thread, and comes back. */
#include <linux/capability.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testlib.h"
#include "uring/privilege.h"

#define SYS_ADMIN (UINT64_C(1) << CAP_SYS_ADMIN)

struct sets {
	uint64_t permitted, effective, inheritable;
};

/* of a thread, as /proc tells */
static struct sets sets_of(long tid)
{
	struct sets s = { 0, 0, 0 };
	unsigned long long v;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%ld/status", tid);
	f = fopen(path, "r");
	if (!f)
		return s;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "CapPrm: %llx", &v) == 1)
			s.permitted = v;
		else if (sscanf(line, "CapEff: %llx", &v) == 1)
			s.effective = v;
		else if (sscanf(line, "CapInh: %llx", &v) == 1)
			s.inheritable = v;
	}
	fclose(f);
	return s;
}

static struct sets own(void)
{
	return sets_of(syscall(SYS_gettid));
}

static bool same(const struct sets *a, const struct sets *b)
{
	return a->permitted == b->permitted &&
	       a->effective == b->effective &&
	       a->inheritable == b->inheritable;
}

static bool can(uint64_t cap)
{
	return own().effective & cap;
}

/* ---- with it ------------------------------------------------------------- */

START_TEST(out_of_effect)
{
	struct sets before = own(), between, after;
	struct ublkev__privilege was;

	if (!can(SYS_ADMIN)) {
		printf("test_privilege: no CAP_SYS_ADMIN to drop: not tested\n");
		return;
	}
	ublkev__privilege_drop(&was);
	between = own();
	ublkev__privilege_restore(&was);
	after = own();
	ck_assert_uint_eq(between.effective, before.effective & ~SYS_ADMIN);
	ck_assert_uint_eq(between.permitted, before.permitted);
	ck_assert_uint_eq(between.inheritable, before.inheritable);
	ck_assert(same(&after, &before));
	/* nothing is given that was not taken */
	ublkev__privilege_restore(&was);
	after = own();
	ck_assert(same(&after, &before));
}
END_TEST

/* who had it not in effect is not given it */
START_TEST(already_out_of_effect)
{
	struct ublkev__privilege first, second;

	if (!can(SYS_ADMIN))
		return;
	ublkev__privilege_drop(&first);
	ublkev__privilege_drop(&second);
	ublkev__privilege_restore(&second);
	ck_assert(!can(SYS_ADMIN));
	ublkev__privilege_restore(&first);
	ck_assert(can(SYS_ADMIN));
}
END_TEST

/* ---- other threads -------------------------------------------------------- */

struct other {
	sem_t dropped, go_on;
	struct sets sets;
	long tid;
};

static void *wait_there(void *arg)
{
	struct other *o = arg;

	o->tid = syscall(SYS_gettid);
	sem_post(&o->dropped);
	sem_wait(&o->go_on);
	o->sets = own();
	return NULL;
}

START_TEST(only_this_thread)
{
	struct sets before = own(), seen;
	struct ublkev__privilege was;
	pthread_t thread;
	struct other o;

	sem_init(&o.dropped, 0, 0);
	sem_init(&o.go_on, 0, 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, wait_there, &o), 0);
	sem_wait(&o.dropped);
	ublkev__privilege_drop(&was);
	seen = sets_of(o.tid);
	sem_post(&o.go_on);
	pthread_join(thread, NULL);
	ublkev__privilege_restore(&was);
	ck_assert(same(&seen, &before));
	ck_assert(same(&o.sets, &before));
	sem_destroy(&o.dropped);
	sem_destroy(&o.go_on);
}
END_TEST

/* ---- without it ------------------------------------------------------------ */

/* in a child: an exit status */
static int as_user(void)
{
	struct sets before, between, after;
	struct ublkev__privilege was;

	if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
		return 2;
	before = own();
	ublkev__privilege_drop(&was);
	between = own();
	ublkev__privilege_restore(&was);
	after = own();
	return !was.changed && same(&between, &before) &&
	       same(&after, &before) ? 0 : 1;
}

START_TEST(ordinary_user)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (!pid)
		_exit(as_user());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("privilege");
	TCase *tc = tcase_create("privilege");

	tcase_add_test(tc, out_of_effect);
	tcase_add_test(tc, already_out_of_effect);
	tcase_add_test(tc, only_this_thread);
	tcase_add_test(tc, ordinary_user);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
