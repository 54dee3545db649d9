/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * e2e_hold [--hold] [--id N] - a memory disk, with a broker, that stops
 * answering: at SIGUSR1, or with --hold from its first request on. On a real
 * driver, for the cases that kill it.
 *
 * stdout: the block device, once live. stderr: control commands as they are
 * sent ("e2e_hold: STOP_DEV") and answered ("e2e_hold: STOP_DEV: 0"), and
 * "held: READ" for each request that gets no answer. SIGTERM stops the device.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ev.h>
#include <ublkev.h>

#define DISK_BYTES (UINT64_C(16) << 20)

struct disk {
	struct ublkev_backend *backend;
	char *bytes;
	int holds;
};

static int hold_open(void *ctx, struct ublkev_limits *limits)
{
	(void)ctx;
	limits->dev_bytes = DISK_BYTES;
	return 0;
}

static int hold_submit(void *ctx, struct ublkev_req *req)
{
	const struct disk *d = ctx;

	if (d->holds) {
		fprintf(stderr, "held: %s\n", ublkev_op_name(req->op));
		return UBLKEV_LATER;
	}
	if (req->op == UBLKEV_OP_READ)
		memcpy(req->buf, d->bytes + req->offset_bytes, req->len_bytes);
	else
		memcpy(d->bytes + req->offset_bytes, req->buf, req->len_bytes);
	return UBLKEV_DONE;
}

static const struct ublkev_backend_ops hold_ops = {
	.size = sizeof(hold_ops),
	.name = "hold",
	.open = hold_open,
	.submit = hold_submit,
};

static void on_log(void *log_data, int priority, const char *line)
{
	(void)log_data;
	(void)priority;
	fprintf(stderr, "e2e_hold: %s\n", line);
}

static void on_dev(struct ev_loop *loop, struct ublkev_dev *dev, int revents)
{
	if (revents & UBLKEV_LIVE) {
		printf("/dev/ublkb%d\n", dev->id);
		fflush(stdout);
	}
	if (revents & UBLKEV_ERROR)
		fprintf(stderr, "%s: %s\n", ublkev_step_name(dev->step),
			strerror(-dev->err));
	if (revents & UBLKEV_STOPPED)
		ev_break(loop, EVBREAK_ALL);
}

static void on_usr1(struct ev_loop *loop, struct ev_signal *w, int revents)
{
	struct disk *d = w->data;

	(void)loop;
	(void)revents;
	d->holds = 1;
	fprintf(stderr, "holding\n");
}

static void on_term(struct ev_loop *loop, struct ev_signal *w, int revents)
{
	(void)revents;
	ublkev_dev_stop(loop, w->data);
}

static void watch(struct ev_loop *loop, struct disk *d,
		  struct ublkev_dev *dev)
{
	static struct ev_signal usr1, term;

	ev_signal_init(&usr1, on_usr1, SIGUSR1);
	usr1.data = d;
	ev_signal_start(loop, &usr1);
	ev_signal_init(&term, on_term, SIGTERM);
	term.data = dev;
	ev_signal_start(loop, &term);
}

static int serve(struct disk *d, struct ublkev_conf *conf)
{
	static struct ublkev_dev dev;
	struct ev_loop *loop = ev_default_loop(0);
	int err;

	err = ublkev_backend_new(&d->backend, &hold_ops, d);
	if (!err)
		err = ublkev_dev_init(&dev, on_dev, conf, d->backend);
	if (err)
		return err;
	watch(loop, d, &dev);
	err = ublkev_dev_start(loop, &dev);
	if (!err) {
		ev_run(loop, 0);
		err = dev.err;
	}
	ublkev_dev_fini(&dev);
	ublkev_backend_free(d->backend);
	return err;
}

static int parse(int argc, char **argv, struct disk *d,
		 struct ublkev_conf *conf)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--hold"))
			d->holds = 1;
		else if (!strcmp(argv[i], "--id") && i + 1 < argc)
			conf->id = (int)strtol(argv[++i], NULL, 10);
		else
			return -EINVAL;
	return 0;
}

int main(int argc, char **argv)
{
	struct ublkev_broker *broker = NULL;
	struct ublkev_conf conf;
	struct disk d = { .bytes = calloc(1, DISK_BYTES) };
	int err = d.bytes ? 0 : -ENOMEM;

	setvbuf(stderr, NULL, _IOLBF, 0);
	ublkev_conf_init(&conf, sizeof(conf));
	conf.log = on_log;
	if (!err)
		err = parse(argc, argv, &d, &conf);
	if (!err)
		err = ublkev_broker_start(&broker);
	conf.broker = broker;
	if (!err)
		err = serve(&d, &conf);
	ublkev_broker_stop(broker);
	free(d.bytes);
	if (err)
		fprintf(stderr, "e2e_hold: %s\n", strerror(-err));
	return err ? 1 : 0;
}
