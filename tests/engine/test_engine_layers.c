/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The layers that a line of text makes: each against a plain array, by clients with
 * random requests, over memory and over files; then what each is there for.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine_stripe.h"

static struct ublkev_backend *disk;
static char path[2][64];

static void setup(void)
{
	unsigned int i;
	int fd;

	stripe_setup();
	for (i = 0; i < 2; i++) {
		strcpy(path[i], "/tmp/engine_layers.XXXXXX");
		fd = mkstemp(path[i]);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(ftruncate(fd, STRIPE_DISK_BYTES), 0);
		close(fd);
	}
	fake.features |= FAKE_F_NEED_GET_DATA | FAKE_F_USER_COPY;
	stripe.r.conf.log = test_log_fn;
}

static void teardown(void)
{
	ublkev_backend_free(disk);
	unlink(path[0]);
	unlink(path[1]);
	stripe_teardown();
}

/* a spec, where A and B stand for files */
static void make(const char *spec)
{
	char line[1024] = "";
	struct ublkev_disk_error why;
	const char *p;
	size_t n;

	for (p = spec; *p; p++) {
		n = strlen(line);
		if (*p == 'A' || *p == 'B')
			snprintf(line + n, sizeof(line) - n,
				 "[file:%s,block=512,buffered]",
				 path[*p == 'B']);
		else
			snprintf(line + n, sizeof(line) - n, "%c", *p);
	}
	ck_assert_msg(!ublkev_disk_new(&disk, line, NULL, &why), "%s: %zu: %s",
		      line, why.at, why.text);
}

/* ---- data ---------------------------------------------------------------------- */

static const struct {
	const char *spec;
	bool threads;
} stacks[] = {
	{ "part:offset=64K,size=512K,base=mem:1M", true },
	{ "part:offset=513K,base=A", true },
	{ "concat:base=mem:100K,base=A,base=mem:1536", true },
	{ "concat:base=A,base=[part:offset=512,base=B]", true },
	{ "stripe:chunk=4K,base=mem:512K,base=A", true },
	{ "stripe:chunk=512,base=mem:256K,base=A,base=B", true },
	{ "stripe:chunk=8K,base=[stripe:chunk=1K,base=A,base=mem:512K],base=B", true },
	{ "stats:base=[part:size=512K,base=[stripe:chunk=2K,base=A,base=B]]", true },
	{ "log:base=[stats:base=mem:1M]", false },
	{ "log:base=A", false },
	{ "fault:base=[stats:base=A]", false },
	{ "fault:delay=500us,jitter=1ms,chance=10,tail=2ms,tail-chance=5,base=A", false },
	{ "fault:iops=20000,ops=write,base=mem:1M", false },
	{ "fault:cache=32K,base=A", false },
	{ "fault:cache=1M,base=mem:1M", false },
	{ "fault:cache=16K,delay=1ms,chance=5,base=[stripe:chunk=512,base=A,base=B]", false },
};

#define STACKS	TEST_COUNT(stacks)

START_TEST(data_integrity)
{
	static const unsigned int rooms[] = { 1, 4, 64 };
	unsigned int i = (unsigned int)_i % STACKS;
	unsigned int mode = (unsigned int)_i / STACKS;

	if (stacks[i].threads && (i + mode) % 2)
		stripe.r.conf.flags |= UBLKEV_CONF_QUEUE_THREADS;
	fake.file_room = rooms[(i + mode) % 3];
	rig_mode(&stripe.r, mode);
	fake.file = stripe_any_way;
	stripe.r.conf.queues = STRIPE_QUEUES;
	stripe.r.conf.log = NULL;
	make(stacks[i].spec);
	stripe_up_over(disk);
	stripe_serve();
	ck_assert_uint_eq(rig_stats(&stripe.r).stale_answers, 0);
	ck_assert_uint_eq(rig_stats(&stripe.r).inflight, 0);
	ck_assert_uint_eq(rig_stats(&stripe.r).rejected, 0);
	rig_down(&stripe.r);
}
END_TEST

/* ---- what they refuse ---------------------------------------------------------------- */

static const struct { const char *spec; int err; const char *line; } misfits[] = {
	{ "part:offset=1M,base=mem:1M", -EOVERFLOW, "backend part: it ends behind what is beneath it" },
	{ "part:offset=1K,base=[mem:1M,block=4096]", -EINVAL, "no multiple of the block" },
	{ "part:size=2M,base=mem:1M", -EOVERFLOW, "it ends behind" },
	{ "stripe:chunk=1K,base=[mem:1M,block=4096]", -EINVAL, "its chunk is no multiple" },
	{ "stripe:chunk=1M,base=mem:512K,base=mem:1M", -EINVAL, "no room for one block" },
	{ "concat:base=mem:1536,base=[part:offset=1T,base=mem:1M]", -EOVERFLOW, "part beneath it does not open" },
};

