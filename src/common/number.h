/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * number.h - numbers of a command line
 */
#ifndef COMMON_NUMBER_H
#define COMMON_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* Both answer NULL, or what is wrong with the text: "is negative". */

/* digits and nothing else */
const char *number_plain(const char *text, uint64_t *value);

/* digits and at most one of K M G T, powers of 1024 */
const char *number_size(const char *text, uint64_t *bytes);

/* a value as it may stand in a line of text: short, and printable */
const char *number_shown(char *buf, size_t size, const char *text);

#endif /* COMMON_NUMBER_H */
