/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which options go with which: what a single one cannot tell. Each refusal is
 * one line that names both, or the value and what to do about it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "ublk-evdemo/evdemo_opts.h"
#include "ublk-evdemo/evdemo_opts_priv.h"

/* of all queues together; what the library takes */
#define MAX_REQS 32767
#define MAX_THREADS 4096

int opts_fail(const struct parse *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->err, p->err_size, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int opts_refuse_with(const struct parse *p, const char *opt,
			    const char *other)
{
	return opts_fail(p, "option --%s: does not go with --%s: leave it out",
			 opt, other);
}

static int opts_check_file(const struct parse *p)
{
	const struct opts *o = p->o;

	if (o->memory_file)
		return opts_refuse_with(p, "memory-file", "file");
	if (o->size_given && o->limit_bytes && o->size_bytes > o->limit_bytes)
		return opts_fail(p, "option --size: '%llu' is more than the "
				 "--sizelimit %llu: lower it",
				 (unsigned long long)o->size_bytes,
				 (unsigned long long)o->limit_bytes);
	return 0;
}

/* the ways without copies, of which this is one */
static const char *opts_zero(const struct opts *o)
{
	return o->copy == UBLKEV_COPY_ZERO ? "copy zero" : "copy zero-manual";
}

/*
 * The disk says all of itself, and nobody else can be handed what it is made of: no
 * other server would find its data.
 */
static int opts_check_stack(const struct parse *p)
{
	const struct opts *o = p->o;

	if (!o->disk)
		return 0;
	if (o->recover_id >= 0)
		return opts_fail(p, "option --disk: no other server can be "
				 "recovered from with it: leave --recover out");
	if (p->not_disk)
		return opts_fail(p, "option --%s: does not go with --disk: "
				 "leave it out, and say it there", p->not_disk);
	if (o->recovery != UBLKEV_RECOVERY_NONE)
		return opts_refuse_with(p, "recovery", "disk");
	return 0;
}

/* what goes with what */
static int opts_check_modes(const struct parse *p)
{
	const struct opts *o = p->o;

	if (o->mode == OPTS_DELETE && p->not_delete)
		return opts_refuse_with(p, p->not_delete, "delete");
	if (o->take_over && p->not_take_over)
		return opts_refuse_with(p, p->not_take_over, "take-over");
	if (o->recover_id >= 0 && p->not_recover)
		return opts_refuse_with(p, p->not_recover, "recover");
	if (o->unprivileged && o->recovery != UBLKEV_RECOVERY_NONE)
		return opts_refuse_with(p, "recovery", "unprivileged");
	if (o->unprivileged && o->copy >= UBLKEV_COPY_ZERO)
		return opts_refuse_with(p, opts_zero(o), "unprivileged");
	return 0;
}

/* what goes with a disk in memory, or with one that keeps no data */
static int opts_check_memory(const struct parse *p)
{
	const struct opts *o = p->o;

	if (p->of_file)
		return opts_refuse_with(p, p->of_file, o->backend == OPTS_MEM ?
					"backend mem" : "backend null");
	if (o->copy >= UBLKEV_COPY_ZERO)
		return opts_fail(p, "option --%s: only a disk in a "
				 "file can be served without copies: give "
				 "--file, or another --copy", opts_zero(o));
	if (o->backend != OPTS_NULL)
		return 0;
	if (o->memory_file)
		return opts_fail(
			p, "option --memory-file: the null backend keeps "
			   "no data: leave it out, or give --backend mem");
	return 0;
}

static int opts_check_backend(const struct parse *p)
{
	if (p->o->backend == OPTS_STACK)
		return 0;
	return p->o->backend == OPTS_FILE ? opts_check_file(p) :
	       opts_check_memory(p);
}

/* the first option of zones that was given without the one that makes them */
static const char *opts_of_zones(const struct opts *o)
{
	return o->zone_capacity_bytes ? "zone-capacity" :
	       o->max_open_zones ? "max-open-zones" :
	       o->max_active_zones ? "max-active-zones" :
	       o->conventional_zones ? "conventional-zones" : NULL;
}

static int opts_check_zone_limits(const struct parse *p)
{
	const struct opts *o = p->o;
	uint64_t zones = o->size_bytes / o->zone_bytes;

	if (o->size_bytes % o->zone_bytes)
		return opts_fail(p, "option --size: '%llu' is no multiple of "
				 "the zone size %llu: round it",
				 (unsigned long long)o->size_bytes,
				 (unsigned long long)o->zone_bytes);
	if (o->zone_capacity_bytes > o->zone_bytes ||
	    o->zone_capacity_bytes % o->block_bytes)
		return opts_fail(p, "option --zone-capacity: '%llu' is more "
				 "than a zone, or no multiple of the block "
				 "size %u: lower or round it",
				 (unsigned long long)o->zone_capacity_bytes,
				 o->block_bytes);
	if (o->max_open_zones > zones || o->max_active_zones > zones ||
	    o->conventional_zones > zones)
		return opts_fail(p, "option --%s: there are %llu zones: lower "
				 "it", o->max_open_zones > zones ?
				 "max-open-zones" : o->max_active_zones > zones ?
				 "max-active-zones" : "conventional-zones",
				 (unsigned long long)zones);
	if (o->max_active_zones && o->max_open_zones > o->max_active_zones)
		return opts_fail(p, "option --max-open-zones: '%u' are more "
				 "than --max-active-zones: lower it",
				 o->max_open_zones);
	return 0;
}

static int opts_check_zones(const struct parse *p)
{
	const struct opts *o = p->o;

	if (!o->zone_bytes && opts_of_zones(o))
		return opts_fail(p, "option --%s: of which zones? give "
				 "--zone-size", opts_of_zones(o));
	if (!o->zone_bytes)
		return 0;
	if (o->backend == OPTS_NULL)
		return opts_refuse_with(p, "zone-size", "backend null");
	if (o->threads || o->threads_per_queue)
		return opts_refuse_with(p, o->threads ? "threads" :
					"threads-per-queue", "zone-size");
	if (o->unprivileged)
		return opts_refuse_with(p, "unprivileged", "zone-size");
	/* else the file says how many there are */
	return o->backend == OPTS_MEM || o->size_given ?
		opts_check_zone_limits(p) : 0;
}

static int opts_check_integrity(const struct parse *p)
{
	const struct opts *o = p->o;

	if (!o->integrity)
		return 0;
	if (o->backend == OPTS_NULL)
		return opts_refuse_with(p, "integrity", "backend null");
	if (o->zone_bytes)
		return opts_refuse_with(p, "integrity", "zone-size");
	if (o->copy >= UBLKEV_COPY_ZERO)
		return opts_refuse_with(p, opts_zero(o), "integrity");
	if (o->backend == OPTS_FILE && !o->size_given)
		return opts_fail(p, "option --integrity: it is in the file "
				 "behind the data: how many are these? give "
				 "--size");
	if (o->backend == OPTS_FILE && o->threads)
		return opts_refuse_with(p, "threads", "integrity");
	return o->unprivileged ? opts_refuse_with(p, "unprivileged",
						  "integrity") : 0;
}

static int opts_check_size(const struct parse *p)
{
	const struct opts *o = p->o;

	if (o->size_bytes % o->block_bytes)
		return opts_fail(p,
				 "option --size: '%llu' is no multiple of the "
				 "block size %u: round it",
				 (unsigned long long)o->size_bytes,
				 o->block_bytes);
	return 0;
}

int opts_check_disk(const struct opts *o, char *err, size_t err_size)
{
	struct opts copy = *o;
	const struct parse p = { .o = &copy, .err = err, .err_size = err_size };
	int ret = opts_check_backend(&p);

	if (!ret)
		ret = opts_check_size(&p);
	if (!ret)
		ret = opts_check_zones(&p);
	if (!ret)
		ret = opts_check_integrity(&p);
	if (!ret && o->backend == OPTS_FILE && !o->file)
		ret = opts_fail(&p, "option --backend file: in which one? give "
				"--file");
	if (!ret && o->recover_id >= 0 && o->backend == OPTS_MEM &&
	    !o->memory_file)
		ret = opts_fail(&p, "option --recover: where are the data? "
				"give --file or --memory-file, or --backend null");
	return ret;
}

/* what single options cannot tell */
int opts_check_all(const struct parse *p)
{
	const struct opts *o = p->o;
	int err = opts_check_modes(p);

	if (!err)
		err = opts_check_stack(p);
	if (!err)
		err = opts_check_backend(p);
	if (err)
		return err;
	if (o->queues * o->depth > MAX_REQS)
		return opts_fail(p,
				 "option --queues: '%u' queues of --depth %u "
				 "are more than %d requests: lower one",
				 o->queues, o->depth, MAX_REQS);
	if (o->queues * o->threads_per_queue > MAX_THREADS)
		return opts_fail(p,
				 "option --threads-per-queue: '%u' for %u "
				 "queues are more than %d threads: lower one",
				 o->threads_per_queue, o->queues, MAX_THREADS);
	if (o->batch && o->threads_per_queue > 1)
		return opts_refuse_with(p, "batch", "threads-per-queue");
	return opts_check_size(p);
}
