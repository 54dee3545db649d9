/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block device beside an echo service on a Unix socket, in one loop: the
 * budget in the conf bounds how long the disk may keep the sockets waiting.
 *
 *	with_sockets ./echo.sock
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <ev.h>
#include <ublkev.h>

static void on_client(struct ev_loop *loop, struct ev_io *w, int revents)
{
	char buf[4096];
	ssize_t n = recv(w->fd, buf, sizeof(buf), MSG_DONTWAIT);

	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* a client that does not read loses what does not fit */
	if (n > 0 && send(w->fd, buf, (size_t)n,
			  MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return;
	if (n > 0 && errno == EAGAIN)
		return;
	ev_io_stop(loop, w);
	close(w->fd);
	free(w);
}

static void on_listen(struct ev_loop *loop, struct ev_io *w, int revents)
{
	int fd = accept(w->fd, NULL, NULL);
	struct ev_io *client;

	(void)revents;
	if (fd < 0)
		return;
	client = malloc(sizeof(*client));
	if (!client) {
		close(fd);
		return;
	}
	ev_io_init(client, on_client, fd, EV_READ);
	ev_io_start(loop, client);
}

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(fd, 16)) {
		close(fd);
		return -errno;
	}
	return fd;
}

static void on_dev(struct ev_loop *loop, struct ublkev_dev *dev, int revents)
{
	if (revents & UBLKEV_LIVE)
		printf("/dev/ublkb%d\n", dev->id);
	if (revents & UBLKEV_ERROR)
		fprintf(stderr, "%s: %s\n", ublkev_step_name(dev->step),
			strerror(-dev->err));
	if (revents & UBLKEV_STOPPED)
		ev_break(loop, EVBREAK_ALL);
	fflush(stdout);
}

static void on_sigint(struct ev_loop *loop, struct ev_signal *w, int revents)
{
	(void)revents;
	ublkev_dev_stop(loop, w->data);
}

static int serve(struct ublkev_backend *disk)
{
	struct ev_loop *loop = ev_default_loop(0);
	struct ublkev_conf conf;
	struct ev_signal sigint;
	struct ublkev_dev dev;
	int err;

	ublkev_conf_init(&conf, sizeof(conf));
	conf.budget_us = 200;
	err = ublkev_dev_init(&dev, on_dev, &conf, disk);
	if (err)
		return err;
	err = ublkev_dev_start(loop, &dev);
	if (!err) {
		ev_signal_init(&sigint, on_sigint, SIGINT);
		sigint.data = &dev;
		ev_signal_start(loop, &sigint);
		ev_run(loop, 0);
		err = dev.err;
	}
	ublkev_dev_fini(&dev);
	return err;
}

int main(int argc, char **argv)
{
	struct ublkev_backend *disk = NULL;
	struct ev_io listener;
	int fd, err;

	if (argc != 2) {
		fprintf(stderr, "usage: with_sockets PATH\n");
		return 2;
	}
	fd = listen_at(argv[1]);
	if (fd < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-fd));
		return 1;
	}
	ev_io_init(&listener, on_listen, fd, EV_READ);
	ev_io_start(ev_default_loop(0), &listener);
	err = ublkev_mem_new(&disk, NULL);
	if (!err)
		err = serve(disk);
	if (err)
		fprintf(stderr, "with_sockets: %s\n", strerror(-err));
	ublkev_backend_free(disk);
	close(fd);
	unlink(argv[1]);
	return err ? 1 : 0;
}
