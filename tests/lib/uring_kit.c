/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tells a host without io_uring from one with it.
 */
#include "uring_kit.h"

#include <liburing.h>
#include <stdio.h>
#include <string.h>

#include "testlib.h"

int test_uring_main(Suite *suite)
{
	struct io_uring u;
	int err = io_uring_queue_init(1, &u, 0);

	if (!err) {
		io_uring_queue_exit(&u);
		return test_main(suite);
	}
	printf("no io_uring here: %s\n", strerror(-err));
	srunner_free(srunner_create(suite));
	return 77;
}
