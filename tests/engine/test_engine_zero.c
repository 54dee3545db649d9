/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Zero copy: the files of a stripe are read into the driver's own pages and
 * written from them, which the driver lends by itself, or a command each; what
 * they, or the ring's table, do not take is copied; and a client hears of the end
 * of its request when nobody has its pages any more.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "engine_stripe.h"
#include "ev/engine.h"

#define ZERO_FEATURES	(FAKE_F_USER_COPY | FAKE_F_AUTO_BUF_REG | \
			 FAKE_F_ZERO_COPY)

static void want_zero(bool by_hand)
{
	fake.features |= ZERO_FEATURES;
	stripe.r.conf.copy = by_hand ? UBLKEV_COPY_ZERO_MANUAL
				     : UBLKEV_COPY_ZERO;
}

static unsigned int nr_data(const struct ublkev_stats *s)
{
	return (unsigned int)(s->op[UBLKEV_OP_READ].reqs +
			      s->op[UBLKEV_OP_WRITE].reqs);
}

/* a file that does not take all pages, beside all the rest */
static int any_way_of_pages(const struct ublkev__fileop *op)
{
	if (op->lent && !test_rng_below(&stripe.rng, 8))
		return test_rng_below(&stripe.rng, 2) ? -EINVAL : -EFAULT;
	return stripe_any_way(op);
}

/*
 * Bit 0: queue threads; then BATCH_IO; then who lends; then what place() leaves
 * to submit()
 */
START_TEST(zero_copy)
{
	unsigned int i = (unsigned int)_i;
	struct ublkev_stats s;

	if (i % 2)
		stripe.r.conf.flags |= UBLKEV_CONF_QUEUE_THREADS;
	if (i / 2 % 2)
		stripe.r.conf.features = UBLKEV_F_BATCH_IO;
	stripe.submit_in_4 = i / 8;
	fake.features |= FAKE_F_BATCH_IO;
	want_zero(i / 4 % 2);
	fake.file = any_way_of_pages;
	/* of every request with data, and so often that it is with some */
	fake_rule(FAKE_LEND, 0, 20, 1, 0);
	fake_rule(FAKE_LEND, 0, 21, 1, 0);
	fake_rule(FAKE_LEND, 0, 40, 3, 0);
	stripe.r.conf.queues = STRIPE_QUEUES;
	stripe_up();
	stripe_serve();
	s = rig_stats(&stripe.r);
	ck_assert_uint_eq(stripe.places, stripe.placed);
	ck_assert(!stripe.submit_in_4 == !stripe.submits);
	ck_assert_uint_gt(s.lent, 0);
	ck_assert_uint_lt(s.lent, nr_data(&s));
	ck_assert_uint_gt(fake_counts.lent_ops, s.lent);
	ck_assert_uint_gt(fake_counts.part_copies, 0);
	ck_assert_uint_eq(s.inflight, 0);
	ck_assert_uint_eq(s.rejected, 0);
	/* a command each, of none that submit() got; five were refused */
	ck_assert(!fake_counts.registers == !(i / 4 % 2));
	ck_assert_uint_le(fake_counts.registers,
			  nr_data(&s) - stripe.submits + 5);
	ck_assert_uint_ge(fake_counts.registers, i / 4 % 2 ? s.lent : 0);
	rig_down(&stripe.r);
	ck_assert_uint_eq(fake_counts.left_bufs, 0);
}
END_TEST

static void up_zero(bool by_hand)
{
	want_zero(by_hand);
	rig_up(&stripe.r, stripe.backend);
}

/* nothing is copied, and no buffer is there */
START_TEST(zero_moves_nothing)
{
	static char data[4 * STRIPE_CHUNK], back[4 * STRIPE_CHUNK];

	test_rng_fill(&stripe.rng, data, sizeof(data));
	up_zero(_i);
	ck_assert_int_eq(stripe_io(FAKE_WRITE, 512, sizeof(data) - 512, data), 0);
	ck_assert_int_eq(stripe_io(FAKE_READ, 512, sizeof(data) - 512, back), 0);
	ck_assert_mem_eq(back, data, sizeof(data) - 512);
	ck_assert_int_eq(stripe_io(FAKE_FLUSH, 0, 0, NULL), 0);
	ck_assert_int_eq(stripe_io(FAKE_DISCARD, 0, STRIPE_CHUNK, NULL), 0);
	ck_assert_uint_eq(rig_stats(&stripe.r).lent, 2);
	ck_assert_uint_eq(fake_counts.part_copies, 0);
	ck_assert_uint_eq(fake_counts.lent_ops, 8);
	ck_assert_uint_eq(fake_counts.registers, _i ? 2 : 0);
	ck_assert_uint_eq(fake_counts.unregisters, _i ? 2 : 0);
	/* cut short under us: the client is told, and gets nobody's bytes */
	ck_assert_int_eq(ftruncate(stripe.fds[2], 100), 0);
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, 4 * STRIPE_CHUNK, back), -EIO);
	ck_assert_uint_eq(rig_stats(&stripe.r).lent, 2);
	rig_down(&stripe.r);
}
END_TEST

