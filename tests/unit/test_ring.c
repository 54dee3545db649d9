/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The io_uring room on this host's io_uring; the driver is not needed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failalloc.h"
#include "testlib.h"
#include "uring_kit.h"
#include "uring/carrier.h"
#include "uring/io.h"
#include "uring/ring.h"

#define IO_FLAGS (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER | \
		  IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL)
#define NO_SUCH_ID 1048575

static struct ublkev__alloc mem;

/* mappings that only the kernel's rings and our buffers make */
static unsigned int count_rings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned int n = 0;
	char line[512];

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, "io_uring") != NULL;
	fclose(f);
	return n;
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* ---- a ring ------------------------------------------------------------- */

static struct ublkev__ring ring;
static int evfd;

static void open_ring(unsigned int flags)
{
	evfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ck_assert_int_ge(evfd, 0);
	ck_assert_int_eq(ublkev__ring_open(&ring, 8, flags, evfd), 0);
	ck_assert(ring.open);
}

static void close_ring(void)
{
	ublkev__ring_close(&ring);
	ublkev__ring_close(&ring);
	ck_assert(!ring.open);
	close(evfd);
}

static void nop(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring.u);

	ck_assert_ptr_nonnull(sqe);
	io_uring_prep_nop(sqe);
}

static unsigned int reap_all(void)
{
	unsigned int n = io_uring_cq_ready(&ring.u);

	io_uring_cq_advance(&ring.u, n);
	return n;
}

