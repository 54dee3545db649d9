/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filedisk.h - the disk of --file
 */
#ifndef EVDEMO_FILEDISK_H
#define EVDEMO_FILEDISK_H

#include <ublkev.h>

#include "ublk-evdemo/disk.h"

/* as disk_new(), whose part for --file this is */
int filedisk_new(struct ublkev_backend **backendp, const struct opts *o,
		 int fd, enum disk_made *made);

#endif /* EVDEMO_FILEDISK_H */
