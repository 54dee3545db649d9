/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices' carriers that use a broker, each through a channel of its own, on
 * this host: what is asked is answered, also after the broker was stopped,
 * after it was killed, and when it has no descriptor left. The driver is not
 * needed: without one the answers are errors.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ublkev.h>

#include "broker_kit.h"
#include "failalloc.h"
#include "testlib.h"
#include "uring_kit.h"

/* ---- carriers that use it ------------------------------------------------------------ */

START_TEST(carries)
{
	struct ublkev__carrier_done done;
	struct kit_control c;
	int i;

	kit_start();
	ck_assert_int_eq(kit_open(&c, kit_broker), 0);
	for (i = 0; i < 20; i++) {
		ublkev__carrier_cancel(c.carrier);	/* nothing pending */
		ck_assert(!ublkev__carrier_has_work(c.carrier));
		ck_assert(!ublkev__carrier_reap(c.carrier, &done));
		kit_works(&c);
	}
	ck_assert_int_eq(kill(kit_pid, SIGSTOP), 0);
	ck_assert_int_eq(kit_ask(&c), 0);
	ck_assert_int_eq(kit_ask(&c), -EBUSY);
	ublkev__carrier_cancel(c.carrier);
	ck_assert_int_eq(kill(kit_pid, SIGCONT), 0);
	kit_answer(&c);
	kit_close(&c);
	kit_wait_fds(kit_pid, KIT_FDS);
	kit_stop();
}
END_TEST

START_TEST(opens)
{
	struct kit_control c;
	int err;

	kit_start();
	ck_assert_int_eq(kit_open(&c, kit_broker), 0);
	err = ublkev__carrier_open(c.carrier);
	if (access("/dev/ublk-control", F_OK))
		ck_assert_int_eq(err, -ENOENT);
	else
		ck_assert_int_eq(err, 0);
	kit_close(&c);
	kit_stop();
}
END_TEST

/* the starter has stopped it, but what is there is served until its end */
START_TEST(outlives_the_stop)
{
	struct kit_control c;

	kit_start();
	ck_assert_int_eq(kit_open(&c, kit_broker), 0);
	ublkev_broker_stop(kit_broker);
	kit_works(&c);
	ck_assert(!kit_has_ended(kit_pid));
	kit_close(&c);
	kit_ended(kit_pid);
}
END_TEST

#define MANY 100

/* the broker stands still meanwhile: all of them wait for it in its socket */
START_TEST(many)
{
	static struct kit_control c[MANY];
	unsigned int i;

	kit_start();
	ck_assert_int_eq(kill(kit_pid, SIGSTOP), 0);
	for (i = 0; i < MANY; i++) {
		ck_assert_int_eq(kit_open(&c[i], kit_broker), 0);
		ck_assert_int_eq(kit_ask(&c[i]), 0);
	}
	ck_assert_int_eq(kill(kit_pid, SIGCONT), 0);
	for (i = 0; i < MANY; i++)
		ck_assert_int_eq(kit_answer(&c[i]).cmd,
				 UBLKEV__CTRL_GET_FEATURES);
	/* ublk-control once, where there is one */
	ck_assert_uint_ge(test_fds(kit_pid), KIT_FDS + KIT_FDS_DEV * MANY);
	ck_assert_uint_le(test_fds(kit_pid), KIT_FDS + KIT_FDS_DEV * MANY + 1);
	for (i = 0; i < MANY; i += 2)
		kit_close(&c[i]);
	for (i = 1; i < MANY; i += 2)
		kit_works(&c[i]);
	for (i = 1; i < MANY; i += 2)
		kit_close(&c[i]);
	kit_wait_fds(kit_pid, KIT_FDS);
	kit_stop();
}
END_TEST

START_TEST(control_without_memory)
{
	struct kit_control c = { .evfd = eventfd(0, EFD_CLOEXEC) };
	struct ublkev__alloc mem;
	bool failed = true;
	unsigned int fds, n;
	int err, leaked;

	ublkev__alloc_init(&mem, NULL, NULL);
	kit_start();
	fds = test_fds(getpid());
	for (n = 1; failed; n++) {
		failalloc_arm(n);
		err = ublkev__carrier_new(&c.carrier, &mem, c.evfd,
					  kit_broker);
		if (!err)
			ublkev__carrier_free(c.carrier);
		failed = failalloc_disarm(&leaked);
		ck_assert_int_eq(leaked, 0);
		ck_assert_int_eq(err, failed ? -ENOMEM : 0);
		ck_assert_uint_eq(test_fds(getpid()), fds);
	}
	ck_assert_uint_gt(n, 2);
	close(c.evfd);
	kit_stop();
}
END_TEST

/* ---- a broker that is killed ------------------------------------------------------------ */

