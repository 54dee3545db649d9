/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control commands as SQEs of a ring, one at a time. The kernel reads and
 * writes the payload whenever it runs the command, so the payload is in memory
 * of its own (struct lent), which outlives the ring if the command does.
 */
#include "uring/carrier_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "uring/abi.h"
#include "uring/ring.h"
#include "uring/sqe.h"

/*
 * The entries of a task's first ring bound how many control commands the kernel
 * runs for it at a time (io_init_wq_offload()): with one entry, a START_DEV
 * that waits would hold up every other command.
 */
#define ENTRIES 32

/*
 * The bound is raised to this, for the devices of one thread share it, and each
 * may have a command that waits in the kernel.
 */
#define WORKERS 64

#define UDATA_CANCEL UINT64_MAX

#define SQE_BYTES 128	/* IORING_SETUP_SQE128 */

union payload {
	uint64_t features;
	struct abi_dev_info info;
	struct abi_params params;
	struct ublkev_cpus cpus;
	struct abi_shmem_buf_reg memory;
};

/*
 * What the kernel reads and writes while a command is pending: the path of
 * ublkc with its NUL, where the driver wants that, and the payload right behind
 * it.
 */
struct lent {
	char bytes[sizeof(ABI_CHAR_PATH) + 16 + sizeof(union payload)];
	size_t path_bytes;
};

struct ublkev__cring {
	const struct ublkev__alloc *mem;
	struct ublkev__ring ring;
	struct lent *lent;
	int fd;
	bool shared;			/* fd is the broker's */
	enum ublkev__ctrl_cmd pending;
	uint64_t seq;			/* user_data of the pending one */
};

static void cring_raise_workers(struct ublkev__ring *ring)
{
	/* of bounded and of unbounded work; 0 asks, and changes nothing */
	unsigned int values[2] = { 0, 0 };

	if (io_uring_register_iowq_max_workers(&ring->u, values) ||
	    values[0] >= WORKERS)
		return;
	values[0] = WORKERS;
	values[1] = 0;
	(void)io_uring_register_iowq_max_workers(&ring->u, values);
}

int ublkev__cring_new(struct ublkev__cring **ringp,
		      const struct ublkev__alloc *mem, int evfd)
{
	struct ublkev__cring *r = ublkev__alloc_zalloc(mem, 1, sizeof(*r));
	int err = -ENOMEM;

	if (!r)
		return err;
	r->mem = mem;
	r->fd = -1;
	r->lent = ublkev__alloc_zalloc(mem, 1, sizeof(*r->lent));
	if (r->lent)
		err = ublkev__ring_open(&r->ring, ENTRIES,
					IORING_SETUP_SQE128, evfd);
	if (err) {
		ublkev__cring_free(r);
		return err;
	}
	cring_raise_workers(&r->ring);
	*ringp = r;
	return 0;
}

