/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the broker does all its life, on rings that the test answers for.
 * Channel and ring n are the n-th.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker_rig.h"
#include "testlib.h"
#include "uring/cdev.h"
#include "uring/chan.h"

static atomic_uint held_looks;		/* ublkc is held for so many */
static atomic_uint looks;
static atomic_int looked_id;

bool __wrap_ublkev__cdev_held(int id);

bool __wrap_ublkev__cdev_held(int id)
{
	looked_id = id;
	return ++looks <= held_looks;
}

static void hold_ublkc(unsigned int n)
{
	looks = 0;
	held_looks = n;
}

/* ---- commands ---------------------------------------------------------------------- */

START_TEST(carried)
{
	struct ublkev__carrier_done d;
	struct fake_seen seen;
	unsigned int cmd;

	brig_send_dev();
	for (cmd = 1; cmd < UBLKEV__NR_CTRL_CMDS; cmd++) {
		if (cmd == UBLKEV__CTRL_REG_BUF)
			continue;	/* see test_broker_memory */
		brig_ask(0, (enum ublkev__ctrl_cmd)cmd);
		seen = fake_cring_wait(0, (enum ublkev__ctrl_cmd)cmd);
		ck_assert_int_eq(seen.id, BRIG_ID);
		ck_assert_uint_eq(seen.data, 4711);
		ck_assert_uint_eq(seen.max_io_bytes, 65536);
		ck_assert_uint_eq(seen.dev_sectors, 8);
		fake_cring_answer(0, (int)cmd - 5, 9, 0x1fe);
		d = brig_answered(0, (int)cmd - 5);
		ck_assert_uint_eq(d.cmd, cmd);
		ck_assert_uint_eq(d.answer.features, 0x1fe);
		ck_assert_int_eq(d.answer.info.id, 9);
	}
	ck_assert_uint_eq(fake_cring_submits(0), UBLKEV__NR_CTRL_CMDS - 2);
	brig_finish();
}
END_TEST

START_TEST(cancelled)
{
	struct ublkev__chan_cmd c;

	brig_send_dev();
	brig_ask(0, UBLKEV__CTRL_START_DEV);
	fake_cring_wait(0, UBLKEV__CTRL_START_DEV);
	memset(&c, 0, sizeof(c));
	c.cancel = true;
	ck_assert_int_eq(ublkev__chan_send(brig_devs[0].fd, &c, sizeof(c)), 0);
	fake_cring_wait_cancel(0);
	fake_cring_answer(0, -EINTR, 0, 0);
	brig_answered(0, -EINTR);
	brig_finish();
}
END_TEST

START_TEST(refused)
{
	brig_send_dev();
	brig_ask(0, UBLKEV__CTRL_GET_FEATURES);
	fake_cring_wait(0, UBLKEV__CTRL_GET_FEATURES);
	brig_ask(0, UBLKEV__CTRL_STOP_DEV);
	ck_assert_int_eq(brig_answered(0, -EBUSY).cmd, UBLKEV__CTRL_STOP_DEV);
	fake_cring_answer(0, 0, 0, 0);
	brig_answered(0, 0);
	fake_cring_fail_submit(0, -ENOMEM);
	brig_ask(0, UBLKEV__CTRL_ADD_DEV);
	ck_assert_int_eq(brig_answered(0, -ENOMEM).cmd, UBLKEV__CTRL_ADD_DEV);
	brig_finish();
}
END_TEST

START_TEST(no_driver)
{
	fake_cring_fail_open(-ENOENT);
	brig_send_dev();
	brig_ask(0, UBLKEV__CTRL_GET_FEATURES);
	brig_answered(0, -ENOENT);
	fake_cring_fail_open(0);
	brig_send_dev();
	brig_done(1, UBLKEV__CTRL_GET_FEATURES, 0);
	brig_ask(0, UBLKEV__CTRL_GET_FEATURES);
	brig_answered(0, -ENOENT);
	brig_finish();
}
END_TEST

