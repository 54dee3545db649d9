/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread near its CPUs, and its memory near it. (On which node pages are is for a
 * machine that has two: vm/cases/numa.sh.)
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ev/evnode.h"
#include "testlib.h"

static void cpus_of_set(const cpu_set_t *set, struct ublkev_cpus *cpus)
{
	unsigned int i;

	memset(cpus, 0, sizeof(*cpus));
	for (i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, set))
			cpus->bits[i / 64] |= 1ull << i % 64;
}

START_TEST(pinned)
{
	struct ublkev_cpus cpus;
	cpu_set_t was, one, now;
	int cpu;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(was), &was), 0);
	for (cpu = 0; !CPU_ISSET(cpu, &was); cpu++)
		;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	cpus_of_set(&one, &cpus);
	/* one that it may not use, or that there is not, is left out */
	cpus.bits[UBLKEV_MAX_CPUS / 64 - 1] |= 1ull << 63;
	ck_assert_int_eq(ublkev__node_pin(&cpus), 0);
	ck_assert_int_eq(sched_getaffinity(0, sizeof(now), &now), 0);
	ck_assert(CPU_EQUAL(&now, &one));
	/* none that it may use: it stays where it is */
	memset(&cpus, 0, sizeof(cpus));
	ck_assert_int_eq(ublkev__node_pin(&cpus), -ENODEV);
	ck_assert_int_eq(sched_getaffinity(0, sizeof(now), &now), 0);
	ck_assert(CPU_EQUAL(&now, &one));
}
END_TEST

/* as many nodes as the kernel tells in /sys, if it has any memory there */
START_TEST(nodes)
{
	bool many = !access("/sys/devices/system/node/node1", F_OK);

	/* a cpuset may leave one of several, never several of one */
	ck_assert(many || !ublkev__node_is_one_of_many());
}
END_TEST

/* more pages than are moved at a time; what is beside them stays, too */
START_TEST(brought)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), i, bytes = 150 * page;
	unsigned char *p = malloc(bytes);

	ck_assert_ptr_nonnull(p);
	for (i = 0; i < bytes; i++)
		p[i] = (unsigned char)(i * 7 + i / page);
	ublkev__node_bring(p + 100, bytes - 200);
	ublkev__node_bring(p + page / 2, 1);
	ublkev__node_bring(p, 0);
	for (i = 0; i < bytes; i++)
		ck_assert_uint_eq(p[i], (unsigned char)(i * 7 + i / page));
	free(p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("node");
	TCase *tc = tcase_create("node");

	tcase_add_test(tc, pinned);
	tcase_add_test(tc, nodes);
	tcase_add_test(tc, brought);
	suite_add_tcase(s, tc);
	return test_main(s);
}
