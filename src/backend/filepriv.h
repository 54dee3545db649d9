/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filepriv.h - a disk in a file, for what is done to it in more files than one
 */
#ifndef UBLKEV_BACKEND_FILEPRIV_H
#define UBLKEV_BACKEND_FILEPRIV_H

#include <stdatomic.h>

#include <ublkev/file.h>

#include "backend/filemeta.h"
#include "backend/fileopen.h"
#include "backend/filezones.h"
#include "backend/guard.h"

struct ublkev__filedisk {
	struct ublkev__fileopen f;
	bool read_only;
	bool zoned;
	struct ublkev__filezones zones;	/* if it is */
	struct ublkev__filemeta meta;	/* if it has metadata */
	/* writes that were answered are lost; queues' threads tell and ask */
	atomic_bool lost_writes;
};

/* ops->open() of all of them: what the file itself limits */
int ublkev__file_open(void *ctx, struct ublkev_limits *limits);

/* a FLUSH that would promise what is lost already; of any thread */
bool ublkev__file_refuses(struct ublkev__filedisk *f,
			  const struct ublkev_req *req);

/*
 * What is to be answered with err, which the kernel has told of the request:
 * err; and later FLUSHes fail if it means that writes are lost. Of any thread.
 */
int ublkev__file_answer(struct ublkev__filedisk *f,
			const struct ublkev_req *req, int err);

#endif
