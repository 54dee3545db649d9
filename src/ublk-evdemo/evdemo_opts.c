/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the command line: each option by itself, its value against what it may
 * be. What goes with what is judged in opts_check.c.
 */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "ublk-evdemo/evdemo_opts.h"
#include "ublk-evdemo/evdemo_opts_priv.h"
#include "common/number.h"
#include "common/optline.h"

/* values of the long options that have no letter */
enum {
	OPT_SIZE = 256,
	OPT_BACKEND,
	OPT_QUEUES,
	OPT_THREADS,
	OPT_THREADS_PER_QUEUE,
	OPT_RING_FD,
	OPT_DEPTH,
	OPT_BLOCK_SIZE,
	OPT_MAX_IO,
	OPT_WAIT,
	OPT_SCHED_BATCH,
	OPT_ID,
	OPT_READ_ONLY,
	OPT_HUGE_PAGES,
	OPT_COPY,
	OPT_BATCH,
	OPT_NO_BROKER,
	OPT_DAEMON,
	OPT_PIDFILE,
	OPT_STATS,
	OPT_CONTROL,
	OPT_STOP_TIMEOUT,
	OPT_STOP_LIMIT,
	OPT_DELETE,
	OPT_RECOVERY,
	OPT_RECOVER,
	OPT_MEMORY_FILE,
	OPT_FILE,
	OPT_DISK,
	OPT_OFFSET,
	OPT_SIZELIMIT,
	OPT_THIN,
	OPT_BUFFERED,
	OPT_ZONE_SIZE,
	OPT_ZONE_CAPACITY,
	OPT_MAX_OPEN_ZONES,
	OPT_MAX_ACTIVE_ZONES,
	OPT_CONVENTIONAL_ZONES,
	OPT_INTEGRITY,
	OPT_UNPRIVILEGED,
	OPT_IO_FLUSHER,
	OPT_NO_PART_SCAN,
	OPT_KEEP_SCHEDULER,
	OPT_FORCE_KERNEL,
	OPT_TAKE_OVER,
	OPT_VERSION
};

