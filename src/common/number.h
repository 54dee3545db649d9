/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * number.h - numbers of a command line, the same for the daemon and the tool
 */
#ifndef COMMON_NUMBER_H
#define COMMON_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/*
 * Both read a text and answer NULL, or what is wrong with the text, as the end
 * of a sentence: "is negative". Then the value is left as it was.
 */

/* Takes digits and nothing else. */
const char *number_plain(const char *text, uint64_t *value);

/* Takes digits and at most one of K M G T, powers of 1024, in either case. */
const char *number_size(const char *text, uint64_t *bytes);

/*
 * Copies a value as it may stand in a line of text: printable ASCII, "?" for
 * any other byte, and "..." where `size`, 4 at least, is too small. Answers
 * buf.
 */
const char *number_shown(char *buf, size_t size, const char *text);

#endif /* COMMON_NUMBER_H */
