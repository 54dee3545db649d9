/* SPDX-License-Identifier: BSD-2-Clause */
/* A memory disk in a loop made of poll(2) alone, until SIGINT. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <ublkev.h>

static void on_dev(struct ev_loop *loop, struct ublkev_dev *dev, int revents)
{
	(void)loop;		/* NULL */
	if (revents & UBLKEV_LIVE)
		printf("/dev/ublkb%d\n", dev->id);
	if (revents & UBLKEV_ERROR)
		fprintf(stderr, "%s: %s\n", ublkev_step_name(dev->step),
			strerror(-dev->err));
	fflush(stdout);
}

static int sigint_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* one turn: move what there is, sleep, note why we woke */
static void turn(struct ublkev_dev *dev, int sigfd)
{
	struct signalfd_siginfo info;
	struct pollfd fds[2] = {
		{ .events = POLLIN },
		{ .fd = sigfd, .events = POLLIN },
	};

	ublkev_dev_flush(dev);
	if (!dev->active)
		return;		/* that was STOPPED */
	fds[0].fd = ublkev_dev_fd(dev);
	if (poll(fds, 2, ublkev_dev_timeout_ms(dev)) < 0)
		return;		/* EINTR */
	if (fds[0].revents)
		ublkev_dev_service(dev);
	if (fds[1].revents && read(sigfd, &info, sizeof(info)) > 0)
		ublkev_dev_stop(NULL, dev);
}

int main(void)
{
	struct ublkev_backend *disk = NULL;
	struct ublkev_dev dev;
	int sigfd = sigint_fd();
	int err;

	if (sigfd < 0)
		return 1;
	err = ublkev_mem_new(&disk, NULL);
	if (!err)
		err = ublkev_dev_init(&dev, on_dev, NULL, disk);
	if (!err)
		err = ublkev_dev_start(NULL, &dev);
	if (err) {
		fprintf(stderr, "no disk: %s\n", strerror(-err));
		return 1;
	}
	while (dev.active)
		turn(&dev, sigfd);

	err = dev.err;
	ublkev_dev_fini(&dev);
	ublkev_backend_free(disk);
	close(sigfd);
	return err ? 1 : 0;
}
