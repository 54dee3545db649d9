/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random requests to a zoned disk in memory, or in a file, beside a plain array of
 * bytes and of write pointers that says what each has to come to; the disk is given
 * to another server now and then.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/blkzoned.h>
#include <string.h>
#include <sys/mman.h>
#include <ublkev/file.h>
#include <unistd.h>

#include "backend/guard.h"
#include "core/placed.h"
#include "mem_kit.h"
#include "testlib.h"

#define ZONE		65536u
#define NR		12u
#define CONV		2u
#define STEPS		4000u
#define MOST_OPEN	3u
#define MOST_ACTIVE	5u

static struct test_rng rng;
static struct ublkev_disk_conf conf;
static struct ublkev_backend *disk;
static int file = -1;		/* of a disk in a file */
static uint32_t unit;		/* a block */

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

static int do_op(const struct ublkev__fileop *op)
{
	switch (op->kind) {
	case UBLKEV__FILEOP_READ:
		return (int)pread(op->fd, op->addr, op->len_bytes,
				  (off_t)op->offset_bytes);
	case UBLKEV__FILEOP_WRITE:
		return (int)pwrite(op->fd, op->addr, op->len_bytes,
				   (off_t)op->offset_bytes);
	default:
		ck_assert_uint_eq(op->kind, UBLKEV__FILEOP_PUNCH);
		return fallocate(op->fd, FALLOC_FL_PUNCH_HOLE |
				 FALLOC_FL_KEEP_SIZE, (off_t)op->offset_bytes,
				 (off_t)op->len_bytes);
	}
}

/* as the engine has it done */
static int place(struct ublkev_req *req)
{
	struct ublkev_extent x[UBLKEV_MAX_EXTENTS];
	static struct ublkev__placed p;
	struct ublkev__fileop op;
	bool rejected;
	int n = ublkev__guard_place(disk, req, x, &rejected);

	ck_assert(!rejected);
	if (n < 0)
		return n;
	if (!n)
		return ublkev__guard_submit(disk, req, &rejected);
	ublkev__placed_started(&p, req, x, (unsigned int)n, UBLKEV__WAY_BUF,
			       req->buf);
	while (ublkev__placed_next(&p, &op))
		ck_assert_int_eq(ublkev__placed_cqe(&p, op.piece,
						    do_op(&op)), 0);
	ck_assert(ublkev__placed_over(&p));
	return ublkev__guard_placed(disk, req, p.err);
}

static int submit(struct ublkev_req *req)
{
	bool rejected;
	int res;

	if (file >= 0)
		return place(req);
	res = ublkev__guard_submit(disk, req, &rejected);

	while (res == UBLKEV_AGAIN)
		res = ublkev__guard_go_on(disk, req, &rejected);
	ck_assert(!rejected);
	return res;
}

static void write_some(unsigned int i)
{
	static char data[ZONE];
	bool append = test_rng_below(&rng, 2);
	uint32_t len = unit * (1 + (uint32_t)test_rng_below(&rng, 6));
	uint32_t at = unit * (uint32_t)test_rng_below(&rng, ZONE / unit);
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
	uint32_t len = unit * (1 + (uint32_t)test_rng_below(&rng, ZONE / unit));
	uint32_t i = (uint32_t)test_rng_below(&rng, NR);
	uint32_t at = unit * (uint32_t)test_rng_below(&rng, ZONE / unit);
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

static int make_disk(int fd)
{
	struct ublkev_file_conf of_file;

	if (file < 0) {
		conf.fd = fd;
		return ublkev_mem_new(&disk, &conf);
	}
	ublkev_file_conf_init(&of_file, sizeof(of_file));
	of_file.fd = fd;
	of_file.offset_bytes = 8192;
	of_file.dev_bytes = conf.dev_bytes;
	of_file.zone_bytes = conf.zone_bytes;
	of_file.zone_capacity_bytes = conf.zone_capacity_bytes;
	of_file.max_open_zones = conf.max_open_zones;
	of_file.max_active_zones = conf.max_active_zones;
	of_file.conventional_zones = conf.conventional_zones;
	return ublkev_file_new(&disk, NULL, &of_file);
}

/* the states are in the memory's own file, or in the holes of the other */
static void next_server(void)
{
	struct ublkev_backend *was = disk;
	unsigned int i;

	mem_unserve(was);
	ck_assert_int_eq(make_disk(file < 0 ? ublkev_mem_fd(was) : file), 0);
	ublkev_backend_free(was);
	mem_serve(disk);
	for (i = CONV; i < NR && file >= 0; i++)
		if (is_open(i))
			model.cond[i] = model.wp[i] ? BLK_ZONE_COND_CLOSED
						    : BLK_ZONE_COND_EMPTY;
}

static void walk_step(void)
{
	unsigned int i = (unsigned int)test_rng_below(&rng, NR);

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
	if (!test_rng_below(&rng, 300))
		next_server();
	learn_victims();
}

/* in memory, all of a zone or less of it; in a file likewise */
START_TEST(beside_an_array)
{
	unsigned int i;

	test_rng_init(&rng, test_seed("beside_an_array"));
	memset(&model, 0, sizeof(model));
	for (i = CONV; i < NR; i++)
		model.cond[i] = BLK_ZONE_COND_EMPTY;
	ublkev_disk_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = NR * ZONE;
	conf.zone_bytes = ZONE;
	conf.zone_capacity_bytes = _i % 2 ? ZONE : ZONE - 4096;
	conf.max_open_zones = MOST_OPEN;
	conf.max_active_zones = MOST_ACTIVE;
	conf.conventional_zones = CONV;
	conf.flags = UBLKEV_DISK_SHARED;
	unit = _i < 2 ? 512 : 4096;
	if (_i >= 2) {
		file = memfd_create("zones", MFD_CLOEXEC);
		ck_assert_int_ge(file, 0);
		ck_assert_int_eq(ftruncate(file, 8192 + NR * ZONE), 0);
	}
	ck_assert_int_eq(make_disk(file), 0);
	mem_serve(disk);
	for (i = 0; i < STEPS; i++)
		walk_step();
	mem_finish(disk);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zones_walk");
	TCase *tc = tcase_create("zones_walk");

	tcase_add_loop_test(tc, beside_an_array, 0, 4);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
