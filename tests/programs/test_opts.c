/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's command line: what each option makes of its value, and the one
 * line that a bad one gets.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ublk-evdemo/evdemo_opts.h"
#include "testlib.h"
#include "common/number.h"

static char err[256];

static int parse(struct opts *o, const char *line)
{
	static char *argv[TEST_ARGS + 1];
	int argc = test_args(argv, "ublk-evdemo", line);

	err[0] = '\0';
	return opts_parse(o, argc, argv, err, sizeof(err));
}

START_TEST(defaults)
{
	struct opts o;

	ck_assert_int_eq(parse(&o, ""), 0);
	ck_assert_int_eq(o.mode, OPTS_SERVE);
	ck_assert_int_eq(o.backend, OPTS_MEM);
	ck_assert_uint_eq(o.size_bytes, 256u << 20);
	ck_assert_uint_eq(o.block_bytes, 512);
	ck_assert_uint_eq(o.max_io_bytes, 512u << 10);
	ck_assert_uint_eq(o.queues, 1);
	ck_assert_uint_eq(o.depth, 128);
	ck_assert_int_eq(o.id, -1);
	ck_assert_uint_eq(o.stop_timeout_s, 30);
	ck_assert_uint_eq(o.stop_limit_s, 0);
	ck_assert_uint_eq(o.stats_s, 0);
	ck_assert_uint_eq(o.wait_us, 200);
	ck_assert(!o.read_only && !o.daemon && !o.verbose && !o.huge_pages &&
		  !o.no_broker);
	ck_assert_ptr_null(o.pidfile);
	ck_assert_ptr_null(o.control);
	ck_assert_ptr_null(o.memory_file);
	ck_assert_ptr_null(o.take_over);
	ck_assert_int_eq(o.recover_id, -1);
	ck_assert_int_eq(o.recovery, UBLKEV_RECOVERY_NONE);
	ck_assert(!o.no_control && !o.unprivileged && !o.io_flusher &&
		  !o.size_given);
}
END_TEST

START_TEST(everything)
{
	struct opts o;

	ck_assert_int_eq(parse(&o, "--size 3T --backend mem --queues 4 "
			       "--depth=32 --block-size 4K --max-io 1M "
			       "--wait 0"), 0);
	ck_assert_uint_eq(o.size_bytes, UINT64_C(3) << 40);
	ck_assert_uint_eq(o.queues, 4);
	ck_assert_uint_eq(o.depth, 32);
	ck_assert_uint_eq(o.block_bytes, 4096);
	ck_assert_uint_eq(o.max_io_bytes, 1u << 20);
	ck_assert_uint_eq(o.wait_us, 0);
	ck_assert_int_eq(parse(&o, "--id 7 --copy direct --batch --read-only "
			       "--huge-pages --daemon --pidfile p --stats 5 --control c "
			       "--stop-timeout 0 --stop-limit 90 -v"), 0);
	ck_assert_int_eq(o.id, 7);
	ck_assert_int_eq(o.copy, UBLKEV_COPY_DIRECT);
	ck_assert(o.batch);
	ck_assert(o.read_only && o.huge_pages && o.daemon && o.verbose);
	ck_assert_str_eq(o.pidfile, "p");
	ck_assert_str_eq(o.control, "c");
	ck_assert_uint_eq(o.stats_s, 5);
	ck_assert_uint_eq(o.stop_timeout_s, 0);
	ck_assert_uint_eq(o.stop_limit_s, 90);
	ck_assert_int_eq(parse(&o, "--backend null"), 0);
	ck_assert_int_eq(o.backend, OPTS_NULL);
	ck_assert_int_eq(parse(&o, "--delete 3 -v"), 0);
	ck_assert_int_eq(o.mode, OPTS_DELETE);
	ck_assert_int_eq(o.delete_id, 3);
	ck_assert(!o.no_broker);
	ck_assert_int_eq(parse(&o, "--no-broker --delete 3"), 0);
	ck_assert_int_eq(o.mode, OPTS_DELETE);
	ck_assert(o.no_broker);
	ck_assert(!o.threads && !o.ring_fd);
	ck_assert_int_eq(parse(&o, "--queues auto --depth 4096"), 0);
	ck_assert_uint_eq(o.queues, 0);
	ck_assert_int_eq(parse(&o, "--threads --queues 2"), 0);
	ck_assert(o.threads && o.queues == 2);
	ck_assert_uint_eq(o.threads_per_queue, 0);
	ck_assert_int_eq(parse(&o, "--threads-per-queue 64 --queues 64"), 0);
	ck_assert_uint_eq(o.threads_per_queue, 64);
	ck_assert_int_eq(parse(&o, "--threads-per-queue 1 --batch"), 0);
	ck_assert_int_eq(parse(&o, "--ring-fd"), 0);
	ck_assert(o.ring_fd && !o.threads);
	ck_assert_int_eq(parse(&o, "--no-broker"), 0);
	ck_assert_int_eq(o.mode, OPTS_SERVE);
	ck_assert(o.no_broker);
	ck_assert_int_eq(parse(&o, "-h"), 0);
	ck_assert_int_eq(o.mode, OPTS_HELP);
	ck_assert_int_eq(parse(&o, "--version"), 0);
	ck_assert_int_eq(o.mode, OPTS_VERSION);
}
END_TEST

