/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * disk.h - the backend that the options ask for, and the file of its data
 */
#ifndef EVDEMO_DISK_H
#define EVDEMO_DISK_H

#include <sys/stat.h>

#include <ublkev.h>

#include "ublk-evdemo/evdemo_opts.h"

/* what has become of the file that a disk is in */
enum disk_made {
	DISK_FOUND,	/* nothing, or there is none */
	DISK_MADE,	/* it was not there before */
	DISK_FILLED	/* it was empty before */
};

/*
 * Makes the disk. Its data are in `fd` if that is not -1 (which stays the
 * caller's), else in --file, see ublkev_file_new(), or in --memory-file, which
 * is locked (flock(2)) as long as the disk is there, else in a memfd if the device is to outlive this process,
 * else in memory of its own. A size that was not given is the file's, unless
 * that is empty, and written to *o.
 * 0 with *made set, or -1 after a line to the log, with the file as it was. Waits up to five seconds for the end of a server
 * that is to be recovered from, and holds the file.
 */
int disk_new(struct ublkev_backend **backendp, struct opts *o, int fd,
	     enum disk_made *made);

/* what is wrong with a file, and what to do about it */
struct complaint {
	const char *cause, *remedy;
};

/*
 * Who owns the file of a disk, or may write to it, reads and changes what
 * others keep there: 0, or -EPERM and why *c is not to be one. (c is zeroed
 * by the caller.)
 */
int disk_distrust(const struct stat *st, struct complaint *c);

/*
 * Whether a file that somebody has, the disk's or another of a server's, is to be
 * tried again: a server that was killed, and is recovered from, lets go of its files last of
 * all. Waits a little for that; *tries begins with 0.
 */
int disk_try_again(const struct opts *o, unsigned int *tries);

/* what the disk's data are in and another process can be handed; -1: nothing */
int disk_fd(const struct ublkev_backend *backend);

/*
 * Undoes what was made of the file, which fd (disk_fd()) is open on: removes it,
 * if that still is --file or --memory-file, or empties it.
 */
void disk_discard(const struct opts *o, int fd, enum disk_made made);

#endif /* EVDEMO_DISK_H */
