/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line of ublk-evctl: commands, their options and arguments, as
 * tables.
 */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "ublk-evctl/evctl_opts.h"
#include "common/number.h"
#include "common/optline.h"

#define BIT(cmd)	(1u << (cmd))
#define SOCKET_CMDS	(BIT(CMD_STATS) | BIT(CMD_RESIZE) | BIT(CMD_UPGRADE))
#define CHILD_CMDS	(BIT(CMD_RECOVER) | BIT(CMD_UPGRADE))
#define FORCE_CMDS	(BIT(CMD_STOP) | BIT(CMD_DEL) | BIT(CMD_RESIZE) | \
			 BIT(CMD_ORPHANS))
#define ID_CMDS		(BIT(CMD_INFO) | BIT(CMD_STOP) | BIT(CMD_DEL) | \
			 BIT(CMD_RECOVER) | BIT(CMD_QUIESCE) | \
			 BIT(CMD_UPGRADE) | BIT(CMD_RESIZE) | \
			 BIT(CMD_AFFINITY) | BIT(CMD_STATS) | BIT(CMD_OWNER) | \
			 BIT(CMD_SCHEDULER))

static const char *const cmd_names[] = {
	[CMD_LIST] = "list",
	[CMD_INFO] = "info",
	[CMD_FEATURES] = "features",
	[CMD_STOP] = "stop",
	[CMD_DEL] = "del",
	[CMD_RECOVER] = "recover",
	[CMD_QUIESCE] = "quiesce",
	[CMD_UPGRADE] = "upgrade",
	[CMD_RESIZE] = "resize",
	[CMD_AFFINITY] = "affinity",
	[CMD_ORPHANS] = "orphans",
	[CMD_STATS] = "stats",
	[CMD_TOP] = "top",
	[CMD_DOCTOR] = "doctor",
	[CMD_OWNER] = "owner",
	[CMD_SCHEDULER] = "scheduler",
	[CMD_HELP] = "help",
	[CMD_VERSION] = "version",
};
static_assert(sizeof(cmd_names) / sizeof(cmd_names[0]) == NR_CMDS,
	      "each command has a name");

enum {
	OPT_SAFE = 256,
	OPT_FORCE,
	OPT_ASYNC,
	OPT_SHRINK,
	OPT_CLEAN,
	OPT_ALL,
	OPT_JSON,
	OPT_TIMEOUT,
	OPT_INTERVAL,
	OPT_COUNT,
	OPT_SOCKET,
	OPT_PROGRAM,
	OPT_ROOT,
	OPT_VERSION
};

static const struct option long_options[] = {
	{ "safe", no_argument, NULL, OPT_SAFE },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "async", no_argument, NULL, OPT_ASYNC },
	{ "shrink", no_argument, NULL, OPT_SHRINK },
	{ "clean", no_argument, NULL, OPT_CLEAN },
	{ "all", no_argument, NULL, OPT_ALL },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "interval", required_argument, NULL, OPT_INTERVAL },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "program", required_argument, NULL, OPT_PROGRAM },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

/* the commands that an option goes with, when these are not all */
static const struct {
	int opt;
	unsigned int cmds;
} goes_with[] = {
	{ OPT_SAFE, BIT(CMD_STOP) },
	{ OPT_FORCE, FORCE_CMDS },
	{ OPT_ASYNC, BIT(CMD_DEL) },
	{ OPT_SHRINK, BIT(CMD_RESIZE) },
	{ OPT_CLEAN, BIT(CMD_ORPHANS) },
	{ OPT_ALL, BIT(CMD_ORPHANS) },
	{ OPT_INTERVAL, BIT(CMD_TOP) },
	{ OPT_COUNT, BIT(CMD_TOP) },
	{ OPT_SOCKET, SOCKET_CMDS },
	{ OPT_PROGRAM, CHILD_CMDS },
};

#define NR_GOES_WITH (sizeof(goes_with) / sizeof(goes_with[0]))

