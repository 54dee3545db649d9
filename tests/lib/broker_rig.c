/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a broker's loop in a thread, with the test at the other end of its
 * sockets.
 */
#include "broker_rig.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "proctree.h"
#include "testlib.h"
#include "uring/broker_fork.h"
#include "uring/chan.h"

struct brig_dev brig_devs[BRIG_DEVS];
static unsigned int nr_devs;
int brig_main_fd;
char brig_sys[1100];
static pthread_t thread;

static void *run(void *arg)
{
	ublkev__broker_run(*(int *)arg, brig_sys);
	return NULL;
}

void brig_setup(void)
{
	static int fds[2];
	const char *root;

	/* as in the broker's process, its children are reaped by the kernel */
	signal(SIGCHLD, SIG_IGN);
	root = proctree_new();
	proctree_dir(root, "sys");
	snprintf(brig_sys, sizeof(brig_sys), "%s/sys", root);
	fake_cring_reset();
	nr_devs = 0;
	ck_assert_int_eq(ublkev__chan_pair(fds), 0);
	brig_main_fd = fds[0];
	ck_assert_int_eq(pthread_create(&thread, NULL, run, &fds[1]), 0);
}

void brig_close_main(void)
{
	close(brig_main_fd);
	brig_main_fd = -1;
}

bool brig_has_ended(void)
{
	return pthread_tryjoin_np(thread, NULL) == 0;
}

void brig_close_dev(unsigned int nr)
{
	if (brig_devs[nr].fd >= 0)
		close(brig_devs[nr].fd);
	brig_devs[nr].fd = -1;
}

void brig_finish(void)
{
	struct timespec until;
	unsigned int i;

	for (i = 0; i < nr_devs; i++)
		brig_close_dev(i);
	if (brig_main_fd >= 0)
		brig_close_main();
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 5;
	ck_assert_int_eq(pthread_timedjoin_np(thread, NULL, &until), 0);
	ck_assert_uint_eq(fake_cring_alive(), 0);
	for (i = 0; i < nr_devs; i++)
		close(brig_devs[i].evfd);
	brig_sys[strlen(brig_sys) - strlen("/sys")] = '\0';
	proctree_remove(brig_sys);
}

void brig_send_dev(void)
{
	struct brig_dev *d = &brig_devs[nr_devs++];
	int fds[2], sent[2];

	ck_assert_int_eq(ublkev__chan_pair(fds), 0);
	d->fd = fds[0];
	d->evfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	sent[0] = fds[1];
	sent[1] = d->evfd;
	ck_assert_int_eq(ublkev__chan_send_fds(brig_main_fd, sent), 0);
	close(fds[1]);
}

void brig_ask(unsigned int nr, enum ublkev__ctrl_cmd cmd)
{
	brig_ask_marked(nr, cmd, false);
}

void brig_ask_marked(unsigned int nr, enum ublkev__ctrl_cmd cmd,
		     bool no_scheduler)
{
	struct ublkev__chan_cmd c;

	memset(&c, 0, sizeof(c));
	c.req.no_scheduler = no_scheduler;
	c.req.cmd = cmd;
	c.req.data = 4711;
	c.req.info.id = BRIG_ID;
	c.req.info.max_io_bytes = 65536;
	c.req.params.dev_sectors = 8;
	ck_assert_int_eq(ublkev__chan_send(brig_devs[nr].fd, &c, sizeof(c)), 0);
}

void brig_ask_memory(unsigned int nr, int fd, bool read_only)
{
	struct ublkev__chan_cmd c;

	memset(&c, 0, sizeof(c));
	c.req.cmd = UBLKEV__CTRL_REG_BUF;
	c.req.memory.bytes = 4096;
	c.req.memory.offset_bytes = 4096;
	c.req.memory.read_only = read_only;
	ck_assert_int_eq(ublkev__chan_send_with(brig_devs[nr].fd, &c,
						sizeof(c), fd), 0);
}

void brig_wait_fd(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	ck_assert_int_eq(poll(&p, 1, 5000), 1);
}

void brig_closed(unsigned int nr)
{
	char byte;

	brig_wait_fd(brig_devs[nr].fd);
	ck_assert_int_eq(ublkev__chan_recv(brig_devs[nr].fd, &byte, 1), -EPIPE);
}

struct ublkev__carrier_done brig_answered(unsigned int nr, int res)
{
	struct ublkev__carrier_done done;
	uint64_t n;

	brig_wait_fd(brig_devs[nr].evfd);
	ck_assert_int_eq(read(brig_devs[nr].evfd, &n, sizeof(n)), sizeof(n));
	ck_assert_int_eq(ublkev__chan_recv(brig_devs[nr].fd, &done, sizeof(done)),
			 1);
	ck_assert_int_eq(done.answer.res, res);
	return done;
}

void brig_done(unsigned int nr, enum ublkev__ctrl_cmd cmd, int res)
{
	brig_ask(nr, cmd);
	fake_cring_wait(nr, cmd);
	fake_cring_answer(nr, res, BRIG_ID, 0);
	ck_assert_int_eq(brig_answered(nr, res).cmd, cmd);
}

void brig_told(unsigned int nr, enum ublkev__ctrl_cmd cmd,
	       const struct ublkev__ctrl_answer *a)
{
	brig_ask(nr, cmd);
	fake_cring_wait(nr, cmd);
	fake_cring_tell(nr, a);
	ck_assert_int_eq(brig_answered(nr, a->res).cmd, cmd);
}

void brig_own(unsigned int nr, enum ublkev__ctrl_cmd cmd, int res)
{
	ck_assert_int_eq(fake_cring_wait(nr, cmd).id, BRIG_ID);
	ck_assert_uint_eq(fake_cring_cancels(nr), 0);
	fake_cring_answer(nr, res, 0, 0);
}

void brig_added(void)
{
	brig_send_dev();
	brig_done(nr_devs - 1, UBLKEV__CTRL_ADD_DEV, 0);
}

void brig_left_alone(unsigned int nr, enum ublkev__ctrl_cmd cmd)
{
	brig_ask(nr, cmd);
	fake_cring_wait(nr, cmd);
	brig_close_dev(nr);
	fake_cring_wait_cancel(nr);
}
