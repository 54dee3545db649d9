/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks from lines of text: what they mean, and where they are wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ublkev.h>

#include "backend/guard.h"
#include "failalloc.h"
#include "testlib.h"

static struct ublkev_backend *disk;
static struct ublkev_disk_error why;

/* ---- what make() is told -------------------------------------------------------- */

static char told[1024];

__attribute__((format(printf, 1, 2)))
static void tell(const char *format, ...)
{
	size_t n = strlen(told);
	va_list ap;

	va_start(ap, format);
	vsnprintf(told + n, sizeof(told) - n, format, ap);
	va_end(ap);
}

static const struct ublkev_disk_key all_keys[] = {
	{ "text", UBLKEV_DISK_STRING, "a text", 3 },
	{ "size", UBLKEV_DISK_SIZE, "a size", 0 },
	{ "time", UBLKEV_DISK_TIME, "a time", 0 },
	{ "number", UBLKEV_DISK_NUMBER, "a number", 0 },
	{ "flag", UBLKEV_DISK_FLAG, "yes or no", 0 },
	{ "base", UBLKEV_DISK_DISK, "a disk", 2 },
	{ NULL, UBLKEV_DISK_STRING, NULL, 0 },
};

static int make_null(struct ublkev_backend **backendp,
		     struct ublkev_disk_values *values)
{
	(void)values;
	return ublkev_null_new(backendp, NULL);
}

static int make_all(struct ublkev_backend **backendp,
		    struct ublkev_disk_values *values)
{
	struct ublkev_backend *base;
	const char *text = ublkev_disk_text(values, "text");
	unsigned int i;

	tell("{");
	if (text)
		tell("text=%s ", text);
	for (i = 1; i < 5; i++)
		if (ublkev_disk_text(values, all_keys[i].name))
			tell("%s=%llu ", all_keys[i].name,
			     (unsigned long long)ublkev_disk_number(values,
						all_keys[i].name, 9));
	ck_assert_uint_eq(ublkev_disk_number(values, "none", 9), 9);
	for (i = 0; (base = ublkev_disk_base(values, "base", i)); i++) {
		tell("+%s", ublkev_backend_name(base));
		ck_assert_ptr_null(ublkev_disk_base(values, "base", i));
		ublkev_backend_free(base);
	}
	tell("}");
	if (text && !strcmp(text, "fail"))
		return ublkev_disk_fail(values, "size", -ENXIO, "size: no");
	if (text && !strcmp(text, "errno"))
		return -ENXIO;
	return make_null(backendp, values);
}

static const struct ublkev_disk_type own_mem = {
	"mem", "as null", all_keys, make_null, NULL
};
static const struct ublkev_disk_type own = {
	"all", "tells all", all_keys, make_all, &own_mem
};

static const struct { const char *line, *told; } rights[] = {
	{ "all", "{}" },
	{ "all:a", "{text=a }" },
	{ "all:", NULL },
	{ "all:text=a", "{text=a }" },
	{ "all:a=b", "{text=a=b }" },
	{ "all:a,text=b,text=[c,d]", "{text=c,d }" },
	{ "all:[a,b=c]", "{text=a,b=c }" },
	{ "all:a\\,b\\\\", "{text=a,b\\ }" },
	{ "all:[a\\]b\\[]", "{text=a]b[ }" },
	{ "all:[[a],[b]]", "{text=[a],[b] }" },
	{ "all:flag", "{text=flag }" },
	{ "all:x,flag", "{text=x flag=1 }" },
	{ "all:flag=no,size=3K", "{size=3072 flag=0 }" },
	{ "all:size=1T,number=010,time=3", "{size=1099511627776 time=3000 number=10 }" },
	{ "all:size=0,time=7us", "{size=0 time=7 }" },
	{ "all:time=2s,number=0x1F", "{time=2000000 number=31 }" },
	{ "all:base=mem:1G", "{+null}" },
	{ "all:base=[mem:1G,flag],base=all:b,size=2", "{text=b }{size=2 +null+null}" },
	{ "all:base=[all:base=[all:base=[mem:[x,y]],size=1],size=2],size=3",
	  "{+null}{size=1 +null}{size=2 +null}" },
};