static const struct option long_options[] = {
	{ "size", required_argument, NULL, OPT_SIZE },
	{ "backend", required_argument, NULL, OPT_BACKEND },
	{ "queues", required_argument, NULL, OPT_QUEUES },
	{ "threads", no_argument, NULL, OPT_THREADS },
	{ "threads-per-queue", required_argument, NULL, OPT_THREADS_PER_QUEUE },
	{ "ring-fd", no_argument, NULL, OPT_RING_FD },
	{ "depth", required_argument, NULL, OPT_DEPTH },
	{ "block-size", required_argument, NULL, OPT_BLOCK_SIZE },
	{ "max-io", required_argument, NULL, OPT_MAX_IO },
	{ "wait", required_argument, NULL, OPT_WAIT },
	{ "sched-batch", required_argument, NULL, OPT_SCHED_BATCH },
	{ "id", required_argument, NULL, OPT_ID },
	{ "read-only", no_argument, NULL, OPT_READ_ONLY },
	{ "huge-pages", no_argument, NULL, OPT_HUGE_PAGES },
	{ "copy", required_argument, NULL, OPT_COPY },
	{ "batch", no_argument, NULL, OPT_BATCH },
	{ "no-broker", no_argument, NULL, OPT_NO_BROKER },
	{ "daemon", no_argument, NULL, OPT_DAEMON },
	{ "pidfile", required_argument, NULL, OPT_PIDFILE },
	{ "stats", required_argument, NULL, OPT_STATS },
	{ "control", required_argument, NULL, OPT_CONTROL },
	{ "stop-timeout", required_argument, NULL, OPT_STOP_TIMEOUT },
	{ "stop-limit", required_argument, NULL, OPT_STOP_LIMIT },
	{ "delete", required_argument, NULL, OPT_DELETE },
	{ "recovery", required_argument, NULL, OPT_RECOVERY },
	{ "recover", required_argument, NULL, OPT_RECOVER },
	{ "memory-file", required_argument, NULL, OPT_MEMORY_FILE },
	{ "file", required_argument, NULL, OPT_FILE },
	{ "disk", required_argument, NULL, OPT_DISK },
	{ "offset", required_argument, NULL, OPT_OFFSET },
	{ "sizelimit", required_argument, NULL, OPT_SIZELIMIT },
	{ "thin", no_argument, NULL, OPT_THIN },
	{ "buffered", no_argument, NULL, OPT_BUFFERED },
	{ "zone-size", required_argument, NULL, OPT_ZONE_SIZE },
	{ "zone-capacity", required_argument, NULL, OPT_ZONE_CAPACITY },
	{ "max-open-zones", required_argument, NULL, OPT_MAX_OPEN_ZONES },
	{ "max-active-zones", required_argument, NULL, OPT_MAX_ACTIVE_ZONES },
	{ "conventional-zones", required_argument, NULL,
	  OPT_CONVENTIONAL_ZONES },
	{ "integrity", required_argument, NULL, OPT_INTEGRITY },
	{ "unprivileged", no_argument, NULL, OPT_UNPRIVILEGED },
	{ "io-flusher", no_argument, NULL, OPT_IO_FLUSHER },
	{ "no-part-scan", no_argument, NULL, OPT_NO_PART_SCAN },
	{ "keep-scheduler", no_argument, NULL, OPT_KEEP_SCHEDULER },
	{ "force-kernel", no_argument, NULL, OPT_FORCE_KERNEL },
	{ "take-over", required_argument, NULL, OPT_TAKE_OVER },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

/* an option that takes a number */
struct number {
	int opt;
	int is_size;
	uint64_t min, max;
	const char *remedy;
};

#define SIZE_REMEDY "give digits and one of K, M, G, T, such as 256M"

static const struct number numbers[] = {
	{ OPT_SIZE, 1, 512, INT64_MAX,
	  SIZE_REMEDY ", 512 bytes at least and less than 8 EiB" },
	{ OPT_OFFSET, 1, 0, INT64_MAX, SIZE_REMEDY ", less than 8 EiB" },
	{ OPT_SIZELIMIT, 1, 512, INT64_MAX,
	  SIZE_REMEDY ", 512 bytes at least and less than 8 EiB" },
	{ OPT_BLOCK_SIZE, 1, 512, 4096, "give 512, 1024, 2048 or 4096" },
	{ OPT_MAX_IO, 1, 4096, 32 << 20,
	  "give a multiple of 4K from 4K to 32M" },
	{ OPT_QUEUES, 0, 1, 4096,
	  "give 1 to 4096, one a CPU at most, or auto" },
	{ OPT_THREADS_PER_QUEUE, 0, 1, UBLKEV_MAX_THREADS_PER_QUEUE,
	  "give 1 to 64" },
	{ OPT_ZONE_SIZE, 1, 4096, UINT64_C(1) << 31,
	  "give a power of two from 4K to 2G" },
	{ OPT_ZONE_CAPACITY, 1, 512, UINT64_C(1) << 31,
	  "give whole blocks, --zone-size at most" },
	{ OPT_MAX_OPEN_ZONES, 0, 1, UINT32_MAX / 2,
	  "give 1 or more, or leave it out for any number" },
	{ OPT_MAX_ACTIVE_ZONES, 0, 1, UINT32_MAX / 2,
	  "give 1 or more, or leave it out for any number" },
	{ OPT_CONVENTIONAL_ZONES, 0, 0, UINT32_MAX / 2,
	  "give as many as there are zones at most" },
	{ OPT_DEPTH, 0, 1, 4096, "give 1 to 4096" },
	{ OPT_ID, 0, 0, (1 << 20) - 1,
	  "give 0 to 1048575, or leave it out for a free one" },
	{ OPT_DELETE, 0, 0, (1 << 20) - 1, "give the N of /dev/ublkcN" },
	{ OPT_WAIT, 0, 0, 1000, "give microseconds, 0 to 1000" },
	{ OPT_RECOVER, 0, 0, (1 << 20) - 1, "give the N of /dev/ublkcN" },
	{ OPT_STATS, 0, 1, 86400, "give whole seconds, 1 to 86400" },
	{ OPT_STOP_TIMEOUT, 0, 0, 86400, "give whole seconds, 0 to 86400" },
	{ OPT_STOP_LIMIT, 0, 0, 86400,
	  "give whole seconds, 0 to 86400; 0 is no limit" },
};

#define NR_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static int opts_fail_value(const struct parse *p, int opt, const char *value,
			   const char *cause, const char *remedy)
{
	char buf[64];

	return opts_fail(p, "option --%s: '%s' %s: %s",
			 optline_name(long_options, opt),
			 number_shown(buf, sizeof(buf), value), cause, remedy);
}