START_TEST(file)
{
	struct opts o;

	ck_assert_int_eq(parse(&o, "--file f"), 0);
	ck_assert_int_eq(o.backend, OPTS_FILE);
	ck_assert_str_eq(o.file, "f");
	ck_assert(!o.size_given);
	ck_assert_int_eq(parse(&o, "--backend file --size 1M --thin --buffered "
			       "--file f --offset 4K --block-size 512"), 0);
	ck_assert_uint_eq(o.size_bytes, 1 << 20);
	ck_assert_uint_eq(o.offset_bytes, 4096);
	ck_assert_uint_eq(o.block_bytes, 512);
	ck_assert(o.thin && o.buffered);
	ck_assert_uint_eq(o.limit_bytes, 0);
	ck_assert_int_eq(parse(&o, "--file f --sizelimit 3M --size 3M"), 0);
	ck_assert_uint_eq(o.limit_bytes, 3 << 20);
	ck_assert_int_eq(parse(&o, "--recover 5 --file f --offset 1M"), 0);
	ck_assert_int_eq(opts_inherit(&o, OPTS_OF_LIFE, "file", "/g"), 0);
	ck_assert_int_eq(parse(&o, "--take-over s"), 0);
	ck_assert_int_eq(opts_inherit(&o, OPTS_OF_LIFE, "file", "/g"), 0);
	ck_assert_str_eq(o.file, "/g");
	ck_assert_int_eq(o.backend, OPTS_FILE);
	/* unless another sort of disk was asked for */
	ck_assert_int_eq(parse(&o, "--recover 5 --backend null"), 0);
	ck_assert_int_eq(opts_inherit(&o, OPTS_OF_LIFE, "file", "/g"), 0);
	ck_assert_int_eq(o.backend, OPTS_NULL);
	/* a server that died may still say which */
	ck_assert_int_eq(parse(&o, "--thin"), 0);
	ck_assert_int_eq(opts_check_disk(&o, err, sizeof(err)), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err, "give --file"));
	ck_assert_int_eq(parse(&o, "--file f --thin"), 0);
	ck_assert_int_eq(opts_check_disk(&o, err, sizeof(err)), 0);
}
END_TEST

START_TEST(lives)
{
	struct opts o;

	ck_assert_int_eq(parse(&o, "--recovery reissue --memory-file f "
			       "--io-flusher --size 1M --control none"), 0);
	ck_assert_int_eq(o.recovery, UBLKEV_RECOVERY_REISSUE);
	ck_assert_str_eq(o.memory_file, "f");
	ck_assert(o.io_flusher && o.size_given && o.no_control);
	ck_assert_ptr_null(o.control);
	ck_assert_int_eq(parse(&o, "--control none --control c"), 0);
	ck_assert_str_eq(o.control, "c");
	ck_assert(!o.no_control);
	ck_assert_int_eq(parse(&o, "--recover 5 --memory-file f --daemon "
			       "--size 2M --pidfile p"), 0);
	ck_assert_int_eq(o.recover_id, 5);
	ck_assert_int_eq(parse(&o, "--recover 0 --backend null --threads"),
			 0);
	ck_assert_int_eq(parse(&o, "--take-over s --daemon --control c "
			       "--stop-timeout 1 --stats 3 --threads"), 0);
	ck_assert_str_eq(o.take_over, "s");
	ck_assert_int_eq(parse(&o, "--unprivileged --recovery none"), 0);
	ck_assert(o.unprivileged);
}
END_TEST

