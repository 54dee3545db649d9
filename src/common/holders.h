/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * holders.h - who holds a ublk block device
 *
 * Made from /proc and /sys, in slices, so that a machine with many
 * processes does not hold up the loop.
 *
 * A process must not touch a block device that it serves itself, nor a file
 * on it (it would wait for its own answer). So a file is never opened, and
 * stat'ed only where its name says that it is a device node; a node kept
 * outside of /dev under another name than ublkb* is missed. Of another
 * process only what its mm lock is not needed for is read. What would take
 * such a lock is asked last, by a child (probe.h).
 */
#ifndef COMMON_HOLDERS_H
#define COMMON_HOLDERS_H

#include <stddef.h>
#include <sys/types.h>

enum holder_kind {
	HOLDER_MOUNT,		/* what: mount point */
	/*
	 * A mount in this process' own mount namespace, when that is not the
	 * one of process 1. If this process is the last one there, its exit
	 * unmounts, and waits for its own answers.
	 */
	HOLDER_OWN_MOUNT,
	HOLDER_SWAP,		/* what: node */
	HOLDER_STACKED,		/* what: block device on top of it, or the file
				   of /sys that says so */
	HOLDER_FS,		/* what: filesystem of which it is a member or
				   the journal, or that no mount shows */
	HOLDER_USER,		/* what: path on the mounted filesystem */
	HOLDER_OPEN,		/* what: node */
	HOLDER_UDEV,		/* what: node that udev has open, for a while */
	HOLDER_MAPPED,		/* what: node, or file on it, as mapped */
	HOLDER_UNNAMED,		/* what: node, which the kernel says is held,
				   by nobody of the above */
	HOLDER_NR_KINDS
};

struct holder {
	enum holder_kind kind;
	pid_t pid;		/* 0: none is known (swap, stacked); of a
				   mount: one that sees it */
	char comm[32];
	char *what;		/* what others chose, as they chose it: not for
				   a terminal */
};

struct holders;

/*
 * Begins a scan for holders of /dev/ublkb<id> and its partitions. `root`, which
 * has to outlive the scan, is put before /proc and /sys: "" for the real ones.
 * The files of `self` are left out. A device that is not there has no holders.
 * Errors: -ENOMEM, those of opening /proc, -EMFILE, -ENFILE.
 */
int holders_new(struct holders **hp, const char *root, int id, pid_t self);
void holders_free(struct holders *h);

/*
 * Goes on for about `budget` directory entries, and answers 1 when there is
 * more to do, 0 when all is done, or -ENOMEM, -EMFILE, -ENFILE, or the error of
 * fork(2): then nobody knows who holds it. What vanishes meanwhile, or may not
 * be read, is skipped. A child that says nothing for HOLDERS_SILENCE_S
 * seconds is taken for an unnamed holder, since it waits for somebody who just
 * opens or closes the disk.
 */
int holders_step(struct holders *h, unsigned int budget);
#define HOLDERS_SILENCE_S 3

/* Seconds until another step is worth it; 0 when it is now. */
double holders_pause(const struct holders *h);

/*
 * Has the scan leave out the child; called before the first step. Holders that
 * only the child could find stay unnamed, and the disk is not opened, which a
 * mount(8) at that moment might meet. For those who only look.
 */
void holders_look_only(struct holders *h);

/* How many were found until now, and the i-th of them, the scan's own. */
unsigned int holders_count(const struct holders *h);
const struct holder *holders_at(const struct holders *h, unsigned int i);

/* A static string such as "mount". */
const char *holder_kind_name(enum holder_kind kind);

/* As snprintf(3): the holder and what to do about it, in one escaped line. */
int holder_text(char *buf, size_t size, const struct holder *h);

#endif /* COMMON_HOLDERS_H */