START_TEST(killed)
{
	struct ublkev__carrier_done done;
	struct kit_control c, none;
	unsigned int fds;

	kit_start();
	ck_assert_int_eq(kit_open(&c, kit_broker), 0);
	kit_works(&c);
	ck_assert_int_eq(kill(kit_pid, SIGSTOP), 0);
	ck_assert_int_eq(kit_ask(&c), 0);
	ck_assert(!ublkev__carrier_has_work(c.carrier));
	kit_kill(kit_pid);
	ck_assert(ublkev__carrier_has_work(c.carrier));
	ublkev__carrier_cancel(c.carrier);
	ck_assert(ublkev__carrier_reap(c.carrier, &done));
	ck_assert_int_eq(done.cmd, UBLKEV__CTRL_GET_FEATURES);
	ck_assert_int_eq(done.answer.res, -EPIPE);
	ck_assert(!ublkev__carrier_has_work(c.carrier));
	ck_assert(!ublkev__carrier_reap(c.carrier, &done));
	ck_assert_int_eq(kit_ask(&c), -EPIPE);
	kit_close(&c);
	fds = test_fds(getpid());
	ck_assert_int_eq(kit_open(&none, kit_broker), -EPIPE);
	ck_assert_uint_eq(test_fds(getpid()), fds);
	ublkev_broker_stop(kit_broker);
}
END_TEST

static void on_dev(struct ev_loop *loop, struct ublkev_dev *dev, int revents)
{
	(void)loop;
	(void)dev;
	(void)revents;
	ck_abort_msg("an event of a device that was never started");
}

START_TEST(killed_before_a_device)
{
	struct ublkev_disk_conf disk_conf;
	struct ublkev_backend *disk;
	struct ublkev_conf conf;
	struct ublkev_dev dev;
	unsigned int fds;

	ublkev_disk_conf_init(&disk_conf, sizeof(disk_conf));
	disk_conf.dev_bytes = 1 << 20;
	ck_assert_int_eq(ublkev_null_new(&disk, &disk_conf), 0);
	kit_start();
	kit_kill(kit_pid);
	ublkev_conf_init(&conf, sizeof(conf));
	conf.broker = kit_broker;
	ck_assert_int_eq(ublkev_dev_init(&dev, on_dev, &conf, disk), 0);
	fds = test_fds(getpid());
	ck_assert_int_eq(ublkev_dev_start(NULL, &dev), -EPIPE);
	ck_assert_int_eq(dev.step, UBLKEV_STEP_SETUP);
	ck_assert_uint_eq(test_fds(getpid()), fds);
	ck_assert_ptr_nonnull(strstr(ublkev_explain(dev.step, -EPIPE),
				     "broker"));
	ublkev_dev_fini(&dev);
	ublkev_backend_free(disk);
	ublkev_broker_stop(kit_broker);
}
END_TEST

/* how the device hears that the broker cannot serve it */
static void refused(struct kit_control *c, bool asks_first)
{
	struct ublkev__carrier_done done;
	struct pollfd p = { .fd = c->evfd, .events = POLLIN };

	if (asks_first)
		ck_assert_int_eq(kit_ask(c), 0);
	ck_assert_int_eq(kill(kit_pid, SIGCONT), 0);
	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	if (asks_first) {
		ck_assert(ublkev__carrier_has_work(c->carrier));
		ck_assert(ublkev__carrier_reap(c->carrier, &done));
		ck_assert_int_eq(done.cmd, UBLKEV__CTRL_GET_FEATURES);
		ck_assert_int_eq(done.answer.res, -EMFILE);
	}
	ck_assert(!ublkev__carrier_reap(c->carrier, &done));
	ck_assert_int_eq(kit_ask(c), -EMFILE);
	ck_assert_int_eq(kit_ask(c), -EMFILE);
}

/*
 * _i / 2 descriptors more than it has; a device that is refused is told at
 * once, whether its command came before the refusal or after
 */
START_TEST(out_of_fds)
{
	struct rlimit limit, was;
	struct kit_control first, second;
	unsigned int fds;

	kit_start();
	ck_assert_int_eq(kit_open(&first, kit_broker), 0);
	kit_works(&first);
	fds = test_fds(kit_pid);
	ck_assert_int_eq(prlimit(kit_pid, RLIMIT_NOFILE, NULL, &was), 0);
	limit = was;
	limit.rlim_cur = fds + (rlim_t)_i / 2;
	ck_assert_int_eq(prlimit(kit_pid, RLIMIT_NOFILE, &limit, NULL), 0);
	ck_assert_int_eq(kill(kit_pid, SIGSTOP), 0);
	ck_assert_int_eq(kit_open(&second, kit_broker), 0);
	refused(&second, _i % 2);
	kit_close(&second);
	kit_wait_fds(kit_pid, fds);
	kit_works(&first);
	ck_assert_int_eq(prlimit(kit_pid, RLIMIT_NOFILE, &was, NULL), 0);
	ck_assert_int_eq(kit_open(&second, kit_broker), 0);
	kit_works(&second);
	kit_close(&second);
	kit_close(&first);
	kit_wait_fds(kit_pid, KIT_FDS);
	kit_stop();
}
END_TEST

START_TEST(refusal_explained)
{
	ck_assert_ptr_nonnull(strstr(ublkev_explain(UBLKEV_STEP_FEATURES,
						    -EMFILE), "broker"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("broker_channels");
	TCase *tc = tcase_create("broker_channels");

	tcase_add_checked_fixture(tc, kit_setup, NULL);
	tcase_add_test(tc, carries);
	tcase_add_test(tc, opens);
	tcase_add_test(tc, outlives_the_stop);
	tcase_add_test(tc, many);
	tcase_add_test(tc, control_without_memory);
	tcase_add_test(tc, killed);
	tcase_add_test(tc, killed_before_a_device);
	tcase_add_loop_test(tc, out_of_fds, 0, 2 * KIT_FDS_DEV);
	tcase_add_test(tc, refusal_explained);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return test_uring_main(suite);
}
