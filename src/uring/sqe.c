/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SQEs are written by hand, for liburing has no function for the driver's
 * commands, and each is written as a whole: a slot of the ring holds what was
 * sent in it last.
 */
#include "uring/sqe.h"

#include <string.h>

#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "uring/udata.h"

/*
 * The driver's own part of an SQE, cmd[], begins here and goes on to the end of
 * an SQE of 64 or 128 bytes.
 */
#define SQE_CMD_OFFSET 48

static void *sqe_cmd_of(struct io_uring_sqe *sqe)
{
	return (char *)sqe + SQE_CMD_OFFSET;
}

void ublkev__sqe_io(struct io_uring_sqe *sqe, uint32_t cmd_op,
		    unsigned int queue, unsigned int tag, int result,
		    void *addr)
{
	struct abi_io_cmd *cmd = sqe_cmd_of(sqe);

	memset(sqe, 0, SQE_CMD_OFFSET);
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = FILE_UBLKC;
	sqe->cmd_op = cmd_op;
	sqe->user_data = udata_tag(queue, tag);
	cmd->q_id = (uint16_t)queue;
	cmd->tag = (uint16_t)tag;
	cmd->result = result;
	cmd->addr = (uintptr_t)addr;
}

void ublkev__sqe_append(struct io_uring_sqe *sqe, uint64_t sector)
{
	struct abi_io_cmd *cmd = sqe_cmd_of(sqe);

	cmd->addr = sector;
}

/*
 * Without FALLBACK a request that finds its slot in use would fail, and nobody
 * here would hear of it (ublk_auto_buf_reg()).
 */
void ublkev__sqe_lend(struct io_uring_sqe *sqe, unsigned int slot)
{
	sqe->addr = (slot & ABI_AUTO_BUF_SLOT_MASK) | ABI_AUTO_BUF_FALLBACK;
}

/* the driver wants the slot where other commands have an address */
void ublkev__sqe_slot(struct io_uring_sqe *sqe, unsigned int queue,
		      unsigned int tag, unsigned int slot, bool fill)
{
	ublkev__sqe_io(sqe, fill ? ABI_IO_REGISTER_IO_BUF
				 : ABI_IO_UNREGISTER_IO_BUF,
		       queue, tag, 0, (void *)(uintptr_t)slot);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = udata_slot(queue, tag, fill);
}

static struct abi_batch_io *sqe_batch(struct io_uring_sqe *sqe, uint32_t cmd_op,
				  unsigned int queue, unsigned int elem_bytes)
{
	struct abi_batch_io *cmd = sqe_cmd_of(sqe);

	memset(sqe, 0, 64);
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = FILE_UBLKC;
	sqe->cmd_op = cmd_op;
	cmd->q_id = (uint16_t)queue;
	cmd->elem_bytes = (uint8_t)elem_bytes;
	return cmd;
}

void ublkev__sqe_batch(struct io_uring_sqe *sqe, uint32_t cmd_op,
		       unsigned int queue, const void *elems, unsigned int nr,
		       unsigned int elem_bytes, unsigned int flags)
{
	struct abi_batch_io *cmd = sqe_batch(sqe, cmd_op, queue, elem_bytes);

	sqe->addr = (uintptr_t)elems;
	sqe->user_data = udata_batch(queue, false);
	cmd->nr_elem = (uint16_t)nr;
	cmd->flags = (uint16_t)flags;
}

/* IORING_URING_CMD_MULTISHOT, which the system's header may not have. */
#define CMD_MULTISHOT 2

void ublkev__sqe_batch_fetch(struct io_uring_sqe *sqe, unsigned int queue)
{
	sqe_batch(sqe, ABI_IO_FETCH_IO_CMDS, queue, sizeof(uint16_t));
	sqe->flags |= IOSQE_BUFFER_SELECT;
	/* shares its place with uring_cmd_flags, which older headers lack */
	sqe->rw_flags = CMD_MULTISHOT;
	sqe->buf_group = (uint16_t)queue;
	sqe->user_data = udata_batch(queue, true);
}

static uint64_t sqe_copy_offset(unsigned int queue, unsigned int tag)
{
	return ABI_COPY_OFFSET + ((uint64_t)queue << ABI_COPY_QUEUE_SHIFT) +
	       ((uint64_t)tag << ABI_COPY_TAG_SHIFT);
}

void ublkev__sqe_copy(struct io_uring_sqe *sqe, unsigned int queue,
		      unsigned int tag, bool in, void *addr, uint32_t bytes)
{
	memset(sqe, 0, 64);
	sqe->opcode = in ? IORING_OP_READ : IORING_OP_WRITE;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = FILE_UBLKC;
	sqe->addr = (uintptr_t)addr;
	sqe->len = bytes;
	sqe->off = sqe_copy_offset(queue, tag);
	sqe->user_data = udata_tag(queue, tag);
}

