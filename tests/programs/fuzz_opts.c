/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Option parsing under libFuzzer: the input is an argument list, its
 * members ended by NUL. Run without libFuzzer, see the end.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ublk-evdemo/evdemo_opts.h"

#define MAX_ARGS 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int true_)
{
	if (!true_)
		abort();
}

static void check(const struct opts *o)
{
	if (o->mode != OPTS_SERVE)
		return;
	require(o->size_bytes >= 512 && o->size_bytes <= INT64_MAX);
	require(o->block_bytes >= 512 && o->block_bytes <= 4096);
	require(!(o->block_bytes & (o->block_bytes - 1)));
	require(o->size_bytes % o->block_bytes == 0);
	require(o->max_io_bytes >= 4096 && o->max_io_bytes <= 32 << 20);
	require(o->max_io_bytes % 4096 == 0);
	require(o->queues >= 1 && o->queues <= 4096);
	require(o->threads_per_queue <= 64);
	require(o->depth >= 1 && o->depth <= 4096);
	require(o->id >= -1 && o->id < 1 << 20);
	require(!o->zone_bytes || (o->zone_bytes >= 4096 &&
		!(o->zone_bytes & (o->zone_bytes - 1))));
	require(!o->control || strlen(o->control) <= 107);
	require(!o->pidfile || *o->pidfile);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv[MAX_ARGS + 2], *copy, name[] = "ublk-evdemo";
	char err[256] = "";
	struct opts o;
	int argc = 1;
	size_t at;

	copy = malloc(size + 1);
	require(copy != NULL);
	if (size)
		memcpy(copy, data, size);
	copy[size] = '\0';
	argv[0] = name;
	for (at = 0; at < size && argc <= MAX_ARGS; at += strlen(copy + at) + 1)
		argv[argc++] = copy + at;
	argv[argc] = NULL;
	if (opts_parse(&o, argc, argv, err, sizeof(err)))
		require(*err && !strchr(err, '\n'));
	else
		check(&o);
	free(copy);
	return 0;
}

#ifndef UBLKEV_LIBFUZZER
#include "testlib.h"

/* lines from words that mean something, then bytes in them changed */
static size_t make(struct test_rng *rng, char *buf)
{
	static const char *const word[] = {
		"--size", "256M", "--size=1T", "--backend", "mem", "null",
		"--threads-per-queue", "--batch",
		"--queues", "4", "--depth=", "0", "-1", "--block-size", "4096",
		"--max-io", "1M", "--id", "--read-only", "--huge-pages",
		"--zone-size", "--zone-capacity", "--max-open-zones",
		"--max-active-zones", "--conventional-zones",
		"--integrity", "t10-dif-type1-crc", "--disk", "mem:1G",
		"--no-broker", "--daemon", "--pidfile", "/x", "--stats", "--control",
		"--stop-timeout", "--stop-limit", "--sizelimit", "--force-kernel", "--delete", "-v", "-h", "--version", "--",
		"-vx", "--s", "", "99999999999999999999", "8388608T", "-",
	};
	uint64_t i, n = test_rng_below(rng, 10);
	const char *w;
	size_t len = 0;

	for (i = 0; i < n; i++) {
		w = word[test_rng_below(rng, TEST_COUNT(word))];
		memcpy(buf + len, w, strlen(w) + 1);
		len += strlen(w) + 1;
	}
	for (i = test_rng_below(rng, 3); len && i; i--)
		buf[test_rng_below(rng, len)] = (char)test_rng_next(rng);
	return len;
}

int main(void)
{
	struct test_rng rng;
	char buf[512];
	size_t len;
	int i;

	test_rng_init(&rng, test_seed("fuzz_opts"));
	for (i = 0; i < 200000; i++) {
		len = make(&rng, buf);
		LLVMFuzzerTestOneInput((const uint8_t *)buf, len);
	}
	return 0;
}
#endif
