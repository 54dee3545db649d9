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

#define LIFE(name, sort, member) \
	{ name, sort, offsetof(struct opts, member), OPTS_OF_LIFE }
#define DISK(name, sort, member) \
	{ name, sort, offsetof(struct opts, member), OPTS_OF_DISK }

static const struct kept {
	const char *name;
	enum { KEPT_FLAG, KEPT_NUMBER, KEPT_BYTES, KEPT_PATH, KEPT_OTHER } sort;
	size_t at;
	unsigned int group;
} kept[] = {
	LIFE("threads", KEPT_FLAG, threads),
	LIFE("threads-per-queue", KEPT_NUMBER, threads_per_queue),
	LIFE("ring-fd", KEPT_FLAG, ring_fd),
	LIFE("no-broker", KEPT_FLAG, no_broker),
	LIFE("io-flusher", KEPT_FLAG, io_flusher),
	LIFE("keep-scheduler", KEPT_FLAG, keep_scheduler),
	LIFE("verbose", KEPT_FLAG, verbose),
	LIFE("wait", KEPT_NUMBER, wait_us),
	LIFE("sched-batch", KEPT_OTHER, sched_batch),
	LIFE("stats", KEPT_NUMBER, stats_s),
	LIFE("stop-timeout", KEPT_NUMBER, stop_timeout_s),
	LIFE("stop-limit", KEPT_NUMBER, stop_limit_s),
	LIFE("pidfile", KEPT_PATH, pidfile),
	LIFE("file", KEPT_PATH, file),
	LIFE("memory-file", KEPT_PATH, memory_file),
	LIFE("sizelimit", KEPT_BYTES, limit_bytes),
	LIFE("zone-size", KEPT_BYTES, zone_bytes),
	LIFE("zone-capacity", KEPT_BYTES, zone_capacity_bytes),
	LIFE("max-open-zones", KEPT_NUMBER, max_open_zones),
	LIFE("max-active-zones", KEPT_NUMBER, max_active_zones),
	LIFE("conventional-zones", KEPT_NUMBER, conventional_zones),
	LIFE("integrity", KEPT_OTHER, integrity),
	DISK("backend", KEPT_OTHER, backend),
	DISK("size", KEPT_OTHER, size_bytes),
	DISK("offset", KEPT_BYTES, offset_bytes),
	DISK("buffered", KEPT_FLAG, buffered),
	DISK("block-size", KEPT_NUMBER, block_bytes),
	DISK("read-only", KEPT_FLAG, read_only),
	DISK("huge-pages", KEPT_FLAG, huge_pages),
	DISK("control", KEPT_OTHER, control),
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

int opts_was_given(const struct opts *o, const char *name)
{
	unsigned int i = kept_find(name);

	return i < NR_KEPT && o->given >> i & 1;
}

static int kept_is_of(const struct kept *k, unsigned int groups)
{
	return (k->group & groups) != 0;
}

/*
 * The successor may be in another directory. One that was removed has no name
 * any more, and what it had is told: who cannot use it says so. NULL: it does not
 * fit.
 */
static const char *kept_absolute(const struct opts *o, char buf[PATH_MAX],
				 const char *path)
{
	char now[PATH_MAX];
	const char *cwd = o->cwd;

	if (path[0] == '/')
		return path;
	/* the kernel's "(unreachable)" is no directory */
	if (getcwd(now, sizeof(now)) && now[0] == '/')
		cwd = now;
	if (!cwd || snprintf(buf, PATH_MAX, "%s/%s", cwd, path) >= PATH_MAX)
		return NULL;
	return buf;
}

static void kept_tell_path(const struct opts *o, const char *name,
			   const char *path, opts_kept_fn *fn, void *data)
{
	char buf[PATH_MAX];

	path = kept_absolute(o, buf, path);
	if (path)
		fn(data, name, path);
}

static void kept_tell_bytes(const char *name, uint64_t bytes, opts_kept_fn *fn,
			    void *data)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "%llu", (unsigned long long)bytes);
	fn(data, name, buf);
}

