/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An eventfd stands for ublkc, the enter does as told or is the kernel's, and
 * what is queued is written down.
 */
#include "io_kit.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "testlib.h"
#include "uring/cdev.h"
#include "uring/sqe.h"

struct ublkev__alloc io_mem;
struct ublkev__io *io;
int io_enter_result;
unsigned int io_submitted;
void *io_addr;
unsigned int io_slot;
char io_descs[2][IO_DEPTH * IO_MOST_DESC];
struct io_slot_cmd io_slot_cmds[IO_SLOT_CMDS];
unsigned int io_nr_slot_cmds;
bool io_refuses_slots;

int __wrap_ublkev__cdev_open(struct ublkev__cdev *c, int id,
			     unsigned int queues, unsigned int depth);
void __wrap_ublkev__sqe_lend(struct io_uring_sqe *sqe, unsigned int slot);
void __real_ublkev__sqe_lend(struct io_uring_sqe *sqe, unsigned int slot);
void __wrap_ublkev__sqe_slot(struct io_uring_sqe *sqe, unsigned int queue,
			     unsigned int tag, unsigned int slot, bool fill);
void __real_ublkev__sqe_slot(struct io_uring_sqe *sqe, unsigned int queue,
			     unsigned int tag, unsigned int slot, bool fill);
int __wrap_io_uring_enter2(unsigned int fd, unsigned int nr, unsigned int least,
			   unsigned int flags, sigset_t *arg, size_t bytes);
int __real_io_uring_enter2(unsigned int fd, unsigned int nr, unsigned int least,
			   unsigned int flags, sigset_t *arg, size_t bytes);
void __wrap_ublkev__sqe_io(struct io_uring_sqe *sqe, uint32_t cmd_op,
			   unsigned int queue, unsigned int tag, int result,
			   void *buf);
void __real_ublkev__sqe_io(struct io_uring_sqe *sqe, uint32_t cmd_op,
			   unsigned int queue, unsigned int tag, int result,
			   void *buf);

int __wrap_ublkev__cdev_open(struct ublkev__cdev *c, int id,
			     unsigned int queues, unsigned int depth)
{
	unsigned int i;

	(void)id;
	for (i = 0; i < queues && i < 2; i++)
		c->descs[i] = (const void *)io_descs[i];
	c->fd = eventfd(0, EFD_CLOEXEC);
	c->depth = depth;
	return c->fd < 0 ? -errno : 0;
}

int __wrap_io_uring_enter2(unsigned int fd, unsigned int nr, unsigned int least,
			   unsigned int flags, sigset_t *arg, size_t bytes)
{
	io_submitted = nr;
	if (io_enter_result)
		return io_enter_result;
	return __real_io_uring_enter2(fd, nr, least, flags, arg, bytes);
}

void __wrap_ublkev__sqe_io(struct io_uring_sqe *sqe, uint32_t cmd_op,
			   unsigned int queue, unsigned int tag, int result,
			   void *buf)
{
	io_addr = buf;
	__real_ublkev__sqe_io(sqe, cmd_op, queue, tag, result, buf);
}

void __wrap_ublkev__sqe_lend(struct io_uring_sqe *sqe, unsigned int slot)
{
	io_slot = slot;
	__real_ublkev__sqe_lend(sqe, slot);
}

void __wrap_ublkev__sqe_slot(struct io_uring_sqe *sqe, unsigned int queue,
			     unsigned int tag, unsigned int slot, bool fill)
{
	ck_assert_uint_lt(io_nr_slot_cmds, IO_SLOT_CMDS);
	io_slot_cmds[io_nr_slot_cmds++] = (struct io_slot_cmd){
		.queue = queue, .tag = tag, .slot = slot, .fill = fill,
	};
	__real_ublkev__sqe_slot(sqe, queue, tag, slot, fill);
	if (io_refuses_slots)
		return;
	/* what nobody hears of */
	sqe->opcode = IORING_OP_NOP;
	sqe->cmd_op = 0;
}

void io_up(unsigned int queues, uint64_t features)
{
	ublkev__alloc_init(&io_mem, NULL, NULL);
	io_enter_result = 0;
	ck_assert_int_eq(ublkev__io_new(&io, &io_mem), 0);
	ck_assert_int_eq(ublkev__io_set_up(io, queues, IO_DEPTH, 4096), 0);
	ck_assert_int_eq(ublkev__io_open(io, 7, queues, IO_DEPTH, features), 0);
}

void io_down(void)
{
	ublkev__io_close(io, true);
	ublkev__io_free(io);
}

unsigned int io_reap(struct ublkev__cqe v[16])
{
	unsigned int n = ublkev__io_reap(io, v, 16);

	ck_assert(!ublkev__io_has_work(io));
	return n;
}