static uint64_t take_signal(void)
{
	uint64_t n = 0;

	return read(evfd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static const unsigned int all_flags[] = { 0, IORING_SETUP_SQE128, IO_FLAGS };

START_TEST(opened)
{
	open_ring(all_flags[_i]);
	ck_assert_uint_eq(ring.u.flags & all_flags[_i], all_flags[_i]);
	ck_assert(!ublkev__ring_has_work(&ring));
	ck_assert(!ublkev__ring_needs_enter(&ring));
	close_ring();
}
END_TEST

START_TEST(signalled)
{
	open_ring(all_flags[_i]);
	nop();
	ck_assert(ublkev__ring_needs_enter(&ring));
	ck_assert_int_eq(ublkev__ring_enter(&ring), 0);
	ck_assert(!ublkev__ring_needs_enter(&ring));
	ck_assert(ublkev__ring_has_work(&ring));
	ck_assert(readable(evfd));
	ck_assert_uint_eq(reap_all(), 1);
	ck_assert(!ublkev__ring_has_work(&ring));
	close_ring();
}
END_TEST

START_TEST(muted)
{
	open_ring(all_flags[_i]);
	ublkev__ring_mute(&ring);
	nop();
	ublkev__ring_enter(&ring);
	ck_assert(!readable(evfd));
	/* no signal is replayed: the look at the work is what finds it */
	ublkev__ring_unmute(&ring);
	ck_assert(!readable(evfd));
	ck_assert(ublkev__ring_has_work(&ring));
	ck_assert_uint_eq(reap_all(), 1);
	nop();
	ublkev__ring_enter(&ring);
	ck_assert_uint_gt(take_signal(), 0);
	close_ring();
}
END_TEST

/* work from another task while muted shows as SQ_TASKRUN after the unmute */
START_TEST(no_wake_lost)
{
	struct io_uring_sqe *sqe;
	int fds[2];

	open_ring(IO_FLAGS);
	ck_assert_int_eq(pipe(fds), 0);
	sqe = io_uring_get_sqe(&ring.u);
	io_uring_prep_poll_add(sqe, fds[0], POLLIN);
	ublkev__ring_enter(&ring);
	ublkev__ring_mute(&ring);
	ck_assert(!ublkev__ring_has_work(&ring));
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	ck_assert(!readable(evfd));
	ublkev__ring_unmute(&ring);
	ck_assert(ublkev__ring_needs_enter(&ring));
	ublkev__ring_enter(&ring);
	ck_assert_uint_eq(reap_all(), 1);
	close(fds[0]);
	close(fds[1]);
	close_ring();
}
END_TEST

START_TEST(open_errors)
{
	evfd = eventfd(0, EFD_CLOEXEC);
	ck_assert_int_eq(ublkev__ring_open(&ring, 8, 1u << 31, evfd), -EINVAL);
	ck_assert_int_eq(ublkev__ring_open(&ring, 32769, 0, evfd), -EINVAL);
	ck_assert_int_eq(ublkev__ring_open(&ring, 8, 0, 1 << 20), -EBADF);
	ck_assert(!ring.open);
	ublkev__ring_close(&ring);
	close(evfd);
}
END_TEST

START_TEST(ring_leaves_nothing)
{
	unsigned int fds = test_fds(getpid()), rings = count_rings();
	int i;

	for (i = 0; i < 100; i++) {
		open_ring(all_flags[i % 3]);
		nop();
		ublkev__ring_enter(&ring);
		ck_assert_uint_gt(count_rings(), rings);
		close_ring();
		ck_assert_int_eq(ublkev__ring_open(&ring, 8, 0, 1 << 20),
				 -EBADF);
	}
	ck_assert_uint_eq(test_fds(getpid()), fds);
	ck_assert_uint_eq(count_rings(), rings);
}
END_TEST

/* ---- io ----------------------------------------------------------------- */

static int new_io(struct ublkev__io **iop, unsigned int queues,
		  unsigned int depth, uint32_t max_io_bytes)
{
	int err = ublkev__io_new(iop, &mem);

	if (err)
		return err;
	err = ublkev__io_set_up(*iop, queues, depth, max_io_bytes);
	if (err)
		ublkev__io_free(*iop);
	return err;
}

START_TEST(io_leaves_nothing)
{
	unsigned int fds = test_fds(getpid()), rings = count_rings();
	struct ublkev__io *io;
	int i;

	for (i = 0; i < 100; i++) {
		ck_assert_int_eq(new_io(&io, 2, 16, 65536), 0);
		ck_assert_int_eq(ublkev__io_open(io, NO_SUCH_ID, 2, 16, 0),
				 -ENOENT);
		if (i % 2)
			ublkev__io_close(io, i % 4 == 1);
		ublkev__io_free(io);
	}
	ublkev__io_free(NULL);
	ck_assert_uint_eq(test_fds(getpid()), fds);
	ck_assert_uint_eq(count_rings(), rings);
}
END_TEST

START_TEST(io_buffers)
{
	struct ublkev__io *io;
	char *first, *second;

	ck_assert_int_eq(new_io(&io, 2, 16, 65536), 0);
	ck_assert_ptr_null(ublkev__io_bufs(io, 0));
	ck_assert_int_eq(ublkev__io_need_bufs(io), 0);
	first = ublkev__io_bufs(io, 0);
	ck_assert_int_eq(ublkev__io_need_bufs(io), 0);
	ck_assert_ptr_eq(ublkev__io_bufs(io, 0), first);
	second = ublkev__io_bufs(io, 1);
	ck_assert_uint_eq((uintptr_t)first % 4096, 0);
	ck_assert_int_eq(second - first, 16 * 65536);
	first[0] = second[16 * 65536 - 1] = 1;
	first = ublkev__io_spare_buf(io);
	first[0] = first[65535] = 1;
	ublkev__io_free(io);
}
END_TEST

/* the eventfd is reset by the next enter, and nobody sees the completion */
START_TEST(io_woken)
{
	struct ublkev__cqe cqes[4];
	uint64_t one = 1;
	struct ublkev__io *io;
	int i;

	ck_assert_int_eq(new_io(&io, 1, 4, 4096), 0);
	ck_assert(!ublkev__io_has_work(io));
	ck_assert_int_eq(ublkev__io_enter(io), 0);
	for (i = 0; i < 3; i++) {
		ublkev__io_mute(io);
		/* the second time it was reset already */
		if (i != 1)
			ck_assert_int_eq(write(ublkev__io_fd(io), &one,
					       sizeof(one)), sizeof(one));
		ublkev__io_woken(io);
		ublkev__io_woken(io);
		ck_assert(ublkev__io_has_work(io));
		ck_assert_int_eq(ublkev__io_enter(io), 1);
		ck_assert(!readable(ublkev__io_fd(io)));
		ck_assert_uint_eq(ublkev__io_reap(io, cqes, 4), 0);
		ublkev__io_unmute(io);
		ck_assert(!ublkev__io_has_work(io));
	}
	ublkev__io_free(io);
}
END_TEST

/* what is to reap makes the ring's file readable, and signals nobody */
START_TEST(io_by_ring)
{
	struct ublkev__cqe cqes[4];
	struct ublkev__io *io;
	int fd, i;

	ck_assert_int_eq(ublkev__io_new(&io, &mem), 0);
	ublkev__io_by_ring(io);
	ck_assert_int_eq(ublkev__io_ring_fd(io), -1);
	ck_assert_int_eq(ublkev__io_set_up(io, 1, 4, 4096), 0);
	fd = ublkev__io_ring_fd(io);
	ck_assert_int_ge(fd, 0);
	for (i = 0; i < 3; i++) {
		ck_assert(!readable(fd));
		ublkev__io_mute(io);
		ublkev__io_fetch(io, 0, 0, NULL);	/* of no file */
		ck_assert_int_eq(ublkev__io_enter(io), 1);
		ublkev__io_unmute(io);
		ck_assert(ublkev__io_has_work(io));
		ck_assert(readable(fd));
		ck_assert(!readable(ublkev__io_fd(io)));
		ck_assert_uint_eq(ublkev__io_reap(io, cqes, 4), 1);
	}
	ublkev__io_close(io, true);
	ck_assert_int_eq(ublkev__io_ring_fd(io), -1);
	ublkev__io_free(io);
}
END_TEST

START_TEST(io_closed)
{
	struct ublkev__cqe cqes[4];
	uint64_t one = 1;
	struct ublkev__io *io;

	ck_assert_int_eq(new_io(&io, 1, 4, 4096), 0);
	ublkev__io_close(io, true);
	ublkev__io_close(io, false);
	ublkev__io_mute(io);
	ublkev__io_unmute(io);
	ck_assert(!ublkev__io_has_work(io));
	ck_assert_int_eq(ublkev__io_enter(io), 0);
	ck_assert_uint_eq(ublkev__io_reap(io, cqes, 4), 0);
	/* the control ring still signals it */
	ck_assert_int_eq(write(ublkev__io_fd(io), &one, sizeof(one)),
			 sizeof(one));
	ublkev__io_woken(io);
	ck_assert(!readable(ublkev__io_fd(io)));
	ublkev__io_woken(io);
	ublkev__io_free(io);
}
END_TEST

/* file descriptor 0 stands in for ublkc: the driver's commands are refused */
START_TEST(io_commands_refused)
{
	struct ublkev__cqe cqes[4];
	struct ublkev__io *io;
	unsigned int n = 0;

	ck_assert_int_eq(new_io(&io, 2, 4, 4096), 0);
	ublkev__io_fetch(io, 1, 3, ublkev__io_bufs(io, 0));
	ublkev__io_commit(io, 0, 2, 512, ublkev__io_bufs(io, 0));
	ck_assert_int_eq(ublkev__io_enter(io), 1);
	while (n < 2)
		n += ublkev__io_reap(io, cqes + n, 1);
	ck_assert_uint_eq(cqes[0].queue, 1);
	ck_assert_uint_eq(cqes[0].tag, 3);
	ck_assert_int_eq(cqes[0].res, -EBADF);	/* no file is registered */
	ck_assert_uint_eq(cqes[1].queue, 0);
	ck_assert_uint_eq(cqes[1].tag, 2);
	ck_assert_int_eq(cqes[1].res, -EBADF);
	ck_assert(!ublkev__io_has_work(io));
	ublkev__io_free(io);
}
END_TEST

/* ---- what runs out ------------------------------------------------------ */

static int make_io(void)
{
	struct ublkev__io *io;
	int err = new_io(&io, 2, 16, 65536);

	if (!err)
		ublkev__io_free(io);
	return err;
}

static int make_control(void)
{
	int fd = eventfd(0, EFD_CLOEXEC), err = -errno;
	struct ublkev__carrier *ctl;

	if (fd < 0)
		return err;
	err = ublkev__carrier_new(&ctl, &mem, fd, NULL);
	/* libcheck's own assertions allocate */
	if (!err && ublkev__carrier_free(ctl))
		err = 1;
	close(fd);
	return err;
}

static int (*const makers[])(void) = { make_io, make_control };

START_TEST(no_memory)
{
	unsigned int fds = test_fds(getpid()), rings = count_rings(), n;
	bool failed = true;
	int err, leaked;

	for (n = 1; failed; n++) {
		failalloc_arm(n);
		err = makers[_i]();
		failed = failalloc_disarm(&leaked);
		ck_assert_int_eq(leaked, 0);
		ck_assert_int_eq(err, failed ? -ENOMEM : 0);
		ck_assert_uint_eq(test_fds(getpid()), fds);
		ck_assert_uint_eq(count_rings(), rings);
	}
	ck_assert_uint_gt(n, 3);
}
END_TEST

static int spare_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

/* in a child, which has `spare` descriptors left; 0: as it should be */
static int with_fds_left(int (*make)(void), unsigned int spare, int expected)
{
	unsigned int rings = count_rings();
	struct rlimit limit, was;
	int first = spare_fd(), err;

	getrlimit(RLIMIT_NOFILE, &was);
	limit = was;
	limit.rlim_cur = (rlim_t)first + spare;
	setrlimit(RLIMIT_NOFILE, &limit);
	err = make();
	setrlimit(RLIMIT_NOFILE, &was);
	if (err != expected)
		return 1;
	if (spare_fd() != first)
		return 2;
	return count_rings() == rings ? 0 : 3;
}

START_TEST(no_fds)
{
	unsigned int spare;
	int status;
	pid_t pid;

	/* an eventfd and a ring each */
	for (spare = 0; spare < 4; spare++) {
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (!pid)
			_exit(with_fds_left(makers[_i], spare,
					    spare < 2 ? -EMFILE : 0));
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_msg(status == 0, "%u spare: %#x", spare, status);
	}
}
END_TEST

/*
 * 128 TiB are all that x86 has, and half of arm64's. So the process may have no
 * more than 64, which is room enough for what a sanitizer has mapped.
 */
START_TEST(no_address_space)
{
	struct rlimit was, limit;
	struct ublkev__io *io;
	int err;

	ck_assert_int_eq(new_io(&io, 31, 1057, UINT32_MAX), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &was), 0);
	limit = was;
	if (limit.rlim_cur > (rlim_t)1 << 46)
		limit.rlim_cur = (rlim_t)1 << 46;
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
	err = ublkev__io_need_bufs(io);
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &was), 0);
	ck_assert_int_eq(err, -ENOMEM);
	ck_assert_ptr_null(ublkev__io_bufs(io, 0));
	ublkev__io_free(io);
}
END_TEST

