/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random requests to a zoned memory disk, beside a plain array of bytes and of
 * write pointers that says what each has to come to; the disk is given to another
 * server now and then.
 */
#include <errno.h>
#include <linux/blkzoned.h>
#include <string.h>
#include <unistd.h>

#include "backend/guard.h"
#include "mem_kit.h"
#include "testlib.h"

#define ZONE		16384u
#define NR		12u
#define CONV		2u
#define STEPS		4000u
#define MOST_OPEN	3u
#define MOST_ACTIVE	5u

static struct test_rng rng;
static struct ublkev_disk_conf conf;
static struct ublkev_backend *disk;

/* what is to be there */
static struct {
	char bytes[NR * ZONE];
	uint32_t wp[NR];
	uint8_t cond[NR];
} model;

static uint32_t capacity(void)
{
	return (uint32_t)conf.zone_capacity_bytes;
}

static unsigned int with(uint8_t a, uint8_t b, uint8_t c)
{
	unsigned int i, n = 0;

	for (i = CONV; i < NR; i++)
		n += model.cond[i] == a || model.cond[i] == b ||
		     model.cond[i] == c;
	return n;
}

static bool is_open(unsigned int i)
{
	return model.cond[i] == BLK_ZONE_COND_IMP_OPEN ||
	       model.cond[i] == BLK_ZONE_COND_EXP_OPEN;
}

/* which implicit one is closed is the disk's to choose: its report is believed */
static void learn_victims(void)
{
	struct blk_zone z[NR];
	struct ublkev_req req = {
		.op = UBLKEV_OP_REPORT_ZONES, .len_bytes = sizeof(z), .buf = z,
	};
	bool rejected;
	unsigned int i, closed = 0;

	ck_assert_int_eq(ublkev__guard_submit(disk, &req, &rejected), 0);
	for (i = CONV; i < NR; i++) {
		if (model.cond[i] == BLK_ZONE_COND_IMP_OPEN &&
		    z[i].cond != BLK_ZONE_COND_IMP_OPEN) {
			ck_assert_uint_eq(z[i].cond, model.wp[i] ?
					  BLK_ZONE_COND_CLOSED :
					  BLK_ZONE_COND_EMPTY);
			model.cond[i] = z[i].cond;
			closed++;
		}
		ck_assert_uint_eq(z[i].cond, model.cond[i]);
		ck_assert_uint_eq(z[i].wp, (i * ZONE + model.wp[i]) >> 9);
	}
	ck_assert_uint_le(closed, 1);
	ck_assert_uint_le(with(BLK_ZONE_COND_IMP_OPEN, BLK_ZONE_COND_EXP_OPEN,
			       0xff), MOST_OPEN);
}

/* what opening it comes to; 0: it is open then, if *cond says so */
static int may_open(unsigned int i)
{
	unsigned int open = with(BLK_ZONE_COND_IMP_OPEN,
				 BLK_ZONE_COND_EXP_OPEN, 0xff);
	unsigned int active = open + with(BLK_ZONE_COND_CLOSED, 0xff, 0xff);

	if (is_open(i))
		return 0;
	if (model.cond[i] == BLK_ZONE_COND_EMPTY && active >= MOST_ACTIVE)
		return -EOVERFLOW;
	if (open >= MOST_OPEN && !with(BLK_ZONE_COND_IMP_OPEN, 0xff, 0xff))
		return -ETOOMANYREFS;
	return 0;
}

static void fill_up(unsigned int i)
{
	model.cond[i] = BLK_ZONE_COND_FULL;
	model.wp[i] = ZONE;
}

/* a WRITE or append of that range: what it is to be answered, and what follows */
static int model_write(unsigned int i, uint32_t at, uint32_t len,
		       const char *data, bool append)
{
	int err;

	if (i < CONV) {
		if (append)
			return -EIO;
		memcpy(model.bytes + i * ZONE + at, data, len);
		return 0;
	}
	if (append)
		at = model.wp[i];
	if (model.cond[i] == BLK_ZONE_COND_FULL || at != model.wp[i] ||
	    at + len > capacity())
		return -EIO;
	err = may_open(i);
	if (err)
		return err;
	if (!is_open(i))
		model.cond[i] = BLK_ZONE_COND_IMP_OPEN;
	memcpy(model.bytes + i * ZONE + at, data, len);
	model.wp[i] += len;
	if (model.wp[i] == capacity())
		fill_up(i);
	return 0;
}

static void empty(unsigned int i)
{
	model.cond[i] = BLK_ZONE_COND_EMPTY;
	model.wp[i] = 0;
	memset(model.bytes + i * ZONE, 0, ZONE);
}

static int model_manage(unsigned int op, unsigned int i)
{
	int err;

	if (i < CONV)
		return -EIO;
	if (op == UBLKEV_OP_ZONE_FINISH) {
		fill_up(i);
	} else if (op == UBLKEV_OP_ZONE_RESET) {
		empty(i);
	} else if (op == UBLKEV_OP_ZONE_OPEN) {
		err = model.cond[i] == BLK_ZONE_COND_FULL ? -EIO : may_open(i);
		if (err)
			return err;
		model.cond[i] = BLK_ZONE_COND_EXP_OPEN;
	} else {
		if (model.cond[i] == BLK_ZONE_COND_EMPTY ||
		    model.cond[i] == BLK_ZONE_COND_FULL)
			return -EIO;
		model.cond[i] = model.wp[i] ? BLK_ZONE_COND_CLOSED
					    : BLK_ZONE_COND_EMPTY;
	}
	return 0;
}

