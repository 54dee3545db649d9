/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_core null|mem|part READ|WRITE DEPTH REQS [stepped] - so many requests of
 * 4 KiB through the library on a ring of this host's, DEPTH of them at a time;
 * prints the nanoseconds that each takes outside the kernel; part is a layer over
 * memory, whose requests have data in buffers here. Alone, a request
 * comes when the server sleeps, 20 us after the answer to the one before;
 * otherwise as soon as one was answered.
 * Without arguments: the compiler that made it, and its libraries.
 *
 * bench_core.sh runs it under callgrind, which counts what measure() and those
 * it calls do, and what the driver's stand-in does not. "stepped": the clock
 * goes on by 1 us a look, so that what is decided by it, and with that the
 * count, is the same every time; prints the looks per request, for what one
 * costs is not counted.
 */
#include <sched.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <ev.h>
#include <gnu/libc-version.h>
#include <ublkev.h>

#include "bench_driver.h"

#define IO_BYTES	4096u
#define DISK_BYTES	(16u << 20)

enum { READ_OP, WRITE_OP };	/* the driver's numbers */

static struct ublkev_dev dev;
static struct ev_loop *loop;
static struct ev_timer watchdog;
static uint32_t op;
static unsigned int depth;
static unsigned long asked, answered, wanted;
static bool stepped;

/* ---- the clock ---------------------------------------------------------- */

#define AWAY_US	20	/* a client that is alone */

static unsigned long looks;
static struct timespec step = { 1, 0 };

static void go_on_us(long us)
{
	step.tv_nsec += 1000 * us;
	if (step.tv_nsec >= 1000000000) {
		step.tv_nsec -= 1000000000;
		step.tv_sec++;
	}
}

static uint64_t step_us(void)
{
	return (uint64_t)step.tv_sec * 1000000 + (uint64_t)step.tv_nsec / 1000;
}

/* the machine's other CPUs are not the clients': nobody looks at memory */
int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	(void)pid;
	CPU_ZERO_S(size, set);
	CPU_SET_S(0, size, set);
	return 0;
}

static int real_clock(clockid_t id, struct timespec *ts)
{
	return (int)syscall(SYS_clock_gettime, id, ts);
}

/* found before the C library's, by the library and by libev */
int clock_gettime(clockid_t id, struct timespec *ts)
{
	looks++;
	if (!stepped)
		return real_clock(id, ts);
	go_on_us(1);
	*ts = step;
	return 0;
}

static struct {
	uint64_t ns, since_ns, looks;
	bool runs;
} watch;