static int refuse_pages(const struct ublkev__fileop *op)
{
	return op->lent ? -EINVAL : FAKE_FILE_DO;
}

/*
 * 0: a file does not take them; 1: they have no slot; 2, 3: likewise, where a
 * command is to put them there. One line, not many
 */
START_TEST(zero_falls_back)
{
	static char data[4 * STRIPE_CHUNK], back[4 * STRIPE_CHUNK];

	test_rng_fill(&stripe.rng, data, sizeof(data));
	if (_i % 2)
		fake_rule(FAKE_LEND, 0, 1, FAKE_NEVER, 0);
	else
		fake.file = refuse_pages;
	up_zero(_i / 2);
	ck_assert_int_eq(stripe_io(FAKE_WRITE, 0, sizeof(data), data), 0);
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, sizeof(data), back), 0);
	ck_assert_mem_eq(back, data, sizeof(data));
	ck_assert_uint_eq(rig_stats(&stripe.r).lent, 0);
	ck_assert_uint_eq(fake_counts.part_copies, 2);
	ck_assert_uint_eq(stripe.places, 2);
	ck_assert_uint_eq(stripe.placed, 2);
	ck_assert_int_eq(stripe.last_err, 0);
	ck_assert_uint_eq(stripe.said.lines, 1);
	ck_assert_ptr_nonnull(strstr(stripe.said.line, "such requests are copied"));
	/* where they can't be had either: the driver does not copy, no memory */
	fake_rule(FAKE_COPY, 0, 1, 1, -EIO);
	ck_assert_int_eq(stripe_io(FAKE_WRITE, 0, sizeof(data), data), -EIO);
	ck_assert_int_eq(stripe.last_err, -EIO);
	rig_down(&stripe.r);
}
END_TEST

START_TEST(zero_no_buffers)
{
	static char data[STRIPE_CHUNK];

	fake_rule(FAKE_LEND, 0, 1, FAKE_NEVER, 0);
	fake_rule(FAKE_NEED_BUFS, 0, 1, 1, -ENOMEM);
	want_zero(_i);
	rig_init(&stripe.r, stripe.backend);
	rig_start(&stripe.r);
	rig_until(rig_is_live, &stripe.r);
	ck_assert_int_eq(stripe_io(FAKE_WRITE, 0, STRIPE_CHUNK, data), -ENOMEM);
	ck_assert_int_eq(stripe.last_err, -ENOMEM);
	ck_assert_int_eq(stripe_io(FAKE_WRITE, 0, STRIPE_CHUNK, data), 0);
	rig_down(&stripe.r);
}
END_TEST

/* a hole is zeroes, which the driver is given */
START_TEST(zero_of_no_file)
{
	static char data[4 * STRIPE_CHUNK], zeroes[STRIPE_CHUNK];

	memset(data, 0x5a, sizeof(data));
	stripe.hole = 2;
	up_zero(_i);
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, sizeof(data), data), 0);
	ck_assert_mem_eq(data + 2 * STRIPE_CHUNK, zeroes, STRIPE_CHUNK);
	ck_assert_uint_eq(fake_counts.part_copies, 1);
	ck_assert_uint_eq(fake_counts.lent_ops, 3);
	rig_down(&stripe.r);
}
END_TEST

/* of what submit() gets nothing is lent */
START_TEST(zero_by_hand_of_none)
{
	static char data[STRIPE_CHUNK], back[STRIPE_CHUNK];

	test_rng_fill(&stripe.rng, data, sizeof(data));
	stripe.submit_in_4 = 4;
	up_zero(true);
	ck_assert_int_eq(stripe_io(FAKE_WRITE, 0, sizeof(data), data), 0);
	ck_assert_int_eq(stripe_io(FAKE_READ, 0, sizeof(back), back), 0);
	ck_assert_mem_eq(back, data, sizeof(data));
	ck_assert_uint_eq(stripe.submits, 2);
	ck_assert_uint_eq(fake_counts.registers + fake_counts.unregisters, 0);
	rig_down(&stripe.r);
}
END_TEST

