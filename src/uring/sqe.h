/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sqe.h - the SQEs that the driver gets
 */
#ifndef UBLKEV_URING_SQE_H
#define UBLKEV_URING_SQE_H

#include <liburing.h>

#include "uring/abi.h"

/* the registered files of the I/O ring */
enum { FILE_UBLKC, FILE_EVENTFD };

/* fills a 64-byte SQE: FETCH_REQ or COMMIT_AND_FETCH_REQ on FILE_UBLKC */
void ublkev__sqe_io(struct io_uring_sqe *sqe, uint32_t cmd_op,
		    unsigned int queue, unsigned int tag, int result,
		    void *addr);

/*
 * likewise: USER_COPY's read (`in`, a WRITE's data) or write of FILE_UBLKC,
 * which io_uring runs at once because ublkc was opened O_NONBLOCK
 */
void ublkev__sqe_copy(struct io_uring_sqe *sqe, unsigned int queue,
		      unsigned int tag, bool in, void *addr, uint32_t bytes);

/*
 * likewise: PREP_IO_CMDS or COMMIT_IO_CMDS of nr elements, whose size tells
 * whether they have an address
 */
void ublkev__sqe_batch(struct io_uring_sqe *sqe, uint32_t cmd_op,
		       unsigned int queue, const void *elems, unsigned int nr,
		       unsigned int elem_bytes);

/* likewise: FETCH_IO_CMDS into the buffers of the group `queue` */
void ublkev__sqe_batch_fetch(struct io_uring_sqe *sqe, unsigned int queue);

/* fills a 128-byte SQE: a control command on `fd` */
void ublkev__sqe_ctrl(struct io_uring_sqe *sqe, int fd, uint32_t cmd_op,
		      const struct abi_ctrl_cmd *cmd, uint64_t udata);

#endif
