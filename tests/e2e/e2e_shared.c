/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * e2e_shared serve [broker] [plain|user|unprivileged]... - a disk in memory, and
 *	memory that clients share with it: prints the device and a path by which a
 *	client finds that memory; at SIGUSR1 it is shared no more, which it
 *	prints ("unshared"), and at SIGTERM how many requests were in it, of how
 *	many.
 * e2e_shared client DEV PATH - writes DEV with O_DIRECT from the memory of PATH
 *	and from its own, at all sorts of offsets, reads it back into the other,
 *	and compares; prints how many requests were in the shared memory.
 *
 * On a real driver. Exit status 0; 1, and a line on stderr; 77: no SHMEM_ZC.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <ev.h>
#include <ublkev.h>

#define DISK_BYTES	(8u << 20)
#define MEMORY_BYTES	(2u << 20)
#define MOST_IO		(256u << 10)

static char *disk;
static int memory = -1;		/* the clients' file */
static uint64_t nr_shared, nr_data;
static int failed;

/* ---- the disk --------------------------------------------------------------- */

static int shared_open(void *ctx, struct ublkev_limits *limits)
{
	(void)ctx;
	limits->dev_bytes = DISK_BYTES;
	limits->max_io_bytes = MOST_IO;
	return 0;
}

static int shared_submit(void *ctx, struct ublkev_req *req)
{
	char *at = disk + req->offset_bytes;

	(void)ctx;
	if (req->op > UBLKEV_OP_WRITE)
		return -EOPNOTSUPP;
	nr_data++;
	nr_shared += !!(req->flags & UBLKEV_REQ_SHARED);
	if (req->op == UBLKEV_OP_READ)
		memcpy(req->buf, at, (size_t)req->len_bytes);
	else
		memcpy(at, req->buf, (size_t)req->len_bytes);
	return UBLKEV_DONE;
}

static const struct ublkev_backend_ops shared_ops = {
	.size = sizeof(shared_ops),
	.name = "shared",
	.open = shared_open,
	.submit = shared_submit,
};

/* ---- its device -------------------------------------------------------------- */

static struct ublkev_dev dev;
static struct ev_signal sigterm, sigusr1;
static int number = -1;

static void say(void *data, int priority, const char *line)
{
	(void)data;
	if (priority < 7)
		fprintf(stderr, "%s\n", line);
}

static void fail(struct ev_loop *loop, int err)
{
	failed = err;
	ublkev_dev_stop(loop, &dev);
}

/* the first SHARED is of the share, the second of the unshare */
static void on_shared(struct ev_loop *loop)
{
	if (dev.res < 0) {
		fail(loop, dev.res);
	} else if (number < 0) {
		number = dev.res;
		printf("/dev/ublkb%d /proc/%d/fd/%d\n", dev.id, (int)getpid(),
		       memory);
	} else {
		printf("unshared\n");
	}
	fflush(stdout);
}

static void on_live(struct ev_loop *loop)
{
	struct ublkev_info info;
	int err;

	ublkev_dev_info(&dev, &info, sizeof(info));
	if (!(info.features & UBLKEV_F_SHMEM_ZC)) {
		fail(loop, -EOPNOTSUPP);
		return;
	}
	/* not all of it: the first page is nobody's but the clients' */
	err = ublkev_dev_share(loop, &dev, memory, 4096, MEMORY_BYTES - 4096,
			       0);
	if (err)
		fail(loop, err);
}

static void on_dev(struct ev_loop *loop, struct ublkev_dev *d, int revents)
{
	if (revents & UBLKEV_LIVE)
		on_live(loop);
	if (revents & UBLKEV_SHARED)
		on_shared(loop);
	if (revents & UBLKEV_ERROR)
		failed = d->err;
	if (revents & UBLKEV_STOPPED) {
		ev_signal_stop(loop, &sigterm);
		ev_signal_stop(loop, &sigusr1);
	}
}

static void on_sigterm(struct ev_loop *loop, struct ev_signal *w, int revents)
{
	(void)w;
	(void)revents;
	ublkev_dev_stop(loop, &dev);
}

static void on_sigusr1(struct ev_loop *loop, struct ev_signal *w, int revents)
{
	int err = ublkev_dev_unshare(loop, &dev, (unsigned int)number);

	(void)w;
	(void)revents;
	if (err)
		fail(loop, err);
}

