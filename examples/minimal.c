/* SPDX-License-Identifier: BSD-2-Clause */
/* A memory disk of 256 MiB in a libev loop, until SIGINT. */
#include <stdio.h>
#include <string.h>

#include <ev.h>
#include <ublkev.h>

static void on_dev(struct ev_loop *loop, struct ublkev_dev *dev, int revents)
{
	(void)loop;
	if (revents & UBLKEV_LIVE)
		printf("serving /dev/ublkb%d\n", dev->id);
	if (revents & UBLKEV_ERROR)
		printf("%s: %s\n", ublkev_step_name(dev->step),
		       strerror(-dev->err));
	if (revents & UBLKEV_STOPPED)
		printf("gone\n");
}

static void on_sigint(struct ev_loop *loop, struct ev_signal *w, int revents)
{
	(void)revents;
	ublkev_dev_stop(loop, w->data);	/* returns at once; STOPPED follows */
}

int main(void)
{
	struct ev_loop *loop = ev_default_loop(0);
	struct ublkev_backend *disk;
	struct ublkev_dev dev;
	struct ev_signal sigint;

	if (ublkev_mem_new(&disk, NULL) ||
	    ublkev_dev_init(&dev, on_dev, NULL, disk))
		return 1;
	if (ublkev_dev_start(loop, &dev)) {
		on_dev(loop, &dev, UBLKEV_ERROR);
		return 1;
	}
	ev_signal_init(&sigint, on_sigint, SIGINT);
	sigint.data = &dev;
	ev_signal_start(loop, &sigint);
	ev_unref(loop);		/* the device keeps the loop running */
	ev_run(loop, 0);
	ublkev_dev_fini(&dev);
	ublkev_backend_free(disk);
	return 0;
}
