/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --disk: what is taken of it, and what does not go with it.
 */
#include <errno.h>
#include <string.h>

#include "testlib.h"
#include "ublk-evdemo/evdemo_opts.h"

static char err[256];

static int parse(struct opts *o, const char *line)
{
	char *argv[TEST_ARGS + 1];
	int argc = test_args(argv, "ublk-evdemo", line);

	err[0] = '\0';
	return opts_parse(o, argc, argv, err, sizeof(err));
}

START_TEST(taken)
{
	struct opts o;

	ck_assert_int_eq(parse(&o, "--disk part:base=mem --threads --copy zero"),
			 0);
	ck_assert_int_eq(o.backend, OPTS_STACK);
	ck_assert_str_eq(o.disk, "part:base=mem");
	ck_assert_int_eq(opts_check_disk(&o, err, sizeof(err)), 0);
	ck_assert_str_eq(opts_backend_name(o.backend), "disk");
	ck_assert_int_eq(opts_backend("disk"), -1);
}
END_TEST

static const struct { const char *line, *names[3]; } refused[] = {
	{ "--disk ''", { "--disk", "''", "mem:1G" } },
	{ "--disk mem --size 1M", { "--size", "--disk", "say it there" } },
	{ "--disk mem --backend null", { "--backend", "--disk", "leave" } },
	{ "--file f --disk mem", { "--file", "--disk", "leave it out" } },
	{ "--disk mem --read-only", { "--read-only", "--disk", "leave" } },
	{ "--disk mem --recovery reissue",
	  { "--recovery", "--disk", "leave it out" } },
	{ "--recover 1 --disk mem", { "--disk", "--recover", "leave" } },
	{ "--take-over s --disk mem", { "--disk", "--take-over", "leave" } },
	{ "--delete 1 --disk mem", { "--disk", "--delete", "leave" } },
	{ "--backend disk", { "--backend", "disk", "mem, file or null" } },
};

START_TEST(does_not_go)
{
	struct opts o;
	unsigned int i;

	ck_assert_int_eq(parse(&o, refused[_i].line), -EINVAL);
	for (i = 0; i < 3; i++)
		ck_assert_msg(strstr(err, refused[_i].names[i]), "%s: %s",
			      refused[_i].line, err);
	ck_assert_ptr_null(strchr(err, '\n'));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("opts_disk");
	TCase *tc = tcase_create("disk");

	tcase_add_test(tc, taken);
	tcase_add_loop_test(tc, does_not_go, 0, (int)TEST_COUNT(refused));
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
