/* SPDX-License-Identifier: BSD-2-Clause */
/* a file of its own, for programs that are linked without backends */
#include <check.h>
#include <errno.h>
#include <stddef.h>

#include "failalloc.h"

unsigned int failalloc_disk(int (*disk_new)(struct ublkev_backend **backendp,
					    const struct ublkev_disk_conf *))
{
	struct ublkev_backend *b;
	unsigned int n = 0;
	bool failed;
	int err, leaked;

	do {
		b = NULL;
		failalloc_arm(++n);
		err = disk_new(&b, NULL);
		ublkev_backend_free(b);
		failed = failalloc_disarm(&leaked);
		ck_assert_int_eq(err, failed ? -ENOMEM : 0);
		ck_assert_int_eq(leaked, 0);
		ck_assert_int_eq(!b, failed);
	} while (failed);
	return n - 1;
}
