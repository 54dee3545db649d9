/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver of bench_core: what it makes of the SQEs that the library
 * submits, and the clients' requests that it sends to the library's ring.
 */
#include "bench_driver.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <liburing.h>

#include "uring/abi.h"
#include "uring/carrier.h"
#include "uring/cdev.h"
#include "uring/io.h"
#include "uring/ring.h"
#include "uring/udata.h"

#define TAGS 128

struct bench_hooks bench_hooks;

/* of the ring that the library enters, and that of its clients */
static struct io_uring *server, client;

static struct ublkev__desc descs[TAGS];
static unsigned int armed[TAGS], nr_armed;
static unsigned int nr_asked;

static void die(const char *what, int err)
{
	fprintf(stderr, "bench_core: %s: %s\n", what, strerror(-err));
	exit(1);
}

/* ---- control commands --------------------------------------------------- */

struct ublkev__carrier {
	struct ublkev__carrier_done done;
	bool answered;
	int evfd;
};

static struct ublkev__carrier carrier;
static struct ublkev_cmd_info info;

int ublkev__carrier_new(struct ublkev__carrier **carrierp,
			const struct ublkev__alloc *mem, int evfd,
			struct ublkev_broker *broker)
{
	(void)mem;
	(void)broker;
	carrier.evfd = evfd;
	*carrierp = &carrier;
	return 0;
}

int ublkev__carrier_open(struct ublkev__carrier *c)
{
	(void)c;
	return 0;
}

bool ublkev__carrier_free(struct ublkev__carrier *c)
{
	(void)c;
	return false;
}

static void abort_tags(void);

int ublkev__carrier_submit(struct ublkev__carrier *c,
			   const struct ublkev__carrier_req *req)
{
	uint64_t one = 1;

	if (req->cmd == UBLKEV__CTRL_ADD_DEV) {
		info = req->info;
		info.id = 0;
	}
	if (req->cmd == UBLKEV__CTRL_STOP_DEV)
		abort_tags();
	memset(&c->done, 0, sizeof(c->done));
	c->done.cmd = req->cmd;
	c->done.answer.features = UBLKEV__F(CMD_IOCTL_ENCODE);
	c->done.answer.info = info;
	c->done.params = req->params;
	c->answered = true;
	return write(c->evfd, &one, sizeof(one)) < 0 ? -errno : 0;
}

void ublkev__carrier_cancel(struct ublkev__carrier *c)
{
	(void)c;
}

bool ublkev__carrier_has_work(const struct ublkev__carrier *c)
{
	return c->answered;
}

bool ublkev__carrier_reap(struct ublkev__carrier *c,
			  struct ublkev__carrier_done *done)
{
	bool answered = c->answered;

	if (answered)
		*done = c->done;
	c->answered = false;
	return answered;
}

/* ---- ublkc -------------------------------------------------------------- */

void ublkev__cdev_init(struct ublkev__cdev *c,
		       const struct ublkev__desc **of_queues)
{
	c->fd = -1;
	c->descs = of_queues;
}

int ublkev__cdev_open(struct ublkev__cdev *c, int id, unsigned int queues,
		      unsigned int depth)
{
	(void)id;
	if (queues != 1 || depth > TAGS)
		return -EINVAL;
	c->fd = eventfd(0, EFD_CLOEXEC);
	c->depth = depth;
	c->descs[0] = descs;
	return c->fd < 0 ? -errno : 0;
}

void ublkev__cdev_close(struct ublkev__cdev *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* ---- the client's ring -------------------------------------------------- */

static void complete(unsigned int tag, int res)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&client);

	io_uring_prep_msg_ring(sqe, server->ring_fd, (unsigned int)res,
			       udata_tag(0, tag), 0);
	sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
}

void bench_ask(uint32_t op_flags, uint64_t offset, uint32_t bytes)
{
	unsigned int tag;

	if (!nr_armed)
		die("no tag is free", -EBUSY);
	tag = armed[--nr_armed];
	descs[tag].op_flags = op_flags;
	descs[tag].nr_sectors = bytes >> 9;
	descs[tag].start_sector = offset >> 9;
	nr_asked++;
	complete(tag, 0);
}

void bench_send(void)
{
	int res;

	if (!nr_asked)
		return;
	nr_asked = 0;
	res = io_uring_submit(&client);
	if (res < 0)
		die("IORING_OP_MSG_RING", res);
}

static void abort_tags(void)
{
	while (nr_armed) {
		complete(armed[--nr_armed], -ENODEV);
		nr_asked++;
	}
	bench_send();
}

/* ---- the server's ------------------------------------------------------- */

int __real_ublkev__ring_open(struct ublkev__ring *r, unsigned int entries,
			     unsigned int flags, int evfd);
int __wrap_ublkev__ring_open(struct ublkev__ring *r, unsigned int entries,
			     unsigned int flags, int evfd);
int __real_io_uring_enter2(unsigned int fd, unsigned int nr, unsigned int least,
			   unsigned int flags, sigset_t *arg, size_t bytes);
int __wrap_io_uring_enter2(unsigned int fd, unsigned int nr, unsigned int least,
			   unsigned int flags, sigset_t *arg, size_t bytes);

int __wrap_ublkev__ring_open(struct ublkev__ring *r, unsigned int entries,
			     unsigned int flags, int evfd)
{
	int err = io_uring_queue_init(2 * TAGS, &client, 0);

	server = &r->u;
	return err ? err : __real_ublkev__ring_open(r, entries, flags, evfd);
}

static void make_nop(struct io_uring_sqe *sqe)
{
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_NOP;
	sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
}

static void take_alarm(struct io_uring_sqe *sqe)
{
	const struct __kernel_timespec *ts =
		(const void *)(uintptr_t)sqe->addr;

	if (!bench_hooks.alarm)
		return;
	if (sqe->opcode == IORING_OP_TIMEOUT)
		bench_hooks.alarm((uint64_t)ts->tv_nsec / 1000);
	make_nop(sqe);
}

void bench_ring_alarm(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&client);

	io_uring_prep_msg_ring(sqe, server->ring_fd, 0, UDATA_ALARM, 0);
	sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
	nr_asked++;
}

/* the driver has the tag */
static unsigned int take(struct io_uring_sqe *sqe)
{
	bool commit = sqe->cmd_op == ABI_IO_COMMIT_AND_FETCH_REQ;

	if (sqe->opcode == IORING_OP_TIMEOUT ||
	    sqe->opcode == IORING_OP_TIMEOUT_REMOVE)
		take_alarm(sqe);
	if (sqe->opcode != IORING_OP_URING_CMD)
		return 0;
	armed[nr_armed++] = udata_get_tag(sqe->user_data);
	make_nop(sqe);
	return commit;
}

/* names that callgrind can find: what they do is not counted */
__attribute__((noinline, noclone))
static void bench_before(bool sleeps)
{
	unsigned int i, n = 0;

	for (i = *server->sq.khead; i != server->sq.sqe_tail; i++)
		n += take(&server->sq.sqes[i & server->sq.ring_mask]);
	if (n && bench_hooks.answered)
		bench_hooks.answered(n);
	if (bench_hooks.enter)
		bench_hooks.enter(sleeps);
}

__attribute__((noinline, noclone))
static void bench_after(void)
{
	if (bench_hooks.entered)
		bench_hooks.entered();
}

int __wrap_io_uring_enter2(unsigned int fd, unsigned int nr, unsigned int least,
			   unsigned int flags, sigset_t *arg, size_t bytes)
{
	int res;

	bench_before(least);
	res = __real_io_uring_enter2(fd, nr, least, flags, arg, bytes);
	bench_after();
	return res;
}