static int make_memory(void)
{
	memory = memfd_create("clients", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memory < 0 || ftruncate(memory, MEMORY_BYTES) ||
	    fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK))
		return -errno;
	disk = calloc(1, DISK_BYTES);
	return disk ? 0 : -ENOMEM;
}

static int run(const struct ublkev_conf *conf)
{
	struct ev_loop *loop = ev_default_loop(0);
	struct ublkev_backend *backend;
	struct ublkev_stats stats;
	int err;

	ev_signal_init(&sigterm, on_sigterm, SIGTERM);
	ev_signal_start(loop, &sigterm);
	ev_signal_init(&sigusr1, on_sigusr1, SIGUSR1);
	ev_signal_start(loop, &sigusr1);
	err = ublkev_backend_new(&backend, &shared_ops, NULL);
	if (!err)
		err = ublkev_dev_init(&dev, on_dev, conf, backend);
	if (!err)
		err = ublkev_dev_start(loop, &dev);
	if (err)
		return err;
	ev_run(loop, 0);
	ublkev_dev_stats(&dev, &stats, sizeof(stats));
	printf("shared %llu of %llu\n", (unsigned long long)stats.shared,
	       (unsigned long long)nr_data);
	if (stats.shared != nr_shared)
		failed = -EPROTO;
	ublkev_dev_fini(&dev);
	ublkev_backend_free(backend);
	return failed;
}

static int serve(int n, char **words)
{
	struct ublkev_broker *broker = NULL;
	struct ublkev_conf conf;
	int err = 0, i;

	ublkev_conf_init(&conf, sizeof(conf));
	conf.features = UBLKEV_F_SHMEM_ZC;
	conf.log = say;
	for (i = 0; i < n; i++) {
		if (!strcmp(words[i], "broker"))
			err = ublkev_broker_start(&broker);
		else if (!strcmp(words[i], "plain"))
			conf.copy = UBLKEV_COPY_PLAIN;
		else if (!strcmp(words[i], "user"))
			conf.copy = UBLKEV_COPY_USER;
		else if (!strcmp(words[i], "unprivileged"))
			conf.flags |= UBLKEV_CONF_UNPRIVILEGED;
	}
	conf.broker = broker;
	if (!err)
		err = make_memory();
	if (!err)
		err = run(&conf);
	ublkev_broker_stop(broker);
	return err;
}

/* ---- its client --------------------------------------------------------------- */

static uint64_t seed = 88172645463325252u;

static uint64_t below(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

/* a place for len bytes, at a multiple of 512 */
static char *place(char *base, uint64_t from, uint64_t bytes, uint64_t len)
{
	return base + from + below((bytes - from - len) / 512) * 512;
}

static int once(int fd, char *shared, char *own, int in_shared)
{
	uint64_t len = 512 * (1 + below(MOST_IO / 4 / 512)), i;
	off_t at = (off_t)(below((DISK_BYTES - len) / 512) * 512);
	char *ours = place(own, 0, MEMORY_BYTES / 2, len);
	char *theirs = place(shared, 4096, MEMORY_BYTES, len);
	char *from = in_shared ? theirs : ours, *to = in_shared ? ours : theirs;

	for (i = 0; i < len; i++)
		from[i] = (char)below(256);
	if (pwrite(fd, from, len, at) != (ssize_t)len)
		return -errno;
	memset(to, 0, len);
	if (pread(fd, to, len, at) != (ssize_t)len)
		return -errno;
	return memcmp(from, to, len) ? -EBADMSG : 0;
}

static int client(const char *path, const char *memory_path)
{
	int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	int of = open(memory_path, O_RDWR | O_CLOEXEC);
	char *shared, *own;
	int i, err = 0;

	if (fd < 0 || of < 0)
		return -errno;
	shared = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		      of, 0);
	own = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || own == MAP_FAILED)
		return -errno;
	for (i = 0; i < 200 && !err; i++)
		err = once(fd, shared, own, i % 2);
	printf("%d\n", i);
	return err;
}

int main(int argc, char **argv)
{
	int err = -EINVAL;

	if (argc >= 2 && !strcmp(argv[1], "serve"))
		err = serve(argc - 2, argv + 2);
	else if (argc == 4 && !strcmp(argv[1], "client"))
		err = client(argv[2], argv[3]);
	if (err)
		fprintf(stderr, "e2e_shared: %s\n", strerror(-err));
	return err == -EOPNOTSUPP ? 77 : !!err;
}