int ublkev__cring_open_control(void)
{
	int fd = open(ABI_CONTROL_PATH, O_RDWR | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : fd;
}

int ublkev__cring_open(struct ublkev__cring *r)
{
	int fd = ublkev__cring_open_control();

	if (fd < 0)
		return fd;
	r->fd = fd;
	return 0;
}

void ublkev__cring_share(struct ublkev__cring *r, int control_fd)
{
	r->fd = control_fd;
	r->shared = true;
}

bool ublkev__cring_free(struct ublkev__cring *r)
{
	bool left;

	if (!r)
		return false;
	left = r->pending != UBLKEV__CTRL_NONE;
	ublkev__ring_close(&r->ring);
	if (r->fd >= 0 && !r->shared)
		close(r->fd);
	/* a pending command's worker still reads and writes it */
	if (!left)
		ublkev__alloc_free(r->mem, r->lent);
	ublkev__alloc_free(r->mem, r);
	return left;
}

static size_t cring_payload_bytes(enum ublkev__ctrl_cmd cmd)
{
	switch (cmd) {
	case UBLKEV__CTRL_GET_FEATURES:
		return sizeof(uint64_t);
	case UBLKEV__CTRL_ADD_DEV:
	case UBLKEV__CTRL_GET_DEV_INFO:
	case UBLKEV__CTRL_GET_DEV_INFO2:
		return sizeof(struct abi_dev_info);
	case UBLKEV__CTRL_SET_PARAMS:
	case UBLKEV__CTRL_GET_PARAMS:
		return sizeof(struct abi_params);
	case UBLKEV__CTRL_GET_QUEUE_AFFINITY:
		return sizeof(struct ublkev_cpus);
	case UBLKEV__CTRL_REG_BUF:
		return sizeof(struct abi_shmem_buf_reg);
	default:
		return 0;
	}
}

static void cring_put_payload(union payload *p,
			      const struct ublkev__carrier_req *req)
{
	memset(p, 0, sizeof(*p));
	if (req->cmd == UBLKEV__CTRL_ADD_DEV)
		ublkev__abi_put_info(&p->info, &req->info);
	else if (req->cmd == UBLKEV__CTRL_SET_PARAMS)
		ublkev__abi_put_params(&p->params, &req->params);
	else if (req->cmd == UBLKEV__CTRL_GET_PARAMS)
		p->params.len = sizeof(p->params);
	else if (req->cmd == UBLKEV__CTRL_REG_BUF)
		p->memory = (struct abi_shmem_buf_reg){
			.addr = (uintptr_t)req->memory.base,
			.len = req->memory.bytes,
			.flags = req->memory.read_only ? ABI_SHMEM_READ_ONLY : 0,
		};
}

/*
 * An ordinary user's device takes no command without its path but ADD_DEV, when
 * there is none yet, and GET_FEATURES, which is about no device; the driver
 * answers -EINVAL (ublk_ctrl_uring_cmd_permission()). Of other devices it looks
 * at the path that goes with GET_DEV_INFO2, and passes over any other: so what
 * ends a device, which may be sent by somebody who does not know whose it is,
 * has it always.
 */
static bool cring_wants_path(const struct ublkev__carrier_req *req)
{
	switch (req->cmd) {
	case UBLKEV__CTRL_ADD_DEV:
	case UBLKEV__CTRL_GET_FEATURES:
		return false;
	case UBLKEV__CTRL_GET_DEV_INFO2:
	case UBLKEV__CTRL_STOP_DEV:
	case UBLKEV__CTRL_TRY_STOP_DEV:
	case UBLKEV__CTRL_DEL_DEV:
		return true;
	default:
		return req->info.features & UBLKEV__F(UNPRIVILEGED_DEV);
	}
}

static void cring_fill(struct ublkev__cring *r, struct abi_ctrl_cmd *cmd,
		       const struct ublkev__carrier_req *req)
{
	struct lent *lent = r->lent;
	union payload payload;

	memset(cmd, 0, sizeof(*cmd));
	cmd->dev_id = req->info.id < 0 ? ABI_NO_DEV : (uint32_t)req->info.id;
	cmd->queue_id = ABI_NO_QUEUE;
	cmd->data = req->data;
	lent->path_bytes = 0;
	if (cring_wants_path(req))
		lent->path_bytes = 1 + (size_t)
			snprintf(lent->bytes, sizeof(lent->bytes),
				 ABI_CHAR_PATH, req->info.id);
	cring_put_payload(&payload, req);
	memcpy(lent->bytes + lent->path_bytes, &payload, sizeof(payload));
	cmd->dev_path_len = (uint16_t)lent->path_bytes;
	cmd->len = (uint16_t)(lent->path_bytes + cring_payload_bytes(req->cmd));
	if (cmd->len)
		cmd->addr = (uintptr_t)lent->bytes;
}

static struct io_uring_sqe *cring_get_sqe(struct ublkev__cring *r)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring.u);

	/* all slots may hold commands that were not taken: try them again */
	if (!sqe) {
		io_uring_submit(&r->ring.u);
		sqe = io_uring_get_sqe(&r->ring.u);
	}
	return sqe;
}

