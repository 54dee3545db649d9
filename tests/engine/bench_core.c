/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_core null|mem READ|WRITE DEPTH REQS [stepped] - so many requests of
 * 4 KiB through the engine on the fake driver, DEPTH of them at a time; prints
 * the nanoseconds that each takes outside the driver and the loop's sleep.
 * Without arguments: the compiler that made it.
 *
 * tests/bench_core.sh runs it under callgrind, which counts what measure() and
 * those it calls do. "stepped": the engine's clock goes on by 1 us a look,
 * so that its decisions, and with them the count, are the same every time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ev.h>
#include <ublkev.h>

#include "fake_driver.h"

#define IO_BYTES	4096u
#define DISK_BYTES	(16u << 20)

static struct ublkev_dev dev;
static struct ev_loop *loop;
static struct ev_timer watchdog;
static uint32_t op;
static unsigned long asked, answered, wanted;
static char data[IO_BYTES];
static bool stepped;

/* ---- the clocks --------------------------------------------------------- */

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);

/* what the engine's calls come to */
int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	static struct timespec now = { 1, 0 };

	if (!stepped)
		return __real_clock_gettime(id, ts);
	now.tv_nsec += 1000;
	if (now.tv_nsec == 1000000000) {
		now.tv_nsec = 0;
		now.tv_sec++;
	}
	*ts = now;
	return 0;
}

static struct {
	uint64_t ns, since_ns, looks;
	bool runs;
} watch;

static uint64_t now_ns(void)
{
	struct timespec ts;

	__real_clock_gettime(CLOCK_MONOTONIC, &ts);
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

static void on_point(enum fake_point at)
{
	run_watch(at != FAKE_AT_ENTER);
}

static void on_sleep(struct ev_loop *l) EV_NOEXCEPT
{
	(void)l;
	run_watch(false);
}

static void on_wake(struct ev_loop *l) EV_NOEXCEPT
{
	(void)l;
	run_watch(true);
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

static void on_answer(void *arg, int res);

static void ask(void)
{
	uint64_t at = asked++ * IO_BYTES % DISK_BYTES;

	fake_submit(dev.id, op, at, IO_BYTES, data, on_answer, NULL);
}

static void on_answer(void *arg, int res)
{
	(void)arg;
	if (res)
		die("request", res);
	if (++answered == wanted)
		ev_break(loop, EVBREAK_ALL);
	else if (asked < wanted)
		ask();
}

static void run(unsigned int depth, unsigned long reqs)
{
	asked = answered = 0;
	wanted = reqs;
	while (asked < depth)
		ask();
	ev_run(loop, 0);
	if (answered != wanted)
		die("the loop ended", -EIO);
}

/* what callgrind counts; a name that it can find */
__attribute__((noinline, noclone))
static void measure(unsigned int depth, unsigned long reqs)
{
	run_watch(true);
	run(depth, reqs);
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

static void bench(unsigned int depth, unsigned long reqs)
{
	uint32_t measured = op;
	double ns;

	ev_run(loop, 0);	/* until LIVE */
	op = FAKE_WRITE;	/* a memory disk reads memory, not holes */
	run(depth, DISK_BYTES / IO_BYTES);
	op = measured;
	fake.hook = on_point;
	ev_set_loop_release_cb(loop, on_sleep, on_wake);
	measure(depth, reqs);
	ev_set_loop_release_cb(loop, NULL, NULL);
	fake.hook = NULL;
	ns = (double)watch.ns - (double)watch.looks / 2 * look_ns();
	if (!stepped)
		printf("%.0f\n", ns / (double)reqs);
	ublkev_dev_stop(loop, &dev);
	ev_timer_stop(loop, &watchdog);
	ev_run(loop, 0);
}

static int serve(struct ublkev_backend *disk, unsigned int depth,
		 unsigned long reqs)
{
	int err;

	fake_reset();
	loop = ev_loop_new(0);
	ev_timer_init(&watchdog, on_watchdog, 120., 0.);
	ev_timer_start(loop, &watchdog);
	err = ublkev_dev_init(&dev, on_dev, NULL, disk);
	if (err)
		return err;
	err = ublkev_dev_start(loop, &dev);
	if (!err) {
		bench(depth, reqs);
		err = fake_clean() && !fake_violation() ? 0 : -EPROTO;
	}
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
	printf(" x86_64\n");
#else
	printf(" other\n");
#endif
	return 0;
}

int main(int argc, char **argv)
{
	struct ublkev_disk_conf conf;
	struct ublkev_backend *disk;
	unsigned long depth, reqs;
	int err;

	if (argc < 5)
		return print_compiler();
	op = strcmp(argv[2], "WRITE") ? FAKE_READ : FAKE_WRITE;
	depth = strtoul(argv[3], NULL, 10);
	reqs = strtoul(argv[4], NULL, 10);
	stepped = argc > 5;
	if (!depth || depth > 128 || reqs < depth)
		return 2;
	ublkev_disk_conf_init(&conf, sizeof(conf));
	conf.dev_bytes = DISK_BYTES;
	err = (strcmp(argv[1], "mem") ? ublkev_null_new : ublkev_mem_new)
		(&disk, &conf);
	if (!err) {
		err = serve(disk, (unsigned int)depth, reqs);
		ublkev_backend_free(disk);
	}
	if (err)
		die("device", err);
	return 0;
}
