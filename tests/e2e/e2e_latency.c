/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * e2e_latency SECONDS [WORD...] - a disk, a 1 ms timer and an echo service in one
 * loop: how late does the timer come, how long takes an echo, while somebody else
 * (fio) uses the disk? On a real driver. The echo's client is a process of its
 * own, and prints what it measured at the end. Words:
 *
 * mem, null  the disk (mem)
 * ring-fd    UBLKEV_CONF_RING_FD
 * batch      UBLKEV_CONF_SCHED_BATCH
 * wait=N, sleep=N, budget=N  conf.wait_us, sleep_us, budget_us
 * slice      asks the scheduler for slices of 0.1 ms, the shortest there are, so
 *            that the loop's turn comes soon after it wakes (sched_setattr(2);
 *            the kernel's __setscheduler_params(), since 6.12)
 * json       prints JSON, an object a line
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ev.h>
#include <ublkev.h>

#define MOST		1000000u
#define PERIOD_US	1000

/* times in us */
struct times {
	uint32_t *us;
	unsigned int nr;
};

static struct times lateness;
static struct ublkev_dev dev;
static struct ev_timer tick, until;
static struct ev_signal sigterm, sigint;
static struct ev_io echo;
static uint64_t due_us;
static double seconds;
static bool null, slice, json;
static struct ublkev_conf conf;

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void add(struct times *t, uint64_t us)
{
	if (t->nr < MOST)
		t->us[t->nr++] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t at(const struct times *t, double part)
{
	return t->us[(unsigned int)((t->nr - 1) * part)];
}

static void print(const char *what, struct times *t)
{
	if (!t->nr) {
		printf("%s: nothing measured\n", what);
		return;
	}
	qsort(t->us, t->nr, sizeof(*t->us), by_size);
	if (json)
		printf("{\"what\":\"%s\",\"n\":%u,\"p50\":%u,\"p99\":%u,"
		       "\"p99.9\":%u,\"max\":%u}\n", what, t->nr, at(t, .5),
		       at(t, .99), at(t, .999), at(t, 1.));
	else
		printf("%s: n %u p50 %u p99 %u p99.9 %u max %u us\n", what,
		       t->nr, at(t, .5), at(t, .99), at(t, .999), at(t, 1.));
	fflush(stdout);
}

/* ---- the client --------------------------------------------------------- */

static void client(int fd)
{
	struct times t = { malloc(MOST * sizeof(uint32_t)), 0 };
	struct timespec pause = { 0, PERIOD_US * 1000 };
	char byte = 'x';
	uint64_t since;

	for (;;) {
		since = now_us();
		if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
			break;
		if (t.us)
			add(&t, now_us() - since);
		nanosleep(&pause, NULL);
	}
	print("echo", &t);
	_exit(0);
}

/* ---- the loop ----------------------------------------------------------- */

static void on_echo(struct ev_loop *loop, struct ev_io *w, int revents)
{
	char buf[64];
	ssize_t n = recv(w->fd, buf, sizeof(buf), MSG_DONTWAIT);

	(void)loop;
	(void)revents;
	if (n > 0 && send(w->fd, buf, (size_t)n, MSG_NOSIGNAL) != n)
		ev_io_stop(loop, w);
}

static void on_tick(struct ev_loop *loop, struct ev_timer *w, int revents)
{
	uint64_t now = now_us();

	(void)revents;
	add(&lateness, now > due_us ? now - due_us : 0);
	/* from now on, so that one delay is counted once */
	ev_now_update(loop);
	due_us = now_us() + PERIOD_US;
	ev_timer_set(w, PERIOD_US / 1e6, 0.);
	ev_timer_start(loop, w);
}

static void stop(struct ev_loop *loop)
{
	ev_timer_stop(loop, &tick);
	ev_timer_stop(loop, &until);
	ev_io_stop(loop, &echo);
	shutdown(echo.fd, SHUT_RDWR);
	ublkev_dev_stop(loop, &dev);
}

static void on_signal(struct ev_loop *loop, struct ev_signal *w, int revents)
{
	(void)w;
	(void)revents;
	stop(loop);
}

static void on_end(struct ev_loop *loop, struct ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	stop(loop);
}

static void go(struct ev_loop *loop)
{
	printf("/dev/ublkb%d\n", dev.id);
	fflush(stdout);
	ev_now_update(loop);
	due_us = now_us() + PERIOD_US;
	ev_timer_init(&tick, on_tick, PERIOD_US / 1e6, 0.);
	ev_timer_start(loop, &tick);
	ev_timer_init(&until, on_end, seconds, 0.);
	ev_timer_start(loop, &until);
	ev_io_start(loop, &echo);
}

static void on_dev(struct ev_loop *loop, struct ublkev_dev *d, int revents)
{
	if (revents & UBLKEV_LIVE)
		go(loop);
	if (revents & UBLKEV_ERROR) {
		fprintf(stderr, "%s: %s\n", ublkev_step_name(d->step),
			strerror(-d->err));
		stop(loop);
	}
	if (revents & UBLKEV_STOPPED)
		ev_break(loop, EVBREAK_ALL);
}

/* before there is anything that a child should not have */
static pid_t fork_client(void)
{
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -1;
	pid = fork();
	if (!pid) {
		signal(SIGINT, SIG_IGN);
		signal(SIGTERM, SIG_IGN);
		signal(SIGPIPE, SIG_IGN);
		close(fds[0]);
		client(fds[1]);
	}
	close(fds[1]);
	ev_io_init(&echo, on_echo, fds[0], EV_READ);
	return pid;
}

static int serve(struct ev_loop *loop)
{
	struct ublkev_backend *disk;
	int err = (null ? ublkev_null_new : ublkev_mem_new)(&disk, NULL);

	if (err)
		return err;
	err = ublkev_dev_init(&dev, on_dev, &conf, disk);
	if (!err) {
		err = ublkev_dev_start(loop, &dev);
		if (!err) {
			ev_run(loop, 0);
			err = dev.err;
		}
		ublkev_dev_fini(&dev);
	}
	ublkev_backend_free(disk);
	return err;
}

static bool short_slices(void)
{
	/* the kernel's struct sched_attr, up to what this needs */
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime_ns, deadline_ns, period_ns;
	} attr = { .size = sizeof(attr), .runtime_ns = 100000 };

	if (!syscall(SYS_sched_setattr, 0, &attr, 0))
		return true;
	perror("e2e_latency: sched_setattr");
	return false;
}

