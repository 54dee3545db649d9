/* SPDX-License-Identifier: BSD-2-Clause */
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
	int lost;			/* why the channel is closed; 0: it is
					   not, as far as is known */
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

/* the broker may do what this process, with fewer rights by now, may not */
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
 * The next answer: 1, or 0 and none is there. When the channel is closed the
 * answer is none either, but b->lost says why: what the broker said, or else
 * it is dead.
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
	err = ublkev__chan_send(b->fd, &cmd, sizeof(cmd));
	if (!err)
		b->pending = req->cmd;
	else if (err == -EPIPE)
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
	/* a broker that does not take it is dead, which the reaping sees */
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