/*
 * the size of what is in a file is the file's, which may have grown; but where
 * more than the data is in it, of a disk that stays as large
 */
static void kept_tell_other(const struct opts *o, const char *name,
			    opts_kept_fn *fn, void *data)
{
	if (!strcmp(name, "backend")) {
		fn(data, name, opts_backend_name(o->backend));
	} else if (!strcmp(name, "sched-batch")) {
		fn(data, name, opts_sched_batch_name(o->sched_batch));
	} else if (!strcmp(name, "size") && (o->backend == OPTS_NULL ||
					     o->zone_bytes || o->integrity)) {
		kept_tell_bytes(name, o->size_bytes, fn, data);
	} else if (!strcmp(name, "integrity")) {
		fn(data, name, opts_integrity_name(o->integrity));
	} else if (!strcmp(name, "control") && o->control) {
		kept_tell_path(o, name, o->control, fn, data);
	} else if (!strcmp(name, "control")) {
		fn(data, name, "none");
	}
}

static void kept_tell(const struct opts *o, const struct kept *k,
		      opts_kept_fn *fn, void *data)
{
	const void *at = (const char *)o + k->at;
	char buf[32];

	switch (k->sort) {
	case KEPT_FLAG:
		fn(data, k->name, NULL);
		break;
	case KEPT_NUMBER:
		snprintf(buf, sizeof(buf), "%u", *(const unsigned int *)at);
		fn(data, k->name, buf);
		break;
	case KEPT_BYTES:
		kept_tell_bytes(k->name, *(const uint64_t *)at, fn, data);
		break;
	case KEPT_PATH:
		kept_tell_path(o, k->name, *(const char *const *)at, fn, data);
		break;
	case KEPT_OTHER:
		kept_tell_other(o, k->name, fn, data);
		break;
	}
}

void opts_kept(const struct opts *o, unsigned int groups, opts_kept_fn *fn,
	       void *data)
{
	unsigned int i;

	for (i = 0; i < NR_KEPT; i++)
		if (o->given >> i & 1 && kept_is_of(&kept[i], groups))
			kept_tell(o, &kept[i], fn, data);
}

static void kept_copy_other(struct opts *to, const struct opts *from,
			    const char *name)
{
	if (!strcmp(name, "backend")) {
		to->backend = from->backend;
	} else if (!strcmp(name, "sched-batch")) {
		to->sched_batch = from->sched_batch;
	} else if (!strcmp(name, "size")) {
		to->size_bytes = from->size_bytes;
		to->size_given = 1;
	} else if (!strcmp(name, "integrity")) {
		to->integrity = from->integrity;
	} else {
		to->control = from->control;
		to->no_control = from->no_control;
	}
}

static void kept_copy(struct opts *to, const struct opts *from,
		      const struct kept *k)
{
	static const size_t len[] = {
		[KEPT_FLAG] = sizeof(int),
		[KEPT_NUMBER] = sizeof(unsigned int),
		[KEPT_BYTES] = sizeof(uint64_t),
		[KEPT_PATH] = sizeof(const char *),
	};

	if (k->sort == KEPT_OTHER) {
		kept_copy_other(to, from, k->name);
		return;
	}
	memcpy((char *)to + k->at, (const char *)from + k->at, len[k->sort]);
	/* where there is a file, that is the disk, unless another was asked for */
	if (k->at == offsetof(struct opts, file) &&
	    !opts_was_given(to, "backend"))
		to->backend = OPTS_FILE;
}

int opts_inherit(struct opts *o, unsigned int groups, const char *name,
		 const char *value)
{
	unsigned int i = kept_find(name);
	char program[] = "", option[32], err[256];
	char *argv[] = { program, option, (char *)(uintptr_t)value, NULL };
	struct opts alone;

	if (i == NR_KEPT || !kept_is_of(&kept[i], groups))
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
