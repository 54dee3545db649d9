/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What carrier_ring lends the driver, and what it makes of what the driver
 * writes there. ublkev__sqe_ctrl() is ours (ld --wrap): it plays the driver,
 * and a NOP takes the command's place in the ring.
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "testlib.h"
#include "uring_kit.h"
#include "uring/abi.h"
#include "uring/carrier.h"
#include "uring/sqe.h"

void __wrap_ublkev__sqe_ctrl(struct io_uring_sqe *sqe, int fd, uint32_t op,
			     const struct abi_ctrl_cmd *cmd, uint64_t udata);

static struct {
	struct ublkev__alloc mem;
	struct ublkev__carrier *carrier;
	int evfd;
	/* as the driver saw it */
	uint32_t op;
	struct abi_ctrl_cmd cmd;
	unsigned char lent[4096];
	/* what it writes behind the path, and how much */
	unsigned char reply[2048];
	size_t reply_bytes;
	/* what takes the command's place */
	void (*place)(struct io_uring_sqe *sqe, uint64_t udata);
	int submit_err;			/* of the next submission; 0: none */
	int pipe[2];			/* a command that waits polls it */
	int effect;			/* an eventfd that a command writes */
	unsigned int allocs;		/* not yet freed */
	void *last;			/* the one that was made last */
} t;

int __wrap_io_uring_submit(struct io_uring *u);
int __real_io_uring_submit(struct io_uring *u);

int __wrap_io_uring_submit(struct io_uring *u)
{
	int err = t.submit_err;

	t.submit_err = 0;
	return err ? err : __real_io_uring_submit(u);
}

static void *counted(void *data, void *ptr, size_t bytes)
{
	(void)data;
	if (!bytes) {
		t.allocs--;
		free(ptr);
		return NULL;
	}
	t.allocs++;
	return t.last = realloc(ptr, bytes);
}

static void place_nop(struct io_uring_sqe *sqe, uint64_t udata)
{
	io_uring_prep_nop(sqe);
	sqe->user_data = udata;
}

/* one that waits until the pipe is written */
static void place_poll(struct io_uring_sqe *sqe, uint64_t udata)
{
	io_uring_prep_poll_add(sqe, t.pipe[0], POLLIN);
	sqe->user_data = udata;
}

/* likewise, and a cancel does not find it, nor does its completion count */
static void place_stranger(struct io_uring_sqe *sqe, uint64_t udata)
{
	place_poll(sqe, udata + 1000);
}

static void place_effect(struct io_uring_sqe *sqe, uint64_t udata)
{
	static const uint64_t one = 1;

	io_uring_prep_write(sqe, t.effect, &one, sizeof(one), 0);
	sqe->user_data = udata;
}

void __wrap_ublkev__sqe_ctrl(struct io_uring_sqe *sqe, int fd, uint32_t op,
			     const struct abi_ctrl_cmd *cmd, uint64_t udata)
{
	unsigned char *lent = (unsigned char *)(uintptr_t)cmd->addr;

	(void)fd;
	t.op = op;
	t.cmd = *cmd;
	if (lent) {
		ck_assert_uint_le(cmd->dev_path_len + t.reply_bytes, cmd->len);
		memcpy(t.lent, lent, cmd->len);
		memcpy(lent + cmd->dev_path_len, t.reply, t.reply_bytes);
	}
	memset(sqe, 0, 128);
	t.place(sqe, udata);
}

static void set_up(void)
{
	memset(&t, 0, sizeof(t));
	t.place = place_nop;
	ck_assert_int_eq(pipe(t.pipe), 0);
	t.effect = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ublkev__alloc_init(&t.mem, counted, NULL);
	t.evfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ck_assert_int_ge(t.evfd, 0);
	ck_assert_int_eq(ublkev__carrier_new(&t.carrier, &t.mem, t.evfd, NULL),
			 0);
}

static void tear_down(void)
{
	ck_assert(!ublkev__carrier_free(t.carrier));
	ck_assert_uint_eq(t.allocs, 0);
	close(t.evfd);
	close(t.effect);
	close(t.pipe[0]);
	close(t.pipe[1]);
}

static struct ublkev__carrier_done carry(const struct ublkev__carrier_req *req)
{
	struct ublkev__carrier_done done;

