/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes the tree, and looks who holds the disk there. */
#include "holders_kit.h"

#include <string.h>

const char *hk_root;
struct holders *hk_holders;

void hk_set_up(void)
{
	hk_root = proctree_new();
	proctree_ublkb7(hk_root);
	proctree_pid(hk_root, 1, "init", 100, ROOTFS);
}

void hk_tear_down(void)
{
	holders_free(hk_holders);
	hk_holders = NULL;
	proctree_remove(hk_root);
}

void hk_scan(unsigned int budget)
{
	int ret;

	holders_free(hk_holders);
	ck_assert_int_eq(holders_new(&hk_holders, hk_root, 7, SELF), 0);
	while ((ret = holders_step(hk_holders, budget)) == 1)
		;
	ck_assert_int_eq(ret, 0);
}

unsigned int hk_count(enum holder_kind kind, int pid, const char *what)
{
	const struct holder *v;
	unsigned int i, n = 0;

	for (i = 0; i < holders_count(hk_holders); i++) {
		v = holders_at(hk_holders, i);
		n += v->kind == kind && v->pid == pid && !strcmp(v->what, what);
	}
	return n;
}
