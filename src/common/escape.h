/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * escape.h - what others wrote, before it gets to a terminal, a log or JSON
 *
 * Names of processes, mount points, files and options are chosen by others, who
 * may have put control sequences in.
 */
#ifndef TOOL_ESCAPE_H
#define TOOL_ESCAPE_H

#include <stddef.h>

/* The bytes that escape_text() needs for a text of `len` bytes at the most. */
#define ESCAPE_SIZE(len)	((size_t)(len) * 4 + 1)

/*
 * Copies `text` into buf as one line of valid UTF-8 that moves no cursor:
 * each byte of a control character (C0, DEL, C1), of one that reorders or
 * hides text (bidirectional, zero width, line separators), and of what is no
 * UTF-8, becomes "\xHH". A backslash stays what it is, so that escaping twice
 * does no more than escaping once. A text that does not fit ends in "...".
 * Answers buf. `size` is 4 at least; buf and text must not overlap.
 */
const char *escape_text(char *buf, size_t size, const char *text);

#endif /* TOOL_ESCAPE_H */