START_TEST(refused)
{
	make(misfits[_i].spec);
	rig_init(&stripe.r, disk);
	ck_assert_int_eq(ublkev_dev_start(rig_loop, &stripe.r.dev),
			 misfits[_i].err);
	ck_assert_msg(strstr(stripe.said.line, misfits[_i].line), "%s",
		      stripe.said.line);
	rig_fini(&stripe.r);
}
END_TEST

/* ---- one by one -------------------------------------------------------------------- */

static char data[64 << 10], back[64 << 10];

static int io(uint32_t op, uint64_t offset, uint32_t len)
{
	return stripe_io(op, offset, len, op == FAKE_READ ? back : data);
}

START_TEST(stats)
{
	struct ublkev_layer_stats s;

	stripe.r.conf.copy = UBLKEV_COPY_USER;
	make("stats:base=[concat:base=mem:64K,base=A]");
	ck_assert_int_eq(ublkev_layer_stats(ublkev_disk_find(disk, "mem", 0),
					    &s, sizeof(s)), -EINVAL);
	ck_assert_int_eq(ublkev_layer_stats(disk, &s, 4), -EINVAL);
	rig_up(&stripe.r, disk);
	ck_assert_int_eq(io(FAKE_WRITE, 0, 4096), 0);
	ck_assert_int_eq(io(FAKE_READ, 64 << 10, 8192), 0);
	ck_assert_int_eq(io(FAKE_READ, (64 << 10) - 4096, 8192), 0);
	ck_assert_int_eq(io(FAKE_FLUSH, 0, 0), 0);
	rig_down(&stripe.r);
	ck_assert_int_eq(ublkev_layer_stats(disk, &s, sizeof(s)), 0);
	ck_assert_uint_eq(s.size, sizeof(s));
	ck_assert_uint_eq(s.reqs[UBLKEV_OP_WRITE], 1);
	ck_assert_uint_eq(s.reqs[UBLKEV_OP_READ], 2);
	ck_assert_uint_eq(s.bytes[UBLKEV_OP_READ], 16384);
	ck_assert_uint_eq(s.reqs[UBLKEV_OP_FLUSH], 1);
	ck_assert_uint_eq(s.errors[UBLKEV_OP_READ], 0);
	/* in memory; in the file; in both, which only submit() can do; a FLUSH too */
	ck_assert_uint_eq(s.mapped, 1);
	ck_assert_uint_eq(s.placed, 1);
	ck_assert_uint_eq(s.submitted, 2);
}
END_TEST

START_TEST(logs)
{
	stripe.r.conf.copy = UBLKEV_COPY_PLAIN;
	make("log:base=mem:1M");
	rig_up(&stripe.r, disk);
	ck_assert_int_eq(io(FAKE_WRITE | FAKE_F_FUA, 4096, 8192), 0);
	ck_assert_str_eq(stripe.said.line, "ublkb0: log: WRITE of 8192 at 4096, FUA: 0");
	rig_down(&stripe.r);
}
END_TEST

/* a range fails, of some ops; the rest is as if the layer were not there */
START_TEST(fails)
{
	struct ublkev_fault_rule rule;

	make("fault:error=ENOSPC,ops=write+discard,from=8K,to=16K,base=A");
	rig_up(&stripe.r, disk);
	ck_assert_int_eq(io(FAKE_WRITE, 4096, 4096), 0);
	ck_assert_int_eq(io(FAKE_WRITE, 4096, 8192), -ENOSPC);
	ck_assert_int_eq(io(FAKE_WRITE, 16384, 512), 0);
	ck_assert_int_eq(io(FAKE_WRITE, 15872, 512), -ENOSPC);
	ck_assert_int_eq(io(FAKE_DISCARD, 8192, 512), -ENOSPC);
	ck_assert_int_eq(io(FAKE_READ, 8192, 4096), 0);
	ck_assert_int_eq(io(FAKE_FLUSH, 0, 0), 0);
	ublkev_fault_rule_init(&rule, sizeof(rule));
	ck_assert_int_eq(ublkev_fault_set(disk, &rule), 0);
	ck_assert_int_eq(io(FAKE_WRITE, 8192, 4096), 0);
	rule.err = 5;
	ck_assert_int_eq(ublkev_fault_set(disk, &rule), -EINVAL);
	rule.err = 0;
	ck_assert_int_eq(ublkev_fault_set(ublkev_disk_find(disk, "file", 0),
					  &rule), -EINVAL);
	ck_assert_int_eq(ublkev_fault_cut(ublkev_disk_find(disk, "file", 0),
					  0), -EINVAL);
	rig_down(&stripe.r);
}
END_TEST

