/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Of nodes it asks the kernel by its system calls: libnuma has much more than these
 * two.
 */
#include "ev/evnode.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/mempolicy.h>

/* CONFIG_NODES_SHIFT is 10 at the most */
#define MOST_NODES	1024u
#define WORD_BITS	(8 * sizeof(unsigned long))

/* moved at a time */
#define PAGES_AT_A_TIME	64u

static int node_choose(const struct ublkev_cpus *cpus, cpu_set_t *set,
		       size_t bytes)
{
	unsigned int i;

	if (sched_getaffinity(0, bytes, set))
		return -errno;
	for (i = 0; i < UBLKEV_MAX_CPUS; i++)
		if (!(cpus->bits[i / 64] >> i % 64 & 1))
			CPU_CLR_S(i, bytes, set);
	return CPU_COUNT_S(bytes, set) ? 0 : -ENODEV;
}

int ublkev__node_pin(const struct ublkev_cpus *cpus)
{
	cpu_set_t *set = CPU_ALLOC(UBLKEV_MAX_CPUS);
	size_t bytes = CPU_ALLOC_SIZE(UBLKEV_MAX_CPUS);
	int err = set ? node_choose(cpus, set, bytes) : -ENOMEM;

	if (!err && sched_setaffinity(0, bytes, set))
		err = -errno;
	if (set)
		CPU_FREE(set);
	return err;
}

bool ublkev__node_is_one_of_many(void)
{
	unsigned long nodes[MOST_NODES / WORD_BITS];
	unsigned int i, nr = 0;

	memset(nodes, 0, sizeof(nodes));
	if (syscall(SYS_get_mempolicy, NULL, nodes, MOST_NODES, NULL,
		    MPOL_F_MEMS_ALLOWED))
		return false;	/* ENOSYS: a kernel without NUMA */
	for (i = 0; i < MOST_NODES / WORD_BITS; i++)
		nr += (unsigned int)__builtin_popcountl(nodes[i]);
	return nr > 1;
}

static void node_move(void **pages, unsigned int nr, unsigned int node)
{
	int nodes[PAGES_AT_A_TIME], status[PAGES_AT_A_TIME];
	unsigned int i;

	for (i = 0; i < nr; i++)
		nodes[i] = (int)node;
	(void)syscall(SYS_move_pages, 0, (unsigned long)nr, pages, nodes,
		      status, MPOL_MF_MOVE);
}

void ublkev__node_bring(const void *p, size_t bytes)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t at = (uintptr_t)p & ~(page - 1);
	uintptr_t end = (uintptr_t)p + bytes;
	void *pages[PAGES_AT_A_TIME];
	unsigned int nr, node;

	if (syscall(SYS_getcpu, NULL, &node, NULL))
		return;
	while (at < end) {
		for (nr = 0; nr < PAGES_AT_A_TIME && at < end; nr++) {
			pages[nr] = (void *)at;
			at += page;
		}
		node_move(pages, nr, node);
	}
}