START_TEST(recoveries)
{
	int i;

	for (i = 0; i < UBLKEV_NR_RECOVERIES; i++)
		ck_assert_int_eq(opts_recovery(opts_recovery_name(
					 (unsigned int)i)), i);
	ck_assert_str_eq(opts_recovery_name(UBLKEV_NR_RECOVERIES), "?");
	ck_assert_int_eq(opts_recovery("failio"), -1);
}
END_TEST

START_TEST(sizes)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 }, { "1", 1 }, { "007", 7 }, { "1K", 1024 },
		{ "2m", 2 << 20 }, { "1G", 1 << 30 },
		{ "16777215T", UINT64_C(16777215) << 40 },
		{ "18446744073709551615", UINT64_MAX },
	};
	static const char *const bad[] = {
		"", "-1", "-", "K", " 1", "1 ", "1KB", "1KiB", "0x10", "1.5G",
		"1P", "16777216T", "18446744073709551616",
		"99999999999999999999999", "1\n", "+1",
	};
	uint64_t v;
	unsigned int i;

	for (i = 0; i < TEST_COUNT(good); i++) {
		ck_assert_ptr_null(number_size(good[i].text, &v));
		ck_assert_uint_eq(v, good[i].bytes);
	}
	for (i = 0; i < TEST_COUNT(bad); i++)
		ck_assert_msg(number_size(bad[i], &v) != NULL, "'%s'", bad[i]);
}
END_TEST