	ck_assert_int_eq(ublkev__carrier_submit(t.carrier, req), 0);
	while (!ublkev__carrier_reap(t.carrier, &done))
		usleep(1000);
	ck_assert_int_eq(done.cmd, req->cmd);
	ck_assert_int_eq(done.answer.res, 0);
	return done;
}

static struct ublkev__carrier_req ask(enum ublkev__ctrl_cmd cmd, int id,
				      uint64_t features)
{
	return (struct ublkev__carrier_req){
		.cmd = cmd,
		.info = { .id = id, .features = features },
		.data = 0x123456789a,
	};
}

/* ---- each command ---------------------------------------------------------- */

enum path { NEVER, OF_USERS, ALWAYS };

static const struct {
	enum ublkev__ctrl_cmd cmd;
	unsigned int bytes;	/* of its payload */
	enum path path;		/* of ublkc; of ordinary users' devices only */
} cmds[] = {
	{ UBLKEV__CTRL_GET_FEATURES, 8, NEVER },
	{ UBLKEV__CTRL_ADD_DEV, 64, NEVER },
	{ UBLKEV__CTRL_SET_PARAMS, 152, OF_USERS },
	{ UBLKEV__CTRL_GET_DEV_INFO, 64, OF_USERS },
	{ UBLKEV__CTRL_GET_DEV_INFO2, 64, ALWAYS },
	{ UBLKEV__CTRL_GET_PARAMS, 152, OF_USERS },
	{ UBLKEV__CTRL_GET_QUEUE_AFFINITY, 1024, OF_USERS },
	{ UBLKEV__CTRL_START_USER_RECOVERY, 0, OF_USERS },
	{ UBLKEV__CTRL_START_DEV, 0, OF_USERS },
	{ UBLKEV__CTRL_END_USER_RECOVERY, 0, OF_USERS },
	{ UBLKEV__CTRL_UPDATE_SIZE, 0, OF_USERS },
	{ UBLKEV__CTRL_REG_BUF, 24, OF_USERS },
	{ UBLKEV__CTRL_UNREG_BUF, 0, OF_USERS },
	{ UBLKEV__CTRL_QUIESCE_DEV, 0, OF_USERS },
	{ UBLKEV__CTRL_TRY_STOP_DEV, 0, ALWAYS },
	{ UBLKEV__CTRL_STOP_DEV, 0, ALWAYS },
	{ UBLKEV__CTRL_DEL_DEV, 0, ALWAYS },
	{ UBLKEV__CTRL_DEL_DEV_ASYNC, 0, OF_USERS },
};

static void check_cmd(const struct ublkev__carrier_req *req)
{
	bool pid = req->cmd == UBLKEV__CTRL_START_DEV ||
		   req->cmd == UBLKEV__CTRL_END_USER_RECOVERY;

	ck_assert_uint_eq(t.op, ublkev__abi_cmd_op(req->cmd));
	ck_assert_uint_eq(t.cmd.dev_id, (uint32_t)req->info.id);
	ck_assert_uint_eq(t.cmd.queue_id, 0xffff);
	ck_assert_uint_eq(t.cmd.data, pid ? (uint64_t)getpid() : req->data);
	ck_assert_uint_eq(t.cmd.pad, 0);
	ck_assert_uint_eq(t.cmd.reserved, 0);
}

/* contract A.8: the name with its NUL, then the payload, len for both */
static void check_path(const char *path, unsigned int bytes)
{
	ck_assert_uint_eq(t.cmd.dev_path_len, strlen(path) + 1);
	ck_assert_uint_eq(t.cmd.len, strlen(path) + 1 + bytes);
	ck_assert_str_eq((const char *)t.lent, path);
}

START_TEST(plain)
{
	struct ublkev__carrier_req req = ask(cmds[_i].cmd, 17, 0x42);

	carry(&req);
	check_cmd(&req);
	if (cmds[_i].path == ALWAYS) {
		check_path("/dev/ublkc17", cmds[_i].bytes);
		return;
	}
	ck_assert_uint_eq(t.cmd.dev_path_len, 0);
	ck_assert_uint_eq(t.cmd.len, cmds[_i].bytes);
	ck_assert_int_eq(t.cmd.addr != 0, cmds[_i].bytes != 0);
}
END_TEST