/* open once for all channels, and not without one: it keeps the module */
START_TEST(one_control)
{
	int control;

	brig_send_dev();
	brig_send_dev();
	brig_done(0, UBLKEV__CTRL_GET_FEATURES, 0);
	brig_done(1, UBLKEV__CTRL_GET_FEATURES, 0);
	control = fake_cring_control(0);
	ck_assert_int_eq(fake_cring_control(1), control);
	ck_assert_uint_eq(fake_cring_opens(), 1);
	brig_close_dev(0);
	fake_cring_wait_free(0);
	brig_done(1, UBLKEV__CTRL_GET_FEATURES, 0);
	ck_assert_int_ne(fcntl(control, F_GETFD), -1);
	brig_close_dev(1);
	fake_cring_wait_free(1);
	brig_send_dev();
	brig_done(2, UBLKEV__CTRL_GET_FEATURES, 0);
	ck_assert_uint_eq(fake_cring_opens(), 2);
	brig_finish();
}
END_TEST

/* nobody signals that a submission is to be tried again */
START_TEST(submitted_late)
{
	brig_send_dev();
	brig_done(0, UBLKEV__CTRL_GET_FEATURES, 0);
	fake_cring_delay_submit(0);
	brig_done(0, UBLKEV__CTRL_ADD_DEV, 0);
	fake_cring_delay_submit(0);
	brig_close_dev(0);
	brig_own(0, UBLKEV__CTRL_STOP_DEV, 0);
	brig_own(0, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	brig_finish();
}
END_TEST

START_TEST(no_ring)
{
	fake_cring_fail_new(-EMFILE);
	brig_send_dev();
	/* who waits for an answer is woken, and hears why there is none */
	ck_assert_int_eq(brig_answered(0, -EMFILE).cmd, UBLKEV__CTRL_NONE);
	brig_closed(0);
	fake_cring_fail_new(0);
	brig_send_dev();
	brig_ask(1, UBLKEV__CTRL_GET_FEATURES);
	fake_cring_answer(0, 0, 0, 0);
	brig_answered(1, 0);
	ck_assert_uint_eq(fake_cring_made(), 1);
	brig_finish();
}
END_TEST

START_TEST(garbage)
{
	static const size_t sizes[] = {
		0, 1, 8, sizeof(struct ublkev__chan_cmd) - 1,
		sizeof(struct ublkev__chan_cmd),
		sizeof(struct ublkev__chan_cmd) + 1,
	};
	char junk[sizeof(struct ublkev__chan_cmd) + 1] = { 0 };
	unsigned int i;

	for (i = 0; i < TEST_COUNT(sizes); i++) {
		brig_send_dev();
		ck_assert_int_eq(ublkev__chan_send(brig_devs[i].fd, junk,
						   sizes[i]), 0);
		brig_closed(i);
		fake_cring_wait_free(i);
		ck_assert_uint_eq(fake_cring_submits(i), 0);
	}
	brig_send_dev();
	brig_done(i, UBLKEV__CTRL_GET_FEATURES, 0);
	brig_finish();
}
END_TEST

/* to the broker's own socket: a message without descriptors, or with one */
START_TEST(garbage_for_descriptors)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = &control, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[2], i;
	char byte;

	ck_assert_int_eq(ublkev__chan_pair(fds), 0);
	memset(&control, 0, sizeof(control));
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(sendmsg(brig_main_fd, &m, MSG_NOSIGNAL), 1);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &fds[1], sizeof(int));
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
	}
	close(fds[1]);
	brig_wait_fd(fds[0]);	/* it does not keep the one */
	ck_assert_int_eq(ublkev__chan_recv(fds[0], &byte, 1), -EPIPE);
	close(fds[0]);
	brig_send_dev();
	brig_done(0, UBLKEV__CTRL_GET_FEATURES, 0);
	brig_finish();
}
END_TEST

/* ---- the other end is closed ------------------------------------------------------- */

START_TEST(nothing_added)
{
	brig_send_dev();
	brig_close_dev(0);
	fake_cring_wait_free(0);
	brig_send_dev();
	brig_done(1, UBLKEV__CTRL_GET_FEATURES, 0);
	brig_done(1, UBLKEV__CTRL_ADD_DEV, -EEXIST);
	brig_close_dev(1);
	fake_cring_wait_free(1);
	ck_assert_uint_eq(fake_cring_submits(1), 2);
	brig_finish();
}
END_TEST

