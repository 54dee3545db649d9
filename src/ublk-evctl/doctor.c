/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command doctor: gathers what only a running system tells (limits,
 * rings, /dev/ublk-control), has it judged with what the files below the
 * root say, and prints the report.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "ublk-evctl/ask.h"
#include "ublk-evctl/doctor.h"
#include "common/escape.h"

/* of headers older than the kernels that have ublk as we need it */
#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER	(1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN	(1U << 13)
#endif

static const char *const level_names[] = {
	[LEVEL_OK] = "ok",
	[LEVEL_WARNING] = "warning",
	[LEVEL_FAULT] = "fault",
};
static_assert(sizeof(level_names) / sizeof(level_names[0]) == NR_LEVELS,
	      "each level has a name");

const char *level_name(enum level level)
{
	return level_names[level];
}

void report_add(struct report *r, enum level level, const char *name,
		const char *remedy, const char *fmt, ...)
{
	struct check *v = realloc(r->v, (r->nr + 1) * sizeof(*v));
	char text[sizeof(v->text)];
	va_list ap;

	if (!v) {
		r->failed = 1;
		return;
	}
	r->v = v;
	v += r->nr++;
	v->level = level;
	snprintf(v->name, sizeof(v->name), "%s", name);
	snprintf(v->remedy, sizeof(v->remedy), "%s", remedy ? remedy : "");
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	escape_text(v->text, sizeof(v->text), text);
}

void report_fini(struct report *r)
{
	free(r->v);
}

enum level report_worst(const struct report *r)
{
	enum level worst = LEVEL_OK;
	unsigned int i;

	for (i = 0; i < r->nr; i++)
		if (r->v[i].level > worst)
			worst = r->v[i].level;
	return worst;
}

/* ---- what this machine says --------------------------------------------- */

static int doctor_try_control(void)
{
	int fd = open("/dev/ublk-control", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* the ring of a server's I/O, only smaller */
static int doctor_try_uring(void)
{
	struct io_uring_params p;
	int fd;

	memset(&p, 0, sizeof(p));
	p.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	fd = (int)syscall(__NR_io_uring_setup, 8, &p);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static uint64_t doctor_limit(int resource)
{
	struct rlimit l;

	if (getrlimit(resource, &l) ||
	    l.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return l.rlim_cur;
}

static void doctor_gather(struct evctl *t, struct host *h)
{
	struct utsname uts;
	struct ask a;

	memset(h, 0, sizeof(*h));
	h->root = t->opts->root;
	if (!uname(&uts))
		snprintf(h->release, sizeof(h->release), "%s", uts.release);
	h->control_err = doctor_try_control();
	h->uring_err = doctor_try_uring();
	h->features_err = 1;
	if (!h->control_err && !h->uring_err)
		h->features_err = ask_one(t, &a, UBLKEV_CMD_GET_FEATURES, 0,
					  0);
	if (!h->features_err)
		h->features = a.answer.u.features;
	h->nofile = doctor_limit(RLIMIT_NOFILE);
	h->memlock = doctor_limit(RLIMIT_MEMLOCK);
	host_status(h);
}

static void doctor_judge(struct evctl *t, struct report *r)
{
	struct host h;
	struct devs d;
	unsigned int i;

	doctor_gather(t, &h);
	if (devs_find(&d, h.root, -1))
		r->failed = 1;
	if (!h.control_err && !h.uring_err)
		devs_load(t, &d, 0);
	else
		devs_free(&d);
	host_judge(r, &h, &d);
	for (i = 0; i < d.nr; i++)
		dev_judge(r, h.root, &d.v[i]);
	devs_free(&d);
}

static void doctor_print(struct evctl *t, const struct report *r)
{
	json_t *list = json_array();
	const struct check *c;

	for (c = r->v; c < r->v + r->nr; c++) {
		out_say(t, "%-7s  %s: %s%s%s\n", level_name(c->level), c->name,
			c->text, c->remedy[0] ? ": " : "", c->remedy);
		json_array_append_new(list, json_pack(
			"{s:s, s:s, s:s, s:s?}", "level",
			level_name(c->level), "name", c->name, "text",
			c->text, "remedy", c->remedy[0] ? c->remedy : NULL));
	}
	out_set(t, "checks", list);
	out_set(t, "worst", json_string(level_name(report_worst(r))));
}

int cmd_doctor(struct evctl *t)
{
	struct report r = { 0 };
	int status;

	doctor_judge(t, &r);
	doctor_print(t, &r);
	status = r.failed ? out_fail(t, ST_FAILED, "no memory") :
		 report_worst(&r) == LEVEL_FAULT ? ST_FAILED : ST_OK;
	report_fini(&r);
	return status;
}
