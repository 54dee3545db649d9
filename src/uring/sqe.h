/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sqe.h - fills the SQEs that carry commands and copies to the driver
 *
 * Nothing is submitted here. The caller has got the SQE from its ring, and
 * the ring's next enter sends it.
 */
#ifndef UBLKEV_URING_SQE_H
#define UBLKEV_URING_SQE_H

#include <liburing.h>

#include "core/placed.h"
#include "uring/abi.h"

/* the slots of the I/O ring's registered files */
enum { FILE_UBLKC, FILE_EVENTFD };

/* A 64-byte SQE becomes FETCH_REQ or COMMIT_AND_FETCH_REQ on FILE_UBLKC. */
void ublkev__sqe_io(struct io_uring_sqe *sqe, uint32_t cmd_op,
		    unsigned int queue, unsigned int tag, int result,
		    void *addr);

/* Of a zoned device, with a ZONE_APPEND's result: where its data are now. */
void ublkev__sqe_append(struct io_uring_sqe *sqe, uint64_t sector);

/* And asks for the pages of the tag's next request in that slot of the ring. */
void ublkev__sqe_lend(struct io_uring_sqe *sqe, unsigned int slot);

/*
 * A 64-byte SQE becomes REGISTER_IO_BUF, which puts the pages of the tag's request
 * into that slot (`fill`), or UNREGISTER_IO_BUF, which takes them out. It has a
 * completion, of udata_slot(), only if it was refused.
 */
void ublkev__sqe_slot(struct io_uring_sqe *sqe, unsigned int queue,
		      unsigned int tag, unsigned int slot, bool fill);

/*
 * A 64-byte SQE becomes USER_COPY's read (`in`, a WRITE's data) or write of
 * FILE_UBLKC. io_uring runs it inside the enter, and hands it to no thread,
 * because ublkc was opened O_NONBLOCK.
 */
void ublkev__sqe_copy(struct io_uring_sqe *sqe, unsigned int queue,
		      unsigned int tag, bool in, void *addr, uint32_t bytes);

/*
 * The same of the request's metadata, in front of ublkev__sqe_copy(), which is
 * done if this was: of a failure that one's completion tells.
 */
void ublkev__sqe_copy_metadata(struct io_uring_sqe *sqe, unsigned int queue,
			       unsigned int tag, bool in, void *addr,
			       uint32_t bytes);

/*
 * A 64-byte SQE becomes an operation on a file, or the cancelling of the one
 * that has the same udata. What is lent is in `slot`. Not FETCH, STORE, CLEAR:
 * these are copies of parts of a request, as of ublkev__sqe_copy().
 */
void ublkev__sqe_file(struct io_uring_sqe *sqe,
		      const struct ublkev__fileop *op, unsigned int slot,
		      uint64_t udata);
void ublkev__sqe_copy_part(struct io_uring_sqe *sqe, unsigned int queue,
			   unsigned int tag, const struct ublkev__fileop *op,
			   uint64_t udata);

/*
 * A 64-byte SQE becomes PREP_IO_CMDS or COMMIT_IO_CMDS of nr elements; what an
 * element has the driver learns from elem_bytes and from flags, ABI_BATCH_*.
 */
void ublkev__sqe_batch(struct io_uring_sqe *sqe, uint32_t cmd_op,
		       unsigned int queue, const void *elems, unsigned int nr,
		       unsigned int elem_bytes, unsigned int flags);

/* A 64-byte SQE becomes FETCH_IO_CMDS into the buffers of group `queue`. */
void ublkev__sqe_batch_fetch(struct io_uring_sqe *sqe, unsigned int queue);

/* A 128-byte SQE becomes a control command on `fd`, /dev/ublk-control. */
void ublkev__sqe_ctrl(struct io_uring_sqe *sqe, int fd, uint32_t cmd_op,
		      const struct abi_ctrl_cmd *cmd, uint64_t udata);

#endif
