/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evnode.h - a queue's thread near its CPUs, and its memory on their NUMA node
 *
 * What a queue's thread touches first is on its CPUs' node (mempolicy's default,
 * "local"). What was made before its CPUs were known is brought there by this.
 */
#ifndef UBLKEV_EV_EVNODE_H
#define UBLKEV_EV_EVNODE_H

#include <stdbool.h>
#include <stddef.h>

#include <ublkev/cmd.h>

/*
 * Binds the calling thread to those of these CPUs that it may use. -ENODEV: there
 * are none; else the errors of sched_setaffinity(2), and -ENOMEM.
 */
int ublkev__node_pin(const struct ublkev_cpus *cpus);

/* Whether there is more than one node that this process may have memory of. */
bool ublkev__node_is_one_of_many(void);

/*
 * The pages in which these bytes are, to the node on which the calling thread
 * runs. Whoever else has something in them finds it as it was. What the kernel
 * can't move stays.
 */
void ublkev__node_bring(const void *p, size_t bytes);

#endif
