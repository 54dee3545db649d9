/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ring of the fake driver's io: submissions, task work, completions, the
 * eventfd and whether it is muted, and the sleep. What the driver does with a
 * command that it is handed is in fake_tags.c.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_io_priv.h"

/* ---- eventfd, work, completions ----------------------------------------- */

void fake__signal(struct ublkev__io *io)
{
	uint64_t one = 1;

	fake_counts.signals++;
	if (write(io->evfd, &one, sizeof(one)) != sizeof(one))
		abort();
}

static void ring_signal(struct ublkev__io *io)
{
	uint64_t one = 1;

	if (io->by_ring && write(io->ring_fd, &one, sizeof(one)) < 0)
		abort();
	if (io->by_ring)
		return;
	if (io->muted)
		fake_counts.muted_signals++;
	else
		fake__signal(io);
}

/* io_req_local_work_add(): only the first of a list signals */
void fake__work(struct ublkev__io *io, unsigned int queue, unsigned int tag,
		int res)
{
	uint64_t one = 1;

	if (!io || !io->open)
		return;
	if (io->nr_work == io->size)
		abort();
	if (io->asleep && write(io->alarm_fd, &one, sizeof(one)) < 0)
		abort();
	io->work[io->nr_work++] = (struct ublkev__cqe){
		(uint16_t)queue, (uint16_t)tag, res,
	};
	if (io->by_ring && fake.runs_work) {
		fake__run_one(io, &io->work[--io->nr_work]);
		ring_signal(io);
		return;
	}
	if (io->taskrun)
		return;
	io->taskrun = true;
	ring_signal(io);
}

void fake__post(struct ublkev__io *io, unsigned int queue, unsigned int tag,
		int res)
{
	if (io->nr_cqes == io->size)
		abort();
	io->cqes[io->nr_cqes++] = (struct ublkev__cqe){
		(uint16_t)queue, (uint16_t)tag, res,
	};
}

void fake_spurious(int id, unsigned int queue, unsigned int tag, int res)
{
	FAKE_LOCKED;
	struct fake_dev *d = fake__dev(id);
	struct ublkev__io *io;

	if (!d || !d->io)
		return;
	io = d->queues[queue < d->info.queues ? queue : 0].io;
	if (!io)
		return;
	fake__post(io, queue, tag, res);
	ring_signal(io);
}

void fake_astray(int id, unsigned int queue, unsigned int tag, int res)
{
	FAKE_LOCKED;
	const struct fake_dev *d = fake__dev(id);
	struct ublkev__io *io = d->queues[queue].tags[tag + 1].io;

	fake__post(io, queue, tag, res);
	ring_signal(io);
}

/* ---- commands ----------------------------------------------------------- */

const struct ublkev__desc *ublkev__io_desc(const struct ublkev__io *io,
					   unsigned int queue,
					   unsigned int tag)
{
	FAKE_LOCKED;
	static const struct ublkev__desc none;

	if (!io->dev || queue >= io->dev->info.queues ||
	    tag >= io->dev->info.depth)
		return &none;
	return &io->dev->queues[queue].tags[tag].desc;
}

static struct fake_sqe *get_sqe(struct ublkev__io *io, enum fake_sqe_kind kind)
{
	struct fake_sqe *sqe;

	if (io->cut)
		io->nr_sqes = 0;
	sqe = &io->sqes[io->nr_sqes++];
	if (io->nr_sqes > io->queues * io->depth * (1 + io->for_pages) + 3 +
			  io->nr_file_sqes)
		fake__violates("more SQEs than tags");
	sqe->kind = kind;
	return sqe;
}

static void io_sqe(struct ublkev__io *io, enum fake_sqe_kind kind,
		   unsigned int queue, unsigned int tag, int result, void *buf)
{
	struct fake_sqe *sqe = get_sqe(io, kind);

	sqe->queue = queue;
	sqe->tag = tag;
	sqe->result = result;
	sqe->buf = buf;
	if (!io->dev && !io->cut)
		fake__violates("a command without ublkc");
}