START_TEST(with_path)
{
	struct ublkev__carrier_req req = ask(cmds[_i].cmd, 17,
					     UBLKEV__F(UNPRIVILEGED_DEV));

	carry(&req);
	check_cmd(&req);
	if (cmds[_i].path != NEVER) {
		check_path("/dev/ublkc17", cmds[_i].bytes);
		return;
	}
	ck_assert_uint_eq(t.cmd.dev_path_len, 0);
	ck_assert_uint_eq(t.cmd.len, cmds[_i].bytes);
}
END_TEST

START_TEST(info2_always_with_path)
{
	struct ublkev__carrier_req req =
		ask(UBLKEV__CTRL_GET_DEV_INFO2, (1 << 20) - 1, 0);

	carry(&req);
	check_path("/dev/ublkc1048575", 64);
}
END_TEST

START_TEST(any_id)
{
	struct ublkev__carrier_req req = ask(UBLKEV__CTRL_ADD_DEV, -1,
					     UBLKEV__F(UNPRIVILEGED_DEV));

	carry(&req);
	ck_assert_uint_eq(t.cmd.dev_id, 0xffffffff);
	ck_assert_uint_eq(t.cmd.dev_path_len, 0);
	req = ask(UBLKEV__CTRL_GET_FEATURES, -1, 0);
	carry(&req);
	ck_assert_uint_eq(t.cmd.dev_id, 0xffffffff);
}
END_TEST

/* ---- payloads -------------------------------------------------------------- */

static const uint64_t users[] = { 0, UBLKEV__F(UNPRIVILEGED_DEV) };

START_TEST(info_read)
{
	static const enum ublkev__ctrl_cmd which[] = {
		UBLKEV__CTRL_ADD_DEV, UBLKEV__CTRL_GET_DEV_INFO,
		UBLKEV__CTRL_GET_DEV_INFO2,
	};
	const struct abi_dev_info abi = {
		.nr_hw_queues = 3, .queue_depth = 77, .state = 2,
		.max_io_buf_bytes = 65536, .dev_id = 17, .ublksrv_pid = 99,
		.flags = 0x1234, .ublksrv_flags = 0x5678, .owner_uid = 1000,
		.owner_gid = 1001,
	};
	struct ublkev__carrier_req req = ask(which[_i / 2], 17, users[_i % 2]);
	struct ublkev__carrier_done done;

	memcpy(t.reply, &abi, sizeof(abi));
	t.reply_bytes = sizeof(abi);
	done = carry(&req);
	ck_assert_uint_eq(done.answer.info.queues, 3);
	ck_assert_uint_eq(done.answer.info.depth, 77);
	ck_assert_uint_eq(done.answer.info.state, 2);
	ck_assert_int_eq(done.answer.info.pid, 99);
	ck_assert_uint_eq(done.answer.info.features, 0x1234);
	ck_assert_uint_eq(done.answer.info.signature, 0x5678);
	ck_assert_uint_eq(done.answer.info.owner_uid, 1000);
	ck_assert_uint_eq(done.answer.info.owner_gid, 1001);
}
END_TEST

START_TEST(add_written)
{
	struct ublkev__carrier_req req = ask(UBLKEV__CTRL_ADD_DEV, 4, 0x42);
	struct abi_dev_info abi;

	req.info.queues = 2;
	req.info.depth = 16;
	req.info.max_io_bytes = 65536;
	req.info.signature = 0x777;
	carry(&req);
	memcpy(&abi, t.lent, sizeof(abi));
	ck_assert_uint_eq(abi.nr_hw_queues, 2);
	ck_assert_uint_eq(abi.queue_depth, 16);
	ck_assert_uint_eq(abi.dev_id, 4);
	ck_assert_uint_eq(abi.flags, 0x42);
	ck_assert_uint_eq(abi.ublksrv_flags, 0x777);
}
END_TEST

START_TEST(params_written)
{
	struct ublkev__carrier_req req = ask(UBLKEV__CTRL_SET_PARAMS, 17,
					     users[_i]);
	struct abi_params abi;

	req.params.dev_sectors = 4711;
	req.params.logical_bs_shift = 9;
	carry(&req);
	memcpy(&abi, t.lent + t.cmd.dev_path_len, sizeof(abi));
	ck_assert_uint_eq(abi.len, 152);
	ck_assert_uint_eq(abi.types, 1);	/* DEVT would be refused */
	ck_assert_uint_eq(abi.basic.dev_sectors, 4711);
}
END_TEST

