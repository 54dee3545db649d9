/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Digits and a unit, read by hand: strtoull(3) takes signs, blanks and other
 * bases, and wraps around where a user has to be told.
 */
#include <ctype.h>
#include <string.h>

#include "common/number.h"

/* The unit that a suffix stands for, as a shift; -1 when it stands for none. */
static int number_unit_shift(char suffix)
{
	switch (toupper((unsigned char)suffix)) {
	case 'K':
		return 10;
	case 'M':
		return 20;
	case 'G':
		return 30;
	case 'T':
		return 40;
	default:
		return -1;
	}
}

/*
 * Reads the digits that the text begins with; *endp is what follows.
 * strtoull(3) would take a sign, blanks and, with a prefix, other bases.
 */
static const char *number(const char *text, const char **endp,
			  uint64_t *valuep)
{
	uint64_t v = 0;
	unsigned int digit;

	if (!*text)
		return "is empty";
	if (*text == '-' && isdigit((unsigned char)text[1]))
		return "is negative";
	if (!isdigit((unsigned char)*text))
		return "is not a number";
	for (; isdigit((unsigned char)*text); text++) {
		digit = (unsigned int)(*text - '0');
		if (v > (UINT64_MAX - digit) / 10)
			return "is too large";
		v = v * 10 + digit;
	}
	*endp = text;
	*valuep = v;
	return NULL;
}

const char *number_size(const char *text, uint64_t *bytes)
{
	const char *cause, *end;
	uint64_t v;
	int shift;

	cause = number(text, &end, &v);
	if (cause)
		return cause;
	if (*end) {
		shift = number_unit_shift(*end++);
		if (shift < 0 || *end)
			return "has something else after the number";
		if (v > UINT64_MAX >> shift)
			return "is too large";
		v <<= shift;
	}
	*bytes = v;
	return NULL;
}

const char *number_plain(const char *text, uint64_t *value)
{
	const char *cause, *end;

	cause = number(text, &end, value);
	if (!cause && *end)
		cause = "has something else after the number";
	return cause;
}

const char *number_shown(char *buf, size_t size, const char *text)
{
	size_t i;

	for (i = 0; text[i] && i + 4 < size; i++)
		buf[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
	if (text[i]) {
		memcpy(buf + i, "...", 3);
		i += 3;
	}
	buf[i] = '\0';
	return buf;
}