void ublkev__io_fetch(struct ublkev__io *io, unsigned int queue,
		      unsigned int tag, void *buf)
{
	FAKE_LOCKED;
	io_sqe(io, SQE_FETCH, queue, tag, 0, buf);
}

/*
 * As io_slots.c does: a request's pages are put into the ring in front of the
 * first operation on them, and taken out in front of its commit.
 */
static void io_slot_sqe(struct ublkev__io *io, enum fake_sqe_kind kind,
			unsigned int queue, unsigned int tag)
{
	struct fake_tag *t;

	if (!io->dev || fake__has(io->dev, FAKE_F_AUTO_BUF_REG) ||
	    !fake__has(io->dev, FAKE_F_ZERO_COPY))
		return;
	t = &io->dev->queues[queue].tags[tag];
	if (t->wants_slot == (kind == SQE_FILL))
		return;
	if (!io->for_pages)
		fake__violates("a command about a slot without room for it");
	t->wants_slot = kind == SQE_FILL;
	io->nr_file_sqes += t->wants_slot;
	io_sqe(io, kind, queue, tag, 0, NULL);
}

void ublkev__io_commit(struct ublkev__io *io, unsigned int queue,
		       unsigned int tag, int result, void *buf)
{
	FAKE_LOCKED;
	io_slot_sqe(io, SQE_EMPTY, queue, tag);
	io_sqe(io, SQE_COMMIT, queue, tag, result, buf);
	io->sqes[io->nr_sqes - 1].sector = UINT64_MAX;
}

void ublkev__io_commit_append(struct ublkev__io *io, unsigned int queue,
			      unsigned int tag, int result, uint64_t sector)
{
	FAKE_LOCKED;
	if (io->dev && !fake__has(io->dev, FAKE_F_ZONED))
		fake__violates("an append's sector of a device without zones");
	io_sqe(io, SQE_COMMIT, queue, tag, result, NULL);
	io->sqes[io->nr_sqes - 1].sector = sector;
}

void ublkev__io_move(struct ublkev__io *io, unsigned int queue,
		     unsigned int tag, bool in, void *buf, uint32_t bytes)
{
	FAKE_LOCKED;
	bool user = io->dev && fake__has(io->dev, FAKE_F_USER_COPY);

	if (io->dev && !user && !fake__has(io->dev, FAKE_F_NEED_GET_DATA))
		fake__violates("a move without a feature for it");
	io_sqe(io, user ? SQE_COPY : SQE_GET, queue, tag, 0, buf);
	io->sqes[io->nr_sqes - 1].in = in;
	io->sqes[io->nr_sqes - 1].bytes = bytes;
}

bool ublkev__io_has_file_room(const struct ublkev__io *io)
{
	return io->nr_file_sqes + io->for_pages < fake.file_room;
}

void ublkev__io_file(struct ublkev__io *io, unsigned int queue,
		     unsigned int tag, const struct ublkev__fileop *op)
{
	FAKE_LOCKED;

	if (!io->for_files || io->nr_file_sqes >= fake.file_room)
		fake__violates("no room for an operation on a file");
	io->nr_file_sqes++;
	if (op->lent)
		io_slot_sqe(io, SQE_FILL, queue, tag);
	io_sqe(io, SQE_FILE, queue, tag, 0, NULL);
	io->sqes[io->nr_sqes - 1].op = *op;
}

/* ---- the seam ----------------------------------------------------------- */

void ublkev__io_wake(const struct ublkev__io *io)
{
	uint64_t one = 1;

	if (write(io->evfd, &one, sizeof(one)) != sizeof(one))
		abort();
}

void ublkev__io_reset(struct ublkev__io *io)
{
	uint64_t count;

	if (read(io->evfd, &count, sizeof(count)) < 0)
		return;
}

void ublkev__io_woken(struct ublkev__io *io)
{
	FAKE_LOCKED;

	if (!io->open || io->dormant) {
		ublkev__io_reset(io);
		return;
	}
	if (io->woken)
		return;
	io->woken = true;
	get_sqe(io, SQE_READ);
}