/* its client would wait for ever: the device ends, and the client hears of it */
START_TEST(zero_kept_pages)
{
	static char data[STRIPE_CHUNK];
	struct stripe_one one = { 0, 0 };

	fake_rule(FAKE_UNLEND, 0, 1, 1, -EINVAL);
	want_zero(true);
	stripe.r.conf.stop_timeout_ms = 20;
	stripe.r.conf.grace_ms = 20;
	rig_up(&stripe.r, stripe.backend);
	fake_submit(0, FAKE_READ, 0, sizeof(data), data, stripe_on_one, &one);
	rig_run();
	rig_check_stopped(&stripe.r, "LES");
	ck_assert_int_eq(stripe.r.dev.err, -EINVAL);
	ck_assert_uint_eq(one.done, 1);
	ck_assert_uint_eq(fake_counts.unregisters, 1);
	rig_fini(&stripe.r);
}
END_TEST

/* what backend and kernel lack */
START_TEST(zero_refused)
{
	struct ublkev_backend_ops ops = stripe_ops;
	struct ublkev_backend *other;

	ops.place = NULL;
	ck_assert_int_eq(ublkev_backend_new(&other, &ops, &stripe), 0);
	want_zero(_i);
	rig_init(&stripe.r, other);
	ck_assert_int_eq(ublkev_dev_start(rig_loop, &stripe.r.dev), -EOPNOTSUPP);
	ck_assert_int_eq(stripe.r.dev.step, UBLKEV_STEP_BACKEND);
	ck_assert_ptr_nonnull(strstr(stripe.said.line, "it has no place()"));
	ck_assert_uint_eq(stripe.said.lines, 1);
	rig_fini(&stripe.r);
	ublkev_backend_free(other);
	/* a kernel that does not lend copies */
	rig_conf(&stripe.r);
	want_zero(_i);
	fake.features = 0x1fe;
	rig_up(&stripe.r, stripe.backend);
	ck_assert(!(stripe.r.dev.priv->life.info.features & ZERO_FEATURES));
	rig_down(&stripe.r);
}
END_TEST

/*
 * The client hears of its end when nobody has its pages any more: at once, or
 * when the ring is gone. 4 .. 7: pages that a command has put there
 */
START_TEST(zero_aborted)
{
	static char data[3 * STRIPE_CHUNK];
	struct stripe_one one = { 0, 0 };

	bool stuck = _i / 2 % 2;

	want_zero(_i / 4);
	fake.file_stuck = stuck;
	stripe_begin(&one, FAKE_READ, _i % 2, data);
	ublkev_dev_abort(rig_loop, &stripe.r.dev);
	if (stuck) {
		rig_run_ms(5);
		ck_assert_uint_eq(one.done, 0);
	}
	rig_run();
	rig_check_stopped(&stripe.r, "LS");
	ck_assert_int_eq(one.res, -EIO);
	ck_assert_uint_eq(one.done, 1);
	ck_assert_uint_eq(fake_counts.file_cancels, 3);
	ck_assert_uint_eq(stripe.placed, !stuck);
	ck_assert_uint_eq(fake_counts.registers, _i / 4);
	ck_assert_uint_eq(fake_counts.unregisters, _i / 4);
	ck_assert_uint_eq(rig_stats(&stripe.r).lent, 0);
	rig_fini(&stripe.r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine_zero");
	TCase *tc = tcase_create("zero");

	tcase_add_checked_fixture(tc, stripe_setup, stripe_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, zero_copy, 0, 8 * 3);
	tcase_add_loop_test(tc, zero_moves_nothing, 0, 2);
	tcase_add_loop_test(tc, zero_falls_back, 0, 4);
	tcase_add_loop_test(tc, zero_no_buffers, 0, 2);
	tcase_add_loop_test(tc, zero_of_no_file, 0, 2);
	tcase_add_test(tc, zero_by_hand_of_none);
	tcase_add_test(tc, zero_kept_pages);
	tcase_add_loop_test(tc, zero_refused, 0, 2);
	tcase_add_loop_test(tc, zero_aborted, 0, 8);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
