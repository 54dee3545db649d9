/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The broker: which devices of dead servers it takes down, and which it keeps
 * for the next server
 */
#include <errno.h>
#include <unistd.h>

#include "broker_rig.h"
#include "testlib.h"

#define K612		0x1feu
#define K73		0x1fffffu

static const struct ublkev__ctrl_answer ok = { .info.id = BRIG_ID };

/* the next channel, to a kernel with those features */
static unsigned int begin(uint64_t kernel)
{
	const struct ublkev__ctrl_answer a = { .features = kernel };
	unsigned int nr = fake_cring_made();

	brig_send_dev();
	brig_told(nr, UBLKEV__CTRL_GET_FEATURES, &a);
	return nr;
}

static struct ublkev__ctrl_answer device(uint64_t features)
{
	return (struct ublkev__ctrl_answer){
		.info = { .id = BRIG_ID, .features = features },
	};
}

static unsigned int add(uint64_t kernel, uint64_t features)
{
	const struct ublkev__ctrl_answer a = device(features);
	unsigned int nr = begin(kernel);

	brig_told(nr, UBLKEV__CTRL_ADD_DEV, &a);
	return nr;
}

static unsigned int recover(uint64_t kernel)
{
	const struct ublkev__ctrl_answer a =
		device(UBLKEV__F(USER_RECOVERY));
	unsigned int nr = begin(kernel);

	brig_told(nr, UBLKEV__CTRL_GET_DEV_INFO, &a);
	brig_told(nr, UBLKEV__CTRL_GET_PARAMS, &ok);
	brig_told(nr, UBLKEV__CTRL_START_USER_RECOVERY, &ok);
	return nr;
}

/* nothing more is sent for it */
static void kept(unsigned int nr)
{
	unsigned int before = fake_cring_submits(nr);

	brig_close_dev(nr);
	fake_cring_wait_free(nr);
	ck_assert_uint_eq(fake_cring_submits(nr), before);
}

