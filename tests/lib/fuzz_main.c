/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A main() for a fuzz target without libFuzzer: the files given, then a
 * fixed number of inputs from a seed that is printed and can be given.
 */
#include <stdio.h>
#include <stdlib.h>

#include "testlib.h"

#define INPUTS	200000
#define MAX	1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
	static uint8_t buf[1 << 20];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f) {
		perror(path);
		return EXIT_FAILURE;
	}
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	printf("%s: %zu bytes\n", path, n);
	LLVMFuzzerTestOneInput(buf, n);
	return EXIT_SUCCESS;
}

/* bytes by chance, many of them 0 or 0xff, where borders are */
static size_t make(struct test_rng *rng, uint8_t *buf)
{
	size_t i, n = test_rng_below(rng, test_rng_below(rng, MAX) + 1);
	uint64_t dense = test_rng_below(rng, 4);

	test_rng_fill(rng, buf, n);
	for (i = 0; i < n; i++)
		if (test_rng_below(rng, 4) < dense)
			buf[i] = test_rng_below(rng, 8) ? 0 : 0xff;
	return n;
}

int main(int argc, char **argv)
{
	uint8_t buf[MAX];
	struct test_rng rng;
	int i;

	for (i = 1; i < argc; i++)
		if (run_file(argv[i]))
			return EXIT_FAILURE;
	test_rng_init(&rng, test_seed(argv[0]));
	for (i = 0; i < INPUTS; i++)
		LLVMFuzzerTestOneInput(buf, make(&rng, buf));
	return EXIT_SUCCESS;
}