void ublkev__io_mute(struct ublkev__io *io)
{
	FAKE_LOCKED;
	fake__point(FAKE_AT_MUTE);
	if (io->open)
		io->muted = true;
	fake__point(FAKE_AT_MUTED);
}

void ublkev__io_unmute(struct ublkev__io *io)
{
	FAKE_LOCKED;
	fake__point(FAKE_AT_UNMUTE);
	/* what the poll adds would keep a request from signalling */
	if (io->watching || io->alarmed)
		fake__violates("unmuted with the loop watched from the ring");
	io->muted = false;
	fake__point(FAKE_AT_UNMUTED);
}

static bool look(const struct ublkev__io *io, enum fake_point before,
		 enum fake_point after)
{
	FAKE_LOCKED;
	bool work;

	fake__point(before);
	work = io->open && (io->nr_cqes || io->nr_sqes || io->taskrun);
	fake__point(after);
	return work;
}

bool ublkev__io_look(const struct ublkev__io *io)
{
	return look(io, FAKE_AT_LOOK, FAKE_AT_LOOKED);
}

unsigned int ublkev__io_nr_cqes(const struct ublkev__io *io)
{
	FAKE_LOCKED;

	return io->open ? io->nr_cqes : 0;
}

bool ublkev__io_has_work(const struct ublkev__io *io)
{
	return look(io, FAKE_AT_HAS_WORK, FAKE_AT_HAD_WORK);
}

static void submit_all(struct ublkev__io *io)
{
	unsigned int i, n = io->nr_sqes;
	uint64_t count;

	io->nr_sqes = 0;
	io->nr_file_sqes = 0;
	for (i = 0; i < n; i++) {
		if (io->sqes[i].kind == SQE_FILE)
			fake__file(io, &io->sqes[i]);
		else if (io->sqes[i].kind == SQE_UNWATCH)
			io->watching = io->alarmed = io->unwatching = false;
		else if (io->sqes[i].kind != SQE_READ)
			fake__io_cmd(io, &io->sqes[i]);
		else if (read(io->evfd, &count, sizeof(count)) < 0)
			continue;
	}
	io->woken = false;
}

static void run_work(struct ublkev__io *io)
{
	unsigned int n = io->nr_work;
	unsigned int i;

	if (fake.work_cap && n > fake.work_cap)
		n = fake.work_cap;
	io->taskrun = false;
	for (i = 0; i < n; i++)
		fake__run_one(io, &io->work[i]);
	io->nr_work -= n;
	memmove(io->work, io->work + n, io->nr_work * sizeof(*io->work));
	io->taskrun = io->nr_work;
}

int ublkev__io_enter(struct ublkev__io *io)
{
	FAKE_LOCKED;
	unsigned int had;
	int err;

	fake__point(FAKE_AT_ENTER);
	if (io->apart && !io->dormant && io->thread != pthread_self())
		fake__violates("a ring entered by another thread");
	if (!io->open || !(io->nr_sqes || io->taskrun))
		return 0;
	fake_counts.enters++;
	if (fake__rule(FAKE_ENTER, 0, &err))
		return err;
	if (fake__rule(FAKE_ENTER_AGAIN, 0, &err))
		return 1;
	had = io->nr_cqes;
	submit_all(io);
	run_work(io);
	if (io->nr_cqes > had)
		ring_signal(io);
	fake__progress();
	fake__point(FAKE_AT_ENTERED);
	return 1;
}

/* ---- sleep ---------------------------------------------------------------- */

void ublkev__io_watch(struct ublkev__io *io, int fd)
{
	io->watch_fd = fd;
}

static bool may_sleep(const struct ublkev__io *io)
{
	return io->watch_fd >= 0 && io->open && !io->dormant && !io->by_ring &&
	       !io->woken;
}

unsigned int ublkev__io_sleep_state(const struct ublkev__io *io)
{
	return (may_sleep(io) ? UBLKEV__IO_CAN_SLEEP : 0) |
	       (io->watching ? UBLKEV__IO_WATCHING : 0) |
	       (io->alarmed ? UBLKEV__IO_ALARMED : 0);
}