START_TEST(deleted_before)
{
	static const int answers[] = { 0, -ENODEV };
	unsigned int i;

	for (i = 0; i < TEST_COUNT(answers); i++) {
		brig_added();
		brig_done(i, UBLKEV__CTRL_STOP_DEV, 0);
		brig_done(i, UBLKEV__CTRL_DEL_DEV, answers[i]);
		brig_close_dev(i);
		fake_cring_wait_free(i);
		ck_assert_uint_eq(fake_cring_submits(i), 3);
	}
	brig_finish();
}
END_TEST

START_TEST(orphan)
{
	brig_added();
	brig_close_dev(0);
	brig_own(0, UBLKEV__CTRL_STOP_DEV, 0);
	brig_own(0, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	fake_cring_wait_free(0);
	ck_assert_uint_eq(fake_cring_submits(0), 3);
	brig_finish();
}
END_TEST

/* its ring may be there still, and goes first */
START_TEST(orphan_with_a_ring)
{
	hold_ublkc(5);
	brig_added();
	brig_added();
	brig_close_dev(0);
	brig_done(1, UBLKEV__CTRL_GET_DEV_INFO, 0);	/* others are served */
	brig_own(0, UBLKEV__CTRL_STOP_DEV, 0);
	ck_assert_uint_eq(looks, 6);
	ck_assert_int_eq(looked_id, BRIG_ID);
	brig_own(0, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	ck_assert_uint_eq(looks, 6);
	hold_ublkc(0);
	brig_close_dev(1);
	brig_own(1, UBLKEV__CTRL_STOP_DEV, 0);
	brig_own(1, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	brig_finish();
}
END_TEST

/* its server lives, or a child of it: STOP_DEV comes all the same */
START_TEST(orphan_that_is_held)
{
	hold_ublkc(1000000);
	brig_added();
	brig_close_dev(0);
	brig_own(0, UBLKEV__CTRL_STOP_DEV, 0);
	ck_assert_uint_eq(looks, 100);
	brig_own(0, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	hold_ublkc(0);
	brig_finish();
}
END_TEST

/* the second device of a channel has not been stopped just as the first was */
START_TEST(orphan_added_again)
{
	brig_added();
	brig_done(0, UBLKEV__CTRL_STOP_DEV, 0);
	brig_done(0, UBLKEV__CTRL_DEL_DEV, 0);
	brig_done(0, UBLKEV__CTRL_ADD_DEV, 0);
	brig_close_dev(0);
	brig_own(0, UBLKEV__CTRL_STOP_DEV, 0);
	brig_own(0, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	brig_finish();
}
END_TEST

START_TEST(orphan_stopped)
{
	brig_added();
	brig_done(0, UBLKEV__CTRL_STOP_DEV, 0);
	brig_close_dev(0);
	brig_own(0, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	brig_finish();
}
END_TEST

START_TEST(while_adding)
{
	brig_send_dev();
	brig_left_alone(0, UBLKEV__CTRL_ADD_DEV);
	fake_cring_answer(0, -ECANCELED, 0, 0);
	fake_cring_wait_free(0);
	brig_send_dev();
	brig_left_alone(1, UBLKEV__CTRL_ADD_DEV);
	fake_cring_answer(1, 0, BRIG_ID, 0);
	brig_own(1, UBLKEV__CTRL_STOP_DEV, 0);
	brig_own(1, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	brig_finish();
}
END_TEST

START_TEST(while_starting)
{
	brig_added();
	brig_left_alone(0, UBLKEV__CTRL_START_DEV);
	fake_cring_answer(0, -EINTR, 0, 0);
	brig_own(0, UBLKEV__CTRL_STOP_DEV, 0);
	brig_own(0, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	brig_finish();
}
END_TEST

START_TEST(while_stopping)
{
	brig_added();
	brig_left_alone(0, UBLKEV__CTRL_STOP_DEV);
	usleep(20000);
	ck_assert_uint_eq(fake_cring_submits(0), 2);
	fake_cring_answer(0, 0, 0, 0);
	brig_own(0, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	/* taken back before it began: once more */
	brig_added();
	brig_left_alone(1, UBLKEV__CTRL_STOP_DEV);
	fake_cring_answer(1, -ECANCELED, 0, 0);
	brig_own(1, UBLKEV__CTRL_STOP_DEV, 0);
	brig_own(1, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	brig_finish();
}
END_TEST

START_TEST(while_deleting)
{
	static const int answers[] = { 0, -EINTR, -ECANCELED };
	unsigned int i;

	for (i = 0; i < TEST_COUNT(answers); i++) {
		brig_added();
		brig_done(i, UBLKEV__CTRL_STOP_DEV, 0);
		brig_left_alone(i, UBLKEV__CTRL_DEL_DEV);
		fake_cring_answer(i, answers[i], 0, 0);
		if (answers[i])
			brig_own(i, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
		fake_cring_wait_free(i);
	}
	brig_finish();
}
END_TEST

/* the command and the end of who sent it arrive together */
START_TEST(sent_and_closed)
{
	static const enum ublkev__ctrl_cmd cmds[] = {
		UBLKEV__CTRL_SET_PARAMS, UBLKEV__CTRL_START_DEV,
		UBLKEV__CTRL_STOP_DEV, UBLKEV__CTRL_DEL_DEV,
	};
	unsigned int i;

	for (i = 0; i < TEST_COUNT(cmds); i++) {
		brig_added();
		fake_cring_freeze();
		brig_ask(i, cmds[i]);
		brig_close_dev(i);
		fake_cring_thaw();
		fake_cring_wait(i, cmds[i]);
		fake_cring_wait_cancel(i);
		fake_cring_answer(i, -ECANCELED, 0, 0);
		brig_own(i, UBLKEV__CTRL_STOP_DEV, 0);
		brig_own(i, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
		fake_cring_wait_free(i);
	}
	brig_finish();
}
END_TEST

/* an end is closed with our message unread: what it had sent us is read first */
START_TEST(reset)
{
	int fds[2];
	char byte;

	ck_assert_int_eq(ublkev__chan_pair(fds), 0);
	ck_assert_int_eq(ublkev__chan_send(fds[0], "x", 1), 0);
	ck_assert_int_eq(ublkev__chan_send(fds[1], "y", 1), 0);
	close(fds[1]);
	if (_i)
		ck_assert_int_eq(ublkev__chan_send(fds[0], "x", 1), -EPIPE);
	ck_assert_int_eq(ublkev__chan_recv(fds[0], &byte, 1), 1);
	ck_assert_int_eq(byte, 'y');
	ck_assert_int_eq(ublkev__chan_recv(fds[0], &byte, 1), -EPIPE);
	close(fds[0]);
	brig_finish();
}
END_TEST

/* an answer that nobody reads any more: the socket then ends with a reset */
START_TEST(answer_unread)
{
	brig_send_dev();
	brig_ask(0, UBLKEV__CTRL_ADD_DEV);
	fake_cring_answer(0, 0, BRIG_ID, 0);
	brig_wait_fd(brig_devs[0].fd);
	brig_close_dev(0);
	brig_own(0, UBLKEV__CTRL_STOP_DEV, 0);
	brig_own(0, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	brig_finish();
}
END_TEST

START_TEST(given_up)
{
	brig_added();
	brig_close_dev(0);
	brig_own(0, UBLKEV__CTRL_STOP_DEV, -EPERM);
	brig_own(0, UBLKEV__CTRL_DEL_DEV_ASYNC, -EPERM);
	brig_own(0, UBLKEV__CTRL_DEL_DEV, -EPERM);
	fake_cring_wait_free(0);
	brig_added();
	fake_cring_fail_submit(1, -ENOMEM);
	brig_close_dev(1);
	fake_cring_wait_free(1);
	brig_finish();
}
END_TEST

START_TEST(old_kernel)
{
	brig_added();
	brig_close_dev(0);
	brig_own(0, UBLKEV__CTRL_STOP_DEV, 0);
	brig_own(0, UBLKEV__CTRL_DEL_DEV_ASYNC, -EOPNOTSUPP);
	brig_own(0, UBLKEV__CTRL_DEL_DEV, 0);
	brig_finish();
}
END_TEST

/* ---- many ---------------------------------------------------------------------------- */

START_TEST(independent)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		brig_added();
	brig_ask(1, UBLKEV__CTRL_START_DEV);
	fake_cring_wait(1, UBLKEV__CTRL_START_DEV);
	brig_left_alone(2, UBLKEV__CTRL_STOP_DEV);
	for (i = 0; i < 20; i++) {
		brig_done(0, UBLKEV__CTRL_SET_PARAMS, 0);
		brig_done(3, UBLKEV__CTRL_SET_PARAMS, 0);
	}
	brig_close_dev(0);
	brig_own(0, UBLKEV__CTRL_STOP_DEV, 0);
	brig_own(0, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	fake_cring_wait_free(0);
	/* the main socket's end leaves the channels that are there alone */
	brig_close_main();
	brig_done(3, UBLKEV__CTRL_START_DEV, 0);
	brig_done(3, UBLKEV__CTRL_STOP_DEV, 0);
	brig_done(3, UBLKEV__CTRL_DEL_DEV, 0);
	brig_close_dev(3);
	fake_cring_wait_free(3);
	fake_cring_answer(1, 0, 0, 0);
	brig_answered(1, 0);
	brig_close_dev(1);
	brig_own(1, UBLKEV__CTRL_STOP_DEV, 0);
	brig_own(1, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	fake_cring_wait_free(1);
	usleep(20000);
	ck_assert(!brig_has_ended());
	fake_cring_answer(2, 0, 0, 0);
	brig_own(2, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	brig_finish();
}
END_TEST

START_TEST(hundred)
{
	unsigned int i;

	for (i = 0; i < BRIG_DEVS; i++)
		brig_send_dev();
	for (i = 0; i < BRIG_DEVS; i++)
		brig_ask(i, UBLKEV__CTRL_ADD_DEV);
	for (i = BRIG_DEVS; i--; )
		fake_cring_answer(i, 0, BRIG_ID, 0);
	for (i = 0; i < BRIG_DEVS; i++)
		brig_answered(i, 0);
	for (i = 0; i < BRIG_DEVS; i += 2)
		brig_close_dev(i);
	for (i = 0; i < BRIG_DEVS; i += 2) {
		brig_own(i, UBLKEV__CTRL_STOP_DEV, 0);
		brig_own(i, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
		fake_cring_wait_free(i);
	}
	ck_assert_uint_eq(fake_cring_alive(), BRIG_DEVS / 2);
	for (i = 1; i < BRIG_DEVS; i += 2)
		brig_done(i, UBLKEV__CTRL_DEL_DEV, 0);
	brig_finish();
}
END_TEST

START_TEST(idle)
{
	usleep(20000);
	ck_assert(!brig_has_ended());
	brig_finish();
}
END_TEST

static void add_commands(TCase *tc)
{
	tcase_add_test(tc, idle);
	tcase_add_test(tc, carried);
	tcase_add_test(tc, cancelled);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, no_driver);
	tcase_add_test(tc, one_control);
	tcase_add_test(tc, submitted_late);
	tcase_add_test(tc, no_ring);
	tcase_add_test(tc, garbage);
	tcase_add_test(tc, garbage_for_descriptors);
	tcase_add_test(tc, independent);
	tcase_add_test(tc, hundred);
}

static void add_closed(TCase *tc)
{
	tcase_add_test(tc, nothing_added);
	tcase_add_test(tc, deleted_before);
	tcase_add_test(tc, orphan);
	tcase_add_test(tc, orphan_with_a_ring);
	tcase_add_test(tc, orphan_that_is_held);
	tcase_add_test(tc, orphan_added_again);
	tcase_add_test(tc, orphan_stopped);
	tcase_add_test(tc, while_adding);
	tcase_add_test(tc, while_starting);
	tcase_add_test(tc, while_stopping);
	tcase_add_test(tc, while_deleting);
	tcase_add_test(tc, sent_and_closed);
	tcase_add_loop_test(tc, reset, 0, 2);
	tcase_add_test(tc, answer_unread);
	tcase_add_test(tc, given_up);
	tcase_add_test(tc, old_kernel);
}

int main(void)
{
	Suite *suite = suite_create("broker_run");
	TCase *tc = tcase_create("broker_run");

	add_commands(tc);
	add_closed(tc);
	tcase_add_checked_fixture(tc, brig_setup, NULL);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
