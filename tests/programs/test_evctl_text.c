/* SPDX-License-Identifier: BSD-2-Clause */
/* what ublk-evctl makes of numbers: tables, CPU lists, rates */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ublk-evctl/sample.h"
#include "ublk-evctl/text.h"
#include "proctree.h"
#include "testlib.h"

START_TEST(bytes)
{
	static const struct {
		uint64_t n;
		const char *text;
	} v[] = {
		{ 0, "0" }, { 512, "512" }, { 1023, "1023" }, { 1024, "1K" },
		{ 1536, "1.5K" }, { 256 << 20, "256M" },
		{ UINT64_C(1) << 40, "1T" }, { UINT64_MAX, "16.0E" },
	};
	char buf[16];
	size_t i;

	for (i = 0; i < TEST_COUNT(v); i++)
		ck_assert_str_eq(text_bytes(buf, v[i].n), v[i].text);
}
END_TEST

static struct ublkev_cpus cpus;

static const char *list(void)
{
	static char buf[256];

	ck_assert_int_eq(text_cpus(buf, sizeof(buf), &cpus), strlen(buf));
	return buf;
}

START_TEST(cpu_lists)
{
	/* what lies behind it is not looked at */
	static struct {
		struct ublkev_cpus all;
		uint64_t beyond;
	} most;
	char small[4], buf[16];
	unsigned int n;

	memset(&cpus, 0, sizeof(cpus));
	ck_assert_str_eq(list(), "");
	cpus.bits[0] = 0x10f;
	ck_assert_str_eq(list(), "0-3,8");
	ck_assert_int_eq(text_cpus(small, sizeof(small), &cpus), 5);
	ck_assert_str_eq(small, "0-3");
	cpus.bits[0] = UINT64_C(1) << 63;
	cpus.bits[1] = 1;
	ck_assert_str_eq(list(), "63-64");
	cpus.bits[UBLKEV_MAX_CPUS / 64 - 1] = UINT64_C(1) << 63;
	ck_assert_str_eq(list(), "63-64,8191");
	for (n = 0; n < UBLKEV_MAX_CPUS / 64; n++)
		cpus.bits[n] = UINT64_MAX;
	ck_assert_str_eq(list(), "0-8191");
	most.all = cpus;
	most.beyond = UINT64_MAX;
	ck_assert_int_eq(text_cpus(buf, sizeof(buf), &most.all), 6);
	ck_assert_str_eq(buf, "0-8191");
}
END_TEST

/* what a list says is what the bits say */
START_TEST(cpu_lists_random)
{
	static char buf[1 << 16];
	struct ublkev_cpus back;
	struct test_rng rng;
	unsigned int i, a, b;
	char *p, *save;
	int n;

	test_rng_init(&rng, test_seed("cpu_lists_random"));
	for (i = 0; i < 200; i++) {
		memset(&back, 0, sizeof(back));
		for (n = 0; n < (int)TEST_COUNT(cpus.bits); n++)
			cpus.bits[n] = test_rng_next(&rng) &
				       test_rng_next(&rng);
		ck_assert_int_lt(text_cpus(buf, sizeof(buf), &cpus),
				 sizeof(buf));
		save = NULL;
		for (p = strtok_r(buf, ",", &save); p;
		     p = strtok_r(NULL, ",", &save)) {
			n = sscanf(p, "%u-%u", &a, &b);
			for (b = n == 2 ? b : a; a <= b; a++)
				back.bits[a / 64] |= UINT64_C(1) << a % 64;
		}
		ck_assert_mem_eq(&back, &cpus, sizeof(cpus));
	}
}
END_TEST

START_TEST(tables)
{
	char buf[128] = "";
	struct table t;
	FILE *f = fmemopen(buf, sizeof(buf), "w");

	table_init(&t, 2);
	table_cell(&t, "A");
	table_cell(&t, "B");
	table_cell(&t, "%d", 12345);
	table_cell(&t, "x y");
	table_cell(&t, "1");
	table_cell(&t, "%s", "x\ny");
	table_print(&t, f);
	fclose(f);
	ck_assert_str_eq(buf, "A      B\n12345  x y\n1      x\\x0ay\n");
	ck_assert_int_eq(t.failed, 0);
	table_fini(&t);
}
END_TEST

/* ---- samples ------------------------------------------------------------ */

static struct sample from(const char *text, int id, int want)
{
	json_t *j = json_loads(text, 0, NULL);
	struct sample s;

	ck_assert_ptr_nonnull(j);
	ck_assert_int_eq(sample_server(&s, j, id), want);
	json_decref(j);
	return s;
}

#define STATS(rd, wr, buckets) \
	"{\"device\":\"/dev/ublkb3\",\"ops\":{\"READ\":{\"reqs\":" rd \
	",\"bytes\":1048576},\"WRITE\":{\"reqs\":" wr ",\"bytes\":0}}," \
	"\"info\":{\"queues\":2,\"depth\":8},\"inflight\":4," \
	"\"latency_us\":{\"read\":{\"buckets\":" buckets \
	"},\"other\":{\"buckets\":[]}}}"

