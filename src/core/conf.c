/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf.c - what a conf may say
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "core/params.h"

/* A wake-up takes less, and other watchers of the loop wait meanwhile. */
#define MOST_WAIT_US	1000
/* Timers of the loop that late are more than anybody's who has any. */
#define MOST_SLEEP_US	100000
/* More than one thread keeps busy is of no use: doc/figures.md, "Queues". */
#define MOST_QUEUES_A_LOOP 4
/* Over three weeks: more than that is somebody's mistake, no deadline. */
#define MOST_MS		INT32_MAX
/* A longer turn is as good as one without a bound, for which 0 stands. */
#define MOST_BUDGET_US	1000000

#define CONF_FLAGS	(UBLKEV_CONF_LATENCY | UBLKEV_CONF_UNPRIVILEGED | \
			 UBLKEV_CONF_IO_FLUSHER | UBLKEV_CONF_QUEUE_THREADS | \
			 UBLKEV_CONF_RING_FD | UBLKEV_CONF_KEEP_SCHEDULER | \
			 UBLKEV_CONF_SCHED_BATCH | UBLKEV_CONF_KEEP_POLICY | \
			 UBLKEV_CONF_HUGE_PAGES)

struct conf_range {
	const char *member;
	size_t at;
	uint32_t least, most;
};