static int opts_take_number(const struct parse *p, int opt, const char *text,
			    uint64_t *valuep)
{
	const struct number *n = numbers;
	const char *cause;

	while (n < numbers + NR_NUMBERS - 1 && n->opt != opt)
		n++;
	cause = n->is_size ? number_size(text, valuep) :
		number_plain(text, valuep);
	if (!cause && *valuep < n->min)
		cause = "is too small";
	if (!cause && *valuep > n->max)
		cause = "is too large";
	if (!cause)
		return 0;
	return opts_fail_value(p, opt, text, cause, n->remedy);
}

static int opts_set_number(const struct parse *p, int opt, const char *text)
{
	struct opts *o = p->o;
	uint64_t v = 0;
	int ret;

	ret = opts_take_number(p, opt, text, &v);
	if (ret)
		return ret;
	switch (opt) {
	case OPT_SIZE:
		o->size_bytes = v;
		o->size_given = 1;
		break;
	case OPT_OFFSET:
		o->offset_bytes = v;
		break;
	case OPT_SIZELIMIT:
		o->limit_bytes = v;
		break;
	case OPT_BLOCK_SIZE:
		if (v & (v - 1))
			return opts_fail_value(p, opt, text,
					       "is no power of two",
					       "give 512, 1024, 2048 or 4096");
		o->block_bytes = (uint32_t)v;
		break;
	case OPT_MAX_IO:
		if (v % 4096)
			return opts_fail_value(p, opt, text,
					       "is no multiple of 4K",
					       "give one from 4K to 32M");
		o->max_io_bytes = (uint32_t)v;
		break;
	case OPT_ZONE_SIZE:
		if (v & (v - 1))
			return opts_fail_value(p, opt, text,
					       "is no power of two",
					       "give one from 4K to 2G");
		o->zone_bytes = v;
		break;
	case OPT_ZONE_CAPACITY:
		o->zone_capacity_bytes = v;
		break;
	case OPT_MAX_OPEN_ZONES:
		o->max_open_zones = (unsigned int)v;
		break;
	case OPT_MAX_ACTIVE_ZONES:
		o->max_active_zones = (unsigned int)v;
		break;
	case OPT_CONVENTIONAL_ZONES:
		o->conventional_zones = (unsigned int)v;
		break;
	case OPT_QUEUES:
		o->queues = (unsigned int)v;
		break;
	case OPT_THREADS_PER_QUEUE:
		o->threads_per_queue = (unsigned int)v;
		break;
	case OPT_DEPTH:
		o->depth = (unsigned int)v;
		break;
	case OPT_ID:
		o->id = (int)v;
		break;
	case OPT_DELETE:
		o->delete_id = (int)v;
		o->mode = OPTS_DELETE;
		break;
	case OPT_WAIT:
		o->wait_us = (unsigned int)v;
		break;
	case OPT_RECOVER:
		o->recover_id = (int)v;
		break;
	case OPT_STATS:
		o->stats_s = (unsigned int)v;
		break;
	case OPT_STOP_TIMEOUT:
		o->stop_timeout_s = (unsigned int)v;
		break;
	case OPT_STOP_LIMIT:
		o->stop_limit_s = (unsigned int)v;
		break;
	}
	return 0;
}

static int opts_set_backend(const struct parse *p, const char *text)
{
	int backend = opts_backend(text);

	if (backend < 0)
		return opts_fail_value(p, OPT_BACKEND, text, "is no backend",
				       "give mem, file or null");
	p->o->backend = (enum opts_backend)backend;
	return 0;
}

static int opts_set_copy(const struct parse *p, const char *text)
{
	static const char *const names[] = {
		[UBLKEV_COPY_AUTO] = "auto",
		[UBLKEV_COPY_PLAIN] = "plain",
		[UBLKEV_COPY_DIRECT] = "direct",
		[UBLKEV_COPY_USER] = "user",
		[UBLKEV_COPY_ZERO] = "zero",
		[UBLKEV_COPY_ZERO_MANUAL] = "zero-manual",
	};
	int copy = opts_find(names, UBLKEV_NR_COPIES, text);

	static_assert(sizeof(names) / sizeof(names[0]) == UBLKEV_NR_COPIES,
		      "each has a name");
	if (copy < 0)
		return opts_fail_value(p, OPT_COPY, text, "is no way to copy",
				       "give auto, plain, direct, user, zero or zero-manual");
	p->o->copy = (enum ublkev_copy)copy;
	return 0;
}

static int opts_set_integrity(const struct parse *p, const char *text)
{
	int pi = opts_integrity(text);

	if (pi < 0)
		return opts_fail_value(p, OPT_INTEGRITY, text,
				       "is no protection information",
				       "give one that --help names");
	p->o->integrity = (enum ublkev_pi)pi;
	return 0;
}