/* ---- control without its driver ----------------------------------------- */

static void reap_answer(struct ublkev__carrier *ctl, int fd,
			struct ublkev__carrier_done *done)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (!ublkev__carrier_reap(ctl, done))
		ck_assert_int_eq(poll(&p, 1, 5000), 1);
}

/* no fd: each command is answered -EBADF, and only once */
START_TEST(control_without_driver)
{
	const struct ublkev__carrier_req stop = {
		.cmd = UBLKEV__CTRL_STOP_DEV,
		.info.id = -1,
	};
	struct ublkev__carrier_req req = stop;
	struct ublkev__carrier_done done;
	struct ublkev__carrier *ctl;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), i;

	ck_assert_int_eq(ublkev__carrier_new(&ctl, &mem, fd, NULL), 0);
	for (i = 0; i < 100; i++) {
		req.cmd = (enum ublkev__ctrl_cmd)(
			1 + i % (UBLKEV__NR_CTRL_CMDS - 1));
		/* nothing pending: nothing may be submitted */
		ublkev__carrier_cancel(ctl);
		ck_assert(!ublkev__carrier_reap(ctl, &done));
		ck_assert_int_eq(ublkev__carrier_submit(ctl, &req), 0);
		ck_assert_int_eq(ublkev__carrier_submit(ctl, &stop), -EBUSY);
		reap_answer(ctl, fd, &done);
		ck_assert_int_eq(done.cmd, req.cmd);
		ck_assert_int_eq(done.answer.res, -EBADF);
		ck_assert(!ublkev__carrier_reap(ctl, &done));
	}
	ck_assert(!ublkev__carrier_free(ctl));
	ck_assert(!ublkev__carrier_free(NULL));
	close(fd);
}
END_TEST

static void add_ring(TCase *tc)
{
	tcase_add_loop_test(tc, opened, 0, 3);
	tcase_add_loop_test(tc, signalled, 0, 3);
	tcase_add_loop_test(tc, muted, 0, 3);
	tcase_add_test(tc, no_wake_lost);
	tcase_add_test(tc, open_errors);
	tcase_add_test(tc, ring_leaves_nothing);
}

static void add_io(TCase *tc)
{
	tcase_add_test(tc, io_leaves_nothing);
	tcase_add_test(tc, io_buffers);
	tcase_add_test(tc, io_woken);
	tcase_add_test(tc, io_by_ring);
	tcase_add_test(tc, io_closed);
	tcase_add_test(tc, io_commands_refused);
	tcase_add_loop_test(tc, no_memory, 0, 2);
	tcase_add_loop_test(tc, no_fds, 0, 2);
	tcase_add_test(tc, no_address_space);
	tcase_add_test(tc, control_without_driver);
}

int main(void)
{
	Suite *suite = suite_create("ring");
	TCase *tc = tcase_create("ring");

	ublkev__alloc_init(&mem, NULL, NULL);
	add_ring(tc);
	add_io(tc);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return test_uring_main(suite);
}
