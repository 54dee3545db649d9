/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two devices in one loop: a disk in memory, and one that does nothing but
 * answer. The loop ends when both are stopped, without being told.
 */
#include <stdio.h>
#include <string.h>

#include <ev.h>
#include <ublkev.h>

static struct ublkev_dev devs[2];
static struct ev_signal sigint;

static void on_dev(struct ev_loop *loop, struct ublkev_dev *dev, int revents)
{
	const char *name = dev->data;

	if (revents & UBLKEV_LIVE)
		printf("%s: /dev/ublkb%d\n", name, dev->id);
	if (revents & UBLKEV_ERROR)
		fprintf(stderr, "%s: %s: %s\n", name,
			ublkev_step_name(dev->step), strerror(-dev->err));
	if (revents & UBLKEV_STOPPED)
		printf("%s: stopped\n", name);
	fflush(stdout);
	/* the last one takes the signal watcher along: nothing is left */
	if (!devs[0].active && !devs[1].active)
		ev_signal_stop(loop, &sigint);
}

static void on_sigint(struct ev_loop *loop, struct ev_signal *w, int revents)
{
	(void)w;
	(void)revents;
	ublkev_dev_stop(loop, &devs[0]);
	ublkev_dev_stop(loop, &devs[1]);
}

static int start(struct ev_loop *loop, struct ublkev_dev *dev,
		 struct ublkev_backend *backend)
{
	int err;

	err = ublkev_dev_init(dev, on_dev, NULL, backend);
	if (!err)
		err = ublkev_dev_start(loop, dev);
	if (err)
		fprintf(stderr, "no device: %s\n", strerror(-err));
	return err;
}

int main(void)
{
	struct ev_loop *loop = ev_default_loop(0);
	struct ublkev_backend *mem = NULL, *null = NULL;
	static char mem_name[] = "mem", null_name[] = "null";

	ev_signal_init(&sigint, on_sigint, SIGINT);
	ev_signal_start(loop, &sigint);
	if (ublkev_mem_new(&mem, NULL) || ublkev_null_new(&null, NULL))
		return 1;
	devs[0].data = mem_name;
	devs[1].data = null_name;
	if (start(loop, &devs[0], mem) || start(loop, &devs[1], null))
		return 1;
	ev_run(loop, 0);

	ublkev_dev_fini(&devs[0]);
	ublkev_dev_fini(&devs[1]);
	ublkev_backend_free(mem);
	ublkev_backend_free(null);
	return devs[0].err || devs[1].err;
}