START_TEST(of_a_server)
{
	struct sample s, then;
	struct rates r;

	then = from(STATS("10", "0", "[[3,10]]"), 3, 0);
	s = from(STATS("30", "4", "[[3,10],[64,19],[256,1]]"), 3, 0);
	then.at_s = 1;
	s.at_s = 3;
	sample_rates(&r, &s, &then);
	ck_assert_double_eq(r.rd_iops, 10);
	ck_assert_double_eq(r.wr_iops, 2);
	ck_assert_double_eq(r.rd_mib_s, 0);
	ck_assert_double_eq(r.occupancy, .25);
	ck_assert_uint_eq(r.rd.count, 20);
	ck_assert_uint_eq(r.rd.p50_us, 71);
	ck_assert_uint_eq(r.rd.p99_us, 287);
	ck_assert_uint_eq(r.wr.count, 0);
	/* a new server of the same device begins at zero */
	s = from(STATS("5", "0", "[[3,5]]"), 3, 0);
	s.at_s = 2;
	sample_rates(&r, &s, &then);
	ck_assert_double_eq(r.rd_iops, 5);
	ck_assert_uint_eq(r.rd.count, 5);
	ck_assert_uint_eq(r.rd.p50_us, 3);
	/* no time between them */
	sample_rates(&r, &s, &s);
	ck_assert_double_eq(r.rd_iops, 0);
}
END_TEST

/* the kernel's times, beside what a server tells or alone */
START_TEST(of_its_users)
{
	const char *root = proctree_new();
	struct sample s, then;
	struct rates r;

	then = from(STATS("10", "0", "[]"), 3, 0);
	s = then;
	sample_ticks(&s, root, 3);
	sample_rates(&r, &s, &then);
	ck_assert_double_eq(r.rd_disk_us, -1);
	proctree_file(root, "sys/block/ublkb3/stat",
		      "100 9 2048 50 200 9 4096 60 16 7 8\n");
	sample_ticks(&then, root, 3);
	/* one of the two has none */
	sample_rates(&r, &s, &then);
	ck_assert_double_eq(r.rd_disk_us, -1);
	proctree_file(root, "sys/block/ublkb3/stat",
		      "110 9 2048 53 200 9 4096 60 16 7 8\n");
	sample_ticks(&s, root, 3);
	ck_assert_uint_eq(s.rd_reqs, 10);
	sample_rates(&r, &s, &then);
	ck_assert_double_eq(r.rd_disk_us, 300);
	ck_assert_double_eq(r.wr_disk_us, -1);
	/* a new disk of the number, be it one counter that tells */
	sample_rates(&r, &then, &s);
	ck_assert_double_eq(r.rd_disk_us, -1);
	proctree_file(root, "sys/block/ublkb3/stat",
		      "99 9 2048 53 200 9 4096 60 16 7 8\n");
	sample_ticks(&s, root, 3);
	sample_rates(&r, &s, &then);
	ck_assert_double_eq(r.rd_disk_us, -1);
	ck_assert_double_eq(r.wr_disk_us, -1);
	ck_assert_double_eq(sample_average_us(53, 110), 53000. / 110);
	ck_assert_double_eq(sample_average_us(0, 0), -1);
	proctree_remove(root);
}
END_TEST

START_TEST(of_strangers)
{
	from("{}", 3, -EPROTO);
	from("{\"device\":null}", 3, -EPROTO);
	from("{\"device\":\"/dev/ublkb3\"}", 3, -EPROTO);
	from(STATS("1", "1", "[]"), 4, -EPROTO);
	/* members of other kinds, buckets that are none */
	from(STATS("\"x\"", "[]", "[[5,1],7,[1234567,1],[-1,-1],[0]]"), 3, 0);
	from(STATS("-5", "null", "{}"), 3, 0);
}
END_TEST

START_TEST(of_the_kernel)
{
	const char *root = proctree_new();
	struct sample s;
	struct rates r;

	ck_assert_int_eq(sample_kernel(&s, root, 3), -ENOENT);
	proctree_file(root, "sys/block/ublkb3/stat", "  100 1 2048 5 200 0 "
		      "4096 6 16 7 8 0 0 0 0 0 0\n");
	ck_assert_int_eq(sample_kernel(&s, root, 3), 0);
	sample_rates(&r, &s, &s);
	ck_assert_double_lt(r.occupancy, 0);
	proctree_file(root, "sys/block/ublkb3/mq/0/nr_tags", "32\n");
	proctree_file(root, "sys/block/ublkb3/mq/1/nr_tags", "32\n");
	ck_assert_int_eq(sample_kernel(&s, root, 3), 0);
	ck_assert_uint_eq(s.rd_reqs, 100);
	ck_assert_uint_eq(s.rd_bytes, 1 << 20);
	ck_assert_uint_eq(s.wr_reqs, 200);
	ck_assert_uint_eq(s.wr_bytes, 2 << 20);
	ck_assert_uint_eq(s.inflight, 16);
	ck_assert_uint_eq(s.capacity, 64);
	ck_assert_uint_eq(s.rd_ms, 5);
	ck_assert_uint_eq(s.wr_ms, 6);
	proctree_file(root, "sys/block/ublkb3/stat", "broken\n");
	ck_assert_int_eq(sample_kernel(&s, root, 3), -ENOENT);
	proctree_remove(root);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("evctl_text");
	TCase *t = tcase_create("evctl_text");

	suite_add_tcase(s, t);
	tcase_add_test(t, bytes);
	tcase_add_test(t, cpu_lists);
	tcase_add_test(t, cpu_lists_random);
	tcase_add_test(t, tables);
	tcase_add_test(t, of_a_server);
	tcase_add_test(t, of_strangers);
	tcase_add_test(t, of_its_users);
	tcase_add_test(t, of_the_kernel);
	return test_main(s);
}
