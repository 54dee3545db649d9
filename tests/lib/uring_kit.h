/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uring_kit.h - for tests that use this host's io_uring
 */
#ifndef UBLKEV_TESTS_URING_KIT_H
#define UBLKEV_TESTS_URING_KIT_H

#include <check.h>

/* test_main(); where the host has no io_uring, says so and skips: 77 */
int test_uring_main(Suite *suite);

#endif
