/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * e2e_hold [OPTION...] - a memory disk, with a broker, that stops answering,
 * or dies. On a real driver, for the cases that kill it.
 *
 *  --hold		no answers from the first request on (else from SIGUSR1)
 *  --id N		be, or recover, device N
 *  --recovery MODE	0 none, 1 requeue, 2 reissue, 3 fail I/O
 *  --recover		serve device N, whose server has died
 *  --file PATH		the disk's data, on tmpfs
 *  --depth N
 *  --die-at TEXT	_exit when a line of the library's log has this in it
 *  --die-after N	_exit when N of the FETCHes are with the driver
 *
 * stdout: the block device, once live. stderr: control commands as they are
 * sent ("e2e_hold: STOP_DEV") and answered ("e2e_hold: STOP_DEV: 0"),
 * "held: READ" for each request that gets no answer, and "WRITE" for each
 * that gets one. SIGTERM stops the device.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <ev.h>
#include <liburing.h>
#include <ublkev.h>

#define DISK_BYTES (UINT64_C(16) << 20)

struct disk {
	struct ublkev_backend *backend;
	char *bytes;
	int holds;
};

static const char *die_at;
static int die_after = -1;
static int recovers;

/*
 * In front of liburing's: the first submission of the FETCHes, which has all
 * of them, is cut short, and the last thing that this process does.
 */
int io_uring_enter2(unsigned int fd, unsigned int nr, unsigned int least,
		    unsigned int flags, sigset_t *arg, size_t bytes)
{
	static int (*real)(unsigned int, unsigned int, unsigned int,
			   unsigned int, sigset_t *, size_t);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "io_uring_enter2");
	if (die_after < 0 || nr < 2)
		return real(fd, nr, least, flags, arg, bytes);
	real(fd, (unsigned int)die_after, least, flags, arg, bytes);
	_exit(9);
}

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
	fprintf(stderr, "%s\n", ublkev_op_name(req->op));
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
	if (die_at && strstr(line, die_at))
		_exit(9);
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
	err = recovers ? ublkev_dev_recover(loop, &dev) :
	      ublkev_dev_start(loop, &dev);
	if (!err) {
		ev_run(loop, 0);
		err = dev.err;
	}
	ublkev_dev_fini(&dev);
	ublkev_backend_free(d->backend);
	return err;
}

static void *map(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *p = MAP_FAILED;

	if (fd >= 0 && !ftruncate(fd, DISK_BYTES))
		p = mmap(NULL, DISK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			 fd, 0);
	if (fd >= 0)
		close(fd);
	return p == MAP_FAILED ? NULL : p;
}

static int take(const char *name, const char *value, struct disk *d,
		struct ublkev_conf *conf)
{
	int n = (int)strtol(value, NULL, 10);

	if (!strcmp(name, "--id"))
		conf->id = n;
	else if (!strcmp(name, "--recovery"))
		conf->recovery = (enum ublkev_recovery)n;
	else if (!strcmp(name, "--depth"))
		conf->depth = (unsigned int)n;
	else if (!strcmp(name, "--die-after"))
		die_after = n;
	else if (!strcmp(name, "--die-at"))
		die_at = value;
	else if (!strcmp(name, "--file"))
		d->bytes = map(value);
	else
		return -EINVAL;
	return 0;
}

static int parse(int argc, char **argv, struct disk *d,
		 struct ublkev_conf *conf)
{
	int i, err = 0;

	for (i = 1; i < argc && !err; i++) {
		if (!strcmp(argv[i], "--hold")) {
			d->holds = 1;
		} else if (!strcmp(argv[i], "--recover")) {
			recovers = 1;
		} else if (i + 1 < argc) {
			err = take(argv[i], argv[i + 1], d, conf);
			i++;
		} else {
			err = -EINVAL;
		}
	}
	if (!d->bytes)
		d->bytes = mmap(NULL, DISK_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return err ? err : d->bytes == MAP_FAILED ? -ENOMEM : 0;
}

int main(int argc, char **argv)
{
	struct ublkev_broker *broker = NULL;
	struct ublkev_conf conf;
	struct disk d = { .holds = 0 };
	int err;

	setvbuf(stderr, NULL, _IOLBF, 0);
	ublkev_conf_init(&conf, sizeof(conf));
	conf.log = on_log;
	err = parse(argc, argv, &d, &conf);
	if (!err)
		err = ublkev_broker_start(&broker);
	conf.broker = broker;
	if (!err)
		err = serve(&d, &conf);
	ublkev_broker_stop(broker);
	if (err)
		fprintf(stderr, "e2e_hold: %s\n", strerror(-err));
	return err ? 1 : 0;
}