static uint64_t now_ns(void)
{
	struct timespec ts;

	real_clock(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void run_watch(bool runs)
{
	uint64_t now;

	if (stepped || watch.runs == runs)
		return;
	now = now_ns();
	watch.looks++;
	if (watch.runs)
		watch.ns += now - watch.since_ns;
	watch.since_ns = now;
	watch.runs = runs;
}

/* what a look at the clock adds to the time that is measured */
static double look_ns(void)
{
	uint64_t began = now_ns();
	unsigned int i;

	for (i = 0; i < 10000; i++)
		now_ns();
	return (double)(now_ns() - began) / 10000;
}

/* ---- clients ------------------------------------------------------------ */

static void die(const char *what, int err)
{
	fprintf(stderr, "bench_core: %s: %s\n", what, strerror(-err));
	exit(1);
}

/* as many as may be under way */
static void ask(void)
{
	while (asked < wanted && asked - answered < depth)
		bench_ask(op, asked++ * IO_BYTES % DISK_BYTES, IO_BYTES);
}

static void on_answers(unsigned int n)
{
	answered += n;
	if (answered == wanted)
		ev_break(loop, EVBREAK_ALL);
	if (depth > 1)
		ask();
}

static uint64_t alarm_us;	/* 0: none is set */

static void on_alarm(uint64_t us)
{
	alarm_us = step_us() + us;
}

/* the client's next request, if the alarm does not ring first */
static void on_sleep(void)
{
	if (asked > answered)
		return;
	go_on_us(AWAY_US);
	if (!alarm_us || step_us() < alarm_us)
		ask();
	/* all were answered, or it is time */
	if (alarm_us && asked == answered) {
		alarm_us = 0;
		bench_ring_alarm();
	}
}

static void on_enter(bool sleeps)
{
	run_watch(false);
	if (!sleeps)
		return;
	on_sleep();
	bench_send();
}

static void on_entered(void)
{
	bench_send();
	run_watch(true);
}

/* the loop is about to sleep, unless it looks only; not counted */
__attribute__((noinline, noclone))
static void bench_sleep(struct ev_loop *l) EV_NOEXCEPT
{
	(void)l;
	run_watch(false);
	if (depth == 1)
		ask();
	bench_send();
}

static void on_wake(struct ev_loop *l) EV_NOEXCEPT
{
	(void)l;
	run_watch(true);
}

static void run(unsigned long reqs)
{
	asked = answered = 0;
	wanted = reqs;
	ask();
	bench_send();
	ev_run(loop, 0);
	if (answered != wanted)
		die("the loop ended", -EIO);
}

/* what callgrind counts; a name that it can find */
__attribute__((noinline, noclone))
static void measure(unsigned long reqs)
{
	run_watch(true);
	run(reqs);
	run_watch(false);
}

/* ---- the device --------------------------------------------------------- */

static void on_dev(struct ev_loop *l, struct ublkev_dev *d, int revents)
{
	(void)l;
	if (revents & UBLKEV_ERROR)
		die(ublkev_step_name(d->step), d->err);
	if (revents & UBLKEV_LIVE)
		ev_break(loop, EVBREAK_ALL);
}

static void on_watchdog(struct ev_loop *l, struct ev_timer *w, int revents)
{
	(void)l;
	(void)w;
	(void)revents;
	die("nothing more happens", -ETIMEDOUT);
}

static void bench(unsigned long reqs)
{
	uint32_t measured = op;
	unsigned long had;
	double ns;

	ev_run(loop, 0);	/* until LIVE */
	op = WRITE_OP;		/* a memory disk reads memory, not holes */
	bench_hooks.answered = on_answers;
	bench_hooks.enter = on_enter;
	bench_hooks.entered = on_entered;
	bench_hooks.alarm = stepped ? on_alarm : NULL;
	ev_set_loop_release_cb(loop, bench_sleep, on_wake);
	run(DISK_BYTES / IO_BYTES);
	op = measured;
	watch.ns = watch.looks = 0;
	had = looks;
	measure(reqs);
	had = looks - had;
	ev_set_loop_release_cb(loop, NULL, NULL);
	memset(&bench_hooks, 0, sizeof(bench_hooks));
	ns = (double)watch.ns - (double)watch.looks / 2 * look_ns();
	if (stepped)
		printf("%.2f\n", (double)had / (double)reqs);
	else
		printf("%.0f\n", ns / (double)reqs);
	ublkev_dev_stop(loop, &dev);
	ev_timer_stop(loop, &watchdog);
	ev_run(loop, 0);
}

static int serve(struct ublkev_backend *disk, unsigned long reqs)
{
	int err;

	loop = ev_loop_new(EVFLAG_NOENV);
	ev_timer_init(&watchdog, on_watchdog, 120., 0.);
	ev_timer_start(loop, &watchdog);
	err = ublkev_dev_init(&dev, on_dev, NULL, disk);
	if (err)
		return err;
	err = ublkev_dev_start(loop, &dev);
	if (!err)
		bench(reqs);
	ublkev_dev_fini(&dev);
	ev_loop_destroy(loop);
	return err;
}

static int print_compiler(void)
{
#ifdef __clang__
	printf("clang %d", __clang_major__);
#else
	printf("gcc %d", __GNUC__);
#endif
#ifdef __x86_64__
	printf(" x86_64");
#else
	printf(" other");
#endif
	printf(" libev %d.%d glibc %s\n", ev_version_major(),
	       ev_version_minor(), gnu_get_libc_version());
	return 0;
}

static int make_disk(struct ublkev_backend **diskp, const char *name)
{
	struct ublkev_disk_conf conf;

	ublkev_disk_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = DISK_BYTES;
	if (!strcmp(name, "part"))
		return ublkev_disk_new(diskp, "part:base=mem:16M", NULL, NULL);
	return strcmp(name, "mem") ? ublkev_null_new(diskp, &conf) :
				     ublkev_mem_new(diskp, &conf);
}

int main(int argc, char **argv)
{
	struct ublkev_backend *disk;
	unsigned long reqs;
	int err;

	if (argc < 5)
		return print_compiler();
	op = strcmp(argv[2], "WRITE") ? READ_OP : WRITE_OP;
	depth = (unsigned int)strtoul(argv[3], NULL, 10);
	reqs = strtoul(argv[4], NULL, 10);
	stepped = argc > 5;
	if (!depth || depth > 128 || reqs < depth)
		return 2;
	err = make_disk(&disk, argv[1]);
	if (!err) {
		err = serve(disk, reqs);
		ublkev_backend_free(disk);
	}
	if (err)
		die("device", err);
	return 0;
}
