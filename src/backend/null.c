/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * null.c - a disk that answers everything and touches no data
 */
#include "backend/diskconf.h"
#include "backend/guard.h"

#include <errno.h>
#include <stdlib.h>

/* no work in either: as large as one request may well be */
#define MAX_DISCARD_BYTES	(UINT32_C(1) << 30)
#define MAX_WRITE_ZEROES_BYTES	(UINT32_C(1) << 30)

static int null_open(void *ctx, struct ublkev_limits *limits)
{
	const struct ublkev_disk_conf *conf = ctx;

	ublkev__disk_limits(conf, limits, MAX_DISCARD_BYTES,
			    MAX_WRITE_ZEROES_BYTES);
	limits->flags |= UBLKEV_LIMIT_NO_DATA | UBLKEV_LIMIT_THREADS;
	return 0;
}

static int null_submit(void *ctx, struct ublkev_req *req)
{
	(void)ctx;
	(void)req;
	return UBLKEV_DONE;
}

static const struct ublkev_backend_ops null_ops = {
	.size = sizeof(null_ops),
	.name = "null",
	.open = null_open,
	.submit = null_submit,
};

int ublkev_null_new(struct ublkev_backend **backendp,
		    const struct ublkev_disk_conf *conf)
{
	struct ublkev_disk_conf own, *ctx;
	int err;

	err = ublkev__disk_take(&own, conf);
	if (err)
		return err;
	ctx = malloc(sizeof(*ctx));
	if (!ctx)
		return -ENOMEM;
	*ctx = own;
	err = ublkev__guard_new(backendp, &null_ops, ctx, free);
	if (err)
		free(ctx);
	return err;
}
