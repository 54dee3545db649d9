/* SPDX-License-Identifier: BSD-2-Clause */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "evdemo/opts.h"
#include "tool/number.h"

/* values of the long options that have no letter */
enum {
	OPT_SIZE = 256,
	OPT_BACKEND,
	OPT_QUEUES,
	OPT_DEPTH,
	OPT_BLOCK_SIZE,
	OPT_MAX_IO,
	OPT_WAIT,
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
	OPT_DELETE,
	OPT_VERSION
};

static const struct option long_options[] = {
	{ "size", required_argument, NULL, OPT_SIZE },
	{ "backend", required_argument, NULL, OPT_BACKEND },
	{ "queues", required_argument, NULL, OPT_QUEUES },
	{ "depth", required_argument, NULL, OPT_DEPTH },
	{ "block-size", required_argument, NULL, OPT_BLOCK_SIZE },
	{ "max-io", required_argument, NULL, OPT_MAX_IO },
	{ "wait", required_argument, NULL, OPT_WAIT },
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
	{ "delete", required_argument, NULL, OPT_DELETE },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

const char opts_help[] =
"usage: ublk-evdemo [options]\n"
"       ublk-evdemo --delete N\n"
"\n"
"Serves a disk in memory as the block device /dev/ublkbN, from one libev\n"
"loop. Prints the device's name on stdout once it can be used. Ends on\n"
"SIGINT or SIGTERM; SIGUSR1 logs requests in flight and counters.\n"
"\n"
"  --size SIZE          capacity (256M)\n"
"  --backend mem|null   keep the data, or answer and forget (mem)\n"
"  --block-size BYTES   logical block: 512, 1024, 2048 or 4096 (512)\n"
"  --read-only          refuse writes\n"
"  --huge-pages         mem: ask for transparent huge pages\n"
"  --copy MODE          how data get to the disk: auto, plain, direct or\n"
"                       user (auto)\n"
"  --batch              one command for many requests, where the kernel can\n"
"  --id N               be /dev/ublkbN (the kernel picks)\n"
"  --queues N           hardware queues (1)\n"
"  --depth N            requests a queue, 1 to 4096 (128)\n"
"  --max-io SIZE        largest read or write, 4K to 32M (512K)\n"
"  --wait USEC          longest wait for a request before sleep; 0 none (50)\n"
"  --stats SECONDS      log rates and latencies so often\n"
"  --control PATH       Unix socket that answers 'stats' and 'help'\n"
"  --stop-timeout SECONDS\n"
"                       how long to wait, when told to end, for who holds\n"
"                       the device (30)\n"
"  --daemon             go to the background once the device is live\n"
"  --pidfile FILE       keep the process id there\n"
"  --no-broker          send control commands from this process: not safe\n"
"                       against kill -9 while it starts or stops\n"
"  --delete N           remove device N, which a dead server left behind\n"
"  -v, --verbose        log what happens in detail\n"
"  -h, --help           this text\n"
"  --version            the version\n"
"\n"
"SIZE is a number of bytes, or with K, M, G, T of 1024-fold units.\n";

/* an option that takes a number */
struct number {
	int opt;
	int is_size;
	uint64_t min, max;
	const char *remedy;
};

/* of all queues together; what the library takes */
#define MAX_REQS 32767

#define SIZE_REMEDY "give digits and one of K, M, G, T, such as 256M"

static const struct number numbers[] = {
	{ OPT_SIZE, 1, 512, INT64_MAX,
	  SIZE_REMEDY ", 512 bytes at least and less than 8 EiB" },
	{ OPT_BLOCK_SIZE, 1, 512, 4096, "give 512, 1024, 2048 or 4096" },
	{ OPT_MAX_IO, 1, 4096, 32 << 20,
	  "give a multiple of 4K from 4K to 32M" },
	{ OPT_QUEUES, 0, 1, 4096, "give 1 to 4096, one a CPU at most" },
	{ OPT_DEPTH, 0, 1, 4096, "give 1 to 4096" },
	{ OPT_ID, 0, 0, (1 << 20) - 1,
	  "give 0 to 1048575, or leave it out for a free one" },
	{ OPT_DELETE, 0, 0, (1 << 20) - 1, "give the N of /dev/ublkcN" },
	{ OPT_WAIT, 0, 0, 1000, "give microseconds, 0 to 1000" },
	{ OPT_STATS, 0, 1, 86400, "give whole seconds, 1 to 86400" },
	{ OPT_STOP_TIMEOUT, 0, 0, 86400, "give whole seconds, 0 to 86400" },
};

#define NR_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

struct parse {
	struct opts *o;
	char *err;
	size_t err_size;
	const char *serve_opt;	/* first option that --delete excludes */
};

static const char *opt_name(int opt)
{
	const struct option *l;

	for (l = long_options; l->name; l++)
		if (l->val == opt)
			return l->name;
	return "?";
}

static int __attribute__((format(printf, 2, 3)))
fail(const struct parse *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->err, p->err_size, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int fail_value(const struct parse *p, int opt, const char *value,
		      const char *cause, const char *remedy)
{
	char buf[64];

	return fail(p, "option --%s: '%s' %s: %s", opt_name(opt),
		    number_shown(buf, sizeof(buf), value), cause, remedy);
}

static int take_number(const struct parse *p, int opt, const char *text,
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
	return fail_value(p, opt, text, cause, n->remedy);
}

static int set_number(const struct parse *p, int opt, const char *text)
{
	struct opts *o = p->o;
	uint64_t v = 0;
	int ret;

	ret = take_number(p, opt, text, &v);
	if (ret)
		return ret;
	switch (opt) {
	case OPT_SIZE:
		o->size_bytes = v;
		break;
	case OPT_BLOCK_SIZE:
		if (v & (v - 1))
			return fail_value(p, opt, text, "is no power of two",
					  "give 512, 1024, 2048 or 4096");
		o->block_bytes = (uint32_t)v;
		break;
	case OPT_MAX_IO:
		if (v % 4096)
			return fail_value(p, opt, text,
					  "is no multiple of 4K",
					  "give one from 4K to 32M");
		o->max_io_bytes = (uint32_t)v;
		break;
	case OPT_QUEUES:
		o->queues = (unsigned int)v;
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
	case OPT_STATS:
		o->stats_s = (unsigned int)v;
		break;
	case OPT_STOP_TIMEOUT:
		o->stop_timeout_s = (unsigned int)v;
		break;
	}
	return 0;
}

static int set_backend(const struct parse *p, const char *text)
{
	if (!strcmp(text, "mem"))
		p->o->backend = OPTS_MEM;
	else if (!strcmp(text, "null"))
		p->o->backend = OPTS_NULL;
	else
		return fail_value(p, OPT_BACKEND, text, "is no backend",
				  "give mem or null");
	return 0;
}

static int set_copy(const struct parse *p, const char *text)
{
	static const char *const names[] = {
		[UBLKEV_COPY_AUTO] = "auto",
		[UBLKEV_COPY_PLAIN] = "plain",
		[UBLKEV_COPY_DIRECT] = "direct",
		[UBLKEV_COPY_USER] = "user",
	};
	unsigned int i;

	static_assert(sizeof(names) / sizeof(names[0]) == UBLKEV_NR_COPIES,
		      "each has a name");
	for (i = 0; i < UBLKEV_NR_COPIES; i++)
		if (!strcmp(text, names[i])) {
			p->o->copy = (enum ublkev_copy)i;
			return 0;
		}
	return fail_value(p, OPT_COPY, text, "is no way to copy",
			  "give auto, plain, direct or user");
}

static int set_path(const struct parse *p, int opt, const char *text)
{
	if (!*text)
		return fail_value(p, opt, text, "is empty",
				  "give the path of a file");
	if (opt == OPT_PIDFILE) {
		p->o->pidfile = text;
		return 0;
	}
	if (strlen(text) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return fail_value(p, opt, text, "is too long for a socket",
				  "give a path of 107 characters at most");
	p->o->control = text;
	return 0;
}

static int set_flag(const struct parse *p, int opt)
{
	switch (opt) {
	case OPT_READ_ONLY:
		p->o->read_only = 1;
		break;
	case OPT_HUGE_PAGES:
		p->o->huge_pages = 1;
		break;
	case OPT_BATCH:
		p->o->batch = 1;
		break;
	case OPT_NO_BROKER:
		p->o->no_broker = 1;
		break;
	case OPT_DAEMON:
		p->o->daemon = 1;
		break;
	case 'v':
		p->o->verbose = 1;
		break;
	}
	return 0;
}

static int set(struct parse *p, int opt, const char *value)
{
	if (opt != 'v' && opt != OPT_DELETE && opt != OPT_NO_BROKER &&
	    !p->serve_opt)
		p->serve_opt = opt_name(opt);
	switch (opt) {
	case OPT_BACKEND:
		return set_backend(p, value);
	case OPT_COPY:
		return set_copy(p, value);
	case OPT_PIDFILE:
	case OPT_CONTROL:
		return set_path(p, opt, value);
	case OPT_READ_ONLY:
	case OPT_HUGE_PAGES:
	case OPT_BATCH:
	case OPT_NO_BROKER:
	case OPT_DAEMON:
	case 'v':
		return set_flag(p, opt);
	default:
		return set_number(p, opt, value);
	}
}

/* what getopt_long() did not like; a short option leaves its letter */
static int refuse(const struct parse *p, int got, char **argv)
{
	char buf[64];

	if (got == ':')
		return fail(p, "option --%s: its value is missing: "
			    "see ublk-evdemo --help", opt_name(optopt));
	if (optopt >= OPT_SIZE || optopt == 'v' || optopt == 'h')
		return fail(p, "option '%s': takes no value: leave it out",
			    number_shown(buf, sizeof(buf), argv[optind - 1]));
	if (optopt)
		return fail(p, "option '-%c': unknown: "
			    "see ublk-evdemo --help",
			    isprint(optopt) ? optopt : '?');
	return fail(p, "option '%s': unknown or ambiguous: "
		    "see ublk-evdemo --help",
		    number_shown(buf, sizeof(buf), argv[optind - 1]));
}

/* what single options cannot tell */
static int check(const struct parse *p)
{
	const struct opts *o = p->o;

	if (o->mode == OPTS_DELETE && p->serve_opt)
		return fail(p, "option --%s: does not go with --delete: "
			    "leave it out", p->serve_opt);
	if (o->queues * o->depth > MAX_REQS)
		return fail(p, "option --queues: '%u' queues of --depth %u "
			    "are more than %d requests: lower one",
			    o->queues, o->depth, MAX_REQS);
	if (o->size_bytes % o->block_bytes)
		return fail(p, "option --size: '%llu' is no multiple of the "
			    "block size %u: round it",
			    (unsigned long long)o->size_bytes,
			    o->block_bytes);
	if (o->huge_pages && o->backend != OPTS_MEM)
		return fail(p, "option --huge-pages: the null backend keeps "
			    "no data: leave it out, or give --backend mem");
	return 0;
}

static void defaults(struct opts *o)
{
	memset(o, 0, sizeof(*o));
	o->size_bytes = 256 << 20;
	o->block_bytes = 512;
	o->max_io_bytes = 512 << 10;
	o->queues = 1;
	o->depth = 128;
	o->id = -1;
	o->delete_id = -1;
	o->wait_us = 50;
	o->stop_timeout_s = 30;
}

int opts_parse(struct opts *o, int argc, char **argv, char *err,
	       size_t err_size)
{
	struct parse p = { o, err, err_size, NULL };
	char buf[64];
	int got, ret;

	defaults(o);
	opterr = 0;
	optind = 0;	/* glibc: also forgets an earlier argv */
	for (;;) {
		got = getopt_long(argc, argv, ":vh", long_options, NULL);
		if (got == -1)
			break;
		if (got == '?' || got == ':')
			return refuse(&p, got, argv);
		if (got == 'h' || got == OPT_VERSION) {
			o->mode = got == 'h' ? OPTS_HELP : OPTS_VERSION;
			return 0;
		}
		ret = set(&p, got, optarg);
		if (ret)
			return ret;
	}
	if (optind < argc)
		return fail(&p, "argument '%s': none is expected: "
			    "see ublk-evdemo --help",
			    number_shown(buf, sizeof(buf), argv[optind]));
	return check(&p);
}