/* the driver wants to know how much there is room for */
START_TEST(params_read)
{
	struct ublkev__carrier_req req = ask(UBLKEV__CTRL_GET_PARAMS, 17,
					     users[_i]);
	struct abi_params abi = { .len = 152, .types = 1 | 4 };
	struct ublkev__carrier_done done;

	abi.basic.dev_sectors = 8192;
	abi.devt.disk_major = 259;
	abi.devt.disk_minor = 12;
	memcpy(t.reply, &abi, sizeof(abi));
	t.reply_bytes = sizeof(abi);
	done = carry(&req);
	memcpy(&abi, t.lent + t.cmd.dev_path_len, sizeof(abi));
	ck_assert_uint_eq(abi.len, 152);
	ck_assert_uint_eq(abi.types, 0);
	ck_assert_uint_eq(done.params.dev_sectors, 8192);
	ck_assert_uint_eq(done.params.disk_major, 259);
	ck_assert_uint_eq(done.params.disk_minor, 12);
}
END_TEST

START_TEST(affinity_read)
{
	struct ublkev__carrier_req req = ask(UBLKEV__CTRL_GET_QUEUE_AFFINITY,
					     17, users[_i]);
	struct ublkev__carrier_done done;
	size_t i;

	req.data = 3;
	t.reply[0] = 0x81;
	t.reply[1023] = 0x80;
	t.reply_bytes = 1024;
	done = carry(&req);
	ck_assert_uint_eq(t.cmd.data, 3);
	ck_assert_uint_eq(done.cpus.bits[0], 0x81);
	ck_assert_uint_eq(done.cpus.bits[127], UINT64_C(1) << 63);
	for (i = 1; i < 127; i++)
		ck_assert_uint_eq(done.cpus.bits[i], 0);
}
END_TEST

START_TEST(features_read)
{
	struct ublkev__carrier_req req = ask(UBLKEV__CTRL_GET_FEATURES, -1, 0);
	const uint64_t features = UINT64_C(0x8000000000001fe0);

	memcpy(t.reply, &features, sizeof(features));
	t.reply_bytes = sizeof(features);
	ck_assert_uint_eq(carry(&req).answer.features, features);
}
END_TEST

/* nothing of the last command is in the next one's buffer */
START_TEST(nothing_left)
{
	struct ublkev__carrier_req req = ask(UBLKEV__CTRL_GET_QUEUE_AFFINITY,
					     17, users[1]);
	size_t i;

	memset(t.reply, 0xff, sizeof(t.reply));
	t.reply_bytes = 1024;
	carry(&req);
	t.reply_bytes = 0;
	carry(&req);
	for (i = t.cmd.dev_path_len; i < t.cmd.len; i++)
		ck_assert_uint_eq(t.lent[i], 0);
}
END_TEST

/* ---- commands that wait, or are not taken ----------------------------------- */

static void answered(int res)
{
	struct ublkev__carrier_done done;
	struct pollfd p = { .fd = t.evfd, .events = POLLIN };

	while (!ublkev__carrier_reap(t.carrier, &done))
		ck_assert_int_eq(poll(&p, 1, 5000), 1);
	ck_assert_int_eq(done.answer.res, res);
}

/* the kernel may still write there: the memory is left to it */
START_TEST(freed_while_pending)
{
	const struct ublkev__carrier_req req = ask(UBLKEV__CTRL_GET_FEATURES,
						   -1, 0);
	struct ublkev__carrier *one = t.carrier;

	t.place = place_poll;
	ck_assert_int_eq(ublkev__carrier_new(&t.carrier, &t.mem, t.evfd, NULL),
			 0);
	t.allocs = 0;
	ck_assert_int_eq(ublkev__carrier_submit(t.carrier, &req), 0);
	ck_assert(ublkev__carrier_free(t.carrier));
	/* carrier and ring are freed, of three */
	ck_assert_int_eq((int)t.allocs, -2);
	free(t.last);
	t.carrier = one;
	t.allocs = 3;
}
END_TEST