START_TEST(right)
{
	int err;

	told[0] = '\0';
	err = ublkev_disk_new(&disk, rights[_i].line, &own, &why);
	if (!rights[_i].told) {
		ck_assert_int_eq(err, -EINVAL);
		return;
	}
	ck_assert_msg(!err, "%s: %zu: %s", rights[_i].line, why.at, why.text);
	/* the innermost is made first */
	if (strstr(rights[_i].line, "base=[all"))
		ck_assert_ptr_nonnull(strstr(told, "{size=3 +null}"));
	else
		ck_assert_str_eq(told, rights[_i].told);
	ublkev_backend_free(disk);
}
END_TEST

static const struct {
	const char *line;
	size_t at;
	int err;
	const char *text;
} wrongs[] = {
	{ "", 0, -EINVAL, "the type of a disk is missing here" },
	{ ":x", 0, -EINVAL, "the type of a disk is missing here" },
	{ "nothing", 0, -EINVAL, "there is no type of disk 'nothing'" },
	{ "all;a", 3, -EINVAL, "put a colon between" },
	{ "ALL", 0, -EINVAL, "the type of a disk is missing here" },
	{ "all:a,b", 6, -EINVAL, "all has no key 'b'" },
	{ "all:a,", 6, -EINVAL, "a key is missing here" },
	{ "all:a,,flag", 6, -EINVAL, "a key is missing here" },
	{ "all:a,b=c", 6, -EINVAL, "all has no key 'b'" },
	{ "all:a,size", 10, -EINVAL, "size: it has no value: give a size" },
	{ "all:size=", 9, -EINVAL, "size: '' is no number: give a size" },
	{ "all:size=1X", 9, -EINVAL, "has something else behind the number" },
	{ "all:size=1KB", 9, -EINVAL, "has something else behind the number" },
	{ "all:size=-1", 9, -EINVAL, "size: '-1' is no number" },
	{ "all:size=18446744073709551616", 9, -EINVAL, "is too large" },
	{ "all:size=16777216T", 9, -EINVAL, "is too large" },
	{ "all:number=1K", 11, -EINVAL, "has something behind the number" },
	{ "all:number=0x", 11, -EINVAL, "is no number" },
	{ "all:time=1m", 9, -EINVAL, "us, ms or s" },
	{ "all:flag=maybe", 9, -EINVAL, "is neither yes nor no" },
	{ "all:text=", 9, -EINVAL, "text: '' is empty" },
	{ "all:[a", 4, -EINVAL, "this bracket is not closed" },
	{ "all:[a]b", 7, -EINVAL, "there is something behind the bracket" },
	{ "all:size=1,size=2", 16, -EINVAL, "size: it was given before" },
	{ "all:a,text=b,text=c,text=d", 25, -EINVAL, "text: it was given before" },
	{ "all:base=", 9, -EINVAL, "the type of a disk is missing here" },
	{ "all:base=[all:base=[mem:1,size=x]]", 31, -EINVAL, "size: 'x' is no number" },
	{ "all:base=[all:base=[mem:1,size=x]", 9, -EINVAL, "this bracket is not closed" },
	{ "all:base=nothing:1,size=2", 9, -EINVAL, "there is no type of disk" },
	{ "all:fail,size=7", 14, -ENXIO, "size: no" },
	{ "all:base=[all:fail]", 10, -ENXIO, "size: no" },
	{ "all:errno", 0, -ENXIO, "all: No such device or address" },
	/* the library's */
	{ "null:0", 5, -EINVAL, "size: it is 0" },
	{ "null:513", 5, -EINVAL, "no multiple of the block" },
	{ "null:1M,block=513", 14, -EINVAL, "block: give 512" },
	{ "null:read-only,size=1M,no-data=x", 31, -EINVAL, "neither yes nor no" },
	{ "file", 0, -EINVAL, "file: which one?" },
	{ "file:/nowhere/at/all", 5, -ENOENT, "path: there is no such file" },
	{ "file:/tmp", 5, -EISDIR, "path: it is a directory" },
	{ "file:/dev/null", 5, -ENOTBLK, "neither a regular file nor a block device" },
	{ "file:/tmp/x,create", 12, -EINVAL, "create: how large?" },
	{ "file:/tmp/x,create,read-only,size=1M", 12, -EINVAL, "does not go with read-only" },
	{ "part:offset=1M", 0, -EINVAL, "over what? give base=DISK" },
	{ "stripe:chunk=3K,base=null", 13, -EINVAL, "chunk: give a power of two" },
	{ "part:base=null,base=null", 20, -EINVAL, "base: it was given before" },
	{ "fault:chance=101,base=null", 13, -EINVAL, "give a percentage" },
	{ "fault:error=EPERM,base=null", 12, -EINVAL, "error: give EIO" },
	{ "fault:ops=read+flash,base=null", 10, -EINVAL, "ops: give some of" },
	{ "fault:from=1M,to=1M,base=null", 17, -EINVAL, "to: it is no more than from" },
	{ "fault:torn,base=null", 6, -EINVAL, "torn: of which writes?" },
	{ "fault:delay=5000s,base=null", 0, -EINVAL, "a time of more than an hour" },
};