static bool parse_flag(const char *word)
{
	static const struct {
		const char *word;
		unsigned int flag;
	} flags[] = {
		{ "ring-fd", UBLKEV_CONF_RING_FD },
		{ "batch", UBLKEV_CONF_SCHED_BATCH },
	};
	static const struct {
		const char *word;
		bool *is, value;
	} bools[] = {
		{ "mem", &null, false }, { "null", &null, true },
		{ "slice", &slice, true }, { "json", &json, true },
	};
	unsigned int i;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (!strcmp(word, flags[i].word)) {
			conf.flags |= flags[i].flag;
			return true;
		}
	for (i = 0; i < sizeof(bools) / sizeof(bools[0]); i++)
		if (!strcmp(word, bools[i].word)) {
			*bools[i].is = bools[i].value;
			return true;
		}
	return false;
}

static bool parse_number(const char *word)
{
	return sscanf(word, "wait=%u", &conf.wait_us) == 1 ||
	       sscanf(word, "sleep=%u", &conf.sleep_us) == 1 ||
	       sscanf(word, "budget=%u", &conf.budget_us) == 1;
}

static bool parse(int argc, char **argv)
{
	int i;

	ublkev_conf_init(&conf, sizeof(conf));
	seconds = argc > 1 ? atof(argv[1]) : 10.;
	for (i = 2; i < argc; i++)
		if (!parse_flag(argv[i]) && !parse_number(argv[i])) {
			fprintf(stderr, "e2e_latency: '%s' is no word of its: see the top of e2e_latency.c\n",
				argv[i]);
			return false;
		}
	return true;
}

int main(int argc, char **argv)
{
	struct ev_loop *loop;
	pid_t pid;
	int err;

	if (!parse(argc, argv))
		return 2;
	pid = fork_client();
	if (slice && !short_slices())
		return 1;
	lateness.us = malloc(MOST * sizeof(*lateness.us));
	if (pid < 0 || !lateness.us)
		return 1;
	loop = ev_default_loop(0);
	ev_signal_init(&sigterm, on_signal, SIGTERM);
	ev_signal_start(loop, &sigterm);
	ev_signal_init(&sigint, on_signal, SIGINT);
	ev_signal_start(loop, &sigint);
	err = serve(loop);
	if (err)
		fprintf(stderr, "e2e_latency: %s\n", strerror(-err));
	print("timer", &lateness);
	shutdown(echo.fd, SHUT_RDWR);	/* the client prints what it has */
	waitpid(pid, NULL, 0);
	free(lateness.us);
	return err ? 1 : 0;
}
