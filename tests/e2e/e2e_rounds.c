/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * e2e_rounds ROUNDS - create a device, use it, delete it, again and again in
 * one process; fds, mappings and memory must not grow. Prints how long it took
 * from start to LIVE and from stop to STOPPED. On a real driver.
 */
#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ev.h>
#include <ublkev.h>

#define WARM_UP		5	/* rounds before the first look */
#define IO_BYTES	65536
#define RSS_SLACK_KIB	2048

struct usage {
	unsigned long fds, mappings, rss_kib;
};

static struct ublkev_dev dev;
static struct ublkev_backend *disk;
static struct ev_child child;
static unsigned long round_nr, rounds;
static struct usage first;
static int failed;

/* microseconds of every round */
struct times {
	unsigned long *us, began;
};

static struct times to_live, to_gone;

/* ---- time --------------------------------------------------------------- */

static unsigned long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (unsigned long)ts.tv_sec * 1000000 +
	       (unsigned long)ts.tv_nsec / 1000;
}

static int by_size(const void *a, const void *b)
{
	unsigned long x = *(const unsigned long *)a;
	unsigned long y = *(const unsigned long *)b;

	return (x > y) - (x < y);
}

static void print(const char *what, struct times *t, unsigned long n)
{
	qsort(t->us, n, sizeof(*t->us), by_size);
	printf("%s: n %lu p50 %lu max %lu us\n", what, n, t->us[n / 2],
	       t->us[n - 1]);
}

static void stop(struct ev_loop *loop)
{
	to_gone.began = now_us();
	ublkev_dev_stop(loop, &dev);
}

/* ---- what a process has ------------------------------------------------- */

static unsigned long count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned long n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

static unsigned long count_lines(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned long n = 0;
	int c;

	while (f && (c = getc(f)) != EOF)
		n += c == '\n';
	if (f)
		fclose(f);
	return n;
}

/* exactly, which statm is not: it adds up counters of each CPU */
static unsigned long rss_kib(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	unsigned long kib = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Rss: %lu", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

static struct usage look(const char *when)
{
	struct usage u = {
		.fds = count_fds(),
		.mappings = count_lines("/proc/self/maps"),
		.rss_kib = rss_kib(),
	};

	printf("%s: %lu fds, %lu mappings, %lu KiB resident\n", when, u.fds,
	       u.mappings, u.rss_kib);
	fflush(stdout);
	return u;
}

/* ---- a round ------------------------------------------------------------ */

/* in a child: the loop's thread never touches its own device */
static int use(int id)
{
	static char data[IO_BYTES] __attribute__((aligned(4096)));
	static char back[IO_BYTES] __attribute__((aligned(4096)));
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/ublkb%d", id);
	fd = open(path, O_RDWR | O_DIRECT);
	if (fd < 0)
		return 1;
	memset(data, (int)(round_nr & 0xff) | 1, sizeof(data));
	if (pwrite(fd, data, sizeof(data), 4096) != sizeof(data) ||
	    fsync(fd) ||
	    pread(fd, back, sizeof(back), 4096) != sizeof(back))
		return 2;
	close(fd);
	return memcmp(data, back, sizeof(data)) ? 3 : 0;
}

static void on_child(struct ev_loop *loop, struct ev_child *w, int revents)
{
	(void)revents;
	ev_child_stop(loop, w);
	if (!WIFEXITED(w->rstatus) || WEXITSTATUS(w->rstatus)) {
		fprintf(stderr, "round %lu: I/O: status %#x\n", round_nr,
			(unsigned int)w->rstatus);
		failed = 1;
	}
	stop(loop);
}

static void fork_user(struct ev_loop *loop, int id)
{
	pid_t pid = fork();

	if (!pid)
		_exit(use(id));
	if (pid < 0) {
		failed = 1;
		stop(loop);
		return;
	}
	ev_child_init(&child, on_child, pid, 0);
	ev_child_start(loop, &child);
}

static void next_round(struct ev_loop *loop)
{
	int err;

	if (round_nr == WARM_UP)
		first = look("start");
	if (round_nr++ == rounds + WARM_UP || failed)
		return;
	to_live.began = now_us();
	err = ublkev_dev_start(loop, &dev);
	if (!err)
		return;
	fprintf(stderr, "round %lu: start: %s\n", round_nr, strerror(-err));
	failed = 1;
}

static void on_dev(struct ev_loop *loop, struct ublkev_dev *d, int revents)
{
	if (revents & UBLKEV_LIVE) {
		to_live.us[round_nr - 1] = now_us() - to_live.began;
		fork_user(loop, d->id);
	}
	if (revents & UBLKEV_ERROR) {
		fprintf(stderr, "round %lu: %s: %s\n", round_nr,
			ublkev_step_name(d->step), strerror(-d->err));
		failed = 1;
	}
	if (revents & UBLKEV_STOPPED) {
		to_gone.us[round_nr - 1] = now_us() - to_gone.began;
		next_round(loop);
	}
}

static int judge(void)
{
	struct usage last = look("end");

	if (failed)
		return 1;
	print("live", &to_live, rounds + WARM_UP);
	print("gone", &to_gone, rounds + WARM_UP);
	if (last.fds <= first.fds && last.mappings <= first.mappings + 2 &&
	    last.rss_kib <= first.rss_kib + RSS_SLACK_KIB)
		return 0;
	fprintf(stderr, "something grew\n");
	return 1;
}

int main(int argc, char **argv)
{
	struct ev_loop *loop = ev_default_loop(0);
	struct ublkev_disk_conf conf;
	int err;

	rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 20;
	to_live.us = calloc(rounds + WARM_UP, sizeof(*to_live.us));
	to_gone.us = calloc(rounds + WARM_UP, sizeof(*to_gone.us));
	if (!to_live.us || !to_gone.us)
		return 2;
	ublkev_disk_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = 16 << 20;
	err = ublkev_mem_new(&disk, &conf);
	if (!err)
		err = ublkev_dev_init(&dev, on_dev, NULL, disk);
	if (err) {
		fprintf(stderr, "init: %s\n", strerror(-err));
		return 1;
	}
	next_round(loop);
	ev_run(loop, 0);
	err = judge();
	ublkev_dev_fini(&dev);
	ublkev_backend_free(disk);
	free(to_live.us);
	free(to_gone.us);
	return err;
}
