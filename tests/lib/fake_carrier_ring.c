/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rings for a broker under test: each command waits until the test answers
 * it.
 */
#include "fake_carrier_ring.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "testlib.h"

#define DEADLINE_MS 5000

struct ublkev__cring {
	bool alive, freed;
	int evfd;
	int control_fd;
	struct fake_seen seen;		/* cmd: NONE, nothing is pending */
	bool late;			/* it waits for somebody to reap */
	bool delay;			/* the next one is to be late */
	bool answered;
	struct ublkev__carrier_done done;
	int submit_err;
	unsigned int submits, cancels;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ublkev__cring rings[FAKE_RINGS];
static unsigned int made, opens;
static int new_err, open_err;

static void enter(void)
{
	pthread_mutex_lock(&lock);
}

static void leave(void)
{
	pthread_mutex_unlock(&lock);
}

/* ---- the test's side ------------------------------------------------------ */

void fake_cring_reset(void)
{
	ck_assert_uint_eq(fake_cring_alive(), 0);
	memset(rings, 0, sizeof(rings));
	made = opens = 0;
	new_err = open_err = 0;
}

void fake_cring_fail_new(int err)
{
	enter();
	new_err = err;
	leave();
}

void fake_cring_fail_open(int err)
{
	enter();
	open_err = err;
	leave();
}

void fake_cring_fail_submit(unsigned int nr, int err)
{
	enter();
	rings[nr].submit_err = err;
	leave();
}

void fake_cring_delay_submit(unsigned int nr)
{
	enter();
	rings[nr].delay = true;
	leave();
}

void fake_cring_freeze(void)
{
	enter();
}

void fake_cring_thaw(void)
{
	leave();
}

static bool is_pending(const struct ublkev__cring *r)
{
	return r->seen.cmd != UBLKEV__CTRL_NONE && !r->late && !r->answered;
}

static bool is_cancelled(const struct ublkev__cring *r)
{
	return is_pending(r) && r->cancels;
}

static bool is_freed(const struct ublkev__cring *r)
{
	return r->freed;
}

/* returns with the lock held */
static struct ublkev__cring *
wait_until(unsigned int nr, bool (*fn)(const struct ublkev__cring *r),
	   const char *what)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	unsigned int i;

	for (i = 0; i < DEADLINE_MS; i++) {
		enter();
		if (fn(&rings[nr]))
			return &rings[nr];
		leave();
		nanosleep(&ms, NULL);
	}
	ck_abort_msg("ring %u: not %s", nr, what);
	return NULL;
}

struct fake_seen fake_cring_wait(unsigned int nr, enum ublkev__ctrl_cmd cmd)
{
	struct fake_seen seen = wait_until(nr, is_pending, "pending")->seen;

	leave();
	ck_assert_int_eq(seen.cmd, cmd);
	return seen;
}

void fake_cring_tell(unsigned int nr, const struct ublkev__ctrl_answer *a)
{
	struct ublkev__cring *r = wait_until(nr, is_pending, "pending");
	uint64_t one = 1;

	memset(&r->done, 0, sizeof(r->done));
	r->done.cmd = r->seen.cmd;
	r->done.answer = *a;
	r->answered = true;
	if (write(r->evfd, &one, sizeof(one)) != sizeof(one))
		r->answered = false;
	leave();
}

void fake_cring_answer(unsigned int nr, int res, int id, uint64_t features)
{
	const struct ublkev__ctrl_answer a = {
		.res = res,
		.features = features,
		.info.id = id,
	};

	fake_cring_tell(nr, &a);
}

void fake_cring_wait_cancel(unsigned int nr)
{
	wait_until(nr, is_cancelled, "cancelled");
	leave();
}

void fake_cring_wait_free(unsigned int nr)
{
	wait_until(nr, is_freed, "freed");
	leave();
}

unsigned int fake_cring_made(void)
{
	unsigned int n;

	enter();
	n = made;
	leave();
	return n;
}

unsigned int fake_cring_opens(void)
{
	unsigned int n;

	enter();
	n = opens;
	leave();
	return n;
}

int fake_cring_control(unsigned int nr)
{
	int fd;

	enter();
	fd = rings[nr].control_fd;
	leave();
	return fd;
}

unsigned int fake_cring_alive(void)
{
	unsigned int i, n = 0;

	enter();
	for (i = 0; i < FAKE_RINGS; i++)
		n += rings[i].alive;
	leave();
	return n;
}

unsigned int fake_cring_submits(unsigned int nr)
{
	unsigned int n;

	enter();
	n = rings[nr].submits;
	leave();
	return n;
}

unsigned int fake_cring_cancels(unsigned int nr)
{
	unsigned int n;

	enter();
	n = rings[nr].cancels;
	leave();
	return n;
}

/* ---- the broker's side ---------------------------------------------------- */

int ublkev__cring_new(struct ublkev__cring **ringp,
		      const struct ublkev__alloc *mem, int evfd)
{
	int err;

	(void)mem;
	enter();
	err = new_err;
	if (!err && made == FAKE_RINGS)
		err = -ENOMEM;
	if (!err) {
		*ringp = &rings[made++];
		(*ringp)->alive = true;
		(*ringp)->evfd = evfd;
	}
	leave();
	return err;
}

int ublkev__cring_open_control(void)
{
	int fd;

	enter();
	fd = open_err;
	if (!fd)
		fd = eventfd(0, EFD_CLOEXEC);
	opens += fd >= 0;
	leave();
	return fd;
}

void ublkev__cring_share(struct ublkev__cring *r, int control_fd)
{
	enter();
	r->control_fd = control_fd;
	leave();
}

bool ublkev__cring_free(struct ublkev__cring *r)
{
	bool left;

	if (!r)
		return false;
	enter();
	left = r->seen.cmd != UBLKEV__CTRL_NONE;
	r->alive = false;
	r->freed = true;
	leave();
	return left;
}

int ublkev__cring_submit(struct ublkev__cring *r,
			 const struct ublkev__carrier_req *req)
{
	int err;

	enter();
	err = r->submit_err;
	if (r->seen.cmd != UBLKEV__CTRL_NONE)
		err = -EBUSY;
	if (!err) {
		r->seen = (struct fake_seen){
			.cmd = req->cmd, .id = req->info.id,
			.data = req->data, .features = req->info.features,
			.max_io_bytes = req->info.max_io_bytes,
			.dev_sectors = req->params.dev_sectors,
			.memory = req->memory.base,
	};
		r->late = r->delay;
		r->delay = false;
		r->cancels = 0;
		r->submits++;
	}
	leave();
	return err;
}

void ublkev__cring_cancel(struct ublkev__cring *r)
{
	enter();
	r->cancels += r->seen.cmd != UBLKEV__CTRL_NONE;
	leave();
}

bool ublkev__cring_has_work(const struct ublkev__cring *r)
{
	bool has;

	enter();
	has = r->answered || r->late;
	leave();
	return has;
}

bool ublkev__cring_reap(struct ublkev__cring *r,
			struct ublkev__carrier_done *done)
{
	bool answered;

	enter();
	r->late = false;
	answered = r->answered;
	if (answered) {
		*done = r->done;
		r->answered = false;
		r->seen.cmd = UBLKEV__CTRL_NONE;
	}
	leave();
	return answered;
}