/* a wrong command line, and words its one line of answer must have */
static const struct {
	const char *line;
	const char *word[3];
} wrong[] = {
	{ "--size ''", { "--size", "''", "empty" } },
	{ "--size 0", { "--size", "'0'", "too small" } },
	{ "--size 511", { "--size", "'511'", "512 bytes" } },
	{ "--size -5", { "--size", "'-5'", "negative" } },
	{ "--size 1x", { "--size", "'1x'", "K, M, G, T" } },
	{ "--size abc", { "--size", "'abc'", "not a number" } },
	{ "--size 99999999T", { "--size", "'99999999T'", "too large" } },
	{ "--size 8388608T", { "--size", "8388608T", "8 EiB" } },
	{ "--size 1000", { "--size", "'1000'", "block size 512" } },
	{ "--size 1536 --block-size 1024", { "--size", "1536", "1024" } },
	{ "--size", { "--size", "value", "missing" } },
	{ "--size --depth", { "--size", "'--depth'", "not a number" } },
	{ "--backend disk", { "--backend", "'disk'", "mem, file or null" } },
	{ "--queues 0", { "--queues", "'0'", "1 to 4096" } },
	{ "--sched-batch always", { "--sched-batch", "'always'", "auto, yes" } },
	{ "--queues automatic", { "--queues", "'automatic'", "or auto" } },
	{ "--queues 1K", { "--queues", "'1K'", "something else" } },
	{ "--queues 256", { "--queues", "'256'", "32767" } },
	{ "--threads-per-queue 65", { "--threads-per-queue", "65", "64" } },
	{ "--threads-per-queue 0", { "--threads-per-queue", "'0'", "1 to 64" } },
	{ "--threads-per-queue 64 --queues 65 --depth 1",
	  { "--threads-per-queue", "65 queues", "4096" } },
	{ "--threads-per-queue 2 --batch",
	  { "--batch", "--threads-per-queue", "leave it out" } },
	{ "--depth 4097", { "--depth", "'4097'", "1 to 4096" } },
	{ "--block-size 1000", { "--block-size", "1000", "power of two" } },
	{ "--block-size 8K", { "--block-size", "8K", "4096" } },
	{ "--block-size 256", { "--block-size", "256", "512" } },
	{ "--max-io 5000", { "--max-io", "5000", "multiple of 4K" } },
	{ "--max-io 64M", { "--max-io", "64M", "32M" } },
	{ "--max-io 2K", { "--max-io", "2K", "4K" } },
	{ "--id -1", { "--id", "'-1'", "leave it out" } },
	{ "--id 1048576", { "--id", "1048576", "1048575" } },
	{ "--wait 1001", { "--wait", "'1001'", "0 to 1000" } },
	{ "--stats 0", { "--stats", "'0'", "seconds" } },
	{ "--stats 1.5", { "--stats", "'1.5'", "whole seconds" } },
	{ "--stop-timeout 100000", { "--stop-timeout", "100000", "86400" } },
	{ "--stop-limit 86401", { "--stop-limit", "86401", "no limit" } },
	{ "--stop-limit -1", { "--stop-limit", "'-1'", "0 to 86400" } },
	{ "--pidfile ''", { "--pidfile", "''", "path" } },
	{ "--control ''", { "--control", "''", "path" } },
	{ "--control /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  { "--control", "too long", "107" } },
	{ "--delete x", { "--delete", "'x'", "ublkcN" } },
	{ "--delete 1 --size 1M", { "--size", "--delete", "leave it out" } },
	{ "--read-only --delete 1", { "--read-only", "--delete", "leave" } },
	{ "--copy twice", { "--copy", "'twice'", "zero" } },
	{ "--copy zero", { "--copy zero", "file", "another" } },
	{ "--copy zero-manual", { "--copy zero-manual", "file", "another" } },
	{ "--copy zero --backend null", { "--copy zero", "file", "another" } },
	{ "--file f --copy zero --unprivileged",
	  { "--copy zero", "--unprivileged", "leave it out" } },
	{ "--recovery", { "--recovery", "value", "missing" } },
	{ "--recovery fail", { "--recovery", "'fail'", "fail-io" } },
	{ "--recover x", { "--recover", "'x'", "ublkcN" } },
	{ "--recover 1 --memory-file ''", { "--memory-file", "''", "path" } },
	{ "--id 1 --recover 1", { "--id", "--recover", "leave it out" } },
	{ "--recover 1 --backend null --queues 2",
	  { "--queues", "--recover", "leave it out" } },
	{ "--recover 1 --backend null --recovery reissue",
	  { "--recovery", "--recover", "leave it out" } },
	{ "--take-over s --recover 1",
	  { "--recover", "--take-over", "leave" } },
	{ "--size 1M --take-over s", { "--size", "--take-over", "leave" } },
	{ "--take-over s --depth 2", { "--depth", "--take-over", "leave" } },
	{ "--take-over ''", { "--take-over", "''", "path" } },
	{ "--take-over s --delete 1", { "--take-over", "--delete", "leave" } },
	{ "--unprivileged --recovery reissue",
	  { "--recovery", "--unprivileged", "leave it out" } },
	{ "--file f --backend mem", { "--file", "mem", "leave it out" } },
	{ "--offset 1M --backend null",
	  { "--offset", "null", "leave it out" } },
	{ "--file f --memory-file m",
	  { "--memory-file", "--file", "leave it out" } },
	{ "--file ''", { "--file", "''", "path" } },
	{ "--file f --sizelimit 511", { "--sizelimit", "511", "small" } },
	{ "--sizelimit 1M --backend null",
	  { "--sizelimit", "null", "leave it out" } },
	{ "--file f --size 2M --sizelimit 1M",
	  { "--size", "--sizelimit", "lower it" } },
	{ "--file f --offset x", { "--offset", "'x'", "digits" } },
	{ "--take-over s --file f", { "--file", "--take-over", "leave" } },
	{ "--memory-file f --backend null",
	  { "--memory-file", "null", "mem" } },
	{ "--integrity crc32", { "--integrity", "crc32", "--help" } },
	{ "--zone-size 3M", { "--zone-size", "3M", "power of two" } },
	{ "--zone-size 4G", { "--zone-size", "4G", "too large" } },
	{ "--zone-size 2K", { "--zone-size", "2K", "too small" } },
	{ "--read-only=1", { "--read-only=1", "takes no value", "leave" } },
	{ "--verbose=1", { "--verbose=1", "takes no value", "leave" } },
	{ "--sizes 1M", { "--sizes", "unknown", "--help" } },
	{ "--s 1M", { "--s", "ambiguous", "--help" } },
	{ "-x", { "'-x'", "unknown", "--help" } },
	{ "--read-only -xv", { "'-x'", "unknown", "--help" } },
	{ "disk", { "'disk'", "none is expected", "--help" } },
	{ "-- --size", { "'--size'", "none is expected", "--help" } },
};

START_TEST(wrong_lines)
{
	struct opts o;
	unsigned int w;

	ck_assert_int_eq(parse(&o, wrong[_i].line), -EINVAL);
	for (w = 0; w < 3; w++)
		ck_assert_msg(strstr(err, wrong[_i].word[w]) != NULL,
			      "'%s': no '%s' in: %s", wrong[_i].line,
			      wrong[_i].word[w], err);
	ck_assert_ptr_null(strchr(err, '\n'));
	/* what one line leaves behind is nothing to the next */
	ck_assert_int_eq(parse(&o, "--size 1M"), 0);
}
END_TEST

START_TEST(unprintable)
{
	char name[] = "ublk-evdemo", opt[] = "--size", value[300];
	char *argv[] = { name, opt, value, NULL };
	struct opts o;

	memset(value, '\n', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	ck_assert_int_eq(opts_parse(&o, 3, argv, err, sizeof(err)), -EINVAL);
	ck_assert_ptr_null(strchr(err, '\n'));
	ck_assert_ptr_nonnull(strstr(err, "???..."));
	ck_assert_ptr_nonnull(strstr(err, "256M"));
}
END_TEST

static char told[512];

static void tell(void *unused, const char *name, const char *value)
{
	size_t at = strlen(told);

	(void)unused;
	snprintf(told + at, sizeof(told) - at, "%s=%s ", name,
		 value ? value : "");
}

/* whatever of zones was inherited: how they go together is judged at last */
static const struct {
	const char *line;
	const char *parts[3];
} bad_zones[] = {
	{ "--zone-size 16M --size 24M", { "--size", "25165824", "round" } },
	{ "--zone-size 1M --zone-capacity 2M",
	  { "--zone-capacity", "2097152", "lower" } },
	{ "--zone-size 1M --zone-capacity 700",
	  { "--zone-capacity", "700", "round" } },
	{ "--zone-size 64M --max-open-zones 5",
	  { "--max-open-zones", "4 zones", "lower" } },
	{ "--zone-size 64M --max-active-zones 5",
	  { "--max-active-zones", "4 zones", "lower" } },
	{ "--zone-size 64M --conventional-zones 5",
	  { "--conventional-zones", "4 zones", "lower" } },
	{ "--zone-size 64M --max-open-zones 3 --max-active-zones 2",
	  { "--max-open-zones", "3", "lower" } },
	{ "--max-open-zones 3", { "--max-open-zones", "--zone-size", "give" } },
	{ "--zone-capacity 4K", { "--zone-capacity", "--zone-size", "give" } },
	{ "--zone-size 1M --backend null",
	  { "--zone-size", "backend null", "leave it out" } },
	{ "--integrity t10-dif-type1-crc --file f",
	  { "--integrity", "--size", "give" } },
	{ "--integrity t10-dif-type1-crc --file f --size 1M --threads",
	  { "--threads", "--integrity", "leave it out" } },
	{ "--integrity t10-dif-type1-crc --file f --size 1M --copy zero",
	  { "--copy zero", "--integrity", "leave it out" } },
	{ "--integrity t10-dif-type1-ip --file f --size 1M --copy zero-manual",
	  { "--copy zero-manual", "--integrity", "leave it out" } },
	{ "--integrity t10-dif-type1-crc --backend null",
	  { "--integrity", "backend null", "leave it out" } },
	{ "--integrity ext-dif-type3-crc64 --zone-size 1M",
	  { "--integrity", "--zone-size", "leave it out" } },
	{ "--integrity t10-dif-type3-ip --unprivileged",
	  { "--unprivileged", "--integrity", "leave it out" } },
	{ "--zone-size 1M --threads",
	  { "--threads", "--zone-size", "leave it out" } },
	{ "--zone-size 1M --threads-per-queue 1",
	  { "--threads-per-queue", "--zone-size", "leave it out" } },
	{ "--zone-size 1M --unprivileged",
	  { "--unprivileged", "--zone-size", "leave it out" } },
};

START_TEST(zones_refused)
{
	struct opts o;
	size_t i;

	ck_assert_int_eq(parse(&o, bad_zones[_i].line), 0);
	ck_assert_int_eq(opts_check_disk(&o, err, sizeof(err)), -EINVAL);
	for (i = 0; i < 3; i++)
		ck_assert_msg(strstr(err, bad_zones[_i].parts[i]) != NULL,
			      "'%s' without '%s'", err, bad_zones[_i].parts[i]);
}
END_TEST

START_TEST(zones)
{
	struct opts o;

	ck_assert_int_eq(parse(&o, "--size 64M --zone-size 4M --zone-capacity "
			       "3M --max-open-zones 2 --max-active-zones 3 "
			       "--conventional-zones 16"), 0);
	ck_assert_int_eq(opts_check_disk(&o, err, sizeof(err)), 0);
	ck_assert_uint_eq(o.zone_bytes, 4 << 20);
	ck_assert_uint_eq(o.zone_capacity_bytes, 3 << 20);
	ck_assert_uint_eq(o.max_open_zones, 2);
	ck_assert_uint_eq(o.max_active_zones, 3);
	ck_assert_uint_eq(o.conventional_zones, 16);
	told[0] = '\0';
	opts_kept(&o, OPTS_OF_LIFE | OPTS_OF_DISK, tell, NULL);
	ck_assert_str_eq(told, "zone-size=4194304 zone-capacity=3145728 "
			 "max-open-zones=2 max-active-zones=3 "
			 "conventional-zones=16 size=67108864 ");
	/* one at a time, in whatever order */
	ck_assert_int_eq(parse(&o, "--recover 3 --memory-file /f"), 0);
	ck_assert_int_eq(opts_inherit(&o, OPTS_OF_LIFE, "max-open-zones", "2"),
			 0);
	ck_assert_int_eq(opts_inherit(&o, OPTS_OF_LIFE, "zone-size",
				      "2147483648"), 0);
	ck_assert_int_eq(opts_inherit(&o, OPTS_OF_DISK, "size", "4294967296"),
			 0);
	ck_assert_int_eq(opts_check_disk(&o, err, sizeof(err)), 0);
	ck_assert_int_eq(parse(&o, "--take-over x --zone-size 1M"), -EINVAL);
	ck_assert_int_eq(parse(&o, "--integrity t10-dif-type1-ip --size 1M "
			       "--memory-file /f"), 0);
	ck_assert_int_eq(o.integrity, UBLKEV_PI_T10_DIF_TYPE1_IP);
	ck_assert_int_eq(opts_check_disk(&o, err, sizeof(err)), 0);
	told[0] = '\0';
	opts_kept(&o, OPTS_OF_LIFE | OPTS_OF_DISK, tell, NULL);
	ck_assert_str_eq(told, "memory-file=/f integrity=t10-dif-type1-ip "
			 "size=1048576 ");
	ck_assert_int_eq(parse(&o, "--recover 1"), 0);
	ck_assert_int_eq(opts_inherit(&o, OPTS_OF_LIFE, "integrity",
				      "t10-dif-type1-ip"), 0);
	ck_assert_int_eq(o.integrity, UBLKEV_PI_T10_DIF_TYPE1_IP);
	/* the file says how many there are */
	ck_assert_int_eq(parse(&o, "--file f --zone-size 512M "
			       "--max-open-zones 99"), 0);
	ck_assert_int_eq(opts_check_disk(&o, err, sizeof(err)), 0);
}
END_TEST

START_TEST(flags)
{
	struct opts o;

	ck_assert_int_eq(parse(&o, ""), 0);
	ck_assert(!o.no_part_scan && !o.keep_scheduler && !o.read_only &&
		  !o.io_flusher);
	ck_assert_int_eq(parse(&o, "--no-part-scan --keep-scheduler "
			       "--force-kernel"), 0);
	ck_assert(o.force_kernel);
	ck_assert(o.no_part_scan && o.keep_scheduler && !o.read_only &&
		  !o.io_flusher);
	/* the scan is the device's; the scheduler is whoever's who serves */
	ck_assert_int_eq(parse(&o, "--take-over x --no-part-scan"), -EINVAL);
	ck_assert_int_eq(parse(&o, "--recover 3 --backend null "
			       "--no-part-scan"), -EINVAL);
	ck_assert_int_eq(parse(&o, "--take-over x --keep-scheduler"), 0);
}
END_TEST

/* what a successor takes on, and what it does not */
START_TEST(handed_on)
{
	struct opts o;

	ck_assert_int_eq(parse(&o, "--size 1M --threads --pidfile /p "
			       "--stop-timeout 5 --stop-limit 7 --daemon "
			       "--queues 2 --sched-batch yes"), 0);
	ck_assert_int_eq(o.sched_batch, OPTS_BATCH_YES);
	told[0] = '\0';
	opts_kept(&o, OPTS_OF_LIFE, tell, NULL);
	ck_assert_str_eq(told, "threads= sched-batch=yes stop-timeout=5 "
			 "stop-limit=7 pidfile=/p ");

	ck_assert_int_eq(parse(&o, "--take-over x --stop-timeout 30"), 0);
	ck_assert_int_eq(opts_inherit(&o, OPTS_OF_LIFE, "stop-timeout", "5"), 0);
	ck_assert_int_eq(opts_inherit(&o, OPTS_OF_LIFE, "stop-limit", "7"), 0);
	ck_assert_int_eq(opts_inherit(&o, OPTS_OF_LIFE, "wait", "0"), 0);
	ck_assert_int_eq(opts_inherit(&o, OPTS_OF_LIFE, "sched-batch", "no"),
			 0);
	ck_assert_int_eq(o.sched_batch, OPTS_BATCH_NO);
	ck_assert_int_eq(opts_inherit(&o, OPTS_OF_LIFE, "pidfile", "/p"), 0);
	ck_assert_int_eq(opts_inherit(&o, OPTS_OF_LIFE, "threads", NULL), 0);
	ck_assert_int_eq(opts_inherit(&o, OPTS_OF_LIFE, "threads-per-queue",
				      "4"), 0);
	ck_assert_uint_eq(o.threads_per_queue, 4);
	/* given here, though it is the default */
	ck_assert_uint_eq(o.stop_timeout_s, 30);
	ck_assert_uint_eq(o.stop_limit_s, 7);
	ck_assert_uint_eq(o.wait_us, 0);
	ck_assert_str_eq(o.pidfile, "/p");
	ck_assert(o.threads && !o.ring_fd);
	/* it is handed on to the next */
	told[0] = '\0';
	opts_kept(&o, OPTS_OF_LIFE, tell, NULL);
	ck_assert_str_eq(told, "threads= threads-per-queue=4 wait=0 sched-batch=no "
			 "stop-timeout=30 stop-limit=7 pidfile=/p ");

	ck_assert_int_eq(opts_inherit(&o, OPTS_OF_LIFE, "stats", "never"), -EINVAL);
	ck_assert_int_eq(opts_inherit(&o, OPTS_OF_LIFE, "stats", NULL), -EINVAL);
	ck_assert_int_eq(opts_inherit(&o, OPTS_OF_LIFE, "ring-fd", "1"), -EINVAL);
	ck_assert_int_eq(opts_inherit(&o, OPTS_OF_LIFE, "size", "1M"), -ENOENT);
	ck_assert_int_eq(opts_inherit(&o, OPTS_OF_LIFE, "of-the-future", NULL), -ENOENT);
	ck_assert(!o.ring_fd && !o.stats_s);
}
END_TEST

/* what a recovery needs besides, and what it may find nowhere */
START_TEST(handed_on_by_the_dead)
{
	const unsigned int all = OPTS_OF_LIFE | OPTS_OF_DISK;
	struct opts o;

	ck_assert_int_eq(parse(&o, "--backend null --size 3M --read-only "
			       "--wait 1 --block-size 1K --control none"), 0);
	told[0] = '\0';
	opts_kept(&o, all, tell, NULL);
	ck_assert_str_eq(told, "wait=1 backend=null size=3145728 "
			 "block-size=1024 read-only= control=none ");
	/* its file has the size of what is in a file */
	ck_assert_int_eq(parse(&o, "--size 3M --memory-file /f --control /c"),
			 0);
	told[0] = '\0';
	opts_kept(&o, all, tell, NULL);
	ck_assert_str_eq(told, "memory-file=/f control=/c ");

	ck_assert_int_eq(parse(&o, "--recover 1 --read-only"), 0);
	ck_assert_int_eq(opts_check_disk(&o, err, sizeof(err)), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err, "--recover: where are the data"));
	ck_assert_int_eq(opts_inherit(&o, all, "backend", "null"), 0);
	ck_assert_int_eq(opts_inherit(&o, all, "size", "3145728"), 0);
	ck_assert_int_eq(opts_inherit(&o, all, "block-size", "1024"), 0);
	ck_assert_int_eq(opts_inherit(&o, all, "control", "none"), 0);
	ck_assert_int_eq(opts_check_disk(&o, err, sizeof(err)), 0);
	ck_assert_int_eq(o.backend, OPTS_NULL);
	ck_assert_uint_eq(o.size_bytes, 3u << 20);
	ck_assert(o.size_given && o.no_control && o.read_only);
	ck_assert(opts_was_given(&o, "size") && !opts_was_given(&o, "wait"));
	/* from there a file of options that do not go together */
	ck_assert_int_eq(opts_inherit(&o, all, "memory-file", "/f"), 0);
	ck_assert_int_eq(opts_check_disk(&o, err, sizeof(err)), -EINVAL);
	ck_assert_int_eq(opts_inherit(&o, all, "recover", "2"), -ENOENT);
	ck_assert_int_eq(opts_inherit(&o, all, "daemon", NULL), -ENOENT);
}
END_TEST

START_TEST(help_names_all)
{
	static const char *const names[] = {
		"size", "backend", "block-size", "copy", "batch",
		"read-only",
		"huge-pages", "no-broker",
		"id", "queues", "depth", "max-io", "stats", "control",
		"stop-timeout", "stop-limit", "daemon", "pidfile", "delete", "verbose",
		"help", "version", "recovery", "recover", "memory-file",
		"file", "offset", "sizelimit", "thin", "buffered",
		"zone-size", "zone-capacity", "max-open-zones",
		"max-active-zones", "conventional-zones", "integrity",
		"unprivileged", "io-flusher", "take-over",
		"no-part-scan", "keep-scheduler", "force-kernel",
		"sched-batch",
	};
	char opt[32];
	unsigned int i;

	for (i = 0; i < TEST_COUNT(names); i++) {
		snprintf(opt, sizeof(opt), "--%s", names[i]);
		ck_assert_ptr_nonnull(strstr(opts_help, opt));
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("opts");
	TCase *t = tcase_create("opts");

	suite_add_tcase(s, t);
	tcase_add_test(t, defaults);
	tcase_add_test(t, everything);
	tcase_add_test(t, file);
	tcase_add_test(t, lives);
	tcase_add_test(t, recoveries);
	tcase_add_test(t, sizes);
	tcase_add_loop_test(t, wrong_lines, 0, TEST_COUNT(wrong));
	tcase_add_test(t, unprintable);
	tcase_add_test(t, zones);
	tcase_add_loop_test(t, zones_refused, 0, TEST_COUNT(bad_zones));
	tcase_add_test(t, flags);
	tcase_add_test(t, handed_on);
	tcase_add_test(t, handed_on_by_the_dead);
	tcase_add_test(t, help_names_all);
	return test_main(s);
}