static void taken_down(unsigned int nr)
{
	brig_close_dev(nr);
	brig_own(nr, UBLKEV__CTRL_STOP_DEV, 0);
	brig_own(nr, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	fake_cring_wait_free(nr);
}

START_TEST(live)
{
	unsigned int nr = add(K612, UBLKEV__F(USER_RECOVERY));

	brig_told(nr, UBLKEV__CTRL_START_DEV, &ok);
	kept(nr);
	nr = add(K612, 0);
	brig_told(nr, UBLKEV__CTRL_START_DEV, &ok);
	taken_down(nr);
	brig_finish();
}
END_TEST

/* without a first server there is none to come after */
START_TEST(not_yet_live)
{
	unsigned int nr = add(K73, UBLKEV__F(USER_RECOVERY));

	brig_told(nr, UBLKEV__CTRL_SET_PARAMS, &ok);
	taken_down(nr);
	nr = add(K73, UBLKEV__F(USER_RECOVERY));
	brig_done(nr, UBLKEV__CTRL_START_DEV, -EINVAL);
	taken_down(nr);
	/* killed while it starts */
	nr = add(K73, UBLKEV__F(USER_RECOVERY));
	brig_left_alone(nr, UBLKEV__CTRL_START_DEV);
	fake_cring_answer(nr, -EINTR, 0, 0);
	brig_own(nr, UBLKEV__CTRL_STOP_DEV, 0);
	brig_own(nr, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	/* and it is live before it can be interrupted */
	nr = add(K73, UBLKEV__F(USER_RECOVERY));
	brig_left_alone(nr, UBLKEV__CTRL_START_DEV);
	fake_cring_answer(nr, 0, 0, 0);
	fake_cring_wait_free(nr);
	ck_assert_uint_eq(fake_cring_submits(nr), 3);
	brig_finish();
}
END_TEST

/* before 7.3 nobody else could have it */
START_TEST(half_recovered)
{
	taken_down(recover(K612));
	kept(recover(K73));
	brig_finish();
}
END_TEST

START_TEST(recovered)
{
	unsigned int nr = recover(_i ? K73 : K612);

	brig_told(nr, UBLKEV__CTRL_END_USER_RECOVERY, &ok);
	kept(nr);
	nr = recover(_i ? K73 : K612);
	brig_done(nr, UBLKEV__CTRL_END_USER_RECOVERY, -EBUSY);
	if (_i)
		kept(nr);
	else
		taken_down(nr);
	brig_finish();
}
END_TEST

/* killed while the command waits, which then comes off or not */
START_TEST(while_recovering)
{
	const struct ublkev__ctrl_answer a =
		device(UBLKEV__F(USER_RECOVERY));
	unsigned int nr = begin(K612);

	brig_told(nr, UBLKEV__CTRL_GET_DEV_INFO, &a);
	brig_left_alone(nr, UBLKEV__CTRL_START_USER_RECOVERY);
	fake_cring_answer(nr, _i ? -EBUSY : 0, 0, 0);
	if (!_i) {
		brig_own(nr, UBLKEV__CTRL_STOP_DEV, 0);
		brig_own(nr, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	}
	fake_cring_wait_free(nr);
	nr = recover(K612);
	brig_left_alone(nr, UBLKEV__CTRL_END_USER_RECOVERY);
	fake_cring_answer(nr, _i ? -EINTR : 0, 0, 0);
	if (_i) {
		brig_own(nr, UBLKEV__CTRL_STOP_DEV, 0);
		brig_own(nr, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	}
	fake_cring_wait_free(nr);
	brig_finish();
}
END_TEST

/* only looked at: not ours to take down, whatever it is */
START_TEST(looked_at)
{
	const struct ublkev__ctrl_answer a =
		device(_i ? UBLKEV__F(USER_RECOVERY) : 0);
	unsigned int nr = begin(K612);

	brig_told(nr, UBLKEV__CTRL_GET_DEV_INFO, &a);
	brig_told(nr, UBLKEV__CTRL_GET_DEV_INFO2, &a);
	brig_told(nr, UBLKEV__CTRL_GET_PARAMS, &ok);
	brig_done(nr, UBLKEV__CTRL_START_USER_RECOVERY, -EBUSY);
	kept(nr);
	brig_finish();
}
END_TEST

/* commands of somebody who does not serve it end where he ends */
START_TEST(commanded)
{
	static const enum ublkev__ctrl_cmd cmds[] = {
		UBLKEV__CTRL_STOP_DEV, UBLKEV__CTRL_TRY_STOP_DEV,
		UBLKEV__CTRL_QUIESCE_DEV, UBLKEV__CTRL_UPDATE_SIZE,
	};
	const struct ublkev__ctrl_answer a = device(0);
	unsigned int nr = begin(K73);

	brig_told(nr, UBLKEV__CTRL_GET_DEV_INFO2, &a);
	brig_told(nr, cmds[_i], &ok);
	kept(nr);
	nr = begin(K73);
	brig_told(nr, UBLKEV__CTRL_GET_DEV_INFO2, &a);
	brig_left_alone(nr, cmds[_i]);
	fake_cring_answer(nr, -EINTR, 0, 0);
	fake_cring_wait_free(nr);
	ck_assert_uint_eq(fake_cring_submits(nr), 3);
	brig_finish();
}
END_TEST

/* its server wanted it gone: then not for another one */
START_TEST(stop_begun)
{
	unsigned int nr = add(K73, UBLKEV__F(USER_RECOVERY));

	brig_told(nr, UBLKEV__CTRL_START_DEV, &ok);
	brig_told(nr, UBLKEV__CTRL_STOP_DEV, &ok);
	brig_close_dev(nr);
	brig_own(nr, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	fake_cring_wait_free(nr);
	nr = add(K73, UBLKEV__F(USER_RECOVERY));
	brig_told(nr, UBLKEV__CTRL_START_DEV, &ok);
	brig_left_alone(nr, UBLKEV__CTRL_STOP_DEV);
	fake_cring_answer(nr, -ECANCELED, 0, 0);
	brig_own(nr, UBLKEV__CTRL_STOP_DEV, 0);
	brig_own(nr, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	fake_cring_wait_free(nr);
	/* the same of one that was recovered */
	nr = recover(K612);
	brig_told(nr, UBLKEV__CTRL_END_USER_RECOVERY, &ok);
	brig_told(nr, UBLKEV__CTRL_STOP_DEV, &ok);
	brig_close_dev(nr);
	brig_own(nr, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	brig_finish();
}
END_TEST

START_TEST(deleted)
{
	unsigned int nr = add(K73, UBLKEV__F(USER_RECOVERY));

	brig_told(nr, UBLKEV__CTRL_START_DEV, &ok);
	brig_told(nr, UBLKEV__CTRL_STOP_DEV, &ok);
	brig_told(nr, UBLKEV__CTRL_DEL_DEV, &ok);
	kept(nr);
	brig_finish();
}
END_TEST

/* after TRY_STOP_DEV nobody can open it any more: it is to go */
START_TEST(try_stop_begun)
{
	unsigned int nr = add(K73, UBLKEV__F(USER_RECOVERY));

	brig_told(nr, UBLKEV__CTRL_START_DEV, &ok);
	brig_told(nr, UBLKEV__CTRL_TRY_STOP_DEV, &ok);
	brig_close_dev(nr);
	brig_own(nr, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	fake_cring_wait_free(nr);
	nr = add(K73, UBLKEV__F(USER_RECOVERY));
	brig_told(nr, UBLKEV__CTRL_START_DEV, &ok);
	brig_left_alone(nr, UBLKEV__CTRL_TRY_STOP_DEV);
	fake_cring_answer(nr, 0, 0, 0);
	brig_own(nr, UBLKEV__CTRL_DEL_DEV_ASYNC, 0);
	fake_cring_wait_free(nr);
	/* refused, it is what it was */
	nr = add(K73, UBLKEV__F(USER_RECOVERY));
	brig_told(nr, UBLKEV__CTRL_START_DEV, &ok);
	brig_done(nr, UBLKEV__CTRL_TRY_STOP_DEV, -EBUSY);
	kept(nr);
	brig_finish();
}
END_TEST

/* released, then the process ends: QUIESCE_DEV is no stop */
START_TEST(quiesced)
{
	unsigned int nr = add(K73, UBLKEV__F(USER_RECOVERY) |
			      UBLKEV__F(QUIESCE));

	brig_told(nr, UBLKEV__CTRL_START_DEV, &ok);
	brig_told(nr, UBLKEV__CTRL_QUIESCE_DEV, &ok);
	kept(nr);
	brig_finish();
}
END_TEST

/* the features travel with the broker's own commands: a path goes with them */
START_TEST(ordinary_users)
{
	unsigned int nr = add(K612, UBLKEV__F(UNPRIVILEGED_DEV));
	struct fake_seen seen;

	brig_close_dev(nr);
	seen = fake_cring_wait(nr, UBLKEV__CTRL_STOP_DEV);
	ck_assert_int_eq(seen.id, BRIG_ID);
	ck_assert_uint_eq(seen.features, UBLKEV__F(UNPRIVILEGED_DEV));
	fake_cring_answer(nr, 0, 0, 0);
	/* which it is refused */
	brig_own(nr, UBLKEV__CTRL_DEL_DEV_ASYNC, -EINVAL);
	seen = fake_cring_wait(nr, UBLKEV__CTRL_DEL_DEV);
	ck_assert_uint_eq(seen.features, UBLKEV__F(UNPRIVILEGED_DEV));
	fake_cring_answer(nr, 0, 0, 0);
	brig_finish();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("broker_keep");
	TCase *tc = tcase_create("broker_keep");

	tcase_add_test(tc, live);
	tcase_add_test(tc, not_yet_live);
	tcase_add_test(tc, half_recovered);
	tcase_add_loop_test(tc, recovered, 0, 2);
	tcase_add_loop_test(tc, while_recovering, 0, 2);
	tcase_add_loop_test(tc, looked_at, 0, 2);
	tcase_add_loop_test(tc, commanded, 0, 4);
	tcase_add_test(tc, stop_begun);
	tcase_add_test(tc, deleted);
	tcase_add_test(tc, try_stop_begun);
	tcase_add_test(tc, quiesced);
	tcase_add_test(tc, ordinary_users);
	tcase_add_checked_fixture(tc, brig_setup, NULL);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
