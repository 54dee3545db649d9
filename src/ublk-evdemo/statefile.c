/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes the file of a live device, and reads that of a dead server: only
 * one that nobody else could have written, and of the very disk that is to
 * be recovered.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "common/rundir.h"
#include "ublk-evdemo/json.h"
#include "ublk-evdemo/logger.h"
#include "ublk-evdemo/statefile.h"

/* some paths are in it, and JSON writes six bytes for one at worst */
#define FILE_BYTES (128 << 10)

const char *statefile_root(void)
{
	const char *root = getenv("UBLK_EV_ROOT");

	return root ? root : "";
}

/* the number of the disk, which no other has had since boot; 0: unknown */
static json_int_t statefile_diskseq(int id)
{
	char path[PATH_MAX];
	long long seq = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/sys/block/ublkb%d/diskseq",
		 statefile_root(), id);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%lld", &seq) != 1 || seq < 0)
		seq = 0;
	fclose(f);
	return seq;
}

/* the directory of this user's servers, to be closed; path is its name */
static int statefile_open_dir(char path[PATH_MAX], int make)
{
	int err = rundir_own(path, PATH_MAX, statefile_root());
	int fd;

	if (err)
		return err;
	if (make && mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* ---- the server's side -------------------------------------------------- */

static int statefile_write_all(int fd, const char *text)
{
	size_t len = strlen(text);
	ssize_t n;

	while (len) {
		n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Whoever reads the file finds all of the new one, or all of the old. */
static int statefile_put(int dir, int id, const char *text)
{
	char name[32], own[64];
	int fd, err;

	snprintf(name, sizeof(name), "%d.json", id);
	snprintf(own, sizeof(own), ".%d.json.%d", id, (int)getpid());
	/* A process of the same number may have been killed here. */
	unlinkat(dir, own, 0);
	fd = openat(dir, own, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
		    O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = statefile_write_all(fd, text);
	close(fd);
	if (!err && renameat(dir, own, dir, name))
		err = -errno;
	if (err)
		unlinkat(dir, own, 0);
	return err;
}

/* the text and the disk's number, to be freed; NULL: that is not known */
static char *statefile_complete(int id, const char *text)
{
	json_int_t seq = statefile_diskseq(id);
	json_t *top = seq ? json_loads(text, 0, NULL) : NULL;
	char *full = NULL;

	if (top && !json_object_set_new(top, "diskseq", json_integer(seq)))
		full = json_dumps(top, JSON_INDENT(1) | JSON_ENSURE_ASCII);
	json_decref(top);
	return full;
}

void statefile_write(int id, const char *text)
{
	char *full = statefile_complete(id, text);
	char path[PATH_MAX] = "";
	int dir, err;

	dir = full ? statefile_open_dir(path, 1) : -ENODATA;
	err = dir < 0 ? dir : statefile_put(dir, id, full);
	if (dir >= 0)
		close(dir);
	free(full);
	if (err)
		log_msg(LOG_NOTICE, "no state file: %s: a recovery of "
			"/dev/ublkb%d has to be given the options again",
			err == -ENODATA ? "the disk's number is not in /sys" :
			path[0] ? strerror(-err) : rundir_error(err), id);
}

void statefile_remove(int id)
{
	char path[PATH_MAX], name[32];
	int dir = statefile_open_dir(path, 0);

	snprintf(name, sizeof(name), "%d.json", id);
	if (dir < 0)
		return;
	unlinkat(dir, name, 0);
	close(dir);
}

/* ---- the recovery's side ------------------------------------------------ */

/* what is wrong with a file that others could have written; NULL: nothing */
static const char *statefile_distrust(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "it is no regular file";
	if (st->st_uid != geteuid())
		return "it belongs to another user";
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return "others may write to it";
	return st->st_size > FILE_BYTES ? "it is too large" : NULL;
}

/* The object that the file has, or NULL and why there is none. */
static json_t *statefile_parse(int fd, const char **why)
{
	static char text[FILE_BYTES + 1];
	size_t len = 0;
	json_t *top;
	ssize_t n;

	do {
		n = read(fd, text + len, sizeof(text) - len);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	top = n ? NULL : json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (json_integer_value(json_object_get(top, "schema")) == JSON_SCHEMA &&
	    json_is_object(json_object_get(top, "options")))
		return top;
	json_decref(top);
	*why = "it is damaged";
	return NULL;
}

/* The open file, or -1 and why it is not used; NULL: there is no file. */
static int statefile_open(int dir, int id, const char **why)
{
	char name[32];
	struct stat st;
	int fd;

	snprintf(name, sizeof(name), "%d.json", id);
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
		    O_CLOEXEC);
	if (fd < 0) {
		*why = errno == ENOENT ? NULL :
		       errno == ELOOP ? "it is a symbolic link" :
		       strerror(errno);
		return -1;
	}
	*why = fstat(fd, &st) ? strerror(errno) : statefile_distrust(&st);
	if (!*why)
		return fd;
	close(fd);
	return -1;
}

/* the object of device `id`, or NULL and why not (NULL: there is no file) */
static json_t *statefile_read(int dir, int id, const char **why)
{
	int fd = statefile_open(dir, id, why);
	json_t *top;
	json_int_t seq;

	if (fd < 0)
		return NULL;
	top = statefile_parse(fd, why);
	close(fd);
	if (!top)
		return NULL;
	seq = json_integer_value(json_object_get(top, "diskseq"));
	if (seq && seq == statefile_diskseq(id))
		return top;
	*why = "it is about another disk, which had this number before";
	json_decref(top);
	return NULL;
}

/*
 * Who says where the data are does not want those of the dead server. Of a
 * file with another name, it is the same disk that is meant, at its offset.
 */
static int statefile_is_moot(const struct opts *o, const char *name)
{
	static const char *const places[] = {
		"backend", "size", "huge-pages", "memory-file", "file",
		"offset", "buffered", "sizelimit",
	};
	const int of_file = opts_was_given(o, "file");
	unsigned int i, n = sizeof(places) / sizeof(places[0]);

	if (!of_file && !opts_was_given(o, "backend") &&
	    !opts_was_given(o, "memory-file"))
		return 0;
	for (i = 0; i < (of_file ? n - 3 : n); i++)
		if (!strcmp(name, places[i]))
			return 1;
	return 0;
}

static void statefile_inherit(struct opts *o, json_t *top)
{
	json_t *options = json_object_get(top, "options"), *value;
	const struct opts given = *o;
	const char *name;

	json_take_kept(options);
	json_object_foreach(options, name, value)
		if (!statefile_is_moot(&given, name) &&
		    opts_inherit(o, OPTS_OF_LIFE | OPTS_OF_DISK, name,
				 json_string_value(value)))
			log_msg(LOG_WARNING, "option --%s of the server that "
				"died: not taken on", name);
}

json_t *statefile_recall(struct opts *o)
{
	const char *why = NULL;
	char path[PATH_MAX];
	json_t *top;
	int dir;

	dir = statefile_open_dir(path, 0);
	if (dir < 0)
		return NULL;
	top = statefile_read(dir, o->recover_id, &why);
	close(dir);
	if (why)
		log_msg(LOG_WARNING, "state file %s/%d.json: %s: not used",
			path, o->recover_id, why);
	if (top)
		statefile_inherit(o, top);
	return top;
}
