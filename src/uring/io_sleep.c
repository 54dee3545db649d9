/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sleep in the ring, where the commit and the wait for the next request are
 * one system call. Two things beside a completion end it: a poll of the loop's
 * own file, and a timeout, each an SQE that stays for the sleeps to come. The
 * rules of when it may be begun are HACKING's, "A request's way".
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>

#include "uring/io.h"
#include "uring/io_priv.h"
#include "uring/udata.h"

void ublkev__io_watch(struct ublkev__io *io, int fd)
{
	io->watch_fd = fd;
}

/*
 * Not while the eventfd's read is queued: the read would swallow a signal in
 * the enter that then sleeps, and the poll of the loop's file would find
 * nothing.
 */
static bool sleep_is_possible(const struct ublkev__io *io)
{
	return io->watch_fd >= 0 && io->ring.open && !io->dormant &&
	       !io->by_ring && !io->woken;
}

unsigned int ublkev__io_sleep_state(const struct ublkev__io *io)
{
	return (sleep_is_possible(io) ? UBLKEV__IO_CAN_SLEEP : 0) |
	       (io->watching ? UBLKEV__IO_WATCHING : 0) |
	       (io->alarmed ? UBLKEV__IO_ALARMED : 0);
}

const bool *ublkev__io_alarm(const struct ublkev__io *io)
{
	return &io->alarmed;
}

/* The poll stays for the sleeps to come, as long as they are in the ring. */
static void sleep_watch(struct ublkev__io *io)
{
	struct io_uring_sqe *sqe = io_get_sqe(io);

	io_uring_prep_poll_add(sqe, io->watch_fd, POLLIN);
	sqe->user_data = UDATA_WATCH;
	io->watching = true;
	ublkev__io_mute(io);
}

/*
 * A timeout of its own and not one of the enter, which would set the clock's
 * interrupt anew for every request.
 */
static void sleep_set_alarm(struct ublkev__io *io, unsigned int us)
{
	struct io_uring_sqe *sqe = io_get_sqe(io);

	io->alarm.tv_sec = us / 1000000;
	io->alarm.tv_nsec = us % 1000000 * 1000;
	io_uring_prep_timeout(sqe, &io->alarm, 0, 0);
	sqe->user_data = UDATA_ALARM;
	io->alarmed = true;
}

int ublkev__io_sleep(struct ublkev__io *io, unsigned int us)
{
	int err;

	io_batch_sqes(io);
	if (!io->watching)
		sleep_watch(io);
	if (!io->alarmed && us != UINT_MAX)
		sleep_set_alarm(io, us);
	err = ublkev__ring_wait(&io->ring);
	return err ? err : io_uring_cq_ready(&io->ring.u) != 0;
}

/*
 * In 6.12 (io_eventfd_do_signal) a ring with DEFER_TASKRUN signals its eventfd
 * once in its life for work that a poll adds while another eventfd is being
 * signalled, and what is added behind such work, a request, signals nothing.
 * So neither is left in the ring when the loop goes to sleep elsewhere.
 */
void ublkev__io_unwatch(struct ublkev__io *io)
{
	struct io_uring_sqe *sqe;

	if (io->unwatching)
		return;
	if (io->watching) {
		sqe = io_get_sqe(io);
		io_uring_prep_poll_remove(sqe, UDATA_WATCH);
		sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
		sqe->user_data = UDATA_NONE;
	}
	if (io->alarmed) {
		sqe = io_get_sqe(io);
		io_uring_prep_timeout_remove(sqe, UDATA_ALARM, 0);
		sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
		sqe->user_data = UDATA_NONE;
	}
	io->unwatching = io->watching || io->alarmed;
}

void ublkev__io_woke(struct ublkev__io *io, const struct io_uring_cqe *cqe)
{
	if (cqe->user_data == UDATA_WATCH) {
		io->watching = false;
		if (cqe->res < 0 && cqe->res != -ECANCELED)
			io->watch_fd = -1;	/* no file that can be polled */
	}
	if (cqe->user_data == UDATA_ALARM)
		io->alarmed = false;
	io->unwatching &= io->watching || io->alarmed;
}

void ublkev__io_forget_sleep(struct ublkev__io *io)
{
	io->watching = false;
	io->alarmed = false;
	io->unwatching = false;
	io->watch_fd = -1;
}