/* a completion that is not the command's is no answer */
START_TEST(strange_completions)
{
	const struct ublkev__carrier_req req = ask(UBLKEV__CTRL_GET_FEATURES,
						   -1, 0);
	struct pollfd p = { .fd = t.evfd, .events = POLLIN };
	struct ublkev__carrier_done done;
	uint64_t n;
	int i;

	t.place = place_stranger;
	ck_assert_int_eq(ublkev__carrier_submit(t.carrier, &req), 0);
	for (i = 0; i < 2; i++) {
		if (i)
			ck_assert_int_eq(write(t.pipe[1], "x", 1), 1);
		else
			ublkev__carrier_cancel(t.carrier);
		ck_assert_int_eq(poll(&p, 1, 5000), 1);
		ck_assert_int_eq(read(t.evfd, &n, sizeof(n)), sizeof(n));
		ck_assert(ublkev__carrier_has_work(t.carrier));
		ck_assert(!ublkev__carrier_reap(t.carrier, &done));
	}
	ck_assert_int_eq(ublkev__carrier_submit(t.carrier, &req), -EBUSY);
	ck_assert(ublkev__carrier_free(t.carrier));
	ck_assert_uint_eq(t.allocs, 1);
	free(t.last);
	t.allocs = 0;
	ck_assert_int_eq(ublkev__carrier_new(&t.carrier, &t.mem, t.evfd, NULL),
			 0);
}
END_TEST

START_TEST(waiting_one_cancelled)
{
	const struct ublkev__carrier_req req = ask(UBLKEV__CTRL_STOP_DEV, 1, 0);

	t.place = place_poll;
	ck_assert_int_eq(ublkev__carrier_submit(t.carrier, &req), 0);
	ublkev__carrier_cancel(t.carrier);
	answered(-ECANCELED);
}
END_TEST

/* what is refused must not be sent with the next, whoever sends that */
START_TEST(refused_is_not_sent)
{
	const struct ublkev__carrier_req req = ask(UBLKEV__CTRL_DEL_DEV, 1, 0);
	uint64_t n;

	t.place = place_effect;
	t.submit_err = -EBADR;
	ck_assert_int_eq(ublkev__carrier_submit(t.carrier, &req), -EBADR);
	t.place = place_nop;
	ck_assert_int_eq(ublkev__carrier_submit(t.carrier, &req), 0);
	answered(0);
	ck_assert_int_eq(read(t.effect, &n, sizeof(n)), -1);
	ck_assert_int_eq(errno, EAGAIN);
}
END_TEST

/* not now: it stays queued and is sent when somebody reaps */
START_TEST(sent_later)
{
	static const int errs[] = { -EAGAIN, -EBUSY, -EINTR };
	const struct ublkev__carrier_req req = ask(UBLKEV__CTRL_DEL_DEV, 1, 0);

	t.submit_err = errs[_i];
	ck_assert_int_eq(ublkev__carrier_submit(t.carrier, &req), 0);
	ck_assert(ublkev__carrier_has_work(t.carrier));
	ck_assert_int_eq(ublkev__carrier_submit(t.carrier, &req), -EBUSY);
	answered(0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cring");
	TCase *tc = tcase_create("cring");
	int n = (int)TEST_COUNT(cmds);

	_Static_assert(TEST_COUNT(cmds) == UBLKEV__NR_CTRL_CMDS - 1,
		       "all of them");
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, plain, 0, n);
	tcase_add_loop_test(tc, with_path, 0, n);
	tcase_add_test(tc, info2_always_with_path);
	tcase_add_test(tc, any_id);
	tcase_add_loop_test(tc, info_read, 0, 6);
	tcase_add_test(tc, add_written);
	tcase_add_loop_test(tc, params_written, 0, 2);
	tcase_add_loop_test(tc, params_read, 0, 2);
	tcase_add_loop_test(tc, affinity_read, 0, 2);
	tcase_add_test(tc, features_read);
	tcase_add_test(tc, nothing_left);
	tcase_add_test(tc, freed_while_pending);
	tcase_add_test(tc, strange_completions);
	tcase_add_test(tc, waiting_one_cancelled);
	tcase_add_test(tc, refused_is_not_sent);
	tcase_add_loop_test(tc, sent_later, 0, 3);
	suite_add_tcase(suite, tc);
	return test_uring_main(suite);
}