START_TEST(wrong)
{
	int err = ublkev_disk_new(&disk, wrongs[_i].line, &own, &why);

	ck_assert_msg(err == wrongs[_i].err && why.at == wrongs[_i].at &&
		      strstr(why.text, wrongs[_i].text), "%s: %d at %zu: %s",
		      wrongs[_i].line, err, why.at, why.text);
	ck_assert_ptr_null(strchr(why.text, '\n'));
	/* nobody need ask why */
	ck_assert_int_eq(ublkev_disk_new(&disk, wrongs[_i].line, &own, NULL),
			 err);
}
END_TEST

/* ---- stacks -------------------------------------------------------------------------- */

static const char stack[] =
	"stats:base=[fault:seed=3,base=[part:offset=64K,size=1M,base=[concat:"
	"base=[stripe:chunk=8K,base=mem:1M,base=null:2M],"
	"base=[log:base=[stats:base=mem:4M]]]]]";

START_TEST(stacks)
{
	struct ublkev_backend *b;

	ck_assert_int_eq(ublkev_disk_new(&disk, stack, NULL, &why), 0);
	ck_assert_str_eq(ublkev_backend_name(disk), "stats");
	ck_assert_ptr_eq(ublkev_disk_find(disk, "stats", 0), disk);
	b = ublkev_disk_find(disk, "stats", 1);
	ck_assert(b && b != disk);
	ck_assert_ptr_null(ublkev_disk_find(disk, "stats", 2));
	ck_assert_ptr_null(ublkev_disk_find(disk, "file", 0));
	ck_assert_ptr_nonnull(ublkev_disk_find(disk, "null", 0));
	b = ublkev_disk_find(disk, "mem", 1);
	ck_assert(b && b != ublkev_disk_find(disk, "mem", 0));
	/* all of them map, or are memory: so does the top, which places nothing */
	ck_assert_uint_eq(ublkev_backend_ways(disk), UBLKEV_WAY_MAP |
			  UBLKEV_WAY_SUBMIT);
	ublkev_backend_free(disk);
}
END_TEST

START_TEST(no_memory)
{
	bool failed;
	int leaked, err, n;

	for (n = 1;; n++) {
		disk = NULL;
		failalloc_arm((unsigned int)n);
		err = ublkev_disk_new(&disk, stack, NULL, &why);
		if (!err)
			ublkev_backend_free(disk);
		failed = failalloc_disarm(&leaked);
		ck_assert_int_eq(leaked, 0);
		if (!failed)
			break;
		ck_assert_int_eq(err, -ENOMEM);
		ck_assert_ptr_nonnull(strstr(why.text, "memory"));
	}
	ck_assert_int_eq(err, 0);
	ck_assert_int_gt(n, 50);
}
END_TEST

