/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes files, links and processes below a directory that a test has for
 * itself.
 */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proctree.h"
#include "testlib.h"

#define PATH_BYTES 1024

const char *proctree_new(void)
{
	static char path[PATH_BYTES];
	const char *tmp = getenv("TMPDIR");

	snprintf(path, sizeof(path), "%s/evdemo.XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(path));
	proctree_dir(path, "proc");
	return path;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void proctree_remove(const char *root)
{
	ck_assert_int_eq(nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void full(char buf[PATH_BYTES], const char *root, const char *path)
{
	char *p;

	snprintf(buf, PATH_BYTES, "%s/%s", root, path);
	for (p = buf + strlen(root) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		mkdir(buf, 0755);
	}
}

void proctree_dir(const char *root, const char *path)
{
	char buf[PATH_BYTES];

	full(buf, root, path);
	mkdir(buf, 0755);
}

void proctree_file(const char *root, const char *path, const char *text)
{
	char buf[PATH_BYTES];
	FILE *f;

	full(buf, root, path);
	f = fopen(buf, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

void proctree_link(const char *root, const char *path, const char *target)
{
	char buf[PATH_BYTES];

	full(buf, root, path);
	unlink(buf);
	ck_assert_int_eq(symlink(target, buf), 0);
}

void proctree_pid(const char *root, int pid, const char *comm, int ns,
		  const char *mountinfo)
{
	char path[64], text[64];

	snprintf(path, sizeof(path), "proc/%d/comm", pid);
	snprintf(text, sizeof(text), "%s\n", comm);
	proctree_file(root, path, text);
	snprintf(path, sizeof(path), "proc/%d/ns/mnt", pid);
	snprintf(text, sizeof(text), "mnt:[%d]", ns);
	proctree_link(root, path, text);
	snprintf(path, sizeof(path), "proc/%d/mountinfo", pid);
	proctree_file(root, path, mountinfo);
	snprintf(path, sizeof(path), "proc/%d/fd", pid);
	proctree_dir(root, path);
}

void proctree_ublkb7(const char *root)
{
	proctree_file(root, "sys/class/block/ublkb7/dev", "259:7\n");
	proctree_dir(root, "sys/class/block/ublkb7/holders");
	proctree_file(root, "sys/class/block/ublkb7/ublkb7p1/dev", "259:8\n");
	proctree_dir(root, "sys/class/block/ublkb7/ublkb7p1/holders");
}
