/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * failalloc.h - memory that runs out when a test says so
 *
 * For programs linked with $(failalloc_ldflags), which put the functions of
 * failalloc.c in front of the C library's. Between arm and disarm only.
 *
 *	for (n = 1; ; n++) {
 *		failalloc_arm(n);
 *		err = thing_new(&thing);
 *		if (!err)
 *			thing_free(thing);
 *		failed = failalloc_disarm(&leaked);
 *		(leaked is 0)
 *		if (!failed)
 *			break;		(err is 0; before, -ENOMEM)
 *	}
 */
#ifndef UBLKEV_TESTS_FAILALLOC_H
#define UBLKEV_TESTS_FAILALLOC_H

#include <stdbool.h>

#include <ublkev/backend.h>

/* malloc, calloc, realloc or mmap number n from here fails; 0: none does */
void failalloc_arm(unsigned int n);

/*
 * Whether one failed since. *leaked: how many more allocations and mappings
 * were made than given back.
 */
bool failalloc_disarm(int *leaked);

/* madvise(2) with this advice is -EINVAL from now on; -1: with none */
void failalloc_madvise(int advice);

/*
 * Makes and frees a disk with each allocation failing in turn: -ENOMEM,
 * nothing leaked; then with none. How many allocations there were.
 */
unsigned int failalloc_disk(int (*disk_new)(struct ublkev_backend **backendp,
					    const struct ublkev_disk_conf *));

#endif
