/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proctree.h - a directory that looks like /proc and /sys, for tests
 */
#ifndef UBLKEV_TESTS_PROCTREE_H
#define UBLKEV_TESTS_PROCTREE_H

/* a new directory under $TMPDIR or /tmp; static until the next one */
const char *proctree_new(void);
void proctree_remove(const char *root);

/* makes the directories before it; text is the content, or the target */
void proctree_file(const char *root, const char *path, const char *text);
void proctree_link(const char *root, const char *path, const char *target);
void proctree_dir(const char *root, const char *path);

/* comm, ns/mnt, mountinfo, fd/ of a process */
void proctree_pid(const char *root, int pid, const char *comm, int ns,
		  const char *mountinfo);

/* ublkb7 as 259:7 with the partition ublkb7p1 as 259:8 */
void proctree_ublkb7(const char *root);

#endif