#define CONF_RANGE(member, least, most) \
	{ #member, offsetof(struct ublkev_conf, member), (least), (most) }

/* These members have 32 bits and no sign. */
static const struct conf_range conf_ranges[] = {
	CONF_RANGE(queues, 0, UBLKEV__MAX_QUEUES),
	CONF_RANGE(depth, 1, UBLKEV__MAX_DEPTH),
	CONF_RANGE(max_io_bytes, UBLKEV__PAGE, 32u << 20),
	CONF_RANGE(cmd_timeout_ms, 1, MOST_MS),
	CONF_RANGE(start_timeout_ms, 1, MOST_MS),
	CONF_RANGE(stop_timeout_ms, 1, MOST_MS),
	CONF_RANGE(grace_ms, 1, MOST_MS),
	CONF_RANGE(recover_timeout_ms, 1, MOST_MS),
	CONF_RANGE(stop_limit_ms, 0, MOST_MS),
	CONF_RANGE(budget_us, 0, MOST_BUDGET_US),
	CONF_RANGE(budget_reqs, 0, INT32_MAX),
	CONF_RANGE(wait_us, 0, MOST_WAIT_US),
	CONF_RANGE(sleep_us, 0, MOST_SLEEP_US),
	CONF_RANGE(offload_threads, 1, UBLKEV_MAX_OFFLOAD_THREADS),
	CONF_RANGE(threads_per_queue, 1, UBLKEV_MAX_THREADS_PER_QUEUE),
	CONF_RANGE(recovery, 0, UBLKEV_NR_RECOVERIES - 1),
	CONF_RANGE(copy, 0, UBLKEV_NR_COPIES - 1),
};

static int conf_bad_text(struct ublkev__conf_fault *f, int err,
			 const char *member, uint64_t value, const char *text)
{
	*f = (struct ublkev__conf_fault){
		.member = member, .value = (int64_t)value, .text = text,
	};
	return err;
}

static int conf_bad_range(struct ublkev__conf_fault *f, const char *member,
			  int64_t value, int64_t least, int64_t most)
{
	*f = (struct ublkev__conf_fault){
		.member = member, .value = value, .least = least, .most = most,
	};
	return -EINVAL;
}

int ublkev__conf_check_size(size_t size, struct ublkev__conf_fault *f)
{
	if (size < UBLKEV__CONF_LEAST_BYTES || size > UBLKEV__CONF_MOST_BYTES)
		return conf_bad_range(f, "size", size > INT32_MAX ? INT32_MAX :
				      (int64_t)size, UBLKEV__CONF_LEAST_BYTES,
				      UBLKEV__CONF_MOST_BYTES);
	return 0;
}

static int conf_check_ranges(const struct ublkev_conf *conf,
			     struct ublkev__conf_fault *f)
{
	const struct conf_range *r;
	uint32_t value;
	size_t i;

	for (i = 0; i < sizeof(conf_ranges) / sizeof(conf_ranges[0]); i++) {
		r = &conf_ranges[i];
		memcpy(&value, (const char *)conf + r->at, sizeof(value));
		if (value < r->least || value > r->most)
			return conf_bad_range(f, r->member, value, r->least,
					      r->most);
	}
	return 0;
}

/* with BATCH_IO whoever fetches gets whatever tag: none has a thread of its own */
static int conf_check_threads(const struct ublkev_conf *conf,
			      struct ublkev__conf_fault *f)
{
	unsigned int threads = conf->queues * conf->threads_per_queue;

	if (threads > UBLKEV__MAX_QUEUES)
		return conf_bad_range(f, "queues * threads_per_queue", threads,
				      1, UBLKEV__MAX_QUEUES);
	if (conf->threads_per_queue == 1)
		return 0;
	if (!(conf->flags & UBLKEV_CONF_QUEUE_THREADS))
		return conf_bad_text(f, -EINVAL, "threads_per_queue",
				     conf->threads_per_queue,
			 "more than 1 needs UBLKEV_CONF_QUEUE_THREADS");
	if (conf->features & UBLKEV_F_BATCH_IO)
		return conf_bad_text(f, -EINVAL, "threads_per_queue",
				     conf->threads_per_queue,
			 "with UBLKEV_F_BATCH_IO only 1 is possible");
	return 0;
}

static int conf_check_together(const struct ublkev_conf *conf,
			       struct ublkev__conf_fault *f)
{
	uint32_t tags = conf->queues * conf->depth;

	if (tags > UBLKEV__MAX_TAGS)
		return conf_bad_range(f, "queues * depth", tags, 1,
				      UBLKEV__MAX_TAGS);
	if (conf->max_io_bytes % UBLKEV__PAGE)
		return conf_bad_text(f, -EINVAL, "max_io_bytes",
				     conf->max_io_bytes,
				     "a multiple of 4096 is needed");
	if (conf->recovery && conf->flags & UBLKEV_CONF_UNPRIVILEGED)
		return conf_bad_text(f, -EINVAL, "recovery", conf->recovery,
			 "with UBLKEV_CONF_UNPRIVILEGED only 0 is possible");
	/* the driver would go on to tell of memory that nobody knows */
	if (conf->recovery && conf->features & UBLKEV_F_SHMEM_ZC)
		return conf_bad_text(f, -EINVAL, "features", conf->features,
			 "UBLKEV_F_SHMEM_ZC goes with recovery 0 only");
	if (conf->flags & UBLKEV_CONF_SCHED_BATCH &&
	    conf->flags & UBLKEV_CONF_KEEP_POLICY)
		return conf_bad_text(f, -EINVAL, "flags", conf->flags,
			 "UBLKEV_CONF_SCHED_BATCH does not go with UBLKEV_CONF_KEEP_POLICY");
	/* ADD_DEV refuses it (ublk_ctrl_add_dev()) */
	if (conf->copy >= UBLKEV_COPY_ZERO &&
	    conf->flags & UBLKEV_CONF_UNPRIVILEGED)
		return conf_bad_text(f, -EINVAL, "copy", conf->copy,
			 "UBLKEV_COPY_ZERO and ZERO_MANUAL are not for UBLKEV_CONF_UNPRIVILEGED");
	return conf_check_threads(conf, f);
}

int ublkev__conf_check(const struct ublkev_conf *conf,
		       struct ublkev__conf_fault *f)
{
	int err;

	if (conf->id < -1 || conf->id > UBLKEV__MAX_ID)
		return conf_bad_range(f, "id", conf->id, -1, UBLKEV__MAX_ID);
	err = conf_check_ranges(conf, f);
	if (!err)
		err = conf_check_together(conf, f);
	if (err)
		return err;
	if (conf->features & ~UBLKEV__F_WANTABLE)
		return conf_bad_text(f, -EOPNOTSUPP, "features",
				     conf->features,
				     "only UBLKEV_F_* can be asked for");
	if (conf->flags & ~CONF_FLAGS)
		return conf_bad_text(f, -EOPNOTSUPP, "flags", conf->flags,
				     "a bit is unknown to this version");
	return 0;
}

/* the driver takes no more than one a CPU (ublk_ctrl_add_dev()) */
unsigned int ublkev__conf_queues(const struct ublkev_conf *conf,
				 unsigned int nr_cpus)
{
	unsigned int most = UBLKEV__MAX_TAGS / conf->depth;

	if (conf->queues)
		return conf->queues;
	if (most > UBLKEV__MAX_QUEUES / conf->threads_per_queue)
		most = UBLKEV__MAX_QUEUES / conf->threads_per_queue;
	if (!(conf->flags & UBLKEV_CONF_QUEUE_THREADS) &&
	    most > MOST_QUEUES_A_LOOP)
		most = MOST_QUEUES_A_LOOP;
	return nr_cpus < most ? nr_cpus : most;
}

/* each has a tag, and in all they are no more than the most queues */
unsigned int ublkev__conf_threads(const struct ublkev_conf *conf,
				  unsigned int queues, unsigned int depth)
{
	unsigned int n = conf->threads_per_queue;

	if (!(conf->flags & UBLKEV_CONF_QUEUE_THREADS))
		return 1;
	if (n > depth)
		n = depth;
	if (n > UBLKEV__MAX_QUEUES / queues)
		n = UBLKEV__MAX_QUEUES / queues;
	return n;
}
