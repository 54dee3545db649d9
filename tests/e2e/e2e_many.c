/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * e2e_many N [QUEUES] - N memory disks in one loop until SIGTERM. Prints the
 * devices and the time until all were live, then the time until all were gone
 * and "stopped". On a real driver. Each device needs some five files, so the
 * limit of these is raised as far as it may be.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <ev.h>
#include <ublkev.h>

struct disk {
	struct ublkev_dev dev;
	struct ublkev_backend *backend;
};

static struct disk *disks;
static unsigned int nr, queues = 1, live, gone;
static struct ev_signal sigterm, sigint;
static double began, ended;
static int failed;

static void stop_all(struct ev_loop *loop)
{
	unsigned int i;

	ev_now_update(loop);
	ended = ev_now(loop);
	for (i = 0; i < nr; i++)
		ublkev_dev_stop(loop, &disks[i].dev);
}

static void print_all(struct ev_loop *loop)
{
	unsigned int i;

	ev_now_update(loop);
	for (i = 0; i < nr; i++)
		printf("/dev/ublkb%d\n", disks[i].dev.id);
	printf("live after %.0f ms\n", (ev_now(loop) - began) * 1e3);
	fflush(stdout);
}

static void on_dev(struct ev_loop *loop, struct ublkev_dev *dev, int revents)
{
	if (revents & UBLKEV_LIVE && ++live == nr)
		print_all(loop);
	if (revents & UBLKEV_ERROR) {
		fprintf(stderr, "%d: %s: %s\n", dev->id,
			ublkev_step_name(dev->step), strerror(-dev->err));
		failed = 1;
		stop_all(loop);
	}
	if (revents & UBLKEV_STOPPED && ++gone == nr) {
		ev_now_update(loop);
		printf("gone after %.0f ms\n", (ev_now(loop) - ended) * 1e3);
		ev_signal_stop(loop, &sigterm);
		ev_signal_stop(loop, &sigint);
	}
}

static void on_signal(struct ev_loop *loop, struct ev_signal *w, int revents)
{
	(void)w;
	(void)revents;
	stop_all(loop);
}

static int start(struct ev_loop *loop, struct disk *d)
{
	struct ublkev_disk_conf disk_conf;
	struct ublkev_conf conf;
	int err;

	ublkev_disk_conf_init(&disk_conf, sizeof(disk_conf));
	disk_conf.dev_bytes = 64 << 20;
	ublkev_conf_init(&conf, sizeof(conf));
	conf.queues = queues;
	err = ublkev_mem_new(&d->backend, &disk_conf);
	if (!err)
		err = ublkev_dev_init(&d->dev, on_dev, &conf, d->backend);
	if (!err)
		err = ublkev_dev_start(loop, &d->dev);
	return err;
}

static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	struct ev_loop *loop = ev_default_loop(0);
	unsigned int i;
	int err = 0;

	nr = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 0) : 16;
	if (argc > 2)
		queues = (unsigned int)strtoul(argv[2], NULL, 0);
	raise_limit();
	disks = calloc(nr, sizeof(*disks));
	if (!nr || !disks)
		return 2;
	ev_signal_init(&sigterm, on_signal, SIGTERM);
	ev_signal_start(loop, &sigterm);
	ev_signal_init(&sigint, on_signal, SIGINT);
	ev_signal_start(loop, &sigint);
	began = ev_now(loop);
	for (i = 0; i < nr && !err; i++)
		err = start(loop, &disks[i]);
	if (err) {
		fprintf(stderr, "device %u: %s\n", i, strerror(-err));
		return 1;
	}
	ev_run(loop, 0);
	for (i = 0; i < nr; i++) {
		ublkev_dev_fini(&disks[i].dev);
		ublkev_backend_free(disks[i].backend);
	}
	free(disks);
	printf("stopped\n");
	return failed;
}