const char opts_help[] =
"usage: ublk-evctl [options] COMMAND [N]\n"
"\n"
"Looks at ublk block devices and controls them, whoever serves them.\n"
"\n"
"  list                  the devices of this machine\n"
"  info N                all about /dev/ublkbN\n"
"  features              what the driver of this kernel offers\n"
"  affinity N            CPUs of each of its queues\n"
"  stats N [--socket PATH]\n"
"                        counters and latencies, from its server\n"
"  top [--interval SECONDS] [--count TIMES]\n"
"                        rates, latencies and queues of all devices, live\n"
"  doctor                what is wrong on this machine, and the remedy\n"
"  orphans [--clean] [--all] [--force]\n"
"                        devices whose server is dead; --clean removes them,\n"
"                        --all: also those of other programs\n"
"  stop N [--safe] [--force]\n"
"                        stop it; --safe: the driver itself sees to it that\n"
"                        nobody has it open\n"
"  del N [--async] [--force]\n"
"                        stop and remove it; --async: without waiting for\n"
"                        those who have it open\n"
"  resize N SIZE [--shrink] [--force] [--socket PATH]\n"
"                        have its server change its size\n"
"  quiesce N             have its server let go of it, clients wait\n"
"  recover N [--program PATH] [-- OPTION...]\n"
"                        a new ublk-evdemo serves it on\n"
"  upgrade N [--socket PATH] [--program PATH] [-- OPTION...]\n"
"                        a new ublk-evdemo takes it over from the old one\n"
"  owner N               uid and gid of an ordinary user's device (for udev)\n"
"  scheduler N           whether its server wants the kernel's (for udev)\n"
"\n"
"  --json                print one JSON object; top: one a line\n"
"  --timeout SECONDS     how long a command may take (20; recover and upgrade:\n"
"                        90)\n"
"  --force               although somebody uses the device, or data are lost\n"
"  --root DIR            look in DIR/proc, DIR/sys, DIR/run and so on\n"
"  -h, --help            this text\n"
"  --version             the version\n"
"\n"
"SIZE is a number of bytes, or with K, M, G, T of 1024-fold units.\n";

struct parse {
	struct opts *o;
	char *err;
	size_t err_size;
	unsigned int seen;	/* bit opt - OPT_SAFE */
};

const char *opts_cmd_name(enum opts_cmd cmd)
{
	return (unsigned int)cmd < NR_CMDS ? cmd_names[cmd] : "?";
}

static int __attribute__((format(printf, 2, 3)))
opts_fail(const struct parse *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->err, p->err_size, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int opts_fail_value(const struct parse *p, const char *what,
			   const char *value, const char *cause,
			   const char *remedy)
{
	char buf[64];

	return opts_fail(p, "%s: '%s' %s: %s", what,
			 number_shown(buf, sizeof(buf), value), cause, remedy);
}

static int opts_take(const struct parse *p, const char *what, const char *text,
		     uint64_t min, uint64_t max, unsigned int *to)
{
	const char *cause;
	char remedy[64];
	uint64_t v = 0;

	cause = number_plain(text, &v);
	if (!cause && v < min)
		cause = "is too small";
	if (!cause && v > max)
		cause = "is too large";
	if (!cause) {
		*to = (unsigned int)v;
		return 0;
	}
	snprintf(remedy, sizeof(remedy), "give %llu to %llu",
		 (unsigned long long)min, (unsigned long long)max);
	return opts_fail_value(p, what, text, cause, remedy);
}

static int opts_set_socket(const struct parse *p, const char *path)
{
	if (!*path)
		return opts_fail_value(p, "option --socket", path, "is empty",
				       "give the path of a socket");
	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return opts_fail_value(p, "option --socket", path,
				       "is too long for a socket",
				       "give a path of 107 characters at most");
	p->o->socket = path;
	return 0;
}

static int opts_set(struct parse *p, int opt, const char *value)
{
	struct opts *o = p->o;

	p->seen |= 1u << (opt - OPT_SAFE);
	switch (opt) {
	case OPT_SAFE:
		o->safe = 1;
		return 0;
	case OPT_FORCE:
		o->force = 1;
		return 0;
	case OPT_ASYNC:
		o->async = 1;
		return 0;
	case OPT_SHRINK:
		o->shrink = 1;
		return 0;
	case OPT_CLEAN:
		o->clean = 1;
		return 0;
	case OPT_ALL:
		o->all = 1;
		return 0;
	case OPT_JSON:
		o->json = 1;
		return 0;
	case OPT_TIMEOUT:
		return opts_take(p, "option --timeout", value, 1, 86400,
				 &o->timeout_s);
	case OPT_INTERVAL:
		return opts_take(p, "option --interval", value, 1, 86400,
				 &o->interval_s);
	case OPT_COUNT:
		return opts_take(p, "option --count", value, 1, 1 << 30,
				 &o->count);
	case OPT_SOCKET:
		return opts_set_socket(p, value);
	case OPT_PROGRAM:
		o->program = value;
		return 0;
	default:
		o->root = value;
		return 0;
	}
}

static int opts_find_cmd(const struct parse *p, const char *name)
{
	char buf[64];
	int i;

	for (i = 0; i < NR_CMDS; i++) {
		if (strcmp(name, cmd_names[i]))
			continue;
		p->o->cmd = (enum opts_cmd)i;
		return 0;
	}
	return opts_fail(p, "command '%s': unknown: see ublk-evctl --help",
			 number_shown(buf, sizeof(buf), name));
}

/* "3", "/dev/ublkb3", "ublkb3": users have the device's name at hand */
static int opts_set_id(const struct parse *p, const char *text)
{
	static const char *const prefixes[] = {
		"/dev/ublkb", "/dev/ublkc", "ublkb", "ublkc"
	};
	unsigned int id = 0;
	size_t i, len;
	int ret;

	for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		len = strlen(prefixes[i]);
		if (strncmp(text, prefixes[i], len) ||
		    !isdigit((unsigned char)text[len]))
			continue;
		text += len;
		break;
	}
	ret = opts_take(p, "device", text, 0, (1 << 20) - 1, &id);
	if (!ret)
		p->o->id = (int)id;
	return ret;
}