int ublkev__cring_submit(struct ublkev__cring *r,
			 const struct ublkev__carrier_req *req)
{
	struct abi_ctrl_cmd cmd;
	struct io_uring_sqe *sqe;
	int n;

	if (r->pending != UBLKEV__CTRL_NONE)
		return -EBUSY;
	sqe = cring_get_sqe(r);
	if (!sqe)
		return -EAGAIN;
	cring_fill(r, &cmd, req);
	ublkev__sqe_ctrl(sqe, r->fd, ublkev__abi_cmd_op(req->cmd), &cmd,
			 ++r->seq);
	r->pending = req->cmd;
	n = io_uring_submit(&r->ring.u);
	/* the SQE stays in the ring, and the next reap submits it again */
	if (n >= 0 || n == -EAGAIN || n == -EBUSY || n == -EINTR)
		return 0;
	/* the SQE is still in the ring: it becomes a NOP that nobody hears of */
	memset(sqe, 0, SQE_BYTES);
	sqe->user_data = UDATA_CANCEL;
	r->pending = UBLKEV__CTRL_NONE;
	return n;
}

void ublkev__cring_cancel(struct ublkev__cring *r)
{
	struct io_uring_sqe *sqe;

	/* looked at first: a slot that was got is submitted, even unfilled */
	if (r->pending == UBLKEV__CTRL_NONE)
		return;
	sqe = cring_get_sqe(r);
	if (!sqe)
		return;
	memset(sqe, 0, SQE_BYTES);
	io_uring_prep_cancel64(sqe, r->seq, 0);
	sqe->user_data = UDATA_CANCEL;
	io_uring_submit(&r->ring.u);
}

/*
 * The driver answers -ENOENT when the path that goes with a command of an
 * ordinary user's device leads nowhere: then the device is gone, as -ENODEV
 * says.
 */
static int cring_meaning_of(const struct ublkev__cring *r, int res)
{
	if (res != -ENOENT || !r->lent->path_bytes)
		return res;
	switch (r->pending) {
	case UBLKEV__CTRL_STOP_DEV:
	case UBLKEV__CTRL_TRY_STOP_DEV:
	case UBLKEV__CTRL_DEL_DEV:
		return -ENODEV;
	default:
		return res;
	}
}

static bool cring_answer(struct ublkev__cring *r, int res,
			 struct ublkev__carrier_done *done)
{
	union payload payload;

	memset(done, 0, sizeof(*done));
	done->cmd = r->pending;
	done->answer.res = cring_meaning_of(r, res);
	r->pending = UBLKEV__CTRL_NONE;
	if (res < 0)
		return true;
	memcpy(&payload, r->lent->bytes + r->lent->path_bytes,
	       sizeof(payload));
	if (done->cmd == UBLKEV__CTRL_GET_FEATURES)
		done->answer.features = payload.features;
	else if (cring_payload_bytes(done->cmd) == sizeof(payload.info))
		ublkev__abi_get_info(&payload.info, &done->answer.info);
	else if (done->cmd == UBLKEV__CTRL_GET_PARAMS)
		ublkev__abi_get_params(&payload.params, &done->params);
	else if (done->cmd == UBLKEV__CTRL_GET_QUEUE_AFFINITY)
		done->cpus = payload.cpus;
	return true;
}

bool ublkev__cring_has_work(const struct ublkev__cring *r)
{
	return io_uring_cq_ready(&r->ring.u) ||
	       io_uring_sq_ready(&r->ring.u);
}

bool ublkev__cring_reap(struct ublkev__cring *r,
			struct ublkev__carrier_done *done)
{
	struct io_uring_cqe *cqe;
	uint64_t udata;
	int res;

	if (io_uring_sq_ready(&r->ring.u))
		io_uring_submit(&r->ring.u);
	while (!io_uring_peek_cqe(&r->ring.u, &cqe)) {
		udata = cqe->user_data;
		res = cqe->res;
		io_uring_cqe_seen(&r->ring.u, cqe);
		if (udata == r->seq && r->pending != UBLKEV__CTRL_NONE)
			return cring_answer(r, res, done);
	}
	return false;
}