/* by chance: the same of the same seed, and about as often as it says */
START_TEST(chance)
{
	unsigned int i, round, bad[2] = { 0, 0 };
	bool was[200];

	for (round = 0; round < 2; round++) {
		make("fault:seed=42,error=EIO,chance=25,base=mem:1M");
		rig_up(&stripe.r, disk);
		for (i = 0; i < TEST_COUNT(was); i++) {
			bool is = io(FAKE_READ, 0, 512);

			ck_assert(!round || is == was[i]);
			was[i] = is;
			bad[round] += is;
		}
		rig_down(&stripe.r);
		if (!round)
			ublkev_backend_free(disk);
	}
	ck_assert_uint_ge(bad[0], 25);
	ck_assert_uint_le(bad[0], 80);
}
END_TEST

START_TEST(tears)
{
	unsigned int i, n, torn = 0;

	make("fault:seed=3,error=EIO,torn,ops=write,base=A");
	rig_up(&stripe.r, disk);
	for (n = 0; n < 8; n++) {
		memset(data, 1 + (int)n, 8192);
		ck_assert_int_eq(io(FAKE_WRITE, n * 8192, 8192), -EIO);
		ck_assert_int_eq(io(FAKE_READ, n * 8192, 8192), 0);
		for (i = 0; i < 8192 && back[i]; i++)
			ck_assert_int_eq(back[i], 1 + (int)n);
		/* whole blocks, and not all */
		ck_assert_uint_eq(i % 512, 0);
		ck_assert_uint_lt(i, 8192);
		torn += i > 0;
		for (; i < 8192; i++)
			ck_assert_int_eq(back[i], 0);
	}
	ck_assert_uint_gt(torn, 0);
	rig_down(&stripe.r);
}
END_TEST

/* until another rule is set; then they go on under that one */
START_TEST(stalls)
{
	struct stripe_one one[2] = { { 0, 0 } };
	struct ublkev_fault_rule rule;

	make("fault:stall,ops=write,base=mem:1M");
	rig_up(&stripe.r, disk);
	fake_submit(0, FAKE_WRITE, 0, 512, data, stripe_on_one, &one[0]);
	fake_submit(0, FAKE_WRITE, 512, 512, data, stripe_on_one, &one[1]);
	ck_assert_int_eq(io(FAKE_READ, 0, 512), 0);
	rig_run_ms(3);
	ck_assert_uint_eq(one[0].done + one[1].done, 0);
	ublkev_fault_rule_init(&rule, sizeof(rule));
	rule.to_bytes = 512;
	rule.err = -ETIMEDOUT;
	ck_assert_int_eq(ublkev_fault_set(disk, &rule), 0);
	rig_until(stripe_one_done, &one[0]);
	rig_until(stripe_one_done, &one[1]);
	ck_assert_int_eq(one[0].res, -ETIMEDOUT);
	ck_assert_int_eq(one[1].res, 0);
	rig_down(&stripe.r);
}
END_TEST

/* what is stalled, or delayed, when the device is aborted is given up */
START_TEST(aborted)
{
	struct stripe_one one = { 0, 0 };

	make(_i ? "fault:stall,base=A" : "fault:delay=600s,base=A");
	rig_up(&stripe.r, disk);
	fake_submit(0, FAKE_WRITE, 0, 512, data, stripe_on_one, &one);
	rig_run_ms(3);
	ck_assert_uint_eq(one.done, 0);
	ublkev_dev_abort(rig_loop, &stripe.r.dev);
	rig_run();
	rig_check_stopped(&stripe.r, "LS");
	ck_assert_int_eq(one.res, -EIO);
	rig_fini(&stripe.r);
}
END_TEST

/* ---- power cuts -------------------------------------------------------------------------- */

#define BLOCKS	64u
#define BLOCK	512u

/* what each block may be: what was durable, or was written after that */
static struct {
	bool may[256];
	unsigned char last;
} model[BLOCKS];

