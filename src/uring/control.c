/* SPDX-License-Identifier: BSD-2-Clause */
#include "uring/control.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "uring/abi.h"
#include "uring/ring.h"
#include "uring/sqe.h"

/*
 * The first ring of a task bounds how many such commands the kernel runs for
 * it at a time (io_init_wq_offload); with one entry, a START_DEV that waits
 * would hold up every other command.
 */
#define ENTRIES 32

/* several devices may have a command waiting in the kernel at the same time */
#define WORKERS 64

#define UDATA_CANCEL UINT64_MAX

#define SQE_BYTES 128	/* IORING_SETUP_SQE128 */

/* what the kernel reads and writes while a command is pending */
union lent {
	uint64_t features;
	struct abi_dev_info info;
	struct abi_params params;
};

struct ublkev__control {
	const struct ublkev__mem *mem;
	struct ublkev__ring ring;
	union lent *lent;
	int fd;
	enum ublkev__cmd pending;
	uint64_t seq;			/* user_data of the pending one */
};

static void raise_workers(struct ublkev__ring *ring)
{
	unsigned int values[2] = { 0, 0 };	/* bounded, unbounded */

	if (io_uring_register_iowq_max_workers(&ring->u, values) ||
	    values[0] >= WORKERS)
		return;
	values[0] = WORKERS;
	values[1] = 0;		/* as it is */
	(void)io_uring_register_iowq_max_workers(&ring->u, values);
}

int ublkev__control_new(struct ublkev__control **ctlp,
			const struct ublkev__mem *mem, int evfd)
{
	struct ublkev__control *ctl = ublkev__mem_zalloc(mem, 1, sizeof(*ctl));
	int err = -ENOMEM;

	if (!ctl)
		return err;
	ctl->mem = mem;
	ctl->fd = -1;
	ctl->lent = ublkev__mem_zalloc(mem, 1, sizeof(*ctl->lent));
	if (ctl->lent)
		err = ublkev__ring_open(&ctl->ring, ENTRIES,
					IORING_SETUP_SQE128, evfd);
	if (err) {
		ublkev__control_free(ctl);
		return err;
	}
	raise_workers(&ctl->ring);
	*ctlp = ctl;
	return 0;
}

int ublkev__control_open(struct ublkev__control *ctl)
{
	ctl->fd = open(ABI_CONTROL_PATH, O_RDWR | O_CLOEXEC);
	return ctl->fd < 0 ? -errno : 0;
}

bool ublkev__control_free(struct ublkev__control *ctl)
{
	bool left;

	if (!ctl)
		return false;
	left = ctl->pending != UBLKEV__CMD_NONE;
	ublkev__ring_close(&ctl->ring);
	if (ctl->fd >= 0)
		close(ctl->fd);
	if (!left)
		ublkev__mem_free(ctl->mem, ctl->lent);
	ublkev__mem_free(ctl->mem, ctl);
	return left;
}

static void lend(struct ublkev__control *ctl, struct abi_ctrl_cmd *cmd,
		 size_t bytes)
{
	cmd->addr = (uintptr_t)ctl->lent;
	cmd->len = (uint16_t)bytes;
}

static void fill(struct ublkev__control *ctl, struct abi_ctrl_cmd *cmd,
		 enum ublkev__cmd which, const struct ublkev__devinfo *info,
		 const struct ublkev__params *params)
{
	memset(cmd, 0, sizeof(*cmd));
	cmd->dev_id = info->id < 0 ? ABI_NO_DEV : (uint32_t)info->id;
	cmd->queue_id = ABI_NO_QUEUE;
	switch (which) {
	case UBLKEV__CMD_GET_FEATURES:
		ctl->lent->features = 0;
		lend(ctl, cmd, sizeof(ctl->lent->features));
		break;
	case UBLKEV__CMD_ADD_DEV:
		ublkev__abi_put_info(&ctl->lent->info, info);
		lend(ctl, cmd, sizeof(ctl->lent->info));
		break;
	case UBLKEV__CMD_SET_PARAMS:
		ublkev__abi_put_params(&ctl->lent->params, params);
		lend(ctl, cmd, sizeof(ctl->lent->params));
		break;
	case UBLKEV__CMD_START_DEV:
		cmd->data = (uint64_t)getpid();
		break;
	default:
		break;
	}
}

