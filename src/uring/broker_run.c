/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the broker does all its life: it carries commands from channels to rings
 * and their answers back, and when the other end of a channel is closed, takes
 * down the device that was added through it.
 *
 * It runs in the broker's process alone (broker_fork.c), which has one thread
 * and waits in poll(2) only: each channel has a ring of its own, whose worker
 * threads wait for the driver. At any time the server of a channel may be
 * killed; then its end of the channel is closed, and that is all that is heard.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "uring/broker_fork.h"
#include "uring/cdev.h"
#include "uring/chan.h"
#include "uring/carrier_ring.h"
#include "uring/scheduler.h"
#include "uring/spawn.h"

/*
 * A command that io_uring did not take (-EAGAIN, -EBUSY) is submitted again, and
 * a dead server's ublkc looked at again, which is waited for a second in all.
 */
#define RETRY_MS	10
#define MOST_LOOKS	100

/* The broker's end of a channel, and what it knows of that device. */
struct channel {
	struct channel *next;
	struct ublkev__cring *ring;
	int fd;				/* -1: the other end is closed */
	int their_evfd;			/* the device's, told of answers */
	int evfd;			/* the ring's */
	int open_err;			/* of ublk-control; answers commands */
	enum ublkev__ctrl_cmd pending;	/* is with the driver */
	struct ublkev_cmd_info info;	/* of the device */
	uint64_t kernel_features;
	bool ours;			/* taken down when the channel ends */
	bool served;			/* was added or recovered through it */
	bool stopped;			/* STOP_DEV has succeeded */
	bool no_scheduler;		/* asked for by the pending START_DEV */
	struct ublkev__chan_memory memory; /* of the pending REG_BUF */
	enum ublkev__ctrl_cmd cleaning;	/* the last that clean_up() has sent */
	unsigned int looks;		/* at ublkc, before the first was sent */
	bool waits;			/* for the next look */
};

struct broker {
	struct ublkev__alloc mem;
	struct channel *channels;
	unsigned int nr;
	struct pollfd *polls;		/* [1 + 2 * most], most >= nr */
	unsigned int most;
	int fd;				/* new channels; -1: no more come */
	int control;			/* ublk-control, for all channels; -1:
					   closed, as it is without channels,
					   lest it keep the module loaded */
	/*
	 * Two descriptors, closed to make room for those of a channel: then one
	 * that cannot be served is received at least, and told so.
	 */
	int reserve[2];
	const char *sys;		/* where sysfs is */
};

/* ---- channels ----------------------------------------------------------- */

/*
 * A write fails only at 2^64 - 2 signals, when the eventfd is readable anyway.
 */
static void broker_run_signal_fd(int evfd)
{
	uint64_t one = 1;

	if (write(evfd, &one, sizeof(one)) < 0)
		return;
}

/*
 * The server is woken when its channel is closed here, to see that: a device
 * that waits for an answer looks at the channel only when its eventfd is
 * signalled.
 */
static void broker_run_end(int fd, int their_evfd)
{
	if (fd >= 0) {
		close(fd);
		broker_run_signal_fd(their_evfd);
	}
	close(their_evfd);
}

static void broker_run_channel_free(struct broker *b, struct channel *ch)
{
	ublkev__chan_unmap(&ch->memory);
	ublkev__cring_free(ch->ring);
	broker_run_end(ch->fd, ch->their_evfd);
	close(ch->evfd);
	ublkev__alloc_free(&b->mem, ch);
}

static int broker_run_make_room(struct broker *b)
{
	unsigned int most = b->most ? 2 * b->most : 8;
	struct pollfd *polls;

	if (b->nr < b->most)
		return 0;
	polls = b->mem.alloc(b->mem.data, b->polls,
			     (1 + 2 * (size_t)most) * sizeof(*polls));
	if (!polls)
		return -ENOMEM;
	b->polls = polls;
	b->most = most;
	return 0;
}

static int broker_run_open_control(struct broker *b)
{
	if (b->control < 0)
		b->control = ublkev__cring_open_control();
	return b->control < 0 ? b->control : 0;
}

static void broker_run_close_control(struct broker *b)
{
	if (b->control >= 0)
		close(b->control);
	b->control = -1;
}

/*
 * After an error the descriptors are still the caller's. The error of opening
 * ublk-control is none: it answers the first command (ublkev__carrier_open()).
 */
static int broker_run_add_channel(struct broker *b, const int fds[2])
{
	struct channel *ch = ublkev__alloc_zalloc(&b->mem, 1, sizeof(*ch));
	int err;

	if (!ch)
		return -ENOMEM;
	ch->evfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = ch->evfd < 0 ? -errno : broker_run_make_room(b);
	if (!err)
		err = ublkev__cring_new(&ch->ring, &b->mem, ch->evfd);
	if (err) {
		if (ch->evfd >= 0)
			close(ch->evfd);
		ublkev__alloc_free(&b->mem, ch);
		return err;
	}
	ch->fd = fds[0];
	ch->their_evfd = fds[1];
	ch->open_err = broker_run_open_control(b);
	if (!ch->open_err)
		ublkev__cring_share(ch->ring, b->control);
	ch->next = b->channels;
	b->channels = ch;
	b->nr++;
	return 0;
}

