/* SPDX-License-Identifier: BSD-2-Clause */
/* The options that a server hands on: see opts_kept(). */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ublk-evdemo/evdemo_opts.h"

static const struct kept {
	const char *name;
	enum { KEPT_FLAG, KEPT_NUMBER, KEPT_PATH } sort;
	size_t at;
} kept[] = {
	{ "threads", KEPT_FLAG, offsetof(struct opts, threads) },
	{ "ring-fd", KEPT_FLAG, offsetof(struct opts, ring_fd) },
	{ "no-broker", KEPT_FLAG, offsetof(struct opts, no_broker) },
	{ "io-flusher", KEPT_FLAG, offsetof(struct opts, io_flusher) },
	{ "keep-scheduler", KEPT_FLAG, offsetof(struct opts, keep_scheduler) },
	{ "verbose", KEPT_FLAG, offsetof(struct opts, verbose) },
	{ "wait", KEPT_NUMBER, offsetof(struct opts, wait_us) },
	{ "stats", KEPT_NUMBER, offsetof(struct opts, stats_s) },
	{ "stop-timeout", KEPT_NUMBER, offsetof(struct opts, stop_timeout_s) },
	{ "stop-limit", KEPT_NUMBER, offsetof(struct opts, stop_limit_s) },
	{ "pidfile", KEPT_PATH, offsetof(struct opts, pidfile) },
	{ "memory-file", KEPT_PATH, offsetof(struct opts, memory_file) },
};

#define NR_KEPT (sizeof(kept) / sizeof(kept[0]))
static_assert(NR_KEPT < 32, "each has a bit in opts.given");

static unsigned int kept_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < NR_KEPT && strcmp(kept[i].name, name); i++)
		;
	return i;
}

void opts_kept_note(struct opts *o, const char *name)
{
	unsigned int i = kept_find(name);

	if (i < NR_KEPT)
		o->given |= 1u << i;
}

/* the successor may be in another directory; NULL: it does not fit */
static const char *kept_absolute(char buf[PATH_MAX], const char *path)
{
	size_t len;

	if (path[0] == '/')
		return path;
	if (!getcwd(buf, PATH_MAX))
		return NULL;
	len = strlen(buf);
	if (snprintf(buf + len, PATH_MAX - len, "/%s", path) >=
	    (int)(PATH_MAX - len))
		return NULL;
	return buf;
}

static void kept_tell(const struct opts *o, const struct kept *k,
		      opts_kept_fn *fn, void *data)
{
	const void *at = (const char *)o + k->at;
	const char *path;
	char buf[PATH_MAX];

	switch (k->sort) {
	case KEPT_FLAG:
		fn(data, k->name, NULL);
		break;
	case KEPT_NUMBER:
		snprintf(buf, sizeof(buf), "%u", *(const unsigned int *)at);
		fn(data, k->name, buf);
		break;
	case KEPT_PATH:
		path = kept_absolute(buf, *(const char *const *)at);
		if (path)
			fn(data, k->name, path);
		break;
	}
}

void opts_kept(const struct opts *o, opts_kept_fn *fn, void *data)
{
	unsigned int i;

	for (i = 0; i < NR_KEPT; i++)
		if (o->given >> i & 1)
			kept_tell(o, &kept[i], fn, data);
}

static void kept_copy(struct opts *to, const struct opts *from,
		      const struct kept *k)
{
	size_t len = k->sort == KEPT_FLAG ? sizeof(int) :
		     k->sort == KEPT_NUMBER ? sizeof(unsigned int) :
		     sizeof(const char *);

	memcpy((char *)to + k->at, (const char *)from + k->at, len);
}

int opts_inherit(struct opts *o, const char *name, const char *value)
{
	unsigned int i = kept_find(name);
	char program[] = "", option[32], err[256];
	char *argv[] = { program, option, (char *)(uintptr_t)value, NULL };
	struct opts alone;

	if (i == NR_KEPT)
		return -ENOENT;
	if (o->given >> i & 1)
		return 0;
	/* as on a command line of its own, with all that is checked there */
	snprintf(option, sizeof(option), "--%s", name);
	if (opts_parse(&alone, value ? 3 : 2, argv, err, sizeof(err)))
		return -EINVAL;
	kept_copy(o, &alone, &kept[i]);
	o->given |= 1u << i;
	return 0;
}