const bool *ublkev__io_alarm(const struct ublkev__io *io)
{
	return &io->alarmed;
}

void ublkev__io_unwatch(struct ublkev__io *io)
{
	FAKE_LOCKED;

	if (!(io->watching || io->alarmed) || io->unwatching)
		return;
	io->unwatching = true;
	get_sqe(io, SQE_UNWATCH);
}

/*
 * Without the lock: whoever is to wake us needs it. The alarm rings when
 * nothing else comes for a millisecond.
 */
static void doze(struct ublkev__io *io)
{
	int ms = io->alarmed ? 1 : -1, n;
	struct pollfd fds[2] = {
		{ .fd = io->watch_fd, .events = POLLIN },
		{ .fd = io->alarm_fd, .events = POLLIN },
	};
	uint64_t count;

	fake_counts.dozes++;
	io->asleep = true;
	fake_unlock(NULL);
	n = poll(fds, 2, ms);
	if (n < 0 && errno != EINTR)
		abort();
	fake_lock();
	if (!n)
		io->alarmed = false;
	io->asleep = false;
	if (read(io->alarm_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		abort();
}

static bool watched_is_ready(const struct ublkev__io *io)
{
	struct pollfd p = { .fd = io->watch_fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void run_more(struct ublkev__io *io)
{
	if (!io->taskrun)
		return;
	run_work(io);
	fake__progress();
}

static int sleep_now(struct ublkev__io *io, unsigned int us)
{
	/* what is cancelled completes, and ends the sleep */
	bool cancels = io->unwatching;
	int res;

	fake__point(FAKE_AT_TO_SLEEP);
	if (io->cut)	/* since it was asked whether it may */
		return 0;
	if (!ublkev__io_can_sleep(io) || (io->watching && !io->muted))
		fake__violates("asleep in the ring when it may not be");
	io->muted = true;
	fake_counts.sleeps++;
	io->watching = true;
	if (!io->alarmed && !cancels && us != UINT_MAX) {
		io->alarmed = true;
		if (!fake_counts.alarm_us || us < fake_counts.alarm_us)
			fake_counts.alarm_us = us;
	}
	res = ublkev__io_enter(io);
	fake__point(FAKE_AT_SLEEP);
	run_more(io);
	/* a submission that was cut short is not followed by a sleep */
	if (res >= 0 && !cancels && !io->nr_sqes && !io->nr_cqes &&
	    !watched_is_ready(io))
		doze(io);
	run_more(io);
	if (watched_is_ready(io))
		io->watching = false;
	io->alarmed &= !fake.alarm_rings;
	fake__point(FAKE_AT_SLEPT);
	return res < 0 ? res : io->nr_cqes != 0;
}

int ublkev__io_sleep(struct ublkev__io *io, unsigned int us)
{
	int res;

	fake_lock();
	res = sleep_now(io, us);
	fake_unlock(NULL);
	return res;
}

int ublkev__io_enter_unprivileged(struct ublkev__io *io)
{
	FAKE_LOCKED;
	int res;

	io->unprivileged = true;
	res = ublkev__io_enter(io);
	io->unprivileged = false;
	return res;
}

unsigned int ublkev__io_reap(struct ublkev__io *io, struct ublkev__cqe *v,
			     unsigned int max)
{
	FAKE_LOCKED;
	uint64_t count;
	unsigned int n;

	fake__point(FAKE_AT_REAP);
	n = io->nr_cqes < max ? io->nr_cqes : max;
	if (n) {	/* else it may not be set up yet */
		memcpy(v, io->cqes, n * sizeof(*v));
		io->nr_cqes -= n;
		memmove(io->cqes, io->cqes + n, io->nr_cqes * sizeof(*v));
	}
	if (io->by_ring && io->open && !io->nr_cqes && !io->taskrun &&
	    read(io->ring_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		abort();
	fake__point(FAKE_AT_REAPED);
	return n;
}