static int opts_set_recovery(const struct parse *p, const char *text)
{
	int recovery = opts_recovery(text);

	if (recovery < 0)
		return opts_fail_value(p, OPT_RECOVERY, text, "is no recovery",
				  "give none, requeue, reissue or fail-io");
	p->o->recovery = (enum ublkev_recovery)recovery;
	return 0;
}

static int opts_set_sched_batch(const struct parse *p, const char *text)
{
	int sched_batch = opts_sched_batch(text);

	if (sched_batch < 0)
		return opts_fail_value(p, OPT_SCHED_BATCH, text,
				       "is neither of three",
				       "give auto, yes or no");
	p->o->sched_batch = (enum opts_sched_batch)sched_batch;
	return 0;
}

/* the library's 0 is what "auto" stands for */
static int opts_set_queues(const struct parse *p, const char *text)
{
	if (strcmp(text, "auto"))
		return opts_set_number(p, OPT_QUEUES, text);
	p->o->queues = 0;
	return 0;
}

static int opts_set_socket(const struct parse *p, int opt, const char *text)
{
	if (strlen(text) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return opts_fail_value(p, opt, text, "is too long for a socket",
				       "give a path of 107 characters at most");
	if (opt == OPT_TAKE_OVER) {
		p->o->take_over = text;
		return 0;
	}
	p->o->no_control = !strcmp(text, "none");
	p->o->control = p->o->no_control ? NULL : text;
	return 0;
}

static int opts_set_path(const struct parse *p, int opt, const char *text)
{
	if (!*text)
		return opts_fail_value(p, opt, text, "is empty",
				       opt == OPT_DISK ? "give a disk, as mem:1G" :
				       "give the path of a file");
	switch (opt) {
	case OPT_DISK:
		p->o->disk = text;
		p->o->backend = OPTS_STACK;
		return 0;
	case OPT_PIDFILE:
		p->o->pidfile = text;
		return 0;
	case OPT_MEMORY_FILE:
		p->o->memory_file = text;
		return 0;
	case OPT_FILE:
		p->o->file = text;
		return 0;
	default:
		return opts_set_socket(p, opt, text);
	}
}

/* an option that takes nothing, and where its 1 goes */
static const struct flag {
	int opt;
	size_t at;
} flags[] = {
	{ OPT_READ_ONLY, offsetof(struct opts, read_only) },
	{ OPT_THIN, offsetof(struct opts, thin) },
	{ OPT_BUFFERED, offsetof(struct opts, buffered) },
	{ OPT_HUGE_PAGES, offsetof(struct opts, huge_pages) },
	{ OPT_BATCH, offsetof(struct opts, batch) },
	{ OPT_THREADS, offsetof(struct opts, threads) },
	{ OPT_RING_FD, offsetof(struct opts, ring_fd) },
	{ OPT_NO_BROKER, offsetof(struct opts, no_broker) },
	{ OPT_DAEMON, offsetof(struct opts, daemon) },
	{ OPT_UNPRIVILEGED, offsetof(struct opts, unprivileged) },
	{ OPT_IO_FLUSHER, offsetof(struct opts, io_flusher) },
	{ OPT_NO_PART_SCAN, offsetof(struct opts, no_part_scan) },
	{ OPT_KEEP_SCHEDULER, offsetof(struct opts, keep_scheduler) },
	{ OPT_FORCE_KERNEL, offsetof(struct opts, force_kernel) },
	{ 'v', offsetof(struct opts, verbose) },
};

/* whether it is one */
static int opts_set_flag(const struct parse *p, int opt)
{
	const struct flag *f;

	for (f = flags; f < flags + sizeof(flags) / sizeof(flags[0]); f++)
		if (f->opt == opt) {
			*(int *)(void *)((char *)p->o + f->at) = 1;
			return 1;
		}
	return 0;
}

/* what is the device's and the disk's already, and not to be chosen */
static int opts_is_of_device(int opt)
{
	static const int of_device[] = {
		OPT_QUEUES, OPT_DEPTH, OPT_MAX_IO, OPT_ID, OPT_COPY,
		OPT_BATCH, OPT_RECOVERY, OPT_UNPRIVILEGED, OPT_NO_PART_SCAN,
	};
	unsigned int i;

	for (i = 0; i < sizeof(of_device) / sizeof(of_device[0]); i++)
		if (of_device[i] == opt)
			return 1;
	return 0;
}

static int opts_is_of_disk(int opt)
{
	static const int of_disk[] = {
		OPT_SIZE, OPT_BACKEND, OPT_BLOCK_SIZE, OPT_READ_ONLY,
		OPT_HUGE_PAGES, OPT_MEMORY_FILE, OPT_RECOVER, OPT_FILE,
		OPT_DISK, OPT_OFFSET, OPT_SIZELIMIT, OPT_THIN, OPT_BUFFERED,
		OPT_ZONE_SIZE,
		OPT_ZONE_CAPACITY, OPT_MAX_OPEN_ZONES, OPT_MAX_ACTIVE_ZONES,
		OPT_CONVENTIONAL_ZONES, OPT_INTEGRITY,
	};
	unsigned int i;

	for (i = 0; i < sizeof(of_disk) / sizeof(of_disk[0]); i++)
		if (of_disk[i] == opt)
			return 1;
	return 0;
}

static void opts_note(struct parse *p, int opt)
{
	const char *name = optline_name(long_options, opt);

	opts_kept_note(p->o, name);
	if (opt == OPT_FILE || opt == OPT_OFFSET || opt == OPT_SIZELIMIT ||
	    opt == OPT_THIN || opt == OPT_BUFFERED)
		p->of_file = name;
	if (opt != 'v' && opt != OPT_DELETE && opt != OPT_NO_BROKER &&
	    !p->not_delete)
		p->not_delete = name;
	if (opts_is_of_disk(opt) && opt != OPT_DISK && !p->not_disk)
		p->not_disk = name;
	if (opts_is_of_device(opt) && !p->not_recover)
		p->not_recover = name;
	if ((opts_is_of_device(opt) || opts_is_of_disk(opt)) &&
	    !p->not_take_over)
		p->not_take_over = name;
}

static int opts_set(struct parse *p, int opt, const char *value)
{
	opts_note(p, opt);
	switch (opt) {
	case OPT_BACKEND:
		return opts_set_backend(p, value);
	case OPT_COPY:
		return opts_set_copy(p, value);
	case OPT_INTEGRITY:
		return opts_set_integrity(p, value);
	case OPT_RECOVERY:
		return opts_set_recovery(p, value);
	case OPT_QUEUES:
		return opts_set_queues(p, value);
	case OPT_SCHED_BATCH:
		return opts_set_sched_batch(p, value);
	case OPT_PIDFILE:
	case OPT_CONTROL:
	case OPT_MEMORY_FILE:
	case OPT_FILE:
	case OPT_DISK:
	case OPT_TAKE_OVER:
		return opts_set_path(p, opt, value);
	default:
		return opts_set_flag(p, opt) ? 0 :
		       opts_set_number(p, opt, value);
	}
}

/* a file is enough to say which disk is meant */
static void opts_be_of_file(const struct parse *p)
{
	if (p->of_file && !p->o->disk && !opts_was_given(p->o, "backend"))
		p->o->backend = OPTS_FILE;
}

static void opts_defaults(struct opts *o)
{
	memset(o, 0, sizeof(*o));
	o->size_bytes = 256 << 20;
	o->block_bytes = 512;
	o->max_io_bytes = 512 << 10;
	o->queues = 1;
	o->depth = 128;
	o->id = -1;
	o->delete_id = -1;
	o->wait_us = 200;
	o->recover_id = -1;
	o->stop_timeout_s = 30;
}

int opts_parse(struct opts *o, int argc, char **argv, char *err,
	       size_t err_size)
{
	struct parse p = { .o = o, .err = err, .err_size = err_size };
	char buf[64];
	int got, ret;

	opts_defaults(o);
	opterr = 0;
	optind = 0;	/* glibc: also forgets an earlier argv */
	for (;;) {
		got = getopt_long(argc, argv, ":vh", long_options, NULL);
		if (got == -1)
			break;
		if (got == '?' || got == ':') {
			optline_refusal(err, err_size, "ublk-evdemo",
					long_options, got, argv);
			return -EINVAL;
		}
		if (got == 'h' || got == OPT_VERSION) {
			o->mode = got == 'h' ? OPTS_HELP : OPTS_VERSION;
			return 0;
		}
		ret = opts_set(&p, got, optarg);
		if (ret)
			return ret;
	}
	if (optind < argc)
		return opts_fail(&p, "argument '%s': none is expected: "
				 "see ublk-evdemo --help",
				 number_shown(buf, sizeof(buf), argv[optind]));
	opts_be_of_file(&p);
	return opts_check_all(&p);
}