static struct io_uring_sqe *get_sqe(struct ublkev__control *ctl)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ctl->ring.u);

	/* all slots hold what could not be submitted: once more */
	if (!sqe) {
		io_uring_submit(&ctl->ring.u);
		sqe = io_uring_get_sqe(&ctl->ring.u);
	}
	return sqe;
}

int ublkev__control_submit(struct ublkev__control *ctl, enum ublkev__cmd which,
			   const struct ublkev__devinfo *info,
			   const struct ublkev__params *params)
{
	struct abi_ctrl_cmd cmd;
	struct io_uring_sqe *sqe;
	int n;

	if (ctl->pending != UBLKEV__CMD_NONE)
		return -EBUSY;
	sqe = get_sqe(ctl);
	if (!sqe)
		return -EAGAIN;
	fill(ctl, &cmd, which, info, params);
	ublkev__sqe_ctrl(sqe, ctl->fd, ublkev__abi_cmd_op(which), &cmd,
			 ++ctl->seq);
	ctl->pending = which;
	n = io_uring_submit(&ctl->ring.u);
	/* what is queued is tried again with the next reap */
	if (n >= 0 || n == -EAGAIN || n == -EBUSY || n == -EINTR)
		return 0;
	/* it is still in the ring: what goes out with the next is nothing */
	memset(sqe, 0, SQE_BYTES);
	sqe->user_data = UDATA_CANCEL;
	ctl->pending = UBLKEV__CMD_NONE;
	return n;
}

void ublkev__control_cancel(struct ublkev__control *ctl)
{
	struct io_uring_sqe *sqe;

	/* first: a slot that was got is submitted, whatever stands in it */
	if (ctl->pending == UBLKEV__CMD_NONE)
		return;
	sqe = get_sqe(ctl);
	if (!sqe)
		return;
	memset(sqe, 0, SQE_BYTES);
	io_uring_prep_cancel64(sqe, ctl->seq, 0);
	sqe->user_data = UDATA_CANCEL;
	io_uring_submit(&ctl->ring.u);
}

static bool answer(struct ublkev__control *ctl, int res,
		   struct ublkev__control_done *done)
{
	memset(done, 0, sizeof(*done));
	done->cmd = ctl->pending;
	done->res = res;
	if (ctl->pending == UBLKEV__CMD_GET_FEATURES)
		done->features = ctl->lent->features;
	else if (ctl->pending == UBLKEV__CMD_ADD_DEV)
		ublkev__abi_get_info(&ctl->lent->info, &done->info);
	ctl->pending = UBLKEV__CMD_NONE;
	return true;
}

bool ublkev__control_has_work(const struct ublkev__control *ctl)
{
	return io_uring_cq_ready(&ctl->ring.u) ||
	       io_uring_sq_ready(&ctl->ring.u);
}

bool ublkev__control_reap(struct ublkev__control *ctl,
			  struct ublkev__control_done *done)
{
	struct io_uring_cqe *cqe;
	uint64_t udata;
	int res;

	if (io_uring_sq_ready(&ctl->ring.u))
		io_uring_submit(&ctl->ring.u);
	while (!io_uring_peek_cqe(&ctl->ring.u, &cqe)) {
		udata = cqe->user_data;
		res = cqe->res;
		io_uring_cqe_seen(&ctl->ring.u, cqe);
		if (udata == ctl->seq && ctl->pending != UBLKEV__CMD_NONE)
			return answer(ctl, res, done);
	}
	return false;
}
