/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tool's command line: every command with its options, and the one line
 * that a bad one gets.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ublk-evctl/evctl_opts.h"
#include "testlib.h"

static char err[256];

static int parse(struct opts *o, const char *line)
{
	static char *argv[TEST_ARGS + 1];
	int argc = test_args(argv, "ublk-evctl", line);

	err[0] = '\0';
	return opts_parse(o, argc, argv, err, sizeof(err));
}

START_TEST(every_command)
{
	static const struct {
		const char *line;
		enum opts_cmd cmd;
		unsigned int timeout_s;
	} v[] = {
		{ "list", CMD_LIST, 20 },
		{ "info 1", CMD_INFO, 20 },
		{ "features", CMD_FEATURES, 20 },
		{ "stop 1 --safe", CMD_STOP, 20 },
		{ "del 1 --async --force", CMD_DEL, 20 },
		{ "recover 1", CMD_RECOVER, 90 },
		{ "quiesce 1", CMD_QUIESCE, 20 },
		{ "upgrade 1 --socket s", CMD_UPGRADE, 90 },
		{ "resize 1 1G --shrink", CMD_RESIZE, 20 },
		{ "affinity 1", CMD_AFFINITY, 20 },
		{ "orphans --clean --all", CMD_ORPHANS, 20 },
		{ "stats 1", CMD_STATS, 20 },
		{ "top --interval 1 --count 3", CMD_TOP, 20 },
		{ "doctor", CMD_DOCTOR, 20 },
		{ "owner 1", CMD_OWNER, 20 },
		{ "scheduler 1", CMD_SCHEDULER, 20 },
		{ "help", CMD_HELP, 20 },
		{ "--version", CMD_VERSION, 0 },
	};
	struct opts o;
	size_t i;

	ck_assert_uint_eq(TEST_COUNT(v), NR_CMDS);
	for (i = 0; i < TEST_COUNT(v); i++) {
		ck_assert_msg(!parse(&o, v[i].line), "%s: %s", v[i].line, err);
		ck_assert_int_eq(o.cmd, v[i].cmd);
		ck_assert_uint_eq(o.timeout_s, v[i].timeout_s);
		ck_assert_str_ne(opts_cmd_name(o.cmd), "?");
		ck_assert_msg(o.cmd >= CMD_HELP ||
			      strstr(opts_help, opts_cmd_name(o.cmd)),
			      "--help lacks %s", opts_cmd_name(o.cmd));
	}
}
END_TEST

START_TEST(values)
{
	struct opts o;

	ck_assert_int_eq(parse(&o, "resize /dev/ublkb12 3G --json --timeout 7 "
			       "--force --socket /run/s --root /r"), 0);
	ck_assert_int_eq(o.id, 12);
	ck_assert_uint_eq(o.size_bytes, UINT64_C(3) << 30);
	ck_assert_uint_eq(o.timeout_s, 7);
	ck_assert(o.json && o.force && !o.safe && !o.shrink);
	ck_assert_str_eq(o.socket, "/run/s");
	ck_assert_str_eq(o.root, "/r");
	ck_assert_int_eq(parse(&o, "info ublkc3"), 0);
	ck_assert_int_eq(o.id, 3);
	ck_assert_int_eq(parse(&o, "info ublkb4"), 0);
	ck_assert_int_eq(o.id, 4);
	ck_assert_uint_eq(o.interval_s, 2);
	ck_assert_uint_eq(o.count, 0);
	ck_assert_str_eq(o.root, "");
}
END_TEST

START_TEST(the_rest)
{
	struct opts o;

	ck_assert_int_eq(parse(&o, "recover 1"), 0);
	ck_assert_ptr_null(o.rest[0]);
	ck_assert_int_eq(parse(&o, "recover --program p 1 -- --size 1G --"),
			 0);
	ck_assert_str_eq(o.program, "p");
	ck_assert_str_eq(o.rest[0], "--size");
	ck_assert_str_eq(o.rest[1], "1G");
	ck_assert_str_eq(o.rest[2], "--");
	ck_assert_ptr_null(o.rest[3]);
	ck_assert_int_eq(parse(&o, "list --"), 0);
}
END_TEST

START_TEST(refused)
{
	/* a line, and what the message has to name */
	static const struct {
		const char *line, *names[3];
	} v[] = {
		{ "", { "command", "--help" } },
		{ "lst", { "'lst'", "--help" } },
		{ "info", { "info", "missing", "N" } },
		{ "info -1", { "-1", "--help" } },
		{ "info 1048576", { "'1048576'", "too large", "1048575" } },
		{ "info ''", { "device", "empty" } },
		{ "info /dev/sda", { "'/dev/sda'", "not a number" } },
		{ "info 1 2", { "'2'", "too much" } },
		{ "resize 1", { "size", "missing" } },
		{ "resize 1 1Q", { "'1Q'", "K, M, G, T" } },
		{ "resize 1 513", { "'513'", "512" } },
		{ "resize 1 0", { "'0'", "too small" } },
		{ "resize 1 16777216T", { "too large" } },
		{ "resize 1 8388608T", { "too large", "8388608T" } },
		{ "info 1 --safe", { "--safe", "info" } },
		{ "stop 1 --async", { "--async", "stop" } },
		{ "list --interval 1", { "--interval", "list" } },
		{ "top --interval 0", { "--interval", "'0'", "86400" } },
		{ "top --count x", { "--count", "'x'" } },
		{ "list --timeout 86401", { "--timeout", "too large" } },
		{ "list --timeout", { "--timeout", "missing" } },
		{ "list --json=1", { "--json", "no value" } },
		{ "list --nonsense", { "'--nonsense'", "--help" } },
		{ "list -q", { "'-q'", "--help" } },
		{ "stop 1 --safe --force", { "--safe", "--force" } },
		{ "stats 1 --socket ''", { "--socket", "empty" } },
		{ "list -- -x", { "list", "--" } },
	};
	struct opts o;
	size_t i, k;

	for (i = 0; i < TEST_COUNT(v); i++) {
		ck_assert_msg(parse(&o, v[i].line) == -EINVAL, "taken: %s",
			      v[i].line);
		ck_assert_ptr_null(strchr(err, '\n'));
		for (k = 0; k < 3 && v[i].names[k]; k++)
			ck_assert_msg(strstr(err, v[i].names[k]) != NULL,
				      "'%s': '%s' does not name '%s'",
				      v[i].line, err, v[i].names[k]);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("evctl_opts");
	TCase *t = tcase_create("evctl_opts");

	suite_add_tcase(s, t);
	tcase_add_test(t, every_command);
	tcase_add_test(t, values);
	tcase_add_test(t, the_rest);
	tcase_add_test(t, refused);
	return test_main(s);
}
