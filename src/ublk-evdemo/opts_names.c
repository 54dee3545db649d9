/* SPDX-License-Identifier: BSD-2-Clause */
/* What the values of options are called, on a command line and in JSON. */
#include "ublk-evdemo/evdemo_opts.h"

#include <assert.h>
#include <string.h>

#include "ublk-evdemo/evdemo_opts_priv.h"

static const char *const recovery_names[] = {
	[UBLKEV_RECOVERY_NONE] = "none",
	[UBLKEV_RECOVERY_REQUEUE] = "requeue",
	[UBLKEV_RECOVERY_REISSUE] = "reissue",
	[UBLKEV_RECOVERY_FAIL_IO] = "fail-io",
};
static_assert(sizeof(recovery_names) / sizeof(recovery_names[0]) ==
	      UBLKEV_NR_RECOVERIES, "each recovery has a name");

const char *opts_recovery_name(unsigned int recovery)
{
	return recovery < UBLKEV_NR_RECOVERIES ? recovery_names[recovery] : "?";
}

int opts_find(const char *const names[], unsigned int nr, const char *name)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (!strcmp(name, names[i]))
			return (int)i;
	return -1;
}

int opts_recovery(const char *name)
{
	return opts_find(recovery_names, UBLKEV_NR_RECOVERIES, name);
}

static const char *const backend_names[] = {
	[OPTS_MEM] = "mem",
	[OPTS_NULL] = "null",
	[OPTS_FILE] = "file",
	[OPTS_STACK] = "disk",
};

#define NR_BACKENDS (sizeof(backend_names) / sizeof(backend_names[0]))

const char *opts_backend_name(unsigned int backend)
{
	return backend < NR_BACKENDS ? backend_names[backend] : "?";
}

int opts_backend(const char *name)
{
	/* the last one is what --disk says */
	return opts_find(backend_names, OPTS_STACK, name);
}

static const char *const sched_batch_names[] = {
	[OPTS_BATCH_AUTO] = "auto",
	[OPTS_BATCH_YES] = "yes",
	[OPTS_BATCH_NO] = "no",
};

#define NR_SCHED_BATCHES \
	(sizeof(sched_batch_names) / sizeof(sched_batch_names[0]))

const char *opts_sched_batch_name(unsigned int sched_batch)
{
	return sched_batch < NR_SCHED_BATCHES ?
	       sched_batch_names[sched_batch] : "?";
}

int opts_sched_batch(const char *name)
{
	return opts_find(sched_batch_names, NR_SCHED_BATCHES, name);
}

static const char *const integrity_names[] = {
	[UBLKEV_PI_NONE] = "none",
	[UBLKEV_PI_T10_DIF_TYPE1_CRC] = "t10-dif-type1-crc",
	[UBLKEV_PI_T10_DIF_TYPE1_IP] = "t10-dif-type1-ip",
	[UBLKEV_PI_T10_DIF_TYPE3_CRC] = "t10-dif-type3-crc",
	[UBLKEV_PI_T10_DIF_TYPE3_IP] = "t10-dif-type3-ip",
	[UBLKEV_PI_EXT_DIF_TYPE1_CRC64] = "ext-dif-type1-crc64",
	[UBLKEV_PI_EXT_DIF_TYPE3_CRC64] = "ext-dif-type3-crc64",
};
static_assert(sizeof(integrity_names) / sizeof(integrity_names[0]) ==
	      UBLKEV_NR_PIS, "each has a name");

const char *opts_integrity_name(unsigned int pi)
{
	return pi < UBLKEV_NR_PIS ? integrity_names[pi] : "?";
}

int opts_integrity(const char *name)
{
	return opts_find(integrity_names, UBLKEV_NR_PIS, name);
}