static int opts_set_size(const struct parse *p, const char *text)
{
	const char *cause = number_size(text, &p->o->size_bytes);
	uint64_t v = p->o->size_bytes;

	if (cause)
		return opts_fail_value(p, "size", text, cause,
				       "give digits and one of K, M, G, T, "
				       "such as 256M");
	if (v > INT64_MAX)
		return opts_fail_value(p, "size", text, "is too large",
				       "give less than 8388608T");
	if (!v || v % 512)
		return opts_fail_value(p, "size", text, v ?
				       "is no multiple of 512 bytes" :
				       "is too small",
				       "give a multiple of 512, which 1K is, or "
				       "a unit such as in 256M");
	return 0;
}

static int opts_take_args(const struct parse *p, int argc, char **argv)
{
	const char *name = opts_cmd_name(p->o->cmd);
	int n = 0, ret = 0;
	char buf[64];

	if (BIT(p->o->cmd) & ID_CMDS) {
		if (argc == n)
			return opts_fail(p,
					 "%s: the device is missing: give the "
					 "N of /dev/ublkbN",
					 name);
		ret = opts_set_id(p, argv[n++]);
	}
	if (!ret && p->o->cmd == CMD_RESIZE) {
		if (argc == n)
			return opts_fail(p, "resize: the size is missing: give "
					 "bytes, or such as 2G");
		ret = opts_set_size(p, argv[n++]);
	}
	if (ret || argc == n)
		return ret;
	return opts_fail(p, "%s: '%s' is too much: see ublk-evctl --help", name,
			 number_shown(buf, sizeof(buf), argv[n]));
}

static int opts_check(const struct parse *p)
{
	const struct opts *o = p->o;
	size_t i;

	for (i = 0; i < NR_GOES_WITH; i++)
		if (p->seen >> (goes_with[i].opt - OPT_SAFE) & 1 &&
		    !(goes_with[i].cmds & BIT(o->cmd)))
			return opts_fail(p, "option --%s: does not go with %s: "
					 "leave it out",
					 optline_name(long_options,
						      goes_with[i].opt),
					 opts_cmd_name(o->cmd));
	if (o->safe && o->force)
		return opts_fail(p,
				 "option --safe: is the opposite of --force: "
				 "leave one out");
	if (o->rest[0] && !(BIT(o->cmd) & CHILD_CMDS))
		return opts_fail(p, "%s: takes nothing after --: leave it out",
				 opts_cmd_name(o->cmd));
	return 0;
}

/* what follows -- is the program's; getopt would take it for arguments */
static int opts_split(struct opts *o, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--"))
			break;
	o->rest = i < argc ? argv + i + 1 : argv + argc;
	return i;
}

int opts_parse(struct opts *o, int argc, char **argv, char *err,
	       size_t err_size)
{
	struct parse p = { o, err, err_size, 0 };
	int got, ret;

	memset(o, 0, sizeof(*o));
	o->id = -1;
	o->root = "";
	o->interval_s = OPTS_INTERVAL_S;
	argc = opts_split(o, argc, argv);
	opterr = 0;
	optind = 0;	/* glibc: also forgets an earlier argv */
	while ((got = getopt_long(argc, argv, ":h", long_options, NULL)) !=
	       -1) {
		if (got == '?' || got == ':') {
			optline_refusal(err, err_size, "ublk-evctl",
					long_options, got, argv);
			return -EINVAL;
		}
		if (got == 'h' || got == OPT_VERSION) {
			o->cmd = got == 'h' ? CMD_HELP : CMD_VERSION;
			return 0;
		}
		ret = opts_set(&p, got, optarg);
		if (ret)
			return ret;
	}
	if (optind >= argc)
		return opts_fail(&p, "the command is missing: see ublk-evctl "
				 "--help");
	ret = opts_find_cmd(&p, argv[optind++]);
	if (!ret)
		ret = opts_take_args(&p, argc - optind, argv + optind);
	if (ret)
		return ret;
	if (!o->timeout_s)
		o->timeout_s = BIT(o->cmd) & CHILD_CMDS ?
			OPTS_SERVER_TIMEOUT_S : OPTS_TIMEOUT_S;
	return opts_check(&p);
}