/* what was made before something else was wrong is gone, and no more than that */
START_TEST(files)
{
	static const char *const tails[] = {
		"base=nothing]", "base=[file:%s/b,create]", "size=1",
	};
	char dir[] = "/tmp/test_spec.XXXXXX", a[64], b[64], line[512], tail[128];
	struct stat st;
	unsigned int i;
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(a, sizeof(a), "%s/a", dir);
	snprintf(b, sizeof(b), "%s/empty", dir);
	fd = open(b, O_CREAT | O_RDWR, 0600);
	ck_assert_int_ge(fd, 0);
	for (i = 0; i < TEST_COUNT(tails); i++) {
		strcpy(tail, tails[i]);
		if (strchr(tail, '%'))
			snprintf(tail, sizeof(tail), "base=[file:%s/b,create]",
				 dir);
		snprintf(line, sizeof(line), "concat:base=[file:%s,create,thin,size=1M],base=[stats:base=[file:%s,size=2M,create,thin]],%s",
			 a, b, tail);
		ck_assert_int_eq(ublkev_disk_new(&disk, line, NULL, &why),
				 -EINVAL);
		ck_assert_int_eq(access(a, F_OK), -1);
		ck_assert_int_eq(stat(b, &st), 0);
		ck_assert_int_eq(st.st_size, 0);
	}
	snprintf(line, sizeof(line), "concat:base=[file:%s,create,thin,size=1M],base=[file:%s,create,size=1M]",
		 a, b);
	ck_assert_int_eq(ublkev_disk_new(&disk, line, NULL, &why), 0);
	ublkev_disk_discard(disk);
	ck_assert_int_eq(access(a, F_OK), -1);
	ck_assert_int_eq(ublkev_disk_new(&disk, line, NULL, &why), 0);
	ublkev_backend_free(disk);
	ck_assert_int_eq(unlink(a), 0);
	ck_assert_int_eq(unlink(b), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	close(fd);
}
END_TEST

/* each type is found by what --help and the manual call it */
START_TEST(types)
{
	const struct ublkev_disk_type *t;
	const struct ublkev_disk_key *k;
	unsigned int i;

	for (i = 0; (t = ublkev_disk_type(i)); i++) {
		ck_assert_ptr_nonnull(t->help);
		for (k = t->keys; k->name; k++)
			ck_assert_ptr_nonnull(k->help);
	}
	ck_assert_uint_eq(i, 9);
}
END_TEST

START_TEST(deep)
{
	static char line[8192];
	unsigned int i, depth = _i ? 101 : 100;

	line[0] = '\0';
	for (i = 1; i < depth; i++)
		strcat(line, "stats:base=[");
	strcat(line, "null");
	for (i = 1; i < depth; i++)
		strcat(line, "]");
	if (_i) {
		ck_assert_int_eq(ublkev_disk_new(&disk, line, NULL, &why),
				 -EINVAL);
		ck_assert_ptr_nonnull(strstr(why.text, "make it fewer"));
		return;
	}
	ck_assert_int_eq(ublkev_disk_new(&disk, line, NULL, &why), 0);
	ck_assert_ptr_nonnull(ublkev_disk_find(disk, "stats", depth - 2));
	ublkev_backend_free(disk);
}
END_TEST

/* ---- any line -------------------------------------------------------------------------- */

static const struct ublkev_disk_type any_file = {
	"file", "as null", all_keys, make_null, &own_mem
};

static const char *const words[] = {
	"mem", "null", "file", "part", "concat", "stripe", "stats", "log",
	"fault", ":", ":", ",", ",", "=", "=", "[", "[", "]", "]", "\\", "base=",
	"base=[", "size=", "1M", "64K", "offset=", "chunk=", "read-only",
	"error=EIO", "ops=", "read", "+", "cache=1M", "0", "-", "0x", "",
	"18446744073709551615", "T", "/", "stats:base=[", "null:1M",
};

static void make_line(struct test_rng *rng, char *line, size_t size)
{
	unsigned int n = (unsigned int)test_rng_below(rng, 40);
	const char *word;

	line[0] = '\0';
	while (n--) {
		word = words[test_rng_below(rng, TEST_COUNT(words))];
		if (strlen(line) + strlen(word) + 1 < size)
			strcat(line, word);
	}
	if (*line && !test_rng_below(rng, 4))
		line[test_rng_below(rng, strlen(line))] =
			(char)(1 + test_rng_below(rng, 255));
}

/* a disk, or one line that says where it is wrong; nothing else */
START_TEST(any)
{
	unsigned int i, made = 0;
	struct test_rng rng;
	char line[512];
	int err;

	test_rng_init(&rng, test_seed("spec"));
	for (i = 0; i < 60000; i++) {
		make_line(&rng, line, sizeof(line));
		err = ublkev_disk_new(&disk, line, &any_file, &why);
		if (!err) {
			made++;
			ublkev_backend_free(disk);
			continue;
		}
		TEST_HOLDS(err < 0);
		TEST_HOLDS(why.text[0] && !strchr(why.text, '\n'));
		TEST_HOLDS(why.at <= strlen(line));
	}
	ck_assert_uint_gt(made, 10);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spec");
	TCase *tc = tcase_create("spec");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, right, 0, (int)TEST_COUNT(rights));
	tcase_add_loop_test(tc, wrong, 0, (int)TEST_COUNT(wrongs));
	tcase_add_test(tc, stacks);
	tcase_add_test(tc, no_memory);
	tcase_add_test(tc, files);
	tcase_add_test(tc, types);
	tcase_add_loop_test(tc, deep, 0, 2);
	tcase_add_test(tc, any);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