static void is_only(unsigned int i, unsigned char v)
{
	memset(model[i].may, 0, sizeof(model[i].may));
	model[i].may[v] = true;
	model[i].last = v;
}

static void write_some(void)
{
	unsigned int at = (unsigned int)test_rng_below(&stripe.rng, BLOCKS);
	unsigned int n = 1 + (unsigned int)test_rng_below(&stripe.rng, 8), i;
	bool fua = !test_rng_below(&stripe.rng, 6);
	unsigned char v = (unsigned char)test_rng_next(&stripe.rng);

	if (n > BLOCKS - at)
		n = BLOCKS - at;
	memset(data, v, n * BLOCK);
	ck_assert_int_eq(io(FAKE_WRITE | (fua ? FAKE_F_FUA : 0), at * BLOCK,
			    n * BLOCK), 0);
	for (i = at; i < at + n; i++) {
		model[i].last = v;
		model[i].may[v] = true;
		if (fua)
			is_only(i, v);
	}
}

static void flush(void)
{
	unsigned int i;

	ck_assert_int_eq(io(FAKE_FLUSH, 0, 0), 0);
	for (i = 0; i < BLOCKS; i++)
		is_only(i, model[i].last);
}

/* each block is one that it may be; how many lost something */
static unsigned int look(void)
{
	unsigned int i, j, lost = 0;
	unsigned char v;

	ck_assert_int_eq(io(FAKE_READ, 0, BLOCKS * BLOCK), 0);
	for (i = 0; i < BLOCKS; i++) {
		v = (unsigned char)back[i * BLOCK];
		for (j = 0; j < BLOCK; j++)
			TEST_HOLDS((unsigned char)back[i * BLOCK + j] == v);
		TEST_HOLDS(model[i].may[v]);
		lost += v != model[i].last;
		is_only(i, v);
	}
	return lost;
}

/* bit 0: over memory, or a file; keeping 0, 50, 100 of 100 */
START_TEST(cuts)
{
	unsigned int keep = (unsigned int)_i / 2 * 50, n, i, lost = 0;

	make(_i % 2 ? "fault:seed=5,cache=64K,base=A" :
		      "fault:seed=6,cache=8K,base=mem:1M");
	for (i = 0; i < BLOCKS; i++)
		is_only(i, 0);
	rig_up(&stripe.r, disk);
	for (n = 0; n < 30; n++) {
		for (i = 0; i < 20; i++)
			if (test_rng_below(&stripe.rng, 10))
				write_some();
			else
				flush();
		ck_assert_int_eq(ublkev_fault_cut(disk, keep), 0);
		ck_assert_int_eq(io(FAKE_READ, 0, BLOCK), -EIO);
		ck_assert_int_eq(io(FAKE_WRITE, 0, BLOCK), -EIO);
		ck_assert_int_eq(io(FAKE_FLUSH, 0, 0), -EIO);
		ck_assert_int_eq(ublkev_fault_power(disk), 0);
		lost += look();
	}
	ck_assert(keep == 100 ? !lost : lost > 0);
	rig_down(&stripe.r);
}
END_TEST

/* after so many writes, by itself */
START_TEST(cut_after)
{
	unsigned int i;

	make("fault:cut-after=3,cache=1M,base=mem:1M");
	rig_up(&stripe.r, disk);
	memset(data, 7, 512);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(io(FAKE_WRITE, i * 512, 512), 0);
	ck_assert_int_eq(io(FAKE_READ, 0, 512), 0);
	ck_assert_int_eq(back[0], 7);
	ck_assert_int_eq(io(FAKE_WRITE, 3 * 512, 512), -EIO);
	ck_assert_int_eq(io(FAKE_READ, 0, 512), -EIO);
	ck_assert_int_eq(ublkev_fault_power(disk), 0);
	ck_assert_int_eq(io(FAKE_READ, 0, 512), 0);
	ck_assert_int_eq(back[0], 0);
	rig_down(&stripe.r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_layers");
	TCase *tc = tcase_create("layers");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, data_integrity, 0, (int)STACKS * RIG_MODES);
	tcase_add_loop_test(tc, refused, 0, (int)TEST_COUNT(misfits));
	tcase_add_test(tc, stats);
	tcase_add_test(tc, logs);
	tcase_add_test(tc, fails);
	tcase_add_test(tc, chance);
	tcase_add_test(tc, tears);
	tcase_add_test(tc, stalls);
	tcase_add_loop_test(tc, aborted, 0, 2);
	tcase_add_loop_test(tc, cuts, 0, 6);
	tcase_add_test(tc, cut_after);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