static void broker_run_refuse(const int fds[2], int err)
{
	struct ublkev__carrier_done done;

	memset(&done, 0, sizeof(done));
	done.cmd = UBLKEV__CTRL_NONE;
	done.answer.res = err;
	(void)ublkev__chan_send(fds[0], &done, sizeof(done));
	broker_run_end(fds[0], fds[1]);
}

/* ---- answers ------------------------------------------------------------ */

static void broker_run_tell(struct channel *ch,
			    const struct ublkev__carrier_done *done)
{
	if (ch->fd >= 0 && !ublkev__chan_send(ch->fd, done, sizeof(*done)))
		broker_run_signal_fd(ch->their_evfd);
}

/* Once live, a device that can be recovered waits for its next server. */
static void broker_run_note_live(struct channel *ch)
{
	if (ch->info.features & UBLKEV__F(USER_RECOVERY))
		ch->ours = false;
}

/*
 * A device that is left half recovered is refused for ever before Linux 7.3, or
 * crashes the driver (ublk_queue_reinit()): there it is taken down instead. The
 * release is told by a feature that came with it.
 */
static void broker_run_note_recovery(struct channel *ch)
{
	ch->served = true;
	ch->stopped = false;
	ch->ours = !(ch->kernel_features & UBLKEV__F(IO_DESC_SIZE));
}

/*
 * Learns from an answer what is to become of the device when its server dies.
 * The server hears of the answer only after this.
 */
static void broker_run_note(struct channel *ch,
			    const struct ublkev__carrier_done *done)
{
	int res = done->answer.res;
	bool gone = res >= 0 || res == -ENODEV;

	switch (done->cmd) {
	case UBLKEV__CTRL_DEL_DEV:
	case UBLKEV__CTRL_DEL_DEV_ASYNC:
		if (gone)
			ch->ours = false;
		return;
	case UBLKEV__CTRL_STOP_DEV:
		ch->stopped = res >= 0;
		return;
	default:
		break;
	}
	if (res < 0)
		return;
	switch (done->cmd) {
	case UBLKEV__CTRL_GET_FEATURES:
		ch->kernel_features = done->answer.features;
		break;
	case UBLKEV__CTRL_ADD_DEV:
		ch->ours = true;
		ch->served = true;
		ch->stopped = false;
		ch->info = done->answer.info;
		break;
	case UBLKEV__CTRL_GET_DEV_INFO:
		ch->info = done->answer.info;
		break;
	case UBLKEV__CTRL_START_USER_RECOVERY:
		broker_run_note_recovery(ch);
		break;
	case UBLKEV__CTRL_START_DEV:
	case UBLKEV__CTRL_END_USER_RECOVERY:
		broker_run_note_live(ch);
		break;
	/* after TRY_STOP_DEV nobody can open the disk any more: it is to go */
	case UBLKEV__CTRL_TRY_STOP_DEV:
		ch->ours = ch->served;
		ch->stopped = true;
		break;
	default:
		break;
	}
}

/*
 * Writing to queue/scheduler freezes the queue (elv_iosched_store()): it waits
 * until the server has answered all requests, or, if that dies, the next one of
 * a device that can be recovered. So a child does it, which holds no descriptor
 * of a channel. When no child can be made the scheduler stays, which costs some
 * speed and nothing else.
 */
static void broker_run_drop_scheduler(const struct broker *b, int id)
{
	if (ublkev__spawn(SIGCHLD))
		return;
	ublkev__spawn_close_from(3);
	(void)ublkev__scheduler_set_none(b->sys, id);
	_exit(0);
}

