/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check.h - a bug of the caller's ends here, with a text that names us
 */
#ifndef UBLKEV_UTIL_CHECK_H
#define UBLKEV_UTIL_CHECK_H

/* also in a build that has no use for the library's own assertions */
#undef NDEBUG
#include <assert.h>

/* `text` is a string literal: what should have been so, or what is wrong */
#define ublkev__check(cond, text)	assert((cond) && "ublkev: " text)

#endif