static int submit(struct ublkev_req *req)
{
	bool rejected;
	int res = ublkev__guard_submit(disk, req, &rejected);

	while (res == UBLKEV_AGAIN)
		res = ublkev__guard_go_on(disk, req, &rejected);
	ck_assert(!rejected);
	return res;
}

static void write_some(unsigned int i)
{
	static char data[ZONE];
	bool append = test_rng_below(&rng, 2);
	uint32_t len = 512 * (1 + (uint32_t)test_rng_below(&rng, 12));
	uint32_t at = 512 * (uint32_t)test_rng_below(&rng, ZONE / 512);
	struct ublkev_req req = { .buf = data };
	uint32_t wp = model.wp[i];
	bool rejected;
	int want, err = 0;

	/* most of them right */
	if (i >= CONV && test_rng_below(&rng, 4))
		at = wp < ZONE ? wp : 0;
	if (at + len > ZONE)
		len = ZONE - at;
	if (append)
		at = 0;
	test_rng_fill(&rng, data, len);
	want = model_write(i, at, len, data, append);
	req.op = append ? UBLKEV_OP_ZONE_APPEND : UBLKEV_OP_WRITE;
	req.offset_bytes = i * ZONE + at;
	req.len_bytes = len;
	if (append)
		err = ublkev__guard_append(disk, &req, &rejected);
	if (!err)
		err = submit(&req);
	ck_assert_int_eq(err, want);
	if (append && !err)
		ck_assert_uint_eq(req.offset_bytes, i * ZONE + wp);
}

static void read_some(void)
{
	static char data[ZONE];
	uint32_t len = 512 * (1 + (uint32_t)test_rng_below(&rng, ZONE / 512));
	uint32_t i = (uint32_t)test_rng_below(&rng, NR);
	uint32_t at = 512 * (uint32_t)test_rng_below(&rng, ZONE / 512);
	struct ublkev_req req = { .op = UBLKEV_OP_READ, .buf = data };

	if (at + len > ZONE)
		len = ZONE - at;
	req.offset_bytes = i * ZONE + at;
	req.len_bytes = len;
	ck_assert_int_eq(submit(&req), 0);
	ck_assert_mem_eq(data, model.bytes + req.offset_bytes, len);
}

static void manage(unsigned int i)
{
	struct ublkev_req req = { .offset_bytes = i * ZONE };

	req.op = (uint8_t)(UBLKEV_OP_ZONE_OPEN + test_rng_below(&rng, 4));
	ck_assert_int_eq(model_manage(req.op, i), submit(&req));
}

static void reset_all(void)
{
	struct ublkev_req req = { .op = UBLKEV_OP_ZONE_RESET_ALL };
	unsigned int i;

	ck_assert_int_eq(submit(&req), 0);
	for (i = CONV; i < NR; i++)
		empty(i);
}

/* the states are in the memory's own file */
static void next_server(void)
{
	struct ublkev_backend *was = disk;

	mem_unserve(was);
	conf.fd = ublkev_mem_fd(was);
	ck_assert_int_ge(conf.fd, 0);
	ck_assert_int_eq(ublkev_mem_new(&disk, &conf), 0);
	ublkev_backend_free(was);
	mem_serve(disk);
}

START_TEST(beside_an_array)
{
	unsigned int n, i;

	test_rng_init(&rng, test_seed("beside_an_array"));
	memset(&model, 0, sizeof(model));
	for (i = CONV; i < NR; i++)
		model.cond[i] = BLK_ZONE_COND_EMPTY;
	ublkev_disk_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = NR * ZONE;
	conf.zone_bytes = ZONE;
	conf.zone_capacity_bytes = _i ? ZONE : ZONE - 4096;
	conf.max_open_zones = MOST_OPEN;
	conf.max_active_zones = MOST_ACTIVE;
	conf.conventional_zones = CONV;
	conf.flags = UBLKEV_DISK_SHARED;
	ck_assert_int_eq(ublkev_mem_new(&disk, &conf), 0);
	mem_serve(disk);
	for (n = 0; n < STEPS; n++) {
		i = (unsigned int)test_rng_below(&rng, NR);
		switch (test_rng_below(&rng, 16)) {
		case 0: case 1: case 2: case 3:
			manage(i);
			break;
		case 4: case 5: case 6: case 7:
			read_some();
			break;
		default:
			write_some(i);
		}
		if (!test_rng_below(&rng, 500))
			reset_all();
		if (!test_rng_below(&rng, 500))
			next_server();
		learn_victims();
	}
	mem_finish(disk);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zones_walk");
	TCase *tc = tcase_create("zones_walk");

	tcase_add_loop_test(tc, beside_an_array, 0, 2);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