static void broker_run_reap(const struct broker *b, struct channel *ch)
{
	struct ublkev__carrier_done done;
	uint64_t count;

	if (read(ch->evfd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	while (ublkev__cring_reap(ch->ring, &done)) {
		ch->pending = UBLKEV__CTRL_NONE;
		ublkev__chan_unmap(&ch->memory);
		broker_run_note(ch, &done);
		broker_run_tell(ch, &done);
		if (done.cmd == UBLKEV__CTRL_START_DEV &&
		    done.answer.res >= 0 && ch->no_scheduler)
			broker_run_drop_scheduler(b, ch->info.id);
	}
}

/* ---- commands ----------------------------------------------------------- */

static int broker_run_submit(struct channel *ch,
			     const struct ublkev__carrier_req *req)
{
	int err = ch->open_err;

	if (!err)
		err = ublkev__cring_submit(ch->ring, req);
	if (!err) {
		ch->pending = req->cmd;
		ch->no_scheduler = req->no_scheduler;
	}
	return err;
}

static bool broker_run_is_command(const struct ublkev__chan_cmd *cmd)
{
	return cmd->cancel || (cmd->req.cmd > UBLKEV__CTRL_NONE &&
			       cmd->req.cmd < UBLKEV__NR_CTRL_CMDS);
}

/* `with`: the file of the memory that REG_BUF registers, or -1 */
static void broker_run_carry(struct channel *ch, struct ublkev__chan_cmd *cmd,
			     int with)
{
	struct ublkev__carrier_done done;
	int err = 0;

	if (cmd->cancel) {
		ublkev__cring_cancel(ch->ring);
		return;
	}
	if (cmd->req.cmd == UBLKEV__CTRL_REG_BUF &&
	    ch->pending == UBLKEV__CTRL_NONE)
		err = ublkev__chan_map(&ch->memory, &cmd->req.memory, with);
	if (!err)
		err = broker_run_submit(ch, &cmd->req);
	if (!err) {
		/* a stop that the server began is finished without it */
		if (cmd->req.cmd == UBLKEV__CTRL_STOP_DEV)
			ch->ours = ch->served;
		return;
	}
	if (ch->pending == UBLKEV__CTRL_NONE)
		ublkev__chan_unmap(&ch->memory);
	memset(&done, 0, sizeof(done));
	done.cmd = cmd->req.cmd;
	done.answer.res = err;
	broker_run_tell(ch, &done);
}

/*
 * The server is dead, or has finished with the device: which of the two, only
 * the device's own state tells (ch->ours).
 */
static void broker_run_other_end_closed(struct channel *ch)
{
	close(ch->fd);
	ch->fd = -1;
	/*
	 * A START_DEV waits for FETCHes that come no more
	 * (ublk_ctrl_start_dev()), interruptibly, so cancelling ends it.
	 */
	if (ch->pending != UBLKEV__CTRL_NONE)
		ublkev__cring_cancel(ch->ring);
}

/* What is no command closes the channel: its sender is not this program. */
static void broker_run_listen_to(struct channel *ch)
{
	struct ublkev__chan_cmd cmd;
	int ret, with;

	while ((ret = ublkev__chan_recv_with(ch->fd, &cmd, sizeof(cmd),
					     &with)) > 0) {
		if (broker_run_is_command(&cmd))
			broker_run_carry(ch, &cmd, with);
		else
			ret = -EPIPE;
		if (with >= 0)
			close(with);
		if (ret < 0)
			break;
	}
	if (ret < 0)
		broker_run_other_end_closed(ch);
}

/*
 * Each command is sent once, refused or not: a repetition would meet the same
 * refusal, and the broker is to end some day.
 */
static enum ublkev__ctrl_cmd broker_run_next_cleaning(const struct channel *ch)
{
	switch (ch->cleaning) {
	case UBLKEV__CTRL_NONE:
		return ch->stopped ? UBLKEV__CTRL_DEL_DEV_ASYNC
				   : UBLKEV__CTRL_STOP_DEV;
	case UBLKEV__CTRL_STOP_DEV:
		return UBLKEV__CTRL_DEL_DEV_ASYNC;
	case UBLKEV__CTRL_DEL_DEV_ASYNC:
		/*
		 * DEL_DEV_ASYNC was refused: Linux before 6.7 has none, and no
		 * release has it for devices of ordinary users.
		 */
		return UBLKEV__CTRL_DEL_DEV;
	default:
		return UBLKEV__CTRL_NONE;
	}
}

/*
 * A channel is closed while its server still dies: the ring comes after the
 * descriptors, in a worker of the kernel's (io_ring_exit_work()), which cancels
 * the FETCHes there as STOP_DEV and DEL_DEV do here. Linux 7.3 warns when the two
 * meet (ublk_uring_cmd_cancel_fn()), so the ring goes first. It may be held for
 * longer, by a server that lives or has children: then STOP_DEV ends it all.
 */
static bool broker_run_waits_for_ring(struct channel *ch)
{
	ch->waits = ch->cleaning == UBLKEV__CTRL_NONE &&
		    ch->looks++ < MOST_LOOKS &&
		    ublkev__cdev_held(ch->info.id);
	return ch->waits;
}

/*
 * Takes down, command by command, the device that a closed channel has left;
 * true when nothing is left to do. DEL_DEV waits for whoever has the disk open,
 * DEL_DEV_ASYNC does not. Called after each round of poll(2).
 */
static bool broker_run_clean_up(struct channel *ch)
{
	struct ublkev__carrier_req req;

	if (ch->fd >= 0 || ch->pending != UBLKEV__CTRL_NONE)
		return false;
	if (!ch->ours)
		return true;
	if (broker_run_waits_for_ring(ch))
		return false;
	ch->cleaning = broker_run_next_cleaning(ch);
	if (ch->cleaning == UBLKEV__CTRL_NONE)
		return true;
	memset(&req, 0, sizeof(req));
	req.cmd = ch->cleaning;
	req.info = ch->info;
	/* a command that cannot even be submitted is given up */
	return broker_run_submit(ch, &req) != 0;
}

/* ---- the loop ----------------------------------------------------------- */

static void broker_run_clean_up_all(struct broker *b)
{
	struct channel **p = &b->channels;
	struct channel *ch;

	while ((ch = *p)) {
		if (!broker_run_clean_up(ch)) {
			p = &ch->next;
			continue;
		}
		*p = ch->next;
		b->nr--;
		broker_run_channel_free(b, ch);
	}
	if (!b->channels)
		broker_run_close_control(b);
}

/* poll(2) passes over descriptors of -1, a closed channel's among them. */
static unsigned int broker_run_fill_polls(struct broker *b)
{
	const struct channel *ch;
	struct pollfd *p = b->polls;

	*p++ = (struct pollfd){ .fd = b->fd, .events = POLLIN };
	for (ch = b->channels; ch; ch = ch->next) {
		*p++ = (struct pollfd){ .fd = ch->fd, .events = POLLIN };
		*p++ = (struct pollfd){ .fd = ch->evfd, .events = POLLIN };
	}
	return (unsigned int)(p - b->polls);
}

/*
 * A ring with work that poll(2) does not show has a command that could not be
 * submitted: reaping submits it again. Nor does it show when ublkc is free.
 */
static int broker_run_timeout_ms(const struct broker *b)
{
	const struct channel *ch;

	for (ch = b->channels; ch; ch = ch->next)
		if (ch->waits || ublkev__cring_has_work(ch->ring))
			return RETRY_MS;
	return -1;
}

static void broker_run_serve_channels(const struct broker *b)
{
	const struct pollfd *p = b->polls + 1;
	struct channel *ch;

	for (ch = b->channels; ch; ch = ch->next, p += 2) {
		if (p[1].revents || ublkev__cring_has_work(ch->ring))
			broker_run_reap(b, ch);
		if (p[0].revents)
			broker_run_listen_to(ch);
	}
}

static void broker_run_free_reserve(struct broker *b)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		if (b->reserve[i] >= 0)
			close(b->reserve[i]);
		b->reserve[i] = -1;
	}
}

