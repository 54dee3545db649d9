/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The broker and REG_BUF: the memory's file comes with the command, and is mapped
 * there for its time
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "broker_rig.h"
#include "testlib.h"

/* mapped by the broker as long as the driver looks at it, and no longer */
START_TEST(memory)
{
	int fd = memfd_create("clients", MFD_CLOEXEC);
	struct fake_seen seen;
	unsigned char there;
	int fds;

	ck_assert_int_eq(ftruncate(fd, 8192), 0);
	ck_assert_int_eq(pwrite(fd, "here", 5, 4096), 5);
	brig_send_dev();
	brig_done(0, UBLKEV__CTRL_GET_FEATURES, 0);
	fds = (int)test_fds(getpid());
	brig_ask_memory(0, fd, _i);
	seen = fake_cring_wait(0, UBLKEV__CTRL_REG_BUF);
	ck_assert_str_eq(seen.memory, "here");
	/* refused, for one is out, of which it changes nothing */
	brig_ask_memory(0, fd, false);
	brig_answered(0, -EBUSY);
	ck_assert_str_eq(seen.memory, "here");
	fake_cring_answer(0, 3, 0, 0);
	ck_assert_int_eq(brig_answered(0, 3).cmd, UBLKEV__CTRL_REG_BUF);
	ck_assert_int_eq(mincore((void *)(uintptr_t)seen.memory, 4096, &there),
			 -1);
	ck_assert_int_eq(errno, ENOMEM);
	/* no file, be it for want of a number; one that can't be mapped */
	brig_ask_memory(0, -1, false);
	brig_answered(0, -EMFILE);
	brig_ask_memory(0, brig_devs[0].fd, false);
	brig_answered(0, -ENODEV);
	/* not submitted */
	fake_cring_fail_submit(0, -ENOMEM);
	brig_ask_memory(0, fd, false);
	brig_answered(0, -ENOMEM);
	ck_assert_int_eq((int)test_fds(getpid()), fds);
	close(fd);
	brig_finish();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("broker_memory");
	TCase *tc = tcase_create("broker_memory");

	tcase_add_checked_fixture(tc, brig_setup, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, memory, 0, 2);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
