/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A decoder of UTF-8 and a list of characters that are not shown. Nothing
 * depends on the locale: a daemon may have none.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/escape.h"

/*
 * Answers the length in bytes of the UTF-8 character at `s`, and its number in
 * *cp. It answers 0 when there is none: a stray or missing continuation byte,
 * an overlong form, a surrogate, or a number beyond U+10FFFF.
 */
static size_t escape_decode(const unsigned char *s, uint32_t *cp)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len, i;

	if (s[0] < 0x80) {
		*cp = s[0];
		return 1;
	}
	len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	*cp = s[0] & (0x7fu >> len);
	for (i = 1; i < len; i++) {
		/* a final \0 is none either: nothing is read behind it */
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (s[i] & 0x3f);
	}
	if (*cp < least[len] || *cp > 0x10ffff ||
	    (*cp >= 0xd800 && *cp <= 0xdfff))
		return 0;
	return len;
}

static int escape_is_plain(uint32_t cp)
{
	static const struct {
		uint32_t first, last;
	} bad[] = {
		{ 0x00, 0x1f },		/* C0 */
		{ 0x7f, 0x9f },		/* DEL, C1 */
		{ 0x061c, 0x061c },	/* Arabic letter mark */
		{ 0x200b, 0x200f },	/* zero width, direction marks */
		{ 0x2028, 0x202e },	/* separators, embeddings, overrides */
		{ 0x2060, 0x206f },	/* word joiner, isolates */
		{ 0xfeff, 0xfeff },	/* byte order mark */
		{ 0xe0000, 0xe007f },	/* tags */
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (cp >= bad[i].first && cp <= bad[i].last)
			return 0;
	return 1;
}

/*
 * Writes one character as it is to be shown, or one byte that is part of none,
 * without a \0. Answers the bytes written, four for each byte of text at
 * most; *taken are those used up.
 */
static size_t escape_one(char out[17], const unsigned char *s, size_t *taken)
{
	uint32_t cp;
	size_t len = escape_decode(s, &cp), i;

	*taken = len ? len : 1;
	if (len && escape_is_plain(cp)) {
		memcpy(out, s, len);
		return len;
	}
	for (i = 0; i < *taken; i++)
		snprintf(out + 4 * i, 5, "\\x%02x", s[i]);
	return 4 * *taken;
}

const char *escape_text(char *buf, size_t size, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t at = 0, dots = 0, len, taken;
	char one[17];

	for (; *s; s += taken) {
		len = escape_one(one, s, &taken);
		if (at + len >= size) {
			memcpy(buf + dots, "...", 4);
			return buf;
		}
		memcpy(buf + at, one, len);
		at += len;
		/* the dots may begin here without cutting a character */
		if (at + 4 <= size)
			dots = at;
	}
	buf[at] = '\0';
	return buf;
}
