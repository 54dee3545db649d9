/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * broker_run.c - what the broker does all its life: carries commands from
 * channels to rings, and their answers back; and when the other end of a
 * channel is closed, takes down the device that was added through it
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "uring/broker_fork.h"
#include "uring/chan.h"
#include "uring/carrier_ring.h"
#include "uring/scheduler.h"
#include "uring/spawn.h"

#define RETRY_MS 10

/* of one device */
struct channel {
	struct channel *next;
	struct ublkev__cring *ring;
	int fd;				/* -1: the other end is closed */
	int their_evfd;
	int evfd;			/* the ring's */
	int open_err;			/* of ublk-control */
	enum ublkev__ctrl_cmd pending;
	struct ublkev__devinfo info;	/* of the device */
	uint64_t kernel_features;
	bool ours;			/* to be taken down, if it is left */
	bool served;			/* it was added or recovered here */
	bool stopped;
	bool no_scheduler;		/* what is pending asks for none */
	enum ublkev__ctrl_cmd
		cleaning; /* the last command of broker_run_clean_up() */
};

struct broker {
	struct ublkev__alloc mem;
	struct channel *channels;
	unsigned int nr;
	struct pollfd *polls;		/* [1 + 2 * most], most >= nr */
	unsigned int most;
	int fd;				/* new channels; -1: no more come */
	int control;			/* ublk-control, for all channels; -1:
					   closed, as without a channel, for it
					   keeps the module */
	/*
	 * Places for the two descriptors of a channel that cannot be served:
	 * who sent it is to be told.
	 */
	int reserve[2];
	const char *sys;		/* where sysfs is */
};

/* ---- channels -------------------------------------------------------------- */

/* full at 2^64 - 2 signals: readable anyway */
static void broker_run_signal_fd(int evfd)
{
	uint64_t one = 1;

	if (write(evfd, &one, sizeof(one)) < 0)
		return;
}

/* with both ends of it still there, the device is to see it closed */
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

/* after an error the descriptors are still the caller's */
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
	/* a device that is gone need not know */
	(void)ublkev__chan_send(fds[0], &done, sizeof(done));
	broker_run_end(fds[0], fds[1]);
}

/* ---- answers ----------------------------------------------------------------- */

static void broker_run_tell(struct channel *ch,
			    const struct ublkev__carrier_done *done)
{
	if (ch->fd >= 0 && !ublkev__chan_send(ch->fd, done, sizeof(*done)))
		broker_run_signal_fd(ch->their_evfd);
}

/*
 * A device that can be recovered waits for another server once it has been
 * live. One that a server left half recovered can't be recovered before 7.3,
 * which the newest feature tells; an attempt may crash the kernel.
 */
static void broker_run_note_live(struct channel *ch)
{
	if (ch->info.features & UBLKEV__F(USER_RECOVERY))
		ch->ours = false;
}

static void broker_run_note_recovery(struct channel *ch)
{
	ch->served = true;
	ch->stopped = false;
	ch->ours = !(ch->kernel_features & UBLKEV__F(IO_DESC_SIZE));
}

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
	case UBLKEV__CTRL_TRY_STOP_DEV:	/* nobody can open it any more */
		ch->ours = ch->served;
		ch->stopped = true;
		break;
	default:
		break;
	}
}

/*
 * The write waits for the disk's requests: a process of its own waits with it,
 * which holds no channel. Without that process the scheduler stays, which
 * costs some speed and nothing else.
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
		broker_run_note(ch, &done);
		broker_run_tell(ch, &done);
		if (done.cmd == UBLKEV__CTRL_START_DEV &&
		    done.answer.res >= 0 && ch->no_scheduler)
			broker_run_drop_scheduler(b, ch->info.id);
	}
}

/* ---- commands ------------------------------------------------------------------ */

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

static void broker_run_carry(struct channel *ch,
			     const struct ublkev__chan_cmd *cmd)
{
	struct ublkev__carrier_done done;
	int err;

	if (cmd->cancel) {
		ublkev__cring_cancel(ch->ring);
		return;
	}
	err = broker_run_submit(ch, &cmd->req);
	if (!err) {
		/* begun by its server, it is to be ended by somebody */
		if (cmd->req.cmd == UBLKEV__CTRL_STOP_DEV)
			ch->ours = ch->served;
		return;
	}
	memset(&done, 0, sizeof(done));
	done.cmd = cmd->req.cmd;
	done.answer.res = err;
	broker_run_tell(ch, &done);
}

/* the server is dead, or has finished with the device */
static void broker_run_other_end_closed(struct channel *ch)
{
	close(ch->fd);
	ch->fd = -1;
	/* a START_DEV would wait for FETCHes that do not come any more */
	if (ch->pending != UBLKEV__CTRL_NONE)
		ublkev__cring_cancel(ch->ring);
}

static void broker_run_listen_to(struct channel *ch)
{
	struct ublkev__chan_cmd cmd;
	int ret;

	while ((ret = ublkev__chan_recv(ch->fd, &cmd, sizeof(cmd))) > 0) {
		if (!broker_run_is_command(&cmd)) {
			ret = -EPIPE;
			break;
		}
		broker_run_carry(ch, &cmd);
	}
	if (ret < 0)
		broker_run_other_end_closed(ch);
}

/* each is sent once: what is refused is nobody's to try again */
static enum ublkev__ctrl_cmd broker_run_next_cleaning(const struct channel *ch)
{
	switch (ch->cleaning) {
	case UBLKEV__CTRL_NONE:
		return ch->stopped ? UBLKEV__CTRL_DEL_DEV_ASYNC
				   : UBLKEV__CTRL_STOP_DEV;
	case UBLKEV__CTRL_STOP_DEV:
		return UBLKEV__CTRL_DEL_DEV_ASYNC;
	case UBLKEV__CTRL_DEL_DEV_ASYNC:
		return UBLKEV__CTRL_DEL_DEV;	/* all that Linux 6.6 has */
	default:
		return UBLKEV__CTRL_NONE;
	}
}

/*
 * Takes down what a closed channel left; true: nothing is left. DEL_DEV would
 * wait for whoever holds the block device open, DEL_DEV_ASYNC does not.
 */
static bool broker_run_clean_up(struct channel *ch)
{
	struct ublkev__carrier_req req;

	if (ch->fd >= 0 || ch->pending != UBLKEV__CTRL_NONE)
		return false;
	if (!ch->ours)
		return true;
	ch->cleaning = broker_run_next_cleaning(ch);
	if (ch->cleaning == UBLKEV__CTRL_NONE)
		return true;
	memset(&req, 0, sizeof(req));
	req.cmd = ch->cleaning;
	req.info = ch->info;
	/* what can't even be submitted will not be better later */
	return broker_run_submit(ch, &req) != 0;
}

/* ---- the loop -------------------------------------------------------------------- */

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

/* poll(2) passes over descriptors of -1 */
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

/* what could not be submitted is tried again with the next reaping */
static int broker_run_timeout_ms(const struct broker *b)
{
	const struct channel *ch;

	for (ch = b->channels; ch; ch = ch->next)
		if (ublkev__cring_has_work(ch->ring))
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
 * 1: one was taken or refused; else what ublkev__chan_recv_fds() gave. A
 * channel for which there are no descriptors would be lost in receiving it,
 * and its device hear of nothing until its deadline: so two places are made
 * free before, and what takes the last ones is refused.
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
	(void)broker_run_fill_reserve(&b);	/* tried again with each channel */
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
