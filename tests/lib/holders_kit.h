/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * holders_kit.h - who holds /dev/ublkb7, in a tree that a test makes
 */
#ifndef UBLKEV_TESTS_HOLDERS_KIT_H
#define UBLKEV_TESTS_HOLDERS_KIT_H

#include <string.h>

#include "common/holders.h"
#include "proctree.h"
#include "testlib.h"

#define ROOTFS "22 1 254:0 / / rw - ext4 /dev/vda rw\n"
/* the process for which it is looked */
#define SELF 5

/* where the tree is, and the last scan */
extern const char *hk_root;
extern struct holders *hk_holders;

/* a checked fixture: ublkb7 with a partition, and process 1 */
void hk_set_up(void);
void hk_tear_down(void);

/* looks from the beginning to the end, in steps of `budget` */
void hk_scan(unsigned int budget);

/* how many were found of that kind, pid and text */
unsigned int hk_count(enum holder_kind kind, int pid, const char *what);

/*
 * Whether a holder's text has that in it; in here, for the programs' archive comes
 * before that of the kits.
 */
static inline int hk_says(const char *what)
{
	char line[1024];
	unsigned int i;
	int found = 0;

	for (i = 0; i < holders_count(hk_holders); i++) {
		holder_text(line, sizeof(line), holders_at(hk_holders, i));
		found |= strstr(line, what) != NULL;
	}
	return found;
}

#endif
