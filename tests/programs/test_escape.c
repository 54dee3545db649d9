/* SPDX-License-Identifier: BSD-2-Clause */
/* What others wrote is one harmless line of UTF-8, whatever its bytes are. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/escape.h"
#include "testlib.h"

static const struct {
	const char *text, *want;
} known[] = {
	{ "", "" },
	{ "plain /dev/ublkb0", "plain /dev/ublkb0" },
	{ "a\nublk-evdemo: device 0: stopped", "a\\x0aublk-evdemo: device 0: "
					       "stopped" },
	{ "\x1b[2J\r\t\x7f", "\\x1b[2J\\x0d\\x09\\x7f" },
	{ "back\\040slash", "back\\040slash" },
	{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac"
						  "\xf0\x9f\x98\x80" },
	/* C1 as UTF-8: CSI to many a terminal */
	{ "\xc2\x9b" "31m", "\\xc2\\x9b" "31m" },
	/* it turns what follows around */
	{ "\xe2\x80\xae" "abc", "\\xe2\\x80\\xae" "abc" },
	/* no UTF-8: a stray byte, overlong, surrogate, too large, cut short */
	{ "\x9b\xff", "\\x9b\\xff" },
	{ "\xc0\xaf", "\\xc0\\xaf" },
	{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },
	{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
	{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
	{ "\xe2\x82", "\\xe2\\x82" },
};

START_TEST(known_texts)
{
	char buf[256];
	unsigned int i;

	for (i = 0; i < TEST_COUNT(known); i++)
		ck_assert_str_eq(escape_text(buf, sizeof(buf), known[i].text),
				 known[i].want);
}
END_TEST

START_TEST(cut_short)
{
	char buf[16];

	ck_assert_str_eq(escape_text(buf, 8, "1234567"), "1234567");
	ck_assert_str_eq(escape_text(buf, 8, "12345678"), "1234...");
	ck_assert_str_eq(escape_text(buf, 8, "123\n5678"), "123...");
	ck_assert_str_eq(escape_text(buf, 8, "12\xe2\x82\xac\xe2\x82\xac"),
			 "12...");
	ck_assert_str_eq(escape_text(buf, 4, "\n"), "...");
}
END_TEST

/* any bytes, any room: it fits, is JSON, has no control byte, stays itself */
START_TEST(any_bytes)
{
	struct test_rng rng;
	char text[64], buf[ESCAPE_SIZE(64)], again[sizeof(buf)];
	size_t len, size, i;
	json_t *json;
	int n;

	test_rng_init(&rng, test_seed("test_escape"));
	for (n = 0; n < 5000; n++) {
		len = test_rng_below(&rng, sizeof(text));
		test_rng_fill(&rng, text, len);
		text[len] = '\0';
		size = 4 + test_rng_below(&rng, sizeof(buf) - 3);
		memset(buf, 1, sizeof(buf));
		escape_text(buf, size, text);
		ck_assert_uint_lt(strlen(buf), size);
		/* one assertion, for check reports each of them to a pipe */
		for (i = 0; (unsigned char)buf[i] >= ' '; i++)
			;
		ck_assert_int_eq(buf[i], '\0');
		json = json_string(buf);
		ck_assert_ptr_nonnull(json);
		json_decref(json);
		ck_assert_str_eq(escape_text(again, sizeof(again), buf), buf);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("escape");
	TCase *t = tcase_create("escape");

	suite_add_tcase(s, t);
	tcase_add_test(t, known_texts);
	tcase_add_test(t, cut_short);
	tcase_add_test(t, any_bytes);
	return test_main(s);
}