static int broker_run_fill_reserve(struct broker *b)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		if (b->reserve[i] < 0)
			b->reserve[i] = eventfd(0, EFD_CLOEXEC);
		if (b->reserve[i] < 0)
			return -errno;
	}
	return 0;
}

/*
 * 1 when a channel was taken or refused, else what ublkev__chan_recv_fds()
 * gave. The kernel drops descriptors that it has no numbers for
 * (scm_detach_fds()), and the device would hear nothing until its deadline. So
 * the reserve makes room for two before a channel is received, and is filled
 * again afterwards: if that fails, the channel has taken the last ones, and is
 * refused.
 */
static int broker_run_take_channel(struct broker *b)
{
	int fds[2];
	int ret, err;

	broker_run_free_reserve(b);
	ret = ublkev__chan_recv_fds(b->fd, fds);
	err = broker_run_fill_reserve(b);
	if (ret <= 0)
		return ret;
	if (!err)
		err = broker_run_add_channel(b, fds);
	if (err)
		broker_run_refuse(fds, err);
	return 1;
}

/* When the broker's own socket is closed, ublkev_broker_stop() was called. */
static void broker_run_take_channels(struct broker *b)
{
	int ret;

	do
		ret = broker_run_take_channel(b);
	while (ret > 0);
	if (ret < 0) {
		close(b->fd);
		b->fd = -1;
	}
}

void ublkev__broker_run(int fd, const char *sys)
{
	struct broker b = {
		.fd = fd, .control = -1, .reserve = { -1, -1 }, .sys = sys,
	};

	ublkev__alloc_init(&b.mem, ublkev__spawn_alloc, NULL);
	if (broker_run_make_room(&b))
		return;
	/* what fails now is tried again with each channel */
	(void)broker_run_fill_reserve(&b);
	while (b.fd >= 0 || b.channels) {
		if (poll(b.polls, broker_run_fill_polls(&b),
			 broker_run_timeout_ms(&b)) < 0)
			continue;	/* EINTR */
		broker_run_serve_channels(&b);
		if (b.polls[0].revents)
			broker_run_take_channels(&b);
		broker_run_clean_up_all(&b);
	}
	broker_run_free_reserve(&b);
	ublkev__alloc_free(&b.mem, b.polls);
}
