/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check.h - a bug of the caller's ends here, with a text that names us
 */
#ifndef UBLKEV_UTIL_CHECK_H
#define UBLKEV_UTIL_CHECK_H

/*
 * A caller's bug is told also in a build with NDEBUG: what would follow from
 * it is memory that the kernel still writes to.
 */
#undef NDEBUG
#include <assert.h>

/*
 * `text` is a string literal that says what should have been so. glibc and musl
 * have the same function behind assert(), which is what can be told to show that
 * instead of the expression: "Assertion `ublkev: a device ...' failed."
 */
#define ublkev__check(cond, text)					\
	((cond) ? (void)0 : __assert_fail("ublkev: " text, __FILE__,	\
					  __LINE__, __func__))

#endif
