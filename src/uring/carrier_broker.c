/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device's side of a channel to the broker, as the engine sees a carrier.
 * The broker may die at any time, and nobody signals the eventfd then: with a
 * command pending, ublkev__cbroker_has_work() sees it in the next turn that
 * something else begins, the command's deadline at the latest.
 */
#include "uring/carrier_broker.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "uring/abi.h"
#include "uring/broker_fork.h"
#include "uring/chan.h"

struct ublkev__cbroker {
	const struct ublkev__alloc *mem;
	int fd;				/* this end of the channel */
	int evfd;			/* the device's, not ours to close */
	enum ublkev__ctrl_cmd pending;
	int lost;			/* the errno with which the channel was
					   found closed; 0: it was not */
};

int ublkev__cbroker_new(struct ublkev__cbroker **bp,
			const struct ublkev__alloc *mem, int evfd,
			struct ublkev_broker *broker)
{
	struct ublkev__cbroker *b = ublkev__alloc_zalloc(mem, 1, sizeof(*b));
	int fds[2], sent[2];
	int err;

	if (!b)
		return -ENOMEM;
	err = ublkev__chan_pair(fds);
	if (err)
		goto fail;
	sent[0] = fds[1];
	sent[1] = evfd;
	err = ublkev__chan_send_fds(ublkev__broker_fd(broker), sent);
	close(fds[1]);
	if (err) {
		close(fds[0]);
		goto fail;
	}
	b->mem = mem;
	b->fd = fds[0];
	b->evfd = evfd;
	*bp = b;
	return 0;
fail:
	ublkev__alloc_free(mem, b);
	return err;
}

/*
 * A refusal is none: the broker may have been started with rights that this
 * process has given up since.
 */
int ublkev__cbroker_open(struct ublkev__cbroker *b)
{
	int fd = open(ABI_CONTROL_PATH, O_RDWR | O_CLOEXEC);

	(void)b;
	if (fd < 0)
		return errno == EACCES || errno == EPERM ? 0 : -errno;
	close(fd);
	return 0;
}

void ublkev__cbroker_free(struct ublkev__cbroker *b)
{
	if (!b)
		return;
	close(b->fd);
	ublkev__alloc_free(b->mem, b);
}

/*
 * Takes the next answer: 1, or 0 when none is there. A channel that is closed
 * has none either, and b->lost says why: with what the broker said before it
 * closed the channel, or -EPIPE for a broker that is dead.
 */
static int cbroker_recv(struct ublkev__cbroker *b,
			struct ublkev__carrier_done *done)
{
	int ret = ublkev__chan_recv(b->fd, done, sizeof(*done));

	if (ret > 0 && done->cmd != UBLKEV__CTRL_NONE)
		return 1;
	if (ret)
		b->lost = ret < 0 ? ret : done->answer.res;
	return 0;
}

int ublkev__cbroker_submit(struct ublkev__cbroker *b,
			   const struct ublkev__carrier_req *req)
{
	struct ublkev__carrier_done done;
	struct ublkev__chan_cmd cmd;
	int err;

	if (b->pending != UBLKEV__CTRL_NONE)
		return -EBUSY;
	if (b->lost)
		return b->lost;
	memset(&cmd, 0, sizeof(cmd));
	cmd.req = *req;
	err = ublkev__chan_send_with(b->fd, &cmd, sizeof(cmd),
				     req->cmd == UBLKEV__CTRL_REG_BUF ?
				     req->memory.fd : -1);
	if (!err)
		b->pending = req->cmd;
	else if (err == -EPIPE)	/* perhaps the broker has said why */
		(void)cbroker_recv(b, &done);
	return b->lost ? b->lost : err;
}

void ublkev__cbroker_cancel(struct ublkev__cbroker *b)
{
	struct ublkev__chan_cmd cmd;

	if (b->pending == UBLKEV__CTRL_NONE)
		return;
	memset(&cmd, 0, sizeof(cmd));
	cmd.cancel = true;
	/* a broker that does not take it is dead: reaping sees that */
	(void)ublkev__chan_send(b->fd, &cmd, sizeof(cmd));
}

bool ublkev__cbroker_has_work(const struct ublkev__cbroker *b)
{
	return b->pending != UBLKEV__CTRL_NONE && ublkev__chan_has_work(b->fd);
}

bool ublkev__cbroker_reap(struct ublkev__cbroker *b,
			  struct ublkev__carrier_done *done)
{
	if (b->pending == UBLKEV__CTRL_NONE)
		return false;
	if (!cbroker_recv(b, done)) {
		if (!b->lost)
			return false;
		memset(done, 0, sizeof(*done));
		done->cmd = b->pending;
		done->answer.res = b->lost;
	}
	b->pending = UBLKEV__CTRL_NONE;
	return true;
}