void ublkev__sqe_copy_metadata(struct io_uring_sqe *sqe, unsigned int queue,
			       unsigned int tag, bool in, void *addr,
			       uint32_t bytes)
{
	ublkev__sqe_copy(sqe, queue, tag, in, addr, bytes);
	sqe->off |= ABI_COPY_METADATA;
	sqe->flags |= IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = UDATA_NONE;
}

void ublkev__sqe_copy_part(struct io_uring_sqe *sqe, unsigned int queue,
			   unsigned int tag, const struct ublkev__fileop *op,
			   uint64_t udata)
{
	ublkev__sqe_copy(sqe, queue, tag, op->kind == UBLKEV__FILEOP_FETCH,
			 op->addr, (uint32_t)op->len_bytes);
	sqe->off += op->at_bytes;
	sqe->user_data = udata;
}

/* a READ or WRITE of more than this is cut short by the kernel in any case */
#define MAX_RW_BYTES	0x7ffff000u

/* in the driver's pages, an address is an offset within the request */
static void sqe_rw(struct io_uring_sqe *sqe, const struct ublkev__fileop *op,
		   unsigned int slot)
{
	bool read = op->kind == UBLKEV__FILEOP_READ;

	sqe->opcode = read ? IORING_OP_READ : IORING_OP_WRITE;
	sqe->addr = (uintptr_t)op->addr;
	if (op->lent) {
		sqe->opcode = read ? IORING_OP_READ_FIXED
				   : IORING_OP_WRITE_FIXED;
		sqe->addr = op->at_bytes;
		sqe->buf_index = (uint16_t)slot;
	}
	sqe->off = op->offset_bytes;
	sqe->len = op->len_bytes < MAX_RW_BYTES ? (uint32_t)op->len_bytes
						: MAX_RW_BYTES;
	if (op->kind == UBLKEV__FILEOP_WRITE_SYNC)
		sqe->rw_flags = RWF_DSYNC;
}

static uint32_t sqe_mode(const struct ublkev__fileop *op)
{
	if (op->kind == UBLKEV__FILEOP_ALLOCATE)
		return op->mode;
	return FALLOC_FL_KEEP_SIZE | (op->kind == UBLKEV__FILEOP_ZERO ?
				      FALLOC_FL_ZERO_RANGE :
				      FALLOC_FL_PUNCH_HOLE);
}

/* FALLOCATE has its length in addr and its mode in len */
static void sqe_fallocate(struct io_uring_sqe *sqe,
			  const struct ublkev__fileop *op)
{
	sqe->opcode = IORING_OP_FALLOCATE;
	sqe->off = op->offset_bytes;
	sqe->addr = op->len_bytes;
	sqe->len = sqe_mode(op);
}

/*
 * As <linux/blkdev.h> of Linux 6.12 has it, which other systems lack. It wants
 * all that it does not use to be 0 (blkdev_uring_cmd()).
 */
#define BLOCK_CMD_DISCARD	_IO(0x12, 0)

/* the length is where the driver's own part of an SQE is otherwise */
static void sqe_discard(struct io_uring_sqe *sqe,
			const struct ublkev__fileop *op)
{
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->cmd_op = BLOCK_CMD_DISCARD;
	sqe->addr = op->offset_bytes;
	memcpy(sqe_cmd_of(sqe), &op->len_bytes, sizeof(op->len_bytes));
}

void ublkev__sqe_file(struct io_uring_sqe *sqe,
		      const struct ublkev__fileop *op, unsigned int slot,
		      uint64_t udata)
{
	memset(sqe, 0, 64);
	sqe->fd = op->fd;
	sqe->user_data = udata;
	switch (op->kind) {
	case UBLKEV__FILEOP_SYNC:
		sqe->opcode = IORING_OP_FSYNC;
		sqe->fsync_flags = IORING_FSYNC_DATASYNC;
		break;
	case UBLKEV__FILEOP_PUNCH:
	case UBLKEV__FILEOP_ZERO:
	case UBLKEV__FILEOP_ALLOCATE:
		sqe_fallocate(sqe, op);
		break;
	case UBLKEV__FILEOP_DISCARD:
		sqe_discard(sqe, op);
		break;
	case UBLKEV__FILEOP_CANCEL:
		sqe->opcode = IORING_OP_ASYNC_CANCEL;
		sqe->fd = -1;
		sqe->addr = udata;
		sqe->user_data = UDATA_NONE;
		break;
	default:
		sqe_rw(sqe, op, slot);
	}
}

void ublkev__sqe_ctrl(struct io_uring_sqe *sqe, int fd, uint32_t cmd_op,
		      const struct abi_ctrl_cmd *cmd, uint64_t udata)
{
	memset(sqe, 0, 128);
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	sqe->cmd_op = cmd_op;
	sqe->user_data = udata;
	memcpy(sqe_cmd_of(sqe), cmd, sizeof(*cmd));
}
